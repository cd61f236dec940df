/* A plan at work: bound, checked, and its rows put into a change. */
#include "cql/write_int.h"

/* --- what never fits
 * -------------------------------------------------------------------------------------- */

static const char *consistency_name(uint16_t level)
{
    static const char *const names[] = {"ANY",    "ONE",          "TWO",          "THREE",
                                        "QUORUM", "ALL",          "LOCAL_QUORUM", "EACH_QUORUM",
                                        "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"};
    return level < COUNT_OF(names) ? names[level] : "?";
}

static bool is_serial(uint16_t level)
{
    return level == CQL_SERIAL || level == CQL_LOCAL_SERIAL;
}

err_t write_check_conditional(struct cql_call *c)
{
    uint16_t serial = c->params.serial ? c->params.serial : CQL_SERIAL;
    if (!is_serial(serial))
        return diag_fail(&c->diag, ERR_INVALID,
                         "Invalid consistency for conditional update. Must be one of SERIAL or "
                         "LOCAL_SERIAL");
    if (is_serial(c->params.consistency))
        return diag_fail(&c->diag, ERR_INVALID,
                         "%s is not supported as conditional update commit consistency. Use ANY if "
                         "you mean \"make sure it is accepted but I don't care how many replicas "
                         "commit it for non-SERIAL reads\"",
                         consistency_name(c->params.consistency));
    return ERR_OK;
}

err_t write_check_consistency(struct cql_call *c, const struct write_plan *p)
{
    uint16_t level = c->params.consistency;
    if (p->condition != IF_NONE) return write_check_conditional(c);
    if (p->table->counter && level == CQL_ANY)
        return diag_fail(&c->diag, ERR_INVALID,
                         "Consistency level ANY is not yet supported for counter table %.*s",
                         SLICE_ARG(p->table->name));
    if (p->table->counter && is_serial(level))
        return diag_fail(&c->diag, ERR_INVALID,
                         "Counter operations are inherently non-serializable");
    if (is_serial(level))
        return diag_fail(&c->diag, ERR_INVALID,
                         "You must use conditional updates for serializable writes");
    if (p->reads && level == CQL_ANY)
        return diag_fail(
            &c->diag, ERR_INVALID,
            "Write operation require a read but consistency %s is not supported on reads",
            consistency_name(level));
    return ERR_OK;
}

static err_t check_virtual(struct cql_call *c, const struct write_plan *p)
{
    const struct store_table *t = p->table;
    struct diag *d = &c->diag;
    if (slice_is(t->keyspace, "system") || slice_is(t->keyspace, "system_schema"))
        return diag_fail(d, ERR_FORBIDDEN, "%.*s keyspace is not user-modifiable.",
                         SLICE_ARG(t->keyspace));
    if (p->timestamp)
        return diag_fail(d, ERR_INVALID, "Custom timestamp is not supported by virtual tables");
    if (p->ttl)
        return diag_fail(d, ERR_INVALID, "Expiring columns are not supported by virtual tables");
    if (p->condition != IF_NONE)
        return diag_fail(d, ERR_INVALID, "Conditional updates are not supported by virtual tables");
    err_t e = diag_fail(d, ERR_INVALID, "Modification is not supported by table %.*s.%.*s",
                        SLICE_ARG(t->keyspace), SLICE_ARG(t->name));
    if (slice_is(t->keyspace, "topics"))
        (void)diag_hint(d, "it is a topic of the log: produce to it instead");
    return e;
}

err_t write_check(struct cql_call *c, const struct write_plan *p)
{
    if (p->table->counter && p->timestamp)
        return diag_fail(&c->diag, ERR_INVALID,
                         "Cannot provide custom timestamp for counter updates");
    if (p->table->counter && p->ttl)
        return diag_fail(&c->diag, ERR_INVALID, "Cannot provide custom TTL for counter updates");
    return p->is_virtual ? check_virtual(c, p) : ERR_OK;
}

err_t write_permit(struct cql_call *c, const struct write_plan *p)
{
    err_t e = cql_permit_table(c, p->table, PERMIT_MODIFY);
    /* A condition can be used to look at what is there. */
    if (!e && p->condition != IF_NONE) e = cql_permit_table(c, p->table, PERMIT_SELECT);
    return e;
}

/* --- USING
 * -------------------------------------------------------------------------------------------------
 */

int64_t write_default_timestamp(struct cql_call *c)
{
    if (c->params.timestamp != INT64_MIN) return c->params.timestamp;
    return store_timestamp(cql_options(c->session->cql)->store);
}

err_t write_timestamp(const struct cql_term *t, const struct write_bind *b, int64_t fallback,
                      int64_t *out)
{
    struct cql_value v;
    *out = fallback;
    if (!t) return ERR_OK;
    err_t e = cql_term_value(t, b->bound, b->arena, &v, b->d);
    if (e || v.state == CQL_UNSET) return e;
    if (v.state == CQL_NULL) return diag_fail(b->d, ERR_INVALID, "Invalid null value of timestamp");
    struct cursor c = cursor_of(v.bytes);
    *out = cursor_i64(&c);
    if (c.err || *out == INT64_MIN)
        return diag_fail(b->d, ERR_INVALID, "Out of bound timestamp, must be in [%lld, %lld]",
                         (long long)INT64_MIN + 1, (long long)INT64_MAX);
    return ERR_OK;
}

