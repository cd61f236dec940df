/* Runs after data has changed, and the changes that tasks make. */
#include "sched/engine_int.h"

/* --- what waits for a run -----------------------------------------------------------------------
 */

struct changes {
    struct engine *e;
    const struct schedule *s;
    struct data_queued *q;
};

static err_t take_change(void *ctx, const struct meta_row *row)
{
    struct changes *c = ctx;
    struct data_queued *q = c->q;
    struct slice kind = row->at[0].text, name = row->at[1].text;
    int64_t at = row->at[2].number;
    bool meant = false;
    for (uint32_t i = 0; i < c->s->after_count; i++) {
        if (!data_name_means(&c->s->after[i], kind, name)) continue;
        q->met_count += !q->met[i];
        q->met[i] = meant = true;
    }
    if (!meant) return ERR_OK;
    struct data_name n = {arena_slice(c->e->scratch, kind), arena_slice(c->e->scratch, name)};
    q->first = q->names.count ? MIN(q->first, at) : at;
    q->last = q->names.count ? MAX(q->last, at) : at;
    return n.kind.at && n.name.at ? vec_push(&q->names, &n) : ERR_NO_MEMORY;
}

err_t engine_data_queued(struct engine *e, const struct engine_dag *of, struct data_queued *out,
                         struct diag *d)
{
    const struct schedule *s = &of->dag->schedule;
    struct changes c = {e, s, out};
    struct meta_value args[] = {meta_text(of->id)};
    *out = (struct data_queued){.names = vec_make(sizeof(struct data_name), ENGINE_DAGS_MAX),
                                .met = arena_take(e->scratch, MAX(s->after_count, 1u))};
    if (!out->met) return ERR_NO_MEMORY;
    err_t err = meta_run(e->meta, META_ASSET_QUEUE_OF, args, 1, take_change, &c, NULL, d);
    out->enough =
        s->after_any ? out->met_count > 0 : out->met_count > 0 && out->met_count == s->after_count;
    return err;
}

/* --- runs after data has changed --------------------------------------------------------------
 */

/* Which events have started it, and that they wait for nothing any more. */
static err_t take_events(struct engine *e, const struct engine_dag *of, const struct data_queued *q,
                         int64_t run, struct diag *d)
{
    struct meta_value args[] = {meta_text(of->id), meta_int(run), meta_null(), meta_null()};
    err_t err = ERR_OK;
    for (size_t i = 0; i < q->names.count && !err; i++) {
        const struct data_name *n = vec_at(&q->names, i);
        args[2] = meta_text(n->name);
        args[3] = meta_text(n->kind);
        err = meta_run(e->meta, META_ASSET_EVENTS_OF_RUN_PUT, args, 4, NULL, NULL, NULL, d);
    }
    return err ? err : meta_run(e->meta, META_ASSET_QUEUE_CLEAR, args, 1, NULL, NULL, NULL, d);
}

/* Who waits for what changes all the time gets no heap of runs: the next is made when there is room
 * for it, for all changes until then. */
static err_t has_room(struct engine *e, const struct engine_dag *of, bool *room, struct diag *d)
{
    int64_t active = 0, most = of->dag->max_active_runs;
    *room = true;
    if (!of->dag->schedule.looks || most <= 0) return ERR_OK;
    err_t err = engine_runs_unfinished(e, of, &active, d);
    *room = active < most;
    return err;
}

static err_t make_now(struct engine *e, struct engine_dag *of, const struct data_queued *q,
                      struct diag *d)
{
    int64_t run = 0;
    err_t err = ERR_OK;
    struct new_run n = {RUN_ASSET_TRIGGERED, q->last, q->first, q->last, "asset"};
    engine_watch_making(e, of);
    for (int tries = 0; tries < 100 && !run && !err; tries++) {
        err = engine_make_run(e, of, &n, &run, d);
        n.logical++; /* one at that very microsecond is there */
    }
    if (err || !run) return err; /* without a run they go on waiting */
    err = take_events(e, of, q, run, d);
    return err ? err : engine_watch_made(e, of, d);
}

