#include "sched/engine_int.h"

#include "base/say.h"

/* --- one instance moves without a work --------------------------------------------------------
 */

err_t engine_move(struct engine *e, struct run *r, uint32_t place, enum task_state to,
                  const char *why, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    const char *name = task_state_name(to);
    err_t err = engine_touch(e, r, d);
    if (err) return err;
    struct meta_value args[] = {
        meta_int(r->row.id),
        meta_text(t->id),
        meta_int(i->map_index),
        name ? meta_text(slice_of(name)) : meta_null(),
        to == TASK_NONE ? meta_null() : meta_int(e->now),
        why ? meta_text(slice_of(why)) : meta_null(),
    };
    err = meta_run(e->meta, META_TASK_MOVE, args, COUNT_OF(args), NULL, NULL, NULL, d);
    graph_set(&r->graph, place, to);
    struct call_why skipped = {"skipped", slice_of(why)};
    if (!err && to == TASK_SKIPPED)
        err = engine_call_back(e, r, i, &t->callbacks, ON_SKIPPED, &skipped, d);
    return err;
}

/* --- earlier runs ----------------------------------------------------------------------------- */

struct past {
    struct arena *arena;
    struct run_row row;
    bool found;
    uint32_t instances, unsuccessful;
};

static err_t past_run(void *ctx, const struct meta_row *row)
{
    struct past *p = ctx;
    p->found = true;
    return run_row_read(row, p->arena, &p->row);
}

static err_t past_state(void *ctx, const struct meta_row *row)
{
    struct past *p = ctx;
    struct slice state = row->at[0].kind == META_NULL ? (struct slice){0} : row->at[0].text;
    p->instances++;
    if (!slice_is(state, "success") && !slice_is(state, "skipped")) p->unsuccessful++;
    return ERR_OK;
}

static err_t past_any(void *ctx, const struct meta_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return ERR_OK;
}

static err_t count_past(struct engine *e, struct past *p, struct slice task_id, struct diag *d)
{
    struct meta_value args[] = {meta_int(p->row.id), meta_text(task_id)};
    return meta_run(e->meta, META_TASK_STATES_OF, args, 2, past_state, p, NULL, d);
}

/* Is the task, in the run before, as depends_on_past and wait_for_downstream want it? */
static err_t past_fits(struct engine *e, struct run *r, const struct dag_task *t, bool *fits,
                       struct diag *d)
{
    const struct dag *g = r->graph.plan->dag;
    struct past p = {.arena = e->scratch};
    struct meta_value args[] = {meta_text(r->row.dag_id), meta_int(r->row.logical),
                                meta_text(t->id)};
    *fits = true;
    if (r->row.logical == TIME_NONE) return ERR_OK;
    err_t err = meta_run(e->meta, g->catchup ? META_RUN_BEFORE_NOT_MANUAL : META_RUN_BEFORE, args,
                         2, past_run, &p, NULL, d);
    if (err || !p.found || (g->catchup && p.row.logical < g->start_us)) return err;
    err = count_past(e, &p, t->id, d);
    if (err) return err;
    if (p.instances == 0) {
        bool ever = false;
        if (t->ignore_first_depends_on_past)
            err = meta_run(e->meta, META_TASK_EVER, args, 3, past_any, &ever, NULL, d);
        *fits = t->ignore_first_depends_on_past && !ever;
        return err;
    }
    for (uint32_t i = 0;
         !err && p.unsuccessful == 0 && t->wait_for_downstream && i < t->downstream_count; i++)
        err = count_past(e, &p, g->tasks[t->downstream[i]].id, d);
    *fits = p.unsuccessful == 0;
    return err;
}

static err_t waits_for_past(struct engine *e, struct run *r, uint32_t place, bool *waits,
                            struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    *waits = false;
    if (!t->depends_on_past && !t->wait_for_downstream) return ERR_OK;
    if (i->past_met) return ERR_OK;
    bool fits;
    err_t err = past_fits(e, r, t, &fits, d);
    if (err) return err;
    i->past_met = fits;
    *waits = !fits;
    if (fits) return ERR_OK;
    struct waiter w = {r->row.id, r->generation, place};
    return vec_push(&r->of->past, &w);
}

/* --- what the rules say of one instance -------------------------------------------------------
 */

static err_t done_at_once(struct engine *e, struct run *r, uint32_t place, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    err_t err = engine_touch(e, r, d);
    if (err) return err;
    i->try_number++;
    struct meta_value args[] = {meta_int(r->row.id), meta_text(t->id), meta_int(i->map_index),
                                meta_int(i->try_number), meta_int(e->now)};
    err = meta_run(e->meta, META_TASK_DONE_AT_ONCE, args, 5, NULL, NULL, NULL, d);
    struct meta_value tried[] = {meta_int(r->row.id),
                                 meta_text(t->id),
                                 meta_int(i->map_index),
                                 meta_int(i->try_number),
                                 meta_int(e->now),
                                 meta_text(slice_of(e->o.host)),
                                 meta_text(slice_of(t->kind->operator_name))};
    if (!err) err = meta_run(e->meta, META_TRY_AT_ONCE, tried, 7, NULL, NULL, NULL, d);
    graph_set(&r->graph, place, TASK_SUCCESS);
    e->decided[ENDED_TASK_WELL]++;
    return err;
}

static bool has_no_work(const struct dag_task *t)
{
    return t->kind->id == KIND_empty && !t->callbacks.count[ON_EXECUTE] &&
           !t->callbacks.count[ON_SUCCESS] && !t->outlet_count;
}

