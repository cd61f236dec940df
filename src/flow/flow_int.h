/* flow_int: what flow's files share and nobody else sees. docs/flow.md tells the mechanism and
 * numbers its invariants; a comment "(F3)" in the code points there.
 */
#pragma once
#include "base/hash.h"
#include "base/metric.h"
#include "base/say.h"
#include "data/json.h"
#include "flow/flow.h"
#include "os/clock.h"
#include "os/thread.h"
#include <stdatomic.h>

enum {
    STAGE_NAME_MAX = 255,
    STAGE_KEY_MAX = STAGE_NAME_MAX + 32, /* a name and its edition's number: edition.h */
    STAGES_MAX = 1000,
    STREAM_LANES_MAX = 256, /* an epoch's number carries its lane in the low byte */
    CHUNK_ROWS = 4096,      /* rows decoded and evaluated at a time */
    CHUNK_DEAD_MAX = CHUNK_ROWS + 64,
    READ_BYTES = 1 << 20,
    READER_ABORTED_MAX = 1 << 20, /* aborted transactions between two reads */
    OPENED_MAX = 256 << 20,       /* a compressed batch opened */
    DEAD_RAW_MAX = 1 << 20, /* a dead letter's raw bytes; the record itself stays in its topic */
    RETRY_FIRST_MS = 100,
    RETRY_MAX_MS = 30000
};

/* --- ledger.c: the terms, and how the store keeps what flow remembers ------------------------- */

/* Counting happens through this alone, so that the crash tests' mutant can leave one term out. */
struct counter {
    struct ledger now;
    int skip; /* a term; -1: none, as always but in tests */
};
uint64_t *ledger_term(struct ledger *l, enum ledger_term t);
void count_term(struct counter *c, enum ledger_term t, uint64_t n);
void ledger_put(struct buf *out, const struct ledger *l);
void ledger_take(struct cursor *c, struct ledger *out);

err_t err_of_name(struct slice name); /* records keep errors by name: numbers change */
static inline void bytes_put(struct buf *out, struct slice s)
{
    buf_uvarint(out, s.len);
    buf_slice(out, s);
}
static inline struct slice bytes_take(struct cursor *c)
{
    return cursor_slice(c, cursor_uvarint(c));
}

struct stage_key { /* a store key: the stage's key, 0, then what tells its records apart */
    uint8_t at[STAGE_KEY_MAX + 1 + 64];
    uint32_t len;
};
struct stage_key stage_key(struct slice stage);
void stage_key_be(struct stage_key *k, uint64_t v, int bytes);
static inline struct slice stage_key_slice(const struct stage_key *k)
{
    return slice_make(k->at, k->len);
}

struct stream_cursor { /* STORE_CURSOR: stage, partition [, topic where its number is not 0] */
    uint8_t topic_id[16];
    int64_t next;
    int64_t last_write_us; /* the last row's write time: the next one's is greater */
    int64_t time_seen;     /* the greatest event time so far; INT64_MIN: none */
};
#define NO_CLOSING INT64_MIN
struct epoch_range {
    uint32_t topic; /* plan_topic.number */
    int32_t partition;
    int64_t from, to;
};
struct epoch_record { /* STORE_EPOCH: stage, epoch */
    uint64_t epoch;
    int64_t now_ms, watermark;
    uint64_t sql_version;
    enum store_form form;
    struct ledger delta;
    const struct epoch_range *ranges; /* in the order they were read */
    uint32_t range_count;
    int64_t closing;  /* time is on its way to here, and not all of that has closed; NO_CLOSING */
    struct slice cut; /* … but what stands before this place (op.h) */
};
struct lane_ledger { /* STORE_LEDGER: stage, lane */
    struct ledger total;
    uint64_t epoch; /* the last one */
    int64_t commit_ms;
    int64_t watermark;     /* after it; INT64_MIN: none yet */
    int64_t closing;       /* as the last epoch's */
    int64_t last_write_us; /* of a row that no single record made */
};
struct stage_key cursor_key(struct slice stage, uint32_t topic, int32_t partition);
void stream_cursor_put(struct buf *out, const struct stream_cursor *c);
MUST_CHECK err_t stream_cursor_take(struct slice value, struct stream_cursor *out);
void epoch_record_put(struct buf *out, const struct epoch_record *r);
MUST_CHECK err_t epoch_record_take(struct slice value, struct arena *a, struct epoch_record *out);
void lane_ledger_put(struct buf *out, const struct lane_ledger *l);
MUST_CHECK err_t lane_ledger_take(struct slice value, struct lane_ledger *out);
struct stage_key number_key(const char *kind, struct slice name); /* in STORE_META */
MUST_CHECK err_t number_load(struct store *s, struct slice key, uint64_t *out, struct diag *d);
MUST_CHECK err_t number_write(struct store_write *w, struct slice key, uint64_t v);
/* A small number that stands for the stream in each row's lineage, the same for ever. Here and
 * below `key` is the stage's (edition.h). */
