/* The order of values in their binary form: that of the original's comparators. An empty value
 * comes before all others of its type. */
#include "sql/cql/term_int.h"

static int order_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int order_nested(const struct type *t, struct slice a, struct slice b)
{
    bool fields = t->kind == TYPE_TUPLE || t->kind == TYPE_STRUCT;
    struct item_walk wa = fields ? items_of_fields(t, a) : items_of_collection(t, a);
    struct item_walk wb = fields ? items_of_fields(t, b) : items_of_collection(t, b);
    struct slice ia, ib;
    for (uint32_t i = 0;; i++) {
        bool more_a = items_next(&wa, &ia), more_b = items_next(&wb, &ib);
        if (!more_a || !more_b) return more_a - more_b;
        bool there_a = ia.at != NULL, there_b = ib.at != NULL;
        int c = there_a && there_b ? cql_compare(item_type(t, i), ia, ib) : there_a - there_b;
        if (c) return c;
    }
}

int cql_compare(const struct type *t, struct slice a, struct slice b)
{
    if (a.len == 0 || b.len == 0) return (a.len > 0) - (b.len > 0);
    switch (t->kind) {
    case TYPE_BOOLEAN: return (a.at[0] != 0) - (b.at[0] != 0);
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
    case TYPE_COUNTER:
    case TYPE_TIMESTAMP: return order_i64(binary_i64(a), binary_i64(b));
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
    case TYPE_UUID:
    case TYPE_TIMEUUID:
    case TYPE_VARINT:
    case TYPE_DECIMAL: {
        if (slice_equal(a, b)) return 0;
        struct value va = value_hold(t, a), vb = value_hold(t, b);
        return value_compare(&va, &vb);
    }
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_STRUCT: return order_nested(t, a, b);
    default: return slice_compare(a, b); /* text, blob, date, time, inet; durations have no order */
    }
}
