/* Goal: merging rows is commutative, associative and idempotent, to the byte, and follows
 * Cassandra's rule for each cell. Method: random rows with few times and values, so that ties are
 * the rule, against a model that knows only single cells. */
#include "store/store_kit.h"

enum { CELLS = 6, ROW_MAX = 1024 };

struct model {
    struct cell cells[CELLS];
    bool there[CELLS];
};

static void model_random(struct model *m, uint64_t *seed)
{
    static const char *const texts[] = {"", "a", "b", "ab"};
    *m = (struct model){0};
    for (int i = 0; i < CELLS; i++) {
        uint64_t x = test_random(seed);
        m->there[i] = x & 1;
        m->cells[i] = (struct cell){.id = (uint16_t)(i < 2 ? i : i * 700),
                                    .timestamp = (int64_t)(x >> 1 & 3),
                                    .tombstone = (x >> 3 & 3) == 0};
        if (m->cells[i].tombstone) {
            m->cells[i].expiry_s = (int64_t)(x >> 5 & 1) + 100;
        } else {
            m->cells[i].value = slice_of(texts[x >> 5 & 3]);
            m->cells[i].ttl = (uint32_t)(x >> 7 & 1) * (uint32_t)(1 + (x >> 8 & 1));
            if (m->cells[i].ttl) m->cells[i].expiry_s = (int64_t)(200 + (x >> 9 & 1));
        }
    }
}

static void model_merge(struct model *to, const struct model *from)
{
    for (int i = 0; i < CELLS; i++) {
        if (!from->there[i]) continue;
        if (!to->there[i] || cell_compare(&from->cells[i], &to->cells[i]) > 0)
            to->cells[i] = from->cells[i];
        to->there[i] = true;
    }
}

static struct slice model_row(const struct model *m, uint8_t *memory)
{
    struct cell list[CELLS];
    size_t n = 0;
    for (int i = 0; i < CELLS; i++)
        if (m->there[i]) list[n++] = m->cells[i];
    struct buf b = buf_over(memory, ROW_MAX);
    row_put(&b, list, n);
    CHECK_INT(b.err, ERR_OK);
    return buf_view(&b);
}

static struct slice merged(struct slice a, struct slice b, uint8_t *memory)
{
    struct slice two[2] = {a, b};
    struct buf out = buf_make(ROW_MAX);
    CHECK_OK(row_merge(two, 2, &out), NULL);
    memcpy(memory, out.at, out.len);
    struct slice s = slice_make(memory, out.len);
    buf_done(&out);
    return s;
}

TEST(merging_is_commutative_associative_idempotent_and_cell_by_cell)
{
    uint64_t seed = 42;
    for (int round = 0; round < 20000; round++) {
        struct model m[3], all;
        uint8_t r[3][ROW_MAX], x[ROW_MAX], y[ROW_MAX], z[ROW_MAX], want_memory[ROW_MAX];
        struct slice row[3];
        for (int i = 0; i < 3; i++) {
            model_random(&m[i], &seed);
            row[i] = model_row(&m[i], r[i]);
        }
        all = m[0];
        model_merge(&all, &m[1]);
        model_merge(&all, &m[2]);
        struct slice want = model_row(&all, want_memory);
        struct slice left = merged(merged(row[0], row[1], x), row[2], y);
        CHECK(slice_equal(left, want));
        CHECK(slice_equal(merged(row[0], merged(row[2], row[1], x), z), want));
        CHECK(slice_equal(merged(merged(row[2], row[0], x), row[1], z), want));
        CHECK(slice_equal(merged(want, want, z), want));
        CHECK(slice_equal(merged(want, row[1], z), want));
        struct buf at_once = buf_make(ROW_MAX);
        CHECK_OK(row_merge(row, 3, &at_once), NULL);
        CHECK(slice_equal(buf_view(&at_once), want));
        buf_done(&at_once);
    }
}

