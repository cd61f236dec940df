/* The restrictions with values: keys, tokens and slices of the clustering. */
#include "cql/restrict.h"
#include <stdlib.h>

struct binding {
    const struct restrictions *r;
    const struct cql_bound *b;
    struct arena *a;
    struct diag *d;
};

static err_t no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for the restrictions' values");
}

/* --- values
 * ----------------------------------------------------------------------------------------- */

static err_t check_set(const struct binding *x, const struct cql_value *v,
                       const struct store_column *c, bool multi)
{
    if (v->state == CQL_NULL)
        return diag_fail(x->d, ERR_INVALID,
                         multi ? "Invalid null value for column %.*s"
                               : "Invalid null value in condition for column %.*s",
                         SLICE_ARG(c->name));
    if (v->state == CQL_UNSET)
        return diag_fail(x->d, ERR_INVALID, "Invalid unset value for column %.*s",
                         SLICE_ARG(c->name));
    return ERR_OK;
}

/* The parts of a tuple's value, or of one column's: as many as there are, the restriction's columns
 * at most. */
static err_t value_parts(const struct binding *x, const struct restriction *r,
                         const struct restrict_value *v, struct cql_value **out, uint32_t *count)
{
    err_t e = ERR_OK;
    if (v->items) {
        *count = v->item_count;
        *out = arena_take(x->a, *count * sizeof **out);
        if (!*out) return no_memory(x->d);
        for (uint32_t i = 0; i < *count && !e; i++)
            e = cql_term_value(v->items[i], x->b, x->a, &(*out)[i], x->d);
        return e;
    }
    struct cql_value *one = arena_take(x->a, sizeof *one);
    if (!one) return no_memory(x->d);
    if ((e = cql_term_value(v->whole, x->b, x->a, one, x->d))) return e;
    *out = one;
    *count = 1;
    if (!r->multi || one->state != CQL_SET) return ERR_OK;
    return cql_items(r->tuple, one->bytes, x->a, out, count, x->d);
}

/* --- products: Cassandra's MultiCBuilder
 * ------------------------------------------------------------ */

struct composite {
    struct slice *values;
    uint32_t count;
};
struct product {
    struct composite *items;
    uint32_t count;
    uint32_t width; /* values there may be in one */
    bool missing;   /* IN of nothing */
};

static err_t product_start(const struct binding *x, struct product *p, uint32_t width)
{
    p->width = width;
    p->count = 1;
    p->missing = false;
    p->items = arena_take(x->a, sizeof *p->items);
    if (!p->items || !(p->items[0].values = arena_take(x->a, (width + 1) * sizeof(struct slice))))
        return no_memory(x->d);
    return ERR_OK;
}

/* Each with each of the lists behind it. */
static err_t product_add(const struct binding *x, struct product *p, const struct composite *lists,
                         uint32_t count)
{
    if (count == 1) { /* in place */
        for (uint32_t i = 0; i < p->count; i++) {
            struct composite *c = &p->items[i];
            for (uint32_t k = 0; k < lists[0].count && c->count < p->width; k++)
                c->values[c->count++] = lists[0].values[k];
        }
        return ERR_OK;
    }
    uint64_t all = (uint64_t)p->count * count;
    if (count == 0) {
        p->missing = true;
        return ERR_OK;
    }
    if (all > RESTRICT_PRODUCT_MAX)
        return diag_fail(x->d, ERR_INVALID,
                         "the IN restrictions name %llu combinations, %d at most",
                         (unsigned long long)all, RESTRICT_PRODUCT_MAX);
    struct composite *now = arena_take(x->a, all * sizeof *now);
    struct slice *values = arena_take(x->a, all * p->width * sizeof *values);
    if (!now || !values) return no_memory(x->d);
    for (uint32_t i = 0; i < p->count; i++)
        for (uint32_t k = 0; k < count; k++, values += p->width) {
            struct composite *c = &now[i * count + k];
            c->values = values;
            c->count = p->items[i].count;
            memcpy(values, p->items[i].values, c->count * sizeof *values);
            for (uint32_t n = 0; n < lists[k].count && c->count < p->width; n++)
                values[c->count++] = lists[k].values[n];
        }
    p->items = now;
    p->count = (uint32_t)all;
    return ERR_OK;
}

