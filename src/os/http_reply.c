/* Answers: whole, or streamed in chunks. */
#include "base/say.h"
#include "os/clock.h"
#include "os/http_int.h"

#include <stdio.h>
#include <time.h>

enum { ANSWER_ONCE = 2048 };

const char *http_status_text(int status)
{
    static const struct {
        int status;
        const char *text;
    } texts[] = {{200, "OK"},
                 {201, "Created"},
                 {202, "Accepted"},
                 {204, "No Content"},
                 {206, "Partial Content"},
                 {301, "Moved Permanently"},
                 {302, "Found"},
                 {303, "See Other"},
                 {304, "Not Modified"},
                 {307, "Temporary Redirect"},
                 {308, "Permanent Redirect"},
                 {400, "Bad Request"},
                 {401, "Unauthorized"},
                 {403, "Forbidden"},
                 {404, "Not Found"},
                 {405, "Method Not Allowed"},
                 {406, "Not Acceptable"},
                 {408, "Request Timeout"},
                 {409, "Conflict"},
                 {411, "Length Required"},
                 {412, "Precondition Failed"},
                 {413, "Content Too Large"},
                 {414, "URI Too Long"},
                 {415, "Unsupported Media Type"},
                 {416, "Range Not Satisfiable"},
                 {417, "Expectation Failed"},
                 {422, "Unprocessable Content"},
                 {429, "Too Many Requests"},
                 {431, "Request Header Fields Too Large"},
                 {500, "Internal Server Error"},
                 {501, "Not Implemented"},
                 {502, "Bad Gateway"},
                 {503, "Service Unavailable"},
                 {504, "Gateway Timeout"},
                 {505, "HTTP Version Not Supported"},
                 {507, "Insufficient Storage"}};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (texts[i].status == status) return texts[i].text;
    return "Status";
}

