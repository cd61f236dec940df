/* Goal: what is written is read, in both forms, as Cassandra would say it: last write wins, nulls
 * overwrite, TTLs end, snapshots stand still, dropped tables stay empty. */
#include "base/hash.h"
#include "store/store_kit.h"
#include <stdlib.h>

static const struct kit_row sample[] = {
    {1, 2, {"a", "b", "c"}}, {1, 1, {"d", NULL, "f"}}, {2, 5, {NULL, NULL, NULL}}};

/* Rows of one partition stand together; which partition comes first is the token's business. */
static const char *sample_text(void)
{
    return "1,1:d|-|f;1,2:a|b|c;2,5:-|-|-;";
}

TEST(both_forms_give_the_same_rows_and_files_of_few_rows_are_batches)
{
    for (int form = STORE_LIVE; form <= STORE_CATCHUP; form++) {
        struct kit k;
        kit_open(&k, (struct store_options){0});
        kit_put(&k, (enum store_form)form, sample, 3, (struct kit_write){.timestamp = 5});
        CHECK_TEXT(kit_rows(&k, NULL, 0), sample_text());
        kit_reopen(&k, (struct store_options){0});
        CHECK_TEXT(kit_rows(&k, NULL, 0), sample_text());
        CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("t"), NULL), NULL);
        kit_close(&k);
    }
}

/* The same random epochs into two tables, one by each form, merged by compactions or on reading. */
TEST(random_epochs_by_either_form_end_in_the_same_rows)
{
    enum { EPOCHS = 12, ROWS = 700 };
    static const char *const words[] = {"x", "yy", "", "zzz", NULL};
    struct kit live, catchup;
    uint64_t seed = 3;
    kit_open(&live, (struct store_options){.write_buffer_bytes = MIB(1)});
    live.t = kit_table(live.s, "live", true);
    catchup = live;
    catchup.t = kit_table(live.s, "catchup", true);
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        struct kit_row rows[ROWS];
        for (int i = 0; i < ROWS; i++) {
            rows[i] = (struct kit_row){.pk = (int32_t)(test_random(&seed) % 50),
                                       .ck = (int32_t)(test_random(&seed) % 40) - 20};
            for (int c = 0; c < KIT_TEXTS; c++)
                rows[i].texts[c] = words[test_random(&seed) % COUNT_OF(words)];
        }
        struct kit_write how = {.timestamp = (int64_t)(test_random(&seed) % 4),
                                .ttl = epoch % 3 ? 0 : 100,
                                .now_ms = 1000,
                                .columns = (uint32_t)(test_random(&seed) % 3) + 1,
                                .lineage = epoch & 1};
        kit_put(&live, STORE_LIVE, rows, ROWS, how);
        kit_put(&catchup, STORE_CATCHUP, rows, ROWS, how);
        if (epoch == 5) CHECK_OK(store_compact(live.s, NULL), NULL);
    }
    const char *want = kit_rows(&live, NULL, 2000);
    CHECK(strlen(want) > 10000);
    CHECK_TEXT(kit_rows(&catchup, NULL, 2000), want);
    CHECK_TEXT(kit_rows(&catchup, NULL, 200000), kit_rows(&live, NULL, 200000));
    CHECK(strcmp(want, kit_rows(&live, NULL, 200000)) != 0);
    CHECK_OK(store_compact(live.s, NULL), NULL);
    CHECK_TEXT(kit_rows(&catchup, NULL, 2000), want);
    CHECK_TEXT(kit_rows(&live, NULL, 2000), want);
    kit_close(&live);
}