static err_t one_list(const struct binding *x, const struct restriction *r,
                      const struct cql_value *parts, uint32_t count, struct composite *out)
{
    out->count = 0;
    out->values = arena_take(x->a, r->column_count * sizeof *out->values);
    if (!out->values) return no_memory(x->d);
    for (uint32_t i = 0; i < r->column_count; i++) {
        const struct store_column *c = r->columns[i];
        const struct cql_value none = {.state = CQL_NULL};
        const struct cql_value *v = i < count ? &parts[i] : &none;
        bool in = r->kind == RESTRICT_IN;
        if (r->multi && in && v->state == CQL_NULL) {
            struct buf b = buf_make(KIB(16));
            for (uint32_t k = 0; k < r->column_count; k++)
                buf_printf(&b, "%s%.*s", k ? ", " : "", SLICE_ARG(r->columns[k]->name));
            err_t e = diag_fail(x->d, ERR_INVALID,
                                "Invalid null value in condition for columns: [%s]", buf_cstr(&b));
            buf_done(&b);
            return e;
        }
        err_t e = check_set(x, v, c, r->multi);
        if (e) return e;
        out->values[out->count++] = v->bytes;
    }
    return ERR_OK;
}

/* IN ?: the list's items; of a list of tuples each item's parts. */
static err_t in_list(const struct binding *x, const struct restriction *r, struct composite **out,
                     uint32_t *count)
{
    struct cql_value list, *items;
    err_t e = cql_term_value(r->list, x->b, x->a, &list, x->d);
    if (e) return e;
    if (r->multi && list.state == CQL_NULL)
        return diag_fail(x->d, ERR_INVALID, "Invalid null value for IN restriction");
    if (list.state != CQL_SET) return check_set(x, &list, r->columns[0], true);
    if ((e = cql_items(r->list_type, list.bytes, x->a, &items, count, x->d))) return e;
    *out = arena_take(x->a, *count * sizeof **out);
    if (!*out) return no_memory(x->d);
    for (uint32_t i = 0; i < *count && !e; i++) {
        struct cql_value *parts = &items[i];
        uint32_t part_count = 1;
        if (r->multi && items[i].state == CQL_SET)
            e = cql_items(r->tuple, items[i].bytes, x->a, &parts, &part_count, x->d);
        if (!e) e = one_list(x, r, parts, part_count, &(*out)[i]);
    }
    return e;
}

static err_t lists_of(const struct binding *x, const struct restriction *r, struct composite **out,
                      uint32_t *count)
{
    err_t e = ERR_OK;
    if (r->list) return in_list(x, r, out, count);
    *count = r->value_count;
    *out = arena_take(x->a, r->value_count * sizeof **out);
    if (!*out) return no_memory(x->d);
    for (uint32_t i = 0; i < r->value_count && !e; i++) {
        struct cql_value *parts;
        uint32_t part_count;
        e = value_parts(x, r, &r->values[i], &parts, &part_count);
        if (!e) e = one_list(x, r, parts, part_count, &(*out)[i]);
    }
    return e;
}

static err_t product_restricted(const struct binding *x, struct product *p,
                                const struct restriction *r)
{
    struct composite *lists = NULL;
    uint32_t count = 0;
    err_t e = lists_of(x, r, &lists, &count);
    return e ? e : product_add(x, p, lists, count);
}

/* --- keys
 * ------------------------------------------------------------------------------------------- */

