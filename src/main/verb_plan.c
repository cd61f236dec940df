/* plan: the typed check of a whole project, and what starting it would change. */
#include "main/cli.h"

#include "base/say.h"
#include "main/plan/planning.h"
#include "main/plan/tell.h"
#include "main/server.h"
#include "os/file.h"

#include <stdio.h>

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
    struct buf out = buf_make(PLAN_TEXT_MAX);
    plan_json(l, plan, running, &out);
    buf_char(&out, '\n');
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

static int plan_project(struct project *p, const struct args *a, uint32_t sample)
{
    struct exec_world w = {0};
    struct planning l = planning_make(p, &w, sample);
    struct buf plan = buf_make(PLAN_TEXT_MAX);
    struct diag d;
    int fd = -1;
    bool running = client_server_runs(p);
    l.offline = args_has(a, "--offline");
    l.run_commands = args_has(a, "--run-commands");
    say_level_set(SAY_CONNECT, SAY_OFF); /* what sampling meets, the plan tells */
    err_t e = look_at_data(p, running, &w, &fd, &d);
    if (!e) e = plan_tell(&l, &plan, &d);
    if (!e) (args_has(a, "--json") ? print_json : print_text)(&l, &plan, running);
    bool bad = findings_count(&l, SEVERITY_ERROR) ||
               (args_has(a, "--strict") && findings_count(&l, SEVERITY_WARNING));
    planning_done(&l);
    buf_done(&plan);
    world_close(&w);
    if (fd >= 0) file_close(fd);
    return e ? cli_fail(&d) : bad;
}

int verb_plan(const struct verb *v, const struct args *a)
{
    struct project p;
    struct diag d;
    uint64_t sample = PLAN_SAMPLE_USUAL;
    const char *given = args_value(a, "--sample");
    if (a->word_count > 1) return cli_usage(v, "one project at a time");
    if (given && (!slice_to_u64(slice_of(given), &sample) || !sample || sample > SAMPLE_MAX))
        return cli_usage(v, "--sample takes a number from 1 to 10000");
    if (cli_project(a, a->word_count ? a->words[0] : NULL, &p, &d)) return cli_fail(&d);
    int code = plan_project(&p, a, (uint32_t)sample);
    project_close(&p);
    return code;
}
