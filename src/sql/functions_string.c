/* More of text: pieces between separators, encodings, addresses, likeness, masks. */
#include "base/hash.h"
#include "data/json.h"
#include "sql/functions.h"
#include "sql/text.h"

static struct slice rest_at(struct slice s, uint32_t at)
{
    return slice_make(s.at + at, s.len - at);
}

/* --- pieces -------------------------------------------------------------------------------------
 */

/* Flink's: from 0, null when there are not so many. */
err_t fn_split_index(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), mark = arg_text(c, 1, row);
    int64_t want = arg_integer(c, 2, row);
    size_t from = 0;
    if (want < 0 || !mark.len) return ERR_OK;
    for (int64_t i = 0;; i++) {
        size_t at = slice_find(s, mark, from);
        bool last = at > s.len;
        if (i == want) {
            put_bytes(c->out, row, slice_make(s.at + from, (last ? s.len : at) - from));
            return ERR_OK;
        }
        if (last) return ERR_OK;
        from = at + mark.len;
    }
}

/* All before the n-th separator, or behind the n-th from the end. */
err_t fn_substring_index(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), mark = arg_text(c, 1, row);
    int64_t want = arg_integer(c, 2, row), count = 0;
    if (!mark.len || !want) {
        put_bytes(c->out, row, slice_make(s.at, 0));
        return ERR_OK;
    }
    for (size_t at = slice_find(s, mark, 0); at <= s.len; at = slice_find(s, mark, at + mark.len))
        count++;
    int64_t stop = want > 0 ? want : count + want + 1; /* which separator it is */
    size_t at = 0;
    if (stop > count || stop < 1) {
        put_bytes(c->out, row, s);
        return ERR_OK;
    }
    for (int64_t i = 0; i < stop; i++) at = slice_find(s, mark, i ? at + mark.len : 0);
    put_bytes(c->out, row, want > 0 ? slice_make(s.at, at) : rest_at(s, (uint32_t)(at + mark.len)));
    return ERR_OK;
}

err_t fn_count_char(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), mark = arg_text(c, 1, row);
    int64_t count = 0;
    for (size_t at = mark.len ? slice_find(s, mark, 0) : s.len + 1; at <= s.len;
         at = slice_find(s, mark, at + mark.len))
        count++;
    cell_put_integer(c->out, row, count);
    return ERR_OK;
}

/* The text as a JSON array of its pieces. */
err_t fn_split(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), mark = arg_text(c, 1, row);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    buf_char(&b, '[');
    for (size_t from = 0;;) {
        size_t at = mark.len ? slice_find(s, mark, from) : s.len + 1;
        bool last = at > s.len;
        if (from) buf_char(&b, ',');
        json_put_text(&b, slice_make(s.at + from, (last ? s.len : at) - from));
        if (last) break;
        from = at + mark.len;
    }
    buf_char(&b, ']');
    return put_buf(c, row, &b);
}

err_t fn_overlay(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), with = arg_text(c, 1, row);
    int64_t from = arg_integer(c, 2, row);
    int64_t len = c->e->count > 3 ? arg_integer(c, 3, row) : (int64_t)utf8_length(with);
    if (from < 1 || len < 0 || from > INT32_MAX || len > INT32_MAX)
        return call_fault(c, row, ERR_RANGE, "characters are counted from 1");
    uint32_t start = utf8_index(s, (uint64_t)from - 1),
             end = utf8_index(s, (uint64_t)(from - 1 + len));
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    buf_put(&b, s.at, start);
    buf_slice(&b, with);
    buf_slice(&b, rest_at(s, end));
    return put_buf(c, row, &b);
}

