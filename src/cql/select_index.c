/* Rows by an index: candidates of the index that has fewest, each got by its key and looked at. */
#include "cql/core.h"
#include "cql/select.h"

struct attempt { /* one index, asked */
    const struct filter_item *item;
    struct store_index_read lookup;
    struct store_candidates found;
    struct arena *arena;
    bool good;
};

static err_t no_memory(struct select_run *r)
{
    return diag_fail(&r->call->diag, ERR_NO_MEMORY, "no memory for an index's rows");
}

static struct store *store_of(const struct select_run *r)
{
    return cql_options(r->call->session->cql)->store;
}

/* The n-th condition on the column. */
static const struct filter_item *item_of(const struct select_run *r, const struct store_column *c,
                                         uint32_t n)
{
    for (uint32_t i = 0; i < r->filter_count; i++)
        if (r->filter[i].column == c && n-- == 0) return &r->filter[i];
    return NULL;
}

/* m[k] = v: an entry is the tuple of both. */
static err_t entry_value(struct select_run *r, const struct filter_item *i, struct slice *out)
{
    size_t size = 8U + i->key.len + i->value.len;
    uint8_t *at = arena_take_raw(r->call->arena, size);
    if (!at) return no_memory(r);
    struct buf b = buf_over(at, size);
    buf_be(&b, i->key.len, 4);
    buf_slice(&b, i->key);
    buf_be(&b, i->value.len, 4);
    buf_slice(&b, i->value);
    *out = buf_view(&b);
    return ERR_OK;
}

static struct slice present(struct slice s) /* an empty value is a value: at NULL means open */
{
    return s.at ? s : SLICE("");
}

static err_t lookup_range(struct select_run *r, const struct store_column *c,
                          struct store_index_read *l)
{
    const struct filter_item *item;
    for (uint32_t n = 0; (item = item_of(r, c, n)); n++) {
        bool low = item->op == CQL_GT || item->op == CQL_GE;
        bool inclusive = item->op == CQL_GE || item->op == CQL_LE;
        if (low) {
            l->low = present(item->value);
            l->low_inclusive = inclusive;
        } else {
            l->high = present(item->value);
            l->high_inclusive = inclusive;
        }
    }
    l->rows_max = SELECT_INDEX_RANGE;
    return ERR_OK;
}

/* A page ended within a partition: an entry of a static column is asked for from that one on. */
static err_t lookup_from(struct select_run *r, struct store_index_read *l)
{
    struct select_source *s = &r->source;
    const struct select_plan *p = r->plan;
    if (store_token(p->table, s->after, &l->token_first)) return no_memory(r);
    if (!l->by_token) l->token_last = INT64_MAX;
    l->by_token = true;
    l->after = NULL;
    l->after_count = 0;
    s->seeking = true;
    return ERR_OK;
}

static err_t lookup_make(struct select_run *r, const struct restrict_index *ri, struct attempt *a)
{
    struct select_source *s = &r->source;
    const struct select_plan *p = r->plan;
    struct store_index_read *l = &a->lookup;
    *l = (struct store_index_read){.table = p->table,
                                   .index = ri->index,
                                   .low_inclusive = true,
                                   .high_inclusive = true,
                                   .partition = s->keys.count ? s->keys.keys[0] : NULL,
                                   .after = s->after,
                                   .after_count = s->after_count,
                                   .rows_max = SELECT_INDEX_FEW};
    l->token_first = s->token_first;
    l->token_last = s->token_last;
    l->by_token = p->where->on_token;
    if (ri->column->role == COLUMN_STATIC && s->after && s->after_count > p->key_count) {
        err_t e = lookup_from(r, l);
        if (e) return e;
    }
    if (ri->restriction->kind == RESTRICT_SLICE) return lookup_range(r, ri->column, l);
    bool contains = ri->restriction->kind == RESTRICT_CONTAINS;
    a->item = item_of(r, ri->column, contains ? ri->place : 0);
    if (!a->item) return ERR_INTERNAL;
    struct slice value = a->item->value;
    err_t e = a->item->entry ? entry_value(r, a->item, &value) : ERR_OK;
    l->low = l->high = present(value);
    return e;
}

static err_t ask(struct select_run *r, struct attempt *a)
{
    struct cql *c = r->call->session->cql;
    if (!a->arena) a->arena = cql_arena_take(c);
    if (!a->arena) return no_memory(r);
    err_t e = store_index_rows(store_of(r), &a->lookup, a->arena, &a->found, &r->call->diag);
    a->good = !e;
    if (e == ERR_TOO_BIG) e = ERR_OK; /* a wide range: another index, or a walk */
    if (!a->good) {
        cql_arena_give(c, a->arena);
        a->arena = NULL;
    }
    return e;
}

static bool is_better(const struct attempt *a, const struct attempt *than)
{
    if (!a->good || !than->good) return a->good;
    if (a->found.more != than->found.more) return than->found.more;
    return a->found.count < than->found.count;
}

static void take(struct select_run *r, const struct attempt *best)
{
    struct select_source *s = &r->source;
    s->index_item = best->item;
    s->lookup = best->lookup;
    s->candidates = best->found;
    s->lookup_arena = best->arena;
    s->candidate = 0;
    call_trace(r->call, "Index %.*s has %u%s candidates", SLICE_ARG(best->lookup.index->name),
               best->found.count, best->found.more ? " or more" : "");
}

