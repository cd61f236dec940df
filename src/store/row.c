/* The value behind a row's key.
 *
 *     version  1 byte
 *     flags    1 byte   ROW_TTL: ttl and expiry follow the time
 *     time     8 bytes  write time in microseconds, little-endian like all numbers here
 *     ttl      4 bytes, expiry 8 bytes (seconds since 1970)
 *     cells    by growing id: head (uvarint: id, flags), [time 8] [ttl 4 [expiry 8]], then
 *              uvarint length and bytes; or, of a tombstone, uvarint second it was written at
 *
 * A cell says its own time and TTL only where they differ from the row's. A complex cell has no
 * such parts: length and bytes (complex.c, ranges.c) follow its head.
 *
 * Version 1 is a row of simple cells without a row tombstone, as they were before version 2 came;
 * it is still what such rows are written as. A complex column may hold a simple cell: its whole
 * value, written at once. It may have both: the simple cell comes first, and reaches all elements
 * that are older than itself. */
#include "store/store_int.h"

enum { CELL_HEAD_MAX = 3 + 8 + 12 + 10 };

void row_open(struct row_reader *r, struct slice value)
{
    *r = (struct row_reader){.c = cursor_of(value), .last_id = -1};
    uint8_t version = (uint8_t)cursor_be(&r->c, 1), flags = (uint8_t)cursor_be(&r->c, 1);
    r->timestamp = (int64_t)cursor_le(&r->c, 8);
    if (flags & ROW_TTL) {
        r->ttl = (uint32_t)cursor_le(&r->c, 4);
        r->expiry_s = (int64_t)cursor_le(&r->c, 8);
    }
    bool ttl_of_nothing = flags & ROW_TTL && r->ttl == 0; /* never written: it would not merge */
    r->version = version;
    if (r->c.err || version == 0 || ttl_of_nothing)
        r->err = ERR_CORRUPT;
    else if (version > ROW_VERSION || flags & ~ROW_FLAGS_KNOWN)
        r->err = ERR_VERSION;
}

/* Most heads and lengths are one byte. */
static inline uint64_t take_uvarint(struct cursor *c)
{
    return c->at < c->end && *c->at < 0x80 ? *c->at++ : cursor_uvarint(c);
}

/* Ids that mean one thing only. */
static bool out_of_place(const struct row_reader *r, const struct cell *c)
{
    if (c->id >= CELL_FIRST) return false;
    bool tombstone = c->id == CELL_ROW_TOMBSTONE, ranges = c->id == CELL_RANGES;
    if (tombstone || ranges)
        return r->version == ROW_SIMPLE || c->complex != ranges || c->tombstone != tombstone;
    return c->complex;
}

static bool row_next_complex(struct row_reader *r, uint64_t head, struct cell *out)
{
    *out = (struct cell){.id = (uint16_t)(head >> CELL_FLAG_BITS), .complex = true};
    out->value = cursor_slice(&r->c, take_uvarint(&r->c));
    if (r->c.err || head & CELL_OWN_TIME || head >> CELL_FLAG_BITS > CELL_ID_MAX ||
        (int32_t)out->id < r->last_id || r->version == ROW_SIMPLE || out->value.len == 0 ||
        out_of_place(r, out)) {
        r->err = ERR_CORRUPT;
        return false;
    }
    /* as if it were behind a simple one of its id: only one of each */
    if ((int32_t)out->id == r->last_id && r->last_complex) r->err = ERR_CORRUPT;
    r->last_id = out->id;
    r->last_complex = true;
    return !r->err;
}

bool row_next(struct row_reader *r, struct cell *out)
{
    if (r->err || r->c.at == r->c.end) return false;
    uint64_t head = take_uvarint(&r->c);
    if ((head & CELL_COMPLEX) == CELL_COMPLEX) return row_next_complex(r, head, out);
    *out = (struct cell){.timestamp = r->timestamp, .ttl = r->ttl, .expiry_s = r->expiry_s};
    out->id = (uint16_t)(head >> CELL_FLAG_BITS);
    out->tombstone = head & CELL_TOMBSTONE;
    if (head & CELL_OWN_TIME) out->timestamp = (int64_t)cursor_le(&r->c, 8);
    if (head & CELL_OWN_TTL) {
        out->ttl = (uint32_t)cursor_le(&r->c, 4);
        out->expiry_s = out->ttl ? (int64_t)cursor_le(&r->c, 8) : 0;
    }
    uint64_t number = take_uvarint(&r->c);
    if (out->tombstone) {
        out->ttl = 0;
        out->expiry_s = (int64_t)number;
    } else {
        out->value = cursor_slice(&r->c, number);
    }
    if (r->c.err || head >> CELL_FLAG_BITS > CELL_ID_MAX || (int32_t)out->id <= r->last_id ||
        out_of_place(r, out)) {
        r->err = ERR_CORRUPT;
        return false;
    }
    r->last_id = out->id;
    r->last_complex = false;
    return true;
}

