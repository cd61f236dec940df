#include "log/log_test_kit.h"

#include <signal.h>
#include <sys/wait.h>

/* Five batches; the crash comes before any checkpoint. Returns where the last begins. */
static size_t five_batches(struct fixture *f)
{
    size_t last = 0;
    for (int i = 0; i < 5; i++) {
        last = log_partition_bytes(f->p);
        append_one(
            f, (struct batch_want){
                   .count = 2, .size = 60, .ms = i, .pid = 4, .seq = i * 2, .fill = (uint8_t)i});
    }
    return last;
}

static const char first_log[] = "00000000000000000000.log";

TEST(a_tail_torn_at_any_byte_is_cut_to_the_last_whole_batch)
{
    struct fixture f = fixture_open("torn");
    char path[1024];
    size_t last = five_batches(&f);
    fixture_crash(&f);
    struct buf whole = file_bytes(fixture_path(&f, first_log, path));
    CHECK_INT(whole.len, last + RECORD_BATCH_HEAD + 60);
    enum { SHORTER, ZEROS_AFTER, JUNK_AFTER, WAYS };
    for (size_t cut = last; cut <= whole.len; cut++) {
        int way = (int)(cut % WAYS);
        struct buf torn = buf_make(MIB(1));
        buf_put(&torn, whole.at, cut);
        for (int i = 0; way != SHORTER && i < 5000; i++)
            buf_be(&torn, way == JUNK_AFTER ? 0xabu : 0, 1);
        file_replace(path, buf_view(&torn));
        fixture_reopen(&f);
        bool kept = cut == whole.len;
        CHECK_INT(log_end_offset(f.p), kept ? 10 : 8);
        size_t cut_from = kept ? cut : last, cut_to = cut; /* zeros at the end are no loss */
        if (way == JUNK_AFTER) cut_to = torn.len;
        while (cut_to > cut_from && torn.at[cut_to - 1] == 0) cut_to--;
        CHECK_INT(log_recovery(f.log).bytes_cut, cut_to - cut_from);
        CHECK_INT(log_recovery(f.log).segments_scanned, 1);
        struct log_producer state;
        CHECK_OK(log_producer_state(f.p, 4, &state), NULL);
        CHECK_INT(state.last_sequence, kept ? 9 : 7);
        /* what comes next stands where the torn batch stood */
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 4, .seq = kept ? 10 : 8}),
                  kept ? 10 : 8);
        CHECK_INT(read_all(&f, 0), kept ? 11 : 9);
        fixture_close_log(&f);
        fixture_path(&f, "checkpoint", path); /* the next round is a crash again */
        CHECK_OK(file_remove(path, NULL), NULL);
        fixture_path(&f, first_log, path);
        buf_done(&torn);
    }
    buf_done(&whole);
    fixture_close(&f);
}

TEST(what_was_cut_once_never_comes_back)
{
    struct fixture f = fixture_open("back");
    char path[1024];
    size_t last = five_batches(&f), one = RECORD_BATCH_HEAD + 60;
    fixture_crash(&f);
    struct buf whole = file_bytes(fixture_path(&f, first_log, path));
    whole.at[last - 1] ^= 1; /* the fourth is torn, the fifth is whole behind it */
    file_replace(path, buf_view(&whole));
    fixture_reopen(&f);
    CHECK_INT(log_end_offset(f.p), 6);
    CHECK_INT(log_recovery(f.log).bytes_cut, 2 * one);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 2, .size = 60}), 6);
    CHECK_INT(log_end_offset(f.p), 8);
    fixture_crash(&f); /* the new fourth fits the old fifth: it must be gone from the file */
    fixture_reopen(&f);
    CHECK_INT(log_end_offset(f.p), 8);
    CHECK_INT(read_all(&f, 0), 8);
    buf_done(&whole);
    fixture_close(&f);
}

