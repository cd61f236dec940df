/* feed: see feed.h. */
#include "flow/feed.h"
#include "flow/op.h"
#include <stddef.h>
#include <stdio.h>

enum {
    PORTION_BYTES = 512 << 10,
    PORTION_MEMORY = 8 << 20, /* what one is reckoned to hold, for how many there may be */
    PIECES_MAX = 4,           /* chunks of a portion that wait for the lane */
    OPENED_ENOUGH = 8 << 20,  /* of opened batches, before the lane takes them */
    FEEDERS_DEFAULT_MAX = 8
};

struct piece { /* a chunk, and the rows that a feeder made of it */
    struct chunk *chunk;
    struct rows rows;
    struct column_batch batch;
    int64_t seen; /* the greatest event time */
};
enum portion_state { PORTION_FREE, PORTION_ASKED, PORTION_BUSY, PORTION_DONE };
struct portion {
    enum portion_state state; /* guarded by the feed's gate; the rest is whose turn it is */
    struct lane_partition *partition;
    struct reader reader;
    struct arena *arena;
    struct counter counter;
    struct event_times times;
    struct piece pieces[PIECES_MAX];
    uint32_t piece_count;
    struct group_part *parts; /* gathered, and too many to be kept */
    bool more;                /* it is not read to its end */
    err_t err;
    struct diag why;
};
struct feeder {
    struct feed *feed;
    struct worker worker;
    struct graph *graph;
    struct piece *piece; /* at hand */
};
struct feed {
    struct lane *lane;
    struct feeder *feeders; /* the first is the lane itself */
    uint32_t feeder_count;
    struct portion *ring;
    uint32_t ring_count;
    struct gate gate; /* guards what follows, and the portions' states */
    uint64_t asked;   /* portions so far: handed out, … */
    uint64_t taken;   /* … begun, … */
    uint64_t used;    /* … and done with */
    bool stopping, started;
    _Atomic size_t memory;
};

/* --- a feeder's work ----------------------------------------------------------------------------
 */

static err_t take_rows(void *feeder, const struct rows *r, struct diag *d)
{
    struct piece *p = ((struct feeder *)feeder)->piece;
    INVARIANT(!p->rows.b); /* a chunk comes out at one place, once */
    (void)d;
    p->rows = *r;
    p->batch = *r->b;
    p->rows.b = &p->batch;
    return ERR_OK;
}

/* Rows before state are records: nothing else can die there. */
static err_t no_dead_rows(void *feeder, err_t e, struct slice reason, struct slice expression,
                          struct slice raw, struct diag *d)
{
    (void)feeder, (void)expression, (void)raw;
    return diag_fail(d, ERR_INTERNAL, "a feeder's row that is no record: %s, %.*s", err_text(e),
                     SLICE_ARG(reason));
}

static err_t work_piece(struct feeder *f, struct portion *p, struct diag *d)
{
    struct piece *piece = &p->pieces[p->piece_count];
    if (!piece->chunk) piece->chunk = mem_take(sizeof(*piece->chunk));
    if (!piece->chunk) return diag_fail(d, ERR_NO_MEMORY, "records for a feeder");
    piece->rows = (struct rows){0};
    f->piece = piece;
    err_t e = reader_fill(&p->reader, piece->chunk, CHUNK_ROWS, &p->counter, d);
    if (e || (!piece->chunk->rows && !piece->chunk->dead_count)) return e;
    e = graph_push(f->graph, p->partition->topic, piece->chunk, d);
    piece->seen = graph_time_seen(f->graph, p->partition->topic);
    p->piece_count++;
    return e;
}

static void work(struct feeder *f, struct portion *p)
{
    const struct lane *l = f->feed->lane;
    struct reader *r = &p->reader;
    err_t e = ERR_OK;
    graph_begin(f->graph, l->epoch.now_ms, l->epoch.number, l->watermark, &p->counter, p->arena);
    uint32_t before;
    do {
        before = p->piece_count;
        e = work_piece(f, p, &p->why);
    } while (!e && p->piece_count > before && p->piece_count < PIECES_MAX && r->next < r->until &&
             arena_used(r->opened) < OPENED_ENOUGH);
    p->more = !e && r->next < r->until && !reader_spent(r);
    p->times = f->graph->times;
    p->parts = graph_parts(f->graph, false);
    p->err = e;
}

