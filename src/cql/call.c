/* Calls: what comes in is found or prepared, permitted and run; how it ends is told once. */
#include "base/hash.h"
#include "cql/core.h"
#include <openssl/rand.h>
#include <stdio.h>

enum { WARNINGS_MAX = 32, WARNING_MAX = 2048, RANDOM_KEPT = 64 };

/* --- warnings
 * --------------------------------------------------------------------------------------- */

void call_warn(struct cql_call *c, const char *fmt, ...)
{
    struct cql_result *r = &c->result;
    char text[WARNING_MAX];
    if (r->warning_count == WARNINGS_MAX) return;
    if (!r->warnings) r->warnings = arena_take(c->arena, WARNINGS_MAX * sizeof *r->warnings);
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct slice s = slice_make(text, MIN((size_t)MAX(len, 0), sizeof text - 1));
    struct slice copy = arena_slice(c->arena, s);
    if (!r->warnings || !copy.at) return; /* a warning is not worth failing for */
    ((struct slice *)(uintptr_t)r->warnings)[r->warning_count++] = copy;
}

/* --- what is bound
 * ---------------------------------------------------------------------------------- */

/* Unpredictable, a few hundred bytes at a time. */
static uint64_t random_next(void *ctx)
{
    static _Thread_local uint64_t kept[RANDOM_KEPT];
    static _Thread_local uint32_t left;
    (void)ctx;
    if (left == 0) {
        INVARIANT(RAND_bytes((uint8_t *)kept, sizeof kept) == 1);
        left = RANDOM_KEPT;
    }
    return kept[--left];
}

/* By name: markers without a value of their name leave the number of values short, as Cassandra
 * counts. */
static err_t bound_by_name(struct cql_call *c, const struct cql_statement *s,
                           const struct cql_params *p, struct cql_bound *out)
{
    struct cql_value *values = arena_take(c->arena, s->marker_count * sizeof *values);
    if (!values) return diag_fail(&c->diag, ERR_NO_MEMORY, "no memory for the bound values");
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->marker_count; i++)
        for (uint32_t j = 0; j < p->value_count; j++)
            if (slice_equal(s->markers[i].name, p->names[j])) {
                values[count++] = p->values[j];
                break;
            }
    out->values = values;
    out->count = count;
    return ERR_OK;
}

err_t call_bound(struct cql_call *c, const struct cql_statement *s, const struct cql_params *p,
                 struct cql_bound *out)
{
    *out = (struct cql_bound){
        .values = p->values, .count = p->value_count, .now_us = c->now_us, .random = random_next};
    if (p->names && p->value_count) {
        err_t e = bound_by_name(c, s, p, out);
        if (e) return e;
    }
    if (out->count == s->marker_count) return ERR_OK;
    if (c->verb == CALL_QUERY)
        return diag_fail(&c->diag, ERR_INVALID, "Invalid amount of bind variables");
    return diag_fail(&c->diag, ERR_INVALID,
                     "there were %u markers(?) in CQL but %u bound variables", s->marker_count,
                     out->count);
}

/* --- the end
 * ---------------------------------------------------------------------------------------- */

void call_end(struct cql_call *c, err_t e)
{
    c->err = e;
    if (e && !c->diag.what[0]) (void)diag_fail(&c->diag, e, "%s", err_text(e));
    if (e) c->result.kind = CQL_VOID;
    if (c->trace) trace_end(c);
    cql_tally_done(c->session->cql, c);
    c->done(c);
}

void cql_call_done(struct cql_call *c)
{
    cql_statement_release(c->statement);
    c->statement = NULL;
    buf_done(&c->result.rows);
}

static void committed(void *ctx, err_t e, const struct diag *d)
{
    struct cql_call *c = ctx;
    if (e && d) c->diag = *d;
    call_end(c, e);
}

void call_commit(struct cql_call *c, struct store_change *change)
{
    err_t e = store_change_commit(change, committed, c);
    if (!e) return;
    store_change_free(change);
    if (e == ERR_BUSY) (void)diag_fail(&c->diag, e, "too many writes are waiting for the disk");
    call_end(c, e);
}

/* --- running
 * ---------------------------------------------------------------------------------------- */

static void run_statement(struct cql_call *c)
{
    const struct cql_statement *s = c->statement;
    err_t e = s->family->permit ? s->family->permit(c) : ERR_OK;
    if (e)
        call_end(c, e);
    else
        s->family->run(c);
}

static void run_query(struct cql_call *c)
{
    struct slice keyspace =
        c->params.keyspace.at ? c->params.keyspace : slice_of(c->session->keyspace);
    struct cql_statement *s = NULL;
    call_trace(c, "Parsing %.*s", (int)MIN(c->text.len, 400U), (const char *)c->text.at);
    err_t e = cql_statement_new(c->session->cql, c->session, c->text, keyspace, &s, &c->diag);
    c->statement = s;
    if (e)
        call_end(c, e);
    else
        run_statement(c);
}

static void run_execute(struct cql_call *c)
{
    const struct cql_statement *s = cql_statement_find(c->session->cql, c->id, &c->diag);
    c->statement = s;
    if (!s) {
        call_end(c, ERR_UNPREPARED);
        return;
    }
    if (c->result_id.at && s->result.count)
        c->result.metadata_changed =
            !slice_equal(c->result_id, slice_make(s->result.id, sizeof s->result.id));
    run_statement(c);
}

void cql_run(struct cql_call *c)
{
    static const enum cql_tally_kind kinds[] = {[CALL_QUERY] = TALLY_QUERY,
                                                [CALL_PREPARE] = TALLY_PREPARE,
                                                [CALL_EXECUTE] = TALLY_EXECUTE,
                                                [CALL_BATCH] = TALLY_BATCH};
    c->err = c->diag.err = ERR_OK;
    c->diag.what[0] = 0;
    c->error_keyspace = c->error_table = (struct slice){0};
    c->result = (struct cql_result){.kind = CQL_VOID};
    c->statement = NULL;
    c->trace = NULL;
    c->run = NULL;
    c->next = NULL;
    c->begun_us = clock_mono_ns() / 1000;
    c->now_us = clock_wall_us();
    cql_tally(c->session->cql, kinds[c->verb]);
    if (c->tracing) trace_begin(c);
    switch (c->verb) {
    case CALL_QUERY: run_query(c); break;
    case CALL_PREPARE: cache_prepare(c); break;
    case CALL_EXECUTE: run_execute(c); break;
    case CALL_BATCH: cql_batch_family.run(c); break;
    }
}

/* --- and waiting
 * ------------------------------------------------------------------------------------ */

struct waiter {
    struct gate gate;
    bool done;
    void (*their_done)(struct cql_call *c);
    void *their_ctx;
};

static void wake(struct cql_call *c)
{
    struct waiter *w = c->ctx;
    gate_enter(&w->gate);
    w->done = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
}

err_t cql_run_wait(struct cql_call *c)
{
    struct waiter w = {.their_done = c->done, .their_ctx = c->ctx};
    gate_init(&w.gate);
    c->done = wake;
    c->ctx = &w;
    cql_run(c);
    gate_enter(&w.gate);
    while (!w.done) gate_wait(&w.gate);
    gate_leave(&w.gate);
    gate_done(&w.gate);
    c->done = w.their_done;
    c->ctx = w.their_ctx;
    if (c->done) c->done(c);
    return c->err;
}
