/* A cell of many elements, each with its own time: a collection or user type that is not frozen.
 *
 *     flags     1 byte   COMPLEX_DELETED, COMPLEX_TTL
 *     time      8 bytes  the newest element's (none: the deletion's), little-endian like all here
 *     ttl       4 bytes, expiry 8 bytes, when COMPLEX_TTL
 *     deletion  time 8 bytes, uvarint second it was written at, when COMPLEX_DELETED
 *     elements  by growing path, byte by byte: uvarint of the path's length and flags as of a
 *               row's cell, [time 8] [ttl 4 [expiry 8]], path, then uvarint length and value; of a
 *               tombstone uvarint second it was written at
 *
 * Elements that the deletion reaches are never in it, and the bytes depend on what is in it alone.
 */
#include "store/store_int.h"

enum { COMPLEX_DELETED = 1, COMPLEX_TTL = 2, COMPLEX_FLAGS_KNOWN = 3 };
enum {
    COMPLEX_HEAD_MAX = 1 + 8 + 12 + 8 + 10,
    ELEMENT_HEAD_MAX = 10 + 8 + 12 + 10,
    ELEMENT_GROWTH = 8 + 12 /* what was said for all is now said of each */
};

/* --- reading ------------------------------------------------------------------------------------
 */

void complex_open(struct complex_reader *r, struct slice value)
{
    *r = (struct complex_reader){.c = cursor_of(value), .deletion = INT64_MIN};
    if (value.len == 0) return; /* nothing, for complex_merge; a row has no such cell */
    uint8_t flags = (uint8_t)cursor_be(&r->c, 1);
    r->timestamp = (int64_t)cursor_le(&r->c, 8);
    if (flags & COMPLEX_TTL) {
        r->ttl = (uint32_t)cursor_le(&r->c, 4);
        r->expiry_s = (int64_t)cursor_le(&r->c, 8);
        if (r->ttl == 0) r->err = ERR_CORRUPT;
    }
    if (flags & COMPLEX_DELETED) {
        r->deleted = true;
        r->deletion = (int64_t)cursor_le(&r->c, 8);
        r->deletion_s = (int64_t)cursor_uvarint(&r->c);
        if (r->deletion == INT64_MIN) r->err = ERR_CORRUPT; /* it would reach nothing */
    }
    if (r->c.err)
        r->err = ERR_CORRUPT;
    else if (flags & ~COMPLEX_FLAGS_KNOWN)
        r->err = ERR_VERSION;
}

static inline uint64_t take_uvarint(struct cursor *c)
{
    return c->at < c->end && *c->at < 0x80 ? *c->at++ : cursor_uvarint(c);
}

bool complex_next(struct complex_reader *r, struct element *out)
{
    if (r->err || r->c.at == r->c.end) return false;
    uint64_t head = take_uvarint(&r->c);
    struct cell *cell = &out->cell;
    *cell = (struct cell){.timestamp = r->timestamp, .ttl = r->ttl, .expiry_s = r->expiry_s};
    cell->tombstone = head & CELL_TOMBSTONE;
    if (head & CELL_OWN_TIME) cell->timestamp = (int64_t)cursor_le(&r->c, 8);
    if (head & CELL_OWN_TTL) {
        cell->ttl = (uint32_t)cursor_le(&r->c, 4);
        cell->expiry_s = cell->ttl ? (int64_t)cursor_le(&r->c, 8) : 0;
    }
    out->path = cursor_slice(&r->c, head >> CELL_FLAG_BITS);
    uint64_t number = take_uvarint(&r->c);
    if (cell->tombstone) {
        cell->ttl = 0;
        cell->expiry_s = (int64_t)number;
    } else {
        cell->value = cursor_slice(&r->c, number);
    }
    bool both = (head & CELL_COMPLEX) == CELL_COMPLEX;
    if (r->c.err || both || time_reached(cell->timestamp, r->deletion) ||
        (r->any && slice_compare(r->last, out->path) >= 0)) {
        r->err = ERR_CORRUPT;
        return false;
    }
    r->last = out->path;
    r->any = true;
    return true;
}

/* --- writing ------------------------------------------------------------------------------------
 */

size_t complex_size_max(const struct complex *c)
{
    size_t size = COMPLEX_HEAD_MAX;
    for (size_t i = 0; i < c->count; i++)
        size += ELEMENT_HEAD_MAX + c->elements[i].path.len + c->elements[i].cell.value.len;
    return size;
}

static void element_put(struct buf *out, const struct element *e, const struct cell *lead)
{
    const struct cell *c = &e->cell;
    bool own_time = c->timestamp != lead->timestamp;
    bool own_ttl =
        !c->tombstone && (c->ttl != lead->ttl || (c->ttl && c->expiry_s != lead->expiry_s));
    buf_uvarint(out, (uint64_t)e->path.len << CELL_FLAG_BITS | (c->tombstone ? CELL_TOMBSTONE : 0) |
                         (own_time ? CELL_OWN_TIME : 0) | (own_ttl ? CELL_OWN_TTL : 0));
    if (own_time) buf_le(out, (uint64_t)c->timestamp, 8);
    if (own_ttl) buf_le(out, c->ttl, 4);
    if (own_ttl && c->ttl) buf_le(out, (uint64_t)c->expiry_s, 8);
    buf_slice(out, e->path);
    if (c->tombstone) {
        buf_uvarint(out, (uint64_t)c->expiry_s);
        return;
    }
    buf_uvarint(out, c->value.len);
    buf_slice(out, c->value);
}

