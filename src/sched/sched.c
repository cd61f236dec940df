#include "sched/sched.h"

#include "base/hash.h"
#include "base/say.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"
#include "sched/dag_files.h"
#include "sched/engine.h"
#include "sched/ops.h"
#include "sched/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    SCAN_SHARE = 1000, /* looking at files takes at most a thousandth of a processor */
    OLD_AT_ONCE = 1000
};
#define KEEP_EVERY_US (60 * INT64_C(1000000))

struct sched {
    struct sched_options o;
    struct loop *loop;
    struct loop_timer *timer;
    struct thread thread;
    struct meta *meta;
    struct engine *engine;
    struct dag_files *files;
    struct workshop_port workshop;
    struct gate gate;
    bool posted; /* in the gate: a turn is on its way */
    bool must_set;
    struct sched_figures figures; /* in the gate */
    uint32_t dags;                /* of the files, as last read */
    char *logs, *identity;
    char host[128];
    int64_t next_scan_us, next_keep_us, logs_kept_from;
};

/* --- clocks -----------------------------------------------------------------------------------
 */

static int64_t sched_wall(void *ctx)
{
    struct sched *s = ctx;
    return s->o.now_us ? s->o.now_us(s->o.clock) : clock_wall_us();
}

static int64_t sched_mono(void *ctx)
{
    (void)ctx;
    return clock_mono_ns() / 1000;
}

/* --- files ------------------------------------------------------------------------------------
 */

static err_t set_dag(void *ctx, const struct dag *g, struct diag *d)
{
    struct sched *s = ctx;
    s->dags++;
    return engine_dag_set(s->engine, g, d);
}

static err_t read_files(struct sched *s, struct diag *d)
{
    bool changed;
    err_t err = dag_files_scan(s->files, &changed, d);
    if (err || (!changed && !s->must_set)) return err;
    s->must_set = true; /* until it stands */
    err = engine_dags_begin(s->engine, d);
    if (err) return err;
    s->dags = 0;
    err = dag_files_each(s->files, set_dag, s, d);
    if (err) {
        engine_dags_abort(s->engine);
        return err;
    }
    err = engine_dags_end(s->engine, true, d);
    if (!err) err = dag_files_tell(s->files, s->meta, sched_wall(s), d);
    if (!err) s->must_set = false;
    return err;
}

static void look_at_files(struct sched *s)
{
    struct diag d = {0};
    int64_t from = sched_mono(NULL);
    if (from < s->next_scan_us) return;
    if (read_files(s, &d)) say_diag(SAY_SCHED, SAY_ERROR, "dags can not be read in", &d);
    int64_t now = sched_mono(NULL);
    s->next_scan_us = now + MAX(s->o.look_ms * 1000, (now - from) * SCAN_SHARE);
    /* somebody waits for a file that was just written, however many there are */
    s->next_scan_us = MIN(s->next_scan_us, now + 30 * INT64_C(1000000));
}

/* --- what is old ------------------------------------------------------------------------------
 */

struct old_runs {
    struct sched *s;
    struct arena *arena;
    struct vec runs; /* struct run_row, of the arena */
};

static err_t take_old(void *ctx, const struct meta_row *row)
{
    struct old_runs *o = ctx;
    struct run_row run;
    err_t err = run_row_read(row, o->arena, &run);
    return err ? err : vec_push(&o->runs, &run);
}

static void drop_logs(struct sched *s, const struct run_row *r)
{
    char path[8192];
    struct diag d = {0};
    snprintf(path, sizeof(path), "%s/dag_id=%.*s/run_id=%.*s", s->logs, SLICE_ARG(r->dag_id),
             SLICE_ARG(r->run_id));
    if (file_exists(path) && dir_remove_all(path, &d))
        say_diag(SAY_SCHED, SAY_WARN, "old logs can not be removed", &d);
}

