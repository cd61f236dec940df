/* A partition's file with any content behind a valid beginning: opening the log cuts it to a valid
 * prefix or says that it is damaged; what it then reads are whole batches. */
#include "base/say.h"
#include "fuzz.h"
#include "log/log.h"

#include <dirent.h>

static char dir[64], partition[96], segment[128];

static void make_log(void)
{
    struct log *l;
    struct log_topic *t;
    struct diag d;
    struct log_topic_config c = log_topic_defaults();
    snprintf(dir, sizeof(dir), "/tmp/sluice-fuzz-log-%d", (int)getpid());
    if (log_open(&(struct log_options){.dir = dir, .disk_keep_free = 1}, 1, &l, &d) ||
        log_topic_create(l, SLICE("t"), 1, &c, &t, &d))
        abort();
    log_close(l);
    snprintf(partition, sizeof(partition), "%s/t-0", dir);
    snprintf(segment, sizeof(segment), "%s/00000000000000000000.log", partition);
}

/* The partition as if it had never been written to. */
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct log *l;
    struct diag d;
    if (size < 1) return 0;
    if (!dir[0]) {
        make_log();
        atexit(remove_log);
        say_level_set(SAY_LOG, SAY_OFF);
    }
    empty_partition();
    uint8_t *copy = fuzz_copy(bytes + 1, size - 1, 0);
    if (bytes[0] & 1) fuzz_seal_batches(copy, size - 1);
    int fd = open(segment, O_WRONLY | O_CREAT, 0600);
    if (fd < 0) abort();
    if (write(fd, copy, size - 1) != (ssize_t)size - 1) abort();
    close(fd);
    mem_give(copy);
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
