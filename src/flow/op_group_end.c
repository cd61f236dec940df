/* op_group_end: an epoch's end: what closed and what changed is told, what is old goes. */
#include "flow/group.h"

static int64_t behind(int64_t watermark)
{
    return watermark < INT64_MAX ? watermark + 1 : watermark;
}

static err_t tell_closed(void *ctx, void *entry, struct diag *d)
{
    struct group_out *out = ctx;
    const struct group *g = entry;
    bool by_entry = out->o->graph->by_entry;
    if (by_entry && !op_may_close(out->o, GROUP_PART, entry)) return ERR_STOPPED;
    if (g->held) {
        op_count(out->o, TERM_HELD, -g->held);
        op_count(out->o, TERM_APPLIED, g->held);
    }
    err_t e = g->rows ? group_out_add(out, entry, 1, d) : ERR_OK;
    if (!e && by_entry)
        state_remove(((struct group_self *)out->o->self)->states[GROUP_PART], entry);
    return e;
}

static err_t tell_windows(struct group_self *s, struct group_out *out, struct diag *d)
{
    struct state *groups = s->states[GROUP_PART];
    int64_t until = behind(s->watermark);
    if (!s->o->graph->by_entry) return state_each(groups, INT64_MIN, until, tell_closed, out, d);
    return op_cut_ok(s->o, state_each_leaves(groups, until, tell_closed, out, d));
}

static err_t remove_windows(struct group_self *s, struct diag *d)
{
    int64_t until = behind(s->watermark);
    err_t e = op_remove_until(s->o, GROUP_PART, s->states[GROUP_PART], until, d);
    if (!e && !s->o->graph->cut && s->states[DISTINCT_PART])
        e = op_remove_until(s->o, DISTINCT_PART, s->states[DISTINCT_PART], until, d);
    return e;
}

static bool nothing_closes(const struct group_self *s)
{
    int64_t first = state_first(s->states[GROUP_PART]);
    if (s->states[DISTINCT_PART]) first = MIN(first, state_first(s->states[DISTINCT_PART]));
    return first >= behind(s->watermark) && !s->session;
}

err_t op_group_advance(struct op *o, int64_t watermark, struct diag *d)
{
    struct group_self *s = o->self;
    struct group_out out;
    err_t e = group_part_end(o, d);
    if (e) return e;
    s->watermark = watermark;
    if (!s->on_close || watermark == INT64_MIN) return ERR_OK;
    if (nothing_closes(s)) return ERR_OK;
    e = group_out_open(o, CHUNK_ROWS, true, &out, d);
    if (!e) e = s->session ? op_session_close(s, &out, d) : tell_windows(s, &out, d);
    if (!e) e = group_out_emit(&out, d);
    return e || s->session || o->graph->cut ? e : remove_windows(s, d);
}

/* All its rows were taken back, and that was told. */
static err_t remove_empty(struct group_self *s, void *entry, struct diag *d)
{
    const struct group *g = entry;
    void *place = NULL;
    err_t e = ERR_OK;
    if (s->states[INDEX_PART] && g->last)
        e = state_find(s->states[INDEX_PART], round_up(g->last, s->grain) + s->plan->ttl_ms,
                       state_key(entry), false, &place, NULL, d);
    if (place) state_remove(s->states[INDEX_PART], place);
    if (!e) state_remove(s->states[GROUP_PART], entry);
    return e;
}

static err_t tell_changed(void *ctx, void *entry, struct diag *d)
{
    struct group_out *out = ctx;
    struct group_self *s = out->o->self;
    struct group *g = entry;
    bool the_one = !s->windowed && !s->plan->key_count; /* which may be empty */
    if (g->rows == 0 && !the_one) return remove_empty(s, entry, d);
    err_t e = group_out_add(out, entry, 1, d);
    g->told = out->told;
    return e;
}

static err_t tell_all(void *ctx, void *entry, struct diag *d)
{
    struct group_out *out = ctx;
    const struct group *g = entry;
    return g->rows ? group_out_add(out, entry, 1, d) : ERR_OK;
}

static err_t remove_unused(void *ctx, void *entry, struct diag *d)
{
    struct group_self *s = ctx;
    (void)d;
    if (((const struct counted *)entry)->count == 0) state_remove(s->states[DISTINCT_PART], entry);
    return ERR_OK;
}

