/* sql/bind: names become columns, types are decided. Private to sql.
 *
 * Sticky like the parser: the first mistake is told and sets `err`; after it everything answers
 * NULL. An expression whose type is NULL is not decided yet: a field of an open topic, NULL, or a
 * CASE or COALESCE of such; its context decides (bind_coerce), else bind_settle makes it json.
 */
#pragma once
#include "sql/functions.h"

struct group { /* where outputs are evaluated after grouping */
    const struct tree **keys;
    const struct expr **key_exprs;
    uint32_t key_count;
    struct plan_aggregate *aggregates;
    const struct tree **aggregate_trees;
    uint32_t aggregate_count, aggregate_cap;
};

struct binder {
    const struct statement *statement;
    const struct sql_catalog *catalog;
    const struct dialect *dialect;
    const char *file;
    struct arena *arena;
    struct diag *d;
    err_t err;
    const struct sql_relation *from; /* NULL: no FROM */
    struct slice alias;
    struct plan_input *inputs;
    uint32_t input_count, input_cap;
    struct group *group;       /* not NULL: names must be grouped or inside an aggregate */
    const char *no_aggregates; /* "WHERE": aggregates are refused here */
    uint32_t calls;            /* of uuid() and its like so far */
    bool fresh;                /* there were such */
};

/* --- mistakes and memory (bind.c) ------------------------------------------------------------- */
void bind_fail(struct binder *b, struct slice place, err_t e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void bind_hint(struct binder *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void *bind_take(struct binder *b, size_t size);
struct expr *bind_node(struct binder *b, enum expr_kind kind, const struct tree *t,
                       const struct type *type, uint32_t arg_count);
const char *bind_type_name(const struct binder *b, const struct type *t); /* "list<int>" */

/* --- names (bind.c) --------------------------------------------------------------------------- */
const struct sql_relation *bind_relation(struct binder *b, struct sql_name name,
                                         struct slice place);
struct expr *bind_name(struct binder *b, const struct tree *t);
struct expr *bind_input(struct binder *b, const struct tree *t, const struct plan_input *wanted);
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
/* The one type for all of them; NULL when nothing decides, or a mistake was told. */
const struct type *bind_common(struct binder *b, struct expr *const *list, uint32_t count,
                               const struct tree *t);
bool type_widens(const struct type *from, const struct type *to); /* without loss */
bool type_counts(const struct type *t); /* a number that arithmetic is done with */
struct expr *bind_fold(struct binder *b, struct expr *e); /* constant -> its value */
bool expr_is_constant(const struct expr *e);

/* --- expressions (bind_expr.c, bind_call.c) --------------------------------------------------- */
struct expr *bind_expr(struct binder *b, const struct tree *t);
struct expr *bind_condition(struct binder *b, const struct tree *t, const char *what);
struct expr *bind_compare(struct binder *b, const struct tree *t, enum tree_op op,
                          const struct tree *left, const struct tree *right);
struct expr *bind_call(struct binder *b, const struct tree *t);
bool tree_is_aggregate(const struct tree *t);
bool tree_has_aggregate(const struct tree *t);

/* --- statements ------------------------------------------------------------------------------- */
struct binder binder_make(const struct statement *s, const struct sql_catalog *c,
                          enum sql_dialect dialect, const char *file, struct arena *a,
                          struct diag *d);
struct slice bind_output_name(struct binder *b, const struct select_item *item);
