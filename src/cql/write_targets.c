/* Which rows a statement is about, once its values are there: keys, or slices of partitions. */
#include "cql/write_int.h"
#include <stdlib.h>

err_t write_value(const struct write_bind *b, const struct write_term *t, struct cql_value *out)
{
    if (t->term) return cql_term_value(t->term, b->bound, b->arena, out, b->d);
    *out = b->json[t->json];
    return ERR_OK;
}

static err_t no_memory(const struct write_bind *b)
{
    return diag_fail(b->d, ERR_NO_MEMORY, "no memory for the statement's rows");
}

static err_t too_many(const struct write_bind *b)
{
    return diag_fail(b->d, ERR_TOO_BIG, "one statement may name at most %d rows", WRITE_ROWS_MAX);
}

/* --- limits of keys
 * ----------------------------------------------------------------------------------- */

static err_t key_too_long(const struct write_bind *b, size_t length)
{
    return diag_fail(b->d, ERR_INVALID, "Key length of %zu is longer than maximum of %d", length,
                     WRITE_KEY_MAX);
}

static size_t key_bytes(const struct slice *key, uint32_t count)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < count; i++) sum += key[i].len;
    return sum;
}

static err_t check_partition_key(const struct write_bind *b, const struct slice *key,
                                 uint32_t count)
{
    size_t sum = key_bytes(key, count);
    if (sum > WRITE_KEY_MAX) return key_too_long(b, sum);
    if (count == 1 && sum == 0) return diag_fail(b->d, ERR_INVALID, "Key may not be empty");
    if (count > 1 && sum + 3 * (size_t)count > WRITE_KEY_MAX)
        return key_too_long(b, sum + 3 * (size_t)count);
    return ERR_OK;
}

static err_t check_clustering(const struct write_bind *b, const struct slice *key, uint32_t count)
{
    size_t sum = key_bytes(key, count);
    return sum > WRITE_KEY_MAX ? key_too_long(b, sum) : ERR_OK;
}

/* --- one restriction's values
 * ---------------------------------------------------------------------------- */

struct tuples { /* `count` of them, each with `width` values */
    struct slice *values;
    uint32_t count, width;
};

static err_t refuse_value(const struct write_bind *b, const struct write_restriction *r,
                          const struct store_column *c, uint8_t state)
{
    if (state == CQL_UNSET)
        return diag_fail(b->d, ERR_INVALID, "Invalid unset value for column %.*s",
                         SLICE_ARG(c->name));
    if (!r->tuple || r->kind == RESTRICT_SLICE)
        return diag_fail(b->d, ERR_INVALID, "Invalid null value in condition for column %.*s",
                         SLICE_ARG(c->name));
    if (r->kind == RESTRICT_EQ)
        return diag_fail(b->d, ERR_INVALID, "Invalid null value for column %.*s",
                         SLICE_ARG(c->name));
    const char *names = "";
    for (uint32_t i = 0; i < r->count; i++) {
        const char *more = arena_printf(b->arena, "%s%s%.*s", names, i ? ", " : "",
                                        SLICE_ARG(r->columns[i]->name));
        names = more ? more : names;
    }
    return diag_fail(b->d, ERR_INVALID, "Invalid null value in condition for columns: [%s]", names);
}

/* The parts of a tuple's (or, of one column, a value's) binary form; `width` of them. */
static err_t split_tuple(const struct write_bind *b, const struct write_restriction *r,
                         const struct cql_value *v, struct slice *out, uint32_t width)
{
    if (v->state != CQL_SET) return refuse_value(b, r, r->columns[0], v->state);
    if (!r->tuple) {
        out[0] = v->bytes;
        return ERR_OK;
    }
    const struct type *items[64];
    if (r->count > COUNT_OF(items))
        return diag_fail(b->d, ERR_TOO_BIG, "a relation of more than %zu columns", COUNT_OF(items));
    for (uint32_t i = 0; i < r->count; i++) items[i] = r->columns[i]->type;
    struct type t = {
        .kind = TYPE_TUPLE, .frozen = true, .count = (uint16_t)r->count, .items = items};
    struct cql_value *parts;
    uint32_t count;
    err_t e = cql_items(&t, v->bytes, b->arena, &parts, &count, b->d);
    for (uint32_t i = 0; !e && i < width; i++) {
        if (i >= count || parts[i].state != CQL_SET)
            e = refuse_value(b, r, r->columns[i], i < count ? parts[i].state : CQL_NULL);
        else
            out[i] = parts[i].bytes;
    }
    return e;
}

