#include "main/doctor.h"

#include "base/unit.h"
#include "main/server.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include "os/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { LAST_WORDS_MAX = 1 << 20, FILES_LEAST = 1024 };

const char *doctor_word_name(enum doctor_word w)
{
    static const char *const names[] = {"ok", "note", "problem"};
    return names[w];
}

static void tell(struct doctor *x, enum doctor_word word, const char *area, const struct diag *d)
{
    struct doctor_finding f = {.word = word, .area = area, .d = d};
    x->problems += word == DOCTOR_PROBLEM;
    x->tell(x->ctx, &f);
}

void doctor_tell_problem(struct doctor *x, const char *area, const struct diag *d)
{
    tell(x, DOCTOR_PROBLEM, area, d);
}

static void fine(struct doctor *x, const char *area, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void fine(struct doctor *x, const char *area, const char *fmt, ...)
{
    struct diag d = {.err = ERR_OK};
    va_list args;
    va_start(args, fmt);
    vsnprintf(d.what, sizeof(d.what), fmt, args);
    va_end(args);
    tell(x, DOCTOR_FINE, area, &d);
}

/* --- the machine ------------------------------------------------------------------------------ */

static void check_machine(struct doctor *x)
{
    struct rlimit files;
    struct diag d;
    struct utsname u;
    if (uname(&u) == 0)
        fine(x, "machine", "%s %s, %d processors", u.sysname, u.release, thread_cores());
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < FILES_LEAST) {
        (void)diag_fail(&d, ERR_RANGE, "only %llu files may be open",
                        (unsigned long long)files.rlim_cur);
        (void)diag_hint(&d, "ulimit -n 4096 before starting sluice");
        tell(x, DOCTOR_PROBLEM, "machine", &d);
    }
    if (clock_wall_ms() < 1600000000000) {
        (void)diag_fail(&d, ERR_RANGE, "the clock is in the past");
        (void)diag_hint(&d, "set it: records would get wrong times");
        tell(x, DOCTOR_PROBLEM, "machine", &d);
    }
}

static void check_memory(struct doctor *x, const struct project *p)
{
    struct usage u;
    struct diag d;
    uint64_t budget = (uint64_t)config_number(&p->config, CONFIG_memory_budget);
    struct buf asked = buf_make(64), there = buf_make(64);
    usage_read(&u);
    unit_put_bytes(&asked, budget);
    unit_put_bytes(&there, u.machine);
    if (u.machine && budget > u.machine) {
        (void)diag_fail(&d, ERR_RANGE, "memory.budget is %s, and this machine has %s",
                        buf_cstr(&asked), buf_cstr(&there));
        (void)diag_hint(&d, "--set memory.budget= less than the machine has: back pressure comes "
                            "before the kernel's killer");
        tell(x, DOCTOR_PROBLEM, "machine", &d);
    } else if (u.machine) {
        fine(x, "machine", "memory.budget is %s of the machine's %s", buf_cstr(&asked),
             buf_cstr(&there));
    }
    buf_done(&asked);
    buf_done(&there);
}

static void check_disk(struct doctor *x, const struct project *p)
{
    uint64_t left, total;
    struct diag d;
    const char *where = file_exists(p->data) ? p->data : p->dir;
    uint64_t keep = (uint64_t)config_number(&p->config, CONFIG_log_keep_free);
    if (disk_free(where, &left, &total, &d)) {
        tell(x, DOCTOR_PROBLEM, "disk", &d);
        return;
    }
    struct buf text = buf_make(256);
    unit_put_bytes(&text, left);
    if (left > 2 * keep) {
        fine(x, "disk", "%s free at %s", buf_cstr(&text), where);
    } else {
        (void)diag_fail(&d, ERR_DISK_FULL, "only %s are free at %s", buf_cstr(&text), where);
        tell(x, DOCTOR_PROBLEM, "disk", &d);
    }
    buf_done(&text);
    if (access(where, W_OK) != 0) {
        (void)diag_fail(&d, ERR_FORBIDDEN, "%s can not be written", where);
        (void)diag_hint(&d, "run as its owner, or keep the data elsewhere: --data PATH");
        tell(x, DOCTOR_PROBLEM, "disk", &d);
    }
}

/* --- ports ------------------------------------------------------------------------------------ */

