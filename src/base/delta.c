#include "base/delta.h"

#include "base/calendar.h"

static const struct {
    const char *word;
    int64_t months, us;
} units[] = {
    {"us", 0, 1},
    {"microsecond", 0, 1},
    {"ms", 0, 1000},
    {"millisecond", 0, 1000},
    {"s", 0, SECOND_US},
    {"sec", 0, SECOND_US},
    {"second", 0, SECOND_US},
    {"m", 0, MINUTE_US},
    {"min", 0, MINUTE_US},
    {"minute", 0, MINUTE_US},
    {"h", 0, HOUR_US},
    {"hour", 0, HOUR_US},
    {"d", 0, DAY_US},
    {"day", 0, DAY_US},
    {"w", 0, 7 * DAY_US},
    {"week", 0, 7 * DAY_US},
    {"mo", 1, 0},
    {"month", 1, 0},
    {"y", 12, 0},
    {"year", 12, 0},
};
enum { DELTA_TEXT_MAX = 512, WHOLE_DIGITS = 10, FRACTION_DIGITS = 15, WHOLE_MAX = 1000000000 };
#define DELTA_US_MAX ((int64_t)DELTA_YEARS_MAX * 366 * DAY_US)

struct amount {
    int64_t whole, fraction; /* in 1e-15 */
};

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool find_unit(struct slice word, size_t *out)
{
    for (*out = 0; *out < COUNT_OF(units); (*out)++) {
        struct slice unit = slice_of(units[*out].word);
        bool plural = unit.len > 2 && word.len == unit.len + 1 && (word.at[unit.len] | 0x20) == 's';
        if (slice_equal_nocase(plural ? slice_make(word.at, unit.len) : word, unit)) return true;
    }
    return false;
}

/* A part of a month has no length. */
static bool add_amount(struct delta *d, struct amount v, int64_t months, int64_t us)
{
    if (v.whole > WHOLE_MAX || (us && v.whole > DELTA_US_MAX / us) || (months && v.fraction))
        return false;
    d->months += v.whole * months;
    d->us += v.whole * us + (int64_t)((double)v.fraction * (double)us / 1e15 + 0.5);
    d->relative = d->relative || months;
    return d->months <= 12 * DELTA_YEARS_MAX && d->us <= DELTA_US_MAX;
}

static int64_t take_digits(struct slice s, uint32_t *i, uint32_t most)
{
    int64_t v = 0;
    for (uint32_t n = 0; *i < s.len && is_digit(s.at[*i]) && n < most; n++, (*i)++)
        v = v * 10 + (s.at[*i] - '0');
    return v;
}

/* Digits behind the fifteenth are too fine to matter. */
static bool take_amount(struct slice s, uint32_t *i, struct amount *out)
{
    uint32_t from = *i;
    *out = (struct amount){.whole = take_digits(s, i, WHOLE_DIGITS)};
    if (*i == from) return false;
    if (*i + 1 >= s.len || s.at[*i] != '.' || !is_digit(s.at[*i + 1])) return true;
    from = ++*i;
    out->fraction = take_digits(s, i, FRACTION_DIGITS);
    for (uint32_t n = *i - from; n < FRACTION_DIGITS; n++) out->fraction *= 10;
    while (*i < s.len && is_digit(s.at[*i])) (*i)++;
    return true;
}

/* "1h30m", "2 hours, 5 minutes"; with `bare` also "hour". */
static bool words_of(struct slice s, bool bare, struct delta *out)
{
    uint32_t i = 0, parts = 0;
    while (true) {
        struct amount amount = {.whole = 1};
        size_t unit;
        while (i < s.len && (s.at[i] == ' ' || (parts && s.at[i] == ','))) i++;
        if (i == s.len) return parts > 0;
        if (!take_amount(s, &i, &amount)) {
            if (!bare || parts) return false;
            amount.whole = 1;
        }
        while (i < s.len && s.at[i] == ' ') i++;
        uint32_t from = i;
        while (i < s.len && is_letter(s.at[i])) i++;
        if (!find_unit(slice_make(s.at + from, i - from), &unit) ||
            !add_amount(out, amount, units[unit].months, units[unit].us))
            return false;
        parts++;
    }
}

/* ISO 8601: "P1DT12H", "PT5M", "P2W". */
static bool iso_of(struct slice s, struct delta *out)
{
    static const struct {
        char letter;
        bool time;
        int64_t months, us;
    } parts[] = {{'Y', false, 12, 0},      {'M', false, 1, 0},      {'W', false, 0, 7 * DAY_US},
                 {'D', false, 0, DAY_US},  {'H', true, 0, HOUR_US}, {'M', true, 0, MINUTE_US},
                 {'S', true, 0, SECOND_US}};
    bool time = false;
    uint32_t i = 1, seen = 0;
    size_t p = 0;
    while (i < s.len) {
        struct amount amount;
        if (s.at[i] == 'T') {
            if (time) return false;
            time = true;
            i++;
        }
        if (!take_amount(s, &i, &amount) || i == s.len) return false;
        while (p < COUNT_OF(parts) && (parts[p].letter != (char)s.at[i] || parts[p].time != time))
            p++;
        if (p == COUNT_OF(parts) || !add_amount(out, amount, parts[p].months, parts[p].us))
            return false;
        p++, i++, seen++;
    }
    return seen > 0;
}

bool delta_read(struct slice text, bool bare, struct delta *out)
{
    struct slice s = slice_trim(text);
    *out = (struct delta){0};
    if (!s.len || s.len > DELTA_TEXT_MAX) return false;
    bool iso = s.len > 1 && s.at[0] == 'P' && (is_digit(s.at[1]) || s.at[1] == 'T');
    return iso ? iso_of(s, out) : words_of(s, bare, out);
}

/* --- shown ------------------------------------------------------------------------------------ */

static void put_relative(struct buf *out, struct delta v)
{
    const struct {
        const char *name;
        int64_t value;
    } parts[] = {{"years", v.months / 12},
                 {"months", v.months % 12},
                 {"days", v.us / DAY_US},
                 {"hours", v.us / HOUR_US % 24},
                 {"minutes", v.us / MINUTE_US % 60},
                 {"seconds", v.us / SECOND_US % 60},
                 {"microseconds", v.us % SECOND_US}};
    const char *before = "";
    buf_text(out, "relativedelta(");
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!parts[i].value) continue;
        buf_printf(out, "%s%s=+%lld", before, parts[i].name, (long long)parts[i].value);
        before = ", ";
    }
    buf_char(out, ')');
}

void delta_put(struct buf *out, struct delta v)
{
    if (v.relative) {
        put_relative(out, v);
        return;
    }
    int64_t days = calendar_floor(v.us, DAY_US), rest = v.us - days * DAY_US;
    if (days) buf_printf(out, "%lld day%s, ", (long long)days, days == 1 || days == -1 ? "" : "s");
    buf_printf(out, "%lld:%02lld:%02lld", (long long)(rest / HOUR_US),
               (long long)(rest / MINUTE_US % 60), (long long)(rest / SECOND_US % 60));
    if (rest % SECOND_US) buf_printf(out, ".%06lld", (long long)(rest % SECOND_US));
}
