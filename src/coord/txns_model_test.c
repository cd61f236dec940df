/* Random transactions of several producers beside a model that only counts: zombies go on writing,
 * successors fence them, timeouts and restarts come at any moment. A reader of committed data sees
 * each transaction's records, all of them, exactly when its commit was acknowledged. */
#include "coord/txns_test_kit.h"

enum { IDS = 3, MODEL_TXNS_MAX = 4000, STEPS = 600, LOOK_EVERY = 40 };

struct model_txn {
    int puts;
    bool committed;
};
struct instance { /* a process of the application */
    struct who who;
    bool alive, bump;
    int txn; /* that it has open; -1: none */
};
struct model {
    struct kit k;
    struct instance now[IDS], zombie[IDS];
    struct model_txn txns[MODEL_TXNS_MAX];
    int txn_count;
    uint64_t seed;
};
static const char *const ids[IDS] = {"x", "yy", "zzz"};

static uint64_t below(struct model *m, uint64_t n)
{
    return test_random(&m->seed) % n;
}

static void model_init(struct model *m, size_t i)
{
    struct instance *in = &m->now[i];
    if (in->alive) m->zombie[i] = *in;
    *in = (struct instance){.who.id = ids[i], .alive = true, .bump = below(m, 2), .txn = -1};
    CHECK_OK(kit_init(&m->k, &in->who), NULL);
    CHECK(!m->zombie[i].alive || in->who.pid != m->zombie[i].who.pid ||
          in->who.epoch > m->zombie[i].who.epoch);
}

static err_t put_somewhere(struct model *m, struct instance *in, int64_t value)
{
    const char *topic = below(m, 2) ? "a" : "b";
    int32_t index = (int32_t)below(m, KIT_PARTITIONS);
    enum txn_add_kind kind = in->bump ? TXN_ADD_IMPLICIT : TXN_ADD;
    err_t e = kit_add(&m->k, &in->who, kind, topic, index);
    return e ? e : kit_put(&m->k, &in->who, topic, index, value);
}

static void model_put(struct model *m, size_t i)
{
    struct instance *in = &m->now[i];
    if (!in->alive) return;
    if (in->txn < 0) in->txn = m->txn_count++;
    CHECK_OK(put_somewhere(m, in, in->txn), NULL);
    m->txns[in->txn].puts++;
}

static void model_end(struct model *m, size_t i)
{
    struct instance *in = &m->now[i];
    bool commit = below(m, 3) > 0;
    if (!in->alive || in->txn < 0) return;
    CHECK_OK(kit_end(&m->k, &in->who, commit, in->bump), NULL);
    m->txns[in->txn].committed = commit;
    in->txn = -1;
}

/* Whatever it tries, it is told no: nothing of it may be seen (its value was never counted). */
static void model_zombie(struct model *m, size_t i)
{
    struct instance *z = &m->zombie[i];
    if (!z->alive) return;
    switch (below(m, 4)) {
    case 0: CHECK(put_somewhere(m, z, MODEL_TXNS_MAX) != ERR_OK); break;
    case 1: CHECK(kit_put(&m->k, &z->who, "a", 0, MODEL_TXNS_MAX) != ERR_OK); break;
    case 2: CHECK(kit_end(&m->k, &z->who, below(m, 2), below(m, 2)) != ERR_OK); break;
    default:
        CHECK_ERR(kit_init_as(&m->k, &z->who, KIT_TIMEOUT_MS, z->who.pid, z->who.epoch),
                  ERR_FENCED);
    }
}

/* Everybody's time is over: what is open is aborted, and its producers are zombies. */
static void model_timeout(struct model *m)
{
    for (size_t i = 0; i < IDS; i++) {
        struct instance *in = &m->now[i];
        for (int n = 0; in->alive && in->txn >= 0; n++) {
            clock_fake_advance(n ? 20 : KIT_TIMEOUT_MS + 10);
            INVARIANT(loop_post(coord_loop(m->k.c), coord_alarm_rings, m->k.c) == ERR_OK);
            if (kit_settled(&m->k, ids[i]) == TXN_ONGOING && n < KIT_DEADLINE_MS) continue;
            CHECK_INT(kit_settled(&m->k, ids[i]), TXN_COMPLETE_ABORT);
            m->zombie[i] = *in;
            in->alive = false;
        }
    }
}

