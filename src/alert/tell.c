/* Telling receivers: a message is tried TRIES times with growing pauses; what fails for good is an
 * event. The body of a webhook is Alertmanager's, which most receivers of alerts understand. */
#include "alert/alert_int.h"

#include "base/say.h"
#include "base/unit.h"
#include "data/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

enum { TRIES = 4, MESSAGE_MAX = 64 << 10, HTTP_TIMEOUT_US = 10000000 };

void telling_free(struct telling *t)
{
    if (!t) return;
    mem_give(t->receiver);
    mem_give(t->rule);
    mem_give(t->part);
    mem_give(t->hint);
    mem_give(t);
}

static struct telling *telling_new(struct slice receiver, struct slice rule, struct slice part,
                                   struct slice hint)
{
    struct telling *t = mem_take(sizeof(*t));
    if (!t) return NULL;
    t->receiver = mem_text(receiver);
    t->rule = mem_text(rule);
    t->part = mem_text(part);
    t->hint = mem_text(hint);
    if (t->receiver && t->rule && t->part && t->hint) return t;
    telling_free(t);
    return NULL;
}

/* --- in alerts.json
 * -------------------------------------------------------------------------------
 */

void telling_put(struct buf *out, const struct telling *t)
{
    buf_text(out, "{\"receiver\":");
    json_put_text(out, slice_of(t->receiver));
    buf_text(out, ",\"rule\":");
    json_put_text(out, slice_of(t->rule));
    buf_text(out, ",\"part\":");
    json_put_text(out, slice_of(t->part));
    buf_text(out, ",\"hint\":");
    json_put_text(out, slice_of(t->hint));
    buf_printf(out, ",\"severity\":%d,\"firing\":%s,\"side\":%d,\"measure\":\"%s\"", t->severity,
               t->firing ? "true" : "false", t->side, measure_infos[t->measure].name);
    buf_text(out, ",\"value\":");
    json_put_f64(out, t->value);
    buf_text(out, ",\"limit\":");
    json_put_f64(out, t->limit);
    buf_printf(out, ",\"since_ms\":%" PRId64 ",\"ended_ms\":%" PRId64 "}", t->since_ms,
               t->ended_ms);
}

static double real_in(const struct doc *v, const char *name)
{
    const struct doc *n = doc_get(v, name);
    if (n && n->kind == DOC_INT) return (double)n->number;
    return n && n->kind == DOC_FLOAT ? n->real : 0;
}

err_t telling_of_doc(const struct doc *v, struct telling **out)
{
    struct slice measure = doc_text(doc_get(v, "measure"));
    const struct doc *firing = doc_get(v, "firing");
    struct telling *t = telling_new(doc_text(doc_get(v, "receiver")), doc_text(doc_get(v, "rule")),
                                    doc_text(doc_get(v, "part")), doc_text(doc_get(v, "hint")));
    if (!t) return ERR_NO_MEMORY;
    for (int i = 0; i < ALERT_MEASURES; i++)
        if (slice_is(measure, measure_infos[i].name)) t->measure = (enum alert_measure)i;
    t->severity = (enum alert_severity)MIN(MAX(real_in(v, "severity"), 0), CRITICAL);
    t->side = real_in(v, "side") > 0 ? BELOW : ABOVE;
    t->firing = firing && firing->kind == DOC_BOOL && firing->yes;
    t->value = real_in(v, "value");
    t->limit = real_in(v, "limit");
    t->since_ms = (int64_t)real_in(v, "since_ms");
    t->ended_ms = (int64_t)real_in(v, "ended_ms");
    *out = t;
    return ERR_OK;
}

/* --- who is told
 * ----------------------------------------------------------------------------------
 */

static bool is_named(const char *names, const char *name)
{
    size_t len = strlen(name);
    for (const char *at = names; *at;) {
        size_t n = strcspn(at, "\n");
        if (n == len && memcmp(at, name, n) == 0) return true;
        at += n + (at[n] == '\n');
    }
    return !*names;
}

