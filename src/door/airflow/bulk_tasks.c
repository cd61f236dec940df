/* A run's task instances changed in bulk (v2), and one deleted. Each is a transaction of its own.
 */
#include "door/airflow/airflow_int.h"

static err_t see(void *ctx, const struct meta_row *row)
{
    (void)row;
    *(bool *)ctx = true;
    return ERR_OK;
}

/* OPS_ALL_MAPPED: is there any? */
static err_t is_there(struct call *c, const struct ops_task *t, bool *there)
{
    struct meta_value v[] = {meta_text(rest_part(c, "dag_id")),
                             meta_text(rest_part(c, "dag_run_id")), meta_text(t->id),
                             meta_int(t->map_index)};
    struct list_filter f[] = {{"dag_id", LIST_IN, &v[0], 1},
                              {"dag_run_id", LIST_IN, &v[1], 1},
                              {"task_id", LIST_IN, &v[2], 1},
                              {"map_index", LIST_IN, &v[3], 1}};
    struct list_ask ask = {LIST_TASKS, f, t->map_index == OPS_ALL_MAPPED ? 3 : 4, {0}, 1, 0, true};
    *there = false;
    return list_run(c->meta, &ask, see, there, NULL, &c->d);
}

/* What was refused, or is not there, is said of the action; another failure is the whole's. */
static err_t say_of(struct call *c, const struct bulk *b, err_t e)
{
    if (!c->refused && e != ERR_NOT_FOUND) return e;
    int status = c->refused ? c->status : 404;
    c->refused = false;
    return bulk_failed(b, status, slice_of(c->d.what));
}

static const char *not_found(struct call *c, const struct doc *entity)
{
    const struct doc *index = doc_get(entity, "map_index");
    struct slice said = index && index->kind == DOC_INT
                            ? rest_printf(c, "%lld", (long long)index->number)
                            : SLICE("None");
    return rest_words(c,
                      "The Task Instance with dag_id: `%.*s`, run_id: `%.*s`, task_id: `%.*s` and "
                      "map_index: `%.*s` was not found",
                      SLICE_ARG(rest_part(c, "dag_id")), SLICE_ARG(rest_part(c, "dag_run_id")),
                      SLICE_ARG(doc_text(doc_get(entity, "task_id"))), SLICE_ARG(said));
}

static struct ops_task task_of(const struct doc *entity, int32_t otherwise)
{
    if (entity->kind != DOC_MAP) return (struct ops_task){entity->text, otherwise};
    const struct doc *index = doc_get(entity, "map_index");
    bool one = index && index->kind == DOC_INT;
    return (struct ops_task){doc_text(doc_get(entity, "task_id")),
                             one ? (int32_t)index->number : otherwise};
}

/* The state, then the note, of c->body. */
static err_t update_one(struct call *c, const struct ops_task *t)
{
    struct task_rows touched = {0};
    struct ops_mark m = {.run_id = rest_part(c, "dag_run_id"), .task = *t};
    err_t e = ERR_OK;
    if (body_text(c, "new_state").at) {
        e = rest_mark(c, &m, false, &touched);
        if (!e && !touched.count)
            e = refuse(c, 409, NULL, "Task id %.*s is already in %.*s state", SLICE_ARG(t->id),
                       SLICE_ARG(body_text(c, "new_state")));
    }
    if (!e && body_text(c, "note").at)
        e = ops_task_note(&c->ops, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"), t->id,
                          t->map_index, body_text(c, "note"), &c->d);
    return e;
}

static err_t update(struct call *c, const struct bulk *b)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < b->entities->count && !e; i++) {
        bool there;
        struct ops_task t = task_of(&b->entities->items[i], -1);
        e = is_there(c, &t, &there);
        if (!e && !there && slice_is(b->on, "skip")) continue;
        if (!e && !there)
            return bulk_failed(b, 404, slice_of(not_found(c, &b->entities->items[i])));
        c->body = b->entities->items[i];
        if (!e) e = update_one(c, &t);
        if (!e) bulk_done(b, t.id);
    }
    return e ? say_of(c, b, e) : ERR_OK;
}

static struct slice name_of(struct call *c, const struct ops_task *t)
{
    if (t->map_index == OPS_ALL_MAPPED) return t->id;
    return rest_printf(c, "%.*s[%d]", SLICE_ARG(t->id), t->map_index);
}