TEST(a_whole_batch_that_is_not_the_next_one_ends_the_log)
{
    struct fixture f = fixture_open("order");
    char path[1024];
    five_batches(&f);
    fixture_crash(&f);
    struct buf whole = file_bytes(fixture_path(&f, first_log, path));
    struct buf longer = buf_make(MIB(1));
    buf_put(&longer, whole.at, whole.len);
    buf_put(&longer, whole.at, RECORD_BATCH_HEAD + 60); /* the first once more */
    file_replace(path, buf_view(&longer));
    fixture_reopen(&f);
    CHECK_INT(log_end_offset(f.p), 10);
    CHECK_INT(log_recovery(f.log).bytes_cut, RECORD_BATCH_HEAD + 60);
    buf_done(&whole), buf_done(&longer);
    fixture_close(&f);
}

TEST(zeros_behind_the_tail_are_the_end_and_not_a_loss)
{
    struct fixture f = fixture_open("zeros");
    char path[1024];
    uint64_t size;
    int fd;
    /* enough traffic that the log zeroes ahead by itself */
    for (int i = 0; i < 30; i++) append_one(&f, (struct batch_want){.count = 1, .size = 2000});
    uint64_t bytes = log_partition_bytes(f.p);
    CHECK_OK(file_open(fixture_path(&f, first_log, path), FILE_READ, &fd, NULL), NULL);
    CHECK_OK(file_size(fd, &size, NULL), NULL);
    file_close(fd);
    CHECK(size > bytes);
    fixture_crash(&f);
    fixture_reopen(&f);
    CHECK_INT(log_recovery(f.log).bytes_cut, 0);
    CHECK_INT(log_recovery(f.log).bytes_scanned, bytes);
    CHECK_INT(log_partition_bytes(f.p), bytes);
    CHECK_INT(read_all(&f, 0), 30);
    fixture_close(&f);
}

TEST(a_clean_close_leaves_no_zeros_and_nothing_to_scan)
{
    struct fixture f = fixture_open("clean");
    char path[1024];
    for (int i = 0; i < 30; i++) append_one(&f, (struct batch_want){.count = 1, .size = 2000});
    uint64_t bytes = log_partition_bytes(f.p);
    fixture_close_log(&f);
    struct buf whole = file_bytes(fixture_path(&f, first_log, path));
    CHECK_INT(whole.len, bytes);
    /* damage that a scan would see: it must not look */
    whole.at[100] ^= 1;
    file_replace(path, buf_view(&whole));
    fixture_reopen(&f);
    CHECK_INT(log_recovery(f.log).bytes_scanned, 0);
    CHECK_INT(log_end_offset(f.p), 30);
    buf_done(&whole);
    fixture_close(&f);
}

TEST(damage_before_the_checkpoint_is_told_where_it_lies_and_not_cut)
{
    struct fixture f = fixture_open("damage");
    struct diag d = {0};
    struct buf got = buf_make(MIB(1));
    char path[1024];
    size_t last = five_batches(&f);
    fixture_close_log(&f); /* the checkpoint */
    struct buf whole = file_bytes(fixture_path(&f, first_log, path));
    size_t second = (RECORD_BATCH_HEAD + 60), third = second * 2;
    whole.at[third + 80] ^= 4;
    file_replace(path, buf_view(&whole));
    fixture_reopen(&f);
    CHECK_INT(log_end_offset(f.p), 10);
    CHECK_OK(log_read(f.p, 0, 100000, &got, &d), &d); /* what is sound before it … */
    CHECK_INT(got.len, third);
    buf_reset(&got);
    CHECK_ERR(log_read(f.p, 4, 100000, &got, &d), ERR_CORRUPT);
    CHECK(strstr(d.where, "damage-0/00000000000000000000.log at byte 242") != NULL);
    CHECK_OK(log_read(f.p, 6, 100000, &got, &d), &d); /* … and behind it */
    CHECK_INT(got.len, last + second - third - second);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), 10);
    buf_done(&got), buf_done(&whole);
    fixture_close(&f);
}

