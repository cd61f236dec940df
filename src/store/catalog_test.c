/* Goal: the catalog keeps all that is declared, over restarts and from older programs; what is made
 * of a type follows it; readers never wait and never see half of a change. */
#include "store/catalog.h"
#include "store/store_kit.h"
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

static const struct store_table *table_named(struct kit *k, const char *name)
{
    return store_table_find(k->s, SLICE("ks"), slice_of(name));
}

static void put_record(struct kit *k, struct slice key, struct slice value)
{
    struct diag d = {0};
    struct store_write *w = kit_begin(k, STORE_LIVE);
    CHECK_OK(store_write_record(w, STORE_CATALOG, key, value), NULL);
    CHECK_OK(store_write_commit(w, &d), &d);
}

static void put_text(struct buf *b, const char *text)
{
    buf_uvarint(b, strlen(text));
    buf_text(b, text);
}

static void put_old_column(struct buf *b, const char *name, const char *type, int role, int id)
{
    put_text(b, name);
    put_text(b, type);
    buf_be(b, (uint64_t)role, 1);
    buf_be(b, 0, 2);
    buf_be(b, 0, 1);
    buf_be(b, (uint64_t)id, 2);
}

TEST(a_catalog_of_the_first_version_is_read_and_altered)
{
    struct kit k;
    struct diag d = {0};
    struct buf b = buf_make(KIB(64));
    kit_open(&k, (struct store_options){0});
    put_record(&k, SLICE("kold"), SLICE("{'class': 'SimpleStrategy', 'replication_factor': 3}"));
    put_record(&k, SLICE("kodd"), SLICE("what ever"));
    buf_be(&b, 1, 1);
    for (int i = 0; i < 16; i++) buf_be(&b, (uint64_t)i, 1);
    buf_be(&b, 5000, 4); /* prefix */
    buf_be(&b, 6, 4);    /* next column */
    buf_be(&b, 60, 4);   /* TTL */
    buf_be(&b, 9, 8);    /* version */
    put_text(&b, "comment = it AND that AND compaction = {'class': 'a AND b'} AND "
                 "gc_grace_seconds = 77 AND AND ");
    buf_uvarint(&b, 2);
    put_old_column(&b, "k", "int", COLUMN_PARTITION, 4);
    put_old_column(&b, "v", "list<frozen<map<text, int>>>", COLUMN_REGULAR, 5);
    put_record(&k, SLICE("told\0t"), buf_view(&b));
    buf_reset(&b);
    buf_be(&b, 5001, 4);
    put_record(&k, SLICE("n"), buf_view(&b));
    kit_reopen(&k, (struct store_options){0});
    const struct store_keyspace *ks = store_keyspace_find(k.s, SLICE("old"));
    CHECK_INT(ks->replication_count, 2);
    CHECK(slice_is(ks->replication[0].value, "org.apache.cassandra.locator.SimpleStrategy"));
    CHECK(slice_is(ks->replication[1].value, "3"));
    CHECK(ks->durable_writes);
    CHECK_INT(store_keyspace_find(k.s, SLICE("odd"))->replication_count, 2);
    const struct store_table *t = store_table_find(k.s, SLICE("old"), SLICE("t"));
    CHECK(t);
    CHECK_INT(t->gc_grace, 77);
    CHECK_INT(t->default_ttl, 60);
    CHECK_INT(t->option_count, 4); /* "that" and "AND " have no '=': names of their own */
    CHECK(slice_is(t->options[0].value, "it"));
    CHECK(slice_is(t->options[2].value, "{'class': 'a AND b'}"));
    CHECK_INT(t->columns[1].type->items[0]->frozen, true);
    struct store_table wanted = *t;
    wanted.gc_grace = 5;
    CHECK_OK(store_table_alter(k.s, t, &wanted, &t, &d), &d);
    kit_reopen(&k, (struct store_options){0});
    t = store_table_find(k.s, SLICE("old"), SLICE("t"));
    CHECK_INT(t->gc_grace, 5);
    CHECK_INT(t->prefix, 5000);
    CHECK(slice_is(t->options[2].value, "{'class': 'a AND b'}"));
    buf_done(&b);
    kit_close(&k);
}

