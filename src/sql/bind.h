/* sql/bind: names become columns, types are decided, a tree of plan nodes comes out. Private to
 * sql.
 *
 * Three steps. A SELECT is bound into `struct logic`: nodes whose expressions speak of attributes
 * (a column of some node, numbered once in the statement), never of places. Conditions sink to
 * where they can stand (bind_push.c). At last only what is asked for is given places
 * (bind_lower.c).
 *
 * Sticky like the parser: the first mistake is told and sets `err`; after it everything answers
 * NULL. An expression whose type is NULL is not decided yet: a field of an open topic, NULL, or a
 * CASE or COALESCE of such; its context decides (bind_coerce), else bind_settle makes it json.
 */
#pragma once
#include "sql/functions.h"

enum { BIND_QUERY_DEPTH_MAX = 32, BIND_NODES_MAX = 1000, BIND_ATTRS_MAX = 20000 };
static const uint32_t NO_ATTR = UINT32_MAX;

struct logic;
struct attr { /* a column of some node */
    struct slice name;
    const struct type *type;
    struct logic *owner;
    enum { ATTR_PLAIN, ATTR_WINDOW_START, ATTR_WINDOW_END, ATTR_WINDOW_TIME } role;
    uint32_t window;           /* role: of which window, from 1 … */
    int64_t size_ms;           /* … so long; 0: a session */
    bool constant;             /* the same in all rows */
    const struct type *fields; /* from_json: json that is declared to be this struct */
};

/* A node while it is bound: node's numbers of columns are attributes, its inputs not set. */
struct logic {
    struct plan_node node;
    struct logic **ins;
    uint32_t in_count;
    uint32_t *attrs; /* its own: a leaf's inputs, outputs, a group's columns, what a node adds */
    uint32_t attr_count, attr_cap;
    uint32_t visible;             /* so many of attrs can be named; the others only carry time */
    const struct from_tree *from; /* WINDOW: as written */
    struct logic *table;          /* LOOKUP: the leaf that it was */
    uint32_t **arms;              /* UNION: each input's attributes, by place */
    bool passes;                  /* gives its inputs' columns too (filters, joins, windows …) */
    uint32_t time;                /* attribute: ask logic_time; NO_ATTR */
    bool one_row;                 /* at most one */
    bool matched;                 /* JOIN: has its keys and bounds */
    bool attached;                /* GROUP: its keys hold the window of a sub-select */
};

struct range_column {
    struct slice name;
    uint32_t attr;
};
struct range {                           /* what a name in FROM stands for */
    struct slice alias;                  /* at NULL: nobody can name it */
    const struct sql_relation *relation; /* with `leaf`; NULL: only columns */
    struct logic *leaf;
    struct range_column *columns; /* beside the relation's own */
    uint32_t column_count;
    bool window; /* its columns are a window's: * gives them last */
};
struct merged { /* JOIN … USING: one name for two columns */
    struct slice name;
    struct expr *value;
};
struct scope {
    struct range **ranges;
    uint32_t count, cap;
    struct merged *merged;
    uint32_t merged_count;
};

struct group { /* where outputs are evaluated after grouping */
    struct logic *logic;
    const struct tree **keys;
    const struct expr **key_exprs;
    const struct expr **raw_keys; /* before their type was decided */
    uint32_t *key_attrs;
    uint32_t key_count;
    const struct tree *window; /* GROUP BY TUMBLE(…), window(…): as written */
    bool windowed;             /* the window stands below, as TUMBLE(t, …) */
    uint32_t attached;         /* a sub-select's rows are of this window; 0: they are not */
    struct plan_window spec;   /* in any of these cases */
    uint32_t window_attrs[3];
    struct expr *above; /* conditions on the window's columns */
    struct plan_aggregate *aggregates;
    const struct tree **aggregate_trees;
    uint32_t *aggregate_attrs;
    uint32_t aggregate_count, aggregate_cap;
};
struct overs {                   /* the window functions of one SELECT */
    struct logic *in, *extended; /* what is below them; that with computed columns */
    struct logic *logics[16];    /* one a window */
    const struct over_tree *windows[16];
    uint32_t count;
    const struct tree **trees;
    uint32_t *attrs;
    uint32_t tree_count, tree_cap;
};
struct named_query { /* WITH name AS (…) */
    struct slice name;
    const struct query_tree *query;
    const struct named_query *before;
};
struct called { /* a function of the user's that is being taken in */
    const struct called *outer;
    const struct sql_function *of;
    struct expr **args;
};

