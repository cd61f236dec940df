/* flow/op: operators: one a node of the plan, rows pushed from the leaves to the root.
 *
 * A graph is a plan's operators and what they share in an epoch. Rows are pushed in batches; then
 * the watermark advances (windows close, old state goes); then what has changed is told
 * (flush). The state goes into the epoch's write; kept or forgotten as that ends. Never starts an
 * epoch by itself. Loop: one lane. Memory: the epoch's arena, and the lane's state_budget.
 *
 * Whose fate is counted where (docs/flow.md, ledger): rows with a `chunk` are records that nobody
 * has counted yet. The operator that ends their way as records (filters them, holds them, writes
 * them) counts them, and what it gives on from then has no chunk.
 */
#pragma once
#include "flow/flow_int.h"
#include "flow/state.h"

struct rows {
    const struct plan_node *node; /* who gives them: set by op_emit */
    struct column_batch *b;       /* its columns, in the graph's batch arena */
    const uint32_t *selected;     /* which rows go on */
    uint32_t count;
    const uint8_t *active; /* by row: 0 where it does not go on; NULL: `selected` alone tells */
    const int8_t *signs;   /* by row: 1, or -1 for a row taken back; NULL: all are 1 */
    struct inputs *late;   /* some columns may wait for WHERE: inputs_settle; NULL: all are there */
    struct chunk *chunk;   /* each row of `b` is this chunk's record of the same place; NULL: not */
    uint32_t topic;        /* plan_topic.number, where there is a chunk */
    /* By row: the record a row was made of; NULL: of several. */
    const int32_t *partitions;
    const int64_t *offsets, *times; /* times: the record's own (Kafka's timestamp) */
};

struct graph;
struct op;
struct op_kind {
    err_t (*open)(struct op *o, struct diag *d); /* sets o->self; may be NULL */
    err_t (*push)(struct op *o, uint32_t input, const struct rows *r, struct diag *d);
    /* Every input has told all rows up to this time. Called leaves first; again with the same time
     * where not all could go in one epoch (op_may_close). NULL: nothing to do. */
    err_t (*advance)(struct op *o, int64_t watermark, struct diag *d);
    /* The epoch's rows are all pushed, its watermark advanced: tells what has changed. `end`: a
     * bounded query's inputs have ended. Leaves first. In advance and flush an operator finds the
     * batch arena empty, and may reset it when op_emit has returned: nobody keeps what is in it. */
    err_t (*flush)(struct op *o, bool end, struct diag *d);
    err_t (*write)(struct op *o, struct store_write *w, struct diag *d);
    void (*kept)(struct op *o);
    void (*forget)(struct op *o);
    void (*close)(struct op *o);
    void (*tell)(const struct op *o, struct state_stats *out); /* for status; NULL: stateless */
};
struct op {
    const struct op_kind *kind;
    const struct plan_node *node;
    struct graph *graph;
    struct op *out; /* who takes its rows, as which input; NULL: the graph's end */
    uint32_t out_input;
    void *self;
    uint64_t rows_in, rows_out, late; /* of this epoch and all before since the start */
    int64_t spent_ns;                 /* at work, without who takes its rows; the same span */
};
extern const struct op_kind op_join, op_lookup, op_union, op_distinct, op_top, op_unnest, op_sort,
    op_over, op_group, op_window, op_transform;
extern const struct op_kind *const op_kinds[NODE_KINDS]; /* NULL: not for graphs */
/* At most CHUNK_ROWS rows a batch, but where rows come of one batch that has more. */
MUST_CHECK err_t op_emit(struct op *o, const struct rows *r, struct diag *d); /* to who is next */
/* The same for rows that are counted as given, and were shown, already. */
MUST_CHECK err_t op_give(struct op *o, const struct rows *r, struct diag *d);

