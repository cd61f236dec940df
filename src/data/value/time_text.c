/* Timestamps, dates, times and durations: their text, and a duration's binary form. Proleptic
 * Gregorian calendar, UTC, no leap seconds. */
#include "data/value/value_int.h"

/* --- writing -----------------------------------------------------------------------------------
 */

static char *put_padded(char *at, uint64_t v, int width)
{
    for (int i = width - 1; i >= 0; i--, v /= 10) at[i] = (char)('0' + v % 10);
    return at + width;
}

/* ISO 8601: four digits, more with a sign in front. */
static char *put_day(char *at, int64_t days)
{
    struct calendar_day d = calendar_of(days);
    uint64_t year = d.year < 0 ? 0 - (uint64_t)d.year : (uint64_t)d.year;
    int width = 4;
    for (uint64_t v = year / 10000; v; v /= 10) width++;
    if (d.year < 0 || d.year > 9999) *at++ = d.year < 0 ? '-' : '+';
    at = put_padded(at, year, width);
    *at++ = '-';
    at = put_padded(at, (uint64_t)d.month, 2);
    *at++ = '-';
    return put_padded(at, (uint64_t)d.day, 2);
}

static char *put_clock(char *at, uint64_t units, uint64_t a_second, int width)
{
    uint64_t seconds = units / a_second;
    at = put_padded(at, seconds / 3600, 2);
    *at++ = ':';
    at = put_padded(at, seconds / 60 % 60, 2);
    *at++ = ':';
    at = put_padded(at, seconds % 60, 2);
    *at++ = '.';
    return put_padded(at, units % a_second, width);
}

void put_timestamp(struct buf *out, int64_t ms)
{
    char text[48];
    int64_t days = calendar_floor(ms, DAY_MS), rest = calendar_rest(ms, DAY_MS);
    char *at = put_day(text, days);
    *at++ = 'T';
    at = put_clock(at, (uint64_t)rest, 1000, 3);
    *at++ = 'Z';
    buf_put(out, text, (size_t)(at - text));
}

void put_date(struct buf *out, uint32_t days)
{
    char text[32];
    buf_put(out, text, (size_t)(put_day(text, (int64_t)days - DATE_ZERO) - text));
}

void put_time(struct buf *out, int64_t ns)
{
    char text[24];
    buf_put(out, text, (size_t)(put_clock(text, (uint64_t)ns, 1000000000, 9) - text));
}

/* --- reading -----------------------------------------------------------------------------------
 */

struct text_reader {
    struct slice text;
    uint32_t i;
    const char *why; /* set when no single character is to blame */
};

static bool at_char(const struct text_reader *r, char c)
{
    return r->i < r->text.len && r->text.at[r->i] == (uint8_t)c;
}

static bool take_char(struct text_reader *r, char c)
{
    bool found = at_char(r, c);
    r->i += found;
    return found;
}

static bool because(struct text_reader *r, const char *why)
{
    r->why = why;
    return false;
}

/* Between `least` and `most` digits. */
static bool take_number(struct text_reader *r, uint32_t least, uint32_t most, int64_t *out)
{
    uint32_t from = r->i;
    int64_t v = 0;
    while (r->i < r->text.len && r->i - from < most && is_digit(r->text.at[r->i]))
        v = v * 10 + (r->text.at[r->i++] - '0');
    *out = v;
    return r->i - from >= least;
}

enum { YEAR_DIGITS_MAX = 9 };

static bool take_day(struct text_reader *r, int64_t *days)
{
    int64_t y, m, d;
    bool negative = at_char(r, '-');
    if (negative || at_char(r, '+')) r->i++;
    if (!take_number(r, 4, YEAR_DIGITS_MAX, &y) || !take_char(r, '-') ||
        !take_number(r, 2, 2, &m) || !take_char(r, '-') || !take_number(r, 2, 2, &d))
        return false;
    if (negative) y = -y;
    if (m < 1 || m > 12) return because(r, "no such month");
    if (d < 1 || d > calendar_month_days(y, m)) return because(r, "no such day in that month");
    *days = calendar_days(y, m, d);
    return true;
}

/* ".5" as nanoseconds. */
static bool take_fraction(struct text_reader *r, int64_t *ns)
{
    uint32_t from = r->i + 1;
    *ns = 0;
    if (!take_char(r, '.')) return true;
    if (!take_number(r, 1, 9, ns)) return false;
    for (uint32_t digits = r->i - from; digits < 9; digits++) *ns *= 10;
    return true;
}

