/* Compare and set: conditions are looked at and what follows from them is written on the store's
 * committer, between the changes before it and behind it; so it is linearizable without a lock. */
#include "cql/write_int.h"
#include <stdlib.h>

enum { CAS_ROWS_LOOKED_AT = 1000 };

struct cas_conditions { /* of one statement, on one row */
    const struct write_condition_bound *at;
    uint32_t count;
    struct cas_conditions *next;
};
struct cas_row {
    const struct slice *key; /* whole; of the statics: the partition's */
    uint32_t key_count;
    enum write_if kind;
    struct cas_conditions *conditions;
    const struct store_row *there; /* NULL: it is not */
};
struct cas_part {
    struct write_run *run;
    struct cas_part *next;
};
struct cas {
    struct cql_call *call;
    struct store *store;
    const struct store_table *table;
    uint32_t partition_columns, clustering_columns;
    bool batch;
    const struct slice *partition;
    struct cas_row statics;
    struct cas_row *rows; /* with conditions; in the partition's order once it runs */
    uint32_t row_count, row_cap;
    struct cas_part *parts, **parts_end;
    bool updates_rows, updates_statics;
    bool *fetched;    /* by column of the table: a condition or an operation asks for it */
    bool all_columns; /* IF [NOT] EXISTS: everything is shown */
    const struct store_column **shown; /* else these */
    uint32_t shown_count;
    bool looked, applies;
};

static err_t no_memory(struct cas *s)
{
    return diag_fail(&s->call->diag, ERR_NO_MEMORY, "no memory for a conditional statement");
}

err_t cas_new(struct cql_call *c, const struct store_table *t, bool batch, struct cas **out)
{
    struct cas *s = arena_take(c->arena, sizeof(*s));
    if (!s) return diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for a conditional statement");
    *s = (struct cas){.call = c,
                      .store = cql_options(c->session->cql)->store,
                      .table = t,
                      .batch = batch,
                      .parts_end = &s->parts};
    for (uint32_t i = 0; i < t->column_count; i++) {
        s->partition_columns += t->columns[i].role == COLUMN_PARTITION;
        s->clustering_columns += t->columns[i].role == COLUMN_CLUSTERING;
    }
    s->fetched = arena_take(c->arena, t->column_count * sizeof(*s->fetched));
    s->shown = arena_take(c->arena, t->column_count * sizeof(const struct store_column *));
    *out = s;
    return s->fetched && s->shown ? ERR_OK : no_memory(s);
}

/* --- conditions, row by row
 * ----------------------------------------------------------------------------- */

static void show(struct cas *s, const struct store_column *c)
{
    for (uint32_t i = 0; i < s->shown_count; i++)
        if (s->shown[i] == c) return;
    s->shown[s->shown_count++] = c;
}

static err_t row_of(struct cas *s, const struct slice *clustering, struct cas_row **out)
{
    struct arena *a = s->call->arena;
    INVARIANT(clustering); /* who names no row has conditions on statics alone */
    for (uint32_t i = 0; i < s->row_count; i++)
        if (write_compare_rows(s->table, s->rows[i].key + s->partition_columns, clustering,
                               s->clustering_columns) == 0) {
            *out = &s->rows[i];
            return ERR_OK;
        }
    if (s->row_count == s->row_cap) {
        uint32_t cap = s->row_cap ? 2 * s->row_cap : 4;
        struct cas_row *more =
            arena_resize(a, s->rows, s->row_cap * sizeof(*more), cap * sizeof(*more));
        if (!more) return no_memory(s);
        s->rows = more;
        s->row_cap = cap;
    }
    uint32_t count = s->partition_columns + s->clustering_columns;
    struct slice *key = arena_take(a, count * sizeof(*key));
    if (!key) return no_memory(s);
    memcpy(key, s->partition, s->partition_columns * sizeof(*key));
    if (s->clustering_columns)
        memcpy(key + s->partition_columns, clustering, s->clustering_columns * sizeof(*key));
    *out = &s->rows[s->row_count++];
    **out = (struct cas_row){.key = key, .key_count = count};
    return ERR_OK;
}

