/* Selectors prepared: names resolved, types decided, columns named as the original names them. */
#include "sql/cql/selector_int.h"

struct choosing {
    struct cql_scope *s;
    struct cql_prepare *x;
    struct resolve r;
};

static err_t prepare(struct choosing *c, const struct cql_node *n, const struct type *wanted,
                     const struct cql_selector **out);

static struct cql_selector *selector_new(struct choosing *c, enum selector_kind kind,
                                         const struct type *type)
{
    struct cql_selector *s = arena_take(c->x->arena, sizeof(*s));
    if (s) *s = (struct cql_selector){.kind = kind, .type = type};
    return s;
}

static err_t no_room(struct choosing *c)
{
    return term_no_room(c->x->d);
}

static struct cql_receiver receiver(struct choosing *c, struct slice name, const struct type *t)
{
    return (struct cql_receiver){c->s->keyspace, c->s->table, name, t};
}

/* --- items
 * ----------------------------------------------------------------------------------------
 */

static err_t items_room(struct choosing *c, struct cql_selector *s, uint32_t count)
{
    s->items = arena_take(c->x->arena, (count + 1u) * sizeof(const struct cql_selector *));
    s->count = count;
    return s->items ? ERR_OK : no_room(c);
}

static err_t add_item(struct choosing *c, struct cql_selector *s, uint32_t i,
                      const struct cql_node *n, const struct type *wanted)
{
    err_t e = prepare(c, n, wanted, &s->items[i]);
    if (!e) s->aggregates |= s->items[i]->aggregates;
    return e;
}

static struct cql_selector *over(struct choosing *c, enum selector_kind kind,
                                 const struct type *type, const struct cql_node *of,
                                 const struct type *wanted, err_t *e)
{
    struct cql_selector *s = selector_new(c, kind, type);
    *e = s ? items_room(c, s, 1) : no_room(c);
    if (!*e) *e = add_item(c, s, 0, of, wanted);
    return *e ? NULL : s;
}

/* --- names
 * ----------------------------------------------------------------------------------------
 */

static err_t set_name(struct choosing *c, struct cql_selector *s, struct buf *made)
{
    return term_keep(made, c->x->arena, &s->name, c->x->d);
}

static void put_names(const struct cql_selector *s, struct buf *out, bool map)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (i) buf_text(out, map && i % 2 ? ": " : ", ");
        buf_slice(out, s->items[i]->name);
    }
}

static err_t name_call(struct choosing *c, struct cql_selector *s)
{
    struct buf b = buf_make(KIB(64));
    const struct signature *f = s->call;
    char op = native_operator(f);
    if (op) {
        buf_printf(&b, "%.*s %c %.*s", SLICE_ARG(s->items[0]->name), op,
                   SLICE_ARG(s->items[1]->name));
    } else if (strcmp(f->row->name, "_negate") == 0) {
        buf_printf(&b, "-%.*s", SLICE_ARG(s->items[0]->name));
    } else if (strcmp(f->row->name, "count_rows") == 0) {
        buf_text(&b, "count");
    } else if (strncmp(f->row->name, "cast_as_", 8) == 0) {
        buf_printf(&b, "cast(%.*s as %s)", SLICE_ARG(s->items[0]->name),
                   type_shown(c->x->arena, f->result));
    } else {
        buf_printf(&b, "system.%s(", f->name);
        put_names(s, &b, false);
        buf_char(&b, ')');
    }
    return set_name(c, s, &b);
}

/* --- columns and terms
 * ------------------------------------------------------------------------------
 */

static err_t undefined(struct choosing *c, struct slice name)
{
    struct buf b = buf_make(KIB(4));
    cql_put_name(&b, name);
    buf_text(&b, " in table ");
    cql_put_name(&b, c->s->keyspace);
    buf_char(&b, '.');
    cql_put_name(&b, c->s->table);
    err_t e =
        diag_fail(c->x->d, ERR_INVALID, "Undefined column name %.*s", SLICE_ARG(buf_view(&b)));
    buf_done(&b);
    return e;
}

static err_t column(struct choosing *c, const struct cql_node *n, const struct cql_selector **out)
{
    const struct cql_scope_column *col = scope_column(c->s, n->name.name);
    if (!col) return undefined(c, n->name.name);
    struct cql_selector *s = selector_new(c, SELECT_COLUMN, col->type);
    if (!s) return no_room(c);
    s->name = col->name;
    s->column = col->index;
    if (c->s->used) c->s->used[col - c->s->columns] = true;
    *out = s;
    return ERR_OK;
}

