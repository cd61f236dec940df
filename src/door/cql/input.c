/* Bytes become messages: heads and bodies one behind the other (versions 3 and 4, and all before
 * STARTUP is answered), or segments of them (version 5). What is wrong is answered in Cassandra's
 * words; after what leaves no doubt where the next message begins the connection goes on. */
#include "base/say.h"
#include "door/cql/link.h"

#include <stdio.h>

enum { ERRORS_IN_A_ROW = 1 };

static const char versions[] = "3/v3, 4/v4, 5/v5";

/* --- time: from a message's first byte to its last, its waiting for memory counted ------------ */

static void time_begin(struct link *l)
{
    if (l->timed) return;
    l->timed = true;
    conn_deadline(l->its.conn, MESSAGE_MS);
}

/* Of a message of several segments, each has its time. */
static void time_end(struct link *l)
{
    l->timed = l->frame.at || l->message.at || l->skip;
    conn_deadline(l->its.conn, l->timed ? MESSAGE_MS : 0);
}

/* --- gathering -------------------------------------------------------------------------------- */

static void out_of_memory(struct link *l)
{
    cql_link_close(l, "out of memory; connection closed");
}

static bool begin(struct link *l, struct gather *g, uint32_t size, size_t here)
{
    if (!gather_begin(g, &l->shard->its.frames, size, here)) {
        out_of_memory(l);
        return false;
    }
    l->shard->reserved += size;
    return true;
}

static void give(struct link *l, struct gather *g)
{
    gather_give(g, &l->shard->its.frames, l->shard->its.loop);
}

/* It is whole: from now on it counts as what it becomes. */
static struct gather take(struct link *l, struct gather *g)
{
    struct gather whole = *g;
    *g = (struct gather){0};
    l->shard->reserved -= whole.size;
    time_end(l);
    cql_links_wake(l->shard);
    return whole;
}

static size_t add(struct link *l, struct gather *g, struct slice in)
{
    size_t took;
    if (!gather_add(g, in, &took)) out_of_memory(l);
    return took;
}

uint8_t *input_room(struct link *l, size_t *size)
{
    if (!l->frame.at || l->stage != STAGE_READY || l->its.closing) return NULL;
    uint8_t *at = gather_room(&l->frame, size);
    if (!at) out_of_memory(l);
    return at;
}

void input_end(struct link *l)
{
    l->shard->reserved -= (size_t)l->frame.size + l->message.size;
    give(l, &l->frame);
    give(l, &l->message);
    cql_links_wake(l->shard);
}

/* --- what is no message ----------------------------------------------------------------------- */

/* Versions 1 and 2 have a head of eight bytes, and are answered in it. */
static void refuse_version(struct link *l, uint8_t version)
{
    char words[160];
    out_flush(l->shard); /* what was answered before */
    int n = snprintf(words, sizeof(words),
                     "Invalid or unsupported protocol version (%u); supported versions are (%s)",
                     version, versions);
    if (version != 1 && version != 2) {
        answer_error(l, NATIVE_NEWEST, 0, NATIVE_ERROR_PROTOCOL_ERROR, "%s", words);
    } else {
        uint8_t room[8 + 6 + sizeof(words)];
        struct buf out = buf_over(room, sizeof(room));
        const uint8_t head[4] = {(uint8_t)(0x80 | version), 0, 0, NATIVE_OP_ERROR};
        buf_put(&out, head, sizeof(head));
        buf_be(&out, (uint64_t)n + 6, 4);
        buf_be(&out, NATIVE_ERROR_PROTOCOL_ERROR, 4);
        native_string_put(&out, slice_of(words));
        conn_write(l->its.conn, buf_view(&out));
    }
    cql_link_close(l, "protocol version is not spoken; connection closed");
}

static void fatal(struct link *l, int16_t stream, const char *words)
{
    answer_error(l, l->version ? l->version : NATIVE_NEWEST, stream, NATIVE_ERROR_PROTOCOL_ERROR,
                 "%s", words);
    cql_link_close(l, "the protocol was broken; connection closed");
}

