/* Goal: rows with collections, row tombstones and range tombstones merge like Cassandra's, and to
 * the same bytes however they are grouped. Method: random writes with few times, paths and bounds,
 * so that ties are the rule, against a model that keeps all writes and resolves them at the end. */
#include "store/store_kit.h"

enum { WRITES = 5, PATHS = 4, SIMPLE = 3, POINTS = 5, ROW_MAX = 4096, COLUMN = 9 };

static const uint16_t simple_ids[SIMPLE] = {CELL_MARKER, CELL_FIRST, COLUMN};
static const char *const paths[PATHS] = {"", "a", "ab", "b"};
static const char *const points[POINTS] = {"", "a", "ab", "b", "c"};

struct write { /* one write of the row, before it is bytes */
    bool has_simple[SIMPLE], has_path[PATHS], deleted, row_deleted, has_range;
    struct cell simple[SIMPLE], path[PATHS];
    int64_t deletion, deletion_s, row_time, row_s;
    struct range range;
};

static struct cell random_cell(uint64_t *seed)
{
    static const char *const texts[] = {"", "a", "b", "ab"};
    uint64_t x = test_random(seed);
    struct cell c = {.timestamp = (int64_t)(x & 7), .tombstone = (x >> 3 & 3) == 0};
    if (c.tombstone) {
        c.expiry_s = (int64_t)(x >> 5 & 1) + 100;
        return c;
    }
    c.value = slice_of(texts[x >> 5 & 3]);
    c.ttl = (uint32_t)(x >> 7 & 1) * (uint32_t)(1 + (x >> 8 & 1));
    if (c.ttl) c.expiry_s = (int64_t)(200 + (x >> 9 & 1));
    return c;
}

static void write_random(struct write *w, uint64_t *seed)
{
    *w = (struct write){0};
    for (int i = 0; i < SIMPLE; i++) {
        w->has_simple[i] = (test_random(seed) & 3) == 0;
        do w->simple[i] = random_cell(seed);
        while (simple_ids[i] == CELL_MARKER && w->simple[i].tombstone); /* a marker is none */
        w->simple[i].id = simple_ids[i];
    }
    for (int i = 0; i < PATHS; i++) {
        w->has_path[i] = (test_random(seed) & 1);
        w->path[i] = random_cell(seed);
    }
    uint64_t x = test_random(seed);
    w->deleted = (x & 3) == 0;
    w->deletion = (int64_t)(x >> 2 & 3);
    w->deletion_s = (int64_t)(x >> 4 & 1);
    w->row_deleted = (x >> 5 & 3) == 0;
    w->row_time = (int64_t)(x >> 7 & 3);
    w->row_s = (int64_t)(x >> 9 & 1);
    w->has_range = x >> 10 & 1;
    uint64_t from = (x >> 11) % POINTS, to = (x >> 20) % (POINTS + 1);
    if (to <= from) to = from + 1;
    w->range = (struct range){.start = slice_of(points[from]),
                              .end = to < POINTS ? slice_of(points[to]) : (struct slice){0},
                              .timestamp = (int64_t)(x >> 30 & 7),
                              .local_s = (int64_t)(x >> 33 & 1)};
}

static struct slice row_of(const struct write *w, struct arena *a)
{
    struct cell cells[SIMPLE + 3];
    struct element elements[PATHS];
    struct complex complex = {.deleted = w->deleted,
                              .deletion = w->deletion,
                              .deletion_s = w->deletion_s,
                              .elements = elements};
    struct buf out = buf_over(arena_take(a, ROW_MAX), ROW_MAX);
    struct buf body = buf_over(arena_take(a, ROW_MAX), ROW_MAX);
    struct buf ranges = buf_over(arena_take(a, ROW_MAX), ROW_MAX);
    size_t n = 0;
    for (int i = 0; i < PATHS; i++)
        if (w->has_path[i])
            elements[complex.count++] = (struct element){slice_of(paths[i]), w->path[i]};
    complex_put(&body, &complex, INT64_MIN);
    CHECK(body.len <= complex_size_max(&complex));
    ranges_put(&ranges, &w->range, w->has_range, INT64_MIN);
    if (w->has_simple[0]) cells[n++] = w->simple[0];
    if (w->row_deleted)
        cells[n++] = (struct cell){.id = CELL_ROW_TOMBSTONE,
                                   .tombstone = true,
                                   .timestamp = w->row_time,
                                   .expiry_s = w->row_s};
    if (ranges.len)
        cells[n++] = (struct cell){.id = CELL_RANGES, .complex = true, .value = buf_view(&ranges)};
    for (int i = 1; i < SIMPLE; i++)
        if (w->has_simple[i]) cells[n++] = w->simple[i];
    if (body.len)
        cells[n++] = (struct cell){.id = COLUMN, .complex = true, .value = buf_view(&body)};
    row_put(&out, cells, n);
    CHECK_INT(out.err, ERR_OK);
    CHECK(out.len <= row_size_max(cells, n));
    return buf_view(&out);
}

