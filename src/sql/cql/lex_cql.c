/* Cassandra's lexical rules: nearly every literal differs from the other dialects' (a sign belongs
 * to its number, durations come in three forms, a lone name is ASCII), so CQL has its own. */
#include "sql/cql/parse_cql.h"

static const struct cql_word words[] = {
#define CQL_WORD(word, token, use) {#word, "K_" #token, K_##word, USE_##use},
#include "sql/cql/words.def"
#undef CQL_WORD
};

static const char *const names[] = {
    [T_END] = "EOF",
    [T_IDENT] = "IDENT",
    [T_QUOTED_NAME] = "QUOTED_NAME",
    [T_EMPTY_QUOTED_NAME] = "EMPTY_QUOTED_NAME",
    [T_STRING_LITERAL] = "STRING_LITERAL",
    [T_INTEGER] = "INTEGER",
    [T_FLOAT] = "FLOAT",
    [T_BOOLEAN] = "BOOLEAN",
    [T_DURATION] = "DURATION",
    [T_UUID] = "UUID",
    [T_HEXNUMBER] = "HEXNUMBER",
    [T_QMARK] = "QMARK",
    [T_RANGE] = "RANGE",
    [T_EXPR] = "'expr('",
    [T_NE] = "'!='",
    [T_PERCENT] = "'%'",
    [T_OPEN] = "'('",
    [T_CLOSE] = "')'",
    [T_PLUS] = "'+'",
    [T_PLUS_EQ] = "'+='",
    [T_COMMA] = "','",
    [T_MINUS] = "'-'",
    [T_MINUS_EQ] = "'-='",
    [T_DOT] = "'.'",
    [T_SLASH] = "'/'",
    [T_COLON] = "':'",
    [T_SEMICOLON] = "';'",
    [T_LT] = "'<'",
    [T_LE] = "'<='",
    [T_EQ] = "'='",
    [T_GT] = "'>'",
    [T_GE] = "'>='",
    [T_OPEN_LIST] = "'['",
    [T_STAR] = "'\\*'",
    [T_CLOSE_LIST] = "']'",
    [T_OPEN_BRACE] = "'{'",
    [T_CLOSE_BRACE] = "'}'",
    [K_NEGATIVE_NAN] = "K_NEGATIVE_NAN",
    [K_NEGATIVE_INFINITY] = "K_NEGATIVE_INFINITY",
};

