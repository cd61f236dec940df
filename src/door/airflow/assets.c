/* Assets (Airflow 2's datasets): tables and topics that dags wait for and change. */
#include "door/airflow/airflow_int.h"

#include "base/vec.h"
#include "data/json.h"
#include "sched/things.h"

static struct listing assets(const struct call *c)
{
    static const char *const also[] = {"only_active", "dag_ids", NULL};
    return (struct listing){.kind = LIST_ASSETS,
                            .body = BODY_ASSET,
                            .name = c->api == API_V1 ? "datasets" : "assets",
                            .also = also};
}

static err_t add_name(struct call *c, struct vec *names, struct slice name)
{
    struct meta_value v = meta_text(arena_slice(c->arena, name));
    return v.kind == META_NULL ? ERR_NO_MEMORY : vec_push(names, &v);
}

/* What a dag waits for and what its tasks change. */
static err_t add_names(struct call *c, struct vec *names, const struct dag *g)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < g->schedule.after_count && !e; i++)
        e = add_name(c, names, g->schedule.after[i].name);
    for (uint32_t t = 0; t < g->task_count; t++)
        for (uint32_t n = 0; n < g->tasks[t].outlet_count && !e; n++)
            e = add_name(c, names, g->tasks[t].outlets[n].name);
    return e;
}

static err_t add_names_of(struct call *c, struct vec *names, struct slice dag_ids)
{
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    err_t e = ERR_OK;
    while (dag_ids.len && !e) {
        const uint8_t *comma = memchr(dag_ids.at, ',', dag_ids.len);
        uint32_t len = comma ? (uint32_t)(comma - dag_ids.at) : dag_ids.len;
        const struct dag *g = p->dag(p->ctx, slice_make(dag_ids.at, len));
        if (g && dag_allows(c, g, DAG_READ)) e = add_names(c, names, g);
        if (g) dag_give(g);
        dag_ids =
            slice_make(dag_ids.at + len + (comma != NULL), dag_ids.len - len - (comma != NULL));
    }
    return e;
}

err_t api_get_assets(struct call *c)
{
    struct listing l = assets(c);
    struct vec names = vec_make(sizeof(struct meta_value), LIST_VALUES_MAX);
    struct slice asked;
    err_t e = ERR_OK;
    for (uint32_t n = 0; n < c->param_count && !e; n++)
        if (slice_is(c->params[n].name, "dag_ids")) e = add_names_of(c, &names, c->params[n].value);
    if (rest_param(c, "dag_ids", &asked))
        l.fixed[l.fixed_count++] = (struct list_filter){
            "name", LIST_IN, (const struct meta_value *)(void *)names.items, (uint32_t)names.count};
    if (!e) e = answer_list(c, &l);
    vec_done(&names);
    return e;
}

/* By v2's number or v1's name. */
static err_t fix_asset(struct call *c, struct listing *l, const char *id, const char *uri)
{
    int64_t number;
    if (c->api == API_V1) {
        listing_fix(c, l, uri, rest_part(c, "uri"));
        return ERR_OK;
    }
    err_t e = rest_path_int(c, "asset_id", &number);
    if (!e) listing_fix_int(c, l, id, number);
    return e;
}

err_t api_get_asset(struct call *c)
{
    struct listing l = assets(c);
    err_t e = fix_asset(c, &l, "id", "name");
    return e ? e : answer_one(c, &l, NO_ASSET);
}

err_t api_get_aliases(struct call *c)
{
    buf_text(&c->out, "{\"asset_aliases\": [], \"total_entries\": 0}");
    return ERR_OK;
}

static struct listing events(const struct call *c)
{
    return (struct listing){.kind = LIST_ASSET_EVENTS,
                            .body = BODY_ASSET_EVENT,
                            .name = c->api == API_V1 ? "dataset_events" : "asset_events"};
}

err_t api_get_asset_events(struct call *c)
{
    struct listing l = events(c);
    return answer_list(c, &l);
}

/* Which events have started a run; all of them, as Airflow has it. */
err_t api_get_upstream_events(struct call *c)
{
    struct run_row run;
    int64_t total = 0;
    struct listing l = events(c);
    err_t e = or_missing(c,
                         run_row_find(c->meta, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"),
                                      c->arena, &run, &c->d),
                         NO_RUN);
    if (e) return e;
    listing_fix_int(c, &l, "of_run", run.id);
    struct list_ask ask = {l.kind, l.fixed, l.fixed_count, {0}, LIST_WHOLE, 0, false};
    buf_printf(&c->out, "{\"%s\": [", l.name);
    e = rest_put_rows(c, &l, &ask, &total, &c->out);
    buf_printf(&c->out, "], \"total_entries\": %lld}", (long long)total);
    return e;
}

/* --- told from outside
 * ----------------------------------------------------------------------------- */

struct found {
    struct call *c;
    struct slice kind, name;
};

static err_t take_asset(void *ctx, const struct meta_row *row)
{
    struct found *f = ctx;
    f->kind = arena_slice(f->c->arena, row->at[list_place(LIST_ASSETS, "kind")].text);
    f->name = arena_slice(f->c->arena, row->at[list_place(LIST_ASSETS, "name")].text);
    return f->kind.at && f->name.at ? ERR_OK : ERR_NO_MEMORY;
}

