#include "door/metrics/figures_int.h"

#include "log/log.h"
#include "os/file.h"
#include "sched/meta.h"

#include <string.h>

enum { ARENA_MAX = 64 << 20 };

static const struct metric_family families[FIGURE_COUNT] = {
#define FAMILY(id, name, kind, labels, about) [FIGURE_##id] = {name, labels, METRIC_##kind, about},
#include "door/metrics/families.def"
#undef FAMILY
};

void metrics_families(metric_each *each, void *ctx)
{
    for (int i = 0; i < FIGURE_COUNT; i++) each(ctx, &families[i]);
}

void figure(struct figures *f, enum figure_id id, const struct slice *labels, double value)
{
    struct buf *out = &f->parts[id];
    buf_text(out, families[id].name);
    const char *name = families[id].labels;
    for (uint32_t i = 0; *name; i++) {
        size_t len = strcspn(name, ",");
        buf_char(out, i ? ',' : '{');
        buf_put(out, name, len);
        buf_text(out, "=\"");
        metric_put_label(out, labels[i]);
        buf_char(out, '"');
        name += len + (name[len] == ',');
        if (!*name) buf_char(out, '}');
    }
    buf_printf(out, " %.17g\n", value);
}

void figures_reset(struct figures *f, enum figure_id from, enum figure_id to)
{
    for (int i = (int)from; i <= (int)to; i++) buf_reset(&f->parts[i]);
}

/* --- of the process and its machine -------------------------------------------------------------
 */

static void put_process(struct metrics *m, const struct report_facts *facts)
{
    const struct exec_world *w = m->o.world;
    struct store_stats s = store_stats(w->store);
    struct slice version = slice_of(facts->version ? facts->version : "");
    uint64_t left, all;
    const struct {
        enum figure_id id;
        double value;
    } rows[] = {
        {FIGURE_RESIDENT, (double)facts->memory_bytes},
        {FIGURE_CPU, (double)facts->cpu_ns / 1e9},
        {FIGURE_STARTED, (double)facts->started_ms / 1e3},
        {FIGURE_BUDGET, (double)facts->memory_budget},
        {FIGURE_STORAGE_BAD, log_must_reopen(w->log) || store_must_reopen(w->store)},
        {FIGURE_STORE_DISK, (double)s.disk_bytes},
        {FIGURE_STORE_MEM, (double)s.memtable_bytes},
        {FIGURE_STORE_CACHE, (double)s.cache_bytes},
        {FIGURE_STORE_RUN, (double)s.compactions_running},
        {FIGURE_STORE_DEBT, (double)s.pending_compaction_bytes},
    };
    figure(&m->figures, FIGURE_BUILD, &version, 1);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        figure(&m->figures, rows[i].id, NULL, rows[i].value);
    if (disk_free(m->o.data, &left, &all, &(struct diag){0})) return;
    figure(&m->figures, FIGURE_DISK_FREE, NULL, (double)left);
    figure(&m->figures, FIGURE_DISK_SIZE, NULL, (double)all);
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static err_t put_parts(struct metrics *m, struct buf *out)
{
    err_t e = ERR_OK;
    for (int i = 0; i < FIGURE_COUNT; i++) {
        const struct buf *part = &m->figures.parts[i];
        if (!e) e = part->err;
        if (!part->len) continue;
        metric_put_head(out, &families[i]);
        buf_slice(out, buf_view(part));
    }
    return e ? e : out->err;
}

static err_t gather(struct metrics *m, struct buf *out)
{
    struct report_facts facts;
    m->o.facts(m->o.ctx, &facts);
    arena_reset(m->arena);
    figures_reset(&m->figures, 0, FIGURE_A_STATUS - 1); /* what follows may stay as it is */
    figures_reset(&m->figures, FIGURE_A_STATUS + 1, FIGURE_COUNT - 1);
    put_process(m, &facts);
    if (m->o.world->flow) figures_stages(m, &facts);
    figures_kafka(m);
    figures_tables(m);
    figures_workflows(m);
    metric_put_all(out);
    err_t e = put_parts(m, out);
    if (m->o.more) m->o.more(m->o.ctx, out);
    return e ? e : out->err;
}

err_t metrics_put(struct metrics *m, struct buf *out)
{
    gate_enter(&m->gate);
    while (m->busy) gate_wait(&m->gate);
    m->busy = true;
    gate_leave(&m->gate);
    err_t e = gather(m, out);
    gate_enter(&m->gate);
    m->busy = false;
    gate_wake(&m->gate);
    gate_leave(&m->gate);
    return e;
}

/* --- open, close --------------------------------------------------------------------------------
 */

err_t metrics_new(const struct metrics_options *o, struct metrics **out, struct diag *d)
{
    struct metrics *m = mem_take(sizeof(*m));
    if (m) {
        m->o = *o;
        gate_init(&m->gate);
        for (int i = 0; i < FIGURE_COUNT; i++) m->figures.parts[i] = buf_make(METRICS_BYTES_MAX);
        m->arena = arena_new(ARENA_MAX);
    }
    if (m && m->arena) {
        *out = m;
        return ERR_OK;
    }
    metrics_free(m);
    return diag_fail(d, ERR_NO_MEMORY, "no memory for metrics");
}

void metrics_free(struct metrics *m)
{
    if (!m) return;
    meta_close(m->meta);
    for (int i = 0; i < FIGURE_COUNT; i++) buf_done(&m->figures.parts[i]);
    arena_free(m->arena);
    gate_done(&m->gate);
    mem_give(m);
}
