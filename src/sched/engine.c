#include "sched/engine_int.h"

#include "base/metric.h"
#include "base/say.h"

#include <stdio.h>

enum {
    TROUBLE_LEAST_US = 50000,
    TROUBLE_MOST_US = 5000000,
    TURN_ROUNDS = 64,
    BUSY_PATIENCE = 3 /* as often it is in somebody's way without being told */
};

/* --- runs, timers, what is to be done ---------------------------------------------------------
 */

static struct slice id_key(const int64_t *id)
{
    return slice_make(id, sizeof(*id));
}

struct run *engine_run(const struct engine *e, int64_t id)
{
    return map_get(e->runs, id_key(&id));
}

void engine_dirty(struct engine *e, struct run *r)
{
    if (r->dirty) return;
    if (vec_push(&e->dirty, &r)) {
        r->stale = true;
        e->must_look = true;
        return;
    }
    r->dirty = true;
}

err_t engine_touch(struct engine *e, struct run *r, struct diag *d)
{
    if (r->touched) return ERR_OK;
    int64_t changed = 0;
    struct meta_value args[] = {meta_int(r->row.id), meta_text(slice_of(e->o.identity)),
                                meta_int(r->row.token), meta_int(r->row.version), meta_int(e->now)};
    err_t err = meta_run(e->meta, META_RUN_TOUCH, args, 5, NULL, NULL, &changed, d);
    if (err) return err;
    if (changed == 0) {
        r->stale = true;
        return diag_fail(d, ERR_FENCED, "run %lld was changed by somebody else",
                         (long long)r->row.id);
    }
    err = vec_push(&e->touched, &r);
    if (err) return err;
    r->row.version++;
    r->row.last_decision = e->now;
    r->touched = true;
    return ERR_OK;
}

static bool timer_before(const struct timer *a, const struct timer *b)
{
    return a->at_mono < b->at_mono;
}

