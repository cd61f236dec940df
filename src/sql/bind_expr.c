/* Operators: what their sides are, and what comes out. */
#include "sql/bind.h"

static bool all_deterministic(const struct expr *e)
{
    for (uint32_t i = 0; i < e->count; i++)
        if (!e->args[i]->deterministic) return false;
    return true;
}

/* A finished operation: constant if all of it is. */
static struct expr *finish(struct binder *b, struct expr *e)
{
    if (!e || b->err) return NULL;
    e->deterministic = e->deterministic && all_deterministic(e);
    return e->type ? bind_fold(b, e) : e;
}

static const struct type *boolean(void)
{
    return type_of(TYPE_BOOLEAN);
}

struct expr *bind_condition(struct binder *b, const struct tree *t, const char *what)
{
    return bind_coerce(b, bind_expr(b, t), boolean(), what);
}

static struct expr *bind_logic(struct binder *b, const struct tree *t, enum expr_kind kind,
                               const char *what)
{
    struct expr *e = bind_node(b, kind, t, boolean(), t->count);
    for (uint32_t i = 0; e && i < t->count; i++) e->args[i] = bind_condition(b, t->args[i], what);
    return finish(b, e);
}

/* --- comparing ----------------------------------------------------------------------------------
 */

/* The type to compare in, or the mistake. */
static const struct type *compare_type(struct binder *b, const struct tree *t, enum tree_op op,
                                       struct expr *const *sides, uint32_t count)
{
    const struct type *type = bind_common(b, sides, count, t);
    if (b->err) return NULL;
    bool nulls = true;
    for (uint32_t i = 0; i < count; i++) nulls = nulls && sides[i]->kind == EXPR_LITERAL;
    if (!type && nulls) return type_of(TYPE_TEXT); /* NULL = NULL */
    if (!type || type->kind == TYPE_JSON) {
        bind_fail(b, t->text, ERR_TYPE, "%.*s: the type of neither side is known",
                  (int)MIN(t->text.len, 120u), t->text.at);
        bind_hint(b, "write CAST(field AS type) on one side");
        return NULL;
    }
    bool equality = op == OP_EQ || op == OP_NE || op == OP_DISTINCT;
    if (type_ordered(type) || (equality && type->kind != TYPE_DURATION)) return type;
    bind_fail(b, t->text, ERR_TYPE, "%s has no order", bind_type_name(b, type));
    return NULL;
}

static struct expr *compare(struct binder *b, const struct tree *t, enum tree_op op,
                            struct expr *left, struct expr *right)
{
    struct expr *sides[2] = {left, right};
    if (b->err) return NULL;
    const struct type *type = compare_type(b, t, op, sides, 2);
    struct expr *e = type ? bind_node(b, EXPR_COMPARE, t, boolean(), 2) : NULL;
    if (!e) return NULL;
    e->op = op;
    for (int i = 0; i < 2; i++) e->args[i] = bind_widen(b, sides[i], type);
    return finish(b, e);
}

struct expr *bind_equal(struct binder *b, const struct tree *t, struct expr *left,
                        struct expr *right)
{
    return compare(b, t, OP_EQ, left, right);
}

struct expr *bind_compare(struct binder *b, const struct tree *t, enum tree_op op,
                          const struct tree *left, const struct tree *right)
{
    struct expr *l = bind_expr(b, left);
    return compare(b, t, op, l, bind_expr(b, right));
}

static struct expr *not_of(struct binder *b, const struct tree *t, struct expr *inner)
{
    struct expr *e = inner ? bind_node(b, EXPR_NOT, t, boolean(), 1) : NULL;
    if (e) e->args[0] = inner;
    return finish(b, e);
}

/* a BETWEEN low AND high is a >= low AND a <= high, a looked up twice. */
static struct expr *bind_between(struct binder *b, const struct tree *t)
{
    struct expr *e = bind_node(b, EXPR_AND, t, boolean(), 2);
    if (!e) return NULL;
    e->args[0] = bind_compare(b, t, OP_GE, t->args[0], t->args[1]);
    e->args[1] = bind_compare(b, t, OP_LE, t->args[0], t->args[2]);
    e = finish(b, e);
    return t->negated ? not_of(b, t, e) : e;
}