err_t fn_space(struct call *c, uint32_t row)
{
    int64_t n = arg_integer(c, 0, row);
    err_t e;
    uint8_t *out = call_room(c, row, n < 0 ? 0 : (uint64_t)n, &e);
    if (!out) return e;
    memset(out, ' ', n < 0 ? 0 : (size_t)n);
    put_bytes(c->out, row, slice_make(out, n < 0 ? 0 : (size_t)n));
    return ERR_OK;
}
err_t fn_bit_length(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, (int64_t)arg_text(c, 0, row).len * 8);
    return ERR_OK;
}

/* --- encodings -----------------------------------------------------------------------------------
 */

/* Bytes that came out of an encoding are text only when they are UTF-8. */
static err_t put_text(struct call *c, uint32_t row, struct buf *b)
{
    struct slice s = buf_view(b);
    if (!b->err && utf8_bad_at(s) < s.len) {
        buf_done(b);
        return call_fault(c, row, ERR_CAST, "the bytes are no text");
    }
    return put_buf(c, row, b);
}
err_t fn_from_base64(struct call *c, uint32_t row)
{
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    if (parse_base64(arg_text(c, 0, row), &b) && b.err != ERR_NO_MEMORY) {
        buf_done(&b);
        return call_fault(c, row, ERR_CAST, "this is no base64");
    }
    return put_text(c, row, &b);
}
err_t fn_hex(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    put_hex(&b, s.at, s.len);
    return put_buf(c, row, &b);
}
static int hex_digit(uint8_t ch)
{
    if (ch >= '0' && ch <= '9') return ch - '0';
    ch |= 32;
    return ch >= 'a' && ch <= 'f' ? ch - 'a' + 10 : -1;
}
err_t fn_unhex(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    bool fine = s.len % 2 == 0;
    for (uint32_t i = 0; fine && i + 1 < s.len; i += 2) {
        int high = hex_digit(s.at[i]), low = hex_digit(s.at[i + 1]);
        fine = high >= 0 && low >= 0;
        if (fine) buf_char(&b, (char)(high << 4 | low));
    }
    if (fine) return put_text(c, row, &b);
    buf_done(&b);
    return call_fault(c, row, ERR_CAST, "this is no hex");
}
err_t fn_url_encode(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t ch = s.at[i], low = ch | 32;
        bool plain = (low >= 'a' && low <= 'z') || (ch >= '0' && ch <= '9') || ch == '-' ||
                     ch == '_' || ch == '.' || ch == '*';
        if (plain)
            buf_char(&b, (char)ch);
        else if (ch == ' ')
            buf_char(&b, '+');
        else
            buf_printf(&b, "%%%02X", ch);
    }
    return put_buf(c, row, &b);
}
static void decode_url(struct slice s, struct buf *b)
{
    for (uint32_t i = 0; i < s.len; i++) {
        int high = s.at[i] == '%' && i + 2 < s.len ? hex_digit(s.at[i + 1]) : -1;
        int low = high >= 0 ? hex_digit(s.at[i + 2]) : -1;
        if (low >= 0) {
            buf_char(b, (char)(high << 4 | low));
            i += 2;
        } else {
            buf_char(b, s.at[i] == '+' ? ' ' : (char)s.at[i]);
        }
    }
}
err_t fn_url_decode(struct call *c, uint32_t row)
{
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    decode_url(arg_text(c, 0, row), &b);
    return put_text(c, row, &b);
}
err_t fn_sha512(struct call *c, uint32_t row)
{
    uint8_t d[64];
    struct buf b = buf_make(200);
    digest_sha512(arg_text(c, 0, row), d);
    put_hex(&b, d, sizeof(d));
    return put_buf(c, row, &b);
}
err_t fn_crc32(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    cell_put_integer(c->out, row, crc32_zip(0, s.at, s.len));
    return ERR_OK;
}
err_t fn_hash64(struct call *c, uint32_t row)
{
    uint64_t h = 0;
    for (uint32_t i = 0; i < c->e->count; i++) {
        struct value v = value_null(c->e->args[i]->type);
        if (!arg_null(c, i, row)) operand_value(&c->args[i], row, &v);
        uint64_t both[2] = {h, value_hash(&v)};
        h = hash64(slice_make((const uint8_t *)both, sizeof(both)), 0);
    }
    cell_put_integer(c->out, row, (int64_t)h);
    return ERR_OK;
}

