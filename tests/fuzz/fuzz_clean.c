/* A compacted partition whose closed segment holds anything that passes as record batches: cleaning
 * it ends, and either says that it is damaged or leaves whole batches in order, the end where it
 * was, and never more records than before. */
#include "fuzz_log.h"

static const struct log_options options = {
    .dir = fuzz_log_dir, .disk_keep_free = 1, .clean_backoff_ms = -1, .clean_keys_max = 8};

/* How many records there are up to the end; whole batches in order, or it stops here. */
static int64_t count_records(struct log_partition *p)
{
    struct buf into = buf_make(16 << 20);
    struct diag d;
    int64_t at = log_start_offset(p), end = log_end_offset(p), records = 0;
    while (at < end) {
        struct record_batch b;
        buf_reset(&into);
        if (log_read(p, at, 1 << 20, &into, &d) || into.len == 0) break;
        for (size_t i = 0; i < into.len; i += record_batch_size(&b)) {
            if (record_batch_read(slice_make(into.at + i, into.len - i), true, &b)) abort();
            if (b.base_offset + b.last_offset_delta < at) abort();
            records += b.count;
            at = b.base_offset + b.last_offset_delta + 1;
        }
    }
    buf_done(&into);
    return records;
}

static void clean_and_check(struct log *l)
{
    struct diag d;
    struct log_partition *p = log_partition(log_topic_find(l, SLICE("t")), 0);
    int64_t end = log_end_offset(p), before = count_records(p);
    if (log_retain(p, 1000, INT64_MAX, &d)) abort(); /* closes the tail */
    bool cleaned = true;
    for (int rounds = 0; cleaned && rounds < 10000; rounds++)
        if (log_clean(p, 2000 + rounds * 10, &cleaned, &d)) break;
    if (log_end_offset(p) != end || count_records(p) > before) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct log *l;
    struct diag d;
    if (size < 1) return 0;
    struct log_topic_config c = log_topic_defaults();
    c.compact = true;
    c.delete = false;
    c.segment_ms = 1;
    c.min_cleanable_ratio = 0;
    c.delete_retention_ms = 1;
    fuzz_log_make(&c);
    fuzz_log_write(bytes, size);
    for (int round = 0; round < 2; round++) {
        if (log_open(&options, 2, &l, &d)) break;
        if (log_topic_find(l, SLICE("t"))) clean_and_check(l);
        log_close(l);
    }
    return 0;
}
