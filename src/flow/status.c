/* status: what people see of a stage, and what its threads tell. */
#include "flow/feed.h"
#include "flow/op.h"

#include <stdio.h>

enum { RATE_WINDOW_NS = 2000000000 };

void worker_init(struct worker *w)
{
    gate_init(&w->gate);
    w->woken = false;
    atomic_store(&w->cpu_ns, 0);
    atomic_store(&w->memory, 0);
    w->state = STAGE_WAITING;
}

void worker_done(struct worker *w)
{
    gate_done(&w->gate);
}

void worker_wake(struct worker *w)
{
    gate_enter(&w->gate);
    w->woken = true;
    gate_wake(&w->gate);
    gate_leave(&w->gate);
}

void worker_wait(struct worker *w, int64_t timeout_ms)
{
    bool time_left = true;
    gate_enter(&w->gate);
    while (!w->woken && time_left) {
        if (timeout_ms < 0)
            gate_wait(&w->gate);
        else
            time_left = gate_wait_ms(&w->gate, timeout_ms);
    }
    w->woken = false;
    gate_leave(&w->gate);
}

void worker_state(struct stage *s, struct worker *w, enum stage_state state)
{
    gate_enter(&s->flow->gate);
    if (w->state != state) gate_wake(&s->flow->gate);
    w->state = state;
    gate_leave(&s->flow->gate);
}

void worker_note(struct worker *w, size_t memory)
{
    atomic_store_explicit(&w->memory, memory, memory_order_relaxed);
    atomic_store_explicit(&w->cpu_ns, (uint64_t)clock_thread_cpu_ns(), memory_order_relaxed);
}

bool err_passes(err_t e)
{
    switch (e) {
    case ERR_DISK_FULL:
    case ERR_IO:
    case ERR_NO_MEMORY:
    case ERR_BUSY:
    case ERR_TIMEOUT:
    case ERR_IN_USE:
    case ERR_THROTTLED:
    case ERR_PEER:
    case ERR_LETTERS_FULL:
    case ERR_STOPPED: return true;
    default: return false;
    }
}

enum stage_state state_after(err_t e)
{
    return e == ERR_LETTERS_FULL ? STAGE_PAUSED : STAGE_RETRYING;
}

int64_t retry_delay(int64_t before_ms)
{
    return before_ms ? MIN(before_ms * 2, (int64_t)RETRY_MAX_MS) : RETRY_FIRST_MS;
}

static void trouble_text(struct stage *s, const struct diag *d)
{
    s->trouble[0] = 0;
    if (!d) return;
    struct buf b = buf_over(s->trouble, sizeof(s->trouble) - 1);
    char part[600];
    snprintf(part, sizeof(part), "%s", d->what[0] ? d->what : err_text(d->err));
    buf_put(&b, part, MIN(strlen(part), sizeof(s->trouble) - 1));
    const char *more[] = {d->where, d->why, d->hint[0] ? d->hint : err_hint(d->err)};
    static const char *const lead[] = {" at ", ": ", "; hint: "};
    for (size_t i = 0; i < COUNT_OF(more); i++) {
        size_t room = sizeof(s->trouble) - 1 - b.len;
        if (!more[i][0] || room < 16) continue;
        buf_text(&b, lead[i]);
        buf_put(&b, more[i], MIN(strlen(more[i]), room - strlen(lead[i])));
    }
    s->trouble[b.len] = 0;
}

void stage_trouble(struct stage *s, const struct diag *d)
{
    gate_enter(&s->flow->gate);
    trouble_text(s, d);
    gate_leave(&s->flow->gate);
    if (d)
        say_diag(SAY_FLOW, SAY_WARN, "a stage has trouble and tries again", d);
    else
        say_info(SAY_FLOW, "a stage goes on", "stage=%.*s", SLICE_ARG(s->name));
}

void stage_fail(struct stage *s, struct worker *w, const struct diag *d)
{
    gate_enter(&s->flow->gate);
    s->failure = d->err ? d->err : ERR_INTERNAL;
    w->state = STAGE_FAILED;
    trouble_text(s, d);
    gate_wake(&s->flow->gate);
    gate_leave(&s->flow->gate);
    say_diag(SAY_FLOW, SAY_ERROR, "a stage has failed", d);
    stage_ask_to_stop(s); /* its other lanes end too */
}

void stage_rate(struct stage *s, uint64_t rows)
{
    int64_t now = clock_mono_ns();
    if (!s->rate_since_ns) s->rate_since_ns = now;
    if (now - s->rate_since_ns >= RATE_WINDOW_NS) {
        s->rate = (double)s->rate_rows * 1e9 / (double)(now - s->rate_since_ns);
        s->rate_since_ns = now;
        s->rate_rows = 0;
    }
    s->rate_rows += rows;
}

