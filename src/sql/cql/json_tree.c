#include "sql/cql/json_tree.h"

#include "base/hash.h"
#include "data/utf8.h"
#include "sql/cql/term_int.h"
#include <stdio.h>

struct reading {
    const uint8_t *start, *at, *end;
    struct arena *a;
    struct diag *d;
    uint32_t depth;
};

static err_t value(struct reading *r, struct json_node **out);

/* Jackson's words, with the place it names: a line, and the column behind the character; NULL:
 * where there is nothing at all. */
static err_t told(struct reading *r, const char *class, const char *what, const uint8_t *behind)
{
    unsigned line = 1;
    const uint8_t *row = r->start;
    for (const uint8_t *p = r->start; behind && p < behind && p < r->end; p++) {
        if (*p != '\n') continue;
        line++;
        row = p + 1;
    }
    size_t shown = MIN((size_t)(r->end - r->start), (size_t)500);
    return diag_fail(r->d, ERR_BAD_JSON,
                     "%s: %s\n at [Source: (String)\"%.*s\"; line: %u, column: %u]", class, what,
                     (int)shown, r->start ? (const char *)r->start : "", line,
                     behind ? (unsigned)(behind - row) + 1 : 0);
}

#define PARSE_FAULT "com.fasterxml.jackson.core.JsonParseException"
#define END_FAULT   "com.fasterxml.jackson.core.io.JsonEOFException"
#define A_VALUE     "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"

static err_t wrong(struct reading *r, const char *expected)
{
    char text[256];
    if (r->at >= r->end) {
        snprintf(text, sizeof(text), "Unexpected end-of-input%s%s",
                 strncmp(expected, "was", 3) ? "" : ": ",
                 strncmp(expected, "was", 3) ? "" : expected);
        return told(r, END_FAULT, text, r->end);
    }
    if (*r->at < 0x20)
        snprintf(text, sizeof(text),
                 "Illegal unquoted character ((CTRL-CHAR, code %u)): has to be "
                 "escaped using backslash to be included in string value",
                 *r->at);
    else
        snprintf(text, sizeof(text), "Unexpected character ('%c' (code %u)): %s", *r->at, *r->at,
                 expected);
    return told(r, PARSE_FAULT, text, r->at + 1);
}

static void skip_space(struct reading *r)
{
    while (r->at < r->end && memchr(" \t\r\n", *r->at, 4)) r->at++;
}

static bool at_char(const struct reading *r, char c)
{
    return r->at < r->end && *r->at == (uint8_t)c;
}

/* --- strings
 * --------------------------------------------------------------------------------------
 */

static bool hex4(struct reading *r, uint32_t *out)
{
    uint8_t bytes[2];
    if (r->end - r->at < 5 || !parse_hex((struct slice){r->at + 1, 4}, bytes, 2)) return false;
    *out = (uint32_t)bytes[0] << 8 | bytes[1];
    r->at += 4;
    return true;
}

/* At the 'u'; half of a pair is no character: '?', as Java writes it. */
static bool unicode(struct reading *r, uint8_t **to)
{
    uint32_t c, low;
    if (!hex4(r, &c)) return false;
    if (c >= 0xD800 && c < 0xDC00 && r->end - r->at > 2 && r->at[1] == '\\' && r->at[2] == 'u') {
        const uint8_t *before = r->at;
        r->at += 2;
        if (!hex4(r, &low)) return false;
        if (low >= 0xDC00 && low < 0xE000)
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        else
            r->at = before;
    }
    if (c >= 0xD800 && c < 0xE000) c = '?';
    *to += utf8_put(*to, c);
    return true;
}

static bool escape(struct reading *r, uint8_t **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    if (++r->at >= r->end) return false;
    if (*r->at == 'u') return unicode(r, to);
    const char *found = memchr(from, *r->at, sizeof(from) - 1);
    if (!found) return false;
    *(*to)++ = (uint8_t)into[found - from];
    return true;
}

static err_t string(struct reading *r, struct slice *out)
{
    const uint8_t *from = ++r->at;
    while (r->at < r->end && *r->at != '"' && *r->at != '\\' && *r->at >= 0x20) r->at++;
    if (at_char(r, '"')) {
        *out = slice_make(from, (size_t)(r->at++ - from));
        return ERR_OK;
    }
    const uint8_t *close = r->at;
    while (close < r->end && *close != '"') close += *close == '\\' ? 2 : 1;
    close = MIN(close, r->end);
    uint8_t *made = arena_take_raw(r->a, (size_t)(close - from) + 4), *to = made;
    if (!made) return term_no_room(r->d);
    for (r->at = from; r->at < r->end && *r->at != '"'; r->at++) {
        if (*r->at < 0x20) return wrong(r, "");
        if (*r->at != '\\')
            *to++ = *r->at;
        else if (!escape(r, &to)) /* ends on the escape's last character */
            return wrong(r, "was expecting an escape sequence");
    }
    if (!at_char(r, '"')) return wrong(r, "was expecting closing quote for a string value");
    r->at++;
    *out = slice_make(made, (size_t)(to - made));
    return ERR_OK;
}

