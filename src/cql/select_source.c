/* Where a SELECT's rows come from, one after the other. */
#include "cql/core.h"
#include "cql/select.h"

/* --- helpers
 * ---------------------------------------------------------------------------------------- */

static err_t no_memory(struct select_run *r)
{
    return diag_fail(&r->call->diag, ERR_NO_MEMORY, "no memory for rows");
}

static int compare_stored(const struct store_column *columns, const struct slice *a,
                          const struct slice *b, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int order = cql_compare(columns[i].type, a[i], b[i]);
        if (order) return columns[i].descending ? -order : order;
    }
    return 0;
}

static const struct store_column *clustering_columns(const struct select_plan *p)
{
    return p->table->columns + p->key_count;
}

static bool bound_holds(const struct select_plan *p, const struct store_bound *b,
                        const struct slice *clustering, bool start)
{
    int order = compare_stored(clustering_columns(p), clustering, b->values, b->count);
    return order == 0 ? b->inclusive || b->count == 0 : start ? order > 0 : order < 0;
}

bool select_slices_hold(const struct select_plan *p, const struct restrict_slices *s,
                        const struct slice *clustering)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (bound_holds(p, &s->slices[i].start, clustering, true) &&
            bound_holds(p, &s->slices[i].end, clustering, false))
            return true;
    return s->all;
}

/* --- one cursor after the other
 * ---------------------------------------------------------------------- */

static err_t arena_ready(struct select_run *r)
{
    struct select_source *s = &r->source;
    if (!s->arena) s->arena = cql_arena_take(r->call->session->cql);
    return s->arena ? ERR_OK : no_memory(r);
}

static err_t cursor_open(struct select_run *r, const struct slice *partition)
{
    struct select_source *s = &r->source;
    const struct select_plan *p = r->plan;
    err_t e = arena_ready(r);
    if (e) return e;
    s->read = (struct store_read){
        .table = p->table,
        .partition = partition,
        .by_token = !partition && (s->token_first != INT64_MIN || s->token_last != INT64_MAX),
        .token_first = s->token_first,
        .token_last = s->token_last,
        .slices = s->slices.slices,
        .slice_count = s->slices.count,
        .reversed = partition && p->reversed,
        .partitions_only = p->distinct,
        .columns = p->wanted,
        .column_count = p->wanted_count,
        .now_s = r->now_s,
        .after = s->after,
        .after_count = s->after_count,
        .after_partition_done = s->after_partition};
    e = cql_rows_open(r->call, &s->read, s->arena, &s->cursor, &r->call->diag);
    s->after = NULL;
    return e;
}

static void cursor_close(struct select_run *r)
{
    struct select_source *s = &r->source;
    if (!s->cursor) return;
    cql_rows_close(s->cursor);
    s->cursor = NULL;
    arena_reset(s->arena);
}

bool select_source_pauses(struct select_run *r)
{
    r->pause = ++r->looked >= r->most;
    return r->pause;
}

static err_t partitions_next(struct select_run *r, const struct store_row **out)
{
    struct select_source *s = &r->source;
    for (; s->key < s->keys.count; s->key++) {
        err_t e = s->cursor ? ERR_OK : cursor_open(r, s->keys.keys[s->key]);
        if (!e) e = cql_rows_next(s->cursor, out, &r->call->diag);
        if (e || *out) return e;
        cursor_close(r);
        if (select_source_pauses(r)) {
            s->key++;
            break;
        }
    }
    *out = NULL;
    return ERR_OK;
}

static err_t range_next(struct select_run *r, const struct store_row **out)
{
    err_t e = r->source.cursor ? ERR_OK : cursor_open(r, NULL);
    return e ? e : cql_rows_next(r->source.cursor, out, &r->call->diag);
}

/* --- points
 * ------------------------------------------------------------------------------------------ */

/* The place that is looked at next is the first behind a page's end. */
static uint32_t slice_at(const struct select_run *r, uint32_t i)
{
    return r->plan->reversed ? r->source.slices.count - 1 - i : i;
}

static uint32_t slice_total(const struct select_run *r)
{
    return r->plan->clustering_count ? r->source.slices.count : 1;
}

static err_t points_next(struct select_run *r, const struct store_row **out)
{
    struct select_source *s = &r->source;
    const struct select_plan *p = r->plan;
    struct store *store = cql_options(r->call->session->cql)->store;
    err_t e = arena_ready(r);
    *out = NULL;
    while (!e && !*out && s->key < s->keys.count) {
        if (s->slice == slice_total(r)) {
            s->slice = 0;
            s->key++;
            continue;
        }
        arena_reset(s->arena);
        struct slice *key =
            arena_take(s->arena, (p->key_count + p->clustering_count) * sizeof *key);
        if (!key) return no_memory(r);
        memcpy(key, s->keys.keys[s->key], p->key_count * sizeof *key);
        if (p->clustering_count)
            memcpy(key + p->key_count, s->slices.slices[slice_at(r, s->slice)].start.values,
                   p->clustering_count * sizeof *key);
        s->slice++;
        e = store_row_get(store, p->table, key, p->key_count + p->clustering_count, r->now_s,
                          s->arena, out, &r->call->diag);
        if (!e && !*out && select_source_pauses(r)) break;
    }
    return e;
}

/* --- where to begin
 * ------------------------------------------------------------------------------------ */

