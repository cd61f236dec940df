/* sluice dags: what is declared, when it runs next; trigger, pause, backfill. */
#include "main/workflows/desk.h"

#include "os/clock.h"

#include "os/dial.h"
#include "sched/moment.h"
#include "sched/things.h"
#include "sched/timetable.h"

#include <stdio.h>
#include <stdlib.h>

/* --- list ---------------------------------------------------------------------------------------
 */

struct kept { /* what the database knows of a dag */
    bool paused;
    int64_t next;
};

struct known {
    struct desk *k;
    struct map *rows; /* of struct kept, by dag */
};

static err_t keep_known(void *ctx, const struct meta_row *row)
{
    struct known *n = ctx;
    struct kept *kept = arena_take(n->k->arena, sizeof *kept);
    if (!kept) return ERR_NO_MEMORY;
    kept->paused = row->at[list_place(LIST_DAGS, "is_paused")].number != 0;
    const struct meta_value *next = &row->at[list_place(LIST_DAGS, "next_dagrun_create_after")];
    kept->next = next->kind == META_NULL ? TIME_NONE : next->number;
    return map_set(n->rows, row->at[list_place(LIST_DAGS, "dag_id")].text, kept);
}

static void put_schedule(struct sheet *s, const struct dag *g)
{
    char text[256];
    struct buf out = buf_over(text, sizeof text);
    schedule_summary(&g->schedule, &out);
    sheet_text(s, buf_view(&out));
}

static err_t list(struct desk *k, struct diag *d)
{
    int64_t total;
    struct known n = {k, map_new(1000000)};
    struct list_ask ask = {.kind = LIST_DAGS, .limit = LIST_WHOLE, .no_total = true};
    if (!n.rows) return diag_fail(d, ERR_NO_MEMORY, "no memory for the dags");
    err_t e = desk_dags(k, d);
    if (!e) e = list_run(k->meta, &ask, keep_known, &n, &total, d);
    struct sheet s = sheet_make(k->airflow ? "dag_id fileloc owners is_paused"
                                           : "dag schedule paused tasks# next file");
    for (size_t i = 0; i < k->dags.count && !e; i++) {
        const struct dag *g = *(const struct dag **)vec_at(&k->dags, i);
        const struct kept *kept = map_get(n.rows, g->id);
        struct slice paused = kept && kept->paused ? SLICE("True") : SLICE("False");
        sheet_text(&s, g->id);
        if (k->airflow) {
            sheet_text(&s, g->file);
            sheet_text(&s, g->owner);
            sheet_text(&s, paused);
            continue;
        }
        put_schedule(&s, g);
        sheet_text(&s, kept && kept->paused ? SLICE("paused") : SLICE("on"));
        sheet_number(&s, g->task_count);
        desk_put_time(&s, kept && !kept->paused ? kept->next : TIME_NONE);
        sheet_text(&s, g->file);
    }
    if (!e && !k->dags.count && !k->json)
        fprintf(stderr, "no dags: they stand in dags.yaml, or in *.yaml of the folder dags/\n");
    else if (!e)
        e = desk_print(k, &s);
    if (!e && k->import_errors && !k->json)
        fprintf(stderr, "%u more are wrong: sluice dags list-import-errors\n", k->import_errors);
    sheet_done(&s);
    map_free(n.rows);
    return e;
}

/* --- import errors ------------------------------------------------------------------------------
 */

struct mistakes {
    struct sheet sheet;
    uint32_t count;
};

static void good(void *ctx, struct dag *g)
{
    (void)ctx;
    dag_give(g);
}

static void bad(void *ctx, struct slice id, const struct diag *d)
{
    struct mistakes *m = ctx;
    m->count++;
    sheet_text(&m->sheet, slice_of(d->where));
    sheet_text(&m->sheet, id);
    sheet_text(&m->sheet, slice_of(d->what)); /* the whole story */
}

/* As the files are now; exit code 1 when there are some, as Airflow's. */
static err_t import_errors(struct desk *k, struct diag *d)
{
    struct mistakes m = {sheet_make("filepath dag error"), 0};
    struct dag_reading into = {&m, good, bad, workflows_defaults(&k->project)};
    err_t e = sched_dags_read(k->project.dir, &into, d);
    if (!e && !m.count && !k->json)
        printf("%s\n", k->airflow ? "No data found" : "no import errors");
    else if (!e)
        e = desk_print(k, &m.sheet);
    sheet_done(&m.sheet);
    return !e && m.count ? ERR_STOPPED : e;
}

/* --- one dag ------------------------------------------------------------------------------------
 */

