/* Scalars as text: what people write in CQL, without quotes. */
#include "data/value/value_int.h"

#include "base/hash.h"
#include <arpa/inet.h>

/* --- writing -----------------------------------------------------------------------------------
 */

static void put_i64(struct buf *out, int64_t v)
{
    char text[24];
    size_t n = sizeof(text);
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do text[--n] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (v < 0) text[--n] = '-';
    buf_put(out, text + n, sizeof(text) - n);
}

static void put_number(struct buf *out, const struct value *v)
{
    struct number n;
    bool ok = v->type->kind == TYPE_VARINT ? number_from_varint(v->bytes, &n)
                                           : number_from_decimal(v->bytes, &n);
    INVARIANT(ok); /* checked when it came in */
    number_put_text(&n, out);
}

/* glibc's inet_ntop writes what RFC 5952 asks for. */
static void put_inet(struct buf *out, struct slice bytes)
{
    char text[INET6_ADDRSTRLEN];
    int family = bytes.len == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, bytes.at, text, sizeof(text))) buf_text(out, text);
}

static void put_uuid(struct buf *out, const uint8_t at[16])
{
    struct uuid u;
    char text[37];
    memcpy(u.at, at, 16);
    uuid_print(u, text);
    buf_put(out, text, 36);
}

static void put_duration_bytes(struct buf *out, struct slice bytes)
{
    struct duration duration;
    const char *why;
    bool ok = duration_from_binary(bytes, &duration, &why);
    INVARIANT(ok);
    put_duration(out, duration);
}

void scalar_to_text(const struct value *v, struct buf *out)
{
    switch (v->type->kind) {
    case TYPE_BOOLEAN: buf_text(out, v->boolean ? "true" : "false"); break;
    case TYPE_FLOAT: put_f32(out, v->f32); break;
    case TYPE_DOUBLE: put_f64(out, v->f64); break;
    case TYPE_VARINT:
    case TYPE_DECIMAL: put_number(out, v); break;
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_JSON: buf_slice(out, v->bytes); break;
    case TYPE_BLOB:
        buf_text(out, "0x");
        put_hex(out, v->bytes.at, v->bytes.len);
        break;
    case TYPE_UUID:
    case TYPE_TIMEUUID: put_uuid(out, v->uuid); break;
    case TYPE_TIMESTAMP: put_timestamp(out, v->integer); break;
    case TYPE_DATE: put_date(out, (uint32_t)v->integer); break;
    case TYPE_TIME: put_time(out, v->integer); break;
    case TYPE_DURATION: put_duration_bytes(out, v->bytes); break;
    case TYPE_INET: put_inet(out, v->bytes); break;
    default: put_i64(out, v->integer);
    }
}

void value_to_text(const struct value *v, struct buf *out)
{
    if (v->state != VALID_VALUE)
        buf_text(out, "null");
    else if (type_is_nested(v->type))
        nested_to_text(v, out);
    else
        scalar_to_text(v, out);
}

/* --- reading -----------------------------------------------------------------------------------
 */

struct scalar_reader {
    const struct type *t;
    struct slice text;
    struct arena *a;
    struct value *out;
    struct diag *d;
};

static err_t keep(struct scalar_reader *r, const void *bytes, size_t len)
{
    r->out->bytes = arena_slice(r->a, slice_make(bytes, len));
    return r->out->bytes.at ? ERR_OK : no_room(r->d);
}

static err_t read_boolean(struct scalar_reader *r)
{
    r->out->boolean = slice_equal_nocase(r->text, SLICE("true"));
    if (r->out->boolean || slice_equal_nocase(r->text, SLICE("false"))) return ERR_OK;
    return text_wrong_because(r->d, r->t, r->text, "it is neither true nor false");
}

static err_t does_not_fit(struct scalar_reader *r)
{
    return integer_does_not_fit(r->d, r->t, show_text(r->text).text);
}

