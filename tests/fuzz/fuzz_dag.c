/* A file of dags: each dag of it that is taken holds together: tasks after those they wait for,
 * edges both ways, groups inside groups that are there. */
#include "fuzz.h"
#include "sched/dag.h"

static bool has(const uint32_t *list, uint32_t count, uint32_t wanted)
{
    for (uint32_t i = 0; i < count; i++)
        if (list[i] == wanted) return true;
    return false;
}

static void take_dag(void *ctx, struct dag *g)
{
    (void)ctx;
    if (!g->id.len || g->id.len > DAG_ID_MAX || g->task_count > DAG_TASKS_MAX) abort();
    for (uint32_t i = 0; i < g->task_count; i++) {
        const struct dag_task *t = &g->tasks[i];
        if (!t->kind || t->group >= (int32_t)g->group_count) abort();
        if (dag_task_find(g, t->id) != (int32_t)i) abort();
        for (uint32_t k = 0; k < t->upstream_count; k++) {
            const struct dag_task *up = &g->tasks[t->upstream[k]];
            if (t->upstream[k] >= i || !has(up->downstream, up->downstream_count, i)) abort();
        }
        for (uint32_t k = 0; k < t->downstream_count; k++) {
            const struct dag_task *down = &g->tasks[t->downstream[k]];
            if (t->downstream[k] <= i || !has(down->upstream, down->upstream_count, i)) abort();
        }
    }
    for (uint32_t i = 0; i < g->group_count; i++)
        if (g->groups[i].parent >= (int32_t)i) abort();
    dag_give(g);
}

static void take_mistake(void *ctx, struct slice dag_id, const struct diag *d)
{
    (void)ctx, (void)dag_id;
    if (!d->err || !d->what[0]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    const struct dag_reading into = {NULL, take_dag, take_mistake};
    struct diag d = {0};
    uint8_t *copy = fuzz_copy(bytes, size, 0);
    err_t e = dags_read(slice_make(copy, size), "dags.yaml", &into, &d);
    if (e && !d.what[0]) abort();
    mem_give(copy);
    return 0;
}
