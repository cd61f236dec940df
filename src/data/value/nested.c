/* Nested values: built in one buffer, level by level; sets and maps in order; CQL literals. */
#include "data/value/value_int.h"

#include <stdlib.h>

const struct type *nested_item_type(const struct type *t, uint32_t item)
{
    if (t->kind == TYPE_TUPLE || t->kind == TYPE_STRUCT) return t->items[item];
    return t->items[t->kind == TYPE_MAP ? item & 1 : 0];
}

static bool has_count(const struct type *t)
{
    return t->kind != TYPE_TUPLE && t->kind != TYPE_STRUCT;
}

struct nested_writer nested_begin(const struct type *t, struct buf *out)
{
    struct nested_writer w = {t, out, out->len, 0};
    if (has_count(t)) buf_be(out, 0, 4); /* the count, when it is known */
    return w;
}

size_t nested_item_begin(struct nested_writer *w)
{
    buf_be(w->out, 0, 4);
    return w->out->len;
}

void nested_item_end(struct nested_writer *w, size_t at)
{
    w->items++;
    if (w->out->err == ERR_OK) buf_set_be(w->out, at - 4, w->out->len - at, 4);
}

void nested_null(struct nested_writer *w)
{
    w->items++;
    buf_be(w->out, UINT32_MAX, 4);
}

/* --- order of sets and maps --------------------------------------------------------------------
 */

struct entry {
    struct value key;
    uint32_t at, len, index; /* its bytes, a map's value included */
};

static int order_entries(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int c = value_compare(&a->key, &b->key);
    return c ? c : (a->index > b->index) - (a->index < b->index);
}

static uint32_t item_size(const uint8_t *at)
{
    struct cursor c = {at, at + 4, ERR_OK};
    int32_t len = cursor_i32(&c);
    return 4 + (len < 0 ? 0 : (uint32_t)len);
}

/* Fills the entries from the finished bytes; true when they stand in order, without doubles. */
static bool list_entries(const struct type *t, const uint8_t *bytes, struct entry *entries,
                         uint32_t count)
{
    uint32_t at = 4;
    bool ordered = true;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = item_size(bytes + at);
        struct value key = value_hold(t->items[0], slice_make(bytes + at + 4, len - 4));
        if (t->kind == TYPE_MAP) len += item_size(bytes + at + len);
        entries[i] = (struct entry){key, at, len, i};
        if (i && value_compare(&entries[i - 1].key, &entries[i].key) >= 0) ordered = false;
        at += len;
    }
    return ordered;
}

/* The entries' bytes in their order, the last of equal keys only. */
static uint32_t copy_entries(const uint8_t *bytes, const struct entry *entries, uint32_t count,
                             uint8_t *to, uint32_t *len)
{
    uint32_t kept = 0;
    *len = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (i + 1 < count && value_compare(&entries[i].key, &entries[i + 1].key) == 0) continue;
        memcpy(to + *len, bytes + entries[i].at, entries[i].len);
        *len += entries[i].len;
        kept++;
    }
    return kept;
}

/* Sorts the finished bytes of a level; `bytes` and `entries` have room for all of them. */
static void sort_into(struct nested_writer *w, uint32_t count, uint8_t *bytes,
                      struct entry *entries)
{
    struct buf *out = w->out;
    memcpy(bytes, out->at + w->start, out->len - w->start); /* keys point here: `out` is written */
    if (!list_entries(w->type, bytes, entries, count)) {
        uint32_t len;
        qsort(entries, count, sizeof(*entries), order_entries);
        count = copy_entries(bytes, entries, count, out->at + w->start + 4, &len);
        out->len = w->start + 4 + len;
    }
    buf_set_be(out, w->start, count, 4);
}

static err_t sort_level(struct nested_writer *w, uint32_t count, struct diag *d)
{
    struct entry *entries = mem_take_raw(count * sizeof(*entries));
    uint8_t *bytes = mem_take_raw(w->out->len - w->start);
    bool room = entries && bytes;
    if (room) sort_into(w, count, bytes, entries);
    mem_give(entries);
    mem_give(bytes);
    return room ? ERR_OK : no_room(d);
}

err_t nested_end(struct nested_writer *w, struct diag *d)
{
    if (w->out->err == ERR_TOO_BIG)
        return diag_fail(d, ERR_TOO_BIG, "a nested value is larger than %d MiB",
                         VALUE_BYTES_MAX >> 20);
    if (w->out->err) return no_room(d);
    if (!has_count(w->type)) return ERR_OK;
    uint32_t count = w->type->kind == TYPE_MAP ? w->items / 2 : w->items;
    if (w->type->kind != TYPE_LIST && count > 1) return sort_level(w, count, d);
    buf_set_be(w->out, w->start, count, 4);
    return ERR_OK;
}