struct binder {
    const struct statement *statement;
    const struct sql_catalog *catalog;
    const struct dialect *dialect;
    const char *file;
    struct arena *arena;
    struct diag *d;
    err_t err;
    bool stream, view; /* what is bound: CREATE STREAM …, CREATE MATERIALIZED VIEW */
    int64_t state_ttl_ms;
    struct attr *attrs;
    uint32_t attr_count, attr_cap;
    uint32_t node_count, window_count, depth;
    struct scope *scope; /* NULL: no FROM */
    const struct named_query *with;
    const struct called *called;
    struct group *group;       /* not NULL: names must be grouped or inside an aggregate */
    struct overs *overs;       /* where window functions may stand */
    const char *no_aggregates; /* "WHERE": aggregates are refused here */
    uint32_t calls;            /* of uuid() and its like so far */
    bool fresh;                /* there were such */
};

/* --- mistakes and memory (bind.c) ------------------------------------------------------------- */
void bind_fail(struct binder *b, struct slice place, err_t e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void bind_hint(struct binder *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void *bind_take(struct binder *b, size_t size);
/* `items` with room for one more; NULL: a mistake was told. */
void *bind_room(struct binder *b, void *items, uint32_t count, uint32_t *cap, size_t size);
struct expr *bind_node(struct binder *b, enum expr_kind kind, const struct tree *t,
                       const struct type *type, uint32_t arg_count);
const char *bind_type_name(const struct binder *b, const struct type *t); /* "list<int>" */

/* --- nodes and attributes (bind.c) ------------------------------------------------------------ */
struct logic *logic_new(struct binder *b, enum node_kind kind, struct logic *in, struct slice text);
struct logic *logic_join(struct binder *b, enum node_kind kind, struct logic *left,
                         struct logic *right, struct slice text);
uint32_t attr_new(struct binder *b, struct logic *owner, struct slice name,
                  const struct type *type); /* the next of owner's attrs */
struct expr *attr_expr(struct binder *b, uint32_t attr, struct slice text);
/* The column that holds the time of l's rows, made when a topic is asked for the first time. */
uint32_t logic_time(struct binder *b, struct logic *l);
/* The node whose attributes l's rows are called by: below filters, DISTINCT, SORT. */
struct logic *logic_shown(struct logic *l);
/* One more output of a ROWS; its attribute. */
uint32_t rows_add(struct binder *b, struct logic *rows, struct slice name, struct expr *value);
bool logic_gives(const struct binder *b, const struct logic *l, uint32_t attr);
/* Whether the expression is one attribute; which. */
bool expr_is_attr(const struct expr *e, uint32_t *attr);
bool expr_reads_only(const struct binder *b, const struct expr *e, const struct logic *l);
bool expr_reads(const struct expr *e);                   /* any attribute */
uint32_t expr_size(const struct expr *e, uint32_t most); /* its nodes; counts to most + 1 */
/* A copy with attributes replaced: by[attr], where that is not NULL. */
struct expr *expr_replaced(struct binder *b, const struct expr *e, struct expr *const *by);
struct expr *expr_all(struct binder *b, struct expr *const *list, uint32_t count); /* AND; NULL */
void expr_split(struct binder *b, struct expr *e, struct expr ***list, uint32_t *count);

/* --- names (bind_name.c) ---------------------------------------------------------------------- */
const struct sql_relation *bind_relation(struct binder *b, struct sql_name name,
                                         struct slice place);
struct expr *bind_name(struct binder *b, const struct tree *t);
struct expr *bind_relation_name(struct binder *b, const struct range *r, struct slice path);
bool expr_same_name(const struct expr *a, const struct expr *b); /* of what bind_name gave */
struct expr *bind_input(struct binder *b, struct slice text, struct logic *leaf,
                        const struct plan_input *wanted);
struct expr *bind_path(struct binder *b, struct expr *path, const struct type *type, bool cast);
/* A column of a range by its place in *: NULL past the end. */
struct expr *range_column(struct binder *b, const struct range *r, uint32_t i, struct slice place,
                          struct slice *name);
bool range_is(const struct range *r, struct slice name);
struct range *scope_add(struct binder *b, struct scope *s);
void bind_unknown_column(struct binder *b, struct slice place, const struct sql_relation *r,
                         struct slice name);
int64_t relation_column(const struct sql_relation *r, struct slice name); /* -1: none */

/* --- types (bind_types.c) --------------------------------------------------------------------- */
struct expr *bind_literal(struct binder *b, const struct tree *t);
struct expr *bind_constant(struct binder *b, const struct tree *t, const struct value *v);
/* `e` as `type`, without loss, or the mistake; `what` for the message: "column id". */
struct expr *bind_coerce(struct binder *b, struct expr *e, const struct type *type,
                         const char *what);
struct expr *bind_cast(struct binder *b, const struct tree *t, struct expr *e,
                       const struct type *type, bool try);
struct expr *bind_widen(struct binder *b, struct expr *e, const struct type *type); /* any number */
struct expr *bind_settle(struct binder *b, struct expr *e); /* what is not decided becomes json */
struct expr *bind_strictly(struct binder *b, struct expr *json, const struct type *type);
/* The one type for all of them; NULL when nothing decides, or a mistake was told. */
const struct type *bind_common(struct binder *b, struct expr *const *list, uint32_t count,
                               const struct tree *t);
bool type_widens(const struct type *from, const struct type *to); /* without loss */
bool type_counts(const struct type *t);  /* a number that arithmetic is done with */
bool type_ordered(const struct type *t); /* ORDER BY can take it */
struct expr *bind_fold(struct binder *b, struct expr *e); /* constant -> its value */
bool expr_is_constant(const struct expr *e);

/* --- expressions (bind_expr.c, bind_call.c, bind_aggregate.c, bind_over.c, bind_function.c) --- */
struct expr *bind_expr(struct binder *b, const struct tree *t);
struct expr *bind_condition(struct binder *b, const struct tree *t, const char *what);
struct expr *bind_compare(struct binder *b, const struct tree *t, enum tree_op op,
                          const struct tree *left, const struct tree *right);
struct expr *bind_call(struct binder *b, const struct tree *t);
/* A time and so many milliseconds. */
struct expr *bind_shift(struct binder *b, const struct tree *t, struct expr *time, int64_t ms);
struct expr *bind_equal(struct binder *b, const struct tree *t, struct expr *left,
                        struct expr *right);
/* A row of functions.def by name, with arguments that suit it. */
struct expr *bind_builtin(struct binder *b, const char *name, struct slice text,
                          struct expr *const *args, uint32_t count);
struct expr *bind_user_call(struct binder *b, const struct tree *t, bool *found);
struct expr *bind_parameter(struct binder *b, const struct tree *t); /* a name inside one */
struct expr *bind_from_json(struct binder *b, const struct tree *t);
/* Something inside a value that no decoder reads. */
struct expr *bind_inside(struct binder *b, const struct tree *t, struct expr *value,
                         const struct type *declared, struct slice name,
                         const struct json_step *steps, uint32_t count);
char bind_letter_at(const char *args, uint32_t i); /* for the i-th argument; 0: no such */
bool bind_count_fits(const char *args, uint32_t count);
const struct type *bind_letter_type(char letter);
void bind_print_letters(const char *args, struct buf *out);
struct expr *bind_aggregate(struct binder *b, const struct tree *t);
bool bind_aggregate_make(struct binder *b, const struct tree *t, struct plan_aggregate *out);
bool tree_is_aggregate(const struct tree *t);
bool tree_has_aggregate(const struct tree *t);

/* --- queries ---------------------------------------------------------------------------------- */
struct wanted { /* what the outputs go into; NULL: nothing is wanted */
    const struct sql_relation *into;
    bool *written;             /* a column of it */
    const struct type **types; /* by place, once the first SELECT has named them */
    struct slice *names;
    uint32_t count;
};
struct logic *bind_select(struct binder *b, const struct select_tree *tree,
                          const struct query_tree *q, struct wanted *w, bool settle);
struct logic *bind_query(struct binder *b, const struct query_tree *q, struct wanted *w);
struct logic *bind_from(struct binder *b, const struct from_tree *f, struct scope *s);
struct logic *bind_join(struct binder *b, const struct from_tree *f, struct scope *s);
struct logic *bind_unnest(struct binder *b, const struct from_tree *f, struct logic *in, bool outer,
                          struct scope *s);
void bind_claim_time(struct binder *b, uint32_t attr); /* of a topic without a watermark */
/* window_start, window_end, window_time of l into out[3]. */
void bind_window_columns(struct binder *b, struct logic *l, const struct plan_window *w,
                         struct range_column *out);
/* A window over l's rows: kind, sizes; its time must be what l's rows have as theirs. */
bool bind_window_time(struct binder *b, struct logic *l, const struct tree *time,
                      struct plan_window *w);
struct logic *bind_filter(struct binder *b, struct logic *in, struct expr *condition);
/* Joins below l get their keys, bounds and lookups (bind_match.c). */
struct logic *bind_match(struct binder *b, struct logic *l);
struct logic *bind_distinct(struct binder *b, struct logic *in, struct slice text);
struct logic *bind_sort(struct binder *b, struct logic *in, const struct query_tree *q,
                        struct plan_order *order, const uint32_t *attrs);
struct expr *bind_wanted(struct binder *b, struct wanted *w, uint32_t i, struct slice name,
                         struct slice place, struct expr *e);
/* GROUP BY (bind_group.c) */
bool bind_group_window(struct binder *b, const struct tree *t, struct group *g, struct logic *in);
struct expr *bind_window_part(struct binder *b, const struct tree *t);
struct logic *bind_group(struct binder *b, struct group *g, struct logic *in,
                         const struct select_tree *s);
void bind_group_done(struct binder *b, struct group *g, struct logic *rows);
struct expr *bind_grouped(struct binder *b, const struct expr *e, struct slice place);
/* OVER (bind_over.c) */
struct expr *bind_over(struct binder *b, const struct tree *t);
void bind_over_done(struct binder *b, struct overs *o, struct logic *rows);
bool bind_interval(struct binder *b, const struct tree *t, int64_t *ms);
struct slice bind_output_name(struct binder *b, const struct select_item *item);
void bind_checks(struct binder *b, const struct select_tree *s, struct logic *rows,
                 const struct wanted *w);
/* ROWS above ROWS become one; json_get of a record's whole value reaches into the decoder. */
void bind_simplify(struct binder *b, struct logic *l);
/* The tree as a plan: sets root, node_count and the topics. */
struct lowered {
    const struct plan_node *root;
    uint32_t node_count;
    const struct plan_node **topics;
    uint32_t topic_count;
    bool one_row;
};
void bind_settings(struct binder *b, const struct sql_options *options,
                   struct stream_settings *out);
/* Topics are asked for their time; groups are told when to tell. Answers whether the last group
 * has a window. */
void bind_times(struct binder *b, struct logic *l);
bool bind_emits(struct binder *b, struct logic *root, enum emit top);
void bind_table_key(struct binder *b, struct logic *rows); /* what WHERE fixes of a table's key */
uint32_t key_column(const struct sql_relation *r, uint8_t role, uint16_t position);
void bind_lower(struct binder *b, struct logic *root, struct lowered *out);
struct binder binder_make(const struct statement *s, const struct sql_catalog *c,
                          enum sql_dialect dialect, const char *file, struct arena *a,
                          struct diag *d);
