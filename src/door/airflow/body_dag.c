/* What bodies say of a dag and its tasks: from the dag as it is now, or, when its file is gone,
 * from the summary that was kept. */
#include "door/airflow/body_int.h"

#include "base/hash.h"
#include "data/json.h"
#include "sched/things.h"

#include <inttypes.h>

/* A part of the summary (engine_dags.c), of a dag whose file is gone. */
static const struct doc *summary(struct item *i, const char *name)
{
    const struct meta_value *v = item_at(i, "summary");
    struct doc *tree = arena_take(i->c->arena, sizeof(*tree));
    if (!tree || v->kind == META_NULL || doc_of_json(v->text, i->c->arena, tree, NULL)) return NULL;
    return doc_get(tree, name);
}

static void rest_put_doc(struct buf *out, const struct doc *v)
{
    if (v)
        doc_put_json(out, v);
    else
        buf_text(out, "null");
}

static void rest_put_number(struct buf *out, int64_t n)
{
    buf_printf(out, "%" PRId64, n);
}

void rest_put_is_stale(struct buf *out, struct item *i)
{
    rest_put_bool(out, item_at(i, "is_active")->number == 0);
}

void rest_put_is_favorite(struct buf *out, struct item *i)
{
    bool is;
    err_t e = dag_favorite_is(i->c->meta, slice_of(i->c->user.name), item_at(i, "dag_id")->text,
                              &is, &i->c->d);
    if (e)
        out->err = e;
    else
        rest_put_bool(out, is);
}

/* Opaque to clients: the dag's id, since a part of a file is what declares it. */
void rest_put_file_token(struct buf *out, struct item *i)
{
    struct buf text = buf_make(KIB(4));
    put_base64(&text, item_at(i, "dag_id")->text);
    for (size_t n = 0; n < text.len; n++) {
        if (text.at[n] == '+') text.at[n] = '-';
        if (text.at[n] == '/') text.at[n] = '_';
        if (text.at[n] == '=') text.at[n] = '.';
    }
    json_put_text(out, buf_view(&text));
    if (text.err) out->err = text.err;
    buf_done(&text);
}

void rest_put_owners(struct buf *out, struct item *i)
{
    struct slice owner = i->dag ? i->dag->owner : doc_text(summary(i, "owner"));
    bool first = true;
    buf_char(out, '[');
    while (owner.len) {
        const uint8_t *comma = memchr(owner.at, ',', owner.len);
        uint32_t len = comma ? (uint32_t)(comma - owner.at) : owner.len;
        if (!first) buf_text(out, ", ");
        json_put_text(out, slice_trim(slice_make(owner.at, len)));
        first = false;
        uint32_t skip = comma ? len + 1 : len;
        owner = slice_make(owner.at + skip, owner.len - skip);
    }
    buf_char(out, ']');
}

void rest_put_description(struct buf *out, struct item *i)
{
    rest_put_text(out, i->dag ? i->dag->description : doc_text(summary(i, "description")));
}

static void rest_put_delta(struct buf *out, const struct call *c, int64_t us)
{
    int64_t day = 86400 * SECOND_US;
    if (us == 0)
        buf_text(out, "null");
    else
        buf_printf(out,
                   "{\"__type\": \"TimeDelta\", \"days\": %" PRId64 ", \"seconds\": %" PRId64
                   ", \"microseconds\": %" PRId64 "}",
                   us / day, us % day / SECOND_US, us % SECOND_US);
    (void)c;
}

void rest_put_schedule_interval(struct buf *out, struct item *i)
{
    char text[512];
    struct buf when = buf_over(text, sizeof(text));
    struct slice said = doc_text(summary(i, "timetable_summary"));
    if (i->dag && i->dag->schedule.kind == SCHEDULE_EVERY && !i->dag->schedule.every.relative) {
        rest_put_delta(out, i->c, i->dag->schedule.every.us);
        return;
    }
    if (i->dag) {
        schedule_summary(&i->dag->schedule, &when);
        said = buf_view(&when);
    }
    if (!said.at || slice_is(said, "None")) {
        buf_text(out, "null");
        return;
    }
    buf_text(out, "{\"__type\": \"CronExpression\", \"value\": ");
    json_put_text(out, said);
    buf_char(out, '}');
}

