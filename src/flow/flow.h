/* flow: runs plans. Sources into topics, topics through streams into tables; epochs, ledger, dead
 * letters, lineage; and bounded queries.
 *
 * Loop: a thread a source, a thread a lane (a set of partitions of one stream) from cursor to
 * commit. Memory: arenas a batch, bounded by options. Limit: options. Knows neither where bytes
 * come from (port.h) nor protocols. Exactly once is one atomic write of the store: rows, cursor,
 * epoch, ledger, lineage, dead letters.
 */
#pragma once
#include "flow/port.h"
#include "log/log.h"
#include "sql/sql.h"
#include "store/store.h"

struct flow;

enum flow_step { /* of a stream that is built anew */
                 FLOW_STEP_NOTED,
                 FLOW_STEP_TABLE,
                 FLOW_STEP_NEAR,
                 FLOW_STEP_PASSED,
                 FLOW_STEP_FOLLOWED,
                 FLOW_STEP_SWAPPED,
                 FLOW_STEP_STARTED,
                 FLOW_STEPS
};
struct flow_options {
    struct log *log;
    struct store *store;
    const char *dir;    /* flow's own files: the journals of answers that can't be fetched again */
    uint32_t lanes_max; /* a stream; 0: half the processors, at least 1 */
    int feeders; /* threads beside the lane of a stream with state; 0: the processors less one, at
                  * most 8; negative: none */
    uint32_t epoch_rows_live;    /* 0: 10,000 */
    int64_t epoch_ms_live;       /* a live epoch closes after this time, and is kept so small that
                                  * with its commit it takes twice that at most; 0: 12 */
    uint32_t epoch_rows_catchup; /* 0: 400,000 */
    size_t epoch_bytes;          /* of its write; 0: as many as a lane's memory allows */
    uint32_t catchup_lag;        /* records behind from which epochs are sorted files; 0: 200,000 */
    size_t memory_max;           /* for all lanes together; 0: 512 MiB; back pressure before it */
    /* Only these offsets, one of each a partition, topic by topic as the plan numbers them; NULL:
     * all there are. For one stream that is read once, from its beginning. They outlive the flow.
     */
    const int64_t *read_from, *read_to;
    uint32_t read_count;
    uint64_t dead_bytes_max; /* of a stage's letters: then it waits, and says so; 0: no bound */
    int64_t dead_age_ms;     /* flow_dead_expire; 0: they stay */
    enum { FLOW_FORM_AUTO, FLOW_FORM_LIVE, FLOW_FORM_CATCHUP } form; /* AUTO but in benchmarks */
    enum {
        FLOW_MUTANT_NONE,
        FLOW_MUTANT_CURSOR_FIRST,
        FLOW_MUTANT_SKIP_COUNT,
        FLOW_MUTANT_STATE_FIRST /* a plan's state is durable before the epoch that made it */
    } mutant;                   /* crash tests only */
    /* Crash tests only: told the steps of a stream's upgrade, each when it is durable or done. */
    void (*step)(enum flow_step step);
    uint32_t mutant_term; /* which ledger term FLOW_MUTANT_SKIP_COUNT does not count */
    /* Told each durable cursor of a stream that has moved, on its lane's thread: must not block.
     * NULL: nobody asks. */
    void (*committed)(void *ctx, struct slice stream, struct slice topic, int32_t partition,
                      int64_t next);
    void *committed_ctx;
};
MUST_CHECK err_t flow_open(const struct flow_options *o, struct flow **out, struct diag *d);
void flow_close(struct flow *f); /* after flow_stop */

struct flow_source_options {
    struct slice name, topic; /* the topic exists */
    struct source_port port;  /* taken over: closed by flow */
    struct slice key_path;    /* 'login.uuid'; empty: no key (partitions in turn) */
    struct slice time_path;   /* the record's timestamp from the item; empty: the time of arrival */
    int64_t every_ms;         /* between fetches; 0: at once */
    uint64_t answers_max;     /* ends after so many answers with items in its life; 0: never */
    uint64_t records_max;     /* ends after so many records in its life; 0: never */
    enum codec codec;
};
MUST_CHECK err_t flow_source_add(struct flow *f, const struct flow_source_options *o,
                                 struct diag *d);