static err_t find_asset(struct call *c, struct listing *l, struct found *f)
{
    struct list_ask ask = {LIST_ASSETS, l->fixed, l->fixed_count, {0}, 1, 0, true};
    *f = (struct found){.c = c};
    return list_run(c->meta, &ask, take_asset, f, NULL, &c->d);
}

err_t api_post_asset_event(struct call *c)
{
    struct listing l = assets(c), one = events(c);
    struct found f;
    int64_t id = 0;
    err_t e = body_check(c, INPUTS_ASSET_EVENT);
    if (e) return e;
    if (c->api == API_V1)
        listing_fix(c, &l, "name", body_text(c, "dataset_uri"));
    else
        listing_fix_int(c, &l, "id", body_int(c, "asset_id", 0));
    e = find_asset(c, &l, &f);
    if (!e && !f.name.at && c->api == API_V1)
        e = refuse(c, 404, "Dataset not found", "Dataset with uri: '%.*s' not found",
                   SLICE_ARG(body_text(c, "dataset_uri")));
    else if (!e && !f.name.at)
        e = refuse(c, 404, NULL, "Asset with ID: `%lld` was not found",
                   (long long)body_int(c, "asset_id", 0));
    if (e) return e;
    struct asset_change change = {.kind = arena_text(c->arena, f.kind),
                                  .name = f.name,
                                  .extra = body_json(c, "extra"),
                                  .source_map = -1};
    e = ops_data_changed(&c->ops, &change, &id, &c->d);
    if (e) return e;
    airflow_wake(c->door);
    listing_fix_int(c, &one, "id", id);
    return answer_one(c, &one, NO_ASSET);
}

/* Runs the one dag that has a task which changes it. */
err_t api_materialize(struct call *c)
{
    struct listing l = assets(c);
    struct buf text = buf_make(MIB(4));
    struct doc tree;
    struct run_row run;
    err_t e = fix_asset(c, &l, "id", "name");
    if (!e) e = or_missing(c, rest_put_one(c, &l, false, &text), NO_ASSET);
    struct slice kept = e ? (struct slice){0} : arena_slice(c->arena, buf_view(&text));
    buf_done(&text);
    if (!e) e = kept.at ? doc_of_json(kept, c->arena, &tree, &c->d) : ERR_NO_MEMORY;
    if (e) return e;
    const struct doc *by = doc_get(&tree, "producing_tasks");
    struct slice dag_id =
        by && by->count ? doc_text(doc_get(&by->items[0], "dag_id")) : (struct slice){0};
    if (!dag_id.at)
        return refuse(c, 404, NULL, "No DAG materializes asset with ID: %.*s",
                      SLICE_ARG(rest_part(c, "asset_id")));
    for (uint32_t i = 1; i < by->count; i++)
        if (!slice_equal(doc_text(doc_get(&by->items[i], "dag_id")), dag_id))
            return refuse(c, 409, NULL, "More than one DAG materializes asset with ID: %.*s",
                          SLICE_ARG(rest_part(c, "asset_id")));
    struct ops_trigger t = {.dag_id = dag_id,
                            .logical = TIME_NONE,
                            .interval_start = TIME_NONE,
                            .interval_end = TIME_NONE,
                            .run_after = TIME_NONE,
                            .no_logical = true};
    e = ops_trigger(&c->ops, &t, c->arena, &run, &c->d);
    if (e) return e;
    airflow_wake(c->door);
    struct listing made = {.kind = LIST_RUNS, .body = BODY_RUN};
    listing_fix(c, &made, "dag_id", dag_id);
    listing_fix(c, &made, "dag_run_id", run.run_id);
    return answer_one(c, &made, NO_RUN);
}

/* --- what waits for the rest of a schedule
 * --------------------------------------------------------- */

static struct listing queue(void)
{
    return (struct listing){.kind = LIST_ASSET_QUEUE,
                            .body = BODY_QUEUED,
                            .name = "queued_events",
                            .dag_column = "dag_id"};
}

static err_t queued(struct call *c, struct listing *l)
{
    *l = queue();
    listing_fix_part(c, l, "dag_id", "dag_id");
    bool asset = rest_part(c, "uri").at || rest_part(c, "asset_id").at;
    return asset ? fix_asset(c, l, "asset_id", "name") : ERR_OK;
}

static err_t see(void *ctx, const struct meta_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return ERR_OK;
}

err_t api_get_queued(struct call *c)
{
    struct listing l;
    bool any = false;
    err_t e = queued(c, &l);
    struct list_ask ask = {l.kind, l.fixed, l.fixed_count, {0}, 1, 0, true};
    if (!e) e = list_run(c->meta, &ask, see, &any, NULL, &c->d);
    if (!e && !any) e = missing(c, rest_part(c, "dag_id").at ? NO_DAG_QUEUED : NO_QUEUED);
    return e ? e : answer_list(c, &l);
}

err_t api_get_queued_one(struct call *c)
{
    struct listing l;
    err_t e = queued(c, &l);
    return e ? e : answer_one(c, &l, NO_QUEUED_ONE);
}
