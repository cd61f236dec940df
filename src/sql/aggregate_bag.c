/* Aggregates that keep every value once, with how often it came: median, percentiles, mode,
 * collect_set; and min and max where rows are taken back. */
#include "base/hash.h"
#include "sql/aggregate_int.h"

#include <stdlib.h>

/* --- the bag ------------------------------------------------------------------------------------
 * One block: the head, a table of places (0: free), then the entries as they came, each 8-aligned.
 * What is in it counts by places, so that the store keeps it as it is. */
struct bag {
    uint32_t cap, filled, dead; /* dead: entries of which none is left */
};
struct bag_entry {
    int64_t n;
    uint32_t len, hash;
};
static_assert(sizeof(struct bag) % 4 == 0, "the table is aligned");

static uint32_t entries_at(uint32_t cap)
{
    return ((uint32_t)sizeof(struct bag) + cap * 4 + 7) & ~7u;
}

static uint32_t entry_size(uint32_t len)
{
    return ((uint32_t)sizeof(struct bag_entry) + len + 7) & ~7u;
}

static uint32_t *places(const struct agg_more *m)
{
    return (uint32_t *)(void *)(m->at + sizeof(struct bag));
}

static struct bag_entry *entry_at(const struct agg_more *m, uint32_t at)
{
    return (struct bag_entry *)(void *)(m->at + at);
}

bool bag_next(const struct agg_more *m, uint32_t *at, struct slice *value, int64_t *n)
{
    if (!m->len) return false;
    const struct bag *b = (const void *)m->at;
    if (!*at) *at = entries_at(b->cap);
    while (*at < m->len) {
        const struct bag_entry *x = entry_at(m, *at);
        *at += entry_size(x->len);
        if (x->n <= 0) continue;
        *value = slice_make(x + 1, x->len);
        *n = x->n;
        return true;
    }
    return false;
}

uint32_t bag_count(const struct agg_more *m)
{
    return m->len ? ((const struct bag *)(const void *)m->at)->filled : 0;
}

/* The place where the value stands, or would. */
static uint32_t *place_of(const struct agg_more *m, struct slice v, uint32_t hash)
{
    const struct bag *b = (const void *)m->at;
    uint32_t *at = places(m), i = hash & (b->cap - 1);
    for (; at[i]; i = (i + 1) & (b->cap - 1)) {
        const struct bag_entry *x = entry_at(m, at[i]);
        if (x->hash == hash && slice_equal(slice_make(x + 1, x->len), v)) break;
    }
    return &at[i];
}

static err_t entry_new(struct agg_more *m, struct slice v, uint32_t hash, int64_t n)
{
    uint32_t at = m->len;
    if (v.len > AGG_MORE_MAX) return ERR_TOO_BIG;
    err_t e = agg_more_room(m, at + entry_size(v.len));
    if (e) return e;
    struct bag_entry *x = entry_at(m, at);
    *x = (struct bag_entry){n, v.len, hash};
    if (v.len) memcpy(x + 1, v.at, v.len);
    *place_of(m, v, hash) = at;
    struct bag *b = (void *)m->at;
    b->filled++;
    b->dead += n == 0;
    return ERR_OK;
}

/* Anew, with a table of that size, without the dead. */
static err_t bag_again(struct agg_more *m, uint32_t cap)
{
    struct agg_more made = {0};
    err_t e = agg_more_room(&made, entries_at(cap));
    if (e) return e;
    *(struct bag *)(void *)made.at = (struct bag){.cap = cap};
    for (uint32_t at = m->len ? entries_at(((struct bag *)(void *)m->at)->cap) : 0;
         !e && at < m->len;) {
        const struct bag_entry *x = entry_at(m, at);
        at += entry_size(x->len);
        if (x->n) e = entry_new(&made, slice_make(x + 1, x->len), x->hash, x->n);
    }
    agg_more_done(e ? &made : m);
    if (!e) *m = made;
    return e;
}

err_t bag_change(struct agg_more *m, struct slice value, int64_t by)
{
    uint32_t hash = (uint32_t)hash64(value, 0);
    err_t e = m->len ? ERR_OK : bag_again(m, 8);
    if (e) return e;
    struct bag *b = (void *)m->at;
    uint32_t at = *place_of(m, value, hash);
    if (at) {
        struct bag_entry *x = entry_at(m, at);
        b->dead -= x->n == 0;
        x->n += by;
        b->dead += x->n == 0;
        return b->dead > b->filled / 2 && b->filled > 32 ? bag_again(m, b->cap) : ERR_OK;
    }
    if ((uint64_t)(b->filled + 1) * 8 > (uint64_t)b->cap * 5) e = bag_again(m, b->cap * 2);
    return e ? e : entry_new(m, value, hash, by);
}

err_t bag_merge(struct agg_more *m, const struct agg_more *from)
{
    struct slice v;
    int64_t n;
    err_t e = ERR_OK;
    for (uint32_t at = 0; !e && bag_next(from, &at, &v, &n);) e = bag_change(m, v, n);
    return e;
}

/* --- rows into bags -----------------------------------------------------------------------------
 */

err_t agg_bag_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    uint8_t scratch[16];
    err_t e = ERR_OK;
    (void)a;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->rows[i], full = 0;
        struct agg_bag *s = agg_fixed(r, i);
        if (!agg_valid(r, 0, row) || s->full) continue;
        struct slice v = column_binary(&r->args[0], row, scratch);
        e = agg_full(bag_change(agg_more_of(r, i), v, agg_sign(r, row)), &full);
        s->full = full;
    }
    return e ? agg_no_memory(d) : ERR_OK;
}