static bool take_clock(struct text_reader *r, bool seconds_needed, int64_t *ns)
{
    int64_t h, m, s = 0, fraction = 0;
    if (!take_number(r, 2, 2, &h) || !take_char(r, ':') || !take_number(r, 2, 2, &m)) return false;
    if (seconds_needed || at_char(r, ':')) {
        if (!take_char(r, ':') || !take_number(r, 2, 2, &s) || !take_fraction(r, &fraction))
            return false;
    }
    if (h > 23) return because(r, "hours go from 00 to 23");
    if (m > 59) return because(r, "minutes go from 00 to 59");
    if (s > 59) return because(r, "seconds go from 00 to 59");
    *ns = ((h * 60 + m) * 60 + s) * 1000000000 + fraction;
    return true;
}

/* "Z", " UTC", "+0100", "+01:00", "-05"; nothing is UTC. */
static bool take_zone(struct text_reader *r, int64_t *offset_ms)
{
    int64_t h, m = 0;
    *offset_ms = 0;
    if (r->i == r->text.len) return true;
    (void)take_char(r, ' ');
    struct slice rest = {r->text.at + r->i, r->text.len - r->i};
    if (slice_equal_nocase(rest, SLICE("Z")) || slice_equal_nocase(rest, SLICE("UTC")) ||
        slice_equal_nocase(rest, SLICE("GMT")))
        return true;
    bool west = at_char(r, '-');
    if (!west && !at_char(r, '+')) {
        bool letter = rest.len && ((rest.at[0] | 0x20) >= 'a' && (rest.at[0] | 0x20) <= 'z');
        return letter ? because(r, "of time zones' names only UTC, GMT and Z are read: write an "
                                   "offset such as +0100")
                      : false;
    }
    r->i++;
    if (!take_number(r, 2, 2, &h)) return false;
    if (r->i < r->text.len) {
        (void)take_char(r, ':');
        if (!take_number(r, 2, 2, &m)) return false;
    }
    if (r->i < r->text.len) return false;
    if (h > 18 || m > 59) return because(r, "an offset is at most 18:00");
    *offset_ms = (h * 60 + m) * (west ? -60000 : 60000);
    return true;
}

static bool told(const struct text_reader *r, struct text_fault *f)
{
    *f = (struct text_fault){r->i, r->why};
    return false;
}

static bool all_digits(struct slice text)
{
    if (text.len && text.at[0] == '-') text = (struct slice){text.at + 1, text.len - 1};
    for (uint32_t i = 0; i < text.len; i++)
        if (!is_digit(text.at[i])) return false;
    return text.len > 0;
}

static bool take_timestamp(struct text_reader *r, int64_t *ms)
{
    int64_t days, ns = 0, offset;
    if (!take_day(r, &days)) return false;
    if (r->i + 1 < r->text.len && is_digit(r->text.at[r->i + 1]) &&
        (at_char(r, 'T') || at_char(r, 't') || at_char(r, ' '))) {
        r->i++;
        if (!take_clock(r, false, &ns)) return false;
    }
    if (!take_zone(r, &offset)) return false;
    int64_t of_day = ns / 1000000 - offset;
    if (days < 0) { /* the first day that 64 bits reach has only its end in them */
        days++;
        of_day -= DAY_MS;
    }
    if (__builtin_mul_overflow(days, (int64_t)DAY_MS, ms) ||
        __builtin_add_overflow(*ms, of_day, ms))
        return because(r, "it is outside the years that 64 bits of milliseconds reach");
    return true;
}

bool read_timestamp(struct slice text, int64_t *ms, struct text_fault *f)
{
    struct text_reader r = {.text = text};
    if (all_digits(text)) {
        if (slice_to_i64(text, ms)) return true;
        r.why = "more milliseconds than 64 bits hold";
        return told(&r, f);
    }
    return take_timestamp(&r, ms) || told(&r, f);
}

/* Days as a number are Cassandra's: 2^31 is 1970-01-01. Fewer than ten digits would be a year some
 * millions before ours: someone's 20240131, so they are refused. */
bool read_date(struct slice text, uint32_t *days, struct text_fault *f)
{
    struct text_reader r = {.text = text};
    uint64_t raw;
    int64_t day;
    if (text.len == 10 && slice_to_u64(text, &raw)) {
        *days = (uint32_t)raw;
        if (raw <= UINT32_MAX) return true;
        r.why = "more days than 32 bits hold";
        return told(&r, f);
    }
    if (!take_day(&r, &day) || r.i < text.len) return told(&r, f);
    if (day < -DATE_ZERO || day >= DATE_ZERO) {
        r.why = "it is outside -5877641-06-23 to +5881580-07-11";
        return told(&r, f);
    }
    *days = (uint32_t)(day + DATE_ZERO);
    return true;
}

bool read_time(struct slice text, int64_t *ns, struct text_fault *f)
{
    struct text_reader r = {.text = text};
    if (all_digits(text)) {
        if (slice_to_i64(text, ns) && *ns >= 0 && *ns < DAY_NS) return true;
        r.why = "nanoseconds of a day go from 0 to 86399999999999";
        return told(&r, f);
    }
    if (!take_clock(&r, true, ns) || r.i < text.len) return told(&r, f);
    return true;
}
