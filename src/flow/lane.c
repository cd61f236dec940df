/* lane: a set of partitions of one stream, one thread from cursor to commit. */
#include "flow/edition.h"
#include "flow/feed.h"
#include "flow/sink.h"
#include <stdio.h>

/* --- where it stands ----------------------------------------------------------------------------
 */

static struct slice topic_name(const struct lane_partition *p)
{
    return p->lane->stream->topics[p->topic].name;
}

static err_t alarm_story(const struct lane *l, const struct lane_partition *p, struct diag *d,
                         const char *why)
{
    diag_fail(d, ERR_CORRUPT, "stream '%.*s' stands at offset %lld of %.*s/%d",
              SLICE_ARG(l->stream->stage->name), (long long)p->durable.next,
              SLICE_ARG(topic_name(p)), p->index);
    diag_why(d, "%s (the log ends at %lld)", why, (long long)log_end_offset(p->log));
    return diag_hint(
        d,
        "restore log and store from one backup, or `sluice reset --stage %.*s` to read the "
        "topic from its beginning",
        SLICE_ARG(l->stream->stage->name));
}

static err_t load_cursor(struct lane *l, struct lane_partition *p, struct diag *d)
{
    struct stage_key k = cursor_key(l->stream->stage->key, p->topic, p->index);
    const uint8_t *id = log_topic_id(l->stream->topics[p->topic].log);
    bool latest = l->stream->plan->settings.from_latest;
    struct slice value;
    err_t e = store_record(lane_flow(l)->o.store, NULL, STORE_CURSOR, stage_key_slice(&k), l->arena,
                           &value, d);
    p->has_cursor = !e;
    if (e && e != ERR_NOT_FOUND) return e;
    p->durable = (struct stream_cursor){
        .next = latest ? log_stable_offset(p->log) : partition_first(p), .time_seen = INT64_MIN};
    l->fresh |= !p->has_cursor && latest; /* written at once: a restart begins here */
    memcpy(p->durable.topic_id, id, sizeof(p->durable.topic_id));
    if (p->has_cursor) {
        e = stream_cursor_take(value, &p->durable);
        if (e)
            return diag_fail(d, e == ERR_VERSION ? e : ERR_CORRUPT,
                             "the cursor of stream '%.*s' can not be read",
                             SLICE_ARG(l->stream->stage->name));
        if (memcmp(p->durable.topic_id, id, sizeof(p->durable.topic_id)) != 0)
            return alarm_story(l, p, d, "the topic was made anew since");
        if (p->durable.next > log_end_offset(p->log)) /* (F3) never clamped */
            return alarm_story(l, p, d, "the log has lost records that were read already");
    }
    p->now = p->durable;
    return ERR_OK;
}

/* State can be read by a plan of the same shape alone. */
static err_t check_shape(struct lane *l, struct diag *d)
{
    const struct plan_stream *p = l->stream->plan;
    uint64_t made_for = 0;
    bool begun = false;
    err_t e = stream_shape(lane_flow(l)->o.store, l->stream->stage->key, &made_for, d);
    for (uint32_t i = 0; i < l->partition_count; i++) begun |= l->partitions[i].has_cursor;
    const char *trouble = shape_trouble(made_for, p);
    l->shape_known = !trouble;
    if (e || !begun || !trouble) return e;
    diag_fail(d, ERR_UNSUPPORTED, "stream '%.*s': its SQL has changed, and what it remembers is %s",
              SLICE_ARG(p->name), trouble);
    return diag_hint(d,
                     "`sluice reset --stage %.*s` starts it over, or run the old SQL until it is "
                     "upgraded",
                     SLICE_ARG(p->name));
}