void rest_put_timetable_summary(struct buf *out, struct item *i)
{
    char text[512];
    struct buf when = buf_over(text, sizeof(text));
    if (i->dag) schedule_summary(&i->dag->schedule, &when);
    rest_put_text(out, i->dag ? buf_view(&when) : doc_text(summary(i, "timetable_summary")));
}

void rest_put_timetable_description(struct buf *out, struct item *i)
{
    char text[512];
    struct buf when = buf_over(text, sizeof(text));
    if (i->dag) schedule_describe(&i->dag->schedule, &when);
    rest_put_text(out, i->dag ? buf_view(&when) : doc_text(summary(i, "timetable_description")));
}

void rest_put_tags(struct buf *out, struct item *i)
{
    const struct doc *kept = i->dag ? NULL : summary(i, "tags");
    uint32_t count = i->dag ? i->dag->tag_count : kept && kept->kind == DOC_LIST ? kept->count : 0;
    buf_char(out, '[');
    for (uint32_t n = 0; n < count; n++) {
        buf_text(out, n ? ", {\"name\": " : "{\"name\": ");
        rest_put_text(out, i->dag ? i->dag->tags[n] : doc_text(&kept->items[n]));
        if (i->c->api == API_V2) {
            buf_text(out, ", \"dag_id\": ");
            rest_put_text(out, item_at(i, "dag_id")->text);
            buf_text(out, ", \"dag_display_name\": ");
            rest_put_text(out, item_at(i, "dag_id")->text);
        }
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

void rest_put_max_active_tasks(struct buf *out, struct item *i)
{
    if (i->dag)
        rest_put_number(out, i->dag->max_active_tasks);
    else
        rest_put_doc(out, summary(i, "max_active_tasks"));
}

void rest_put_max_active_runs(struct buf *out, struct item *i)
{
    if (i->dag)
        rest_put_number(out, i->dag->max_active_runs);
    else
        rest_put_doc(out, summary(i, "max_active_runs"));
}

void rest_put_max_failed_runs(struct buf *out, struct item *i)
{
    if (i->dag)
        rest_put_number(out, i->dag->max_consecutive_failed_runs);
    else
        rest_put_doc(out, summary(i, "max_consecutive_failed_dag_runs"));
}

void rest_put_has_limits(struct buf *out, struct item *i)
{
    bool limits = false;
    for (uint32_t n = 0; i->dag && n < i->dag->task_count; n++)
        limits |= i->dag->tasks[n].max_active > 0;
    rest_put_bool(out, limits);
}

static err_t saw_one(void *ctx, const struct meta_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return ERR_OK;
}

void rest_put_has_import_errors(struct buf *out, struct item *i)
{
    bool any = false;
    struct meta_value id = meta_text(item_at(i, "dag_id")->text);
    struct list_filter mine = {"dag_id", LIST_IN, &id, 1};
    struct list_ask ask = {.kind = LIST_IMPORT_ERRORS,
                           .filters = &mine,
                           .filter_count = 1,
                           .limit = 1,
                           .no_total = true};
    err_t e = list_run(i->c->meta, &ask, saw_one, &any, NULL, &i->c->d);
    if (e) out->err = e;
    rest_put_bool(out, any);
}

/* --- details -------------------------------------------------------------------------------------
 */

/* The zone that its times are meant in: a cron's may have one of its own. */
void rest_put_timezone(struct buf *out, struct item *i)
{
    const struct schedule *s = i->dag ? &i->dag->schedule : NULL;
    if (s && s->zone && (s->kind == SCHEDULE_CRON || s->kind == SCHEDULE_TRIGGER))
        rest_put_text(out, slice_of(zone_name(s->zone)));
    else
        rest_put_text(out, i->dag && i->dag->zone.at ? i->dag->zone : SLICE("UTC"));
}

static void put_expression(struct buf *out, const struct item *i,
                           void (*put)(struct buf *out, struct slice name))
{
    const struct schedule *s = i->dag ? &i->dag->schedule : NULL;
    if (!s || s->kind != SCHEDULE_DATA) {
        buf_text(out, "null");
        return;
    }
    buf_text(out, s->after_any ? "{\"any\": [" : "{\"all\": [");
    for (uint32_t n = 0; n < s->after_count; n++) {
        if (n) buf_text(out, ", ");
        put(out, s->after[n].name);
    }
    buf_text(out, "]}");
}

static void put_asset(struct buf *out, struct slice name)
{
    buf_text(out, "{\"asset\": {\"name\": ");
    json_put_text(out, name);
    buf_text(out, ", \"uri\": ");
    json_put_text(out, name);
    buf_text(out, ", \"group\": \"asset\"}}");
}

void rest_put_asset_expression(struct buf *out, struct item *i)
{
    put_expression(out, i, put_asset);
}

/* Airflow 2's: uris and nothing else. */
void rest_put_dataset_expression(struct buf *out, struct item *i)
{
    put_expression(out, i, json_put_text);
}

void rest_put_catchup(struct buf *out, struct item *i)
{
    rest_put_bool(out, i->dag && i->dag->catchup);
}

void rest_put_dag_start(struct buf *out, struct item *i)
{
    rest_put_time(out, i->c, i->dag ? i->dag->start_us : TIME_NONE);
}

void rest_put_dag_end(struct buf *out, struct item *i)
{
    rest_put_time(out, i->c, i->dag && i->dag->end_us != INT64_MAX ? i->dag->end_us : TIME_NONE);
}

void rest_put_dagrun_timeout(struct buf *out, struct item *i)
{
    int64_t us = i->dag ? i->dag->dagrun_timeout_us : 0;
    if (i->c->api == API_V1 || us == 0)
        rest_put_delta(out, i->c, us);
    else
        buf_printf(out, "\"PT%" PRId64 "S\"", us / SECOND_US);
}

void rest_put_dag_doc(struct buf *out, struct item *i)
{
    rest_put_text(out, i->dag ? i->dag->doc_md : (struct slice){0});
}

void rest_put_params(struct buf *out, struct item *i)
{
    uint32_t count = i->dag ? i->dag->param_count : 0;
    buf_char(out, '{');
    for (uint32_t n = 0; n < count; n++) {
        const struct dag_param *p = &i->dag->params[n];
        if (n) buf_text(out, ", ");
        json_put_text(out, p->name);
        if (i->c->api == API_V1) buf_text(out, ": {\"__class\": \"airflow.models.param.Param\"");
        buf_text(out, i->c->api == API_V1 ? ", \"value\": " : ": {\"value\": ");
        rest_put_doc(out, p->value);
        buf_text(out, ", \"schema\": ");
        if (p->schema)
            doc_put_json(out, p->schema);
        else
            buf_text(out, "{}");
        buf_text(out, ", \"description\": ");
        rest_put_text(out, p->description);
        buf_char(out, '}');
    }
    buf_char(out, '}');
}

void rest_put_paused_at_first(struct buf *out, struct item *i)
{
    buf_text(out, i->dag && i->dag->paused_at_first ? "true" : "null"); /* null: nothing was said */
}

void rest_put_native(struct buf *out, struct item *i)
{
    rest_put_bool(out, i->dag && i->dag->render_native);
}

void rest_put_default_args(struct buf *out, struct item *i)
{
    if (i->dag && i->dag->default_args)
        doc_put_json(out, i->dag->default_args);
    else
        buf_text(out, "{}");
}

/* --- versions ------------------------------------------------------------------------------------
 */

static void rest_put_version(struct buf *out, const struct call *c, struct slice dag_id,
                             int64_t number, int64_t created)
{
    char id[37];
    uint8_t sum[32];
    struct uuid u;
    struct slice name = rest_printf((struct call *)c, "%.*s/%" PRId64, SLICE_ARG(dag_id), number);
    digest_sha256(name, sum);
    sum[6] = (uint8_t)((sum[6] & 0x0f) | 0x80); /* a version 8: made by us, of the name */
    sum[8] = (uint8_t)((sum[8] & 0x3f) | 0x80);
    memcpy(u.at, sum, sizeof(u.at));
    uuid_print(u, id);
    if (created == INT64_MAX) { /* the id alone */
        json_put_text(out, slice_of(id));
        return;
    }
    buf_printf(out, "{\"id\": \"%s\", \"version_number\": %" PRId64 ", \"dag_id\": ", id, number);
    rest_put_text(out, dag_id);
    buf_text(out, ", \"dag_display_name\": ");
    rest_put_text(out, dag_id);
    buf_text(out, ", \"bundle_name\": \"dags-folder\", \"bundle_version\": null, \"bundle_url\": "
                  "null, \"created_at\": ");
    rest_put_time(out, c, created);
    buf_char(out, '}');
}

void rest_put_version_id(struct buf *out, struct item *i)
{
    rest_put_version(out, i->c, item_at(i, "dag_id")->text, item_at(i, "version_number")->number,
                     INT64_MAX);
}

struct created {
    int64_t at;
};

static err_t take_created(void *ctx, const struct meta_row *row)
{
    int place = list_place(LIST_DAG_VERSIONS, "created_at");
    ((struct created *)ctx)->at = row->at[place].number;
    return ERR_OK;
}

static bool rest_put_number_of(struct buf *out, struct item *i)
{
    const struct meta_value *n = item_at(i, "dag_version");
    struct created created = {TIME_NONE};
    struct meta_value values[] = {meta_text(item_at(i, "dag_id")->text), meta_int(n->number)};
    struct list_filter filters[] = {{"dag_id", LIST_IN, &values[0], 1},
                                    {"version_number", LIST_IN, &values[1], 1}};
    struct list_ask ask = {.kind = LIST_DAG_VERSIONS,
                           .filters = filters,
                           .filter_count = 2,
                           .limit = 1,
                           .no_total = true};
    if (n->kind == META_NULL || n->number == 0) return false;
    err_t e = list_run(i->c->meta, &ask, take_created, &created, NULL, &i->c->d);
    if (e) out->err = e;
    if (e || created.at == TIME_NONE) return false;
    rest_put_version(out, i->c, values[0].text, n->number, created.at);
    return true;
}

void rest_put_latest_version(struct buf *out, struct item *i)
{
    if (!rest_put_number_of(out, i)) buf_text(out, "null");
}

void rest_put_instance_version(struct buf *out, struct item *i)
{
    if (!rest_put_number_of(out, i)) buf_text(out, "null");
}

void rest_put_dag_versions(struct buf *out, struct item *i)
{
    buf_char(out, '[');
    rest_put_number_of(out, i);
    buf_char(out, ']');
}

/* --- tasks
 * ---------------------------------------------------------------------------------------- */

void rest_put_class_ref(struct buf *out, struct item *i)
{
    buf_printf(out, "{\"module_path\": \"sluice.%s\", \"class_name\": \"%s\"}", i->task->kind->name,
               i->task->kind->operator_name);
}

void rest_put_operator_name(struct buf *out, struct item *i)
{
    rest_put_text(out, slice_of(i->task->kind->operator_name));
}

void rest_put_task_id(struct buf *out, struct item *i)
{
    rest_put_text(out, i->task->id);
}

void rest_put_task_display_name(struct buf *out, struct item *i)
{
    rest_put_text(out, i->task->display_name.len ? i->task->display_name : i->task->id);
}

void rest_put_task_owner(struct buf *out, struct item *i)
{
    rest_put_text(out, i->task->owner.at ? i->task->owner : i->dag->owner);
}

void rest_put_trigger_rule(struct buf *out, struct item *i)
{
    rest_put_text(out, slice_of(trigger_rule_name(i->task->rule)));
}

void rest_put_depends_on_past(struct buf *out, struct item *i)
{
    rest_put_bool(out, i->task->depends_on_past);
}

void rest_put_wait_for_downstream(struct buf *out, struct item *i)
{
    rest_put_bool(out, i->task->wait_for_downstream);
}

static void rest_put_real(struct buf *out, int64_t n) /* marshmallow's Number is a float */
{
    buf_printf(out, "%" PRId64 ".0", n);
}

/* Of a task, and of a try whose task may be gone. */
void rest_put_retries(struct buf *out, struct item *i)
{
    if (!i->row)
        rest_put_real(out, i->task->retries);
    else
        rest_put_number(out, i->task ? i->task->retries : 0);
}

void rest_put_queue(struct buf *out, struct item *i)
{
    rest_put_text(out, i->task->queue.len ? i->task->queue : SLICE("default"));
}

void rest_put_pool(struct buf *out, struct item *i)
{
    rest_put_text(out, i->task && i->task->pool.len ? i->task->pool : SLICE("default_pool"));
}

void rest_put_pool_slots(struct buf *out, struct item *i)
{
    if (!i->row)
        rest_put_real(out, i->task->pool_slots);
    else
        rest_put_number(out, i->task ? i->task->pool_slots : 1);
}

void rest_put_execution_timeout(struct buf *out, struct item *i)
{
    rest_put_delta(out, i->c, i->task->execution_timeout_us);
}

void rest_put_retry_delay(struct buf *out, struct item *i)
{
    rest_put_delta(out, i->c, i->task->retry_delay_us);
}

void rest_put_exponential(struct buf *out, struct item *i)
{
    rest_put_bool(out, i->task->exponential);
}

void rest_put_priority(struct buf *out, struct item *i)
{
    if (!i->row)
        rest_put_real(out, i->task->priority_weight);
    else
        rest_put_number(out, i->task ? i->task->weight : 1);
}

void rest_put_weight_rule(struct buf *out, struct item *i)
{
    static const char *const names[] = {"downstream", "upstream", "absolute"};
    rest_put_text(out, slice_of(names[i->task->weight_rule]));
}

void rest_put_template_fields(struct buf *out, struct item *i)
{
    const struct doc *o = i->task->options;
    uint32_t count = o && o->kind == DOC_MAP ? o->count : 0;
    buf_char(out, '[');
    for (uint32_t n = 0; n < count; n++) {
        if (n) buf_text(out, ", ");
        json_put_text(out, o->entries[n].name);
    }
    buf_char(out, ']');
}

void rest_put_downstream(struct buf *out, struct item *i)
{
    buf_char(out, '[');
    for (uint32_t n = 0; n < i->task->downstream_count; n++) {
        if (n) buf_text(out, ", ");
        json_put_text(out, i->dag->tasks[i->task->downstream[n]].id);
    }
    buf_char(out, ']');
}

void rest_put_is_mapped(struct buf *out, struct item *i)
{
    rest_put_bool(out, i->task->expand && i->task->mapped_group < 0);
}

void rest_put_task_doc(struct buf *out, struct item *i)
{
    rest_put_text(out, i->task->doc_md);
}

/* --- data
 * ------------------------------------------------------------------------------------------ */

enum { DAGS_LOOKED_AT = 20000 };

struct data_walk {
    struct buf *out;
    struct item *i;
    bool first;
};

static void rest_put_reference(struct data_walk *w, const struct dag *g, const struct dag_task *t)
{
    buf_text(w->out, w->first ? "{\"dag_id\": " : ", {\"dag_id\": ");
    w->first = false;
    rest_put_text(w->out, g->id);
    if (t) {
        buf_text(w->out, ", \"task_id\": ");
        rest_put_text(w->out, t->id);
    }
    buf_text(w->out, ", \"created_at\": ");
    rest_put_time(w->out, w->i->c, item_at(w->i, "created_at")->number);
    buf_text(w->out, ", \"updated_at\": ");
    rest_put_time(w->out, w->i->c, item_at(w->i, "updated_at")->number);
    buf_char(w->out, '}');
}

static void walk_dags(struct data_walk *w, void (*look)(struct data_walk *w, const struct dag *g))
{
    const struct airflow_port *p = &airflow_options(w->i->c->door)->sched;
    const struct dag **dags = arena_take(w->i->c->arena, DAGS_LOOKED_AT * sizeof(*dags));
    uint32_t count = dags ? p->dags(p->ctx, dags, DAGS_LOOKED_AT) : 0;
    if (!dags) w->out->err = ERR_NO_MEMORY;
    buf_char(w->out, '[');
    for (uint32_t n = 0; n < count; n++) {
        if (dag_allows(w->i->c, dags[n], DAG_READ)) look(w, dags[n]);
        dag_give(dags[n]);
    }
    buf_char(w->out, ']');
}

static void look_consumes(struct data_walk *w, const struct dag *g)
{
    struct slice name = item_at(w->i, "name")->text, kind = item_at(w->i, "kind")->text;
    if (schedule_waits_for(&g->schedule, kind, name) >= 0) rest_put_reference(w, g, NULL);
}

static void look_produces(struct data_walk *w, const struct dag *g)
{
    struct slice name = item_at(w->i, "name")->text, kind = item_at(w->i, "kind")->text;
    for (uint32_t t = 0; t < g->task_count; t++) {
        const struct data_name *o = g->tasks[t].outlets;
        uint32_t n = 0, count = g->tasks[t].outlet_count;
        while (n < count && !(slice_equal(o[n].name, name) && slice_equal(o[n].kind, kind))) n++;
        if (n < count) rest_put_reference(w, g, &g->tasks[t]);
    }
}

void rest_put_consumers(struct buf *out, struct item *i)
{
    struct data_walk w = {out, i, true};
    walk_dags(&w, look_consumes);
}

void rest_put_producers(struct buf *out, struct item *i)
{
    struct data_walk w = {out, i, true};
    walk_dags(&w, look_produces);
}

void rest_put_last_event(struct buf *out, struct item *i)
{
    const struct meta_value *id = item_at(i, "last_event_id");
    if (id->kind == META_NULL) {
        buf_text(out, "null");
        return;
    }
    buf_printf(out, "{\"id\": %lld, \"timestamp\": ", (long long)id->number);
    rest_put_time(out, i->c, item_at(i, "last_event_at")->number);
    buf_char(out, '}');
}

/* The runs that an event has started, of dags that may be read. */
void rest_put_started_runs(struct buf *out, struct item *i)
{
    struct listing l = {.kind = LIST_RUNS, .body = BODY_RUN_REFERENCE};
    struct meta_value *ids;
    uint32_t count;
    bool all;
    err_t e = dags_readable(i->c, &all, &ids, &count);
    listing_fix_int(i->c, &l, "of_event", item_at(i, "id")->number);
    if (!e && !all) l.fixed[l.fixed_count++] = (struct list_filter){"dag_id", LIST_IN, ids, count};
    struct list_ask ask = {LIST_RUNS, l.fixed, l.fixed_count, {0}, LIST_WHOLE, 0, true};
    buf_char(out, '[');
    if (!e) e = rest_put_rows(i->c, &l, &ask, NULL, out);
    if (e) out->err = e;
    buf_char(out, ']');
}