static void put_edges(struct sheet *s, const struct dag *g, const struct dag_task *t)
{
    struct buf out = buf_make(MIB(1));
    for (uint32_t i = 0; i < t->upstream_count; i++)
        buf_printf(&out, "%s%.*s", i ? "," : "", SLICE_ARG(g->tasks[t->upstream[i]].id));
    if (out.len)
        sheet_text(s, buf_view(&out));
    else
        sheet_none(s);
    buf_done(&out);
}

static err_t show(struct desk *k, struct diag *d)
{
    const struct dag *g;
    err_t e = desk_known_dag(k, k->words[0], &g, d);
    if (e) return e;
    char text[512];
    struct buf out = buf_over(text, sizeof text - 1);
    schedule_summary(&g->schedule, &out);
    buf_text(&out, " (");
    schedule_describe(&g->schedule, &out);
    buf_text(&out, ")");
    text[out.len] = 0;
    desk_say(k, "%.*s: %s, from %.*s:%u%s%.*s", SLICE_ARG(g->id), text, SLICE_ARG(g->file), g->line,
             g->description.len ? "\n" : "", SLICE_ARG(g->description));
    struct sheet s = sheet_make("task kind after trigger_rule retries# pool");
    for (uint32_t i = 0; i < g->task_count; i++) {
        const struct dag_task *t = &g->tasks[i];
        sheet_text(&s, t->id);
        sheet_text(&s, slice_of(t->kind->name));
        put_edges(&s, g, t);
        sheet_text(&s, slice_of(trigger_rule_name(t->rule)));
        sheet_number(&s, t->retries);
        sheet_text(&s, t->pool);
    }
    e = desk_print(k, &s);
    sheet_done(&s);
    return e;
}

static err_t next_execution(struct desk *k, struct diag *d)
{
    const struct dag *g;
    err_t e = desk_known_dag(k, k->words[0], &g, d);
    if (e) return e;
    const char *count = desk_value(k, "--num-executions");
    struct timetable_limits limits = {g->start_us, g->end_us, g->catchup};
    struct data_interval last;
    struct run_due due;
    bool first = true;
    for (int left = count ? atoi(count) : 1; left > 0; left--) {
        if (!timetable_next(&g->schedule, first ? NULL : &last, &limits, k->ops.now_us, &due)) {
            printf("None\n");
            break;
        }
        char text[64];
        struct buf out = buf_over(text, sizeof text - 1);
        moment_put(&out, due.interval.start_us);
        text[out.len] = 0;
        printf("%s\n", text);
        last = due.interval;
        first = false;
        k->ops.now_us = MAX(k->ops.now_us, due.run_after_us);
    }
    return ERR_OK;
}

static err_t set_paused(struct desk *k, bool paused, struct diag *d)
{
    const struct dag *g = NULL;
    err_t e = ERR_OK;
    for (int i = 0; i < k->word_count && !e; i++) {
        bool changed = false;
        e = desk_known_dag(k, k->words[i], &g, d);
        if (!e) e = ops_dag_pause(&k->ops, g->id, paused, &changed, d);
        if (e == ERR_NOT_FOUND && g)
            (void)diag_hint(d, "a server takes it in from its file: sluice up");
        if (!e)
            desk_say(k, "Dag: %s, paused: %s%s", k->words[i], paused ? "True" : "False",
                     changed ? "" : " (as it was)");
    }
    return e;
}

static err_t pause_it(struct desk *k, struct diag *d)
{
    return set_paused(k, true, d);
}

static err_t unpause(struct desk *k, struct diag *d)
{
    return set_paused(k, false, d);
}

static err_t remove_dag(struct desk *k, struct diag *d)
{
    char question[400];
    snprintf(question, sizeof question,
             "delete the runs, tasks, logs' places and results of dag '%s'?", k->words[0]);
    if (!desk_asks(k, question)) return ERR_STOPPED;
    err_t e = ops_dag_delete(&k->ops, slice_of(k->words[0]), d);
    if (!e)
        desk_say(k, "deleted %s; while its file is there it comes back, without history",
                 k->words[0]);
    return e;
}

/* --- trigger ------------------------------------------------------------------------------------
 */

