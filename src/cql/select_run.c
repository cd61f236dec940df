/* SELECT, run: rows from the source through filter and limits into the result, a turn at a time. */
#include "cql/core.h"
#include "cql/select.h"

static err_t no_memory(struct cql_call *c)
{
    return diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for a SELECT");
}

/* --- the short way
 * ------------------------------------------------------------------------------------ */

static err_t point_value(struct cql_call *c, const struct restriction *r, const struct cql_bound *b,
                         struct slice *out)
{
    struct cql_value v;
    err_t e = cql_term_value(r->values[0].whole, b, c->arena, &v, &c->diag);
    if (e) return e;
    if (v.state == CQL_SET) {
        *out = v.bytes;
        return ERR_OK;
    }
    return diag_fail(&c->diag, ERR_INVALID,
                     v.state == CQL_NULL ? "Invalid null value in condition for column %.*s"
                                         : "Invalid unset value for column %.*s",
                     SLICE_ARG(r->columns[0]->name));
}

static err_t point_key(struct cql_call *c, const struct select_plan *p, const struct cql_bound *b,
                       struct slice *key)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < p->key_count + p->clustering_count; i++) {
        err_t e = point_value(c, p->where->by[i], b, &key[i]);
        if (e) return e;
        if (i < p->key_count) bytes += key[i].len + (p->key_count > 1 ? 3U : 0U);
    }
    if (p->key_count == 1 && key[0].len == 0)
        return diag_fail(&c->diag, ERR_INVALID, "Key may not be empty");
    if (bytes > UINT16_MAX)
        return diag_fail(&c->diag, ERR_INVALID, "Key length of %llu is longer than maximum of %d",
                         (unsigned long long)bytes, UINT16_MAX);
    return ERR_OK;
}

static err_t point_run(struct cql_call *c, const struct select_plan *p)
{
    struct cql_bound bound;
    struct slice *key =
        arena_take_raw(c->arena, (p->key_count + p->clustering_count) * sizeof *key);
    const struct store_row *row = NULL;
    if (!key) return no_memory(c);
    err_t e = call_bound(c, c->statement, &c->params, &bound);
    if (!e) e = point_key(c, p, &bound, key);
    if (!e)
        e = store_row_get(cql_options(c->session->cql)->store, p->table, key,
                          p->key_count + p->clustering_count, call_now_s(c), c->arena, &row,
                          &c->diag);
    if (e || !row) return e;
    size_t size = select_row_size(p, row);
    void *at = size <= CQL_RESULT_BYTES_MAX ? arena_take_raw(c->arena, size) : NULL;
    if (!at) return no_memory(c);
    c->result.rows = buf_over(at, size);
    select_row_put(p, row, &c->result.rows);
    c->result.row_count = 1;
    return c->result.rows.err;
}

/* --- output
 * --------------------------------------------------------------------------------------------- */

err_t select_values_put(struct select_run *r, const struct cql_value *values)
{
    struct buf *out = &r->call->result.rows;
    if (r->plan->json) {
        buf_reset(&r->json);
        select_json_put(r->plan, values, &r->json);
        buf_be(out, r->json.len, 4);
        buf_slice(out, buf_view(&r->json));
        if (r->json.err) out->err = r->json.err;
    } else {
        for (uint32_t i = 0; i < r->plan->selector_count; i++) select_value_put(&values[i], out);
    }
    r->call->result.row_count++;
    return out->err ? diag_fail(&r->call->diag, ERR_TOO_BIG,
                                "the result is larger than %d MB: ask for pages, or for less",
                                CQL_RESULT_BYTES_MAX >> 20)
                    : ERR_OK;
}

static err_t row_out(struct select_run *r, const struct store_row *row)
{
    const struct select_plan *p = r->plan;
    struct cql_result *result = &r->call->result;
    size_t at = result->rows.len;
    err_t e = ERR_OK;
    if (p->plain) {
        select_row_put(p, row, &result->rows);
        result->row_count++;
        if (result->rows.err)
            e = diag_fail(&r->call->diag, ERR_TOO_BIG,
                          "the result is larger than %d MB: ask for pages, or for less",
                          CQL_RESULT_BYTES_MAX >> 20);
    } else {
        struct cql_row scope;
        struct cql_value *values = arena_take(r->scratch, p->selector_count * sizeof *values);
        if (!values || select_row_scope(p, row, r->now_s, r->scratch, &scope))
            return no_memory(r->call);
        for (uint32_t i = 0; i < p->selector_count && !e; i++)
            e = cql_selector_value(p->selectors[i], &scope, &r->bound, r->scratch, &values[i],
                                   &r->call->diag);
        if (!e) e = select_values_put(r, values);
    }
    if (!e) e = select_sorted_hold(r, row);
    return e ? e : select_sorted_add(r, at);
}

