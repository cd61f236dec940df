/* Expressions: by descent, one function a level of Jinja's precedence. */
#include "sched/template_parse.h"

#include <stdio.h>

err_t template_no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for a template");
}

err_t template_wrong(struct diag *d, struct slice text, uint32_t at, err_t e)
{
    uint32_t line = 1, start = 0;
    for (uint32_t i = 0; i < at && i < text.len; i++) {
        if (text.at[i] != '\n') continue;
        line++;
        start = i + 1;
    }
    if (d && !d->where[0])
        (void)diag_where(d, "the template's line %u, column %u", line, at - start + 1);
    return e;
}

err_t parse_wrong(struct parser *p, const char *why, ...)
{
    char text[128];
    va_list args;
    va_start(args, why);
    (void)vsnprintf(text, sizeof text, why, args);
    va_end(args);
    (void)diag_fail(p->d, ERR_SYNTAX, "template: %s", text);
    return template_wrong(p->d, p->text, p->at, ERR_SYNTAX);
}

static struct tnode *make(struct parser *p, enum tnode_kind kind)
{
    struct tnode *n = arena_take(p->a, sizeof *n);
    if (!n) return NULL;
    n->kind = kind;
    n->at = p->at;
    return n;
}

err_t parse_node(struct parser *p, enum tnode_kind kind, struct tnode **out)
{
    *out = make(p, kind);
    return *out ? ERR_OK : template_no_memory(p->d);
}

/* --- words --------------------------------------------------------------------------------------
 */

uint8_t parse_byte(const struct parser *p, uint32_t i)
{
    return i < p->text.len ? p->text.at[i] : 0;
}

void parse_space(struct parser *p)
{
    while (p->at < p->text.len && strchr(" \t\r\n", parse_byte(p, p->at))) p->at++;
}

static bool is_word(uint8_t c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80 ||
           (!first && c >= '0' && c <= '9');
}

static bool see_sign(struct parser *p, const char *sign)
{
    parse_space(p);
    size_t n = strlen(sign);
    return p->text.len - p->at >= n && memcmp(p->text.at + p->at, sign, n) == 0;
}

bool parse_sign(struct parser *p, const char *sign)
{
    if (!see_sign(p, sign)) return false;
    p->at += (uint32_t)strlen(sign);
    return true;
}

static bool see_word(struct parser *p, struct slice *out)
{
    parse_space(p);
    uint32_t end = p->at;
    if (!is_word(parse_byte(p, end), true)) return false;
    while (is_word(parse_byte(p, end), false)) end++;
    *out = slice_make(p->text.at + p->at, end - p->at);
    return true;
}

bool parse_word(struct parser *p, const char *word)
{
    struct slice s;
    if (!see_word(p, &s) || !slice_is(s, word)) return false;
    p->at += s.len;
    return true;
}

err_t template_name(struct parser *p, struct slice *out)
{
    if (!see_word(p, out)) return parse_wrong(p, "a name was expected");
    p->at += out->len;
    return ERR_OK;
}

/* --- expressions --------------------------------------------------------------------------------
 */

static err_t postfix(struct parser *p, struct tnode **out);

static err_t read_text(struct parser *p, struct tnode **out)
{
    static const char from[] = "\\'\"nrt", into[] = "\\'\"\n\r\t";
    uint8_t quote = parse_byte(p, p->at);
    err_t e = parse_node(p, TE_CONST, out);
    if (e) return e;
    uint32_t start = ++p->at;
    while (p->at < p->text.len && parse_byte(p, p->at) != quote)
        p->at += parse_byte(p, p->at) == '\\' && p->at + 1 < p->text.len ? 2 : 1;
    if (p->at >= p->text.len) return parse_wrong(p, "a text has no end");
    uint8_t *to = arena_take_raw(p->a, p->at - start + 1), *at = to;
    if (!to) return template_no_memory(p->d);
    for (uint32_t i = start; i < p->at; i++) {
        uint8_t c = p->text.at[i];
        const char *known = c == '\\' && i + 1 < p->at ? strchr(from, p->text.at[i + 1]) : NULL;
        *at++ = known ? (uint8_t)into[known - from] : c;
        i += known != NULL;
    }
    p->at++;
    (*out)->value = (struct doc){.kind = DOC_TEXT, .text = slice_make(to, (size_t)(at - to))};
    return ERR_OK;
}