static err_t read_integer(struct scalar_reader *r)
{
    uint32_t i = r->text.len && (r->text.at[0] == '-' || r->text.at[0] == '+');
    uint32_t digits = i;
    while (i < r->text.len && is_digit(r->text.at[i])) i++;
    if (i < r->text.len || i == digits) return text_wrong(r->d, r->t, r->text, i);
    if (!slice_to_i64(r->text, &r->out->integer) || !integer_fits(r->t, r->out->integer))
        return does_not_fit(r);
    return ERR_OK;
}

static err_t number_wrong(struct scalar_reader *r, err_t e, uint32_t bad_at)
{
    if (e == ERR_CAST) return text_wrong(r->d, r->t, r->text, bad_at);
    if (e == ERR_TOO_BIG)
        return diag_fail(r->d, e, "'%s' has more digits than a %s may (%d)",
                         show_text(r->text).text, type_kind_name(r->t->kind), NUMBER_DIGITS_MAX);
    return diag_fail(r->d, ERR_RANGE, "%s does not fit %s", show_text(r->text).text,
                     type_kind_name(r->t->kind));
}

static err_t read_float(struct scalar_reader *r)
{
    uint32_t bad_at = 0;
    err_t e = r->t->kind == TYPE_FLOAT ? read_f32(r->text, &r->out->f32, &bad_at)
                                       : read_f64(r->text, &r->out->f64, &bad_at);
    return e ? number_wrong(r, e, bad_at) : ERR_OK;
}

static err_t read_number(struct scalar_reader *r)
{
    struct number n;
    uint32_t bad_at = 0, i;
    uint8_t bytes[VARINT_BYTES_MAX + 8];
    struct buf b = buf_over(bytes, sizeof(bytes));
    bool varint = r->t->kind == TYPE_VARINT;
    for (i = 0; varint && i < r->text.len; i++) /* an integer has neither point nor exponent */
        if (!is_digit(r->text.at[i]) && !(i == 0 && (r->text.at[0] == '-' || r->text.at[0] == '+')))
            return text_wrong(r->d, r->t, r->text, i);
    err_t e = number_read(r->text, &n, &bad_at);
    if (e) return number_wrong(r, e, bad_at);
    if (varint)
        number_put_varint(&n, &b);
    else
        number_put_decimal(&n, &b);
    INVARIANT(b.err == ERR_OK);
    return keep(r, b.at, b.len);
}

