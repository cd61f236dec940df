/* Expressions: a Pratt parser. Chains of AND, OR and || become one node of many arguments, so that
 * only true nesting costs depth. */
#include "sql/parse.h"

enum {
    BIND_OR = 1,
    BIND_AND,
    BIND_NOT,
    BIND_COMPARE,
    BIND_CONCAT,
    BIND_ADD,
    BIND_MULTIPLY,
    BIND_ARROW,
    BIND_CAST
};

static const struct tree *parse_at(struct parser *p, int least);

struct tree *tree_node(struct parser *p, enum tree_kind kind, const uint8_t *start)
{
    struct tree *t = parse_take(p, sizeof(*t));
    if (!t) return NULL;
    t->kind = kind;
    t->depth = 1;
    t->text = text_since(p, start);
    return t;
}

static void too_deep(struct parser *p, const uint8_t *at)
{
    parse_fail(p, at, ERR_TOO_DEEP, "expressions nest at most %d levels", (int)SQL_DEPTH_MAX);
}

/* Gives `t` its arguments, which may hold NULL where CASE leaves something out. */
struct tree *tree_with(struct parser *p, struct tree *t, const struct list *args)
{
    if (!t || p->err) return NULL;
    t->args = (const struct tree **)(void *)args->items;
    t->count = args->count;
    for (uint32_t i = 0; i < t->count; i++)
        if (t->args[i]) t->depth = MAX(t->depth, (uint16_t)(t->args[i]->depth + 1));
    if (t->depth <= SQL_DEPTH_MAX) return t;
    too_deep(p, t->text.at);
    return NULL;
}

void tree_add(struct parser *p, struct list *l, const struct tree *t)
{
    const struct tree **place = parse_list_add(p, l, sizeof(t));
    if (place) *place = t;
}

static struct tree *join(struct parser *p, enum tree_kind kind, enum tree_op op,
                         const uint8_t *start, const struct tree *a, const struct tree *b)
{
    struct list args = {0};
    tree_add(p, &args, a);
    if (b) tree_add(p, &args, b);
    struct tree *t = tree_node(p, kind, start);
    if (t) t->op = op;
    return tree_with(p, t, &args);
}

/* a AND b AND c: one node. */
static const struct tree *chain(struct parser *p, enum tree_kind kind, int binding,
                                const char *word, const struct tree *first)
{
    struct list args = {0};
    tree_add(p, &args, first);
    while (kind == TREE_CONCAT ? accept_op(p, word) : accept_word(p, word))
        tree_add(p, &args, parse_at(p, binding + 1));
    return p->err ? NULL : tree_with(p, tree_node(p, kind, first->text.at), &args);
}

const struct tree *tree_literal(struct parser *p, enum tree_kind kind)
{
    struct token t = token_take(p);
    struct tree *n = tree_node(p, kind, t.text.at);
    if (n) n->value = t.value;
    return n;
}

static const struct tree *constant_word(struct parser *p, enum tree_kind kind, const char *value)
{
    struct token t = token_take(p);
    struct tree *n = tree_node(p, kind, t.text.at);
    if (n) n->value = slice_of(value);
    return n;
}

static const struct tree *parse_case(struct parser *p)
{
    const uint8_t *start = token_take(p).text.at;
    struct list args = {0};
    tree_add(p, &args, at_word(p, "when") ? NULL : parse_expr(p));
    if (!at_word(p, "when")) expect_word(p, "WHEN");
    while (accept_word(p, "when")) {
        tree_add(p, &args, parse_expr(p));
        expect_word(p, "THEN");
        tree_add(p, &args, parse_expr(p));
    }
    tree_add(p, &args, accept_word(p, "else") ? parse_expr(p) : NULL);
    expect_word(p, "END");
    return tree_with(p, tree_node(p, TREE_CASE, start), &args);
}

static const struct tree *parse_cast(struct parser *p, bool try)
{
    const uint8_t *start = token_take(p).text.at;
    expect_op(p, "(");
    const struct tree *value = parse_expr(p);
    expect_word(p, "AS");
    const struct type *type = parse_type(p, true);
    expect_op(p, ")");
    struct tree *t = join(p, TREE_CAST, try ? OP_TRY : OP_NONE, start, value, NULL);
    if (t) t->type = type;
    return t;
}

static void add_step(struct parser *p, struct list *steps, struct slice name, int64_t index)
{
    struct json_step *s = parse_list_add(p, steps, sizeof(*s));
    if (s) *s = (struct json_step){name, index};
}

