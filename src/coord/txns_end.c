/* How a transaction ends: the decision on disk, a marker into each of its partitions, and the
 * record that says it is over. docs/transactions.md proves the order. */
#include "coord/txns_int.h"

#define OF_MEMBER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct txn_marker {
    struct coord_append append;
    struct txn *t;
    struct log_topic *topic;
    int32_t index;
    struct buf batch;
    uint8_t bytes[TXN_MARKER_MAX];
};

static bool ends_by_commit(const struct txn *t)
{
    return t->now.state == TXN_PREPARE_COMMIT;
}

static void send_markers(struct txns *s, struct txn *t);

/* The decision is durable since end_written, so the answer is OK whatever comes. It waits for the
 * markers, so that who has been told of a commit sees it; not for what has to be tried again. */
static void tell_ender(struct txn *t)
{
    struct coord_request *r = t->ender;
    t->ender = NULL;
    if (r) coord_answer(r, ERR_OK);
}

/* --- another try, and the last record --------------------------------------------------------- */

static void try_again(struct coord *c, struct coord_timer *timer)
{
    send_markers(c->txns, OF_MEMBER(timer, struct txn, timer));
}

static void try_again_later(struct txns *s, struct txn *t)
{
    tell_ender(t);
    t->retry_ms = MIN(MAX(2 * t->retry_ms, TXN_RETRY_MS), TXN_RETRY_MAX_MS);
    if (!s->stopped) coord_timer_set(s->c, &t->timer, t->retry_ms, try_again);
}

/* Nothing else may happen to it as long as this fails: the decision stands. */
static void complete_written(struct txns *s, struct txn *t, struct coord_request *r, err_t e)
{
    (void)r;
    t->pending = e != ERR_OK;
    if (e) try_again_later(s, t);
}

/* T3: only when every marker is on disk. */
static void markers_are_back(struct txns *s, struct txn *t)
{
    struct txn_facts next;
    for (size_t i = 0; i < t->places.count; i++)
        if (!((struct txn_place *)vec_at(&t->places, i))->ended) {
            try_again_later(s, t);
            return;
        }
    tell_ender(t);
    if (s->stopped) return;
    txn_complete_next(&t->now, clock_wall_ms(), &next);
    vec_clear(&t->places); /* all are ended: the record names none */
    t->place_count = 0;
    txn_write(s, t, &next, complete_written, NULL);
}

/* --- markers ---------------------------------------------------------------------------------- */

static void marker_over(struct txns *s, struct txn *t, struct txn_place *p, err_t e)
{
    p->ended = true;
    if (e) {
        say_info(SAY_LOG, "a transaction ends without its marker", "id=%.*s topic=%.*s why=%s",
                 SLICE_ARG(t->id), SLICE_ARG(log_topic_name(p->topic)), err_name(e));
    } else if (slice_is(log_topic_name(p->topic), GROUPS_TOPIC)) {
        groups_txn_end(s->c, p->index, t->now.producer_id, t->now.epoch, ends_by_commit(t));
    }
}

/* T4: what is gone for good does not hold up the rest; anything else is tried again. */
static bool gone_for_good(err_t e)
{
    return e == ERR_UNKNOWN_TOPIC || e == ERR_NOT_FOUND || e == ERR_FENCED ||
           e == ERR_PRODUCER_EPOCH;
}

static void marker_written(struct coord *c, struct coord_append *a)
{
    struct txn_marker *m = OF_MEMBER(a, struct txn_marker, append);
    struct txns *s = c->txns;
    struct txn *t = m->t;
    struct txn_place *p = txn_place_of(t, m->topic, m->index);
    err_t e = a->log.err;
    t->markers_out--;
    p->asked = false;
    if (!e || gone_for_good(e)) {
        marker_over(s, t, p, e);
    } else if (e != ERR_STOPPED && !p->warned) {
        say_diag(SAY_LOG, SAY_WARN, "a transaction's marker could not be written", &a->log.diag);
        p->warned = true;
    }
    mem_give(m);
    if (t->markers_out == 0) markers_are_back(s, t);
}

static err_t marker_send(struct txns *s, struct txn *t, struct txn_place *p)
{
    struct log_partition *to = log_partition(p->topic, p->index);
    struct txn_marker *m = mem_take(sizeof(*m));
    if (!m || !to) {
        mem_give(m);
        return to ? ERR_NO_MEMORY : ERR_UNKNOWN_TOPIC;
    }
    m->batch = buf_over(m->bytes, sizeof(m->bytes));
    err_t e = txn_marker_put(t->now.producer_id, t->now.epoch, ends_by_commit(t), clock_wall_ms(),
                             &m->batch);
    if (e) {
        mem_give(m);
        return e;
    }
    m->t = t;
    m->topic = p->topic;
    m->index = p->index;
    m->append.log.partition = to;
    m->append.log.batches = m->batch.at;
    m->append.log.size = m->batch.len;
    m->append.log.marker = true;
    m->append.done = marker_written;
    p->asked = true;
    t->markers_out++;
    coord_append(s->c, &m->append);
    return ERR_OK;
}

/* Each partition has its own append, so that one that can not be written holds up this transaction
 * alone. */
