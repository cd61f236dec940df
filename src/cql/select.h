/* select: SELECT, from its tree to rows.
 *
 * A plan (immutable, in the statement's arena) says where rows come from, which are kept, and how
 * they become a result. A run (of one call) walks a source of rows, in one of four ways: points the
 * whole primary key is named: each row is got by its key partitions  partition keys are named: each
 * is walked, by slices range       all tables, or tokens index       candidates of an index, each
 * looked at again Rows pass the filter and the limits and are written into result.rows at once, or
 * go into a group, or are kept aside to be sorted.
 */
#pragma once
#include "cql/restrict.h"

enum {
    SELECT_TURN_ROWS = 512,      /* looked at by the caller's thread; then workers go on */
    SELECT_WORKER_ROWS = 20000,  /* by a worker before it asks whether others wait */
    SELECT_INDEX_FEW = 1024,     /* candidates of one value that are taken at once */
    SELECT_INDEX_RANGE = 100000, /* of a range: more are not worth it */
    SELECT_SKIP_ROWS = 32,       /* past PER PARTITION LIMIT, before the cursor jumps */
    SELECT_LIMIT_NONE = INT32_MAX,
    SELECT_DEPTH_POINTS = 16 /* key columns of a point on the stack */
};

struct select_out { /* one column of a result that needs no selector */
    enum { OUT_KEY, OUT_ROW, OUT_STATIC } from;
    uint16_t id;    /* of the column */
    uint16_t place; /* of its value among the key's */
    bool multicell;
    const struct type *type;
};

enum select_grouping { GROUP_NONE, GROUP_ALL, GROUP_PREFIX };

struct select_sort { /* ORDER BY in memory */
    const struct store_column *const *columns;
    uint32_t count;
};

struct select_plan {
    const struct store_table *table;
    bool is_virtual;
    uint32_t key_count, clustering_count; /* columns */
    struct restrictions *where;
    bool point; /* the whole key by =, nothing else: the short way */
    bool distinct, json, reversed;
    bool plain; /* out says it all */
    const struct select_out *out;
    uint32_t out_count;
    const struct cql_selector **selectors; /* not plain */
    const struct slice *json_names;        /* as JSON writes them */
    uint32_t selector_count;
    const bool *used;       /* by the table's columns: selectors read it */
    bool times;             /* selectors read write times or TTLs */
    const uint16_t *wanted; /* columns the store shall bring; NULL: all */
    uint32_t wanted_count;
    enum select_grouping grouping;
    uint32_t group_prefix;                     /* clustering columns that make a group */
    const struct cql_selector *group_function; /* of the last of them */
    struct select_sort sort;                   /* count 0: as rows come */
    const struct cql_term *limit, *partition_limit;
};

/* --- output (select_out.c)
 * --------------------------------------------------------------------------- */
/* A cell as CQL's binary form; of a multi-cell column its elements as one collection. */
MUST_CHECK err_t select_cell_value(const struct type *t, const struct store_cell *c,
                                   struct arena *a, struct cql_value *out);
void select_cell_put(const struct type *t, const struct store_cell *c,
                     struct buf *out); /* [bytes]: length first */
void select_value_put(const struct cql_value *v, struct buf *out);
/* A plain result's row, in one pass. */
void select_row_put(const struct select_plan *p, const struct store_row *row, struct buf *out);
/* How many bytes that will be. */
size_t select_row_size(const struct select_plan *p, const struct store_row *row);
/* What selectors look at: one value a column of the table that is used. */
MUST_CHECK err_t select_row_scope(const struct select_plan *p, const struct store_row *row,
                                  int64_t now_s, struct arena *a, struct cql_row *out);
void select_json_put(const struct select_plan *p, const struct cql_value *values, struct buf *out);

/* --- paging (paging.c)
 * ------------------------------------------------------------------------------- */
struct paging { /* where a page ended */
    const struct slice
        *key; /* the last row's; a partition's alone: it had no rows, or none are left */
    uint32_t key_count;
    int32_t remaining, remaining_in_partition; /* SELECT_LIMIT_NONE */
};
MUST_CHECK err_t paging_put(const struct store_table *t, const struct paging *p, struct arena *a,
                            struct slice *out);
/* ERR_PROTOCOL "Invalid value for the paging state"; borrows `state`. */
MUST_CHECK err_t paging_read(const struct store_table *t, struct slice state, struct arena *a,
                             struct paging *out, struct diag *d);

/* --- a run
 * --------------------------------------------------------------------------------------------- */
