/* Goal: what is handed over is there when it is told, in the order it came; who decides sees all
 * before him and nobody comes between; what fails leaves nothing. */
#include "os/clock.h"
#include "store/change.h"
#include "store/store_kit.h"
#include <endian.h>

enum { THREADS = 6, TURNS = 400, NOW_S = 1000 };

static const struct store_table *make_table(struct store *s, const char *name, bool counter)
{
    struct diag d = {0};
    const struct store_table *t = NULL;
    const struct type *value = type_of(counter ? TYPE_COUNTER : TYPE_BIGINT);
    struct store_column columns[] = {
        {.name = SLICE("pk"), .type = type_of(TYPE_INT), .role = COLUMN_PARTITION},
        {.name = SLICE("ck"), .type = type_of(TYPE_INT), .role = COLUMN_CLUSTERING},
        {.name = SLICE("s"), .type = value, .role = COLUMN_STATIC},
        {.name = SLICE("v"), .type = value},
    };
    struct store_table wanted = {.keyspace = SLICE("ks"),
                                 .name = slice_of(name),
                                 .columns = columns,
                                 .column_count = COUNT_OF(columns)};
    CHECK_OK(store_table_create(s, &wanted, &t, &d), &d);
    CHECK_INT(t->counter, counter);
    return t;
}

struct key {
    uint8_t bytes[2][4];
    struct slice at[2];
};
static const struct slice *key_of(struct key *k, int32_t pk, int32_t ck)
{
    struct buf a = buf_over(k->bytes[0], 4), b = buf_over(k->bytes[1], 4);
    buf_be(&a, (uint32_t)pk, 4);
    buf_be(&b, (uint32_t)ck, 4);
    k->at[0] = buf_view(&a);
    k->at[1] = buf_view(&b);
    return k->at;
}

static err_t put_value(struct store_change *c, const struct store_table *t, int32_t pk, int32_t ck,
                       int64_t v, int64_t timestamp, struct diag *d)
{
    struct key k;
    uint64_t be = htobe64((uint64_t)v);
    uint16_t column = store_column_find(t, SLICE("v"))->id;
    struct store_cell_write cell = {.column = column, .value = slice_make(&be, 8)};
    struct store_row_write w = {.table = t,
                                .key = key_of(&k, pk, ck),
                                .key_count = 2,
                                .timestamp = timestamp,
                                .now_s = NOW_S,
                                .marker = true,
                                .cells = &cell,
                                .cell_count = 1};
    return store_change_row(c, &w, d);
}

static int64_t cell_value(const struct store_cell *cells, uint32_t count, uint16_t id,
                          int64_t absent)
{
    for (uint32_t i = 0; i < count; i++)
        if (cells[i].column == id) {
            struct cursor c = cursor_of(cells[i].value);
            return cursor_i64(&c);
        }
    return absent;
}

static int64_t value_now(struct kit *k, const struct store_table *t, int32_t pk, int32_t ck,
                         const char *column)
{
    struct key key;
    struct diag d = {0};
    const struct store_row *row;
    uint16_t id = store_column_find(t, slice_of(column))->id;
    bool is_static = *column == 's';
    CHECK_OK(
        store_row_get(k->s, t, key_of(&key, pk, ck), is_static ? 1 : 2, NOW_S, k->arena, &row, &d),
        &d);
    if (!row) return -1;
    return is_static ? cell_value(row->statics, row->static_count, id, -1)
                     : cell_value(row->cells, row->cell_count, id, -1);
}

static struct store_change *change_of(struct kit *k)
{
    struct store_change *c = NULL;
    CHECK_OK(store_change_new(k->s, &c), NULL);
    return c;
}