static void say_run(struct desk *k, const struct run_row *r)
{
    struct sheet s =
        sheet_make(k->airflow ? "conf dag_id dag_run_id data_interval_start data_interval_end "
                                "start_date end_date external_trigger logical_date run_type state"
                              : "dag run type state logical_date started ended took");
    if (k->airflow) {
        sheet_text(&s, r->conf.len ? r->conf : SLICE("{}"));
        sheet_text(&s, r->dag_id);
        sheet_text(&s, r->run_id);
        desk_put_time(&s, r->interval_start);
        desk_put_time(&s, r->interval_end);
        desk_put_time(&s, r->started_at);
        desk_put_time(&s, r->ended_at);
        sheet_text(&s, r->external ? SLICE("True") : SLICE("False"));
        desk_put_time(&s, r->logical);
        sheet_text(&s, slice_of(run_type_name(r->type)));
        sheet_text(&s, slice_of(run_state_name(r->state)));
    } else {
        sheet_text(&s, r->dag_id);
        sheet_text(&s, r->run_id);
        sheet_text(&s, slice_of(run_type_name(r->type)));
        sheet_text(&s, slice_of(run_state_name(r->state)));
        desk_put_time(&s, r->logical);
        desk_put_time(&s, r->started_at);
        desk_put_time(&s, r->ended_at);
        desk_put_span(&s, r->started_at, r->ended_at);
    }
    (void)!desk_print(k, &s);
    sheet_done(&s);
}

static bool a_moment(void *ctx)
{
    (void)ctx;
    dial_rest(50);
    return true;
}

static err_t wait_for(struct desk *k, struct run_row *r, struct diag *d)
{
    return ops_run_wait(&k->ops, r->dag_id, r->run_id, a_moment, NULL, k->arena, r, d);
}

static err_t start_run(struct desk *k, bool wait, struct diag *d)
{
    const struct dag *g;
    const char *run_id = desk_value(k, "--run-id"), *conf = desk_value(k, "--conf"),
               *when = desk_value(k, "--logical-date"), *note = desk_value(k, "--note");
    struct ops_trigger t = {.run_id = slice_of(run_id),
                            .conf = slice_of(conf),
                            .note = slice_of(note),
                            .logical = TIME_NONE,
                            .interval_start = TIME_NONE,
                            .interval_end = TIME_NONE,
                            .run_after = TIME_NONE};
    struct run_row r;
    err_t e = desk_known_dag(k, k->words[0], &g, d);
    if (e) return e;
    if (!when && k->word_count > 1) when = k->words[1];
    if (wait) e = desk_runs_now(k, g, d);
    if (!e && when) e = desk_time(when, &t.logical, d);
    t.dag_id = g->id;
    k->ops.now_us = clock_wall_us(); /* files have been read since the command began */
    if (!e) e = ops_trigger(&k->ops, &t, k->arena, &r, d);
    if (!e) desk_wake(k);
    if (!e && wait) e = wait_for(k, &r, d);
    if (!e) say_run(k, &r);
    return !e && wait && r.state == RUN_FAILED ? ERR_STOPPED : e;
}

static err_t trigger(struct desk *k, struct diag *d)
{
    return start_run(k, args_has(k->args, "--wait"), d);
}

static err_t test(struct desk *k, struct diag *d)
{
    return start_run(k, true, d);
}

static err_t state(struct desk *k, struct diag *d)
{
    struct run_row r;
    struct diag none = {0};
    err_t e = desk_run_row(k, k->words[0], k->word_count > 1 ? k->words[1] : NULL, &r, &none);
    if (e && !(k->airflow && e == ERR_NOT_FOUND && desk_dag(k, slice_of(k->words[0])))) {
        *d = none;
        return e;
    }
    printf("%s\n", e ? "None" : run_state_name(r.state)); /* no run: as Airflow says it */
    return ERR_OK;
}

/* --- backfill -----------------------------------------------------------------------------------
 */

static err_t backfill(struct desk *k, struct diag *d)
{
    const struct dag *g;
    const char *from = desk_value(k, "--from"), *to = desk_value(k, "--to"),
               *conf = desk_value(k, "--conf"), *most = desk_value(k, "--max-active-runs"),
               *again = desk_value(k, "--reprocess");
    struct ops_backfill b = {.conf = slice_of(conf), .backwards = args_has(k->args, "--backwards")};
    struct backfill_row row;
    struct backfill_dates dates;
    err_t e = desk_known_dag(k, k->words[0], &g, d);
    if (!e && !from) e = diag_fail(d, ERR_USAGE, "a backfill needs its first date: --from");
    if (!e) e = desk_time(from, &b.from, d);
    if (!e) e = desk_time(to ? to : from, &b.to, d);
    if (!e && again && !backfill_reprocess_parse(slice_of(again), &b.reprocess))
        e = diag_fail(d, ERR_USAGE, "--reprocess is none, failed or completed");
    if (e) return e;
    b.dag_id = g->id;
    b.max_active_runs = most ? atoi(most) : 0;
    if (args_has(k->args, "--dry-run")) {
        e = ops_backfill_dry(&k->ops, &b, k->arena, &dates, d);
        struct sheet s = sheet_make("logical_date");
        for (uint32_t i = 0; i < dates.count && !e; i++) desk_put_time(&s, dates.logical[i]);
        if (!e) e = desk_print(k, &s);
        sheet_done(&s);
        return e;
    }
    e = ops_backfill_create(&k->ops, &b, k->arena, &row, d);
    if (!e)
        desk_say(k, "backfill %lld of %s is made; its runs: sluice runs list %s", (long long)row.id,
                 k->words[0], k->words[0]);
    return e;
}

