/* The pipeline as a picture: sources, topics, streams, tables and dags, and what leads where. */
#include "door/console/console_int.h"

#include "base/vec.h"

#include <math.h>
#include <stdio.h>

enum { PARTS_MAX = 2000, EDGES_MAX = 8000, DAGS_MAX = 1000, NAME_TEXT = 400 };

struct part {
    char id[NAME_TEXT]; /* "stream:load_users" */
    double rate;        /* what it makes; of a topic and a table: what came into it */
    bool has_rate;
    int64_t lag, dead; /* -1: has none */
    char state[16], trouble[200];
};
struct edge {
    char from[NAME_TEXT], to[NAME_TEXT];
};
struct picture {
    struct exec_world *world;
    struct vec parts, edges;
    struct map *by_id; /* id -> its place + 1 */
    struct ledger sum;
    bool balanced, healthy;
    err_t err;
};

static struct part *part_get(struct picture *p, const char *kind, struct slice name)
{
    char id[NAME_TEXT];
    snprintf(id, sizeof(id), "%s:%.*s", kind, SLICE_ARG(name));
    uintptr_t place = (uintptr_t)map_get(p->by_id, slice_of(id));
    if (place) return vec_at(&p->parts, place - 1);
    struct part *at = vec_add(&p->parts);
    if (!at || map_set(p->by_id, slice_of(id), (void *)p->parts.count)) {
        p->err = ERR_TOO_BIG;
        return NULL;
    }
    *at = (struct part){.lag = -1, .dead = -1};
    memcpy(at->id, id, sizeof(id));
    return at;
}

static void edge_add(struct picture *p, const char *from, const char *to)
{
    struct edge *e = vec_add(&p->edges);
    if (!e) {
        p->err = ERR_TOO_BIG;
        return;
    }
    snprintf(e->from, sizeof(e->from), "%s", from);
    snprintf(e->to, sizeof(e->to), "%s", to);
}

static void state_of(struct part *part, const struct flow_status *s)
{
    part->rate = s->rows_per_second;
    part->has_rate = true;
    part->dead = (int64_t)s->ledger.dead;
    if (!s->is_source) part->lag = (int64_t)s->lag;
    snprintf(part->state, sizeof(part->state), "%s", s->state);
    if (s->trouble[0])
        snprintf(part->trouble, sizeof(part->trouble), "%.199s", s->trouble);
    else if (!s->balanced)
        snprintf(part->trouble, sizeof(part->trouble), "the ledger does not balance");
}

/* A stream's topics are its plan's; a join has several. True: it writes into a table. */
static bool inputs_of(struct picture *p, const struct flow_status *s, const char *id)
{
    const struct plan_stream *plan;
    uint32_t number;
    struct diag d;
    if (flow_plan(p->world->flow, s->name, &plan, &number, &d)) return false;
    for (uint32_t i = 0; i < plan->topic_count; i++) {
        struct part *topic = part_get(p, "topic", plan->topics[i]->topic.relation->name);
        if (topic) edge_add(p, topic->id, id);
    }
    return plan->sink == SINK_TABLE;
}

static err_t on_stage(void *ctx, const struct flow_status *s)
{
    struct picture *p = ctx;
    char id[NAME_TEXT];
    struct part *part = part_get(p, s->is_source ? "source" : "stream", s->name);
    if (!part) return p->err;
    state_of(part, s);
    memcpy(id, part->id, sizeof(id)); /* the vector may move */
    bool table = !s->is_source && inputs_of(p, s, id);
    struct part *into = part_get(p, table ? "table" : "topic", s->into);
    if (!into) return p->err;
    edge_add(p, id, into->id);
    if (!s->is_source) ledger_add(&p->sum, &s->ledger);
    p->balanced &= s->balanced;
    p->healthy &= s->balanced && strcmp(s->state, "failed") != 0;
    return p->err;
}

static err_t on_topic(void *ctx, struct log_topic *t)
{
    struct picture *p = ctx;
    struct slice name = log_topic_name(t);
    if (slice_starts(name, "__")) return ERR_OK; /* the house's own */
    return part_get(p, "topic", name) ? ERR_OK : p->err;
}

/* A dag leads to what its tasks name: the source they run, the stream they keep alive. */
static void dag_leads(struct picture *p, const char *id, const struct doc *options)
{
    static const char *const kinds[] = {"source", "stream"};
    char to[NAME_TEXT];
    for (uint32_t i = 0; options && options->kind == DOC_MAP && i < options->count; i++) {
        struct slice text = doc_text(&options->entries[i].value);
        for (size_t k = 0; k < COUNT_OF(kinds) && text.at; k++) {
            snprintf(to, sizeof(to), "%s:%.*s", kinds[k], SLICE_ARG(text));
            if (map_get(p->by_id, slice_of(to))) edge_add(p, id, to);
        }
    }
}

