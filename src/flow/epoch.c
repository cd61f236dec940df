/* epoch: rows, dead letters, state, cursors, ledger and the epoch's own record, in one atomic write
 * (F1). */
#include "flow/edition.h"
#include "flow/sink.h"

enum {
    EPOCH_SLACK = 256 << 20, /* what the chunk that crosses the soft bound may add */
    PRUNE_EVERY = 1024,      /* epochs between looks for records that retention has overtaken */
    PACE_LEAST = 256         /* rows of a live epoch, however slow the disk is */
};

static uint64_t epoch_number(const struct lane *l)
{
    return (l->last_epoch + 1) << 8 | l->index;
}

err_t epoch_begin(struct lane *l, enum store_form form, const struct epoch_record *as,
                  struct diag *d)
{
    struct flow *f = lane_flow(l);
    struct epoch *p = &l->epoch;
    uint32_t rows = form == STORE_CATCHUP ? f->o.epoch_rows_catchup : l->pace;
    if (form == STORE_CATCHUP) rows = MAX(rows / l->stream->lane_count, 1u);
    if (l->rows_cap) rows = MIN(rows, l->rows_cap);
    if (l->stream->plan->root->changes) /* its words are kept until the epoch's end */
        rows = (uint32_t)MIN((uint64_t)rows, net_rows(l->stream->plan->root, lane_share(l) / 2));
    *p = (struct epoch){.number = as ? as->epoch : epoch_number(l),
                        .now_ms = as ? as->now_ms : clock_wall_ms(),
                        .started_ns = clock_mono_ns(),
                        .form = form,
                        .rows_max = rows,
                        .watermark = l->watermark,
                        .target = l->watermark,
                        .closing = NO_CLOSING};
    p->counter.skip = f->o.mutant == FLOW_MUTANT_SKIP_COUNT ? (int)f->o.mutant_term : -1;
    arena_reset(l->arena);
    graph_begin(l->graph, p->now_ms, p->number, l->watermark, &p->counter, l->arena);
    err_t e = l->sink->begin(l, d);
    p->begun = !e;
    if (e) return e;
    /* the soft bound closes an epoch; the hard one leaves room for the chunk that crosses it */
    size_t bytes = f->o.epoch_bytes ? f->o.epoch_bytes : lane_share(l) / 4 * 3 + EPOCH_SLACK;
    return store_write_begin(f->o.store, form, bytes, &p->write, d);
}

void epoch_abort(struct lane *l)
{
    store_write_abort(l->epoch.write);
    l->epoch.write = NULL;
    graph_forget(l->graph);
    atomic_store(&l->loaded, false); /* what is durable is the store's to say */
    l->reader.partition = NULL;
}

/* --- dead letters -------------------------------------------------------------------------------
 */

static err_t write_dead(struct lane *l, struct lane_partition *p, const struct chunk *c,
                        struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < c->dead_count; i++) {
        const struct chunk_dead *n = &c->dead[i];
        struct dead_note note = {.major = (uint64_t)n->time_ms,
                                 .partition = p->index,
                                 .minor = n->offset,
                                 .topic_number = p->topic,
                                 .count = n->count,
                                 .column = n->column,
                                 .written_ms = l->epoch.now_ms,
                                 .offset = n->offset,
                                 .time_ms = n->time_ms,
                                 .epoch = l->epoch.number,
                                 .err = n->err,
                                 .topic = l->stream->topics[p->topic].name,
                                 .reason = n->reason,
                                 .expression = n->expression,
                                 .key = n->key,
                                 .raw = n->raw};
        e = dead_write(l->epoch.write, l->stream->stage->key, &note, &l->scratch,
                       &l->epoch.dead_bytes, d);
        count_term(&l->epoch.counter, TERM_DEAD, n->count);
    }
    return e;
}

/* A row that is no record: nothing of the ledger's, but seen (graph_options.dead). Its key stands
 * on the epoch and its place there, which a replay has again (F6). */
static err_t dead_row(void *ctx, err_t why, struct slice reason, struct slice expression,
                      struct slice raw, struct diag *d)
{
    struct lane *l = ctx;
    struct dead_note note = {.major = (uint64_t)l->epoch.now_ms,
                             .partition = -1,
                             .minor = (int64_t)(l->epoch.number << 24 | l->epoch.letters++),
                             .offset = -1,
                             .time_ms = l->epoch.now_ms,
                             .written_ms = l->epoch.now_ms,
                             .epoch = l->epoch.number,
                             .err = why,
                             .topic = l->stream->stage->from,
                             .reason = reason,
                             .expression = expression,
                             .raw = raw};
    return dead_write(l->epoch.write, l->stream->stage->key, &note, &l->scratch,
                      &l->epoch.dead_bytes, d);
}

