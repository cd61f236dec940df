#include "sched/ops_int.h"

#include <regex.h>

/* --- one instance -----------------------------------------------------------------------------
 */

static err_t end_try(struct ops *o, const struct task_row *t, const char *state, struct diag *d)
{
    if (t->try_number <= 0 || !task_state_active(t->state)) return ERR_OK;
    struct meta_value args[] = {meta_int(t->run),           meta_text(t->task_id),
                                meta_int(t->map_index),     meta_int(t->try_number),
                                meta_text(slice_of(state)), meta_int(o->now_us),
                                meta_text(o->user)};
    return meta_run(o->meta, META_TRY_END, args, COUNT_OF(args), NULL, NULL, NULL, d);
}

err_t ops_clear_one(struct ops *o, const struct dag *g, const struct task_row *t, struct diag *d)
{
    int32_t at = g ? dag_task_find(g, t->task_id) : -1;
    int32_t max_tries =
        at >= 0 ? t->try_number + g->tasks[at].retries : MAX(t->max_tries, t->try_number);
    struct meta_value args[] = {meta_int(t->run), meta_text(t->task_id), meta_int(t->map_index),
                                meta_null(), meta_int(max_tries)};
    if (task_state_active(t->state)) /* the engine stops its work, and clears it then */
        return meta_run(o->meta, META_TASK_RESTART, args, 3, NULL, NULL, NULL, d);
    return meta_run(o->meta, META_TASK_CLEAR, args, 5, NULL, NULL, NULL, d);
}

err_t ops_mark_one(struct ops *o, const struct task_row *t, enum task_state state, struct diag *d)
{
    const char *name = task_state_name(state);
    struct meta_value args[] = {
        meta_int(t->run),       meta_text(t->task_id),
        meta_int(t->map_index), name ? meta_text(slice_of(name)) : meta_null(),
        meta_int(o->now_us),    meta_text(SLICE("marked by a person"))};
    err_t err = end_try(o, t, name, d);
    return err ? err : meta_run(o->meta, META_TASK_MARK, args, 6, NULL, NULL, NULL, d);
}

err_t ops_run_requeue(struct ops *o, const struct run_row *r, struct diag *d)
{
    struct meta_value args[] = {meta_int(r->id), meta_int(o->now_us)};
    return meta_run(o->meta, META_RUN_REQUEUE, args, 2, NULL, NULL, NULL, d);
}

/* --- a whole run ------------------------------------------------------------------------------
 */

struct run_change {
    struct slice dag_id, run_id;
    enum run_state state;
    bool clear, only_failed, dry;
    const struct dag *dag; /* NULL: not there any more */
    struct arena *arena;
    struct task_rows *touched, own;
    struct run_row *out;
};

static bool is_teardown(const struct dag *g, struct slice task_id)
{
    int32_t at = g ? dag_task_find(g, task_id) : -1;
    return at >= 0 && g->tasks[at].is_teardown;
}

static bool failed_state(enum task_state s)
{
    return s == TASK_FAILED || s == TASK_UPSTREAM_FAILED;
}

/* What marking the run makes of one instance; false: nothing. */
static bool mark_of(const struct run_change *c, const struct task_row *t, enum task_state *to)
{
    if (is_teardown(c->dag, t->task_id) || c->state == RUN_QUEUED) return false;
    *to = TASK_SUCCESS;
    if (c->state == RUN_SUCCESS) return t->state != TASK_SUCCESS && t->state != TASK_REMOVED;
    if (task_state_finished(t->state)) return false;
    bool runs = task_state_active(t->state) || t->state == TASK_UP_FOR_RESCHEDULE;
    *to = runs ? TASK_FAILED : TASK_SKIPPED;
    return true;
}

