#include "main/grow.h"

#include "base/hash.h"
#include "base/say.h"
#include "door/console/js.h"
#include "main/plan/tell.h"
#include "main/server.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdio.h>

static const char pipeline_name[] = "pipeline.sql", kept_name[] = "grown.sql",
                  kept_head[] = "-- of run ";

void growing_open(struct growing *g)
{
    gate_init(&g->gate);
    g->made = vec_make(sizeof(struct project *), GROWTHS_MAX);
}

static void project_give(struct project *p)
{
    if (!p) return;
    project_close(p);
    mem_give(p);
}

void growing_close(struct growing *g)
{
    for (size_t i = 0; i < g->made.count; i++)
        project_give(*(struct project **)vec_at(&g->made, i));
    vec_done(&g->made);
    gate_done(&g->gate);
}

/* Inside the gate. */
static const struct project *running(struct server *s)
{
    const struct vec *made = &s->growing.made;
    return made->count ? *(struct project **)vec_at(made, made->count - 1) : s->project;
}

struct slice growing_text(struct server *s)
{
    gate_enter(&s->growing.gate);
    struct slice text = running(s)->pipeline; /* stays as long as the server */
    gate_leave(&s->growing.gate);
    return text;
}

/* --- the file -----------------------------------------------------------------------------------
 */

static err_t file_path(const struct server *s, char out[PROJECT_PATH_MAX], struct diag *d)
{
    int n = snprintf(out, PROJECT_PATH_MAX, "%s/%s", s->project->dir, pipeline_name);
    return n < PROJECT_PATH_MAX ? ERR_OK
                                : diag_fail(d, ERR_TOO_BIG, "the project's path is too long");
}

static err_t load_file(const struct server *s, struct slice *out, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    *out = (struct slice){0};
    err_t e = file_path(s, path, d);
    return e ? e : file_load(path, SQL_TEXT_MAX, out, d);
}

static void file_version(struct slice text, char out[17])
{
    snprintf(out, 17, "%016" PRIx64, hash64(text, 0));
}

static uint32_t lines_of(struct slice text)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < text.len; i++) n += text.at[i] == '\n';
    return n;
}

/* The file with the text at its end, after an empty line; *from: where the text begins. */
static err_t put_together(struct slice file, struct slice text, struct buf *out, uint32_t *from,
                          struct diag *d)
{
    text = slice_trim(text);
    if (!text.len) return diag_fail(d, ERR_USAGE, "there is no statement");
    buf_slice(out, file);
    if (file.len && file.at[file.len - 1] != '\n') buf_char(out, '\n');
    if (file.len) buf_char(out, '\n');
    *from = (uint32_t)out->len;
    buf_slice(out, text);
    if (text.at[text.len - 1] != ';') buf_char(out, ';');
    buf_char(out, '\n');
    return out->err ? diag_fail(d, out->err, "pipeline.sql has at most %d bytes", SQL_TEXT_MAX)
                    : ERR_OK;
}

err_t pipeline_check(struct server *s, struct slice text, struct buf *out, struct diag *d)
{
    struct buf all = buf_make(SQL_TEXT_MAX);
    struct plan_verdict verdict;
    struct slice file;
    char version[17];
    uint32_t from = 0;
    err_t e = load_file(s, &file, d);
    if (!e) e = put_together(file, text, &all, &from, d);
    if (!e) {
        struct slice whole = buf_view(&all);
        file_version(file, version);
        js_open(out, '{');
        js_put_cstr(out, "version", version);
        js_put_bool(out, "behind", !slice_equal(file, growing_text(s)));
        js_put_uint(out, "line", lines_of(slice_make(all.at, from)) + 1);
        js_name(out, "plan");
        struct buf plan = buf_make(PLAN_TEXT_MAX);
        e = plan_beside(s->project, &whole, &s->world, &verdict, &plan, d);
        js_raw(out, buf_view(&plan));
        buf_done(&plan);
        js_close(out, '}');
    }
    mem_give((void *)(uintptr_t)file.at);
    buf_done(&all);
    return e ? e : out->err;
}

/* --- a server that is started anew --------------------------------------------------------------
 */

static err_t keep_for_restart(const struct server *s, struct slice text, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    struct buf b = buf_make(SQL_TEXT_MAX + KIB(1));
    err_t e = project_data_path(s->project, kept_name, path, d);
    buf_printf(&b, "%s%" PRId64 "\n", kept_head, s->project->run);
    buf_slice(&b, text);
    if (!e) e = b.err ? diag_fail(d, b.err, "%s", kept_name) : file_store(path, buf_view(&b), d);
    buf_done(&b);
    return e;
}

err_t growing_recover(struct project *p, struct diag *d)
{
    char path[PROJECT_PATH_MAX], head[64];
    struct slice kept = {0};
    err_t e = project_data_path(p, kept_name, path, d);
    if (e || !p->run || !file_exists(path)) return e;
    e = file_load(path, SQL_TEXT_MAX + KIB(1), &kept, d);
    int n = snprintf(head, sizeof(head), "%s%" PRId64 "\n", kept_head, p->run);
    bool ours = !e && kept.len > (uint32_t)n && memcmp(kept.at, head, (size_t)n) == 0;
    if (ours) e = project_read(p, slice_make(kept.at + n, kept.len - (uint32_t)n), d);
    mem_give((void *)(uintptr_t)kept.at);
    return e;
}

