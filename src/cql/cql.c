/* The engine: opened, closed, listened to, measured. */
#include "cql/core.h"

const struct cql_options *cql_options(const struct cql *c)
{
    return &c->parts.options;
}

static void options_take(struct cql *c, const struct cql_options *o)
{
    struct cql_options *own = &c->parts.options;
    *own = *o;
    if (!own->cluster_name) own->cluster_name = "Sluice";
    if (!own->data_center) own->data_center = "datacenter1";
    if (!own->rack) own->rack = "rack1";
    if (own->workers <= 0) own->workers = CQL_WORKERS;
}

err_t cql_open(const struct cql_options *o, struct cql **out, struct diag *d)
{
    *out = NULL;
    struct cql *c = mem_take(sizeof *c);
    if (!c) return diag_fail(d, ERR_NO_MEMORY, "no memory for CQL's engine");
    options_take(c, o);
    gate_init(&c->gate);
    gate_init(&c->crew.gate);
    err_t e = cache_open(c);
    if (!e) e = traces_open(c);
    if (e) (void)diag_fail(d, e, "no memory for CQL's engine");
    if (!e) e = cql_tables_open(c, d);
    if (!e) e = crew_start(c, c->parts.options.workers, d);
    if (e) {
        cql_close(c);
        return e;
    }
    *out = c;
    return ERR_OK;
}

void cql_stop(struct cql *c)
{
    atomic_store(&c->stopping, true);
    crew_stop(c);
}

void cql_close(struct cql *c)
{
    if (!c) return;
    cql_stop(c);
    cql_tables_close(c);
    traces_close(c);
    cache_close(c);
    for (uint32_t i = 0; i < c->arena_count; i++) arena_free(c->arenas[i]);
    gate_done(&c->crew.gate);
    gate_done(&c->gate);
    mem_give(c);
}

bool cql_is_stopping(const struct cql *c)
{
    return atomic_load_explicit(&c->stopping, memory_order_relaxed);
}

/* --- arenas for parts of a call
 * -------------------------------------------------------------------- */

struct arena *cql_arena_take(struct cql *c)
{
    struct arena *a = NULL;
    gate_enter(&c->gate);
    if (c->arena_count) a = c->arenas[--c->arena_count];
    gate_leave(&c->gate);
    return a ? a : arena_new(CQL_CALL_BYTES_MAX);
}

void cql_arena_give(struct cql *c, struct arena *a)
{
    if (!a) return;
    bool keep = arena_used(a) < MIB(1); /* what it took at most lately: reset keeps its chunks */
    arena_reset(a);
    gate_enter(&c->gate);
    if (keep && c->arena_count < CQL_ARENAS_KEPT) {
        c->arenas[c->arena_count++] = a;
        a = NULL;
    }
    gate_leave(&c->gate);
    arena_free(a);
}

/* --- changes of the schema
 * -------------------------------------------------------------------------- */

void cql_listen(struct cql *c, void (*changed)(void *ctx, const struct cql_schema_change *change),
                void *ctx)
{
    gate_enter(&c->gate);
    INVARIANT(c->listener_count < CQL_LISTENERS_MAX);
    c->listeners[c->listener_count++] = (struct cql_listener){changed, ctx};
    gate_leave(&c->gate);
}

void cql_schema_changed(struct cql *c, const struct cql_schema_change *change)
{
    struct cql_listener all[CQL_LISTENERS_MAX];
    cache_forget(c, change);
    gate_enter(&c->gate);
    uint32_t count = c->listener_count;
    memcpy(all, c->listeners, count * sizeof *all);
    gate_leave(&c->gate);
    for (uint32_t i = 0; i < count; i++) all[i].changed(all[i].ctx, change);
}

/* --- what is counted
 * -------------------------------------------------------------------------------- */

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

void cql_tally_done(struct cql *c, const struct cql_call *call)
{
    struct cql_tally *t = own_tally(c);
    int64_t took = MAX(clock_mono_ns() / 1000 - call->begun_us, (int64_t)0);
    uint32_t place = took ? 64U - (uint32_t)__builtin_clzll((uint64_t)took) : 0;
    add(&t->latency[call->verb][MIN(place, CQL_LATENCIES - 1U)], 1);
    add(&t->latency_sum_us[call->verb], (uint64_t)took);
    if (call->err) add(&t->count[call->err == ERR_UNPREPARED ? TALLY_UNPREPARED : TALLY_FAILED], 1);
}

static const struct {
    const char *name, *about;
} tally_names[TALLY_KINDS] = {
    [TALLY_QUERY] = {"cql_queries_total", "statements given as text"},
    [TALLY_PREPARE] = {"cql_prepares_total", "statements prepared"},
    [TALLY_EXECUTE] = {"cql_executes_total", "prepared statements executed"},
    [TALLY_BATCH] = {"cql_batches_total", "batches"},
    [TALLY_FAILED] = {"cql_failed_total", "calls that ended with an error"},
    [TALLY_UNPREPARED] = {"cql_unprepared_total", "executions of what is not prepared any more"},
    [TALLY_WORKER] = {"cql_worker_turns_total", "turns of long statements on a worker"},
};

static void put_one(struct buf *out, const char *name, const char *kind, const char *about,
                    uint64_t value)
{
    buf_printf(out, "# HELP sluice_%s %s\n# TYPE sluice_%s %s\nsluice_%s %llu\n", name, about, name,
               kind, name, (unsigned long long)value);
}

static void put_latency(const struct cql *c, struct buf *out)
{
    static const char *const verbs[] = {"query", "prepare", "execute", "batch"};
    buf_text(out, "# HELP sluice_cql_seconds how long calls took, until they were answered\n"
                  "# TYPE sluice_cql_seconds histogram\n");
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

void cql_metrics(const struct cql *c, struct buf *out)
{
    for (uint32_t k = 0; k < TALLY_KINDS; k++) {
        uint64_t sum = 0;
        for (uint32_t t = 0; t < CQL_TALLIES; t++) sum += c->tallies[t].count[k];
        put_one(out, tally_names[k].name, "counter", tally_names[k].about, sum);
    }
    struct cache_stats s = cache_stats((struct cql *)(uintptr_t)c);
    put_one(out, "cql_prepared_statements", "gauge", "statements that are prepared", s.count);
    put_one(out, "cql_prepared_bytes", "gauge", "memory of statements that are prepared", s.bytes);
    put_one(out, "cql_prepared_evicted_total", "counter", "statements given up for want of room",
            s.evicted);
    put_one(out, "cql_calls_waiting", "gauge", "long statements waiting for a worker",
            atomic_load(&c->waiting));
    put_latency(c, out);
}