/* Cassandra's rule (Cells.resolveRegular, LivenessInfo.supersedes): the later one; at the same time
 * a tombstone before an expiring cell before a plain one, then the longer-lived, then the smaller
 * TTL (it was written later), then the greater bytes. */
int cell_compare(const struct cell *a, const struct cell *b)
{
    if (a->timestamp != b->timestamp) return a->timestamp < b->timestamp ? -1 : 1;
    int rank_a = a->tombstone ? 2 : a->ttl != 0, rank_b = b->tombstone ? 2 : b->ttl != 0;
    if (rank_a != rank_b) return rank_a - rank_b;
    if (a->expiry_s != b->expiry_s) return a->expiry_s < b->expiry_s ? -1 : 1;
    if (a->ttl != b->ttl) return a->ttl < b->ttl ? 1 : -1;
    return slice_compare(a->value, b->value);
}

size_t row_size_max(const struct cell *cells, size_t count)
{
    size_t size = ROW_HEAD_TTL_SIZE;
    for (size_t i = 0; i < count; i++) size += CELL_HEAD_MAX + cells[i].value.len;
    return size;
}

/* The row's own time and TTL are those of the newest cell (a value's before a tombstone's; complex
 * ones have times of their own): a rule of the cells alone, so that whatever way they were merged
 * the bytes are the same. */
static const struct cell *lead_cell(const struct cell *cells, size_t count)
{
    static const struct cell none = {0};
    const struct cell *lead = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct cell *c = &cells[i];
        if (c->complex) continue;
        if (!lead || c->timestamp > lead->timestamp ||
            (c->timestamp == lead->timestamp && lead->tombstone && !c->tombstone))
            lead = c;
    }
    return lead ? lead : &none;
}

static void cell_put(struct buf *out, const struct cell *c, const struct cell *lead)
{
    bool own_time = !c->complex && c->timestamp != lead->timestamp;
    bool own_ttl = !c->complex && !c->tombstone &&
                   (c->ttl != lead->ttl || (c->ttl && c->expiry_s != lead->expiry_s));
    buf_uvarint(out, (uint64_t)c->id << CELL_FLAG_BITS | (c->tombstone ? CELL_TOMBSTONE : 0) |
                         (c->complex ? CELL_COMPLEX : 0) | (own_time ? CELL_OWN_TIME : 0) |
                         (own_ttl ? CELL_OWN_TTL : 0));
    if (own_time) buf_le(out, (uint64_t)c->timestamp, 8);
    if (own_ttl) buf_le(out, c->ttl, 4);
    if (own_ttl && c->ttl) buf_le(out, (uint64_t)c->expiry_s, 8);
    if (c->tombstone) {
        buf_uvarint(out, (uint64_t)c->expiry_s);
        return;
    }
    buf_uvarint(out, c->value.len);
    buf_slice(out, c->value);
}

void row_put(struct buf *out, const struct cell *cells, size_t count)
{
    const struct cell *lead = lead_cell(cells, count);
    int version = ROW_SIMPLE;
    for (size_t i = 0; i < count; i++)
        if (cells[i].complex || cells[i].id == CELL_ROW_TOMBSTONE) version = ROW_VERSION;
    buf_be(out, (uint64_t)version, 1);
    buf_be(out, lead->ttl ? ROW_TTL : 0, 1);
    buf_le(out, (uint64_t)lead->timestamp, 8);
    if (lead->ttl) {
        buf_le(out, lead->ttl, 4);
        buf_le(out, (uint64_t)lead->expiry_s, 8);
    }
    for (size_t i = 0; i < count; i++) cell_put(out, &cells[i], lead);
}

void lineage_put(struct buf *out, const struct store_lineage *l)
{
    buf_uvarint(out, l->stream);
    buf_uvarint(out, l->partition);
    buf_varint(out, l->offset);
    buf_uvarint(out, l->epoch);
}

err_t lineage_take(struct slice value, struct store_lineage *out)
{
    struct cursor c = cursor_of(value);
    *out = (struct store_lineage){.stream = (uint32_t)cursor_uvarint(&c)};
    out->partition = (uint32_t)cursor_uvarint(&c);
    out->offset = cursor_varint(&c);
    out->epoch = cursor_uvarint(&c);
    return c.err || cursor_left(&c) ? ERR_CORRUPT : ERR_OK;
}
