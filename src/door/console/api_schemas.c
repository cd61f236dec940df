/* What topics' records look like now, found by looking at the last ones: there is no registry of
 * schemas yet, and these pages say so. */
#include "data/shape.h"
#include "door/console/record_js.h"
#include "door/console/topics_kit.h"

enum { SAMPLE_USUAL = 500, SAMPLE_MOST = 5000, LIST_SAMPLE = 50, LIST_TOPICS = 200 };

struct sampling {
    struct shape shape;
    struct json_decoder *json;
    uint64_t records, kinds[BYTES_KINDS], keys[BYTES_KINDS], registry;
    int64_t first_ms, last_ms;
};

static err_t on_record(void *ctx, const struct browse_record *r)
{
    struct sampling *s = ctx;
    const struct record *m = &r->record;
    enum bytes_kind kind = bytes_kind_of(s->json, m->value, m->value_null);
    s->first_ms = s->records ? MIN(s->first_ms, m->timestamp) : m->timestamp;
    s->last_ms = s->records ? MAX(s->last_ms, m->timestamp) : m->timestamp;
    s->records++;
    s->kinds[kind]++;
    s->keys[bytes_kind_of(s->json, m->key, m->key_null)]++;
    s->registry += kind == BYTES_BINARY && m->value.len > 5 && m->value.at[0] == 0;
    return kind == BYTES_JSON ? shape_add(&s->shape, s->json, m->value) : ERR_OK;
}

static err_t sample(struct log_topic *t, uint32_t max, bool examples, struct arena *a,
                    struct sampling *s, struct diag *d)
{
    *s = (struct sampling){.json = json_decoder_new()};
    err_t e = s->json ? shape_init(&s->shape, a) : ERR_NO_MEMORY;
    if (e) return diag_fail(d, e, "no memory for a sample");
    s->shape.examples = examples;
    return browse_last(t, max, on_record, s, d);
}

static void sample_done(struct sampling *s)
{
    shape_done(&s->shape);
    json_decoder_free(s->json);
}

static void put_kinds(struct buf *o, const char *name, const uint64_t *counts,
                      const char *const *names, int n)
{
    js_put_open(o, name, '{');
    for (int i = 0; i < n; i++)
        if (counts[i]) js_put_uint(o, names[i], counts[i]);
    js_close(o, '}');
}

static void put_sample(struct buf *o, struct log_topic *t, const struct sampling *s)
{
    js_put_text(o, "topic", log_topic_name(t));
    js_put_uint(o, "records", topic_records(t));
    js_put_uint(o, "sampled", s->records);
    js_put_time(o, "from", s->records ? s->first_ms : INT64_MIN);
    js_put_time(o, "to", s->records ? s->last_ms : INT64_MIN);
    put_kinds(o, "values", s->kinds, bytes_kind_names, BYTES_KINDS);
    put_kinds(o, "keys", s->keys, bytes_kind_names, BYTES_KINDS);
    js_put_uint(o, "registry_framed", s->registry);
    js_put_uint(o, "field_count", s->shape.fields.count);
    js_put_bool(o, "cut", s->shape.cut);
}

static void put_field(struct buf *o, const struct sampling *s, const struct shape_field *f)
{
    js_open(o, '{');
    js_put_cstr(o, "path", f->path);
    js_put_bool(o, "leaf", shape_is_leaf(f));
    put_kinds(o, "types", f->kinds, shape_kind_names, SHAPE_KINDS);
    js_put_uint(o, "values", f->values);
    js_put_uint(o, "in_records", f->records);
    js_put_real(o, "presence",
                s->kinds[BYTES_JSON] ? (double)f->records / (double)s->kinds[BYTES_JSON] : 0);
    js_put_open(o, "examples", '[');
    for (uint32_t i = 0; i < f->example_count; i++) js_text(o, f->examples[i]);
    js_close(o, ']');
    js_put_cstr(o, "looks_like",
                2 * f->emails > f->kinds[SHAPE_TEXT]   ? "email"
                : 2 * f->cards > f->kinds[SHAPE_TEXT]  ? "card number"
                : 2 * f->phones > f->kinds[SHAPE_TEXT] ? "phone number"
                                                       : NULL);
    js_close(o, '}');
}

/* What pipeline.sql declares the topic to be, beside what was found. */
static void put_declared(struct buf *o, struct ask *a, struct slice topic)
{
    const struct sql_relation *r =
        catalog_find(ask_world(a)->catalog, (struct slice){0}, (struct slice){0}, topic);
    js_put_open(o, "declared", '[');
    for (uint32_t i = 0; r && r->kind == RELATION_TOPIC && !r->open && i < r->column_count; i++) {
        struct buf type = buf_make(KIB(64));
        type_print(r->columns[i].type, &type);
        js_open(o, '{');
        js_put_text(o, "name", r->columns[i].name);
        js_put_text(o, "type", buf_view(&type));
        js_close(o, '}');
        buf_done(&type);
    }
    js_close(o, ']');
}

err_t console_topic_schema(struct ask *a)
{
    struct sampling s = {0};
    struct log_topic *t;
    int64_t max;
    err_t e = ask_topic(a, &t);
    if (!e) e = ask_int(a, "sample", SAMPLE_USUAL, 1, SAMPLE_MOST, &max);
    if (!e) e = sample(t, (uint32_t)max, true, a->arena, &s, &a->d);
    if (!e) {
        js_open(&a->out, '{');
        put_sample(&a->out, t, &s);
        put_declared(&a->out, a, log_topic_name(t));
        js_put_open(&a->out, "fields", '[');
        for (size_t i = 0; i < s.shape.fields.count; i++)
            put_field(&a->out, &s, vec_at(&s.shape.fields, i));
        js_close(&a->out, ']');
        js_close(&a->out, '}');
    }
    if (s.json) sample_done(&s);
    return e;
}

/* --- the list -----------------------------------------------------------------------------------
 */

struct schemas {
    struct ask *ask;
    uint32_t count;
    err_t err;
};

static err_t on_topic(void *ctx, struct log_topic *t)
{
    struct schemas *l = ctx;
    struct sampling s;
    if (log_topic_is_internal(t)) return ERR_OK;
    bool look = l->count++ < LIST_TOPICS && !ask_stopping(l->ask);
    l->err = sample(t, look ? LIST_SAMPLE : 0, false, l->ask->arena, &s, &l->ask->d);
    if (!l->err) {
        js_open(&l->ask->out, '{');
        put_sample(&l->ask->out, t, &s);
        js_close(&l->ask->out, '}');
    }
    if (s.json) sample_done(&s);
    return l->err;
}

err_t console_schemas(struct ask *a)
{
    struct schemas l = {.ask = a};
    js_open(&a->out, '{');
    js_put_open(&a->out, "registry", '{');
    js_put_bool(&a->out, "there", false);
    js_put_cstr(&a->out, "why",
                "There is no schema registry in this version: what stands here is what the last "
                "records look like, found by looking at them.");
    js_close(&a->out, '}');
    js_put_open(&a->out, "topics", '[');
    err_t e = log_topics(ask_world(a)->log, on_topic, &l);
    js_close(&a->out, ']');
    js_close(&a->out, '}');
    return e;
}
