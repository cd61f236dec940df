/* sql/plan: what the binder hands to the rest of the house: names resolved, types known, nothing to
 * look up at run time. A plan is immutable and lives in the arena it was bound in.
 */
#pragma once
#include "data/json.h"

/* --- the catalog port: who knows which names exist (declared here, given by the caller) ------- */

enum relation_kind { RELATION_TOPIC, RELATION_TABLE, RELATION_VIEW };

struct sql_column {
    struct slice name;
    const struct type *type;
    uint8_t key;       /* 0 no, 1 partition key, 2 clustering */
    uint16_t position; /* within the partition key, or the clustering columns: from 0 */
    bool descending;   /* CLUSTERING ORDER BY (… DESC) */
    bool is_static;
};
struct sql_relation {
    enum relation_kind kind;
    struct slice keyspace, name;
    const struct sql_column *columns; /* a table's: key columns first, in the key's order */
    uint32_t column_count;
    bool open;         /* a topic of undeclared JSON: every other name is a path of type json */
    struct slice time; /* a topic: WATERMARK FOR time DELAY …; at NULL: none declared */
    int64_t delay_ms;
};
struct tree;
struct sql_function { /* CREATE FUNCTION name(params) [RETURNS type] AS expression */
    struct slice name;
    const struct sql_column *params; /* name and type */
    uint32_t param_count;
    const struct type *returns;    /* NULL: as the expression has it */
    const struct tree *expression; /* statement.expression; outlives what is bound with it */
};
struct sql_catalog {
    void *ctx;
    /* keyspace.at == NULL: as written without one (a topic, or a table of the session's keyspace)
     */
    const struct sql_relation *(*find)(void *ctx, struct slice keyspace, struct slice name);
    /* All names, for "did you mean"; fills out[max], answers how many. */
    size_t (*names)(void *ctx, const char **out, size_t max);
    /* A function of the user's; NULL (also the pointer): there is none. */
    const struct sql_function *(*function)(void *ctx, struct slice name);
};

/* --- what a plan reads ------------------------------------------------------------------------ */

enum input_kind {
    INPUT_PATH,      /* into the record's value, which is JSON */
    INPUT_KEY,       /* _key: text; null when the record has none */
    INPUT_VALUE,     /* _value: json, the whole value as it came */
    INPUT_TIMESTAMP, /* _timestamp: timestamp */
    INPUT_OFFSET,    /* _offset: bigint */
    INPUT_PARTITION, /* _partition: int */
    INPUT_TOPIC,     /* _topic: text */
    INPUT_COLUMN     /* a table's column */
};

struct plan_input { /* one column of the batch that expressions see, at its own index */
    enum input_kind kind;
    struct json_want path; /* INPUT_PATH: of the record's value */
    uint32_t column;       /* INPUT_COLUMN: index into the relation's columns */
    const struct type *type;
    struct slice text; /* as written, for messages: "location.postcode" */
};

/* --- expressions ------------------------------------------------------------------------------ */

struct expr; /* bound, typed, immutable */
const struct type *expr_type(const struct expr *e);
void expr_print(const struct expr *e, struct buf *out);

/* What an expression is made of, for who judges plans: parts.c. */
enum expr_part_kind {
    EXPR_PART_COLUMN, /* a column of the input is read */
    EXPR_PART_CALL,   /* a function is called */
    EXPR_PART_TRY,    /* TRY_CAST: null instead of a fault */
    EXPR_PART_TRUTH,  /* a comparison, LIKE, IN …: of what is inside only a yes or no goes on */
    EXPR_PART_OTHER
};
struct expr_part {
    enum expr_part_kind kind;
    uint32_t column;               /* COLUMN */
    const char *name;              /* CALL */
    bool fresh;                    /* CALL: answers differently each time */
    struct slice text;             /* as written */
    const struct expr_part *outer; /* what it stands in; NULL: nothing */
};
/* Each part, the outer ones first; `each` answers whether to look inside of it. */
void expr_parts(const struct expr *e, bool (*each)(void *ctx, const struct expr_part *p),
                void *ctx);

