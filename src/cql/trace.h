/* trace: what traced calls did, the last TRACES_MAX of them: system_traces.sessions and events. */
#pragma once
#include "cql/cql_int.h"

enum { TRACES_MAX = 500, TRACE_EVENTS_MAX = 256, TRACE_TEXT_MAX = 1000 };

struct trace_event {
    uint8_t id[16]; /* a time UUID */
    struct slice activity, thread;
    int32_t elapsed_us; /* since the session began */
};
struct trace_session {
    uint8_t id[16];
    struct slice command, request, client; /* "QUERY", "Execute CQL3 query", "127.0.0.1" */
    int64_t started_ms;
    int32_t duration_us;
    const struct store_option
        *parameters; /* query, consistency_level, page_size, bound_var_0_x … */
    uint32_t parameter_count;
    const struct trace_event *events;
    uint32_t event_count;
};
/* From old to new, inside the gate of the traces: quickly. */
void traces_each(struct cql *c, void (*each)(void *ctx, const struct trace_session *s), void *ctx);