/* --- limits
 * -----------------------------------------------------------------------------------------------
 */

static err_t limit_value(struct select_run *r, const struct cql_term *t, int32_t *out)
{
    struct cql_value v;
    *out = SELECT_LIMIT_NONE;
    if (!t) return ERR_OK;
    err_t e = cql_term_value(t, &r->bound, r->call->arena, &v, &r->call->diag);
    if (e) return e;
    if (v.state == CQL_NULL)
        return diag_fail(&r->call->diag, ERR_INVALID, "Invalid null value of limit");
    if (v.state == CQL_UNSET) return ERR_OK;
    struct cursor c = cursor_of(v.bytes);
    if (v.bytes.len != 4) return diag_fail(&r->call->diag, ERR_INVALID, "Invalid limit value");
    *out = cursor_i32(&c);
    if (*out > 0) return ERR_OK;
    return diag_fail(&r->call->diag, ERR_INVALID, "LIMIT must be strictly positive");
}

static void count_down(int32_t *left)
{
    if (*left != SELECT_LIMIT_NONE) (*left)--;
}

/* The key of this row is kept: the next one is compared with it, or the page ends here. */
static err_t remember(struct select_run *r, const struct store_row *row)
{
    struct cql_call *c = r->call;
    if (!r->last) {
        r->last = arena_take(c->arena,
                             (r->plan->key_count + r->plan->clustering_count) * sizeof *r->last);
        r->kept = buf_make(MIB(4));
        if (!r->last) return no_memory(c);
    }
    buf_reset(&r->kept);
    for (uint32_t i = 0; i < row->key_count; i++) buf_slice(&r->kept, row->key[i]);
    if (r->kept.err) return no_memory(c);
    const uint8_t *at = r->kept.at;
    for (uint32_t i = 0; i < row->key_count; i++) {
        r->last[i] = slice_make(at ? at : (const uint8_t *)"", row->key[i].len);
        if (at) at += row->key[i].len;
    }
    r->last_count = row->key_count;
    r->last_partition_only = r->plan->clustering_count > 0 && row->key_count == r->plan->key_count;
    r->has_last = true;
    return ERR_OK;
}

static bool in_last_partition(const struct select_run *r, const struct store_row *row)
{
    if (!r->has_last) return false;
    for (uint32_t i = 0; i < r->plan->key_count; i++)
        if (!slice_equal(row->key[i], r->last[i])) return false;
    return true;
}

/* Nothing more of the partition that the last row is in. */
static bool partition_is_done(const struct select_run *r)
{
    return r->partition_limit == 0 || r->plan->clustering_count == 0 || r->last_partition_only ||
           r->plan->distinct;
}

static err_t page_end(struct select_run *r)
{
    struct cql_call *c = r->call;
    if (r->limit == 0 || !r->has_last) return ERR_OK;
    if (!r->row_is_ahead && select_source_is_last(r, partition_is_done(r))) return ERR_OK;
    struct paging p = {.key = r->last,
                       .key_count = r->plan->distinct ? r->plan->key_count : r->last_count,
                       .remaining = r->limit,
                       .remaining_in_partition = partition_is_done(r) ? 0 : r->partition_limit};
    return paging_put(r->plan->table, &p, c->arena, &c->result.paging_state) ? no_memory(c)
                                                                             : ERR_OK;
}

/* --- rows
 * ---------------------------------------------------------------------------------------------------
 */

enum verdict { ROW_PASSES, ROW_IS_OUT, ROW_ENDS_ALL };

static err_t row_filter(struct select_run *r, const struct store_row *row, bool *passes)
{
    bool partition_only =
        r->plan->clustering_count && row->key_count == r->plan->key_count && !r->plan->distinct;
    *passes = !(partition_only && (r->filter_rows || r->plan->where->clustering.size));
    if (!*passes || r->filter_count == 0) return ERR_OK;
    err_t e =
        restrict_filter_match(r->filter, r->filter_count, row, partition_only || r->plan->distinct,
                              r->scratch, passes, &r->call->diag);
    if (!e && !*passes) select_index_refused(r, row);
    return e;
}

