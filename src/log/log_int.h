/* log_int: what the log's own files share. The numbers L1 … are the invariants of docs/log.md.
 *
 * Who owns what: the writer thread alone changes a partition's segments, tail and producers; it
 * does so inside the partition's gate where readers look too. Readers hold a segment by `readers`.
 */
#pragma once
#include "base/hash.h"
#include "base/metric.h"
#include "base/say.h"
#include "log/log.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include <stdatomic.h>

enum {
    PATH_SIZE = 4096,
    TOPIC_NAME_MAX = 249,
    BATCH_OVERHEAD = 12, /* base offset and length: what `length` does not count */
    INDEX_EVERY = 4096,  /* bytes of log between two entries */
    INDEX_PAGE = 4096,
    INDEX_PAGE_ENTRIES = 255,
    SEGMENTS_MAX = 1 << 20,  /* a partition */
    OPEN_SEGMENTS_MAX = 256, /* descriptors kept for segments that only readers use, a log */
    PRODUCERS_MAX = 16384,   /* a partition; past it the longest silent clients are forgotten */
    PRODUCER_NAMES_MAX = 100000,
    TOPICS_MAX = 1 << 20,
    PARTITIONS_MAX = 1 << 20, /* a topic */
    PRODUCER_BATCHES = 5,
    PRODUCER_EXPIRY_MS = 24 * 3600 * 1000, /* producer.id.expiration.ms */
    BATCH_CODEC = 7,                       /* bits of a batch's attributes */
    BATCH_APPEND_TIME = 8,
    BATCH_TRANSACTIONAL = 16,
    BATCH_CONTROL = 32,
    RUN_APPENDS_MAX = 4096, /* one write, one sync */
    QUEUE_APPENDS_MAX = 1 << 16,
    RUNS_MAX = 16,        /* partitions that are synced beside one another … */
    SYNC_HELPERS = 3,     /* … by so many threads, and the writer */
    HINTS = 32,           /* a partition that is read: so many readers at as many places */
    AHEAD_MIN = 64 << 10, /* zeroed ahead of the tail: see docs/decisions/0002 */
    AHEAD_MAX = 1 << 20,
    PIECE_BYTES = 1 << 20, /* of one write */
    PIECE_PARTS = 1024,
    AHEAD_RUN_MAX = 256 << 10,   /* larger writes gain nothing from zeros that are there already */
    CHECKPOINT_BYTES = 16 << 20, /* a crash leaves at most this, and one group, to scan */
    IDLE_CHECKPOINT_BYTES = 256 << 10,
    IDLE_CHECKPOINT_MS = 1000,
    DISK_CHECK_MS = 100,
    DISK_CHECK_BYTES = 8 << 20,
};
#define SEGMENT_BYTES_MAX ((uint64_t)INT32_MAX)
#define QUEUE_BYTES_MAX   MIB(256)
#define INTERNAL_PRODUCERS                                                                         \
    (INT64_C(1) << 48) /* ids from here on are named, and never forgotten                          \
                        */
#define SEALED_MAX   MIB(256)
#define NO_TIMESTAMP INT64_C(-1)

/* --- sealed.c: a small whole file with kind, format version and checksum, replaced atomically. */
struct sealed {
    struct slice file; /* mem_: give back with sealed_done */
    struct cursor body;
    uint32_t version;
};
/* `kind`: 8 characters. A version newer than ours is ERR_VERSION, damage is ERR_CORRUPT. */
MUST_CHECK err_t sealed_load(const char *path, const char *kind, uint32_t version_known,
                             struct sealed *out, struct diag *d);
void sealed_done(struct sealed *s);
MUST_CHECK err_t sealed_store(const char *path, const char *kind, uint32_t version,
                              const struct buf *body, struct diag *d);

/* --- segment.c -------------------------------------------------------------------------------- */
struct index_entry {
    uint32_t relative;     /* the batch's base offset, less the segment's */
    uint32_t position;     /* of that batch */
    int64_t before_max_ms; /* the largest timestamp of all batches before it in the segment */
};

/* What one looks for: the last entry that lies before the place wanted. */
enum index_by { BY_OFFSET, BY_TIME, BY_POSITION /* the index only */ };

