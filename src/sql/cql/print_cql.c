#include "sql/cql/print_cql.h"

static void put_name(struct cql_name n, struct buf *out)
{
    if (n.keyspace.at) {
        cql_put_name(out, n.keyspace);
        buf_char(out, '.');
    }
    if (n.name.at) cql_put_name(out, n.name);
}

static void put_type(const struct cql_type *t, struct buf *out)
{
    if (t->frozen) buf_text(out, "frozen ");
    if (t->custom.at) cql_put_string(out, t->custom);
    if (t->name.name.at) put_name(t->name, out);
    if (!t->count) return;
    buf_char(out, '<');
    for (uint32_t i = 0; i < t->count; i++) {
        if (i) buf_text(out, ", ");
        put_type(t->items[i], out);
    }
    if (t->dimension) buf_printf(out, ", %u", t->dimension);
    buf_char(out, '>');
}

static void put_args(const struct cql_node *n, const char *open, const char *close, struct buf *out)
{
    buf_text(out, open);
    for (uint32_t i = 0; i < n->count; i++) {
        if (i) buf_text(out, n->kind == NODE_MAP && i % 2 ? ": " : ", ");
        if (n->kind == NODE_RECORD) {
            cql_put_name(out, n->names[i]);
            buf_text(out, " = ");
        }
        if (n->args[i]) cql_print_node(n->args[i], out);
    }
    buf_text(out, close);
}

static void put_literal(const struct cql_node *n, struct buf *out)
{
    static const char *const names[] = {
        [NODE_INTEGER] = "int", [NODE_FLOAT] = "float", [NODE_BOOLEAN] = "bool",
        [NODE_UUID] = "uuid",   [NODE_BLOB] = "blob",   [NODE_DURATION] = "duration"};
    buf_printf(out, "%s:%.*s", names[n->kind], SLICE_ARG(n->value));
}

void cql_print_node(const struct cql_node *n, struct buf *out)
{
    switch (n->kind) {
    case NODE_NULL: buf_text(out, "null"); return;
    case NODE_STRING: cql_put_string(out, n->value); return;
    case NODE_MARKER:
        buf_printf(out, "?%u%s%.*s", n->marker, n->value.at ? ":" : "", SLICE_ARG(n->value));
        return;
    case NODE_LIST: put_args(n, "[", "]", out); return;
    case NODE_SET:
    case NODE_MAP:
    case NODE_RECORD: put_args(n, "{", "}", out); return;
    case NODE_TUPLE: put_args(n, "(", ")", out); return;
    case NODE_CALL:
        put_name(n->name, out);
        put_args(n, "(", ")", out);
        return;
    case NODE_HINT:
    case NODE_CAST:
        buf_text(out, n->kind == NODE_CAST ? "CAST<" : "HINT<");
        put_type(n->type, out);
        put_args(n, ">(", ")", out);
        return;
    case NODE_NEGATE: put_args(n, "-(", ")", out); return;
    case NODE_ARITH:
        buf_printf(out, "%c", n->op);
        put_args(n, "(", ")", out);
        return;
    case NODE_COLUMN: put_name(n->name, out); return;
    case NODE_STAR: buf_char(out, '*'); return;
    case NODE_FIELD:
        put_args(n, "", ".", out);
        cql_put_name(out, n->value);
        return;
    case NODE_ELEMENT: put_args(n, "ELEMENT(", ")", out); return;
    case NODE_SLICE: put_args(n, "SLICE(", ")", out); return;
    case NODE_WRITETIME: put_args(n, "WRITETIME(", ")", out); return;
    case NODE_MAXWRITETIME: put_args(n, "MAXWRITETIME(", ")", out); return;
    case NODE_TTL: put_args(n, "TTL(", ")", out); return;
    default: put_literal(n, out); return;
    }
}

/* " WORD node"; words of "" and "," are set without a space before. */
static void put_option(const char *word, const struct cql_node *n, struct buf *out)
{
    if (!n) return;
    buf_printf(out, *word == 0 || *word == ',' ? "%s " : " %s ", word);
    cql_print_node(n, out);
}

