#include "main/server.h"

#include "base/say.h"
#include "main/client.h"
#include "main/version.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keeper.h"
#include "os/thread.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { POSTS_MAX = 65536, MEMORY_EVERY_NS = 1000000000, LOOK_MS = 1000, LOCK_LOOK_MS = 20 };
#define MEMORY_ANYWAY_NS (60 * INT64_C(1000000000))
static const int64_t LOCK_WAIT_NS = 5000000000;

/* --- the data, with or without a server ------------------------------------------------------- */

err_t data_lock(struct project *p, int *fd, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    err_t e = dir_make(p->data, d);
    if (e) {
        if (d) d->hint[0] = 0;
        return diag_hint(d, "keep the data elsewhere: --data PATH");
    }
    e = project_data_path(p, "lock", path, d);
    if (!e) e = file_lock(path, fd, d);
    if (e != ERR_IN_USE) return e;
    char why[sizeof(d->why)] = "";
    if (d) memcpy(why, d->why, sizeof(why));
    (void)diag_fail(d, ERR_IN_USE, "another sluice works on %s", p->data);
    (void)diag_why(d, "%s", why);
    return diag_hint(
        d, "look at it with `sluice status`, end it with SIGTERM, or use other data: --data PATH");
}

err_t data_lock_patiently(struct project *p, int *fd, struct diag *d)
{
    struct gate gate;
    int64_t until = clock_mono_ns() + LOCK_WAIT_NS;
    err_t e;
    gate_init(&gate);
    while ((e = data_lock(p, fd, d)) == ERR_IN_USE && clock_mono_ns() < until &&
           !client_server_runs(p)) {
        gate_enter(&gate);
        (void)gate_wait_ms(&gate, LOCK_LOOK_MS);
        gate_leave(&gate);
    }
    gate_done(&gate);
    return e;
}

static err_t open_log(struct project *p, struct exec_world *w, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    err_t e = project_data_path(p, "log", path, d);
    if (e) return e;
    struct log_options o = {
        .dir = path,
        .segment_bytes = (uint64_t)config_number(&p->config, CONFIG_log_segment),
        .disk_keep_free = (uint64_t)config_number(&p->config, CONFIG_log_keep_free),
        .mutant_answer_before_sync = getenv("SLUICE_MUTANT_ANSWER_FIRST") != NULL,
        .mutant_skip_truncation = getenv("SLUICE_MUTANT_SKIP_TRUNCATION") != NULL,
    };
    return log_open(&o, clock_wall_ms(), &w->log, d);
}

static err_t open_store(struct project *p, struct exec_world *w, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    err_t e = project_data_path(p, "store", path, d);
    if (e) return e;
    struct store_options o = {
        .dir = path,
        .cache_bytes = (size_t)config_number(&p->config, CONFIG_store_cache),
        .write_buffer_bytes = (size_t)config_number(&p->config, CONFIG_store_write_buffer),
        .mutant_cursor_before_rows = getenv("SLUICE_MUTANT_CURSOR_FIRST") != NULL,
        .mutant_answer_before_sync = getenv("SLUICE_MUTANT_CQL_ANSWER_FIRST") != NULL,
    };
    return store_open(&o, &w->store, d);
}

/* flow.form's words, in the order of the enum. */
static err_t flow_form_of(const struct project *p, struct flow_options *o, struct diag *d)
{
    static const char *const forms[] = {"auto", "live", "catchup"};
    const char *asked = config_text(&p->config, CONFIG_flow_form);
    for (size_t i = 0; i < COUNT_OF(forms); i++) {
        if (strcmp(asked, forms[i]) != 0) continue;
        memcpy(&o->form, &(int){(int)i}, sizeof(o->form));
        return ERR_OK;
    }
    (void)diag_fail(d, ERR_CONFIG, "flow.form can not be '%s'", asked);
    return diag_hint(d, "auto, live or catchup");
}