static err_t read_number(struct parser *p, struct tnode **out)
{
    err_t e = parse_node(p, TE_CONST, out);
    if (e) return e;
    uint32_t start = p->at;
    bool real = false;
    for (;; p->at++) {
        uint8_t c = parse_byte(p, p->at);
        bool digit = c >= '0' && c <= '9';
        bool point =
            c == '.' && !real && parse_byte(p, p->at + 1) >= '0' && parse_byte(p, p->at + 1) <= '9';
        if (!digit && !point && c != '_') break;
        real |= point;
    }
    struct slice s = slice_make(p->text.at + start, p->at - start);
    (*out)->value.kind = real ? DOC_FLOAT : DOC_INT;
    if (real ? slice_to_f64(s, &(*out)->value.real) : slice_to_i64(s, &(*out)->value.number))
        return ERR_OK;
    return parse_wrong(p, "not a number");
}

/* Parts between commas up to `close`; names: "name=value" (a call's), pairs: "key: value" (a
 * map's). */
static err_t read_parts(struct parser *p, const char *close, bool names, bool pairs,
                        struct tnode *into)
{
    struct vec parts = vec_make(sizeof(struct tnode *), TEMPLATE_PARTS_MAX),
               words = vec_make(sizeof(struct slice), TEMPLATE_PARTS_MAX);
    err_t e = ERR_OK;
    while (!e && !parse_sign(p, close)) {
        struct slice name = {0}, word;
        struct tnode *part = NULL, *value = NULL;
        uint32_t back = p->at;
        if (names && see_word(p, &word)) {
            p->at += word.len;
            if (see_sign(p, "=") && !see_sign(p, "==")) {
                (void)parse_sign(p, "=");
                name = word;
            } else {
                p->at = back;
            }
        }
        e = parse_expression(p, &part);
        if (!e && pairs && !parse_sign(p, ":")) e = parse_wrong(p, "':' was expected");
        if (!e && pairs) e = parse_expression(p, &value);
        if (!e) e = vec_push(&parts, &part);
        if (!e && pairs) e = vec_push(&parts, &value);
        if (!e) e = vec_push(&words, &name);
        if (!e && !parse_sign(p, ",") && !see_sign(p, close))
            e = parse_wrong(p, "',' or the end of a list was expected");
    }
    into->count = (uint32_t)parts.count;
    into->list = e ? NULL : arena_take(p->a, (parts.count + 1) * sizeof *into->list);
    into->names = e ? NULL : arena_take(p->a, (words.count + 1) * sizeof *into->names);
    if (!e && (!into->list || !into->names)) e = template_no_memory(p->d);
    if (!e && parts.count) memcpy(into->list, parts.items, parts.count * sizeof *into->list);
    if (!e && words.count) memcpy(into->names, words.items, words.count * sizeof *into->names);
    vec_done(&parts);
    vec_done(&words);
    return e;
}

static bool constant(struct slice word, struct doc *out)
{
    static const struct {
        const char *word;
        struct doc value;
    } known[] = {{"true", {.kind = DOC_BOOL, .yes = true}},
                 {"True", {.kind = DOC_BOOL, .yes = true}},
                 {"false", {.kind = DOC_BOOL}},
                 {"False", {.kind = DOC_BOOL}},
                 {"none", {.kind = DOC_NULL}},
                 {"None", {.kind = DOC_NULL}}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (!slice_is(word, known[i].word)) continue;
        *out = known[i].value;
        return true;
    }
    return false;
}

