#include "sched/rows.h"

#include "base/hash.h"
#include "sched/dag.h"

struct reader { /* a row's columns, one after another; the first failure stays */
    const struct meta_row *row;
    struct arena *arena;
    uint32_t at;
    err_t err;
};

static int64_t next_int(struct reader *r, int64_t when_null)
{
    const struct meta_value *v = &r->row->at[r->at++];
    return v->kind == META_NULL ? when_null : v->number;
}

static int64_t next_time(struct reader *r)
{
    return next_int(r, TIME_NONE);
}

static struct slice next_text(struct reader *r)
{
    const struct meta_value *v = &r->row->at[r->at++];
    if (v->kind == META_NULL) return (struct slice){0};
    struct slice copy = v->text.len ? arena_slice(r->arena, v->text) : slice_of("");
    if (!copy.at) r->err = ERR_NO_MEMORY;
    return copy;
}

err_t run_row_read(const struct meta_row *row, struct arena *a, struct run_row *out)
{
    struct reader r = {row, a, 0, ERR_OK};
    *out = (struct run_row){.id = next_int(&r, 0)};
    out->dag_id = next_text(&r);
    out->run_id = next_text(&r);
    struct slice type = next_text(&r), state = next_text(&r);
    out->logical = next_time(&r);
    out->interval_start = next_time(&r);
    out->interval_end = next_time(&r);
    out->run_after = next_time(&r);
    out->queued_at = next_time(&r);
    out->started_at = next_time(&r);
    out->ended_at = next_time(&r);
    out->last_decision = next_time(&r);
    out->conf = next_text(&r);
    out->note = next_text(&r);
    out->triggered_by = next_text(&r);
    out->triggering_user = next_text(&r);
    out->owner = next_text(&r);
    out->backfill_id = next_int(&r, 0);
    out->dag_version = next_int(&r, 0);
    out->clear_number = next_int(&r, 0);
    out->token = next_int(&r, 0);
    out->version = next_int(&r, 0);
    out->external = next_int(&r, 0) != 0;
    if (r.err) return r.err;
    bool known = run_type_parse(type, &out->type) && run_state_parse(state, &out->state);
    return known ? ERR_OK : ERR_CORRUPT;
}

err_t task_row_read(const struct meta_row *row, struct arena *a, struct task_row *out)
{
    struct reader r = {row, a, 0, ERR_OK};
    *out = (struct task_row){.run = next_int(&r, 0)};
    out->dag_id = next_text(&r);
    out->run_id = next_text(&r);
    out->task_id = next_text(&r);
    out->uuid = next_text(&r);
    out->map_index = (int32_t)next_int(&r, -1);
    out->try_number = (int32_t)next_int(&r, 0);
    out->max_tries = (int32_t)next_int(&r, 0);
    struct slice state = next_text(&r);
    out->scheduled_at = next_time(&r);
    out->queued_at = next_time(&r);
    out->started_at = next_time(&r);
    out->ended_at = next_time(&r);
    out->not_before = next_time(&r);
    out->logical = next_time(&r);
    out->token = next_int(&r, 0);
    out->version = next_int(&r, 0);
    out->pid = next_int(&r, 0);
    out->kind = next_text(&r);
    out->pool = next_text(&r);
    out->work = next_text(&r);
    out->host = next_text(&r);
    out->note = next_text(&r);
    out->rendered = next_text(&r);
    out->message = next_text(&r);
    out->map_label = next_text(&r);
    out->slots = (int32_t)next_int(&r, 1);
    out->weight = (int32_t)next_int(&r, 1);
    if (r.err) return r.err;
    return task_state_parse(state, &out->state) ? ERR_OK : ERR_CORRUPT;
}

/* --- one, or a run's all ----------------------------------------------------------------------
 */

struct one_run {
    struct arena *arena;
    struct run_row *out;
    bool found;
};

static err_t take_run(void *ctx, const struct meta_row *row)
{
    struct one_run *o = ctx;
    o->found = true;
    return run_row_read(row, o->arena, o->out);
}

err_t run_row_find(struct meta *m, struct slice dag_id, struct slice run_id, struct arena *a,
                   struct run_row *out, struct diag *d)
{
    struct one_run one = {a, out, false};
    struct meta_value args[] = {meta_text(dag_id), meta_text(run_id)};
    err_t e = meta_run(m, META_RUN_FIND, args, 2, take_run, &one, NULL, d);
    if (e || one.found) return e;
    return diag_fail(d, ERR_NOT_FOUND, "DAGRun with DAG ID: '%.*s' and DagRun ID: '%.*s' not found",
                     SLICE_ARG(dag_id), SLICE_ARG(run_id));
}

err_t run_row_get(struct meta *m, int64_t id, struct arena *a, struct run_row *out, struct diag *d)
{
    struct one_run one = {a, out, false};
    struct meta_value args[] = {meta_int(id)};
    err_t e = meta_run(m, META_RUN_GET, args, 1, take_run, &one, NULL, d);
    if (e || one.found) return e;
    return diag_fail(d, ERR_NOT_FOUND, "no dag run with number %lld", (long long)id);
}

struct one_task {
    struct arena *arena;
    struct task_row *out;
    bool found;
};

static err_t take_task(void *ctx, const struct meta_row *row)
{
    struct one_task *o = ctx;
    o->found = true;
    return task_row_read(row, o->arena, o->out);
}