/* Inside the gate: the next portion that nobody has begun; NULL: none. */
static struct portion *take_up(struct feed *f)
{
    if (f->taken == f->asked) return NULL;
    struct portion *p = &f->ring[f->taken++ % f->ring_count];
    p->state = PORTION_BUSY;
    return p;
}

static void feeder_run(void *arg)
{
    struct feeder *self = arg;
    struct feed *f = self->feed;
    gate_enter(&f->gate);
    while (!f->stopping) {
        struct portion *p = take_up(f);
        if (!p) {
            gate_wait(&f->gate);
            continue;
        }
        gate_leave(&f->gate);
        work(self, p);
        worker_note(&self->worker, 0); /* what they hold is the feed's */
        gate_enter(&f->gate);
        p->state = PORTION_DONE;
        gate_wake(&f->gate);
    }
    gate_leave(&f->gate);
}

/* --- starting and stopping ----------------------------------------------------------------------
 */

static err_t make_graph(struct feeder *f, struct diag *d)
{
    const struct lane *l = f->feed->lane;
    struct graph_options o = l->graph->o;
    o.feeds = true;
    o.store = NULL;
    o.ctx = f;
    o.end = take_rows;
    o.dead = no_dead_rows;
    return f->graph ? ERR_OK : graph_new(&o, &f->graph, d);
}

static err_t portion_init(struct portion *p, const struct lane *l, struct diag *d)
{
    if (p->arena) return ERR_OK;
    err_t e = reader_init(&p->reader);
    p->reader.lent = true;
    p->arena = e ? NULL : arena_new(MAX(lane_share(l), (size_t)MIB(512)));
    return p->arena ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a lane's feeders");
}

/* What low rates never need is made, and started, when it pays for the first time. */
static err_t feed_start(struct feed *f, struct diag *d)
{
    err_t e = ERR_OK;
    char name[64];
    if (f->started) return ERR_OK;
    for (uint32_t i = 0; !e && i < f->ring_count; i++) e = portion_init(&f->ring[i], f->lane, d);
    for (uint32_t i = 0; !e && i < f->feeder_count; i++) e = make_graph(&f->feeders[i], d);
    if (e) return e;
    struct slice stage = f->lane->stream->stage->name;
    snprintf(name, sizeof(name), "+%.*s", (int)MIN(stage.len, 12u), (const char *)stage.at);
    f->stopping = false;
    f->started = true;
    for (uint32_t i = 1; !e && i < f->feeder_count; i++)
        e = thread_start(&f->feeders[i].worker.thread, name, feeder_run, &f->feeders[i], d);
    if (e) feed_stop(f);
    return e;
}

void feed_stop(struct feed *f)
{
    if (!f || !f->started) return;
    gate_enter(&f->gate);
    f->stopping = true;
    gate_wake(&f->gate);
    gate_leave(&f->gate);
    for (uint32_t i = 1; i < f->feeder_count; i++) thread_join(&f->feeders[i].worker.thread);
    f->started = false;
}

/* --- the lane's side ----------------------------------------------------------------------------
 */

/* Where the batches that were read end. */
static int64_t end_of(const struct reader *r)
{
    int64_t end = r->next;
    struct record_batch b;
    for (size_t at = 0; at < r->bytes.len; at += record_batch_size(&b)) {
        if (record_batch_read(slice_make(r->bytes.at + at, r->bytes.len - at), false, &b)) break;
        end = b.base_offset + b.last_offset_delta + 1;
    }
    return MAX(end, r->next + 1); /* what can not be read is the feeder's to say */
}

static void hand_out(struct feed *f, struct portion *p, bool again)
{
    struct event_times none = {.least = INT64_MAX, .greatest = INT64_MIN};
    if (!p->reader.open) arena_reset(p->reader.opened);
    arena_reset(p->arena);
    p->piece_count = 0;
    p->times = none;
    p->err = ERR_OK;
    p->why = (struct diag){0};
    p->counter = (struct counter){.skip = f->lane->epoch.counter.skip};
    gate_enter(&f->gate);
    p->state = again ? PORTION_DONE : PORTION_ASKED; /* again: by the lane itself */
    if (!again) f->asked++;
    gate_wake(&f->gate);
    gate_leave(&f->gate);
}