TEST(the_later_write_wins_whatever_came_in_first_and_null_overwrites)
{
    struct kit k;
    struct value key[2] = {value_i64(TYPE_INT, 1), value_i64(TYPE_INT, 1)};
    kit_open(&k, (struct store_options){0});
    struct kit_row newer = {1, 1, {"new", NULL, NULL}}, older = {1, 1, {"old", "old", "old"}};
    kit_put(&k, STORE_LIVE, &newer, 1, (struct kit_write){.timestamp = 9, .columns = 2});
    kit_put(&k, STORE_LIVE, &older, 1, (struct kit_write){.timestamp = 5});
    CHECK_TEXT(kit_find(&k, key, 2, 0), "1,1:new|-|old;");
    CHECK_OK(store_flush(k.s, NULL), NULL);
    kit_put(&k, STORE_LIVE, &older, 1, (struct kit_write){.timestamp = 10, .replace = true});
    CHECK_TEXT(kit_find(&k, key, 2, 0), "1,1:old|old|old;");
    CHECK_TEXT(kit_find(&k, key, 1, 0), "1,1:old|old|old;");
    key[1] = value_i64(TYPE_INT, 2);
    CHECK_TEXT(kit_find(&k, key, 2, 0), "");
    kit_close(&k);
}

/* Rows go with an epoch: what is older than their removal is dead, what comes later stands, and a
 * removal and a write of one epoch go by their times. */
TEST(rows_removed_in_an_epoch_are_gone_up_to_its_time)
{
    static const struct kit_row gone[] = {{1, 2, {NULL}}, {2, 5, {NULL}}, {7, 7, {NULL}}};
    static const struct kit_row late[] = {{1, 2, {"old"}}}, again[] = {{2, 5, {"new"}}};
    for (int form = STORE_LIVE; form <= STORE_CATCHUP; form++) {
        struct kit k;
        enum store_form f = (enum store_form)form;
        kit_open(&k, (struct store_options){0});
        kit_put(&k, f, sample, 3, (struct kit_write){.timestamp = 5});
        kit_put(&k, f, gone, 3, (struct kit_write){.timestamp = 10, .remove = true});
        CHECK_TEXT(kit_rows(&k, NULL, 0), "1,1:d|-|f;");
        kit_put(&k, f, late, 1, (struct kit_write){.timestamp = 9});
        kit_put(&k, f, again, 1, (struct kit_write){.timestamp = 11});
        CHECK_TEXT(kit_rows(&k, NULL, 0), "1,1:d|-|f;2,5:new|-|-;");
        struct store_write *w = kit_begin(&k, f);
        struct diag d = {0};
        CHECK_OK(kit_add(&k, w, sample, 1, (struct kit_write){.timestamp = 21}), NULL);
        CHECK_OK(kit_add(&k, w, gone, 2, (struct kit_write){.timestamp = 20, .remove = true}),
                 NULL);
        CHECK_OK(store_write_commit(w, &d), &d);
        kit_reopen(&k, (struct store_options){0});
        CHECK_TEXT(kit_rows(&k, NULL, 0), "1,1:d|-|f;1,2:a|b|c;");
        CHECK_OK(store_compact(k.s, &d), &d);
        CHECK_TEXT(kit_rows(&k, NULL, 0), "1,1:d|-|f;1,2:a|b|c;");
        CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("t"), &d), &d);
        kit_close(&k);
    }
}

TEST(in_one_batch_the_last_write_of_a_key_stands)
{
    struct kit k;
    struct kit_row a = {1, 1, {"a", "a", "a"}}, b = {1, 1, {"b", NULL, "b"}};
    for (int form = STORE_LIVE; form <= STORE_CATCHUP; form++) {
        for (int replace = 0; replace < 2; replace++) {
            kit_open(&k, (struct store_options){0});
            struct store_write *w = kit_begin(&k, (enum store_form)form);
            struct kit_row many[300];
            for (int i = 0; i < 300; i++) many[i] = (struct kit_row){7, i, {"m", "m", "m"}};
            CHECK_OK(kit_add(&k, w, many, 300, (struct kit_write){.timestamp = 1}), NULL);
            struct kit_write how = {.timestamp = 5, .replace = replace};
            CHECK_OK(kit_add(&k, w, &a, 1, how), NULL);
            how.timestamp = 6;
            CHECK_OK(kit_add(&k, w, &b, 1, how), NULL);
            CHECK_OK(store_write_commit(w, NULL), NULL);
            struct value key = value_i64(TYPE_INT, 1);
            CHECK_TEXT(kit_find(&k, &key, 1, 0), "1,1:b|-|b;");
            CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("t"), NULL), NULL);
            kit_close(&k);
        }
    }
}

