/* SELECT over a real store: what comes, in what order, and with which words it refuses. */
#include "cql/cql_kit.h"
#include <stdio.h>

static void rows_of_t(struct kit *k)
{
    kit_do(k, "CREATE TABLE t (p int, c int, d int, s text STATIC, v text, w int, PRIMARY KEY (p, "
              "c, d))");
    for (int p = 1; p <= 3; p++)
        for (int c = 1; c <= 3; c++)
            for (int d = 1; d <= 2; d++) {
                char text[200];
                snprintf(
                    text, sizeof text,
                    "INSERT INTO t (p, c, d, s, v, w) VALUES (%d, %d, %d, 's%d', 'v%d%d%d', %d)", p,
                    c, d, p, p, c, d, c * d);
                kit_do(k, text);
            }
}

TEST(a_row_is_got_by_its_whole_key)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    KIT_ROWS(&k, "SELECT v, s, p FROM t WHERE p = 1 AND c = 2 AND d = 1", "'v121','s1',1;");
    KIT_ROWS(&k, "SELECT * FROM t WHERE p = 1 AND c = 2 AND d = 1", "1,2,1,'s1','v121',2;");
    KIT_ROWS(&k, "SELECT v FROM t WHERE p = 1 AND c = 2 AND d = 3", "");
    KIT_ROWS(&k, "SELECT v FROM ks.t WHERE p = 4 AND c = 2 AND d = 3", "");
    kit_close(&k);
}

TEST(clustering_columns_make_slices)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2", "1,1;1,2;2,1;2,2;3,1;3,2;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c = 2", "2,1;2,2;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c > 1 AND c < 3", "2,1;2,2;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c >= 2", "2,1;2,2;3,1;3,2;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c = 3 AND d <= 1", "3,1;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c IN (3, 1) AND d = 2", "1,2;3,2;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND (c, d) > (1, 1) AND (c, d) <= (3, 1)",
             "1,2;2,1;2,2;3,1;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND (c, d) IN ((3, 1), (1, 2), (9, 9))",
             "1,2;3,1;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c > 1 AND (c, d) < (3, 2)", "2,1;2,2;3,1;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c > 3 AND c < 2", "");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c IN ()", "");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c > null AND c < 2", "1,1;1,2;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c = 1 AND d >= null", "1,1;1,2;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 2 AND c <= null", "");
    kit_close(&k);
}

TEST(slices_of_columns_in_different_directions)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE m (p int, a int, b int, c int, PRIMARY KEY (p, a, b, c)) "
               "WITH CLUSTERING ORDER BY (a DESC, b ASC, c DESC)");
    for (int i = 0; i < 27; i++) {
        char text[120];
        snprintf(text, sizeof text, "INSERT INTO m (p, a, b, c) VALUES (0, %d, %d, %d)", i / 9,
                 i / 3 % 3, i % 3);
        kit_do(&k, text);
    }
    KIT_ROWS(&k, "SELECT a, b, c FROM m WHERE p = 0 AND (a, b, c) > (1, 1, 1)",
             "2,0,2;2,0,1;2,0,0;2,1,2;2,1,1;2,1,0;2,2,2;2,2,1;2,2,0;1,1,2;1,2,2;1,2,1;1,2,0;");
    KIT_ROWS(&k, "SELECT a, b, c FROM m WHERE p = 0 AND (a, b, c) <= (0, 1, 1)",
             "0,0,2;0,0,1;0,0,0;0,1,1;0,1,0;");
    KIT_ROWS(&k, "SELECT a, b, c FROM m WHERE p = 0 AND (a, b) >= (2, 1) AND (a, b, c) < (2, 2, 1)",
             "2,1,2;2,1,1;2,1,0;2,2,0;");
    KIT_ROWS(&k, "SELECT a, b, c FROM m WHERE p = 0 AND a = 1 AND (b, c) > (0, 1)",
             "1,0,2;1,1,2;1,1,1;1,1,0;1,2,2;1,2,1;1,2,0;");
    KIT_ROWS(&k, "SELECT a, b FROM m WHERE p = 0 AND a = 1 ORDER BY a ASC, b DESC LIMIT 4",
             "1,2;1,2;1,2;1,1;");
    kit_close(&k);
}

