/* A connection: bytes become frames, frames wait their turn, answers leave in order. docs/kafka.md
 * has the rules and their reasons. */
#include "door/kafka/link.h"

#include "base/metric.h"
#include "base/say.h"

#include <stdio.h>

void link_close(struct link *l, const char *why, const struct call *c)
{
    if (l->its.closing) return;
    l->its.closing = true;
    metric_add(METRIC_kafka_refused_total, 1);
    const struct kafka_api *api = c ? c->head.api : NULL;
    char words[sizeof(c->diag.what) + sizeof(c->diag.why) + 8] = "";
    if (c && c->diag.err)
        snprintf(words, sizeof(words), "%s%s%s", c->diag.what, c->diag.why[0] ? ": " : "",
                 c->diag.why);
    struct buf detail = buf_make(KIB(2));
    say_quote(slice_of(words), &detail);
    say_info(SAY_DOOR, why, "door=kafka peer=%s api=%s key=%d version=%d detail=%s", l->peer,
             api ? api->name : "-", c ? c->head.api_key : -1, c ? c->head.api_version : -1,
             buf_cstr(&detail));
    buf_done(&detail);
    if (l->its.conn) conn_close(l->its.conn); /* what was answered before still leaves */
}

/* --- requests in their order ------------------------------------------------------------------ */

static bool is_produce(const struct call *c)
{
    return c->frame_size >= 2 && c->frame[0] == 0 && c->frame[1] == KAFKA_API_produce;
}

/* A produce may follow produces; all else begins when everything before it has been answered. */
static bool may_begin(const struct link *l, const struct call *c)
{
    if (conn_queued(l->its.conn) > OUTPUT_HIGH) return false;
    if (c == l->first) return true;
    return l->blocking == 0 && is_produce(l->first) && is_produce(c) && l->running < CALLS_MAX;
}

void call_block(struct call *c)
{
    c->link->blocking++;
}

void call_unblock(struct call *c)
{
    INVARIANT(c->link->blocking > 0);
    c->link->blocking--;
    link_pump(c->link);
}

static void take_off_first(struct link *l)
{
    struct call *c = l->first;
    l->first = c->next;
    if (!l->first) l->last = NULL;
    if (l->waiting == c) l->waiting = c->next;
    l->count--;
    if (c->started) l->running--;
    l->ahead -= c->frame_size;
    call_drop(c);
}

/* The connection is over: what has not begun never will; what is out comes back by itself. */
static void drop_all(struct link *l)
{
    while (l->first && (l->first->ended || !l->first->started)) take_off_first(l);
    for (struct call *c = l->first, *next; c; c = next) {
        next = c->next; /* dropping may end the call, but never takes it off: we are pumping */
        if (c->started && !c->ended && c->dropped) {
            void (*dropped)(struct call *) = c->dropped;
            c->dropped = NULL;
            dropped(c);
        }
    }
    while (l->first && (l->first->ended || !l->first->started)) take_off_first(l);
}

static void send_ended(struct link *l)
{
    while (l->first && l->first->ended && !l->its.closing) {
        struct call *c = l->first;
        bool goes_on = call_send(c);
        if (!goes_on && !l->its.closing) {
            l->its.closing = true;
            conn_close(l->its.conn);
        }
        take_off_first(l);
    }
}

static void set_input(struct link *l)
{
    bool pause = l->waiting || l->ahead > FRAMES_AHEAD_MAX || l->count >= CALLS_MAX;
    (void)door_link_pause(&l->its, pause);
}

/* The login is over: no deadline and no count of bytes any more. */
static void watch_login(struct link *l)
{
    if (l->admitted || !l->login.who.known) return;
    l->admitted = true;
    conn_deadline(l->its.conn, 0);
    conn_timeout(l->its.conn, IDLE_MS);
}

void link_pump(struct link *l)
{
    if (l->pumping) return; /* the pump that is running looks again */
    l->pumping = true;
    for (bool more = true; more && l->its.conn && !l->its.closing;) {
        send_ended(l);
        if (l->its.closing) break;
        watch_login(l);
        more = l->waiting && may_begin(l, l->waiting);
        if (!more) break;
        struct call *c = l->waiting;
        l->waiting = c->next;
        c->started = true;
        l->running++;
        call_begin(c);
    }
    if (!l->its.conn || l->its.closing)
        drop_all(l);
    else
        set_input(l);
    l->pumping = false;
    link_free_if_over(l);
}

void link_free_if_over(struct link *l)
{
    if (!door_link_over(&l->its) || l->pumping) return;
    login_end(&l->login);
    mem_give(l->frame.at);
    mem_give(l);
}

/* --- bytes become frames ---------------------------------------------------------------------- */

static void out_of_memory(struct link *l)
{
    link_close(l, "out of memory; connection closed", NULL);
}

