/* Prepared statements: their ids, what a change of the schema does to them, eviction, and many
 * threads at once. */
#include "base/hash.h"
#include "cql/cql_kit.h"
#include <stdatomic.h>
#include <stdio.h>

static struct kit_prepared {
    uint8_t id[16];
    uint32_t markers, keys;
    uint16_t key_markers[4];
    uint8_t result_id[16];
} prepare(struct kit *k, const char *text)
{
    struct kit_prepared out = {.markers = UINT32_MAX};
    struct cql_call c = {
        .session = &k->session,
        .arena = k->arena,
        .verb = CALL_PREPARE,
        .text = slice_of(text),
        .params = {.consistency = CQL_ONE, .timestamp = INT64_MIN, .now_s = INT64_MIN}};
    err_t e = cql_run_wait(&c);
    CHECK_OK(e, &c.diag);
    if (!e) {
        const struct cql_prepared *p = &c.result.prepared;
        memcpy(out.id, p->id, sizeof out.id);
        memcpy(out.result_id, p->result.id, sizeof out.result_id);
        out.markers = p->marker_count;
        out.keys = p->key_count;
        for (uint32_t i = 0; i < MIN(p->key_count, 4U); i++) out.key_markers[i] = p->key_markers[i];
    }
    cql_call_done(&c);
    return out;
}

static err_t execute(struct kit *k, struct arena *a, const uint8_t id[16], int32_t key,
                     uint32_t *rows, struct diag *d)
{
    uint8_t bytes[4] = {(uint8_t)(key >> 24), (uint8_t)(key >> 16), (uint8_t)(key >> 8),
                        (uint8_t)key};
    struct cql_value v = {slice_make(bytes, 4), CQL_SET};
    struct cql_session s = k->session;
    struct cql_call c = {.session = &s,
                         .arena = a,
                         .verb = CALL_EXECUTE,
                         .id = slice_make(id, 16),
                         .params = {.values = &v,
                                    .value_count = 1,
                                    .consistency = CQL_ONE,
                                    .timestamp = INT64_MIN,
                                    .now_s = INT64_MIN}};
    err_t e = cql_run_wait(&c);
    *rows = c.result.row_count;
    if (d) *d = c.diag;
    cql_call_done(&c);
    return e;
}

TEST(ids_are_those_that_cassandra_computes)
{
    struct kit k;
    uint8_t want[16];
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int, b int, c int, PRIMARY KEY ((a, b), c))");
    struct kit_prepared p = prepare(&k, "SELECT c FROM t WHERE b = ? AND a = ? AND c > ?");
    digest_md5(SLICE("ksSELECT c FROM t WHERE b = ? AND a = ? AND c > ?"), want);
    CHECK(memcmp(p.id, want, 16) == 0);
    CHECK_INT(p.markers, 3);
    CHECK_INT(p.keys, 2);
    CHECK_INT(p.key_markers[0], 1);
    CHECK_INT(p.key_markers[1], 0);
    p = prepare(&k, "SELECT c FROM ks.t WHERE a = ? AND b = 1");
    digest_md5(SLICE("SELECT c FROM ks.t WHERE a = ? AND b = 1"), want);
    CHECK(memcmp(p.id, want, 16) == 0);
    CHECK_INT(p.keys, 0); /* b has no marker */
    kit_close(&k);
}

TEST(markers_are_named_as_cassandra_names_them)
{
    static const char *const cases[][2] = {
        {"SELECT a FROM t WHERE a IN ? AND b = ? LIMIT ?",
         "in(a) frozen<list<int>>,b int,[limit] int,"},
        {"SELECT a FROM t WHERE a = :x AND b = ? AND (c, d) IN ?",
         "x int,b int,in(c,d) frozen<list<frozen<tuple<int, int>>>>,"},
        {"SELECT a FROM t WHERE a = 1 AND b = 1 AND (c, d) > ? PER PARTITION LIMIT ?",
         "(c,d) frozen<tuple<int, int>>,[per_partition_limit] int,"},
        {"SELECT a FROM t WHERE token(a, b) > ? AND m CONTAINS KEY ? AND m[?] = ? ALLOW FILTERING",
         "partition key token bigint,key(m) text,key(m) text,value(m) int,"},
    };
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int, b int, c int, d int, m map<text, int>, PRIMARY KEY ((a, b), "
               "c, d))");
    for (uint32_t i = 0; i < COUNT_OF(cases); i++) {
        struct cql_call c = {
            .session = &k.session,
            .arena = k.arena,
            .verb = CALL_PREPARE,
            .text = slice_of(cases[i][0]),
            .params = {.consistency = CQL_ONE, .timestamp = INT64_MIN, .now_s = INT64_MIN}};
        struct buf b = buf_make(KIB(4));
        CHECK_OK(cql_run_wait(&c), &c.diag);
        for (uint32_t m = 0; m < c.result.prepared.marker_count; m++) {
            buf_printf(&b, "%.*s ", SLICE_ARG(c.result.prepared.markers[m].name));
            cql_type_put(&b, c.result.prepared.markers[m].type);
            buf_char(&b, ',');
        }
        CHECK_TEXT(buf_cstr(&b), cases[i][1]);
        buf_done(&b);
        cql_call_done(&c);
    }
    kit_close(&k);
}