static err_t primary(struct parser *p, struct tnode **out)
{
    struct slice word;
    parse_space(p);
    uint8_t c = parse_byte(p, p->at);
    if (c == '\'' || c == '"') return read_text(p, out);
    if (c >= '0' && c <= '9') return read_number(p, out);
    err_t e = parse_node(p, TE_NAME, out);
    if (e) return e;
    if (parse_sign(p, "(")) {
        e = parse_expression(p, out);
        if (!e && see_sign(p, ",")) return parse_wrong(p, "tuples are written as lists: [a, b]");
        return e ? e : parse_sign(p, ")") ? ERR_OK : parse_wrong(p, "')' was expected");
    }
    if (parse_sign(p, "[")) {
        (*out)->kind = TE_LIST;
        return read_parts(p, "]", false, false, *out);
    }
    if (parse_sign(p, "{")) {
        (*out)->kind = TE_DICT;
        return read_parts(p, "}", false, true, *out);
    }
    if (!see_word(p, &word)) return parse_wrong(p, "a value was expected");
    p->at += word.len;
    (*out)->text = word;
    if (constant(word, &(*out)->value)) (*out)->kind = TE_CONST;
    return ERR_OK;
}

static err_t subscript(struct parser *p, struct tnode *self, struct tnode **out)
{
    struct tnode *n;
    err_t e = parse_node(p, TE_ITEM, &n);
    if (e) return e;
    n->a = self;
    if (!see_sign(p, ":")) e = parse_expression(p, &n->b);
    if (!e && parse_sign(p, ":")) {
        n->kind = TE_SLICE;
        if (!see_sign(p, "]") && !see_sign(p, ":")) e = parse_expression(p, &n->c);
        bool stepped = !e && parse_sign(p, ":") && !see_sign(p, "]");
        if (stepped) e = parse_expression(p, &n->d);
    }
    *out = n;
    return e ? e : parse_sign(p, "]") ? ERR_OK : parse_wrong(p, "']' was expected");
}

static err_t wrap(struct parser *p, enum tnode_kind kind, struct tnode **self)
{
    struct tnode *n;
    err_t e = parse_node(p, kind, &n);
    if (e) return e;
    n->a = *self;
    *self = n;
    return ERR_OK;
}

static err_t filter_of(struct parser *p, struct tnode **self)
{
    err_t e = wrap(p, TE_FILTER, self);
    if (!e) e = template_name(p, &(*self)->text);
    if (!e && parse_sign(p, "(")) e = read_parts(p, ")", true, false, *self);
    return e;
}

/* `x is eq 5`: one argument needs no parentheses. */
static err_t test_argument(struct parser *p, struct tnode *test)
{
    static struct slice by_place;
    test->list = arena_take(p->a, sizeof *test->list);
    if (!test->list) return template_no_memory(p->d);
    test->count = 1;
    test->names = &by_place;
    return postfix(p, &test->list[0]);
}

static err_t test_of(struct parser *p, struct tnode **self)
{
    err_t e = wrap(p, TE_TEST, self);
    if (e) return e;
    (*self)->op = parse_word(p, "not");
    e = template_name(p, &(*self)->text);
    if (e) return e;
    if (parse_sign(p, "(")) return read_parts(p, ")", true, false, *self);
    return template_test_compares((*self)->text) ? test_argument(p, *self) : ERR_OK;
}

static err_t postfix(struct parser *p, struct tnode **out)
{
    err_t e = primary(p, out);
    while (!e) {
        if (parse_sign(p, ".")) {
            e = wrap(p, TE_ATTR, out);
            if (!e) e = template_name(p, &(*out)->text);
        } else if (parse_sign(p, "[")) {
            e = subscript(p, *out, out);
        } else if (parse_sign(p, "(")) {
            e = wrap(p, TE_CALL, out);
            if (!e) e = read_parts(p, ")", true, false, *out);
        } else {
            return ERR_OK;
        }
    }
    return e;
}

/* A sign before it binds closer than a filter behind it: -n|abs is (-n)|abs, as in Jinja. */
static err_t unary(struct parser *p, struct tnode **out)
{
    if (p->depth >= TEMPLATE_DEPTH_MAX) return parse_wrong(p, "nested too deep");
    bool minus = see_sign(p, "-") && !see_sign(p, "-}") && !see_sign(p, "-%");
    if (!minus) return postfix(p, out);
    (void)parse_sign(p, "-");
    struct tnode *n;
    err_t e = parse_node(p, TE_NEGATE, &n);
    if (e) return e;
    p->depth++;
    e = unary(p, &n->a);
    p->depth--;
    *out = n;
    return e;
}

