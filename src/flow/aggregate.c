/* aggregate: GROUP BY and aggregate functions of a bounded query, in memory. */
#include "flow/query_int.h"

enum { GROUPS_MAX = 1 << 30 };

struct sum { /* one aggregate of one group */
    uint64_t count;
    int64_t integer;
    double real;
    struct value best; /* min, max */
    struct map *distinct;
};
struct group {
    struct value *keys;
    struct sum sums[];
};

bool query_aggregates(const struct plan_select *p)
{
    return p->aggregate_count || p->group_count;
}

static bool is_real(const struct type *t)
{
    return t->kind == TYPE_DOUBLE || t->kind == TYPE_FLOAT;
}

static bool is_small_integer(const struct type *t)
{
    return type_is_integer(t) && t->kind != TYPE_VARINT;
}

/* Sums of exact numbers without a size wait for arithmetic on them. */
static err_t check_aggregates(const struct plan_select *p, struct diag *d)
{
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        const struct plan_aggregate *a = &p->aggregates[i];
        if (a->kind != AGG_SUM && a->kind != AGG_AVG) continue;
        const struct type *t = a->value ? expr_type(a->value) : a->type;
        if ((is_real(t) || is_small_integer(t)) && (is_real(a->type) || is_small_integer(a->type)))
            continue;
        return diag_fail(d, ERR_UNSUPPORTED, "sum() and avg() over %s", type_kind_name(t->kind));
    }
    return ERR_OK;
}

static err_t group_find(struct query *q, const struct column *keys, uint32_t row,
                        struct group **out, struct diag *d)
{
    const struct plan_select *p = q->plan;
    buf_reset(&q->key);
    query_row_key(&q->key, keys, p->group_count, row);
    if (q->key.err) return diag_fail(d, q->key.err, "GROUP BY: a row's key");
    if ((*out = map_get(q->groups, buf_view(&q->key)))) return ERR_OK;
    size_t before = arena_used(q->group_arena);
    struct group *g =
        arena_take(q->group_arena, sizeof(*g) + p->aggregate_count * sizeof(g->sums[0]));
    if (g) g->keys = arena_take(q->group_arena, (p->group_count + 1) * sizeof(*g->keys));
    err_t e = g && g->keys ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < p->group_count; i++) {
        column_get(&keys[i], row, &g->keys[i]);
        e = query_copy_value(q->group_arena, &g->keys[i]);
    }
    if (e) return query_charge(q, SIZE_MAX / 2, d);
    e = query_charge(q, arena_used(q->group_arena) - before + q->key.len + 64, d);
    if (!e && (e = map_set(q->groups, buf_view(&q->key), g)))
        diag_fail(d, e, "GROUP BY with more than %zu groups", map_count(q->groups));
    *out = g;
    return e;
}

static err_t add_distinct(struct query *q, struct sum *s, const struct column *c, uint32_t row,
                          struct diag *d)
{
    if (!s->distinct && !(s->distinct = map_new(GROUPS_MAX)))
        return diag_fail(d, ERR_NO_MEMORY, "count(DISTINCT …)");
    buf_reset(&q->key);
    query_row_key(&q->key, c, 1, row);
    if (q->key.err) return diag_fail(d, q->key.err, "count(DISTINCT …)");
    if (map_get(s->distinct, buf_view(&q->key))) return ERR_OK;
    err_t e = query_charge(q, q->key.len + 64, d);
    if (!e && (e = map_set(s->distinct, buf_view(&q->key), s)))
        diag_fail(d, e, "count(DISTINCT …) over more than %zu values", map_count(s->distinct));
    s->count++;
    return e;
}

static err_t add_best(struct query *q, struct sum *s, const struct value *v, bool lowest,
                      struct diag *d)
{
    int c = s->best.state == VALID_VALUE ? value_compare(v, &s->best) : 0;
    if (s->best.state == VALID_VALUE && (lowest ? c >= 0 : c <= 0)) return ERR_OK;
    size_t before = arena_used(q->group_arena);
    s->best = *v;
    if (query_copy_value(q->group_arena, &s->best)) return query_charge(q, SIZE_MAX / 2, d);
    return query_charge(q, arena_used(q->group_arena) - before, d);
}

static err_t add_number(struct sum *s, const struct value *v, struct diag *d)
{
    s->count++;
    if (v->type->kind == TYPE_DOUBLE)
        s->real += v->f64;
    else if (v->type->kind == TYPE_FLOAT)
        s->real += (double)v->f32;
    else if (__builtin_add_overflow(s->integer, v->integer, &s->integer))
        return diag_fail(d, ERR_RANGE, "a sum is larger than a bigint holds");
    return ERR_OK;
}

static err_t add_row(struct query *q, const struct plan_aggregate *a, struct sum *s,
                     const struct column *c, uint32_t row, struct diag *d)
{
    struct value v;
    if (!c) { /* count(*) */
        s->count++;
        return ERR_OK;
    }
    if (c->state[row] != VALID_VALUE) return ERR_OK;
    switch (a->kind) {
    case AGG_COUNT: s->count++; return ERR_OK;
    case AGG_COUNT_DISTINCT: return add_distinct(q, s, c, row, d);
    case AGG_MIN:
    case AGG_MAX: column_get(c, row, &v); return add_best(q, s, &v, a->kind == AGG_MIN, d);
    case AGG_SUM:
    case AGG_AVG: column_get(c, row, &v); return add_number(s, &v, d);
    }
    return ERR_INTERNAL;
}

