#include "sched/engine_int.h"

/* --- runs after data has changed --------------------------------------------------------------
 */

struct changed {
    struct engine_dag *of;
    uint32_t named; /* how many of those it waits for have changed */
    int64_t first, last;
};

static err_t take_change(void *ctx, const struct meta_row *row)
{
    struct changed *c = ctx;
    const struct schedule *s = &c->of->dag->schedule;
    int64_t first = row->at[1].number, last = row->at[2].number;
    bool wanted = false;
    for (uint32_t i = 0; i < s->after_count && !wanted; i++)
        wanted = slice_equal(s->after[i], row->at[0].text);
    if (!wanted) return ERR_OK;
    c->first = c->named ? MIN(c->first, first) : first;
    c->last = c->named ? MAX(c->last, last) : last;
    c->named++;
    return ERR_OK;
}

/* Which events have started it, and that they wait for nothing any more. */
static err_t take_events(struct engine *e, const struct engine_dag *of, int64_t run, struct diag *d)
{
    const struct schedule *s = &of->dag->schedule;
    struct meta_value args[] = {meta_text(of->id), meta_int(run), meta_null()};
    err_t err = ERR_OK;
    for (uint32_t i = 0; i < s->after_count && !err; i++) {
        args[2] = meta_text(s->after[i]);
        err = meta_run(e->meta, META_ASSET_EVENTS_OF_RUN_PUT, args, 3, NULL, NULL, NULL, d);
    }
    return err ? err : meta_run(e->meta, META_ASSET_QUEUE_CLEAR, args, 1, NULL, NULL, NULL, d);
}

static err_t make_after(struct engine *e, struct engine_dag *of, struct diag *d)
{
    const struct schedule *s = &of->dag->schedule;
    struct changed c = {.of = of};
    struct meta_value args[] = {meta_text(of->id)};
    bool found = false;
    int64_t run = 0;
    err_t err = engine_dag_read(e, of, true, &found, d);
    if (err || !found || of->paused) return err;
    err = meta_run(e->meta, META_ASSET_QUEUE_OF, args, 1, take_change, &c, NULL, d);
    if (err || c.named == 0 || (!s->after_any && c.named < s->after_count)) return err;
    struct new_run n = {RUN_ASSET_TRIGGERED, c.last, c.first, c.last, "asset"};
    for (int tries = 0; tries < 100 && !run && !err; tries++) {
        err = engine_make_run(e, of, &n, &run, d);
        n.logical++; /* one at that very microsecond is there */
    }
    return err || !run ? err : take_events(e, of, run, d); /* without a run they go on waiting */
}

static err_t take_waiting(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    struct engine_dag *of = engine_dag_find(e, row->at[0].text);
    if (!of || !of->dag || of->gone || of->paused) return ERR_OK;
    return of->dag->schedule.kind == SCHEDULE_DATA ? vec_push(&e->by_data, &of) : ERR_OK;
}

err_t engine_make_by_data(struct engine *e, struct diag *d)
{
    vec_clear(&e->by_data);
    err_t err = meta_run(e->meta, META_ASSET_QUEUE_DAGS, NULL, 0, take_waiting, e, NULL, d);
    if (err || e->by_data.count == 0) return err;
    err = meta_begin(e->meta, true, d);
    for (size_t i = 0; i < e->by_data.count && !err; i++)
        err = make_after(e, *(struct engine_dag **)vec_at(&e->by_data, i), d);
    if (!err) err = meta_commit(e->meta, d);
    if (err)
        engine_undone(e);
    else
        engine_committed(e);
    return err;
}

/* --- data that a task changes -----------------------------------------------------------------
 */

static bool waits_for(const struct engine_dag *of, struct slice name)
{
    if (of->gone || of->paused || !of->dag || of->dag->schedule.kind != SCHEDULE_DATA) return false;
    for (uint32_t i = 0; i < of->dag->schedule.after_count; i++)
        if (slice_equal(of->dag->schedule.after[i], name)) return true;
    return false;
}

static err_t take_event_id(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

static err_t data_changed(struct engine *e, const struct run *r, const struct instance *i,
                          const struct dag_outlet *o, struct diag *d)
{
    int64_t asset, event = 0;
    struct slice key;
    void *value;
    err_t err = asset_put(e->meta, o->kind, o->name, e->now, &asset, d);
    struct meta_value args[] = {
        meta_text(o->kind),    meta_text(o->name),
        meta_int(e->now),      meta_null(),
        meta_int(r->row.id),   meta_text(r->graph.plan->dag->tasks[i->task].id),
        meta_int(i->map_index)};
    if (!err)
        err = meta_run(e->meta, META_ASSET_EVENT_PUT, args, 7, take_event_id, &event, NULL, d);
    for (size_t at = 0; !err && map_next(e->dags, &at, &key, &value);) {
        struct engine_dag *of = value;
        if (!waits_for(of, o->name)) continue;
        struct meta_value queue[] = {meta_text(of->id), meta_text(o->name), meta_text(o->kind),
                                     meta_int(e->now), meta_int(event)};
        err = meta_run(e->meta, META_ASSET_QUEUE_PUT, queue, 5, NULL, NULL, NULL, d);
        e->must_look = true;
    }
    return err;
}

err_t engine_outlets(struct engine *e, const struct run *r, const struct instance *i,
                     struct diag *d)
{
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    err_t err = ERR_OK;
    for (uint32_t n = 0; n < t->outlet_count && !err; n++)
        err = data_changed(e, r, i, &t->outlets[n], d);
    return err;
}

err_t engine_data_declare(struct engine *e, const struct dag *g, struct diag *d)
{
    err_t err = ERR_OK;
    for (uint32_t t = 0; t < g->task_count; t++)
        for (uint32_t n = 0; n < g->tasks[t].outlet_count && !err; n++)
            err = asset_declare(e->meta, g->tasks[t].outlets[n].kind, g->tasks[t].outlets[n].name,
                                e->now, d);
    for (uint32_t i = 0; i < g->schedule.after_count && !err; i++)
        err = asset_declare(e->meta, SLICE("asset"), g->schedule.after[i], e->now, d);
    return err;
}
