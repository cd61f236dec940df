/* Goal: what PostgreSQL alone can do to a connection is met: the server goes away in the middle,
 * dies between a COMMIT and its answer, is not there; two that claim do not wait for one another.
 * Method: a real server that tests/peers/test_postgres.py starts, and whose pg_ctl it names in
 * SLUICE_TEST_META_CTL; without one there is nothing to judge, but the race for a claim, which
 * SQLite runs too. */
#include "sched/meta.h"

#include "os/clock.h"
#include "sched/meta_kit.h"
#include "test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static err_t run(struct meta *m, const char *text, struct diag *d)
{
    return meta_run_text(m, text, NULL, 0, NULL, NULL, NULL, d);
}

static const char *control(void)
{
    return meta_kit_is_postgres() ? getenv("SLUICE_TEST_META_CTL") : NULL;
}
static void ctl(const char *verb)
{
    char command[1000];
    snprintf(command, sizeof(command), "%s %s >/dev/null 2>&1", control(), verb);
    CHECK_INT(system(command), 0);
}

/* --- claims ----------------------------------------------------------------------------------- */

enum { CLAIMS = 60, CLAIMERS = 4 };
struct claimer {
    pthread_t thread;
    const char *where;
    int64_t token, claimed;
};

/* As a scheduler claims a run: read what nobody has, compare and set, one transaction each. */
static void *claim(void *ctx)
{
    struct diag d;
    struct claimer *c = ctx;
    struct meta *m = meta_kit_open(c->where);
    struct meta_value token = meta_int(c->token);
    for (int64_t changed = 1; m && changed;) {
        err_t e = meta_begin(m, true, &d);
        if (!e)
            e = meta_run_text(m,
                              "UPDATE dag_run SET owner = 'me', token = $1 WHERE owner IS NULL AND "
                              "id IN (SELECT id FROM dag_run WHERE owner IS NULL ORDER BY id LIMIT "
                              "1 {skip_locked})",
                              &token, 1, NULL, NULL, &changed, &d);
        if (!e) e = meta_commit(m, &d);
        meta_rollback(m);
        if (e == ERR_BUSY) continue;
        CHECK_OK(e, &d);
        if (e) break;
        c->claimed += changed;
    }
    meta_close(m);
    return NULL;
}

TEST(meta_a_claim_is_one_schedulers)
{
    char where[700], text[200];
    struct claimer c[CLAIMERS] = {0};
    int64_t all = 0;
    snprintf(where, sizeof(where), "%s", meta_kit_where());
    struct meta *m = meta_kit_open(where);
    if (!m) return;
    for (int i = 0; i < CLAIMS; i++) {
        snprintf(text, sizeof(text),
                 "INSERT INTO dag_run (dag_id, run_id, run_type, state, run_after) VALUES ('d', "
                 "'%d', 'manual', 'queued', 0)",
                 i);
        meta_kit_do(m, text);
    }
    for (int i = 0; i < CLAIMERS; i++) {
        c[i] = (struct claimer){.where = where, .token = i + 1};
        pthread_create(&c[i].thread, NULL, claim, &c[i]);
    }
    for (int i = 0; i < CLAIMERS; i++) {
        pthread_join(c[i].thread, NULL);
        snprintf(text, sizeof(text), "SELECT count(*) FROM dag_run WHERE token = %d", i + 1);
        CHECK_INT(c[i].claimed, meta_kit_number(m, text));
        all += c[i].claimed;
    }
    CHECK_INT(all, CLAIMS);
    meta_close(m);
}

TEST(postgres_claims_do_not_wait_for_one_another)
{
    struct diag d;
    char who[2][64];
    if (!meta_kit_is_postgres()) return;
    const char *where = meta_kit_where();
    struct meta *one = meta_kit_open(where), *two = meta_kit_open(where);
    if (!one || !two) return;
    meta_kit_do(one, "INSERT INTO pool (name, slots) VALUES ('a', 1), ('b', 1)");
    CHECK_OK(meta_begin(one, true, &d), &d);
    CHECK_OK(meta_begin(two, true, &d), &d);
    const char *text = "SELECT name FROM pool ORDER BY name LIMIT 1 {skip_locked}";
    int64_t start = clock_mono_ns();
    meta_kit_text(one, text, who[0], sizeof(who[0]));
    meta_kit_text(two, text, who[1], sizeof(who[1]));
    CHECK(clock_mono_ns() - start < 1000000000);
    CHECK_TEXT(who[0], "a");
    CHECK_TEXT(who[1], "b");
    CHECK_OK(meta_commit(one, &d), &d);
    CHECK_OK(meta_commit(two, &d), &d);
    meta_close(one), meta_close(two);
}

static void *lock_the_first(void *ctx)
{
    static struct diag d;
    struct meta *m = ctx;
    err_t e = run(m, "UPDATE pool SET slots = 3 WHERE name = 'a'", &d);
    if (!e) e = meta_commit(m, &d);
    meta_rollback(m);
    return e ? &d : NULL;
}

