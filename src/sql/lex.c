#include "sql/text.h"
#include "sql/tree.h"
#include <ctype.h>
#include <stdio.h>

const struct dialect dialects[] = {
#define DIALECT(id, name, division, slashes, dollar, uuids, any, ticks, now)                       \
    [DIALECT_##id] = {name, division, slashes, dollar, uuids, any, ticks, now},
#include "sql/dialect.def"
#undef DIALECT
};

static const struct word words[] = {
#define WORD(text, sluice, cql, pg) {#text, {sluice, cql, pg}},
#include "sql/words.def"
#undef WORD
};

size_t word_count(void)
{
    return COUNT_OF(words);
}

const struct word *word_at(size_t i)
{
    return &words[i];
}

static int compare_word(struct slice text, const char *word)
{
    for (uint32_t i = 0; i < text.len; i++) {
        int c = toupper(text.at[i]) - (uint8_t)word[i];
        if (c) return c; /* the word's NUL is less than any letter */
    }
    return word[text.len] ? -1 : 0;
}

const struct word *word_find(struct slice text)
{
    size_t low = 0, high = COUNT_OF(words);
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = compare_word(text, words[mid].text);
        if (c == 0) return &words[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

void sql_line_column(struct slice text, const uint8_t *at, uint32_t *line, uint32_t *column)
{
    *line = 1;
    const uint8_t *start = text.at;
    for (const uint8_t *p = text.at; p < at; p++) {
        if (*p != '\n') continue;
        (*line)++;
        start = p + 1;
    }
    *column = (uint32_t)utf8_length(slice_make(start, (size_t)(at - start))) + 1;
}

enum { CARET_LINE_MAX = 100, CARET_BEFORE_MAX = 60 };

err_t sql_place(struct diag *d, struct slice text, const uint8_t *at, const char *file)
{
    if (!d) return ERR_SYNTAX;
    uint32_t line, column;
    sql_line_column(text, at, &line, &column);
    (void)diag_where(d, "%s:%u:%u", file, line, column);
    const uint8_t *start = at, *end = at, *last = text.at + text.len;
    while (start > text.at && start[-1] != '\n' && at - start < CARET_BEFORE_MAX) start--;
    while (start < at && (*start & 0xc0) == 0x80) start++; /* not inside a letter */
    while (end < last && *end != '\n' && *end != '\r' && end - start < CARET_LINE_MAX) end++;
    while (end < last && end > start && (*end & 0xc0) == 0x80) end--;
    char caret[CARET_BEFORE_MAX + 1];
    size_t pad = utf8_length(slice_make(start, (size_t)(at - start)));
    for (size_t i = 0; i < pad; i++) caret[i] = ' ';
    caret[pad] = 0;
    struct slice shown = slice_make(start, (size_t)(end - start));
    char clean[CARET_LINE_MAX + 1];
    for (uint32_t i = 0; i < shown.len; i++)
        clean[i] = shown.at[i] < ' ' ? ' ' : (char)shown.at[i]; /* tabs would move the caret */
    clean[shown.len] = 0;
    return diag_why(d, "%s\n%s^", clean, caret);
}

static err_t lex_fail(struct lexer *l, uint32_t at, err_t e, const char *what)
{
    (void)diag_fail(l->d, e, "%s", what);
    (void)sql_place(l->d, l->text, l->text.at + at, l->file);
    return e;
}

static int ahead(const struct lexer *l, uint32_t n)
{
    return l->at + n < l->text.len ? l->text.at[l->at + n] : -1;
}

static bool is_word_byte(int c)
{
    return c >= 0x80 || c == '_' || (c >= 0 && isalnum(c));
}

/* Past white space and comments. */
static err_t skip(struct lexer *l)
{
    for (;;) {
        int c = ahead(l, 0), next = ahead(l, 1);
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
            l->at++;
        } else if ((c == '-' && next == '-') ||
                   (c == '/' && next == '/' && l->dialect->slash_comments)) {
            while (ahead(l, 0) >= 0 && ahead(l, 0) != '\n') l->at++;
        } else if (c == '/' && next == '*') {
            uint32_t start = l->at;
            l->at += 2;
            while (ahead(l, 0) >= 0 && !(ahead(l, 0) == '*' && ahead(l, 1) == '/')) l->at++;
            if (ahead(l, 0) < 0)
                return lex_fail(l, start, ERR_SYNTAX, "this comment is not closed by */");
            l->at += 2;
        } else {
            return ERR_OK;
        }
    }
}

/* 'it''s', "a ""b""" and `c`: value without the quotes, doubled ones made single. */
static err_t lex_quoted(struct lexer *l, char quote, struct token *t)
{
    uint32_t start = l->at++;
    bool doubled = false;
    for (;; l->at++) {
        int c = ahead(l, 0);
        if (c < 0)
            return lex_fail(l, start, ERR_SYNTAX,
                            quote == '"'   ? "this name is not closed by a \""
                            : quote == '`' ? "this name is not closed by a `"
                                           : "this text is not closed by a '");
        if (c != quote) continue;
        if (ahead(l, 1) != quote) break;
        doubled = true;
        l->at++;
    }
    struct slice inner = slice_make(l->text.at + start + 1, l->at - start - 1);
    l->at++;
    t->kind = quote == '\'' ? TOKEN_STRING : TOKEN_QUOTED;
    t->value = inner;
    if (quote != '\'' && (inner.len == 0 || inner.len > SQL_NAME_MAX))
        return lex_fail(l, start, inner.len ? ERR_TOO_BIG : ERR_SYNTAX,
                        inner.len ? "this name is longer than 255 bytes" : "a name can't be empty");
    if (!doubled) return ERR_OK;
    uint8_t *out = arena_take_raw(l->arena, inner.len);
    if (!out) return lex_fail(l, start, ERR_NO_MEMORY, "this text does not fit into the memory");
    uint32_t n = 0;
    for (uint32_t i = 0; i < inner.len; i++) {
        out[n++] = inner.at[i];
        if (inner.at[i] == (uint8_t)quote) i++;
    }
    t->value = slice_make(out, n);
    return ERR_OK;
}

static err_t lex_dollars(struct lexer *l, struct token *t)
{
    uint32_t start = l->at;
    l->at += 2;
    while (ahead(l, 0) >= 0 && !(ahead(l, 0) == '$' && ahead(l, 1) == '$')) l->at++;
    if (ahead(l, 0) < 0) return lex_fail(l, start, ERR_SYNTAX, "this text is not closed by $$");
    t->kind = TOKEN_STRING;
    t->value = slice_make(l->text.at + start + 2, l->at - start - 2);
    l->at += 2;
    return ERR_OK;
}

static bool looks_like_uuid(const struct lexer *l)
{
    for (uint32_t i = 0; i < 36; i++) {
        int c = ahead(l, i);
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (c < 0 || (dash ? c != '-' : !isxdigit(c))) return false;
    }
    return !is_word_byte(ahead(l, 36));
}

static err_t lex_word(struct lexer *l, struct token *t)
{
    uint32_t start = l->at;
    bool upper = false;
    while (is_word_byte(ahead(l, 0)) || (ahead(l, 0) == '$' && l->at > start)) {
        if (isupper(ahead(l, 0))) upper = true;
        l->at++;
    }
    t->kind = TOKEN_WORD;
    t->value = slice_make(l->text.at + start, l->at - start);
    if (t->value.len > SQL_NAME_MAX)
        return lex_fail(l, start, ERR_TOO_BIG, "this name is longer than 255 bytes");
    if (!upper) return ERR_OK;
    uint8_t *out = arena_take_raw(l->arena, t->value.len);
    if (!out) return lex_fail(l, start, ERR_NO_MEMORY, "this text does not fit into the memory");
    for (uint32_t i = 0; i < t->value.len; i++)
        out[i] = t->value.at[i] < 0x80 ? (uint8_t)tolower(t->value.at[i]) : t->value.at[i];
    t->value.at = out;
    return ERR_OK;
}

/* CQL's durations without quotes: digits and units in turn, 1h30m. */
static bool lex_duration(struct lexer *l)
{
    static const char *const units[] = {"mo", "ms", "us", "\xc2\xb5s", "ns", "y",
                                        "w",  "d",  "h",  "m",         "s"};
    uint32_t at = l->at;
    while (at < l->text.len && isdigit(l->text.at[at])) {
        while (at < l->text.len && isdigit(l->text.at[at])) at++;
        struct slice rest = slice_make(l->text.at + at, l->text.len - at);
        size_t u = 0;
        for (; u < COUNT_OF(units); u++) {
            size_t n = strlen(units[u]);
            if (rest.len >= n && slice_equal_nocase(slice_make(rest.at, n), slice_of(units[u]))) {
                at += (uint32_t)n;
                break;
            }
        }
        if (u == COUNT_OF(units)) return false;
    }
    if (at < l->text.len && is_word_byte(l->text.at[at])) return false;
    l->at = at;
    return true;
}

static err_t lex_number(struct lexer *l, struct token *t)
{
    uint32_t start = l->at;
    t->kind = TOKEN_INTEGER;
    if (ahead(l, 0) == '0' && (ahead(l, 1) == 'x' || ahead(l, 1) == 'X')) {
        l->at += 2;
        while (ahead(l, 0) >= 0 && isxdigit(ahead(l, 0))) l->at++;
        t->kind = TOKEN_BLOB;
        t->value = slice_make(l->text.at + start + 2, l->at - start - 2);
        if (t->value.len % 2 || is_word_byte(ahead(l, 0)))
            return lex_fail(l, start, ERR_SYNTAX, "a blob is 0x and pairs of hex digits");
        return ERR_OK;
    }
    while (ahead(l, 0) >= 0 && isdigit(ahead(l, 0))) l->at++;
    if (ahead(l, 0) == '.' && ahead(l, 1) >= 0 && isdigit(ahead(l, 1))) {
        t->kind = TOKEN_NUMBER;
        l->at++;
        while (ahead(l, 0) >= 0 && isdigit(ahead(l, 0))) l->at++;
    }
    if (ahead(l, 0) == 'e' || ahead(l, 0) == 'E') {
        uint32_t sign = ahead(l, 1) == '+' || ahead(l, 1) == '-' ? 2 : 1;
        if (ahead(l, sign) >= 0 && isdigit(ahead(l, sign))) {
            t->kind = TOKEN_NUMBER;
            l->at += sign;
            while (ahead(l, 0) >= 0 && isdigit(ahead(l, 0))) l->at++;
        }
    }
    if (is_word_byte(ahead(l, 0))) {
        l->at = start;
        if (!lex_duration(l))
            return lex_fail(l, start, ERR_SYNTAX,
                            "letters right after a number are neither a number nor a duration");
        t->kind = TOKEN_DURATION;
    }
    t->value = slice_make(l->text.at + start, l->at - start);
    return ERR_OK;
}

static err_t lex_op(struct lexer *l, struct token *t)
{
    static const char *const ops[] = {"!~*", "->>", "<=>", "->", "=>", "==", "<=", ">=", "<>",
                                      "!=",  "||",  "::",  "!~", "~*", "=",  "<",  ">",  "+",
                                      "-",   "*",   "/",   "%",  "(",  ")",  "[",  "]",  "{",
                                      "}",   ",",   ";",   ".",  ":",  "~"};
    struct slice rest = slice_make(l->text.at + l->at, l->text.len - l->at);
    for (size_t i = 0; i < COUNT_OF(ops); i++) {
        if (!slice_starts(rest, ops[i])) continue;
        t->kind = TOKEN_OP;
        t->value = slice_make(rest.at, strlen(ops[i]));
        l->at += t->value.len;
        return ERR_OK;
    }
    char what[64];
    int c = rest.at[0];
    if (c >= ' ' && c < 0x7f)
        snprintf(what, sizeof(what), "'%c' means nothing here", c);
    else
        snprintf(what, sizeof(what), "the byte 0x%02x means nothing here", (unsigned)c);
    return lex_fail(l, l->at, ERR_SYNTAX, what);
}

static bool lex_param(struct lexer *l, struct token *t)
{
    uint32_t start = l->at;
    int c = ahead(l, 0), next = ahead(l, 1);
    bool dollar = c == '$' && next >= 0 && isdigit(next) && l->dialect->dollar_params;
    bool named =
        c == ':' && (next == '_' || (next >= 0 && isalpha(next))) && !l->dialect->dollar_params;
    if (!dollar && !named && (c != '?' || l->dialect->dollar_params)) return false;
    l->at++;
    while ((dollar || named) && is_word_byte(ahead(l, 0))) l->at++;
    t->kind = TOKEN_PARAM;
    t->value = slice_make(l->text.at + start, l->at - start);
    return true;
}

static err_t lex_any(struct lexer *l, struct token *t)
{
    int c = ahead(l, 0);
    if (c < 0) return ERR_OK; /* kind is TOKEN_END */
    if (c == '\'' || c == '"' || (c == '`' && l->dialect->backticks))
        return lex_quoted(l, (char)c, t);
    if (c == '$' && ahead(l, 1) == '$') return lex_dollars(l, t);
    if (l->dialect->bare_uuids && isxdigit(c) && looks_like_uuid(l)) {
        t->kind = TOKEN_UUID;
        t->value = slice_make(l->text.at + l->at, 36);
        l->at += 36;
        return ERR_OK;
    }
    if (isdigit(c)) return lex_number(l, t);
    if (is_word_byte(c)) return lex_word(l, t);
    if (lex_param(l, t)) return ERR_OK;
    return lex_op(l, t);
}

err_t lex_next(struct lexer *l, struct token *out)
{
    *out = (struct token){.kind = TOKEN_END};
    err_t e = skip(l);
    if (e) return e;
    uint32_t start = l->at;
    e = lex_any(l, out);
    out->text = slice_make(l->text.at + start, l->at - start);
    return e;
}
