#include "door/metrics/metrics.h"

#include "base/metric.h"

#include <inttypes.h>

enum { METRICS_BYTES_MAX = 16 << 20, METRICS_CONNS_MAX = 64 };

struct metrics_door {
    struct metrics_options o;
    struct http_server *http;
};

/* --- what exists once a stage or a partition, with labels ------------------------------------- */

struct stage_metric {
    const char *name, *kind, *about;
    double (*value)(const struct flow_status *s);
};

struct label_walk {
    struct buf *out;
    const struct stage_metric *metric;
};

static double in_of(const struct flow_status *s)
{
    return (double)s->ledger.in;
}
static double applied_of(const struct flow_status *s)
{
    return (double)s->ledger.applied;
}
static double filtered_of(const struct flow_status *s)
{
    return (double)s->ledger.filtered;
}
static double dead_of(const struct flow_status *s)
{
    return (double)s->ledger.dead;
}
static double expired_of(const struct flow_status *s)
{
    return (double)s->ledger.expired;
}
static double rows_of(const struct flow_status *s)
{
    return (double)s->ledger.rows_out;
}
static double lag_of(const struct flow_status *s)
{
    return (double)s->lag;
}
static double balanced_of(const struct flow_status *s)
{
    return s->balanced;
}
static double failed_of(const struct flow_status *s)
{
    return strcmp(s->state, "failed") == 0;
}
static double rate_of(const struct flow_status *s)
{
    return s->rows_per_second;
}
static double cpu_of(const struct flow_status *s)
{
    return (double)s->cpu_ns / 1e9;
}
static double live_p99_of(const struct flow_status *s)
{
    return (double)s->live.p99_us / 1e6;
}
static double live_max_of(const struct flow_status *s)
{
    return (double)s->live.max_us / 1e6;
}

/* One row a metric: every stage answers it. */
static const struct stage_metric stage_metrics[] = {
    {"sluice_stage_records_in_total", "counter", "Records a stage has taken in, durably", in_of},
    {"sluice_stage_records_applied_total", "counter", "Records that became rows or log records",
     applied_of},
    {"sluice_stage_records_filtered_total", "counter",
     "Records that WHERE or CHECK … SKIP left out", filtered_of},
    {"sluice_stage_records_dead_total", "counter", "Records that became dead letters", dead_of},
    {"sluice_stage_records_expired_total", "counter",
     "Records that retention removed before they were read", expired_of},
    {"sluice_stage_rows_out_total", "counter", "Rows written", rows_of},
    {"sluice_stage_lag_records", "gauge", "Records behind the topic's end", lag_of},
    {"sluice_stage_rows_per_second", "gauge", "Rows a second, over the last seconds", rate_of},
    {"sluice_stage_processor_seconds_total", "counter", "Processor time of the stage's threads",
     cpu_of},
    {"sluice_stage_live_epoch_p99_seconds", "gauge",
     "From before a live epoch's first record is read until its commit is on disk: 99 of 100",
     live_p99_of},
    {"sluice_stage_live_epoch_max_seconds", "gauge", "The longest of them since the start",
     live_max_of},
    {"sluice_stage_ledger_balanced", "gauge",
     "1 when in = applied + filtered + deduplicated + late + dead + expired + held", balanced_of},
    {"sluice_stage_failed", "gauge",
     "1 when the stage has stopped for a reason a person must look at", failed_of},
};

static void put_label(struct buf *out, struct slice text)
{
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\n')
            buf_text(out, "\\n");
        else {
            if (text.at[i] == '"' || text.at[i] == '\\') buf_char(out, '\\');
            buf_char(out, (char)text.at[i]);
        }
    }
}

static err_t put_stage(void *ctx, const struct flow_status *s)
{
    struct label_walk *w = ctx;
    buf_printf(w->out, "%s{stage=\"", w->metric->name);
    put_label(w->out, s->name);
    buf_printf(w->out, "\",kind=\"%s\"} %.17g\n", s->is_source ? "source" : "stream",
               w->metric->value(s));
    return w->out->err;
}

