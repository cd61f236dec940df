/* Random appends, transactions, cleanings, kills, lost checkpoints and failing system calls beside
 * a model that is an array: whatever cleaning does, each record that is read is the one that was
 * appended at its offset, and the last committed value of each key is the same as without it. */
#include "log/compact_test_kit.h"

#include <errno.h>

enum { RECORDS_MAX = 12000, KEYS = 40, PRODUCERS = 4, TXN_PID = 50 };
enum fate { COMMITTED, ABORTED, OPEN, MARKER };

struct model {
    struct fixture f;
    struct {
        struct pair pair;
        enum fate fate;
        int64_t pid;
    } * log;
    int64_t end, now_ms;
    int32_t seq[PRODUCERS]; /* the first half idempotent only, the others transactional */
    bool open[PRODUCERS];
    uint64_t seed;
    int next_value, cleanings, failures;
};

static uint64_t below(struct model *m, uint64_t n)
{
    return test_random(&m->seed) % n;
}

static bool transactional(int who)
{
    return who >= PRODUCERS / 2;
}

static void admit_all(struct model *m)
{
    for (int i = 0; i < PRODUCERS; i++)
        if (m->open[i]) CHECK_OK(log_txn_admit(m->f.p, TXN_PID + i, 0), NULL);
}

static void model_reopen(struct model *m)
{
    fault_lift();
    fixture_reopen(&m->f);
    CHECK_INT(log_recovery(m->f.log).bytes_cut, 0);
    CHECK_INT(log_end_offset(m->f.p), m->end);
    admit_all(m);
}

static void model_put(struct model *m)
{
    struct pair pairs[5];
    int who = (int)below(m, PRODUCERS + 2), count = 1 + (int)below(m, 5);
    for (int i = 0; i < count; i++)
        pairs[i] = (struct pair){(int)below(m, KEYS), below(m, 6) ? ++m->next_value : 0};
    struct keyed w = {.pairs = pairs,
                      .count = count,
                      .codec = (enum codec)below(m, CODECS),
                      .ms = m->now_ms + (int64_t)below(m, 20)};
    bool txn = who < PRODUCERS && transactional(who);
    if (who < PRODUCERS) {
        w.pid = TXN_PID + who;
        w.seq = m->seq[who];
        w.transactional = txn;
        m->seq[who] += count;
    }
    if (txn && !m->open[who]) CHECK_OK(log_txn_admit(m->f.p, w.pid, 0), NULL);
    if (txn) m->open[who] = true;
    CHECK_INT(append_keyed(&m->f, w), m->end);
    for (int i = 0; i < count; i++) {
        m->log[m->end].pair = pairs[i];
        m->log[m->end].fate = txn ? OPEN : COMMITTED;
        m->log[m->end++].pid = w.pid;
    }
}

static void model_end(struct model *m)
{
    int who = PRODUCERS / 2 + (int)below(m, PRODUCERS / 2);
    bool commit = below(m, 2);
    if (!m->open[who]) return;
    CHECK_INT(append_marker(&m->f, (struct marker_want){TXN_PID + who, 0, commit, 0}), m->end);
    for (int64_t i = 0; i < m->end; i++)
        if (m->log[i].fate == OPEN && m->log[i].pid == TXN_PID + who)
            m->log[i].fate = commit ? COMMITTED : ABORTED;
    m->log[m->end++].fate = MARKER;
    m->open[who] = false;
}

static void model_clean(struct model *m, bool faulty)
{
    bool cleaned = false;
    struct diag d = {0};
    m->now_ms += (int64_t)below(m, 200);
    if (faulty)
        fault = (struct fault){.countdown = 1 + (int64_t)below(m, 60),
                               .error = below(m, 2) ? EIO : ENOSPC,
                               .torn = below(m, 2),
                               .sticky = below(m, 4) == 0};
    err_t e = log_clean(m->f.p, m->now_ms, &cleaned, &d);
    bool met = fault.fired;
    m->failures += faulty && met;
    fault_lift();
    if (!faulty || !met) CHECK_OK(e, &d);
    m->cleanings += cleaned && !e;
}

/* --- checking --------------------------------------------------------------------------------- */

struct check {
    struct model *m;
    int open;
};

static void check_record(void *ctx, const struct record *r, bool committed)
{
    struct check *c = ctx;
    struct keyed one = {.pairs = &c->m->log[r->offset].pair, .count = 1};
    struct buf b = keyed_batch(one);
    struct record_batch batch;
    struct record_reader reader;
    struct record want;
    CHECK_OK(record_batch_read(buf_view(&b), true, &batch), NULL);
    CHECK_OK(record_batch_open(&batch, NULL, KIB(4), &reader), NULL);
    CHECK_OK(record_next(&reader, &want), NULL);
    CHECK(slice_equal(want.key, r->key) && want.value_null == r->value_null);
    CHECK(want.value_null || slice_equal(want.value, r->value));
    enum fate fate = c->m->log[r->offset].fate;
    CHECK(fate != MARKER);
    if (committed) CHECK(fate == COMMITTED);
    c->open += fate == OPEN;
    buf_done(&b);
}