static struct expr *bind_in(struct binder *b, const struct tree *t)
{
    struct expr *e = bind_node(b, EXPR_IN, t, boolean(), t->count);
    struct expr **sides = bind_take(b, t->count * sizeof(*sides));
    if (!e || !sides) return NULL;
    for (uint32_t i = 0; i < t->count && !b->err; i++) sides[i] = bind_expr(b, t->args[i]);
    const struct type *type = b->err ? NULL : compare_type(b, t, OP_EQ, sides, t->count);
    for (uint32_t i = 0; i < t->count && type; i++) e->args[i] = bind_widen(b, sides[i], type);
    e->negated = t->negated;
    return finish(b, e);
}

static struct expr *bind_is(struct binder *b, const struct tree *t)
{
    struct expr *a = bind_expr(b, t->args[0]);
    if (!a) return NULL;
    struct expr *e = bind_node(b, EXPR_IS, t, boolean(), t->count);
    if (!e) return NULL;
    e->op = t->op;
    e->negated = t->negated;
    if (t->op == OP_DISTINCT) {
        struct expr *sides[2] = {a, bind_expr(b, t->args[1])};
        const struct type *type = b->err ? NULL : compare_type(b, t, OP_DISTINCT, sides, 2);
        for (int i = 0; i < 2 && type; i++) e->args[i] = bind_widen(b, sides[i], type);
    } else {
        e->args[0] = t->op == OP_NULL ? bind_settle(b, a)
                                      : bind_coerce(b, a, boolean(), "IS TRUE and IS FALSE");
    }
    return finish(b, e);
}

/* --- text ---------------------------------------------------------------------------------------
 */

static struct expr *bind_like(struct binder *b, const struct tree *t)
{
    bool regex = t->op == OP_RLIKE || t->op == OP_IRLIKE;
    struct expr *e = bind_node(b, regex ? EXPR_REGEX : EXPR_LIKE, t, boolean(), 2);
    if (!e) return NULL;
    e->op = t->op;
    e->negated = t->negated;
    for (int i = 0; i < 2; i++)
        e->args[i] = bind_coerce(b, bind_expr(b, t->args[i]), type_of(TYPE_TEXT), op_text(t->op));
    if (b->err || !regex) return finish(b, e);
    if (!expr_is_constant(e->args[1]) || e->args[1]->constant.state[0] != VALID_VALUE) {
        bind_fail(b, t->args[1]->text, ERR_UNSUPPORTED,
                  "a pattern that is not a literal: not available in this version");
        return NULL;
    }
    struct diag d = {0};
    err_t err =
        regex_new(e->args[1]->constant.bytes[0], t->op == OP_IRLIKE, b->arena, &e->regex, &d);
    if (err) bind_fail(b, t->args[1]->text, err, "%s", d.what);
    return finish(b, e);
}

/* Any value as text, for || and concat. */
static struct expr *as_text(struct binder *b, struct expr *e)
{
    if (!e || b->err) return NULL;
    if (e->type && type_is_text(e->type)) return bind_coerce(b, e, type_of(TYPE_TEXT), "||");
    return bind_cast(b, &(struct tree){.text = e->text}, e, type_of(TYPE_TEXT), false);
}

/* a || b is concat, but null when one is. */
static struct expr *bind_concat(struct binder *b, const struct tree *t)
{
    static const struct function row = {.name = "||", .kernel = fn_concat, .flags = FN_PLAIN};
    struct expr *e = bind_node(b, EXPR_CALL, t, type_of(TYPE_TEXT), t->count);
    if (!e) return NULL;
    e->fn = &row;
    for (uint32_t i = 0; i < t->count; i++) e->args[i] = as_text(b, bind_expr(b, t->args[i]));
    return finish(b, e);
}

/* --- arithmetic ---------------------------------------------------------------------------------
 */

static bool check_number(struct binder *b, const struct tree *t, const struct type *type)
{
    if (type_counts(type)) return true;
    bool later = type->kind == TYPE_VARINT || type->kind == TYPE_DECIMAL ||
                 type->kind == TYPE_DURATION || type->kind == TYPE_TIMESTAMP ||
                 type->kind == TYPE_DATE || type->kind == TYPE_TIME;
    bind_fail(b, t->text, later ? ERR_UNSUPPORTED : ERR_TYPE,
              later ? "arithmetic with %s: not available in this version"
                    : "%s is no number to calculate with",
              bind_type_name(b, type));
    return false;
}

