/* Task instances: listed, marked, cleared, noted; their tries, dependencies and results. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"
#include "sched/things.h"

#include <inttypes.h>

static void fix_place(struct call *c, struct listing *l)
{
    listing_fix_part(c, l, "dag_id", "dag_id");
    listing_fix_part(c, l, "dag_run_id", "dag_run_id");
    listing_fix_part(c, l, "task_id", "task_id");
}

static struct listing instances(struct call *c)
{
    struct listing l = {.kind = LIST_TASKS,
                        .body = BODY_INSTANCE,
                        .name = "task_instances",
                        .dag_column = "dag_id"};
    fix_place(c, &l);
    return l;
}

static err_t run_is_known(struct call *c, enum problem p)
{
    struct run_row run;
    struct slice dag_id = rest_part(c, "dag_id"), run_id = rest_part(c, "dag_run_id");
    if (slice_is(dag_id, "~") || slice_is(run_id, "~")) return ERR_OK;
    return or_missing(c, run_row_find(c->meta, dag_id, run_id, c->arena, &run, &c->d), p);
}

err_t api_get_task_instances(struct call *c)
{
    struct listing l = instances(c);
    err_t e = c->api == API_V2 ? run_is_known(c, NO_RUN) : ERR_OK;
    return e ? e : answer_list(c, &l);
}

err_t api_get_task_instances_batch(struct call *c)
{
    struct listing l = instances(c);
    return answer_list_form(c, &l, INPUTS_TASK_LIST);
}

/* The path's map index, or -1; a task that is mapped needs one. */
err_t rest_index(struct call *c, int64_t *index)
{
    struct slice said;
    *index = -1;
    if (rest_part(c, "map_index").at) return rest_path_int(c, "map_index", index);
    return rest_param(c, "map_index", &said) ? rest_int(c, "map_index", index) : ERR_OK;
}

struct count {
    int64_t unmapped, mapped;
};

static err_t take_index(void *ctx, const struct meta_row *row)
{
    struct count *n = ctx;
    if (row->at[list_place(LIST_TASKS, "map_index")].number < 0)
        n->unmapped++;
    else
        n->mapped++;
    return ERR_OK;
}

static err_t find_instance(struct call *c, int64_t index, enum problem p)
{
    struct listing l = instances(c);
    struct count n = {0};
    bool one = index >= 0;
    if (one) listing_fix_int(c, &l, "map_index", index);
    struct list_ask ask = {l.kind, l.fixed, l.fixed_count, {0}, 2, 0, true};
    err_t e = list_run(c->meta, &ask, take_index, &n, NULL, &c->d);
    if (e) return e;
    if (!one && n.mapped) return missing(c, NO_INSTANCE_UNMAPPED);
    return n.mapped || n.unmapped ? ERR_OK : missing(c, one ? NO_INSTANCE_MAPPED : p);
}

static err_t answer_instance(struct call *c, int64_t index)
{
    struct listing l = instances(c);
    listing_fix_int(c, &l, "map_index", index);
    return answer_one(c, &l, NO_INSTANCE);
}

err_t api_get_task_instance(struct call *c)
{
    int64_t index;
    err_t e = rest_index(c, &index);
    if (!e) e = find_instance(c, index, NO_INSTANCE);
    return e ? e : answer_instance(c, index);
}

err_t api_get_mapped(struct call *c)
{
    struct listing l = instances(c);
    struct count n = {0};
    struct list_ask ask = {l.kind, l.fixed, l.fixed_count, {0}, 2, 0, true};
    err_t e = list_run(c->meta, &ask, take_index, &n, NULL, &c->d);
    int32_t at = rest_dag(c) ? dag_task_find(c->dag, rest_part(c, "task_id")) : -1;
    if (!e && !n.mapped && !n.unmapped && !c->dag) e = missing(c, NO_DAG);
    if (!e && !n.mapped && !n.unmapped && at < 0) e = missing(c, NO_TASK);
    if (!e && !n.mapped && at >= 0 && !c->dag->tasks[at].expand) e = missing(c, NO_TASK_MAPPED);
    /* the one that stands for a task before it is mapped is not shown */
    struct meta_value zero = meta_int(0);
    if (!e) l.fixed[l.fixed_count++] = (struct list_filter){"map_index", LIST_GTE, &zero, 1};
    return e ? e : answer_list(c, &l);
}

/* --- tries
 * ------------------------------------------------------------------------------------------ */

struct listing rest_tries(struct call *c)
{
    struct listing l = {
        .kind = LIST_TRIES, .body = BODY_TRY, .name = "task_instances", .dag_column = "dag_id"};
    fix_place(c, &l);
    return l;
}

