/* A connection of the CQL door: its beginning, its limits, its end. docs/cql-door.md has the rules.
 */
#include "door/cql/link.h"

#include "base/metric.h"
#include "base/say.h"

#include <stdio.h>

void cql_link_close(struct link *l, const char *why)
{
    if (l->its.closing) return;
    l->its.closing = true;
    count_up(&l->shard->counts.refused, 1);
    say_info(SAY_DOOR, why, "door=cql peer=%s version=%u", l->session.peer, l->version);
    if (l->shard->out_link == l) out_flush(l->shard);
    if (l->its.conn) conn_close(l->its.conn); /* what was answered before still leaves */
}

/* --- back pressure ---------------------------------------------------------------------------- */

/* Who is not read because the shard is full is looked at again when it is not. */
static void wait_for_room(struct link *l)
{
    if (l->queued) return;
    l->queued = true;
    l->next_waiting = NULL;
    *l->shard->waiting_last = l;
    l->shard->waiting_last = &l->next_waiting;
}

static void forget_waiting(struct link *l)
{
    struct link **at = &l->shard->waiting;
    if (!l->queued) return;
    while (*at != l) at = &(*at)->next_waiting;
    *at = l->next_waiting;
    if (!*at) l->shard->waiting_last = at;
    l->queued = false;
}

/* Large messages may hold half of what there is; one of them always may. */
bool shard_has_room(const struct shard *s, uint32_t size)
{
    return s->reserved == 0 || s->reserved + size <= s->bytes_max / 2;
}

/* At 7/8, so that they are not sent away at once. */
void cql_links_wake(struct shard *s)
{
    if (!s->waiting || s->bytes > s->bytes_max - s->bytes_max / 8) return;
    struct link *all = s->waiting;
    s->waiting = NULL;
    s->waiting_last = &s->waiting;
    for (struct link *l = all, *next; l; l = next) {
        next = l->next_waiting;
        l->queued = false;
        cql_link_set_input(l);
    }
}

void cql_link_set_input(struct link *l)
{
    const struct cql_door_options *o = &l->shard->door->options;
    bool full = l->shard->bytes >= l->shard->bytes_max;
    /* Once paused it goes on at half, so that it is not paused again at once. */
    bool pause = full || l->calls >= (l->its.paused ? o->calls_max / 2 : o->calls_max);
    if (l->throws) pause = false; /* it is told OVERLOADED */
    if (l->wanted && shard_has_room(l->shard, l->wanted)) l->wanted = 0;
    pause = pause || l->in_login || l->wanted;
    if (!l->its.conn) return;
    if ((full && pause) || l->wanted) wait_for_room(l);
    if (door_link_pause(&l->its, pause) && pause) count_up(&l->shard->counts.paused, 1);
}

/* --- its beginning and its end ---------------------------------------------------------------- */

static void *link_open(void *door, struct conn *conn)
{
    struct shard *s = door;
    struct link *l = door_link_new(&s->its, conn, sizeof(*l));
    if (!l) return NULL;
    l->shard = s;
    struct cql_session *session = &l->session;
    session->cql = s->door->options.cql;
    session->superuser = !cql_login_wanted(session->cql);
    snprintf(session->peer, sizeof(session->peer), "%s", conn_peer(conn));
    conn_local(conn, session->address, sizeof(session->address), &session->port);
    metric_add(METRIC_cql_conns, 1);
    clients_enter(l);
    return l;
}

static size_t link_data(void *state, struct conn *conn, struct slice in)
{
    struct link *l = state;
    (void)conn;
    l->shard->gathering = true;
    size_t took = input_data(l, in);
    l->shard->gathering = false;
    count_up(&l->shard->counts.bytes_in, took);
    out_flush(l->shard);
    cql_link_set_input(l);
    return l->its.closing ? in.len : took;
}

static uint8_t *link_room(void *state, struct conn *conn, size_t *size)
{
    (void)conn;
    return input_room(state, size);
}

static void link_expired(void *state, struct conn *conn)
{
    struct link *l = state;
    if (l->stage != STAGE_READY)
        cql_link_close(l, "no login within the time; connection closed");
    else
        cql_link_close(l, "a message was begun and not ended within the time; connection closed");
    (void)conn;
}

static void link_closed(void *state, struct conn *conn)
{
    struct link *l = state;
    (void)conn;
    l->its.conn = NULL;
    l->its.closing = true;
    metric_add(METRIC_cql_conns, -1);
    clients_leave(l);
    events_forget(l);
    forget_waiting(l);
    input_end(l);
    cql_link_free_if_over(l);
}

void cql_link_free_if_over(struct link *l)
{
    if (!door_link_over(&l->its)) return;
    if (l->shard->out_link == l) {
        l->shard->out_link = NULL;
        buf_reset(&l->shard->out);
    }
    mem_give(l);
}

const struct conn_handler cql_link_handler = {.open = link_open,
                                              .data = link_data,
                                              .room = link_room,
                                              .closed = link_closed,
                                              .expired = link_expired,
                                              .left = door_link_left};