TEST(a_table_is_altered_column_by_column)
{
    struct kit k;
    struct diag d = {0};
    struct store_column columns[8];
    kit_open(&k, (struct store_options){0});
    const struct store_table *t = k.t, *before = t;
    uint64_t version = store_schema_version(k.s);
    struct store_table wanted = *t;
    memcpy(columns, t->columns, t->column_count * sizeof *columns);
    wanted.columns = columns; /* pk, ck, a, b, c: b goes, c is renamed, two come */
    columns[3] = columns[4];
    columns[3].name = SLICE("renamed");
    columns[4] = (struct store_column){.name = SLICE("added"), .type = type_of(TYPE_INT)};
    columns[5] = (struct store_column){
        .name = SLICE("stat"), .type = type_of(TYPE_INT), .role = COLUMN_STATIC};
    wanted.column_count = 6;
    struct store_option option = {SLICE("comment"), SLICE("it's")};
    wanted.options = &option;
    wanted.option_count = 1;
    CHECK_OK(store_table_alter(k.s, t, &wanted, &t, &d), &d);
    CHECK(!store_table_current(before));
    CHECK(store_table_current(t));
    CHECK(store_schema_version(k.s) > version);
    CHECK_ERR(store_table_alter(k.s, before, &wanted, &t, &d), ERR_BUSY);
    for (int i = 0; i < 2; i++) {
        CHECK_INT(t->column_count, 6);
        CHECK(slice_is(t->columns[2].name, "stat"));
        CHECK(slice_is(t->columns[3].name, "a"));
        CHECK(slice_is(t->columns[4].name, "added"));
        CHECK_INT(store_column_find(t, SLICE("renamed"))->id,
                  i ? 8 : store_column_find(before, SLICE("c"))->id);
        CHECK_INT(store_column_find(t, SLICE("added"))->id, 10);
        CHECK_INT(t->dropped_count, 1);
        CHECK(slice_is(t->dropped[0].name, "b"));
        CHECK_INT(t->dropped[0].id, 7);
        CHECK(t->dropped[0].dropped_us > 1000000000000);
        CHECK(slice_is(t->options[0].value, "it's"));
        version = store_schema_version(k.s);
        kit_reopen(&k, (struct store_options){0});
        t = table_named(&k, "t");
        CHECK_INT((int64_t)store_schema_version(k.s), (int64_t)version);
    }
    wanted = *t;
    memcpy(columns, t->columns, t->column_count * sizeof *columns);
    wanted.columns = columns;
    columns[0].type = type_of(TYPE_TEXT);
    CHECK_ERR(store_table_alter(k.s, t, &wanted, &t, &d), ERR_INVALID);
    columns[0] = t->columns[0];
    columns[1].descending = true;
    CHECK_ERR(store_table_alter(k.s, t, &wanted, &t, &d), ERR_INVALID);
    columns[1] = t->columns[1];
    columns[4].name = SLICE("a");
    CHECK_ERR(store_table_alter(k.s, t, &wanted, &t, &d), ERR_EXISTS);
    kit_close(&k);
}

/* --- types --------------------------------------------------------------------------------------
 */

static err_t type_names(void *ctx, const struct type *t)
{
    struct buf *b = ctx;
    buf_printf(b, "%.*s(%u) ", SLICE_ARG(t->name), t->count);
    return b->err;
}

