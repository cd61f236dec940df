/* HTTP and mail for tasks and callbacks, by libcurl. */
#include "main/work/work.h"

#include "connect/http/late.h"
#include "os/clock.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONNECT_MS = 10000, HEADERS_MAX = 1024, LETTER_MAX = 1 << 20, TO_MAX = 100 };
static const int64_t MAIL_MS = 60000;

struct asking {
    CURL *curl;
    struct curl_slist *headers;
    struct buf body;
    bool (*stop)(void *);
    void *stop_ctx;
    bool stopped, too_big;
    char words[CURL_ERROR_SIZE];
    struct slice sent; /* of a letter: what is left */
};

static size_t on_body(char *bytes, size_t one, size_t count, void *arg)
{
    struct asking *q = arg;
    (void)one;
    q->too_big = q->body.len + count > WORK_BODY_MAX;
    if (!q->too_big) buf_put(&q->body, bytes, count);
    return q->too_big || q->body.err ? 0 : count;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct asking *q = arg;
    (void)a, (void)b, (void)c, (void)d;
    q->stopped = q->stop && q->stop(q->stop_ctx);
    return q->stopped;
}

static CURLcode global = CURLE_FAILED_INIT;
static void start_curl(void)
{
    global = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static err_t begin(struct asking *q, int64_t timeout_ms, struct diag *d)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    q->body = buf_make(WORK_BODY_MAX);
    q->curl = global == CURLE_OK ? curl_easy_init() : NULL;
    CURL *c = q->curl;
    bool fine = c && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_ERRORBUFFER, q->words) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_WRITEDATA, q) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_XFERINFODATA, q) == CURLE_OK;
    if (!fine && curl_trouble()) return curl_missing(d);
    return fine ? ERR_OK : diag_fail(d, ERR_INTERNAL, "libcurl does not start");
}

static void end(struct asking *q)
{
    if (q->curl) curl_easy_cleanup(q->curl);
    curl_slist_free_all(q->headers);
    buf_done(&q->body);
}

static err_t perform(struct asking *q, struct slice where, struct diag *d)
{
    CURLcode code = curl_easy_perform(q->curl);
    if (code == CURLE_OK) return ERR_OK;
    if (q->stopped) return diag_fail(d, ERR_STOPPED, "stopped while it asked");
    if (q->too_big)
        return diag_fail(d, ERR_TOO_BIG, "the answer of %.*s is larger than %d MiB",
                         SLICE_ARG(where), WORK_BODY_MAX >> 20);
    err_t e = code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_PEER;
    (void)diag_fail(d, e, "%.*s does not answer as it should", SLICE_ARG(where));
    return diag_why(d, "%s", q->words[0] ? q->words : curl_easy_strerror(code));
}

static const char *text_of(struct arena *a, const struct doc *map, const char *name)
{
    struct slice s = doc_text(doc_get(map, name));
    return s.len ? arena_text(a, s) : NULL;
}

/* A line break in a header would be another header. */
static err_t add_header(struct asking *q, struct arena *a, struct slice name, struct slice value,
                        struct diag *d)
{
    if ((name.len && memchr(name.at, '\n', name.len)) ||
        (value.len && memchr(value.at, '\n', value.len)) ||
        (value.len && memchr(value.at, '\r', value.len)))
        return diag_fail(d, ERR_CONFIG, "the header '%.*s' has a line break in it",
                         SLICE_ARG(name));
    const char *line = arena_printf(a, "%.*s: %.*s", SLICE_ARG(name), SLICE_ARG(value));
    struct curl_slist *more = line ? curl_slist_append(q->headers, line) : NULL;
    if (!more) return diag_fail(d, ERR_NO_MEMORY, "no memory for headers");
    q->headers = more;
    return ERR_OK;
}

static err_t add_headers(struct asking *q, const struct doc *request, struct arena *a,
                         struct diag *d)
{
    const struct doc *headers = doc_get(request, "headers"), *json = doc_get(request, "json");
    bool typed = false;
    uint32_t count = headers && headers->kind == DOC_MAP ? MIN(headers->count, HEADERS_MAX) : 0;
    for (uint32_t i = 0; i < count; i++) {
        struct slice name = headers->entries[i].name;
        typed = typed || slice_equal_nocase(name, SLICE("content-type"));
        err_t e = add_header(q, a, name, doc_text(&headers->entries[i].value), d);
        if (e) return e;
    }
    if (typed || !json || !json->yes) return ERR_OK;
    return add_header(q, a, SLICE("Content-Type"), SLICE("application/json"), d);
}

