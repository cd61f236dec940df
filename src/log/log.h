/* log: topics on disk. Appends record batches as they are, group-commits, reads, recovers.
 *
 * Loop: log_append from any thread; one writer thread owns every partition's tail, assigns offsets,
 * writes, syncs once for all that waits, publishes the durable end and only then answers. Readers
 * of any thread see durable bytes only. Memory: no copy of a batch; a small index a segment.
 * Limit: options. Never knows a protocol; batches are checked (CRC, head), never re-encoded.
 */
#pragma once
#include "base/vec.h"
#include "data/record_batch.h"

struct log;
struct log_topic;
struct log_partition;

struct log_options {
    const char *dir;
    uint32_t partitions_max; /* 0: 10,000 */
    uint64_t segment_bytes;  /* 0: 1 GiB */
    int64_t segment_ms;      /* 0: 7 days */
    uint64_t
        disk_keep_free; /* below this much free space appends answer ERR_DISK_FULL; 0: 256 MiB */
    /* compaction: partitions that wait are looked at again after so long (0: 15 s; -1: no thread,
     * only log_clean), so many bytes a second are read (0: no limit), so many keys a round (0:
     * 786,432) */
    int64_t clean_backoff_ms;
    uint64_t clean_bytes_per_s;
    uint32_t clean_keys_max;
    /* the crash tests' checker must catch these; never set elsewhere */
    bool mutant_answer_before_sync;
    bool mutant_skip_truncation; /* recovery takes a torn tail as it stands */
};

enum { LOG_CONFIG_TEXT_MAX = 128 };  /* of a kept text, with its end */
struct log_topic_config {            /* Kafka's names and limits in the table log/config.def */
    int64_t retention_ms;            /* -1: for ever */
    int64_t retention_bytes;         /* a partition; below 0: no limit */
    uint64_t segment_bytes;          /* 0: the log's */
    int32_t message_max_bytes;       /* a batch */
    bool compact, delete;            /* cleanup.policy; neither: everything stays */
    bool append_time;                /* message.timestamp.type */
    int64_t segment_ms;              /* 0: the log's */
    int64_t segment_jitter_ms;       /* a segment is rolled up to this much earlier */
    int64_t timestamp_before_max_ms; /* of a batch taken with CreateTime */
    int64_t timestamp_after_max_ms;
    int64_t delete_retention_ms, min_compaction_lag_ms, max_compaction_lag_ms;
    double min_cleanable_ratio;
    /* kept and shown only */
    int64_t flush_messages, flush_ms, file_delete_delay_ms, timestamp_difference_max_ms;
    int64_t local_retention_bytes, local_retention_ms, remote_copy_lag_bytes, remote_copy_lag_ms;
    int32_t compression; /* -1: the producer's; an enum codec */
    int32_t gzip_level, lz4_level, zstd_level;
    int32_t index_interval_bytes, segment_index_bytes, min_insync_replicas, max_decompressed_bytes;
    bool preallocate, unclean_election, remote_storage, remote_copy_disable;
    bool remote_delete_on_disable, dead_letters, downconversion;
    char follower_throttled[LOG_CONFIG_TEXT_MAX], leader_throttled[LOG_CONFIG_TEXT_MAX];
    char format_version[LOG_CONFIG_TEXT_MAX];
    uint64_t own; /* a bit a row: set for this topic, not a default; the log completes it */
};

MUST_CHECK err_t log_open(const struct log_options *o, int64_t now_ms, struct log **out,
                          struct diag *d);
/* Answers what waits, syncs, stops the writer. Safe to call once on any opened log. */
void log_close(struct log *l);

struct log_topic_config log_topic_defaults(void);
MUST_CHECK err_t log_topic_create(struct log *l, struct slice name, int32_t partitions,
                                  const struct log_topic_config *c, struct log_topic **out,
                                  struct diag *d); /* durable; ERR_EXISTS */
