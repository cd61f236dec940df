#include "sql/parse.h"
#include "sql/text.h"
#include <stdio.h>

/* --- tokens -------------------------------------------------------------------------------------
 */

const struct token *token_peek(struct parser *p, uint32_t n)
{
    static const struct token end = {.kind = TOKEN_END};
    while (p->ahead_count <= n && !p->err) {
        p->err = lex_next(&p->lex, &p->ahead[p->ahead_count]);
        if (!p->err) p->ahead_count++;
    }
    return p->err ? &end : &p->ahead[n];
}

struct token token_take(struct parser *p)
{
    struct token t = *token_peek(p, 0);
    if (p->err) return t;
    if (t.kind != TOKEN_END) p->last_end = t.text.at + t.text.len;
    p->ahead_count--;
    memmove(p->ahead, p->ahead + 1, p->ahead_count * sizeof(p->ahead[0]));
    return t;
}

bool token_is_word(const struct token *t, const char *word)
{
    return t->kind == TOKEN_WORD && slice_equal_nocase(t->value, slice_of(word));
}
bool token_is_op(const struct token *t, const char *op)
{
    return t->kind == TOKEN_OP && slice_is(t->value, op);
}
bool at_word(struct parser *p, const char *word)
{
    return token_is_word(token_peek(p, 0), word);
}
bool at_op(struct parser *p, const char *op)
{
    return token_is_op(token_peek(p, 0), op);
}
bool at_words(struct parser *p, const char *first, const char *second)
{
    return at_word(p, first) && token_is_word(token_peek(p, 1), second);
}
bool at_function(struct parser *p, const char *word)
{
    return at_word(p, word) && token_is_op(token_peek(p, 1), "(");
}
bool at_end(struct parser *p)
{
    return token_peek(p, 0)->kind == TOKEN_END || at_op(p, ";");
}
bool accept_word(struct parser *p, const char *word)
{
    bool yes = at_word(p, word);
    if (yes) (void)token_take(p);
    return yes;
}
bool accept_words(struct parser *p, const char *first, const char *second)
{
    bool yes = at_words(p, first, second);
    if (yes) (void)token_take(p);
    if (yes) (void)token_take(p);
    return yes;
}
bool accept_op(struct parser *p, const char *op)
{
    bool yes = at_op(p, op);
    if (yes) (void)token_take(p);
    return yes;
}
void expect_word(struct parser *p, const char *word)
{
    if (!accept_word(p, word)) parse_expected(p, word, &word, 1);
}
void expect_op(struct parser *p, const char *op)
{
    char what[16];
    snprintf(what, sizeof(what), "'%s'", op);
    if (!accept_op(p, op)) parse_expected(p, what, NULL, 0);
}

bool is_reserved(const struct parser *p, const struct token *t)
{
    const struct word *w = t->kind == TOKEN_WORD ? word_find(t->value) : NULL;
    return w && w->reserved[p->dialect];
}

struct slice text_since(const struct parser *p, const uint8_t *start)
{
    bool some = start && p->last_end > start;
    return slice_make(start, some ? (size_t)(p->last_end - start) : 0);
}

const uint8_t *parse_here(struct parser *p)
{
    return token_peek(p, 0)->text.at;
}

void parse_place(struct parser *p, const uint8_t *at, uint32_t *line, uint32_t *column)
{
    if (!p->place || at < p->place) {
        sql_line_column(p->lex.text, at, &p->line, &p->column);
    } else {
        uint32_t lines, columns;
        sql_line_column(slice_make(p->place, (size_t)(at - p->place)), at, &lines, &columns);
        p->column = lines == 1 ? p->column + columns - 1 : columns;
        p->line += lines - 1;
    }
    p->place = at;
    *line = p->line;
    *column = p->column;
}

/* --- mistakes -----------------------------------------------------------------------------------
 */