err_t task_row_find(struct meta *m, struct slice dag_id, struct slice run_id, struct slice task_id,
                    int32_t map_index, struct arena *a, struct task_row *out, struct diag *d)
{
    struct one_task one = {a, out, false};
    struct meta_value args[] = {meta_text(dag_id), meta_text(run_id), meta_text(task_id),
                                meta_int(map_index)};
    err_t e = meta_run(m, META_TASK_FIND, args, 4, take_task, &one, NULL, d);
    if (e || one.found) return e;
    return diag_fail(d, ERR_NOT_FOUND,
                     "Task instance not found: dag '%.*s', run '%.*s', task '%.*s', map index %d",
                     SLICE_ARG(dag_id), SLICE_ARG(run_id), SLICE_ARG(task_id), map_index);
}

struct all_tasks {
    struct arena *arena;
    struct task_rows *out;
};

err_t task_rows_add(struct task_rows *rows, struct arena *a, const struct task_row *row)
{
    if (rows->count == rows->cap) {
        uint32_t cap = rows->cap ? 2 * rows->cap : 16;
        struct task_row *grown =
            arena_resize(a, rows->at, rows->cap * sizeof(*rows->at), cap * sizeof(*rows->at));
        if (!grown) return ERR_NO_MEMORY;
        rows->at = grown;
        rows->cap = cap;
    }
    rows->at[rows->count++] = *row;
    return ERR_OK;
}

static err_t take_tasks(void *ctx, const struct meta_row *row)
{
    struct all_tasks *all = ctx;
    struct task_row task;
    err_t e = task_row_read(row, all->arena, &task);
    return e ? e : task_rows_add(all->out, all->arena, &task);
}

err_t task_rows_of_run(struct meta *m, int64_t run, struct arena *a, struct task_rows *out,
                       struct diag *d)
{
    *out = (struct task_rows){0};
    struct all_tasks all = {a, out};
    struct meta_value args[] = {meta_int(run)};
    return meta_run(m, META_TASKS_OF_RUN, args, 1, take_tasks, &all, NULL, d);
}

struct newest {
    struct arena *arena;
    err_t (*each)(void *ctx, const struct run_row *run);
    void *ctx;
};

static err_t take_newest(void *ctx, const struct meta_row *row)
{
    const struct newest *n = ctx;
    struct run_row run;
    err_t e = run_row_read(row, n->arena, &run);
    return e ? e : n->each(n->ctx, &run);
}

err_t runs_newest(struct meta *m, struct slice dag_id, int64_t most, struct arena *a,
                  err_t (*each)(void *ctx, const struct run_row *run), void *ctx, struct diag *d)
{
    struct newest n = {a, each, ctx};
    struct meta_value args[] = {meta_text(dag_id), meta_int(most)};
    return meta_run(m, META_RUNS_NEWEST, args, 2, take_newest, &n, NULL, d);
}

struct last_ended {
    err_t (*each)(void *ctx, struct slice dag_id, enum run_state state);
    void *ctx;
};

static err_t take_last_ended(void *ctx, const struct meta_row *row)
{
    const struct last_ended *l = ctx;
    enum run_state state;
    return run_state_parse(row->at[1].text, &state) ? l->each(l->ctx, row->at[0].text, state)
                                                    : ERR_CORRUPT;
}

err_t runs_last_ended(struct meta *m,
                      err_t (*each)(void *ctx, struct slice dag_id, enum run_state state),
                      void *ctx, struct diag *d)
{
    struct last_ended l = {each, ctx};
    return meta_run(m, META_RUNS_LAST_ENDED, NULL, 0, take_last_ended, &l, NULL, d);
}

struct summaries {
    err_t (*each)(void *ctx, const struct task_summary *t);
    void *ctx;
};

static err_t take_summary(void *ctx, const struct meta_row *row)
{
    const struct summaries *s = ctx;
    struct reader r = {row, NULL, 2, ERR_OK};
    struct task_summary t = {.task_id = row->at[0].text};
    t.count = next_int(&r, 0);
    t.started_at = next_time(&r);
    t.ended_at = next_time(&r);
    t.has_note = next_int(&r, 0) != 0;
    t.is_mapped = next_int(&r, -1) >= 0;
    struct slice state = row->at[1].kind == META_NULL ? (struct slice){0} : row->at[1].text;
    return task_state_parse(state, &t.state) ? s->each(s->ctx, &t) : ERR_CORRUPT;
}

err_t task_summaries(struct meta *m, int64_t run,
                     err_t (*each)(void *ctx, const struct task_summary *t), void *ctx,
                     struct diag *d)
{
    struct summaries s = {each, ctx};
    struct meta_value args[] = {meta_int(run)};
    return meta_run(m, META_TASK_SUMMARIES, args, 1, take_summary, &s, NULL, d);
}

err_t task_row_insert(struct meta *m, const struct task_new *n, int64_t now_us, struct rng *rng,
                      struct diag *d)
{
    const struct dag_task *t = n->task;
    const char *state = task_state_name(n->state);
    uint8_t random[10];
    char uuid[37];
    for (size_t i = 0; i < sizeof(random); i++) random[i] = (uint8_t)rng_next(rng);
    uuid_print(uuid_v7(now_us / 1000, random), uuid);
    struct meta_value args[] = {
        meta_int(n->run),
        meta_text(t->id),
        meta_int(n->map_index),
        meta_text(slice_of(uuid)),
        state ? meta_text(slice_of(state)) : meta_null(),
        meta_int(n->max_tries),
        meta_text(slice_of(t->kind->operator_name)),
        meta_text(t->pool),
        meta_int(t->pool_slots),
        meta_int(MIN(t->weight, INT32_MAX)),
        meta_int(n->dag_version),
    };
    return meta_run(m, META_TASK_INSERT, args, COUNT_OF(args), NULL, NULL, NULL, d);
}