/* --- growing ------------------------------------------------------------------------------------
 */

struct growth {
    struct server *server;
    const struct console_growth *ask;
    struct slice file; /* as it was */
    struct buf text;   /* as it will be */
    uint32_t from;
    struct project *project;
    bool kept; /* the server has it */
};

static err_t see_file(struct growth *g, struct diag *d)
{
    char version[17];
    err_t e = load_file(g->server, &g->file, d);
    if (e) return e;
    file_version(g->file, version);
    if (!slice_is(g->ask->version, version)) {
        (void)diag_fail(d, ERR_EXISTS, "pipeline.sql was changed by somebody else meanwhile");
        return diag_hint(d, "look at the plan again: it is of the file as it is now");
    }
    if (!slice_equal(g->file, running(g->server)->pipeline)) {
        (void)diag_fail(d, ERR_EXISTS, "pipeline.sql holds changes that do not run yet");
        return diag_hint(d, "start the server again first: `sluice plan` tells what that would do");
    }
    return put_together(g->file, g->ask->text, &g->text, &g->from, d);
}

static err_t see_plan(struct growth *g, struct diag *d)
{
    struct server *s = g->server;
    struct plan_verdict verdict = {0};
    struct slice text = buf_view(&g->text);
    struct buf plan = buf_make(PLAN_TEXT_MAX);
    err_t e = plan_beside(s->project, &text, &s->world, &verdict, &plan, d);
    buf_done(&plan);
    if (e || !verdict.errors) return e;
    (void)diag_fail(d, ERR_INVALID, "%s", verdict.what);
    if (verdict.where[0]) (void)diag_where(d, "%s", verdict.where);
    return verdict.fix[0] ? diag_hint(d, "%s", verdict.fix) : ERR_INVALID;
}

/* Plans point into the project and its catalog, so both stay until flow has ended. */
static err_t open_grown(struct growth *g, struct diag *d)
{
    struct server *s = g->server;
    struct slice text = buf_view(&g->text);
    struct project_options o = {
        .dir = s->project->dir, .data = s->project->data, .pipeline = &text};
    struct project *p = mem_take(sizeof(*p));
    struct catalog *c = NULL;
    if (!p) return diag_fail(d, ERR_NO_MEMORY, "no memory for another pipeline");
    err_t e = project_open(&o, p, d);
    if (e) {
        mem_give(p);
        return e;
    }
    g->project = p;
    e = catalog_new(s->world.store, s->world.log, &c);
    if (!e && (e = vec_push(&p->past, &c))) catalog_free(c);
    if (e) return diag_fail(d, e, "no memory for another pipeline");
    return project_check(p, c, d);
}

static bool is_new(const struct growth *g, const struct statement *s)
{
    return statement_is_from(s, g->from);
}

static err_t judge_kind(const struct statement *s, struct diag *d)
{
    switch (s->kind) {
    case STATEMENT_CREATE_KEYSPACE:
    case STATEMENT_CREATE_TABLE:
    case STATEMENT_CREATE_TOPIC:
    case STATEMENT_CREATE_STREAM:
    case STATEMENT_CREATE_VIEW:
    case STATEMENT_CREATE_SINK:
    case STATEMENT_INSERT: return ERR_OK;
    default:
        (void)diag_fail(d, ERR_UNSUPPORTED, "a server that runs does not take this: %.*s",
                        (int)MIN(s->text.len, 40u), (const char *)s->text.at);
        (void)diag_where(d, "%s:%u:%u", pipeline_name, s->line, s->column);
        return diag_hint(d, "write it into pipeline.sql and start the server again; tables, "
                            "topics, streams, views and sinks are taken while it runs");
    }
}

static bool runs_commands(const struct plan_node *n)
{
    bool any = n->kind == NODE_TRANSFORM;
    for (uint32_t i = 0; i < n->input_count; i++) any = any || runs_commands(n->inputs[i]);
    return any;
}

static err_t judge_new(const struct growth *g, const struct project_stream *p, struct diag *d)
{
    struct stream_fate fate;
    struct slice name = p->plan.name;
    struct exec_world *w = &g->server->world;
    if (runs_commands(p->plan.root) && !g->ask->commands) {
        (void)diag_fail(d, ERR_FORBIDDEN, "stream %.*s runs a command", SLICE_ARG(name));
        return diag_hint(d, "commands run as the server does: this needs the role Admin");
    }
    if (flow_has(w->flow, name))
        return diag_fail(d, ERR_EXISTS, "a source or stream '%.*s' runs already", SLICE_ARG(name));
    err_t e = stream_fate_of(g->project, w->store, p, &fate, d);
    if (e || !fate.anew) return e;
    (void)diag_fail(d, ERR_EXISTS,
                    "an older stream '%.*s' has left what this one can not go on with",
                    SLICE_ARG(name));
    (void)diag_why(d, "%s", fate.why);
    return diag_hint(d, "take another name, or drop it: sluice streams drop %.*s",
                     (int)MIN(name.len, 100u), (const char *)name.at);
}