static void index_step(struct parser *p, struct list *steps)
{
    if (token_peek(p, 0)->kind == TOKEN_STRING) {
        add_step(p, steps, token_take(p).value, 0);
    } else {
        bool negative = accept_op(p, "-");
        int64_t index = parse_integer(p, "an element's number or a field's name in quotes");
        add_step(p, steps, (struct slice){0}, negative ? -index : index);
    }
    expect_op(p, "]");
}

/* login.uuid, tags[0].name, items[-1], a['odd name']; all of its fields: data.* */
const struct tree *parse_path(struct parser *p)
{
    const uint8_t *start = token_peek(p, 0)->text.at;
    struct list steps = {0};
    bool star = false;
    add_step(p, &steps, token_take(p).value, 0);
    while (!p->err) {
        if (accept_op(p, "[")) {
            index_step(p, &steps);
        } else if (accept_op(p, ".")) {
            const struct token *t = token_peek(p, 0);
            if (token_is_op(t, "*")) {
                star = true;
                (void)token_take(p);
                break;
            }
            if (t->kind != TOKEN_WORD && t->kind != TOKEN_QUOTED)
                parse_expected(p, "a field's name", NULL, 0);
            else
                add_step(p, &steps, token_take(p).value,
                         0); /* reserved words are fine after a dot */
        } else {
            break;
        }
        if (steps.count > JSON_DEPTH_MAX)
            parse_fail(p, start, ERR_TOO_DEEP, "a path has at most %d steps", (int)JSON_DEPTH_MAX);
    }
    struct tree *t = tree_node(p, star ? TREE_STAR : TREE_NAME, start);
    if (!t) return NULL;
    t->steps = (const struct json_step *)(const void *)steps.items;
    t->step_count = steps.count;
    return t;
}

/* DATE '2026-11-21': a literal of that type. */
static const struct tree *typed_literal(struct parser *p)
{
    const uint8_t *start = token_peek(p, 0)->text.at;
    const struct type *type = parse_type(p, true);
    struct tree *t = join(p, TREE_CAST, OP_NONE, start, tree_literal(p, TREE_STRING), NULL);
    if (t) t->type = type;
    return t;
}

