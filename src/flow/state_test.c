/* state: against a model of (time, key) -> number, durable and as the epoch at hand sees it. */
#include "flow/state.h"
#include "test.h"
#include <stdlib.h>
#include <time.h>

enum { TIMES = 6, KEYS = 40, ENTRIES = TIMES * KEYS };

struct thing { /* an entry */
    int64_t n;
    uint8_t *more; /* n % 1000 bytes, when n is even */
};
struct model {
    int64_t now[ENTRIES], durable[ENTRIES]; /* 0: there is none */
    bool touched[ENTRIES];
};
struct bench {
    struct store *store;
    struct state *s;
    struct state_budget budget;
    struct model m;
    uint64_t random;
    size_t held;
    uint64_t told;
    int64_t last;
    bool by_touch, many;
    uint32_t change; /* in each: one of so many is changed, another removed; 0: none */
};

static size_t thing_bytes(const struct thing *t)
{
    return t->n % 2 == 0 ? (size_t)(t->n % 1000) : 0;
}
static void thing_put(void *ctx, const void *entry, struct buf *out)
{
    const struct thing *t = entry;
    (void)ctx;
    buf_varint(out, t->n);
    if (t->more) buf_put(out, t->more, thing_bytes(t));
}
static err_t thing_take(void *ctx, void *entry, struct slice value)
{
    struct thing *t = entry;
    struct bench *b = ctx;
    struct cursor c = cursor_of(value);
    t->n = cursor_varint(&c);
    struct slice rest = cursor_slice(&c, thing_bytes(t));
    if (c.err || cursor_left(&c)) return ERR_CORRUPT;
    if (!rest.len) return ERR_OK;
    if (!(t->more = mem_take_raw(rest.len))) return ERR_NO_MEMORY;
    memcpy(t->more, rest.at, rest.len);
    b->held += rest.len;
    return ERR_OK;
}
static void thing_done(void *ctx, void *entry)
{
    struct thing *t = entry;
    struct bench *b = ctx;
    if (t->more) b->held -= thing_bytes(t);
    mem_give(t->more);
    t->more = NULL;
}
static size_t thing_holds(void *ctx, const void *entry)
{
    const struct thing *t = entry;
    (void)ctx;
    return t->more ? thing_bytes(t) : 0;
}
static const struct state_form form = {sizeof(struct thing), thing_put, thing_take, thing_done,
                                       thing_holds};

static void thing_set(struct bench *b, struct thing *t, int64_t n)
{
    thing_done(b, t);
    t->n = n;
    if (thing_bytes(t) && (t->more = mem_take(thing_bytes(t)))) b->held += thing_bytes(t);
}

/* Times before and after 0; keys of 0 to some 80 bytes, whose order is their number's. */
static int64_t time_of(uint32_t i)
{
    return ((int64_t)(i / KEYS) - 2) * 1000;
}
static struct slice key_of(uint32_t i, char out[128])
{
    uint32_t k = i % KEYS;
    if (!k) return (struct slice){(const uint8_t *)out, 0};
    int n = snprintf(out, 128, "key %03u%.*s", k, (int)(k % 9) * 10,
                     "..........................................................................."
                     ".............");
    return slice_make(out, (size_t)n);
}

static void bench_open(struct bench *b)
{
    struct diag d;
    struct state_options o = {.store = b->store,
                              .stream = 7,
                              .node = 3,
                              .part = 1,
                              .form = &form,
                              .ctx = b,
                              .budget = &b->budget};
    CHECK_OK(state_open(&o, &b->s, &d), &d);
}

