/* Aggregates of statistics: variance and its kin, and the sketches. */
#include "base/hash.h"
#include "sql/aggregate_int.h"

#include <math.h>
#include <stdlib.h>

/* --- variance: Welford's steps, forth and back --------------------------------------------------
 */

static void moments_step(struct agg_moments *s, double v, int64_t sign)
{
    if (!isfinite(v)) {
        s->bad += sign;
        return;
    }
    s->count += sign;
    if (s->count == 0) {
        s->mean = s->square = 0;
        return;
    }
    double from = v - s->mean;
    s->mean += (double)sign * from / (double)s->count;
    s->square += (double)sign * from * (v - s->mean);
}

err_t agg_moments_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a, (void)d;
    for (uint32_t i = 0; i < r->count; i++)
        if (agg_valid(r, 0, r->rows[i]))
            moments_step(agg_fixed(r, i), r->args[0].f64[r->rows[i]], agg_sign(r, r->rows[i]));
    return ERR_OK;
}

err_t agg_moments_merge(AGG_MERGE_ARGS)
{
    struct agg_moments *s = (void *)fixed;
    const struct agg_moments *from = (const void *)from_fixed;
    (void)a, (void)more, (void)from_more, (void)d;
    double n = (double)s->count, k = (double)from->count, all = n + k;
    s->bad += from->bad;
    if (from->count == 0) return ERR_OK;
    double between = from->mean - s->mean;
    s->count += from->count;
    s->mean += between * k / all;
    s->square += from->square + between * between * n * k / all;
    return ERR_OK;
}

static void tell_moments(const uint8_t *fixed, bool sample, bool root, struct column *out,
                         uint32_t row)
{
    const struct agg_moments *s = (const void *)fixed;
    if (s->count + s->bad < 1 + sample) return;
    double v = s->bad ? NAN : MAX(s->square, 0.0) / (double)(s->count - sample);
    agg_put_f64(out, row, root ? sqrt(v) : v);
}

err_t agg_var_samp_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    tell_moments(fixed, true, false, out, row);
    return ERR_OK;
}
err_t agg_var_pop_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    tell_moments(fixed, false, false, out, row);
    return ERR_OK;
}
err_t agg_stddev_samp_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    tell_moments(fixed, true, true, out, row);
    return ERR_OK;
}
err_t agg_stddev_pop_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    tell_moments(fixed, false, true, out, row);
    return ERR_OK;
}

/* --- covariance ---------------------------------------------------------------------------------
 */

static void comoments_step(struct agg_comoments *s, double x, double y, int64_t sign)
{
    if (!isfinite(x) || !isfinite(y)) {
        s->bad += sign;
        return;
    }
    s->count += sign;
    if (s->count == 0) {
        *s = (struct agg_comoments){.bad = s->bad};
        return;
    }
    double dx = x - s->mean_x, dy = y - s->mean_y, w = (double)sign;
    s->mean_x += w * dx / (double)s->count;
    s->mean_y += w * dy / (double)s->count;
    s->square_x += w * dx * (x - s->mean_x);
    s->square_y += w * dy * (y - s->mean_y);
    s->product += w * dx * (y - s->mean_y);
}

err_t agg_comoments_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    (void)a, (void)d;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->rows[i];
        if (agg_valid(r, 0, row) && agg_valid(r, 1, row))
            comoments_step(agg_fixed(r, i), r->args[0].f64[row], r->args[1].f64[row],
                           agg_sign(r, row));
    }
    return ERR_OK;
}

err_t agg_comoments_merge(AGG_MERGE_ARGS)
{
    struct agg_comoments *s = (void *)fixed;
    const struct agg_comoments *from = (const void *)from_fixed;
    (void)a, (void)more, (void)from_more, (void)d;
    double n = (double)s->count, k = (double)from->count, all = n + k;
    s->bad += from->bad;
    if (from->count == 0) return ERR_OK;
    double dx = from->mean_x - s->mean_x, dy = from->mean_y - s->mean_y;
    s->count += from->count;
    s->mean_x += dx * k / all;
    s->mean_y += dy * k / all;
    s->square_x += from->square_x + dx * dx * n * k / all;
    s->square_y += from->square_y + dy * dy * n * k / all;
    s->product += from->product + dx * dy * n * k / all;
    return ERR_OK;
}

