/* The files of the new project, IMPORT.md among them; and whether Sluice itself takes them. */
#include "main/import/import.h"
#include "main/project.h"
#include "os/file.h"
#include "sched/dag.h"

#include <stdio.h>

enum { TEXT_MAX = 16 << 20 };

static err_t put(struct import *m, const char *name, struct buf *text, struct diag *d)
{
    const char *path = arena_printf(m->arena, "%s/%s", m->out, name);
    if (text->err || !path) return diag_fail(d, ERR_TOO_BIG, "%s is too long to be written", name);
    return file_store(path, buf_view(text), d);
}

/* --- is it right? -------------------------------------------------------------------------------
 */

static void own_dag(void *ctx, struct dag *g)
{
    (void)ctx;
    dag_give(g);
}

static void wrong_dag(void *ctx, struct slice id, const struct diag *d)
{
    struct import *m = ctx;
    import_leave(m, NULL, 0, "dags.yaml, the dag %.*s: %s %s%s (%s)", SLICE_ARG(id), d->what,
                 d->why[0] ? "because " : "", d->why, d->where);
}

static void check_project(struct import *m)
{
    struct project_options o = {.dir = m->out};
    struct project p;
    struct catalog *c = NULL;
    struct diag d = {0};
    err_t e = project_open(&o, &p, &d);
    if (!e) {
        e = catalog_new(NULL, NULL, &c);
        if (!e) e = project_check(&p, c, &d);
        catalog_free(c);
        project_close(&p);
    }
    if (e) import_leave(m, NULL, 0, "pipeline.sql: %s %s %s (%s)", d.what, d.why, d.hint, d.where);
}

/* --- IMPORT.md ----------------------------------------------------------------------------------
 */

static void put_place(struct buf *out, const struct import_line *l)
{
    if (l->file) buf_printf(out, "- `%s:%u`: ", l->file->path, l->line);
    if (!l->file) buf_text(out, "- what was written: ");
}

static void put_lines(struct buf *out, const char *title, const char *about,
                      const struct vec *lines, const char *none)
{
    buf_printf(out, "## %s\n\n%s\n\n", title, lines->count ? about : none);
    for (size_t i = 0; i < lines->count; i++) {
        const struct import_line *l = vec_at(lines, i);
        put_place(out, l);
        buf_printf(out, "%s\n", l->text);
    }
    buf_text(out, lines->count ? "\n" : "");
}

static void put_code(struct buf *out, const char *code)
{
    for (; *code; code++) buf_char(out, *code == '_' ? '-' : *code);
}

void report_write(struct import *m, struct buf *out)
{
    buf_printf(out,
               "# Imported from %s\n\n`sluice import` has read the project and run nothing of it. "
               "%zu of its files count; "
               "%zu defects were found, %zu things are left.\n\n## Defects\n\n",
               m->dir, m->files.count, m->findings.count, m->left.count);
    if (!m->findings.count) buf_text(out, "None of those that are known.\n\n");
    for (size_t i = 0; i < m->findings.count; i++) {
        const struct import_line *l = vec_at(&m->findings, i);
        buf_printf(out, "- `%s:%u` **", l->file->path, l->line);
        put_code(out, defect_kinds[l->defect].code);
        buf_printf(out, "**: %s. Here: %s.\n", l->text, defect_kinds[l->defect].instead);
    }
    if (m->findings.count) buf_char(out, '\n');
    put_lines(out, "What is left to you", "None of this is in the new project:", &m->left,
              "Nothing.");
    put_lines(out, "Passwords in clear",
              "They were not copied; change them, they have been in a file:", &m->secrets, "None.");
    put_lines(out, "What was understood", "Each place and what it became:", &m->understood,
              "Nothing.");
    buf_text(out, "## Next\n\n    sluice plan        # checks everything on a sample\n"
                  "    sluice up\n"
                  "\nconnections.yaml, where connections were found, is read as it stands; their "
                  "passwords come from you: there, by\n`sluice connections`, or by "
                  "AIRFLOW_CONN_ID in the environment.\n");
}

/* --- the files ----------------------------------------------------------------------------------
 */

static err_t put_some(struct import *m, const char *name, struct buf *text, struct diag *d)
{
    return text->len ? put(m, name, text, d) : ERR_OK;
}

err_t import_write(struct import *m, struct diag *d)
{
    struct buf pipeline = buf_make(TEXT_MAX), dags = buf_make(TEXT_MAX),
               fixture = buf_make(TEXT_MAX), report = buf_make(TEXT_MAX);
    const char *tests = arena_printf(m->arena, "%s/tests", m->out);
    pipeline_write(m, &pipeline);
    dags_write(m, &dags);
    fixture_write(m, &fixture);
    if (!m->settings.len)
        buf_text(
            &m->settings,
            "# Settings of this project; all are optional. `sluice help settings` lists them.\n");
    err_t e =
        tests ? dir_make(m->out, d) : diag_fail(d, ERR_NO_MEMORY, "no memory for the new project");
    if (!e) e = put(m, "pipeline.sql", &pipeline, d);
    if (!e) e = put(m, "sluice.yaml", &m->settings, d);
    if (!e) e = put_some(m, "dags.yaml", &dags, d);
    if (!e) e = put_some(m, "connections.yaml", &m->connections, d);
    if (!e && fixture.len) e = dir_make(tests, d);
    if (!e) e = put_some(m, "tests/imported.yaml", &fixture, d);
    if (!e) check_project(m);
    struct dag_reading into = {m, own_dag, wrong_dag};
    if (!e && dags.len) e = dags_read(buf_view(&dags), "dags.yaml", &into, d);
    if (!e) report_write(m, &report);
    if (!e) e = put(m, "IMPORT.md", &report, d);
    buf_done(&pipeline);
    buf_done(&dags);
    buf_done(&fixture);
    buf_done(&report);
    return e;
}
