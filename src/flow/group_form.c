/* What a group's entry is: its layout, its bytes on the store, and which plans can not be kept so.
 */
#include "flow/group.h"

/* --- entries ------------------------------------------------------------------------------------
 */

static void group_put(void *ctx, const void *entry, struct buf *out)
{
    const struct group_self *s = ctx;
    const struct group *g = entry;
    const int64_t head[] = {g->rows, g->held, g->last, g->start, g->end, (int64_t)g->told};
    for (size_t i = 0; i < COUNT_OF(head); i++) buf_varint(out, head[i]);
    for (uint32_t i = 0; i < s->plan->aggregate_count; i++) {
        const struct agg_more *m = group_more(s, entry, i);
        buf_put(out, (const uint8_t *)entry + s->fixed_at[i], s->aggregates[i].of->size);
        if (m) bytes_put(out, slice_make(m->at, m->len));
    }
}

static err_t group_take(void *ctx, void *entry, struct slice value)
{
    const struct group_self *s = ctx;
    struct group *g = entry;
    struct cursor c = cursor_of(value);
    int64_t *const head[] = {&g->rows, &g->held, &g->last, &g->start, &g->end};
    for (size_t i = 0; i < COUNT_OF(head); i++) *head[i] = cursor_varint(&c);
    g->told = (uint64_t)cursor_varint(&c);
    for (uint32_t i = 0; i < s->plan->aggregate_count; i++) {
        struct agg_more *m = group_more(s, entry, i);
        struct slice fixed = cursor_slice(&c, s->aggregates[i].of->size);
        if (c.err) return ERR_CORRUPT;
        memcpy((uint8_t *)entry + s->fixed_at[i], fixed.at, fixed.len);
        struct slice more = m ? bytes_take(&c) : (struct slice){0};
        if (!more.len) continue;
        err_t e = agg_more_room(m, more.len);
        if (e) return e;
        memcpy(m->at, more.at, more.len);
    }
    return c.err || cursor_left(&c) ? ERR_CORRUPT : ERR_OK;
}

static void group_done(void *ctx, void *entry)
{
    const struct group_self *s = ctx;
    for (uint32_t i = 0; i < s->plan->aggregate_count; i++)
        if (s->more_at[i]) agg_more_done(group_more(s, entry, i));
}

static size_t group_holds(void *ctx, const void *entry)
{
    const struct group_self *s = ctx;
    size_t bytes = 0;
    for (uint32_t i = 0; i < s->plan->aggregate_count; i++)
        if (s->more_at[i]) bytes += group_more(s, entry, i)->cap;
    return bytes;
}

static void counted_put(void *ctx, const void *entry, struct buf *out)
{
    (void)ctx;
    buf_varint(out, ((const struct counted *)entry)->count);
}

static err_t counted_take(void *ctx, void *entry, struct slice value)
{
    struct cursor c = cursor_of(value);
    (void)ctx;
    ((struct counted *)entry)->count = cursor_varint(&c);
    return c.err || cursor_left(&c) ? ERR_CORRUPT : ERR_OK;
}

/* Groups by the time when they are forgotten: the key is all. */
static void nothing_put(void *ctx, const void *entry, struct buf *out)
{
    (void)ctx, (void)entry, (void)out;
}

static err_t nothing_take(void *ctx, void *entry, struct slice value)
{
    (void)ctx, (void)entry;
    return value.len ? ERR_CORRUPT : ERR_OK;
}

/* --- which plan, and where each aggregate's memory stands ----------------------------------------
 */

static err_t not_yet(struct op *o, const char *what, struct diag *d)
{
    return diag_fail(d, ERR_UNSUPPORTED, "'%.*s': %s", SLICE_ARG(o->graph->o.name), what);
}

err_t group_check_plan(struct op *o, const struct group_self *s, struct diag *d)
{
    const struct plan_group *p = s->plan;
    bool distinct = false;
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        const struct plan_aggregate *a = &p->aggregates[i];
        distinct |= group_is_distinct(a);
        if (p->takes_back && !(a->of->flags & AGG_BACK)) {
            diag_fail(d, ERR_UNSUPPORTED, "'%.*s': %.*s over rows that change",
                      SLICE_ARG(o->graph->o.name), SLICE_ARG(a->text));
            return diag_hint(d, "%s can not take a row back", a->of->name);
        }
    }
    if (s->session && p->takes_back) return not_yet(o, "SESSION over rows that change", d);
    if (s->session && distinct) return not_yet(o, "DISTINCT aggregates of a SESSION", d);
    if (p->ttl_ms > 0 && !s->windowed && distinct && !o->graph->o.bounded)
        return not_yet(o, "DISTINCT aggregates of groups with a ttl", d);
    if (s->on_close && !s->windowed) return not_yet(o, "EMIT ON WINDOW CLOSE without a window", d);
    const struct plan_window *w = &p->window;
    if (w->kind != WINDOW_NONE && !s->session &&
        (w->slide_ms <= 0 || w->size_ms <= 0 || w->size_ms / w->slide_ms > GROUP_WINDOWS_MAX))
        return diag_fail(d, ERR_RANGE, "'%.*s': a row in more than %d windows",
                         SLICE_ARG(o->graph->o.name), GROUP_WINDOWS_MAX);
    return ERR_OK;
}

err_t group_lay_out(struct op *o, struct group_self *s, struct diag *d)
{
    const struct plan_group *p = s->plan;
    struct arena *a = o->graph->texts;
    uint32_t at = sizeof(struct group);
    s->aggregates = arena_take(a, (p->aggregate_count + 1) * sizeof(*s->aggregates));
    s->fixed_at = arena_take(a, (p->aggregate_count + 1) * sizeof(*s->fixed_at));
    s->more_at = arena_take(a, (p->aggregate_count + 1) * sizeof(*s->more_at));
    s->key_texts = arena_take(a, (p->key_count + 1) * sizeof(*s->key_texts));
    s->argument_texts = arena_take(a, (p->aggregate_count + 1) * sizeof(*s->argument_texts));
    if (!s->aggregates || !s->fixed_at || !s->more_at || !s->key_texts || !s->argument_texts)
        return diag_fail(d, ERR_NO_MEMORY, "'%.*s'", SLICE_ARG(o->graph->o.name));
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        s->aggregates[i] = p->aggregates[i];
        s->aggregates[i].takes_back = p->takes_back;
        s->argument_texts[i] = p->aggregates[i].text;
        s->fixed_at[i] = at;
        at += (s->aggregates[i].of->size + 7) & ~7u;
    }
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        if (!aggregate_grows(&s->aggregates[i])) continue;
        s->grows = true;
        s->more_at[i] = at;
        at += (uint32_t)sizeof(struct agg_more);
    }
    s->fixed_keys = true;
    for (uint32_t i = 0; i < p->key_count; i++) {
        uint32_t size = 0;
        s->key_texts[i] = op_print(o, p->keys[i]);
        s->fixed_keys &= group_key_is_fixed(expr_type(p->keys[i]), &size);
        s->key_size += size;
    }
    s->forms[GROUP_PART] = (struct state_form){
        at, group_put, group_take, s->grows ? group_done : NULL, s->grows ? group_holds : NULL};
    s->forms[DISTINCT_PART] =
        (struct state_form){sizeof(struct counted), counted_put, counted_take, NULL, NULL};
    s->forms[INDEX_PART] = s->session
                               ? op_session_index
                               : (struct state_form){1, nothing_put, nothing_take, NULL, NULL};
    return ERR_OK;
}
