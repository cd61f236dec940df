/* Goal: what breaks is named and nothing half-done stays: damaged files, a torn log, a file that
 * can not be written, memory refused at any call, a format from the future. */
#include "os/file.h"
#include "store/cells.h"
#include "store/store_kit.h"
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { ROWS = 1000 };

static void many_rows(struct kit_row rows[ROWS], int32_t pk)
{
    for (int i = 0; i < ROWS; i++) rows[i] = (struct kit_row){pk, i, {"some text", NULL, "more"}};
}

struct found {
    const char *ending;
    char name[64];
};
static err_t find_file(void *ctx, const char *name)
{
    struct found *f = ctx;
    size_t n = strlen(name), e = strlen(f->ending);
    if (n >= e && n < sizeof f->name && strcmp(name + n - e, f->ending) == 0) strcpy(f->name, name);
    return ERR_OK;
}
static void db_file(const struct kit *k, const char *ending, char path[512])
{
    char dir[300];
    struct found f = {.ending = ending};
    snprintf(dir, sizeof dir, "%s/db", k->dir);
    CHECK_OK(dir_list(dir, find_file, &f, NULL), NULL);
    snprintf(path, 512, "%s/%s", dir, f.name);
}

static void damage(const char *path, uint64_t at)
{
    int fd;
    uint8_t bytes[64];
    memset(bytes, 0xa5, sizeof bytes);
    CHECK_OK(file_open(path, FILE_WRITE, &fd, NULL), NULL);
    CHECK_OK(file_pwrite(fd, bytes, sizeof bytes, at, NULL), NULL);
    file_close(fd);
}

TEST(a_damaged_file_is_named)
{
    struct kit k;
    struct kit_row rows[ROWS];
    struct diag d = {0};
    char path[512];
    kit_open(&k, (struct store_options){0});
    many_rows(rows, 1);
    kit_put(&k, STORE_LIVE, rows, ROWS, (struct kit_write){.timestamp = 1});
    CHECK_OK(store_flush(k.s, &d), &d);
    db_file(&k, ".sst", path);
    struct store_options o = {.dir = k.dir};
    kit_close(&k);
    damage(path, 20000); /* behind the first block, which holds what opening reads */
    kit_open(&k, o);
    struct store_scan_options so = {.table = k.t};
    struct store_scan *c;
    struct column_batch b = {.arena = k.arena};
    CHECK_OK(store_scan_open(k.s, NULL, &so, &c, &d), &d);
    CHECK_ERR(store_scan_next(c, ROWS, &b, NULL, &d), ERR_CORRUPT);
    CHECK_TEXT(d.where, path);
    store_scan_close(c);
    struct store *s = k.s;
    db_file(&k, "CURRENT", path);
    store_close(s);
    damage(path, 0);
    CHECK_ERR(store_open(&o, &k.s, &d), ERR_CORRUPT);
    arena_free(k.arena);
}

TEST(a_newer_format_is_refused)
{
    struct kit k;
    struct diag d = {0};
    struct store *s;
    kit_open(&k, (struct store_options){0});
    struct store_write *w = kit_begin(&k, STORE_LIVE);
    CHECK_OK(store_write_record(w, STORE_META, SLICE("format"), SLICE("\0\0\0\3")), NULL);
    CHECK_OK(store_write_commit(w, &d), &d);
    store_close(k.s);
    CHECK_ERR(store_open(&(struct store_options){.dir = k.dir}, &s, &d), ERR_VERSION);
    arena_free(k.arena);
}

/* Without the zeros that stand ahead of its end. */
static uint64_t end_of_log(struct slice bytes)
{
    uint64_t end = bytes.len;
    while (end && bytes.at[end - 1] == 0) end--;
    return end;
}

/* The file ends there; nothing behind it was written over the zeros; a page is not, and those
 * behind it are. */
enum tear { TEAR_CUT, TEAR_ZEROS, TEAR_PAGE, TEARS };

static void tear_log(const char *path, uint64_t at, uint64_t end, enum tear how)
{
    enum { PAGE = 4096 };
    static const uint8_t zeros[PAGE];
    int fd;
    uint64_t page = at / PAGE * PAGE;
    CHECK_OK(file_open(path, FILE_WRITE, &fd, NULL), NULL);
    if (how == TEAR_CUT) CHECK_OK(file_truncate(fd, at, NULL), NULL);
    if (how == TEAR_PAGE) CHECK_OK(file_pwrite(fd, zeros, PAGE, page, NULL), NULL);
    for (; how == TEAR_ZEROS && at < end; at += PAGE)
        CHECK_OK(file_pwrite(fd, zeros, MIN((size_t)(end - at), (size_t)PAGE), at, NULL), NULL);
    file_close(fd);
}

