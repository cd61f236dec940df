/* Opening, the table of transactional ids, and the requests that begin or grow a transaction. */
#include "coord/txns_int.h"

/* --- the table -------------------------------------------------------------------------------- */

struct txn *txn_find(const struct txns *s, struct slice id)
{
    return map_get(s->by_id, id);
}

void txn_free(struct txn *t)
{
    vec_done(&t->places);
    mem_give((void *)t->id.at);
    mem_give(t);
}

err_t txn_new(struct txns *s, struct slice id, struct txn **out)
{
    struct txn *t = mem_take(sizeof(*t));
    char *text = t ? mem_text(id) : NULL;
    if (!text) {
        mem_give(t);
        return ERR_NO_MEMORY;
    }
    t->id = slice_make(text, id.len);
    t->places = vec_make(sizeof(struct txn_place), TXN_PARTITIONS_MAX);
    t->now = (struct txn_facts){
        .producer_id = -1, .previous_id = -1, .next_id = -1, .epoch = -1, .last_epoch = -1};
    t->now.start_ms = -1;
    err_t e = map_set(s->by_id, t->id, t);
    if (e)
        txn_free(t);
    else
        *out = t;
    return e;
}

void txn_forget(struct txns *s, struct txn *t)
{
    INVARIANT(t->waiting == NULL && t->markers_out == 0);
    coord_timer_stop(s->c, &t->timer);
    coord_timer_stop(s->c, &t->patience);
    map_remove(s->by_id, t->id);
    txn_free(t);
}

struct txn_place *txn_place_of(const struct txn *t, const struct log_topic *topic, int32_t index)
{
    for (size_t i = 0; i < t->places.count; i++) {
        struct txn_place *p = vec_at(&t->places, i);
        if (p->topic == topic && p->index == index) return p;
    }
    return NULL;
}

err_t txn_place_add(struct txn *t, struct log_topic *topic, int32_t index)
{
    if (txn_place_of(t, topic, index)) return ERR_OK;
    struct txn_place *p = vec_add(&t->places);
    if (!p) return t->places.count >= TXN_PARTITIONS_MAX ? ERR_TOO_BIG : ERR_NO_MEMORY;
    *p = (struct txn_place){.topic = topic, .index = index};
    return ERR_OK;
}

/* Only what is on disk in the transaction is let in (T2). That the topic is gone is no error: then
 * nobody writes there either. */
void txn_admit(const struct txn *t, const struct txn_place *p)
{
    struct log_partition *in = log_partition(p->topic, p->index);
    err_t e = in ? log_txn_admit(in, t->now.producer_id, t->now.epoch) : ERR_OK;
    if (e)
        say_warn(SAY_LOG, "a transaction's producer was not let in", "id=%.*s topic=%.*s why=%s",
                 SLICE_ARG(t->id), SLICE_ARG(log_topic_name(p->topic)), err_name(e));
}

/* --- producer ids ----------------------------------------------------------------------------- */

/* In blocks, each durable before its first id is given out (T7); what is left of a block when the
 * process ends is never used. */
static err_t fresh_id(struct txns *s, int64_t *id, struct diag *d)
{
    if (s->id_next == s->id_end) {
        int64_t first;
        err_t e = log_producer_ids_take(s->c->o.log, TXN_ID_BLOCK, &first, d);
        if (e) return e;
        s->id_next = first;
        s->id_end = first + TXN_ID_BLOCK;
    }
    *id = s->id_next++;
    return ERR_OK;
}

static err_t ids_take(struct txn_ids *ids, int64_t *id, struct diag *d)
{
    return fresh_id(((struct coord_ids *)ids)->s, id, d);
}

struct coord_ids coord_ids(struct txns *s)
{
    return (struct coord_ids){{ids_take}, s};
}

/* --- InitProducerId --------------------------------------------------------------------------- */

static void init_written(struct txns *s, struct txn *t, struct coord_request *head, err_t e)
{
    (void)s;
    struct txn_init *r = (struct txn_init *)head;
    if (!e) {
        r->new_id = t->now.producer_id;
        r->new_epoch = t->now.epoch;
    }
    coord_answer(head, e);
}

static err_t init_check(const struct txns *s, const struct txn_init *r, struct diag *d)
{
    if ((r->producer_id == -1) != (r->producer_epoch == -1))
        return diag_fail(d, ERR_USAGE, "a producer id comes with its epoch");
    if (r->id.at && r->id.len == 0)
        return diag_fail(d, ERR_USAGE, "a transactional id is not empty");
    if (r->id.at && (r->timeout_ms <= 0 || r->timeout_ms > s->c->o.txn_timeout_max_ms))
        return diag_fail(d, ERR_TXN_TIMEOUT, "a transaction's timeout is 1 to %lld ms, not %d",
                         (long long)s->c->o.txn_timeout_max_ms, r->timeout_ms);
    return ERR_OK;
}