static void model_check(struct model *m)
{
    struct check c = {.m = m};
    struct found o = {.each = check_record, .ctx = &c};
    int value[KEYS] = {0}, open = 0;
    int64_t stable = m->end;
    for (int64_t i = m->end - 1; i >= 0; i--)
        if (m->log[i].fate == OPEN) stable = i;
    CHECK_INT(log_stable_offset(m->f.p), stable);
    for (int64_t i = 0; i < m->end; i++) {
        open += m->log[i].fate == OPEN;
        if (m->log[i].fate == COMMITTED && i < stable)
            value[m->log[i].pair.key] = m->log[i].pair.value;
    }
    find_into(&m->f, &o);
    for (int k = 0; k < KEYS; k++) CHECK_INT(o.value[k], value[k]);
    CHECK_INT(c.open, open);
    for (int i = 0; i < PRODUCERS; i++) {
        struct log_producer state = {0};
        if (m->seq[i] == 0) continue;
        CHECK_OK(log_producer_state(m->f.p, TXN_PID + i, &state), NULL);
        CHECK_INT(state.last_sequence, m->seq[i] - 1);
    }
}

static void model_restart(struct model *m)
{
    char path[1024];
    uint64_t how = below(m, 4);
    if (how == 0) fixture_crash(&m->f);
    if (how == 1) fixture_close_log(&m->f);
    if (how == 1) CHECK_OK(file_remove(fixture_path(&m->f, "checkpoint", path), NULL), NULL);
    model_reopen(m);
}

static void model_run(uint64_t seed, uint64_t segment_bytes, uint32_t keys_max, int steps)
{
    struct log_topic_config c = compacted(segment_bytes);
    struct log_options o = {.clean_backoff_ms = -1, .clean_keys_max = keys_max};
    c.delete_retention_ms = 300;
    c.timestamp_after_max_ms = INT64_MAX;
    struct model m = {.f = fixture_open_with("model", o, c), .seed = seed, .now_ms = 1};
    m.log = mem_take(RECORDS_MAX * sizeof(*m.log));
    for (int i = 0; i < steps && m.end + 10 < RECORDS_MAX; i++) {
        uint64_t what = below(&m, 1000);
        if (what < 850)
            model_put(&m);
        else if (what < 940)
            model_end(&m);
        else if (what < 965)
            model_clean(&m, false);
        else if (what < 985)
            model_clean(&m, true);
        else
            model_restart(&m);
        if (what >= 940) model_check(&m);
        if (log_must_reopen(m.f.log)) model_reopen(&m);
    }
    for (int i = 0; i < PRODUCERS * 8; i++) model_end(&m);
    for (int i = 0; i < 4; i++) {
        model_put(&m);
        model_end(&m);
        model_clean(&m, false);
    }
    model_check(&m);
    CHECK(m.cleanings > 5 && m.failures > 3);
    mem_give(m.log);
    fixture_close(&m.f);
    CHECK_OK(dir_remove_all(m.f.dir, NULL), NULL);
}

TEST(cleaning_at_any_moment_leaves_the_last_values_and_every_offset)
{
    model_run(1, 3000, 0, 1500);
    model_run(2, 20000, 0, 1500);
    model_run(3, 1000, 7, 1000);
    model_run(4, 3000, 15, 1500);
}

/* Each system call of one cleaning fails once: nothing is lost, and the next one does the work. */
TEST(every_system_call_of_a_cleaning_may_fail_once)
{
    bool met = true;
    for (int nth = 1; met; nth++) {
        struct fixture f = compacted_open("nth", 3000);
        struct diag d = {0};
        bool cleaned;
        for (int i = 0; i < 120; i++) put(&f, i % 6, i + 1);
        fault = (struct fault){.countdown = nth, .error = EIO, .torn = nth % 2};
        err_t e = log_clean(f.p, 1000, &cleaned, &d);
        met = fault.fired;
        fault_lift();
        if (!met) CHECK_OK(e, &d);
        for (int round = 0; round < 2; round++) {
            struct found o = find(&f);
            for (int k = 0; k < 6; k++) CHECK_INT(o.value[k], 115 + k);
            if (round == 0 && nth % 4 == 1) fixture_crash(&f);
            fixture_reopen(&f);
        }
        clean_all(&f, 1000);
        CHECK(log_partition_bytes(f.p) < 6000);
        CHECK_INT(files_with(&f, ".cleaning"), 0);
        CHECK_INT(find(&f).value[5], 120);
        CHECK_INT(put(&f, 1, 1), 120);
        fixture_close(&f);
        CHECK_OK(dir_remove_all(f.dir, NULL), NULL);
        CHECK(nth < 400);
    }
}

TEST(every_allocation_of_a_cleaning_may_fail_once)
{
    for (uint64_t nth = 1, calls = 1; nth <= calls; nth++) {
        struct fixture f = compacted_open("memory", 3000);
        bool cleaned;
        for (int i = 0; i < 60; i++) put(&f, i % 6, i + 1);
        uint64_t before = mem_calls();
        mem_fail_at(nth);
        (void)!log_clean(f.p, 1000, &cleaned, NULL);
        mem_fail_at(0);
        calls = mem_calls() - before;
        if (log_must_reopen(f.log)) fixture_reopen(&f);
        CHECK_INT(find(&f).value[5], 60);
        clean_all(&f, 1000);
        CHECK_INT(find(&f).value[5], 60);
        fixture_close(&f);
        CHECK_OK(dir_remove_all(f.dir, NULL), NULL);
    }
}
