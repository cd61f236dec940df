/* plan: the typed check of a whole project, and what starting it would change. */
#include "main/cli.h"

#include "base/say.h"
#include "main/plan/planning.h"
#include "main/server.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

enum { PLAN_MAX = 64 << 20, PLAN_TEXTS_MAX = 256 << 20, SAMPLE_USUAL = 100 };

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
        return;
    }
    buf_printf(out, "stream  %.*s  %s\n", SLICE_ARG(s->plan.name),
               fate.swap   ? swapped
               : fate.anew ? words[STREAM_REBUILD]
                           : words[fate.change]);
    if (fate.anew) plan_anew(l, out, s, &fate);
    if (w->store && fate.change != STREAM_NEW) plan_past(l, out, &s->plan);
    plan_stream_print(&s->plan, out);
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

static void print_text(struct planning *l, struct buf *plan, bool running)
{
    uint32_t errors = findings_count(l, SEVERITY_ERROR);
    samples_print(l, plan);
    findings_print(l, plan);
    buf_printf(plan, "\n%s: %u statements checked, %u errors, %u warnings, %u notes\n",
               errors ? "not fine" : "fine", l->project->script.count, errors,
               findings_count(l, SEVERITY_WARNING), findings_count(l, SEVERITY_NOTE));
    if (running) buf_text(plan, "note: it runs just now; what it has made is not compared\n");
    fwrite(plan->at, 1, plan->len, stdout);
}

static void print_json(struct planning *l, struct buf *plan, bool running)
{
    struct buf out = buf_make(PLAN_MAX);
    buf_printf(&out, "{\"statements\":%u,\"running\":%s,\"errors\":%u,\"warnings\":%u,\"notes\":%u",
               l->project->script.count, running ? "true" : "false",
               findings_count(l, SEVERITY_ERROR), findings_count(l, SEVERITY_WARNING),
               findings_count(l, SEVERITY_NOTE));
    buf_text(&out, ",\"findings\":");
    findings_json(l, &out);
    buf_text(&out, ",\"samples\":");
    samples_json(l, &out);
    buf_text(&out, ",\"plan\":");
    json_put_text(&out, buf_view(plan));
    buf_text(&out, "}\n");
    fwrite(out.at, 1, out.len, stdout);
    buf_done(&out);
}

/* The data are looked at when they exist and nobody works on them; otherwise only text and sources
 * are checked. */
static err_t look_at_data(struct project *p, bool running, struct exec_world *w, int *fd,
                          struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    err_t e = project_data_path(p, "store", path, d);
    bool data = !e && file_exists(path);
    if (!e && data && !running) e = data_lock(p, fd, d);
    if (!e && data && !running) e = world_open(p, false, w, d);
    return e || w->catalog ? e : catalog_new(NULL, NULL, &w->catalog);
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
    say_level_set(SAY_CONNECT, SAY_OFF); /* what sampling meets, the plan tells */
    err_t e = planning_sample(l, d);
    return e ? e : planning_judge(l, d);
}

static int plan_project(struct project *p, const struct args *a, uint32_t sample)
{
    struct exec_world w = {0};
    struct planning l = {.project = p,
                         .world = &w,
                         .findings = vec_make(sizeof(struct finding), FINDINGS_MAX),
                         .samples = vec_make(sizeof(struct sample), 1000),
                         .sample_max = sample,
                         .offline = args_has(a, "--offline"),
                         .run_commands = args_has(a, "--run-commands"),
                         .now_ms = clock_wall_ms()};
    struct buf plan = buf_make(PLAN_MAX);
    struct diag d;
    int fd = -1;
    bool running = client_server_runs(p), mistaken = false;
    err_t e = look_at_data(p, running, &w, &fd, &d);
    if (!e) e = judge(&l, &mistaken, &d);
    if (!e && !mistaken) print_statements(&l, &plan);
    if (!e) (args_has(a, "--json") ? print_json : print_text)(&l, &plan, running);
    bool bad = findings_count(&l, SEVERITY_ERROR) ||
               (args_has(a, "--strict") && findings_count(&l, SEVERITY_WARNING));
    planning_samples_done(&l);
    vec_done(&l.findings);
    json_decoder_free(l.json);
    arena_free(l.texts);
    buf_done(&plan);
    world_close(&w);
    if (fd >= 0) file_close(fd);
    return e ? cli_fail(&d) : bad;
}

int verb_plan(const struct verb *v, const struct args *a)
{
    struct project p;
    struct diag d;
    uint64_t sample = SAMPLE_USUAL;
    const char *given = args_value(a, "--sample");
    if (a->word_count > 1) return cli_usage(v, "one project at a time");
    if (given && (!slice_to_u64(slice_of(given), &sample) || !sample || sample > SAMPLE_MAX))
        return cli_usage(v, "--sample takes a number from 1 to 10000");
    if (cli_project(a, a->word_count ? a->words[0] : NULL, &p, &d)) return cli_fail(&d);
    int code = plan_project(&p, a, (uint32_t)sample);
    project_close(&p);
    return code;
}