static err_t add_exists(struct cas *s, struct cas_row *row, enum write_if kind)
{
    if (row->kind == IF_COLUMNS)
        return diag_fail(&s->call->diag, ERR_INVALID,
                         "Cannot mix IF conditions and IF %sEXISTS for the same row",
                         kind == IF_NOT_EXISTS ? "NOT " : "");
    if (row->kind != IF_NONE && row->kind != kind)
        return diag_fail(&s->call->diag, ERR_INVALID,
                         "Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row");
    row->kind = kind;
    return ERR_OK;
}

static err_t add_columns(struct cas *s, struct cas_row *row, const struct write_condition_bound *at,
                         uint32_t count)
{
    if (row->kind == IF_EXISTS || row->kind == IF_NOT_EXISTS)
        return diag_fail(&s->call->diag, ERR_INVALID,
                         "Cannot mix IF conditions and IF NOT EXISTS for the same row");
    struct cas_conditions *more = arena_take(s->call->arena, sizeof(*more));
    if (!more) return no_memory(s);
    *more = (struct cas_conditions){at, count, row->conditions};
    row->kind = IF_COLUMNS;
    row->conditions = more;
    return ERR_OK;
}

static err_t add_conditions(struct cas *s, struct write_run *r, const struct slice *clustering)
{
    const struct write_plan *p = r->plan;
    struct cas_row *row = &s->statics;
    struct write_condition_bound *bound = NULL;
    err_t e = ERR_OK;
    if (p->condition != IF_COLUMNS) {
        s->all_columns = true;
        if (clustering) e = row_of(s, clustering, &row);
        return e ? e : add_exists(s, row, p->condition);
    }
    e = write_conditions_bind(p, &r->bind, &bound);
    for (uint32_t i = 0; i < p->condition_count; i++) show(s, p->conditions[i].column);
    if (!e && p->regular_conditions) {
        e = row_of(s, clustering, &row);
        if (!e) e = add_columns(s, row, bound, p->regular_conditions);
    }
    uint32_t statics = p->condition_count - p->regular_conditions;
    if (!e && statics) e = add_columns(s, &s->statics, bound + p->regular_conditions, statics);
    return e;
}

static void note_fetched(struct cas *s, const struct write_plan *p)
{
    const struct store_column *first = s->table->columns;
    for (uint32_t i = 0; i < p->condition_count; i++)
        s->fetched[p->conditions[i].column - first] = true;
    for (uint32_t i = 0; i < p->regular_count; i++)
        if (write_op_reads(&p->regulars[i])) s->fetched[p->regulars[i].column - first] = true;
    for (uint32_t i = 0; i < p->static_count; i++)
        if (write_op_reads(&p->statics[i])) s->fetched[p->statics[i].column - first] = true;
    s->updates_statics |= p->static_count > 0;
}

/* --- statements
 * --------------------------------------------------------------------------------------------- */

static err_t check_in(struct cas *s, const struct write_plan *p)
{
    const char *what = p->kind == CQL_UPDATE ? "updates" : "deletions";
    struct diag *d = &s->call->diag;
    if (p->where.partition_in && s->batch)
        return diag_fail(d, ERR_INVALID,
                         "Batch with conditions cannot span multiple partitions (you cannot use IN "
                         "on the partition key)");
    if (p->where.partition_in)
        return diag_fail(d, ERR_INVALID,
                         "IN on the partition key is not supported with conditional %s", what);
    if (p->where.clustering_in)
        return diag_fail(d, ERR_INVALID,
                         "IN on the clustering key columns is not supported with conditional %s",
                         what);
    return ERR_OK;
}

