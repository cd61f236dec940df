/* CQL's grammar: tokens, names and the one entry. */
#include "sql/cql/parse_cql.h"
#include "sql/text.h"

/* --- tokens ----------------------------------------------------------------------------------- */

/* The n-th token ahead; NULL after a mistake. */
const struct cql_token *cql_ahead(struct cql_parser *p, uint32_t n)
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
            cql_lex_failed(p);
    }
    return p->err ? NULL : &p->tokens[p->next + n];
}

uint32_t cql_peek(struct cql_parser *p, uint32_t n)
{
    const struct cql_token *t = cql_ahead(p, n);
    return t ? t->kind : T_END;
}

struct slice cql_token_text(const struct cql_parser *p, const struct cql_token *t)
{
    return slice_make(p->lex.text.at + t->at, t->len);
}

struct slice cql_take(struct cql_parser *p)
{
    const struct cql_token *t = cql_ahead(p, 0);
    if (!t) return (struct slice){0};
    struct slice text = cql_token_text(p, t);
    if (t->kind == T_END) return text;
    p->next++;
    (void)cql_ahead(p, 0); /* as the original: the next one is always there */
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
    const struct cql_token *t = cql_ahead(p, 0);
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
struct slice cql_meaning(struct cql_parser *p, const struct cql_token *t)
{
    struct slice text = cql_token_text(p, t);
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
    const struct cql_token *t = cql_ahead(p, 0);
    if (!t) return (struct slice){0};
    struct slice value = cql_meaning(p, t);
    (void)cql_take(p);
    return value;
}

bool cql_is_name(uint32_t kind)
{
    return kind == T_IDENT || kind == T_QUOTED_NAME ||
           (kind > T_FIRST_WORD && cql_kind_use(kind) != USE_RESERVED);
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

/* [keyspace.]name, and what may follow it. */
static struct cql_name qualified(struct cql_parser *p, const char *of, const uint16_t *follow)
{
    struct cql_name n = {0};
    if (!is_object_name(cql_peek(p, 0))) {
        cql_no_viable(p, 0);
        return n;
    }
    if (cql_peek(p, 1) == T_DOT) {
        cql_looked(p, 2);
        n.keyspace = object_name(p, "keyspace");
        (void)cql_take(p);
    } else if (!cql_expect(p, 1, follow)) {
        return n;
    }
    n.name = object_name(p, of);
    return n;
}

struct cql_name cql_table_name(struct cql_parser *p)
{
    static const uint16_t follow[] = {
        K_ADD,   K_ALLOW,       K_ALTER, K_AS,    K_DROP, K_FROM,    K_GROUP,     K_JSON,
        K_LIMIT, K_NORECURSIVE, K_OF,    K_ORDER, K_PER,  K_PRIMARY, K_RENAME,    K_SET,
        K_TO,    K_USING,       K_WHERE, K_WITH,  T_OPEN, T_END,     T_SEMICOLON, T_NOTHING};
    return qualified(p, "table", follow);
}

struct cql_name cql_index_name(struct cql_parser *p)
{
    static const uint16_t follow[] = {T_SEMICOLON, T_END, T_NOTHING};
    return qualified(p, "index", follow);
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

/* Native types' names and COLUMN's are no user type's. */
static bool is_type_name(uint32_t kind)
{
    return cql_is_name(kind) &&
           (kind < T_FIRST_WORD || kind == K_KEY || cql_kind_use(kind) == USE_FREE);
}

struct cql_name cql_type_name(struct cql_parser *p)
{
    static const char *const taken[] = {"byte",     "complex", "enum",     "date",
                                        "interval", "macaddr", "bitstring"};
    struct cql_name n = {0};
    uint32_t kind = cql_peek(p, 0);
    if (cql_is_name(kind) && (!is_type_name(kind) || cql_peek(p, 1) == T_DOT)) {
        n.keyspace = cql_ident(p);
        cql_match(p, T_DOT);
        kind = cql_peek(p, 0);
    }
    if (!is_type_name(kind)) {
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
    static const uint16_t follow[] = {K_WITH, T_OPEN, T_SEMICOLON, T_END, T_NOTHING};
    struct cql_name n = {0};
    uint32_t kind = cql_peek(p, 0);
    bool only_keyspace = is_object_name(kind) && !is_function_name(kind);
    if (only_keyspace || (is_object_name(kind) && cql_peek(p, 1) == T_DOT)) {
        n.keyspace = object_name(p, "keyspace");
        cql_match(p, T_DOT);
    } else if (is_function_name(kind) && kind != K_TOKEN && !cql_expect(p, 1, follow)) {
        return n;
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
    cql_match_end(p);
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
