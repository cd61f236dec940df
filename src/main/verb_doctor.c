/* doctor: what is wrong with this machine, this project or its running server, with the fix. */
#include "main/cli.h"

#include "main/doctor.h"
#include "main/version.h"
#include "os/clock.h"
#include "os/file.h"

#include <stdio.h>

enum { BUNDLE_MAX = 64 << 20 };

static void print_finding(void *ctx, const struct doctor_finding *f)
{
    static const char *const words[] = {"ok      ", "note    ", "PROBLEM "};
    const struct diag *d = f->d;
    const char *hint = d->hint[0] || f->word != DOCTOR_PROBLEM ? d->hint : err_hint(d->err);
    (void)ctx;
    printf("  %s %s%s%s%s%s%s\n", words[f->word], d->what, d->where[0] ? " at " : "", d->where,
           d->why[0] ? ": " : "", d->why, f->text.len ? ":" : "");
    if (f->text.len) printf("%.*s\n", SLICE_ARG(f->text));
    if (hint[0]) printf("           fix: %s\n", hint);
}

/* --- the bundle
 * ------------------------------------------------------------------------------------------------------
 */

static err_t into_buf(void *ctx, struct slice text)
{
    buf_slice(ctx, text);
    return ((struct buf *)ctx)->err;
}

static void bundle_ask(const struct project *p, const char *title, const char *path,
                       struct buf *out)
{
    struct client_call c = {.method = "GET", .path = path, .text = into_buf, .ctx = out};
    struct diag d;
    buf_printf(out, "\n== %s\n", title);
    if (client_run(p, &c, &d)) buf_printf(out, "(%s)\n", d.what);
    buf_done(&c.failure);
}

/* No rows, no records, no passwords, no query strings: only what a stranger may read. */
static err_t write_bundle(const struct project *p, bool running, const char *path, struct diag *d)
{
    struct buf out = buf_make(BUNDLE_MAX);
    buf_printf(&out, "sluice %s support file, %lld\n== settings that are not the default\n",
               SLUICE_VERSION, (long long)clock_wall_ms());
    for (size_t i = 0; i < config_row_count; i++) {
        const char *source = p->config.values[i].source;
        if (strcmp(source, "default") == 0) continue;
        buf_printf(&out, "%s = ", config_rows[i].key);
        config_put_shown(&p->config, i, &out);
        buf_printf(&out, " (%s)\n", source);
    }
    buf_text(&out, "\n== declared\n");
    for (uint32_t i = 0; i < p->script.count; i++) {
        const struct statement *s = &p->script.statements[i];
        buf_printf(&out, "statement %u at line %u: %.*s.%.*s\n", i, s->line,
                   SLICE_ARG(s->name.keyspace), SLICE_ARG(s->name.name));
    }
    if (running) {
        bundle_ask(p, "status", "/status?json=1", &out);
        bundle_ask(p, "top", "/top", &out);
        bundle_ask(p, "log", "/logs", &out);
    }
    err_t e = out.err ? diag_fail(d, out.err, "the support file is too large")
                      : file_store(path, buf_view(&out), d);
    buf_done(&out);
    return e;
}

int verb_doctor(const struct verb *v, const struct args *a)
{
    struct project p;
    struct diag d;
    const char *bundle = args_value(a, "--bundle");
    if (a->word_count > 1) return cli_usage(v, "one project at a time");
    if (cli_project(a, a->word_count ? a->words[0] : NULL, &p, &d)) return cli_fail(&d);
    bool running = client_server_runs(&p);
    struct doctor x = {.tell = print_finding};
    printf("sluice %s looks at %s\n", SLUICE_VERSION, p.dir);
    doctor_look(&x, &p, running);
    int code = running ? client_print(&p, "GET", "/status", (struct slice){0}) : 0;
    if (bundle && write_bundle(&p, running, bundle, &d))
        doctor_tell_problem(&x, "bundle", &d);
    else if (bundle)
        printf("wrote %s: read it before you send it\n", bundle);
    printf(x.problems || code ? "%u problem%s found\n" : "nothing is wrong\n", x.problems,
           x.problems == 1 ? "" : "s");
    project_close(&p);
    return x.problems || code;
}
