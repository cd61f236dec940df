/* Paging states: a position, and nothing of the server's: they outlive it.
 *
 *   version (1) | kind: 0 a row, 1 a partition (1) | remaining (4) | remaining in partition (4) |
 *   values of the key: length (4) and bytes, each | CRC32C over the table's id and all before it
 * (4)
 *
 * The checksum binds a state to its table and keeps a damaged one from becoming a position.
 */
#include "base/hash.h"
#include "cql/select.h"

enum { STATE_VERSION = 1, STATE_HEAD = 10, STATE_TAIL = 4 };

static uint32_t state_sum(const struct store_table *t, struct slice body)
{
    return crc32c(crc32c(0, t->id, sizeof t->id), body.at, body.len);
}

err_t paging_put(const struct store_table *t, const struct paging *p, struct arena *a,
                 struct slice *out)
{
    size_t size = STATE_HEAD + STATE_TAIL;
    for (uint32_t i = 0; i < p->key_count; i++) size += 4U + p->key[i].len;
    uint8_t *at = arena_take_raw(a, size);
    if (!at) return ERR_NO_MEMORY;
    struct buf b = buf_over(at, size);
    buf_be(&b, STATE_VERSION, 1);
    buf_be(&b, p->key_count == restrict_key_columns(t) && restrict_clustering_columns(t), 1);
    buf_be(&b, (uint32_t)p->remaining, 4);
    buf_be(&b, (uint32_t)p->remaining_in_partition, 4);
    for (uint32_t i = 0; i < p->key_count; i++) {
        buf_be(&b, p->key[i].len, 4);
        buf_slice(&b, p->key[i]);
    }
    buf_be(&b, state_sum(t, buf_view(&b)), 4);
    *out = buf_view(&b);
    return b.err;
}

static err_t refused(struct diag *d)
{
    return diag_fail(d, ERR_PROTOCOL, "Invalid value for the paging state");
}

err_t paging_read(const struct store_table *t, struct slice state, struct arena *a,
                  struct paging *out, struct diag *d)
{
    if (state.len < STATE_HEAD + STATE_TAIL) return refused(d);
    struct slice body = slice_make(state.at, state.len - STATE_TAIL);
    struct cursor tail = cursor_of(slice_make(state.at + body.len, STATE_TAIL));
    if ((uint32_t)cursor_i32(&tail) != state_sum(t, body)) return refused(d);
    struct cursor c = cursor_of(body);
    uint64_t version = cursor_be(&c, 1), kind = cursor_be(&c, 1);
    *out = (struct paging){.remaining = cursor_i32(&c)};
    out->remaining_in_partition = cursor_i32(&c);
    uint32_t keys = restrict_key_columns(t), clustering = restrict_clustering_columns(t);
    out->key_count = kind ? keys : keys + clustering;
    if (version != STATE_VERSION || kind > (clustering ? 1 : 0) || out->remaining < 0 ||
        out->remaining_in_partition < 0)
        return refused(d);
    struct slice *key = arena_take(a, out->key_count * sizeof *key);
    if (!key) return diag_fail(d, ERR_NO_MEMORY, "no memory for a paging state");
    for (uint32_t i = 0; i < out->key_count; i++) {
        struct value v;
        struct diag why;
        int32_t len = cursor_i32(&c);
        if (len < 0) return refused(d);
        key[i] = cursor_slice(&c, (uint64_t)len);
        if (c.err) return refused(d);
        /* an empty value of a type that has none is a key all the same */
        if (key[i].len && value_from_binary(t->columns[i].type, key[i], &v, &why))
            return refused(d);
    }
    if (c.err || cursor_left(&c)) return refused(d);
    out->key = key;
    return ERR_OK;
}
