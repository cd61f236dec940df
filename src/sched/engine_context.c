#include "sched/engine_int.h"

#include <stdio.h>

/* --- what templates see: Airflow's names ------------------------------------------------------
 */

static void put_name(struct buf *out, const char *name)
{
    uint8_t last = out->len ? out->at[out->len - 1] : '{';
    buf_printf(out, "%s\"%s\": ", last == '{' ? "" : ", ", name);
}

static void put_text(struct buf *out, const char *name, struct slice value)
{
    struct doc text = {.kind = value.at ? DOC_TEXT : DOC_NULL, .text = value};
    put_name(out, name);
    doc_put_json(out, &text);
}

static void put_number(struct buf *out, const char *name, int64_t value)
{
    put_name(out, name);
    buf_printf(out, "%lld", (long long)value);
}

static void put_bool(struct buf *out, const char *name, bool value)
{
    put_name(out, name);
    buf_text(out, value ? "true" : "false");
}

static void put_time(struct buf *out, const char *name, int64_t us)
{
    char text[64];
    struct buf moment = buf_over(text, sizeof(text));
    if (us != TIME_NONE) moment_put(&moment, us);
    put_text(out, name, us == TIME_NONE ? (struct slice){0} : buf_view(&moment));
}

/* Only its digits (and what is in `keep`): 2024-01-02T03:04:05 is 20240102T030405. */
static struct slice without_marks(struct slice text, const char *keep, char *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        char c = (char)text.at[i];
        if ((c >= '0' && c <= '9') || strchr(keep, c)) out[n++] = c;
    }
    return slice_make(out, n);
}

/* The day by two names: ds and ds_nodash. */
static void put_day(struct buf *out, const char *name, int64_t us)
{
    char text[64], bare[64], plain[40];
    struct buf moment = buf_over(text, sizeof(text));
    moment_put(&moment, us);
    struct slice day = buf_view(&moment);
    day.len = MIN(day.len, 10u);
    snprintf(plain, sizeof(plain), "%s_nodash", name);
    put_text(out, name, day);
    put_text(out, plain, without_marks(day, "", bare));
}

static void put_stamps(struct buf *out, int64_t logical)
{
    char text[64], bare[64];
    struct buf moment = buf_over(text, sizeof(text));
    moment_put(&moment, logical);
    struct slice ts = buf_view(&moment), wall = slice_make(ts.at, MIN(ts.len, 19u));
    put_day(out, "ds", logical);
    put_day(out, "yesterday_ds", logical - DAY_US);
    put_day(out, "tomorrow_ds", logical + DAY_US);
    put_text(out, "ts", ts);
    put_text(out, "ts_nodash", without_marks(wall, "T", bare));
    put_text(out, "ts_nodash_with_tz", without_marks(ts, "T+", bare));
}

static struct slice type_2(enum run_type t) /* the word that templates of today compare with */
{
    return t == RUN_ASSET_TRIGGERED ? SLICE("dataset_triggered") : slice_of(run_type_name(t));
}

static void put_run(struct buf *out, const struct run_row *r)
{
    put_name(out, "dag_run");
    buf_char(out, '{');
    put_text(out, "run_id", r->run_id);
    put_text(out, "dag_id", r->dag_id);
    put_text(out, "run_type", type_2(r->type));
    put_text(out, "state", SLICE("running"));
    put_bool(out, "external_trigger", r->external);
    put_time(out, "logical_date", r->logical);
    put_time(out, "execution_date", r->logical);
    put_time(out, "data_interval_start", r->interval_start);
    put_time(out, "data_interval_end", r->interval_end);
    put_time(out, "run_after", r->run_after);
    put_time(out, "start_date", r->started_at);
    put_time(out, "queued_at", r->queued_at);
    put_text(out, "note", r->note);
    put_name(out, "conf");
    buf_slice(out, r->conf.len ? r->conf : SLICE("{}"));
    buf_char(out, '}');
}

/* The dag's params, and over them what conf says by the same names
 * (core.dag_run_conf_overrides_params). */