static err_t tuple_values(const struct write_bind *b, const struct write_restriction *r,
                          const struct write_tuple *t, uint32_t width, struct slice *out)
{
    struct cql_value v;
    err_t e = ERR_OK;
    if (!t->parts) {
        e = write_value(b, &t->whole, &v);
        return e ? e : split_tuple(b, r, &v, out, width);
    }
    for (uint32_t i = 0; !e && i < width; i++) {
        e = write_value(b, &t->parts[i], &v);
        if (!e && v.state != CQL_SET) e = refuse_value(b, r, r->columns[i], v.state);
        if (!e) out[i] = v.bytes;
    }
    return e;
}

static err_t in_list_type(const struct write_bind *b, const struct write_restriction *r,
                          struct type **out)
{
    struct type *list = arena_take(b->arena, sizeof(*list));
    struct type *tuple = arena_take(b->arena, sizeof(*tuple));
    const struct type **items = arena_take(b->arena, (r->count + 1) * sizeof(const struct type *));
    if (!list || !tuple || !items) return no_memory(b);
    for (uint32_t i = 0; i < r->count; i++) items[i] = r->columns[i]->type;
    *tuple = (struct type){
        .kind = TYPE_TUPLE, .frozen = true, .count = (uint16_t)r->count, .items = items};
    items[r->count] = r->tuple ? tuple : r->columns[0]->type;
    *list = (struct type){.kind = TYPE_LIST, .frozen = true, .count = 1, .items = &items[r->count]};
    *out = list;
    return ERR_OK;
}

static err_t in_marker_values(const struct write_bind *b, const struct write_restriction *r,
                              struct tuples *out)
{
    struct cql_value v;
    err_t e = cql_term_value(r->in, b->bound, b->arena, &v, b->d);
    if (e) return e;
    if (v.state != CQL_SET && r->tuple)
        return diag_fail(b->d, ERR_INVALID, "Invalid %s value for IN restriction",
                         v.state == CQL_NULL ? "null" : "unset");
    if (v.state != CQL_SET)
        return diag_fail(b->d, ERR_INVALID, "Invalid %s value for column %.*s",
                         v.state == CQL_NULL ? "null" : "unset", SLICE_ARG(r->columns[0]->name));
    struct type *list = NULL;
    struct cql_value *items = NULL;
    e = in_list_type(b, r, &list);
    if (!e) e = cql_items(list, v.bytes, b->arena, &items, &out->count, b->d);
    if (e) return e;
    if (out->count > WRITE_ROWS_MAX) return too_many(b);
    out->width = r->count;
    out->values = arena_take(b->arena, (out->count * (size_t)r->count + 1) * sizeof(*out->values));
    if (!out->values) return no_memory(b);
    for (uint32_t i = 0; !e && i < out->count; i++)
        e = split_tuple(b, r, &items[i], &out->values[i * (size_t)r->count], r->count);
    return e;
}

static err_t restriction_values(const struct write_bind *b, const struct write_restriction *r,
                                struct tuples *out)
{
    if (r->in) return in_marker_values(b, r, out);
    out->count = r->value_count;
    out->width = r->count;
    out->values = arena_take(b->arena, (out->count * (size_t)r->count + 1) * sizeof(*out->values));
    if (!out->values) return no_memory(b);
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < out->count; i++)
        e = tuple_values(b, r, &r->values[i], r->count, &out->values[i * (size_t)r->count]);
    return e;
}

/* --- products of restrictions
 * -------------------------------------------------------------------------- */

struct keys {
    struct slice **at;
    uint32_t count, width;
};