/* A row of groups: ends the open group when it begins another. *end: the page, or all, ends before
 * it. */
static err_t row_grouped(struct select_run *r, const struct store_row *row, bool new_partition,
                         bool *end)
{
    bool begins;
    err_t e = select_group_is_new(r, row, &begins);
    if (e) return e;
    if (begins && r->group_open) {
        e = select_group_end(r);
        if (e) return e;
        if (r->page == 0 || r->limit == 0) {
            r->row_is_ahead = true;
            *end = true;
            return ERR_OK;
        }
    }
    if (begins && r->plan->grouping == GROUP_PREFIX) {
        if (new_partition) r->partition_limit = r->partition_limit_all;
        if (r->partition_limit == 0) return ERR_OK;
        count_down(&r->partition_limit);
        if (!r->sorted) count_down(&r->limit);
        count_down(&r->page);
    }
    e = select_group_add(r, row);
    return e ? e : remember(r, row);
}

static err_t row_plain(struct select_run *r, const struct store_row *row, bool *end)
{
    err_t e = row_out(r, row);
    if (e) return e;
    count_down(&r->partition_limit);
    if (!r->sorted) count_down(&r->limit);
    count_down(&r->page);
    *end = r->page == 0 || r->limit == 0;
    return *end || r->partition_limit != SELECT_LIMIT_NONE ? remember(r, row) : ERR_OK;
}

static err_t row_met(struct select_run *r, const struct store_row *row, bool *end)
{
    bool passes;
    err_t e = row_filter(r, row, &passes);
    if (e || !passes) return e;
    bool limited = r->partition_limit_all != SELECT_LIMIT_NONE;
    bool new_partition = limited && !in_last_partition(r, row);
    if (r->plan->grouping) {
        bool past = limited && !new_partition && r->partition_limit == 0 && !r->group_open;
        if (!past) return row_grouped(r, row, new_partition, end);
    } else {
        if (new_partition) {
            r->partition_limit = r->partition_limit_all;
            r->skipped = 0;
        }
        if (r->partition_limit > 0) return row_plain(r, row, end);
    }
    if (++r->skipped <= SELECT_SKIP_ROWS) return ERR_OK;
    r->skipped = 0;
    return select_source_skip_partition(r);
}

/* --- turns
 * --------------------------------------------------------------------------------------------------
 */

static void run_end(struct select_run *r, err_t e)
{
    struct cql_call *c = r->call;
    select_source_close(r);
    cql_arena_give(c->session->cql, r->scratch);
    select_sorted_free(r);
    buf_done(&r->json);
    buf_done(&r->kept);
    buf_done(&r->group_value_kept);
    if (!e) call_trace(c, "Read %u live rows", c->result.row_count);
    call_end(c, e);
}

static err_t run_finish(struct select_run *r, bool page_ended)
{
    err_t e = ERR_OK;
    bool empty = r->plan->grouping == GROUP_ALL && r->call->result.row_count == 0;
    if (r->group_open || empty) e = select_group_end(r);
    if (!e) e = select_sorted_finish(r);
    if (!e && page_ended) e = page_end(r);
    return e;
}

static err_t stopped(struct cql_call *c)
{
    return diag_fail(&c->diag, ERR_STOPPED, "the server is shutting down");
}

/* The turn is over, and it is another's: true. */
static bool turn_is_given(struct select_run *r)
{
    const struct cql *c = r->call->session->cql;
    r->looked = 0;
    return !cql_is_stopping(c) && (!r->on_worker || cql_workers_wanted(c));
}

static void turn(struct cql_call *c)
{
    struct select_run *r = c->run;
    err_t e = r->on_worker && cql_is_stopping(c->session->cql) ? stopped(c) : ERR_OK;
    bool end = false;
    r->most = r->on_worker ? SELECT_WORKER_ROWS : SELECT_TURN_ROWS;
    r->looked = 0;
    while (!e && !end) {
        const struct store_row *row;
        if (r->looked >= r->most) {
            if (turn_is_given(r)) {
                r->on_worker = true;
                call_to_worker(c, turn);
                return;
            }
            if (cql_is_stopping(c->session->cql)) {
                e = stopped(c);
                break;
            }
        }
        arena_reset(r->scratch);
        r->pause = false;
        e = select_source_next(r, &row);
        if (!e && !row && r->pause) continue;
        if (e || !row) break;
        e = row_met(r, row, &end);
    }
    if (!e) e = run_finish(r, end);
    run_end(r, e);
}