static const struct project_stream *stream_of(const struct project *p, struct slice name)
{
    for (size_t i = 0; i < p->streams.count; i++) {
        const struct project_stream *s = vec_at(&p->streams, i);
        if (slice_equal(s->plan.name, name)) return s;
    }
    return NULL;
}

/* What runs must mean what it meant. */
static err_t judge(const struct growth *g, struct diag *d)
{
    const struct project *p = g->project, *was = running(g->server);
    err_t e = ERR_OK;
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->script.count; i++) count += is_new(g, &p->script.statements[i]);
    if (!count) return diag_fail(d, ERR_USAGE, "there is no statement");
    for (uint32_t i = 0; !e && i < p->script.count; i++)
        if (is_new(g, &p->script.statements[i])) e = judge_kind(&p->script.statements[i], d);
    for (size_t i = 0; !e && i < p->streams.count; i++) {
        const struct project_stream *s = vec_at(&p->streams, i),
                                    *old = stream_of(was, s->plan.name);
        if (is_new(g, s->statement))
            e = judge_new(g, s, d);
        else if (!old || old->plan.sql_version != s->plan.sql_version)
            e = diag_fail(d, ERR_UNSUPPORTED, "it would change what stream %.*s means",
                          SLICE_ARG(s->plan.name));
    }
    return e;
}

/* Other sessions see a new topic's columns as its statement has them. */
static err_t declare_topics(const struct growth *g, struct diag *d)
{
    for (uint32_t i = 0; i < g->project->script.count; i++) {
        const struct statement *s = &g->project->script.statements[i];
        if (!is_new(g, s) || s->kind != STATEMENT_CREATE_TOPIC) continue;
        struct sql_relation r = relation_of_topic(s);
        err_t e = catalog_declare(g->server->world.catalog, &r);
        if (e) return diag_fail(d, e, "topic %.*s", SLICE_ARG(s->name.name));
    }
    return ERR_OK;
}

static err_t write_and_run(struct growth *g, struct diag *d)
{
    struct server *s = g->server;
    char path[PROJECT_PATH_MAX];
    err_t e = file_path(s, path, d);
    if (!e) e = file_rewrite(path, buf_view(&g->text), d);
    if (e) return e;
    e = keep_for_restart(s, buf_view(&g->text), d);
    if (!e) e = vec_push(&s->growing.made, &g->project);
    g->kept = !e;
    if (e) { /* nothing of it runs: the file is as it was */
        struct diag none;
        bool back = !file_rewrite(path, g->file, &none) && !keep_for_restart(s, g->file, &none);
        return back ? e : diag_hint(d, "pipeline.sql holds the statements; they do not run");
    }
    e = project_wire(g->project, g->from, &s->world, d);
    if (!e) e = declare_topics(g, d);
    return e ? diag_hint(d, "pipeline.sql holds the statements; the next start runs them") : ERR_OK;
}

static void tell_done(const struct growth *g, struct buf *out)
{
    const struct project *p = g->project;
    char version[17];
    file_version(p->pipeline, version);
    js_open(out, '{');
    js_put_cstr(out, "path", pipeline_name);
    js_put_cstr(out, "version", version);
    js_put_uint(out, "line", lines_of(slice_make(p->pipeline.at, g->from)) + 1);
    js_put_open(out, "started", '[');
    for (size_t i = 0; i < p->streams.count; i++) {
        const struct project_stream *one = vec_at(&p->streams, i);
        if (is_new(g, one->statement)) js_text(out, one->plan.name);
    }
    js_close(out, ']');
    js_close(out, '}');
}

err_t pipeline_grow(struct server *s, const struct console_growth *ask, struct buf *out,
                    struct diag *d)
{
    struct growth g = {.server = s, .ask = ask, .text = buf_make(SQL_TEXT_MAX)};
    gate_enter(&s->growing.gate);
    err_t e = see_file(&g, d);
    if (!e && s->growing.made.count == GROWTHS_MAX)
        e = diag_fail(d, ERR_TOO_BIG, "%d times is enough for one run: start it again",
                      GROWTHS_MAX);
    if (!e) e = see_plan(&g, d);
    if (!e) e = open_grown(&g, d);
    if (!e) e = judge(&g, d);
    if (!e) e = project_make(g.project, g.from, &s->world, d);
    if (!e) e = write_and_run(&g, d);
    if (!e) {
        tell_done(&g, out);
        say_info(SAY_MAIN, "pipeline.sql has grown, and what is new runs", "user=%.*s bytes=%zu",
                 SLICE_ARG(ask->user), g.text.len - g.from);
    }
    if (!g.kept) project_give(g.project);
    gate_leave(&s->growing.gate);
    mem_give((void *)(uintptr_t)g.file.at);
    buf_done(&g.text);
    return e ? e : out->err;
}
