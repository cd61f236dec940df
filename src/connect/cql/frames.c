/* Messages as bytes of a connection: heads and bodies before version 5, segments from then on. */
#include "connect/cql/client_int.h"

enum { READ_AT_ONCE = 64 << 10, OUT_MAX = NATIVE_BODY_MAX + (1 << 20) };

void cql_frames_reset(struct cql_client *k)
{
    struct buf *all[] = {&k->out, &k->gathered, &k->scratch, &k->in, &k->plain};
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        all[i]->limit = OUT_MAX;
        buf_reset(all[i]);
    }
    k->in_at = k->plain_at = 0;
}

/* --- out -------------------------------------------------------------------------------------- */

/* What was gathered becomes a segment, or as many as it needs. */
static err_t seal(struct cql_client *k)
{
    if (k->gathered.len == 0) return ERR_OK;
    err_t e = native_segments_put(&k->out, buf_view(&k->gathered), k->compression);
    buf_reset(&k->gathered);
    return e;
}

/* Before version 5: the body as a whole. */
static err_t pack(struct cql_client *k, struct native_head *h)
{
    struct slice message = buf_view(&k->scratch);
    struct slice body = {message.at + NATIVE_HEAD_SIZE, message.len - NATIVE_HEAD_SIZE};
    native_head_read(message.at, h);
    h->flags |= NATIVE_HEAD_COMPRESSED;
    size_t begun = native_begin(&k->out, h);
    err_t e = native_pack(k->compression, body, &k->out);
    return e ? e : native_end(&k->out, begun);
}

err_t cql_frames_put(struct cql_client *k, uint8_t opcode, const struct native_request *r,
                     bool traced, int16_t stream, struct diag *d)
{
    struct native_head h = {.version = k->version,
                            .flags = traced ? NATIVE_HEAD_TRACING : 0,
                            .opcode = opcode,
                            .stream = stream};
    bool packs = !k->segmented && k->compression != NATIVE_PLAIN && opcode != NATIVE_OP_STARTUP &&
                 opcode != NATIVE_OP_OPTIONS;
    buf_reset(&k->scratch);
    err_t e = native_request_put(&k->scratch, &h, r, d);
    if (!e) e = k->scratch.err;
    if (e) return e;
    if (packs) return pack(k, &h);
    if (k->segmented && k->gathered.len + k->scratch.len > NATIVE_SEGMENT_MAX) e = seal(k);
    struct buf *to = k->segmented ? &k->gathered : &k->out;
    if (!e) buf_slice(to, buf_view(&k->scratch));
    return e ? e : to->err;
}

err_t cql_frames_flush(struct cql_client *k, struct diag *d)
{
    err_t e = seal(k);
    if (!e && k->out.len > 0) e = dial_write(k->dial, buf_view(&k->out), d);
    buf_reset(&k->out);
    return e;
}

/* --- in --------------------------------------------------------------------------------------- */

/* What was looked at goes; the rest moves to the front. */
static void forget(struct buf *b, size_t *at)
{
    if (*at == 0) return;
    memmove(b->at, b->at + *at, b->len - *at);
    b->len -= *at;
    *at = 0;
}

/* `size` bytes that were not looked at are there, at *out. They stay until the next call. */
static err_t need(struct cql_client *k, size_t size, const uint8_t **out, struct diag *d)
{
    err_t e = ERR_OK;
    while (!e && k->in.len - k->in_at < size) {
        size_t got = 0;
        forget(&k->in, &k->in_at);
        if (!buf_reserve(&k->in, MAX(size - k->in.len, (size_t)READ_AT_ONCE)))
            return diag_fail(d, k->in.err, "no memory for an answer of %zu bytes", size);
        e = dial_read_some(k->dial, k->in.at + k->in.len, k->in.cap - k->in.len, &got, d);
        k->in.len += got;
    }
    *out = k->in.at + k->in_at;
    return e;
}

static err_t no_cassandra(const struct cql_client *k, struct diag *d)
{
    (void)diag_fail(d, ERR_PEER, "%s:%u does not speak Cassandra's protocol", k->options.host,
                    k->options.port);
    return diag_hint(d, "is this a CQL port, and is it plain or TLS as you said?");
}

