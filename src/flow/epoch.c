/* epoch: rows, dead letters, cursors, ledger and the epoch's own record, in one atomic write (F1).
 */
#include "flow/flow_int.h"

enum {
    EPOCH_SLACK = 256 << 20, /* what the chunk that crosses the soft bound may add */
    PRUNE_EVERY = 1024,      /* epochs between looks for records that retention has overtaken */
    PACE_LEAST = 256         /* rows of a live epoch, however slow the disk is */
};
/* the end of year 9999: times beyond are a producer's mistake */
static const int64_t time_max_ms = 253402300799999;

static struct flow *flow_of(const struct lane *l)
{
    return l->stream->stage->flow;
}

static uint64_t epoch_number(const struct lane *l)
{
    return (l->last_epoch + 1) << 8 | l->index;
}

/* The epoch's bytes may take what the chunks and the reader leave of the lane's share. */
static size_t epoch_bytes_max(const struct lane *l)
{
    size_t share = flow_of(l)->o.memory_max / MAX(flow_of(l)->lane_count, 1u);
    return share / 4 * 3;
}

err_t epoch_begin(struct lane *l, enum store_form form, struct diag *d)
{
    struct flow *f = flow_of(l);
    const struct sql_relation *into = l->stream->plan->into;
    struct epoch *p = &l->epoch;
    uint32_t rows = form == STORE_CATCHUP ? f->o.epoch_rows_catchup : l->pace;
    if (form == STORE_CATCHUP) rows = MAX(rows / l->stream->lane_count, 1u);
    if (l->rows_cap) rows = MIN(rows, l->rows_cap);
    *p = (struct epoch){.number = epoch_number(l),
                        .now_ms = clock_wall_ms(),
                        .started_ns = clock_mono_ns(),
                        .form = form,
                        .rows_max = rows};
    p->counter.skip = f->o.mutant == FLOW_MUTANT_SKIP_COUNT ? (int)f->o.mutant_term : -1;
    p->table = store_table_find(f->o.store, into->keyspace, into->name);
    if (!p->table)
        return diag_fail(d, ERR_UNKNOWN_TABLE, "stream '%.*s' writes to '%.*s.%.*s'",
                         SLICE_ARG(l->stream->stage->name), SLICE_ARG(into->keyspace),
                         SLICE_ARG(into->name));
    for (uint32_t i = 0; i < l->stream->plan->output_count; i++) {
        const struct plan_output *o = &l->stream->plan->outputs[i];
        const struct store_column *c = store_column_find(p->table, o->name);
        if (!c || !type_equal(c->type, o->type))
            return diag_fail(d, c ? ERR_TYPE : ERR_UNKNOWN_COLUMN,
                             "stream '%.*s': table '%.*s' has changed under it at column '%.*s'",
                             SLICE_ARG(l->stream->stage->name), SLICE_ARG(into->name),
                             SLICE_ARG(o->name));
        l->column_ids[i] = c->id;
    }
    /* the soft bound closes an epoch; the hard one leaves room for the chunk that crosses it */
    return store_write_begin(f->o.store, form, epoch_bytes_max(l) + EPOCH_SLACK, &p->write, d);
}

void epoch_abort(struct lane *l)
{
    store_write_abort(l->epoch.write);
    l->epoch.write = NULL;
    l->loaded = false; /* what is durable is the store's to say */
    l->reader.partition = NULL;
}

/* A row's write time stands on its record alone, and grows along a partition (F5). */
static void stamp_rows(struct lane *l, struct lane_partition *p)
{
    struct chunk *c = l->chunk;
    int64_t last = p->now.last_write_us;
    for (uint32_t i = 0; i < c->selected_count; i++) {
        uint32_t row = c->selected[i];
        int64_t ms = MIN(MAX(c->times[row], (int64_t)0), time_max_ms);
        last = MAX(last + 1, ms * 1000);
        l->write_us[row] = last;
        l->lineage[row] = (struct store_lineage){.stream = l->stream->number,
                                                 .partition = (uint32_t)p->index,
                                                 .offset = c->offsets[row],
                                                 .epoch = l->epoch.number};
    }
    p->now.last_write_us = last;
}

static void unselect(struct chunk *c, uint32_t row)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->selected_count; i++)
        if (c->selected[i] != row) c->selected[kept++] = c->selected[i];
    c->selected_count = kept;
}

