#include "sched/ops_int.h"

#include "base/hash.h"

struct triggering {
    const struct ops_trigger *t;
    const struct dag *dag;
    struct arena *arena;
    struct run_row *out;
    int64_t dag_version;
};

static err_t take_version(void *ctx, const struct meta_row *row)
{
    ((struct triggering *)ctx)->dag_version = row->at[6].number;
    return ERR_OK;
}

struct finding {
    struct arena *arena;
    bool any;
};

static err_t found(void *ctx, const struct meta_row *row)
{
    (void)row;
    ((struct finding *)ctx)->any = true;
    return ERR_OK;
}

static err_t is_free(struct ops *o, enum meta_statement s, struct slice dag_id,
                     struct meta_value second, bool *free, struct diag *d)
{
    struct finding f = {0};
    struct meta_value args[] = {meta_text(dag_id), second};
    err_t err = meta_run(o->meta, s, args, 2, found, &f, NULL, d);
    *free = !f.any;
    return err;
}

/* When it is for: said, or now (a microsecond later while somebody has that one). */
static err_t choose_logical(struct ops *o, struct triggering *g, int64_t *logical, struct diag *d)
{
    const struct ops_trigger *t = g->t;
    *logical = TIME_NONE;
    if (t->no_logical) return ERR_OK;
    bool free = false;
    err_t err = ERR_OK;
    *logical = t->logical != TIME_NONE ? t->logical : o->now_us;
    for (int n = 0; n < 1000 && !err && !free; n++) {
        err = is_free(o, META_RUN_AT_LOGICAL, t->dag_id, meta_int(*logical), &free, d);
        if (!err && !free && t->logical != TIME_NONE && !t->only.len) {
            char text[64];
            struct buf moment = buf_over(text, sizeof(text));
            moment_put(&moment, *logical);
            return diag_fail(d, ERR_EXISTS,
                             "DAGRun with DAG ID: '%.*s' and DAGRun logical date: '%.*s' already "
                             "exists",
                             SLICE_ARG(t->dag_id), SLICE_ARG(buf_view(&moment)));
        }
        if (!free) (*logical)++;
    }
    return err;
}

static err_t choose_id(struct ops *o, struct triggering *g, int64_t logical, struct slice *id,
                       struct diag *d)
{
    const struct ops_trigger *t = g->t;
    bool free;
    *id = t->run_id;
    if (t->run_id.len == 0) {
        char text[128];
        struct buf made = buf_over(text, sizeof(text));
        if (t->only.len) {
            buf_text(&made, RUN_TEST_PREFIX);
            moment_put(&made, o->now_us);
            buf_text(&made, "__");
        } else {
            run_id_put(&made, RUN_MANUAL, logical != TIME_NONE ? logical : o->now_us);
        }
        *id = arena_slice(g->arena, buf_view(&made));
        if (!id->at) return ERR_NO_MEMORY;
    }
    if (!run_id_fits(*id))
        return diag_fail(d, ERR_USAGE,
                         "The run_id provided '%.*s' does not match regex pattern "
                         "'^[A-Za-z0-9_.~:+-]+$'",
                         SLICE_ARG(*id));
    err_t err = is_free(o, META_RUN_FIND, t->dag_id, meta_text(*id), &free, d);
    if (err || free) return err;
    return diag_fail(d, ERR_EXISTS,
                     "DAGRun with DAG ID: '%.*s' and DAGRun ID: '%.*s' already exists",
                     SLICE_ARG(t->dag_id), SLICE_ARG(*id));
}

static struct meta_value time_value(int64_t us)
{
    return us == TIME_NONE ? meta_null() : meta_int(us);
}