struct segment {
    int64_t base; /* the first offset; names the files */
    /* What cleaning made: it stands for all offsets from base to `end`, with holes, and its name
     * has both and the generation. 0: as it was appended. */
    uint32_t generation;
    int64_t end;
    uint64_t size;    /* durable bytes; the file may be longer: zeroed ahead, or not yet synced */
    int64_t max_ms;   /* largest timestamp */
    int64_t first_ms; /* when it was begun: segment_ms counts from here */
    uint32_t index_count;
    uint8_t *index_page;          /* the last, unfinished page: the active segment's only */
    bool index_failed;            /* no more entries: reading goes on, more slowly */
    uint32_t aborted_count;       /* aborted transactions whose markers are here */
    int64_t aborted_last;         /* the last one's marker */
    bool aborted_dirty;           /* written since the last sync, … */
    bool aborted_lost;            /* … which failed: no checkpoint before this is opened again */
    int fd, index_fd, aborted_fd; /* -1: not open */
    int readers;
    bool doomed;     /* removed when the last reader leaves */
    bool keep_files; /* but not its files: a checkpoint on disk may still name them */
};

struct batch_head { /* what the first bytes of a batch tell, without the batch */
    int64_t base_offset, last_offset, max_ms;
    uint64_t size;
};
enum { BATCH_HEAD_READ = 43 }; /* up to and with the max timestamp */
/* False when these bytes can not begin a batch. */
bool batch_head_parse(const uint8_t *bytes, struct batch_head *out);

struct log_partition;
struct segment *segment_new(int64_t base, int64_t first_ms); /* caller owns; NULL: no memory */
void segment_free(struct segment *s);                        /* closes its files */
MUST_CHECK err_t segment_open(const struct log_partition *p, struct segment *s, struct diag *d);
void segment_close_files(struct segment *s);
/* What a file's name says; false: it names no segment. */
struct segment_name {
    int64_t base, end; /* end: a cleaned one's */
    uint32_t generation;
};
bool segment_name_parse(const char *file, struct segment_name *out);
const char *segment_path(const struct log_partition *p, const struct segment *s,
                         const char *extension, char out[PATH_SIZE]);
/* The last batch head for which the walk from `position` has not reached the place wanted. */
MUST_CHECK err_t segment_seek(const struct log_partition *p, const struct segment *s, uint64_t size,
                              enum index_by by, int64_t wanted, uint64_t *position,
                              struct batch_head *head, struct diag *d);
err_t segment_corrupt(const struct log_partition *p, const struct segment *s, uint64_t position,
                      const char *why, struct diag *d);

/* --- index.c ---------------------------------------------------------------------------------- */
/* An entry for the active segment, inside the gate. Failing is not an error: it only slows reads.
 */
void index_add(const struct log_partition *p, struct segment *s, const struct index_entry *e);
/* Brings the unfinished page to the file; what a checkpoint promises is synced. */
MUST_CHECK err_t index_flush(struct segment *s, struct diag *d);
/* Flushes and gives the page's memory back: no more entries until index_resume. */
void index_close(const struct log_partition *p, struct segment *s);
/* Makes ready for more entries, after opening: the unfinished page comes back to memory. */
void index_resume(const struct log_partition *p, struct segment *s);
/* What a reader takes with it out of the gate. */
struct index_view {
    int fd;
    uint32_t pages;           /* whole pages in the file to search */
    uint32_t count;           /* entries in them */
    uint64_t size;            /* of the segment */
    bool found;               /* in memory already: */
    struct index_entry entry; /* the start of the segment when there is none */
};
struct index_view index_view(const struct segment *s, enum index_by by, int64_t wanted);
/* False when a page is damaged: start from the segment's beginning. */
bool index_search(const struct segment *s, struct index_view *v, enum index_by by, int64_t wanted);

