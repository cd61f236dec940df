/* verbs: what people and tasks ask of a stage. A person's pause stands on the store, under the
 * stage's name, before it is answered; what a task holds is forgotten with the process. */
#include "flow/edition.h"

enum verb { VERB_PAUSE, VERB_RESUME, VERB_RESTART };

/* --- the record ---------------------------------------------------------------------------------
 */

err_t stage_paused(struct store *s, struct slice name, int64_t *since_ms, struct diag *d)
{
    struct stage_key k = number_key("flow.paused", name);
    uint64_t ms = 0;
    err_t e = number_load(s, stage_key_slice(&k), &ms, d);
    *since_ms = (int64_t)ms;
    return e;
}

err_t stage_paused_write(struct store_write *w, struct slice name, int64_t since_ms)
{
    struct stage_key k = number_key("flow.paused", name);
    if (since_ms) return number_write(w, stage_key_slice(&k), (uint64_t)since_ms);
    return store_write_record(w, STORE_META, stage_key_slice(&k), (struct slice){0});
}

static err_t keep_pause(struct store *s, struct slice name, int64_t since_ms, struct diag *d)
{
    struct store_write *w = NULL;
    err_t e = store_write_begin(s, STORE_LIVE, KIB(64), &w, d);
    if (e) return e;
    e = stage_paused_write(w, name, since_ms);
    if (!e) return store_write_commit(w, d);
    store_write_abort(w);
    return diag_fail(d, e, "that '%.*s' is %s can not be kept", SLICE_ARG(name),
                     since_ms ? "paused" : "paused no more");
}

err_t stage_paused_forget(struct store *s, struct slice name, struct diag *d)
{
    int64_t since = 0;
    err_t e = stage_paused(s, name, &since, d);
    return e || !since ? e : keep_pause(s, name, 0, d);
}

static err_t note_pause(struct stage *s, int64_t since_ms, struct diag *d)
{
    err_t e =
        since_ms == s->paused_ms ? ERR_OK : keep_pause(s->flow->o.store, s->name, since_ms, d);
    if (e) return e;
    gate_enter(&s->flow->gate);
    s->paused_ms = since_ms;
    gate_leave(&s->flow->gate);
    return ERR_OK;
}

/* --- acting; inside the control gate ------------------------------------------------------------
 */

static err_t act(struct stage *s, enum verb verb, struct diag *d)
{
    bool looks = s->started && !stage_runs(s); /* a pause does not keep it from that */
    if (looks ? verb != VERB_PAUSE : verb != VERB_RESUME) {
        stage_ask_to_stop(s);
        stage_join(s);
    }
    if (verb == VERB_RESTART && s->source) s->source->recovered = s->source->ended = false;
    gate_enter(&s->flow->gate);
    if (verb != VERB_RESTART) s->paused = verb == VERB_PAUSE;
    if (verb == VERB_RESUME) stage_wake(s); /* one that waits for room looks again */
    bool start = s->flow->running && !s->started && (looks || !s->paused);
    gate_wake(&s->flow->gate);
    gate_leave(&s->flow->gate);
    return start ? stage_start(s, d) : ERR_OK;
}

static err_t find(struct flow *f, struct slice name, struct stage **out, struct diag *d)
{
    *out = flow_stage(f, name);
    return *out ? ERR_OK
                : diag_fail(d, ERR_UNKNOWN_STREAM, "no source or stream '%.*s'", SLICE_ARG(name));
}

/* On the store first: who dies in between is paused, and nobody was told otherwise. */
static err_t act_on(struct flow *f, struct slice name, enum verb verb, struct diag *d)
{
    struct stage *s = NULL;
    gate_enter(&f->control);
    err_t e = find(f, name, &s, d);
    int64_t since = !s                                     ? 0
                    : verb == VERB_RESUME                  ? 0
                    : verb == VERB_RESTART || s->paused_ms ? s->paused_ms
                                                           : clock_wall_ms();
    if (!e) e = note_pause(s, since, d);
    if (!e) e = act(s, verb, d);
    gate_leave(&f->control);
    return e;
}

err_t flow_pause(struct flow *f, struct slice name, struct diag *d)
{
    return act_on(f, name, VERB_PAUSE, d);
}
err_t flow_resume(struct flow *f, struct slice name, struct diag *d)
{
    return act_on(f, name, VERB_RESUME, d);
}
err_t flow_restart(struct flow *f, struct slice name, struct diag *d)
{
    return act_on(f, name, VERB_RESTART, d);
}

/* --- tasks --------------------------------------------------------------------------------------
 */

static err_t find_source(struct flow *f, struct slice name, struct stage **out, struct diag *d)
{
    *out = flow_stage(f, name);
    if (*out && (*out)->source) return ERR_OK;
    return diag_fail(d, ERR_UNKNOWN_NAME, "there is no source '%.*s'", SLICE_ARG(name));
}

err_t flow_source_hold(struct flow *f, struct slice name, struct diag *d)
{
    struct stage *s = NULL;
    gate_enter(&f->control);
    err_t e = find_source(f, name, &s, d);
    if (!e) e = act(s, VERB_PAUSE, d);
    gate_leave(&f->control);
    return e;
}

/* It starts and brings `count` records, inside the control gate. */
static err_t let(struct stage *s, uint64_t count, bool by_task, struct diag *d)
{
    if (stage_runs(s))
        return diag_fail(d, ERR_IN_USE, "source '%.*s' runs already", SLICE_ARG(s->name));
    atomic_store(&s->source->budget, count ? count : UINT64_MAX);
    atomic_store(&s->source->brought, 0);
    atomic_store(&s->source->by_task, by_task);
    return act(s, VERB_RESUME, d);
}

err_t flow_source_free(struct flow *f, struct slice name, struct diag *d)
{
    struct stage *s = NULL;
    gate_enter(&f->control);
    err_t e = find_source(f, name, &s, d);
    if (!e && !s->paused_ms) e = let(s, 0, false, d);
    gate_leave(&f->control);
    return e;
}

err_t flow_source_let(struct flow *f, struct slice name, uint64_t count, struct diag *d)
{
    struct stage *s = NULL;
    gate_enter(&f->control);
    err_t e = find_source(f, name, &s, d);
    if (!e) e = let(s, count, true, d);
    gate_leave(&f->control);
    return e;
}

err_t flow_source_brought(struct flow *f, struct slice name, uint64_t *brought, bool *over,
                          struct diag *d)
{
    struct stage *s = NULL;
    gate_enter(&f->control);
    err_t e = find_source(f, name, &s, d);
    if (!e) {
        *brought = atomic_load(&s->source->brought);
        gate_enter(&f->gate);
        *over = atomic_load(&s->source->budget) == 0 || s->paused || s->failure ||
                s->source->worker.state == STAGE_ENDED;
        if (s->failure)
            e = diag_fail(d, s->failure, "source '%.*s' has failed: %s", SLICE_ARG(name),
                          s->trouble);
        gate_leave(&f->gate);
    }
    gate_leave(&f->control);
    return e;
}
