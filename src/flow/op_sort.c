/* op_sort: ORDER BY, OFFSET, LIMIT of a bounded query. With a limit only the rows that can still be
 * among the first are kept; memory is the query's, and told when it is not enough.
 */
#include "flow/telling.h"
#include "store/store.h"

#include <stdlib.h>

enum { KEEP_FIRST = 1024, KEEP_SLACK = 8192, ROW_BYTES_MAX = 16 << 20 };

struct kept { /* a row that waits for its place */
    struct slice order, packed;
    uint64_t sequence;
};
struct sort {
    struct op *op;
    const struct plan_sort *p;
    struct telling out;
    struct arena *arena;
    struct kept *kept;
    size_t count, cap;
    uint64_t sequence, skipped, told;
    struct buf order, packed;
};

static err_t charge(struct sort *s, size_t more, struct diag *d)
{
    size_t max = s->op->graph->o.memory_max;
    size_t used = arena_used(s->arena) + s->cap * sizeof(*s->kept);
    if (used <= max && more <= max - used) return ERR_OK;
    (void)diag_fail(d, ERR_NO_MEMORY, "the query needs more than its %zu MiB of memory", max >> 20);
    return diag_hint(d, "narrow it with WHERE or LIMIT, or group by fewer values");
}

static uint64_t rows_needed(const struct sort *s)
{
    if (s->p->limit < 0) return UINT64_MAX;
    return (uint64_t)s->p->limit + (uint64_t)MAX(s->p->offset, (int64_t)0);
}

static int compare(const void *left, const void *right)
{
    const struct kept *a = left, *b = right;
    int side = slice_compare(a->order, b->order);
    return side ? side : a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

/* Only the first LIMIT + OFFSET rows can still matter: the others are let go, with their memory. */
static err_t trim(struct sort *s, struct diag *d)
{
    uint64_t needed = rows_needed(s);
    if (s->count < KEEP_SLACK || s->count / 2 < needed) return ERR_OK;
    struct arena *fresh = arena_new(s->op->graph->o.memory_max);
    if (!fresh) return diag_fail(d, ERR_NO_MEMORY, "ORDER BY");
    qsort(s->kept, s->count, sizeof(*s->kept), compare);
    s->count = (size_t)needed;
    for (size_t i = 0; i < s->count; i++) {
        struct kept *k = &s->kept[i];
        k->order = arena_slice(fresh, k->order);
        k->packed = arena_slice(fresh, k->packed);
        if (k->order.at && k->packed.at) continue;
        arena_free(fresh);
        return diag_fail(d, ERR_NO_MEMORY, "ORDER BY");
    }
    arena_free(s->arena);
    s->arena = fresh;
    return ERR_OK;
}

static err_t grow(struct sort *s, struct diag *d)
{
    if (s->count < s->cap) return ERR_OK;
    size_t cap = s->cap ? s->cap * 2 : KEEP_FIRST;
    err_t e = charge(s, (cap - s->cap) * sizeof(*s->kept), d);
    struct kept *grown = e ? NULL : mem_resize(s->kept, cap * sizeof(*grown));
    if (!grown) return e ? e : diag_fail(d, ERR_NO_MEMORY, "ORDER BY over %zu rows", s->count);
    s->kept = grown;
    s->cap = cap;
    return ERR_OK;
}

static err_t keep(struct sort *s, const struct rows *r, uint32_t row, struct diag *d)
{
    err_t e = grow(s, d);
    if (e) return e;
    buf_reset(&s->packed);
    packed_put(&s->packed, r->b->columns, r->b->column_count, row);
    e = op_order_key(&s->order, s->p->order, s->p->order_count, r->b->columns, row);
    if (!e) e = s->packed.err;
    if (e) return diag_fail(d, e, "the order of a row");
    e = charge(s, s->order.len + s->packed.len, d);
    if (e) return e;
    struct kept *k = &s->kept[s->count];
    *k = (struct kept){arena_slice(s->arena, buf_view(&s->order)),
                       arena_slice(s->arena, buf_view(&s->packed)), s->sequence++};
    if (!k->order.at || !k->packed.at) return charge(s, SIZE_MAX, d);
    s->count++;
    return ERR_OK;
}

/* Whether the next row is among those asked for; the others count as gone by. */
static bool wanted(struct sort *s)
{
    if (s->skipped < (uint64_t)MAX(s->p->offset, (int64_t)0)) {
        s->skipped++;
        return false;
    }
    if (s->p->limit >= 0 && s->told >= (uint64_t)s->p->limit) return false;
    s->told++;
    return true;
}

static void look_whether_done(struct sort *s)
{
    if (s->p->limit >= 0 && s->told >= (uint64_t)s->p->limit && !s->op->out)
        s->op->graph->done = true;
}

static err_t pass_on(struct sort *s, const struct rows *r, struct diag *d)
{
    uint32_t *selected = arena_take_raw(r->b->arena, (r->count + 1) * sizeof(*selected));
    struct rows out = *r;
    if (!selected) return diag_fail(d, ERR_NO_MEMORY, "LIMIT");
    out.selected = selected;
    out.count = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (wanted(s)) selected[out.count++] = r->selected[i];
    err_t e = out.count ? op_emit(s->op, &out, d) : ERR_OK;
    look_whether_done(s);
    return e;
}

static err_t sort_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    struct sort *s = o->self;
    err_t e = ERR_OK;
    (void)input;
    if (!s->p->order_count) return pass_on(s, r, d);
    for (uint32_t i = 0; !e && i < r->count; i++) e = keep(s, r, r->selected[i], d);
    return e ? e : trim(s, d);
}

