#include "sched/engine_int.h"

#include "base/say.h"

enum { CALLBACKS_AT_ONCE = 1 << 16 };

/* --- events and callbacks ---------------------------------------------------------------------
 */

err_t engine_event(struct engine *e, const char *event, const struct run *r,
                   const struct instance *i, struct slice extra, struct diag *d)
{
    const struct dag_task *t = i ? &r->graph.plan->dag->tasks[i->task] : NULL;
    struct meta_value args[] = {
        meta_int(e->now),
        meta_text(r->row.dag_id),
        t ? meta_text(t->id) : meta_null(),
        meta_text(r->row.run_id),
        i ? meta_int(i->map_index) : meta_null(),
        i ? meta_int(i->try_number) : meta_null(),
        meta_text(slice_of(event)),
        r->row.logical == TIME_NONE ? meta_null() : meta_int(r->row.logical),
        meta_text(SLICE("scheduler")),
        meta_text(extra),
    };
    return meta_run(e->meta, META_EVENT_PUT, args, COUNT_OF(args), NULL, NULL, NULL, d);
}

static err_t take_call_id(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

static err_t put_call(struct engine *e, struct run *r, struct slice what, struct slice context,
                      struct diag *d)
{
    struct call c = {0, arena_slice(e->scratch, what), context};
    struct meta_value args[] = {meta_int(e->now), meta_text(r->row.dag_id), meta_text(what),
                                meta_text(context), meta_text(slice_of(e->o.identity))};
    err_t err = meta_run(e->meta, META_CALLBACK_PUT, args, 5, take_call_id, &c.id, NULL, d);
    if (err) return err;
    return c.what.at ? vec_push(&e->calls, &c) : ERR_NO_MEMORY;
}

static err_t call_context(struct engine *e, struct run *r, const struct instance *i,
                          const char *event, const struct call_why *why, struct slice *out,
                          struct diag *d)
{
    struct doc context;
    err_t err = engine_context(e, r, i, e->scratch, &context, d);
    struct doc_entry more[] = {
        {.name = SLICE("reason"), .value = {.kind = DOC_TEXT, .text = slice_of(why->reason)}},
        {.name = SLICE("event"), .value = {.kind = DOC_TEXT, .text = slice_of(event)}},
        {.name = SLICE("exception"),
         .value = {.kind = why->exception.len ? DOC_TEXT : DOC_NULL, .text = why->exception}}};
    if (err) return err;
    struct doc_entry *all =
        arena_take(e->scratch, ((size_t)context.count + COUNT_OF(more)) * sizeof(*all));
    if (!all) return ERR_NO_MEMORY;
    memcpy(all, context.entries, context.count * sizeof(*all));
    memcpy(all + context.count, more, sizeof(more));
    context.entries = all;
    context.count += COUNT_OF(more);
    struct buf json = buf_make(ORDER_BYTES_MAX);
    doc_put_json(&json, &context);
    *out = arena_slice(e->scratch, buf_view(&json));
    err = json.err ? json.err : out->at ? ERR_OK : ERR_NO_MEMORY;
    buf_done(&json);
    return err;
}

err_t engine_call_back(struct engine *e, struct run *r, const struct instance *i,
                       const struct callbacks *c, enum callback_when when,
                       const struct call_why *why, struct diag *d)
{
    static const char *const NAMES[CALLBACK_TIMES] = {"on_execute_callback", "on_success_callback",
                                                      "on_failure_callback", "on_retry_callback",
                                                      "on_skipped_callback", "sla_miss_callback"};
    struct slice context = {0};
    if (c->count[when] == 0 || (!i && run_is_test(&r->row))) return ERR_OK;
    err_t err = call_context(e, r, i, NAMES[when], why, &context, d);
    for (uint32_t n = 0; n < c->count[when] && !err; n++) {
        struct buf what = buf_make(MIB(1));
        doc_put_json(&what, c->list[when][n].what);
        err = what.err ? what.err : put_call(e, r, buf_view(&what), context, d);
        buf_done(&what);
    }
    return err;
}

/* --- opening ----------------------------------------------------------------------------------
 */

static void defaults(struct engine_options *o)
{
    if (o->parallelism <= 0) o->parallelism = 32;
    if (o->lease_us <= 0) o->lease_us = 30 * INT64_C(1000000);
    if (o->beat_us <= 0) o->beat_us = 5 * INT64_C(1000000);
    if (o->look_us <= 0) o->look_us = 1000000;
}

static err_t open_call(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    struct call c = {row->at[0].number, arena_slice(e->scratch, row->at[2].text),
                     arena_slice(e->scratch, row->at[3].text)};
    return c.what.at && c.context.at ? vec_push(&e->calls, &c) : ERR_NO_MEMORY;
}

err_t engine_job_start(struct engine *e, struct diag *d)
{
    struct job j = {"SchedulerJob", slice_of(e->o.host), slice_of(e->o.identity), e->o.pid};
    return job_start(e->meta, &j, e->now, &e->job, d);
}

/* What this scheduler owned before it died is its own again, under a new token: whoever still holds
 * the old one writes nothing any more. */
static err_t take_over_self(struct engine *e, struct diag *d)
{
    struct meta_value self[] = {meta_text(slice_of(e->o.identity)),
                                meta_text(slice_of(e->o.identity))};
    struct meta_value end[] = {self[0], meta_int(e->now)};
    err_t err = meta_run(e->meta, META_JOBS_OF_NAME_END, end, 2, NULL, NULL, NULL, d);
    if (!err) err = meta_run(e->meta, META_RUNS_TAKE, self, 2, NULL, NULL, NULL, d);
    if (!err) err = engine_job_start(e, d);
    if (!err) err = meta_run(e->meta, META_CALLBACKS_OPEN, self, 1, open_call, e, NULL, d);
    return err ? err : engine_dags_load(e, d);
}

static err_t start(struct engine *e, struct diag *d)
{
    e->now = e->last_wall = e->o.wall_us(e->o.clock);
    e->mono = e->o.mono_us(e->o.clock);
    e->rng = rng_make(e->o.seed);
    e->must_look = e->must_sweep = true;
    e->next_queued_at = INT64_MAX;
    e->next_beat_mono = e->mono + e->o.beat_us;
    e->next_full_mono = e->mono + 30 * INT64_C(1000000);
    err_t err = meta_begin(e->meta, true, d);
    if (!err) err = take_over_self(e, d);
    if (!err) err = meta_commit(e->meta, d);
    if (err)
        meta_rollback(e->meta);
    else
        engine_committed(e);
    return err;
}

err_t engine_open(const struct engine_options *o, struct engine **out, struct diag *d)
{
    struct engine *e = mem_take(sizeof(*e));
    if (!e) return ERR_NO_MEMORY;
    e->o = *o;
    e->meta = o->meta;
    defaults(&e->o);
    gate_init(&e->gate);
    e->runs = map_new(ENGINE_RUNS_MAX);
    e->dags = map_new(ENGINE_DAGS_MAX);
    e->lanes = map_new(ENGINE_DAGS_MAX);
    e->scratch = arena_new(GIB(1));
    e->called_back = vec_make(sizeof(int64_t), CALLBACKS_AT_ONCE);
    e->dirty = vec_make(sizeof(struct run *), ENGINE_RUNS_MAX);
    e->touched = vec_make(sizeof(struct run *), ENGINE_RUNS_MAX);
    e->fresh = vec_make(sizeof(struct order *), GRAPH_INSTANCES_MAX);
    e->scheduled = vec_make(sizeof(struct waiter), GRAPH_INSTANCES_MAX);
    e->calls = vec_make(sizeof(struct call), CALLBACKS_AT_ONCE);
    e->promote = vec_make(sizeof(struct engine_dag *), ENGINE_DAGS_MAX);
    e->timers = vec_make(sizeof(struct timer), ENGINE_TIMERS_MAX);
    e->due = vec_make(sizeof(struct engine_dag *), ENGINE_DAGS_MAX);
    e->open_lanes = vec_make(sizeof(struct lane *), ENGINE_DAGS_MAX);
    e->pools = vec_make(sizeof(struct pool_use), 1 << 16);
    e->others = vec_make(sizeof(struct other_scheduler), 1024);
    e->undo = vec_make(sizeof(struct dag_undo), 4 * ENGINE_DAGS_MAX);
    e->by_data = vec_make(sizeof(struct engine_dag *), ENGINE_DAGS_MAX);
    e->watching = vec_make(sizeof(struct engine_dag *), ENGINE_DAGS_MAX);
    err_t err = e->runs && e->dags && e->lanes && e->scratch ? start(e, d) : ERR_NO_MEMORY;
    if (err)
        engine_close(e);
    else
        *out = e;
    return err;
}

void engine_close(struct engine *e)
{
    struct slice key;
    void *value;
    if (!e) return;
    if (e->job) {
        struct diag d;
        if (job_end(e->meta, e->job, true, e->o.wall_us(e->o.clock), &d))
            say_diag(SAY_SCHED, SAY_WARN, "the scheduler's end is not in the database", &d);
    }
    while (e->orders) engine_order_free(e, e->orders);
    for (size_t at = 0; e->runs && map_next(e->runs, &at, &key, &value);) {
        struct run *r = value;
        graph_done(&r->graph);
        arena_free(r->arena);
        mem_give(r);
    }
    map_free(e->runs);
    engine_lanes_free(e);
    engine_dags_free(e);
    struct vec *all[] = {&e->called_back, &e->dirty,   &e->touched, &e->fresh,   &e->scheduled,
                         &e->calls,       &e->promote, &e->timers,  &e->due,     &e->open_lanes,
                         &e->pools,       &e->others,  &e->undo,    &e->by_data, &e->watching};
    for (size_t i = 0; i < COUNT_OF(all); i++) vec_done(all[i]);
    arena_free(e->scratch);
    gate_done(&e->gate);
    mem_give(e);
}

struct engine_figures engine_figures(const struct engine *e)
{
    struct engine_figures f = e->figures;
    f.runs = (uint32_t)map_count(e->runs);
    f.going_on = e->orders_out;
    return f;
}
