/* A partition is read by windows of whole batches. Forward each window is walked as it lies;
 * backward its batches are noted first and opened from the last to the first, and the width of the
 * next window follows what this one held. */
#include "log/browse.h"

enum { SPAN_FIRST = 256, SPAN_MAX = 1 << 20, MERGED_BYTES = 512 << 20, BATCHES_MAX = 1 << 16 };
enum { ATTRIBUTE_CODEC = 7, ATTRIBUTE_APPEND_TIME = 8, ATTRIBUTE_TXN = 16, ATTRIBUTE_CONTROL = 32 };

struct part {
    struct log_partition *log;
    int32_t index;
    int64_t first, end;       /* the look's bounds */
    int64_t at;               /* forward: the next to tell; backward: from here on all is told */
    int64_t span;             /* backward: offsets of the next window */
    struct buf bytes;         /* the window */
    size_t next_batch;        /* forward: its place in bytes */
    struct vec batches;       /* backward: size_t, places in bytes that are left to open */
    struct vec aborted, open; /* of the window: struct log_aborted, struct log_producer_view */
    struct record_batch batch;
    enum browse_kind kind;
    struct arena *opened;
    struct record *records; /* of the batch at hand */
    struct record lone;     /* stands for one that can not be opened */
    int32_t count, turn;    /* turn: how many are told (forward), or left (backward) */
    bool has_head, over;
    struct browse_record head;
};
struct browse {
    bool backward;
    uint32_t count;
    uint64_t bytes;
    struct part *parts;
};

const char *browse_kind_name(enum browse_kind k)
{
    static const char *const names[BROWSE_KINDS] = {
        "record", "committed", "aborted", "open", "commit_mark", "abort_mark", "unreadable"};
    return names[k];
}

/* --- windows ------------------------------------------------------------------------------------
 */

static err_t note_open(void *ctx, const struct log_producer_view *v)
{
    return v->txn_first_offset < 0 ? ERR_OK : vec_push(ctx, v);
}

/* What transactions there are in the window that begins with the batch at `base`. */
static err_t note_transactions(struct part *p, int64_t base, int64_t end, struct diag *d)
{
    vec_clear(&p->aborted);
    vec_clear(&p->open);
    err_t e = log_aborted(p->log, base, end, &p->aborted, d);
    if (!e && end > log_stable_offset(p->log)) e = log_producers(p->log, note_open, &p->open);
    return e;
}

static enum browse_kind kind_of(const struct part *p, const struct record_batch *b)
{
    if (!(b->attributes & ATTRIBUTE_TXN)) return BROWSE_RECORD;
    for (size_t i = 0; i < p->aborted.count; i++) {
        const struct log_aborted *a = vec_at(&p->aborted, i);
        if (a->producer_id == b->producer_id && a->first_offset <= b->base_offset &&
            a->last_offset > b->base_offset)
            return BROWSE_ABORTED;
    }
    for (size_t i = 0; i < p->open.count; i++) {
        const struct log_producer_view *v = vec_at(&p->open, i);
        if (v->id == b->producer_id && v->txn_first_offset <= b->base_offset) return BROWSE_OPEN;
    }
    return BROWSE_COMMITTED;
}

static int64_t batch_end(const struct record_batch *b)
{
    return b->base_offset + b->last_offset_delta + 1;
}

static err_t corrupt(const struct part *p, int64_t at, err_t e, struct diag *d)
{
    return diag_fail(d, ERR_CORRUPT, "the batch at offset %lld of partition %d: %s", (long long)at,
                     p->index, err_text(e));
}

/* Retention may have passed the place meanwhile: then the look goes on behind the gap. */
static err_t read_at(struct browse *l, struct part *p, int64_t at, struct diag *d)
{
    buf_reset(&p->bytes);
    p->next_batch = 0;
    err_t e = log_read(p->log, at, BROWSE_READ, &p->bytes, d);
    if (e == ERR_OFFSET_RANGE) {
        p->first = MIN(MAX(p->first, log_start_offset(p->log)), p->end);
        at = MAX(at, p->first);
        e = at < p->end ? log_read(p->log, at, BROWSE_READ, &p->bytes, d) : ERR_OK;
    }
    l->bytes += p->bytes.len;
    return e;
}

static err_t batch_at(const struct part *p, size_t place, struct record_batch *b)
{
    return record_batch_read(slice_make(p->bytes.at + place, p->bytes.len - place), false, b);
}