/* The partition's next portion, into the ring. */
static err_t ask(struct feed *f, struct lane_partition *lp, struct diag *d)
{
    struct lane *l = f->lane;
    struct portion *p = &f->ring[f->asked % f->ring_count];
    struct reader *r = &p->reader;
    lane_expire(l, lp);
    reader_aim(r, NULL, 0);
    reader_aim(r, lp->log, lp->now.next);
    r->wants_value = graph_reads_value(l->graph, lp->topic);
    r->aborted_known = false;
    r->stable = log_stable_offset(lp->log);
    err_t e = log_read(lp->log, r->next, PORTION_BYTES, &r->bytes, d);
    if (e == ERR_OFFSET_RANGE && log_start_offset(lp->log) > lp->now.next) return ERR_OK;
    if (e) return e;
    r->until = MIN(end_of(r), MIN(lp->until, lp->limit));
    p->partition = lp;
    lp->heard_ns = clock_mono_ns();
    lp->now.next = r->until;
    l->epoch.dirty = true;
    hand_out(f, p, false);
    return ERR_OK;
}

/* Until the portion is done, others are worked on; where there is none, the lane sleeps. */
static void wait_for(struct feed *f, const struct portion *p)
{
    gate_enter(&f->gate);
    while (p->state != PORTION_DONE) {
        struct portion *other = take_up(f);
        if (!other) {
            gate_wait(&f->gate);
            continue;
        }
        gate_leave(&f->gate);
        work(&f->feeders[0], other);
        gate_enter(&f->gate);
        other->state = PORTION_DONE;
    }
    gate_leave(&f->gate);
}

static err_t use_pieces(struct lane *l, struct portion *p, struct diag *d)
{
    struct slice topic = l->stream->topics[p->partition->topic].name;
    err_t e = ERR_OK;
    ledger_add(&l->epoch.counter.now, &p->counter.now);
    graph_add_times(l->graph, &p->times);
    for (uint32_t i = 0; !e && i < p->piece_count; i++) {
        const struct piece *piece = &p->pieces[i];
        arena_reset(l->arena);
        if (piece->rows.b) e = graph_take(l->graph, topic, &piece->rows, d);
        if (!e) e = epoch_settle(l, p->partition, piece->chunk, piece->seen, d);
    }
    if (e) return e;
    if (p->err && d) *d = p->why;
    if (p->err) return p->err;
    struct group_part *parts = p->parts;
    p->parts = NULL;
    return graph_take_parts(l->graph, parts, d);
}

/* The oldest portion becomes part of the epoch. */
static err_t use(struct feed *f, struct diag *d)
{
    struct portion *p = &f->ring[f->used % f->ring_count];
    wait_for(f, p);
    err_t e = use_pieces(f->lane, p, d);
    while (!e && p->more) { /* a large batch: the rest of it here */
        hand_out(f, p, true);
        work(&f->feeders[0], p);
        e = use_pieces(f->lane, p, d);
    }
    if (e) return e;
    gate_enter(&f->gate);
    p->state = PORTION_FREE;
    f->used++;
    gate_leave(&f->gate);
    return ERR_OK;
}

/* The epoch is given up: what was begun comes to its end, and is gone. */
static void give_up(struct feed *f)
{
    gate_enter(&f->gate);
    uint64_t begun = f->taken;
    f->taken = f->asked;
    for (uint64_t i = f->used; i < begun; i++)
        while (f->ring[i % f->ring_count].state == PORTION_BUSY) gate_wait(&f->gate);
    f->used = f->asked;
    gate_leave(&f->gate);
    for (uint32_t i = 0; i < f->ring_count; i++) {
        group_parts_free(f->ring[i].parts);
        f->ring[i].parts = NULL;
        f->ring[i].state = PORTION_FREE;
    }
    for (uint32_t i = 0; i < f->feeder_count; i++)
        if (f->feeders[i].graph) group_parts_free(graph_parts(f->feeders[i].graph, true));
}

/* All that was handed out is used: what the feeders keep comes over. */
static err_t gather(struct feed *f, struct diag *d)
{
    struct graph *g = f->lane->graph;
    size_t memory = 0;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < f->feeder_count; i++) {
        graph_add_counts(g, f->feeders[i].graph);
        if (!e) e = graph_take_parts(g, graph_parts(f->feeders[i].graph, true), d);
    }
    for (uint32_t i = 0; i < f->ring_count; i++) {
        const struct portion *p = &f->ring[i];
        memory += p->reader.bytes.cap + arena_used(p->reader.opened) + arena_used(p->arena);
        for (uint32_t k = 0; k < PIECES_MAX && p->pieces[k].chunk; k++)
            memory += offsetof(struct chunk, dead);
    }
    atomic_store_explicit(&f->memory, memory, memory_order_relaxed);
    return e;
}

