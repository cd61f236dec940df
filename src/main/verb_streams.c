/* streams: look at them, and steer them. pause, resume and restart alone are the same acts. */
#include "main/cli.h"

#include "main/server.h"
#include "os/file.h"

#include <stdio.h>
#include <unistd.h>

/* On the data of a project that does not run: only forgetting is possible there. */
static err_t forget_offline(struct project *p, const char *what, const char *name, struct diag *d)
{
    struct exec_world w;
    int fd = -1;
    bool drop = strcmp(what, "drop") == 0;
    if (drop && project_declares(p, slice_of(name))) {
        (void)diag_fail(d, ERR_IN_USE, "'%s' is declared by pipeline.sql", name);
        return diag_hint(d, "take it out of pipeline.sql; then drop what it left");
    }
    if (!drop && !project_declares(p, slice_of(name))) {
        (void)diag_fail(d, ERR_UNKNOWN_STREAM, "pipeline.sql has no stream or source '%s'", name);
        return diag_hint(d, "sluice plan lists them");
    }
    err_t e = data_lock(p, &fd, d);
    if (e) return e;
    e = world_open(p, false, &w, d);
    if (!e)
        e = drop ? stage_drop(w.store, slice_of(name), d)
                 : stream_reset(w.store, slice_of(name), d);
    world_close(&w);
    file_close(fd);
    if (!e && drop) printf("drop: %s\n", name);
    if (!e && !drop) printf("%s starts over at the next `sluice up`\n", name);
    return e;
}

static void put_act(struct buf *path, const char *what, const char *name)
{
    buf_text(path, "/act");
    client_put_param(path, "what", slice_of(what));
    client_put_param(path, "name", slice_of(name));
}

/* What would go is told in numbers by who runs it. */
static bool confirmed(const struct project *p, bool runs, const char *what, const char *name)
{
    char answer[16] = "";
    struct buf path = buf_make(KIB(4));
    put_act(&path, what, name);
    client_put_param(&path, "preview", SLICE("1"));
    int code = runs ? client_print(p, "POST", buf_cstr(&path), (struct slice){0}) : 0;
    buf_done(&path);
    if (code) return false;
    if (!runs)
        printf("%s forgets its cursor, state, ledger and dead letters%s; rows and topics stay.\n",
               name,
               strcmp(what, "reset") == 0 ? ", and begins anew"
                                          : "; a view's own table goes with it");
    printf("Type yes to go on: ");
    fflush(stdout);
    if (fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0) return true;
    printf("nothing was removed\n");
    return false;
}

int act_on_stage(struct project *p, const char *what, const char *name, bool yes)
{
    bool forgets = strcmp(what, "reset") == 0 || strcmp(what, "drop") == 0;
    bool runs = client_server_runs(p);
    struct buf path = buf_make(KIB(4));
    struct diag d;
    int code = 1;
    if (!*name || strlen(name) > 255) {
        (void)diag_fail(&d, ERR_UNKNOWN_STREAM, "a stream's name has 1 to 255 bytes");
        return cli_fail(&d);
    }
    if (!runs && !forgets) {
        (void)diag_fail(&d, ERR_NOT_FOUND, "no sluice runs on %s", p->data);
        (void)diag_hint(&d, "start it: sluice up %s", p->dir);
        return cli_fail(&d);
    }
    if (forgets && !yes && !confirmed(p, runs, what, name)) return 0;
    put_act(&path, what, name);
    if (runs)
        code = client_print(p, "POST", buf_cstr(&path), (struct slice){0});
    else
        code = forget_offline(p, what, name, &d) ? cli_fail(&d) : 0;
    buf_done(&path);
    return code;
}

int verb_act(const struct verb *v, const struct args *a)
{
    struct project p;
    struct diag d;
    if (a->word_count != 1)
        return cli_usage(v, "name one stream or source; `sluice status` lists them");
    if (cli_project(a, NULL, &p, &d)) return cli_fail(&d);
    int code = act_on_stage(&p, v->name, a->words[0], false);
    project_close(&p);
    return code;
}

static int show(struct project *p, const struct args *a, const char *name)
{
    struct buf path = buf_make(KIB(4));
    int code;
    buf_text(&path, "/streams");
    if (name) client_put_param(&path, "name", slice_of(name));
    if (args_has(a, "--json") || args_has(a, "--recent"))
        client_put_param(&path, "json", SLICE("1"));
    if (args_has(a, "--recent")) client_put_param(&path, "recent", SLICE("1"));
    if (isatty(STDOUT_FILENO)) client_put_param(&path, "color", SLICE("1"));
    if (client_server_runs(p))
        code = client_print(p, "GET", buf_cstr(&path), (struct slice){0});
    else
        code = look_offline(p, "streams", a);
    buf_done(&path);
    return code;
}

int verb_streams(const struct verb *v, const struct args *a)
{
    static const char *const acts[] = {"pause", "resume", "restart", "reset", "drop"};
    const char *first = a->word_count ? a->words[0] : "list", *name = NULL, *act = NULL;
    struct project p;
    struct diag d;
    for (size_t i = 0; i < COUNT_OF(acts); i++)
        if (strcmp(first, acts[i]) == 0) act = acts[i];
    bool describe = strcmp(first, "describe") == 0, list = strcmp(first, "list") == 0;
    int words = act || describe ? 2 : 1;
    if (a->word_count > words || (words == 2 && a->word_count != 2))
        return cli_usage(v, words == 2 ? "name one stream; `sluice streams` lists them"
                                       : "one stream at a time");
    if (!list) name = a->words[words - 1];
    if (cli_project(a, NULL, &p, &d)) return cli_fail(&d);
    int code = act ? act_on_stage(&p, act, name, args_has(a, "--yes")) : show(&p, a, name);
    project_close(&p);
    return code;
}