TEST(a_type_that_changes_takes_along_what_is_made_of_it)
{
    struct kit k;
    struct diag d = {0};
    struct buf b = buf_make(KIB(4));
    kit_open(&k, (struct store_options){0});
    const struct type *ints[2] = {type_of(TYPE_INT), type_of(TYPE_TEXT)}, *inner_items[1];
    struct slice names[2] = {SLICE("x"), SLICE("y")};
    struct type z = {
        .kind = TYPE_STRUCT, .count = 1, .items = ints, .names = names, .name = SLICE("z")};
    struct type frozen = z;
    frozen.frozen = true;
    inner_items[0] = &frozen;
    struct type a = {
        .kind = TYPE_STRUCT, .count = 1, .items = inner_items, .names = names, .name = SLICE("a")};
    struct type a_frozen = a;
    a_frozen.frozen = true;
    const struct type *list_items[1] = {&a_frozen};
    struct type list = {.kind = TYPE_LIST, .count = 1, .items = list_items};
    CHECK_OK(store_type_put(k.s, SLICE("ks"), &z, false, &d), &d);
    CHECK_OK(store_type_put(k.s, SLICE("ks"), &a, false, &d), &d);
    CHECK_ERR(store_type_put(k.s, SLICE("ks"), &a, false, &d), ERR_EXISTS);
    CHECK_ERR(store_type_put(k.s, SLICE("ks"), &frozen, true, &d), ERR_USAGE);
    CHECK_ERR(store_type_put(k.s, SLICE("nowhere"), &z, false, &d), ERR_UNKNOWN_NAME);
    struct store_column columns[] = {
        {.name = SLICE("k"), .type = type_of(TYPE_INT), .role = COLUMN_PARTITION},
        {.name = SLICE("l"), .type = &list},
        {.name = SLICE("z"), .type = &z},
    };
    struct store_table wanted = {
        .keyspace = SLICE("ks"), .name = SLICE("u"), .columns = columns, .column_count = 3};
    const struct store_table *t;
    CHECK_OK(store_table_create(k.s, &wanted, &t, &d), &d);
    z.count = 2;
    CHECK_OK(store_type_put(k.s, SLICE("ks"), &z, true, &d), &d);
    CHECK(!store_table_current(t));
    CHECK(store_table_current(k.t)); /* not made of it */
    for (int i = 0; i < 2; i++) {
        t = table_named(&k, "u");
        const struct type *l = store_column_find(t, SLICE("l"))->type;
        CHECK_INT(store_column_find(t, SLICE("z"))->type->count, 2);
        CHECK(!store_column_find(t, SLICE("z"))->type->frozen);
        CHECK_INT(l->items[0]->items[0]->count, 2);
        CHECK(l->items[0]->frozen && l->items[0]->items[0]->frozen && !l->frozen);
        CHECK(slice_is(l->items[0]->items[0]->names[1], "y"));
        CHECK_INT(store_type_find(k.s, SLICE("ks"), SLICE("a"))->items[0]->count, 2);
        buf_reset(&b);
        CHECK_OK(store_types(k.s, SLICE("ks"), type_names, &b), NULL);
        CHECK_TEXT(buf_cstr(&b), "z(2) a(1) "); /* in the order of their making */
        kit_reopen(&k, (struct store_options){0});
    }
    CHECK_OK(store_type_drop(k.s, SLICE("ks"), SLICE("a"), &d), &d);
    CHECK(!store_type_find(k.s, SLICE("ks"), SLICE("a")));
    CHECK_ERR(store_type_drop(k.s, SLICE("ks"), SLICE("a"), &d), ERR_UNKNOWN_NAME);
    buf_done(&b);
    kit_close(&k);
}

TEST(a_keyspace_goes_with_all_inside_and_its_name_may_come_again)
{
    struct kit k;
    struct diag d = {0};
    struct kit_row row = {1, 1, {"a", "b", "c"}};
    struct store_option options[2] = {{SLICE("class"), SLICE("x.Y")}, {SLICE("dc1"), SLICE("2")}};
    struct store_keyspace ks = {
        .name = SLICE("ks"), .replication = options, .replication_count = 2};
    kit_open(&k, (struct store_options){0});
    CHECK_ERR(store_keyspace_put(k.s, &ks, false, &d), ERR_EXISTS);
    CHECK_OK(store_keyspace_put(k.s, &ks, true, &d), &d);
    CHECK(!store_keyspace_find(k.s, SLICE("ks"))->durable_writes);
    kit_put(&k, STORE_LIVE, &row, 1, (struct kit_write){.timestamp = 1});
    CHECK_OK(store_keyspace_drop(k.s, SLICE("ks"), &d), &d);
    CHECK(!store_keyspace_exists(k.s, SLICE("ks")));
    CHECK(!table_named(&k, "t"));
    CHECK(!store_table_current(k.t));
    CHECK_ERR(store_keyspace_drop(k.s, SLICE("ks"), &d), ERR_UNKNOWN_NAME);
    CHECK_ERR(store_keyspace_put(k.s, &ks, true, &d), ERR_UNKNOWN_NAME);
    k.t = kit_table(k.s, "t", false);
    CHECK_TEXT(kit_rows(&k, NULL, 0), "");
    kit_reopen(&k, (struct store_options){0});
    CHECK_TEXT(kit_rows(&k, NULL, 0), "");
    kit_close(&k);
}

