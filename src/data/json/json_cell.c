/* The quick ways into a column. Each takes the forms that real data has and leaves the rest, and
 * all that is wrong, to value_from_json. */
#include "data/json/json_plan.h"

#include "base/hash.h"
#include "data/value/value_int.h"

/* What stands between the quotes, without a copy; false: not a string, or it has escapes. */
static bool plain_string(const struct json_cell *c, struct slice *out)
{
    *out = (struct slice){c->text.at + 1, c->text.len - 2};
    return c->text.at[0] == '"' && (!c->escapes || !memchr(out->at, '\\', out->len));
}

static bool take_bytes(struct json_cell *c, struct slice s)
{
    c->column->bytes[c->row] = s;
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

static bool take_text(struct json_cell *c)
{
    struct slice s;
    if (plain_string(c, &s)) return take_bytes(c, s);
    if (c->text.at[0] != '"') return false;
    uint8_t *out = arena_take_raw(c->arena, (size_t)s.len + 4);
    size_t len = out ? json_unescape(s, out, (size_t)s.len + 4) : SIZE_MAX;
    if (len == SIZE_MAX) return false;
    (void)arena_resize(c->arena, out, (size_t)s.len + 4, len);
    return take_bytes(c, slice_make(out, len));
}

/* CAST(… AS text): what is no string gives its exact text, 1.10 stays 1.10. */
static bool take_any_text(struct json_cell *c)
{
    return c->text.at[0] == '"' ? take_text(c) : take_bytes(c, c->text);
}

static bool take_ascii(struct json_cell *c)
{
    struct slice s;
    uint32_t bad_at;
    return plain_string(c, &s) && ascii_valid(s, &bad_at) && take_bytes(c, s);
}

static bool take_json(struct json_cell *c)
{
    return take_bytes(c, c->text);
}

static bool take_boolean(struct json_cell *c)
{
    uint8_t first = c->text.at[0];
    if (first != 't' && first != 'f') return false;
    c->column->b1[c->row] = first == 't';
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

enum { DIGITS_SAFE = 18 }; /* as many digits always fit int64 */

/* A whole number of digits alone. */
static bool whole(struct slice s, int64_t *out)
{
    bool negative = s.at[0] == '-';
    if (negative) s = (struct slice){s.at + 1, s.len - 1};
    if (s.len > DIGITS_SAFE) return false;
    int64_t v = 0;
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t digit = (uint8_t)(s.at[i] - '0');
        if (digit > 9) return false;
        v = v * 10 + digit;
    }
    *out = negative ? -v : v;
    return s.len > 0;
}

static bool take_tinyint(struct json_cell *c)
{
    int64_t v;
    if (!whole(c->text, &v) || v != (int8_t)v) return false;
    c->column->i8[c->row] = (int8_t)v;
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

static bool take_smallint(struct json_cell *c)
{
    int64_t v;
    if (!whole(c->text, &v) || v != (int16_t)v) return false;
    c->column->i16[c->row] = (int16_t)v;
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

static bool take_int(struct json_cell *c)
{
    int64_t v;
    if (!whole(c->text, &v) || v != (int32_t)v) return false;
    c->column->i32[c->row] = (int32_t)v;
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

static bool take_bigint(struct json_cell *c)
{
    int64_t v;
    if (!whole(c->text, &v)) return false;
    c->column->i64[c->row] = v;
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

/* Up to 2^53 and up to 10^22 doubles are exact, and one division or product of exact numbers is
 * rounded once: the nearest double (Clinger). Anything larger goes the general way. */
static bool take_double(struct json_cell *c)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct slice s = c->text;
    bool negative = s.at[0] == '-';
    uint64_t digits = 0;
    uint32_t count = 0, behind = 0;
    bool point = false;
    for (uint32_t i = negative; i < s.len; i++) {
        uint8_t digit = (uint8_t)(s.at[i] - '0');
        if (digit <= 9) {
            digits = digits * 10 + digit;
            behind += point;
            if (++count > DIGITS_SAFE) return false;
        } else if (s.at[i] == '.' && !point) {
            point = true;
        } else {
            return false;
        }
    }
    if (count == 0 || digits > (uint64_t)1 << 53) return false;
    double v = (double)digits / powers[behind];
    c->column->f64[c->row] = negative ? -v : v;
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

static bool take_uuid(struct json_cell *c)
{
    struct slice s;
    struct uuid u;
    if (!plain_string(c, &s) || !uuid_parse(s, &u)) return false;
    if (c->column->type->kind == TYPE_TIMEUUID && uuid_version(u) != 1) return false;
    memcpy(c->column->b16[c->row], u.at, sizeof(u.at));
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

/* Two digits; 100 when they are none. */
static uint32_t two(const uint8_t *p)
{
    uint8_t high = (uint8_t)(p[0] - '0'), low = (uint8_t)(p[1] - '0');
    return high > 9 || low > 9 ? 100 : high * 10u + low;
}

/* YYYY-MM-DDTHH:MM:SSZ and YYYY-MM-DDTHH:MM:SS.mmmZ from the year 1 on. */
static bool take_timestamp(struct json_cell *c)
{
    static const uint8_t month_days[] = {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    struct slice s;
    if (!plain_string(c, &s) || (s.len != 20 && s.len != 24) || s.at[s.len - 1] != 'Z')
        return false;
    const uint8_t *p = s.at;
    if (p[4] != '-' || p[7] != '-' || p[10] != 'T' || p[13] != ':' || p[16] != ':') return false;
    uint32_t century = two(p), in_century = two(p + 2), month = two(p + 5), day = two(p + 8);
    uint32_t hour = two(p + 11), minute = two(p + 14), second = two(p + 17), ms = 0;
    if (s.len == 24) {
        uint32_t tens = two(p + 20);
        uint8_t ones = (uint8_t)(p[22] - '0');
        if (p[19] != '.' || tens > 99 || ones > 9) return false;
        ms = tens * 10 + ones;
    }
    uint32_t year = century * 100 + in_century;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (century > 99 || in_century > 99 || year == 0 || month < 1 || month > 12 || day < 1 ||
        day > month_days[month] + (leap && month == 2 ? 1u : 0u) || hour > 23 || minute > 59 ||
        second > 59)
        return false;
    int64_t seconds = calendar_days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    c->column->i64[c->row] = seconds * 1000 + ms;
    c->column->state[c->row] = VALID_VALUE;
    return true;
}

json_put_fn json_put_for(const struct type *t, bool cast)
{
    switch (t->kind) {
    case TYPE_TEXT: return cast ? take_any_text : take_text;
    case TYPE_ASCII: return take_ascii;
    case TYPE_JSON: return take_json;
    case TYPE_BOOLEAN: return take_boolean;
    case TYPE_TINYINT: return take_tinyint;
    case TYPE_SMALLINT: return take_smallint;
    case TYPE_INT: return take_int;
    case TYPE_BIGINT:
    case TYPE_COUNTER: return take_bigint;
    case TYPE_DOUBLE: return take_double;
    case TYPE_UUID:
    case TYPE_TIMEUUID: return take_uuid;
    case TYPE_TIMESTAMP: return take_timestamp;
    default: return NULL;
    }
}

/* The others lend what stands in the document, or take a few digits. */
bool json_put_is_dear(const struct type *t)
{
    switch (t->kind) {
    case TYPE_TEXT:
    case TYPE_JSON:
    case TYPE_BOOLEAN:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER: return false;
    default: return true;
    }
}
