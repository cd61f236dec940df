#include "data/record_batch.h"

#include "base/hash.h"

/* The head's places (Kafka's documentation, "Record Batch"). */
enum {
    AT_LENGTH = 8,
    AT_LEADER_EPOCH = 12,
    AT_MAGIC = 16,
    AT_CRC = 17,
    AT_ATTRIBUTES = 21, /* from here to the end the CRC counts */
    AT_LAST_OFFSET_DELTA = 23,
    AT_FIRST_TIMESTAMP = 27,
    AT_MAX_TIMESTAMP = 35,
    AT_PRODUCER_ID = 43,
    AFTER_LENGTH = 12,
    MAGIC = 2,
    RECORD_SIZE_MIN = 7, /* seven fields of one byte */
    HEADER_SIZE_MIN = 2,
    ATTRIBUTE_CODEC = 7,
    ATTRIBUTE_APPEND_TIME = 8,
    ATTRIBUTE_TRANSACTIONAL = 16,
    ATTRIBUTE_CONTROL = 32,
};

static uint64_t get_be(const uint8_t *at, int bytes)
{
    uint64_t v = 0;
    for (int i = 0; i < bytes; i++) v = v << 8 | at[i];
    return v;
}

static void put_be(uint8_t *at, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(v >> (8 * (bytes - 1 - i)));
}

static enum codec codec_of(const struct record_batch *b)
{
    return (enum codec)(b->attributes & ATTRIBUTE_CODEC);
}

/* Do the numbers of the head fit one another and the bytes that are there? */
static bool head_fits(const struct record_batch *b)
{
    if (codec_of(b) >= CODECS || b->count < 0 || b->last_offset_delta < 0) return false;
    if (b->count > 0 && b->count - 1 > b->last_offset_delta) return false;
    if (b->base_offset < 0 || b->base_offset > INT64_MAX - b->last_offset_delta) return false;
    if (codec_of(b) == CODEC_NONE && b->count > (int64_t)(b->records.len / RECORD_SIZE_MIN))
        return false;
    return true;
}

err_t record_batch_read(struct slice bytes, bool check_crc, struct record_batch *out)
{
    if (bytes.len < AFTER_LENGTH) return ERR_SHORT;
    int32_t length = (int32_t)get_be(bytes.at + AT_LENGTH, 4);
    if (bytes.len > AT_MAGIC && bytes.at[AT_MAGIC] != MAGIC)
        return bytes.at[AT_MAGIC] < MAGIC ? ERR_VERSION : ERR_MALFORMED;
    if (length < RECORD_BATCH_HEAD - AFTER_LENGTH) return ERR_MALFORMED;
    if (length > RECORD_BATCH_MAX - AFTER_LENGTH) return ERR_TOO_BIG;
    if (bytes.len - AFTER_LENGTH < (uint32_t)length) return ERR_SHORT;

    struct slice whole = slice_make(bytes.at, (size_t)length + AFTER_LENGTH);
    struct cursor c = cursor_of(whole);
    *out = (struct record_batch){.whole = whole};
    out->base_offset = cursor_i64(&c);
    out->length = cursor_i32(&c);
    out->leader_epoch = cursor_i32(&c);
    (void)cursor_i8(&c); /* magic */
    out->crc = (uint32_t)cursor_i32(&c);
    out->attributes = cursor_i16(&c);
    out->last_offset_delta = cursor_i32(&c);
    out->first_timestamp = cursor_i64(&c);
    out->max_timestamp = cursor_i64(&c);
    out->producer_id = cursor_i64(&c);
    out->producer_epoch = cursor_i16(&c);
    out->base_sequence = cursor_i32(&c);
    out->count = cursor_i32(&c);
    out->records = slice_make(c.at, cursor_left(&c));
    if (check_crc && crc32c(0, whole.at + AT_ATTRIBUTES, whole.len - AT_ATTRIBUTES) != out->crc)
        return ERR_CORRUPT;
    return head_fits(out) ? ERR_OK : ERR_MALFORMED;
}

void record_batch_set_base(uint8_t *batch, int64_t base_offset, int32_t leader_epoch)
{
    put_be(batch, (uint64_t)base_offset, 8);
    put_be(batch + AT_LEADER_EPOCH, (uint32_t)leader_epoch, 4);
}

static void set_crc(uint8_t *batch, size_t size)
{
    put_be(batch + AT_CRC, crc32c(0, batch + AT_ATTRIBUTES, size - AT_ATTRIBUTES), 4);
}

