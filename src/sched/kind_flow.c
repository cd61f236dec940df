/* Tasks that steer streams, sources and topics: all by the work_port. */
#include "sched/workshop_int.h"

#include "sched/connection.h"

#include <inttypes.h>
#include <stdio.h>

enum { HEALTH_MS = 1000 };

/* --- run --------------------------------------------------------------------------------------
 */

static err_t count_result(struct work *k, uint64_t count, struct work_answer *out, struct diag *d)
{
    struct doc *v = arena_take(k->arena, sizeof(*v));
    if (!v) return diag_fail(d, ERR_NO_MEMORY, "no memory for a task's result");
    *v = (struct doc){.kind = DOC_INT, .number = (int64_t)count};
    out->result = v;
    return ERR_OK;
}

err_t kind_run(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    const struct work_port *port = &k->w->so.port;
    int64_t span, count, least;
    uint64_t records = 0;
    struct slice source = work_text(k, "run"), quota = work_text(k, "quota");
    (void)t;
    err_t e = work_span(k, "for", &span, d);
    if (!e) e = work_int(k, "count", &count, d);
    if (!e) e = work_int(k, "at_least", &least, d);
    if (e) return e;
    if (!port->run_source)
        return diag_fail(d, ERR_UNSUPPORTED, "there are no sources without a server");
    if (quota.len && !port->shares_quota)
        return diag_fail(d, ERR_UNSUPPORTED, "there are no quotas without a server");
    if (quota.len && !port->shares_quota(port->ctx, source, quota)) {
        (void)diag_fail(d, ERR_CONFIG, "source '%.*s' does not share a quota '%.*s'",
                        SLICE_ARG(source), SLICE_ARG(quota));
        return diag_hint(d, "CREATE SOURCE %.*s … WITH (quota = '%.*s')", SLICE_ARG(source),
                         SLICE_ARG(quota));
    }
    work_say(k, "INFO", "Running source %.*s", SLICE_ARG(source));
    e = port->run_source(port->ctx, source, span, count, work_stopped, k, &records, d);
    if (e && !records) return e;
    work_say(k, "INFO", "%" PRIu64 " records are in its topic", records);
    if (e) return e;
    if (records < (uint64_t)MAX(least, INT64_C(0)))
        return diag_fail(d, ERR_NOT_FOUND, "%" PRIu64 " records came, and at_least is %" PRId64,
                         records, least);
    out->message = work_printf(k, "%" PRIu64 " records", records);
    return count_result(k, records, out, d);
}

/* --- service, submit --------------------------------------------------------------------------
 */

/* Starts it and tells how it is; again in a second while it is not what was asked for. */
static err_t ensure(struct work *k, struct slice stream, const struct bound *lag_wanted,
                    int64_t patience, struct work_answer *out, struct diag *d)
{
    const struct work_port *port = &k->w->so.port;
    const char *state = "unknown";
    char trouble[512] = "";
    uint64_t lag = 0;
    int64_t now = workshop_now(k->w), from = k->order->first_started_us;
    if (!port->stream_ensure || !port->stream_look)
        return diag_fail(d, ERR_UNSUPPORTED, "there are no streams without a server");
    err_t e = port->stream_ensure(port->ctx, stream, d);
    if (!e) e = port->stream_look(port->ctx, stream, &state, &lag, trouble, sizeof(trouble), d);
    if (e) return e;
    if (strcmp(state, "failed") == 0)
        return diag_fail(d, ERR_INTERNAL, "stream %.*s has failed: %s", SLICE_ARG(stream), trouble);
    bool runs = strcmp(state, "running") == 0 || strcmp(state, "waiting") == 0;
    out->message = work_printf(k, "stream %.*s is %s, %" PRIu64 " records behind%s%s",
                               SLICE_ARG(stream), state, lag, trouble[0] ? "; " : "", trouble);
    if (runs && !trouble[0] && (!lag_wanted || bound_fits(lag_wanted, (double)lag)))
        return count_result(k, lag, out, d);
    if (patience >= 0 && from > 0 && now - from > patience)
        return diag_fail(d, ERR_TIMEOUT, "%.*s, after %.0f s", SLICE_ARG(out->message),
                         (double)(now - from) / 1e6);
    out->outcome = WORK_AGAIN;
    out->again_us = now + HEALTH_MS * INT64_C(1000);
    out->state = SLICE("looks");
    return ERR_OK;
}

err_t kind_service(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    struct bound lag;
    bool given;
    int64_t patience;
    (void)t;
    err_t e = work_bound(k, "lag", &lag, &given, d);
    if (!e) e = work_span(k, "wait", &patience, d);
    if (!e && !given) { /* what its slo says is what healthy means */
        const struct doc *slo = doc_get(k->order->task->slo, "lag");
        given = slo && bound_parse(doc_text(slo), &lag);
    }
    return e ? e : ensure(k, work_text(k, "service"), given ? &lag : NULL, patience, out, d);
}