/* All that is there, each with each of the values behind it. */
static err_t keys_multiply(const struct write_bind *b, struct keys *k, const struct tuples *t)
{
    size_t count = k->count * (size_t)t->count;
    if (count > WRITE_ROWS_MAX) return too_many(b);
    uint32_t width = k->width + t->width;
    struct slice **at = arena_take(b->arena, (count + 1) * sizeof(struct slice *));
    struct slice *values = arena_take(b->arena, (count * width + 1) * sizeof(*values));
    if (!at || !values) return no_memory(b);
    for (uint32_t i = 0; i < k->count; i++)
        for (uint32_t j = 0; j < t->count; j++) {
            struct slice *key = values + (i * (size_t)t->count + j) * width;
            at[i * (size_t)t->count + j] = key;
            if (k->width) memcpy(key, k->at[i], k->width * sizeof(*key));
            memcpy(key + k->width, &t->values[j * (size_t)t->width], t->width * sizeof(*key));
        }
    *k = (struct keys){at, (uint32_t)count, width};
    return ERR_OK;
}

struct key_order {
    const struct store_column *columns;
    uint32_t count;
};

static int compare_key(const struct store_column *columns, const struct slice *a,
                       const struct slice *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int order = cql_compare(columns[i].type, a[i], b[i]);
        if (order) return columns[i].descending ? -order : order;
    }
    return 0;
}

int write_compare_rows(const struct store_table *t, const struct slice *a, const struct slice *b,
                       uint32_t count)
{
    const struct store_column *c = t->columns;
    while (c->role == COLUMN_PARTITION) c++;
    return compare_key(c, a, b, count);
}

static int sort_keys(const void *a, const void *b, void *ctx)
{
    const struct key_order *o = ctx;
    return compare_key(o->columns, *(struct slice *const *)a, *(struct slice *const *)b, o->count);
}

/* In order, each once: a counter named twice counts once. */
static void keys_sort(struct keys *k, const struct store_column *columns)
{
    if (k->count < 2) return;
    struct key_order o = {columns, k->width};
    qsort_r(k->at, k->count, sizeof(struct slice *), sort_keys, &o);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < k->count; i++)
        if (compare_key(columns, k->at[kept - 1], k->at[i], k->width)) k->at[kept++] = k->at[i];
    k->count = kept;
}

static err_t keys_of(const struct write_bind *b, const struct write_restriction *r, uint32_t count,
                     const struct store_column *columns, struct keys *k)
{
    static struct slice *const none[1];
    *k = (struct keys){.at = (struct slice **)(uintptr_t)none, .count = 1};
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < count && r[i].kind != RESTRICT_SLICE; i++) {
        struct tuples t;
        e = restriction_values(b, &r[i], &t);
        if (!e) e = keys_multiply(b, k, &t);
        if (!e && k->count == 0) break;
    }
    if (!e) keys_sort(k, columns);
    return e;
}

/* --- slices
 * -----------------------------------------------------------------------------------------------
 */

struct slicer {
    const struct write_bind *b;
    const struct store_column *columns; /* clustering ones */
    const struct write_restriction *r;  /* the slice */
    const struct slice *prefix;
    uint32_t prefix_count;
    const struct slice *low, *high;
    struct store_slice *out;
    uint32_t count, cap;
};

/* Where a bound lies: before or behind all rows that begin with its values. */
static int compare_places(const struct store_column *columns, const struct store_bound *a,
                          bool a_behind, const struct store_bound *b, bool b_behind)
{
    int order = compare_key(columns, a->values, b->values, MIN(a->count, b->count));
    if (order) return order;
    if (a->count == b->count) return (int)a_behind - (int)b_behind;
    if (a->count < b->count) return a_behind ? 1 : -1;
    return b_behind ? -1 : 1;
}

static bool start_behind(const struct store_slice *s)
{
    return s->start.count > 0 && !s->start.inclusive;
}

static bool end_behind(const struct store_slice *s)
{
    return s->end.count == 0 || s->end.inclusive;
}

static bool slice_is_empty(const struct store_column *columns, const struct store_slice *s)
{
    return compare_places(columns, &s->start, start_behind(s), &s->end, end_behind(s)) >= 0;
}

