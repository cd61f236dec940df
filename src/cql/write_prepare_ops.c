/* SET and DELETE's operations, prepared: what may be done to a column of which type. */
#include "cql/write_int.h"

static bool is_collection(const struct type *t)
{
    return t->kind == TYPE_LIST || t->kind == TYPE_SET || t->kind == TYPE_MAP;
}

static bool is_udt(const struct type *t)
{
    return t->kind == TYPE_STRUCT;
}

static struct slice text_of(const struct cql_node *n)
{
    return n ? n->text : SLICE("");
}

/* The operation as Cassandra's messages show it. */
static const char *op_text(struct write_preparing *w, const struct cql_operation *o)
{
    struct slice c = o->column, v = text_of(o->value);
    const char *text = NULL;
    struct arena *a = w->p->terms.arena;
    switch (o->kind) {
    case SET_ELEMENT:
        text = arena_printf(a, "%.*s[%.*s] = %.*s", SLICE_ARG(c), SLICE_ARG(text_of(o->element)),
                            SLICE_ARG(v));
        break;
    case SET_FIELD:
        text = arena_printf(a, "%.*s.%.*s = %.*s", SLICE_ARG(c), SLICE_ARG(o->field), SLICE_ARG(v));
        break;
    case SET_ADD:
        text = arena_printf(a, "%.*s = %.*s + %.*s", SLICE_ARG(c), SLICE_ARG(c), SLICE_ARG(v));
        break;
    case SET_PREPEND: /* with '-', as Cassandra has it */
        text = arena_printf(a, "%.*s = %.*s - %.*s", SLICE_ARG(c), SLICE_ARG(v), SLICE_ARG(c));
        break;
    default:
        text = arena_printf(a, "%.*s = %.*s - %.*s", SLICE_ARG(c), SLICE_ARG(c), SLICE_ARG(v));
        break;
    }
    return text ? text : "?";
}

static err_t refuse(struct write_preparing *w, const struct cql_operation *o, const char *what)
{
    return diag_fail(w->p->terms.d, ERR_INVALID, "Invalid operation (%s) for %s %.*s",
                     op_text(w, o), what, SLICE_ARG(o->column));
}

/* --- SET c = value
 * ------------------------------------------------------------------------------------ */

err_t write_op_set(struct write_preparing *w, const struct store_column *column,
                   const struct cql_node *value, struct write_op *out)
{
    *out = (struct write_op){.column = column};
    out->kind = cql_type_is_multicell(column->type) ? OP_SET_ALL : OP_SET;
    err_t e = write_prepare_column(w, value, column, &out->value.term);
    if (e) return e;
    if (column->type->kind == TYPE_COUNTER)
        return diag_fail(w->p->terms.d, ERR_INVALID,
                         "Cannot set the value of counter column %.*s (counters can only be "
                         "incremented/decremented, not set)",
                         SLICE_ARG(column->name));
    return ERR_OK;
}

/* --- SET c[element] = value, c.field = value
 * ------------------------------------------------------------ */

static err_t prepare_element(struct write_preparing *w, const struct cql_operation *o,
                             struct write_op *op)
{
    const struct store_column *c = op->column;
    const struct type *t = c->type;
    if (!is_collection(t)) return refuse(w, o, "non collection column");
    if (t->frozen) return refuse(w, o, "frozen collection column");
    if (t->kind == TYPE_SET) return refuse(w, o, "set column");
    bool list = t->kind == TYPE_LIST;
    op->kind = list ? OP_LIST_SET : OP_PUT;
    struct cql_receiver at = list ? write_receiver_part(w, c, "idx", type_of(TYPE_INT))
                                  : write_receiver_part(w, c, "key", t->items[0]);
    struct cql_receiver value = write_receiver_part(w, c, "value", t->items[list ? 0 : 1]);
    err_t e = write_prepare_term(w, o->element, at, &op->element.term);
    return e ? e : write_prepare_term(w, o->value, value, &op->value.term);
}

static int32_t field_index(const struct type *t, struct slice name)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (slice_equal(t->names[i], name)) return (int32_t)i;
    return -1;
}

static err_t no_field(struct write_preparing *w, const struct cql_operation *o)
{
    return diag_fail(w->p->terms.d, ERR_INVALID, "UDT column %.*s does not have a field named %.*s",
                     SLICE_ARG(o->column), SLICE_ARG(o->field));
}