void engine_timer(struct engine *e, const struct timer *t)
{
    if (vec_push(&e->timers, t)) {
        e->must_sweep = true; /* the look that comes anyway finds it */
        return;
    }
    struct timer *heap = (struct timer *)(void *)e->timers.items;
    size_t at = e->timers.count - 1;
    while (at > 0 && timer_before(&heap[at], &heap[(at - 1) / 2])) {
        struct timer swap = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static struct timer timer_take(struct engine *e)
{
    struct timer *heap = (struct timer *)(void *)e->timers.items;
    struct timer first = heap[0];
    heap[0] = heap[--e->timers.count];
    for (size_t at = 0, n = e->timers.count;;) {
        size_t child = 2 * at + 1;
        if (child >= n) break;
        if (child + 1 < n && timer_before(&heap[child + 1], &heap[child])) child++;
        if (!timer_before(&heap[child], &heap[at])) break;
        struct timer swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
        at = child;
    }
    return first;
}

void engine_instance_timer(struct engine *e, struct run *r, uint32_t place, int64_t at_mono)
{
    struct instance *i = graph_at(&r->graph, place);
    struct timer t = {at_mono, {r->row.id, r->generation, place}, TIMER_INSTANCE, ++i->timer};
    engine_timer(e, &t);
}

void engine_past_consider(struct engine *e, struct engine_dag *of)
{
    for (size_t n = 0; n < of->past.count; n++) {
        struct waiter *w = vec_at(&of->past, n);
        struct run *r = engine_run(e, w->run);
        if (!r || r->stale || r->ended || r->generation != w->generation) continue;
        graph_consider(&r->graph, w->place);
        engine_dirty(e, r);
    }
    vec_clear(&of->past);
}

void engine_promote_later(struct engine *e, struct engine_dag *of)
{
    for (size_t i = 0; i < e->promote.count; i++)
        if (*(struct engine_dag **)vec_at(&e->promote, i) == of) return;
    if (vec_push(&e->promote, &of)) e->must_look = true;
}

static void timer_due(struct engine *e, const struct timer *t)
{
    struct run *r = engine_run(e, t->who.run);
    if (!r || r->stale || r->generation != t->who.generation) return;
    switch (t->kind) {
    case TIMER_INSTANCE: {
        struct instance *i = graph_at(&r->graph, t->who.place);
        if (i->timer != t->count) return;
        i->not_before = TIME_NONE;
        graph_consider(&r->graph, t->who.place);
        break;
    }
    case TIMER_ORDER: {
        struct order *o = graph_at(&r->graph, t->who.place)->work;
        if (!o || o->stop_at_mono > e->mono) return;
        o->timed_out = true;
        engine_order_stop(e, o, "it took longer than execution_timeout");
        return;
    }
    case TIMER_RUN:
    case TIMER_DEADLINE: break;
    }
    engine_dirty(e, r);
}

/* --- one transaction --------------------------------------------------------------------------
 */

static err_t beat(struct engine *e, struct diag *d)
{
    if (e->mono < e->next_beat_mono) return ERR_OK;
    e->beaten = true;
    err_t err = job_beat(e->meta, e->job, e->now, d);
    if (err != ERR_FENCED) return err;
    say_warn(SAY_SCHED, "others have taken this scheduler for dead", "name=%s", e->o.identity);
    e->must_look = true; /* what they took is not ours any more */
    return engine_job_start(e, d);
}

static err_t reload_stale(struct engine *e, struct diag *d)
{
    err_t err = ERR_OK;
    struct slice key;
    void *value;
    for (size_t at = 0; !err && map_next(e->runs, &at, &key, &value);) {
        struct run *r = value;
        if (!r->stale) continue;
        err = engine_reload(e, r->row.id, d);
        at = 0; /* the map has changed */
    }
    return err;
}

static err_t apply_answers(struct engine *e, struct diag *d)
{
    err_t err = ERR_OK;
    gate_enter(&e->gate);
    for (int n = 0; n < ENGINE_BATCH && e->answered_first; n++) {
        struct order *o = e->answered_first;
        e->answered_first = o->next_answered;
        if (!e->answered_first) e->answered_last = NULL;
        o->next_answered = e->applying;
        e->applying = o;
    }
    gate_leave(&e->gate);
    for (struct order *o = e->applying; o && !err; o = o->next_answered)
        err = engine_apply(e, o, d);
    return err;
}

static err_t settle_dirty(struct engine *e, struct diag *d)
{
    err_t err = ERR_OK;
    while (!err && e->dirty.count > 0) {
        struct run *r = *(struct run **)vec_at(&e->dirty, e->dirty.count - 1);
        e->dirty.count--;
        r->dirty = false;
        if (r->ended || r->stale) continue;
        if (e->mono >= r->timeout_at_mono)
            err = engine_run_times_out(e, r, d);
        else if (e->mono >= r->deadline_at_mono)
            err = engine_run_deadline(e, r, d);
        if (!err && !r->ended) err = engine_settle(e, r, d);
    }
    return err;
}

static err_t drop_called_back(struct engine *e, struct diag *d)
{
    err_t err = ERR_OK;
    for (;;) {
        int64_t id = 0;
        gate_enter(&e->gate);
        bool any = e->called_back.count > 0;
        if (any) id = *(int64_t *)vec_at(&e->called_back, e->called_back.count - 1);
        if (any) e->called_back.count--;
        gate_leave(&e->gate);
        if (!any) return err;
        struct meta_value args[] = {meta_int(id)};
        err = meta_run(e->meta, META_CALLBACK_DONE, args, 1, NULL, NULL, NULL, d);
        if (!err) continue;
        gate_enter(&e->gate);
        if (vec_push(&e->called_back, &id)) e->must_look = true;
        gate_leave(&e->gate);
        return err;
    }
}

/* A clock that went back: runs made by the one that was wrong are not in the way of the next. */
static err_t recompute(struct engine *e, struct diag *d)
{
    struct slice key;
    void *value;
    err_t err = ERR_OK;
    for (size_t at = 0; !err && map_next(e->dags, &at, &key, &value);) {
        struct engine_dag *of = value;
        if (!of->gone && of->dag) err = engine_next(e, of, d);
    }
    if (!err) e->must_recompute = false;
    return err;
}

static err_t work(struct engine *e, struct diag *d)
{
    err_t err = beat(e, d);
    if (!err && e->must_recompute) err = recompute(e, d);
    if (!err) err = drop_called_back(e, d);
    if (!err) err = engine_make_due(e, d);
    if (!err && e->promote.count > 0) err = engine_promote_all(e, d);
    if (!err) err = reload_stale(e, d);
    if (!err) err = apply_answers(e, d);
    if (!err) err = settle_dirty(e, d);
    if (!err && e->promote.count > 0) err = engine_promote_all(e, d);
    if (!err) err = settle_dirty(e, d); /* of runs that have just started */
    if (!err) err = engine_claim(e, d);
    return err;
}

static bool has_work(struct engine *e)
{
    gate_enter(&e->gate);
    bool told = e->answered_first || e->called_back.count > 0;
    gate_leave(&e->gate);
    const struct engine_dag *first =
        e->due.count ? *(struct engine_dag **)vec_at(&e->due, 0) : NULL;
    return told || e->must_recompute || e->reput || e->dirty.count > 0 ||
           (e->try_claim && e->open_lanes.count > 0) || e->promote.count > 0 ||
           e->mono >= e->next_beat_mono || (first && first->next_run_after <= e->now);
}

static void count_decided(struct engine *e)
{
    static const enum metric_id counts[ENDED_KINDS] = {
        [ENDED_TASK_WELL] = METRIC_sched_tasks_succeeded_total,
        [ENDED_TASK_FAILED] = METRIC_sched_tasks_failed_total,
        [ENDED_RUN_WELL] = METRIC_sched_runs_succeeded_total,
        [ENDED_RUN_FAILED] = METRIC_sched_runs_failed_total};
    for (int i = 0; i < ENDED_KINDS; i++) {
        metric_add(counts[i], e->decided[i]);
        e->decided[i] = 0;
    }
}

/* What the transaction decided is durable: now it may be seen outside. */
void engine_committed(struct engine *e)
{
    e->figures.transactions++;
    e->trouble = 0;
    if (e->figures.trouble[0]) say_info(SAY_SCHED, "decisions are written again", "database=there");
    e->figures.trouble[0] = 0;
    e->try_claim = false;
    if (e->beaten) e->next_beat_mono = e->mono + e->o.beat_us;
    metric_add(METRIC_sched_beats_total, e->beaten);
    e->beaten = false;
    count_decided(e);
    for (size_t i = 0; i < e->touched.count; i++) {
        struct run *r = *(struct run **)vec_at(&e->touched, i);
        r->touched = r->loaded = false;
        if (r->ended) engine_forget(e, r);
    }
    vec_clear(&e->touched);
    vec_clear(&e->undo);
    vec_clear(&e->scheduled);
    e->orders_ending = 0;
    for (size_t i = 0; i < e->fresh.count; i++) /* first: somebody waits for these */
        engine_order_start(e, *(struct order **)vec_at(&e->fresh, i));
    vec_clear(&e->fresh);
    while (e->applying) {
        struct order *o = e->applying;
        e->applying = o->next_answered;
        engine_order_free(e, o);
    }
    for (size_t i = 0; i < e->calls.count && e->o.workshop.call_back; i++) {
        struct call *c = vec_at(&e->calls, i);
        struct doc what, context;
        if (!doc_of_json(c->what, e->scratch, &what, NULL) &&
            !doc_of_json(c->context, e->scratch, &context, NULL))
            e->o.workshop.call_back(e->o.workshop.ctx, c->id, &what, &context);
    }
    vec_clear(&e->calls);
    arena_reset(e->scratch);
}

/* Nothing of it has happened: memory goes back to what the database says. */
void engine_undone(struct engine *e)
{
    meta_rollback(e->meta);
    e->beaten = false;
    memset(e->decided, 0, sizeof(e->decided));
    for (size_t i = 0; i < e->fresh.count; i++)
        engine_order_free(e, *(struct order **)vec_at(&e->fresh, i));
    vec_clear(&e->fresh);
    for (size_t i = 0; i < e->touched.count; i++) {
        struct run *r = *(struct run **)vec_at(&e->touched, i);
        r->touched = r->ended = false;
        r->stale = true;
        if (r->loaded) {
            engine_forget(e, r);
            e->must_look = true;
        }
    }
    vec_clear(&e->touched);
    for (size_t i = e->undo.count; i-- > 0;) {
        struct dag_undo *u = vec_at(&e->undo, i);
        u->of->next_logical = u->next_logical;
        u->of->next_start = u->next_start;
        u->of->next_end = u->next_end;
        u->of->next_run_after = u->next_run_after;
        u->of->full = u->full;
        engine_due_set(e, u->of);
    }
    vec_clear(&e->undo);
    vec_clear(&e->calls);
    vec_clear(&e->scheduled);
    e->orders_ending = 0;
    gate_enter(&e->gate);
    while (e->applying) { /* their answers are asked again */
        struct order *o = e->applying;
        e->applying = o->next_answered;
        o->ending = false;
        o->next_answered = e->answered_first;
        e->answered_first = o;
        if (!e->answered_last) e->answered_last = o;
    }
    gate_leave(&e->gate);
    arena_reset(e->scratch);
}

static bool any_stale(const struct engine *e)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(e->runs, &at, &key, &value);)
        if (((struct run *)value)->stale) return true;
    return false;
}

