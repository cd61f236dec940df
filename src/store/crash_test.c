/* Goal: whenever the process is killed, the rows are those of the cursor: an epoch is there whole
 * or not at all, and what was answered is there. Method: another process writes epochs, alternating
 * the two forms, and tells each acknowledged one through a pipe; it is killed at a random moment.
 * The mutant that commits the cursor first must be caught by the same look. */
#include "store/store_kit.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EPOCH_ROWS = 400, KILLS = 25, MUTANT_KILLS = 200 };
static const char dir_variable[] = "STORE_CRASH_DIR", mutant_variable[] = "STORE_CRASH_MUTANT";

static void crash_open(struct kit *k, const char *dir, bool mutant)
{
    struct diag d = {0};
    struct store_options o = {
        .dir = dir, .write_buffer_bytes = MIB(1), .mutant_cursor_before_rows = mutant};
    *k = (struct kit){.arena = arena_new(MIB(256))};
    CHECK_OK(store_open(&o, &k->s, &d), &d);
    INVARIANT(k->s);
    k->t = store_table_find(k->s, SLICE("ks"), SLICE("t"));
    if (!k->t) k->t = kit_table(k->s, "t", false);
}

static int64_t crash_cursor(struct kit *k)
{
    struct slice v;
    struct diag d = {0};
    err_t e = store_record(k->s, NULL, STORE_CURSOR, SLICE("stream"), k->arena, &v, &d);
    if (e == ERR_NOT_FOUND) return 0;
    CHECK_OK(e, &d);
    struct cursor c = cursor_of(v);
    return cursor_i64(&c);
}

static void crash_epoch(struct kit *k, int64_t epoch)
{
    struct kit_row rows[EPOCH_ROWS];
    uint8_t memory[8];
    struct buf b = buf_over(memory, sizeof memory);
    struct diag d = {0};
    for (int i = 0; i < EPOCH_ROWS; i++)
        rows[i] = (struct kit_row){(int32_t)epoch, i, {"some", NULL, "text of the row"}};
    struct store_write *w = kit_begin(k, epoch & 1 ? STORE_CATCHUP : STORE_LIVE);
    CHECK_OK(kit_add(k, w, rows, EPOCH_ROWS, (struct kit_write){.timestamp = epoch}), NULL);
    buf_be(&b, (uint64_t)epoch, 8);
    CHECK_OK(store_write_record(w, STORE_CURSOR, SLICE("stream"), buf_view(&b)), NULL);
    CHECK_OK(store_write_commit(w, &d), &d);
}

/* Rows in the table, and whether each epoch is there whole. */
static int64_t crash_rows(struct kit *k, int64_t *epoch_max)
{
    uint16_t ids[] = {k->t->columns[0].id};
    struct store_scan_options o = {.table = k->t, .column_ids = ids, .column_count = 1};
    struct store_scan *c;
    struct column_batch b = {.arena = arena_new(MIB(64))};
    int64_t rows = 0;
    CHECK_OK(store_scan_open(k->s, NULL, &o, &c, NULL), NULL);
    do {
        arena_reset(b.arena);
        CHECK_OK(store_scan_next(c, 5000, &b, NULL, NULL), NULL);
        for (uint32_t i = 0; i < b.rows; i++) *epoch_max = MAX(*epoch_max, b.columns[0].i32[i]);
        rows += b.rows;
    } while (b.rows);
    store_scan_close(c);
    arena_free(b.arena);
    return rows;
}

/* As the child: without end. Otherwise a few epochs, looked at. */
TEST(epochs_of_both_forms_follow_each_other)
{
    const char *dir = getenv(dir_variable);
    struct kit k;
    crash_open(&k, dir ? dir : test_dir(), getenv(mutant_variable));
    int64_t cursor = crash_cursor(&k), last = 0;
    while (dir || cursor < 6) {
        crash_epoch(&k, ++cursor);
        if (dir && write(STDOUT_FILENO, &cursor, sizeof cursor) != sizeof cursor) exit(1);
    }
    CHECK_INT(crash_rows(&k, &last), 6 * EPOCH_ROWS);
    CHECK_INT(last, 6);
    kit_close(&k);
}

/* Lets the child write for `delay_us` after its first epoch; the last epoch it told. */
static int64_t run_and_kill(const char *dir, bool mutant, useconds_t delay_us)
{
    int ends[2];
    int64_t told = 0, epoch;
    INVARIANT(pipe(ends) == 0);
    fflush(NULL);
    pid_t child = fork();
    INVARIANT(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        setenv(dir_variable, dir, 1);
        if (mutant) setenv(mutant_variable, "1", 1);
        execl("/proc/self/exe", "unit_store", "epochs_of_both_forms_follow_each_other",
              (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    if (read(ends[0], &epoch, sizeof epoch) == sizeof epoch) told = epoch;
    usleep(delay_us);
    kill(child, SIGKILL);
    while (read(ends[0], &epoch, sizeof epoch) == sizeof epoch) told = epoch;
    close(ends[0]);
    waitpid(child, NULL, 0);
    return told;
}

static bool rows_are_the_cursors(const char *dir, int64_t told)
{
    struct kit k;
    int64_t last = 0;
    crash_open(&k, dir, false);
    int64_t cursor = crash_cursor(&k), rows = crash_rows(&k, &last);
    kit_close(&k);
    CHECK(cursor >= told);
    return rows == cursor * EPOCH_ROWS && last == cursor;
}

TEST(a_killed_writer_leaves_exactly_the_rows_of_its_cursor)
{
    uint64_t seed = 17;
    int64_t last_told = 0;
    for (int i = 0; i < KILLS; i++) {
        int64_t told = run_and_kill(test_dir(), false, (useconds_t)(test_random(&seed) % 60000));
        CHECK(told > last_told);
        CHECK(rows_are_the_cursors(test_dir(), told));
        last_told = told;
    }
}

TEST(the_mutant_that_commits_its_cursor_first_is_caught)
{
    uint64_t seed = 23;
    bool caught = false;
    for (int i = 0; i < MUTANT_KILLS && !caught; i++) {
        int64_t told = run_and_kill(test_dir(), true, (useconds_t)(test_random(&seed) % 20000));
        caught = !rows_are_the_cursors(test_dir(), told);
    }
    CHECK(caught);
}