/* --- readers beside changes ---------------------------------------------------------------------
 */

struct reader {
    struct kit *k;
    struct thread thread;
    _Atomic bool stop;
    _Atomic int made; /* tables that must be found by now */
};

static err_t count_table(void *ctx, const struct store_table *t)
{
    *(int *)ctx += t->column_count > 0;
    return ERR_OK;
}

static void read_on(void *arg)
{
    struct reader *me = arg;
    char name[16];
    while (!atomic_load(&me->stop)) {
        int made = atomic_load(&me->made), all = 0;
        for (int i = 0; i < made; i++) {
            snprintf(name, sizeof name, "t%d", i);
            const struct store_table *t = table_named(me->k, name);
            CHECK(t && slice_is(t->name, name));
        }
        CHECK_OK(store_tables(me->k->s, count_table, &all), NULL);
        CHECK(all > made);
    }
}

TEST(names_are_found_while_others_are_made)
{
    enum { TABLES = 150 };
    struct kit k;
    char name[16];
    kit_open(&k, (struct store_options){0});
    struct reader r = {.k = &k};
    CHECK_OK(thread_start(&r.thread, "reader", read_on, &r, NULL), NULL);
    for (int i = 0; i < TABLES; i++) {
        snprintf(name, sizeof name, "t%d", i);
        kit_table(k.s, name, false);
        atomic_store(&r.made, i + 1);
    }
    atomic_store(&r.stop, true);
    thread_join(&r.thread);
    kit_close(&k);
}

/* --- upkeep -------------------------------------------------------------------------------------
 */

TEST(a_checkpoint_is_a_store_as_of_then)
{
    struct kit k;
    struct diag d = {0};
    struct store_table_stats stats;
    char path[300];
    enum { ROWS = 4000 };
    static struct kit_row rows[ROWS];
    for (int i = 0; i < ROWS; i++) rows[i] = (struct kit_row){i, 1, {"some", "text", NULL}};
    kit_open(&k, (struct store_options){0});
    kit_put(&k, STORE_LIVE, rows, 200, (struct kit_write){.timestamp = 1});
    CHECK_OK(store_table_stats(k.s, k.t, &stats, &d), &d);
    CHECK_INT((int64_t)stats.rows_estimate, 200);
    CHECK(stats.exact);
    snprintf(path, sizeof path, "%s/copy", test_dir());
    CHECK_OK(store_checkpoint(k.s, path, &d), &d);
    CHECK_ERR(store_checkpoint(k.s, path, &d), ERR_EXISTS);
    kit_put(&k, STORE_CATCHUP, rows, ROWS, (struct kit_write){.timestamp = 2});
    CHECK_OK(store_flush(k.s, &d), &d);
    CHECK_OK(store_table_compact(k.s, k.t, &d), &d);
    CHECK_OK(store_table_stats(k.s, k.t, &stats, &d), &d);
    CHECK_INT((int64_t)stats.rows_estimate, ROWS);
    CHECK(stats.disk_bytes > 10000);
    struct kit copy = {.arena = k.arena};
    CHECK_OK(store_open(&(struct store_options){.dir = path}, &copy.s, &d), &d);
    copy.t = store_table_find(copy.s, SLICE("ks"), SLICE("t"));
    CHECK_OK(store_table_stats(copy.s, copy.t, &stats, &d), &d);
    CHECK_INT((int64_t)stats.rows_estimate, 200);
    store_close(copy.s);
    kit_close(&k);
}