TEST(rows_and_cells_end_with_their_ttl)
{
    struct kit k;
    struct kit_row lasting = {1, 1, {"x", "y", "z"}}, first = {1, 1, {"brief", "-", "-"}},
                   brief = {1, 2, {"q", "q", "q"}};
    kit_open(&k, (struct store_options){0});
    kit_put(&k, STORE_LIVE, &lasting, 1, (struct kit_write){.timestamp = 1});
    kit_put(&k, STORE_LIVE, &first, 1,
            (struct kit_write){.timestamp = 2, .columns = 1, .ttl = 10, .now_ms = 5000});
    kit_put(&k, STORE_LIVE, &brief, 1,
            (struct kit_write){.timestamp = 2, .ttl = 20, .now_ms = 5000});
    CHECK_TEXT(kit_rows(&k, NULL, 14999), "1,1:brief|y|z;1,2:q|q|q;");
    CHECK_TEXT(kit_rows(&k, NULL, 15000), "1,1:-|y|z;1,2:q|q|q;");
    CHECK_OK(store_compact(k.s, NULL), NULL);
    CHECK_TEXT(kit_rows(&k, NULL, 24999), "1,1:-|y|z;1,2:q|q|q;");
    CHECK_TEXT(kit_rows(&k, NULL, 25000), "1,1:-|y|z;");
    kit_close(&k);
}

TEST(a_snapshot_stands_still_in_both_forms_and_through_truncate)
{
    struct kit k;
    struct kit_row rows[300];
    kit_open(&k, (struct store_options){0});
    kit_put(&k, STORE_LIVE, sample, 3, (struct kit_write){.timestamp = 5});
    struct store_snapshot *n = store_snapshot(k.s);
    for (int i = 0; i < 300; i++) rows[i] = (struct kit_row){1, i, {"n", "n", "n"}};
    kit_put(&k, STORE_CATCHUP, rows, 300, (struct kit_write){.timestamp = 6});
    CHECK_TEXT(kit_rows(&k, n, 0), sample_text());
    CHECK(strcmp(kit_rows(&k, NULL, 0), sample_text()) != 0);
    CHECK_OK(store_flush(k.s, NULL), NULL);
    CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("t"), NULL), NULL);
    CHECK_OK(store_compact(k.s, NULL), NULL);
    CHECK_TEXT(kit_rows(&k, n, 0), sample_text()); /* k.t is the old table still */
    store_snapshot_free(n);
    CHECK_TEXT(kit_rows(&k, NULL, 0), "");
    kit_close(&k);
}