/* Wherever the log is torn, at any byte, whole epochs come back and nothing else. */
TEST(a_torn_log_gives_back_whole_epochs)
{
    enum { EPOCHS = 10, CUTS = 60 };
    struct kit k;
    struct kit_row rows[ROWS];
    char log[512], copy[400], command[1200];
    uint64_t seed = 29;
    kit_open(&k, (struct store_options){0});
    for (int32_t e = 0; e < EPOCHS; e++) {
        many_rows(rows, e);
        kit_put(&k, STORE_LIVE, rows, ROWS, (struct kit_write){.timestamp = 1});
    }
    db_file(&k, ".log", log);
    struct slice bytes;
    CHECK_OK(file_load(log, MIB(64), &bytes, NULL), NULL);
    uint64_t end = end_of_log(bytes);
    CHECK(end < bytes.len);
    snprintf(copy, sizeof copy, "%s/copy", test_dir());
    int64_t seen[EPOCHS + 1] = {0};
    for (int i = 0; i < CUTS; i++) {
        snprintf(command, sizeof command, "rm -rf %s && cp -r %s %s", copy, k.dir, copy);
        CHECK_INT(system(command), 0);
        char torn[512];
        snprintf(torn, sizeof torn, "%s/db/%s", copy, strrchr(log, '/') + 1);
        tear_log(torn, end - test_random(&seed) % (end * 9 / 10), end, (enum tear)(i % TEARS));
        struct store *s;
        struct diag d = {0};
        CHECK_OK(store_open(&(struct store_options){.dir = copy}, &s, &d), &d);
        const struct store_table *t = store_table_find(s, SLICE("ks"), SLICE("t"));
        struct store_scan_options so = {.table = t};
        struct store_scan *c;
        struct column_batch b = {.arena = arena_new(MIB(16))};
        CHECK_OK(store_scan_open(s, NULL, &so, &c, &d), &d);
        CHECK_OK(store_scan_next(c, ROWS * EPOCHS, &b, NULL, &d), &d);
        CHECK_INT(b.rows % ROWS, 0);
        seen[b.rows / ROWS]++;
        arena_free(b.arena);
        store_scan_close(c);
        store_close(s);
    }
    int different = 0;
    for (int i = 0; i <= EPOCHS; i++) different += seen[i] > 0;
    CHECK(different > 4);
    mem_give((void *)(uintptr_t)bytes.at);
    kit_close(&k);
}

TEST(a_sorted_file_that_can_not_be_written_leaves_nothing_and_the_store_goes_on)
{
    struct kit k;
    struct kit_row rows[ROWS];
    struct diag d = {0};
    struct rlimit was, small;
    char dir[300];
    kit_open(&k, (struct store_options){0});
    many_rows(rows, 1);
    struct store_write *w = kit_begin(&k, STORE_CATCHUP);
    CHECK_OK(kit_add(&k, w, rows, ROWS, (struct kit_write){.timestamp = 1}), NULL);
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = 2000;
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    err_t e = store_write_commit(w, &d);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &was), 0);
    CHECK_INT(e, ERR_IO);
    CHECK(strstr(d.why, "File too large") != NULL);
    CHECK_TEXT(kit_rows(&k, NULL, 0), "");
    struct found f = {.ending = ".sst"};
    snprintf(dir, sizeof dir, "%s/ingest", k.dir);
    CHECK_OK(dir_list(dir, find_file, &f, NULL), NULL);
    CHECK_TEXT(f.name, "");
    kit_put(&k, STORE_CATCHUP, rows, ROWS, (struct kit_write){.timestamp = 1});
    CHECK(strlen(kit_rows(&k, NULL, 0)) > ROWS * 10);
    kit_close(&k);
}

/* The nth taking of memory fails, n = 1, 2, …, until a whole write and read go through. */
TEST(memory_refused_at_any_call_is_an_error_and_never_half_a_write)
{
    struct kit k;
    struct kit_row rows[ROWS];
    kit_open(&k, (struct store_options){.write_buffer_bytes = MIB(1)});
    many_rows(rows, 1);
    kit_put(&k, STORE_LIVE, rows, ROWS, (struct kit_write){.timestamp = 1}); /* rows to merge */
    struct column columns[3];
    uint16_t ids[3];
    for (int i = 0; i < 3; i++) {
        ids[i] = k.t->columns[i].id;
        CHECK_OK(column_init(&columns[i], k.t->columns[i].type, ROWS, k.arena), NULL);
        memset(columns[i].state, VALID_VALUE, ROWS);
    }
    struct store_rows r = {
        .table = k.t, .columns = columns, .column_ids = ids, .column_count = 3, .count = ROWS};
    int refused = 0, nth = 1;
    for (bool whole = false; !whole && nth < 1000; nth++) {
        struct store_write *w = NULL;
        uint32_t bad;
        for (int i = 0; i < ROWS; i++) {
            columns[0].i32[i] = 100 + nth;
            columns[1].i32[i] = i;
            columns[2].bytes[i] = SLICE("v");
        }
        mem_fail_at((uint64_t)nth);
        err_t e = store_write_begin(k.s, nth & 1 ? STORE_LIVE : STORE_CATCHUP, 0, &w, NULL);
        if (!e) {
            e = store_write_rows(w, &r, &bad, NULL);
            if (!e) e = store_write_record(w, STORE_CURSOR, SLICE("c"), SLICE("x"));
            if (e)
                store_write_abort(w);
            else
                e = store_write_commit(w, NULL);
        }
        mem_fail_at(0);
        struct value key = value_i64(TYPE_INT, 100 + nth);
        size_t seen = strlen(kit_find(&k, &key, 1, 0));
        CHECK(e == ERR_OK || e == ERR_NO_MEMORY);
        CHECK((seen > 0) == (e == ERR_OK));
        refused += e != ERR_OK;
        whole = e == ERR_OK && nth > 20;
    }
    CHECK(refused >= 4);
    CHECK(nth < 1000);
    kit_close(&k);
}

