/* What Airflow 3's own pages ask for beside its API, in their forms: dags with their newest runs, a
 * dag's structure, the states of several runs' tasks at once. */
#include "door/airflow/body_int.h"

#include "data/json.h"

#include <inttypes.h>

enum { LATEST_RUNS = 10, LATEST_RUNS_MAX = 50 }; /* Airflow's default; ours is the ceiling */

/* --- dags with their newest runs
 * ----------------------------------------------------------------- */

struct latest {
    struct buf *out;
    const struct call *c;
    bool any;
};

static err_t rest_put_light_run(void *ctx, const struct run_row *run)
{
    struct latest *l = ctx;
    struct buf *out = l->out;
    buf_printf(out, "%s{\"id\": %" PRId64 ", \"dag_id\": ", l->any ? ", " : "", run->id);
    l->any = true;
    json_put_text(out, run->dag_id);
    buf_text(out, ", \"run_id\": ");
    json_put_text(out, run->run_id);
    buf_text(out, ", \"logical_date\": ");
    rest_put_time(out, l->c, run->logical);
    buf_text(out, ", \"run_after\": ");
    rest_put_time(out, l->c, run->run_after);
    buf_text(out, ", \"start_date\": ");
    rest_put_time(out, l->c, run->started_at);
    buf_text(out, ", \"end_date\": ");
    rest_put_time(out, l->c, run->ended_at);
    bool ended = run->started_at != TIME_NONE && run->ended_at != TIME_NONE;
    buf_text(out, ", \"duration\": ");
    if (ended)
        json_put_f64(out, (double)(run->ended_at - run->started_at) / 1e6);
    else
        buf_text(out, "null");
    buf_printf(out, ", \"state\": \"%s\", \"run_type\": \"%s\"}", run_state_name(run->state),
               run_type_name(run->type));
    return out->err;
}

static int64_t runs_asked(struct call *c)
{
    int64_t most = LATEST_RUNS;
    struct slice said; /* ui_dags has looked at it */
    if (rest_param(c, "dag_runs_limit", &said) && !slice_to_i64(said, &most)) most = LATEST_RUNS;
    return most < 0 ? 0 : MIN(most, (int64_t)LATEST_RUNS_MAX);
}

void rest_put_latest_runs(struct buf *out, struct item *i)
{
    struct latest l = {.out = out, .c = i->c};
    buf_char(out, '[');
    err_t e = runs_newest(i->c->meta, item_at(i, "dag_id")->text, runs_asked(i->c), i->c->arena,
                          rest_put_light_run, &l, &i->c->d);
    if (e) out->err = e;
    buf_char(out, ']');
}

err_t api_ui_dags(struct call *c)
{
    int64_t most;
    err_t e = rest_int(c, "dag_runs_limit", &most);
    return e ? e : api_get_dags(c);
}

/* --- structure
 * ------------------------------------------------------------------------------------- */

struct structure {
    struct call *c;
    const struct dag *dag;
    int32_t *first_task, *next_task; /* of a group (0: of none), in the dag's order; -1: no more */
    int32_t *first_group, *next_group;
};

static void rest_put_node_task(struct structure *s, const struct dag_task *t)
{
    struct buf *out = &s->c->out;
    buf_text(out, "{\"id\": ");
    json_put_text(out, t->id);
    buf_text(out, ", \"label\": ");
    struct slice id = t->id;
    if (t->group >= 0) {
        uint32_t skip = s->dag->groups[t->group].id.len + 1;
        if (skip < id.len) id = slice_make(id.at + skip, id.len - skip);
    }
    json_put_text(out, t->display_name.len ? t->display_name : id);
    buf_printf(out, ", \"type\": \"task\", \"children\": null, \"is_mapped\": %s",
               t->expand ? "true" : "null");
    buf_text(out, ", \"tooltip\": null, \"setup_teardown_type\": ");
    buf_text(out, t->is_setup ? "\"setup\"" : t->is_teardown ? "\"teardown\"" : "null");
    buf_printf(out, ", \"operator\": \"%s\", \"asset_condition_type\": null}",
               t->kind->operator_name);
}

