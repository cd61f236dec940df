/* Runs of dags, and backfills. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"
#include "sched/timetable.h"

#include <inttypes.h>

static struct listing runs_listing(struct call *c)
{
    struct listing l = {
        .kind = LIST_RUNS, .body = BODY_RUN, .name = "dag_runs", .dag_column = "dag_id"};
    listing_fix_part(c, &l, "dag_id", "dag_id");
    return l;
}

/* Airflow 3 says so of a dag that is not there; Airflow 2 lists nothing. */
static err_t dag_is_known(struct call *c)
{
    struct slice id = rest_part(c, "dag_id");
    if (c->api == API_V1 || slice_is(id, "~") || rest_dag(c)) return ERR_OK;
    struct listing l = {.kind = LIST_DAGS, .body = BODY_DAG};
    struct buf nothing = buf_make(MIB(1));
    listing_fix(c, &l, "dag_id", id);
    err_t e = rest_put_one(c, &l, false, &nothing);
    buf_done(&nothing);
    return or_missing(c, e, NO_DAG);
}

err_t api_get_dag_runs(struct call *c)
{
    struct listing l = runs_listing(c);
    err_t e = dag_is_known(c);
    l.schema = "DAGRunCollectionSchema";
    return e ? e : answer_list(c, &l);
}

err_t api_get_dag_runs_batch(struct call *c)
{
    struct listing l = runs_listing(c);
    if (!slice_is(rest_part(c, "dag_id"), "~"))
        return refuse(c, c->api == API_V1 ? 404 : 422, "Not Found", "Input should be '~'");
    return answer_list_form(c, &l, INPUTS_RUN_LIST);
}

static err_t answer_run(struct call *c, struct slice run_id, enum problem p)
{
    struct listing l = runs_listing(c);
    l.schema = "DAGRunSchema";
    listing_fix(c, &l, "dag_run_id", run_id);
    return answer_one(c, &l, p);
}

err_t api_get_dag_run(struct call *c)
{
    return answer_run(c, rest_part(c, "dag_run_id"), NO_RUN);
}

/* --- made by hand
 * ----------------------------------------------------------------------------------- */

static err_t trigger_dates(struct call *c, struct ops_trigger *t)
{
    struct slice logical = body_text(c, "logical_date"), old = body_text(c, "execution_date");
    if (logical.at && old.at && !slice_equal(logical, old))
        return refuse(c, 400, "logical_date conflicts with execution_date", "'%.*s' != '%.*s'",
                      SLICE_ARG(logical), SLICE_ARG(old));
    err_t e = body_time(c, logical.at ? "logical_date" : "execution_date", &t->logical);
    if (!e) e = body_time(c, "data_interval_start", &t->interval_start);
    if (!e) e = body_time(c, "data_interval_end", &t->interval_end);
    if (!e) e = body_time(c, "run_after", &t->run_after);
    if (!e && (t->interval_start == TIME_NONE) != (t->interval_end == TIME_NONE) &&
        c->api == API_V2)
        e = refuse(c, 422, NULL,
                   "Either both data_interval_start and data_interval_end must be provided or "
                   "both must be None");
    t->no_logical = c->api == API_V2 && t->logical == TIME_NONE;
    return e;
}

err_t api_post_dag_run(struct call *c)
{
    struct run_row run;
    struct ops_trigger t = {.dag_id = rest_part(c, "dag_id")};
    /* a body is optional for v1: the run is made as it comes */
    if (c->body.kind == DOC_NULL && c->api == API_V1) c->body = (struct doc){.kind = DOC_MAP};
    err_t e = body_check(c, INPUTS_TRIGGER);
    if (!e && !rest_dag(c))
        e = c->api == API_V1
                ? refuse(c, 404, "DAG not found", "DAG with dag_id: '%.*s' not found",
                         SLICE_ARG(t.dag_id))
                : refuse(c, 404, NULL, "DAG with dag_id: '%.*s' not found", SLICE_ARG(t.dag_id));
    if (!e) e = trigger_dates(c, &t);
    if (e) return e;
    t.run_id = body_text(c, "dag_run_id");
    t.conf = body_json(c, "conf");
    t.note = body_text(c, "note");
    e = ops_trigger(&c->ops, &t, c->arena, &run, &c->d);
    if (e) return e;
    airflow_wake(c->door);
    return answer_run(c, run.run_id, NO_RUN);
}

/* --- changed
 * ------------------------------------------------------------------------------------------ */

static err_t mark_run(struct call *c, struct slice run_id)
{
    enum run_state state;
    struct run_row run;
    struct slice said = body_text(c, "state");
    if (!said.at) return ERR_OK;
    if (!run_state_parse(said, &state) || state == RUN_RUNNING) {
        if (c->api == API_V1)
            return refuse(c, 400, "Bad Request",
                          "'%.*s' is not one of ['success', 'failed', 'queued'] - 'state'",
                          SLICE_ARG(said));
        return refuse(c, 422, NULL, "Input should be 'queued', 'success' or 'failed'");
    }
    return ops_run_mark(&c->ops, rest_part(c, "dag_id"), run_id, state, false, c->arena, NULL, &run,
                        &c->d);
}

