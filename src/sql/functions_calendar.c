/* The calendar: adding to times, their distance, names of days and months, making and reading
 * times. */
#include "base/calendar.h"
#include "sql/functions.h"

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const day_names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};

static err_t put_time(struct call *c, uint32_t row, int64_t days, int64_t in_day)
{
    int64_t ms;
    if (__builtin_mul_overflow(days, (int64_t)DAY_MS, &ms) ||
        __builtin_add_overflow(ms, in_day, &ms))
        return call_fault(c, row, ERR_RANGE, "there is no such time");
    cell_put_integer(c->out, row, ms);
    return ERR_OK;
}
static err_t put_date(struct call *c, uint32_t row, int64_t days)
{
    int64_t date;
    if (__builtin_add_overflow(days, DATE_ZERO, &date) || date < 0 || date > UINT32_MAX)
        return call_fault(c, row, ERR_RANGE, "there is no such day");
    cell_put_integer(c->out, row, date);
    return ERR_OK;
}
static int64_t arg_day(const struct call *c, uint32_t i, uint32_t row)
{
    return arg_integer(c, i, row) - DATE_ZERO;
}

/* --- units of time ------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    int64_t ms, months; /* one of them */
} units[] = {{"millisecond", 1, 0}, {"second", 1000, 0}, {"minute", MINUTE_MS, 0},
             {"hour", HOUR_MS, 0},  {"day", DAY_MS, 0},  {"week", 7 * (int64_t)DAY_MS, 0},
             {"month", 0, 1},       {"quarter", 0, 3},   {"year", 0, 12}};

static bool unit_find(struct slice name, size_t *out)
{
    struct slice one = name;
    if (one.len && (one.at[one.len - 1] | 32) == 's') one.len--;
    for (*out = 0; *out < COUNT_OF(units); (*out)++)
        if (slice_equal_nocase(one, slice_of(units[*out].name))) return true;
    return false;
}

/* False past any year that a time can be in. */
static bool add_months(int64_t *days, int64_t months)
{
    const int64_t most = (int64_t)12 << 32;
    if (months > most || months < -most) return false;
    *days = calendar_add_months(*days, months);
    return true;
}

static err_t add_units(struct call *c, uint32_t row, size_t unit, int64_t n, int64_t ms)
{
    int64_t days = calendar_floor(ms, DAY_MS), more;
    if (units[unit].months) {
        if (__builtin_mul_overflow(n, units[unit].months, &more)) n = 0, more = INT64_MAX;
        int64_t in_day = calendar_rest(ms, DAY_MS);
        if (!add_months(&days, more)) return call_fault(c, row, ERR_RANGE, "there is no such time");
        return put_time(c, row, days, in_day);
    }
    if (__builtin_mul_overflow(n, units[unit].ms, &more) || __builtin_add_overflow(ms, more, &ms))
        return call_fault(c, row, ERR_RANGE, "there is no such time");
    cell_put_integer(c->out, row, ms);
    return ERR_OK;
}

err_t fn_timestamp_add(struct call *c, uint32_t row)
{
    size_t unit;
    if (!unit_find(arg_text(c, 0, row), &unit))
        return call_fault(c, row, ERR_UNKNOWN_NAME, "there is no such unit of time");
    return add_units(c, row, unit, arg_integer(c, 1, row), arg_integer(c, 2, row));
}

/* Whole months from a to b, none counted before its time of day is reached. */
static int64_t months_between(int64_t a, int64_t b)
{
    int64_t da = calendar_floor(a, DAY_MS), db = calendar_floor(b, DAY_MS);
    struct calendar_day x = calendar_of(da), y = calendar_of(db);
    int64_t months = (y.year - x.year) * 12 + y.month - x.month;
    int64_t rest_a = x.day * (int64_t)DAY_MS + a - da * DAY_MS;
    int64_t rest_b = y.day * (int64_t)DAY_MS + b - db * DAY_MS;
    if (months > 0 && rest_b < rest_a) months--;
    if (months < 0 && rest_b > rest_a) months++;
    return months;
}

