/* trigger_dag and dag_sensor: other dags, by the workflows' database. */
#include "sched/workshop_int.h"

#include "os/clock.h"
#include "sched/moment.h"
#include "sched/ops.h"

#include <stdio.h>

static const struct dag *find_dag(void *ctx, struct slice id)
{
    return sched_dag(((struct workshop *)ctx)->sched, id);
}

static uint32_t find_dags(void *ctx, const struct dag **out, uint32_t max)
{
    return sched_dags(((struct workshop *)ctx)->sched, out, max);
}

static bool is_one_of(const struct slice *words, uint32_t count, const char *word)
{
    for (uint32_t i = 0; i < count; i++)
        if (slice_is(words[i], word)) return true;
    return false;
}

/* --- trigger_dag ------------------------------------------------------------------------------
 */

struct triggering {
    struct work *k;
    struct ops ops;
    struct slice *allowed, *failed;
    uint32_t allowed_count, failed_count;
    int64_t poke;
    bool waits, resets, skips;
};

static err_t triggering_read(struct triggering *g, struct worker *t, struct diag *d)
{
    struct work *k = g->k;
    err_t e = worker_meta(t, &g->ops.meta, d);
    if (!e) e = work_bool(k, "wait_for_completion", &g->waits, d);
    if (!e) e = work_bool(k, "reset_dag_run", &g->resets, d);
    if (!e) e = work_bool(k, "skip_when_already_exists", &g->skips, d);
    if (!e) e = work_span(k, "poke_interval", &g->poke, d);
    if (!e) e = work_texts(k, "allowed_states", &g->allowed, &g->allowed_count, d);
    if (!e) e = work_texts(k, "failed_states", &g->failed, &g->failed_count, d);
    g->ops.now_us = workshop_now(k->w);
    g->ops.dag = find_dag;
    g->ops.dags = find_dags;
    g->ops.ctx = k->w;
    g->ops.via = "operator";
    g->ops.seed = (uint64_t)clock_mono_ns() ^ (uint64_t)k->order->key.run << 32;
    return e;
}

static err_t conf_json(struct work *k, struct slice *out, struct diag *d)
{
    const struct doc *conf = work_option(k, "conf");
    struct buf json = buf_make(1 << 20);
    if (!conf) return ERR_OK;
    if (conf->kind != DOC_MAP) return diag_fail(d, ERR_CONFIG, "conf is not a map");
    doc_put_json(&json, conf);
    *out = json.err ? (struct slice){0} : arena_slice(k->arena, buf_view(&json));
    buf_done(&json);
    return out->at ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for conf");
}

static err_t take_found_run(void *ctx, const struct meta_row *row)
{
    void **both = ctx;
    return run_row_read(row, both[0], both[1]);
}

static err_t run_at(struct work *k, struct meta *m, enum meta_statement s, struct slice dag_id,
                    int64_t logical, struct run_row *out, struct diag *d)
{
    struct meta_value args[] = {meta_text(dag_id), meta_int(logical)};
    void *both[] = {k->arena, out};
    *out = (struct run_row){0};
    return meta_run(m, s, args, 2, take_found_run, both, NULL, d);
}

/* What is there already: by its id, or by its logical date. */
static err_t clear_there(struct triggering *g, const struct ops_trigger *asked, struct run_row *run,
                         struct diag *d)
{
    struct slice run_id = asked->run_id;
    err_t e = ERR_OK;
    if (!run_id.len) {
        e = run_at(g->k, g->ops.meta, META_RUN_AT_LOGICAL, asked->dag_id, asked->logical, run, d);
        run_id = run->run_id;
    }
    return e ? e
             : ops_run_clear(&g->ops, asked->dag_id, run_id, false, false, g->k->arena, NULL, run,
                             d);
}