TEST(dropped_and_truncated_tables_show_no_old_rows_and_take_no_late_writes)
{
    struct kit k;
    struct diag d = {0};
    kit_open(&k, (struct store_options){0});
    kit_put(&k, STORE_LIVE, sample, 3, (struct kit_write){.timestamp = 5});
    uint32_t first = k.t->prefix;
    struct store_write *late = kit_begin(&k, STORE_LIVE);
    CHECK_OK(kit_add(&k, late, sample, 3, (struct kit_write){.timestamp = 9}), NULL);
    CHECK_OK(store_table_drop(k.s, SLICE("ks"), SLICE("t"), &d), &d);
    CHECK(!store_table_find(k.s, SLICE("ks"), SLICE("t")));
    CHECK_ERR(store_write_commit(late, &d), ERR_UNKNOWN_TABLE);
    CHECK_ERR(store_table_drop(k.s, SLICE("ks"), SLICE("t"), &d), ERR_UNKNOWN_TABLE);
    kit_reopen(&k, (struct store_options){0}); /* which creates it again */
    CHECK(k.t->prefix > first);
    CHECK_TEXT(kit_rows(&k, NULL, 0), "");
    kit_put(&k, STORE_LIVE, sample, 3, (struct kit_write){.timestamp = 1});
    CHECK_TEXT(kit_rows(&k, NULL, 0), sample_text());
    CHECK_OK(store_table_truncate(k.s, SLICE("ks"), SLICE("t"), &d), &d);
    kit_reopen(&k, (struct store_options){0});
    CHECK_TEXT(kit_rows(&k, NULL, 0), "");
    CHECK_INT(k.t->column_count, 5);
    CHECK(slice_is(k.t->columns[2].name, "a") && slice_is(k.t->columns[4].name, "c"));
    kit_close(&k);
}

TEST(names_and_columns_that_can_not_be_are_refused_with_their_reason)
{
    struct kit k;
    const struct store_table *t;
    struct diag d = {0};
    kit_open(&k, (struct store_options){0});
    struct store_column pk = {
        .name = SLICE("k"), .type = type_of(TYPE_INT), .role = COLUMN_PARTITION};
    struct store_column columns[2] = {pk, {.name = SLICE("v"), .type = type_of(TYPE_INT)}};
    struct store_table w = {
        .keyspace = SLICE("ks"), .name = SLICE("t"), .columns = columns, .column_count = 2};
    CHECK_ERR(store_table_create(k.s, &w, &t, &d), ERR_EXISTS);
    CHECK_ERR(store_keyspace_create(k.s, SLICE("ks"), SLICE(""), &d), ERR_EXISTS);
    w.name = SLICE("u");
    columns[1].role = COLUMN_STATIC; /* of what rows? */
    CHECK_ERR(store_table_create(k.s, &w, &t, &d), ERR_INVALID);
    columns[1] = pk;
    columns[1].position = 1;
    CHECK_ERR(store_table_create(k.s, &w, &t, &d), ERR_EXISTS); /* the same name twice */
    columns[1].name = SLICE("l");
    columns[1].type = type_of(TYPE_DURATION);
    CHECK_ERR(store_table_create(k.s, &w, &t, &d), ERR_TYPE);
    columns[1].type = type_of(TYPE_INT);
    columns[1].position = 3;
    CHECK_ERR(store_table_create(k.s, &w, &t, &d), ERR_USAGE);
    w.keyspace = SLICE("nowhere");
    CHECK_ERR(store_table_create(k.s, &w, &t, &d), ERR_UNKNOWN_NAME);
    kit_close(&k);
}

TEST(a_second_store_on_the_directory_names_who_has_it_and_a_reader_may_look)
{
    struct kit k;
    struct store *other = NULL;
    struct diag d = {0};
    kit_open(&k, (struct store_options){0});
    kit_put(&k, STORE_LIVE, sample, 3, (struct kit_write){.timestamp = 5});
    CHECK_ERR(store_open(&(struct store_options){.dir = k.dir}, &other, &d), ERR_IN_USE);
    CHECK(strstr(d.why, "pid") != NULL);
    struct kit reader = {.arena = k.arena};
    CHECK_OK(store_open(&(struct store_options){.dir = k.dir, .read_only = true}, &reader.s, &d),
             &d);
    reader.t = store_table_find(reader.s, SLICE("ks"), SLICE("t"));
    CHECK_TEXT(kit_rows(&reader, NULL, 0), sample_text());
    struct store_write *w;
    CHECK_ERR(store_write_begin(reader.s, STORE_LIVE, 0, &w, &d), ERR_FORBIDDEN);
    CHECK_ERR(store_table_drop(reader.s, SLICE("ks"), SLICE("t"), &d), ERR_FORBIDDEN);
    store_close(reader.s);
    char nowhere[300];
    snprintf(nowhere, sizeof nowhere, "%s/nowhere", test_dir());
    CHECK_ERR(store_open(&(struct store_options){.dir = nowhere, .read_only = true}, &other, &d),
              ERR_NOT_FOUND);
    kit_close(&k);
}