/* --- records in, rows out -----------------------------------------------------------------------
 */

static err_t take_rows(void *lane, const struct rows *r, struct diag *d)
{
    struct lane *l = lane;
    return l->sink->rows(l, r, d);
}

static bool lane_asked_to_stop(void *lane)
{
    return stage_stopping(((struct lane *)lane)->stream->stage);
}

/* Whether what closes has filled the epoch: its rows, and the keys that go from the state. */
static bool lane_closed_enough(void *lane)
{
    enum { KEY_BYTES = 128, PARTS = 4 };
    const struct lane *l = lane;
    const struct state_budget *state = &l->graph->budget;
    size_t bytes = store_write_bytes(l->epoch.write) + l->graph->closed * KEY_BYTES;
    if (l->sink->bytes) bytes += l->sink->bytes(l);
    size_t most = lane_share(l) / 3, hard = lane_flow(l)->o.epoch_bytes;
    return bytes >= (hard ? MIN(most, hard / PARTS) : most) || state->used >= state->max / 2 * 3;
}

err_t epoch_graph(struct lane *l, struct diag *d)
{
    const struct plan_stream *p = l->stream->plan;
    struct graph_options o = {.root = p->root,
                              .node_count = p->node_count,
                              .store = lane_flow(l)->o.store,
                              .log = lane_flow(l)->o.log,
                              .stream = l->stream->number,
                              .name = p->name,
                              .late_letters = p->settings.late == LATE_DEAD_LETTER,
                              .memory_max = lane_share(l) / 4,
                              .ctx = l,
                              .end = take_rows,
                              .dead = dead_row,
                              .stopping = lane_asked_to_stop,
                              .closed_enough = lane_closed_enough};
    return graph_new(&o, &l->graph, d);
}

err_t epoch_take(struct lane *l, struct lane_partition *p, struct diag *d)
{
    arena_reset(l->arena);
    err_t e = graph_push(l->graph, p->topic, l->chunk, d);
    return e ? e : epoch_settle(l, p, l->chunk, graph_time_seen(l->graph, p->topic), d);
}

err_t epoch_settle(struct lane *l, struct lane_partition *p, const struct chunk *c, int64_t seen,
                   struct diag *d)
{
    if (c->rows) p->now.time_seen = MAX(p->now.time_seen, seen);
    return write_dead(l, p, c, d);
}

err_t epoch_finish(struct lane *l, struct diag *d)
{
    struct epoch *p = &l->epoch;
    bool moves = p->target > l->watermark;
    err_t e = moves ? graph_advance(l->graph, p->target, d) : ERR_OK;
    if (!e) e = graph_flush(l->graph, false, d);
    if (moves && graph_cut(l->graph).at)
        p->closing = p->target;
    else
        p->watermark = p->target;
    if (!e) e = l->sink->finish(l, d);
    return e;
}

/* --- committing ---------------------------------------------------------------------------------
 */

static bool cursor_moved(const struct lane_partition *p)
{
    return (p->lane->fresh && !p->has_cursor) || p->now.next != p->durable.next ||
           p->now.last_write_us != p->durable.last_write_us;
}

static err_t write_cursors(struct lane *l, struct store_write *w)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        struct stage_key k = cursor_key(l->stream->stage->key, p->topic, p->index);
        if (!cursor_moved(p)) continue;
        buf_reset(&l->scratch);
        stream_cursor_put(&l->scratch, &p->now);
        e = store_write_record(w, STORE_CURSOR, stage_key_slice(&k), buf_view(&l->scratch));
    }
    return e;
}

static err_t write_epoch(struct lane *l)
{
    struct epoch_range *ranges = arena_take(l->arena, l->partition_count * sizeof(*ranges));
    struct epoch_record r = {.epoch = l->epoch.number,
                             .now_ms = l->epoch.now_ms,
                             .watermark = l->epoch.watermark,
                             .sql_version = l->stream->plan->sql_version,
                             .form = l->epoch.form,
                             .delta = l->epoch.counter.now,
                             .ranges = ranges,
                             .closing = l->epoch.closing,
                             .cut = graph_cut(l->graph)};
    struct stage_key k = stage_key(l->stream->stage->key);
    uint32_t first = lane_stateful(l) ? l->first : 0;
    if (!ranges) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        const struct lane_partition *p = &l->partitions[(first + i) % l->partition_count];
        if (p->now.next == p->durable.next) continue;
        ranges[r.range_count++] =
            (struct epoch_range){p->topic, p->index, p->durable.next, p->now.next};
    }
    stage_key_be(&k, l->epoch.number, 8);
    buf_reset(&l->scratch);
    epoch_record_put(&l->scratch, &r);
    return store_write_record(l->epoch.write, STORE_EPOCH, stage_key_slice(&k),
                              buf_view(&l->scratch));
}

