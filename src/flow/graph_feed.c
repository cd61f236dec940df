/* graph_feed: where a plan is cut: what a feeder's graph does, and how the owner's takes it over.
 */
#include "flow/group.h"

const struct op_kind op_beyond = {0};

/* Operators that remember nothing and keep a record a record: who does their work is not seen. */
static bool passes_records(const struct plan_node *n)
{
    if (n->kind == NODE_WINDOW) return n->window.slide_ms == n->window.size_ms;
    return n->kind == NODE_TOPIC || n->kind == NODE_ROWS || n->kind == NODE_UNION;
}

bool node_feeds(const struct plan_node *n)
{
    if (n->kind != NODE_GROUP && !passes_records(n)) return false;
    for (uint32_t i = 0; i < n->input_count; i++)
        if (n->inputs[i]->kind == NODE_GROUP || !node_feeds(n->inputs[i])) return false;
    return true;
}

bool graph_can_feed(const struct plan_node *root)
{
    if (root->kind == NODE_TOPIC) return true;
    for (uint32_t i = 0; i < root->input_count; i++)
        if (graph_can_feed(root->inputs[i])) return true;
    return false;
}

err_t graph_pass(struct op *o, const struct rows *r, struct diag *d)
{
    struct graph *g = o->graph;
    struct op *was = graph_turn(g, &g->end);
    o->rows_in -= r->count; /* the owner's counts them */
    err_t e = g->o.end(g->o.ctx, r, d);
    (void)graph_turn(g, was);
    return e;
}

err_t graph_take(struct graph *g, struct slice topic, const struct rows *r, struct diag *d)
{
    g->x.topic = topic;
    if (!r->count) return ERR_OK;
    err_t e = op_give(&g->ops[r->node->id], r, d);
    if (!e && r->chunk && r->chunk->machine)
        e = diag_fail(d, r->chunk->machine, "'%.*s' over %u records", SLICE_ARG(g->o.name),
                      r->count);
    return e;
}

void graph_agree(struct graph *feeder, const struct graph *owner)
{
    for (uint32_t i = 0; i < feeder->op_count; i++) {
        if (feeder->ops[i].kind != &op_group) continue;
        const struct group_self *says = owner->ops[i].self;
        ((struct group_self *)feeder->ops[i].self)->direct = says->direct;
    }
}

struct group_part *graph_parts(struct graph *feeder, bool all)
{
    struct group_part *list = NULL;
    for (uint32_t i = 0; i < feeder->op_count; i++) {
        if (feeder->ops[i].kind != &op_group) continue;
        struct group_self *s = feeder->ops[i].self;
        struct group_part *p = s->part;
        if (!p || (!all && p->budget.used < GROUP_PART_BYTES)) continue;
        s->part = NULL;
        p->next = list;
        list = p;
    }
    return list;
}

err_t graph_take_parts(struct graph *g, struct group_part *parts, struct diag *d)
{
    err_t e = ERR_OK;
    for (const struct group_part *p = parts; !e && p; p = p->next) {
        arena_reset(g->arena);
        struct op *was = graph_turn(g, &g->ops[p->node]);
        e = group_part_merge(&g->ops[p->node], p, d);
        (void)graph_turn(g, was);
    }
    group_parts_free(parts);
    return e;
}

void graph_add_counts(struct graph *g, struct graph *feeder)
{
    for (uint32_t i = 0; i < g->op_count; i++) {
        struct op *from = &feeder->ops[i];
        g->ops[i].rows_in += from->rows_in;
        g->ops[i].rows_out += from->rows_out;
        g->ops[i].late += from->late;
        g->ops[i].spent_ns += from->spent_ns;
        from->rows_in = from->rows_out = from->late = 0;
        from->spent_ns = 0;
    }
}

void graph_add_times(struct graph *g, const struct event_times *t)
{
    g->times.count += t->count;
    g->times.least = MIN(g->times.least, t->least);
    g->times.greatest = MAX(g->times.greatest, t->greatest);
    g->times.sum += t->sum;
}
