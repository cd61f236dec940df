/* What the door has done: for /metrics. Each shard counts for itself. */
#include "base/metric.h"
#include "door/cql/link.h"

#include <inttypes.h>

static const struct metric_family requests_family = {"sluice_cql_door_requests_total", "message",
                                                     METRIC_COUNTER, "Requests of CQL clients"};
static const struct {
    struct metric_family family;
    size_t offset;
} rows[] = {
#define ROW(field, name, about)                                                                    \
    {                                                                                              \
        {"sluice_" name, "", METRIC_COUNTER, about}, offsetof(struct shard_counts, field)          \
    }
    ROW(errors, "cql_door_errors_total", "Requests answered with an error"),
    ROW(bytes_in, "cql_door_bytes_in_total", "Bytes that CQL clients sent"),
    ROW(bytes_out, "cql_door_bytes_out_total", "Bytes sent to CQL clients"),
    ROW(overloaded, "cql_door_overloaded_total",
        "Requests refused beyond the limits, to clients that asked to be told"),
    ROW(paused, "cql_door_paused_total",
        "Times that a connection was not read for a while, beyond the limits"),
    ROW(events, "cql_door_events_total", "Events told"),
    ROW(refused, "cql_door_closed_total",
        "Connections closed: too slow before a login, or not the protocol"),
    ROW(logins, "cql_logins_total", "Logins of CQL clients"),
    ROW(logins_failed, "cql_logins_failed_total", "Logins that failed"),
#undef ROW
};

void cql_door_families(metric_each *each, void *ctx)
{
    each(ctx, &requests_family);
    for (size_t i = 0; i < COUNT_OF(rows); i++) each(ctx, &rows[i].family);
}

static uint64_t sum(const struct cql_door *k, size_t offset)
{
    uint64_t all = 0;
    for (int i = 0; i < k->shard_count; i++) {
        const void *at = (const uint8_t *)&k->shards[i].counts + offset;
        all += atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_relaxed);
    }
    return all;
}

struct door_counts cql_door_counts(const struct cql_door *k)
{
    struct door_counts all = {.errors = sum(k, offsetof(struct shard_counts, errors))};
    for (size_t i = 0; i < COUNT_OF(k->shards[0].counts.requests); i++)
        if (native_opcode_is_request((uint8_t)i))
            all.requests += sum(k, offsetof(struct shard_counts, requests) + i * sizeof(uint64_t));
    return all;
}

void cql_door_metrics(const struct cql_door *k, struct buf *out)
{
    metric_put_head(out, &requests_family);
    for (size_t i = 0; i < COUNT_OF(k->shards[0].counts.requests); i++) {
        uint64_t n = sum(k, offsetof(struct shard_counts, requests) + i * sizeof(uint64_t));
        uint8_t op = (uint8_t)i;
        if (native_opcode_is_request(op) && n)
            buf_printf(out, "%s{message=\"%s\"} %" PRIu64 "\n", requests_family.name,
                       native_opcode_name(op), n);
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        metric_put_head(out, &rows[i].family);
        buf_printf(out, "%s %" PRIu64 "\n", rows[i].family.name, sum(k, rows[i].offset));
    }
}
