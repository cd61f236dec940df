/* Dates and spans of time, as pendulum and datetime give them to Airflow's templates. */
#include "sched/template_int.h"

static struct wall wall_at(const struct tv *v)
{
    return wall_of(zone_wall(v->zone, v->us));
}

static void put_date(struct buf *out, struct wall w)
{
    buf_printf(out, "%04lld-%02d-%02d", (long long)w.year, w.month, w.day);
}

void date_put(struct buf *out, const struct tv *v, char between)
{
    if (v->days_only)
        put_date(out, wall_at(v));
    else
        moment_put_with(out, v->us, v->zone, between);
}

/* --- strftime -----------------------------------------------------------------------------------
 */

static const char *const day_names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};

static int64_t day_of(struct wall w)
{
    return calendar_days(w.year, w.month, w.day);
}

static void put_offset(struct buf *out, int32_t seconds)
{
    int32_t size = seconds < 0 ? -seconds : seconds;
    buf_printf(out, "%c%02d%02d", seconds < 0 ? '-' : '+', size / 3600, size / 60 % 60);
}

static void put_code(struct buf *out, const struct tv *v, struct wall w, char code)
{
    int64_t dow = calendar_dow(day_of(w)), yday = day_of(w) - calendar_days(w.year, 1, 1) + 1;
    const char *day = day_names[dow - 1], *month = month_names[w.month - 1];
    switch (code) {
    case 'Y': buf_printf(out, "%04lld", (long long)w.year); break;
    case 'y': buf_printf(out, "%02lld", (long long)(w.year % 100)); break;
    case 'm': buf_printf(out, "%02d", w.month); break;
    case 'd': buf_printf(out, "%02d", w.day); break;
    case 'e': buf_printf(out, "%2d", w.day); break;
    case 'H': buf_printf(out, "%02d", w.hour); break;
    case 'I': buf_printf(out, "%02d", w.hour % 12 ? w.hour % 12 : 12); break;
    case 'p': buf_text(out, w.hour < 12 ? "AM" : "PM"); break;
    case 'M': buf_printf(out, "%02d", w.minute); break;
    case 'S': buf_printf(out, "%02d", w.second); break;
    case 'f': buf_printf(out, "%06d", w.us); break;
    case 'j': buf_printf(out, "%03lld", (long long)yday); break;
    case 'a': buf_printf(out, "%.3s", day); break;
    case 'A': buf_text(out, day); break;
    case 'b':
    case 'h': buf_printf(out, "%.3s", month); break;
    case 'B': buf_text(out, month); break;
    case 'u': buf_printf(out, "%lld", (long long)dow); break;
    case 'w': buf_printf(out, "%lld", (long long)(dow % 7)); break;
    case 'V': buf_printf(out, "%02lld", (long long)calendar_week(day_of(w))); break;
    case 'U': buf_printf(out, "%02lld", (long long)((yday + 6 - dow % 7) / 7)); break;
    case 'W': buf_printf(out, "%02lld", (long long)((yday + 6 - (dow - 1)) / 7)); break;
    case 'z': put_offset(out, zone_offset_at(v->zone, v->us).seconds); break;
    case 'Z': buf_text(out, zone_offset_at(v->zone, v->us).abbreviation); break;
    case 's': buf_printf(out, "%lld", (long long)calendar_floor(v->us, SECOND_US)); break;
    case 'F': put_date(out, w); break;
    case 'T': buf_printf(out, "%02d:%02d:%02d", w.hour, w.minute, w.second); break;
    case 'R': buf_printf(out, "%02d:%02d", w.hour, w.minute); break;
    case 'D': buf_printf(out, "%02d/%02d/%02lld", w.month, w.day, (long long)(w.year % 100)); break;
    case 'n': buf_char(out, '\n'); break;
    case 't': buf_char(out, '\t'); break;
    case '%': buf_char(out, '%'); break;
    default: buf_printf(out, "%%%c", code); break; /* as glibc leaves it */
    }
}

err_t date_format(struct tenv *n, const struct tv *v, struct slice format, struct tv *out)
{
    struct buf text = buf_make(KIB(64));
    struct wall w = wall_at(v);
    for (uint32_t i = 0; i < format.len; i++) {
        bool code = format.at[i] == '%' && i + 1 < format.len;
        bool bare = code && format.at[i + 1] == '-' && i + 2 < format.len; /* "%-d": no zero */
        if (!code) {
            buf_char(&text, (char)format.at[i]);
            continue;
        }
        size_t start = text.len;
        i += bare ? 2 : 1;
        put_code(&text, v, w, (char)format.at[i]);
        if (bare && text.len > start + 1 && text.at[start] == '0') {
            memmove(text.at + start, text.at + start + 1, text.len - start - 1);
            text.len--;
        }
    }
    *out = tv_text(arena_slice(n->a, buf_view(&text)));
    err_t e =
        text.err ? diag_fail(n->d, ERR_TOO_BIG, "template: a date's format is too long") : ERR_OK;
    buf_done(&text);
    return e;
}