void record_batch_set_append_time(uint8_t *batch, int64_t now_ms)
{
    size_t size = (size_t)get_be(batch + AT_LENGTH, 4) + AFTER_LENGTH;
    put_be(batch + AT_ATTRIBUTES, get_be(batch + AT_ATTRIBUTES, 2) | ATTRIBUTE_APPEND_TIME, 2);
    put_be(batch + AT_MAX_TIMESTAMP, (uint64_t)now_ms, 8);
    set_crc(batch, size);
}

/* --- reading records -----------------------------------------------------------------------------
 */

err_t record_batch_open(const struct record_batch *b, struct arena *a, size_t opened_max,
                        struct record_reader *out)
{
    struct slice opened;
    err_t e = codec_open(codec_of(b), b->records, opened_max, a, &opened);
    if (e) return e;
    if (b->count > (int64_t)(opened.len / RECORD_SIZE_MIN)) return ERR_MALFORMED;
    *out = (struct record_reader){cursor_of(opened), b, b->count, -1};
    return ERR_OK;
}

/* Most varints of a record are one byte long. */
static int64_t take_varint(struct cursor *c)
{
    if (c->at < c->end && *c->at < 0x80 && !c->err) {
        uint8_t b = *c->at++;
        return (int64_t)(b >> 1) ^ -(int64_t)(b & 1);
    }
    return cursor_varint(c);
}

/* A length and its bytes; -1 is null, anything else below zero is wrong. */
static struct slice take_bytes(struct cursor *c, bool *null)
{
    int64_t len = take_varint(c);
    *null = len == -1;
    if (len >= 0) return cursor_slice(c, (uint64_t)len);
    if (len < -1 && !c->err) c->err = ERR_MALFORMED;
    return (struct slice){0};
}

err_t record_header_next(struct cursor *headers, struct record_header *out)
{
    bool key_null;
    if (headers->err == ERR_OK && cursor_left(headers) == 0) return ERR_NOT_FOUND;
    out->key = take_bytes(headers, &key_null);
    out->value = take_bytes(headers, &out->value_null);
    return headers->err || key_null ? ERR_MALFORMED : ERR_OK;
}

/* `count` headers must fill the rest of the record exactly. */
static bool headers_fit(struct cursor c, int64_t count)
{
    struct record_header h;
    if (count < 0 || count > (int64_t)(cursor_left(&c) / HEADER_SIZE_MIN)) return false;
    for (; count; count--)
        if (record_header_next(&c, &h)) return false;
    return cursor_left(&c) == 0;
}

static err_t record_parse(struct record_reader *r, struct cursor c, struct record *out)
{
    const struct record_batch *b = r->batch;
    (void)cursor_i8(&c); /* attributes: none are defined */
    int64_t timestamp_delta = take_varint(&c), offset_delta = take_varint(&c);
    out->key = take_bytes(&c, &out->key_null);
    out->value = take_bytes(&c, &out->value_null);
    int64_t header_count = take_varint(&c);
    if (c.err || !headers_fit(c, header_count)) return ERR_MALFORMED;
    out->headers = slice_make(c.at, cursor_left(&c));
    out->header_count = (int32_t)header_count;

    /* Offsets grow, with holes where compaction took records out. */
    if (offset_delta <= r->last_delta || offset_delta > b->last_offset_delta) return ERR_MALFORMED;
    r->last_delta = (int32_t)offset_delta;
    out->offset = b->base_offset + offset_delta;
    if (b->attributes & ATTRIBUTE_APPEND_TIME)
        out->timestamp = b->max_timestamp;
    else if (__builtin_add_overflow(b->first_timestamp, timestamp_delta, &out->timestamp))
        return ERR_MALFORMED;
    return ERR_OK;
}

err_t record_next(struct record_reader *r, struct record *out)
{
    if (r->left == 0) return cursor_left(&r->at) ? ERR_MALFORMED : ERR_NOT_FOUND;
    int64_t len = take_varint(&r->at);
    if (len < 0 || r->at.err) return ERR_MALFORMED;
    struct slice body = cursor_slice(&r->at, (uint64_t)len);
    if (r->at.err) return ERR_MALFORMED;
    err_t e = record_parse(r, cursor_of(body), out);
    if (e)
        r->at.err = e; /* nothing after a bad record is taken */
    else
        r->left--;
    return e;
}

/* --- building ------------------------------------------------------------------------------------
 */