static void tell_covar(const uint8_t *fixed, int64_t less, struct column *out, uint32_t row)
{
    const struct agg_comoments *s = (const void *)fixed;
    if (s->count + s->bad <= less) return;
    agg_put_f64(out, row, s->bad ? NAN : s->product / (double)(s->count - less));
}

err_t agg_covar_samp_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    tell_covar(fixed, 1, out, row);
    return ERR_OK;
}
err_t agg_covar_pop_tell(AGG_TELL_ARGS)
{
    (void)a, (void)more, (void)arena, (void)d;
    tell_covar(fixed, 0, out, row);
    return ERR_OK;
}
err_t agg_corr_tell(AGG_TELL_ARGS)
{
    const struct agg_comoments *s = (const void *)fixed;
    (void)a, (void)more, (void)arena, (void)d;
    if (s->bad) agg_put_f64(out, row, NAN);
    if (s->bad || s->count < 2 || s->square_x <= 0 || s->square_y <= 0) return ERR_OK;
    double both = s->square_x * s->square_y;
    double v = isnormal(both) ? s->product / sqrt(both)
                              : s->product / sqrt(s->square_x) / sqrt(s->square_y);
    agg_put_f64(out, row, v > 1 ? 1 : v < -1 ? -1 : v);
    return ERR_OK;
}

/* --- HyperLogLog: while few, the registers that are set, one after the other --------------------
 */

enum { HLL_BITS = 12, HLL_REGISTERS = 1 << HLL_BITS, HLL_FEW = 128 };

static err_t hll_set(struct agg_more *m, uint32_t at, uint8_t rank)
{
    if (m->len == HLL_REGISTERS) {
        m->at[at] = MAX(m->at[at], rank);
        return ERR_OK;
    }
    uint32_t count = m->len / 4, x;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(&x, m->at + (size_t)i * 4, 4);
        if (x >> 8 != at) continue;
        x = at << 8 | MAX((uint8_t)x, rank);
        memcpy(m->at + (size_t)i * 4, &x, 4);
        return ERR_OK;
    }
    if (count < HLL_FEW) {
        x = at << 8 | rank;
        err_t e = agg_more_room(m, (count + 1) * 4);
        if (!e) memcpy(m->at + (size_t)count * 4, &x, 4);
        return e;
    }
    uint32_t few[HLL_FEW];
    memcpy(few, m->at, sizeof(few));
    m->len = 0;
    err_t e = agg_more_room(m, HLL_REGISTERS);
    if (e) {
        m->len = sizeof(few);
        return e;
    }
    for (uint32_t i = 0; i < HLL_FEW; i++) m->at[few[i] >> 8] = (uint8_t)few[i];
    m->at[at] = MAX(m->at[at], rank);
    return ERR_OK;
}

err_t agg_hll_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    err_t e = ERR_OK;
    (void)a;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        if (!agg_valid(r, 0, r->rows[i])) continue;
        struct value v;
        column_get(&r->args[0], r->rows[i], &v);
        uint64_t hash = value_hash(&v), rest = hash << HLL_BITS | 1ull << (HLL_BITS - 1);
        e = hll_set(agg_more_of(r, i), (uint32_t)(hash >> (64 - HLL_BITS)),
                    (uint8_t)(__builtin_clzll(rest) + 1));
    }
    return e ? agg_no_memory(d) : ERR_OK;
}

