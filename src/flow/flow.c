#include "flow/flow_int.h"
#include "os/file.h"

#include <stdio.h>

enum { STAGE_TEXT_MAX = 64 << 10 };

/* --- opening ------------------------------------------------------------------------------------
 */

static void set_defaults(struct flow_options *o)
{
    if (!o->epoch_rows_live) o->epoch_rows_live = 10000;
    if (!o->epoch_ms_live) o->epoch_ms_live = 12;
    if (!o->epoch_rows_catchup) o->epoch_rows_catchup = 400000;
    if (!o->catchup_lag) o->catchup_lag = 200000;
    if (!o->memory_max) o->memory_max = MIB(512);
}

err_t flow_open(const struct flow_options *o, struct flow **out, struct diag *d)
{
    char sources[4096];
    struct flow *f = mem_take(sizeof(*f));
    if (!f) return diag_fail(d, ERR_NO_MEMORY, "no memory for flow");
    f->o = *o;
    set_defaults(&f->o);
    gate_init(&f->gate);
    gate_init(&f->control);
    f->names = arena_new(MIB(64));
    f->dir = f->names ? arena_text(f->names, slice_of(o->dir)) : NULL;
    f->o.dir = f->dir;
    err_t e = f->dir ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for flow");
    snprintf(sources, sizeof(sources), "%s/sources", o->dir);
    if (!e) e = dir_make(sources, d);
    if (e) {
        flow_close(f);
        return e;
    }
    *out = f;
    return ERR_OK;
}

void flow_close(struct flow *f)
{
    if (!f) return;
    flow_stop(f);
    for (uint32_t i = 0; i < f->stage_count; i++) {
        stage_free(f->stages[i]);
    }
    arena_free(f->names);
    gate_done(&f->gate);
    gate_done(&f->control);
    mem_give(f);
}

struct stage *flow_stage(struct flow *f, struct slice name)
{
    for (uint32_t i = 0; i < f->stage_count; i++)
        if (stage_lives(f->stages[i]) && slice_equal(f->stages[i]->name, name)) return f->stages[i];
    return NULL;
}

err_t stage_new(struct flow *f, struct slice name, struct slice from, struct slice into,
                struct stage **out, struct diag *d)
{
    if (!name.len || name.len > STAGE_NAME_MAX || memchr(name.at, 0, name.len))
        return diag_fail(d, ERR_USAGE, "the name of a source or stream has 1 to %d bytes",
                         STAGE_NAME_MAX);
    if (f->stage_count == STAGES_MAX)
        return diag_fail(d, ERR_TOO_BIG, "more than %d sources and streams", STAGES_MAX);
    struct stage *s = mem_take(sizeof(*s));
    if (s)
        *s = (struct stage){.flow = f,
                            .name = arena_slice(f->names, name),
                            .from = arena_slice(f->names, from),
                            .into = arena_slice(f->names, into)};
    if (!s || !s->name.at || !s->from.at || !s->into.at) {
        mem_give(s);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for '%.*s'", SLICE_ARG(name));
    }
    atomic_store(&s->stopping, true);
    s->key = s->owner = s->name;
    s->target = s->into;
    *out = s;
    return ERR_OK;
}

void stage_free(struct stage *s)
{
    if (!s) return;
    source_free(s->source);
    stream_free(s->stream);
    upgrade_free(s->upgrade);
    mem_give(s);
}

/* A stage joins the list when it is whole, so that nobody meets a half-made one. */
err_t stage_joins(struct flow *f, struct stage *s, struct diag *d)
{
    err_t e = ERR_OK;
    if (flow_stage(f, s->name))
        e = diag_fail(d, ERR_EXISTS, "source or stream '%.*s'", SLICE_ARG(s->name));
    else if (f->stage_count == STAGES_MAX)
        e = diag_fail(d, ERR_TOO_BIG, "more than %d sources and streams", STAGES_MAX);
    if (e) {
        stage_free(s);
        return e;
    }
    e = stage_paused(f->o.store, s->name, &s->paused_ms, d);
    if (e) {
        stage_free(s);
        return e;
    }
    s->paused = s->paused_ms != 0;
    gate_enter(&f->gate);
    uint32_t count = f->stage_count;
    f->stages[count] = s;
    f->stage_count = count + 1;
    gate_leave(&f->gate);
    return ERR_OK;
}

err_t flow_source_add(struct flow *f, const struct flow_source_options *o, struct diag *d)
{
    struct stage *s = NULL;
    err_t e = stage_new(f, o->name, SLICE("source"), o->topic, &s, d);
    if (!e) e = source_new(s, o, d);
    if (!e) return stage_joins(f, s, d);
    stage_free(s);
    return e;
}

