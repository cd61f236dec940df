/* A topic's messages: a page of them, one whole, all of them as a file, one more of one's own. */
#include "base/hash.h"
#include "data/csv.h"
#include "data/record_json.h"
#include "door/console/record_js.h"
#include "door/console/topics_kit.h"
#include "door/console/wanted.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    PAGE_MAX = 1000,
    PAGE_USUAL = 100,
    PAGE_BYTES = 8 << 20,  /* of its answer */
    PAGE_READ = 512 << 20, /* of the log, for one page */
    SHOWN_USUAL = 400,     /* bytes of a value, in a list */
    SHOWN_MAX = 8 << 20,   /* … and of one record alone */
    FILE_MAX = 10000000,   /* records of a download */
    FILE_CHUNK = 64 << 10,
    PRODUCED_MAX = 8 << 20, /* a record of one's own */
    HEADERS_MAX = 1000
};
static const int64_t PAGE_NS = 1500000000; /* a page of a search takes at most so long: who leaves
                                            * stops it by asking for no other */

/* --- where to begin -----------------------------------------------------------------------------
 */

/* "1782000000000", or RFC 3339. */
static err_t time_read(struct slice text, int64_t *ms, struct diag *d)
{
    struct value v;
    struct diag why;
    struct arena *a = arena_new(KIB(64));
    err_t e = a ? ERR_OK : ERR_NO_MEMORY;
    if (slice_to_i64(text, ms)) {
        arena_free(a);
        return ERR_OK;
    }
    if (!e) e = value_from_text(type_of(TYPE_TIMESTAMP), text, a, &v, &why);
    if (!e) *ms = v.integer;
    arena_free(a);
    if (!e) return ERR_OK;
    (void)diag_fail(d, ERR_USAGE, "'%.*s' is no time", SLICE_ARG(text));
    return diag_hint(d, "milliseconds, or 2026-11-22T08:00:00Z");
}

struct beginning {
    bool backward, by_offset, by_time;
    int64_t offset, time_ms;
};

static err_t begin_at(struct log_partition *p, const struct beginning *b, int64_t *out,
                      struct diag *d)
{
    int64_t found, time;
    *out = b->backward ? INT64_MAX : 0;
    if (b->by_offset) *out = b->offset + (b->backward && b->offset < INT64_MAX);
    if (!b->by_time) return ERR_OK;
    err_t e =
        log_record_at(p, b->time_ms + (b->backward && b->time_ms < INT64_MAX), &found, &time, d);
    if (!e) *out = found < 0 ? INT64_MAX : found;
    return e;
}

/* Where each partition that is asked for begins. */
static err_t starts_of(struct ask *a, struct log_topic *t, const struct beginning *b,
                       struct scan_found *f)
{
    struct slice after = ask_text(a, "after");
    f->places = arena_take(a->arena, SCAN_PLACES_MAX * sizeof(*f->places));
    if (!f->places) return diag_fail(&a->d, ERR_NO_MEMORY, "no memory for places");
    if (after.at) {
        err_t e = scan_places_read(after, f->places, &f->count, &a->d);
        for (uint32_t i = 0; !e && i < f->count; i++)
            if (!log_partition(t, f->places[i].partition))
                e = diag_fail(&a->d, ERR_UNKNOWN_TOPIC, "there is no partition %d",
                              f->places[i].partition);
        return e;
    }
    err_t e = wanted_partitions(t, ask_text(a, "partition"), f->places, &f->count, &a->d);
    for (uint32_t i = 0; !e && i < f->count; i++)
        e = begin_at(log_partition(t, f->places[i].partition), b, &f->places[i].offset, &a->d);
    return e;
}

static err_t direction_of(struct ask *a, struct beginning *b, bool backward)
{
    struct slice way = ask_text(a, "direction"), time = ask_text(a, "time");
    *b = (struct beginning){.backward = backward};
    if (way.len && !slice_is(way, "forward") && !slice_is(way, "backward"))
        return diag_fail(&a->d, ERR_USAGE, "direction is forward or backward, not '%.*s'",
                         SLICE_ARG(way));
    if (way.len) b->backward = slice_is(way, "backward");
    b->by_offset = ask_text(a, "offset").at != NULL;
    b->by_time = !b->by_offset && time.at;
    err_t e = ask_int(a, "offset", 0, 0, INT64_MAX, &b->offset);
    if (!e && b->by_time) e = time_read(time, &b->time_ms, &a->d);
    return e;
}