err_t fn_timestamp_diff(struct call *c, uint32_t row)
{
    size_t unit;
    int64_t from = arg_integer(c, 1, row), to = arg_integer(c, 2, row), ms;
    if (!unit_find(arg_text(c, 0, row), &unit))
        return call_fault(c, row, ERR_UNKNOWN_NAME, "there is no such unit of time");
    if (units[unit].months) {
        cell_put_integer(c->out, row, months_between(from, to) / units[unit].months);
        return ERR_OK;
    }
    if (__builtin_sub_overflow(to, from, &ms))
        return call_fault(c, row, ERR_RANGE, "the result does not fit");
    cell_put_integer(c->out, row, ms / units[unit].ms);
    return ERR_OK;
}

err_t fn_time_bucket(struct call *c, uint32_t row)
{
    size_t unit;
    int64_t n = arg_integer(c, 1, row), ms = arg_integer(c, 2, row), size;
    if (!unit_find(arg_text(c, 0, row), &unit) || units[unit].months)
        return call_fault(c, row, ERR_UNKNOWN_NAME, "buckets are of milliseconds to weeks");
    if (n < 1 || __builtin_mul_overflow(n, units[unit].ms, &size))
        return call_fault(c, row, ERR_RANGE, "a bucket holds at least one unit");
    cell_put_integer(c->out, row, calendar_floor(ms, size) * size);
    return ERR_OK;
}

err_t fn_date_add(struct call *c, uint32_t row)
{
    int64_t days;
    if (__builtin_add_overflow(arg_day(c, 0, row), arg_integer(c, 1, row), &days))
        return call_fault(c, row, ERR_RANGE, "there is no such day");
    return put_date(c, row, days);
}
err_t fn_date_sub(struct call *c, uint32_t row)
{
    int64_t days;
    if (__builtin_sub_overflow(arg_day(c, 0, row), arg_integer(c, 1, row), &days))
        return call_fault(c, row, ERR_RANGE, "there is no such day");
    return put_date(c, row, days);
}
err_t fn_add_months(struct call *c, uint32_t row)
{
    int64_t days = arg_day(c, 0, row);
    if (!add_months(&days, arg_integer(c, 1, row)))
        return call_fault(c, row, ERR_RANGE, "there is no such day");
    return put_date(c, row, days);
}
err_t fn_last_day(struct call *c, uint32_t row)
{
    int64_t days = arg_day(c, 0, row);
    struct calendar_day d = calendar_of(days);
    return put_date(c, row, days - d.day + calendar_month_days(d.year, d.month));
}
err_t fn_next_day(struct call *c, uint32_t row)
{
    struct slice name = arg_text(c, 1, row);
    int64_t days = arg_day(c, 0, row);
    for (int64_t i = 0; name.len >= 2 && i < 7; i++) {
        struct slice full = slice_of(day_names[i]);
        if (full.len < name.len || !slice_equal_nocase(slice_make(full.at, name.len), name))
            continue;
        int64_t ahead = (i + 1 - calendar_dow(days) + 7) % 7;
        return put_date(c, row, days + (ahead ? ahead : 7));
    }
    return call_fault(c, row, ERR_UNKNOWN_NAME, "there is no such day of the week");
}

/* --- parts and names ----------------------------------------------------------------------------
 */