static err_t write_ledger(struct lane *l)
{
    struct lane_ledger sum = {.total = l->total,
                              .epoch = l->epoch.number >> 8,
                              .commit_ms = l->epoch.now_ms,
                              .watermark = l->epoch.watermark,
                              .closing = l->epoch.closing,
                              .last_write_us = l->last_write_us};
    struct stage_key k = stage_key(l->stream->stage->key);
    ledger_add(&sum.total, &l->epoch.counter.now);
    stage_key_be(&k, l->index, 4);
    buf_reset(&l->scratch);
    lane_ledger_put(&l->scratch, &sum);
    return store_write_record(l->epoch.write, STORE_LEDGER, stage_key_slice(&k),
                              buf_view(&l->scratch));
}

struct pruning {
    struct lane *lane;
    uint32_t looked;
};

/* An epoch's record lives as long as a record of its ranges is in the log. */
static err_t prune_one(void *ctx, struct slice key, struct slice value)
{
    struct pruning *p = ctx;
    struct lane *l = p->lane;
    struct epoch_record r;
    if (p->looked++ >= 2 * PRUNE_EVERY) return ERR_STOPPED;
    if (epoch_record_take(value, l->arena, &r)) return ERR_STOPPED;
    if ((r.epoch & 0xff) != l->index) return ERR_OK;
    for (uint32_t i = 0; i < r.range_count; i++) {
        const struct epoch_range *range = &r.ranges[i];
        if (range->topic >= l->stream->plan->topic_count) continue;
        struct log_partition *log =
            log_partition(l->stream->topics[range->topic].log, range->partition);
        if (log && range->to > log_start_offset(log)) return ERR_STOPPED;
    }
    return store_write_record(l->epoch.write, STORE_EPOCH, key, (struct slice){0});
}

static err_t prune(struct lane *l, struct diag *d)
{
    struct stage_key k = stage_key(l->stream->stage->key);
    struct pruning p = {.lane = l};
    if ((l->last_epoch + 1) % PRUNE_EVERY) return ERR_OK;
    err_t e = store_records(lane_flow(l)->o.store, NULL, STORE_EPOCH, stage_key_slice(&k),
                            (struct slice){0}, prune_one, &p, d);
    return e == ERR_STOPPED ? ERR_OK : e;
}

/* The crash tests' mutant: the cursor is durable before the rows are. */
static err_t commit_cursor_first(struct lane *l, struct diag *d)
{
    struct store_write *w = NULL;
    err_t e = store_write_begin(lane_flow(l)->o.store, STORE_LIVE, MIB(1), &w, d);
    if (!e) e = write_cursors(l, w);
    if (!e) return store_write_commit(w, d);
    store_write_abort(w);
    return e;
}

static err_t check_balance(const struct lane *l, struct diag *d)
{
    const struct ledger *n = &l->epoch.counter.now;
    if (ledger_balanced(n)) return ERR_OK;
    diag_fail(d, ERR_LEDGER, "stream '%.*s', epoch %llu: %llu records in, %llu accounted for",
              SLICE_ARG(l->stream->stage->name), (unsigned long long)l->epoch.number,
              (unsigned long long)n->in,
              (unsigned long long)(n->applied + n->filtered + n->deduplicated + n->late + n->dead +
                                   n->expired + n->held));
    return diag_why(d,
                    "applied %llu, filtered %llu, deduplicated %llu, late %llu, dead %llu, "
                    "expired %llu, held %lld",
                    (unsigned long long)n->applied, (unsigned long long)n->filtered,
                    (unsigned long long)n->deduplicated, (unsigned long long)n->late,
                    (unsigned long long)n->dead, (unsigned long long)n->expired,
                    (long long)n->held); /* may shrink */
}

/* Live: the next epoch has as many rows as can be read and be on disk within twice epoch_ms_live.
 * One slow commit halves it at most, one fast one doubles it. */
