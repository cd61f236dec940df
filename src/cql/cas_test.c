/* Conditions: when they hold, what is answered when they do not, and that many threads that compare
 * and set one row see one order. */
#include "cql/write_kit.h"
#include <stdlib.h>

TEST(insert_if_not_exists_shows_what_is_there)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int; x text");
    SAYS("INSERT INTO t (k, v) VALUES (1, 2) IF NOT EXISTS", YES);
    SAYS("INSERT INTO t (k, v, x) VALUES (1, 3, 'a') IF NOT EXISTS", NO " k=1 v=2 x=null");
    ROWS("t", "k=1 v=2");
    SAYS("UPDATE t SET v = 4 WHERE k = 1 IF EXISTS", YES);
    SAYS("UPDATE t SET v = 4 WHERE k = 2 IF EXISTS", NO);
    SAYS("DELETE FROM t WHERE k = 2 IF EXISTS", NO);
    SAYS("DELETE FROM t WHERE k = 1 IF EXISTS", YES);
    ROWS("t", "");
    SAYS("INSERT INTO t (k, v) VALUES (1, 5) IF NOT EXISTS", YES); /* behind its own tombstone */
    ROWS("t", "k=1 v=5");
    wt_close(&w);
}

TEST(conditions_compare_columns)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int; x text");
    SAYS("INSERT INTO t (k, v) VALUES (1, 5)", "ok");
    SAYS("UPDATE t SET v = 6 WHERE k = 1 IF v = 4", NO " v=5");
    SAYS("UPDATE t SET v = 6 WHERE k = 1 IF v = 5 AND x = null", YES);
    SAYS("UPDATE t SET v = 7 WHERE k = 1 IF x = 'a' AND v > 9", NO " x=null v=6");
    SAYS("UPDATE t SET v = 7 WHERE k = 1 IF v >= 6 AND v < 7 AND v != 9", YES);
    SAYS("UPDATE t SET v = 8 WHERE k = 1 IF v IN (1, 7)", YES);
    SAYS("UPDATE t SET v = 9 WHERE k = 1 IF v IN ()", NO " v=8");
    SAYS("UPDATE t SET v = 9 WHERE k = 1 IF x IN ('a', null)", YES);
    SAYS("UPDATE t SET v = 9 WHERE k = 1 IF x != 'a'", YES); /* null is not 'a' */
    SAYS("UPDATE t SET v = 9 WHERE k = 1 IF x < 'a'", NO " x=null");
    SAYS("UPDATE t SET v = 9 WHERE k = 1 IF x < null",
         "2200: Invalid comparison with null for operator \"<\"");
    SAYS("UPDATE t SET v = 1 WHERE k = 2 IF v = null", YES); /* a row that is not there is null */
    SAYS("UPDATE t SET v = 2 WHERE k = 3 IF v = 1", NO);
    CHECK_TEXT(WT_BIND(&w, "UPDATE t SET v = 9 WHERE k = 1 IF v = ?", "int:unset"),
               "2200: Invalid 'unset' value in condition");
    ROWS("t", "k=1 v=9; k=2 v=1");
    SAYS("DELETE v FROM t WHERE k = 2 IF v = 1", YES);
    ROWS("t", "k=1 v=9");
    wt_close(&w);
}

TEST(conditions_look_into_collections)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; l list<int>; s set<int>; m map<text, int>; f frozen<list<int>>");
    SAYS("INSERT INTO t (k, l, s, m, f) VALUES (1, [1, 2], {3}, {'a': 4}, [5, 6])", "ok");
    SAYS("UPDATE t SET l = l + [9] WHERE k = 1 IF l = [1, 2] AND f = [5, 6]", YES);
    SAYS("UPDATE t SET l = [] WHERE k = 1 IF l = [1, 2]", NO " l=[1, 2, 9]");
    SAYS("DELETE s FROM t WHERE k = 1 IF l[2] = 9 AND m['a'] = 4 AND f[1] >= 6", YES);
    SAYS("DELETE m FROM t WHERE k = 1 IF s = {}", YES); /* an empty set is null */
    SAYS("DELETE l FROM t WHERE k = 1 IF l CONTAINS 7", NO " l=[1, 2, 9]");
    SAYS("DELETE l FROM t WHERE k = 1 IF l CONTAINS 2 AND f CONTAINS 6 AND m = null", YES);
    ROWS("t", "k=1 f=[5, 6]");
    SAYS("UPDATE t SET m = {'b': 1} WHERE k = 1 IF m CONTAINS KEY 'b'", NO " m=null");
    SAYS("UPDATE t SET m = {'b': 1} WHERE k = 1 IF m['b'] = null", YES);
    SAYS("UPDATE t SET m = {'b': 2} WHERE k = 1 IF m CONTAINS KEY 'b' AND m > {'a': 1}", YES);
    SAYS("UPDATE t SET m = {} WHERE k = 1 IF m > {}",
         "2200: Invalid comparison with an empty map for operator \">\"");
    SAYS("UPDATE t SET l = [] WHERE k = 1 IF l[-1] = 1", "2200: Invalid negative list index -1");
    SAYS("UPDATE t SET l = [] WHERE k = 1 IF s[1] = 1",
         "2200: Invalid element access syntax for set column s");
    SAYS("UPDATE t SET l = [] WHERE k = 1 IF s CONTAINS KEY 1",
         "2200: Cannot use CONTAINS KEY on non-map column s");
    wt_close(&w);
}

