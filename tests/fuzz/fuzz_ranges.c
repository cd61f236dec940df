/* A partition's range tombstones and a collection's elements on disk, as any bytes: what is read is
 * written and read again, merging keeps its laws, and a clustering is reached by the later of what
 * reaches it on either side. */
#include "fuzz.h"
#include "store/store_int.h"

enum { MOST = 1024 };

static bool is_ranges(struct slice s)
{
    struct ranges_reader r;
    struct range range;
    size_t n = 0;
    for (ranges_open(&r, s); n < MOST && ranges_next(&r, &range);) n++;
    return !r.err && n < MOST;
}

static bool is_complex(struct slice s)
{
    struct complex_reader r;
    struct element e;
    size_t n = 0;
    for (complex_open(&r, s); n < MOST && complex_next(&r, &e);) n++;
    return s.len && !r.err && n < MOST;
}

static void check_ranges(struct slice a, struct slice b, struct slice suffix, struct arena *m)
{
    struct slice ab, ba, aba;
    int64_t at_a, at_b, at_ab;
    if (ranges_merge(a, b, INT64_MIN, m, &ab) || ranges_merge(b, a, INT64_MIN, m, &ba)) abort();
    if (ranges_merge(ab, a, INT64_MIN, m, &aba)) abort();
    if (!slice_equal(ab, ba) || !slice_equal(ab, aba) || !is_ranges(ab)) abort();
    if (ranges_reach(a, suffix, &at_a) || ranges_reach(b, suffix, &at_b)) abort();
    if (ranges_reach(ab, suffix, &at_ab) || at_ab != MAX(at_a, at_b)) abort();
}

static void check_written(struct slice a)
{
    static struct range list[MOST];
    struct ranges_reader r;
    size_t n = 0;
    for (ranges_open(&r, a); ranges_next(&r, &list[n]);) n++;
    struct buf out = buf_make(64 << 20);
    struct slice again;
    struct arena *m = arena_new(64 << 20);
    ranges_put(&out, list, n, INT64_MIN);
    if (out.err || out.len > ranges_size_max(list, n)) abort();
    if (ranges_merge(a, (struct slice){0}, INT64_MIN, m, &again)) abort();
    if (!slice_equal(buf_view(&out), again)) abort();
    arena_free(m);
    buf_done(&out);
}

static void check_complex(struct slice a, struct slice b, int64_t floor, struct arena *m)
{
    struct slice ab, ba, aba, later, first, both;
    if (complex_merge(a, b, INT64_MIN, m, &ab) || complex_merge(b, a, INT64_MIN, m, &ba)) abort();
    if (complex_merge(ab, a, INT64_MIN, m, &aba)) abort();
    if (!slice_equal(ab, ba) || !slice_equal(ab, aba)) abort();
    if (ab.len && !is_complex(ab)) abort();
    /* a deletion reaches the same whether it comes before or after */
    if (complex_merge(ab, (struct slice){0}, floor, m, &later)) abort();
    if (complex_merge(a, (struct slice){0}, floor, m, &first)) abort();
    if (complex_merge(first, b, floor, m, &both)) abort();
    if (!slice_equal(later, both)) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct arena *m;
    if (!m) m = arena_new(256 << 20);
    arena_reset(m);
    if (size < 4) return 0;
    size_t split = (size_t)(bytes[0] << 8 | bytes[1]) % (size - 3);
    int64_t floor = (int64_t)bytes[2];
    bytes += 3, size -= 3;
    uint8_t *first = fuzz_copy(bytes, split, 0),
            *second = fuzz_copy(bytes + split, size - split, 0);
    struct slice a = slice_make(first, split), b = slice_make(second, size - split);
    if (is_ranges(a)) check_written(a);
    if (is_ranges(a) && is_ranges(b))
        check_ranges(a, b, slice_make(bytes, MIN(size, (size_t)floor % 8)), m);
    if (is_complex(a) && is_complex(b)) check_complex(a, b, floor, m);
    mem_give(first);
    mem_give(second);
    return 0;
}
