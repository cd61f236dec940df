#include "flow/packed.h"

void packed_put(struct buf *out, const struct column *columns, uint32_t count, uint32_t row)
{
    uint32_t size = (count + 7) / 8;
    uint8_t *there = buf_grow(out, size);
    size_t at = out->len - size;
    if (!there) return;
    memset(there, 0, size);
    for (uint32_t i = 0; i < count; i++) {
        const struct column *c = &columns[i];
        if (c->state[row] != VALID_VALUE) continue;
        out->at[at + i / 8] |= (uint8_t)(1u << i % 8);
        enum phys p = type_phys(c->type);
        if (p == PHYS_BYTES) {
            buf_uvarint(out, c->bytes[row].len);
            buf_slice(out, c->bytes[row]);
        } else {
            uint32_t width = phys_size(p);
            buf_put(out, (const uint8_t *)c->data + (size_t)row * width, width);
        }
        if (out->err) return;
    }
}

err_t packed_take(struct slice bytes, struct column *columns, uint32_t count, uint32_t row)
{
    struct cursor in = cursor_of(bytes);
    struct slice there = cursor_slice(&in, (count + 7) / 8);
    if (in.err) return ERR_CORRUPT;
    for (uint32_t i = 0; i < count; i++) {
        struct column *c = &columns[i];
        enum phys p = type_phys(c->type);
        uint32_t width = phys_size(p);
        if (!(there.at[i / 8] & 1u << i % 8)) {
            column_put_null(c, row);
            continue;
        }
        c->state[row] = VALID_VALUE;
        if (p == PHYS_BYTES) {
            c->bytes[row] = cursor_slice(&in, cursor_uvarint(&in));
        } else {
            struct slice s = cursor_slice(&in, width);
            if (!in.err) memcpy((uint8_t *)c->data + (size_t)row * width, s.at, width);
        }
        if (in.err) return ERR_CORRUPT;
    }
    return ERR_OK;
}

void column_put_null(struct column *c, uint32_t row)
{
    uint32_t width = phys_size(type_phys(c->type));
    c->state[row] = NULL_VALUE;
    memset((uint8_t *)c->data + (size_t)row * width, 0, width);
}

void column_copy_row(struct column *to, uint32_t to_row, const struct column *from,
                     uint32_t from_row)
{
    uint32_t width = phys_size(type_phys(to->type));
    to->state[to_row] = from->state[from_row];
    memcpy((uint8_t *)to->data + (size_t)to_row * width,
           (const uint8_t *)from->data + (size_t)from_row * width, width);
}