/* Runs that ended in this span of time: their logs go, and with `whole` the runs themselves. */
static err_t drop_old(struct sched *s, int64_t after, int64_t before, bool whole, struct diag *d)
{
    struct old_runs o = {s, arena_new(MIB(64)), vec_make(sizeof(struct run_row), OLD_AT_ONCE)};
    struct meta_value args[] = {meta_int(after), meta_int(before), meta_int(OLD_AT_ONCE)};
    struct ops ops = {
        .meta = s->meta, .now_us = sched_wall(s), .user = SLICE("scheduler"), .via = "retention"};
    err_t err = o.arena ? meta_run(s->meta, META_RUNS_ENDED_BETWEEN, args, 3, take_old, &o, NULL, d)
                        : ERR_NO_MEMORY;
    for (size_t i = 0; i < o.runs.count && !err; i++) {
        const struct run_row *r = vec_at(&o.runs, i);
        drop_logs(s, r);
        if (whole) err = ops_run_delete(&ops, r->dag_id, r->run_id, d);
        if (!whole) s->logs_kept_from = r->ended_at; /* where the next look goes on */
    }
    vec_done(&o.runs);
    arena_free(o.arena);
    return err;
}

static void keep_by_policy(struct sched *s)
{
    struct diag d = {0};
    int64_t mono = sched_mono(NULL), now = sched_wall(s);
    if (mono < s->next_keep_us) return;
    s->next_keep_us = mono + KEEP_EVERY_US;
    int64_t logs = now - s->o.keep_logs_us, runs = now - s->o.keep_runs_us;
    err_t err = ERR_OK;
    struct meta_value before = meta_int(runs);
    if (s->o.keep_runs_us > 0) err = drop_old(s, INT64_MIN, runs, true, &d);
    if (!err && s->o.keep_runs_us > 0)
        err = meta_run(s->meta, META_ASSET_EVENTS_FORGET, &before, 1, NULL, NULL, NULL, &d);
    if (!err && s->o.keep_logs_us > 0) err = drop_old(s, s->logs_kept_from, logs, false, &d);
    if (err) say_diag(SAY_SCHED, SAY_WARN, "old runs are not removed", &d);
}

/* --- turning ----------------------------------------------------------------------------------
 */

static void turn(void *ctx);

static void turn_soon(void *ctx)
{
    struct sched *s = ctx;
    gate_enter(&s->gate);
    bool post = !s->posted;
    s->posted = true;
    gate_leave(&s->gate);
    if (!post || !loop_post(s->loop, turn, s)) return;
    gate_enter(&s->gate);
    s->posted = false; /* the queue is full: the timer turns soon enough */
    gate_leave(&s->gate);
}

static void note_figures(struct sched *s)
{
    struct engine_figures f = engine_figures(s->engine);
    gate_enter(&s->gate);
    s->figures = (struct sched_figures){.dags = s->dags, .runs = f.runs, .tasks = f.going_on};
    memcpy(s->figures.failed_dag, f.failed_dag, sizeof(s->figures.failed_dag));
    memcpy(s->figures.trouble, f.trouble, sizeof(s->figures.trouble));
    gate_leave(&s->gate);
}

void sched_figures(struct sched *s, struct sched_figures *out)
{
    gate_enter(&s->gate);
    *out = s->figures;
    gate_leave(&s->gate);
}

static void turn(void *ctx)
{
    struct sched *s = ctx;
    gate_enter(&s->gate);
    s->posted = false;
    gate_leave(&s->gate);
    look_at_files(s);
    keep_by_policy(s);
    int64_t wait = engine_turn(s->engine);
    note_figures(s);
    if (wait <= 0)
        turn_soon(s);
    else
        loop_timer_set(s->timer, (wait + 999) / 1000);
}

static void run(void *ctx)
{
    loop_run(((struct sched *)ctx)->loop);
}

void sched_wake(struct sched *s)
{
    engine_wake(s->engine);
}

void sched_answer(struct sched *s, struct work_order *o, const struct work_answer *a)
{
    engine_answer(s->engine, o, a);
}

