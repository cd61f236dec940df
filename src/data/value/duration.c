/* Durations: months, days and nanoseconds of one sign, as Cassandra keeps and writes them. */
#include "data/value/value_int.h"

enum part { MONTHS, DAYS, NANOSECONDS, PARTS };

static const struct unit {
    const char *name; /* longest first where one begins another */
    enum part part;
    uint64_t size;
    int rank; /* units come in this order, each once */
} units[] = {
    {"mo", MONTHS, 1, 2},
    {"ms", NANOSECONDS, 1000000, 8},
    {"us", NANOSECONDS, 1000, 9},
    {"µs", NANOSECONDS, 1000, 9},
    {"ns", NANOSECONDS, 1, 10},
    {"y", MONTHS, 12, 1},
    {"w", DAYS, 7, 3},
    {"d", DAYS, 1, 4},
    {"h", NANOSECONDS, 3600000000000, 5},
    {"m", NANOSECONDS, 60000000000, 6},
    {"s", NANOSECONDS, 1000000000, 7},
};

static const uint64_t part_max[PARTS] = {INT32_MAX, INT32_MAX, INT64_MAX};

/* --- binary: three zigzag vints; the first byte's leading ones count the bytes that follow ------
 */

static uint64_t take_vint(struct cursor *c)
{
    uint8_t first = (uint8_t)cursor_be(c, 1);
    int extra = first == 0xFF ? 8 : __builtin_clz(~((uint32_t)first << 24));
    uint64_t v = extra >= 7 ? 0 : first & (0xFFu >> (extra + 1));
    for (int i = 0; i < extra; i++) v = v << 8 | cursor_be(c, 1);
    return v;
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

static int64_t unzigzag(uint64_t v)
{
    return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

bool duration_from_binary(struct slice binary, struct duration *out, const char **why)
{
    struct cursor c = cursor_of(binary);
    int64_t months = unzigzag(take_vint(&c)), days = unzigzag(take_vint(&c));
    int64_t ns = unzigzag(take_vint(&c));
    *why = NULL;
    if (c.err)
        *why = "it ends too early";
    else if (cursor_left(&c))
        *why = "bytes are left over";
    else if (months != (int32_t)months || days != (int32_t)days)
        *why = "months and days are 32-bit numbers";
    else if ((months < 0 || days < 0 || ns < 0) && (months > 0 || days > 0 || ns > 0))
        *why = "months, days and nanoseconds must be of one sign";
    *out = (struct duration){(int32_t)months, (int32_t)days, ns};
    return !*why;
}

void duration_to_binary(struct duration v, struct buf *out)
{
    put_vint(out, v.months);
    put_vint(out, v.days);
    put_vint(out, v.ns);
}

/* --- text --------------------------------------------------------------------------------------
 */

static uint64_t put_part(struct buf *out, uint64_t v, uint64_t size, const char *unit)
{
    if (v >= size) buf_printf(out, "%llu%s", (unsigned long long)(v / size), unit);
    return v % size;
}

static uint64_t size_of(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

void put_duration(struct buf *out, struct duration v)
{
    if (v.months == 0 && v.days == 0 && v.ns == 0) {
        buf_text(out, "0s");
        return;
    }
    if (v.months < 0 || v.days < 0 || v.ns < 0) buf_char(out, '-');
    put_part(out, put_part(out, size_of(v.months), 12, "y"), 1, "mo");
    put_part(out, size_of(v.days), 1, "d");
    uint64_t ns = put_part(out, size_of(v.ns), 3600000000000, "h");
    ns = put_part(out, ns, 60000000000, "m");
    ns = put_part(out, ns, 1000000000, "s");
    ns = put_part(out, ns, 1000000, "ms");
    put_part(out, put_part(out, ns, 1000, "us"), 1, "ns");
}

struct duration_reader {
    struct slice text;
    uint32_t i;
    uint64_t parts[PARTS];
    bool negative;
    const char *why;
};

static bool because(struct duration_reader *r, const char *why)
{
    r->why = why;
    return false;
}

static bool at_char(const struct duration_reader *r, char c)
{
    return r->i < r->text.len && r->text.at[r->i] == (uint8_t)c;
}

static bool take_number(struct duration_reader *r, uint64_t *out)
{
    uint32_t from = r->i;
    *out = 0;
    for (; r->i < r->text.len && is_digit(r->text.at[r->i]); r->i++)
        if (__builtin_mul_overflow(*out, 10u, out) ||
            __builtin_add_overflow(*out, r->text.at[r->i] - '0', out))
            return because(r, "a number in it is too big");
    return r->i > from;
}

static bool add(struct duration_reader *r, enum part part, uint64_t n, uint64_t size)
{
    uint64_t *total = &r->parts[part];
    if (__builtin_mul_overflow(n, size, &n) || __builtin_add_overflow(*total, n, total) ||
        *total > part_max[part] + r->negative)
        return because(r, "months and days are 32-bit numbers, nanoseconds a 64-bit one");
    return true;
}

static const struct unit *take_unit(struct duration_reader *r)
{
    for (size_t u = 0; u < COUNT_OF(units); u++) {
        struct slice name = slice_of(units[u].name);
        if (r->text.len - r->i < name.len) continue;
        if (!slice_equal_nocase((struct slice){r->text.at + r->i, name.len}, name)) continue;
        r->i += name.len;
        return &units[u];
    }
    return NULL;
}

/* "1y2mo3w4d5h6m7s8ms9us10ns" */
static bool read_units(struct duration_reader *r)
{
    int rank = 0;
    do {
        uint64_t n;
        if (!take_number(r, &n)) return false;
        const struct unit *u = take_unit(r);
        if (!u) return false;
        if (u->rank <= rank) return because(r, "units go from years to nanoseconds, each once");
        rank = u->rank;
        if (!add(r, u->part, n, u->size)) return false;
    } while (r->i < r->text.len);
    return true;
}

/* ".25" of seconds, as java.time and JavaScript write it. */
static bool take_fraction(struct duration_reader *r, uint64_t *ns)
{
    uint32_t from = ++r->i;
    if (!take_number(r, ns)) return false;
    if (r->i - from > 9) return because(r, "a second has nine decimals");
    for (uint32_t digits = r->i - from; digits < 9; digits++) *ns *= 10;
    return true;
}

/* After 'P': "1Y2M3W4DT5H6M7.5S". */
static bool read_iso(struct duration_reader *r)
{
    static const struct iso {
        char letter;
        bool clock;
        enum part part;
        uint64_t size;
    } fields[] = {
        {'Y', false, MONTHS, 12},
        {'M', false, MONTHS, 1},
        {'W', false, DAYS, 7},
        {'D', false, DAYS, 1},
        {'H', true, NANOSECONDS, 3600000000000},
        {'M', true, NANOSECONDS, 60000000000},
        {'S', true, NANOSECONDS, 1000000000},
    };
    bool clock = false;
    size_t next = 0;
    do {
        uint64_t n, fraction = 0;
        if (!clock && at_char(r, 'T')) {
            clock = true;
            r->i++;
        }
        if (!take_number(r, &n)) return false;
        bool dot = at_char(r, '.');
        if (dot && !take_fraction(r, &fraction)) return false;
        while (next < COUNT_OF(fields) &&
               !(fields[next].clock == clock && at_char(r, fields[next].letter)))
            next++;
        if (next == COUNT_OF(fields) || (dot && fields[next].letter != 'S')) return false;
        if (!add(r, fields[next].part, n, fields[next].size) || !add(r, NANOSECONDS, fraction, 1))
            return false;
        next++;
        r->i++;
    } while (r->i < r->text.len);
    return true;
}

/* After 'P': "0001-02-03T04:05:06". */
static bool read_iso_alternative(struct duration_reader *r)
{
    static const struct field {
        uint32_t digits;
        char before;
        enum part part;
        uint64_t size;
    } fields[] = {
        {4, 0, MONTHS, 12},
        {2, '-', MONTHS, 1},
        {2, '-', DAYS, 1},
        {2, 'T', NANOSECONDS, 3600000000000},
        {2, ':', NANOSECONDS, 60000000000},
        {2, ':', NANOSECONDS, 1000000000},
    };
    for (size_t f = 0; f < COUNT_OF(fields); f++) {
        uint64_t n;
        if (fields[f].before && !at_char(r, fields[f].before)) return false;
        r->i += fields[f].before != 0;
        uint32_t from = r->i;
        if (!take_number(r, &n) || r->i - from != fields[f].digits) return false;
        if (!add(r, fields[f].part, n, fields[f].size)) return false;
    }
    return r->i == r->text.len;
}

bool read_duration(struct slice text, struct duration *out, struct text_fault *f)
{
    struct duration_reader r = {.text = text};
    bool ok;
    r.negative = at_char(&r, '-');
    r.i += r.negative;
    if (!at_char(&r, 'P')) {
        ok = read_units(&r);
    } else {
        r.i++;
        bool alternative = memchr(text.at + r.i, '-', text.len - r.i) != NULL;
        ok = alternative ? read_iso_alternative(&r) : read_iso(&r);
    }
    *f = (struct text_fault){r.i, r.why};
    if (!ok) return false;
    uint64_t sign = r.negative ? UINT64_MAX : 1; /* times -1, without overflow at the least value */
    *out = (struct duration){(int32_t)(uint32_t)(r.parts[MONTHS] * sign),
                             (int32_t)(uint32_t)(r.parts[DAYS] * sign),
                             (int64_t)(r.parts[NANOSECONDS] * sign)};
    return true;
}