static err_t load_ledger(struct lane *l, struct lane_ledger *sum, struct diag *d)
{
    struct stage_key k = stage_key(l->stream->stage->key);
    struct slice value;
    *sum = (struct lane_ledger){.watermark = INT64_MIN, .closing = NO_CLOSING};
    stage_key_be(&k, l->index, 4);
    err_t e = store_record(lane_flow(l)->o.store, NULL, STORE_LEDGER, stage_key_slice(&k), l->arena,
                           &value, d);
    if (e) return e == ERR_NOT_FOUND ? ERR_OK : e;
    e = lane_ledger_take(value, sum);
    return e ? diag_fail(d, e == ERR_VERSION ? e : ERR_CORRUPT,
                         "the ledger of stream '%.*s' can not be read",
                         SLICE_ARG(l->stream->stage->name))
             : ERR_OK;
}

void lane_tell(struct lane *l)
{
    const struct flow_options *o = &lane_flow(l)->o;
    const struct stage *s = l->stream->stage;
    for (uint32_t i = 0; o->committed && !s->upgrade && i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        if (p->told == p->durable.next) continue;
        p->told = p->durable.next;
        o->committed(o->committed_ctx, s->name, l->stream->topics[p->topic].name, p->index,
                     p->told);
    }
}

err_t lane_load(struct lane *l, struct diag *d)
{
    struct lane_ledger sum;
    bool begun = false;
    err_t e = ERR_OK;
    arena_reset(l->arena);
    l->fresh = false;
    if (l->sink->recover) e = l->sink->recover(l, d);
    for (uint32_t i = 0; !e && i < l->partition_count; i++)
        e = load_cursor(l, &l->partitions[i], d);
    if (!e) e = check_shape(l, d);
    if (!e) e = sql_look(l, d);
    if (!e) e = load_ledger(l, &sum, d);
    if (e) return e;
    l->last_write_us = sum.last_write_us;
    l->reader.partition = NULL;
    gate_enter(&lane_flow(l)->gate);
    l->total = sum.total;
    l->last_epoch = sum.epoch;
    l->watermark = sum.watermark;
    l->closing = sum.closing;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        begun |= l->partitions[i].has_cursor;
        atomic_store(&l->partitions[i].kept, l->partitions[i].durable.next);
    }
    atomic_store(&l->loaded, true); /* before who drains looks again: nothing else may wake him */
    gate_wake(&lane_flow(l)->gate);
    gate_leave(&lane_flow(l)->gate);
    if (begun) lane_tell(l); /* a kill may have come before the last ones were shown */
    return ERR_OK;
}

uint64_t lane_lag(const struct lane *l)
{
    uint64_t lag = 0;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        const struct lane_partition *p = &l->partitions[i];
        int64_t behind = log_stable_offset(p->log) - atomic_load(&p->kept);
        lag += behind > 0 ? (uint64_t)behind : 0;
    }
    return lag;
}

/* --- waiting for records ------------------------------------------------------------------------
 */

static void log_moved(void *worker)
{
    worker_wake(worker);
}

/* Until a partition has more, silence lets time go on, or the stage is asked to stop. */
static err_t wait_for_records(struct lane *l, struct diag *d)
{
    err_t e = ERR_OK;
    bool more = false;
    uint32_t i = 0;
    for (; !e && !more && i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        int64_t end = log_end_offset(p->log); /* first: what is decided later moves the end too */
        more = partition_readable(p);
        if (!more) e = log_wait(p->log, end, log_moved, &l->worker, &p->waiter);
    }
    int64_t wait_ns = lane_stateful(l) ? watermark_wait_ns(l, clock_mono_ns()) : -1;
    if (e)
        diag_fail(d, e, "waiting for records of '%.*s'",
                  SLICE_ARG(topic_name(&l->partitions[i - 1])));
    else if (!more && !stage_stopping(l->stream->stage))
        worker_wait(&l->worker, wait_ns < 0 ? -1 : wait_ns / 1000000 + 1);
    for (i = 0; i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        if (p->waiter) log_unwait(p->waiter);
        p->waiter = NULL;
    }
    return e;
}

/* --- one epoch ----------------------------------------------------------------------------------
 */

