/* What the server takes of the machine: memory and processor, by stage, by part, by thread. */
#include "door/console/console_int.h"
#include "door/console/resources.h"

#include "os/file.h"
#include "os/usage.h"

#include <math.h>
#include <stdio.h>

/* --- threads, by name ----------------------------------------------------------------------------
 */

/* Who they are: the longest beginning counts. */
static const struct {
    const char *begin, *room;
} thread_rooms[] = {
    {"sluice", "main: the loop of the small doors"},
    {"main", "main: the loop of the small doors"},
    {"kafka", "door/kafka: connections"},
    {"kafka-work", "door/kafka: requests that wait for the disk"},
    {"kafka-login", "door/kafka: logins"},
    {"cql", "door/cql: connections"},
    {"cql-login", "door/cql: logins"},
    {"cql-work", "cql: long statements"},
    {"coord", "coord: groups and transactions"},
    {"log-writer", "log: appends"},
    {"log-sync", "log: fdatasync"},
    {"log-cleaner", "log: compaction"},
    {"store", "store: commits and upkeep"},
    {"rocksdb", "store: RocksDB's flushes and compactions"},
    {"sched", "sched: the scheduler"},
    {"sched-work", "sched: tasks that run here"},
    {"console", "door/console: requests"},
    {"console-login", "door/console: logins"},
    {"console-live", "door/console: live values, once for all who look"},
    {"airflow", "door/airflow: requests"},
    {"alert", "alert: rules and letters"},
    {"metrics", "door/metrics: the figures of /metrics"},
    {"query", "exec: statements of the command line"},
};

static const char *room_of_thread(const struct thread_group *g)
{
    const char *room = "";
    size_t best = 0;
    if (g->stage) return "flow: a source, or a stream's lanes and feeders";
    for (size_t i = 0; i < COUNT_OF(thread_rooms); i++) {
        size_t len = strlen(thread_rooms[i].begin);
        if (len < best || strncmp(g->name, thread_rooms[i].begin, len) != 0) continue;
        best = len;
        room = thread_rooms[i].room;
    }
    return room;
}

/* A stage's threads have the beginning of its name; a feeder's has '+' before it. */
static err_t gather_stage(void *ctx, const struct flow_status *f)
{
    struct thread_groups *all = ctx;
    if (all->stage_count == THREAD_STAGES_MAX) return ERR_OK;
    (void)slice_to_cstr(slice_make(f->name.at, MIN(f->name.len, 12u)),
                        all->stages[all->stage_count++], sizeof(all->stages[0]));
    return ERR_OK;
}

static bool is_stage(const struct thread_groups *all, const char *thread)
{
    for (uint32_t i = 0; i < all->stage_count; i++)
        if (strcmp(all->stages[i], thread + (thread[0] == '+')) == 0) return true;
    return false;
}

/* "kafka-0" and "kafka-1" are one: what stands at the end is a number. */
static void group_name(const char *thread, char out[16])
{
    size_t len = strlen(thread), whole = len;
    while (len > 1 && thread[len - 1] >= '0' && thread[len - 1] <= '9') len--;
    while (len > 1 && len < whole && strchr("-:. ", thread[len - 1])) len--;
    (void)slice_to_cstr(slice_make(thread, len), out, 16);
}

static bool gather_thread(void *ctx, const struct usage_thread *t)
{
    struct thread_groups *all = ctx;
    char name[16];
    bool stage = is_stage(all, t->name);
    uint32_t i = 0;
    if (stage)
        memcpy(name, t->name, sizeof(name));
    else
        group_name(t->name, name);
    while (i < all->count && (strcmp(all->of[i].name, name) != 0 || all->of[i].stage != stage)) i++;
    if (i == THREAD_GROUPS_MAX) return true; /* so many names: those of before are told */
    if (i == all->count) {
        all->of[all->count++] = (struct thread_group){.stage = stage};
        memcpy(all->of[i].name, name, sizeof(name));
    }
    all->of[i].threads++;
    all->of[i].cpu_ns += t->cpu_ns;
    return true;
}