void sched_called_back(struct sched *s, int64_t id)
{
    engine_called_back(s->engine, id);
}

const struct dag *sched_dag(struct sched *s, struct slice id)
{
    return engine_dag(s->engine, id);
}

uint32_t sched_dags(struct sched *s, const struct dag **out, uint32_t max)
{
    return engine_dags(s->engine, out, max);
}

/* --- opening ----------------------------------------------------------------------------------
 */

struct places { /* in the data directory */
    char folder[4096], file[4200], key[4200];
};

static struct places places_in(const char *data_dir, const char *key_file)
{
    struct places p;
    snprintf(p.folder, sizeof(p.folder), "%s/workflows", data_dir);
    snprintf(p.file, sizeof(p.file), "%s/meta.db", p.folder);
    snprintf(p.key, sizeof(p.key), "%s%s", key_file ? key_file : p.folder, key_file ? "" : "/key");
    return p;
}

err_t sched_secret(const char *data_dir, const char *key_file, struct secret_ring *out,
                   struct diag *d)
{
    struct places p = places_in(data_dir, key_file);
    err_t err = dir_make(p.folder, d);
    return err ? err : secret_ring_load(p.key, getenv("SLUICE_WORKFLOW_KEY"), out, d);
}

err_t sched_meta_open(const char *data_dir, const char *database, const char *key_file,
                      struct meta **out, struct diag *d)
{
    struct places p = places_in(data_dir, key_file);
    struct secret_ring ring = {0};
    err_t err = sched_secret(data_dir, key_file, &ring, d);
    struct meta_options o = {.where = database && *database ? database : p.file, .secret = &ring};
    if (!err) err = meta_open(&o, out, d);
    secret_ring_done(&ring);
    if (err) return err;
    err = meta_migrate(*out, d);
    if (!err) return ERR_OK;
    meta_close(*out);
    *out = NULL;
    return err;
}

err_t sched_keys_rotate(const char *data_dir, const char *database, const char *key_file,
                        int64_t *count, struct diag *d)
{
    struct places p = places_in(data_dir, key_file);
    struct secret_ring ring = {0};
    const char *given = getenv("SLUICE_WORKFLOW_KEY");
    if (given && *given) {
        (void)diag_fail(d, ERR_USAGE, "the key of workflows comes from SLUICE_WORKFLOW_KEY");
        return diag_hint(d, "put the new key before the old one there, with a comma between");
    }
    err_t err = secret_ring_load(p.key, NULL, &ring, d);
    if (!err) err = meta_rotate(database && *database ? database : p.file, p.key, &ring, count, d);
    secret_ring_done(&ring);
    return err;
}

/* Who this scheduler is, over restarts: a name of its own that stays in its data folder. */
static err_t own_identity(struct sched *s, struct diag *d)
{
    char path[4200], text[64];
    struct slice known = {0};
    snprintf(path, sizeof(path), "%s/workflows/scheduler", s->o.data_dir);
    err_t err = file_exists(path) ? file_load(path, 128, &known, d) : ERR_OK;
    if (err) return err;
    struct slice name = slice_trim(known);
    if (name.len == 0) {
        struct rng r = rng_make((uint64_t)clock_wall_us() ^ (uint64_t)getpid() << 40);
        uint8_t random[16];
        for (size_t i = 0; i < sizeof(random); i++) random[i] = (uint8_t)rng_next(&r);
        uuid_print(uuid_v4(random), text);
        name = slice_of(text);
        err = file_store(path, name, d);
    }
    if (!err) s->identity = mem_text(name);
    mem_give((void *)(uintptr_t)known.at);
    return err || s->identity ? err : ERR_NO_MEMORY;
}

static err_t make_logs(struct sched *s, struct diag *d)
{
    char path[4200];
    snprintf(path, sizeof(path), "%s/workflows/logs", s->o.data_dir);
    s->logs = mem_text(slice_of(path));
    return s->logs ? dir_make(path, d) : ERR_NO_MEMORY;
}

