/* Python's expressions as a tree. What is not understood is NULL: the statement tells its line. */
#include "main/import/py.h"

#include "base/bytes.h"

struct py_node *py_node_new(struct py_reading *r, enum py_kind kind, const struct py_token *from)
{
    struct py_node *n = r->nodes++ < PY_NODES_MAX ? arena_take(r->arena, sizeof *n) : NULL;
    if (!n) {
        r->err = r->err ? r->err : ERR_NO_MEMORY;
        return NULL;
    }
    *n = (struct py_node){.kind = kind, .line = from->line, .text = from->text};
    return n;
}

void py_put(struct py_reading *r, struct py_node *n, struct py_node *item)
{
    if (!n || !item || r->err) return;
    bool full = !(n->count & (n->count - 1)) || !n->items; /* 0, 1, 2, 4, 8 … places */
    if (full) {
        size_t now = n->count * sizeof(void *), more = n->count ? now * 2 : sizeof(void *);
        void *items = arena_resize(r->arena, n->items, n->items ? now : 0, more);
        if (!items) {
            r->err = ERR_NO_MEMORY;
            return;
        }
        n->items = items;
    }
    n->items[n->count++] = item;
}

bool py_next_is(const struct py_reading *r, const char *text)
{
    const struct py_token *t = py_now(r);
    return (t->kind == TOKEN_MARK || t->kind == TOKEN_NAME) && slice_is(t->text, text);
}

bool py_take(struct py_reading *r, const char *text)
{
    if (!py_next_is(r, text)) return false;
    r->at++;
    return true;
}

/* --- the smallest parts -------------------------------------------------------------------------
 */

/* f"{a['b']} c": its strings, and what stands in braces as expressions of their own. */
static void formatted(struct py_reading *r, struct py_node *into, const struct py_token *t)
{
    struct slice s = t->text;
    struct buf plain = buf_make(PY_BYTES_MAX);
    uint32_t i = 0;
    while (i <= s.len && !r->err) {
        bool end = i == s.len, twice = i + 1 < s.len && s.at[i] == s.at[i + 1];
        bool brace = !end && (s.at[i] == '{' || s.at[i] == '}');
        if (!end && (!brace || twice)) {
            buf_char(&plain, (char)s.at[i]);
            i += brace ? 2 : 1;
            continue;
        }
        if (plain.len) {
            struct py_node *text = py_node_new(r, PY_STRING, t);
            if (text) text->text = arena_slice(r->arena, buf_view(&plain));
            py_put(r, into, text);
            buf_reset(&plain);
        }
        if (end) break;
        uint32_t from = ++i, level = 0, stop = 0;
        for (; i < s.len && (level || s.at[i] != '}'); i++) {
            level += s.at[i] == '[' || s.at[i] == '(' || s.at[i] == '{';
            level -= level && (s.at[i] == ']' || s.at[i] == ')' || s.at[i] == '}');
            bool format = !level && (s.at[i] == ':' ||
                                     (s.at[i] == '!' && i + 1 < s.len && s.at[i + 1] != '='));
            if (format && !stop) stop = i;
        }
        if (!stop) stop = i;
        i += i < s.len;
        struct py_reading inner = {.arena = r->arena, .depth = r->depth, .nodes = r->nodes};
        struct slice part = slice_make(s.at + from, stop > from ? stop - from : 0);
        if (!py_tokens(part, t->line, &inner)) py_put(r, into, py_expression(&inner));
        if (inner.err) r->err = inner.err;
        r->nodes = inner.nodes;
        vec_done(&inner.tokens);
    }
    buf_done(&plain);
}

/* Strings beside each other are one. */
static struct py_node *strings(struct py_reading *r)
{
    const struct py_token *first = py_now(r);
    bool any_formatted = false;
    size_t end = r->at;
    for (const struct py_token *t = first;; t = vec_at(&r->tokens, ++end)) {
        if (t->kind != TOKEN_STRING && t->kind != TOKEN_FSTRING) break;
        any_formatted = any_formatted || t->kind == TOKEN_FSTRING;
    }
    struct py_node *n = py_node_new(r, any_formatted ? PY_FSTRING : PY_STRING, first);
    if (!n) return NULL;
    if (any_formatted) n->text = (struct slice){0};
    struct buf all = buf_make(PY_BYTES_MAX);
    for (; r->at < end; r->at++) {
        const struct py_token *t = py_now(r);
        if (t->kind == TOKEN_FSTRING)
            formatted(r, n, t);
        else if (any_formatted)
            py_put(r, n, py_node_new(r, PY_STRING, t));
        else
            buf_slice(&all, t->text);
    }
    if (!any_formatted) n->text = arena_slice(r->arena, buf_view(&all));
    if (all.err) r->err = all.err;
    buf_done(&all);
    return n;
}

