/* Mathematics: real functions, whole numbers and their bits. */
#include "sql/functions.h"
#include <math.h>

static err_t put_real(struct call *c, uint32_t row, double v)
{
    if (!isfinite(v)) return call_fault(c, row, ERR_RANGE, "there is no such number");
    put_double(c, row, v);
    return ERR_OK;
}

static double cotangent(double v)
{
    return 1 / tan(v);
}
static double to_degrees(double v)
{
    return v * (180 / M_PI);
}
static double to_radians(double v)
{
    return v * (M_PI / 180);
}

/* One argument, one function of it. */
static err_t put_of(struct call *c, uint32_t row, double (*of)(double))
{
    return put_real(c, row, of(arg_double(c, 0, row)));
}
err_t fn_cbrt(struct call *c, uint32_t row)
{
    return put_of(c, row, cbrt);
}
err_t fn_log2(struct call *c, uint32_t row)
{
    return put_of(c, row, log2);
}
err_t fn_log1p(struct call *c, uint32_t row)
{
    return put_of(c, row, log1p);
}
err_t fn_expm1(struct call *c, uint32_t row)
{
    return put_of(c, row, expm1);
}
err_t fn_sin(struct call *c, uint32_t row)
{
    return put_of(c, row, sin);
}
err_t fn_cos(struct call *c, uint32_t row)
{
    return put_of(c, row, cos);
}
err_t fn_tan(struct call *c, uint32_t row)
{
    return put_of(c, row, tan);
}
err_t fn_cot(struct call *c, uint32_t row)
{
    return put_of(c, row, cotangent);
}
err_t fn_asin(struct call *c, uint32_t row)
{
    return put_of(c, row, asin);
}
err_t fn_acos(struct call *c, uint32_t row)
{
    return put_of(c, row, acos);
}
err_t fn_atan(struct call *c, uint32_t row)
{
    return put_of(c, row, atan);
}
err_t fn_sinh(struct call *c, uint32_t row)
{
    return put_of(c, row, sinh);
}
err_t fn_cosh(struct call *c, uint32_t row)
{
    return put_of(c, row, cosh);
}
err_t fn_tanh(struct call *c, uint32_t row)
{
    return put_of(c, row, tanh);
}
err_t fn_degrees(struct call *c, uint32_t row)
{
    return put_of(c, row, to_degrees);
}
err_t fn_radians(struct call *c, uint32_t row)
{
    return put_of(c, row, to_radians);
}

err_t fn_atan2(struct call *c, uint32_t row)
{
    return put_real(c, row, atan2(arg_double(c, 0, row), arg_double(c, 1, row)));
}
err_t fn_hypot(struct call *c, uint32_t row)
{
    return put_real(c, row, hypot(arg_double(c, 0, row), arg_double(c, 1, row)));
}
err_t fn_log(struct call *c, uint32_t row)
{
    return put_real(c, row, log(arg_double(c, 1, row)) / log(arg_double(c, 0, row)));
}
err_t fn_pi(struct call *c, uint32_t row)
{
    put_double(c, row, M_PI);
    return ERR_OK;
}
err_t fn_e(struct call *c, uint32_t row)
{
    put_double(c, row, M_E);
    return ERR_OK;
}
err_t fn_bround(struct call *c, uint32_t row)
{
    int64_t places = c->e->count > 1 ? arg_integer(c, 1, row) : 0;
    if (places < -300 || places > 300)
        return call_fault(c, row, ERR_RANGE, "places are -300 to 300");
    double v = arg_double(c, 0, row), scale = pow(10, (double)places), scaled = v * scale;
    put_double(c, row, isfinite(scaled) ? nearbyint(scaled) / scale : v);
    return ERR_OK;
}
err_t fn_is_nan(struct call *c, uint32_t row)
{
    put_bool(c, row, isnan(arg_double(c, 0, row)));
    return ERR_OK;
}
/* As PostgreSQL: 0 below the first bucket, count + 1 above the last. */
err_t fn_width_bucket(struct call *c, uint32_t row)
{
    double v = arg_double(c, 0, row), low = arg_double(c, 1, row), high = arg_double(c, 2, row);
    int64_t count = arg_integer(c, 3, row), at;
    if (count < 1 || !(low < high))
        return call_fault(c, row, ERR_RANGE, "buckets: a low end, a higher one, and at least one");
    if (v < low)
        at = 0;
    else if (v >= high)
        at = count == INT64_MAX ? count : count + 1;
    else
        at = (int64_t)((v - low) / (high - low) * (double)count) + 1;
    cell_put_integer(c->out, row, at);
    return ERR_OK;
}
/* Metres between two places on the earth, by the haversine. */
err_t fn_geo_distance(struct call *c, uint32_t row)
{
    double lat1 = to_radians(arg_double(c, 0, row)), lat2 = to_radians(arg_double(c, 2, row));
    double dlat = lat2 - lat1, dlon = to_radians(arg_double(c, 3, row) - arg_double(c, 1, row));
    double a =
        sin(dlat / 2) * sin(dlat / 2) + cos(lat1) * cos(lat2) * sin(dlon / 2) * sin(dlon / 2);
    return put_real(c, row, 2 * 6371008.8 * asin(sqrt(fmin(a, 1))));
}