TEST(a_change_is_there_when_it_is_told_and_after_a_restart)
{
    struct kit k;
    struct diag d = {0};
    kit_open(&k, (struct store_options){0});
    const struct store_table *t = make_table(k.s, "c", false);
    for (int32_t i = 0; i < 50; i++) {
        struct store_change *c = change_of(&k);
        CHECK_OK(put_value(c, t, 1, i, i * 10, 5, &d), &d);
        CHECK_OK(put_value(c, t, 2, i, i * 20, 5, &d), &d);
        CHECK_OK(store_change_record(c, STORE_CURSOR, SLICE("at"), SLICE("x")), NULL);
        CHECK_OK(store_change_commit_wait(c, &d), &d);
        CHECK_INT(value_now(&k, t, 1, i, "v"), i * 10);
    }
    kit_reopen(&k, (struct store_options){0});
    t = store_table_find(k.s, SLICE("ks"), SLICE("c"));
    for (int32_t i = 0; i < 50; i++) CHECK_INT(value_now(&k, t, 2, i, "v"), i * 20);
    struct slice value;
    CHECK_OK(store_record(k.s, NULL, STORE_CURSOR, SLICE("at"), k.arena, &value, &d), &d);
    CHECK(slice_is(value, "x"));
    kit_close(&k);
}

/* --- deciding: an increment made of a read and a write ------------------------------------------
 */

struct adder {
    struct kit *k;
    const struct store_table *t;
    struct thread thread;
    struct arena *arena;
    int32_t number;
    uint64_t seen; /* the sum of what it found: no two find the same */
};

static err_t add_one(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    struct adder *me = ctx;
    struct key k;
    const struct store_row *row;
    uint16_t v = store_column_find(me->t, SLICE("v"))->id;
    arena_reset(me->arena);
    err_t e = store_peek_row(p, me->t, key_of(&k, 7, 7), 2, NOW_S, me->arena, &row, d);
    if (e) return e;
    int64_t now = row ? cell_value(row->cells, row->cell_count, v, 0) : 0;
    me->seen += (uint64_t)now;
    return put_value(c, me->t, 7, 7, now + 1, now + 1, d);
}

static void add_many(void *arg)
{
    struct adder *me = arg;
    struct diag d = {0};
    for (int i = 0; i < TURNS; i++) {
        struct store_change *c = change_of(me->k);
        store_change_decide(c, add_one, me);
        CHECK_OK(store_change_commit_wait(c, &d), &d);
        c = change_of(me->k); /* blind writes, counters and flow's commits between */
        CHECK_OK(put_value(c, me->t, 8, me->number, i, i + 1, &d), &d);
        CHECK_OK(store_change_commit_wait(c, &d), &d);
        if (i % 50) continue;
        struct kit_row row = {me->number, i, {"a", NULL, NULL}};
        kit_put(me->k, STORE_LIVE, &row, 1, (struct kit_write){.timestamp = 1});
    }
}

