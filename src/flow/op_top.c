/* op_top: the first rows of each key by an order. A key's rows stand sorted in one entry; what an
 * epoch has changed among the first is told at its end, once: rows that left with sign -1, rows
 * that came with 1. Over rows that are never taken back, what is beyond the limit is forgotten at
 * once.
 *
 * An entry is written whole when it changes: its cost grows with the limit; over rows that are
 * taken back, with all rows of the key. With a ttl a key is forgotten when no row has changed it
 * for so long: its entry moves along through buckets of time.
 */
#include "flow/buckets.h"
#include "flow/telling.h"
#include "store/store.h"

enum { ROW_BYTES_MAX = 16 << 20, TOP_BYTES_MAX = 1 << 30 };

/* Rows one behind the other: length of the order's bytes, the order's bytes, length, packed row. */
struct ranking { /* an entry of the state */
    uint8_t *at;
    uint32_t len, cap;
    uint32_t rows;
    /* as they were told before this epoch; NULL until it changes */
    uint8_t *before;
    uint32_t before_len;
};
struct ranked { /* one of them, while walking */
    struct slice order, packed;
    uint32_t start, end;
};
struct top {
    struct op *op;
    const struct plan_top *p;
    struct state *state;
    bool keeps_all; /* rows may be taken back: what is beyond the limit may move up */
    int64_t length; /* of buckets; 0: keys are kept for ever */
    int64_t until;  /* buckets before this one are forgotten once told */
    struct telling out;
    struct buf key, order, packed, binary;
    uint32_t width;
};

static bool walk(struct slice all, uint32_t at, struct ranked *r)
{
    if (at >= all.len) return false;
    struct cursor in = cursor_of(slice_make(all.at + at, all.len - at));
    r->start = at;
    r->order = cursor_slice(&in, cursor_uvarint(&in));
    r->packed = cursor_slice(&in, cursor_uvarint(&in));
    r->end = (uint32_t)(in.at - all.at);
    return !in.err;
}
static struct slice all_of(const struct ranking *k)
{
    return slice_make(k->at, k->len);
}

/* --- as the store keeps it ----------------------------------------------------------------------
 */

static void ranking_put(void *ctx, const void *entry, struct buf *out)
{
    const struct ranking *k = entry;
    (void)ctx;
    buf_uvarint(out, k->rows);
    buf_put(out, k->at, k->len);
}
static err_t room(struct ranking *k, uint64_t len)
{
    if (len <= k->cap) return ERR_OK;
    if (len > TOP_BYTES_MAX) return ERR_TOO_BIG;
    uint64_t cap = MAX((uint64_t)k->cap * 2, MAX(len, (uint64_t)256));
    uint8_t *grown = mem_resize(k->at, cap);
    if (!grown) return ERR_NO_MEMORY;
    k->at = grown;
    k->cap = (uint32_t)cap;
    return ERR_OK;
}
static err_t ranking_take(void *ctx, void *entry, struct slice value)
{
    struct ranking *k = entry;
    struct cursor in = cursor_of(value);
    struct ranked r;
    (void)ctx;
    k->rows = (uint32_t)cursor_uvarint(&in);
    if (in.err || cursor_left(&in) > TOP_BYTES_MAX) return ERR_CORRUPT;
    err_t e = room(k, cursor_left(&in));
    if (e) return e;
    k->len = (uint32_t)cursor_left(&in);
    memcpy(k->at, in.at, k->len);
    uint32_t rows = 0, at = 0;
    for (; walk(all_of(k), at, &r); rows++) at = r.end;
    return rows == k->rows && at == k->len ? ERR_OK : ERR_CORRUPT;
}
static void ranking_done(void *ctx, void *entry)
{
    (void)ctx;
    mem_give(((struct ranking *)entry)->at);
    mem_give(((struct ranking *)entry)->before);
}
static size_t ranking_holds(void *ctx, const void *entry)
{
    const struct ranking *k = entry;
    (void)ctx;
    return (size_t)k->cap + k->before_len;
}
static const struct state_form ranking_form = {
    .size = sizeof(struct ranking),
    .put = ranking_put,
    .take = ranking_take,
    .done = ranking_done,
    .holds = ranking_holds,
};

/* --- which rows count
 * ----------------------------------------------------------------------------- */