/* Whether the store's no is about one row, and not about the epoch's size or the machine. */
static bool row_at_fault(const struct chunk *c, err_t e, uint32_t row)
{
    size_t bytes = 0;
    if (row >= c->rows || c->gone[row] || err_passes(e)) return false;
    if (e != ERR_TOO_BIG) return true;
    for (uint32_t i = 0; i < c->rows; i++) bytes += c->values[i].len;
    return bytes < EPOCH_SLACK / 2; /* so much fits: it must be the row */
}

/* A row that the store refuses is a dead letter; the others are written again without it, the same
 * cells at the same times. */
static err_t write_rows(struct lane *l, const struct column *outputs, struct diag *d)
{
    struct chunk *c = l->chunk;
    struct store_rows rows = {.table = l->epoch.table,
                              .columns = outputs,
                              .column_ids = l->column_ids,
                              .column_count = l->stream->plan->output_count,
                              .rows = c->selected,
                              .timestamps_us = l->write_us,
                              .now_ms = l->epoch.now_ms,
                              .lineage = l->lineage};
    while (c->selected_count) {
        struct diag why = {0};
        uint32_t bad_row = UINT32_MAX;
        rows.count = c->selected_count;
        err_t e = store_write_rows(l->epoch.write, &rows, &bad_row, &why);
        if (!e) break;
        if (!row_at_fault(c, e, bad_row)) {
            if (d) *d = why;
            return e;
        }
        const char *text = arena_text(l->arena, slice_of(why.what));
        unselect(c, bad_row);
        chunk_kill(c, bad_row, e, text ? slice_of(text) : SLICE("the store refuses the row"),
                   SLICE(""));
    }
    count_term(&l->epoch.counter, TERM_APPLIED, c->selected_count);
    count_term(&l->epoch.counter, TERM_ROWS_OUT, c->selected_count);
    return ERR_OK;
}

static err_t write_dead(struct lane *l, struct lane_partition *p, struct diag *d)
{
    const struct chunk *c = l->chunk;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < c->dead_count; i++) {
        const struct chunk_dead *n = &c->dead[i];
        struct dead_note note = {.major = (uint64_t)n->time_ms,
                                 .partition = p->index,
                                 .minor = n->offset,
                                 .offset = n->offset,
                                 .time_ms = n->time_ms,
                                 .epoch = l->epoch.number,
                                 .err = n->err,
                                 .topic = l->stream->plan->from->name,
                                 .reason = n->reason,
                                 .expression = n->expression,
                                 .key = n->key,
                                 .raw = n->raw};
        e = dead_write(l->epoch.write, l->stream->stage->name, &note, &l->scratch, d);
        count_term(&l->epoch.counter, TERM_DEAD, n->count);
    }
    return e;
}

err_t epoch_take(struct lane *l, struct lane_partition *p, struct diag *d)
{
    struct chunk *c = l->chunk;
    struct eval_context x = {.now_ms = l->epoch.now_ms,
                             .epoch = l->epoch.number,
                             .stream = l->stream->number,
                             .offsets = c->offsets,
                             .partitions = c->partitions,
                             .topic = l->stream->plan->from->name};
    struct column *outputs = NULL;
    err_t e = ERR_OK;
    arena_reset(l->arena);
    if (c->rows) e = program_run(l->program, &x, c, &l->epoch.counter, l->arena, &outputs, d);
    if (e) return e;
    stamp_rows(l, p);
    e = write_rows(l, outputs, d);
    return e ? e : write_dead(l, p, d);
}

/* --- committing ---------------------------------------------------------------------------------
 */

static err_t write_cursors(struct lane *l, struct store_write *w)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        struct stage_key k = stage_key(l->stream->stage->name);
        if (p->now.next == p->durable.next) continue;
        stage_key_be(&k, (uint32_t)p->index, 4);
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
                             .watermark = INT64_MIN,
                             .sql_version = l->stream->plan->sql_version,
                             .form = l->epoch.form,
                             .delta = l->epoch.counter.now,
                             .ranges = ranges};
    struct stage_key k = stage_key(l->stream->stage->name);
    if (!ranges) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        const struct lane_partition *p = &l->partitions[i];
        if (p->now.next == p->durable.next) continue;
        ranges[r.range_count++] = (struct epoch_range){p->index, p->durable.next, p->now.next};
    }
    stage_key_be(&k, l->epoch.number, 8);
    buf_reset(&l->scratch);
    epoch_record_put(&l->scratch, &r);
    return store_write_record(l->epoch.write, STORE_EPOCH, stage_key_slice(&k),
                              buf_view(&l->scratch));
}