/* What stands between brackets, up to `close`; comprehensions and slices become PY_EXPRESSION. */
static bool inside(struct py_reading *r, struct py_node *n, const char *close)
{
    while (!py_take(r, close)) {
        if (py_now(r)->kind == TOKEN_END || py_now(r)->kind == TOKEN_LINE || r->err) return false;
        if (py_take(r, ",") || py_take(r, "async")) continue;
        if (py_take(r, ":") || py_take(r, "for") || py_take(r, "in") || py_take(r, "if")) {
            if (n->kind != PY_DICT) n->kind = n->kind == PY_CALL ? PY_CALL : PY_EXPRESSION;
            continue;
        }
        const struct py_token *from = py_now(r);
        bool spread = py_take(r, "**") || py_take(r, "*");
        struct py_node *item = py_expression(r);
        if (!item) return false;
        bool keyword = !spread && n->kind == PY_CALL && item->kind == PY_NAME && py_take(r, "=");
        if (keyword || spread) {
            struct py_node *k = py_node_new(r, PY_KEYWORD, from);
            py_put(r, k, keyword ? py_expression(r) : item);
            if (!k || k->count == 0) return false;
            if (n->kind == PY_DICT) py_put(r, n, k); /* a key of its own: pairs stay pairs */
            item = k;
        }
        py_put(r, n, item);
    }
    return true;
}

static struct py_node *bracketed(struct py_reading *r, enum py_kind kind, const char *close)
{
    struct py_node *n = py_node_new(r, kind, py_now(r));
    r->at++;
    if (!n || !inside(r, n, close)) return NULL;
    n->text = (struct slice){0};
    return n;
}

/* (a) is a; (a, b) and () are lists. */
static struct py_node *parenthesis(struct py_reading *r)
{
    size_t before = r->at;
    struct py_node *n = bracketed(r, PY_LIST, ")");
    if (!n || n->kind != PY_LIST || n->count != 1) return n;
    const struct py_token *last = vec_at(&r->tokens, r->at - 2);
    return r->at - before > 2 && slice_is(last->text, ",") && last->kind == TOKEN_MARK
               ? n
               : n->items[0];
}

static struct py_node *lambda(struct py_reading *r)
{
    struct py_node *n = py_node_new(r, PY_EXPRESSION, py_now(r));
    while (!py_next_is(r, ":") && py_now(r)->kind != TOKEN_LINE && py_now(r)->kind != TOKEN_END)
        r->at++;
    r->at += py_next_is(r, ":");
    if (n) n->text = SLICE("lambda");
    py_put(r, n, py_expression(r));
    return n;
}

static struct py_node *atom(struct py_reading *r)
{
    const struct py_token *t = py_now(r);
    switch (t->kind) {
    case TOKEN_STRING:
    case TOKEN_FSTRING: return strings(r);
    case TOKEN_NUMBER: r->at++; return py_node_new(r, PY_NUMBER, t);
    case TOKEN_NAME:
        if (slice_is(t->text, "lambda")) return lambda(r);
        r->at++;
        return py_node_new(r, PY_NAME, t);
    case TOKEN_MARK:
        if (slice_is(t->text, "(")) return parenthesis(r);
        if (slice_is(t->text, "[")) return bracketed(r, PY_LIST, "]");
        if (slice_is(t->text, "{")) return bracketed(r, PY_DICT, "}");
        if (!slice_is(t->text, "...")) return NULL;
        r->at++;
        return py_node_new(r, PY_NAME, t);
    default: return NULL;
    }
}

static struct py_node *postfix(struct py_reading *r)
{
    struct py_node *n = atom(r);
    while (n && !r->err) {
        const struct py_token *t = py_now(r);
        struct py_node *outer;
        if (py_take(r, ".")) {
            outer = py_node_new(r, PY_ATTRIBUTE, py_now(r));
            if (py_now(r)->kind != TOKEN_NAME) return NULL;
            r->at++;
            py_put(r, outer, n);
        } else if (py_take(r, "(")) {
            outer = py_node_new(r, PY_CALL, t);
            py_put(r, outer, n);
            if (!outer || !inside(r, outer, ")")) return NULL;
            outer->text = (struct slice){0};
        } else if (py_take(r, "[")) {
            outer = py_node_new(r, PY_SUBSCRIPT, t);
            py_put(r, outer, n);
            if (!outer || !inside(r, outer, "]")) return NULL;
        } else {
            break;
        }
        n = outer;
    }
    return n;
}

/* --- operators ----------------------------------------------------------------------------------
 */

static const struct {
    const char *text;
    int binds;
} operators[] = {{"or", 1}, {"and", 2}, {"in", 4},  {"is", 4}, {"not", 4}, {"<", 4},
                 {">", 4},  {"==", 4},  {"!=", 4},  {"<=", 4}, {">=", 4},  {"|", 5},
                 {"^", 6},  {"&", 7},   {"<<", 8},  {">>", 8}, {"+", 9},   {"-", 9},
                 {"*", 10}, {"/", 10},  {"//", 10}, {"%", 10}, {"@", 10},  {"**", 12}};