struct seen {
    char text[256];
};
static err_t see(void *ctx, struct slice key, struct slice value)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "%.*s=%.*s ", SLICE_ARG(key), SLICE_ARG(value));
    return ERR_OK;
}

TEST(records_are_kept_by_space_and_walked_in_order)
{
    struct kit k;
    struct diag d = {0};
    kit_open(&k, (struct store_options){0});
    for (int form = STORE_LIVE; form <= STORE_CATCHUP; form++) {
        struct store_write *w = kit_begin(&k, (enum store_form)form);
        struct kit_row rows[300];
        for (int i = 0; i < 300; i++) rows[i] = (struct kit_row){7, i, {"m", "m", "m"}};
        CHECK_OK(kit_add(&k, w, rows, 300, (struct kit_write){.timestamp = 1}), NULL);
        CHECK_OK(store_write_record(w, STORE_EPOCH, SLICE("b/2"), SLICE("old")), NULL);
        CHECK_OK(store_write_record(w, STORE_EPOCH, SLICE("b/2"), SLICE("two")), NULL);
        CHECK_OK(store_write_record(w, STORE_EPOCH, SLICE("b/1"), SLICE("one")), NULL);
        CHECK_OK(store_write_record(w, STORE_EPOCH, SLICE("c"), SLICE("")), NULL);
        CHECK_OK(store_write_record(w, STORE_CURSOR, SLICE("b/1"), SLICE("else")), NULL);
        CHECK_OK(store_write_commit(w, &d), &d);
        struct seen s = {""};
        CHECK_OK(store_records(k.s, NULL, STORE_EPOCH, SLICE(""), (struct slice){0}, see, &s, &d),
                 &d);
        CHECK_TEXT(s.text, "b/1=one b/2=two c= ");
        s.text[0] = 0;
        CHECK_OK(store_records(k.s, NULL, STORE_EPOCH, SLICE("b/"), SLICE("b/1"), see, &s, &d), &d);
        CHECK_TEXT(s.text, "b/2=two ");
        static const struct {
            const char *prefix, *before, *seen;
        } back[] = {{"", NULL, "c= b/2=two b/1=one "},
                    {"b/", NULL, "b/2=two b/1=one "},
                    {"b/", "b/2", "b/1=one "},
                    {"b/", "b/1x", "b/1=one "},
                    {"b/", "b/1", ""},
                    {"b/2", NULL, "b/2=two "},
                    {"a", NULL, ""},
                    {"d", NULL, ""},
                    {"b/1\xff", NULL, ""},
                    {"", "c", "b/2=two b/1=one "}};
        for (size_t i = 0; i < COUNT_OF(back); i++) {
            s.text[0] = 0;
            CHECK_OK(
                store_records_back(k.s, NULL, STORE_EPOCH, slice_of(back[i].prefix),
                                   back[i].before ? slice_of(back[i].before) : (struct slice){0},
                                   see, &s, &d),
                &d);
            CHECK_TEXT(s.text, back[i].seen);
        }
        struct slice v;
        CHECK_OK(store_record(k.s, NULL, STORE_CURSOR, SLICE("b/1"), k.arena, &v, &d), &d);
        CHECK_SLICE(v, "else");
        w = kit_begin(&k, (enum store_form)form);
        CHECK_OK(kit_add(&k, w, rows, 300, (struct kit_write){.timestamp = 1}), NULL);
        CHECK_OK(store_write_record(w, STORE_CURSOR, SLICE("b/1"), (struct slice){0}), NULL);
        CHECK_OK(store_write_commit(w, &d), &d);
        CHECK_ERR(store_record(k.s, NULL, STORE_CURSOR, SLICE("b/1"), k.arena, &v, &d),
                  ERR_NOT_FOUND);
    }
    kit_close(&k);
}