/* Every tuple and operator against what comparing row by row says. */
TEST(slices_of_tuples_are_what_comparing_says)
{
    static const char *const ops[] = {"<", "<=", ">", ">="};
    struct kit k;
    kit_open(&k);
    for (int order = 0; order < 8; order++) {
        char text[400], name[8];
        snprintf(name, sizeof name, "o%d", order);
        snprintf(text, sizeof text,
                 "CREATE TABLE %s (p int, a int, b int, c int, PRIMARY KEY (p, a, b, c)) WITH "
                 "CLUSTERING "
                 "ORDER BY (a %s, b %s, c %s)",
                 name, order & 1 ? "DESC" : "ASC", order & 2 ? "DESC" : "ASC",
                 order & 4 ? "DESC" : "ASC");
        kit_do(&k, text);
        for (int i = 0; i < 8; i++) {
            snprintf(text, sizeof text, "INSERT INTO %s (p, a, b, c) VALUES (0, %d, %d, %d)", name,
                     i >> 2, i >> 1 & 1, i & 1);
            kit_do(&k, text);
        }
        for (int from = 0; from < 8; from++)
            for (int op = 0; op < 4; op++) {
                snprintf(text, sizeof text,
                         "SELECT count(*) FROM %s WHERE p = 0 AND (a, b, c) %s (%d, %d, %d)", name,
                         ops[op], from >> 2, from >> 1 & 1, from & 1);
                int want = op == 0 ? from : op == 1 ? from + 1 : op == 2 ? 7 - from : 8 - from;
                char said[16];
                snprintf(said, sizeof said, "%d;", want);
                KIT_ROWS(&k, text, said);
            }
    }
    kit_close(&k);
}

TEST(partitions_named_by_in_come_in_the_order_of_their_values)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    KIT_ROWS(&k, "SELECT p, c FROM t WHERE p IN (3, 1, 3, 7) AND c = 1 AND d = 1", "1,1;3,1;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE p IN (2, 1) AND c = 1", "1,1,1;1,1,2;2,1,1;2,1,2;");
    KIT_ROWS(&k, "SELECT p, c FROM t WHERE p IN (2, 1) AND d = 1 AND c IN (1, 3) ORDER BY c DESC",
             "1,3;2,3;1,1;2,1;");
    KIT_ROWS(&k,
             "SELECT p FROM t WHERE p IN (2, 1) AND d = 1 AND c IN (1, 3) ORDER BY c DESC LIMIT 3",
             "1;2;1;");
    KIT_ROWS(&k,
             "SELECT p, c FROM t WHERE p IN (1, 2) ORDER BY c ASC, d DESC", /* mixed directions */
             "INVALID: Unsupported order by relation");
    CHECK_TEXT(kit_execute(&k, "SELECT p FROM t WHERE p IN (1, 2) ORDER BY c",
                           (struct kit_how){.page_size = 5}),
               "INVALID: Cannot page queries with both ORDER BY and a IN restriction on the "
               "partition key; you "
               "must either remove the ORDER BY or the IN and sort client side, or disable paging "
               "for this "
               "query");
    CHECK_TEXT(kit_execute(&k, "SELECT p FROM t WHERE p IN () ORDER BY c", /* nothing to sort */
                           (struct kit_how){.page_size = 5}),
               "");
    kit_close(&k);
}

TEST(rows_come_backwards_where_order_by_says_so)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 1 ORDER BY c DESC", "3,2;3,1;2,2;2,1;1,2;1,1;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 1 AND c = 2 ORDER BY c DESC, d DESC", "2,2;2,1;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 1 AND c < 3 ORDER BY c DESC LIMIT 3",
             "2,2;2,1;1,2;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 1 AND c = 2 ORDER BY d DESC", "2,2;2,1;");
    KIT_ROWS(&k, "SELECT c, d FROM t WHERE p = 1 ORDER BY d",
             "INVALID: Order by currently only supports the ordering of columns following their "
             "declared order "
             "in the PRIMARY KEY");
    KIT_ROWS(&k, "SELECT c FROM t WHERE p = 1 ORDER BY v",
             "INVALID: Order by is currently only supported on the clustered columns of the "
             "PRIMARY KEY, got v");
    KIT_ROWS(&k, "SELECT c FROM t ORDER BY c",
             "INVALID: ORDER BY is only supported when the partition key is restricted by an EQ or "
             "an IN.");
    kit_close(&k);
}

