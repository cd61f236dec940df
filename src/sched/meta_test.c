/* Goal: a transaction is kept whole or not at all, others' writes are waited for, what is wrong
 * with a database is said clearly; the same in both dialects. Method: two connections to one
 * database; damaged, newer and foreign files; SLUICE_TEST_META runs all of it on a PostgreSQL. */
#include "sched/meta.h"

#include "os/file.h"
#include "sched/meta_kit.h"
#include "test.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static err_t run(struct meta *m, const char *text, int64_t *changed, struct diag *d)
{
    return meta_run_text(m, text, NULL, 0, NULL, NULL, changed, d);
}

TEST(meta_prepares_every_statement)
{
    struct diag d;
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    CHECK_OK(meta_check(m, &d), &d);
    CHECK_INT(meta_kind(m), meta_kit_is_postgres() ? META_POSTGRES : META_SQLITE);
    meta_close(m);
}

struct seen {
    struct meta_value value[8];
    char text[8][64];
    uint32_t count;
};
static err_t see(void *ctx, const struct meta_row *row)
{
    struct seen *s = ctx;
    s->count = row->count;
    for (uint32_t i = 0; i < row->count && i < 8; i++) {
        s->value[i] = row->at[i];
        if (row->at[i].kind >= META_TEXT) {
            memcpy(s->text[i], row->at[i].text.at, MIN(row->at[i].text.len, 63u));
            s->value[i].text.at = (uint8_t *)s->text[i];
        }
    }
    return ERR_OK;
}

TEST(meta_values_come_back_as_they_went)
{
    struct diag d;
    struct seen s = {0};
    int64_t changed = 0;
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    meta_kit_do(m,
                "CREATE TABLE every (i {int}, r {real}, t {text}, b {bytes}, n {text}, e {text})");
    uint8_t bytes[] = {0, 1, 0xff, '\\', 0};
    struct meta_value in[] = {meta_int(INT64_MIN),
                              meta_real(0.1),
                              meta_text(SLICE("d\xc3\xa9j\xc3\xa0 $1 'x' {int}")),
                              meta_bytes(slice_make(bytes, sizeof(bytes))),
                              meta_text((struct slice){0}),
                              meta_text(SLICE(""))};
    CHECK_OK(meta_run_text(m, "INSERT INTO every VALUES ($1, $2, $3, $4, $5, $6)", in, 6, NULL,
                           NULL, &changed, &d),
             &d);
    CHECK_INT(changed, 1);
    CHECK_OK(meta_run_text(m, "SELECT i, r, t, b, n, e, '$1{no}' FROM every", NULL, 0, see, &s,
                           NULL, &d),
             &d);
    CHECK_INT(s.count, 7);
    CHECK(s.value[0].kind == META_INT && s.value[0].number == INT64_MIN);
    CHECK(s.value[1].kind == META_REAL && s.value[1].real == 0.1);
    CHECK_SLICE(s.value[2].text, "d\xc3\xa9j\xc3\xa0 $1 'x' {int}");
    CHECK(s.value[3].kind == META_BYTES && s.value[3].text.len == 5 &&
          memcmp(s.text[3], bytes, 5) == 0);
    CHECK_INT(s.value[4].kind, META_NULL);
    CHECK(s.value[5].kind == META_TEXT && s.value[5].text.len == 0);
    CHECK_SLICE(s.value[6].text, "$1{no}");
    /* what SQLite would take and PostgreSQL would not, both refuse */
    struct meta_value bad = meta_text(slice_make("a\0b", 3)), worse = meta_text(SLICE("\xff"));
    CHECK_ERR(meta_run_text(m, "SELECT CAST($1 AS {text})", &bad, 1, see, &s, NULL, &d),
              ERR_BAD_UTF8);
    CHECK_ERR(meta_run_text(m, "SELECT CAST($1 AS {text})", &worse, 1, see, &s, NULL, &d),
              ERR_BAD_UTF8);
    CHECK_ERR(run(m, "SELECT {what}", NULL, &d), ERR_INTERNAL);
    CHECK_INT(meta_kit_number(m, "SELECT sum(x) FROM (SELECT 3 AS x UNION ALL SELECT 4) y"), 7);
    CHECK_INT(meta_kit_number(m, "SELECT 2 > 1"), 1);
    meta_close(m);
}