/* --- producer.c ------------------------------------------------------------------------------- */
struct producer_batch {
    int32_t first, last; /* sequences */
    int64_t offset;
};
struct producer_seen { /* the durable view: what others are told */
    struct log_producer state;
    int32_t coordinator_epoch;
    int64_t timestamp_ms, txn_first;
};
struct producer {
    int64_t id;
    int16_t epoch;             /* -1: nothing known */
    uint8_t count;             /* of the last batches, oldest first */
    bool touched;              /* by the run that is being written */
    int32_t coordinator_epoch; /* of its last marker; -1: none */
    int64_t txn_first;         /* where its open transaction begins; -1: none is open */
    int64_t timestamp_ms;      /* its last batch's largest */
    int64_t written_ms;        /* when that came: expiry counts from here */
    struct producer_batch batches[PRODUCER_BATCHES];
    struct producer_seen seen;
};
struct marker { /* what a control batch says: its transaction is over */
    bool commit;
    int32_t coordinator_epoch;
};
enum txn_change_kind { TXN_GOES_ON, TXN_BEGINS, TXN_COMMITS, TXN_ABORTS };
struct txn_change { /* what a batch did to its producer's transaction */
    enum txn_change_kind kind;
    int64_t first; /* where the transaction begins, or began */
};
struct producer_undo {
    struct producer *at, before;
};
struct producers {
    struct map *by_id;
};
/* ERR_OK with *old_offset >= 0 for a duplicate, -1 for what comes next. */
MUST_CHECK err_t producer_check(const struct producers *s, const struct record_batch *b,
                                bool admitted, int64_t *old_offset, struct diag *d);
MUST_CHECK err_t producer_check_marker(const struct producers *s, const struct record_batch *b,
                                       const struct marker *m, struct diag *d);
/* Notes a batch, or a marker, at `offset`; with `undo` the way back is kept there. */
MUST_CHECK err_t producer_note(struct producers *s, const struct record_batch *b,
                               const struct marker *m, int64_t offset, int64_t now_ms,
                               struct vec *undo, struct txn_change *change);
/* True when transactions have changed by it: txns_rebuild. */
bool producer_take_back(struct vec *undo, size_t from);
void producer_publish(struct vec *undo); /* inside the gate */
void producers_done(struct producers *s);
void producers_put(const struct producers *s, struct buf *out);
MUST_CHECK err_t producers_get(struct producers *s, struct cursor *in, uint32_t version,
                               int64_t now_ms);
const struct producer *producer_find(const struct producers *s, int64_t id);
/* Producers that were silent since `ms` are forgotten; on the writer between runs, in the gate. */
bool producers_any_since(const struct producers *s, int64_t ms);
void producers_expire(struct producers *s, int64_t ms);

/* --- txn.c ------------------------------------------------------------------------------------ */
struct aborted {
    struct log_aborted txn;
    int64_t stable; /* what was stable behind its marker: later entries begin there or after */
};
bool marker_read(const struct record_batch *b, struct marker *out);
bool txn_admitted(const struct log_partition *p, int64_t producer_id, int16_t epoch); /* in gate */
void txn_dismiss(struct log_partition *p, int64_t producer_id);                       /* in gate */
/* The writer's list of open transactions follows a batch; what was aborted goes into `ended`. */
MUST_CHECK err_t txns_change(struct log_partition *p, const struct txn_change *c,
                             int64_t producer_id, int64_t offset, struct vec *ended);
MUST_CHECK err_t txns_rebuild(struct log_partition *p); /* from the producers */
int64_t txns_stable(const struct log_partition *p, int64_t end);

/* --- aborted.c -------------------------------------------------------------------------------- */
/* Entries (struct aborted) behind those the segment has; seen with aborted_publish, in the gate. */
MUST_CHECK err_t aborted_write(const struct log_partition *p, struct segment *s,
                               const struct vec *entries, struct diag *d);
void aborted_publish(struct segment *s, const struct vec *entries);
MUST_CHECK err_t aborted_sync(const struct log_partition *p, struct segment *s, struct diag *d);
bool aborted_is_whole(const struct log_partition *p, const struct segment *s);
/* All entries of a held segment, for whoever writes it anew: into another, empty one with
 * aborted_write, aborted_publish and aborted_sync. */
MUST_CHECK err_t aborted_load(struct log_partition *p, struct segment *s, struct vec *out,
                              struct diag *d);

/* --- partition.c ------------------------------------------------------------------------------ */
struct read_hint {
    int64_t offset, base; /* this offset's batch starts … */
    uint64_t position;    /* … here, in the segment `base` */
};