/* The run itself ends unless a teardown has still to run. */
static err_t mark_run_row(struct ops *o, const struct run_change *c, const struct run_row *r,
                          const struct task_rows *all, struct diag *d)
{
    bool teardown = false;
    for (uint32_t i = 0; i < all->count; i++)
        teardown |=
            is_teardown(c->dag, all->at[i].task_id) && !task_state_finished(all->at[i].state);
    if (c->state == RUN_QUEUED) return ops_run_requeue(o, r, d);
    if (teardown && r->state == RUN_RUNNING) return ERR_OK;
    struct meta_value args[] = {meta_int(r->id), meta_text(slice_of(run_state_name(c->state))),
                                meta_int(o->now_us)};
    return meta_run(o->meta, META_RUN_SET_STATE, args, 3, NULL, NULL, NULL, d);
}

static err_t change_instances(struct ops *o, struct run_change *c, const struct task_rows *all,
                              struct diag *d)
{
    err_t err = ERR_OK;
    for (uint32_t i = 0; i < all->count && !err; i++) {
        const struct task_row *t = &all->at[i];
        enum task_state to = TASK_NONE;
        bool wanted = c->clear ? !c->only_failed || failed_state(t->state) : mark_of(c, t, &to);
        if (!wanted || (c->clear && t->state == TASK_REMOVED)) continue;
        err = task_rows_add(c->touched, c->arena, t);
        if (err || c->dry) continue;
        err = c->clear ? ops_clear_one(o, c->dag, t, d) : ops_mark_one(o, t, to, d);
    }
    return err;
}

static err_t run_body(struct ops *o, void *ctx, struct diag *d)
{
    struct run_change *c = ctx;
    struct run_row r;
    struct task_rows all;
    *c->touched = (struct task_rows){0};
    err_t err = run_row_find(o->meta, c->dag_id, c->run_id, c->arena, &r, d);
    if (!err && !c->dry) err = ops_run_lock(o, r.id, d);
    if (!err) err = task_rows_of_run(o->meta, r.id, c->arena, &all, d);
    if (!err) err = change_instances(o, c, &all, d);
    if (!err && !c->dry) {
        bool ended = run_state_finished(r.state);
        if (!c->clear)
            err = mark_run_row(o, c, &r, &all, d);
        else if (ended)
            err = ops_run_requeue(o, &r, d);
        struct ops_event e = {.event = c->clear ? "clear_dag_run" : "patch_dag_run",
                              .dag_id = c->dag_id,
                              .run_id = c->run_id,
                              .logical = r.logical,
                              .extra = c->clear ? (struct slice){0}
                                                : slice_of(run_state_name(c->state))};
        if (!err) err = ops_event_put(o, &e, d);
    }
    return err || !c->out ? err : run_row_get(o->meta, r.id, c->arena, c->out, d);
}

static err_t change_run(struct ops *o, struct run_change *c, struct diag *d)
{
    c->dag = o->dag ? o->dag(o->ctx, c->dag_id) : NULL;
    if (!c->touched) c->touched = &c->own;
    err_t err = ops_transact(o, run_body, c, d);
    if (c->dag) dag_give(c->dag);
    return err;
}

err_t ops_run_mark(struct ops *o, struct slice dag_id, struct slice run_id, enum run_state state,
                   bool dry, struct arena *a, struct task_rows *touched, struct run_row *out,
                   struct diag *d)
{
    if (state == RUN_RUNNING)
        return diag_fail(d, ERR_USAGE, "'running' is not one of ['queued', 'success', 'failed']");
    struct run_change c = {.dag_id = dag_id,
                           .run_id = run_id,
                           .state = state,
                           .dry = dry,
                           .arena = a,
                           .touched = touched,
                           .out = out};
    return change_run(o, &c, d);
}

err_t ops_run_clear(struct ops *o, struct slice dag_id, struct slice run_id, bool only_failed,
                    bool dry, struct arena *a, struct task_rows *touched, struct run_row *out,
                    struct diag *d)
{
    struct run_change c = {.dag_id = dag_id,
                           .run_id = run_id,
                           .clear = true,
                           .only_failed = only_failed,
                           .dry = dry,
                           .arena = a,
                           .touched = touched,
                           .out = out};
    return change_run(o, &c, d);
}

