/* Aggregates that keep one value: the least, the greatest, the first, the last. */
#include "sql/aggregate_int.h"

/* --- a cell -------------------------------------------------------------------------------------
 */

static uint32_t cell_size(const struct type *t) /* 0: in the more-memory */
{
    enum phys p = type_phys(t);
    return p == PHYS_BYTES ? 0 : phys_size(p);
}

static err_t cell_take(struct agg_cell *c, struct agg_more *m, const struct column *col,
                       uint32_t row)
{
    uint32_t size = cell_size(col->type);
    c->has = 1;
    if (size) {
        memcpy(c->at, (const uint8_t *)col->data + (size_t)row * size, size);
        return ERR_OK;
    }
    struct slice v = col->bytes[row];
    uint32_t full = c->full;
    err_t e = agg_full(agg_more_room(m, v.len), &full);
    c->full = (uint8_t)full;
    if (!e && !full && v.len) memcpy(m->at, v.at, v.len);
    return e;
}

static err_t cell_copy(const struct type *t, struct agg_cell *c, struct agg_more *m,
                       const struct agg_cell *from, const struct agg_more *from_more)
{
    *c = *from;
    if (cell_size(t) || !from->has) return ERR_OK;
    err_t e = agg_more_room(m, from_more->len);
    if (!e && from_more->len) memcpy(m->at, from_more->at, from_more->len);
    return e;
}

/* The cell as a column of one row. */
static struct column cell_column(const struct type *t, const struct agg_cell *c,
                                 const struct agg_more *m, struct slice *bytes)
{
    static uint8_t valid = VALID_VALUE;
    struct column out = {.type = t, .state = &valid};
    out.data = (void *)(uintptr_t)c->at;
    if (cell_size(t)) return out;
    *bytes = m->len ? slice_make(m->at, m->len) : SLICE("");
    out.bytes = bytes;
    return out;
}

static err_t cell_tell(const struct plan_aggregate *a, const struct agg_cell *c,
                       const struct agg_more *m, struct column *out, uint32_t row,
                       struct arena *arena, struct diag *d)
{
    struct slice bytes;
    struct value v;
    if (c->full) return agg_tell_full(a, d);
    if (!c->has) return ERR_OK;
    struct column one = cell_column(out->type, c, m, &bytes);
    column_get(&one, 0, &v);
    return agg_put_value(out, row, &v, arena, d);
}

/* --- min and max --------------------------------------------------------------------------------
 */

static bool is_i64(enum type_kind k)
{
    return k == TYPE_BIGINT || k == TYPE_TIMESTAMP || k == TYPE_TIME || k == TYPE_COUNTER;
}

static void best_i64(const struct agg_rows *r, bool least)
{
    const struct column *c = &r->args[0];
    for (uint32_t i = 0; i < r->count; i++) {
        struct agg_cell *s = agg_fixed(r, i);
        int64_t *best = (int64_t *)(void *)s->at;
        if (c->state[r->rows[i]] != VALID_VALUE) continue;
        int64_t v = c->i64[r->rows[i]];
        if (s->has && (least ? v >= *best : v <= *best)) continue;
        s->has = 1;
        *best = v;
    }
}

/* NaN and zeros of both signs go by value_compare. */
static bool doubles_differ(double v, double best, bool *below)
{
    *below = v < best;
    return v < best || v > best;
}

static err_t best_any(const struct agg_rows *r, bool least)
{
    const struct column *c = &r->args[0];
    bool real = c->type->kind == TYPE_DOUBLE, below;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->rows[i];
        struct agg_cell *s = agg_fixed(r, i);
        struct agg_more *m = cell_size(c->type) ? NULL : agg_more_of(r, i);
        struct slice bytes;
        struct value v, best;
        if (c->state[row] != VALID_VALUE || s->full) continue;
        if (s->has && real && doubles_differ(c->f64[row], *(double *)(void *)s->at, &below)) {
            if (below == least) *(double *)(void *)s->at = c->f64[row];
            continue;
        }
        if (s->has) {
            struct column one = cell_column(c->type, s, m, &bytes);
            column_get(&one, 0, &best);
            column_get(c, row, &v);
            int order = value_compare(&v, &best);
            if (least ? order >= 0 : order <= 0) continue;
        }
        e = cell_take(s, m, c, row);
    }
    return e;
}

/* Where rows are taken back every value is kept, with how often it came. */
static err_t best_back(const struct agg_rows *r)
{
    uint8_t scratch[16];
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->rows[i], full = 0;
        struct agg_cell *s = agg_fixed(r, i);
        if (!agg_valid(r, 0, row) || s->full) continue;
        e = agg_full(bag_change(agg_more_of(r, i), column_binary(&r->args[0], row, scratch),
                                agg_sign(r, row)),
                     &full);
        s->full = (uint8_t)full;
    }
    return e;
}