static err_t check_expiry(const struct write_run *r, int64_t ttl, bool is_default)
{
    const struct store_table *t = r->plan->table;
    if (ttl == 0 || r->bind.bound->now_us / 1000000 + ttl <= WRITE_EXPIRY_MAX) return ERR_OK;
    return diag_fail(r->bind.d, ERR_INVALID,
                     "Request on table %.*s.%.*s with %sttl of %lld seconds exceeds maximum "
                     "supported expiration date of 2038-01-19T03:14:06+00:00. In order to avoid "
                     "this use a lower TTL, change the expiration date overflow policy or upgrade "
                     "to a version where this limitation is fixed. See CASSANDRA-14092 and "
                     "CASSANDRA-14227 for more details.",
                     SLICE_ARG(t->keyspace), SLICE_ARG(t->name), is_default ? "default " : "",
                     (long long)ttl);
}

static err_t bind_ttl(struct write_run *r)
{
    const struct write_bind *b = &r->bind;
    struct cql_value v = {.state = CQL_UNSET};
    r->ttl = r->plan->table->default_ttl;
    if (!r->plan->ttl) return check_expiry(r, r->ttl, true);
    err_t e = cql_term_value(r->plan->ttl, b->bound, b->arena, &v, b->d);
    if (e || v.state == CQL_UNSET) return e;
    r->ttl = 0;
    if (v.state == CQL_NULL || v.bytes.len == 0) return ERR_OK;
    struct cursor c = cursor_of(v.bytes);
    int32_t ttl = cursor_i32(&c);
    if (ttl < 0)
        return diag_fail(b->d, ERR_INVALID, "A TTL must be greater or equal to 0, but was %d", ttl);
    if (ttl > WRITE_TTL_MAX)
        return diag_fail(b->d, ERR_INVALID, "ttl is too large. requested (%d) maximum (%d)", ttl,
                         WRITE_TTL_MAX);
    r->ttl = (uint32_t)ttl;
    return check_expiry(r, ttl, false);
}

/* --- binding
 * ------------------------------------------------------------------------------------------------
 */

static err_t bind_json(struct write_run *r)
{
    struct write_bind *b = &r->bind;
    const struct write_plan *p = r->plan;
    b->json = p->json_values;
    if (!p->json) return ERR_OK;
    struct cql_value text, *values;
    err_t e = cql_term_value(p->json, b->bound, b->arena, &text, b->d);
    if (e) return e;
    if (text.state != CQL_SET)
        return diag_fail(b->d, ERR_INVALID, "Got %s for INSERT JSON values",
                         text.state == CQL_NULL ? "null" : "unset");
    e = write_json_values(p->table, text.bytes, p->json_unset, b->arena, &values, b->d);
    b->json = values;
    return e;
}

err_t write_run_new(struct cql_call *c, const struct write_plan *p, const struct cql_bound *bound,
                    struct write_run **out)
{
    struct write_run *r = arena_take(c->arena, sizeof(*r));
    if (!r) return diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for the statement");
    r->plan = p;
    r->bind = (struct write_bind){.bound = bound, .arena = c->arena, .d = &c->diag};
    r->now_s = call_now_s(c);
    *out = r;
    return ERR_OK;
}

err_t write_run_bind(struct write_run *r, int64_t fallback)
{
    err_t e = bind_json(r);
    if (!e) e = write_timestamp(r->plan->timestamp, &r->bind, fallback, &r->timestamp);
    if (!e) e = write_targets_bind(r->plan, &r->bind, &r->targets);
    return e || r->targets.nothing ? e : bind_ttl(r);
}

/* --- rows
 * -----------------------------------------------------------------------------------------------------
 */

struct adding {
    struct write_run *r;
    struct store *s;
    struct store_change *c;
    struct store_peek *peek;
    struct slice *key; /* the whole of it: the partition's, then a row's */
    uint32_t key_count;
};

static err_t peek_row(struct adding *x, const struct write_op *ops, uint32_t count, bool statics,
                      struct write_row *row)
{
    const struct store_row *there = NULL;
    bool reads = false;
    for (uint32_t i = 0; i < count; i++) reads |= write_op_reads(&ops[i]);
    if (!reads) return ERR_OK;
    INVARIANT(x->peek);
    err_t e = store_peek_row(x->peek, row->table, row->key, row->key_count, x->r->now_s,
                             x->r->bind.arena, &there, x->r->bind.d);
    if (e || !there) return e;
    row->current = statics ? there->statics : there->cells;
    row->current_count = statics ? there->static_count : there->cell_count;
    return ERR_OK;
}