static int compare_columns(const struct store_column *columns, const struct slice *a,
                           const struct slice *b, uint32_t count, bool stored)
{
    for (uint32_t i = 0; i < count; i++) {
        int order = cql_compare(columns[i].type, a[i], b[i]);
        if (order) return stored && columns[i].descending ? -order : order;
    }
    return 0;
}

static int compare_keys(const void *a, const void *b, void *ctx)
{
    const struct restrictions *r = ctx;
    const struct composite *x = a, *y = b;
    return compare_columns(r->table->columns, x->values, y->values, r->partition.count, false);
}

static err_t check_key(const struct binding *x, const struct slice *key)
{
    uint32_t count = x->r->partition.count;
    if (count == 1 && key[0].len == 0) return diag_fail(x->d, ERR_INVALID, "Key may not be empty");
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) bytes += key[i].len + (count > 1 ? 3U : 0U);
    if (bytes > UINT16_MAX)
        return diag_fail(x->d, ERR_INVALID, "Key length of %llu is longer than maximum of %d",
                         (unsigned long long)bytes, UINT16_MAX);
    return ERR_OK;
}

/* token(…) beside a whole key: only keys in it are left. As Cassandra has it a start behind the end
 * goes around. */
static err_t keys_in_token(const struct binding *x, const struct slice **keys, uint32_t *count)
{
    const struct restriction *t = x->r->token;
    int64_t bound[2] = {INT64_MIN, INT64_MAX};
    for (int k = RESTRICT_START; k <= RESTRICT_END; k++) {
        const struct cql_term *term = t->kind == RESTRICT_EQ ? t->values[0].whole
                                      : t->has[k]            ? t->bounds[k].whole
                                                             : NULL;
        struct cql_value v;
        if (!term) continue;
        err_t e = cql_term_value(term, x->b, x->a, &v, x->d);
        if (e) return e;
        if (v.state != CQL_SET || v.bytes.len != 8)
            return diag_fail(x->d, ERR_INVALID, "Invalid null token value");
        struct cursor c = cursor_of(v.bytes);
        bound[k] = cursor_i64(&c);
    }
    bool eq = t->kind == RESTRICT_EQ, both = t->has[RESTRICT_START] && t->has[RESTRICT_END];
    bool around = !eq && both && bound[0] > bound[1];
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *count; i++) {
        int64_t token;
        if (store_token(x->r->table, keys[i], &token))
            return diag_fail(x->d, ERR_INVALID, "Key length is longer than maximum of %d",
                             UINT16_MAX);
        bool from = eq || !t->has[RESTRICT_START] || token > bound[0] ||
                    (token == bound[0] && t->inclusive[RESTRICT_START]);
        bool to = eq || !t->has[RESTRICT_END] || token < bound[1] ||
                  (token == bound[1] && t->inclusive[RESTRICT_END]);
        bool in = eq ? token == bound[0] : around ? from || to : from && to;
        if (in) keys[kept++] = keys[i];
    }
    *count = kept;
    return ERR_OK;
}

err_t restrict_bind_keys(const struct restrictions *r, const struct cql_bound *b, struct arena *a,
                         struct restrict_keys *out, struct diag *d)
{
    struct binding x = {r, b, a, d};
    struct product p;
    *out = (struct restrict_keys){0};
    err_t e = product_start(&x, &p, r->partition.count);
    for (uint32_t i = 0; i < r->partition.count && !e && !p.missing; i++)
        e = product_restricted(&x, &p, r->by[i]);
    if (e || p.missing) return e;
    const struct slice **keys = arena_take(a, p.count * sizeof(struct slice *));
    if (!keys) return no_memory(d);
    if (p.count > 1) qsort_r(p.items, p.count, sizeof *p.items, compare_keys, (void *)(uintptr_t)r);
    uint32_t count = 0;
    for (uint32_t i = 0; i < p.count && !e; i++) {
        if (count && compare_columns(r->table->columns, keys[count - 1], p.items[i].values,
                                     r->partition.count, false) == 0)
            continue;
        e = check_key(&x, p.items[i].values);
        keys[count++] = p.items[i].values;
    }
    if (!e && r->token) e = keys_in_token(&x, keys, &count);
    out->keys = keys;
    out->count = count;
    return e;
}

