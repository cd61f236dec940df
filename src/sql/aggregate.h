/* sql/aggregate: what an aggregate function remembers of a group, how it takes rows in and back,
 * and what it tells. One row of aggregates.def each.
 *
 * A group's memory is the caller's: `size` bytes of its own for each aggregate (all zero at first,
 * kept on the store as they are), and for those that grow a struct agg_more (kept as its `len`
 * bytes). Loop: one group, one thread. Memory: AGG_MORE_MAX a group and aggregate: what would grow
 * beyond it is told as ERR_TOO_BIG by `tell`, never cut in silence. DISTINCT is the caller's: it
 * hands on each value once.
 */
#pragma once
#include "data/column.h"
#include "sql/plan.h"

enum { AGG_MORE_MAX = 16 << 20 };

struct agg_more { /* mem_take memory; at NULL: nothing yet */
    uint8_t *at;
    uint32_t len, cap;
};
/* Room for `len` bytes, those there stay; sets len. New bytes are zero. */
MUST_CHECK err_t agg_more_room(struct agg_more *m, uint32_t len);
void agg_more_done(struct agg_more *m);

struct agg_rows {              /* rows on their way into their groups */
    uint8_t *const *groups;    /* i-th: the memory of the group that rows[i] belongs to */
    uint32_t fixed_at;         /* where in it this aggregate's `size` bytes stand, 8-aligned … */
    uint32_t more_at;          /* … and its struct agg_more */
    const struct column *args; /* one an argument; NULL for count(*) */
    const uint32_t *rows;      /* which rows of the columns */
    const int8_t *signs;       /* by row of the columns: -1 takes back; NULL: all are added */
    uint32_t count;
    const int64_t *order; /* by row: first() and last() go by this (the event's time), of equal ones
                           * and where NULL as they come */
};

enum aggregate_flags {
    AGG_PLAIN = 0,
    AGG_BACK = 1,          /* a row can be taken back exactly; else the binder refuses it over an
                            * input that changes, by name */
    AGG_GROWS = 2,         /* always has a struct agg_more; aggregate_grows tells for the others */
    AGG_DISTINCT_SAME = 4, /* DISTINCT changes nothing: min, max … */
    AGG_GROWS_BYTES = 8,   /* grows over types of no fixed size */
    AGG_GROWS_BACK = 16,   /* grows where plan_aggregate.takes_back */
    AGG_EXACT = 32         /* merged from parts it is, bit for bit, what rows one by one make, in
                            * any order, over types of a fixed size whose equal values have equal
                            * bytes … */
};
struct aggregate {
    const char *name;
    /* Letters as in functions.h, and:
     *   n  a number: whole ones come as bigint, float and double as double, varint and decimal as
     *      they are; as a result: in that type
     *   o  anything that has an order: no json, no list, set, map, tuple or struct
     *   a  anything, in its own type (each `a` for itself)
     * Results: also 1 the first argument's type, 2 the second's, L a list of the first's, S a set
     * of it, M a map from the first's to the second's, m a mean: double, of varint and decimal a
     * decimal. count's args are "|a": none for count(*). */
    const char *args, *result;
    uint32_t size;
    uint32_t flags;
    /* Null arguments are left out, so is a row whose argument is in error: who calls looks first.
     */
    err_t (*add)(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d);
    /* Takes what another memory of the same aggregate holds into this one: partial aggregation,
     * sessions that grow together. */
    err_t (*merge)(const struct plan_aggregate *a, uint8_t *fixed, struct agg_more *more,
                   const uint8_t *from_fixed, const struct agg_more *from_more, struct diag *d);
    /* ERR_RANGE: a sum beyond its type; ERR_TOO_BIG: as above. That group can not be told. */
    err_t (*tell)(const struct plan_aggregate *a, const uint8_t *fixed, const struct agg_more *more,
                  struct column *out, uint32_t row, struct arena *arena, struct diag *d);
    /* For docs/sql.md, and a test: `example` over the rows "1 2 3" (x) or "a:1 b:2" (x and y). */
    const char *about, *example, *rows, *expected;
};
const struct aggregate *aggregate_find(struct slice name); /* any case, aliases too; NULL: none */
size_t aggregate_count(void);
const struct aggregate *aggregate_at(size_t i);
size_t aggregate_names(const char **out, size_t max); /* aliases too */
/* The type of its result for arguments of these types (as `args` asks for them); NULL: no memory.
 */
const struct type *aggregate_result(const struct aggregate *a, const struct type *const *args,
                                    struct arena *arena);
bool aggregate_grows(const struct plan_aggregate *a);    /* this one has a struct agg_more */
bool aggregate_is_exact(const struct plan_aggregate *a); /* … as this one's are */
void aggregate_signature(const struct aggregate *a, struct buf *out); /* "corr(double, double)" */
void aggregate_docs(struct buf *out); /* its tables of docs/sql.md */
