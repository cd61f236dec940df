/* Time functions: all in UTC, Gregorian throughout. */
#include "base/calendar.h"
#include "base/hash.h"
#include "sql/functions.h"

/* --- making times -------------------------------------------------------------------------------
 */

static err_t from_text(struct call *c, uint32_t row, enum type_kind kind, struct value *out)
{
    struct diag d = {0};
    struct slice text = slice_trim(arg_text(c, 0, row));
    err_t e = value_from_text(type_of(kind), text, c->f->in->arena, out, &d);
    if (!e || e == ERR_NO_MEMORY) return e;
    (void)call_fault(c, row, e, d.what);
    out->state = ERROR_VALUE;
    return ERR_OK;
}

static err_t put_day(struct call *c, uint32_t row, int64_t ms)
{
    int64_t day = calendar_floor(ms, DAY_MS) + DATE_ZERO;
    if (day < 0 || day > UINT32_MAX) return call_fault(c, row, ERR_RANGE, "there is no such day");
    cell_put_integer(c->out, row, day);
    return ERR_OK;
}

err_t fn_now(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, c->f->x->now_ms);
    return ERR_OK;
}
err_t fn_current_date(struct call *c, uint32_t row)
{
    return put_day(c, row, c->f->x->now_ms);
}
err_t fn_timestamp_of_text(struct call *c, uint32_t row)
{
    struct value v = {0};
    err_t e = from_text(c, row, TYPE_TIMESTAMP, &v);
    if (!e && v.state == VALID_VALUE) cell_put_integer(c->out, row, v.integer);
    return e;
}
err_t fn_timestamp_of_date(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, (arg_integer(c, 0, row) - DATE_ZERO) * DAY_MS);
    return ERR_OK;
}

static struct uuid uuid_arg(struct call *c, uint32_t row)
{
    struct uuid u;
    memcpy(u.at, c->args[0].col.b16[row & c->args[0].mask], sizeof(u.at));
    return u;
}
err_t fn_timestamp_of_uuid(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, uuid_v1_ms(uuid_arg(c, row)));
    return ERR_OK;
}
err_t fn_unix_of_uuid(struct call *c, uint32_t row)
{
    return fn_timestamp_of_uuid(c, row);
}
err_t fn_date_of_uuid(struct call *c, uint32_t row)
{
    return put_day(c, row, uuid_v1_ms(uuid_arg(c, row)));
}
err_t fn_date_of_text(struct call *c, uint32_t row)
{
    struct value v = {0};
    bool day = slice_trim(arg_text(c, 0, row)).len <= 10;
    err_t e = from_text(c, row, day ? TYPE_DATE : TYPE_TIMESTAMP, &v);
    if (e || v.state != VALID_VALUE) return e;
    if (!day) return put_day(c, row, v.integer);
    cell_put_integer(c->out, row, v.integer);
    return ERR_OK;
}
err_t fn_date_of_timestamp(struct call *c, uint32_t row)
{
    return put_day(c, row, arg_integer(c, 0, row));
}
err_t fn_unix_millis(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, arg_integer(c, 0, row));
    return ERR_OK;
}
err_t fn_unix_seconds(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, calendar_floor(arg_integer(c, 0, row), 1000));
    return ERR_OK;
}
err_t fn_from_unixtime(struct call *c, uint32_t row)
{
    int64_t ms;
    if (__builtin_mul_overflow(arg_integer(c, 0, row), 1000, &ms))
        return call_fault(c, row, ERR_RANGE, "there is no such time");
    cell_put_integer(c->out, row, ms);
    return ERR_OK;
}
err_t fn_timestamp_millis(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, arg_integer(c, 0, row));
    return ERR_OK;
}

/* --- parts --------------------------------------------------------------------------------------
 */

enum part {
    PART_YEAR,
    PART_QUARTER,
    PART_MONTH,
    PART_WEEK,
    PART_DAY,
    PART_HOUR,
    PART_MINUTE,
    PART_SECOND,
    PART_MILLISECOND,
    PART_DOW,
    PART_ISODOW,
    PART_DOY,
    PART_EPOCH,
    PARTS
};
static const char *const part_names[PARTS] = {"year",   "quarter", "month",  "week",        "day",
                                              "hour",   "minute",  "second", "millisecond", "dow",
                                              "isodow", "doy",     "epoch"};

static bool part_find(struct slice name, enum part *out)
{
    for (int i = 0; i < PARTS; i++) {
        *out = (enum part)i;
        struct slice one = name; /* years, days, … are fine too */
        if (one.len && (one.at[one.len - 1] | 32) == 's') one.len--;
        if (slice_equal_nocase(name, slice_of(part_names[i])) ||
            slice_equal_nocase(one, slice_of(part_names[i])))
            return true;
    }
    return false;
}