static err_t open_engine(struct sched *s, struct diag *d)
{
    err_t err = s->o.workshop(s->o.workshop_ctx, &s->o, s, s->loop, &s->workshop, d);
    if (err) return err;
    if (gethostname(s->host, sizeof(s->host) - 1)) snprintf(s->host, sizeof(s->host), "localhost");
    struct engine_options o = {
        .meta = s->meta,
        .identity = s->identity,
        .host = s->host,
        .pid = getpid(),
        .logs_dir = s->logs,
        .workshop = s->workshop,
        .wall_us = sched_wall,
        .mono_us = sched_mono,
        .clock = s,
        .data_at = s->o.port.data_at,
        .data_ctx = s->o.port.ctx,
        .wake = turn_soon,
        .wake_ctx = s,
        .parallelism = s->o.parallelism,
        .look_us = s->o.look_ms * 1000,
        .seed = (uint64_t)clock_wall_us() ^ (uint64_t)getpid() << 40,
    };
    return engine_open(&o, &s->engine, d);
}

static err_t open_all(struct sched *s, struct diag *d)
{
    err_t err = sched_meta_open(s->o.data_dir, s->o.database, s->o.key_file, &s->meta, d);
    if (!err) err = meta_files_set(s->meta, s->o.project_dir, d);
    if (!err) err = api_quotas_set(s->meta, s->o.quotas, s->o.quota_count, d);
    if (!err) err = own_identity(s, d);
    if (!err) err = make_logs(s, d);
    if (!err) err = loop_new("sched", 65536, &s->loop, d);
    if (!err) err = open_engine(s, d);
    if (!err) err = read_files(s, d);
    if (!err) err = loop_timer_new(s->loop, 0, 0, turn, s, &s->timer);
    return err ? err : thread_start(&s->thread, "sched", run, s, d);
}

err_t sched_open(const struct sched_options *o, struct sched **out, struct diag *d)
{
    struct sched *s = mem_take(sizeof(*s));
    if (!s) return ERR_NO_MEMORY;
    s->o = *o;
    s->logs_kept_from = INT64_MIN;
    if (s->o.look_ms <= 0) s->o.look_ms = 1000;
    gate_init(&s->gate);
    s->files = dag_files_new(o->project_dir, &o->dag_defaults);
    err_t err = s->files ? open_all(s, d) : ERR_NO_MEMORY;
    if (err)
        sched_close(s);
    else
        *out = s;
    return err;
}

void sched_close(struct sched *s)
{
    if (!s) return;
    if (s->thread.started) {
        loop_stop(s->loop);
        thread_join(&s->thread);
    }
    if (s->workshop.close) s->workshop.close(s->workshop.ctx);
    engine_close(s->engine);
    if (s->workshop.free) s->workshop.free(s->workshop.ctx);
    loop_timer_free(s->timer);
    if (s->loop) loop_free(s->loop);
    meta_close(s->meta);
    dag_files_free(s->files);
    mem_give(s->logs);
    mem_give(s->identity);
    gate_done(&s->gate);
    mem_give(s);
}

/* --- without a server -------------------------------------------------------------------------
 */

struct reading {
    const struct dag_reading *into;
};

static err_t give_dag(void *ctx, const struct dag *g, struct diag *d)
{
    struct reading *r = ctx;
    (void)d;
    dag_hold(g);
    r->into->dag(r->into->ctx, (struct dag *)(uintptr_t)g);
    return ERR_OK;
}

err_t sched_dags_read(const char *project_dir, const struct dag_reading *into, struct diag *d)
{
    struct reading r = {into};
    bool changed;
    struct dag_files *files = dag_files_new(project_dir, &into->defaults);
    err_t err = files ? dag_files_scan(files, &changed, d) : ERR_NO_MEMORY;
    if (!err) err = dag_files_each(files, give_dag, &r, d);
    if (!err) dag_files_wrongs(files, into->wrong, into->ctx);
    dag_files_free(files);
    return err;
}
