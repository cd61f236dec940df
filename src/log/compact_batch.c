/* One batch as cleaning leaves it: base and last offset, producer, sequence and codec stay, the
 * records that stay keep their offsets and their bytes; only when a delete horizon is set, which
 * takes the first timestamp's place, their timestamp deltas are written anew. */
#include "log/compact.h"

enum { AT_LENGTH = 8, AT_CRC = 17, AT_ATTRIBUTES = 21 };

struct kept_record {
    struct slice rest; /* of its body, behind the two deltas */
    uint8_t attributes;
    int64_t timestamp_delta, offset_delta, timestamp;
};

struct batch_cleaner batch_cleaner_make(void)
{
    return (struct batch_cleaner){
        .arena = arena_new(RECORD_BATCH_OPENED_MAX),
        .kept = vec_make(sizeof(struct kept_record), (size_t)RECORD_BATCH_OPENED_MAX / 7),
        .body = buf_make((size_t)RECORD_BATCH_OPENED_MAX * 2)};
}

void batch_cleaner_done(struct batch_cleaner *c)
{
    arena_free(c->arena);
    vec_done(&c->kept);
    buf_done(&c->body);
}

static bool horizon_is_over(const struct clean_rules *rules, const struct record_batch *b)
{
    return (b->attributes & BATCH_DELETE_HORIZON) && b->first_timestamp <= rules->now_ms;
}

static bool record_stays(const struct clean_rules *rules, const struct record_batch *b,
                         const struct record *r)
{
    if (b->attributes & BATCH_CONTROL) return true;
    if (r->offset > rules->latest) return true;
    if (r->key_null) return false; /* it never gets here by our own appends */
    if (r->offset < key_map_get(rules->map, r->key)) return false;
    return !r->value_null || !horizon_is_over(rules, b);
}

/* `bytes`: the record with its length, which record_next has checked. */
static struct kept_record take_apart(struct slice bytes, int64_t timestamp)
{
    struct cursor c = cursor_of(bytes);
    struct kept_record k = {.timestamp = timestamp};
    (void)cursor_varint(&c);
    k.attributes = (uint8_t)cursor_be(&c, 1);
    k.timestamp_delta = cursor_varint(&c);
    k.offset_delta = cursor_varint(&c);
    k.rest = slice_make(c.at, cursor_left(&c));
    return k;
}

static err_t choose(struct batch_cleaner *c, const struct clean_rules *rules,
                    const struct record_batch *b, bool *tombstones)
{
    struct record_reader reader;
    struct record r;
    err_t e = record_batch_open(b, c->arena, RECORD_BATCH_OPENED_MAX, &reader);
    while (!e) {
        const uint8_t *from = reader.at.at;
        if ((e = record_next(&reader, &r))) break;
        if (!record_stays(rules, b, &r)) continue;
        struct kept_record k =
            take_apart(slice_make(from, (size_t)(reader.at.at - from)), r.timestamp);
        *tombstones = *tombstones || r.value_null;
        e = vec_push(&c->kept, &k);
    }
    return e == ERR_NOT_FOUND ? ERR_OK : e;
}

/* Only the timestamps' distance changes, and with it the length. */
static void put_record(struct buf *out, const struct kept_record *k, int64_t shift)
{
    uint8_t head[1 + 10 + 10];
    struct buf b = buf_over(head, sizeof(head));
    buf_be(&b, k->attributes, 1);
    buf_varint(&b, (int64_t)((uint64_t)k->timestamp_delta + (uint64_t)shift));
    buf_varint(&b, k->offset_delta);
    buf_varint(out, (int64_t)(b.len + k->rest.len));
    buf_slice(out, buf_view(&b));
    buf_slice(out, k->rest);
}

static void finish(struct buf *out, size_t from)
{
    uint8_t *at = out->at + from;
    size_t size = out->len - from;
    if (out->err) return;
    buf_set_be(out, from + AT_LENGTH, size - BATCH_OVERHEAD, 4);
    buf_set_be(out, from + AT_CRC, crc32c(0, at + AT_ATTRIBUTES, size - AT_ATTRIBUTES), 4);
}

