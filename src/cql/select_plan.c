/* SELECT, prepared: what is selected, from where, in what order; Cassandra's checks in its order.
 */
#include "cql/select.h"
#include "cql/virtual.h"
#include <ctype.h>

struct planning {
    struct cql_preparing *p;
    const struct cql_select *tree;
    const struct store_table *t;
    struct select_plan *plan;
    struct cql_scope scope;
    struct cql_column *columns; /* of the result, before JSON */
    uint32_t column_count;
    struct restrict_options options;
    const struct store_column **sort_columns;
    struct arena *a;
    struct diag *d;
    struct diag late; /* what is wrong with the selection, told when WHERE is right */
};

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for a SELECT's plan");
}

/* --- what is selected
 * -------------------------------------------------------------------------------- */

static err_t scope_make(struct planning *x)
{
    const struct store_table *t = x->t;
    struct cql_scope_column *columns = arena_take(x->a, t->column_count * sizeof *columns);
    bool *used = arena_take(x->a, t->column_count * sizeof *used);
    if (!columns || !used) return no_memory(x->d);
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct store_column *c = &t->columns[i];
        bool key = c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING;
        columns[i] = (struct cql_scope_column){c->name, c->type, i, key};
    }
    x->scope = (struct cql_scope){.keyspace = t->keyspace,
                                  .table = t->name,
                                  .columns = columns,
                                  .count = t->column_count,
                                  .prepare = &x->p->terms,
                                  .used = used};
    x->plan->used = used;
    const struct type **keys = arena_take(x->a, x->plan->key_count * sizeof(struct type *));
    if (!keys) return no_memory(x->d);
    for (uint32_t i = 0; i < x->plan->key_count; i++) keys[i] = t->columns[i].type;
    x->p->terms.partition_types = keys; /* of token() */
    x->p->terms.partition_count = x->plan->key_count;
    return ERR_OK;
}

/* SELECT *: every column by its name. */
static err_t items_of_star(struct planning *x, const struct cql_selector_item **out,
                           uint32_t *count)
{
    *count = x->t->column_count;
    struct cql_selector_item *items = arena_take(x->a, *count * sizeof *items);
    struct cql_node *nodes = arena_take(x->a, *count * sizeof *nodes);
    if (!items || !nodes) return no_memory(x->d);
    for (uint32_t i = 0; i < *count; i++) {
        nodes[i] = (struct cql_node){.kind = NODE_COLUMN,
                                     .text = x->t->columns[i].name,
                                     .name = {.name = x->t->columns[i].name}};
        items[i].value = &nodes[i];
    }
    *out = items;
    return ERR_OK;
}

/* Names are looked up before WHERE only as far as the original does so, to see whether nothing but
 * statics is selected: never where the table has none, and no farther than both kinds were met. */
static bool looked_up_early(const struct planning *x)
{
    bool has = false, statics = false, others = false;
    for (uint32_t i = 0; i < x->t->column_count; i++) {
        enum column_role role = x->t->columns[i].role;
        has |= role == COLUMN_STATIC;
        if (!x->scope.used[i]) continue;
        statics |= role == COLUMN_STATIC;
        others |= role != COLUMN_STATIC && role != COLUMN_PARTITION;
    }
    return has && !(statics && others);
}

static err_t select_items(struct planning *x)
{
    const struct cql_selector_item *items = x->tree->items;
    uint32_t count = x->tree->item_count;
    if (count == 0) {
        err_t e = items_of_star(x, &items, &count);
        if (e) return e;
    }
    x->plan->selectors = arena_take(x->a, count * sizeof(struct cql_selector *));
    x->columns = arena_take(x->a, count * sizeof *x->columns);
    if (!x->plan->selectors || !x->columns) return no_memory(x->d);
    for (uint32_t i = 0; i < count; i++) {
        struct slice name;
        err_t e =
            cql_selector_prepare(items[i].value, &x->scope, NULL, &x->plan->selectors[i], &name);
        if (e && !x->scope.late && looked_up_early(x)) return e;
        if (e && !x->late.err) x->late = *x->d;
        if (e) continue;
        x->columns[i] = (struct cql_column){x->t->keyspace, x->t->name,
                                            items[i].alias.at ? items[i].alias : name,
                                            cql_selector_type(x->plan->selectors[i])};
    }
    x->plan->selector_count = x->column_count = count;
    return ERR_OK;
}