TEST(conditions_on_statics_are_the_partitions)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; c int C; s int S; v int");
    SAYS("UPDATE t SET s = 1 WHERE k = 1 IF s = null", YES);
    SAYS("UPDATE t SET s = 2 WHERE k = 1 IF s = 5", NO " s=1");
    SAYS("INSERT INTO t (k, c, v) VALUES (1, 1, 1) IF NOT EXISTS", YES);
    SAYS("UPDATE t SET v = 2 WHERE k = 1 AND c = 1 IF s = 1 AND v = 1", YES);
    SAYS("UPDATE t SET v = 3 WHERE k = 1 AND c = 1 IF s = 1 AND v = 1", NO " v=2 s=1");
    SAYS("UPDATE t SET v = 3 WHERE k = 1 AND c = 9 IF s = 1", YES);
    ROWS("t", "static s=1; k=1 c=1 v=2; k=1 c=9 v=3");
    SAYS("INSERT INTO t (k, s) VALUES (1, 7) IF NOT EXISTS", NO " k=1 c=1 s=1 v=null");
    SAYS("UPDATE t SET s = 3 WHERE k = 7 IF EXISTS", NO);
    SAYS("UPDATE t SET s = 4 WHERE k = 1 IF EXISTS", YES);
    SAYS("DELETE s FROM t WHERE k = 1 IF s = 4", YES);
    SAYS("DELETE FROM t WHERE k = 1 IF EXISTS",
         "2200: DELETE statements must restrict all PRIMARY KEY columns with equality relations in "
         "order to delete non static columns");
    SAYS("DELETE s FROM t WHERE k = 1 IF v = 1",
         "2200: DELETE statements must restrict all PRIMARY KEY columns with equality relations in "
         "order to use IF condition on non static columns");
    wt_close(&w);
}

TEST(conditional_statements_add_to_numbers_and_texts)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int; x text; d double");
    SAYS("INSERT INTO t (k, v, x, d) VALUES (1, 1, 'a', 0.5)", "ok");
    SAYS("UPDATE t SET v += 4, x += 'b', d = d + 1 WHERE k = 1 IF EXISTS", YES);
    ROWS("t", "k=1 d=1.5 v=5 x='ab'");
    SAYS("UPDATE t SET v = v + 1 WHERE k = 1",
         "2200: Invalid operation (v = v + 1) for non counter column v");
    wt_close(&w);
}

TEST(what_no_conditional_statement_may_be_is_refused)
{
    static const struct {
        const char *text, *says;
    } all[] = {
        {"UPDATE t USING TIMESTAMP 5 SET v = 1 WHERE k = 1 AND c = 1 IF v = 1",
         "2200: Cannot provide custom timestamp for conditional updates"},
        {"INSERT INTO t (k, c) VALUES (1, 1) IF NOT EXISTS USING TIMESTAMP 1",
         "2200: Cannot provide custom timestamp for conditional updates"},
        {"UPDATE t SET v = 1 WHERE k IN (1, 2) AND c = 1 IF v = 1",
         "2200: IN on the partition key is not supported with conditional updates"},
        {"UPDATE t SET v = 1 WHERE k = 1 AND c IN (1, 2) IF v = 1",
         "2200: IN on the clustering key columns is not supported with conditional updates"},
        {"DELETE FROM t WHERE k = 1 AND c IN (1, 2) IF v = 1",
         "2200: IN on the clustering key columns is not supported with conditional deletions"},
        {"UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF k = 1",
         "2200: PRIMARY KEY column 'k' cannot have IF conditions"},
        {"UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF nope = 1",
         "2200: Undefined column name nope in table ks.t"},
    };
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; c int C; v int");
    for (size_t i = 0; i < COUNT_OF(all); i++) SAYS(all[i].text, all[i].says);
    w.params.consistency = CQL_SERIAL;
    SAYS("UPDATE t SET v = 1 WHERE k = 1 AND c = 1",
         "2200: You must use conditional updates for serializable writes");
    SAYS("UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF v = 1",
         "2200: SERIAL is not supported as conditional update commit consistency. Use ANY if you "
         "mean \"make sure it is accepted but I don't care how many replicas commit it for "
         "non-SERIAL reads\"");
    w.params.consistency = CQL_QUORUM;
    w.params.serial = CQL_ONE;
    SAYS("UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF v = 1",
         "2200: Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL");
    w.params.serial = CQL_LOCAL_SERIAL;
    SAYS("UPDATE t SET v = 1 WHERE k = 1 AND c = 1 IF v = null", YES);
    wt_close(&w);
}