static void put_names(const struct slice *names, uint32_t count, struct buf *out)
{
    buf_char(out, '(');
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_text(out, ", ");
        cql_put_name(out, names[i]);
    }
    buf_char(out, ')');
}

static void put_relations(const char *word, const struct cql_relation *r, uint32_t count,
                          struct buf *out)
{
    for (uint32_t i = 0; i < count; i++, r++) {
        buf_printf(out, " %s ", i ? "AND" : word);
        if (r->on == RELATE_TOKEN) buf_text(out, "token");
        if (r->on == RELATE_COLUMN)
            cql_put_name(out, r->columns[0]);
        else
            put_names(r->columns, r->column_count, out);
        if (r->element) {
            buf_char(out, '[');
            cql_print_node(r->element, out);
            buf_char(out, ']');
        }
        if (r->field.at) buf_printf(out, ".%.*s", SLICE_ARG(r->field));
        buf_printf(out, " %s", cql_operator_text(r->op));
        if (r->value) put_option("", r->value, out);
        if (!r->value && r->op == CQL_IN) {
            buf_text(out, " (");
            for (uint32_t v = 0; v < r->value_count; v++) {
                if (v) buf_text(out, ", ");
                cql_print_node(r->values[v], out);
            }
            buf_char(out, ')');
        }
    }
}

static void put_properties(const struct cql_properties *p, struct buf *out)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const struct cql_property *x = &p->items[i];
        buf_printf(out, "%s%.*s=", i ? ", " : " WITH ", SLICE_ARG(x->name));
        if (!x->is_map) {
            buf_printf(out, x->is_string ? "'%.*s'" : "%.*s", SLICE_ARG(x->value));
            continue;
        }
        buf_char(out, '{');
        for (uint32_t k = 0; k < x->count; k++)
            buf_printf(out, "%s%.*s: %.*s", k ? ", " : "", SLICE_ARG(x->keys[k]),
                       SLICE_ARG(x->values[k]));
        buf_char(out, '}');
    }
}

static void put_columns(const struct cql_column_tree *c, uint32_t count, struct buf *out)
{
    buf_text(out, " (");
    for (uint32_t i = 0; i < count; i++, c++) {
        if (i) buf_text(out, ", ");
        cql_put_name(out, c->name);
        if (c->type) {
            buf_char(out, ' ');
            put_type(c->type, out);
        }
        if (c->is_static) buf_text(out, " STATIC");
        if (c->is_primary_key) buf_text(out, " KEY");
    }
    buf_char(out, ')');
}

static void put_select(const struct cql_select *s, struct buf *out)
{
    buf_printf(out, "%s%s", s->json ? " JSON" : "", s->distinct ? " DISTINCT" : "");
    if (!s->item_count) buf_text(out, " *");
    for (uint32_t i = 0; i < s->item_count; i++) {
        put_option(i ? "," : "", s->items[i].value, out);
        if (s->items[i].alias.at) buf_printf(out, " AS %.*s", SLICE_ARG(s->items[i].alias));
    }
    buf_text(out, " FROM ");
    put_name(s->from, out);
    put_relations("WHERE", s->where, s->where_count, out);
    for (uint32_t i = 0; i < s->group_count; i++)
        put_option(i ? "," : "GROUP BY", s->group[i], out);
    for (uint32_t i = 0; i < s->order_count; i++) {
        buf_printf(out, "%s %.*s%s", i ? "," : " ORDER BY", SLICE_ARG(s->order[i].column),
                   s->order[i].descending ? " DESC" : "");
        put_option("ANN", s->order[i].ann, out);
    }
    put_option("PER PARTITION LIMIT", s->partition_limit, out);
    put_option("LIMIT", s->limit, out);
    if (s->allow_filtering) buf_text(out, " ALLOW FILTERING");
}

