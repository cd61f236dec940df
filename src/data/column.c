#include "data/column.h"

#include <stdio.h>

err_t column_init(struct column *c, const struct type *t, uint32_t rows, struct arena *a)
{
    *c = (struct column){.type = t};
    c->state = arena_take(a, rows);
    c->data = arena_take(a, (size_t)rows * phys_size(type_phys(t)));
    return c->state && c->data ? ERR_OK : ERR_NO_MEMORY;
}

err_t batch_init(struct column_batch *b, const struct type *const *types, uint32_t column_count,
                 uint32_t rows, struct arena *a)
{
    *b = (struct column_batch){.rows = rows, .column_count = column_count, .arena = a};
    b->columns = arena_take(a, column_count * sizeof(*b->columns));
    b->bad = arena_take(a, rows);
    b->fault_at =
        arena_take_raw(a, rows * sizeof(*b->fault_at)); /* pages nobody touches are free */
    if (!b->columns || !b->bad || !b->fault_at) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < column_count; i++) {
        err_t e = column_init(&b->columns[i], types[i], rows, a);
        if (e) return e;
    }
    return ERR_OK;
}

/* Integers of any width, as struct value holds them. */
static int64_t get_integer(const struct column *c, uint32_t row)
{
    switch (type_phys(c->type)) {
    case PHYS_B1: return c->i8[row];
    case PHYS_B2: return c->i16[row];
    case PHYS_B4: return c->type->kind == TYPE_DATE ? (int64_t)(uint32_t)c->i32[row] : c->i32[row];
    default: return c->i64[row];
    }
}

static void set_integer(struct column *c, uint32_t row, int64_t v)
{
    switch (type_phys(c->type)) {
    case PHYS_B1: c->i8[row] = (int8_t)v; break;
    case PHYS_B2: c->i16[row] = (int16_t)v; break;
    case PHYS_B4: c->i32[row] = (int32_t)(uint32_t)v; break;
    default: c->i64[row] = v;
    }
}

void column_get(const struct column *c, uint32_t row, struct value *out)
{
    *out = (struct value){.type = c->type, .state = c->state[row]};
    if (out->state != VALID_VALUE) return;
    switch (c->type->kind) {
    case TYPE_BOOLEAN: out->boolean = c->b1[row] != 0; break;
    case TYPE_FLOAT: out->f32 = c->f32[row]; break;
    case TYPE_DOUBLE: out->f64 = c->f64[row]; break;
    case TYPE_UUID:
    case TYPE_TIMEUUID: memcpy(out->uuid, c->b16[row], 16); break;
    default:
        if (type_phys(c->type) == PHYS_BYTES)
            out->bytes = c->bytes[row];
        else
            out->integer = get_integer(c, row);
    }
}

err_t column_set(struct column *c, uint32_t row, const struct value *v)
{
    if (v->state == VALID_VALUE && v->type->kind != c->type->kind) return ERR_TYPE;
    c->state[row] = v->state;
    if (v->state != VALID_VALUE) return ERR_OK;
    switch (c->type->kind) {
    case TYPE_BOOLEAN: c->b1[row] = v->boolean; break;
    case TYPE_FLOAT: c->f32[row] = v->f32; break;
    case TYPE_DOUBLE: c->f64[row] = v->f64; break;
    case TYPE_UUID:
    case TYPE_TIMEUUID: memcpy(c->b16[row], v->uuid, 16); break;
    default:
        if (type_phys(c->type) == PHYS_BYTES)
            c->bytes[row] = v->bytes;
        else
            set_integer(c, row, v->integer);
    }
    return ERR_OK;
}

struct slice column_binary(const struct column *c, uint32_t row, uint8_t scratch[16])
{
    assert(c->state[row] == VALID_VALUE);
    switch (type_phys(c->type)) {
    case PHYS_B1: scratch[0] = c->b1[row]; return slice_make(scratch, 1);
    case PHYS_B2: {
        uint16_t v = __builtin_bswap16((uint16_t)c->i16[row]);
        memcpy(scratch, &v, sizeof(v));
        return slice_make(scratch, sizeof(v));
    }
    case PHYS_B4: {
        uint32_t v = __builtin_bswap32((uint32_t)c->i32[row]); /* a float's bits too */
        memcpy(scratch, &v, sizeof(v));
        return slice_make(scratch, sizeof(v));
    }
    case PHYS_B8: {
        uint64_t v = __builtin_bswap64((uint64_t)c->i64[row]);
        memcpy(scratch, &v, sizeof(v));
        return slice_make(scratch, sizeof(v));
    }
    case PHYS_B16: return slice_make(c->b16[row], 16);
    case PHYS_BYTES: break;
    }
    return c->bytes[row];
}

/* `text` cut to at most `max` bytes, not inside a character. */
static size_t cut_utf8(const char *text, size_t len, size_t max)
{
    if (len <= max) return len;
    while (max && ((uint8_t)text[max] & 0xC0) == 0x80) max--;
    return max;
}

void batch_fault(struct column_batch *b, struct column *c, uint32_t row, err_t e, const char *fmt,
                 ...)
{
    char text[FAULT_TEXT_MAX + 4];
    INVARIANT(row < b->rows && e != ERR_OK);
    if (c) c->state[row] = ERROR_VALUE;
    if (b->bad[row]) return;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    size_t len = n < 0 ? 0 : cut_utf8(text, MIN((size_t)n, sizeof(text) - 1), FAULT_TEXT_MAX);
    const char *kept = len ? arena_text(b->arena, slice_make(text, len)) : NULL;
    b->fault_at[row] = (struct row_fault){row, e, kept ? kept : err_text(e)};
    b->bad[row] = 1;
    b->fault_count++;
}

const struct row_fault *batch_fault_of(const struct column_batch *b, uint32_t row)
{
    return row < b->rows && b->bad[row] ? &b->fault_at[row] : NULL;
}

const struct row_fault *batch_fault_next(const struct column_batch *b, uint32_t from)
{
    if (b->fault_count == 0 || from >= b->rows) return NULL;
    const uint8_t *found = memchr(b->bad + from, 1, b->rows - from);
    return found ? &b->fault_at[found - b->bad] : NULL;
}