/* --- strptime -----------------------------------------------------------------------------------
 */

static bool digits(struct slice s, uint32_t *at, uint32_t most, int64_t *out)
{
    uint32_t start = *at;
    while (*at < s.len && *at - start < most && s.at[*at] >= '0' && s.at[*at] <= '9') (*at)++;
    return *at > start && slice_to_i64(slice_make(s.at + start, *at - start), out);
}

static bool month_by_name(struct slice s, uint32_t *at, struct wall *w)
{
    for (int m = 0; m < 12; m++) {
        uint32_t whole = (uint32_t)strlen(month_names[m]);
        for (uint32_t len = whole; len >= 3; len = len == whole && whole > 3 ? 3 : 0) {
            if (s.len - *at < len ||
                !slice_equal_nocase(slice_make(s.at + *at, len), slice_make(month_names[m], len)))
                continue;
            *at += len;
            w->month = m + 1;
            return true;
        }
    }
    return false;
}

static bool read_code(char code, struct slice s, uint32_t *at, struct wall *w)
{
    static const struct {
        char code;
        uint32_t most;
        size_t field;
    } known[] = {{'m', 2, offsetof(struct wall, month)},  {'d', 2, offsetof(struct wall, day)},
                 {'H', 2, offsetof(struct wall, hour)},   {'M', 2, offsetof(struct wall, minute)},
                 {'S', 2, offsetof(struct wall, second)}, {'f', 6, offsetof(struct wall, us)}};
    int64_t number;
    if (code == 'Y') return digits(s, at, 4, &w->year);
    if (code == 'y' && digits(s, at, 2, &w->year)) {
        w->year += w->year < 69 ? 2000 : 1900;
        return true;
    }
    if (code == 'b' || code == 'B') return month_by_name(s, at, w);
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        uint32_t start = *at;
        if (known[i].code != code || !digits(s, at, known[i].most, &number)) continue;
        for (uint32_t k = *at - start; code == 'f' && k < 6; k++) number *= 10;
        int32_t small = (int32_t)number;
        memcpy((uint8_t *)w + known[i].field, &small, sizeof small);
        return true;
    }
    return false;
}

static bool sensible(struct wall w)
{
    return w.year >= 1 && w.year <= 9999 && w.month >= 1 && w.month <= 12 && w.day >= 1 &&
           w.day <= calendar_month_days(w.year, w.month) && w.hour < 24 && w.minute < 60 &&
           w.second < 60;
}

bool date_read(struct slice text, struct slice format, int64_t *us)
{
    struct wall w = {.year = 1900, .month = 1, .day = 1};
    uint32_t at = 0;
    for (uint32_t i = 0; i < format.len; i++) {
        bool code = format.at[i] == '%' && i + 1 < format.len && format.at[i + 1] != '%';
        i += format.at[i] == '%';
        if (code ? !read_code((char)format.at[i], text, &at, &w)
                 : at >= text.len || text.at[at++] != format.at[i])
            return false;
    }
    if (at != text.len || !sensible(w)) return false;
    *us = wall_us(w);
    return true;
}

/* --- what a date has and can --------------------------------------------------------------------
 */

static bool delta_attribute(const struct tv *self, struct slice name, struct tv *out)
{
    int64_t days = calendar_floor(self->us, DAY_US), rest = self->us - days * DAY_US;
    if (slice_is(name, "days"))
        *out = tv_int(days);
    else if (slice_is(name, "seconds"))
        *out = tv_int(rest / SECOND_US);
    else if (slice_is(name, "microseconds"))
        *out = tv_int(rest % SECOND_US);
    else
        return false;
    return true;
}

err_t date_attribute(struct tenv *n, const struct tv *self, struct slice name, struct tv *out)
{
    (void)n;
    *out = (struct tv){.kind = TV_UNDEFINED, .name = name};
    if (self->kind == TV_DELTA) {
        (void)delta_attribute(self, name, out);
        return ERR_OK;
    }
    struct wall w = wall_at(self);
    const struct {
        const char *name;
        int64_t value;
    } parts[] = {{"year", w.year},
                 {"month", w.month},
                 {"day", w.day},
                 {"hour", w.hour},
                 {"minute", w.minute},
                 {"second", w.second},
                 {"microsecond", w.us},
                 {"day_of_week", calendar_dow(day_of(w)) - 1}, /* pendulum 3: Monday is 0 */
                 {"day_of_year", day_of(w) - calendar_days(w.year, 1, 1) + 1},
                 {"week_of_year", calendar_week(day_of(w))},
                 {"days_in_month", calendar_month_days(w.year, w.month)},
                 {"quarter", (w.month + 2) / 3},
                 {"int_timestamp", calendar_floor(self->us, SECOND_US)}};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        if (slice_is(name, parts[i].name)) *out = tv_int(parts[i].value);
    if (slice_is(name, "timezone_name")) *out = tv_text(slice_of(zone_name(self->zone)));
    return ERR_OK;
}