/* Answers what is wrong with a head; NULL: nothing. The words are in `room`. */
static const char *head_wrong(const struct link *l, const struct native_head *h, char room[160])
{
    const char *name = native_opcode_name(h->opcode);
    if (h->version < NATIVE_OLDEST || h->version > NATIVE_NEWEST)
        snprintf(room, 160,
                 "Invalid or unsupported protocol version (%u); supported versions are (%s)",
                 h->version, versions);
    else if (l->version && h->version != l->version)
        snprintf(room, 160,
                 "Invalid message version. Got %u/v%u but previous messages on this connection had "
                 "version %u/v%u",
                 h->version, h->version, l->version, l->version);
    else if (!name)
        snprintf(room, 160, "Unknown opcode %d", (int8_t)h->opcode);
    else if (native_opcode_is_request(h->opcode) == h->response)
        snprintf(room, 160, "Wrong protocol direction (expected %s, got %s) for opcode %u (%s)",
                 h->response ? "REQUEST" : "RESPONSE", h->response ? "RESPONSE" : "REQUEST",
                 h->opcode, name);
    else if (h->response)
        snprintf(room, 160, "Unexpected RESPONSE message %s, expecting REQUEST", name);
    else
        return NULL;
    return room;
}

/* A message whose end is known: answered or begun. False: the connection is over. */
static bool take_message(struct link *l, const struct native_head *h, struct slice body,
                         struct gather *frame)
{
    char room[160];
    const char *wrong = head_wrong(l, h, room);
    if (!wrong) {
        cql_link_call(l, h, body, frame);
        return !l->its.closing;
    }
    if (l->segmented && ++l->errors > ERRORS_IN_A_ROW) {
        fatal(l, h->stream, wrong);
        return false;
    }
    uint8_t version = l->version ? l->version : h->version;
    answer_error(l, version, h->stream, NATIVE_ERROR_PROTOCOL_ERROR, "%s", wrong);
    return true;
}

/* --- versions 3 and 4, and what comes before STARTUP --------------------------------------------
 */

static void throw_away(struct link *l, const struct native_head *h, uint64_t total)
{
    l->too_big = *h;
    l->skip = total;
    time_begin(l);
}

static void told_too_big(struct link *l)
{
    uint32_t most = l->shard->door->options.frame_max;
    bool small = (uint32_t)l->too_big.length <= most;
    unsigned long long total = (unsigned long long)(uint32_t)l->too_big.length + NATIVE_HEAD_SIZE;
    if (l->segmented && small) {
        count_up(&l->shard->counts.overloaded, 1);
        answer_error(
            l, l->version, l->too_big.stream, NATIVE_ERROR_OVERLOADED,
            "Request breached limit on bytes in flight. (Global: %zu/%zu bytes.) Server is "
            "currently in an overloaded state and cannot accept more requests.",
            l->shard->reserved, l->shard->bytes_max);
    } else if (l->segmented) {
        answer_error(l, l->version, l->too_big.stream, NATIVE_ERROR_INVALID,
                     "CQL Message of size %llu bytes exceeds allowed maximum of %u bytes",
                     total - NATIVE_HEAD_SIZE, most);
    } else {
        answer_error(l, l->version, l->too_big.stream, NATIVE_ERROR_INVALID,
                     "Request is too big: length %llu exceeds maximum allowed length %u.", total,
                     most);
    }
    l->too_big.version = 0;
}

static size_t skip_some(struct link *l, struct slice in)
{
    size_t n = (size_t)MIN((uint64_t)in.len, l->skip);
    l->skip -= n;
    if (l->skip == 0) {
        time_end(l);
        told_too_big(l);
    }
    return n;
}

/* Its bytes stay in the connection's input until there is room. */
static void frame_wanted(struct link *l, uint32_t size, struct slice in)
{
    if (!shard_has_room(l->shard, size))
        l->wanted = size;
    else if (!begin(l, &l->frame, size, in.len))
        return;
    time_begin(l);
}

