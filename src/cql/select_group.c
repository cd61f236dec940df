/* Groups: all rows, or those whose primary key begins alike. */
#include "cql/core.h"
#include "cql/select.h"

static err_t no_memory(struct select_run *r)
{
    return diag_fail(&r->call->diag, ERR_NO_MEMORY, "no memory for a group");
}

err_t select_group_new(struct select_run *r)
{
    const struct select_plan *p = r->plan;
    if (p->grouping == GROUP_NONE) return ERR_OK;
    r->group_value_kept = buf_make(MIB(1));
    r->group = cql_group_new(p->selectors, p->selector_count, r->call->arena);
    return r->group ? ERR_OK : no_memory(r);
}

/* What the last column's function makes of this row's; null of a partition without rows. */
static err_t function_value(struct select_run *r, const struct store_row *row,
                            struct cql_value *out)
{
    const struct select_plan *p = r->plan;
    struct cql_row scope;
    *out = (struct cql_value){.state = CQL_NULL};
    if (row->key_count == p->key_count && p->clustering_count) return ERR_OK;
    if (select_row_scope(p, row, r->now_s, r->scratch, &scope)) return no_memory(r);
    return cql_selector_value(p->group_function, &scope, &r->bound, r->scratch, out,
                              &r->call->diag);
}

static bool same_value(const struct cql_value *a, const struct cql_value *b)
{
    return a->state == b->state && (a->state != CQL_SET || slice_equal(a->bytes, b->bytes));
}

err_t select_group_is_new(struct select_run *r, const struct store_row *row, bool *out)
{
    const struct select_plan *p = r->plan;
    struct cql_value now = {.state = CQL_NULL};
    err_t e = ERR_OK;
    *out = !r->group_open;
    if (p->grouping == GROUP_ALL) return ERR_OK;
    if (p->group_function) e = function_value(r, row, &now);
    if (e) return e;
    uint32_t same = p->key_count + p->group_prefix - (p->group_function ? 1 : 0);
    if (!*out) {
        *out = (r->last_partition_only && p->clustering_count) || r->last_count < same ||
               row->key_count < same;
        for (uint32_t i = 0; i < same && !*out; i++) *out = !slice_equal(row->key[i], r->last[i]);
        if (p->group_function && !*out) *out = !same_value(&now, &r->group_value);
    }
    if (!p->group_function) return ERR_OK;
    buf_reset(&r->group_value_kept);
    if (now.state == CQL_SET) buf_slice(&r->group_value_kept, now.bytes);
    r->group_value = (struct cql_value){buf_view(&r->group_value_kept), now.state};
    return r->group_value_kept.err ? no_memory(r) : ERR_OK;
}

err_t select_group_add(struct select_run *r, const struct store_row *row)
{
    struct cql_row scope;
    if (select_row_scope(r->plan, row, r->now_s, r->scratch, &scope)) return no_memory(r);
    if (!r->group_open) {
        err_t e = select_sorted_hold(r, row); /* a group's first row counts */
        if (e) return e;
    }
    r->group_open = true;
    return cql_group_add(r->group, &scope, &r->bound, &r->call->diag);
}

err_t select_group_end(struct select_run *r)
{
    struct cql_value *values = arena_take(r->scratch, r->plan->selector_count * sizeof *values);
    if (!values) return no_memory(r);
    err_t e = cql_group_values(r->group, &r->bound, r->scratch, values, &r->call->diag);
    size_t at = r->call->result.rows.len;
    if (!e) e = select_values_put(r, values);
    if (!e && r->group_open) e = select_sorted_add(r, at);
    cql_group_reset(r->group);
    r->group_open = false;
    return e;
}
