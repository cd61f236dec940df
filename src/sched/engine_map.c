#include "sched/engine_int.h"

/* --- what an earlier task gave ----------------------------------------------------------------
 */

struct values_of {
    struct engine *e;
    struct run *r;
};

static err_t value_of(void *ctx, struct slice text, struct arena *a, struct doc *out,
                      struct diag *d)
{
    struct values_of *v = ctx;
    if (!has_template(text))
        return engine_result(v->e, v->r->row.id, text, SLICE("return_value"), NULL, a, out, d);
    struct doc context, written = {.kind = DOC_TEXT, .text = text};
    err_t err = engine_context(v->e, v->r, NULL, a, &context, d);
    if (!err) err = engine_render(v->e, v->r, NULL, &written, &context, a, out, d);
    if (err || out->kind != DOC_TEXT) return err;
    struct doc parsed; /* a text that is JSON, as a template that is not native gives it */
    if (doc_of_json(out->text, a, &parsed, NULL)) return ERR_OK;
    *out = parsed;
    return ERR_OK;
}

err_t engine_mapping(struct engine *e, struct run *r, uint32_t task, struct arena *a,
                     struct mapping *out, struct diag *d)
{
    struct values_of v = {e, r};
    struct mapping_values values = {&v, value_of};
    return mapping_make(r->graph.plan->dag->tasks[task].expand, &values, a, out, d);
}

/* --- instances ---------------------------------------------------------------------------------
 */

/* There is no list. Of a mapped task none of whose instances gave a result it is an empty one;
 * another has succeeded without giving anything. */
static enum task_state without_list(const struct run *r, uint32_t task)
{
    const uint32_t *lists = r->graph.plan->lists[task];
    for (uint32_t i = 1; lists && i <= lists[0]; i++) {
        uint32_t at = r->graph.first[lists[i]];
        if (at == GRAPH_NONE || graph_at(&r->graph, at)->map_index < 0) return TASK_UPSTREAM_FAILED;
    }
    return lists ? TASK_SKIPPED : TASK_UPSTREAM_FAILED;
}

/* Nobody may map over what is not whole yet: Airflow's NotFullyPopulated, which a rule that does
 * not wait for it meets. */
static bool lists_are_whole(const struct run *r, uint32_t task)
{
    const uint32_t *lists = r->graph.plan->lists[task];
    for (uint32_t i = 1; lists && i <= lists[0]; i++) {
        uint32_t at = r->graph.first[lists[i]];
        for (; at != GRAPH_NONE; at = graph_at(&r->graph, at)->next)
            if (!task_state_finished((enum task_state)graph_at(&r->graph, at)->state)) return false;
    }
    return true;
}

static err_t renumber(struct engine *e, struct run *r, uint32_t place, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    struct meta_value args[] = {meta_int(r->row.id), meta_text(t->id)};
    err_t err = engine_touch(e, r, d);
    if (!err) err = meta_run(e->meta, META_TASK_RENUMBER, args, 2, NULL, NULL, NULL, d);
    if (!err) err = meta_run(e->meta, META_TRY_RENUMBER, args, 2, NULL, NULL, NULL, d);
    graph_renumber(&r->graph, place, 0);
    return err;
}

static err_t fit_instances(struct engine *e, struct run *r, uint32_t task, uint32_t total,
                           bool *expanded, struct diag *d)
{
    bool *there = arena_take(e->scratch, total + 1);
    err_t err = there ? ERR_OK : ERR_NO_MEMORY;
    uint32_t made = GRAPH_NONE;
    for (uint32_t at = r->graph.first[task]; at != GRAPH_NONE && !err;) {
        struct instance *i = graph_at(&r->graph, at);
        uint32_t next = i->next;
        if (i->map_index < 0) err = renumber(e, r, at, d);
        if (!err && i->map_index >= 0 && (uint32_t)i->map_index < total)
            there[i->map_index] = true;
        else if (!err && !task_state_active((enum task_state)i->state) && i->state != TASK_REMOVED)
            err = engine_move(e, r, at, TASK_REMOVED, "the list has become shorter", d);
        at = next;
    }
    for (uint32_t index = 0; index < total && !err; index++) {
        if (there[index]) continue;
        err = engine_add_instance(e, r, task, (int32_t)index, &made, d);
        if (!err) graph_consider(&r->graph, made);
        *expanded = true;
    }
    return err;
}

err_t engine_expand(struct engine *e, struct run *r, uint32_t place, bool *expanded, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    uint32_t task = i->task;
    bool fits = i->map_index >= 0 && r->graph.mapped[task];
    if (fits) return ERR_OK; /* once a loading */
    struct mapping m;
    struct diag why = {0};
    if (i->map_index < 0 && !lists_are_whole(r, task)) {
        *expanded = true;
        return engine_move(e, r, place, TASK_UPSTREAM_FAILED, "its list is not whole yet", d);
    }
    err_t err = engine_mapping(e, r, task, e->scratch, &m, &why);
    if (engine_failed(err)) {
        if (d) *d = why;
        return err;
    }
    *expanded = true;
    if (err == ERR_NOT_FOUND) return engine_move(e, r, place, without_list(r, task), why.what, d);
    if (err) return engine_move(e, r, place, TASK_FAILED, why.what, d);
    if (m.total == 0 && i->map_index < 0)
        return engine_move(e, r, place, TASK_SKIPPED, "the list to map over is empty", d);
    r->graph.mapped[task] = true;
    *expanded = false;
    return fit_instances(e, r, task, m.total, expanded, d);
}