TEST(one_cell_wins_as_in_cassandra)
{
    const struct {
        struct cell winner, loser;
    } cases[] = {
        {{.timestamp = 2, .value = SLICE("a")}, {.timestamp = 1, .value = SLICE("b")}},
        {{.timestamp = 2, .value = SLICE("a")}, {.timestamp = 1, .tombstone = true}},
        {{.timestamp = 1, .tombstone = true}, {.timestamp = 1, .value = SLICE("zzz")}},
        {{.timestamp = 1, .tombstone = true, .expiry_s = 1},
         {.timestamp = 1, .ttl = 9, .expiry_s = 99, .value = SLICE("zzz")}},
        {{.timestamp = 1, .ttl = 9, .expiry_s = 99, .value = SLICE("a")},
         {.timestamp = 1, .value = SLICE("b")}},
        {{.timestamp = 1, .ttl = 9, .expiry_s = 99, .value = SLICE("a")},
         {.timestamp = 1, .ttl = 9, .expiry_s = 98, .value = SLICE("b")}},
        {{.timestamp = 1, .value = SLICE("b")}, {.timestamp = 1, .value = SLICE("aa")}},
        {{.timestamp = 1, .value = SLICE("aa")}, {.timestamp = 1, .value = SLICE("a")}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        CHECK(cell_compare(&cases[i].winner, &cases[i].loser) > 0);
        CHECK(cell_compare(&cases[i].loser, &cases[i].winner) < 0);
        CHECK_INT(cell_compare(&cases[i].winner, &cases[i].winner), 0);
    }
}

TEST(a_row_that_was_cut_or_is_newer_is_told_apart)
{
    uint64_t seed = 7;
    struct model m;
    uint8_t memory[ROW_MAX];
    model_random(&m, &seed);
    m.there[0] = m.there[5] = true;
    m.cells[5].tombstone = false;
    m.cells[5].value = SLICE("abc");
    struct slice row = model_row(&m, memory);
    struct row_reader r;
    struct cell c;
    size_t whole = 0, corrupt = 0;
    for (uint32_t len = 0; len <= row.len; len++) {
        row_open(&r, slice_make(row.at, len));
        while (row_next(&r, &c)) {
        }
        *(r.err ? &corrupt : &whole) += 1;
        CHECK(r.err == ERR_OK || r.err == ERR_CORRUPT);
    }
    CHECK(corrupt > whole);
    memory[0] = ROW_VERSION + 1;
    row_open(&r, row);
    CHECK(!row_next(&r, &c));
    CHECK_INT(r.err, ERR_VERSION);
    struct buf out = buf_make(ROW_MAX);
    CHECK_ERR(row_merge(&row, 1, &out), ERR_VERSION);
    buf_done(&out);
}

/* Its cells would lose their expiry when they are written anew, and merging would depend on order.
 */
TEST(a_row_with_the_ttl_of_no_seconds_is_corrupt)
{
    static const struct cell cell = {
        .timestamp = 5, .id = CELL_FIRST, .ttl = 60, .expiry_s = 65, .value = {(uint8_t *)"v", 1}};
    struct buf row = buf_make(ROW_MAX);
    struct row_reader r;
    struct cell c;
    row_put(&row, &cell, 1);
    row_open(&r, buf_view(&row));
    CHECK(row_next(&r, &c) && c.ttl == 60 && c.expiry_s == 65);
    memset(row.at + ROW_HEAD_SIZE, 0, 4);
    row_open(&r, buf_view(&row));
    CHECK(!row_next(&r, &c));
    CHECK_INT(r.err, ERR_CORRUPT);
    buf_done(&row);
}

TEST(rows_of_many_cells_merge_too)
{
    enum { MANY = 5000 };
    struct cell *cells = mem_take(MANY * sizeof *cells);
    struct buf a = buf_make(MIB(1)), b = buf_make(MIB(1)), out = buf_make(MIB(1));
    for (int i = 0; i < MANY; i++)
        cells[i] =
            (struct cell){.id = (uint16_t)(CELL_FIRST + i), .timestamp = 1, .value = SLICE("x")};
    row_put(&a, cells, MANY / 2);
    row_put(&b, cells + MANY / 2, MANY / 2);
    struct slice two[2] = {buf_view(&b), buf_view(&a)};
    CHECK_OK(row_merge(two, 2, &out), NULL);
    struct buf want = buf_make(MIB(1));
    row_put(&want, cells, MANY);
    CHECK(slice_equal(buf_view(&out), buf_view(&want)));
    buf_done(&a);
    buf_done(&b);
    buf_done(&out);
    buf_done(&want);
    mem_give(cells);
}

TEST(lineage_reads_back)
{
    static const struct store_lineage cases[] = {
        {0, 0, 0, 0}, {1, 2, 3, 4}, {UINT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX}, {7, 1, -1, 9}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t memory[64];
        struct buf b = buf_over(memory, sizeof memory);
        struct store_lineage l;
        lineage_put(&b, &cases[i]);
        CHECK_OK(lineage_take(buf_view(&b), &l), NULL);
        CHECK(l.stream == cases[i].stream && l.partition == cases[i].partition &&
              l.offset == cases[i].offset && l.epoch == cases[i].epoch);
        CHECK_ERR(lineage_take(slice_make(memory, b.len - 1), &l), ERR_CORRUPT);
    }
}

/* row_merge hands a row that is alone on as it is, and may: what a write puts is in the one form.
 */
TEST(a_written_row_is_in_the_form_that_merging_makes)
{
    const struct kit_write ways[] = {
        {.timestamp = 5},
        {.timestamp = 5, .ttl = 60, .now_ms = 7000, .lineage = true},
        {.timestamp = 5, .now_ms = 7000, .lineage = true, .columns = 2},
        {.timestamp = 5, .now_ms = 7000, .replace = true},
    };
    const struct kit_row rows[] = {{1, 2, {"a", NULL, "ccc"}}, {1, 3, {NULL, NULL, NULL}}};
    struct kit k;
    uint8_t memory[ROW_MAX];
    kit_open(&k, (struct store_options){0});
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        struct store_write *w = kit_begin(&k, STORE_LIVE);
        CHECK_OK(kit_add(&k, w, rows, COUNT_OF(rows), ways[i]), NULL);
        for (size_t n = 0; n < w->groups[0].count; n++) {
            const struct entry *e = &w->groups[0].at[n];
            struct slice row = slice_make(e->key + e->key_len, e->value_len);
            struct buf alone = buf_make(ROW_MAX);
            CHECK_OK(row_merge(&row, 1, &alone), NULL);
            CHECK(slice_equal(buf_view(&alone), row));
            CHECK(slice_equal(merged(row, row, memory), row));
            buf_done(&alone);
        }
        store_write_abort(w);
    }
    kit_close(&k);
}