/* Columns alone need no selectors: their places are known. */
static err_t plain_make(struct planning *x)
{
    struct select_plan *plan = x->plan;
    uint32_t at;
    if (plan->json || plan->grouping) return ERR_OK;
    for (uint32_t i = 0; i < plan->selector_count; i++)
        if (!cql_selector_column(plan->selectors[i], &at)) return ERR_OK;
    struct select_out *out = arena_take(x->a, plan->selector_count * sizeof *out);
    if (!out) return no_memory(x->d);
    for (uint32_t i = 0; i < plan->selector_count; i++) {
        if (!cql_selector_column(plan->selectors[i], &at)) return ERR_OK;
        const struct store_column *c = &x->t->columns[at];
        bool key = c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING;
        out[i] = (struct select_out){.from = key                        ? OUT_KEY
                                             : c->role == COLUMN_STATIC ? OUT_STATIC
                                                                        : OUT_ROW,
                                     .id = c->id,
                                     .place = (uint16_t)at,
                                     .multicell = !key && cql_type_is_multicell(c->type),
                                     .type = c->type};
    }
    plan->out = out;
    plan->out_count = plan->selector_count;
    plan->plain = true;
    return ERR_OK;
}

/* A name as JSON has it: with quotes of its own where CQL would need them for its capitals. */
static err_t json_names(struct planning *x)
{
    struct slice *names = arena_take(x->a, x->column_count * sizeof *names);
    if (!names) return no_memory(x->d);
    for (uint32_t i = 0; i < x->column_count; i++) {
        struct slice name = x->columns[i].name;
        struct buf b = buf_make(MIB(1));
        bool capitals = false;
        for (uint32_t k = 0; k < name.len; k++) capitals |= isupper(name.at[k]) != 0;
        struct cql_value text = {name, CQL_SET};
        struct buf quoted = buf_make(MIB(1));
        if (capitals) {
            buf_char(&quoted, '"');
            buf_slice(&quoted, name);
            buf_char(&quoted, '"');
            text.bytes = buf_view(&quoted);
        }
        cql_to_json(type_of(TYPE_TEXT), &text, &b); /* "…": without the outer quotes */
        err_t e = b.err || quoted.err || b.len < 2 ? ERR_NO_MEMORY : ERR_OK;
        if (!e) names[i] = arena_slice(x->a, slice_make(b.at + 1, b.len - 2));
        buf_done(&b);
        buf_done(&quoted);
        if (e || !names[i].at) return no_memory(x->d);
    }
    x->plan->json_names = names;
    return ERR_OK;
}

static err_t result_make(struct planning *x)
{
    struct cql_metadata *m = &x->p->out->result;
    m->columns = x->columns;
    m->count = x->column_count;
    if (!x->plan->json) return ERR_OK;
    struct cql_column *json = arena_take(x->a, sizeof *json);
    if (!json) return no_memory(x->d);
    *json = (struct cql_column){x->t->keyspace, x->t->name, SLICE("[json]"), type_of(TYPE_TEXT)};
    m->columns = json;
    m->count = 1;
    return json_names(x);
}

/* --- DISTINCT
 * ------------------------------------------------------------------------------------------ */

static bool used(const struct planning *x, uint32_t i)
{
    return x->scope.used[i];
}

static err_t check_distinct(struct planning *x)
{
    const struct restrictions *r = x->plan->where;
    const struct store_table *t = x->t;
    if (!x->tree->distinct) return ERR_OK;
    if (x->tree->partition_limit)
        return diag_fail(x->d, ERR_INVALID,
                         "PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries");
    if (r->clustering.size || r->has_regular)
        return diag_fail(
            x->d, ERR_INVALID,
            "SELECT DISTINCT with WHERE clause only supports restriction by partition key "
            "and/or static columns.");
    for (uint32_t i = 0; i < t->column_count; i++)
        if (used(x, i) && t->columns[i].role != COLUMN_PARTITION &&
            t->columns[i].role != COLUMN_STATIC)
            return diag_fail(
                x->d, ERR_INVALID,
                "SELECT DISTINCT queries must only request partition key columns and/or "
                "static columns (not %.*s)",
                SLICE_ARG(t->columns[i].name));
    for (uint32_t i = 0; r->key_range && i < x->plan->key_count; i++)
        if (!used(x, i))
            return diag_fail(
                x->d, ERR_INVALID,
                "SELECT DISTINCT queries must request all the partition key columns (missing "
                "%.*s)",
                SLICE_ARG(t->columns[i].name));
    return ERR_OK;
}