MUST_CHECK err_t stream_number(struct store *s, struct slice key, uint32_t *out, struct diag *d);
/* What the stream's state on the store was made for; 0: it has none; SHAPE_NONE: it is being
 * dropped, and what is left of it is good for nothing. */
#define SHAPE_NONE UINT64_MAX
MUST_CHECK err_t stream_shape(struct store *s, struct slice key, uint64_t *out, struct diag *d);
/* Why a plan can not go on with state that was made for a shape; NULL: it can. */
const char *shape_trouble(uint64_t made_for, const struct plan_stream *p);
MUST_CHECK err_t stream_shape_write(struct store_write *w, struct slice key, uint64_t shape);
/* How often a stage (by its name) was reset: a source's producer name carries it. */
MUST_CHECK err_t stage_generation(struct store *s, struct slice name, uint64_t *out,
                                  struct diag *d);

/* --- dead.c ------------------------------------------------------------------------------------
 */

struct dead_note {           /* one dead letter on its way into the store */
    uint64_t major;          /* the record's time, or the answer's number … */
    int32_t partition;       /* … */
    int64_t minor;           /* … and offset, or the item's place: the letter's key … */
    uint32_t topic_number;   /* … where the stream has several topics */
    int64_t offset, time_ms; /* offset -1: it never had one */
    int64_t written_ms;
    uint64_t epoch, count;
    err_t err;
    struct slice topic, reason, expression, column, key, raw;
    struct slice mended; /* at NULL: none */
    bool cut;            /* raw is only the beginning already */
};
/* *bytes grows by what it takes. */
MUST_CHECK err_t dead_write(struct store_write *w, struct slice key, const struct dead_note *n,
                            struct buf *scratch, uint64_t *bytes, struct diag *d);
MUST_CHECK err_t dead_read(struct slice key, struct slice value, struct dead_letter *out);
struct dead_note dead_note_of(const struct dead_letter *l); /* written again it is the same */
struct stage;
MUST_CHECK err_t dead_measure(struct stage *s, struct diag *d);
/* ERR_LETTERS_FULL: so many bytes more do not fit. */
MUST_CHECK err_t dead_room(struct stage *s, uint64_t bytes, struct diag *d);

/* --- stage: what a source and a stream have in common ------------------------------------------
 */

