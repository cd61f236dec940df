/* upgrade: what becomes of streams whose SQL is not what their state and rows are of. */
#include "main/project.h"

#include "base/say.h"

#include <stdio.h>

static bool same_table(const struct sql_relation *a, const struct sql_relation *b)
{
    return slice_equal(a->keyspace, b->keyspace) && slice_equal(a->name, b->name);
}

/* Another stream of the project into the same table. */
static const struct plan_stream *other_writer(const struct project *p, const struct plan_stream *of)
{
    for (size_t i = 0; i < p->streams.count; i++) {
        const struct project_stream *s = vec_at(&p->streams, i);
        bool writes = &s->plan != of && s->plan.sink == SINK_TABLE;
        if (writes && same_table(s->plan.into, of->into)) return &s->plan;
    }
    return NULL;
}

/* Why the old rows can not be exchanged for new ones; "": they can. */
static void judge_swap(const struct project *p, const struct project_stream *s, char out[200])
{
    const struct plan_stream *plan = &s->plan;
    const struct plan_stream *other = plan->sink == SINK_TABLE ? other_writer(p, plan) : NULL;
    out[0] = 0;
    if (plan->sink == SINK_TOPIC)
        snprintf(out, 200,
                 "what it wrote into topic %.*s has been read: nothing can take it back; write "
                 "into a new topic, or reset it",
                 (int)MIN(plan->into->name.len, 60u), (const char *)plan->into->name.at);
    else if (plan->sink != SINK_TABLE)
        snprintf(out, 200, "it writes no table that could be exchanged; reset it");
    else if (other)
        snprintf(out, 200, "stream %.*s writes into the same table; reset it",
                 (int)MIN(other->name.len, 60u), (const char *)other->name.at);
    else if (plan->settings.upgrade == UPGRADE_STOP)
        snprintf(out, 200, "upgrade = 'stop' forbids to swap its table; reset it");
    else if (!s->view.name.at && plan->settings.upgrade != UPGRADE_SWAP)
        snprintf(out, 200,
                 "others may have written into its table: say WITH (upgrade = 'swap') where only "
                 "this stream does, or reset it");
}

err_t stream_fate_of(struct project *p, struct store *s, const struct project_stream *stream,
                     struct stream_fate *out, struct diag *d)
{
    const char *why = NULL;
    *out = (struct stream_fate){.change = STREAM_NEW};
    err_t e = stream_change_of(s, &stream->plan, &out->change, &why, d);
    if (e) return e;
    out->anew = out->change == STREAM_REBUILD;
    if (out->anew) snprintf(out->why, sizeof(out->why), "what it remembers is %s", why);
    const struct store_table *have =
        stream->view.name.at ? store_table_find(s, stream->view.keyspace, stream->view.name) : NULL;
    if (have) {
        struct store_table wanted;
        struct diag other = {0};
        e = project_view_table(p, stream, &wanted, d);
        if (e) return e;
        if (table_is_same(have, &wanted, &other)) {
            out->anew = true;
            snprintf(out->why, sizeof(out->why), "its table has other columns: %.150s", other.why);
        }
    }
    if (!out->anew) return ERR_OK;
    judge_swap(p, stream, out->instead);
    out->swap = !out->instead[0];
    return ERR_OK;
}

/* --- what ran before ----------------------------------------------------------------------------
 */

/* The plan of the script that the stream ran, bound as it was then. The catalog lives as long as
 * the project: plans point into it. */
static err_t bind_past(struct project *p, const struct exec_world *w, struct slice name,
                       const struct flow_sql *sql, const struct plan_stream **out, struct diag *d)
{
    struct project past = {.arena = p->arena,
                           .streams =
                               vec_make(sizeof(struct project_stream), p->streams.count_max)};
    struct catalog *c = NULL;
    err_t e = flow_sql_script(w->store, sql, p->arena, &past.pipeline, d);
    if (e) return e;
    e = catalog_new(w->store, w->log, &c);
    if (!e && (e = vec_push(&p->past, &c))) catalog_free(c);
    if (e) return diag_fail(d, e, "no memory for what stream %.*s ran", SLICE_ARG(name));
    e = sql_parse(past.pipeline, "the old pipeline.sql", DIALECT_SLUICE, p->arena, &past.script, d);
    if (!e) e = project_check(&past, c, d);
    for (size_t i = 0; !e && i < past.streams.count; i++) {
        const struct project_stream *s = vec_at(&past.streams, i);
        bool same = slice_equal(s->plan.name, name) && s->plan.sql_version == sql->version &&
                    s->plan.shape == sql->shape && s->plan.sink == SINK_TABLE;
        struct plan_stream *kept = same ? arena_take(p->arena, sizeof(*kept)) : NULL;
        if (kept) *kept = s->plan;
        if (kept) *out = kept;
    }
    vec_done(&past.streams);
    return e ? e : *out ? ERR_OK : diag_fail(d, ERR_NOT_FOUND, "its script gives another plan");
}

/* NULL, and said why: it can not run any more. */
static const struct plan_stream *past_plan(struct project *p, const struct exec_world *w,
                                           const struct plan_stream *now)
{
    struct flow_sql sql;
    struct diag d = {0};
    const struct plan_stream *was = NULL;
    err_t e = flow_sql_now(w->store, now->name, p->arena, &sql, &d);
    if (!e) e = bind_past(p, w, now->name, &sql, &was, &d);
    if (!e && same_table(was->into, now->into)) return was;
    say_warn(SAY_MAIN, "a stream's old SQL can not be run any more: its table stays as it is",
             "stream=%.*s why=\"%s\"", SLICE_ARG(now->name),
             e == ERR_NOT_FOUND && !d.what[0] ? "nobody wrote it down"
             : e                              ? d.what
                                              : "it wrote into another table");
    return NULL;
}

err_t wire_upgrade(struct project *p, const struct exec_world *w,
                   const struct project_stream *stream, struct diag *d)
{
    const struct plan_stream *plan = &stream->plan;
    struct store_table wanted;
    if (stream->view.name.at) {
        err_t e = project_view_table(p, stream, &wanted, d);
        if (e) return e;
    } else {
        const struct store_table *have =
            store_table_find(w->store, plan->into->keyspace, plan->into->name);
        if (!have)
            return diag_fail(d, ERR_UNKNOWN_TABLE, "no table %.*s.%.*s",
                             SLICE_ARG(plan->into->keyspace), SLICE_ARG(plan->into->name));
        wanted = *have;
    }
    return flow_stream_upgrade(w->flow, past_plan(p, w, plan), plan, &wanted, d);
}
