/* Goal: a table's number grows with each commit of its rows, however they come, and with nothing
 * else; after a restart it goes on above all that was ever seen. */
#include "os/thread.h"
#include "store/change.h"
#include "store/store_kit.h"

enum { MANY = 600 /* rows that make a file of an epoch */, WRITERS = 4, TURNS = 100 };

static uint64_t of(struct kit *k, const char *name)
{
    return store_table_written(store_table_find(k->s, SLICE("ks"), slice_of(name)));
}

static err_t put_text(struct kit *k, struct store_change *c, const struct store_table *t,
                      int32_t at)
{
    uint8_t bytes[4];
    struct buf b = buf_over(bytes, sizeof bytes);
    struct diag d = {0};
    buf_be(&b, (uint32_t)at, 4);
    struct slice key[2] = {buf_view(&b), buf_view(&b)};
    struct store_cell_write cell = {.column = t->columns[2].id, .value = SLICE("x")};
    struct store_row_write w = {.table = t,
                                .key = key,
                                .key_count = 2,
                                .timestamp = store_timestamp(k->s),
                                .now_s = 1,
                                .marker = true,
                                .cells = &cell,
                                .cell_count = 1};
    err_t e = store_change_row(c, &w, &d);
    CHECK_OK(e, &d);
    return e;
}

static err_t applies(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    (void)p, (void)d;
    struct kit *k = ctx;
    return put_text(k, c, k->t, 3);
}

static err_t applies_not(void *ctx, struct store_change *c, struct store_peek *p, struct diag *d)
{
    (void)ctx, (void)c, (void)p, (void)d;
    return ERR_OK;
}

static err_t commit(struct kit *k, store_decide *decide)
{
    struct store_change *c = NULL;
    struct diag d = {0};
    CHECK_OK(store_change_new(k->s, &c), NULL);
    if (decide)
        store_change_decide(c, decide, k);
    else
        CHECK_OK(put_text(k, c, k->t, 2), NULL);
    return store_change_commit_wait(c, &d);
}

TEST(a_tables_number_grows_with_its_rows_commits_alone)
{
    struct kit k;
    struct diag d = {0};
    struct kit_row rows[MANY];
    kit_open(&k, (struct store_options){0});
    (void)kit_table(k.s, "other", false);
    CHECK_INT(of(&k, "t"), 0);
    for (int32_t i = 0; i < MANY; i++) rows[i] = (struct kit_row){1, i, {"a", NULL, NULL}};
    kit_put(&k, STORE_LIVE, rows, 1, (struct kit_write){.timestamp = 1});
    CHECK_INT(of(&k, "t"), 1);
    kit_put(&k, STORE_CATCHUP, rows, MANY, (struct kit_write){.timestamp = 2});
    CHECK_INT(of(&k, "t"), 2);
    CHECK_OK(commit(&k, NULL), NULL);
    CHECK_INT(of(&k, "t"), 3);
    CHECK_OK(commit(&k, applies), NULL);
    CHECK_INT(of(&k, "t"), 4);
    CHECK_OK(commit(&k, applies_not), NULL);
    struct store_write *w = kit_begin(&k, STORE_LIVE);
    CHECK_OK(kit_add(&k, w, rows, 2, (struct kit_write){.timestamp = 3}), NULL);
    store_write_abort(w);
    w = kit_begin(&k, STORE_LIVE);
    CHECK_OK(store_write_record(w, STORE_CURSOR, SLICE("at"), SLICE("x")), NULL);
    CHECK_OK(store_write_commit(w, &d), &d);
    CHECK_INT(of(&k, "t"), 4);
    CHECK_INT(of(&k, "other"), 0);
    kit_reopen(&k, (struct store_options){0});
    k.t = store_table_find(k.s, SLICE("ks"), SLICE("t"));
    CHECK_INT(of(&k, "t"), 4);
    CHECK_OK(commit(&k, NULL), NULL);
    CHECK(of(&k, "t") > 4);
    CHECK_INT(of(&k, "other"), 0);
    kit_close(&k);
}

TEST(a_tables_number_goes_with_its_rows)
{
    struct kit k;
    struct diag d = {0};
    struct kit_row row = {1, 1, {"a", NULL, NULL}};
    kit_open(&k, (struct store_options){0});
    const struct store_table *other = kit_table(k.s, "other", false);
    for (int i = 0; i < 3; i++)
        kit_put(&k, STORE_LIVE, &row, 1, (struct kit_write){.timestamp = i});
    CHECK_OK(store_table_exchange(k.s, k.t, other, NULL, 0, &d), &d);
    CHECK_INT(of(&k, "t"), 0);
    CHECK_INT(of(&k, "other"), 3);
    kit_reopen(&k, (struct store_options){0});
    CHECK_INT(of(&k, "t"), 0);
    CHECK_INT(of(&k, "other"), 3);
    CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("other"), &d), &d);
    CHECK_INT(of(&k, "other"), 0);
    CHECK_OK(store_table_drop(k.s, SLICE("ks"), SLICE("other"), &d), &d);
    (void)kit_table(k.s, "other", false);
    kit_reopen(&k, (struct store_options){0});
    CHECK_INT(of(&k, "other"), 0);
    kit_close(&k);
}

struct writer {
    struct kit *k;
    struct thread thread;
    uint64_t seen;
};

static void write_many(void *arg)
{
    struct writer *me = arg;
    struct kit_row row = {5, 5, {"a", NULL, NULL}};
    for (int i = 0; i < TURNS; i++) {
        uint64_t before = of(me->k, "t");
        if (i % 2)
            kit_put(me->k, STORE_LIVE, &row, 1, (struct kit_write){.timestamp = i});
        else
            CHECK_OK(commit(me->k, NULL), NULL);
        me->seen = of(me->k, "t");
        CHECK(me->seen > before); /* who was told sees it */
    }
}

TEST(after_a_restart_every_write_is_above_what_many_writers_saw)
{
    struct kit k;
    struct writer all[WRITERS];
    uint64_t seen = 0;
    kit_open(&k, (struct store_options){0});
    for (int i = 0; i < WRITERS; i++) {
        all[i] = (struct writer){.k = &k};
        CHECK_OK(thread_start(&all[i].thread, "writer", write_many, &all[i], NULL), NULL);
    }
    for (int i = 0; i < WRITERS; i++) {
        thread_join(&all[i].thread);
        seen = MAX(seen, all[i].seen);
    }
    kit_reopen(&k, (struct store_options){0});
    k.t = store_table_find(k.s, SLICE("ks"), SLICE("t"));
    CHECK(of(&k, "t") <= seen);
    CHECK_OK(commit(&k, NULL), NULL);
    CHECK(of(&k, "t") > seen);
    kit_close(&k);
}
