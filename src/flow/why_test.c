/* Goal: `why` of plans with state tells what happened. Method: random records, disordered and late,
 * through streams of every kind of state, in many epochs with restarts; then every row of the table
 * is asked for and must be recomputed equal, with as many records as SQL over the log counts, and
 * the fates of all records must add up to the stream's own ledger. */
#include "flow/kit_test.h"
#include "flow/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { KEYS = 7, PARTITIONS = 2, RECORDS = 240, PARTS = 6, STEPS_MAX = 400 };
static const int64_t start_ms = 1700000000000;

static const char *const streams[] = {
    "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, sum(n) AS s FROM timed WHERE n < "
    "900 GROUP BY k",
    "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, sum(n) AS s FROM timed GROUP BY k "
    "HAVING count(*) < 34",
    "CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, sum(n) AS s "
    "FROM TUMBLE(timed, at, INTERVAL '2' SECOND) GROUP BY k, window_start",
    "CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, sum(n) AS s "
    "FROM TUMBLE(timed, at, INTERVAL '2' SECOND) GROUP BY k, window_start EMIT ON WINDOW CLOSE",
    "CREATE STREAM load INTO ks.windows AS SELECT k, window_end AS w, count(*) AS n, sum(n) AS s "
    "FROM HOP(timed, at, INTERVAL '1' SECOND, INTERVAL '3' SECOND) GROUP BY k, window_end EMIT ON "
    "WINDOW CLOSE",
    "CREATE STREAM load INTO ks.windows AS SELECT k, window_start AS w, count(*) AS n, sum(n) AS s "
    "FROM SESSION(timed, at, INTERVAL '1' SECOND) GROUP BY k, window_start",
    "CREATE STREAM load INTO ks.sums AS SELECT k, n, n AS s FROM (SELECT DISTINCT k, n FROM timed)",
    "CREATE STREAM load INTO ks.windows AS SELECT a.k AS k, a.at AS w, a.n AS n, b.n AS s FROM "
    "timed AS a LEFT JOIN timed AS b ON a.k = b.k AND b.n < a.n AND b.at BETWEEN a.at AND a.at + "
    "INTERVAL '1' SECOND",
    "CREATE STREAM load INTO ks.sums AS SELECT k, n, s FROM (SELECT k, n, n AS s, "
    "ROW_NUMBER() OVER (PARTITION BY k ORDER BY n DESC, at) AS r FROM timed) WHERE r = 1",
    "CREATE STREAM load INTO ks.sums AS SELECT upper(k) AS k, max(n) AS n, count(*) AS s FROM "
    "(SELECT k, n FROM timed UNION ALL SELECT id AS k, CAST(n AS BIGINT) AS n FROM other) GROUP BY "
    "upper(k)",
    "CREATE STREAM load INTO ks.sums AS SELECT k, count(*) AS n, sum(m) AS s FROM (SELECT k, n, "
    "count(*) AS m FROM timed GROUP BY k, n) GROUP BY k",
};

static void append_some(struct world *w, uint32_t from, uint32_t to, uint64_t *seed)
{
    for (uint32_t i = from; i < to; i++) {
        char value[160];
        int64_t at = start_ms + i * 40;
        if (test_random(seed) % 4 == 0) at -= (int64_t)(test_random(seed) % 5000);
        int k = (int)(test_random(seed) % KEYS), n = (int)(test_random(seed) % 1000);
        snprintf(value, sizeof(value), "{\"k\":\"k%d\",\"n\":%d,\"at\":%lld}", k, n, (long long)at);
        world_append_to(w, "timed", (int32_t)(test_random(seed) % PARTITIONS), "", value, at);
        if (i % 5) continue;
        snprintf(value, sizeof(value), "{\"id\":\"k%d\",\"n\":%d}", k, n);
        world_append_to(w, "other", 0, "", value, at);
    }
}

static void run_part(struct world *w, const char *sql)
{
    struct diag d = {0};
    world_flow_again(w);
    world_stream(w, sql);
    CHECK_OK(flow_start(w->flow, &d), &d);
    CHECK_OK(flow_drain(w->flow, 30000, &d), &d);
    flow_stop(w->flow);
}

/* --- what is told -------------------------------------------------------------------------------
 */

struct told {
    char verdict[400], row[400];
    uint64_t records, late, duplicates, filtered, held, applied, dead, effects, none;
};

