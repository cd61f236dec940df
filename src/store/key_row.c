/* Whole keys of rows, bounds of slices as bytes, and what a table's columns are by their ids. */
#include "base/hash.h"
#include "store/store_int.h"

/* --- keys ---------------------------------------------------------------------------------------
 */

static const struct column_info no_column = {.dropped_us = INT64_MIN};

/* CompositeType's form is made in `out` itself, behind what is there, and taken off again. */
static err_t put_partition(struct buf *out, const struct store_table *t, const struct slice *key,
                           uint32_t count)
{
    size_t from = out->len;
    int64_t token;
    for (uint32_t i = 0; i < count; i++)
        if (key[i].len > KEY_PART_MAX) return ERR_TOO_BIG;
    if (count == 1) {
        if (key[0].len == 0) return ERR_CONSTRAINT;
        token = murmur3_token(key[0]);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            buf_be(out, key[i].len, 2);
            buf_slice(out, key[i]);
            buf_char(out, 0);
        }
        if (out->err) return out->err;
        token = murmur3_token(slice_make(out->at + from, out->len - from));
        out->len = from;
    }
    key_put_head(out, t->prefix, token);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t fixed = type_fixed_size(t->columns[i].type);
        if (fixed && key[i].len != fixed) return ERR_MALFORMED;
        key_put_partition(out, t->columns[i].type, key[i]);
    }
    return out->err;
}

static err_t put_clustering(struct buf *out, const struct store_table *t,
                            const struct slice *values, uint32_t count)
{
    const struct store_column *c = t->columns + table_of(t)->partition_count;
    for (uint32_t i = 0; i < count; i++) {
        err_t e = key_put_order(out, c[i].type, values[i], c[i].descending);
        if (e) return e;
    }
    return out->err;
}

err_t key_put_row(struct buf *out, const struct store_table *t, const struct slice *key,
                  uint32_t count)
{
    uint32_t partition = table_of(t)->partition_count;
    INVARIANT(count >= partition && count <= partition + table_of(t)->clustering_count);
    err_t e = put_partition(out, t, key, partition);
    return e ? e : put_clustering(out, t, key + partition, count - partition);
}

err_t store_token(const struct store_table *t, const struct slice *partition, int64_t *token)
{
    struct buf scratch = buf_make((KEY_PART_MAX + 3UL) * KEY_COLUMNS_MAX);
    uint32_t count = table_of(t)->partition_count;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < count; i++)
        if (partition[i].len > KEY_PART_MAX) e = ERR_TOO_BIG;
    if (!e) e = key_token(partition, count, &scratch, token);
    buf_done(&scratch);
    return e;
}

/* Each part ends by itself, so that where the partition's end is can be told from its bytes. */
size_t key_partition_size(const struct table *t, struct slice key)
{
    const uint8_t *at = key.at + KEY_HEAD_SIZE, *end = key.at + key.len;
    if (key.len < KEY_HEAD_SIZE) return 0;
    for (uint32_t i = 0; i < t->partition_count; i++) {
        uint32_t fixed = type_fixed_size(t->t.columns[i].type);
        if (fixed) {
            if ((size_t)(end - at) < fixed) return 0;
            at += fixed;
            continue;
        }
        for (;;) { /* 00 ff is a zero, 00 00 the end */
            at = memchr(at, 0, (size_t)(end - at));
            if (!at || end - at < 2) return 0;
            at += 2;
            if (at[-1] == 0) break;
        }
    }
    return (size_t)(at - key.at);
}

/* --- bounds -------------------------------------------------------------------------------------
 */

bool key_successor(struct buf *out, size_t from)
{
    while (out->len > from && out->at[out->len - 1] == 0xff) out->len--;
    if (out->err || out->len == from) return false;
    out->at[out->len - 1]++;
    return true;
}

static struct slice behind(const struct buf *b, size_t at)
{
    return b->len > at ? slice_make(b->at + at, b->len - at) : (struct slice){0};
}

err_t key_put_slice(struct buf *start, struct buf *end, const struct store_table *t,
                    const struct store_slice *s, bool *open, bool *empty)
{
    size_t start_at = start->len, end_at = end->len;
    *empty = false;
    *open = s->end.count == 0;
    err_t e = put_clustering(start, t, s->start.values, s->start.count);
    if (!e) e = put_clustering(end, t, s->end.values, s->end.count);
    if (e) return e;
    if (s->start.count && !s->start.inclusive) *empty = !key_successor(start, start_at);
    if (s->end.count && s->end.inclusive) *open = !key_successor(end, end_at);
    if (!*open && slice_compare(behind(start, start_at), behind(end, end_at)) >= 0) *empty = true;
    return start->err ? start->err : end->err;
}

/* --- paths --------------------------------------------------------------------------------------
 */

void list_path_put(const uint8_t uuid[16], uint8_t path[16])
{
    struct buf b = buf_over(path, 16);
    if (key_put_order(&b, type_of(TYPE_TIMEUUID), slice_make(uuid, 16), false)) memset(path, 0, 16);
}

void list_path_take(const uint8_t path[16], uint8_t uuid[16])
{
    struct buf b = buf_over(uuid, 16);
    struct key_reader r = {path, path + 16, 0, ERR_OK};
    key_take_order(&r, type_of(TYPE_TIMEUUID), false, &b);
}

/* --- columns by id ------------------------------------------------------------------------------
 */

err_t table_index(struct table *t, struct arena *a)
{
    struct column_info *by_id = arena_take(a, (t->next_column_id + 1UL) * sizeof *by_id);
    if (!by_id) return ERR_NO_MEMORY;
    t->static_count = 0;
    for (uint32_t i = 0; i < t->next_column_id; i++) by_id[i] = no_column;
    for (uint32_t i = 0; i < t->t.column_count; i++) {
        const struct store_column *c = &t->t.columns[i];
        if (c->id >= t->next_column_id) return ERR_CORRUPT;
        by_id[c->id] = (struct column_info){.type = c->type,
                                            .dropped_us = INT64_MIN,
                                            .index = (uint16_t)i,
                                            .role = (uint8_t)c->role,
                                            .complex = type_is_complex(c->type)};
        t->static_count = (uint16_t)(t->static_count + (c->role == COLUMN_STATIC));
    }
    for (uint32_t i = 0; i < t->t.dropped_count; i++) {
        const struct store_dropped *d = &t->t.dropped[i];
        if (d->id < t->next_column_id) by_id[d->id].dropped_us = d->dropped_us;
    }
    t->by_id = by_id;
    return ERR_OK;
}