MUST_CHECK err_t log_topic_delete(struct log *l, struct slice name, struct diag *d);
struct log_topic *log_topic_find(struct log *l, struct slice name); /* NULL: none */
/* Calls each topic in name order until `each` answers an error. */
MUST_CHECK err_t log_topics(struct log *l, err_t (*each)(void *ctx, struct log_topic *t),
                            void *ctx);
struct slice log_topic_name(const struct log_topic *t);
const uint8_t *log_topic_id(
    const struct log_topic *t); /* 16 bytes: a recreated topic has another */
int32_t log_topic_partitions(const struct log_topic *t);
struct log_topic_config log_topic_config(const struct log_topic *t);
struct log_partition *log_partition(struct log_topic *t, int32_t index); /* NULL: none */
int32_t log_partition_index(const struct log_partition *p);

/* An append: the caller keeps it, and `batches` (one or more whole batches, patched in place),
 * until `done` is called on the writer thread: after the bytes are on disk, or have failed. An
 * append that can not even wait (ERR_STOPPED: closing, ERR_BUSY: the queue is full) is answered at
 * once, on the caller's thread. `done` must not wait for the log; it may append. */
struct log_append {
    struct log_partition *partition;
    uint8_t *batches;
    size_t size;
    void (*done)(struct log_append *a);
    void *arg;
    bool marker; /* one control batch by which a coordinator ends a transaction; nobody else may */
    /* the answer */
    err_t err;
    int64_t base_offset, append_time_ms; /* append time -1 unless LogAppendTime */
    struct diag diag;
    /* the log's */
    int64_t now_ms;
    struct log_append *next;
};
/* All batches of an append are taken, or none. Duplicates of an idempotent producer's last five
 * batches answer OK with the old offset (at the front of an append they are skipped and the rest is
 * taken), older ones ERR_EXISTS: they are in the log, where is forgotten. ERR_FENCED for an old
 * epoch, ERR_OFFSET_RANGE for a gap in sequence. A producer the partition does not know may begin
 * with any sequence, a known one begins a newer epoch with 0: Kafka's rules. ERR_DISK_FULL leaves
 * the partition going; any other failure to write stops it until the log is opened again. */
void log_append(struct log *l, struct log_append *a, int64_t now_ms);
/* The same, waited for. */
MUST_CHECK err_t log_append_wait(struct log *l, struct log_partition *p, uint8_t *batches,
                                 size_t size, int64_t now_ms, int64_t *base_offset, struct diag *d);

const char *log_dir(const struct log *l);
int64_t log_start_offset(const struct log_partition *p);
int64_t log_end_offset(
    const struct log_partition *p); /* durable end: the next offset a reader will see */
uint64_t log_partition_bytes(const struct log_partition *p);
struct log_traffic { /* of a partition, since the log was opened */
    uint64_t bytes_in, bytes_out;
};
struct log_traffic log_traffic(const struct log_partition *p);
void log_traffic_out(struct log_partition *p, size_t bytes); /* a door has sent so many of it */

/* Whole batches from the one that holds `offset`, up to max_bytes but at least one, into `into`
 * (reset by the caller; padded by RECORD_PADDING). Nothing at the durable end.
 * ERR_OFFSET_RANGE below the start or beyond the end. */
MUST_CHECK err_t log_read(struct log_partition *p, int64_t offset, size_t max_bytes,
                          struct buf *into, struct diag *d);
/* The first offset whose batch has a timestamp >= ms; the end offset when there is none. */
MUST_CHECK err_t log_offset_at(struct log_partition *p, int64_t timestamp_ms, int64_t *offset,
                               struct diag *d);
/* Calls back once, from the writer thread, when the durable end passes `offset` (at once, from this
 * thread, when it is past already), or the topic is deleted. `*waiter` is to be given to log_unwait
 * exactly once, called or not, before the log is closed: after that fn will not be called. fn holds
 * up the writer: it posts a message, and may call log_unwait for itself. */