static void change(struct bench *b, uint32_t i)
{
    char text[128];
    struct diag d;
    void *entry;
    bool made;
    bool make = test_random(&b->random) % 3 > 0;
    CHECK_OK(state_find(b->s, time_of(i), key_of(i, text), make, &entry, &made, &d), &d);
    CHECK_INT(entry != NULL, make || b->m.now[i]);
    CHECK_INT(made, make && !b->m.now[i]);
    if (!entry) return;
    struct thing *t = entry;
    CHECK_INT(t->n, b->m.now[i]);
    CHECK(slice_equal(state_key(entry), key_of(i, text)));
    CHECK_INT(state_time(entry), time_of(i));
    if (!made && test_random(&b->random) % 3 == 0) return; /* only looked at */
    if (!made && test_random(&b->random) % 3 == 0) {
        state_remove(b->s, entry);
        b->m.now[i] = 0;
        b->m.touched[i] = true;
        return;
    }
    b->m.now[i] = (int64_t)(test_random(&b->random) % 100000) + 1;
    thing_set(b, t, b->m.now[i]);
    state_touch(b->s, entry);
    CHECK(state_touched(entry));
    b->m.touched[i] = true;
}

/* Keys of one time all at once, some of them twice. */
static void change_many(struct bench *b)
{
    enum { MANY = 300 };
    static char texts[MANY][128];
    static uint32_t which[MANY];
    struct slice keys[MANY];
    void *entries[MANY];
    uint8_t made[MANY];
    struct diag d;
    uint32_t time = (uint32_t)(test_random(&b->random) % TIMES) * KEYS;
    uint32_t count = 1 + (uint32_t)(test_random(&b->random) % MANY);
    for (uint32_t i = 0; i < count; i++) {
        which[i] = time + (uint32_t)(test_random(&b->random) % KEYS);
        keys[i] = key_of(which[i], texts[i]);
    }
    CHECK_OK(state_find_many(b->s, time_of(time), keys, count, entries, made, &d), &d);
    for (uint32_t i = 0; i < count; i++) {
        struct thing *t = entries[i];
        CHECK_INT(made[i], !b->m.now[which[i]]);
        if (made[i]) { /* one that comes again has what the first of it set */
            b->m.now[which[i]] = (int64_t)(test_random(&b->random) % 100000) + 1;
            thing_set(b, t, b->m.now[which[i]]);
            state_touch(b->s, t);
            b->m.touched[which[i]] = true;
        }
        CHECK_INT(t->n, b->m.now[which[i]]);
    }
}

static err_t see(void *ctx, void *entry, struct diag *d)
{
    struct bench *b = ctx;
    const struct thing *t = entry;
    char text[128];
    (void)d;
    for (int64_t i = b->last + 1; i < ENTRIES; i++) {
        if (!b->m.now[i] || (b->by_touch && !b->m.touched[i])) continue;
        CHECK_INT(state_time(entry), time_of((uint32_t)i));
        CHECK(slice_equal(state_key(entry), key_of((uint32_t)i, text)));
        CHECK_INT(t->n, b->m.now[i]);
        b->last = i;
        b->told++;
        uint64_t dice = b->change ? test_random(&b->random) % b->change : 9;
        if (dice == 0) {
            state_remove(b->s, entry);
            b->m.now[i] = 0;
        } else if (dice == 1) {
            thing_set(b, entry, ++b->m.now[i]);
            state_touch(b->s, entry);
        }
        if (dice <= 1) b->m.touched[i] = true;
        return ERR_OK;
    }
    test_failed(__FILE__, __LINE__, "an entry that the model does not have");
    return ERR_OK;
}

static void see_all(struct bench *b, uint32_t from, uint32_t until, bool by_touch)
{
    struct diag d;
    uint64_t want = 0;
    for (uint32_t i = from; i < until; i++) want += b->m.now[i] && (!by_touch || b->m.touched[i]);
    b->told = 0;
    b->last = (int64_t)from - 1;
    b->by_touch = by_touch;
    if (by_touch)
        CHECK_OK(state_each_touched(b->s, see, b, &d), &d);
    else
        CHECK_OK(state_each(b->s, time_of(from), time_of(until), see, b, &d), &d);
    CHECK_INT(b->told, want);
}