/* Walks in order; tells each row's rank. */
struct climb {
    enum rank_kind kind;
    uint64_t row, rank;
    struct slice last;
};
static uint64_t next_rank(struct climb *c, struct slice order)
{
    bool same = c->row > 0 && slice_equal(c->last, order);
    c->row++;
    if (c->kind == RANK_ROW_NUMBER || (c->kind == RANK_RANK && !same))
        c->rank = c->row;
    else if (!same)
        c->rank++;
    c->last = order;
    return c->rank;
}

/* How many bytes the rows within the limit take. */
static uint32_t within(const struct plan_top *p, struct slice all)
{
    struct climb c = {.kind = p->rank};
    struct ranked r;
    uint32_t at = 0;
    while (walk(all, at, &r) && next_rank(&c, r.order) <= (uint64_t)p->limit) at = r.end;
    return at;
}

static err_t remember_before(struct top *t, struct ranking *k, struct diag *d)
{
    if (k->before) return ERR_OK;
    k->before_len = within(t->p, all_of(k));
    k->before = mem_take(k->before_len + 1u);
    if (!k->before) return diag_fail(d, ERR_NO_MEMORY, "the first rows of a key");
    if (k->before_len) memcpy(k->before, k->at, k->before_len);
    return ERR_OK;
}

/* --- taking rows
 * ----------------------------------------------------------------------------------- */

/* By the order, then by the bytes: of equal rows it does not matter which came first. */
static int compare(const struct ranked *a, const struct ranked *b)
{
    int side = slice_compare(a->order, b->order);
    return side ? side : slice_compare(a->packed, b->packed);
}
static struct ranked at_hand(const struct top *t)
{
    return (struct ranked){.order = buf_view(&t->order), .packed = buf_view(&t->packed)};
}

static uint32_t place_of(const struct top *t, const struct ranking *k)
{
    struct ranked r, wanted = at_hand(t);
    uint32_t at = 0;
    while (walk(all_of(k), at, &r) && compare(&r, &wanted) <= 0) at = r.end;
    return at;
}

static err_t insert(struct top *t, struct ranking *k)
{
    uint32_t at = place_of(t, k);
    buf_reset(&t->binary);
    buf_uvarint(&t->binary, t->order.len);
    buf_slice(&t->binary, buf_view(&t->order));
    buf_uvarint(&t->binary, t->packed.len);
    buf_slice(&t->binary, buf_view(&t->packed));
    err_t e = t->binary.err ? t->binary.err : room(k, (uint64_t)k->len + t->binary.len);
    if (e) return e;
    memmove(k->at + at + t->binary.len, k->at + at, k->len - at);
    memcpy(k->at + at, t->binary.at, t->binary.len);
    k->len += (uint32_t)t->binary.len;
    k->rows++;
    return ERR_OK;
}

static void cut(struct top *t, struct ranking *k)
{
    struct ranked r;
    uint32_t at = 0, rows = 0;
    if (t->keeps_all || k->rows <= (uint64_t)t->p->limit) return;
    k->len = within(t->p, all_of(k));
    for (; walk(all_of(k), at, &r); rows++) at = r.end;
    k->rows = rows;
}

static void take_away(struct top *t, struct ranking *k)
{
    struct ranked r, wanted = at_hand(t);
    for (uint32_t at = 0; walk(all_of(k), at, &r); at = r.end) {
        if (compare(&r, &wanted) != 0) continue;
        memmove(k->at + r.start, k->at + r.end, k->len - r.end);
        k->len -= r.end - r.start;
        k->rows--;
        return;
    }
}

/* A row that can not be among the first is not worth a copy of them. */
static bool is_beyond(const struct top *t, const struct ranking *k)
{
    struct ranked r, last = {0}, wanted = at_hand(t);
    if (t->keeps_all || t->p->rank != RANK_ROW_NUMBER || k->rows < (uint64_t)t->p->limit)
        return false;
    for (uint32_t at = 0; walk(all_of(k), at, &r); at = r.end) last = r;
    return compare(&last, &wanted) <= 0;
}

/* The key's entry, in the bucket of the latest time that it was asked for; *out NULL: none. */
static err_t find_key(struct top *t, int64_t time, bool make, struct ranking **out, struct diag *d)
{
    int64_t bucket = bucket_of(t->length, time);
    struct slice key = buf_view(&t->key);
    void *entry = NULL, *moved;
    bool made;
    err_t e = t->length ? bucket_find_any(t->state, key, &entry, d) : ERR_OK;
    if (!e && !entry) e = state_find(t->state, bucket, key, make, &entry, &made, d);
    *out = entry;
    if (e || !entry || state_time(entry) >= bucket) return e;
    e = state_find(t->state, bucket, key, true, &moved, &made, d);
    if (e) return e;
    memcpy(moved, entry, sizeof(struct ranking));
    memset(entry, 0, sizeof(struct ranking));
    state_remove(t->state, entry);
    state_touch(t->state, moved);
    *out = moved;
    return ERR_OK;
}

