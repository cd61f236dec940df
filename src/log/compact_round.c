/* One round over a partition: the map of the dirty part's keys, then group by group a new segment
 * in the place of old ones. A new segment has its own names (generation): until the checkpoint
 * names it the old ones are the truth, from then on it is (L12). Readers keep what they hold. */
#include "log/compact.h"

#include <stdio.h>
#include <stdlib.h>

struct round {
    struct log_partition *p;
    const struct clean_plan *plan;
    struct vec segments; /* struct segment *, held; all in front of plan->upto */
    struct vec uppers;   /* int64_t: where each of them ends */
    struct key_map map;
    struct clean_rules rules;
    struct batch_cleaner batches;
    struct clean_result *seen;
    struct buf window;
    struct diag *d;
};

static struct segment *segment_at(const struct round *r, size_t i)
{
    return *(struct segment **)vec_at(&r->segments, i);
}

static int64_t upper_of(const struct round *r, size_t i)
{
    return *(int64_t *)vec_at(&r->uppers, i);
}

/* --- walking over a segment's batches --------------------------------------------------------- */

struct batch_walk {
    struct round *r;
    struct segment *s;
    uint64_t at;        /* of the next batch */
    int64_t next;       /* the first offset it may have */
    int64_t upper;      /* and what it stays below */
    uint64_t window_at; /* of the window's first byte */
};

static err_t walk_fill(struct batch_walk *w, size_t want)
{
    struct round *r = w->r;
    size_t got = 0;
    want = (size_t)MIN((uint64_t)want, w->s->size - w->at);
    buf_reset(&r->window);
    if (!buf_reserve(&r->window, want + RECORD_PADDING))
        return diag_fail(r->d, ERR_NO_MEMORY, "cleaning has no room for a batch");
    if (!clean_goes_on(r->p, want)) return ERR_STOPPED;
    err_t e = file_pread(w->s->fd, r->window.at, want, w->at, &got, r->d);
    r->window.len = got;
    w->window_at = w->at;
    return e;
}

/* Offsets stand outside the checksum: what is out of order is damage too. */
static err_t walk_take(struct batch_walk *w, const struct record_batch *b)
{
    int64_t last = b->base_offset + b->last_offset_delta;
    if (b->base_offset < w->next || last >= w->upper)
        return segment_corrupt(w->r->p, w->s, w->at, "its offsets do not fit", w->r->d);
    w->at += record_batch_size(b);
    w->next = last + 1;
    return ERR_OK;
}

/* The next batch, checked; ERR_NOT_FOUND behind the last. Borrowed until the next call. */
static err_t walk_next(struct batch_walk *w, struct record_batch *b)
{
    struct round *r = w->r;
    for (size_t want = CLEAN_BUFFER; w->at < w->s->size;) {
        uint64_t skip = w->at - w->window_at;
        bool inside = w->at >= w->window_at && skip < r->window.len;
        struct slice rest =
            inside ? slice_make(r->window.at + skip, r->window.len - skip) : (struct slice){0};
        err_t e = inside ? record_batch_read(rest, true, b) : ERR_SHORT;
        if (e == ERR_OK) return walk_take(w, b);
        struct batch_head head;
        bool fits = rest.len >= BATCH_HEAD_READ && batch_head_parse(rest.at, &head);
        if (e != ERR_SHORT || (inside && skip == 0 && !(fits && head.size > rest.len)))
            return segment_corrupt(r->p, w->s, w->at, "cleaning finds no whole batch here", r->d);
        if (fits) want = MAX(want, (size_t)head.size);
        if ((e = walk_fill(w, want))) return e;
        if (r->window.len == 0)
            return segment_corrupt(r->p, w->s, w->at, "the file ends too early", r->d);
    }
    return ERR_NOT_FOUND;
}

/* Opens what is to be read: the segment itself is held for the whole round. */
static err_t segment_take(struct round *r, struct segment *s)
{
    gate_enter(&r->p->gate);
    err_t e = partition_hold(r->p, s, r->d);
    gate_leave(&r->p->gate);
    buf_reset(&r->window);
    return e;
}

static struct batch_walk walk_of(struct round *r, size_t i)
{
    struct segment *s = segment_at(r, i);
    return (struct batch_walk){.r = r, .s = s, .next = s->base, .upper = upper_of(r, i)};
}

static void segment_give(struct round *r, struct segment *s)
{
    gate_enter(&r->p->gate);
    partition_release(r->p, s);
    gate_leave(&r->p->gate);
}