static err_t no_type(struct choosing *c, const struct cql_node *n)
{
    return diag_fail(c->x->d, ERR_INVALID,
                     "Cannot infer type for term %s in selection clause (try using a cast to force "
                     "a type)",
                     node_shown(&c->r, n));
}

static err_t term(struct choosing *c, const struct cql_node *n, const struct type *wanted,
                  const struct cql_selector **out)
{
    if (!wanted) return no_type(c, n);
    struct cql_selector *s = selector_new(c, SELECT_TERM, wanted);
    if (!s) return no_room(c);
    struct cql_receiver of = receiver(c, SLICE("[selection]"), wanted);
    struct buf b = buf_make(KIB(64));
    node_put(&c->r, n, &b);
    err_t e = set_name(c, s, &b);
    if (!e) e = cql_term_prepare(n, &of, c->x, &s->term);
    *out = s;
    return e;
}

/* --- calls
 * ----------------------------------------------------------------------------------------
 */

static bool counts_rows(const struct cql_node *n)
{
    bool foreign = n->name.keyspace.len && !slice_is(n->name.keyspace, "system");
    return n->kind == NODE_CALL && !foreign && slice_is(n->name.name, "count") && n->count == 1 &&
           (n->args[0]->kind == NODE_STAR || node_is_literal(n->args[0]));
}

/* What stands inside is looked at before the call itself: so its faults are told first. */
static err_t check(struct choosing *c, const struct cql_node *n)
{
    const struct signature *s;
    if (n->kind == NODE_COLUMN && !scope_column(c->s, n->name.name))
        return undefined(c, n->name.name);
    if (counts_rows(n)) return ERR_OK;
    bool record = n->kind == NODE_MAP && n->count && n->args[0]->kind == NODE_COLUMN;
    bool selected = n->kind == NODE_ELEMENT || n->kind == NODE_SLICE;
    for (uint32_t i = record ? 1 : 0; i < n->count; i += record ? 2 : 1) {
        if (selected && i) break; /* keys are terms */
        err_t e = check(c, n->args[i]);
        if (e) return e;
    }
    bool star = n->count == 1 && n->args[0]->kind == NODE_STAR;
    bool call = n->kind == NODE_CALL || n->kind == NODE_ARITH || n->kind == NODE_NEGATE;
    if (!call || star) return ERR_OK;
    struct cql_receiver of = receiver(c, (struct slice){0}, NULL);
    err_t e = native_resolve(&c->r, native_name_of(n), n->args, n->count, &of, &s, c->x->d);
    if (e || s) return e;
    return diag_fail(c->x->d, ERR_INVALID, "Unknown function '%.*s'",
                     SLICE_ARG(name_text(n->name, c->x->arena)));
}

static err_t arguments(struct choosing *c, const struct cql_node *n, struct cql_selector *s)
{
    err_t e = items_room(c, s, s->call->count);
    for (uint32_t i = 0; !e && i < s->count; i++)
        e = add_item(c, s, i, n->args[i], s->call->args[i]);
    if (!e && s->aggregates && s->call->row->flags & NATIVE_AGGREGATE)
        e = diag_fail(c->x->d, ERR_INVALID,
                      "aggregate functions cannot be used as arguments of aggregate functions");
    s->aggregates |= (s->call->row->flags & NATIVE_AGGREGATE) != 0;
    return e ? e : name_call(c, s);
}

static err_t call(struct choosing *c, const struct cql_node *n, const struct cql_selector **out)
{
    const struct signature *f;
    struct cql_name name = native_name_of(n);
    uint32_t count = n->count;
    if (counts_rows(n)) {
        name.name = SLICE("count_rows");
        count = 0;
    } else {
        err_t e = check(c, n);
        if (e) return e;
    }
    struct cql_receiver of = receiver(c, (struct slice){0}, NULL);
    err_t e = native_resolve(&c->r, name, count ? n->args : NULL, count, &of, &f, c->x->d);
    if (e) return e;
    if (!f)
        return diag_fail(c->x->d, ERR_INVALID, "Unknown function '%.*s'",
                         SLICE_ARG(name_text(name, c->x->arena)));
    struct cql_selector *s = selector_new(c, SELECT_CALL, f->result);
    if (!s) return no_room(c);
    s->call = f;
    *out = s;
    return arguments(c, n, s);
}

static const struct cql_selector *first_column(const struct cql_selector *s)
{
    if (s->kind == SELECT_COLUMN) return s;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct cql_selector *found = first_column(s->items[i]);
        if (found) return found;
    }
    return NULL;
}