/* The plan stays the caller's and lives as long as flow. Table and topic exist; the table is held
 * (store_table_hold) until flow_close. A flow that runs starts it at once. */
MUST_CHECK err_t flow_stream_add(struct flow *f, const struct plan_stream *plan, struct diag *d);

/* The stream's state or table can not be gone on with: it is built anew from what the log has left,
 * beside the one that ran (`was`, its old SQL, which runs meanwhile; NULL: it can not be run any
 * more, its table stays as it is), and takes its place when it has caught up. `wanted`: the table
 * as the plan writes it, under its own name; only this stream writes into it. Called again after a
 * restart it goes on. ERR_UNSUPPORTED: it writes into no table. */
MUST_CHECK err_t flow_stream_upgrade(struct flow *f, const struct plan_stream *was,
                                     const struct plan_stream *plan,
                                     const struct store_table *wanted, struct diag *d);
/* What streams built anew have left behind. Before any flow runs on the store. */
MUST_CHECK err_t flow_tidy(struct store *s, struct diag *d);

MUST_CHECK err_t flow_start(struct flow *f, struct diag *d);
void flow_stop(struct flow *f); /* ends the epoch at hand, commits it, joins all threads */
/* What a person asks: on disk when it answers, so that a restart finds the stage as it was. */
MUST_CHECK err_t flow_pause(struct flow *f, struct slice name, struct diag *d);
MUST_CHECK err_t flow_resume(struct flow *f, struct slice name, struct diag *d);
/* Since when a person has it paused, as the store has it; 0: nobody has. */
MUST_CHECK err_t stage_paused(struct store *s, struct slice name, int64_t *since_ms,
                              struct diag *d);
/* What a task asks, as long as this flow is open: the source stops; it goes on by itself, unless a
 * person has paused it. */
MUST_CHECK err_t flow_source_hold(struct flow *f, struct slice name, struct diag *d);
MUST_CHECK err_t flow_source_free(struct flow *f, struct slice name, struct diag *d);
/* A held or paused source starts, and asks for `count` records more (0: no bound); it rests when it
 * has brought them, or some more where one fetch brings several. *brought counts from here on;
 * *over: it rests, has ended, or is paused or failed. */
MUST_CHECK err_t flow_source_let(struct flow *f, struct slice name, uint64_t count, struct diag *d);
MUST_CHECK err_t flow_source_brought(struct flow *f, struct slice name, uint64_t *brought,
                                     bool *over, struct diag *d);
/* Stops the stream or source, starts it anew from its durable cursor. */
MUST_CHECK err_t flow_restart(struct flow *f, struct slice name, struct diag *d);
/* stream_reset, of a stage that this flow has: it stops, forgets, and begins anew. */
MUST_CHECK err_t flow_reset(struct flow *f, struct slice name, struct diag *d);
/* What a stream runs, for as long as the flow is open, and its number in lineage. */
MUST_CHECK err_t flow_plan(struct flow *f, struct slice name, const struct plan_stream **plan,
                           uint32_t *number, struct diag *d);
/* Whether all that a stream's epoch has read lies in these offsets (laid out as read_from and
 * read_to are). No: also where its record is gone. */
MUST_CHECK err_t flow_epoch_within(struct flow *f, struct slice name, uint64_t epoch,
                                   const int64_t *from, const int64_t *to, bool *within,
                                   struct diag *d);
bool flow_has(const struct flow *f, struct slice name); /* a source or stream of this name */
/* One that reads or writes the topic: its name in `who`. */
bool flow_uses_topic(const struct flow *f, struct slice topic, char *who, size_t size);
/* Waits until no source will bring more (one that is paused brings none) and every stream has
 * committed all there is, or timeout. A stage that has failed for good brings no more either: where
 * the others are done, the answer is its error, by name. One that tries again by itself is waited
 * for. */
