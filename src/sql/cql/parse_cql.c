/* CQL's grammar: tokens, names, messages and the one entry. */
#include "sql/cql/parse_cql.h"
#include "sql/text.h"
#include <stdio.h>

/* --- tokens ----------------------------------------------------------------------------------- */

static void lex_failed(struct cql_parser *p);

/* The n-th token ahead; NULL after a mistake. */
static const struct cql_token *peek(struct cql_parser *p, uint32_t n)
{
    while (!p->err && p->next + n >= p->count) {
        if (p->count == p->cap) {
            uint32_t cap = p->cap ? p->cap * 2 : 32;
            void *more = arena_resize(p->arena, p->tokens, p->cap * sizeof(struct cql_token),
                                      cap * sizeof(struct cql_token));
            if (!more) {
                p->hard = true;
                p->err = diag_fail(p->d, ERR_NO_MEMORY, "the statement does not fit");
                return NULL;
            }
            p->tokens = more;
            p->cap = cap;
        }
        if (cql_lex(&p->lex, false, &p->tokens[p->count]))
            p->count++;
        else
            lex_failed(p);
    }
    return p->err ? NULL : &p->tokens[p->next + n];
}

uint32_t cql_peek(struct cql_parser *p, uint32_t n)
{
    const struct cql_token *t = peek(p, n);
    return t ? t->kind : T_END;
}

static struct slice token_text(const struct cql_parser *p, const struct cql_token *t)
{
    return slice_make(p->lex.text.at + t->at, t->len);
}

struct slice cql_take(struct cql_parser *p)
{
    const struct cql_token *t = peek(p, 0);
    if (!t) return (struct slice){0};
    struct slice text = token_text(p, t);
    if (t->kind == T_END) return text;
    p->next++;
    (void)peek(p, 0); /* as the original: the next one is always there */
    return text;
}

bool cql_accept(struct cql_parser *p, uint32_t kind)
{
    if (p->err || !cql_at(p, kind)) return false;
    (void)cql_take(p);
    return true;
}

const uint8_t *cql_start(struct cql_parser *p)
{
    const struct cql_token *t = peek(p, 0);
    return t ? p->lex.text.at + t->at : NULL;
}

struct slice cql_since(struct cql_parser *p, const uint8_t *start)
{
    if (p->err || !start || p->next == 0) return (struct slice){0};
    const struct cql_token *last = &p->tokens[p->next - 1];
    const uint8_t *end = p->lex.text.at + last->at + last->len;
    return slice_make(start, end > start ? (size_t)(end - start) : 0);
}

/* Quoted text without its quotes, doubled ones single; a name without quotes in lower case. */
static struct slice meaning(struct cql_parser *p, const struct cql_token *t)
{
    struct slice text = token_text(p, t);
    if (t->kind == T_STRING_LITERAL && text.at[0] == '$')
        return slice_make(text.at + 2, text.len - 4);
    bool quoted = t->kind == T_STRING_LITERAL || t->kind == T_QUOTED_NAME;
    bool same = true;
    if (quoted) text = slice_make(text.at + 1, text.len - 2);
    if (t->kind == T_EMPTY_QUOTED_NAME) return slice_make(text.at, 0);
    uint8_t quote = t->kind == T_QUOTED_NAME ? '"' : '\'';
    for (uint32_t i = 0; i < text.len && same; i++)
        same = quoted ? text.at[i] != quote : text.at[i] < 'A' || text.at[i] > 'Z';
    if (same) return text;
    uint8_t *out = arena_take_raw(p->arena, text.len);
    if (!out) {
        cql_fail(p, ERR_NO_MEMORY, "the statement does not fit");
        return (struct slice){0};
    }
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        out[n++] = !quoted && c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
        if (quoted && c == quote) i++;
    }
    return slice_make(out, n);
}

struct slice cql_value(struct cql_parser *p)
{
    const struct cql_token *t = peek(p, 0);
    if (!t) return (struct slice){0};
    struct slice value = meaning(p, t);
    (void)cql_take(p);
    return value;
}

bool cql_is_name(uint32_t kind)
{
    return kind == T_IDENT || kind == T_QUOTED_NAME ||
           (kind > T_FIRST_WORD && cql_kind_use(kind) != USE_RESERVED);
}