static err_t check_head(const struct cql_client *k, const struct native_head *h, struct diag *d)
{
    bool known = h->version >= NATIVE_OLDEST && h->version <= 0x10 && h->response;
    if (!known || h->length < 0 || h->length > NATIVE_BODY_MAX) return no_cassandra(k, d);
    return ERR_OK;
}

static err_t copy_body(const uint8_t *at, size_t size, struct arena *a, struct slice *out,
                       struct diag *d)
{
    uint8_t *to = arena_take_raw(a, MAX(size, (size_t)1));
    if (!to) return diag_fail(d, ERR_NO_MEMORY, "an answer of %zu bytes is too large", size);
    if (size > 0) memcpy(to, at, size);
    *out = slice_make(to, size);
    return ERR_OK;
}

static err_t take_plain(struct cql_client *k, struct arena *a, struct native_head *head,
                        struct slice *body, struct diag *d)
{
    const uint8_t *at = NULL;
    struct slice packed;
    err_t e = need(k, NATIVE_HEAD_SIZE, &at, d);
    if (e) return e;
    native_head_read(at, head);
    e = check_head(k, head, d);
    if (!e) e = need(k, NATIVE_HEAD_SIZE + (size_t)head->length, &at, d);
    if (e) return e;
    k->in_at += NATIVE_HEAD_SIZE + (size_t)head->length;
    e = copy_body(at + NATIVE_HEAD_SIZE, (size_t)head->length, a, body, d);
    if (e || !(head->flags & NATIVE_HEAD_COMPRESSED)) return e;
    packed = *body;
    return native_unpack(k->compression, packed, NATIVE_BODY_MAX, a, body, d);
}

/* One segment more, at the end of `plain`. */
static err_t take_segment(struct cql_client *k, struct diag *d)
{
    uint32_t head = native_segment_head_size(k->compression);
    struct native_segment s;
    struct slice payload;
    const uint8_t *at = NULL;
    err_t e = need(k, head, &at, d);
    if (!e) e = native_segment_read(at, k->compression, &s, d);
    if (!e) e = need(k, head + (size_t)s.size + NATIVE_SEGMENT_TAIL, &at, d);
    if (e) return e;
    buf_reset(&k->scratch);
    uint8_t *unpacked = s.packed ? buf_grow(&k->scratch, MAX(s.whole, 1u)) : NULL;
    if (s.packed && !unpacked) return diag_fail(d, ERR_NO_MEMORY, "no memory for an answer");
    e = native_segment_check(&s, at + head, unpacked, &payload, d);
    k->in_at += head + (size_t)s.size + NATIVE_SEGMENT_TAIL;
    forget(&k->plain, &k->plain_at);
    if (!e) buf_slice(&k->plain, payload);
    return e ? e : k->plain.err;
}

static err_t take_of_segments(struct cql_client *k, struct arena *a, struct native_head *head,
                              struct slice *body, struct diag *d)
{
    for (;;) {
        size_t there = k->plain.len - k->plain_at;
        if (there >= NATIVE_HEAD_SIZE) {
            const uint8_t *at = k->plain.at + k->plain_at;
            native_head_read(at, head);
            err_t e = check_head(k, head, d);
            if (e) return e;
            size_t size = NATIVE_HEAD_SIZE + (size_t)head->length;
            if (there >= size) {
                k->plain_at += size;
                return copy_body(at + NATIVE_HEAD_SIZE, (size_t)head->length, a, body, d);
            }
        }
        err_t e = take_segment(k, d);
        if (e) return e;
    }
}

err_t cql_frames_take(struct cql_client *k, struct arena *a, struct native_head *head,
                      struct slice *body, struct diag *d)
{
    return k->segmented ? take_of_segments(k, a, head, body, d) : take_plain(k, a, head, body, d);
}

/* Whether a whole segment or message is there is found out by taking it: a server that has begun
 * one ends it. */
bool cql_client_has_bytes(const struct cql_client *k)
{
    return k->in.len > k->in_at || k->plain.len > k->plain_at;
}