static err_t cast(struct choosing *c, const struct cql_node *n, const struct cql_selector **out)
{
    const struct type *type;
    const struct cql_selector *of;
    const struct signature *f = NULL;
    err_t e = check(c, n->args[0]);
    if (!e) e = cql_type_resolve(n->type, c->x, &type);
    if (!e) e = prepare(c, n->args[0], NULL, &of);
    if (e) return e;
    *out = of;
    if (type_same(type, of->type)) return ERR_OK;
    struct cql_receiver to = receiver(c, (struct slice){0}, NULL);
    e = native_resolve(&c->r, native_name_of(n), n->args, 1, &to, &f, c->x->d);
    if (e) return e;
    if (!f) {
        const struct cql_selector *first = first_column(of);
        return diag_fail(c->x->d, ERR_INVALID, "%.*s cannot be cast to %s",
                         SLICE_ARG(first ? first->name : of->name), type_shown(c->x->arena, type));
    }
    struct cql_selector *s = selector_new(c, SELECT_CALL, f->result);
    if (!s) return no_room(c);
    s->call = f;
    *out = s;
    return arguments(c, n, s);
}

/* --- parts of values
 * ----------------------------------------------------------------------------------
 */

static err_t field(struct choosing *c, const struct cql_node *n, const struct cql_selector **out)
{
    const struct cql_node *of = n->args[0];
    const struct type *wanted = NULL;
    err_t e;
    if (of->kind == NODE_TUPLE && of->count) wanted = node_exact_type(&c->r, of->args[0]);
    struct cql_selector *s = over(c, SELECT_FIELD, NULL, of, wanted, &e);
    if (!s) return e;
    const struct type *t = s->items[0]->type;
    if (t->kind != TYPE_STRUCT)
        return diag_fail(c->x->d, ERR_INVALID,
                         "Invalid field selection: %s of type %s is not a user type",
                         node_shown(&c->r, of), type_shown(c->x->arena, t));
    int64_t i = record_field_of(t, n->value);
    if (i < 0)
        return diag_fail(c->x->d, ERR_INVALID, "%s of type %s has no field %.*s",
                         node_shown(&c->r, of), type_shown(c->x->arena, t), SLICE_ARG(n->value));
    s->field = (uint32_t)i;
    s->type = t->items[i];
    struct buf b = buf_make(KIB(64));
    buf_printf(&b, "%.*s.%.*s", SLICE_ARG(s->items[0]->name), SLICE_ARG(n->value));
    *out = s;
    return set_name(c, s, &b);
}

static err_t element(struct choosing *c, const struct cql_node *n, const struct type *wanted,
                     const struct cql_selector **out)
{
    bool slice = n->kind == NODE_SLICE;
    err_t e;
    struct cql_selector *s =
        over(c, slice ? SELECT_SLICE : SELECT_ELEMENT, NULL, n->args[0], slice ? wanted : NULL, &e);
    if (!s) return e;
    const struct type *t = s->items[0]->type;
    const char *shown = node_shown(&c->r, n->args[0]);
    if (!type_is_collection(t))
        return diag_fail(c->x->d, ERR_INVALID, "Invalid %s selection: %s %s %s is not a collection",
                         slice ? "slice" : "element", shown, slice ? "of type" : "is of type",
                         type_shown(c->x->arena, t));
    if (t->kind == TYPE_LIST)
        return diag_fail(c->x->d, ERR_INVALID,
                         "%s selection is only allowed on sets and maps, but %s is a list",
                         slice ? "Slice" : "Element", shown);
    struct cql_receiver of = receiver(c, s->items[0]->name, t);
    struct cql_receiver key =
        t->kind == TYPE_SET ? spec_value(&of, c->x->arena) : spec_key(&of, c->x->arena);
    s->type = slice ? t : t->items[t->kind == TYPE_MAP ? 1 : 0];
    if (n->args[1]) e = cql_term_prepare(n->args[1], &key, c->x, &s->term);
    if (!e && slice && n->args[2]) e = cql_term_prepare(n->args[2], &key, c->x, &s->to);
    struct buf b = buf_make(KIB(64));
    node_put(&c->r, n, &b);
    err_t named = set_name(c, s, &b);
    *out = s;
    return e ? e : named;
}