static err_t insert(struct ops *o, struct triggering *g, struct slice id, int64_t logical,
                    struct diag *d)
{
    const struct ops_trigger *t = g->t;
    int64_t after = t->run_after != TIME_NONE ? t->run_after : o->now_us;
    struct data_interval in = {t->interval_start, t->interval_end};
    bool said = in.start_us != TIME_NONE && in.end_us != TIME_NONE;
    if (!said && !timetable_manual(&g->dag->schedule, logical != TIME_NONE ? logical : after, &in))
        in = (struct data_interval){logical, logical};
    if (t->no_logical && !said) in = (struct data_interval){TIME_NONE, TIME_NONE};
    struct meta_value args[] = {
        meta_text(t->dag_id),
        meta_text(id),
        meta_text(slice_of(run_type_name(RUN_MANUAL))),
        time_value(logical),
        time_value(in.start_us),
        time_value(in.end_us),
        meta_int(after),
        meta_int(o->now_us),
        meta_text(t->conf.len ? t->conf : SLICE("{}")),
        meta_text(t->note),
        meta_text(slice_of(o->via)),
        meta_text(o->user),
        meta_null(),
        meta_int(g->dag_version),
        meta_int(1),
    };
    int64_t changed = 0;
    err_t err = meta_run(o->meta, META_RUN_INSERT, args, COUNT_OF(args), NULL, NULL, &changed, d);
    if (err) return err;
    err = run_row_find(o->meta, t->dag_id, id, g->arena, g->out, d);
    return err == ERR_NOT_FOUND ? diag_fail(d, ERR_BUSY, "somebody else has triggered it") : err;
}

/* A test's run: the task waits, once and without another try; the others are done. */
static err_t stand_alone(struct ops *o, struct triggering *g, struct diag *d)
{
    struct rng rng = rng_make(o->seed);
    err_t err = ERR_OK;
    for (uint32_t n = 0; n < g->dag->task_count && !err; n++) {
        const struct dag_task *t = &g->dag->tasks[n];
        bool it = slice_equal(t->id, g->t->only);
        struct task_new row = {g->out->id, t, -1, it ? TASK_NONE : TASK_SUCCESS, 0, g->dag_version};
        err = task_row_insert(o->meta, &row, o->now_us, &rng, d);
    }
    return err;
}

static err_t trigger_body(struct ops *o, void *ctx, struct diag *d)
{
    struct triggering *g = ctx;
    struct slice id;
    int64_t logical;
    struct meta_value args[] = {meta_text(g->t->dag_id)};
    g->dag_version = 1;
    err_t err = meta_run(o->meta, META_DAG_TAKE, args, 1, take_version, g, NULL, d);
    if (!err) err = choose_logical(o, g, &logical, d);
    if (!err) err = choose_id(o, g, logical, &id, d);
    if (!err) err = insert(o, g, id, logical, d);
    if (!err && g->t->only.len) err = stand_alone(o, g, d);
    if (err) return err;
    struct ops_event e = {.event = "trigger_dag_run",
                          .dag_id = g->t->dag_id,
                          .run_id = id,
                          .logical = logical,
                          .extra = g->t->conf};
    return ops_event_put(o, &e, d);
}

err_t ops_trigger(struct ops *o, const struct ops_trigger *t, struct arena *a, struct run_row *out,
                  struct diag *d)
{
    struct triggering g = {.t = t, .arena = a, .out = out};
    struct doc conf = {.kind = DOC_MAP};
    err_t err = ops_dag(o, t->dag_id, &g.dag, d);
    if (err) return err;
    if (t->only.len && dag_task_find(g.dag, t->only) < 0)
        err = diag_fail(d, ERR_NOT_FOUND, "Task '%.*s' not found in DAG '%.*s'", SLICE_ARG(t->only),
                        SLICE_ARG(t->dag_id));
    if (!err && slice_starts(t->run_id, RUN_TEST_PREFIX))
        err = diag_fail(d, ERR_USAGE,
                        "a run_id that begins with " RUN_TEST_PREFIX " is of `tasks test` alone");
    if (!err && t->conf.len) err = doc_of_json(t->conf, a, &conf, d);
    if (!err && conf.kind != DOC_MAP && conf.kind != DOC_NULL)
        err = diag_fail(d, ERR_USAGE, "conf must be a JSON object");
    if (!err) err = params_check(g.dag, &conf, d);
    if (!err) err = ops_transact(o, trigger_body, &g, d);
    dag_give(g.dag);
    return err;
}