/* --- addresses
 * ------------------------------------------------------------------------------------ */

struct address { /* protocol://userinfo@host:port/path?query#ref */
    struct slice protocol, userinfo, host, port, path, query, ref;
};
static bool cut(struct slice *s, char mark, struct slice *before)
{
    const uint8_t *at = s->len ? memchr(s->at, mark, s->len) : NULL;
    if (!at) return false;
    *before = slice_make(s->at, (size_t)(at - s->at));
    *s = rest_at(*s, before->len + 1);
    return true;
}
static bool address_of(struct slice s, struct address *a)
{
    struct slice authority, rest;
    size_t at = slice_find(s, SLICE("://"), 0);
    *a = (struct address){0};
    if (at > s.len) return false;
    a->protocol = slice_make(s.at, at);
    rest = rest_at(s, (uint32_t)at + 3);
    authority = rest;
    if (cut(&authority, '#', &rest)) a->ref = authority; /* from here `rest` has no #ref */
    authority = rest;
    if (cut(&authority, '?', &rest)) a->query = authority;
    authority = rest;
    uint32_t end = 0;
    while (end < rest.len && rest.at[end] != '/') end++;
    a->path = rest_at(rest, end);
    authority.len = end;
    if (cut(&authority, '@', &rest)) a->userinfo = rest;
    a->host = authority;
    bool six = authority.len && authority.at[0] == '[';
    for (uint32_t i = authority.len; i > 0; i--) {
        if (six && authority.at[i - 1] == ']') break;
        if (authority.at[i - 1] != ':') continue;
        a->host.len = i - 1;
        a->port = rest_at(authority, i);
        break;
    }
    return true;
}
static bool query_value(struct slice query, struct slice key, struct slice *out)
{
    while (query.len) {
        struct slice pair, name;
        if (!cut(&query, '&', &pair)) {
            pair = query;
            query.len = 0;
        }
        if (cut(&pair, '=', &name) && slice_equal(name, key)) {
            *out = pair;
            return true;
        }
    }
    return false;
}
/* parse_url(url, part[, key]), as Spark and Flink have it. */
err_t fn_parse_url(struct call *c, uint32_t row)
{
    struct address a;
    struct slice part = arg_text(c, 1, row), value;
    if (!address_of(arg_text(c, 0, row), &a)) return ERR_OK; /* null: it is none */
    const struct {
        const char *name;
        struct slice value;
    } parts[] = {
        {"PROTOCOL", a.protocol}, {"USERINFO", a.userinfo}, {"HOST", a.host}, {"PORT", a.port},
        {"PATH", a.path},         {"QUERY", a.query},       {"REF", a.ref}};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (!slice_equal_nocase(part, slice_of(parts[i].name))) continue;
        value = parts[i].value;
        if (c->e->count > 2 && !query_value(a.query, arg_text(c, 2, row), &value)) return ERR_OK;
        if (value.at) put_bytes(c->out, row, value);
        return ERR_OK;
    }
    return call_fault(c, row, ERR_UNKNOWN_NAME,
                      "parts are PROTOCOL, USERINFO, HOST, PORT, PATH, QUERY, REF");
}

/* --- likeness
 * -------------------------------------------------------------------------------------- */

enum { LIKENESS_MAX = 4096 };

