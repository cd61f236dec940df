/* watch: previews: a stream's plan over its topics' tails, without store, cursor or ledger. */
#include "flow/net.h"
#include "os/clock.h"
#include "os/thread.h"

enum { WATCH_REFRESH_MS = 100, WATCH_IDLE_MS = 10000, WATCH_PARTITIONS_MAX = 100000 };
static const size_t WATCH_MEMORY = 64 << 20;

struct tail { /* of a partition */
    struct log_partition *log;
    uint32_t topic;
    int64_t next, seen; /* seen: the greatest event time */
    int64_t heard_ms;
};
struct watch {
    struct log *log;
    const struct plan_stream *plan;
    const struct query_limits *limits;
    struct watch_options o;
    const struct watch_into *into;
    struct graph *graph;
    struct net *net; /* NULL: rows never change, and go on as they come */
    struct reader reader;
    struct chunk *chunk;
    struct arena *batch, *dense;
    struct counter counter;
    struct vec tails; /* struct tail */
    struct buf key;
    uint64_t epoch;
    int64_t watermark;
    bool told_dead, any;
};

static bool stopping(void *watch)
{
    const struct watch *w = watch;
    return w->limits->stopping && w->limits->stopping(w->limits->stop_ctx);
}

/* --- out ----------------------------------------------------------------------------------------
 */

static err_t tell(struct watch *w, const struct rows *r, int sign, struct diag *d)
{
    struct column *dense;
    arena_reset(w->dense);
    err_t e = rows_dense(r, w->dense, &dense);
    w->any = true;
    if (!e) e = w->into->rows(w->into->ctx, dense, r->b->column_count, r->count, sign);
    return e ? diag_fail(d, e, "the preview's rows could not be handed on") : ERR_OK;
}

static err_t tell_come(void *watch, const struct rows *r, struct diag *d)
{
    return tell(watch, r, 1, d);
}

static err_t tell_gone(void *watch, const struct rows *r, struct diag *d)
{
    return tell(watch, r, -1, d);
}

static err_t take_into(struct watch *w, struct net *n, const struct rows *r, struct diag *d)
{
    const struct plan_node *root = w->plan->root;
    struct column keys[256];
    uint32_t count = root->key_count ? root->key_count : root->column_count;
    if (count > COUNT_OF(keys))
        return diag_fail(d, ERR_UNSUPPORTED,
                         "a preview of rows that change has at most %zu columns", COUNT_OF(keys));
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < count; i++)
        keys[i] = r->b->columns[root->key_count ? root->key[i] : i];
    for (uint32_t i = 0; !e && i < r->count; i++) {
        buf_reset(&w->key);
        op_key(&w->key, keys, count, r->selected[i]);
        e = w->key.err ? diag_fail(d, w->key.err, "a row's key")
                       : net_take(n, buf_view(&w->key), r, r->selected[i], d);
    }
    return e;
}

static err_t on_rows(void *watch, const struct rows *r, struct diag *d)
{
    struct watch *w = watch;
    return w->net ? take_into(w, w->net, r, d) : tell(w, r, 1, d);
}

static void told_dead(struct watch *w, struct slice reason, struct slice expression)
{
    if (!w->told_dead && w->into->dead) w->into->dead(w->into->ctx, reason, expression);
    w->told_dead = true;
}

static err_t on_dead(void *watch, err_t e, struct slice reason, struct slice expression,
                     struct slice raw, struct diag *d)
{
    (void)e, (void)raw, (void)d;
    told_dead(watch, reason, expression);
    return ERR_OK;
}

/* --- the kept picture ---------------------------------------------------------------------------
 */

struct thinning {
    struct watch *watch;
    struct net *into;
};

static err_t thin_one(void *ctx, const struct rows *r, struct diag *d)
{
    struct thinning *t = ctx;
    return take_into(t->watch, t->into, r, d);
}

/* A net keeps what was overwritten until it is made anew. */
static err_t thin(struct watch *w, struct diag *d)
{
    if (net_bytes(w->net) < w->o.memory_max / 2) return ERR_OK;
    struct thinning t = {.watch = w};
    err_t e = net_new(w->plan->root, w->o.memory_max, &t.into, d);
    if (!e) e = net_tell(w->net, 1, w->batch, thin_one, &t, d);
    if (e) {
        net_free(t.into);
        return e;
    }
    net_free(w->net);
    w->net = t.into;
    return ERR_OK;
}

