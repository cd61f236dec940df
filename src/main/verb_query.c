/* query: statements, of the running server or on the data of one that does not run. */
#include "main/cql/start.h"

#include "cql/cql.h"
#include "exec/watch.h"
#include "main/letters.h"
#include "main/server.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct asking {
    struct project project;
    const char *format, *keyspace;
    bool remote;
    /* when no server runs: the data, opened by us */
    struct exec_world world;
    struct exec_session session;
    struct users *users;
    int lock_fd;
};

static err_t to_stdout(void *ctx, struct slice text)
{
    (void)ctx;
    return fwrite(text.at, 1, text.len, stdout) == text.len && fflush(stdout) == 0 ? ERR_OK
                                                                                   : ERR_IO;
}

static int ask_here(struct asking *q, struct slice text)
{
    struct render render;
    struct diag d = {.err = ERR_OK};
    struct query_limits limits = {.now_ms = clock_wall_ms()};
    enum render_format format = RENDER_TABLE;
    if (!render_format_parse(slice_of(q->format), &format)) {
        fprintf(stderr, "error: there is no format '%s'\n  hint: table, json, csv or expand\n",
                q->format);
        return 2;
    }
    err_t e = render_init(&render, format, to_stdout, NULL);
    struct exec_sink sink = render_sink(&render);
    if (!e) e = exec_run(&q->session, text, &limits, &sink, &d);
    if (!e) e = render_end(&render);
    render_done(&render);
    if (!e) return 0;
    if (d.err != e) (void)diag_fail(&d, e, "%s", err_text(e));
    return cli_fail(&d);
}

static int ask(struct asking *q, struct slice text)
{
    struct buf path = buf_make(KIB(4));
    bool watch = exec_is_watch(text);
    if (!q->remote && watch) {
        fprintf(stderr,
                "error: a preview shows what comes into a server that runs\n  hint: start "
                "it: sluice up %s\n",
                q->project.dir);
        return 1;
    }
    if (!q->remote) return ask_here(q, text);
    buf_text(&path, "/sql");
    client_put_param(&path, "format", slice_of(q->format));
    if (q->keyspace) client_put_param(&path, "keyspace", slice_of(q->keyspace));
    struct winsize screen;
    if (watch && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &screen) == 0)
        buf_printf(&path, "&screen=%u", screen.ws_row ? screen.ws_row : 24u);
    int code = watch ? client_watch(&q->project, buf_cstr(&path), text)
                     : client_print(&q->project, "POST", buf_cstr(&path), text);
    buf_done(&path);
    return code;
}

/* Reads up to a line that ends in ';' (or the end), and runs it; until the end. */
static int ask_lines(struct asking *q)
{
    struct buf text = buf_make(SQL_TEXT_MAX);
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    int code = 0;
    bool person = isatty(STDIN_FILENO);
    if (person) printf("Statements end with ';', Ctrl-D leaves.\n");
    for (;;) {
        if (person) {
            printf("%s", text.len ? "   ...> " : "sluice> ");
            fflush(stdout);
        }
        len = getline(&line, &cap, stdin);
        if (len > 0) buf_put(&text, line, (size_t)len);
        struct slice all = slice_trim(buf_view(&text));
        bool whole = all.len && all.at[all.len - 1] == ';';
        if (all.len && (whole || len <= 0)) {
            code = text.err ? 1 : ask(q, all);
            buf_reset(&text);
        }
        if (len <= 0 || (code && !person)) break;
    }
    if (text.err) fprintf(stderr, "error: a statement has at most %d bytes\n", SQL_TEXT_MAX);
    free(line);
    buf_done(&text);
    return code;
}

/* CQL's statements, and the roles they speak of. */
static err_t open_cql(struct asking *q, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    err_t e = project_data_path(&q->project, "users", path, d);
    if (!e) e = users_open(path, &q->users, d);
    struct cql_options o = {.store = q->world.store,
                            .log = q->world.log,
                            .users = q->users,
                            .dead_letters = letters_tell,
                            .dead_ctx = q->world.store};
    return e ? e : cql_open(&o, &q->world.cql, d);
}

static err_t open_data(struct asking *q, struct diag *d)
{
    err_t e = data_lock(&q->project, &q->lock_fd, d);
    if (!e) e = world_open(&q->project, false, &q->world, d);
    if (!e) e = project_check(&q->project, q->world.catalog, d);
    if (!e) e = open_cql(q, d);
    q->session = (struct exec_session){.world = &q->world, .dialect = DIALECT_SLUICE};
    if (q->keyspace)
        (void)slice_to_cstr(slice_of(q->keyspace), q->session.keyspace,
                            sizeof(q->session.keyspace));
    return e;
}

static void close_data(struct asking *q)
{
    cql_close(q->world.cql);
    world_close(&q->world);
    users_close(q->users);
    if (q->lock_fd >= 0) close(q->lock_fd);
}

/* What CQL does not know, asked of the project as ever. */
static int ask_other(void *ctx, struct slice text)
{
    return ask(ctx, text);
}

/* The CQL door of the server that runs; false: its port is not known from the settings. */
static bool own_door(const struct project *p, struct cql_client_options *o)
{
    const char *address = config_text(&p->config, CONFIG_listen_address);
    int64_t port = config_number(&p->config, CONFIG_cql_port);
    bool any = strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
    o->host = any ? "127.0.0.1" : address;
    o->port = (uint16_t)port;
    return port > 0;
}

static int ask_project(struct asking *q, const struct args *a, struct cql_client_options *o)
{
    struct diag d;
    if (cli_project(a, NULL, &q->project, &d)) return cli_fail(&d);
    q->remote = client_server_runs(&q->project);
    bool person = isatty(STDIN_FILENO) && a->word_count == 0;
    int code;
    if (q->remote && person && own_door(&q->project, o)) {
        code = shell_of_query(a, o, (struct slice){0}, ask_other, q);
    } else {
        err_t e = q->remote ? ERR_OK : open_data(q, &d);
        code = e ? cli_fail(&d) : a->word_count ? ask(q, slice_of(a->words[0])) : ask_lines(q);
        if (!q->remote) close_data(q);
    }
    project_close(&q->project);
    return code;
}

int verb_query(const struct verb *v, const struct args *a)
{
    struct asking q = {.format = args_value(a, "--format"),
                       .keyspace = args_value(a, "--keyspace"),
                       .lock_fd = -1};
    struct cql_client_options o;
    struct diag d;
    if (a->word_count > 1)
        return cli_usage(v, "put the statement in quotes: sluice query 'SELECT …'");
    if (shell_options(a, &o, &d)) return cli_fail(&d);
    if (o.host && (args_has(a, "--json") ||
                   (q.format && strcmp(q.format, "table") != 0 && strcmp(q.format, "expand") != 0)))
        return cli_usage(v, "from another host there are tables, and --format expand");
    if (o.host)
        return shell_of_query(a, &o, a->word_count ? slice_of(a->words[0]) : (struct slice){0},
                              NULL, NULL);
    if (!q.format) q.format = args_has(a, "--json") ? "json" : "table";
    return ask_project(&q, a, &o);
}
