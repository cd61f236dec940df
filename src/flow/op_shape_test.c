/* LOOKUP and UNNEST in streams: each record's rows in a topic, and what the ledger says of it. */
#include "flow/kit_test.h"

#include <stdio.h>
#include <stdlib.h>

enum { HOT = 1500 }; /* rows of one key: more than an operator tells at once */

static void drain(struct world *w)
{
    struct diag d = {0};
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 30000, &d), &d);
}

static void add(struct world *w, const char *topic, const char *value)
{
    world_append_to(w, topic, 0, NULL, value, 1700000000000);
}

static void begin(struct world *w, const char *name)
{
    char dir[400];
    snprintf(dir, sizeof(dir), "%s/%s", test_dir(), name);
    world_open(w, dir, 1);
    world_topic(w, "other", 1);
    world_topic(w, "out", 1);
}

static void check_fates(struct world *w, uint64_t applied, uint64_t filtered, uint64_t dead)
{
    struct flow_status s = world_status(w, "load");
    CHECK(s.balanced);
    CHECK_INT(s.ledger.applied, applied);
    CHECK_INT(s.ledger.filtered, filtered);
    CHECK_INT(s.ledger.dead, dead);
    CHECK_INT(s.ledger.held, 0);
}

/* --- LOOKUP -------------------------------------------------------------------------------------
 */

#define E "(SELECT CAST(id AS TEXT) AS id, CAST(k AS TEXT) AS k FROM events) AS e"
#define TOLD(id, n)                                                                                \
    "-={\"k\":\"" id "\",\"n\":" n "}"                                                             \
    ";"

static void change(struct world *w)
{
    world_put(w, "a", "anna", "1", 1700000000000000);
    world_put(w, "b", "bo", NULL, 1700000000000000); /* n is null */
    add(w, "events", "{\"id\":\"1\",\"k\":\"a\"}");
    add(w, "events", "{\"id\":\"2\",\"k\":\"b\"}");
    add(w, "events", "{\"id\":\"3\",\"k\":\"none\"}");
    add(w, "events", "{\"id\":\"4\",\"k\":null}");
    add(w, "events", "{\"id\":\"5\"}");
    drain(w);
    world_put(w, "a", "anna", "2", 1700000001000000);
    world_put(w, "none", "nina", "9", 1700000001000000);
    add(w, "events", "{\"id\":\"6\",\"k\":\"a\"}");
    add(w, "events", "{\"id\":\"7\",\"k\":\"none\"}");
    drain(w);
}