static err_t check_partition(struct cas *s, const struct write_run *r)
{
    const struct slice *key = r->targets.partitions[0];
    if (!s->partition) s->partition = key;
    for (uint32_t i = 0; i < s->partition_columns; i++)
        if (!slice_equal(key[i], s->partition[i]))
            return diag_fail(&s->call->diag, ERR_INVALID,
                             "Batch with conditions cannot span multiple partitions");
    return ERR_OK;
}

err_t cas_add(struct cas *s, struct write_run *r)
{
    const struct write_plan *p = r->plan;
    const struct write_targets *t = &r->targets;
    err_t e = check_in(s, p);
    if (!e) e = write_run_bind(r, 0);
    if (!e) e = check_partition(s, r);
    if (e || t->nothing) return e;
    s->updates_rows |= p->updates_rows;
    if (p->condition != IF_NONE) {
        static const struct slice none[1]; /* the one row of a table without clustering columns */
        const struct slice *clustering = t->row_count ? t->rows[0] : NULL;
        if (p->clustering_columns == 0) clustering = none;
        note_fetched(s, p);
        e = add_conditions(s, r, clustering);
    }
    struct cas_part *part = arena_take(s->call->arena, sizeof(*part));
    if (!e && !part) e = no_memory(s);
    if (e) return e;
    part->run = r;
    *s->parts_end = part;
    s->parts_end = &part->next;
    return ERR_OK;
}

/* --- looking
 * --------------------------------------------------------------------------------------------------
 */

static err_t look_at(struct cas *s, struct store_peek *peek, struct cas_row *row)
{
    struct cql_call *c = s->call;
    int64_t now_s = call_now_s(c);
    row->there = NULL;
    if (peek)
        return store_peek_row(peek, s->table, row->key, row->key_count, now_s, c->arena,
                              &row->there, &c->diag);
    return store_row_get(s->store, s->table, row->key, row->key_count, now_s, c->arena, &row->there,
                         &c->diag);
}

static bool is_fetched(const struct cas *s, const struct store_column *c)
{
    if (c->role == COLUMN_STATIC && s->updates_statics) return true;
    if (c->role == COLUMN_REGULAR && s->updates_rows) return true;
    return s->fetched[c - s->table->columns];
}

/* Is there any static value among those the statement may see? */
static bool statics_there(const struct cas *s)
{
    const struct store_row *there = s->statics.there;
    for (uint32_t i = 0; i < s->table->column_count; i++) {
        const struct store_column *c = &s->table->columns[i];
        if (c->role == COLUMN_STATIC && is_fetched(s, c) && there &&
            write_cell_find(there->statics, there->static_count, c->id))
            return true;
    }
    return false;
}

static err_t row_holds(struct cas *s, const struct cas_row *row, bool statics, bool *out)
{
    const struct store_row *there = row->there;
    bool exists = statics ? statics_there(s) : there && there->key_count == row->key_count;
    const struct store_cell *cells = !there ? NULL : statics ? there->statics : there->cells;
    uint32_t count = !there ? 0 : statics ? there->static_count : there->cell_count;
    err_t e = ERR_OK;
    if (!statics && !exists) count = 0;
    *out = true;
    if (row->kind == IF_EXISTS) *out = exists;
    if (row->kind == IF_NOT_EXISTS) *out = !exists;
    for (const struct cas_conditions *q = row->conditions; !e && *out && q; q = q->next)
        for (uint32_t i = 0; !e && *out && i < q->count; i++)
            e = write_condition_holds(&q->at[i], cells, count, s->call->arena, out, &s->call->diag);
    return e;
}

static err_t look(struct cas *s, struct store_peek *peek)
{
    err_t e = ERR_OK;
    bool has_statics = false;
    for (uint32_t i = 0; i < s->table->column_count; i++)
        has_statics |= s->table->columns[i].role == COLUMN_STATIC;
    s->statics.key = s->partition;
    s->statics.key_count = s->partition_columns;
    s->applies = true;
    if (has_statics) e = look_at(s, peek, &s->statics);
    for (uint32_t i = 0; !e && i < s->row_count; i++) e = look_at(s, peek, &s->rows[i]);
    if (!e && s->statics.kind != IF_NONE) e = row_holds(s, &s->statics, true, &s->applies);
    for (uint32_t i = 0; !e && s->applies && i < s->row_count; i++)
        e = row_holds(s, &s->rows[i], false, &s->applies);
    return e;
}