err_t fn_day_name(struct call *c, uint32_t row)
{
    int64_t days = calendar_floor(arg_integer(c, 0, row), DAY_MS);
    put_bytes(c->out, row, slice_of(day_names[calendar_dow(days) - 1]));
    return ERR_OK;
}
err_t fn_month_name(struct call *c, uint32_t row)
{
    struct calendar_day d = calendar_of(calendar_floor(arg_integer(c, 0, row), DAY_MS));
    put_bytes(c->out, row, slice_of(month_names[d.month - 1]));
    return ERR_OK;
}
err_t fn_day_of_week(struct call *c, uint32_t row)
{
    int64_t days = calendar_floor(arg_integer(c, 0, row), DAY_MS);
    cell_put_integer(c->out, row, calendar_dow(days) % 7 + 1);
    return ERR_OK;
}
err_t fn_day_of_year(struct call *c, uint32_t row)
{
    int64_t days = calendar_floor(arg_integer(c, 0, row), DAY_MS);
    cell_put_integer(c->out, row, days - calendar_days(calendar_of(days).year, 1, 1) + 1);
    return ERR_OK;
}
err_t fn_week_of_year(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, calendar_week(calendar_floor(arg_integer(c, 0, row), DAY_MS)));
    return ERR_OK;
}
err_t fn_quarter(struct call *c, uint32_t row)
{
    struct calendar_day d = calendar_of(calendar_floor(arg_integer(c, 0, row), DAY_MS));
    cell_put_integer(c->out, row, (d.month + 2) / 3);
    return ERR_OK;
}
err_t fn_millisecond(struct call *c, uint32_t row)
{
    int64_t ms = arg_integer(c, 0, row);
    cell_put_integer(c->out, row, calendar_rest(ms, 1000));
    return ERR_OK;
}
err_t fn_unix_micros(struct call *c, uint32_t row)
{
    int64_t us;
    if (__builtin_mul_overflow(arg_integer(c, 0, row), 1000, &us))
        return call_fault(c, row, ERR_RANGE, "the result does not fit");
    cell_put_integer(c->out, row, us);
    return ERR_OK;
}

/* --- making --------------------------------------------------------------------------------------
 */

static bool is_day(int64_t year, int64_t month, int64_t day)
{
    return year >= -5000000 && year <= 5000000 && month >= 1 && month <= 12 && day >= 1 &&
           day <= calendar_month_days(year, month);
}
err_t fn_make_date(struct call *c, uint32_t row)
{
    int64_t y = arg_integer(c, 0, row), m = arg_integer(c, 1, row), d = arg_integer(c, 2, row);
    if (!is_day(y, m, d)) return call_fault(c, row, ERR_RANGE, "there is no such day");
    return put_date(c, row, calendar_days(y, m, d));
}
err_t fn_make_timestamp(struct call *c, uint32_t row)
{
    int64_t v[5];
    for (uint32_t i = 0; i < COUNT_OF(v); i++) v[i] = arg_integer(c, i, row);
    double s = arg_double(c, 5, row);
    if (!is_day(v[0], v[1], v[2]) || v[3] < 0 || v[3] > 23 || v[4] < 0 || v[4] > 59 ||
        !(s >= 0 && s < 60))
        return call_fault(c, row, ERR_RANGE, "there is no such time");
    return put_time(c, row, calendar_days(v[0], v[1], v[2]),
                    v[3] * HOUR_MS + v[4] * MINUTE_MS + (int64_t)(s * 1000));
}

/* --- reading by a pattern ------------------------------------------------------------------------
 */

struct reading {
    struct slice text;
    uint32_t at;
    int64_t year, month, day, hour, minute, second, milli, offset_ms;
    bool afternoon;
};

static bool read_number(struct reading *r, uint32_t width, bool exact, int64_t *out)
{
    uint32_t start = r->at;
    *out = 0;
    while (r->at < r->text.len && r->text.at[r->at] >= '0' && r->text.at[r->at] <= '9' &&
           r->at - start < width)
        *out = *out * 10 + (r->text.at[r->at++] - '0');
    return r->at > start && (!exact || r->at - start == width);
}

static bool read_month(struct reading *r, uint32_t width)
{
    for (int64_t i = 0; i < 12; i++) {
        struct slice name = slice_of(month_names[i]);
        if (width == 3) name.len = 3;
        if (r->at + name.len > r->text.len ||
            !slice_equal_nocase(slice_make(r->text.at + r->at, name.len), name))
            continue;
        r->at += name.len;
        r->month = i + 1;
        return true;
    }
    return false;
}