/* Reserved in a dialect, and functions all the same. */
static bool is_call_word(const struct token *t)
{
    static const char *const words[] = {"left", "right", "token", "replace", "if", "window"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (token_is_word(t, words[i])) return true;
    return false;
}

/* [1, 2]; ARRAY[1, 2] is the same. */
static const struct tree *parse_list_of(struct parser *p)
{
    const uint8_t *start = token_take(p).text.at;
    struct list args = parse_arguments(p, "]");
    return tree_with(p, tree_node(p, TREE_LIST, start), &args);
}

static const struct tree *parse_word(struct parser *p)
{
    const struct token *t = token_peek(p, 0), *next = token_peek(p, 1);
    bool call = token_is_op(next, "("), operand = next->kind != TOKEN_OP && next->kind != TOKEN_END;
    if (token_is_word(t, "null")) return tree_literal(p, TREE_NULL);
    if (token_is_word(t, "true")) return constant_word(p, TREE_BOOLEAN, "true");
    if (token_is_word(t, "false")) return constant_word(p, TREE_BOOLEAN, "false");
    if (token_is_word(t, "case") && (operand || call || token_is_op(next, "-")))
        return parse_case(p);
    if (token_is_word(t, "cast") && call) return parse_cast(p, false);
    if (token_is_word(t, "try_cast") && call) return parse_cast(p, true);
    if (token_is_word(t, "extract") && call) return parse_extract(p);
    if (token_is_word(t, "exists") && call)
        parse_unsupported(p, t->text.at, "EXISTS (write LEFT SEMI JOIN or LEFT ANTI JOIN)");
    if (token_is_word(t, "interval") &&
        (next->kind == TOKEN_STRING || next->kind == TOKEN_INTEGER || next->kind == TOKEN_DURATION))
        return parse_interval(p);
    if (next->kind == TOKEN_STRING && (token_is_word(t, "date") || token_is_word(t, "timestamp") ||
                                       token_is_word(t, "time") || token_is_word(t, "uuid")))
        return typed_literal(p);
    bool bare = token_is_word(t, "current_timestamp") || token_is_word(t, "current_date");
    if (bare && !call) {
        struct token name = token_take(p);
        struct tree *n = tree_node(p, TREE_CALL, name.text.at);
        if (n) n->value = name.value;
        return n;
    }
    if (call && (!is_reserved(p, t) || bare || is_call_word(t))) return parse_call(p);
    if (token_is_word(t, "array") && token_is_op(next, "[")) {
        (void)token_take(p);
        return parse_list_of(p);
    }
    if (!is_reserved(p, t)) return parse_path(p);
    struct slice word = t->text;
    parse_expected(p, "an expression", NULL, 0);
    parse_hint(p, "%.*s is a reserved word: as a name write it in quotes, \"%.*s\"",
               SLICE_ARG(word), SLICE_ARG(word));
    return NULL;
}

static const struct tree *parse_braces(struct parser *p)
{
    const uint8_t *start = token_take(p).text.at;
    struct list args = {0};
    bool map = false;
    while (!p->err && !at_op(p, "}")) {
        tree_add(p, &args, parse_expr(p));
        if (args.count == 1) map = at_op(p, ":");
        if (map) {
            expect_op(p, ":");
            tree_add(p, &args, parse_expr(p));
        }
        if (!accept_op(p, ",")) break;
    }
    expect_op(p, "}");
    return tree_with(p, tree_node(p, map ? TREE_MAP : TREE_SET, start), &args);
}

/* A query stands in FROM, never in an expression. */
static void refuse_select(struct parser *p)
{
    if (!at_word(p, "select") && !at_word(p, "with")) return;
    parse_unsupported(p, parse_here(p), "sub-selects outside FROM");
    parse_hint(p, "join the query: FROM a LEFT SEMI JOIN (SELECT …) AS b ON …");
}

static const struct tree *parse_parens(struct parser *p)
{
    const uint8_t *start = token_take(p).text.at;
    refuse_select(p);
    struct list args = parse_arguments(p, ")");
    if (p->err) return NULL;
    if (args.count == 1) return *(const struct tree **)(void *)args.items;
    return tree_with(p, tree_node(p, TREE_TUPLE, start), &args);
}

static const struct tree *parse_minus(struct parser *p)
{
    const uint8_t *start = token_take(p).text.at;
    const struct tree *value = parse_at(p, BIND_ARROW);
    if (!value) return NULL;
    bool number = value->kind == TREE_INTEGER || value->kind == TREE_NUMBER;
    if (!number || value->value.at[0] == '-') return join(p, TREE_NEGATE, 0, start, value, NULL);
    struct tree *t = tree_node(p, value->kind, start); /* -9223372036854775808 is one literal */
    char *text = arena_printf(p->arena, "-%.*s", SLICE_ARG(value->value));
    if (t && text) t->value = slice_of(text);
    if (t && !text) parse_fail(p, start, ERR_NO_MEMORY, "this text does not fit into the memory");
    return p->err ? NULL : t;
}

static const struct tree *prefix(struct parser *p)
{
    const struct token *t = token_peek(p, 0);
    switch (t->kind) {
    case TOKEN_STRING: return tree_literal(p, TREE_STRING);
    case TOKEN_INTEGER: return tree_literal(p, TREE_INTEGER);
    case TOKEN_NUMBER: return tree_literal(p, TREE_NUMBER);
    case TOKEN_BLOB: return tree_literal(p, TREE_BLOB);
    case TOKEN_UUID: return tree_literal(p, TREE_UUID);
    case TOKEN_DURATION: return tree_literal(p, TREE_DURATION);
    case TOKEN_PARAM: return tree_literal(p, TREE_PARAM);
    case TOKEN_QUOTED: return parse_path(p);
    case TOKEN_WORD:
        if (token_is_word(t, "not")) {
            const uint8_t *start = token_take(p).text.at;
            return join(p, TREE_NOT, OP_NONE, start, parse_at(p, BIND_NOT), NULL);
        }
        return parse_word(p);
    case TOKEN_OP:
        if (token_is_op(t, "(")) return parse_parens(p);
        if (token_is_op(t, "-")) return parse_minus(p);
        if (token_is_op(t, "+")) {
            (void)token_take(p);
            return parse_at(p, BIND_ARROW);
        }
        if (token_is_op(t, "[")) return parse_list_of(p);
        if (token_is_op(t, "{")) return parse_braces(p);
        break;
    case TOKEN_END: break;
    }
    parse_expected(p, "an expression", NULL, 0);
    return NULL;
}

/* --- what can follow -------------------------------------------------------------------------- */

static const struct tree *after_is(struct parser *p, const struct tree *left)
{
    (void)token_take(p);
    bool negated = accept_word(p, "not");
    struct list args = {0};
    tree_add(p, &args, left);
    enum tree_op op = OP_NONE;
    if (accept_word(p, "null"))
        op = OP_NULL;
    else if (accept_word(p, "true"))
        op = OP_TRUE;
    else if (accept_word(p, "false"))
        op = OP_FALSE;
    else if (accept_word(p, "distinct")) {
        expect_word(p, "FROM");
        op = OP_DISTINCT;
        tree_add(p, &args, parse_at(p, BIND_COMPARE + 1));
    } else {
        static const char *const words[] = {"NULL", "NOT", "TRUE", "FALSE", "DISTINCT"};
        parse_expected(p, "NULL, TRUE, FALSE or DISTINCT FROM", words, COUNT_OF(words));
    }
    struct tree *t = tree_node(p, TREE_IS, left->text.at);
    if (!t) return NULL;
    t->op = op;
    t->negated = negated;
    return tree_with(p, t, &args);
}

/* Spark's a <=> b: a IS NOT DISTINCT FROM b. */
static const struct tree *after_same(struct parser *p, const struct tree *left)
{
    (void)token_take(p);
    const struct tree *right = parse_at(p, BIND_COMPARE + 1);
    struct tree *t = join(p, TREE_IS, OP_DISTINCT, left->text.at, left, right);
    if (t) t->negated = true;
    return t;
}

static const struct tree *after_in(struct parser *p, const struct tree *left, bool negated)
{
    (void)token_take(p);
    expect_op(p, "(");
    refuse_select(p);
    if (at_op(p, ")")) parse_expected(p, "a list of values", NULL, 0);
    struct list args = {0};
    tree_add(p, &args, left);
    do tree_add(p, &args, parse_expr(p));
    while (accept_op(p, ","));
    expect_op(p, ")");
    struct tree *t = tree_node(p, TREE_IN, left->text.at);
    if (t) t->negated = negated;
    return tree_with(p, t, &args);
}

static const struct tree *after_between(struct parser *p, const struct tree *left, bool negated)
{
    (void)token_take(p);
    struct list args = {0};
    tree_add(p, &args, left);
    tree_add(p, &args, parse_at(p, BIND_COMPARE + 1));
    expect_word(p, "AND");
    tree_add(p, &args, parse_at(p, BIND_COMPARE + 1));
    struct tree *t = tree_node(p, TREE_BETWEEN, left->text.at);
    if (t) t->negated = negated;
    return tree_with(p, t, &args);
}

static enum tree_op like_op(const struct token *t)
{
    if (token_is_word(t, "like")) return OP_LIKE;
    if (token_is_word(t, "ilike")) return OP_ILIKE;
    if (token_is_word(t, "rlike") || token_is_word(t, "regexp") || token_is_op(t, "~") ||
        token_is_op(t, "!~"))
        return OP_RLIKE;
    return token_is_op(t, "~*") || token_is_op(t, "!~*") ? OP_IRLIKE : OP_NONE;
}

static const struct tree *after_like(struct parser *p, const struct tree *left, bool negated)
{
    struct token word = token_take(p);
    if (word.kind == TOKEN_OP && word.value.at[0] == '!') negated = true;
    const struct tree *pattern = parse_at(p, BIND_COMPARE + 1);
    if (at_word(p, "escape"))
        parse_unsupported(p, token_peek(p, 0)->text.at, "ESCAPE with another character than '\\'");
    struct tree *t = join(p, TREE_LIKE, like_op(&word), left->text.at, left, pattern);
    if (t) t->negated = negated;
    return t;
}

static const struct tree *after_arrow(struct parser *p, const struct tree *left, const char *name)
{
    (void)token_take(p);
    struct tree *t = join(p, TREE_CALL, OP_NONE, left->text.at, left, parse_at(p, BIND_ARROW + 1));
    if (t) t->value = slice_of(name);
    return t;
}

static const struct tree *after_cast(struct parser *p, const struct tree *left)
{
    (void)token_take(p);
    const struct type *type = parse_type(p, true);
    struct tree *t = join(p, TREE_CAST, OP_NONE, left->text.at, left, NULL);
    if (t) t->type = type;
    return t;
}

static const struct {
    const char *text;
    enum tree_kind kind;
    enum tree_op op;
    int binding;
} infix[] = {
    {"=", TREE_COMPARE, OP_EQ, BIND_COMPARE},  {"==", TREE_COMPARE, OP_EQ, BIND_COMPARE},
    {"<>", TREE_COMPARE, OP_NE, BIND_COMPARE}, {"!=", TREE_COMPARE, OP_NE, BIND_COMPARE},
    {"<", TREE_COMPARE, OP_LT, BIND_COMPARE},  {"<=", TREE_COMPARE, OP_LE, BIND_COMPARE},
    {">", TREE_COMPARE, OP_GT, BIND_COMPARE},  {">=", TREE_COMPARE, OP_GE, BIND_COMPARE},
    {"+", TREE_ARITH, OP_ADD, BIND_ADD},       {"-", TREE_ARITH, OP_SUB, BIND_ADD},
    {"*", TREE_ARITH, OP_MUL, BIND_MULTIPLY},  {"/", TREE_ARITH, OP_DIV, BIND_MULTIPLY},
    {"%", TREE_ARITH, OP_MOD, BIND_MULTIPLY},
};

const char *op_text(enum tree_op op)
{
    static const char *const words[] = {[OP_LIKE] = "LIKE",   [OP_ILIKE] = "ILIKE",
                                        [OP_RLIKE] = "~",     [OP_IRLIKE] = "~*",
                                        [OP_NULL] = "NULL",   [OP_TRUE] = "TRUE",
                                        [OP_FALSE] = "FALSE", [OP_DISTINCT] = "DISTINCT FROM"};
    for (size_t i = 0; i < COUNT_OF(infix); i++)
        if (infix[i].op == op) return infix[i].text;
    return (size_t)op < COUNT_OF(words) && words[op] ? words[op] : "";
}

/* Words after an expression: IS, IN, BETWEEN, LIKE, each perhaps after NOT. NULL: none. */
static const struct tree *after_word(struct parser *p, const struct tree *left, int least)
{
    if (least > BIND_COMPARE) return NULL;
    if (at_word(p, "is")) return after_is(p, left);
    if (at_op(p, "<=>")) return after_same(p, left);
    const struct token *t = token_peek(p, 0);
    bool negated = token_is_word(t, "not");
    const struct token *word = negated ? token_peek(p, 1) : t;
    bool in = token_is_word(word, "in"), between = token_is_word(word, "between");
    if (!in && !between && !like_op(word)) return NULL;
    if (negated) (void)token_take(p);
    if (in) return after_in(p, left, negated);
    return between ? after_between(p, left, negated) : after_like(p, left, negated);
}

/* One more operator after `left`; NULL when nothing binds tightly enough. */
static const struct tree *after(struct parser *p, const struct tree *left, int least)
{
    if (least <= BIND_OR && at_word(p, "or")) return chain(p, TREE_OR, BIND_OR, "or", left);
    if (least <= BIND_AND && at_word(p, "and")) return chain(p, TREE_AND, BIND_AND, "and", left);
    if (least <= BIND_CONCAT && at_op(p, "||"))
        return chain(p, TREE_CONCAT, BIND_CONCAT, "||", left);
    if (at_op(p, "::")) return after_cast(p, left);
    if (least <= BIND_ARROW && at_op(p, "->")) return after_arrow(p, left, "json_get");
    if (least <= BIND_ARROW && at_op(p, "->>")) return after_arrow(p, left, "json_text");
    const struct token *t = token_peek(p, 0);
    for (size_t i = 0; i < COUNT_OF(infix); i++) {
        if (infix[i].binding < least || !token_is_op(t, infix[i].text)) continue;
        (void)token_take(p);
        const struct tree *right = parse_at(p, infix[i].binding + 1);
        return join(p, infix[i].kind, infix[i].op, left->text.at, left, right);
    }
    return after_word(p, left, least);
}

static const struct tree *parse_at(struct parser *p, int least)
{
    if (p->depth >= SQL_DEPTH_MAX) {
        too_deep(p, token_peek(p, 0)->text.at);
        return NULL;
    }
    p->depth++;
    const struct tree *left = prefix(p);
    while (left && !p->err) {
        const struct tree *more = after(p, left, least);
        if (!more) break;
        left = more;
    }
    p->depth--;
    return p->err ? NULL : left;
}

const struct tree *parse_expr(struct parser *p)
{
    return parse_at(p, BIND_OR);
}

const struct tree *parse_operand(struct parser *p)
{
    return parse_at(p, BIND_CONCAT);
}