static int64_t time_of(const struct top *t, const struct rows *r, uint32_t row)
{
    int32_t at = t->op->node->inputs[0]->time;
    bool timed = at >= 0 && r->b->columns[at].state[row] == VALID_VALUE;
    return timed ? r->b->columns[at].i64[row] : t->op->graph->x.now_ms;
}

static err_t take_row(struct top *t, const struct rows *r, const struct column *keys, uint32_t row,
                      bool *stays, struct diag *d)
{
    struct ranking *k;
    *stays = true;
    buf_reset(&t->key);
    op_key(&t->key, keys, t->p->key_count, row);
    buf_reset(&t->packed);
    packed_put(&t->packed, r->b->columns, t->width, row);
    err_t e = op_order_key(&t->order, t->p->order, t->p->order_count, r->b->columns, row);
    if (!e) e = t->key.err ? t->key.err : t->packed.err;
    if (e) return diag_fail(d, e, "the order of a row");
    bool back = r->signs && r->signs[row] < 0;
    e = find_key(t, time_of(t, r, row), !back, &k, d);
    if (e || !k) return e;
    if (!back && (*stays = !is_beyond(t, k)) == false) return ERR_OK;
    e = remember_before(t, k, d);
    if (e) return e;
    if (back)
        take_away(t, k);
    else if ((e = insert(t, k)))
        return diag_fail(d, e, "the first rows of a key");
    cut(t, k);
    state_touch(t->state, k);
    return ERR_OK;
}

static err_t top_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    struct top *t = o->self;
    struct column *keys = arena_take(r->b->arena, (t->p->key_count + 1) * sizeof(*keys));
    err_t e = keys ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "the keys of rows");
    bool stays;
    (void)input;
    for (uint32_t k = 0; !e && k < t->p->key_count; k++)
        e = op_eval(o, t->p->keys[k], r, &keys[k], d);
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        bool fails = op_is_hurt(r, row);
        for (uint32_t k = 0; k < t->p->key_count; k++)
            fails = fails || keys[k].state[row] == ERROR_VALUE;
        if (fails) {
            const struct row_fault *f = batch_fault_of(r->b, row);
            e = op_dead(o, r, row, f ? f->err : ERR_CAST,
                        f && f->text ? slice_of(f->text) : SLICE("a key can not be computed"),
                        o->node->text, d);
            continue;
        }
        e = take_row(t, r, keys, row, &stays, d);
        if (!e && r->chunk) op_count(o, stays ? TERM_APPLIED : TERM_FILTERED, 1);
    }
    return e;
}

/* --- telling
 * ---------------------------------------------------------------------------------------- */

static err_t tell_ranked(struct top *t, struct slice packed, uint64_t rank, int8_t sign,
                         struct diag *d)
{
    uint32_t at;
    struct slice copy; /* the entry may go before the rows are handed on */
    err_t e = tell_copy(&t->out, packed, &copy, d);
    if (!e) e = tell_row(&t->out, sign, &at, d);
    if (!e && packed_take(copy, t->out.b.columns, t->width, at))
        e = diag_fail(d, ERR_CORRUPT, "a row among the first of its key can not be read");
    if (e || !t->p->tells_rank) return e;
    struct value v = value_i64(TYPE_BIGINT, (int64_t)rank);
    return column_set(&t->out.b.columns[t->width], at, &v);
}

/* A walk over rows in order, with their ranks. */
struct steps {
    struct slice all;
    struct climb climb;
    struct ranked row;
    uint64_t rank;
    bool there;
};
static void step(struct steps *s)
{
    s->there = walk(s->all, s->row.end, &s->row);
    if (s->there) s->rank = next_rank(&s->climb, s->row.order);
}

/* The rows that stand in only one of both, or at another rank where ranks are told: first called
 * for those that were (sign -1), then for those that are, since a rank is a key to who takes them.
 */