/* --- which tasks ------------------------------------------------------------------------------
 */

enum { CHOSEN_ALL = 1, CHOSEN_SOME = 2 }; /* every instance; those that were named */

static void choose_flat(const struct dag *g, uint32_t task, bool upstream, uint8_t *chosen,
                        uint32_t *flat)
{
    uint32_t count = dag_flat(g, task, upstream, flat);
    for (uint32_t i = 0; count != GRAPH_NONE && i < count; i++) {
        const struct dag_task *t = &g->tasks[flat[i]];
        chosen[flat[i]] |= CHOSEN_ALL;
        for (uint32_t n = 0; upstream && t->is_setup && n < t->downstream_count; n++)
            if (g->tasks[t->downstream[n]].is_teardown && t->downstream[n] != task)
                chosen[t->downstream[n]] |= CHOSEN_ALL;
    }
}

/* A task's setups run again with it, and their teardowns (get_upstreams_only_setups_and_teardowns).
 */
static void choose_setups(const struct dag *g, uint32_t task, uint8_t *chosen, bool *below,
                          uint32_t *flat)
{
    uint32_t count = dag_flat(g, task, false, flat);
    memset(below, 0, g->task_count);
    for (uint32_t i = 0; count != GRAPH_NONE && i < count; i++) below[flat[i]] = true;
    count = dag_flat(g, task, true, flat);
    for (uint32_t i = 0; count != GRAPH_NONE && i < count; i++) {
        const struct dag_task *s = &g->tasks[flat[i]];
        bool torn = false, here = false;
        for (uint32_t n = 0; s->is_setup && n < s->downstream_count; n++) {
            bool teardown = g->tasks[s->downstream[n]].is_teardown;
            torn |= teardown;
            here |= teardown && below[s->downstream[n]];
        }
        if (!s->is_setup || (torn && !here)) continue;
        chosen[flat[i]] |= CHOSEN_ALL;
        for (uint32_t n = 0; n < s->downstream_count; n++)
            if (g->tasks[s->downstream[n]].is_teardown) chosen[s->downstream[n]] |= CHOSEN_ALL;
    }
}

static bool has_setups(const struct dag *g)
{
    for (uint32_t i = 0; i < g->task_count; i++)
        if (g->tasks[i].is_setup) return true;
    return false;
}

/* As re.findall: anywhere in the id. */
static err_t choose_by_pattern(const struct dag *g, struct slice pattern, uint8_t *chosen,
                               struct diag *d)
{
    char text[1024], id[4096]; /* with its groups */
    regex_t compiled;
    if (!pattern.len) return ERR_OK;
    if (!slice_to_cstr(pattern, text, sizeof(text)) ||
        regcomp(&compiled, text, REG_EXTENDED | REG_NOSUB))
        return diag_fail(d, ERR_BAD_PATTERN, "'%.*s' is no regular expression", SLICE_ARG(pattern));
    for (uint32_t i = 0; i < g->task_count; i++)
        if (slice_to_cstr(g->tasks[i].id, id, sizeof(id)) &&
            regexec(&compiled, id, 0, NULL, 0) == 0)
            chosen[i] |= CHOSEN_ALL;
    regfree(&compiled);
    return ERR_OK;
}

struct choice {
    uint8_t *chosen; /* by task's place */
    uint32_t *flat;
    bool *below;
};