static err_t init_find(struct txns *s, const struct txn_init *r, struct txn **out, struct diag *d)
{
    *out = txn_find(s, r->id);
    if (*out) return ERR_OK;
    if (map_count(s->by_id) >= TXN_IDS_MAX)
        return diag_fail(d, ERR_BUSY, "there are %d transactional ids", TXN_IDS_MAX);
    int64_t id;
    err_t e = fresh_id(s, &id, d);
    if (e) return e;
    e = txn_new(s, r->id, out);
    if (e) return diag_fail(d, e, "a transactional id can not be added");
    (*out)->now.producer_id = id;
    (*out)->now.timeout_ms = r->timeout_ms;
    (*out)->now.update_ms = clock_wall_ms();
    return ERR_OK;
}

static err_t init_step(struct txns *s, struct txn_init *r, struct txn **out, bool *later)
{
    struct diag *d = &r->head.diag;
    struct coord_ids ids = coord_ids(s);
    struct txn_facts next;
    err_t e = init_check(s, r, d);
    if (e) return e;
    if (!r->id.at) {
        r->new_epoch = 0;
        return fresh_id(s, &r->new_id, d);
    }
    e = init_find(s, r, out, d);
    if (e) return e;
    struct txn *t = *out;
    if (t->pending) return ERR_TXN_CONCURRENT;
    e = txn_init_next(&t->now, r, clock_wall_ms(), s->c->o.mutant_reuse_epoch, &ids.ids, &next, d);
    if (e) return e;
    if (next.state != TXN_EMPTY) {
        txn_fence(s, t);
        return t->pending ? ERR_TXN_CONCURRENT : ERR_BUSY; /* run again when that is over */
    }
    *later = true;
    txn_write(s, t, &next, init_written, &r->head);
    return ERR_OK;
}

static void run_init(struct coord *c, struct coord_request *head)
{
    bool later = false;
    struct txn *t = NULL;
    err_t e = init_step(c->txns, (struct txn_init *)head, &t, &later);
    if (!later) txn_reply(c->txns, t, head, e);
}

void txn_init(struct coord *c, struct txn_init *r)
{
    r->wait = (struct txn_wait){0};
    r->new_id = -1;
    r->new_epoch = -1;
    coord_request_send(c, &r->head, run_init);
}

/* --- partitions come in ----------------------------------------------------------------------- */

static void admit_new(struct txns *s, struct txn *t)
{
    for (size_t i = 0; i < t->places.count; i++) txn_admit(t, vec_at(&t->places, i));
    txn_watch(s, t);
}

static void add_written(struct txns *s, struct txn *t, struct coord_request *head, err_t e)
{
    if (!e) admit_new(s, t);
    coord_answer(head, e);
}

/* Who asks, and whether it may now. */
static err_t add_check(const struct txns *s, enum txn_add_kind kind, struct slice id,
                       int64_t producer_id, int16_t epoch, struct txn **out, struct diag *d)
{
    if (id.len == 0) return diag_fail(d, ERR_USAGE, "a transactional id is not empty");
    struct txn *t = txn_find(s, id);
    if (!t)
        return diag_fail(d, ERR_PRODUCER_MAPPING, "no transactional id '%.*s' is known",
                         SLICE_ARG(id));
    *out = t;
    err_t e = txn_owns(&t->now, producer_id, epoch);
    if (e)
        return diag_fail(
            d, e, "producer %lld epoch %d is not the transactional id's: %lld epoch %d",
            (long long)producer_id, epoch, (long long)t->now.producer_id, t->now.epoch);
    if (txn_ending(t->now.state)) return ERR_TXN_CONCURRENT;
    return t->pending && kind != TXN_ADD_VERIFY ? ERR_TXN_CONCURRENT : ERR_OK;
}

/* What was added since place_count is written, or was there already. */
static void add_go_on(struct txns *s, struct txn *t, enum txn_add_kind kind,
                      struct coord_request *head)
{
    struct txn_facts next;
    if (t->now.state == TXN_ONGOING && t->places.count == t->place_count) {
        admit_new(s, t);
        coord_answer(head, ERR_OK);
    } else {
        txn_ongoing_next(&t->now, clock_wall_ms(), kind == TXN_ADD_IMPLICIT ? 2 : 0, &next);
        txn_write(s, t, &next, add_written, head);
    }
}

static err_t add_failed(struct txn *t, err_t e, struct diag *d)
{
    t->places.count = t->place_count;
    if (e != ERR_TOO_BIG) return diag_fail(d, e, "a partition can not come into the transaction");
    return diag_fail(d, e, "a transaction has at most %d partitions", TXN_PARTITIONS_MAX);
}