/* The window's end, and in p->batches the places of the batches that begin before `before`. */
static err_t walk_window(struct part *p, int64_t before, int64_t *base, int64_t *end,
                         struct diag *d)
{
    struct record_batch b;
    vec_clear(&p->batches);
    *base = *end = -1;
    for (size_t place = 0; place < p->bytes.len; place += record_batch_size(&b)) {
        err_t e = batch_at(p, place, &b);
        if (e) return corrupt(p, p->at, e, d);
        if (b.base_offset >= before) break;
        if (*base < 0) *base = b.base_offset;
        *end = batch_end(&b);
        if ((e = vec_push(&p->batches, &place))) return diag_fail(d, e, "a window of batches");
    }
    return ERR_OK;
}

/* --- batches ------------------------------------------------------------------------------------
 */

static err_t open_records(struct part *p)
{
    struct record_reader r;
    int32_t room = MAX(p->batch.count, 0);
    err_t e = record_batch_open(&p->batch, p->opened, BROWSE_OPENED_MAX, &r);
    if (e) return e;
    p->records = arena_take_raw(p->opened, ((size_t)room + 1) * sizeof(*p->records));
    if (!p->records) return ERR_NO_MEMORY;
    while (p->count < room && (e = record_next(&r, &p->records[p->count])) == ERR_OK) p->count++;
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* A control record's key: version, then 0 for an abort and 1 for a commit. */
static enum browse_kind mark_of(struct slice key)
{
    struct cursor c = cursor_of(key);
    (void)cursor_i16(&c);
    return cursor_i16(&c) == 1 ? BROWSE_COMMIT_MARK : BROWSE_ABORT_MARK;
}

/* Its records in p->records; one that can not be opened becomes one row of kind BROWSE_UNREADABLE.
 */
static void open_batch(struct browse *l, struct part *p, size_t place)
{
    arena_reset(p->opened);
    p->count = 0;
    err_t e = batch_at(p, place, &p->batch);
    p->kind = kind_of(p, &p->batch);
    if (!e) e = open_records(p);
    if (!e && (p->batch.attributes & ATTRIBUTE_CONTROL))
        p->kind = p->count ? mark_of(p->records[0].key) : BROWSE_ABORT_MARK;
    if (e) {
        p->kind = BROWSE_UNREADABLE;
        p->records = &p->lone;
        p->lone = (struct record){.offset = p->batch.base_offset,
                                  .timestamp = p->batch.first_timestamp,
                                  .key_null = true,
                                  .value_null = true};
        p->count = 1;
    }
    p->turn = l->backward ? p->count : 0;
    if (p->count) return; /* compaction leaves batches without records */
    p->at = l->backward ? MIN(p->at, p->batch.base_offset) : MAX(p->at, batch_end(&p->batch));
}

static void put_head(struct part *p, const struct record *r)
{
    const struct record_batch *b = &p->batch;
    p->has_head = true;
    p->head = (struct browse_record){.record = *r,
                                     .partition = p->index,
                                     .kind = p->kind,
                                     .last_offset = p->kind == BROWSE_UNREADABLE ? batch_end(b) - 1
                                                                                 : r->offset,
                                     .append_time = (b->attributes & ATTRIBUTE_APPEND_TIME) != 0,
                                     .codec = (enum codec)(b->attributes & ATTRIBUTE_CODEC),
                                     .producer_id = b->producer_id};
}

/* --- forward ------------------------------------------------------------------------------------
 */

static bool take_forward(struct part *p)
{
    while (p->turn < p->count) {
        const struct record *r = &p->records[p->turn++];
        if (p->kind != BROWSE_UNREADABLE && (r->offset < p->at || r->offset >= p->end)) continue;
        put_head(p, r);
        return true;
    }
    return false;
}

static err_t window_forward(struct browse *l, struct part *p, struct diag *d)
{
    int64_t base, end;
    p->over = p->at >= p->end;
    err_t e = p->over ? ERR_OK : read_at(l, p, p->at, d);
    if (e || p->over) return e;
    e = walk_window(p, p->end, &base, &end, d);
    p->over = base < 0;
    return e || p->over ? e : note_transactions(p, base, end, d);
}

static err_t load_forward(struct browse *l, struct part *p, struct diag *d)
{
    err_t e = ERR_OK;
    while (!e && !p->over && !take_forward(p)) {
        if (p->count) p->at = MAX(p->at, MIN(batch_end(&p->batch), p->end));
        p->count = p->turn = 0;
        if (p->next_batch < p->batches.count)
            open_batch(l, p, *(size_t *)vec_at(&p->batches, p->next_batch++));
        else
            e = window_forward(l, p, d);
    }
    return e;
}

/* --- backward -----------------------------------------------------------------------------------
 */

static bool take_backward(struct part *p)
{
    while (p->turn > 0) {
        const struct record *r = &p->records[--p->turn];
        if (r->offset >= p->at || (r->offset < p->first && p->kind != BROWSE_UNREADABLE)) continue;
        put_head(p, r);
        return true;
    }
    return false;
}

/* The last batches before p->at, from about `span` offsets before it; one read may end before them
 * (a segment ends, or its bytes are many), then the next one follows. In a gap: none, and p->at
 * moves before it. */
static err_t window_backward(struct browse *l, struct part *p, struct diag *d)
{
    int64_t from = MAX(p->first, p->at - p->span), before = -1, base, end;
    bool last = false;
    err_t e = ERR_OK;
    while (!e) {
        e = read_at(l, p, from, d);
        if (!e) e = walk_window(p, p->at, &base, &end, d);
        if (e) return e;
        if (base < 0 && (before < 0 || last)) {
            p->at = from;
            p->span = MIN(p->span * 4, (int64_t)SPAN_MAX);
            return ERR_OK;
        }
        if (base >= 0 && (end >= p->at || last)) break;
        last = base < 0; /* nothing behind what was read before: that it is */
        int64_t next = last ? before : end;
        before = from;
        from = next;
    }
    if (before >= 0)
        p->span = MAX(p->at - base, INT64_C(1));
    else if (p->bytes.len < BROWSE_READ / 8)
        p->span = MIN(p->span * 4, (int64_t)SPAN_MAX);
    return note_transactions(p, base, end, d);
}

static err_t load_backward(struct browse *l, struct part *p, struct diag *d)
{
    err_t e = ERR_OK;
    while (!e && !p->over && !take_backward(p)) {
        if (p->count) p->at = MIN(p->at, p->batch.base_offset);
        p->count = 0;
        p->over = p->at <= p->first;
        if (p->over) break;
        if (!p->batches.count) {
            e = window_backward(l, p, d);
            continue;
        }
        size_t place = *(size_t *)vec_at(&p->batches, p->batches.count - 1);
        p->batches.count--;
        open_batch(l, p, place);
    }
    return e;
}

/* --- merging ------------------------------------------------------------------------------------
 */

static err_t load(struct browse *l, struct part *p, struct diag *d)
{
    if (p->has_head || p->over) return ERR_OK;
    return l->backward ? load_backward(l, p, d) : load_forward(l, p, d);
}

static bool comes_before(const struct browse *l, const struct part *a, const struct part *b)
{
    int64_t x = a->head.record.timestamp, y = b->head.record.timestamp;
    return l->backward ? x > y : x < y;
}

err_t browse_next(struct browse *l, struct browse_record *out, struct diag *d)
{
    struct part *best = NULL;
    for (uint32_t i = 0; i < l->count; i++) {
        struct part *p = &l->parts[i];
        err_t e = load(l, p, d);
        if (e) return e;
        if (!p->has_head || (best && !comes_before(l, p, best))) continue;
        best = p;
    }
    if (!best) return ERR_NOT_FOUND;
    *out = best->head;
    best->has_head = false;
    best->at = l->backward ? best->head.record.offset : best->head.last_offset + 1;
    return ERR_OK;
}

int64_t browse_place(const struct browse *l, uint32_t i)
{
    return l->parts[i].at;
}

uint64_t browse_bytes(const struct browse *l)
{
    return l->bytes;
}

uint64_t browse_left(const struct browse *l)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        const struct part *p = &l->parts[i];
        int64_t n = l->backward ? p->at - p->first : p->end - p->at;
        left += (uint64_t)MAX(n, INT64_C(0));
    }
    return left;
}

