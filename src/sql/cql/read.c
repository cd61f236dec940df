/* Text into binary forms, with the grammar and the words of the original's fromString. */
#include "sql/cql/term_int.h"

#include "base/hash.h"
#include <arpa/inet.h>
#include <math.h>

struct text_reader {
    const struct type *t;
    struct slice text;
    struct arena *a;
    struct slice *out;
    struct diag *d;
};

static err_t keep(struct text_reader *r, const void *bytes, size_t len)
{
    uint8_t *at = arena_take_raw(r->a, len ? len : 1);
    if (!at) return term_no_room(r->d);
    if (len) memcpy(at, bytes, len);
    *r->out = slice_make(at, len);
    return ERR_OK;
}

static err_t keep_be(struct text_reader *r, uint64_t v, int bytes)
{
    uint8_t at[8];
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
    return keep(r, at, (size_t)bytes);
}

static err_t unable(struct text_reader *r, const char *form)
{
    const char *mark = strstr(form, "%s");
    return diag_fail(r->d, ERR_INVALID, "%.*s%.*s%s", (int)(mark - form), form, SLICE_ARG(r->text),
                     mark + 2);
}

/* --- numbers
 * --------------------------------------------------------------------------------------
 */

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* "^-?\d+$" */
static bool is_whole(struct slice s)
{
    uint32_t i = s.len && s.at[0] == '-';
    if (i == s.len) return false;
    for (; i < s.len; i++)
        if (!is_digit(s.at[i])) return false;
    return true;
}

static bool java_integer(struct slice s, int64_t *out)
{
    if (s.len && s.at[0] == '+') {
        s = (struct slice){s.at + 1, s.len - 1};
        if (s.len && s.at[0] == '-') return false;
    }
    return is_whole(s) && slice_to_i64(s, out);
}

static err_t read_integer(struct text_reader *r)
{
    static const struct {
        enum type_kind kind;
        int bytes;
        const char *form;
    } rows[] = {{TYPE_TINYINT, 1, "Unable to make byte from '%s'"},
                {TYPE_SMALLINT, 2, "Unable to make short from '%s'"},
                {TYPE_INT, 4, "Unable to make int from '%s'"},
                {TYPE_BIGINT, 8, "Unable to make long from '%s'"},
                {TYPE_COUNTER, 8, "Unable to make long from '%s'"}};
    int64_t v, most;
    size_t i = 0;
    while (rows[i].kind != r->t->kind) i++;
    most = (int64_t)(UINT64_MAX >> (65 - 8 * rows[i].bytes));
    if (!java_integer(r->text, &v) || v > most || v < -most - 1) return unable(r, rows[i].form);
    return keep_be(r, (uint64_t)v, rows[i].bytes);
}

/* Java's BigDecimal and BigInteger: no white space, a sign, digits, an exponent. */
static err_t read_big(struct text_reader *r)
{
    struct value v;
    struct diag why = {0};
    bool whole = r->t->kind == TYPE_VARINT;
    const char *form =
        whole ? "unable to make int from '%s'" : "unable to make BigDecimal from '%s'";
    if (whole) {
        struct slice s = r->text;
        if (s.len && s.at[0] == '+') s = (struct slice){s.at + 1, s.len - 1};
        if (!is_whole(s)) return unable(r, form);
    }
    err_t e = value_from_text(r->t, r->text, r->a, &v, &why);
    if (e == ERR_TOO_BIG || e == ERR_NO_MEMORY) return diag_fail(r->d, e, "%s", why.what);
    if (e) return unable(r, form);
    *r->out = v.bytes;
    return ERR_OK;
}

