#include "sched/engine_int.h"

#include "base/say.h"

#include <stdlib.h>

/* --- results ----------------------------------------------------------------------------------
 */

static err_t put_xcom(struct engine *e, struct run *r, const struct instance *i, const char *name,
                      struct slice value, struct diag *d)
{
    struct xcom_key k = {r->row.id, r->graph.plan->dag->tasks[i->task].id, slice_of(name),
                         i->map_index};
    return xcom_put(e->meta, &k, value, e->now, d);
}

static bool names_task(const struct doc *expand, struct slice id)
{
    if (!expand) return false;
    if (expand->kind == DOC_TEXT) return slice_equal(expand->text, id);
    for (uint32_t i = 0; expand->kind == DOC_MAP && i < expand->count; i++)
        if (slice_equal(doc_text(&expand->entries[i].value), id)) return true;
    return false;
}

/* A result that others map over is a list or a map, and not too long: as in Airflow it is the task
 * that gives it which fails. NULL: fine. */
static const char *unmappable(struct run *r, const struct instance *i, const struct order *o)
{
    const struct dag *g = r->graph.plan->dag;
    const struct dag_task *t = &g->tasks[i->task];
    bool wanted = false;
    for (uint32_t n = 0; n < t->downstream_count && !wanted; n++)
        wanted = names_task(g->tasks[t->downstream[n]].expand, t->id);
    if (!wanted || t->expand) return NULL; /* of a mapped task the list is of its instances */
    struct doc result;
    if (!o->result_json.at || doc_of_json(o->result_json, o->arena, &result, NULL))
        return "did not push XCom for task mapping";
    if (result.kind != DOC_LIST && result.kind != DOC_MAP)
        return "the return value can not be used for task mapping: it is neither a list nor a map";
    return result.count > DAG_MAPPED_MAX
               ? "unmappable return value: longer than max_map_length (1024)"
               : NULL;
}

/* --- branches and short circuits --------------------------------------------------------------
 */

static int by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static bool inside_group(const struct dag *g, int32_t at, int32_t group)
{
    while (at >= 0 && at != group) at = g->groups[at].parent;
    return at == group;
}

/* Marks the task, or every task of the group, and what is below them. false: no such id. */
static bool follow(const struct dag_plan *p, struct slice id, bool *marks, uint32_t *flat)
{
    const struct dag *g = p->dag;
    int32_t task = dag_plan_find(p, id), group = -1;
    for (uint32_t n = 0; task < 0 && n < g->group_count; n++)
        if (slice_equal(g->groups[n].id, id)) group = (int32_t)n;
    if (task < 0 && group < 0) return false;
    for (uint32_t at = 0; at < g->task_count; at++) {
        bool named = task >= 0 ? at == (uint32_t)task : inside_group(g, g->tasks[at].group, group);
        if (!named) continue;
        marks[at] = true;
        uint32_t count = dag_flat(g, at, false, flat);
        for (uint32_t i = 0; count != GRAPH_NONE && i < count; i++) marks[flat[i]] = true;
    }
    return true;
}

static void put_ids(const struct dag *g, const char *word, const uint32_t *tasks, uint32_t count,
                    struct buf *out)
{
    struct doc *items = mem_take((count + 1) * sizeof(*items));
    struct doc list = {.kind = DOC_LIST, .count = items ? count : 0, .items = items};
    for (uint32_t i = 0; items && i < count; i++)
        items[i] = (struct doc){.kind = DOC_TEXT, .text = g->tasks[tasks[i]].id};
    buf_printf(out, "{\"%s\": ", word);
    doc_put_json(out, &list);
    buf_char(out, '}');
    if (!items) out->err = ERR_NO_MEMORY;
    mem_give(items);
}

/* A branch's word counts more than another upstream's failure: what has not run because of that is
 * skipped, as in Airflow, which decides how the run ends. */
static err_t skip_failed(struct engine *e, struct run *r, uint32_t task, struct diag *d)
{
    const struct dag_task *t = &r->graph.plan->dag->tasks[task];
    err_t err = ERR_OK;
    for (uint32_t n = 0; n < t->downstream_count && !err; n++) {
        uint32_t at = r->graph.first[t->downstream[n]];
        for (; at != GRAPH_NONE && !err; at = graph_at(&r->graph, at)->next)
            if (graph_at(&r->graph, at)->state == TASK_UPSTREAM_FAILED && graph_told(&r->graph, at))
                err = engine_move(e, r, at, TASK_SKIPPED, "a branch does not follow it", d);
    }
    return err;
}