static err_t reserialize(struct desk *k, struct diag *d)
{
    err_t e = desk_dags(k, d);
    if (!e) desk_say(k, "%zu dags read", k->dags.count);
    return e;
}

const struct desk_command dag_commands[] = {
    {"list", "", "the dags: schedule, on or paused, the next run", list},
    {"show", "DAG", "its tasks, and what each waits for", show},
    {"trigger", "DAG [LOGICAL_DATE]",
     "start a run: --conf JSON, --run-id, --logical-date, --note, --wait", trigger},
    {"test", "DAG [LOGICAL_DATE]", "start a run and wait for its end; exit code 1 when it failed",
     test},
    {"pause", "DAG …", "no more runs by schedule", pause_it},
    {"unpause", "DAG …", "runs by schedule again", unpause},
    {"state", "DAG [RUN]", "a run's state; without RUN the newest's", state},
    {"next-execution", "DAG", "the next logical date; --num-executions N", next_execution},
    {"backfill", "DAG",
     "runs for the past: --from, --to, --dry-run, --reprocess, --max-active-runs, --backwards",
     backfill},
    {"delete", "DAG", "its history; asks first", remove_dag},
    {"list-import-errors", "", "what is wrong in the files; exit code 1 when something is",
     import_errors},
    {"reserialize", "", "read the files", reserialize},
};
const size_t dag_command_count = COUNT_OF(dag_commands);

int verb_dags(const struct verb *v, const struct args *a)
{
    return desk_verb(v, a, dag_commands, dag_command_count);
}

/* --- runs ---------------------------------------------------------------------------------------
 */

static err_t list_runs(struct desk *k, struct diag *d)
{
    const char *dag = k->word_count ? k->words[0] : desk_value(k, "--dag-id"),
               *state = desk_value(k, "--state"), *from = desk_value(k, "--from"),
               *to = desk_value(k, "--to");
    struct meta_value ids = meta_text(slice_of(dag)), states = meta_text(slice_of(state)),
                      first = meta_null(), last = meta_null();
    struct list_filter filters[4];
    const struct dag *g;
    uint32_t n = 0;
    err_t e = dag && k->airflow ? desk_known_dag(k, dag, &g, d) : ERR_OK;
    if (!e && from) e = desk_time(from, &first.number, d);
    if (!e && to) e = desk_time(to, &last.number, d);
    if (e) return e;
    first.kind = last.kind = META_INT;
    if (from) filters[n++] = (struct list_filter){"logical_date", LIST_GTE, &first, 1};
    if (to) filters[n++] = (struct list_filter){"logical_date", LIST_LTE, &last, 1};
    if (dag) filters[n++] = (struct list_filter){"dag_id", LIST_IN, &ids, 1};
    if (state) filters[n++] = (struct list_filter){"state", LIST_IN, &states, 1};
    return desk_list(k, LIST_RUNS,
                     "dag_id dag_run_id run_type state logical_date start_date end_date", filters,
                     n, "-id", d);
}

/* Why what is scheduled waits for ever; {0}: it does not, or for what goes by. */
static struct slice waits_for(struct desk *k, const struct task_row *t)
{
    struct pool_row pool;
    const char *text = NULL;
    if (t->state != TASK_SCHEDULED) return (struct slice){0};
    err_t e = pool_find(k->meta, t->pool, k->arena, &pool, NULL);
    if (e == ERR_NOT_FOUND)
        text = arena_printf(k->arena, "waits for pool '%.*s', which is not there: sluice pools set",
                            SLICE_ARG(t->pool));
    else if (!e && pool.slots >= 0 && pool.slots < t->slots)
        text = arena_printf(k->arena, "waits for %d slots of pool '%.*s', which has %lld", t->slots,
                            SLICE_ARG(t->pool), (long long)pool.slots);
    return slice_of(text);
}

