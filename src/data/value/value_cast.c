/* CAST: exact, or an error that says what does not fit. Only float and double may round: they are
 * approximate by their own declaration; a number too large for them is an error all the same. */
#include "data/value/value_int.h"

#include "base/hash.h"
#include <math.h>
#include <stdio.h>

struct cast {
    const struct value *v;
    const struct type *to;
    struct arena *a;
    struct value *out;
    struct diag *d;
};

/* --- telling -----------------------------------------------------------------------------------
 */

static struct shown show_value(const struct value *v)
{
    char text[128];
    struct buf b = buf_over(text, sizeof(text)); /* what is longer is cut, then shown as cut */
    if (v->state == VALID_VALUE && (type_is_text(v->type) || v->type->kind == TYPE_JSON))
        return show_text(v->bytes);
    value_to_text(v, &b);
    return show_text(buf_view(&b));
}

static err_t does_not_fit(struct cast *c)
{
    if (type_is_integer(c->to) && c->to->kind != TYPE_VARINT)
        return integer_does_not_fit(c->d, c->to, show_value(c->v).text);
    return diag_fail(c->d, ERR_RANGE, "%s does not fit %s", show_value(c->v).text,
                     type_kind_name(c->to->kind));
}

static err_t not_whole(struct cast *c)
{
    return diag_fail(c->d, ERR_CAST, "%s is not whole, %s was wanted", show_value(c->v).text,
                     type_kind_name(c->to->kind));
}

static err_t keep(struct cast *c, const struct buf *made)
{
    INVARIANT(made->err == ERR_OK);
    c->out->bytes = arena_slice(c->a, buf_view(made));
    return c->out->bytes.at ? ERR_OK : no_room(c->d);
}

/* --- numbers -----------------------------------------------------------------------------------
 */

static bool is_float(const struct type *t)
{
    return t->kind == TYPE_FLOAT || t->kind == TYPE_DOUBLE;
}

static double float_of(const struct value *v)
{
    return v->type->kind == TYPE_FLOAT ? (double)v->f32 : v->f64;
}

/* The source as exact digits; a float by its shortest text, as people see it. */
static bool exact(const struct value *v, struct number *n)
{
    char text[40];
    uint32_t bad_at;
    struct buf b = buf_over(text, sizeof(text));
    if (v->type->kind == TYPE_VARINT) return number_from_varint(v->bytes, n);
    if (v->type->kind == TYPE_DECIMAL) return number_from_decimal(v->bytes, n);
    if (!is_float(v->type)) {
        number_from_i64(v->integer, n);
        return true;
    }
    if (!isfinite(float_of(v))) return false;
    scalar_to_text(v, &b);
    return number_read(buf_view(&b), n, &bad_at) == ERR_OK;
}

/* A whole double's exact digits: 1e23 is 99999999999999991611392. */
static bool exact_whole(const struct value *v, struct number *n)
{
    char text[400];
    uint32_t bad_at;
    if (!is_float(v->type)) return exact(v, n);
    snprintf(text, sizeof(text), "%.0f", float_of(v));
    return number_read(slice_of(text), n, &bad_at) == ERR_OK;
}

static err_t to_integer(struct cast *c)
{
    struct number n;
    if (type_phys(c->v->type) != PHYS_BYTES && !is_float(c->v->type) &&
        c->to->kind != TYPE_VARINT) {
        c->out->integer = c->v->integer;
        return integer_fits(c->to, c->v->integer) ? ERR_OK : does_not_fit(c);
    }
    if (is_float(c->v->type)) {
        double f = float_of(c->v);
        if (!isfinite(f)) return does_not_fit(c);
        if (f != trunc(f)) return not_whole(c);
    }
    if (!exact_whole(c->v, &n)) return does_not_fit(c);
    if (!number_is_whole(&n)) return not_whole(c);
    if (!number_make_whole(&n)) return does_not_fit(c);
    if (c->to->kind == TYPE_VARINT) {
        uint8_t bytes[VARINT_BYTES_MAX + 8];
        struct buf b = buf_over(bytes, sizeof(bytes));
        number_put_varint(&n, &b);
        return keep(c, &b);
    }
    if (!number_to_i64(&n, &c->out->integer) || !integer_fits(c->to, c->out->integer))
        return does_not_fit(c);
    return ERR_OK;
}

static err_t to_decimal(struct cast *c)
{
    struct number n;
    uint8_t bytes[VARINT_BYTES_MAX + 8];
    struct buf b = buf_over(bytes, sizeof(bytes));
    if (!exact(c->v, &n)) return does_not_fit(c);
    number_put_decimal(&n, &b);
    return keep(c, &b);
}