/* --- tokens
 * ----------------------------------------------------------------------------------------- */

static err_t token_bound(const struct binding *x, int bound, bool *has, int64_t *token,
                         bool *inclusive)
{
    const struct restriction *t = x->r->token;
    struct cql_value v;
    *has = t->kind == RESTRICT_EQ || t->has[bound];
    *inclusive = t->kind == RESTRICT_EQ || t->inclusive[bound];
    if (!*has) return ERR_OK;
    const struct cql_term *term =
        t->kind == RESTRICT_EQ ? t->values[0].whole : t->bounds[bound].whole;
    err_t e = cql_term_value(term, x->b, x->a, &v, x->d);
    if (e) return e;
    if (v.state == CQL_NULL) return diag_fail(x->d, ERR_INVALID, "Invalid null token value");
    if (v.state == CQL_UNSET || v.bytes.len != 8)
        return diag_fail(x->d, ERR_INVALID, "Invalid unset value for column partition key token");
    struct cursor c = cursor_of(v.bytes);
    *token = cursor_i64(&c);
    return ERR_OK;
}

err_t restrict_bind_tokens(const struct restrictions *r, const struct cql_bound *b, struct arena *a,
                           int64_t *first, int64_t *last, bool *none, struct diag *d)
{
    struct binding x = {r, b, a, d};
    /* INT64_MIN is the ring's minimum: no key has it, and as a bound it means there is none. */
    int64_t start = INT64_MIN, end = INT64_MIN;
    bool has_start, has_end, start_in, end_in;
    *none = false;
    err_t e = token_bound(&x, RESTRICT_START, &has_start, &start, &start_in);
    if (!e) e = token_bound(&x, RESTRICT_END, &has_end, &end, &end_in);
    if (e) return e;
    bool open_start = start == INT64_MIN, open_end = end == INT64_MIN;
    *none = !open_start && !open_end && (start > end || (start == end && !(start_in && end_in)));
    *first = open_start ? INT64_MIN : start;
    *last = open_end ? INT64_MAX : end;
    if (!open_start && !start_in) {
        *none |= start == INT64_MAX;
        *first = start == INT64_MAX ? start : start + 1;
    }
    if (!open_end && !end_in) *last = end - 1;
    return ERR_OK;
}

/* --- slices of the clustering
 * ------------------------------------------------------------------------- */

struct edge { /* a place between rows: behind all that begin so, or before them */
    const struct slice *values;
    uint32_t count;
    bool behind;
};
struct edges {
    struct edge *items;
    uint32_t count;
    bool none;
};

static int compare_edges(const struct restrictions *r, const struct edge *a, const struct edge *b)
{
    uint32_t common = MIN(a->count, b->count);
    int order = compare_columns(r->table->columns + r->clustering.first, a->values, b->values,
                                common, true);
    if (order) return order;
    if (a->count == b->count) return (int)a->behind - (int)b->behind;
    if (a->count < b->count) return a->behind ? 1 : -1;
    return b->behind ? -1 : 1;
}

static int edge_order(const void *a, const void *b, void *ctx)
{
    return compare_edges(ctx, a, b);
}

static err_t part_checked(const struct binding *x, const struct restriction *r,
                          const struct cql_value *parts, uint32_t i, struct slice *out)
{
    const struct store_column *c = r->columns[i];
    if (parts[i].state == CQL_UNSET)
        return diag_fail(x->d, ERR_INVALID, "Invalid unset value for column %.*s",
                         SLICE_ARG(c->name));
    if (parts[i].state == CQL_NULL)
        return diag_fail(x->d, ERR_INVALID, "Invalid null value in condition for column %.*s",
                         SLICE_ARG(c->name));
    *out = parts[i].bytes;
    return ERR_OK;
}