static err_t choose_named(const struct dag *g, const struct ops_clear *c, uint8_t *chosen,
                          struct diag *d)
{
    for (uint32_t i = 0; i < c->task_count; i++) {
        int32_t at = dag_task_find(g, c->tasks[i].id);
        if (at < 0)
            return diag_fail(d, ERR_NOT_FOUND, "Task '%.*s' not found in DAG '%.*s'",
                             SLICE_ARG(c->tasks[i].id), SLICE_ARG(g->id));
        chosen[at] |= c->tasks[i].map_index == OPS_ALL_MAPPED ? CHOSEN_ALL : CHOSEN_SOME;
    }
    if (c->task_count == 0 && c->pattern.len == 0) memset(chosen, CHOSEN_ALL, g->task_count);
    return choose_by_pattern(g, c->pattern, chosen, d);
}

/* As dag.partial_subset of Airflow chooses. */
static err_t choose(const struct dag *g, const struct ops_clear *c, struct arena *a, uint8_t **out,
                    struct diag *d)
{
    size_t n = g->task_count + 1;
    uint8_t *chosen = arena_take(a, n), *first = arena_take(a, n);
    uint32_t *flat = arena_take(a, n * sizeof(*flat));
    bool *below = arena_take(a, n), setups = has_setups(g);
    if (!chosen || !first || !flat || !below) return ERR_NO_MEMORY;
    err_t err = choose_named(g, c, first, d);
    memcpy(chosen, first, n);
    *out = chosen;
    if (err || (c->task_count == 0 && c->pattern.len == 0)) return err;
    for (uint32_t i = 0; i < g->task_count; i++) {
        const struct dag_task *t = &g->tasks[i];
        if (!first[i]) continue;
        if (c->downstream) choose_flat(g, i, false, chosen, flat);
        if (c->upstream) choose_flat(g, i, true, chosen, flat);
        if (!c->upstream && setups && !t->is_setup && !t->is_teardown)
            choose_setups(g, i, chosen, below, flat);
        for (uint32_t k = 0; t->is_setup && !c->downstream && k < t->downstream_count; k++)
            if (g->tasks[t->downstream[k]].is_teardown) chosen[t->downstream[k]] |= CHOSEN_ALL;
    }
    for (uint32_t i = 0; setups && c->downstream && i < g->task_count; i++) {
        const struct dag_task *t = &g->tasks[i];
        if ((chosen[i] & CHOSEN_ALL) && !first[i] && !t->is_setup && !t->is_teardown)
            choose_setups(g, i, chosen, below, flat);
    }
    return ERR_OK;
}

/* --- which runs -------------------------------------------------------------------------------
 */

static err_t choose_runs(struct ops *o, struct slice dag_id, struct slice run_id, bool past,
                         bool future, int64_t start, int64_t end, struct run_rows *out,
                         struct diag *d)
{
    if (run_id.len) {
        struct run_row r;
        err_t err = run_row_find(o->meta, dag_id, run_id, out->arena, &r, d);
        if (err) return err;
        if ((!past && !future) || r.logical == TIME_NONE) {
            out->at = arena_take(out->arena, sizeof(r));
            if (!out->at) return ERR_NO_MEMORY;
            out->at[0] = r;
            out->count = out->cap = 1;
            return ERR_OK;
        }
        start = end = r.logical;
    }
    int64_t low = past || start == TIME_NONE ? INT64_MIN : start;
    int64_t high = future || end == TIME_NONE ? INT64_MAX : end;
    struct meta_value args[] = {meta_text(dag_id), meta_int(low), meta_int(high)};
    return meta_run(o->meta, META_RUNS_BETWEEN, args, 3, run_rows_take, out, NULL, d);
}

/* --- clearing ---------------------------------------------------------------------------------
 */

struct clearing {
    const struct ops_clear *c;
    const struct dag *dag;
    const uint8_t *chosen;
    struct slice but; /* not this task */
    struct arena *arena;
    struct task_rows *cleared;
};

