#include "main/kafka/feed.h"

#include "os/clock.h"
#include "os/dial.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

enum { READ_BYTES = 256 << 10, RESTING_MS = 5 };

struct line_format line_format_usual(void)
{
    return (struct line_format){.key_separator = SLICE("\t"),
                                .headers_delimiter = SLICE("\t"),
                                .headers_separator = SLICE(","),
                                .headers_key_separator = SLICE(":")};
}

err_t line_reader_open(struct line_reader *r, const struct line_format *f, struct diag *d)
{
    static const char *const paths[] = {"$.key", "$.value", "$.headers", "$.partition",
                                        "$.timestamp"};
    memset(r, 0, sizeof(*r));
    r->format = *f;
    r->arena = arena_new(MIB(512));
    if (!r->arena) return diag_fail(d, ERR_NO_MEMORY, "no memory to read lines");
    err_t e = f->json ? json_pick_new(paths, COUNT_OF(paths), &r->json, d) : ERR_OK;
    if (e) line_reader_close(r);
    return e;
}

void line_reader_close(struct line_reader *r)
{
    json_pick_free(r->json);
    arena_free(r->arena);
    r->json = NULL;
    r->arena = NULL;
}

/* --- lines as Kafka's tool reads them --------------------------------------------------------- */

static const uint8_t *find(struct slice in, struct slice what)
{
    return what.len && in.len ? memmem(in.at, in.len, what.at, what.len) : NULL;
}

/* What stands before `end`, which is taken off the line; null where there is none and that is fine.
 */
static err_t part(struct line_reader *r, bool wanted, struct slice whole, struct slice *line,
                  struct slice end, const char *name, struct slice *out, struct diag *d)
{
    *out = (struct slice){0};
    if (!wanted) return ERR_OK;
    const uint8_t *at = find(*line, end);
    if (!at && r->format.ignore_error) return ERR_OK;
    if (!at)
        return diag_fail(d, ERR_RECORD, "No %s found on line number %lld: '%.*s'", name,
                         (long long)r->number, SLICE_ARG(whole));
    *out = slice_make(line->at, (size_t)(at - line->at));
    *line = slice_make(at + end.len, line->len - out->len - end.len);
    return ERR_OK;
}

static bool is_null(const struct line_reader *r, struct slice s)
{
    return r->format.null_marker.at && s.at && slice_equal(s, r->format.null_marker);
}

static err_t one_header(struct line_reader *r, struct slice pair, struct record_header *h,
                        struct diag *d)
{
    const uint8_t *at = find(pair, r->format.headers_key_separator);
    if (!at && r->format.ignore_error) {
        *h = (struct record_header){.key = pair, .value_null = true};
        return ERR_OK;
    }
    if (!at)
        return diag_fail(d, ERR_RECORD,
                         "No header key separator found in pair '%.*s' on line number %lld",
                         SLICE_ARG(pair), (long long)r->number);
    h->key = slice_make(pair.at, (size_t)(at - pair.at));
    size_t skip = h->key.len + r->format.headers_key_separator.len;
    h->value = slice_make(pair.at + skip, pair.len - skip);
    h->value_null = is_null(r, h->value);
    if (h->value_null) h->value = (struct slice){0};
    if (!is_null(r, h->key)) return ERR_OK;
    return diag_fail(d, ERR_RECORD,
                     "Header keys should not be equal to the null marker '%.*s' as they can't be "
                     "null",
                     SLICE_ARG(h->key));
}

static err_t split_headers(struct line_reader *r, struct slice text, int32_t *count, struct diag *d)
{
    err_t e = ERR_OK;
    *count = 0;
    if (!text.at || is_null(r, text)) return ERR_OK;
    for (bool more = true; !e && more;) {
        const uint8_t *at = find(text, r->format.headers_separator);
        size_t len = at ? (size_t)(at - text.at) : text.len;
        if (*count == FEED_HEADERS_MAX)
            return diag_fail(d, ERR_TOO_BIG, "more than %d headers on line %lld", FEED_HEADERS_MAX,
                             (long long)r->number);
        e = one_header(r, slice_make(text.at, len), &r->headers[(*count)++], d);
        more = at != NULL;
        if (more) len += r->format.headers_separator.len;
        text = slice_make(text.at + len, text.len - len);
    }
    return e;
}