TEST(a_table_is_estimated_by_files_alone_however_long_the_log_is)
{
    enum { ROWS = 20000, LARGE = 20 };
    struct kit k;
    struct diag d = {0};
    struct store_table_stats stats;
    static struct kit_row rows[ROWS], large[LARGE];
    static char text[MIB(1)];
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < ROWS; i++) rows[i] = (struct kit_row){i, 1, {"some", "text", NULL}};
    for (int i = 0; i < LARGE; i++) large[i] = (struct kit_row){i, 2, {text, NULL, NULL}};
    kit_open(&k, (struct store_options){0});
    kit_put(&k, STORE_CATCHUP, rows, ROWS, (struct kit_write){.timestamp = 1});
    CHECK_OK(store_flush(k.s, &d), &d);
    CHECK_OK(store_table_stats(k.s, k.t, &stats, &d), &d);
    uint64_t before = stats.disk_bytes;
    kit_put(&k, STORE_LIVE, large, LARGE, (struct kit_write){.timestamp = 2});
    CHECK(store_stats(k.s).disk_bytes > 5 * before); /* mostly log, of very few rows */
    CHECK_OK(store_table_stats(k.s, k.t, &stats, &d), &d);
    CHECK(!stats.exact);
    CHECK(stats.rows_estimate > ROWS * 9 / 10 && stats.rows_estimate < ROWS * 11 / 10);
    CHECK_INT((int64_t)store_table_sizes(k.s, k.t).rows, (int64_t)stats.rows_estimate);
    kit_close(&k);
}

/* --- held tables --------------------------------------------------------------------------------
 */

struct holding {
    struct store *s;
    _Atomic bool stop;
    _Atomic uint32_t held;
};

/* Holds the table again and again; while it does, the table is there. */
static void hold_and_release(void *ctx)
{
    struct holding *h = ctx;
    while (!atomic_load(&h->stop)) {
        struct store_hold *hold = NULL;
        struct diag d = {0};
        err_t e =
            store_table_hold(h->s, SLICE("ks"), SLICE("x"), HOLD_TABLE, SLICE("a test"), &hold, &d);
        if (e) {
            CHECK_INT(e, ERR_UNKNOWN_TABLE);
            continue;
        }
        for (int i = 0; i < 2000; i++)
            CHECK(store_table_find(h->s, SLICE("ks"), SLICE("x")) != NULL);
        store_hold_release(hold);
        atomic_fetch_add(&h->held, 1);
        for (int i = 0; i < 2000; i++) (void)store_table_find(h->s, SLICE("ks"), SLICE("x"));
    }
}

static err_t make_x(struct store *s, struct diag *d)
{
    struct store_column columns[] = {
        {.name = SLICE("k"), .type = type_of(TYPE_INT), .role = COLUMN_PARTITION}};
    struct store_table t = {
        .keyspace = SLICE("ks"), .name = SLICE("x"), .columns = columns, .column_count = 1};
    const struct store_table *made;
    return store_table_create(s, &t, &made, d);
}

TEST(a_table_goes_or_is_held_never_both)
{
    struct kit k;
    struct diag d = {0};
    struct thread t = {0};
    kit_open(&k, (struct store_options){0});
    struct holding h = {.s = k.s};
    CHECK_OK(make_x(k.s, &d), &d);
    CHECK_OK(thread_start(&t, "hold", hold_and_release, &h, &d), &d);
    uint32_t dropped = 0, refused = 0;
    while (!atomic_load(&h.held)) sched_yield();
    for (int i = 0; i < 10000000 && dropped < 20000 && (dropped < 20 || refused < 20); i++) {
        err_t e = store_table_drop(k.s, SLICE("ks"), SLICE("x"), &d);
        if (!e) CHECK_OK(make_x(k.s, &d), &d);
        sched_yield();
        if (!e)
            dropped++;
        else if (e == ERR_INVALID)
            refused++;
        else
            CHECK_OK(e, &d);
    }
    atomic_store(&h.stop, true);
    thread_join(&t);
    CHECK(dropped > 0);
    CHECK(refused > 0);
    kit_close(&k);
}