static err_t write_ledger(struct lane *l)
{
    struct lane_ledger sum = {l->total, l->last_epoch + 1, l->epoch.now_ms};
    struct stage_key k = stage_key(l->stream->stage->name);
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
        struct log_partition *log = log_partition(l->stream->topic, r.ranges[i].partition);
        if (log && r.ranges[i].to > log_start_offset(log)) return ERR_STOPPED;
    }
    return store_write_record(l->epoch.write, STORE_EPOCH, key, (struct slice){0});
}

static err_t prune(struct lane *l, struct diag *d)
{
    struct stage_key k = stage_key(l->stream->stage->name);
    struct pruning p = {.lane = l};
    if ((l->last_epoch + 1) % PRUNE_EVERY) return ERR_OK;
    err_t e = store_records(flow_of(l)->o.store, NULL, STORE_EPOCH, stage_key_slice(&k),
                            (struct slice){0}, prune_one, &p, d);
    return e == ERR_STOPPED ? ERR_OK : e;
}

/* The crash tests' mutant: the cursor is durable before the rows are. */
static err_t commit_cursor_first(struct lane *l, struct diag *d)
{
    struct store_write *w = NULL;
    err_t e = store_write_begin(flow_of(l)->o.store, STORE_LIVE, MIB(1), &w, d);
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
                    "expired %llu, held %llu",
                    (unsigned long long)n->applied, (unsigned long long)n->filtered,
                    (unsigned long long)n->deduplicated, (unsigned long long)n->late,
                    (unsigned long long)n->dead, (unsigned long long)n->expired,
                    (unsigned long long)n->held);
}

/* Live: the next epoch has as many rows as can be read and be on disk within twice epoch_ms_live.
 * One slow commit halves it at most, one fast one doubles it. */
static void set_pace(struct lane *l, int64_t took_us)
{
    const struct flow_options *o = &flow_of(l)->o;
    uint64_t most = o->epoch_rows_live, least = MIN(most, (uint64_t)PACE_LEAST);
    uint64_t rows = l->epoch.counter.now.in, took = (uint64_t)MAX(took_us, (int64_t)1);
    uint64_t goal = (uint64_t)o->epoch_ms_live * 2000, fits = rows * goal / took, next = l->pace;
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
    l->last_epoch++;
    int64_t took_us = (clock_mono_ns() - l->epoch.started_ns) / 1000;
    if (l->epoch.form == STORE_LIVE) set_pace(l, took_us);
    metric_add(METRIC_flow_records_in_total, (int64_t)delta->in);
    metric_add(METRIC_flow_rows_out_total, (int64_t)delta->rows_out);
    metric_add(METRIC_flow_dead_total, (int64_t)delta->dead);
    gate_enter(&s->flow->gate); /* cursors and ledger move together for who looks */
    for (uint32_t i = 0; i < l->partition_count; i++) {
        struct lane_partition *p = &l->partitions[i];
        p->durable = p->now;
        atomic_store(&p->kept, p->now.next);
    }
    ledger_add(&l->total, delta);
    s->epochs++;
    s->last_commit_ms = clock_wall_ms();
    s->form = l->epoch.form;
    spans_add(s->form == STORE_LIVE ? &s->live : &s->catchup, took_us);
    stage_rate(s, delta->in);
    gate_wake(&s->flow->gate);
    gate_leave(&s->flow->gate);
}

err_t epoch_commit(struct lane *l, struct diag *d)
{
    err_t e = check_balance(l, d); /* (F4) */
    if (e) return e;
    arena_reset(l->arena);
    e = write_cursors(l, l->epoch.write);
    if (!e) e = write_epoch(l);
    if (!e) e = write_ledger(l);
    if (e) return diag_fail(d, e, "epoch %llu", (unsigned long long)l->epoch.number);
    e = prune(l, d);
    if (!e && flow_of(l)->o.mutant == FLOW_MUTANT_CURSOR_FIRST) e = commit_cursor_first(l, d);
    if (e) return e;
    struct store_write *w = l->epoch.write;
    l->epoch.write = NULL; /* commit frees it either way */
    e = store_write_commit(w, d);
    if (!e) publish(l);
    return e;
}