err_t thread_groups_read(const struct exec_world *w, struct thread_groups *out)
{
    out->count = out->stage_count = 0;
    err_t e = w->flow ? flow_each(w->flow, gather_stage, out) : ERR_OK;
    usage_threads(&out->names, gather_thread, out);
    return e;
}

/* --- what is told -------------------------------------------------------------------------------
 */

struct telling {
    struct console *console;
    struct buf *out;
    struct memory_parts memory;
};

/* The rate of the last two seconds; null: not known yet. */
static void put_rate(const struct telling *t, const char *part)
{
    js_put_real(t->out, "cpu", console_last(t->console, part, "cpu"));
}

static err_t add_stage_memory(void *ctx, const struct flow_status *f)
{
    ((struct memory_parts *)ctx)->stages += f->memory;
    return ERR_OK;
}

err_t memory_parts_read(const struct exec_world *w, struct memory_parts *out)
{
    *out = (struct memory_parts){.buffers = mem_held()};
    if (w->store) {
        struct store_stats s = store_stats(w->store);
        out->rows_fresh = s.memtable_bytes;
        out->rows_cached = s.cache_bytes;
        out->disk = s;
    }
    return w->flow ? flow_each(w->flow, add_stage_memory, out) : ERR_OK;
}

static err_t put_stage(void *ctx, const struct flow_status *f)
{
    const struct telling *t = ctx;
    struct buf *out = t->out;
    char part[RESOURCE_PART_MAX];
    snprintf(part, sizeof(part), "%s:%.*s", f->is_source ? "source" : "stream", SLICE_ARG(f->name));
    js_open(out, '{');
    js_put_cstr(out, "kind", f->is_source ? "source" : "stream");
    js_put_text(out, "name", f->name);
    js_put_uint(out, "cpu_ns", f->cpu_ns);
    put_rate(t, part);
    js_put_uint(out, "memory", f->memory);
    js_put_uint(out, "state_bytes", f->state_bytes);
    js_put_uint(out, "state_rows", f->state_rows);
    js_put_uint(out, "threads", f->is_source ? 1 : f->lanes + f->feeders);
    js_close(out, '}');
    return ERR_OK;
}

static void put_memory(const struct telling *t, const struct report_facts *f, const struct usage *u)
{
    const struct memory_parts *m = &t->memory;
    struct buf *out = t->out;
    uint64_t known = m->rows_fresh + m->rows_cached + m->buffers;
    js_put_open(out, "memory", '{');
    js_put_uint(out, "used", f->memory_bytes);
    js_put_uint(out, "budget", f->memory_budget);
    js_put_uint(out, "machine", u->machine);
    js_put_uint(out, "resident", u->rss);
    js_put_uint(out, "resident_peak", u->rss_peak);
    js_put_uint(out, "swapped", u->swap);
    js_put_uint(out, "rows_fresh", m->rows_fresh);
    js_put_uint(out, "rows_cached", m->rows_cached);
    js_put_uint(out, "buffers", m->buffers);
    js_put_uint(out, "stages", m->stages);
    js_put_uint(out, "rest", f->memory_bytes > known ? f->memory_bytes - known : 0);
    js_close(out, '}');
}

static err_t add_topic(void *ctx, struct log_topic *topic)
{
    for (int32_t i = 0; i < log_topic_partitions(topic); i++)
        *(uint64_t *)ctx += log_partition_bytes(log_partition(topic, i));
    return ERR_OK;
}