static err_t step(struct engine *e, struct run *r, uint32_t place, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    if (!task_state_waiting((enum task_state)i->state)) return ERR_OK;
    if (i->not_before != TIME_NONE && i->not_before > e->mono) return ERR_OK;
    bool alone = run_is_test(&r->row); /* what stands before it does not count */
    /* A sensor that looks again has passed the rules; its upstreams may have been cleared since. */
    struct rule_verdict v =
        alone ? (struct rule_verdict){TASK_NONE, true} : graph_judge(&r->graph, place);
    bool waits = false, expanded = false;
    if (v.become != TASK_NONE) return engine_move(e, r, place, v.become, NULL, d);
    if (!v.passes) return ERR_OK;
    err_t err = alone ? ERR_OK : waits_for_past(e, r, place, &waits, d);
    if (err || waits) return err;
    if (t->expand && i->state != TASK_UP_FOR_RESCHEDULE)
        err = engine_expand(e, r, place, &expanded, d);
    if (expanded && !err) graph_consider(&r->graph, place);
    if (err || expanded) return err;
    i = graph_at(&r->graph, place);
    if (!task_state_waiting((enum task_state)i->state)) return ERR_OK;
    return has_no_work(t) ? done_at_once(e, r, place, d) : engine_ready(e, r, place, d);
}

/* --- the run ----------------------------------------------------------------------------------
 */

static err_t end_run(struct engine *e, struct run *r, enum run_state state, const char *reason,
                     struct diag *d)
{
    err_t err = engine_touch(e, r, d);
    if (err) return err;
    struct meta_value args[] = {meta_int(r->row.id), meta_text(slice_of(run_state_name(state))),
                                meta_int(e->now)};
    err = meta_run(e->meta, META_RUN_END, args, 3, NULL, NULL, NULL, d);
    r->row.state = state;
    r->row.ended_at = e->now;
    r->ended = true;
    e->figures.runs_ended++;
    e->decided[state == RUN_SUCCESS ? ENDED_RUN_WELL : ENDED_RUN_FAILED]++;
    if (state == RUN_FAILED)
        (void)slice_to_cstr(r->row.dag_id, e->figures.failed_dag, sizeof(e->figures.failed_dag));
    say_info(SAY_SCHED, "run ended", "dag=%.*s run=%.*s state=%s reason=%s",
             SLICE_ARG(r->row.dag_id), SLICE_ARG(r->row.run_id), run_state_name(state), reason);
    if (!err)
        err = engine_event(e, state == RUN_SUCCESS ? "run_success" : "run_failed", r, NULL,
                           slice_of(reason), d);
    struct call_why why = {reason, state == RUN_SUCCESS ? (struct slice){0} : slice_of(reason)};
    if (!err)
        err = engine_call_back(e, r, NULL, &r->graph.plan->dag->callbacks,
                               state == RUN_SUCCESS ? ON_SUCCESS : ON_FAILURE, &why, d);
    return err ? err : engine_run_is_over(e, r, d);
}

err_t engine_settle(struct engine *e, struct run *r, struct diag *d)
{
    uint32_t place;
    err_t err = ERR_OK;
    while (!err && graph_next(&r->graph, &place)) err = step(e, r, place, d);
    if (!err && r->graph.broken)
        err = diag_fail(d, ERR_NO_MEMORY, "run %lld", (long long)r->row.id);
    if (err) return err;
    switch (graph_end(&r->graph)) {
    case GRAPH_GOES_ON: return ERR_OK;
    case GRAPH_SUCCESS: return end_run(e, r, RUN_SUCCESS, "success", d);
    case GRAPH_FAILED: return end_run(e, r, RUN_FAILED, "task_failure", d);
    case GRAPH_DEADLOCK: break;
    }
    say_warn(SAY_SCHED, "no task of a run can run any more", "dag=%.*s run=%.*s",
             SLICE_ARG(r->row.dag_id), SLICE_ARG(r->row.run_id));
    return end_run(e, r, RUN_FAILED, "all_tasks_deadlocked", d);
}

err_t engine_run_times_out(struct engine *e, struct run *r, struct diag *d)
{
    size_t count = r->graph.instances.count;
    err_t err = engine_touch(e, r, d);
    for (uint32_t place = 0; place < count && !err; place++) {
        struct instance *i = graph_at(&r->graph, place);
        if (task_state_finished((enum task_state)i->state)) continue;
        err = engine_move(e, r, place, TASK_SKIPPED, "the run took longer than dagrun_timeout", d);
    }
    return err ? err : end_run(e, r, RUN_FAILED, "timed_out", d);
}

/* Not done in the time that `slo: {deadline: …}` gives it: said once, and the run goes on. */
err_t engine_run_deadline(struct engine *e, struct run *r, struct diag *d)
{
    const struct dag *g = r->graph.plan->dag;
    r->deadline_at_mono = INT64_MAX;
    say_warn(SAY_SCHED, "a run misses its deadline", "dag=%.*s run=%.*s", SLICE_ARG(r->row.dag_id),
             SLICE_ARG(r->row.run_id));
    err_t err = engine_touch(e, r, d);
    if (!err) err = engine_event(e, "sla_miss", r, NULL, SLICE("deadline"), d);
    struct call_why why = {"sla_miss", SLICE("the run takes longer than its deadline")};
    if (!err) err = engine_call_back(e, r, NULL, &g->callbacks, ON_SLA, &why, d);
    return err;
}
