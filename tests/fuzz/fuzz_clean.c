/* A compacted partition whose closed segment holds anything that passes as record batches: cleaning
 * it ends, and either says that it is damaged or leaves whole batches in order, the end where it
 * was, and never more records than before. */
#include "base/say.h"
#include "fuzz.h"
#include "log/log.h"

#include <dirent.h>

static char dir[64], partition[96], segment[128];
static const struct log_options options = {
    .dir = dir, .disk_keep_free = 1, .clean_backoff_ms = -1, .clean_keys_max = 8};

static void make_log(void)
{
    struct log *l;
    struct log_topic *t;
    struct diag d;
    struct log_topic_config c = log_topic_defaults();
    c.compact = true;
    c.delete = false;
    c.segment_ms = 1;
    c.min_cleanable_ratio = 0;
    c.delete_retention_ms = 1;
    snprintf(dir, sizeof(dir), "/tmp/sluice-fuzz-clean-%d", (int)getpid());
    if (log_open(&options, 1, &l, &d) || log_topic_create(l, SLICE("t"), 1, &c, &t, &d)) abort();
    log_close(l);
    snprintf(partition, sizeof(partition), "%s/t-0", dir);
    snprintf(segment, sizeof(segment), "%s/00000000000000000000.log", partition);
}

static void empty_partition(void)
{
    DIR *files = opendir(partition);
    if (!files) abort();
    for (struct dirent *f; (f = readdir(files));)
        if (f->d_name[0] != '.' && unlinkat(dirfd(files), f->d_name, 0) != 0) abort();
    closedir(files);
}

static void remove_log(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    (void)!system(command);
}

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
    if (!dir[0]) {
        say_level_set(SAY_LOG, SAY_OFF);
        make_log();
        atexit(remove_log);
    }
    empty_partition();
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    if (bytes[0] & 1) fuzz_seal_batches(copy, size - 1);
    int fd = open(segment, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) abort();
    if (write(fd, copy, size - 1) != (ssize_t)size - 1) abort();
    close(fd);
    mem_give(copy);
    for (int round = 0; round < 2; round++) {
        if (log_open(&options, 2, &l, &d)) break;
        if (log_topic_find(l, SLICE("t"))) clean_and_check(l);
        log_close(l);
    }
    return 0;
}
