/* Scalars as Java and the original's serializers print them. */
#include "sql/cql/term_int.h"

#include "base/hash.h"
#include <stdio.h>
#include <stdlib.h>

/* --- floating point: Double.toString
 * ----------------------------------------------------------------
 */

struct float_digits {
    char digits[40];
    int count, exponent; /* d.ddd * 10^exponent */
};

/* The digits and the exponent of what value_to_text wrote: "-1.5e+21", "0.00012", "123". */
static void take_digits(struct slice text, struct float_digits *out)
{
    int64_t exponent = 0;
    int point = -1;
    uint32_t i = 0;
    out->count = 0;
    for (; i < text.len && text.at[i] != 'e'; i++) {
        if (text.at[i] == '.') point = out->count;
        if (text.at[i] >= '0' && text.at[i] <= '9' && out->count < 36)
            out->digits[out->count++] = (char)text.at[i];
    }
    if (i < text.len) {
        struct slice tail = {text.at + i + 1, text.len - i - 1};
        if (tail.len && tail.at[0] == '+') tail = (struct slice){tail.at + 1, tail.len - 1};
        (void)!slice_to_i64(tail, &exponent);
    }
    if (point < 0) point = out->count;
    int lead = 0;
    while (lead + 1 < out->count && out->digits[lead] == '0') lead++;
    memmove(out->digits, out->digits + lead, (size_t)(out->count - lead));
    out->count -= lead;
    out->exponent = (int)exponent + point - lead - 1;
    while (out->count > 1 && out->digits[out->count - 1] == '0') out->count--;
}

/* Where one digit would do Java takes the nearest of two digits: 4.9E-324. */
static void two_digits(double v, bool narrow, struct float_digits *f)
{
    char text[40];
    snprintf(text, sizeof(text), "%.1e", v);
    bool same = narrow ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
    if (same) take_digits(slice_of(text), f);
}

static void put_java(struct buf *out, const struct float_digits *f)
{
    int n = f->count, e = f->exponent;
    if (e >= -3 && e < 7) {
        if (e < 0) {
            buf_text(out, "0.");
            for (int i = -1; i > e; i--) buf_char(out, '0');
            buf_put(out, f->digits, (size_t)n);
            return;
        }
        for (int i = 0; i <= e; i++) buf_char(out, i < n ? f->digits[i] : '0');
        buf_char(out, '.');
        if (n > e + 1)
            buf_put(out, f->digits + e + 1, (size_t)(n - e - 1));
        else
            buf_char(out, '0');
        return;
    }
    buf_char(out, f->digits[0]);
    buf_char(out, '.');
    if (n > 1)
        buf_put(out, f->digits + 1, (size_t)(n - 1));
    else
        buf_char(out, '0');
    buf_printf(out, "E%d", e);
}

static void put_float(struct buf *out, const struct value *held, double v, bool narrow)
{
    char memory[64];
    struct buf text = buf_over(memory, sizeof(memory));
    struct float_digits f;
    if (v != v) {
        buf_text(out, "NaN");
        return;
    }
    if (__builtin_signbit(v)) buf_char(out, '-');
    v = __builtin_fabs(v);
    if (__builtin_isinf(v)) {
        buf_text(out, "Infinity");
        return;
    }
    if (v == 0) {
        buf_text(out, "0.0");
        return;
    }
    value_to_text(held, &text);
    take_digits(buf_view(&text), &f);
    if (f.count == 1) two_digits(v, narrow, &f);
    put_java(out, &f);
}

void java_put_f64(struct buf *out, double v)
{
    struct value held = value_f64(v);
    put_float(out, &held, v, false);
}

void java_put_f32(struct buf *out, float v)
{
    struct value held = {.type = type_of(TYPE_FLOAT), .state = VALID_VALUE, .f32 = v};
    put_float(out, &held, (double)v, true);
}

/* --- times
 * ------------------------------------------------------------------------------------------
 */

/* "yyyy" is the year of its era: 1 BC is 0001. */
void timestamp_put(struct buf *out, int64_t ms, char between)
{
    int64_t days = calendar_floor(ms, DAY_MS), rest = calendar_rest(ms, DAY_MS);
    struct calendar_day d = calendar_of(days);
    int64_t y = d.year <= 0 ? 1 - d.year : d.year;
    if (y > 9999) buf_char(out, '+');
    buf_printf(out, "%04lld-%02d-%02d%c%02d:%02d:%02d.%03dZ", (long long)y, d.month, d.day, between,
               (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60),
               (int)(rest % 1000));
}

static void put_date(struct buf *out, uint32_t shifted)
{
    struct calendar_day d = calendar_of((int64_t)shifted - DATE_ZERO);
    int64_t y = d.year;
    if (y > 9999) buf_char(out, '+');
    if (y < 0) buf_char(out, '-');
    buf_printf(out, "%04lld-%02d-%02d", (long long)(y < 0 ? -y : y), d.month, d.day);
}

