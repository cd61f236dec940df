/* op_over: window functions of a bounded query. All rows are kept, sorted by key and order; then
 * each key's rows stand as one batch over which arguments are evaluated and functions computed.
 *
 * A frame that begins at the first row is added to row by row; one that moves takes rows back where
 * the aggregate can, and is added anew for each row where it can not.
 */
#include "flow/telling.h"
#include "sql/aggregate.h"

#include <stdlib.h>

enum { KEEP_FIRST = 1024, ROW_BYTES_MAX = 16 << 20 };

struct kept {
    struct slice key, order, packed;
    uint64_t sequence;
};
struct over {
    struct op *op;
    const struct plan_over *p;
    struct telling out;
    struct arena *arena, *batch; /* all rows; one key's */
    struct kept *kept;
    size_t count, cap;
    struct buf key, order, packed;
    uint32_t width;
};

/* --- keeping ------------------------------------------------------------------------------------
 */

static err_t too_much(const struct over *o, struct diag *d)
{
    (void)diag_fail(d, ERR_NO_MEMORY, "the query needs more than its %zu MiB of memory",
                    o->op->graph->o.memory_max >> 20);
    return diag_hint(d, "narrow it with WHERE, or use fewer columns beside OVER (…)");
}

static err_t grow(struct over *o, struct diag *d)
{
    if (o->count < o->cap) return ERR_OK;
    size_t cap = o->cap ? o->cap * 2 : KEEP_FIRST;
    if (cap * sizeof(*o->kept) > o->op->graph->o.memory_max) return too_much(o, d);
    struct kept *grown = mem_resize(o->kept, cap * sizeof(*grown));
    if (!grown) return too_much(o, d);
    o->kept = grown;
    o->cap = cap;
    return ERR_OK;
}

static err_t keep(struct over *o, const struct rows *r, const struct column *keys, uint32_t row,
                  struct diag *d)
{
    err_t e = grow(o, d);
    if (e) return e;
    buf_reset(&o->key);
    op_key(&o->key, keys, o->p->key_count, row);
    buf_reset(&o->packed);
    packed_put(&o->packed, r->b->columns, o->width, row);
    e = op_order_key(&o->order, o->p->order, o->p->order_count, r->b->columns, row);
    if (!e) e = o->key.err ? o->key.err : o->packed.err;
    if (e) return diag_fail(d, e, "OVER (…): a row's place");
    struct kept *k = &o->kept[o->count];
    *k = (struct kept){arena_slice(o->arena, buf_view(&o->key)),
                       arena_slice(o->arena, buf_view(&o->order)),
                       arena_slice(o->arena, buf_view(&o->packed)), o->count};
    if (!k->key.at || !k->order.at || !k->packed.at) return too_much(o, d);
    o->count++;
    return ERR_OK;
}

static err_t over_push(struct op *op, uint32_t input, const struct rows *r, struct diag *d)
{
    struct over *o = op->self;
    struct column *keys = arena_take(r->b->arena, (o->p->key_count + 1) * sizeof(*keys));
    err_t e = keys ? ERR_OK : too_much(o, d);
    (void)input;
    for (uint32_t k = 0; !e && k < o->p->key_count; k++)
        e = op_eval(op, o->p->keys[k], r, &keys[k], d);
    for (uint32_t i = 0; !e && i < r->count; i++) e = keep(o, r, keys, r->selected[i], d);
    return e;
}

