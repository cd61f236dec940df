/* Goal: after kill -9 at any moment the store holds every change that was told, each whole, and a
 * counter made by deciding has counted each telling once. */
#include "store/store_kit.h"
#include <endian.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS = 4, KILLS = 12, TWIN = 100, COUNTER = 50, NOW_S = 1 };
static const char dir_variable[] = "STORE_CRASH_COMMIT_DIR";

struct telling { /* what the child says, in one write */
    int32_t writer, number;
    int64_t counter, timestamp;
};
struct crash {
    struct store *s;
    const struct store_table *t;
    struct arena *arena;
};

static void open_crash(struct crash *c, const char *dir)
{
    struct diag d = {0};
    *c = (struct crash){.arena = arena_new(MIB(64))};
    CHECK_OK(
        store_open(&(struct store_options){.dir = dir, .write_buffer_bytes = MIB(1)}, &c->s, &d),
        &d);
    INVARIANT(c->s);
    c->t = store_table_find(c->s, SLICE("ks"), SLICE("t"));
    if (!c->t) c->t = kit_table(c->s, "t", false);
}

static void close_crash(struct crash *c)
{
    store_close(c->s);
    arena_free(c->arena);
}

struct row_key {
    uint32_t bytes[2];
    struct slice at[2];
};
static const struct slice *key_at(struct row_key *k, int32_t pk, int32_t ck)
{
    k->bytes[0] = htobe32((uint32_t)pk);
    k->bytes[1] = htobe32((uint32_t)ck);
    for (int i = 0; i < 2; i++) k->at[i] = slice_make(&k->bytes[i], 4);
    return k->at;
}

static err_t add_row(const struct crash *c, struct store_change *to, int32_t pk, int32_t ck,
                     struct slice text, int64_t timestamp, struct diag *d)
{
    struct row_key k;
    struct store_cell_write cell = {.column = c->t->columns[2].id, .value = text};
    struct store_row_write w = {.table = c->t,
                                .key = key_at(&k, pk, ck),
                                .key_count = 2,
                                .timestamp = timestamp,
                                .now_s = NOW_S,
                                .marker = true,
                                .cells = &cell,
                                .cell_count = 1};
    return store_change_row(to, &w, d);
}

static int64_t counter_of(const struct store_row *row)
{
    int64_t v = 0;
    if (row && row->cell_count) memcpy(&v, row->cells[0].value.at, sizeof v);
    return v;
}

struct counting {
    const struct crash *c;
    struct arena *arena;
    int64_t now;
};
static err_t count_up(void *ctx, struct store_change *to, struct store_peek *p, struct diag *d)
{
    struct counting *me = ctx;
    struct row_key k;
    const struct store_row *row;
    arena_reset(me->arena);
    err_t e = store_peek_row(p, me->c->t, key_at(&k, COUNTER, 0), 2, NOW_S, me->arena, &row, d);
    if (e) return e;
    me->now = counter_of(row) + 1;
    return add_row(me->c, to, COUNTER, 0, slice_make(&me->now, sizeof me->now), me->now, d);
}

/* --- the child ----------------------------------------------------------------------------------
 */

struct child_writer {
    const struct crash *c;
    struct thread thread;
    int32_t number, from, turns; /* turns 0: without end */
};

static void write_on(void *arg)
{
    struct child_writer *me = arg;
    struct diag d = {0};
    struct counting counting = {.c = me->c, .arena = arena_new(MIB(1))};
    for (int32_t n = me->from; !me->turns || n < me->from + me->turns; n++) {
        struct store_change *c;
        struct telling t = {.writer = me->number, .number = n};
        t.timestamp = store_timestamp(me->c->s);
        CHECK_OK(store_change_new(me->c->s, &c), NULL);
        CHECK_OK(add_row(me->c, c, me->number, n, SLICE("one"), t.timestamp, &d), &d);
        CHECK_OK(add_row(me->c, c, TWIN + me->number, n, SLICE("other"), t.timestamp, &d), &d);
        store_change_decide(c, count_up, &counting);
        err_t e = store_change_commit_wait(c, &d);
        t.counter = counting.now;
        CHECK_OK(e, &d);
        if (!me->turns && write(STDOUT_FILENO, &t, sizeof t) != sizeof t) exit(1);
    }
    arena_free(counting.arena);
}