TEST(limits_cut_the_result_and_each_partition)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    KIT_ROWS(&k, "SELECT count(*) FROM t LIMIT 3", "18;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE p IN (1, 2, 3) PER PARTITION LIMIT 1",
             "1,1,1;2,1,1;3,1,1;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE p IN (1, 2, 3) PER PARTITION LIMIT 2 LIMIT 3",
             "1,1,1;1,1,2;2,1,1;");
    KIT_ROWS(&k, "SELECT p FROM t LIMIT 0", "INVALID: LIMIT must be strictly positive");
    CHECK_TEXT(kit_execute(&k, "SELECT c FROM t WHERE p = ? AND c = ? AND d = ? LIMIT ?",
                           (struct kit_how){.values = (const char *const[]){"1", "2", "1", "5"},
                                            .value_count = 4}),
               "2;");
    CHECK_TEXT(
        kit_execute(&k, "SELECT c FROM t WHERE p = ? LIMIT ?",
                    (struct kit_how){.values = (const char *const[]){"1", "-"}, .value_count = 2}),
        "INVALID: Invalid null value of limit");
    CHECK_TEXT(
        kit_execute(&k, "SELECT c FROM t WHERE p = ? AND c = 1 LIMIT ?",
                    (struct kit_how){.values = (const char *const[]){"1", "?"}, .value_count = 2}),
        "1;1;");
    kit_close(&k);
}

/* Reads page by page, by another engine over the same store each time. */
static void check_pages(struct kit *k, const char *text, int32_t size, bool restart)
{
    struct buf all = buf_make(MIB(1));
    const char *want = kit_ask(k, text);
    struct slice state = {0};
    int pages = 0;
    do {
        const char *page =
            kit_execute(k, text, (struct kit_how){.page_size = size, .state = state});
        if (k->call.err) test_failed(__FILE__, __LINE__, "%s: %s", text, page);
        CHECK((int32_t)k->call.result.row_count <= size);
        buf_text(&all, page);
        state = kit_state(k);
        if (restart) kit_reopen(k);
    } while (state.at && ++pages < 100);
    CHECK(pages < 100);
    CHECK_TEXT(buf_cstr(&all), want);
    buf_done(&all);
}

TEST(pages_together_are_the_whole)
{
    static const char *const texts[] = {
        "SELECT p, c, d, v FROM t",
        "SELECT p, c, d FROM t WHERE p = 2",
        "SELECT p, c, d FROM t WHERE p = 2 ORDER BY c DESC",
        "SELECT p, c, d FROM t WHERE p IN (1, 3) AND c >= 2",
        "SELECT p, c, d FROM t WHERE p IN (1, 3) AND c IN (1, 3) AND d IN (1, 2)",
        "SELECT p, c, d FROM t PER PARTITION LIMIT 4",
        "SELECT p, c, d FROM t PER PARTITION LIMIT 4 LIMIT 7",
        "SELECT p, c, d FROM t WHERE p IN (1, 2, 3) PER PARTITION LIMIT 3",
        "SELECT DISTINCT p, s FROM t",
        "SELECT p, c, count(*) FROM t GROUP BY p, c",
        "SELECT p, c, sum(w) FROM t WHERE p = 1 GROUP BY c",
        "SELECT p, c, d FROM t WHERE w = 2 ALLOW FILTERING",
        "SELECT JSON p, c FROM t WHERE p = 1",
        "SELECT p, count(*) FROM t GROUP BY p LIMIT 2",
        "SELECT p, c, count(*) FROM t GROUP BY p, c PER PARTITION LIMIT 2",
        "SELECT p, c, count(*) FROM t WHERE p IN (1, 3) GROUP BY p, c",
        "SELECT p, c, count(*) FROM t WHERE p IN (1, 3) AND c = 1 AND d IN (1, 2) GROUP BY p",
    };
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    for (uint32_t i = 0; i < COUNT_OF(texts); i++)
        for (int32_t size = 1; size <= 7; size += 2) check_pages(&k, texts[i], size, false);
    check_pages(&k, texts[0], 4, true);
    check_pages(&k, texts[9], 2, true);
    kit_close(&k);
}

