/* Goal: compaction leaves out what nobody can see any more, and nothing that was deleted comes back
 * by it. Method: a frozen clock; what lies in memory beside the file that is compacted is given to
 * the purge by hand, since a compaction by hand would take it along. cursor_test.c has random
 * writes with purges between them. */
#include "os/clock.h"
#include "store/purge.h"
#include "store/store_kit.h"

enum { WROTE = 1000, TTL = 60, GRACE = KIT_GRACE, VALUE_MAX = 256 };

struct at { /* a row of the kit's table */
    struct kit *k;
    uint8_t key[64];
    size_t len, partition;
};

static struct at at_row(struct kit *k, uint8_t pk)
{
    struct at a = {.k = k};
    uint8_t ints[2][4] = {{0, 0, 0, pk}, {0, 0, 0, 1}};
    struct slice key[2] = {slice_make(ints[0], 4), slice_make(ints[1], 4)};
    struct buf b = buf_over(a.key, sizeof a.key);
    CHECK_OK(key_put_row(&b, k->t, key, 2), NULL);
    a.len = b.len;
    a.partition = key_partition_size(table_of(k->t), buf_view(&b));
    return a;
}

static void merge_at(const struct at *a, size_t len, const struct cell *cells, size_t count)
{
    uint8_t memory[VALUE_MAX];
    struct buf b = buf_over(memory, sizeof memory);
    char *message = NULL;
    row_put(&b, cells, count);
    CHECK_INT(b.err, ERR_OK);
    rocksdb_writeoptions_t *w = rocksdb_writeoptions_create();
    rocksdb_merge(a->k->s->db, w, (const char *)a->key, len, (const char *)b.at, b.len, &message);
    CHECK(!message);
    rocksdb_writeoptions_destroy(w);
}

static struct cell value_at(const struct kit *k, int64_t time)
{
    return (struct cell){.id = k->t->columns[2].id, .timestamp = time, .value = SLICE("v")};
}
static struct cell expiring_at(const struct kit *k, int64_t time)
{
    struct cell c = value_at(k, time);
    c.ttl = TTL;
    c.expiry_s = WROTE + TTL;
    return c;
}
static struct cell tombstone_at(const struct kit *k, int64_t time)
{
    return (struct cell){
        .id = k->t->columns[2].id, .timestamp = time, .tombstone = true, .expiry_s = WROTE};
}
static struct cell row_tombstone_at(int64_t time)
{
    return (struct cell){
        .id = CELL_ROW_TOMBSTONE, .timestamp = time, .tombstone = true, .expiry_s = WROTE};
}

/* The number of its cells; -1: there is no such key. */
static int stored(const struct at *a, size_t len)
{
    size_t value_len;
    char *message = NULL;
    struct row_reader r;
    struct cell c;
    int n = 0;
    rocksdb_pinnableslice_t *found =
        rocksdb_get_pinned(a->k->s->db, a->k->s->read_newest, (const char *)a->key, len, &message);
    CHECK(!message);
    if (!found) return -1;
    const char *at = rocksdb_pinnableslice_value(found, &value_len);
    for (row_open(&r, slice_make(at, value_len)); row_next(&r, &c);) n++;
    CHECK_INT(r.err, ERR_OK);
    rocksdb_pinnableslice_destroy(found);
    return n;
}

static void compact(struct kit *k, int times)
{
    struct diag d = {0};
    for (int i = 0; i < times; i++) CHECK_OK(store_compact(k->s, &d), &d);
}

static void at_second(int64_t s)
{
    clock_fake_set(s < 0 ? s : s * 1000);
}

/* What a purge would do now with the value that is the key's base. */
static enum purge_answer asked(const struct at *a, size_t len, const struct cell *base, bool full,
                               int64_t now_s)
{
    uint8_t memory[VALUE_MAX];
    struct buf b = buf_over(memory, sizeof memory);
    struct slice out;
    row_put(&b, base, 1);
    struct purge *p = purge_new(a->k->s, now_s, full);
    INVARIANT(p);
    enum purge_answer answer = purge_value(p, slice_make(a->key, len), buf_view(&b), &out);
    purge_free(p);
    return answer;
}

TEST(what_has_expired_goes_when_the_grace_is_over)
{
    struct kit k;
    at_second(WROTE);
    kit_open(&k, (struct store_options){0});
    struct at a = at_row(&k, 1), b = at_row(&k, 2);
    struct cell cells[2] = {expiring_at(&k, 10), value_at(&k, 10)};
    cells[1].id = k.t->columns[3].id;
    merge_at(&a, a.len, cells, 1);
    merge_at(&b, b.len, cells, 2);
    at_second((int64_t)WROTE + TTL + GRACE);
    compact(&k, 3);
    CHECK_INT(stored(&a, a.len), 1);
    at_second((int64_t)WROTE + TTL + GRACE + 1);
    compact(&k, 3);
    CHECK_INT(stored(&a, a.len), -1);
    CHECK_INT(stored(&b, b.len), 1);
    kit_close(&k);
    at_second(-1);
}

TEST(a_deletion_goes_when_the_grace_is_over_and_what_it_hid_stays_hidden)
{
    struct kit k;
    at_second(WROTE);
    kit_open(&k, (struct store_options){0});
    struct at a = at_row(&k, 1);
    struct cell value = value_at(&k, 10), tombstone = tombstone_at(&k, 20),
                row = row_tombstone_at(30);
    merge_at(&a, a.len, &value, 1);
    compact(&k, 1);
    merge_at(&a, a.len, &tombstone, 1);
    merge_at(&a, a.len, &row, 1);
    compact(&k, 2);
    CHECK_INT(stored(&a, a.len), 1);
    at_second((int64_t)WROTE + GRACE + 1);
    compact(&k, 2);
    CHECK_INT(stored(&a, a.len), -1);
    kit_close(&k);
    at_second(-1);
}

