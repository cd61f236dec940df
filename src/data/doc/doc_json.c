/* JSON into a tree: strict, by descent. A name that stands twice: the last one counts. */
#include "data/doc/doc_build.h"
#include "data/utf8.h"
#include "data/value/value_int.h"

struct json_reader {
    struct doc_build build;
    struct slice text;
    uint32_t at, line, line_at; /* line_at: where the line begins */
};

static err_t wrong(struct json_reader *r, const char *why)
{
    (void)diag_fail(r->build.d, ERR_SYNTAX, "not JSON: %s", why);
    (void)diag_where(r->build.d, "%u:%u", r->line, r->at - r->line_at + 1);
    return ERR_SYNTAX;
}

static void skip_space(struct json_reader *r)
{
    for (; r->at < r->text.len; r->at++) {
        uint8_t c = r->text.at[r->at];
        if (c == '\n') {
            r->line++;
            r->line_at = r->at + 1;
        } else if (c != ' ' && c != '\t' && c != '\r') {
            return;
        }
    }
}

static uint8_t peek(const struct json_reader *r)
{
    return r->at < r->text.len ? r->text.at[r->at] : 0;
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex4(struct json_reader *r, uint32_t *out)
{
    *out = 0;
    if (r->text.len - r->at < 4) return false;
    for (int i = 0; i < 4; i++) {
        int h = hex_of(r->text.at[r->at++]);
        if (h < 0) return false;
        *out = *out << 4 | (uint32_t)h;
    }
    return true;
}

/* Behind "\u": a lone surrogate becomes U+FFFD, which every peer can read. */
static err_t read_unicode(struct json_reader *r, uint8_t **to)
{
    uint32_t c, low;
    if (!read_hex4(r, &c)) return wrong(r, "\\u takes four hexadecimal digits");
    if (c >= 0xD800 && c < 0xDC00 && r->text.len - r->at >= 6 && r->text.at[r->at] == '\\' &&
        r->text.at[r->at + 1] == 'u') {
        uint32_t back = r->at;
        r->at += 2;
        if (!read_hex4(r, &low)) return wrong(r, "\\u takes four hexadecimal digits");
        if (low >= 0xDC00 && low < 0xE000)
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        else
            r->at = back;
    }
    *to += utf8_put(*to, c >= 0xD800 && c < 0xE000 ? 0xFFFD : c);
    return ERR_OK;
}

static err_t read_escape(struct json_reader *r, uint8_t **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    uint8_t c = peek(r);
    r->at++;
    if (c == 'u') return read_unicode(r, to);
    const char *known = c ? strchr(from, c) : NULL;
    if (!known) return wrong(r, "unknown escape in a text");
    *(*to)++ = (uint8_t)into[known - from];
    return ERR_OK;
}

static err_t read_text(struct json_reader *r, struct slice *out)
{
    uint32_t start = ++r->at, end = start;
    bool escaped = false;
    for (; end < r->text.len && r->text.at[end] != '"'; end++) {
        if (r->text.at[end] < 0x20) {
            r->at = end;
            return wrong(r, "a control character in a text must be escaped");
        }
        escaped |= r->text.at[end] == '\\';
        end += r->text.at[end] == '\\';
    }
    if (end >= r->text.len) return wrong(r, "a text has no end");
    uint8_t *at = arena_take_raw(r->build.a, end - start + 1), *to = at;
    if (!at) return doc_no_memory(&r->build);
    if (!escaped) {
        memcpy(at, r->text.at + start, end - start);
        to += end - start;
    }
    for (r->at = escaped ? start : end; r->at < end;) {
        uint8_t c = r->text.at[r->at++];
        if (c != '\\') {
            *to++ = c;
            continue;
        }
        err_t e = read_escape(r, &to);
        if (e) return e;
    }
    r->at = end + 1;
    *out = slice_make(at, (size_t)(to - at));
    return ERR_OK;
}

static err_t read_number(struct json_reader *r, struct doc *out)
{
    uint32_t start = r->at;
    bool whole = true;
    r->at += peek(r) == '-';
    if (peek(r) == '0' && r->at + 1 < r->text.len && r->text.at[r->at + 1] >= '0' &&
        r->text.at[r->at + 1] <= '9')
        return wrong(r, "a number does not begin with 0");
    for (; r->at < r->text.len; r->at++) {
        uint8_t c = r->text.at[r->at];
        if (c >= '0' && c <= '9') continue;
        if (c != '.' && c != 'e' && c != 'E' && c != '+' && c != '-') break;
        whole = false;
    }
    struct slice digits = slice_make(r->text.at + start, r->at - start);
    uint8_t last = digits.len ? digits.at[digits.len - 1] : 0;
    out->kind = DOC_INT;
    if (last < '0' || last > '9') return wrong(r, "a number was begun");
    if (whole && slice_to_i64(digits, &out->number)) return ERR_OK;
    out->kind = DOC_FLOAT;
    return slice_to_f64(digits, &out->real) ? ERR_OK : wrong(r, "not a number");
}

static err_t read_value(struct json_reader *r, int depth, struct doc *out);

static err_t read_list(struct json_reader *r, int depth, struct doc *out)
{
    struct vec items = vec_make(sizeof(struct doc), DOC_NODES_MAX);
    err_t e = ERR_OK;
    r->at++;
    skip_space(r);
    for (bool first = true; !e && peek(r) != ']'; first = false) {
        if (!first && peek(r) != ',') e = wrong(r, "a list goes on with ',' or ends with ']'");
        if (!first && !e) r->at++;
        struct doc item = {0};
        if (!e) e = read_value(r, depth + 1, &item);
        if (!e) e = vec_push(&items, &item);
        skip_space(r);
    }
    r->at++;
    if (!e) e = doc_close_list(&r->build, &items, out);
    vec_done(&items);
    return e;
}

static err_t read_entry(struct json_reader *r, int depth, struct vec *entries)
{
    struct doc_entry entry = {0};
    skip_space(r);
    if (peek(r) != '"') return wrong(r, "a name in quotes was expected");
    entry.line = r->line;
    entry.column = r->at - r->line_at + 1;
    err_t e = read_text(r, &entry.name);
    skip_space(r);
    if (!e && peek(r) != ':') e = wrong(r, "':' was expected behind a name");
    r->at++;
    if (!e) e = read_value(r, depth + 1, &entry.value);
    skip_space(r);
    return e ? e : vec_push(entries, &entry);
}

/* Names that stand twice: the last one counts. A map of names finds them, so that it costs no
 * more than the names. */
static err_t drop_doubles(struct vec *entries)
{
    if (entries->count < 2) return ERR_OK;
    struct map *seen = map_new(entries->count);
    err_t e = seen ? ERR_OK : ERR_NO_MEMORY;
    size_t kept = entries->count;
    for (size_t i = entries->count; i > 0 && !e; i--) {
        struct doc_entry *entry = vec_at(entries, i - 1);
        if (map_get(seen, entry->name)) continue;
        e = map_set(seen, entry->name, entry);
        if (!e && --kept != i - 1) {
            struct doc_entry *to = vec_at(entries, kept);
            *to = *entry;
            e = map_set(seen, entry->name, to);
        }
    }
    map_free(seen);
    if (e) return e;
    memmove(entries->items, entries->items + kept * entries->item_size,
            (entries->count - kept) * entries->item_size);
    entries->count -= kept;
    return ERR_OK;
}

static err_t read_map(struct json_reader *r, int depth, struct doc *out)
{
    struct vec entries = vec_make(sizeof(struct doc_entry), DOC_NODES_MAX);
    err_t e = ERR_OK;
    r->at++;
    skip_space(r);
    for (bool first = true; !e && peek(r) != '}'; first = false) {
        if (!first && peek(r) != ',') e = wrong(r, "a map goes on with ',' or ends with '}'");
        if (!first && !e) r->at++;
        if (!e) e = read_entry(r, depth, &entries);
    }
    r->at++;
    if (!e) e = drop_doubles(&entries);
    if (!e) e = doc_close_map(&r->build, &entries, out);
    vec_done(&entries);
    return e;
}

static err_t read_word(struct json_reader *r, struct doc *out)
{
    static const struct {
        const char *text;
        enum doc_kind kind;
        bool yes;
    } words[] = {{"null", DOC_NULL, false}, {"true", DOC_BOOL, true}, {"false", DOC_BOOL, false}};
    struct slice rest = slice_make(r->text.at + r->at, r->text.len - r->at);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!slice_starts(rest, words[i].text)) continue;
        r->at += (uint32_t)strlen(words[i].text);
        out->kind = words[i].kind;
        out->yes = words[i].yes;
        return ERR_OK;
    }
    return wrong(r, "a value was expected");
}