static err_t transact(struct engine *e, struct diag *d)
{
    err_t err = meta_begin(e->meta, true, d);
    if (!err) {
        e->inside = true;
        err = work(e, d);
        if (!err && e->others.count > 0) err = meta_tell(e->meta, d); /* room that they wait for */
        if (!err) err = meta_commit(e->meta, d);
        e->inside = false;
    }
    if (err)
        engine_undone(e);
    else
        engine_committed(e);
    return err;
}

/* --- turning ----------------------------------------------------------------------------------
 */

static void read_clocks(struct engine *e)
{
    int64_t wall = e->o.wall_us(e->o.clock), mono = e->o.mono_us(e->o.clock);
    int64_t step = wall - e->last_wall - (mono - e->mono);
    if (e->last_wall && (step > 60000000 || step < -60000000))
        say_warn(SAY_SCHED, "the clock has jumped", "by_s=%lld", (long long)(step / 1000000));
    if (e->last_wall && step < -60000000) e->must_recompute = true;
    e->last_wall = wall;
    e->now = wall;
    e->mono = mono;
}

static void trouble(struct engine *e, err_t err, const struct diag *d)
{
    if (err == ERR_FENCED || err == ERR_BUSY) e->figures.lost_races++;
    if (err == ERR_FENCED) return; /* read anew at once */
    struct diag told = *d;
    if (told.err == ERR_OK) (void)diag_fail(&told, err, "%s", err_text(err));
    if (e->trouble++ >= (err == ERR_BUSY ? BUSY_PATIENCE : 0) && !e->figures.trouble[0]) {
        say_diag(SAY_SCHED, SAY_ERROR, "a decision could not be written, and is made anew", &told);
        snprintf(e->figures.trouble, sizeof(e->figures.trouble), "%.199s", told.what);
    }
    int64_t wait = TROUBLE_LEAST_US << MIN(e->trouble - 1, 7);
    e->retry_at_mono = e->mono + MIN(wait, TROUBLE_MOST_US);
    e->must_look = true;
}

