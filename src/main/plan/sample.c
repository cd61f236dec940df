/* Samples: what a topic's records look like, from its last records, its source's answer, a fixture
 * of the project, or the generator that stands in for the source. */
#include "main/plan/planning.h"

#include "log/browse.h"
#include "main/fixture.h"
#include "os/clock.h"

#include <stdio.h>

static const uint32_t GENERATED_MAX = 5000; /* a page */
enum { ANSWERS_MAX = 5, LIVE_TIMEOUT_MS = 5000 };

/* A copy with room for the decoder behind it; false: the sample is full. */
static bool keep(struct planning *p, struct sample *s, struct slice value)
{
    uint8_t *at =
        s->count < p->sample_max ? arena_take_raw(p->texts, value.len + JSON_PADDING) : NULL;
    if (!at) return false;
    if (value.len) memcpy(at, value.at, value.len);
    memset(at + value.len, 0, JSON_PADDING);
    s->records[s->count++] = slice_make(at, value.len);
    return true;
}

/* --- the topic's last records -------------------------------------------------------------------
 */

struct keeping {
    struct planning *planning;
    struct sample *sample;
};

static err_t keep_record(void *ctx, const struct browse_record *r)
{
    struct keeping *k = ctx;
    if (!r->record.value_null) (void)keep(k->planning, k->sample, r->record.value);
    return ERR_OK;
}

static err_t sample_topic(struct planning *p, struct sample *s, struct diag *d)
{
    struct log_topic *t = p->world->log ? log_topic_find(p->world->log, s->topic) : NULL;
    struct keeping k = {p, s};
    err_t e = t ? browse_last(t, p->sample_max, keep_record, &k, d) : ERR_OK;
    if (s->count) snprintf(s->origin, sizeof(s->origin), "the last %u of the topic", s->count);
    return e;
}

/* --- the source's answer ------------------------------------------------------------------------
 */

static void hurry(const struct connect_kind *kind, struct connect_setting *settings)
{
    for (size_t i = 0; i < kind->option_count; i++) {
        if (strcmp(kind->options[i].name, "retries") == 0) settings[i].number = 0;
        if (strcmp(kind->options[i].name, "timeout") == 0)
            settings[i].number = MIN(settings[i].number, (int64_t)LIVE_TIMEOUT_MS);
    }
}

static err_t take_answers(struct planning *p, struct sample *s, struct source_port *port,
                          struct slice *note, struct diag *d)
{
    struct slice cursor = {0};
    err_t e = ERR_OK;
    for (int i = 0; !e && i < ANSWERS_MAX && s->count < p->sample_max; i++) {
        struct source_ask ask = {
            .cursor = cursor, .now_ms = p->now_ms, .items_max = p->sample_max - s->count};
        struct source_answer got;
        e = port->fetch(port->self, &ask, &got, d);
        if (e) break;
        for (uint32_t k = 0; k < got.item_count; k++)
            if (!keep(p, s, got.items[k].value)) break;
        for (uint32_t k = 0; k < got.reject_count; k++)
            if (!keep(p, s, got.rejects[k].raw)) break;
        cursor = arena_slice(p->texts, got.cursor);
        if (got.note.len) *note = arena_slice(p->texts, got.note);
        if (got.end || got.wait_ms > 0 || !got.item_count) break;
    }
    return e;
}

static err_t sample_source(struct planning *p, struct sample *s, struct diag *d)
{
    const struct statement *st = s->statement;
    const struct connect_kind *kind;
    struct connect_setting *settings;
    struct connect_common common;
    struct source_port port;
    struct slice note = {0};
    err_t e = project_source(p->project, st, &kind, &settings, &common, d);
    if (e) return e;
    hurry(kind, settings);
    e = kind->open(st->source.address, settings, &port, d);
    if (e) return e;
    e = take_answers(p, s, &port, &note, d);
    port.close(port.self);
    if (s->count)
        snprintf(s->origin, sizeof(s->origin), "%u from %.*s %.*s%s%.*s", s->count,
                 SLICE_ARG(st->source.kind), SLICE_ARG(st->source.address), note.len ? ": " : "",
                 SLICE_ARG(note));
    return s->count ? ERR_OK : e;
}

