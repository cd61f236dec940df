/* rows: what becomes of a query's output rows: DISTINCT, ORDER BY, OFFSET, LIMIT. */
#include "flow/query_int.h"

#include <stdlib.h>

enum { DISTINCT_MAX = 1 << 30, KEEP_FIRST = 1024, KEEP_SLACK = 8192 };

void query_row_key(struct buf *out, const struct column *columns, uint32_t count, uint32_t row)
{
    uint8_t scratch[16];
    for (uint32_t i = 0; i < count; i++) {
        bool valid = columns[i].state[row] == VALID_VALUE;
        buf_be(out, valid, 1);
        if (valid) bytes_put(out, column_binary(&columns[i], row, scratch));
    }
}

err_t query_copy_value(struct arena *a, struct value *v)
{
    if (v->state != VALID_VALUE || type_phys(v->type) != PHYS_BYTES) return ERR_OK;
    struct slice copy = arena_slice(a, v->bytes);
    if (!copy.at) return ERR_NO_MEMORY;
    v->bytes = copy;
    return ERR_OK;
}

/* --- distinct -----------------------------------------------------------------------------------
 */

static err_t drop_seen(struct query *q, const struct column *outputs, struct diag *d)
{
    uint32_t kept = 0;
    if (!q->seen && !(q->seen = map_new(DISTINCT_MAX)))
        return diag_fail(d, ERR_NO_MEMORY, "SELECT DISTINCT");
    for (uint32_t i = 0; i < q->selected_count; i++) {
        uint32_t row = q->selected[i];
        buf_reset(&q->key);
        query_row_key(&q->key, outputs, q->plan->output_count, row);
        if (q->key.err) return diag_fail(d, q->key.err, "SELECT DISTINCT: a row's bytes");
        if (map_get(q->seen, buf_view(&q->key))) continue;
        err_t e = query_charge(q, q->key.len + 64, d);
        if (!e && (e = map_set(q->seen, buf_view(&q->key), q)))
            diag_fail(d, e, "SELECT DISTINCT over more than %zu rows", map_count(q->seen));
        if (e) return e;
        q->selected[kept++] = row;
    }
    q->selected_count = kept;
    return ERR_OK;
}

/* --- order --------------------------------------------------------------------------------------
 */

