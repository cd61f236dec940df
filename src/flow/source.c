/* source: a thread that fetches, settles what came, and only then asks for more. */
#include "flow/flow_int.h"
#include "os/file.h"

#include <stdio.h>

enum { ITEMS_ASKED = 10000, IDLE_MS = 100, SOURCE_CURSOR_MAX = 64 << 10, BATCH_MAX = 4 << 20 };

static bool source_stopping(void *ctx)
{
    return stage_stopping(((struct source *)ctx)->stage);
}

/* The journal's file: the source's name with whatever is no plain letter written as %XX. */
static err_t open_journal(struct source *s, struct diag *d)
{
    char path[3900];
    struct buf b = buf_over(path, sizeof(path));
    struct slice name = s->stage->name;
    buf_printf(&b, "%s/sources/", s->stage->flow->dir);
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-';
        plain ? buf_char(&b, (char)c) : buf_printf(&b, "%%%02X", c);
    }
    buf_printf(&b, ".journal");
    buf_char(&b, 0);
    if (b.err) return diag_fail(d, ERR_TOO_BIG, "the path of a source's journal");
    return journal_open(path, &s->journal, d);
}

static err_t open_paths(struct source *s, struct diag *d)
{
    struct json_want wants[2];
    struct slice paths[2] = {s->o.key_path, s->o.time_path};
    static const enum type_kind kinds[2] = {TYPE_TEXT, TYPE_TIMESTAMP};
    struct arena *a = arena_new(KIB(64));
    err_t e = a ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a source's paths");
    for (int i = 0; !e && i < 2; i++) {
        struct json_step *steps = NULL;
        uint32_t count = 0;
        if (!paths[i].len) continue;
        e = json_path_parse(paths[i], a, &steps, &count, d);
        s->path_types[s->path_count] = type_of(kinds[i]);
        wants[s->path_count++] = (struct json_want){steps, count, type_of(kinds[i]), true};
    }
    if (!e && s->path_count) e = json_plan_new(wants, s->path_count, &s->paths, d);
    if (!e && !(s->decoder = json_decoder_new())) e = diag_fail(d, ERR_NO_MEMORY, "a decoder");
    arena_free(a);
    return e;
}

static err_t keep_options(struct source *s, const struct flow_source_options *o)
{
    struct arena *names = s->stage->flow->names;
    s->o = *o;
    s->o.name = s->stage->name;
    s->o.topic = arena_slice(names, o->topic);
    s->o.key_path = arena_slice(names, o->key_path);
    s->o.time_path = arena_slice(names, o->time_path);
    bool kept = s->o.topic.at && s->o.key_path.at && s->o.time_path.at;
    return kept ? ERR_OK : ERR_NO_MEMORY;
}

static err_t source_prepare(struct source *s, const struct flow_source_options *o, struct diag *d)
{
    struct flow *f = s->stage->flow;
    err_t e = keep_options(s, o);
    if (e) return diag_fail(d, e, "no memory for source '%.*s'", SLICE_ARG(o->name));
    s->topic = log_topic_find(f->o.log, o->topic);
    if (!s->topic)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "source '%.*s' writes to topic '%.*s'",
                         SLICE_ARG(o->name), SLICE_ARG(o->topic));
    s->partitions = log_topic_partitions(s->topic);
    /* a packed batch may be a little larger than its records: leave a sixteenth */
    size_t most = (size_t)log_topic_config(s->topic).message_max_bytes;
    s->batch_max = MIN(most, (size_t)BATCH_MAX) / 16 * 15;
    s->places = mem_take((size_t)s->partitions * sizeof(*s->places));
    s->pinned = mem_take((size_t)s->partitions * sizeof(*s->pinned));
    s->arena = arena_new(GIB(2));
    if (!s->places || !s->pinned || !s->arena)
        return diag_fail(d, ERR_NO_MEMORY, "no memory for source '%.*s'", SLICE_ARG(o->name));
    for (int32_t p = 0; p < s->partitions; p++) atomic_store(&s->pinned[p], 0);
    e = open_paths(s, d);
    return e ? e : open_journal(s, d);
}