static err_t open_flow(struct project *p, struct stream_groups *groups, struct exec_world *w,
                       struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    const char *term = getenv("SLUICE_MUTANT_SKIP_COUNT");
    err_t e = project_data_path(p, "flow", path, d);
    if (e) return e;
    struct flow_options o = {
        .log = w->log,
        .store = w->store,
        .dir = path,
        .lanes_max = (uint32_t)config_number(&p->config, CONFIG_flow_lanes),
        .feeders = (int)config_number(&p->config, CONFIG_flow_feeders),
        .epoch_rows_live = (uint32_t)config_number(&p->config, CONFIG_flow_epoch_rows),
        .epoch_ms_live = config_number(&p->config, CONFIG_flow_epoch_time),
        .epoch_rows_catchup = (uint32_t)config_number(&p->config, CONFIG_flow_catchup_rows),
        .catchup_lag =
            (uint32_t)MIN(config_number(&p->config, CONFIG_flow_catchup_lag), (int64_t)UINT32_MAX),
        .memory_max = (size_t)config_number(&p->config, CONFIG_memory_budget) / 2,
        .mutant = term                                  ? FLOW_MUTANT_SKIP_COUNT
                  : getenv("SLUICE_MUTANT_STATE_FIRST") ? FLOW_MUTANT_STATE_FIRST
                                                        : FLOW_MUTANT_NONE,
        .dead_bytes_max = (uint64_t)config_number(&p->config, CONFIG_dead_letters_max_bytes),
        .dead_age_ms = config_number(&p->config, CONFIG_dead_letters_max_age),
        .committed = groups ? stream_groups_note : NULL,
        .committed_ctx = groups,
        .mutant_term = term ? (uint32_t)strtoul(term, NULL, 10) : 0,
    };
    e = flow_form_of(p, &o, d);
    return e ? e : flow_open(&o, &w->flow, d);
}

static err_t open_world(struct project *p, bool with_flow, struct stream_groups *groups,
                        struct exec_world *w, struct diag *d)
{
    *w = (struct exec_world){0};
    err_t e = open_log(p, w, d);
    if (!e) e = open_store(p, w, d);
    if (!e && with_flow) e = open_flow(p, groups, w, d);
    if (!e && catalog_new(w->store, w->log, &w->catalog))
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for the catalog");
    if (e) world_close(w);
    return e;
}

err_t world_open(struct project *p, bool with_flow, struct exec_world *w, struct diag *d)
{
    return open_world(p, with_flow, NULL, w, d);
}

err_t world_open_telling(struct project *p, struct stream_groups *groups, struct exec_world *w,
                         struct diag *d)
{
    return open_world(p, true, groups, w, d);
}

void world_close(struct exec_world *w)
{
    if (w->flow) flow_close(w->flow);
    catalog_free(w->catalog);
    if (w->store) store_close(w->store);
    if (w->log) log_close(w->log);
    *w = (struct exec_world){0};
}

/* --- facts
 * ------------------------------------------------------------------------------------------------------
 */

/* PSS from the kernel's sums; the figure people compare. Reading it costs some 0.1 ms. */
static uint64_t resident_pages(void)
{
    uint64_t all, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%" SCNu64 " %" SCNu64, &all, &resident) != 2) resident = 0;
    if (f) fclose(f);
    return resident;
}

/* The share of what others use too costs half a millisecond to know: it is asked again when the
 * pages in use, which cost little, have changed. */
static void measure_memory(struct server *s)
{
    enum { PAGES_CHANGED = 128 };
    int64_t now = clock_mono_ns();
    if (s->memory_at_ns && now - s->memory_looked_ns < MEMORY_EVERY_NS) return;
    uint64_t pages = resident_pages();
    uint64_t change = pages > s->memory_pages ? pages - s->memory_pages : s->memory_pages - pages;
    s->memory_looked_ns = now;
    if (s->memory_at_ns && change < PAGES_CHANGED && now - s->memory_at_ns < MEMORY_ANYWAY_NS)
        return;
    s->memory_bytes = server_memory();
    s->memory_pages = pages;
    s->memory_at_ns = now;
}

uint64_t server_memory(void)
{
    char line[256];
    uint64_t kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "re");
    if (!f) return 0;
    while (fgets(line, sizeof(line), f))
        if (sscanf(line, "Pss: %" SCNu64, &kib) == 1) break;
    fclose(f);
    return kib * 1024;
}

