/* Functions of the user's, taken in where they are called; from_json. */
#include "sql/bind.h"
#include <stdio.h>
#include <strings.h>

enum { FUNCTION_CALLS_MAX = 16, FUNCTION_SIZE_MAX = 20000 };

/* --- CREATE FUNCTION … AS expression ------------------------------------------------------------
 */

static bool refuse_call(struct binder *b, const struct tree *t, const struct sql_function *f)
{
    uint32_t depth = 0;
    for (const struct called *c = b->called; c; c = c->outer, depth++) {
        if (c->of != f) continue;
        bind_fail(b, t->text, ERR_UNSUPPORTED, "the function %.*s calls itself",
                  SLICE_ARG(f->name));
        return true;
    }
    if (depth >= FUNCTION_CALLS_MAX)
        bind_fail(b, t->text, ERR_TOO_BIG, "functions call each other more than %d deep",
                  FUNCTION_CALLS_MAX);
    else if (t->count != f->param_count)
        bind_fail(b, t->text, ERR_TYPE, "%.*s takes %u argument%s, not %u", SLICE_ARG(f->name),
                  f->param_count, f->param_count == 1 ? "" : "s", t->count);
    else if (t->distinct || t->filter)
        bind_fail(b, t->text, ERR_SYNTAX, "%.*s is no aggregate", SLICE_ARG(f->name));
    return b->err != ERR_OK;
}

/* The body with the arguments in the parameters' places; names mean nothing else there. */
static struct expr *take_body(struct binder *b, const struct tree *t, const struct called *c)
{
    const struct binder saved = *b;
    b->called = c;
    b->scope = NULL;
    b->group = NULL;
    b->overs = NULL;
    b->no_aggregates = "a function";
    struct expr *e = bind_expr(b, c->of->expression);
    char what[300];
    snprintf(what, sizeof(what), "the function %.*s", SLICE_ARG(c->of->name));
    e = c->of->returns ? bind_coerce(b, e, c->of->returns, what) : bind_settle(b, e);
    b->called = saved.called;
    b->scope = saved.scope;
    b->group = saved.group;
    b->overs = saved.overs;
    b->no_aggregates = saved.no_aggregates;
    if (e && expr_size(e, FUNCTION_SIZE_MAX) > FUNCTION_SIZE_MAX)
        bind_fail(b, t->text, ERR_TOO_BIG, "%.*s becomes more than %d operations",
                  SLICE_ARG(c->of->name), FUNCTION_SIZE_MAX);
    struct expr *copy = e ? bind_take(b, sizeof(*copy)) : NULL;
    if (!copy) return NULL;
    *copy = *e;
    copy->text = t->text; /* people see the call */
    return copy;
}

struct expr *bind_user_call(struct binder *b, const struct tree *t, bool *found)
{
    *found = false;
    if (!b->catalog->function || b->err) return NULL;
    const struct sql_function *f = b->catalog->function(b->catalog->ctx, t->value);
    if (!f) return NULL;
    *found = true;
    if (refuse_call(b, t, f)) return NULL;
    struct called *c = bind_take(b, sizeof(*c));
    struct expr **args = bind_take(b, MAX(t->count, 1u) * sizeof(*args));
    for (uint32_t i = 0; c && args && i < t->count && !b->err; i++) {
        char what[300];
        snprintf(what, sizeof(what), "%.*s of %.*s", SLICE_ARG(f->params[i].name),
                 SLICE_ARG(f->name));
        args[i] = bind_coerce(b, bind_expr(b, t->args[i]), f->params[i].type, what);
    }
    if (b->err) return NULL;
    *c = (struct called){.of = f, .outer = b->called, .args = args};
    return take_body(b, t, c);
}

struct expr *bind_parameter(struct binder *b, const struct tree *t)
{
    const struct sql_function *f = b->called->of;
    for (uint32_t i = 0; i < f->param_count; i++) {
        if (!slice_equal(f->params[i].name, t->steps[0].name)) continue;
        struct expr *copy = bind_take(b, sizeof(*copy));
        if (!copy) return NULL;
        *copy = *b->called->args[i];
        return bind_inside(b, t, copy, copy->type, f->params[i].name, t->steps + 1,
                           t->step_count - 1);
    }
    bind_fail(b, t->text, ERR_UNKNOWN_COLUMN, "the function %.*s has no parameter '%.*s'",
              SLICE_ARG(f->name), SLICE_ARG(t->steps[0].name));
    return NULL;
}