enum stage_state {
    STAGE_WAITING,
    STAGE_RUNNING,
    STAGE_PAUSED,
    STAGE_RETRYING,
    STAGE_FAILED,
    STAGE_ENDED
};
struct worker { /* a thread and what wakes it */
    struct thread thread;
    struct gate gate; /* guards woken */
    bool woken;
    _Atomic uint64_t cpu_ns;
    _Atomic size_t memory;  /* that it holds, roughly */
    enum stage_state state; /* guarded by the flow's gate */
};
enum { PACE_FIRST = 2048 }; /* rows of a lane's first live epoch */
enum { SPAN_STEPS = 4, SPAN_BUCKETS = 40 * SPAN_STEPS };
struct spans { /* times, counted by size: four steps from one power of two to the next */
    uint64_t count;
    int64_t max_us;
    uint32_t buckets[SPAN_BUCKETS];
};
struct stage {
    struct flow *flow;
    struct slice name, from, into; /* in flow's memory */
    struct slice key;              /* of its records on the store: edition.h */
    struct upgrade *upgrade;       /* of what is being built: upgrade.c; NULL: it is not */
    struct slice owner, target;    /* name and into, of what is being built the stream's own */
    atomic_bool retired;           /* another one took its place: nobody looks at it any more */
    struct source *source;         /* one of the two */
    struct stream *stream;
    atomic_bool stopping;   /* asked of the stage's threads */
    bool paused;            /* it does not run; guarded by the flow's control gate */
    int64_t paused_ms;      /* since when by a person, as the store has it; 0: by nobody */
    atomic_bool looks_only; /* paused: its threads find out where it stands, and end */
    bool started;
    /* guarded by the flow's gate */
    err_t failure; /* set once it has failed */
    char trouble[512], note[256];
    struct ledger ledger; /* of a source; a stream's stands in its lanes */
    uint64_t epochs;
    int64_t since_ms, last_commit_ms;
    enum store_form form;
    struct spans live, catchup;
    _Atomic int64_t dead_bytes;  /* of its letters on disk */
    _Atomic int64_t dead_oldest; /* when the oldest of them was written, or before */
    double rate;
    int64_t rate_since_ns;
    uint64_t rate_rows;
};
struct flow {
    struct flow_options o;
    char *dir;
    struct arena *names; /* texts of options, for life */
    struct gate gate;    /* guards what `status` shows */
    struct gate control; /* one starts, stops, pauses at a time; never taken inside `gate` */
    struct stage *stages[STAGES_MAX];
    _Atomic uint32_t stage_count; /* a swap adds one while others look */
    _Atomic uint32_t lane_count;  /* of all streams: they share memory_max */
    bool running;
    struct upgrader *upgrader; /* swaps what has caught up; NULL: nothing is being built */
};
void worker_init(struct worker *w);
void worker_done(struct worker *w);
void worker_wake(struct worker *w);
/* Until woken or the time (-1: none) is over. */
void worker_wait(struct worker *w, int64_t timeout_ms);
void worker_state(struct stage *s, struct worker *w, enum stage_state state);
void worker_note(struct worker *w, size_t memory); /* on its thread: what it costs */
static inline bool stage_stopping(const struct stage *s)
{
    return atomic_load_explicit(&s->stopping, memory_order_acquire);
}
void stage_trouble(struct stage *s, const struct diag *d); /* NULL: all is well again */
void stage_fail(struct stage *s, struct worker *w, const struct diag *d);
void spans_add(struct spans *s, int64_t us);
struct flow_span spans_tell(const struct spans *s);
void stage_rate(struct stage *s, uint64_t rows);     /* inside the flow's gate */
void stage_note(struct stage *s, struct slice note); /* said aloud when it changes */
void stage_ask_to_stop(struct stage *s);
void stage_wake(struct stage *s); /* whoever waits looks again */
/* Whether trying again can help: a full disk, yes; damaged data, no. */
bool err_passes(err_t e);
/* What a worker is called while it waits to try again. */
enum stage_state state_after(err_t e);
int64_t retry_delay(int64_t before_ms);
struct stage *flow_stage(struct flow *f, struct slice name); /* NULL: none */
/* Stops the stage, does `work`, and lets it go on if it ran; inside the control gate. */
MUST_CHECK err_t stage_between(struct flow *f, struct slice name,
                               err_t (*work)(struct stage *s, void *ctx, struct diag *d), void *ctx,
                               struct diag *d);
MUST_CHECK err_t stage_new(struct flow *f, struct slice name, struct slice from, struct slice into,
                           struct stage **out, struct diag *d);
/* A paused one only looks where it stands: for those who ask, and for retention (F8). */
MUST_CHECK err_t stage_start(struct stage *s, struct diag *d);
static inline bool stage_runs(const struct stage *s) /* inside the control gate */
{
    return s->started && !atomic_load(&s->looks_only);
}
void stage_join(struct stage *s); /* after stage_ask_to_stop */
void stage_free(struct stage *s);
/* A stage of this name (the plan's may be another) and key, not yet in the list. */
MUST_CHECK err_t stream_stage(struct flow *f, const struct plan_stream *plan, struct slice name,
                              struct slice key, struct stage **out, struct diag *d);
MUST_CHECK err_t stage_joins(struct flow *f, struct stage *s, struct diag *d); /* or frees it */
static inline bool stage_lives(const struct stage *s)
{
    return !atomic_load_explicit(&s->retired, memory_order_acquire);
}