struct sides { /* the parts of both bounds of a slice */
    struct cql_value *parts[2];
    uint32_t count[2];
};

/* Where columns of one tuple run in different directions the slice falls apart: Cassandra's
 * appendBoundTo, value by value. The null of one column is stored before all values, as it says. */
static err_t slice_lists(const struct binding *x, const struct restriction *r, int bound,
                         struct composite *lists, uint32_t *count)
{
    struct sides s = {{NULL, NULL}, {0, 0}};
    bool descending = r->columns[0]->descending;
    for (int k = RESTRICT_START; k <= RESTRICT_END; k++)
        if (r->has[k]) {
            err_t e = value_parts(x, r, &r->bounds[k], &s.parts[k], &s.count[k]);
            if (e) return e;
        }
    *count = 0;
    struct composite now = {arena_take(x->a, r->column_count * sizeof(struct slice)), 0};
    for (uint32_t i = 0; i < r->column_count; i++) {
        const struct store_column *c = r->columns[i];
        int side = c->descending ? !bound : bound;
        if (!now.values) return no_memory(x->d);
        if (descending != c->descending) {
            descending = c->descending;
            lists[(*count)++] = now;
            if (s.count[side] <= i) continue;
            if (s.count[!side] > i) lists[(*count)++] = now;
            now = (struct composite){arena_take(x->a, r->column_count * sizeof(struct slice)), 0};
            if (!now.values) return no_memory(x->d);
            for (uint32_t j = 0; j < MIN(i, s.count[side]); j++) {
                err_t e = part_checked(x, r, s.parts[side], j, &now.values[now.count++]);
                if (e) return e;
            }
        }
        if (s.count[side] <= i) continue;
        if (!r->multi && s.parts[side][i].state == CQL_NULL) {
            if (bound == RESTRICT_START) continue;
            return ERR_OK; /* no list: nothing is before null */
        }
        err_t e = part_checked(x, r, s.parts[side], i, &now.values[now.count++]);
        if (e) return e;
    }
    lists[(*count)++] = now;
    for (uint32_t i = 0; bound == RESTRICT_END && i < *count / 2; i++) {
        struct composite swap = lists[i];
        lists[i] = lists[*count - 1 - i];
        lists[*count - 1 - i] = swap;
    }
    return ERR_OK;
}

static struct edge edge_made(const struct composite *c, bool start, bool inclusive)
{
    return (struct edge){c->values, c->count, start != inclusive};
}

/* Cassandra's buildBoundForSlice. */
static err_t edges_of_slice(const struct binding *x, const struct product *p,
                            const struct restriction *r, int bound, struct edges *out)
{
    bool start = bound == RESTRICT_START;
    bool inclusive = !r->has[bound] || r->inclusive[bound];
    bool other = !r->has[!bound] || r->inclusive[!bound];
    uint32_t offset = r->columns[0]->position;
    uint32_t last = r->columns[r->column_count - 1]->position;
    out->items = arena_take(x->a, (p->count + 1U) * 2 * sizeof *out->items);
    if (!out->items) return no_memory(x->d);
    for (uint32_t i = 0; i < p->count; i++) {
        const struct composite *c = &p->items[i];
        if (c->count == offset) {
            out->items[out->count++] = edge_made(c, start, true);
            continue;
        }
        const struct composite *next = i + 1 < p->count ? &p->items[i + 1] : NULL;
        if (c->count <= last && next && next->count == c->count &&
            compare_columns(x->r->table->columns + x->r->clustering.first, c->values, next->values,
                            c->count, false) == 0) {
            out->items[out->count++] = edge_made(c, start, false);
            out->items[out->count++] = edge_made(next, start, true);
            i++;
            continue;
        }
        const struct store_column *column = r->columns[c->count - 1 - offset];
        out->items[out->count++] = edge_made(c, start, column->descending ? other : inclusive);
    }
    return ERR_OK;
}