static err_t turn(struct engine *e, struct diag *d)
{
    gate_enter(&e->gate);
    bool woken = e->woken;
    e->woken = false;
    gate_leave(&e->gate);
    err_t err = ERR_OK;
    if (woken) e->must_look = true; /* a notice may still be on its way, the change is there */
    if (e->must_look || e->mono >= e->next_look_mono || e->now >= e->next_queued_at)
        err = engine_look(e, d);
    while (e->timers.count > 0 && ((struct timer *)vec_at(&e->timers, 0))->at_mono <= e->mono) {
        struct timer t = timer_take(e);
        timer_due(e, &t);
    }
    for (int n = 0; !err && n < TURN_ROUNDS && (has_work(e) || (n == 0 && any_stale(e))); n++)
        err = transact(e, d);
    return err;
}

int64_t engine_turn(struct engine *e)
{
    struct diag d = {0};
    read_clocks(e);
    if (e->mono < e->retry_at_mono) return e->retry_at_mono - e->mono;
    err_t err = turn(e, &d);
    if (err) {
        trouble(e, err, &d);
        return err == ERR_FENCED ? 0 : MAX(e->retry_at_mono - e->mono, 0);
    }
    if (has_work(e)) return 0;
    int64_t next = MIN(e->next_look_mono, e->next_beat_mono);
    if (e->timers.count > 0) next = MIN(next, ((struct timer *)vec_at(&e->timers, 0))->at_mono);
    int64_t wait = next - e->mono;
    if (e->due.count > 0) {
        int64_t due = (*(struct engine_dag **)vec_at(&e->due, 0))->next_run_after;
        wait = MIN(wait, MAX(due - e->now, 0));
    }
    if (e->next_queued_at != INT64_MAX) wait = MIN(wait, MAX(e->next_queued_at - e->now, 0));
    return MAX(wait, 0);
}

void engine_wake(struct engine *e)
{
    gate_enter(&e->gate);
    e->woken = true;
    gate_leave(&e->gate);
    if (e->o.wake) e->o.wake(e->o.wake_ctx);
}

void engine_called_back(struct engine *e, int64_t id)
{
    gate_enter(&e->gate);
    err_t err = vec_push(&e->called_back, &id);
    gate_leave(&e->gate);
    if (err) return; /* carried out once more after a restart */
    if (e->o.wake) e->o.wake(e->o.wake_ctx);
}