struct record_builder record_builder_make(size_t limit)
{
    return (struct record_builder){.records = buf_make(MIN(limit, (size_t)RECORD_BATCH_MAX))};
}

void record_builder_done(struct record_builder *b)
{
    buf_done(&b->records);
}

void record_builder_reset(struct record_builder *b)
{
    buf_reset(&b->records);
    b->first_timestamp = b->max_timestamp = 0;
    b->count = 0;
}

static uint64_t zigzag(int64_t v)
{
    return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static size_t bytes_size(struct slice s)
{
    return s.at ? (size_t)uvarint_size(zigzag(s.len)) + s.len : 1;
}

static void put_bytes(struct buf *out, struct slice s)
{
    buf_varint(out, s.at ? (int64_t)s.len : -1);
    buf_slice(out, s);
}

/* A header's value says by a flag that it is null, its empty value may have no address. */
static struct slice header_value(const struct record_header *h)
{
    if (h->value_null) return (struct slice){0};
    return h->value.at ? h->value : SLICE("");
}

void record_builder_add(struct record_builder *b, int64_t timestamp, struct slice key,
                        struct slice value, const struct record_header *headers,
                        int32_t header_count)
{
    struct buf *out = &b->records;
    if (out->err) return;
    if (b->count == 0) b->first_timestamp = b->max_timestamp = timestamp;
    int64_t delta;
    if (b->count == INT32_MAX || header_count < 0 ||
        __builtin_sub_overflow(timestamp, b->first_timestamp, &delta)) {
        out->err = ERR_RANGE;
        return;
    }
    size_t size = 1 + (size_t)uvarint_size(zigzag(delta)) + (size_t)uvarint_size(zigzag(b->count)) +
                  bytes_size(key) + bytes_size(value) + (size_t)uvarint_size(zigzag(header_count));
    for (int32_t i = 0; i < header_count; i++)
        size += (size_t)uvarint_size(zigzag(headers[i].key.len)) + headers[i].key.len +
                bytes_size(header_value(&headers[i]));
    buf_varint(out, (int64_t)size);
    if (!buf_reserve(out, size)) return;
    buf_char(out, 0);
    buf_varint(out, delta);
    buf_varint(out, b->count);
    put_bytes(out, key);
    put_bytes(out, value);
    buf_varint(out, header_count);
    for (int32_t i = 0; i < header_count; i++) {
        buf_varint(out, headers[i].key.len);
        buf_slice(out, headers[i].key);
        put_bytes(out, header_value(&headers[i]));
    }
    b->max_timestamp = MAX(b->max_timestamp, timestamp);
    b->count++;
}

static void put_head(const struct record_builder *b, const struct record_batch_options *o,
                     struct buf *out)
{
    int attributes = (int)o->codec | (o->transactional ? ATTRIBUTE_TRANSACTIONAL : 0) |
                     (o->control ? ATTRIBUTE_CONTROL : 0);
    buf_be(out, 0, 8);            /* base offset: the log writes it */
    buf_be(out, 0, 4);            /* length: when the records are there */
    buf_be(out, (uint32_t)-1, 4); /* leader epoch: the log writes it */
    buf_be(out, MAGIC, 1);
    buf_be(out, 0, 4); /* CRC */
    buf_be(out, (uint64_t)attributes, 2);
    buf_be(out, (uint64_t)(b->count - 1), 4);
    buf_be(out, (uint64_t)b->first_timestamp, 8);
    buf_be(out, (uint64_t)b->max_timestamp, 8);
    buf_be(out, (uint64_t)o->producer_id, 8);
    buf_be(out, (uint64_t)o->producer_epoch, 2);
    buf_be(out, (uint64_t)o->base_sequence, 4);
    buf_be(out, (uint64_t)b->count, 4);
}

err_t record_builder_finish(struct record_builder *b, const struct record_batch_options *o,
                            struct buf *out)
{
    size_t start = out->len;
    if (b->records.err) return b->records.err;
    if (out->err) return out->err;
    if (b->count == 0) return ERR_USAGE;
    put_head(b, o, out);
    err_t e = out->err ? out->err : codec_pack(o->codec, buf_view(&b->records), out);
    size_t size = out->len - start;
    if (!e && size > RECORD_BATCH_MAX) e = ERR_TOO_BIG;
    if (e) {
        out->len = start;
        return e;
    }
    buf_set_be(out, start + AT_LENGTH, size - AFTER_LENGTH, 4);
    set_crc(out->at + start, size);
    return ERR_OK;
}
