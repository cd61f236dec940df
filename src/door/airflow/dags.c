/* Dags, their tasks, sources, versions, tags and figures. */
#include "door/airflow/airflow_int.h"

#include "base/hash.h"
#include "data/json.h"
#include "sched/things.h"

#include <inttypes.h>
#include <stdlib.h>

static struct listing dags_listing(void)
{
    return (struct listing){
        .kind = LIST_DAGS, .body = BODY_DAG, .name = "dags", .dag_column = "dag_id"};
}

/* Airflow shows dags that are there; only_active=false and exclude_stale=false show all. */
static err_t only_there(struct call *c, struct listing *l)
{
    bool there = true;
    err_t e = rest_bool(c, "only_active", &there);
    if (!e) e = rest_bool(c, "exclude_stale", &there);
    if (!e && there) listing_fix_int(c, l, "is_active", 1);
    return e;
}

static err_t dags_asked(struct call *c, struct listing *l)
{
    static const char *const also[] = {"only_active", "exclude_stale", "update_mask", NULL};
    *l = dags_listing();
    l->also = also;
    return only_there(c, l);
}

/* v2's is_favorite: of who asks. */
static err_t favorites(struct call *c, struct listing *l)
{
    bool is;
    struct slice said;
    if (c->api != API_V2 || !rest_param(c, "is_favorite", &said)) return ERR_OK;
    err_t e = rest_bool(c, "is_favorite", &is);
    if (e) return e;
    listing_fix(c, l, "favorite_of", slice_of(c->user.name));
    if (!is) l->fixed[l->fixed_count - 1].op = LIST_NOT_IN;
    return ERR_OK;
}

err_t api_get_dags(struct call *c)
{
    struct listing l;
    err_t e = dags_asked(c, &l);
    if (!e) e = favorites(c, &l);
    l.schema = "DAGCollectionSchema";
    return e ? e : answer_list(c, &l);
}

static err_t dag_answer(struct call *c, bool detail, enum problem p)
{
    struct listing l = dags_listing();
    l.schema = detail ? "DAGDetailSchema" : "DAGSchema";
    listing_fix_part(c, &l, "dag_id", "dag_id");
    return or_missing(c, rest_put_one(c, &l, detail, &c->out), p);
}

err_t api_get_dag(struct call *c)
{
    return dag_answer(c, false, NO_DAG);
}

err_t api_get_dag_details(struct call *c)
{
    if (!rest_dag(c)) return missing(c, NO_DAG);
    return dag_answer(c, true, NO_DAG);
}

static err_t check_pause(struct call *c)
{
    struct slice mask;
    err_t e = body_check(c, INPUTS_DAG_PATCH);
    if (!e && rest_param(c, "update_mask", &mask) && !slice_is(mask, "is_paused"))
        e = refuse(c, 400, "Bad Request",
                   "Only `is_paused` field can be updated through the REST API");
    return e;
}

err_t api_patch_dag(struct call *c)
{
    err_t e = check_pause(c);
    if (!e)
        e = or_missing(c,
                       ops_dag_pause(&c->ops, rest_part(c, "dag_id"),
                                     body_bool(c, "is_paused", false), NULL, &c->d),
                       NO_DAG_TO_CHANGE);
    if (!e) airflow_wake(c->door);
    return e ? e : dag_answer(c, false, NO_DAG_TO_CHANGE);
}

struct ids {
    struct call *c;
    struct slice *at;
    uint32_t count;
};

static err_t take_id(void *ctx, const struct meta_row *row)
{
    struct ids *i = ctx;
    if (i->count == LIST_PAGE_MAX) return ERR_OK;
    i->at[i->count] = arena_slice(i->c->arena, row->at[0].text);
    return i->at[i->count++].at ? ERR_OK : ERR_NO_MEMORY;
}

