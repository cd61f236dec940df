#include "sched/engine_int.h"

#include "base/say.h"

/* --- a run comes into memory -----------------------------------------------------------------
 */

void engine_forget(struct engine *e, struct run *r)
{
    map_remove(e->runs, slice_make(&r->row.id, sizeof(r->row.id)));
    for (size_t i = 0; r->dirty && i < e->dirty.count; i++) {
        if (*(struct run **)vec_at(&e->dirty, i) != r) continue;
        vec_remove(&e->dirty, i);
        break;
    }
    for (struct order *o = e->orders; o; o = o->next) {
        if (o->work.key.run != r->row.id || o->fresh) continue;
        o->wanted = false;
        if (!o->answered) engine_order_stop(e, o, "its run has ended, or is gone");
    }
    graph_done(&r->graph);
    arena_free(r->arena);
    mem_give(r);
}

static struct order *order_of(const struct engine *e, const struct task_row *t)
{
    for (struct order *o = e->orders; o; o = o->next) {
        const struct work_key *k = &o->work.key;
        if (k->run == t->run && k->map_index == t->map_index && k->try_number == t->try_number &&
            k->token == t->token && slice_equal(k->task_id, t->task_id))
            return o;
    }
    return NULL;
}

struct loading {
    struct engine *e;
    struct run *r;
    struct arena *arena; /* a row at a time */
    struct vec unknown;  /* struct slice: ids of tasks that are not in the dag any more */
    struct diag *d;
};

/* A delay of which only so much can be left, however the clock has jumped meanwhile. */
static int64_t delay_left(const struct engine *e, const struct task_row *t)
{
    if (t->not_before == TIME_NONE) return 0;
    int64_t left = t->not_before - e->now;
    if (t->ended_at != TIME_NONE) left = MIN(left, t->not_before - t->ended_at);
    return MAX(left, 0);
}

static void load_instance(struct loading *l, const struct task_row *t, uint32_t place)
{
    struct engine *e = l->e;
    struct instance *i = graph_at(&l->r->graph, place);
    i->stored_scheduled = t->state == TASK_SCHEDULED;
    i->try_number = t->try_number;
    i->max_tries = t->max_tries;
    i->token = t->token;
    i->started_at = t->started_at;
    if (t->state == TASK_UP_FOR_RETRY || t->state == TASK_UP_FOR_RESCHEDULE) {
        int64_t left = delay_left(e, t);
        i->not_before = left > 0 ? e->mono + left : TIME_NONE;
        if (left > 0) engine_instance_timer(e, l->r, place, i->not_before);
    }
    if (!task_state_active(t->state)) return;
    struct order *o = order_of(e, t);
    if (!o) return;
    o->place = place;
    o->wanted = true;
    i->work = o;
    if (t->state == TASK_RESTARTING && !o->answered) engine_order_stop(e, o, "it was cleared");
}

static err_t load_task(void *ctx, const struct meta_row *row)
{
    struct loading *l = ctx;
    struct task_row t;
    arena_reset(l->arena);
    err_t err = task_row_read(row, l->arena, &t);
    if (err) return err;
    int32_t task = dag_plan_find(l->r->graph.plan, t.task_id);
    if (task < 0) {
        struct slice id = arena_slice(l->r->arena, t.task_id);
        if (t.state == TASK_REMOVED) return ERR_OK;
        return id.at ? vec_push(&l->unknown, &id) : ERR_NO_MEMORY;
    }
    /* A task that came back into the dag starts anew; of a list that became shorter it does not. */
    bool back = t.state == TASK_REMOVED && t.map_index < 0;
    uint32_t place =
        graph_add(&l->r->graph, (uint32_t)task, t.map_index, back ? TASK_NONE : t.state);
    if (place == GRAPH_NONE) return ERR_TOO_BIG;
    load_instance(l, &t, place);
    return ERR_OK;
}

static err_t remove_unknown(struct loading *l)
{
    err_t err = ERR_OK;
    for (size_t i = 0; i < l->unknown.count && !err; i++) {
        struct slice id = *(struct slice *)vec_at(&l->unknown, i);
        say_warn(SAY_SCHED, "a task is not in the dag any more", "dag=%.*s run=%.*s task=%.*s",
                 SLICE_ARG(l->r->row.dag_id), SLICE_ARG(l->r->row.run_id), SLICE_ARG(id));
        struct meta_value args[] = {meta_int(l->r->row.id), meta_text(id)};
        err = engine_touch(l->e, l->r, l->d);
        if (!err) err = meta_run(l->e->meta, META_TASKS_REMOVED, args, 2, NULL, NULL, NULL, l->d);
    }
    return err;
}

