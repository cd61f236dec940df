/* graph: a plan's operators and the way of rows through them (op.h). */
#include "flow/op.h"

enum { EXPRESSION_TEXT_MAX = 64 << 10, ROW_TEXT_MAX = 4 << 20 };

extern const struct op_kind op_rows;

/* --- leaves -------------------------------------------------------------------------------------
 */

struct topic_leaf {
    struct inputs *inputs;
    bool where;   /* whoever takes the rows drops some of them first */
    int64_t seen; /* the greatest event time of the last push */
};

static bool is_read(void *ctx, const struct expr_part *p)
{
    bool *late = ctx;
    if (p->kind == EXPR_PART_COLUMN) late[p->column] = false;
    return true;
}

/* What neither the rows' WHERE nor the event's time reads may wait for WHERE. */
static err_t topic_open(struct op *o, struct diag *d)
{
    const struct plan_topic *t = &o->node->topic;
    struct topic_leaf *leaf = mem_take(sizeof(*leaf));
    bool *late = mem_take(t->input_count + 1);
    err_t e = ERR_OK;
    o->self = leaf;
    if (leaf && late) {
        leaf->seen = INT64_MIN;
        leaf->where =
            o->out && o->out->kind == &op_rows && o->out->node->rows.where && !o->graph->o.tap;
        memset(late, leaf->where, t->input_count);
        if (leaf->where) expr_parts(o->out->node->rows.where, is_read, late);
        if (o->node->time >= 0) late[o->node->time] = false;
        e = inputs_new(t->inputs, t->input_count, late, &leaf->inputs, d);
    } else {
        e = diag_fail(d, ERR_NO_MEMORY, "a topic's inputs");
    }
    mem_give(late);
    return e;
}

static void topic_close(struct op *o)
{
    struct topic_leaf *leaf = o->self;
    if (leaf) inputs_free(leaf->inputs);
    mem_give(leaf);
}

static err_t leaf_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    (void)input;
    return op_emit(o, r, d);
}

static const struct op_kind op_topic = {
    .open = topic_open, .push = leaf_push, .close = topic_close};
static const struct op_kind op_leaf = {.push = leaf_push};

const struct op_kind *const op_kinds[NODE_KINDS] = {
    [NODE_ONE] = &op_leaf,      [NODE_TOPIC] = &op_topic,   [NODE_TABLE] = &op_leaf,
    [NODE_ROWS] = &op_rows,     [NODE_UNNEST] = &op_unnest, [NODE_JOIN] = &op_join,
    [NODE_LOOKUP] = &op_lookup, [NODE_UNION] = &op_union,   [NODE_DISTINCT] = &op_distinct,
    [NODE_GROUP] = &op_group,   [NODE_WINDOW] = &op_window, [NODE_TOP] = &op_top,
    [NODE_OVER] = &op_over,     [NODE_SORT] = &op_sort,     [NODE_TRANSFORM] = &op_transform,
};

/* --- making -------------------------------------------------------------------------------------
 */

/* A plan's part may leave out ids: nothing is there. */
static const struct plan_node no_node = {.kind = NODE_ONE};
static const struct op_kind op_absent = {.push = leaf_push};

static err_t place_node(struct graph *g, const struct plan_node *n, struct op *out, uint32_t input,
                        struct diag *d)
{
    INVARIANT(n->id < g->op_count && g->ops[n->id].node == &no_node);
    struct op *o = &g->ops[n->id];
    *o = (struct op){
        .kind = op_kinds[n->kind], .node = n, .graph = g, .out = out, .out_input = input};
    if (g->o.feeds && !node_feeds(n)) o->kind = &op_beyond;
    if (!o->kind)
        return diag_fail(d, ERR_UNSUPPORTED, "'%.*s': %s in a %s", SLICE_ARG(g->o.name),
                         node_names[n->kind], g->o.bounded ? "query" : "stream");
    err_t e = ERR_OK;
    g->keeps_time |= n->stateful || (n->kind == NODE_TOPIC && n->time >= 0);
    for (uint32_t i = 0; !e && i < n->input_count; i++) e = place_node(g, n->inputs[i], o, i, d);
    return e;
}

