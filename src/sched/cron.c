#include "sched/cron.h"

#include <stdio.h>

enum field { MINUTE, HOUR, DAY, MONTH, WEEKDAY, SECOND, YEAR };
enum { LAST = 6 /* in nth */, YEAR_FIRST = 1970, YEAR_LAST = 2099, VALUES_MAX = 130 };

static const struct {
    const char *name;
    int32_t least, most;
} ranges[CRON_FIELDS_MAX] = {
    [MINUTE] = {"minute", 0, 59},
    [HOUR] = {"hour", 0, 23},
    [DAY] = {"day of month", 1, 31},
    [MONTH] = {"month", 1, 12},
    [WEEKDAY] = {"day of week", 0, 6},
    [SECOND] = {"second", 0, 59},
    [YEAR] = {"year", YEAR_FIRST, YEAR_LAST},
};
static const char *const month_words[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_words[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

static const struct {
    const char *name, *text;
} presets[] = {
    {"@hourly", "0 * * * *"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
    {"@weekly", "0 0 * * 0"}, {"@monthly", "0 0 1 * *"},  {"@quarterly", "0 0 1 */3 *"},
    {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"},
};

struct slice cron_preset(struct slice text)
{
    for (size_t i = 0; i < COUNT_OF(presets); i++)
        if (slice_equal_nocase(text, slice_of(presets[i].name))) return slice_of(presets[i].text);
    return text;
}

/* --- reading --------------------------------------------------------------------------------- */

struct reader {
    struct slice whole, fields[CRON_FIELDS_MAX];
    uint32_t count;
    enum field field;
    bool said[VALUES_MAX]; /* this field's values, from its least */
    bool star, last;       /* "*", "l" */
    bool plain_weekdays[7];
    struct cron *cron;
    struct diag *diag;
};

static err_t wrong(struct reader *r, struct slice part, const char *why)
{
    (void)diag_fail(r->diag, ERR_INVALID, "'%.*s' is no cron expression", SLICE_ARG(r->whole));
    (void)diag_why(r->diag, "'%.*s' as its %s: %s", SLICE_ARG(part), ranges[r->field].name, why);
    return ERR_INVALID;
}

static err_t out_of_range(struct reader *r, struct slice part)
{
    char why[64];
    snprintf(why, sizeof(why), "it goes from %d to %d", ranges[r->field].least,
             ranges[r->field].most);
    return wrong(r, part, why);
}

static bool read_digits(struct slice s, int32_t *out)
{
    uint64_t v;
    for (uint32_t i = 0; i < s.len; i++)
        if (s.at[i] < '0' || s.at[i] > '9') return false;
    if (!s.len || s.len > 9 || !slice_to_u64(s, &v)) return false;
    *out = (int32_t)v;
    return true;
}

static bool read_word(struct slice s, const char *const *words, int32_t count, int32_t first,
                      int32_t *out)
{
    for (int32_t i = 0; i < count; i++)
        if (slice_equal_nocase(s, slice_of(words[i]))) {
            *out = first + i;
            return true;
        }
    return false;
}

/* A number or a name, with 7 as Sunday (not beside seconds: so croniter counts). */
static bool read_value(const struct reader *r, struct slice s, int32_t *out)
{
    bool read = read_digits(s, out) ||
                (r->field == MONTH && read_word(s, month_words, 12, 1, out)) ||
                (r->field == WEEKDAY && read_word(s, weekday_words, 7, 0, out));
    if (!read) return false;
    if (r->field == WEEKDAY && *out == 7 && r->count == 5) *out = 0;
    if (r->field == DAY && *out == 0 && r->count == 6) *out = 1;
    return true;
}

static err_t say(struct reader *r, int32_t value, int32_t nth)
{
    r->said[value - ranges[r->field].least] = true;
    if (!nth) {
        if (r->field == WEEKDAY) r->plain_weekdays[value] = true;
        return ERR_OK;
    }
    r->cron->nth[value] |= (uint8_t)(1u << nth);
    r->cron->has_nth = true;
    return ERR_OK;
}

/* croniter's count of what a range that goes over the end leaves out after it. */
static int32_t skipped_after_wrap(int32_t low, int32_t least, int32_t most, int32_t step)
{
    int32_t end = low + (most - low) / step * step, left = most - end;
    return end - least + step > most - least + 1 && left < step ? step - left : 0;
}

static err_t say_range(struct reader *r, struct slice part, int32_t low, int32_t high, int32_t step,
                       int32_t nth)
{
    int32_t least = ranges[r->field].least, most = ranges[r->field].most;
    if (low > most || high > most || low < least || high < least) return out_of_range(r, part);
    if (step < 1) return wrong(r, part, "a step is 1 or more");
    if (low == high) low = least, high = most; /* "jan-jan" is the whole cycle */
    err_t e = ERR_OK;
    if (low <= high) {
        for (int32_t v = low; v <= high && !e; v += step) e = say(r, v, nth);
        return e;
    }
    for (int32_t v = low; v <= most && !e; v += step) e = say(r, v, nth);
    int32_t from = least + skipped_after_wrap(low, least, most, step);
    for (int32_t v = from; v <= high && !e; v += step) e = say(r, v, nth);
    return e;
}

static bool split(struct slice s, char by, struct slice *before, struct slice *after)
{
    const uint8_t *at = s.len ? memchr(s.at, by, s.len) : NULL;
    if (!at) return false;
    *before = slice_make(s.at, (size_t)(at - s.at));
    *after = slice_make(at + 1, s.len - before->len - 1);
    return true;
}

/* "*", "*" with a step, "5", "5/10", "1-5", "mon-fri/2", in the day of month also "l". */
static err_t read_span(struct reader *r, struct slice part, int32_t nth)
{
    int32_t low, high, step = 1, least = ranges[r->field].least, most = ranges[r->field].most;
    struct slice span = part, step_text = {0}, from, to;
    bool stepped = split(part, '/', &span, &step_text);
    if (stepped && !read_digits(step_text, &step)) return wrong(r, part, "its step is no number");
    if (slice_is(span, "*")) {
        if (stepped) return say_range(r, part, least, most, step, nth);
        r->star = true;
        return ERR_OK;
    }
    if (split(span, '-', &from, &to)) {
        bool to_last = r->field == DAY && slice_equal_nocase(to, SLICE("l"));
        if (to_last) high = 31;
        if (!read_value(r, from, &low) || (!to_last && !read_value(r, to, &high)))
            return wrong(r, part, "a range is of two of its values");
        return say_range(r, part, low, high, step, nth);
    }
    if (r->field == DAY && !stepped && slice_equal_nocase(span, SLICE("l"))) {
        r->last = true;
        return ERR_OK;
    }
    if (!read_value(r, span, &low))
        return wrong(r, part,
                     span.len ? "it is neither a number nor a name" : "nothing stands there");
    if (stepped) return say_range(r, part, low, most, step, nth);
    if (low < least || low > most) return out_of_range(r, part);
    return say(r, low, nth);
}

/* Of the day of week also "2#3", "mon#1", "mon-fri#1", "l5". */
static err_t read_part(struct reader *r, struct slice part)
{
    struct slice which, nth_text;
    int32_t nth;
    if (r->field != WEEKDAY) return read_span(r, part, 0);
    if (part.len > 1 && (part.at[0] | 0x20) == 'l') {
        which = slice_make(part.at + 1, part.len - 1);
        if (!read_digits(which, &nth)) return wrong(r, part, "'L' stands before a number");
        return read_span(r, which, LAST);
    }
    if (!split(part, '#', &which, &nth_text)) return read_span(r, part, 0);
    if (!read_digits(nth_text, &nth) || nth < 1 || nth > 5)
        return wrong(r, part, "after '#' stands 1 to 5");
    struct slice from, to;
    bool numbered = split(which, '-', &from, &to) &&
                    (read_digits(from, &(int32_t){0}) || read_digits(to, &(int32_t){0}));
    if (numbered || split(which, '/', &from, &to) || slice_is(which, "*"))
        return wrong(r, part, "before '#' stands a day, or two names");
    return read_span(r, which, nth);
}

/* The field's values as bits; whether they are "*", as croniter sees it. */
static void close_field(struct reader *r, bool other_day_has_star, bool *any, uint64_t bits[3])
{
    int32_t least = ranges[r->field].least, all = ranges[r->field].most - least + 1, count = 0;
    memset(bits, 0, 3 * sizeof(*bits));
    for (int32_t i = 0; i < all; i++) {
        int32_t bit = r->field == YEAR ? i : i + least;
        if (r->said[i]) bits[bit / 64] |= (uint64_t)1 << (bit % 64);
        count += r->said[i];
    }
    bool is_day = r->field == DAY || r->field == WEEKDAY;
    bool whole = count + r->star + r->last == all && (!is_day || other_day_has_star);
    *any = r->star || whole;
    if (r->field == HOUR) r->cron->every_hour = whole || (r->star && !count);
    if (r->last) bits[0] |= 1;
}

static bool has_star(struct slice s)
{
    return s.len && memchr(s.at, '*', s.len);
}

static void keep_field(struct reader *r)
{
    struct cron *c = r->cron;
    uint64_t bits[3];
    bool any;
    struct slice other = r->fields[r->field == DAY ? WEEKDAY : DAY];
    close_field(r, has_star(other), &any, bits);
    switch (r->field) {
    case MINUTE: c->minutes = any ? ~(uint64_t)0 >> 4 : bits[0]; break;
    case HOUR: c->hours = any ? 0xffffff : (uint32_t)bits[0]; break;
    case DAY:
        c->days = (uint32_t)bits[0];
        c->any_day = any;
        break;
    case MONTH: c->months = any ? 0x1ffe : (uint16_t)bits[0]; break;
    case WEEKDAY:
        c->weekdays = (uint8_t)bits[0];
        c->any_weekday = any;
        break;
    case SECOND: c->seconds = any ? ~(uint64_t)0 >> 4 : bits[0]; break;
    case YEAR:
        memcpy(c->years, bits, sizeof(c->years));
        c->any_year = any;
        break;
    }
}

static err_t read_field(struct reader *r)
{
    struct slice text = r->fields[r->field], rest = text, part;
    uint8_t first = text.at[0] | 0x20;
    if ((first == 'h' || first == 'r') &&
        (text.len == 1 || text.at[1] == '(' || text.at[1] == '/')) {
        (void)wrong(r, text,
                    first == 'h' ? "hashed times need a seed, which a dag has not"
                                 : "random times would differ at each reading");
        return diag_hint(r->diag, "name the %s", ranges[r->field].name), ERR_INVALID;
    }
    memset(r->said, 0, sizeof(r->said));
    r->star = r->last = false;
    if (memchr(text.at, '?', text.len)) {
        if (text.len > 1) return wrong(r, text, "'?' stands alone");
        if (r->field != DAY && r->field != WEEKDAY)
            return wrong(r, text, "'?' is for days of month and week");
        r->star = true;
        return ERR_OK;
    }
    bool more = true;
    while (more) {
        struct slice whole = rest;
        more = split(whole, ',', &part, &rest);
        err_t e = read_part(r, more ? part : whole);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t split_fields(struct reader *r)
{
    struct slice s = cron_preset(slice_trim(r->whole));
    for (uint32_t i = 0; i < s.len;) {
        uint32_t from = i;
        while (i < s.len && s.at[i] > ' ') i++;
        if (i > from && r->count < CRON_FIELDS_MAX)
            r->fields[r->count] = slice_make(s.at + from, i - from);
        r->count += i > from;
        while (i < s.len && s.at[i] <= ' ') i++;
    }
    if (r->count >= 5 && r->count <= CRON_FIELDS_MAX) return ERR_OK;
    (void)diag_fail(r->diag, ERR_INVALID, "'%.*s' is no cron expression", SLICE_ARG(r->whole));
    if (s.len && s.at[0] == '@')
        (void)diag_hint(r->diag, "presets are @once @continuous @hourly @daily @midnight @weekly "
                                 "@monthly @quarterly @yearly @annually");
    else
        (void)diag_why(r->diag,
                       "it has %u fields, not 5 (minute hour day month weekday), 6 "
                       "(and seconds, last) or 7 (and years)",
                       r->count);
    return ERR_INVALID;
}

/* --- which days ------------------------------------------------------------------------------ */

/* The days of a month that begins on weekday `first` (Sunday 0), as bits 1…31. */
static uint32_t days_by_weekday(const struct cron *c, int64_t first, int64_t length)
{
    uint32_t all = 0;
    for (int64_t w = 0; w < 7; w++) {
        uint32_t day = (uint32_t)((w - first + 7) % 7 + 1); /* its first time */
        uint32_t last = day + ((uint32_t)length - day) / 7 * 7;
        for (uint32_t n = 1; day <= (uint32_t)length; day += 7, n++) {
            bool hit = c->has_nth ? (c->nth[w] >> n & 1) || (day == last && c->nth[w] >> LAST & 1)
                                  : c->any_weekday || c->weekdays >> w & 1;
            all |= hit ? 1u << day : 0;
        }
    }
    return all;
}

static uint32_t days_by_number(const struct cron *c, int64_t length)
{
    uint32_t in_month = (uint32_t)(((uint64_t)2 << length) - 2);
    if (c->any_day) return in_month;
    return (c->days & in_month) | (c->days & 1 ? 1u << length : 0);
}

static uint32_t month_days(const struct cron *c, int64_t first, int64_t length)
{
    uint32_t by_weekday = days_by_weekday(c, first, length);
    bool either = !c->any_day && !c->any_weekday;
    if (either && c->has_nth) return by_weekday;
    uint32_t by_number = days_by_number(c, length);
    return either ? by_number | by_weekday : by_number & by_weekday;
}

static bool in_years(const struct cron *c, int64_t year)
{
    int64_t i = year - YEAR_FIRST;
    return c->any_year ||
           (year >= YEAR_FIRST && year <= YEAR_LAST && c->years[i / 64] >> (i % 64) & 1);
}

static uint32_t days_of(const struct cron *c, int64_t year, int64_t month)
{
    if (!(c->months >> month & 1) || !in_years(c, year)) return 0;
    int64_t first = calendar_days(year, month, 1);
    return month_days(c, calendar_dow(first) % 7, calendar_month_days(year, month));
}

/* Whether any month ever has such a day: in 400 years each month begins on each weekday, February
 * in both its lengths. With "or" both sides have to come, as croniter looks for both. */
static bool comes(const struct cron *c)
{
    int64_t from = c->any_year ? 2000 : YEAR_FIRST, to = c->any_year ? 2399 : YEAR_LAST;
    struct cron by_number = *c;
    bool one = false, other = c->any_day || c->any_weekday;
    by_number.any_weekday = true;
    for (int64_t y = from; y <= to && !(one && other); y++)
        for (int64_t m = 1; m <= 12; m++) {
            uint32_t days = days_of(c, y, m);
            one = one || days;
            other = other || (days_of(&by_number, y, m) != 0);
        }
    return one && other;
}

err_t cron_parse(struct slice text, struct cron *out, struct diag *d)
{
    struct reader r = {.whole = slice_trim(text), .cron = out, .diag = d};
    memset(out, 0, sizeof(*out));
    if (r.whole.len > CRON_TEXT_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a cron expression of %u bytes; %d is the most",
                         r.whole.len, CRON_TEXT_MAX);
    err_t e = split_fields(&r);
    out->fields = (uint8_t)r.count;
    out->seconds = 1;
    out->any_year = true;
    for (uint32_t i = 0; i < r.count && !e; i++) {
        r.field = (enum field)i;
        e = read_field(&r);
        if (!e) keep_field(&r);
    }
    if (e) return e;
    int mixed = 0, days = 0;
    for (int w = 0; w < 7; w++) {
        mixed += r.plain_weekdays[w] && !out->nth[w];
        days += out->weekdays >> w & 1;
    }
    r.field = WEEKDAY;
    if (out->has_nth && mixed && days < 7)
        return wrong(&r, r.fields[WEEKDAY], "plain days and days with '#' or 'L' do not mix");
    if (comes(out)) return ERR_OK;
    (void)diag_fail(d, ERR_INVALID, "'%.*s' never comes", SLICE_ARG(r.whole));
    (void)diag_why(d, "no month of its months has such a day");
    return ERR_INVALID;
}

/* --- walking --------------------------------------------------------------------------------- */

/* The lowest bit at or above `from`, or -1; the highest at or below. */
static int32_t bit_up(uint64_t bits, int32_t from)
{
    uint64_t left = from > 63 ? 0 : bits >> from << from;
    return left ? __builtin_ctzll(left) : -1;
}

static int32_t bit_down(uint64_t bits, int32_t from)
{
    uint64_t left = from < 0 ? 0 : from >= 63 ? bits : bits & (((uint64_t)2 << from) - 1);
    return left ? 63 - __builtin_clzll(left) : -1;
}

/* A time of day at or after (before) this second, or -1. */
static int32_t time_up(const struct cron *c, int32_t from)
{
    int32_t h = from / 3600, m = from / 60 % 60, s = from % 60, found;
    if (c->hours >> h & 1) {
        if (c->minutes >> m & 1 && (found = bit_up(c->seconds, s)) >= 0)
            return h * 3600 + m * 60 + found;
        if ((found = bit_up(c->minutes, m + 1)) >= 0)
            return h * 3600 + found * 60 + bit_up(c->seconds, 0);
    }
    if ((found = bit_up(c->hours, h + 1)) < 0) return -1;
    return found * 3600 + bit_up(c->minutes, 0) * 60 + bit_up(c->seconds, 0);
}

static int32_t time_down(const struct cron *c, int32_t from)
{
    int32_t h = from / 3600, m = from / 60 % 60, s = from % 60, found;
    if (c->hours >> h & 1) {
        if (c->minutes >> m & 1 && (found = bit_down(c->seconds, s)) >= 0)
            return h * 3600 + m * 60 + found;
        if ((found = bit_down(c->minutes, m - 1)) >= 0)
            return h * 3600 + found * 60 + bit_down(c->seconds, 63);
    }
    if ((found = bit_down(c->hours, h - 1)) < 0) return -1;
    return found * 3600 + bit_down(c->minutes, 63) * 60 + bit_down(c->seconds, 63);
}

/* From this second on, in this direction. */
static bool seek(const struct cron *c, int64_t second, bool up, int64_t *out)
{
    int64_t day = calendar_floor(second, 86400);
    int32_t time = up ? time_up(c, (int32_t)(second - day * 86400))
                      : time_down(c, (int32_t)(second - day * 86400));
    struct calendar_day at = calendar_of(day);
    int64_t year = at.year, month = at.month;
    if (year < 1 || year > 9999) return false;
    uint32_t days = days_of(c, year, month);
    if (time < 0 || !(days >> at.day & 1)) { /* not today: then at a day's first (last) time */
        time = up ? time_up(c, 0) : time_down(c, 86399);
        int32_t d = up ? bit_up(days, at.day + 1) : bit_down(days, at.day - 1);
        while (d < 0) {
            month += up ? 1 : -1;
            if (month < 1 || month > 12) {
                year += up ? 1 : -1;
                month = up ? 1 : 12;
                int64_t far = year > at.year ? year - at.year : at.year - year;
                if (far > CRON_YEARS_MAX || year < 1 || year > 9999) return false;
            }
            days = days_of(c, year, month);
            d = up ? bit_up(days, 1) : bit_down(days, 31);
        }
        day = calendar_days(year, month, d);
    }
    *out = (day * 86400 + time) * SECOND_US;
    return true;
}

bool cron_next(const struct cron *c, int64_t wall, int64_t *out)
{
    return seek(c, calendar_floor(wall, SECOND_US) + 1, true, out);
}

bool cron_prev(const struct cron *c, int64_t wall, int64_t *out)
{
    return seek(c, -calendar_floor(-wall, SECOND_US) - 1, false, out);
}
