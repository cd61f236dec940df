/* Which rows UPDATE and DELETE are about: what stands afterwards, against all rows looked at one by
 * one; and what is refused. */
#include "cql/write_kit.h"

static void fill(struct wt *w, const char *table, int a, int b)
{
    char text[200];
    for (int i = 0; i < a; i++)
        for (int j = 0; j < b; j++) {
            (void)snprintf(text, sizeof text, "INSERT INTO %s (k, a, b) VALUES (1, %d, %d)", table,
                           i, j);
            CHECK_TEXT(wt_run(w, text), "ok");
        }
}

/* "00 01 12": a and b of the rows there are, in ascending order of both. */
static const char *left(struct wt *w, const char *table, int a, int b)
{
    static char out[512];
    char needle[32];
    const char *rows = wt_rows(w, table);
    size_t n = 0;
    out[0] = 0;
    for (int i = 0; i < a; i++)
        for (int j = 0; j < b; j++) {
            (void)snprintf(needle, sizeof needle, "a=%d b=%d", i, j);
            if (strstr(rows, needle))
                n += (size_t)snprintf(out + n, sizeof out - n, "%s%d%d", n ? " " : "", i, j);
        }
    return out;
}

static bool holds(const char *op, int order)
{
    if (!strcmp(op, ">")) return order > 0;
    if (!strcmp(op, ">=")) return order >= 0;
    if (!strcmp(op, "<")) return order < 0;
    return order <= 0;
}

/* Every slice by tuples over a 3 x 3 partition, in each of the four clustering orders. */
TEST(slices_of_tuples_delete_what_comparing_each_row_says)
{
    static const char *const tables[] = {"k int P; a int C; b int C", "k int P; a int CD; b int C",
                                         "k int P; a int C; b int CD",
                                         "k int P; a int CD; b int CD"};
    static const char *const lows[] = {">", ">="}, *const highs[] = {"<", "<="};
    struct wt w;
    wt_open(&w);
    for (int o = 0; o < 4; o++) {
        char name[8], text[200], expect[512];
        (void)snprintf(name, sizeof name, "t%d", o);
        wt_table(&w, name, tables[o]);
        for (int round = 0; round < 24; round++) {
            const char *low = lows[round & 1], *high = highs[(round >> 1) & 1];
            int la = round % 3, lb = (round / 3) % 3, ha = (round / 2) % 3, hb = (round / 5) % 3;
            bool short_high = round % 4 == 3;
            fill(&w, name, 3, 3);
            (void)snprintf(text, sizeof text,
                           short_high
                               ? "DELETE FROM %s WHERE k = 1 AND (a, b) %s (%d, %d) AND a %s %d"
                               : "DELETE FROM %s WHERE k = 1 AND (a, b) %s (%d, %d) AND (a, b) %s "
                                 "(%d, %d)",
                           name, low, la, lb, high, ha, hb);
            SAYS(text, "ok");
            size_t n = 0;
            expect[0] = 0;
            for (int i = 0; i < 3; i++)
                for (int j = 0; j < 3; j++) {
                    int to_low = i != la ? i - la : j - lb;
                    int to_high = i != ha ? i - ha : short_high ? 0 : j - hb;
                    if (holds(low, to_low) && holds(high, to_high)) continue;
                    n += (size_t)snprintf(expect + n, sizeof expect - n, "%s%d%d", n ? " " : "", i,
                                          j);
                }
            if (strcmp(left(&w, name, 3, 3), expect) != 0)
                test_failed(__FILE__, __LINE__, "%s (order %d) leaves '%s', not '%s'", text, o,
                            left(&w, name, 3, 3), expect);
        }
    }
    wt_close(&w);
}

TEST(in_names_several_rows_and_partitions)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; a int C; b int C; v int");
    SAYS("UPDATE t SET v = 1 WHERE k IN (1, 2) AND a = 0 AND b IN (3, 4, 3)", "ok");
    ROWS("t", "k=1 a=0 b=3 v=1; k=1 a=0 b=4 v=1; k=2 a=0 b=3 v=1; k=2 a=0 b=4 v=1");
    SAYS("DELETE FROM t WHERE k IN (1, 2) AND (a, b) IN ((0, 3), (9, 9))", "ok");
    ROWS("t", "k=1 a=0 b=4 v=1; k=2 a=0 b=4 v=1");
    SAYS("DELETE v FROM t WHERE k = 1 AND (a, b) = (0, 4)", "ok");
    ROWS("t", "k=2 a=0 b=4 v=1");
    SAYS("DELETE FROM t WHERE k IN ()", "ok");
    SAYS("UPDATE t SET v = 1 WHERE k = 1 AND a = 1 AND b IN ()", "ok");
    ROWS("t", "k=2 a=0 b=4 v=1");
    SAYS("DELETE FROM t WHERE k IN (1, 2)", "ok");
    ROWS("t", "");
    wt_close(&w);
}