struct log_waiter;
MUST_CHECK err_t log_wait(struct log_partition *p, int64_t offset, void (*fn)(void *arg), void *arg,
                          struct log_waiter **waiter);
void log_unwait(struct log_waiter *w);

/* A named internal producer's id, the same after each restart (durable before it is answered). */
MUST_CHECK err_t log_producer_id(struct log *l, struct slice name, int64_t *id, struct diag *d);
struct log_producer {
    int16_t epoch;
    int32_t last_sequence; /* of the last record; -1: none */
    int64_t last_offset;   /* base offset of its last batch; -1: none */
};
/* What a partition remembers of a producer; ERR_NOT_FOUND when nothing. Survives restarts. */
MUST_CHECK err_t log_producer_state(struct log_partition *p, int64_t producer_id,
                                    struct log_producer *out);

/* Waits for the writer. Retention: removes whole old segments by time and size, never at or past
 * `keep_from` (the lowest durable cursor of a local stream; INT64_MAX: none). Records removed
 * unread are the caller's to count. */
MUST_CHECK err_t log_retain(struct log_partition *p, int64_t now_ms, int64_t keep_from,
                            struct diag *d);
/* One round of compaction at once, if it is due at `now_ms`; the log's own thread does the same by
 * itself. Waits for the round. */
MUST_CHECK err_t log_clean(struct log_partition *p, int64_t now_ms, bool *cleaned, struct diag *d);
/* What opening found: how many batches were cut off a torn tail, for `status` and the log. */
struct log_recovery {
    uint64_t partitions, segments_scanned, bytes_scanned, bytes_cut;
};
struct log_recovery log_recovery(const struct log *l);
/* A write or sync has failed for good: a partition takes nothing until the log is opened again. */
bool log_must_reopen(const struct log *l);
const char *log_dir(const struct log *l); /* where its files lie */

/* --- transactions and producers ----------------------------------------------------------------
 */

/* A transactional batch is taken only from a producer that was let in with this epoch; its marker
 * ends that. Kept in memory: after opening, the coordinator lets in again what is under way.
 * Without it a batch that comes late, after its transaction's marker, would never be ended
 * (KIP-890). */
MUST_CHECK err_t log_txn_admit(struct log_partition *p, int64_t producer_id, int16_t epoch);
bool log_txn_admitted(struct log_partition *p, int64_t producer_id, int16_t epoch);
/* The first offset of the oldest open transaction, or the durable end: read_committed stops here.
 * It moves with the end only: who has seen an end, and then nothing new here, waits for more than
 * that end (log_wait). */
int64_t log_stable_offset(const struct log_partition *p);
struct log_aborted {
    int64_t producer_id, first_offset, last_offset; /* last: its marker's */
};
/* The aborted transactions that touch [from, to), by first offset; `out` holds struct log_aborted.
 */
MUST_CHECK err_t log_aborted(struct log_partition *p, int64_t from, int64_t to, struct vec *out,
                             struct diag *d);
struct log_producer_view {
    int64_t id;
    int16_t epoch;
    int32_t last_sequence, coordinator_epoch;
    int64_t last_timestamp_ms, txn_first_offset; /* -1: none open */
};
MUST_CHECK err_t log_producers(struct log_partition *p,
                               err_t (*each)(void *ctx, const struct log_producer_view *v),
                               void *ctx);
/* A block of `count` producer ids that nobody has had: durable before it is answered. */
MUST_CHECK err_t log_producer_ids_take(struct log *l, int64_t count, int64_t *first,
                                       struct diag *d);

/* --- reading for the wire ----------------------------------------------------------------------
 */

/* Bytes of a segment's file, for sendfile: from the batch that holds `offset`, at most max_bytes,
 * but one whole batch at least when `whole_first`; never a batch at or past `limit` (a stable or
 * durable end). Empty (size 0) at the limit. What was deleted meanwhile stays readable until the
 * span is given back. Any thread. */