TEST(a_deletion_stays_while_something_older_came_after_it)
{
    struct kit k;
    at_second(WROTE);
    kit_open(&k, (struct store_options){0});
    struct at a = at_row(&k, 1);
    struct cell late = value_at(&k, 15), tombstone = tombstone_at(&k, 20),
                row = row_tombstone_at(20), expired = expiring_at(&k, 20), newer = value_at(&k, 21);
    int64_t now_s = (int64_t)WROTE + TTL + GRACE + 1;
    merge_at(&a, a.len, &tombstone, 1);
    compact(&k, 2); /* it is a Put now */
    CHECK_INT(asked(&a, a.len, &tombstone, false, now_s), PURGE_DROP);
    CHECK_INT(asked(&a, a.len, &tombstone, false, now_s - TTL - 1), PURGE_KEEP);
    merge_at(&a, a.len, &newer, 1);
    CHECK_INT(asked(&a, a.len, &tombstone, false, now_s), PURGE_DROP);
    merge_at(&a, a.len, &late, 1);
    CHECK_INT(asked(&a, a.len, &tombstone, false, now_s), PURGE_KEEP);
    CHECK_INT(asked(&a, a.len, &row, false, now_s), PURGE_KEEP);
    CHECK_INT(asked(&a, a.len, &expired, false, now_s), PURGE_KEEP);
    kit_close(&k);
    at_second(-1);
}

TEST(nothing_is_purged_under_a_snapshot)
{
    struct kit k;
    at_second(WROTE);
    kit_open(&k, (struct store_options){0});
    struct at a = at_row(&k, 1);
    struct cell tombstone = tombstone_at(&k, 20);
    merge_at(&a, a.len, &tombstone, 1);
    compact(&k, 2);
    struct store_snapshot *n = store_snapshot(k.s);
    CHECK_INT(asked(&a, a.len, &tombstone, true, (int64_t)WROTE + GRACE + 1), PURGE_KEEP);
    store_snapshot_free(n);
    CHECK_INT(asked(&a, a.len, &tombstone, true, (int64_t)WROTE + GRACE + 1), PURGE_DROP);
    kit_close(&k);
    at_second(-1);
}

TEST(rows_that_a_partitions_deletion_reaches_go_and_then_the_deletion)
{
    struct kit k;
    at_second(WROTE);
    kit_open(&k, (struct store_options){0});
    struct at a = at_row(&k, 1), b = at_row(&k, 2);
    struct cell value = value_at(&k, 10), later = value_at(&k, 30), whole = row_tombstone_at(20);
    uint8_t memory[VALUE_MAX];
    struct buf body = buf_over(memory, sizeof memory);
    struct range range = {.timestamp = 20, .local_s = WROTE};
    ranges_put(&body, &range, 1, INT64_MIN);
    struct cell ranges = {.id = CELL_RANGES, .complex = true, .value = buf_view(&body)};
    merge_at(&a, a.len, &value, 1);
    merge_at(&b, b.len, &value, 1);
    compact(&k, 2);
    atomic_store(&table_of(k.t)->past->marks, MARK_PARTITION_RECORDS);
    merge_at(&a, a.partition, &whole, 1);
    merge_at(&b, b.partition, &ranges, 1);
    CHECK_INT(asked(&a, a.partition, &whole, true, (int64_t)WROTE + GRACE + 1), PURGE_KEEP);
    compact(&k, 3);
    CHECK_INT(stored(&a, a.len), -1);
    CHECK_INT(stored(&b, b.len), -1);
    CHECK_INT(stored(&a, a.partition), 1);
    CHECK_INT(stored(&b, b.partition), 1);
    merge_at(&a, a.len, &later, 1);
    at_second((int64_t)WROTE + GRACE + 1);
    compact(&k, 2);
    CHECK_INT(stored(&a, a.len), 1);
    CHECK_INT(stored(&a, a.partition), -1);
    CHECK_INT(stored(&b, b.partition), -1);
    kit_close(&k);
    at_second(-1);
}

TEST(a_partitions_deletion_stays_while_a_row_of_it_came_late)
{
    struct kit k;
    at_second(WROTE);
    kit_open(&k, (struct store_options){0});
    struct at a = at_row(&k, 1);
    struct cell late = value_at(&k, 15), whole = row_tombstone_at(20);
    atomic_store(&table_of(k.t)->past->marks, MARK_PARTITION_RECORDS);
    merge_at(&a, a.partition, &whole, 1);
    compact(&k, 2);
    merge_at(&a, a.len, &late, 1);
    CHECK_INT(asked(&a, a.partition, &whole, true, (int64_t)WROTE + GRACE + 1), PURGE_KEEP);
    CHECK_INT(asked(&a, a.partition, &whole, false, (int64_t)WROTE + GRACE + 1), PURGE_KEEP);
    at_second((int64_t)WROTE + GRACE + 1);
    compact(&k, 4); /* the row goes first, then the deletion */
    CHECK_INT(stored(&a, a.len), -1);
    CHECK_INT(stored(&a, a.partition), -1);
    kit_close(&k);
    at_second(-1);
}