/* A group nobody touched for so long is forgotten, and not told so: what it was stays. */
static err_t forget_one(void *ctx, void *entry, struct diag *d)
{
    struct group_self *s = ctx;
    void *group;
    bool by_entry = s->o->graph->by_entry;
    if (by_entry && !op_may_close(s->o, INDEX_PART, entry)) return ERR_STOPPED;
    err_t e = state_find(s->states[GROUP_PART], 0, state_key(entry), false, &group, NULL, d);
    if (!e && group) state_remove(s->states[GROUP_PART], group);
    if (!e && by_entry) state_remove(s->states[INDEX_PART], entry);
    return e;
}

static err_t forget_old(struct group_self *s, struct diag *d)
{
    const struct op *o = s->o;
    struct state *index = s->states[INDEX_PART];
    bool timed = o->node->inputs[0]->time >= 0 || s->watermark != INT64_MIN;
    int64_t until = behind(timed ? s->watermark : o->graph->x.now_ms);
    if (o->graph->by_entry) return op_cut_ok(o, state_each_leaves(index, until, forget_one, s, d));
    err_t e = state_each(index, INT64_MIN, until, forget_one, s, d);
    return e ? e : state_remove_until(index, until, d);
}

/* Without keys there is one group even of no rows. */
static err_t make_the_one(struct group_self *s, struct group_out *out, struct diag *d)
{
    void *entry;
    bool made;
    err_t e = state_find(s->states[GROUP_PART], 0, (struct slice){0}, true, &entry, &made, d);
    return e ? e : group_out_add(out, entry, 1, d);
}

static err_t tell_the_end(struct op *o, struct group_out *out, struct diag *d)
{
    struct group_self *s = o->self;
    if (!s->windowed && !s->plan->key_count) return make_the_one(s, out, d);
    return state_each(s->states[GROUP_PART], INT64_MIN, INT64_MAX, tell_all, out, d);
}

err_t op_group_flush(struct op *o, bool end, struct diag *d)
{
    struct group_self *s = o->self;
    struct group_out out;
    err_t e = group_part_end(o, d);
    if (e || (o->graph->o.bounded && !end)) return e;
    bool changed = state_stats(s->states[GROUP_PART]).touched > 0;
    if (!s->on_close && (changed || o->graph->o.bounded)) {
        e = group_out_open(o, CHUNK_ROWS, true, &out, d);
        if (!e && o->graph->o.bounded)
            e = tell_the_end(o, &out, d);
        else if (!e)
            e = state_each_touched(s->states[GROUP_PART], tell_changed, &out, d);
        if (!e) e = group_out_emit(&out, d);
    }
    if (e || o->graph->o.bounded) return e;
    if (s->states[DISTINCT_PART])
        e = state_each_touched(s->states[DISTINCT_PART], remove_unused, s, d);
    if (!e && !s->on_close && s->windowed)
        e = s->session ? op_session_close(s, NULL, d) : remove_windows(s, d);
    if (!e && s->states[INDEX_PART] && !s->session) e = forget_old(s, d);
    return e;
}

err_t op_group_write(struct op *o, struct store_write *w, struct diag *d)
{
    struct group_self *s = o->self;
    err_t e = ERR_OK;
    for (int i = 0; !e && i < GROUP_PARTS; i++)
        if (s->states[i]) e = state_write(s->states[i], w, d);
    return e;
}

void op_group_kept(struct op *o)
{
    struct group_self *s = o->self;
    group_part_learn(s);
    for (int i = 0; i < GROUP_PARTS; i++)
        if (s->states[i]) state_kept(s->states[i]);
}

void op_group_forget(struct op *o)
{
    struct group_self *s = o->self;
    group_parts_free(s->part);
    s->part = NULL;
    s->part_rows = s->part_groups = 0;
    for (int i = 0; i < GROUP_PARTS; i++)
        if (s->states[i]) state_forget(s->states[i]);
}

void op_group_tell(const struct op *o, struct state_stats *out)
{
    const struct group_self *s = o->self;
    *out = (struct state_stats){0};
    for (int i = 0; i < GROUP_PARTS; i++) {
        if (!s->states[i]) continue;
        struct state_stats one = state_stats(s->states[i]);
        out->entries += one.entries;
        out->in_memory += one.in_memory;
        out->touched += one.touched;
        out->bytes += one.bytes;
    }
}