err_t feed_epoch(struct lane *l, struct diag *d)
{
    struct feed *f = l->feed;
    struct lane_partition *p;
    bool full = false;
    err_t e = feed_start(f, d);
    if (e) return e;
    for (uint32_t i = 0; i < f->feeder_count; i++) graph_agree(f->feeders[i].graph, l->graph);
    do {
        while (!e && !full && f->asked - f->used < f->ring_count && (p = lane_next_in_order(l)))
            e = ask(f, p, d);
        if (!e && f->asked > f->used) e = use(f, d);
        full = full || epoch_full(l);
    } while (!e && (f->asked > f->used || (!full && lane_next_in_order(l))));
    if (!e) e = gather(f, d);
    if (e) give_up(f);
    return e;
}

/* --- making -------------------------------------------------------------------------------------
 */

bool feed_pays(const struct lane *l)
{
    int64_t records = 0;
    if (!l->feed) return false;
    for (uint32_t i = 0; i < l->partition_count; i++)
        records += l->partitions[i].until - l->partitions[i].now.next;
    return records >= 2 * (int64_t)CHUNK_ROWS;
}

static uint32_t feeders_of(const struct lane *l)
{
    int wanted = lane_flow(l)->o.feeders, cores = thread_cores();
    if (!lane_stateful(l) || !graph_can_feed(l->stream->plan->root) || wanted < 0) return 0;
    if (!wanted) wanted = MIN(cores - 1, (int)FEEDERS_DEFAULT_MAX);
    size_t room = lane_share(l) / 8 / PORTION_MEMORY; /* portions: two more than feeders */
    return (uint32_t)MIN(wanted, MIN(room > 2 ? (int)room - 2 : 0, (int)FEEDERS_MAX));
}

err_t feed_new(struct lane *l, struct feed **out, struct diag *d)
{
    uint32_t feeders = feeders_of(l);
    *out = NULL;
    if (!feeders) return ERR_OK;
    struct feed *f = mem_take(sizeof(*f));
    if (f) {
        *f = (struct feed){.lane = l, .feeder_count = feeders + 1, .ring_count = feeders + 2};
        gate_init(&f->gate);
        f->feeders = mem_take(f->feeder_count * sizeof(*f->feeders));
        f->ring = mem_take(f->ring_count * sizeof(*f->ring));
    }
    if (!f || !f->feeders || !f->ring) {
        feed_free(f);
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a lane's feeders");
    }
    for (uint32_t i = 0; i < f->feeder_count; i++) {
        f->feeders[i].feed = f;
        worker_init(&f->feeders[i].worker);
    }
    *out = f;
    return ERR_OK;
}

void feed_free(struct feed *f)
{
    if (!f) return;
    feed_stop(f);
    for (uint32_t i = 0; f->feeders && i < f->feeder_count; i++) {
        graph_free(f->feeders[i].graph);
        if (f->feeders[i].feed) worker_done(&f->feeders[i].worker);
    }
    for (uint32_t i = 0; f->ring && i < f->ring_count; i++) {
        struct portion *p = &f->ring[i];
        if (p->arena) reader_done(&p->reader);
        arena_free(p->arena);
        for (uint32_t k = 0; k < PIECES_MAX; k++) mem_give(p->pieces[k].chunk);
    }
    mem_give(f->feeders);
    mem_give(f->ring);
    gate_done(&f->gate);
    mem_give(f);
}

uint32_t feed_feeders(const struct feed *f)
{
    return f ? f->feeder_count - 1 : 0;
}

uint64_t feed_cpu_ns(const struct feed *f)
{
    uint64_t sum = 0;
    for (uint32_t i = 1; f && i < f->feeder_count; i++)
        sum += atomic_load_explicit(&f->feeders[i].worker.cpu_ns, memory_order_relaxed);
    return sum;
}

size_t feed_memory(const struct feed *f)
{
    return f ? atomic_load_explicit(&f->memory, memory_order_relaxed) : 0;
}