static bool leads(const struct cell *c, const struct cell *lead)
{
    return !lead || c->timestamp > lead->timestamp ||
           (c->timestamp == lead->timestamp && lead->tombstone && !c->tombstone);
}

static void head_put(struct buf *out, const struct complex *c, bool deleted,
                     const struct cell *lead)
{
    uint32_t ttl = lead ? lead->ttl : 0;
    buf_be(out, (deleted ? COMPLEX_DELETED : 0U) | (ttl ? COMPLEX_TTL : 0U), 1);
    buf_le(out, (uint64_t)(lead ? lead->timestamp : c->deletion), 8);
    if (ttl) {
        buf_le(out, ttl, 4);
        buf_le(out, (uint64_t)lead->expiry_s, 8);
    }
    if (!deleted) return;
    buf_le(out, (uint64_t)c->deletion, 8);
    buf_uvarint(out, (uint64_t)c->deletion_s);
}

void complex_put(struct buf *out, const struct complex *c, int64_t floor)
{
    const struct cell *lead = NULL;
    bool deleted = c->deleted && c->deletion > floor;
    if (deleted) floor = c->deletion;
    for (size_t i = 0; i < c->count; i++)
        if (!time_reached(c->elements[i].cell.timestamp, floor) &&
            leads(&c->elements[i].cell, lead))
            lead = &c->elements[i].cell;
    if (!lead && !deleted) return;
    head_put(out, c, deleted, lead);
    for (size_t i = 0; lead && i < c->count; i++)
        if (!time_reached(c->elements[i].cell.timestamp, floor))
            element_put(out, &c->elements[i], lead);
}

/* --- merging ------------------------------------------------------------------------------------
 */

/* Walks both, giving the elements of the union in order. */
struct pair {
    struct complex_reader a, b;
    struct element at_a, at_b;
    bool has_a, has_b;
};

static void pair_open(struct pair *p, struct slice a, struct slice b)
{
    complex_open(&p->a, a);
    complex_open(&p->b, b);
    p->has_a = complex_next(&p->a, &p->at_a);
    p->has_b = complex_next(&p->b, &p->at_b);
}

static bool pair_next(struct pair *p, struct element *out)
{
    if (!p->has_a && !p->has_b) return false;
    int order = !p->has_a ? 1 : !p->has_b ? -1 : slice_compare(p->at_a.path, p->at_b.path);
    bool from_a = order < 0 || (order == 0 && cell_compare(&p->at_a.cell, &p->at_b.cell) >= 0);
    *out = from_a ? p->at_a : p->at_b;
    if (order <= 0) p->has_a = complex_next(&p->a, &p->at_a);
    if (order >= 0) p->has_b = complex_next(&p->b, &p->at_b);
    return true;
}

/* Two walks: the newest element is known only at the end of the first, and its time comes first. */
struct pair_sum {
    struct cell lead;
    size_t count;
};

static err_t pair_sum(struct pair *p, int64_t floor, struct pair_sum *sum)
{
    struct element e;
    while (pair_next(p, &e)) {
        if (time_reached(e.cell.timestamp, floor)) continue;
        if (sum->count == 0 || leads(&e.cell, &sum->lead)) sum->lead = e.cell;
        sum->count++;
    }
    return p->a.err ? p->a.err : p->b.err;
}

err_t complex_merge(struct slice a, struct slice b, int64_t floor, struct arena *memory,
                    struct slice *merged)
{
    struct pair p;
    struct element e;
    struct pair_sum sum = {0};
    *merged = (struct slice){0};
    pair_open(&p, a, b);
    bool first = p.a.deletion != p.b.deletion ? p.a.deletion > p.b.deletion
                                              : p.a.deletion_s >= p.b.deletion_s;
    const struct complex_reader *later = first ? &p.a : &p.b;
    struct complex head = {.deleted = later->deleted && later->deletion > floor,
                           .deletion = later->deletion,
                           .deletion_s = later->deletion_s};
    if (head.deleted) floor = head.deletion;
    err_t err = pair_sum(&p, floor, &sum);
    if (err || (sum.count == 0 && !head.deleted)) return err;
    size_t size = COMPLEX_HEAD_MAX + (size_t)a.len + b.len + sum.count * ELEMENT_GROWTH;
    uint8_t *room = arena_take_raw(memory, size);
    if (!room) return ERR_NO_MEMORY;
    struct buf out = buf_over(room, size);
    head_put(&out, &head, head.deleted, sum.count ? &sum.lead : NULL);
    pair_open(&p, a, b);
    while (pair_next(&p, &e))
        if (!time_reached(e.cell.timestamp, floor)) element_put(&out, &e, &sum.lead);
    *merged = buf_view(&out);
    return out.err;
}