static err_t tell_changes(struct watch *w, struct diag *d)
{
    err_t e = ERR_OK;
    if (w->net && !w->o.whole) e = net_tell(w->net, -1, w->batch, tell_gone, w, d);
    if (w->net && !e) e = net_tell(w->net, 1, w->batch, tell_come, w, d);
    if (w->net && !w->o.whole) net_reset(w->net);
    if (w->net && w->o.whole && !e) e = thin(w, d);
    if (!e && (w->any || w->net) && w->into->told)
        if ((e = w->into->told(w->into->ctx)))
            return diag_fail(d, e, "the preview could not go on");
    w->any = false;
    return e;
}

/* --- in -----------------------------------------------------------------------------------------
 */

static err_t push(struct watch *w, struct tail *t, int64_t now_ms, struct diag *d)
{
    t->heard_ms = now_ms;
    err_t e = w->chunk->rows ? graph_push(w->graph, t->topic, w->chunk, d) : ERR_OK;
    if (w->chunk->rows) t->seen = MAX(t->seen, graph_time_seen(w->graph, t->topic));
    if (w->chunk->dead_count) told_dead(w, w->chunk->dead[0].reason, w->chunk->dead[0].expression);
    return e;
}

/* What a partition has, until `until_ms`. */
static err_t read_tail(struct watch *w, struct tail *t, int64_t until_ms, bool *got, struct diag *d)
{
    err_t e = ERR_OK;
    w->reader.until = log_stable_offset(t->log);
    if (t->next >= w->reader.until) return ERR_OK;
    reader_aim(&w->reader, t->log, t->next);
    while (!e && w->reader.next < w->reader.until && !stopping(w)) {
        int64_t now_ms = clock_mono_ns() / 1000000;
        arena_reset(w->batch);
        e = reader_fill(&w->reader, w->chunk, CHUNK_ROWS, &w->counter, d);
        if (e == ERR_OFFSET_RANGE && log_start_offset(t->log) > w->reader.next) {
            reader_aim(&w->reader, t->log, log_start_offset(t->log)); /* retention went by */
            e = ERR_OK;
            continue;
        }
        if (!e) e = push(w, t, now_ms, d);
        *got = true;
        if (now_ms >= until_ms) break;
    }
    t->next = w->reader.next;
    return e;
}

/* The least of the partitions' times; the silent ones hold nothing up. */
static void move_watermark(struct watch *w, int64_t now_ms)
{
    int64_t least = INT64_MAX;
    for (size_t i = 0; i < w->tails.count; i++) {
        const struct tail *t = vec_at(&w->tails, i);
        int64_t delay = w->plan->topics[t->topic]->topic.delay_ms;
        if (t->seen < INT64_MIN + delay || now_ms - t->heard_ms > WATCH_IDLE_MS) continue;
        least = MIN(least, t->seen - delay);
    }
    if (least != INT64_MAX) w->watermark = MAX(w->watermark, least);
}

static err_t refresh(struct watch *w, int64_t now_ms, bool first, struct diag *d)
{
    bool got = false;
    err_t e = ERR_OK;
    graph_begin(w->graph, clock_wall_ms(), ++w->epoch, w->watermark, &w->counter, w->batch);
    for (size_t i = 0; !e && i < w->tails.count; i++)
        e = read_tail(w, vec_at(&w->tails, i), now_ms + w->o.refresh_ms, &got, d);
    if (e || (!got && !first)) return e;
    int64_t before = w->watermark;
    move_watermark(w, now_ms);
    if (w->watermark > before) e = graph_advance(w->graph, w->watermark, d);
    if (!e) e = graph_flush(w->graph, false, d);
    if (!e) graph_kept(w->graph);
    return e ? e : tell_changes(w, d);
}

static err_t run(struct watch *w, struct diag *d)
{
    struct gate pause;
    err_t e = ERR_OK;
    gate_init(&pause);
    for (bool first = true; !e && !stopping(w); first = false) {
        int64_t began = clock_mono_ns() / 1000000;
        e = refresh(w, began, first, d);
        int64_t left = began + w->o.refresh_ms - clock_mono_ns() / 1000000;
        gate_enter(&pause);
        if (!e && left > 0) (void)gate_wait_ms(&pause, left);
        gate_leave(&pause);
    }
    gate_done(&pause);
    return stopping(w) ? ERR_OK : e;
}

/* --- opening ------------------------------------------------------------------------------------
 */