err_t graph_new(const struct graph_options *options, struct graph **out, struct diag *d)
{
    struct graph *g = mem_take(sizeof(*g));
    err_t e = ERR_OK;
    if (g) {
        *g = (struct graph){.o = *options, .budget.max = options->memory_max};
        g->ops = mem_take((options->node_count + 1) * sizeof(*g->ops));
        g->texts = arena_new(MIB(16));
    }
    if (!g || !g->ops || !g->texts)
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for '%.*s'", SLICE_ARG(options->name));
    if (!e) {
        g->op_count = options->node_count;
        g->cut_at = buf_make(STATE_KEY_MAX + 64);
        g->watermark = INT64_MIN;
        for (uint32_t i = 0; i < g->op_count; i++)
            g->ops[i] = (struct op){.kind = &op_absent, .node = &no_node, .graph = g};
        e = place_node(g, options->root, NULL, 0, d);
    }
    for (uint32_t i = 0; !e && i < g->op_count; i++)
        if (g->ops[i].kind->open) e = g->ops[i].kind->open(&g->ops[i], d);
    if (e) {
        graph_free(g);
        return e;
    }
    *out = g;
    return ERR_OK;
}

void graph_free(struct graph *g)
{
    if (!g) return;
    for (uint32_t i = 0; g->ops && i < g->op_count; i++)
        if (g->ops[i].kind && g->ops[i].kind->close) g->ops[i].kind->close(&g->ops[i]);
    arena_free(g->texts);
    buf_done(&g->cut_at);
    mem_give(g->ops);
    mem_give(g);
}

/* --- an epoch -----------------------------------------------------------------------------------
 */

struct op *graph_turn(struct graph *g, struct op *to)
{
    int64_t now_ns = clock_mono_ns();
    struct op *was = g->turn;
    if (was) was->spent_ns += now_ns - g->turn_ns;
    g->turn = to;
    g->turn_ns = now_ns;
    return was;
}

void graph_begin(struct graph *g, int64_t now_ms, uint64_t epoch, int64_t watermark,
                 struct counter *counter, struct arena *arena)
{
    g->x = (struct eval_context){.now_ms = now_ms, .epoch = epoch, .stream = g->o.stream};
    g->watermark = watermark;
    g->counter = counter;
    g->arena = arena;
    g->sequence = 0;
    g->by_entry = g->cut = g->flushing = false;
    g->closed = 0;
    g->close_max = UINT64_MAX;
    g->close_at = (struct slice){0};
    buf_reset(&g->cut_at);
    g->times = (struct event_times){.least = INT64_MAX, .greatest = INT64_MIN};
}

static struct op *topic_op(const struct graph *g, uint32_t topic)
{
    for (uint32_t i = 0; i < g->op_count; i++)
        if (g->ops[i].node->kind == NODE_TOPIC && g->ops[i].node->topic.number == topic)
            return &g->ops[i];
    return NULL;
}

bool graph_reads_value(const struct graph *g, uint32_t topic)
{
    const struct topic_leaf *leaf = topic_op(g, topic)->self;
    return inputs_read_value(leaf->inputs);
}

int64_t graph_time_seen(const struct graph *g, uint32_t topic)
{
    const struct topic_leaf *leaf = topic_op(g, topic)->self;
    return leaf->seen;
}

/* The greatest event time; where none is declared, of the records' own. */
static int64_t time_seen(const struct op *o, const struct chunk *c, const struct column_batch *b)
{
    const struct column *col = o->node->time >= 0 ? &b->columns[o->node->time] : NULL;
    struct event_times *t = &o->graph->times;
    int64_t seen = INT64_MIN;
    for (uint32_t row = 0; o->graph->keeps_time && row < c->rows; row++) {
        if (c->gone[row] || (col && col->state[row] != VALID_VALUE)) continue;
        int64_t time = col ? col->i64[row] : c->times[row];
        seen = MAX(seen, time);
        t->least = MIN(t->least, time);
        t->sum += (double)time;
        t->count++;
    }
    t->greatest = MAX(t->greatest, seen);
    return seen;
}

static err_t all_rows(struct graph *g, const uint8_t *gone, struct rows *r)
{
    uint32_t *selected = arena_take_raw(g->arena, (r->b->rows + 1) * sizeof(*selected));
    if (!selected) return ERR_NO_MEMORY;
    for (uint32_t row = 0; row < r->b->rows; row++)
        if (!gone || !gone[row]) selected[r->count++] = row;
    r->selected = selected;
    return ERR_OK;
}

