/* What starting a project would change: tables, topics, and what becomes of each stream. */
#include "main/plan/tell.h"

#include "main/plan/planning.h"
#include "os/clock.h"

#include <stdio.h>

enum { PLAN_TEXTS_MAX = 256 << 20 };

static void conflict(struct planning *l, const struct statement *s, const char *what,
                     const char *fix)
{
    struct finding *f = finding_add(l, FINDING_conflict, s, (struct slice){0});
    finding_say(l, f, "%s; starting it would be refused", what);
    finding_fix(l, f, "%s", fix);
}

static void plan_table(struct planning *l, struct buf *out, const struct statement *s)
{
    struct project *p = l->project;
    const struct exec_world *w = l->world;
    struct store_table wanted;
    struct diag d;
    if (table_of_statement(s, (struct slice){0}, p->arena, &wanted, &d))
        return; /* project_check has told */
    const struct store_table *have =
        w->store ? store_table_find(w->store, wanted.keyspace, wanted.name) : NULL;
    const char *change = !have                              ? "new"
                         : table_is_same(have, &wanted, &d) ? "CONFLICT"
                                                            : "unchanged";
    buf_printf(out, "table   %.*s.%.*s  %u columns  %s\n", SLICE_ARG(wanted.keyspace),
               SLICE_ARG(wanted.name), wanted.column_count, change);
    if (!have || change[0] != 'C') return;
    buf_printf(out, "        %s: %s\n", d.what, d.why);
    conflict(l, s, d.what, d.hint);
}

static void plan_topic(struct planning *l, struct buf *out, const struct statement *s)
{
    const struct exec_world *w = l->world;
    struct slice name;
    int32_t partitions;
    struct log_topic_config config;
    struct diag d;
    if (project_topic_of(s, &name, &partitions, &config, &d)) return;
    struct log_topic *have = w->log ? log_topic_find(w->log, name) : NULL;
    if (s->kind == STATEMENT_CREATE_SOURCE)
        buf_printf(out, "source  %.*s  FROM %.*s '%.*s'\n", SLICE_ARG(s->name.name),
                   SLICE_ARG(s->source.kind), SLICE_ARG(s->source.address));
    buf_printf(out, "topic   %.*s  %d partitions  ", SLICE_ARG(name), partitions);
    if (!have || log_topic_partitions(have) == partitions) {
        buf_text(out, have ? "unchanged\n" : "new\n");
        return;
    }
    buf_printf(out, "CONFLICT: it has %d\n", log_topic_partitions(have));
    conflict(l, s, "the topic exists with another number of partitions",
             "write the number it has, or start over with `sluice reset`");
}

/* What a stream that is built anew would not find any more. */
static void plan_missing(struct buf *out, const struct exec_world *w, const struct plan_stream *p)
{
    bool whole = true;
    for (uint32_t i = 0; i < p->topic_count; i++) {
        struct slice name = p->topics[i]->topic.relation->name;
        struct log_topic *t = w->log ? log_topic_find(w->log, name) : NULL;
        for (int32_t n = 0; t && n < log_topic_partitions(t); n++) {
            int64_t start = log_start_offset(log_partition(t, n));
            if (!start) continue;
            whole = false;
            buf_printf(out,
                       "        %.*s/%d begins at offset %lld: what the records before it did is "
                       "lost with the state\n",
                       SLICE_ARG(name), n, (long long)start);
        }
    }
    if (whole) buf_text(out, "        the log still has every record from the beginning\n");
}

/* The statement that made what is there, where it was another one. */
static void plan_past(struct planning *l, struct buf *out, const struct plan_stream *p)
{
    struct flow_sql sql;
    struct diag d = {0};
    if (flow_sql_now(l->world->store, p->name, l->texts, &sql, &d)) return;
    if (sql.version == p->sql_version) return;
    struct value since = value_i64(TYPE_TIMESTAMP, sql.since_ms);
    buf_text(out, "        since ");
    value_to_text(&since, out);
    buf_text(out, " it ran\n          ");
    for (uint32_t i = 0; i < sql.text.len; i++) {
        buf_char(out, (char)sql.text.at[i]);
        if (sql.text.at[i] == '\n') buf_text(out, "          ");
    }
    buf_char(out, '\n');
}

static void plan_anew(struct planning *l, struct buf *out, const struct project_stream *s,
                      const struct stream_fate *fate)
{
    buf_printf(out, "        %s\n", fate->why);
    if (!fate->swap)
        buf_printf(out,
                   "        it can not be built beside the old one and swapped: %s\n"
                   "        `sluice reset --stage %.*s` drops what it remembers and builds it anew "
                   "from the log;\n"
                   "        rows of the old text that the new one does not make stay as they are\n",
                   fate->instead, SLICE_ARG(s->plan.name));
    plan_missing(out, l->world, &s->plan);
}

static const char *change_name(const struct stream_fate *f)
{
    static const char *const names[] = {[STREAM_NEW] = "new",
                                        [STREAM_SAME] = "same",
                                        [STREAM_IN_PLACE] = "in_place",
                                        [STREAM_REBUILD] = "stopped"};
    return f->swap ? "swap" : f->anew ? "stopped" : names[f->change];
}

