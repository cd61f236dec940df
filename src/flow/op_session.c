/* op_session: windows that grow with their rows. A key's open sessions stand in the index, by
 * start; each is a group at its end, rounded up, so that those the watermark has passed are found
 * by time. Two sessions of a key end more than the gap apart, and the grain is finer: they never
 * meet. */
#include "flow/group.h"

struct span {
    int64_t start, end;
};
struct sessions { /* of one key: an entry of INDEX_PART */
    struct agg_more spans;
};

static uint32_t span_count(const struct sessions *x)
{
    return x->spans.len / (uint32_t)sizeof(struct span);
}

static struct span *spans_of(const struct sessions *x)
{
    return (struct span *)(void *)x->spans.at;
}

static void sessions_put(void *ctx, const void *entry, struct buf *out)
{
    const struct sessions *x = entry;
    (void)ctx;
    for (uint32_t i = 0; i < span_count(x); i++) {
        buf_varint(out, spans_of(x)[i].start);
        buf_varint(out, spans_of(x)[i].end - spans_of(x)[i].start);
    }
}

static err_t sessions_take(void *ctx, void *entry, struct slice value)
{
    struct sessions *x = entry;
    struct cursor c = cursor_of(value);
    (void)ctx;
    while (cursor_left(&c)) {
        struct span s = {.start = cursor_varint(&c)};
        s.end = s.start + cursor_varint(&c);
        err_t e =
            c.err ? ERR_CORRUPT : agg_more_room(&x->spans, x->spans.len + (uint32_t)sizeof(s));
        if (e) return e;
        spans_of(x)[span_count(x) - 1] = s;
    }
    return ERR_OK;
}

static void sessions_done(void *ctx, void *entry)
{
    (void)ctx;
    agg_more_done(&((struct sessions *)entry)->spans);
}

static size_t sessions_hold(void *ctx, const void *entry)
{
    (void)ctx;
    return ((const struct sessions *)entry)->spans.cap;
}

const struct state_form op_session_index = {sizeof(struct sessions), sessions_put, sessions_take,
                                            sessions_done, sessions_hold};

/* Puts `with` where the spans [from, until) stand. */
static err_t spans_replace(struct sessions *x, uint32_t from, uint32_t until, struct span with)
{
    uint32_t count = span_count(x), size = sizeof(struct span);
    if (from == until) {
        err_t e = agg_more_room(&x->spans, (count + 1) * size);
        if (e) return e;
    }
    struct span *s = spans_of(x);
    memmove(s + from + 1, s + until, (count - until) * (size_t)size);
    s[from] = with;
    x->spans.len = (count - (until - from) + 1) * size;
    return ERR_OK;
}

/* --- a row --------------------------------------------------------------------------------------
 */

static err_t find_session(struct group_run *u, struct slice key, struct span span, bool make,
                          struct group **out)
{
    void *entry;
    err_t e = state_find(u->s->states[GROUP_PART], round_up(span.end, u->s->grain), key, make,
                         &entry, NULL, u->d);
    *out = entry;
    if (!e && !entry)
        return diag_fail(u->d, ERR_CORRUPT, "'%.*s': a session's state is missing",
                         SLICE_ARG(u->o->graph->o.name));
    return e;
}

static err_t session_back(struct group_run *u, struct group *g)
{
    struct group_out out;
    if (!u->s->keeps_old || !g->told) return ERR_OK;
    err_t e = group_out_open(u->o, 1, false, &out, u->d);
    if (!e) e = group_out_add(&out, g, -1, u->d);
    g->told = 0;
    return e ? e : group_out_emit(&out, u->d);
}

/* What `from` holds goes over into `to`. */
static err_t session_merge(struct group_run *u, struct group *to, struct group *from)
{
    const struct group_self *s = u->s;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < s->plan->aggregate_count; i++)
        e = s->aggregates[i].of->merge(&s->aggregates[i], (uint8_t *)to + s->fixed_at[i],
                                       group_more(s, to, i), (const uint8_t *)from + s->fixed_at[i],
                                       group_more(s, from, i), u->d);
    to->rows += from->rows;
    to->held += from->held;
    state_remove(s->states[GROUP_PART], from);
    return e;
}

/* To the place of its new end: the memory beside goes along. */
static err_t session_move(struct group_run *u, struct slice key, struct span now, struct group *g,
                          struct group **out)
{
    const struct group_self *s = u->s;
    if (state_time(g) == round_up(now.end, s->grain)) {
        *out = g;
        return ERR_OK;
    }
    err_t e = find_session(u, key, now, true, out);
    if (e) return e;
    memcpy(*out, g, s->forms[GROUP_PART].size);
    for (uint32_t i = 0; i < s->plan->aggregate_count; i++)
        if (s->more_at[i]) *group_more(s, g, i) = (struct agg_more){0};
    state_touch(s->states[GROUP_PART], g); /* it holds nothing any more */
    state_remove(s->states[GROUP_PART], g);
    return ERR_OK;
}