struct graph_options {
    const struct plan_node *root;
    uint32_t node_count;
    struct store *store; /* tables and state; NULL: a trial, state in memory only */
    struct log *log;
    bool bounded;      /* a query: state in memory only */
    bool scratch;      /* a stream's plan run aside: tables are read, state is in memory only */
    uint32_t stream;   /* its number */
    struct slice name; /* for messages */
    size_t memory_max;
    void *ctx;
    err_t (*end)(void *ctx, const struct rows *r, struct diag *d); /* the root's rows */
    /* A row that can not go on and is no record: its columns as JSON are the raw bytes. */
    err_t (*dead)(void *ctx, err_t e, struct slice reason, struct slice expression,
                  struct slice raw, struct diag *d);
    bool (*stopping)(void *ctx);
    bool (*closed_enough)(void *ctx); /* graph_close_some: the epoch's write is full enough */
    bool late_letters;                /* late rows leave a dead letter too: op_late */
    /* Sees what each operator gives before anybody takes it, and may narrow the selection (in the
     * batch's arena). NULL: nobody asks. */
    err_t (*tap)(void *ctx, struct op *from, struct rows *r, struct diag *d);
    bool feeds; /* a feeder's (feed.h): only what comes before state, whose rows are the end's */
};
struct event_times {
    uint64_t count;
    int64_t least, greatest;
    double sum;
};
struct graph {
    struct graph_options o;
    struct op *ops; /* by node id: inputs first */
    uint32_t op_count;
    struct state_budget budget;
    /* the epoch at hand */
    struct eval_context x;
    struct counter *counter;
    struct arena *arena;      /* a batch's: reset by who feeds the graph, between batches */
    int64_t watermark;        /* at the epoch's start: what is older than this is late */
    int64_t sequence;         /* of rows made in this epoch, for uuid() where there is no record */
    struct event_times times; /* of the epoch's records, where somebody keeps time */
    /* What closes at this epoch's end. Normally all of it, whole. */
    bool by_entry;         /* entry by entry: each asks op_may_close */
    bool cut;              /* one of them may not: it and all behind it stay for a later epoch */
    bool flushing;         /* entries that go in advance stand before those that go in flush */
    uint64_t closed;       /* so many went, where by_entry … */
    uint64_t close_max;    /* … and no more may; UINT64_MAX */
    struct slice close_at; /* recorded: those before this place, and no others; at NULL: any */
    struct buf cut_at;     /* the place of the first that stays */
    bool keeps_time;
    struct arena *texts; /* of expressions, for letters: for the graph's life */
    bool done;           /* bounded: the limit is reached, no more input is needed */
    struct op end;       /* who takes the root's rows: what it takes, and how long */
    struct op *turn;     /* who is at work, since turn_ns; NULL: nobody */
    int64_t turn_ns;
};
/* The time up to now was who was at work's; from now on it is `to`'s. Answers who it was. */
struct op *graph_turn(struct graph *g, struct op *to);
MUST_CHECK err_t graph_new(const struct graph_options *o, struct graph **out, struct diag *d);
void graph_free(struct graph *g);
void graph_begin(struct graph *g, int64_t now_ms, uint64_t epoch, int64_t watermark,
                 struct counter *counter, struct arena *arena);
/* Records of one topic: decoded, and on their way. */
MUST_CHECK err_t graph_push(struct graph *g, uint32_t topic, struct chunk *c, struct diag *d);
/* A bounded query's leaf that is no topic: rows of TABLE or ONE, by node id. */
MUST_CHECK err_t graph_push_rows(struct graph *g, uint32_t node, struct column_batch *b,
                                 struct diag *d);
/* graph_feed.c: a feeder's graph has the operators before the first one that remembers something;
 * the owner's takes their rows over. A GROUP whose groups may be gathered in parts (group_part.c)
 * is in both. */
extern const struct op_kind op_beyond;             /* in a feeder's graph: what is the owner's */
bool node_feeds(const struct plan_node *n);        /* it, and all before it, is a feeder's work */
bool graph_can_feed(const struct plan_node *root); /* some of the plan is */
/* In a feeder's graph: these rows, which came to `o`, are the owner's as they are. */
MUST_CHECK err_t graph_pass(struct op *o, const struct rows *r, struct diag *d);
/* Rows that a feeder's graph ended with, on their way in the owner's. */
MUST_CHECK err_t graph_take(struct graph *g, struct slice topic, const struct rows *r,
                            struct diag *d);
/* An epoch begins in a feeder's graph: it works as the owner's says. */
void graph_agree(struct graph *feeder, const struct graph *owner);
/* Groups that were gathered: a list (group.h), those larger than their bound, or all. Then the
 * owner's: given to its groups, and freed. */
