#include "sched/ops_int.h"

/* --- what all share ---------------------------------------------------------------------------
 */

err_t ops_transact(struct ops *o, err_t (*body)(struct ops *o, void *ctx, struct diag *d),
                   void *ctx, struct diag *d)
{
    err_t err = ERR_BUSY;
    for (int n = 0; n < OPS_TRIES && err == ERR_BUSY; n++) {
        err = meta_begin(o->meta, true, d);
        if (!err) err = body(o, ctx, d);
        if (!err) err = meta_tell(o->meta, d);
        if (!err) err = meta_commit(o->meta, d);
        if (err) meta_rollback(o->meta);
    }
    return err;
}

err_t ops_dag(struct ops *o, struct slice dag_id, const struct dag **out, struct diag *d)
{
    *out = o->dag ? o->dag(o->ctx, dag_id) : NULL;
    if (*out) return ERR_OK;
    return diag_fail(d, ERR_NOT_FOUND, "DAG with dag_id: '%.*s' not found", SLICE_ARG(dag_id));
}

err_t ops_event_put(struct ops *o, const struct ops_event *e, struct diag *d)
{
    struct meta_value args[] = {
        meta_int(o->now_us),
        meta_text(e->dag_id),
        meta_text(e->task_id),
        meta_text(e->run_id),
        e->task_id.at ? meta_int(e->map_index) : meta_null(),
        e->try_number > 0 ? meta_int(e->try_number) : meta_null(),
        meta_text(slice_of(e->event)),
        e->logical == TIME_NONE ? meta_null() : meta_int(e->logical),
        meta_text(o->user),
        meta_text(e->extra),
    };
    return meta_run(o->meta, META_EVENT_PUT, args, COUNT_OF(args), NULL, NULL, NULL, d);
}

err_t ops_run_lock(struct ops *o, int64_t run, struct diag *d)
{
    struct meta_value args[] = {meta_int(run)};
    int64_t changed = 0;
    err_t err = meta_run(o->meta, META_RUN_CHANGE, args, 1, NULL, NULL, &changed, d);
    if (!err && changed == 0) err = diag_fail(d, ERR_NOT_FOUND, "the run is gone");
    return err;
}

err_t run_rows_take(void *ctx, const struct meta_row *row)
{
    struct run_rows *r = ctx;
    if (r->count == OPS_RUNS_MAX) return ERR_TOO_BIG;
    if (r->count == r->cap) {
        uint32_t cap = r->cap ? 2 * r->cap : 8;
        struct run_row *grown =
            arena_resize(r->arena, r->at, r->cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown) return ERR_NO_MEMORY;
        r->at = grown;
        r->cap = cap;
    }
    return run_row_read(row, r->arena, &r->at[r->count++]);
}

/* --- dags -------------------------------------------------------------------------------------
 */

struct dag_op {
    struct slice id;
    bool paused, found, changed;
    int64_t runs_on;
    struct vec runs; /* int64_t */
};

static err_t found(void *ctx, const struct meta_row *row)
{
    (void)row;
    ((struct dag_op *)ctx)->found = true;
    return ERR_OK;
}

static err_t no_dag(struct slice id, struct diag *d)
{
    return diag_fail(d, ERR_NOT_FOUND, "DAG with dag_id: '%.*s' not found", SLICE_ARG(id));
}

static err_t pause_body(struct ops *o, void *ctx, struct diag *d)
{
    struct dag_op *op = ctx;
    int64_t changed = 0;
    struct meta_value args[] = {meta_text(op->id), meta_int(op->paused)};
    op->found = false;
    err_t err = meta_run(o->meta, META_DAG_FIND, args, 1, found, op, NULL, d);
    if (err || !op->found) return err ? err : no_dag(op->id, d);
    err = meta_run(o->meta, META_DAG_PAUSE, args, 2, NULL, NULL, &changed, d);
    op->changed = changed > 0;
    if (err || !op->changed) return err;
    struct ops_event e = {
        .event = op->paused ? "paused" : "unpaused", .dag_id = op->id, .logical = TIME_NONE};
    return ops_event_put(o, &e, d);
}

err_t ops_dag_pause(struct ops *o, struct slice dag_id, bool paused, bool *changed, struct diag *d)
{
    struct dag_op op = {.id = dag_id, .paused = paused};
    err_t err = ops_transact(o, pause_body, &op, d);
    if (changed) *changed = op.changed;
    return err;
}

static err_t take_run(void *ctx, const struct meta_row *row)
{
    struct dag_op *op = ctx;
    if (slice_is(row->at[1].text, "running")) op->runs_on++;
    return vec_push(&op->runs, &row->at[0].number);
}

