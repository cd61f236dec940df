#include "sched/connection.h"
#include "sched/engine_int.h"
#include "sched/secret.h"
#include "sched/template.h"

/* --- what templates look up -------------------------------------------------------------------
 */

struct looking {
    struct engine *e;
    struct run *r;
    const struct instance *i; /* NULL: outside of a task */
    struct mask *mask;        /* what must not be shown of it; NULL: nothing is */
};

static err_t look_variable(void *ctx, struct slice key, struct arena *a, struct slice *value,
                           struct diag *d)
{
    struct looking *l = ctx;
    struct variable v;
    err_t err = variable_resolve(l->e->meta, key, a, &v, d);
    if (err) return err;
    *value = v.value;
    return l->mask && secret_name(key) ? mask_add(l->mask, v.value, d) : ERR_OK;
}

static void put_field(struct doc_entry **at, const char *name, struct slice value)
{
    **at = (struct doc_entry){.name = slice_of(name),
                              .value = {.kind = value.at ? DOC_TEXT : DOC_NULL, .text = value}};
    (*at)++;
}

static err_t look_connection(void *ctx, struct slice id, struct arena *a, struct doc *out,
                             struct diag *d)
{
    enum { FIELDS = 10 };
    struct looking *l = ctx;
    struct connection c;
    struct doc_entry *first = arena_take(a, FIELDS * sizeof(*first)), *at = first;
    err_t err = first ? connection_resolve(l->e->meta, id, a, &c, d) : ERR_NO_MEMORY;
    if (err) return err;
    put_field(&at, "conn_id", id);
    put_field(&at, "conn_type", c.conn_type);
    put_field(&at, "description", c.description);
    put_field(&at, "host", c.host);
    put_field(&at, "schema", c.schema);
    put_field(&at, "login", c.login);
    put_field(&at, "password", c.password);
    put_field(&at, "extra", c.extra);
    put_field(&at, "port", (struct slice){0});
    if (c.port >= 0) at[-1].value = (struct doc){.kind = DOC_INT, .number = c.port};
    *at = (struct doc_entry){.name = SLICE("extra_dejson"), .value = {.kind = DOC_MAP}};
    if (c.extra.len && doc_of_json(c.extra, a, &at->value, NULL))
        at->value = (struct doc){.kind = DOC_MAP};
    *out = (struct doc){.kind = DOC_MAP, .count = FIELDS, .entries = first};
    if (!l->mask) return ERR_OK;
    err = mask_add(l->mask, c.password, d);
    return err ? err : mask_add_json(l->mask, &at->value, d);
}

struct values { /* of one task: its only one, or a list of its mapped instances' */
    struct arena *arena;
    struct doc *items;
    uint32_t count, cap;
    bool mapped;
    const int64_t *only; /* this map index */
};

static err_t take_value(void *ctx, const struct meta_row *row)
{
    struct values *v = ctx;
    if (v->only && row->at[0].number != *v->only) return ERR_OK;
    if (v->count == v->cap) {
        uint32_t cap = v->cap ? 2 * v->cap : 8;
        struct doc *grown =
            arena_resize(v->arena, v->items, v->cap * sizeof(*grown), cap * sizeof(*grown));
        if (!grown) return ERR_NO_MEMORY;
        v->items = grown;
        v->cap = cap;
    }
    if (row->at[0].number >= 0) v->mapped = true;
    struct slice json = arena_slice(v->arena, row->at[1].text);
    if (!json.at) return ERR_NO_MEMORY;
    return doc_of_json(json, v->arena, &v->items[v->count++], NULL);
}

err_t engine_result(struct engine *e, int64_t run, struct slice task_id, struct slice key,
                    const int64_t *map_index, struct arena *a, struct doc *out, struct diag *d)
{
    struct values v = {.arena = a, .only = map_index};
    struct meta_value args[] = {meta_int(run), meta_text(task_id), meta_text(key)};
    err_t err = meta_run(e->meta, META_XCOM_GET, args, 3, take_value, &v, NULL, d);
    if (err) return err;
    if (v.count == 0)
        return diag_fail(d, ERR_NOT_FOUND, "task '%.*s' has given no %.*s", SLICE_ARG(task_id),
                         SLICE_ARG(key));
    bool list = v.mapped && !map_index;
    *out = list ? (struct doc){.kind = DOC_LIST, .count = v.count, .items = v.items} : v.items[0];
    return ERR_OK;
}

static err_t look_result(void *ctx, const struct template_asked *asked, struct arena *a,
                         struct doc *out, struct diag *d)
{
    struct looking *l = ctx;
    struct slice key = asked->key.len ? asked->key : SLICE("return_value");
    int64_t run = l->r->row.id;
    if (asked->dag_id.len || asked->run_id.len) {
        struct run_row other;
        struct slice dag_id = asked->dag_id.len ? asked->dag_id : l->r->row.dag_id;
        struct slice run_id = asked->run_id.len ? asked->run_id : l->r->row.run_id;
        err_t err = run_row_find(l->e->meta, dag_id, run_id, a, &other, d);
        if (err) return err;
        run = other.id;
    }
    if (asked->task_id.len)
        return engine_result(l->e, run, asked->task_id, key, asked->map_index, a, out, d);
    /* of any task: the direct upstreams', the last that has one */
    const struct dag *g = l->r->graph.plan->dag;
    const struct dag_task *t = l->i ? &g->tasks[l->i->task] : NULL;
    err_t err = ERR_NOT_FOUND;
    for (uint32_t u = t ? t->upstream_count : 0; u-- > 0 && err == ERR_NOT_FOUND;)
        err =
            engine_result(l->e, run, g->tasks[t->upstream[u]].id, key, asked->map_index, a, out, d);
    return err;
}

/* --- templates --------------------------------------------------------------------------------
 */

err_t engine_render(struct engine *e, struct run *r, const struct instance *i,
                    const struct doc *options, const struct doc *context, struct arena *a,
                    struct doc *out, struct diag *d)
{
    const struct run_row *row = &r->row;
    int64_t logical = row->logical != TIME_NONE ? row->logical : row->run_after;
    struct looking l = {e, r, i, e->masking};
    struct template_date dates[] = {
        {"logical_date", logical},
        {"execution_date", logical},
        {"data_interval_start", row->interval_start},
        {"data_interval_end", row->interval_end},
        {"dag_run.logical_date", row->logical},
        {"dag_run.execution_date", row->logical},
        {"dag_run.data_interval_start", row->interval_start},
        {"dag_run.data_interval_end", row->interval_end},
        {"dag_run.run_after", row->run_after},
        {"dag_run.start_date", row->started_at},
        {"dag_run.queued_at", row->queued_at},
        {"ti.start_date", i ? i->started_at : TIME_NONE},
        {"prev_data_interval_start_success", r->past.interval_start},
        {"prev_data_interval_end_success", r->past.interval_end},
        {"prev_start_date_success", r->past.started_at},
        {"prev_end_date_success", r->past.ended_at},
    };
    struct template_world w = {
        .names = context,
        .dates = dates,
        .date_count = COUNT_OF(dates),
        .ctx = &l,
        .variable = look_variable,
        .connection = look_connection,
        .xcom = look_result,
        .now_us = e->now,
        .native = r->graph.plan->dag->render_native,
    };
    return template_render(options, &w, a, out, d);
}
