#include "sched/watch.h"

#include "base/hash.h"

static uint64_t mix(uint64_t digest, const struct meta_value *v)
{
    int64_t n = v->kind == META_NULL ? -1 : v->kind == META_REAL ? (int64_t)v->real : v->number;
    return hash64(slice_make(&n, sizeof(n)), digest);
}

static err_t take_numbers(void *ctx, const struct meta_row *row)
{
    uint64_t *digest = ctx;
    for (uint32_t i = 0; i < row->count; i++) *digest = mix(*digest, &row->at[i]);
    return ERR_OK;
}

err_t watch_all(struct meta *m, uint64_t *digest, struct diag *d)
{
    *digest = 0;
    return meta_run(m, META_WATCH_ALL, NULL, 0, take_numbers, digest, NULL, d);
}

struct runs {
    err_t (*each)(void *ctx, const struct watch_run *run);
    void *ctx;
    uint64_t digest;
};

static err_t take_run(void *ctx, const struct meta_row *row)
{
    struct runs *r = ctx;
    struct watch_run run = {row->at[0].text, row->at[1].number};
    r->digest = mix(hash64(run.run_id, r->digest), &row->at[1]);
    return r->each(r->ctx, &run);
}

err_t watch_dag(struct meta *m, struct slice dag_id,
                err_t (*each)(void *ctx, const struct watch_run *run), void *ctx, uint64_t *digest,
                struct diag *d)
{
    struct runs r = {each, ctx, 0};
    struct meta_value args[] = {meta_text(dag_id)};
    err_t e = meta_run(m, META_WATCH_DAG, args, 1, take_numbers, &r.digest, NULL, d);
    if (!e) e = meta_run(m, META_WATCH_RUNS, args, 1, take_run, &r, NULL, d);
    *digest = r.digest;
    return e;
}

err_t watch_run(struct meta *m, struct slice dag_id, struct slice run_id, uint64_t *digest,
                struct diag *d)
{
    struct meta_value args[] = {meta_text(dag_id), meta_text(run_id)};
    *digest = 0;
    return meta_run(m, META_WATCH_RUN, args, 2, take_numbers, digest, NULL, d);
}

struct log_at {
    struct arena *arena;
    const char **path;
    bool *over;
};

static err_t take_log(void *ctx, const struct meta_row *row)
{
    const struct log_at *l = ctx;
    *l->over = row->at[1].kind != META_NULL;
    if (row->at[0].kind == META_NULL) return ERR_OK;
    *l->path = arena_text(l->arena, row->at[0].text);
    return *l->path ? ERR_OK : ERR_NO_MEMORY;
}

err_t watch_log(struct meta *m, const struct watch_try *t, struct arena *a, const char **path,
                bool *over, struct diag *d)
{
    struct log_at l = {a, path, over};
    struct meta_value args[] = {meta_text(t->dag_id), meta_text(t->run_id), meta_text(t->task_id),
                                meta_int(t->map_index), meta_int(t->number)};
    *path = NULL;
    *over = false;
    return meta_run(m, META_WATCH_TRY, args, COUNT_OF(args), take_log, &l, NULL, d);
}