static err_t show_run(struct desk *k, struct diag *d)
{
    struct run_row r;
    struct task_rows tasks;
    err_t e = desk_run_row(k, k->words[0], k->word_count > 1 ? k->words[1] : NULL, &r, d);
    if (!e) e = task_rows_of_run(k->meta, r.id, k->arena, &tasks, d);
    if (e) return e;
    if (!k->json) say_run(k, &r);
    struct sheet s = sheet_make("task map# state try# started took message");
    for (uint32_t i = 0; i < tasks.count; i++) {
        const struct task_row *t = &tasks.at[i];
        const char *state = task_state_name(t->state);
        sheet_text(&s, t->task_id);
        if (t->map_index < 0)
            sheet_none(&s);
        else
            sheet_number(&s, t->map_index);
        sheet_text(&s, slice_of(state ? state : "none"));
        sheet_number(&s, t->try_number);
        desk_put_time(&s, t->started_at);
        desk_put_span(&s, t->started_at, t->ended_at);
        struct slice why = t->message.len ? t->message : waits_for(k, t);
        if (why.len)
            sheet_text(&s, why);
        else
            sheet_none(&s);
    }
    e = desk_print(k, &s);
    sheet_done(&s);
    return e;
}

static err_t wait_run(struct desk *k, struct diag *d)
{
    struct run_row r;
    err_t e = desk_run_row(k, k->words[0], k->word_count > 1 ? k->words[1] : NULL, &r, d);
    if (!e) e = wait_for(k, &r, d);
    if (!e) say_run(k, &r);
    return !e && r.state == RUN_FAILED ? ERR_STOPPED : e;
}

static err_t clear_run(struct desk *k, struct diag *d)
{
    struct run_row r;
    struct task_rows touched = {0};
    char question[400];
    bool only_failed = args_has(k->args, "--only-failed"), dry = args_has(k->args, "--dry-run");
    err_t e = desk_run_row(k, k->words[0], k->words[1], &r, d);
    if (!e)
        e = ops_run_clear(&k->ops, r.dag_id, r.run_id, only_failed, true, k->arena, &touched, &r,
                          d);
    snprintf(question, sizeof question, "clear %u task instances of %s, so that they run again?",
             touched.count, k->words[1]);
    if (e || dry || !touched.count) {
        if (!e) desk_say(k, "%u task instances would be cleared", touched.count);
        return e;
    }
    if (!desk_asks(k, question)) return ERR_STOPPED;
    e = ops_run_clear(&k->ops, r.dag_id, r.run_id, only_failed, false, k->arena, &touched, &r, d);
    if (!e) desk_say(k, "cleared %u", touched.count);
    return e;
}

static err_t mark_run(struct desk *k, struct diag *d)
{
    struct run_row r;
    enum run_state state;
    struct task_rows touched;
    if (!run_state_parse(slice_of(k->words[2]), &state))
        return diag_fail(d, ERR_USAGE, "a run is marked success, failed or queued");
    err_t e = desk_run_row(k, k->words[0], k->words[1], &r, d);
    if (!e) e = ops_run_mark(&k->ops, r.dag_id, r.run_id, state, false, k->arena, &touched, &r, d);
    if (!e)
        desk_say(k, "%.*s is %s; %u task instances with it", SLICE_ARG(r.run_id),
                 run_state_name(r.state), touched.count);
    return e;
}

static err_t delete_run(struct desk *k, struct diag *d)
{
    struct run_row r;
    char question[600];
    err_t e = desk_run_row(k, k->words[0], k->words[1], &r, d);
    if (e) return e;
    snprintf(question, sizeof question, "delete run %.*s with its tasks and results?",
             SLICE_ARG(r.run_id));
    if (!desk_asks(k, question)) return ERR_STOPPED;
    e = ops_run_delete(&k->ops, r.dag_id, r.run_id, d);
    if (!e) desk_say(k, "deleted");
    return e;
}

const struct desk_command run_commands[] = {
    {"list", "[DAG]", "the runs, newest first; --state", list_runs},
    {"show", "DAG [RUN]", "a run and its task instances", show_run},
    {"wait", "DAG [RUN]", "until it has ended; exit code 1 when it failed", wait_run},
    {"clear", "DAG RUN", "let it run again; --only-failed, --dry-run; asks first", clear_run},
    {"mark", "DAG RUN STATE", "success, failed or queued", mark_run},
    {"delete", "DAG RUN", "it and what is kept of it; asks first", delete_run},
};
const size_t run_command_count = COUNT_OF(run_commands);

int verb_runs(const struct verb *v, const struct args *a)
{
    return desk_verb(v, a, run_commands, run_command_count);
}