/* --- opening ------------------------------------------------------------------------------------
 */

static err_t open_part(struct browse *l, struct log_topic *t, const struct browse_start *s,
                       struct part *p, struct diag *d)
{
    size_t share = MERGED_BYTES / l->count;
    p->log = log_partition(t, s->partition);
    if (!p->log)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "topic '%.*s' has no partition %d",
                         SLICE_ARG(log_topic_name(t)), s->partition);
    p->index = s->partition;
    p->first = log_start_offset(p->log);
    p->end = MAX(log_end_offset(p->log), p->first);
    p->at = MIN(MAX(s->offset, p->first), p->end);
    if (l->backward)
        p->end = p->at;
    else
        p->first = p->at;
    if (!l->backward && s->until) p->end = MAX(MIN(s->until, p->end), p->at);
    p->span = SPAN_FIRST;
    p->bytes = buf_make(RECORD_BATCH_MAX + BROWSE_READ + MIB(1));
    p->batches = vec_make(sizeof(size_t), BATCHES_MAX);
    p->aborted = vec_make(sizeof(struct log_aborted), BATCHES_MAX);
    p->open = vec_make(sizeof(struct log_producer_view), BATCHES_MAX);
    p->opened = arena_new(MIN(MAX(share, (size_t)MIB(16)), (size_t)(3 * BROWSE_OPENED_MAX)));
    return p->opened ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a look at records");
}