static err_t add_dags(struct picture *p, const struct console_port *port, struct arena *a)
{
    const struct dag **dags = arena_take(a, DAGS_MAX * sizeof(*dags));
    if (!dags) return ERR_NO_MEMORY;
    uint32_t n = port->dags ? port->dags(port->ctx, dags, DAGS_MAX) : 0;
    for (uint32_t i = 0; i < n; i++) {
        char id[NAME_TEXT] = "";
        const struct part *part = part_get(p, "dag", dags[i]->id);
        if (part) memcpy(id, part->id, sizeof(id));
        for (uint32_t t = 0; part && t < dags[i]->task_count; t++)
            dag_leads(p, id, dags[i]->tasks[t].options);
        dag_give(dags[i]);
    }
    return p->err;
}

/* --- told ----------------------------------------------------------------------------------------
 */

static void put_count(struct buf *out, const char *name, int64_t n)
{
    js_name(out, name);
    if (n < 0)
        js_null(out);
    else
        js_int(out, n);
}

static void put_part(struct buf *out, const struct part *part)
{
    const char *colon = strchr(part->id, ':');
    js_open(out, '{');
    js_put_cstr(out, "id", part->id);
    js_put_text(out, "kind", slice_make(part->id, (size_t)(colon - part->id)));
    js_put_cstr(out, "name", colon + 1);
    js_name(out, "rate");
    if (part->has_rate)
        js_real(out, (double)(int64_t)(part->rate * 10 + 0.5) / 10); /* 0.1 is exact enough */
    else
        js_null(out);
    put_count(out, "lag", part->lag);
    put_count(out, "dead", part->dead);
    js_put_cstr(out, "state", part->state);
    js_put_cstr(out, "trouble", part->trouble[0] ? part->trouble : NULL);
    js_close(out, '}');
}

static void put_picture(struct buf *out, const struct picture *p)
{
    js_open(out, '{');
    js_put_open(out, "parts", '[');
    for (size_t i = 0; i < p->parts.count; i++) put_part(out, vec_at(&p->parts, i));
    js_close(out, ']');
    js_put_open(out, "edges", '[');
    for (size_t i = 0; i < p->edges.count; i++) {
        const struct edge *e = vec_at(&p->edges, i);
        js_open(out, '[');
        js_text(out, slice_of(e->from));
        js_text(out, slice_of(e->to));
        js_close(out, ']');
    }
    js_close(out, ']');
    console_put_ledger(out, &p->sum);
    js_put_bool(out, "balanced", p->balanced);
    js_put_bool(out, "healthy", p->healthy);
    js_close(out, '}');
}

/* Topics and tables do what came into them, whoever brought it: as it was sampled last. */
static void find_rates(struct console *c, struct picture *p)
{
    for (size_t i = 0; i < p->parts.count; i++) {
        struct part *part = vec_at(&p->parts, i);
        if (part->has_rate) continue;
        double rate = console_last(c, part->id, "rate");
        part->has_rate = !isnan(rate);
        if (part->has_rate) part->rate = rate;
    }
}

static err_t draw(struct console *c, struct arena *a, struct buf *out, struct diag *d)
{
    struct picture p = {.world = c->o.world,
                        .parts = vec_make(sizeof(struct part), PARTS_MAX),
                        .edges = vec_make(sizeof(struct edge), EDGES_MAX),
                        .by_id = map_new(PARTS_MAX),
                        .balanced = true,
                        .healthy = true};
    err_t e = p.by_id ? ERR_OK : ERR_NO_MEMORY;
    if (!e && p.world->flow) e = flow_each(p.world->flow, on_stage, &p);
    if (!e) e = log_topics(p.world->log, on_topic, &p);
    find_rates(c, &p);
    if (!e) e = add_dags(&p, &c->o.port, a);
    if (!e)
        put_picture(out, &p);
    else
        e = diag_fail(d, e, "the pipeline can not be drawn: it has more than %d parts", PARTS_MAX);
    map_free(p.by_id);
    vec_done(&p.parts);
    vec_done(&p.edges);
    return e;
}

err_t console_overview(struct ask *a)
{
    return draw(a->console, a->arena, &a->out, &a->d);
}

err_t live_overview(struct look *k)
{
    return draw(k->console, k->arena, &k->out, &k->d);
}