struct eval_context { /* what is given, never taken: the same inputs give the same outputs */
    int64_t now_ms;   /* the epoch's recorded time */
    uint64_t
        epoch; /* uuid() derives from stream, epoch, partition, offset; a query counts batches */
    uint32_t stream;
    const int64_t *offsets; /* a row; NULL in bounded queries */
    const int32_t *partitions;
    struct slice topic;
    const uint8_t *active; /* a row: 0 is left out, its result means nothing; NULL: all */
};
/* Evaluates over the rows of `in` (its columns are the plan's inputs). `out` lives in in->arena, or
 * is an input's column itself: read it only. A row that fails gets ERROR_VALUE and a fault in `in`;
 * the others go on. A condition is boolean. A row is bad when a result's state is ERROR_VALUE
 * there; the fault only tells why: one may also stand for a branch that was not taken. */
MUST_CHECK err_t expr_eval(const struct expr *e, const struct eval_context *x,
                           struct column_batch *in, struct column *out);

/* --- plans: a tree of nodes -------------------------------------------------------------------
 *
 * A node takes the rows of its inputs and gives rows of its own columns. Expressions of a node
 * read the columns of its input by place (a JOIN's: the left one's columns, then the right one's).
 * A stream's rows come and go: a row may be taken back (a group's count that has changed). Such
 * nodes say `changes`; what they give and take back has the same columns.
 *
 * Bounded queries and streams are the same nodes: in a query every input ends, a GROUP tells its
 * groups at the end, a JOIN's state lives in memory. What only one of both can do is said below
 * and refused by the binder.
 */

enum node_kind {
    NODE_ONE,       /* one row without columns: SELECT 1 */
    NODE_TOPIC,     /* the records of a topic */
    NODE_TABLE,     /* bounded: the rows of a table or view */
    NODE_ROWS,      /* row by row: WHERE, then CHECKs, then outputs */
    NODE_UNNEST,    /* a list's elements become rows */
    NODE_WINDOW,    /* TUMBLE or HOP without a GROUP BY of its window: a row once a window */
    NODE_GROUP,     /* GROUP BY and aggregates, perhaps within windows */
    NODE_JOIN,      /* two inputs by equal keys */
    NODE_LOOKUP,    /* each row with the rows of a table of the same key, as the table is now */
    NODE_UNION,     /* UNION ALL */
    NODE_DISTINCT,  /* the first row of each key; streams: within the watermark or for ever */
    NODE_TOP,       /* the first n rows of each key by an order */
    NODE_OVER,      /* bounded: window functions */
    NODE_SORT,      /* bounded: ORDER BY, OFFSET, LIMIT */
    NODE_TRANSFORM, /* a command of the user's, JSON lines to and fro */
    NODE_KINDS
};
extern const char *const node_names[NODE_KINDS]; /* "rows", "group" … */

struct plan_output {
    struct slice name;
    const struct type *type;
    const struct expr *value;
};
struct plan_column {
    struct slice name;
    const struct type *type;
};
struct plan_order {
    uint32_t output; /* a column of the input */
    bool descending, nulls_first;
};

enum check_action { CHECK_DEAD_LETTER, CHECK_SKIP, CHECK_FAIL, CHECK_NULL };
struct plan_check {
    const struct expr *condition; /* true passes; false and null do not */
    enum check_action action;
    struct slice text; /* as written */
    /* CHECK_NULL: the outputs that become null: those made of a field the condition reads. Never
     * a key column. */
    const uint32_t *nulls;
    uint32_t null_count;
};

/* The aggregates of sql/aggregates.def: kind is a row of it. */
struct aggregate;
struct plan_aggregate {
    const struct aggregate *of;
    const struct expr *const *args; /* in the types the row asks for; count(*): none */
    uint32_t arg_count;
    const struct expr *filter; /* FILTER (WHERE …): boolean; NULL: every row */
    bool distinct;
    bool takes_back;         /* rows of its input may be taken back: min() keeps all values then.
                              * Set by who runs it */
    const struct type *type; /* of its result */
    struct slice text;       /* as written */
};

enum window_kind { WINDOW_NONE, WINDOW_TUMBLE, WINDOW_HOP, WINDOW_SESSION };
struct plan_window {
    enum window_kind kind;
    uint32_t time;             /* which column of the input: a timestamp */
    int64_t size_ms, slide_ms; /* TUMBLE: the same; SESSION: size_ms is the gap */
    int64_t offset_ms;
};
enum join_kind {
    JOIN_INNER,
    JOIN_LEFT,
    JOIN_RIGHT,
    JOIN_FULL,
    JOIN_SEMI, /* left rows that have a match; columns: the left one's alone */
    JOIN_ANTI, /* left rows that have none */
    JOIN_CROSS
};
enum emit { EMIT_ON_CHANGE, EMIT_ON_CLOSE };
enum rank_kind { RANK_ROW_NUMBER, RANK_RANK, RANK_DENSE_RANK };