static err_t say_skips(struct engine *e, struct run *r, uint32_t place, enum skip_how how,
                       uint32_t *tasks, uint32_t count, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    struct buf json = buf_make(RESULT_BYTES_MAX);
    qsort(tasks, count, sizeof(*tasks), by_place);
    put_ids(r->graph.plan->dag, how == SKIP_ALL_BUT ? "followed" : "skipped", tasks, count, &json);
    err_t err = json.err ? json.err : put_xcom(e, r, i, "skipmixin_key", buf_view(&json), d);
    buf_done(&json);
    graph_skips(&r->graph, place, how, tasks, count);
    return err ? err : skip_failed(e, r, i->task, d);
}

static err_t short_circuit(struct engine *e, struct run *r, uint32_t place, struct diag *d)
{
    const struct dag *g = r->graph.plan->dag;
    const struct instance *i = graph_at(&r->graph, place);
    uint32_t task = i->task;
    /* in a mapped group those of other indexes go on: the rules carry it down by its own */
    bool at_once = i->map_index < 0 || g->tasks[task].mapped_group < 0;
    uint32_t *flat = arena_take(e->scratch, (g->task_count + 1) * sizeof(*flat)), kept = 0;
    uint32_t count = flat ? dag_flat(g, task, false, flat) : GRAPH_NONE;
    err_t err = count == GRAPH_NONE ? ERR_NO_MEMORY : ERR_OK;
    for (uint32_t n = 0; n < count && !err; n++) {
        if (g->tasks[flat[n]].is_teardown) continue;
        uint32_t at = r->graph.first[flat[n]];
        flat[kept++] = flat[n];
        for (; at_once && at != GRAPH_NONE && !err; at = graph_at(&r->graph, at)->next) {
            enum task_state s = (enum task_state)graph_at(&r->graph, at)->state;
            if (task_state_waiting(s) || s == TASK_UPSTREAM_FAILED)
                err = engine_move(e, r, at, TASK_SKIPPED, "short-circuited", d);
        }
    }
    return err ? err : say_skips(e, r, place, SKIP_THESE, flat, kept, d);
}

/* *story: what is wrong with what the branch said; NULL: nothing. */
static err_t branch(struct engine *e, struct run *r, uint32_t place, const struct order *o,
                    const char **story, struct diag *d)
{
    const struct dag *g = r->graph.plan->dag;
    const struct work_answer *a = &o->answer;
    const struct dag_task *t = &g->tasks[graph_at(&r->graph, place)->task];
    if (a->ignores_rules && a->branch_count == 0) return short_circuit(e, r, place, d);
    bool *marks = arena_take(e->scratch, g->task_count + 1);
    uint32_t *list = arena_take(e->scratch, (g->task_count + 1) * sizeof(*list)), count = 0;
    if (!marks || !list) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < a->branch_count; i++) {
        if (follow(r->graph.plan, a->branches[i], marks, list)) continue;
        *story = arena_printf(e->scratch,
                              "'branch_task_ids' must contain only valid task_ids. Invalid: '%.*s'",
                              SLICE_ARG(a->branches[i]));
        return *story ? ERR_OK : ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < t->downstream_count; i++)
        if (marks[t->downstream[i]]) list[count++] = t->downstream[i];
    return say_skips(e, r, place, SKIP_ALL_BUT, list, count, d);
}

/* --- an end -----------------------------------------------------------------------------------
 */

struct ending {
    enum task_state state;
    enum callback_when callbacks;
    int64_t not_before; /* TIME_NONE: none */
    struct slice message, memo;
};

