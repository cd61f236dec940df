/* Files: what is written comes back, failures name their path, the lock is exclusive across and
 * inside processes, and a store is whole. Method: real files in the test's own directory. */
#include "base/bytes.h"
#include "os/file.h"

#include "test.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *in_dir(const char *name)
{
    static char paths[4][512];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", test_dir(), name);
    return path;
}

TEST(what_is_written_at_an_offset_is_read_back_and_the_end_is_told)
{
    struct diag d;
    int fd;
    char got[16] = "";
    size_t n;
    uint64_t size;
    CHECK_OK(file_open(in_dir("a"), FILE_NEW, &fd, &d), &d);
    CHECK_OK(file_pwrite(fd, "world", 5, 6, &d), &d);
    CHECK_OK(file_pwrite(fd, "hello ", 6, 0, &d), &d);
    CHECK_OK(file_pread(fd, got, sizeof(got), 0, &n, &d), &d);
    CHECK_INT(n, 11);
    CHECK_TEXT(got, "hello world");
    CHECK_OK(file_truncate(fd, 5, &d), &d);
    CHECK_OK(file_preallocate(fd, 1 << 20, &d), &d);
    CHECK_OK(file_size(fd, &size, &d), &d);
    CHECK_INT(size, 5);
    CHECK_OK(file_sync(fd, &d), &d);
    file_close(fd);
    CHECK_ERR(file_open(in_dir("a"), FILE_NEW, &fd, &d), ERR_EXISTS);
}

TEST(vectored_writes_of_more_parts_than_the_kernel_takes_arrive_whole)
{
    enum { PARTS = 3000 };
    static struct iovec parts[PARTS];
    static uint32_t numbers[PARTS], back[PARTS];
    struct diag d;
    int fd;
    size_t n;
    for (uint32_t i = 0; i < PARTS; i++) {
        numbers[i] = i * 2654435761u;
        parts[i] = (struct iovec){&numbers[i], i % 7 == 3 ? 0 : 4};
    }
    CHECK_OK(file_open(in_dir("v"), FILE_WRITE, &fd, &d), &d);
    CHECK_OK(file_pwritev(fd, parts, PARTS, 0, &d), &d);
    CHECK_OK(file_pread(fd, back, sizeof(back), 0, &n, &d), &d);
    size_t at = 0;
    for (uint32_t i = 0; i < PARTS; i++)
        if (i % 7 != 3) CHECK(back[at++] == numbers[i]);
    CHECK_INT(n, at * 4);
    file_close(fd);
}

TEST(failures_name_the_file_and_the_cause)
{
    struct diag d;
    int fd;
    size_t n;
    char byte;
    CHECK_ERR(file_open(in_dir("missing"), FILE_READ, &fd, &d), ERR_NOT_FOUND);
    CHECK(strstr(d.what, "missing") && strstr(d.why, "No such file"));
    CHECK_OK(file_store(in_dir("ro"), SLICE("x"), &d), &d);
    CHECK_OK(file_open(in_dir("ro"), FILE_READ, &fd, &d), &d);
    CHECK(file_pwrite(fd, "y", 1, 0, &d) != ERR_OK);
    CHECK(strstr(d.what, "/ro") && strstr(d.why, "Bad file descriptor"));
    file_close(fd);
    CHECK_OK(file_open(test_dir(), FILE_READ, &fd, &d), &d);
    CHECK(file_pread(fd, &byte, 1, 0, &n, &d) != ERR_OK);
    CHECK(strstr(d.what, test_dir()) && strstr(d.why, "Is a directory"));
    file_close(fd);
    CHECK_OK(file_open("/dev/full", FILE_WRITE, &fd, &d), &d);
    CHECK_ERR(file_pwrite(fd, "y", 1, 0, &d), ERR_DISK_FULL);
    file_close(fd);
}

TEST(a_stored_file_is_replaced_whole_and_leaves_nothing_beside)
{
    struct diag d;
    struct slice got;
    CHECK_OK(file_store(in_dir("s"), SLICE("the first, longer content"), &d), &d);
    CHECK_OK(file_store(in_dir("s"), SLICE("second"), &d), &d);
    CHECK_OK(file_load(in_dir("s"), 100, &got, &d), &d);
    CHECK_SLICE(got, "second");
    CHECK_INT(got.at[got.len], 0);
    mem_give((void *)got.at);
    CHECK(!file_exists(in_dir("s.new")));
    CHECK_OK(file_load(in_dir("s"), 6, &got, &d), &d);
    mem_give((void *)got.at);
    CHECK_ERR(file_load(in_dir("s"), 5, &got, &d), ERR_TOO_BIG);
    CHECK(file_store(in_dir("no/such/s"), SLICE("x"), &d) == ERR_NOT_FOUND);
}