static err_t filtered(struct parser *p, struct tnode **out)
{
    err_t e = unary(p, out);
    while (!e) {
        if (parse_sign(p, "|"))
            e = filter_of(p, out);
        else if (parse_word(p, "is"))
            e = test_of(p, out);
        else
            return ERR_OK;
    }
    return e;
}

/* From the left, as Jinja, not Python, has it. */
static err_t power(struct parser *p, struct tnode **out)
{
    err_t e = filtered(p, out);
    while (!e && parse_sign(p, "**")) {
        e = wrap(p, TE_BINARY, out);
        if (e) return e;
        (*out)->op = TB_POW;
        e = filtered(p, &(*out)->b);
    }
    return e;
}

/* Binary operators by level, the weakest first. */
struct sign {
    const char *text;
    bool word;
    enum tbinary op;
};
static const struct sign levels[4][9] = {
    {{"==", false, TB_EQ},
     {"!=", false, TB_NE},
     {"<=", false, TB_LE},
     {">=", false, TB_GE},
     {"<", false, TB_LT},
     {">", false, TB_GT},
     {"in", true, TB_IN}},
    {{"+", false, TB_ADD}, {"-", false, TB_SUB}},
    {{"~", false, TB_JOIN}},
    {{"//", false, TB_FLOOR}, {"/", false, TB_DIV}, {"*", false, TB_MUL}, {"%", false, TB_MOD}},
};

static bool take_operator(struct parser *p, int level, enum tbinary *op)
{
    uint32_t back = p->at;
    if (level == 0 && parse_word(p, "not")) {
        *op = TB_NOT_IN;
        if (parse_word(p, "in")) return true;
        p->at = back;
        return false;
    }
    /* "-}}" and "%}" end the tag; "**" is stronger */
    if (see_sign(p, "-}") || see_sign(p, "-%}") || see_sign(p, "%}") || see_sign(p, "**"))
        return false;
    for (size_t i = 0; i < COUNT_OF(levels[level]) && levels[level][i].text; i++) {
        const struct sign *s = &levels[level][i];
        *op = s->op;
        if (s->word ? parse_word(p, s->text) : parse_sign(p, s->text)) return true;
    }
    return false;
}

static err_t binary(struct parser *p, int level, struct tnode **out)
{
    if (level == COUNT_OF(levels)) return power(p, out);
    err_t e = binary(p, level + 1, out);
    enum tbinary op;
    struct tnode *last = NULL, *before = NULL;
    while (!e && take_operator(p, level, &op)) {
        if (level == 0 && last) { /* a < b < c: each with its neighbour */
            before = *out;
            *out = last->b;
        }
        e = wrap(p, TE_BINARY, out);
        if (e) return e;
        last = *out;
        last->op = (int)op;
        e = binary(p, level + 1, &last->b);
        if (e || !before) continue;
        *out = before;
        e = wrap(p, TE_AND, out);
        (*out)->b = last;
    }
    return e;
}

static err_t negation(struct parser *p, struct tnode **out)
{
    if (!parse_word(p, "not")) return binary(p, 0, out);
    struct tnode *n;
    err_t e = parse_node(p, TE_NOT, &n);
    if (e) return e;
    if (++p->depth > TEMPLATE_DEPTH_MAX) return parse_wrong(p, "nested too deep");
    e = negation(p, &n->a);
    p->depth--;
    *out = n;
    return e;
}

err_t parse_joined(struct parser *p, bool any, struct tnode **out)
{
    err_t e = any ? parse_joined(p, false, out) : negation(p, out);
    while (!e && parse_word(p, any ? "or" : "and")) {
        e = wrap(p, any ? TE_OR : TE_AND, out);
        if (!e) e = any ? parse_joined(p, false, &(*out)->b) : negation(p, &(*out)->b);
    }
    return e;
}

err_t parse_expression(struct parser *p, struct tnode **out)
{
    if (++p->depth > TEMPLATE_DEPTH_MAX) return parse_wrong(p, "nested too deep");
    err_t e = parse_joined(p, true, out);
    if (!e && parse_word(p, "if")) {
        e = wrap(p, TE_COND, out);
        if (!e) e = parse_joined(p, true, &(*out)->b);
        if (!e && parse_word(p, "else")) e = parse_expression(p, &(*out)->c);
    }
    p->depth--;
    return e;
}