static err_t condition_of(struct ask *a, struct log_topic *t, struct scan_ask *q)
{
    q->topic = t;
    q->text = ask_text(a, "q");
    q->committed = ask_bool(a, "committed", false);
    q->now_ms = ask_now_ms(a);
    return wanted_condition(ask_world(a)->catalog, t, ask_text(a, "where"), &q->where, &a->d);
}

/* --- a page -------------------------------------------------------------------------------------
 */

struct page {
    struct ask *ask;
    struct record_js js;
};

static err_t tell_page(void *ctx, const struct browse_record *r)
{
    struct page *p = ctx;
    if (p->ask->out.len > PAGE_BYTES) return ERR_TOO_BIG;
    record_js_put(&p->js, &p->ask->out, r);
    return p->ask->out.err;
}

static bool page_stopping(void *ctx)
{
    return ask_stopping(((struct page *)ctx)->ask);
}

static void put_found(struct ask *a, const struct scan_found *f)
{
    struct buf *o = &a->out;
    char next[SCAN_PLACES_MAX * 32];
    struct buf b = buf_over(next, sizeof(next));
    scan_places_put(&b, f->places, f->count);
    js_put_text(o, "next", f->left ? buf_view(&b) : (struct slice){0});
    js_put_text(o, "places", buf_view(&b));
    js_put_cstr(o, "end", scan_end_name(f->end));
    js_put_uint(o, "scanned", f->scanned);
    js_put_uint(o, "scanned_bytes", f->bytes);
    js_put_uint(o, "left", f->left);
    js_put_uint(o, "unsure", f->unsure);
    js_put_cstr(o, "unsure_why", f->why[0] ? f->why : NULL);
}

err_t console_messages(struct ask *a)
{
    struct page p = {.ask = a};
    struct scan_ask q = {.bytes_max = PAGE_READ,
                         .budget_ns = PAGE_NS,
                         .stopping = page_stopping,
                         .tell = tell_page,
                         .ctx = &p};
    struct scan_found f = {0};
    struct beginning b;
    struct log_topic *t;
    int64_t limit, shown;
    err_t e = ask_topic(a, &t);
    if (!e) e = ask_int(a, "limit", PAGE_USUAL, 1, PAGE_MAX, &limit);
    if (!e) e = ask_int(a, "value_max", SHOWN_USUAL, 0, SHOWN_MAX, &shown);
    if (!e) e = direction_of(a, &b, true);
    if (!e) e = starts_of(a, t, &b, &f);
    if (!e) e = condition_of(a, t, &q);
    if (!e) e = record_js_init(&p.js, (uint32_t)shown, &a->d);
    if (!e) {
        q.backward = b.backward;
        q.limit = (uint64_t)limit;
        js_open(&a->out, '{');
        js_put_text(&a->out, "topic", log_topic_name(t));
        js_put_cstr(&a->out, "direction", b.backward ? "backward" : "forward");
        js_put_open(&a->out, "records", '[');
        e = scan_run(&q, &f, &a->d);
        js_close(&a->out, ']');
    }
    if (!e) {
        put_found(a, &f);
        js_close(&a->out, '}');
    }
    record_js_done(&p.js);
    record_where_free(q.where);
    return e;
}

/* --- one ----------------------------------------------------------------------------------------
 */

err_t console_message(struct ask *a)
{
    struct log_topic *t;
    struct browse *b = NULL;
    struct browse_record r;
    struct record_js js = {0};
    int64_t partition = -1, offset = -1;
    err_t e = ask_topic(a, &t);
    if (!e && (!slice_to_i64(ask_part(a, "partition"), &partition) || partition < 0 ||
               partition >= log_topic_partitions(t)))
        e = diag_fail(&a->d, ERR_UNKNOWN_TOPIC, "there is no partition '%.*s'",
                      SLICE_ARG(ask_part(a, "partition")));
    if (!e && (!slice_to_i64(ask_part(a, "offset"), &offset) || offset < 0))
        e = diag_fail(&a->d, ERR_USAGE, "'%.*s' is no offset", SLICE_ARG(ask_part(a, "offset")));
    struct browse_start at = {(int32_t)partition, offset};
    if (!e) e = browse_open(t, &at, 1, false, &b, &a->d);
    if (!e) e = browse_next(b, &r, &a->d);
    bool other = !e && (r.record.offset > offset || r.last_offset < offset);
    if (e == ERR_NOT_FOUND || other) {
        e = diag_fail(&a->d, ERR_NOT_FOUND,
                      "partition %" PRId64 " has no record at offset %" PRId64, partition, offset);
        (void)diag_why(&a->d, "retention or compaction has removed it, or it has not come yet");
    }
    if (!e) e = record_js_init(&js, SHOWN_MAX, &a->d);
    if (!e) record_js_put(&js, &a->out, &r);
    record_js_done(&js);
    browse_close(b);
    return e;
}