static err_t sort_flush(struct op *o, bool end, struct diag *d)
{
    struct sort *s = o->self;
    uint32_t at, in = o->node->inputs[0]->column_count;
    err_t e = ERR_OK;
    if (!end || !s->p->order_count) return ERR_OK;
    if (s->count) qsort(s->kept, s->count, sizeof(*s->kept), compare);
    struct column *all = arena_take(s->arena, (in + 1) * sizeof(*all));
    if (!all) return charge(s, SIZE_MAX, d);
    for (uint32_t i = 0; i < in; i++)
        if ((e = column_init(&all[i], o->node->inputs[0]->columns[i].type, 1, s->arena))) break;
    if (e) return diag_fail(d, e, "ORDER BY");
    for (size_t i = 0; !e && i < s->count; i++) {
        if (!wanted(s)) continue;
        e = packed_take(s->kept[i].packed, all, in, 0);
        if (!e) e = tell_row(&s->out, 1, &at, d);
        if (!e) tell_columns(&s->out, at, 0, all, o->node->column_count, 0);
    }
    s->count = 0;
    look_whether_done(s);
    return e ? e : tell_flush(&s->out, d);
}

static void sort_close(struct op *o)
{
    struct sort *s = o->self;
    if (!s) return;
    tell_done(&s->out);
    arena_free(s->arena);
    mem_give(s->kept);
    buf_done(&s->order);
    buf_done(&s->packed);
    mem_give(s);
    o->self = NULL;
}

static err_t sort_open(struct op *o, struct diag *d)
{
    struct sort *s = o->self = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "ORDER BY");
    *s = (struct sort){.op = o, .p = &o->node->sort};
    s->order = buf_make(ROW_BYTES_MAX);
    s->packed = buf_make(ROW_BYTES_MAX);
    s->arena = arena_new(o->graph->o.memory_max);
    if (!s->arena) return diag_fail(d, ERR_NO_MEMORY, "ORDER BY");
    if (s->p->limit == 0 && !o->out) o->graph->done = true;
    return tell_init(&s->out, o, d);
}

const struct op_kind op_sort = {
    .open = sort_open, .push = sort_push, .flush = sort_flush, .close = sort_close};
