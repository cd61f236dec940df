/* Python's statements: blocks by their indentation, each with the expressions in it. */
#include "main/import/py.h"

struct block_word {
    const char *text;
    enum py_kind kind;
};
static const struct block_word block_words[] = {
    {"def", PY_DEF},       {"class", PY_CLASS}, {"with", PY_WITH},    {"if", PY_IF},
    {"elif", PY_IF},       {"for", PY_FOR},     {"while", PY_WHILE},  {"try", PY_TRY},
    {"except", PY_EXCEPT}, {"else", PY_ELSE},   {"finally", PY_ELSE},
};
static const char *const jumps[] = {"continue", "break",  "pass",   "raise",
                                    "del",      "assert", "global", "nonlocal"};

static void statement(struct py_reading *r, struct py_node *into);

static void skip_line(struct py_reading *r)
{
    while (py_now(r)->kind != TOKEN_LINE && py_now(r)->kind != TOKEN_END) r->at++;
    r->at += py_now(r)->kind == TOKEN_LINE;
}

static void not_understood(struct py_reading *r, struct py_node *into, size_t from)
{
    const struct py_token *t = vec_at(&r->tokens, from);
    struct py_node *n = py_node_new(r, PY_OTHER, t);
    r->at = MAX(r->at, from);
    skip_line(r);
    py_put(r, into, n);
}

/* Behind a block's colon: an indented block, or statements on the same line. */
static void body(struct py_reading *r, struct py_node *into)
{
    if (py_now(r)->kind != TOKEN_LINE) {
        statement(r, into);
        return;
    }
    r->at++;
    if (py_now(r)->kind != TOKEN_IN) return;
    r->at++;
    while (!r->err && py_now(r)->kind != TOKEN_OUT && py_now(r)->kind != TOKEN_END)
        statement(r, into);
    r->at += py_now(r)->kind == TOKEN_OUT;
}

/* def name(a, b=1, *c) -> x: the parameters' names. */
static bool head_of_def(struct py_reading *r, struct py_node *n)
{
    n->text = py_now(r)->text;
    if (py_now(r)->kind != TOKEN_NAME) return false;
    r->at++;
    int level = 0;
    bool name_next = true;
    do {
        const struct py_token *t = py_now(r);
        if (t->kind == TOKEN_END || t->kind == TOKEN_LINE) break;
        if (py_next_is(r, "(") || py_next_is(r, "[") || py_next_is(r, "{")) level++;
        if (py_next_is(r, ")") || py_next_is(r, "]") || py_next_is(r, "}")) level--;
        if (level == 1 && name_next && t->kind == TOKEN_NAME && n->kind == PY_DEF)
            py_put(r, n, py_node_new(r, PY_NAME, t));
        name_next = (level == 1 && py_next_is(r, ",")) || py_next_is(r, "*") ||
                    py_next_is(r, "**") || (level == 1 && py_next_is(r, "("));
        r->at++;
    } while (level > 0 || (!py_next_is(r, ":") && py_now(r)->kind != TOKEN_LINE));
    return true;
}

static bool head_of_with(struct py_reading *r, struct py_node *n)
{
    bool wrapped = false;
    if (py_next_is(r, "(")) { /* with (a as b, c as d): */
        size_t before = r->at;
        r->at++;
        struct py_node *first = py_expression(r);
        wrapped = first && py_next_is(r, "as");
        r->at = wrapped ? before + 1 : before;
    }
    do {
        const struct py_token *t = py_now(r);
        struct py_node *e = py_expression(r);
        if (!e) return wrapped && py_take(r, ")");
        if (py_take(r, "as")) {
            struct py_node *named = py_node_new(r, PY_ASSIGN, t);
            if (named) named->text = SLICE("=");
            py_put(r, named, e);
            py_put(r, named, py_expression(r));
            e = named;
        }
        py_put(r, n, e);
    } while (py_take(r, ","));
    if (wrapped) (void)py_take(r, ")");
    return true;
}