void tell_all(struct alert *a, const struct rule *r, const struct part *p, bool firing,
              int64_t since_ms)
{
    int64_t now = a->o.port.now_ms(a->o.port.ctx);
    if (r->muted_until_ms > now) return;
    for (size_t i = 0; i < a->receivers.count; i++) {
        const struct receiver *to = *(struct receiver **)vec_at(&a->receivers, i);
        if (!is_named(r->notify, to->name)) continue;
        struct telling *t = telling_new(slice_of(to->name), slice_of(r->name), slice_of(p->name),
                                        slice_of(r->hint));
        if (t) {
            t->severity = r->severity;
            t->origin = r->origin;
            t->firing = firing;
            t->value = p->value;
            t->limit = r->limit;
            t->side = r->side;
            t->measure = r->measure;
            t->since_ms = since_ms;
            t->ended_ms = firing ? 0 : now;
            t->due_ms = now;
        }
        if (t && !vec_push(&a->tellings, &t)) continue;
        telling_free(t);
        past_add(a, "not told", r->name, p->name, p->value, "too many messages wait already");
    }
    gate_wake(&a->gate);
}

/* --- the message
 * ----------------------------------------------------------------------------------
 */

static void put_number(struct buf *out, double v)
{
    if (v >= -1e15 && v <= 1e15 && v == (double)(int64_t)v)
        buf_printf(out, "%" PRId64, (int64_t)v);
    else
        buf_printf(out, "%.6g", v);
}

/* "a stream is behind: load: 120000 records, above 100000" */
static void put_summary(struct buf *out, const struct telling *t)
{
    const char *unit = measure_infos[t->measure].unit;
    buf_printf(out, "%s%s", t->firing ? "" : "ended: ", t->rule);
    if (t->part[0]) buf_printf(out, ": %s", t->part);
    buf_text(out, ": ");
    put_number(out, t->value);
    if (*unit) buf_printf(out, " %s", unit);
    if (!t->firing) return;
    buf_printf(out, ", %s ", t->side == ABOVE ? "above" : "below");
    put_number(out, t->limit);
}

static void put_when(struct buf *out, int64_t ms)
{
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    char text[40] = "";
    if (gmtime_r(&s, &tm)) strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    buf_printf(out, "\"%s\"", ms > 0 ? text : "0001-01-01T00:00:00Z");
}

static void put_labels(struct buf *out, const struct telling *t)
{
    buf_text(out, "{\"alertname\":");
    json_put_text(out, slice_of(t->rule));
    buf_printf(out, ",\"severity\":\"%s\",\"part\":", severity_words[t->severity]);
    json_put_text(out, slice_of(t->part));
    buf_char(out, '}');
}

static void put_webhook(struct alert *a, struct buf *out, const struct telling *t,
                        struct slice summary)
{
    const char *status = t->firing ? "firing" : "resolved";
    buf_printf(out, "{\"version\":\"4\",\"status\":\"%s\",\"receiver\":", status);
    json_put_text(out, slice_of(t->receiver));
    buf_text(out, ",\"groupKey\":");
    json_put_text(out, slice_of(t->rule));
    buf_text(out, ",\"truncatedAlerts\":0,\"groupLabels\":{},\"commonLabels\":");
    put_labels(out, t);
    buf_text(out, ",\"commonAnnotations\":{},\"externalURL\":");
    json_put_text(out, slice_of(a->console));
    buf_printf(out, ",\"alerts\":[{\"status\":\"%s\",\"labels\":", status);
    put_labels(out, t);
    buf_text(out, ",\"annotations\":{\"summary\":");
    json_put_text(out, summary);
    buf_text(out, ",\"description\":");
    json_put_text(out, slice_of(t->hint));
    buf_text(out, "},\"startsAt\":");
    put_when(out, t->since_ms);
    buf_text(out, ",\"endsAt\":");
    put_when(out, t->ended_ms);
    buf_text(out, ",\"value\":");
    json_put_f64(out, t->value);
    buf_text(out, ",\"generatorURL\":");
    json_put_text(out, slice_of(a->console));
    buf_text(out, "}]}");
}

/* Slack reads <, > and & as its own. */
static void put_slack_text(struct buf *out, struct slice text)
{
    for (uint32_t i = 0; i < text.len; i++) {
        char c = (char)text.at[i];
        buf_text(out, c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : "");
        if (c != '<' && c != '>' && c != '&') buf_char(out, c);
    }
}