MUST_CHECK err_t flow_drain(struct flow *f, int64_t timeout_ms, struct diag *d);

/* The ledger: for each stage `in = applied + filtered + deduplicated + late + dead + expired +
 * held`, each term counted where it happens; none is computed from the others. */
struct ledger {
    uint64_t in, applied, filtered, deduplicated, late, dead, expired, held;
    uint64_t rows_out; /* fan-out, apart */
};
enum ledger_term { /* from TERM_APPLIED to TERM_HELD: what the records that came in became */
                   TERM_IN,
                   TERM_APPLIED,
                   TERM_FILTERED,
                   TERM_DEDUPLICATED,
                   TERM_LATE,
                   TERM_DEAD,
                   TERM_EXPIRED,
                   TERM_HELD,
                   TERM_ROWS_OUT,
                   TERMS
};
const char *ledger_term_name(enum ledger_term t); /* "rows_out" */
uint64_t ledger_value(const struct ledger *l, enum ledger_term t);
uint64_t ledger_became(const struct ledger *l); /* the sum that `in` has to be */
bool ledger_balanced(const struct ledger *l);
void ledger_add(struct ledger *sum, const struct ledger *more);

/* How long a stream's epochs of one form took: from the moment before the first record is read
 * until the commit is on disk and visible. p50 and p99 are at most a quarter too high, max is
 * exact. */
struct flow_span {
    uint64_t epochs;
    int64_t p50_us, p99_us, max_us;
};
enum { FLOW_OPERATORS_MAX = 64 }; /* that are told one by one */
struct flow_operator {            /* of a stream's plan, since the start; all lanes together */
    const char *kind;
    uint32_t node;
    uint64_t rows_in, rows_out, late;
    bool stateful;
    uint64_t state_rows, state_updated; /* updated: by the last epoch */
    size_t state_bytes;                 /* in memory */
    int64_t spent_ns;                   /* at work, without those after it */
};
struct flow_status { /* of one source or stream */
    struct slice name, from, into;
    bool is_source;
    /* "running", "paused", "waiting", "retrying", "failed", "ended"; "building" */
    const char *state;
    bool building; /* it will take another one's place … */
    double built_percent;
    int64_t left_s;       /* … in about so many seconds; -1: not known */
    char trouble[512];    /* what the last failure said; "" when all is well */
    char note[256];       /* "falling back to the generator: …" */
    struct ledger ledger; /* durable */
    bool balanced;
    uint64_t lag;    /* records behind the topic's end */
    uint64_t epochs; /* a stream: committed since it was added; a source: its answers so far */
    double rows_per_second; /* over the last seconds */
    int64_t since_ms, last_commit_ms;
    int64_t every_ms;               /* a source: between its fetches */
    int64_t paused_ms;              /* since when a person has it paused; 0: nobody has */
    const char *form;               /* "live", "catching up" */
    struct flow_span live, catchup; /* a stream's epochs since the start */
    uint32_t lanes, feeders;
    uint64_t cpu_ns; /* of its threads */
    size_t memory;
    int64_t dead_bytes; /* of its letters, since the start: another number, other letters */
    /* a stream's */
    int64_t watermark;   /* INT64_MIN: none */
    uint64_t last_epoch; /* its number, the greatest of all lanes; 0: none yet */
    uint64_t state_rows, late_rows;
    size_t state_bytes;
    uint32_t operator_count;
    struct flow_operator operators[FLOW_OPERATORS_MAX]; /* inputs first */
    struct flow_operator writing; /* rows_in: what the plan gave; spent_ns: with the commits */
};
/* Calls each source, then each stream, in the order they were added. Any thread. */
MUST_CHECK err_t flow_each(struct flow *f, err_t (*each)(void *ctx, const struct flow_status *s),
                           void *ctx);
/* A stream's last epoch in the field names of Spark's StreamingQueryProgress, or the last hundred
 * as a list, oldest first. "null" (or "[]") before the first. ERR_UNKNOWN_STREAM. */