static err_t put_topic(void *ctx, struct log_topic *t)
{
    struct buf *out = ctx;
    for (int32_t i = 0; i < log_topic_partitions(t); i++) {
        buf_text(out, "kafka_topic_partition_current_offset{topic=\"");
        put_label(out, log_topic_name(t));
        buf_printf(out, "\",partition=\"%d\"} %" PRId64 "\n", i,
                   log_end_offset(log_partition(t, i)));
    }
    return out->err;
}

err_t metrics_put(const struct metrics_options *o, struct buf *out)
{
    struct report_facts facts;
    err_t e = ERR_OK;
    o->facts(o->ctx, &facts);
    metric_put_all(out);
    buf_printf(out,
               "# HELP process_resident_memory_bytes Memory of this process\n# TYPE "
               "process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %" PRIu64 "\n",
               facts.memory_bytes);
    buf_printf(out,
               "# HELP process_cpu_seconds_total Processor time of this process\n# TYPE "
               "process_cpu_seconds_total counter\nprocess_cpu_seconds_total %.3f\n",
               (double)facts.cpu_ns / 1e9);
    buf_printf(out,
               "# HELP process_start_time_seconds Start time since 1970\n# TYPE "
               "process_start_time_seconds gauge\nprocess_start_time_seconds %.3f\n",
               (double)facts.started_ms / 1e3);
    for (size_t i = 0; i < COUNT_OF(stage_metrics) && !e && o->world->flow; i++) {
        struct label_walk w = {out, &stage_metrics[i]};
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", stage_metrics[i].name,
                   stage_metrics[i].about, stage_metrics[i].name, stage_metrics[i].kind);
        e = flow_each(o->world->flow, put_stage, &w);
    }
    buf_text(out, "# HELP kafka_topic_partition_current_offset The next offset of a partition\n# "
                  "TYPE kafka_topic_partition_current_offset gauge\n");
    if (!e) e = log_topics(o->world->log, put_topic, out);
    if (o->more) o->more(o->ctx, out);
    return e ? e : out->err;
}

/* --- answers
 * ---------------------------------------------------------------------------------------------------
 */

static void on_metrics(struct metrics_door *m, struct http_request *r)
{
    struct buf text = buf_make(METRICS_BYTES_MAX);
    err_t e = metrics_put(&m->o, &text);
    if (e)
        http_reply_text(r, 500, "error: %s\n", err_text(e));
    else
        http_reply(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_view(&text));
    buf_done(&text);
}

static void on_health(struct metrics_door *m, struct http_request *r)
{
    struct report_facts facts;
    struct buf text = buf_make(METRICS_BYTES_MAX);
    m->o.facts(m->o.ctx, &facts);
    bool fine = report_status_json(m->o.world, &facts, &text);
    http_reply(r, fine ? 200 : 503, "application/json", buf_view(&text));
    buf_done(&text);
}

static const struct {
    const char *path;
    void (*answer)(struct metrics_door *m, struct http_request *r);
} routes[] = {{"/metrics", on_metrics},
              {"/health", on_health},
              {"/healthz", on_health},
              {"/ready", on_health}};

static void on_request(void *door, struct http_request *r)
{
    for (size_t i = 0; i < COUNT_OF(routes); i++) {
        if (!slice_is(http_path(r), routes[i].path)) continue;
        if (slice_is(http_method(r), "GET") || slice_is(http_method(r), "HEAD"))
            routes[i].answer(door, r);
        else
            http_reply_text(r, 405, "only GET\n");
        return;
    }
    http_reply_text(r, 404, "nothing is here; /metrics and /health are\n");
}

err_t metrics_open(struct loop *l, const struct metrics_options *o, struct metrics_door **out,
                   struct diag *d)
{
    struct metrics_door *m = mem_take(sizeof(*m));
    if (!m) return diag_fail(d, ERR_NO_MEMORY, "no memory for the metrics door");
    m->o = *o;
    struct http_options http = {.address = o->address,
                                .port = o->port,
                                .handler = on_request,
                                .door = m,
                                .conns_max = METRICS_CONNS_MAX};
    err_t e = http_open(l, &http, &m->http, d);
    if (e)
        mem_give(m);
    else
        *out = m;
    return e;
}

void metrics_close(struct metrics_door *m)
{
    if (!m) return;
    http_close(m->http);
    mem_give(m);
}

uint16_t metrics_port(const struct metrics_door *m)
{
    return http_port(m->http);
}
