/* The table that a materialized view lives in. */
#include "sql/bind.h"

static const char fix[] = "write CREATE MATERIALIZED VIEW … PRIMARY KEY (…) AS SELECT …";

struct view_key { /* columns of the query, the partition key's first */
    uint32_t *columns;
    uint32_t count, partition_count;
};

static int64_t find_column(const struct plan_node *root, struct slice name)
{
    for (uint32_t i = 0; i < root->column_count; i++)
        if (slice_equal(root->columns[i].name, name)) return i;
    return -1;
}

static void written_key(struct binder *b, const struct statement *s, const struct plan_node *root,
                        struct view_key *key)
{
    key->partition_count = s->view_partition_count;
    for (uint32_t i = 0; i < s->view_key_count && !b->err; i++) {
        int64_t column = find_column(root, s->view_key[i]);
        if (column < 0) {
            bind_fail(b, s->view_key[i], ERR_UNKNOWN_COLUMN,
                      "the key column %.*s is none of the query's", SLICE_ARG(s->view_key[i]));
            return;
        }
        key->columns[key->count++] = (uint32_t)column;
    }
}

/* The query's own: what it groups by is the partition key, its window the clustering column. */
static void found_key(struct binder *b, const struct statement *s, const struct plan_node *root,
                      const struct logic *shown, struct view_key *key)
{
    if (root->key_count == 0) {
        bind_fail(b, s->text, ERR_UNSUPPORTED,
                  "the view's rows have no key that is found in the query");
        bind_hint(b, "%s", fix);
        return;
    }
    for (int window = 0; window < 2; window++) {
        for (uint32_t i = 0; i < root->key_count; i++) {
            const struct attr *a = &b->attrs[shown->attrs[root->key[i]]];
            if ((a->role != ATTR_PLAIN) == window) key->columns[key->count++] = root->key[i];
        }
        if (!window) key->partition_count = key->count;
    }
    if (key->partition_count == 0) key->partition_count = key->count; /* windows alone */
}

static bool can_be_key(const struct type *t)
{
    return type_ordered(t) && t->kind != TYPE_COUNTER;
}

static void put_columns(struct binder *b, const struct plan_node *root, const struct view_key *key,
                        struct sql_relation *out)
{
    struct sql_column *columns = bind_take(b, MAX(root->column_count, 1u) * sizeof(*columns));
    uint32_t n = 0;
    for (uint32_t i = 0; columns && i < key->count; i++) {
        const struct plan_column *c = &root->columns[key->columns[i]];
        bool partition = i < key->partition_count;
        columns[n++] =
            (struct sql_column){.name = c->name,
                                .type = c->type,
                                .key = partition ? 1 : 2,
                                .position = (uint16_t)(partition ? i : i - key->partition_count)};
        if (can_be_key(c->type)) continue;
        bind_fail(b, c->name, ERR_TYPE, "the key column %.*s is %s", SLICE_ARG(c->name),
                  bind_type_name(b, c->type));
        bind_hint(b, "%s", fix);
    }
    for (uint32_t i = 0; columns && i < root->column_count; i++) {
        bool is_key = false;
        for (uint32_t k = 0; k < key->count; k++) is_key = is_key || key->columns[k] == i;
        if (!is_key)
            columns[n++] =
                (struct sql_column){.name = root->columns[i].name, .type = root->columns[i].type};
    }
    for (uint32_t i = 0; columns && i < n; i++)
        for (uint32_t k = 0; k < i; k++)
            if (slice_equal(columns[i].name, columns[k].name)) {
                bind_fail(b, columns[i].name, ERR_EXISTS, "the column %.*s is there twice",
                          SLICE_ARG(columns[i].name));
                bind_hint(b, "name it: … AS other");
            }
    out->columns = columns;
    out->column_count = n;
}

err_t sql_bind_view(const struct statement *s, const struct sql_catalog *c, const char *file,
                    struct arena *a, struct sql_relation *out, struct diag *d)
{
    struct binder b = binder_make(s, c, s->dialect, file, a, d);
    struct lowered plan = {0};
    struct stream_settings settings;
    INVARIANT(s->kind == STATEMENT_CREATE_VIEW);
    b.stream = b.view = true;
    bind_settings(&b, &s->options, &settings);
    struct logic *root = b.err ? NULL : bind_query(&b, s->query, NULL);
    if (root) (void)bind_emits(&b, root, s->emit_set ? s->emit : EMIT_ON_CHANGE);
    if (root) bind_lower(&b, root, &plan);
    struct view_key key = {0};
    if (!b.err)
        key.columns =
            bind_take(&b, (plan.root->column_count + s->view_key_count + 1) * sizeof(*key.columns));
    *out = (struct sql_relation){
        .kind = RELATION_TABLE, .keyspace = s->name.keyspace, .name = s->name.name};
    if (b.err) return b.err;
    if (s->view_key_count)
        written_key(&b, s, plan.root, &key);
    else
        found_key(&b, s, plan.root, logic_shown(root), &key);
    if (!b.err) put_columns(&b, plan.root, &key, out);
    return b.err;
}