/* --- a file of them -----------------------------------------------------------------------------
 */

struct filing {
    struct ask *ask;
    struct slice topic;
    bool csv;
};

static void csv_bytes(struct buf *out, struct slice s, bool null, bool last)
{
    static const struct csv_options options;
    uint32_t bad;
    if (!null && utf8_valid(s, &bad)) {
        csv_put_field(out, s.at ? s : SLICE(""), &options);
    } else if (!null) {
        buf_text(out, "base64:");
        put_base64(out, s);
    }
    buf_text(out, last ? "\r\n" : ",");
}

static void put_csv(struct filing *f, const struct browse_record *r)
{
    struct buf *out = &f->ask->out;
    char time[40];
    struct buf t = buf_over(time, sizeof(time)), headers = buf_make(MIB(16));
    struct cursor c = cursor_of(r->record.headers);
    struct record_header h;
    js_time(&t, r->record.timestamp);
    buf_printf(out, "%d,%lld,%.*s,%s,", r->partition, (long long)r->record.offset,
               (int)(t.len > 2 ? t.len - 2 : 0), time + 1, browse_kind_name(r->kind));
    csv_bytes(out, r->record.key, r->record.key_null, false);
    csv_bytes(out, r->record.value, r->record.value_null, false);
    buf_char(&headers, '[');
    for (int32_t i = 0; i < r->record.header_count && record_header_next(&c, &h) == ERR_OK; i++) {
        buf_text(&headers, i ? ",{\"key\":" : "{\"key\":");
        record_put_json_bytes(&headers, h.key, false);
        buf_text(&headers, ",\"value\":");
        record_put_json_bytes(&headers, h.value, h.value_null);
        buf_char(&headers, '}');
    }
    buf_char(&headers, ']');
    csv_bytes(out, buf_view(&headers), false, true);
    buf_done(&headers);
}

static err_t tell_file(void *ctx, const struct browse_record *r)
{
    struct filing *f = ctx;
    if (f->csv)
        put_csv(f, r);
    else
        record_put_json(&f->ask->out, f->topic, r->partition, &r->record);
    if (f->ask->out.len < FILE_CHUNK) return f->ask->out.err;
    return ask_send(f->ask);
}

static bool file_stopping(void *ctx)
{
    return ask_stopping(((struct filing *)ctx)->ask);
}

static err_t download(struct ask *a, bool csv)
{
    struct filing w = {.ask = a, .csv = csv};
    struct scan_ask q = {.tell = tell_file, .ctx = &w, .stopping = file_stopping};
    struct scan_found f = {0};
    struct beginning b;
    struct log_topic *t;
    int64_t limit;
    char name[300];
    err_t e = ask_topic(a, &t);
    if (!e) e = ask_int(a, "limit", FILE_MAX, 1, FILE_MAX, &limit);
    if (!e) e = direction_of(a, &b, false);
    if (!e) e = starts_of(a, t, &b, &f);
    if (!e) e = condition_of(a, t, &q);
    if (!e) {
        w.topic = log_topic_name(t);
        q.backward = b.backward;
        q.limit = (uint64_t)limit;
        q.committed = ask_bool(a, "committed", true); /* as a consumer would have them */
        snprintf(name, sizeof(name), "%.*s.%s", SLICE_ARG(w.topic), csv ? "csv" : "jsonl");
        ask_attach(a, name);
        if (csv) buf_text(&a->out, "partition,offset,time,kind,key,value,headers\r\n");
        e = ask_send(a); /* the answer begins: who leaves now is noticed */
    }
    if (!e) e = scan_run(&q, &f, &a->d);
    record_where_free(q.where);
    return !e && f.end == SCAN_STOPPED ? ERR_STOPPED : e;
}

err_t console_messages_jsonl(struct ask *a)
{
    return download(a, false);
}

err_t console_messages_csv(struct ask *a)
{
    return download(a, true);
}

/* --- one of one's own ---------------------------------------------------------------------------
 */

