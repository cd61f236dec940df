/* now() and its like, what turns one kind of time into another, floor(). */
#include "sql/cql/term_int.h"

#include "base/hash.h"

#define UUID_EPOCH_MS (-12219292800000)

static err_t put8(struct native_run *r, int64_t v)
{
    return put_be_value(r->a, (uint64_t)v, 8, r->out, r->d);
}

/* Java's Duration.ofMillis().toDays(): down to a second, but then towards zero, so that a moment
 * before 1970 has the day behind it; at midnight its own. */
static err_t put_day(struct native_run *r, int64_t ms)
{
    int64_t days = calendar_floor(ms, 1000) / (DAY_MS / 1000);
    return put_be_value(r->a, (uint64_t)(days + DATE_ZERO), 4, r->out, r->d);
}

static err_t put_uuid(struct native_run *r, struct uuid u)
{
    uint8_t *at = arena_take_raw(r->a, 16);
    if (!at) return term_no_room(r->d);
    memcpy(at, u.at, 16);
    return set_value(r->out, slice_make(at, 16));
}

/* --- now
 * ------------------------------------------------------------------------------------------
 */

static uint64_t random_of(struct native_run *r)
{
    INVARIANT(r->bound->random != NULL);
    return r->bound->random(r->bound->random_ctx);
}

/* The clock is the statement's; the sequence and the node make each call another one. */
err_t cf_now_uuid(struct native_run *r)
{
    uint64_t node = random_of(r) | (uint64_t)1 << 40; /* multicast: no card's address */
    uint64_t sequence = random_of(r);
    uint8_t bytes[6];
    for (int i = 0; i < 6; i++) bytes[i] = (uint8_t)(node >> (40 - 8 * i));
    int64_t ticks = r->bound->now_us * 10 - UUID_EPOCH_MS * 10000;
    return put_uuid(r, uuid_v1(ticks, (uint16_t)sequence, bytes));
}

err_t cf_now_timestamp(struct native_run *r)
{
    return put8(r, calendar_floor(r->bound->now_us, 1000));
}

err_t cf_now_date(struct native_run *r)
{
    return put_day(r, calendar_floor(r->bound->now_us, 1000));
}

err_t cf_now_time(struct native_run *r)
{
    int64_t day_us = (int64_t)DAY_MS * 1000, now = r->bound->now_us;
    return put8(r, (calendar_rest(now, day_us)) * 1000);
}

err_t cf_uuid(struct native_run *r)
{
    uint64_t halves[2] = {random_of(r), random_of(r)};
    uint8_t bytes[16];
    memcpy(bytes, halves, 16);
    return put_uuid(r, uuid_v4(bytes));
}

/* --- from one kind to another
 * -----------------------------------------------------------------------
 */

static int64_t uuid_ms(const struct native_run *r, uint32_t i)
{
    struct uuid u;
    memcpy(u.at, r->args[i].bytes.at, 16);
    return uuid_v1_ms(u);
}

static int64_t date_ms(const struct native_run *r, uint32_t i)
{
    return ((int64_t)(uint32_t)binary_i64(r->args[i].bytes) - DATE_ZERO) * DAY_MS;
}

static int64_t timestamp_ms(const struct native_run *r, uint32_t i)
{
    return binary_i64(r->args[i].bytes);
}

/* A version 1 UUID whose other half is the smallest, or the largest, in the type's order. */
static err_t put_bound(struct native_run *r, int64_t ticks, uint8_t fill)
{
    struct uuid u;
    uint64_t t = (uint64_t)ticks;
    uint64_t high = t << 32 | (t >> 16 & 0xFFFF0000) | 0x1000 | (t >> 48 & 0xFFF);
    for (int i = 0; i < 8; i++) u.at[i] = (uint8_t)(high >> (56 - 8 * i));
    memset(u.at + 8, fill, 8);
    return put_uuid(r, u);
}

err_t cf_min_timeuuid(struct native_run *r)
{
    uint64_t ms = (uint64_t)timestamp_ms(r, 0) - (uint64_t)UUID_EPOCH_MS;
    return put_bound(r, (int64_t)(ms * 10000), 0x80);
}

err_t cf_max_timeuuid(struct native_run *r)
{
    uint64_t ms = (uint64_t)timestamp_ms(r, 0) - (uint64_t)UUID_EPOCH_MS;
    return put_bound(r, (int64_t)((ms + 1) * 10000 - 1), 0x7F);
}

err_t cf_uuid_to_date(struct native_run *r)
{
    return put_day(r, uuid_ms(r, 0));
}

err_t cf_timestamp_to_date(struct native_run *r)
{
    return put_day(r, timestamp_ms(r, 0));
}

err_t cf_uuid_to_timestamp(struct native_run *r)
{
    return put8(r, uuid_ms(r, 0));
}

err_t cf_date_to_timestamp(struct native_run *r)
{
    return put8(r, date_ms(r, 0));
}