void server_facts(void *ctx, struct report_facts *out)
{
    struct server *s = ctx;
    struct buf workflows = buf_over(s->workflows, sizeof(s->workflows) - 1);
    bool well = working_report(&s->working, &workflows);
    s->workflows[workflows.len] = 0;
    measure_memory(s);
    *out = (struct report_facts){
        .version = SLUICE_VERSION,
        .project = s->project->name,
        .started_ms = s->started_ms,
        .now_ms = clock_wall_ms(),
        .pid = (int)getpid(),
        .memory_bytes = s->memory_bytes,
        .memory_budget = (uint64_t)config_number(&s->project->config, CONFIG_memory_budget),
        .cpu_ns = clock_cpu_ns(),
        .kafka = s->broker.line,
        .cql = s->cassandra.line,
        .workflows = s->workflows,
        .workflows_stopped = !well,
    };
}

/* How a person calls this program: by name when the shell would find it, otherwise by its path, as
 * seen from here. */
static void find_command(char out[512])
{
    char self[PATH_MAX], here[PATH_MAX], found[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    snprintf(out, 512, "sluice");
    if (n <= 0) return;
    self[n] = 0;
    for (const char *at = getenv("PATH"); at && *at;) {
        size_t len = strcspn(at, ":");
        snprintf(found, sizeof(found), "%.*s/sluice", (int)len, at);
        if (strcmp(found, self) == 0) return;
        at += len + (at[len] == ':');
    }
    size_t prefix = getcwd(here, sizeof(here)) ? strlen(here) : 0;
    bool inside = prefix > 1 && strncmp(self, here, prefix) == 0 && self[prefix] == '/';
    (void)slice_to_cstr(slice_of(inside ? self + prefix + 1 : self), out, 512);
}

/* --- doors
 * --------------------------------------------------------------------------------------------------------
 */

bool address_is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0;
}

/* A listener on another address refuses to start with the passwords of the tutorials. */
static err_t check_exposure(struct server *s, struct diag *d)
{
    const char *address = config_text(&s->project->config, CONFIG_listen_address);
    if (address_is_loopback(address) || !users_any_well_known(s->users)) return ERR_OK;
    (void)diag_fail(d, ERR_FORBIDDEN,
                    "listen.address is %s, and a user still has a well-known password", address);
    return diag_hint(
        d, "sluice users passwd admin; sluice users remove cassandra; or stay on 127.0.0.1");
}

/* What moves a port that is taken. */
err_t name_setting(err_t e, const char *setting, struct diag *d)
{
    if (e != ERR_IN_USE) return e;
    return diag_hint(d, "end that program, or use another port: --set %s=0 takes a free one",
                     setting);
}

/* What follows is for the figures: for any thread. */
static void figures_facts(void *ctx, struct report_facts *out)
{
    const struct server *s = ctx;
    *out = (struct report_facts){
        .version = SLUICE_VERSION,
        .project = s->project->name,
        .started_ms = s->started_ms,
        .now_ms = clock_wall_ms(),
        .memory_bytes = server_memory(),
        .memory_budget = (uint64_t)config_number(&s->project->config, CONFIG_memory_budget),
        .cpu_ns = clock_cpu_ns()};
}

static struct coord *figures_coord(void *ctx)
{
    return ((struct server *)ctx)->broker.coord;
}

static err_t figures_meta(void *ctx, struct meta **out, struct diag *d)
{
    struct rest *r = &((struct server *)ctx)->rest;
    return atomic_load(&r->sched) ? rest_meta(r, out, d)
                                  : diag_fail(d, ERR_NOT_FOUND, "there are no workflows");
}

static void figures_of_doors(void *ctx, struct buf *out)
{
    const struct server *s = ctx;
    if (s->broker.kafka) kafka_door_metrics(s->broker.kafka, out);
    if (s->cassandra.door) cql_door_metrics(s->cassandra.door, out);
    if (s->cassandra.cql) cql_metrics(s->cassandra.cql, out);
}

/* After the doors that have figures. */
static err_t open_metrics(struct server *s, struct diag *d)
{
    const struct config *c = &s->project->config;
    int64_t port = config_number(c, CONFIG_metrics_port);
    struct metrics_options figures = {.world = &s->world,
                                      .data = s->project->data,
                                      .ctx = s,
                                      .facts = figures_facts,
                                      .coord = figures_coord,
                                      .meta = figures_meta,
                                      .more = figures_of_doors};
    err_t e = metrics_new(&figures, &s->figures, d);
    if (e || port < 0) return e;
    struct metrics_door_options o = {.address = config_text(c, CONFIG_listen_address),
                                     .port = (uint16_t)port,
                                     .metrics = s->figures,
                                     .world = &s->world,
                                     .facts = server_facts,
                                     .ctx = s};
    return name_setting(metrics_open(s->loop, &o, &s->metrics, d), "metrics.port", d);
}