TEST(pages_by_an_index_of_a_static_column_end_within_partitions)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    kit_do(&k, "CREATE INDEX by_s ON t (s)");
    kit_do(&k, "UPDATE t SET s = 'same' WHERE p = 1");
    kit_do(&k, "UPDATE t SET s = 'same' WHERE p = 3");
    for (int32_t size = 1; size <= 7; size += 2) {
        check_pages(&k, "SELECT p, c, d FROM t WHERE s = 'same'", size, false);
        check_pages(&k, "SELECT p, c FROM t WHERE s = 'same' PER PARTITION LIMIT 4", size, false);
        check_pages(&k, "SELECT p, c FROM t WHERE s = 'same' AND p = 3", size, false);
        check_pages(&k, "SELECT p, c FROM t WHERE s = 'same' AND token(p) < 0", size, false);
    }
    kit_close(&k);
}

TEST(without_statics_where_is_looked_at_before_the_selection)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE n (p int PRIMARY KEY, v int)");
    KIT_ROWS(&k, "SELECT nope FROM n WHERE p = null AND none = 1",
             "INVALID: Undefined column name none in table ks.n");
    KIT_ROWS(&k, "SELECT nope FROM n WHERE p = 1",
             "INVALID: Undefined column name nope in table ks.n");
    kit_close(&k);
}

TEST(a_paging_state_that_was_touched_is_refused)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    kit_do(&k, "CREATE TABLE u (p int PRIMARY KEY)");
    kit_execute(&k, "SELECT p, c FROM t", (struct kit_how){.page_size = 4});
    struct slice state = kit_state(&k);
    CHECK(state.at != NULL);
    CHECK_TEXT(kit_execute(&k, "SELECT p FROM u", (struct kit_how){.page_size = 4, .state = state}),
               "PROTOCOL: Invalid value for the paging state");
    for (uint32_t i = 0; i < state.len; i++) {
        uint8_t *copy = arena_take(k.arena, state.len);
        memcpy(copy, state.at, state.len);
        copy[i] ^= 0x10;
        CHECK_TEXT(
            kit_execute(&k, "SELECT p, c FROM t",
                        (struct kit_how){.page_size = 4, .state = slice_make(copy, state.len)}),
            "PROTOCOL: Invalid value for the paging state");
    }
    kit_close(&k);
}

TEST(token_relations)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    /* tokens: 1 -4069959284402364209, 2 -3248873570005575792, 3 9010454139840013625 */
    KIT_ROWS(&k, "SELECT DISTINCT p FROM t", "1;2;3;");
    KIT_ROWS(&k, "SELECT DISTINCT p FROM t WHERE token(p) > token(1)", "2;3;");
    KIT_ROWS(&k, "SELECT DISTINCT p FROM t WHERE token(p) >= -3248873570005575792 AND token(p) < 0",
             "2;");
    KIT_ROWS(&k, "SELECT DISTINCT p FROM t WHERE token(p) = token(3)", "3;");
    KIT_ROWS(&k, "SELECT DISTINCT p FROM t WHERE token(p) > 100 AND token(p) < -100", "");
    KIT_ROWS(&k, "SELECT DISTINCT p FROM t WHERE token(p) > -9223372036854775808", "1;2;3;");
    KIT_ROWS(&k, "SELECT DISTINCT p FROM t WHERE token(p) <= 9223372036854775807", "1;2;3;");
    KIT_ROWS(&k, "SELECT DISTINCT p FROM t WHERE p IN (1, 2) AND token(p) > token(1)", "2;");
    KIT_ROWS(&k, "SELECT p FROM t WHERE token(c) > 0",
             "INVALID: The token() function must be applied to all partition key components or "
             "none of them");
    kit_close(&k);
}

