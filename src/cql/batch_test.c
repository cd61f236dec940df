/* Batches: all or nothing, in one partition or many, with conditions; what may not stand together.
 */
#include "cql/write_kit.h"

TEST(a_batch_is_written_as_one)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int");
    wt_table(&w, "u", "k int P; v int");
    SAYS("BEGIN BATCH INSERT INTO t (k, v) VALUES (1, 1); UPDATE u SET v = 2 WHERE k = 2; "
         "DELETE FROM t WHERE k = 3; APPLY BATCH",
         "ok");
    ROWS("t", "k=1 v=1");
    ROWS("u", "k=2 v=2");
    SAYS("BEGIN BATCH USING TIMESTAMP 77 INSERT INTO t (k, v) VALUES (5, 1); INSERT INTO t (k, v) "
         "VALUES (6, null); APPLY BATCH",
         "ok");
    SAYS("DELETE FROM t WHERE k = 1", "ok");
    SAYS("DELETE FROM t WHERE k = 6", "ok");
    CHECK_TEXT(wt_cell(&w, "t", "v"), "77");
    /* One that fails: none is written. */
    SAYS("BEGIN BATCH INSERT INTO u (k, v) VALUES (9, 9); UPDATE t USING TTL -1 SET v = 1 WHERE k "
         "= 1; APPLY BATCH",
         "2200: A TTL must be greater or equal to 0, but was -1");
    ROWS("u", "k=2 v=2");
    SAYS("BEGIN BATCH APPLY BATCH", "ok");
    CHECK_TEXT(WT_BIND(&w,
                       "BEGIN BATCH INSERT INTO u (k, v) VALUES (?, ?); UPDATE u SET v = ? "
                       "WHERE k = ?; APPLY BATCH",
                       "int:7", "int:70", "int:80", "int:8"),
               "ok");
    ROWS("u", "k=8 v=80; k=2 v=2; k=7 v=70");
    wt_close(&w);
}

TEST(at_the_same_time_a_deletion_wins)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; c int C; v int");
    SAYS("BEGIN BATCH DELETE FROM t WHERE k = 1 AND c = 1; INSERT INTO t (k, c, v) VALUES (1, 1, "
         "1); APPLY BATCH",
         "ok");
    ROWS("t", "");
    SAYS("BEGIN BATCH DELETE FROM t WHERE k = 1; INSERT INTO t (k, c, v) VALUES (1, 1, 1); APPLY "
         "BATCH",
         "ok");
    ROWS("t", "");
    /* but in a conditional batch ranges are a microsecond older than rows */
    SAYS("BEGIN BATCH DELETE FROM t WHERE k = 1; INSERT INTO t (k, c, v) VALUES (1, 1, 1) IF NOT "
         "EXISTS; APPLY BATCH",
         YES);
    ROWS("t", "k=1 c=1 v=1");
    wt_close(&w);
}

TEST(messages_hold_texts_and_prepared_statements)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int");
    CHECK_TEXT(WT_BATCH(&w, BATCH_LOGGED, "INSERT INTO t (k, v) VALUES (1, 1)",
                        "=INSERT INTO ks.t (k, v) VALUES (2, 2)", "UPDATE t SET v = 3 WHERE k = 3"),
               "ok");
    ROWS("t", "k=1 v=1; k=2 v=2; k=3 v=3");
    CHECK_TEXT(WT_BATCH(&w, BATCH_LOGGED, "INSERT INTO t (k, v) VALUES (4, 4)",
                        "SELECT v FROM t WHERE k = 1"),
               "2200: Invalid statement in batch: only UPDATE, INSERT and DELETE statements are "
               "allowed.");
    CHECK_TEXT(WT_BATCH(&w, BATCH_UNLOGGED, "INSERT INTO t (k, v) VALUES (?, 4)"),
               "2200: There were 1 markers(?) in CQL but 0 bound variables");
    ROWS("t", "k=1 v=1; k=2 v=2; k=3 v=3");
    CHECK_TEXT(wt_batch(&w, BATCH_LOGGED, NULL, 0), "ok");
    wt_close(&w);
}

TEST(counters_and_others_do_not_mix)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; v int");
    wt_table(&w, "n", "k int P; n counter");
    SAYS("BEGIN COUNTER BATCH UPDATE n SET n = n + 1 WHERE k = 1; UPDATE n SET n = n + 2 WHERE k = "
         "1; APPLY BATCH",
         "ok");
    ROWS("n", "k=1 n=3");
    SAYS("BEGIN UNLOGGED BATCH UPDATE n SET n = n + 1 WHERE k = 1; APPLY BATCH", "ok");
    ROWS("n", "k=1 n=4");
    SAYS("BEGIN COUNTER BATCH INSERT INTO t (k) VALUES (1); APPLY BATCH",
         "2200: Cannot include non-counter statement in a counter batch");
    SAYS("BEGIN UNLOGGED BATCH INSERT INTO t (k) VALUES (1); UPDATE n SET n = n + 1 WHERE k = 1; "
         "APPLY BATCH",
         "2200: Counter and non-counter mutations cannot exist in the same batch");
    SAYS("BEGIN BATCH UPDATE n SET n = n + 1 WHERE k = 1; APPLY BATCH",
         "2200: Cannot include a counter statement in a logged batch");
    SAYS("BEGIN COUNTER BATCH USING TIMESTAMP 1 UPDATE n SET n = n + 1 WHERE k = 1; APPLY BATCH",
         "2200: Cannot provide custom timestamp for counter BATCH");
    SAYS("BEGIN BATCH USING TIMESTAMP 1 INSERT INTO t (k) VALUES (1) USING TIMESTAMP 2; APPLY "
         "BATCH",
         "2200: Timestamp must be set either on BATCH or individual statements");
    wt_close(&w);
}