/* A bucket's times begin at (4 + bucket % 4) << (bucket / 4 - 2). */
void spans_add(struct spans *s, int64_t us)
{
    uint64_t v = (uint64_t)MAX(us, (int64_t)SPAN_STEPS);
    uint32_t power = 63 - (uint32_t)__builtin_clzll(v);
    uint32_t bucket = power * SPAN_STEPS + (uint32_t)(v >> (power - 2) & (SPAN_STEPS - 1));
    s->buckets[MIN(bucket, (uint32_t)SPAN_BUCKETS - 1)]++;
    s->count++;
    s->max_us = MAX(s->max_us, us);
}

/* The time that `share` per cent of all did not pass: their bucket's end, or the largest of all. */
static int64_t span_of(const struct spans *s, uint64_t share)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < SPAN_BUCKETS; i++) {
        sum += s->buckets[i];
        if (sum * 100 < s->count * share || i < 2 * SPAN_STEPS) continue;
        if (i == SPAN_BUCKETS - 1) break; /* it has no end */
        int64_t end = (int64_t)(SPAN_STEPS + i % SPAN_STEPS + 1) << (i / SPAN_STEPS - 2);
        return MIN(end, s->max_us);
    }
    return s->max_us;
}

struct flow_span spans_tell(const struct spans *s)
{
    return (struct flow_span){s->count, span_of(s, 50), span_of(s, 99), s->max_us};
}

/* Says a note aloud once, when it changes. */
void stage_note(struct stage *s, struct slice note)
{
    size_t len = MIN((size_t)note.len, sizeof(s->note) - 1);
    bool same = strlen(s->note) == len && (len == 0 || !memcmp(s->note, note.at, len));
    if (same) return;
    gate_enter(&s->flow->gate);
    if (len) memcpy(s->note, note.at, len);
    s->note[len] = 0;
    gate_leave(&s->flow->gate);
    if (len)
        say_warn(SAY_FLOW, "a source has something to say", "source=%.*s note=\"%s\"",
                 SLICE_ARG(s->name), s->note);
}

static const char *const state_names[] = {
    [STAGE_WAITING] = "waiting",   [STAGE_RUNNING] = "running", [STAGE_PAUSED] = "paused",
    [STAGE_RETRYING] = "retrying", [STAGE_FAILED] = "failed",   [STAGE_ENDED] = "ended",
};

/* The stage's state is its worst worker's; a lane that works makes the stream a running one. */
static enum stage_state state_of(const struct stage *s)
{
    static const int rank[] = {[STAGE_ENDED] = 0,   [STAGE_WAITING] = 1,  [STAGE_PAUSED] = 4,
                               [STAGE_RUNNING] = 2, [STAGE_RETRYING] = 3, [STAGE_FAILED] = 5};
    if (s->failure) return STAGE_FAILED;
    if (s->paused) return STAGE_PAUSED;
    if (s->source) return s->source->worker.state;
    INVARIANT(s->stream); /* a stage is one of the two */
    enum stage_state worst = s->stream->lanes[0].worker.state;
    for (uint32_t i = 0; i < s->stream->lane_count; i++) {
        enum stage_state one = s->stream->lanes[i].worker.state;
        if (rank[one] > rank[worst]) worst = one;
    }
    return worst;
}

static void add_operators(const struct lane *l, struct flow_status *out)
{
    out->operator_count = MIN(l->graph->op_count, (uint32_t)FLOW_OPERATORS_MAX);
    for (uint32_t i = 0; i < out->operator_count; i++) {
        struct flow_operator *sum = &out->operators[i];
        const struct flow_operator *o = &l->told[i];
        sum->kind = o->kind;
        sum->node = i;
        sum->stateful = o->stateful;
        sum->rows_in += o->rows_in;
        sum->rows_out += o->rows_out;
        sum->late += o->late;
        sum->state_rows += o->state_rows;
        sum->state_updated += o->state_updated;
        sum->state_bytes += o->state_bytes;
        sum->spent_ns += o->spent_ns;
    }
    const struct flow_operator *last = &l->told[l->graph->op_count];
    out->writing.kind = "write";
    out->writing.rows_in += last->rows_in;
    out->writing.rows_out += last->rows_out;
    out->writing.spent_ns += last->spent_ns;
}

