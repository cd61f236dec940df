#include "flow/telling.h"

err_t tell_init(struct telling *t, struct op *o, struct diag *d)
{
    const struct plan_node *n = o->node;
    *t = (struct telling){.op = o};
    t->fixed = arena_new(GIB(1));
    t->temporary = arena_new(MAX(o->graph->o.memory_max, MIB(64)));
    t->selected = mem_take(TELL_ROWS * sizeof(*t->selected));
    t->signs = mem_take(TELL_ROWS);
    t->partitions = mem_take(TELL_ROWS * sizeof(*t->partitions));
    t->offsets = mem_take(TELL_ROWS * sizeof(*t->offsets));
    t->times = mem_take(TELL_ROWS * sizeof(*t->times));
    const struct type **types =
        t->fixed ? arena_take(t->fixed, (n->column_count + 1) * sizeof(*types)) : NULL;
    if (!types || !t->temporary || !t->selected || !t->signs || !t->partitions || !t->offsets ||
        !t->times)
        return diag_fail(d, ERR_NO_MEMORY, "an operator's rows");
    for (uint32_t i = 0; i < n->column_count; i++) types[i] = n->columns[i].type;
    for (uint32_t i = 0; i < TELL_ROWS; i++) t->selected[i] = i;
    err_t e = batch_init(&t->b, types, n->column_count, TELL_ROWS, t->fixed);
    if (e) return diag_fail(d, e, "an operator's rows");
    t->b.rows = 0;
    t->b.arena = t->temporary; /* what expressions make of it */
    return ERR_OK;
}

void tell_done(struct telling *t)
{
    arena_free(t->fixed);
    arena_free(t->temporary);
    mem_give(t->selected);
    mem_give(t->signs);
    mem_give(t->partitions);
    mem_give(t->offsets);
    mem_give(t->times);
    *t = (struct telling){0};
}

void tell_forget(struct telling *t)
{
    if (t->b.fault_count) memset(t->b.bad, 0, TELL_ROWS);
    t->b.fault_count = 0;
    t->b.rows = 0;
    t->taken_back = false;
    t->of_records = false;
    arena_reset(t->temporary);
}

err_t tell_flush(struct telling *t, struct diag *d)
{
    struct rows r = {.b = &t->b,
                     .selected = t->selected,
                     .count = t->b.rows,
                     .signs = t->taken_back ? t->signs : NULL};
    if (t->of_records) {
        r.partitions = t->partitions;
        r.offsets = t->offsets;
        r.times = t->times;
    }
    err_t e = t->b.rows ? op_emit(t->op, &r, d) : ERR_OK;
    tell_forget(t);
    return e;
}

err_t tell_row(struct telling *t, int8_t sign, uint32_t *at, struct diag *d)
{
    err_t e = t->b.rows == TELL_ROWS ? tell_flush(t, d) : ERR_OK;
    if (e) return e;
    *at = t->b.rows++;
    t->signs[*at] = sign;
    t->taken_back = t->taken_back || sign < 0;
    return ERR_OK;
}

void tell_columns(struct telling *t, uint32_t at, uint32_t first, const struct column *from,
                  uint32_t count, uint32_t row)
{
    for (uint32_t i = 0; i < count; i++) {
        if (from)
            column_copy_row(&t->b.columns[first + i], at, &from[i], row);
        else
            column_put_null(&t->b.columns[first + i], at);
    }
}

void tell_origin(struct telling *t, uint32_t at, const struct rows *r, uint32_t row)
{
    if (!r->offsets || !r->partitions || !r->times) return;
    t->of_records = true;
    t->partitions[at] = r->partitions[row];
    t->offsets[at] = r->offsets[row];
    t->times[at] = r->times[row];
}

err_t tell_copy(struct telling *t, struct slice bytes, struct slice *out, struct diag *d)
{
    err_t e = t->b.rows == TELL_ROWS ? tell_flush(t, d) : ERR_OK;
    if (e) return e;
    *out = arena_slice(t->temporary, bytes);
    return out->at ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "an operator's rows");
}