static void port_taken(struct doctor *x, const char *setting, int64_t port, const char *holder)
{
    struct diag d;
    (void)diag_fail(&d, ERR_IN_USE, "port %lld for %s is held by %s", (long long)port, setting,
                    holder);
    (void)diag_hint(&d, "end that program, or --set %s=0 takes a free port", setting);
    tell(x, DOCTOR_PROBLEM, "ports", &d);
}

/* Before a start: would each door find its port free? */
static void check_ports(struct doctor *x, const struct project *p)
{
    static const enum config_id ports[] = {CONFIG_api_port,
                                           CONFIG_kafka_port,
                                           CONFIG_kafka_tls_port,
                                           CONFIG_cql_port,
                                           CONFIG_cql_tls_port,
                                           CONFIG_metrics_port,
                                           CONFIG_console_port,
                                           CONFIG_console_topics_port,
                                           CONFIG_console_streams_port,
                                           CONFIG_console_notebooks_port,
                                           CONFIG_zookeeper_port};
    for (size_t i = 0; i < COUNT_OF(ports); i++) {
        char holder[128];
        const char *setting = config_rows[ports[i]].key;
        int64_t port = config_number(&p->config, ports[i]);
        if (port <= 0) continue;
        if (net_port_holder((uint16_t)port, holder, sizeof(holder)))
            port_taken(x, setting, port, holder);
        else
            fine(x, "ports", "port %lld is free for %s", (long long)port, setting);
    }
}

/* A server that runs has all of its ports but those of the console that it can do without. */
static void check_listeners(struct doctor *x, const struct server *s)
{
    static const enum config_id ports[] = {CONFIG_console_topics_port, CONFIG_console_streams_port,
                                           CONFIG_console_notebooks_port};
    uint32_t missing = 0;
    for (uint32_t i = 0; i < COUNT_OF(ports); i++) {
        char holder[128] = "another program";
        int64_t port = config_number(&s->project->config, ports[i]);
        if (!s->front.console || port <= 0 || front_port(&s->front, i + 1)) continue;
        (void)net_port_holder((uint16_t)port, holder, sizeof(holder));
        port_taken(x, config_rows[ports[i]].key, port, holder);
        missing++;
    }
    if (!missing) fine(x, "ports", "every door listens where its setting says");
}

/* --- the project and its data ----------------------------------------------------------------- */

static void check_project(struct doctor *x, struct project *p, struct store *s, struct log *l)
{
    struct catalog *catalog = NULL;
    struct diag d = {.err = ERR_OK};
    err_t e = catalog_new(s, l, &catalog);
    if (e) (void)diag_fail(&d, e, "no memory for the catalog");
    if (!e) e = project_check(p, catalog, &d);
    if (e)
        tell(x, DOCTOR_PROBLEM, "project", &d);
    else
        fine(x, "project", "pipeline.sql: %u statements, every name and type resolves",
             p->script.count);
    catalog_free(catalog);
}

static void check_data(struct doctor *x, struct project *p)
{
    struct exec_world w;
    struct diag d;
    int fd = -1;
    char path[PROJECT_PATH_MAX];
    if (project_data_path(p, "store", path, &d) || !file_exists(path)) {
        fine(x, "data", "no data yet in %s", p->data);
        return;
    }
    err_t e = data_lock(p, &fd, &d);
    if (!e) e = world_open(p, false, &w, &d);
    if (e) {
        tell(x, DOCTOR_PROBLEM, "data", &d);
    } else {
        struct log_recovery r = log_recovery(w.log);
        fine(x, "data", "the data open: %llu partitions, %llu bytes of a torn end cut off",
             (unsigned long long)r.partitions, (unsigned long long)r.bytes_cut);
        world_close(&w);
    }
    if (fd >= 0) file_close(fd);
}

static void check_last_words(struct doctor *x, const struct project *p)
{
    char path[PROJECT_PATH_MAX];
    struct slice text;
    struct diag d = {.err = ERR_OK};
    if (project_data_path(p, "last-words", path, &d) || !file_exists(path)) return;
    if (file_load(path, LAST_WORDS_MAX, &text, &d)) {
        tell(x, DOCTOR_PROBLEM, "data", &d);
        return;
    }
    if (text.len) {
        struct doctor_finding f = {.word = DOCTOR_NOTE, .area = "data", .d = &d, .text = text};
        d = (struct diag){.err = ERR_OK};
        (void)snprintf(d.what, sizeof(d.what), "the server's last words, of its last unclean end");
        x->tell(x->ctx, &f);
    }
    mem_give((void *)(uintptr_t)text.at);
}