/* The partition to read from: the one at hand until its bytes are used up, then the next in turn
 * that has more; NULL: all are at their ends. */
static struct lane_partition *next_in_turn(struct lane *l)
{
    struct lane_partition *now = &l->partitions[l->turn];
    if (l->reader.partition == now->log && !reader_spent(&l->reader) && partition_readable(now))
        return now;
    for (uint32_t i = 1; i <= l->partition_count; i++) {
        uint32_t at = (l->turn + i) % l->partition_count;
        if (!partition_readable(&l->partitions[at])) continue;
        l->turn = at;
        return &l->partitions[at];
    }
    return NULL;
}

/* Where ranges are fixed: each partition to its range's end, in order. */
struct lane_partition *lane_next_in_order(struct lane *l)
{
    for (uint32_t i = 0; i < l->partition_count; i++) {
        uint32_t at = (l->first + i) % l->partition_count;
        if (l->partitions[at].now.next >= l->partitions[at].until) continue;
        l->turn = at;
        return &l->partitions[at];
    }
    return NULL;
}

void lane_expire(struct lane *l, struct lane_partition *p)
{
    int64_t start = log_start_offset(p->log);
    struct diag d = {0};
    if (start <= p->now.next) return;
    uint64_t gone = (uint64_t)(start - p->now.next);
    if (p->has_cursor) {
        count_term(&l->epoch.counter, TERM_IN, gone);
        count_term(&l->epoch.counter, TERM_EXPIRED, gone);
        diag_fail(&d, ERR_OFFSET_RANGE,
                  "stream '%.*s': retention removed %llu records of %.*s/%d before they were read",
                  SLICE_ARG(l->stream->stage->name), (unsigned long long)gone,
                  SLICE_ARG(topic_name(p)), p->index);
        stage_trouble(l->stream->stage, &d);
    }
    p->now.next = start;
    l->epoch.dirty = true;
}

static enum store_form choose_form(const struct lane *l)
{
    const struct flow_options *o = &lane_flow(l)->o;
    if (o->form == FLOW_FORM_LIVE) return STORE_LIVE;
    if (o->form == FLOW_FORM_CATCHUP) return STORE_CATCHUP;
    uint64_t lag = lane_lag(l);
    return lag > o->catchup_lag / l->stream->lane_count ? STORE_CATCHUP : STORE_LIVE;
}

size_t lane_share(const struct lane *l)
{
    return lane_flow(l)->o.memory_max /
           MAX(atomic_load_explicit(&lane_flow(l)->lane_count, memory_order_relaxed), 1u);
}

bool epoch_full(const struct lane *l)
{
    const struct flow_options *o = &lane_flow(l)->o;
    const struct epoch *p = &l->epoch;
    const struct state_budget *state = &l->graph->budget;
    size_t share = lane_share(l), bytes = store_write_bytes(p->write);
    if (l->sink->bytes) bytes += l->sink->bytes(l);
    if (p->counter.now.in >= p->rows_max) return true;
    if (bytes >= (lane_stateful(l) ? share / 3 : share / 4 * 3)) return true;
    /* what has changed stays in memory until it is durable */
    if (state->used >= state->max / 2 * 3) return true;
    if (p->form == STORE_LIVE && clock_mono_ns() - p->started_ns >= o->epoch_ms_live * 1000000)
        return true;
    return stage_stopping(l->stream->stage);
}

/* One chunk of the partition's next records. */
static err_t read_chunk(struct lane *l, struct lane_partition *p, uint64_t rows_max, struct diag *d)
{
    lane_expire(l, p);
    l->reader.wants_value = graph_reads_value(l->graph, p->topic);
    l->reader.until = MIN(p->until, p->limit);
    reader_aim(&l->reader, p->log, p->now.next);
    err_t e = reader_fill(&l->reader, l->chunk, (uint32_t)MIN(rows_max, (uint64_t)CHUNK_ROWS),
                          &l->epoch.counter, d);
    if (e == ERR_OFFSET_RANGE && log_start_offset(p->log) > p->now.next) return ERR_OK;
    if (e) return e;
    p->heard_ns = clock_mono_ns();
    p->now.next = l->reader.next;
    l->epoch.dirty |= p->now.next != p->durable.next;
    return l->chunk->rows || l->chunk->dead_count ? epoch_take(l, p, d) : ERR_OK;
}

