/* Thousands of random operations beside a model that is an array; and many threads at once. */
#include "log/log_test_kit.h"

enum { MODEL_MAX = 20000, PRODUCERS = 3 };
#define FIRST_PRODUCER INTERNAL_PRODUCERS /* never forgotten, however late it is */

struct model_batch {
    int64_t base;
    struct batch_want want;
};

struct model {
    struct fixture f;
    struct model_batch *batches;
    size_t count;
    int64_t end, start;
    int32_t next_seq[PRODUCERS];
    uint64_t seed;
    uint64_t size_max; /* what a segment takes */
};

static uint64_t below(struct model *m, uint64_t n)
{
    return test_random(&m->seed) % n;
}

static void model_append(struct model *m)
{
    struct batch_want w = {.count = 1 + (int)below(m, 5),
                           .size = (uint32_t)below(m, below(m, 10) ? 400 : m->size_max),
                           .ms = (int64_t)m->count + (int64_t)below(m, 50),
                           .fill = (uint8_t)below(m, 200)};
    size_t who = below(m, PRODUCERS * 2);
    if (who < PRODUCERS) {
        w.pid = FIRST_PRODUCER + (int64_t)who;
        w.seq = m->next_seq[who];
        m->next_seq[who] += w.count;
    }
    CHECK_INT(append_one(&m->f, w), m->end);
    m->batches[m->count++] = (struct model_batch){m->end, w};
    m->end += w.count;
}

/* One of a producer's last five batches, sent again: its old offset, and nothing new. */
static void model_repeat(struct model *m)
{
    int64_t pid = FIRST_PRODUCER + (int64_t)below(m, PRODUCERS);
    int back = (int)below(m, 5), seen = 0;
    for (size_t i = m->count; i-- > 0;) {
        if (m->batches[i].want.pid != pid || seen++ < back) continue;
        CHECK_INT(append_one(&m->f, m->batches[i].want), m->batches[i].base);
        break;
    }
    CHECK_INT(log_end_offset(m->f.p), m->end);
}

static size_t model_place(const struct model *m, int64_t offset)
{
    size_t i = 0;
    while (i + 1 < m->count && m->batches[i + 1].base <= offset) i++;
    return i;
}

static void model_read(struct model *m)
{
    if (m->end == m->start) return;
    struct buf got = buf_make(MIB(1));
    struct diag d = {0};
    int64_t from = m->start + (int64_t)below(m, (uint64_t)(m->end - m->start));
    size_t max = below(m, 20000), at = 0, i = model_place(m, from);
    CHECK_OK(log_read(m->f.p, from, max, &got, &d), &d);
    CHECK(got.len > 0);
    for (; at < got.len; i++) {
        struct batch_want w = m->batches[i].want;
        struct buf sent = batch_make(w);
        record_batch_set_base(sent.at, m->batches[i].base, 0);
        bool same = sent.len <= got.len - at && memcmp(sent.at, got.at + at, sent.len) == 0;
        CHECK(same);
        at += sent.len;
        buf_done(&sent);
        if (!same) break;
    }
    buf_done(&got);
}

static void model_time(struct model *m)
{
    int64_t ms = (int64_t)below(m, m->count + 60), expected = m->end, at;
    for (size_t i = m->count; i-- > 0 && m->batches[i].base >= m->start;)
        if (m->batches[i].want.ms >= ms) expected = m->batches[i].base;
    CHECK_OK(log_offset_at(m->f.p, ms, &at, NULL), NULL);
    CHECK_INT(at, expected);
}

static void model_retain(struct model *m)
{
    int64_t keep = m->start + (int64_t)below(m, (uint64_t)(m->end - m->start) / 4 + 1);
    CHECK_OK(log_retain(m->f.p, INT64_MAX / 2, keep, NULL), NULL);
    int64_t start = log_start_offset(m->f.p);
    CHECK(start >= m->start && start <= MAX(keep, m->start));
    m->start = start;
}

static void model_check(struct model *m)
{
    CHECK_INT(log_end_offset(m->f.p), m->end);
    CHECK_INT(log_start_offset(m->f.p), m->start);
    CHECK_INT(log_recovery(m->f.log).bytes_cut, 0);
    CHECK_INT(read_all(&m->f, m->start), m->end);
    for (int i = 0; i < PRODUCERS; i++) {
        struct log_producer state;
        if (m->next_seq[i] == 0) continue;
        CHECK_OK(log_producer_state(m->f.p, FIRST_PRODUCER + i, &state), NULL);
        CHECK_INT(state.last_sequence, m->next_seq[i] - 1);
    }
}