/* The sessions [from, until) and the row's own span become one. */
static err_t session_join(struct group_run *u, struct slice key, struct sessions *x, uint32_t from,
                          uint32_t until, struct span now, struct group **out)
{
    struct group *g = NULL, *other;
    err_t e = ERR_OK;
    for (uint32_t i = from; !e && i < until; i++) {
        e = find_session(u, key, spans_of(x)[i], false, &other);
        if (!e) e = session_back(u, other);
        if (!e && g) e = session_merge(u, g, other);
        if (!g) g = other;
    }
    if (!e && g) e = session_move(u, key, now, g, out);
    if (!e && !g) e = find_session(u, key, now, true, out);
    if (e) return e;
    (*out)->start = now.start;
    (*out)->end = now.end;
    struct span *old = spans_of(x);
    if (until == from + 1 && old[from].start == now.start && old[from].end == now.end)
        return ERR_OK;
    if (spans_replace(x, from, until, now))
        return diag_fail(u->d, ERR_NO_MEMORY, "'%.*s': a key's sessions",
                         SLICE_ARG(u->o->graph->o.name));
    state_touch(u->s->states[INDEX_PART], x);
    return ERR_OK;
}

static err_t session_row(struct group_run *u, uint32_t row, int64_t t)
{
    struct slice key = u->key_of[row];
    struct span now = {t, t + u->s->plan->window.size_ms};
    void *entry;
    struct group *g;
    uint32_t from = 0, until;
    err_t e = state_find(u->s->states[INDEX_PART], 0, key, false, &entry, NULL, u->d);
    if (e) return e;
    struct sessions *x = entry;
    uint32_t count = x ? span_count(x) : 0;
    while (from < count && spans_of(x)[from].end < now.start) from++;
    for (until = from; until < count && spans_of(x)[until].start <= now.end; until++) {
        now.start = MIN(now.start, spans_of(x)[until].start);
        now.end = MAX(now.end, spans_of(x)[until].end);
    }
    if (now.end <= u->o->graph->watermark) return op_late(u->o, u->r, row, u->d);
    if (!x) {
        e = state_find(u->s->states[INDEX_PART], 0, key, true, &entry, NULL, u->d);
        if (e) return e;
        x = entry;
    }
    e = session_join(u, key, x, from, until, now, &g);
    if (e) return e;
    if (u->r->chunk) op_count(u->o, u->s->on_close ? TERM_HELD : TERM_APPLIED, 1);
    g->held += u->r->chunk && u->s->on_close;
    uint8_t *groups[] = {(uint8_t *)g};
    return op_group_add(u, groups, &row, 1);
}

err_t op_session_push(struct group_run *u)
{
    const struct column *time = &u->r->b->columns[u->s->plan->window.time];
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < u->count; i++) {
        int64_t t;
        if (window_time_of(time, u->selected[i], &t))
            e = session_row(u, u->selected[i], t);
        else
            e = op_group_dead(u, u->selected[i], ERR_CONSTRAINT, "no time that a window holds");
    }
    return e;
}

/* --- the watermark has passed -------------------------------------------------------------------
 */

struct closing {
    struct group_self *s;
    struct group_out *out; /* NULL: they were told as they changed */
};

static err_t forget_span(struct group_self *s, struct slice key, struct span span, struct diag *d)
{
    void *entry;
    err_t e = state_find(s->states[INDEX_PART], 0, key, false, &entry, NULL, d);
    if (e || !entry) return e;
    struct sessions *x = entry;
    uint32_t count = span_count(x), at = 0;
    while (at < count && spans_of(x)[at].end != span.end) at++;
    if (at == count) return ERR_OK;
    memmove(spans_of(x) + at, spans_of(x) + at + 1, (count - at - 1) * sizeof(span));
    x->spans.len -= (uint32_t)sizeof(span);
    if (x->spans.len)
        state_touch(s->states[INDEX_PART], x);
    else
        state_remove(s->states[INDEX_PART], x);
    return ERR_OK;
}

static err_t close_one(void *ctx, void *entry, struct diag *d)
{
    const struct closing *c = ctx;
    struct group *g = entry;
    err_t e = ERR_OK;
    if (g->end > c->s->watermark) return ERR_OK; /* rounded up it looked older */
    if (c->s->o->graph->by_entry && !op_may_close(c->s->o, GROUP_PART, entry)) return ERR_STOPPED;
    if (g->held) {
        op_count(c->s->o, TERM_HELD, -g->held);
        op_count(c->s->o, TERM_APPLIED, g->held);
    }
    if (c->out) e = group_out_add(c->out, entry, 1, d);
    if (!e) e = forget_span(c->s, state_key(entry), (struct span){g->start, g->end}, d);
    if (!e) state_remove(c->s->states[GROUP_PART], entry);
    return e;
}

err_t op_session_close(struct group_self *s, struct group_out *out, struct diag *d)
{
    struct closing c = {s, out};
    int64_t w = s->watermark;
    if (w == INT64_MIN) return ERR_OK;
    int64_t until = w < GROUP_TIME_MAX ? round_up(w, s->grain) + 1 : INT64_MAX;
    return op_cut_ok(s->o, state_each(s->states[GROUP_PART], INT64_MIN, until, close_one, &c, d));
}
