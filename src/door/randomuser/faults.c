#include "door/randomuser/randomuser_int.h"

enum { SLOW_MS = 5000, CUT_MS = 20, DEEP_LEVELS = 10000, ENDLESS_CHUNK = 64 << 10 };

static const struct {
    const char *name, *about;
} faults[] = {
    {"none", "No fault"},
#define FAULT(id, name, about) {name, about},
#include "door/randomuser/faults.def"
#undef FAULT
};

void randomuser_faults_help(struct buf *out)
{
    buf_text(out, "Faults the offline RandomUser API plays on request: ?fault=NAME, or NAME@3 for "
                  "every third answer.\n\n");
    for (size_t i = 1; i < COUNT_OF(faults); i++)
        buf_printf(out, "    %-10s %s\n", faults[i].name, faults[i].about);
}

bool fault_parse(struct slice text, enum fault_id *out, uint32_t *every)
{
    uint32_t at = 0;
    uint64_t n = 1;
    while (at < text.len && text.at[at] != '@') at++;
    if (at < text.len && (!slice_to_u64(slice_make(text.at + at + 1, text.len - at - 1), &n) ||
                          n == 0 || n > 1000000))
        return false;
    *every = (uint32_t)n;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        if (!slice_is(slice_make(text.at, at), faults[i].name)) continue;
        *out = (enum fault_id)i;
        return true;
    }
    return false;
}

/* --- bodies that are wrong -------------------------------------------------------------------- */

/* The end of the scalar at `at`. */
static size_t value_end(const uint8_t *json, size_t at, size_t size)
{
    if (json[at] != '"') {
        while (at < size && !strchr(",}]", json[at])) at++;
        return at;
    }
    for (at++; at < size && json[at] != '"'; at++)
        if (json[at] == '\\') at++;
    return MIN(at + 1, size);
}

/* Rewrites the values of three keys in every second person: numbers become text, text a list. */
static void put_drifted(struct slice json, struct buf *out)
{
    static const char *const keys[] = {"\"postcode\":", "\"age\":", "\"value\":"};
    bool odd = false;
    for (size_t at = 0; at < json.len;) {
        const uint8_t *c = json.at + at;
        size_t k = 0;
        if (json.len - at > 9 && memcmp(c, "\"gender\":", 9) == 0) odd = !odd;
        while (odd && k < COUNT_OF(keys) &&
               (json.len - at <= strlen(keys[k]) || memcmp(c, keys[k], strlen(keys[k])) != 0))
            k++;
        if (!odd || k == COUNT_OF(keys)) {
            buf_char(out, (char)json.at[at++]);
            continue;
        }
        size_t from = at + strlen(keys[k]), end = value_end(json.at, from, json.len);
        bool text = json.at[from] == '"';
        buf_text(out, keys[k]);
        buf_text(out, text ? "[" : "\"");
        buf_put(out, json.at + from, end - from);
        buf_text(out, text ? "]" : "\"");
        at = end;
    }
}

static void put_bad_utf8(struct slice json, struct buf *out)
{
    static const char key[] = "\"first\":\"";
    for (size_t at = 0; at < json.len; at++) {
        buf_char(out, (char)json.at[at]);
        if (at + 1 >= sizeof(key) - 1 &&
            memcmp(json.at + at + 2 - sizeof(key), key, sizeof(key) - 1) == 0)
            buf_text(out, "\xff\xfe");
    }
}

static void put_deep(struct buf *out)
{
    buf_text(out, "{\"results\":");
    for (int i = 0; i < DEEP_LEVELS; i++) buf_char(out, '[');
    for (int i = 0; i < DEEP_LEVELS; i++) buf_char(out, ']');
    buf_char(out, '}');
}

/* --- answers that take their time ------------------------------------------------------------- */

static struct late *late_take(struct randomuser_door *door, struct http_request *r,
                              struct buf *body)
{
    for (size_t i = 0; i < LATE_MAX; i++) {
        struct late *l = &door->late[i];
        if (l->door) continue;
        *l = (struct late){.door = door, .request = r};
        l->body = *body;
        *body = buf_make(body->limit);
        return l;
    }
    http_reply_text(r, 503, "at most %d answers wait or stream at a time\n", LATE_MAX);
    return NULL;
}
static void late_give(struct late *l)
{
    loop_timer_free(l->timer);
    buf_done(&l->body);
    l->timer = NULL;
    l->door = NULL;
}
static void late_gone(void *arg) /* the peer left; the request is dead */
{
    struct late *l = (struct late *)arg;
    if (!l->door->closing) late_give(l);
}

