/* A request's head and chunk lines as RFC 9112 has them, without the tolerances that let two
 * readers see two different requests. */
#include "os/http_int.h"

enum { CHUNK_DIGITS_MAX = 15 };

static bool is_token(struct slice s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && !memchr(marks, c, sizeof(marks) - 1))
            return false;
    }
    return s.len > 0;
}

static bool is_text(struct slice s) /* a field's value: no control characters but the tab */
{
    for (uint32_t i = 0; i < s.len; i++)
        if ((s.at[i] < 0x20 && s.at[i] != '\t') || s.at[i] == 0x7f) return false;
    return true;
}

/* Takes the next line off `rest`. False when a line ends in something else than CRLF. */
static bool take_line(struct slice *rest, struct slice *line)
{
    const uint8_t *end = memchr(rest->at, '\n', rest->len);
    if (!end || end == rest->at || end[-1] != '\r') return false;
    *line = slice_make(rest->at, (size_t)(end - rest->at) - 1);
    size_t taken = (size_t)(end - rest->at) + 1;
    *rest = slice_make(rest->at + taken, rest->len - taken);
    return true;
}

static int refuse(const char **why, int status, const char *reason)
{
    *why = reason;
    return status;
}

static int parse_request_line(struct slice line, struct http_head *h, const char **why)
{
    const uint8_t *end = line.at + line.len;
    const uint8_t *first = memchr(line.at, ' ', line.len);
    if (!first) return refuse(why, 400, "the request line has no target");
    const uint8_t *second = memchr(first + 1, ' ', (size_t)(end - first - 1));
    if (!second) return refuse(why, 400, "the request line has no version");
    h->method = slice_make(line.at, (size_t)(first - line.at));
    h->target = slice_make(first + 1, (size_t)(second - first - 1));
    struct slice version = slice_make(second + 1, (size_t)(end - second - 1));
    if (!is_token(h->method) || h->method.len > HTTP_METHOD_MAX)
        return refuse(why, 400, "the method is not a word");
    if (h->target.len == 0 || !is_text(h->target) || memchr(h->target.at, '\t', h->target.len))
        return refuse(why, 400, "the target is empty or has control characters");
    if (h->target.len > HTTP_TARGET_MAX) return refuse(why, 414, "the target is too long");
    if (version.len != 8 || !slice_starts(version, "HTTP/") || version.at[6] != '.')
        return refuse(why, 400, "the version is malformed");
    if (version.at[5] != '1' || version.at[7] < '0' || version.at[7] > '9')
        return refuse(why, 505, "only HTTP/1.1 and HTTP/1.0 are spoken here");
    h->minor = version.at[7] == '0' ? 0 : 1;
    return 0;
}

bool http_field_parse(struct slice line, struct http_field *out)
{
    const uint8_t *colon = memchr(line.at, ':', line.len);
    if (!colon) return false;
    size_t name_len = (size_t)(colon - line.at);
    out->name = slice_make(line.at, name_len);
    struct slice raw = slice_make(colon + 1, line.len - name_len - 1);
    out->value = slice_trim(raw);
    return is_token(out->name) && is_text(raw);
}

struct slice http_field_find(const struct http_head *h, const char *name)
{
    struct slice wanted = slice_of(name);
    for (int i = 0; i < h->field_count; i++)
        if (slice_equal_nocase(h->fields[i].name, wanted)) return h->fields[i].value;
    return (struct slice){0};
}

static int count_of(const struct http_head *h, const char *name)
{
    int count = 0;
    for (int i = 0; i < h->field_count; i++)
        count += slice_equal_nocase(h->fields[i].name, slice_of(name));
    return count;
}

static bool list_has(const struct http_head *h, const char *name, const char *word)
{
    for (int i = 0; i < h->field_count; i++) {
        if (!slice_equal_nocase(h->fields[i].name, slice_of(name))) continue;
        struct slice rest = h->fields[i].value;
        while (rest.len) {
            const uint8_t *comma = memchr(rest.at, ',', rest.len);
            size_t len = comma ? (size_t)(comma - rest.at) : rest.len;
            if (slice_equal_nocase(slice_trim(slice_make(rest.at, len)), slice_of(word)))
                return true;
            size_t taken = MIN(len + 1, (size_t)rest.len);
            rest = slice_make(rest.at + taken, rest.len - taken);
        }
    }
    return false;
}

/* How long the body is: the one thing that every reader on the way must agree about. */
static int parse_framing(struct http_head *h, const char **why)
{
    int lengths = count_of(h, "content-length"), codings = count_of(h, "transfer-encoding");
    if (lengths > 1) return refuse(why, 400, "more than one Content-Length");
    if (lengths && codings) return refuse(why, 400, "both Content-Length and Transfer-Encoding");
    if (codings > 1) return refuse(why, 400, "more than one Transfer-Encoding");
    if (codings && h->minor == 0) return refuse(why, 400, "Transfer-Encoding in HTTP/1.0");
    if (codings) {
        if (!slice_equal_nocase(http_field_find(h, "transfer-encoding"), SLICE("chunked")))
            return refuse(why, 501, "the only Transfer-Encoding spoken here is chunked");
        h->chunked = true;
    }
    struct slice length = http_field_find(h, "content-length");
    for (uint32_t i = 0; i < length.len; i++)
        if (length.at[i] < '0' || length.at[i] > '9')
            return refuse(why, 400, "Content-Length is not a number");
    if (lengths && !slice_to_u64(length, &h->length))
        return refuse(why, 400, "Content-Length is not a number");
    return 0;
}