static struct slice merged(const struct slice *rows, size_t count, struct arena *a)
{
    struct buf out = buf_make(ROW_MAX);
    CHECK_OK(row_merge(rows, count, &out), NULL);
    struct slice s = arena_slice(a, buf_view(&out));
    buf_done(&out);
    return s;
}

static struct slice merged_two(struct slice x, struct slice y, struct arena *a)
{
    struct slice two[2] = {x, y};
    return merged(two, 2, a);
}

/* --- the model: every write is looked at anew for every question --------------------------------
 */

static int64_t model_floor(const struct write *w, int count)
{
    int64_t floor = INT64_MIN;
    for (int i = 0; i < count; i++)
        if (w[i].row_deleted) floor = MAX(floor, w[i].row_time);
    return floor;
}

static const struct cell *model_simple(const struct write *w, int count, int which)
{
    const struct cell *best = NULL;
    for (int i = 0; i < count; i++)
        if (w[i].has_simple[which] && (!best || cell_compare(&w[i].simple[which], best) > 0))
            best = &w[i].simple[which];
    return best && best->timestamp > model_floor(w, count) ? best : NULL;
}

static int64_t model_deletion(const struct write *w, int count)
{
    int64_t d = model_floor(w, count);
    for (int i = 0; i < count; i++)
        if (w[i].deleted) d = MAX(d, w[i].deletion);
    const struct cell *whole = model_simple(w, count, SIMPLE - 1);
    return whole ? MAX(d, whole_reaches(whole)) : d;
}

static const struct cell *model_path(const struct write *w, int count, int path)
{
    const struct cell *best = NULL;
    for (int i = 0; i < count; i++)
        if (w[i].has_path[path] && (!best || cell_compare(&w[i].path[path], best) > 0))
            best = &w[i].path[path];
    return best && best->timestamp > model_deletion(w, count) ? best : NULL;
}

/* The deletion at a point of the clustering: time * 2 + second, or -1. */
static int64_t model_range(const struct write *w, int count, const char *point)
{
    int64_t best = -1, floor = model_floor(w, count);
    struct slice p = slice_of(point);
    for (int i = 0; i < count; i++) {
        const struct range *r = &w[i].range;
        bool inside = w[i].has_range && slice_compare(r->start, p) <= 0 &&
                      (r->end.len == 0 || slice_compare(p, r->end) < 0);
        if (inside && r->timestamp > floor) best = MAX(best, r->timestamp * 2 + r->local_s);
    }
    return best;
}

static void check_complex(struct slice value, const struct write *w, int count, int *seen)
{
    struct complex_reader r;
    struct element e;
    complex_open(&r, value);
    while (complex_next(&r, &e))
        for (int i = 0; i < PATHS; i++) {
            if (!slice_is(e.path, paths[i])) continue;
            const struct cell *want = model_path(w, count, i);
            CHECK(want && cell_compare(want, &e.cell) == 0);
            ++*seen;
        }
    CHECK_INT(r.err, ERR_OK);
}

static void check_ranges(struct slice value, const struct write *w, int count)
{
    for (int i = 0; i < POINTS; i++) {
        struct ranges_reader r;
        struct range range;
        int64_t found = -1;
        struct slice p = slice_of(points[i]);
        for (ranges_open(&r, value); ranges_next(&r, &range);)
            if (slice_compare(range.start, p) <= 0 &&
                (range.end.len == 0 || slice_compare(p, range.end) < 0))
                found = range.timestamp * 2 + range.local_s;
        CHECK_INT(r.err, ERR_OK);
        CHECK_INT(found, model_range(w, count, points[i]));
    }
}

static void check_row(struct slice row, const struct write *w, int count)
{
    struct row_reader r;
    struct cell c;
    struct slice ranges = {0};
    int simple = 0, elements = 0, want_simple = 0, want_elements = 0;
    row_open(&r, row);
    while (row_next(&r, &c)) {
        if (c.id == CELL_RANGES) {
            ranges = c.value;
        } else if (c.id == CELL_ROW_TOMBSTONE) {
            CHECK_INT(c.timestamp, model_floor(w, count));
        } else if (c.complex) {
            check_complex(c.value, w, count, &elements);
        } else {
            int i = c.id == CELL_MARKER ? 0 : c.id == CELL_FIRST ? 1 : 2;
            const struct cell *want = model_simple(w, count, i);
            CHECK(want && cell_compare(want, &c) == 0);
            simple++;
        }
    }
    CHECK_INT(r.err, ERR_OK);
    check_ranges(ranges, w, count);
    for (int i = 0; i < SIMPLE; i++) want_simple += model_simple(w, count, i) != NULL;
    for (int i = 0; i < PATHS; i++) want_elements += model_path(w, count, i) != NULL;
    CHECK_INT(simple, want_simple);
    CHECK_INT(elements, want_elements);
}

