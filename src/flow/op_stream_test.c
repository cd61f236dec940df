/* Operators in streams: random records in rounds, the flow opened anew between them; the table is
 * what a bounded query over the same topics answers (tests/queries holds those against SQLite). */
#include "flow/kit_test.h"

#include <stdio.h>
#include <stdlib.h>

#define E                                                                                          \
    "(SELECT CAST(id AS TEXT) AS id, CAST(k AS TEXT) AS k, CAST(n AS BIGINT) AS n FROM events) "   \
    "AS e"
#define O                                                                                          \
    "(SELECT CAST(id AS TEXT) AS id, CAST(k AS TEXT) AS k, CAST(n AS BIGINT) AS n FROM other) AS " \
    "o"
#define COUNTS_E                                                                                   \
    "(SELECT e.k AS k, count(*) AS n FROM " E " WHERE e.k IS NOT NULL GROUP BY e.k) AS a"
#define COUNTS_O                                                                                   \
    "(SELECT o.k AS k, count(*) AS n FROM " O " WHERE o.k IS NOT NULL GROUP BY o.k) AS b"

/* --- the model ----------------------------------------------------------------------------------
 */

struct lines {
    struct world *w;
    struct vec all;
};

static err_t catch_lines(void *ctx, const struct column *columns, uint32_t count, uint32_t rows)
{
    struct lines *l = ctx;
    for (uint32_t row = 0; row < rows; row++) {
        struct buf line = buf_make(MIB(1));
        for (uint32_t i = 0; i < count; i++) {
            struct value v;
            column_get(&columns[i], row, &v);
            if (i) buf_char(&line, ',');
            if (v.state == VALID_VALUE)
                value_to_text(&v, &line);
            else
                buf_char(&line, '-');
        }
        const char *text = arena_text(l->w->arena, buf_view(&line));
        err_t e = vec_push(&l->all, &text);
        buf_done(&line);
        if (e) return e;
    }
    return ERR_OK;
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* As world_dump tells a table: the query's columns are to be in the table's order. */
static const char *answer(struct world *w, const char *query)
{
    struct lines l = {.w = w, .all = vec_make(sizeof(char *), 1 << 20)};
    struct query_result into = {.ctx = &l, .rows = catch_lines};
    struct buf out = buf_make(MIB(16));
    struct diag d = {0};
    CHECK_OK(world_select(w, query, &into, MIB(64), &d), &d);
    if (l.all.count) qsort(l.all.items, l.all.count, sizeof(char *), compare_lines);
    for (size_t i = 0; i < l.all.count; i++) {
        buf_text(&out, *(const char **)vec_at(&l.all, i));
        buf_char(&out, ';');
    }
    const char *text = arena_text(w->arena, buf_view(&out));
    buf_done(&out);
    vec_done(&l.all);
    return text;
}

/* --- records ------------------------------------------------------------------------------------
 */

static void some_records(struct world *w, const char *topic, int count, int *number,
                         uint64_t *random)
{
    static const char *const keys[] = {"\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"e\"", "null"};
    for (int i = 0; i < count; i++) {
        char value[128], n[24] = "null";
        uint64_t r = test_random(random);
        const char *key = r % 3 == 0 ? "\"hot\"" : keys[r / 3 % COUNT_OF(keys)];
        if (r / 64 % 8) snprintf(n, sizeof(n), "%d", (int)(r / 1024 % 7));
        snprintf(value, sizeof(value), "{\"id\":\"%c%d\",\"k\":%s,\"n\":%s}", topic[0], *number,
                 key, n);
        world_append_to(w, topic, (int32_t)(r / 4096 % 2), NULL, value,
                        1700000000000 + (int64_t)*number);
        ++*number;
    }
}

static void drain(struct world *w)
{
    struct diag d = {0};
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 30000, &d), &d);
}

struct same_case {
    const char *table, *query;
};

enum { ROUNDS = 4, RECORDS = 60 };