static void send_markers(struct txns *s, struct txn *t)
{
    INVARIANT(t->pending && txn_ending(t->now.state) && t->markers_out == 0);
    for (size_t i = 0; i < t->places.count && !s->stopped; i++) {
        struct txn_place *p = vec_at(&t->places, i);
        err_t e = p->ended ? ERR_OK : marker_send(s, t, p);
        if (gone_for_good(e)) marker_over(s, t, p, e);
    }
    if (t->markers_out == 0) markers_are_back(s, t);
}

/* --- the decision ----------------------------------------------------------------------------- */

void txn_finish(struct txns *s, struct txn *t)
{
    coord_timer_stop(s->c, &t->timer);
    t->pending = true;
    t->retry_ms = 0;
    send_markers(s, t);
}

static void end_written(struct txns *s, struct txn *t, struct coord_request *head, err_t e)
{
    struct txn_end *r = (struct txn_end *)head;
    if (!e && r->bump) {
        bool rotates = t->now.next_id != -1;
        r->new_id = rotates ? t->now.next_id : t->now.producer_id;
        r->new_epoch = rotates ? 0 : t->now.epoch;
    }
    if (e) {
        coord_answer(head, e);
        return;
    }
    t->ender = head;
    txn_finish(s, t);
}

static err_t end_next(struct txns *s, const struct txn *t, const struct txn_end *r,
                      struct txn_facts *next, bool *settled, struct diag *d)
{
    struct coord_ids ids = coord_ids(s);
    err_t e = txn_end_next(&t->now, t->pending, r, clock_wall_ms(), &ids.ids, next, settled, d);
    if (e == ERR_PRODUCER_MAPPING || e == ERR_FENCED)
        diag_fail(d, e, "producer %lld epoch %d is not the transactional id's: %lld epoch %d",
                  (long long)r->producer_id, r->producer_epoch, (long long)t->now.producer_id,
                  t->now.epoch);
    return e;
}

static err_t end_step(struct txns *s, struct txn_end *r, struct txn **out, bool *later)
{
    struct txn_facts next;
    bool settled = false;
    struct diag *d = &r->head.diag;
    if (r->id.len == 0) return diag_fail(d, ERR_USAGE, "a transactional id is not empty");
    struct txn *t = *out = txn_find(s, r->id);
    if (!t)
        return diag_fail(d, ERR_PRODUCER_MAPPING, "no transactional id '%.*s' is known",
                         SLICE_ARG(r->id));
    err_t e = end_next(s, t, r, &next, &settled, d);
    if (e) return e;
    if (settled && r->bump) {
        r->new_id = t->now.producer_id;
        r->new_epoch = t->now.epoch;
    }
    if (settled) return ERR_OK;
    *later = true;
    txn_write(s, t, &next, end_written, &r->head);
    return ERR_OK;
}

static void run_end(struct coord *c, struct coord_request *head)
{
    bool later = false;
    struct txn *t = NULL;
    err_t e = end_step(c->txns, (struct txn_end *)head, &t, &later);
    if (!later) txn_reply(c->txns, t, head, e);
}

void txn_end(struct coord *c, struct txn_end *r)
{
    r->wait = (struct txn_wait){0};
    r->new_id = -1;
    r->new_epoch = -1;
    coord_request_send(c, &r->head, run_end);
}

/* --- who is late is fenced -------------------------------------------------------------------- */

enum { TIMEOUT_RETRY_MS = 1000 };

static void fence_written(struct txns *s, struct txn *t, struct coord_request *r, err_t e)
{
    (void)r;
    if (!e) {
        txn_finish(s, t);
    } else {
        txn_let_go(s, t, e);
        txn_watch(s, t);
    }
}

void txn_fence(struct txns *s, struct txn *t)
{
    struct txn_facts next;
    txn_fence_next(&t->now, clock_wall_ms(), s->c->o.mutant_reuse_epoch, &next);
    txn_write(s, t, &next, fence_written, NULL);
}

static void time_is_over(struct coord *c, struct coord_timer *timer)
{
    struct txns *s = c->txns;
    struct txn *t = OF_MEMBER(timer, struct txn, timer);
    int64_t left = t->now.start_ms + t->now.timeout_ms - clock_wall_ms();
    if (t->now.state != TXN_ONGOING || s->stopped) return;
    if (left >= 0 || t->pending) {
        coord_timer_set(c, timer, MAX(left + 1, 10), time_is_over);
        return;
    }
    say_info(SAY_LOG, "a transaction took too long and is aborted",
             "id=%.*s producer=%lld epoch=%d timeout_ms=%d", SLICE_ARG(t->id),
             (long long)t->now.producer_id, t->now.epoch, t->now.timeout_ms);
    coord_timer_set(c, timer, TIMEOUT_RETRY_MS, time_is_over); /* when it can not be written */
    txn_fence(s, t);
}

void txn_watch(struct txns *s, struct txn *t)
{
    int64_t left = t->now.start_ms + t->now.timeout_ms - clock_wall_ms();
    if (t->now.state != TXN_ONGOING || t->timer.on || s->stopped) return;
    coord_timer_set(s->c, &t->timer, MAX(left, 0) + 1, time_is_over);
}
