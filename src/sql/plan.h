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
    bool open; /* a topic of undeclared JSON: every other name is a path of type json */
};
struct sql_catalog {
    void *ctx;
    /* keyspace.at == NULL: as written without one (a topic, or a table of the session's keyspace)
     */
    const struct sql_relation *(*find)(void *ctx, struct slice keyspace, struct slice name);
    /* All names, for "did you mean"; fills out[max], answers how many. */
    size_t (*names)(void *ctx, const char **out, size_t max);
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

struct eval_context { /* what is given, never taken: the same inputs give the same outputs */
    int64_t now_ms;   /* the epoch's recorded time */
    uint64_t
        epoch; /* uuid() derives from stream, epoch, partition, offset; a query counts batches */
    uint32_t stream;
    const int64_t *offsets; /* a row; NULL in bounded queries */
    const int32_t *partitions;
    struct slice topic;
};
/* Evaluates over all rows of `in` (its columns are the plan's inputs). `out` lives in in->arena, or
 * is an input's column itself: read it only. A row that fails gets ERROR_VALUE and a fault in `in`;
 * the others go on. A condition is boolean. A row is bad when a result's state is ERROR_VALUE
 * there; the fault only tells why: one may also stand for a branch that was not taken. */
MUST_CHECK err_t expr_eval(const struct expr *e, const struct eval_context *x,
                           struct column_batch *in, struct column *out);

/* --- plans
 * ------------------------------------------------------------------------------------------------
 */

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
struct plan_output {
    struct slice name;
    const struct type *type;
    const struct expr *value;
};

struct plan_stream { /* CREATE STREAM name INTO table AS SELECT … FROM topic [WHERE] [CHECK …] */
    struct slice name;
    const struct sql_relation *from, *into;
    const struct plan_input *inputs;
    uint32_t input_count;
    const struct expr *where; /* NULL: every row; false and null are filtered */
    const struct plan_check *checks;
    uint32_t check_count;
    const struct plan_output *outputs; /* in the table's types; every key column is among them */
    uint32_t output_count;
    bool writes_every_column;
    bool deterministic;   /* no now() or uuid() */
    uint64_t sql_version; /* hash of the normalised text: an epoch records it */
    struct slice text;    /* as written */
};

/* A bounded query: SELECT … FROM table|topic [WHERE] [GROUP BY] [HAVING] [ORDER BY] [LIMIT].
 *
 * Which batch an expression sees:
 *   the input batch   column i is inputs[i]. Here: where; group_by; aggregates[].value; and, when
 *                     the query is not grouped, the outputs.
 *   the group batch   one row a group; columns 0 … group_count-1 are the group_by values, column
 *                     group_count + k is aggregates[k]'s result. Here, when grouped: having,
 * outputs. Its columns have the types expr_type(group_by[i]) and aggregates[k].type. The steps:
 * rows (those with `key`, or all) -> where -> [group] -> [having] -> outputs, hidden ones too ->
 * distinct over the visible ones -> order -> offset -> limit. Without FROM: one row, no inputs. A
 * grouped query without group_by has one group, even of no rows. */
struct plan_select {
    const struct sql_relation *from; /* NULL: no FROM */
    const struct plan_input *inputs;
    uint32_t input_count;
    /* WHERE fixed these leading key columns of the table: all of the partition key, then clustering
     * columns; in the table's types. `where` still holds the whole condition. 0: scan. */
    const struct value *key;
    uint32_t key_count;
    const struct expr *where;          /* NULL: every row; a row in error is a failed query */
    const struct plan_output *outputs; /* output_count visible ones, then hidden_count more */
    uint32_t output_count, hidden_count;
    bool grouped;
    const struct plan_aggregate *aggregates;
    uint32_t aggregate_count;
    const struct expr *const *group_by;
    uint32_t group_count;
    const struct expr *having;      /* NULL: every group */
    const struct plan_order *order; /* of the outputs, hidden ones counted on: null is greatest */
    uint32_t order_count;
    bool distinct;
    int64_t limit, offset; /* limit -1: none */
};
struct plan_aggregate {
    enum { AGG_COUNT, AGG_COUNT_DISTINCT, AGG_SUM, AGG_MIN, AGG_MAX, AGG_AVG } kind;
    const struct expr *value; /* NULL: count(*). SUM: bigint or double; AVG: double */
    const struct type *type;  /* COUNT: bigint; AVG: double; the others: the value's */
};
struct plan_order {
    uint32_t output;
    bool descending;
};
