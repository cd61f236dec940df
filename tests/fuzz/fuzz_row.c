/* A table's bytes on disk: a row's cells, two rows merged, lineage. What is read is written and
 * read again, and merging keeps its laws for any bytes that are rows, of either version. */
#include "fuzz.h"
#include "store/store_int.h"

enum { CELLS_MAX = 4096 };

/* The cells of `row`, or ERR_… */
static err_t read_row(struct slice row, struct cell *cells, size_t *count)
{
    struct row_reader r;
    row_open(&r, row);
    *count = 0;
    while (*count < CELLS_MAX && row_next(&r, &cells[*count])) ++*count;
    if (*count == CELLS_MAX || r.err) return r.err ? r.err : ERR_TOO_BIG;
    struct buf out = buf_make(64 << 20); /* what is in its complex cells is looked at by merging */
    err_t e = r.version == ROW_SIMPLE ? ERR_OK : row_merge(&row, 1, &out);
    buf_done(&out);
    return e;
}

static void check_written(const struct cell *cells, size_t count)
{
    static struct cell again[CELLS_MAX];
    struct buf out = buf_make(64 << 20);
    size_t count_again;
    row_put(&out, cells, count);
    if (out.err || out.len > row_size_max(cells, count)) abort();
    if (read_row(buf_view(&out), again, &count_again) || count_again != count) abort();
    for (size_t i = 0; i < count; i++)
        if (cells[i].id != again[i].id || cells[i].complex != again[i].complex ||
            cell_compare(&cells[i], &again[i]) != 0)
            abort();
    buf_done(&out);
}

static void merge(struct slice a, struct slice b, struct buf *out)
{
    struct slice rows[] = {a, b};
    *out = buf_make(64 << 20);
    if (row_merge(rows, 2, out)) abort(); /* both are rows */
}

static void check_merge(struct slice a, struct slice b)
{
    struct buf ab, ba, aba;
    merge(a, b, &ab);
    merge(b, a, &ba);
    merge(buf_view(&ab), a, &aba);
    if (!slice_equal(buf_view(&ab), buf_view(&ba))) abort();
    if (!slice_equal(buf_view(&ab), buf_view(&aba))) abort();
    buf_done(&ab);
    buf_done(&ba);
    buf_done(&aba);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static struct cell cells[2][CELLS_MAX];
    struct store_lineage lineage;
    size_t count[2], split;
    if (size < 2) return 0;
    split = (size_t)(bytes[0] << 8 | bytes[1]) % (size - 1);
    bytes += 2, size -= 2;
    uint8_t *first = fuzz_copy(bytes, split, 0),
            *second = fuzz_copy(bytes + split, size - split, 0);
    struct slice a = slice_make(first, split), b = slice_make(second, size - split);
    err_t a_is = read_row(a, cells[0], &count[0]), b_is = read_row(b, cells[1], &count[1]);
    if (!a_is) check_written(cells[0], count[0]);
    if (!a_is && !b_is) check_merge(a, b);
    if (lineage_take(b, &lineage) == ERR_OK) {
        struct store_lineage again;
        struct buf out = buf_make(256);
        lineage_put(&out, &lineage);
        if (lineage_take(buf_view(&out), &again) || memcmp(&lineage, &again, sizeof(again)) != 0)
            abort();
        buf_done(&out);
    }
    mem_give(first);
    mem_give(second);
    return 0;
}