err_t engine_add_instance(struct engine *e, struct run *r, uint32_t task, int32_t map_index,
                          uint32_t *place, struct diag *d)
{
    const struct dag_task *t = &r->graph.plan->dag->tasks[task];
    *place = graph_add(&r->graph, task, map_index, TASK_NONE);
    if (*place == GRAPH_NONE)
        return diag_fail(d, ERR_TOO_BIG, "a run has more than %d task instances",
                         GRAPH_INSTANCES_MAX);
    struct instance *i = graph_at(&r->graph, *place);
    i->max_tries = t->retries;
    err_t err = engine_touch(e, r, d);
    if (err) return err;
    struct task_new n = {r->row.id, t, map_index, TASK_NONE, t->retries, r->of->dag_version};
    return task_row_insert(e->meta, &n, e->now, &e->rng, d);
}

/* Instances that the run does not have: of a new run all, and of a dag that has grown. A task over
 * a list that stands in the file has its instances at once. */
static err_t add_missing(struct engine *e, struct run *r, struct diag *d)
{
    const struct dag *g = r->graph.plan->dag;
    err_t err = ERR_OK;
    for (uint32_t task = 0; task < g->task_count && !err; task++) {
        const struct dag_task *t = &g->tasks[task];
        uint32_t place;
        if (r->graph.first[task] != GRAPH_NONE) continue;
        int32_t count = 0;
        if (t->expand && mapping_is_literal(t->expand)) {
            struct mapping m;
            if (!mapping_make(t->expand, NULL, e->scratch, &m, NULL)) count = (int32_t)m.total;
        }
        for (int32_t index = count > 0 ? 0 : -1; index < count && !err; index++)
            err = engine_add_instance(e, r, task, index, &place, d);
        if (count == 0 && !err && r->graph.first[task] == GRAPH_NONE)
            err = engine_add_instance(e, r, task, -1, &place, d);
    }
    return err;
}

/* --- what branches and short circuits said ----------------------------------------------------
 */

static err_t load_skips(void *ctx, const struct meta_row *row)
{
    struct loading *l = ctx;
    const struct dag *g = l->r->graph.plan->dag;
    struct doc said;
    int32_t task = dag_plan_find(l->r->graph.plan, row->at[0].text);
    arena_reset(l->arena);
    if (task < 0 || doc_of_json(row->at[1].text, l->arena, &said, NULL)) return ERR_OK;
    uint32_t who = graph_find(&l->r->graph, (uint32_t)task, (int32_t)row->at[2].number);
    if (who == GRAPH_NONE ||
        !task_state_finished((enum task_state)graph_at(&l->r->graph, who)->state))
        return ERR_OK; /* it runs again and will say anew */
    const struct doc *followed = doc_get(&said, "followed"), *skipped = doc_get(&said, "skipped");
    const struct doc *list = followed ? followed : skipped;
    if (!list || list->kind != DOC_LIST) return ERR_OK;
    bool *named = arena_take(l->arena, g->task_count + 1);
    uint32_t *tasks = arena_take(l->arena, (list->count + 1) * sizeof(*tasks)), count = 0;
    if (!named || !tasks) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < list->count; i++) {
        int32_t other = dag_plan_find(l->r->graph.plan, doc_text(&list->items[i]));
        if (other >= 0) named[other] = true;
    }
    for (uint32_t i = 0; i < g->task_count; i++)
        if (named[i] && count < list->count) tasks[count++] = i;
    graph_skips(&l->r->graph, who, followed ? SKIP_ALL_BUT : SKIP_THESE, tasks, count);
    return ERR_OK;
}

/* --- after a restart --------------------------------------------------------------------------
 */

/* Running by the database, but nobody here has its order: the workshop knows of it, or it is lost.
 */
static err_t adopt(struct engine *e, struct run *r, uint32_t place, struct diag *d)
{
    struct order *o;
    err_t err = engine_order_make(e, r, place, &o, d);
    if (err) return err;
    o->adopting = true; /* asked when it stands: engine_order_start */
    return vec_push(&e->fresh, &o);
}

/* Airflow's first look at a run finds nothing ended: who waits for nothing is looked at before what
 * stands above it may be skipped. */
static void consider_all(struct graph *g)
{
    for (int turn = 0; turn < 2; turn++)
        for (uint32_t place = 0; place < g->instances.count; place++) {
            const struct dag_task *t = &g->plan->dag->tasks[graph_at(g, place)->task];
            bool early = t->upstream_count == 0 || t->rule == RULE_ALWAYS;
            if (early == (turn == 0)) graph_consider(g, place);
        }
}

static err_t load_graph(struct loading *l)
{
    struct engine *e = l->e;
    struct run *r = l->r;
    struct meta_value args[] = {meta_int(r->row.id)};
    err_t err = meta_run(e->meta, META_TASKS_OF_RUN, args, 1, load_task, l, NULL, l->d);
    if (!err) err = remove_unknown(l);
    if (!err) err = add_missing(e, r, l->d);
    if (!err) err = meta_run(e->meta, META_XCOM_SKIPS, args, 1, load_skips, l, NULL, l->d);
    if (!err) consider_all(&r->graph);
    size_t count = r->graph.instances.count;
    for (uint32_t place = 0; place < count && !err; place++) {
        struct instance *i = graph_at(&r->graph, place);
        if (task_state_active((enum task_state)i->state) && !i->work)
            err = adopt(e, r, place, l->d);
    }
    return r->graph.broken && !err ? ERR_NO_MEMORY : err;
}