TEST(postgres_deadlocks_are_to_be_tried_again)
{
    struct diag d;
    pthread_t thread;
    void *lost = NULL;
    if (!meta_kit_is_postgres()) return;
    const char *where = meta_kit_where();
    struct meta *m = meta_kit_open(where), *other = meta_kit_open(where);
    if (!m || !other) return;
    meta_kit_do(m, "INSERT INTO pool (name, slots) VALUES ('a', 1), ('b', 1)");
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m, "UPDATE pool SET slots = 2 WHERE name = 'a'", &d), &d);
    CHECK_OK(meta_begin(other, true, &d), &d);
    CHECK_OK(run(other, "UPDATE pool SET slots = 3 WHERE name = 'b'", &d), &d);
    pthread_create(&thread, NULL, lock_the_first, other);
    err_t e = run(m, "UPDATE pool SET slots = 2 WHERE name = 'b'", &d);
    if (!e) e = meta_commit(m, &d);
    meta_rollback(m);
    pthread_join(thread, &lost);
    err_t theirs = lost ? ((struct diag *)lost)->err : ERR_OK;
    CHECK((e == ERR_BUSY) != (theirs == ERR_BUSY)); /* one of them, and the other is kept whole */
    CHECK_INT(meta_kit_number(m, "SELECT count(DISTINCT slots) FROM pool WHERE name < 'c'"), 1);
    meta_close(m), meta_close(other);
}

/* --- the server goes away --------------------------------------------------------------------- */

TEST(postgres_restarted_in_the_middle_of_a_transaction)
{
    struct diag d;
    if (!control()) return;
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    CHECK_OK(meta_check(m, &d), &d); /* all is prepared: and is to be prepared again */
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m, "INSERT INTO pool (name, slots) VALUES ('lost', 1)", &d), &d);
    ctl("-m fast restart");
    CHECK_ERR(run(m, "INSERT INTO pool (name, slots) VALUES ('lost too', 1)", &d), ERR_BUSY);
    CHECK_ERR(meta_commit(m, &d), ERR_BUSY);
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m, "INSERT INTO pool (name, slots) VALUES ('kept', 1)", &d), &d);
    CHECK_OK(meta_commit(m, &d), &d);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool"), 2);
    CHECK_OK(meta_check(m, &d), &d);
    /* a kill, outside of a transaction: the first who asks is told, the next is served */
    ctl("-m immediate restart");
    struct meta_value name = meta_text(SLICE("kept"));
    CHECK_ERR(meta_run(m, META_POOL_FIND, &name, 1, NULL, NULL, NULL, &d), ERR_BUSY);
    CHECK_OK(meta_run(m, META_POOL_FIND, &name, 1, NULL, NULL, NULL, &d), &d);
    ctl("-m fast stop");
    CHECK_ERR(meta_begin(m, true, &d), ERR_BUSY);
    CHECK_ERR(meta_begin(m, true, &d), ERR_OFFLINE);
    CHECK(d.where[0] && d.why[0] && d.hint[0]);
    ctl("start");
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(meta_commit(m, &d), &d);
    bool changed = false;
    CHECK_OK(meta_heard(m, &changed, &d), &d);
    ctl("-m immediate restart");
    changed = false;
    for (int i = 0; i < 200 && !changed; i++) {
        CHECK_OK(meta_heard(m, &changed, &d), &d);
        if (!changed) usleep(10000);
    }
    CHECK(changed); /* what was said meanwhile is not known: look */
    meta_close(m);
}

struct committing {
    struct meta *m;
    err_t answer;
    struct diag d;
};
static void *commit(void *ctx)
{
    struct committing *c = ctx;
    c->answer = meta_commit(c->m, &c->d);
    return NULL;
}

/* Ends the session that waits so, when it does. */
static void end_waiting(struct meta *m, const char *event)
{
    char text[300];
    snprintf(text, sizeof(text),
             "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = "
             "'%s' AND datname = current_database()",
             event);
    int64_t ended = 0;
    for (int i = 0; i < 1000 && !ended; i++) {
        ended = meta_kit_number(m, text);
        if (!ended) usleep(10000);
    }
    CHECK_INT(ended, 1);
}

TEST(postgres_dies_between_a_commit_and_its_answer)
{
    struct diag d;
    pthread_t thread;
    if (!control()) return;
    char where[700];
    snprintf(where, sizeof(where), "%s", meta_kit_where());
    struct meta *m = meta_kit_open(where), *other = meta_kit_open(where);
    if (!m || !other) return;
    /* committed, but waiting for a standby that is not there, when its session ends */
    meta_kit_do(other, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    (void)meta_kit_number(other, "SELECT count(pg_reload_conf())");
    char standby[40] = "";
    for (int i = 0; i < 500 && strcmp(standby, "nobody") != 0; i++) {
        usleep(10000);
        meta_kit_text(other, "SELECT current_setting('synchronous_standby_names')", standby,
                      sizeof(standby));
    }
    struct committing c = {.m = m};
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m, "INSERT INTO pool (name, slots) VALUES ('committed', 1)", &d), &d);
    pthread_create(&thread, NULL, commit, &c);
    end_waiting(other, "SyncRep");
    meta_kit_do(other, "ALTER SYSTEM RESET synchronous_standby_names");
    (void)meta_kit_number(other, "SELECT count(pg_reload_conf())");
    pthread_join(thread, NULL);
    CHECK_OK(c.answer, &c.d);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool WHERE name = 'committed'"), 1);

    /* not committed yet: a check at the transaction's end is still running when its session ends */
    meta_kit_do(other, "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM "
                       "pg_sleep(60); RETURN NULL; END'");
    meta_kit_do(other, "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON pool DEFERRABLE INITIALLY "
                       "DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()");
    CHECK_OK(meta_begin(m, true, &d), &d);
    CHECK_OK(run(m, "INSERT INTO pool (name, slots) VALUES ('undone', 1)", &d), &d);
    pthread_create(&thread, NULL, commit, &c);
    end_waiting(other, "PgSleep");
    pthread_join(thread, NULL);
    CHECK_INT(c.answer, ERR_BUSY);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM pool WHERE name = 'undone'"), 0);
    meta_close(other);
    meta_close(m);
}