static err_t refuse(const struct plan_node *n, struct diag *d)
{
    err_t e = ERR_OK;
    if (n->kind == NODE_LOOKUP || n->kind == NODE_TRANSFORM || n->kind == NODE_TABLE)
        return diag_fail(d, ERR_UNSUPPORTED,
                         n->kind == NODE_TRANSFORM ? "a preview runs no command"
                                                   : "a preview looks up no table");
    for (uint32_t i = 0; !e && i < n->input_count; i++) e = refuse(n->inputs[i], d);
    return e;
}

static err_t find_tails(struct watch *w, struct diag *d)
{
    for (uint32_t n = 0; n < w->plan->topic_count; n++) {
        struct slice name = w->plan->topics[n]->topic.relation->name;
        struct log_topic *topic = log_topic_find(w->log, name);
        int32_t count = topic ? log_topic_partitions(topic) : 0;
        if (!topic) return diag_fail(d, ERR_UNKNOWN_TOPIC, "topic '%.*s'", SLICE_ARG(name));
        for (int32_t i = 0; i < count; i++) {
            struct tail *t = vec_add(&w->tails);
            if (!t) return diag_fail(d, ERR_TOO_BIG, "a preview of so many partitions");
            *t = (struct tail){.log = log_partition(topic, i), .topic = n, .seen = INT64_MIN};
            int64_t back = ((int64_t)w->o.last + count - 1) / count;
            t->next = MAX(log_start_offset(t->log), log_stable_offset(t->log) - back);
        }
    }
    return ERR_OK;
}

static err_t give_head(struct watch *w, struct diag *d)
{
    const struct plan_node *root = w->plan->root;
    struct arena *a = w->graph->texts;
    struct slice *names = arena_take(a, (root->column_count + 1) * sizeof(*names));
    const struct type **types = arena_take(a, (root->column_count + 1) * sizeof(*types));
    if (!names || !types) return diag_fail(d, ERR_NO_MEMORY, "a preview's head");
    for (uint32_t i = 0; i < root->column_count; i++) {
        names[i] = root->columns[i].name;
        types[i] = root->columns[i].type;
    }
    err_t e = w->into->head(w->into->ctx, names, types, root->column_count);
    return e ? diag_fail(d, e, "the head could not be handed on") : ERR_OK;
}

static err_t watch_open(struct watch *w, struct diag *d)
{
    const struct plan_stream *p = w->plan;
    struct graph_options o = {.root = p->root,
                              .node_count = p->node_count,
                              .stream = 1,
                              .name = SLICE("preview"),
                              .memory_max = w->o.memory_max,
                              .ctx = w,
                              .end = on_rows,
                              .dead = on_dead,
                              .stopping = stopping};
    w->batch = arena_new(GIB(1));
    w->dense = arena_new(GIB(1));
    w->chunk = mem_take(sizeof(*w->chunk));
    if (!w->batch || !w->dense || !w->chunk || reader_init(&w->reader))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a preview");
    err_t e = refuse(p->root, d);
    if (!e) e = graph_new(&o, &w->graph, d);
    if (!e && p->root->changes) e = net_new(p->root, w->o.memory_max, &w->net, d);
    for (uint32_t i = 0; !e && i < p->topic_count; i++)
        w->reader.wants_value |= graph_reads_value(w->graph, i);
    if (!e) e = find_tails(w, d);
    return e ? e : give_head(w, d);
}

err_t stream_watch(struct log *l, const struct plan_stream *p, const struct query_limits *limits,
                   const struct watch_options *o, const struct watch_into *into, struct diag *d)
{
    struct watch w = {.log = l,
                      .plan = p,
                      .limits = limits,
                      .o = *o,
                      .into = into,
                      .counter.skip = -1,
                      .watermark = INT64_MIN,
                      .tails = vec_make(sizeof(struct tail), WATCH_PARTITIONS_MAX),
                      .key = buf_make(MIB(16))};
    if (!w.o.refresh_ms) w.o.refresh_ms = WATCH_REFRESH_MS;
    if (!w.o.memory_max) w.o.memory_max = WATCH_MEMORY;
    err_t e = watch_open(&w, d);
    if (!e) e = run(&w, d);
    graph_free(w.graph);
    net_free(w.net);
    if (w.reader.opened) reader_done(&w.reader);
    mem_give(w.chunk);
    arena_free(w.batch);
    arena_free(w.dense);
    vec_done(&w.tails);
    buf_done(&w.key);
    return e;
}