static err_t forget_run(struct ops *o, int64_t run, struct diag *d)
{
    static const enum meta_statement ALL[] = {META_XCOMS_FORGET, META_TRIES_FORGET,
                                              META_TASKS_FORGET, META_ASSET_EVENTS_OF_RUN_FORGET,
                                              META_RUN_FORGET};
    struct meta_value args[] = {meta_int(run)};
    err_t err = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(ALL) && !err; i++)
        err = meta_run(o->meta, ALL[i], args, 1, NULL, NULL, NULL, d);
    return err;
}

static err_t delete_body(struct ops *o, void *ctx, struct diag *d)
{
    static const enum meta_statement ALL[] = {
        META_BACKFILLS_OF_DAG_FORGET, META_ASSET_QUEUE_CLEAR,       META_DATA_PLACES_FORGET,
        META_DAG_VERSIONS_FORGET,     META_FAVORITES_OF_DAG_FORGET, META_DAG_FORGET};
    struct dag_op *op = ctx;
    struct meta_value args[] = {meta_text(op->id)};
    op->found = false;
    op->runs_on = 0;
    vec_clear(&op->runs);
    err_t err = meta_run(o->meta, META_DAG_FIND, args, 1, found, op, NULL, d);
    if (err || !op->found) return err ? err : no_dag(op->id, d);
    err = meta_run(o->meta, META_DAG_RUN_IDS, args, 1, take_run, op, NULL, d);
    if (!err && op->runs_on > 0)
        return diag_fail(d, ERR_EXISTS, "Task instances of dag with id: '%.*s' are still running",
                         SLICE_ARG(op->id));
    for (size_t i = 0; i < op->runs.count && !err; i++)
        err = forget_run(o, *(int64_t *)vec_at(&op->runs, i), d);
    for (size_t i = 0; i < COUNT_OF(ALL) && !err; i++)
        err = meta_run(o->meta, ALL[i], args, 1, NULL, NULL, NULL, d);
    struct ops_event e = {.event = "delete_dag", .dag_id = op->id, .logical = TIME_NONE};
    return err ? err : ops_event_put(o, &e, d);
}

err_t ops_dag_delete(struct ops *o, struct slice dag_id, struct diag *d)
{
    struct dag_op op = {.id = dag_id, .runs = vec_make(sizeof(int64_t), META_ROWS_MAX)};
    err_t err = ops_transact(o, delete_body, &op, d);
    vec_done(&op.runs);
    return err;
}

/* --- one run: deleted, noted, waited for ------------------------------------------------------
 */

struct run_op {
    struct slice dag_id, run_id, task_id, note;
    int32_t map_index;
    struct arena *arena;
};

static err_t run_delete_body(struct ops *o, void *ctx, struct diag *d)
{
    struct run_op *op = ctx;
    struct run_row r;
    err_t err = run_row_find(o->meta, op->dag_id, op->run_id, op->arena, &r, d);
    if (!err) err = forget_run(o, r.id, d);
    struct ops_event e = {.event = "delete_dag_run", .dag_id = op->dag_id, .run_id = op->run_id};
    e.logical = err ? TIME_NONE : r.logical;
    return err ? err : ops_event_put(o, &e, d);
}

static err_t run_note_body(struct ops *o, void *ctx, struct diag *d)
{
    struct run_op *op = ctx;
    struct run_row r;
    err_t err = run_row_find(o->meta, op->dag_id, op->run_id, op->arena, &r, d);
    struct meta_value args[] = {meta_int(err ? 0 : r.id), meta_text(op->note)};
    if (!err) err = meta_run(o->meta, META_RUN_NOTE, args, 2, NULL, NULL, NULL, d);
    struct ops_event e = {.event = "set_dag_run_note", .dag_id = op->dag_id, .run_id = op->run_id};
    e.logical = err ? TIME_NONE : r.logical;
    return err ? err : ops_event_put(o, &e, d);
}

static err_t task_note_body(struct ops *o, void *ctx, struct diag *d)
{
    struct run_op *op = ctx;
    struct task_row t;
    err_t err = task_row_find(o->meta, op->dag_id, op->run_id, op->task_id, op->map_index,
                              op->arena, &t, d);
    struct meta_value args[] = {meta_int(err ? 0 : t.run), meta_text(op->task_id),
                                meta_int(op->map_index), meta_text(op->note)};
    if (!err) err = meta_run(o->meta, META_TASK_NOTE, args, 4, NULL, NULL, NULL, d);
    struct ops_event e = {.event = "set_task_instance_note",
                          .dag_id = op->dag_id,
                          .run_id = op->run_id,
                          .task_id = op->task_id,
                          .map_index = op->map_index,
                          .logical = TIME_NONE};
    return err ? err : ops_event_put(o, &e, d);
}

static err_t forget_task(struct ops *o, const struct task_row *t, struct diag *d)
{
    static const enum meta_statement ALL[] = {META_XCOM_FORGET, META_TASK_TRIES_FORGET,
                                              META_TASK_FORGET};
    struct meta_value args[] = {meta_int(t->run), meta_text(t->task_id), meta_int(t->map_index)};
    err_t err = ERR_OK;
    for (size_t i = 0; i < COUNT_OF(ALL) && !err; i++)
        err = meta_run(o->meta, ALL[i], args, 3, NULL, NULL, NULL, d);
    return err;
}