/* --- from_json(value, 'a INT, b STRING') --------------------------------------------------------
 */

static bool begins_with_struct(struct slice text)
{
    return text.len > 7 && strncasecmp((const char *)text.at, "struct<", 7) == 0;
}

/* The fields as the grammar reads columns. */
static const struct type *schema_type(struct binder *b, const struct tree *t)
{
    struct slice text = t->kind == TREE_STRING ? slice_trim(t->value) : (struct slice){0};
    struct script s;
    struct diag d = {0};
    const char *columns = arena_printf(
        b->arena, begins_with_struct(text) ? "CREATE TOPIC t (s %.*s)" : "CREATE TOPIC t (%.*s)",
        SLICE_ARG(text));
    if (!columns) {
        bind_fail(b, t->text, ERR_NO_MEMORY, "the statement does not fit the memory");
        return NULL;
    }
    err_t e = text.len ? sql_parse(slice_of(columns), "schema", DIALECT_SLUICE, b->arena, &s, &d)
                       : ERR_SYNTAX;
    if (e || s.count != 1 || s.statements[0].column_count == 0) {
        bind_fail(b, t->text, e == ERR_NO_MEMORY ? e : ERR_SYNTAX, "this is no schema%s%s",
                  d.what[0] ? ": " : "", d.what);
        bind_hint(b, "write from_json(value, 'a INT, b STRING')");
        return NULL;
    }
    const struct statement *made = &s.statements[0];
    if (begins_with_struct(text)) return made->columns[0].type;
    struct type *type = bind_take(b, sizeof(*type));
    const struct type **items = bind_take(b, made->column_count * sizeof(const struct type *));
    struct slice *names = bind_take(b, made->column_count * sizeof(*names));
    if (b->err) return NULL;
    for (uint32_t i = 0; i < made->column_count; i++) {
        items[i] = made->columns[i].type;
        names[i] = made->columns[i].name;
    }
    *type = (struct type){
        .kind = TYPE_STRUCT, .count = (uint16_t)made->column_count, .items = items, .names = names};
    return type;
}

/* Spark's name for a record's value; NULL: t is not that. */
static struct expr *record_value(struct binder *b, const struct tree *t)
{
    while (t->kind == TREE_CAST) t = t->args[0];
    if (t->kind != TREE_NAME || !slice_is(t->steps[t->step_count - 1].name, "value")) return NULL;
    const struct range *r = b->scope && b->scope->count == 1 ? b->scope->ranges[0] : NULL;
    if (!r || !r->relation || r->relation->kind != RELATION_TOPIC || !r->relation->open)
        return NULL;
    if (t->step_count > 2 || (t->step_count == 2 && !range_is(r, t->steps[0].name))) return NULL;
    struct plan_input in = {
        .kind = INPUT_VALUE, .type = type_of(TYPE_JSON), .text = SLICE("_value")};
    return bind_input(b, t->text, r->leaf, &in);
}

struct expr *bind_from_json(struct binder *b, const struct tree *t)
{
    if (t->count < 2) {
        bind_fail(b, t->text, ERR_TYPE, "from_json takes a value and a schema");
        bind_hint(b, "write from_json(value, 'a INT, b STRING')");
        return NULL;
    }
    const struct type *type = schema_type(b, t->args[1]);
    struct expr *e = type ? record_value(b, t->args[0]) : NULL;
    if (!e && !b->err) {
        e = bind_expr(b, t->args[0]);
        if (e && e->type && type_is_text(e->type))
            e = bind_cast(b, t, e, type_of(TYPE_JSON), false);
        else
            e = bind_coerce(b, e, type_of(TYPE_JSON), "from_json");
    }
    struct expr *copy = e ? bind_take(b, sizeof(*copy)) : NULL;
    if (!copy) return NULL;
    *copy = *e;
    copy->fields = type;
    return copy;
}