TEST(a_statement_is_forgotten_when_its_table_changes)
{
    struct kit k;
    struct diag d = {0};
    uint32_t rows;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int PRIMARY KEY, b int)");
    kit_do(&k, "CREATE TABLE u (a int PRIMARY KEY, b int)");
    kit_do(&k, "INSERT INTO t (a, b) VALUES (1, 1)");
    struct kit_prepared t = prepare(&k, "SELECT * FROM ks.t WHERE a = ?"),
                        u = prepare(&k, "SELECT * FROM ks.u WHERE a = ?");
    CHECK_OK(execute(&k, k.arena, t.id, 1, &rows, &d), &d);
    CHECK_INT(rows, 1);
    kit_do(&k, "ALTER TABLE t ADD c int");
    CHECK_INT(execute(&k, k.arena, t.id, 1, &rows, &d), ERR_UNPREPARED);
    CHECK(strncmp(d.what, "Prepared query with ID ", 23) == 0);
    CHECK_OK(execute(&k, k.arena, u.id, 1, &rows, &d), &d);
    struct kit_prepared again = prepare(&k, "SELECT * FROM ks.t WHERE a = ?");
    CHECK(memcmp(again.id, t.id, 16) == 0);               /* the same statement … */
    CHECK(memcmp(again.result_id, t.result_id, 16) != 0); /* … of other columns */
    CHECK_OK(execute(&k, k.arena, t.id, 1, &rows, &d), &d);
    kit_do(&k, "DROP TABLE u");
    CHECK_INT(execute(&k, k.arena, u.id, 1, &rows, &d), ERR_UNPREPARED);
    kit_close(&k);
}

/* Whoever changed it: nobody told the engine. */
TEST(a_change_that_nobody_told_is_found_too)
{
    struct kit k;
    struct diag d = {0};
    uint32_t rows;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int PRIMARY KEY, b int)");
    struct kit_prepared t = prepare(&k, "SELECT * FROM ks.t WHERE a = ?");
    CHECK_OK(execute(&k, k.arena, t.id, 1, &rows, &d), &d);
    CHECK_OK(store_table_truncate(k.store, SLICE("ks"), SLICE("t"), &d), &d);
    err_t e =
        execute(&k, k.arena, t.id, 1, &rows, &d); /* truncated: another prefix, another value */
    CHECK(e == ERR_OK || e == ERR_UNPREPARED);
    CHECK_OK(store_table_drop(k.store, SLICE("ks"), SLICE("t"), &d), &d);
    CHECK_INT(execute(&k, k.arena, t.id, 1, &rows, &d), ERR_UNPREPARED);
    kit_close(&k);
}

TEST(metadata_that_the_client_does_not_know_is_told)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int PRIMARY KEY, b int)");
    struct kit_prepared p = prepare(&k, "SELECT * FROM ks.t");
    for (int known = 0; known < 2; known++) {
        uint8_t other[16] = {1};
        struct cql_call c = {
            .session = &k.session,
            .arena = k.arena,
            .verb = CALL_EXECUTE,
            .id = slice_make(p.id, 16),
            .result_id = slice_make(known ? p.result_id : other, 16),
            .params = {.consistency = CQL_ONE, .timestamp = INT64_MIN, .now_s = INT64_MIN}};
        CHECK_OK(cql_run_wait(&c), &c.diag);
        CHECK_INT(c.result.metadata_changed, !known);
        cql_call_done(&c);
    }
    kit_close(&k);
}