static err_t put_change(struct kit *k, int32_t n, struct slice text, struct diag *d)
{
    uint8_t bytes[2][4];
    struct slice key[2];
    struct store_change *c;
    for (int i = 0; i < 2; i++) {
        struct buf b = buf_over(bytes[i], 4);
        buf_be(&b, (uint32_t)n, 4);
        key[i] = buf_view(&b);
    }
    struct store_cell_write cell = {.column = k->t->columns[2].id, .value = text};
    struct store_row_write w = {.table = k->t,
                                .key = key,
                                .key_count = 2,
                                .timestamp = 1,
                                .now_s = 1,
                                .marker = true,
                                .cells = &cell,
                                .cell_count = 1};
    err_t e = store_change_new(k->s, &c);
    if (e) return e;
    e = store_change_row(c, &w, d);
    if (!e) return store_change_commit_wait(c, d);
    store_change_free(c);
    return e;
}

/* The log can not grow: what fails is not there, what was told before is, and three in a row say
 * that only opening anew mends it. */
TEST(changes_that_could_not_be_written_fail_and_the_store_says_to_reopen)
{
    enum { GOOD = 20, BAD = 3 };
    struct kit k;
    struct diag d = {0};
    struct rlimit was, small;
    uint8_t *large = mem_take(KIB(20)); /* the log is larger than RocksDB's own log of words */
    kit_open(&k, (struct store_options){0});
    for (int32_t i = 0; i < GOOD; i++)
        CHECK_OK(put_change(&k, i, slice_make(large, KIB(20)), &d), &d);
    CHECK(!store_must_reopen(k.s));
    signal(SIGXFSZ, SIG_IGN);
    CHECK_INT(getrlimit(RLIMIT_FSIZE, &was), 0);
    small = was;
    small.rlim_cur = GOOD * KIB(20); /* the log is beyond that already */
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
    for (int32_t i = 0; i < BAD; i++)
        CHECK_ERR(put_change(&k, 100 + i, slice_make(large, KIB(20)), &d), ERR_IO);
    CHECK_INT(setrlimit(RLIMIT_FSIZE, &was), 0);
    CHECK(store_must_reopen(k.s));
    CHECK(d.what[0] && d.why[0]);
    kit_reopen(&k, (struct store_options){0});
    CHECK(!store_must_reopen(k.s));
    for (int32_t i = 0; i < GOOD; i++) {
        struct value key = value_i64(TYPE_INT, i);
        CHECK(kit_find(&k, &key, 1, 0)[0]);
    }
    struct value key = value_i64(TYPE_INT, 100);
    CHECK_TEXT(kit_find(&k, &key, 1, 0), "");
    CHECK_OK(put_change(&k, 100, SLICE("x"), &d), &d);
    mem_give(large);
    kit_close(&k);
}

/* The nth taking of memory fails, n = 1, 2, …: the change fails or is there, whole. */
TEST(memory_refused_to_a_change_is_an_error_and_never_half_of_it)
{
    struct kit k;
    int refused = 0;
    kit_open(&k, (struct store_options){.write_buffer_bytes = MIB(1)});
    for (int32_t n = 0; n < 60; n++) {
        struct diag d = {0};
        mem_fail_at((uint64_t)(n / 2 + 1));
        err_t e = put_change(&k, n, SLICE("x"), &d);
        mem_fail_at(0);
        struct value key = value_i64(TYPE_INT, n);
        CHECK(e == ERR_OK || e == ERR_NO_MEMORY);
        CHECK((kit_find(&k, &key, 1, 0)[0] != 0) == (e == ERR_OK));
        refused += e != ERR_OK;
    }
    CHECK(refused > 0);
    kit_close(&k);
}