static err_t put_slice(struct slicer *x, const struct store_slice *s)
{
    if (slice_is_empty(x->columns, s)) return ERR_OK;
    if (x->count == x->cap) {
        uint32_t cap = x->cap ? 2 * x->cap : 8;
        struct store_slice *more =
            arena_resize(x->b->arena, x->out, x->cap * sizeof(*more), cap * sizeof(*more));
        if (!more) return no_memory(x->b);
        x->out = more;
        x->cap = cap;
    }
    x->out[x->count++] = *s;
    return ERR_OK;
}

static err_t bound_of(struct slicer *x, const struct slice *values, uint32_t count, bool inclusive,
                      struct store_bound *out)
{
    struct slice *all =
        arena_take(x->b->arena, (x->prefix_count + count + 1) * sizeof(struct slice));
    if (!all) return no_memory(x->b);
    if (x->prefix_count) memcpy(all, x->prefix, x->prefix_count * sizeof(*all));
    if (count) memcpy(all + x->prefix_count, values, count * sizeof(*all));
    *out = (struct store_bound){all, x->prefix_count + count, inclusive};
    return ERR_OK;
}

/* Rows whose first `i` values are those, and the next one is on the right side of values[i]. */
static err_t step_slice(struct slicer *x, const struct slice *values, uint32_t i, bool greater,
                        bool inclusive, struct store_slice *out)
{
    struct store_bound near = {0}, far = {0};
    err_t e = bound_of(x, values, i + 1, inclusive, &near);
    if (!e) e = bound_of(x, values, i, true, &far);
    bool starts = greater != x->r->columns[i]->descending;
    *out = (struct store_slice){starts ? near : far, starts ? far : near};
    return e;
}

/* All steps of (a, b) > (1, 2): a = 1 and b > 2, or a > 1. */
static err_t side_steps(struct slicer *x, const struct write_side *side, const struct slice *values,
                        bool greater, struct store_slice *out, uint32_t *count)
{
    err_t e = ERR_OK;
    *count = 0;
    if (!side->value) {
        struct store_bound all;
        e = bound_of(x, NULL, 0, true, &all);
        out[(*count)++] = (struct store_slice){all, all};
        return e;
    }
    for (uint32_t i = 0; !e && i < side->count; i++)
        e = step_slice(x, values, i, greater, i + 1 == side->count && side->inclusive,
                       &out[(*count)++]);
    return e;
}

static err_t mixed_slices(struct slicer *x)
{
    uint32_t lows, highs;
    struct store_slice *steps =
        arena_take(x->b->arena, (2 * (size_t)x->r->count + 2) * sizeof(*steps));
    if (!steps) return no_memory(x->b);
    struct store_slice *more = steps + x->r->count + 1;
    err_t e = side_steps(x, &x->r->low, x->low, true, steps, &lows);
    if (!e) e = side_steps(x, &x->r->high, x->high, false, more, &highs);
    for (uint32_t i = 0; !e && i < lows; i++)
        for (uint32_t j = 0; !e && j < highs; j++) {
            struct store_slice a = steps[i], c = more[j];
            if (compare_places(x->columns, &a.start, start_behind(&a), &c.start, start_behind(&c)) <
                0)
                a.start = c.start;
            if (compare_places(x->columns, &a.end, end_behind(&a), &c.end, end_behind(&c)) > 0)
                a.end = c.end;
            e = put_slice(x, &a);
        }
    return e;
}

static err_t plain_slice(struct slicer *x)
{
    const struct write_restriction *r = x->r;
    struct store_bound low, high;
    err_t e = bound_of(x, x->low, r->low.value ? r->low.count : 0,
                       !r->low.value || r->low.inclusive, &low);
    if (!e)
        e = bound_of(x, x->high, r->high.value ? r->high.count : 0,
                     !r->high.value || r->high.inclusive, &high);
    if (e) return e;
    struct store_slice s = {low, high};
    if (r->columns[0]->descending) s = (struct store_slice){high, low};
    return put_slice(x, &s);
}

static err_t side_values(struct slicer *x, const struct write_side *side, const struct slice **out)
{
    if (!side->value) return ERR_OK;
    struct slice *values = arena_take(x->b->arena, side->count * sizeof(*values));
    if (!values) return no_memory(x->b);
    *out = values;
    return tuple_values(x->b, x->r, side->value, side->count, values);
}