/* --- whole numbers ------------------------------------------------------------------------------
 */

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}
static uint64_t common_divisor(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}
static err_t put_unsigned(struct call *c, uint32_t row, uint64_t v)
{
    if (v > INT64_MAX) return call_fault(c, row, ERR_RANGE, "the result does not fit");
    cell_put_integer(c->out, row, (int64_t)v);
    return ERR_OK;
}
err_t fn_gcd(struct call *c, uint32_t row)
{
    return put_unsigned(
        c, row,
        common_divisor(magnitude(arg_integer(c, 0, row)), magnitude(arg_integer(c, 1, row))));
}
err_t fn_lcm(struct call *c, uint32_t row)
{
    uint64_t a = magnitude(arg_integer(c, 0, row)), b = magnitude(arg_integer(c, 1, row)), v;
    if (a == 0 || b == 0) return put_unsigned(c, row, 0);
    if (__builtin_mul_overflow(a / common_divisor(a, b), b, &v)) v = UINT64_MAX;
    return put_unsigned(c, row, v);
}
err_t fn_factorial(struct call *c, uint32_t row)
{
    int64_t n = arg_integer(c, 0, row), v = 1;
    if (n < 0 || n > 20) return call_fault(c, row, ERR_RANGE, "factorials are of 0 to 20");
    for (int64_t i = 2; i <= n; i++) v *= i;
    cell_put_integer(c->out, row, v);
    return ERR_OK;
}

err_t fn_bit_and2(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, arg_integer(c, 0, row) & arg_integer(c, 1, row));
    return ERR_OK;
}
err_t fn_bit_or2(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, arg_integer(c, 0, row) | arg_integer(c, 1, row));
    return ERR_OK;
}
err_t fn_bit_xor2(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, arg_integer(c, 0, row) ^ arg_integer(c, 1, row));
    return ERR_OK;
}
err_t fn_bit_not(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, ~arg_integer(c, 0, row));
    return ERR_OK;
}
err_t fn_bit_count(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, __builtin_popcountll((uint64_t)arg_integer(c, 0, row)));
    return ERR_OK;
}
/* By so many bits, 0 to 63: what leaves on the left is gone, on the right the sign fills in. */
static err_t shift(struct call *c, uint32_t row, bool left)
{
    int64_t v = arg_integer(c, 0, row), by = arg_integer(c, 1, row);
    if (by < 0 || by > 63) return call_fault(c, row, ERR_RANGE, "shifts are by 0 to 63 bits");
    cell_put_integer(c->out, row, left ? (int64_t)((uint64_t)v << by) : v >> by);
    return ERR_OK;
}
err_t fn_shift_left(struct call *c, uint32_t row)
{
    return shift(c, row, true);
}
err_t fn_shift_right(struct call *c, uint32_t row)
{
    return shift(c, row, false);
}