/* KEYSPACE.TABLE, as people write it; a topic's name; nothing: BLACKHOLE. */
static void into_text(const struct plan_stream *p, struct buf *out)
{
    if (p->sink == SINK_NOTHING)
        buf_text(out, "BLACKHOLE");
    else if (p->sink == SINK_TOPIC)
        buf_slice(out, p->into->name);
    else
        buf_printf(out, "%.*s.%.*s", SLICE_ARG(p->into->keyspace), SLICE_ARG(p->into->name));
}

err_t stream_stage(struct flow *f, const struct plan_stream *plan, struct slice name,
                   struct slice key, struct stage **out, struct diag *d)
{
    struct stage *s = NULL;
    struct buf from = buf_make(STAGE_TEXT_MAX), into = buf_make(STAGE_TEXT_MAX);
    for (uint32_t i = 0; i < plan->topic_count; i++) {
        if (i) buf_text(&from, ", ");
        buf_slice(&from, plan->topics[i]->topic.relation->name);
    }
    into_text(plan, &into);
    err_t e = from.err || into.err
                  ? diag_fail(d, from.err ? from.err : into.err,
                              "the names of what '%.*s' reads and writes", SLICE_ARG(plan->name))
                  : stage_new(f, name, buf_view(&from), buf_view(&into), &s, d);
    buf_done(&from);
    buf_done(&into);
    if (!e) {
        s->key = arena_slice(f->names, key);
        e = s->key.at ? stream_new(s, plan, d)
                      : diag_fail(d, ERR_NO_MEMORY, "no memory for '%.*s'", SLICE_ARG(name));
    }
    if (e)
        stage_free(s);
    else
        *out = s;
    return e;
}

/* --- starting and stopping one stage; inside the control gate -----------------------------------
 */

void stage_wake(struct stage *s)
{
    if (s->source) worker_wake(&s->source->worker);
    for (uint32_t i = 0; s->stream && i < s->stream->lane_count; i++)
        worker_wake(&s->stream->lanes[i].worker);
}

void stage_ask_to_stop(struct stage *s)
{
    atomic_store(&s->stopping, true);
    stage_wake(s);
}

void stage_join(struct stage *s)
{
    if (!s->started) return;
    if (s->source) thread_join(&s->source->worker.thread);
    for (uint32_t i = 0; s->stream && i < s->stream->lane_count; i++)
        thread_join(&s->stream->lanes[i].worker.thread);
    s->started = false;
}

struct others {
    struct stream *stream;
    size_t prefix;
};

/* Lanes that existed when there were more of them keep their share of the ledger. */
static err_t add_other(void *ctx, struct slice key, struct slice value)
{
    struct others *o = ctx;
    struct lane_ledger l;
    struct cursor c = cursor_of(slice_make(key.at + o->prefix, key.len - o->prefix));
    uint32_t lane = (uint32_t)cursor_be(&c, 4);
    err_t e = c.err ? ERR_CORRUPT : lane_ledger_take(value, &l);
    if (!e && lane >= o->stream->lane_count) ledger_add(&o->stream->others, &l.total);
    return e;
}

static err_t load_others(struct stream *s, struct diag *d)
{
    struct stage_key k = stage_key(s->stage->key);
    struct others o = {s, k.len};
    s->others = (struct ledger){0};
    return store_records(s->stage->flow->o.store, NULL, STORE_LEDGER, stage_key_slice(&k),
                         (struct slice){0}, add_other, &o, d);
}

err_t stage_start(struct stage *s, struct diag *d)
{
    err_t e = s->stream ? load_others(s->stream, d) : ERR_OK;
    if (!e) e = dead_measure(s, d);
    char name[64];
    if (e) return e;
    gate_enter(&s->flow->gate);
    s->failure = ERR_OK;
    s->trouble[0] = 0;
    s->since_ms = clock_wall_ms();
    for (uint32_t i = 0; s->stream && i < s->stream->lane_count; i++)
        s->stream->lanes[i].worker.state = STAGE_WAITING;
    gate_leave(&s->flow->gate);
    atomic_store(&s->stopping, false);
    atomic_store(&s->looks_only, s->paused);
    s->started = true;
    snprintf(name, sizeof(name), "%.*s", (int)MIN(s->name.len, 12u), (const char *)s->name.at);
    if (s->source) e = thread_start(&s->source->worker.thread, name, source_run, s->source, d);
    for (uint32_t i = 0; !e && s->stream && i < s->stream->lane_count; i++) {
        struct lane *l = &s->stream->lanes[i];
        e = thread_start(&l->worker.thread, name, lane_run, l, d);
    }
    if (e) {
        stage_ask_to_stop(s);
        stage_join(s);
    }
    return e;
}

err_t flow_start(struct flow *f, struct diag *d)
{
    err_t e = ERR_OK;
    gate_enter(&f->control);
    f->running = true;
    for (int sources = 0; !e && sources < 2; sources++) /* readers first */
        for (uint32_t i = 0; !e && i < f->stage_count; i++)
            if ((f->stages[i]->source != NULL) == (sources == 1) && !f->stages[i]->started &&
                stage_lives(f->stages[i]))
                e = stage_start(f->stages[i], d);
    gate_leave(&f->control);
    if (!e) e = upgrader_start(f, d);
    if (e) flow_stop(f);
    return e;
}