static err_t add_cells(struct adding *x, const struct write_op *ops, uint32_t count, bool statics,
                       bool marker)
{
    const struct write_run *r = x->r;
    struct write_row row = {.table = r->plan->table,
                            .key = x->key,
                            .key_count = statics ? r->plan->partition_columns : x->key_count,
                            .timestamp = r->timestamp,
                            .change = x->c,
                            .store = x->s,
                            .cells = {.arena = r->bind.arena}};
    if (count) {
        row.cells.at = arena_take_raw(r->bind.arena, count * sizeof(*row.cells.at));
        if (!row.cells.at) return diag_fail(r->bind.d, ERR_NO_MEMORY, "no memory for a row");
        row.cells.cap = count;
    }
    err_t e = peek_row(x, ops, count, statics, &row);
    for (uint32_t i = 0; !e && i < count; i++) e = write_op_run(&ops[i], &r->bind, &row);
    if (e || (row.cells.count == 0 && !marker)) return e;
    const struct store_row_write w = {.table = row.table,
                                      .key = row.key,
                                      .key_count = row.key_count,
                                      .timestamp = r->timestamp,
                                      .ttl = r->ttl,
                                      .now_s = r->now_s,
                                      .marker = marker,
                                      .cells = row.cells.at,
                                      .cell_count = row.cells.count};
    if (row.table->index_count) e = write_check_indexed(&w, r->bind.d);
    if (e) return e;
    if (r->tally) write_tally_row(r->tally, &w, r->plan->partition_columns);
    return store_change_row(x->c, &w, r->bind.d);
}

static err_t delete_row(struct adding *x, int64_t timestamp)
{
    const struct write_run *r = x->r;
    const struct store_row_write w = {.table = r->plan->table,
                                      .key = x->key,
                                      .key_count = x->key_count,
                                      .timestamp = timestamp,
                                      .now_s = r->now_s,
                                      .delete_row = true};
    if (r->tally) write_tally_row(r->tally, &w, r->plan->partition_columns);
    return store_change_row(x->c, &w, r->bind.d);
}

static err_t delete_slices(struct adding *x)
{
    const struct write_run *r = x->r;
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < r->targets.slice_count; i++) {
        const struct store_slice *s = &r->targets.slices[i];
        if (r->tally)
            write_tally_slice(r->tally, r->plan->table, x->key, r->plan->partition_columns, s);
        e = store_change_delete_slice(x->c, r->plan->table, x->key, s, r->timestamp - r->ballot,
                                      r->now_s, r->bind.d);
    }
    return e;
}

static err_t delete_whole(struct adding *x, bool row)
{
    const struct write_run *r = x->r;
    if (row) return delete_row(x, r->timestamp);
    if (r->targets.slice_count) return delete_slices(x);
    if (r->plan->clustering_columns == 0) return delete_row(x, r->timestamp - r->ballot);
    if (r->tally)
        write_tally_slice(r->tally, r->plan->table, x->key, r->plan->partition_columns, NULL);
    return store_change_delete_partition(x->c, r->plan->table, x->key, r->timestamp - r->ballot,
                                         r->now_s, r->bind.d);
}

/* One row, or what the statement says of the partition as a whole. */
static err_t add_one(struct adding *x, bool row)
{
    const struct write_plan *p = x->r->plan;
    err_t e = ERR_OK;
    if (p->kind == CQL_DELETE) {
        if (p->regular_count == 0 && p->static_count == 0) return delete_whole(x, row);
        if (x->r->targets.slice_count || (p->regular_count && !row && p->clustering_columns))
            return diag_fail(x->r->bind.d, ERR_INVALID,
                             "Range deletions are not supported for specific columns");
        if (p->regular_count) e = add_cells(x, p->regulars, p->regular_count, false, false);
    } else if (p->updates_rows) {
        e = add_cells(x, p->regulars, p->regular_count, false, p->kind == CQL_INSERT);
    }
    if (!e && p->static_count) e = add_cells(x, p->statics, p->static_count, true, false);
    return e;
}

err_t write_run_add(struct write_run *r, struct store *s, struct store_change *c,
                    struct store_peek *peek)
{
    const struct write_targets *t = &r->targets;
    const struct write_plan *p = r->plan;
    struct adding x = {.r = r, .s = s, .c = c, .peek = peek, .key_count = p->partition_columns};
    if (t->nothing) return ERR_OK;
    if (t->row_count) x.key_count += p->clustering_columns;
    x.key = arena_take_raw(r->bind.arena, x.key_count * sizeof(*x.key));
    if (!x.key) return diag_fail(r->bind.d, ERR_NO_MEMORY, "no memory for a row");
    err_t e = ERR_OK;
    for (uint32_t i = 0; !e && i < t->partition_count; i++) {
        memcpy(x.key, t->partitions[i], p->partition_columns * sizeof(*x.key));
        if (t->row_count == 0) e = add_one(&x, false);
        for (uint32_t j = 0; !e && j < t->row_count; j++) {
            memcpy(x.key + p->partition_columns, t->rows[j],
                   p->clustering_columns * sizeof(*x.key));
            e = add_one(&x, true);
        }
    }
    return e;
}