TEST(conditional_batches_look_at_all_rows_first)
{
    struct wt w;
    wt_open(&w);
    wt_table(&w, "t", "k int P; c int C; s int S; v int");
    SAYS("BEGIN BATCH INSERT INTO t (k, c, v) VALUES (1, 1, 1) IF NOT EXISTS; INSERT INTO t (k, c, "
         "v) VALUES (1, 2, 2) IF NOT EXISTS; UPDATE t SET s = 9 WHERE k = 1; APPLY BATCH",
         YES);
    ROWS("t", "static s=9; k=1 c=1 v=1; k=1 c=2 v=2");
    SAYS(
        "BEGIN BATCH UPDATE t SET v = 20 WHERE k = 1 AND c = 2 IF v = 2; UPDATE t SET v = 10 WHERE "
        "k = 1 AND c = 1 IF v = 7; APPLY BATCH",
        NO " k=1 c=1 v=1; [applied]=false k=1 c=2 v=2");
    ROWS("t", "static s=9; k=1 c=1 v=1; k=1 c=2 v=2");
    SAYS(
        "BEGIN BATCH UPDATE t SET v = 20 WHERE k = 1 AND c = 2 IF v = 2; DELETE FROM t WHERE k = 1 "
        "AND c < 2; APPLY BATCH",
        YES);
    ROWS("t", "static s=9; k=1 c=2 v=20");
    SAYS("BEGIN BATCH UPDATE t SET v = 1 WHERE k = 1 AND c = 2 IF v = 1; INSERT INTO t (k, c) "
         "VALUES (2, 2) IF NOT EXISTS; APPLY BATCH",
         "2200: Batch with conditions cannot span multiple partitions");
    SAYS("BEGIN BATCH UPDATE t SET v = 1 WHERE k = 1 AND c = 2 IF v = 1; INSERT INTO t (k, c) "
         "VALUES (1, 2) IF NOT EXISTS; APPLY BATCH",
         "2200: Cannot mix IF conditions and IF NOT EXISTS for the same row");
    SAYS("BEGIN BATCH INSERT INTO t (k, c) VALUES (1, 2) IF NOT EXISTS; UPDATE t SET v = 1 WHERE k "
         "= 1 AND c = 2 IF EXISTS; APPLY BATCH",
         "2200: Cannot mix IF EXISTS and IF NOT EXISTS conditions for the same row");
    SAYS("BEGIN BATCH USING TIMESTAMP 5 INSERT INTO t (k, c) VALUES (1, 2) IF NOT EXISTS; APPLY "
         "BATCH",
         "2200: Cannot provide custom timestamp for conditional BATCH");
    wt_table(&w, "u", "k int P; v int");
    SAYS("BEGIN BATCH INSERT INTO t (k, c) VALUES (1, 2) IF NOT EXISTS; INSERT INTO u (k) VALUES "
         "(1); APPLY BATCH",
         "2200: Batch with conditions cannot span multiple tables");
    wt_close(&w);
}

TEST(big_batches_are_warned_of_and_refused)
{
    struct wt w;
    struct buf b = buf_make(MIB(1));
    wt_open(&w);
    wt_table(&w, "t", "k int P; v text");
    buf_text(&b, "BEGIN UNLOGGED BATCH ");
    for (int i = 0; i < 11; i++)
        buf_printf(&b, "INSERT INTO t (k, v) VALUES (%d, '%0600d'); ", i, i);
    buf_text(&b, "APPLY BATCH");
    /* 11 partitions: 29 for itself, 21 for its row, 20 and 600 for the cell, each */
    CHECK_TEXT(
        wt_run(&w, buf_cstr(&b)),
        "ok !Batch for [ks.t] is of size 7370, exceeding specified threshold of 5120 by 2250. "
        "!Unlogged batch covering 11 partitions detected against table [ks.t]. You should use "
        "a logged batch for atomicity, or asynchronous writes for performance.");
    buf_reset(&b);
    buf_text(&b, "BEGIN BATCH ");
    for (int i = 20; i < 22; i++)
        buf_printf(&b, "INSERT INTO t (k, v) VALUES (%d, '%030000d'); ", i, i);
    buf_text(&b, "APPLY BATCH");
    CHECK_TEXT(wt_run(&w, buf_cstr(&b)), "2200: Batch too large");
    CHECK(!strstr(wt_rows(&w, "t"), "k=20"));
    buf_done(&b);
    wt_table_with(&w, "g", "k int P; v int", 0, 0);
    CHECK(strstr(wt_run(&w, "BEGIN BATCH INSERT INTO g (k) VALUES (1); APPLY BATCH"),
                 "ok !Executing a LOGGED BATCH on table [ks.g], configured with a gc_grace_seconds "
                 "of 0."));
    wt_close(&w);
}