/* --- GROUP BY
 * ------------------------------------------------------------------------------------------ */

static const char out_of_order[] = "Group by currently only support groups of columns following "
                                   "their declared order in the PRIMARY KEY";

/* f(…, clustering column, …): which column it is. */
static err_t group_call(struct planning *x, const struct cql_node *n, const struct store_column **c)
{
    struct cql_scope scope = x->scope;
    struct slice name;
    uint32_t count = 0;
    scope.used = arena_take(x->a, scope.count * sizeof *scope.used);
    if (!scope.used) return no_memory(x->d);
    err_t e = cql_selector_prepare(n, &scope, NULL, &x->plan->group_function, &name);
    if (e) return e;
    if (cql_selector_aggregates(x->plan->group_function))
        return diag_fail(
            x->d, ERR_INVALID,
            "Aggregate functions are not supported within the GROUP BY clause, got: %.*s",
            SLICE_ARG(name));
    struct buf b = buf_make(KIB(64));
    for (uint32_t i = 0; i < scope.count; i++) {
        if (!scope.used[i]) continue;
        *c = &x->t->columns[i];
        if (count++) buf_char(&b, ',');
        cql_put_name(&b, (*c)->name);
        x->scope.used[i] = true;
    }
    if (count == 0)
        e = diag_fail(x->d, ERR_INVALID,
                      "GROUP BY functions must have one clustering column name as parameter");
    else if (count > 1)
        e = diag_fail(x->d, ERR_INVALID,
                      "GROUP BY functions accept only one clustering column as parameter, got: %s",
                      buf_cstr(&b));
    else if ((*c)->role != COLUMN_CLUSTERING)
        e = diag_fail(x->d, ERR_INVALID,
                      "Group by functions are only supported on clustering columns, got %.*s",
                      SLICE_ARG((*c)->name));
    buf_done(&b);
    return e;
}

static err_t group_column(struct planning *x, const struct cql_node *n,
                          const struct store_column **c)
{
    if (n->kind != NODE_COLUMN) return group_call(x, n, c);
    err_t e = restrict_column(x->t, n->name.name, c, x->d);
    if (e) return e;
    if ((*c)->role != COLUMN_PARTITION && (*c)->role != COLUMN_CLUSTERING)
        return diag_fail(
            x->d, ERR_INVALID,
            "Group by is currently only supported on the columns of the PRIMARY KEY, got "
            "%.*s",
            SLICE_ARG((*c)->name));
    if (x->plan->group_function)
        return diag_fail(x->d, ERR_INVALID,
                         "Functions are only supported on the last element of the GROUP BY clause");
    return ERR_OK;
}

static err_t group_by(struct planning *x)
{
    struct select_plan *plan = x->plan;
    uint32_t next = 0, keys = plan->key_count + plan->clustering_count;
    for (uint32_t i = 0; i < x->tree->group_count; i++) {
        const struct store_column *c = NULL;
        err_t e = group_column(x, x->tree->group[i], &c);
        if (e) return e;
        for (;;) {
            if (next == keys) return diag_fail(x->d, ERR_INVALID, "%s", out_of_order);
            uint32_t at = next++;
            plan->group_prefix += at >= plan->key_count;
            if (&x->t->columns[at] == c) break;
            if (!restrict_is_eq(plan->where, at))
                return diag_fail(x->d, ERR_INVALID, "%s", out_of_order);
        }
    }
    if (next < plan->key_count)
        return diag_fail(x->d, ERR_INVALID,
                         "Group by is not supported on only a part of the partition key");
    if (plan->group_prefix && plan->distinct)
        return diag_fail(
            x->d, ERR_INVALID,
            "Grouping on clustering columns is not allowed for SELECT DISTINCT queries");
    plan->grouping = GROUP_PREFIX;
    return ERR_OK;
}

