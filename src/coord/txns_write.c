/* Writing what a transaction becomes, and the requests that wait for it. */
#include "coord/txns_int.h"

#define OF_MEMBER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

struct txn_record_write {
    struct coord_append append;
    struct txn *t;
    struct coord_request *r;
    txn_then *then;
    struct buf batch;
};

/* --- requests that wait ----------------------------------------------------------------------- */

/* Every request that can wait begins so. */
struct waiting_request {
    struct coord_request head;
    struct txn_wait wait;
};
static struct txn_wait *wait_of(struct coord_request *r)
{
    return &((struct waiting_request *)r)->wait;
}

static void tell_concurrent(struct coord_request *r, const struct txn *t)
{
    diag_fail(&r->diag, ERR_TXN_CONCURRENT, "the transaction before is in state %s",
              txn_state_name(t->now.state));
    coord_answer(r, ERR_TXN_CONCURRENT);
}

/* Those that have waited long enough are told; the clock rings again for the rest. */
static void patience_ends(struct coord *c, struct coord_timer *timer)
{
    struct txn *t = OF_MEMBER(timer, struct txn, patience);
    int64_t now = coord_mono_ms(), soonest = INT64_MAX;
    for (struct coord_request **at = &t->waiting; *at;) {
        struct coord_request *r = *at;
        if (wait_of(r)->until_ms > now) {
            soonest = MIN(soonest, wait_of(r)->until_ms);
            at = &wait_of(r)->next;
            continue;
        }
        *at = wait_of(r)->next;
        t->waiting_count--;
        tell_concurrent(r, t);
    }
    if (t->waiting) coord_timer_set(c, &t->patience, soonest - now, patience_ends);
}

static void wait_for(struct txns *s, struct txn *t, struct coord_request *r)
{
    int64_t now = coord_mono_ms();
    struct txn_wait *w = wait_of(r);
    int64_t most = s->c->o.txn_wait_ms ? s->c->o.txn_wait_ms : TXN_WAIT_MS;
    if (!w->until_ms) w->until_ms = now + most;
    if (w->until_ms <= now || t->waiting_count >= TXN_WAITING_MAX) {
        tell_concurrent(r, t);
        return;
    }
    struct coord_request **at = &t->waiting;
    while (*at) at = &wait_of(*at)->next;
    w->next = NULL;
    *at = r;
    t->waiting_count++;
    if (!t->patience.on) coord_timer_set(s->c, &t->patience, w->until_ms - now, patience_ends);
}

void txn_reply(struct txns *s, struct txn *t, struct coord_request *r, err_t e)
{
    if (e != ERR_TXN_CONCURRENT)
        coord_answer(r, e);
    else if (s->stopped)
        coord_answer(r, ERR_STOPPED);
    else
        wait_for(s, t, r);
}

static struct coord_request *take_waiting(struct txns *s, struct txn *t)
{
    struct coord_request *list = t->waiting;
    t->waiting = NULL;
    t->waiting_count = 0;
    coord_timer_stop(s->c, &t->patience);
    return list;
}

/* Each finds the transaction anew: the one before it may have changed everything. */
static void run_all(struct txns *s, struct coord_request *r)
{
    while (r) {
        struct coord_request *next = wait_of(r)->next;
        r->run(s->c, r);
        r = next;
    }
}

void txn_settled(struct txns *s, struct txn *t)
{
    run_all(s, take_waiting(s, t));
}

void txn_let_go(struct txns *s, struct txn *t, err_t e)
{
    struct coord_request *r = take_waiting(s, t);
    while (r) {
        struct coord_request *next = wait_of(r)->next;
        coord_answer(r, e);
        r = next;
    }
}

/* --- records ---------------------------------------------------------------------------------- */

/* What the log says, as a coordinator says it. A partition that can not be written is one that this
 * coordinator has lost, as far as clients are concerned: they look for it again. */
static err_t write_error(err_t e)
{
    switch (e) {
    case ERR_OK:
    case ERR_STOPPED: return e;
    case ERR_DISK_FULL:
    case ERR_UNKNOWN_TOPIC:
    case ERR_BUSY: return ERR_BUSY; /* COORDINATOR_NOT_AVAILABLE */
    case ERR_TOO_BIG:
    case ERR_BATCH_TOO_BIG: return ERR_INTERNAL;
    case ERR_NO_MEMORY: return e;
    default: return ERR_NOT_COORDINATOR;
    }
}