static void end_epoch(struct bench *b, bool keep)
{
    struct store_write *w = NULL;
    struct diag d;
    if (b->store) {
        CHECK_OK(store_write_begin(b->store, STORE_LIVE, MIB(16), &w, &d), &d);
        CHECK_OK(state_write(b->s, w, &d), &d);
        if (keep)
            CHECK_OK(store_write_commit(w, &d), &d);
        else
            store_write_abort(w);
    }
    if (keep)
        state_kept(b->s);
    else
        state_forget(b->s);
    if (keep)
        memcpy(b->m.durable, b->m.now, sizeof(b->m.now));
    else if (b->store)
        memcpy(b->m.now, b->m.durable, sizeof(b->m.now));
    else
        memset(b->m.now, 0, sizeof(b->m.now));
    memset(b->m.touched, 0, sizeof(b->m.touched));
    CHECK_INT(state_stats(b->s).touched, 0);
}

static void remove_until(struct bench *b, uint32_t until)
{
    struct diag d;
    until = until / KEYS * KEYS;
    CHECK_OK(state_remove_until(b->s, time_of(until), &d), &d);
    for (uint32_t i = 0; i < until; i++) {
        b->m.touched[i] = b->m.touched[i] || b->m.now[i];
        b->m.now[i] = 0;
    }
}

static void step(struct bench *b)
{
    uint32_t some = (uint32_t)(test_random(&b->random) % ENTRIES);
    uint64_t dice = test_random(&b->random) % 200;
    if (dice < 150)
        change(b, some);
    else if (dice < 160)
        see_all(b, some / KEYS * KEYS, ENTRIES, false);
    else if (dice < 165)
        see_all(b, 0, ENTRIES, true);
    else if (dice < 168)
        remove_until(b, some);
    else if (dice < 180)
        end_epoch(b, true);
    else if (dice < 183)
        end_epoch(b, false);
    else if (dice >= 192 && b->many)
        change_many(b);
    else if (dice < 185 && b->store) { /* as after a crash */
        state_close(b->s);
        CHECK_INT(b->held, 0);
        CHECK_INT(b->budget.used, 0);
        memcpy(b->m.now, b->m.durable, sizeof(b->m.now));
        memset(b->m.touched, 0, sizeof(b->m.touched));
        bench_open(b);
    }
}

static void run_model(struct bench *b, uint32_t steps)
{
    bench_open(b);
    for (uint32_t i = 0; i < steps; i++) {
        b->change = i % 2 ? 5 : 0;
        step(b);
    }
    see_all(b, 0, ENTRIES, false);
    state_close(b->s);
    CHECK_INT(b->held, 0);
    CHECK_INT(b->budget.used, 0);
}

static struct store *open_store(void)
{
    struct store *s = NULL;
    struct diag d;
    struct store_options o = {.dir = test_dir()};
    CHECK_OK(store_open(&o, &s, &d), &d);
    return s;
}

TEST(entries_in_memory_alone_are_as_the_model_has_them)
{
    struct bench b = {.budget = {.max = MIB(64)}, .random = 1};
    run_model(&b, 20000);
}

TEST(entries_on_the_store_are_as_the_model_has_them)
{
    struct bench b = {.store = open_store(), .budget = {.max = MIB(64)}, .random = 2};
    run_model(&b, 10000);
    store_close(b.store);
}

TEST(entries_let_go_are_read_again)
{
    for (uint64_t seed = 3; seed < 6; seed++) {
        struct bench b = {.store = open_store(), .budget = {.max = KIB(40)}, .random = seed};
        run_model(&b, 6000);
        struct diag d;
        struct store_write *w;
        CHECK_OK(store_write_begin(b.store, STORE_LIVE, MIB(16), &w, &d), &d);
        bool more;
        CHECK_OK(state_drop_all(b.store, 7, w, &more, &d), &d);
        CHECK(!more);
        CHECK_OK(store_write_commit(w, &d), &d);
        memset(&b.m, 0, sizeof(b.m));
        bench_open(&b);
        CHECK_INT(state_first(b.s), INT64_MAX);
        see_all(&b, 0, ENTRIES, false);
        state_close(b.s);
        store_close(b.store);
    }
}

TEST(entries_let_go_are_read_again_many_at_once)
{
    struct bench b = {.store = open_store(), .budget = {.max = KIB(64)}, .random = 6, .many = true};
    run_model(&b, 8000);
    store_close(b.store);
}