static void put_time(struct buf *out, int64_t ns)
{
    int64_t s = ns / 1000000000;
    buf_printf(out, "%02d:%02d:%02d.%09d", (int)(s / 3600 % 24), (int)(s / 60 % 60), (int)(s % 60),
               (int)(ns % 1000000000));
}

/* --- durations: three zigzag vints; the first byte's leading ones count the bytes that follow
 * ---------
 */

static int64_t take_vint(struct cursor *c)
{
    uint8_t first = (uint8_t)cursor_be(c, 1);
    int extra = first == 0xFF ? 8 : __builtin_clz(~((uint32_t)first << 24));
    uint64_t v = extra >= 7 ? 0 : first & (0xFFu >> (extra + 1));
    for (int i = 0; i < extra; i++) v = v << 8 | cursor_be(c, 1);
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

bool duration_take(struct slice b, struct cql_duration *out)
{
    struct cursor c = cursor_of(b);
    int64_t months = take_vint(&c), days = take_vint(&c), ns = take_vint(&c);
    *out = (struct cql_duration){(int32_t)months, (int32_t)days, ns};
    return c.err == ERR_OK && months == (int32_t)months && days == (int32_t)days;
}

static void put_vint(struct buf *out, int64_t value)
{
    uint64_t v = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    int bits = v ? 64 - __builtin_clzll(v) : 1;
    int extra = bits > 56 ? 8 : (bits - 1) / 7;
    uint64_t head = (0xFF00u >> extra) & 0xFF;
    buf_be(out, extra == 8 ? head : head | v >> (8 * extra), 1);
    buf_be(out, v, extra);
}

void duration_make(struct cql_duration v, struct buf *out)
{
    put_vint(out, v.months);
    put_vint(out, v.days);
    put_vint(out, v.ns);
}

static uint64_t put_unit(struct buf *out, uint64_t left, uint64_t size, const char *unit)
{
    if (left < size || left == 0) return left;
    buf_printf(out, "%llu%s", (unsigned long long)(left / size), unit);
    return left % size;
}

static uint64_t absolute(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

void duration_put(struct buf *out, struct cql_duration v)
{
    if (v.months < 0 || v.days < 0 || v.ns < 0) buf_char(out, '-');
    uint64_t left = put_unit(out, absolute(v.months), 12, "y");
    put_unit(out, left, 1, "mo");
    put_unit(out, absolute(v.days), 1, "d");
    left = put_unit(out, absolute(v.ns), 3600000000000, "h");
    left = put_unit(out, left, 60000000000, "m");
    left = put_unit(out, left, 1000000000, "s");
    left = put_unit(out, left, 1000000, "ms");
    left = put_unit(out, left, 1000, "us");
    put_unit(out, left, 1, "ns");
}

/* --- all scalars
 * --------------------------------------------------------------------------------------
 */

/* getHostAddress: eight groups, none left out. */
static void put_inet(struct buf *out, struct slice b)
{
    if (b.len == 4) {
        buf_printf(out, "%u.%u.%u.%u", b.at[0], b.at[1], b.at[2], b.at[3]);
        return;
    }
    for (int i = 0; i < 16; i += 2)
        buf_printf(out, "%s%x", i ? ":" : "", (unsigned)(b.at[i] << 8 | b.at[i + 1]));
}

static void put_uuid(struct buf *out, struct slice b)
{
    struct uuid u;
    char text[37];
    memcpy(u.at, b.at, 16);
    uuid_print(u, text);
    buf_put(out, text, 36);
}

void scalar_put(const struct type *t, struct slice b, struct buf *out)
{
    struct cql_duration duration;
    if (b.len == 0) return;
    switch (t->kind) {
    case TYPE_BOOLEAN: buf_text(out, b.at[0] ? "true" : "false"); break;
    case TYPE_FLOAT: java_put_f32(out, binary_f32(b)); break;
    case TYPE_DOUBLE: java_put_f64(out, binary_f64(b)); break;
    case TYPE_VARINT:
    case TYPE_DECIMAL: {
        struct value v = value_hold(t, b);
        value_to_text(&v, out);
        break;
    }
    case TYPE_BLOB: put_hex(out, b.at, b.len); break;
    case TYPE_UUID:
    case TYPE_TIMEUUID: put_uuid(out, b); break;
    case TYPE_TIMESTAMP: timestamp_put(out, binary_i64(b), 'T'); break;
    case TYPE_DATE: put_date(out, (uint32_t)binary_i64(b)); break;
    case TYPE_TIME: put_time(out, binary_i64(b)); break;
    case TYPE_DURATION:
        if (duration_take(b, &duration)) duration_put(out, duration);
        break;
    case TYPE_INET: put_inet(out, b); break;
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER: buf_printf(out, "%lld", (long long)binary_i64(b)); break;
    default: buf_slice(out, b);
    }
}
