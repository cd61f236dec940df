/* What the engine has done: for /metrics. Each thread counts for itself. */
#include "base/metric.h"
#include "cql/core.h"
#include "os/clock.h"

static struct cql_tally *own_tally(struct cql *c)
{
    static _Atomic uint32_t next;
    static _Thread_local uint32_t own = UINT32_MAX;
    if (own == UINT32_MAX)
        own = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed) % CQL_TALLIES;
    return &c->tallies[own];
}

static void add(_Atomic uint64_t *to, uint64_t n)
{
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

void cql_tally(struct cql *c, enum cql_tally_kind kind)
{
    add(&own_tally(c)->count[kind], 1);
}

/* As Cassandra's ClientRequest tells them: what reads, and what writes. */
static void count_operation(struct cql_tally *t, const struct cql_call *call, uint64_t took_us)
{
    enum cql_kind kind = call->verb == CALL_BATCH ? CQL_BATCH : call->statement->kind;
    if (call->verb == CALL_PREPARE || kind > CQL_BATCH) return;
    enum cql_side o = kind == CQL_SELECT ? SIDE_READ : SIDE_WRITE;
    add(&t->operations[o], 1);
    add(&t->operation_us[o], took_us);
}

void cql_tally_done(struct cql *c, const struct cql_call *call)
{
    struct cql_tally *t = own_tally(c);
    int64_t took = MAX(clock_mono_ns() / 1000 - call->begun_us, (int64_t)0);
    uint32_t place = took ? 64U - (uint32_t)__builtin_clzll((uint64_t)took) : 0;
    add(&t->latency[call->verb][MIN(place, CQL_LATENCIES - 1U)], 1);
    add(&t->latency_sum_us[call->verb], (uint64_t)took);
    if (call->statement || call->verb == CALL_BATCH) count_operation(t, call, (uint64_t)took);
    if (call->err) add(&t->count[call->err == ERR_UNPREPARED ? TALLY_UNPREPARED : TALLY_FAILED], 1);
}

static const struct metric_family tally_families[TALLY_KINDS] = {
    [TALLY_QUERY] = {"sluice_cql_queries_total", "", METRIC_COUNTER, "Statements given as text"},
    [TALLY_PREPARE] = {"sluice_cql_prepares_total", "", METRIC_COUNTER, "Statements prepared"},
    [TALLY_EXECUTE] = {"sluice_cql_executes_total", "", METRIC_COUNTER,
                       "Prepared statements executed"},
    [TALLY_BATCH] = {"sluice_cql_batches_total", "", METRIC_COUNTER, "Batches"},
    [TALLY_FAILED] = {"sluice_cql_failed_total", "", METRIC_COUNTER,
                      "Calls that ended with an error"},
    [TALLY_UNPREPARED] = {"sluice_cql_unprepared_total", "", METRIC_COUNTER,
                          "Executions of what is not prepared any more"},
    [TALLY_WORKER] = {"sluice_cql_worker_turns_total", "", METRIC_COUNTER,
                      "Turns of long statements on a worker"},
};
enum { OWN_PREPARED, OWN_BYTES, OWN_EVICTED, OWN_WAITING, OWN_COUNT };
static const struct metric_family own_families[OWN_COUNT] = {
    [OWN_PREPARED] = {"sluice_cql_prepared_statements", "", METRIC_GAUGE,
                      "Statements that are prepared"},
    [OWN_BYTES] = {"sluice_cql_prepared_bytes", "", METRIC_GAUGE,
                   "Memory of statements that are prepared"},
    [OWN_EVICTED] = {"sluice_cql_prepared_evicted_total", "", METRIC_COUNTER,
                     "Prepared statements given up for want of room"},
    [OWN_WAITING] = {"sluice_cql_calls_waiting", "", METRIC_GAUGE,
                     "Long statements waiting for a worker"},
};
static const struct metric_family latency_family = {"sluice_cql_seconds", "verb", METRIC_HISTOGRAM,
                                                    "How long calls took until they were answered"};
static const struct metric_family operation_family = {
    "cassandra_client_request_latency_seconds", "operation", METRIC_SUMMARY,
    "How long reads and writes of CQL clients took until they were answered"};

void cql_families(metric_each *each, void *ctx)
{
    for (uint32_t i = 0; i < TALLY_KINDS; i++) each(ctx, &tally_families[i]);
    for (uint32_t i = 0; i < OWN_COUNT; i++) each(ctx, &own_families[i]);
    each(ctx, &latency_family);
    each(ctx, &operation_family);
}

static void put_one(struct buf *out, const struct metric_family *f, uint64_t value)
{
    metric_put_head(out, f);
    buf_printf(out, "%s %llu\n", f->name, (unsigned long long)value);
}

static void put_latency(const struct cql *c, struct buf *out)
{
    static const char *const verbs[] = {"query", "prepare", "execute", "batch"};
    metric_put_head(out, &latency_family);
    for (uint32_t v = 0; v < COUNT_OF(verbs); v++) {
        uint64_t below = 0, sum = 0;
        for (uint32_t i = 0; i < CQL_LATENCIES; i++) {
            for (uint32_t t = 0; t < CQL_TALLIES; t++) below += c->tallies[t].latency[v][i];
            if (i + 1 < CQL_LATENCIES)
                buf_printf(out, "sluice_cql_seconds_bucket{verb=\"%s\",le=\"%g\"} %llu\n", verbs[v],
                           (double)(1ULL << i) / 1e6, (unsigned long long)below);
        }
        for (uint32_t t = 0; t < CQL_TALLIES; t++) sum += c->tallies[t].latency_sum_us[v];
        buf_printf(
            out,
            "sluice_cql_seconds_bucket{verb=\"%s\",le=\"+Inf\"} %llu\n"
            "sluice_cql_seconds_sum{verb=\"%s\"} %g\nsluice_cql_seconds_count{verb=\"%s\"} %llu\n",
            verbs[v], (unsigned long long)below, verbs[v], (double)sum / 1e6, verbs[v],
            (unsigned long long)below);
    }
}

static void put_operations(const struct cql *c, struct buf *out)
{
    static const char *const names[SIDES] = {[SIDE_READ] = "read", [SIDE_WRITE] = "write"};
    const char *name = operation_family.name;
    metric_put_head(out, &operation_family);
    for (uint32_t o = 0; o < SIDES; o++) {
        uint64_t count = 0, us = 0;
        for (uint32_t t = 0; t < CQL_TALLIES; t++) {
            count += c->tallies[t].operations[o];
            us += c->tallies[t].operation_us[o];
        }
        buf_printf(out, "%s_sum{operation=\"%s\"} %g\n%s_count{operation=\"%s\"} %llu\n", name,
                   names[o], (double)us / 1e6, name, names[o], (unsigned long long)count);
    }
}

void cql_metrics(const struct cql *c, struct buf *out)
{
    for (uint32_t k = 0; k < TALLY_KINDS; k++) {
        uint64_t sum = 0;
        for (uint32_t t = 0; t < CQL_TALLIES; t++) sum += c->tallies[t].count[k];
        put_one(out, &tally_families[k], sum);
    }
    struct cache_stats s = cache_stats((struct cql *)(uintptr_t)c);
    const uint64_t own[OWN_COUNT] = {[OWN_PREPARED] = s.count,
                                     [OWN_BYTES] = s.bytes,
                                     [OWN_EVICTED] = s.evicted,
                                     [OWN_WAITING] = atomic_load(&c->waiting)};
    for (uint32_t i = 0; i < OWN_COUNT; i++) put_one(out, &own_families[i], own[i]);
    put_latency(c, out);
    put_operations(c, out);
}