static bool head_of_for(struct py_reading *r, struct py_node *n)
{
    const struct py_token *from = py_now(r);
    struct py_node *target = py_node_new(r, PY_LIST, from);
    while (!py_take(r, "in")) {
        if (py_now(r)->kind == TOKEN_LINE || py_now(r)->kind == TOKEN_END) return false;
        if (py_now(r)->kind == TOKEN_NAME) py_put(r, target, py_node_new(r, PY_NAME, py_now(r)));
        r->at++;
    }
    if (target && target->count == 1) target = target->items[0];
    py_put(r, n, target);
    py_put(r, n, py_expressions(r));
    return n->count == 2;
}

static bool head(struct py_reading *r, struct py_node *n)
{
    switch (n->kind) {
    case PY_DEF:
    case PY_CLASS: return head_of_def(r, n);
    case PY_WITH: return head_of_with(r, n);
    case PY_FOR: return head_of_for(r, n);
    case PY_ELSE:
    case PY_TRY: return true;
    default: break;
    }
    if (n->kind == PY_EXCEPT && py_next_is(r, ":")) return true;
    struct py_node *e = py_expressions(r);
    py_put(r, n, e);
    if (n->kind == PY_EXCEPT && py_take(r, "as")) r->at++;
    return e != NULL;
}

static bool block(struct py_reading *r, struct py_node *into, struct py_node *decorators)
{
    size_t from = r->at;
    (void)py_take(r, "async");
    const struct block_word *word = NULL;
    for (size_t i = 0; i < COUNT_OF(block_words) && !word; i++)
        if (py_next_is(r, block_words[i].text)) word = &block_words[i];
    if (!word || py_now(r)->kind != TOKEN_NAME) {
        r->at = from;
        return false;
    }
    struct py_node *n = py_node_new(r, word->kind, py_now(r));
    r->at++;
    if (!n) return true;
    for (uint32_t i = 0; decorators && i < decorators->count; i++)
        py_put(r, n, decorators->items[i]);
    n->decorators = n->count;
    bool fine = head(r, n);
    n->head = n->count;
    if (!fine || !py_take(r, ":")) {
        py_put(r, into, py_node_new(r, PY_OTHER, vec_at(&r->tokens, from)));
        while (py_now(r)->kind != TOKEN_LINE && py_now(r)->kind != TOKEN_END) r->at++;
    }
    if (r->depth < PY_DEPTH_MAX) {
        r->depth++;
        body(r, n);
        r->depth--;
    } else {
        r->err = ERR_TOO_BIG;
    }
    py_put(r, into, n);
    return true;
}

/* import a.b as c; from a import (b, c as d) */
static void import(struct py_reading *r, struct py_node *into)
{
    struct py_node *n = py_node_new(r, PY_IMPORT, py_now(r));
    bool from = py_take(r, "from");
    if (!from) r->at++;
    const uint8_t *start = py_now(r)->text.at, *end = start;
    while (!py_next_is(r, "import") &&
           (py_now(r)->kind == TOKEN_NAME || py_next_is(r, ".") || py_next_is(r, "..."))) {
        if (py_next_is(r, "as")) break;
        end = py_now(r)->text.at + py_now(r)->text.len;
        r->at++;
    }
    if (n) n->text = slice_make(start, (size_t)(end - start));
    while (py_now(r)->kind != TOKEN_LINE && py_now(r)->kind != TOKEN_END) {
        if (py_now(r)->kind == TOKEN_NAME && from && !py_next_is(r, "import"))
            py_put(r, n, py_node_new(r, PY_NAME, py_now(r)));
        r->at++;
    }
    r->at += py_now(r)->kind == TOKEN_LINE;
    py_put(r, into, n);
}

static bool is_assignment(const struct py_reading *r)
{
    const struct py_token *t = py_now(r);
    if (t->kind != TOKEN_MARK || !t->text.len || t->text.at[t->text.len - 1] != '=') return false;
    return !slice_is(t->text, "==") && !slice_is(t->text, "<=") && !slice_is(t->text, ">=") &&
           !slice_is(t->text, "!=");
}