void parse_fail(struct parser *p, const uint8_t *at, err_t e, const char *fmt, ...)
{
    p->told = !p->err; /* the first one is the cause of the rest */
    if (p->err) return;
    char what[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    p->err = diag_fail(p->d, e, "%s", what);
    (void)sql_place(p->d, p->lex.text, at ? at : p->lex.text.at + p->lex.text.len, p->lex.file);
}

void parse_hint(struct parser *p, const char *fmt, ...)
{
    if (!p->told) return;
    char hint[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(hint, sizeof(hint), fmt, args);
    va_end(args);
    (void)diag_hint(p->d, "%s", hint);
}

void parse_expected(struct parser *p, const char *what, const char *const *words, size_t count)
{
    struct token t = *token_peek(p, 0);
    if (p->err) return;
    if (t.kind == TOKEN_END) {
        const uint8_t *end = p->last_end ? p->last_end : p->lex.text.at;
        parse_fail(p, end, ERR_SYNTAX, "expected %s here, but the text ends", what);
        return;
    }
    struct slice shown = t.text;
    shown.len = MIN(shown.len, 40u);
    shown.len = utf8_bad_at(shown); /* never half a letter */
    const char *quote = t.kind == TOKEN_STRING || t.kind == TOKEN_QUOTED ? "" : "'";
    parse_fail(p, t.text.at, ERR_SYNTAX, "expected %s here, got %s%.*s%s%s", what, quote,
               SLICE_ARG(shown), shown.len < t.text.len ? "…" : "", quote);
    const char *near = t.kind == TOKEN_WORD ? nearest_word(t.value, words, count) : NULL;
    bool same = near && slice_equal_nocase(t.value, slice_of(near)); /* right, but not here */
    if (near && !same) parse_hint(p, "did you mean %s?", near);
}

void parse_unsupported(struct parser *p, const uint8_t *at, const char *what)
{
    parse_fail(p, at, ERR_UNSUPPORTED, "%s: not available in this version", what);
}

void parse_note(struct parser *p, const uint8_t *at, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    struct sql_note *n = parse_list_add(p, &p->notes, sizeof(*n));
    if (!n) return;
    parse_place(p, at, &n->line, &n->column);
    n->text = arena_slice(p->arena, slice_make(text, utf8_bad_at(slice_of(text))));
    if (!n->text.at) parse_fail(p, at, ERR_NO_MEMORY, "this text does not fit into the memory");
}

void *parse_take(struct parser *p, size_t size)
{
    void *memory = p->err ? NULL : arena_take(p->arena, size);
    if (!memory)
        parse_fail(p, p->last_end, ERR_NO_MEMORY, "this text does not fit into the memory");
    return memory;
}

void *parse_list_add(struct parser *p, struct list *l, size_t item_size)
{
    if (l->count == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 4;
        uint8_t *items = parse_take(p, cap * item_size);
        if (!items) return NULL;
        if (l->count) memcpy(items, l->items, l->count * item_size);
        l->items = items;
        l->cap = cap;
    }
    return l->items + l->count++ * item_size;
}

/* --- pieces -------------------------------------------------------------------------------------
 */

struct slice parse_name(struct parser *p, const char *what)
{
    const struct token *t = token_peek(p, 0);
    if (t->kind == TOKEN_QUOTED || (t->kind == TOKEN_WORD && !is_reserved(p, t)))
        return token_take(p).value;
    bool reserved = t->kind == TOKEN_WORD;
    struct slice word = t->text;
    parse_expected(p, what, NULL, 0);
    if (reserved)
        parse_hint(p, "%.*s is a reserved word: as a name write it in quotes, \"%.*s\"",
                   SLICE_ARG(word), SLICE_ARG(word));
    return (struct slice){0};
}

struct sql_name parse_qualified(struct parser *p, const char *what)
{
    struct sql_name n = {.name = parse_name(p, what)};
    if (!accept_op(p, ".")) return n;
    n.keyspace = n.name;
    n.name = parse_name(p, what);
    return n;
}

struct list parse_names(struct parser *p, const char *what)
{
    struct list names = {0};
    expect_op(p, "(");
    do {
        struct slice *name = parse_list_add(p, &names, sizeof(*name));
        if (name) *name = parse_name(p, what);
    } while (accept_op(p, ",") && !p->err);
    expect_op(p, ")");
    return names;
}

int64_t parse_integer(struct parser *p, const char *what)
{
    int64_t v = 0;
    const struct token *t = token_peek(p, 0);
    if (t->kind == TOKEN_PARAM) parse_unsupported(p, t->text.at, "a placeholder here");
    if (t->kind != TOKEN_INTEGER) {
        parse_expected(p, what, NULL, 0);
        return 0;
    }
    if (!slice_to_i64(t->value, &v))
        parse_fail(p, t->text.at, ERR_RANGE, "%.*s does not fit bigint", SLICE_ARG(t->value));
    (void)token_take(p);
    return v;
}

struct slice parse_string(struct parser *p, const char *what)
{
    if (token_peek(p, 0)->kind != TOKEN_STRING) {
        parse_expected(p, what, NULL, 0);
        return (struct slice){0};
    }
    return token_take(p).value;
}

/* --- the text -----------------------------------------------------------------------------------
 */

/* One statement. */
static void parse_one(struct parser *p, struct statement *s)
{
    const uint8_t *start = parse_here(p);
    *s = (struct statement){0}; /* its place may have been another's that only declared something */
    parse_place(p, start, &s->line, &s->column);
    s->script = p->lex.text;
    s->file = p->lex.file;
    s->dialect = p->dialect;
    s->watermark_delay_ms = -1;
    if (!p->nothing) p->notes = (struct list){0}; /* else the next statement tells them */
    p->uses = (struct list){0};
    p->declaring = NULL;
    p->expanded = 0;
    p->checks = p->nothing = false;
    parse_statement(p, s);
    s->text = text_since(p, start);
    s->notes = (const struct sql_note *)(const void *)p->notes.items;
    s->note_count = p->notes.count;
    declared_done(p, s);
    if (p->err || at_end(p)) return;
    static const char *const next[] = {"WHERE", "GROUP", "HAVING", "ORDER", "LIMIT",    "ALLOW",
                                       "CHECK", "WITH",  "USING",  "IF",    "OFFSET",   "UNION",
                                       "JOIN",  "LEFT",  "RIGHT",  "FULL",  "INNER",    "CROSS",
                                       "EMIT",  "AS",    "WINDOW", "INTO",  "WATERMARK"};
    struct slice word = token_peek(p, 0)->value;
    bool clause = token_peek(p, 0)->kind == TOKEN_WORD && s->query;
    parse_expected(p, "the end of the statement", next, COUNT_OF(next));
    for (size_t i = 0; clause && i < COUNT_OF(next); i++)
        if (slice_equal_nocase(word, slice_of(next[i])) && p->d && !p->d->hint[0])
            parse_hint(p, "the order is FROM, JOIN, WHERE, GROUP BY, HAVING, WINDOW, CHECK, UNION, "
                          "ORDER BY, LIMIT, OFFSET, EMIT");
}

static void parse_script(struct parser *p, struct script *out)
{
    struct list statements = {0};
    while (!p->err) {
        while (accept_op(p, ";")) {
        }
        if (token_peek(p, 0)->kind == TOKEN_END) break;
        struct statement *s = parse_list_add(p, &statements, sizeof(*s));
        if (s) parse_one(p, s);
        if (s && p->nothing) statements.count--;
    }
    if (statements.count == 0 && p->nothing) {
        parse_fail(p, p->lex.text.at, ERR_UNSUPPORTED,
                   "this text only declares what other statements of it would use");
        parse_hint(p,
                   "CREATE MATERIALIZED VIEW keeps its rows; a sink is INSERT INTO and its query");
    }
    *out = (struct script){(struct statement *)(void *)statements.items, statements.count};
}

err_t sql_parse(struct slice text, const char *file, enum sql_dialect dialect, struct arena *a,
                struct script *out, struct diag *d)
{
    *out = (struct script){0};
    if (text.len > SQL_TEXT_MAX) {
        (void)diag_fail(d, ERR_TOO_BIG, "the text is %u bytes, more than %u", text.len,
                        (unsigned)SQL_TEXT_MAX);
        (void)diag_where(d, "%s", file);
        return ERR_TOO_BIG;
    }
    struct parser p = {.arena = a, .d = d, .dialect = dialect};
    struct slice own = arena_slice(a, text);
    char *own_file = arena_text(a, slice_of(file));
    if (!own.at || !own_file) return diag_fail(d, ERR_NO_MEMORY, "the text does not fit");
    p.lex = (struct lexer){
        .text = own, .dialect = &dialects[dialect], .arena = a, .d = d, .file = own_file};
    uint32_t bad = utf8_bad_at(own);
    if (bad < own.len) parse_fail(&p, own.at + bad, ERR_BAD_UTF8, "this is no valid UTF-8");
    if (!p.err) parse_script(&p, out);
    if (p.err) *out = (struct script){0};
    return p.err;
}

struct slice sql_option(const struct sql_options *o, const char *name)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (slice_equal_nocase(o->items[i].name, slice_of(name))) return o->items[i].value;
    return (struct slice){0};
}