static int compare_rows(const void *left, const void *right, void *query)
{
    const struct kept_row *a = left, *b = right;
    const struct plan_select *p = ((const struct query *)query)->plan;
    for (uint32_t i = 0; i < p->order_count; i++) {
        const struct value *x = &a->values[p->order[i].output];
        const struct value *y = &b->values[p->order[i].output];
        bool x_null = x->state != VALID_VALUE, y_null = y->state != VALID_VALUE;
        /* null counts as the highest, as in PostgreSQL */
        int c = x_null || y_null ? x_null - y_null : value_compare(x, y);
        if (c) return p->order[i].descending ? -c : c;
    }
    return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

static uint64_t rows_needed(const struct query *q)
{
    if (q->plan->limit < 0) return UINT64_MAX;
    return (uint64_t)q->plan->limit + (uint64_t)MAX(q->plan->offset, (int64_t)0);
}

/* Only the first LIMIT + OFFSET rows can still matter: the others are let go, with their memory. */
static err_t trim(struct query *q, struct diag *d)
{
    uint64_t needed = rows_needed(q);
    size_t before = arena_used(q->kept_arena);
    if (q->kept_count < KEEP_SLACK || q->kept_count / 2 < needed) return ERR_OK;
    struct arena *fresh = arena_new(q->limits.memory_max);
    if (!fresh) return diag_fail(d, ERR_NO_MEMORY, "ORDER BY");
    qsort_r(q->kept, q->kept_count, sizeof(*q->kept), compare_rows, q);
    q->kept_count = (size_t)needed;
    for (size_t i = 0; i < q->kept_count; i++) {
        struct value *values = arena_take_raw(fresh, q->outputs_all * sizeof(*values));
        err_t e = values ? ERR_OK : ERR_NO_MEMORY;
        for (uint32_t k = 0; !e && k < q->outputs_all; k++) {
            values[k] = q->kept[i].values[k];
            e = query_copy_value(fresh, &values[k]);
        }
        if (e) {
            arena_free(fresh);
            return diag_fail(d, e, "ORDER BY");
        }
        q->kept[i].values = values;
    }
    arena_free(q->kept_arena);
    q->kept_arena = fresh;
    q->memory -= MIN(q->memory, before - MIN(before, arena_used(fresh)));
    return ERR_OK;
}

static err_t grow_kept(struct query *q, struct diag *d)
{
    if (q->kept_count < q->kept_cap) return ERR_OK;
    size_t cap = q->kept_cap ? q->kept_cap * 2 : KEEP_FIRST;
    err_t e = query_charge(q, (cap - q->kept_cap) * sizeof(*q->kept), d);
    if (e) return e;
    struct kept_row *grown = mem_resize(q->kept, cap * sizeof(*grown));
    if (!grown) return diag_fail(d, ERR_NO_MEMORY, "ORDER BY over %zu rows", q->kept_count);
    q->kept = grown;
    q->kept_cap = cap;
    return ERR_OK;
}

static err_t keep_rows(struct query *q, const struct column *outputs, struct diag *d)
{
    if (!q->kept_arena && !(q->kept_arena = arena_new(q->limits.memory_max)))
        return diag_fail(d, ERR_NO_MEMORY, "ORDER BY");
    for (uint32_t i = 0; i < q->selected_count; i++) {
        size_t before = arena_used(q->kept_arena);
        err_t e = grow_kept(q, d);
        if (e) return e;
        struct value *values = arena_take_raw(q->kept_arena, q->outputs_all * sizeof(*values));
        for (uint32_t k = 0; values && !e && k < q->outputs_all; k++) {
            column_get(&outputs[k], q->selected[i], &values[k]);
            e = query_copy_value(q->kept_arena, &values[k]);
        }
        e = values && !e ? query_charge(q, arena_used(q->kept_arena) - before, d)
                         : query_charge(q, SIZE_MAX / 2, d);
        if (e) return e;
        q->kept[q->kept_count++] = (struct kept_row){q->sequence++, values};
    }
    return trim(q, d);
}

/* --- out ----------------------------------------------------------------------------------------
 */

static err_t gather(struct arena *a, const struct column *from, const uint32_t *rows,
                    uint32_t count, struct column *to)
{
    err_t e = column_init(to, from->type, count, a);
    uint32_t size = phys_size(type_phys(from->type));
    for (uint32_t i = 0; !e && i < count; i++) {
        to->state[i] = from->state[rows[i]];
        memcpy((uint8_t *)to->data + (size_t)i * size,
               (const uint8_t *)from->data + (size_t)rows[i] * size, size);
    }
    return e;
}

static err_t emit(struct query *q, const struct column *outputs, struct diag *d)
{
    const struct plan_select *p = q->plan;
    uint64_t skip =
        p->offset > 0 && q->skipped < (uint64_t)p->offset ? (uint64_t)p->offset - q->skipped : 0;
    uint32_t first = (uint32_t)MIN(skip, (uint64_t)q->selected_count);
    uint64_t count = q->selected_count - first;
    q->skipped += first;
    if (p->limit >= 0) count = MIN(count, (uint64_t)p->limit - q->emitted);
    struct column *dense = arena_take(q->batch, (p->output_count + 1) * sizeof(*dense));
    err_t e = dense ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && count && i < p->output_count; i++)
        e = gather(q->batch, &outputs[i], q->selected + first, (uint32_t)count, &dense[i]);
    if (e) return diag_fail(d, e, "a query's rows");
    q->emitted += count;
    if (p->limit >= 0 && q->emitted >= (uint64_t)p->limit) q->done = true;
    if (!count) return ERR_OK;
    e = q->into->rows(q->into->ctx, dense, p->output_count, (uint32_t)count);
    return e ? diag_fail(d, e, "the rows could not be handed on") : ERR_OK;
}

err_t rows_take(struct query *q, const struct column *outputs, struct diag *d)
{
    err_t e = ERR_OK;
    if (q->plan->distinct) e = drop_seen(q, outputs, d);
    if (e || !q->selected_count) return e;
    return q->plan->order_count ? keep_rows(q, outputs, d) : emit(q, outputs, d);
}

err_t rows_finish(struct query *q, struct diag *d)
{
    if (!q->plan->order_count) return ERR_OK;
    if (q->kept_count) qsort_r(q->kept, q->kept_count, sizeof(*q->kept), compare_rows, q);
    for (size_t at = 0; at < q->kept_count && !q->done; at += QUERY_ROWS) {
        uint32_t count = (uint32_t)MIN(q->kept_count - at, (size_t)QUERY_ROWS);
        arena_reset(q->batch);
        struct column *columns = arena_take(q->batch, (q->outputs_all + 1) * sizeof(*columns));
        err_t e = columns ? ERR_OK : ERR_NO_MEMORY;
        for (uint32_t k = 0; !e && k < q->plan->output_count; k++) {
            e = column_init(&columns[k], q->plan->outputs[k].type, count, q->batch);
            for (uint32_t i = 0; !e && i < count; i++)
                e = column_set(&columns[k], i, &q->kept[at + i].values[k]);
        }
        if (e) return diag_fail(d, e, "a query's rows in order");
        for (uint32_t i = 0; i < count; i++) q->selected[i] = i;
        q->selected_count = count;
        e = emit(q, columns, d);
        if (e) return e;
    }
    return ERR_OK;
}

void rows_done(struct query *q)
{
    arena_free(q->kept_arena);
    mem_give(q->kept);
    map_free(q->seen);
    buf_done(&q->key);
}
