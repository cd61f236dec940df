/* What a client binds to INSERT … JSON: an object's names become columns, its values their types.
 */
#include "cql/write_int.h"
#include "fuzz.h"

static struct store_column columns[6];
static struct store_table table = {.keyspace = SLICE("ks"), .name = SLICE("t"), .columns = columns};

static void table_make(void)
{
    static const struct {
        const char *name, *type;
    } all[] = {{"k", "int"},           {"c", "text"},
               {"d", "decimal"},       {"l", "list<frozen<map<text, bigint>>>"},
               {"s", "set<timeuuid>"}, {"u", "tuple<int, text, boolean>"}};
    static struct arena *kept;
    kept = arena_new(1 << 20);
    struct diag d;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        columns[i] = (struct store_column){.name = slice_of(all[i].name),
                                           .role = i ? COLUMN_REGULAR : COLUMN_PARTITION,
                                           .id = (uint16_t)(4 + i)};
        if (type_parse(slice_of(all[i].type), kept, &columns[i].type, &d)) abort();
    }
    table.column_count = COUNT_OF(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct cql_value *values = NULL;
    struct diag d;
    if (!arena) {
        arena = arena_new(64 << 20);
        table_make();
    }
    uint8_t *copy = fuzz_copy(bytes, size, 0);
    bool unset = size & 1;
    if (!write_json_values(&table, slice_make(copy, size), unset, arena, &values, &d))
        for (uint32_t i = 0; i < table.column_count; i++)
            if (values[i].state == CQL_SET) {
                struct cql_value *items;
                uint32_t count;
                const struct type *t = columns[i].type;
                bool nested = t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_TUPLE;
                if (nested && cql_items(t, values[i].bytes, arena, &items, &count, &d)) abort();
                if (t->kind == TYPE_INT && values[i].bytes.len != 4 && values[i].bytes.len) abort();
            }
    arena_reset(arena);
    mem_give(copy);
    return 0;
}