static bool place_known(const struct txn *t, const struct txn_place *p)
{
    return (size_t)((const uint8_t *)p - t->places.items) < t->place_count * sizeof(*p);
}

/* Verifying: whether it is in, on disk. Then its producer is let in, if it was not. */
static err_t place_check(const struct txn *t, const struct log_topic *topic, int32_t index,
                         struct diag *d)
{
    struct txn_place *in = topic ? txn_place_of(t, topic, index) : NULL;
    if (t->now.state != TXN_ONGOING || !in || !place_known(t, in))
        return diag_fail(d, ERR_TXN_ABORTABLE, "the partition was not added to the transaction");
    txn_admit(t, in);
    return ERR_OK;
}

static struct log_topic *add_topic(const struct txns *s, const struct txn_partition *p)
{
    struct log_topic *t = log_topic_find(s->c->o.log, p->topic);
    return t && log_partition(t, p->index) ? t : NULL;
}

/* One that does not exist keeps the others out: Kafka's rule, so that a transaction never has half
 * of what was asked for. */
static bool add_all_there(const struct txns *s, struct txn_add *r)
{
    bool all = true;
    for (uint32_t i = 0; i < r->count; i++) {
        r->partitions[i].err = add_topic(s, &r->partitions[i]) ? ERR_OK : ERR_UNKNOWN_TOPIC;
        all = all && !r->partitions[i].err;
    }
    for (uint32_t i = 0; !all && i < r->count; i++)
        if (!r->partitions[i].err) r->partitions[i].err = ERR_NOT_ATTEMPTED;
    return all;
}

static err_t add_step(struct txns *s, struct txn_add *r, struct txn **out, bool *later)
{
    if (!add_all_there(s, r)) return ERR_OK;
    struct diag *d = &r->head.diag;
    err_t e = add_check(s, r->kind, r->id, r->producer_id, r->producer_epoch, out, d);
    struct txn *t = *out;
    for (uint32_t i = 0; i < r->count && !e; i++) {
        struct txn_partition *p = &r->partitions[i];
        struct log_topic *topic = add_topic(s, p);
        if (r->kind == TXN_ADD_VERIFY)
            p->err = place_check(t, topic, p->index, NULL);
        else if ((e = topic ? txn_place_add(t, topic, p->index) : ERR_UNKNOWN_TOPIC))
            return add_failed(t, e, d);
    }
    if (e || r->kind == TXN_ADD_VERIFY) return e;
    *later = true;
    add_go_on(s, t, r->kind, &r->head);
    return ERR_OK;
}

static void run_add(struct coord *c, struct coord_request *head)
{
    bool later = false;
    struct txn *t = NULL;
    err_t e = add_step(c->txns, (struct txn_add *)head, &t, &later);
    if (!later) txn_reply(c->txns, t, head, e);
}

void txn_add_partitions(struct coord *c, struct txn_add *r)
{
    r->wait = (struct txn_wait){0};
    for (uint32_t i = 0; i < r->count; i++) r->partitions[i].err = ERR_OK;
    coord_request_send(c, &r->head, run_add);
}

/* --- a group's offsets come in ---------------------------------------------------------------- */

static err_t offsets_step(struct txns *s, struct txn_add_group *r, struct txn **out, bool *later)
{
    struct diag *d = &r->head.diag;
    struct log_partition *p = NULL;
    err_t e = add_check(s, r->kind, r->id, r->producer_id, r->producer_epoch, out, d);
    if (!e) e = groups_partition(s->c, r->group, &p, d);
    if (e) return e;
    struct txn *t = *out;
    struct log_topic *topic = log_topic_find(s->c->o.log, slice_of(GROUPS_TOPIC));
    if (!topic) return diag_fail(d, ERR_BUSY, GROUPS_TOPIC " was deleted");
    if (r->kind == TXN_ADD_VERIFY) return place_check(t, topic, log_partition_index(p), d);
    e = txn_place_add(t, topic, log_partition_index(p));
    if (e) return add_failed(t, e, d);
    *later = true;
    add_go_on(s, t, r->kind, &r->head);
    return ERR_OK;
}

static void run_add_offsets(struct coord *c, struct coord_request *head)
{
    bool later = false;
    struct txn *t = NULL;
    err_t e = offsets_step(c->txns, (struct txn_add_group *)head, &t, &later);
    if (!later) txn_reply(c->txns, t, head, e);
}

void txn_add_offsets(struct coord *c, struct txn_add_group *r)
{
    r->wait = (struct txn_wait){0};
    coord_request_send(c, &r->head, run_add_offsets);
}