TEST(any_grouping_of_writes_makes_the_same_row_and_it_is_the_models)
{
    uint64_t seed = 11;
    struct arena *a = arena_new(MIB(16));
    for (int round = 0; round < 10000; round++) {
        struct write w[WRITES];
        struct slice row[WRITES], so_far;
        arena_reset(a);
        for (int i = 0; i < WRITES; i++) {
            write_random(&w[i], &seed);
            row[i] = row_of(&w[i], a);
        }
        struct slice want = merged(row, WRITES, a);
        check_row(want, w, WRITES);
        so_far = row[0];
        for (int i = 1; i < WRITES; i++) so_far = merged_two(so_far, row[i], a);
        CHECK(slice_equal(so_far, want));
        so_far = row[WRITES - 1];
        for (int i = WRITES - 1; i-- > 0;) so_far = merged_two(row[i], so_far, a);
        CHECK(slice_equal(so_far, want));
        struct slice left = merged(row, 2, a), right = merged(row + 2, WRITES - 2, a);
        CHECK(slice_equal(merged_two(right, left, a), want));
        CHECK(slice_equal(merged_two(want, want, a), want));
        CHECK(slice_equal(merged_two(want, row[round % WRITES], a), want));
        CHECK(slice_equal(merged(&want, 1, a), want));
    }
    arena_free(a);
}

TEST(a_row_without_any_of_it_is_still_of_version_1)
{
    static const struct cell cells[] = {{.id = CELL_MARKER, .timestamp = 5},
                                        {.id = CELL_FIRST, .timestamp = 5, .value = {0}}};
    struct cell deleted = {.id = CELL_ROW_TOMBSTONE, .tombstone = true, .timestamp = 1};
    struct buf out = buf_make(ROW_MAX);
    row_put(&out, cells, COUNT_OF(cells));
    CHECK_INT(out.at[0], ROW_SIMPLE);
    buf_reset(&out);
    row_put(&out, &deleted, 1);
    CHECK_INT(out.at[0], ROW_VERSION);
    buf_done(&out);
}

TEST(ranges_that_touch_and_are_alike_become_one)
{
    struct arena *a = arena_new(MIB(1));
    uint8_t memory[2][256];
    struct buf left = buf_over(memory[0], 256), right = buf_over(memory[1], 256);
    struct range ab = {SLICE("a"), SLICE("b"), 5, 1}, bc = {SLICE("b"), SLICE("c"), 5, 1}, got;
    struct ranges_reader r;
    struct slice both;
    ranges_put(&left, &ab, 1, INT64_MIN);
    ranges_put(&right, &bc, 1, INT64_MIN);
    CHECK_OK(ranges_merge(buf_view(&right), buf_view(&left), INT64_MIN, a, &both), NULL);
    ranges_open(&r, both);
    CHECK(ranges_next(&r, &got));
    CHECK_SLICE(got.start, "a");
    CHECK_SLICE(got.end, "c");
    CHECK(!ranges_next(&r, &got));
    CHECK_INT(r.err, ERR_OK);
    CHECK_OK(ranges_merge(both, (struct slice){0}, 5, a, &both), NULL);
    CHECK_INT(both.len, 0);
    arena_free(a);
}

TEST(a_complex_cell_or_ranges_cut_anywhere_are_corrupt_or_shorter)
{
    uint64_t seed = 3;
    struct arena *a = arena_new(MIB(1));
    struct write w;
    do write_random(&w, &seed);
    while (!w.has_range || !w.deleted || !w.has_path[0] || !w.has_path[3]);
    struct slice row = row_of(&w, a);
    for (uint32_t len = 0; len < row.len; len++) {
        struct row_reader r;
        struct cell c;
        struct slice part = slice_make(row.at, len);
        struct buf out = buf_make(ROW_MAX);
        for (row_open(&r, part); row_next(&r, &c);) {
        }
        err_t e = row_merge(&part, 1, &out);
        CHECK(e == ERR_OK || e == ERR_CORRUPT);
        if (r.err) CHECK_INT(e, ERR_CORRUPT);
        buf_done(&out);
    }
    arena_free(a);
}