static err_t fill_epoch(struct lane *l, struct diag *d)
{
    struct lane_partition *p;
    uint64_t taken = 0;
    if (lane_stateful(l) && feed_pays(l)) return feed_epoch(l, d);
    do {
        if (!(p = lane_stateful(l) ? lane_next_in_order(l) : next_in_turn(l))) break;
        uint64_t left = l->epoch.rows_max - MIN(l->epoch.rows_max - 1, taken);
        err_t e = read_chunk(l, p, left, d);
        if (e) return e;
        taken += l->chunk->rows + l->chunk->dead_count;
    } while (!epoch_full(l));
    return ERR_OK;
}

static size_t lane_memory(const struct lane *l)
{
    return sizeof(*l->chunk) + l->reader.bytes.cap + arena_used(l->reader.opened) +
           arena_used(l->arena) + l->scratch.cap + l->graph->budget.used + feed_memory(l->feed);
}

/* The epoch was too much: whether a smaller one may fit, which is what the next one will be. What
 * closes at its end is cut first: rows that are few already are seldom the reason. */
static bool take_less(struct lane *l, bool *cut)
{
    uint64_t rows = l->epoch.counter.now.in, closed = l->graph->closed;
    bool closes = l->epoch.target > l->watermark;
    *cut = closes && !l->closes_some;
    l->closes_some |= closes;
    if (*cut) return true;
    if (closes && closed > 1)
        l->close_cap = closed / 2;
    else if (rows > 1)
        l->rows_cap = (uint32_t)MAX(MIN(rows, l->epoch.rows_max) / 2, (uint64_t)1);
    else
        return false;
    return true;
}

static err_t give_up(struct lane *l, err_t e)
{
    bool truncated = e == ERR_UNKNOWN_TABLE && l->epoch.begun && !l->epoch.write, cut;
    epoch_abort(l);
    if (truncated) return ERR_OK; /* the next epoch finds the table as it is now, or fails */
    if (e != ERR_TOO_BIG && e != ERR_NO_MEMORY) return e;
    return take_less(l, &cut) && (cut || e == ERR_TOO_BIG) ? ERR_OK : e;
}

/* What was too big once may be so again: slowly back to the usual, at once where all is read, and
 * where all has closed in one epoch. */
static void grow_again(struct lane *l)
{
    bool full = l->epoch.counter.now.in >= l->epoch.rows_max;
    uint32_t grown = l->rows_cap + l->rows_cap / 16 + 1;
    if (l->rows_cap) l->rows_cap = full && grown < lane_flow(l)->o.epoch_rows_catchup ? grown : 0;
    if (l->close_cap) l->close_cap += l->close_cap / 16 + 1;
    if (l->epoch.goes_on || l->epoch.closing != NO_CLOSING) return;
    l->closes_some = false;
    l->close_cap = 0;
}

static err_t run_epoch(struct lane *l, struct diag *d)
{
    err_t e = epoch_begin(l, choose_form(l), NULL, d);
    l->epoch.dirty |= l->fresh;
    if (!e && lane_stateful(l)) ranges_fix(l, lane_is_closing(l) ? 0 : l->epoch.rows_max);
    if (!e) e = fill_epoch(l, d);
    if (!e && lane_stateful(l)) {
        watermark_aim(l, clock_mono_ns());
        l->epoch.dirty |= l->epoch.target > l->watermark;
    }
    if (!e && l->epoch.dirty) {
        e = epoch_finish(l, d);
        if (!e) e = epoch_commit(l, d);
        if (!e) grow_again(l);
    }
    if (e) return give_up(l, e);
    store_write_abort(l->epoch.write); /* nothing was there after all; NULL after a commit */
    l->epoch.write = NULL;
    return ERR_OK;
}