struct log_partition {
    struct log *log;
    struct log_topic *topic;
    int32_t index;
    struct gate gate; /* guards segments, what they hold, hints, waiters, producers' durable view */
    struct vec segments; /* struct segment *, by base; the last one is the tail */
    _Atomic int64_t start_offset, end_offset;
    _Atomic int64_t stable_offset;               /* L10 */
    _Atomic uint64_t bytes, bytes_in, bytes_out; /* in, out: since it was opened */
    struct producers producers;
    struct map *admitted; /* producer id -> epoch + 1, as a pointer: inside the gate */
    struct log_waiter *waiters;
    struct read_hint *hints; /* HINTS of them, once something was read */
    uint32_t hint_next;
    /* the writer's own */
    uint64_t file_end;         /* of the tail's file: L4: zeros from the durable end to here */
    uint64_t since_checkpoint; /* bytes */
    uint64_t since_index;
    struct segment *held; /* the tail, open for appends */
    struct vec open;      /* int64_t: first offsets of open transactions, ascending */
    int64_t clean_to;     /* below this all is cleaned: inside the gate, and the writer's own */
    bool clean_listed;    /* the cleaner knows of it: inside the cleaner's gate */
    int64_t start_next;   /* the start the next checkpoint is to name, when it lies further */
    err_t stopped;
    struct diag *stopped_why;
    struct log_append *group_first, *group_last;
    struct log_partition *group_next;
};

void partition_init(struct log_partition *p, struct log_topic *t, int32_t index);
void partition_done(struct log_partition *p);
const char *partition_path(const struct log_partition *p, const char *file, char out[PATH_SIZE]);
struct segment *partition_tail(const struct log_partition *p); /* NULL: none yet */
/* The segment that holds `offset`, or the next one behind a hole; -1: none. */
ptrdiff_t partition_segment_of(const struct log_partition *p, int64_t offset);
void partition_count_bytes(struct log_partition *p);
void partition_release(struct log_partition *p, struct segment *s); /* inside the gate */
MUST_CHECK err_t partition_hold(struct log_partition *p, struct segment *s, struct diag *d);
/* A new, empty, durable segment behind the others. */
MUST_CHECK err_t partition_add_segment(struct log_partition *p, int64_t base, int64_t now_ms,
                                       struct diag *d);
/* Writes what a later open needs not scan, without the first `skip` segments. Writer only, between
 * runs. */
MUST_CHECK err_t partition_checkpoint(struct log_partition *p, size_t skip, struct diag *d);
MUST_CHECK err_t partition_load_checkpoint(struct log_partition *p, int64_t now_ms, int64_t *end,
                                           struct diag *d);
/* Where readers of what is decided end: retention, deletion and cleaning stay below it. */
static inline int64_t partition_stable(const struct log_partition *p)
{
    return atomic_load(&p->stable_offset);
}
/* retain.c: moves the start, durably first, and drops the `count` segments below it. Writer only.
 */
MUST_CHECK err_t partition_start_move(struct log_partition *p, size_t count, int64_t start,
                                      struct diag *d);
/* retain.c: takes segments off the front; their files go with the last reader. Writer only. */
void partition_drop_segments(struct log_partition *p, size_t count);
/* --- seek.c ----------------------------------------------------------------------------------- */
struct seek { /* a place in a held segment */
    struct log_partition *p;
    struct segment *s;
    uint64_t size;     /* its durable end when we looked */
    int64_t end;       /* the offset that follows its last batch, or comes behind the hole */
    uint64_t position; /* where a batch begins, at or before the place wanted */
    bool exact;        /* the wanted batch itself begins there, or the segment ends */
    struct index_view view;
};
/* Holds the segment of `offset`; *found false at the durable end. ERR_OFFSET_RANGE. */
MUST_CHECK err_t seek_offset(struct seek *k, int64_t offset, bool *found, struct diag *d);
/* Holds segment `i`; *found false when there is none. */
MUST_CHECK err_t seek_hold(struct seek *k, size_t i, enum index_by by, int64_t wanted, bool *found,
                           struct diag *d);
/* From a held segment to the batch, in it or behind it; *found false, and nothing held, at the end.
 */
MUST_CHECK err_t seek_batch(struct seek *k, enum index_by by, int64_t wanted,
                            struct batch_head *head, bool *found, struct diag *d);
/* The next such batch behind this one. */
MUST_CHECK err_t seek_on(struct seek *k, enum index_by by, int64_t wanted, struct batch_head *head,
                         bool *found, struct diag *d);