/* --- verbs.c: what people and tasks ask of a stage ----------------------------------------------
 */

/* 0: it is not paused any more. */
MUST_CHECK err_t stage_paused_write(struct store_write *w, struct slice name, int64_t since_ms);
MUST_CHECK err_t stage_paused_forget(struct store *s, struct slice name, struct diag *d);

/* --- upgrade.c: a stream built anew beside the old one ------------------------------------------
 */
MUST_CHECK err_t upgrader_start(struct flow *f, struct diag *d);
void upgrader_stop(struct flow *f);
void upgrade_tell(const struct stage *s, struct flow_status *out); /* inside the flow's gate */
void upgrade_free(struct upgrade *u);

/* --- source.c, answer.c, journal.c --------------------------------------------------------------
 */

struct answer_item {
    int32_t partition;
    int64_t time_ms;
    bool key_null;
    struct slice key, value;
};
struct answer_dead {
    uint64_t index; /* among the answer's items, then its rejects */
    err_t err;
    struct slice reason, expression, key, raw;
};
struct answer { /* what one fetch brought, ready to be published: one number, for ever the same */
    uint64_t number;  /* from 1: of answers that held anything */
    uint64_t answers; /* so far, of those with items */
    int64_t now_ms;
    struct slice cursor, provenance;
    struct ledger ledger;      /* of the source, after this answer */
    struct answer_item *items; /* by partition, then as they came */
    uint32_t item_count;
    struct answer_dead *dead;
    uint32_t dead_count;
    bool repeatable;
};

struct journal;
struct journal_of { /* an entry counts for this topic and producer only */
    uint8_t topic_id[16];
    int64_t producer_id;
};
MUST_CHECK err_t journal_open(const char *path, struct journal **out, struct diag *d);
void journal_close(struct journal *j);
/* The last whole entry, into the arena; ERR_NOT_FOUND when there is none. */
MUST_CHECK err_t journal_last(struct journal *j, struct arena *a, struct journal_of *of,
                              struct answer *out, struct diag *d);
/* On disk when it answers OK. */
MUST_CHECK err_t journal_add(struct journal *j, const struct journal_of *of, const struct answer *a,
                             struct diag *d);

struct place {            /* what a partition holds of a source's answers: its last batch tells */
    uint64_t number;      /* of the answer; 0: none */
    uint32_t done, items; /* of the answer's items for this partition */
    int32_t last_sequence;
    int64_t last_offset;
};
struct source {
    struct stage *stage;
    struct flow_source_options o;
    struct log_topic *topic;
    int32_t partitions;
    size_t batch_max; /* bytes of a batch before it is packed */
    int64_t producer_id;
    struct place *places;
    _Atomic int64_t *pinned; /* a partition: its last batch's offset, which holds the cursor */
    struct journal *journal;
    struct worker worker;
    uint64_t number, answers; /* of the last answer that is durable */
    struct counter counter;   /* up to the answer at hand */
    struct buf cursor;        /* the port's, after the last answer */
    struct json_plan *paths;
    uint32_t path_count;
    const struct type *path_types[2];
    struct json_decoder *decoder;
    struct arena *arena; /* the answer at hand */
    struct buf scratch;
    struct answer pending; /* made, not yet settled: kept until it is */
    bool is_pending, journalled;
    bool recovered, ended;
    _Atomic uint64_t budget, brought; /* flow_source_let; UINT64_MAX: no bound */
    atomic_bool by_task;              /* it was let run, rather than freed */
    int parts_max;       /* tests: as if a crash came after so many parts of an answer; -1: none */
    struct gate settled; /* guards appends_left */
    uint32_t appends_left;
};
MUST_CHECK err_t source_new(struct stage *stage, const struct flow_source_options *o,
                            struct diag *d);
void source_free(struct source *s);
void source_run(void *source);
/* answer.c: makes an answer of what the port brought … */
MUST_CHECK err_t answer_make(struct source *s, const struct source_answer *got, int64_t now_ms,
                             struct answer *out, struct diag *d);
/* … and makes it durable: journal where needed, dead letters, then each partition's part that is
 * not there yet. Called again after a failure or a crash it goes on where it was (F7). */