static err_t evaluate(struct query *q, const struct expr *e, const struct eval_context *x,
                      struct column_batch *b, struct column *out, struct diag *d)
{
    err_t err = expr_eval(e, x, b, out);
    if (err) return diag_fail(d, err, "an expression over %u rows", b->rows);
    for (uint32_t i = 0; i < q->selected_count; i++)
        if (out->state[q->selected[i]] == ERROR_VALUE) return query_fault(q, b, q->selected[i], d);
    return ERR_OK;
}

static err_t groups_open(struct query *q, struct diag *d)
{
    if (q->groups) return ERR_OK;
    err_t e = check_aggregates(q->plan, d);
    if (e) return e;
    q->groups = map_new(GROUPS_MAX);
    q->group_arena = arena_new(q->limits.memory_max);
    return q->groups && q->group_arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "GROUP BY");
}

err_t groups_take(struct query *q, struct column_batch *b, const struct eval_context *x,
                  struct diag *d)
{
    const struct plan_select *p = q->plan;
    struct column *keys = arena_take(q->batch, (p->group_count + 1) * sizeof(*keys));
    struct column *values = arena_take(q->batch, (p->aggregate_count + 1) * sizeof(*values));
    if (!keys || !values) return diag_fail(d, ERR_NO_MEMORY, "GROUP BY");
    err_t e = groups_open(q, d);
    for (uint32_t i = 0; !e && i < p->group_count; i++)
        e = evaluate(q, p->group_by[i], x, b, &keys[i], d);
    for (uint32_t i = 0; !e && i < p->aggregate_count; i++)
        if (p->aggregates[i].value) e = evaluate(q, p->aggregates[i].value, x, b, &values[i], d);
    for (uint32_t i = 0; !e && i < q->selected_count; i++) {
        struct group *g = NULL;
        e = group_find(q, keys, q->selected[i], &g, d);
        for (uint32_t k = 0; !e && k < p->aggregate_count; k++)
            e = add_row(q, &p->aggregates[k], &g->sums[k],
                        p->aggregates[k].value ? &values[k] : NULL, q->selected[i], d);
    }
    return e;
}

/* An aggregate's answer in the plan's type: sums and averages of nothing are null. */
static struct value answer(const struct plan_aggregate *a, const struct sum *s)
{
    struct value v = value_null(a->type);
    bool real_in = a->value && is_real(expr_type(a->value));
    bool average = a->kind == AGG_AVG;
    if (a->kind == AGG_COUNT || a->kind == AGG_COUNT_DISTINCT) {
        v.state = VALID_VALUE;
        v.integer = (int64_t)s->count;
        return v;
    }
    if (a->kind == AGG_MIN || a->kind == AGG_MAX) return s->best.type ? s->best : v;
    if (!s->count) return v;
    v.state = VALID_VALUE;
    if (!is_real(a->type)) {
        v.integer = average ? s->integer / (int64_t)s->count : s->integer;
        return v;
    }
    double real = real_in ? s->real : (double)s->integer;
    if (average) real /= (double)s->count;
    if (a->type->kind == TYPE_FLOAT)
        v.f32 = (float)real;
    else
        v.f64 = real;
    return v;
}

/* A batch of the groups' keys, then their aggregates. */
static err_t groups_batch(struct query *q, struct group *const *groups, uint32_t count,
                          struct column_batch *b)
{
    const struct plan_select *p = q->plan;
    uint32_t columns = p->group_count + p->aggregate_count;
    const struct type **types = arena_take(q->batch, (columns + 1) * sizeof(*types));
    if (!types) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < p->group_count; i++) types[i] = expr_type(p->group_by[i]);
    for (uint32_t i = 0; i < p->aggregate_count; i++)
        types[p->group_count + i] = p->aggregates[i].type;
    err_t e = batch_init(b, types, columns, count, q->batch);
    for (uint32_t r = 0; !e && r < count; r++) {
        for (uint32_t i = 0; !e && i < p->group_count; i++)
            e = column_set(&b->columns[i], r, &groups[r]->keys[i]);
        for (uint32_t i = 0; !e && i < p->aggregate_count; i++) {
            struct value v = answer(&p->aggregates[i], &groups[r]->sums[i]);
            e = column_set(&b->columns[p->group_count + i], r, &v);
        }
    }
    return e;
}

static err_t groups_emit(struct query *q, struct group *const *groups, uint32_t count,
                         const struct eval_context *x, struct diag *d)
{
    struct column_batch b;
    arena_reset(q->batch);
    err_t e = groups_batch(q, groups, count, &b);
    if (e) return diag_fail(d, e, "GROUP BY: %u groups", count);
    for (uint32_t i = 0; i < count; i++) q->selected[i] = i;
    q->selected_count = count;
    if (q->plan->having) e = query_filter(q, q->plan->having, &b, x, d);
    return e ? e : query_outputs(q, &b, x, d);
}

err_t groups_finish(struct query *q, const struct eval_context *x, struct diag *d)
{
    struct group *some[256], *all = NULL;
    struct slice key;
    void *value;
    uint32_t count = 0;
    err_t e = groups_open(q, d);
    if (!e && !q->plan->group_count) e = group_find(q, NULL, 0, &all, d); /* even of no rows */
    for (size_t i = 0; !e && map_next(q->groups, &i, &key, &value);) {
        some[count++] = value;
        if (count < COUNT_OF(some)) continue;
        e = groups_emit(q, some, count, x, d);
        count = 0;
    }
    if (!e && count) e = groups_emit(q, some, count, x, d);
    return e;
}

void groups_done(struct query *q)
{
    struct slice key;
    void *value;
    for (size_t i = 0; q->groups && map_next(q->groups, &i, &key, &value);)
        for (uint32_t k = 0; k < q->plan->aggregate_count; k++)
            map_free(((struct group *)value)->sums[k].distinct);
    map_free(q->groups);
    arena_free(q->group_arena);
}