/* A text field in what *_encoding says: text, base64 or hex; null stays null. */
static err_t bytes_read(struct ask *a, const struct doc *of, const char *name, const char *encoding,
                        struct slice *out)
{
    const struct doc *v = doc_get(of, name);
    struct slice how = doc_text(doc_get(of, encoding));
    struct buf b = buf_make(PRODUCED_MAX);
    err_t e = ERR_OK;
    *out = (struct slice){0};
    if (!v || v->kind == DOC_NULL) return ERR_OK;
    struct slice text = doc_text(v);
    if (!how.len || slice_is(how, "text")) {
        *out = text.at ? text : SLICE("");
    } else if (slice_is(how, "base64")) {
        e = parse_base64(text, &b);
    } else if (slice_is(how, "hex")) {
        uint8_t *at = text.len % 2 ? NULL : buf_grow(&b, text.len / 2);
        e = text.len == 0 || (at && parse_hex(text, at, text.len / 2)) ? ERR_OK : ERR_MALFORMED;
    } else {
        e = ERR_USAGE;
    }
    if (!e && !out->at) *out = arena_slice(a->arena, b.len ? buf_view(&b) : SLICE(""));
    buf_done(&b);
    if (!e && out->at) return ERR_OK;
    (void)diag_fail(&a->d, e ? e : ERR_NO_MEMORY, "%s is not %.*s", name,
                    how.len ? (int)how.len : 4, how.len ? (const char *)how.at : "text");
    (void)diag_where(&a->d, "%s", name);
    return diag_hint(&a->d, "%s is text, base64 or hex", encoding);
}

static err_t headers_read(struct ask *a, struct record_header **out, int32_t *count)
{
    const struct doc *list = ask_body(a, "headers");
    uint32_t n = list ? list->count : 0;
    *count = 0;
    *out = arena_take(a->arena, (n + 1) * sizeof(**out));
    if (!*out || n > HEADERS_MAX) return diag_fail(&a->d, ERR_TOO_BIG, "%u headers", n);
    for (uint32_t i = 0; i < n; i++) {
        struct record_header *h = &(*out)[(*count)++];
        h->key = doc_text(doc_get(&list->items[i], "name"));
        if (!h->key.at) h->key = SLICE("");
        err_t e = bytes_read(a, &list->items[i], "value", "value_encoding", &h->value);
        if (e) return e;
        h->value_null = !h->value.at;
    }
    return ERR_OK;
}

static err_t partition_read(struct ask *a, struct log_topic *t, struct slice key, int64_t now_ms,
                            struct log_partition **out)
{
    int32_t count = log_topic_partitions(t);
    int64_t n = ask_body_int(a, "partition", -1);
    if (n < 0 && !ask_body(a, "partition"))
        n = key.at ? kafka_partition_of(key, count) : now_ms % count;
    *out = n >= 0 && n < count ? log_partition(t, (int32_t)n) : NULL;
    if (*out) return ERR_OK;
    (void)diag_fail(&a->d, ERR_UNKNOWN_TOPIC, "there is no partition %" PRId64 ", only 0 to %d", n,
                    count - 1);
    return diag_where(&a->d, "partition");
}

static err_t append(struct ask *a, struct log_partition *p, int64_t time_ms, struct slice key,
                    struct slice value, int64_t *offset)
{
    struct record_builder b = record_builder_make(2 * PRODUCED_MAX);
    struct record_batch_options o = {
        .codec = CODEC_NONE, .producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct buf batch = buf_make(4 * PRODUCED_MAX);
    struct record_header *headers;
    int32_t count;
    err_t e = headers_read(a, &headers, &count);
    if (!e) {
        record_builder_add(&b, time_ms, key, value, headers, count);
        e = record_builder_finish(&b, &o, &batch);
        if (e) e = diag_fail(&a->d, e, "the record can not be made");
    }
    if (!e)
        e = log_append_wait(ask_world(a)->log, p, batch.at, batch.len, ask_now_ms(a), offset,
                            &a->d);
    record_builder_done(&b);
    buf_done(&batch);
    return e;
}

err_t console_message_add(struct ask *a)
{
    struct log_topic *t;
    struct log_partition *p = NULL;
    struct slice key, value, time = ask_body_text(a, "time");
    int64_t now_ms = ask_now_ms(a), time_ms = now_ms, offset = -1;
    err_t e = ask_topic(a, &t);
    if (!e && log_topic_is_internal(t))
        e = diag_fail(&a->d, ERR_POLICY, "nobody writes into the coordinators' own topics");
    if (!e) e = bytes_read(a, &a->body, "key", "key_encoding", &key);
    if (!e) e = bytes_read(a, &a->body, "value", "value_encoding", &value);
    if (!e && time.len) e = time_read(time, &time_ms, &a->d);
    if (!e) e = partition_read(a, t, key, now_ms, &p);
    if (!e) e = append(a, p, time_ms, key, value, &offset);
    if (e) return e;
    js_open(&a->out, '{');
    js_put_text(&a->out, "topic", log_topic_name(t));
    js_put_int(&a->out, "partition", log_partition_index(p));
    js_put_int(&a->out, "offset", offset);
    js_close(&a->out, '}');
    return ERR_OK;
}