/* The generator in the source's place, where the source says that it may stand there. */
static err_t sample_generator(struct planning *p, struct sample *s, struct diag *d)
{
    const struct sql_options *o = &s->statement->source.options;
    const struct connect_kind *kind = connect_kind_find(SLICE("generator"));
    struct connect_given given[4];
    static const char *const shared[] = {"nat", "gender", "seed"};
    struct connect_setting *settings;
    struct connect_common common;
    struct source_port port;
    struct slice note = {0};
    const char *results = arena_printf(p->texts, "%u", MIN(p->sample_max, GENERATED_MAX));
    size_t count = 0;
    if (results) given[count++] = (struct connect_given){SLICE("results"), slice_of(results), 0, 0};
    for (size_t i = 0; i < COUNT_OF(shared); i++) {
        struct slice value = sql_option(o, shared[i]);
        if (value.at) given[count++] = (struct connect_given){slice_of(shared[i]), value, 0, 0};
    }
    err_t e = connect_settings(kind, given, count, "fallback", p->texts, &settings, &common, d);
    if (!e) e = kind->open((struct slice){0}, settings, &port, d);
    if (e) return e;
    e = take_answers(p, s, &port, &note, d);
    port.close(port.self);
    if (s->count) snprintf(s->origin, sizeof(s->origin), "%u of the built-in generator", s->count);
    return s->count ? ERR_OK : e;
}

/* --- which of them ------------------------------------------------------------------------------
 */

static bool on_fixture(void *ctx, struct slice record)
{
    void **both = ctx;
    return keep(both[0], both[1], record);
}

/* What the fixtures of streams that read this topic hold and expect to live. */
static err_t sample_fixtures(struct planning *p, struct sample *s, struct diag *d)
{
    void *both[] = {p, s};
    err_t e = fixture_records(p->project, s->topic, on_fixture, both, d);
    if (s->count) snprintf(s->origin, sizeof(s->origin), "%u of the fixtures in tests/", s->count);
    return e;
}

static bool generator_may(const struct statement *s)
{
    return s->kind == STATEMENT_CREATE_SOURCE &&
           (slice_equal_nocase(s->source.kind, SLICE("generator")) ||
            slice_is(sql_option(&s->source.options, "fallback"), "generator"));
}

/* Failures to sample are no failures of the plan: the last one is told. */
static void sample_one(struct planning *p, struct sample *s)
{
    struct diag d = {.err = ERR_OK};
    bool source = s->statement->kind == STATEMENT_CREATE_SOURCE;
    err_t e = sample_topic(p, s, &d);
    if (!s->count && source && !p->offline) e = sample_source(p, s, &d);
    struct diag first = d;
    if (!s->count && generator_may(s->statement)) e = sample_generator(p, s, &d);
    if (!s->count) e = sample_fixtures(p, s, &d);
    if (!s->count) {
        struct finding *f = finding_add(p, FINDING_not_sampled, s->statement, (struct slice){0});
        finding_say(p, f, "no record of topic %.*s could be looked at%s%s", SLICE_ARG(s->topic),
                    e || first.err ? ": " : "",
                    first.err ? first.what
                    : e       ? d.what
                              : "");
        finding_fix(p, f,
                    "a fixture in tests/ with some of its records lets this check fields and "
                    "values too");
    }
}

err_t planning_sample(struct planning *p, struct diag *d)
{
    for (uint32_t i = 0; i < p->project->script.count; i++) {
        const struct statement *st = &p->project->script.statements[i];
        if (st->kind != STATEMENT_CREATE_SOURCE && st->kind != STATEMENT_CREATE_TOPIC) continue;
        struct slice topic = st->kind == STATEMENT_CREATE_SOURCE ? st->source.topic : st->name.name;
        if (planning_sample_of(p, topic)) continue;
        struct sample *s = vec_add(&p->samples);
        if (!s) return diag_fail(d, ERR_TOO_BIG, "there are too many topics to sample");
        *s = (struct sample){.topic = topic, .statement = st};
        s->records = arena_take(p->texts, p->sample_max * sizeof(*s->records));
        err_t e = s->records ? shape_init(&s->shape, p->texts) : ERR_NO_MEMORY;
        if (!e) sample_one(p, s);
        for (uint32_t k = 0; !e && k < s->count; k++)
            e = shape_add(&s->shape, p->json, s->records[k]);
        if (e) return diag_fail(d, e, "no memory for a sample of %.*s", SLICE_ARG(topic));
    }
    return ERR_OK;
}

