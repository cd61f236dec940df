/* lane: a set of partitions of one stream, one thread from cursor to commit. */
#include "flow/flow_int.h"
#include <stdio.h>

static struct flow *flow_of(const struct lane *l)
{
    return l->stream->stage->flow;
}

/* --- where it stands ----------------------------------------------------------------------------
 */

static err_t alarm_story(const struct lane *l, const struct lane_partition *p, struct diag *d,
                         const char *why)
{
    diag_fail(d, ERR_CORRUPT, "stream '%.*s' stands at offset %lld of %.*s/%d",
              SLICE_ARG(l->stream->stage->name), (long long)p->durable.next,
              SLICE_ARG(l->stream->plan->from->name), p->index);
    diag_why(d, "%s (the log ends at %lld)", why, (long long)log_end_offset(p->log));
    return diag_hint(
        d,
        "restore log and store from one backup, or `sluice reset --stage %.*s` to read the "
        "topic from its beginning",
        SLICE_ARG(l->stream->stage->name));
}

static err_t load_cursor(struct lane *l, struct lane_partition *p, struct diag *d)
{
    struct stage_key k = stage_key(l->stream->stage->name);
    const uint8_t *id = log_topic_id(l->stream->topic);
    struct slice value;
    stage_key_be(&k, (uint32_t)p->index, 4);
    err_t e = store_record(flow_of(l)->o.store, NULL, STORE_CURSOR, stage_key_slice(&k), l->arena,
                           &value, d);
    p->has_cursor = !e;
    if (e && e != ERR_NOT_FOUND) return e;
    p->durable = (struct stream_cursor){.next = log_start_offset(p->log)};
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

err_t lane_load(struct lane *l, struct diag *d)
{
    struct stage_key k = stage_key(l->stream->stage->name);
    struct lane_ledger sum = {0};
    struct slice value;
    err_t e = ERR_OK;
    arena_reset(l->arena);
    for (uint32_t i = 0; !e && i < l->partition_count; i++)
        e = load_cursor(l, &l->partitions[i], d);
    if (e) return e;
    stage_key_be(&k, l->index, 4);
    e = store_record(flow_of(l)->o.store, NULL, STORE_LEDGER, stage_key_slice(&k), l->arena, &value,
                     d);
    if (e && e != ERR_NOT_FOUND) return e;
    if (!e && (e = lane_ledger_take(value, &sum)))
        return diag_fail(d, e == ERR_VERSION ? e : ERR_CORRUPT,
                         "the ledger of stream '%.*s' can not be read",
                         SLICE_ARG(l->stream->stage->name));
    gate_enter(&flow_of(l)->gate);
    l->total = sum.total;
    l->last_epoch = sum.epoch;
    for (uint32_t i = 0; i < l->partition_count; i++)
        atomic_store(&l->partitions[i].kept, l->partitions[i].durable.next);
    gate_wake(&flow_of(l)->gate);
    gate_leave(&flow_of(l)->gate);
    l->reader.partition = NULL;
    l->loaded = true;
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

static bool readable(const struct lane_partition *p)
{
    return log_stable_offset(p->log) > p->now.next;
}

static void log_moved(void *worker)
{
    worker_wake(worker);
}

/* Until a partition has more, or the stage is asked to stop. */
static err_t wait_for_records(struct lane *l, struct diag *d)
{
    err_t e = ERR_OK;
    bool more = false;
    for (uint32_t i = 0; !e && !more && i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        int64_t end = log_end_offset(p->log); /* first: what is decided later moves the end too */
        more = readable(p);
        if (!more) e = log_wait(p->log, end, log_moved, &l->worker, &p->waiter);
    }
    if (e)
        diag_fail(d, e, "waiting for records of '%.*s'", SLICE_ARG(l->stream->plan->from->name));
    else if (!more && !stage_stopping(l->stream->stage))
        worker_wait(&l->worker, -1);
    for (uint32_t i = 0; i < l->partition_count; i++) {
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
static struct lane_partition *pick(struct lane *l)
{
    struct lane_partition *now = &l->partitions[l->turn];
    if (l->reader.partition == now->log && !reader_spent(&l->reader)) return now;
    for (uint32_t i = 1; i <= l->partition_count; i++) {
        uint32_t at = (l->turn + i) % l->partition_count;
        if (!readable(&l->partitions[at])) continue;
        l->turn = at;
        return &l->partitions[at];
    }
    return NULL;
}

/* Retention has passed the cursor: what is gone is counted, and seen (F3). */
static void expire(struct lane *l, struct lane_partition *p)
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
                  SLICE_ARG(l->stream->plan->from->name), p->index);
        stage_trouble(l->stream->stage, &d);
    }
    p->now.next = start;
    l->epoch.dirty = true;
}

static enum store_form choose_form(const struct lane *l)
{
    const struct flow_options *o = &flow_of(l)->o;
    if (o->form == FLOW_FORM_LIVE) return STORE_LIVE;
    if (o->form == FLOW_FORM_CATCHUP) return STORE_CATCHUP;
    uint64_t lag = lane_lag(l);
    return lag > o->catchup_lag / l->stream->lane_count ? STORE_CATCHUP : STORE_LIVE;
}

static bool epoch_full(const struct lane *l)
{
    const struct flow_options *o = &flow_of(l)->o;
    const struct epoch *p = &l->epoch;
    size_t share = o->memory_max / MAX(flow_of(l)->lane_count, 1u);
    if (p->counter.now.in >= p->rows_max) return true;
    if (store_write_bytes(p->write) >= share / 4 * 3) return true;
    if (p->form == STORE_LIVE && clock_mono_ns() - p->started_ns >= o->epoch_ms_live * 1000000)
        return true;
    return stage_stopping(l->stream->stage);
}

static err_t fill_epoch(struct lane *l, struct diag *d)
{
    struct lane_partition *p;
    uint64_t taken = 0;
    do {
        if (!(p = pick(l))) break;
        expire(l, p);
        reader_aim(&l->reader, p->log, p->now.next);
        uint64_t left = l->epoch.rows_max - MIN(l->epoch.rows_max - 1, taken);
        err_t e = reader_fill(&l->reader, l->chunk, (uint32_t)MIN(left, (uint64_t)CHUNK_ROWS),
                              &l->epoch.counter, d);
        if (e == ERR_OFFSET_RANGE && log_start_offset(p->log) > p->now.next) continue;
        if (e) return e;
        taken += l->chunk->rows + l->chunk->dead_count;
        p->now.next = l->reader.next;
        l->epoch.dirty |= p->now.next != p->durable.next;
        if (l->chunk->rows || l->chunk->dead_count) e = epoch_take(l, p, d);
        if (e) return e;
    } while (!epoch_full(l));
    return ERR_OK;
}

static size_t lane_memory(const struct lane *l)
{
    return sizeof(*l->chunk) + l->reader.bytes.cap + arena_used(l->reader.opened) +
           arena_used(l->arena) + l->scratch.cap;
}

static err_t lane_step(struct lane *l, struct diag *d)
{
    struct stage *s = l->stream->stage;
    err_t e = l->loaded ? ERR_OK : lane_load(l, d);
    if (e) return e;
    bool some = false;
    for (uint32_t i = 0; !some && i < l->partition_count; i++) some = readable(&l->partitions[i]);
    if (!some) {
        worker_state(s, &l->worker, STAGE_WAITING);
        worker_note(&l->worker, lane_memory(l));
        return wait_for_records(l, d);
    }
    worker_state(s, &l->worker, STAGE_RUNNING);
    e = epoch_begin(l, choose_form(l), d);
    if (!e) e = fill_epoch(l, d);
    if (!e && l->epoch.dirty) {
        e = epoch_commit(l, d);
        if (!e) l->rows_cap = 0;
    }
    if (e) {
        uint64_t rows = l->epoch.counter.now.in;
        bool truncated = e == ERR_UNKNOWN_TABLE && l->epoch.table && !l->epoch.write;
        epoch_abort(l);
        if (truncated) return ERR_OK; /* the next epoch finds the table as it is now, or fails */
        bool too_big = (e == ERR_TOO_BIG || e == ERR_NO_MEMORY) && rows > 1;
        if (too_big) /* a smaller one will fit */
            l->rows_cap = (uint32_t)MAX(MIN(rows, l->epoch.rows_max) / 4, (uint64_t)1);
        return too_big && e == ERR_TOO_BIG ? ERR_OK : e;
    }
    store_write_abort(l->epoch.write); /* nothing was there after all; NULL after a commit */
    l->epoch.write = NULL;
    return ERR_OK;
}

void lane_run(void *lane)
{
    struct lane *l = lane;
    struct stage *s = l->stream->stage;
    int64_t delay_ms = 0;
    l->loaded = false;
    while (!stage_stopping(s)) {
        struct diag d = {0};
        err_t e = lane_step(l, &d);
        worker_note(&l->worker, lane_memory(l));
        if (!e) {
            if (delay_ms) stage_trouble(s, NULL);
            delay_ms = 0;
        } else if (!err_passes(e)) {
            stage_fail(s, &l->worker, &d);
            return;
        } else {
            delay_ms = retry_delay(delay_ms);
            stage_trouble(s, &d);
            worker_state(s, &l->worker, STAGE_RETRYING);
            worker_wait(&l->worker, delay_ms);
        }
    }
}

/* --- making -------------------------------------------------------------------------------------
 */

static err_t lane_init(struct lane *l, struct stream *s, uint32_t index, struct diag *d)
{
    uint32_t total = (uint32_t)log_topic_partitions(s->topic);
    size_t share = s->stage->flow->o.memory_max / MAX(s->stage->flow->lane_count, 1u);
    *l = (struct lane){.stream = s,
                       .index = index,
                       .pace = MIN(s->stage->flow->o.epoch_rows_live, (uint32_t)PACE_FIRST),
                       .scratch = buf_make(MIB(8))};
    worker_init(&l->worker);
    l->partition_count = (total - index + s->lane_count - 1) / s->lane_count;
    l->partitions = mem_take(l->partition_count * sizeof(*l->partitions));
    l->chunk = mem_take(sizeof(*l->chunk));
    l->write_us = mem_take(CHUNK_ROWS * sizeof(*l->write_us));
    l->lineage = mem_take(CHUNK_ROWS * sizeof(*l->lineage));
    l->column_ids = mem_take((s->plan->output_count + 1) * sizeof(*l->column_ids));
    l->arena = arena_new(MAX(share, MIB(512)));
    err_t e = reader_init(&l->reader);
    if (e || !l->partitions || !l->chunk || !l->write_us || !l->lineage || !l->column_ids ||
        !l->arena)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for stream '%.*s'",
                         SLICE_ARG(s->stage->name));
    for (uint32_t i = 0; i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        p->lane = l;
        p->index = (int32_t)(index + i * s->lane_count);
        p->log = log_partition(s->topic, p->index);
        atomic_store(&p->kept, 0);
    }
    e = program_new(s->plan, &l->program, d);
    if (!e) l->reader.wants_value = inputs_read_value(program_inputs(l->program));
    return e;
}