static int32_t rows_of(struct crash *c, int32_t pk)
{
    int32_t n = 0;
    for (;; n++) {
        struct row_key k;
        struct diag d = {0};
        const struct store_row *row;
        arena_reset(c->arena);
        CHECK_OK(store_row_get(c->s, c->t, key_at(&k, pk, n), 2, NOW_S, c->arena, &row, &d), &d);
        if (!row) return n;
    }
}

static int64_t counter_now(struct crash *c)
{
    struct row_key k;
    struct diag d = {0};
    const struct store_row *row;
    CHECK_OK(store_row_get(c->s, c->t, key_at(&k, COUNTER, 0), 2, NOW_S, c->arena, &row, &d), &d);
    return counter_of(row);
}

/* As the child: without end. Otherwise a few changes, looked at. */
TEST(changes_that_decide_go_on_where_they_were)
{
    const char *dir = getenv(dir_variable);
    struct crash c;
    struct child_writer w[WRITERS];
    for (int round = 0; round < 2; round++) {
        open_crash(&c, dir ? dir : test_dir());
        for (int32_t i = 0; i < WRITERS; i++) {
            w[i] = (struct child_writer){
                .c = &c, .number = i, .from = rows_of(&c, i), .turns = dir ? 0 : 20};
            CHECK_OK(thread_start(&w[i].thread, "writer", write_on, &w[i], NULL), NULL);
        }
        for (int i = 0; i < WRITERS; i++) thread_join(&w[i].thread);
        close_crash(&c);
    }
    open_crash(&c, test_dir());
    CHECK_INT(counter_now(&c), 2 * WRITERS * 20);
    for (int32_t i = 0; i < WRITERS; i++) CHECK_INT(rows_of(&c, TWIN + i), 40);
    close_crash(&c);
}

/* --- the parent ---------------------------------------------------------------------------------
 */

struct heard {
    int32_t last[WRITERS];
    int64_t counter, timestamp;
    uint64_t tellings;
};

static bool hear(int fd, struct heard *h)
{
    struct telling t;
    if (read(fd, &t, sizeof t) != sizeof t) return false;
    h->last[t.writer] = MAX(h->last[t.writer], t.number + 1);
    h->counter = MAX(h->counter, t.counter);
    h->timestamp = MAX(h->timestamp, t.timestamp);
    h->tellings++;
    return true;
}

static void run_and_kill(const char *dir, useconds_t delay_us, struct heard *h)
{
    int ends[2];
    INVARIANT(pipe(ends) == 0);
    fflush(NULL);
    pid_t child = fork();
    INVARIANT(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        setenv(dir_variable, dir, 1);
        execl("/proc/self/exe", "unit_store", "changes_that_decide_go_on_where_they_were",
              (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    hear(ends[0], h);
    usleep(delay_us);
    kill(child, SIGKILL);
    while (hear(ends[0], h)) {
    }
    close(ends[0]);
    waitpid(child, NULL, 0);
}

TEST(nothing_that_was_told_is_lost_when_the_store_is_killed)
{
    uint64_t seed = 31;
    struct heard h = {0};
    for (int i = 0; i < KILLS; i++) {
        uint64_t before = h.tellings;
        struct crash c;
        int64_t rows = 0;
        run_and_kill(test_dir(), (useconds_t)(test_random(&seed) % 60000), &h);
        CHECK(h.tellings > before);
        open_crash(&c, test_dir());
        CHECK(store_timestamp(c.s) > h.timestamp);
        for (int32_t w = 0; w < WRITERS; w++) {
            int32_t there = rows_of(&c, w);
            CHECK(there >= h.last[w]);
            CHECK_INT(rows_of(&c, TWIN + w), there);
            rows += there;
        }
        CHECK(counter_now(&c) >= h.counter);
        CHECK_INT(counter_now(&c), rows); /* each change counted itself, once */
        close_crash(&c);
    }
}