err_t graph_push(struct graph *g, uint32_t topic, struct chunk *c, struct diag *d)
{
    struct op *o = topic_op(g, topic);
    struct topic_leaf *leaf = o->self;
    struct column_batch b = {.arena = g->arena};
    struct slice name = o->node->topic.relation->name;
    struct rows r = {.b = &b,
                     .chunk = c,
                     .late = leaf->where ? leaf->inputs : NULL,
                     .topic = topic,
                     .partitions = c->partitions,
                     .offsets = c->offsets,
                     .times = c->times};
    leaf->seen = INT64_MIN;
    if (!c->rows) return ERR_OK;
    g->x.topic = name;
    struct op *was = graph_turn(g, o);
    err_t e = inputs_decode(leaf->inputs, name, c, &b, d);
    if (!e) e = all_rows(g, c->gone, &r);
    if (!e) {
        leaf->seen = time_seen(o, c, &b);
        o->rows_in += c->rows;
        e = o->kind->push(o, 0, &r, d);
    }
    (void)graph_turn(g, was);
    if (!e && c->machine)
        e = diag_fail(d, c->machine, "'%.*s' over %u records", SLICE_ARG(g->o.name), c->rows);
    return e;
}

err_t graph_push_rows(struct graph *g, uint32_t node, struct column_batch *b, struct diag *d)
{
    struct op *o = &g->ops[node];
    struct rows r = {.b = b};
    err_t e = all_rows(g, NULL, &r);
    if (e) return diag_fail(d, e, "%u rows of a table", b->rows);
    o->rows_in += b->rows;
    return o->kind->push(o, 0, &r, d);
}

/* --- what closes in several epochs --------------------------------------------------------------
 */

/* Bytes that sort as entries go: phase, node, part, time, key. */
enum { PLACE_PHASE = 1, PLACE_NODE = 4, PLACE_HEAD = PLACE_PHASE + PLACE_NODE + 1 + 8 };

static void place_put(struct buf *out, const struct op *o, uint8_t part, const void *entry)
{
    buf_reset(out);
    buf_be(out, o->graph->flushing, PLACE_PHASE);
    buf_be(out, o->node->id, PLACE_NODE);
    buf_be(out, part, 1);
    buf_be(out, (uint64_t)state_time(entry) ^ (uint64_t)1 << 63, 8);
    buf_slice(out, state_key(entry));
}

/* A recorded place tells in which operator's advance the epoch was cut. */
static bool stands_still(const struct graph *g, uint32_t node)
{
    struct cursor c = cursor_of(g->close_at);
    bool behind = g->close_at.at && cursor_be(&c, PLACE_PHASE) == 0;
    return g->cut || (behind && node > cursor_be(&c, PLACE_NODE));
}

void graph_close_some(struct graph *g, uint64_t most)
{
    g->by_entry = true;
    g->close_max = most ? most : UINT64_MAX;
}

err_t graph_close_until(struct graph *g, struct slice cut, struct diag *d)
{
    if (cut.len < PLACE_HEAD)
        return diag_fail(d, ERR_CORRUPT, "'%.*s': the place at which an epoch was cut",
                         SLICE_ARG(g->o.name));
    g->by_entry = true;
    g->close_at = cut;
    buf_reset(&g->cut_at);
    g->cut = false;
    return ERR_OK;
}

struct slice graph_cut(const struct graph *g)
{
    if (g->close_at.at) return g->close_at;
    return g->cut ? buf_view(&g->cut_at) : (struct slice){0};
}

bool op_may_close(struct op *o, uint8_t part, const void *entry)
{
    enum { LOOK_EVERY = 64 };
    struct graph *g = o->graph;
    if (g->cut) return false;
    place_put(&g->cut_at, o, part, entry);
    if (g->close_at.at)
        g->cut = slice_compare(buf_view(&g->cut_at), g->close_at) >= 0;
    else
        g->cut = g->closed >= g->close_max || (g->closed && g->closed % LOOK_EVERY == 0 &&
                                               g->o.closed_enough && g->o.closed_enough(g->o.ctx));
    g->closed += !g->cut;
    return !g->cut;
}

err_t op_cut_ok(const struct op *o, err_t e)
{
    return e == ERR_STOPPED && o->graph->cut ? ERR_OK : e;
}

struct removing {
    struct op *o;
    struct state *state;
    uint8_t part;
};

static err_t remove_one(void *ctx, void *entry, struct diag *d)
{
    const struct removing *r = ctx;
    (void)d;
    if (!op_may_close(r->o, r->part, entry)) return ERR_STOPPED;
    state_remove(r->state, entry);
    return ERR_OK;
}