static err_t trigger(struct triggering *g, struct run_row *run, struct work_answer *out,
                     struct diag *d)
{
    struct work *k = g->k;
    struct slice date = slice_trim(work_text(k, "logical_date"));
    struct ops_trigger asked = {.dag_id = work_text(k, "trigger_dag"),
                                .run_id = work_text(k, "trigger_run_id"),
                                .logical = TIME_NONE,
                                .interval_start = TIME_NONE,
                                .interval_end = TIME_NONE,
                                .run_after = TIME_NONE};
    err_t e = conf_json(k, &asked.conf, d);
    if (!e && date.len) e = moment_parse(date, NULL, &asked.logical, d);
    if (e) return e;
    e = ops_trigger(&g->ops, &asked, k->arena, run, d);
    if (e == ERR_EXISTS && g->skips) {
        out->outcome = WORK_SKIPPED;
        out->message = SLICE("the run is there already");
        return ERR_OK;
    }
    if (e == ERR_EXISTS && g->resets) {
        work_say(k, "INFO", "Clearing the run that is there already");
        e = clear_there(g, &asked, run, d);
    }
    if (e) return e;
    sched_wake(k->w->sched);
    out->message =
        work_printf(k, "triggered %.*s, run %.*s", SLICE_ARG(run->dag_id), SLICE_ARG(run->run_id));
    return ERR_OK;
}

/* Does the run that was triggered let this task end? */
static err_t look_at_run(struct triggering *g, const struct run_row *run, struct work_answer *out,
                         struct diag *d)
{
    const char *state = run_state_name(run->state);
    out->message = work_printf(g->k, "run %.*s of %.*s is %s", SLICE_ARG(run->run_id),
                               SLICE_ARG(run->dag_id), state);
    if (is_one_of(g->failed, g->failed_count, state))
        return diag_fail(d, ERR_CONSTRAINT, "%.*s failed with failed state %s",
                         SLICE_ARG(run->dag_id), state);
    if (is_one_of(g->allowed, g->allowed_count, state)) return ERR_OK;
    out->outcome = WORK_AGAIN;
    out->again_us = workshop_now(g->k->w) + g->poke;
    out->state = run->run_id;
    return ERR_OK;
}

err_t kind_trigger_dag(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct triggering g = {.k = k};
    struct run_row run = {0};
    err_t e = triggering_read(&g, t, d);
    if (!e && k->order->state.len)
        e = run_row_find(g.ops.meta, work_text(k, "trigger_dag"), k->order->state, k->arena, &run,
                         d);
    else if (!e)
        e = trigger(&g, &run, out, d);
    if (e || out->outcome == WORK_SKIPPED) return e;
    struct doc *id = arena_take(k->arena, sizeof(*id));
    if (!id) return diag_fail(d, ERR_NO_MEMORY, "no memory for a task's result");
    *id = (struct doc){.kind = DOC_TEXT, .text = run.run_id};
    out->result = id;
    return g.waits ? look_at_run(&g, &run, out, d) : ERR_OK;
}

/* --- dag_sensor -------------------------------------------------------------------------------
 */

struct watching {
    struct work *k;
    struct slice dag_id;
    struct slice *tasks, *allowed, *failed, *skipped;
    uint32_t task_count, allowed_count, failed_count, skipped_count;
    uint32_t seen, fine, bad, left_out; /* of what is looked at */
};

static err_t watching_read(struct watching *x, struct diag *d)
{
    struct work *k = x->k;
    x->dag_id = work_text(k, "dag_sensor");
    err_t e = work_texts(k, "task", &x->tasks, &x->task_count, d);
    if (!e) e = work_texts(k, "allowed_states", &x->allowed, &x->allowed_count, d);
    if (!e) e = work_texts(k, "failed_states", &x->failed, &x->failed_count, d);
    if (!e) e = work_texts(k, "skipped_states", &x->skipped, &x->skipped_count, d);
    return e;
}