static err_t read_value(struct json_reader *r, int depth, struct doc *out)
{
    err_t e = doc_count(&r->build);
    if (e) return e;
    if (depth > DOC_DEPTH_MAX) {
        (void)wrong(r, "nested too deep");
        return ERR_TOO_DEEP;
    }
    skip_space(r);
    *out = (struct doc){.line = r->line, .column = r->at - r->line_at + 1};
    uint8_t c = peek(r);
    if (c == '{') return read_map(r, depth, out);
    if (c == '[') return read_list(r, depth, out);
    if (c == '"') {
        out->kind = DOC_TEXT;
        return read_text(r, &out->text);
    }
    if (c == '-' || (c >= '0' && c <= '9')) return read_number(r, out);
    return read_word(r, out);
}

err_t doc_of_json(struct slice text, struct arena *a, struct doc *out, struct diag *d)
{
    if (!text.at) text = SLICE(""); /* of a request without a body */
    struct json_reader r = {{a, 0, d}, text, 0, 1, 0};
    uint32_t bad;
    if (!utf8_valid(text, &bad)) {
        for (; r.at < bad; r.at++) {
            if (text.at[r.at] != '\n') continue;
            r.line++;
            r.line_at = r.at + 1;
        }
        return wrong(&r, "not UTF-8");
    }
    err_t e = read_value(&r, 0, out);
    if (e) return e;
    skip_space(&r);
    return r.at == text.len ? ERR_OK : wrong(&r, "something stands behind the value");
}