static int compare(const void *left, const void *right)
{
    const struct kept *a = left, *b = right;
    int side = slice_compare(a->key, b->key);
    if (!side) side = slice_compare(a->order, b->order);
    return side ? side : a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* --- one key's rows
 * ------------------------------------------------------------------------------- */

struct span { /* rows from `first` up to, not including, `end` */
    uint32_t first, end;
};
struct partition {
    struct over *o;
    const struct kept *kept;
    struct column_batch b; /* the input's columns */
    struct rows r;
    struct column *args; /* of the function at hand */
    struct span *frames; /* a row */
    uint32_t *peers_end; /* a row: where the rows equal to it in the order end */
    struct diag *d;
};

static err_t load(struct partition *p, uint32_t count)
{
    struct over *o = p->o;
    const struct plan_node *in = o->op->node->inputs[0];
    const struct type **types = arena_take(o->batch, (o->width + 1) * sizeof(*types));
    uint32_t *selected = arena_take_raw(o->batch, (count + 1) * sizeof(*selected));
    p->frames = arena_take(o->batch, (count + 1) * sizeof(*p->frames));
    p->peers_end = arena_take(o->batch, (count + 1) * sizeof(*p->peers_end));
    if (!types || !selected || !p->frames || !p->peers_end) return too_much(o, p->d);
    for (uint32_t i = 0; i < o->width; i++) types[i] = in->columns[i].type;
    err_t e = batch_init(&p->b, types, o->width, count, o->batch);
    if (e) return too_much(o, p->d);
    for (uint32_t row = 0; !e && row < count; row++) {
        selected[row] = row;
        e = packed_take(p->kept[row].packed, p->b.columns, o->width, row);
    }
    for (uint32_t row = count; row > 0; row--) {
        bool same = row < count && slice_equal(p->kept[row].order, p->kept[row - 1].order);
        p->peers_end[row - 1] = same ? p->peers_end[row] : row;
    }
    p->r = (struct rows){.b = &p->b, .selected = selected, .count = count};
    return e ? diag_fail(p->d, e, "a row of OVER (…)") : ERR_OK;
}

static uint32_t clamp_row(int64_t row, int64_t by, uint32_t count)
{
    int64_t at;
    if (__builtin_add_overflow(row, by, &at)) at = by < 0 ? 0 : count;
    return (uint32_t)MIN(MAX(at, (int64_t)0), (int64_t)count);
}

/* Rows whose one time is a null stand together, at an end: [first, end). */
static struct span null_times(const struct partition *p)
{
    const struct column *c = &p->b.columns[p->o->p->order[0].output];
    uint32_t first = 0, end = p->b.rows;
    while (first < end && c->state[first] == VALID_VALUE) first++;
    while (end > first && c->state[end - 1] == VALID_VALUE) end--;
    return (struct span){first, end};
}

/* How far the other row's time is along the order. */
static int64_t away(const struct partition *p, uint32_t row, uint32_t other)
{
    const struct plan_order *by = &p->o->p->order[0];
    const int64_t *at = p->b.columns[by->output].i64;
    int64_t by_ms;
    bool turned = by->descending;
    if (__builtin_sub_overflow(at[turned ? row : other], at[turned ? other : row], &by_ms))
        return other < row ? INT64_MIN : INT64_MAX;
    return by_ms;
}

/* RANGE in milliseconds goes by the one time that the order has. Ends only go forward. */
static void find_time_frames(struct partition *p)
{
    const struct plan_over *o = p->o->p;
    struct span nulls = null_times(p), last = {0, 0};
    uint32_t count = p->b.rows;
    bool nulls_first = nulls.first == 0 && nulls.end > 0;
    uint32_t from = nulls_first ? nulls.end : 0, until = nulls_first ? count : nulls.first;
    last = (struct span){from, from};
    for (uint32_t row = 0; row < count; row++) {
        struct span f = nulls;
        if (row >= from && row < until) {
            f = last;
            while (f.first < until && away(p, row, f.first) < o->frame_low) f.first++;
            while (f.end < until && away(p, row, f.end) <= o->frame_high) f.end++;
            last = f;
        }
        if (o->frame_low == INT64_MIN) f.first = 0;
        if (o->frame_high == INT64_MAX) f.end = count;
        if (f.end < f.first) f.end = f.first;
        p->frames[row] = f;
    }
}

/* RANGE without a number: by rows that are equal in the order. */
static struct span peers_frame(const struct partition *p, uint32_t first_peer, uint32_t row)
{
    const struct plan_over *o = p->o->p;
    struct span f = {first_peer, o->order_count ? p->peers_end[row] : p->b.rows};
    if (!o->frame || o->frame_low == INT64_MIN) f.first = 0;
    if (o->frame && o->frame_high == INT64_MAX) f.end = p->b.rows;
    return f;
}

static struct span rows_frame(const struct partition *p, uint32_t row)
{
    const struct plan_over *o = p->o->p;
    uint32_t count = p->b.rows;
    struct span f = {0, count};
    if (o->frame_low != INT64_MIN) f.first = clamp_row(row, o->frame_low, count);
    if (o->frame_high != INT64_MAX) f.end = clamp_row((int64_t)row + 1, o->frame_high, count);
    if (f.end < f.first) f.end = f.first;
    return f;
}

static void find_frames(struct partition *p)
{
    const struct plan_over *o = p->o->p;
    bool numbers = (o->frame_low != INT64_MIN && o->frame_low != 0) ||
                   (o->frame_high != INT64_MAX && o->frame_high != 0);
    if (o->frame && !o->frame_rows && numbers) {
        find_time_frames(p);
        return;
    }
    for (uint32_t row = 0, first_peer = 0; row < p->b.rows; row++) {
        if (o->order_count && row > 0 && p->peers_end[row - 1] == row) first_peer = row;
        p->frames[row] =
            o->frame && o->frame_rows ? rows_frame(p, row) : peers_frame(p, first_peer, row);
    }
}

/* --- aggregates over frames
 * -------------------------------------------------------------------------- */

struct memory { /* of the aggregate at hand */
    struct agg_more more;
    uint64_t fixed[32];
};

struct sliding {
    struct partition *p;
    const struct plan_aggregate *a;
    struct memory *m;
    uint8_t **groups;
    uint32_t *rows;
    int8_t *signs;
    const uint8_t *takes; /* FILTER: a row; NULL: all */
};

static err_t add_span(struct sliding *s, uint32_t first, uint32_t end, int8_t sign)
{
    struct agg_rows r = {.groups = s->groups,
                         .fixed_at = offsetof(struct memory, fixed),
                         .more_at = offsetof(struct memory, more),
                         .args = s->a->arg_count ? s->p->args : NULL,
                         .rows = s->rows,
                         .signs = s->signs};
    for (uint32_t row = first; row < end; row++) {
        if (s->takes && !s->takes[row]) continue;
        s->groups[r.count] = (uint8_t *)s->m;
        s->signs[row] = sign;
        s->rows[r.count++] = row;
    }
    return r.count ? s->a->of->add(s->a, &r, s->p->d) : ERR_OK;
}

static void clear(struct sliding *s)
{
    agg_more_done(&s->m->more);
    memset(s->m, 0, sizeof(*s->m));
}

static err_t slide(struct sliding *s, struct column *out)
{
    bool back = s->a->takes_back;
    struct span now = {0, 0};
    err_t e = ERR_OK;
    for (uint32_t row = 0; !e && row < s->p->b.rows; row++) {
        struct span f = s->p->frames[row];
        bool moves = f.first != now.first || f.end < now.end;
        if (moves && (!back || f.first >= now.end)) {
            clear(s);
            now = (struct span){f.first, f.first};
        }
        if (f.first > now.first) e = add_span(s, now.first, f.first, -1);
        if (!e && f.end < now.end) e = add_span(s, f.end, now.end, -1);
        if (!e && f.end > now.end) e = add_span(s, now.end, f.end, 1);
        now = f;
        if (!e)
            e = s->a->of->tell(s->a, (const uint8_t *)s->m->fixed, &s->m->more, out, row,
                               s->p->b.arena, s->p->d);
    }
    return e;
}

static err_t value_fails(struct partition *p, uint32_t row)
{
    const struct row_fault *fault = batch_fault_of(&p->b, row);
    return diag_fail(p->d, fault ? fault->err : ERR_CAST, "%s",
                     fault && fault->text ? fault->text : "a value can not be computed");
}

/* Arguments of the rows that count (`takes` NULL: all). */
static err_t look_for_faults(struct partition *p, const struct plan_aggregate *a,
                             const uint8_t *takes)
{
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < a->arg_count; i++)
        for (uint32_t row = 0; !e && row < p->b.rows; row++)
            if (p->args[i].state[row] == ERROR_VALUE && (!takes || takes[row]))
                e = value_fails(p, row);
    return e;
}