/* --- many threads
 * ---------------------------------------------------------------------------------- */

enum { CROWD_THREADS = 8, CROWD_ROUNDS = 150 };

struct crowd {
    struct wt *w;
    struct thread thread;
    int won;
    bool blind; /* the mutant: it looks before the committer's turn */
};

static bool call(struct crowd *x, struct arena *a, const char *text, struct cql_call *c)
{
    arena_reset(a);
    *c = (struct cql_call){.session = &x->w->session,
                           .arena = a,
                           .verb = CALL_QUERY,
                           .text = slice_of(text),
                           .params = x->w->params};
    CHECK_OK(cql_run_wait(c), &c->diag);
    return c->result.rows.len >= 5 && c->result.rows.at[4];
}

/* Adds one to the row's number by compare and set, from what it was told the number is. */
static void crowd_run(void *arg)
{
    struct crowd *x = arg;
    struct arena *a = arena_new(MIB(4));
    int32_t seen = 0;
    for (int i = 0; i < CROWD_ROUNDS;) {
        struct cql_call c;
        char text[100];
        (void)snprintf(text, sizeof text, "UPDATE t SET v = %d WHERE k = 1 IF v = %d", seen + 1,
                       seen);
        if (call(x, a, text, &c)) {
            x->won++;
            i++;
            seen++;
        } else {
            struct cursor at = cursor_of(buf_view(&c.result.rows));
            (void)cursor_slice(&at, 9);
            int32_t now = cursor_i32(&at);
            if (!x->blind)
                CHECK(now > seen); /* it never steps back, and is not what we asked for */
            seen = now;
        }
        cql_call_done(&c);
    }
    arena_free(a);
}

static int crowd_of(struct wt *w, bool blind)
{
    struct crowd all[CROWD_THREADS];
    struct diag d;
    int won = 0;
    for (int i = 0; i < CROWD_THREADS; i++) {
        all[i] = (struct crowd){.w = w, .blind = blind};
        CHECK_OK(thread_start(&all[i].thread, "cas", crowd_run, &all[i], &d), &d);
    }
    for (int i = 0; i < CROWD_THREADS; i++) {
        thread_join(&all[i].thread);
        won += all[i].won;
    }
    return won;
}

TEST(threads_that_compare_and_set_one_row_lose_no_step)
{
    struct wt w;
    char expect[40];
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int");
    CHECK_TEXT(wt_run(&w, "INSERT INTO t (k, v) VALUES (1, 0)"), "ok");
    (void)snprintf(expect, sizeof expect, "k=1 v=%d", crowd_of(&w, false));
    CHECK_TEXT(wt_rows(&w, "t"), expect);
    wt_close(&w);
}

/* The same with conditions looked at before the committer's turn: two win the same step. */
TEST(a_compare_and_set_that_looks_too_early_is_caught)
{
    struct wt w;
    struct diag d = {0};
    wt_open(&w);
    const struct cql_options o = {.store = w.store, .mutant_cas_blind = true};
    struct cql *sound = w.cql;
    CHECK_OK(cql_open(&o, &w.cql, &d), &d);
    w.session.cql = w.cql;
    wt_table(&w, "t", "k int P; v int");
    CHECK_TEXT(wt_run(&w, "INSERT INTO t (k, v) VALUES (1, 0)"), "ok");
    int won = crowd_of(&w, true);
    CHECK_INT(won, CROWD_THREADS * CROWD_ROUNDS);
    const char *rows = wt_rows(&w, "t");
    CHECK(strncmp(rows, "k=1 v=", 6) == 0 && atoi(rows + 6) < won);
    cql_close(w.cql);
    w.cql = sound;
    wt_close(&w);
}