err_t api_get_tries(struct call *c)
{
    struct listing l = rest_tries(c);
    int64_t index;
    err_t e = rest_index(c, &index);
    if (!e) e = find_instance(c, index, NO_INSTANCE);
    if (!e) listing_fix_int(c, &l, "map_index", index);
    return e ? e : answer_list(c, &l);
}

err_t api_get_try(struct call *c)
{
    struct listing l = rest_tries(c);
    int64_t index, number;
    err_t e = rest_index(c, &index);
    if (!e) e = rest_path_int(c, "task_try_number", &number);
    if (e) return e;
    listing_fix_int(c, &l, "map_index", index);
    listing_fix_int(c, &l, "try_number", number);
    return answer_one(c, &l, NO_TRY);
}

/* --- dependencies, links
 * --------------------------------------------------------------------------------- */

/* What keeps it from running, as far as the database shows: its state, its pool, its dag's pause.
 */
err_t api_get_dependencies(struct call *c)
{
    struct task_row t;
    int64_t index;
    err_t e = rest_index(c, &index);
    if (!e) e = find_instance(c, index, NO_INSTANCE_NOTE);
    if (!e)
        e = task_row_find(c->meta, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"),
                          rest_part(c, "task_id"), (int32_t)index, c->arena, &t, &c->d);
    if (e) return e;
    buf_text(&c->out, "{\"dependencies\": [");
    if (task_state_waiting(t.state) && t.message.len) {
        buf_text(&c->out, "{\"name\": \"Scheduler\", \"reason\": ");
        json_put_text(&c->out, t.message);
        buf_char(&c->out, '}');
    }
    buf_text(&c->out, "]}");
    return ERR_OK;
}

err_t api_get_links(struct call *c)
{
    if (!rest_dag(c))
        return refuse(c, 404, "DAG not found", "DAG with ID = \"%.*s\" not found",
                      SLICE_ARG(rest_part(c, "dag_id")));
    if (dag_task_find(c->dag, rest_part(c, "task_id")) < 0)
        return refuse(c, 404, "Task not found", "Task with ID = \"%.*s\" not found",
                      SLICE_ARG(rest_part(c, "task_id")));
    err_t e = run_is_known(c, NO_RUN);
    if (e) return e;
    buf_text(&c->out, c->api == API_V1 ? "{}" : "{\"extra_links\": {}, \"total_entries\": 0}");
    return ERR_OK;
}

/* --- marked, noted, cleared
 * ------------------------------------------------------------------------------- */

err_t rest_put_touched(struct call *c, const struct task_rows *rows)
{
    bool first = true;
    buf_text(&c->out, "{\"task_instances\": [");
    for (uint32_t i = 0; i < rows->count && !c->out.err; i++) {
        const struct task_row *t = &rows->at[i];
        struct listing l = {.kind = LIST_TASKS,
                            .body = c->api == API_V1 ? BODY_REFERENCE : BODY_INSTANCE};
        listing_fix(c, &l, "dag_id", t->dag_id.at ? t->dag_id : rest_part(c, "dag_id"));
        listing_fix(c, &l, "dag_run_id", t->run_id);
        listing_fix(c, &l, "task_id", t->task_id);
        listing_fix_int(c, &l, "map_index", t->map_index);
        size_t before = c->out.len;
        if (!first) buf_text(&c->out, ", ");
        err_t e = rest_put_one(c, &l, false, &c->out);
        if (e == ERR_NOT_FOUND) /* gone meanwhile */
            c->out.len = before;
        else if (e)
            return e;
        else
            first = false;
    }
    buf_text(&c->out, "]");
    if (c->api == API_V2) buf_printf(&c->out, ", \"total_entries\": %u", rows->count);
    buf_char(&c->out, '}');
    return c->out.err;
}

bool task_state_may_be_marked(enum task_state state)
{
    return state == TASK_SUCCESS || state == TASK_FAILED || state == TASK_SKIPPED;
}

err_t rest_mark(struct call *c, struct ops_mark *m, bool dry, struct task_rows *touched)
{
    struct slice said = body_text(c, "new_state");
    m->dag_id = rest_part(c, "dag_id");
    m->upstream = body_bool(c, "include_upstream", false);
    m->downstream = body_bool(c, "include_downstream", false);
    m->future = body_bool(c, "include_future", false);
    m->past = body_bool(c, "include_past", false);
    m->dry = dry;
    if (!task_state_parse(said, &m->state) || !task_state_may_be_marked(m->state)) {
        if (c->api == API_V1)
            return refuse(c, 400, "Bad Request",
                          "'%.*s' is not one of ['success', 'failed', 'skipped'] - 'new_state'",
                          SLICE_ARG(said));
        return refuse(c, 422, NULL, "'%.*s' is not one of ['success', 'failed', 'skipped']",
                      SLICE_ARG(said));
    }
    err_t e = ops_task_mark(&c->ops, m, c->arena, touched, &c->d);
    if (!e && !dry) airflow_wake(c->door);
    return e;
}