static err_t read_floating(struct text_reader *r)
{
    struct slice s = slice_trim(r->text), bare = s;
    bool narrow = r->t->kind == TYPE_FLOAT;
    const char *form =
        narrow ? "Unable to make float from '%s'" : "Unable to make double from '%s'";
    struct value v;
    bool negative = s.len && s.at[0] == '-';
    if (s.len && (negative || s.at[0] == '+')) bare = (struct slice){s.at + 1, s.len - 1};
    if (bare.len &&
        (bare.at[0] == 'n' || bare.at[0] == 'i' || bare.at[0] == 'I' || bare.at[0] == 'N')) {
        if (!slice_is(bare, "NaN") && !slice_is(bare, "Infinity")) return unable(r, form);
    } else if (bare.len > 1 && strchr("fFdD", bare.at[bare.len - 1])) {
        s.len--;
    }
    err_t e = value_from_text(r->t, s, r->a, &v, NULL);
    double big = negative ? -INFINITY : INFINITY;
    if (e == ERR_RANGE) {
        v = value_f64(big);
        v.f32 = 0;
        if (narrow) v = (struct value){.type = r->t, .state = VALID_VALUE, .f32 = (float)big};
    } else if (e) {
        return unable(r, form);
    }
    uint64_t bits = 0;
    uint32_t small = 0;
    if (narrow)
        memcpy(&small, &v.f32, 4);
    else
        memcpy(&bits, &v.f64, 8);
    return keep_be(r, narrow ? small : bits, narrow ? 4 : 8);
}

static err_t read_boolean(struct text_reader *r)
{
    bool yes = slice_equal_nocase(r->text, SLICE("true"));
    if (!yes && r->text.len && !slice_equal_nocase(r->text, SLICE("false")))
        return unable(r, "Unable to make boolean from '%s'");
    return keep_be(r, yes, 1);
}

/* --- text and bytes
 * -------------------------------------------------------------------------------
 */

static err_t read_text(struct text_reader *r)
{
    for (uint32_t i = 0; r->t->kind == TYPE_ASCII && i < r->text.len; i++)
        if (r->text.at[i] >= 0x80)
            return diag_fail(r->d, ERR_INVALID,
                             "Invalid ASCII character in string literal: "
                             "java.nio.charset.UnmappableCharacterException: Input length = 1");
    *r->out = r->text;
    if (!r->out->at) r->out->at = (const uint8_t *)"";
    return ERR_OK;
}

static err_t read_blob(struct text_reader *r)
{
    uint8_t *at = arena_take_raw(r->a, r->text.len / 2 + 1);
    if (!at) return term_no_room(r->d);
    if (r->text.len % 2 || !parse_hex(r->text, at, r->text.len / 2))
        return unable(r, "cannot parse '%s' as hex bytes");
    *r->out = slice_make(at, r->text.len / 2);
    return ERR_OK;
}

static err_t read_uuid(struct text_reader *r)
{
    struct uuid u;
    bool time = r->t->kind == TYPE_TIMEUUID;
    if (!uuid_parse(r->text, &u))
        return unable(r, time ? "Unknown timeuuid representation: %s"
                              : "Unable to make UUID from '%s'");
    if (time && uuid_version(u) != 1)
        return diag_fail(r->d, ERR_INVALID, "TimeUUID supports only version 1 UUIDs");
    return keep(r, u.at, 16);
}

/* Java's textToNumericFormatV4: "1.2.3.4", and with fewer parts the last fills what is left. */
static bool inet4(struct slice s, uint8_t out[4])
{
    uint64_t parts[4] = {0};
    uint32_t count = 0;
    bool digit = false;
    for (uint32_t i = 0; i < s.len; i++) {
        if (is_digit(s.at[i])) {
            parts[count] = parts[count] * 10 + (uint64_t)(s.at[i] - '0');
            digit = true;
            if (parts[count] > UINT32_MAX) return false;
        } else if (s.at[i] == '.' && digit && count < 3) {
            if (parts[count++] > 255) return false;
            digit = false;
        } else {
            return false;
        }
    }
    if (!digit || (count && parts[count] >> (8 * (4 - count)))) return false;
    uint64_t v = parts[count];
    for (uint32_t i = 0; i < count; i++) v |= parts[i] << (24 - 8 * i);
    for (int i = 0; i < 4; i++) out[i] = (uint8_t)(v >> (24 - 8 * i));
    return true;
}