err_t fn_levenshtein(struct call *c, uint32_t row)
{
    struct slice a = arg_text(c, 0, row), b = arg_text(c, 1, row);
    size_t na = utf8_length(a), nb = utf8_length(b);
    if (na > LIKENESS_MAX || nb > LIKENESS_MAX)
        return call_fault(c, row, ERR_TOO_BIG, "texts of at most 4,096 characters are compared");
    uint32_t *line = arena_take_raw(c->f->in->arena, (nb + 1) * sizeof(*line));
    uint32_t *codes = arena_take_raw(c->f->in->arena, (nb + 1) * sizeof(*codes));
    if (!line || !codes) return ERR_NO_MEMORY;
    for (uint32_t i = 0, size, n = 0; i < b.len; i += size)
        codes[n++] = utf8_decode(rest_at(b, i), &size);
    for (uint32_t k = 0; k <= nb; k++) line[k] = k;
    uint32_t above = 0;
    for (uint32_t i = 0, size; i < a.len; i += size) {
        uint32_t code = utf8_decode(rest_at(a, i), &size), corner = above++;
        line[0] = above;
        for (uint32_t k = 1; k <= nb; k++) {
            uint32_t best = MIN(MIN(line[k], line[k - 1]) + 1, corner + (codes[k - 1] != code));
            corner = line[k];
            line[k] = best;
        }
    }
    cell_put_integer(c->out, row, line[nb]);
    return ERR_OK;
}

/* American Soundex: a letter and three digits. */
err_t fn_soundex(struct call *c, uint32_t row)
{
    static const char digits[] = "01230120022455012623010202"; /* A … Z */
    struct slice s = arg_text(c, 0, row);
    err_t e;
    uint8_t *out = call_room(c, row, 4, &e);
    if (!out) return e;
    uint32_t n = 0;
    char last = 0;
    for (uint32_t i = 0; i < s.len && n < 4; i++) {
        uint8_t low = s.at[i] | 32;
        if (low < 'a' || low > 'z') continue;
        char digit = digits[low - 'a'];
        if (n == 0)
            out[n++] = (uint8_t)(low - 32);
        else if (digit != '0' && digit != last)
            out[n++] = (uint8_t)digit;
        if (low != 'h' && low != 'w') last = digit; /* they part nothing */
    }
    while (n > 0 && n < 4) out[n++] = '0';
    put_bytes(c->out, row, slice_make(out, n));
    return ERR_OK;
}

/* --- masks
 * ----------------------------------------------------------------------------------------- */

/* Spark's mask(): capital letters X, small ones x, digits n, the others as they are. */
err_t fn_mask(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    err_t e;
    uint8_t *out = call_room(c, row, s.len, &e);
    if (!out) return e;
    uint32_t n = 0;
    for (uint32_t i = 0, size; i < s.len; i += size) {
        uint32_t code = utf8_decode(rest_at(s, i), &size);
        if (code >= '0' && code <= '9')
            out[n++] = 'n';
        else if (code_lower(code) != code)
            out[n++] = 'X';
        else if (code_upper(code) != code)
            out[n++] = 'x';
        else
            for (uint32_t k = 0; k < size; k++) out[n++] = s.at[i + k];
    }
    put_bytes(c->out, row, slice_make(out, n));
    return ERR_OK;
}
/* e…@example.com: enough to tell two people apart in a log, no more. */
err_t fn_mask_email(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), name;
    struct slice domain = s;
    if (!cut(&domain, '@', &name) || !name.len) return fn_mask(c, row);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    buf_put(&b, name.at, utf8_size(name));
    buf_text(&b, "***@");
    buf_slice(&b, domain);
    return put_buf(c, row, &b);
}
err_t fn_regexp_count(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    int64_t count = 0;
    bool found = true;
    err_t e = ERR_OK;
    for (uint32_t from = 0; !e && found && from <= s.len;) {
        struct regex_match m;
        e = regex_find(c->run, s, from, 0, &found, &m);
        if (e || !found) break;
        count++;
        from = m.end > m.start ? m.end : m.end + MAX(utf8_size(rest_at(s, m.end)), 1u);
    }
    if (e == ERR_NO_MEMORY) return e;
    if (e) return call_fault(c, row, e, "the pattern takes too long on this text");
    cell_put_integer(c->out, row, count);
    return ERR_OK;
}