static void model_look(struct model *m)
{
    static int seen[MODEL_TXNS_MAX];
    struct vec values = vec_make(sizeof(int64_t), 100000);
    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < IDS; i++)
        if (kit_describe(&m->k, ids[i]).err == ERR_OK) (void)kit_settled(&m->k, ids[i]);
    for (int i = 0; i < 2 * KIT_PARTITIONS; i++) kit_read(&m->k, i % 2 ? "a" : "b", i / 2, &values);
    for (size_t i = 0; i < values.count; i++) {
        int64_t v = *(int64_t *)vec_at(&values, i);
        CHECK(v >= 0 && v < m->txn_count);
        if (v >= 0 && v < m->txn_count) seen[v]++;
    }
    for (int t = 0; t < m->txn_count; t++) {
        /* Behind another's open transaction even what is committed is not to be seen yet: then none
         * of it is missing for good, and the last look, with nothing open, sees it all. */
        int want = m->txns[t].committed ? m->txns[t].puts : 0;
        if (seen[t] > want)
            test_failed(__FILE__, __LINE__, "transaction %d: %d records, not %d", t, seen[t], want);
    }
    vec_done(&values);
}

static void model_look_at_all(struct model *m)
{
    static int seen[MODEL_TXNS_MAX];
    struct vec values = vec_make(sizeof(int64_t), 100000);
    memset(seen, 0, sizeof(seen));
    for (size_t i = 0; i < IDS; i++) model_init(m, i); /* nothing is open any more */
    for (int i = 0; i < 2 * KIT_PARTITIONS; i++) {
        struct log_partition *p = kit_partition(&m->k, i % 2 ? "a" : "b", i / 2);
        CHECK_INT(log_stable_offset(p), log_end_offset(p));
        kit_read(&m->k, i % 2 ? "a" : "b", i / 2, &values);
    }
    for (size_t i = 0; i < values.count; i++) {
        int64_t v = *(int64_t *)vec_at(&values, i);
        if (v >= 0 && v < m->txn_count)
            seen[v]++;
        else
            test_failed(__FILE__, __LINE__, "a zombie's record is committed");
    }
    for (int t = 0; t < m->txn_count; t++)
        CHECK_INT(seen[t], m->txns[t].committed ? m->txns[t].puts : 0);
    vec_done(&values);
}

static void model_step(struct model *m)
{
    size_t i = below(m, IDS);
    uint64_t what = below(m, 100);
    if (what < 50)
        model_put(m, i);
    else if (what < 75)
        model_end(m, i);
    else if (what < 88)
        model_zombie(m, i);
    else if (what < 96)
        model_init(m, i);
    else if (what < 98)
        kit_crash(&m->k);
    else if (what < 99)
        kit_reopen(&m->k);
    else
        model_timeout(m);
}

static void model_life(uint64_t seed)
{
    static struct model m;
    memset(&m, 0, sizeof(m));
    m.seed = seed;
    clock_fake_set(INT64_C(1790000000000));
    m.k = kit_open();
    for (size_t i = 0; i < IDS; i++) model_init(&m, i);
    for (int step = 1; step <= STEPS; step++) {
        model_step(&m);
        if (step % LOOK_EVERY == 0) model_look(&m);
    }
    model_look_at_all(&m);
    CHECK(m.txn_count > 30);
    kit_stop(&m.k);
    clock_fake_set(-1);
}

TEST(random_transactions_are_seen_whole_or_not_at_all)
{
    for (uint64_t seed = 1; seed <= 3; seed++) model_life(seed);
}

/* --- many at once: threads of producers, each with its own id --------------------------------- */

enum { THREADS = 4, THREAD_TXNS = 25 };
struct crowd {
    struct kit *k;
    struct thread thread;
    char id[16];
    int committed;
};

static void crowd_runs(void *arg)
{
    struct crowd *c = arg;
    struct who w = {.id = c->id};
    CHECK_OK(kit_init(c->k, &w), NULL);
    for (int i = 0; i < THREAD_TXNS; i++) {
        kit_spread(c->k, &w, i);
        CHECK_OK(kit_end(c->k, &w, i % 3 != 0, i % 2), NULL);
        c->committed += i % 3 != 0;
    }
    (void)kit_settled(c->k, c->id);
}

TEST(producers_of_many_threads_do_not_disturb_each_other)
{
    struct kit k = kit_open();
    static struct crowd crowd[THREADS];
    memset(crowd, 0, sizeof(crowd));
    int committed = 0;
    for (int i = 0; i < THREADS; i++) {
        crowd[i].k = &k;
        snprintf(crowd[i].id, sizeof(crowd[i].id), "crowd-%d", i);
        CHECK_OK(thread_start(&crowd[i].thread, "crowd", crowd_runs, &crowd[i], NULL), NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(&crowd[i].thread);
        committed += crowd[i].committed;
    }
    struct vec values = vec_make(sizeof(int64_t), 100000);
    kit_read(&k, "b", 1, &values);
    CHECK_INT(values.count, committed);
    vec_done(&values);
    kit_stop(&k);
}
