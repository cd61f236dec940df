/* The source kind 'http': an API's answers, polled. What an answer is not whole is not there:
 * a failed fetch delivers nothing and moves no cursor. */
#include "connect/http/http_int.h"
#include "connect/http/quota.h"

#include "base/hash.h"
#include "base/metric.h"
#include "base/say.h"
#include "base/vec.h"
#include "data/json.h"
#include "os/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum option_id {
#define OPTION(name, kind, fallback, min, max, about) HTTP_##name,
#include "connect/http/options.def"
#undef OPTION
};
static const struct connect_option options[] = {
#define OPTION(name, kind, fallback, min, max, about)                                              \
    {#name, OPTION_##kind, fallback, min, max, about},
#include "connect/http/options.def"
#undef OPTION
};

enum {
    ITEMS_MAX = 1 << 20,
    CURSOR_MAX = 512,
    HEADERS_MAX = 32,
    EMPTY_ANSWERS_SAID = 3,
    SLEEP_STEP_MS = 20
};
static const int64_t backoff_max_ms = 30000, blocking_wait_max_ms = 5000;

struct http_source {
    struct arena *texts;
    struct transfer *transfer;
    struct json_decoder *json;
    struct transfer_rules rules;
    const char *header_lines[HEADERS_MAX + 1];
    const char *base, *fixed_query; /* the address; what is asked for each time */
    char shown[SHOWN_MAX];
    struct slice items_path;
    const char *page_param;
    int64_t page_start, page_end, results, retries, backoff_ms;
    struct rate rate;
    struct quota *quota; /* instead of rate; NULL: none */
    struct rng jitter;
    /* the answer at hand */
    struct vec items, rejects;
    char url[URL_MAX_BYTES], cursor[CURSOR_MAX], provenance[SHOWN_MAX + 64], note[SHOWN_MAX + 128];
    uint64_t empty_answers;
    int64_t not_before_ms; /* the server asked for silence until then */
    /* fallback */
    struct source_port fallback; /* self NULL: none */
    bool fallen;
    int64_t fallback_check_ms, probe_at_ms;
};

/* --- one answer ------------------------------------------------------------------------------- */

static bool take_item_or_reject(struct http_source *h, struct slice item)
{
    if (item.len > 0 && item.at[0] == '{') {
        struct source_item *i = (struct source_item *)vec_add(&h->items);
        if (i) i->value = item;
        return i != NULL;
    }
    struct source_reject *r = (struct source_reject *)vec_add(&h->rejects);
    if (r) *r = (struct source_reject){ERR_TYPE, SLICE("the item is no JSON object"), item};
    return r != NULL;
}
static err_t on_item(void *ctx, struct slice item)
{
    return take_item_or_reject((struct http_source *)ctx, slice_trim(item)) ? ERR_OK : ERR_TOO_BIG;
}

static err_t read_items(struct http_source *h, const struct transfer_answer *a, struct diag *d)
{
    struct diag inner = {0};
    vec_clear(&h->items);
    vec_clear(&h->rejects);
    if (a->status == 204) return ERR_OK;
    err_t e = json_items(h->json, a->body, h->items_path, on_item, h, &inner);
    if (!e) return ERR_OK;
    vec_clear(&h->items);
    vec_clear(&h->rejects);
    (void)diag_fail(d, e, "the answer of %s can't be used: %s", h->shown,
                    inner.what[0] ? inner.what : err_text(e));
    char sample[81];
    (void)slice_to_cstr(slice_make(a->body.at, MIN(a->body.len, 80u)), sample, sizeof(sample));
    for (char *c = sample; *c; c++)
        if ((uint8_t)*c < 0x20 || (uint8_t)*c > 0x7e) *c = ' ';
    (void)diag_why(d, "%s%sit begins: %s", inner.why, inner.why[0] ? "; " : "", sample);
    if (inner.hint[0])
        (void)diag_hint(d, "%s", inner.hint);
    else if (e == ERR_BAD_JSON)
        (void)diag_hint(d,
                        "nothing of it was taken; is this the API's address, and is items = "
                        "'%.*s' where its records stand?",
                        SLICE_ARG(h->items_path));
    return e;
}

static err_t build_url(struct http_source *h, int64_t page, uint32_t items_max, struct diag *d)
{
    struct buf b = buf_over(h->url, sizeof(h->url) - 1);
    char mark = strchr(h->base, '?') ? '&' : '?';
    buf_text(&b, h->base);
    int64_t results = h->results;
    if (items_max && !h->page_param) results = MIN(results, (int64_t)items_max);
    if (results) {
        buf_printf(&b, "%cresults=%" PRId64, mark, results);
        mark = '&';
    }
    if (h->page_param) {
        buf_printf(&b, "%c%s=%" PRId64, mark, h->page_param, page);
        mark = '&';
    }
    if (h->fixed_query[0]) buf_printf(&b, "%c%s", mark, h->fixed_query);
    if (b.err) return diag_fail(d, ERR_TOO_BIG, "the address with its query is too long");
    h->url[b.len] = 0;
    return ERR_OK;
}

/* *wait_ms 0: it may be asked, and that is counted. */
static err_t take_rate(struct http_source *h, const struct source_ask *ask, int64_t now_ms,
                       int64_t *wait_ms, struct diag *d)
{
    int64_t count = MAX(h->results, (int64_t)1);
    struct quota_ask of = {h, ask->name, ask->by_task, count, now_ms};
    if (h->quota) return quota_take(h->quota, &of, wait_ms, d);
    *wait_ms = rate_wait_ms(&h->rate, count, now_ms);
    if (!*wait_ms) rate_mark(&h->rate, count, now_ms);
    return ERR_OK;
}

static err_t try_once(struct http_source *h, const struct source_ask *ask, int64_t now_ms,
                      struct diag *d)
{
    struct transfer_ask get = {h->url, ask->stopping, ask->ctx};
    struct transfer_answer a;
    metric_add(METRIC_connect_requests_total, 1);
    err_t e = transfer_get(h->transfer, &get, &a, d);
    if (!e) e = answer_check(&a, h->shown, d);
    if (!e) e = read_items(h, &a, d);
    if (e && e != ERR_STOPPED) metric_add(METRIC_connect_failures_total, 1);
    if (e && a.retry_after_ms > 0) h->not_before_ms = now_ms + a.retry_after_ms;
    return e;
}

static bool sleep_ms(const struct source_ask *ask, int64_t ms)
{
    int64_t end = clock_mono_ns() + ms * 1000000;
    while (clock_mono_ns() < end) {
        if (ask->stopping && ask->stopping(ask->ctx)) return false;
        struct timespec step = {.tv_nsec = MIN(ms, (int64_t)SLEEP_STEP_MS) * 1000000};
        nanosleep(&step, NULL);
    }
    return true;
}

/* The wait before retry `n`: twice as long each time, give or take a quarter. */
static int64_t backoff_of(struct http_source *h, int64_t n)
{
    int64_t ms = h->backoff_ms << MIN(n, (int64_t)16);
    ms = MIN(ms, MAX(backoff_max_ms, h->backoff_ms));
    return ms * 3 / 4 + (int64_t)rng_below(&h->jitter, (uint64_t)(ms / 2 + 1));
}

/* A short Retry-After is waited for; a long one is left to not_before_ms and the next fetch. A
 * retry keeps the rate limit too. */
static err_t try_with_retries(struct http_source *h, const struct source_ask *ask, int64_t retries,
                              struct diag *d)
{
    int64_t began_ns = clock_mono_ns(), now_ms = ask->now_ms;
    for (int64_t n = 0;; n++) {
        h->not_before_ms = 0;
        err_t e = try_once(h, ask, now_ms, d);
        if (!e || !answer_may_pass(e) || n >= retries) return e;
        int64_t asked = h->not_before_ms ? h->not_before_ms - now_ms : 0;
        int64_t wait_ms = MAX(asked, backoff_of(h, n));
        if (asked > blocking_wait_max_ms) return e;
        int64_t over_rate = 0;
        struct diag unheard = {0};
        if (take_rate(h, ask, now_ms + wait_ms, &over_rate, &unheard) || over_rate) return e;
        say_debug(SAY_CONNECT, "request failed, retrying", "url=%s err=%s try=%lld", h->shown,
                  err_name(e), (long long)n + 1);
        if (!sleep_ms(ask, wait_ms)) return ERR_STOPPED;
        now_ms = ask->now_ms + (clock_mono_ns() - began_ns) / 1000000;
    }
}

/* --- the cursor: "page=12;fallback=page=3&…" ---------------------------------------------------
 */

static int64_t cursor_page(const struct http_source *h, struct slice cursor)
{
    int64_t page = h->page_start;
    struct slice text = connect_pair(cursor, ';', "page");
    return text.at && slice_to_i64(text, &page) ? page : h->page_start;
}

static err_t put_cursor(struct http_source *h, int64_t page, struct slice fallback,
                        struct source_answer *out, struct diag *d)
{
    struct buf b = buf_over(h->cursor, sizeof(h->cursor) - 1);
    buf_printf(&b, "page=%" PRId64, page);
    if (fallback.len) buf_printf(&b, ";fallback=%.*s", SLICE_ARG(fallback));
    if (b.err) return diag_fail(d, ERR_TOO_BIG, "the source's cursor is too long");
    out->cursor = buf_view(&b);
    return ERR_OK;
}

/* --- fetching --------------------------------------------------------------------------------- */

static err_t live_answer(struct http_source *h, const struct source_ask *ask, int64_t page,
                         struct source_answer *out, struct diag *d)
{
    out->items = (const struct source_item *)(void *)h->items.items;
    out->item_count = (uint32_t)h->items.count;
    out->rejects = (const struct source_reject *)(void *)h->rejects.items;
    out->reject_count = (uint32_t)h->rejects.count;
    bool empty = out->item_count + out->reject_count == 0;
    h->empty_answers = empty ? h->empty_answers + 1 : 0;
    int size = snprintf(h->provenance, sizeof(h->provenance), "url=%s", h->shown);
    if (h->page_param && size > 0 && (size_t)size < sizeof(h->provenance))
        snprintf(h->provenance + size, sizeof(h->provenance) - (size_t)size, " page=%" PRId64,
                 page);
    out->provenance = slice_of(h->provenance);
    if (h->empty_answers >= EMPTY_ANSWERS_SAID) {
        snprintf(h->note, sizeof(h->note),
                 "%s answers, but without records: %" PRIu64 " answers in a row were empty",
                 h->shown, h->empty_answers);
        out->note = slice_of(h->note);
    }
    int64_t next = page + (empty ? 0 : 1);
    out->end = h->page_param && h->page_end && next > h->page_end;
    return put_cursor(h, h->page_param ? next : h->page_start,
                      connect_pair(ask->cursor, ';', "fallback"), out, d);
}

static err_t fallback_answer(struct http_source *h, const struct source_ask *ask, int64_t page,
                             struct source_answer *out, struct diag *d)
{
    struct source_ask inner = *ask;
    inner.cursor = connect_pair(ask->cursor, ';', "fallback");
    err_t e = h->fallback.fetch(h->fallback.self, &inner, out, d);
    if (e) return e;
    out->note = slice_of(h->note);
    snprintf(h->provenance, sizeof(h->provenance), "fallback=generator %.*s",
             SLICE_ARG(out->provenance));
    out->provenance = slice_of(h->provenance);
    out->end = false;
    /* which of the two answers a second try would bring depends on the network */
    out->repeatable = false;
    return put_cursor(h, page, out->cursor, out, d);
}

static void fall(struct http_source *h, const struct source_ask *ask, const struct diag *why)
{
    char shown[sizeof(h->note)];
    snprintf(shown, sizeof(shown), "falling back to the generator: %.400s", why->what);
    if (!h->fallen) say_diag(SAY_CONNECT, SAY_WARN, "falling back to the generator", why);
    memcpy(h->note, shown, sizeof(shown));
    h->fallen = true;
    h->probe_at_ms = MAX(ask->now_ms + h->fallback_check_ms, h->not_before_ms);
}

/* Failures that waiting does not mend are the person's to see, not to be papered over. */
static bool may_fall(const struct http_source *h, err_t e)
{
    return h->fallback.self && e != ERR_STOPPED && e != ERR_PRIVATE_ADDRESS && e != ERR_CONFIG &&
           e != ERR_NO_MEMORY && e != ERR_INTERNAL;
}

static err_t paused(struct http_source *h, const struct source_ask *ask, struct source_answer *out)
{
    out->wait_ms = h->not_before_ms - ask->now_ms;
    snprintf(h->note, sizeof(h->note), "%s asked for a pause of %" PRId64 " s", h->shown,
             (out->wait_ms + 999) / 1000);
    out->note = slice_of(h->note);
    return ERR_OK;
}

static err_t fetch_live(struct http_source *h, const struct source_ask *ask, int64_t page,
                        struct source_answer *out, struct diag *d)
{
    err_t e = build_url(h, page, ask->items_max, d);
    if (!e) e = take_rate(h, ask, ask->now_ms, &out->wait_ms, d);
    if (out->wait_ms && !e) {
        if (h->quota) out->note = SLICE("waits for its quota, which others have taken");
        return ERR_OK;
    }
    if (!e) e = try_with_retries(h, ask, h->fallen ? 0 : h->retries, d);
    if (e) return e;
    h->not_before_ms = 0;
    if (h->fallen) say_info(SAY_CONNECT, "the API answers again", "url=%s", h->shown);
    h->fallen = false;
    return live_answer(h, ask, page, out, d);
}

static err_t http_fetch(void *self, const struct source_ask *ask, struct source_answer *out,
                        struct diag *d)
{
    struct http_source *h = (struct http_source *)self;
    struct diag unheard = {0};
    if (!d) d = &unheard;
    *out = (struct source_answer){.cursor = ask->cursor};
    if (ask->stopping && ask->stopping(ask->ctx)) return ERR_STOPPED;
    int64_t page = cursor_page(h, ask->cursor);
    if (h->page_param && h->page_end && page > h->page_end) {
        out->end = true;
        return ERR_OK;
    }
    if (h->fallen && ask->now_ms < h->probe_at_ms) return fallback_answer(h, ask, page, out, d);
    if (ask->now_ms < h->not_before_ms) return paused(h, ask, out);
    err_t e = fetch_live(h, ask, page, out, d);
    if (!e || !may_fall(h, e)) return e;
    fall(h, ask, d);
    *out = (struct source_answer){.cursor = ask->cursor};
    return fallback_answer(h, ask, page, out, d);
}

static void http_close(void *self)
{
    struct http_source *h = (struct http_source *)self;
    if (h->fallback.self) h->fallback.close(h->fallback.self);
    quota_leave(h->quota);
    transfer_free(h->transfer);
    json_decoder_free(h->json);
    vec_done(&h->items);
    vec_done(&h->rejects);
    arena_free(h->texts);
    mem_give(h);
}

/* --- opening ---------------------------------------------------------------------------------- */

static err_t check_address(struct http_source *h, struct slice address, struct diag *d)
{
    bool web = slice_starts(address, "http://") || slice_starts(address, "https://");
    for (uint32_t i = 0; i < address.len; i++) web &= address.at[i] > 0x20 && address.at[i] != 0x7f;
    if (!web) {
        (void)diag_fail(d, ERR_CONFIG, "'%.*s' is no address an HTTP source can fetch",
                        SLICE_ARG(address));
        return diag_hint(d, "an address is like 'https://randomuser.me/api/', without spaces");
    }
    h->base = arena_text(h->texts, address);
    if (!h->base) return diag_fail(d, ERR_TOO_BIG, "the address is too long");
    url_shown(h->base, h->shown, sizeof(h->shown));
    size_t host = strcspn(strstr(h->base, "://") + 3, "/?#");
    if (!memchr(strstr(h->base, "://") + 3, '@', host)) return ERR_OK;
    (void)diag_fail(d, ERR_CONFIG, "the address of %s holds a login", h->shown);
    return diag_hint(d, "give it in a header, from the environment: WITH (headers = "
                        "'Authorization: Basic ${env:LOGIN_BASE64}')");
}

static void put_escaped(struct buf *b, struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        uint8_t c = s.at[i], l = c | 32;
        bool plain = (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || strchr("-_.~,", c);
        if (plain && c)
            buf_char(b, (char)c);
        else
            buf_printf(b, "%%%02X", c);
    }
}

static err_t set_query(struct http_source *h, const struct connect_setting *s, struct diag *d)
{
    static const enum option_id sugar[] = {HTTP_nat, HTTP_gender, HTTP_seed};
    char text[URL_MAX_BYTES];
    struct buf b = buf_over(text, sizeof(text));
    for (size_t i = 0; i < COUNT_OF(sugar); i++) {
        if (!s[sugar[i]].given) continue;
        buf_printf(&b, "%s%s=", b.len ? "&" : "", options[sugar[i]].name);
        put_escaped(&b, s[sugar[i]].text);
    }
    if (s[HTTP_query].given) {
        if (b.len) buf_char(&b, '&');
        size_t from = b.len;
        err_t e = connect_secrets(s[HTTP_query].text, "query", &b, d);
        if (e) return e;
        for (size_t i = from; i < b.len; i++)
            if (b.at[i] <= 0x20 || b.at[i] == 0x7f || b.at[i] == '#')
                return diag_fail(d, ERR_CONFIG,
                                 "option query holds a character that a URL may not; "
                                 "write %%20 for a space");
    }
    h->fixed_query = b.err ? NULL : arena_text(h->texts, buf_view(&b));
    return h->fixed_query ? ERR_OK : diag_fail(d, ERR_TOO_BIG, "the query is too long");
}

static err_t header_bad(struct slice line, struct diag *d)
{
    uint32_t colon = 0; /* the name may be shown, the value may be a secret */
    while (colon < line.len && line.at[colon] != ':' && line.at[colon] > 0x20) colon++;
    (void)diag_fail(d, ERR_CONFIG, "option headers: '%.*s…' is no header line",
                    (int)MIN(colon, 40u), (const char *)line.at);
    return diag_hint(d, "a line is 'Name: value', several are parted by |");
}

static err_t set_headers(struct http_source *h, const struct connect_setting *s, struct diag *d)
{
    struct buf b = buf_make(KIB(64));
    struct slice rest = s[HTTP_headers].text;
    size_t count = 0;
    err_t e = ERR_OK;
    while (!e && rest.len > 0) {
        uint32_t end = 0;
        while (end < rest.len && rest.at[end] != '|') end++;
        struct slice raw = slice_trim(slice_make(rest.at, end));
        uint32_t skip = MIN(end + 1, rest.len);
        rest = slice_make(rest.at + skip, rest.len - skip);
        if (raw.len == 0) continue;
        buf_reset(&b);
        e = connect_secrets(raw, "headers", &b, d);
        if (e) break;
        bool ok = memchr(b.at, ':', b.len) && b.at[0] != ':' && count < HEADERS_MAX;
        for (size_t i = 0; i < b.len; i++) ok &= b.at[i] >= 0x20 && b.at[i] != 0x7f;
        if (!ok)
            e = header_bad(raw, d);
        else if (!(h->header_lines[count++] = arena_text(h->texts, buf_view(&b))))
            e = diag_fail(d, ERR_TOO_BIG, "the headers are too long");
    }
    buf_done(&b);
    return e;
}

static err_t set_rate(struct http_source *h, const struct connect_setting *s, struct diag *d)
{
    h->rate.number = s[HTTP_rate_limit].number;
    h->rate.per_ms = s[HTTP_rate_limit].per;
    if (h->rate.number == 0 || h->results <= h->rate.number)
        return s[HTTP_quota].given
                   ? quota_join(s[HTTP_quota].text, h->rate.number, h->rate.per_ms, &h->quota, d)
                   : ERR_OK;
    (void)diag_fail(d, ERR_CONFIG,
                    "rate_limit allows %" PRId64 " records, but each request asks for "
                    "results = %" PRId64,
                    h->rate.number, h->results);
    return diag_hint(d, "lower results or raise rate_limit");
}

/* The generator under the same options, through the table of kinds: folders don't see each other.
 */
static err_t set_fallback(struct http_source *h, const struct connect_setting *s, struct diag *d)
{
    static const enum option_id shared[] = {HTTP_results, HTTP_nat, HTTP_gender, HTTP_seed};
    if (!s[HTTP_fallback].given) return ERR_OK;
    if (!slice_is(s[HTTP_fallback].text, "generator")) {
        (void)diag_fail(d, ERR_CONFIG, "there is no fallback '%.*s'",
                        SLICE_ARG(s[HTTP_fallback].text));
        return diag_hint(d, "fallback = 'generator' is the one there is");
    }
    struct connect_given given[COUNT_OF(shared)];
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(shared); i++)
        if (s[shared[i]].given)
            given[count++] =
                (struct connect_given){slice_of(options[shared[i]].name), s[shared[i]].text, 0, 0};
    struct connect_setting *settings;
    struct connect_common common;
    err_t e = connect_settings(&connect_generator, given, count, "fallback", h->texts, &settings,
                               &common, d);
    return e ? e : connect_generator.open((struct slice){0}, settings, &h->fallback, d);
}