static err_t tell_difference(struct top *t, struct slice before, struct slice after, int8_t sign,
                             struct diag *d)
{
    struct steps a = {.all = before, .climb.kind = t->p->rank};
    struct steps b = {.all = after, .climb.kind = t->p->rank};
    err_t e = ERR_OK;
    for (step(&a), step(&b); !e && (a.there || b.there);) {
        int side = !a.there ? 1 : !b.there ? -1 : compare(&a.row, &b.row);
        bool moved = side == 0 && t->p->tells_rank && a.rank != b.rank;
        if (sign < 0 && (side < 0 || moved)) e = tell_ranked(t, a.row.packed, a.rank, -1, d);
        if (!e && sign > 0 && (side > 0 || moved)) e = tell_ranked(t, b.row.packed, b.rank, 1, d);
        if (side <= 0) step(&a);
        if (side >= 0) step(&b);
    }
    return e;
}

static err_t tell_change(struct top *t, const struct ranking *k, int8_t sign, struct diag *d)
{
    if (!k->before) return ERR_OK;
    struct slice before = slice_make(k->before, k->before_len);
    struct slice after = slice_make(k->at, within(t->p, all_of(k)));
    return tell_difference(t, before, after, sign, d);
}

static err_t tell_gone(void *ctx, void *entry, struct diag *d)
{
    return tell_change(ctx, entry, -1, d);
}

static err_t tell_come(void *ctx, void *entry, struct diag *d)
{
    struct top *t = ctx;
    struct ranking *k = entry;
    err_t e = tell_change(t, k, 1, d);
    mem_give(k->before);
    k->before = NULL;
    k->before_len = 0;
    if (!e && k->rows == 0) state_remove(t->state, k);
    return e;
}

/* What is gone from any key first: a row may have gone from one to another, and be the same to who
 * takes it. */
static err_t top_flush(struct op *o, bool end, struct diag *d)
{
    struct top *t = o->self;
    (void)end;
    err_t e = state_each_touched(t->state, tell_gone, t, d);
    if (!e) e = state_each_touched(t->state, tell_come, t, d);
    if (!e) e = tell_flush(&t->out, d);
    return e ? e : op_remove_until(o, 0, t->state, t->until, d);
}

static err_t top_advance(struct op *o, int64_t watermark, struct diag *d)
{
    struct top *t = o->self;
    (void)d;
    t->until = bucket_until(t->length, watermark, t->p->ttl_ms);
    return ERR_OK;
}

/* --- life
 * ----------------------------------------------------------------------------------------- */

static err_t top_write(struct op *o, struct store_write *w, struct diag *d)
{
    return state_write(((struct top *)o->self)->state, w, d);
}
static void top_kept(struct op *o)
{
    state_kept(((struct top *)o->self)->state);
}
static void top_forget(struct op *o)
{
    struct top *t = o->self;
    state_forget(t->state);
    tell_forget(&t->out);
}
static void top_tell(const struct op *o, struct state_stats *out)
{
    *out = state_stats(((const struct top *)o->self)->state);
}

static void top_close(struct op *o)
{
    struct top *t = o->self;
    if (!t) return;
    if (t->state) state_close(t->state);
    tell_done(&t->out);
    buf_done(&t->key);
    buf_done(&t->order);
    buf_done(&t->packed);
    buf_done(&t->binary);
    mem_give(t);
    o->self = NULL;
}

static err_t top_open(struct op *o, struct diag *d)
{
    struct top *t = o->self = mem_take(sizeof(*t));
    if (!t) return diag_fail(d, ERR_NO_MEMORY, "the first rows of keys");
    *t = (struct top){.op = o,
                      .p = &o->node->top,
                      .keeps_all = o->node->inputs[0]->changes,
                      .width = o->node->inputs[0]->column_count,
                      .until = INT64_MIN};
    if (!o->graph->o.bounded && t->p->ttl_ms > 0) t->length = bucket_length(t->p->ttl_ms);
    t->key = buf_make(STATE_KEY_MAX);
    t->order = buf_make(ROW_BYTES_MAX);
    t->packed = buf_make(ROW_BYTES_MAX);
    t->binary = buf_make(3 * ROW_BYTES_MAX);
    err_t e = op_state_open(o, 0, &ranking_form, NULL, &t->state, d);
    return e ? e : tell_init(&t->out, o, d);
}

const struct op_kind op_top = {
    .open = top_open,
    .push = top_push,
    .advance = top_advance,
    .flush = top_flush,
    .write = top_write,
    .kept = top_kept,
    .forget = top_forget,
    .close = top_close,
    .tell = top_tell,
};