/* As deep as a document may be (DOC_DEPTH_MAX). */
static void rest_put_nodes(struct structure *s, int32_t group)
{
    struct buf *out = &s->c->out;
    bool any = false;
    buf_char(out, '[');
    for (int32_t g = s->first_group[group + 1]; g >= 0; g = s->next_group[g]) {
        const struct dag_group *of = &s->dag->groups[g];
        uint32_t skip = group >= 0 ? s->dag->groups[group].id.len + 1 : 0;
        buf_text(out, any ? ", {\"id\": " : "{\"id\": ");
        any = true;
        json_put_text(out, of->id);
        buf_text(out, ", \"label\": ");
        json_put_text(out,
                      skip < of->id.len ? slice_make(of->id.at + skip, of->id.len - skip) : of->id);
        buf_printf(out, ", \"type\": \"task\", \"is_mapped\": %s, \"tooltip\": ",
                   of->expand ? "true" : "null");
        rest_put_text(out, of->tooltip.at ? of->tooltip : SLICE(""));
        buf_text(out, ", \"setup_teardown_type\": null, \"operator\": null, "
                      "\"asset_condition_type\": null, \"children\": ");
        rest_put_nodes(s, g);
        buf_char(out, '}');
    }
    for (int32_t t = s->first_task[group + 1]; t >= 0; t = s->next_task[t]) {
        if (any) buf_text(out, ", ");
        any = true;
        rest_put_node_task(s, &s->dag->tasks[t]);
    }
    buf_char(out, ']');
}

static void rest_put_edges(struct structure *s)
{
    struct buf *out = &s->c->out;
    bool any = false;
    buf_char(out, '[');
    for (uint32_t i = 0; i < s->dag->task_count; i++) {
        const struct dag_task *from = &s->dag->tasks[i];
        for (uint32_t n = 0; n < from->downstream_count; n++) {
            const struct dag_task *to = &s->dag->tasks[from->downstream[n]];
            bool scope = from->is_setup && to->is_teardown;
            buf_text(out, any ? ", {\"source_id\": " : "{\"source_id\": ");
            any = true;
            json_put_text(out, from->id);
            buf_text(out, ", \"target_id\": ");
            json_put_text(out, to->id);
            buf_printf(out,
                       ", \"is_setup_teardown\": %s, \"label\": null, \"is_source_asset\": null}",
                       scope ? "true" : "null");
        }
    }
    buf_char(out, ']');
}

static bool link_children(struct structure *s)
{
    const struct dag *g = s->dag;
    struct arena *a = s->c->arena;
    size_t places = g->group_count + 1;
    s->first_task = arena_take(a, places * sizeof(int32_t));
    s->first_group = arena_take(a, places * sizeof(int32_t));
    s->next_task = arena_take(a, (g->task_count + 1) * sizeof(int32_t));
    s->next_group = arena_take(a, places * sizeof(int32_t));
    if (!s->first_task || !s->first_group || !s->next_task || !s->next_group) return false;
    for (size_t i = 0; i < places; i++) s->first_task[i] = s->first_group[i] = -1;
    for (int32_t t = (int32_t)g->task_count - 1; t >= 0; t--) {
        int32_t *first = &s->first_task[g->tasks[t].group + 1];
        s->next_task[t] = *first;
        *first = t;
    }
    for (int32_t n = (int32_t)g->group_count - 1; n >= 0; n--) {
        int32_t *first = &s->first_group[g->groups[n].parent + 1];
        s->next_group[n] = *first;
        *first = n;
    }
    return true;
}

err_t api_ui_structure(struct call *c)
{
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    struct slice id;
    if (!rest_param(c, "dag_id", &id) || !id.len)
        return refuse(c, 422, NULL, "dag_id: Field required");
    c->dag = p->dag(p->ctx, id);
    c->dag_asked = true;
    if (c->dag ? !dag_allows(c, c->dag, DAG_READ) : c->user.role < ROLE_VIEWER)
        return refuse(c, 403, NULL, "Forbidden");
    if (!c->dag) return refuse(c, 404, NULL, "Dag with id %.*s was not found", SLICE_ARG(id));
    struct structure s = {.c = c, .dag = c->dag};
    if (!link_children(&s)) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for a structure");
    buf_text(&c->out, "{\"nodes\": ");
    rest_put_nodes(&s, -1);
    buf_text(&c->out, ", \"edges\": ");
    rest_put_edges(&s);
    buf_char(&c->out, '}');
    return ERR_OK;
}

/* --- the grid's cells
 * ------------------------------------------------------------------------------- */

struct cells { /* a task's rows, one a state, become one cell */
    struct call *c;
    struct slice task_id;
    char task[DAG_ID_MAX * 4 + 1];
    int64_t counts[TASK_STATES], started_at, ended_at;
    bool any, has_note, is_mapped;
};