static void put_operation(const struct cql_operation *o, struct buf *out)
{
    static const char *const kinds[] = {
        [SET_VALUE] = "=", [SET_ADD] = "+=",    [SET_PREPEND] = "prepend",
        [SET_SUB] = "-=",  [SET_ELEMENT] = "=", [SET_FIELD] = "="};
    cql_put_name(out, o->column);
    if (o->element) {
        buf_char(out, '[');
        cql_print_node(o->element, out);
        buf_char(out, ']');
    }
    if (o->field.at) buf_printf(out, ".%.*s", SLICE_ARG(o->field));
    if (o->value) buf_printf(out, " %s", kinds[o->kind]);
    put_option("", o->value, out);
}

static void put_write(const struct cql_write *w, struct buf *out)
{
    if (w->column_count) put_names(w->columns, w->column_count, out);
    for (uint32_t i = 0; i < w->value_count; i++) put_option(i ? "," : " =", w->values[i], out);
    put_option("JSON", w->json, out);
    if (w->default_unset) buf_text(out, " DEFAULT UNSET");
    for (uint32_t i = 0; i < w->operation_count; i++) {
        buf_text(out, i ? ", " : ": ");
        put_operation(&w->operations[i], out);
    }
    put_option("TTL", w->ttl, out);
    put_option("TIMESTAMP", w->timestamp, out);
    put_relations("WHERE", w->where, w->where_count, out);
    put_relations("IF", w->conditions, w->condition_count, out);
}

static void put_table(const struct cql_table_tree *t, struct buf *out)
{
    put_columns(t->columns, t->column_count, out);
    if (t->has_key) {
        buf_text(out, " PRIMARY ");
        put_names(t->partition, t->partition_count, out);
        put_names(t->clustering, t->clustering_count, out);
    }
    for (uint32_t i = 0; i < t->order_count; i++)
        buf_printf(out, " ORDER %.*s%s", SLICE_ARG(t->order[i].column),
                   t->order[i].descending ? " DESC" : "");
    if (t->compact_storage) buf_text(out, " COMPACT");
    if (t->id.at) buf_printf(out, " ID %.*s", SLICE_ARG(t->id));
}

static void put_alter(const struct cql_alter *a, struct buf *out)
{
    static const char *const kinds[] = {"ADD", "DROP", "RENAME", "OPTIONS", "TYPE", "DROP COMPACT"};
    buf_printf(out, " %s%s%s", kinds[a->kind], a->if_exists ? " IF EXISTS" : "",
               a->if_not_exists ? " IF NOT EXISTS" : "");
    if (a->column_count) put_columns(a->columns, a->column_count, out);
    for (uint32_t i = 0; i < a->rename_count; i++)
        buf_printf(out, " %.*s>%.*s", SLICE_ARG(a->from[i]), SLICE_ARG(a->to[i]));
    put_option("TIMESTAMP", a->timestamp, out);
}

static void put_index(const struct cql_index_tree *x, struct buf *out)
{
    static const char *const kinds[] = {"", "values ", "keys ", "entries ", "full "};
    buf_text(out, x->custom ? " CUSTOM ON " : " ON ");
    put_name(x->table, out);
    for (uint32_t i = 0; i < x->target_count; i++)
        buf_printf(out, "%s%s%.*s", i ? ", " : " (", kinds[x->targets[i].kind],
                   SLICE_ARG(x->targets[i].column));
    buf_printf(out, "%s USING '%.*s'", x->target_count ? ")" : "", SLICE_ARG(x->using));
}

static void put_role(const struct cql_role_tree *r, struct buf *out)
{
    if (r->has_password)
        buf_printf(out, " %s '%.*s'", r->hashed ? "HASHED" : "PASSWORD", SLICE_ARG(r->password));
    if (r->has_superuser) buf_text(out, r->superuser ? " SUPERUSER" : " NOSUPERUSER");
    if (r->has_login) buf_text(out, r->login ? " LOGIN" : " NOLOGIN");
    buf_printf(out, "%s%s%s", r->user_syntax ? " USER" : "",
               r->access_all_datacenters ? " ALL DCS" : "",
               r->access_all_cidrs ? " ALL CIDRS" : "");
    for (uint32_t i = 0; i < r->datacenter_count; i++)
        buf_printf(out, " DC %.*s", SLICE_ARG(r->datacenters[i]));
    for (uint32_t i = 0; i < r->cidr_count; i++)
        buf_printf(out, " CIDR %.*s", SLICE_ARG(r->cidrs[i]));
    put_properties(&r->options, out);
}