err_t agg_bag_merge(AGG_MERGE_ARGS)
{
    struct agg_bag *s = (void *)fixed;
    const struct agg_bag *from = (const void *)from_fixed;
    uint32_t full = (uint32_t)(s->full | from->full);
    (void)a;
    err_t e = full ? ERR_OK : agg_full(bag_merge(more, from_more), &full);
    s->full = full;
    if (bag_count(from_more)) s->part = from->part;
    return e ? agg_no_memory(d) : ERR_OK;
}

err_t agg_bag_p_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (agg_valid(r, 0, r->rows[i]) && agg_valid(r, 1, r->rows[i]))
            ((struct agg_bag *)agg_fixed(r, i))->part = r->args[1].f64[r->rows[i]];
    return agg_bag_add(a, r, d);
}

err_t agg_bag_p_merge(AGG_MERGE_ARGS)
{
    return agg_bag_merge(a, fixed, more, from_fixed, from_more, d);
}

/* --- sorted -------------------------------------------------------------------------------------
 */

struct ranked {
    struct value v;
    int64_t n;
};

static int by_value(const void *x, const void *y)
{
    return value_compare(&((const struct ranked *)x)->v, &((const struct ranked *)y)->v);
}

/* The values by their order; *total: how many with all that are the same. NULL: no memory. */
static struct ranked *sorted(const struct type *t, const struct agg_more *m, struct arena *arena,
                             uint32_t *count, int64_t *total)
{
    struct ranked *all = arena_take_raw(arena, (bag_count(m) + 1) * sizeof(*all));
    struct slice binary;
    *count = 0;
    *total = 0;
    if (!all) return NULL;
    for (uint32_t at = 0; bag_next(m, &at, &binary, &all[*count].n); ++*count) {
        all[*count].v = value_hold(t, binary);
        *total += all[*count].n;
    }
    qsort(all, *count, sizeof(*all), by_value);
    return all;
}

static const struct value *nth(const struct ranked *all, int64_t n)
{
    while (n >= all->n) n -= (all++)->n;
    return &all->v;
}

static err_t part_wrong(const struct plan_aggregate *a, double part, struct diag *d)
{
    return diag_fail(d, ERR_RANGE, "%.*s: %g is not from 0 to 1", SLICE_ARG(a->text), part);
}

static err_t tell_part(const struct plan_aggregate *a, const struct agg_more *m, double part,
                       struct column *out, uint32_t row, struct arena *arena, struct diag *d)
{
    uint32_t count;
    int64_t total;
    struct ranked *all = sorted(type_of(TYPE_DOUBLE), m, arena, &count, &total);
    if (!all) return agg_no_memory(d);
    if (!total) return ERR_OK;
    if (!(part >= 0 && part <= 1)) return part_wrong(a, part, d);
    double at = part * (double)(total - 1);
    int64_t low = (int64_t)at;
    double below = nth(all, low)->f64, above = nth(all, MIN(low + 1, total - 1))->f64;
    double between = at - (double)low;
    agg_put_f64(out, row, between > 0 ? below + (above - below) * between : below);
    return ERR_OK;
}

err_t agg_median_tell(AGG_TELL_ARGS)
{
    const struct agg_bag *s = (const void *)fixed;
    return s->full ? agg_tell_full(a, d) : tell_part(a, more, 0.5, out, row, arena, d);
}

err_t agg_percentile_cont_tell(AGG_TELL_ARGS)
{
    const struct agg_bag *s = (const void *)fixed;
    return s->full ? agg_tell_full(a, d) : tell_part(a, more, s->part, out, row, arena, d);
}

err_t agg_percentile_disc_tell(AGG_TELL_ARGS)
{
    const struct agg_bag *s = (const void *)fixed;
    uint32_t count;
    int64_t total;
    if (s->full) return agg_tell_full(a, d);
    struct ranked *all = sorted(out->type, more, arena, &count, &total);
    if (!all) return agg_no_memory(d);
    if (!total) return ERR_OK;
    if (!(s->part >= 0 && s->part <= 1)) return part_wrong(a, s->part, d);
    double exact = s->part * (double)total;
    int64_t at = (int64_t)exact;
    if ((double)at == exact && at > 0) at--; /* the first whose share reaches the part */
    return agg_put_value(out, row, nth(all, at), arena, d);
}

err_t agg_mode_tell(AGG_TELL_ARGS)
{
    const struct agg_bag *s = (const void *)fixed;
    struct value best = value_null(out->type);
    struct slice binary;
    int64_t n, most = 0;
    if (s->full) return agg_tell_full(a, d);
    for (uint32_t at = 0; bag_next(more, &at, &binary, &n);) {
        struct value v = value_hold(out->type, binary);
        if (n < most || (n == most && value_compare(&v, &best) >= 0)) continue;
        most = n;
        best = v;
    }
    return most ? agg_put_value(out, row, &best, arena, d) : ERR_OK;
}

err_t agg_collect_set_tell(AGG_TELL_ARGS)
{
    const struct agg_bag *s = (const void *)fixed;
    const struct type *t = out->type->items[0];
    struct slice binary;
    struct value made;
    int64_t n;
    uint32_t count = 0;
    if (s->full) return agg_tell_full(a, d);
    struct value *items = arena_take_raw(arena, (bag_count(more) + 1) * sizeof(*items));
    if (!items) return agg_no_memory(d);
    for (uint32_t at = 0; bag_next(more, &at, &binary, &n);) items[count++] = value_hold(t, binary);
    if (!count) return ERR_OK;
    err_t e = value_make(out->type, items, count, arena, &made, d);
    return e ? e : agg_put_value(out, row, &made, arena, d);
}
