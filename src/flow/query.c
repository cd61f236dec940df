/* query: bounded SELECTs: a graph whose inputs end. */
#include "flow/op.h"

enum { QUERY_ROWS = CHUNK_ROWS };

struct query {
    struct store *store;
    struct log *log;
    const struct plan_select *plan;
    struct query_limits limits;
    const struct query_result *into;
    struct graph *graph;
    struct arena *batch; /* of the rows at hand */
    struct arena *dense; /* rows on their way out */
    struct counter counter;
    struct slice topic; /* read at the moment, for messages */
};

static bool stopping(void *query)
{
    const struct query *q = query;
    return q->limits.stopping && q->limits.stopping(q->limits.stop_ctx);
}

static err_t look_whether_stopped(struct query *q, struct diag *d)
{
    return stopping(q) ? diag_fail(d, ERR_STOPPED, "the query was stopped") : ERR_OK;
}

/* --- out
 * ------------------------------------------------------------------------------------------ */

static err_t gather(struct arena *a, const struct column *from, const struct rows *r,
                    struct column *to)
{
    err_t e = column_init(to, from->type, r->count, a);
    uint32_t size = phys_size(type_phys(from->type));
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        to->state[i] = from->state[row];
        memcpy((uint8_t *)to->data + (size_t)i * size,
               (const uint8_t *)from->data + (size_t)row * size, size);
    }
    return e;
}

err_t rows_dense(const struct rows *r, struct arena *a, struct column **out)
{
    struct column *dense = arena_take(a, (r->b->column_count + 1) * sizeof(*dense));
    err_t e = dense ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < r->b->column_count; i++)
        e = gather(a, &r->b->columns[i], r, &dense[i]);
    *out = dense;
    return e;
}

static err_t hand_on(void *query, const struct rows *r, struct diag *d)
{
    struct query *q = query;
    uint32_t count = q->plan->root->column_count;
    arena_reset(q->dense);
    struct column *dense;
    err_t e = rows_dense(r, q->dense, &dense);
    if (e) return diag_fail(d, e, "a query's rows");
    e = q->into->rows(q->into->ctx, dense, count, r->count);
    return e ? diag_fail(d, e, "the rows could not be handed on") : ERR_OK;
}

/* A row that can not be computed fails the query: nobody would see that it is not there. */
static err_t row_fails(void *query, err_t e, struct slice reason, struct slice expression,
                       struct slice raw, struct diag *d)
{
    (void)query, (void)expression, (void)raw;
    return diag_fail(d, e, "%.*s", SLICE_ARG(reason));
}

static err_t give_head(struct query *q, struct diag *d)
{
    uint32_t count = q->plan->root->column_count;
    struct slice *names = arena_take(q->dense, (count + 1) * sizeof(*names));
    const struct type **types = arena_take(q->dense, (count + 1) * sizeof(*types));
    if (!names || !types) return diag_fail(d, ERR_NO_MEMORY, "a query's head");
    for (uint32_t i = 0; i < count; i++) {
        names[i] = q->plan->root->columns[i].name;
        types[i] = q->plan->root->columns[i].type;
    }
    if (!q->into->head) return ERR_OK;
    err_t e = q->into->head(q->into->ctx, names, types, count);
    return e ? diag_fail(d, e, "the head could not be handed on") : ERR_OK;
}

/* --- tables
 * --------------------------------------------------------------------------------------- */

static err_t table_columns(struct query *q, const struct plan_table *p, const struct store_table *t,
                           uint16_t **ids, struct diag *d)
{
    *ids = arena_take(q->graph->texts, (p->input_count + 1) * sizeof(**ids));
    if (!*ids) return diag_fail(d, ERR_NO_MEMORY, "a query's columns");
    for (uint32_t i = 0; i < p->input_count; i++) {
        const struct plan_input *in = &p->inputs[i];
        const struct store_column *c =
            in->kind == INPUT_COLUMN ? store_column_find(t, p->relation->columns[in->column].name)
                                     : NULL;
        if (!c) return diag_fail(d, ERR_UNSUPPORTED, "'%.*s' of a table", SLICE_ARG(in->text));
        (*ids)[i] = c->id;
    }
    return ERR_OK;
}

/* How many rows to ask for at once: no more than a LIMIT alone can use. */
static uint32_t rows_at_once(const struct graph *g, const struct op *leaf)
{
    const struct op *o = leaf->out;
    while (o && o->node->kind == NODE_ROWS && !o->node->rows.where && !o->node->rows.check_count)
        o = o->out;
    const struct plan_sort *s = o && o->node->kind == NODE_SORT ? &o->node->sort : NULL;
    (void)g;
    if (!s || s->order_count || s->limit < 0) return QUERY_ROWS;
    return (uint32_t)MIN((uint64_t)s->limit + (uint64_t)MAX(s->offset, (int64_t)0) + 1,
                         (uint64_t)QUERY_ROWS);
}

