/* Answers: whole, or streamed in chunks. */
#include "base/say.h"
#include "os/clock.h"
#include "os/http_int.h"

#include <stdio.h>
#include <time.h>

enum { HEAD_MAX = 1024 };

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

/* Writes the head. `framing`: Content-Length or Transfer-Encoding, a whole line, or "". */
static void put_head(struct http_request *r, int status, const char *content_type,
                     const char *framing)
{
    char text[HEAD_MAX];
    const char *connection = "";
    if (r->closes)
        connection = "Connection: close\r\n";
    else if (r->head.minor == 0)
        connection = "Connection: keep-alive\r\n";
    bool typed = content_type && content_type[0] && has_body(status);
    struct buf b = buf_over(text, sizeof(text));
    buf_printf(&b, "HTTP/1.1 %d %s\r\nDate: %s\r\n%s%s%s%s%s", status, http_status_text(status),
               date_now(r->server), typed ? "Content-Type: " : "", typed ? content_type : "",
               typed ? "\r\n" : "", framing, connection);
    INVARIANT(!b.err); /* content types are ours and short */
    conn_write(r->link->conn, buf_view(&b));
    conn_write(r->link->conn, buf_view(&r->reply_fields));
    conn_write(r->link->conn, SLICE("\r\n"));
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
        if (has_body(status))
            snprintf(framing, sizeof(framing), "Content-Length: %u\r\n", body.len);
        put_head(r, status, content_type, framing);
        if (has_body(status) && !r->head_only) conn_write(r->link->conn, body);
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

/* --- streams ----------------------------------------------------------------------------- */

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
    put_head(r, status, content_type, r->chunks ? "Transfer-Encoding: chunked\r\n" : "");
}

void http_stream_send(struct http_request *r, struct slice bytes)
{
    char line[24];
    INVARIANT(r->streaming);
    if (!r->link || bytes.len == 0 || r->head_only) return;
    struct conn *c = r->link->conn;
    if (r->chunks) {
        int n = snprintf(line, sizeof(line), "%x\r\n", bytes.len);
        conn_write(c, slice_make(line, (size_t)n));
    }
    conn_write(c, bytes);
    if (r->chunks) conn_write(c, SLICE("\r\n"));
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
