#include "door/console/history.h"

#include "base/vec.h"
#include "door/console/js.h"
#include "os/thread.h"

#include <math.h>
#include <stdio.h>

enum { LAST_MS = 10000 };

struct ring {
    int64_t last; /* the newest step that has a value, counted from 1970; 0: none yet */
    float *values;
    int32_t count;
    int32_t step_ms;
};
struct series {
    char part[HISTORY_NAME_MAX], metric[32];
    struct ring fine, minutes;
    double sum; /* of the minute under way */
    uint32_t samples;
    int64_t minute, noted_ms;
    float fine_values[HISTORY_STEPS], minute_values[HISTORY_MINUTES];
};
struct history {
    struct gate gate;
    struct map *by_name;
    struct vec all; /* struct series * */
};

struct history *history_new(void)
{
    struct history *h = mem_take(sizeof(*h));
    struct map *m = h ? map_new(HISTORY_SERIES_MAX) : NULL;
    if (!m) {
        mem_give(h);
        return NULL;
    }
    h->by_name = m;
    h->all = vec_make(sizeof(struct series *), HISTORY_SERIES_MAX);
    gate_init(&h->gate);
    return h;
}

void history_free(struct history *h)
{
    if (!h) return;
    for (size_t i = 0; i < h->all.count; i++) mem_give(*(struct series **)vec_at(&h->all, i));
    vec_done(&h->all);
    map_free(h->by_name);
    gate_done(&h->gate);
    mem_give(h);
}

/* --- rings ---------------------------------------------------------------------------------------
 */

static void ring_put(struct ring *r, int64_t step, double value)
{
    int64_t from = MAX(r->last + 1, step - r->count + 1);
    for (int64_t s = from; s < step; s++) r->values[s % r->count] = NAN; /* gaps stay gaps */
    if (step < r->last) return; /* a clock that went back */
    r->values[step % r->count] = (float)value;
    r->last = step;
}

static void ring_write(struct buf *out, const struct ring *r, int64_t from_ms, int64_t now_ms)
{
    int64_t now = now_ms / r->step_ms,
            from = MIN(MAX(from_ms / r->step_ms, now - r->count + 1), now + 1);
    js_put_int(out, "step_ms", r->step_ms);
    js_put_time(out, "from", from * r->step_ms);
    js_put_open(out, "values", '[');
    int64_t to = r->last == now - 1 ? r->last : now; /* this step's sample is still to come */
    for (int64_t s = from; s <= to; s++) {
        bool there = r->last && s <= r->last && s > r->last - r->count;
        js_real(out, there ? (double)r->values[s % r->count] : (double)NAN);
    }
    js_close(out, ']');
}

/* --- series --------------------------------------------------------------------------------------
 */

static struct series *series_new(const char *part, const char *metric, int64_t now_ms)
{
    struct series *s = mem_take(sizeof(*s));
    if (!s) return NULL;
    snprintf(s->part, sizeof(s->part), "%s", part);
    snprintf(s->metric, sizeof(s->metric), "%s", metric);
    s->fine = (struct ring){0, s->fine_values, HISTORY_STEPS, HISTORY_STEP_MS};
    s->minutes = (struct ring){0, s->minute_values, HISTORY_MINUTES, HISTORY_MINUTE_MS};
    for (size_t i = 0; i < HISTORY_STEPS; i++) s->fine_values[i] = NAN;
    for (size_t i = 0; i < HISTORY_MINUTES; i++) s->minute_values[i] = NAN;
    s->minute = now_ms / HISTORY_MINUTE_MS;
    return s;
}

static void key_of(char out[HISTORY_NAME_MAX + 40], const char *part, const char *metric)
{
    snprintf(out, HISTORY_NAME_MAX + 40, "%.*s\n%.31s", HISTORY_NAME_MAX - 1, part, metric);
}

/* Room for one more: what was noted longest ago goes, if that is an hour. */
static bool make_room(struct history *h, int64_t now_ms)
{
    char key[HISTORY_NAME_MAX + 40];
    size_t oldest = 0;
    if (h->all.count < HISTORY_SERIES_MAX) return true;
    for (size_t i = 1; i < h->all.count; i++)
        if ((*(struct series **)vec_at(&h->all, i))->noted_ms <
            (*(struct series **)vec_at(&h->all, oldest))->noted_ms)
            oldest = i;
    struct series *s = *(struct series **)vec_at(&h->all, oldest);
    if (now_ms - s->noted_ms < 60 * HISTORY_MINUTE_MS) return false;
    key_of(key, s->part, s->metric);
    (void)map_remove(h->by_name, slice_of(key));
    vec_remove(&h->all, oldest);
    mem_give(s);
    return true;
}

static struct series *series_get(struct history *h, const char *part, const char *metric,
                                 int64_t now_ms)
{
    char key[HISTORY_NAME_MAX + 40];
    key_of(key, part, metric);
    struct series *s = map_get(h->by_name, slice_of(key));
    if (s || !make_room(h, now_ms)) return s;
    s = series_new(part, metric, now_ms);
    if (s && !map_set(h->by_name, slice_of(key), s) && !vec_push(&h->all, &s)) return s;
    (void)map_remove(h->by_name, slice_of(key));
    mem_give(s);
    return NULL;
}

void history_note(struct history *h, const char *part, const char *metric, double value,
                  int64_t now_ms)
{
    gate_enter(&h->gate);
    struct series *s = series_get(h, part, metric, now_ms);
    if (s) {
        int64_t minute = now_ms / HISTORY_MINUTE_MS;
        if (minute != s->minute) {
            s->sum = 0;
            s->samples = 0;
            s->minute = minute;
        }
        if (!isnan(value)) s->sum += value, s->samples++;
        ring_put(&s->fine, now_ms / HISTORY_STEP_MS, value);
        ring_put(&s->minutes, minute, s->samples ? s->sum / s->samples : (double)NAN);
        s->noted_ms = now_ms;
    }
    gate_leave(&h->gate);
}

double history_last(struct history *h, const char *part, const char *metric, int64_t now_ms)
{
    char key[HISTORY_NAME_MAX + 40];
    key_of(key, part, metric);
    gate_enter(&h->gate);
    const struct series *s = map_get(h->by_name, slice_of(key));
    bool fresh = s && s->fine.last && now_ms - s->noted_ms <= LAST_MS;
    double value = fresh ? (double)s->fine.values[s->fine.last % s->fine.count] : (double)NAN;
    gate_leave(&h->gate);
    return value;
}

void history_put(struct history *h, const struct history_ask *ask, struct buf *out)
{
    uint32_t told = 0;
    bool fine = ask->now_ms - ask->from_ms <= (int64_t)HISTORY_STEPS * HISTORY_STEP_MS;
    gate_enter(&h->gate);
    for (size_t i = 0; i < h->all.count && told < ask->series_max; i++) {
        const struct series *s = *(struct series **)vec_at(&h->all, i);
        if (ask->part.at && !slice_is(ask->part, s->part)) continue;
        if (ask->metric.at && !slice_is(ask->metric, s->metric)) continue;
        js_open(out, '{');
        js_put_cstr(out, "part", s->part);
        js_put_cstr(out, "metric", s->metric);
        ring_write(out, fine ? &s->fine : &s->minutes, ask->from_ms, ask->now_ms);
        js_close(out, '}');
        told++;
    }
    gate_leave(&h->gate);
}