static err_t plain_line(struct line_reader *r, struct slice line, struct kafka_produced *out,
                        struct diag *d)
{
    const struct line_format *f = &r->format;
    struct slice whole = line, headers;
    err_t e = part(r, f->parse_headers, whole, &line, f->headers_delimiter, "headers delimiter",
                   &headers, d);
    if (!e)
        e = part(r, f->parse_key, whole, &line, f->key_separator, "key separator", &out->key, d);
    if (!e) e = split_headers(r, headers, &out->header_count, d);
    if (is_null(r, out->key)) out->key = (struct slice){0};
    out->value = is_null(r, line) ? (struct slice){0} : line;
    if (line.len == 0 && out->value.at == NULL && !is_null(r, line)) out->value = SLICE("");
    out->headers = r->headers;
    return e;
}

/* --- lines of JSON ---------------------------------------------------------------------------- */

struct headers_walk {
    struct line_reader *r;
    struct json_pick *pick;
    struct kafka_produced *out;
    struct diag *d;
};

static err_t json_header(void *ctx, struct slice item)
{
    struct headers_walk *w = ctx;
    struct slice picks[2];
    if (w->out->header_count == FEED_HEADERS_MAX)
        return diag_fail(w->d, ERR_TOO_BIG, "more than %d headers", FEED_HEADERS_MAX);
    struct record_header *h = &w->r->headers[w->out->header_count++];
    err_t e = json_pick_from(w->pick, item, w->r->arena, picks, w->d);
    if (!e) e = json_pick_bytes(w->pick, picks[0], w->r->arena, &h->key, w->d);
    if (!e) e = json_pick_bytes(w->pick, picks[1], w->r->arena, &h->value, w->d);
    if (!e && !h->key.at) e = diag_fail(w->d, ERR_RECORD, "a header without a key");
    h->value_null = h->value.at == NULL;
    return e;
}

static err_t json_headers(struct line_reader *r, struct slice list, struct kafka_produced *out,
                          struct diag *d)
{
    static const char *const paths[] = {"$.key", "$.value"};
    struct headers_walk w = {.r = r, .out = out, .d = d};
    if (!list.at) return ERR_OK;
    err_t e = json_pick_new(paths, COUNT_OF(paths), &w.pick, d);
    if (e) return e;
    e = json_pick_each(r->json, list, "$[*]", r->arena, json_header, &w, d);
    json_pick_free(w.pick);
    return e;
}

static err_t json_number(struct slice text, const char *name, int64_t least, int64_t most,
                         int64_t *out, struct diag *d)
{
    if (!text.at) return ERR_OK;
    if (slice_to_i64(text, out) && *out >= least && *out <= most) return ERR_OK;
    return diag_fail(d, ERR_RECORD, "%s %.*s is not possible", name, SLICE_ARG(text));
}

static err_t json_line(struct line_reader *r, struct slice line, struct kafka_produced *out,
                       struct diag *d)
{
    struct slice picks[5];
    int64_t partition = -1;
    err_t e = json_pick_from(r->json, line, r->arena, picks, d);
    if (!e) e = json_pick_bytes(r->json, picks[0], r->arena, &out->key, d);
    if (!e) e = json_pick_bytes(r->json, picks[1], r->arena, &out->value, d);
    if (!e) e = json_headers(r, picks[2], out, d);
    if (!e) e = json_number(picks[3], "partition", 0, INT32_MAX, &partition, d);
    if (!e) e = json_number(picks[4], "timestamp", 0, INT64_MAX, &out->timestamp, d);
    out->partition = (int32_t)partition;
    out->headers = r->headers;
    return e ? diag_where(d, "line %lld", (long long)r->number) : ERR_OK;
}

err_t line_to_record(struct line_reader *r, struct slice line, struct kafka_produced *out,
                     struct diag *d)
{
    r->number++;
    arena_reset(r->arena);
    *out = (struct kafka_produced){.partition = -1, .timestamp = clock_wall_ms()};
    return r->format.json ? json_line(r, line, out, d) : plain_line(r, line, out, d);
}