static err_t patch(struct call *c, bool dry)
{
    struct task_rows touched = {0};
    struct slice dag_id = rest_part(c, "dag_id"), run_id = rest_part(c, "dag_run_id"),
                 task_id = rest_part(c, "task_id");
    int64_t index;
    err_t e = body_check(c, INPUTS_TASK_PATCH);
    if (!e) e = mask_check(c, INPUTS_TASK_PATCH);
    if (!e && c->api == API_V1 && !rest_dag(c))
        e = refuse(c, 404, "DAG not found", "DAG '%.*s' not found", SLICE_ARG(dag_id));
    if (!e && c->api == API_V1 && dag_task_find(c->dag, task_id) < 0)
        e = refuse(c, 404, "Task not found", "Task '%.*s' not found in DAG '%.*s'",
                   SLICE_ARG(task_id), SLICE_ARG(dag_id));
    if (!e) e = rest_index(c, &index);
    if (!e) e = find_instance(c, index, NO_INSTANCE_TO_CHANGE);
    if (e) return e;
    struct ops_mark m = {.run_id = run_id, .task = {task_id, (int32_t)index}};
    bool marks = body_text(c, "new_state").at && (c->api == API_V1 || mask_has(c, "new_state"));
    if (marks)
        e = rest_mark(c, &m, c->api == API_V1 ? body_bool(c, "dry_run", true) : dry, &touched);
    if (!e && !dry && body_has(c, "note") && mask_has(c, "note"))
        e = ops_task_note(&c->ops, dag_id, run_id, task_id, (int32_t)index, body_text(c, "note"),
                          &c->d);
    if (e) return e;
    if (c->api == API_V2 && dry) return rest_put_touched(c, &touched);
    struct listing l = instances(c);
    listing_fix_int(c, &l, "map_index", index);
    if (c->api == API_V1) {
        l.body = BODY_REFERENCE;
        return answer_one(c, &l, NO_INSTANCE_TO_CHANGE);
    }
    buf_text(&c->out, "{\"task_instances\": [");
    e = rest_put_one(c, &l, true, &c->out);
    buf_text(&c->out, "], \"total_entries\": 1}");
    return or_missing(c, e, NO_INSTANCE_TO_CHANGE);
}

err_t api_patch_task_instance(struct call *c)
{
    return patch(c, false);
}

err_t api_dry_task_instance(struct call *c)
{
    return patch(c, true);
}

err_t api_set_task_note(struct call *c)
{
    int64_t index;
    err_t e = body_check(c, INPUTS_NOTE);
    if (!e) e = rest_index(c, &index);
    if (!e) e = find_instance(c, index, NO_INSTANCE_NOTE);
    if (!e)
        e = ops_task_note(&c->ops, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"),
                          rest_part(c, "task_id"), (int32_t)index, body_text(c, "note"), &c->d);
    return e ? e : answer_instance(c, index);
}

/* "task" or ["task", 3]. */
static err_t read_tasks(struct call *c, struct ops_clear *k)
{
    const struct doc *ids = body_get(c, "task_ids");
    if (!ids) return ERR_OK;
    if (ids->count > LIST_VALUES_MAX)
        return refuse(c, 400, "Bad Request", "more than %d task_ids", LIST_VALUES_MAX);
    struct ops_task *tasks = arena_take(c->arena, (ids->count + 1) * sizeof(*tasks));
    if (!tasks) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for tasks");
    for (uint32_t i = 0; i < ids->count; i++) {
        const struct doc *v = &ids->items[i];
        bool pair = v->kind == DOC_LIST && v->count == 2 && v->items[1].kind == DOC_INT;
        tasks[i].id = pair ? doc_text(&v->items[0]) : doc_text(v);
        tasks[i].map_index = pair ? (int32_t)v->items[1].number : OPS_ALL_MAPPED;
        if (!tasks[i].id.at)
            return refuse(c, c->api == API_V1 ? 400 : 422, "Bad Request",
                          "task_ids are texts, or [text, map index]");
    }
    k->tasks = tasks;
    k->task_count = ids->count;
    return ERR_OK;
}