static err_t eval_filter(struct partition *p, const struct expr *filter, const uint8_t **out)
{
    struct column c;
    if (!filter) return ERR_OK;
    uint8_t *takes = arena_take(p->b.arena, p->b.rows + 1);
    if (!takes) return too_much(p->o, p->d);
    err_t e = op_eval(p->o->op, filter, &p->r, &c, p->d);
    for (uint32_t row = 0; !e && row < p->b.rows; row++) {
        takes[row] = c.state[row] == VALID_VALUE && c.b1[row];
        if (c.state[row] == ERROR_VALUE) e = value_fails(p, row);
    }
    *out = takes;
    return e;
}

/* Whether a frame begins later than one before it: rows are taken back then. */
static bool frames_move(const struct partition *p)
{
    for (uint32_t row = 1; row < p->b.rows; row++)
        if (p->frames[row].first != p->frames[row - 1].first) return true;
    return false;
}

static err_t run_aggregate(struct partition *p, const struct plan_over_function *f,
                           struct column *out)
{
    struct arena *a = p->b.arena;
    struct memory memory = {0};
    struct plan_aggregate mine = f->aggregate;
    struct sliding s = {.p = p, .a = &mine, .m = &memory};
    mine.takes_back = mine.of->flags & AGG_BACK && frames_move(p);
    if (f->aggregate.of->size > sizeof(memory.fixed))
        return diag_fail(p->d, ERR_UNSUPPORTED, "%s() OVER (…)", f->aggregate.of->name);
    s.groups = arena_take_raw(a, (p->b.rows + 1) * sizeof(*s.groups));
    s.rows = arena_take_raw(a, (p->b.rows + 1) * sizeof(*s.rows));
    s.signs = arena_take_raw(a, p->b.rows + 1);
    if (!s.groups || !s.rows || !s.signs) return too_much(p->o, p->d);
    err_t e = eval_filter(p, mine.filter, &s.takes);
    if (!e) e = look_for_faults(p, &mine, s.takes);
    if (!e) e = slide(&s, out);
    agg_more_done(&memory.more);
    return e;
}