MUST_CHECK err_t answer_settle(struct source *s, const struct answer *a, struct diag *d);
bool answer_needs_journal(const struct source *s, const struct answer *a);
/* place.c: what the log remembers of the source. */
struct place_head { /* rides in the header `sluice.cursor` of a batch's last record */
    uint64_t number, answers;
    uint32_t parts; /* partitions that the answer falls into */
    uint32_t items, done;
    struct ledger ledger;
    struct slice cursor;
};
void place_head_put(struct buf *out, const struct place_head *h);
MUST_CHECK err_t place_head_take(struct slice value, struct place_head *out);
MUST_CHECK err_t place_load(struct source *s, int32_t partition, struct arena *a,
                            struct place_head *head, struct diag *d);
MUST_CHECK err_t source_recover(struct source *s, struct diag *d);

/* --- inputs.c: records into the columns that a plan's expressions see ---------------------------
 */

struct chunk_dead { /* a record that can not go on */
    uint32_t row;   /* of the chunk; UINT32_MAX: it never became a row */
    uint64_t count; /* records it stands for: 1 but for a batch that can't be opened (more) and a
                     * late record that is counted elsewhere (0) */
    int64_t offset, time_ms;
    int32_t partition;
    err_t err;
    struct slice key, raw, reason, expression, column; /* column: of the stream's outputs */
};
struct chunk { /* records on their way through a plan; the slices live until the next fill */
    uint32_t rows;
    struct slice values[CHUNK_ROWS], keys[CHUNK_ROWS]; /* at NULL: null */
    int64_t offsets[CHUNK_ROWS], times[CHUNK_ROWS];
    int32_t partitions[CHUNK_ROWS];
    uint8_t gone[CHUNK_ROWS]; /* filtered, or dead */
    uint32_t selected[CHUNK_ROWS], selected_count;
    err_t machine; /* a row failed by the machine's fault, not its own: the chunk is to be run again
                    */
    uint32_t dead_count;
    struct chunk_dead dead[CHUNK_DEAD_MAX];
};
void chunk_reset(struct chunk *c);
void chunk_kill(struct chunk *c, uint32_t row, err_t e, struct slice reason,
                struct slice expression);

/* `late`, an input each: it may wait until inputs_settle has been told which rows go on. NULL: none
 * may. */
struct inputs;
MUST_CHECK err_t inputs_new(const struct plan_input *inputs, uint32_t count, const bool *late,
                            struct inputs **out, struct diag *d);
void inputs_free(struct inputs *in);
bool inputs_read_value(const struct inputs *in); /* some input needs the record's value */
/* Columns of all rows, in `b`'s arena. Records that are no JSON are dead in the chunk. */
MUST_CHECK err_t inputs_decode(struct inputs *in, struct slice topic, struct chunk *c,
                               struct column_batch *b, struct diag *d);
/* These rows of the last batch go on: what has waited is there for them, as if it never had. What
 * waits in the next batch depends on how many they are. */
MUST_CHECK err_t inputs_settle(struct inputs *in, const uint32_t *selected, uint32_t count,
                               struct column_batch *b, struct diag *d);

/* --- reader.c: a partition's batches, record by record ------------------------------------------
 */

struct reader {
    struct log_partition *partition; /* NULL: nothing at hand */
    int64_t next;                    /* the offset to read on from */
    bool wants_value;                /* a null value is a dead letter */
    struct buf bytes;
    size_t at;
    struct record_batch batch;
    struct record_reader records;
    int32_t walked; /* of the open batch */
    bool open;
    struct arena *opened;
    int64_t until;  /* not beyond this offset; INT64_MAX */
    int64_t stable; /* nor beyond this one: transactions were open there when `bytes` were read */
    struct vec aborted; /* struct log_aborted, of the bytes at hand … */
    size_t aborted_at;  /* … those before are behind us */
    bool aborted_known;
    bool lent; /* its bytes were read for it: it reads no more, and keeps what it has opened */
};
MUST_CHECK err_t reader_init(struct reader *r);
void reader_done(struct reader *r);
void reader_aim(struct reader *r, struct log_partition *p, int64_t next);
bool reader_spent(const struct reader *r); /* the next fill reads anew: a good moment to turn */
/* Fills the chunk (which is empty) with what can be read now, at most `rows_max`; none: the durable
 * end. Counts TERM_IN. ERR_OFFSET_RANGE when retention has passed `next`. */