err_t lane_close_on(struct lane *l, struct diag *d)
{
    err_t e = atomic_load(&l->loaded) ? ERR_OK : lane_load(l, d);
    return e ? e : run_epoch(l, d);
}

static bool has_work(const struct lane *l, int64_t now_ns)
{
    for (uint32_t i = 0; i < l->partition_count; i++)
        if (partition_readable(&l->partitions[i])) return true;
    if (l->fresh || lane_is_closing(l)) return true;
    return lane_stateful(l) && watermark_now(l, now_ns) > l->watermark;
}

static err_t lane_step(struct lane *l, struct diag *d)
{
    struct stage *s = l->stream->stage;
    err_t e = atomic_load(&l->loaded) ? ERR_OK : lane_load(l, d);
    int64_t now_ns = clock_mono_ns();
    if (e) return e;
    bool may = trigger_now(l, now_ns);
    if (may && has_work(l, now_ns)) {
        worker_state(s, &l->worker, STAGE_RUNNING);
        return run_epoch(l, d);
    }
    if (may && l->limited) {
        trigger_done(l, now_ns);
        return ERR_OK;
    }
    worker_state(s, &l->worker, STAGE_WAITING);
    worker_note(&l->worker, lane_memory(l));
    if (may) return wait_for_records(l, d);
    worker_wait(&l->worker, (l->trigger_ns - now_ns) / 1000000 + 1);
    return ERR_OK;
}

static struct lane_partition *partition_at(struct lane *l, uint32_t topic, int32_t index)
{
    for (uint32_t i = 0; i < l->partition_count; i++)
        if (l->partitions[i].topic == topic && l->partitions[i].index == index)
            return &l->partitions[i];
    return NULL;
}

static err_t replay_ranges(struct lane *l, const struct epoch_record *r, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->range_count; i++) {
        const struct epoch_range *range = &r->ranges[i];
        struct lane_partition *p = partition_at(l, range->topic, range->partition);
        if (!p || p->now.next != range->from || log_stable_offset(p->log) < range->to)
            return diag_fail(d, ERR_OFFSET_RANGE, "epoch %llu of stream '%.*s': partition %d",
                             (unsigned long long)r->epoch, SLICE_ARG(l->stream->stage->name),
                             range->partition);
        p->until = range->to;
        l->turn = (uint32_t)(p - l->partitions);
        if (i == 0) l->first = l->turn;
        while (!e && p->now.next < p->until) e = read_chunk(l, p, CHUNK_ROWS, d);
    }
    return e;
}

err_t lane_replay(struct lane *l, const struct epoch_record *r, struct diag *d)
{
    err_t e = atomic_load(&l->loaded) ? ERR_OK : lane_load(l, d);
    if (!e) e = epoch_begin(l, r->form, r, d);
    if (!e) e = replay_ranges(l, r, d);
    l->epoch.target = r->closing == NO_CLOSING ? r->watermark : r->closing;
    if (!e && r->closing != NO_CLOSING) e = graph_close_until(l->graph, r->cut, d);
    if (!e) e = epoch_finish(l, d);
    if (!e) e = epoch_commit(l, d);
    if (e) epoch_abort(l);
    return e;
}

/* What an earlier start has left of triggers and silence does not count. */
static void lane_start(struct lane *l)
{
    atomic_store(&l->loaded, false);
    l->limited = l->ended = false;
    l->trigger_ns = 0;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        l->partitions[i].limit = l->partitions[i].until = INT64_MAX;
        l->partitions[i].heard_ns = clock_mono_ns();
    }
}

static bool lane_over(const struct lane *l)
{
    const struct stage *s = l->stream->stage;
    bool looked = atomic_load(&l->loaded) && atomic_load(&s->looks_only);
    return stage_stopping(s) || l->ended || looked;
}