MUST_CHECK err_t flow_progress_json(struct flow *f, struct slice name, bool recent, struct buf *out,
                                    struct diag *d);
/* What retention must leave: the lowest durable cursor of all streams on a partition, and the batch
 * that holds a source's cursor; INT64_MAX: nobody needs it. */
int64_t flow_keep_from(struct flow *f, struct slice topic, int32_t partition);

/* Dead letters: of one stage or all (name empty), by the record's time. */
struct dead_letter {
    struct slice stage, topic;
    struct slice under; /* the key of its stage: flow's own */
    int32_t partition;  /* -1: no record of a topic, but a row or what a source could not use */
    int64_t offset, time_ms, written_ms; /* written_ms 0: not known */
    uint64_t epoch;
    uint64_t count; /* records it stands for: 0: a late one, more: a batch that can't be opened */
    err_t err;
    struct slice reason, expression, column, key, raw;
    struct slice mended; /* the bytes to use instead of raw; at NULL: it was not mended */
    bool cut;            /* raw is only the beginning */
    struct slice place;  /* among its stage's letters: names it */
    uint64_t size;       /* on disk */
};
struct dead_where;
struct dead_filter {          /* all that is given must fit */
    struct dead_where *where; /* NULL: no condition */
    struct slice stage;
    const int32_t *partition;
    const int64_t *offset;
    struct slice topic, code, column, reason /* a part of it */, place;
};
/* A condition of SQL over a letter's columns (as system_views.dead_letters has them). */
MUST_CHECK err_t dead_where_new(struct slice condition, struct dead_where **out, struct diag *d);
void dead_where_free(struct dead_where *w); /* NULL is fine */
/* No: also where the condition can not be computed for this letter, and after a failure … */
bool dead_where_fits(struct dead_where *w, const struct dead_letter *l);
/* … of the machine's, which this tells: what was chosen is not all. */
MUST_CHECK err_t dead_where_failure(const struct dead_where *w, struct diag *d);
bool dead_fits(const struct dead_filter *w, const struct dead_letter *l);
MUST_CHECK err_t dead_letters(struct store *s, struct slice stage,
                              err_t (*each)(void *ctx, const struct dead_letter *l), void *ctx,
                              struct diag *d);
/* The same from the newest back. ERR_STOPPED of `each` ends either, and is answered. */
MUST_CHECK err_t dead_letters_newest(struct store *s, struct slice stage,
                                     err_t (*each)(void *ctx, const struct dead_letter *l),
                                     void *ctx, struct diag *d);
/* The first one behind `after` (at NULL: from the start) that fits, in the arena; ERR_NOT_FOUND.
 * dead_before: the last one before (at NULL: from the end). */
MUST_CHECK err_t dead_next(struct store *s, const struct dead_filter *w, struct slice after,
                           struct arena *a, struct dead_letter *out, struct diag *d);
MUST_CHECK err_t dead_before(struct store *s, const struct dead_filter *w, struct slice before,
                             struct arena *a, struct dead_letter *out, struct diag *d);
/* Other bytes for one letter, which the next replay uses. `f` NULL: nothing runs. */
MUST_CHECK err_t dead_mend(struct flow *f, struct store *s, struct slice stage, struct slice place,
                           struct slice bytes, struct diag *d);
/* Removes letters; the ledger still tells that the records died. */
MUST_CHECK err_t dead_forget(struct flow *f, struct store *s, const struct dead_filter *w,
                             uint64_t *count, struct diag *d);
/* The letters' bytes go through their stream once more, as records of the same topic, partition,
 * offset, key and time; in one atomic write what becomes of them is counted anew and a letter that
 * has died no more is gone. Those that fail again stay, with the new reason. Each letter once. */
struct dead_outcome {
    uint64_t replayed, mended /* of these: no letter any more */, again, left;
};
MUST_CHECK err_t flow_dead_replay(struct flow *f, const struct dead_filter *w,
                                  struct dead_outcome *out, struct diag *d);