TEST(many_who_decide_at_once_lose_nothing)
{
    struct kit k;
    struct adder a[THREADS];
    uint64_t seen = 0, all = (uint64_t)THREADS * TURNS;
    kit_open(&k, (struct store_options){.write_buffer_bytes = MIB(1)});
    const struct store_table *t = make_table(k.s, "c", false);
    for (int i = 0; i < THREADS; i++) {
        a[i] = (struct adder){.k = &k, .t = t, .number = i, .arena = arena_new(MIB(1))};
        CHECK_OK(thread_start(&a[i].thread, "adder", add_many, &a[i], NULL), NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        thread_join(&a[i].thread);
        seen += a[i].seen;
        arena_free(a[i].arena);
    }
    CHECK_INT(value_now(&k, t, 7, 7, "v"), (int64_t)all);
    CHECK_INT((int64_t)seen, (int64_t)(all * (all - 1) / 2)); /* 0, 1, 2 …: each found once */
    for (int i = 0; i < THREADS; i++) CHECK_INT(value_now(&k, t, 8, i, "v"), TURNS - 1);
    kit_close(&k);
}

/* --- one group: handed over at once, so that they meet ------------------------------------------
 */

struct told {
    _Atomic int ok, refused;
};
static void tell(void *ctx, err_t e, const struct diag *d)
{
    struct told *told = ctx;
    CHECK(e == ERR_OK || d->what[0]);
    atomic_fetch_add(e ? &told->refused : &told->ok, 1);
}
static void wait_told(struct told *t, int n)
{
    struct gate g;
    gate_init(&g);
    gate_enter(&g);
    while (atomic_load(&t->ok) + atomic_load(&t->refused) < n) gate_wait_ms(&g, 1);
    gate_leave(&g);
    gate_done(&g);
}

static err_t hold(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    (void)c, (void)p, (void)d;
    while (!atomic_load((_Atomic bool *)ctx)) {
    }
    return ERR_OK;
}
static err_t refuse(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    err_t e = put_value(c, ctx, 1, 1, 999, 1000, d);
    (void)p;
    return e ? e : diag_fail(d, ERR_INVALID, "no");
}
struct look {
    const struct store_table *t;
    struct arena *arena;
    int64_t found, statics;
};
static err_t look_at(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    struct look *l = ctx;
    struct key k;
    const struct store_row *row;
    (void)c;
    err_t e = store_peek_row(p, l->t, key_of(&k, 1, 1), 2, NOW_S, l->arena, &row, d);
    if (e) return e;
    l->found =
        row ? cell_value(row->cells, row->cell_count, store_column_find(l->t, SLICE("v"))->id, -1)
            : -1;
    return ERR_OK;
}

static void hand_over(struct store_change *c, struct told *told)
{
    CHECK_OK(store_change_commit(c, tell, told), NULL);
}

TEST(in_one_group_each_sees_those_before_and_none_that_was_refused)
{
    struct kit k;
    struct diag d = {0};
    struct told told = {0};
    struct look looks[4];
    struct key key;
    _Atomic bool go = false;
    kit_open(&k, (struct store_options){0});
    const struct store_table *t = make_table(k.s, "c", false);
    struct store_change *c = change_of(&k);
    store_change_decide(c, hold, &go); /* the next gather behind it */
    hand_over(c, &told);
    for (int i = 0; i < 4; i++) {
        looks[i] = (struct look){.t = t, .arena = arena_new(MIB(1))};
        if (i == 1) {
            c = change_of(&k);
            CHECK_OK(put_value(c, t, 1, 1, 11, 5, &d), &d);
            hand_over(c, &told);
        } else if (i == 2) {
            c = change_of(&k);
            store_change_decide(c, refuse, (void *)(uintptr_t)t);
            hand_over(c, &told);
        } else if (i == 3) {
            c = change_of(&k);
            CHECK_OK(store_change_delete_partition(c, t, key_of(&key, 1, 0), 6, NOW_S, &d), &d);
            hand_over(c, &told);
        }
        c = change_of(&k);
        store_change_decide(c, look_at, &looks[i]);
        hand_over(c, &told);
    }
    atomic_store(&go, true);
    wait_told(&told, 8);
    CHECK_INT(told.refused, 1);
    static const int64_t wanted[4] = {-1, 11, 11, -1};
    for (int i = 0; i < 4; i++) {
        CHECK_INT(looks[i].found, wanted[i]);
        arena_free(looks[i].arena);
    }
    CHECK_INT(value_now(&k, t, 1, 1, "v"), -1);
    kit_reopen(&k, (struct store_options){0}); /* that there are partition records is remembered */
    t = store_table_find(k.s, SLICE("ks"), SLICE("c"));
    CHECK(atomic_load(&table_of(t)->past->marks) & MARK_PARTITION_RECORDS);
    CHECK_INT(value_now(&k, t, 1, 1, "v"), -1);
    CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("c"), &d), &d);
    t = store_table_find(k.s, SLICE("ks"), SLICE("c"));
    CHECK_INT(atomic_load(&table_of(t)->past->marks), 0);
    kit_close(&k);
}

/* --- counters -----------------------------------------------------------------------------------
 */