/* Those that the list shows: they are listed first, paused one by one, and listed again. */
err_t api_patch_dags(struct call *c)
{
    struct listing l;
    struct doc shown;
    err_t e = check_pause(c);
    if (!e) e = dags_asked(c, &l);
    if (!e) e = answer_list(c, &l);
    if (!e) {
        struct slice text = arena_slice(c->arena, buf_view(&c->out));
        e = text.at ? doc_of_json(text, c->arena, &shown, &c->d) : ERR_NO_MEMORY;
    }
    const struct doc *list = e ? NULL : doc_get(&shown, "dags");
    for (uint32_t i = 0; list && i < list->count && !e; i++)
        e = ops_dag_pause(&c->ops, doc_text(doc_get(&list->items[i], "dag_id")),
                          body_bool(c, "is_paused", false), NULL, &c->d);
    if (e) return e;
    airflow_wake(c->door);
    buf_reset(&c->out);
    struct listing again;
    e = dags_asked(c, &again);
    return e ? e : answer_list(c, &again);
}

err_t api_delete_dag(struct call *c)
{
    err_t e = ops_dag_delete(&c->ops, rest_part(c, "dag_id"), &c->d);
    if (e) return or_missing(c, e, NO_DAG_TO_CHANGE);
    airflow_wake(c->door);
    if (c->api == API_V1)
        c->status = 204;
    else
        buf_text(&c->out, "null");
    return ERR_OK;
}

/* --- tasks
 * ------------------------------------------------------------------------------------------ */

static void rest_put_task(struct call *c, const struct dag_task *t)
{
    struct item i = {.c = c, .dag = c->dag, .task = t};
    rest_put_item(&c->out, BODY_TASK, &i);
}

static int64_t sort_number(const struct dag_task *t, struct slice by)
{
    if (slice_is(by, "priority_weight")) return t->priority_weight;
    if (slice_is(by, "pool_slots")) return t->pool_slots;
    return slice_is(by, "retries") ? t->retries : 0;
}

static bool sorts_by(struct slice by, bool *text)
{
    static const char *const numbers[] = {"priority_weight", "pool_slots", "retries"};
    static const char *const texts[] = {"task_id", "owner",      "trigger_rule", "pool",
                                        "queue",   "start_date", "end_date"};
    *text = false;
    for (size_t i = 0; i < COUNT_OF(numbers); i++)
        if (slice_is(by, numbers[i])) return true;
    *text = true;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (slice_is(by, texts[i])) return true;
    return false;
}

static struct slice sort_text(const struct dag_task *t, struct slice by)
{
    if (slice_is(by, "owner")) return t->owner;
    if (slice_is(by, "trigger_rule")) return slice_of(trigger_rule_name(t->rule));
    if (slice_is(by, "pool")) return t->pool;
    return slice_is(by, "task_id") ? t->id : SLICE("");
}

struct sorting {
    struct slice by;
    bool text, down;
};

static int compare_tasks(const void *a, const void *b, void *ctx)
{
    const struct dag_task *s = *(const struct dag_task *const *)a,
                          *t = *(const struct dag_task *const *)b;
    const struct sorting *o = ctx;
    int64_t x = sort_number(s, o->by), y = sort_number(t, o->by);
    int n = o->text ? slice_compare(sort_text(s, o->by), sort_text(t, o->by)) : (x > y) - (x < y);
    return o->down ? -n : n;
}

err_t api_get_tasks(struct call *c)
{
    struct sorting o = {.by = SLICE("task_id")};
    if (!rest_dag(c)) return missing(c, NO_DAG_BARE);
    (void)rest_param(c, "order_by", &o.by);
    if (o.by.len && o.by.at[0] == '-') {
        o.down = true;
        o.by = slice_make(o.by.at + 1, o.by.len - 1);
    }
    if (!sorts_by(o.by, &o.text))
        return refuse(c, 400, "Bad Request", "'DAG' object has no attribute '%.*s'",
                      SLICE_ARG(o.by));
    uint32_t count = c->dag->task_count;
    const struct dag_task **tasks = arena_take(c->arena, (count + 1) * sizeof(*tasks));
    if (!tasks) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for tasks");
    for (uint32_t i = 0; i < count; i++) tasks[i] = &c->dag->tasks[i];
    qsort_r(tasks, count, sizeof(*tasks), compare_tasks, &o);
    buf_text(&c->out, "{\"tasks\": [");
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_text(&c->out, ", ");
        rest_put_task(c, tasks[i]);
    }
    buf_printf(&c->out, "], \"total_entries\": %u}", count);
    return ERR_OK;
}