err_t op_remove_until(struct op *o, uint8_t part, struct state *s, int64_t until, struct diag *d)
{
    struct removing r = {o, s, part};
    if (state_first(s) >= until) return ERR_OK;
    if (!o->graph->by_entry) return state_remove_until(s, until, d);
    return op_cut_ok(o, state_each_leaves(s, until, remove_one, &r, d));
}

err_t graph_advance(struct graph *g, int64_t watermark, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && !stands_still(g, i) && i < g->op_count; i++) {
        if (!g->ops[i].kind->advance) continue;
        arena_reset(g->arena);
        struct op *was = graph_turn(g, &g->ops[i]);
        e = g->ops[i].kind->advance(&g->ops[i], watermark, d);
        (void)graph_turn(g, was);
    }
    return e;
}

err_t graph_flush(struct graph *g, bool end, struct diag *d)
{
    err_t e = ERR_OK;
    g->flushing = true;
    for (uint32_t i = 0; !e && i < g->op_count; i++) {
        if (!g->ops[i].kind->flush) continue;
        arena_reset(g->arena);
        struct op *was = graph_turn(g, &g->ops[i]);
        e = g->ops[i].kind->flush(&g->ops[i], end, d);
        (void)graph_turn(g, was);
    }
    return e;
}

err_t graph_write(struct graph *g, struct store_write *w, struct diag *d)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < g->op_count; i++) {
        if (!g->ops[i].kind->write) continue;
        struct op *was = graph_turn(g, &g->ops[i]);
        e = g->ops[i].kind->write(&g->ops[i], w, d);
        (void)graph_turn(g, was);
    }
    return e;
}

void graph_kept(struct graph *g)
{
    for (uint32_t i = 0; i < g->op_count; i++)
        if (g->ops[i].kind->kept) g->ops[i].kind->kept(&g->ops[i]);
}

void graph_forget(struct graph *g)
{
    for (uint32_t i = 0; i < g->op_count; i++)
        if (g->ops[i].kind->forget) g->ops[i].kind->forget(&g->ops[i]);
}

/* --- what operators share -----------------------------------------------------------------------
 */

err_t op_give(struct op *o, const struct rows *r, struct diag *d)
{
    struct graph *g = o->graph;
    bool last = !o->out || o->out->kind == &op_beyond;
    struct op *to = last ? &g->end : o->out, *was = graph_turn(g, to);
    to->rows_in += r->count;
    err_t e = last ? g->o.end(g->o.ctx, r, d) : to->kind->push(to, o->out_input, r, d);
    (void)graph_turn(g, was);
    return e;
}

err_t op_emit(struct op *o, const struct rows *r, struct diag *d)
{
    struct rows given = *r;
    struct graph *g = o->graph;
    given.node = o->node;
    if (g->o.tap && r->count) {
        err_t e = g->o.tap(g->o.ctx, o, &given, d);
        if (e) return e;
    }
    o->rows_out += given.count;
    if (!given.count) return ERR_OK;
    return op_give(o, &given, d);
}

void op_count(struct op *o, enum ledger_term t, int64_t n)
{
    count_term(o->graph->counter, t, (uint64_t)n); /* held may shrink: modulo 2^64 */
}

struct slice op_print(struct op *o, const struct expr *e)
{
    struct buf b = buf_make(EXPRESSION_TEXT_MAX);
    expr_print(e, &b);
    struct slice s = arena_slice(o->graph->texts, buf_view(&b));
    buf_done(&b);
    return s;
}

/* A row's columns as one JSON object. */
static err_t dead_columns(struct graph *g, const struct rows *r, uint32_t row, err_t dead,
                          struct slice reason, struct slice expression, struct diag *d)
{
    struct buf raw = buf_make(ROW_TEXT_MAX);
    const struct plan_node *n = r->node;
    struct slice *names = arena_take(r->b->arena, (r->b->column_count + 1) * sizeof(*names));
    err_t e = names ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "a dead letter");
    for (uint32_t i = 0; !e && i < r->b->column_count; i++)
        names[i] = n && i < n->column_count ? n->columns[i].name : SLICE("?");
    if (!e) json_put_row(&raw, r->b, names, row);
    if (!e && raw.err) e = diag_fail(d, raw.err, "a dead letter's row");
    if (!e) e = g->o.dead(g->o.ctx, dead, reason, expression, buf_view(&raw), d);
    buf_done(&raw);
    return e;
}

