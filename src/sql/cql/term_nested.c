/* Literals of collections, tuples and user types. */
#include "sql/cql/term_int.h"

struct nesting {
    const struct cql_node *n;
    const struct cql_receiver *r;
    struct cql_prepare *x;
    struct cql_term *t;
    struct resolve res;
};

static err_t item(struct nesting *s, uint32_t i, const struct cql_node *n,
                  const struct cql_receiver *of)
{
    err_t e = cql_term_prepare(n, of, s->x, &s->t->items[i]);
    if (e) return e;
    s->t->has_marker |= s->t->items[i]->has_marker;
    s->t->impure |= s->t->items[i]->impure;
    return ERR_OK;
}

static err_t room(struct nesting *s, enum term_kind kind, uint32_t count)
{
    s->t->kind = kind;
    s->t->count = count;
    s->t->items = arena_take(s->x->arena, (count + 1) * sizeof(const struct cql_term *));
    return s->t->items ? ERR_OK : term_no_room(s->x->d);
}

/* Nothing inside changes from call to call: the value is made now. */
static err_t settle(struct nesting *s)
{
    struct cql_value v;
    const struct cql_bound none = {0};
    for (uint32_t i = 0; i < s->t->count; i++)
        if (s->t->items[i]->kind != TERM_CONSTANT) return ERR_OK;
    err_t e = cql_term_value(s->t, &none, s->x->arena, &v, s->x->d);
    if (e) return e;
    s->t->kind = TERM_CONSTANT;
    s->t->value = v;
    return ERR_OK;
}

static err_t thrown(struct nesting *s)
{
    return s->res.thrown ? diag_fail(s->x->d, ERR_INVALID, "%s", s->res.thrown) : ERR_OK;
}

static const char *kind_word(const struct nesting *s)
{
    return s->n->kind == NODE_LIST ? "list" : s->n->kind == NODE_SET ? "set" : "map";
}

static err_t of_other_type(struct nesting *s, const char *part, const struct cql_node *n,
                           const struct type *type)
{
    return diag_fail(s->x->d, ERR_INVALID, "Invalid %s literal for %.*s: %s %s is not of type %s",
                     kind_word(s), SLICE_ARG(s->r->name), part, node_shown(&s->res, n),
                     type_shown(s->x->arena, type));
}

static err_t no_markers(struct nesting *s)
{
    return diag_fail(s->x->d, ERR_INVALID,
                     "Invalid %s literal for %.*s: bind variables are not supported inside "
                     "collection literals",
                     kind_word(s), SLICE_ARG(s->r->name));
}

static err_t collection(struct nesting *s)
{
    const struct cql_node *n = s->n;
    bool map = n->kind == NODE_MAP;
    struct cql_receiver value = spec_value(s->r, s->x->arena), key = value;
    if (map) key = spec_key(s->r, s->x->arena);
    for (uint32_t i = 0; i < n->count; i++) {
        bool is_key = map && i % 2 == 0;
        const struct cql_receiver *of = is_key ? &key : &value;
        enum fit fit = node_fit(&s->res, n->args[i], of);
        err_t e = thrown(s);
        if (e) return e;
        if (fit == FIT_NOT) return of_other_type(s, is_key ? "key" : "value", n->args[i], of->type);
    }
    err_t e = room(s, map ? TERM_MAP : n->kind == NODE_SET ? TERM_SET : TERM_LIST, n->count);
    for (uint32_t i = 0; !e && i < n->count; i++) {
        e = item(s, i, n->args[i], map && i % 2 == 0 ? &key : &value);
        if (!e && s->t->items[i]->has_marker) e = no_markers(s);
    }
    return e;
}

static err_t refused(struct nesting *s)
{
    const char *type = type_shown(s->x->arena, s->r->type);
    if (s->n->kind == NODE_LIST)
        return diag_fail(s->x->d, ERR_INVALID,
                         "Unexpected receiver type '%s'; only list and vector are expected", type);
    return diag_fail(s->x->d, ERR_INVALID, "Invalid %s literal for %.*s of type %s", kind_word(s),
                     SLICE_ARG(s->r->name), type);
}

static err_t tuple(struct nesting *s)
{
    err_t e = tuple_check(&s->res, s->n, s->r, s->x->d);
    err_t told = thrown(s);
    if (told) return told;
    if (!e) e = room(s, TERM_TUPLE, s->n->count);
    for (uint32_t i = 0; !e && i < s->n->count; i++) {
        struct cql_receiver of = spec_component(s->r, i, s->x->arena);
        e = item(s, i, s->n->args[i], &of);
    }
    return e;
}

/* Of two entries of one name the last counts. */
static const struct cql_node *entry_of(const struct cql_node *n, struct slice field, uint32_t *seen)
{
    const struct cql_node *found = NULL;
    for (uint32_t i = 0; i < n->count; i++) {
        if (!slice_equal(n->names[i], field)) continue;
        found = n->args[i];
        ++*seen;
    }
    return found;
}

static err_t record(struct nesting *s)
{
    static const struct cql_node null = {.kind = NODE_NULL};
    const struct type *t = s->r->type;
    uint32_t seen = 0;
    err_t e = record_check(&s->res, s->n, s->r, s->x->d), told = thrown(s);
    if (told) return told;
    if (!e) e = room(s, TERM_RECORD, t->count);
    for (uint32_t i = 0; !e && i < t->count; i++) {
        const struct cql_node *n = entry_of(s->n, t->names[i], &seen);
        struct cql_receiver of = spec_field(s->r, i, s->x->arena);
        e = item(s, i, n ? n : &null, &of);
    }
    if (e || seen == s->n->count) return e;
    uint32_t i = 0;
    while (record_field_of(t, s->n->names[i]) >= 0) i++;
    return diag_fail(s->x->d, ERR_INVALID,
                     "Unknown field '%.*s' in value of user defined type %.*s",
                     SLICE_ARG(s->n->names[i]), SLICE_ARG(t->name));
}

err_t term_nested(const struct cql_node *n, const struct cql_receiver *r, struct cql_prepare *x,
                  struct cql_term *t)
{
    struct nesting s = {n, r, x, t, {.x = x}};
    enum type_kind k = r->type->kind;
    err_t e;
    if (n->kind == NODE_TUPLE)
        e = tuple(&s);
    else if (n->kind == NODE_RECORD)
        e = record(&s);
    else if (n->kind == NODE_SET && k == TYPE_MAP && !n->count)
        e = room(&s, TERM_MAP, 0);
    else if ((n->kind == NODE_LIST && k == TYPE_LIST) || (n->kind == NODE_SET && k == TYPE_SET) ||
             (n->kind == NODE_MAP && k == TYPE_MAP))
        e = collection(&s);
    else
        e = refused(&s);
    return e ? e : settle(&s);
}
