/* http, http_sensor: one request by the work_port, and what its answer means. */
#include "sched/workshop_int.h"

#include "sched/connection.h"
#include "sched/secret.h"
#include "sched/template.h"

#include <stdio.h>

struct request {
    struct work *k;
    struct doc_entry entries[10];
    struct doc doc;
    int status;
    struct slice body;
};

static void put_entry(struct request *r, const char *name, struct doc value)
{
    r->entries[r->doc.count++] = (struct doc_entry){.name = slice_of(name), .value = value};
}

static struct doc text_doc(struct slice s)
{
    return (struct doc){.kind = DOC_TEXT, .text = s};
}

/* --- the address ------------------------------------------------------------------------------
 */

static bool has_scheme(struct slice s)
{
    for (uint32_t i = 0; i + 2 < s.len && i < 12; i++)
        if (memcmp(s.at + i, "://", 3) == 0) return true;
    return false;
}

/* As Airflow's HttpHook puts it together: the host may be a whole address. */
static struct slice address_of(struct work *k, const struct connection *c, struct slice path)
{
    struct buf url = buf_make(64 << 10);
    if (!has_scheme(c->host))
        buf_printf(&url, "%.*s://", SLICE_ARG(c->schema.len ? c->schema : SLICE("http")));
    buf_slice(&url, c->host);
    if (c->port > 0) buf_printf(&url, ":%lld", (long long)c->port);
    bool ends = url.len && url.at[url.len - 1] == '/';
    bool begins = path.len && path.at[0] == '/';
    if (path.len && !ends && !begins) buf_char(&url, '/');
    if (ends && begins) path = slice_make(path.at + 1, path.len - 1);
    buf_slice(&url, path);
    struct slice out = url.err ? (struct slice){0} : arena_slice(k->arena, buf_view(&url));
    buf_done(&url);
    return out;
}

static err_t take_address(struct request *r, struct worker *t, struct slice path, struct doc *extra,
                          struct diag *d)
{
    struct work *k = r->k;
    struct slice id = work_text(k, "conn_id");
    struct connection c = {0};
    struct meta *m;
    *extra = (struct doc){.kind = DOC_MAP};
    if (!id.len) {
        if (!has_scheme(path))
            return diag_fail(d, ERR_CONFIG, "'%.*s' is no URL; a path needs a connection: conn_id",
                             SLICE_ARG(path));
        put_entry(r, "url", text_doc(path));
        return ERR_OK;
    }
    err_t e = worker_meta(t, &m, d);
    if (!e) e = connection_resolve(m, id, k->arena, &c, d);
    if (e) return e;
    struct slice url = has_scheme(path) ? path : address_of(k, &c, path);
    if (!url.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for an address");
    put_entry(r, "url", text_doc(url));
    if (c.login.len) put_entry(r, "user", text_doc(c.login));
    if (c.password.len) put_entry(r, "password", text_doc(c.password));
    if (k->order->mask && c.password.len) e = mask_add(k->order->mask, c.password, d);
    if (c.extra.len && doc_of_json(c.extra, k->arena, extra, NULL))
        *extra = (struct doc){.kind = DOC_MAP};
    return e;
}

/* --- headers and body -------------------------------------------------------------------------
 */

static bool is_session_option(struct slice name)
{
    static const char *const NAMES[] = {
        "timeout", "allow_redirects", "proxies",       "proxy",     "verify",
        "cert",    "stream",          "max_redirects", "trust_env", "check_response"};
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (slice_is(name, NAMES[i])) return true;
    return false;
}

/* The connection's extra, as HttpHook takes it for headers, and over it the task's. */
static err_t take_headers(struct request *r, const struct doc *extra, struct diag *d)
{
    const struct doc *own = work_option(r->k, "headers");
    uint32_t n = 0, most = (own && own->kind == DOC_MAP ? own->count : 0) + extra->count + 1;
    struct doc_entry *all = arena_take(r->k->arena, most * sizeof(*all));
    if (!all) return diag_fail(d, ERR_NO_MEMORY, "no memory for headers");
    if (own && own->kind != DOC_MAP) return diag_fail(d, ERR_CONFIG, "headers is not a map");
    for (uint32_t i = 0; own && i < own->count; i++) all[n++] = own->entries[i];
    for (uint32_t i = 0; i < extra->count; i++)
        if (!is_session_option(extra->entries[i].name) &&
            !(own && doc_find(own, extra->entries[i].name)))
            all[n++] = extra->entries[i];
    for (uint32_t i = 0; i < n; i++) all[i].value = text_doc(doc_str(&all[i].value, r->k->arena));
    put_entry(r, "headers", (struct doc){.kind = DOC_MAP, .count = n, .entries = all});
    return ERR_OK;
}

static void put_escaped(struct buf *out, struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     strchr("-._~", c);
        plain &&c ? buf_char(out, (char)c) : buf_printf(out, "%%%02X", c);
    }
}

