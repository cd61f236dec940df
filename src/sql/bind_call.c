/* Calls: which row of functions.def, and what its arguments become. */
#include "sql/aggregate.h"
#include "sql/bind.h"

/* --- special forms ------------------------------------------------------------------------------
 */

static struct expr *coalesce(struct binder *b, const struct tree *t, struct expr **args)
{
    const struct type *type = bind_common(b, args, t->count, t);
    struct expr *e = b->err ? NULL : bind_node(b, EXPR_COALESCE, t, type, t->count);
    for (uint32_t i = 0; e && i < t->count; i++) {
        e->args[i] = type ? bind_widen(b, args[i], type) : args[i];
        if (b->err) return NULL;
        e->deterministic = e->deterministic && e->args[i]->deterministic;
    }
    return e && type ? bind_fold(b, e) : e;
}

/* CASE of already bound parts: when, then, else. */
static struct expr *choose(struct binder *b, const struct tree *t, struct expr *when,
                           struct expr *then, struct expr *otherwise)
{
    struct expr *results[2] = {then, otherwise};
    if (b->err) return NULL;
    const struct type *type = bind_common(b, results, 2, t);
    struct expr *e = b->err ? NULL : bind_node(b, EXPR_CASE, t, type, 3);
    if (!e) return NULL;
    e->args[0] = when;
    for (int i = 0; i < 2; i++)
        e->args[i + 1] = type ? bind_widen(b, results[i], type) : results[i];
    if (b->err) return NULL;
    for (int i = 0; i < 3; i++) e->deterministic = e->deterministic && e->args[i]->deterministic;
    return type ? bind_fold(b, e) : e;
}

static struct expr *bind_special(struct binder *b, const struct tree *t, const struct function *fn)
{
    static const struct tree null = {.kind = TREE_NULL, .depth = 1};
    uint32_t wanted = strcmp(fn->name, "nullif") == 0 ? 2 : strcmp(fn->name, "if") == 0 ? 3 : 0;
    if (t->count == 0 || (wanted && t->count != wanted)) {
        bind_fail(b, t->text, ERR_TYPE, "%s takes %s", fn->name,
                  wanted == 2   ? "two values"
                  : wanted == 3 ? "a condition and two values"
                                : "at least one value");
        return NULL;
    }
    if (wanted == 3)
        return choose(b, t, bind_condition(b, t->args[0], "if"), bind_expr(b, t->args[1]),
                      bind_expr(b, t->args[2]));
    if (wanted == 2) {
        struct expr *same = bind_compare(b, t, OP_EQ, t->args[0], t->args[1]);
        /* the value in the type that it was compared in */
        struct expr *value = bind_expr(b, t->args[0]);
        if (same && value && !value->type && same->kind == EXPR_COMPARE)
            value = bind_coerce(b, value, same->args[0]->type, "nullif");
        return choose(b, t, same, bind_literal(b, &null), value);
    }
    struct expr **args = bind_take(b, t->count * sizeof(*args));
    for (uint32_t i = 0; args && i < t->count; i++) args[i] = bind_expr(b, t->args[i]);
    return b->err ? NULL : coalesce(b, t, args);
}

/* --- choosing the row ---------------------------------------------------------------------------
 */

/* The letter for the i-th argument; 0: there is no such. */
char bind_letter_at(const char *args, uint32_t i)
{
    char last = 0;
    for (const char *a = args; *a; a++) {
        if (*a == '|') continue;
        if (*a == '*') return last;
        last = *a;
        if (i-- == 0) return last;
    }
    return 0;
}

bool bind_count_fits(const char *args, uint32_t count)
{
    uint32_t least = 0;
    for (const char *a = args; *a && *a != '|'; a++) least += *a != '*';
    return count >= least && (count == 0 || bind_letter_at(args, count - 1) != 0);
}

static bool suits(const struct expr *e, char letter)
{
    const struct type *t = e->type;
    if (!t || t->kind == TYPE_JSON) return true;
    bool literal = e->kind == EXPR_LITERAL && e->tree && e->tree->kind == TREE_STRING;
    switch (letter) {
    case 't': return type_is_text(t);
    case 'i': return t->kind >= TYPE_TINYINT && t->kind <= TYPE_COUNTER;
    case 'd':
    case 'n': return type_counts(t);
    case 'b': return t->kind == TYPE_BOOLEAN;
    case 'B': return t->kind == TYPE_BLOB;
    case 'T': return t->kind == TYPE_TIMESTAMP || t->kind == TYPE_DATE || literal;
    case 'D': return t->kind == TYPE_DATE;
    case 'U': return t->kind == TYPE_TIMEUUID;
    case 'j': return false;
    default: return true;
    }
}