static size_t take_plain(struct link *l, struct slice in)
{
    struct native_head h;
    uint8_t version = in.at[0] & 0x7f;
    if (version < NATIVE_OLDEST || version > NATIVE_NEWEST) {
        refuse_version(l, version);
        return in.len;
    }
    if (in.len < NATIVE_HEAD_SIZE) return 0;
    native_head_read(in.at, &h);
    uint64_t total = (uint64_t)(uint32_t)h.length + NATIVE_HEAD_SIZE;
    bool too_big = total > l->shard->door->options.frame_max;
    if (in.len >= total && !too_big) {
        (void)take_message(l, &h, slice_make(in.at + NATIVE_HEAD_SIZE, (uint32_t)h.length), NULL);
        return (size_t)total;
    }
    if (l->stage != STAGE_READY && total > LOGIN_BYTES_MAX) {
        cql_link_close(l, "a large message before a login; connection closed");
        return in.len;
    }
    if (too_big)
        throw_away(l, &h, total);
    else if (total > SMALL)
        frame_wanted(l, (uint32_t)total, in);
    return 0;
}

/* The frame is whole: its memory goes with the call. */
static void plain_gathered(struct link *l)
{
    struct native_head h;
    struct gather whole = take(l, &l->frame);
    native_head_read(whole.at, &h);
    (void)take_message(l, &h, slice_make(whole.at + NATIVE_HEAD_SIZE, (uint32_t)h.length), &whole);
    give(l, &whole); /* when nobody has taken it */
}

/* --- version 5: segments ---------------------------------------------------------------------- */

static void corrupt(struct link *l, const struct diag *d)
{
    char words[sizeof(d->what) + sizeof(l->session.peer) + 16];
    snprintf(words, sizeof(words), "%s invalid, %s", l->session.peer, d->what);
    fatal(l, 0, words);
}

/* Whole messages, one behind the other. */
static void take_whole(struct link *l, struct slice in)
{
    struct native_head h;
    while (in.len && !l->its.closing) {
        if (in.len < NATIVE_HEAD_SIZE) {
            fatal(l, 0, "a segment ends within a message's head");
            return;
        }
        native_head_read(in.at, &h);
        char words[96];
        if (h.length < 0 || (uint32_t)h.length > in.len - NATIVE_HEAD_SIZE) {
            snprintf(words, sizeof(words),
                     "Invalid value for envelope header body length field: %d", h.length);
            fatal(l, h.stream, words);
            return;
        }
        if (!take_message(l, &h, slice_make(in.at + NATIVE_HEAD_SIZE, (uint32_t)h.length), NULL))
            return;
        in = slice_make(in.at + NATIVE_HEAD_SIZE + h.length,
                        in.len - NATIVE_HEAD_SIZE - (uint32_t)h.length);
    }
}

/* The first part of a message of several segments. */
static void begin_parts(struct link *l, struct slice in)
{
    struct native_head h;
    char room[160];
    if (in.len < NATIVE_HEAD_SIZE) {
        fatal(l, 0, "a segment ends within a message's head");
        return;
    }
    native_head_read(in.at, &h);
    const char *wrong = head_wrong(l, &h, room);
    if (!wrong && h.length < 0) {
        snprintf(room, sizeof(room), "Invalid value for envelope header body length field: %d",
                 h.length);
        wrong = room;
    }
    if (!wrong && l->stage != STAGE_READY) {
        snprintf(room, sizeof(room),
                 "The connection is not yet in a valid state to process multi frame CQL Messages, "
                 "usually this means that authentication is still pending. type = %s",
                 native_opcode_name(h.opcode));
        wrong = room;
    }
    if (wrong) {
        fatal(l, h.stream, wrong);
        return;
    }
    uint32_t total = (uint32_t)h.length + NATIVE_HEAD_SIZE;
    /* It has begun to come: there is no waiting any more, only up to all of what there is. */
    bool fits =
        shard_has_room(l->shard, total) || l->shard->reserved + total <= l->shard->bytes_max;
    if (!fits || (uint32_t)h.length > l->shard->door->options.frame_max)
        throw_away(l, &h, total);
    else if (begin(l, &l->message, total, in.len))
        time_begin(l);
}

static void parts_done(struct link *l)
{
    struct native_head h;
    struct gather whole = take(l, &l->message);
    native_head_read(whole.at, &h);
    (void)take_message(l, &h, slice_make(whole.at + NATIVE_HEAD_SIZE, (uint32_t)h.length), &whole);
    give(l, &whole);
}

