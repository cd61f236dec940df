/* list: one way to look at everything that workflows keep: filters, order, pages and a total, by
 * the names of Airflow's API, made from the tables of list.def. A peer's text is never part of a
 * statement: names are looked up, values are parameters.
 *
 * Loop: the database connection's. Memory: rows are borrowed until the next; list_param's values
 * live in the arena. Limit: LIST_* below.
 */
#pragma once
#include "sched/meta.h"

enum {
    LIST_FILTERS_MAX = 32,
    LIST_VALUES_MAX = 1000, /* of all filters together */
    LIST_ORDERS_MAX = 8,
    LIST_PATTERN_MAX = 1000,
    LIST_PAGE_V1 = 100, /* where none is asked for */
    LIST_PAGE_V2 = 50,
    LIST_PAGE_MAX = 100 /* Airflow's maximum_page_limit */
};
#define LIST_WHOLE INT64_MAX /* as a limit: every row */
enum list_kind {
#define LIST(kind, from, key) LIST_##kind,
#include "sched/list.def"
#undef LIST
    LIST_KINDS
};
enum list_type {
    LIST_TEXT,
    LIST_INT,
    LIST_REAL,
    LIST_BOOL,
    LIST_TIME,  /* microseconds UTC */
    LIST_JSON,  /* a text */
    LIST_SEALED /* bytes: connection_read, variable_read */
};
enum list_op {
    LIST_IN,     /* one of the values; NULL among them is "none" */
    LIST_NOT_IN, /* none of them; rows without a value too */
    LIST_GTE,
    LIST_GT,
    LIST_LTE,
    LIST_LT,
    LIST_LIKE /* contains it, small and capital letters alike (SQLite: ASCII's); % and _ of the
                 value stand for any text and any character, as in Airflow; "~" is everything */
};
struct list_column {
    const char *name;
    enum list_type type;
};
struct list_filter {
    const char *name; /* a column's, an alias's or a special one's of list.def */
    enum list_op op;
    const struct meta_value *values; /* a time's: microseconds */
    uint32_t count;                  /* 0 of LIST_IN: nothing fits */
};
struct list_ask {
    enum list_kind kind;
    const struct list_filter *filters;
    uint32_t filter_count;
    struct slice order_by; /* "-start_date" or several with commas; {0}: the table's key */
    int64_t limit, offset;
    bool no_total; /* *total stays 0: counting costs a look at every row that fits */
};
/* What a row has, in its order. */
uint32_t list_width(enum list_kind kind);
const struct list_column *list_column(enum list_kind kind,
                                      uint32_t place); /* NULL: past the last */
int list_place(enum list_kind kind, const char *name); /* -1: none such */
/* ERR_USAGE in Airflow's words for an order that is not offered. `each` and `total` may be NULL. */
MUST_CHECK err_t list_run(struct meta *m, const struct list_ask *ask,
                          err_t (*each)(void *ctx, const struct meta_row *row), void *ctx,
                          int64_t *total, struct diag *d);

/* One parameter of a query, by Airflow's name and in its form: "state" (given several times, or
 * with commas), "start_date_gte", "dag_id_pattern", "before" … → a filter. *known is false for a
 * name that is no filter of this kind. */
struct list_given {
    struct slice name;
    const struct slice *texts;
    uint32_t count;
};
MUST_CHECK err_t list_param(enum list_kind kind, const struct list_given *given, struct arena *a,
                            struct list_filter *out, bool *known, struct diag *d);
/* What Airflow makes of a limit: `asked` -1 or 0: the page's own; more than LIST_PAGE_MAX: that. */
int64_t list_page(int64_t asked, int64_t page);