struct asked {
    uint32_t next, found, stop_at;
};

/* Every third is there, its value its number; some keys stand in the list twice. */
static err_t fetched(void *ctx, uint32_t i, struct slice value, struct diag *d)
{
    struct asked *a = ctx;
    char want[16];
    uint32_t n = i % 1000;
    CHECK_INT(i, a->next);
    a->next++;
    if (i == a->stop_at) return diag_fail(d, ERR_STOPPED, "enough");
    snprintf(want, sizeof want, "%u", n);
    if (n % 3) CHECK(!value.at);
    if (n % 3 == 0) {
        CHECK_SLICE(value, n ? want : "");
        a->found++;
    }
    return ERR_OK;
}

struct asker {
    struct kit *k;
    const struct slice *keys;
    uint32_t count;
    struct thread thread;
};

static void ask(void *arg)
{
    struct asker *me = arg;
    struct arena *a = arena_new(MIB(1));
    for (int round = 0; round < 20; round++) {
        struct asked seen = {.stop_at = UINT32_MAX};
        struct diag d;
        CHECK_OK(
            store_records_at(me->k->s, STORE_STATE, me->keys, me->count, a, fetched, &seen, &d),
            &d);
        CHECK_INT(seen.next, me->count);
        arena_reset(a);
    }
    arena_free(a);
}

TEST(records_are_read_many_at_once_in_the_order_of_the_keys)
{
    enum { N = 1500 };
    struct kit k;
    struct diag d = {0};
    static char texts[N][16];
    static struct slice keys[N];
    kit_open(&k, (struct store_options){0});
    for (uint32_t i = 0; i < N; i++) {
        int n = snprintf(texts[i], sizeof texts[i], "%u", i % 1000);
        keys[i] = slice_make(texts[i], (size_t)n);
    }
    for (int form = STORE_LIVE; form <= STORE_CATCHUP; form++) { /* in memory, and in files */
        struct store_write *w = kit_begin(&k, (enum store_form)form);
        for (uint32_t i = 0; i < 1000; i += 3)
            CHECK_OK(store_write_record(w, STORE_STATE, keys[i], i ? keys[i] : SLICE("")), NULL);
        CHECK_OK(store_write_commit(w, &d), &d);
    }
    static const uint32_t counts[] = {0, 1, 15, 16, 255, 256, 257, N};
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct asked seen = {.stop_at = UINT32_MAX};
        CHECK_OK(store_records_at(k.s, STORE_STATE, keys, counts[i], k.arena, fetched, &seen, &d),
                 &d);
        CHECK_INT(seen.next, counts[i]);
    }
    struct asked stopped = {.stop_at = 300};
    CHECK_ERR(store_records_at(k.s, STORE_STATE, keys, N, k.arena, fetched, &stopped, &d),
              ERR_STOPPED);
    CHECK_INT(stopped.next, 301);
    struct asker askers[4]; /* whoever finds the helpers taken reads alone */
    for (size_t i = 0; i < COUNT_OF(askers); i++) {
        askers[i] = (struct asker){.k = &k, .keys = keys, .count = N};
        CHECK_OK(thread_start(&askers[i].thread, "asker", ask, &askers[i], NULL), NULL);
    }
    for (size_t i = 0; i < COUNT_OF(askers); i++) thread_join(&askers[i].thread);
    kit_close(&k);
}