/* add(days=1, months=…), subtract, replace: by the wall's clock. */
static err_t moved(struct tenv *n, const struct tv *self, const struct targs *args, int sign,
                   struct tv *out)
{
    static const char *const names[] = {"years", "months",  "weeks",   "days",
                                        "hours", "minutes", "seconds", "microseconds"};
    static const int64_t units[] = {0, 0, 7 * DAY_US, DAY_US, HOUR_US, MINUTE_US, SECOND_US, 1};
    int64_t wall = zone_wall(self->zone, self->us), months = 0, exact = 0;
    for (uint32_t i = 0; i < args->count; i++) {
        size_t k = 0;
        double number;
        while (k < COUNT_OF(names) && !slice_is(args->names[i], names[k])) k++;
        if (k == COUNT_OF(names) || !tv_number(&args->at[i], &number) || number > 1e6 ||
            number < -1e6)
            return diag_fail(n->d, ERR_USAGE,
                             "template: add and subtract take years, months, weeks, days, hours, "
                             "minutes, seconds");
        if (k < 2)
            months += (int64_t)number * (k == 0 ? 12 : 1);
        else if (k < 4)
            wall += sign * (int64_t)(number * (double)units[k]);
        else
            exact += sign * (int64_t)(number * (double)units[k]);
    }
    int64_t days = calendar_floor(wall, DAY_US), time = wall - days * DAY_US;
    *out = *self;
    out->us = zone_instant(self->zone, calendar_add_months(days, sign * months) * DAY_US + time,
                           false, NULL) +
              exact;
    return ERR_OK;
}

static err_t in_zone(struct tenv *n, const struct tv *self, const struct tv *name, struct tv *out)
{
    *out = *self;
    if (!name || !tv_is(name, DOC_TEXT))
        return diag_fail(n->d, ERR_USAGE, "template: in_timezone takes a zone's name");
    return zone_find(name->doc.text, &out->zone, n->d);
}

static err_t as_text(struct tenv *n, const struct tv *self, bool time_too, struct tv *out)
{
    static const char *const formats[] = {"%Y-%m-%d", "%Y-%m-%d %H:%M:%S"};
    return date_format(n, self, slice_of(formats[time_too]), out);
}

err_t date_call(struct tenv *n, const struct tv *self, struct slice name, const struct targs *args,
                struct tv *out)
{
    const struct tv *first = targ(args, 0, "format");
    if (self->kind == TV_DELTA) {
        if (!slice_is(name, "total_seconds"))
            return diag_fail(n->d, ERR_UNSUPPORTED, "template: a timedelta has no '%.*s'",
                             SLICE_ARG(name));
        *out = tv_real((double)self->us / 1e6);
        return ERR_OK;
    }
    *out = *self;
    if (slice_is(name, "strftime") && first && tv_is(first, DOC_TEXT))
        return date_format(n, self, first->doc.text, out);
    if (slice_is(name, "isoformat") || slice_is(name, "to_iso8601_string")) {
        struct buf text = buf_make(64);
        date_put(&text, self, 'T');
        *out = tv_text(arena_slice(n->a, buf_view(&text)));
        buf_done(&text);
        return ERR_OK;
    }
    if (slice_is(name, "date")) {
        out->days_only = true;
        return ERR_OK;
    }
    if (slice_is(name, "timestamp")) {
        *out = tv_real((double)self->us / 1e6);
        return ERR_OK;
    }
    if (slice_is(name, "add")) return moved(n, self, args, 1, out);
    if (slice_is(name, "subtract")) return moved(n, self, args, -1, out);
    if (slice_is(name, "in_timezone") || slice_is(name, "in_tz") || slice_is(name, "astimezone"))
        return in_zone(n, self, first ? first : targ(args, 0, "tz"), out);
    if (slice_is(name, "to_date_string")) return as_text(n, self, false, out);
    if (slice_is(name, "to_datetime_string")) return as_text(n, self, true, out);
    if (slice_is(name, "weekday") || slice_is(name, "isoweekday")) {
        *out = tv_int(calendar_dow(day_of(wall_at(self))) - slice_is(name, "weekday"));
        return ERR_OK;
    }
    (void)diag_fail(n->d, ERR_UNSUPPORTED, "template: a date has no '%.*s'", SLICE_ARG(name));
    return diag_hint(n->d, "strftime, isoformat, add, subtract, in_timezone, date, timestamp …");
}