static void frame_is_whole(struct link *l)
{
    struct call *c = call_take(l);
    if (!c) {
        out_of_memory(l);
        return;
    }
    c->frame = l->frame.at;
    c->frame_size = l->frame.size;
    c->frame_cap = l->frame.cap;
    l->frame = (struct gather){0};
    l->size_have = 0;
    if (l->last)
        l->last->next = c;
    else
        l->first = c;
    l->last = c;
    if (!l->waiting) l->waiting = c;
    l->count++;
    l->ahead += c->frame_size;
    link_pump(l);
}

static uint32_t frame_max(const struct link *l)
{
    uint32_t most = l->shard->door->options.request_max;
    return l->login.who.known ? most : MIN(most, (uint32_t)LOGIN_BYTES_MAX);
}

static bool frame_begin(struct link *l, size_t here)
{
    uint32_t size = (uint32_t)l->size[0] << 24 | (uint32_t)l->size[1] << 16 |
                    (uint32_t)l->size[2] << 8 | l->size[3];
    if (size < 8 && !login_expects_raw(&l->login)) {
        link_close(l, "a request of fewer than 8 bytes; connection closed", NULL);
        return false;
    }
    if (size > frame_max(l)) {
        say_info(SAY_DOOR, "request is larger than the limit; connection closed",
                 "door=kafka peer=%s size=%u limit=%u login=%d", l->peer, size, frame_max(l),
                 l->login.who.known);
        l->its.closing = true;
        conn_close(l->its.conn);
        return false;
    }
    if (gather_begin(&l->frame, &l->shard->its.frames, size, here)) return true;
    out_of_memory(l);
    return false;
}

/* Some of the bytes at hand; 0 when the link takes none now. */
static size_t take_some(struct link *l, struct slice in)
{
    size_t took = 0;
    while (l->size_have < 4 && took < in.len) l->size[l->size_have++] = in.at[took++];
    if (l->size_have < 4) return took;
    if (!l->frame.at && !frame_begin(l, in.len - took)) return took;
    size_t n;
    if (!gather_add(&l->frame, slice_make(in.at + took, in.len - took), &n))
        out_of_memory(l);
    else if (l->frame.have == l->frame.size)
        frame_is_whole(l);
    return took + n;
}

static size_t link_data(void *state, struct conn *conn, struct slice in)
{
    struct link *l = state;
    size_t took = 0;
    (void)conn;
    while (took < in.len && !l->its.closing && !l->its.paused) {
        size_t n = take_some(l, slice_make(in.at + took, in.len - took));
        took += n;
        if (l->admitted) continue;
        if (!door_link_says_too_much(&l->its, n) || l->login.who.known) continue;
        link_close(l, "too many bytes before a login; connection closed", NULL);
    }
    return l->its.closing ? in.len : took;
}

/* The rest of a frame is received where it belongs. */
static uint8_t *link_room(void *state, struct conn *conn, size_t *size)
{
    struct link *l = state;
    (void)conn;
    if (!l->frame.at || !l->admitted) return NULL;
    uint8_t *at = gather_room(&l->frame, size);
    if (!at) out_of_memory(l);
    return at;
}

/* --- its beginning and its end ---------------------------------------------------------------- */

static void *link_open(void *door, struct conn *conn)
{
    struct shard *s = door;
    struct link *l = door_link_new(&s->its, conn, sizeof(*l));
    if (!l) return NULL;
    l->shard = s;
    metric_add(METRIC_kafka_conns, 1);
    snprintf(l->peer, sizeof(l->peer), "%s", conn_peer(conn));
    conn_local(conn, l->host, sizeof(l->host), &l->port);
    login_begin(&l->login, &s->door->options, conn);
    watch_login(l);
    return l;
}

static void link_drained(void *state, struct conn *conn)
{
    (void)conn;
    link_pump(state); /* what waited for the peer to read */
}

static void link_expired(void *state, struct conn *conn)
{
    struct link *l = state;
    if (l->admitted && l->first) return; /* it waits for us */
    if (!l->admitted)
        say_info(SAY_DOOR, "no login within the time; connection closed",
                 "door=kafka peer=%s limit_ms=%d", l->peer, LOGIN_MS);
    l->its.closing = true;
    conn_close(conn);
}

static void link_closed(void *state, struct conn *conn)
{
    struct link *l = state;
    (void)conn;
    l->its.conn = NULL;
    l->its.closing = true;
    metric_add(METRIC_kafka_conns, -1);
    link_pump(l);
}

const struct conn_handler link_handler = {.open = link_open,
                                          .data = link_data,
                                          .room = link_room,
                                          .drained = link_drained,
                                          .closed = link_closed,
                                          .expired = link_expired,
                                          .left = door_link_left};

struct login *link_login(struct link *l)
{
    return &l->login;
}