MUST_CHECK err_t reader_fill(struct reader *r, struct chunk *c, uint32_t rows_max,
                             struct counter *counter, struct diag *d);

/* --- lane.c, ranges.c, epoch.c ------------------------------------------------------------------
 */

struct graph;
struct sink_verbs;
struct lane_partition {
    struct lane *lane;
    uint32_t topic; /* plan_topic.number */
    struct log_partition *log;
    int32_t index;
    struct stream_cursor durable; /* as the store has it */
    bool has_cursor;
    struct stream_cursor now; /* as the epoch at hand goes */
    int64_t limit;            /* not read beyond, until the next trigger; INT64_MAX */
    int64_t until;            /* the epoch at hand reads up to here; INT64_MAX: as far as it goes */
    int64_t heard_ns;         /* when it last had something to read: silence makes it idle */
    int64_t told;             /* to flow_options.committed; -1: nothing yet */
    struct log_waiter *waiter;
    _Atomic int64_t kept; /* durable.next, for retention */
};
struct epoch { /* what one atomic write will hold */
    uint64_t number;
    int64_t now_ms, started_ns;
    enum store_form form;
    struct store_write *write;
    struct counter counter;
    uint64_t rows_max;
    int64_t watermark;               /* at its end */
    int64_t target;                  /* what it would be if all fits that closes with it */
    int64_t closing;                 /* that, where it does not; NO_CLOSING */
    bool goes_on;                    /* with what an earlier epoch began to close */
    uint64_t letters;                /* of rows that are no records */
    uint64_t dead_bytes, dead_freed; /* letters that are written and removed */
    bool replay;                     /* of dead letters */
    int64_t commit_ns;               /* when committing began */
    bool begun;                      /* the sink has found its target */
    bool dirty;                      /* there is something to commit */
};
struct lane {
    struct stream *stream;
    uint32_t index;
    struct worker worker;
    struct lane_partition *partitions; /* by topic, then by partition */
    uint32_t partition_count, turn;
    uint32_t first; /* where an epoch of fixed ranges begins to read */
    struct graph *graph;
    struct feed *feed; /* threads that feed it; NULL: it works alone */
    const struct sink_verbs *sink;
    void *sink_self;
    struct chunk *chunk;
    struct reader reader;
    struct arena *arena;
    struct buf scratch;
    struct epoch epoch;
    uint32_t pace;       /* rows of the next live epoch */
    uint32_t rows_cap;   /* shrunk when an epoch was too big; 0: as the options say */
    _Atomic bool loaded; /* where it stands is known; atomic for flow_drain */
    bool fresh;          /* its cursors are on no disk yet, and do not stand at the start */
    bool shape_known;    /* the store knows what the state was made for */
    bool sql_known;      /* … and what SQL runs; script_known: the script around it */
    bool script_known;
    bool limited;        /* the partitions' limits are set: a trigger's work is under way */
    bool ended;          /* available now, and all of that is done */
    int64_t trigger_ns;  /* the next one; 0: at once */
    uint64_t last_epoch; /* the counter part, without the lane's byte */
    int64_t watermark;   /* durable; guarded by the flow's gate for writing */
    int64_t closing;     /* durable: some of what closes up to here is still to come; NO_CLOSING */
    bool closes_some;    /* all at once was too much for a write */
    uint64_t close_cap;  /* shrunk when even that was; 0: as many entries as fit */
    int64_t last_write_us;
    struct ledger total; /* durable; guarded by the flow's gate */
    int64_t epoch_ns;    /* when the last epoch began */
    /* By node, the writing behind the last one. As of the epoch at hand … */
    struct flow_operator *measured;
    struct flow_operator *told; /* … and of the last one; guarded by the flow's gate */
};
struct stream_topic {
    struct slice name;
    struct log_topic *log;
};
struct stream {
    struct stage *stage;
    const struct plan_stream *plan;
    struct stream_topic *topics; /* by plan_topic.number */
    struct store_hold *hold;     /* of its table */
    uint32_t number;             /* in lineage */
    struct lane *lanes;
    uint32_t lane_count;
    struct ledger others;      /* of lanes that existed when there were more */
    struct progress *progress; /* a ring of the last PROGRESS_KEPT epochs; guarded by the gate */
    uint64_t progress_count;
    struct gate outbox; /* guards outbox_replayed, and who replays what older lanes left */
    bool outbox_replayed;
};
MUST_CHECK err_t stream_new(struct stage *stage, const struct plan_stream *plan, struct diag *d);
void stream_free(struct stream *s);
void lane_run(void *lane);
/* Cursors, ledger, epoch number as the store has them. */
MUST_CHECK err_t lane_load(struct lane *l, struct diag *d);
void lane_tell(struct lane *l); /* flow_options.committed: what has moved since it was told */
/* The epoch that `r` records, once more: the same ranges in the same order, the same time, the same
 * watermark at its end. For a lane whose stream does not run. */