TEST(files_that_tell_no_size_are_loaded_whole)
{
    struct diag d;
    struct slice got;
    CHECK_OK(file_load("/proc/self/status", 1 << 20, &got, &d), &d);
    CHECK(slice_starts(got, "Name:") && got.len > 500);
    mem_give((void *)got.at);
    CHECK_ERR(file_load("/proc/self/status", 100, &got, &d), ERR_TOO_BIG);
}

TEST(loading_survives_every_failing_allocation)
{
    struct diag d;
    struct slice got;
    CHECK_OK(file_store(in_dir("m"), SLICE("content"), &d), &d);
    size_t held = mem_held();
    mem_fail_at(1);
    CHECK_ERR(file_load(in_dir("m"), 100, &got, &d), ERR_NO_MEMORY);
    mem_fail_at(0);
    CHECK_INT(mem_held(), held);
}

TEST(a_lock_is_refused_twice_and_names_its_holder)
{
    struct diag d;
    int fd, second, go[2], ready[2];
    char byte, pid[32];
    CHECK_OK(file_lock(in_dir("lock"), &fd, &d), &d);
    CHECK_ERR(file_lock(in_dir("lock"), &second, &d), ERR_IN_USE);
    snprintf(pid, sizeof(pid), "pid %d (unit_os)", (int)getpid());
    CHECK(strstr(d.why, pid));
    file_close(fd);
    INVARIANT(pipe(go) == 0 && pipe(ready) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(go[1]);
        if (file_lock(in_dir("lock"), &fd, NULL) == ERR_OK && write(ready[1], "y", 1) == 1)
            while (read(go[0], &byte, 1) > 0) continue;
        _exit(0);
    }
    close(go[0]);
    CHECK_INT(read(ready[0], &byte, 1), 1);
    CHECK_ERR(file_lock(in_dir("lock"), &second, &d), ERR_IN_USE);
    snprintf(pid, sizeof(pid), "pid %d", (int)child);
    CHECK(strstr(d.why, pid));
    close(go[1]);
    waitpid(child, NULL, 0);
    CHECK_OK(file_lock(in_dir("lock"), &second, &d), &d);
    file_close(second);
    close(ready[0]), close(ready[1]);
}

static err_t note_name(void *ctx, const char *name)
{
    struct buf *seen = ctx;
    buf_printf(seen, "%s ", name);
    return strcmp(name, "stop") == 0 ? ERR_STOPPED : ERR_OK;
}

TEST(directories_are_made_with_parents_listed_in_order_and_removed_whole)
{
    struct diag d;
    struct buf seen = buf_make(256);
    uint64_t free_bytes, total;
    CHECK_OK(dir_make(in_dir("x/y/z/"), &d), &d);
    CHECK_OK(dir_make(in_dir("x/y/z"), &d), &d);
    CHECK_OK(file_store(in_dir("x/b"), SLICE("1"), &d), &d);
    CHECK_OK(file_store(in_dir("x/a"), SLICE("1"), &d), &d);
    CHECK_OK(dir_list(in_dir("x"), note_name, &seen, &d), &d);
    CHECK_TEXT(buf_cstr(&seen), "a b y ");
    CHECK_OK(file_store(in_dir("x/stop"), SLICE("1"), &d), &d);
    buf_reset(&seen);
    CHECK_ERR(dir_list(in_dir("x"), note_name, &seen, &d), ERR_STOPPED);
    CHECK_TEXT(buf_cstr(&seen), "a b stop ");
    CHECK(dir_make(in_dir("x/a/under-a-file"), &d) != ERR_OK);
    CHECK(strstr(d.what, "x/a") && strstr(d.why, "Not a directory"));
    CHECK_OK(disk_free(in_dir("x"), &free_bytes, &total, &d), &d);
    CHECK(total > 0 && free_bytes <= total);
    CHECK_OK(dir_remove_all(in_dir("x"), &d), &d);
    CHECK(!file_exists(in_dir("x")));
    CHECK_OK(dir_remove_all(in_dir("x"), &d), &d);
    buf_done(&seen);
}

TEST(removing_a_tree_does_not_follow_links_out_of_it)
{
    struct diag d;
    CHECK_OK(dir_make(in_dir("kept"), &d), &d);
    CHECK_OK(file_store(in_dir("kept/file"), SLICE("1"), &d), &d);
    CHECK_OK(dir_make(in_dir("tree/sub"), &d), &d);
    CHECK_INT(symlink(in_dir("kept"), in_dir("tree/sub/link")), 0);
    CHECK_OK(dir_remove_all(in_dir("tree"), &d), &d);
    CHECK(file_exists(in_dir("kept/file")) && !file_exists(in_dir("tree")));
}