err_t agg_hll_merge(AGG_MERGE_ARGS)
{
    err_t e = ERR_OK;
    (void)a, (void)fixed, (void)from_fixed;
    bool dense = from_more->len == HLL_REGISTERS;
    uint32_t count = dense ? HLL_REGISTERS : from_more->len / 4, x;
    for (uint32_t i = 0; !e && i < count; i++) {
        if (dense)
            x = i << 8 | from_more->at[i];
        else
            memcpy(&x, from_more->at + (size_t)i * 4, 4);
        if ((uint8_t)x) e = hll_set(more, x >> 8, (uint8_t)x);
    }
    return e ? agg_no_memory(d) : ERR_OK;
}

/* Ertl's estimator ("New cardinality estimation algorithms for HyperLogLog sketches", 2017): good
 * at any size without corrections of its own. */
static double hll_sigma(double x)
{
    if (x == 1) return INFINITY;
    double y = 1, z = x, before;
    do {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    } while (z != before);
    return z;
}

static double hll_tau(double x)
{
    if (x == 0 || x == 1) return 0;
    double y = 1, z = 1 - x, before;
    do {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    } while (z != before);
    return z / 3;
}

err_t agg_approx_count_distinct_tell(AGG_TELL_ARGS)
{
    enum { Q = 64 - HLL_BITS, RANKS = Q + 2 };
    double counts[RANKS] = {0};
    const double m = HLL_REGISTERS;
    bool dense = more->len == HLL_REGISTERS;
    (void)a, (void)fixed, (void)arena, (void)d;
    if (!dense) counts[0] = m - more->len / 4.0;
    for (uint32_t i = 0; i < more->len; i += dense ? 1 : 4) /* little-endian: the rank is first */
        counts[MIN(more->at[i], (uint8_t)(RANKS - 1))]++;
    double z = m * hll_tau(1 - counts[Q + 1] / m);
    for (int k = Q; k >= 1; k--) z = 0.5 * (z + counts[k]);
    z += m * hll_sigma(counts[0] / m);
    double n = m / (2 * log(2)) * m / z;
    agg_put_i64(out, row, (int64_t)llround(n));
    return ERR_OK;
}

/* --- t-digest: points with weights, by value; the newest wait unsorted at the end ---------------
 */

enum { DIGEST_POINTS = 200, DIGEST_WAITING = 400 };
struct digest_head {
    double least, greatest;
    uint32_t points, waiting;
};
struct point {
    double at, weight;
};

static struct point *digest_points(const struct agg_more *m)
{
    return (struct point *)(void *)(m->at + sizeof(struct digest_head));
}

static int by_at(const void *x, const void *y)
{
    double a = ((const struct point *)x)->at, b = ((const struct point *)y)->at;
    return a < b ? -1 : a > b;
}

/* How far along the digest a part of all may stand: points are small at both ends. */
static double digest_scale(double part)
{
    return DIGEST_POINTS / (2 * M_PI) * asin(2 * part - 1);
}

static void digest_squeeze(struct agg_more *m)
{
    struct digest_head *h = (void *)m->at;
    struct point *p = digest_points(m);
    uint32_t all = h->points + h->waiting, n = 0;
    double total = 0, before = 0;
    qsort(p, all, sizeof(*p), by_at);
    for (uint32_t i = 0; i < all; i++) total += p[i].weight;
    for (uint32_t i = 1; i < all; i++) {
        double with = before + p[n].weight + p[i].weight;
        if (digest_scale(MIN(with / total, 1.0)) - digest_scale(before / total) <= 1) {
            p[n].weight += p[i].weight;
            p[n].at += (p[i].at - p[n].at) * p[i].weight / p[n].weight;
        } else {
            before += p[n].weight;
            p[++n] = p[i];
        }
    }
    h->points = all ? n + 1 : 0;
    h->waiting = 0;
    m->len = (uint32_t)(sizeof(*h) + h->points * sizeof(*p));
}

