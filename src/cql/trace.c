/* Traces: each in an arena of its own while the call runs; then it takes the place of the oldest.
 */
#include "cql/trace.h"
#include "base/hash.h"
#include "cql/core.h"
#include <openssl/rand.h>
#include <stdio.h>

enum { TRACE_BYTES_MAX = 512 << 10, PARAMETERS_MAX = 40 };

struct trace {
    struct trace_session said;
    struct arena *arena;
    struct trace_event events[TRACE_EVENTS_MAX];
    struct store_option parameters[PARAMETERS_MAX];
};
struct cql_traces {
    struct gate gate;
    struct trace *ring[TRACES_MAX];
    uint32_t next;
    uint8_t node[6];
    _Atomic int64_t last_100ns; /* so that no two ids are the same */
};

err_t traces_open(struct cql *c)
{
    struct cql_traces *x = c->traces = mem_take(sizeof *x);
    if (!x) return ERR_NO_MEMORY;
    gate_init(&x->gate);
    if (RAND_bytes(x->node, sizeof x->node) != 1) return ERR_INTERNAL;
    x->node[0] |= 1; /* none of a network card */
    return ERR_OK;
}

void traces_close(struct cql *c)
{
    struct cql_traces *x = c->traces;
    if (!x) return;
    for (uint32_t i = 0; i < TRACES_MAX; i++)
        if (x->ring[i]) arena_free(x->ring[i]->arena);
    gate_done(&x->gate);
    mem_give(x);
    c->traces = NULL;
}

static void id_next(struct cql_traces *x, uint8_t out[16])
{
    const int64_t epoch_100ns = 0x01b21dd213814000; /* 1582-10-15 to 1970-01-01 */
    int64_t now = clock_wall_us() * 10 + epoch_100ns;
    int64_t last = atomic_load(&x->last_100ns), mine;
    do {
        mine = MAX(now, last + 1);
    } while (!atomic_compare_exchange_weak(&x->last_100ns, &last, mine));
    struct uuid u = uuid_v1(mine, 0x8000, x->node);
    memcpy(out, u.at, 16);
}

static void parameter(struct trace *t, const char *name, struct slice value)
{
    struct slice n = arena_slice(t->arena, slice_of(name));
    struct slice v = arena_slice(t->arena, slice_make(value.at, MIN(value.len, TRACE_TEXT_MAX)));
    if (!n.at || (value.len && !v.at) || t->said.parameter_count == PARAMETERS_MAX) return;
    if (!v.at) v = SLICE("");
    t->parameters[t->said.parameter_count++] = (struct store_option){n, v};
}

static const char *consistency_name(uint16_t code)
{
    static const char *const names[] = {"ANY",    "ONE",          "TWO",          "THREE",
                                        "QUORUM", "ALL",          "LOCAL_QUORUM", "EACH_QUORUM",
                                        "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"};
    return code < COUNT_OF(names) ? names[code] : "ONE";
}

static void parameters_of(struct trace *t, const struct cql_call *c)
{
    char number[16];
    if (c->params.page_size > 0) {
        snprintf(number, sizeof number, "%d", c->params.page_size);
        parameter(t, "page_size", slice_of(number));
    }
    parameter(t, "consistency_level", slice_of(consistency_name(c->params.consistency)));
    parameter(t, "serial_consistency_level",
              slice_of(consistency_name(c->params.serial ? c->params.serial : CQL_SERIAL)));
    if (c->text.at) parameter(t, "query", c->text);
}

void trace_begin(struct cql_call *c)
{
    static const char *const requests[] = {[CALL_QUERY] = "Execute CQL3 query",
                                           [CALL_PREPARE] = "Preparing CQL3 query",
                                           [CALL_EXECUTE] = "Execute CQL3 prepared query",
                                           [CALL_BATCH] = "Execute batch of CQL3 queries"};
    struct arena *a = arena_new(TRACE_BYTES_MAX);
    struct trace *t = a ? arena_take(a, sizeof *t) : NULL;
    if (!t) { /* the statement itself can do without */
        arena_free(a);
        return;
    }
    t->arena = a;
    t->said = (struct trace_session){.command = SLICE("QUERY"),
                                     .request = slice_of(requests[c->verb]),
                                     .client = arena_slice(a, slice_of(c->session->peer)),
                                     .started_ms = c->now_us / 1000,
                                     .parameters = t->parameters,
                                     .events = t->events};
    id_next(c->session->cql->traces, t->said.id);
    parameters_of(t, c);
    c->trace = t;
    c->result.has_trace = true;
    memcpy(c->result.trace_id, t->said.id, 16);
}

void call_trace(struct cql_call *c, const char *fmt, ...)
{
    struct trace *t = c->trace;
    if (!t || t->said.event_count == TRACE_EVENTS_MAX) return;
    char text[TRACE_TEXT_MAX], thread[16] = "";
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct trace_event e = {
        .activity =
            arena_slice(t->arena, slice_make(text, MIN((size_t)MAX(len, 0), sizeof text - 1))),
        .elapsed_us = (int32_t)MIN(clock_mono_ns() / 1000 - c->begun_us, (int64_t)INT32_MAX)};
    if (pthread_getname_np(pthread_self(), thread, sizeof thread) == 0)
        e.thread = arena_slice(t->arena, slice_of(thread));
    if (!e.activity.at) return;
    id_next(c->session->cql->traces, e.id);
    t->events[t->said.event_count++] = e;
}

static void query_of_prepared(struct trace *t, const struct cql_call *c)
{
    const struct cql_statement *s = c->statement;
    if (!s || c->verb != CALL_EXECUTE) return;
    parameter(t, "query", s->text);
    uint32_t count = c->params.names ? 0 : MIN(c->params.value_count, s->marker_count);
    for (uint32_t i = 0; i < count; i++) {
        char name[128];
        struct buf b = buf_make(MIB(1));
        snprintf(name, sizeof name, "bound_var_%u_%.*s", i, (int)MIN(s->markers[i].name.len, 100U),
                 (const char *)s->markers[i].name.at);
        if (c->params.values[i].state == CQL_UNSET)
            buf_text(&b, "<unset>");
        else if (!c->err) /* checked: the statement ran */
            cql_to_literal(s->markers[i].type, &c->params.values[i], &b);
        parameter(t, name, buf_view(&b));
        buf_done(&b);
    }
}

void trace_end(struct cql_call *c)
{
    struct trace *t = c->trace;
    struct cql_traces *x = c->session->cql->traces;
    c->trace = NULL;
    query_of_prepared(t, c);
    t->said.duration_us = (int32_t)MIN(clock_mono_ns() / 1000 - c->begun_us, (int64_t)INT32_MAX);
    gate_enter(&x->gate);
    struct trace *oldest = x->ring[x->next];
    x->ring[x->next] = t;
    x->next = (x->next + 1) % TRACES_MAX;
    gate_leave(&x->gate);
    if (oldest) arena_free(oldest->arena);
}

void traces_each(struct cql *c, void (*each)(void *ctx, const struct trace_session *s), void *ctx)
{
    struct cql_traces *x = c->traces;
    gate_enter(&x->gate);
    for (uint32_t i = 0; i < TRACES_MAX; i++) {
        const struct trace *t = x->ring[(x->next + i) % TRACES_MAX];
        if (t) each(ctx, &t->said);
    }
    gate_leave(&x->gate);
}