TEST(what_stays_in_memory_alone_is_written_out_after_a_while)
{
    enum { N = 4000, LOOKS = 2000 };
    struct kit k;
    static char text[500];
    static struct kit_row rows[N];
    kit_open(&k, (struct store_options){0});
    memset(text, 'x', sizeof text - 1);
    for (int i = 0; i < N; i++) rows[i] = (struct kit_row){7, i, {text, text, "m"}};
    kit_put(&k, STORE_LIVE, rows, N, (struct kit_write){.timestamp = 1});
    CHECK(store_stats(k.s).memtable_bytes > MIB(3));
    struct gate wait; /* nobody wakes it */
    gate_init(&wait);
    gate_enter(&wait);
    for (int i = 0; i < LOOKS && store_stats(k.s).memtable_bytes > MIB(1); i++)
        (void)gate_wait_ms(&wait, 10);
    gate_leave(&wait);
    gate_done(&wait);
    CHECK(store_stats(k.s).memtable_bytes < MIB(1));
    CHECK(store_stats(k.s).disk_bytes > 0);
    kit_close(&k);
}

TEST(rows_without_their_key_are_named_and_add_nothing)
{
    struct kit k;
    uint32_t bad = 0;
    struct diag d = {0};
    kit_open(&k, (struct store_options){.row_bytes_max = 2000});
    struct column columns[3];
    uint16_t ids[3] = {k.t->columns[0].id, k.t->columns[1].id, k.t->columns[2].id};
    for (int i = 0; i < 3; i++)
        CHECK_OK(column_init(&columns[i], k.t->columns[i].type, 3, k.arena), NULL);
    memset(columns[0].state, VALID_VALUE, 3);
    memset(columns[1].state, VALID_VALUE, 3);
    struct store_rows r = {
        .table = k.t, .columns = columns, .column_ids = ids, .column_count = 3, .count = 3};
    for (int32_t i = 0; i < 3; i++) columns[1].i32[i] = i;
    columns[1].state[2] = NULL_VALUE;
    struct store_write *w = kit_begin(&k, STORE_LIVE);
    CHECK_ERR(store_write_rows(w, &r, &bad, &d), ERR_CONSTRAINT);
    CHECK_INT(bad, 2);
    CHECK_INT(store_write_bytes(w), 0);
    columns[1].state[2] = VALID_VALUE;
    columns[2].state[1] = VALID_VALUE;
    columns[2].bytes[1] = slice_make(arena_take(k.arena, 3000), 3000);
    CHECK_ERR(store_write_rows(w, &r, &bad, &d), ERR_TOO_BIG);
    CHECK_INT(bad, 1);
    static const uint32_t good[] = {0, 2};
    r.rows = good;
    r.count = 2;
    CHECK_OK(store_write_rows(w, &r, &bad, &d), &d);
    ids[2] = 999;
    CHECK_ERR(store_write_rows(w, &r, &bad, &d), ERR_UNKNOWN_COLUMN);
    CHECK_INT(bad, UINT32_MAX);
    CHECK_OK(store_write_commit(w, &d), &d);
    CHECK_TEXT(kit_rows(&k, NULL, 0), "0,0:-|-|-;0,2:-|-|-;");
    kit_close(&k);
}