/* --- the map ---------------------------------------------------------------------------------- */

static err_t map_batch(struct round *r, const struct record_batch *b, bool *full)
{
    struct record_reader reader;
    struct record record;
    arena_reset(r->batches.arena);
    err_t e = record_batch_open(b, r->batches.arena, RECORD_BATCH_OPENED_MAX, &reader);
    while (!e && !(e = record_next(&reader, &record))) {
        if (!record.key_null && record.offset >= r->plan->dirty_from)
            e = key_map_put(&r->map, record.key, record.offset, full);
        if (*full) return ERR_OK;
        r->rules.latest = MAX(r->rules.latest, record.offset);
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static err_t map_segment(struct round *r, size_t i, struct txn_walk *txns, bool *full)
{
    struct batch_walk w = walk_of(r, i);
    struct record_batch b;
    err_t e = segment_take(r, w.s);
    if (e) return e;
    while (!*full && !(e = walk_next(&w, &b))) {
        bool discard, control = b.attributes & BATCH_CONTROL;
        e = txn_walk_batch(txns, &b, &discard);
        if (!e && !control && !discard) e = map_batch(r, &b, full);
        if (e) break;
        int64_t last = b.base_offset + b.last_offset_delta;
        if (!*full && last >= r->plan->dirty_from) r->rules.latest = MAX(r->rules.latest, last);
    }
    segment_give(r, w.s);
    if (e == ERR_NOT_FOUND) r->rules.latest = MAX(r->rules.latest, upper_of(r, i) - 1);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static err_t map_build(struct round *r)
{
    struct txn_walk txns;
    bool full = false;
    size_t i = 0;
    r->rules.latest = r->plan->dirty_from - 1;
    while (i < r->segments.count && upper_of(r, i) <= r->plan->dirty_from) i++;
    if (i == r->segments.count) return ERR_OK;
    err_t e = txn_walk_open(&txns, r->p, segment_at(r, i)->base, r->plan->upto, r->d);
    if (e) return e;
    for (; !e && !full && i < r->segments.count; i++) e = map_segment(r, i, &txns, &full);
    txn_walk_done(&txns);
    return e;
}

/* --- a new segment ---------------------------------------------------------------------------- */

struct output {
    struct segment *s;
    struct buf pending; /* not yet in the file */
    uint64_t since_index;
    struct vec markers; /* int64_t: offsets of the markers that stay */
    struct vec aborted; /* struct aborted: of the old segments */
    bool changed;
};

static const char *const parts[] = {"log", "index", "aborted"};

static const char *cleaning_path(const struct round *r, const struct segment *s, const char *part,
                                 char out[PATH_SIZE])
{
    char extension[32];
    snprintf(extension, sizeof(extension), "%s.cleaning", part);
    return segment_path(r->p, s, extension, out);
}

static err_t output_open(struct round *r, struct output *o, size_t first, size_t count)
{
    uint32_t generation = 0;
    char path[PATH_SIZE];
    const struct segment *old = segment_at(r, first);
    for (size_t i = first; i < first + count; i++)
        generation = MAX(generation, segment_at(r, i)->generation);
    if (generation >= GENERATION_MAX)
        return diag_fail(r->d, ERR_TOO_BIG, "a segment was cleaned %d times", GENERATION_MAX);
    *o = (struct output){.s = segment_new(old->base, old->first_ms),
                         .pending = buf_make((size_t)RECORD_BATCH_OPENED_MAX * 2),
                         .markers = vec_make(sizeof(int64_t), (size_t)1 << 24),
                         .aborted = vec_make(sizeof(struct aborted), (size_t)1 << 24)};
    if (!o->s) return diag_fail(r->d, ERR_NO_MEMORY, "cleaning has no room for a segment");
    o->s->generation = generation + 1;
    o->s->end = upper_of(r, first + count - 1);
    err_t e = file_open(cleaning_path(r, o->s, "log", path), FILE_WRITE, &o->s->fd, r->d);
    if (!e) e = file_truncate(o->s->fd, 0, r->d);
    if (!e) e = file_open(cleaning_path(r, o->s, "index", path), FILE_WRITE, &o->s->index_fd, r->d);
    if (!e) e = file_truncate(o->s->index_fd, 0, r->d);
    return e;
}

static err_t output_flush(struct round *r, struct output *o)
{
    uint64_t written = o->s->size - o->pending.len;
    err_t e = file_pwrite(o->s->fd, o->pending.at, o->pending.len, written, r->d);
    r->seen->bytes_written += o->pending.len;
    buf_reset(&o->pending);
    return e;
}

/* What batch_clean has put behind `from` in o->pending. */
static err_t output_add(struct round *r, struct output *o, size_t from)
{
    struct record_batch b;
    if (o->pending.len == from) return ERR_OK; /* and maybe nothing ever: `at` is NULL */
    struct slice bytes = slice_make(o->pending.at + from, o->pending.len - from);
    err_t e = record_batch_read(bytes, false, &b);
    INVARIANT(e == ERR_OK && record_batch_size(&b) == bytes.len);
    if (o->s->size + bytes.len > SEGMENT_BYTES_MAX)
        return diag_fail(r->d, ERR_TOO_BIG, "a cleaned segment grew past its limit");
    if (o->since_index >= INDEX_EVERY) {
        struct index_entry entry = {(uint32_t)(b.base_offset - o->s->base), (uint32_t)o->s->size,
                                    o->s->max_ms};
        index_add(r->p, o->s, &entry);
        o->since_index = 0;
    }
    o->since_index += bytes.len;
    o->s->size += bytes.len;
    o->s->max_ms = MAX(o->s->max_ms, b.max_timestamp);
    return o->pending.len >= CLEAN_BUFFER ? output_flush(r, o) : ERR_OK;
}

/* Of an active producer the batch with its last sequence keeps its head; of one that has only a
 * marker, that: what an epoch fences must not be forgotten. Kafka's three cases. */
static bool is_producers_last(struct log_partition *p, const struct record_batch *b)
{
    struct log_producer state;
    if (b->producer_id < 0 || log_producer_state(p, b->producer_id, &state)) return false;
    if (state.last_offset >= 0) return state.last_offset == b->base_offset;
    return (b->attributes & BATCH_CONTROL) && b->producer_epoch == state.epoch;
}

static err_t clean_one(struct round *r, struct output *o, struct txn_walk *txns,
                       const struct record_batch *b)
{
    struct batch_fate fate;
    bool changed = false;
    int32_t records = 0;
    size_t from = o->pending.len;
    int64_t next = b->base_offset + b->last_offset_delta + 1;
    err_t e = txn_walk_batch(txns, b, &fate.discard);
    if (e) return diag_fail(r->d, e, "cleaning has no room for transactions");
    fate.keep_head = is_producers_last(r->p, b) || next == r->plan->upto;
    e = batch_clean(&r->batches, &r->rules, b, fate, &o->pending, &changed, &records);
    if (e)
        return diag_fail(r->d, e,
                         "topic '%s' partition %d: the batch at offset %lld can not be "
                         "cleaned",
                         r->p->topic->name, r->p->index, (long long)b->base_offset);
    o->changed = o->changed || changed;
    r->seen->records_read += b->count;
    r->seen->records_kept += records;
    r->seen->bytes_read += record_batch_size(b);
    if ((b->attributes & BATCH_CONTROL) && records > 0 && vec_push(&o->markers, &b->base_offset))
        return diag_fail(r->d, ERR_NO_MEMORY, "cleaning has no room for markers");
    return output_add(r, o, from);
}

static err_t clean_segment(struct round *r, struct output *o, struct txn_walk *txns, size_t i)
{
    struct batch_walk w = walk_of(r, i);
    struct record_batch b;
    err_t e = segment_take(r, w.s);
    if (e) return e;
    e = aborted_load(r->p, w.s, &o->aborted, r->d);
    while (!e && !(e = walk_next(&w, &b))) e = clean_one(r, o, txns, &b);
    segment_give(r, w.s);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

static int by_offset(const void *key, const void *item)
{
    int64_t a = *(const int64_t *)key, b = *(const int64_t *)item;
    return a < b ? -1 : a > b;
}

/* An aborted transaction whose marker went is known no more, or its producer's next, committed one
 * would be taken for it. */
static void forget_aborted(struct output *o)
{
    size_t kept = 0;
    for (size_t i = 0; i < o->aborted.count; i++) {
        struct aborted a = *(struct aborted *)vec_at(&o->aborted, i);
        if (!o->markers.count || !bsearch(&a.txn.last_offset, o->markers.items, o->markers.count,
                                          sizeof(int64_t), by_offset))
            continue;
        *(struct aborted *)vec_at(&o->aborted, kept++) = a;
    }
    o->aborted.count = kept;
}

/* All of it on disk, under its own names. */
static err_t output_finish(struct round *r, struct output *o)
{
    char from[PATH_SIZE], to[PATH_SIZE];
    struct segment *s = o->s;
    err_t e = output_flush(r, o);
    if (!e) e = file_sync(s->fd, r->d);
    index_close(r->p, s);
    forget_aborted(o);
    if (!e) e = aborted_write(r->p, s, &o->aborted, r->d); /* under its own name at once */
    if (!e) aborted_publish(s, &o->aborted);
    if (!e) e = aborted_sync(r->p, s, r->d);
    for (size_t i = 0; !e && i < 2; i++)
        e = file_rename(cleaning_path(r, s, parts[i], from), segment_path(r->p, s, parts[i], to),
                        r->d);
    return e ? e : dir_sync(partition_path(r->p, NULL, from), r->d);
}

static void output_drop(struct round *r, struct output *o)
{
    char path[PATH_SIZE];
    bool gone = atomic_load(&r->p->topic->deleted); /* another topic may have the name by now */
    for (size_t i = 0; o->s && !gone && i < COUNT_OF(parts); i++)
        if (file_remove(cleaning_path(r, o->s, parts[i], path), NULL) ||
            file_remove(segment_path(r->p, o->s, parts[i], path), NULL))
            say_warn(SAY_LOG, "what cleaning left is removed by the next start", "file=%s", path);
    if (o->s) segment_free(o->s);
    o->s = NULL;
}

static void output_done(struct output *o)
{
    buf_done(&o->pending);
    vec_done(&o->markers);
    vec_done(&o->aborted);
}

/* --- taking its place ------------------------------------------------------------------------- */

struct swap {
    struct segment **old, *made; /* made NULL: only what is clean moves on */
    size_t count;
    int64_t clean_to;
    bool taken;
};

/* Retention may have been faster: then the old ones are not all there, and nothing is swapped. */
static bool swap_place(const struct log_partition *p, const struct swap *w, size_t *place)
{
    ptrdiff_t at = partition_segment_of(p, w->old[0]->base);
    if (at < 0 || (size_t)at + w->count >= p->segments.count) return false; /* never the tail */
    for (size_t i = 0; i < w->count; i++)
        if (*(struct segment **)vec_at(&p->segments, (size_t)at + i) != w->old[i]) return false;
    *place = (size_t)at;
    return true;
}

static void swap_in(struct log_partition *p, const struct swap *w, size_t place)
{
    gate_enter(&p->gate);
    *(struct segment **)vec_at(&p->segments, place) = w->made;
    for (size_t i = 1; i < w->count; i++) vec_remove(&p->segments, place + 1);
    hints_forget(p);
    partition_count_bytes(p);
    gate_leave(&p->gate);
}

/* L12: the new segment is whole on disk; the checkpoint that names it is the moment of truth. If it
 * fails either may be on disk: the files of both stay. */
static void swap_on_writer(struct job *j)
{
    struct swap *w = j->arg;
    struct log_partition *p = j->partition;
    size_t place;
    if (p->stopped || atomic_load(&p->topic->deleted)) return;
    gate_enter(&p->gate);
    p->clean_to = MAX(p->clean_to, w->clean_to);
    p->since_checkpoint++; /* it is written when there is time: what is lost is cleaned once more */
    gate_leave(&p->gate);
    if (!w->made || !swap_place(p, w, &place)) return;
    swap_in(p, w, place);
    w->taken = true;
    struct diag d = {0};
    bool unsure = partition_checkpoint(p, 0, &d) != ERR_OK;
    if (unsure) say_diag(SAY_LOG, SAY_WARN, "a cleaned segment waits for the next checkpoint", &d);
    if (unsure) p->since_checkpoint = IDLE_CHECKPOINT_BYTES;
    gate_enter(&p->gate);
    for (size_t i = 0; i < w->count; i++) {
        w->old[i]->keep_files = unsure;
        w->old[i]->doomed = true; /* the round holds it still */
    }
    gate_leave(&p->gate);
}

static err_t swap(struct round *r, struct swap *w)
{
    struct job j = {.run = swap_on_writer, .partition = r->p, .arg = w, .diag = r->d};
    return writer_run_job(r->p->log, &j);
}

/* --- groups ----------------------------------------------------------------------------------- */

/* As many segments from `first` on as fit into one, so that what shrank does not stay scattered. */
static size_t group_size(const struct round *r, size_t first)
{
    uint64_t limit = log_segment_bytes(r->p), bytes = segment_at(r, first)->size;
    size_t n = 1;
    while (first + n < r->segments.count && segment_at(r, first + n)->base <= r->rules.latest &&
           bytes + segment_at(r, first + n)->size <= limit &&
           upper_of(r, first + n) - segment_at(r, first)->base < INT32_MAX / 2)
        bytes += segment_at(r, first + n++)->size;
    return n;
}

static err_t clean_group(struct round *r, struct txn_walk *txns, size_t first, size_t count)
{
    struct output o = {0}; /* output_open may refuse before it fills it */
    err_t e = output_open(r, &o, first, count);
    for (size_t i = first; !e && i < first + count; i++) e = clean_segment(r, &o, txns, i);
    bool worth = o.changed || count > 1; /* else the old one is as good */
    if (!e && worth) e = output_finish(r, &o);
    struct swap w = {
        .old = (struct segment **)(void *)vec_at(&r->segments, first), .made = o.s, .count = count};
    if (!e && worth) {
        atomic_fetch_add(&r->p->log->open_segments, 1);
        o.s->readers++; /* ours, until it can be closed */
        e = swap(r, &w);
        if (w.taken)
            segment_give(r, o.s);
        else
            atomic_fetch_sub(&r->p->log->open_segments, 1);
    }
    if (!w.taken) output_drop(r, &o);
    output_done(&o);
    return e;
}

static err_t clean_groups(struct round *r)
{
    struct txn_walk txns;
    int64_t from = segment_at(r, 0)->base;
    err_t e = txn_walk_open(&txns, r->p, from, r->plan->upto, r->d);
    if (e) return e;
    for (size_t i = 0; !e && i < r->segments.count && segment_at(r, i)->base <= r->rules.latest;) {
        size_t n = group_size(r, i);
        e = clean_group(r, &txns, i, n);
        i += n;
    }
    txn_walk_done(&txns);
    return e;
}

/* --- the round -------------------------------------------------------------------------------- */

static err_t hold_all(struct round *r)
{
    struct log_partition *p = r->p;
    err_t e = ERR_OK;
    gate_enter(&p->gate);
    for (size_t i = 0; !e && i + 1 < p->segments.count; i++) {
        struct segment *s = *(struct segment **)vec_at(&p->segments, i);
        int64_t upper = (*(struct segment **)vec_at(&p->segments, i + 1))->base;
        if (upper > r->plan->upto) break;
        e = vec_push(&r->segments, &s);
        if (!e && (e = vec_push(&r->uppers, &upper))) r->segments.count--;
        if (!e) s->readers++;
    }
    gate_leave(&p->gate);
    return e;
}

static void release_all(struct round *r)
{
    for (size_t i = 0; i < r->segments.count; i++) segment_give(r, segment_at(r, i));
    vec_done(&r->segments);
    vec_done(&r->uppers);
}

static err_t round_run(struct round *r)
{
    err_t e = r->segments.count ? map_build(r) : ERR_OK;
    if (e || r->rules.latest < r->plan->dirty_from) return e;
    e = clean_groups(r);
    if (e) return e;
    struct swap end = {.clean_to = r->rules.latest + 1};
    return swap(r, &end);
}

err_t clean_round(struct log_partition *p, const struct clean_plan *plan, int64_t now_ms,
                  struct clean_result *seen, struct diag *d)
{
    const struct log *l = p->log;
    struct round r = {
        .p = p,
        .plan = plan,
        .segments = vec_make(sizeof(struct segment *), SEGMENTS_MAX),
        .uppers = vec_make(sizeof(int64_t), SEGMENTS_MAX),
        .map = key_map_make(l->options.clean_keys_max, l->id.at),
        .rules = {.now_ms = now_ms, .delete_retention_ms = p->topic->config.delete_retention_ms},
        .batches = batch_cleaner_make(),
        .seen = seen,
        .window = buf_make((size_t)RECORD_BATCH_MAX + CLEAN_BUFFER + RECORD_PADDING),
        .d = d};
    r.rules.map = &r.map;
    err_t e = r.batches.arena ? hold_all(&r) : ERR_NO_MEMORY;
    if (e)
        (void)diag_fail(d, e, "cleaning has no room");
    else
        e = round_run(&r);
    release_all(&r);
    key_map_done(&r.map);
    batch_cleaner_done(&r.batches);
    buf_done(&r.window);
    return e;
}