static void run(struct lane *l)
{
    struct stage *s = l->stream->stage;
    int64_t delay_ms = 0;
    lane_start(l);
    while (!lane_over(l)) {
        struct diag d = {0};
        err_t e = atomic_load(&s->looks_only) ? lane_load(l, &d) : lane_step(l, &d);
        worker_note(&l->worker, lane_memory(l));
        if (!e) {
            if (delay_ms) stage_trouble(s, NULL);
            delay_ms = 0;
        } else if (!err_passes(e)) {
            stage_fail(s, &l->worker, &d);
            break;
        } else {
            delay_ms = retry_delay(delay_ms);
            stage_trouble(s, &d);
            worker_state(s, &l->worker, state_after(e));
            worker_wait(&l->worker, delay_ms);
        }
    }
    feed_stop(l->feed);
    if (l->ended) worker_state(s, &l->worker, STAGE_ENDED);
}

void lane_run(void *lane)
{
    struct lane *l = lane;
    run(l);
    graph_forget(l->graph); /* commands of its end with their thread: whole, and waited for */
}

/* --- making -------------------------------------------------------------------------------------
 */

/* A lane has the partitions that its index falls on, of every topic. */
static uint32_t partitions_of(const struct stream *s, uint32_t topic, uint32_t lane)
{
    uint32_t total = (uint32_t)log_topic_partitions(s->topics[topic].log);
    return total > lane ? (total - lane + s->lane_count - 1) / s->lane_count : 0;
}

static err_t lane_init(struct lane *l, struct stream *s, uint32_t index, struct diag *d)
{
    *l = (struct lane){.stream = s,
                       .index = index,
                       .pace = MIN(s->stage->flow->o.epoch_rows_live, (uint32_t)PACE_FIRST),
                       .watermark = INT64_MIN,
                       .closing = NO_CLOSING,
                       .scratch = buf_make(MIB(8))};
    worker_init(&l->worker);
    for (uint32_t t = 0; t < s->plan->topic_count; t++)
        l->partition_count += partitions_of(s, t, index);
    l->partitions = mem_take((l->partition_count + 1) * sizeof(*l->partitions));
    l->chunk = mem_take(sizeof(*l->chunk));
    l->arena = arena_new(MAX(lane_share(l), (size_t)MIB(512)));
    err_t e = reader_init(&l->reader);
    if (e || !l->partitions || !l->chunk || !l->arena)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for stream '%.*s'",
                         SLICE_ARG(s->stage->name));
    struct lane_partition *p = l->partitions;
    for (uint32_t t = 0; t < s->plan->topic_count; t++) {
        for (uint32_t i = 0; i < partitions_of(s, t, index); i++, p++) {
            p->lane = l;
            p->topic = t;
            p->index = (int32_t)(index + i * s->lane_count);
            p->log = log_partition(s->topics[t].log, p->index);
            p->told = -1;
            atomic_store(&p->kept, 0);
        }
    }
    lane_start(l);
    l->sink = sink_of(s->plan);
    e = epoch_graph(l, d);
    if (!e) e = feed_new(l, &l->feed, d);
    return e ? e : l->sink->open(l, d);
}

static void lane_done(struct lane *l)
{
    if (!l->stream) return; /* never made */
    if (l->sink) l->sink->close(l);
    feed_free(l->feed);
    reader_done(&l->reader);
    graph_free(l->graph);
    arena_free(l->arena);
    buf_done(&l->scratch);
    mem_give(l->partitions);
    mem_give(l->chunk);
    worker_done(&l->worker);
}