/* "jobs/spark_stream.py" names the stream spark_stream. */
static struct slice stream_of_script(struct slice text)
{
    for (uint32_t i = text.len; i-- > 0;) {
        if (text.at[i] != '/') continue;
        text = slice_make(text.at + i + 1, text.len - i - 1);
        break;
    }
    if (text.len > 3 && memcmp(text.at + text.len - 3, ".py", 3) == 0) text.len -= 3;
    return text;
}

err_t kind_submit(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    static const struct bound NONE_LEFT = {BOUND_LT, 1};
    struct meta *m;
    struct connection c;
    bool wait;
    struct slice id = work_text(k, "conn_id");
    err_t e = work_bool(k, "wait_for_completion", &wait, d);
    if (!e) e = worker_meta(t, &m, d);
    if (!e) e = connection_resolve(m, id, k->arena, &c, d);
    if (e) return e;
    if (!slice_is(c.conn_type, "spark") && !slice_is(c.conn_type, "sluice"))
        return diag_fail(d, ERR_CONFIG, "connection '%.*s' is of type '%.*s', not spark",
                         SLICE_ARG(id), SLICE_ARG(c.conn_type));
    struct slice stream = stream_of_script(work_text(k, "submit"));
    if (!k->order->state.len)
        work_say(k, "INFO", "Submitting %.*s by connection %.*s (%.*s)", SLICE_ARG(stream),
                 SLICE_ARG(id), SLICE_ARG(c.host));
    return ensure(k, stream, wait ? &NONE_LEFT : NULL, -1, out, d);
}

/* --- topics -----------------------------------------------------------------------------------
 */

/* One record as a map with key and value, whatever form it was given in. */
static err_t whole_record(struct work *k, const struct doc *v, struct slice key, struct doc *out,
                          struct diag *d)
{
    if (v->kind == DOC_MAP && doc_get(v, "value")) {
        *out = *v;
        return ERR_OK;
    }
    struct doc_entry *parts = arena_take(k->arena, 2 * sizeof(*parts));
    if (!parts) return diag_fail(d, ERR_NO_MEMORY, "no memory for records");
    parts[0] = (struct doc_entry){.name = SLICE("value"), .value = *v};
    parts[1] = (struct doc_entry){.name = SLICE("key"), .value = {.kind = DOC_TEXT, .text = key}};
    *out = (struct doc){.kind = DOC_MAP, .count = key.len ? 2 : 1, .entries = parts};
    return ERR_OK;
}

err_t kind_produce(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    const struct work_port *port = &k->w->so.port;
    const struct doc *given = work_option(k, "records");
    struct slice topic = work_text(k, "produce"), key = work_text(k, "key");
    struct doc read;
    uint64_t count = 0;
    (void)t;
    if (!port->produce)
        return diag_fail(d, ERR_UNSUPPORTED, "there are no topics without a server");
    if (!given) return diag_fail(d, ERR_CONFIG, "records is missing");
    /* a template gives a text: that of a list is one */
    if (given->kind == DOC_TEXT && slice_starts(slice_trim(given->text), "[") &&
        !doc_of_json(given->text, k->arena, &read, NULL))
        given = &read;
    struct doc list = {.kind = DOC_LIST, .count = given->kind == DOC_LIST ? given->count : 1};
    list.items = arena_take(k->arena, ((size_t)list.count + 1) * sizeof(*list.items));
    if (!list.items) return diag_fail(d, ERR_NO_MEMORY, "no memory for records");
    for (uint32_t i = 0; i < list.count; i++) {
        const struct doc *one = given->kind == DOC_LIST ? &given->items[i] : given;
        err_t e = whole_record(k, one, key, &list.items[i], d);
        if (e) return e;
    }
    err_t e = port->produce(port->ctx, topic, &list, &count, d);
    if (e) return e;
    out->message = work_printf(k, "%" PRIu64 " records are in topic %.*s", count, SLICE_ARG(topic));
    return count_result(k, count, out, d);
}

err_t kind_lag_sensor(struct work *k, struct worker *t, struct work_answer *out, struct diag *d)
{
    const struct work_port *port = &k->w->so.port;
    struct slice who = work_text(k, "lag_sensor"), topic = work_text(k, "topic");
    struct bound lag_wanted;
    bool given;
    uint64_t lag = 0, records = 0;
    const char *state = "";
    char trouble[512] = "";
    (void)t;
    err_t e = work_bound(k, "lag", &lag_wanted, &given, d);
    if (e) return e;
    if (!port->topic_lag || !port->stream_look)
        return diag_fail(d, ERR_UNSUPPORTED, "there are no topics without a server");
    e = topic.len ? port->topic_lag(port->ctx, topic, who, &lag, &records, d)
                  : port->stream_look(port->ctx, who, &state, &lag, trouble, sizeof(trouble), d);
    if (e) return e;
    out->message = work_printf(k, "%.*s is %" PRIu64 " records behind%s%s", SLICE_ARG(who), lag,
                               trouble[0] ? "; " : "", trouble);
    if (!given || bound_fits(&lag_wanted, (double)lag)) return count_result(k, lag, out, d);
    out->outcome = WORK_AGAIN;
    return ERR_OK;
}