/* Which state stands for all: Airflow's order. */
static const enum task_state rank[] = {
    TASK_FAILED,    TASK_UPSTREAM_FAILED, TASK_UP_FOR_RETRY, TASK_UP_FOR_RESCHEDULE, TASK_QUEUED,
    TASK_SCHEDULED, TASK_DEFERRED,        TASK_RUNNING,      TASK_RESTARTING,        TASK_NONE,
    TASK_SUCCESS,   TASK_SKIPPED,         TASK_REMOVED};

static void rest_put_state(struct buf *out, enum task_state s)
{
    rest_put_text(out, s == TASK_NONE ? (struct slice){0} : slice_of(task_state_name(s)));
}

static void rest_put_cell(struct cells *k)
{
    struct buf *out = &k->c->out;
    if (!k->task_id.at) return;
    size_t at = 0;
    while (at + 1 < COUNT_OF(rank) && !k->counts[rank[at]]) at++;
    buf_text(out, k->any ? ", {\"task_id\": " : "{\"task_id\": ");
    k->any = true;
    json_put_text(out, k->task_id);
    buf_text(out, ", \"task_display_name\": ");
    json_put_text(out, k->task_id);
    buf_text(out, ", \"state\": ");
    rest_put_state(out, rank[at]);
    buf_text(out, ", \"child_states\": ");
    bool first = true;
    for (size_t i = 0; i < COUNT_OF(rank) && k->is_mapped; i++) {
        if (!k->counts[rank[i]]) continue;
        const char *name = rank[i] == TASK_NONE ? "none" : task_state_name(rank[i]);
        buf_printf(out, "%s\"%s\": %" PRId64, first ? "{" : ", ", name, k->counts[rank[i]]);
        first = false;
    }
    buf_text(out, k->is_mapped ? "}" : "null");
    buf_text(out, ", \"min_start_date\": ");
    rest_put_time(out, k->c, k->started_at);
    buf_text(out, ", \"max_end_date\": ");
    rest_put_time(out, k->c, k->ended_at);
    buf_printf(out, ", \"has_note\": %s}", k->has_note ? "true" : "false");
}

static err_t take_summary(void *ctx, const struct task_summary *t)
{
    struct cells *k = ctx;
    if (!k->task_id.at || !slice_equal(k->task_id, t->task_id)) {
        rest_put_cell(k);
        if (!slice_to_cstr(t->task_id, k->task, sizeof(k->task))) return ERR_TOO_BIG;
        k->task_id = slice_of(k->task);
        memset(k->counts, 0, sizeof(k->counts));
        k->started_at = k->ended_at = TIME_NONE;
        k->has_note = k->is_mapped = false;
    }
    k->counts[t->state] += t->count;
    if (t->started_at != TIME_NONE && (k->started_at == TIME_NONE || t->started_at < k->started_at))
        k->started_at = t->started_at;
    if (t->ended_at > k->ended_at) k->ended_at = t->ended_at; /* TIME_NONE is the least */
    k->has_note |= t->has_note;
    k->is_mapped |= t->is_mapped;
    return k->c->out.err;
}

static err_t rest_put_run_line(struct call *c, struct slice run_id)
{
    struct cells *k = arena_take(c->arena, sizeof(*k));
    struct run_row run;
    if (!k) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for a run");
    *k = (struct cells){.c = c};
    err_t e = run_row_find(c->meta, rest_part(c, "dag_id"), run_id, c->arena, &run, &c->d);
    if (e == ERR_NOT_FOUND) return ERR_OK; /* deleted meanwhile: no line */
    buf_text(&c->out, "{\"run_id\": ");
    json_put_text(&c->out, run_id);
    buf_text(&c->out, ", \"dag_id\": ");
    json_put_text(&c->out, rest_part(c, "dag_id"));
    buf_text(&c->out, ", \"task_instances\": [");
    if (!e) e = task_summaries(c->meta, run.id, take_summary, k, &c->d);
    if (!e) rest_put_cell(k);
    buf_text(&c->out, "]}\n");
    return e;
}

/* A line a run that run_ids names, as Airflow 3.2; groups' states are their tasks'. */
err_t api_ui_summaries(struct call *c)
{
    err_t e = ERR_OK;
    for (uint32_t n = 0; n < c->param_count && !e; n++)
        if (slice_is(c->params[n].name, "run_ids")) e = rest_put_run_line(c, c->params[n].value);
    c->type = "application/x-ndjson";
    return e;
}
