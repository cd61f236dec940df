/* Connections as texts, as Airflow reads and writes them (models/connection.py; Python's urlsplit,
 * quote, parse_qsl). */
#include "sched/connection.h"

#include <stdio.h>

enum { QUERY_MAX = 1000 };

/* --- a URI's parts ---------------------------------------------------------------------------- */

static struct slice from(struct slice s, uint32_t at)
{
    return at >= s.len ? slice_of("") : slice_make(s.at + at, s.len - at);
}
static struct slice until(struct slice s, uint32_t at)
{
    return slice_make(s.len ? (const void *)s.at : "", MIN(at, s.len));
}
/* The first of `chars` (the last with `back`), or its length. */
static uint32_t place_of(struct slice s, const char *chars, bool back)
{
    uint32_t found = s.len;
    for (uint32_t i = 0; i < s.len && (back || found == s.len); i++)
        if (s.at[i] && strchr(chars, s.at[i])) found = i;
    return found;
}

static int hex_of(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percents that are none stay as they are; `plus`: of a query, whose "+" is a space. */
static struct slice unquoted(struct slice s, bool plus, struct arena *a)
{
    uint8_t *to = arena_take_raw(a, s.len + 1u);
    uint32_t n = 0;
    for (uint32_t i = 0; to && i < s.len; i++) {
        int high = s.at[i] == '%' && i + 2 < s.len ? hex_of(s.at[i + 1]) : -1;
        int low = high >= 0 ? hex_of(s.at[i + 2]) : -1;
        if (low >= 0) i += 2;
        to[n++] = (uint8_t)(low >= 0 ? high << 4 | low : plus && s.at[i] == '+' ? ' ' : s.at[i]);
    }
    return to ? slice_make(to, n) : (struct slice){0};
}

static void quote(struct buf *out, struct slice s, bool plus)
{
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') ||
                     (c && strchr("_.-~", c));
        if (plain)
            buf_char(out, (char)c);
        else if (plus && c == ' ')
            buf_char(out, '+');
        else
            buf_printf(out, "%%%02X", c);
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

static struct slice type_of(struct slice word, struct arena *a)
{
    if (slice_is(word, "postgresql")) return SLICE("postgres");
    uint8_t *to = arena_take_raw(a, word.len + 1u);
    for (uint32_t i = 0; to && i < word.len; i++) to[i] = word.at[i] == '-' ? '_' : word.at[i];
    return to ? slice_make(to, word.len) : (struct slice){0};
}

static struct slice lower(struct slice s, struct arena *a)
{
    uint8_t *to = arena_take_raw(a, s.len + 1u);
    for (uint32_t i = 0; to && i < s.len; i++)
        to[i] = s.at[i] >= 'A' && s.at[i] <= 'Z' ? s.at[i] | 32 : s.at[i];
    return to ? slice_make(to, s.len) : (struct slice){0};
}

static void put_text(struct buf *out, struct slice s)
{
    struct doc v = {.kind = DOC_TEXT, .text = s};
    doc_put_json(out, &v);
}

/* The query as JSON's map; of a name given twice the last counts; __extra__ is the whole. */
static err_t read_query(struct slice query, struct arena *a, struct slice *extra, struct diag *d)
{
    struct slice names[QUERY_MAX], values[QUERY_MAX];
    uint32_t count = 0;
    while (query.len) {
        uint32_t end = place_of(query, "&", false);
        struct slice part = until(query, end);
        query = from(query, end + 1);
        if (part.len == 0) continue;
        uint32_t equal = place_of(part, "=", false), at = 0;
        struct slice name = unquoted(until(part, equal), true, a);
        while (at < count && !slice_equal(names[at], name)) at++;
        if (at == QUERY_MAX) return diag_fail(d, ERR_TOO_BIG, "more than %d extras", QUERY_MAX);
        names[at] = name;
        values[at] = unquoted(from(part, equal + 1), true, a);
        if (at == count) count++;
    }
    struct buf b = buf_make(2 * (size_t)CONNECTION_TEXT_MAX);
    buf_char(&b, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (i) buf_text(&b, ", ");
        put_text(&b, names[i]);
        buf_text(&b, ": ");
        put_text(&b, values[i]);
        if (slice_is(names[i], "__extra__")) *extra = values[i];
    }
    buf_char(&b, '}');
    if (!extra->at && count) *extra = arena_slice(a, buf_view(&b));
    err_t e = b.err;
    buf_done(&b);
    return e ? diag_fail(d, e, "an extra of more than %d bytes", CONNECTION_TEXT_MAX) : ERR_OK;
}

static err_t read_port(struct slice text, struct connection *out, struct diag *d)
{
    if (text.len == 0) return ERR_OK;
    if (!slice_to_i64(text, &out->port))
        return diag_fail(d, ERR_USAGE, "Port could not be cast to integer value as '%.*s'",
                         SLICE_ARG(text));
    if (out->port < 0 || out->port > 65535)
        return diag_fail(d, ERR_USAGE, "Port out of range 0-65535");
    return ERR_OK;
}

/* user:password@host:port; the host in small letters, unless it hides a path ("%2F"). */
static err_t read_authority(struct slice text, struct slice protocol, struct arena *a,
                            struct connection *out, struct diag *d)
{
    uint32_t at = place_of(text, "@", true);
    struct slice place = text;
    if (at < text.len) {
        struct slice who = until(text, at);
        uint32_t colon = place_of(who, ":", false);
        place = from(text, at + 1);
        out->login = unquoted(until(who, colon), false, a);
        if (colon < who.len) out->password = unquoted(from(who, colon + 1), false, a);
    }
    uint32_t bracket = place.len && place.at[0] == '[' ? place_of(place, "]", false) : 0;
    struct slice rest = bracket ? from(place, bracket + 1) : place;
    uint32_t colon = place_of(rest, ":", false);
    struct slice host = bracket ? until(from(place, 1), bracket - 1) : until(rest, colon);
    struct slice plain = unquoted(host, false, a);
    if (place_of(plain, "/", false) == plain.len) plain = unquoted(lower(host, a), false, a);
    if (protocol.len && plain.len)
        plain = slice_of(
            arena_printf(a, "%.*s://%.*s", SLICE_ARG(lower(protocol, a)), SLICE_ARG(plain)));
    out->host = plain;
    return read_port(from(rest, colon + 1), out, d);
}

err_t connection_of_uri(struct slice uri, struct arena *a, struct connection *out, struct diag *d)
{
    *out = (struct connection){.port = -1};
    struct slice protocol = {0}, schemes[4];
    uint32_t count = 0, at = 0;
    if (uri.len > CONNECTION_TEXT_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a connection's address has %u bytes", uri.len);
    for (uint32_t i = 0; i + 3 <= uri.len && count < COUNT_OF(schemes); i++) {
        if (memcmp(uri.at + i, "://", 3) != 0) continue;
        schemes[count++] = slice_make(uri.at + at, i - at);
        at = i + 3;
    }
    if (count == 0 || count > 2) /* not shown: there may be a password in it */
        return diag_fail(d, ERR_USAGE,
                         "Invalid connection string: it needs type://… once, or "
                         "type://protocol://…");
    if (count == 2 && place_of(schemes[1], "@:", false) < schemes[1].len)
        return diag_fail(d, ERR_USAGE,
                         "Invalid connection string: before the second :// stands no "
                         "protocol");
    if (count == 2) protocol = schemes[1];
    out->conn_type = type_of(lower(schemes[0], a), a);
    struct slice rest = from(uri, at);
    rest = until(rest, place_of(rest, "#", false));
    uint32_t question = place_of(rest, "?", false);
    struct slice query = from(rest, question + 1);
    rest = until(rest, question);
    uint32_t slash = place_of(rest, "/", false);
    out->schema = unquoted(from(rest, slash + 1), false, a);
    err_t e = read_authority(until(rest, slash), protocol, a, out, d);
    if (!e && query.len) e = read_query(query, a, &out->extra, d);
    return e;
}

static err_t text_of(const struct doc *map, const char *name, struct arena *a, struct slice *out)
{
    const struct doc *v = doc_get(map, name);
    *out = v && v->kind == DOC_TEXT ? arena_slice(a, v->text.at ? v->text : SLICE(""))
                                    : (struct slice){0};
    return !v || v->kind == DOC_TEXT || v->kind == DOC_NULL ? ERR_OK : ERR_TYPE;
}

static err_t json_extra(const struct doc *v, struct arena *a, struct slice *out, struct diag *d)
{
    if (!v || v->kind == DOC_NULL) return ERR_OK;
    struct buf b = buf_make(2 * (size_t)CONNECTION_TEXT_MAX);
    if (v->kind == DOC_TEXT)
        buf_slice(&b, v->text);
    else
        doc_put_json(&b, v);
    if (b.len) *out = arena_slice(a, buf_view(&b));
    err_t e = b.err;
    buf_done(&b);
    return e ? diag_fail(d, e, "an extra of more than %d bytes", CONNECTION_TEXT_MAX) : ERR_OK;
}

err_t connection_of_json(const struct doc *v, struct arena *a, struct connection *out,
                         struct diag *d)
{
    *out = (struct connection){.port = -1};
    const struct {
        const char *name;
        struct slice *to;
    } texts[] = {{"conn_type", &out->conn_type}, {"description", &out->description},
                 {"host", &out->host},           {"schema", &out->schema},
                 {"login", &out->login},         {"password", &out->password}};
    if (v->kind != DOC_MAP)
        return diag_fail(d, ERR_USAGE, "a connection in JSON is a map: {\"conn_type\": …}");
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (text_of(v, texts[i].name, a, texts[i].to))
            return diag_fail(d, ERR_USAGE, "Expected a text for `%s`", texts[i].name);
    if (out->conn_type.at) out->conn_type = type_of(out->conn_type, a);
    const struct doc *port = doc_get(v, "port");
    if (port && port->kind == DOC_INT) out->port = port->number;
    bool number =
        !port || port->kind == DOC_INT || port->kind == DOC_NULL ||
        (port->kind == DOC_TEXT && (port->text.len == 0 || slice_to_i64(port->text, &out->port)));
    if (!number) return diag_fail(d, ERR_USAGE, "Expected integer value for `port`");
    return json_extra(doc_get(v, "extra"), a, &out->extra, d);
}

err_t connection_of_text(struct slice text, struct arena *a, struct connection *out, struct diag *d)
{
    struct doc v;
    text = slice_trim(text);
    if (text.len == 0 || text.at[0] != '{') return connection_of_uri(text, a, out, d);
    err_t e = doc_of_json(text, a, &v, d);
    return e ? e : connection_of_json(&v, a, out, d);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* "?a=1&b=2" where extra is a map of texts alone and reads back the same; else as one text. */
static void put_extra(struct buf *out, const struct connection *c)
{
    struct doc v = {0};
    struct arena *a = arena_new(64 * (size_t)CONNECTION_TEXT_MAX);
    bool plain = a && doc_of_json(c->extra, a, &v, NULL) == ERR_OK && v.kind == DOC_MAP && v.count;
    for (uint32_t i = 0; plain && i < v.count; i++) plain = v.entries[i].value.kind == DOC_TEXT;
    buf_text(out, c->schema.len ? "?" : "/?");
    for (uint32_t i = 0; plain && i < v.count; i++) {
        if (i) buf_char(out, '&');
        quote(out, v.entries[i].name, true);
        buf_char(out, '=');
        quote(out, v.entries[i].value.text, true);
    }
    if (!plain) {
        buf_text(out, "__extra__=");
        quote(out, c->extra, true);
    }
    arena_free(a);
}

void connection_put_uri(struct buf *out, const struct connection *c)
{
    struct slice host = c->host;
    for (uint32_t i = 0; i < c->conn_type.len; i++) {
        uint8_t ch = c->conn_type.at[i];
        buf_char(out, ch == '_' ? '-' : ch >= 'A' && ch <= 'Z' ? (char)(ch | 32) : (char)ch);
    }
    buf_text(out, c->conn_type.len ? "://" : "//");
    for (uint32_t i = 0; i + 3 <= host.len; i++) {
        if (memcmp(host.at + i, "://", 3) != 0) continue;
        buf_slice(out, until(host, i + 3));
        host = from(host, i + 3);
        break;
    }
    size_t before = out->len;
    if (c->login.at) quote(out, c->login, false);
    if (c->password.at) {
        buf_char(out, ':');
        quote(out, c->password, false);
    }
    bool someone = out->len > before;
    if (someone) buf_char(out, '@');
    quote(out, host, false);
    if (c->port > 0)
        buf_printf(out, "%s:%lld", !someone && host.len == 0 ? "@" : "", (long long)c->port);
    if (c->schema.len) {
        buf_char(out, '/');
        quote(out, c->schema, false);
    }
    if (c->extra.len) put_extra(out, c);
}

void connection_put_json(struct buf *out, const struct connection *c, struct arena *a)
{
    const struct {
        const char *name;
        struct slice text;
    } texts[] = {{"conn_type", c->conn_type}, {"description", c->description},
                 {"host", c->host},           {"login", c->login},
                 {"password", c->password},   {"schema", c->schema}};
    const char *between = "";
    struct doc extra;
    buf_char(out, '{');
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (texts[i].text.len == 0) continue;
        buf_printf(out, "%s\"%s\": ", between, texts[i].name);
        put_text(out, texts[i].text);
        between = ", ";
    }
    if (c->port > 0) buf_printf(out, "%s\"port\": %lld", between, (long long)c->port);
    if (c->port > 0) between = ", ";
    if (c->extra.len && doc_of_json(c->extra, a, &extra, NULL) == ERR_OK && extra.count) {
        buf_printf(out, "%s\"extra\": ", between);
        doc_put_json(out, &extra);
    }
    buf_char(out, '}');
}

/* --- a letter's way ------------------------------------------------------------------------------
 */

static struct doc doc_of_text(struct slice s)
{
    return (struct doc){.kind = DOC_TEXT, .text = s};
}

err_t connection_letter(struct meta *m, struct slice id, const struct connection_mail *mail,
                        struct arena *a, struct doc *out, struct diag *d)
{
    struct connection c;
    struct doc extra = {.kind = DOC_MAP};
    err_t e = connection_resolve(m, id, a, &c, d);
    if (e) return e;
    if (c.extra.len && doc_of_json(c.extra, a, &extra, NULL)) extra = (struct doc){.kind = DOC_MAP};
    struct doc_entry parts[] = {
        {.name = SLICE("to"), .value = *mail->to},
        {.name = SLICE("subject"), .value = doc_of_text(mail->subject)},
        {.name = SLICE("text"), .value = doc_of_text(mail->text)},
        {.name = SLICE("host"), .value = doc_of_text(c.host)},
        {.name = SLICE("port"), .value = {.kind = DOC_INT, .number = c.port > 0 ? c.port : 25}},
        {.name = SLICE("user"), .value = doc_of_text(c.login)},
        {.name = SLICE("password"), .value = doc_of_text(c.password)},
        {.name = SLICE("extra"), .value = extra}};
    struct doc_entry *kept = arena_take(a, sizeof(parts));
    if (!kept) return diag_fail(d, ERR_NO_MEMORY, "no memory for a letter");
    memcpy(kept, parts, sizeof(parts));
    *out = (struct doc){.kind = DOC_MAP, .count = COUNT_OF(parts), .entries = kept};
    return ERR_OK;
}