/* A GET's data are its query. */
static err_t take_query(struct request *r, const struct doc *data, struct diag *d)
{
    struct doc *url = &r->entries[0].value;
    struct buf out = buf_make(1 << 20);
    buf_slice(&out, url->text);
    bool has = memchr(out.at ? out.at : (const uint8_t *)"", '?', out.len) != NULL;
    if (data->kind == DOC_TEXT) {
        if (data->text.len) buf_printf(&out, "%c%.*s", has ? '&' : '?', SLICE_ARG(data->text));
    } else {
        for (uint32_t i = 0; data->kind == DOC_MAP && i < data->count; i++) {
            buf_char(&out, has || i ? '&' : '?');
            put_escaped(&out, data->entries[i].name);
            buf_char(&out, '=');
            put_escaped(&out, doc_str(&data->entries[i].value, r->k->arena));
        }
    }
    url->text = out.err ? (struct slice){0} : arena_slice(r->k->arena, buf_view(&out));
    buf_done(&out);
    return url->text.at ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a query");
}

static err_t take_body(struct request *r, bool is_get, struct diag *d)
{
    const struct doc *data = work_option(r->k, "data");
    if (!data) return ERR_OK;
    if (is_get) return take_query(r, data, d);
    struct buf json = buf_make(64 << 20);
    if (data->kind == DOC_TEXT)
        buf_slice(&json, data->text);
    else
        doc_put_json(&json, data);
    struct slice body = json.err ? (struct slice){0} : arena_slice(r->k->arena, buf_view(&json));
    buf_done(&json);
    if (!body.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for a body");
    put_entry(r, "body", text_doc(body));
    if (data->kind != DOC_TEXT) put_entry(r, "json", (struct doc){.kind = DOC_BOOL, .yes = true});
    return ERR_OK;
}

/* --- the answer -------------------------------------------------------------------------------
 */

static bool expected(struct work *k, int status)
{
    const struct doc *v = work_option(k, "expect");
    int64_t n;
    if (!v) return status >= 200 && status < 400;
    for (uint32_t i = 0; v->kind == DOC_LIST && i < v->count; i++)
        if (option_int(&v->items[i], &n) && n == status) return true;
    return v->kind != DOC_LIST && option_int(v, &n) && n == status;
}

/* `response` in a check: status_code, text, and json where the body is some. */
static err_t check(struct request *r, bool *yes, struct diag *d)
{
    struct work *k = r->k;
    struct slice text = work_text(k, "response_check");
    const struct doc *context = k->order->context;
    struct doc body, out, response = {.kind = DOC_MAP, .count = 3};
    *yes = true;
    if (!text.len) return ERR_OK;
    if (doc_of_json(r->body, k->arena, &body, NULL)) body = (struct doc){.kind = DOC_NULL};
    struct doc_entry parts[] = {
        {.name = SLICE("status_code"), .value = {.kind = DOC_INT, .number = r->status}},
        {.name = SLICE("text"), .value = text_doc(r->body)},
        {.name = SLICE("json"), .value = body}};
    response.entries = parts;
    uint32_t count = context && context->kind == DOC_MAP ? context->count : 0;
    struct doc_entry *all = arena_take(k->arena, ((size_t)count + 1) * sizeof(*all));
    if (!all) return diag_fail(d, ERR_NO_MEMORY, "no memory for response_check");
    if (count) memcpy(all, context->entries, count * sizeof(*all));
    all[count] = (struct doc_entry){.name = SLICE("response"), .value = response};
    struct doc names = {.kind = DOC_MAP, .count = count + 1, .entries = all};
    struct template_world w = {.names = &names, .now_us = workshop_now(k->w), .native = true};
    err_t e = template_text(text, &w, k->arena, &out, d);
    if (!e) *yes = template_is_true(&out);
    return e;
}

/* --- the API's quota ---------------------------------------------------------------------------
 */

/* *wait_ms: only of a sensor, which looks again then; 0: it may ask. */
static err_t take_quota(struct work *k, bool sensor, int64_t *wait_ms, struct diag *d)
{
    const struct work_port *port = &k->w->so.port;
    const struct work_key *key = &k->order->key;
    struct work_quota ask = {
        .quota = work_text(k, "quota"),
        .name = work_printf(k, "%.*s.%.*s", SLICE_ARG(key->dag_id), SLICE_ARG(key->task_id)),
        .who = k->order};
    *wait_ms = 0;
    if (!ask.quota.len) return ERR_OK;
    err_t e = work_int(k, "quota_records", &ask.count, d);
    if (e) return e;
    if (ask.count < 1)
        return diag_fail(d, ERR_CONFIG, "quota_records is %lld, and a request takes at least 1",
                         (long long)ask.count);
    if (!port->quota_take)
        return diag_fail(d, ERR_UNSUPPORTED, "there are no quotas without a server");
    e = port->quota_take(port->ctx, &ask, NULL, NULL, wait_ms, d);
    if (e || !*wait_ms) return e;
    work_say(k, "INFO", "Quota %.*s is taken by others: waits for room", SLICE_ARG(ask.quota));
    return sensor ? ERR_OK : port->quota_take(port->ctx, &ask, work_stopped, k, wait_ms, d);
}

static err_t ask(struct request *r, struct worker *t, const char *main_option,
                 const char *timeout_option, struct diag *d)
{
    struct work *k = r->k;
    const struct work_port *port = &k->w->so.port;
    struct slice method = work_text(k, "method");
    struct doc extra;
    int64_t timeout;
    r->doc = (struct doc){.kind = DOC_MAP, .entries = r->entries};
    if (!port->http) return diag_fail(d, ERR_UNSUPPORTED, "there is nobody who asks by HTTP");
    err_t e = work_span(k, timeout_option, &timeout, d);
    if (!e) e = take_address(r, t, slice_trim(work_text(k, main_option)), &extra, d);
    if (!e) e = take_headers(r, &extra, d);
    if (!e) e = take_body(r, slice_equal_nocase(method, SLICE("GET")), d);
    if (e) return e;
    put_entry(r, "method", text_doc(method));
    put_entry(r, "timeout_us", (struct doc){.kind = DOC_INT, .number = timeout});
    work_say(k, "INFO", "%.*s %.*s", SLICE_ARG(method), SLICE_ARG(r->entries[0].value.text));
    e = port->http(port->ctx, &r->doc, work_stopped, k, k->arena, &r->status, &r->body, d);
    if (!e) work_say(k, "INFO", "Answer: %d, %u bytes", r->status, r->body.len);
    return e;
}

err_t kind_http(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct request r = {.k = k};
    int64_t wait_ms;
    bool yes;
    err_t e = take_quota(k, false, &wait_ms, d);
    if (!e) e = ask(&r, t, "http", "timeout", d);
    if (e) return e;
    if (!expected(k, r.status))
        return diag_fail(d, ERR_PEER, "%d:%.*s", r.status, (int)MIN(r.body.len, 300u),
                         (const char *)(r.body.at ? r.body.at : (const uint8_t *)""));
    e = check(&r, &yes, d);
    if (e) return e;
    if (!yes) return diag_fail(d, ERR_CONSTRAINT, "Response check returned False.");
    struct doc *body = arena_take(k->arena, sizeof(*body));
    if (!body) return diag_fail(d, ERR_NO_MEMORY, "no memory for a task's result");
    *body = text_doc(r.body);
    out->result = body;
    return ERR_OK;
}

err_t kind_http_sensor(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct request r = {.k = k};
    int64_t wait_ms;
    bool yes = false;
    err_t e = take_quota(k, true, &wait_ms, d);
    if (e) return e;
    if (wait_ms) {
        out->outcome = WORK_AGAIN;
        out->again_us = workshop_now(k->w) + wait_ms * 1000;
        out->message = SLICE("the API's quota is taken by others");
        return ERR_OK;
    }
    e = ask(&r, t, "http_sensor", "request_timeout", d);
    bool away = e == ERR_PEER || e == ERR_OFFLINE || e == ERR_TIMEOUT || e == ERR_NOT_FOUND;
    if (e && !away) return e;
    if (e) { /* as nobody listens there yet */
        out->outcome = WORK_AGAIN;
        out->message = work_printf(k, "%s", d->what);
        return ERR_OK;
    }
    bool right = expected(k, r.status);
    /* as Airflow's HttpSensor: 404 is not yet, other wrong answers are failures */
    if (!right && r.status != 404 && !work_option(k, "expect"))
        return diag_fail(d, ERR_PEER, "%d:%.*s", r.status, (int)MIN(r.body.len, 300u),
                         (const char *)(r.body.at ? r.body.at : (const uint8_t *)""));
    if (right) e = check(&r, &yes, d);
    if (e || (right && yes)) return e;
    out->outcome = WORK_AGAIN;
    out->message = work_printf(k, "the answer was %d%s", r.status,
                               right ? ", and response_check is not true" : "");
    return ERR_OK;
}