int http_head_parse(struct slice text, struct http_head *h, const char **why)
{
    struct slice line;
    h->field_count = 0;
    h->length = 0;
    h->chunked = false;
    if (!take_line(&text, &line)) return refuse(why, 400, "a line does not end in CRLF");
    int status = parse_request_line(line, h, why);
    if (status) return status;
    for (;;) {
        if (!take_line(&text, &line)) return refuse(why, 400, "a line does not end in CRLF");
        if (line.len == 0) break;
        if (line.at[0] == ' ' || line.at[0] == '\t')
            return refuse(why, 400, "a header line is folded");
        if (h->field_count == HTTP_HEADERS_MAX)
            return refuse(why, 431, "more header lines than the limit");
        if (!http_field_parse(line, &h->fields[h->field_count++]))
            return refuse(why, 400, "a header line is malformed");
    }
    int hosts = count_of(h, "host");
    if (hosts > 1 || (hosts == 0 && h->minor == 1))
        return refuse(why, 400, "exactly one Host header is needed");
    h->keep_alive = h->minor == 1 ? !list_has(h, "connection", "close")
                                  : list_has(h, "connection", "keep-alive");
    h->expects_continue = h->minor == 1 && list_has(h, "expect", "100-continue");
    return parse_framing(h, why);
}

int http_head_check(struct slice begun, size_t header_max, const char **why)
{
    const uint8_t *end = begun.len ? memchr(begun.at, '\n', begun.len) : NULL;
    if (begun.len && !is_token(slice_make(begun.at, 1)))
        return refuse(why, 400, "this is not HTTP (TLS to a plain port?)");
    if (!end && begun.len > HTTP_TARGET_MAX + HTTP_METHOD_MAX + 16)
        return refuse(why, 414, "the request line is too long");
    if (begun.len > header_max) return refuse(why, 431, "the header is larger than the limit");
    for (; end; end = memchr(end + 1, '\n', begun.len - (size_t)(end + 1 - begun.at)))
        if (end == begun.at || end[-1] != '\r')
            return refuse(why, 400, "a line does not end in CRLF");
    if (begun.len && memchr(begun.at, 0, begun.len)) return refuse(why, 400, "a NUL in the header");
    return 0;
}

int http_chunk_parse(struct slice line, uint64_t *size, const char **why)
{
    uint32_t digits = 0;
    *size = 0;
    for (; digits < line.len; digits++) {
        uint8_t c = line.at[digits], low = c | 32;
        if (c >= '0' && c <= '9')
            *size = *size << 4 | (uint64_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            *size = *size << 4 | (uint64_t)(low - 'a' + 10);
        else
            break;
    }
    if (digits == 0 || digits > CHUNK_DIGITS_MAX)
        return refuse(why, 400, "a chunk's size is malformed");
    if (digits < line.len && line.at[digits] != ';' && line.at[digits] != ' ' &&
        line.at[digits] != '\t')
        return refuse(why, 400, "a chunk's size is malformed");
    if (!is_text(slice_make(line.at + digits, line.len - digits)))
        return refuse(why, 400, "a chunk's extension has control characters");
    return 0;
}

/* --- targets ---------------------------------------------------------------------------------- */

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_decode(struct arena *a, struct slice in, bool plus_is_space, struct slice *out)
{
    uint8_t *to = arena_take_raw(a, (size_t)in.len + 1);
    uint32_t len = 0;
    if (!to) return false;
    for (uint32_t i = 0; i < in.len; i++) {
        uint8_t c = in.at[i];
        if (c == '%') {
            if (in.len - i < 3) return false;
            int high = hex_value(in.at[i + 1]), low = hex_value(in.at[i + 2]);
            if (high < 0 || low < 0) return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
            if (c == 0) return false; /* would end a file's name early */
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        to[len++] = c;
    }
    to[len] = 0;
    *out = slice_make(to, len);
    return true;
}

struct slice http_path_normalise(struct slice path)
{
    uint8_t *at = (uint8_t *)path.at; /* decoded into memory of ours */
    uint32_t to = 0;
    for (uint32_t i = 0; i < path.len;) { /* at a slash */
        uint32_t end = i + 1;
        while (end < path.len && at[end] != '/') end++;
        struct slice part = slice_make(at + i + 1, end - i - 1);
        bool up = slice_is(part, ".."), here = slice_is(part, ".");
        if (up)
            while (to > 0 && at[--to] != '/') continue;
        if (!up && !here) {
            memmove(at + to, at + i, end - i);
            to += end - i;
        } else if (end == path.len) {
            at[to++] = '/'; /* "/a/.." is the directory "/" */
        }
        i = end;
    }
    if (to == 0) at[to++] = '/';
    at[to] = 0;
    return slice_make(at, to);
}
