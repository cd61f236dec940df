#include "sched/moment.h"

void moment_put_with(struct buf *out, int64_t us, const struct zone *z, char between)
{
    int32_t offset = zone_offset_at(z, us).seconds;
    struct wall w = wall_of(us + offset * SECOND_US);
    buf_printf(out, "%04lld-%02d-%02d%c%02d:%02d:%02d", (long long)w.year, w.month, w.day, between,
               w.hour, w.minute, w.second);
    if (w.us) buf_printf(out, ".%06d", w.us);
    int32_t east = offset < 0 ? -offset : offset;
    buf_printf(out, "%c%02d:%02d", offset < 0 ? '-' : '+', east / 3600, east / 60 % 60);
    if (east % 60) buf_printf(out, ":%02d", east % 60);
}

void moment_put_in(struct buf *out, int64_t us, const struct zone *z)
{
    moment_put_with(out, us, z, 'T');
}

void moment_put(struct buf *out, int64_t us)
{
    moment_put_in(out, us, zone_utc());
}

int64_t moment_aware(const struct zone *z, int64_t wall)
{
    enum zone_fit fit;
    int64_t second = zone_instant(z, wall, true, &fit);
    if (fit != ZONE_NEVER) return second;
    int64_t gap = zone_instant(z, wall, false, NULL) - second;
    return zone_instant(z, wall + gap, true, NULL);
}

/* --- reading --------------------------------------------------------------------------------- */

struct moment_text {
    struct slice text;
    uint32_t i;
};

static bool take(struct moment_text *t, char c)
{
    bool found = t->i < t->text.len && t->text.at[t->i] == (uint8_t)c;
    t->i += found;
    return found;
}

static bool take_digits(struct moment_text *t, uint32_t count, int32_t least, int32_t most,
                        int32_t *out)
{
    int32_t v = 0;
    for (uint32_t n = 0; n < count; n++, t->i++) {
        if (t->i >= t->text.len || t->text.at[t->i] < '0' || t->text.at[t->i] > '9') return false;
        v = v * 10 + t->text.at[t->i] - '0';
    }
    *out = v;
    return v >= least && v <= most;
}

/* Digits behind the second; past the sixth they are cut off. */
static bool take_fraction(struct moment_text *t, int32_t *us)
{
    int32_t count = 0;
    *us = 0;
    for (; t->i < t->text.len && t->text.at[t->i] >= '0' && t->text.at[t->i] <= '9'; t->i++)
        if (count++ < 6) *us = *us * 10 + t->text.at[t->i] - '0';
    for (int32_t n = count; n < 6; n++) *us *= 10;
    return count > 0;
}

static bool take_clock(struct moment_text *t, struct wall *w)
{
    if (!take_digits(t, 2, 0, 23, &w->hour)) return false;
    bool colons = take(t, ':');
    bool more =
        colons || (t->i < t->text.len && t->text.at[t->i] >= '0' && t->text.at[t->i] <= '9');
    if (!more) return true;
    if (!take_digits(t, 2, 0, 59, &w->minute)) return false;
    more = colons ? take(t, ':')
                  : (t->i < t->text.len && t->text.at[t->i] >= '0' && t->text.at[t->i] <= '9');
    if (!more) return true;
    if (!take_digits(t, 2, 0, 59, &w->second)) return false;
    return take(t, '.') || take(t, ',') ? take_fraction(t, &w->us) : true;
}

static bool take_offset(struct moment_text *t, bool *has, int64_t *seconds)
{
    int32_t h, m = 0, s = 0;
    *has = t->i < t->text.len;
    *seconds = 0;
    if (!*has || take(t, 'Z') || take(t, 'z')) return true;
    bool west = take(t, '-');
    /* In a URL a '+' that nobody escaped has become a space. */
    if (!west && !take(t, '+') && !take(t, ' ')) return false;
    if (!take_digits(t, 2, 0, 23, &h)) return false;
    if (t->i < t->text.len && (take(t, ':') || true) && !take_digits(t, 2, 0, 59, &m)) return false;
    if (take(t, ':') && !take_digits(t, 2, 0, 59, &s)) return false;
    *seconds = (h * 3600 + m * 60 + s) * (west ? -1 : 1);
    return true;
}

static bool take_day(struct moment_text *t, struct wall *w)
{
    int32_t year;
    if (!take_digits(t, 4, 1, 9999, &year)) return false;
    bool dashes = take(t, '-');
    if (!take_digits(t, 2, 1, 12, &w->month) || (dashes && !take(t, '-')) ||
        !take_digits(t, 2, 1, 31, &w->day))
        return false;
    w->year = year;
    return w->day <= calendar_month_days(year, w->month);
}

err_t moment_parse(struct slice text, const struct zone *z, int64_t *us, struct diag *d)
{
    struct moment_text t = {.text = slice_trim(text)};
    struct wall w = {0};
    bool has_offset = false;
    int64_t offset = 0;
    bool read = take_day(&t, &w);
    if (read && (take(&t, 'T') || take(&t, 't') || take(&t, ' '))) read = take_clock(&t, &w);
    read = read && take_offset(&t, &has_offset, &offset) && t.i == t.text.len;
    if (!read) {
        (void)diag_fail(d, ERR_INVALID, "'%.*s' is no date", (int)MIN(text.len, 100u),
                        (const char *)text.at);
        (void)diag_hint(d, "dates are as in 2024-01-31 or 2024-01-31T12:30:00+00:00");
        return ERR_INVALID;
    }
    *us =
        has_offset ? wall_us(w) - offset * SECOND_US : moment_aware(z ? z : zone_utc(), wall_us(w));
    return ERR_OK;
}