/* Removes letters that were written more than flow_options.dead_age_ms ago. */
MUST_CHECK err_t flow_dead_expire(struct flow *f, int64_t now_ms, uint64_t *count, struct diag *d);
/* The durable ledger, cursors and epochs as the store holds them: what `status` shows of a project
 * that is not running. */
MUST_CHECK err_t ledger_load(struct store *s, struct slice stage, struct ledger *out,
                             struct diag *d);
/* What a stream's SQL means for what the store holds of the stream. */
enum stream_change {
    STREAM_NEW,      /* it has committed nothing */
    STREAM_SAME,     /* the last epoch's text, or one that nobody knows any more */
    STREAM_IN_PLACE, /* another text, which goes on from the cursor and reads the state */
    STREAM_REBUILD   /* it can not read the state: it does not start before a reset */
};
/* *why, of STREAM_REBUILD: what is the matter with the state ("of another shape …"). */
MUST_CHECK err_t stream_change_of(struct store *s, const struct plan_stream *p,
                                  enum stream_change *out, const char **why, struct diag *d);
/* What SQL made a stream's rows and state; kept with the epochs that it made, so that it can be
 * shown and run again. Texts in the arena. ERR_NOT_FOUND: nobody wrote it down. */
struct flow_sql {
    uint64_t version, shape, script;
    int64_t since_ms;        /* the epoch's that it wrote first … */
    uint64_t epoch;          /* … and that one's number */
    struct slice into, text; /* text: the statement's own */
};
MUST_CHECK err_t flow_sql_now(struct store *s, struct slice stream, struct arena *a,
                              struct flow_sql *out, struct diag *d); /* the last that ran */
MUST_CHECK err_t flow_sql_of(struct store *s, struct slice stream, uint64_t version,
                             struct arena *a, struct flow_sql *out, struct diag *d);
/* The whole script that the statement stood in, of the last that ran: what it means stands there.
 */
MUST_CHECK err_t flow_sql_script(struct store *s, const struct flow_sql *sql, struct arena *a,
                                 struct slice *out, struct diag *d);
/* Stages that have committed something, by name, whether or not anybody still declares them. */
struct stage_left {
    struct slice name;
    struct ledger ledger;
    struct flow_sql sql; /* text.len 0: a source, or nobody wrote it down */
    bool view;           /* sql.into is its own table */
};
MUST_CHECK err_t stages_left(struct store *s, err_t (*each)(void *ctx, const struct stage_left *l),
                             void *ctx, struct diag *d);
/* stream_reset of a stage that nobody declares any more, and the table of a view.
 * ERR_UNKNOWN_STREAM: it has left nothing. */
MUST_CHECK err_t stage_drop(struct store *s, struct slice name, struct diag *d);
/* Forgets a stream's cursor, ledger, epochs, dead letters: the next start reads from the beginning;
 * a source fetches from its beginning. One atomic write (a large state goes before, in several:
 * the stream does not start until all of it is done). Not while the stage runs. */
MUST_CHECK err_t stream_reset(struct store *s, struct slice stage, struct diag *d);

/* --- why a row is there, or is not ------------------------------------------------------------ */

enum why_how { WHY_STORED, WHY_RECOMPUTED, WHY_GONE };
struct why_step {
    enum why_how how;
    const char *how_text; /* "stored", "recomputed", "no longer knowable" */
    struct slice stream;  /* at NULL: none yet */
    const char *step;     /* "origin", "record", "WHERE", "row" … */
    struct slice text;
};
struct why_options {
    void *ctx;
    err_t (*each)(void *ctx, const struct why_step *s);
    /* Where epochs are run again: records so far, and how many there are about. May be NULL. */
    void (*progress)(void *ctx, uint64_t done, uint64_t of);
    bool (*stopping)(void *ctx); /* NULL: never */
    uint32_t records;            /* of a row's: the first and last so many are shown; 0: 5 */
};
struct why_row {
    const struct store_table *table;
    const struct value *key; /* all key columns, in the key's order */
    uint32_t key_count;
    const struct column *row; /* all of the table's columns, at place 0; NULL: it is not there */
    struct store_lineage lineage;
};
/* From a row back: stream, epoch, record, fetch, and what each step made of it; a row of several
 * records by running the recorded epochs again for its key. The row that is not there: what streams
 * with state have done to it; ERR_NOT_FOUND: none writes the table. ERR_CORRUPT: the row
 * that is recomputed is not the one stored, and nothing known explains it. A plan with TRANSFORM:
 * ERR_UNSUPPORTED. Blocking, beside the stream that runs. */
