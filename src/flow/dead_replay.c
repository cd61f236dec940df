/* dead_replay: letters go through their stream once more. One epoch of each lane that has some:
 * what becomes of the records, and the letters that are gone, are one atomic write (F1). */
#include "flow/sink.h"

enum { REPLAY_BYTES = 32 << 20, REPLAY_ARENA = 256 << 20 };

struct replaying {
    const struct dead_filter *wanted;
    struct dead_outcome *out;
    struct store_snapshot *snapshot; /* a letter that fails again is not met again */
    struct arena *arena;
    struct dead_letter *letters; /* of the round at hand, CHUNK_ROWS of them at most */
    uint32_t *topics;            /* a letter: the number of its topic */
    bool *taken;
    uint32_t count;
    size_t bytes;
    struct buf last; /* where the round ended */
    bool more, damaged;
};

/* --- a round's letters --------------------------------------------------------------------------
 */

static err_t collect_one(void *ctx, struct slice key, struct slice value)
{
    struct replaying *r = ctx;
    struct dead_letter l;
    if (r->count == CHUNK_ROWS || r->bytes > REPLAY_BYTES) {
        r->more = true;
        return ERR_STOPPED;
    }
    err_t e = dead_read(key, value, &l);
    r->damaged |= e != ERR_OK;
    if (e) return e;
    buf_reset(&r->last);
    buf_slice(&r->last, key);
    if (!dead_fits(r->wanted, &l)) return r->last.err;
    uint8_t *kept = arena_take(r->arena, key.len + value.len + 2 * JSON_PADDING);
    if (!kept) return ERR_NO_MEMORY;
    memcpy(kept, key.at, key.len);
    memcpy(kept + key.len, value.at, value.len);
    r->bytes += value.len;
    return dead_read(slice_make(kept, key.len), slice_make(kept + key.len, value.len),
                     &r->letters[r->count++]);
}

static err_t collect(struct replaying *r, const struct stage *stage, struct diag *d)
{
    struct store *s = stage->flow->o.store;
    struct stage_key k = stage_key(stage->key);
    struct slice after = r->more ? buf_view(&r->last) : (struct slice){0};
    arena_reset(r->arena);
    r->count = 0;
    r->bytes = 0;
    r->more = false;
    r->letters = arena_take(r->arena, CHUNK_ROWS * sizeof(*r->letters));
    r->topics = arena_take(r->arena, CHUNK_ROWS * sizeof(*r->topics));
    r->taken = arena_take(r->arena, CHUNK_ROWS * sizeof(*r->taken));
    if (!r->letters || !r->topics || !r->taken)
        return diag_fail(d, ERR_NO_MEMORY, "no memory to replay letters");
    struct slice from = after.at ? arena_slice(r->arena, after) : after;
    err_t e =
        store_records(s, r->snapshot, STORE_DEAD, stage_key_slice(&k), from, collect_one, r, d);
    if (r->damaged) return diag_fail(d, e, "a dead letter can not be read");
    return e == ERR_STOPPED && r->more ? ERR_OK : e;
}

/* Only what was one record of a topic that the stream still reads can be one again. */
static bool can_replay(const struct stream *s, const struct dead_letter *l, uint32_t *topic)
{
    bool whole = l->mended.at || !l->cut;
    if (l->partition < 0 || l->offset < 0 || l->count > 1 || !whole) return false;
    for (*topic = 0; *topic < s->plan->topic_count; (*topic)++)
        if (slice_equal(s->topics[*topic].name, l->topic)) return true;
    return false;
}

/* --- through the plan ---------------------------------------------------------------------------
 */

/* The letters of one partition of one topic; *rows: which letter a row is. */
static void fill_chunk(struct lane *l, const struct lane_partition *p, struct replaying *r,
                       uint32_t *letters)
{
    struct chunk *c = l->chunk;
    chunk_reset(c);
    for (uint32_t i = 0; i < r->count; i++) {
        const struct dead_letter *t = &r->letters[i];
        if (r->topics[i] != p->topic || t->partition != p->index) continue;
        c->values[c->rows] = t->mended.at ? t->mended : t->raw;
        c->keys[c->rows] = t->key;
        c->offsets[c->rows] = t->offset;
        c->times[c->rows] = t->time_ms;
        c->partitions[c->rows] = t->partition;
        c->gone[c->rows] = 0;
        letters[c->rows++] = i;
        r->taken[i] = true;
    }
}

/* What fails again stays, as the record it was, with the new reason. */
static err_t keep_letter(struct lane *l, const struct dead_letter *was, const struct chunk_dead *n,
                         struct diag *d)
{
    struct dead_note note = dead_note_of(was);
    note.epoch = l->epoch.number;
    note.count = n->count;
    note.err = n->err;
    note.reason = n->reason;
    note.expression = n->expression;
    note.column = n->column;
    count_term(&l->epoch.counter, TERM_DEAD, n->count);
    return dead_write(l->epoch.write, was->under, &note, &l->scratch, &l->epoch.dead_bytes, d);
}