TEST(look_ups_find_what_the_table_says_at_the_epoch)
{
#define BY_ID                                                                                      \
    "CREATE STREAM load INTO TOPIC out AS SELECT e.id AS k, u.n AS n FROM " E                      \
    " %sJOIN ks.users AS u ON u.id = e.k%s"
    static const struct {
        const char *name, *join, *more, *want;
        uint64_t applied, filtered;
    } cases[] = {
        {"inner", "", "", TOLD("1", "1") TOLD("2", "null") TOLD("6", "2") TOLD("7", "9"), 4, 3},
        {"left", "LEFT ", "",
         TOLD("1", "1") TOLD("2", "null") TOLD("3", "null") TOLD("4", "null") TOLD("5", "null")
             TOLD("6", "2") TOLD("7", "9"),
         7, 0},
        {"inner, condition", "", " AND u.n > 1", TOLD("6", "2") TOLD("7", "9"), 2, 5},
        {"left, condition", "LEFT ", " AND u.n < 9",
         TOLD("1", "1") TOLD("2", "null") TOLD("3", "null") TOLD("4", "null") TOLD("5", "null")
             TOLD("6", "2") TOLD("7", "null"),
         7, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world w = {0};
        char text[512];
        begin(&w, cases[i].name);
        snprintf(text, sizeof(text), BY_ID, cases[i].join, cases[i].more);
        world_stream(&w, text);
        change(&w);
        CHECK_TEXT(world_topic_dump(&w, "out"), cases[i].want);
        check_fates(&w, cases[i].applied, cases[i].filtered, 0);
        world_close(&w);
    }
}

/* One record: {"id":…,"k":…,"l":[0,1,…]} */
static void add_list(struct world *w, const char *topic, const char *id, int count)
{
    struct buf b = buf_make(MIB(1));
    buf_printf(&b, "{\"id\":\"%s\",\"l\":[0", id);
    for (int i = 1; i < count; i++) buf_printf(&b, ",%d", i);
    buf_text(&b, "]}");
    add(w, topic, buf_cstr(&b));
    buf_done(&b);
}

static void fill_windows(struct world *w)
{
    add_list(w, "other", "hot", HOT);
    add_list(w, "other", "few", 3);
    world_stream(w,
                 "CREATE STREAM fill INTO ks.windows AS SELECT CAST(t.id AS TEXT) AS k, "
                 "CAST(CAST(u.x AS BIGINT) AS TIMESTAMP) AS w, CAST(u.x AS BIGINT) * 2 + 1 AS n, "
                 "CAST(1 AS BIGINT) AS s FROM other AS t CROSS JOIN UNNEST(t.l) AS u (x)");
    drain(w);
    world_flow_again(w);
}

TEST(look_ups_tell_each_row_of_a_key)
{
    static const struct {
        const char *name, *join, *more;
        int of_hot, of_few, of_none; /* rows */
    } cases[] = {
        {"inner", "", "", HOT, 3, 0},
        {"left", "LEFT ", "", HOT, 3, 1},
        {"inner, condition", "", " AND v.n % 4 = 1", HOT / 2, 2, 0},
        {"left, condition", "LEFT ", " AND v.n > 5", HOT - 3, 1, 1},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct world w = {0};
        char text[512], value[64];
        uint64_t random = 3, rows = 0, applied = 0, filtered = 0;
        begin(&w, cases[i].name);
        fill_windows(&w);
        for (int k = 0; k < 40; k++) {
            static const char *const keys[] = {"\"hot\"", "\"few\"", "\"none\"", "null"};
            uint64_t key = test_random(&random) % COUNT_OF(keys);
            int told = key == 0 ? cases[i].of_hot : key == 1 ? cases[i].of_few : cases[i].of_none;
            snprintf(value, sizeof(value), "{\"id\":\"%d\",\"k\":%s}", k, keys[key]);
            add(&w, "events", value);
            rows += (uint64_t)told;
            applied += told > 0;
            filtered += told == 0;
        }
        snprintf(text, sizeof(text),
                 "CREATE STREAM load INTO TOPIC out AS SELECT e.id AS k, v.n AS n FROM " E
                 " %sJOIN ks.windows AS v ON v.k = e.k%s",
                 cases[i].join, cases[i].more);
        world_stream(&w, text);
        drain(&w);
        CHECK_INT(world_records(&w, "out"), rows);
        check_fates(&w, applied, filtered, 0);
        world_close(&w);
    }
}

TEST(a_look_up_whose_condition_fails_is_one_dead_letter)
{
    struct world w = {0};
    struct letters l;
    begin(&w, "dead");
    world_put(&w, "a", "x", "1", 1700000000000000);
    world_put(&w, "b", "7", "2", 1700000000000000);
    add(&w, "events", "{\"id\":\"1\",\"k\":\"a\"}");
    add(&w, "events", "{\"id\":\"2\",\"k\":\"b\"}");
    world_stream(&w, "CREATE STREAM load INTO TOPIC out AS SELECT e.id AS k, u.n AS n FROM " E
                     " LEFT JOIN ks.users AS u ON u.id = e.k AND CAST(u.name AS BIGINT) > 3");
    drain(&w);
    CHECK_TEXT(world_topic_dump(&w, "out"), TOLD("2", "2"));
    check_fates(&w, 1, 0, 1);
    world_letters(&w, "load", &l);
    CHECK_INT(l.count, 1);
    CHECK_INT(l.items[0].offset, 0);
    world_close(&w);
}

/* --- UNNEST -------------------------------------------------------------------------------------
 */

static const char *const lists[] = {
    "{\"id\":\"a\",\"l\":[1,2,3]}",   "{\"id\":\"b\",\"l\":[]}",
    "{\"id\":\"c\",\"l\":null}",      "{\"id\":\"d\"}",
    "{\"id\":\"e\",\"l\":[null,5]}",  "{\"id\":\"f\",\"l\":\"x\"}",
    "{\"id\":\"g\",\"l\":{\"a\":1}}", "{\"id\":\"h\",\"l\":[7]}",
};

static void check_lists(const char *name, const char *query, const char *want, uint64_t applied,
                        uint64_t filtered)
{
    struct world w = {0};
    struct letters l;
    begin(&w, name);
    for (size_t i = 0; i < COUNT_OF(lists); i++) add(&w, "events", lists[i]);
    world_stream(&w, query);
    drain(&w);
    CHECK_TEXT(world_topic_dump(&w, "out"), want);
    check_fates(&w, applied, filtered, 2);
    world_letters(&w, "load", &l);
    CHECK_INT(l.count, 2);
    CHECK_INT(l.items[0].offset, 5);
    CHECK_TEXT(l.items[0].raw, lists[5]);
    CHECK_INT(l.items[1].offset, 6);
    world_close(&w);
}

#define ELEMENTS                                                                                   \
    TOLD("a", "1") TOLD("a", "2") TOLD("a", "3") TOLD("e", "5") TOLD("e", "null") TOLD("h", "7")
#define OUTER_ELEMENTS                                                                             \
    TOLD("a", "1")                                                                                 \
    TOLD("a", "2")                                                                                 \
    TOLD("a", "3")                                                                                 \
    TOLD("b", "null")                                                                              \
    TOLD("c", "null")                                                                              \
    TOLD("d", "null") TOLD("e", "5") TOLD("e", "null") TOLD("h", "7")
#define PLACES                                                                                     \
    TOLD("a", "1") TOLD("a", "2") TOLD("a", "3") TOLD("e", "1") TOLD("e", "2") TOLD("h", "1")

TEST(lists_become_rows)
{
#define INTO "CREATE STREAM load INTO TOPIC out AS SELECT CAST(t.id AS TEXT) AS k, "
#define LISTS                                                                                      \
    " FROM (SELECT CAST(id AS TEXT) AS id, CAST(l AS list<bigint>) AS l FROM events) AS t "
    check_lists("json",
                INTO "CAST(u.x AS BIGINT) AS n FROM events AS t CROSS JOIN UNNEST(t.l) AS u (x)",
                ELEMENTS, 3, 3);
    check_lists("json, outer",
                INTO
                "CAST(u.x AS BIGINT) AS n FROM events AS t LEFT JOIN UNNEST(t.l) AS u (x) ON TRUE",
                OUTER_ELEMENTS, 6, 0);
    check_lists("json, places",
                INTO "u.i AS n FROM events AS t CROSS JOIN UNNEST(t.l) WITH ORDINALITY AS u (x, i)",
                PLACES, 3, 3);
    check_lists("list", INTO "u.x AS n" LISTS "CROSS JOIN UNNEST(t.l) AS u (x)", ELEMENTS, 3, 3);
    check_lists("list, outer", INTO "u.x AS n" LISTS "LEFT JOIN UNNEST(t.l) AS u (x) ON TRUE",
                OUTER_ELEMENTS, 6, 0);
    check_lists("list, places",
                INTO "u.i AS n" LISTS "CROSS JOIN UNNEST(t.l) WITH ORDINALITY AS u (x, i)", PLACES,
                3, 3);
}

/* A row with nothing in its list has no place either. */
TEST(an_outer_row_without_elements_has_no_ordinal)
{
    struct world w = {0};
    begin(&w, "places");
    add(&w, "events", "{\"id\":\"a\",\"l\":[]}");
    add(&w, "events", "{\"id\":\"b\",\"l\":[4]}");
    world_stream(&w, INTO "u.i AS n FROM events AS t LEFT JOIN UNNEST(t.l) WITH ORDINALITY AS u "
                          "(x, i) ON TRUE");
    drain(&w);
    CHECK_TEXT(world_topic_dump(&w, "out"), TOLD("a", "null") TOLD("b", "1"));
    check_fates(&w, 2, 0, 0);
    world_close(&w);
}

TEST(long_lists_are_told_whole)
{
    struct world w = {0};
    begin(&w, "long");
    add_list(&w, "events", "a", 3 * HOT);
    world_stream(&w, "CREATE STREAM load INTO ks.sums AS SELECT CAST(t.id AS TEXT) AS k, count(*) "
                     "AS n, sum(CAST(u.x AS BIGINT)) AS s FROM events AS t CROSS JOIN UNNEST(t.l) "
                     "AS u (x) GROUP BY CAST(t.id AS TEXT)");
    drain(&w);
    CHECK_TEXT(world_dump(&w, "sums"), "a,4500,10122750;");
    check_fates(&w, 1, 0, 0);
    world_close(&w);
}