static void model_run(uint64_t seed, uint64_t segment_bytes, int steps)
{
    struct model m = {.f = fixture_open_sized("model", segment_bytes), .seed = seed};
    m.size_max = MIN(segment_bytes ? segment_bytes - RECORD_BATCH_HEAD : UINT64_MAX, 9000);
    m.batches = mem_take(MODEL_MAX * sizeof(*m.batches));
    for (int i = 0; i < steps; i++) {
        uint64_t what = below(&m, 1000);
        if (what < 600)
            model_append(&m);
        else if (what < 700)
            model_repeat(&m);
        else if (what < 900)
            model_read(&m);
        else if (what < 980)
            model_time(&m);
        else if (what < 990)
            model_retain(&m);
        else {
            if (what >= 996) fixture_crash(&m.f);
            fixture_reopen(&m.f);
            model_check(&m);
        }
    }
    model_check(&m);
    mem_give(m.batches);
    fixture_close(&m.f);
    CHECK_OK(dir_remove_all(m.f.dir, NULL), NULL);
}

TEST(random_operations_with_restarts_and_kills_agree_with_a_model)
{
    model_run(1, 30000, 3000);
    model_run(2, 0, 3000);
    model_run(3, 2000, 2000);
}

/* --- threads ---------------------------------------------------------------------------------- */

enum { WRITERS = 4, READERS = 2, EACH = 150 };

struct crowd {
    struct fixture *f;
    struct thread thread;
    int number;
    _Atomic bool *over;
    int64_t last_offset;
};

static void crowd_write(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < EACH; i++) {
        struct buf b = batch_make((struct batch_want){.count = 2,
                                                      .size = 100,
                                                      .ms = i,
                                                      .pid = c->number + 1,
                                                      .seq = i * 2,
                                                      .fill = (uint8_t)c->number});
        int64_t at = -1;
        struct diag d = {0};
        CHECK_OK(log_append_wait(c->f->log, c->f->p, b.at, b.len, 1, &at, &d), &d);
        CHECK(at > c->last_offset);               /* one's own appends keep their order */
        CHECK(log_end_offset(c->f->p) >= at + 2); /* acknowledged is visible */
        c->last_offset = at;
        buf_done(&b);
    }
}

static void crowd_read(void *arg)
{
    struct crowd *c = arg;
    struct log_producer state;
    int64_t at;
    while (!atomic_load(c->over)) {
        int64_t end = log_end_offset(c->f->p), start = log_start_offset(c->f->p);
        CHECK(read_all(c->f, start) >= end);
        CHECK_OK(log_offset_at(c->f->p, EACH / 2, &at, NULL), NULL);
        if (log_producer_state(c->f->p, 2, &state) == ERR_OK) CHECK(state.last_sequence % 2 == 1);
    }
}

TEST(many_writers_and_readers_at_once_lose_nothing)
{
    struct fixture f = fixture_open_sized("crowd", 20000);
    struct crowd crowd[WRITERS + READERS];
    struct diag d = {0};
    _Atomic bool over = false;
    for (int i = 0; i < WRITERS + READERS; i++) {
        crowd[i] = (struct crowd){.f = &f, .number = i, .over = &over, .last_offset = -1};
        CHECK_OK(thread_start(&crowd[i].thread, "crowd", i < WRITERS ? crowd_write : crowd_read,
                              &crowd[i], &d),
                 &d);
    }
    for (int i = 0; i < WRITERS; i++) thread_join(&crowd[i].thread);
    atomic_store(&over, true);
    for (int i = WRITERS; i < WRITERS + READERS; i++) thread_join(&crowd[i].thread);
    CHECK_INT(log_end_offset(f.p), WRITERS * EACH * 2);
    CHECK_INT(read_all(&f, 0), WRITERS * EACH * 2);
    fixture_reopen(&f);
    CHECK_INT(read_all(&f, 0), WRITERS * EACH * 2);
    fixture_close(&f);
}

static void poke(void *arg)
{
    struct gate *g = arg;
    gate_enter(g);
    gate_wake(g);
    gate_leave(g);
}

/* A reader that sleeps until there is something, again and again. */
static void crowd_follow(void *arg)
{
    struct crowd *c = arg;
    struct gate gate;
    gate_init(&gate);
    while (c->last_offset < EACH * 2) {
        struct log_waiter *w = NULL;
        CHECK_OK(log_wait(c->f->p, c->last_offset, poke, &gate, &w), NULL);
        gate_enter(&gate);
        while (log_end_offset(c->f->p) <= c->last_offset) gate_wait(&gate);
        gate_leave(&gate);
        log_unwait(w);
        c->last_offset = read_all(c->f, c->last_offset);
    }
    gate_done(&gate);
}

TEST(a_follower_that_sleeps_misses_nothing)
{
    struct fixture f = fixture_open("follow");
    struct diag d = {0};
    struct crowd writer = {.f = &f, .last_offset = -1}, followers[2];
    for (int i = 0; i < 2; i++) {
        followers[i] = (struct crowd){.f = &f};
        CHECK_OK(thread_start(&followers[i].thread, "follow", crowd_follow, &followers[i], &d), &d);
    }
    crowd_write(&writer);
    for (int i = 0; i < 2; i++) {
        thread_join(&followers[i].thread);
        CHECK_INT(followers[i].last_offset, EACH * 2);
    }
    fixture_close(&f);
}
