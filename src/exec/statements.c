#include "exec/statements.h"

#include "sql/cql/tree.h"

#include <stdio.h>

static bool is_letter(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* Past spaces, comments and the ';' of nothing. */
static uint32_t skip(struct slice s, uint32_t at)
{
    while (at < s.len) {
        uint8_t c = s.at[at], next = at + 1 < s.len ? s.at[at + 1] : 0;
        if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ';') {
            at++;
        } else if ((c == '-' && next == '-') || (c == '/' && next == '/')) {
            while (at < s.len && s.at[at] != '\n') at++;
        } else if (c == '/' && next == '*') {
            at += 2;
            while (at + 1 < s.len && !(s.at[at] == '*' && s.at[at + 1] == '/')) at++;
            at = MIN(at + 2, s.len);
        } else {
            break;
        }
    }
    return at;
}

static struct slice take_word(struct slice s, uint32_t *at)
{
    *at = skip(s, *at);
    uint32_t start = *at;
    while (*at < s.len && is_letter(s.at[*at])) (*at)++;
    return slice_make(s.at + start, *at - start);
}

/* The name behind the first FROM of a SELECT; empty: there is none. */
static struct slice from_of(struct slice text)
{
    uint32_t at = 0, depth = 0;
    if (!slice_equal_nocase(take_word(text, &at), SLICE("SELECT"))) return SLICE("");
    while ((at = skip(text, at)) < text.len) {
        uint8_t c = text.at[at];
        if (is_letter(c)) {
            struct slice word = take_word(text, &at);
            while (at < text.len && text.at[at] >= '0' && text.at[at] <= '9') at++;
            if (depth || !slice_equal_nocase(word, SLICE("FROM"))) continue;
            at = skip(text, at);
            uint32_t start = at;
            while (at < text.len && (is_letter(text.at[at]) || text.at[at] == '.')) at++;
            return slice_make(text.at + start, at - start);
        }
        depth += c == '(';
        depth -= c == ')' && depth;
        at++;
        if (c != '\'' && c != '"') continue;
        while (at < text.len && text.at[at] != c) at++;
        at += at < text.len;
    }
    return SLICE("");
}

bool exec_of_letters(struct slice text)
{
    return slice_equal_nocase(from_of(text), SLICE("dead_letters"));
}

/* Tables that no store holds: what the node says of itself. */
static bool is_of_system(struct slice text)
{
    static const char *const keyspaces[] = {"system.", "system_views.", "system_schema.",
                                            "system_virtual_schema."};
    struct slice from = from_of(text);
    for (size_t i = 0; i < COUNT_OF(keyspaces); i++) {
        uint32_t len = (uint32_t)strlen(keyspaces[i]);
        if (from.len > len && slice_equal_nocase(slice_make(from.at, len), slice_of(keyspaces[i])))
            return true;
    }
    return slice_equal_nocase(from, SLICE("dead_letters"));
}

bool exec_is_cql(struct slice text)
{
    static const struct {
        const char *first, *second; /* NULL: whatever follows */
    } words[] = {
        {"INSERT", NULL},      {"UPDATE", NULL},        {"DELETE", NULL},
        {"BEGIN", NULL},       {"ALTER", NULL},         {"GRANT", NULL},
        {"REVOKE", NULL},      {"LIST", NULL},          {"ADD", NULL},
        {"CREATE", "TYPE"},    {"CREATE", "INDEX"},     {"CREATE", "CUSTOM"},
        {"CREATE", "ROLE"},    {"CREATE", "USER"},      {"CREATE", "FUNCTION"},
        {"CREATE", "OR"},      {"CREATE", "AGGREGATE"}, {"CREATE", "TRIGGER"},
        {"DROP", "TYPE"},      {"DROP", "INDEX"},       {"DROP", "ROLE"},
        {"DROP", "USER"},      {"DROP", "KEYSPACE"},    {"DROP", "FUNCTION"},
        {"DROP", "AGGREGATE"}, {"DROP", "TRIGGER"},     {"DROP", "IDENTITY"},
        {"SELECT", "JSON"},
    };
    uint32_t at = 0;
    struct slice first = take_word(text, &at), second = take_word(text, &at);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_equal_nocase(first, slice_of(words[i].first)) &&
            (!words[i].second || slice_equal_nocase(second, slice_of(words[i].second))))
            return true;
    return is_of_system(text);
}

bool exec_cql_reads(struct slice text)
{
    uint32_t at = 0;
    struct slice first = take_word(text, &at);
    return slice_equal_nocase(first, SLICE("SELECT")) || slice_equal_nocase(first, SLICE("LIST"));
}

static void count_place(struct slice text, uint32_t end, struct exec_piece *p)
{
    uint32_t start = 0;
    for (uint32_t i = 0; i < end; i++) {
        if (text.at[i] != '\n') continue;
        p->line++;
        start = i + 1;
    }
    for (uint32_t i = start; i < end; i++) p->column += (text.at[i] & 0xc0) != 0x80;
}

err_t exec_cut(struct slice text, struct arena *a, struct exec_piece **out, uint32_t *count,
               struct diag *d)
{
    uint32_t cap = 0, at = 0;
    *out = NULL;
    *count = 0;
    while ((at = skip(text, at)) < text.len) {
        bool whole;
        struct slice rest = slice_make(text.at + at, text.len - at);
        rest.len = (uint32_t)cql_statement_length(rest, &whole);
        bool cql = exec_is_cql(rest);
        at += rest.len;
        if (!cql && *count && !(*out)[*count - 1].cql) { /* ours: parsed together */
            struct exec_piece *last = &(*out)[*count - 1];
            last->text.len = (uint32_t)(rest.at + rest.len - last->text.at);
            continue;
        }
        if (*count == cap) {
            uint32_t more = cap ? cap * 2 : 8;
            struct exec_piece *grown =
                arena_resize(a, *out, cap * sizeof(*grown), more * sizeof(*grown));
            if (!grown) return diag_fail(d, ERR_NO_MEMORY, "no memory for the statements");
            *out = grown;
            cap = more;
        }
        (*out)[*count] = (struct exec_piece){.text = rest, .cql = cql};
        count_place(text, (uint32_t)(rest.at - text.at), &(*out)[*count]);
        (*count)++;
    }
    return ERR_OK;
}

void exec_place(struct diag *d, const struct exec_piece *p)
{
    static const char *const names[] = {"statement:", "cql:"};
    unsigned line = 0, column = 0;
    if (!d) return;
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        size_t n = strlen(names[i]);
        if (strncmp(d->where, names[i], n) != 0 ||
            sscanf(d->where + n, "%u:%u", &line, &column) != 2)
            continue;
        (void)diag_where(d, "statement:%u:%u", line + p->line,
                         line == 1 ? column + p->column : column);
        return;
    }
}
