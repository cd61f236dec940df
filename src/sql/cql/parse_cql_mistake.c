/* What is said of a statement that is no CQL: Cassandra's words and our caret. */
#include "sql/cql/parse_cql.h"
#include "sql/text.h"
#include <stdio.h>

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

/* How many UTF-16 units of the text the original counts for a token: its meaning's length, since it
 * has taken the quotes away and forgets about them here. */
static size_t shown_length(struct cql_parser *p, const struct cql_token *t)
{
    struct slice text = cql_token_text(p, t);
    size_t length = java_length(text);
    if (t->kind != T_STRING_LITERAL && t->kind != T_QUOTED_NAME) return length;
    uint32_t quotes = text.at[0] == '$' ? 4 : 2;
    for (uint32_t i = 1; i + 1 < text.len && quotes < 4; i++)
        if (text.at[i] == text.at[0] && text.at[i + 1] == text.at[0] && i + 2 < text.len)
            return length - 2;
    return length - quotes;
}

/* Units from … to of the text, without line breaks; half a character is a '?', as Java writes it.
 */
static void put_units(struct buf *out, struct slice text, size_t from, size_t to)
{
    size_t at = 0;
    for (uint32_t i = 0, size; i < text.len && at < to; i += size) {
        uint8_t first = text.at[i];
        size_t units = first < 0xf0 ? 1 : 2;
        size = first < 0xc0 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        size = MIN(size, text.len - i);
        if (at >= from && at + units <= to) {
            if (first != '\n') buf_slice(out, slice_make(text.at + i, size));
        } else if (at + units > from) {
            buf_char(out, '?');
        }
        at += units;
    }
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
    uint32_t last = text.len;
    while (last && text.at[last - 1] == '\n') last--;
    size_t end = java_length(slice_make(text.at, to->at)) + shown_length(p, to);
    size_t open = java_length(slice_make(text.at, now->at));
    size_t close = MIN(open + shown_length(p, now), end);
    buf_text(out, from->at == 0 ? " (" : " (...");
    put_units(out, text, java_length(slice_make(text.at, from->at)), open);
    buf_char(out, '[');
    put_units(out, text, open, close);
    buf_char(out, ']');
    put_units(out, text, close, end);
    buf_text(out, end == java_length(slice_make(text.at, last)) ? ")" : "...)");
}

static void put_token(struct cql_parser *p, struct buf *out, const struct cql_token *t)
{
    if (t->kind == T_END) {
        buf_text(out, "'<EOF>'");
        return;
    }
    struct slice text = cql_meaning(p, t);
    if (t->kind != T_STRING_LITERAL && t->kind != T_QUOTED_NAME) text = cql_token_text(p, t);
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

void cql_lex_failed(struct cql_parser *p)
{
    char memory[MESSAGE_MAX];
    struct buf out = buf_over(memory, sizeof(memory));
    uint32_t at = p->lex.mistake_at;
    put_place(p, &out, at, false);
    buf_text(&out,
             p->lex.expected ? "mismatched character '" : "no viable alternative at character '");
    struct slice rest = slice_make(p->lex.text.at + at, p->lex.text.len - at);
    buf_slice(&out, rest.len ? slice_make(rest.at, utf8_size(rest)) : SLICE("<EOF>"));
    buf_text(&out, "'");
    if (p->lex.expected) buf_printf(&out, " expecting %s", p->lex.expected);
    p->hard = true;
    tell(p, ERR_SYNTAX, &out, at);
}

/* "line 1:7 " before "input 'x'" after_it (snippet). */
static void tell_token(struct cql_parser *p, uint32_t n, const char *before, const char *after)
{
    char memory[2 * MESSAGE_MAX];
    const struct cql_token *t = cql_ahead(p, n);
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
    if (out.err) {
        while (out.len && (memory[out.len - 1] & 0x80)) out.len--; /* no half of a character */
        memory[out.len] = 0, out.err = ERR_OK;
    }
    tell(p, ERR_SYNTAX, &out, t->at);
}

void cql_no_viable(struct cql_parser *p, uint32_t n)
{
    tell_token(p, n, "no viable alternative at input ", "");
}

bool cql_in(uint32_t kind, const uint16_t *set)
{
    for (; *set != T_NOTHING; set++)
        if (*set == kind) return true;
    return false;
}

void cql_looked(struct cql_parser *p, uint32_t n)
{
    if (!p->err && cql_peek(p, n - 1) != T_END) (void)cql_peek(p, n);
}

bool cql_expect(struct cql_parser *p, uint32_t n, const uint16_t *set)
{
    if (p->err) return false;
    if (cql_in(cql_peek(p, n), set)) {
        cql_looked(p, n + 1);
        return true;
    }
    cql_no_viable(p, n);
    return false;
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
void cql_match_end(struct cql_parser *p)
{
    if (!p->err && !cql_at(p, T_END)) tell_token(p, 0, "mismatched input ", " expecting EOF");
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