err_t source_new(struct stage *stage, const struct flow_source_options *o, struct diag *d)
{
    struct source *s = stage->source = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "no memory for source '%.*s'", SLICE_ARG(o->name));
    s->stage = stage;
    s->parts_max = -1;
    atomic_store(&s->budget, UINT64_MAX);
    s->cursor = buf_make(SOURCE_CURSOR_MAX);
    s->scratch = buf_make(RECORD_BATCH_MAX);
    s->counter.skip =
        stage->flow->o.mutant == FLOW_MUTANT_SKIP_COUNT ? (int)stage->flow->o.mutant_term : -1;
    worker_init(&s->worker);
    gate_init(&s->settled);
    err_t e = source_prepare(s, o, d);
    if (e) s->o.port = (struct source_port){0}; /* not taken over */
    return e;
}

void source_free(struct source *s)
{
    if (!s) return;
    if (s->o.port.close) s->o.port.close(s->o.port.self);
    journal_close(s->journal);
    json_plan_free(s->paths);
    json_decoder_free(s->decoder);
    arena_free(s->arena);
    buf_done(&s->cursor);
    buf_done(&s->scratch);
    mem_give(s->places);
    mem_give((void *)s->pinned);
    worker_done(&s->worker);
    gate_done(&s->settled);
    mem_give(s);
}

static bool limit_reached(const struct source *s)
{
    return (s->o.answers_max && s->answers >= s->o.answers_max) ||
           (s->o.records_max && s->counter.now.applied >= s->o.records_max);
}

/* A copy for `status` of a project that does not run; the log's headers alone decide. */
static void copy_ledger(struct source *s)
{
    struct stage_key k = stage_key(s->stage->name);
    struct lane_ledger l = {s->counter.now, s->number, clock_wall_ms()};
    struct store_write *w = NULL;
    struct diag d = {0};
    stage_key_be(&k, 0, 4);
    buf_reset(&s->scratch);
    lane_ledger_put(&s->scratch, &l);
    err_t e = store_write_begin(s->stage->flow->o.store, STORE_LIVE, KIB(64), &w, &d);
    if (!e) e = store_write_record(w, STORE_LEDGER, stage_key_slice(&k), buf_view(&s->scratch));
    if (!e)
        e = store_write_commit(w, &d);
    else
        store_write_abort(w);
    if (e) say_diag(SAY_FLOW, SAY_WARN, "a source's ledger was not copied to the store", &d);
}

static void publish(struct source *s, uint64_t records)
{
    struct flow *f = s->stage->flow;
    gate_enter(&f->gate);
    s->stage->ledger = s->counter.now;
    s->stage->epochs = s->number;
    if (records) s->stage->last_commit_ms = clock_wall_ms();
    stage_rate(s->stage, records);
    gate_wake(&f->gate);
    gate_leave(&f->gate);
}

/* The thread of the source alone counts while it runs. */
static void count_brought(struct source *s, uint64_t items)
{
    uint64_t budget = atomic_load(&s->budget);
    if (budget != UINT64_MAX) atomic_store(&s->budget, budget - MIN(budget, items));
    atomic_fetch_add(&s->brought, items);
}

static err_t settle_pending(struct source *s, struct diag *d)
{
    err_t e = answer_settle(s, &s->pending, d);
    if (e) return e;
    s->is_pending = false;
    s->number = s->pending.number;
    s->answers = s->pending.answers;
    s->counter.now = s->pending.ledger;
    count_brought(s, s->pending.item_count);
    publish(s, s->pending.item_count);
    return ERR_OK;
}