/* --- mistakes --------------------------------------------------------------------------------- *
 * The words are the original's: which token, what was expected, and up to ten tokens before and two
 * behind (spaces count, and behind it only what was looked at) with brackets around the place.
 */

/* Java counts UTF-16 units. */
static size_t java_length(struct slice s)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s.len; i++)
        n += (s.at[i] & 0xc0) == 0x80 ? 0u : s.at[i] < 0xf0 ? 1u : 2u;
    return n;
}

static void line_position(struct slice text, uint32_t at, uint32_t *line, uint32_t *start)
{
    *line = 1;
    *start = 0;
    for (uint32_t i = 0; i < at; i++) {
        if (text.at[i] != '\n') continue;
        (*line)++;
        *start = i + 1;
    }
}

/* "line 1:7 ", or the original's famous place of the end. */
static void put_place(struct cql_parser *p, struct buf *out, uint32_t at, bool end)
{
    uint32_t line, start;
    line_position(p->lex.text, at, &line, &start);
    if (end)
        buf_text(out, "line 0:-1 ");
    else
        buf_printf(out, "line %u:%zu ", line,
                   java_length(slice_make(p->lex.text.at + start, at - start)));
}

/* How many bytes of the text the original counts for a token: its meaning's length, since it has
 * taken the quotes away and forgets about them here. */
static uint32_t shown_length(struct cql_parser *p, const struct cql_token *t)
{
    if (t->kind != T_STRING_LITERAL && t->kind != T_QUOTED_NAME) return t->len;
    struct slice text = token_text(p, t);
    uint32_t quotes = text.at[0] == '$' ? 4 : 2;
    for (uint32_t i = 1; i + 1 < text.len && quotes < 4; i++)
        if (text.at[i] == text.at[0] && text.at[i + 1] == text.at[0] && i + 2 < text.len)
            return (uint32_t)(text.len - 2);
    return text.len - quotes;
}

static void put_without_breaks(struct buf *out, struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++)
        if (s.at[i] != '\n') buf_char(out, (char)s.at[i]);
}

enum { SNIPPET_BEFORE = 10, SNIPPET_BEHIND = 2 };

/* The tokens again, spaces and comments among them: the window around the current one. */
static void put_snippet(struct cql_parser *p, struct buf *out)
{
    struct cql_token window[SNIPPET_BEFORE + 1 + SNIPPET_BEHIND];
    const struct cql_token *now = &p->tokens[p->next], *seen = &p->tokens[p->count - 1];
    struct cql_lexer again = {.text = p->lex.text};
    uint32_t count = 0, behind = 0;
    for (struct cql_token t; cql_lex(&again, true, &t);) {
        if (t.at > seen->at) break;
        if (t.at <= now->at && count == SNIPPET_BEFORE + 1)
            memmove(window, window + 1, --count * sizeof(t));
        if (t.at > now->at && ++behind > SNIPPET_BEHIND) break;
        window[count++] = t;
        if (t.kind == T_END && t.len == 0) break;
    }
    if (!count) return;
    const struct cql_token *from = &window[0], *to = &window[count - 1];
    if ((to->kind == T_END && to->len == 0) || (now->kind == T_END && now->len == 0)) return;
    struct slice text = p->lex.text;
    uint32_t end = to->at + shown_length(p, to), last = text.len;
    while (last && text.at[last - 1] == '\n') last--;
    uint32_t close = MIN(now->at + shown_length(p, now), end);
    buf_text(out, from->at == 0 ? " (" : " (...");
    put_without_breaks(out, slice_make(text.at + from->at, now->at - from->at));
    buf_char(out, '[');
    put_without_breaks(out, slice_make(text.at + now->at, close - now->at));
    buf_char(out, ']');
    put_without_breaks(out, slice_make(text.at + close, end - close));
    buf_text(out, end == last ? ")" : "...)");
}