static void fact_text(struct buf *out, const char *name, struct slice text)
{
    buf_printf(out, ",\"%s\":", name);
    if (text.at)
        json_put_text(out, text);
    else
        buf_text(out, "null");
}

/* For programs: a stream's change with its text as it is on disk, and as it ran last. */
static void fact_put(struct planning *l, const struct project_stream *s, const char *change,
                     const char *says, const struct stream_fate *f)
{
    struct buf *out = l->facts;
    struct flow_sql sql = {0};
    struct diag none;
    if (!out) return;
    if (l->world->store && flow_sql_now(l->world->store, s->plan.name, l->texts, &sql, &none))
        sql.text = (struct slice){0};
    buf_text(out, out->len ? ",{" : "{");
    buf_printf(out, "\"change\":\"%s\"", change);
    fact_text(out, "name", s->plan.name);
    fact_text(out, "says", slice_of(says));
    fact_text(out, "why", slice_of(f->why));
    fact_text(out, "instead", slice_of(f->instead));
    fact_text(out, "now", s->plan.text);
    fact_text(out, "was", sql.text);
    buf_char(out, '}');
}

static void plan_stream(struct planning *l, struct buf *out, const struct project_stream *s)
{
    const struct exec_world *w = l->world;
    static const char *const words[] = {
        [STREAM_NEW] = "new",
        [STREAM_SAME] = "goes on from its cursor",
        [STREAM_IN_PLACE] =
            ("changed: goes on in place, from its cursor with the new text; what is "
             "written and counted stays as it is"),
        [STREAM_REBUILD] = "CHANGED: does not start",
    };
    static const char swapped[] = "CHANGED: built anew beside the old one, which runs on with its "
                                  "old SQL; swapped when it has caught up";
    struct stream_fate fate = {.change = STREAM_NEW};
    struct diag d;
    if (w->store && stream_fate_of(l->project, w->store, s, &fate, &d)) {
        buf_printf(out, "stream  %.*s  CONFLICT: %s\n", SLICE_ARG(s->plan.name), d.what);
        fact_put(l, s, "conflict", d.what, &fate);
        return;
    }
    const char *says = fate.swap ? swapped : fate.anew ? words[STREAM_REBUILD] : words[fate.change];
    buf_printf(out, "stream  %.*s  %s\n", SLICE_ARG(s->plan.name), says);
    fact_put(l, s, change_name(&fate), says, &fate);
    if (fate.anew) plan_anew(l, out, s, &fate);
    if (w->store && fate.change != STREAM_NEW) plan_past(l, out, &s->plan);
    plan_stream_print(&s->plan, out);
}

static void fact_left(struct planning *l, const struct stage_left *s)
{
    struct buf *out = l->facts;
    if (!out) return;
    buf_text(out, out->len ? ",{" : "{");
    buf_text(out, "\"change\":\"gone\"");
    fact_text(out, "name", s->name);
    fact_text(out, "says",
              SLICE("declared no more: it ends; what it left stays until it is "
                    "dropped"));
    fact_text(out, "why", SLICE(""));
    fact_text(out, "instead", SLICE(""));
    fact_text(out, "now", (struct slice){0});
    fact_text(out, "was", s->sql.text.len ? s->sql.text : (struct slice){0});
    buf_char(out, '}');
}

struct leaving {
    struct planning *l;
    struct buf *out;
};

/* What is there of a stream or source that pipeline.sql declares no more. */
static err_t plan_left_one(void *ctx, const struct stage_left *s)
{
    const struct leaving *x = ctx;
    if (project_declares(x->l->project, s->name)) return ERR_OK;
    fact_left(x->l, s);
    buf_printf(
        x->out,
        "%-7s %.*s  DECLARED NO MORE: it ends; what it left stays (%llu records in%s%.*s%s)\n"
        "        `sluice streams drop %.*s` removes that%s; written again, it goes on\n",
        s->view           ? "view"
        : s->sql.text.len ? "stream"
                          : "stage",
        SLICE_ARG(s->name), (unsigned long long)s->ledger.in, s->sql.into.len ? ", into " : "",
        SLICE_ARG(s->sql.into), s->sql.into.len ? ", whose rows stay too" : "", SLICE_ARG(s->name),
        s->view ? ", with the view's table" : "");
    return x->out->err;
}

static void plan_left(struct planning *l, struct buf *out)
{
    struct leaving x = {l, out};
    struct diag d = {0};
    if (l->world->store && stages_left(l->world->store, plan_left_one, &x, &d))
        buf_printf(out, "what is left of others can not be told: %s\n", d.what);
}

static void print_statements(struct planning *l, struct buf *out)
{
    struct project *p = l->project;
    for (uint32_t i = 0; i < p->script.count; i++) {
        const struct statement *s = &p->script.statements[i];
        if (s->kind == STATEMENT_CREATE_TABLE)
            plan_table(l, out, s);
        else if (s->kind == STATEMENT_CREATE_TOPIC || s->kind == STATEMENT_CREATE_SOURCE)
            plan_topic(l, out, s);
    }
    for (size_t i = 0; i < p->streams.count; i++) plan_stream(l, out, vec_at(&p->streams, i));
    plan_left(l, out);
}