/* IMF-fixdate by hand: strftime would follow the process's language. */
static const char *date_now(struct http_server *s)
{
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t now = clock_wall_ms() / 1000;
    if (now == s->date_s && s->date[0]) return s->date;
    struct tm t;
    time_t when = (time_t)now;
    gmtime_r(&when, &t);
    s->date_s = now;
    snprintf(s->date, sizeof(s->date), "%s, %02u %s %04u %02u:%02u:%02u GMT", days[t.tm_wday],
             (unsigned)t.tm_mday % 100, months[t.tm_mon], (unsigned)(t.tm_year + 1900) % 10000,
             (unsigned)t.tm_hour % 100, (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100);
    return s->date;
}

/* A value may come from outside (a redirect's target): a line break in it must not become one. */
void http_reply_header(struct http_request *r, const char *name, const char *value)
{
    struct buf *b = &r->reply_fields;
    size_t before = b->len;
    buf_text(b, name);
    buf_text(b, ": ");
    for (; *value; value++) buf_char(b, (uint8_t)*value < 0x20 || *value == 0x7f ? ' ' : *value);
    buf_text(b, "\r\n");
    if (b->err) b->len = before; /* whole lines only; told by the answer's status below */
}

static bool has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static void put_length(char *line, uint32_t length)
{
    char digits[12], *at = digits + sizeof(digits);
    do *--at = (char)('0' + length % 10);
    while (length /= 10);
    char *end = stpcpy(line, "Content-Length: ");
    end = mempcpy(end, at, (size_t)(digits + sizeof(digits) - at));
    memcpy(end, "\r\n", 3);
}

static const char *status_digits(int status, char digits[4])
{
    INVARIANT(status >= 100 && status <= 999);
    digits[0] = (char)('0' + status / 100);
    digits[1] = (char)('0' + status / 10 % 10);
    digits[2] = (char)('0' + status % 10);
    digits[3] = ' ';
    return digits;
}

/* The head, and `body` with it when that is small: one write, one packet. By hand, since printf was
 * a tenth of a small answer's time. `framing` is whole lines, or "". */
static void put_answer(struct http_request *r, int status, const char *content_type,
                       const char *framing, struct slice body)
{
    char text[ANSWER_ONCE], digits[4];
    struct conn *c = r->link->conn;
    if (status >= 400) http_count(&r->server->errors);
    struct buf b = buf_over(text, sizeof(text));
    buf_put(&b, "HTTP/1.1 ", 9);
    buf_put(&b, status_digits(status, digits), 4);
    buf_text(&b, http_status_text(status));
    buf_put(&b, "\r\nDate: ", 8);
    buf_text(&b, date_now(r->server));
    buf_put(&b, "\r\n", 2);
    if (content_type && content_type[0] && has_body(status)) {
        buf_put(&b, "Content-Type: ", 14);
        buf_text(&b, content_type);
        buf_put(&b, "\r\n", 2);
    }
    buf_text(&b, framing);
    if (r->closes)
        buf_text(&b, "Connection: close\r\n");
    else if (r->head.minor == 0)
        buf_text(&b, "Connection: keep-alive\r\n");
    INVARIANT(!b.err); /* content types are ours and short */
    struct slice fields = buf_view(&r->reply_fields);
    bool together = b.len + fields.len + 2 + body.len <= sizeof(text);
    if (!together) conn_write(c, buf_view(&b)), conn_write(c, fields), buf_reset(&b);
    if (together) buf_slice(&b, fields);
    buf_put(&b, "\r\n", 2);
    if (together) buf_slice(&b, body);
    conn_write(c, buf_view(&b));
    if (!together) conn_write(c, body);
}

void http_reply(struct http_request *r, int status, const char *content_type, struct slice body)
{
    char framing[48] = "";
    INVARIANT(!r->streaming);
    if (r->link) {
        if (r->reply_fields.err) { /* a header line that matters may be missing */
            status = 500;
            body = SLICE("500 the answer's header is larger than the limit\n");
            content_type = "text/plain; charset=utf-8";
        }
        if (has_body(status)) put_length(framing, body.len);
        if (!has_body(status) || r->head_only) body = (struct slice){0};
        put_answer(r, status, content_type, framing, body);
    }
    http_request_done(r);
}

void http_reply_text(struct http_request *r, int status, const char *fmt, ...)
{
    struct buf b = buf_make(KIB(64));
    va_list args;
    va_start(args, fmt);
    buf_vprintf(&b, fmt, args);
    va_end(args);
    http_reply(r, status, "text/plain; charset=utf-8", buf_view(&b));
    buf_done(&b);
}

/* --- streams ---------------------------------------------------------------------------------- */

static void tell_gone(void *arg)
{
    struct http_request *r = arg;
    if (r->gone) r->gone(r->stream_arg);
    http_request_done(r);
}

void http_stream_start(struct http_request *r, int status, const char *content_type,
                       void (*gone)(void *arg), void *arg)
{
    INVARIANT(!r->streaming);
    r->streaming = true;
    r->gone = gone;
    r->stream_arg = arg;
    if (!r->link) { /* left before we began: told from the loop, not from under the caller */
        if (loop_timer_new(r->server->loop, 0, 0, tell_gone, r, &r->gone_soon))
            say_warn(SAY_OS, "out of memory; a stream's end is not told", "status=%d", status);
        return;
    }
    if (slice_starts(slice_of(content_type), "text/event-stream")) {
        http_reply_header(r, "Cache-Control", "no-cache");
        http_reply_header(r, "X-Accel-Buffering", "no"); /* nginx would hold the events back */
    }
    r->chunks = r->head.minor == 1;
    if (!r->chunks) r->closes = true; /* HTTP/1.0: the end of the connection is the end of it */
    put_answer(r, status, content_type, r->chunks ? "Transfer-Encoding: chunked\r\n" : "",
               (struct slice){0});
}

static bool takes(const struct http_request *r, struct slice bytes)
{
    INVARIANT(r->streaming);
    return r->link && bytes.len && !r->head_only;
}

static void begin_chunk(struct http_request *r, uint32_t size)
{
    char line[24];
    if (!r->chunks) return;
    int n = snprintf(line, sizeof(line), "%x\r\n", size);
    conn_write(r->link->conn, slice_make(line, (size_t)n));
}

static void end_chunk(struct http_request *r)
{
    if (r->chunks) conn_write(r->link->conn, SLICE("\r\n"));
}

void http_stream_send(struct http_request *r, struct slice bytes)
{
    if (!takes(r, bytes)) return;
    begin_chunk(r, bytes.len);
    conn_write(r->link->conn, bytes);
    end_chunk(r);
}

void http_stream_send_borrowed(struct http_request *r, struct slice bytes, void (*done)(void *arg),
                               void *arg)
{
    if (!takes(r, bytes)) {
        done(arg);
        return;
    }
    begin_chunk(r, bytes.len);
    conn_write_borrowed(r->link->conn, bytes, done, arg);
    end_chunk(r);
}

void http_stream_drained(struct http_request *r, void (*drained)(void *arg))
{
    r->drained = drained;
}

size_t http_stream_queued(const struct http_request *r)
{
    return r->link ? conn_queued(r->link->conn) : 0;
}

void http_stream_end(struct http_request *r)
{
    INVARIANT(r->streaming);
    if (r->link && r->chunks && !r->head_only) conn_write(r->link->conn, SLICE("0\r\n\r\n"));
    http_request_done(r);
}
