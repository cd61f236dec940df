#include "flow/rerun.h"

static err_t on_tap(void *ctx, struct op *from, struct rows *rows, struct diag *d)
{
    struct rerun_side *s = ctx;
    return s->of->tap(s, from, rows, d);
}

static err_t on_rows(void *ctx, const struct rows *rows, struct diag *d)
{
    struct rerun_side *s = ctx;
    if (rows->chunk) count_term(&s->counter, TERM_APPLIED, rows->count); /* as a sink does */
    return s->of->rows(s, rows, d);
}

/* Of a row that is no record: the stream has written it. */
static err_t on_dead(void *ctx, err_t e, struct slice reason, struct slice expression,
                     struct slice raw, struct diag *d)
{
    (void)ctx, (void)e, (void)reason, (void)expression, (void)raw, (void)d;
    return ERR_OK;
}

static bool on_stopping(void *ctx)
{
    const struct rerun *r = ((struct rerun_side *)ctx)->of;
    return r->stopping && r->stopping(r->asked_ctx);
}

static err_t open_side(struct rerun *r, uint32_t index, struct diag *d)
{
    const struct plan_stream *p = r->stage->stream->plan;
    struct rerun_side *s = &r->side[index];
    *s = (struct rerun_side){.of = r, .index = index, .counter.skip = -1};
    struct graph_options o = {.root = p->root,
                              .node_count = p->node_count,
                              .store = r->flow->o.store,
                              .log = r->flow->o.log,
                              .scratch = true,
                              .stream = r->stage->stream->number,
                              .name = p->name,
                              .memory_max = RERUN_STATE,
                              .ctx = s,
                              .end = on_rows,
                              .dead = on_dead,
                              .tap = r->tap ? on_tap : NULL,
                              .stopping = on_stopping};
    return graph_new(&o, &s->graph, d);
}

/* --- an epoch's records -------------------------------------------------------------------------
 */

static err_t may_go_on(struct rerun *r, struct diag *d)
{
    if (r->progress) r->progress(r->asked_ctx, r->records, r->total);
    if (r->stopping && r->stopping(r->asked_ctx)) return diag_fail(d, ERR_STOPPED, "it was ended");
    if (clock_mono_ns() < r->until_ns) return ERR_OK;
    return diag_fail(d, ERR_TIMEOUT, "running the epochs again takes longer than %d minutes",
                     RERUN_MS / 60000);
}

static err_t push(struct rerun *r, bool one, struct diag *d)
{
    struct chunk *c = r->chunk;
    err_t e = ERR_OK;
    r->records += c->rows + c->dead_count;
    if (!c->rows) return ERR_OK;
    for (uint32_t i = 0; !e && i < (one ? 1 : r->sides); i++) {
        arena_reset(r->arena);
        if (i) memset(c->gone, 0, c->rows);
        c->dead_count = 0;
        if (one && r->one) e = r->one(r, false, d);
        if (!e) e = graph_push(r->side[i].graph, r->topic, c, d);
        if (!e && one && r->one) e = r->one(r, true, d);
    }
    return e;
}

/* Where the next batch must end, so that the one record stands alone. */
static int64_t batch_until(const struct rerun *r, const struct epoch_range *g, int64_t next,
                           bool *one)
{
    *one = false;
    if (!r->has_one || g->topic != r->one_topic || g->partition != r->one_partition) return g->to;
    if (next > r->one_offset || r->one_offset >= g->to) return g->to;
    *one = next == r->one_offset;
    return *one ? next + 1 : r->one_offset;
}

static err_t read_range(struct rerun *r, const struct epoch_range *g, struct diag *d)
{
    const struct stream *s = r->stage->stream;
    struct log_partition *p =
        g->topic < s->plan->topic_count ? log_partition(s->topics[g->topic].log, g->partition) : 0;
    err_t e = ERR_OK;
    if (!p) {
        r->lost += (uint64_t)(g->to - g->from);
        return ERR_OK;
    }
    int64_t next = MAX(g->from, MIN(log_start_offset(p), g->to));
    r->topic = g->topic;
    r->lost += (uint64_t)(next - g->from);
    r->reader.wants_value = graph_reads_value(r->side[0].graph, g->topic);
    while (!e && next < g->to) {
        bool one;
        r->reader.until = batch_until(r, g, next, &one);
        reader_aim(&r->reader, p, next);
        e = reader_fill(&r->reader, r->chunk, CHUNK_ROWS, &r->side[0].counter, d);
        int64_t start = log_start_offset(p);
        if (e == ERR_OFFSET_RANGE && start > next) { /* retention goes by */
            r->lost += (uint64_t)(MIN(start, g->to) - next);
            next = MIN(start, g->to);
            e = ERR_OK;
            continue;
        }
        if (!e) e = push(r, one, d);
        next = r->reader.next;
        if (!e) e = may_go_on(r, d);
    }
    return e;
}