struct log_span {
    int fd;
    uint64_t position;
    size_t size;
    int64_t end; /* the first offset behind it */
    struct log_partition *partition;
    void *segment; /* NULL: nothing to give back */
};
MUST_CHECK err_t log_span_take(struct log_partition *p, int64_t offset, size_t max_bytes,
                               bool whole_first, int64_t limit, struct log_span *out,
                               struct diag *d);
void log_span_give(struct log_span *s);

/* The first record with a timestamp >= ms (looking inside its batch); *offset -1: there is none. */
MUST_CHECK err_t log_record_at(struct log_partition *p, int64_t ms, int64_t *offset,
                               int64_t *timestamp_ms, struct diag *d);
/* The record with the largest timestamp; -1: the partition is empty. */
MUST_CHECK err_t log_record_latest(struct log_partition *p, int64_t *offset, int64_t *timestamp_ms,
                                   struct diag *d);

/* --- topics' configuration, by Kafka's names (log/config.def) ----------------------------------
 */

enum log_config_kind {
    LOG_CONFIG_BOOL,
    LOG_CONFIG_INT,
    LOG_CONFIG_LONG,
    LOG_CONFIG_DOUBLE,
    LOG_CONFIG_LIST,
    LOG_CONFIG_STRING
};
struct log_config_row {
    const char *name, *fallback, *about;
    enum log_config_kind kind;
    bool kept_only; /* accepted and shown, without effect here: `about` says why */
    bool old;       /* gone from Kafka 4: to be listed only where the topic has its own */
};
const struct log_config_row *log_config_rows(size_t *count);
/* The value in force, as text; *own: this topic's, not the default. */
MUST_CHECK err_t log_config_text(struct log_topic *t, size_t row, struct buf *out, bool *own);
enum log_config_change_kind {
    LOG_CONFIG_SET,
    LOG_CONFIG_DELETE,
    LOG_CONFIG_APPEND,
    LOG_CONFIG_SUBTRACT
};
struct log_config_change {
    enum log_config_change_kind kind;
    struct slice name, value;
};
/* ERR_CONFIG (Kafka's 40) with Kafka's words in d->what. Durable; in force for the next append.
 * `replace`: what is not named goes back to the default (AlterConfigs). A value with at == NULL is
 * null, which only LOG_CONFIG_DELETE may have. */
MUST_CHECK err_t log_topic_alter(struct log *l, struct log_topic *t,
                                 const struct log_config_change *changes, size_t count,
                                 bool replace, bool validate_only, struct diag *d);
/* What a topic would be made with: for log_topic_create. Starts from the defaults. */
MUST_CHECK err_t log_topic_config_parse(const struct log_config_change *changes, size_t count,
                                        struct log_topic_config *out, struct diag *d);
/* More partitions; never fewer (ERR_PARTITIONS). Pointers to the old ones stay. */
MUST_CHECK err_t log_topic_grow(struct log *l, struct log_topic *t, int32_t partitions,
                                struct diag *d);
/* A coordinator's: __consumer_offsets, __transaction_state. They are compacted, in segments of
 * 100 MiB, whatever else is said at their making. */
bool log_topic_is_internal(const struct log_topic *t);
bool log_topic_name_is_internal(struct slice name);
/* What is wrong with a topic's name, in Kafka's words; NULL: it is legal. */
const char *log_topic_name_fault(struct slice name);
void log_config_markdown(struct buf *out); /* docs/topic-configuration.md */
struct log_topic *log_topic_by_id(struct log *l, const uint8_t id[16]); /* NULL: none */
/* Records below `before` are gone for readers, durably (-1: all there are); whole segments of them
 * are removed. ERR_OFFSET_RANGE beyond the stable end. */
MUST_CHECK err_t log_delete_records(struct log_partition *p, int64_t before, int64_t *low,
                                    struct diag *d);