/* What is sorted in memory has no pages, unless nothing is named that could be read. */
static err_t sorted_pages(const struct select_run *r)
{
    const struct select_plan *p = r->plan;
    bool nothing = r->source.way == WAY_NOTHING && !p->grouping;
    if (r->call->params.page_size <= 0 || !p->sort.count || nothing) return ERR_OK;
    return diag_fail(&r->call->diag, ERR_INVALID,
                     "Cannot page queries with both ORDER BY and a IN restriction on the partition "
                     "key; you must either remove the ORDER BY or the IN and sort client side, or "
                     "disable paging for this query");
}

static err_t run_prepare(struct select_run *r)
{
    struct cql_call *c = r->call;
    const struct select_plan *p = r->plan;
    err_t e = call_bound(c, c->statement, &c->params, &r->bound);
    if (!e) e = limit_value(r, p->limit, &r->limit);
    if (!e) e = limit_value(r, p->partition_limit, &r->partition_limit_all);
    if (e) return e;
    r->partition_limit = r->partition_limit_all;
    bool pages = c->params.page_size > 0 && p->grouping != GROUP_ALL;
    r->page = pages ? c->params.page_size : SELECT_LIMIT_NONE;
    if (c->params.paging_state.at && pages) {
        e = paging_read(p->table, c->params.paging_state, c->arena, &r->from, &c->diag);
        if (e) return e;
        r->resumed = true;
        r->limit = MIN(r->limit, r->from.remaining);
        if (p->partition_limit)
            r->partition_limit = MIN(r->partition_limit_all, r->from.remaining_in_partition);
    }
    r->scratch = cql_arena_take(c->session->cql);
    if (!r->scratch) return no_memory(c);
    c->result.rows = buf_make(CQL_RESULT_BYTES_MAX);
    r->json = buf_make(CQL_RESULT_BYTES_MAX);
    e = select_group_new(r);
    if (!e) e = select_sorted_new(r);
    if (!e) e = select_source_open(r);
    return e ? e : sorted_pages(r);
}

static void warn_of_aggregation(struct cql_call *c, const struct select_plan *p)
{
    const struct restrictions *w = p->where;
    if (!w->token && w->partition.size == 0)
        call_warn(c, "Aggregation query used without partition key");
    else if (restrict_key_in(w))
        call_warn(c, "Aggregation query used on multiple partition keys (IN restriction)");
}

/* What a resumed page counts on in the partition where it goes on. */
static err_t resume_partition(struct select_run *r)
{
    struct store_row last = {.key = r->from.key, .key_count = r->from.key_count};
    if (!r->resumed || !r->from.key) return ERR_OK;
    return remember(r, &last);
}

void select_run(struct cql_call *c)
{
    const struct select_plan *p = c->statement->plan;
    c->result.kind = CQL_ROWS;
    c->result.metadata = c->statement->result;
    if (c->params.consistency == CQL_ANY) {
        call_end(c, diag_fail(&c->diag, ERR_INVALID,
                              "ANY ConsistencyLevel is only supported for writes"));
        return;
    }
    call_trace(c, "Executing %s query on %.*s", p->where->key_range ? "range" : "single-partition",
               SLICE_ARG(p->table->name));
    if (p->point && !c->params.paging_state.at) {
        err_t e = point_run(c, p);
        if (!e) call_trace(c, "Read %u live rows", c->result.row_count);
        call_end(c, e);
        return;
    }
    struct select_run *r = arena_take(c->arena, sizeof *r);
    if (!r) {
        call_end(c, no_memory(c));
        return;
    }
    r->call = c;
    r->plan = p;
    r->now_s = call_now_s(c);
    c->run = r;
    err_t e = run_prepare(r);
    if (!e) e = resume_partition(r);
    if (e) {
        run_end(r, e);
        return;
    }
    if (p->grouping) warn_of_aggregation(c, p);
    turn(c);
}

static err_t select_permit(struct cql_call *c)
{
    const struct select_plan *p = c->statement->plan;
    return cql_permit_table(c, p->table, PERMIT_SELECT);
}

const struct cql_family cql_select_family = {
    .name = "select", .prepare = select_prepare, .permit = select_permit, .run = select_run};