struct plan_node {
    enum node_kind kind;
    uint32_t id;       /* its place in the tree, inputs first, from 0 */
    uint32_t state_id; /* its place among those with state: names its state on the store */
    const struct plan_node *const *inputs;
    uint32_t input_count;
    const struct plan_column *columns; /* what it gives */
    uint32_t column_count;
    bool stateful; /* it remembers rows between epochs */
    bool changes;  /* it takes rows back */
    /* Which column holds the time that watermarks speak of (a timestamp): rows older than the
     * watermark are late for who keeps time. -1: none. A window's rows have window_time. */
    int32_t time;
    /* Columns that tell its rows apart: of two rows with the same key the later one counts.
     * key_count 0: none known. */
    const uint32_t *key;
    uint32_t key_count;
    uint64_t shape;    /* hash of what its state depends on: equal shapes can read each other's */
    struct slice text; /* as written, for messages */
    union {
        struct plan_topic {
            const struct sql_relation *relation;
            const struct plan_input *inputs; /* columns[i] is inputs[i] */
            uint32_t input_count;
            uint32_t number;  /* of the plan's topics, from 0 in the order of ids */
            int64_t delay_ms; /* of the watermark; node.time says of which column */
        } topic;
        struct plan_table {
            const struct sql_relation *relation;
            const struct plan_input *inputs; /* INPUT_COLUMN each */
            uint32_t input_count;
            /* WHERE fixed these leading key columns of the table: all of the partition key, then
             * clustering columns; in the table's types. The condition above still holds it. */
            const struct value *key;
            uint32_t key_count;
        } table;
        struct plan_rows {
            const struct expr *where; /* NULL: every row; false and null are filtered */
            const struct plan_check *checks;
            uint32_t check_count;
            const struct plan_output *outputs; /* columns[i] is outputs[i] */
            uint32_t output_count;
        } rows;
        struct plan_unnest {          /* columns: the input's, the element's, [ordinality bigint] */
            const struct expr *value; /* a list, set, or json array */
            bool outer;               /* a row without elements goes on with nulls */
            bool ordinality;          /* from 1 */
        } unnest;
        struct plan_window window; /* WINDOW. columns: the input's, window_start, window_end,
                                    * window_time (the end less 1 ms) */
        struct plan_group {
            /* columns: with a window window_start, window_end, window_time first; then the keys,
             * then the aggregates */
            struct plan_window window;
            const struct expr *const *keys;
            uint32_t key_count;
            const struct plan_aggregate *aggregates;
            uint32_t aggregate_count;
            enum emit emit;  /* streams: after each epoch that changed it, or when the watermark
                              * has passed the window's end */
            int64_t ttl_ms;  /* streams without a window: a group nobody touched so long (in the
                              * input's time) is forgotten; 0: never */
            bool takes_back; /* the input changes: aggregates must take rows back */
        } group;
        struct plan_join {
            enum join_kind kind;
            const struct expr *const *left_keys, *const *right_keys; /* of the same types; a null
                                                                      * key matches nothing */
            uint32_t key_count;
            const struct expr *condition; /* over both rows; NULL: none */
            /* left.time + low_ms <= right.time <= left.time + high_ms; false: for ever */
            bool bounded;
            int64_t low_ms, high_ms;
            int64_t ttl_ms; /* not bounded: a row is forgotten after so long; 0: never */
        } join;
        struct plan_lookup { /* columns: the input's, then `inputs` of the table */
            const struct sql_relation *relation;
            const struct plan_input *inputs; /* INPUT_COLUMN each */
            uint32_t input_count;
            const struct expr *const *key; /* leading key columns: all of the partition key at
                                            * least, in the table's types */
            uint32_t key_count;
            const struct expr *condition; /* over both rows; NULL: none */
            bool outer;                   /* LEFT JOIN */
        } lookup;
        struct plan_distinct {  /* columns: the input's */
            const uint32_t *by; /* columns of the input */
            uint32_t by_count;
            bool within_watermark; /* forgets a key once the watermark has passed its first row's
                                    * time by keep_ms; else for ever, or ttl_ms */
            int64_t keep_ms, ttl_ms;
        } distinct;
        struct plan_top { /* columns: the input's [, the rank as bigint] */
            enum rank_kind rank;
            const struct expr *const *keys;
            uint32_t key_count;
            const struct plan_order *order;
            uint32_t order_count;
            int64_t limit; /* rank <= limit */
            bool tells_rank;
            int64_t ttl_ms;
        } top;
        struct plan_over { /* columns: the input's, then one a function; all over one window */
            const struct expr *const *keys;
            uint32_t key_count;
            const struct plan_order *order;
            uint32_t order_count;
            bool frame, frame_rows; /* as struct over_tree has them */
            int64_t frame_low, frame_high;
            const struct plan_over_function {
                enum over_kind {
                    OVER_AGGREGATE,
                    OVER_ROW_NUMBER,
                    OVER_RANK,
                    OVER_DENSE_RANK,
                    OVER_PERCENT_RANK,
                    OVER_CUME_DIST,
                    OVER_NTILE,
                    OVER_LAG,
                    OVER_LEAD,
                    OVER_FIRST_VALUE,
                    OVER_LAST_VALUE,
                    OVER_NTH_VALUE
                } kind;
                struct plan_aggregate aggregate; /* AGGREGATE; of the others only args and type */
            } * functions;
            uint32_t function_count;
        } over;
        struct plan_sort {
            const struct plan_order *order;
            uint32_t order_count;
            int64_t limit, offset; /* limit -1: none */
            uint32_t hidden;       /* so many columns at the end only serve the order: dropped */
        } sort;
        struct plan_transform { /* columns: what the command answers */
            struct slice command;
            const struct plan_output *outputs; /* sent to it as one JSON object a line */
            uint32_t output_count;
        } transform;
    };
};

