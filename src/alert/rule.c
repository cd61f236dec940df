/* Rules: read from a document (alerts.yaml, the console), written as one, and those that come
 * ready. */
#include "alert/alert_int.h"

#include "base/unit.h"
#include "data/json.h"

#include <math.h>

const struct measure_info measure_infos[ALERT_MEASURES] = {
#define MEASURE(name, how, unit, about) {#name, unit, about, how},
#include "alert/measures.def"
#undef MEASURE
};
const char *const severity_words[SEVERITIES] = {"info", "warning", "critical"};

static const struct ready {
    const char *name, *hint;
    enum alert_measure measure;
    enum alert_side side;
    double limit;
    int64_t for_ms;
    enum alert_severity severity;
} ready_rules[] = {
#define READY(name, measure, side, limit, for_ms, severity, hint)                                  \
    {name, hint, ALERT_##measure, side, limit, for_ms, severity},
#include "alert/ready.def"
#undef READY
};

void part_free(struct part *p)
{
    if (!p) return;
    mem_give(p->name);
    mem_give(p);
}

void rule_free(struct rule *r)
{
    if (!r) return;
    struct slice name;
    void *part;
    for (size_t i = 0; r->parts && map_next(r->parts, &i, &name, &part);) part_free(part);
    map_free(r->parts);
    mem_give(r->name);
    mem_give(r->of);
    mem_give(r->hint);
    mem_give(r->notify);
    mem_give(r);
}

struct rule *rule_find(struct alert *a, struct slice name)
{
    for (size_t i = 0; i < a->rules.count; i++) {
        struct rule *r = *(struct rule **)vec_at(&a->rules, i);
        if (slice_is(name, r->name)) return r;
    }
    return NULL;
}

struct part *rule_part(struct rule *r, struct slice name)
{
    return r->parts ? map_get(r->parts, name) : NULL;
}

/* --- reading ------------------------------------------------------------------------------------
 */

static err_t place(const struct doc *v, struct diag *d)
{
    return v->line && d && !d->where[0] ? diag_where(d, "alerts.yaml:%u", v->line)
           : d                          ? d->err
                                        : ERR_CONFIG;
}

static bool known_word(struct slice name)
{
    static const char *const WORDS[] = {"name",          "watch",    "of",   "above",  "below",
                                        "for",           "severity", "hint", "notify", "text",
                                        "muted_until_ms"};
    for (size_t i = 0; i < COUNT_OF(WORDS); i++)
        if (slice_is(name, WORDS[i])) return true;
    return false;
}

static bool number_of(const struct doc *v, double *out)
{
    if (v && v->kind == DOC_INT) *out = (double)v->number;
    if (v && v->kind == DOC_FLOAT) *out = v->real;
    return v && (v->kind == DOC_INT || (v->kind == DOC_FLOAT && isfinite(v->real)));
}

static err_t read_limit(const struct doc *v, struct rule *r, struct diag *d)
{
    const struct doc *above = doc_get(v, "above"), *below = doc_get(v, "below");
    r->side = below ? BELOW : ABOVE;
    if (!above == !below) {
        (void)diag_fail(d, ERR_CONFIG, "rule '%s' needs either above or below", r->name);
        return place(v, d);
    }
    if (number_of(above ? above : below, &r->limit)) return ERR_OK;
    (void)diag_fail(d, ERR_CONFIG, "rule '%s': %s is a number", r->name, above ? "above" : "below");
    return place(above ? above : below, d);
}

static err_t read_span(const struct doc *v, struct rule *r, struct diag *d)
{
    const struct doc *span = doc_get(v, "for");
    bool fine = true;
    if (span && span->kind == DOC_INT)
        r->for_ms = span->number;
    else if (span)
        fine = unit_parse_ms(doc_text(span), &r->for_ms);
    if (fine && r->for_ms >= 0) return ERR_OK;
    (void)diag_fail(d, ERR_CONFIG, "rule '%s': for is a time such as 30s, 5m, 2h", r->name);
    return place(span, d);
}

static err_t read_word(const struct doc *v, const char *field, const char *const *words,
                       size_t count, int *out, struct diag *d)
{
    const struct doc *word = doc_get(v, field);
    for (size_t i = 0; word && i < count; i++)
        if (slice_is(doc_text(word), words[i])) {
            *out = (int)i;
            return ERR_OK;
        }
    if (!word) return ERR_NOT_FOUND;
    (void)diag_fail(d, ERR_CONFIG, "%s is not '%.*s'", field, SLICE_ARG(doc_text(word)));
    const char *near = nearest_word(doc_text(word), words, count);
    if (near) (void)diag_hint(d, "did you mean '%s'?", near);
    return place(word, d);
}

static err_t read_measure(const struct doc *v, struct rule *r, struct diag *d)
{
    const char *names[ALERT_MEASURES];
    int which = 0;
    for (size_t i = 0; i < ALERT_MEASURES; i++) names[i] = measure_infos[i].name;
    err_t e = read_word(v, "watch", names, ALERT_MEASURES, &which, d);
    if (e == ERR_NOT_FOUND) {
        (void)diag_fail(d, ERR_CONFIG, "rule '%s' does not say what it watches", r->name);
        (void)diag_hint(d, "watch: lag, dead_rate, silent, sql …: docs/alerts.md");
        return place(v, d);
    }
    r->measure = (enum alert_measure)which;
    bool must =
        r->measure == ALERT_sql || r->measure == ALERT_metric || r->measure == ALERT_metric_rate;
    if (e || !must || r->of[0]) return e;
    (void)diag_fail(d, ERR_CONFIG, "rule '%s' needs `of`: %s", r->name,
                    r->measure == ALERT_sql ? "a query" : "a figure of /metrics");
    return place(v, d);
}

static char *text_or(const struct doc *v, const char *field)
{
    struct slice s = doc_text(doc_get(v, field));
    return s.len <= ALERT_TEXT_MAX ? mem_text(s.at ? s : SLICE("")) : NULL;
}

/* Names one a line: a list, or one text. */
static char *names_of(const struct doc *v)
{
    struct buf out = buf_make(ALERT_TEXT_MAX);
    if (v && v->kind == DOC_TEXT) buf_slice(&out, v->text);
    for (uint32_t i = 0; v && v->kind == DOC_LIST && i < v->count; i++) {
        if (i) buf_char(&out, '\n');
        buf_slice(&out, doc_text(&v->items[i]));
    }
    char *text = out.err ? NULL : mem_text(buf_view(&out));
    buf_done(&out);
    return text;
}

static err_t read_name(const struct doc *v, struct diag *d)
{
    struct slice name = doc_text(doc_get(v, "name"));
    if (v->kind != DOC_MAP) {
        (void)diag_fail(d, ERR_CONFIG, "a rule is a map: name, watch, above …");
        return place(v, d);
    }
    if (!name.len || name.len > ALERT_NAME_MAX) {
        (void)diag_fail(d, ERR_CONFIG, "a rule has a name of 1 to %d bytes", ALERT_NAME_MAX);
        return place(v, d);
    }
    for (uint32_t i = 0; i < v->count; i++)
        if (!known_word(v->entries[i].name)) {
            (void)diag_fail(d, ERR_CONFIG, "a rule has no '%.*s'", SLICE_ARG(v->entries[i].name));
            (void)diag_hint(d, "name, watch, of, above or below, for, severity, notify, hint");
            return place(v, d);
        }
    return ERR_OK;
}

err_t rule_of_doc(const struct doc *v, enum alert_origin origin, struct rule **out, struct diag *d)
{
    err_t e = read_name(v, d);
    if (e) return e;
    struct rule *r = mem_take(sizeof(*r));
    if (!r) return diag_fail(d, ERR_NO_MEMORY, "no memory for a rule");
    const struct doc *muted = doc_get(v, "muted_until_ms");
    int severity = WARNING;
    *r = (struct rule){.origin = origin,
                       .kept = true,
                       .name = text_or(v, "name"),
                       .of = text_or(v, "of"),
                       .hint = text_or(v, "hint"),
                       .notify = names_of(doc_get(v, "notify")),
                       .muted_until_ms = muted && muted->kind == DOC_INT ? muted->number : 0};
    if (!r->name || !r->of || !r->hint || !r->notify)
        e = diag_fail(d, ERR_TOO_BIG, "a rule's texts have at most %d bytes", ALERT_TEXT_MAX);
    if (!e) e = read_measure(v, r, d);
    if (!e) e = read_limit(v, r, d);
    if (!e) e = read_span(v, r, d);
    if (!e) e = read_word(v, "severity", severity_words, SEVERITIES, &severity, d);
    if (e == ERR_NOT_FOUND) e = ERR_OK;
    r->severity = (enum alert_severity)severity;
    if (e)
        rule_free(r);
    else
        *out = r;
    return e;
}

/* --- writing ------------------------------------------------------------------------------------
 */

static void put_field(struct buf *out, const char *name, const char *text)
{
    buf_printf(out, ",\"%s\":", name);
    json_put_text(out, slice_of(text));
}

void rule_put(struct buf *out, const struct rule *r)
{
    buf_text(out, "\"name\":");
    json_put_text(out, slice_of(r->name));
    put_field(out, "watch", measure_infos[r->measure].name);
    put_field(out, "of", r->of);
    buf_printf(out, ",\"%s\":", r->side == ABOVE ? "above" : "below");
    json_put_f64(out, r->limit);
    buf_printf(out, ",\"for\":%lld", (long long)r->for_ms);
    put_field(out, "severity", severity_words[r->severity]);
    put_field(out, "hint", r->hint);
    buf_text(out, ",\"notify\":[");
    for (const char *at = r->notify; *at;) {
        size_t len = strcspn(at, "\n");
        if (at != r->notify) buf_char(out, ',');
        json_put_text(out, slice_make(at, len));
        at += len + (at[len] == '\n');
    }
    buf_printf(out, "],\"muted_until_ms\":%lld", (long long)r->muted_until_ms);
}

/* --- taking -------------------------------------------------------------------------------------
 */

err_t rule_take(struct alert *a, struct rule *r, struct diag *d)
{
    for (size_t i = 0; i < a->rules.count; i++) {
        struct rule **at = vec_at(&a->rules, i), *was = *at;
        if (strcmp(was->name, r->name) != 0) continue;
        bool same = was->measure == r->measure && strcmp(was->of, r->of) == 0;
        if (same) { /* what is known of its parts goes on: also what fires */
            r->parts = was->parts;
            was->parts = NULL;
        } else if (was->parts)
            a->part_count -= map_count(was->parts);
        if (!r->muted_until_ms) r->muted_until_ms = was->muted_until_ms;
        rule_free(was);
        *at = r;
        return ERR_OK;
    }
    if (!vec_push(&a->rules, &r)) return ERR_OK;
    rule_free(r);
    return diag_fail(d, ERR_TOO_BIG, "there are %d rules already", ALERT_RULES_MAX);
}

err_t rules_ready(struct alert *a, struct slice only, struct diag *d)
{
    for (size_t i = 0; i < COUNT_OF(ready_rules); i++) {
        const struct ready *y = &ready_rules[i];
        if (only.at && !slice_is(only, y->name)) continue;
        struct rule *r = mem_take(sizeof(*r));
        if (!r) return diag_fail(d, ERR_NO_MEMORY, "no memory for a rule");
        *r = (struct rule){.origin = FROM_READY,
                           .name = mem_text(slice_of(y->name)),
                           .of = mem_text(SLICE("")),
                           .notify = mem_text(SLICE("")),
                           .hint = mem_text(slice_of(y->hint)),
                           .measure = y->measure,
                           .side = y->side,
                           .limit = y->limit,
                           .for_ms = y->for_ms,
                           .severity = y->severity};
        if (!r->name || !r->of || !r->notify || !r->hint) {
            rule_free(r);
            return diag_fail(d, ERR_NO_MEMORY, "no memory for a rule");
        }
        err_t e = rule_take(a, r, d);
        if (e) return e;
    }
    return ERR_OK;
}
