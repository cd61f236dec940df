/* reset: a stage of a running flow forgets all, and begins anew. */
#include "flow/sink.h"

/* Operators and sink are made anew: they hold state, and the name under which a topic is written.
 * The old ones stay until both new ones stand. */
static err_t lane_renew(struct lane *l, struct diag *d)
{
    struct graph *graph = l->graph;
    void *sink = l->sink_self;
    l->graph = NULL;
    l->sink_self = NULL;
    err_t e = epoch_graph(l, d);
    if (!e) e = l->sink->open(l, d);
    if (e) {
        l->sink->close(l);
        graph_free(l->graph);
        l->graph = graph;
        l->sink_self = sink;
        return e;
    }
    void *made = l->sink_self;
    l->sink_self = sink;
    l->sink->close(l);
    l->sink_self = made;
    graph_free(graph);
    for (uint32_t i = 0; i < l->partition_count; i++) l->partitions[i].told = -1;
    for (uint32_t i = 0; i <= l->graph->op_count; i++)
        l->told[i] = (struct flow_operator){.kind = l->told[i].kind};
    return ERR_OK;
}

static err_t lanes_renew(struct stream *s, struct diag *d)
{
    struct flow *f = s->stage->flow;
    err_t e = ERR_OK;
    gate_enter(&f->gate); /* who looks at status looks at operators */
    for (uint32_t i = 0; !e && i < s->lane_count; i++) e = lane_renew(&s->lanes[i], d);
    s->progress_count = 0;
    s->stage->epochs = 0;
    gate_leave(&f->gate);
    return e;
}

static err_t forget(struct stage *s, void *ctx, struct diag *d)
{
    (void)ctx;
    err_t e = stream_reset(s->flow->o.store, s->name, d);
    if (e) return e;
    if (s->stream) return lanes_renew(s->stream, d);
    s->source->recovered = s->source->ended = s->source->is_pending = s->source->journalled = false;
    return ERR_OK;
}

err_t flow_reset(struct flow *f, struct slice name, struct diag *d)
{
    return stage_between(f, name, forget, NULL, d);
}