static err_t open_doors(struct server *s, struct diag *d)
{
    const struct config *c = &s->project->config;
    const char *address = config_text(c, CONFIG_listen_address);
    int64_t api = config_number(c, CONFIG_api_port);
    err_t e = check_exposure(s, d);
    if (!e && api >= 0) {
        struct randomuser_options o = {.address = address,
                                       .port = (uint16_t)api,
                                       .rate_limit = config_number(c, CONFIG_api_rate_limit) != 0};
        e = name_setting(randomuser_open(s->loop, &o, &s->api, d), "api.port", d);
    }
    if (!e) e = broker_open(s->project, &s->world, s->users, s->loop, &s->broker, d);
    if (!e) e = cassandra_open(s->project, &s->world, s->users, &s->cassandra, d);
    s->world.cql = s->cassandra.cql;
    if (!e) e = rest_open(s->project, s->users, s->loop, &s->rest, d);
    if (!e) e = open_metrics(s, d);
    if (!e) e = name_setting(front_open(s, d), "console.port", d);
    return e;
}

static void wake_workflows(void *ctx)
{
    struct server *s = ctx;
    if (s->working.sched) sched_wake(s->working.sched);
}

static err_t open_control(struct server *s, struct diag *d)
{
    char path[PROJECT_PATH_MAX];
    err_t e = project_data_path(s->project, "control.sock", path, d);
    if (!e) e = file_remove(path, d); /* of a server that was killed: we hold the lock */
    if (e) return e;
    struct control_options o = {path, &s->world, server_facts, s, wake_workflows, s->users};
    return control_open(s->loop, &o, &s->control, d);
}

/* --- life
 * ------------------------------------------------------------------------------------------------------------
 */

static void on_signal(void *arg, int signal)
{
    struct server *s = arg;
    say_info(SAY_MAIN, "asked to end", "signal=%d", signal);
    if (++s->signals == 1)
        loop_stop(s->loop);
    else
        _exit(130); /* asked twice: at once; the next start recovers what was under way */
}

static err_t retain_topic(void *ctx, struct log_topic *t)
{
    struct server *s = ctx;
    for (int32_t i = 0; i < log_topic_partitions(t); i++) {
        struct log_partition *p = log_partition(t, i);
        struct diag d;
        if (log_retain(p, clock_wall_ms(), flow_keep_from(s->world.flow, log_topic_name(t), i), &d))
            say_diag(SAY_LOG, SAY_WARN, "retention failed; it is tried again", &d);
    }
    return ERR_OK;
}

static void on_retention(void *arg)
{
    struct server *s = arg;
    struct diag d = {.err = ERR_OK};
    uint64_t letters = 0;
    if (flow_dead_expire(s->world.flow, clock_wall_ms(), &letters, &d))
        say_diag(SAY_FLOW, SAY_WARN, "old dead letters stay; it is tried again", &d);
    if (letters)
        say_warn(SAY_FLOW, "dead letters older than dead_letters.max_age are removed",
                 "letters=%" PRIu64, letters);
    if (log_topics(s->world.log, retain_topic, s))
        say_warn(SAY_LOG, "topics can not be listed for retention", "err=%d", 1);
}

bool server_storage_failed(const struct server *s)
{
    return log_must_reopen(s->world.log) || store_must_reopen(s->world.store);
}

/* After a failed sync nothing is acknowledged until the files are opened again; the process is
 * small and starts in milliseconds, so that opening again is starting again. */
static void on_look(void *arg)
{
    struct server *s = arg;
    struct diag d = {.err = ERR_OK};
    if (working_look(&s->working, &d))
        say_diag(SAY_SCHED, SAY_ERROR, "workflows do not run; it is tried again", &d);
    rest_serves(&s->rest, s->working.sched);
    if (!server_storage_failed(s)) return;
    say_error(SAY_MAIN, "storage failed for good; the server ends and is started anew", "part=%s",
              log_must_reopen(s->world.log) ? "log" : "store");
    s->broken = true;
    loop_stop(s->loop);
}