err_t api_clear_tasks(struct call *c)
{
    struct task_rows cleared = {0};
    struct run_row run;
    err_t e = body_check(c, INPUTS_TASKS_CLEAR);
    if (e) return e;
    struct ops_clear k = {.dag_id = rest_part(c, "dag_id"),
                          .run_id = body_text(c, "dag_run_id"),
                          .downstream = body_bool(c, "include_downstream", false),
                          .upstream = body_bool(c, "include_upstream", false),
                          .past = body_bool(c, "include_past", false),
                          .future = body_bool(c, "include_future", false),
                          .only_failed = body_bool(c, "only_failed", true),
                          .only_running = body_bool(c, "only_running", false),
                          .recursive = body_bool(c, "include_parentdag", false),
                          .keep_runs = !body_bool(c, "reset_dag_runs", c->api == API_V2),
                          .dry = body_bool(c, "dry_run", true)};
    if (!rest_dag(c))
        return c->api == API_V1
                   ? refuse(c, 404, rest_words(c, "Dag id %.*s not found", SLICE_ARG(k.dag_id)),
                            NULL)
                   : missing(c, NO_DAG);
    e = body_time(c, "start_date", &k.start);
    if (!e) e = body_time(c, "end_date", &k.end);
    if (!e) e = read_tasks(c, &k);
    if (!e && k.run_id.at && run_row_find(c->meta, k.dag_id, k.run_id, c->arena, &run, &c->d))
        return refuse(c, 404,
                      rest_words(c, "Dag Run id %.*s not found in dag %.*s", SLICE_ARG(k.run_id),
                                 SLICE_ARG(k.dag_id)),
                      c->api == API_V2 ? "Dag Run id %.*s not found in dag %.*s" : NULL,
                      SLICE_ARG(k.run_id), SLICE_ARG(k.dag_id));
    if (!e) e = ops_tasks_clear(&c->ops, &k, c->arena, &cleared, &c->d);
    if (e) return e;
    if (!k.dry) airflow_wake(c->door);
    return rest_put_touched(c, &cleared);
}

struct run_found {
    struct call *c;
    const char *id;
};

/* The run at a logical date. */
static err_t take_run(void *ctx, const struct meta_row *row)
{
    struct run_found *p = ctx;
    p->id = arena_text(p->c->arena, row->at[list_place(LIST_RUNS, "dag_run_id")].text);
    return ERR_OK;
}

static err_t run_at(struct call *c, int64_t logical, struct slice *run_id)
{
    struct run_found p = {.c = c};
    struct meta_value v[] = {meta_text(rest_part(c, "dag_id")), meta_int(logical)};
    struct list_filter f[] = {{"dag_id", LIST_IN, &v[0], 1}, {"logical_date", LIST_IN, &v[1], 1}};
    struct list_ask ask = {LIST_RUNS, f, 2, {0}, 1, 0, true};
    err_t e = list_run(c->meta, &ask, take_run, &p, NULL, &c->d);
    if (e) return e;
    if (!p.id)
        return refuse(c, 404, "Not Found",
                      "Task instance not found for task '%.*s' on that execution_date",
                      SLICE_ARG(body_text(c, "task_id")));
    *run_id = slice_of(p.id);
    return ERR_OK;
}

err_t api_update_tasks(struct call *c)
{
    struct task_rows touched = {0};
    int64_t logical = TIME_NONE;
    err_t e = body_check(c, INPUTS_TASKS_STATE);
    if (!e) e = body_time(c, "execution_date", &logical);
    if (e) return e;
    struct slice task_id = body_text(c, "task_id");
    struct ops_mark m = {.run_id = body_text(c, "dag_run_id"), .task = {task_id, OPS_ALL_MAPPED}};
    if (m.run_id.at && logical != TIME_NONE)
        return refuse(
            c, 400, "Bad Request",
            "{'_schema': ['Exactly one of execution_date or dag_run_id must be provided']}");
    if (!rest_dag(c))
        return refuse(c, 404,
                      rest_words(c, "Dag ID %.*s not found", SLICE_ARG(rest_part(c, "dag_id"))),
                      NULL);
    if (dag_task_find(c->dag, task_id) < 0)
        return refuse(c, 404, rest_words(c, "Task ID %.*s not found", SLICE_ARG(task_id)), NULL);
    if (!m.run_id.at) e = run_at(c, logical, &m.run_id);
    if (!e) e = rest_mark(c, &m, body_bool(c, "dry_run", true), &touched);
    if (e == ERR_NOT_FOUND && !c->refused)
        return refuse(c, 404, "Not Found",
                      "Task instance not found for task '%.*s' on DAG run with ID '%.*s'",
                      SLICE_ARG(task_id), SLICE_ARG(m.run_id));
    return e ? e : rest_put_touched(c, &touched);
}

