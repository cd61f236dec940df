/* plan: the typed check of a whole project, and what starting it would change. */
#include "main/cli.h"

#include "main/server.h"
#include "os/file.h"

#include <stdio.h>

enum { PLAN_MAX = 16 << 20 };

static void plan_table(struct buf *out, struct project *p, const struct exec_world *w,
                       const struct statement *s)
{
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
    if (have && change[0] == 'C') buf_printf(out, "        %s: %s\n", d.what, d.why);
}

static void plan_topic(struct buf *out, const struct exec_world *w, const struct statement *s)
{
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
    if (have && log_topic_partitions(have) != partitions)
        buf_printf(out, "CONFLICT: it has %d\n", log_topic_partitions(have));
    else
        buf_text(out, have ? "unchanged\n" : "new\n");
}

static void plan_stream(struct buf *out, const struct exec_world *w, const struct project_stream *s)
{
    struct ledger l;
    struct diag d;
    uint64_t version = 0;
    const char *change = "new";
    if (w->store && ledger_load(w->store, s->plan.name, &l, &d) == ERR_OK) {
        change = "goes on from its cursor";
        if (stream_version(w->store, s->plan.name, &version, &d) == ERR_OK &&
            version != s->plan.sql_version)
            change = "changed: goes on from its cursor with the new text; rows already written "
                     "stay as they are (`sluice reset --keep-topics` builds them anew)";
    }
    buf_printf(out, "stream  %.*s  %s\n", SLICE_ARG(s->plan.name), change);
    plan_stream_print(&s->plan, out);
}

/* What was read and means nothing here. */
static void plan_notes(struct buf *out, const struct statement *s)
{
    for (uint32_t i = 0; i < s->note_count; i++)
        buf_printf(out, "note    %s:%u:%u  %.*s\n", s->file, s->notes[i].line, s->notes[i].column,
                   SLICE_ARG(s->notes[i].text));
}

static void print_plan(struct project *p, const struct exec_world *w)
{
    struct buf out = buf_make(PLAN_MAX);
    for (uint32_t i = 0; i < p->script.count; i++) {
        const struct statement *s = &p->script.statements[i];
        if (s->kind == STATEMENT_CREATE_TABLE)
            plan_table(&out, p, w, s);
        else if (s->kind == STATEMENT_CREATE_TOPIC || s->kind == STATEMENT_CREATE_SOURCE)
            plan_topic(&out, w, s);
    }
    for (size_t i = 0; i < p->streams.count; i++) plan_stream(&out, w, vec_at(&p->streams, i));
    for (uint32_t i = 0; i < p->script.count; i++) plan_notes(&out, &p->script.statements[i]);
    fwrite(out.at, 1, out.len, stdout);
    if (strstr(buf_cstr(&out), "CONFLICT"))
        printf("starting it would be refused: see CONFLICT above\n");
    else
        printf("fine: %u statements checked\n", p->script.count);
    buf_done(&out);
}

/* The data are looked at when they exist and nobody works on them; otherwise only the text is
 * checked. */
int verb_plan(const struct verb *v, const struct args *a)
{
    struct project p;
    struct exec_world w = {0};
    struct diag d;
    int fd = -1;
    char path[PROJECT_PATH_MAX];
    if (a->word_count > 1) return cli_usage(v, "one project at a time");
    err_t e = cli_project(a, a->word_count ? a->words[0] : NULL, &p, &d);
    if (e) return cli_fail(&d);
    e = project_data_path(&p, "store", path, &d);
    bool data = !e && file_exists(path), running = client_server_runs(&p);
    if (!e && data && !running) e = data_lock(&p, &fd, &d);
    if (!e && data && !running) e = world_open(&p, false, &w, &d);
    if (!e && !w.catalog) e = catalog_new(NULL, NULL, &w.catalog);
    if (!e) e = project_check(&p, w.catalog, &d);
    if (!e) print_plan(&p, &w);
    if (!e && running) printf("note: it runs just now; what it has made is not compared\n");
    world_close(&w);
    if (fd >= 0) file_close(fd);
    project_close(&p);
    return e ? cli_fail(&d) : 0;
}