static bool wanted(const struct clearing *k, const struct task_row *t)
{
    const struct ops_clear *c = k->c;
    int32_t at = dag_task_find(k->dag, t->task_id);
    if (at < 0 || !k->chosen[at] || slice_equal(t->task_id, k->but)) return false;
    if (!(k->chosen[at] & CHOSEN_ALL)) {
        bool named = false;
        for (uint32_t i = 0; i < c->task_count && !named; i++)
            named =
                slice_equal(c->tasks[i].id, t->task_id) && c->tasks[i].map_index == t->map_index;
        if (!named) return false;
    }
    if (!c->only_failed && !c->only_running) return true;
    return (c->only_failed && failed_state(t->state)) ||
           (c->only_running && t->state == TASK_RUNNING);
}

static err_t clear_run(struct ops *o, const struct clearing *k, const struct run_row *r,
                       struct diag *d)
{
    struct task_rows all;
    uint32_t before = k->cleared->count;
    err_t err = k->c->dry ? ERR_OK : ops_run_lock(o, r->id, d);
    if (!err) err = task_rows_of_run(o->meta, r->id, k->arena, &all, d);
    for (uint32_t i = 0; !err && i < all.count; i++) {
        if (!wanted(k, &all.at[i])) continue;
        err = task_rows_add(k->cleared, k->arena, &all.at[i]);
        if (!err && !k->c->dry) err = ops_clear_one(o, k->dag, &all.at[i], d);
    }
    bool again = k->cleared->count > before && run_state_finished(r->state) && !k->c->keep_runs;
    return !err && again && !k->c->dry ? ops_run_requeue(o, r, d) : err;
}

static err_t clear_all(struct ops *o, const struct clearing *k, struct diag *d)
{
    const struct ops_clear *c = k->c;
    struct run_rows runs = {.arena = k->arena};
    err_t err =
        choose_runs(o, c->dag_id, c->run_id, c->past, c->future, c->start, c->end, &runs, d);
    for (uint32_t i = 0; i < runs.count && !err; i++) err = clear_run(o, k, &runs.at[i], d);
    return err;
}

static err_t clear_body(struct ops *o, void *ctx, struct diag *d)
{
    struct clearing *k = ctx;
    *k->cleared = (struct task_rows){0};
    err_t err = clear_all(o, k, d);
    if (err || k->c->dry) return err;
    char text[64];
    struct buf extra = buf_over(text, sizeof(text));
    buf_printf(&extra, "{\"count\": %u}", k->cleared->count);
    struct ops_event e = {.event = "clear",
                          .dag_id = k->c->dag_id,
                          .run_id = k->c->run_id,
                          .logical = TIME_NONE,
                          .extra = buf_view(&extra)};
    return ops_event_put(o, &e, d);
}

err_t ops_tasks_clear(struct ops *o, const struct ops_clear *c, struct arena *a,
                      struct task_rows *cleared, struct diag *d)
{
    struct clearing k = {.c = c, .arena = a, .cleared = cleared};
    uint8_t *chosen = NULL;
    err_t err = ops_dag(o, c->dag_id, &k.dag, d);
    if (err) return err;
    err = choose(k.dag, c, a, &chosen, d);
    k.chosen = chosen;
    if (!err) err = ops_transact(o, clear_body, &k, d);
    dag_give(k.dag);
    return err;
}

/* --- marking ----------------------------------------------------------------------------------
 */

struct marking {
    const struct ops_mark *m;
    const struct dag *dag;
    uint8_t *chosen; /* by place: with relatives */
    uint32_t task;
    struct clearing below; /* what stands failed below it runs again */
    struct arena *arena;
    struct task_rows *touched, again;
};

static err_t mark_in_run(struct ops *o, struct marking *k, const struct run_row *r, struct diag *d)
{
    struct task_rows all;
    const struct ops_mark *m = k->m;
    err_t err = m->dry ? ERR_OK : ops_run_lock(o, r->id, d);
    if (!err) err = task_rows_of_run(o->meta, r->id, k->arena, &all, d);
    for (uint32_t i = 0; !err && i < all.count; i++) {
        const struct task_row *t = &all.at[i];
        int32_t at = dag_task_find(k->dag, t->task_id);
        if (at < 0 || !k->chosen[at] || t->state == m->state) continue;
        bool itself = (uint32_t)at == k->task;
        if (itself && m->task.map_index != OPS_ALL_MAPPED && m->task.map_index != t->map_index)
            continue;
        err = task_rows_add(k->touched, k->arena, t);
        if (!err && !m->dry) err = ops_mark_one(o, t, m->state, d);
    }
    return err;
}