/* --- results
 * ------------------------------------------------------------------------------------------------
 */

static struct listing xcoms(struct call *c)
{
    static const char *const also[] = {"map_index", "xcom_key", "deserialize", "stringify", NULL};
    struct listing l = {.kind = LIST_XCOMS,
                        .body = BODY_XCOM,
                        .name = "xcom_entries",
                        .dag_column = "dag_id",
                        .also = also};
    fix_place(c, &l);
    return l;
}

err_t api_get_xcoms(struct call *c)
{
    struct listing l = xcoms(c);
    struct slice key, said;
    int64_t index = -1;
    err_t e = rest_index(c, &index);
    if (e) return e;
    if (rest_param(c, "map_index", &said) || c->api == API_V1)
        listing_fix_int(c, &l, "map_index", index);
    if (rest_param(c, "xcom_key", &key)) listing_fix(c, &l, "key", key);
    return answer_list(c, &l);
}

static err_t answer_xcom(struct call *c, struct slice key, int64_t index)
{
    struct listing l = xcoms(c);
    listing_fix(c, &l, "key", key);
    listing_fix_int(c, &l, "map_index", index);
    return answer_one(c, &l, NO_XCOM);
}

err_t api_get_xcom(struct call *c)
{
    int64_t index;
    bool deserialise = false;
    err_t e = rest_index(c, &index);
    if (!e) e = rest_bool(c, "deserialize", &deserialise);
    if (!e && deserialise && c->api == API_V1)
        e = refuse(c, 400, "Bad Request", "XCom deserialization is disabled in configuration.");
    return e ? e : answer_xcom(c, rest_part(c, "xcom_key"), index);
}

static err_t xcom_place(struct call *c, struct slice name, struct xcom_key *k)
{
    struct run_row run;
    err_t e = run_row_find(c->meta, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"), c->arena,
                           &run, &c->d);
    if (e) return or_missing(c, e, NO_RUN);
    *k = (struct xcom_key){run.id, rest_part(c, "task_id"), name,
                           (int32_t)body_int(c, "map_index", -1)};
    return ERR_OK;
}

static err_t write_xcom(struct call *c, struct slice name, bool there)
{
    struct xcom_key k;
    struct slice before, value;
    err_t e = xcom_place(c, name, &k);
    if (e) return e;
    e = xcom_find(c->meta, &k, c->arena, &before, NULL, &c->d);
    if (e && e != ERR_NOT_FOUND) return e;
    if (!there && !e)
        return refuse(c, 409, NULL,
                      "The XCom with key: `%.*s` with mentioned task instance already exists.",
                      SLICE_ARG(name));
    if (there && e)
        return refuse(c, 404, NULL,
                      "The XCom with key: `%.*s` with mentioned task instance doesn't exist.",
                      SLICE_ARG(name));
    value = body_json(c, "value");
    e = xcom_put(c->meta, &k, value.at ? value : SLICE("null"), c->ops.now_us, &c->d);
    return e ? e : rest_event(c, there ? "update_xcom_entry" : "create_xcom_entry", name);
}

static err_t change_post_xcom(struct call *c)
{
    return write_xcom(c, body_text(c, "key"), false);
}

static err_t change_patch_xcom(struct call *c)
{
    return write_xcom(c, rest_part(c, "xcom_key"), true);
}

err_t api_post_xcom(struct call *c)
{
    err_t e = body_check(c, INPUTS_XCOM);
    if (!e && !rest_dag(c)) e = missing(c, NO_DAG);
    if (!e && dag_task_find(c->dag, rest_part(c, "task_id")) < 0)
        e = refuse(c, 404, NULL, "Task with ID: `%.*s` not found in dag: `%.*s`",
                   SLICE_ARG(rest_part(c, "task_id")), SLICE_ARG(rest_part(c, "dag_id")));
    if (!e) e = rest_transact(c, change_post_xcom);
    if (e) return e;
    c->status = 201;
    return answer_xcom(c, body_text(c, "key"), body_int(c, "map_index", -1));
}

err_t api_patch_xcom(struct call *c)
{
    err_t e = body_check(c, INPUTS_XCOM_PATCH);
    if (!e) e = rest_transact(c, change_patch_xcom);
    return e ? e : answer_xcom(c, rest_part(c, "xcom_key"), body_int(c, "map_index", -1));
}