static int64_t part_of(enum part part, int64_t ms)
{
    int64_t days = calendar_floor(ms, DAY_MS), in_day = calendar_rest(ms, DAY_MS);
    struct calendar_day d = calendar_of(days);
    switch (part) {
    case PART_YEAR: return d.year;
    case PART_QUARTER: return (d.month + 2) / 3;
    case PART_MONTH: return d.month;
    case PART_WEEK: return calendar_week(days);
    case PART_DAY: return d.day;
    case PART_HOUR: return in_day / HOUR_MS;
    case PART_MINUTE: return in_day / MINUTE_MS % 60;
    case PART_SECOND: return in_day / 1000 % 60;
    case PART_MILLISECOND: return in_day % 1000;
    case PART_DOW: return calendar_dow(days) % 7; /* Sunday 0 */
    case PART_ISODOW: return calendar_dow(days);
    case PART_DOY: return days - calendar_days(d.year, 1, 1) + 1;
    default: return calendar_floor(ms, 1000);
    }
}

err_t fn_extract(struct call *c, uint32_t row)
{
    enum part part;
    if (!part_find(arg_text(c, 0, row), &part))
        return call_fault(c, row, ERR_UNKNOWN_NAME, "a time has no such part");
    cell_put_integer(c->out, row, part_of(part, arg_integer(c, 1, row)));
    return ERR_OK;
}

err_t fn_date_trunc(struct call *c, uint32_t row)
{
    enum part part;
    if (!part_find(arg_text(c, 0, row), &part) || part > PART_SECOND)
        return call_fault(c, row, ERR_UNKNOWN_NAME, "times can't be cut to this");
    int64_t ms = arg_integer(c, 1, row), days = calendar_floor(ms, DAY_MS);
    struct calendar_day d = calendar_of(days);
    static const int64_t sizes[] = {
        [PART_HOUR] = HOUR_MS, [PART_MINUTE] = MINUTE_MS, [PART_SECOND] = 1000};
    switch (part) {
    case PART_YEAR: days = calendar_days(d.year, 1, 1); break;
    case PART_QUARTER: days = calendar_days(d.year, (d.month - 1) / 3 * 3 + 1, 1); break;
    case PART_MONTH: days = calendar_days(d.year, d.month, 1); break;
    case PART_WEEK: days -= calendar_dow(days) - 1; break;
    case PART_DAY: break;
    default:
        days = calendar_floor(ms, sizes[part]);
        if (__builtin_mul_overflow(days, sizes[part], &ms))
            return call_fault(c, row, ERR_RANGE, "there is no such time");
        cell_put_integer(c->out, row, ms);
        return ERR_OK;
    }
    if (__builtin_mul_overflow(days, DAY_MS, &ms))
        return call_fault(c, row, ERR_RANGE, "there is no such time");
    cell_put_integer(c->out, row, ms);
    return ERR_OK;
}

static err_t put_part(struct call *c, uint32_t row, enum part part)
{
    cell_put_integer(c->out, row, part_of(part, arg_integer(c, 0, row)));
    return ERR_OK;
}
err_t fn_year(struct call *c, uint32_t row)
{
    return put_part(c, row, PART_YEAR);
}
err_t fn_month(struct call *c, uint32_t row)
{
    return put_part(c, row, PART_MONTH);
}
err_t fn_day(struct call *c, uint32_t row)
{
    return put_part(c, row, PART_DAY);
}
err_t fn_hour(struct call *c, uint32_t row)
{
    return put_part(c, row, PART_HOUR);
}
err_t fn_minute(struct call *c, uint32_t row)
{
    return put_part(c, row, PART_MINUTE);
}
err_t fn_second(struct call *c, uint32_t row)
{
    return put_part(c, row, PART_SECOND);
}
err_t fn_date_diff(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row,
                     calendar_floor(arg_integer(c, 0, row), DAY_MS) -
                         calendar_floor(arg_integer(c, 1, row), DAY_MS));
    return ERR_OK;
}

/* One run of a pattern's letter; false: a letter that means nothing. */
static bool put_field(struct buf *b, char letter, int width, int64_t ms)
{
    static const struct {
        char letter;
        enum part part;
    } letters[] = {{'y', PART_YEAR},   {'M', PART_MONTH},  {'d', PART_DAY},        {'H', PART_HOUR},
                   {'m', PART_MINUTE}, {'s', PART_SECOND}, {'S', PART_MILLISECOND}};
    for (size_t i = 0; i < COUNT_OF(letters); i++) {
        if (letters[i].letter != letter) continue;
        int64_t v = part_of(letters[i].part, ms);
        if (letter == 'y' && width == 2) v = ((v % 100) + 100) % 100;
        if (letter == 'S') width = 3;
        buf_printf(b, "%0*lld", MIN(width, 8), (long long)v);
        return true;
    }
    return false;
}

err_t fn_date_format(struct call *c, uint32_t row)
{
    int64_t ms = arg_integer(c, 0, row);
    struct slice p = arg_text(c, 1, row);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    bool quoted = false;
    for (uint32_t i = 0; i < p.len; i++) {
        char ch = (char)p.at[i];
        if (ch == '\'') {
            quoted = !quoted;
            continue;
        }
        bool letter = (ch | 32) >= 'a' && (ch | 32) <= 'z';
        if (quoted || !letter) {
            buf_char(&b, ch);
            continue;
        }
        int width = 1;
        while (i + 1 < p.len && (char)p.at[i + 1] == ch) {
            i++;
            width++;
        }
        if (!put_field(&b, ch, width, ms)) {
            buf_done(&b);
            return call_fault(c, row, ERR_UNSUPPORTED,
                              "patterns know y M d H m s S; other letters stand in quotes");
        }
    }
    return put_buf(c, row, &b);
}