/* --- numbers as text ----------------------------------------------------------------------------
 */

static err_t put_based(struct call *c, uint32_t row, uint64_t v, bool minus, uint32_t base)
{
    char text[66];
    uint32_t at = sizeof(text);
    do {
        text[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[v % base];
        v /= base;
    } while (v);
    if (minus) text[--at] = '-';
    err_t e;
    uint8_t *out = call_room(c, row, sizeof(text) - at, &e);
    if (!out) return e;
    memcpy(out, text + at, sizeof(text) - at);
    put_bytes(c->out, row, slice_make(out, sizeof(text) - at));
    return ERR_OK;
}
err_t fn_to_hex(struct call *c, uint32_t row)
{
    return put_based(c, row, (uint64_t)arg_integer(c, 0, row), false, 16);
}
err_t fn_bin(struct call *c, uint32_t row)
{
    return put_based(c, row, (uint64_t)arg_integer(c, 0, row), false, 2);
}

static bool parse_based(struct slice s, uint32_t base, uint64_t *out, bool *minus)
{
    uint32_t i = s.len && s.at[0] == '-';
    *minus = i == 1;
    *out = 0;
    for (; i < s.len; i++) {
        uint32_t c = s.at[i] | 32u;
        uint32_t digit = s.at[i] >= '0' && s.at[i] <= '9' ? s.at[i] - 48u
                         : c >= 'a' && c <= 'z'           ? c - 'a' + 10
                                                          : base;
        if (digit >= base || __builtin_mul_overflow(*out, base, out) ||
            __builtin_add_overflow(*out, digit, out))
            return false;
    }
    return s.len > (uint32_t)*minus;
}
err_t fn_conv(struct call *c, uint32_t row)
{
    int64_t from = arg_integer(c, 1, row), to = arg_integer(c, 2, row);
    uint64_t v;
    bool minus;
    if (from < 2 || from > 36 || to < 2 || to > 36)
        return call_fault(c, row, ERR_RANGE, "bases are 2 to 36");
    if (!parse_based(slice_trim(arg_text(c, 0, row)), (uint32_t)from, &v, &minus))
        return call_fault(c, row, ERR_CAST, "this is no number of that base");
    return put_based(c, row, v, minus && v, (uint32_t)to);
}
/* 1,234,567.89 */
err_t fn_format_number(struct call *c, uint32_t row)
{
    int64_t places = arg_integer(c, 1, row);
    if (places < 0 || places > 30) return call_fault(c, row, ERR_RANGE, "places are 0 to 30");
    struct buf plain = buf_make(512), b = buf_make(1024);
    buf_printf(&plain, "%.*f", (int)places, arg_double(c, 0, row));
    struct slice s = buf_view(&plain);
    uint32_t whole = 0;
    while (whole < s.len && s.at[whole] != '.') whole++;
    for (uint32_t i = 0; i < s.len; i++) {
        bool digit_before = i > 0 && s.at[i - 1] != '-';
        if (i < whole && digit_before && (whole - i) % 3 == 0) buf_char(&b, ',');
        buf_char(&b, (char)s.at[i]);
    }
    if (plain.err) b.err = plain.err;
    buf_done(&plain);
    return put_buf(c, row, &b);
}
err_t fn_format_bytes(struct call *c, uint32_t row)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double v = (double)arg_integer(c, 0, row);
    size_t unit = 0;
    for (; fabs(v) >= 1024 && unit + 1 < COUNT_OF(units); unit++) v /= 1024;
    struct buf b = buf_make(64);
    buf_printf(&b, "%.*f %s", unit ? 1 : 0, v, units[unit]);
    return put_buf(c, row, &b);
}