static err_t set_request(struct asking *q, const struct doc *request, struct arena *a,
                         struct diag *d)
{
    CURL *c = q->curl;
    const char *url = text_of(a, request, "url"), *method = text_of(a, request, "method"),
               *user = text_of(a, request, "user"), *password = text_of(a, request, "password");
    const struct doc *body = doc_get(request, "body");
    if (!url || !method) return diag_fail(d, ERR_CONFIG, "a request needs a URL and a method");
    bool head = strcasecmp(method, "HEAD") == 0;
    bool fine = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_MAXREDIRS, 30L) == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice") == CURLE_OK &&
                curl_easy_setopt(c, CURLOPT_NOBODY, head ? 1L : 0L) == CURLE_OK;
    if (fine && body) {
        curl_off_t size = (curl_off_t)doc_text(body).len;
        fine = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, size) == CURLE_OK &&
               curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS,
                                size ? (const char *)doc_text(body).at : "") == CURLE_OK;
    }
    if (fine && !head) fine = curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
    if (fine && user) fine = curl_easy_setopt(c, CURLOPT_USERNAME, user) == CURLE_OK;
    if (fine && password) fine = curl_easy_setopt(c, CURLOPT_PASSWORD, password) == CURLE_OK;
    if (!fine) return diag_fail(d, ERR_CONFIG, "libcurl refuses the request for %s", url);
    err_t e = add_headers(q, request, a, d);
    if (!e && q->headers && curl_easy_setopt(c, CURLOPT_HTTPHEADER, q->headers) != CURLE_OK)
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for headers");
    return e;
}

err_t work_http_ask(void *ctx, const struct doc *request, bool (*stop)(void *), void *stop_ctx,
                    struct arena *a, int *status, struct slice *body, struct diag *d)
{
    struct asking q = {.stop = stop, .stop_ctx = stop_ctx};
    const struct doc *timeout = doc_get(request, "timeout_us");
    long code = 0;
    (void)ctx;
    err_t e = begin(&q, timeout ? MAX(timeout->number / 1000, INT64_C(1)) : 60000, d);
    if (!e) e = set_request(&q, request, a, d);
    if (!e) e = perform(&q, doc_text(doc_get(request, "url")), d);
    if (!e) {
        curl_easy_getinfo(q.curl, CURLINFO_RESPONSE_CODE, &code);
        *status = (int)code;
        *body = q.body.len ? arena_slice(a, buf_view(&q.body)) : SLICE("");
        if (!body->at) e = diag_fail(d, ERR_NO_MEMORY, "no memory for an answer");
    }
    end(&q);
    return e;
}

/* --- mail -------------------------------------------------------------------------------------
 */

static size_t on_send(char *to, size_t one, size_t count, void *arg)
{
    struct asking *q = arg;
    size_t n = MIN(one * count, (size_t)q->sent.len);
    if (n) memcpy(to, q->sent.at, n);
    q->sent = slice_make(q->sent.at + n, q->sent.len - n);
    return n;
}

/* A header's text: no line break leaves it. */
static void put_line(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, "%s: ", name);
    for (uint32_t i = 0; i < text.len; i++)
        buf_char(out, text.at[i] == '\r' || text.at[i] == '\n' ? ' ' : (char)text.at[i]);
    buf_text(out, "\r\n");
}

static err_t add_recipient(struct asking *q, struct arena *a, struct slice to,
                           struct curl_slist **all, struct buf *line, struct diag *d)
{
    const char *text = arena_text(a, slice_trim(to));
    for (const char *c = text; c && *c; c++) /* a line's end would be a command of the sender's */
        if ((unsigned char)*c <= ' ' || *c == '<' || *c == '>' || *c == 127)
            return diag_fail(d, ERR_INVALID, "'%.100s' is no mail address", text);
    struct curl_slist *more = text ? curl_slist_append(*all, text) : NULL;
    (void)q;
    if (!more) return diag_fail(d, ERR_NO_MEMORY, "no memory for a letter");
    *all = more;
    buf_printf(line, "%s%s", line->len ? ", " : "", text);
    return ERR_OK;
}