MUST_CHECK err_t lane_replay(struct lane *l, const struct epoch_record *r, struct diag *d);
/* One more epoch of what closes in several: nothing else may be done before that has ended. */
MUST_CHECK err_t lane_close_on(struct lane *l, struct diag *d);
/* `as`: the epoch's number and time, recorded; NULL: the next one, now. */
MUST_CHECK err_t epoch_begin(struct lane *l, enum store_form form, const struct epoch_record *as,
                             struct diag *d);
MUST_CHECK err_t epoch_graph(struct lane *l, struct diag *d); /* makes the lane's */
/* Evaluates the chunk and adds rows and dead letters to the epoch. */
MUST_CHECK err_t epoch_take(struct lane *l, struct lane_partition *p, struct diag *d);
/* The chunk is evaluated: its greatest event time, and its letters. */
MUST_CHECK err_t epoch_settle(struct lane *l, struct lane_partition *p, const struct chunk *c,
                              int64_t seen, struct diag *d);
/* All is read: time goes on to epoch.watermark, what has changed is told and written. */
MUST_CHECK err_t epoch_finish(struct lane *l, struct diag *d);
MUST_CHECK err_t epoch_commit(struct lane *l, struct diag *d);
void epoch_abort(struct lane *l);
bool epoch_full(const struct lane *l); /* it takes no more: what is taken is to be committed */
/* The partition whose records come next, where ranges are fixed; NULL: all are read. */
struct lane_partition *lane_next_in_order(struct lane *l);
/* Retention has passed the cursor: what is gone is counted, and seen (F3). */
void lane_expire(struct lane *l, struct lane_partition *p);
uint64_t lane_lag(const struct lane *l);
static inline struct flow *lane_flow(const struct lane *l)
{
    return l->stream->stage->flow;
}
static inline bool lane_stateful(const struct lane *l)
{
    return l->stream->plan->stateful;
}
size_t lane_share(const struct lane *l); /* of memory_max */
/* progress.c: what an epoch did, in the words of Spark's progress. */
enum { PROGRESS_KEPT = 100 };
MUST_CHECK err_t progress_new(struct stream *s, struct diag *d);
void progress_free(struct stream *s);
void progress_measure(struct lane *l);               /* while the epoch's state is still marked */
void progress_note(struct lane *l, int64_t took_us); /* inside the gate, before cursors move */
/* ranges.c: which records an epoch of a stateful plan reads, fixed at its start, and what time it
 * is at its end. */
bool partition_readable(const struct lane_partition *p);
/* Where a stream without a cursor begins. */
int64_t partition_first(const struct lane_partition *p);
void ranges_fix(struct lane *l, uint64_t rows);
int64_t watermark_now(const struct lane *l, int64_t now_ns);
/* Where the watermark is to stand when the epoch ends whose rows have all been pushed. What closes
 * with that and is too much for one write goes in several epochs: until all has gone the watermark
 * stays where it was, and nothing is read. */
void watermark_aim(struct lane *l, int64_t now_ns);
static inline bool lane_is_closing(const struct lane *l)
{
    return l->closing > l->watermark;
}
/* Nanoseconds until a silent partition stops holding the watermark; -1: nothing to wait for. */
int64_t watermark_wait_ns(const struct lane *l, int64_t now_ns);
/* Triggers: whether the lane may work now; sets the partitions' limits as one begins. */
bool trigger_now(struct lane *l, int64_t now_ns);
void trigger_done(struct lane *l, int64_t now_ns); /* all up to the limits is read */