/* --- feeding ---------------------------------------------------------------------------------- */

struct feeding {
    const struct feed *f;
    struct line_reader *r;
    struct kafka_producer *p;
    int64_t begun_ns;
    uint64_t added;
};

/* As fast as --rate lets it. */
static err_t keep_rate(struct feeding *g, struct diag *d)
{
    if (g->f->rate <= 0) return ERR_OK;
    double due_ms = (double)g->added / g->f->rate * 1000;
    double now_ms = (double)(clock_mono_ns() - g->begun_ns) / 1e6;
    if (due_ms - now_ms < 1) return ERR_OK;
    err_t e = due_ms - now_ms > 20 ? kafka_producer_flush(g->p, d) : ERR_OK;
    while (!e && (due_ms - (double)(clock_mono_ns() - g->begun_ns) / 1e6) > 1)
        dial_rest((int64_t)MIN(200.0, due_ms - (double)(clock_mono_ns() - g->begun_ns) / 1e6));
    return e;
}

static err_t feed_line(struct feeding *g, struct slice line, struct diag *d)
{
    struct kafka_produced record;
    if (line.len && line.at[line.len - 1] == '\r') line.len--;
    if (g->r->format.json && slice_trim(line).len == 0) return ERR_OK;
    err_t e = line_to_record(g->r, line, &record, d);
    if (!e) e = kafka_producer_add(g->p, &record, d);
    g->added++;
    if (!e && g->f->each_line) e = kafka_producer_flush(g->p, d);
    if (!e) e = keep_rate(g, d);
    if (!e && g->f->progress) g->f->progress(g->f->ctx, kafka_producer_sent(g->p));
    return e;
}

/* Every whole line of the buffer; what is left moves to its front. */
static err_t feed_buffer(struct feeding *g, struct buf *b, size_t *searched, struct diag *d)
{
    size_t from = 0;
    const uint8_t *end;
    err_t e = ERR_OK;
    while (!e &&
           (end = memchr(b->at + MAX(from, *searched), '\n', b->len - MAX(from, *searched)))) {
        size_t to = (size_t)(end - b->at);
        e = feed_line(g, slice_make(b->at + from, to - from), d);
        from = to + 1;
        *searched = 0;
    }
    memmove(b->at, b->at + from, b->len - from);
    b->len -= from;
    *searched = b->len;
    return e;
}

/* Nothing comes at the moment: who typed a line wants it sent. */
static err_t before_waiting(struct feeding *g, struct diag *d)
{
    struct pollfd in = {.fd = g->f->fd, .events = POLLIN};
    if (poll(&in, 1, RESTING_MS) != 0) return ERR_OK;
    if (g->f->prompt) {
        printf(">");
        fflush(stdout);
    }
    return kafka_producer_flush(g->p, d);
}

err_t feed_lines(const struct feed *f, struct line_reader *r, struct kafka_producer *p,
                 struct diag *d)
{
    struct feeding g = {.f = f, .r = r, .p = p, .begun_ns = clock_mono_ns()};
    struct buf b = buf_make(FEED_LINE_MAX + READ_BYTES);
    size_t searched = 0;
    err_t e = ERR_OK;
    for (;;) {
        e = before_waiting(&g, d);
        if (e) break;
        if (!buf_reserve(&b, READ_BYTES)) {
            e = diag_fail(d, ERR_TOO_BIG, "a line is longer than %d MiB", FEED_LINE_MAX >> 20);
            break;
        }
        ssize_t n = read(f->fd, b.at + b.len, READ_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) e = diag_errno(d, errno, "reading lines");
        if (n <= 0) break;
        b.len += (size_t)n;
        e = feed_buffer(&g, &b, &searched, d);
        if (e) break;
    }
    if (!e && b.len) e = feed_line(&g, buf_view(&b), d); /* without an end of line */
    struct diag flushing = {0};
    err_t last = kafka_producer_flush(p, e ? &flushing : d); /* lines before a bad one count */
    buf_done(&b);
    return e ? e : last;
}
