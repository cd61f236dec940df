/* doctor: what is wrong with this machine, this project or its running server, with the fix. */
#include "main/cli.h"

#include "base/unit.h"
#include "main/server.h"
#include "main/version.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { BUNDLE_MAX = 64 << 20, LAST_WORDS_MAX = 1 << 20 };

struct examination {
    struct project *project;
    bool running;
    uint32_t problems;
};

static void fine(const char *fmt, ...) PRINTF_LIKE(1, 2);
static void fine(const char *fmt, ...)
{
    va_list args;
    printf("  ok       ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
}

static void wrong(struct examination *x, const struct diag *d)
{
    const char *hint = d->hint[0] ? d->hint : err_hint(d->err);
    printf("  PROBLEM  %s%s%s%s%s\n", d->what, d->where[0] ? " at " : "", d->where,
           d->why[0] ? ": " : "", d->why);
    if (hint[0]) printf("           fix: %s\n", hint);
    x->problems++;
}

static void check_machine(struct examination *x)
{
    struct rlimit files;
    struct diag d;
    struct utsname u;
    if (uname(&u) == 0) fine("%s %s, %d processors", u.sysname, u.release, thread_cores());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < 1024) {
        (void)diag_fail(&d, ERR_RANGE, "only %llu files may be open",
                        (unsigned long long)files.rlim_cur);
        (void)diag_hint(&d, "ulimit -n 4096 before starting sluice");
        wrong(x, &d);
    }
    if (clock_wall_ms() < 1600000000000) {
        (void)diag_fail(&d, ERR_RANGE, "the clock is in the past");
        (void)diag_hint(&d, "set it: records would get wrong times");
        wrong(x, &d);
    }
}

static void check_disk(struct examination *x)
{
    uint64_t left, total;
    struct diag d;
    const char *where = file_exists(x->project->data) ? x->project->data : x->project->dir;
    uint64_t keep = (uint64_t)config_number(&x->project->config, CONFIG_log_keep_free);
    if (disk_free(where, &left, &total, &d)) {
        wrong(x, &d);
        return;
    }
    struct buf text = buf_make(256);
    unit_put_bytes(&text, left);
    if (left > 2 * keep) {
        fine("%s free at %s", buf_cstr(&text), where);
    } else {
        (void)diag_fail(&d, ERR_DISK_FULL, "only %s are free at %s", buf_cstr(&text), where);
        wrong(x, &d);
    }
    buf_done(&text);
    if (access(where, W_OK) != 0) {
        (void)diag_fail(&d, ERR_FORBIDDEN, "%s can not be written", where);
        (void)diag_hint(&d, "run as its owner, or keep the data elsewhere: --data PATH");
        wrong(x, &d);
    }
}

static void check_ports(struct examination *x)
{
    static const struct {
        enum config_id id;
        const char *setting;
    } ports[] = {{CONFIG_api_port, "api.port"},
                 {CONFIG_kafka_port, "kafka.port"},
                 {CONFIG_kafka_tls_port, "kafka.tls_port"},
                 {CONFIG_cql_port, "cql.port"},
                 {CONFIG_cql_tls_port, "cql.tls_port"},
                 {CONFIG_metrics_port, "metrics.port"},
                 {CONFIG_console_port, "console.port"},
                 {CONFIG_zookeeper_port, "zookeeper.port"}};
    for (size_t i = 0; i < COUNT_OF(ports) && !x->running; i++) {
        char holder[128];
        struct diag d;
        int64_t port = config_number(&x->project->config, ports[i].id);
        if (port <= 0) continue;
        if (!net_port_holder((uint16_t)port, holder, sizeof(holder))) {
            fine("port %lld is free for %s", (long long)port, ports[i].setting);
            continue;
        }
        (void)diag_fail(&d, ERR_IN_USE, "port %lld for %s is held by %s", (long long)port,
                        ports[i].setting, holder);
        (void)diag_hint(&d, "end that program, or --set %s=0 takes a free port", ports[i].setting);
        wrong(x, &d);
    }
}

static void check_project(struct examination *x)
{
    struct catalog *catalog = NULL;
    struct diag d = {.err = ERR_OK};
    err_t e = catalog_new(NULL, NULL, &catalog);
    if (e) (void)diag_fail(&d, e, "no memory for the catalog");
    if (!e) e = project_check(x->project, catalog, &d);
    if (e)
        wrong(x, &d);
    else
        fine("pipeline.sql: %u statements, every name and type resolves", x->project->script.count);
    catalog_free(catalog);
}