/* --- numbers, words, nesting
 * -------------------------------------------------------------------------
 */

static bool digits(struct reading *r)
{
    const uint8_t *from = r->at;
    while (r->at < r->end && *r->at >= '0' && *r->at <= '9') r->at++;
    return r->at > from;
}

static err_t number(struct reading *r, struct json_node *n)
{
    n->kind = JSON_INTEGER;
    if (at_char(r, '-')) r->at++;
    bool zero = at_char(r, '0');
    const uint8_t *first = r->at;
    if (!digits(r))
        return wrong(r, "Expected digit (0-9) to follow minus sign, for valid numeric value");
    if (zero && r->at > first + 1)
        return told(r, PARSE_FAULT, "Invalid numeric value: Leading zeroes not allowed", first + 1);
    if (at_char(r, '.')) {
        n->kind = JSON_FLOAT;
        r->at++;
        if (!digits(r)) return wrong(r, "Decimal point not followed by a digit");
    }
    if (at_char(r, 'e') || at_char(r, 'E')) {
        n->kind = JSON_FLOAT;
        r->at++;
        if (at_char(r, '-') || at_char(r, '+')) r->at++;
        if (!digits(r)) return wrong(r, "Exponent indicator not followed by a digit");
    }
    return ERR_OK;
}

static bool in_word(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           c == '$' || c >= 0x80;
}

static err_t no_word(struct reading *r)
{
    char text[512];
    const uint8_t *end = r->at;
    while (end < r->end && in_word(*end) && end - r->at < 256) end++;
    if (end == r->at) return wrong(r, "expected a valid value " A_VALUE);
    snprintf(text, sizeof(text), "Unrecognized token '%.*s': was expecting " A_VALUE,
             (int)(end - r->at), (const char *)r->at);
    return told(r, PARSE_FAULT, text, end);
}

static err_t word(struct reading *r, struct json_node *n)
{
    static const struct {
        struct slice text;
        enum json_kind kind;
    } words[] = {{{(const uint8_t *)"null", 4}, JSON_NULL},
                 {{(const uint8_t *)"true", 4}, JSON_BOOLEAN},
                 {{(const uint8_t *)"false", 5}, JSON_BOOLEAN}};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        uint32_t len = words[i].text.len;
        if ((size_t)(r->end - r->at) < len || memcmp(r->at, words[i].text.at, len) != 0) continue;
        if (r->at + len < r->end && in_word(r->at[len])) continue;
        n->kind = words[i].kind;
        r->at += len;
        return ERR_OK;
    }
    return no_word(r);
}

struct growing {
    struct json_node **items;
    struct slice *names;
    uint32_t count, cap;
};

static bool grow(struct growing *g, struct arena *a)
{
    if (g->count < g->cap) return true;
    uint32_t cap = g->cap ? g->cap * 2 : 8;
    struct json_node **items =
        arena_resize(a, g->items, g->cap * sizeof(*items), cap * sizeof(*items));
    struct slice *names = arena_resize(a, g->names, g->cap * sizeof(*names), cap * sizeof(*names));
    if (items) g->items = items;
    if (names) g->names = names;
    if (items && names) g->cap = cap;
    return items && names;
}

static err_t entry_name(struct reading *r, struct slice *name)
{
    skip_space(r);
    if (!at_char(r, '"')) return wrong(r, "was expecting double-quote to start field name");
    err_t e = string(r, name);
    if (e) return e;
    skip_space(r);
    if (!at_char(r, ':')) return wrong(r, "was expecting a colon to separate field name and value");
    r->at++;
    return ERR_OK;
}

static err_t entry(struct reading *r, struct growing *g, bool map)
{
    struct slice name = {0};
    err_t e = map ? entry_name(r, &name) : ERR_OK;
    struct json_node *n = NULL;
    if (!e) e = value(r, &n);
    if (e) return e;
    if (!grow(g, r->a)) return term_no_room(r->d);
    g->items[g->count] = n;
    g->names[g->count++] = name;
    return ERR_OK;
}

static err_t nest(struct reading *r, struct json_node *n)
{
    bool map = *r->at == '{';
    char close = map ? '}' : ']';
    struct growing g = {0};
    n->kind = map ? JSON_MAP : JSON_LIST;
    r->at++;
    skip_space(r);
    while (!at_char(r, close)) {
        err_t e = entry(r, &g, map);
        if (e) return e;
        skip_space(r);
        if (at_char(r, close)) break;
        if (!at_char(r, ','))
            return wrong(r, map ? "was expecting comma to separate Object entries"
                                : "was expecting comma to separate Array entries");
        r->at++;
        skip_space(r);
        if (at_char(r, close))
            return wrong(r, map ? "was expecting double-quote to start field name"
                                : "expected a valid value " A_VALUE);
    }
    r->at++;
    n->items = g.items;
    n->names = g.names;
    n->count = g.count;
    return ERR_OK;
}