MUST_CHECK err_t flow_why_row(struct flow *f, const struct why_row *row,
                              const struct why_options *o, struct diag *d);
/* From a record forward, through each stream that reads it: to its rows, or the reason there are
 * none. */
MUST_CHECK err_t flow_why_record(struct flow *f, struct slice topic, int32_t partition,
                                 int64_t offset, const struct why_options *o, struct diag *d);

/* --- bounded queries -------------------------------------------------------------------------- */
struct query_result {
    void *ctx;
    /* Once, before rows. */
    err_t (*head)(void *ctx, const struct slice *names, const struct type *const *types,
                  uint32_t count);
    /* Each batch: `columns` of `rows` rows, borrowed until it returns. */
    err_t (*rows)(void *ctx, const struct column *columns, uint32_t column_count, uint32_t rows);
};
struct query_limits {
    size_t memory_max; /* 0: 256 MiB */
    int64_t now_ms;
    bool (*stopping)(void *ctx);
    void *stop_ctx;
};
MUST_CHECK err_t query_select(struct store *s, struct log *l, const struct plan_select *p,
                              const struct query_limits *limits, const struct query_result *into,
                              struct diag *d);
/* Runs records (one JSON value each) through a stream's plan without log and cursor: fixtures,
 * `sluice plan`. `tables`: where rows are looked up; NULL: a plan that looks some up is refused. A
 * record's number counts through all topics. TRANSFORM's command runs. */
struct trial_topic { /* each of the plan's, by number */
    const struct slice *records;
    uint32_t count;
};
struct trial {
    void *ctx;
    err_t (*row)(void *ctx, const struct column *outputs, uint32_t count, uint32_t row,
                 uint32_t record);
    err_t (*dead)(void *ctx, uint32_t record, struct slice reason, struct slice expression);
};
MUST_CHECK err_t stream_trial(const struct plan_stream *p, const struct trial_topic *topics,
                              struct store *tables, int64_t now_ms, const struct trial *into,
                              struct ledger *ledger, struct diag *d);

/* --- previews: a stream's rows while records come, kept nowhere ------------------------------- */
struct watch_options {
    uint32_t last;      /* begins so many records before the topics' ends; 0: with the next one */
    bool whole;         /* where rows change: tell all of them each time, not only what changed */
    int64_t refresh_ms; /* at least so long from one telling to the next; 0: 100 */
    size_t memory_max; /* of state and rows, each; 0: 64 MiB: then the preview ends with an error */
};
struct watch_into {
    void *ctx;
    /* Once; names and types live until stream_watch returns. */
    err_t (*head)(void *ctx, const struct slice *names, const struct type *const *types,
                  uint32_t count);
    /* Rows that came (sign 1) or are no more (-1). */
    err_t (*rows)(void *ctx, const struct column *columns, uint32_t column_count, uint32_t rows,
                  int sign);
    err_t (*told)(void *ctx); /* after each telling: a picture is whole */
    /* Once: a record could not be used. */
    void (*dead)(void *ctx, struct slice reason, struct slice expression);
};
/* Until `limits` say stop, which is no failure. Blocking, on the caller's thread. The plan looks up
 * no table and runs no command: ERR_UNSUPPORTED. */
MUST_CHECK err_t stream_watch(struct log *l, const struct plan_stream *p,
                              const struct query_limits *limits, const struct watch_options *o,
                              const struct watch_into *into, struct diag *d);