static err_t times(struct choosing *c, const struct cql_node *n, const struct cql_selector **out)
{
    const char *word = n->kind == NODE_TTL         ? "ttl"
                       : n->kind == NODE_WRITETIME ? "writetime"
                                                   : "maxwritetime";
    const struct cql_node *base = n->args[0];
    while (base->kind != NODE_COLUMN && base->count) base = base->args[0];
    const struct cql_scope_column *col = scope_column(c->s, base->name.name);
    if (!col) return undefined(c, base->name.name);
    if (col->is_key)
        return diag_fail(c->x->d, ERR_INVALID,
                         "Cannot use selection function %s on PRIMARY KEY part %.*s", word,
                         SLICE_ARG(col->name));
    err_t e;
    struct cql_selector *s = over(c, SELECT_TIMES, NULL, n->args[0], NULL, &e);
    if (!s) return e;
    const struct type *t = type_of(n->kind == NODE_TTL ? TYPE_INT : TYPE_BIGINT);
    bool many = cql_type_is_multicell(s->items[0]->type) && n->kind != NODE_MAXWRITETIME;
    s->times = n->kind;
    s->type = many ? type_list_of(c->x->arena, TYPE_LIST, t) : t;
    if (!s->type) return no_room(c);
    c->s->needs_times = true;
    struct buf b = buf_make(KIB(64));
    buf_printf(&b, "%s(%.*s)", word, SLICE_ARG(s->items[0]->name));
    *out = s;
    return set_name(c, s, &b);
}

/* --- made of parts
 * ------------------------------------------------------------------------------------
 */

static err_t named_between(struct choosing *c, struct cql_selector *s, char open, char close)
{
    struct buf b = buf_make(KIB(64));
    buf_char(&b, open);
    put_names(s, &b, s->type->kind == TYPE_MAP);
    buf_char(&b, close);
    return set_name(c, s, &b);
}

static err_t forward(struct choosing *c, const struct cql_node *n, const struct type *wanted,
                     const struct cql_selector **out)
{
    err_t e;
    struct cql_selector *s = over(c, SELECT_FORWARD, NULL, n->args[0], wanted, &e);
    if (!s) return e;
    s->type = s->items[0]->type;
    *out = s;
    return named_between(c, s, '(', ')');
}

static err_t user_value(struct choosing *c, const struct cql_node *n, const struct type *t,
                        const struct cql_selector **out)
{
    struct cql_receiver to = receiver(c, SLICE(""), t);
    err_t e = record_check(&c->r, n, &to, c->x->d);
    struct cql_selector *s = selector_new(c, SELECT_NESTED, t);
    if (!e) e = s ? items_room(c, s, t->count) : no_room(c);
    struct buf b = buf_make(KIB(64));
    buf_char(&b, '{');
    for (uint32_t i = 0; !e && i < n->count; i += 2) {
        int64_t f = record_field_of(t, n->args[i]->name.name);
        e = add_item(c, s, (uint32_t)f, n->args[i + 1], t->items[f]);
        if (!e)
            buf_printf(&b, "%s%.*s: %.*s", i ? ", " : "", SLICE_ARG(t->names[f]),
                       SLICE_ARG(s->items[f]->name));
    }
    buf_char(&b, '}');
    *out = s;
    if (!e) return set_name(c, s, &b);
    buf_done(&b);
    return e;
}

static err_t check_keys(struct choosing *c, const struct cql_node *n, const struct type *t)
{
    bool set = t->kind == TYPE_SET;
    if ((set || t->kind == TYPE_MAP) && t->items[0]->kind == TYPE_DURATION)
        return diag_fail(c->x->d, ERR_INVALID, "Durations are not allowed %s: %s",
                         set ? "inside sets" : "as map keys", type_shown(c->x->arena, t));
    bool fits = (n->kind == NODE_LIST && t->kind == TYPE_LIST) || (n->kind == NODE_SET && set) ||
                (n->kind == NODE_MAP && t->kind == TYPE_MAP) ||
                (n->kind == NODE_SET && t->kind == TYPE_MAP && !n->count) ||
                (n->kind == NODE_TUPLE && t->kind == TYPE_TUPLE && n->count <= t->count);
    if (fits) return ERR_OK;
    return diag_fail(c->x->d, ERR_INVALID, "%s is not of type %s", node_shown(&c->r, n),
                     type_shown(c->x->arena, t));
}