void seek_release(struct seek *k);
void seek_release_at(struct seek *k, int64_t next_offset, uint64_t position); /* keeps a hint */
void index_damaged(struct log_partition *p, struct segment *s);
/* Inside the gate. Whoever puts other bytes into a segment's place forgets the hints. */
bool hint_find(const struct log_partition *p, int64_t base, int64_t offset, uint64_t *position);
void hint_keep(struct log_partition *p, int64_t base, int64_t offset, uint64_t position);
void hints_forget(struct log_partition *p);

/* recover.c */
MUST_CHECK err_t partition_recover(struct log_partition *p, int64_t now_ms,
                                   struct log_recovery *seen, struct diag *d);

/* --- config.c --------------------------------------------------------------------------------- */
uint64_t config_own_bit(const char *name); /* of a row of the table */
/* Marks as the topic's own what differs from the defaults. */
void config_complete(struct log_topic_config *c);
MUST_CHECK err_t config_check(const struct log_topic_config *c, struct diag *d);
void config_put(const struct log_topic_config *c, struct buf *out); /* what is the topic's own */
MUST_CHECK err_t config_get(struct cursor *in, struct log_topic_config *c, struct diag *d);
/* `base`: what a value goes back to. */
MUST_CHECK err_t config_change(const struct log_config_change *changes, size_t count,
                               const struct log_topic_config *base, struct log_topic_config *c,
                               struct diag *d);

/* --- topic.c ---------------------------------------------------------------------------------- */

/* The values that appends, the writer and the cleaner look at while they may be changed: each
 * alone, so that nobody waits for a change. */
struct topic_rules {
    _Atomic int64_t retention_ms, retention_bytes, segment_ms, segment_jitter_ms;
    _Atomic int64_t timestamp_before_max_ms, timestamp_after_max_ms;
    _Atomic int64_t delete_retention_ms, min_compaction_lag_ms, max_compaction_lag_ms;
    _Atomic uint64_t segment_bytes;
    _Atomic int32_t message_max_bytes;
    _Atomic bool compact, delete, append_time;
    _Atomic double min_cleanable_ratio;
};
struct log_topic {
    struct log *log;
    char name[TOPIC_NAME_MAX + 1];
    struct uuid id;
    struct topic_rules config;
    struct gate config_gate;          /* guards settings; taken alone, no I/O */
    struct log_topic_config settings; /* all of it */
    _Atomic int32_t partition_count;
    /* Read after partition_count. Grown under change_gate into a table of twice the size; those it
     * outgrew stay in `tables` until the topic is freed, since others may be looking at them. */
    struct log_partition **_Atomic partitions;
    int32_t partitions_room;
    struct vec tables;    /* struct log_partition ** */
    _Atomic bool deleted; /* kept until the log is closed: others may still point at it */
};
MUST_CHECK err_t topics_open(struct log *l, int64_t now_ms, struct diag *d);
void topics_close(struct log *l);
/* The topics there are, without the gate held: none is freed before the log is closed. */
MUST_CHECK err_t topics_copy(struct log *l, struct vec *out);

/* --- check.c ---------------------------------------------------------------------------------- */
MUST_CHECK err_t append_check(struct log_append *a);

/* --- wait.c ----------------------------------------------------------------------------------- */
void waiters_fire(struct log_partition *p, int64_t end);

/* --- writer.c --------------------------------------------------------------------------------- */
struct run_space {      /* what a run keeps while it is under way; used again by later ones */
    struct vec undo;    /* struct producer_undo */
    struct vec entries; /* struct index_entry */
    struct vec ended;   /* struct aborted */
    struct vec parts;   /* struct iovec */
    struct diag diag;   /* of run.err */
};
struct run { /* appends of one partition that share one write and one sync */
    struct log_partition *p;
    struct run_space *space;
    struct log_append *first, *last;
    struct segment *segment;
    uint64_t bytes;
    int64_t offset; /* the next to assign */
    int64_t max_ms;
    uint64_t since_index;
    int64_t records, appends;
    bool unsynced; /* written: to be synced */
    err_t err;     /* of the write, or the sync */
};
/* --- run.c */
void run_begin(struct run *r, struct run_space *space, struct log_partition *p);
void run_take(struct run *r, struct log_append *a);
void run_write(struct run *r);
/* Syncs what was written, beside one another; publishes and answers each. */
void runs_finish(struct log *l, struct run *runs, size_t count);