TEST(distinct_partitions_and_their_statics)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE s (p int, c int, s int STATIC, v int, PRIMARY KEY (p, c))");
    kit_do(&k, "INSERT INTO s (p, s) VALUES (1, 10)");
    kit_do(&k, "INSERT INTO s (p, c, v) VALUES (2, 1, 1)");
    kit_do(&k, "INSERT INTO s (p, c, v) VALUES (2, 2, 2)");
    KIT_ROWS(&k, "SELECT * FROM s", "1,null,10,null;2,1,null,1;2,2,null,2;");
    KIT_ROWS(&k, "SELECT DISTINCT p, s FROM s", "1,10;2,null;");
    KIT_ROWS(&k, "SELECT p, s FROM s WHERE p = 1", "1,10;");
    KIT_ROWS(&k, "SELECT s FROM s WHERE p = 2", "null;null;");
    KIT_ROWS(&k, "SELECT * FROM s WHERE p = 1 AND c = 1", "");
    KIT_ROWS(&k, "SELECT * FROM s WHERE p = 1 AND c > 0", "");
    KIT_ROWS(&k, "SELECT count(*) FROM s WHERE p = 1", "1;");
    KIT_ROWS(&k, "SELECT * FROM s WHERE s = 10 ALLOW FILTERING", "1,null,10,null;");
    KIT_ROWS(&k, "SELECT * FROM s WHERE v = 1 ALLOW FILTERING", "2,1,null,1;");
    KIT_ROWS(&k, "SELECT s FROM s WHERE p = 1 AND c = 1",
             "INVALID: Cannot restrict clustering columns when selecting only static columns");
    KIT_ROWS(&k, "SELECT DISTINCT p, c FROM s",
             "INVALID: SELECT DISTINCT queries must only request partition key columns and/or "
             "static columns "
             "(not c)");
    KIT_ROWS(
        &k, "SELECT DISTINCT s FROM s",
        "INVALID: SELECT DISTINCT queries must request all the partition key columns (missing p)");
    KIT_ROWS(&k, "SELECT DISTINCT p FROM s WHERE c = 1 ALLOW FILTERING",
             "INVALID: SELECT DISTINCT with WHERE clause only supports restriction by partition "
             "key and/or "
             "static columns.");
    kit_close(&k);
}

TEST(groups_and_aggregates)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    KIT_ROWS(&k, "SELECT p, c, sum(w), max(v) FROM t WHERE p = 1 GROUP BY p, c",
             "1,1,3,'v112';1,2,6,'v122';1,3,9,'v132';");
    CHECK_INT(k.call.result.warning_count, 0);
    KIT_ROWS(&k, "SELECT p, count(*) FROM t GROUP BY p", "1,6;2,6;3,6;");
    CHECK_INT(k.call.result.warning_count, 1);
    CHECK(slice_is(k.call.result.warnings[0], "Aggregation query used without partition key"));
    KIT_ROWS(&k, "SELECT count(*), min(w), max(w) FROM t WHERE p IN (1, 2)", "12,1,6;");
    CHECK(k.call.result.warning_count == 1 &&
          slice_is(k.call.result.warnings[0],
                   "Aggregation query used on multiple partition keys (IN restriction)"));
    KIT_ROWS(&k, "SELECT count(*), max(w) FROM t WHERE p = 9", "0,null;");
    KIT_ROWS(&k, "SELECT p, count(*) FROM t WHERE p = 9 GROUP BY p", "");
    KIT_ROWS(&k, "SELECT p, c, w FROM t WHERE p IN (2, 1) GROUP BY p, c ORDER BY c DESC LIMIT 3",
             "1,3,6;2,3,6;1,2,4;");
    KIT_ROWS(&k, "SELECT p FROM t GROUP BY d",
             "INVALID: Group by currently only support groups of columns following their declared "
             "order in the "
             "PRIMARY KEY");
    KIT_ROWS(
        &k, "SELECT p FROM t GROUP BY v",
        "INVALID: Group by is currently only supported on the columns of the PRIMARY KEY, got v");
    KIT_ROWS(&k, "SELECT count(*) FROM t PER PARTITION LIMIT 1",
             "INVALID: PER PARTITION LIMIT is not allowed with aggregate queries.");
    kit_close(&k);
}

TEST(filtering_needs_to_be_allowed)
{
    static const char refused[] = "INVALID: Cannot execute this query as it might involve data "
                                  "filtering and thus may have unpredictable "
                                  "performance. If you want to execute this query despite the "
                                  "performance unpredictability, use ALLOW "
                                  "FILTERING";
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    KIT_ROWS(&k, "SELECT p FROM t WHERE w = 6", refused);
    KIT_ROWS(&k, "SELECT p FROM t WHERE p = 1 AND w = 6", refused);
    KIT_ROWS(&k, "SELECT p FROM t WHERE p > 1", refused);
    KIT_ROWS(&k, "SELECT p FROM t WHERE c = 1", refused);
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE w = 6 ALLOW FILTERING", "1,3,2;2,3,2;3,3,2;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE p > 1 AND w > 4 ALLOW FILTERING", "2,3,2;3,3,2;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE d = 2 AND w IN (1, 2) ALLOW FILTERING",
             "1,1,2;2,1,2;3,1,2;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE p = 1 AND d = 2 ALLOW FILTERING",
             "1,1,2;1,2,2;1,3,2;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE c = 3 AND d = 2 ALLOW FILTERING",
             "1,3,2;2,3,2;3,3,2;");
    KIT_ROWS(&k, "SELECT p, v FROM t WHERE s = 's2' AND c = 1 ALLOW FILTERING",
             "2,'v211';2,'v212';");
    KIT_ROWS(&k, "SELECT p FROM t WHERE w = null ALLOW FILTERING",
             "INVALID: Unsupported null value for column w");
    kit_close(&k);
}