/* --- what is answered
 * ----------------------------------------------------------------------------------------- */

struct answer {
    struct cas *s;
    const struct store_column **columns;
    uint32_t count;
    struct buf *rows;
};

static err_t put_columns(struct cas *s, struct answer *x)
{
    const struct store_table *t = s->table;
    struct cql_column *columns =
        arena_take(s->call->arena, (t->column_count + 1) * sizeof(*columns));
    x->columns = arena_take(s->call->arena, t->column_count * sizeof(const struct store_column *));
    if (!columns || !x->columns) return no_memory(s);
    uint32_t keys = s->partition_columns + s->clustering_columns;
    if (s->all_columns || s->batch)
        while (x->count < keys) {
            x->columns[x->count] = &t->columns[x->count];
            x->count++;
        }
    if (s->all_columns) {
        for (uint32_t i = keys; i < t->column_count; i++) /* statics come first */
            if (t->columns[i].role == COLUMN_STATIC) x->columns[x->count++] = &t->columns[i];
        for (uint32_t i = keys; i < t->column_count; i++)
            if (t->columns[i].role == COLUMN_REGULAR) x->columns[x->count++] = &t->columns[i];
    }
    for (uint32_t i = 0; !s->all_columns && i < s->shown_count; i++)
        x->columns[x->count++] = s->shown[i];
    columns[0] =
        (struct cql_column){t->keyspace, t->name, SLICE("[applied]"), type_of(TYPE_BOOLEAN)};
    for (uint32_t i = 0; i < x->count; i++)
        columns[i + 1] =
            (struct cql_column){t->keyspace, t->name, x->columns[i]->name, x->columns[i]->type};
    s->call->result.metadata.columns = columns;
    return ERR_OK;
}

static void put_value(struct buf *b, struct slice v)
{
    buf_be(b, v.at ? v.len : UINT32_MAX, 4);
    if (v.at) buf_slice(b, v);
}

static void put_applied(struct buf *b, bool applied)
{
    buf_be(b, 1, 4);
    buf_be(b, applied, 1);
}

static err_t column_value(struct answer *x, const struct store_column *c,
                          const struct store_row *row, struct slice *out)
{
    struct cas *s = x->s;
    static const uint8_t empty[1];
    const struct store_row *statics = s->statics.there;
    const struct store_cell *cell = NULL;
    *out = (struct slice){0};
    if (c->role == COLUMN_PARTITION || c->role == COLUMN_CLUSTERING) {
        uint32_t at = (uint32_t)(c - s->table->columns);
        if (at < s->partition_columns)
            *out = s->partition[at];
        else if (row && at < row->key_count)
            *out = row->key[at];
        else
            return ERR_OK;
        if (!out->at) *out = slice_make(empty, 0);
        return ERR_OK;
    }
    if (!is_fetched(s, c)) return ERR_OK;
    if (c->role == COLUMN_STATIC && statics)
        cell = write_cell_find(statics->statics, statics->static_count, c->id);
    if (c->role == COLUMN_REGULAR && row)
        cell = write_cell_find(row->cells, row->cell_count, c->id);
    return write_cell_value(c->type, cell, s->call->arena, out, &s->call->diag);
}

static err_t put_row(struct answer *x, const struct store_row *row)
{
    err_t e = ERR_OK;
    put_applied(x->rows, false);
    for (uint32_t i = 0; !e && i < x->count; i++) {
        struct slice v;
        e = column_value(x, x->columns[i], row, &v);
        if (!e) put_value(x->rows, v);
    }
    x->s->call->result.row_count++;
    return e;
}