static void check_data(struct examination *x)
{
    struct exec_world w;
    struct diag d;
    int fd = -1;
    char path[PROJECT_PATH_MAX];
    if (x->running) {
        fine("a server runs on %s", x->project->data);
        return;
    }
    if (project_data_path(x->project, "store", path, &d) || !file_exists(path)) {
        fine("no data yet in %s", x->project->data);
        return;
    }
    err_t e = data_lock(x->project, &fd, &d);
    if (!e) e = world_open(x->project, false, &w, &d);
    if (e) {
        wrong(x, &d);
    } else {
        struct log_recovery r = log_recovery(w.log);
        fine("the data open: %llu partitions, %llu bytes of a torn end cut off",
             (unsigned long long)r.partitions, (unsigned long long)r.bytes_cut);
        world_close(&w);
    }
    if (fd >= 0) file_close(fd);
}

static void check_last_words(struct examination *x)
{
    char path[PROJECT_PATH_MAX];
    struct slice text;
    struct diag d;
    if (project_data_path(x->project, "last-words", path, &d) || !file_exists(path)) return;
    if (file_load(path, LAST_WORDS_MAX, &text, &d)) {
        wrong(x, &d);
        return;
    }
    if (text.len)
        printf("  note     the server's last words, of its last unclean end:\n%.*s\n",
               SLICE_ARG(text));
    mem_give((void *)(uintptr_t)text.at);
}

/* --- the bundle
 * ------------------------------------------------------------------------------------------------------
 */

static err_t into_buf(void *ctx, struct slice text)
{
    buf_slice(ctx, text);
    return ((struct buf *)ctx)->err;
}

static void bundle_ask(struct examination *x, const char *title, const char *path, struct buf *out)
{
    struct client_call c = {.method = "GET", .path = path, .text = into_buf, .ctx = out};
    struct diag d;
    buf_printf(out, "\n== %s\n", title);
    if (client_run(x->project, &c, &d)) buf_printf(out, "(%s)\n", d.what);
    buf_done(&c.failure);
}

/* No rows, no records, no passwords, no query strings: only what a stranger may read. */
static err_t write_bundle(struct examination *x, const char *path, struct diag *d)
{
    struct buf out = buf_make(BUNDLE_MAX);
    buf_printf(&out, "sluice %s support file, %lld\n== settings that are not the default\n",
               SLUICE_VERSION, (long long)clock_wall_ms());
    for (size_t i = 0; i < config_row_count; i++) {
        const struct config_value *v = &x->project->config.values[i];
        if (strcmp(v->source, "default") != 0)
            buf_printf(&out, "%s = %s (%s)\n", config_rows[i].key, v->text, v->source);
    }
    buf_text(&out, "\n== declared\n");
    for (uint32_t i = 0; i < x->project->script.count; i++) {
        const struct statement *s = &x->project->script.statements[i];
        buf_printf(&out, "statement %u at line %u: %.*s.%.*s\n", i, s->line,
                   SLICE_ARG(s->name.keyspace), SLICE_ARG(s->name.name));
    }
    if (x->running) {
        bundle_ask(x, "status", "/status?json=1", &out);
        bundle_ask(x, "top", "/top", &out);
        bundle_ask(x, "log", "/logs", &out);
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
    struct examination x = {.project = &p, .running = client_server_runs(&p)};
    printf("sluice %s looks at %s\n", SLUICE_VERSION, p.dir);
    check_machine(&x);
    check_disk(&x);
    check_ports(&x);
    check_project(&x);
    check_data(&x);
    check_last_words(&x);
    int code = x.running ? client_print(&p, "GET", "/status", (struct slice){0}) : 0;
    if (bundle && write_bundle(&x, bundle, &d))
        wrong(&x, &d);
    else if (bundle)
        printf("wrote %s: read it before you send it\n", bundle);
    printf(x.problems || code ? "%u problem%s found\n" : "nothing is wrong\n", x.problems,
           x.problems == 1 ? "" : "s");
    project_close(&p);
    return x.problems || code;
}