TEST(state_beyond_the_budget_goes_to_the_store)
{
    struct bench b = {.store = open_store(), .budget = {.max = MIB(1)}, .random = 1};
    struct diag d;
    void *entry;
    bool made;
    bench_open(&b);
    for (uint32_t round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 50000; i++) {
            uint8_t key[4];
            struct buf k = buf_over(key, 4);
            buf_be(&k, i, 4);
            CHECK_OK(state_find(b.s, 5, buf_view(&k), true, &entry, &made, &d), &d);
            if (!entry) return;
            if (made != !round) CHECK_INT(made, !round);
            ((struct thing *)entry)->n += 2 * (int64_t)i + 1;
            state_touch(b.s, entry);
            if (i % 1000 == 999) end_epoch(&b, true);
        }
    CHECK(b.budget.used <= MIB(1));
    CHECK_INT(state_stats(b.s).entries, 50000);
    CHECK(state_stats(b.s).in_memory < 20000);
    CHECK_INT(state_first(b.s), 5);
    state_close(b.s);
    store_close(b.store);
}

TEST(state_in_memory_alone_is_refused_at_the_budget)
{
    struct bench b = {.budget = {.max = MIB(1)}};
    struct diag d;
    err_t e = ERR_OK;
    void *entry;
    bench_open(&b);
    for (uint32_t i = 0; !e && i < 100000; i++)
        e = state_find(b.s, 0, slice_make(&i, sizeof(i)), true, &entry, NULL, &d);
    CHECK_INT(e, ERR_NO_MEMORY);
    CHECK(strstr(d.what, "1 MiB") != NULL);
    state_close(b.s);
}

static err_t stop(void *ctx, void *entry, struct diag *d)
{
    (void)ctx, (void)entry;
    return diag_fail(d, ERR_RANGE, "enough");
}

TEST(a_callback_that_fails_ends_the_walk_and_a_key_too_long_is_refused)
{
    struct bench b = {.store = open_store(), .budget = {.max = MIB(1)}};
    struct diag d;
    void *entry;
    bench_open(&b);
    CHECK_OK(state_find(b.s, 0, SLICE("a"), true, &entry, NULL, &d), &d);
    end_epoch(&b, true);
    state_close(b.s);
    bench_open(&b);
    CHECK_INT(state_each(b.s, INT64_MIN, INT64_MAX, stop, NULL, &d), ERR_RANGE);
    uint8_t *long_key = mem_take(STATE_KEY_MAX + 1);
    struct slice key = {long_key, STATE_KEY_MAX + 1};
    CHECK_INT(state_find(b.s, 0, key, true, &entry, NULL, &d), ERR_TOO_BIG);
    key.len--;
    CHECK_OK(state_find(b.s, 0, key, true, &entry, NULL, &d), &d);
    end_epoch(&b, true);
    mem_give(long_key);
    state_close(b.s);
    store_close(b.store);
}

TEST(many_are_found_at_once)
{
    enum { N = 10000, ROUNDS = 200 };
    struct bench b = {.budget = {.max = MIB(64)}};
    struct diag d;
    static int64_t numbers[N];
    static struct slice keys[N];
    static void *entries[N];
    static uint8_t made[N];
    struct timespec from, to;
    bench_open(&b);
    for (uint32_t i = 0; i < N; i++) {
        numbers[i] = (int64_t)(i * 7919u % N);
        keys[i] = slice_make(&numbers[i], 8);
    }
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (uint32_t r = 0; r < ROUNDS; r++) {
        CHECK_OK(state_find_many(b.s, 0, keys, N, entries, made, &d), &d);
        if (r > 1) continue;
        for (uint32_t i = 0; i < N; i++) {
            if (made[i] != !r) CHECK_INT(made[i], !r);
            struct thing *t = entries[i];
            if (r && t->n != numbers[i] + 1) CHECK_INT(t->n, numbers[i] + 1);
            t->n = numbers[i] + 1;
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &to);
    double ns = (double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec);
    if (getenv("STATE_SPEED")) printf("%.1f ns a find\n", ns / N / ROUNDS);
    state_close(b.s);
}