TEST(collections_are_searched)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE c (p int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, "
               "f frozen<map<text, int>>, g frozen<list<int>>)");
    kit_do(&k,
           "INSERT INTO c (p, l, s, m, f, g) VALUES (1, [3, 1, 3], {'b', 'a'}, {'x': 1, 'y': 2}, "
           "{'x': 1}, [7, 8])");
    kit_do(&k, "INSERT INTO c (p, l, s, m, f, g) VALUES (2, [4], {'c'}, {'y': 3}, {'z': 9}, [8])");
    KIT_ROWS(&k, "SELECT * FROM c WHERE p = 1",
             "1,{'x': 1},[7, 8],[3, 1, 3],{'x': 1, 'y': 2},{'a', 'b'};");
    KIT_ROWS(&k, "SELECT p FROM c WHERE l CONTAINS 4 ALLOW FILTERING", "2;");
    KIT_ROWS(&k, "SELECT p FROM c WHERE s CONTAINS 'a' ALLOW FILTERING", "1;");
    KIT_ROWS(&k, "SELECT p FROM c WHERE m CONTAINS 3 ALLOW FILTERING", "2;");
    KIT_ROWS(&k, "SELECT p FROM c WHERE m CONTAINS KEY 'y' AND m CONTAINS KEY 'x' ALLOW FILTERING",
             "1;");
    KIT_ROWS(&k, "SELECT p FROM c WHERE m['y'] = 2 ALLOW FILTERING", "1;");
    KIT_ROWS(&k, "SELECT p FROM c WHERE f CONTAINS 9 AND g CONTAINS 8 ALLOW FILTERING", "2;");
    KIT_ROWS(&k, "SELECT p FROM c WHERE f CONTAINS KEY 'x' ALLOW FILTERING", "1;");
    KIT_ROWS(&k, "SELECT p FROM c WHERE f = {'z': 9} ALLOW FILTERING", "2;");
    KIT_ROWS(&k, "SELECT p FROM c WHERE l = [4] ALLOW FILTERING",
             "INVALID: Collection column 'l' (list<int>) cannot be restricted by a '=' relation");
    KIT_ROWS(&k, "SELECT p FROM c WHERE p CONTAINS 4 ALLOW FILTERING",
             "INVALID: Cannot use CONTAINS on non-collection column p");
    KIT_ROWS(&k, "SELECT p FROM c WHERE l CONTAINS KEY 4 ALLOW FILTERING",
             "INVALID: Cannot use CONTAINS KEY on non-map column l");
    kit_close(&k);
}