static err_t digest_add(struct agg_more *m, struct point p)
{
    bool first = !m->len;
    if (!first && ((struct digest_head *)(void *)m->at)->waiting == DIGEST_WAITING)
        digest_squeeze(m);
    uint32_t at = first ? (uint32_t)sizeof(struct digest_head) : m->len;
    err_t e = agg_more_room(m, at + (uint32_t)sizeof(p));
    if (e) return e;
    struct digest_head *h = (void *)m->at;
    if (first) *h = (struct digest_head){p.at, p.at, 0, 0};
    h->least = MIN(h->least, p.at);
    h->greatest = MAX(h->greatest, p.at);
    h->waiting++;
    memcpy(m->at + at, &p, sizeof(p));
    return ERR_OK;
}

err_t agg_digest_add(const struct plan_aggregate *a, const struct agg_rows *r, struct diag *d)
{
    err_t e = ERR_OK;
    (void)a;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->rows[i];
        struct agg_bag *s = agg_fixed(r, i);
        if (!agg_valid(r, 0, row) || !agg_valid(r, 1, row)) continue;
        s->part = r->args[1].f64[row];
        if (isnan(r->args[0].f64[row]))
            s->full = 1; /* a NaN has no place among numbers */
        else
            e = digest_add(agg_more_of(r, i), (struct point){r->args[0].f64[row], 1});
    }
    return e ? agg_no_memory(d) : ERR_OK;
}

err_t agg_digest_merge(AGG_MERGE_ARGS)
{
    struct agg_bag *s = (void *)fixed;
    const struct agg_bag *from = (const void *)from_fixed;
    err_t e = ERR_OK;
    (void)a;
    s->full |= from->full;
    if (!from_more->len) return ERR_OK;
    const struct digest_head *h = (const void *)from_more->at;
    s->part = from->part;
    for (uint32_t i = 0; !e && i < h->points + h->waiting; i++)
        e = digest_add(more, digest_points(from_more)[i]);
    if (e) return agg_no_memory(d);
    struct digest_head *mine = (void *)more->at;
    mine->least = MIN(mine->least, h->least);
    mine->greatest = MAX(mine->greatest, h->greatest);
    return ERR_OK;
}

/* Between the middles of two neighbours as the line goes; the least and the greatest at the ends.
 */
static double digest_at(const struct agg_more *m, double part)
{
    const struct digest_head *h = (const void *)m->at;
    const struct point *p = digest_points(m);
    double total = 0, middle = 0, before = 0.5, last = h->least;
    for (uint32_t i = 0; i < h->points; i++) total += p[i].weight;
    double wanted = part * (total - 1) + 0.5;
    for (uint32_t i = 0; i < h->points; i++) {
        double here = middle + p[i].weight / 2;
        if (wanted <= here) {
            if (here <= before) return p[i].at;
            return last + (p[i].at - last) * (wanted - before) / (here - before);
        }
        before = here;
        last = p[i].at;
        middle += p[i].weight;
    }
    double end = total - 0.5;
    if (end <= before) return h->greatest;
    return last + (h->greatest - last) * MIN((wanted - before) / (end - before), 1.0);
}

err_t agg_approx_percentile_tell(AGG_TELL_ARGS)
{
    const struct agg_bag *s = (const void *)fixed;
    (void)arena;
    if (!more->len && !s->full) return ERR_OK;
    if (!(s->part >= 0 && s->part <= 1))
        return diag_fail(d, ERR_RANGE, "%.*s: %g is not from 0 to 1", SLICE_ARG(a->text), s->part);
    if (s->full) {
        agg_put_f64(out, row, NAN);
        return ERR_OK;
    }
    struct agg_more copy = {0}; /* telling changes nothing: a later row meets the same digest */
    err_t e = agg_more_room(&copy, more->len);
    if (e) return agg_no_memory(d);
    memcpy(copy.at, more->at, more->len);
    digest_squeeze(&copy);
    agg_put_f64(out, row, digest_at(&copy, s->part));
    agg_more_done(&copy);
    return ERR_OK;
}