err_t api_get_task(struct call *c)
{
    if (!rest_dag(c)) return missing(c, NO_DAG_BARE);
    int32_t at = dag_task_find(c->dag, rest_part(c, "task_id"));
    if (at < 0) return missing(c, NO_TASK);
    rest_put_task(c, &c->dag->tasks[at]);
    return ERR_OK;
}

/* --- sources
 * ------------------------------------------------------------------------------------------ */

/* A file_token is the dag's id in base64, with other letters where an address has its own use. */
static struct slice token_dag(struct call *c)
{
    struct slice token = rest_part(c, "file_token");
    struct buf coded = buf_make(KIB(4)), id = buf_make(KIB(4));
    for (uint32_t i = 0; i < token.len; i++) {
        char l = (char)token.at[i];
        buf_char(&coded, (char)(l == '-' ? '+' : l == '_' ? '/' : l == '.' ? '=' : l));
    }
    struct slice s = parse_base64(buf_view(&coded), &id) ? (struct slice){0}
                                                         : arena_slice(c->arena, buf_view(&id));
    buf_done(&coded);
    buf_done(&id);
    return s;
}

struct source {
    struct call *c;
    struct slice text;
    int64_t number;
};

static err_t take_number(void *ctx, const struct meta_row *row)
{
    ((struct source *)ctx)->number = row->at[list_place(LIST_DAGS, "dag_version")].number;
    return ERR_OK;
}

err_t api_get_dag_source(struct call *c)
{
    struct slice id = c->api == API_V1 ? token_dag(c) : rest_part(c, "dag_id"), asked;
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    if (c->dag_asked && c->dag) dag_give(c->dag);
    c->dag = id.at ? p->dag(p->ctx, id) : NULL;
    c->dag_asked = true;
    if (!c->dag) return missing(c, NO_SOURCE);
    if (!dag_allows(c, c->dag, DAG_READ)) return refuse(c, 403, "Forbidden", NULL);
    struct source s = {.c = c};
    struct meta_value v = meta_text(id);
    struct list_filter f = {"dag_id", LIST_IN, &v, 1};
    struct list_ask ask = {LIST_DAGS, &f, 1, {0}, 1, 0, true};
    err_t e = list_run(c->meta, &ask, take_number, &s, NULL, &c->d);
    if (e) return e;
    if (rest_param(c, "version_number", &asked)) {
        int64_t n;
        if (!slice_to_i64(asked, &n) || n != s.number) return missing(c, NO_SOURCE);
    }
    struct slice accept = http_header(c->http, "accept");
    if (slice_starts(accept, "text/plain")) {
        c->type = "text/plain";
        buf_slice(&c->out, c->dag->text);
        return ERR_OK;
    }
    buf_text(&c->out, "{\"content\": ");
    json_put_text(&c->out, c->dag->text);
    if (c->api == API_V2) {
        buf_text(&c->out, ", \"dag_id\": ");
        json_put_text(&c->out, id);
        buf_printf(&c->out, ", \"version_number\": %" PRId64 ", \"dag_display_name\": ", s.number);
        json_put_text(&c->out, id);
    }
    buf_char(&c->out, '}');
    return ERR_OK;
}

/* --- figures, warnings, tags, versions
 * ------------------------------------------------------------------ */