/* --- tables that change places ------------------------------------------------------------------
 */

static err_t no_value(void *ctx, struct slice key, struct slice value)
{
    (void)key, (void)value;
    (*(int *)ctx)++;
    return ERR_OK;
}

TEST(two_tables_change_places_with_flows_records_in_one_write)
{
    struct kit k;
    struct diag d = {0};
    struct store_hold *hold = NULL;
    int records = 0;
    const struct store_put puts[] = {{STORE_META, SLICE("one"), SLICE("1")},
                                     {STORE_META, SLICE("two"), SLICE("2")}};
    kit_open(&k, (struct store_options){0});
    const struct store_table *old = k.t, *new = kit_table(k.s, "u", true);
    kit_put(&k, STORE_LIVE, &(struct kit_row){1, 1, {"old", NULL, NULL}}, 1,
            (struct kit_write){.timestamp = 1});
    k.t = new;
    kit_put(&k, STORE_LIVE, &(struct kit_row){2, 1, {"new", NULL, NULL}}, 1,
            (struct kit_write){.timestamp = 1});
    struct store_write *late = kit_begin(&k, STORE_LIVE);
    CHECK_OK(kit_add(&k, late, &(struct kit_row){3, 1, {"late", NULL, NULL}}, 1,
                     (struct kit_write){.timestamp = 2}),
             NULL);
    CHECK_OK(store_table_hold(k.s, SLICE("ks"), SLICE("t"), HOLD_TABLE, SLICE("a test"), &hold, &d),
             &d);
    const struct store_table *gone = kit_table(k.s, "gone", true), *seen = new;
    CHECK_OK(store_table_drop(k.s, SLICE("ks"), SLICE("gone"), &d), &d);
    CHECK_ERR(store_table_exchange(k.s, old, gone, puts, 2, &d), ERR_UNKNOWN_TABLE);
    CHECK_OK(store_table_alter(k.s, seen, seen, &new, &d), &d);
    CHECK_ERR(store_table_exchange(k.s, old, seen, puts, 2, &d), ERR_BUSY);
    CHECK_OK(store_records(k.s, NULL, STORE_META, SLICE("one"), (struct slice){0}, no_value,
                           &records, &d),
             &d);
    CHECK_INT(records, 0);
    CHECK_OK(store_table_exchange(k.s, old, new, puts, 2, &d), &d);
    CHECK_ERR(store_write_commit(late, &d), ERR_UNKNOWN_TABLE); /* its table is another one now */
    k.t = old;
    CHECK_TEXT(kit_rows(&k, NULL, 0), "1,1:old|-|-;"); /* who found it before reads on */
    CHECK_ERR(store_table_drop(k.s, SLICE("ks"), SLICE("t"), &d), ERR_INVALID); /* held by name */
    store_hold_release(hold);
    for (int again = 0; again < 2; again++) {
        k.t = table_named(&k, "t");
        CHECK_TEXT(kit_rows(&k, NULL, 0), "2,1:new|-|-;");
        k.t = table_named(&k, "u");
        CHECK_TEXT(kit_rows(&k, NULL, 0), "1,1:old|-|-;");
        kit_reopen(&k, (struct store_options){0});
    }
    CHECK_OK(store_records(k.s, NULL, STORE_META, SLICE("one"), (struct slice){0}, no_value,
                           &records, &d),
             &d);
    CHECK_INT(records, 1);
    CHECK_OK(store_table_drop(k.s, SLICE("ks"), SLICE("u"), &d), &d);
    k.t = table_named(&k, "t");
    CHECK_TEXT(kit_rows(&k, NULL, 0), "2,1:new|-|-;");
    kit_close(&k);
}
