#include "sched/engine_int.h"

#include "base/say.h"

enum { MISSED_AFTER_US = 60000000, PROMOTE_MOST = 256 };

/* --- when the next run is due -----------------------------------------------------------------
 */

struct last_interval {
    struct data_interval interval;
    bool any;
};

static err_t take_interval(void *ctx, const struct meta_row *row)
{
    struct last_interval *l = ctx;
    if (row->at[0].kind == META_NULL || row->at[1].kind == META_NULL) return ERR_OK;
    l->interval = (struct data_interval){row->at[0].number, row->at[1].number};
    l->any = true;
    return ERR_OK;
}

static bool all_missed(const struct dag *g)
{
    return g->missed == MISSED_ALL || (g->missed == MISSED_CATCHUP_FLAG && g->catchup);
}

/* The run after the newest that lies in the past: one that a clock gone wrong has made in years to
 * come is not in the way (the database lets none be made twice). */
static bool due_after(struct engine *e, const struct dag *g, const struct last_interval *last,
                      struct run_due *out)
{
    struct timetable_limits limits = {g->start_us, g->end_us, all_missed(g)};
    bool any =
        timetable_next(&g->schedule, last->any ? &last->interval : NULL, &limits, e->now, out);
    for (int n = 0; n < 1000 && any && g->missed == MISSED_SKIP &&
                    out->run_after_us < e->now - MISSED_AFTER_US;
         n++) {
        struct data_interval before = out->interval;
        any = timetable_next(&g->schedule, &before, &limits, e->now, out);
    }
    return any;
}

static err_t write_next(struct engine *e, struct engine_dag *of, bool any,
                        const struct run_due *due, struct diag *d)
{
    engine_dag_undo(e, of);
    of->next_logical = of->next_start = any ? due->interval.start_us : TIME_NONE;
    of->next_end = any ? due->interval.end_us : TIME_NONE;
    of->next_run_after = any && !of->full ? due->run_after_us : TIME_NONE;
    engine_due_set(e, of);
    struct meta_value args[] = {meta_text(of->id), meta_null(), meta_null(), meta_null(),
                                meta_null()};
    if (any) args[1] = args[2] = meta_int(of->next_start);
    if (any) args[3] = meta_int(of->next_end);
    if (of->next_run_after != TIME_NONE) args[4] = meta_int(of->next_run_after);
    return meta_run(e->meta, META_DAG_NEXT, args, 5, NULL, NULL, NULL, d);
}

err_t engine_next(struct engine *e, struct engine_dag *of, struct diag *d)
{
    struct last_interval last = {0};
    struct run_due due = {0};
    struct meta_value args[] = {meta_text(of->id), meta_int(e->now)};
    if (!of->dag) return ERR_OK;
    err_t err =
        meta_run(e->meta, META_RUN_LATEST_SCHEDULED, args, 2, take_interval, &last, NULL, d);
    if (err) return err;
    bool any = due_after(e, of->dag, &last, &due);
    return write_next(e, of, any, &due, d);
}