static bool all_suit(const struct function *fn, struct expr *const *args, uint32_t count)
{
    if (!bind_count_fits(fn->args, count)) return false;
    for (uint32_t i = 0; i < count; i++)
        if (!suits(args[i], bind_letter_at(fn->args, i))) return false;
    return true;
}

void bind_print_letters(const char *args, struct buf *out)
{
    for (const char *a = args; *a; a++) {
        if (*a == '|')
            buf_text(out, " [");
        else if (*a == '*')
            buf_text(out, ", …");
        else {
            bool first = a == args || (a == args + 1 && args[0] == '|');
            buf_printf(out, "%s%s", first ? "" : ", ", letter_name(*a));
        }
    }
    if (strchr(args, '|')) buf_char(out, ']');
}

static void no_row(struct binder *b, const struct tree *t, struct expr *const *args)
{
    struct buf have = buf_make(200), want = buf_make(200);
    for (uint32_t i = 0; i < t->count; i++)
        buf_printf(&have, "%s%s", i ? ", " : "", bind_type_name(b, args[i]->type));
    const struct function *fn;
    for (size_t i = 0; (fn = function_find(t->value, i)); i++) {
        buf_printf(&want, "%s%s(", i ? " or " : "", fn->name);
        bind_print_letters(fn->args, &want);
        buf_char(&want, ')');
    }
    bind_fail(b, t->text, ERR_TYPE, "%.*s does not take (%s)", SLICE_ARG(t->value),
              have.err ? "…" : buf_cstr(&have));
    if (!want.err) bind_hint(b, "it is %s", buf_cstr(&want));
    buf_done(&have);
    buf_done(&want);
}

static void no_function(struct binder *b, const struct tree *t)
{
    const char *names[512];
    size_t count = function_names(names, COUNT_OF(names));
    count += aggregate_names(names + count, COUNT_OF(names) - count);
    bind_fail(b, t->text, ERR_UNKNOWN_FUNCTION, "there is no function %.*s", SLICE_ARG(t->value));
    const char *near = nearest_word(t->value, names, count);
    if (near) bind_hint(b, "did you mean %s?", near);
}

/* --- arguments ----------------------------------------------------------------------------------
 */

const struct type *bind_letter_type(char letter)
{
    switch (letter) {
    case 'i': return type_of(TYPE_BIGINT);
    case 'I': return type_of(TYPE_INT);
    case 'd': return type_of(TYPE_DOUBLE);
    case 'b': return type_of(TYPE_BOOLEAN);
    case 'B': return type_of(TYPE_BLOB);
    case 'u': return type_of(TYPE_UUID);
    case 'U': return type_of(TYPE_TIMEUUID);
    case 'T': return type_of(TYPE_TIMESTAMP);
    case 'D': return type_of(TYPE_DATE);
    case 'j': return type_of(TYPE_JSON);
    default: return type_of(TYPE_TEXT);
    }
}

/* The one type of all arguments with this letter ('n' or 'A'). */
static const struct type *shared_type(struct binder *b, const struct tree *t,
                                      const struct function *fn, struct expr *const *args,
                                      char letter)
{
    struct expr **list = bind_take(b, MAX(t->count, 1u) * sizeof(*list));
    uint32_t n = 0;
    for (uint32_t i = 0; list && i < t->count; i++)
        if (bind_letter_at(fn->args, i) == letter) list[n++] = args[i];
    const struct type *type = list ? bind_common(b, list, n, t) : NULL;
    if (b->err) return NULL;
    if (letter == 'n' && (!type || type->kind == TYPE_JSON)) return type_of(TYPE_DOUBLE);
    if (type && type->kind != TYPE_JSON) return type;
    bind_fail(b, t->text, ERR_TYPE, "%s: the type of no argument is known", fn->name);
    bind_hint(b, "write CAST(field AS type)");
    return NULL;
}