static err_t nested(struct choosing *c, const struct cql_node *n, const struct type *wanted,
                    const struct cql_selector **out)
{
    err_t e = check(c, n);
    if (e) return e;
    const struct type *t = node_exact_type(&c->r, n);
    if (!t) t = wanted;
    if (!t) return no_type(c, n);
    if (n->kind == NODE_TUPLE && n->count == 1 && t->kind != TYPE_TUPLE)
        return forward(c, n, wanted, out);
    if (n->kind == NODE_MAP && t->kind == TYPE_STRUCT) return user_value(c, n, t, out);
    e = check_keys(c, n, t);
    struct cql_selector *s = selector_new(c, SELECT_NESTED, t);
    if (!e) e = s ? items_room(c, s, n->count) : no_room(c);
    for (uint32_t i = 0; !e && i < n->count; i++)
        e = add_item(c, s, i, n->args[i], item_type(t, i));
    *out = s;
    if (e) return e;
    char open = n->kind == NODE_LIST ? '[' : n->kind == NODE_TUPLE ? '(' : '{';
    return named_between(c, s, open,
                         n->kind == NODE_LIST    ? ']'
                         : n->kind == NODE_TUPLE ? ')'
                                                 : '}');
}

static err_t hint(struct choosing *c, const struct cql_node *n, const struct cql_selector **out)
{
    const struct type *t;
    err_t e = check(c, n->args[0]);
    if (!e) e = term_hint_type(&c->r, n, &t);
    if (e) return e;
    const char *shown = node_shown(&c->r, n);
    struct cql_receiver to = receiver(c, slice_of(shown), t);
    if (node_fit(&c->r, n->args[0], &to) == FIT_NOT)
        return diag_fail(c->x->d, ERR_INVALID, "Cannot assign value %s to %s of type %s", shown,
                         shown, type_shown(c->x->arena, t));
    struct cql_selector *s = over(c, SELECT_FORWARD, t, n->args[0], t, &e);
    if (!s) return e;
    struct buf b = buf_make(KIB(64));
    buf_char(&b, '(');
    cql_type_put_written(&b, n->type, c->x->keyspace);
    buf_printf(&b, ")%.*s", SLICE_ARG(s->items[0]->name));
    *out = s;
    return set_name(c, s, &b);
}

/* --- all
 * ------------------------------------------------------------------------------------------
 */

static err_t prepare(struct choosing *c, const struct cql_node *n, const struct type *wanted,
                     const struct cql_selector **out)
{
    switch (n->kind) {
    case NODE_COLUMN: return column(c, n, out);
    case NODE_CALL:
    case NODE_ARITH:
    case NODE_NEGATE: return call(c, n, out);
    case NODE_CAST: return cast(c, n, out);
    case NODE_FIELD: return field(c, n, out);
    case NODE_ELEMENT:
    case NODE_SLICE: return element(c, n, wanted, out);
    case NODE_WRITETIME:
    case NODE_MAXWRITETIME:
    case NODE_TTL: return times(c, n, out);
    case NODE_LIST:
    case NODE_SET:
    case NODE_MAP:
    case NODE_TUPLE: return nested(c, n, wanted, out);
    case NODE_HINT: return hint(c, n, out);
    default: return term(c, n, wanted, out);
    }
}

/* A group keeps a place for each aggregate, and for each part that has none inside. */
static void number_slots(struct cql_selector *s, uint32_t *next)
{
    if (selector_is_aggregate(s) || !s->aggregates) {
        s->slot = (*next)++;
        return;
    }
    for (uint32_t i = 0; i < s->count; i++)
        if (s->items[i]) number_slots((struct cql_selector *)(uintptr_t)s->items[i], next);
}

/* Which of the original's two looks at a selection has found the fault: what check says comes
 * first. */
static err_t told_late(struct choosing *c, const struct cql_node *n, err_t e)
{
    struct diag late = *c->x->d;
    err_t first = e == ERR_NO_MEMORY ? e : check(c, n);
    c->s->late = !first;
    if (!first) *c->x->d = late;
    return first ? first : e;
}

err_t cql_selector_prepare(const struct cql_node *n, struct cql_scope *s, const struct type *wanted,
                           const struct cql_selector **out, struct slice *name)
{
    struct choosing c = {.s = s, .x = s->prepare, .r = {.x = s->prepare, .scope = s}};
    err_t e = prepare(&c, n, wanted, out);
    if (e) return told_late(&c, n, e);
    struct cql_selector *root = (struct cql_selector *)(uintptr_t)*out;
    number_slots(root, &root->slot_count);
    *name = root->name;
    return ERR_OK;
}

const struct type *cql_selector_type(const struct cql_selector *s)
{
    return s->type;
}

bool cql_selector_aggregates(const struct cql_selector *s)
{
    return s->aggregates;
}

bool cql_selector_column(const struct cql_selector *s, uint32_t *index)
{
    if (s->kind == SELECT_COLUMN) *index = s->column;
    return s->kind == SELECT_COLUMN;
}