static void run_timers(struct engine *e, struct run *r)
{
    const struct dag *g = r->graph.plan->dag;
    r->timeout_at_mono = r->deadline_at_mono = INT64_MAX;
    if (g->dagrun_timeout_us > 0 && r->row.started_at != TIME_NONE) {
        int64_t left = MIN(r->row.started_at + g->dagrun_timeout_us - e->now, g->dagrun_timeout_us);
        r->timeout_at_mono = e->mono + MAX(left, 0);
        struct timer t = {r->timeout_at_mono, {r->row.id, r->generation, 0}, TIMER_RUN, 0};
        engine_timer(e, &t);
    }
    int64_t within;
    if (!g->slo || !option_span(doc_get(g->slo, "deadline"), &within)) return;
    int64_t from = r->row.started_at != TIME_NONE ? r->row.started_at : e->now;
    int64_t left = MIN(from + within - e->now, within);
    if (left <= 0) return; /* said before */
    r->deadline_at_mono = e->mono + left;
    struct timer t = {r->deadline_at_mono, {r->row.id, r->generation, 0}, TIMER_DEADLINE, 0};
    engine_timer(e, &t);
}

static err_t copy_row(struct run *r, const struct run_row *row)
{
    r->row = *row;
    struct slice *texts[] = {&r->row.dag_id,       &r->row.run_id,          &r->row.conf,
                             &r->row.triggered_by, &r->row.triggering_user, &r->row.note};
    r->row.owner = (struct slice){0};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (!texts[i]->at) continue;
        *texts[i] = texts[i]->len ? arena_slice(r->arena, *texts[i]) : slice_of("");
        if (!texts[i]->at) return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static struct dag_plan *plan_of(struct engine_dag *of)
{
    if (of->plan && of->plan->dag == of->dag) return of->plan;
    dag_plan_give(of->plan);
    of->plan = dag_plan_new(of->dag);
    return of->plan;
}

err_t engine_load(struct engine *e, const struct run_row *row, struct diag *d)
{
    struct engine_dag *of = engine_dag_find(e, row->dag_id);
    if (!of || !of->dag) return ERR_OK; /* its dag is not there: looked at when it is again */
    struct dag_plan *plan = plan_of(of);
    struct run *r = mem_take(sizeof(*r));
    struct loading l = {e, r, arena_new(MIB(64)), vec_make(sizeof(struct slice), DAG_TASKS_MAX), d};
    err_t err = plan && r && l.arena ? ERR_OK : ERR_NO_MEMORY;
    if (!err) {
        *r = (struct run){.of = of, .generation = ++e->generations, .arena = arena_new(MIB(64))};
        err = r->arena ? copy_row(r, row) : ERR_NO_MEMORY;
    }
    if (!err) err = graph_init(&r->graph, plan);
    if (!err) err = map_set(e->runs, slice_make(&r->row.id, sizeof(r->row.id)), r);
    if (err) {
        if (r) graph_done(&r->graph);
        if (r) arena_free(r->arena);
        mem_give(r);
    } else {
        r->loaded = true;
        run_timers(e, r);
        err = engine_touch(e, r, d);
        if (!err) err = load_graph(&l);
        if (err)
            r->stale = true;
        else
            engine_dirty(e, r);
    }
    vec_done(&l.unknown);
    arena_free(l.arena);
    return err;
}

err_t engine_reload(struct engine *e, int64_t id, struct diag *d)
{
    struct run_row row;
    struct run *old = engine_run(e, id);
    err_t err = run_row_get(e->meta, id, e->scratch, &row, d);
    if (err && err != ERR_NOT_FOUND) return err;
    bool ours = !err && row.state == RUN_RUNNING && slice_is(row.owner, e->o.identity);
    e->figures.reloads++;
    if (old && !ours) {
        struct engine_dag *of = old->of;
        for (size_t i = 0; i < e->touched.count; i++)
            if (*(struct run **)vec_at(&e->touched, i) == old) vec_remove(&e->touched, i--);
        engine_forget(e, old);
        engine_promote_later(e, of); /* it may have ended, and made room */
        return ERR_OK;
    }
    if (old) { /* its orders stay: the new graph finds them */
        for (struct order *o = e->orders; o; o = o->next)
            if (o->work.key.run == id) o->wanted = false;
        map_remove(e->runs, slice_make(&id, sizeof(id)));
        for (size_t i = 0; i < e->dirty.count; i++)
            if (*(struct run **)vec_at(&e->dirty, i) == old) vec_remove(&e->dirty, i--);
        graph_done(&old->graph);
        arena_free(old->arena);
        mem_give(old);
    }
    err = engine_load(e, &row, d);
    struct run *now = engine_run(e, id);
    for (struct order *o = e->orders; o && !err; o = o->next)
        if (o->work.key.run == id && !o->wanted && !o->answered)
            engine_order_stop(e, o, "it was marked, or cleared");
    if (now) now->loaded = false;
    return err;
}