static err_t write_end(struct engine *e, struct run *r, uint32_t place, const struct ending *end,
                       struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    const char *name = task_state_name(end->state);
    struct meta_value args[] = {
        meta_int(r->row.id),
        meta_text(t->id),
        meta_int(i->map_index),
        meta_text(slice_of(name)),
        meta_int(e->now),
        end->not_before == TIME_NONE ? meta_null() : meta_int(end->not_before),
        meta_text(end->message),
        meta_text(end->memo),
    };
    err_t err = meta_run(e->meta, META_TASK_END, args, COUNT_OF(args), NULL, NULL, NULL, d);
    /* what waits for its next try has a try that has failed behind it */
    const char *tried = end->state == TASK_UP_FOR_RETRY ? "failed" : name;
    struct meta_value try_args[] = {
        args[0], args[1], args[2], meta_int(i->try_number), meta_text(slice_of(tried)),
        args[4], args[6]};
    if (!err) err = meta_run(e->meta, META_TRY_END, try_args, 7, NULL, NULL, NULL, d);
    i->work = NULL;
    i->again = false;
    i->stored_scheduled = false;
    graph_set(&r->graph, place, end->state);
    e->figures.tasks_ended++;
    if (end->state == TASK_SUCCESS) e->decided[ENDED_TASK_WELL]++;
    if (end->state == TASK_FAILED || end->state == TASK_UP_FOR_RETRY)
        e->decided[ENDED_TASK_FAILED]++;
    if (err || end->callbacks == CALLBACK_TIMES) return err;
    bool well = end->state == TASK_SUCCESS;
    struct call_why why = {name, well ? (struct slice){0} : end->message};
    return engine_call_back(e, r, i, &t->callbacks, end->callbacks, &why, d);
}

/* fail_fast: nothing else of the run is worth its while (Airflow's fail_stop, which lets other
 * instances of the same mapped task go on). */
static err_t stop_the_rest(struct engine *e, struct run *r, uint32_t task, struct diag *d)
{
    size_t count = r->graph.instances.count;
    err_t err = ERR_OK;
    for (uint32_t at = 0; at < count && !err; at++) {
        struct instance *i = graph_at(&r->graph, at);
        if (i->task == task || r->graph.plan->dag->tasks[i->task].is_teardown) continue;
        if (task_state_waiting((enum task_state)i->state))
            err = engine_move(e, r, at, TASK_SKIPPED, "fail_fast: another task has failed", d);
        else if (i->work)
            ((struct order *)i->work)->fail_for_good = true;
        if (i->work) engine_order_stop(e, i->work, "another task has failed (fail_fast)");
    }
    return err;
}

/* Whether another try follows, and whether what runs beside it is to end too. */
enum failing { FAILS, FAILS_FOR_GOOD, FAILS_WITH_ANOTHER /* fail_fast stopped it: no cause */ };

static err_t ends_failed(struct engine *e, struct run *r, uint32_t place, enum failing how,
                         struct slice message, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag *g = r->graph.plan->dag;
    const struct dag_task *t = &g->tasks[i->task];
    bool again = how == FAILS && t->retries > 0 && i->try_number <= i->max_tries;
    struct ending end = {TASK_FAILED, ON_FAILURE, TIME_NONE, message, {0}};
    int64_t delay = 0;
    if (again) {
        delay = retry_delay_us(g, t, r->row.logical, i->try_number);
        end.state = TASK_UP_FOR_RETRY;
        end.callbacks = ON_RETRY;
        end.not_before = e->now + delay;
    }
    say_info(SAY_SCHED, "task failed", "dag=%.*s run=%.*s task=%.*s map=%d try=%d retry=%s",
             SLICE_ARG(r->row.dag_id), SLICE_ARG(r->row.run_id), SLICE_ARG(t->id), i->map_index,
             i->try_number, again ? "yes" : "no");
    err_t err = write_end(e, r, place, &end, d);
    if (!err) err = engine_event(e, again ? "up_for_retry" : "failed", r, i, message, d);
    if (again && !err) {
        graph_at(&r->graph, place)->not_before = e->mono + delay;
        engine_instance_timer(e, r, place, e->mono + delay);
        if (delay <= 0) graph_consider(&r->graph, place);
    }
    bool alone = again || !g->fail_fast || how == FAILS_WITH_ANOTHER;
    return !alone && !err ? stop_the_rest(e, r, i->task, d) : err;
}

static err_t ends_well(struct engine *e, struct run *r, uint32_t place, struct order *o,
                       struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    const char *story = unmappable(r, i, o);
    err_t err = ERR_OK;
    if (!story && o->answer.branching) err = branch(e, r, place, o, &story, d);
    if (err) return err;
    if (story) return ends_failed(e, r, place, FAILS, slice_of(story), d);
    if (t->keeps_result && o->result_json.at)
        err = put_xcom(e, r, i, "return_value", o->result_json, d);
    if (!err && !run_is_test(&r->row)) err = engine_outlets(e, r, i, d);
    struct ending end = {TASK_SUCCESS, ON_SUCCESS, TIME_NONE, o->answer.message, {0}};
    return err ? err : write_end(e, r, place, &end, d);
}