static void put_token(struct cql_parser *p, struct buf *out, const struct cql_token *t)
{
    if (t->kind == T_END) {
        buf_text(out, "'<EOF>'");
        return;
    }
    struct slice text = meaning(p, t);
    if (t->kind != T_STRING_LITERAL && t->kind != T_QUOTED_NAME) text = token_text(p, t);
    buf_char(out, '\'');
    for (uint32_t i = 0; i < text.len; i++) {
        static const char breaks[] = "\nn\rr\tt";
        const char *b = text.at[i] ? strchr(breaks, text.at[i]) : NULL;
        if (text.at[i] < ' ' && b) {
            buf_char(out, '\\');
            buf_char(out, b[1]);
        } else {
            buf_char(out, (char)text.at[i]);
        }
    }
    buf_char(out, '\'');
}

static void tell(struct cql_parser *p, err_t e, struct buf *words, uint32_t at)
{
    p->err = diag_fail(p->d, e, "%s", buf_cstr(words));
    (void)sql_place(p->d, p->lex.text, p->lex.text.at + at, "cql");
    if (e == ERR_NO_MEMORY) p->hard = true;
}

enum { MESSAGE_MAX = 512 };

static void lex_failed(struct cql_parser *p)
{
    char memory[MESSAGE_MAX];
    struct buf out = buf_over(memory, sizeof(memory));
    uint32_t at = p->lex.mistake_at;
    put_place(p, &out, at, false);
    buf_text(&out, p->lex.mistake);
    if (p->lex.mistake[strlen(p->lex.mistake) - 1] == 'r')
        buf_printf(&out, " '%.*s'",
                   (int)utf8_size(slice_make(p->lex.text.at + at, p->lex.text.len - at)),
                   (const char *)p->lex.text.at + at);
    p->hard = true;
    tell(p, ERR_SYNTAX, &out, at);
}

/* "line 1:7 " before "input 'x'" after_it (snippet). */
static void tell_token(struct cql_parser *p, uint32_t n, const char *before, const char *after)
{
    char memory[2 * MESSAGE_MAX];
    const struct cql_token *t = peek(p, n);
    if (p->err) return;
    if (p->trials) {
        p->err = ERR_SYNTAX;
        return;
    }
    struct buf out = buf_over(memory, sizeof(memory) - 1);
    put_place(p, &out, t->at, t->kind == T_END);
    buf_text(&out, before);
    put_token(p, &out, t);
    buf_text(&out, after);
    put_snippet(p, &out);
    if (out.err) memory[out.len] = 0, out.err = ERR_OK;
    tell(p, ERR_SYNTAX, &out, t->at);
}

void cql_no_viable(struct cql_parser *p, uint32_t n)
{
    tell_token(p, n, "no viable alternative at input ", "");
}

void cql_mismatch_set(struct cql_parser *p)
{
    tell_token(p, 0, "mismatched input ", " expecting set null");
}

void cql_match(struct cql_parser *p, uint32_t kind)
{
    if (cql_accept(p, kind)) return;
    char expecting[64];
    snprintf(expecting, sizeof(expecting), " expecting %s", cql_kind_name(kind));
    tell_token(p, 0, "mismatched input ", expecting);
}

/* What stands behind the statement's end. */
static void match_end(struct cql_parser *p)
{
    if (p->err || cql_at(p, T_END)) return;
    if (cql_peek(p, 1) == T_END && !p->err)
        tell_token(p, 0, "extraneous input ", " expecting EOF");
    else
        tell_token(p, 0, "missing EOF at ", "");
}

