/* Aggregates: which row of aggregates.def, what it works on, where a group keeps it. */
#include "sql/aggregate.h"
#include "sql/bind.h"

bool tree_is_aggregate(const struct tree *t)
{
    return t->kind == TREE_CALL && !t->over && aggregate_find(t->value);
}

bool tree_has_aggregate(const struct tree *t)
{
    if (!t) return false;
    if (tree_is_aggregate(t)) return true;
    for (uint32_t i = 0; i < t->count; i++)
        if (tree_has_aggregate(t->args[i])) return true;
    for (uint32_t i = 0; t->over && i < t->over->partition_count; i++)
        if (tree_has_aggregate(t->over->partition[i])) return true;
    for (uint32_t i = 0; t->over && i < t->over->order_count; i++)
        if (tree_has_aggregate(t->over->order[i].value)) return true;
    return false;
}

/* --- arguments ----------------------------------------------------------------------------------
 */

/* Whole numbers come as bigint, others as double; those without a bound stay what they are. */
static struct expr *number_argument(struct binder *b, const struct tree *t, struct expr *v,
                                    const struct aggregate *of)
{
    const struct type *type = v->type && v->type->kind != TYPE_JSON ? v->type : NULL;
    if (type && type_is_number(type) && !type_counts(type)) return v; /* varint, decimal */
    if (type && !type_counts(type)) {
        bind_fail(b, t->text, ERR_TYPE, "%s of %s has no meaning", of->name,
                  bind_type_name(b, type));
        return NULL;
    }
    bool whole = type && type_is_integer(type);
    return bind_widen(b, v, type_of(whole ? TYPE_BIGINT : TYPE_DOUBLE));
}

static struct expr *ordered_argument(struct binder *b, const struct tree *t, struct expr *v,
                                     const struct tree *written)
{
    if (v->type && type_ordered(v->type)) return v;
    bind_fail(b, t->text, ERR_TYPE, "%.*s: the values' type has no order", SLICE_ARG(t->text));
    bind_hint(b, "write %.*s(CAST(%.*s AS type))", SLICE_ARG(t->value), SLICE_ARG(written->text));
    return NULL;
}

static struct expr *aggregate_argument(struct binder *b, const struct tree *t,
                                       const struct tree *written, char letter,
                                       const struct aggregate *of)
{
    struct expr *v = bind_expr(b, written);
    if (!v) return NULL;
    switch (letter) {
    case 'n': return number_argument(b, t, v, of);
    case 'o': return ordered_argument(b, t, v, written);
    case 'a': return bind_settle(b, v);
    case 'd': return bind_widen(b, v, type_of(TYPE_DOUBLE));
    case 'x':
        return v->type && type_is_text(v->type)
                   ? bind_coerce(b, v, type_of(TYPE_TEXT), of->name)
                   : bind_cast(b, &(struct tree){.text = v->text}, v, type_of(TYPE_TEXT), false);
    default: return bind_coerce(b, v, bind_letter_type(letter), of->name);
    }
}

static const struct type *result_type(struct binder *b, const struct plan_aggregate *made)
{
    const struct type **types =
        bind_take(b, MAX(made->arg_count, 1u) * sizeof(const struct type *));
    if (!types) return NULL;
    for (uint32_t i = 0; i < made->arg_count; i++) types[i] = made->args[i]->type;
    const struct type *type = aggregate_result(made->of, types, b->arena);
    if (!type) bind_fail(b, made->text, ERR_NO_MEMORY, "the statement does not fit the memory");
    return type;
}

static bool arguments_fit(struct binder *b, const struct tree *t, const struct aggregate *of,
                          bool star)
{
    bool none = of->args[0] == 0 || of->args[0] == '|';
    bool fits = star ? none && !t->distinct && strcmp(of->name, "count") == 0
                     : bind_count_fits(of->args, t->count);
    if (t->count == 0 && !star && strcmp(of->name, "count") == 0) fits = false;
    if (fits) return true;
    struct buf want = buf_make(200);
    bind_print_letters(of->args, &want);
    bool one = strlen(of->args) == 1 || strcmp(of->args, "|a") == 0;
    if (one)
        bind_fail(b, t->text, ERR_TYPE, "%.*s takes one value", SLICE_ARG(t->value));
    else
        bind_fail(b, t->text, ERR_TYPE, "%.*s takes (%s)", SLICE_ARG(t->value), buf_cstr(&want));
    buf_done(&want);
    return false;
}

bool bind_aggregate_make(struct binder *b, const struct tree *t, struct plan_aggregate *out)
{
    const struct aggregate *of = aggregate_find(t->value);
    bool star = t->count == 1 && t->args[0]->kind == TREE_STAR;
    if (!arguments_fit(b, t, of, star)) return false;
    uint32_t count = star ? 0 : t->count;
    const struct expr **args = bind_take(b, MAX(count, 1u) * sizeof(const struct expr *));
    const char *outside = b->no_aggregates;
    b->no_aggregates = "an aggregate";
    *out = (struct plan_aggregate){.of = of, .args = args, .arg_count = count, .text = t->text};
    for (uint32_t i = 0; args && i < count && !b->err; i++)
        args[i] = aggregate_argument(b, t, t->args[i], bind_letter_at(of->args, i), of);
    if (t->filter && !b->err) out->filter = bind_condition(b, t->filter, "FILTER");
    b->no_aggregates = outside;
    if (b->err) return false;
    out->distinct = t->distinct && !(of->flags & AGG_DISTINCT_SAME);
    out->type = result_type(b, out);
    return !b->err;
}

/* --- in a group ---------------------------------------------------------------------------------
 */

static uint32_t aggregate_add(struct binder *b, struct group *g, const struct tree *t)
{
    struct plan_aggregate made;
    b->group = NULL; /* inside, names are columns again */
    bool whole = bind_aggregate_make(b, t, &made);
    b->group = g;
    uint32_t cap = g->aggregate_cap, same = cap, also = cap, at = g->aggregate_count;
    if (!whole) return NO_ATTR;
    g->aggregates = bind_room(b, g->aggregates, at, &cap, sizeof(*g->aggregates));
    g->aggregate_trees = bind_room(b, g->aggregate_trees, at, &same, sizeof(const struct tree *));
    g->aggregate_attrs = bind_room(b, g->aggregate_attrs, at, &also, sizeof(*g->aggregate_attrs));
    uint32_t attr = b->err ? NO_ATTR : attr_new(b, g->logic, t->text, made.type);
    if (b->err) return NO_ATTR;
    g->aggregate_cap = cap;
    g->aggregates[at] = made;
    g->aggregate_trees[at] = t;
    g->aggregate_attrs[at] = attr;
    g->aggregate_count++;
    return attr;
}

struct expr *bind_aggregate(struct binder *b, const struct tree *t)
{
    if (!b->group || b->no_aggregates) {
        bind_fail(b, t->text, ERR_SYNTAX, "aggregates can't stand in %s",
                  b->no_aggregates ? b->no_aggregates : "this place");
        if (b->no_aggregates && strcmp(b->no_aggregates, "WHERE") == 0)
            bind_hint(b, "write it in HAVING");
        return NULL;
    }
    struct group *g = b->group;
    for (uint32_t i = 0; i < g->aggregate_count; i++)
        if (tree_equal(g->aggregate_trees[i], t))
            return attr_expr(b, g->aggregate_attrs[i], t->text);
    return attr_expr(b, aggregate_add(b, g, t), t->text);
}
