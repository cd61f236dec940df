/* INSERT, UPDATE and DELETE become plans: everything that can be known without values. */
#include "cql/write_int.h"

/* --- terms and columns
 * ------------------------------------------------------------------------------ */

static void put_table(struct buf *out, const struct store_table *t)
{
    cql_put_name(out, t->keyspace);
    buf_char(out, '.');
    cql_put_name(out, t->name);
}

const struct store_column *write_column(const struct store_table *t, struct slice name,
                                        struct diag *d)
{
    const struct store_column *c = store_column_find(t, name);
    if (c) return c;
    char memory[480];
    struct buf b = buf_over(memory, sizeof(memory) - 1);
    buf_text(&b, "Undefined column name ");
    cql_put_name(&b, name);
    buf_text(&b, " in table ");
    put_table(&b, t);
    (void)diag_fail(d, ERR_INVALID, "%.*s", (int)b.len, memory);
    return NULL;
}

struct cql_receiver write_receiver(const struct store_table *t, const struct store_column *c)
{
    return (struct cql_receiver){t->keyspace, t->name, c->name, c->type};
}

struct cql_receiver write_receiver_part(struct write_preparing *w, const struct store_column *c,
                                        const char *part, const struct type *type)
{
    struct cql_receiver r = write_receiver(w->table, c);
    r.name = slice_of(arena_printf(w->p->terms.arena, "%s(%.*s)", part, SLICE_ARG(c->name)));
    r.type = type;
    return r;
}

err_t write_prepare_term(struct write_preparing *w, const struct cql_node *n, struct cql_receiver r,
                         const struct cql_term **out)
{
    struct cql_receiver *kept = arena_take(w->p->terms.arena, sizeof(*kept));
    if (!kept) return diag_fail(w->p->terms.d, ERR_NO_MEMORY, "no memory for the statement");
    *kept = r;
    return cql_term_prepare(n, kept, &w->p->terms, out);
}

err_t write_prepare_column(struct write_preparing *w, const struct cql_node *n,
                           const struct store_column *c, const struct cql_term **out)
{
    err_t e = write_prepare_term(w, n, write_receiver(w->table, c), out);
    if (!e) preparing_marker(w->p, *out, c);
    return e;
}

static err_t prepare_using(struct write_preparing *w, const struct cql_node *n, const char *name,
                           enum type_kind kind, const struct cql_term **out)
{
    if (!n) return ERR_OK;
    struct cql_receiver r = {w->table->keyspace, w->table->name, slice_of(name), type_of(kind)};
    return write_prepare_term(w, n, r, out);
}

/* --- operations, sorted into regular ones and static ones
 * --------------------------------------------- */

struct op_lists {
    struct write_op *regulars, *statics;
    uint32_t regular_count, static_count;
};

static err_t op_lists_make(struct write_preparing *w, uint32_t count, struct op_lists *l)
{
    l->regulars = arena_take(w->p->terms.arena, (count + 1) * sizeof(*l->regulars));
    l->statics = arena_take(w->p->terms.arena, (count + 1) * sizeof(*l->statics));
    if (l->regulars && l->statics) return ERR_OK;
    return diag_fail(w->p->terms.d, ERR_NO_MEMORY, "no memory for the statement");
}

static void op_lists_add(struct write_preparing *w, struct op_lists *l, const struct write_op *op)
{
    if (op->column->role == COLUMN_STATIC)
        l->statics[l->static_count++] = *op;
    else
        l->regulars[l->regular_count++] = *op;
    w->plan->reads |= write_op_reads(op);
    w->plan->regulars = l->regulars;
    w->plan->statics = l->statics;
    w->plan->regular_count = l->regular_count;
    w->plan->static_count = l->static_count;
}

static bool is_key(const struct store_column *c)
{
    return c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING;
}

/* Nothing that the statement writes or asks for is outside the partition's static part. */
static bool only_statics(const struct write_plan *p)
{
    bool regular = p->regular_count > 0 || (p->kind == CQL_DELETE && p->static_count == 0);
    if (regular || p->regular_conditions > 0) return false;
    return p->static_count > 0 || p->condition_count > p->regular_conditions;
}

/* --- INSERT
 * ------------------------------------------------------------------------------------------- */

