/* SQL text in each dialect: parsed, and bound where it parses. */
#include "fuzz.h"
#include "sql/sql.h"

static const struct sql_relation *find(void *ctx, struct slice keyspace, struct slice name)
{
    static struct sql_column columns[3];
    static struct sql_relation table, topic;
    (void)ctx;
    columns[0] = (struct sql_column){.name = SLICE("id"), .type = type_of(TYPE_UUID), .key = 1};
    columns[1] = (struct sql_column){.name = SLICE("n"), .type = type_of(TYPE_INT)};
    columns[2] = (struct sql_column){.name = SLICE("t"), .type = type_of(TYPE_TEXT)};
    table = (struct sql_relation){RELATION_TABLE, SLICE("k"), SLICE("t"), columns, 3, false};
    topic = (struct sql_relation){RELATION_TOPIC, {0}, SLICE("topic"), NULL, 0, true};
    if (slice_is(name, "topic")) return &topic;
    return keyspace.len ? &table : NULL;
}

static size_t names(void *ctx, const char **out, size_t max)
{
    (void)ctx;
    if (max) out[0] = "k.t";
    return max ? 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct sql_catalog catalog = {NULL, find, names};
    struct script script;
    struct diag d;
    if (!arena) arena = arena_new(64 << 20);
    if (size < 2) return 0;
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    enum sql_dialect dialect = (enum sql_dialect)(bytes[0] % 3);
    if (sql_parse(slice_make(copy, size - 1), "fuzz", dialect, arena, &script, &d) == ERR_OK) {
        for (uint32_t i = 0; i < script.count; i++) {
            struct plan_stream stream;
            struct plan_select select;
            const struct statement *s = &script.statements[i];
            err_t e = ERR_OK;
            bool view = s->kind == STATEMENT_CREATE_VIEW;
            struct sql_relation table;
            if (view) e = sql_bind_view(s, &catalog, "fuzz", arena, &table, &d);
            if (view || s->kind == STATEMENT_CREATE_STREAM || s->kind == STATEMENT_CREATE_SINK ||
                s->kind == STATEMENT_INSERT)
                e = sql_bind_stream(s, &catalog, "fuzz", arena, &stream, &d);
            if (s->kind == STATEMENT_SELECT)
                e = sql_bind_select(s, &catalog, dialect, arena, &select, &d);
            (void)e;
        }
    }
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