TEST(values_by_name_find_their_markers)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int PRIMARY KEY, b int)");
    kit_do(&k, "INSERT INTO t (a, b) VALUES (7, 8)");
    uint8_t seven[4] = {0, 0, 0, 7};
    struct cql_value v[2] = {{.state = CQL_NULL}, {slice_make(seven, 4), CQL_SET}};
    struct slice names[2] = {SLICE("other"), SLICE("a")};
    struct cql_call c = {.session = &k.session,
                         .arena = k.arena,
                         .text = SLICE("SELECT b FROM t WHERE a = ?"),
                         .params = {.values = v,
                                    .names = names,
                                    .value_count = 2,
                                    .consistency = CQL_ONE,
                                    .timestamp = INT64_MIN,
                                    .now_s = INT64_MIN}};
    CHECK_OK(cql_run_wait(&c), &c.diag);
    CHECK_INT(c.result.row_count, 1);
    cql_call_done(&c);
    c.params.names = NULL;
    CHECK_INT(cql_run_wait(&c), ERR_INVALID);
    CHECK_TEXT(c.diag.what, "Invalid amount of bind variables");
    cql_call_done(&c);
    kit_close(&k);
}

TEST(statements_that_nobody_asks_for_make_room)
{
    struct kit k;
    struct diag d = {0};
    uint32_t rows;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int PRIMARY KEY, b int)");
    struct kit_prepared used = prepare(&k, "SELECT * FROM ks.t WHERE a = ?"),
                        idle = prepare(&k, "SELECT a FROM ks.t WHERE a = ?");
    char *text = arena_take(k.arena, 64 << 10);
    struct arena *a = arena_new(MIB(1));
    for (int i = 0; i < 700; i++) { /* of 64 KB each: more than fit */
        int len = snprintf(text, 100, "SELECT a, b FROM ks.t WHERE a = ? /* %d", i);
        memset(text + len, 'x', (size_t)(60000 - len));
        snprintf(text + 60000, 8, " */");
        arena_reset(k.call_arena);
        struct kit kk = k;
        kk.arena = k.call_arena;
        prepare(&kk, text);
        arena_reset(a);
        CHECK_OK(execute(&k, a, used.id, 1, &rows, &d), &d);
    }
    struct buf m = buf_make(MIB(1));
    cql_metrics(k.cql, &m);
    const char *bytes = strstr(buf_cstr(&m), "\nsluice_cql_prepared_bytes ");
    long long held = 0;
    CHECK(bytes && sscanf(bytes, "\nsluice_cql_prepared_bytes %lld", &held) == 1);
    CHECK(held > CQL_PREPARED_BYTES_MAX / 2 && held <= CQL_PREPARED_BYTES_MAX);
    buf_done(&m);
    CHECK_INT(execute(&k, a, idle.id, 1, &rows, &d), ERR_UNPREPARED);
    arena_free(a);
    kit_close(&k);
}

/* --- many at once
 * ------------------------------------------------------------------------------------ */

enum { CROWD = 4, CROWD_ROUNDS = 400, CROWD_TEXTS = 23 };
struct crowd {
    struct kit *k;
    uint64_t seed;
    uint32_t executed, unprepared, wrong;
};

static void crowd_text(char *out, size_t size, uint32_t n)
{
    snprintf(out, size, "SELECT a, b FROM ks.t WHERE a = ? /* %u */", n % CROWD_TEXTS);
}

static void crowd_run(void *arg)
{
    struct crowd *c = arg;
    struct arena *a = arena_new(MIB(8));
    struct kit own = *c->k;
    own.arena = a;
    for (int i = 0; i < CROWD_ROUNDS; i++) {
        char text[80];
        uint8_t id[16];
        uint32_t rows = 0;
        arena_reset(a);
        crowd_text(text, sizeof text, (uint32_t)test_random(&c->seed));
        digest_md5(slice_of(text), id);
        err_t e = execute(&own, a, id, 1, &rows, NULL);
        if (e == ERR_UNPREPARED) {
            c->unprepared++;
            arena_reset(a);
            struct cql_session s = own.session;
            struct cql_call call = {
                .session = &s,
                .arena = a,
                .verb = CALL_PREPARE,
                .text = slice_of(text),
                .params = {.consistency = CQL_ONE, .timestamp = INT64_MIN, .now_s = INT64_MIN}};
            err_t prepared = cql_run_wait(&call);
            c->wrong += prepared != ERR_OK;
            cql_call_done(&call);
        } else {
            c->executed++;
            c->wrong += e != ERR_OK || rows != 1;
        }
    }
    arena_free(a);
}

