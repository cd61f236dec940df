/* op_rows: row by row: WHERE, then CHECKs, then outputs. */
#include "flow/op.h"

struct op_rows_self {
    struct slice where_text, *output_texts;
};
struct run { /* of one batch */
    struct op *o;
    const struct plan_rows *plan;
    struct rows r; /* as given; `active` once a row has ended: only the others are computed */
    struct arena *arena;
    uint32_t *selected, count;
    uint8_t *active;
    uint8_t **nulls; /* an output: the rows a CHECK … ELSE NULL has emptied; NULL: none */
    struct diag *d;
};

extern const struct op_kind op_rows;

static err_t rows_open(struct op *o, struct diag *d)
{
    const struct plan_rows *p = &o->node->rows;
    struct op_rows_self *self = arena_take(o->graph->texts, sizeof(*self));
    o->self = self;
    if (self)
        self->output_texts =
            arena_take(o->graph->texts, (p->output_count + 1) * sizeof(*self->output_texts));
    if (!self || !self->output_texts)
        return diag_fail(d, ERR_NO_MEMORY, "'%.*s'", SLICE_ARG(o->graph->o.name));
    if (p->where) self->where_text = op_print(o, p->where);
    for (uint32_t i = 0; i < p->output_count; i++)
        self->output_texts[i] = op_print(o, p->outputs[i].value);
    return ERR_OK;
}

/* --- a row's end --------------------------------------------------------------------------------
 */

static err_t end_row(struct run *r, uint32_t row)
{
    if (!r->active) {
        r->r.active = r->active = arena_take(r->arena, r->r.b->rows);
        if (!r->active) return ERR_NO_MEMORY;
        for (uint32_t i = 0; i < r->count; i++) r->active[r->selected[i]] = 1;
    }
    r->active[row] = 0;
    return ERR_OK;
}

static bool has_ended(const struct run *r, uint32_t row)
{
    return r->active && !r->active[row];
}

/* Forgets the rows that have ended since the last time. */
static void close_ranks(struct run *r)
{
    uint32_t kept = 0;
    if (!r->active) return;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->selected[i];
        r->selected[kept] = row;
        kept += r->active[row];
    }
    r->count = kept;
}

static err_t drop(struct run *r, uint32_t row)
{
    if (r->r.chunk) op_count(r->o, TERM_FILTERED, 1);
    return end_row(r, row);
}

static err_t kill_row(struct run *r, uint32_t row, err_t why, struct slice reason,
                      struct slice expression)
{
    err_t e = end_row(r, row);
    return e ? e : op_dead(r->o, &r->r, row, why, reason, expression, r->d);
}

static err_t kill_faulty(struct run *r, uint32_t row, struct slice expression)
{
    const struct row_fault *f = batch_fault_of(r->r.b, row);
    return kill_row(r, row, f ? f->err : ERR_CAST,
                    f && f->text ? slice_of(f->text) : SLICE("the value can not be computed"),
                    expression);
}

static bool passes(const struct column *c, uint32_t row)
{
    return c->state[row] == VALID_VALUE && c->b1[row];
}

/* --- WHERE and CHECKs ---------------------------------------------------------------------------
 */

/* What WHERE has not dropped is to have all its columns: also what WHERE itself fails on, since the
 * letter tells the first fault of all. */
static err_t settle_columns(struct run *r, const struct column *where)
{
    uint32_t *left = arena_take_raw(r->arena, (r->count + 1) * sizeof(*left)), count = 0;
    if (!left) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->selected[i];
        if (passes(where, row) || where->state[row] == ERROR_VALUE) left[count++] = row;
    }
    return inputs_settle(r->r.late, left, count, r->r.b, r->d);
}

static err_t run_where(struct run *r)
{
    const struct op_rows_self *self = r->o->self;
    struct column col;
    err_t e = op_eval(r->o, r->plan->where, &r->r, &col, r->d);
    if (!e && r->r.late) e = settle_columns(r, &col);
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        if (passes(&col, row)) continue;
        e = col.state[row] == ERROR_VALUE ? kill_faulty(r, row, self->where_text) : drop(r, row);
    }
    close_ranks(r);
    return e;
}

static err_t check_failed(struct run *r, const struct plan_check *check, uint32_t row)
{
    const struct rows *in = &r->r;
    const struct graph *g = r->o->graph;
    diag_fail(r->d, ERR_CONSTRAINT, "stream '%.*s': CHECK (%.*s) ELSE FAIL", SLICE_ARG(g->o.name),
              SLICE_ARG(check->text));
    if (in->offsets)
        diag_where(r->d, "%.*s/%d offset %lld", SLICE_ARG(g->x.topic), in->partitions[row],
                   (long long)in->offsets[row]);
    if (in->chunk)
        diag_why(r->d, "the record says %.*s", (int)MIN(in->chunk->values[row].len, 300u),
                 (const char *)in->chunk->values[row].at);
    return diag_hint(r->d, "mend the record's producer or the CHECK, then restart the stream");
}

