/* group_part: groups gathered apart before they go into the operator's own. A record is looked up
 * once, in a small table, however many windows hold it; the windows are met once a group, not once
 * a row. And threads that feed a lane gather as well (feed.h). Only where every aggregate is exact
 * (aggregate.h), so that what comes out is, bit for bit, what row by row would have made: nobody
 * needs to know how the rows were cut, and nothing of it is recorded. */
#include "flow/group.h"
#include <stdlib.h>

enum { PART_GROUPS_MAX = 1 << 24, DIRECT_EPOCHS = 15 };

struct group_place {
    int64_t pane;
    struct group *group;
};

/* --- which plans --------------------------------------------------------------------------------
 */

static int64_t common(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* A row falls into two windows or more. */
static bool has_several(const struct group_self *s)
{
    return s->windowed && s->plan->window.slide_ms * 2 <= s->plan->window.size_ms;
}

void group_part_init(struct group_self *s)
{
    const struct plan_group *p = s->plan;
    const struct graph *g = s->o->graph;
    /* what was told is taken back row by row, before a batch: that order is seen */
    s->parts = !g->o.bounded && !s->session && !s->keeps_old && !p->takes_back &&
               (s->windowed || p->ttl_ms <= 0);
    for (uint32_t i = 0; i < p->aggregate_count; i++)
        s->parts &= aggregate_is_exact(&s->aggregates[i]) && !group_is_distinct(&s->aggregates[i]);
    s->pane_ms = s->windowed ? common(p->window.size_ms, p->window.slide_ms) : 1;
    /* alone it gains where a row has several windows */
    s->gathers = s->parts && (g->o.feeds || has_several(s));
}

void group_part_learn(struct group_self *s)
{
    uint64_t rows = s->part_rows, groups = s->part_groups;
    if (s->direct)
        s->direct--;
    else if (rows >= CHUNK_ROWS &&
             (has_several(s) ? rows < groups + groups / 4 : rows < groups * 2))
        s->direct = DIRECT_EPOCHS;
    s->part_rows = s->part_groups = 0;
}

/* --- gathering ----------------------------------------------------------------------------------
 */

static err_t part_make(struct group_self *s, struct diag *d)
{
    struct group_part *p = mem_take(sizeof(*p));
    if (!p) return diag_fail(d, ERR_NO_MEMORY, "groups of an epoch");
    p->node = s->o->node->id;
    p->entries = vec_make(sizeof(struct group_place), PART_GROUPS_MAX);
    p->budget.max = SIZE_MAX / 2; /* handed over long before: GROUP_PART_BYTES */
    struct state_options o = {.form = &s->forms[GROUP_PART], .ctx = s, .budget = &p->budget};
    err_t e = state_open(&o, &p->state, d);
    if (e)
        group_parts_free(p);
    else
        s->part = p;
    return e;
}

void group_parts_free(struct group_part *p)
{
    while (p) {
        struct group_part *next = p->next;
        state_close(p->state);
        vec_done(&p->entries);
        mem_give(p);
        p = next;
    }
}

err_t group_part_add(struct group_run *u, int64_t pane, const uint32_t *rows, uint32_t count)
{
    struct group_part *p = u->s->part;
    struct slice *keys = arena_take_raw(u->arena, (count + 1) * sizeof(*keys));
    void **entries = arena_take_raw(u->arena, (count + 1) * sizeof(*entries));
    uint8_t *made = arena_take_raw(u->arena, count + 1);
    if (!keys || !entries || !made) return diag_fail(u->d, ERR_NO_MEMORY, "%u rows", count);
    for (uint32_t k = 0; k < count; k++) keys[k] = u->key_of[rows[k]];
    err_t e = state_find_many(p->state, pane, keys, count, entries, made, u->d);
    for (uint32_t k = 0; !e && k < count; k++) {
        if (!made[k]) continue;
        struct group_place at = {pane, entries[k]};
        e = vec_push(&p->entries, &at);
        if (e) diag_fail(u->d, e, "%zu groups", p->entries.count);
    }
    if (!e) e = op_group_add(u, (uint8_t *const *)(void *)entries, rows, count);
    bool held = u->s->on_close && u->r->chunk;
    for (uint32_t k = 0; !e && held && k < count; k++) ((struct group *)entries[k])->held++;
    p->rows += count;
    return e;
}

/* --- into the operator's groups ------------------------------------------------------------------
 */

static int by_pane(const void *a, const void *b)
{
    const struct group_place *x = a, *y = b;
    return x->pane < y->pane ? -1 : x->pane > y->pane;
}

struct merging {
    struct op *o;
    struct group_self *s;
    const struct group_place *places;
    uint32_t count;
    struct slice *keys;
    void **entries;
    uint8_t *made;
    struct diag *d;
};

static err_t merge_window(struct merging *m, int64_t time, bool last)
{
    struct group_self *s = m->s;
    struct state *state = s->states[GROUP_PART];
    err_t e = state_find_many(state, time, m->keys, m->count, m->entries, m->made, m->d);
    for (uint32_t k = 0; !e && k < m->count; k++)
        if (!state_touched(m->entries[k])) state_touch(state, m->entries[k]);
    for (uint32_t i = 0; !e && i < s->plan->aggregate_count; i++) {
        const struct plan_aggregate *a = &s->aggregates[i];
        uint32_t at = s->fixed_at[i];
        for (uint32_t k = 0; !e && k < m->count; k++) {
            struct group *from = m->places[k].group;
            e = a->of->merge(a, (uint8_t *)m->entries[k] + at, group_more(s, m->entries[k], i),
                             (const uint8_t *)from + at, group_more(s, from, i), m->d);
        }
    }
    for (uint32_t k = 0; !e && k < m->count; k++) {
        struct group *to = m->entries[k];
        to->rows += m->places[k].group->rows;
        if (last) to->held += m->places[k].group->held;
        if (s->grows) state_touch(state, to);
    }
    return e;
}

/* Groups of one pane, into each window that holds it and is open. */
static err_t merge_pane(struct merging *m)
{
    const struct plan_window *w = &m->s->plan->window;
    int64_t pane = m->places[0].pane, closed = m->o->graph->watermark;
    err_t e = ERR_OK;
    for (uint32_t k = 0; k < m->count; k++) m->keys[k] = state_key(m->places[k].group);
    if (!m->s->windowed) return merge_window(m, 0, false);
    int64_t first = window_start_of(w, pane) + w->size_ms;
    for (int64_t end = first; !e && end > pane && end > closed; end -= w->slide_ms)
        e = merge_window(m, end, end == first);
    return e;
}

err_t group_part_merge(struct op *o, const struct group_part *p, struct diag *d)
{
    struct group_self *s = o->self;
    struct arena *a = o->graph->arena;
    struct group_place *all = (struct group_place *)(void *)p->entries.items;
    size_t total = p->entries.count;
    struct merging m = {.o = o,
                        .s = s,
                        .keys = arena_take_raw(a, CHUNK_ROWS * sizeof(*m.keys)),
                        .entries = arena_take_raw(a, CHUNK_ROWS * sizeof(*m.entries)),
                        .made = arena_take_raw(a, CHUNK_ROWS),
                        .d = d};
    if (!m.keys || !m.entries || !m.made) return diag_fail(d, ERR_NO_MEMORY, "%zu groups", total);
    bool in_order = true;
    for (size_t i = 1; i < total; i++) in_order &= all[i - 1].pane <= all[i].pane;
    if (!in_order) qsort(all, total, sizeof(*all), by_pane);
    err_t e = ERR_OK;
    for (size_t i = 0, to; !e && i < total; i = to) {
        for (to = i + 1; to < total && to - i < CHUNK_ROWS && all[to].pane == all[i].pane;) to++;
        m.places = all + i;
        m.count = (uint32_t)(to - i);
        e = merge_pane(&m);
    }
    s->part_rows += p->rows;
    s->part_groups += total;
    return e;
}

err_t group_part_end(struct op *o, struct diag *d)
{
    struct group_self *s = o->self;
    struct group_part *p = s->part;
    if (!p) return ERR_OK;
    s->part = NULL;
    err_t e = group_part_merge(o, p, d);
    group_parts_free(p);
    return e;
}

err_t group_part_begin(struct group_self *s, struct diag *d)
{
    return s->part ? ERR_OK : part_make(s, d);
}