struct expr *bind_shift(struct binder *b, const struct tree *t, struct expr *time, int64_t ms)
{
    struct expr *at = bind_coerce(b, time, type_of(TYPE_TIMESTAMP), "a time beside an INTERVAL");
    struct expr *millis = at ? bind_builtin(b, "unix_millis", t->text, &at, 1) : NULL;
    struct value v = value_i64(TYPE_BIGINT, ms < 0 ? -ms : ms);
    struct expr *span = millis ? bind_constant(b, t, &v) : NULL;
    struct expr *sum = span ? bind_node(b, EXPR_ARITH, t, type_of(TYPE_BIGINT), 2) : NULL;
    if (!sum) return NULL;
    sum->op = ms < 0 ? OP_SUB : OP_ADD;
    sum->args[0] = millis;
    sum->args[1] = span;
    sum = finish(b, sum);
    return sum ? bind_builtin(b, "timestamp_millis", t->text, &sum, 1) : NULL;
}

/* ts + INTERVAL '1' DAY, ts - INTERVAL '5' SECOND; NULL without a mistake: t is no such. */
static struct expr *bind_shifted(struct binder *b, const struct tree *t)
{
    int64_t ms;
    bool first = t->args[0]->kind == TREE_DURATION, second = t->args[1]->kind == TREE_DURATION;
    if (first == second || (t->op != OP_ADD && t->op != OP_SUB) || (first && t->op == OP_SUB))
        return NULL;
    if (!bind_interval(b, t->args[first ? 0 : 1], &ms)) return NULL;
    return bind_shift(b, t, bind_expr(b, t->args[first ? 1 : 0]), t->op == OP_SUB ? -ms : ms);
}

static struct expr *bind_arith(struct binder *b, const struct tree *t)
{
    struct expr *shifted = bind_shifted(b, t);
    if (shifted || b->err) return shifted;
    struct expr *sides[2] = {bind_expr(b, t->args[0]), bind_expr(b, t->args[1])};
    for (int i = 0; i < 2 && !b->err; i++)
        if (sides[i]->type && sides[i]->type->kind != TYPE_JSON)
            (void)check_number(b, t->args[i], sides[i]->type);
    const struct type *type = b->err ? NULL : bind_common(b, sides, 2, t);
    if (b->err) return NULL;
    if (!type || type->kind == TYPE_JSON) type = type_of(TYPE_DOUBLE); /* two undeclared fields */
    if (!check_number(b, t, type)) return NULL;
    if (t->op == OP_DIV && !b->dialect->integer_division && type->kind != TYPE_FLOAT)
        type = type_of(TYPE_DOUBLE);
    if (type->kind == TYPE_COUNTER) type = type_of(TYPE_BIGINT);
    struct expr *e = bind_node(b, EXPR_ARITH, t, type, 2);
    if (!e) return NULL;
    e->op = t->op;
    for (int i = 0; i < 2; i++) e->args[i] = bind_widen(b, sides[i], type);
    return finish(b, e);
}

static struct expr *bind_negate(struct binder *b, const struct tree *t)
{
    struct expr *a = bind_expr(b, t->args[0]);
    if (!a) return NULL;
    const struct type *type =
        a->type && a->type->kind != TYPE_JSON ? a->type : type_of(TYPE_DOUBLE);
    if (!check_number(b, t, type)) return NULL;
    struct expr *e = bind_node(b, EXPR_NEGATE, t, type, 1);
    if (e) e->args[0] = bind_coerce(b, a, type, "-");
    return finish(b, e);
}

/* --- CASE ---------------------------------------------------------------------------------------
 */

