/* JSON for a value of CQL: what is taken is written and taken again, the same. First byte: the
 * type. */
#include "fuzz.h"
#include "sql/cql/term.h"

static struct type list = {.kind = TYPE_LIST, .frozen = true, .count = 1};
static struct type set = {.kind = TYPE_SET, .frozen = true, .count = 1};
static struct type map = {.kind = TYPE_MAP, .frozen = true, .count = 2};
static struct type tuple = {.kind = TYPE_TUPLE, .frozen = true, .count = 3};
static struct type user = {.kind = TYPE_STRUCT, .frozen = true, .count = 2};

static const struct type *type_at(uint8_t i)
{
    static const struct type *one[1], *pair[2], *three[3], *fields[2], *decimals[1];
    static const struct slice names[2] = {{(const uint8_t *)"f", 1}, {(const uint8_t *)"G", 1}};
    one[0] = type_of(TYPE_VARINT);
    decimals[0] = type_of(TYPE_DECIMAL);
    pair[0] = &list;
    pair[1] = type_of(TYPE_TEXT);
    three[0] = type_of(TYPE_TIMESTAMP);
    three[1] = &set;
    three[2] = type_of(TYPE_DURATION);
    fields[0] = &map;
    fields[1] = &tuple;
    list.items = one;
    set.items = decimals;
    map.items = pair;
    tuple.items = three;
    user.items = fields;
    user.names = names;
    user.name = SLICE("u");
    const struct type *const nested[] = {&list, &set, &map, &tuple, &user};
    i %= TYPE_JSON + COUNT_OF(nested);
    if (i >= TYPE_JSON) return nested[i - TYPE_JSON];
    return i == TYPE_LIST || type_is_nested(&(struct type){.kind = i}) ? &user : type_of(i);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *arena;
    struct cql_value v, again;
    struct diag d;
    if (!arena) arena = arena_new(64 << 20);
    if (size < 1) return 0;
    const struct type *t = type_at(bytes[0]);
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    struct slice json = slice_make(copy, size - 1);
    struct cql_json_field *fields;
    uint32_t count;
    struct buf text = buf_make(16 << 20);
    (void)!cql_json_fields(json, arena, &fields, &count, &d);
    if (cql_from_json(t, json, arena, &v, &d) == ERR_OK && v.state == CQL_SET) {
        cql_to_json(t, &v, &text);
        /* a decimal is written as a number, which comes back through a double, as in Cassandra */
        bool decimal = t->kind == TYPE_DECIMAL;
        bool floating = t->kind == TYPE_FLOAT || t->kind == TYPE_DOUBLE; /* NaN becomes null */
        /* years of several eras look the same */
        bool small = t->kind == TYPE_TIMESTAMP || decimal;
        /* a duration of nothing is written as nothing, as Cassandra does, which reads it as little
         */
        small = small || (t->kind == TYPE_DURATION && slice_is(buf_view(&text), "\"\""));
        if (cql_from_json(t, buf_view(&text), arena, &again, &d) == ERR_OK) {
            if (!floating && !small && !type_is_nested(t) &&
                (again.state != CQL_SET || cql_compare(t, v.bytes, again.bytes) != 0))
                abort();
        } else if (!small && !type_is_nested(t)) {
            abort();
        }
    }
    buf_done(&text);
    mem_give(copy);
    arena_reset(arena);
    return 0;
}