static err_t scan_table(struct query *q, const struct op *leaf, struct diag *d)
{
    const struct plan_table *p = &leaf->node->table;
    const struct sql_relation *from = p->relation;
    const struct store_table *t = store_table_find(q->store, from->keyspace, from->name);
    struct store_scan *scan = NULL;
    uint16_t *ids = NULL;
    if (!t)
        return diag_fail(d, ERR_UNKNOWN_TABLE, "table '%.*s.%.*s'", SLICE_ARG(from->keyspace),
                         SLICE_ARG(from->name));
    err_t e = table_columns(q, p, t, &ids, d);
    struct store_scan_options o = {.table = t,
                                   .column_ids = ids,
                                   .column_count = p->input_count,
                                   .key = p->key,
                                   .key_count = p->key_count,
                                   .now_ms = q->limits.now_ms};
    if (!e) e = store_scan_open(q->store, NULL, &o, &scan, d);
    while (!e && !q->graph->done) {
        struct column_batch b = {.arena = q->batch};
        arena_reset(q->batch);
        e = look_whether_stopped(q, d);
        if (!e) e = store_scan_next(scan, rows_at_once(q->graph, leaf), &b, NULL, d);
        if (e || b.rows == 0) break;
        q->graph->x.epoch++;
        e = graph_push_rows(q->graph, leaf->node->id, &b, d);
    }
    if (scan) store_scan_close(scan);
    return e;
}

/* --- topics
 * --------------------------------------------------------------------------------------- */

static err_t topic_fault(const struct query *q, const struct chunk_dead *dead, struct diag *d)
{
    diag_fail(d, dead->err, "%.*s", SLICE_ARG(dead->reason));
    diag_where(d, "%.*s/%d offset %lld", SLICE_ARG(q->topic), dead->partition,
               (long long)dead->offset);
    return diag_hint(d, "a stream sends such records to its dead letters; a query stops at them");
}

static err_t read_partition(struct query *q, struct log_partition *part, uint32_t number,
                            struct chunk *c, struct reader *r, struct diag *d)
{
    err_t e = ERR_OK;
    r->until = log_stable_offset(part);
    reader_aim(r, part, log_start_offset(part));
    while (!e && !q->graph->done && r->next < r->until) {
        arena_reset(q->batch);
        e = look_whether_stopped(q, d);
        if (!e) e = reader_fill(r, c, QUERY_ROWS, &q->counter, d);
        if (e == ERR_OFFSET_RANGE && log_start_offset(part) > r->next) { /* retention went by */
            reader_aim(r, part, log_start_offset(part));
            e = ERR_OK;
            continue;
        }
        if (!e && c->dead_count) e = topic_fault(q, &c->dead[0], d);
        if (e || !c->rows) continue;
        e = graph_push(q->graph, number, c, d);
        if (!e && c->dead_count) e = topic_fault(q, &c->dead[0], d);
    }
    return e;
}

static err_t read_topic(struct query *q, const struct op *leaf, struct diag *d)
{
    const struct plan_topic *p = &leaf->node->topic;
    struct log_topic *t = log_topic_find(q->log, p->relation->name);
    struct reader r = {0};
    q->topic = p->relation->name;
    if (!t) return diag_fail(d, ERR_UNKNOWN_TOPIC, "topic '%.*s'", SLICE_ARG(q->topic));
    struct chunk *c = mem_take(sizeof(*c));
    err_t e = !c || reader_init(&r) ? diag_fail(d, ERR_NO_MEMORY, "a query over a topic") : ERR_OK;
    for (int32_t i = 0; !e && !q->graph->done && i < log_topic_partitions(t); i++)
        e = read_partition(q, log_partition(t, i), p->number, c, &r, d);
    if (r.opened) reader_done(&r);
    mem_give(c);
    return e;
}

/* --- the whole
 * ------------------------------------------------------------------------------------- */

static err_t one_row(struct query *q, const struct op *leaf, struct diag *d)
{
    struct column_batch b;
    arena_reset(q->batch);
    err_t e = batch_init(&b, NULL, 0, 1, q->batch);
    return e ? diag_fail(d, e, "a query without FROM")
             : graph_push_rows(q->graph, leaf->node->id, &b, d);
}

static err_t feed(struct query *q, const struct op *leaf, struct diag *d)
{
    switch (leaf->node->kind) {
    case NODE_ONE: return one_row(q, leaf, d);
    case NODE_TABLE: return scan_table(q, leaf, d);
    case NODE_TOPIC: return read_topic(q, leaf, d);
    default: return ERR_OK; /* it has inputs of its own */
    }
}

static err_t run(struct query *q, struct diag *d)
{
    err_t e = give_head(q, d);
    graph_begin(q->graph, q->limits.now_ms, 0, INT64_MIN, &q->counter, q->batch);
    for (uint32_t i = 0; !e && !q->graph->done && i < q->graph->op_count; i++)
        e = feed(q, &q->graph->ops[i], d);
    return e ? e : graph_flush(q->graph, true, d);
}

err_t query_select(struct store *s, struct log *l, const struct plan_select *p,
                   const struct query_limits *limits, const struct query_result *into,
                   struct diag *d)
{
    struct query q = {
        .store = s, .log = l, .plan = p, .limits = *limits, .into = into, .counter.skip = -1};
    if (!q.limits.memory_max) q.limits.memory_max = MIB(256);
    struct graph_options o = {.root = p->root,
                              .node_count = p->node_count,
                              .store = s,
                              .log = l,
                              .bounded = true,
                              .name = SLICE("query"),
                              .memory_max = q.limits.memory_max,
                              .ctx = &q,
                              .end = hand_on,
                              .dead = row_fails,
                              .stopping = stopping};
    q.batch = arena_new(MAX(q.limits.memory_max, MIB(64)));
    q.dense = arena_new(MAX(q.limits.memory_max, MIB(64)));
    err_t e = q.batch && q.dense ? graph_new(&o, &q.graph, d)
                                 : diag_fail(d, ERR_NO_MEMORY, "no memory for a query");
    if (!e) e = run(&q, d);
    graph_free(q.graph);
    arena_free(q.batch);
    arena_free(q.dense);
    return e;
}