TEST(lineage_and_write_times_come_with_the_rows)
{
    struct kit k;
    struct diag d = {0};
    kit_open(&k, (struct store_options){0});
    kit_put(&k, STORE_LIVE, sample, 2, (struct kit_write){.timestamp = 5, .lineage = true});
    struct kit_row later = {1, 1, {"x", NULL, NULL}};
    kit_put(&k, STORE_LIVE, &later, 1, (struct kit_write){.timestamp = 8, .columns = 1});
    uint16_t ids[] = {k.t->columns[4].id, k.t->columns[2].id, k.t->columns[1].id};
    struct store_scan_options o = {.table = k.t,
                                   .column_ids = ids,
                                   .column_count = 3,
                                   .with_lineage = true,
                                   .with_writetime = true};
    struct store_scan *c;
    struct store_lineage lineage[10];
    struct column_batch b = {.arena = k.arena};
    CHECK_OK(store_scan_open(k.s, NULL, &o, &c, &d), &d);
    CHECK_OK(store_scan_next(c, 10, &b, lineage, &d), &d);
    CHECK_INT(b.rows, 2);
    CHECK_INT(b.column_count, 6);
    CHECK_SLICE(b.columns[0].bytes[0], "f");
    CHECK_SLICE(b.columns[1].bytes[0], "x");
    CHECK_INT(b.columns[2].i32[1], 2);
    CHECK_INT(b.columns[3].i64[0], 5);
    CHECK_INT(b.columns[4].i64[0], 8);
    CHECK_INT(b.columns[5].state[0], NULL_VALUE);
    CHECK(lineage[0].stream == 1 && lineage[0].partition == 1 && lineage[0].offset == 1 &&
          lineage[0].epoch == 9);
    CHECK_INT(lineage[1].offset, 2);
    store_scan_close(c);
    kit_close(&k);
}

TEST(token_ranges_cover_the_table_without_overlap)
{
    struct kit k;
    enum { ROWS = 500 };
    struct kit_row rows[ROWS];
    kit_open(&k, (struct store_options){0});
    for (int i = 0; i < ROWS; i++) rows[i] = (struct kit_row){i, 0, {"m", "m", "m"}};
    kit_put(&k, STORE_CATCHUP, rows, ROWS, (struct kit_write){.timestamp = 1});
    int64_t cuts[] = {INT64_MIN, -4000000000000000000, 0, 17, 4000000000000000000, INT64_MAX};
    uint32_t seen_rows = 0, seen_parts = 0;
    for (size_t i = 0; i + 1 < COUNT_OF(cuts); i++) {
        struct store_scan_options o = {.table = k.t,
                                       .by_token = true,
                                       .token_first = i ? cuts[i] + 1 : cuts[i],
                                       .token_last = cuts[i + 1]};
        struct store_scan *c;
        struct column_batch b = {.arena = k.arena};
        CHECK_OK(store_scan_open(k.s, NULL, &o, &c, NULL), NULL);
        CHECK_OK(store_scan_next(c, ROWS, &b, NULL, NULL), NULL);
        seen_rows += b.rows;
        seen_parts += b.rows > 0;
        store_scan_close(c);
    }
    CHECK_INT(seen_rows, ROWS);
    CHECK_INT(seen_parts, 4);
    kit_close(&k);
}

TEST(a_scan_goes_on_where_the_arena_was_full)
{
    struct kit k;
    enum { ROWS = 400 };
    struct kit_row rows[ROWS];
    char text[2000];
    kit_open(&k, (struct store_options){0});
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (int i = 0; i < ROWS; i++) rows[i] = (struct kit_row){i, 0, {text, text, NULL}};
    kit_put(&k, STORE_CATCHUP, rows, ROWS, (struct kit_write){.timestamp = 1});
    uint16_t ids[] = {k.t->columns[2].id, k.t->columns[3].id};
    struct store_scan_options o = {.table = k.t, .column_ids = ids, .column_count = 2};
    struct store_scan *c;
    struct column_batch b = {.arena = arena_new(KIB(256))};
    uint32_t seen_rows = 0, batches = 0;
    CHECK_OK(store_scan_open(k.s, NULL, &o, &c, NULL), NULL);
    do {
        arena_reset(b.arena);
        CHECK_OK(store_scan_next(c, ROWS, &b, NULL, NULL), NULL);
        for (uint32_t i = 0; i < b.rows; i++)
            CHECK(b.columns[0].bytes[i].len == 1999 && b.columns[1].bytes[i].len == 1999);
        seen_rows += b.rows;
        batches++;
    } while (b.rows && batches < ROWS);
    CHECK_INT(seen_rows, ROWS);
    CHECK(batches > 5 && batches < 100);
    store_scan_close(c);
    arena_free(b.arena);
    kit_close(&k);
}