static void count_many(void *arg)
{
    struct adder *me = arg;
    struct diag d = {0};
    struct key k;
    uint16_t v = store_column_find(me->t, SLICE("v"))->id,
             s = store_column_find(me->t, SLICE("s"))->id;
    for (int i = 0; i < TURNS; i++) {
        struct store_change *c = change_of(me->k);
        CHECK_OK(store_change_count(c, me->t, key_of(&k, 1, 1), 2, v, 2, 5, &d), &d);
        CHECK_OK(store_change_count(c, me->t, key_of(&k, 1, 1), 2, v, 1, 5, &d), &d);
        CHECK_OK(store_change_count(c, me->t, key_of(&k, 1, i), 1, s, -1, 5, &d), &d);
        CHECK_OK(store_change_commit_wait(c, &d), &d);
    }
}

TEST(counters_of_many_threads_add_up)
{
    struct kit k;
    struct key key;
    struct diag d = {0};
    struct adder a[THREADS];
    kit_open(&k, (struct store_options){.write_buffer_bytes = MIB(1)});
    const struct store_table *t = make_table(k.s, "n", true);
    for (int i = 0; i < THREADS; i++) {
        a[i] = (struct adder){.k = &k, .t = t};
        CHECK_OK(thread_start(&a[i].thread, "counter", count_many, &a[i], NULL), NULL);
    }
    for (int i = 0; i < THREADS; i++) thread_join(&a[i].thread);
    CHECK_INT(value_now(&k, t, 1, 1, "v"), 3 * THREADS * TURNS);
    CHECK_INT(value_now(&k, t, 1, 1, "s"), -THREADS * TURNS);
    kit_reopen(&k, (struct store_options){0});
    t = store_table_find(k.s, SLICE("ks"), SLICE("n"));
    CHECK_INT(value_now(&k, t, 1, 1, "v"), 3 * THREADS * TURNS);
    struct store_change *c = change_of(&k); /* deleted, it starts at nothing */
    CHECK_OK(store_change_delete_partition(c, t, key_of(&key, 1, 0), 1000000, NOW_S, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    c = change_of(&k);
    uint16_t v = store_column_find(t, SLICE("v"))->id;
    CHECK_OK(store_change_count(c, t, key_of(&key, 1, 1), 2, v, 4, 1000001, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    CHECK_INT(value_now(&k, t, 1, 1, "v"), 4);
    struct store_cell_write gone = {.column = v, .kind = CELL_DELETE};
    struct store_row_write w = {.table = t,
                                .key = key_of(&key, 1, 1),
                                .key_count = 2,
                                .timestamp = 1000002,
                                .now_s = NOW_S,
                                .cells = &gone,
                                .cell_count = 1};
    c = change_of(&k); /* deleted alone, it stays so … */
    CHECK_OK(store_change_row(c, &w, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    c = change_of(&k);
    CHECK_OK(store_change_count(c, t, key_of(&key, 1, 1), 2, v, 5, 1000003, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    CHECK_INT(value_now(&k, t, 1, 1, "v"), -1);
    c = change_of(&k); /* … until its partition goes */
    CHECK_OK(store_change_delete_partition(c, t, key_of(&key, 1, 0), 1000004, NOW_S, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    c = change_of(&k);
    CHECK_OK(store_change_count(c, t, key_of(&key, 1, 1), 2, v, 6, 1000005, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    CHECK_INT(value_now(&k, t, 1, 1, "v"), 6);
    kit_close(&k);
}

struct many {
    const struct store_table *t;
    struct arena *arena;
    int32_t rows;
};

static err_t look_and_write(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    struct many *m = ctx;
    err_t e = ERR_OK;
    for (int32_t i = 0; i < m->rows && !e; i++) {
        struct key k;
        const struct store_row *row;
        e = store_peek_row(p, m->t, key_of(&k, m->rows, i), 2, NOW_S, m->arena, &row, d);
        if (!e) e = put_value(c, m->t, m->rows, i, i, 5, d);
    }
    return e;
}

/* Also as many as fill what remembers them to the brim (128 and 256), which once moved it away
 * under whoever walked it. */
TEST(a_group_may_look_at_any_number_of_rows)
{
    struct kit k;
    struct diag d = {0};
    kit_open(&k, (struct store_options){0});
    struct many m = {.t = make_table(k.s, "c", false), .arena = k.arena};
    for (m.rows = 120; m.rows < 264; m.rows += m.rows == 136 ? 112 : 1) {
        struct store_change *c = change_of(&k);
        store_change_decide(c, look_and_write, &m);
        CHECK_OK(store_change_commit_wait(c, &d), &d);
        for (int32_t i = 0; i < m.rows; i++) CHECK_INT(value_now(&k, m.t, m.rows, i, "v"), i);
    }
    kit_close(&k);
}

/* --- rows that many change ----------------------------------------------------------------------
 */

TEST(a_row_that_is_changed_over_and_over_stays_one_value_to_read)
{
    enum { WRITES = 3000 };
    struct kit k;
    struct diag d = {0};
    struct told told = {0};
    kit_open(&k, (struct store_options){0});
    const struct store_table *t = make_table(k.s, "c", false);
    for (int i = 0; i < WRITES; i++) {
        struct store_change *c = change_of(&k);
        CHECK_OK(put_value(c, t, 1, 1, i, i + 1, &d), &d);
        CHECK_OK(put_value(c, t, 2, i, i, 5, &d), &d);
        hand_over(c, &told);
    }
    wait_told(&told, WRITES);
    struct store_change *c = change_of(&k);
    CHECK_OK(put_value(c, t, 2, 1, 5, 6, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    CHECK_INT(value_now(&k, t, 1, 1, "v"), WRITES - 1);
    uint64_t before = mem_calls(); /* only what came since is merged, not all */
    CHECK_INT(value_now(&k, t, 1, 1, "v"), WRITES - 1);
    CHECK(mem_calls() - before < 20);
    kit_reopen(&k, (struct store_options){0});
    t = store_table_find(k.s, SLICE("ks"), SLICE("c"));
    CHECK_INT(value_now(&k, t, 1, 1, "v"), WRITES - 1);
    CHECK_INT(value_now(&k, t, 2, WRITES - 1, "v"), WRITES - 1);
    kit_close(&k);
}

/* --- what can not be ----------------------------------------------------------------------------
 */

TEST(a_change_of_a_table_that_is_gone_fails_alone)
{
    struct kit k;
    struct diag d = {0};
    kit_open(&k, (struct store_options){0});
    const struct store_table *t = make_table(k.s, "c", false), *u = make_table(k.s, "u", false);
    struct store_change *c = change_of(&k), *both = change_of(&k), *good = change_of(&k);
    CHECK_OK(put_value(c, t, 1, 1, 1, 5, &d), &d);
    CHECK_OK(put_value(both, u, 1, 1, 1, 5, &d), &d);
    CHECK_OK(put_value(both, t, 1, 1, 1, 5, &d), &d);
    CHECK_OK(put_value(good, u, 1, 2, 2, 5, &d), &d);
    CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("c"), &d), &d);
    CHECK_ERR(store_change_commit_wait(c, &d), ERR_UNKNOWN_TABLE);
    CHECK_ERR(store_change_commit_wait(both, &d), ERR_UNKNOWN_TABLE);
    CHECK_OK(store_change_commit_wait(good, &d), &d);
    CHECK_INT(value_now(&k, u, 1, 1, "v"), -1);
    CHECK_INT(value_now(&k, u, 1, 2, "v"), 2);
    kit_close(&k);
}

TEST(what_can_not_be_written_is_refused_and_leaves_the_change_as_it_was)
{
    struct kit k;
    struct key key;
    struct diag d = {0};
    kit_open(&k, (struct store_options){.row_bytes_max = 2000});
    const struct store_table *t = make_table(k.s, "c", false);
    struct store_change *c = change_of(&k);
    uint16_t v = store_column_find(t, SLICE("v"))->id, s = store_column_find(t, SLICE("s"))->id;
    CHECK_OK(put_value(c, t, 1, 1, 1, 5, &d), &d);
    size_t bytes = store_change_bytes(c);
    uint8_t large[3000] = {0};
    struct store_cell_write cell = {.column = v, .value = slice_make(large, sizeof large)};
    struct store_row_write w = {
        .table = t, .key = key_of(&key, 1, 2), .key_count = 2, .cells = &cell, .cell_count = 1};
    CHECK_ERR(store_change_row(c, &w, &d), ERR_TOO_BIG);
    cell = (struct store_cell_write){.column = s};
    CHECK_ERR(store_change_row(c, &w, &d), ERR_UNKNOWN_COLUMN); /* a static in a row */
    cell.column = 900;
    CHECK_ERR(store_change_row(c, &w, &d), ERR_UNKNOWN_COLUMN);
    cell = (struct store_cell_write){.column = v, .kind = CELL_ELEMENT_SET};
    CHECK_ERR(store_change_row(c, &w, &d), ERR_UNKNOWN_COLUMN);
    key.at[0] = slice_make(large, 3);
    cell = (struct store_cell_write){.column = v, .value = slice_make(large, 8)};
    CHECK_ERR(store_change_row(c, &w, &d), ERR_MALFORMED);
    CHECK_INT(store_change_bytes(c), bytes);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    CHECK_INT(value_now(&k, t, 1, 1, "v"), 1);
    CHECK_INT(value_now(&k, t, 1, 2, "v"), -1);
    kit_close(&k);
}

/* --- the clock ----------------------------------------------------------------------------------
 */

TEST(timestamps_grow_when_time_steps_back_and_over_restarts)
{
    struct kit k;
    struct diag d = {0};
    clock_fake_set(1700000000000);
    kit_open(&k, (struct store_options){0});
    const struct store_table *t = make_table(k.s, "c", false);
    int64_t last = store_timestamp(k.s), next;
    CHECK(last >= 1700000000000000);
    for (int i = 0; i < 1000; i++) {
        if (i == 500) clock_fake_set(1600000000000);
        next = store_timestamp(k.s);
        CHECK(next > last);
        last = next;
    }
    struct store_change *c = change_of(&k);
    CHECK_OK(put_value(c, t, 1, 1, 1, last, &d), &d);
    CHECK_OK(store_change_commit_wait(c, &d), &d);
    kit_reopen(&k, (struct store_options){0});
    next = store_timestamp(k.s);
    CHECK(next > last);
    CHECK(next <= last + 2000000);
    kit_close(&k);
    clock_fake_set(-1);
}

TEST(what_has_been_fresh_for_two_seconds_is_written_once_and_the_next_buffer_waits_as_long)
{
    const int64_t look = 500000000;
    const uint64_t much = 3 << 20;
    struct freshness f = {0};
    int64_t now = 1, written = 0;
    for (int i = 0; i < 10; i++, now += look)
        CHECK(!freshness_old(&f, (struct fresh){1000, 1}, now));
    for (int i = 0; i < 41; i++, now += look) { /* at each look as much, also in a new buffer */
        if (!freshness_old(&f, (struct fresh){much, 1}, now)) continue;
        written++;
        freshness_begin(&f);
    }
    CHECK_INT(written, 8); /* after 2, 4.5, 7 … seconds */
    f = (struct freshness){0};
    for (int i = 0; i < 30; i++, now += look) /* buffers that become full by themselves */
        CHECK(!freshness_old(
            &f, (struct fresh){much - (uint64_t)(i % 3) * 100000 + (i % 3 ? 0 : 900000), 1}, now));
    f = (struct freshness){0};
    for (int i = 0; i < 120; i++, now += look) /* a single row, for a minute */
        CHECK(!freshness_old(&f, (struct fresh){1000, 1}, now));
    CHECK(freshness_old(&f, (struct fresh){1000, 1}, now));
    f = (struct freshness){0};
    for (int i = 0; i < 200; i++, now += look) /* nothing is never old */
        CHECK(!freshness_old(&f, (struct fresh){1000, 0}, now));
}