/* CHECK … ELSE NULL: the row goes on without the outputs made of what the condition reads. */
static err_t null_outputs(struct run *r, const struct plan_check *check, uint32_t row)
{
    for (uint32_t i = 0; i < check->null_count; i++) {
        uint8_t **rows = &r->nulls[check->nulls[i]];
        if (!*rows) *rows = arena_take(r->arena, r->r.b->rows);
        if (!*rows) return ERR_NO_MEMORY;
        (*rows)[row] = 1;
    }
    return ERR_OK;
}

static err_t run_check(struct run *r, const struct plan_check *check)
{
    struct column col;
    err_t e = op_eval(r->o, check->condition, &r->r, &col, r->d);
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        bool taken_back = r->r.signs && r->r.signs[row] < 0;
        if (passes(&col, row)) continue;
        if (check->action == CHECK_NULL)
            e = null_outputs(r, check, row);
        else if (check->action == CHECK_SKIP || taken_back) /* it never went on */
            e = drop(r, row);
        else if (check->action == CHECK_FAIL)
            e = check_failed(r, check, row);
        else if (col.state[row] == ERROR_VALUE)
            e = kill_faulty(r, row, check->text);
        else
            e = kill_row(r, row, ERR_CONSTRAINT, SLICE("check failed"), check->text);
    }
    close_ranks(r);
    return e;
}

/* --- outputs ------------------------------------------------------------------------------------
 */

/* The output may be lent from an input: its states are copied before some become null. */
static err_t apply_nulls(struct run *r, uint32_t output, struct column *col)
{
    uint32_t rows = r->r.b->rows;
    if (!r->nulls[output]) return ERR_OK;
    uint8_t *state = arena_take_raw(r->arena, rows);
    if (!state) return ERR_NO_MEMORY;
    for (uint32_t row = 0; row < rows; row++)
        state[row] = r->nulls[output][row] ? NULL_VALUE : col->state[row];
    col->state = state;
    return ERR_OK;
}

/* The letter names the column that could not be made. */
static err_t kill_output(struct run *r, uint32_t row, uint32_t output)
{
    const struct op_rows_self *self = r->o->self;
    err_t e = kill_faulty(r, row, self->output_texts[output]);
    if (!e) op_dead_column(&r->r, row, r->plan->outputs[output].name);
    return e;
}

static err_t run_output(struct run *r, uint32_t output, struct column *col)
{
    err_t e = op_eval(r->o, r->plan->outputs[output].value, &r->r, col, r->d);
    if (!e) e = apply_nulls(r, output, col);
    if (e || !r->r.b->fault_count) return e;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        if (col->state[row] == ERROR_VALUE && !has_ended(r, row)) e = kill_output(r, row, output);
    }
    return e;
}

static err_t rows_push(struct op *o, uint32_t input, const struct rows *in, struct diag *d)
{
    const struct plan_rows *p = &o->node->rows;
    struct arena *a = in->b->arena; /* emptied with the batch, whoever gives it */
    struct run r = {.o = o, .plan = p, .r = *in, .arena = a, .count = in->count, .d = d};
    struct column_batch b = {0};
    err_t e = batch_init(&b, NULL, 0, in->b->rows, a);
    (void)input;
    r.selected = arena_take_raw(a, (in->count + 1) * sizeof(*r.selected));
    r.nulls = arena_take(a, (p->output_count + 1) * sizeof(*r.nulls));
    b.columns = arena_take(a, (p->output_count + 1) * sizeof(*b.columns));
    b.column_count = p->output_count;
    if (!e && (!r.selected || !r.nulls || !b.columns)) e = ERR_NO_MEMORY;
    if (e) return diag_fail(d, e, "'%.*s' over %u rows", SLICE_ARG(o->graph->o.name), in->count);
    memcpy(r.selected, in->selected, in->count * sizeof(*r.selected));
    if (p->where) e = run_where(&r);
    for (uint32_t i = 0; !e && i < p->check_count; i++) e = run_check(&r, &p->checks[i]);
    for (uint32_t i = 0; !e && r.count && i < p->output_count; i++)
        e = run_output(&r, i, &b.columns[i]);
    if (e == ERR_NO_MEMORY && d && !d->err)
        diag_fail(d, e, "'%.*s' over %u rows", SLICE_ARG(o->graph->o.name), in->count);
    if (e) return e;
    close_ranks(&r);
    struct rows out = *in;
    out.b = &b;
    out.late = NULL;
    out.selected = r.selected;
    out.count = r.count;
    return op_emit(o, &out, d);
}

const struct op_kind op_rows = {.open = rows_open, .push = rows_push};