static void put_slack(struct alert *a, struct buf *out, const struct telling *t,
                      struct slice summary)
{
    static const char *const MARKS[] = {":information_source:", ":warning:", ":rotating_light:"};
    struct buf text = buf_make(MESSAGE_MAX);
    buf_printf(&text, "%s ", t->firing ? MARKS[t->severity] : ":white_check_mark:");
    put_slack_text(&text, summary);
    if (t->firing && t->hint[0]) {
        buf_char(&text, '\n');
        put_slack_text(&text, slice_of(t->hint));
    }
    if (a->console[0]) buf_printf(&text, "\n<%salerts|open the console>", a->console);
    buf_text(out, "{\"text\":");
    json_put_text(out, buf_view(&text));
    buf_char(out, '}');
    buf_done(&text);
}

/* --- sending
 * --------------------------------------------------------------------------------------
 */

static struct doc text_doc(struct slice s)
{
    return (struct doc){.kind = DOC_TEXT, .text = s};
}

static bool is_closing(void *arg)
{
    struct alert *a = arg;
    gate_enter(&a->gate);
    bool yes = a->closing;
    gate_leave(&a->gate);
    return yes;
}

static err_t by_http(struct alert *a, const struct receiver *r, struct slice body,
                     struct arena *arena, struct diag *d)
{
    int status = 0;
    struct slice answer;
    struct doc_entry parts[] = {
        {.name = SLICE("url"), .value = text_doc(slice_of(r->address))},
        {.name = SLICE("method"), .value = text_doc(SLICE("POST"))},
        {.name = SLICE("body"), .value = text_doc(body)},
        {.name = SLICE("json"), .value = {.kind = DOC_BOOL, .yes = true}},
        {.name = SLICE("timeout_us"), .value = {.kind = DOC_INT, .number = HTTP_TIMEOUT_US}}};
    struct doc request = {.kind = DOC_MAP, .count = COUNT_OF(parts), .entries = parts};
    err_t e = a->o.port.http(a->o.port.ctx, &request, is_closing, a, arena, &status, &answer, d);
    if (!e && (status < 200 || status >= 300))
        e = diag_fail(d, ERR_PEER, "receiver '%s' answered %d", r->name, status);
    else if (e && d) /* the address may be a secret: it stays out of the story */
        (void)snprintf(d->what, sizeof(d->what), "receiver '%s' can not be reached", r->name);
    return e;
}

static err_t by_mail(struct alert *a, const struct receiver *r, const struct telling *t,
                     struct slice summary, struct arena *arena, struct diag *d)
{
    if (!a->o.port.mail) return diag_fail(d, ERR_UNSUPPORTED, "nobody sends mail here");
    char *text = arena_printf(arena, "%.*s\n\n%s\n%s%s\n", SLICE_ARG(summary), t->hint, a->console,
                              a->console[0] ? "alerts" : "");
    char *subject = arena_printf(arena, "Sluice: %.*s", SLICE_ARG(summary));
    if (!text || !subject) return diag_fail(d, ERR_NO_MEMORY, "no memory for a letter");
    struct doc_entry parts[] = {
        {.name = SLICE("to"), .value = text_doc(slice_of(r->address))},
        {.name = SLICE("subject"), .value = text_doc(slice_of(subject))},
        {.name = SLICE("text"), .value = text_doc(slice_of(text))},
        {.name = SLICE("conn_id"), .value = text_doc(slice_of(r->conn_id))}};
    struct doc letter = {.kind = DOC_MAP, .count = COUNT_OF(parts), .entries = parts};
    return a->o.port.mail(a->o.port.ctx, &letter, d);
}

