/* Goal: many threads commit, read and change the catalog at once; every snapshot shows whole
 * epochs, and what was dropped takes no more writes. */
#include "store/store_kit.h"
#include <stdatomic.h>

enum { WRITERS = 3, EPOCHS = 30, ROWS = 300, TRUNCATES = 100 };

struct crowd {
    struct kit *k;
    _Atomic int writing;
    _Atomic bool stop;
};
struct writer {
    struct crowd *c;
    struct thread thread;
    int32_t number;
};

static void write_epochs(void *arg)
{
    struct writer *me = arg;
    struct kit k = *me->c->k;
    struct kit_row rows[ROWS];
    struct diag d = {0};
    for (int32_t e = 0; e < EPOCHS; e++) {
        for (int i = 0; i < ROWS; i++)
            rows[i] = (struct kit_row){me->number * 1000 + e, i, {"a", "b", NULL}};
        kit_put(&k, (e + me->number) & 1 ? STORE_LIVE : STORE_CATCHUP, rows, ROWS,
                (struct kit_write){.timestamp = 1});
        if (e % 5 == 0) { /* a table that another thread truncates meanwhile */
            k.t = store_table_find(k.s, SLICE("ks"), SLICE("shaken"));
            struct store_write *w = kit_begin(&k, STORE_LIVE);
            CHECK_OK(kit_add(&k, w, rows, ROWS, (struct kit_write){.timestamp = 1}), NULL);
            err_t err = store_write_commit(w, &d);
            CHECK(err == ERR_OK || err == ERR_UNKNOWN_TABLE);
            k.t = me->c->k->t;
        }
    }
    me->c->writing--;
}

static void shake(void *arg)
{
    struct crowd *c = arg;
    struct diag d = {0};
    for (int i = 0; i < TRUNCATES && !c->stop; i++)
        CHECK_OK(store_table_truncate(c->k->s, SLICE("ks"), SLICE("shaken"), &d), &d);
}

static uint32_t rows_now(struct kit *k, const struct store_table *t, struct store_snapshot *n)
{
    struct store_scan_options o = {.table = t};
    struct store_scan *c;
    struct column_batch b = {.arena = arena_new(MIB(16))};
    CHECK_OK(store_scan_open(k->s, n, &o, &c, NULL), NULL);
    CHECK_OK(store_scan_next(c, WRITERS * EPOCHS * ROWS + 1, &b, NULL, NULL), NULL);
    uint32_t rows = b.rows;
    store_scan_close(c);
    arena_free(b.arena);
    return rows;
}

TEST(a_crowd_of_writers_readers_and_truncates_keeps_epochs_whole)
{
    struct kit k;
    struct writer writers[WRITERS];
    struct thread shaker = {0};
    struct diag d = {0};
    kit_open(&k, (struct store_options){.write_buffer_bytes = MIB(1)});
    kit_table(k.s, "shaken", false);
    struct crowd c = {.k = &k, .writing = WRITERS};
    for (int32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.c = &c, .number = i};
        CHECK_OK(thread_start(&writers[i].thread, "writer", write_epochs, &writers[i], NULL), NULL);
    }
    CHECK_OK(thread_start(&shaker, "shaker", shake, &c, NULL), NULL);
    uint32_t last = 0;
    while (c.writing) {
        struct store_snapshot *n = store_snapshot(k.s);
        uint32_t rows = rows_now(&k, k.t, n);
        CHECK_INT(rows % ROWS, 0);
        CHECK(rows >= last);
        CHECK_INT(rows_now(&k, k.t, n), rows);
        last = rows;
        store_snapshot_free(n);
    }
    for (int i = 0; i < WRITERS; i++) thread_join(&writers[i].thread);
    c.stop = true;
    thread_join(&shaker);
    CHECK_INT(rows_now(&k, k.t, NULL), WRITERS * EPOCHS * ROWS);
    CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("shaken"), &d), &d);
    CHECK_INT(rows_now(&k, store_table_find(k.s, SLICE("ks"), SLICE("shaken")), NULL), 0);
    kit_close(&k);
}
