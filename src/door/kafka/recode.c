#include "door/kafka/recode.h"

#include "base/hash.h"

enum { LENGTH_AT = 8, CRC_AT = 17, ATTRIBUTES_AT = 21, CODEC_MASK = 7, OVERHEAD = 12 };

/* A batch's records are the bytes behind its head; a codec wraps them as they are. */
static err_t recode(const struct record_batch *b, enum codec to, struct arena *a, struct buf *out)
{
    struct slice plain = b->records;
    enum codec from = (enum codec)(b->attributes & CODEC_MASK);
    err_t e = ERR_OK;
    if (from != CODEC_NONE) e = codec_open(from, b->records, RECORD_BATCH_OPENED_MAX, a, &plain);
    buf_put(out, b->whole.at, RECORD_BATCH_HEAD);
    if (e) return e;
    if (to == CODEC_NONE)
        buf_slice(out, plain);
    else
        e = codec_pack(to, plain, out);
    if (e || out->err) return e ? e : out->err;
    buf_set_be(out, LENGTH_AT, out->len - OVERHEAD, 4);
    buf_set_be(out, ATTRIBUTES_AT, ((uint16_t)b->attributes & ~(unsigned)CODEC_MASK) | (unsigned)to,
               2);
    buf_set_be(out, CRC_AT, crc32c(0, out->at + ATTRIBUTES_AT, out->len - ATTRIBUTES_AT), 4);
    return ERR_OK;
}

err_t batch_recode(const struct record_batch *b, enum codec to, uint8_t **out, size_t *size,
                   struct diag *d)
{
    struct buf packed = buf_make((size_t)RECORD_BATCH_OPENED_MAX + MIB(48));
    struct arena *a = arena_new((size_t)RECORD_BATCH_OPENED_MAX + KIB(64));
    struct record_batch whole;
    err_t e = a ? record_batch_read(b->whole, true, &whole) : ERR_NO_MEMORY; /* or a new CRC would
                                                                               hide the damage */
    if (!e) e = recode(&whole, to, a, &packed);
    arena_free(a);
    if (e) {
        buf_done(&packed);
        return diag_fail(d, e, "the batch can not be compressed anew as %s: %s", codec_name(to),
                         err_text(e));
    }
    *out = packed.at;
    *size = packed.len;
    return ERR_OK;
}