struct group_part;
void group_parts_free(struct group_part *parts);
struct group_part *graph_parts(struct graph *feeder, bool all);
MUST_CHECK err_t graph_take_parts(struct graph *g, struct group_part *parts, struct diag *d);
/* What the feeder's operators counted is the owner's. */
void graph_add_counts(struct graph *g, struct graph *feeder);
void graph_add_times(struct graph *g, const struct event_times *t);

bool graph_reads_value(const struct graph *g, uint32_t topic); /* the records' own values */
/* The events' times of the topic's last push: the greatest; INT64_MIN: none had one. */
int64_t graph_time_seen(const struct graph *g, uint32_t topic);
MUST_CHECK err_t graph_advance(struct graph *g, int64_t watermark, struct diag *d);
MUST_CHECK err_t graph_flush(struct graph *g, bool end, struct diag *d);
MUST_CHECK err_t graph_write(struct graph *g, struct store_write *w, struct diag *d);
/* Between graph_begin and graph_advance. What closes may be more than the epoch's write takes: it
 * goes by entry, in the order of its places (phase, node, part, time, key), until
 * options.closed_enough, `most` (0: any number), or, as it was recorded, up to that place. */
void graph_close_some(struct graph *g, uint64_t most);
MUST_CHECK err_t graph_close_until(struct graph *g, struct slice cut, struct diag *d);
struct slice graph_cut(const struct graph *g); /* the place; empty where all has closed */
void graph_kept(struct graph *g);
void graph_forget(struct graph *g);

/* Counts records' fates: only where there is a chunk (see above). */
void op_count(struct op *o, enum ledger_term t, int64_t n);
struct slice op_print(struct op *o, const struct expr *e); /* as SQL, for letters; when opening */
/* The row can not go on: its record becomes a dead letter, or, where it is no record, a letter of
 * its columns. */
MUST_CHECK err_t op_dead(struct op *o, const struct rows *r, uint32_t row, err_t e,
                         struct slice reason, struct slice expression, struct diag *d);
/* Whether a column of the row could not be made. Who keeps rows as bytes asks first: there it would
 * be a null. */
bool op_is_hurt(const struct rows *r, uint32_t row);
/* … in which column of the stream's, where one is to blame: after op_dead. */
void op_dead_column(const struct rows *r, uint32_t row, struct slice column);
/* The row came too late: counted, and a letter where the stream wants them. Its way ends. */
MUST_CHECK err_t op_late(struct op *o, const struct rows *r, uint32_t row, struct diag *d);
/* An expression over a batch, as of this epoch; for rows of this `r`. */
MUST_CHECK err_t op_eval(struct op *o, const struct expr *e, const struct rows *r,
                         struct column *out, struct diag *d);
/* What the operator remembers in its `part`: on the graph's store, in memory alone for a query. */
MUST_CHECK err_t op_state_open(struct op *o, uint8_t part, const struct state_form *form, void *ctx,
                               struct state **out, struct diag *d);
/* Where g->by_entry: whether this entry of the operator's `part` may go in this epoch. Asked for
 * each in order; one that may not stays, with all behind it, and the walk ends with ERR_STOPPED,
 * which op_cut_ok forgives. */
bool op_may_close(struct op *o, uint8_t part, const void *entry);
err_t op_cut_ok(const struct op *o, err_t e);
/* Of entries before this time all go, or, by entry, as many as may. */
MUST_CHECK err_t op_remove_until(struct op *o, uint8_t part, struct state *s, int64_t until,
                                 struct diag *d);
/* Bytes equal for equal values of these columns; a null is one too. */
void op_key(struct buf *out, const struct column *columns, uint32_t count, uint32_t row);
/* Bytes in the rows' order: `columns` are those that the order counts. Resets `out`. */
MUST_CHECK err_t op_order_key(struct buf *out, const struct plan_order *order, uint32_t count,
                              const struct column *columns, uint32_t row);
/* The selected rows alone, side by side, as columns in the arena. */
MUST_CHECK err_t rows_dense(const struct rows *r, struct arena *a, struct column **out);
