/* sql/aggregate: what an aggregate function remembers of a group, how it takes rows in and back, and
 * what it tells. One row of aggregates.def each.
 *
 * A group's memory is the caller's: `size` bytes of its own for each aggregate (all zero at first,
 * kept on the store as they are), and for those that grow a struct agg_more. Loop: one group, one
 * thread. Memory: AGG_MORE_MAX a group and aggregate. DISTINCT is the caller's: it hands on each
 * value once.
 */
#pragma once
#include "data/column.h"
#include "sql/plan.h"

enum { AGG_MORE_MAX = 16 << 20 };

struct agg_more { /* mem_take memory; at NULL: nothing yet */
    uint8_t *at;
    uint32_t len, cap;
};
/* Room for `len` bytes, those there stay; sets len. */
MUST_CHECK err_t agg_more_room(struct agg_more *m, uint32_t len);
void agg_more_done(struct agg_more *m);

struct agg_rows { /* rows on their way into their groups */
    uint8_t *const *groups;    /* i-th: the memory of the group that rows[i] belongs to */
    uint32_t fixed_at;         /* where in it this aggregate's `size` bytes stand, 8-aligned … */
    uint32_t more_at;          /* … and its struct agg_more */
    const struct column *args; /* one an argument; NULL for count(*) */
    const uint32_t *rows;      /* which rows of the columns */
    const int8_t *signs;       /* by row of the columns: -1 takes back; NULL: all are added */
    uint32_t count;
    const int64_t *order; /* by row: first() and last() go by this (partition's offset, time);
                           * NULL: as they come */
};

struct aggregate {
    const char *name;
    const char *args, *result; /* letters as in functions.h */
    uint32_t size;
    bool grows;
    bool takes_back; /* a row can be taken back exactly; else the caller of a changing input is
                      * refused by the binder, by name */
    /* null arguments are left out (but by count(*) and where the row says so). ERR_RANGE: a sum that
     * does not fit: *bad says which i. */
    err_t (*add)(const struct plan_aggregate *a, const struct agg_rows *r, uint32_t *bad,
                 struct diag *d);
    /* Takes what another memory of the same aggregate holds into this one: partial aggregation,
     * sessions that grow together. */
    err_t (*merge)(const struct plan_aggregate *a, uint8_t *fixed, struct agg_more *more,
                   const uint8_t *from_fixed, const struct agg_more *from_more, struct diag *d);
    err_t (*tell)(const struct plan_aggregate *a, const uint8_t *fixed, const struct agg_more *more,
                  struct column *out, uint32_t row, struct arena *arena, struct diag *d);
    const char *about, *example; /* for docs/sql.md */
};
const struct aggregate *aggregate_find(struct slice name); /* any case, aliases too; NULL: none */
size_t aggregate_count(void);
const struct aggregate *aggregate_at(size_t i);