/* --- the others
 * --------------------------------------------------------------------------------------- */

static void put_integer(struct column *out, uint32_t row, int64_t v)
{
    struct value value = value_i64(TYPE_BIGINT, v);
    if (column_set(out, row, &value)) column_put_null(out, row); /* a bigint has no bytes to fail */
}
static void put_real(struct column *out, uint32_t row, double v)
{
    out->f64[row] = v;
    out->state[row] = VALID_VALUE;
}

/* An argument as a whole number; `otherwise` where it is not given or null. */
static int64_t whole_arg(const struct partition *p, const struct plan_over_function *f, uint32_t i,
                         uint32_t row, int64_t otherwise)
{
    struct value v;
    if (i >= f->aggregate.arg_count || p->args[i].state[row] != VALID_VALUE) return otherwise;
    column_get(&p->args[i], row, &v);
    return v.integer;
}

static void put_from(struct partition *p, struct column *out, uint32_t row, int64_t from,
                     const struct plan_over_function *f)
{
    bool there = from >= 0 && from < (int64_t)p->b.rows;
    if (there)
        column_copy_row(out, row, &p->args[0], (uint32_t)from);
    else if (f->aggregate.arg_count > 2)
        column_copy_row(out, row, &p->args[2], row);
    else
        column_put_null(out, row);
}

/* Rows before the row at hand that the order tells apart from it, and groups of equal ones so far.
 */
struct standing {
    uint32_t first_peer, dense;
};

static void run_one(struct partition *p, const struct plan_over_function *f, uint32_t row,
                    struct standing at, struct column *out)
{
    uint32_t count = p->b.rows;
    struct span frame = p->frames[row];
    int64_t n;
    switch (f->kind) {
    case OVER_ROW_NUMBER: put_integer(out, row, (int64_t)row + 1); break;
    case OVER_RANK: put_integer(out, row, (int64_t)at.first_peer + 1); break;
    case OVER_DENSE_RANK: put_integer(out, row, at.dense); break;
    case OVER_PERCENT_RANK:
        put_real(out, row, count > 1 ? (double)at.first_peer / (double)(count - 1) : 0);
        break;
    case OVER_CUME_DIST: put_real(out, row, (double)p->peers_end[row] / (double)count); break;
    case OVER_NTILE:
        n = MAX(whole_arg(p, f, 0, row, 1), (int64_t)1);
        n = MIN(n, (int64_t)UINT32_MAX);
        { /* the first `rest` tiles have one row more */
            int64_t small = count / n, rest = count % n, bigger = rest * (small + 1);
            put_integer(out, row,
                        row < bigger ? row / (small + 1) + 1
                                     : rest + (row - bigger) / MAX(small, (int64_t)1) + 1);
        }
        break;
    case OVER_LAG:
    case OVER_LEAD:
        n = MIN(MAX(whole_arg(p, f, 1, row, 1), -(int64_t)UINT32_MAX), (int64_t)UINT32_MAX);
        put_from(p, out, row, f->kind == OVER_LAG ? row - n : row + n, f);
        break;
    case OVER_FIRST_VALUE:
        put_from(p, out, row, frame.first < frame.end ? (int64_t)frame.first : -1, f);
        break;
    case OVER_LAST_VALUE:
        put_from(p, out, row, frame.first < frame.end ? (int64_t)frame.end - 1 : -1, f);
        break;
    case OVER_NTH_VALUE:
        n = whole_arg(p, f, 1, row, 0);
        put_from(p, out, row, n >= 1 && n <= frame.end - frame.first ? frame.first + n - 1 : -1, f);
        break;
    case OVER_AGGREGATE: break;
    }
}

