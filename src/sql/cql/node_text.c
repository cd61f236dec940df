/* Terms and selectors as messages show them: getText() and toString() of the original. */
#include "sql/cql/term_int.h"

static void put_args(struct resolve *r, const struct cql_node *n, struct buf *out, const char *open,
                     const char *close)
{
    buf_text(out, open);
    for (uint32_t i = 0; i < n->count; i++) {
        if (i) buf_text(out, n->kind == NODE_MAP && i % 2 ? ": " : ", ");
        if (n->kind == NODE_RECORD) buf_printf(out, "%.*s: ", SLICE_ARG(n->names[i]));
        node_put(r, n->args[i], out);
    }
    buf_text(out, close);
}

static void put_call(struct resolve *r, const struct cql_node *n, struct buf *out)
{
    struct cql_name name = native_name_of(n);
    bool star = n->count == 1 && n->args[0]->kind == NODE_STAR;
    if (r->scope && (star || slice_is(name.name, "count_rows"))) {
        buf_text(out, "count");
    } else if (r->scope && n->kind == NODE_ARITH) {
        node_put(r, n->args[0], out);
        buf_printf(out, " %c ", n->op);
        node_put(r, n->args[1], out);
    } else if (r->scope && n->kind == NODE_NEGATE) {
        buf_char(out, '-');
        node_put(r, n->args[0], out);
    } else {
        bool token = slice_is(name.name, "token");
        if (r->scope || (name.keyspace.len && !token))
            buf_printf(out, "%.*s.",
                       SLICE_ARG(name.keyspace.len ? name.keyspace : SLICE("system")));
        if (r->scope)
            buf_slice(out, name.name);
        else
            cql_put_name(out, name.name);
        put_args(r, n, out, "(", ")");
    }
}

static void put_selected(struct resolve *r, const struct cql_node *n, struct buf *out)
{
    struct resolve terms = {.x = r->x};
    node_put(r, n->args[0], out);
    if (n->kind == NODE_FIELD) {
        buf_printf(out, ".%.*s", SLICE_ARG(n->value));
        return;
    }
    buf_char(out, '[');
    if (n->args[1]) node_put(&terms, n->args[1], out);
    if (n->kind == NODE_SLICE) {
        buf_text(out, "..");
        if (n->args[2]) node_put(&terms, n->args[2], out);
    }
    buf_char(out, ']');
}

static void put_times(struct resolve *r, const struct cql_node *n, struct buf *out)
{
    buf_text(out, n->kind == NODE_TTL         ? "ttl("
                  : n->kind == NODE_WRITETIME ? "writetime("
                                              : "maxwritetime(");
    node_put(r, n->args[0], out);
    buf_char(out, ')');
}

static void put_typed(struct resolve *r, const struct cql_node *n, struct buf *out)
{
    if (n->kind == NODE_CAST && r->scope) {
        buf_text(out, "cast(");
        node_put(r, n->args[0], out);
        buf_text(out, " as ");
        cql_type_put_written(out, n->type, r->x->keyspace);
        buf_char(out, ')');
    } else if (n->kind == NODE_CAST) {
        put_call(r, n, out);
    } else {
        buf_char(out, '(');
        cql_type_put_written(out, n->type, r->x->keyspace);
        buf_char(out, ')');
        node_put(r, n->args[0], out);
    }
}

void node_put(struct resolve *r, const struct cql_node *n, struct buf *out)
{
    switch (n->kind) {
    case NODE_NULL: buf_text(out, "NULL"); break;
    case NODE_STRING: buf_printf(out, "'%.*s'", SLICE_ARG(n->value)); break;
    case NODE_BLOB: buf_printf(out, "0x%.*s", SLICE_ARG(n->value)); break;
    case NODE_INTEGER:
    case NODE_FLOAT:
    case NODE_BOOLEAN:
    case NODE_UUID:
    case NODE_DURATION: buf_slice(out, n->value); break;
    case NODE_MARKER: buf_char(out, '?'); break;
    case NODE_LIST: put_args(r, n, out, "[", "]"); break;
    case NODE_SET:
    case NODE_MAP:
    case NODE_RECORD: put_args(r, n, out, "{", "}"); break;
    case NODE_TUPLE: put_args(r, n, out, "(", ")"); break;
    case NODE_CALL:
    case NODE_NEGATE:
    case NODE_ARITH: put_call(r, n, out); break;
    case NODE_HINT:
    case NODE_CAST: put_typed(r, n, out); break;
    case NODE_COLUMN: buf_slice(out, n->name.name); break;
    case NODE_STAR: buf_char(out, '*'); break;
    case NODE_FIELD:
    case NODE_ELEMENT:
    case NODE_SLICE: put_selected(r, n, out); break;
    case NODE_WRITETIME:
    case NODE_MAXWRITETIME:
    case NODE_TTL: put_times(r, n, out); break;
    }
}

const char *node_shown(struct resolve *r, const struct cql_node *n)
{
    struct buf b = buf_make(KIB(64));
    node_put(r, n, &b);
    const char *text = arena_text(r->x->arena, buf_view(&b));
    buf_done(&b);
    return text ? text : "";
}