TEST(what_can_not_be_restricted_is_told_in_cassandras_words)
{
    static const char *const cases[][2] = {
        {"SELECT x FROM t", "INVALID: Undefined column name x in table ks.t"},
        {"SELECT p FROM t WHERE x = 1", "INVALID: Undefined column name x in table ks.t"},
        {"SELECT p FROM nope", "INVALID: table nope does not exist"},
        {"SELECT p FROM nope.t", "INVALID: keyspace nope does not exist"},
        {"SELECT p FROM t WHERE p = 1 AND d = 1",
         "INVALID: PRIMARY KEY column \"d\" cannot be restricted as preceding column \"c\" is not "
         "restricted"},
        {"SELECT p FROM t WHERE p = 1 AND c > 1 AND d = 1",
         "INVALID: Clustering column \"d\" cannot be restricted (preceding column \"c\" is "
         "restricted by a "
         "non-EQ relation)"},
        {"SELECT p FROM t WHERE p = 1 AND d = 1 AND c > 1",
         "INVALID: PRIMARY KEY column \"d\" cannot be restricted (preceding column \"c\" is "
         "restricted by a "
         "non-EQ relation)"},
        {"SELECT p FROM t WHERE p = 1 AND p = 2",
         "INVALID: p cannot be restricted by more than one relation if it includes an Equal"},
        {"SELECT p FROM t WHERE p = 1 AND c > 1 AND c > 2",
         "INVALID: More than one restriction was found for the start bound on c"},
        {"SELECT p FROM t WHERE p = 1 AND c > 1 AND c = 2",
         "INVALID: Column \"c\" cannot be restricted by both an equality and an inequality "
         "relation"},
        {"SELECT p FROM t WHERE p = 1 AND c IN (1, 2) AND c = 2",
         "INVALID: c cannot be restricted by more than one relation if it includes a IN"},
        {"SELECT p FROM t WHERE p = 1 AND (c, d) > (1, 1) AND (d) < (3)",
         "INVALID: Column \"d\" cannot be restricted by two inequalities not starting with the "
         "same column"},
        {"SELECT p FROM t WHERE p = 1 AND (d, c) = (1, 1)",
         "INVALID: Clustering columns must appear in the PRIMARY KEY order in multi-column "
         "relations: (d, c) = "
         "(1, 1)"},
        {"SELECT p FROM t WHERE (p, c) = (1, 1)",
         "INVALID: Multi-column relations can only be applied to clustering columns but was "
         "applied to: p"},
        {"SELECT p FROM t WHERE p = 1 AND (c, d) = (1, 1, 1)",
         "INVALID: Expected 2 elements in value tuple, but got 3: (1, 1, 1)"},
        {"SELECT 'x' FROM t WHERE nope = 1", "INVALID: Undefined column name nope in table ks.t"},
        {"SELECT 'x', nope FROM t WHERE p = 1",
         "INVALID: Undefined column name nope in table ks.t"},
        {"SELECT 'x' FROM t WHERE p = 1",
         "INVALID: Cannot infer type for term 'x' in selection clause (try using a cast to force a "
         "type)"},
        {"SELECT p FROM t WHERE p = null", "INVALID: Invalid null value in condition for column p"},
        {"SELECT p FROM t WHERE p != 1", "INVALID: Unsupported \"!=\" relation: p != 1"},
        {"SELECT p FROM t WHERE v LIKE 'a%'",
         "INVALID: LIKE restriction is only supported on properly indexed columns. v LIKE 'a%' is "
         "not valid."},
    };
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) KIT_ROWS(&k, cases[i][0], cases[i][1]);
    kit_close(&k);
}

TEST(indexes_find_rows)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    kit_do(&k, "CREATE INDEX by_w ON t (w)");
    kit_do(&k, "CREATE INDEX by_v ON t (v) USING 'sai'");
    kit_do(&k, "CREATE INDEX by_d ON t (d) USING 'sai'");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE w = 6", "1,3,2;2,3,2;3,3,2;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE w = 6 AND p = 2", "2,3,2;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE v = 'v211'", "2,1,1;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE v = 'v211' AND d = 1", "2,1,1;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE v = 'v211' AND d > 1", "");
    KIT_ROWS(&k, "SELECT count(*) FROM t WHERE d >= 2", "9;");
    KIT_ROWS(&k, "SELECT p FROM t WHERE w = 6 AND v = 'v132' ALLOW FILTERING", "1;");
    KIT_ROWS(
        &k, "SELECT p FROM t WHERE w > 5",
        "INVALID: Cannot execute this query as it might involve data filtering and thus may have "
        "unpredictable performance. If you want to execute this query despite the performance "
        "unpredictability, use ALLOW FILTERING");
    KIT_ROWS(&k, "SELECT p FROM t WHERE p IN (1, 2) AND w = 6",
             "INVALID: Select on indexed columns and with IN clause for the PRIMARY KEY are not "
             "supported");
    KIT_ROWS(&k, "SELECT p FROM t WHERE p = 1 AND w = 6 ORDER BY c",
             "INVALID: ORDER BY with 2ndary indexes is not supported, except for ANN queries.");
    kit_do(&k, "UPDATE t SET w = 60 WHERE p = 2 AND c = 3 AND d = 2");
    kit_do(&k, "DELETE FROM t WHERE p = 3");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE w = 6", "1,3,2;");
    KIT_ROWS(&k, "SELECT p, c, d FROM t WHERE w = 60", "2,3,2;");
    check_pages(&k, "SELECT p, c, d FROM t WHERE d = 2", 2, false);
    check_pages(&k, "SELECT p, c, d FROM t WHERE d = 2 PER PARTITION LIMIT 2", 3, false);
    kit_close(&k);
}