static err_t run_function(struct partition *p, const struct plan_over_function *f,
                          struct column *out)
{
    err_t e = column_init(out, f->aggregate.type, p->b.rows, p->b.arena);
    p->args = arena_take(p->b.arena, (f->aggregate.arg_count + 1) * sizeof(*p->args));
    if (e || !p->args) return too_much(p->o, p->d);
    for (uint32_t i = 0; !e && i < f->aggregate.arg_count; i++)
        e = op_eval(p->o->op, f->aggregate.args[i], &p->r, &p->args[i], p->d);
    if (e || f->kind == OVER_AGGREGATE) return e ? e : run_aggregate(p, f, out);
    e = look_for_faults(p, &f->aggregate, NULL);
    if (e) return e;
    struct standing at = {0, 0};
    for (uint32_t row = 0; row < p->b.rows; row++) {
        if (row == 0 || p->peers_end[row - 1] == row) at = (struct standing){row, at.dense + 1};
        run_one(p, f, row, at, out);
    }
    return ERR_OK;
}

static err_t run_partition(struct over *o, size_t first, size_t end, struct diag *d)
{
    struct partition p = {.o = o, .kept = o->kept + first, .d = d};
    uint32_t functions = o->p->function_count, at;
    arena_reset(o->batch);
    if (end - first > UINT32_MAX / 2) return too_much(o, d);
    err_t e = load(&p, (uint32_t)(end - first));
    struct column *results = e ? NULL : arena_take(o->batch, (functions + 1) * sizeof(*results));
    if (!e && !results) return too_much(o, d);
    if (!e) find_frames(&p);
    for (uint32_t i = 0; !e && i < functions; i++)
        e = run_function(&p, &o->p->functions[i], &results[i]);
    for (uint32_t row = 0; !e && row < p.b.rows; row++) {
        e = tell_row(&o->out, 1, &at, d);
        if (e) break;
        tell_columns(&o->out, at, 0, p.b.columns, o->width, row);
        tell_columns(&o->out, at, o->width, results, functions, row);
    }
    return e ? e : tell_flush(&o->out, d); /* it lends from the key's batch */
}

static err_t over_flush(struct op *op, bool end, struct diag *d)
{
    struct over *o = op->self;
    err_t e = ERR_OK;
    if (!end) return ERR_OK;
    if (o->count) qsort(o->kept, o->count, sizeof(*o->kept), compare);
    for (size_t first = 0, i = 1; !e && i <= o->count; i++) {
        if (i < o->count && slice_equal(o->kept[i].key, o->kept[first].key)) continue;
        e = run_partition(o, first, i, d);
        first = i;
    }
    o->count = 0;
    return e;
}

/* --- life
 * ---------------------------------------------------------------------------------------------- */

static void over_close(struct op *op)
{
    struct over *o = op->self;
    if (!o) return;
    tell_done(&o->out);
    arena_free(o->arena);
    arena_free(o->batch);
    mem_give(o->kept);
    buf_done(&o->key);
    buf_done(&o->order);
    buf_done(&o->packed);
    mem_give(o);
    op->self = NULL;
}

static err_t over_open(struct op *op, struct diag *d)
{
    struct over *o = op->self = mem_take(sizeof(*o));
    if (!o) return diag_fail(d, ERR_NO_MEMORY, "OVER (…)");
    *o = (struct over){.op = op, .p = &op->node->over, .width = op->node->inputs[0]->column_count};
    o->key = buf_make(ROW_BYTES_MAX);
    o->order = buf_make(ROW_BYTES_MAX);
    o->packed = buf_make(ROW_BYTES_MAX);
    o->arena = arena_new(op->graph->o.memory_max);
    o->batch = arena_new(op->graph->o.memory_max);
    if (!o->arena || !o->batch) return too_much(o, d);
    if (!op->graph->o.bounded) return diag_fail(d, ERR_UNSUPPORTED, "window functions in a stream");
    return tell_init(&o->out, op, d);
}

const struct op_kind op_over = {
    .open = over_open, .push = over_push, .flush = over_flush, .close = over_close};