static err_t rest_put_stats(struct call *c, struct slice id, bool first)
{
    static const char *const states[] = {"queued", "running", "success", "failed"};
    buf_text(&c->out, first ? "{\"dag_id\": " : ", {\"dag_id\": ");
    json_put_text(&c->out, id);
    if (c->api == API_V2) {
        buf_text(&c->out, ", \"dag_display_name\": ");
        json_put_text(&c->out, id);
    }
    buf_text(&c->out, ", \"stats\": [");
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        int64_t total = 0;
        struct meta_value values[] = {meta_text(id), meta_text(slice_of(states[i]))};
        struct list_filter f[] = {{"dag_id", LIST_IN, &values[0], 1},
                                  {"state", LIST_IN, &values[1], 1}};
        struct list_ask ask = {.kind = LIST_RUNS, .filters = f, .filter_count = 2};
        err_t e = list_run(c->meta, &ask, NULL, NULL, &total, &c->d);
        if (e) return e;
        buf_printf(&c->out, "%s{\"state\": \"%s\", \"count\": %" PRId64 "}", i ? ", " : "",
                   states[i], total);
    }
    buf_text(&c->out, "]}");
    return ERR_OK;
}

static err_t every_id(struct call *c, struct ids *ids)
{
    struct listing l = dags_listing();
    err_t e = only_there(c, &l);
    struct list_ask ask = {.kind = LIST_DAGS,
                           .filters = l.fixed,
                           .filter_count = l.fixed_count,
                           .limit = LIST_PAGE_MAX,
                           .no_total = true};
    return e ? e : list_run(c->meta, &ask, take_id, ids, NULL, &c->d);
}

err_t api_get_dag_stats(struct call *c)
{
    struct ids ids = {c, arena_take(c->arena, LIST_VALUES_MAX * sizeof(struct slice)), 0};
    if (!ids.at) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for names");
    for (uint32_t n = 0; n < c->param_count; n++) {
        struct slice rest = c->params[n].value;
        if (!slice_is(c->params[n].name, "dag_ids")) continue;
        while (rest.len && ids.count < LIST_VALUES_MAX) {
            const uint8_t *comma = memchr(rest.at, ',', rest.len);
            uint32_t len = comma ? (uint32_t)(comma - rest.at) : rest.len;
            ids.at[ids.count++] = slice_trim(slice_make(rest.at, len));
            rest = comma ? slice_make(comma + 1, rest.len - len - 1) : (struct slice){0};
        }
    }
    if (!ids.count && c->api == API_V1)
        return refuse(c, 400, "Bad Request", "Missing query parameter 'dag_ids'");
    err_t e = ids.count ? ERR_OK : every_id(c, &ids);
    buf_text(&c->out, "{\"dags\": [");
    for (uint32_t i = 0; i < ids.count && !e; i++) e = rest_put_stats(c, ids.at[i], i == 0);
    buf_printf(&c->out, "], \"total_entries\": %u}", ids.count);
    return e;
}

/* What Airflow warns of (a pool that is not there, assets that collide) is an import error here. */
err_t api_get_dag_warnings(struct call *c)
{
    buf_text(&c->out, "{\"dag_warnings\": [], \"total_entries\": 0}");
    return ERR_OK;
}

err_t api_get_dag_tags(struct call *c)
{
    struct listing l = {.kind = LIST_TAGS, .body = BODY_TAG, .name = "tags"};
    return answer_list(c, &l);
}

static struct listing versions(struct call *c)
{
    struct listing l = {.kind = LIST_DAG_VERSIONS,
                        .body = BODY_VERSION,
                        .name = "dag_versions",
                        .dag_column = "dag_id"};
    listing_fix_part(c, &l, "dag_id", "dag_id");
    return l;
}

err_t api_get_dag_versions(struct call *c)
{
    struct listing l = versions(c);
    return answer_list(c, &l);
}

err_t api_get_dag_version(struct call *c)
{
    struct listing l = versions(c);
    int64_t n;
    err_t e = rest_path_int(c, "version_number", &n);
    if (e) return e;
    listing_fix_int(c, &l, "version_number", n);
    return answer_one(c, &l, NO_DAG_VERSION);
}

/* --- what a person wants to see first ------------------------------------------------------------
 */