static err_t check_items_path(struct http_source *h, const struct connect_setting *s,
                              struct diag *d)
{
    h->items_path = arena_slice(h->texts, s[HTTP_items].text);
    struct buf empty = buf_make(256);
    buf_text(&empty, "null");
    uint8_t *padding = buf_grow(&empty, JSON_PADDING);
    if (padding) memset(padding, 0, JSON_PADDING);
    struct diag inner = {0};
    err_t e = padding
                  ? json_items(h->json, slice_make(empty.at, 4), h->items_path, on_item, h, &inner)
                  : ERR_NO_MEMORY;
    buf_done(&empty);
    vec_clear(&h->items);
    vec_clear(&h->rejects);
    if (e != ERR_SYNTAX) return ERR_OK; /* "null" holds no items: any other answer is fine */
    (void)diag_fail(d, ERR_CONFIG, "items = '%.*s' is no path: %s", SLICE_ARG(h->items_path),
                    inner.what);
    return diag_hint(d, "a path is like '$.results[*]', '$[*]' or '$'");
}

static err_t http_set(struct http_source *h, struct slice address, const struct connect_setting *s,
                      struct diag *d)
{
    h->results = s[HTTP_results].number;
    h->page_start = s[HTTP_page_start].number;
    h->page_end = s[HTTP_page_end].number;
    h->retries = s[HTTP_retries].number;
    h->backoff_ms = s[HTTP_backoff].number;
    h->fallback_check_ms = s[HTTP_fallback_check].number;
    h->jitter = rng_make((uint64_t)clock_mono_ns());
    h->rules = (struct transfer_rules){
        .timeout_ms = s[HTTP_timeout].number,
        .connect_timeout_ms = s[HTTP_connect_timeout].number,
        .max_body = s[HTTP_max_body].number,
        .redirects_max = (int)s[HTTP_redirects].number,
        .allow_private = s[HTTP_allow_private].number != 0,
        .ca_file = s[HTTP_ca_file].given ? arena_text(h->texts, s[HTTP_ca_file].text) : NULL,
        .proxy = s[HTTP_proxy].given ? arena_text(h->texts, s[HTTP_proxy].text) : NULL,
        .header_lines = h->header_lines,
    };
    if (s[HTTP_page_param].given) h->page_param = arena_text(h->texts, s[HTTP_page_param].text);
    err_t e = check_address(h, address, d);
    if (!e) e = set_query(h, s, d);
    if (!e) e = set_headers(h, s, d);
    if (!e) e = set_rate(h, s, d);
    if (!e) e = check_items_path(h, s, d);
    if (!e) e = set_fallback(h, s, d);
    return e ? e : transfer_new(&h->rules, &h->transfer, d);
}

static err_t http_open(struct slice address, const struct connect_setting *settings,
                       struct source_port *out, struct diag *d)
{
    struct diag unheard = {0};
    if (!d) d = &unheard;
    struct http_source *h = (struct http_source *)mem_take(sizeof(*h));
    if (!h) return diag_fail(d, ERR_NO_MEMORY, "no memory for an HTTP source");
    h->texts = arena_new(KIB(256));
    h->json = json_decoder_new();
    h->items = vec_make(sizeof(struct source_item), ITEMS_MAX);
    h->rejects = vec_make(sizeof(struct source_reject), ITEMS_MAX);
    err_t e = h->texts && h->json ? http_set(h, address, settings, d)
                                  : diag_fail(d, ERR_NO_MEMORY, "no memory for an HTTP source");
    if (e) {
        http_close(h);
        return e;
    }
    *out = (struct source_port){h, http_fetch, http_close};
    return ERR_OK;
}

const struct connect_kind connect_http = {
    "http",
    "An HTTP API that answers with JSON, fetched again and again: timeouts, retries, rate "
    "limit, pages, limits on size and depth, no private addresses unless allowed, TLS "
    "verified.",
    options, COUNT_OF(options), http_open};