/* What a stream's WITH (…) says. */
struct stream_settings {
    enum { TRIGGER_AT_ONCE, TRIGGER_EVERY, TRIGGER_AVAILABLE_NOW } trigger;
    int64_t every_ms;
    enum { OUTPUT_UPDATE, OUTPUT_APPEND, OUTPUT_COMPLETE } mode;
    enum { LATE_COUNT, LATE_DEAD_LETTER } late; /* late rows are counted, or dead letters too */
    int64_t idle_ms;  /* a partition silent so long holds no watermark; 0: 10 s; negative: never */
    bool from_latest; /* starts at the topic's end, not its beginning */
    bool lineage;     /* keeps the hidden cell for `why`: yes, where nothing is said */
    /* Where new SQL needs other state: built anew beside the old one and swapped, or not started.
     * USUAL: swapped where the table is the stream's own, a view's. */
    enum { UPGRADE_USUAL, UPGRADE_SWAP, UPGRADE_STOP } upgrade;
};
enum sink_kind { SINK_TABLE, SINK_TOPIC, SINK_NOTHING /* counts: BLACKHOLE */ };

/* CREATE STREAM name INTO table|TOPIC topic [WITH (…)] AS query;
 * CREATE MATERIALIZED VIEW name AS query: into a table of its own, which `view` describes;
 * CREATE SINK name INTO BLACKHOLE AS query. */
struct plan_stream {
    struct slice name;
    enum sink_kind sink;
    /* TABLE: root's columns are columns of it by name, in their types, every key column among
     * them. TOPIC: root's columns are the value's fields; `topic_key` may be one of them. */
    const struct sql_relation *into;
    const struct plan_node *root;
    uint32_t node_count, topic_count;
    const struct plan_node *const *topics; /* by plan_topic.number */
    int32_t topic_key;                     /* -1: records without a key */
    bool writes_every_column;
    bool deterministic; /* no now() or uuid(), no command */
    bool stateful;
    uint64_t sql_version; /* hash of the normalised text: an epoch records it */
    uint64_t shape;       /* of all stateful nodes together */
    struct stream_settings settings;
    struct slice text;   /* as written */
    struct slice script; /* the whole text it stands in: what its names mean */
};

/* A bounded query: root's columns are its answer. */
struct plan_select {
    const struct plan_node *root;
    uint32_t node_count;
};