err_t op_dead(struct op *o, const struct rows *r, uint32_t row, err_t e, struct slice reason,
              struct slice expression, struct diag *d)
{
    if (r->chunk) {
        chunk_kill(r->chunk, row, e, reason, expression);
        return ERR_OK;
    }
    if (err_passes(e)) /* the machine's fault is no reason for a dead letter */
        return diag_fail(d, e, "'%.*s': %.*s", SLICE_ARG(o->graph->o.name), SLICE_ARG(reason));
    if (r->signs && r->signs[row] < 0) return ERR_OK; /* it never went on: nothing to take back */
    return dead_columns(o->graph, r, row, e, reason, expression, d);
}

bool op_is_hurt(const struct rows *r, uint32_t row)
{
    const struct column_batch *b = r->b;
    if (!b->fault_count || !b->bad[row]) return false;
    for (uint32_t i = 0; i < b->column_count; i++)
        if (b->columns[i].state[row] == ERROR_VALUE) return true;
    return false;
}

void op_dead_column(const struct rows *r, uint32_t row, struct slice column)
{
    struct chunk *c = r->chunk;
    if (c && c->dead_count && c->dead[c->dead_count - 1].row == row)
        c->dead[c->dead_count - 1].column = column;
}

err_t op_late(struct op *o, const struct rows *r, uint32_t row, struct diag *d)
{
    static const char *const why = "the row is older than the watermark";
    struct chunk *c = r->chunk;
    o->late++;
    if (c) count_term(o->graph->counter, TERM_LATE, 1);
    if (!o->graph->o.late_letters) return ERR_OK;
    if (!c) return dead_columns(o->graph, r, row, ERR_RANGE, slice_of(why), o->node->text, d);
    chunk_kill(c, row, ERR_RANGE, slice_of(why), o->node->text);
    c->dead[c->dead_count - 1].count = 0; /* counted as late */
    return ERR_OK;
}

/* Rows that are no records have a place in their epoch: uuid() stands on it. */
static err_t place_rows(struct graph *g, const struct column_batch *b, struct eval_context *x)
{
    uint32_t rows = b->rows;
    int64_t *offsets = arena_take_raw(b->arena, (rows + 1) * sizeof(*offsets));
    int32_t *partitions = arena_take_raw(b->arena, (rows + 1) * sizeof(*partitions));
    if (!offsets || !partitions) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < rows; i++) {
        offsets[i] = g->sequence + i;
        partitions[i] = -1;
    }
    g->sequence += rows;
    x->offsets = offsets;
    x->partitions = partitions;
    return ERR_OK;
}

err_t op_eval(struct op *o, const struct expr *e, const struct rows *r, struct column *out,
              struct diag *d)
{
    struct eval_context x = o->graph->x;
    err_t err = ERR_OK;
    x.offsets = r->offsets;
    x.partitions = r->partitions;
    x.active = r->active;
    if (!r->offsets) err = place_rows(o->graph, r->b, &x);
    if (!err) err = expr_eval(e, &x, r->b, out);
    return err ? diag_fail(d, err, "'%.*s' over %u rows", SLICE_ARG(o->graph->o.name), r->b->rows)
               : ERR_OK;
}

void op_key(struct buf *out, const struct column *columns, uint32_t count, uint32_t row)
{
    uint8_t scratch[16];
    for (uint32_t i = 0; i < count; i++) {
        bool valid = columns[i].state[row] == VALID_VALUE;
        buf_be(out, valid, 1);
        if (valid) bytes_put(out, column_binary(&columns[i], row, scratch));
    }
}

err_t op_order_key(struct buf *out, const struct plan_order *order, uint32_t count,
                   const struct column *columns, uint32_t row)
{
    uint8_t scratch[16];
    err_t e = ERR_OK;
    buf_reset(out);
    for (uint32_t i = 0; !e && i < count; i++) {
        const struct column *c = &columns[order[i].output];
        bool valid = c->state[row] == VALID_VALUE;
        buf_char(out, valid == order[i].nulls_first);
        if (valid)
            e = key_put_order(out, c->type, column_binary(c, row, scratch), order[i].descending);
    }
    return e ? e : out->err;
}

err_t op_state_open(struct op *o, uint8_t part, const struct state_form *form, void *ctx,
                    struct state **out, struct diag *d)
{
    struct graph *g = o->graph;
    struct state_options so = {.store = g->o.bounded || g->o.scratch ? NULL : g->o.store,
                               .stream = g->o.stream,
                               .node = (uint16_t)o->node->state_id,
                               .part = part,
                               .form = form,
                               .ctx = ctx,
                               .budget = &g->budget};
    return state_open(&so, out, d);
}