static void slow_now(void *arg)
{
    struct late *l = (struct late *)arg;
    http_reply(l->request, 200, "application/json; charset=utf-8", buf_view(&l->body));
    late_give(l);
}
static void cut_now(void *arg)
{
    struct late *l = (struct late *)arg;
    struct conn *c = http_conn(l->request);
    loop_timer_free(l->timer);
    l->timer = NULL;
    if (c) conn_close_now(c); /* late_gone follows */
}
static void after(struct late *l, int64_t delay_ms, void (*fn)(void *))
{
    if (loop_timer_new(l->door->loop, delay_ms, 0, fn, l, &l->timer)) fn(l); /* no memory: now */
}

static void endless_more(void *arg)
{
    struct late *l = (struct late *)arg;
    http_stream_send(l->request, buf_view(&l->body));
}
/* One person, a comma, again and again: valid JSON that never ends. */
static void endless(struct late *l)
{
    static const char head[] = "{\"results\":[";
    struct buf chunk = buf_make(BODY_MAX);
    size_t from = sizeof(head) - 1, end = l->body.len;
    while (end > from && l->body.at[end - 1] != ']') end--;
    while (end > from && chunk.len < ENDLESS_CHUNK && !chunk.err) {
        buf_put(&chunk, l->body.at + from, end - 1 - from);
        buf_char(&chunk, ',');
    }
    http_stream_start(l->request, 200, "application/json; charset=utf-8", late_gone, l);
    http_stream_send(l->request, SLICE("{\"results\":["));
    buf_done(&l->body);
    l->body = chunk;
    http_stream_drained(l->request, endless_more);
    endless_more(l);
}

static void start_late(struct randomuser_door *door, struct http_request *r, enum fault_id fault,
                       struct buf *body)
{
    struct late *l = late_take(door, r, body);
    if (!l) return;
    if (fault == FAULT_SLOW)
        after(l, SLOW_MS, slow_now);
    else if (fault == FAULT_ENDLESS)
        endless(l);
    else {
        http_stream_start(r, 200, "application/json; charset=utf-8", late_gone, l);
        http_stream_send(r, slice_make(l->body.at, l->body.len / 2));
        after(l, CUT_MS, cut_now);
    }
}

/* --- each fault ------------------------------------------------------------------------------- */

static void reply_body(struct http_request *r, int status, struct buf *body)
{
    if (body->err)
        http_reply_text(r, 500, "no memory for the answer\n");
    else
        http_reply(r, status, "application/json; charset=utf-8", buf_view(body));
}

static void reply_rewritten(struct http_request *r, enum fault_id fault, const struct buf *body)
{
    struct buf out = buf_make(BODY_MAX);
    if (fault == FAULT_DRIFT)
        put_drifted(buf_view(body), &out);
    else if (fault == FAULT_UTF8)
        put_bad_utf8(buf_view(body), &out);
    else if (fault == FAULT_DEEP)
        put_deep(&out);
    else if (fault == FAULT_BROKEN)
        buf_put(&out, body->at, body->len * 2 / 3);
    else if (fault == FAULT_EMPTY)
        buf_text(&out, "{\"results\":[],\"info\":{\"seed\":\"d3adb33f\",\"results\":0,\"page\":1,"
                       "\"version\":\"1.4\"}}");
    reply_body(r, 200, &out);
    buf_done(&out);
}

static void reply_status(struct http_request *r, int status, uint64_t users)
{
    struct buf out = buf_make(KIB(4));
    people_error_body(status, users, &out);
    if (status == 429) http_reply_header(r, "Retry-After", "2");
    reply_body(r, status, &out);
    buf_done(&out);
}

void fault_reply(struct randomuser_door *door, struct http_request *r, enum fault_id fault,
                 const struct people_answer *a, struct buf *body)
{
    switch (fault) {
    case FAULT_NONE: reply_body(r, a->status, body); break;
    case FAULT_THROTTLED: reply_status(r, 429, 20000 + a->people); break;
    case FAULT_ERROR: reply_status(r, 500, 0); break;
    case FAULT_DOWN:
        http_reply(r, 503, "text/html",
                   SLICE("<html><body><h1>503 Service Temporarily Unavailable"
                         "</h1></body></html>\n"));
        break;
    case FAULT_HTML:
        http_reply(r, 200, "text/html; charset=utf-8",
                   SLICE("<!doctype html><title>Back soon</title><p>We are down for maintenance."));
        break;
    case FAULT_REDIRECT:
        http_reply_header(r, "Location", "http://169.254.169.254/latest/meta-data/");
        http_reply(r, 302, NULL, (struct slice){0});
        break;
    case FAULT_SLOW:
    case FAULT_CUT:
    case FAULT_ENDLESS:
        if (slice_is(http_method(r), "HEAD"))
            reply_body(r, 200, body);
        else
            start_late(door, r, fault, body);
        break;
    case FAULT_EMPTY:
    case FAULT_DRIFT:
    case FAULT_BROKEN:
    case FAULT_UTF8:
    case FAULT_DEEP: reply_rewritten(r, fault, body); break;
    }
}
