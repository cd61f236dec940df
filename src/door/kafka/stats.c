/* What the door has done, by API: for /metrics. Counted on the links' loops, read on any thread. */
#include "base/metric.h"
#include "door/kafka/link.h"

#include <inttypes.h>

static struct api_count *count_of(struct call *c)
{
    int16_t key = c->head.api_key;
    return key >= 0 && key < API_COUNTS ? &c->door->counts[key] : NULL;
}

void call_count(struct call *c, int64_t now_ns, size_t bytes_out)
{
    struct api_count *n = count_of(c);
    int64_t took = now_ns - c->begun_ns;
    metric_add(METRIC_kafka_requests_total, 1);
    metric_add(METRIC_kafka_request_seconds_total, took);
    metric_add(METRIC_kafka_bytes_in_total, (int64_t)c->frame_size + 4);
    metric_add(METRIC_kafka_bytes_out_total, (int64_t)bytes_out);
    if (!n) return;
    atomic_fetch_add_explicit(&n->requests, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&n->ns, (uint64_t)took, memory_order_relaxed);
    if (c->broken) atomic_fetch_add_explicit(&n->broken, 1, memory_order_relaxed);
}

static uint64_t requests_of(const struct api_count *n)
{
    return atomic_load_explicit(&n->requests, memory_order_relaxed);
}
static uint64_t ns_of(const struct api_count *n)
{
    return atomic_load_explicit(&n->ns, memory_order_relaxed);
}
static uint64_t broken_of(const struct api_count *n)
{
    return atomic_load_explicit(&n->broken, memory_order_relaxed);
}

static const struct {
    struct metric_family family;
    uint64_t (*value)(const struct api_count *n);
    double unit;
} rows[] = {
    {{"sluice_kafka_api_requests_total", "api", METRIC_COUNTER,
      "Requests of Kafka clients that were answered or refused"},
     requests_of,
     1},
    {{"sluice_kafka_api_seconds_total", "api", METRIC_COUNTER,
      "Time from a request's turn to its answer, waits for data and for the disk included"},
     ns_of,
     1e9},
    {{"sluice_kafka_api_broken_total", "api", METRIC_COUNTER,
      "Requests after which the connection was closed: not served, not understood, no memory"},
     broken_of,
     1},
    {{"kafka_network_requestmetrics_requests_total", "request", METRIC_COUNTER,
      "Requests of Kafka clients, under the name that a broker's JMX exporter gives them"},
     requests_of,
     1},
};

void kafka_door_families(metric_each *each, void *ctx)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) each(ctx, &rows[i].family);
}

struct door_counts kafka_door_counts(const struct kafka_door *k)
{
    struct door_counts all = {0};
    for (size_t i = 0; i < API_COUNTS; i++) {
        all.requests += requests_of(&k->counts[i]);
        all.errors += broken_of(&k->counts[i]);
    }
    return all;
}

void kafka_door_metrics(const struct kafka_door *k, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct metric_family *f = &rows[i].family;
        metric_put_head(out, f);
        for (size_t n = 0; n < kafka_api_count; n++) {
            const struct kafka_api *api = &kafka_apis[n];
            if (api->key >= API_COUNTS || !requests_of(&k->counts[api->key])) continue;
            buf_printf(out, "%s{%s=\"%s\"} %.15g\n", f->name, f->labels, api->name,
                       (double)rows[i].value(&k->counts[api->key]) / rows[i].unit);
        }
    }
}