/* Enough digits to round rightly: past 800 only whether there is something more matters. */
static void put_rounding_text(const struct number *n, struct buf *b)
{
    enum { KEPT = 800 };
    uint32_t shown = MIN(n->count, (uint32_t)KEPT);
    if (n->negative) buf_char(b, '-');
    buf_char(b, '0');
    for (uint32_t i = 0; i < shown; i++) buf_char(b, (char)('0' + n->digits[i]));
    if (n->count > shown) buf_char(b, '1');
    int64_t left = n->count > shown ? n->count - shown - 1 : 0;
    buf_printf(b, "e%lld", (long long)(left - n->scale));
}

static err_t to_float(struct cast *c)
{
    char text[1000];
    uint32_t bad_at;
    struct number n;
    struct buf b = buf_over(text, sizeof(text));
    bool narrow = c->to->kind == TYPE_FLOAT;
    if (is_float(c->v->type)) {
        double f = float_of(c->v);
        if (narrow)
            c->out->f32 = (float)f;
        else
            c->out->f64 = f;
        return narrow && isinf(c->out->f32) && !isinf(f) ? does_not_fit(c) : ERR_OK;
    }
    if (type_phys(c->v->type) != PHYS_BYTES) { /* C rounds as reading its digits would */
        if (narrow)
            c->out->f32 = (float)c->v->integer;
        else
            c->out->f64 = (double)c->v->integer;
        return ERR_OK;
    }
    if (!exact(c->v, &n)) return does_not_fit(c);
    put_rounding_text(&n, &b);
    err_t e = narrow ? read_f32(buf_view(&b), &c->out->f32, &bad_at)
                     : read_f64(buf_view(&b), &c->out->f64, &bad_at);
    return e ? does_not_fit(c) : ERR_OK;
}

static err_t number_to_number(struct cast *c)
{
    if (is_float(c->to)) return to_float(c);
    return c->to->kind == TYPE_DECIMAL ? to_decimal(c) : to_integer(c);
}

/* --- times -------------------------------------------------------------------------------------
 */

static err_t ms_to_date(struct cast *c, int64_t ms)
{
    int64_t days = ms / DAY_MS - (ms % DAY_MS < 0);
    if (days < -DATE_ZERO || days >= DATE_ZERO) return does_not_fit(c);
    c->out->integer = days + DATE_ZERO;
    return ERR_OK;
}

static err_t to_timestamp(struct cast *c)
{
    struct uuid u;
    switch (c->v->type->kind) {
    case TYPE_DATE: c->out->integer = (c->v->integer - DATE_ZERO) * DAY_MS; return ERR_OK;
    case TYPE_TIMEUUID:
        memcpy(u.at, c->v->uuid, 16);
        c->out->integer = uuid_v1_ms(u);
        return ERR_OK;
    default: return to_integer(c);
    }
}

static err_t to_date(struct cast *c)
{
    struct value ms = value_i64(TYPE_TIMESTAMP, c->v->integer);
    if (c->v->type->kind == TYPE_TIMEUUID) {
        struct cast first = {c->v, ms.type, c->a, &ms, c->d};
        err_t e = to_timestamp(&first);
        if (e) return e;
    }
    return ms_to_date(c, ms.integer);
}

static err_t to_uuid(struct cast *c)
{
    memcpy(c->out->uuid, c->v->uuid, 16);
    if (c->to->kind == TYPE_TIMEUUID && c->v->uuid[6] >> 4 != 1)
        return diag_fail(c->d, ERR_CAST, "%s is not a timeuuid: its version is not 1",
                         show_value(c->v).text);
    return ERR_OK;
}

/* --- text, JSON, nested ------------------------------------------------------------------------
 */

static err_t to_text(struct cast *c)
{
    struct buf b = buf_make(VALUE_BYTES_MAX);
    if (c->to->kind == TYPE_JSON)
        value_to_json(c->v, &b);
    else
        value_to_text(c->v, &b);
    err_t e = b.err ? no_room(c->d) : ERR_OK;
    struct slice text = e ? (struct slice){0} : arena_slice(c->a, buf_view(&b));
    buf_done(&b);
    if (!e && !text.at) e = no_room(c->d);
    c->out->bytes = text;
    if (!e && c->to->kind == TYPE_ASCII) return value_from_text(c->to, text, c->a, c->out, c->d);
    return e;
}

static bool pick_item(const struct value *from, const struct type *to, uint32_t i,
                      struct value *item)
{
    if (to->kind == TYPE_STRUCT) return value_field(from, to->names[i], item);
    return value_item(from, i, item);
}