static err_t find_topics(struct stream *s, uint32_t *partitions, struct diag *d)
{
    const struct plan_stream *p = s->plan;
    if (!p->topic_count)
        return diag_fail(d, ERR_UNSUPPORTED, "stream '%.*s' reads no topic", SLICE_ARG(p->name));
    s->topics = mem_take(p->topic_count * sizeof(*s->topics));
    if (!s->topics) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(p->name));
    for (uint32_t i = 0; i < p->topic_count; i++) {
        struct slice name = p->topics[i]->topic.relation->name;
        struct log_topic *log = log_topic_find(s->stage->flow->o.log, name);
        if (!log)
            return diag_fail(d, ERR_UNKNOWN_TOPIC, "stream '%.*s' reads topic '%.*s'",
                             SLICE_ARG(p->name), SLICE_ARG(name));
        s->topics[i] = (struct stream_topic){log_topic_name(log), log};
        *partitions = MAX(*partitions, (uint32_t)log_topic_partitions(log));
    }
    return ERR_OK;
}

static err_t find_target(const struct stream *s, struct diag *d)
{
    const struct plan_stream *p = s->plan;
    const struct flow_options *o = &s->stage->flow->o;
    if (p->sink == SINK_TABLE && !store_table_find(o->store, p->into->keyspace, p->into->name))
        return diag_fail(d, ERR_UNKNOWN_TABLE, "stream '%.*s' writes to '%.*s.%.*s'",
                         SLICE_ARG(p->name), SLICE_ARG(p->into->keyspace),
                         SLICE_ARG(p->into->name));
    if (p->sink == SINK_TOPIC && !log_topic_find(o->log, p->into->name))
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "stream '%.*s' writes to topic '%.*s'",
                         SLICE_ARG(p->name), SLICE_ARG(p->into->name));
    return ERR_OK;
}

/* Without it every epoch would fail; emptied, it would lack what the cursor has passed. */
static err_t table_hold(struct stream *s, struct diag *d)
{
    const struct sql_relation *into = s->plan->into;
    char why[STAGE_NAME_MAX + 100];
    snprintf(why, sizeof(why),
             "stream %.*s writes into it; take the stream out of pipeline.sql and start the "
             "project again first",
             SLICE_ARG(s->plan->name));
    return store_table_hold(s->stage->flow->o.store, into->keyspace, into->name, HOLD_TABLE,
                            slice_of(why), &s->hold, d);
}

err_t stream_new(struct stage *stage, const struct plan_stream *plan, struct diag *d)
{
    struct flow *f = stage->flow;
    struct stream *s = stage->stream = mem_take(sizeof(*s));
    uint32_t partitions = 0;
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(plan->name));
    *s = (struct stream){.stage = stage, .plan = plan};
    gate_init(&s->outbox);
    err_t e = find_topics(s, &partitions, d);
    if (!e) e = find_target(s, d);
    if (e) return e;
    /* half the processors: the store's flushes and compactions need the others (docs/flow.md) */
    uint32_t lanes = f->o.lanes_max ? f->o.lanes_max : (uint32_t)MAX(thread_cores() / 2, 1);
    if (plan->stateful) lanes = 1; /* its keys and its time are of all partitions */
    uint32_t count = MIN(MIN(lanes, partitions), (uint32_t)STREAM_LANES_MAX);
    f->lane_count += count;
    s->lanes = mem_take(count * sizeof(*s->lanes));
    if (!s->lanes) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(plan->name));
    s->lane_count = count;
    if (plan->sink == SINK_TABLE) e = table_hold(s, d);
    if (!e) e = stream_number(f->o.store, stage->key, &s->number, d);
    for (uint32_t i = 0; !e && i < s->lane_count; i++) e = lane_init(&s->lanes[i], s, i, d);
    return e ? e : progress_new(s, d);
}

void stream_free(struct stream *s)
{
    if (!s) return;
    progress_free(s);
    for (uint32_t i = 0; s->lanes && i < s->lane_count; i++) lane_done(&s->lanes[i]);
    gate_done(&s->outbox);
    mem_give(s->topics);
    store_hold_release(s->hold);
    mem_give(s->lanes);
    mem_give(s);
}