TEST(a_shortened_or_missing_file_is_told_and_no_offset_is_used_twice)
{
    for (int way = 0; way < 2; way++) {
        struct fixture f = fixture_open(way ? "missing" : "short");
        struct buf got = buf_make(MIB(1));
        char path[1024];
        size_t last = five_batches(&f);
        fixture_close_log(&f);
        struct buf whole = file_bytes(fixture_path(&f, first_log, path));
        if (way)
            CHECK_OK(file_remove(path, NULL), NULL);
        else
            file_replace(path, slice_make(whole.at, last + 5));
        fixture_reopen(&f);
        CHECK_INT(log_end_offset(f.p), 10);
        CHECK_ERR(log_read(f.p, 8, 1000, &got, NULL), ERR_CORRUPT);
        CHECK_INT(append_one(&f, (struct batch_want){.count = 3}), 10);
        CHECK_INT(read_all(&f, 10), 13);
        fixture_reopen(&f);
        CHECK_INT(read_all(&f, 10), 13);
        CHECK_ERR(log_read(f.p, 8, 1000, &got, NULL), ERR_CORRUPT);
        if (!way) {
            buf_reset(&got);
            CHECK_OK(log_read(f.p, 0, 100000, &got, NULL), NULL);
            CHECK_INT(got.len, last);
        }
        buf_done(&got), buf_done(&whole);
        fixture_close(&f);
    }
}

TEST(damage_in_a_segment_that_another_follows_is_kept_even_without_a_checkpoint)
{
    struct fixture f = fixture_open_sized("follows", 1000);
    struct buf got = buf_make(MIB(1));
    char path[1024];
    for (int i = 0; i < 12; i++) append_one(&f, (struct batch_want){.count = 1, .size = 200});
    CHECK_INT(files_with(&f, ".log"), 4);
    fixture_close_log(&f);
    struct buf whole = file_bytes(fixture_path(&f, "00000000000000000003.log", path));
    whole.at[300] ^= 1; /* the fifth batch of all */
    file_replace(path, buf_view(&whole));
    CHECK_OK(file_remove(fixture_path(&f, "checkpoint", path), NULL), NULL);
    fixture_reopen(&f);
    CHECK_INT(log_recovery(f.log).bytes_cut, 0);
    CHECK_INT(log_end_offset(f.p), 12);
    CHECK_ERR(log_read(f.p, 4, 1000, &got, NULL), ERR_CORRUPT);
    CHECK_INT(read_all(&f, 6), 12);
    CHECK_OK(log_read(f.p, 3, 1000, &got, NULL), NULL);
    buf_done(&got), buf_done(&whole);
    fixture_close(&f);
}

TEST(a_damaged_checkpoint_or_index_costs_time_but_no_records)
{
    static const char *const files[] = {"checkpoint", "00000000000000000000.index",
                                        "00000000000000000009.index"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct fixture f = fixture_open_sized("advisory", 60000);
        char path[1024];
        for (int k = 0; k < 100; k++)
            append_one(
                &f, (struct batch_want){
                        .count = 1, .size = 3000 + (uint32_t)k * 37, .ms = k, .pid = 7, .seq = k});
        fixture_close_log(&f);
        fixture_path(&f, files[i], path);
        if (file_exists(path)) {
            struct buf bytes = file_bytes(path);
            for (size_t at = 20; at < bytes.len; at += 3) bytes.at[at] ^= 0x55;
            file_replace(path, buf_view(&bytes));
            buf_done(&bytes);
        }
        fixture_reopen(&f);
        for (int64_t from = 0; from <= 100; from += 9) CHECK_INT(read_all(&f, from), 100);
        int64_t at;
        CHECK_OK(log_offset_at(f.p, 57, &at, NULL), NULL);
        CHECK_INT(at, 57);
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .pid = 7, .seq = 100}), 100);
        fixture_reopen(&f);
        CHECK_INT(read_all(&f, 42), 101);
        fixture_close(&f);
        CHECK_OK(dir_remove_all(f.dir, NULL), NULL);
    }
}