err_t api_patch_dag_run(struct call *c)
{
    struct slice dag_id = rest_part(c, "dag_id"), run_id = rest_part(c, "dag_run_id"), mask;
    bool masked = rest_param(c, "update_mask", &mask);
    struct run_row run;
    err_t e = body_check(c, INPUTS_RUN_PATCH);
    if (!e) e = mask_check(c, INPUTS_RUN_PATCH);
    if (!e)
        e = or_missing(c, run_row_find(c->meta, dag_id, run_id, c->arena, &run, &c->d),
                       NO_RUN_TO_CHANGE);
    if (!e && (!masked || mask_has(c, "state"))) e = mark_run(c, run_id);
    if (!e && body_has(c, "note") && (!masked || mask_has(c, "note")))
        e = ops_run_note(&c->ops, dag_id, run_id, body_text(c, "note"), &c->d);
    if (e) return or_missing(c, e, NO_RUN_TO_CHANGE);
    airflow_wake(c->door);
    return answer_run(c, run_id, NO_RUN_TO_CHANGE);
}

err_t api_set_dag_run_note(struct call *c)
{
    struct slice run_id = rest_part(c, "dag_run_id");
    err_t e = body_check(c, INPUTS_NOTE);
    if (!e) e = ops_run_note(&c->ops, rest_part(c, "dag_id"), run_id, body_text(c, "note"), &c->d);
    return e ? or_missing(c, e, NO_RUN_TO_CHANGE) : answer_run(c, run_id, NO_RUN_TO_CHANGE);
}

