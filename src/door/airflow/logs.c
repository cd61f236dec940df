/* Logs of tries: as text, as JSON with a token that says where to go on, as lines of JSON. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"
#include "os/file.h"

#include <inttypes.h>

enum { LOG_PIECE = 1 << 20, LOG_WHOLE = 16 << 20 };

struct log_place {
    struct call *c;
    const char *path;
    bool found, over;
};

static err_t take_log(void *ctx, const struct meta_row *row)
{
    struct log_place *p = ctx;
    const struct meta_value *path = &row->at[list_place(LIST_TRIES, "log")];
    p->found = true;
    p->over = row->at[list_place(LIST_TRIES, "end_date")].kind != META_NULL;
    if (path->kind != META_NULL) p->path = arena_text(p->c->arena, path->text);
    return ERR_OK;
}

/* From `from` on, whole characters; *next: where the rest begins. */
static err_t read_log(struct call *c, const struct log_place *p, uint64_t from, size_t most,
                      struct buf *text, uint64_t *next)
{
    int fd = -1;
    uint64_t size = 0;
    size_t got = 0;
    *next = from;
    if (!p->path || !file_exists(p->path)) return ERR_OK; /* nothing was said yet, or it expired */
    err_t e = file_open(p->path, FILE_READ, &fd, &c->d);
    if (!e) e = file_size(fd, &size, &c->d);
    if (!e && from < size) {
        size_t want = (size_t)MIN(size - from, (uint64_t)most);
        uint8_t *to = buf_grow(text, want);
        e = to ? file_pread(fd, to, want, from, &got, &c->d) : ERR_NO_MEMORY;
        text->len = e ? 0 : got;
    }
    if (fd >= 0) file_close(fd);
    /* not in the middle of a character, unless it will never be whole */
    if (!e && from + got < size)
        while (text->len > 4 && (text->at[text->len - 1] & 0xc0) == 0x80) text->len--;
    if (!e && from + got < size && text->len > 4 && text->at[text->len - 1] >= 0xc0) text->len--;
    *next = from + text->len;
    return e;
}

static void rest_put_lines(struct buf *out, struct slice text)
{
    bool first = true;
    while (text.len) {
        const uint8_t *end = memchr(text.at, '\n', text.len);
        uint32_t len = end ? (uint32_t)(end - text.at) : text.len;
        buf_text(out, first ? "{\"event\": " : ", {\"event\": ");
        json_put_text(out, slice_make(text.at, len));
        buf_text(out, ", \"timestamp\": null}");
        first = false;
        text = end ? slice_make(end + 1, text.len - len - 1) : (struct slice){0};
    }
}

static void rest_put_ndjson(struct buf *out, struct slice text)
{
    while (text.len) {
        const uint8_t *end = memchr(text.at, '\n', text.len);
        uint32_t len = end ? (uint32_t)(end - text.at) : text.len;
        buf_text(out, "{\"event\": ");
        json_put_text(out, slice_make(text.at, len));
        buf_text(out, ", \"timestamp\": null}\n");
        text = end ? slice_make(end + 1, text.len - len - 1) : (struct slice){0};
    }
}

/* As Python's repr() of a text. */
static void rest_put_python(struct buf *out, struct slice text)
{
    bool has_one = text.len && memchr(text.at, '\'', text.len);
    char quote = has_one && !memchr(text.at, '"', text.len) ? '"' : '\'';
    buf_char(out, quote);
    for (uint32_t i = 0; i < text.len; i++) {
        char l = (char)text.at[i];
        if (l == '\n')
            buf_text(out, "\\n");
        else if (l == '\t')
            buf_text(out, "\\t");
        else if (l == '\r')
            buf_text(out, "\\r");
        else if (l == '\\' || l == quote)
            buf_printf(out, "\\%c", l);
        else if ((uint8_t)l < 0x20 || l == 0x7f)
            buf_printf(out, "\\x%02x", (uint8_t)l);
        else
            buf_char(out, l);
    }
    buf_char(out, quote);
}

static void rest_put_token(struct buf *out, uint64_t next, bool over)
{
    buf_printf(out, ", \"continuation_token\": \"%" PRIu64 "%s\"}", next, over ? ".end" : "");
}

static err_t read_token(struct call *c, uint64_t *from)
{
    struct slice token;
    uint64_t n;
    if (!rest_param(c, "token", &token) || !token.len) return ERR_OK;
    if (token.len > 4 && slice_is(slice_make(token.at + token.len - 4, 4), ".end"))
        token = slice_make(token.at, token.len - 4);
    if (!slice_to_u64(token, &n))
        return refuse(c, 400, "Bad Signature. Please use only the tokens provided by the API.",
                      c->api == API_V2 ? "%s" : NULL,
                      "Bad Signature. Please use only the tokens provided by the API.");
    *from = n;
    return ERR_OK;
}

static void rest_put_log(struct call *c, struct slice text, uint64_t next, bool over)
{
    struct slice accept = http_header(c->http, "accept");
    if (c->api == API_V1 && !slice_starts(accept, "application/json")) {
        c->type = "text/plain";
        buf_slice(&c->out, text);
    } else if (c->api == API_V1) {
        /* Airflow's form: the text of a Python list of (host, log) */
        struct buf list = buf_make(LOG_WHOLE * 4);
        buf_text(&list, "[('', ");
        rest_put_python(&list, text);
        buf_text(&list, ")]");
        buf_text(&c->out, "{\"content\": ");
        json_put_text(&c->out, buf_view(&list));
        if (list.err) c->out.err = list.err;
        buf_done(&list);
        rest_put_token(&c->out, next, over);
    } else if (slice_starts(accept, "application/x-ndjson")) {
        c->type = "application/x-ndjson";
        rest_put_ndjson(&c->out, text);
    } else {
        buf_text(&c->out, "{\"content\": [");
        rest_put_lines(&c->out, text);
        buf_char(&c->out, ']');
        if (over)
            buf_text(&c->out, ", \"continuation_token\": null}");
        else
            rest_put_token(&c->out, next, false);
    }
}

/* Logs stand here and nowhere else. */
err_t api_get_external_log(struct call *c)
{
    return refuse(c, 400, NULL, "Task log handler does not support external logs.");
}

err_t api_get_log(struct call *c)
{
    struct listing l = rest_tries(c);
    struct log_place p = {.c = c};
    struct buf text = buf_make(LOG_WHOLE);
    int64_t index, number;
    uint64_t from = 0, next;
    bool full = false;
    err_t e = rest_index(c, &index);
    if (!e) e = rest_path_int(c, "try_number", &number);
    if (!e) e = rest_bool(c, "full_content", &full);
    if (!e) e = read_token(c, &from);
    if (e) return e;
    listing_fix_int(c, &l, "map_index", index);
    listing_fix_int(c, &l, "try_number", number);
    struct list_ask ask = {l.kind, l.fixed, l.fixed_count, {0}, 1, 0, true};
    e = list_run(c->meta, &ask, take_log, &p, NULL, &c->d);
    if (!e && !p.found) e = missing(c, NO_LOG);
    if (!e) e = read_log(c, &p, from, full ? LOG_WHOLE : LOG_PIECE, &text, &next);
    if (!e) rest_put_log(c, buf_view(&text), next, p.over && next == from);
    buf_done(&text);
    return e;
}