/* Only the statics were asked for: the partition's first row shows that there is a partition. */
static err_t put_first_row(struct answer *x)
{
    struct cas *s = x->s;
    struct cql_call *c = s->call;
    const struct store_read r = {
        .table = s->table, .partition = s->partition, .now_s = call_now_s(c)};
    struct store_cursor *rows = NULL;
    const struct store_row *row = NULL;
    err_t e = store_rows_open(s->store, NULL, &r, c->arena, &rows, &c->diag);
    for (uint32_t i = 0; !e && i < CAS_ROWS_LOOKED_AT; i++) {
        e = store_rows_next(rows, &row, &c->diag);
        if (e || !row) break;
        bool whole = row->key_count == s->partition_columns + s->clustering_columns;
        if (!whole || (!s->updates_rows && !row->marker)) continue;
        e = put_row(x, row);
        break;
    }
    store_rows_close(rows);
    return e;
}

static err_t put_rows(struct answer *x)
{
    struct cas *s = x->s;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < s->row_count; i++) {
        const struct store_row *row = s->rows[i].there;
        if (row && row->key_count == s->rows[i].key_count) e = put_row(x, row);
    }
    if (!e && s->row_count == 0) e = put_first_row(x);
    if (!e && s->call->result.row_count == 0 && statics_there(s)) e = put_row(x, NULL);
    return e;
}

static err_t answer(struct cas *s)
{
    struct cql_call *c = s->call;
    struct cql_result *r = &c->result;
    struct answer x = {.s = s, .rows = &r->rows};
    buf_done(&r->rows);
    r->rows = buf_make(CQL_RESULT_BYTES_MAX);
    r->kind = CQL_ROWS;
    r->row_count = 0;
    err_t e = put_columns(s, &x);
    if (!e && !s->applies) e = put_rows(&x);
    if (!e && r->row_count == 0) {
        put_applied(&r->rows, s->applies);
        r->row_count = 1;
        x.count = 0;
    }
    r->metadata.count = x.count + 1;
    if (!e && r->rows.err) e = diag_fail(&c->diag, r->rows.err, "the answer is too big");
    return e;
}

/* --- on the committer
 * ------------------------------------------------------------------------------------------ */

static err_t write_parts(struct cas *s, struct store_change *change, struct store_peek *peek)
{
    err_t e = ERR_OK;
    int64_t ballot = store_timestamp(s->store);
    for (struct cas_part *p = s->parts; !e && p; p = p->next) {
        p->run->timestamp = ballot;
        p->run->ballot = true;
        e = write_run_add(p->run, s->store, change, peek);
    }
    return e;
}

static err_t decide(void *ctx, struct store_change *change, struct store_peek *peek, struct diag *d)
{
    struct cas *s = ctx;
    err_t e = s->looked ? ERR_OK : look(s, peek);
    if (!e && s->applies) e = write_parts(s, change, peek);
    if (!e) e = answer(s);
    if (e && d) *d = s->call->diag;
    return e;
}

static int sort_rows(const void *a, const void *b, void *ctx)
{
    const struct cas *s = ctx;
    const struct cas_row *x = a, *y = b;
    return write_compare_rows(s->table, x->key + s->partition_columns,
                              y->key + s->partition_columns, s->clustering_columns);
}

void cas_commit(struct cas *s)
{
    struct cql_call *c = s->call;
    struct store_change *change = NULL;
    if (s->row_count > 1) qsort_r(s->rows, s->row_count, sizeof(*s->rows), sort_rows, s);
    c->params.skip_metadata = false; /* which columns come depends on the outcome */
    call_trace(c, "Reading existing values for CAS precondition");
    err_t e = store_change_new(s->store, &change);
    if (!e && cql_options(c->session->cql)->mutant_cas_blind) {
        e = look(s, NULL);
        s->looked = true;
    }
    if (e) {
        store_change_free(change);
        call_end(c, e);
        return;
    }
    store_change_decide(change, decide, s);
    call_commit(c, change);
}