static err_t looks_again(struct engine *e, struct run *r, uint32_t place, struct order *o,
                         struct diag *d)
{
    int64_t at = MAX(o->answer.again_us, e->now);
    struct ending end = {TASK_UP_FOR_RESCHEDULE, CALLBACK_TIMES, at, o->answer.message,
                         o->answer.state};
    err_t err = write_end(e, r, place, &end, d);
    struct instance *i = graph_at(&r->graph, place);
    i->not_before = e->mono + (at - e->now);
    engine_instance_timer(e, r, place, i->not_before);
    return err;
}

/* Cleared while it ran: whatever came out, it starts anew. */
static err_t starts_anew(struct engine *e, struct run *r, uint32_t place, struct order *o,
                         struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    i->max_tries = i->try_number + t->retries;
    struct meta_value args[] = {meta_int(r->row.id), meta_text(t->id), meta_int(i->map_index),
                                meta_null(), meta_int(i->max_tries)};
    err_t err = meta_run(e->meta, META_TASK_CLEAR, args, 5, NULL, NULL, NULL, d);
    struct meta_value tried[] = {args[0],
                                 args[1],
                                 args[2],
                                 meta_int(i->try_number),
                                 meta_text(slice_of("restarting")),
                                 meta_int(e->now),
                                 meta_text(o->answer.message)};
    if (!err) err = meta_run(e->meta, META_TRY_END, tried, 7, NULL, NULL, NULL, d);
    i->work = NULL;
    i->stored_scheduled = false;
    graph_set(&r->graph, place, TASK_NONE);
    graph_consider(&r->graph, place);
    return err;
}

static err_t apply_wanted(struct engine *e, struct run *r, struct order *o, struct diag *d)
{
    uint32_t place = o->place;
    const struct work_answer *a = &o->answer;
    if (graph_at(&r->graph, place)->state == TASK_RESTARTING) return starts_anew(e, r, place, o, d);
    struct slice message = a->message;
    if (o->timed_out && a->outcome != WORK_SUCCESS) {
        message = SLICE("took longer than execution_timeout");
        return ends_failed(e, r, place, o->fail_for_good ? FAILS_WITH_ANOTHER : FAILS, message, d);
    }
    switch (a->outcome) {
    case WORK_SUCCESS: return ends_well(e, r, place, o, d);
    case WORK_SKIPPED: {
        struct ending end = {TASK_SKIPPED, ON_SKIPPED, TIME_NONE, message, {0}};
        return write_end(e, r, place, &end, d);
    }
    case WORK_AGAIN:
        if (!o->fail_for_good) return looks_again(e, r, place, o, d);
        break;
    case WORK_LOST:
        if (!message.at) message = SLICE("nobody knows how it ended");
        break;
    case WORK_STOPPED:
        if (!message.at) message = SLICE("stopped");
        break;
    case WORK_FAILED:
    case WORK_FAILED_FOR_GOOD: break;
    }
    enum failing how = o->fail_for_good                     ? FAILS_WITH_ANOTHER
                       : a->outcome == WORK_FAILED_FOR_GOOD ? FAILS_FOR_GOOD
                                                            : FAILS;
    return ends_failed(e, r, place, how, message, d);
}

/* An older try's work has ended: what waited for that may start. */
static void let_go(struct engine *e, struct run *r, const struct order *o)
{
    int32_t task = dag_plan_find(r->graph.plan, o->work.key.task_id);
    uint32_t at = task < 0 ? GRAPH_NONE : r->graph.first[task];
    for (; at != GRAPH_NONE; at = graph_at(&r->graph, at)->next) {
        struct instance *i = graph_at(&r->graph, at);
        if (!i->held || i->map_index != o->work.key.map_index) continue;
        i->held = false;
        graph_consider(&r->graph, at);
        engine_dirty(e, r);
    }
}

err_t engine_apply(struct engine *e, struct order *o, struct diag *d)
{
    struct run *r = engine_run(e, o->work.key.run);
    o->ending = true; /* no longer in the way of a newer try, nor of others */
    e->orders_ending++;
    if (!r || r->ended) return ERR_OK; /* nobody waits for it */
    if (!o->wanted) {
        let_go(e, r, o);
        return ERR_OK;
    }
    err_t err = engine_touch(e, r, d);
    if (!err) err = apply_wanted(e, r, o, d);
    if (err) return err;
    o->wanted = false;
    engine_dirty(e, r);
    engine_past_consider(e, r->of);
    return ERR_OK;
}