static err_t prepare_field(struct write_preparing *w, const struct cql_operation *o,
                           struct write_op *op)
{
    const struct type *t = op->column->type;
    if (!is_udt(t)) return refuse(w, o, "non-UDT column");
    if (t->frozen) return refuse(w, o, "frozen UDT column");
    int32_t field = field_index(t, o->field);
    if (field < 0) return no_field(w, o);
    op->kind = OP_FIELD;
    op->field = (uint16_t)field;
    struct cql_receiver r = write_receiver(w->table, op->column);
    r.name = slice_of(
        arena_printf(w->p->terms.arena, "%.*s.%.*s", SLICE_ARG(o->column), SLICE_ARG(o->field)));
    r.type = t->items[field];
    return write_prepare_term(w, o->value, r, &op->value.term);
}

/* --- + and -
 * ---------------------------------------------------------------------------------------------- */

/* (t) ? + (t) ?, with places of its own for the two markers. */
static err_t prepare_sum(struct write_preparing *w, const struct store_column *c,
                         const struct cql_term **out)
{
    struct arena *a = w->p->terms.arena;
    struct cql_type *type = arena_take(a, sizeof(*type));
    struct cql_node *nodes = arena_take(a, 5 * sizeof(*nodes));
    const struct cql_node **args = arena_take(a, 4 * sizeof(const struct cql_node *));
    struct cql_receiver *markers = arena_take(a, 2 * sizeof(*markers));
    struct cql_receiver *r = arena_take(a, sizeof(*r));
    if (!type || !nodes || !args || !markers || !r)
        return diag_fail(w->p->terms.d, ERR_NO_MEMORY, "no memory for the statement");
    type->text = type->name.name = slice_of(type_kind_name(c->type->kind));
    for (uint32_t i = 0; i < 2; i++) {
        nodes[3 + i] = (struct cql_node){.kind = NODE_MARKER, .marker = i, .text = SLICE("?")};
        args[2 + i] = &nodes[3 + i];
        nodes[1 + i] = (struct cql_node){
            .kind = NODE_HINT, .type = type, .args = &args[2 + i], .count = 1, .text = SLICE("?")};
        args[i] = &nodes[1 + i];
    }
    nodes[0] = (struct cql_node){
        .kind = NODE_ARITH, .op = '+', .args = args, .count = 2, .text = SLICE("? + ?")};
    *r = write_receiver(w->table, c);
    struct cql_prepare own = w->p->terms;
    own.markers = markers;
    own.marker_count = 2;
    return cql_term_prepare(&nodes[0], r, &own, out);
}

static err_t add_scalar(struct write_preparing *w, const struct cql_operation *o,
                        struct write_op *op)
{
    const struct type *t = op->column->type;
    if (t->kind == TYPE_TUPLE || is_udt(t)) return refuse(w, o, "tuple column");
    bool conditional = w->plan->condition != IF_NONE;
    if (t->kind == TYPE_COUNTER)
        op->kind = OP_COUNT;
    else if (!conditional)
        return refuse(w, o, "non counter column");
    else if (type_is_number(t))
        op->kind = OP_ADD_NUMBER;
    else if (type_is_text(t))
        op->kind = OP_ADD_TEXT;
    else
        return refuse(w, o, "non-numeric and non-text type");
    err_t e = write_prepare_column(w, o->value, op->column, &op->value.term);
    if (!e && op->kind == OP_ADD_NUMBER) e = prepare_sum(w, op->column, &op->sum);
    return e;
}

static err_t prepare_add(struct write_preparing *w, const struct cql_operation *o,
                         struct write_op *op)
{
    const struct type *t = op->column->type;
    if (!is_collection(t)) return add_scalar(w, o, op);
    if (t->frozen) return refuse(w, o, "frozen collection column");
    op->kind = OP_ADD;
    err_t e = write_prepare_column(w, o->value, op->column, &op->value.term);
    if (e == ERR_INVALID && t->kind == TYPE_MAP)
        return diag_fail(w->p->terms.d, ERR_INVALID,
                         "Value for a map addition has to be a map, but was: '%.*s'",
                         SLICE_ARG(text_of(o->value)));
    return e;
}