void cql_fail(struct cql_parser *p, err_t e, const char *fmt, ...)
{
    if (p->err) return;
    if (p->trials && e != ERR_NO_MEMORY) {
        if (e == ERR_TOO_DEEP) p->err = e;
        return; /* said when it is parsed in earnest */
    }
    char words[MESSAGE_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(words, sizeof(words), fmt, args);
    va_end(args);
    struct buf out = buf_over(words, sizeof(words));
    out.len = strlen(words);
    const struct cql_token *t = p->count > p->next ? &p->tokens[p->next] : NULL;
    tell(p, e, &out, t ? t->at : p->lex.text.len);
}

void *cql_new(struct cql_parser *p, size_t size)
{
    void *memory = p->err ? NULL : arena_take(p->arena, size);
    if (!memory) cql_fail(p, ERR_NO_MEMORY, "the statement does not fit");
    return memory;
}

void *cql_add(struct cql_parser *p, struct list *l, size_t item_size)
{
    if (l->count == l->cap) {
        uint32_t cap = l->cap ? l->cap * 2 : 4;
        uint8_t *items =
            p->err ? NULL : arena_resize(p->arena, l->items, l->cap * item_size, cap * item_size);
        if (!items) {
            cql_fail(p, ERR_NO_MEMORY, "the statement does not fit");
            return NULL;
        }
        memset(items + l->cap * item_size, 0, (cap - l->cap) * item_size);
        l->items = items;
        l->cap = cap;
    }
    return l->items + l->count++ * item_size;
}

bool cql_deeper(struct cql_parser *p)
{
    if (p->err) return false;
    if (p->depth < SQL_DEPTH_MAX) {
        p->depth++;
        return true;
    }
    cql_fail(p, ERR_TOO_DEEP, "statements nest at most %d levels", (int)SQL_DEPTH_MAX);
    return false;
}

void cql_refuse(struct cql_parser *p, const char *what)
{
    if (!p->trials && !p->refused) p->refused = what;
}

/* --- names ------------------------------------------------------------------------------------ */

struct slice cql_ident(struct cql_parser *p)
{
    if (cql_is_name(cql_peek(p, 0))) return cql_value(p);
    cql_no_viable(p, 0);
    return (struct slice){0};
}

struct slice cql_cident(struct cql_parser *p)
{
    return cql_at(p, T_EMPTY_QUOTED_NAME) ? cql_value(p) : cql_ident(p);
}

/* A name where the original's grammar knows a marker, only to refuse it. */
static struct slice object_name(struct cql_parser *p, const char *of)
{
    if (!cql_at(p, T_QMARK)) return cql_ident(p);
    (void)cql_take(p);
    cql_fail(p, ERR_SYNTAX, "Bind variables cannot be used for %s names", of);
    return (struct slice){0};
}

struct slice cql_keyspace_name(struct cql_parser *p)
{
    return object_name(p, "keyspace");
}

static bool is_object_name(uint32_t kind)
{
    return cql_is_name(kind) || kind == T_QMARK;
}

static struct cql_name qualified(struct cql_parser *p, const char *of)
{
    struct cql_name n = {0};
    if (is_object_name(cql_peek(p, 0)) && cql_peek(p, 1) == T_DOT) {
        n.keyspace = object_name(p, "keyspace");
        (void)cql_take(p);
    }
    n.name = object_name(p, of);
    return n;
}

struct cql_name cql_table_name(struct cql_parser *p)
{
    return qualified(p, "table");
}

struct cql_name cql_index_name(struct cql_parser *p)
{
    return qualified(p, "index");
}

struct cql_name cql_index_of(struct cql_parser *p)
{
    return (struct cql_name){.name = object_name(p, "index")};
}

struct slice cql_string(struct cql_parser *p)
{
    if (cql_at(p, T_STRING_LITERAL)) return cql_value(p);
    cql_match(p, T_STRING_LITERAL);
    return (struct slice){0};
}

struct cql_name cql_type_name(struct cql_parser *p)
{
    static const char *const taken[] = {"byte",     "complex", "enum",     "date",
                                        "interval", "macaddr", "bitstring"};
    struct cql_name n = {0};
    if (cql_is_name(cql_peek(p, 0)) && cql_peek(p, 1) == T_DOT) {
        n.keyspace = cql_ident(p);
        (void)cql_take(p);
    }
    uint32_t kind = cql_peek(p, 0);
    bool word = kind > T_FIRST_WORD;
    if (word && cql_kind_use(kind) != USE_FREE && kind != K_KEY) {
        cql_no_viable(p, 0);
        return n;
    }
    n.name = cql_ident(p);
    for (size_t i = 0; i < COUNT_OF(taken) && kind == T_IDENT; i++)
        if (slice_is(n.name, taken[i]))
            cql_fail(p, ERR_SYNTAX, "Invalid (reserved) user type name %s", taken[i]);
    return n;
}

struct slice cql_role_name(struct cql_parser *p)
{
    return cql_at(p, T_STRING_LITERAL) ? cql_value(p) : object_name(p, "role");
}

static bool is_function_name(uint32_t kind)
{
    enum cql_word_use use = cql_kind_use(kind);
    return kind == T_IDENT || kind == T_QUOTED_NAME || kind == K_TOKEN || kind == K_COUNT ||
           (kind > T_FIRST_WORD && (use == USE_FREE || use == USE_TYPE));
}

struct slice cql_local_function_name(struct cql_parser *p)
{
    if (is_function_name(cql_peek(p, 0))) return cql_value(p);
    cql_no_viable(p, 0);
    return (struct slice){0};
}

struct cql_name cql_function_name(struct cql_parser *p)
{
    struct cql_name n = {0};
    if (is_object_name(cql_peek(p, 0)) && cql_peek(p, 1) == T_DOT) {
        n.keyspace = object_name(p, "keyspace");
        (void)cql_take(p);
    }
    n.name = cql_local_function_name(p);
    return n;
}

bool cql_if_not_exists(struct cql_parser *p)
{
    if (!cql_accept(p, K_IF)) return false;
    cql_match(p, K_NOT);
    cql_match(p, K_EXISTS);
    return true;
}

bool cql_if_exists(struct cql_parser *p)
{
    if (!cql_accept(p, K_IF)) return false;
    cql_match(p, K_EXISTS);
    return true;
}

/* --- the statement ---------------------------------------------------------------------------- */

static void parse_use(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->kind = CQL_USE;
    s->name.name = cql_keyspace_name(p);
}

static void parse_truncate(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->kind = CQL_TRUNCATE;
    (void)cql_accept(p, K_COLUMNFAMILY);
    s->name = cql_table_name(p);
}

static const struct {
    uint16_t word;
    void (*parse)(struct cql_parser *p, struct cql_statement_tree *s);
    bool decides; /* the statement is known by its first word: it is taken */
} statements[] = {
    {K_SELECT, cql_parse_select, true},  {K_INSERT, cql_parse_insert, true},
    {K_UPDATE, cql_parse_update, true},  {K_DELETE, cql_parse_delete, true},
    {K_BEGIN, cql_parse_batch, true},    {K_USE, parse_use, true},
    {K_TRUNCATE, parse_truncate, true},  {K_CREATE, cql_parse_create, false},
    {K_ALTER, cql_parse_alter, false},   {K_DROP, cql_parse_drop, false},
    {K_GRANT, cql_parse_grant, false},   {K_REVOKE, cql_parse_revoke, false},
    {K_LIST, cql_parse_list, false},     {K_DESCRIBE, cql_parse_describe, false},
    {K_DESC, cql_parse_describe, false}, {K_ADD, cql_parse_identity, false},
};

static void parse_statement_of(struct cql_parser *p, struct cql_statement_tree *s)
{
    const uint8_t *start = cql_start(p);
    uint32_t word = cql_peek(p, 0);
    size_t i = 0;
    while (i < COUNT_OF(statements) && statements[i].word != word) i++;
    if (i == COUNT_OF(statements)) {
        cql_no_viable(p, 0);
        return;
    }
    if (statements[i].decides) (void)cql_take(p);
    statements[i].parse(p, s);
    s->text = cql_since(p, start);
    while (cql_accept(p, T_SEMICOLON)) {
    }
    match_end(p);
    s->marker_count = p->markers;
    if (p->refused) {
        s->kind = CQL_REFUSED;
        s->what = p->refused;
    }
}

err_t cql_parse(struct slice text, struct arena *a, const struct cql_statement_tree **out,
                struct diag *d)
{
    *out = NULL;
    if (text.len > SQL_TEXT_MAX)
        return diag_fail(d, ERR_TOO_BIG, "the statement is %u bytes, more than %u", text.len,
                         (unsigned)SQL_TEXT_MAX);
    struct cql_parser p = {.arena = a, .d = d};
    struct slice own = arena_slice(a, text);
    if (text.len && !own.at) return diag_fail(d, ERR_NO_MEMORY, "the statement does not fit");
    if (utf8_bad_at(own) < own.len)
        return diag_fail(d, ERR_PROTOCOL, "the statement is no valid UTF-8");
    p.lex = (struct cql_lexer){.text = own};
    struct cql_statement_tree *s = cql_new(&p, sizeof(*s));
    if (s) parse_statement_of(&p, s);
    if (!p.err) *out = s;
    return p.err;
}
