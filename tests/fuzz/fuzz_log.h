/* fuzz_log: a log of one topic, `t`, of one partition, in a folder of this process's own, whose
 * segment a target writes as it likes between two openings. */
#pragma once
#include "base/say.h"
#include "fuzz.h"
#include "log/log.h"

#include <dirent.h>

static char fuzz_log_dir[64], fuzz_log_partition[96], fuzz_log_segment[128];

static inline void fuzz_log_remove(void)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", fuzz_log_dir);
    (void)!system(command);
}

/* Made at the first call; gone at the end. */
static inline void fuzz_log_make(const struct log_topic_config *c)
{
    struct log *l;
    struct log_topic *t;
    struct diag d;
    if (fuzz_log_dir[0]) return;
    say_level_set(SAY_LOG, SAY_OFF);
    snprintf(fuzz_log_dir, sizeof(fuzz_log_dir), "/tmp/sluice-fuzz-log-%d", (int)getpid());
    if (log_open(&(struct log_options){.dir = fuzz_log_dir, .disk_keep_free = 1}, 1, &l, &d) ||
        log_topic_create(l, SLICE("t"), 1, c, &t, &d))
        abort();
    log_close(l);
    snprintf(fuzz_log_partition, sizeof(fuzz_log_partition), "%s/t-0", fuzz_log_dir);
    snprintf(fuzz_log_segment, sizeof(fuzz_log_segment), "%s/00000000000000000000.log",
             fuzz_log_partition);
    atexit(fuzz_log_remove);
}

/* The partition as if it had never been written to but for these bytes: batches as they come, or,
 * when the first byte is odd, with the CRC that fits. */
static inline void fuzz_log_write(const uint8_t *bytes, size_t size)
{
    DIR *files = opendir(fuzz_log_partition);
    if (!files) abort();
    for (struct dirent *f; (f = readdir(files));)
        if (f->d_name[0] != '.' && unlinkat(dirfd(files), f->d_name, 0) != 0) abort();
    closedir(files);
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    if (bytes[0] & 1) fuzz_seal_batches(copy, size - 1);
    int fd = open(fuzz_log_segment, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) abort();
    if (write(fd, copy, size - 1) != (ssize_t)size - 1) abort();
    close(fd);
    mem_give(copy);
}