static err_t on_step(void *ctx, const struct why_step *s)
{
    struct told *t = ctx;
    char text[400];
    snprintf(text, sizeof(text), "%.*s", SLICE_ARG(s->text));
    if (!strcmp(s->step, "verdict")) snprintf(t->verdict, sizeof(t->verdict), "%s", text);
    if (!strcmp(s->step, "row")) snprintf(t->row, sizeof(t->row), "%s", text);
    if (!strcmp(s->step, "records") && s->how == WHY_RECOMPUTED)
        t->records += strtoull(text, NULL, 10);
    t->late += !strcmp(s->step, "late");
    t->duplicates += !strcmp(s->step, "duplicate");
    t->filtered += !strcmp(s->step, "filtered");
    t->held += !strcmp(s->step, "held");
    t->applied += !strcmp(s->step, "applied");
    t->dead += !strcmp(s->step, "dead");
    t->effects += !strcmp(s->step, "effect");
    t->none += !strcmp(s->step, "no row");
    return ERR_OK;
}

/* Every row of the table, asked for by its key. */
static uint64_t ask_rows(struct world *w, const char *table, uint32_t key_count, uint64_t *records)
{
    const struct store_table *t = store_table_find(w->store, SLICE("ks"), slice_of(table));
    struct arena *a = arena_new(MIB(64));
    struct store_scan *scan = NULL;
    struct diag d = {0};
    uint16_t ids[16];
    uint64_t rows = 0;
    CHECK(t && t->column_count < COUNT_OF(ids));
    for (uint32_t i = 0; i < t->column_count; i++) ids[i] = t->columns[i].id;
    struct store_scan_options o = {
        .table = t, .column_ids = ids, .column_count = t->column_count, .with_lineage = true};
    CHECK_OK(store_scan_open(w->store, NULL, &o, &scan, &d), &d);
    for (;;) {
        struct column_batch b = {.arena = a};
        struct told told = {.records = 0};
        struct why_options options = {.ctx = &told, .each = on_step, .records = 2};
        struct why_row row = {.table = t, .key_count = key_count};
        struct value key[4];
        arena_reset(a);
        CHECK_OK(store_scan_next(scan, 1, &b, &row.lineage, &d), &d);
        if (!b.rows) break;
        for (uint32_t i = 0; i < key_count; i++) column_get(&b.columns[i], 0, &key[i]);
        row.key = key;
        row.row = b.columns;
        CHECK_OK(flow_why_row(w->flow, &row, &options, &d), &d);
        if (strcmp(told.verdict, "equal to the row that is stored"))
            printf("%s: %s\n", told.row, told.verdict);
        CHECK(!strcmp(told.verdict, "equal to the row that is stored"));
        CHECK(told.records > 0);
        *records += told.records;
        rows++;
    }
    store_scan_close(scan);
    arena_free(a);
    return rows;
}

/* Every record's fate, added up. */
static void ask_records(struct world *w, const char *topic, struct told *all)
{
    struct log_topic *t = log_topic_find(w->log, slice_of(topic));
    struct why_options options = {.ctx = all, .each = on_step};
    for (int32_t p = 0; p < log_topic_partitions(t); p++)
        for (int64_t at = 0; at < log_end_offset(log_partition(t, p)); at++) {
            struct diag d = {0};
            CHECK_OK(flow_why_record(w->flow, slice_of(topic), p, at, &options, &d), &d);
        }
}

static void check_stream(const char *sql, uint64_t seed)
{
    struct world w = {.log = NULL};
    struct told all = {.records = 0};
    uint64_t records = 0;
    bool windows = strstr(sql, "ks.windows") != NULL, other = strstr(sql, "FROM other") != NULL;
    char dir[300];
    snprintf(dir, sizeof(dir), "%s/%d", test_dir(), (int)seed);
    CHECK_INT(mkdir(dir, 0700), 0);
    world_open(&w, dir, 1);
    world_topic(&w, "timed", PARTITIONS);
    world_topic(&w, "other", 1);
    for (uint32_t i = 0; i < PARTS; i++) {
        append_some(&w, i * RECORDS / PARTS, (i + 1) * RECORDS / PARTS, &seed);
        run_part(&w, sql);
    }
    uint64_t rows = ask_rows(&w, windows ? "windows" : "sums", windows ? 2 : 1, &records);
    CHECK(rows > 0);
    ask_records(&w, "timed", &all);
    if (other) ask_records(&w, "other", &all);
    struct ledger l = world_status(&w, "load").ledger;
    CHECK_INT(all.late, l.late);
    CHECK_INT(all.duplicates, l.deduplicated);
    CHECK_INT(all.held, l.held);
    CHECK_INT(all.filtered, l.filtered);
    CHECK_INT(all.dead, 0);
    CHECK_INT(all.applied, l.applied);
    CHECK(all.effects > 0);
    world_close(&w);
}

TEST(every_row_is_explained_and_every_record_has_its_fate)
{
    for (uint32_t i = 0; i < COUNT_OF(streams); i++) {
        printf("%s\n", streams[i]);
        check_stream(streams[i], 11 + i);
    }
}