static err_t make_after(struct engine *e, struct engine_dag *of, void *ctx, struct diag *d)
{
    (void)ctx;
    struct data_queued q;
    bool found = false, room = false;
    err_t err = engine_dag_read(e, of, true, &found, d);
    if (err || !found || of->paused) return err;
    err = engine_watch_last(e, of, d); /* another scheduler may have been faster */
    if (err || engine_watch_holds(e, of)) return err;
    err = engine_data_queued(e, of, &q, d);
    if (!err && q.enough) err = has_room(e, of, &room, d);
    if (!err && room) err = make_now(e, of, &q, d);
    vec_done(&q.names);
    return err;
}

static err_t take_waiting(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    struct engine_dag *of = engine_dag_find(e, row->at[0].text);
    if (!of || !of->dag || of->gone || of->paused) return ERR_OK;
    if (of->dag->schedule.kind != SCHEDULE_DATA || engine_watch_holds(e, of)) return ERR_OK;
    return vec_push(&e->by_data, &of);
}

err_t engine_by_data_write(struct engine *e, engine_dag_write *write, void *ctx, struct diag *d)
{
    err_t err = meta_begin(e->meta, true, d);
    for (size_t i = 0; i < e->by_data.count && !err; i++)
        err = write(e, *(struct engine_dag **)vec_at(&e->by_data, i), ctx, d);
    if (!err) err = meta_commit(e->meta, d);
    if (err)
        engine_undone(e);
    else
        engine_committed(e);
    return err;
}

err_t engine_make_by_data(struct engine *e, struct diag *d)
{
    vec_clear(&e->by_data);
    err_t err = meta_run(e->meta, META_ASSET_QUEUE_DAGS, NULL, 0, take_waiting, e, NULL, d);
    if (err || e->by_data.count == 0) return err;
    err = engine_by_data_write(e, make_after, NULL, d);
    for (size_t i = 0; i < e->by_data.count; i++)
        engine_watch_done(e, *(struct engine_dag **)vec_at(&e->by_data, i), !err);
    return err;
}

/* --- data that a task changes -----------------------------------------------------------------
 */

static err_t data_changed(struct engine *e, const struct run *r, const struct instance *i,
                          const struct data_name *n, struct diag *d)
{
    int64_t event = 0;
    struct slice key;
    void *value;
    char kind[16];
    if (!slice_to_cstr(n->kind, kind, sizeof(kind))) return ERR_INVALID;
    struct asset_change c = {.kind = kind,
                             .name = n->name,
                             .source_run = r->row.id,
                             .source_task = r->graph.plan->dag->tasks[i->task].id,
                             .source_map = i->map_index};
    err_t err = asset_changed(e->meta, &c, e->now, &event, d);
    for (size_t at = 0; !err && map_next(e->dags, &at, &key, &value);) {
        const struct engine_dag *of = value;
        if (of->gone || of->paused || !of->dag) continue;
        int32_t which = schedule_waits_for(&of->dag->schedule, n->kind, n->name);
        if (which < 0 || engine_watch_sees(e, &of->dag->schedule.after[which])) continue;
        err = asset_queue_put(e->meta, of->id, &c, event, e->now, d);
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

static err_t declare(struct engine *e, const struct data_name *list, uint32_t count, struct diag *d)
{
    err_t err = ERR_OK;
    for (uint32_t i = 0; i < count && !err; i++)
        err = asset_declare(e->meta, list[i].kind, list[i].name, e->now, d);
    return err;
}

err_t engine_data_declare(struct engine *e, const struct dag *g, struct diag *d)
{
    err_t err = ERR_OK;
    for (uint32_t t = 0; t < g->task_count && !err; t++)
        err = declare(e, g->tasks[t].outlets, g->tasks[t].outlet_count, d);
    return err ? err : declare(e, g->schedule.after, g->schedule.after_count, d);
}