static struct expr *argument(struct binder *b, const struct function *fn, struct expr *e,
                             char letter, const struct type *shared)
{
    switch (letter) {
    case 'n':
    case 'A': return bind_widen(b, e, shared);
    case 'd': return bind_widen(b, e, type_of(TYPE_DOUBLE));
    case 'a': return bind_settle(b, e);
    case 'x':
        if (e->type && type_is_text(e->type))
            return bind_coerce(b, e, type_of(TYPE_TEXT), fn->name);
        return bind_cast(b, &(struct tree){.text = e->text}, e, type_of(TYPE_TEXT), false);
    default: return bind_coerce(b, e, bind_letter_type(letter), fn->name);
    }
}

static void compile_pattern(struct binder *b, const struct tree *t, struct expr *e)
{
    const struct expr *p = e->args[1];
    if (!expr_is_constant(p) || p->constant.state[0] != VALID_VALUE) {
        bind_fail(b, t->args[1]->text, ERR_UNSUPPORTED,
                  "a pattern that is not a literal: not available in this version");
        return;
    }
    struct diag d = {0};
    err_t err = regex_new(p->constant.bytes[0], false, b->arena, &e->regex, &d);
    if (err) bind_fail(b, t->args[1]->text, err, "%s", d.what);
}

static struct expr *call_row(struct binder *b, const struct tree *t, const struct function *fn,
                             struct expr **args)
{
    char letter = strchr(fn->args, 'n') ? 'n' : strchr(fn->args, 'A') ? 'A' : 0;
    const struct type *shared = letter ? shared_type(b, t, fn, args, letter) : NULL;
    if (b->err) return NULL;
    bool own = fn->result[0] == 'n' || fn->result[0] == 'A';
    struct expr *e =
        bind_node(b, EXPR_CALL, t, own ? shared : bind_letter_type(fn->result[0]), t->count);
    if (!e) return NULL;
    e->fn = fn;
    e->deterministic = !(fn->flags & FN_FRESH);
    for (uint32_t i = 0; i < t->count && !b->err; i++) {
        e->args[i] = argument(b, fn, args[i], bind_letter_at(fn->args, i), shared);
        if (e->args[i]) e->deterministic = e->deterministic && e->args[i]->deterministic;
    }
    if (b->err) return NULL;
    if (fn->flags & FN_FRESH) {
        e->input = b->calls++;
        b->fresh = true;
    }
    if (fn->flags & FN_PATTERN) compile_pattern(b, t, e);
    return bind_fold(b, e);
}

struct expr *bind_builtin(struct binder *b, const char *name, struct slice text,
                          struct expr *const *args, uint32_t count)
{
    struct tree *t = bind_take(b, sizeof(*t));
    struct expr **copy = bind_take(b, MAX(count, 1u) * sizeof(*copy));
    if (!t || !copy) return NULL;
    *t = (struct tree){
        .kind = TREE_CALL, .text = text, .value = slice_of(name), .count = count, .depth = 1};
    const struct function *fn;
    for (uint32_t i = 0; i < count; i++) copy[i] = args[i];
    for (size_t i = 0; (fn = function_find(t->value, i)); i++)
        if (all_suit(fn, copy, count)) return call_row(b, t, fn, copy);
    INVARIANT(fn); /* the row is there */
    return NULL;
}

struct expr *bind_call(struct binder *b, const struct tree *t)
{
    if (t->over) return bind_over(b, t);
    if (tree_is_aggregate(t)) return bind_aggregate(b, t);
    struct tree renamed = *t;
    if (slice_is(t->value, "now")) renamed.value = slice_of(b->dialect->now);
    if (slice_is(t->value, "from_json")) return bind_from_json(b, t);
    const struct function *fn = function_find(renamed.value, 0);
    if (!fn) {
        bool found;
        struct expr *own = bind_user_call(b, t, &found);
        if (found || b->err) return own;
        no_function(b, t);
        return NULL;
    }
    if (t->distinct || (t->count > 0 && t->args[0]->kind == TREE_STAR)) {
        bind_fail(b, t->text, ERR_SYNTAX, "%s is no aggregate: it takes neither DISTINCT nor *",
                  fn->name);
        return NULL;
    }
    if (fn->flags & FN_SPECIAL) return bind_special(b, t, fn);
    struct expr **args = bind_take(b, MAX(t->count, 1u) * sizeof(*args));
    for (uint32_t i = 0; args && i < t->count && !b->err; i++) args[i] = bind_expr(b, t->args[i]);
    if (b->err) return NULL;
    for (size_t i = 0; (fn = function_find(renamed.value, i)); i++)
        if (all_suit(fn, args, t->count)) return call_row(b, &renamed, fn, args);
    no_row(b, &renamed, args);
    return NULL;
}