/* Addresses only: names are not looked up. */
static err_t read_inet(struct text_reader *r)
{
    static const uint8_t mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    char text[64];
    uint8_t at[16];
    struct slice s = r->text;
    if (inet4(s, at)) return keep(r, at, 4);
    if (s.len > 1 && s.at[0] == '[' && s.at[s.len - 1] == ']')
        s = (struct slice){s.at + 1, s.len - 2};
    if (!slice_to_cstr(s, text, sizeof(text)) || inet_pton(AF_INET6, text, at) != 1)
        return unable(r, "Unable to make inet address from '%s'");
    return memcmp(at, mapped, 12) == 0 ? keep(r, at + 12, 4) : keep(r, at, 16);
}

/* --- dates and times
 * --------------------------------------------------------------------------------
 */

struct scan {
    struct slice text;
    uint32_t i;
};

static bool at_char(const struct scan *s, char c)
{
    return s->i < s->text.len && s->text.at[s->i] == (uint8_t)c;
}

static bool take_char(struct scan *s, char c)
{
    bool found = at_char(s, c);
    s->i += found;
    return found;
}

static bool take_digits(struct scan *s, uint32_t least, uint32_t most, int64_t *out)
{
    uint32_t from = s->i;
    int64_t v = 0;
    while (s->i < s->text.len && s->i - from < most && is_digit(s->text.at[s->i]))
        v = v * 10 + (s->text.at[s->i++] - '0');
    *out = v;
    return s->i - from >= least;
}

/* YEAR of 4 digits, more with a sign; two digits of a month and a day. Smart, as Java calls it:
 * past the month's end is its last day. */
static bool take_iso_day(struct scan *s, bool smart, int64_t *days)
{
    int64_t y, m, d;
    bool negative = at_char(s, '-'), sign = negative || at_char(s, '+');
    s->i += sign;
    uint32_t from = s->i;
    if (!take_digits(s, 4, 10, &y)) return false;
    if (!negative && (s->i - from > 4) != sign) return false;
    if (!take_char(s, '-') || !take_digits(s, 2, 2, &m) || !take_char(s, '-') ||
        !take_digits(s, 2, 2, &d))
        return false;
    if (negative) y = -y;
    if (y < -999999999 || y > 999999999) return false;
    if (m < 1 || m > 12 || d < 1 || d > 31) return false;
    int64_t last = calendar_month_days(y, m);
    if (d > last && !smart) return false;
    d = MIN(d, last);
    *days = calendar_days(y, m, d);
    return true;
}

static err_t read_date(struct text_reader *r)
{
    struct scan s = {r->text, 0};
    int64_t days;
    if (is_whole(r->text)) {
        if (!slice_to_i64(r->text, &days) || days < 0 || days > UINT32_MAX)
            return unable(r, "Unable to make unsigned int (for date) from: '%s'");
        return keep_be(r, (uint64_t)days, 4);
    }
    if (!take_iso_day(&s, false, &days) || s.i < s.text.len)
        return unable(r, "Unable to coerce '%s' to a formatted date (long)");
    if (days < INT32_MIN)
        return unable(r, "Input date %s is less than min supported date "
                         "-5877641-06-23T00:00Z");
    if (days > INT32_MAX)
        return unable(r, "Input date %s is greater than max supported date "
                         "+5881580-07-11T00:00Z");
    return keep_be(r, (uint64_t)(days + ((int64_t)1 << 31)), 4);
}