TEST(parts_of_a_partition_are_deleted)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; a int C; b int C");
    fill(&w, "t", 3, 3);
    SAYS("DELETE FROM t WHERE k = 1 AND a = 1", "ok");
    CHECK_TEXT(left(&w, "t", 3, 3), "00 01 02 20 21 22");
    SAYS("DELETE FROM t WHERE k = 1 AND a = 2 AND b > 0", "ok");
    CHECK_TEXT(left(&w, "t", 3, 3), "00 01 02 20");
    SAYS("DELETE FROM t WHERE k = 1 AND a IN (0, 2) AND b < 1", "ok");
    CHECK_TEXT(left(&w, "t", 3, 3), "01 02");
    SAYS("DELETE FROM t WHERE k = 1 AND a > 5 AND a < 2", "ok"); /* nothing is between */
    SAYS("DELETE FROM t WHERE k = 1 AND a > 0 AND a < 0", "ok");
    CHECK_TEXT(left(&w, "t", 3, 3), "01 02");
    SAYS("DELETE FROM t WHERE k = 1", "ok");
    CHECK_TEXT(left(&w, "t", 3, 3), "");
    wt_close(&w);
}

TEST(where_clauses_that_do_not_fit_are_refused_in_cassandras_words)
{
    static const struct {
        const char *text, *says;
    } all[] = {
        {"UPDATE t SET v = 1 WHERE k = 1 AND a = 1", "2200: Some clustering keys are missing: b"},
        {"UPDATE t SET v = 1 WHERE a = 1 AND b = 1",
         "2200: Some partition key parts are missing: k"},
        {"UPDATE t SET v = 1 WHERE k > 1 AND a = 1 AND b = 1",
         "2200: Only EQ and IN relation are supported on the partition key (unless you use the "
         "token() function) for UPDATE statements"},
        {"DELETE FROM t WHERE token(k) > 1",
         "2200: The token function cannot be used in WHERE clauses for DELETE statements"},
        {"UPDATE t SET v = 1 WHERE k = 1 AND a = 1 AND b > 1",
         "2200: Slice restrictions are not supported on the clustering columns in UPDATE "
         "statements"},
        {"DELETE FROM t WHERE k = 1 AND b = 1",
         "2200: PRIMARY KEY column \"b\" cannot be restricted as preceding column \"a\" is not "
         "restricted"},
        {"DELETE FROM t WHERE k = 1 AND a > 1 AND b = 1",
         "2200: Clustering column \"b\" cannot be restricted (preceding column \"a\" is restricted "
         "by a non-EQ relation)"},
        {"DELETE FROM t WHERE k = 1 AND b = 1 AND a > 1",
         "2200: PRIMARY KEY column \"b\" cannot be restricted (preceding column \"a\" is "
         "restricted "
         "by a non-EQ relation)"},
        {"DELETE FROM t WHERE k = 1 AND a = 1 AND a = 2",
         "2200: a cannot be restricted by more than one relation if it includes an Equal"},
        {"DELETE FROM t WHERE k = 1 AND a > 1 AND a = 2",
         "2200: Column \"a\" cannot be restricted by both an equality and an inequality relation"},
        {"DELETE FROM t WHERE k = 1 AND a > 1 AND a > 2",
         "2200: More than one restriction was found for the start bound on a"},
        {"DELETE FROM t WHERE k = 1 AND v = 1",
         "2200: Non PRIMARY KEY columns found in where clause: v "},
        {"UPDATE t SET v = 1 WHERE k = 1 AND a = 1 AND b = 1 AND m CONTAINS 1",
         "2200: Cannot use UPDATE with CONTAINS"},
        {"DELETE v FROM t WHERE k = 1 AND a = 1",
         "2200: Range deletions are not supported for specific columns"},
        {"DELETE v FROM t WHERE k = 1",
         "2200: Range deletions are not supported for specific columns"},
        {"DELETE FROM t WHERE k = 1 AND (b, a) = (1, 1)",
         "2200: Clustering columns must appear in the PRIMARY KEY order in multi-column relations: "
         "(b, a) = (1, 1)"},
        {"DELETE FROM t WHERE k = 1 AND (a, b) = (1, 1, 1)",
         "2200: Expected 2 elements in value tuple, but got 3: (1, 1, 1)"},
        {"DELETE FROM t WHERE k = 1 AND (k, a) = (1, 1)",
         "2200: Multi-column relations can only be applied to clustering columns but was applied "
         "to: k"},
    };
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; a int C; b int C; v int; m set<int>");
    for (size_t i = 0; i < COUNT_OF(all); i++) SAYS(all[i].text, all[i].says);
    wt_close(&w);
}