static void lane_done(struct lane *l)
{
    if (!l->stream) return; /* never made */
    reader_done(&l->reader);
    program_free(l->program);
    arena_free(l->arena);
    buf_done(&l->scratch);
    mem_give(l->partitions);
    mem_give(l->chunk);
    mem_give(l->write_us);
    mem_give(l->lineage);
    mem_give(l->column_ids);
    worker_done(&l->worker);
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
    return store_table_hold(s->stage->flow->o.store, into->keyspace, into->name, slice_of(why),
                            &s->hold, d);
}

err_t stream_new(struct stage *stage, const struct plan_stream *plan, struct diag *d)
{
    struct flow *f = stage->flow;
    struct log_topic *topic = log_topic_find(f->o.log, plan->from->name);
    if (!topic)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "stream '%.*s' reads topic '%.*s'",
                         SLICE_ARG(plan->name), SLICE_ARG(plan->from->name));
    if (!store_table_find(f->o.store, plan->into->keyspace, plan->into->name))
        return diag_fail(d, ERR_UNKNOWN_TABLE, "stream '%.*s' writes to '%.*s.%.*s'",
                         SLICE_ARG(plan->name), SLICE_ARG(plan->into->keyspace),
                         SLICE_ARG(plan->into->name));
    struct stream *s = stage->stream = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(plan->name));
    *s = (struct stream){.stage = stage, .plan = plan, .topic = topic};
    uint32_t partitions = (uint32_t)log_topic_partitions(topic);
    /* half the processors: the store's flushes and compactions need the others (docs/flow.md) */
    uint32_t lanes = f->o.lanes_max ? f->o.lanes_max : (uint32_t)MAX(thread_cores() / 2, 1);
    s->lane_count = MIN(MIN(lanes, partitions), (uint32_t)STREAM_LANES_MAX);
    f->lane_count += s->lane_count;
    s->lanes = mem_take(s->lane_count * sizeof(*s->lanes));
    if (!s->lanes) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(plan->name));
    err_t e = table_hold(s, d);
    if (!e) e = stream_number(f->o.store, plan->name, &s->number, d);
    for (uint32_t i = 0; !e && i < s->lane_count; i++) e = lane_init(&s->lanes[i], s, i, d);
    return e;
}

void stream_free(struct stream *s)
{
    if (!s) return;
    for (uint32_t i = 0; s->lanes && i < s->lane_count; i++) lane_done(&s->lanes[i]);
    store_hold_release(s->hold);
    mem_give(s->lanes);
    mem_give(s);
}