static void put_params(struct buf *out, const struct dag *g, const struct doc *conf)
{
    put_name(out, "params");
    buf_char(out, '{');
    for (uint32_t i = 0; i < g->param_count; i++) {
        const struct doc *over = doc_find(conf, g->params[i].name);
        static const struct doc NOTHING = {.kind = DOC_NULL};
        const struct doc *v = over ? over : g->params[i].value;
        struct doc name = {.kind = DOC_TEXT, .text = g->params[i].name};
        if (i) buf_text(out, ", ");
        doc_put_json(out, &name);
        buf_text(out, ": ");
        doc_put_json(out, v ? v : &NOTHING);
    }
    for (uint32_t i = 0; conf->kind == DOC_MAP && i < conf->count; i++) {
        bool known = false;
        for (uint32_t p = 0; p < g->param_count && !known; p++)
            known = slice_equal(g->params[p].name, conf->entries[i].name);
        if (known) continue;
        struct doc name = {.kind = DOC_TEXT, .text = conf->entries[i].name};
        if (out->at && out->at[out->len - 1] != '{') buf_text(out, ", ");
        doc_put_json(out, &name);
        buf_text(out, ": ");
        doc_put_json(out, &conf->entries[i].value);
    }
    buf_char(out, '}');
}

/* --- which changes of data started it ----------------------------------------------------------
 */

struct events {
    struct buf *out;
    struct arena *arena;
    struct slice name; /* of those before; at NULL: the first */
};

static err_t put_event(void *ctx, const struct meta_row *row)
{
    struct events *x = ctx;
    struct slice name = row->at[0].text, extra = row->at[2].text;
    if (!x->name.at || !slice_equal(x->name, name)) {
        struct doc text = {.kind = DOC_TEXT, .text = name};
        if (x->name.at) buf_text(x->out, "], ");
        doc_put_json(x->out, &text);
        buf_text(x->out, ": [");
        x->name = arena_slice(x->arena, name);
        if (!x->name.at) return ERR_NO_MEMORY;
    } else {
        buf_text(x->out, ", ");
    }
    buf_char(x->out, '{');
    put_text(x->out, "uri", name);
    put_time(x->out, "timestamp", row->at[1].number);
    put_name(x->out, "extra");
    buf_slice(x->out, row->at[2].kind == META_NULL || !extra.len ? SLICE("{}") : extra);
    put_text(x->out, "source_dag_id", row->at[3].text);
    put_text(x->out, "source_run_id", row->at[4].text);
    put_text(x->out, "source_task_id", row->at[5].text);
    put_number(x->out, "source_map_index", row->at[6].number);
    buf_char(x->out, '}');
    return ERR_OK;
}

/* By Airflow 2's name and by 3's: {name: [event, …]}. */
static err_t put_events(struct engine *e, const struct run *r, struct buf *out, struct arena *a,
                        struct diag *d)
{
    struct meta_value args[] = {meta_int(r->row.id)};
    struct buf list = buf_make(ORDER_BYTES_MAX);
    struct events x = {.out = &list, .arena = a};
    err_t err = ERR_OK;
    buf_char(&list, '{');
    if (r->row.type == RUN_ASSET_TRIGGERED)
        err = meta_run(e->meta, META_ASSET_EVENTS_OF_RUN, args, 1, put_event, &x, NULL, d);
    buf_text(&list, x.name.at ? "]}" : "}");
    put_name(out, "triggering_dataset_events");
    buf_slice(out, buf_view(&list));
    put_name(out, "triggering_asset_events");
    buf_slice(out, buf_view(&list));
    if (list.err) err = list.err;
    buf_done(&list);
    return err;
}

static err_t take_past(void *ctx, const struct meta_row *row)
{
    int64_t *times = ctx;
    for (uint32_t i = 0; i < 4; i++)
        if (row->at[i].kind != META_NULL) times[i] = row->at[i].number;
    return ERR_OK;
}