static err_t grouping_make(struct planning *x)
{
    bool aggregates = false;
    for (uint32_t i = 0; i < x->plan->selector_count; i++)
        aggregates |= cql_selector_aggregates(x->plan->selectors[i]);
    if (x->tree->group_count) return group_by(x);
    if (!aggregates) return ERR_OK;
    x->plan->grouping = GROUP_ALL;
    if (x->tree->partition_limit)
        return diag_fail(x->d, ERR_INVALID,
                         "PER PARTITION LIMIT is not allowed with aggregate queries.");
    return ERR_OK;
}

/* --- ORDER BY
 * ------------------------------------------------------------------------------------------ */

static err_t order_columns(struct planning *x)
{
    x->sort_columns = arena_take(x->a, x->tree->order_count * sizeof(struct store_column *));
    if (!x->sort_columns) return no_memory(x->d);
    for (uint32_t i = 0; i < x->tree->order_count; i++) {
        err_t e = restrict_column(x->t, x->tree->order[i].column, &x->sort_columns[i], x->d);
        if (e) return e;
        if (x->tree->order[i].ann)
            return diag_fail(x->d, ERR_INVALID,
                             "ANN ordering of vectors is not supported by Sluice yet");
    }
    return ERR_OK;
}

static err_t order_direction(struct planning *x)
{
    const struct restrictions *r = x->plan->where;
    int direction = -1;
    uint32_t next = x->plan->key_count;
    for (uint32_t i = 0; i < x->tree->order_count; i++) {
        const struct store_column *c = x->sort_columns[i];
        uint32_t at = (uint32_t)(c - x->t->columns);
        if (c->role != COLUMN_CLUSTERING)
            return diag_fail(x->d, ERR_INVALID,
                             "Order by is currently only supported on the clustered columns of the "
                             "PRIMARY KEY, got %.*s",
                             SLICE_ARG(c->name));
        while (next != at)
            if (next >= x->plan->key_count + x->plan->clustering_count ||
                !restrict_is_eq(r, next++))
                return diag_fail(
                    x->d, ERR_INVALID,
                    "Order by currently only supports the ordering of columns following "
                    "their declared order in the PRIMARY KEY");
        next++;
        int reversed = x->tree->order[i].descending != c->descending;
        if (direction >= 0 && direction != reversed)
            return diag_fail(x->d, ERR_INVALID, "Unsupported order by relation");
        direction = reversed;
    }
    x->plan->reversed = direction > 0;
    return ERR_OK;
}

static err_t order_make(struct planning *x)
{
    const struct restrictions *r = x->plan->where;
    if (x->tree->order_count == 0) return ERR_OK;
    if (r->uses_index)
        return diag_fail(x->d, ERR_INVALID,
                         "ORDER BY with 2ndary indexes is not supported, except for ANN queries.");
    if (r->key_range)
        return diag_fail(
            x->d, ERR_INVALID,
            "ORDER BY is only supported when the partition key is restricted by an EQ or an "
            "IN.");
    err_t e = order_direction(x);
    if (!e && restrict_key_in(r))
        x->plan->sort = (struct select_sort){x->sort_columns, x->tree->order_count};
    return e;
}

/* --- all of it
 * ------------------------------------------------------------------------------------------ */

static err_t limit_make(struct planning *x, const struct cql_node *n, const char *name,
                        const struct cql_term **out)
{
    struct cql_receiver r = {x->t->keyspace, x->t->name, slice_of(name), type_of(TYPE_INT)};
    return n ? cql_term_prepare(n, &r, &x->p->terms, out) : ERR_OK;
}

/* Only statics, and perhaps the partition key, are selected. */
static bool only_statics(const struct planning *x)
{
    bool statics = false, others = false;
    for (uint32_t i = 0; x->tree->item_count && i < x->t->column_count; i++) {
        if (!used(x, i)) continue;
        enum column_role role = x->t->columns[i].role;
        statics |= role == COLUMN_STATIC;
        others |= role != COLUMN_STATIC && role != COLUMN_PARTITION;
    }
    return statics && !others;
}