err_t nested_finish(const struct type *t, struct buf *made, struct arena *a, struct value *out,
                    struct diag *d)
{
    struct slice bytes = arena_slice(a, buf_view(made));
    buf_done(made);
    if (!bytes.at) return no_room(d);
    *out = (struct value){.type = t, .state = VALID_VALUE};
    out->bytes = bytes;
    return ERR_OK;
}

/* --- making from items, and making canonical ---------------------------------------------------
 */

static err_t put_canonical(const struct value *v, struct buf *out, struct diag *d);

static err_t put_item(struct nested_writer *w, const struct value *item, struct diag *d)
{
    bool key = w->type->kind == TYPE_SET || (w->type->kind == TYPE_MAP && w->items % 2 == 0);
    if (item->state == VALID_VALUE) {
        size_t at = nested_item_begin(w);
        err_t e = put_canonical(item, w->out, d);
        if (e) return e;
        nested_item_end(w, at);
        return ERR_OK;
    }
    if (key)
        return diag_fail(d, ERR_TYPE, "null can not be %s",
                         w->type->kind == TYPE_SET ? "in a set" : "a map's key");
    nested_null(w);
    return ERR_OK;
}

/* 1.50 stays 1.50, but the digits behind the scale are the shortest bytes. */
static void put_canonical_decimal(struct slice bytes, struct buf *out)
{
    buf_put(out, bytes.at, 4);
    buf_slice(out, varint_shortest((struct slice){bytes.at + 4, bytes.len - 4}));
}

static err_t put_canonical(const struct value *v, struct buf *out, struct diag *d)
{
    struct value item;
    struct duration duration;
    const char *why;
    if (type_is_nested(v->type)) {
        struct value_walk walk = value_walk_make(v);
        struct nested_writer w = nested_begin(v->type, out);
        while (value_walk_next(&walk, &item)) {
            err_t e = put_item(&w, &item, d);
            if (e) return e;
        }
        return nested_end(&w, d);
    }
    if (v->type->kind == TYPE_DECIMAL)
        put_canonical_decimal(v->bytes, out);
    else if (v->type->kind == TYPE_DURATION && duration_from_binary(v->bytes, &duration, &why))
        duration_to_binary(duration, out);
    else
        value_to_binary(v, out);
    return ERR_OK;
}

err_t value_canonical(const struct value *v, struct arena *a, struct value *out, struct diag *d)
{
    enum type_kind k = v->type->kind;
    *out = *v;
    if (v->state != VALID_VALUE ||
        !(type_is_nested(v->type) || k == TYPE_DECIMAL || k == TYPE_DURATION))
        return ERR_OK;
    struct buf made = buf_make(VALUE_BYTES_MAX);
    err_t e = put_canonical(v, &made, d);
    if (!e && made.err) e = no_room(d);
    if (!e) return nested_finish(v->type, &made, a, out, d);
    buf_done(&made);
    return e;
}

static err_t check_item_count(const struct type *t, uint32_t count, struct diag *d)
{
    if (t->kind == TYPE_MAP && count % 2)
        return diag_fail(d, ERR_TYPE, "a map's last key has no value");
    if (!has_count(t) && count != t->count)
        return diag_fail(d, ERR_TYPE, "%s has %u fields, not %u", type_kind_name(t->kind), t->count,
                         count);
    return ERR_OK;
}

err_t value_make(const struct type *t, const struct value *items, uint32_t item_count,
                 struct arena *a, struct value *out, struct diag *d)
{
    INVARIANT(type_is_nested(t));
    *out = value_null(t);
    struct buf made = buf_make(VALUE_BYTES_MAX);
    struct nested_writer w = nested_begin(t, &made);
    err_t e = check_item_count(t, item_count, d);
    for (uint32_t i = 0; !e && i < item_count; i++) {
        const struct type *want = nested_item_type(t, i);
        if (items[i].state == VALID_VALUE && !type_equal(items[i].type, want))
            e = diag_fail(d, ERR_TYPE, "%s wants %s in it, not %s", type_kind_name(t->kind),
                          type_kind_name(want->kind), type_kind_name(items[i].type->kind));
        else
            e = put_item(&w, &items[i], d);
    }
    if (!e) e = nested_end(&w, d);
    if (!e) return nested_finish(t, &made, a, out, d);
    buf_done(&made);
    return e;
}