static void set_pace(struct lane *l, int64_t took_us)
{
    const struct flow_options *o = &lane_flow(l)->o;
    uint64_t most = o->epoch_rows_live, least = MIN(most, (uint64_t)PACE_LEAST);
    uint64_t rows = l->epoch.counter.now.in, took = (uint64_t)MAX(took_us, (int64_t)1);
    uint64_t goal = (uint64_t)o->epoch_ms_live * 2000, fits = rows * goal / took, next = l->pace;
    if (!rows) return; /* it has only closed */
    if (took > goal)
        next = MAX(MIN(fits, next), next / 2);
    else if (rows >= l->epoch.rows_max)
        next = MIN(MAX(fits, next), next * 2);
    l->pace = (uint32_t)MIN(MAX(next, least), most);
}

static void publish(struct lane *l)
{
    struct stage *s = l->stream->stage;
    const struct ledger *delta = &l->epoch.counter.now;
    int64_t took_us = (clock_mono_ns() - l->epoch.started_ns) / 1000;
    if (l->epoch.form == STORE_LIVE) set_pace(l, took_us);
    metric_add(METRIC_flow_records_in_total, (int64_t)delta->in);
    metric_add(METRIC_flow_rows_out_total, (int64_t)delta->rows_out);
    if (!l->epoch.replay) metric_add(METRIC_flow_dead_total, (int64_t)delta->dead);
    atomic_fetch_add(&s->dead_bytes, (int64_t)(l->epoch.dead_bytes - l->epoch.dead_freed));
    if (l->epoch.dead_bytes && atomic_load(&s->dead_oldest) > l->epoch.now_ms)
        atomic_store(&s->dead_oldest, l->epoch.now_ms);
    gate_enter(&s->flow->gate); /* cursors and ledger move together for who looks */
    l->last_epoch = l->epoch.number >> 8;
    progress_note(l, took_us);
    for (uint32_t i = 0; i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        p->has_cursor = p->has_cursor || cursor_moved(p);
        p->durable = p->now;
        atomic_store(&p->kept, p->now.next);
    }
    l->fresh = false;
    l->shape_known = l->sql_known = true;
    l->watermark = l->epoch.watermark;
    l->closing = l->epoch.closing;
    ledger_add(&l->total, delta);
    s->epochs++;
    s->last_commit_ms = clock_wall_ms();
    s->form = l->epoch.form;
    spans_add(s->form == STORE_LIVE ? &s->live : &s->catchup, took_us);
    stage_rate(s, delta->in);
    gate_wake(&s->flow->gate);
    gate_leave(&s->flow->gate);
    lane_tell(l);
}

/* The crash tests' other mutant: the state is durable before the epoch that made it. */
static err_t commit_state_first(struct lane *l, struct diag *d)
{
    struct store_write *w = NULL;
    err_t e = store_write_begin(lane_flow(l)->o.store, STORE_LIVE, lane_share(l), &w, d);
    if (!e) e = graph_write(l->graph, w, d);
    if (!e) return store_write_commit(w, d);
    store_write_abort(w);
    return e;
}

static err_t write_shape(struct lane *l)
{
    const struct plan_stream *p = l->stream->plan;
    if (l->shape_known || !p->stateful) return ERR_OK;
    return stream_shape_write(l->epoch.write, l->stream->stage->key, p->shape);
}

static err_t write_all(struct lane *l, struct diag *d)
{
    err_t e = write_cursors(l, l->epoch.write);
    if (!e) e = write_epoch(l);
    if (!e) e = write_ledger(l);
    if (!e) e = write_shape(l);
    if (!e) e = sql_write(l);
    if (e) return diag_fail(d, e, "epoch %llu", (unsigned long long)l->epoch.number);
    if (lane_flow(l)->o.mutant == FLOW_MUTANT_CURSOR_FIRST) e = commit_cursor_first(l, d);
    if (!e && lane_flow(l)->o.mutant == FLOW_MUTANT_STATE_FIRST) return commit_state_first(l, d);
    return e ? e : graph_write(l->graph, l->epoch.write, d);
}

err_t epoch_commit(struct lane *l, struct diag *d)
{
    err_t e = check_balance(l, d); /* (F4) */
    if (!e && !l->epoch.replay) e = dead_room(l->stream->stage, l->epoch.dead_bytes, d);
    if (e) return e;
    l->epoch.commit_ns = clock_mono_ns();
    arena_reset(l->arena);
    e = write_all(l, d);
    if (!e) e = prune(l, d);
    if (e) return e;
    struct store_write *w = l->epoch.write;
    l->epoch.write = NULL; /* commit frees it either way */
    struct op *was = graph_turn(l->graph, &l->graph->end);
    e = store_write_commit(w, d);
    (void)graph_turn(l->graph, was);
    if (e) return e;
    progress_measure(l);
    graph_kept(l->graph);
    if (l->sink->settled) e = l->sink->settled(l, d);
    if (!e) publish(l);
    return e;
}