static err_t judge(struct planning *l, bool *mistaken, struct diag *d)
{
    l->json = json_decoder_new();
    l->texts = arena_new(PLAN_TEXTS_MAX);
    if (!l->json || !l->texts) return diag_fail(d, ERR_NO_MEMORY, "no memory to plan");
    struct diag mistake;
    if (project_check(l->project, l->world->catalog, &mistake)) {
        finding_of_diag(l, &mistake);
        *mistaken = true;
        return ERR_OK;
    }
    err_t e = planning_sample(l, d);
    return e ? e : planning_judge(l, d);
}

err_t plan_tell(struct planning *l, struct buf *text, struct diag *d)
{
    bool mistaken = false;
    err_t e = judge(l, &mistaken, d);
    if (!e && !mistaken) print_statements(l, text);
    return e;
}

void plan_json(struct planning *l, struct buf *text, bool running, struct buf *out)
{
    buf_printf(out, "{\"statements\":%u,\"running\":%s,\"errors\":%u,\"warnings\":%u,\"notes\":%u",
               l->project->script.count, running ? "true" : "false",
               findings_count(l, SEVERITY_ERROR), findings_count(l, SEVERITY_WARNING),
               findings_count(l, SEVERITY_NOTE));
    buf_text(out, ",\"findings\":");
    findings_json(l, out);
    if (!l->facts) {
        buf_text(out, ",\"samples\":");
        samples_json(l, out);
    } else {
        buf_printf(out, ",\"streams\":[%.*s]", (int)l->facts->len, (const char *)l->facts->at);
    }
    buf_text(out, ",\"plan\":");
    json_put_text(out, buf_view(text));
    buf_char(out, '}');
}

void planning_done(struct planning *l)
{
    planning_samples_done(l);
    vec_done(&l->findings);
    json_decoder_free(l->json);
    arena_free(l->texts);
}

struct planning planning_make(struct project *p, const struct exec_world *w, uint32_t sample)
{
    return (struct planning){.project = p,
                             .world = w,
                             .findings = vec_make(sizeof(struct finding), FINDINGS_MAX),
                             .samples = vec_make(sizeof(struct sample), 1000),
                             .sample_max = sample,
                             .now_ms = clock_wall_ms()};
}

/* --- beside a server that runs ------------------------------------------------------------------
 */

static void judge_verdict(struct planning *l, struct plan_verdict *out)
{
    *out = (struct plan_verdict){.errors = findings_count(l, SEVERITY_ERROR)};
    for (size_t i = 0; i < l->findings.count; i++) {
        const struct finding *f = vec_at(&l->findings, i);
        if (finding_kinds[f->code].severity != SEVERITY_ERROR) continue;
        struct buf where = buf_over(out->where, sizeof(out->where) - 1);
        finding_where(f, &where);
        out->where[where.len] = 0;
        snprintf(out->what, sizeof(out->what), "%.500s", f->text);
        snprintf(out->fix, sizeof(out->fix), "%.250s", f->fix);
        return;
    }
}

/* What is on disk can not even be read: that is the plan. */
static void tell_unreadable(const struct diag *why, struct plan_verdict *verdict, struct buf *out)
{
    struct planning none = planning_make(NULL, NULL, 0);
    none.texts = arena_new(MIB(1));
    if (none.texts) finding_of_diag(&none, why);
    buf_text(out, "{\"statements\":0,\"running\":true,\"errors\":1,\"warnings\":0,\"notes\":0,"
                  "\"findings\":");
    findings_json(&none, out);
    buf_text(out, ",\"streams\":[],\"plan\":\"\"}");
    judge_verdict(&none, verdict);
    verdict->errors = 1;
    planning_done(&none);
}

err_t plan_beside(const struct project *running, const struct slice *pipeline,
                  const struct exec_world *w, struct plan_verdict *verdict, struct buf *out,
                  struct diag *d)
{
    struct project p;
    struct exec_world beside = {.log = w->log, .store = w->store};
    struct buf text = buf_make(PLAN_TEXT_MAX), facts = buf_make(PLAN_TEXT_MAX);
    struct project_options o = {.dir = running->dir, .data = running->data, .pipeline = pipeline};
    err_t e = project_open(&o, &p, d);
    if (e) {
        tell_unreadable(d, verdict, out);
        e = ERR_OK;
    } else {
        struct planning l = planning_make(&p, &beside, PLAN_SAMPLE_USUAL);
        l.offline = true; /* the last records of the topics are here */
        l.facts = &facts;
        e = catalog_new(w->store, w->log, &beside.catalog);
        if (e) e = diag_fail(d, e, "no memory to plan");
        if (!e) e = plan_tell(&l, &text, d);
        if (!e) plan_json(&l, &text, true, out);
        if (!e) judge_verdict(&l, verdict);
        planning_done(&l);
        catalog_free(beside.catalog);
        project_close(&p);
    }
    buf_done(&facts);
    buf_done(&text);
    return e ? e : out->err;
}
