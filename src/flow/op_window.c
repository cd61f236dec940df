/* op_window: TUMBLE and HOP without a GROUP BY of their window: a row once a window, with the
 * window's start, end and time behind its own columns. */
#include "flow/group.h"

struct spread { /* which input row each row out is made of, and its window's end */
    uint32_t *rows;
    int64_t *ends;
    uint32_t count;
};

static err_t no_memory(const struct op *o, struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "'%.*s': rows in windows", SLICE_ARG(o->graph->o.name));
}

static err_t window_open(struct op *o, struct diag *d)
{
    const struct plan_window *w = &o->node->window;
    if (w->kind != WINDOW_TUMBLE && w->kind != WINDOW_HOP)
        return diag_fail(d, ERR_UNSUPPORTED, "'%.*s': SESSION without GROUP BY",
                         SLICE_ARG(o->graph->o.name));
    if (w->slide_ms <= 0 || w->size_ms <= 0 || w->size_ms / w->slide_ms > GROUP_WINDOWS_MAX)
        return diag_fail(d, ERR_RANGE, "'%.*s': a row in more than %d windows",
                         SLICE_ARG(o->graph->o.name), GROUP_WINDOWS_MAX);
    return ERR_OK;
}

/* A value's place in another column, with its state. */
static void copy_value(struct column *to, uint32_t row, const struct column *from,
                       uint32_t from_row)
{
    size_t size = phys_size(type_phys(from->type));
    to->state[row] = from->state[from_row];
    memcpy((uint8_t *)to->data + row * size, (const uint8_t *)from->data + from_row * size, size);
}

static void put_times(const struct plan_window *w, struct column *c, uint32_t row, int64_t end)
{
    const int64_t times[] = {end - w->size_ms, end, end - 1};
    for (uint32_t i = 0; i < 3; i++) {
        c[i].i64[row] = times[i];
        c[i].state[row] = VALID_VALUE;
    }
}

/* TUMBLE: each row has one window at most, so columns are lent and records stay records. */
static err_t push_tumble(struct op *o, const struct rows *r, const struct spread *p, struct diag *d)
{
    struct arena *a = o->graph->arena;
    uint32_t own = r->b->column_count;
    struct column_batch b = {0};
    struct rows out = *r;
    err_t e = batch_init(&b, NULL, 0, r->b->rows, a);
    b.columns = arena_take(a, (own + 3) * sizeof(*b.columns));
    if (e || !b.columns) return no_memory(o, d);
    memcpy(b.columns, r->b->columns, own * sizeof(*b.columns));
    for (uint32_t i = 0; !e && i < 3; i++)
        e = column_init(&b.columns[own + i], type_of(TYPE_TIMESTAMP), r->b->rows, a);
    if (e) return no_memory(o, d);
    b.column_count = own + 3;
    for (uint32_t i = 0; i < p->count; i++)
        put_times(&o->node->window, b.columns + own, p->rows[i], p->ends[i]);
    out.b = &b;
    out.selected = p->rows;
    out.count = p->count;
    return op_emit(o, &out, d);
}

static err_t piece_make(struct op *o, const struct rows *r, uint32_t rows, struct column_batch *b,
                        struct rows *out, struct diag *d)
{
    struct arena *a = o->graph->arena;
    const struct type **types = arena_take(a, (o->node->column_count + 1) * sizeof(*types));
    uint32_t *selected = arena_take_raw(a, rows * sizeof(*selected));
    int8_t *signs = arena_take_raw(a, rows);
    if (!types || !selected || !signs) return no_memory(o, d);
    for (uint32_t i = 0; i < o->node->column_count; i++) types[i] = o->node->columns[i].type;
    if (batch_init(b, types, o->node->column_count, rows, a)) return no_memory(o, d);
    for (uint32_t i = 0; i < rows; i++) selected[i] = i;
    *out = (struct rows){
        .b = b, .selected = selected, .count = rows, .signs = r->signs ? signs : NULL};
    return ERR_OK;
}

/* HOP: a record becomes several rows: it is applied here. */
static err_t push_hop(struct op *o, const struct rows *r, const struct spread *p, struct diag *d)
{
    err_t e = ERR_OK;
    uint32_t own = r->b->column_count;
    for (uint32_t from = 0; !e && from < p->count; from += CHUNK_ROWS) {
        uint32_t n = MIN(p->count - from, (uint32_t)CHUNK_ROWS);
        struct column_batch b;
        struct rows out;
        e = piece_make(o, r, n, &b, &out, d);
        for (uint32_t i = 0; !e && i < n; i++) {
            uint32_t row = p->rows[from + i];
            for (uint32_t c = 0; c < own; c++) copy_value(&b.columns[c], i, &r->b->columns[c], row);
            if (out.signs) ((int8_t *)(uintptr_t)out.signs)[i] = r->signs[row];
            put_times(&o->node->window, b.columns + own, i, p->ends[from + i]);
        }
        if (!e) e = op_emit(o, &out, d);
    }
    return e;
}

static err_t window_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    const struct plan_window *w = &o->node->window;
    const struct column *time = &r->b->columns[w->time];
    struct arena *a = o->graph->arena;
    bool hop = w->slide_ms != w->size_ms;
    size_t windows = (size_t)((w->size_ms + w->slide_ms - 1) / w->slide_ms);
    struct spread p = {
        .rows = arena_take_raw(a, (windows * r->count + 1) * sizeof(*p.rows)),
        .ends = arena_take_raw(a, (windows * r->count + 1) * sizeof(*p.ends)),
    };
    int64_t applied = 0;
    err_t e = p.rows && p.ends ? ERR_OK : no_memory(o, d);
    (void)input;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i], before = p.count;
        int64_t t;
        if (!window_time_of(time, row, &t)) {
            e = op_dead(o, r, row, ERR_CONSTRAINT, SLICE("no time that a window holds"),
                        o->node->text, d);
            continue;
        }
        for (int64_t end = window_start_of(w, t) + w->size_ms; end > t; end -= w->slide_ms) {
            p.rows[p.count] = row;
            p.ends[p.count++] = end;
        }
        if (p.count == before && r->chunk) op_count(o, TERM_FILTERED, 1);
        applied += p.count > before;
    }
    if (e) return e;
    if (!hop) return push_tumble(o, r, &p, d);
    if (r->chunk) op_count(o, TERM_APPLIED, applied);
    return push_hop(o, r, &p, d);
}

const struct op_kind op_window = {.open = window_open, .push = window_push};
