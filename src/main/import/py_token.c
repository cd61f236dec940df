/* Python's tokens: lines joined by brackets and backslashes, indentation as TOKEN_IN and TOKEN_OUT.
 */
#include "main/import/py.h"

#include "base/bytes.h"

enum { INDENTS_MAX = 100, TOKENS_MAX = 1 << 20 };

struct lexer {
    const uint8_t *at, *end;
    uint32_t line;
    int brackets;
    bool fresh; /* at the start of a logical line */
    uint32_t indents[INDENTS_MAX];
    int indent_count;
    struct py_reading *out;
};

static void give(struct lexer *l, enum py_token_kind kind, uint32_t line, struct slice text)
{
    struct py_token *t = l->out->err ? NULL : vec_add(&l->out->tokens);
    if (!t) {
        l->out->err = ERR_TOO_BIG;
        return;
    }
    *t = (struct py_token){kind, line, text};
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c >= 0x80;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t peek(const struct lexer *l, size_t n)
{
    return (size_t)(l->end - l->at) > n ? l->at[n] : 0;
}

/* --- strings ------------------------------------------------------------------------------------
 */

static void put_code_point(struct buf *b, uint32_t c)
{
    if (c < 0x80)
        buf_char(b, (char)c);
    else if (c < 0x800)
        buf_be(b, 0xc080u | (c & 0x7c0) << 2 | (c & 0x3f), 2);
    else if (c < 0x10000)
        buf_be(b, 0xe08080u | (c & 0xf000) << 4 | (c & 0xfc0) << 2 | (c & 0x3f), 3);
    else
        buf_be(b,
               0xf0808080u | (c & 0x1c0000) << 6 | (c & 0x3f000) << 4 | (c & 0xfc0) << 2 |
                   (c & 0x3f),
               4);
}

static int hex_digit(uint8_t c)
{
    return is_digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Behind a backslash; what Python does not know stays with its backslash. */
static void escape(struct lexer *l, struct buf *b)
{
    static const char from[] = "nrtabfv0\\'\"", to[] = "\n\r\t\a\b\f\v\0\\'\"";
    uint8_t c = *l->at++;
    const char *known = c ? strchr(from, c) : NULL;
    int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (c == '\n') {
        l->line++;
    } else if (known) {
        buf_char(b, to[known - from]);
    } else if (digits) {
        uint32_t value = 0;
        for (; digits && hex_digit(peek(l, 0)) >= 0; digits--)
            value = value << 4 | (uint32_t)hex_digit(*l->at++);
        put_code_point(b, value < 0x110000 ? value : 0xfffd);
    } else {
        buf_char(b, '\\');
        buf_char(b, (char)c);
    }
}

static void string(struct lexer *l, bool raw, bool formatted)
{
    uint32_t line = l->line;
    uint8_t quote = *l->at;
    bool triple = peek(l, 1) == quote && peek(l, 2) == quote;
    struct buf b = buf_make(PY_BYTES_MAX);
    l->at += triple ? 3 : 1;
    while (l->at < l->end) {
        bool here = *l->at == quote;
        if (here && (!triple || (peek(l, 1) == quote && peek(l, 2) == quote))) {
            l->at += triple ? 3 : 1;
            break;
        }
        if (*l->at == '\n' && !triple) break; /* not closed: the line ends it */
        if (*l->at == '\n') l->line++;
        if (*l->at == '\\' && l->at + 1 < l->end && !raw) {
            l->at++;
            escape(l, &b);
        } else {
            buf_char(&b, (char)*l->at++);
        }
    }
    if (b.err) l->out->err = b.err;
    struct slice text = arena_slice(l->out->arena, buf_view(&b));
    if (b.len && !text.at) l->out->err = ERR_NO_MEMORY;
    buf_done(&b);
    give(l, formatted ? TOKEN_FSTRING : TOKEN_STRING, line, text);
}

/* r"", f"", Rb'' …: the letters before a quote. */
static bool prefixed(struct lexer *l)
{
    bool raw = false, formatted = false;
    size_t n = 0;
    for (; n < 3; n++) {
        uint8_t c = peek(l, n) | 32;
        if (peek(l, n) == '"' || peek(l, n) == '\'') break;
        if (c != 'r' && c != 'f' && c != 'b' && c != 'u') return false;
        raw = raw || c == 'r';
        formatted = formatted || c == 'f';
    }
    if (n == 3) return false;
    l->at += n;
    string(l, raw, formatted);
    return true;
}

/* --- lines --------------------------------------------------------------------------------------
 */

static void indentation(struct lexer *l)
{
    uint32_t width = 0;
    for (; l->at < l->end && (*l->at == ' ' || *l->at == '\t' || *l->at == '\r'); l->at++)
        width = *l->at == '\t' ? (width / 8 + 1) * 8 : width + (*l->at == ' ');
    if (l->at == l->end || *l->at == '\n' || *l->at == '#') return; /* a line of nothing */
    l->fresh = false;
    uint32_t now = l->indents[l->indent_count - 1];
    if (width > now && l->indent_count < INDENTS_MAX) {
        l->indents[l->indent_count++] = width;
        give(l, TOKEN_IN, l->line, (struct slice){0});
    }
    while (l->indent_count > 1 && width < l->indents[l->indent_count - 1]) {
        l->indent_count--;
        give(l, TOKEN_OUT, l->line, (struct slice){0});
    }
}

static void mark(struct lexer *l)
{
    static const char *const longs[] = {"**=", "//=", ">>=", "<<=", "...", "**", "//", ">>",
                                        "<<",  "==",  "!=",  "<=",  ">=",  "->", ":=", "+=",
                                        "-=",  "*=",  "/=",  "%=",  "&=",  "|=", "^=", "@="};
    size_t len = 1;
    for (size_t i = 0; i < COUNT_OF(longs) && len == 1; i++) {
        size_t n = strlen(longs[i]);
        if ((size_t)(l->end - l->at) >= n && !memcmp(l->at, longs[i], n)) len = n;
    }
    if (strchr("([{", *l->at) && *l->at) l->brackets++;
    if (strchr(")]}", *l->at) && *l->at && l->brackets) l->brackets--;
    give(l, TOKEN_MARK, l->line, slice_make(l->at, len));
    l->at += len;
}

static void number_or_word(struct lexer *l)
{
    const uint8_t *from = l->at;
    bool number = is_digit(*from) || *from == '.';
    while (l->at < l->end && (is_word(*l->at) || (number && *l->at == '.'))) l->at++;
    give(l, number ? TOKEN_NUMBER : TOKEN_NAME, l->line, slice_make(from, (size_t)(l->at - from)));
}

static void token(struct lexer *l)
{
    uint8_t c = *l->at;
    if (c == '\n') {
        if (!l->brackets && !l->fresh) give(l, TOKEN_LINE, l->line, (struct slice){0});
        l->fresh = l->fresh || !l->brackets;
        l->line++;
        l->at++;
    } else if (c == ' ' || c == '\t' || c == '\r' || c == '\f') {
        l->at++;
    } else if (c == '#') {
        while (l->at < l->end && *l->at != '\n') l->at++;
    } else if (c == '\\' && (peek(l, 1) == '\n' || (peek(l, 1) == '\r' && peek(l, 2) == '\n'))) {
        l->at += peek(l, 1) == '\n' ? 2 : 3;
        l->line++;
    } else if (c == '"' || c == '\'') {
        string(l, false, false);
    } else if (is_word(c) || (c == '.' && is_digit(peek(l, 1)))) {
        if (!prefixed(l)) number_or_word(l);
    } else {
        mark(l);
    }
}

err_t py_tokens(struct slice text, uint32_t line, struct py_reading *r)
{
    struct lexer l = {.at = text.at, .end = text.at ? text.at + text.len : NULL, .line = line};
    l.fresh = true;
    l.indent_count = 1;
    l.out = r;
    r->tokens = vec_make(sizeof(struct py_token), TOKENS_MAX);
    if (text.len >= 3 && !memcmp(text.at, "\xef\xbb\xbf", 3)) l.at += 3;
    while (l.at < l.end && !r->err) {
        if (l.fresh && !l.brackets) indentation(&l);
        if (l.at < l.end) token(&l);
    }
    give(&l, TOKEN_LINE, l.line, (struct slice){0});
    for (; l.indent_count > 1; l.indent_count--) give(&l, TOKEN_OUT, l.line, (struct slice){0});
    give(&l, TOKEN_END, l.line, (struct slice){0});
    return r->err;
}
