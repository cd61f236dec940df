/* Opening: __transaction_state is read, and what a crash has interrupted goes on from there; the
 * sweep of ids that nobody uses; closing. */
#include "coord/txns_int.h"

#define OF_MEMBER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

enum {
    IDS_LOADED_MAX = 2 * TXN_IDS_MAX, /* tombstones may stand behind what they end */
    SWEEP_MS = 3600000,
    SWEEP_AT_ONCE = 1000,
    RECORD_MEMORY = 4 << 20
};

/* --- reading ---------------------------------------------------------------------------------- */

struct load {
    struct txns *s;
    struct arena *a;
};

static err_t load_places(struct txns *s, struct txn *t, const struct txn_record_topic *topics,
                         int32_t count)
{
    vec_clear(&t->places);
    for (int32_t i = 0; i < count; i++) {
        struct log_topic *topic = log_topic_find(s->c->o.log, topics[i].name);
        for (int32_t j = 0; topic && j < topics[i].count; j++) {
            if (!log_partition(topic, topics[i].partitions[j])) continue;
            err_t e = txn_place_add(t, topic, topics[i].partitions[j]);
            if (e) return e;
        }
    }
    t->place_count = t->places.count;
    return ERR_OK;
}

static err_t load_facts(struct load *l, struct slice id, struct slice value, struct diag *d)
{
    struct txn_facts facts;
    struct txn_record_topic *topics;
    int32_t count;
    err_t e = txn_record_facts(value, l->a, &facts, &topics, &count, d);
    if (e) return e;
    struct txn *t = txn_find(l->s, id);
    if (!t) e = txn_new(l->s, id, &t);
    if (!e) {
        t->now = facts;
        e = load_places(l->s, t, topics, count);
    }
    return e ? diag_fail(d, e, "the transactional ids do not fit") : ERR_OK;
}

static err_t load_record(void *ctx, const struct record_batch *b, const struct record *r,
                         struct diag *d)
{
    (void)b;
    struct load *l = ctx;
    struct slice id;
    bool known;
    arena_reset(l->a);
    err_t e = txn_record_id(r->key, l->a, &id, &known, d);
    if (!e && !known) {
        say_warn(SAY_LOG, "a record of another kind is left alone",
                 "topic=" TXNS_TOPIC " offset=%lld", (long long)r->offset);
        return ERR_OK;
    }
    if (!e && !r->value_null) e = load_facts(l, id, r->value, d);
    if (e) return diag_where(d, TXNS_TOPIC " offset %lld", (long long)r->offset);
    struct txn *t = r->value_null ? txn_find(l->s, id) : NULL;
    if (t) txn_forget(l->s, t);
    return ERR_OK;
}

static err_t load_marker(void *ctx, const struct record_batch *b, bool committed, struct diag *d)
{
    (void)ctx, (void)b, (void)committed, (void)d;
    return ERR_OK;
}

static err_t load_topic(struct txns *s, struct diag *d)
{
    struct load l = {s, arena_new(RECORD_MEMORY)};
    struct coord_replay how = {&l, load_record, load_marker};
    err_t e = l.a ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "reading " TXNS_TOPIC);
    for (int32_t i = 0; !e && i < log_topic_partitions(s->topic); i++)
        e = coord_replay(log_partition(s->topic, i), &how, d);
    arena_free(l.a);
    return e;
}

/* T5: what was let in before the crash, and only that, is let in again; T6: what was decided stays
 * decided. */
static void take_up(struct txn *t)
{
    t->pending = txn_ending(t->now.state);
    if (t->now.state != TXN_ONGOING) return;
    for (size_t i = 0; i < t->places.count; i++) txn_admit(t, vec_at(&t->places, i));
}

err_t txns_open(struct coord *c, struct diag *d)
{
    struct txns *s = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "the transactions' coordinator");
    c->txns = s;
    s->c = c;
    s->by_id = map_new(IDS_LOADED_MAX);
    if (!s->by_id) return diag_fail(d, ERR_NO_MEMORY, "the transactions' coordinator");
    s->topic = log_topic_find(c->o.log, slice_of(TXNS_TOPIC));
    err_t e = s->topic ? load_topic(s, d) : ERR_OK;
    struct slice id;
    void *t;
    for (size_t at = 0; !e && map_next(s->by_id, &at, &id, &t);) take_up(t);
    return e;
}

/* --- the sweep -------------------------------------------------------------------------------- */

static void sweep(struct coord *c, struct coord_timer *timer)
{
    struct txns *s = c->txns;
    int64_t before = clock_wall_ms() - c->o.txn_id_expiration_ms;
    int swept = 0;
    struct slice id;
    void *at_id;
    for (size_t at = 0; swept < SWEEP_AT_ONCE && map_next(s->by_id, &at, &id, &at_id);) {
        struct txn *t = at_id;
        if (t->pending || !txn_expires(t->now.state) || t->now.update_ms > before) continue;
        txn_expire(s, t);
        swept++;
    }
    coord_timer_set(c, timer, swept == SWEEP_AT_ONCE ? 1000 : SWEEP_MS, sweep);
}

void txns_begin(struct coord *c)
{
    struct txns *s = c->txns;
    struct slice id;
    void *at_id;
    for (size_t at = 0; map_next(s->by_id, &at, &id, &at_id);) {
        struct txn *t = at_id;
        if (txn_ending(t->now.state)) txn_finish(s, t);
        txn_watch(s, t);
    }
    coord_timer_set(c, &s->sweep, SWEEP_MS, sweep);
}

/* --- closing ---------------------------------------------------------------------------------- */

void txns_stop(struct coord *c)
{
    struct txns *s = c->txns;
    struct slice id;
    void *at_id;
    if (!s) return;
    s->stopped = true;
    coord_timer_stop(c, &s->sweep);
    for (size_t at = 0; map_next(s->by_id, &at, &id, &at_id);) {
        struct txn *t = at_id;
        coord_timer_stop(c, &t->timer);
        txn_let_go(s, t, ERR_STOPPED);
    }
}

void txns_free(struct coord *c)
{
    struct txns *s = c->txns;
    struct slice id;
    void *t;
    if (!s) return;
    for (size_t at = 0; s->by_id && map_next(s->by_id, &at, &id, &t);) txn_free(t);
    map_free(s->by_id);
    mem_give(s);
    c->txns = NULL;
}