err_t api_delete_dag_run(struct call *c)
{
    err_t e = ops_run_delete(&c->ops, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"), &c->d);
    if (e) return or_missing(c, e, NO_RUN_TO_DELETE);
    airflow_wake(c->door);
    c->status = 204;
    return ERR_OK;
}

err_t api_clear_dag_run(struct call *c)
{
    struct task_rows touched = {0};
    struct run_row run;
    struct slice run_id = rest_part(c, "dag_run_id");
    if (c->body.kind == DOC_NULL && c->api == API_V1) c->body = (struct doc){.kind = DOC_MAP};
    err_t e = body_check(c, INPUTS_RUN_CLEAR);
    if (e) return e;
    bool dry = body_bool(c, "dry_run", c->api == API_V2);
    e = ops_run_clear(&c->ops, rest_part(c, "dag_id"), run_id, body_bool(c, "only_failed", false),
                      dry, c->arena, &touched, &run, &c->d);
    if (e) return or_missing(c, e, NO_RUN_TO_CHANGE);
    if (dry) return rest_put_touched(c, &touched);
    airflow_wake(c->door);
    return answer_run(c, run_id, NO_RUN_TO_CHANGE);
}

/* --- waited for
 * ----------------------------------------------------------------------------------------- */

struct results {
    struct call *c;
    bool any;
};

static err_t rest_put_result(void *ctx, const struct meta_row *row)
{
    struct results *r = ctx;
    buf_text(&r->c->out, r->any ? ", " : "");
    r->any = true;
    json_put_text(&r->c->out, row->at[list_place(LIST_XCOMS, "task_id")].text);
    buf_text(&r->c->out, ": ");
    rest_put_value(&r->c->out, r->c, LIST_JSON, &row->at[list_place(LIST_XCOMS, "value")]);
    return r->c->out.err;
}

/* The results of the tasks that `result` names. */
static err_t rest_put_results(struct call *c)
{
    struct results r = {.c = c};
    err_t e = ERR_OK;
    buf_text(&c->out, ", \"results\": {");
    for (uint32_t n = 0; n < c->param_count && !e; n++) {
        if (!slice_is(c->params[n].name, "result")) continue;
        struct meta_value v[] = {
            meta_text(rest_part(c, "dag_id")), meta_text(rest_part(c, "dag_run_id")),
            meta_text(c->params[n].value), meta_text(SLICE("return_value")), meta_int(-1)};
        struct list_filter f[] = {{"dag_id", LIST_IN, &v[0], 1},
                                  {"run_id", LIST_IN, &v[1], 1},
                                  {"task_id", LIST_IN, &v[2], 1},
                                  {"key", LIST_IN, &v[3], 1},
                                  {"map_index", LIST_IN, &v[4], 1}};
        struct list_ask ask = {LIST_XCOMS, f, COUNT_OF(f), {0}, 1, 0, true};
        e = list_run(c->meta, &ask, rest_put_result, &r, NULL, &c->d);
    }
    buf_char(&c->out, '}');
    return e;
}

/* One look; the door looks again in `interval` seconds while it goes on. */
err_t api_wait_dag_run(struct call *c)
{
    struct run_row run;
    int64_t interval = 1;
    struct slice said, asked;
    double seconds = 0;
    if (!rest_param(c, "interval", &said) || !slice_to_f64(said, &seconds) || seconds <= 0)
        return refuse(c, 422, NULL, "interval: Input should be a number greater than 0");
    interval = seconds > 3600 ? 3600000 : (int64_t)(seconds * 1000);
    err_t e = run_row_find(c->meta, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"), c->arena,
                           &run, &c->d);
    if (e && c->streaming) { /* deleted meanwhile: what was said stands */
        buf_text(&c->out, "{\"state\": null}\n");
        return ERR_OK;
    }
    if (e) return or_missing(c, e, NO_RUN);
    buf_printf(&c->out, "{\"state\": \"%s\"", run_state_name(run.state));
    bool over = run_state_finished(run.state);
    if (over && rest_param(c, "result", &asked)) e = rest_put_results(c);
    buf_text(&c->out, "}\n");
    c->type = "application/x-ndjson";
    if (!over) c->again_ms = MAX(interval, 50);
    return e;
}

/* --- backfills
 * ---------------------------------------------------------------------------------------------- */

static struct listing backfills(void)
{
    return (struct listing){
        .kind = LIST_BACKFILLS, .body = BODY_BACKFILL, .name = "backfills", .dag_column = "dag_id"};
}

err_t api_get_backfills(struct call *c)
{
    struct listing l = backfills();
    return answer_list(c, &l);
}

static err_t answer_backfill(struct call *c, int64_t id)
{
    struct listing l = backfills();
    listing_fix_int(c, &l, "id", id);
    return answer_one(c, &l, NO_BACKFILL);
}

err_t api_get_backfill(struct call *c)
{
    int64_t id;
    err_t e = rest_path_int(c, "backfill_id", &id);
    return e ? e : answer_backfill(c, id);
}

static err_t read_backfill(struct call *c, struct ops_backfill *b)
{
    struct slice how = body_text(c, "reprocess_behavior");
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    err_t e = body_check(c, INPUTS_BACKFILL);
    if (e) return e;
    *b = (struct ops_backfill){.dag_id = body_text(c, "dag_id"),
                               .conf = body_json(c, "dag_run_conf"),
                               .backwards = body_bool(c, "run_backwards", false),
                               .max_active_runs =
                                   (int32_t)MIN(body_int(c, "max_active_runs", 10), INT32_MAX)};
    e = body_time(c, "from_date", &b->from);
    if (!e) e = body_time(c, "to_date", &b->to);
    if (!e && how.at && !backfill_reprocess_parse(how, &b->reprocess))
        e = refuse(c, 422, NULL, "Input should be 'failed', 'completed' or 'none'");
    if (!e && b->max_active_runs < 1)
        e = refuse(c, 422, NULL, "max_active_runs: Input should be greater than 0");
    if (e) return e;
    c->dag = p->dag(p->ctx, b->dag_id);
    c->dag_asked = true;
    if (c->dag) return ERR_OK;
    return refuse(c, 404, NULL, "Could not find dag %.*s", SLICE_ARG(b->dag_id));
}

err_t api_post_backfill(struct call *c)
{
    struct ops_backfill b;
    struct backfill_row row;
    err_t e = read_backfill(c, &b);
    if (!e) e = ops_backfill_create(&c->ops, &b, c->arena, &row, &c->d);
    if (e == ERR_EXISTS)
        return refuse(c, 409, NULL, "There is already a running backfill for dag %.*s",
                      SLICE_ARG(b.dag_id));
    if (e) return e;
    airflow_wake(c->door);
    return answer_backfill(c, row.id);
}

err_t api_dry_backfill(struct call *c)
{
    struct ops_backfill b;
    struct backfill_dates dates = {0};
    err_t e = read_backfill(c, &b);
    if (!e) e = ops_backfill_dry(&c->ops, &b, c->arena, &dates, &c->d);
    if (e) return e;
    buf_text(&c->out, "{\"backfills\": [");
    for (uint32_t i = 0; i < dates.count; i++) {
        buf_text(&c->out, i ? ", {\"logical_date\": " : "{\"logical_date\": ");
        rest_put_time(&c->out, c, dates.logical[i]);
        buf_char(&c->out, '}');
    }
    buf_printf(&c->out, "], \"total_entries\": %u}", dates.count);
    return ERR_OK;
}

static err_t turn_backfill(struct call *c, bool cancel, bool paused)
{
    int64_t id;
    struct backfill_row row;
    err_t e = rest_path_int(c, "backfill_id", &id);
    if (!e)
        e = cancel ? ops_backfill_cancel(&c->ops, id, c->arena, &row, &c->d)
                   : ops_backfill_pause(&c->ops, id, paused, c->arena, &row, &c->d);
    if (e) return or_missing(c, e, NO_BACKFILL);
    airflow_wake(c->door);
    return answer_backfill(c, id);
}

err_t api_pause_backfill(struct call *c)
{
    return turn_backfill(c, false, true);
}
err_t api_unpause_backfill(struct call *c)
{
    return turn_backfill(c, false, false);
}
err_t api_cancel_backfill(struct call *c)
{
    return turn_backfill(c, true, false);
}
