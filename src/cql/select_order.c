/* ORDER BY over several partitions: rows are kept aside with what they are sorted by. */
#include "cql/core.h"
#include "cql/select.h"
#include <stdlib.h>

struct sorted_row {
    size_t at, len;           /* of result.rows */
    uint32_t number;          /* rows that are equal stay in the order they came */
    const struct slice *keys; /* at NULL: null, first of all */
};
struct select_sorted {
    struct vec rows;
    const struct slice *held; /* of the row that comes next */
};

err_t select_sorted_new(struct select_run *r)
{
    if (r->plan->sort.count == 0) return ERR_OK;
    r->sorted = arena_take(r->call->arena, sizeof *r->sorted);
    if (!r->sorted) return diag_fail(&r->call->diag, ERR_NO_MEMORY, "no memory to sort");
    r->sorted->rows = vec_make(sizeof(struct sorted_row), UINT32_MAX);
    return ERR_OK;
}

static err_t too_many(struct select_run *r)
{
    return diag_fail(&r->call->diag, ERR_TOO_BIG, "too many rows to sort");
}

err_t select_sorted_hold(struct select_run *r, const struct store_row *row)
{
    const struct select_sort *by = &r->plan->sort;
    if (!r->sorted) return ERR_OK;
    struct slice *keys = arena_take(r->call->arena, by->count * sizeof *keys);
    if (!keys) return too_many(r);
    for (uint32_t i = 0; i < by->count; i++) {
        uint32_t place = (uint32_t)(by->columns[i] - r->plan->table->columns);
        if (place >= row->key_count) continue;
        keys[i] = row->key[place].len ? arena_slice(r->call->arena, row->key[place]) : SLICE("");
        if (!keys[i].at) return too_many(r);
    }
    r->sorted->held = keys;
    return ERR_OK;
}

err_t select_sorted_add(struct select_run *r, size_t at)
{
    struct select_sorted *s = r->sorted;
    if (!s) return ERR_OK;
    struct sorted_row *out = vec_add(&s->rows);
    if (!out) return too_many(r);
    *out = (struct sorted_row){at, 0, (uint32_t)s->rows.count, s->held};
    return ERR_OK;
}

static int compare_rows(const void *x, const void *y, void *ctx)
{
    const struct sorted_row *a = x, *b = y;
    const struct select_plan *p = ctx;
    for (uint32_t i = 0; i < p->sort.count; i++) {
        const struct store_column *c = p->sort.columns[i];
        int order;
        if (!a->keys[i].at || !b->keys[i].at)
            order = (a->keys[i].at != NULL) - (b->keys[i].at != NULL);
        else
            order = cql_compare(c->type, a->keys[i], b->keys[i]) * (c->descending ? -1 : 1);
        if (order) return p->reversed ? -order : order;
    }
    return a->number < b->number ? -1 : a->number > b->number;
}

err_t select_sorted_finish(struct select_run *r)
{
    struct select_sorted *s = r->sorted;
    struct cql_result *result = &r->call->result;
    if (!s) return ERR_OK;
    size_t count = s->rows.count;
    if (count == 0) return ERR_OK; /* perhaps the one row of an empty aggregate */
    struct sorted_row *rows = vec_at(&s->rows, 0);
    for (size_t i = 0; i < count; i++)
        rows[i].len = (i + 1 < count ? rows[i + 1].at : result->rows.len) - rows[i].at;
    if (count > 1) qsort_r(rows, count, sizeof *rows, compare_rows, (void *)(uintptr_t)r->plan);
    struct buf out = buf_make(CQL_RESULT_BYTES_MAX);
    count = MIN(count, (size_t)r->limit);
    for (size_t i = 0; i < count; i++) buf_put(&out, result->rows.at + rows[i].at, rows[i].len);
    vec_done(&s->rows);
    buf_done(&result->rows);
    result->rows = out;
    result->row_count = (uint32_t)count;
    return out.err ? diag_fail(&r->call->diag, out.err, "no memory to sort %zu rows", count)
                   : ERR_OK;
}

void select_sorted_free(struct select_run *r)
{
    if (r->sorted) vec_done(&r->sorted->rows);
}