TEST(meta_texts_compare_by_bytes)
{
    char first[16];
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    meta_kit_do(m, "INSERT INTO pool (name, slots) VALUES ('b', 1), ('B', 1), ('a', 1)");
    meta_kit_text(m, "SELECT name FROM pool ORDER BY name LIMIT 1", first, sizeof(first));
    CHECK_TEXT(first, "B");
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool WHERE name {like} 'B'"), 2);
    meta_close(m);
}

TEST(meta_a_transaction_is_kept_whole_or_not_at_all)
{
    struct diag d;
    int64_t changed = -1;
    const char *where = meta_kit_where();
    struct meta *m = meta_kit_open(where), *other = meta_kit_open(where);
    if (!m || !other) return;
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m, "INSERT INTO pool (name, slots) VALUES ('api', 2)", &changed, &d), &d);
    CHECK_INT(changed, 1);
    CHECK_INT(meta_kit_number(other, "SELECT count(*) FROM pool"), 1);
    CHECK_OK(meta_commit(m, &d), &d);
    CHECK_INT(meta_kit_number(other, "SELECT count(*) FROM pool"), 2);

    /* nothing can be done after a failure, and nothing of it is kept */
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m, "UPDATE pool SET slots = 7", NULL, &d), &d);
    CHECK_ERR(run(m, "INSERT INTO pool (name, slots) VALUES ('api', 3)", NULL, &d), ERR_EXISTS);
    CHECK_ERR(run(m, "INSERT INTO pool (name, slots) VALUES ('new', 3)", NULL, &d), ERR_EXISTS);
    CHECK_ERR(meta_commit(m, &d), ERR_EXISTS);
    CHECK(!meta_inside(m));
    CHECK_INT(meta_kit_number(other, "SELECT count(*) FROM pool WHERE slots = 7"), 0);
    CHECK_ERR(run(m, "INSERT INTO pool (name) VALUES ('half')", NULL, &d), ERR_CONSTRAINT);

    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m,
                 "INSERT INTO pool (name, slots) VALUES ('api', 3) ON CONFLICT (name) DO NOTHING",
                 &changed, &d),
             &d);
    CHECK_INT(changed, 0);
    CHECK_OK(run(m, "DELETE FROM pool WHERE name = 'api'", NULL, &d), &d);
    meta_close(other);
    meta_close(m); /* undone */
    m = meta_kit_open(where);
    if (m) CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool"), 2);
    meta_close(m);
}

TEST(meta_a_reader_sees_one_state_throughout)
{
    struct diag d;
    const char *where = meta_kit_where();
    struct meta *m = meta_kit_open(where), *other = meta_kit_open(where);
    if (!m || !other) return;
    CHECK_OK(meta_begin(m, false, &d), &d);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool"), 1);
    meta_kit_do(other, "INSERT INTO pool (name, slots) VALUES ('api', 2)");
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool"), 1);
    CHECK_OK(meta_commit(m, &d), &d);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool"), 2);
    meta_close(other);
    meta_close(m);
}

enum { WRITERS = 4, ROUNDS = 50 };
static void *add_up(void *where)
{
    struct diag d;
    struct meta *m = meta_kit_open(where);
    for (int i = 0; m && i < ROUNDS; i++) {
        err_t e;
        do {
            e = meta_begin(m, true, &d);
            if (e) continue;
            (void)meta_kit_number(
                m, "SELECT slots FROM pool WHERE name = 'default_pool' {for_update}");
            e = run(m, "UPDATE pool SET slots = slots + 1 WHERE name = 'default_pool'", NULL, &d);
            if (e)
                meta_rollback(m);
            else
                e = meta_commit(m, &d);
        } while (e == ERR_BUSY);
        CHECK_OK(e, &d);
    }
    meta_close(m);
    return NULL;
}