static int binding(const struct py_reading *r)
{
    for (size_t i = 0; i < COUNT_OF(operators); i++)
        if (py_next_is(r, operators[i].text)) return operators[i].binds;
    return 0;
}

static struct py_node *binary(struct py_reading *r, int least, bool no_in);

static struct py_node *unary(struct py_reading *r)
{
    const struct py_token *t = py_now(r);
    bool word = py_next_is(r, "not"), await = py_next_is(r, "await");
    if (!word && !await && !py_next_is(r, "-") && !py_next_is(r, "+") && !py_next_is(r, "~"))
        return postfix(r);
    r->at++;
    struct py_node *n = await ? NULL : py_node_new(r, PY_UNARY, t);
    struct py_node *of = binary(r, word ? 3 : 11, false);
    if (await || !of) return of;
    py_put(r, n, of);
    return n;
}

static struct py_node *binary(struct py_reading *r, int least, bool no_in)
{
    struct py_node *left = r->depth++ < PY_DEPTH_MAX ? unary(r) : NULL;
    while (left && !r->err) {
        int binds = binding(r);
        if (!binds || binds < least || (no_in && py_next_is(r, "in"))) break;
        struct py_node *n = py_node_new(r, PY_BINARY, py_now(r));
        bool is = py_take(r, "is");
        if (is ? py_take(r, "not") : py_take(r, "not")) {
            if (n) n->text = is ? SLICE("is not") : SLICE("not in");
            if (!is && !py_take(r, "in")) left = NULL;
        } else if (!is) {
            r->at++;
        }
        struct py_node *right = left ? binary(r, binds + 1, no_in) : NULL;
        if (!right) {
            left = NULL;
            break;
        }
        py_put(r, n, left);
        py_put(r, n, right);
        left = n;
    }
    r->depth--;
    return left;
}

struct py_node *py_expression(struct py_reading *r)
{
    if (r->depth >= PY_DEPTH_MAX) return NULL;
    r->depth++;
    /* `for x in y` of a comprehension reads its target here too: there `in` ends it. */
    bool after_for =
        r->at > 0 && slice_is(((struct py_token *)vec_at(&r->tokens, r->at - 1))->text, "for");
    struct py_node *n = binary(r, 1, after_for);
    if (n && py_take(r, ":=")) {
        struct py_node *value = py_expression(r);
        n = value;
    }
    const struct py_token *t = py_now(r);
    size_t before = r->at;
    if (n && !after_for && py_take(r, "if")) {
        struct py_node *choice = py_node_new(r, PY_CHOICE, t), *when = binary(r, 1, false);
        if (py_take(r, "else")) {
            py_put(r, choice, n);
            py_put(r, choice, when);
            py_put(r, choice, py_expression(r));
            n = choice && choice->count == 3 ? choice : NULL;
        } else {
            r->at = before; /* the `if` of a comprehension */
        }
    }
    r->depth--;
    return r->err ? NULL : n;
}

struct py_node *py_expressions(struct py_reading *r)
{
    const struct py_token *from = py_now(r);
    bool star = py_take(r, "*");
    struct py_node *first = py_expression(r);
    if (!first || (!star && !py_next_is(r, ","))) return first;
    struct py_node *list = py_node_new(r, PY_LIST, from);
    py_put(r, list, first);
    while (py_take(r, ",")) {
        (void)py_take(r, "*");
        struct py_node *next = py_expression(r);
        if (!next) break; /* a comma at the end */
        py_put(r, list, next);
    }
    return list;
}

/* --- looking at a tree --------------------------------------------------------------------------
 */

struct slice py_called(const struct py_node *n)
{
    if (!n || n->kind != PY_CALL || !n->count) return (struct slice){0};
    const struct py_node *of = n->items[0];
    return of->kind == PY_NAME || of->kind == PY_ATTRIBUTE ? of->text : (struct slice){0};
}

const struct py_node *py_owner(const struct py_node *call)
{
    if (!call || call->kind != PY_CALL || call->items[0]->kind != PY_ATTRIBUTE) return NULL;
    return call->items[0]->items[0];
}

const struct py_node *py_argument(const struct py_node *call, const char *name, int place)
{
    if (!call || call->kind != PY_CALL) return NULL;
    for (uint32_t i = 1; i < call->count; i++)
        if (name && py_is(call->items[i], PY_KEYWORD, name)) return call->items[i]->items[0];
    for (uint32_t i = 1; i < call->count && place >= 0; i++)
        if (call->items[i]->kind != PY_KEYWORD && place-- == 0) return call->items[i];
    return NULL;
}

void py_walk(const struct py_node *n, bool (*each)(void *ctx, const struct py_node *n), void *ctx)
{
    if (!n || !each(ctx, n)) return; /* as deep as the reader has let it be */
    for (uint32_t i = 0; i < n->count; i++) py_walk(n->items[i], each, ctx);
}
