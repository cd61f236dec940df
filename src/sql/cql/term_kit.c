#include "sql/cql/term_kit.h"

static const struct type *user_type(void *ctx, struct slice keyspace, struct slice name)
{
    struct term_kit *k = ctx;
    if (!slice_is(keyspace, "ks")) return NULL;
    for (uint32_t i = 0; i < k->user_type_count; i++)
        if (slice_equal(k->user_types[i]->name, name)) return k->user_types[i];
    return NULL;
}

static uint64_t next_random(void *ctx)
{
    return test_random(ctx);
}

void kit_start(struct term_kit *k)
{
    memset(k, 0, sizeof(*k));
    k->arena = arena_new(MIB(64));
    k->out = buf_make(MIB(1));
    k->random = 42;
    k->partition[0] = type_of(TYPE_INT);
    k->x = (struct cql_prepare){.arena = k->arena,
                                .d = &k->d,
                                .keyspace = SLICE("ks"),
                                .statement_keyspace = SLICE("ks"),
                                .statement_table = SLICE("t"),
                                .markers = k->markers,
                                .marker_count = COUNT_OF(k->markers),
                                .user_type = user_type,
                                .ctx = k,
                                .partition_types = k->partition,
                                .partition_count = 1};
    k->b = (struct cql_bound){.values = k->bound,
                              .count = COUNT_OF(k->bound),
                              .now_us = 1700000000123456,
                              .random = next_random,
                              .random_ctx = &k->random};
}

void kit_stop(struct term_kit *k)
{
    arena_free(k->arena);
    buf_done(&k->out);
}

static const struct cql_statement_tree *parse(struct term_kit *k, const char *before, const char *a,
                                              const char *after)
{
    const struct cql_statement_tree *tree = NULL;
    const char *text = arena_printf(k->arena, "%s%s%s", before, a, after);
    err_t e = text ? cql_parse(slice_of(text), k->arena, &tree, &k->d) : ERR_NO_MEMORY;
    if (e) return NULL;
    return tree;
}

static const struct cql_statement_tree *parse_type(struct term_kit *k, const char *text)
{
    return parse(k, "CREATE TABLE t (k int PRIMARY KEY, a ", text, ")");
}

const struct type *kit_type(struct term_kit *k, const char *text)
{
    const struct cql_statement_tree *tree = parse_type(k, text);
    const struct type *t = NULL;
    if (!tree) return NULL;
    err_t e = cql_type_resolve(tree->table->columns[1].type, &k->x, &t);
    return e ? NULL : t;
}

void kit_user_type(struct term_kit *k, const char *name, const char *fields)
{
    const char *text = arena_printf(k->arena, "CREATE TYPE %s (%s)", name, fields);
    const struct cql_statement_tree *tree;
    CHECK_OK(cql_parse(slice_of(text), k->arena, &tree, &k->d), &k->d);
    struct type *t = arena_take(k->arena, sizeof(*t));
    struct slice *names = arena_take(k->arena, tree->column_count * sizeof(*names));
    const struct type **items =
        arena_take(k->arena, tree->column_count * sizeof(const struct type *));
    for (uint32_t i = 0; i < tree->column_count; i++) {
        names[i] = tree->columns[i].name;
        CHECK_OK(cql_type_resolve(tree->columns[i].type, &k->x, &items[i]), &k->d);
    }
    *t = (struct type){.kind = TYPE_STRUCT,
                       .count = (uint16_t)tree->column_count,
                       .items = items,
                       .names = names,
                       .name = tree->name.name};
    k->user_types[k->user_type_count++] = t;
}

const struct cql_node *kit_node(struct term_kit *k, const char *term)
{
    const struct cql_statement_tree *tree = parse(k, "INSERT INTO t (a) VALUES (", term, ")");
    return tree ? tree->write->values[0] : NULL;
}

const struct cql_node *kit_selector(struct term_kit *k, const char *selector)
{
    const struct cql_statement_tree *tree = parse(k, "SELECT ", selector, " FROM t");
    return tree ? tree->select->items[0].value : NULL;
}

const char *kit_literal(struct term_kit *k, const struct type *t, const struct cql_value *v)
{
    buf_reset(&k->out);
    if (v->state == CQL_UNSET)
        buf_text(&k->out, "unset");
    else
        cql_to_literal(t, v, &k->out);
    return buf_cstr(&k->out);
}

const char *kit_term(struct term_kit *k, const char *term, const char *type)
{
    const struct cql_node *n = kit_node(k, term);
    const struct type *t = n ? kit_type(k, type) : NULL;
    const struct cql_term *made;
    struct cql_value v;
    if (!n || !t) return k->d.what;
    struct cql_receiver r = {SLICE("ks"), SLICE("t"), SLICE("a"), t};
    k->x.memo = NULL;
    if (cql_term_prepare(n, &r, &k->x, &made) || cql_term_value(made, &k->b, k->arena, &v, &k->d))
        return k->d.what;
    return kit_literal(k, t, &v);
}

void kit_bind(struct term_kit *k, uint32_t marker, const char *bytes, size_t len)
{
    uint8_t *at = arena_take(k->arena, len + 1);
    if (len) memcpy(at, bytes, len);
    k->bound[marker] = (struct cql_value){slice_make(at, len), bytes ? CQL_SET : CQL_NULL};
}

const char *kit_marker(struct term_kit *k, uint32_t i)
{
    buf_reset(&k->out);
    buf_printf(&k->out, "%.*s: ", SLICE_ARG(k->markers[i].name));
    cql_type_put(&k->out, k->markers[i].type);
    return buf_cstr(&k->out);
}