/* a = b = c; a: int = c; a += c; or just an expression. */
static bool simple(struct py_reading *r, struct py_node *into)
{
    const struct py_token *from = py_now(r);
    struct py_node *e = py_expressions(r);
    if (!e) return false;
    if (py_take(r, ":") && !py_expression(r)) return false; /* what it is said to be */
    if (!is_assignment(r)) {
        py_put(r, into, e);
        return true;
    }
    struct py_node *n = py_node_new(r, PY_ASSIGN, py_now(r));
    struct py_node *targets = py_node_new(r, PY_LIST, from);
    if (n) n->line = from->line;
    while (is_assignment(r) && e) {
        py_put(r, targets, e);
        r->at++;
        e = py_expressions(r);
    }
    if (!e || !targets) return false;
    py_put(r, n, e);
    for (uint32_t i = 0; i < targets->count; i++) py_put(r, n, targets->items[i]);
    py_put(r, into, n);
    return true;
}

static bool jump(struct py_reading *r, struct py_node *into)
{
    if (py_now(r)->kind != TOKEN_NAME) return false;
    bool returns = py_next_is(r, "return") || py_next_is(r, "yield"), found = returns;
    for (size_t i = 0; i < COUNT_OF(jumps) && !found; i++) found = py_next_is(r, jumps[i]);
    if (!found) return false;
    struct py_node *n = py_node_new(r, returns ? PY_RETURN : PY_JUMP, py_now(r));
    r->at++;
    if (py_now(r)->kind != TOKEN_LINE && !py_next_is(r, ";")) py_put(r, n, py_expressions(r));
    py_put(r, into, n);
    if (!returns) /* `raise a from b` and the like: what is behind it does not matter here */
        while (py_now(r)->kind != TOKEN_LINE && py_now(r)->kind != TOKEN_END && !py_next_is(r, ";"))
            r->at++;
    return true;
}

static void statement(struct py_reading *r, struct py_node *into)
{
    size_t from = r->at;
    struct py_node *decorators = NULL;
    const struct py_token *t = py_now(r);
    if (t->kind == TOKEN_IN || t->kind == TOKEN_OUT || t->kind == TOKEN_LINE) {
        r->at++;
        return;
    }
    while (py_take(r, "@")) {
        if (!decorators) decorators = py_node_new(r, PY_LIST, t);
        py_put(r, decorators, py_expression(r));
        skip_line(r);
    }
    if (block(r, into, decorators)) return;
    if (py_next_is(r, "import") || py_next_is(r, "from")) {
        import(r, into);
        return;
    }
    do {
        if (py_now(r)->kind == TOKEN_LINE) break;
        if (!jump(r, into) && !simple(r, into)) {
            not_understood(r, into, from);
            return;
        }
    } while (py_take(r, ";"));
    if (py_now(r)->kind == TOKEN_LINE)
        r->at++;
    else if (py_now(r)->kind != TOKEN_END)
        not_understood(r, into, r->at);
}

err_t py_read(struct slice text, const char *file, struct arena *a, struct py_node **module,
              struct diag *d)
{
    struct py_reading r = {.arena = a};
    struct py_token start = {.line = 1};
    if (text.len > PY_BYTES_MAX)
        return diag_fail(d, ERR_TOO_BIG, "%s has more than %d bytes", file, PY_BYTES_MAX);
    err_t e = py_tokens(text, 1, &r);
    *module = e ? NULL : py_node_new(&r, PY_MODULE, &start);
    while (*module && !r.err && py_now(&r)->kind != TOKEN_END) statement(&r, *module);
    vec_done(&r.tokens);
    if (e || r.err)
        return diag_fail(d, e ? e : r.err, "%s is too deep or too long to be read", file);
    return *module ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory to read %s", file);
}