/* Nothing is removed because a line is gone from pipeline.sql: it may come back. */
static err_t say_left(void *ctx, const struct stage_left *l)
{
    const struct server *s = ctx;
    if (!project_declares(s->project, l->name))
        say_warn(SAY_MAIN, "declared no more: it does not run, and what it left stays",
                 "stage=%.*s records_in=%" PRIu64 " remove=\"sluice streams drop %.*s\"",
                 SLICE_ARG(l->name), l->ledger.in, SLICE_ARG(l->name));
    return ERR_OK;
}

static err_t start(struct server *s, struct diag *d)
{
    struct project *p = s->project;
    char path[PROJECT_PATH_MAX];
    int64_t every = config_number(&p->config, CONFIG_log_retention_check);
    mem_limit_set((size_t)config_number(&p->config, CONFIG_memory_budget));
    err_t e = data_lock_patiently(s->project, &s->lock_fd, d);
    if (!e) e = loop_new("main", POSTS_MAX, &s->loop, d);
    if (!e) e = stream_groups_new(&s->stream_groups, d);
    if (!e) e = world_open_telling(p, s->stream_groups, &s->world, d);
    if (!e) e = project_data_path(p, "users", path, d);
    if (!e) e = users_open(path, &s->users, d);
    if (!e) e = project_check(p, s->world.catalog, d);
    if (!e) e = project_make(p, 0, &s->world, d);
    if (!e) e = open_doors(s, d); /* before the sources: theirs may be our own API */
    if (!e) e = open_control(s, d);
    if (!e) e = flow_tidy(s->world.store, d);
    if (!e) e = project_data_path(p, "quotas", path, d);
    if (!e) e = connect_quotas_in(path, d);
    if (!e) e = project_wire(p, 0, &s->world, d);
    if (!e) e = stages_left(s->world.store, say_left, s, d);
    if (!e && s->broker.coord)
        e = stream_groups_start(s->stream_groups, s->loop, s->broker.coord, d);
    if (!e) e = working_hold(&s->working, d);
    if (!e) e = flow_start(s->world.flow, d);
    if (!e) e = alerts_open(s, &s->alerts, d);
    if (!e && (loop_signal(s->loop, SIGTERM, on_signal, s) ||
               loop_signal(s->loop, SIGINT, on_signal, s) ||
               loop_timer_new(s->loop, every, every, on_retention, s, &s->retention) ||
               loop_timer_new(s->loop, LOOK_MS, LOOK_MS, on_look, s, &s->look)))
        e = diag_fail(d, ERR_NO_MEMORY, "no memory for the main loop");
    if (!e) on_look(s);
    return e;
}

err_t server_open(struct project *p, const char *keeper_dir, struct server *s, struct diag *d)
{
    *s = (struct server){
        .project = p, .lock_fd = -1, .started_ms = clock_wall_ms(), .started_ns = clock_mono_ns()};
    find_command(s->command);
    s->working.server = s;
    s->working.held = vec_make(sizeof(struct held), HELD_MAX);
    gate_init(&s->working.gate);
    growing_open(&s->growing);
    if (keeper_dir)
        (void)slice_to_cstr(slice_of(keeper_dir), s->working.keeper_dir, PROJECT_PATH_MAX);
    err_t e = start(s, d);
    if (e) server_close(s);
    return e;
}

void server_run(struct server *s)
{
    loop_run(s->loop);
}

void server_close(struct server *s)
{
    front_close(&s->front);
    alerts_close(&s->alerts);
    metrics_close(s->metrics);
    metrics_free(s->figures);
    rest_close(&s->rest);
    working_close(&s->working);
    if (s->world.flow) flow_stop(s->world.flow);
    control_close(s->control);
    randomuser_close(s->api);
    cassandra_close(&s->cassandra);
    stream_groups_stop(s->stream_groups);
    broker_close(&s->broker);
    world_close(&s->world);
    growing_close(&s->growing);
    stream_groups_free(s->stream_groups);
    users_close(s->users);
    loop_timer_free(s->retention);
    loop_timer_free(s->look);
    if (s->loop) loop_free(s->loop);
    if (s->lock_fd >= 0) file_close(s->lock_fd);
    s->loop = NULL;
}