static void put_permission(const struct cql_permission_tree *t, struct buf *out)
{
    static const char *const kinds[] = {
        "ALL KEYSPACES", "KEYSPACE",     "ALL TABLES", "TABLE",      "ALL ROLES", "ROLE",
        "ALL FUNCTIONS", "FUNCTIONS IN", "FUNCTION",   "ALL MBEANS", "MBEANS",    "MBEAN"};
    if (t->all) buf_text(out, " ALL");
    for (uint32_t i = 0; i < t->permission_count; i++)
        buf_printf(out, " %.*s", SLICE_ARG(t->permissions[i]));
    if (t->has_resource) {
        buf_printf(out, " ON %s ", kinds[t->resource.kind]);
        put_name(t->resource.name, out);
    }
    if (t->role.at) buf_printf(out, " ROLE '%.*s'", SLICE_ARG(t->role));
    if (t->to.at) buf_printf(out, " TO '%.*s'", SLICE_ARG(t->to));
    if (t->no_recursive) buf_text(out, " NORECURSIVE");
}

static void put_batch(const struct cql_batch *b, struct buf *out)
{
    static const char *const kinds[] = {"", " UNLOGGED", " COUNTER"};
    buf_text(out, kinds[b->kind]);
    put_option("TIMESTAMP", b->timestamp, out);
    put_option("TTL", b->ttl, out);
    for (uint32_t i = 0; i < b->count; i++) {
        buf_text(out, i ? "; " : ": ");
        cql_print(b->items[i], out);
    }
}

void cql_print(const struct cql_statement_tree *s, struct buf *out)
{
    static const char *const kinds[] = {
        "SELECT",        "INSERT",       "UPDATE",           "DELETE",          "BATCH",
        "USE",           "TRUNCATE",     "DESCRIBE",         "CREATE KEYSPACE", "ALTER KEYSPACE",
        "DROP KEYSPACE", "CREATE TABLE", "ALTER TABLE",      "DROP TABLE",      "CREATE TYPE",
        "ALTER TYPE",    "DROP TYPE",    "CREATE INDEX",     "DROP INDEX",      "CREATE ROLE",
        "ALTER ROLE",    "DROP ROLE",    "LIST ROLES",       "GRANT ROLE",      "REVOKE ROLE",
        "GRANT",         "REVOKE",       "LIST PERMISSIONS", "REFUSED"};
    buf_text(out, kinds[s->kind]);
    if (s->what) buf_printf(out, " [%s]", s->what);
    if (s->list_users) buf_text(out, " USERS");
    if (s->if_exists) buf_text(out, " IF EXISTS");
    if (s->if_not_exists) buf_text(out, " IF NOT EXISTS");
    if (s->name.name.at && !s->select && !s->describe) {
        buf_char(out, ' ');
        put_name(s->name, out);
    }
    if (s->select) put_select(s->select, out);
    if (s->write) put_write(s->write, out);
    if (s->batch) put_batch(s->batch, out);
    if (s->table) put_table(s->table, out);
    if (s->column_count) put_columns(s->columns, s->column_count, out);
    if (s->alter) put_alter(s->alter, out);
    if (s->index) put_index(s->index, out);
    if (s->role) put_role(s->role, out);
    if (s->permission) put_permission(s->permission, out);
    if (s->describe) {
        buf_printf(out, " %.*s ", SLICE_ARG(s->describe->what));
        put_name(s->describe->name, out);
        buf_printf(out, "%s%s%s", s->describe->full ? " FULL" : "",
                   s->describe->only ? " ONLY" : "",
                   s->describe->with_internals ? " WITH INTERNALS" : "");
    }
    put_properties(&s->properties, out);
}