enum { WORD_MAX = 16 }; /* the longest is 14 */

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}
static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
static bool is_word(int c)
{
    return is_letter(c) || is_digit(c) || c == '_';
}
static int lower(int c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

const struct cql_word *cql_word_find(struct slice text)
{
    char upper[WORD_MAX];
    if (text.len >= WORD_MAX) return NULL;
    for (uint32_t i = 0; i < text.len; i++) {
        int c = text.at[i];
        upper[i] = (char)(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    upper[text.len] = 0;
    size_t low = 0, high = COUNT_OF(words);
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strcmp(upper, words[mid].text);
        if (c == 0) return &words[mid];
        if (c < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

enum cql_word_use cql_kind_use(uint32_t kind)
{
    return kind > T_FIRST_WORD ? words[kind - T_FIRST_WORD - 1].use : USE_RESERVED;
}

const char *cql_kind_name(uint32_t kind)
{
    if (kind > T_FIRST_WORD) return words[kind - T_FIRST_WORD - 1].token;
    return kind < COUNT_OF(names) ? names[kind] : "";
}

bool cql_word_reserved(struct slice word)
{
    const struct cql_word *w = cql_word_find(word);
    return w && w->use == USE_RESERVED;
}

static int ahead(const struct cql_lexer *l, uint32_t n)
{
    return l->at + n < l->text.len ? l->text.at[l->at + n] : -1;
}

/* The letter at `at` fits nothing, or is not the one expected ("'='"; "set null" of several). */
static bool mistaken(struct cql_lexer *l, uint32_t at, const char *expected)
{
    l->mistaken = true;
    l->expected = expected;
    l->mistake_at = MIN(at, l->text.len);
    return false;
}

/* One run of spaces or one comment; 0: neither. A comment that is not closed is a mistake. */
static uint32_t hidden_length(struct cql_lexer *l)
{
    uint32_t n = 0;
    int c = ahead(l, 0), next = ahead(l, 1);
    if ((c == '-' && next == '-') || (c == '/' && next == '/')) {
        /* The original wants a line's end behind it; the text's end is as good. */
        while (ahead(l, n) >= 0 && ahead(l, n) != '\n' && ahead(l, n) != '\r') n++;
        return n + (ahead(l, n) >= 0);
    }
    if (c == '/' && next == '*') {
        for (n = 2; ahead(l, n) >= 0; n++)
            if (ahead(l, n) == '*' && ahead(l, n + 1) == '/') return n + 2;
        (void)mistaken(l, l->text.len, "'*'");
        return 0;
    }
    while (ahead(l, n) == ' ' || ahead(l, n) == '\t' || ahead(l, n) == '\n' || ahead(l, n) == '\r')
        n++;
    return n;
}

static bool lex_quoted(struct cql_lexer *l, struct cql_token *t)
{
    int quote = ahead(l, 0);
    uint32_t n = 1;
    for (;; n++) {
        if (ahead(l, n) < 0) return mistaken(l, l->text.len, quote == '"' ? "'\"'" : "'''");
        if (ahead(l, n) != quote) continue;
        if (ahead(l, n + 1) != quote || (quote == '"' && n == 1 && ahead(l, 2) != '"')) break;
        n++;
    }
    t->kind = quote == '\'' ? T_STRING_LITERAL : n == 1 ? T_EMPTY_QUOTED_NAME : T_QUOTED_NAME;
    l->at += n + 1;
    return true;
}

static bool lex_dollars(struct cql_lexer *l, struct cql_token *t)
{
    if (ahead(l, 1) != '$') return mistaken(l, l->at + 1, "'$'");
    uint32_t n = 2;
    while (ahead(l, n) >= 0 && !(ahead(l, n) == '$' && ahead(l, n + 1) == '$')) n++;
    if (ahead(l, n) < 0) return mistaken(l, l->text.len, "'$'");
    t->kind = T_STRING_LITERAL;
    l->at += n + 2;
    return true;
}

static bool at_uuid(const struct cql_lexer *l)
{
    for (uint32_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        int c = ahead(l, i);
        if (dash ? c != '-' : !is_hex(c)) return false;
    }
    return true;
}

/* Digits and a unit, in turn: 1h30m. Its length from `n` on; 0: none. */
static uint32_t duration_units(const struct cql_lexer *l, uint32_t n)
{
    uint32_t start = n, whole = 0;
    for (;;) {
        uint32_t digits = n;
        while (is_digit(ahead(l, n))) n++;
        if (n == digits) return whole;
        int c = lower(ahead(l, n)), next = lower(ahead(l, n + 1));
        if (c == 'm' && (next == 'o' || next == 's'))
            n += 2;
        else if ((c == 'u' || c == 'n') && next == 's')
            n += 2;
        else if (c == 0xc2 && next == 0xb5 && lower(ahead(l, n + 2)) == 's')
            n += 3;
        else if (c == 'y' || c == 'w' || c == 'd' || c == 'h' || c == 'm' || c == 's')
            n++;
        else
            return whole;
        whole = n - start;
    }
}

/* Digits and one of `units` in their order; how many bytes, 0: none. */
static uint32_t iso_part(const struct cql_lexer *l, uint32_t n, const char *units)
{
    uint32_t start = n;
    for (const char *u = units; *u;) {
        uint32_t digits = n;
        while (is_digit(ahead(l, digits))) digits++;
        if (digits == n) break;
        while (*u && *u != ahead(l, digits)) u++;
        if (!*u) break;
        n = digits + 1;
        u++;
    }
    return n - start;
}

/* P1Y2M3DT4H5M6S, P2W, P0001-02-03T04:05:06, after the sign at `n`; 0: none. */
static uint32_t duration_iso(const struct cql_lexer *l, uint32_t n)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    uint32_t start = n;
    if (ahead(l, n) != 'P') return 0;
    n++;
    uint32_t i = 0;
    while (form[i] && (form[i] == 'd' ? is_digit(ahead(l, n + i)) : ahead(l, n + i) == form[i]))
        i++;
    if (!form[i]) return n + i - start;
    uint32_t weeks = iso_part(l, n, "W");
    if (weeks) return n + weeks - start;
    n += iso_part(l, n, "YMD");
    if (ahead(l, n) == 'T') {
        uint32_t time = iso_part(l, n + 1, "HMS");
        if (time) n += 1 + time;
    }
    return n - start > 1 ? n - start : 0;
}

/* 5, -5, 1.5, 1., 1e3, 1h30m; 1..2 is three tokens. */
static void lex_number(struct cql_lexer *l, struct cql_token *t)
{
    uint32_t sign = ahead(l, 0) == '-', n = sign;
    uint32_t duration = duration_units(l, n);
    while (is_digit(ahead(l, n))) n++;
    t->kind = T_INTEGER;
    if (duration > n - sign) {
        t->kind = T_DURATION;
        l->at += sign + duration;
        return;
    }
    if (ahead(l, n) == '.' && (ahead(l, n + 1) != '.' || ahead(l, n + 2) == '.')) {
        t->kind = T_FLOAT;
        n++;
        while (is_digit(ahead(l, n))) n++;
    }
    if (lower(ahead(l, n)) == 'e') {
        uint32_t e = n + 1;
        if (ahead(l, e) == '+' || ahead(l, e) == '-') e++;
        if (is_digit(ahead(l, e))) {
            t->kind = T_FLOAT;
            while (is_digit(ahead(l, e))) e++;
            n = e;
        }
    }
    l->at += n;
}

static bool lex_word(struct cql_lexer *l, struct cql_token *t)
{
    uint32_t iso = duration_iso(l, 0), n = 0;
    if (iso && !is_word(ahead(l, iso))) {
        t->kind = T_DURATION;
        l->at += iso;
        return true;
    }
    while (is_word(ahead(l, n))) n++;
    struct slice text = slice_make(l->text.at + l->at, n);
    const struct cql_word *w = cql_word_find(text);
    t->kind = w ? w->kind : T_IDENT;
    if (slice_equal_nocase(text, SLICE("true")) || slice_equal_nocase(text, SLICE("false")))
        t->kind = T_BOOLEAN;
    if (slice_is(text, "expr") && ahead(l, n) == '(') {
        t->kind = T_EXPR;
        n++;
    }
    l->at += n;
    return true;
}

/* -NaN and -Infinity: of a minus before n or i the original expects nothing else. */
static bool lex_minus_word(struct cql_lexer *l, struct cql_token *t)
{
    bool nan = lower(ahead(l, 1)) == 'n';
    const char *word = nan ? "nan" : "infinity";
    t->kind = nan ? K_NEGATIVE_NAN : K_NEGATIVE_INFINITY;
    for (uint32_t i = 0; word[i]; i++)
        if (lower(ahead(l, 1 + i)) != word[i]) return mistaken(l, l->at + 1 + i, "set null");
    l->at += 1 + (uint32_t)strlen(word);
    return true;
}

/* A minus: of a number, a duration, NaN and Infinity; or alone. */
static bool lex_minus(struct cql_lexer *l, struct cql_token *t)
{
    int next = lower(ahead(l, 1));
    uint32_t iso = duration_iso(l, 1);
    if (is_digit(next)) {
        lex_number(l, t);
        return true;
    }
    if (next == 'n' || next == 'i') return lex_minus_word(l, t);
    t->kind = iso ? T_DURATION : next == '=' ? T_MINUS_EQ : T_MINUS;
    l->at += iso ? 1 + iso : t->kind == T_MINUS ? 1 : 2;
    return true;
}

static bool lex_sign(struct cql_lexer *l, struct cql_token *t)
{
    static const uint16_t single[128] = {
        ['?'] = T_QMARK,      ['%'] = T_PERCENT,    ['('] = T_OPEN, [')'] = T_CLOSE,
        ['+'] = T_PLUS,       [','] = T_COMMA,      ['.'] = T_DOT,  ['/'] = T_SLASH,
        [':'] = T_COLON,      [';'] = T_SEMICOLON,  ['<'] = T_LT,   ['='] = T_EQ,
        ['>'] = T_GT,         ['['] = T_OPEN_LIST,  ['*'] = T_STAR, [']'] = T_CLOSE_LIST,
        ['{'] = T_OPEN_BRACE, ['}'] = T_CLOSE_BRACE};
    static const struct {
        char first, second;
        uint16_t kind;
    } pairs[] = {{'.', '.', T_RANGE},
                 {'!', '=', T_NE},
                 {'+', '=', T_PLUS_EQ},
                 {'<', '=', T_LE},
                 {'>', '=', T_GE}};
    int c = ahead(l, 0), next = ahead(l, 1);
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        if (c != pairs[i].first || next != pairs[i].second) continue;
        t->kind = pairs[i].kind;
        l->at += 2;
        return true;
    }
    if (c == '!') return mistaken(l, l->at + 1, "'='");
    if (c >= 128 || !single[c]) return mistaken(l, l->at, NULL);
    t->kind = single[c];
    l->at++;
    return true;
}

bool cql_lex(struct cql_lexer *l, bool hidden, struct cql_token *out)
{
    *out = (struct cql_token){.at = l->at, .kind = T_END};
    l->mistaken = false;
    for (uint32_t n; (n = hidden_length(l)) > 0;) {
        l->at += n;
        out->len = n;
        if (hidden) return true;
    }
    if (l->mistaken) return false;
    *out = (struct cql_token){.at = l->at, .kind = T_END};
    int c = ahead(l, 0);
    bool good = true;
    if (c < 0) return true;
    if (c == '\'' || c == '"') {
        good = lex_quoted(l, out);
    } else if (c == '$') {
        good = lex_dollars(l, out);
    } else if (is_hex(c) && at_uuid(l)) {
        out->kind = T_UUID;
        l->at += 36;
    } else if (c == '0' && lower(ahead(l, 1)) == 'x') {
        out->kind = T_HEXNUMBER;
        l->at += 2;
        while (is_hex(ahead(l, 0))) l->at++;
    } else if (is_digit(c)) {
        lex_number(l, out);
    } else if (is_letter(c)) {
        good = lex_word(l, out);
    } else if (c == '-') {
        good = lex_minus(l, out);
    } else {
        good = lex_sign(l, out);
    }
    out->len = l->at - out->at;
    return good;
}
