/* trial: records through a stream's plan without log or cursor: fixtures, and what `plan` tries. */
#include "flow/net.h"

enum { TRIAL_STATE_MAX = 256 << 20 };

struct trying {
    const struct plan_stream *plan;
    const struct trial *into;
    struct graph *graph;
    struct net *net; /* where rows may be taken back */
    struct chunk *chunk;
    struct arena *arena;
    struct buf key;
    struct counter counter;
    uint32_t first; /* record of the chunk at hand, counted through all topics */
};

/* The records of one chunk, copied where the decoder may read past their ends. */
static err_t load(struct trying *t, const struct slice *records, uint32_t count, uint32_t first,
                  int64_t now_ms)
{
    struct chunk *c = t->chunk;
    size_t bytes = JSON_PADDING;
    chunk_reset(c);
    for (uint32_t i = 0; i < count; i++) bytes += records[i].len;
    uint8_t *at = arena_take_raw(t->arena, bytes);
    if (!at) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++) {
        if (records[i].len) memcpy(at, records[i].at, records[i].len);
        c->values[i] = slice_make(at, records[i].len);
        c->keys[i] = (struct slice){0};
        c->offsets[i] = first + i; /* no topic's own: only told apart by it */
        c->times[i] = now_ms;
        c->partitions[i] = 0;
        c->gone[i] = 0;
        at += records[i].len;
    }
    memset(at, 0, JSON_PADDING);
    c->rows = count;
    count_term(&t->counter, TERM_IN, count);
    return ERR_OK;
}

/* Which record a row was made of; UINT32_MAX: of several. */
static uint32_t record_of(const struct rows *r, uint32_t row)
{
    return r->offsets ? (uint32_t)r->offsets[row] : UINT32_MAX;
}

static err_t tell_rows(void *ctx, const struct rows *r, struct diag *d)
{
    struct trying *t = ctx;
    (void)d;
    count_term(&t->counter, TERM_ROWS_OUT, r->count);
    for (uint32_t i = 0; t->into->row && i < r->count; i++) {
        uint32_t row = r->selected[i];
        err_t e =
            t->into->row(t->into->ctx, r->b->columns, r->b->column_count, row, record_of(r, row));
        if (e) return e;
    }
    return ERR_OK;
}

/* Rows that may be taken back: the last word on each key counts. */
static err_t keep_words(struct trying *t, const struct rows *r, struct diag *d)
{
    const struct plan_node *root = t->plan->root;
    struct column *keys = arena_take_raw(t->arena, (r->b->column_count + 1) * sizeof(*keys));
    uint32_t count = root->key_count ? root->key_count : r->b->column_count;
    err_t e = keys ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < count; i++)
        keys[i] = r->b->columns[root->key_count ? root->key[i] : i];
    for (uint32_t i = 0; !e && i < r->count; i++) {
        buf_reset(&t->key);
        op_key(&t->key, keys, count, r->selected[i]);
        e = t->key.err ? t->key.err : net_take(t->net, buf_view(&t->key), r, r->selected[i], d);
    }
    return e;
}

static err_t take_rows(void *ctx, const struct rows *r, struct diag *d)
{
    struct trying *t = ctx;
    if (r->chunk) count_term(&t->counter, TERM_APPLIED, r->count);
    return t->net ? keep_words(t, r, d) : tell_rows(t, r, d);
}

static err_t dead_row(void *ctx, err_t e, struct slice reason, struct slice expression,
                      struct slice raw, struct diag *d)
{
    struct trying *t = ctx;
    (void)e, (void)raw, (void)d;
    return t->into->dead ? t->into->dead(t->into->ctx, UINT32_MAX, reason, expression) : ERR_OK;
}

static err_t tell_dead(struct trying *t)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < t->chunk->dead_count; i++) {
        const struct chunk_dead *dead = &t->chunk->dead[i];
        count_term(&t->counter, TERM_DEAD, dead->count);
        if (t->into->dead)
            e = t->into->dead(t->into->ctx, t->first + dead->row, dead->reason, dead->expression);
    }
    return e;
}

static err_t try_topic(struct trying *t, uint32_t topic, const struct trial_topic *of,
                       int64_t now_ms, int64_t *seen, struct diag *d)
{
    err_t e = ERR_OK;
    *seen = INT64_MIN;
    for (uint32_t at = 0; !e && at < of->count; at += CHUNK_ROWS) {
        uint32_t rows = MIN(of->count - at, (uint32_t)CHUNK_ROWS);
        arena_reset(t->arena);
        e = load(t, of->records + at, rows, t->first, now_ms);
        if (e) return diag_fail(d, e, "%u records of a trial", rows);
        e = graph_push(t->graph, topic, t->chunk, d);
        if (!e) e = tell_dead(t);
        *seen = MAX(*seen, graph_time_seen(t->graph, topic));
        t->first += rows;
    }
    return e;
}

static err_t try_all(struct trying *t, const struct trial_topic *topics, int64_t now_ms,
                     struct diag *d)
{
    int64_t watermark = INT64_MAX;
    err_t e = ERR_OK;
    graph_begin(t->graph, now_ms, 1, INT64_MIN, &t->counter, t->arena);
    for (uint32_t i = 0; !e && i < t->plan->topic_count; i++) {
        int64_t seen, delay = t->plan->topics[i]->topic.delay_ms;
        e = try_topic(t, i, &topics[i], now_ms, &seen, d);
        if (seen >= INT64_MIN + delay) watermark = MIN(watermark, seen - delay);
    }
    if (!e && watermark != INT64_MAX) e = graph_advance(t->graph, watermark, d);
    if (!e) e = graph_flush(t->graph, false, d);
    if (!e && t->net) e = net_tell(t->net, 1, t->arena, tell_rows, t, d);
    if (!e && !ledger_balanced(&t->counter.now))
        e = diag_fail(d, ERR_LEDGER, "a trial of stream '%.*s'", SLICE_ARG(t->plan->name));
    return e;
}

static err_t trial_open(struct trying *t, struct store *tables, struct diag *d)
{
    const struct plan_stream *p = t->plan;
    struct graph_options o = {.root = p->root,
                              .node_count = p->node_count,
                              .store = tables,
                              .scratch = true,
                              .stream = 1,
                              .name = p->name,
                              .memory_max = TRIAL_STATE_MAX,
                              .ctx = t,
                              .end = take_rows,
                              .dead = dead_row};
    t->chunk = mem_take(sizeof(*t->chunk));
    t->arena = arena_new(GIB(1));
    if (!t->chunk || !t->arena) return diag_fail(d, ERR_NO_MEMORY, "no memory for a trial");
    err_t e = graph_new(&o, &t->graph, d);
    return e || !p->root->changes ? e : net_new(p->root, TRIAL_STATE_MAX, &t->net, d);
}

err_t stream_trial(const struct plan_stream *p, const struct trial_topic *topics,
                   struct store *tables, int64_t now_ms, const struct trial *into,
                   struct ledger *ledger, struct diag *d)
{
    struct trying t = {.plan = p, .into = into, .key = buf_make(MIB(16)), .counter = {.skip = -1}};
    err_t e = trial_open(&t, tables, d);
    if (!e) e = try_all(&t, topics, now_ms, d);
    if (ledger) *ledger = t.counter.now;
    graph_free(t.graph);
    net_free(t.net);
    buf_done(&t.key);
    mem_give(t.chunk);
    arena_free(t.arena);
    return e;
}