err_t browse_open(struct log_topic *t, const struct browse_start *starts, uint32_t count,
                  bool backward, struct browse **out, struct diag *d)
{
    if (count > BROWSE_PARTITIONS_MAX) {
        (void)diag_fail(d, ERR_TOO_BIG, "%u partitions can not be looked at together", count);
        return diag_hint(d, "one partition, or up to %d of them", BROWSE_PARTITIONS_MAX);
    }
    struct browse *l = mem_take(sizeof(*l));
    if (l) *l = (struct browse){.backward = backward, .count = count};
    if (l) l->parts = mem_take((count + 1) * sizeof(*l->parts));
    err_t e =
        l && l->parts ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a look at records");
    for (uint32_t i = 0; !e && i < count; i++) e = open_part(l, t, &starts[i], &l->parts[i], d);
    if (e) {
        browse_close(l);
        return e;
    }
    *out = l;
    return ERR_OK;
}

void browse_close(struct browse *l)
{
    if (!l) return;
    for (uint32_t i = 0; l->parts && i < l->count; i++) {
        struct part *p = &l->parts[i];
        buf_done(&p->bytes);
        vec_done(&p->batches);
        vec_done(&p->aborted);
        vec_done(&p->open);
        arena_free(p->opened);
    }
    mem_give(l->parts);
    mem_give(l);
}

/* --- the last ones ------------------------------------------------------------------------------
 */

/* The last `wanted` of one partition: where they begin is looked for backward, so that gaps and
 * markers do not count. */
static err_t last_of(struct log_topic *t, int32_t partition, uint32_t wanted, uint32_t *told,
                     err_t (*each)(void *ctx, const struct browse_record *r), void *ctx,
                     struct diag *d)
{
    struct browse_start start = {partition, INT64_MAX};
    struct browse *l = NULL;
    struct browse_record r;
    uint32_t found = 0;
    err_t e = wanted ? browse_open(t, &start, 1, true, &l, d) : ERR_NOT_FOUND;
    while (!e && found < wanted && (e = browse_next(l, &r, d)) == ERR_OK) {
        found += browse_is_readable(r.kind);
        start.offset = r.record.offset;
    }
    browse_close(l);
    l = NULL;
    if (e == ERR_NOT_FOUND) e = ERR_OK;
    if (!e && found) e = browse_open(t, &start, 1, false, &l, d);
    while (!e && found && (e = browse_next(l, &r, d)) == ERR_OK) {
        if (!browse_is_readable(r.kind)) continue;
        e = each(ctx, &r);
        ++*told;
        found--;
    }
    browse_close(l);
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

err_t browse_last(struct log_topic *t, uint32_t max,
                  err_t (*each)(void *ctx, const struct browse_record *r), void *ctx,
                  struct diag *d)
{
    int32_t count = log_topic_partitions(t);
    uint32_t told = 0;
    err_t e = ERR_OK;
    for (int32_t i = 0; !e && i < count; i++) {
        uint32_t parts = (uint32_t)(count - i), left = max - told;
        e = last_of(t, i, (left + parts - 1) / parts, &told, each, ctx, d);
    }
    return e;
}