/* No index has few: the rows themselves are walked. */
static void walk_instead(struct select_run *r)
{
    struct select_source *s = &r->source;
    s->way = s->keys.count ? WAY_PARTITIONS : WAY_RANGE;
    if (s->way == WAY_PARTITIONS && s->after && s->after_partition) s->way = WAY_NOTHING;
    call_trace(r->call, "No index is selective enough: all rows are looked at");
}

err_t select_index_open(struct select_run *r)
{
    const struct restrictions *w = r->plan->where;
    struct cql *c = r->call->session->cql;
    struct attempt best = {0};
    r->source.arena = cql_arena_take(c);
    if (!r->source.arena) return no_memory(r);
    for (uint32_t i = 0; i < w->index_count; i++) {
        struct attempt a = {0};
        err_t e = lookup_make(r, &w->indexes[i], &a);
        if (!e) e = ask(r, &a);
        bool better = !e && is_better(&a, &best);
        cql_arena_give(c, better ? best.arena : a.arena);
        if (better) best = a;
        if (e) {
            cql_arena_give(c, best.arena);
            return e;
        }
        if (best.good && !best.found.more && best.found.count < SELECT_SKIP_ROWS) break;
    }
    if (best.good)
        take(r, &best);
    else
        walk_instead(r);
    return ERR_OK;
}

/* More candidates of the same value, behind the last one. */
static err_t ask_on(struct select_run *r)
{
    struct select_source *s = &r->source;
    struct attempt a = {.item = s->index_item, .lookup = s->lookup};
    struct arena *old = s->lookup_arena;
    a.lookup.after = s->candidates.keys[s->candidates.count - 1];
    a.lookup.after_count = s->candidates.key_count;
    err_t e = ask(r, &a);
    s->lookup_arena = NULL;
    if (!e && a.good) take(r, &a);
    if (!e && !a.good) e = diag_fail(&r->call->diag, ERR_TOO_BIG, "too many rows in an index");
    cql_arena_give(r->call->session->cql, old);
    return e;
}

static void stale(struct select_run *r, const struct slice *key, uint32_t key_count)
{
    const struct select_source *s = &r->source;
    if (s->index_item)
        store_index_stale(store_of(r), r->plan->table, s->lookup.index, s->lookup.low, key,
                          key_count);
}

void select_index_refused(struct select_run *r, const struct store_row *row)
{
    const struct select_source *s = &r->source;
    struct diag ignored;
    bool holds = true;
    if (s->way != WAY_INDEX || !s->index_item || s->in_partition) return;
    if (!restrict_filter_match(s->index_item, 1, row, false, s->arena, &holds, &ignored) && !holds)
        stale(r, row->key, s->candidates.key_count);
}

static bool same_partition(const struct select_plan *p, const struct slice *a,
                           const struct slice *b)
{
    for (uint32_t i = 0; i < p->key_count; i++)
        if (!slice_equal(a[i], b[i])) return false;
    return true;
}

/* Of the partitions that share the token of the one sought, those before it. */
static bool is_passed(struct select_run *r, const struct slice *key)
{
    struct select_source *s = &r->source;
    int64_t token;
    if (!s->seeking) return false;
    s->seeking = !same_partition(r->plan, key, s->after) &&
                 !store_token(r->plan->table, key, &token) && token == s->lookup.token_first;
    return s->seeking;
}

/* A static column's entry names a partition: all its rows are candidates. */
static err_t partition_open(struct select_run *r, const struct slice *key)
{
    struct select_source *s = &r->source;
    const struct select_plan *p = r->plan;
    arena_reset(s->arena);
    s->read = (struct store_read){.table = p->table,
                                  .partition = key,
                                  .slices = s->slices.slices,
                                  .slice_count = s->slices.count,
                                  .partitions_only = p->distinct,
                                  .columns = p->wanted,
                                  .column_count = p->wanted_count,
                                  .now_s = r->now_s};
    if (s->after && s->after_count > p->key_count && same_partition(p, key, s->after)) {
        s->read.after = s->after;
        s->read.after_count = s->after_count;
    }
    s->in_partition = true;
    return cql_rows_open(r->call, &s->read, s->arena, &s->cursor, &r->call->diag);
}

static err_t candidate_next(struct select_run *r, const struct store_row **out)
{
    struct select_source *s = &r->source;
    const struct select_plan *p = r->plan;
    const struct slice *key = s->candidates.keys[s->candidate++];
    if (s->candidates.key_count == p->key_count && p->clustering_count)
        return is_passed(r, key) ? ERR_OK : partition_open(r, key);
    if (!select_slices_hold(p, &s->slices, key + p->key_count)) return ERR_OK;
    arena_reset(s->arena);
    err_t e = store_row_get(store_of(r), p->table, key, s->candidates.key_count, r->now_s, s->arena,
                            out, &r->call->diag);
    if (!e && !*out) stale(r, key, s->candidates.key_count);
    return e;
}

err_t select_index_next(struct select_run *r, const struct store_row **out)
{
    struct select_source *s = &r->source;
    err_t e = ERR_OK;
    *out = NULL;
    while (!e && !*out) {
        if (s->in_partition) {
            e = cql_rows_next(s->cursor, out, &r->call->diag);
            if (e || *out) return e;
            cql_rows_close(s->cursor);
            s->cursor = NULL;
            s->in_partition = false;
        } else if (s->candidate < s->candidates.count) {
            e = candidate_next(r, out);
            if (!e && !*out && select_source_pauses(r)) return ERR_OK;
        } else if (s->candidates.more && s->candidates.count) {
            e = ask_on(r);
        } else {
            return ERR_OK;
        }
    }
    return e;
}