static err_t run_epoch(struct rerun *r, const struct epoch_record *e, struct diag *d)
{
    err_t err = ERR_OK;
    r->epoch = e;
    for (uint32_t i = 0; i < r->sides; i++)
        graph_begin(r->side[i].graph, e->now_ms, e->epoch, r->watermark, &r->side[i].counter,
                    r->arena);
    for (uint32_t i = 0; !err && i < e->range_count; i++) err = read_range(r, &e->ranges[i], d);
    for (uint32_t i = 0; !err && i < r->sides; i++) {
        struct graph *g = r->side[i].graph;
        bool part = e->closing != NO_CLOSING;
        int64_t to = part ? e->closing : e->watermark;
        if (part) err = graph_close_until(g, e->cut, d);
        if (!err && to > r->watermark) err = graph_advance(g, to, d);
        if (!err) err = graph_flush(g, false, d);
        if (!err) graph_kept(g);
    }
    r->watermark = MAX(r->watermark, e->watermark);
    r->epochs++;
    r->other_sql |= e->sql_version != r->stage->stream->plan->sql_version;
    r->letters |= e->range_count == 0 && e->delta.dead != 0;
    if (!err && r->told) err = r->told(r, e, d);
    return err;
}

static err_t each_epoch(void *ctx, struct slice key, struct slice value)
{
    struct rerun *r = ctx;
    struct epoch_record e;
    (void)key;
    arena_reset(r->records_arena);
    if (epoch_record_take(value, r->records_arena, &e))
        return diag_fail(r->d, ERR_CORRUPT, "the record of an epoch of '%.*s' can not be read",
                         SLICE_ARG(r->stage->name));
    if (e.epoch > r->last) return ERR_STOPPED;
    if (!r->epochs && e.epoch < r->first) {
        r->watermark = MAX(r->watermark, e.watermark);
        return ERR_OK;
    }
    if (!r->epochs) r->first_epoch = e.epoch;
    err_t err = may_go_on(r, r->d);
    return err ? err : run_epoch(r, &e, r->d);
}

static void count_all(struct rerun *r)
{
    const struct stream *s = r->stage->stream;
    for (uint32_t t = 0; t < s->plan->topic_count; t++)
        for (int32_t i = 0; i < log_topic_partitions(s->topics[t].log); i++) {
            struct log_partition *p = log_partition(s->topics[t].log, i);
            r->total += (uint64_t)(log_stable_offset(p) - log_start_offset(p));
        }
}

static err_t open_rerun(struct rerun *r, struct diag *d)
{
    r->watermark = INT64_MIN;
    r->until_ns = clock_mono_ns() + RERUN_MS * 1000000LL;
    r->d = d;
    r->arena = arena_new(GIB(1));
    r->records_arena = arena_new(MIB(64));
    r->chunk = mem_take(sizeof(*r->chunk));
    if (!r->arena || !r->records_arena || !r->chunk || reader_init(&r->reader))
        return diag_fail(d, ERR_NO_MEMORY, "no memory to run epochs again");
    count_all(r);
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->sides; i++) e = open_side(r, i, d);
    return e;
}

static void close_rerun(struct rerun *r)
{
    for (uint32_t i = 0; i < r->sides; i++) graph_free(r->side[i].graph);
    if (r->reader.opened) reader_done(&r->reader);
    mem_give(r->chunk);
    arena_free(r->records_arena);
    arena_free(r->arena);
}

err_t rerun_run(struct rerun *r, struct diag *d)
{
    struct stage_key k = stage_key(r->stage->key);
    err_t e = open_rerun(r, d);
    if (!e)
        e = store_records(r->flow->o.store, NULL, STORE_EPOCH, stage_key_slice(&k),
                          (struct slice){0}, each_epoch, r, d);
    if (e == ERR_STOPPED && (!r->stopping || !r->stopping(r->asked_ctx))) e = ERR_OK;
    close_rerun(r);
    return e;
}