static err_t best_add(const struct plan_aggregate *a, const struct agg_rows *r, bool least,
                      struct diag *d)
{
    err_t e = ERR_OK;
    if (a->takes_back)
        e = best_back(r);
    else if (is_i64(r->args[0].type->kind))
        best_i64(r, least);
    else
        e = best_any(r, least);
    return e ? agg_no_memory(d) : ERR_OK;
}

static err_t best_merge(const struct plan_aggregate *a, bool least, uint8_t *fixed,
                        struct agg_more *more, const uint8_t *from_fixed,
                        const struct agg_more *from_more, struct diag *d)
{
    struct agg_cell *s = (void *)fixed;
    const struct agg_cell *from = (const void *)from_fixed;
    struct slice x, y;
    struct value v, best;
    err_t e = ERR_OK;
    s->full |= from->full;
    if (a->takes_back) {
        uint32_t full = s->full;
        if (!full) e = agg_full(bag_merge(more, from_more), &full);
        s->full = (uint8_t)full;
        return e ? agg_no_memory(d) : ERR_OK;
    }
    if (s->full || !from->has) return ERR_OK;
    if (s->has) {
        struct column mine = cell_column(agg_type(a, 0), s, more, &x);
        struct column other = cell_column(agg_type(a, 0), from, from_more, &y);
        column_get(&mine, 0, &best);
        column_get(&other, 0, &v);
        int order = value_compare(&v, &best);
        if (least ? order >= 0 : order <= 0) return ERR_OK;
    }
    e = cell_copy(agg_type(a, 0), s, more, from, from_more);
    return e ? agg_no_memory(d) : ERR_OK;
}

static err_t best_tell(const struct plan_aggregate *a, bool least, const uint8_t *fixed,
                       const struct agg_more *more, struct column *out, uint32_t row,
                       struct arena *arena, struct diag *d)
{
    const struct agg_cell *s = (const void *)fixed;
    struct value best = value_null(out->type);
    struct slice binary;
    int64_t n;
    if (!a->takes_back) return cell_tell(a, s, more, out, row, arena, d);
    if (s->full) return agg_tell_full(a, d);
    for (uint32_t at = 0; bag_next(more, &at, &binary, &n);) {
        struct value v = value_hold(out->type, binary);
        int order = best.state == VALID_VALUE ? value_compare(&v, &best) : 0;
        if (best.state != VALID_VALUE || (least ? order < 0 : order > 0)) best = v;
    }
    return best.state == VALID_VALUE ? agg_put_value(out, row, &best, arena, d) : ERR_OK;
}

err_t agg_min_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    return best_add(a, r, true, d);
}
err_t agg_min_merge(AGG_MERGE_ARGS)
{
    return best_merge(a, true, fixed, more, from_fixed, from_more, d);
}
err_t agg_min_tell(AGG_TELL_ARGS)
{
    return best_tell(a, true, fixed, more, out, row, arena, d);
}
err_t agg_max_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    return best_add(a, r, false, d);
}
err_t agg_max_merge(AGG_MERGE_ARGS)
{
    return best_merge(a, false, fixed, more, from_fixed, from_more, d);
}
err_t agg_max_tell(AGG_TELL_ARGS)
{
    return best_tell(a, false, fixed, more, out, row, arena, d);
}

/* --- first and last -----------------------------------------------------------------------------
 */

enum which { THE_FIRST, THE_LAST, ANY_OF_THEM };

static bool comes_before(enum which which, const struct agg_first *s, int64_t order)
{
    if (!s->cell.has) return true;
    return which == THE_FIRST ? order < s->order : which == THE_LAST && order >= s->order;
}

static err_t first_add(const struct agg_rows *r, enum which which, struct diag *d)
{
    const struct column *c = &r->args[0];
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->rows[i];
        struct agg_first *s = agg_fixed(r, i);
        int64_t order = r->order && which != ANY_OF_THEM ? r->order[row] : 0;
        if (c->state[row] != VALID_VALUE || !comes_before(which, s, order)) continue;
        s->order = order;
        s->cell.full = 0;
        e = cell_take(&s->cell, cell_size(c->type) ? NULL : agg_more_of(r, i), c, row);
    }
    return e ? agg_no_memory(d) : ERR_OK;
}

static err_t first_merge(const struct plan_aggregate *a, enum which which, uint8_t *fixed,
                         struct agg_more *more, const uint8_t *from_fixed,
                         const struct agg_more *from_more, struct diag *d)
{
    struct agg_first *s = (void *)fixed;
    const struct agg_first *from = (const void *)from_fixed;
    if (!from->cell.has || !comes_before(which, s, from->order)) return ERR_OK;
    s->order = from->order;
    err_t e = cell_copy(agg_type(a, 0), &s->cell, more, &from->cell, from_more);
    return e ? agg_no_memory(d) : ERR_OK;
}

static err_t first_tell(AGG_TELL_ARGS)
{
    return cell_tell(a, &((const struct agg_first *)(const void *)fixed)->cell, more, out, row,
                     arena, d);
}