static err_t take_instance(void *ctx, const struct meta_row *row)
{
    struct task_row t = {.map_index = (int32_t)row->at[0].number};
    if (row->at[1].kind == META_TEXT && !task_state_parse(row->at[1].text, &t.state))
        return ERR_CORRUPT;
    return vec_push(ctx, &t);
}

static err_t delete_each(struct ops *o, const struct run_op *op, const struct run_row *r,
                         struct vec *all, struct diag *d)
{
    uint32_t gone = 0;
    struct meta_value args[] = {meta_int(r->id), meta_text(op->task_id)};
    err_t err = meta_run(o->meta, META_TASK_INSTANCES_OF, args, 2, take_instance, all, NULL, d);
    for (size_t i = 0; i < all->count && !err; i++) {
        struct task_row *t = vec_at(all, i);
        if (op->map_index != OPS_ALL_MAPPED && op->map_index != t->map_index) continue;
        bool goes_on = r->state == RUN_RUNNING && task_state_active(t->state);
        t->run = r->id;
        t->task_id = op->task_id;
        err = goes_on ? ops_clear_one(o, NULL, t, d) : forget_task(o, t, d);
        gone++;
    }
    return err || gone ? err : diag_fail(d, ERR_NOT_FOUND, "Task instance not found");
}

/* What runs in a run that goes on would be made anew under the name of the work that is being
 * stopped: it is restarted instead. */
static err_t task_delete_body(struct ops *o, void *ctx, struct diag *d)
{
    struct run_op *op = ctx;
    struct run_row r;
    struct vec all = vec_make(sizeof(struct task_row), META_ROWS_MAX);
    err_t err = run_row_find(o->meta, op->dag_id, op->run_id, op->arena, &r, d);
    if (!err) err = ops_run_lock(o, r.id, d);
    if (!err) err = delete_each(o, op, &r, &all, d);
    vec_done(&all);
    struct ops_event e = {.event = "delete_task_instance",
                          .dag_id = op->dag_id,
                          .run_id = op->run_id,
                          .task_id = op->task_id,
                          .map_index = MAX(op->map_index, -1),
                          .logical = err ? TIME_NONE : r.logical};
    return err ? err : ops_event_put(o, &e, d);
}

static err_t with_arena(struct ops *o, err_t (*body)(struct ops *, void *, struct diag *),
                        struct run_op *op, struct diag *d)
{
    op->arena = arena_new(MIB(80));
    if (!op->arena) return ERR_NO_MEMORY;
    err_t err = ops_transact(o, body, op, d);
    arena_free(op->arena);
    return err;
}

err_t ops_run_delete(struct ops *o, struct slice dag_id, struct slice run_id, struct diag *d)
{
    struct run_op op = {.dag_id = dag_id, .run_id = run_id};
    return with_arena(o, run_delete_body, &op, d);
}

err_t ops_run_note(struct ops *o, struct slice dag_id, struct slice run_id, struct slice note,
                   struct diag *d)
{
    struct run_op op = {.dag_id = dag_id, .run_id = run_id, .note = note};
    return with_arena(o, run_note_body, &op, d);
}

err_t ops_task_note(struct ops *o, struct slice dag_id, struct slice run_id, struct slice task_id,
                    int32_t map_index, struct slice note, struct diag *d)
{
    struct run_op op = {dag_id, run_id, task_id, note, map_index, NULL};
    return with_arena(o, task_note_body, &op, d);
}

err_t ops_task_delete(struct ops *o, struct slice dag_id, struct slice run_id,
                      const struct ops_task *t, struct diag *d)
{
    struct run_op op = {dag_id, run_id, t->id, {0}, t->map_index, NULL};
    return with_arena(o, task_delete_body, &op, d);
}

err_t ops_run_wait(struct ops *o, struct slice dag_id, struct slice run_id,
                   bool (*pause)(void *ctx), void *ctx, struct arena *a, struct run_row *out,
                   struct diag *d)
{
    struct arena *look = arena_new(MIB(80));
    if (!look) return ERR_NO_MEMORY;
    err_t err;
    for (;;) {
        arena_reset(look);
        err = run_row_find(o->meta, dag_id, run_id, look, out, d);
        if (err || run_state_finished(out->state)) break;
        if (!pause(ctx)) {
            err = diag_fail(d, ERR_TIMEOUT, "run '%.*s' of dag '%.*s' is still %s",
                            SLICE_ARG(run_id), SLICE_ARG(dag_id), run_state_name(out->state));
            break;
        }
    }
    arena_free(look);
    return err ? err : run_row_find(o->meta, dag_id, run_id, a, out, d);
}
