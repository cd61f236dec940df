/* Messages become bytes on the wire. What is answered in one turn of the loop is gathered, link by
 * link, and leaves together: in version 5 as one segment, under one checksum. */
#include "base/say.h"
#include "door/cql/link.h"

enum { OUT_KEPT = 512 << 10 };

/* Before the first message of a segment that is written in place. */
static size_t room_before(const struct link *l)
{
    return l->segmented && l->compression == NATIVE_PLAIN ? NATIVE_SEGMENT_HEAD : 0;
}

static void reset(struct shard *s)
{
    s->out_link = NULL;
    if (s->out.cap > OUT_KEPT) {
        buf_done(&s->out);
        s->out = buf_make(ANSWER_MAX);
    }
    if (s->scratch.cap > OUT_KEPT) {
        buf_done(&s->scratch);
        s->scratch = buf_make(ANSWER_MAX);
    }
    buf_reset(&s->out);
}

static void send(struct link *l, struct slice bytes)
{
    count_up(&l->shard->counts.bytes_out, bytes.len);
    if (l->its.conn) conn_write(l->its.conn, bytes);
}

/* Without its answer a stream would wait for ever. */
static void broken(struct link *l, err_t e)
{
    say_warn(SAY_DOOR, "an answer does not fit in memory; connection closed",
             "door=cql peer=%s err=%s", l->session.peer, err_name(e));
    l->its.closing = true;
    if (l->its.conn) conn_close_now(l->its.conn);
}

/* The bytes up to `end`, which are whole messages. */
static void send_until(struct link *l, size_t end)
{
    struct shard *s = l->shard;
    size_t before = room_before(l);
    struct slice all = slice_make(s->out.at, end);
    if (end <= before) return;
    if (!l->segmented) {
        send(l, all);
    } else if (l->compression == NATIVE_PLAIN) {
        struct slice payload = slice_make(all.at + before, end - before);
        uint8_t tail[NATIVE_SEGMENT_TAIL];
        native_segment_head_put(s->out.at, payload.len, true);
        native_segment_tail_put(tail, native_crc(native_crc_begin(), payload));
        send(l, all);
        send(l, slice_make(tail, sizeof(tail)));
    } else {
        buf_reset(&s->scratch);
        err_t e = native_segments_put(&s->scratch, all, NATIVE_LZ4);
        if (e)
            broken(l, e);
        else
            send(l, buf_view(&s->scratch));
    }
}

void out_flush(struct shard *s)
{
    struct link *l = s->out_link;
    if (!l) return;
    send_until(l, s->out.len);
    reset(s);
}

struct buf *out_open(struct link *l)
{
    struct shard *s = l->shard;
    if (s->out_link != l) {
        out_flush(s);
        s->out_link = l;
        size_t before = room_before(l);
        if (before) buf_grow(&s->out, before);
    }
    return &s->out;
}

/* A message of versions 3 and 4, when STARTUP has agreed on it. */
static err_t pack(struct link *l, size_t begun)
{
    struct buf *out = &l->shard->out, *to = &l->shard->scratch;
    size_t at = begun + NATIVE_HEAD_SIZE, size = out->len - at;
    if (l->segmented || l->compression == NATIVE_PLAIN || size < PACKED_LEAST) return ERR_OK;
    buf_reset(to);
    err_t e = native_pack(l->compression, slice_make(out->at + at, size), to);
    if (e) return e;
    if (to->len >= size) return ERR_OK;
    memcpy(out->at + at, to->at, to->len);
    out->len = at + to->len;
    out->at[begun + 1] |= NATIVE_HEAD_COMPRESSED;
    return native_end(out, begun);
}

/* A message that does not fit in one segment with those before it: they leave first. */
static err_t cut(struct link *l, size_t begun)
{
    struct shard *s = l->shard;
    struct buf *out = &s->out;
    size_t before = room_before(l), size = out->len - begun;
    send_until(l, begun);
    if (size <= NATIVE_SEGMENT_MAX) {
        memmove(out->at + before, out->at + begun, size);
        out->len = before + size;
        return ERR_OK;
    }
    buf_reset(&s->scratch);
    err_t e = native_segments_put(&s->scratch, slice_make(out->at + begun, size), l->compression);
    if (!e) send(l, buf_view(&s->scratch));
    out->len = before;
    return e;
}

void out_close(struct link *l, size_t begun)
{
    struct shard *s = l->shard;
    struct buf *out = &s->out;
    err_t e = native_end(out, begun);
    if (!e) e = pack(l, begun);
    if (!e && l->segmented && out->len - room_before(l) > NATIVE_SEGMENT_MAX) e = cut(l, begun);
    if (e) {
        broken(l, e);
        reset(s);
    } else if (out->len >= OUT_FLUSH) {
        out_flush(s);
    }
}

/* --- rows that are not copied -------------------------------------------------------------------
 */

static void send_rows(struct call *c, struct slice rows)
{
    struct link *l = c->link;
    c->parts++;
    count_up(&l->shard->counts.bytes_out, rows.len);
    conn_write_borrowed(l->its.conn, rows, cql_link_part_left, c);
}

/* A message of segments: `first` in front of the rows' beginning. */
static void send_segments(struct call *c, struct slice first, struct slice rows)
{
    struct link *l = c->link;
    bool whole = (size_t)first.len + rows.len <= NATIVE_SEGMENT_MAX;
    while (first.len + rows.len) {
        uint32_t most = NATIVE_SEGMENT_MAX - first.len, n = MIN(rows.len, most);
        struct slice part = slice_make(rows.at, n);
        uint8_t head[NATIVE_SEGMENT_HEAD], tail[NATIVE_SEGMENT_TAIL];
        native_segment_head_put(head, first.len + n, whole);
        uint32_t crc = native_crc(native_crc(native_crc_begin(), first), part);
        native_segment_tail_put(tail, crc);
        send(l, slice_make(head, sizeof(head)));
        send(l, first);
        if (n) send_rows(c, part);
        send(l, slice_make(tail, sizeof(tail)));
        first.len = 0;
        rows = slice_make(rows.at + n, rows.len - n);
    }
}

void out_close_rows(struct call *c, size_t begun)
{
    struct link *l = c->link;
    struct shard *s = l->shard;
    struct buf *out = &s->out;
    struct slice rows = buf_view(&c->cql.result.rows);
    size_t head = out->len - begun;
    bool copied = rows.len < BORROWED_LEAST || l->compression != NATIVE_PLAIN || out->err ||
                  head > NATIVE_SEGMENT_MAX / 2;
    if (copied) {
        buf_slice(out, rows);
        out_close(l, begun);
        return;
    }
    if (head - NATIVE_HEAD_SIZE + rows.len > NATIVE_BODY_MAX) {
        broken(l, ERR_TOO_BIG);
        reset(s);
        return;
    }
    buf_set_be(out, begun + 5, head - NATIVE_HEAD_SIZE + rows.len, 4);
    struct slice first = slice_make(out->at + begun, head);
    send_until(l, begun);
    if (l->segmented) {
        send_segments(c, first, rows);
    } else {
        send(l, first);
        send_rows(c, rows);
    }
    reset(s);
}
