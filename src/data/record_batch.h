/* data/record_batch: Kafka's record batch v2, the form in which the log keeps everything.
 *
 * Offsets and leader epoch stand outside the CRC and are patched in place; nothing else is ever
 * re-encoded. Opening is bounded: counts, lengths and the decompressed size are checked against
 * what is there before anything is allocated.
 *
 * Loop: any thread; the codecs keep their contexts (about 300 KiB once used) a thread. Memory:
 * opened records in the caller's arena. Limit: RECORD_BATCH_MAX, RECORD_BATCH_OPENED_MAX.
 */
#pragma once
#include "base/bytes.h"

enum codec { CODEC_NONE, CODEC_GZIP, CODEC_SNAPPY, CODEC_LZ4, CODEC_ZSTD, CODECS };
enum {
    RECORD_BATCH_HEAD = 61,
    RECORD_BATCH_MAX = 64 << 20,
    RECORD_BATCH_OPENED_MAX = 256 << 20, /* whatever opened_max says */
    RECORD_PADDING = 64
};

struct record_batch { /* the head, and where the records are */
    int64_t base_offset;
    int32_t length; /* of what follows this field: the whole batch is length + 12 */
    int32_t leader_epoch;
    uint32_t crc;
    int16_t
        attributes; /* low three bits: codec; 8: log append time; 16: transactional; 32: control */
    int32_t last_offset_delta;
    int64_t first_timestamp, max_timestamp;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
    int32_t count;
    struct slice whole;   /* all bytes of the batch */
    struct slice records; /* still compressed when the codec is not none */
};

struct record_header {
    struct slice key, value;
    bool value_null;
};

struct record {
    int64_t offset, timestamp;
    struct slice key, value;
    bool key_null, value_null;
    struct slice headers; /* raw: header_count entries, read with record_header_next */
    int32_t header_count;
};

/* The first batch in `bytes`: ERR_SHORT when more bytes are needed, ERR_MALFORMED, ERR_VERSION for
 * magic 0 and 1, ERR_CORRUPT when check_crc and the CRC does not fit. */
MUST_CHECK err_t record_batch_read(struct slice bytes, bool check_crc, struct record_batch *out);
static inline size_t record_batch_size(const struct record_batch *b)
{
    return (size_t)b->length + 12;
}
void record_batch_set_base(uint8_t *batch, int64_t base_offset,
                           int32_t leader_epoch); /* in place, outside the CRC */
void record_batch_set_append_time(
    uint8_t *batch, int64_t now_ms); /* LogAppendTime: inside the CRC, which is made anew */

/* Walks the records (every field is checked, headers too; offsets must grow, and the records must
 * fill the batch: a batch that ends in ERR_NOT_FOUND is whole); the opened form lives in `a`
 * (padded by RECORD_PADDING), or is the batch itself when it is not compressed. Borrowed until the
 * arena is reset. */
struct record_reader {
    struct cursor at;
    const struct record_batch *batch;
    int32_t left;
    int32_t last_delta; /* offsets must grow */
};
MUST_CHECK err_t record_batch_open(const struct record_batch *b, struct arena *a, size_t opened_max,
                                   struct record_reader *out);
MUST_CHECK err_t record_next(struct record_reader *r,
                             struct record *out); /* ERR_NOT_FOUND after the last */
MUST_CHECK err_t record_header_next(struct cursor *headers, struct record_header *out);

/* Builds one batch. */
struct record_builder {
    struct buf records;
    int64_t first_timestamp, max_timestamp;
    int32_t count;
};
struct record_builder record_builder_make(size_t limit);
void record_builder_done(struct record_builder *b);
void record_builder_reset(struct record_builder *b);
/* Sticky: a failure shows in record_builder_finish. `key` or `value` with at == NULL: null. */
void record_builder_add(struct record_builder *b, int64_t timestamp, struct slice key,
                        struct slice value, const struct record_header *headers,
                        int32_t header_count);
struct record_batch_options {
    enum codec codec;
    int64_t producer_id;    /* -1: none */
    int16_t producer_epoch; /* -1 */
    int32_t base_sequence;  /* -1 */
    bool transactional, control;
};
/* Appends the finished batch (base offset 0) to `out`. */
MUST_CHECK err_t record_builder_finish(struct record_builder *b,
                                       const struct record_batch_options *o, struct buf *out);

/* The codecs alone, bounded. Snappy reads both xerial's framing and raw blocks, writes xerial's as
 * Java does. Packing needs room in `out` for the worst case (about len + len / 6 + 1 KiB). */
MUST_CHECK err_t codec_pack(enum codec c, struct slice in, struct buf *out);
MUST_CHECK err_t codec_open(enum codec c, struct slice in, size_t opened_max, struct arena *a,
                            struct slice *out);
const char *codec_name(enum codec c);
