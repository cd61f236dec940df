#include "sched/engine_int.h"

#include "base/say.h"

/* --- others' changes --------------------------------------------------------------------------
 */

static err_t seen_version(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    struct run *r = engine_run(e, row->at[0].number);
    if (!r) {
        e->must_sweep = true;
        return ERR_OK;
    }
    r->seen = true;
    if (r->row.version != row->at[1].number || r->row.token != row->at[2].number) r->stale = true;
    return ERR_OK;
}

static err_t owned_id(void *ctx, const struct meta_row *row)
{
    struct vec *ids = ctx;
    return vec_push(ids, &row->at[0].number);
}

static err_t load_owned(struct engine *e, struct diag *d)
{
    struct vec ids = vec_make(sizeof(int64_t), ENGINE_RUNS_MAX);
    struct meta_value args[] = {meta_text(slice_of(e->o.identity))};
    err_t err = meta_run(e->meta, META_RUN_VERSIONS, args, 1, owned_id, &ids, NULL, d);
    for (size_t i = 0; i < ids.count && !err; i++) {
        int64_t id = *(int64_t *)vec_at(&ids, i);
        struct run_row row;
        if (engine_run(e, id)) continue;
        err = run_row_get(e->meta, id, e->scratch, &row, d);
        if (!err) err = engine_load(e, &row, d);
    }
    vec_done(&ids);
    return err;
}

/* Runs that are ours by the database but not in memory: taken over, or left by a failure. */
static err_t sweep_owned(struct engine *e, struct diag *d)
{
    err_t err = meta_begin(e->meta, true, d);
    if (!err) err = load_owned(e, d);
    if (!err) err = meta_commit(e->meta, d);
    if (err)
        engine_undone(e);
    else
        engine_committed(e);
    return err;
}

static err_t take_owner(struct engine *e, const char *from, struct diag *d)
{
    struct meta_value args[] = {meta_text(slice_of(from)), meta_text(slice_of(e->o.identity))};
    int64_t changed = 0;
    err_t err = meta_run(e->meta, META_RUNS_TAKE, args, 2, NULL, NULL, &changed, d);
    if (!err) err = meta_run(e->meta, META_CALLBACKS_TAKE, args, 2, NULL, NULL, NULL, d);
    if (!err && changed > 0)
        say_warn(SAY_SCHED, "runs taken over", "from=%s runs=%lld", from, (long long)changed);
    if (changed > 0) e->must_sweep = true;
    return err;
}

static struct other_scheduler *other_find(struct engine *e, struct slice name)
{
    for (size_t i = 0; i < e->others.count; i++) {
        struct other_scheduler *o = vec_at(&e->others, i);
        if (slice_is(name, o->name)) return o;
    }
    return NULL;
}

static err_t seen_scheduler(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    struct slice name = row->at[0].text;
    if (slice_is(name, e->o.identity)) return ERR_OK;
    struct other_scheduler *o = other_find(e, name);
    if (!o) {
        o = vec_add(&e->others);
        if (!o || !slice_to_cstr(name, o->name, sizeof(o->name))) return ERR_TOO_BIG;
        o->heartbeat = TIME_NONE;
    }
    o->seen = true;
    if (o->heartbeat != row->at[1].number) o->seen_mono = e->mono;
    o->heartbeat = row->at[1].number;
    return ERR_OK;
}

static err_t seen_owner(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    if (row->at[0].kind == META_NULL) {
        struct meta_value args[] = {meta_text(slice_of(e->o.identity))};
        e->must_sweep = true;
        return meta_run(e->meta, META_RUNS_TAKE_NOBODYS, args, 1, NULL, NULL, NULL, NULL);
    }
    struct slice name = row->at[0].text;
    char text[128];
    if (slice_is(name, e->o.identity) || other_find(e, name)) return ERR_OK;
    if (!slice_to_cstr(name, text, sizeof(text))) return ERR_TOO_BIG;
    return take_owner(e, text, NULL);
}

/* Who does not beat any more, by our clock that never steps, is dead: what it owned is ours. */
static err_t sweep_others(struct engine *e, struct diag *d)
{
    for (size_t i = 0; i < e->others.count; i++)
        ((struct other_scheduler *)vec_at(&e->others, i))->seen = false;
    err_t err = meta_run(e->meta, META_JOBS_RUNNING, NULL, 0, seen_scheduler, e, NULL, d);
    for (size_t i = e->others.count; i-- > 0 && !err;) {
        struct other_scheduler *o = vec_at(&e->others, i);
        bool dead = o->seen && e->mono - o->seen_mono >= e->o.lease_us;
        if (o->seen && !dead) continue;
        struct meta_value args[] = {meta_text(slice_of(o->name)), meta_int(e->now)};
        if (dead) err = meta_run(e->meta, META_JOBS_OF_NAME_END, args, 2, NULL, NULL, NULL, d);
        if (!err) err = take_owner(e, o->name, d);
        if (!err) vec_remove(&e->others, i);
    }
    return err ? err : meta_run(e->meta, META_RUN_OWNERS, NULL, 0, seen_owner, e, NULL, d);
}

static err_t waiting_runs(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    struct engine_dag *of = engine_dag_find(e, row->at[0].text);
    if (of && !of->gone && !of->paused) engine_promote_later(e, of);
    int64_t after = row->at[2].number;
    if (after > e->now && after < e->next_queued_at) e->next_queued_at = after;
    return ERR_OK;
}

static err_t look_versions(struct engine *e, struct diag *d)
{
    struct slice key;
    void *value;
    struct meta_value args[] = {meta_text(slice_of(e->o.identity))};
    for (size_t at = 0; map_next(e->runs, &at, &key, &value);) ((struct run *)value)->seen = false;
    err_t err = meta_run(e->meta, META_RUN_VERSIONS, args, 1, seen_version, e, NULL, d);
    for (size_t at = 0; !err && map_next(e->runs, &at, &key, &value);) {
        struct run *r = value;
        if (!r->seen) r->stale = true;
        if (r->stale) engine_dirty(e, r);
    }
    return err;
}

static err_t look(struct engine *e, struct diag *d)
{
    err_t err = look_versions(e, d);
    if (!err) err = engine_dags_look(e, d);
    e->next_queued_at = INT64_MAX;
    if (!err) err = meta_run(e->meta, META_RUNS_WAITING, NULL, 0, waiting_runs, e, NULL, d);
    if (!err) err = engine_make_by_data(e, d);
    if (!err && e->must_sweep) {
        e->must_sweep = false;
        err = sweep_owned(e, d);
        if (err) e->must_sweep = true;
    }
    return err;
}

err_t engine_look(struct engine *e, struct diag *d)
{
    bool changed = false;
    err_t err = meta_heard(e->meta, &changed, d);
    if (err) return err;
    if (e->mono >= e->next_sweep_mono) {
        err = sweep_others(e, d);
        if (err) return err;
        e->next_sweep_mono = e->mono + e->o.beat_us;
        e->try_claim = true; /* a pool that was made larger tells nobody */
    }
    e->next_look_mono = e->mono + e->o.look_us;
    err = engine_watch(e, d);
    if (err) return err;
    if (!changed && !e->must_look && !e->must_sweep && e->now < e->next_queued_at) return ERR_OK;
    e->must_look = false;
    e->try_claim = true; /* others may have made room */
    err = look(e, d);
    if (err) e->must_look = true;
    return err;
}