void doctor_look(struct doctor *x, struct project *p, bool running)
{
    check_machine(x);
    check_memory(x, p);
    check_disk(x, p);
    if (!running) check_ports(x, p);
    check_project(x, p, NULL, NULL);
    if (running)
        fine(x, "data", "a server runs on %s", p->data);
    else
        check_data(x, p);
    check_last_words(x, p);
}

/* --- a server that runs ----------------------------------------------------------------------- */

struct stages {
    struct doctor *doctor;
    uint32_t count, wrong;
};

static err_t check_stage(void *ctx, const struct flow_status *f)
{
    struct stages *s = ctx;
    struct diag d;
    const char *kind = f->is_source ? "source" : "stream";
    bool failed = strcmp(f->state, "failed") == 0, tries = strcmp(f->state, "retrying") == 0;
    s->count++;
    s->wrong += failed || tries || !f->balanced;
    if (failed || tries) {
        (void)diag_fail(&d, ERR_INTERNAL,
                        failed ? "%s %.*s has failed" : "%s %.*s fails, and tries again", kind,
                        SLICE_ARG(f->name));
        (void)diag_why(&d, "%s", f->trouble);
        (void)diag_hint(&d, "mend what it says; then sluice restart %.*s", SLICE_ARG(f->name));
        tell(s->doctor, DOCTOR_PROBLEM, "streams", &d);
    }
    if (!f->balanced) {
        (void)diag_fail(&d, ERR_INTERNAL, "the ledger of %s %.*s does not balance", kind,
                        SLICE_ARG(f->name));
        (void)diag_hint(&d,
                        "records may be lost or counted twice: sluice streams %.*s, and report it",
                        SLICE_ARG(f->name));
        tell(s->doctor, DOCTOR_PROBLEM, "streams", &d);
    }
    return ERR_OK;
}

static void check_stages(struct doctor *x, const struct server *s)
{
    struct stages all = {.doctor = x};
    struct diag d;
    err_t e = flow_each(s->world.flow, check_stage, &all);
    if (e) {
        (void)diag_fail(&d, e, "the streams can not be read just now");
        tell(x, DOCTOR_PROBLEM, "streams", &d);
    } else if (!all.wrong) {
        fine(x, "streams", "%u sources and streams: none has failed, every ledger balances",
             all.count);
    }
    if (!server_storage_failed(s)) return;
    (void)diag_fail(&d, ERR_INTERNAL,
                    "the storage has failed for good: the server is started anew");
    tell(x, DOCTOR_PROBLEM, "data", &d);
}

static err_t check_user(void *ctx, const struct user *u)
{
    struct doctor *x = ctx;
    struct diag d = {.err = ERR_OK};
    if (!u->well_known || u->no_login) return ERR_OK;
    (void)snprintf(d.what, sizeof(d.what),
                   "%s has the password that every tutorial knows: good on this machine alone",
                   u->name);
    (void)snprintf(d.hint, sizeof(d.hint), "choose another: System, Users in the console");
    tell(x, DOCTOR_NOTE, "logins", &d);
    return ERR_OK;
}

void doctor_look_within(struct doctor *x, const struct server *s)
{
    struct project p;
    struct diag d;
    struct log_recovery r = log_recovery(s->world.log);
    check_machine(x);
    check_memory(x, s->project);
    check_disk(x, s->project);
    check_listeners(x, s);
    err_t e = project_open(
        &(struct project_options){.dir = s->project->dir, .data = s->project->data}, &p, &d);
    if (e) {
        tell(x, DOCTOR_PROBLEM, "project", &d);
    } else {
        check_project(x, &p, s->world.store, s->world.log);
        project_close(&p);
    }
    fine(x, "data",
         "open: %" PRIu64 " partitions; at its start %" PRIu64 " bytes of a torn end were cut off",
         r.partitions, r.bytes_cut);
    check_stages(x, s);
    if (users_each(s->users, check_user, x)) {
        (void)diag_fail(&d, ERR_INTERNAL, "the users can not be read");
        tell(x, DOCTOR_PROBLEM, "logins", &d);
    }
    check_last_words(x, s->project);
}