static bool same_partition(const struct select_plan *p, const struct slice *a,
                           const struct slice *b)
{
    for (uint32_t i = 0; i < p->key_count; i++)
        if (!slice_equal(a[i], b[i])) return false;
    return true;
}

/* Behind the page before: which key that was, and whether something of it is left. */
static void resume(struct select_run *r)
{
    struct select_source *s = &r->source;
    const struct select_plan *p = r->plan;
    const struct paging *from = &r->from;
    bool inside = from->remaining_in_partition > 0 && from->key_count > p->key_count;
    if (s->way == WAY_RANGE || s->way == WAY_INDEX) {
        s->after = from->key;
        s->after_count = inside ? from->key_count : p->key_count;
        s->after_partition = !inside;
        return;
    }
    while (s->key < s->keys.count && !same_partition(p, s->keys.keys[s->key], from->key)) s->key++;
    if (s->key == s->keys.count) return; /* no key of ours: nothing is left */
    if (!inside) {
        s->key++;
    } else if (s->way == WAY_PARTITIONS) {
        s->after = from->key;
        s->after_count = from->key_count;
    } else {
        for (; s->slice < slice_total(r); s->slice++) {
            const struct slice *values = s->slices.slices[slice_at(r, s->slice)].start.values;
            int order = compare_stored(clustering_columns(p), values, from->key + p->key_count,
                                       p->clustering_count);
            if (p->reversed ? order < 0 : order > 0) return;
        }
    }
}

static err_t bind_range(struct select_run *r)
{
    struct select_source *s = &r->source;
    const struct restrictions *w = r->plan->where;
    struct cql_call *c = r->call;
    bool none = false;
    s->token_first = INT64_MIN;
    s->token_last = INT64_MAX;
    err_t e = w->on_token ? restrict_bind_tokens(w, &r->bound, c->arena, &s->token_first,
                                                 &s->token_last, &none, &c->diag)
                          : ERR_OK;
    if (none) s->way = WAY_NOTHING;
    return e;
}

err_t select_source_open(struct select_run *r)
{
    struct select_source *s = &r->source;
    const struct select_plan *p = r->plan;
    const struct restrictions *w = p->where;
    struct cql_call *c = r->call;
    err_t e = ERR_OK;
    s->way = WAY_RANGE;
    if (w->key_range) {
        e = bind_range(r);
    } else {
        e = restrict_bind_keys(w, &r->bound, c->arena, &s->keys, &c->diag);
        s->way = s->keys.count ? WAY_PARTITIONS : WAY_NOTHING;
    }
    if (!e) e = restrict_bind_slices(w, &r->bound, c->arena, &s->slices, &c->diag);
    if (!e)
        e = restrict_bind_filter(w, &r->bound, c->arena, &r->filter, &r->filter_count, &c->diag);
    if (e) return e;
    for (uint32_t i = 0; i < r->filter_count; i++) r->filter_rows |= !r->filter[i].of_partition;
    if (s->slices.none) s->way = WAY_NOTHING;
    bool named = w->keys_only && !p->is_virtual && !(p->distinct && p->clustering_count);
    if (s->way == WAY_PARTITIONS && named) s->way = WAY_POINTS;
    if (w->uses_index && w->index_count && (s->way == WAY_PARTITIONS || s->way == WAY_RANGE))
        s->way = WAY_INDEX;
    if (r->resumed && s->way != WAY_NOTHING) resume(r);
    return s->way == WAY_INDEX ? select_index_open(r) : ERR_OK;
}

/* --- going on
 * ------------------------------------------------------------------------------------------ */

err_t select_source_next(struct select_run *r, const struct store_row **out)
{
    *out = NULL;
    r->looked++;
    switch (r->source.way) {
    case WAY_NOTHING: return ERR_OK;
    case WAY_POINTS: return points_next(r, out);
    case WAY_PARTITIONS: return partitions_next(r, out);
    case WAY_RANGE: return range_next(r, out);
    case WAY_INDEX: return select_index_next(r, out);
    }
    return ERR_OK;
}

err_t select_source_skip_partition(struct select_run *r)
{
    struct select_source *s = &r->source;
    switch (s->way) {
    case WAY_POINTS: s->slice = slice_total(r); break;
    case WAY_PARTITIONS:
        cursor_close(r);
        s->key++;
        break;
    case WAY_RANGE:
        cursor_close(r);
        s->after = r->last; /* kept by the run */
        s->after_count = r->plan->key_count;
        s->after_partition = true;
        break;
    case WAY_INDEX: /* candidates are passed over one by one */
    case WAY_NOTHING: break;
    }
    return ERR_OK;
}

bool select_source_is_last(const struct select_run *r, bool partition_done)
{
    const struct select_source *s = &r->source;
    switch (s->way) {
    case WAY_NOTHING: return true;
    case WAY_POINTS:
        return s->key + 1 >= s->keys.count && (partition_done || s->slice == slice_total(r));
    case WAY_PARTITIONS: return s->key + 1 >= s->keys.count && partition_done;
    case WAY_RANGE:
    case WAY_INDEX: break;
    }
    return false;
}

void select_source_close(struct select_run *r)
{
    struct select_source *s = &r->source;
    struct cql *c = r->call->session->cql;
    cursor_close(r);
    cql_arena_give(c, s->arena);
    cql_arena_give(c, s->lookup_arena);
    s->arena = s->lookup_arena = NULL;
}
