/* Judging: each rule's figures are measured outside the gate, then compared inside it. */
#include "alert/alert_int.h"

#include "base/say.h"

#include <math.h>
#include <stdio.h>

struct figure {
    char *part; /* the arena's */
    double value;
};
struct round {
    struct alert *a;
    struct arena *arena;
    struct vec figures;
    /* the rule's, as it was when the measuring began */
    char *name, *of;
    enum alert_measure measure;
};

static err_t take_figure(void *to, struct slice part, double value)
{
    struct round *r = to;
    struct figure f = {arena_text(r->arena, part.len <= ALERT_TEXT_MAX ? part : SLICE("…")), value};
    return f.part ? vec_push(&r->figures, &f) : ERR_NO_MEMORY;
}

/* --- samples --------------------------------------------------------------------------------- */

static const struct sample *sample_at(const struct part *p, uint32_t i)
{
    return &p->samples[(p->first + i) % SAMPLES_MAX];
}

static void take_sample(struct part *p, int64_t now, double value, int64_t window)
{
    /* No more often than that the ring holds the window. */
    if (p->count > 1 && now - sample_at(p, p->count - 2)->ms < window / (SAMPLES_MAX - 2))
        p->count--;
    if (p->count == SAMPLES_MAX) p->first = (p->first + 1) % SAMPLES_MAX, p->count--;
    p->samples[(p->first + p->count++) % SAMPLES_MAX] = (struct sample){now, value};
    while (p->count > 2 && now - sample_at(p, 1)->ms >= window)
        p->first = (p->first + 1) % SAMPLES_MAX, p->count--;
}

/* A counter that began anew has grown by what it shows. */
static double grown_a_minute(const struct part *p)
{
    double grown = 0;
    for (uint32_t i = 1; i < p->count; i++) {
        double more = sample_at(p, i)->value - sample_at(p, i - 1)->value;
        grown += more >= 0 ? more : sample_at(p, i)->value;
    }
    int64_t ms = sample_at(p, p->count - 1)->ms - sample_at(p, 0)->ms;
    return ms > 0 ? grown * 60000 / (double)ms : 0;
}

/* Least squares; infinite while it does not fall. */
static double hours_left(const struct part *p)
{
    double t0 = (double)sample_at(p, 0)->ms, n = p->count, st = 0, sv = 0, stt = 0, stv = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        double t = ((double)sample_at(p, i)->ms - t0) / 3600e3, v = sample_at(p, i)->value;
        st += t, sv += v, stt += t * t, stv += t * v;
    }
    double under = n * stt - st * st, slope = under > 0 ? (n * stv - st * sv) / under : 0;
    return slope < 0 ? sample_at(p, p->count - 1)->value / -slope : INFINITY;
}

/* False: it can not be known yet. A trend of seconds says nothing about a day. */
static bool figure_of(struct part *p, enum alert_how how, double value, int64_t now)
{
    if (how == NOW) {
        p->value = value;
        return true;
    }
    take_sample(p, now, value, how == RATE ? RATE_WINDOW_MS : TREND_WINDOW_MS);
    int64_t span = sample_at(p, p->count - 1)->ms - sample_at(p, 0)->ms;
    if (p->count < 2 || (how == TREND && span < TREND_WINDOW_MS / 6)) return false;
    p->value = how == RATE ? grown_a_minute(p) : hours_left(p);
    return true;
}

/* --- a part's state ------------------------------------------------------------------------------
 */

static void change(struct alert *a, const struct rule *r, struct part *p, enum alert_state to,
                   int64_t now)
{
    int64_t since = p->since_ms;
    bool told = to == STATE_FIRING || p->state == STATE_FIRING;
    p->state = to;
    p->since_ms = now;
    a->version++;
    if (!told) return;
    past_add(a, to == STATE_FIRING ? "firing" : "resolved", r->name, p->name, p->value, "");
    tell_all(a, r, p, to == STATE_FIRING, to == STATE_FIRING ? now : since);
    a->dirty = true;
}

static void judge_part(struct alert *a, const struct rule *r, struct part *p, int64_t now)
{
    bool wrong = r->side == ABOVE ? p->value > r->limit : p->value < r->limit;
    if (!wrong) {
        if (p->state != STATE_OK) change(a, r, p, STATE_OK, now);
        return;
    }
    if (p->state == STATE_OK) change(a, r, p, r->for_ms ? STATE_PENDING : STATE_FIRING, now);
    if (p->state == STATE_PENDING && now - p->since_ms >= r->for_ms)
        change(a, r, p, STATE_FIRING, now);
}

