/* query: bounded SELECTs over tables and topics. */
#include "flow/query_int.h"

err_t query_charge(struct query *q, size_t bytes, struct diag *d)
{
    if (bytes <= q->limits.memory_max && q->memory <= q->limits.memory_max - bytes) {
        q->memory += bytes;
        return ERR_OK;
    }
    diag_fail(d, ERR_NO_MEMORY, "the query needs more than its %zu MiB of memory",
              q->limits.memory_max >> 20);
    return diag_hint(d, "narrow it with WHERE or LIMIT, or group by fewer values");
}

err_t query_fault(struct query *q, const struct column_batch *b, uint32_t row, struct diag *d)
{
    const struct row_fault *f = batch_fault_of(b, row);
    (void)q;
    return diag_fail(d, f ? f->err : ERR_CAST, "%s",
                     f && f->text ? f->text : "a value can not be computed");
}

err_t query_filter(struct query *q, const struct expr *condition, struct column_batch *b,
                   const struct eval_context *x, struct diag *d)
{
    struct column col;
    uint32_t kept = 0;
    err_t e = expr_eval(condition, x, b, &col);
    if (e) return diag_fail(d, e, "WHERE over %u rows", b->rows);
    for (uint32_t i = 0; i < q->selected_count; i++) {
        uint32_t row = q->selected[i];
        if (col.state[row] == ERROR_VALUE) return query_fault(q, b, row, d);
        if (col.state[row] == VALID_VALUE && col.b1[row]) q->selected[kept++] = row;
    }
    q->selected_count = kept;
    return ERR_OK;
}

err_t query_outputs(struct query *q, struct column_batch *b, const struct eval_context *x,
                    struct diag *d)
{
    struct column *outputs = arena_take(q->batch, (q->outputs_all + 1) * sizeof(*outputs));
    err_t e = ERR_OK;
    if (!outputs) return diag_fail(d, ERR_NO_MEMORY, "a query's outputs");
    if (!q->selected_count) return ERR_OK;
    for (uint32_t i = 0; !e && i < q->outputs_all; i++) {
        e = expr_eval(q->plan->outputs[i].value, x, b, &outputs[i]);
        if (e) return diag_fail(d, e, "column '%.*s'", SLICE_ARG(q->plan->outputs[i].name));
        INVARIANT(outputs[i].state);
        for (uint32_t k = 0; k < q->selected_count; k++)
            if (outputs[i].state[q->selected[k]] == ERROR_VALUE)
                return query_fault(q, b, q->selected[k], d);
    }
    return e ? e : rows_take(q, outputs, d);
}

static err_t take_batch(struct query *q, struct column_batch *b, const struct eval_context *x,
                        struct diag *d)
{
    err_t e = ERR_OK;
    if (q->limits.stopping && q->limits.stopping(q->limits.stop_ctx))
        return diag_fail(d, ERR_STOPPED, "the query was stopped");
    for (uint32_t i = 0; i < b->rows; i++) q->selected[i] = i;
    q->selected_count = b->rows;
    if (q->plan->where) e = query_filter(q, q->plan->where, b, x, d);
    if (e) return e;
    return query_aggregates(q->plan) ? groups_take(q, b, x, d) : query_outputs(q, b, x, d);
}

/* --- tables -------------------------------------------------------------------------------------
 */

static err_t table_columns(struct query *q, const struct store_table *t, uint16_t **ids,
                           struct diag *d)
{
    *ids = arena_take(q->kept_arena, (q->plan->input_count + 1) * sizeof(**ids));
    if (!*ids) return diag_fail(d, ERR_NO_MEMORY, "a query's columns");
    for (uint32_t i = 0; i < q->plan->input_count; i++) {
        const struct plan_input *in = &q->plan->inputs[i];
        const struct store_column *c =
            in->kind == INPUT_COLUMN ? store_column_find(t, q->plan->from->columns[in->column].name)
                                     : NULL;
        if (!c) return diag_fail(d, ERR_UNSUPPORTED, "'%.*s' of a table", SLICE_ARG(in->text));
        (*ids)[i] = c->id;
    }
    return ERR_OK;
}

/* How many rows to ask for at once: no more than a LIMIT alone can use. */
static uint32_t rows_at_once(const struct plan_select *p)
{
    bool all_count = !p->where && !p->distinct && !p->order_count && !query_aggregates(p);
    if (!all_count || p->limit < 0) return QUERY_ROWS;
    return (uint32_t)MIN((uint64_t)p->limit + (uint64_t)MAX(p->offset, (int64_t)0) + 1,
                         (uint64_t)QUERY_ROWS);
}

static err_t scan_table(struct query *q, const struct eval_context *x, struct diag *d)
{
    const struct plan_select *p = q->plan;
    const struct store_table *t = store_table_find(q->store, p->from->keyspace, p->from->name);
    struct store_scan *scan = NULL;
    uint16_t *ids = NULL;
    if (!t)
        return diag_fail(d, ERR_UNKNOWN_TABLE, "table '%.*s.%.*s'", SLICE_ARG(p->from->keyspace),
                         SLICE_ARG(p->from->name));
    err_t e = table_columns(q, t, &ids, d);
    struct store_scan_options o = {.table = t,
                                   .column_ids = ids,
                                   .column_count = p->input_count,
                                   .key = p->key,
                                   .key_count = p->key_count,
                                   .now_ms = x->now_ms};
    if (!e) e = store_scan_open(q->store, NULL, &o, &scan, d);
    while (!e && !q->done) {
        struct column_batch b = {.arena = q->batch};
        arena_reset(q->batch);
        e = store_scan_next(scan, rows_at_once(p), &b, NULL, d);
        if (e || b.rows == 0) break;
        e = take_batch(q, &b, x, d);
    }
    if (scan) store_scan_close(scan);
    return e;
}

