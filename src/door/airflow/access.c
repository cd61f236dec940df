/* Who may do what: a role for each route, and on a dag what its access_control gives to roles
 * beside that, as Airflow's dag-level permissions do. */
#include "door/airflow/airflow_int.h"

enum { DAGS_MAX = 20000 };

static bool is_member(struct call *c, struct slice role)
{
    return slice_equal_nocase(role, slice_of(role_name(c->user.role))) ||
           users_is_member(airflow_users(c->door), slice_of(c->user.name), role);
}

static bool gives(const struct doc *v, const char *action)
{
    const struct doc *of_dags = doc_get(v, "DAGs"); /* {role: {DAGs: [can_read]}}, of 2.10 */
    if (of_dags) v = of_dags;
    if (v->kind != DOC_LIST) return slice_is(doc_text(v), action);
    for (uint32_t i = 0; i < v->count; i++)
        if (slice_is(doc_text(&v->items[i]), action)) return true;
    return false;
}

bool dag_allows(struct call *c, const struct dag *g, enum dag_right right)
{
    static const char *const actions[] = {"", "can_read", "can_edit", "can_delete"};
    enum user_role needed = right == DAG_READ ? ROLE_VIEWER : ROLE_USER;
    if (c->user.role >= needed) return true;
    const struct doc *a = g ? g->access : NULL;
    for (uint32_t i = 0; a && a->kind == DOC_MAP && i < a->count; i++)
        if (gives(&a->entries[i].value, actions[right]) && is_member(c, a->entries[i].name))
            return true;
    return false;
}

const struct dag *rest_dag(struct call *c)
{
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    struct slice id = rest_part(c, "dag_id");
    if (!c->dag_asked && id.at) c->dag = p->dag(p->ctx, id);
    c->dag_asked = true;
    return c->dag;
}

err_t rest_allowed(struct call *c)
{
    struct slice id = rest_part(c, "dag_id");
    if (c->user.role >= c->route->role) return ERR_OK;
    /* lists, where only what may be read is shown */
    bool reads = c->route->role == ROLE_VIEWER;
    if (reads && (!id.at || slice_is(id, "~")) && c->route->right != DAG_ANY) return ERR_OK;
    if (reads && (c->route->run == api_get_dags || c->route->run == api_ui_dags)) return ERR_OK;
    if (c->route->run == api_ui_structure) return ERR_OK; /* its dag is no part of the path */
    if (c->route->right != DAG_ANY && rest_dag(c) && dag_allows(c, c->dag, c->route->right))
        return ERR_OK;
    refuse(c, 403, "Forbidden", c->api == API_V2 ? "%s" : NULL, "Forbidden");
    return ERR_FORBIDDEN;
}

err_t dags_readable(struct call *c, bool *all, struct meta_value **ids, uint32_t *count)
{
    const struct airflow_port *p = &airflow_options(c->door)->sched;
    *all = c->user.role >= ROLE_VIEWER;
    *count = 0;
    if (*all) return ERR_OK;
    const struct dag **dags = arena_take(c->arena, DAGS_MAX * sizeof(*dags));
    *ids = arena_take(c->arena, LIST_VALUES_MAX * sizeof(**ids));
    if (!dags || !*ids) return diag_fail(&c->d, ERR_NO_MEMORY, "no memory for the dags' names");
    uint32_t n = p->dags(p->ctx, dags, DAGS_MAX);
    bool full = false;
    for (uint32_t i = 0; i < n; i++) {
        bool may = dag_allows(c, dags[i], DAG_READ);
        if (may && *count < LIST_VALUES_MAX / 2)
            (*ids)[(*count)++] = meta_text(arena_slice(c->arena, dags[i]->id));
        else
            full |= may;
        dag_give(dags[i]);
    }
    return full ? diag_fail(&c->d, ERR_TOO_BIG,
                            "a user without the Viewer role may list at most %d dags",
                            LIST_VALUES_MAX / 2)
                : ERR_OK;
}