static err_t take_count(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

static err_t count(struct engine *e, enum meta_statement s, const struct meta_value *args,
                   uint32_t n, int64_t *out, struct diag *d)
{
    *out = 0;
    return meta_run(e->meta, s, args, n, take_count, out, NULL, d);
}

/* --- runs by schedule -------------------------------------------------------------------------
 */

err_t engine_make_run(struct engine *e, struct engine_dag *of, const struct new_run *n,
                      int64_t *run, struct diag *d)
{
    char text[2 * DAG_ID_MAX];
    struct buf id = buf_over(text, sizeof(text));
    run_id_put(&id, n->type, n->logical);
    *run = 0;
    struct meta_value args[] = {
        meta_text(of->id),
        meta_text(buf_view(&id)),
        meta_text(slice_of(run_type_name(n->type))),
        meta_int(n->logical),
        meta_int(n->start),
        meta_int(n->end),
        meta_int(n->end),
        meta_int(e->now),
        meta_text(SLICE("{}")),
        meta_null(),
        meta_text(slice_of(n->by)),
        meta_null(),
        meta_null(),
        meta_int(of->dag_version),
        meta_int(0),
    };
    err_t err = meta_run(e->meta, META_RUN_INSERT, args, COUNT_OF(args), take_count, run, NULL, d);
    if (err || !*run) return err;
    e->figures.runs_made++;
    say_info(SAY_SCHED, "run made", "dag=%.*s run=%.*s", SLICE_ARG(of->id),
             SLICE_ARG(buf_view(&id)));
    engine_promote_later(e, of);
    return ERR_OK;
}

err_t engine_runs_unfinished(struct engine *e, const struct engine_dag *of, int64_t *out,
                             struct diag *d)
{
    struct meta_value args[] = {meta_text(of->id)};
    return count(e, META_RUNS_UNFINISHED, args, 1, out, d);
}

static err_t make_scheduled(struct engine *e, struct engine_dag *of, struct diag *d)
{
    bool found = false;
    int64_t active, run;
    err_t err = engine_dag_read(e, of, true, &found, d); /* others may have been faster */
    if (err || !found || of->paused || of->gone) return err;
    if (of->next_run_after != TIME_NONE && e->now - of->next_run_after > MISSED_AFTER_US &&
        !all_missed(of->dag))
        err = engine_next(e, of, d); /* the newest of what was missed, or none */
    if (err || of->next_run_after == TIME_NONE || of->next_run_after > e->now) return err;
    err = engine_runs_unfinished(e, of, &active, d);
    if (err) return err;
    struct run_due due = {of->next_run_after, {of->next_start, of->next_end}};
    if (active >= of->dag->max_active_runs && of->dag->max_active_runs > 0) {
        engine_dag_undo(e, of);
        of->full = true;
        return write_next(e, of, true, &due, d);
    }
    struct new_run n = {RUN_SCHEDULED, of->next_logical, of->next_start, of->next_end, "timetable"};
    err = engine_make_run(e, of, &n, &run, d);
    if (err) return err;
    struct last_interval last = {due.interval, true};
    bool any = due_after(e, of->dag, &last, &due);
    return write_next(e, of, any, &due, d);
}

err_t engine_make_due(struct engine *e, struct diag *d)
{
    err_t err = ERR_OK;
    if (e->reput) err = engine_dags_reput(e, d);
    for (int n = 0; n < ENGINE_BATCH && !err && e->due.count > 0; n++) {
        struct engine_dag *of = *(struct engine_dag **)vec_at(&e->due, 0);
        if (of->next_run_after > e->now) return ERR_OK;
        int64_t before = of->next_run_after;
        err = make_scheduled(e, of, d);
        if (!err && of->due_at && of->next_run_after <= before) {
            /* its row is gone or paused: it is looked at again when that changes */
            engine_dag_undo(e, of);
            of->next_run_after = TIME_NONE;
            engine_due_set(e, of);
        }
    }
    return err;
}

/* --- queued runs start ------------------------------------------------------------------------
 */

struct starting {
    struct engine *e;
    struct vec rows; /* struct run_row, in scratch */
};

static err_t take_row(void *ctx, const struct meta_row *row)
{
    struct starting *s = ctx;
    struct run_row run;
    err_t err = run_row_read(row, s->e->scratch, &run);
    return err ? err : vec_push(&s->rows, &run);
}

static err_t start_run(struct engine *e, struct engine_dag *of, struct run_row *row, struct diag *d)
{
    int64_t changed = 0;
    struct meta_value args[] = {meta_int(row->id), meta_int(e->now),
                                meta_text(slice_of(e->o.identity)), meta_int(of->dag_version),
                                meta_int(row->version)};
    err_t err = meta_run(e->meta, META_RUN_START, args, 5, NULL, NULL, &changed, d);
    if (err || changed == 0) return err;
    row->state = RUN_RUNNING;
    row->started_at = e->now;
    row->ended_at = TIME_NONE;
    row->token++;
    row->version++;
    row->dag_version = of->dag_version;
    return engine_load(e, row, d);
}

static err_t start_runs(struct engine *e, struct engine_dag *of, int64_t backfill, int64_t limit,
                        struct diag *d)
{
    struct starting s = {e, vec_make(sizeof(struct run_row), PROMOTE_MOST)};
    int64_t active = 0;
    struct meta_value args[] = {meta_text(of->id), meta_int(backfill ? backfill : e->now),
                                meta_null()};
    err_t err = count(e, backfill ? META_RUNS_ACTIVE_BACKFILL : META_RUNS_ACTIVE, args,
                      backfill ? 2 : 1, &active, d);
    int64_t room = limit > 0 ? limit - active : PROMOTE_MOST;
    if (err || room <= 0) return err;
    args[2] = meta_int(MIN(room, PROMOTE_MOST));
    err = meta_run(e->meta, backfill ? META_RUNS_WAITING_OF_BACKFILL : META_RUNS_WAITING_OF, args,
                   3, take_row, &s, NULL, d);
    for (size_t i = 0; i < s.rows.count && !err; i++) err = start_run(e, of, vec_at(&s.rows, i), d);
    if (!err && s.rows.count == PROMOTE_MOST) e->must_look = true;
    vec_done(&s.rows);
    return err;
}

struct backfill_limit {
    int64_t paused, most;
};

static err_t take_backfill(void *ctx, const struct meta_row *row)
{
    struct backfill_limit *b = ctx;
    b->paused = row->at[5].number;
    b->most = row->at[7].number;
    return ERR_OK;
}

static err_t take_id(void *ctx, const struct meta_row *row)
{
    return vec_push(ctx, &row->at[0].number);
}

static err_t promote(struct engine *e, struct engine_dag *of, struct diag *d)
{
    struct vec waiting = vec_make(sizeof(int64_t), 4096); /* backfills; 0: none */
    struct meta_value args[] = {meta_text(of->id)};
    bool found = false;
    err_t err = meta_run(e->meta, META_BACKFILLS_WAITING, args, 1, take_id, &waiting, NULL, d);
    if (!err && waiting.count > 0) err = engine_dag_read(e, of, true, &found, d);
    if (!found || of->paused || of->gone || !of->dag) vec_clear(&waiting);
    for (size_t i = 0; i < waiting.count && !err; i++) {
        int64_t id = *(int64_t *)vec_at(&waiting, i);
        struct backfill_limit b = {0, of->dag->max_active_runs};
        struct meta_value which[] = {meta_int(id)};
        if (id) err = meta_run(e->meta, META_BACKFILL_FIND, which, 1, take_backfill, &b, NULL, d);
        if (!err && !b.paused) err = start_runs(e, of, id, b.most, d);
    }
    vec_done(&waiting);
    return err;
}

err_t engine_promote_all(struct engine *e, struct diag *d)
{
    err_t err = ERR_OK;
    while (e->promote.count > 0 && !err) {
        struct engine_dag *of = *(struct engine_dag **)vec_at(&e->promote, e->promote.count - 1);
        err = promote(e, of, d);
        if (!err) e->promote.count--;
        if (err) e->must_look = true; /* the look finds it again */
    }
    return err;
}

/* --- a run has ended --------------------------------------------------------------------------
 */

struct last_states {
    int64_t count, failed;
};

static err_t take_last(void *ctx, const struct meta_row *row)
{
    struct last_states *l = ctx;
    l->count++;
    l->failed += slice_is(row->at[0].text, "failed");
    return ERR_OK;
}

/* max_consecutive_failed_dag_runs: so many in a row, and nobody is bothered with more. */
static err_t pause_when_hopeless(struct engine *e, struct run *r, struct diag *d)
{
    struct engine_dag *of = r->of;
    int32_t most = of->dag->max_consecutive_failed_runs;
    struct last_states l = {0};
    struct meta_value args[] = {meta_text(of->id), meta_int(most)};
    if (r->row.state != RUN_FAILED || most <= 0 || run_is_test(&r->row)) return ERR_OK;
    err_t err = meta_run(e->meta, META_RUNS_LAST_STATES, args, 2, take_last, &l, NULL, d);
    if (err || l.failed < most) return err;
    say_warn(SAY_SCHED, "dag paused: too many of its runs failed in a row", "dag=%.*s runs=%d",
             SLICE_ARG(of->id), most);
    args[1] = meta_int(1);
    err = meta_run(e->meta, META_DAG_PAUSE, args, 2, NULL, NULL, NULL, d);
    e->must_look = true;
    return err ? err
               : engine_event(e, "paused", r, NULL, SLICE("max_consecutive_failed_dag_runs"), d);
}

err_t engine_run_is_over(struct engine *e, struct run *r, struct diag *d)
{
    struct engine_dag *of = r->of;
    err_t err = ERR_OK;
    engine_promote_later(e, of);
    engine_past_consider(e, of);
    if (of->full) {
        engine_dag_undo(e, of);
        of->full = false;
        err = engine_next(e, of, d);
    }
    if (!err) err = pause_when_hopeless(e, r, d);
    if (err || !r->row.backfill_id) return err;
    int64_t left;
    struct meta_value args[] = {meta_int(r->row.backfill_id), meta_int(e->now)};
    err = count(e, META_BACKFILL_LEFT, args, 1, &left, d);
    if (err || left > 0) return err;
    return meta_run(e->meta, META_BACKFILL_COMPLETE, args, 2, NULL, NULL, NULL, d);
}