err_t tell_now(struct alert *a, const struct receiver *r, const struct telling *t, struct diag *d)
{
    struct buf summary = buf_make(MESSAGE_MAX), body = buf_make(MESSAGE_MAX);
    struct arena *arena = arena_new(32 << 20);
    put_summary(&summary, t);
    if (r->kind == WEBHOOK) put_webhook(a, &body, t, buf_view(&summary));
    if (r->kind == SLACK) put_slack(a, &body, t, buf_view(&summary));
    err_t e = !arena || summary.err || body.err
                  ? diag_fail(d, ERR_NO_MEMORY, "no memory for a message")
              : r->kind == MAIL ? by_mail(a, r, t, buf_view(&summary), arena, d)
                                : by_http(a, r, buf_view(&body), arena, d);
    buf_done(&summary);
    buf_done(&body);
    arena_free(arena);
    return e;
}

/* --- the teller's thread
 * --------------------------------------------------------------------------
 */

/* The next that is due, taken out of the list; *wait_ms until the next one. */
static struct telling *take_due(struct alert *a, int64_t *wait_ms)
{
    int64_t now = a->o.port.now_ms(a->o.port.ctx), next = INT64_MAX;
    for (size_t i = 0; i < a->tellings.count; i++) {
        struct telling *t = *(struct telling **)vec_at(&a->tellings, i);
        if (t->due_ms <= now) return t;
        next = MIN(next, t->due_ms);
    }
    *wait_ms = next == INT64_MAX ? 60000 : MIN(next - now, INT64_C(60000));
    return NULL;
}

static struct receiver *copy_receiver(const struct receiver *r)
{
    struct receiver *c = mem_take(sizeof(*c));
    if (!c) return NULL;
    *c = *r;
    c->name = mem_text(slice_of(r->name));
    c->address = mem_text(slice_of(r->address));
    c->conn_id = mem_text(slice_of(r->conn_id));
    if (c->name && c->address && c->conn_id) return c;
    receiver_free(c);
    return NULL;
}

static void forget(struct alert *a, struct telling *t)
{
    for (size_t i = 0; i < a->tellings.count; i++)
        if (*(struct telling **)vec_at(&a->tellings, i) == t) {
            vec_remove(&a->tellings, i);
            break;
        }
    telling_free(t);
    a->dirty = true;
}

static void after(struct alert *a, struct telling *t, err_t e, const struct diag *d)
{
    char story[1400] = "";
    if (e) diag_format(d, story, sizeof(story));
    if (e && ++t->tries < TRIES) {
        int64_t pause = a->o.pause_ms ? a->o.pause_ms : 2000;
        for (int i = 1; i < t->tries; i++) pause *= 4;
        t->due_ms = a->o.port.now_ms(a->o.port.ctx) + pause;
        return;
    }
    struct buf whole = buf_make(sizeof(story) + ALERT_TEXT_MAX);
    buf_printf(&whole, "%s%s%s", t->receiver, e ? ": " : "", story);
    past_add(a, e ? "not told" : "told", t->rule, t->part, t->value, buf_cstr(&whole));
    buf_done(&whole);
    forget(a, t);
}

/* Inside the gate, which is left while it is sent. Only this thread takes tellings away. */
static void tell_one(struct alert *a, struct telling *t)
{
    struct diag d = {0};
    const struct receiver *r = receiver_find(a, slice_of(t->receiver));
    struct receiver *to = r ? copy_receiver(r) : NULL;
    err_t e = ERR_OK;
    if (!r) {
        forget(a, t); /* there is nobody to be told any more */
        return;
    }
    gate_leave(&a->gate);
    e = to ? tell_now(a, to, t, &d) : diag_fail(&d, ERR_NO_MEMORY, "no memory for a message");
    receiver_free(to);
    gate_enter(&a->gate);
    if (a->closing && e) return; /* it stands in alerts.json, and is told after the next start */
    after(a, t, e, &d);
    if (a->dirty && kept_store(a, &d))
        say_diag(SAY_MAIN, SAY_WARN, "what alerts have told is not on disk; it is tried again", &d);
}

void tell_run(void *alert)
{
    struct alert *a = alert;
    int64_t wait_ms = 0;
    gate_enter(&a->gate);
    while (!a->closing) {
        struct telling *t = take_due(a, &wait_ms);
        if (t)
            tell_one(a, t);
        else
            (void)gate_wait_ms(&a->gate, wait_ms);
    }
    gate_leave(&a->gate);
}