static err_t settle_chunk(struct lane *l, struct replaying *r, const struct dead_letter *letters,
                          const uint32_t *which, struct diag *d)
{
    const struct chunk *c = l->chunk;
    const struct chunk_dead **again = arena_take(l->arena, (c->rows + 1) * sizeof(*again));
    err_t e = again ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory to replay letters");
    for (uint32_t i = 0; !e && i < c->dead_count; i++) again[c->dead[i].row] = &c->dead[i];
    for (uint32_t i = 0; !e && i < c->rows; i++) {
        const struct dead_letter *t = &letters[which[i]];
        /* it was counted as dead, or as late where a letter tells of that only */
        count_term(&l->epoch.counter, t->count ? TERM_DEAD : TERM_LATE, (uint64_t)-1);
        l->epoch.dead_freed += t->size;
        r->out->replayed++;
        if (again[i]) {
            e = keep_letter(l, t, again[i], d);
            r->out->again++;
        } else {
            struct slice key = slice_make(t->under.at, t->under.len + 1 + t->place.len);
            e = store_write_record(l->epoch.write, STORE_DEAD, key, (struct slice){0});
            r->out->mended++;
        }
        l->epoch.dirty = true;
    }
    return e;
}

/* Their rows' times are what they would have been at least: a later record's row stays. */
static err_t replay_partition(struct lane *l, struct lane_partition *p, struct replaying *r,
                              uint32_t *which, struct diag *d)
{
    struct stream_cursor now = p->now;
    fill_chunk(l, p, r, which);
    if (!l->chunk->rows) return ERR_OK;
    l->turn = (uint32_t)(p - l->partitions);
    arena_reset(l->arena);
    p->now.last_write_us = -1;
    err_t e = graph_push(l->graph, p->topic, l->chunk, d);
    p->now = now;
    return e ? e : settle_chunk(l, r, r->letters, which, d);
}

static err_t replay_lane(struct lane *l, struct replaying *r, struct diag *d)
{
    uint32_t *which = arena_take(r->arena, CHUNK_ROWS * sizeof(*which));
    struct dead_outcome before = *r->out;
    err_t e = which ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory to replay letters");
    if (!e) e = lane_load(l, d);
    while (!e && lane_is_closing(l)) e = lane_close_on(l, d);
    if (!e) e = epoch_begin(l, STORE_LIVE, NULL, d);
    l->epoch.replay = true;
    for (uint32_t i = 0; !e && i < l->partition_count; i++)
        e = replay_partition(l, &l->partitions[i], r, which, d);
    if (!e && l->epoch.dirty) {
        e = epoch_finish(l, d);
        if (!e) e = epoch_commit(l, d);
    }
    if (e) *r->out = before;
    epoch_abort(l); /* also after a commit: commands end with the thread that started them */
    return e;
}

static err_t replay_round(struct stream *s, struct replaying *r, struct diag *d)
{
    err_t e = collect(r, s->stage, d);
    for (uint32_t i = 0; !e && i < r->count; i++)
        if (!can_replay(s, &r->letters[i], &r->topics[i])) r->topics[i] = UINT32_MAX;
    for (uint32_t i = 0; !e && r->count && i < s->lane_count; i++)
        e = replay_lane(&s->lanes[i], r, d);
    for (uint32_t i = 0; !e && i < r->count; i++) r->out->left += !r->taken[i];
    return e;
}

static err_t replay(struct stage *s, void *ctx, struct diag *d)
{
    struct replaying *r = ctx;
    if (!s->stream) {
        (void)diag_fail(d, ERR_UNSUPPORTED, "'%.*s' is a source: its letters were never records",
                        SLICE_ARG(s->name));
        return diag_hint(d,
                         "bring what was meant with `sluice produce`, then `sluice dead forget`");
    }
    r->snapshot = store_snapshot(s->flow->o.store);
    r->arena = arena_new(REPLAY_ARENA);
    r->last = buf_make(KIB(4));
    err_t e = r->snapshot && r->arena ? ERR_OK
                                      : diag_fail(d, ERR_NO_MEMORY, "no memory to replay letters");
    do {
        if (!e) e = replay_round(s->stream, r, d);
    } while (!e && r->more);
    buf_done(&r->last);
    arena_free(r->arena);
    store_snapshot_free(r->snapshot);
    return e;
}

err_t flow_dead_replay(struct flow *f, const struct dead_filter *w, struct dead_outcome *out,
                       struct diag *d)
{
    struct replaying r = {.wanted = w, .out = out};
    *out = (struct dead_outcome){0};
    if (!w->stage.len || w->stage.len > STAGE_NAME_MAX)
        return diag_fail(d, ERR_USAGE, "letters of which stream?");
    return stage_between(f, w->stage, replay, &r, d);
}