static err_t check_existence(struct watching *x, struct diag *d)
{
    const struct dag *g = sched_dag(x->k->w->sched, x->dag_id);
    bool asked;
    err_t e = work_bool(x->k, "check_existence", &asked, d);
    if (!e && asked && !g)
        e = diag_fail(d, ERR_NOT_FOUND, "The external DAG %.*s does not exist.",
                      SLICE_ARG(x->dag_id));
    for (uint32_t i = 0; !e && asked && i < x->task_count; i++)
        if (dag_task_find(g, x->tasks[i]) < 0)
            e = diag_fail(d, ERR_NOT_FOUND, "The external task %.*s in DAG %.*s does not exist.",
                          SLICE_ARG(x->tasks[i]), SLICE_ARG(x->dag_id));
    if (g) dag_give(g);
    return e;
}

/* Which run: at the same logical date, that much earlier, at another date, or the newest. */
static err_t find_run(struct watching *x, struct meta *m, struct run_row *run, struct diag *d)
{
    struct work *k = x->k;
    struct slice date = slice_trim(work_text(k, "logical_date"));
    int64_t delta, logical = TIME_NONE;
    err_t e = work_span(k, "execution_delta", &delta, d);
    if (e) return e;
    if (slice_is(date, "latest"))
        return run_at(k, m, META_RUN_BEFORE, x->dag_id, INT64_MAX, run, d);
    if (date.len)
        e = moment_parse(date, NULL, &logical, d);
    else if (!work_moment(k, "logical_date", &logical))
        e = diag_fail(d, ERR_CONFIG, "this run has no logical date: give logical_date");
    if (!e && delta > 0) logical -= delta;
    return e ? e : run_at(k, m, META_RUN_AT_LOGICAL, x->dag_id, logical, run, d);
}

static void count_state(struct watching *x, const char *state)
{
    x->seen++;
    x->fine += is_one_of(x->allowed, x->allowed_count, state);
    x->bad += is_one_of(x->failed, x->failed_count, state);
    x->left_out += is_one_of(x->skipped, x->skipped_count, state);
}

static err_t take_state(void *ctx, const struct meta_row *row)
{
    char state[32] = "none";
    if (row->at[0].kind == META_TEXT) (void)slice_to_cstr(row->at[0].text, state, sizeof(state));
    count_state(ctx, state);
    return ERR_OK;
}

static err_t look_at_tasks(struct watching *x, struct meta *m, const struct run_row *run,
                           bool *all_there, struct diag *d)
{
    err_t e = ERR_OK;
    *all_there = run->id != 0;
    for (uint32_t i = 0; run->id && i < x->task_count && !e; i++) {
        uint32_t before = x->seen;
        struct meta_value args[] = {meta_int(run->id), meta_text(x->tasks[i])};
        e = meta_run(m, META_TASK_STATES_OF, args, 2, take_state, x, NULL, d);
        if (x->seen == before) *all_there = false;
    }
    if (run->id && !x->task_count) count_state(x, run_state_name(run->state));
    return e;
}

err_t kind_dag_sensor(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct watching x = {.k = k};
    struct run_row run = {0};
    struct meta *m;
    bool all = false;
    err_t e = watching_read(&x, d);
    if (!e) e = worker_meta(t, &m, d);
    if (!e) e = check_existence(&x, d);
    if (!e) e = find_run(&x, m, &run, d);
    if (!e) e = look_at_tasks(&x, m, &run, &all, d);
    if (e) return e;
    if (x.bad) {
        out->outcome = WORK_FAILED;
        out->message = work_printf(k, "the external %s of DAG %.*s failed",
                                   x.task_count ? "task" : "run", SLICE_ARG(x.dag_id));
    } else if (x.left_out) {
        out->outcome = WORK_SKIPPED;
        out->message = work_printf(k,
                                   "the external %s of DAG %.*s reached a state in "
                                   "skipped_states",
                                   x.task_count ? "task" : "run", SLICE_ARG(x.dag_id));
    } else if (!all || x.fine < x.seen) {
        out->outcome = WORK_AGAIN;
        out->message = run.id ? work_printf(k, "%u of %u in %.*s are in an allowed state", x.fine,
                                            x.seen, SLICE_ARG(run.run_id))
                              : work_printf(k, "%.*s has no such run yet", SLICE_ARG(x.dag_id));
    }
    return ERR_OK;
}