/* Those with a map index, of which none may be missing, and then the others, as Airflow does. */
static err_t fail_missing(struct call *c, const struct bulk *b, bool *failed)
{
    struct buf said = buf_make(AIRFLOW_BODY_MAX * 2);
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < b->entities->count && !e; i++) {
        bool there = true;
        struct ops_task t = task_of(&b->entities->items[i], OPS_ALL_MAPPED);
        if (t.map_index != OPS_ALL_MAPPED) e = is_there(c, &t, &there);
        if (e || there) continue;
        buf_printf(&said, "%s'%.*s'", said.len ? ", " : "The task instances with these task_ids: [",
                   SLICE_ARG(name_of(c, &t)));
    }
    *failed = said.len > 0;
    if (*failed) buf_text(&said, "] were not found");
    if (!e) e = said.err;
    if (!e && *failed) e = bulk_failed(b, 404, buf_view(&said));
    buf_done(&said);
    return e;
}

static err_t remove_one(struct call *c, const struct bulk *b, const struct ops_task *t, bool *ends)
{
    bool fail = slice_is(b->on, "fail") && t->map_index == OPS_ALL_MAPPED;
    err_t e =
        ops_task_delete(&c->ops, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"), t, &c->d);
    if (!e) bulk_done(b, name_of(c, t));
    if (e != ERR_NOT_FOUND) return e;
    *ends = fail;
    return fail ? bulk_failed(
                      b, 404,
                      rest_printf(c, "No task instances found for task_id: %.*s", SLICE_ARG(t->id)))
                : ERR_OK;
}

static err_t take_away(struct call *c, const struct bulk *b)
{
    bool ends = false;
    err_t e = slice_is(b->on, "fail") ? fail_missing(c, b, &ends) : ERR_OK;
    for (int turn = 0; turn < 2; turn++)
        for (uint32_t i = 0; i < b->entities->count && !e && !ends; i++) {
            struct ops_task t = task_of(&b->entities->items[i], OPS_ALL_MAPPED);
            if ((t.map_index == OPS_ALL_MAPPED) == (turn == 1)) e = remove_one(c, b, &t, &ends);
        }
    return e;
}

static err_t act(struct call *c, const struct bulk *b, const void *ctx)
{
    (void)ctx;
    if (b->verb == BULK_UPDATE) return update(c, b);
    if (b->verb == BULK_DELETE) return take_away(c, b);
    return bulk_failed(b, 405, SLICE("Task instances bulk create is not supported"));
}

/* The states that may be asked for, before anything is changed. */
static err_t check_states(struct call *c)
{
    const struct doc *actions = doc_get(&c->body, "actions");
    for (uint32_t i = 0; i < actions->count; i++) {
        const struct doc *list = doc_get(&actions->items[i], "entities");
        for (uint32_t n = 0; n < list->count; n++) {
            struct slice said = doc_text(doc_get(&list->items[n], "new_state"));
            enum task_state state;
            if (!said.at) continue;
            if (task_state_parse(said, &state) && task_state_may_be_marked(state)) continue;
            return refuse(c, 422, NULL, "'%.*s' is not one of ['success', 'failed', 'skipped']",
                          SLICE_ARG(said));
        }
    }
    return ERR_OK;
}

err_t api_bulk_tasks(struct call *c)
{
    err_t e = bulk_check(c, INPUTS_BULK_TASK, true);
    if (!e) e = check_states(c);
    if (!e) e = bulk_run(c, act, NULL);
    if (e) return e;
    c->status = 200;
    airflow_wake(c->door);
    return ERR_OK;
}

err_t api_delete_task(struct call *c)
{
    int64_t index;
    err_t e = rest_index(c, &index);
    if (e) return e;
    struct ops_task t = {rest_part(c, "task_id"), (int32_t)index};
    e = ops_task_delete(&c->ops, rest_part(c, "dag_id"), rest_part(c, "dag_run_id"), &t, &c->d);
    if (e == ERR_NOT_FOUND)
        return refuse(c, 404, NULL,
                      "The Task Instance with dag_id: `%.*s`, run_id: `%.*s`, task_id: `%.*s` and "
                      "map_index: `%lld` was not found",
                      SLICE_ARG(rest_part(c, "dag_id")), SLICE_ARG(rest_part(c, "dag_run_id")),
                      SLICE_ARG(t.id), (long long)index);
    if (e) return e;
    airflow_wake(c->door);
    buf_text(&c->out, "null");
    return ERR_OK;
}