static err_t put_disk(const struct telling *t)
{
    const struct store_stats *s = &t->memory.disk;
    struct buf *out = t->out;
    struct diag none;
    uint64_t left, total, topics = 0;
    bool known = !disk_free(t->console->o.data, &left, &total, &none);
    err_t e = log_topics(t->console->o.world->log, add_topic, &topics);
    js_put_open(out, "disk", '{');
    js_put_real(out, "free", known ? (double)left : (double)NAN);
    js_put_real(out, "size", known ? (double)total : (double)NAN);
    js_put_uint(out, "tables", s->disk_bytes);
    js_put_uint(out, "topics", topics);
    js_put_uint(out, "to_compact", s->pending_compaction_bytes);
    js_put_uint(out, "compactions", s->compactions_running);
    js_close(out, '}');
    return e;
}

static void put_threads(const struct telling *t, const struct thread_groups *all)
{
    char part[RESOURCE_PART_MAX];
    js_put_open(t->out, "threads", '[');
    for (uint32_t i = 0; i < all->count; i++) {
        const struct thread_group *g = &all->of[i];
        snprintf(part, sizeof(part), "thread:%s", g->name);
        js_open(t->out, '{');
        js_put_cstr(t->out, "name", g->name);
        js_put_cstr(t->out, "room", room_of_thread(g));
        js_put_uint(t->out, "count", g->threads);
        js_put_int(t->out, "cpu_ns", g->cpu_ns);
        put_rate(t, part);
        js_close(t->out, '}');
    }
    js_close(t->out, ']');
}

static err_t put_resources(struct console *c, struct arena *a, struct buf *out, struct diag *d)
{
    struct telling t = {.console = c, .out = out};
    struct exec_world *w = c->o.world;
    struct thread_groups *threads = arena_take(a, sizeof(*threads));
    const struct report_facts *f = console_facts(c, a);
    struct usage u;
    if (!threads || !f) return diag_fail(d, ERR_NO_MEMORY, "no memory to tell of memory");
    usage_read(&u);
    err_t e = memory_parts_read(w, &t.memory);
    if (!e) e = thread_groups_read(w, threads);
    js_open(out, '{');
    js_put_int(out, "pid", f->pid);
    js_put_time(out, "started", f->started_ms);
    js_put_int(out, "processors", thread_cores());
    js_put_int(out, "cpu_ns", f->cpu_ns);
    put_rate(&t, "server");
    js_put_uint(out, "files", u.files);
    js_put_uint(out, "files_max", u.files_max);
    put_memory(&t, f, &u);
    if (!e) e = put_disk(&t);
    js_put_open(out, "stages", '[');
    if (!e && w->flow) e = flow_each(w->flow, put_stage, &t);
    js_close(out, ']');
    put_threads(&t, threads);
    js_close(out, '}');
    return e ? diag_fail(d, e, "what the server takes can not be read") : ERR_OK;
}

err_t console_resources(struct ask *a)
{
    return put_resources(a->console, a->arena, &a->out, &a->d);
}

err_t live_resources(struct look *k)
{
    return put_resources(k->console, k->arena, &k->out, &k->d);
}

/* --- noted, every two seconds -------------------------------------------------------------------
 */

void resources_note(struct console *c, struct thread_groups *threads)
{
    struct memory_parts m;
    struct usage u;
    char part[RESOURCE_PART_MAX];
    usage_read(&u);
    console_note(c, "server", "resident", (double)u.rss);
    if (!memory_parts_read(c->o.world, &m)) {
        console_note(c, "server", "rows_fresh", (double)m.rows_fresh);
        console_note(c, "server", "rows_cached", (double)m.rows_cached);
        console_note(c, "server", "buffers", (double)m.buffers);
        console_note(c, "server", "stages", (double)m.stages);
    }
    if (thread_groups_read(c->o.world, threads)) return; /* a gap; told where it is looked at */
    for (uint32_t i = 0; i < threads->count; i++) {
        snprintf(part, sizeof(part), "thread:%s", threads->of[i].name);
        sampling_growth(c, part, "cpu", (double)threads->of[i].cpu_ns / 1e9);
    }
}