TEST(meta_writers_wait_for_one_another)
{
    char where[600];
    pthread_t threads[WRITERS];
    snprintf(where, sizeof(where), "%s", meta_kit_where());
    struct meta *m = meta_kit_open(where);
    if (!m) return;
    for (int i = 0; i < WRITERS; i++) pthread_create(&threads[i], NULL, add_up, where);
    for (int i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    CHECK_INT(meta_kit_number(m, "SELECT slots FROM pool WHERE name = 'default_pool'"),
              128 + WRITERS * ROUNDS);
    meta_close(m);
}

TEST(meta_who_waits_too_long_is_told_to_try_again)
{
    struct diag d;
    struct meta *m = NULL, *other = NULL;
    struct meta_options o = {.where = meta_kit_where(), .busy_ms = 100};
    struct meta *first = meta_kit_open(o.where);
    CHECK_OK(meta_open(&o, &m, &d), &d);
    CHECK_OK(meta_open(&o, &other, &d), &d);
    if (!m || !other) return;
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m, "UPDATE pool SET slots = 1", NULL, &d), &d);
    err_t e = meta_begin(other, true, &d); /* SQLite's one writer; PostgreSQL's lock on the row */
    if (!e) e = run(other, "UPDATE pool SET slots = 2", NULL, &d);
    CHECK_INT(e, ERR_BUSY);
    meta_rollback(other);
    CHECK_OK(meta_commit(m, &d), &d);
    CHECK_OK(run(other, "UPDATE pool SET slots = slots + 1", NULL, &d), &d);
    CHECK_INT(meta_kit_number(m, "SELECT slots FROM pool"), 2);
    meta_close(first);
    meta_close(other);
    meta_close(m);
}

TEST(meta_a_statement_that_runs_for_ever_is_ended)
{
    struct diag d;
    struct meta *m = NULL;
    struct meta_options o = {.where = meta_kit_where(), .statement_ms = 200};
    CHECK_OK(meta_open(&o, &m, &d), &d);
    if (!m) return;
    CHECK_ERR(run(m,
                  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i % 1000000 + 1 FROM n)"
                  "  SELECT count(*) FROM n",
                  NULL, &d),
              ERR_TIMEOUT);
    CHECK_INT(meta_kit_number(m, "SELECT 5"), 5);
    meta_close(m);
}

TEST(meta_hears_what_others_change_and_not_itself)
{
    struct diag d;
    bool changed = false;
    const char *where = meta_kit_where();
    struct meta *m = meta_kit_open(where), *other = meta_kit_open(where);
    if (!m || !other) return;
    CHECK_OK(meta_heard(m, &changed, &d), &d);
    CHECK(changed);
    CHECK_OK(meta_heard(m, &changed, &d), &d);
    CHECK(!changed);
    meta_kit_do(m, "UPDATE pool SET slots = 3");
    CHECK_OK(meta_tell(m, &d), &d);
    CHECK_OK(meta_heard(m, &changed, &d), &d);
    CHECK(!changed);
    CHECK_OK(meta_begin(other, true, &d), &d);
    meta_kit_do(other, "UPDATE pool SET slots = 4");
    CHECK_OK(meta_tell(other, &d), &d);
    CHECK_OK(meta_commit(other, &d), &d);
    for (int i = 0; i < 200 && !changed; i++) {
        usleep(10000); /* PostgreSQL's word comes by the network */
        CHECK_OK(meta_heard(m, &changed, &d), &d);
    }
    CHECK(changed);
    meta_close(other);
    meta_close(m);
}

static err_t add_one(void *ctx, const struct meta_row *row)
{
    struct diag d;
    struct meta_value v = row->at[0];
    CHECK_OK(meta_run_text(ctx, "INSERT INTO pool (name, slots) VALUES ('copy of ' || $1, 1)", &v,
                           1, NULL, NULL, NULL, &d),
             &d);
    return ERR_OK;
}
static err_t enough(void *ctx, const struct meta_row *row)
{
    (void)row;
    ++*(int *)ctx;
    return ERR_RANGE;
}