TEST(files_of_a_newer_version_are_refused_with_a_clear_word)
{
    struct fixture f = fixture_open("newer");
    struct diag d = {0};
    struct log *l;
    char path[1024];
    five_batches(&f);
    fixture_close_log(&f);
    static const char *const files[] = {"newer-0/checkpoint", "identity"};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", f.dir, files[i]);
        struct buf bytes = file_bytes(path);
        bytes.at[11]++;
        file_replace(path, buf_view(&bytes));
        CHECK_ERR(log_open(&f.options, 1, &l, &d), ERR_VERSION);
        CHECK(strstr(d.what, "newer Sluice") != NULL && strstr(d.what, files[i]) != NULL);
        bytes.at[11]--;
        file_replace(path, buf_view(&bytes));
        buf_done(&bytes);
    }
    fixture_reopen(&f);
    CHECK_INT(read_all(&f, 0), 10);
    fixture_close(&f);
}

TEST(a_second_log_on_the_same_directory_is_refused)
{
    struct fixture f = fixture_open("second");
    struct diag d = {0};
    struct log *l;
    CHECK_ERR(log_open(&f.options, 1, &l, &d), ERR_IN_USE);
    CHECK(strstr(d.why, "pid") != NULL);
    fixture_close(&f);
}

TEST(what_retention_had_to_leave_is_removed_by_the_next_open)
{
    struct fixture f = fixture_open_sized("left", 1000);
    char path[1024];
    struct diag d = {0};
    for (int i = 0; i < 12; i++)
        append_one(&f, (struct batch_want){.count = 1, .size = 200, .ms = 1});
    struct buf first = file_bytes(fixture_path(&f, first_log, path));
    CHECK_OK(log_retain(f.p, INT64_C(9) * 24 * 3600 * 1000, 4, &d), &d);
    CHECK_INT(log_start_offset(f.p), 3);
    CHECK(!file_exists(path));
    fixture_close_log(&f);
    file_replace(path, buf_view(&first)); /* as if the crash came before the unlink */
    fixture_reopen(&f);
    CHECK(!file_exists(path));
    CHECK_INT(log_start_offset(f.p), 3);
    CHECK_INT(read_all(&f, 3), 12);
    buf_done(&first);
    fixture_close(&f);
}

/* Reads at every offset: bytes or an honest error, and only batches that are sound. */
static void read_everywhere(struct fixture *f)
{
    struct buf got = buf_make(MIB(4));
    int64_t time_offset;
    for (int64_t at = log_start_offset(f->p); at < log_end_offset(f->p); at++) {
        buf_reset(&got);
        err_t e = log_read(f->p, at, 500, &got, NULL);
        CHECK(e == ERR_OK || e == ERR_CORRUPT);
        struct record_batch b;
        for (size_t i = 0; i < got.len; i += record_batch_size(&b)) {
            e = record_batch_read(slice_make(got.at + i, got.len - i), true, &b);
            CHECK_INT(e, ERR_OK);
            if (e) break;
        }
    }
    err_t e = log_offset_at(f->p, 20, &time_offset, NULL);
    CHECK(e == ERR_OK || e == ERR_CORRUPT);
    buf_done(&got);
}