static void write_free(struct txn_record_write *w)
{
    buf_done(&w->batch);
    mem_give(w);
}

/* T1: from here on it is so. */
static void facts_change(struct txn *t)
{
    t->now = t->next;
    if (t->now.state == TXN_EMPTY || t->now.state == TXN_COMPLETE_COMMIT ||
        t->now.state == TXN_COMPLETE_ABORT)
        vec_clear(&t->places);
    t->place_count = t->places.count;
}

static void record_written(struct coord *c, struct coord_append *a)
{
    struct txn_record_write *w = OF_MEMBER(a, struct txn_record_write, append);
    struct txn *t = w->t;
    struct coord_request *r = w->r;
    txn_then *then = w->then;
    err_t e = write_error(a->log.err);
    if (e && e != ERR_STOPPED)
        say_diag(SAY_LOG, SAY_WARN, "a transaction's record could not be written", &a->log.diag);
    if (e && r) r->diag = a->log.diag;
    t->pending = false;
    if (e)
        t->places.count = t->place_count;
    else
        facts_change(t);
    write_free(w);
    then(c->txns, t, r, e);
    if (!t->pending) txn_settled(c->txns, t);
}

static struct log_partition *record_partition(struct txns *s, const struct txn *t, err_t *e,
                                              struct diag *d)
{
    struct coord *c = s->c;
    *e = coord_topic(c, TXNS_TOPIC, c->o.txn_partitions, &s->topic, d);
    if (*e) return NULL;
    int32_t count = log_topic_partitions(s->topic);
    return log_partition(s->topic, coord_partition_of(t->id, count));
}

/* facts NULL: a tombstone. */
static err_t record_make(struct txns *s, struct txn *t, const struct txn_facts *facts,
                         struct txn_record_write **out, struct diag *d)
{
    err_t e;
    struct log_partition *p = record_partition(s, t, &e, d);
    struct txn_record_write *w = e ? NULL : mem_take(sizeof(*w));
    if (!w) return e ? e : diag_fail(d, ERR_NO_MEMORY, "a transaction's record");
    w->batch = buf_make(TXN_RECORD_MAX + KIB(64));
    const struct txn_place *places = (const void *)t->places.items;
    e = txn_record_put(t->id, facts, places, t->places.count, clock_wall_ms(), &w->batch, d);
    if (e) {
        write_free(w);
        return e;
    }
    w->t = t;
    w->append.log.partition = p;
    w->append.log.batches = w->batch.at;
    w->append.log.size = w->batch.len;
    *out = w;
    return ERR_OK;
}

void txn_write(struct txns *s, struct txn *t, const struct txn_facts *next, txn_then *then,
               struct coord_request *r)
{
    struct txn_record_write *w = NULL;
    struct diag d = {.err = ERR_OK};
    err_t e = record_make(s, t, next, &w, &d);
    if (e) {
        if (r) r->diag = d;
        t->places.count = t->place_count;
        then(s, t, r, write_error(e));
        return;
    }
    t->next = *next;
    t->pending = true;
    w->r = r;
    w->then = then;
    w->append.done = record_written;
    coord_append(s->c, &w->append);
}

/* --- the end of an id that nobody has used for long ------------------------------------------- */

static void tombstone_written(struct coord *c, struct coord_append *a)
{
    struct txn_record_write *w = OF_MEMBER(a, struct txn_record_write, append);
    struct txn *t = w->t;
    err_t e = a->log.err;
    write_free(w);
    t->pending = false;
    struct coord_request *r = take_waiting(c->txns, t);
    if (!e) txn_forget(c->txns, t);
    run_all(c->txns, r);
}

void txn_expire(struct txns *s, struct txn *t)
{
    struct txn_record_write *w = NULL;
    if (record_make(s, t, NULL, &w, NULL)) return; /* the next sweep tries again */
    t->pending = true;
    w->append.done = tombstone_written;
    coord_append(s->c, &w->append);
}