static err_t check_columns(const struct cql_write *t, struct diag *d)
{
    if (t->column_count == 0) return diag_fail(d, ERR_INVALID, "No columns provided to INSERT");
    if (t->column_count != t->value_count)
        return diag_fail(d, ERR_INVALID, "Unmatched column names/values");
    for (uint32_t i = 0; i < t->column_count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (slice_equal(t->columns[i], t->columns[j]))
                return diag_fail(d, ERR_INVALID, "The column names contains duplicates");
    return ERR_OK;
}

static err_t insert_value(struct write_preparing *w, const struct store_column *c,
                          const struct cql_node *value, struct write_term *key, struct op_lists *l)
{
    if (is_key(c)) {
        uint32_t at = (uint32_t)(c - w->table->columns);
        return write_prepare_column(w, value, c, &key[at].term);
    }
    struct write_op op;
    err_t e = write_op_set(w, c, value, &op);
    if (!e) op_lists_add(w, l, &op);
    return e;
}

static err_t prepare_insert_values(struct write_preparing *w, const struct cql_write *t,
                                   struct write_term *key, struct op_lists *l)
{
    struct diag *d = w->p->terms.d;
    err_t e = check_columns(t, d);
    for (uint32_t i = 0; !e && i < t->column_count; i++) {
        const struct store_column *c = write_column(w->table, t->columns[i], d);
        e = c ? insert_value(w, c, t->values[i], key, l) : ERR_INVALID;
    }
    return e;
}

static err_t prepare_insert_json(struct write_preparing *w, const struct cql_write *t,
                                 struct write_term *key, struct op_lists *l)
{
    err_t e = write_json_prepare(w, t);
    for (uint32_t i = 0; !e && i < w->table->column_count; i++) {
        const struct store_column *c = &w->table->columns[i];
        if (is_key(c)) {
            key[i] = (struct write_term){.json = i};
            continue;
        }
        struct write_op op = {.column = c, .value = {.json = i}};
        op.kind = cql_type_is_multicell(c->type) ? OP_SET_ALL : OP_SET;
        op_lists_add(w, l, &op);
    }
    return e;
}

static err_t prepare_insert(struct write_preparing *w, const struct cql_write *t)
{
    struct diag *d = w->p->terms.d;
    if (w->table->counter)
        return diag_fail(d, ERR_INVALID,
                         "INSERT statements are not allowed on counter tables, use UPDATE instead");
    struct op_lists l = {0};
    uint32_t keys = w->plan->partition_columns + w->plan->clustering_columns;
    struct write_term *key = arena_take(w->p->terms.arena, keys * sizeof(*key));
    if (!key) return diag_fail(d, ERR_NO_MEMORY, "no memory for the statement");
    for (uint32_t i = 0; i < keys; i++) key[i].json = UINT32_MAX;
    err_t e = op_lists_make(w, w->table->column_count + t->column_count, &l);
    if (!e) e = t->json ? prepare_insert_json(w, t, key, &l) : prepare_insert_values(w, t, key, &l);
    if (e) return e;
    bool clustering = false;
    for (uint32_t i = w->plan->partition_columns; i < keys; i++)
        clustering |= key[i].term != NULL || key[i].json != UINT32_MAX;
    return write_where_insert(w, key, !clustering && only_statics(w->plan));
}

/* --- UPDATE, DELETE
 * ----------------------------------------------------------------------------------- */

static err_t prepare_operations(struct write_preparing *w, const struct cql_write *t)
{
    struct diag *d = w->p->terms.d;
    struct op_lists l = {0};
    err_t e = op_lists_make(w, t->operation_count, &l);
    for (uint32_t i = 0; !e && i < t->operation_count; i++) {
        struct write_op op = {0};
        const struct store_column *c = write_column(w->table, t->operations[i].column, d);
        if (!c) return ERR_INVALID;
        if (is_key(c) && w->plan->kind == CQL_UPDATE)
            return diag_fail(d, ERR_INVALID, "PRIMARY KEY part %.*s found in SET part",
                             SLICE_ARG(c->name));
        if (is_key(c))
            return diag_fail(
                d, ERR_INVALID,
                "Invalid identifier %.*s for deletion (should not be a PRIMARY KEY part)",
                SLICE_ARG(c->name));
        op.column = c;
        e = write_op_prepare(w, &t->operations[i], &op);
        if (!e) op_lists_add(w, &l, &op);
    }
    return e;
}

#define WHOLE_KEY "DELETE statements must restrict all PRIMARY KEY columns with equality relations"

static err_t check_conditional_delete(const struct write_plan *p, struct diag *d)
{
    const struct write_where *where = &p->where;
    if (where->clustering_columns == p->clustering_columns && !where->clustering_slice)
        return ERR_OK;
    if (p->regular_count > 0 || p->static_count == 0)
        return diag_fail(d, ERR_INVALID, WHOLE_KEY " in order to delete non static columns");
    if (p->regular_conditions > 0)
        return diag_fail(d, ERR_INVALID,
                         WHOLE_KEY " in order to use IF condition on non static columns");
    return ERR_OK;
}

static err_t prepare_change(struct write_preparing *w, const struct cql_write *t)
{
    err_t e = prepare_operations(w, t);
    if (!e) e = write_where_prepare(w, t->where, t->where_count, only_statics(w->plan));
    if (!e && w->plan->kind == CQL_DELETE && w->plan->condition != IF_NONE)
        e = check_conditional_delete(w->plan, w->p->terms.d);
    return e;
}

/* --- the plan
 * ------------------------------------------------------------------------------------------- */

static err_t prepare_conditions(struct write_preparing *w, const struct cql_write *t)
{
    struct write_plan *p = w->plan;
    if (t->if_exists || t->if_not_exists) {
        p->condition = t->if_exists ? IF_EXISTS : IF_NOT_EXISTS;
        return ERR_OK;
    }
    if (t->condition_count == 0) return ERR_OK;
    p->condition = IF_COLUMNS;
    if (t->timestamp)
        return diag_fail(w->p->terms.d, ERR_INVALID,
                         "Cannot provide custom timestamp for conditional updates");
    return write_conditions_prepare(w, t->conditions, t->condition_count);
}

static err_t check_plan(const struct write_plan *p, struct diag *d)
{
    if (p->condition == IF_NONE) return ERR_OK;
    if (p->table->counter)
        return diag_fail(d, ERR_INVALID, "Conditional updates are not supported on counter tables");
    if (p->timestamp)
        return diag_fail(d, ERR_INVALID, "Cannot provide custom timestamp for conditional updates");
    return ERR_OK;
}

static void count_keys(struct write_plan *p)
{
    for (uint32_t i = 0; i < p->table->column_count; i++) {
        p->partition_columns += p->table->columns[i].role == COLUMN_PARTITION;
        p->clustering_columns += p->table->columns[i].role == COLUMN_CLUSTERING;
    }
}

err_t write_plan_new(struct cql_preparing *p, const struct cql_statement_tree *t,
                     struct write_plan **out)
{
    const struct cql_write *tree = t->write;
    struct diag *d = p->terms.d;
    struct write_plan *plan = arena_take(p->terms.arena, sizeof(*plan));
    if (!plan) return diag_fail(d, ERR_NO_MEMORY, "no memory for the statement");
    const struct store_table *table = cql_table(p->cql, p->terms.keyspace, tree->table, d);
    if (!table) return d->err;
    plan->kind = t->kind;
    plan->table = table;
    plan->is_virtual = cql_table_is_virtual(p->cql, table);
    count_keys(plan);
    p->terms.statement_keyspace = table->keyspace;
    p->terms.statement_table = table->name;
    struct write_preparing w = {.p = p, .table = table, .plan = plan};
    err_t e = prepare_using(&w, tree->timestamp, "[timestamp]", TYPE_BIGINT, &plan->timestamp);
    if (!e) e = prepare_using(&w, tree->ttl, "[ttl]", TYPE_INT, &plan->ttl);
    if (!e) e = prepare_conditions(&w, tree);
    if (!e) e = t->kind == CQL_INSERT ? prepare_insert(&w, tree) : prepare_change(&w, tree);
    if (!e) e = check_plan(plan, d);
    plan->updates_rows = plan->clustering_columns == 0 || plan->where.clustering_count > 0;
    *out = plan;
    return e;
}