err_t cf_uuid_to_unix(struct native_run *r)
{
    return put8(r, uuid_ms(r, 0));
}

err_t cf_timestamp_to_unix(struct native_run *r)
{
    return put8(r, timestamp_ms(r, 0));
}

err_t cf_date_to_unix(struct native_run *r)
{
    return put8(r, date_ms(r, 0));
}

/* --- floor
 * ----------------------------------------------------------------------------------------
 */

static err_t precision_refused(struct native_run *r, struct cql_duration v, bool date)
{
    uint8_t memory[64];
    struct buf shown = buf_over(memory, sizeof(memory));
    duration_put(&shown, v);
    if (date)
        return diag_fail(r->d, ERR_INVALID,
                         "The floor on date values cannot be computed for the %.*s duration as "
                         "precision is below 1 day",
                         SLICE_ARG(buf_view(&shown)));
    return diag_fail(r->d, ERR_INVALID,
                     "The floor cannot be computed for the %.*s duration as precision is below 1 "
                     "millisecond",
                     SLICE_ARG(buf_view(&shown)));
}

static int64_t month_of(int64_t ms)
{
    struct calendar_day d = calendar_of(calendar_floor(ms, DAY_MS));
    return d.year * 12 + d.month - 1;
}

/* Calendar.add(MONTH, n): that month's last day at most. */
static int64_t add_months(int64_t ms, int64_t n)
{
    int64_t days = calendar_floor(ms, DAY_MS);
    return calendar_add_months(days, n) * DAY_MS + (calendar_rest(ms, DAY_MS));
}

static int64_t floor_months(int64_t ms, struct cql_duration v, int64_t start)
{
    int64_t multiplier = (month_of(ms) - month_of(start)) / v.months;
    int64_t at = add_months(start, multiplier * v.months);
    if (v.days == 0 && v.ns == 0) return at;
    int128_t each = (int128_t)v.days * DAY_MS + v.ns / 1000000;
    int128_t floor = at + multiplier * each;
    while (floor > ms) {
        multiplier--;
        at = add_months(at, -v.months);
        floor = at + multiplier * each;
    }
    return floor < start ? start : (int64_t)floor;
}

/* Months are stepped through one duration after the other: some 285,000 years of them at most. */
#define FLOOR_MS_MAX ((int64_t)1 << 53)

static err_t floor_ms(struct native_run *r, int64_t ms, int64_t start, bool date, int64_t *out)
{
    struct cql_duration v;
    if (!duration_take(r->args[1].bytes, &v)) return diag_fail(r->d, ERR_INVALID, "no duration");
    if (date ? v.ns != 0 : v.ns % 1000000 != 0) return precision_refused(r, v, date);
    if (start > ms)
        return diag_fail(r->d, ERR_INVALID,
                         "The floor function starting time is greater than the provided time");
    if (v.months < 0 || v.days < 0 || v.ns < 0)
        return diag_fail(r->d, ERR_INVALID,
                         "Negative durations are not supported by the floor function");
    if (v.months && (ms > FLOOR_MS_MAX || start < -FLOOR_MS_MAX))
        return diag_fail(r->d, ERR_INVALID, "The floor function takes no time so far away");
    int64_t each = (int64_t)v.days * DAY_MS + v.ns / 1000000;
    if (v.months)
        *out = floor_months(ms, v, start);
    else
        *out = each ? ms - (int64_t)(((int128_t)ms - start) % each) : ms;
    return ERR_OK;
}

static err_t floor_to_timestamp(struct native_run *r, int64_t ms)
{
    int64_t at = 0;
    err_t e = floor_ms(r, ms, r->s->count == 3 ? timestamp_ms(r, 2) : 0, false, &at);
    return e ? e : put8(r, at);
}

err_t cf_floor_timestamp(struct native_run *r)
{
    return floor_to_timestamp(r, timestamp_ms(r, 0));
}

err_t cf_floor_timeuuid(struct native_run *r)
{
    return floor_to_timestamp(r, uuid_ms(r, 0));
}

err_t cf_floor_date(struct native_run *r)
{
    int64_t at = 0;
    err_t e = floor_ms(r, date_ms(r, 0), r->s->count == 3 ? date_ms(r, 2) : 0, true, &at);
    return e ? e : put_day(r, at);
}

err_t cf_floor_time(struct native_run *r)
{
    struct cql_duration v;
    int64_t ns = binary_i64(r->args[0].bytes);
    if (!duration_take(r->args[1].bytes, &v)) return diag_fail(r->d, ERR_INVALID, "no duration");
    if (v.months < 0 || v.days < 0 || v.ns < 0)
        return diag_fail(r->d, ERR_INVALID,
                         "Negative durations are not supported by the floor function");
    if (v.months || v.days || v.ns > (int64_t)DAY_MS * 1000000)
        return diag_fail(r->d, ERR_INVALID,
                         "For time values, the floor can only be computed for durations smaller "
                         "that a day");
    return put8(r, v.ns ? ns - ns % v.ns : ns);
}
