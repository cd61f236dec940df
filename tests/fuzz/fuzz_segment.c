/* A partition's file with any content behind a valid beginning: opening the log cuts it to a valid
 * prefix or says that it is damaged; what it then reads are whole batches. */
#include "fuzz.h"
#include "log/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char dir[64], segment[128];

static void make_log(void)
{
    struct log *l;
    struct log_topic *t;
    struct diag d;
    struct log_topic_config c = log_topic_defaults();
    char command[128];
    snprintf(dir, sizeof(dir), "/tmp/sluice-fuzz-log-%d", (int)getpid());
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    if (system(command) != 0) abort();
    if (log_open(&(struct log_options){.dir = dir, .disk_keep_free = 1}, 1, &l, &d) ||
        log_topic_create(l, SLICE("t"), 1, &c, &t, &d))
        abort();
    log_close(l);
    snprintf(segment, sizeof(segment), "%s/t-0/00000000000000000000.log", dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct log *l;
    struct diag d;
    make_log();
    int fd = open(segment, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) abort();
    if (write(fd, bytes, size) != (ssize_t)size) abort();
    close(fd);
    if (log_open(&(struct log_options){.dir = dir, .disk_keep_free = 1}, 2, &l, &d) == ERR_OK) {
        struct log_topic *t = log_topic_find(l, SLICE("t"));
        struct log_partition *p = t ? log_partition(t, 0) : NULL;
        struct buf into = buf_make(16 << 20);
        if (p && log_read(p, log_start_offset(p), 1 << 20, &into, &d) == ERR_OK && into.len) {
            struct record_batch batch;
            if (record_batch_read(buf_view(&into), true, &batch)) abort();
        }
        buf_done(&into);
        log_close(l);
    }
    return 0;
}