static bool take_clock(struct scan *s, int64_t *ns)
{
    int64_t h, m, sec, fraction = 0;
    if (!take_digits(s, 1, 9, &h) || !take_char(s, ':') || !take_digits(s, 1, 9, &m) ||
        !take_char(s, ':') || !take_digits(s, 1, 9, &sec))
        return false;
    if (take_char(s, '.')) {
        uint32_t from = s->i;
        if (!take_digits(s, 1, 9, &fraction)) return false;
        for (uint32_t n = s->i - from; n < 9; n++) fraction *= 10;
    }
    if (h > 23 || m > 59 || sec > 59) return false;
    *ns = ((h * 60 + m) * 60 + sec) * 1000000000 + fraction;
    return s->i == s->text.len;
}

static err_t read_time(struct text_reader *r)
{
    struct scan s = {slice_trim(r->text), 0};
    int64_t ns;
    if (is_whole(r->text)) {
        if (!slice_to_i64(r->text, &ns) || ns < 0 || ns >= 86400000000000)
            return unable(r, "Unable to make long (for time) from: '%s'");
    } else if (!take_clock(&s, &ns)) {
        return unable(r, "(TimeType) Unable to coerce '%s' to a formatted time (long)");
    }
    return keep_be(r, (uint64_t)ns, 8);
}

/* "", "Z", "+01", "+0100", "+01:00", " UTC", " GMT": the offset in milliseconds. */
static bool take_zone(struct scan *s, int64_t *ms)
{
    int64_t h, m = 0;
    *ms = 0;
    if (s->i == s->text.len) return true;
    bool space = take_char(s, ' ');
    struct slice rest = {s->text.at + s->i, s->text.len - s->i};
    if (slice_is(rest, "Z")) return true;
    if (space && (slice_equal_nocase(rest, SLICE("UTC")) || slice_equal_nocase(rest, SLICE("GMT"))))
        return true;
    bool west = at_char(s, '-');
    if (!west && !at_char(s, '+')) return false;
    s->i++;
    if (!take_digits(s, 2, 2, &h)) return false;
    if (s->i < s->text.len) {
        (void)take_char(s, ':');
        if (!take_digits(s, 2, 2, &m)) return false;
    }
    *ms = (h * 60 + m) * (west ? -60000 : 60000);
    return s->i == s->text.len && h <= 18 && m <= 59;
}

/* "y-M-d H:m[:s][.fraction]" with a T or a space between; any number of digits each. */
static bool take_date_time(struct scan *s, int64_t *days, int64_t *ms)
{
    int64_t y, mo, d, h, m, sec = 0, fraction = 0;
    if (!take_digits(s, 1, 9, &y) || !take_char(s, '-') || !take_digits(s, 1, 4, &mo) ||
        !take_char(s, '-') || !take_digits(s, 1, 4, &d))
        return false;
    if (!take_char(s, 'T') && !take_char(s, ' ')) return false;
    if (!take_digits(s, 1, 4, &h) || !take_char(s, ':') || !take_digits(s, 1, 4, &m)) return false;
    if (take_char(s, ':') && !take_digits(s, 1, 4, &sec)) return false;
    if (take_char(s, '.')) {
        uint32_t from = s->i;
        if (!take_digits(s, 0, 9, &fraction)) return false;
        for (uint32_t n = s->i - from; n < 9; n++) fraction *= 10;
    }
    if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > 31 || m > 59 || sec > 59) return false;
    if (h > 24 || (h == 24 && (m || sec || fraction))) return false;
    d = MIN(d, calendar_month_days(y, mo)); /* Java's SMART: the month's last day */
    *days = calendar_days(y, mo, d);
    *ms = ((h * 60 + m) * 60 + sec) * 1000 + fraction / 1000000;
    return true;
}

static bool parse_timestamp(struct slice text, int64_t *out)
{
    struct scan s = {text, 0};
    int64_t days, ms = 0, offset;
    if (!take_date_time(&s, &days, &ms) || !take_zone(&s, &offset)) {
        s.i = 0;
        ms = 0;
        if (!take_iso_day(&s, true, &days) || !take_zone(&s, &offset)) return false;
    }
    return !__builtin_mul_overflow(days, (int64_t)86400000, out) &&
           !__builtin_add_overflow(*out, ms - offset, out);
}

