/* A partition's file with any content behind a valid beginning: opening the log cuts it to a valid
 * prefix or says that it is damaged; what it then reads are whole batches, and opened again, from
 * its checkpoint instead of by a scan, it tells the same of its transactions. */
#include "fuzz_log.h"

/* What the partition says of its transactions, in one number. */
static uint64_t told(struct log_partition *p)
{
    struct vec aborted = vec_make(sizeof(struct log_aborted), 1 << 16);
    struct diag d;
    int64_t stable = log_stable_offset(p), end = log_end_offset(p);
    if (stable > end || stable < 0) abort();
    if (log_aborted(p, log_start_offset(p), end, &aborted, &d)) abort();
    uint64_t sum = (uint64_t)stable * 31 + (uint64_t)end;
    for (size_t i = 0; i < aborted.count; i++) {
        const struct log_aborted *a = vec_at(&aborted, i);
        if (a->first_offset >= a->last_offset || a->last_offset >= end) abort();
        sum = sum * 1000003 + (uint64_t)a->producer_id + (uint64_t)a->first_offset * 7 +
              (uint64_t)a->last_offset * 13;
    }
    vec_done(&aborted);
    return sum;
}

static struct log_partition *open_again(struct log **l)
{
    struct diag d;
    if (log_open(&(struct log_options){.dir = fuzz_log_dir, .disk_keep_free = 1}, 2, l, &d))
        return NULL;
    struct log_topic *t = log_topic_find(*l, SLICE("t"));
    return t ? log_partition(t, 0) : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct log *l;
    struct diag d;
    if (size < 1) return 0;
    struct log_topic_config c = log_topic_defaults();
    fuzz_log_make(&c);
    fuzz_log_write(bytes, size);
    l = NULL;
    struct log_partition *p = open_again(&l);
    uint64_t first = p ? told(p) : 0;
    if (p) {
        struct buf into = buf_make(16 << 20);
        if (log_read(p, log_start_offset(p), 1 << 20, &into, &d) == ERR_OK && into.len) {
            struct record_batch batch;
            if (record_batch_read(buf_view(&into), true, &batch)) abort();
        }
        buf_done(&into);
    }
    log_close(l);
    l = NULL;
    if (p && (p = open_again(&l)) && told(p) != first) abort();
    log_close(l);
    return 0;
}