err_t agg_first_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a;
    return first_add(r, THE_FIRST, d);
}
err_t agg_first_merge(AGG_MERGE_ARGS)
{
    return first_merge(a, THE_FIRST, fixed, more, from_fixed, from_more, d);
}
err_t agg_first_value_tell(AGG_TELL_ARGS)
{
    return first_tell(a, fixed, more, out, row, arena, d);
}
err_t agg_last_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a;
    return first_add(r, THE_LAST, d);
}
err_t agg_last_merge(AGG_MERGE_ARGS)
{
    return first_merge(a, THE_LAST, fixed, more, from_fixed, from_more, d);
}
err_t agg_last_value_tell(AGG_TELL_ARGS)
{
    return first_tell(a, fixed, more, out, row, arena, d);
}
err_t agg_any_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a;
    return first_add(r, ANY_OF_THEM, d);
}
err_t agg_any_merge(AGG_MERGE_ARGS)
{
    return first_merge(a, ANY_OF_THEM, fixed, more, from_fixed, from_more, d);
}
err_t agg_any_value_tell(AGG_TELL_ARGS)
{
    return first_tell(a, fixed, more, out, row, arena, d);
}

/* --- min_by and max_by: the more-memory holds y's length, y and x -------------------------------
 */

static err_t by_put(struct agg_list *s, struct agg_more *m, struct slice y, struct slice x)
{
    uint64_t len = 4 + (uint64_t)y.len + x.len;
    uint32_t full = 0;
    err_t e = agg_full(agg_more_room(m, (uint32_t)MIN(len, (uint64_t)UINT32_MAX)), &full);
    s->count = 1;
    s->full = full;
    if (e || full) return e;
    memcpy(m->at, &y.len, 4);
    if (y.len) memcpy(m->at + 4, y.at, y.len);
    if (x.len) memcpy(m->at + 4 + y.len, x.at, x.len);
    return ERR_OK;
}

static void by_get(const struct agg_more *m, struct slice *y, struct slice *x)
{
    uint32_t len;
    memcpy(&len, m->at, 4);
    *y = slice_make(m->at + 4, len);
    *x = slice_make(m->at + 4 + len, m->len - 4 - len);
}

static bool by_better(const struct type *t, const struct agg_more *m, struct slice y, bool least)
{
    struct slice old_y, old_x;
    by_get(m, &old_y, &old_x);
    struct value old = value_hold(t, old_y), new = value_hold(t, y);
    int order = value_compare(&new, &old);
    return least ? order < 0 : order > 0;
}

static err_t by_add(const struct agg_rows *r, bool least, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint8_t x_at[16], y_at[16];
        uint32_t row = r->rows[i];
        struct agg_list *s = agg_fixed(r, i);
        struct agg_more *m = agg_more_of(r, i);
        if (!agg_valid(r, 0, row) || !agg_valid(r, 1, row) || s->full) continue;
        struct slice y = column_binary(&r->args[1], row, y_at);
        if (s->count && !by_better(r->args[1].type, m, y, least)) continue;
        e = by_put(s, m, y, column_binary(&r->args[0], row, x_at));
    }
    return e ? agg_no_memory(d) : ERR_OK;
}

static err_t by_merge(const struct plan_aggregate *a, bool least, uint8_t *fixed,
                      struct agg_more *more, const uint8_t *from_fixed,
                      const struct agg_more *from_more, struct diag *d)
{
    struct agg_list *s = (void *)fixed;
    const struct agg_list *from = (const void *)from_fixed;
    struct slice x, y;
    s->full |= from->full;
    if (s->full || !from->count) return ERR_OK;
    by_get(from_more, &y, &x);
    if (s->count && !by_better(agg_type(a, 1), more, y, least)) return ERR_OK;
    return by_put(s, more, y, x) ? agg_no_memory(d) : ERR_OK;
}

static err_t by_tell(AGG_TELL_ARGS)
{
    const struct agg_list *s = (const void *)fixed;
    struct slice x, y;
    if (s->full) return agg_tell_full(a, d);
    if (!s->count) return ERR_OK;
    by_get(more, &y, &x);
    return agg_put_binary(out, row, x, arena, d);
}

err_t agg_min_by_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a;
    return by_add(r, true, d);
}
err_t agg_min_by_merge(AGG_MERGE_ARGS)
{
    return by_merge(a, true, fixed, more, from_fixed, from_more, d);
}
err_t agg_min_by_tell(AGG_TELL_ARGS)
{
    return by_tell(a, fixed, more, out, row, arena, d);
}
err_t agg_max_by_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a;
    return by_add(r, false, d);
}
err_t agg_max_by_merge(AGG_MERGE_ARGS)
{
    return by_merge(a, false, fixed, more, from_fixed, from_more, d);
}
err_t agg_max_by_tell(AGG_TELL_ARGS)
{
    return by_tell(a, fixed, more, out, row, arena, d);
}