/* What the store need not bring. */
static err_t wanted_make(struct planning *x)
{
    struct select_plan *plan = x->plan;
    const struct store_table *t = x->t;
    if (x->tree->item_count == 0) return ERR_OK;
    uint16_t *ids = arena_take(x->a, (t->column_count + 1U) * sizeof *ids);
    if (!ids) return no_memory(x->d);
    for (uint32_t i = plan->key_count + plan->clustering_count; i < t->column_count; i++)
        if (used(x, i) || plan->where->by[i]) ids[plan->wanted_count++] = t->columns[i].id;
    for (uint32_t i = 1; i < plan->wanted_count; i++) /* few: by insertion */
        for (uint32_t k = i; k > 0 && ids[k - 1] > ids[k]; k--) {
            uint16_t swap = ids[k];
            ids[k] = ids[k - 1];
            ids[k - 1] = swap;
        }
    plan->wanted = ids;
    return ERR_OK;
}

/* The short way: one row named by its whole key, plain columns, nothing that can be wrong later. */
static bool is_point(const struct planning *x)
{
    const struct select_plan *plan = x->plan;
    const struct restrictions *r = plan->where;
    uint32_t keys = plan->key_count + plan->clustering_count;
    bool point = plan->plain && r->keys_only && !r->token && !plan->is_virtual && !plan->limit &&
                 !plan->partition_limit && !plan->sort.count && keys <= SELECT_DEPTH_POINTS &&
                 r->others.size == 0 && !(plan->distinct && plan->clustering_count);
    for (uint32_t i = 0; i < keys; i++)
        point &= restrict_is_eq(r, i) && !r->by[i]->multi && !r->by[i]->values[0].items;
    return point;
}

static err_t plan_make(struct planning *x)
{
    struct select_plan *plan = x->plan;
    err_t e = scope_make(x);
    if (!e) e = select_items(x);
    if (!e) e = order_columns(x);
    if (e) return e;
    x->options.only_statics = only_statics(x);
    e = restrict_prepare(x->p, x->t, x->tree->where, x->tree->where_count, &x->options,
                         &plan->where);
    if (!e && x->late.err) {
        *x->d = x->late;
        e = x->late.err;
    }
    if (!e) e = check_distinct(x);
    if (!e) e = grouping_make(x);
    if (!e) e = order_make(x);
    if (!e) e = restrict_check_filtering(plan->where, &x->options, x->d);
    if (!e) e = limit_make(x, x->tree->limit, "[limit]", &plan->limit);
    if (!e)
        e = limit_make(x, x->tree->partition_limit, "[per_partition_limit]",
                       &plan->partition_limit);
    plan->times = x->scope.needs_times;
    if (!e) e = plain_make(x);
    if (!e) e = wanted_make(x);
    if (!e) e = result_make(x);
    plan->point = !e && is_point(x);
    return e;
}

err_t select_prepare(struct cql_preparing *p, const struct cql_statement_tree *t)
{
    struct planning x = {.p = p, .tree = t->select, .a = p->terms.arena, .d = p->terms.d};
    x.t = cql_table(p->cql, p->terms.keyspace, t->select->from, x.d);
    if (!x.t) return x.d->err;
    p->out->table = x.t;
    p->terms.statement_keyspace = x.t->keyspace;
    p->terms.statement_table = x.t->name;
    struct select_plan *plan = x.plan = arena_take(x.a, sizeof *plan);
    if (!plan) return no_memory(x.d);
    const struct virtual_keyspace *k = virtual_keyspace_find(p->cql, x.t->keyspace);
    plan->table = x.t;
    plan->is_virtual = cql_table_is_virtual(p->cql, x.t);
    plan->key_count = restrict_key_columns(x.t);
    plan->clustering_count = restrict_clustering_columns(x.t);
    plan->distinct = t->select->distinct;
    plan->json = t->select->json;
    x.options = (struct restrict_options){.allow_filtering = t->select->allow_filtering,
                                          .implicit_filtering = k && k->place == VIRTUAL_TABLE};
    p->out->plan = plan;
    return plan_make(&x);
}