static err_t read_text(struct scalar_reader *r)
{
    uint32_t bad_at;
    if (r->t->kind == TYPE_ASCII && !ascii_valid(r->text, &bad_at))
        return text_wrong(r->d, r->t, r->text, bad_at);
    if (r->t->kind == TYPE_TEXT && !utf8_valid(r->text, &bad_at))
        return diag_fail(r->d, ERR_BAD_UTF8, "'%s' is not UTF-8 at byte %u (0x%02x)",
                         show_text(r->text).text, bad_at + 1, r->text.at[bad_at]);
    if (r->t->kind == TYPE_JSON) {
        err_t e = json_check(r->text, r->d);
        if (e) return e;
    }
    r->out->bytes = r->text; /* borrowed */
    return ERR_OK;
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static err_t read_blob(struct scalar_reader *r)
{
    struct slice text = r->text;
    if (text.len < 2 || text.at[0] != '0' || (text.at[1] | 0x20) != 'x')
        return text_wrong_because(r->d, r->t, text, "it does not begin with 0x");
    for (uint32_t i = 2; i < text.len; i++)
        if (!is_hex(text.at[i])) return text_wrong(r->d, r->t, text, i);
    if (text.len % 2) return text_wrong_because(r->d, r->t, text, "it has an odd number of digits");
    uint32_t len = (text.len - 2) / 2;
    uint8_t *bytes = arena_take_raw(r->a, len + 1);
    if (!bytes) return no_room(r->d);
    bool ok = parse_hex((struct slice){text.at + 2, text.len - 2}, bytes, len);
    INVARIANT(ok);
    r->out->bytes = (struct slice){bytes, len};
    return ERR_OK;
}

static err_t read_uuid(struct scalar_reader *r)
{
    struct uuid u;
    uint32_t i = 0;
    if (!uuid_parse(r->text, &u)) {
        for (; i < r->text.len && i < 36; i++) {
            bool dash = i == 8 || i == 13 || i == 18 || i == 23;
            if (dash ? r->text.at[i] != '-' : !is_hex(r->text.at[i])) break;
        }
        return text_wrong(r->d, r->t, r->text, i);
    }
    if (r->t->kind == TYPE_TIMEUUID && uuid_version(u) != 1)
        return text_wrong_because(r->d, r->t, r->text, "its version is not 1");
    memcpy(r->out->uuid, u.at, 16);
    return ERR_OK;
}

static err_t read_time_kind(struct scalar_reader *r)
{
    struct text_fault f = {0, NULL};
    uint32_t days = 0;
    bool ok;
    if (r->t->kind == TYPE_TIMESTAMP)
        ok = read_timestamp(r->text, &r->out->integer, &f);
    else if (r->t->kind == TYPE_TIME)
        ok = read_time(r->text, &r->out->integer, &f);
    else {
        ok = read_date(r->text, &days, &f);
        r->out->integer = days;
    }
    if (ok) return ERR_OK;
    return f.why ? text_wrong_because(r->d, r->t, r->text, f.why)
                 : text_wrong(r->d, r->t, r->text, f.at);
}

static err_t read_duration_text(struct scalar_reader *r)
{
    struct text_fault f;
    struct duration v;
    uint8_t bytes[32];
    struct buf b = buf_over(bytes, sizeof(bytes));
    if (!read_duration(r->text, &v, &f))
        return f.why ? text_wrong_because(r->d, r->t, r->text, f.why)
                     : text_wrong(r->d, r->t, r->text, f.at);
    duration_to_binary(v, &b);
    return keep(r, b.at, b.len);
}

static err_t read_inet(struct scalar_reader *r)
{
    char text[INET6_ADDRSTRLEN + 1];
    uint8_t bytes[16];
    bool fits = slice_to_cstr(r->text, text, sizeof(text)) && strlen(text) == r->text.len;
    if (fits && inet_pton(AF_INET, text, bytes) == 1) return keep(r, bytes, 4);
    if (fits && inet_pton(AF_INET6, text, bytes) == 1) return keep(r, bytes, 16);
    return text_wrong_because(r->d, r->t, r->text, "it is neither an IPv4 nor an IPv6 address");
}

static err_t read_scalar(struct scalar_reader *r)
{
    switch (r->t->kind) {
    case TYPE_BOOLEAN: return read_boolean(r);
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return read_float(r);
    case TYPE_VARINT:
    case TYPE_DECIMAL: return read_number(r);
    case TYPE_ASCII:
    case TYPE_TEXT:
    case TYPE_JSON: return read_text(r);
    case TYPE_BLOB: return read_blob(r);
    case TYPE_UUID:
    case TYPE_TIMEUUID: return read_uuid(r);
    case TYPE_TIMESTAMP:
    case TYPE_DATE:
    case TYPE_TIME: return read_time_kind(r);
    case TYPE_DURATION: return read_duration_text(r);
    case TYPE_INET: return read_inet(r);
    default: return read_integer(r);
    }
}

err_t value_from_text(const struct type *t, struct slice text, struct arena *a, struct value *out,
                      struct diag *d)
{
    *out = value_null(t);
    if (type_is_nested(t)) return nested_from_text(t, text, a, out, d);
    struct value made = {.type = t, .state = VALID_VALUE};
    struct scalar_reader r = {t, text, a, &made, d};
    err_t e = read_scalar(&r);
    if (!e) *out = made;
    return e;
}