static void take_part(struct link *l, struct slice in)
{
    if (!l->skip && !l->message.at) begin_parts(l, in);
    if (l->its.closing) return;
    size_t took = 0;
    if (l->skip)
        took = skip_some(l, in);
    else if (l->message.at)
        took = add(l, &l->message, in);
    if (l->its.closing) return;
    if (took != in.len) {
        fatal(l, 0, "a segment holds more than its message's last part");
        return;
    }
    if (l->message.at && l->message.have == l->message.size) parts_done(l);
}

static void take_payload(struct link *l, const struct native_segment *s, const uint8_t *at)
{
    struct shard *shard = l->shard;
    struct slice payload;
    struct diag d = {0};
    if (s->packed && !shard->unpacked) shard->unpacked = mem_take_raw(NATIVE_SEGMENT_MAX);
    if (s->packed && !shard->unpacked) {
        cql_link_close(l, "out of memory; connection closed");
        return;
    }
    l->errors = 0;
    if (native_segment_check(s, at, shard->unpacked, &payload, &d))
        corrupt(l, &d);
    else if (!s->self_contained)
        take_part(l, payload);
    else if (l->message.at || l->skip)
        fatal(l, 0, "a whole message within the parts of another");
    else
        take_whole(l, payload);
}

static size_t take_segment(struct link *l, struct slice in)
{
    uint32_t head = native_segment_head_size(l->compression);
    struct native_segment s;
    struct diag d = {0};
    if (in.len < head) return 0;
    if (native_segment_read(in.at, l->compression, &s, &d)) {
        corrupt(l, &d);
        return in.len;
    }
    uint32_t total = head + s.size + NATIVE_SEGMENT_TAIL;
    if (in.len >= total) {
        take_payload(l, &s, in.at + head);
        return total;
    }
    if (l->stage != STAGE_READY && total > LOGIN_BYTES_MAX)
        cql_link_close(l, "a large message before a login; connection closed");
    else if (total > SMALL)
        frame_wanted(l, total, in);
    return 0;
}

static void segment_gathered(struct link *l)
{
    uint32_t head = native_segment_head_size(l->compression);
    struct native_segment s;
    struct diag d = {0};
    struct gather whole = take(l, &l->frame);
    if (native_segment_read(whole.at, l->compression, &s, &d))
        corrupt(l, &d); /* it was right before: the memory is not */
    else
        take_payload(l, &s, whole.at + head);
    give(l, &whole);
}

/* --- all of it -------------------------------------------------------------------------------- */

static void frame_gathered(struct link *l)
{
    if (l->segmented)
        segment_gathered(l);
    else
        plain_gathered(l);
}

/* Some of it; 0: the rest has to come first. */
static size_t take_some(struct link *l, struct slice in)
{
    if (l->frame.at) {
        size_t n = add(l, &l->frame, in);
        if (!l->its.closing && l->frame.have == l->frame.size) frame_gathered(l);
        return n;
    }
    if (l->segmented) return take_segment(l, in);
    if (l->skip) return skip_some(l, in);
    return take_plain(l, in);
}

static bool takes_more(struct link *l)
{
    cql_link_set_input(l); /* also looks for `wanted` again */
    return !l->its.closing && !l->its.paused && conn_queued(l->its.conn) <= OUTPUT_HIGH;
}

size_t input_data(struct link *l, struct slice in)
{
    size_t took = 0;
    while (took < in.len && takes_more(l)) {
        bool gathering = l->frame.at, skipping = l->skip;
        size_t n = take_some(l, slice_make(in.at + took, in.len - took));
        took += n;
        if (l->stage != STAGE_READY && !l->its.closing) {
            if (door_link_says_too_much(&l->its, n))
                cql_link_close(l, "too many bytes before a login; connection closed");
        }
        /* Nothing taken, but a place for it found: once more. */
        if (n == 0 && gathering == (l->frame.at != NULL) && skipping == (l->skip != 0)) break;
    }
    return l->its.closing ? in.len : took;
}