static void put_head(struct buf *out, const struct record_batch *b, int attributes,
                     int64_t first_timestamp, int64_t max_timestamp, size_t count)
{
    buf_be(out, (uint64_t)b->base_offset, 8);
    buf_be(out, 0, 4); /* length: finish */
    buf_be(out, (uint64_t)b->leader_epoch, 4);
    buf_be(out, 2, 1);
    buf_be(out, 0, 4); /* crc: finish */
    buf_be(out, (uint64_t)attributes, 2);
    buf_be(out, (uint64_t)b->last_offset_delta, 4);
    buf_be(out, (uint64_t)first_timestamp, 8);
    buf_be(out, (uint64_t)max_timestamp, 8);
    buf_be(out, (uint64_t)b->producer_id, 8);
    buf_be(out, (uint64_t)b->producer_epoch, 2);
    buf_be(out, (uint64_t)b->base_sequence, 4);
    buf_be(out, count, 4);
}

static void put_empty(struct buf *out, const struct record_batch *b)
{
    size_t from = out->len;
    int keep = BATCH_APPEND_TIME | BATCH_TRANSACTIONAL | BATCH_CONTROL;
    put_head(out, b, b->attributes & keep, NO_TIMESTAMP, b->max_timestamp, 0);
    finish(out, from);
}

static err_t put_kept(struct batch_cleaner *c, const struct clean_rules *rules,
                      const struct record_batch *b, bool set_horizon, struct buf *out)
{
    size_t from = out->len;
    int64_t first = b->first_timestamp, newest = NO_TIMESTAMP;
    int attributes = b->attributes;
    if (set_horizon) {
        if (__builtin_add_overflow(rules->now_ms, rules->delete_retention_ms, &first))
            first = INT64_MAX;
        attributes |= BATCH_DELETE_HORIZON;
    }
    int64_t shift = (int64_t)((uint64_t)b->first_timestamp - (uint64_t)first);
    buf_reset(&c->body);
    for (size_t i = 0; i < c->kept.count; i++) {
        const struct kept_record *k = vec_at(&c->kept, i);
        put_record(&c->body, k, shift);
        newest = MAX(newest, k->timestamp);
    }
    if (c->body.err) return c->body.err;
    if (b->attributes & BATCH_APPEND_TIME) newest = b->max_timestamp;
    put_head(out, b, attributes, first, newest, c->kept.count);
    err_t e = codec_pack((enum codec)(b->attributes & BATCH_CODEC), buf_view(&c->body), out);
    if (e) return e;
    finish(out, from);
    return out->err;
}

err_t batch_clean(struct batch_cleaner *c, const struct clean_rules *rules,
                  const struct record_batch *b, struct batch_fate fate, struct buf *out,
                  bool *changed, int32_t *records)
{
    bool discard = fate.discard, tombstones = false;
    size_t from = out->len;
    bool marker = b->attributes & BATCH_CONTROL;
    if (marker && !horizon_is_over(rules, b)) discard = false;
    *changed = true;
    *records = 0;
    vec_clear(&c->kept);
    arena_reset(c->arena);
    err_t e = discard ? ERR_OK : choose(c, rules, b, &tombstones);
    if (e) return e;
    *records = (int32_t)c->kept.count;
    if (c->kept.count == 0) {
        *changed = b->count > 0 || !fate.keep_head;
        if (fate.keep_head && b->count > 0) put_empty(out, b);
        if (!*changed) buf_slice(out, b->whole);
        return out->err;
    }
    bool set_horizon =
        (tombstones || (marker && fate.discard)) && !(b->attributes & BATCH_DELETE_HORIZON);
    *changed = set_horizon || (int32_t)c->kept.count < b->count;
    if (*changed) {
        if ((e = put_kept(c, rules, b, set_horizon, out))) return e;
        if (out->len - from <= RECORD_BATCH_MAX) return ERR_OK;
        out->len = from; /* the horizon made it too large for anyone: it stays as it was */
        *changed = false;
    }
    buf_slice(out, b->whole);
    return out->err;
}