static err_t slices_of(struct slicer *x, const struct keys *prefixes)
{
    bool mixed = false;
    err_t e = ERR_OK;
    if (x->r) {
        e = side_values(x, &x->r->low, &x->low);
        if (!e) e = side_values(x, &x->r->high, &x->high);
        for (uint32_t i = 1; i < x->r->count; i++)
            mixed |= x->r->columns[i]->descending != x->r->columns[0]->descending;
    }
    for (uint32_t i = 0; !e && i < prefixes->count; i++) {
        x->prefix = prefixes->at[i];
        x->prefix_count = prefixes->width;
        if (x->r) {
            e = mixed ? mixed_slices(x) : plain_slice(x);
            continue;
        }
        struct store_bound whole = {x->prefix, x->prefix_count, true};
        struct store_slice s = {whole, whole};
        e = put_slice(x, &s);
    }
    return e;
}

/* --- targets
 * ---------------------------------------------------------------------------------------------- */

static err_t bind_plain(const struct write_plan *p, const struct write_bind *b,
                        struct write_targets *out)
{
    uint32_t keys = p->partition_columns + p->clustering_columns;
    struct slice *key = arena_take_raw(b->arena, keys * sizeof(*key));
    if (!key) return no_memory(b);
    for (uint32_t i = 0; i < keys; i++) {
        struct cql_value v;
        err_t e = write_value(b, &p->where.plain[i], &v);
        if (e) return e;
        if (v.state != CQL_SET) {
            const struct write_restriction eq = {.kind = RESTRICT_EQ};
            return refuse_value(b, &eq, &p->table->columns[i], v.state);
        }
        key[i] = v.bytes;
        if (i + 1 == p->partition_columns) {
            e = check_partition_key(b, key, p->partition_columns);
            if (e) return e;
        }
    }
    out->first_partition = key;
    out->first_row = key + p->partition_columns;
    out->partitions = &out->first_partition;
    out->partition_count = 1;
    out->rows = &out->first_row;
    out->row_count = p->clustering_columns > 0;
    return check_clustering(b, out->first_row, p->clustering_columns);
}

static err_t bind_partitions(const struct write_plan *p, const struct write_bind *b,
                             struct write_targets *out)
{
    struct keys k;
    err_t e = keys_of(b, p->where.partition, p->partition_columns, p->table->columns, &k);
    for (uint32_t i = 0; !e && i < k.count; i++)
        e = check_partition_key(b, k.at[i], p->partition_columns);
    if (e) return e;
    out->partitions = (const struct slice *const *)k.at;
    out->partition_count = k.count;
    out->nothing = k.count == 0;
    return ERR_OK;
}

static err_t bind_rows(const struct write_plan *p, const struct write_bind *b,
                       struct write_targets *out)
{
    const struct write_where *w = &p->where;
    const struct store_column *columns = p->table->columns + p->partition_columns;
    if (w->clustering_count == 0) return ERR_OK;
    struct keys k;
    err_t e = keys_of(b, w->clustering, w->clustering_count, columns, &k);
    if (e) return e;
    if (k.count == 0) {
        out->nothing = true;
        return ERR_OK;
    }
    if (w->clustering_slice || w->clustering_columns < p->clustering_columns) {
        struct slicer x = {.b = b, .columns = columns};
        if (w->clustering_slice) x.r = &w->clustering[w->clustering_count - 1];
        e = slices_of(&x, &k);
        out->slices = x.out;
        out->slice_count = x.count;
        out->nothing |= x.count == 0;
        return e;
    }
    for (uint32_t i = 0; !e && i < k.count; i++) e = check_clustering(b, k.at[i], k.width);
    out->rows = (const struct slice *const *)k.at;
    out->row_count = k.count;
    return e;
}

err_t write_targets_bind(const struct write_plan *p, const struct write_bind *b,
                         struct write_targets *out)
{
    *out = (struct write_targets){0};
    if (p->where.plain) return bind_plain(p, b, out);
    err_t e = bind_partitions(p, b, out);
    return e ? e : bind_rows(p, b, out);
}
