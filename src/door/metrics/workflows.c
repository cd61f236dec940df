/* Workflows, under the names of Airflow's exporters. */
#include "door/metrics/figures_int.h"

#include "base/metric.h"
#include "os/clock.h"
#include "sched/watch.h"

/* Counted by this process; `rate` and `increase` take care of restarts. */
static const struct {
    enum figure_id id;
    enum metric_id count;
} counted[] = {{FIGURE_A_BEATS, METRIC_sched_beats_total},
               {FIGURE_A_WELL, METRIC_sched_tasks_succeeded_total},
               {FIGURE_A_BADLY, METRIC_sched_tasks_failed_total}};

static double number_at(const struct meta_row *row, uint32_t i)
{
    return row->at[i].kind == META_INT ? (double)row->at[i].number : 0;
}

static err_t put_counts(void *ctx, const struct meta_row *row)
{
    struct metrics *m = ctx;
    figure(&m->figures, FIGURE_A_DAGS, NULL, number_at(row, 0));
    figure(&m->figures, FIGURE_A_ERRORS, NULL, number_at(row, 1));
    figure(&m->figures, FIGURE_A_RUNNING, NULL, number_at(row, 2));
    figure(&m->figures, FIGURE_A_QUEUED, NULL, number_at(row, 3));
    return ERR_OK;
}

static err_t put_pool(void *ctx, const struct meta_row *row)
{
    struct metrics *m = ctx;
    struct slice name = row->at[0].text;
    double slots = number_at(row, 1), running = number_at(row, 2), queued = number_at(row, 3);
    figure(&m->figures, FIGURE_A_USED, &name, running);
    figure(&m->figures, FIGURE_A_WAITING, &name, queued);
    if (slots >= 0) figure(&m->figures, FIGURE_A_OPEN, &name, slots - running - queued);
    return ERR_OK;
}

static err_t put_last(void *ctx, const struct meta_row *row)
{
    struct metrics *m = ctx;
    if (row->at[2].kind != META_TEXT) return ERR_OK; /* it has no run yet */
    const struct slice labels[] = {row->at[0].text, row->at[2].text,
                                   slice_of(number_at(row, 1) != 0 ? "true" : "false")};
    figure(&m->figures, FIGURE_A_LAST, labels, 1);
    return ERR_OK;
}

static err_t put_status(void *ctx, const struct meta_row *row)
{
    struct metrics *m = ctx;
    const struct slice labels[] = {row->at[0].text, row->at[1].text};
    figure(&m->figures, FIGURE_A_STATUS, labels, number_at(row, 2));
    return ERR_OK;
}

static err_t put_running(void *ctx, const struct meta_row *row)
{
    struct metrics *m = ctx;
    double began = number_at(row, 1);
    if (began > 0)
        figure(&m->figures, FIGURE_A_TAKES, &row->at[0].text,
               MAX((double)clock_wall_us() - began, 0.0) / 1e6);
    return ERR_OK;
}

/* Runs are counted anew only when the database has changed: they are as many as its history. */
static err_t put_runs(struct metrics *m, struct diag *d)
{
    uint64_t digest;
    err_t e = watch_all(m->meta, &digest, d);
    if (e || (m->counted && digest == m->digest)) return e;
    figures_reset(&m->figures, FIGURE_A_STATUS, FIGURE_A_STATUS);
    e = meta_run(m->meta, META_FIGURES_RUNS, NULL, 0, put_status, m, NULL, d);
    m->counted = !e;
    m->digest = digest;
    return e;
}

static err_t ask(struct metrics *m, struct diag *d)
{
    static const struct {
        enum meta_statement what;
        err_t (*put)(void *ctx, const struct meta_row *row);
    } all[] = {{META_FIGURES_COUNTS, put_counts},
               {META_FIGURES_POOLS, put_pool},
               {META_FIGURES_DAGS, put_last},
               {META_FIGURES_RUNNING, put_running}};
    err_t e = m->meta ? ERR_OK : m->o.meta(m->o.ctx, &m->meta, d);
    for (size_t i = 0; i < COUNT_OF(all) && !e; i++)
        e = meta_run(m->meta, all[i].what, NULL, 0, all[i].put, m, NULL, d);
    return e ? e : put_runs(m, d);
}

void figures_workflows(struct metrics *m)
{
    struct diag d = {0};
    err_t e = ask(m, &d);
    if (e == ERR_NOT_FOUND && !m->meta) return; /* there are no workflows */
    for (size_t i = 0; i < COUNT_OF(counted); i++)
        figure(&m->figures, counted[i].id, NULL, (double)metric_get(counted[i].count));
    if (!e) return;
    /* half of it would look like all of it; the next time begins with a connection of its own */
    figures_reset(&m->figures, FIGURE_A_DAGS, FIGURE_A_TAKES);
    meta_close(m->meta);
    m->meta = NULL;
    m->counted = false;
}