/* --- topics -------------------------------------------------------------------------------------
 */

static err_t topic_fault(const struct plan_select *p, const struct chunk_dead *dead, struct diag *d)
{
    diag_fail(d, dead->err, "%.*s", SLICE_ARG(dead->reason));
    diag_where(d, "%.*s/%d offset %lld", SLICE_ARG(p->from->name), dead->partition,
               (long long)dead->offset);
    return diag_hint(d, "a stream sends such records to its dead letters; a query stops at them");
}

static err_t read_partition(struct query *q, struct log_partition *part, struct inputs *in,
                            struct chunk *c, struct reader *r, const struct eval_context *given,
                            struct diag *d)
{
    struct counter counter = {.skip = -1};
    struct eval_context x = *given;
    err_t e = ERR_OK;
    x.offsets = c->offsets;
    x.partitions = c->partitions;
    x.topic = q->plan->from->name;
    r->until = log_stable_offset(part);
    reader_aim(r, part, log_start_offset(part));
    while (!e && !q->done && r->next < r->until) {
        struct column_batch b = {.arena = q->batch};
        arena_reset(q->batch);
        e = reader_fill(r, c, QUERY_ROWS, &counter, d);
        if (e == ERR_OFFSET_RANGE && log_start_offset(part) > r->next) { /* retention went by */
            reader_aim(r, part, log_start_offset(part));
            e = ERR_OK;
            continue;
        }
        if (!e && c->dead_count) e = topic_fault(q->plan, &c->dead[0], d);
        if (e || !c->rows) continue;
        e = inputs_decode(in, x.topic, c, &b, d);
        if (!e && c->dead_count) e = topic_fault(q->plan, &c->dead[0], d);
        if (!e) e = take_batch(q, &b, &x, d);
    }
    return e;
}

static err_t read_topic(struct query *q, const struct eval_context *x, struct diag *d)
{
    const struct plan_select *p = q->plan;
    struct log_topic *t = log_topic_find(q->log, p->from->name);
    struct inputs *in = NULL;
    struct reader r = {0};
    if (!t) return diag_fail(d, ERR_UNKNOWN_TOPIC, "topic '%.*s'", SLICE_ARG(p->from->name));
    struct chunk *c = mem_take(sizeof(*c));
    err_t e = inputs_new(p->inputs, p->input_count, &in, d);
    if (!e && (!c || reader_init(&r))) e = diag_fail(d, ERR_NO_MEMORY, "a query over a topic");
    for (int32_t i = 0; !e && !q->done && i < log_topic_partitions(t); i++)
        e = read_partition(q, log_partition(t, i), in, c, &r, x, d);
    if (r.opened) reader_done(&r);
    inputs_free(in);
    mem_give(c);
    return e;
}

/* --- the whole -----------------------------------------------------------------------------------
 */

static err_t no_table(struct query *q, const struct eval_context *x, struct diag *d)
{
    struct column_batch b;
    err_t e = batch_init(&b, NULL, 0, 1, q->batch); /* one row without columns */
    return e ? diag_fail(d, e, "a query without FROM") : take_batch(q, &b, x, d);
}

static err_t give_head(struct query *q, struct diag *d)
{
    uint32_t count = q->plan->output_count;
    struct slice *names = arena_take(q->batch, (count + 1) * sizeof(*names));
    const struct type **types = arena_take(q->batch, (count + 1) * sizeof(*types));
    if (!names || !types) return diag_fail(d, ERR_NO_MEMORY, "a query's head");
    for (uint32_t i = 0; i < count; i++) {
        names[i] = q->plan->outputs[i].name;
        types[i] = q->plan->outputs[i].type;
    }
    if (!q->into->head) return ERR_OK;
    err_t e = q->into->head(q->into->ctx, names, types, count);
    return e ? diag_fail(d, e, "the head could not be handed on") : ERR_OK;
}

static err_t run(struct query *q, struct diag *d)
{
    struct eval_context x = {.now_ms = q->limits.now_ms};
    const struct sql_relation *from = q->plan->from;
    err_t e = give_head(q, d);
    q->done = q->plan->limit == 0;
    if (e || q->done) return e;
    if (!from)
        e = no_table(q, &x, d);
    else if (from->kind == RELATION_TABLE)
        e = scan_table(q, &x, d);
    else if (from->kind == RELATION_TOPIC)
        e = read_topic(q, &x, d);
    else
        e = diag_fail(d, ERR_UNSUPPORTED, "SELECT from view '%.*s'", SLICE_ARG(from->name));
    if (!e && query_aggregates(q->plan)) e = groups_finish(q, &x, d);
    return e ? e : rows_finish(q, d);
}

err_t query_select(struct store *s, struct log *l, const struct plan_select *p,
                   const struct query_limits *limits, const struct query_result *into,
                   struct diag *d)
{
    struct query q = {.store = s,
                      .log = l,
                      .plan = p,
                      .limits = *limits,
                      .into = into,
                      .outputs_all = p->output_count + p->hidden_count};
    if (!q.limits.memory_max) q.limits.memory_max = MIB(256);
    q.key = buf_make(q.limits.memory_max);
    q.batch = arena_new(MAX(q.limits.memory_max, MIB(64)));
    q.kept_arena = arena_new(q.limits.memory_max);
    q.selected = mem_take(QUERY_ROWS * sizeof(*q.selected));
    err_t e = q.batch && q.kept_arena && q.selected
                  ? run(&q, d)
                  : diag_fail(d, ERR_NO_MEMORY, "no memory for a query");
    groups_done(&q);
    rows_done(&q);
    arena_free(q.batch);
    mem_give(q.selected);
    return e;
}