static err_t favor(struct call *c, bool is)
{
    struct slice id = rest_part(c, "dag_id");
    struct listing l = dags_listing();
    struct buf seen = buf_make(AIRFLOW_ANSWER_MAX);
    listing_fix(c, &l, "dag_id", id);
    err_t e = or_missing(c, rest_put_one(c, &l, false, &seen), NO_DAG_FAVORITE);
    buf_done(&seen);
    if (!e) e = dag_favorite_set(c->meta, slice_of(c->user.name), id, is, &c->d);
    if (e == ERR_EXISTS) {
        const char *said = arena_text(c->arena, slice_of(c->d.what));
        return refuse(c, 409, NULL, "%s", said);
    }
    if (!e) c->status = 204;
    return e ? e : rest_event(c, is ? "favorite_dag" : "unfavorite_dag", (struct slice){0});
}

err_t api_favorite(struct call *c)
{
    return favor(c, true);
}

err_t api_unfavorite(struct call *c)
{
    return favor(c, false);
}

/* --- files ---------------------------------------------------------------------------------------
 */

/* A file is read as soon as it changes: there is nothing to be hurried. */
err_t api_reparse(struct call *c)
{
    struct slice id = token_dag(c);
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    const struct dag *g = id.at ? p->dag(p->ctx, id) : NULL;
    if (!g) return refuse(c, 404, "File not found", c->api == API_V2 ? "File not found" : NULL);
    bool may = dag_allows(c, g, DAG_EDIT);
    dag_give(g);
    if (!may) return refuse(c, 403, "Forbidden", NULL);
    airflow_wake(c->door);
    c->status = 201;
    if (c->api == API_V2) buf_text(&c->out, "null");
    return rest_event(c, "reparse_dag_file", id);
}

enum { REPORT_DAGS = 20000 };

static int by_file(const void *a, const void *b)
{
    const struct dag *x = *(const struct dag *const *)a, *y = *(const struct dag *const *)b;
    int order = slice_compare(x->file, y->file);
    return order ? order : slice_compare(x->id, y->id);
}

/* One file's: dags[0] to dags[count - 1]. How long reading it took is not kept. */
static void rest_put_report(struct call *c, const struct dag *const *dags, uint32_t count)
{
    struct buf names = buf_make(MIB(8));
    uint32_t tasks = 0;
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(&names, "%s'%.*s'", i ? ", " : "[", SLICE_ARG(dags[i]->id));
        tasks += dags[i]->task_count;
    }
    buf_char(&names, ']');
    buf_text(&c->out, "{\"file\": ");
    json_put_text(&c->out, dags[0]->file);
    buf_printf(&c->out,
               ", \"duration\": null, \"dag_num\": %u, \"task_num\": %u, \"dags\": ", count, tasks);
    json_put_text(&c->out, buf_view(&names));
    buf_char(&c->out, '}');
    if (names.err) c->out.err = names.err;
    buf_done(&names);
}

/* The files under `subdir` of which every dag may be read, as Airflow tells them. */
err_t api_get_dag_reports(struct call *c)
{
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    struct slice under;
    if (!rest_param(c, "subdir", &under)) return rest_param_missing(c, "subdir");
    const struct dag **dags = arena_take(c->arena, REPORT_DAGS * sizeof(*dags));
    if (!dags) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for the dags' names");
    uint32_t count = p->dags(p->ctx, dags, REPORT_DAGS), shown = 0;
    qsort(dags, count, sizeof(*dags), by_file);
    buf_text(&c->out, "{\"dag_reports\": [");
    for (uint32_t i = 0, next; i < count; i = next) {
        bool may = true;
        for (next = i; next < count && slice_equal(dags[next]->file, dags[i]->file); next++)
            may = may && dag_allows(c, dags[next], DAG_READ);
        bool lies =
            dags[i]->file.len >= under.len && memcmp(dags[i]->file.at, under.at, under.len) == 0;
        if (!may || !lies) continue;
        if (shown++) buf_text(&c->out, ", ");
        rest_put_report(c, dags + i, next - i);
    }
    buf_printf(&c->out, "], \"total_entries\": %u}", shown);
    for (uint32_t i = 0; i < count; i++) dag_give(dags[i]);
    return ERR_OK;
}