static struct part *part_for(struct alert *a, struct rule *r, const char *name, int64_t now)
{
    struct part *p = rule_part(r, slice_of(name));
    if (p || a->part_count >= ALERT_PARTS_MAX) return p;
    if (!r->parts) r->parts = map_new(ALERT_PARTS_MAX);
    p = r->parts ? mem_take(sizeof(*p)) : NULL;
    if (!p) return NULL;
    p->name = mem_text(slice_of(name));
    p->since_ms = now;
    if (!p->name || map_set(r->parts, slice_of(name), p)) {
        part_free(p);
        return NULL;
    }
    a->part_count++;
    return p;
}

/* A stage that was dropped, a dag that is no more: what fired of them has ended. */
static err_t drop_unseen(struct round *w, struct rule *r, int64_t now)
{
    struct slice name;
    void *at;
    vec_clear(&w->figures);
    for (size_t i = 0; r->parts && map_next(r->parts, &i, &name, &at);) {
        struct part *p = at;
        if (p->seen) continue;
        err_t e = take_figure(w, name, 0);
        if (e) return e;
        if (p->state == STATE_FIRING) change(w->a, r, p, STATE_OK, now);
    }
    for (size_t i = 0; i < w->figures.count; i++) {
        const struct figure *f = vec_at(&w->figures, i);
        part_free(map_remove(r->parts, slice_of(f->part)));
        w->a->part_count--;
    }
    return ERR_OK;
}

static void judge_rule(struct round *w, struct rule *r, int64_t now)
{
    struct slice name;
    void *at;
    uint32_t left_out = 0;
    enum alert_how how = measure_infos[r->measure].how;
    for (size_t i = 0; r->parts && map_next(r->parts, &i, &name, &at);)
        ((struct part *)at)->seen = false;
    for (size_t i = 0; i < w->figures.count; i++) {
        const struct figure *f = vec_at(&w->figures, i);
        struct part *p = part_for(w->a, r, f->part, now);
        left_out += !p;
        if (!p) continue;
        p->seen = true;
        if (figure_of(p, how, f->value, now)) judge_part(w->a, r, p, now);
    }
    err_t e = drop_unseen(w, r, now);
    if (left_out || e)
        say_warn(SAY_MAIN, "an alert rule has more parts than can be looked at",
                 "rule=\"%s\" left_out=%u", r->name, left_out);
}

/* --- a round -------------------------------------------------------------------------------------
 */

static void say_trouble(struct round *w, struct rule *r, const struct diag *d, err_t e)
{
    char story[sizeof(r->trouble)] = "";
    if (e) diag_format(d, story, sizeof(story));
    bool had = r->trouble[0], has = story[0];
    if (strcmp(story, r->trouble) != 0) w->a->version++;
    memcpy(r->trouble, story, sizeof(story));
    if (had != has)
        past_add(w->a, has ? "cannot be judged" : "judged again", r->name, "", 0, story);
}

/* The i-th rule's, copied, so that it is measured outside the gate. */
static bool next_rule(struct round *w, size_t i)
{
    bool there = i < w->a->rules.count;
    vec_clear(&w->figures);
    arena_reset(w->arena);
    if (!there) return false;
    const struct rule *r = *(struct rule **)vec_at(&w->a->rules, i);
    w->name = arena_text(w->arena, slice_of(r->name));
    w->of = arena_text(w->arena, slice_of(r->of));
    w->measure = r->measure;
    return w->name && w->of;
}

void judge_round(struct alert *a)
{
    struct round w = {.a = a,
                      .arena = arena_new(16 << 20),
                      .figures = vec_make(sizeof(struct figure), 2 * (size_t)ALERT_PARTS_MAX)};
    struct diag d = {0};
    gate_enter(&a->gate);
    while (a->judging) gate_wait(&a->gate); /* one round after the other */
    a->judging = true;
    file_look(a);
    for (size_t i = 0; w.arena && !a->closing && next_rule(&w, i); i++) {
        gate_leave(&a->gate);
        err_t e = a->o.port.measure(a->o.port.ctx, w.measure, slice_of(w.of), take_figure, &w, &d);
        if (e == ERR_NO_MEMORY || e == ERR_TOO_BIG)
            e = diag_fail(&d, e, "it has more than %d parts", ALERT_PARTS_MAX);
        gate_enter(&a->gate);
        struct rule *r = rule_find(a, slice_of(w.name));
        if (!r || r->measure != w.measure || strcmp(r->of, w.of) != 0) continue; /* changed */
        if (!e) judge_rule(&w, r, a->o.port.now_ms(a->o.port.ctx));
        say_trouble(&w, r, &d, e);
    }
    if (a->dirty && kept_store(a, &d))
        say_diag(SAY_MAIN, SAY_WARN, "what alerts fire is not on disk; it is tried again", &d);
    a->judging = false;
    gate_wake(&a->gate);
    gate_leave(&a->gate);
    vec_done(&w.figures);
    arena_free(w.arena);
}