static err_t recipients(struct asking *q, const struct doc *to, struct arena *a,
                        struct curl_slist **all, struct buf *line, struct diag *d)
{
    err_t e = ERR_OK;
    if (to && to->kind == DOC_LIST) {
        for (uint32_t i = 0; i < to->count && i < TO_MAX && !e; i++)
            e = add_recipient(q, a, doc_text(&to->items[i]), all, line, d);
        return e;
    }
    struct slice rest = doc_text(to);
    while (rest.len && !e) { /* "a@x, b@y" */
        uint32_t n = 0;
        while (n < rest.len && rest.at[n] != ',' && rest.at[n] != ';') n++;
        e = add_recipient(q, a, slice_make(rest.at, n), all, line, d);
        n += n < rest.len;
        rest = slice_make(rest.at + n, rest.len - n);
    }
    return e;
}

/* RFC 5322: lines end with CRLF; libcurl stuffs dots. */
static void put_letter(struct buf *out, const struct doc *letter, const char *from, struct slice to)
{
    struct slice text = doc_text(doc_get(letter, "text"));
    put_line(out, "From", slice_of(from));
    put_line(out, "To", to);
    put_line(out, "Subject", doc_text(doc_get(letter, "subject")));
    buf_text(out, "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: 8bit\r\n\r\n");
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\r') continue;
        if (text.at[i] == '\n') buf_char(out, '\r');
        buf_char(out, (char)text.at[i]);
    }
    buf_text(out, "\r\n");
}

static bool extra_yes(const struct doc *extra, const char *name, bool otherwise)
{
    const struct doc *v = doc_get(extra, name);
    bool yes = otherwise;
    if (v && v->kind == DOC_BOOL) yes = v->yes;
    if (v && v->kind == DOC_TEXT) yes = slice_equal_nocase(v->text, SLICE("true"));
    return yes;
}

static err_t set_letter(struct asking *q, const struct doc *letter, struct arena *a,
                        const char *from, struct curl_slist *to, struct diag *d)
{
    CURL *c = q->curl;
    const struct doc *extra = doc_get(letter, "extra"), *port = doc_get(letter, "port");
    const char *host = text_of(a, letter, "host"), *user = text_of(a, letter, "user"),
               *password = text_of(a, letter, "password");
    if (!host) return diag_fail(d, ERR_CONFIG, "the connection for mail names no host");
    bool ssl = extra_yes(extra, "disable_ssl", true) == false;
    bool tls = !ssl && extra_yes(extra, "disable_tls", true) == false;
    const char *url = arena_printf(a, "%s://%s:%lld", ssl ? "smtps" : "smtp", host,
                                   (long long)(port ? port->number : 25));
    bool fine =
        url && curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "smtp,smtps") == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_USE_SSL, tls ? CURLUSESSL_ALL : CURLUSESSL_NONE) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_MAIL_FROM, from) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_READFUNCTION, on_send) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_READDATA, q) == CURLE_OK &&
        curl_easy_setopt(c, CURLOPT_UPLOAD, 1L) == CURLE_OK;
    if (fine && user) fine = curl_easy_setopt(c, CURLOPT_USERNAME, user) == CURLE_OK;
    if (fine && password) fine = curl_easy_setopt(c, CURLOPT_PASSWORD, password) == CURLE_OK;
    return fine ? ERR_OK : diag_fail(d, ERR_CONFIG, "libcurl refuses the letter");
}

err_t work_mail(void *ctx, const struct doc *letter, struct diag *d)
{
    struct asking q = {0};
    struct arena *a = arena_new(LETTER_MAX);
    struct curl_slist *to = NULL;
    struct buf line = buf_make(LETTER_MAX), text = buf_make(4 * LETTER_MAX);
    const struct doc *extra = doc_get(letter, "extra");
    (void)ctx;
    err_t e = a ? begin(&q, MAIL_MS, d) : diag_fail(d, ERR_NO_MEMORY, "no memory for a letter");
    const char *from = a && extra ? text_of(a, extra, "from_email") : NULL;
    if (!from) from = "sluice@localhost";
    if (!e) e = recipients(&q, doc_get(letter, "to"), a, &to, &line, d);
    if (!e && !to) e = diag_fail(d, ERR_CONFIG, "a letter without anybody to read it");
    if (!e) put_letter(&text, letter, from, buf_view(&line));
    if (!e && (text.err || line.err)) e = diag_fail(d, ERR_TOO_BIG, "the letter is too large");
    q.sent = buf_view(&text);
    if (!e) e = set_letter(&q, letter, a, from, to, d);
    if (!e) e = perform(&q, doc_text(doc_get(letter, "host")), d);
    end(&q);
    curl_slist_free_all(to);
    buf_done(&line);
    buf_done(&text);
    arena_free(a);
    return e;
}