TEST(meta_statements_run_inside_others_and_readers_may_stop)
{
    struct diag d;
    int rows = 0;
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(meta_run_text(m, "SELECT name FROM pool WHERE name = 'default_pool'", NULL, 0, add_one,
                           m, NULL, &d),
             &d);
    CHECK_ERR(meta_run_text(m, "SELECT name FROM pool", NULL, 0, enough, &rows, NULL, &d),
              ERR_RANGE);
    CHECK_INT(rows, 1);
    CHECK_OK(meta_commit(m, &d), &d); /* that spoilt nothing */
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool"), 2);
    meta_close(m);
}

TEST(meta_a_newer_database_is_refused)
{
    struct diag d;
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    CHECK_OK(meta_migrate(m, &d), &d); /* twice changes nothing */
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool"), 1);
    meta_kit_do(m, "UPDATE sluice_schema SET version = version + 1");
    CHECK_ERR(meta_migrate(m, &d), ERR_VERSION);
    CHECK(strstr(d.what, "newer Sluice"));
    meta_close(m);
}

TEST(meta_anothers_tables_are_left_alone)
{
    struct diag d;
    struct meta *m = NULL;
    struct meta_options o = {.where = meta_kit_where()};
    CHECK_OK(meta_open(&o, &m, &d), &d);
    if (!m) return;
    meta_kit_do(m, "CREATE TABLE dag_run (x {int})"); /* as in Airflow's own database */
    CHECK_ERR(meta_migrate(m, &d), ERR_EXISTS);
    CHECK(d.hint[0]);
    CHECK_ERR(run(m, "SELECT * FROM pool", NULL, &d), ERR_INTERNAL); /* nothing was made */
    meta_close(m);
}

TEST(meta_the_file_is_for_its_owner_alone)
{
    struct diag d;
    struct stat st;
    char wal[700];
    if (meta_kit_is_postgres()) return;
    const char *where = meta_kit_where();
    CHECK_OK(file_store(where, SLICE(""), &d), &d); /* 0640 */
    struct meta *m = meta_kit_open(where);
    if (!m) return;
    CHECK(stat(where, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    snprintf(wal, sizeof(wal), "%s-wal", where);
    CHECK(stat(wal, &st) == 0);
    CHECK_INT(st.st_mode & 0777, 0600);
    CHECK_INT(meta_kit_number(m, "PRAGMA synchronous"), 2);
    meta_close(m);
}

TEST(meta_what_is_wrong_with_a_file_is_said)
{
    struct diag d;
    struct meta *m = NULL;
    char path[700], noise[8192];
    if (meta_kit_is_postgres()) return;
    snprintf(path, sizeof(path), "%s/none/meta.db", test_dir());
    struct meta_options o = {.where = path};
    CHECK_ERR(meta_open(&o, &m, &d), ERR_NOT_FOUND);
    snprintf(path, sizeof(path), "%s/noise.db", test_dir());
    memset(noise, 'x', sizeof(noise));
    CHECK_OK(file_store(path, slice_make(noise, sizeof(noise)), &d), &d);
    CHECK_ERR(meta_open(&o, &m, &d), ERR_CORRUPT);
    CHECK(strstr(d.where, "noise.db") && d.why[0] && d.hint[0]);
    CHECK(m == NULL);

    /* a page in the middle is damaged */
    struct slice all = {0};
    snprintf(path, sizeof(path), "%s/hurt.db", test_dir());
    meta_close(meta_kit_open(path));
    CHECK_OK(file_load(path, MIB(64), &all, &d), &d);
    memset((uint8_t *)all.at + 4096, 0xee, all.len - 4096);
    CHECK_OK(file_store(path, all, &d), &d);
    mem_give((void *)all.at);
    CHECK_ERR(meta_open(&o, &m, &d), ERR_CORRUPT);
    CHECK(d.hint[0]);
}

TEST(meta_says_which_server_is_not_there)
{
    struct diag d;
    struct meta *m = NULL;
    struct meta_options o = {.where = "postgresql+psycopg2://me:pass@127.0.0.1:1/flows"};
    CHECK_ERR(meta_open(&o, &m, &d), ERR_OFFLINE);
    CHECK_TEXT(d.where, "postgresql://127.0.0.1:1/flows");
    CHECK(!strstr(d.why, "pass@") && d.hint[0]);
}