static void check_same(const struct same_case *c, int nth, uint64_t seed)
{
    struct world w = {.options = {.epoch_rows_live = 7 + (uint32_t)seed % 50}};
    uint64_t random = seed;
    char text[4096], dir[300];
    int number = 0;
    snprintf(dir, sizeof(dir), "%s/case%d-%d", test_dir(), nth, (int)seed);
    world_open(&w, dir, 2);
    world_topic(&w, "other", 2);
    snprintf(text, sizeof(text), "CREATE STREAM load INTO ks.%s AS %s", c->table, c->query);
    for (int round = 0; round < ROUNDS; round++) {
        some_records(&w, "events", RECORDS, &number, &random);
        some_records(&w, "other", round == 1 ? 2 : RECORDS / 2, &number, &random);
        if (round) world_flow_again(&w);
        world_stream(&w, text);
        drain(&w);
        const char *want = answer(&w, c->query), *got = world_dump(&w, c->table);
        CHECK_TEXT(got, want);
        struct flow_status s = world_status(&w, "load");
        CHECK(s.balanced);
        CHECK_INT(s.ledger.dead, 0);
        if (strcmp(got, want) != 0) {
            fprintf(stderr, "round %d of seed %d: %s\n", round, (int)seed, c->query);
            break;
        }
    }
    world_close(&w);
}

static void check_all(const struct same_case *cases, size_t count, int first)
{
    for (size_t i = 0; i < count; i++)
        for (uint64_t seed = 1; seed <= 2; seed++) check_same(&cases[i], first + (int)i, seed);
}

TEST(joins_of_streams_are_what_a_query_answers)
{
#define PAIR    "SELECT e.id || '-' || o.id AS id, e.n + o.n AS n, e.k AS name FROM " E " "
#define BY_E    "SELECT e.k AS k, count(o.id) AS n, sum(o.n) AS s FROM " E " "
#define BY_O    "SELECT o.k AS k, count(e.id) AS n, sum(o.n) AS s FROM " E " "
#define E_AND_O " WHERE e.k IS NOT NULL GROUP BY e.k"
    static const struct same_case cases[] = {
        {"users", PAIR "JOIN " O " ON e.k = o.k"},
        {"users", PAIR "JOIN " O " ON e.k = o.k AND e.n < o.n"},
        {"sums", BY_E "LEFT JOIN " O " ON e.k = o.k AND e.n = o.n" E_AND_O},
        {"sums", BY_E "LEFT JOIN " O " ON e.n = o.n AND e.k <> o.k" E_AND_O},
        {"sums",
         BY_O "RIGHT JOIN " O " ON e.k = o.k AND e.n = o.n WHERE o.k IS NOT NULL GROUP BY o.k"},
        {"sums", "SELECT coalesce(e.k, o.k, '?') AS k, count(*) AS n, sum(o.n) AS s FROM " E
                 " FULL JOIN " O " ON e.k = o.k AND e.n > o.n GROUP BY coalesce(e.k, o.k, '?')"},
        {"users", "SELECT e.id AS id, e.n AS n, e.k AS name FROM " E " LEFT SEMI JOIN " O
                  " ON e.k = o.k AND e.n = o.n"},
        {"sums", "SELECT e.k AS k, count(*) AS n, sum(e.n) AS s FROM " E " LEFT ANTI JOIN " O
                 " ON e.k = o.k AND e.n = o.n" E_AND_O},
    };
    check_all(cases, COUNT_OF(cases), 0);
}

