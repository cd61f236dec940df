/* Aggregates that keep every value as it came: lists, texts, maps, JSON. */
#include "sql/aggregate_int.h"

/* The more-memory is one item behind the other: two lengths, then the bytes of both parts: a key or
 * what stands before, and the value. */
struct item {
    struct slice key, value;
};

static bool item_next(const struct agg_more *m, uint32_t *at, struct item *out)
{
    uint32_t lens[2];
    if (*at >= m->len) return false;
    memcpy(lens, m->at + *at, 8);
    out->key = slice_make(m->at + *at + 8, lens[0]);
    out->value = slice_make(m->at + *at + 8 + lens[0], lens[1]);
    *at += 8 + lens[0] + lens[1];
    return true;
}

static err_t item_add(struct agg_list *s, struct agg_more *m, struct slice key, struct slice value)
{
    uint32_t at = m->len, lens[2] = {key.len, value.len};
    uint64_t len = (uint64_t)at + 8 + key.len + value.len;
    err_t e = agg_full(agg_more_room(m, (uint32_t)MIN(len, (uint64_t)UINT32_MAX)), &s->full);
    if (e || s->full) return e;
    memcpy(m->at + at, lens, 8);
    if (key.len) memcpy(m->at + at + 8, key.at, key.len);
    if (value.len) memcpy(m->at + at + 8 + key.len, value.at, value.len);
    s->count++;
    return ERR_OK;
}

/* Takes the first that is the same out. */
static void item_remove(struct agg_list *s, struct agg_more *m, struct slice key,
                        struct slice value)
{
    struct item x;
    for (uint32_t from = 0, at = 0; item_next(m, &at, &x); from = at) {
        if (!slice_equal(x.key, key) || !slice_equal(x.value, value)) continue;
        memmove(m->at + from, m->at + at, m->len - at);
        m->len -= at - from;
        s->count--;
        return;
    }
}

/* `key`: which argument, -1: none; one that is null counts as empty where `may_lack`. */
static err_t items_add(const struct agg_rows *r, int key, uint32_t value, bool may_lack,
                       struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint8_t key_at[16], value_at[16];
        uint32_t row = r->rows[i];
        struct agg_list *s = agg_fixed(r, i);
        struct slice k = {0};
        if (!agg_valid(r, value, row) || s->full) continue;
        if (key >= 0 && agg_valid(r, (uint32_t)key, row))
            k = column_binary(&r->args[key], row, key_at);
        else if (key >= 0 && !may_lack)
            continue;
        struct slice v = column_binary(&r->args[value], row, value_at);
        if (agg_sign(r, row) > 0)
            e = item_add(s, agg_more_of(r, i), k, v);
        else
            item_remove(s, agg_more_of(r, i), k, v);
    }
    return e ? agg_no_memory(d) : ERR_OK;
}

err_t agg_list_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a;
    return items_add(r, -1, 0, false, d);
}

err_t agg_list_merge(AGG_MERGE_ARGS)
{
    struct agg_list *s = (void *)fixed;
    struct item x;
    err_t e = ERR_OK;
    (void)a;
    s->full |= ((const struct agg_list *)(const void *)from_fixed)->full;
    for (uint32_t at = 0; !e && !s->full && item_next(from_more, &at, &x);)
        e = item_add(s, more, x.key, x.value);
    return e ? agg_no_memory(d) : ERR_OK;
}

err_t agg_texts_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    return items_add(r, a->arg_count > 1 ? 1 : -1, 0, true, d);
}

err_t agg_texts_merge(AGG_MERGE_ARGS)
{
    return agg_list_merge(a, fixed, more, from_fixed, from_more, d);
}

err_t agg_pairs_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a;
    return items_add(r, 0, 1, false, d);
}

err_t agg_pairs_merge(AGG_MERGE_ARGS)
{
    return agg_list_merge(a, fixed, more, from_fixed, from_more, d);
}

/* --- telling ------------------------------------------------------------------------------------
 */

static err_t tell_nested(AGG_TELL_ARGS)
{
    const struct agg_list *s = (const void *)fixed;
    bool pairs = out->type->kind == TYPE_MAP;
    struct value made, *items = arena_take_raw(arena, ((size_t)s->count + 1) * 2 * sizeof(*items));
    struct item x;
    uint32_t n = 0;
    if (s->full) return agg_tell_full(a, d);
    if (!s->count) return ERR_OK;
    if (!items) return agg_no_memory(d);
    for (uint32_t at = 0; item_next(more, &at, &x);) {
        if (pairs) items[n++] = value_hold(out->type->items[0], x.key);
        items[n++] = value_hold(out->type->items[pairs], x.value);
    }
    err_t e = value_make(out->type, items, n, arena, &made, d);
    return e ? e : agg_put_value(out, row, &made, arena, d);
}

err_t agg_array_agg_tell(AGG_TELL_ARGS)
{
    return tell_nested(a, fixed, more, out, row, arena, d);
}

err_t agg_map_agg_tell(AGG_TELL_ARGS)
{
    return tell_nested(a, fixed, more, out, row, arena, d);
}

err_t agg_string_agg_tell(AGG_TELL_ARGS)
{
    const struct agg_list *s = (const void *)fixed;
    struct buf made = buf_make(AGG_MORE_MAX);
    struct item x;
    bool first = true;
    if (s->full) return agg_tell_full(a, d);
    if (!s->count) return ERR_OK;
    for (uint32_t at = 0; item_next(more, &at, &x); first = false) {
        if (!first) buf_slice(&made, a->arg_count > 1 ? x.key : SLICE(","));
        buf_slice(&made, x.value);
    }
    return agg_put_text(out, row, &made, arena, d);
}

err_t agg_listagg_tell(AGG_TELL_ARGS)
{
    return agg_string_agg_tell(a, fixed, more, out, row, arena, d);
}

static err_t tell_json(const struct plan_aggregate *a, const uint8_t *fixed,
                       const struct agg_more *more, bool object, struct column *out, uint32_t row,
                       struct arena *arena, struct diag *d)
{
    const struct agg_list *s = (const void *)fixed;
    struct buf made = buf_make(AGG_MORE_MAX * 8);
    struct item x;
    if (s->full) return agg_tell_full(a, d);
    if (!s->count) return ERR_OK;
    buf_char(&made, object ? '{' : '[');
    for (uint32_t at = 0; item_next(more, &at, &x);) {
        if (made.len > 1) buf_char(&made, ',');
        if (object) {
            struct value key = value_text(x.key);
            value_to_json(&key, &made);
            buf_char(&made, ':');
        }
        struct value v = value_hold(agg_type(a, object), x.value);
        value_to_json(&v, &made);
    }
    buf_char(&made, object ? '}' : ']');
    return agg_put_text(out, row, &made, arena, d);
}

err_t agg_json_arrayagg_tell(AGG_TELL_ARGS)
{
    return tell_json(a, fixed, more, false, out, row, arena, d);
}

err_t agg_json_objectagg_tell(AGG_TELL_ARGS)
{
    return tell_json(a, fixed, more, true, out, row, arena, d);
}