TEST(many_threads_prepare_execute_and_forget)
{
    struct kit k;
    struct thread threads[CROWD] = {0};
    struct crowd crowd[CROWD];
    struct diag d = {0};
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int PRIMARY KEY, b int)");
    kit_do(&k, "INSERT INTO t (a, b) VALUES (1, 1)");
    for (uint32_t i = 0; i < CROWD; i++) {
        crowd[i] = (struct crowd){.k = &k, .seed = i + 1};
        CHECK_OK(thread_start(&threads[i], "crowd", crowd_run, &crowd[i], &d), &d);
    }
    struct cql_schema_change change = {"UPDATED", "TABLE", SLICE("ks"), SLICE("t")};
    for (int i = 0; i < 60; i++) {
        cql_schema_changed(k.cql, &change); /* forgets all of them */
        struct timespec nap = {0, 1000000};
        nanosleep(&nap, NULL);
    }
    uint32_t executed = 0, unprepared = 0, wrong = 0;
    for (uint32_t i = 0; i < CROWD; i++) {
        thread_join(&threads[i]);
        executed += crowd[i].executed;
        unprepared += crowd[i].unprepared;
        wrong += crowd[i].wrong;
    }
    CHECK_INT(wrong, 0);
    CHECK(executed > CROWD * CROWD_ROUNDS / 4);
    CHECK(unprepared >= CROWD_TEXTS);
    kit_close(&k);
}

/* --- long ones
 * --------------------------------------------------------------------------------------- */

enum { LONG_ROWS = 1500, LONG_CALLS = 40 };

static void rows_of_long(struct kit *k)
{
    kit_do(k, "CREATE TABLE t (a int, b int, c text, PRIMARY KEY (a, b))");
    for (int i = 0; i < LONG_ROWS; i++) {
        char text[80];
        snprintf(text, sizeof text, "INSERT INTO t (a, b, c) VALUES (%d, %d, 'x')", i % 5, i);
        kit_do(k, text);
    }
}

TEST(long_statements_go_on_elsewhere)
{
    struct kit k;
    kit_open(&k);
    rows_of_long(&k);
    KIT_ROWS(&k, "SELECT count(*) FROM t", "1500;");
    struct buf m = buf_make(MIB(1));
    cql_metrics(k.cql, &m);
    CHECK(strstr(buf_cstr(&m), "sluice_cql_worker_turns_total 0\n") == NULL);
    buf_done(&m);
    kit_close(&k);
}

static void count_done(struct cql_call *c)
{
    atomic_fetch_add((_Atomic uint32_t *)c->ctx, 1);
}

TEST(long_statements_end_when_the_engine_does)
{
    struct kit k;
    static struct cql_call calls[LONG_CALLS];
    _Atomic uint32_t done = 0;
    uint32_t stopped = 0;
    kit_open(&k);
    rows_of_long(&k);
    for (uint32_t i = 0; i < LONG_CALLS; i++) {
        calls[i] = (struct cql_call){
            .session = &k.session,
            .arena = arena_new(CQL_CALL_BYTES_MAX),
            .text = SLICE("SELECT a, count(*) FROM t WHERE b >= 0 GROUP BY a ALLOW FILTERING"),
            .done = count_done,
            .ctx = &done,
            .params = {.consistency = CQL_ONE, .timestamp = INT64_MIN, .now_s = INT64_MIN}};
        cql_run(&calls[i]);
    }
    cql_stop(k.cql);
    CHECK_INT(atomic_load(&done), LONG_CALLS); /* each of them, once */
    for (uint32_t i = 0; i < LONG_CALLS; i++) {
        CHECK(calls[i].err == ERR_OK || calls[i].err == ERR_STOPPED);
        stopped += calls[i].err == ERR_STOPPED;
        cql_call_done(&calls[i]);
        arena_free(calls[i].arena);
    }
    CHECK(stopped > 0);
    kit_close(&k);
}

TEST(traces_are_kept)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (a int PRIMARY KEY)");
    struct cql_call c = {
        .session = &k.session,
        .arena = k.arena,
        .text = SLICE("SELECT * FROM t WHERE a = 1"),
        .tracing = true,
        .params = {.consistency = CQL_ONE, .timestamp = INT64_MIN, .now_s = INT64_MIN}};
    CHECK_OK(cql_run_wait(&c), &c.diag);
    CHECK(c.result.has_trace);
    struct uuid id;
    char text[37], ask[200];
    memcpy(id.at, c.result.trace_id, 16);
    uuid_print(id, text);
    CHECK_INT(uuid_version(id), 1);
    cql_call_done(&c);
    snprintf(ask, sizeof ask,
             "SELECT command, request FROM system_traces.sessions WHERE session_id = %s", text);
    KIT_ROWS(&k, ask, "'QUERY','Execute CQL3 query';");
    snprintf(ask, sizeof ask, "SELECT activity FROM system_traces.events WHERE session_id = %s",
             text);
    KIT_ROWS(&k, ask,
             "'Parsing SELECT * FROM t WHERE a = 1';'Executing single-partition query on t';'Read "
             "0 live rows';");
    kit_close(&k);
}