TEST(random_damage_to_any_file_is_an_error_or_survived_but_never_believed)
{
    static const char *const files[] = {first_log, "00000000000000000000.index", "checkpoint",
                                        "00000000000000000030.log"};
    struct fixture f = fixture_open_sized("rot", 20000);
    struct buf whole[COUNT_OF(files)];
    char path[1024];
    uint64_t seed = 11;
    for (int i = 0; i < 40; i++)
        append_one(&f, (struct batch_want){.count = 1, .size = 600, .ms = i, .pid = 3, .seq = i});
    fixture_close_log(&f);
    for (size_t i = 0; i < COUNT_OF(files); i++)
        whole[i] = file_bytes(fixture_path(&f, files[i], path));
    for (int round = 0; round < 80; round++) {
        for (size_t i = 0; i < COUNT_OF(files); i++) {
            struct buf rot = buf_make(MIB(1));
            buf_put(&rot, whole[i].at, whole[i].len);
            bool hit = test_random(&seed) % COUNT_OF(files) == i || round % 8 == 0;
            for (uint64_t k = test_random(&seed) % 6; hit && k > 0; k--)
                rot.at[test_random(&seed) % rot.len] ^= (uint8_t)(1 + test_random(&seed) % 255);
            if (hit && test_random(&seed) % 4 == 0) rot.len = test_random(&seed) % rot.len;
            file_replace(fixture_path(&f, files[i], path), buf_view(&rot));
            buf_done(&rot);
        }
        struct log *l = NULL;
        struct diag d = {0};
        err_t e = log_open(&f.options, 1, &l, &d);
        if (e) CHECK(e == ERR_CORRUPT || e == ERR_VERSION);
        if (e) CHECK(strstr(d.what, "rot") || strstr(d.where, "rot"));
        if (e) continue;
        f.log = l;
        f.p = log_partition(log_topic_find(l, SLICE("rot")), 0);
        read_everywhere(&f);
        int64_t end = log_end_offset(f.p);
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 5}), end);
        fixture_close_log(&f);
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) buf_done(&whole[i]);
    fixture_close(&f);
}

/* --- kills ------------------------------------------------------------------------------------ */

struct told { /* what the child has been told, one after another through the pipe */
    int64_t offset;
    int32_t sequence;
};

_Noreturn static void append_until_killed(const struct log_options *o, int pipe_fd,
                                          int32_t sequence)
{
    struct log *l;
    int64_t at;
    if (log_open(o, 1, &l, NULL)) _exit(1);
    struct log_partition *p = log_partition(log_topic_find(l, SLICE("killed")), 0);
    for (;; sequence++) {
        struct buf b = batch_make((struct batch_want){
            .count = 1, .size = 50 + (uint32_t)sequence % 2000, .pid = 6, .seq = sequence});
        if (log_append_wait(l, p, b.at, b.len, 1, &at, NULL)) _exit(2);
        buf_done(&b);
        struct told t = {at, sequence};
        if (write(pipe_fd, &t, sizeof(t)) != sizeof(t)) _exit(3);
    }
}

TEST(what_was_acknowledged_outlives_a_kill_at_any_moment)
{
    struct fixture f = fixture_open_sized("killed", 50000);
    struct told last = {-1, -1}, t;
    uint64_t seed = 5;
    fixture_close_log(&f);
    for (int round = 0; round < 12; round++) {
        int pipe_fds[2], appends = 1 + (int)(test_random(&seed) % 60);
        INVARIANT(pipe(pipe_fds) == 0);
        pid_t pid = fork();
        if (pid == 0) append_until_killed(&f.options, pipe_fds[1], last.sequence + 1);
        close(pipe_fds[1]);
        while (appends-- > 0 && read(pipe_fds[0], &t, sizeof(t)) == sizeof(t)) last = t;
        CHECK_INT(appends, -1);
        kill(pid, SIGKILL);
        while (read(pipe_fds[0], &t, sizeof(t)) == sizeof(t)) last = t;
        close(pipe_fds[0]);
        waitpid(pid, NULL, 0);
        fixture_reopen(&f);
        CHECK(log_end_offset(f.p) > last.offset);
        CHECK(log_end_offset(f.p) <= last.offset + 2); /* one more may have been under way */
        CHECK_INT(read_all(&f, 0), log_end_offset(f.p));
        struct log_producer state;
        CHECK_OK(log_producer_state(f.p, 6, &state), NULL);
        CHECK_INT(state.last_sequence, log_end_offset(f.p) - 1);
        last = (struct told){log_end_offset(f.p) - 1, state.last_sequence};
        fixture_close_log(&f);
    }
    fixture_close(&f);
}