TEST(what_is_selected_has_names_types_and_times)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TYPE address (street text, zip int)");
    kit_do(&k, "CREATE TABLE n (p int PRIMARY KEY, a address, f frozen<address>, m map<text, int>, "
               "\"V\" text)");
    kit_do(&k, "INSERT INTO n (p, a, f, m, \"V\") VALUES (1, {street: 'x', zip: 5}, {zip: 6}, "
               "{'k': 3}, 'v') "
               "USING TIMESTAMP 1000");
    KIT_ROWS(&k, "SELECT JSON p, \"V\", a FROM n",
             "'{\"p\": 1, \"\\\"V\\\"\": \"v\", \"a\": {\"street\": \"x\", \"zip\": 5}}';");
    CHECK(slice_is(k.call.result.metadata.columns[0].name, "[json]"));
    KIT_ROWS(&k, "SELECT a, a.zip, f.zip, m['k'], \"V\" AS w FROM n",
             "{street: 'x', zip: 5},5,6,3,'v';");
    CHECK(slice_is(k.call.result.metadata.columns[1].name, "a.zip"));
    CHECK(slice_is(k.call.result.metadata.columns[4].name, "w"));
    KIT_ROWS(&k, "SELECT writetime(\"V\"), ttl(\"V\"), p + 1, (bigint) 7 FROM n", "1000,null,2,7;");
    kit_do(&k, "DELETE a.street FROM n WHERE p = 1");
    KIT_ROWS(&k, "SELECT a FROM n", "{street: null, zip: 5};");
    KIT_ROWS(&k, "SELECT nope(p) FROM n", "INVALID: Unknown function 'nope'");
    kit_close(&k);
}

TEST(the_nodes_own_tables_are_read_the_same_way)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    KIT_ROWS(&k, "SELECT key, release_version FROM system.local WHERE key = 'local'",
             "'local','5.0.5';");
    KIT_ROWS(&k, "SELECT table_name FROM system_schema.tables WHERE keyspace_name = 'ks'", "'t';");
    KIT_ROWS(&k,
             "SELECT column_name, kind FROM system_schema.columns WHERE keyspace_name = 'ks' AND "
             "table_name = "
             "'t' AND column_name IN ('p', 's')",
             "'p','partition_key';'s','static';");
    KIT_ROWS(
        &k, "SELECT key FROM system.local WHERE cluster_name = 'Sluice'",
        "INVALID: Cannot execute this query as it might involve data filtering and thus may have "
        "unpredictable performance. If you want to execute this query despite the performance "
        "unpredictability, use ALLOW FILTERING");
    KIT_ROWS(&k, "SELECT count(*) FROM system_schema.tables WHERE keyspace_name = 'ks'", "1;");
    kit_close(&k);
}

TEST(markers_stand_for_lists_and_tuples)
{
    struct kit k;
    kit_open(&k);
    rows_of_t(&k);
    CHECK_TEXT(kit_execute(&k, "SELECT p, c FROM t WHERE p IN ? AND c = 1 AND d = ?",
                           (struct kit_how){.values = (const char *const[]){"[3, 1, 1]", "2"},
                                            .value_count = 2}),
               "1,1;3,1;");
    CHECK_TEXT(
        kit_execute(&k, "SELECT c, d FROM t WHERE p = ? AND (c, d) IN ?",
                    (struct kit_how){.values = (const char *const[]){"1", "[(3, 2), (1, 1)]"},
                                     .value_count = 2}),
        "1,1;3,2;");
    CHECK_TEXT(kit_execute(&k, "SELECT c, d FROM t WHERE p = ? AND (c, d) > ? AND c < ?",
                           (struct kit_how){.values = (const char *const[]){"1", "(1, 1)", "3"},
                                            .value_count = 3}),
               "1,2;2,1;2,2;");
    CHECK_TEXT(
        kit_execute(&k, "SELECT c FROM t WHERE p = ?",
                    (struct kit_how){.values = (const char *const[]){"?"}, .value_count = 1}),
        "INVALID: Invalid unset value for column p");
    CHECK_TEXT(
        kit_execute(&k, "SELECT c FROM t WHERE p IN ?",
                    (struct kit_how){.values = (const char *const[]){"-"}, .value_count = 1}),
        "INVALID: Invalid null value for column p");
    CHECK_TEXT(
        kit_execute(&k, "SELECT c FROM t WHERE p = ? AND c = ?",
                    (struct kit_how){.values = (const char *const[]){"1"}, .value_count = 1}),
        "INVALID: there were 2 markers(?) in CQL but 1 bound variables");
    kit_close(&k);
}
