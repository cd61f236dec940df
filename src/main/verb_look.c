/* status, top, dead, logs, pause, resume, restart: asked of the running server. */
#include "main/cli.h"

#include "exec/report.h"
#include "main/server.h"
#include "main/version.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

enum { NOT_RUNNING = 3, REPORT_MAX = 64 << 20 };

static err_t put_pause(const struct exec_world *w, struct slice name, struct buf *out,
                       struct diag *d)
{
    int64_t since = 0;
    err_t e = stage_paused(w->store, name, &since, d);
    if (e || !since) return e;
    buf_text(out, "          ");
    report_paused(out, name, since);
    return ERR_OK;
}

/* What the store knows of a project that does not run. */
int look_offline(struct project *p, const char *what, const struct args *a)
{
    struct diag d;
    struct exec_world w;
    struct buf out = buf_make(REPORT_MAX);
    int fd = -1, code = NOT_RUNNING;
    char path[PROJECT_PATH_MAX];
    if (project_data_path(p, "store", path, &d) || !file_exists(path)) {
        fprintf(stderr,
                "nothing runs, and there are no data in %s\n  hint: start it: sluice up %s\n",
                p->data, p->dir);
        return NOT_RUNNING;
    }
    if (data_lock(p, &fd, &d)) return cli_fail(&d);
    err_t e = world_open(p, false, &w, &d);
    if (!e && project_check(p, w.catalog, &d)) e = d.err;
    if (!e && strcmp(what, "dead") == 0) {
        e = report_dead(&w, slice_of(a->word_count ? a->words[0] : NULL), args_has(a, "--json"),
                        dead_limit(a), &out, &d);
        code = 0;
    } else if (!e) {
        buf_printf(&out, "nothing runs; on disk in %s:\n", p->data);
        for (size_t i = 0; i < p->streams.count && !e; i++) {
            const struct project_stream *s = vec_at(&p->streams, i);
            struct ledger l;
            if (strcmp(what, "streams") == 0 && a->word_count &&
                !slice_is(s->plan.name, a->words[a->word_count - 1]) &&
                strcmp(a->words[0], "list") != 0)
                continue;
            e = ledger_load(w.store, s->plan.name, &l, &d);
            if (e == ERR_UNKNOWN_STREAM) {
                e = ERR_OK;
                l = (struct ledger){0};
            }
            buf_printf(&out, "  stream  %-20.*s ", SLICE_ARG(s->plan.name));
            report_ledger(&out, &l);
            buf_text(&out, ledger_balanced(&l) ? "  balanced\n" : "  DOES NOT BALANCE\n");
            if (!ledger_balanced(&l)) code = 1;
            if (!e) e = put_pause(&w, s->plan.name, &out, &d);
        }
    }
    world_close(&w);
    file_close(fd);
    if (!e) fwrite(out.at, 1, out.len, stdout);
    buf_done(&out);
    return e ? cli_fail(&d) : code;
}

int verb_look(const struct verb *v, const struct args *a)
{
    struct project p;
    struct diag d;
    struct buf path = buf_make(KIB(4));
    if (cli_project(a, NULL, &p, &d)) return cli_fail(&d);
    buf_printf(&path, "/%s", v->name);
    if (args_has(a, "--json")) client_put_param(&path, "json", SLICE("1"));
    if (a->word_count) client_put_param(&path, "stage", slice_of(a->words[0]));
    int code = client_server_runs(&p) ? client_print(&p, "GET", buf_cstr(&path), (struct slice){0})
                                      : look_offline(&p, v->name, a);
    buf_done(&path);
    project_close(&p);
    return code;
}

/* --- logs
 * -------------------------------------------------------------------------------------------------------
 */

static int print_log_file(struct project *p)
{
    char path[PROJECT_PATH_MAX];
    struct slice text;
    struct diag d;
    if (project_data_path(p, "sluice.log", path, &d)) return cli_fail(&d);
    if (!file_exists(path)) {
        fprintf(
            stderr,
            "no sluice runs on %s, and none has left a log there\n  hint: start it: sluice up %s\n",
            p->data, p->dir);
        return NOT_RUNNING;
    }
    if (file_load(path, MIB(64), &text, &d)) return cli_fail(&d);
    fwrite(text.at, 1, text.len, stdout);
    mem_give((void *)(uintptr_t)text.at);
    return 0;
}

int verb_logs(const struct verb *v, const struct args *a)
{
    struct project p;
    struct diag d;
    struct buf path = buf_make(KIB(4));
    const char *level = args_value(a, "--level"), *equals = level ? strchr(level, '=') : NULL;
    (void)v;
    if (cli_project(a, NULL, &p, &d)) return cli_fail(&d);
    if (!client_server_runs(&p)) {
        int code = print_log_file(&p);
        project_close(&p);
        return code;
    }
    buf_text(&path, equals ? "/level" : "/logs");
    if (equals) client_put_param(&path, "room", slice_make(level, (size_t)(equals - level)));
    if (a->word_count) client_put_param(&path, "room", slice_of(a->words[0]));
    if (level) client_put_param(&path, "level", slice_of(equals ? equals + 1 : level));
    if (args_has(a, "--follow")) client_put_param(&path, "follow", SLICE("1"));
    int code = client_print(&p, equals ? "POST" : "GET", buf_cstr(&path), (struct slice){0});
    buf_done(&path);
    project_close(&p);
    return code;
}
