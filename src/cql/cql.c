/* The engine: opened, closed, listened to. */
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