/* --- sync.c */
struct syncer {
    struct thread helpers[SYNC_HELPERS];
    struct gate gate;
    struct run *runs;
    size_t count, next, left; /* inside the gate */
    bool closing;
};
MUST_CHECK err_t syncer_start(struct syncer *s, struct diag *d);
void syncer_sync(struct syncer *s, struct run *runs, size_t count);
void syncer_stop(struct syncer *s);

struct writer {
    struct thread thread;
    struct gate gate;
    struct log_append *first, *last; /* waiting; L1: answered in this order */
    size_t waiting_bytes, waiting_count;
    _Atomic bool some; /* a hint for the writer that spins */
    bool asleep, closing;
    /* the writer's own */
    struct run_space spaces[RUNS_MAX];
    struct syncer syncer;
    uint8_t *zeros; /* AHEAD_MAX */
    uint64_t since_disk_check, free_bytes;
    int64_t disk_checked_ns;
    bool disk_low;
    int64_t busy_ns; /* when the last group came in */
};
/* --- tail.c */
void checkpoint_now(struct log_partition *p);
MUST_CHECK err_t tail_take(struct log_partition *p, bool fresh, int64_t now_ms, struct diag *d);
bool tail_is_full(const struct log_partition *p, const struct run *r, const struct log_append *a);
bool writer_here(const struct log *l);     /* is this its thread? */
void tail_finish(struct log_partition *p); /* cuts the zeros, lets the tail go. Writer only. */
uint64_t log_segment_bytes(const struct log_partition *p);
int64_t log_segment_ms(const struct log_partition *p, const struct segment *s);
/* Begins a new tail: the one before, which must not be empty, is closed. Writer only. */
MUST_CHECK err_t tail_roll(struct log_partition *p, int64_t now_ms, struct diag *d);
MUST_CHECK err_t writer_start(struct log *l, struct diag *d);
void writer_stop(struct log *l); /* answers everything first */
void writer_done(struct writer *w);

/* Work for the writer thread, between groups. Waits until it has run; ERR_STOPPED when closing. */
struct job {
    struct log_append in_queue; /* batches == NULL */
    void (*run)(struct job *j);
    void *arg;
    struct log_partition *partition;
    int64_t now_ms, keep_from;
    err_t err;
    struct diag *diag;
    struct gate gate;
    bool over;
};
MUST_CHECK err_t writer_run_job(struct log *l, struct job *j);

/* --- compact.c -------------------------------------------------------------------------------- */
struct cleaner {
    struct thread thread;
    struct gate round_gate; /* one round at a time; with I/O */
    struct gate gate;       /* guards the list and `closing`; never with I/O */
    struct vec listed;      /* struct log_partition *: may have something to clean */
    bool closing;
};
void cleaner_init(struct cleaner *k);
MUST_CHECK err_t cleaner_start(struct log *l, struct diag *d);
void cleaner_stop(struct log *l); /* before the writer: a round ends with a job for it */
void cleaner_done(struct cleaner *k);
void cleaner_notice(
    struct log_partition *p); /* a segment was closed, or the topic is compacted now */

/* --- log.c ------------------------------------------------------------------------------------ */
struct log {
    struct log_options options;
    char dir[PATH_SIZE / 2];
    int lock_fd;
    struct gate change_gate; /* one change at a time: topics made and deleted, identity; with I/O */
    struct gate topics_gate; /* inside it: guards topics, graveyard; never with I/O */
    struct vec topics;       /* struct log_topic *, by name */
    struct map *topics_by_id;
    struct vec graveyard; /* deleted ones */
    uint32_t partition_count;
    _Atomic int open_segments;
    struct uuid id; /* of this log, made once */
    uint64_t topics_made;
    int64_t producer_ids;       /* the next one that nobody has had */
    struct map *producer_names; /* name -> id - INTERNAL_PRODUCERS + 1, as a pointer */
    struct writer writer;
    struct cleaner cleaner;
    struct log_recovery recovery;
    _Atomic bool must_reopen; /* a partition is stopped (L7) */
};
MUST_CHECK err_t identity_store(struct log *l, struct diag *d); /* inside change_gate */