static err_t read_timestamp(struct text_reader *r)
{
    int64_t ms;
    if (is_whole(r->text)) {
        if (!slice_to_i64(r->text, &ms))
            return unable(r, "Unable to make long (for date) from: '%s'");
    } else if (!parse_timestamp(r->text, &ms)) {
        return unable(r, "Unable to parse a date/time from '%s'");
    }
    return keep_be(r, (uint64_t)ms, 8);
}

/* --- all
 * ----------------------------------------------------------------------------------------------
 */

static err_t read_duration(struct text_reader *r)
{
    struct cql_duration v;
    uint8_t memory[32];
    struct buf b = buf_over(memory, sizeof(memory));
    err_t e = duration_from_text(r->text, &v, r->d);
    if (e) return e;
    duration_make(v, &b);
    return keep(r, b.at, b.len);
}

/* A tuple's text: fields between ':', '@' is null, both after '\' are themselves. */
static err_t read_tuple(struct text_reader *r)
{
    struct cql_value items[TYPE_FIELDS_MAX] = {0}, made;
    uint32_t n = 0, from = 0;
    struct slice s = r->text;
    for (uint32_t i = 0; s.len && i <= s.len; i++) {
        if (i < s.len && (s.at[i] != ':' || (i > 0 && s.at[i - 1] == '\\'))) continue;
        if (n == r->t->count)
            return diag_fail(
                r->d, ERR_INVALID,
                "Invalid tuple literal: too many elements. Type %s expects %u but got %u",
                type_shown(r->a, r->t), r->t->count, n + 1);
        uint8_t *field = arena_take_raw(r->a, i - from + 1);
        uint32_t len = 0;
        if (!field) return term_no_room(r->d);
        for (uint32_t k = from; k < i; k++)
            if (s.at[k] != '\\' || k + 1 == i || !strchr(":@", s.at[k + 1])) field[len++] = s.at[k];
        if (i - from != 1 || s.at[from] != '@') {
            err_t e = binary_from_text(r->t->items[n], slice_make(field, len), r->a,
                                       &items[n].bytes, r->d);
            if (e) return e;
            items[n].state = CQL_SET;
        }
        n++;
        from = i + 1;
    }
    err_t e = items_pack(r->t, items, n, r->a, &made, r->d);
    *r->out = made.bytes;
    return e;
}

static bool empty_is_empty(enum type_kind k)
{
    return k != TYPE_BOOLEAN && k != TYPE_DATE && k != TYPE_TIME && k != TYPE_TUPLE;
}

err_t binary_from_text(const struct type *t, struct slice text, struct arena *a, struct slice *out,
                       struct diag *d)
{
    struct text_reader r = {t, text, a, out, d};
    if (text.len == 0 && empty_is_empty(t->kind)) {
        *out = SLICE("");
        return ERR_OK;
    }
    switch (t->kind) {
    case TYPE_BOOLEAN: return read_boolean(&r);
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER: return read_integer(&r);
    case TYPE_FLOAT:
    case TYPE_DOUBLE: return read_floating(&r);
    case TYPE_VARINT:
    case TYPE_DECIMAL: return read_big(&r);
    case TYPE_BLOB: return read_blob(&r);
    case TYPE_UUID:
    case TYPE_TIMEUUID: return read_uuid(&r);
    case TYPE_TIMESTAMP: return read_timestamp(&r);
    case TYPE_DATE: return read_date(&r);
    case TYPE_TIME: return read_time(&r);
    case TYPE_DURATION: return read_duration(&r);
    case TYPE_INET: return read_inet(&r);
    case TYPE_TUPLE: return read_tuple(&r);
    default: return read_text(&r);
    }
}