static err_t put_past(struct engine *e, struct run *r, int64_t logical, struct buf *out,
                      struct diag *d)
{
    int64_t times[] = {TIME_NONE, TIME_NONE, TIME_NONE, TIME_NONE};
    struct meta_value args[] = {meta_text(r->row.dag_id), meta_int(logical)};
    err_t err = meta_run(e->meta, META_RUN_SUCCESS_BEFORE, args, 2, take_past, times, NULL, d);
    r->past = (struct run_past){times[0], times[1], times[2], times[3]};
    put_time(out, "prev_data_interval_start_success", times[0]);
    put_time(out, "prev_data_interval_end_success", times[1]);
    put_time(out, "prev_start_date_success", times[2]);
    put_time(out, "prev_end_date_success", times[3]);
    return err;
}

/* The run's part: once a loading. */
static err_t run_context(struct engine *e, struct run *r, struct arena *a, struct diag *d)
{
    const struct dag *g = r->graph.plan->dag;
    const struct run_row *row = &r->row;
    struct doc conf = {.kind = DOC_MAP};
    if (row->conf.len && doc_of_json(row->conf, a, &conf, NULL))
        conf = (struct doc){.kind = DOC_MAP};
    int64_t logical = row->logical != TIME_NONE ? row->logical : row->run_after;
    struct buf out = buf_make(ORDER_BYTES_MAX);
    put_text(&out, "run_id", row->run_id);
    put_stamps(&out, logical);
    put_time(&out, "logical_date", logical);
    put_time(&out, "execution_date", logical);
    put_time(&out, "data_interval_start", row->interval_start);
    put_time(&out, "data_interval_end", row->interval_end);
    put_run(&out, row);
    put_params(&out, g, &conf);
    put_name(&out, "dag");
    buf_char(&out, '{');
    put_text(&out, "dag_id", g->id);
    put_text(&out, "description", g->description);
    put_text(&out, "owner", g->owner);
    put_text(&out, "fileloc", g->file);
    buf_char(&out, '}');
    put_bool(&out, "test_mode", false);
    err_t err = put_events(e, r, &out, a, d);
    if (!err) err = put_past(e, r, logical, &out, d);
    if (!err && !out.err) r->context = arena_slice(r->arena, buf_view(&out));
    if (!err) err = out.err ? out.err : r->context.at ? ERR_OK : ERR_NO_MEMORY;
    buf_done(&out);
    return err;
}

static void put_instance(struct buf *out, const struct run *r, const struct instance *i)
{
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    char key[3 * DAG_ID_MAX + 64];
    struct buf text = buf_over(key, sizeof(key));
    buf_char(out, '{');
    put_text(out, "dag_id", r->row.dag_id);
    put_text(out, "task_id", t->id);
    put_text(out, "run_id", r->row.run_id);
    put_number(out, "try_number", i->try_number);
    put_number(out, "max_tries", i->max_tries);
    put_number(out, "map_index", i->map_index);
    put_time(out, "start_date", i->started_at);
    put_text(out, "operator", slice_of(t->kind->operator_name));
    put_text(out, "pool", t->pool);
    buf_char(out, '}');
    buf_printf(&text, "%.*s__%.*s__%.*s", SLICE_ARG(r->row.dag_id), SLICE_ARG(t->id),
               SLICE_ARG(r->row.run_id));
    put_text(out, "task_instance_key_str", buf_view(&text));
    put_number(out, "map_index", i->map_index);
    put_name(out, "task");
    buf_char(out, '{');
    put_text(out, "task_id", t->id);
    put_text(out, "owner", t->owner);
    put_number(out, "retries", t->retries);
    buf_char(out, '}');
}

err_t engine_context(struct engine *e, struct run *r, const struct instance *i, struct arena *a,
                     struct doc *out, struct diag *d)
{
    err_t err = r->context.at ? ERR_OK : run_context(e, r, a, d);
    if (engine_failed(err)) return err;
    if (err) return diag_fail(d, err, "the values that templates see are too many");
    struct buf json = buf_make(ORDER_BYTES_MAX);
    buf_char(&json, '{');
    buf_slice(&json, r->context);
    if (i) {
        put_name(&json, "ti");
        put_instance(&json, r, i);
    }
    buf_char(&json, '}');
    struct slice text = arena_slice(a, buf_view(&json));
    err = json.err ? json.err : text.at ? doc_of_json(text, a, out, d) : ERR_NO_MEMORY;
    buf_done(&json);
    return err;
}