static struct expr *bind_case(struct binder *b, const struct tree *t)
{
    uint32_t results = t->count / 2; /* operand, when, then, …, else */
    struct expr *e = bind_node(b, EXPR_CASE, t, NULL, t->count - 1);
    struct expr **sides = bind_take(b, results * sizeof(*sides));
    if (!e || !sides) return NULL;
    const struct tree null = {.kind = TREE_NULL, .text = t->text, .depth = 1};
    uint32_t n = 0;
    for (uint32_t i = 1; i < t->count && !b->err; i++) {
        bool when = i % 2 == 1 && i + 1 < t->count;
        if (when && t->args[0])
            e->args[i - 1] = bind_compare(b, t->args[i], OP_EQ, t->args[0], t->args[i]);
        else if (when)
            e->args[i - 1] = bind_condition(b, t->args[i], "WHEN");
        else
            sides[n++] = bind_expr(b, t->args[i] ? t->args[i] : &null);
    }
    const struct type *type = b->err ? NULL : bind_common(b, sides, n, t);
    if (b->err) return NULL;
    for (uint32_t i = 0, k = 0; i < e->count; i++) {
        if (i % 2 == 0 && i + 1 < e->count) continue;
        e->args[i] = type ? bind_widen(b, sides[k], type) : sides[k];
        k++;
    }
    e->type = type;
    if (b->err) return NULL;
    e->deterministic = all_deterministic(e);
    return type ? bind_fold(b, e) : e;
}

/* --- any ----------------------------------------------------------------------------------------
 */

/* A name after GROUP BY: a key, or a column of the group's window. */
static struct expr *grouped_name(struct binder *b, const struct tree *t)
{
    struct group *g = b->group;
    b->group = NULL; /* here it is a column of what is grouped */
    struct expr *e = bind_expr(b, t);
    b->group = g;
    uint32_t attr;
    if (b->err) return NULL;
    for (int i = 0; g->windowed && expr_is_attr(e, &attr) && i < 3; i++)
        if (g->window_attrs[i] == attr) return e;
    for (uint32_t i = 0; i < g->key_count; i++)
        if (expr_same_name(g->raw_keys[i], e)) return attr_expr(b, g->key_attrs[i], t->text);
    bind_fail(b, t->text, ERR_SYNTAX, "%.*s is neither in GROUP BY nor inside an aggregate",
              SLICE_ARG(t->text));
    return NULL;
}

/* After GROUP BY: a key, or the mistake for a name that is none. */
static struct expr *grouped(struct binder *b, const struct tree *t)
{
    for (uint32_t i = 0; i < b->group->key_count; i++)
        if (tree_equal(t, b->group->keys[i])) return attr_expr(b, b->group->key_attrs[i], t->text);
    struct expr *part = bind_window_part(b, t);
    if (part || b->err) return part;
    return t->kind == TREE_NAME ? grouped_name(b, t) : NULL;
}

static struct expr *refuse(struct binder *b, const struct tree *t)
{
    if (t->kind == TREE_STAR)
        bind_fail(b, t->text, ERR_SYNTAX, "* stands alone or in count(*)");
    else
        bind_fail(b, t->text, ERR_UNSUPPORTED, "%s: not available in this version",
                  t->kind == TREE_PARAM ? "placeholders" : "lists, sets, maps and tuples here");
    return NULL;
}

struct expr *bind_expr(struct binder *b, const struct tree *t)
{
    if (b->err) return NULL;
    struct expr *key = b->group ? grouped(b, t) : NULL;
    if (key || b->err) return key;
    switch (t->kind) {
    case TREE_NULL:
    case TREE_BOOLEAN:
    case TREE_INTEGER:
    case TREE_NUMBER:
    case TREE_STRING:
    case TREE_BLOB:
    case TREE_UUID:
    case TREE_DURATION: return bind_literal(b, t);
    case TREE_NAME: return bind_name(b, t);
    case TREE_NEGATE: return bind_negate(b, t);
    case TREE_NOT: return bind_logic(b, t, EXPR_NOT, "NOT");
    case TREE_AND: return bind_logic(b, t, EXPR_AND, "AND");
    case TREE_OR: return bind_logic(b, t, EXPR_OR, "OR");
    case TREE_CONCAT: return bind_concat(b, t);
    case TREE_ARITH: return bind_arith(b, t);
    case TREE_COMPARE: return bind_compare(b, t, t->op, t->args[0], t->args[1]);
    case TREE_IS: return bind_is(b, t);
    case TREE_IN: return bind_in(b, t);
    case TREE_BETWEEN: return bind_between(b, t);
    case TREE_LIKE: return bind_like(b, t);
    case TREE_CASE: return bind_case(b, t);
    case TREE_CAST: return bind_cast(b, t, bind_expr(b, t->args[0]), t->type, t->op == OP_TRY);
    case TREE_CALL: return bind_call(b, t);
    default: return refuse(b, t);
    }
}