static err_t to_nested(struct cast *c)
{
    bool fields = c->to->kind == TYPE_STRUCT || c->to->kind == TYPE_TUPLE;
    struct value_walk w = value_walk_make(c->v);
    uint32_t count = fields ? c->to->count : w.count;
    struct value *items = arena_take(c->a, MAX(count, 1u) * sizeof(*items)), item;
    if (!items) return no_room(c->d);
    for (uint32_t i = 0; i < count; i++) {
        bool found = fields ? pick_item(c->v, c->to, i, &item) : value_walk_next(&w, &item);
        INVARIANT(found); /* type_castable has seen to it */
        err_t e = value_cast(&item, nested_item_type(c->to, i), c->a, &items[i], c->d);
        if (e) return e;
    }
    return value_make(c->to, items, count, c->a, c->out, c->d);
}

/* --- which casts there are ---------------------------------------------------------------------
 */

static bool is_list_like(const struct type *t)
{
    return t->kind == TYPE_LIST || t->kind == TYPE_SET;
}

static bool struct_castable(const struct type *from, const struct type *to)
{
    for (uint16_t i = 0; i < to->count; i++) {
        uint16_t f = 0;
        while (f < from->count && !slice_equal(from->names[f], to->names[i])) f++;
        if (f == from->count || !type_castable(from->items[f], to->items[i])) return false;
    }
    return true;
}

static bool nested_castable(const struct type *from, const struct type *to)
{
    if (is_list_like(from) && is_list_like(to)) return type_castable(from->items[0], to->items[0]);
    if (from->kind != to->kind) return false;
    if (from->kind == TYPE_STRUCT) return struct_castable(from, to);
    if (from->count != to->count) return false;
    for (uint16_t i = 0; i < to->count; i++)
        if (!type_castable(from->items[i], to->items[i])) return false;
    return true;
}

/* The few that are neither among numbers nor from or to text: docs/types.md has the table. */
static bool special_castable(enum type_kind from, enum type_kind to)
{
    static const uint8_t pairs[][2] = {
        {TYPE_TIMESTAMP, TYPE_DATE},     {TYPE_TIMESTAMP, TYPE_BIGINT},
        {TYPE_TIMESTAMP, TYPE_VARINT},   {TYPE_DATE, TYPE_TIMESTAMP},
        {TYPE_INT, TYPE_TIMESTAMP},      {TYPE_BIGINT, TYPE_TIMESTAMP},
        {TYPE_VARINT, TYPE_TIMESTAMP},   {TYPE_TIMEUUID, TYPE_UUID},
        {TYPE_UUID, TYPE_TIMEUUID},      {TYPE_TIMEUUID, TYPE_DATE},
        {TYPE_TIMEUUID, TYPE_TIMESTAMP},
    };
    for (size_t i = 0; i < COUNT_OF(pairs); i++)
        if (pairs[i][0] == from && pairs[i][1] == to) return true;
    return false;
}

bool type_castable(const struct type *from, const struct type *to)
{
    if (type_equal(from, to) || type_is_text(from) || from->kind == TYPE_JSON) return true;
    if (type_is_text(to) || to->kind == TYPE_JSON) return true;
    if (type_is_number(from) && type_is_number(to)) return true;
    if (type_is_nested(from) && type_is_nested(to)) return nested_castable(from, to);
    return special_castable(from->kind, to->kind);
}

static err_t cast_special(struct cast *c)
{
    switch (c->to->kind) {
    case TYPE_TIMESTAMP: return to_timestamp(c);
    case TYPE_DATE: return to_date(c);
    case TYPE_UUID:
    case TYPE_TIMEUUID: return to_uuid(c);
    default: return to_integer(c); /* a timestamp's milliseconds */
    }
}

static err_t cast_value(struct cast *c)
{
    const struct type *from = c->v->type;
    if (from->kind == TYPE_JSON)
        return value_from_json(c->to, c->v->bytes, true, c->a, c->out, c->d);
    if (type_is_text(from)) return value_from_text(c->to, c->v->bytes, c->a, c->out, c->d);
    if (type_is_text(c->to) || c->to->kind == TYPE_JSON) return to_text(c);
    if (type_is_number(from) && type_is_number(c->to)) return number_to_number(c);
    return type_is_nested(from) ? to_nested(c) : cast_special(c);
}

err_t value_cast(const struct value *v, const struct type *to, struct arena *a, struct value *out,
                 struct diag *d)
{
    const struct value from = *v; /* `out` may be `v` */
    if (!type_castable(from.type, to))
        return diag_fail(d, ERR_TYPE, "%s can not be cast to %s", type_kind_name(from.type->kind),
                         type_kind_name(to->kind));
    *out = from;
    out->type = to;
    if (from.state != VALID_VALUE || type_equal(from.type, to)) return ERR_OK;
    struct value made = {.type = to, .state = VALID_VALUE};
    struct cast c = {&from, to, a, &made, d};
    err_t e = cast_value(&c);
    *out = e ? value_null(to) : made;
    return e;
}