void planning_samples_done(struct planning *p)
{
    for (size_t i = 0; i < p->samples.count; i++)
        shape_done(&((struct sample *)vec_at(&p->samples, i))->shape);
    vec_done(&p->samples);
}

const struct sample *planning_sample_of(const struct planning *p, struct slice topic)
{
    for (size_t i = 0; i < p->samples.count; i++) {
        const struct sample *s = vec_at(&p->samples, i);
        if (slice_equal(s->topic, topic)) return s;
    }
    return NULL;
}

/* --- telling ------------------------------------------------------------------------------------
 */

static double share(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

static void print_field(const struct shape_field *f, const struct shape *s, struct buf *out)
{
    const char *between = "";
    buf_printf(out, "          %-36s ", f->path);
    for (int k = SHAPE_TEXT; k < SHAPE_KINDS; k++) {
        if (!f->kinds[k]) continue;
        buf_printf(out, "%s%s", between, shape_kind_names[k]);
        if (f->kinds[k] + f->kinds[SHAPE_NULL] < f->values)
            buf_printf(out, " %.0f%%", share(f->kinds[k], f->values));
        between = ", ";
    }
    if (f->kinds[SHAPE_NULL])
        buf_printf(out, "%snull %.0f%%", between, share(f->kinds[SHAPE_NULL], f->values));
    if (f->records < s->records)
        buf_printf(out, ", in %.0f%% of the records", share(f->records, s->records));
    buf_char(out, '\n');
}

void samples_print(const struct planning *p, struct buf *out)
{
    for (size_t i = 0; i < p->samples.count; i++) {
        const struct sample *s = vec_at(&p->samples, i);
        if (!s->count) continue;
        buf_printf(out, "sample  %.*s  %s\n", SLICE_ARG(s->topic), s->origin);
        for (size_t k = 0; k < s->shape.fields.count; k++) {
            const struct shape_field *f = vec_at(&s->shape.fields, k);
            if (shape_is_leaf(f)) print_field(f, &s->shape, out);
        }
        if (s->shape.cut)
            buf_printf(out, "          (more fields than the %d that are told)\n",
                       SHAPE_FIELDS_MAX);
    }
}

static void json_field(const struct shape_field *f, struct buf *out)
{
    const char *between = "";
    buf_text(out, "{\"path\":");
    json_put_text(out, slice_of(f->path));
    buf_printf(out, ",\"records\":%llu,\"types\":{", (unsigned long long)f->records);
    for (int k = 0; k < SHAPE_KINDS; k++) {
        if (!f->kinds[k]) continue;
        buf_printf(out, "%s\"%s\":%llu", between, shape_kind_names[k],
                   (unsigned long long)f->kinds[k]);
        between = ",";
    }
    buf_text(out, "}}");
}

void samples_json(const struct planning *p, struct buf *out)
{
    buf_char(out, '[');
    for (size_t i = 0; i < p->samples.count; i++) {
        const struct sample *s = vec_at(&p->samples, i);
        buf_printf(out, "%s{\"topic\":", i ? "," : "");
        json_put_text(out, s->topic);
        buf_text(out, ",\"origin\":");
        json_put_text(out, slice_of(s->origin));
        buf_printf(out, ",\"records\":%u,\"no_json\":%llu,\"fields\":[", s->count,
                   (unsigned long long)s->shape.broken);
        for (size_t k = 0; k < s->shape.fields.count; k++) {
            if (k) buf_char(out, ',');
            json_field(vec_at(&s->shape.fields, k), out);
        }
        buf_printf(out, "],\"cut\":%s}", s->shape.cut ? "true" : "false");
    }
    buf_char(out, ']');
}