TEST(joins_of_groups_follow_what_changes)
{
    static const struct same_case cases[] = {
        {"sums", "SELECT a.k AS k, a.n AS n, b.n AS s FROM " COUNTS_E " LEFT JOIN " COUNTS_O
                 " ON a.k = b.k AND a.n > b.n"},
        {"sums", "SELECT a.k AS k, count(b.k) AS n, sum(b.n) AS s FROM " COUNTS_E
                 " FULL JOIN " COUNTS_O " ON a.n % 5 = b.n % 5 WHERE a.k IS NOT NULL GROUP BY a.k"},
        {"sums", "SELECT a.k AS k, a.n AS n, a.n AS s FROM " COUNTS_E " LEFT ANTI JOIN " COUNTS_O
                 " ON a.n = b.n"},
        {"sums", "SELECT a.k AS k, a.n AS n, a.n AS s FROM " COUNTS_E " LEFT SEMI JOIN " COUNTS_O
                 " ON a.n % 5 = b.n % 5"},
    };
    check_all(cases, COUNT_OF(cases), 20);
}

TEST(the_first_rows_of_a_key_follow_what_changes)
{
#define E_KEYED                                                                                    \
    "(SELECT CAST(id AS TEXT) AS id, coalesce(CAST(k AS TEXT), '?') AS k, CAST(n AS BIGINT) AS n " \
    "FROM events) AS e"
#define RANKED(function, more)                                                                     \
    "(SELECT e.id AS id, e.k AS k, e.n AS n, " function                                            \
    "() OVER (PARTITION BY e.k ORDER BY e.n DESC NULLS LAST" more ") AS r FROM " E_KEYED ") AS t"
#define COUNTED(function, more)                                                                    \
    "(SELECT a.k AS k, a.n AS n, " function "() OVER (PARTITION BY a.n % 2 ORDER BY a.n DESC" more \
    ") AS r FROM " COUNTS_E ") AS t"
    static const struct same_case cases[] = {
        {"users", "SELECT t.k AS id, t.n AS n, t.id AS name FROM " RANKED(
                      "row_number", ", e.id") " WHERE t.r <= 1"},
        {"sums", "SELECT t.k AS k, count(*) AS n, sum(t.n) AS s FROM " RANKED(
                     "row_number", ", e.id") " WHERE t.r <= 3 GROUP BY t.k"},
        {"sums", "SELECT t.k AS k, count(*) AS n, sum(t.r) AS s FROM " RANKED(
                     "rank", "") " WHERE t.r <= 4 GROUP BY t.k"},
        {"sums", "SELECT t.k AS k, count(*) AS n, sum(t.r) AS s FROM " RANKED(
                     "dense_rank", "") " WHERE t.r <= 2 GROUP BY t.k"},
        {"sums", "SELECT t.k AS k, t.n AS n, t.r AS s FROM " COUNTED("row_number",
                                                                     ", a.k") " WHERE t.r <= 2"},
        {"sums", "SELECT t.k AS k, t.n AS n, t.n AS s FROM " COUNTED("rank", "") " WHERE t.r <= 1"},
    };
    check_all(cases, COUNT_OF(cases), 40);
}

TEST(distinct_unions_and_lists_in_streams)
{
    static const struct same_case cases[] = {
        {"sums", "SELECT d.k AS k, count(*) AS n, sum(d.n) AS s FROM (SELECT DISTINCT e.k AS "
                 "k, e.n AS n FROM " E " WHERE e.k IS NOT NULL) AS d GROUP BY d.k"},
        {"sums", "SELECT CAST(d.n % 2 AS TEXT) AS k, count(*) AS n, sum(d.n) AS s FROM (SELECT "
                 "DISTINCT a.n AS n FROM " COUNTS_E ") AS d GROUP BY CAST(d.n % 2 AS TEXT)"},
        {"users", "SELECT e.id AS id, e.n AS n, e.k AS name FROM " E
                  " UNION ALL SELECT o.id AS id, o.n + 100 AS n, o.k AS name FROM " O},
        {"sums", "SELECT u.k AS k, count(*) AS n, sum(u.n) AS s FROM (SELECT e.k AS k, e.n AS n "
                 "FROM " E " UNION ALL SELECT o.k AS k, o.n AS n FROM " O
                 ") AS u WHERE u.k IS NOT NULL GROUP BY u.k"},
    };
    check_all(cases, COUNT_OF(cases), 60);
}