static void fill_stream(const struct stage *s, struct flow_status *out)
{
    const struct stream *stream = s->stream;
    out->ledger = stream->others;
    out->lanes = stream->lane_count;
    for (uint32_t i = 0; i < stream->lane_count; i++) {
        const struct lane *l = &stream->lanes[i];
        ledger_add(&out->ledger, &l->total);
        out->last_epoch = MAX(out->last_epoch, l->last_epoch);
        out->lag += lane_lag(l);
        out->cpu_ns += atomic_load_explicit(&l->worker.cpu_ns, memory_order_relaxed);
        out->cpu_ns += feed_cpu_ns(l->feed);
        out->feeders += feed_feeders(l->feed);
        out->memory += atomic_load_explicit(&l->worker.memory, memory_order_relaxed);
        add_operators(l, out);
    }
    out->watermark = stream->lanes[0].watermark; /* a plan that keeps time has one lane */
    for (uint32_t i = 0; i < out->operator_count; i++) {
        out->late_rows += out->operators[i].late;
        out->state_rows += out->operators[i].state_rows;
        out->state_bytes += out->operators[i].state_bytes;
    }
}

/* False: another one took its place. */
static bool fill(struct stage *s, struct flow_status *out)
{
    int64_t now = clock_mono_ns();
    gate_enter(&s->flow->gate);
    if (!stage_lives(s)) {
        gate_leave(&s->flow->gate);
        return false;
    }
    *out = (struct flow_status){.name = s->name,
                                .from = s->from,
                                .into = s->into,
                                .is_source = s->source != NULL,
                                .state = state_names[state_of(s)],
                                .ledger = s->ledger,
                                .epochs = s->epochs,
                                .since_ms = s->since_ms,
                                .last_commit_ms = s->last_commit_ms,
                                .paused_ms = s->paused_ms,
                                .watermark = INT64_MIN,
                                .dead_bytes = atomic_load(&s->dead_bytes),
                                .form = s->form == STORE_CATCHUP ? "catching up" : "live",
                                .live = spans_tell(&s->live),
                                .catchup = spans_tell(&s->catchup)};
    memcpy(out->trouble, s->trouble, sizeof(out->trouble));
    memcpy(out->note, s->note, sizeof(out->note));
    int64_t window = now - s->rate_since_ns;
    if (s->rate_since_ns)
        out->rows_per_second =
            window >= RATE_WINDOW_NS ? (double)s->rate_rows * 1e9 / (double)window : s->rate;
    if (s->stream) {
        fill_stream(s, out);
    } else {
        out->lanes = 1;
        out->every_ms = s->source->o.every_ms;
        out->cpu_ns = atomic_load_explicit(&s->source->worker.cpu_ns, memory_order_relaxed);
        out->memory = atomic_load_explicit(&s->source->worker.memory, memory_order_relaxed);
    }
    out->balanced = ledger_balanced(&out->ledger) && s->failure != ERR_LEDGER;
    if (s->upgrade) upgrade_tell(s, out);
    gate_leave(&s->flow->gate);
    return true;
}

err_t flow_each(struct flow *f, err_t (*each)(void *ctx, const struct flow_status *s), void *ctx)
{
    for (int streams = 0; streams < 2; streams++) {
        for (uint32_t i = 0; i < f->stage_count; i++) {
            struct flow_status status;
            if ((f->stages[i]->stream != NULL) != (streams == 1)) continue;
            if (!fill(f->stages[i], &status)) continue;
            err_t e = each(ctx, &status);
            if (e) return e;
        }
    }
    return ERR_OK;
}

static int64_t lane_keeps(const struct lane *l, struct slice topic, int32_t partition)
{
    int64_t lowest = INT64_MAX;
    for (uint32_t i = 0; i < l->partition_count; i++) {
        const struct lane_partition *p = &l->partitions[i];
        if (p->index == partition && slice_equal(l->stream->topics[p->topic].name, topic))
            lowest = MIN(lowest, (int64_t)atomic_load(&p->kept));
    }
    return lowest;
}

int64_t flow_keep_from(struct flow *f, struct slice topic, int32_t partition)
{
    int64_t lowest = INT64_MAX;
    for (uint32_t i = 0; i < f->stage_count; i++) {
        const struct stage *s = f->stages[i];
        if (!stage_lives(s)) continue;
        if (s->source && slice_equal(s->into, topic) && partition < s->source->partitions) {
            int64_t pinned = atomic_load(&s->source->pinned[partition]);
            if (pinned >= 0) lowest = MIN(lowest, pinned); /* its cursor lies there (F8) */
        }
        for (uint32_t k = 0; s->stream && k < s->stream->lane_count; k++)
            lowest = MIN(lowest, lane_keeps(&s->stream->lanes[k], topic, partition));
    }
    return lowest;
}