static err_t edges_of(const struct binding *x, int bound, struct edges *out)
{
    const struct restrictions *r = x->r;
    const struct restriction *before = NULL;
    struct product p;
    uint32_t position = 0;
    *out = (struct edges){0};
    err_t e = product_start(x, &p, r->clustering.count);
    if (e) return e;
    for (uint32_t i = r->clustering.first; i < r->clustering.first + r->clustering.count; i++) {
        const struct restriction *one = r->by[i];
        if (!one || one == before) continue;
        before = one;
        if (restrict_in_filter(one, position)) break;
        if (one->kind == RESTRICT_SLICE) {
            struct composite *lists =
                arena_take(x->a, (2 * one->column_count + 1U) * sizeof *lists);
            uint32_t count;
            if (!lists) return no_memory(x->d);
            e = slice_lists(x, one, bound, lists, &count);
            out->none = !e && count == 0;
            if (out->none) return ERR_OK;
            if (!e) e = product_add(x, &p, lists, count);
            return e ? e : edges_of_slice(x, &p, one, bound, out);
        }
        if ((e = product_restricted(x, &p, one))) return e;
        if (p.missing) {
            out->none = true;
            return ERR_OK;
        }
        position = one->columns[one->column_count - 1]->position + 1U;
    }
    out->items = arena_take(x->a, p.count * sizeof *out->items);
    if (!out->items) return no_memory(x->d);
    for (uint32_t i = 0; i < p.count; i++)
        out->items[out->count++] = edge_made(&p.items[i], bound == RESTRICT_START, true);
    return ERR_OK;
}

static void edges_sort(const struct restrictions *r, struct edges *e)
{
    if (e->count < 2) return;
    qsort_r(e->items, e->count, sizeof *e->items, edge_order, (void *)(uintptr_t)r);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < e->count; i++)
        if (compare_edges(r, &e->items[kept - 1], &e->items[i]) != 0)
            e->items[kept++] = e->items[i];
    e->count = kept;
}

static struct store_bound bound_made(const struct edge *e, bool start)
{
    return (struct store_bound){e->values, e->count, start != e->behind};
}

err_t restrict_bind_slices(const struct restrictions *r, const struct cql_bound *b, struct arena *a,
                           struct restrict_slices *out, struct diag *d)
{
    struct binding x = {r, b, a, d};
    struct edges start, end;
    *out = (struct restrict_slices){.all = r->clustering.size == 0};
    if (out->all) return ERR_OK;
    err_t e = edges_of(&x, RESTRICT_START, &start);
    if (!e) e = edges_of(&x, RESTRICT_END, &end);
    if (e) return e;
    out->none = start.none || end.none;
    if (out->none) return ERR_OK;
    edges_sort(r, &start);
    edges_sort(r, &end);
    uint32_t count = MIN(start.count, end.count), made = 0;
    struct store_slice *slices = arena_take(a, (count + 1U) * sizeof *slices);
    struct edge last = {0};
    if (!slices) return no_memory(d);
    for (uint32_t i = 0; i < count; i++) {
        if (compare_edges(r, &start.items[i], &end.items[i]) >= 0) continue;
        if (made && compare_edges(r, &last, &start.items[i]) >= 0) { /* they touch */
            if (compare_edges(r, &last, &end.items[i]) >= 0) continue;
            slices[made - 1].end = bound_made(&end.items[i], false);
        } else {
            slices[made++] = (struct store_slice){bound_made(&start.items[i], true),
                                                  bound_made(&end.items[i], false)};
        }
        last = end.items[i];
    }
    out->slices = slices;
    out->count = made;
    out->none = made == 0;
    if (made == 1 && !slices[0].start.count && !slices[0].end.count) {
        out->count = 0; /* the whole partition */
        out->all = true;
    }
    return ERR_OK;
}