static err_t prepare_subtract(struct write_preparing *w, const struct cql_operation *o,
                              struct write_op *op)
{
    const struct store_column *c = op->column;
    const struct type *t = c->type;
    if (!is_collection(t)) {
        if (t->kind != TYPE_COUNTER) return refuse(w, o, "non counter column");
        op->kind = OP_COUNT_DOWN;
        return write_prepare_column(w, o->value, c, &op->value.term);
    }
    if (t->frozen) return refuse(w, o, "frozen collection column");
    op->kind = t->kind == TYPE_LIST ? OP_LIST_REMOVE : OP_REMOVE;
    if (t->kind != TYPE_MAP) return write_prepare_column(w, o->value, c, &op->value.term);
    struct type *keys = arena_take(w->p->terms.arena, sizeof(*keys));
    if (!keys) return diag_fail(w->p->terms.d, ERR_NO_MEMORY, "no memory for the statement");
    *keys = (struct type){.kind = TYPE_SET, .count = 1, .items = t->items};
    struct cql_receiver r = write_receiver(w->table, c);
    r.type = keys;
    err_t e = write_prepare_term(w, o->value, r, &op->value.term);
    if (e == ERR_INVALID)
        return diag_fail(w->p->terms.d, ERR_INVALID,
                         "Value for a map substraction has to be a set, but was: '%.*s'",
                         SLICE_ARG(text_of(o->value)));
    return e;
}

static err_t prepare_prepend(struct write_preparing *w, const struct cql_operation *o,
                             struct write_op *op)
{
    err_t e = write_prepare_column(w, o->value, op->column, &op->value.term);
    if (e) return e;
    if (op->column->type->kind != TYPE_LIST) return refuse(w, o, "non list column");
    if (op->column->type->frozen) return refuse(w, o, "frozen list column");
    op->kind = OP_PREPEND;
    return ERR_OK;
}

/* --- DELETE c, c[element], c.field
 * --------------------------------------------------------------------------- */

static err_t prepare_delete_element(struct write_preparing *w, const struct cql_operation *o,
                                    struct write_op *op)
{
    const struct store_column *c = op->column;
    const struct type *t = c->type;
    struct diag *d = w->p->terms.d;
    if (!is_collection(t))
        return diag_fail(d, ERR_INVALID,
                         "Invalid deletion operation for non collection column %.*s",
                         SLICE_ARG(c->name));
    if (t->frozen)
        return diag_fail(d, ERR_INVALID,
                         "Invalid deletion operation for frozen collection column %.*s",
                         SLICE_ARG(c->name));
    op->kind = t->kind == TYPE_LIST ? OP_LIST_DELETE : OP_DELETE_KEY;
    struct cql_receiver r =
        t->kind == TYPE_LIST
            ? write_receiver_part(w, c, "idx", type_of(TYPE_INT))
            : write_receiver_part(w, c, t->kind == TYPE_MAP ? "key" : "value", t->items[0]);
    return write_prepare_term(w, o->element, r, &op->element.term);
}

static err_t prepare_delete_field(struct write_preparing *w, const struct cql_operation *o,
                                  struct write_op *op)
{
    const struct type *t = op->column->type;
    struct diag *d = w->p->terms.d;
    if (!is_udt(t))
        return diag_fail(d, ERR_INVALID, "Invalid field deletion operation for non-UDT column %.*s",
                         SLICE_ARG(o->column));
    if (t->frozen)
        return diag_fail(d, ERR_INVALID, "Frozen UDT column %.*s does not support field deletions",
                         SLICE_ARG(o->column));
    int32_t field = field_index(t, o->field);
    if (field < 0) return no_field(w, o);
    op->kind = OP_DELETE_FIELD;
    op->field = (uint16_t)field;
    return ERR_OK;
}

err_t write_op_prepare(struct write_preparing *w, const struct cql_operation *o,
                       struct write_op *op)
{
    switch (o->kind) {
    case SET_VALUE: return write_op_set(w, op->column, o->value, op);
    case SET_ADD: return prepare_add(w, o, op);
    case SET_PREPEND: return prepare_prepend(w, o, op);
    case SET_SUB: return prepare_subtract(w, o, op);
    case SET_ELEMENT: return prepare_element(w, o, op);
    case SET_FIELD: return prepare_field(w, o, op);
    case UNSET_COLUMN: op->kind = OP_DELETE; return ERR_OK;
    case UNSET_ELEMENT: return prepare_delete_element(w, o, op);
    case UNSET_FIELD: return prepare_delete_field(w, o, op);
    }
    return diag_fail(w->p->terms.d, ERR_INTERNAL, "an operation without a meaning");
}

bool write_op_reads(const struct write_op *op)
{
    switch (op->kind) {
    case OP_LIST_REMOVE:
    case OP_LIST_SET:
    case OP_LIST_DELETE:
    case OP_ADD_NUMBER:
    case OP_ADD_TEXT: return true;
    default: return false;
    }
}
