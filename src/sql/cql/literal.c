/* Values as CQL's literals: what DESCRIBE, messages and column masks show. */
#include "sql/cql/term_int.h"

static void put_literal(const struct type *t, struct slice b, struct buf *out);

static void put_quoted(struct slice text, struct buf *out)
{
    buf_char(out, '\'');
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\'') buf_char(out, '\'');
        buf_char(out, (char)text.at[i]);
    }
    buf_char(out, '\'');
}

static void put_collection(const struct type *t, struct slice b, struct buf *out)
{
    struct item_walk w = items_of_collection(t, b);
    struct slice item;
    buf_char(out, t->kind == TYPE_LIST ? '[' : '{');
    for (uint32_t i = 0; items_next(&w, &item); i++) {
        if (i) buf_text(out, t->kind == TYPE_MAP && i % 2 ? ": " : ", ");
        put_literal(item_type(t, i), item, out);
    }
    buf_char(out, t->kind == TYPE_LIST ? ']' : '}');
}

/* Fields that a shorter value has no bytes of are not shown. */
static void put_fields(const struct type *t, struct slice b, struct buf *out)
{
    struct item_walk w = items_of_fields(t, b);
    struct slice item;
    bool user = t->kind == TYPE_STRUCT;
    buf_char(out, user ? '{' : '(');
    for (uint32_t i = 0; cursor_left(&w.at) && items_next(&w, &item); i++) {
        if (i) buf_text(out, ", ");
        if (user) {
            cql_put_name(out, t->names[i]);
            buf_text(out, ": ");
        }
        put_literal(t->items[i], item, out);
    }
    buf_char(out, user ? '}' : ')');
}

static bool is_quoted(enum type_kind k)
{
    return k == TYPE_DATE || k == TYPE_TIME || k == TYPE_TIMESTAMP || k == TYPE_INET;
}

static void put_literal(const struct type *t, struct slice b, struct buf *out)
{
    bool text = type_is_text(t);
    if (!b.at || (b.len == 0 && type_empty_is_null(t))) {
        buf_text(out, "null");
    } else if (type_is_collection(t)) {
        put_collection(t, b, out);
    } else if (type_is_nested(t)) {
        put_fields(t, b, out);
    } else if (text) {
        put_quoted(b, out);
    } else {
        if (is_quoted(t->kind)) buf_char(out, '\'');
        if (t->kind == TYPE_BLOB) buf_text(out, "0x");
        scalar_put(t, b, out);
        if (is_quoted(t->kind)) buf_char(out, '\'');
    }
}

void cql_to_literal(const struct type *t, const struct cql_value *v, struct buf *out)
{
    struct slice b = v->bytes;
    if (v->state != CQL_SET) {
        buf_text(out, "null");
        return;
    }
    if (!b.at) b.at = (const uint8_t *)"";
    put_literal(t, b, out);
}