/* An error of the port's own is always tried again; *from_port tells it from ours. */
/* One fetch and what follows from it. *wait_ms: how long to leave the port alone. */
static err_t fetch_once(struct source *s, int64_t *wait_ms, bool *from_port, struct diag *d)
{
    struct source_answer got = {0};
    struct source_ask ask = {.cursor = buf_view(&s->cursor),
                             .now_ms = clock_wall_ms(),
                             .items_max = ITEMS_ASKED,
                             .stopping = source_stopping,
                             .ctx = s,
                             .by_task = atomic_load(&s->by_task),
                             .name = s->stage->name};
    uint64_t applied = s->counter.now.applied, budget = atomic_load(&s->budget);
    if (budget == 0) { /* what it was let bring is there */
        *wait_ms = IDLE_MS;
        return ERR_OK;
    }
    ask.items_max = (uint32_t)MIN(budget, (uint64_t)ITEMS_ASKED);
    if (s->o.records_max)
        ask.items_max = (uint32_t)MIN(s->o.records_max - applied, (uint64_t)ask.items_max);
    int64_t began_ns = clock_mono_ns();
    err_t e = s->o.port.fetch(s->o.port.self, &ask, &got, d);
    *from_port = e != ERR_OK;
    if (e) return e;
    if (got.cursor.len > SOURCE_CURSOR_MAX)
        return diag_fail(d, ERR_TOO_BIG, "source '%.*s' has a cursor of %u bytes, the limit is %d",
                         SLICE_ARG(s->stage->name), got.cursor.len, SOURCE_CURSOR_MAX);
    stage_note(s->stage, got.note);
    if (got.item_count || got.reject_count) {
        arena_reset(s->arena);
        e = answer_make(s, &got, ask.now_ms, &s->pending, d);
        if (e) return e;
        s->is_pending = true;
        s->journalled = false;
    }
    buf_reset(&s->cursor);
    buf_slice(&s->cursor, got.cursor);
    if (s->is_pending) e = settle_pending(s, d);
    s->ended = got.end || limit_reached(s);
    *wait_ms = MAX(got.wait_ms, s->o.every_ms - (clock_mono_ns() - began_ns) / 1000000);
    if (!got.item_count) *wait_ms = MAX(*wait_ms, IDLE_MS); /* never a busy loop */
    return e;
}

static err_t source_step(struct source *s, int64_t *wait_ms, bool *from_port, struct diag *d)
{
    if (!s->recovered) {
        err_t e = source_recover(s, d);
        if (e) return e;
        s->recovered = true;
        publish(s, 0);
        copy_ledger(s);
        s->ended = limit_reached(s);
        return ERR_OK;
    }
    return s->is_pending ? settle_pending(s, d) : fetch_once(s, wait_ms, from_port, d);
}

static bool source_over(const struct source *s)
{
    bool looked = s->recovered && atomic_load(&s->stage->looks_only);
    return stage_stopping(s->stage) || looked || (s->ended && !s->is_pending);
}

void source_run(void *source)
{
    struct source *s = source;
    struct stage *stage = s->stage;
    int64_t delay_ms = 0;
    bool failed = false;
    while (!failed && !source_over(s)) {
        struct diag d = {0};
        int64_t wait_ms = 0;
        bool from_port = false;
        worker_state(stage, &s->worker, delay_ms ? STAGE_RETRYING : STAGE_RUNNING);
        err_t e = source_step(s, &wait_ms, &from_port, &d);
        worker_note(&s->worker, arena_used(s->arena));
        if (e == ERR_STOPPED) {
            s->ended = s->ended || !stage_stopping(stage);
        } else if (e && !from_port && !err_passes(e)) {
            stage_fail(stage, &s->worker, &d);
            failed = true;
        } else if (e) {
            delay_ms = retry_delay(delay_ms);
            stage_trouble(stage, &d);
            worker_state(stage, &s->worker, state_after(e));
            worker_wait(&s->worker, delay_ms);
        } else {
            if (delay_ms) stage_trouble(stage, NULL);
            delay_ms = 0;
            if (wait_ms > 0 && !s->ended) {
                worker_state(stage, &s->worker, STAGE_WAITING);
                worker_wait(&s->worker, wait_ms);
            }
        }
    }
    if (s->recovered) copy_ledger(s);
    if (s->ended && !failed) worker_state(stage, &s->worker, STAGE_ENDED);
    worker_note(&s->worker, arena_used(s->arena));
}