static err_t mark_body(struct ops *o, void *ctx, struct diag *d)
{
    struct marking *k = ctx;
    const struct ops_mark *m = k->m;
    struct run_rows runs = {.arena = k->arena};
    *k->touched = k->again = (struct task_rows){0};
    err_t err =
        choose_runs(o, m->dag_id, m->run_id, m->past, m->future, TIME_NONE, TIME_NONE, &runs, d);
    for (uint32_t i = 0; i < runs.count && !err; i++) err = mark_in_run(o, k, &runs.at[i], d);
    if (err || m->dry) return err;
    err = clear_all(o, &k->below, d);
    struct ops_event e = {.event = task_state_name(m->state),
                          .dag_id = m->dag_id,
                          .run_id = m->run_id,
                          .task_id = m->task.id,
                          .map_index = m->task.map_index == OPS_ALL_MAPPED ? -1 : m->task.map_index,
                          .logical = TIME_NONE,
                          .extra = SLICE("{\"marked\": true}")};
    return err ? err : ops_event_put(o, &e, d);
}

static err_t mark(struct ops *o, struct marking *k, struct diag *d)
{
    const struct ops_mark *m = k->m;
    const struct dag *g = k->dag;
    int32_t at = dag_task_find(g, m->task.id);
    if (at < 0)
        return diag_fail(d, ERR_NOT_FOUND, "Task ID '%.*s' not found", SLICE_ARG(m->task.id));
    k->task = (uint32_t)at;
    k->chosen = arena_take(k->arena, g->task_count + 1);
    uint32_t *flat = arena_take(k->arena, (g->task_count + 1) * sizeof(*flat));
    uint8_t *chosen = NULL;
    if (!k->chosen || !flat) return ERR_NO_MEMORY;
    k->chosen[at] = CHOSEN_ALL;
    if (m->downstream) choose_flat(g, k->task, false, k->chosen, flat);
    uint32_t count = m->upstream ? dag_flat(g, k->task, true, flat) : 0;
    for (uint32_t i = 0; count != GRAPH_NONE && i < count; i++) k->chosen[flat[i]] = CHOSEN_ALL;
    struct ops_task itself = {m->task.id, OPS_ALL_MAPPED};
    struct ops_clear below = {.dag_id = m->dag_id,
                              .run_id = m->run_id,
                              .start = TIME_NONE,
                              .end = TIME_NONE,
                              .tasks = &itself,
                              .task_count = 1,
                              .downstream = true,
                              .past = m->past,
                              .future = m->future,
                              .only_failed = true};
    err_t err = choose(g, &below, k->arena, &chosen, d);
    k->below = (struct clearing){&below, g, chosen, m->task.id, k->arena, &k->again};
    return err ? err : ops_transact(o, mark_body, k, d);
}

err_t ops_task_mark(struct ops *o, const struct ops_mark *m, struct arena *a,
                    struct task_rows *touched, struct diag *d)
{
    struct marking k = {.m = m, .arena = a, .touched = touched};
    if (m->state != TASK_SUCCESS && m->state != TASK_FAILED && m->state != TASK_SKIPPED)
        return diag_fail(d, ERR_USAGE, "'%s' is not one of ['success', 'failed', 'skipped']",
                         task_state_name(m->state) ? task_state_name(m->state) : "None");
    err_t err = ops_dag(o, m->dag_id, &k.dag, d);
    if (err) return err;
    err = mark(o, &k, d);
    dag_give(k.dag);
    return err;
}