static err_t value(struct reading *r, struct json_node **out)
{
    struct json_node *n = arena_take(r->a, sizeof(*n));
    err_t e;
    if (!n) return term_no_room(r->d);
    if (++r->depth > CQL_JSON_DEPTH)
        return diag_fail(r->d, ERR_BAD_JSON, "JSON nests at most %d levels", CQL_JSON_DEPTH);
    skip_space(r);
    const uint8_t *from = r->at;
    if (r->at >= r->end && r->depth == 1)
        e = told(r, "com.fasterxml.jackson.databind.exc.MismatchedInputException",
                 "No content to map due to end-of-input", NULL);
    else if (r->at >= r->end)
        e = wrong(r, "");
    else if (*r->at == '{' || *r->at == '[')
        e = nest(r, n);
    else if (*r->at == '"')
        e = string(r, &n->value);
    else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9'))
        e = number(r, n);
    else
        e = word(r, n);
    if (e) return e;
    n->text = slice_make(from, (size_t)(r->at - from));
    if (*from == '"')
        n->kind = JSON_STRING;
    else
        n->value = n->text;
    r->depth--;
    *out = n;
    return ERR_OK;
}

err_t json_tree(struct slice json, struct arena *a, struct json_node **out, struct diag *d)
{
    struct reading r = {json.at, json.at, json.at ? json.at + json.len : NULL, a, d, 0};
    return value(&r, out);
}

/* --- as Java has it
 * -----------------------------------------------------------------------------------
 */

const char *json_class(const struct json_node *n)
{
    int64_t v;
    switch (n->kind) {
    case JSON_BOOLEAN: return "Boolean";
    case JSON_FLOAT: return "Double";
    case JSON_STRING: return "String";
    case JSON_LIST: return "ArrayList";
    case JSON_MAP: return "LinkedHashMap";
    case JSON_INTEGER:
        if (!slice_to_i64(n->value, &v)) return "BigInteger";
        return v >= INT32_MIN && v <= INT32_MAX ? "Integer" : "Long";
    case JSON_NULL: break;
    }
    return "null";
}

void json_java_put(const struct json_node *n, struct buf *out)
{
    struct slice bits;
    if (n->kind == JSON_FLOAT) {
        struct arena *a = arena_new(KIB(64));
        if (a && binary_from_text(type_of(TYPE_DOUBLE), n->value, a, &bits, NULL) == ERR_OK)
            java_put_f64(out, binary_f64(bits));
        arena_free(a);
        return;
    }
    if (n->kind != JSON_LIST && n->kind != JSON_MAP) {
        buf_slice(out, n->value);
        return;
    }
    buf_char(out, n->kind == JSON_LIST ? '[' : '{');
    for (uint32_t i = 0; i < n->count; i++) {
        if (i) buf_text(out, ", ");
        if (n->kind == JSON_MAP) buf_printf(out, "%.*s=", SLICE_ARG(n->names[i]));
        json_java_put(n->items[i], out);
    }
    buf_char(out, n->kind == JSON_LIST ? ']' : '}');
}

static struct slice folded(struct slice name, struct arena *a)
{
    if (name.len > 1 && name.at[0] == '"' && name.at[name.len - 1] == '"')
        return (struct slice){name.at + 1, name.len - 2};
    bool upper = false;
    for (uint32_t i = 0; i < name.len; i++) upper |= name.at[i] >= 'A' && name.at[i] <= 'Z';
    uint8_t *lower = upper ? arena_take_raw(a, name.len) : NULL;
    if (!lower) return name;
    for (uint32_t i = 0; i < name.len; i++)
        lower[i] = name.at[i] >= 'A' && name.at[i] <= 'Z' ? name.at[i] | 0x20 : name.at[i];
    return slice_make(lower, name.len);
}

/* A name that was changed goes over one that stands as it is, whichever comes first. */
err_t json_fold_names(struct json_node *map, struct arena *a, struct diag *d)
{
    uint32_t kept = 0;
    if (map->count > JSON_FIELDS_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a JSON object of %u fields, more than %d", map->count,
                         JSON_FIELDS_MAX);
    bool *changed = arena_take(a, map->count + 1);
    if (!changed) return term_no_room(d);
    for (uint32_t i = 0; i < map->count; i++) {
        struct slice name = folded(map->names[i], a);
        bool differs = !slice_equal(name, map->names[i]);
        uint32_t k = 0;
        while (k < kept && !slice_equal(map->names[k], name)) k++;
        if (k < kept && changed[k] && !differs) continue;
        kept += k == kept;
        map->names[k] = name;
        map->items[k] = map->items[i];
        changed[k] = differs;
    }
    map->count = kept;
    return ERR_OK;
}
