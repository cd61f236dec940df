/* CQL's terms and selectors as text, and bound bytes: what is accepted is a value of its type, is
 * taken again as it is, and can be shown. First byte: the type; second: what the rest is. */
#include "fuzz.h"
#include "sql/cql/term.h"

static const char *const types[] = {"int",
                                    "bigint",
                                    "smallint",
                                    "tinyint",
                                    "varint",
                                    "decimal",
                                    "float",
                                    "double",
                                    "boolean",
                                    "text",
                                    "ascii",
                                    "blob",
                                    "uuid",
                                    "timeuuid",
                                    "timestamp",
                                    "date",
                                    "time",
                                    "duration",
                                    "inet",
                                    "list<int>",
                                    "set<text>",
                                    "map<text, decimal>",
                                    "tuple<int, text>",
                                    "frozen<list<set<int>>>",
                                    "frozen<map<frozen<list<varint>>, tuple<text, duration>>>"};

static struct arena *arena;
static struct diag diag;

static uint64_t zero(void *ctx)
{
    (void)ctx;
    return 0;
}

static const struct type *type_at(uint8_t i, struct cql_prepare *x)
{
    const struct cql_statement_tree *tree;
    const struct type *t;
    const char *text =
        arena_printf(arena, "CREATE TABLE t (k int PRIMARY KEY, a %s)", types[i % COUNT_OF(types)]);
    if (!text || cql_parse(slice_of(text), arena, &tree, &diag) ||
        cql_type_resolve(tree->table->columns[1].type, x, &t))
        abort();
    return t;
}

/* A value that was taken: a marker takes it again, the same; it can be shown. */
static void look(const struct type *t, const struct cql_value *v, struct cql_prepare *x,
                 struct cql_bound *b)
{
    static const struct cql_node marker = {.kind = NODE_MARKER};
    struct cql_receiver r = {.name = SLICE("a"), .type = t}, place;
    const struct cql_term *again;
    struct cql_value same;
    struct buf shown = buf_make(1 << 20);
    if (v->state == CQL_SET) {
        x->markers = &place;
        x->marker_count = 1;
        b->values = v;
        b->count = 1;
        if (cql_term_prepare(&marker, &r, x, &again) ||
            cql_term_value(again, b, arena, &same, &diag))
            abort();
        if (!slice_equal(same.bytes, v->bytes) || cql_compare(t, v->bytes, v->bytes) != 0) abort();
    }
    cql_to_literal(t, v, &shown);
    cql_to_json(t, v, &shown);
    buf_done(&shown);
}

static void term(const struct type *t, struct slice text, struct cql_prepare *x,
                 struct cql_bound *b)
{
    const struct cql_statement_tree *tree;
    const struct cql_term *made;
    struct cql_value v;
    struct cql_receiver r = {SLICE("ks"), SLICE("t"), SLICE("a"), t};
    const char *statement = arena_printf(arena, "INSERT INTO t (a) VALUES (%.*s)", SLICE_ARG(text));
    if (!statement || cql_parse(slice_of(statement), arena, &tree, &diag)) return;
    if (tree->kind != CQL_INSERT || !tree->write->column_count) return;
    if (cql_term_prepare(tree->write->values[0], &r, x, &made)) return;
    if (cql_term_value(made, b, arena, &v, &diag) == ERR_OK) look(t, &v, x, b);
}

static void selector(const struct type *t, struct slice text, struct cql_prepare *x,
                     struct cql_bound *b)
{
    const struct cql_statement_tree *tree;
    const struct cql_selector *s;
    struct slice name;
    struct cql_value value = {.state = CQL_NULL}, out;
    struct cql_cell_times times = {0};
    struct cql_row row = {&value, &times};
    bool used;
    struct cql_scope_column column = {SLICE("a"), t, 0, false};
    struct cql_scope scope = {SLICE("ks"), SLICE("t"), &column, 1, x, &used, false};
    const char *statement = arena_printf(arena, "SELECT %.*s FROM t", SLICE_ARG(text));
    if (!statement || cql_parse(slice_of(statement), arena, &tree, &diag)) return;
    if (tree->kind != CQL_SELECT || !tree->select->item_count) return;
    if (cql_selector_prepare(tree->select->items[0].value, &scope, NULL, &s, &name)) return;
    struct cql_group *g = cql_group_new(&s, 1, arena);
    if (!g) return;
    err_t e = cql_group_add(g, &row, b, &diag);
    if (!e) e = cql_group_values(g, b, arena, &out, &diag);
    if (!e && !cql_selector_aggregates(s)) e = cql_selector_value(s, &row, b, arena, &out, &diag);
    if (!e) look(cql_selector_type(s), &out, x, b);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct cql_receiver markers[8];
    struct cql_value values[8] = {{.state = CQL_NULL}};
    if (!arena) arena = arena_new(256 << 20);
    if (size < 2) return 0;
    const struct type *key = type_of(TYPE_INT);
    struct cql_prepare x = {.arena = arena,
                            .d = &diag,
                            .keyspace = SLICE("ks"),
                            .markers = markers,
                            .marker_count = COUNT_OF(markers),
                            .partition_types = &key,
                            .partition_count = 1};
    struct cql_bound b = {.values = values, .count = COUNT_OF(values), .random = zero};
    const struct type *t = type_at(bytes[0], &x);
    uint8_t *copy = fuzz_copy(bytes + 2, size - 2, 0);
    struct slice rest = slice_make(copy, size - 2);
    if (bytes[1] % 4 == 0) {
        static const struct cql_node marker = {.kind = NODE_MARKER};
        struct cql_receiver r = {.name = SLICE("a"), .type = t};
        const struct cql_term *made;
        struct cql_value v;
        values[0] = (struct cql_value){rest, CQL_SET};
        if (cql_term_prepare(&marker, &r, &x, &made)) abort();
        if (cql_term_value(made, &b, arena, &v, &diag) == ERR_OK) look(t, &v, &x, &b);
    } else if (bytes[1] % 4 == 1) {
        selector(t, rest, &x, &b);
    } else {
        term(t, rest, &x, &b);
    }
    mem_give(copy);
    arena_reset(arena);
    return 0;
}