static bool read_zone(struct reading *r)
{
    if (r->at < r->text.len && r->text.at[r->at] == 'Z') return r->at++, true;
    if (r->at >= r->text.len || (r->text.at[r->at] != '+' && r->text.at[r->at] != '-'))
        return false;
    int64_t sign = r->text.at[r->at++] == '-' ? -1 : 1, hours, minutes;
    if (!read_number(r, 2, true, &hours)) return false;
    if (r->at < r->text.len && r->text.at[r->at] == ':') r->at++;
    if (!read_number(r, 2, true, &minutes)) return false;
    r->offset_ms = sign * (hours * HOUR_MS + minutes * MINUTE_MS);
    return true;
}

static bool read_half(struct reading *r)
{
    if (r->at + 2 > r->text.len) return false;
    struct slice half = slice_make(r->text.at + r->at, 2);
    r->afternoon = slice_equal_nocase(half, SLICE("pm"));
    r->at += 2;
    return r->afternoon || slice_equal_nocase(half, SLICE("am"));
}

/* One run of a pattern's letter. */
static bool read_field(struct reading *r, char letter, uint32_t width)
{
    bool ok;
    switch (letter) {
    case 'y':
        ok = read_number(r, width < 4 ? 2 : 4, width > 1, &r->year);
        if (width == 2) r->year += 2000;
        return ok;
    case 'M': return width > 2 ? read_month(r, width) : read_number(r, 2, width == 2, &r->month);
    case 'd': return read_number(r, 2, width == 2, &r->day);
    case 'H':
    case 'h': return read_number(r, 2, width == 2, &r->hour);
    case 'm': return read_number(r, 2, width == 2, &r->minute);
    case 's': return read_number(r, 2, width == 2, &r->second);
    case 'S': {
        uint32_t start = r->at;
        if (!read_number(r, MIN(width, 9u), true, &r->milli)) return false;
        for (uint32_t n = r->at - start; n < 3; n++) r->milli *= 10;
        for (uint32_t n = r->at - start; n > 3; n--) r->milli /= 10;
        return true;
    }
    case 'a': return read_half(r);
    case 'X':
    case 'Z': return read_zone(r);
    default: return false;
    }
}

static bool read_by_pattern(struct reading *r, struct slice p)
{
    bool quoted = false;
    for (uint32_t i = 0; i < p.len; i++) {
        char ch = (char)p.at[i];
        if (ch == '\'') {
            quoted = !quoted;
            continue;
        }
        if (quoted || !((ch | 32) >= 'a' && (ch | 32) <= 'z')) {
            if (r->at >= r->text.len || r->text.at[r->at++] != (uint8_t)ch) return false;
            continue;
        }
        uint32_t width = 1;
        while (i + 1 < p.len && (char)p.at[i + 1] == ch) i++, width++;
        if (!read_field(r, ch, width)) return false;
        if (ch == 'h' && r->hour == 12) r->hour = 0;
    }
    return r->at == r->text.len;
}

err_t fn_timestamp_by_pattern(struct call *c, uint32_t row)
{
    struct reading r = {.text = arg_text(c, 0, row), .year = 1970, .month = 1, .day = 1};
    if (!read_by_pattern(&r, arg_text(c, 1, row)))
        return call_fault(c, row, ERR_CAST, "the text does not follow the pattern");
    if (r.afternoon) r.hour += 12;
    if (!is_day(r.year, r.month, r.day) || r.hour > 23 || r.minute > 59 || r.second > 59)
        return call_fault(c, row, ERR_RANGE, "there is no such time");
    return put_time(c, row, calendar_days(r.year, r.month, r.day),
                    r.hour * HOUR_MS + r.minute * MINUTE_MS + r.second * 1000 + r.milli -
                        r.offset_ms);
}