void flow_stop(struct flow *f)
{
    upgrader_stop(f);
    gate_enter(&f->control);
    for (uint32_t i = 0; i < f->stage_count; i++) stage_ask_to_stop(f->stages[i]);
    for (uint32_t i = 0; i < f->stage_count; i++) stage_join(f->stages[i]);
    f->running = false;
    gate_leave(&f->control);
}

err_t flow_plan(struct flow *f, struct slice name, const struct plan_stream **plan,
                uint32_t *number, struct diag *d)
{
    struct stage *s = flow_stage(f, name);
    if (!s || !s->stream)
        return diag_fail(d, ERR_UNKNOWN_STREAM, "no stream '%.*s'", SLICE_ARG(name));
    *plan = s->stream->plan;
    *number = s->stream->number;
    return ERR_OK;
}

bool flow_has(const struct flow *f, struct slice name)
{
    for (uint32_t i = 0; i < f->stage_count; i++)
        if (stage_lives(f->stages[i]) && slice_equal(f->stages[i]->name, name)) return true;
    return false;
}

static bool uses_topic(const struct stage *s, struct slice topic)
{
    if (s->source) return slice_equal(s->into, topic);
    const struct plan_stream *p = s->stream->plan;
    bool uses = p->sink == SINK_TOPIC && slice_equal(p->into->name, topic);
    for (uint32_t i = 0; i < p->topic_count; i++)
        uses = uses || slice_equal(s->stream->topics[i].name, topic);
    return uses;
}

bool flow_uses_topic(const struct flow *f, struct slice topic, char *who, size_t size)
{
    for (uint32_t i = 0; i < f->stage_count; i++) {
        if (!stage_lives(f->stages[i]) || !uses_topic(f->stages[i], topic)) continue;
        snprintf(who, size, "%.*s", SLICE_ARG(f->stages[i]->name));
        return true;
    }
    return false;
}

err_t stage_between(struct flow *f, struct slice name,
                    err_t (*work)(struct stage *s, void *ctx, struct diag *d), void *ctx,
                    struct diag *d)
{
    gate_enter(&f->control);
    struct stage *s = flow_stage(f, name);
    err_t e = ERR_OK;
    if (s) {
        struct diag later = {0};
        bool ran = s->started;
        stage_ask_to_stop(s);
        stage_join(s);
        e = work(s, ctx, d);
        err_t again = ran ? stage_start(s, e ? &later : d) : ERR_OK;
        if (!e) e = again;
    } else {
        e = diag_fail(d, ERR_UNKNOWN_STREAM, "no source or stream '%.*s'", SLICE_ARG(name));
    }
    gate_leave(&f->control);
    return e;
}

static bool lane_drained(const struct lane *l)
{
    return l->worker.state == STAGE_ENDED ||
           (atomic_load(&l->loaded) && !lane_is_closing(l) && lane_lag(l) == 0);
}

/* Whether nothing more will come of any stage, `failed` being the first that failed for good: the
 * others go on to their end without it. Inside the flow's gate. */
static bool drained(struct flow *f, struct stage **failed)
{
    bool all = true;
    for (uint32_t i = f->stage_count; i-- > 0;) {
        struct stage *s = f->stages[i];
        if (!stage_lives(s)) continue;
        all = all && (!s->upgrade || s->failure); /* it takes the old one's place first */
        if (s->failure)
            *failed = s;
        else if (s->source)
            all = all && (s->paused || s->source->worker.state == STAGE_ENDED);
        else
            for (uint32_t k = 0; k < s->stream->lane_count; k++)
                all = all && lane_drained(&s->stream->lanes[k]);
    }
    return all;
}

err_t flow_drain(struct flow *f, int64_t timeout_ms, struct diag *d)
{
    int64_t end_ns = clock_mono_ns() + timeout_ms * 1000000;
    struct stage *failed = NULL;
    bool done = false;
    gate_enter(&f->gate);
    while (!(done = drained(f, &failed))) {
        int64_t left_ms = (end_ns - clock_mono_ns()) / 1000000;
        if (left_ms <= 0 || !gate_wait_ms(&f->gate, left_ms)) break;
    }
    done = done || drained(f, &failed);
    char trouble[512] = "";
    err_t failure = failed ? failed->failure : ERR_OK;
    if (failed) memcpy(trouble, failed->trouble, sizeof(trouble));
    gate_leave(&f->gate);
    if (!done)
        return diag_fail(d, ERR_TIMEOUT, "records are still on their way after %lld ms",
                         (long long)timeout_ms);
    return failed ? diag_fail(d, failure, "'%.*s' has failed: %s", SLICE_ARG(failed->name), trouble)
                  : ERR_OK;
}
