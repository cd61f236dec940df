/* op_group_tell: groups become rows: window, keys, aggregates. */
#include "flow/group.h"

static err_t batch_make(struct group_out *out, struct diag *d)
{
    const struct plan_node *n = out->o->node;
    struct arena *a = out->o->graph->arena;
    const struct type **types = arena_take(a, (n->column_count + 1) * sizeof(*types));
    out->selected = arena_take_raw(a, (out->cap + 1) * sizeof(*out->selected));
    out->signs = arena_take_raw(a, out->cap + 1);
    err_t e = types && out->selected && out->signs ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < n->column_count; i++) types[i] = n->columns[i].type;
    if (!e) e = batch_init(&out->b, types, n->column_count, out->cap, a);
    out->rows = 0;
    return e ? diag_fail(d, e, "GROUP BY: %u groups", out->cap) : ERR_OK;
}

err_t group_out_open(struct op *o, uint32_t cap, bool resets, struct group_out *out, struct diag *d)
{
    *out = (struct group_out){.o = o, .cap = MAX(cap, 1u), .resets = resets};
    return batch_make(out, d);
}

err_t group_out_emit(struct group_out *out, struct diag *d)
{
    struct rows r = {.b = &out->b, .selected = out->selected, .signs = out->signs};
    bool back = false;
    for (uint32_t i = 0; i < out->rows; i++) {
        back |= out->signs[i] < 0;
        if (out->selected[i] != UINT32_MAX) out->selected[r.count++] = i;
    }
    if (!back) r.signs = NULL;
    out->b.rows = out->rows;
    return op_emit(out->o, &r, d);
}

static void put_time(struct column *c, uint32_t row, int64_t ms)
{
    c->i64[row] = ms;
    c->state[row] = VALID_VALUE;
}

/* Aggregates that can not be told make a dead letter of the row; in a bounded query an error. */
static err_t not_told(struct group_out *out, err_t e, const struct diag *why, struct slice text,
                      struct diag *d)
{
    struct rows r = {.node = out->o->node, .b = &out->b};
    uint32_t row = out->rows;
    if (out->o->graph->o.bounded || (e != ERR_RANGE && e != ERR_TOO_BIG)) {
        if (d) *d = *why;
        return e;
    }
    out->selected[row] = UINT32_MAX;
    out->signs[row] = 1;
    out->rows++;
    out->told = false;
    return op_dead(out->o, &r, row, e, slice_of(why->what), text, d);
}

err_t group_out_add(struct group_out *out, const void *entry, int8_t sign, struct diag *d)
{
    struct op *o = out->o;
    const struct group_self *s = o->self;
    const struct group *g = entry;
    struct column *c = out->b.columns;
    struct diag why = {0};
    err_t e = ERR_OK;
    if (out->rows == out->cap) {
        e = group_out_emit(out, d);
        if (e) return e;
        if (out->resets) arena_reset(o->graph->arena);
        e = batch_make(out, d);
        if (e) return e;
        c = out->b.columns;
    }
    uint32_t row = out->rows;
    if (s->windowed) {
        int64_t end = s->session ? g->end : state_time(entry);
        put_time(c++, row, s->session ? g->start : end - s->plan->window.size_ms);
        put_time(c++, row, end);
        put_time(c++, row, end - 1);
    }
    e = group_key_take(state_key(entry), c, s->plan->key_count, row, out->b.arena, d);
    c += s->plan->key_count;
    for (uint32_t i = 0; !e && i < s->plan->aggregate_count; i++) {
        const struct plan_aggregate *a = &s->aggregates[i];
        e = a->of->tell(a, (const uint8_t *)entry + s->fixed_at[i], group_more(s, entry, i), &c[i],
                        row, out->b.arena, &why);
        if (e) return not_told(out, e, &why, a->text, d);
    }
    if (e) return e;
    out->told = true;
    out->signs[row] = sign;
    out->selected[row] = row;
    out->rows++;
    return ERR_OK;
}
