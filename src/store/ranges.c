/* A partition's range tombstones: which deletion reaches which clustering, as byte intervals.
 *
 *     each: uvarint length and bytes of the start, the same of the end, time 8 bytes, uvarint
 * second it was written at
 *
 * They stand for a function from a clustering to the latest deletion there. One function has one
 * form: sorted, not overlapping, what touches and is alike joined. */
#include "store/store_int.h"

enum { RANGE_HEAD_MAX = 5 + 5 + 8 + 10 };

/* --- reading ------------------------------------------------------------------------------------
 */

void ranges_open(struct ranges_reader *r, struct slice value)
{
    *r = (struct ranges_reader){.c = cursor_of(value)};
}

static bool alike(const struct range *a, const struct range *b)
{
    return a->timestamp == b->timestamp && a->local_s == b->local_s;
}

/* Behind the last one, not empty, and not a part of it that was cut off. */
static bool follows(const struct ranges_reader *r, const struct range *next)
{
    if (next->end.len && slice_compare(next->start, next->end) >= 0) return false;
    if (!r->any) return true;
    if (r->last.end.len == 0) return false;
    int gap = slice_compare(next->start, r->last.end);
    return gap > 0 || (gap == 0 && !alike(next, &r->last));
}

bool ranges_next(struct ranges_reader *r, struct range *out)
{
    if (r->err || r->c.at == r->c.end) return false;
    out->start = cursor_slice(&r->c, cursor_uvarint(&r->c));
    out->end = cursor_slice(&r->c, cursor_uvarint(&r->c));
    out->timestamp = (int64_t)cursor_le(&r->c, 8);
    out->local_s = (int64_t)cursor_uvarint(&r->c);
    if (r->c.err || out->timestamp == INT64_MIN || !follows(r, out)) {
        r->err = ERR_CORRUPT;
        return false;
    }
    r->last = *out;
    r->any = true;
    return true;
}

/* --- writing ------------------------------------------------------------------------------------
 */

struct joiner { /* holds the last piece back: the next one may go on where it ends */
    struct buf *out;
    struct range last;
    int64_t floor;
    bool any;
};

static void joiner_flush(struct joiner *j)
{
    if (!j->any) return;
    buf_uvarint(j->out, j->last.start.len);
    buf_slice(j->out, j->last.start);
    buf_uvarint(j->out, j->last.end.len);
    buf_slice(j->out, j->last.end);
    buf_le(j->out, (uint64_t)j->last.timestamp, 8);
    buf_uvarint(j->out, (uint64_t)j->last.local_s);
}

static void joiner_add(struct joiner *j, const struct range *piece)
{
    if (piece->timestamp <= j->floor) return;
    if (j->any && alike(&j->last, piece) && slice_equal(j->last.end, piece->start)) {
        j->last.end = piece->end;
        return;
    }
    joiner_flush(j);
    j->last = *piece;
    j->any = true;
}

size_t ranges_size_max(const struct range *ranges, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += RANGE_HEAD_MAX + ranges[i].start.len + ranges[i].end.len;
    return size;
}

void ranges_put(struct buf *out, const struct range *ranges, size_t count, int64_t floor)
{
    struct joiner j = {.out = out, .floor = floor};
    for (size_t i = 0; i < count; i++) joiner_add(&j, &ranges[i]);
    joiner_flush(&j);
}

/* --- merging ------------------------------------------------------------------------------------
 */

struct side {
    struct ranges_reader r;
    struct range at; /* what is left of the range */
    bool has;
};

static void side_open(struct side *s, struct slice value)
{
    ranges_open(&s->r, value);
    s->has = ranges_next(&s->r, &s->at);
}

static int end_compare(struct slice a, struct slice b) /* no bytes: behind everything */
{
    if (a.len == 0 || b.len == 0) return (a.len == 0) - (b.len == 0);
    return slice_compare(a, b);
}

/* Goes on to `end`, which is inside the range or its end. */
static void side_pass(struct side *s, struct slice end)
{
    if (end_compare(s->at.end, end) <= 0)
        s->has = ranges_next(&s->r, &s->at);
    else
        s->at.start = end;
}

/* What `s` says alone, up to where the other one begins. */
static struct slice alone_until(const struct side *s, const struct side *other)
{
    return end_compare(s->at.end, other->at.start) <= 0 ? s->at.end : other->at.start;
}

static struct range next_piece(struct side *a, struct side *b)
{
    int order = !a->has ? 1 : !b->has ? -1 : slice_compare(a->at.start, b->at.start);
    struct side *first = order <= 0 ? a : b;
    struct range piece = first->at;
    if (!a->has || !b->has) {
        side_pass(first, piece.end);
    } else if (order != 0) {
        piece.end = alone_until(first, order < 0 ? b : a);
        side_pass(first, piece.end);
    } else {
        bool b_later = b->at.timestamp != a->at.timestamp ? b->at.timestamp > a->at.timestamp
                                                          : b->at.local_s > a->at.local_s;
        if (b_later) piece = b->at;
        piece.end = end_compare(a->at.end, b->at.end) <= 0 ? a->at.end : b->at.end;
        side_pass(a, piece.end);
        side_pass(b, piece.end);
    }
    return piece;
}

static size_t ranges_count(struct slice value)
{
    struct ranges_reader r;
    struct range range;
    size_t n = 0;
    for (ranges_open(&r, value); ranges_next(&r, &range);) n++;
    return n;
}

/* Every bound is once a start and once an end, at most. */
static size_t merged_size_max(struct slice a, struct slice b)
{
    size_t count = ranges_count(a) + ranges_count(b);
    return 2 * ((size_t)a.len + b.len) + 2 * count * RANGE_HEAD_MAX + 1;
}

err_t ranges_merge(struct slice a, struct slice b, int64_t floor, struct arena *memory,
                   struct slice *merged)
{
    struct side sa, sb;
    size_t size = merged_size_max(a, b);
    uint8_t *room = arena_take_raw(memory, size);
    if (!room) return ERR_NO_MEMORY;
    struct buf out = buf_over(room, size);
    struct joiner j = {.out = &out, .floor = floor};
    side_open(&sa, a);
    side_open(&sb, b);
    while (sa.has || sb.has) {
        struct range piece = next_piece(&sa, &sb);
        joiner_add(&j, &piece);
    }
    joiner_flush(&j);
    *merged = buf_view(&out);
    if (sa.r.err || sb.r.err) return sa.r.err ? sa.r.err : sb.r.err;
    return out.err;
}