enum select_way { WAY_NOTHING, WAY_POINTS, WAY_PARTITIONS, WAY_RANGE, WAY_INDEX };

struct select_source {
    enum select_way way;
    struct restrict_keys keys;
    struct restrict_slices slices;
    int64_t token_first, token_last;
    uint32_t key, slice; /* POINTS, PARTITIONS: where we are */
    struct store_read read;
    struct cql_rows *cursor;
    struct arena *arena;       /* the cursor's; or of rows got one by one */
    const struct slice *after; /* the next cursor begins behind it */
    uint32_t after_count;
    bool after_partition;
    /* INDEX */
    const struct filter_item *index_item; /* what the index answered; NULL: a range */
    struct store_index_read lookup;
    struct store_candidates candidates;
    struct arena *lookup_arena;
    uint32_t candidate;
    bool seeking;      /* for the partition in which the page before ended */
    bool in_partition; /* a static column's candidate: its partition is being walked */
};

struct select_sorted; /* select_order.c */
struct select_run {
    struct cql_call *call;
    const struct select_plan *plan;
    struct cql_bound bound;
    int64_t now_s;
    const struct filter_item *filter;
    uint32_t filter_count;
    bool filter_rows;               /* one is about rows, not their partition */
    int32_t limit, partition_limit; /* left, of the result, of the partition */
    int32_t partition_limit_all;
    int32_t page; /* rows left of the page; SELECT_LIMIT_NONE */
    bool resumed; /* behind a page */
    struct paging from;
    struct select_source source;
    struct slice *last; /* the key of the row before, kept */
    struct buf kept;    /* its bytes */
    uint32_t last_count;
    bool has_last, last_partition_only;
    uint32_t skipped;      /* rows past the partition's limit */
    uint32_t looked, most; /* rows in this turn, and how many those may be */
    bool row_is_ahead;     /* the page ends before a row that the source has given */
    bool pause;            /* the source has no row yet, and the turn is over */
    bool on_worker;
    struct arena *scratch; /* for one row */
    struct cql_group *group;
    bool group_open;
    struct cql_value group_value; /* of group_function, of the open group */
    struct buf group_value_kept;
    struct select_sorted *sorted;
    struct buf json;
};

/* select_source.c: the next row that the source has, unfiltered; NULL: the end. */
MUST_CHECK err_t select_source_open(struct select_run *r);
MUST_CHECK err_t select_source_next(struct select_run *r, const struct store_row **out);
MUST_CHECK err_t select_source_skip_partition(struct select_run *r); /* go on with the next one */
bool select_source_pauses(
    struct select_run *r); /* counts one that gave no row: is the turn over? */
bool select_source_is_last(const struct select_run *r,
                           bool partition_done); /* surely no more behind it */
void select_source_close(struct select_run *r);
/* select_index.c: chooses an index and its first candidates; way stays WAY_INDEX or becomes
 * another. */
MUST_CHECK err_t select_index_open(struct select_run *r);
MUST_CHECK err_t select_index_next(struct select_run *r, const struct store_row **out);
/* The row came from the index and the filter refused it: tells the store when the entry is stale.
 */
void select_index_refused(struct select_run *r, const struct store_row *row);
bool select_slices_hold(const struct select_plan *p, const struct restrict_slices *s,
                        const struct slice *clustering);

/* select_order.c */
MUST_CHECK err_t select_sorted_new(struct select_run *r);
/* The next row of the result is sorted by this row's columns … */
MUST_CHECK err_t select_sorted_hold(struct select_run *r, const struct store_row *row);
/* … and begins at `at` of result.rows. */
MUST_CHECK err_t select_sorted_add(struct select_run *r, size_t at);
MUST_CHECK err_t
select_sorted_finish(struct select_run *r); /* puts result.rows in order, cuts to the limit */
void select_sorted_free(struct select_run *r);

/* select_group.c */
MUST_CHECK err_t select_group_new(struct select_run *r);
MUST_CHECK err_t select_group_is_new(struct select_run *r, const struct store_row *row, bool *out);
MUST_CHECK err_t select_group_add(struct select_run *r, const struct store_row *row);
MUST_CHECK err_t select_group_end(struct select_run *r); /* its row goes into the result */

/* select_run.c */
void select_run(struct cql_call *c);
/* Writes a row of values that selectors made. */
MUST_CHECK err_t select_values_put(struct select_run *r, const struct cql_value *values);

/* select_plan.c */
err_t select_prepare(struct cql_preparing *p, const struct cql_statement_tree *t);
