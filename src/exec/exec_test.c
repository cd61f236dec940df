/* Goal: a statement means what it says against a real log and store; what is declared is checked;
 * answers are rendered as people and scripts expect. Method: a world in a directory of the test's.
 */
#include "cql/cql.h"
#include "exec/render.h"

#include "test.h"

#include <stdio.h>

struct fixture {
    struct exec_world world;
    struct exec_session session;
    struct buf out;
};

static bool set_up(struct fixture *f)
{
    char dir[300];
    struct diag d;
    *f = (struct fixture){.out = buf_make(MIB(1))};
    snprintf(dir, sizeof(dir), "%s/log", test_dir());
    CHECK_OK(log_open(&(struct log_options){.dir = dir, .disk_keep_free = 1}, 1, &f->world.log, &d),
             &d);
    snprintf(dir, sizeof(dir), "%s/store", test_dir());
    CHECK_OK(store_open(&(struct store_options){.dir = dir}, &f->world.store, &d), &d);
    if (!f->world.log || !f->world.store) return false;
    CHECK_OK(catalog_new(f->world.store, f->world.log, &f->world.catalog), NULL);
    CHECK_OK(cql_open(&(struct cql_options){.store = f->world.store, .log = f->world.log},
                      &f->world.cql, &d),
             &d);
    f->session = (struct exec_session){.world = &f->world, .dialect = DIALECT_SLUICE};
    return f->world.catalog != NULL;
}

static void tear_down(struct fixture *f)
{
    catalog_free(f->world.catalog);
    if (f->world.cql) cql_close(f->world.cql);
    if (f->world.store) store_close(f->world.store);
    if (f->world.log) log_close(f->world.log);
    buf_done(&f->out);
}

static err_t keep(void *ctx, struct slice text)
{
    buf_slice(ctx, text);
    return ERR_OK;
}

/* Runs the text; what it prints stands in f->out. */
static err_t run(struct fixture *f, enum render_format format, const char *text, struct diag *d)
{
    struct render r;
    struct query_limits limits = {.now_ms = 1700000000000};
    buf_reset(&f->out);
    err_t e = render_init(&r, format, keep, &f->out);
    struct exec_sink sink = render_sink(&r);
    if (!e) e = exec_run(&f->session, slice_of(text), &limits, &sink, d);
    if (!e) e = render_end(&r);
    render_done(&r);
    return e;
}

static const char create[] = "CREATE KEYSPACE k; CREATE TABLE k.t (a INT, b TEXT, c INT, PRIMARY "
                             "KEY ((a), c)) WITH CLUSTERING ORDER BY (c DESC);";

TEST(exec_makes_fills_reads_and_drops_a_table)
{
    struct fixture f;
    struct diag d;
    if (set_up(&f)) {
        CHECK_OK(run(&f, RENDER_TABLE, create, &d), &d);
        CHECK_TEXT(buf_cstr(&f.out), "keyspace k is there\ntable k.t is there\n");
        CHECK_OK(run(&f, RENDER_TABLE,
                     "USE k; INSERT INTO t (a, b, c) VALUES (1, 'one', 10); INSERT INTO t (a, c) "
                     "VALUES (1, 20); SELECT a, b, c FROM t WHERE a = 1",
                     &d),
                 &d);
        CHECK_TEXT(buf_cstr(&f.out),
                   " a | b    | c\n---+------+----\n 1 | null | 20\n 1 | one  | 10\n\n(2 rows)\n");
        CHECK_OK(run(&f, RENDER_JSON, "SELECT c, b FROM k.t WHERE a = 1 AND c = 10", &d), &d);
        CHECK_TEXT(buf_cstr(&f.out), "{\"c\": 10, \"b\": \"one\"}\n");
        CHECK_OK(run(&f, RENDER_CSV, "SELECT b, c FROM k.t WHERE a = 1", &d), &d);
        CHECK_TEXT(buf_cstr(&f.out), "b,c\r\n,20\r\none,10\r\n");
        CHECK_OK(run(&f, RENDER_EXPAND, "SELECT count(*) AS n FROM k.t", &d), &d);
        CHECK_TEXT(buf_cstr(&f.out), "@ Row 1\n n | 2\n\n\n(1 row)\n");
        CHECK_OK(run(&f, RENDER_TABLE, "DESCRIBE TABLE k.t", &d), &d);
        CHECK_TEXT(buf_cstr(&f.out), "CREATE TABLE k.t (\n    a int,\n    c int,\n    b text,\n    "
                                     "PRIMARY KEY (a, c)\n) WITH CLUSTERING ORDER BY (c DESC);\n");
        CHECK_OK(run(&f, RENDER_TABLE, "TRUNCATE k.t; SELECT a FROM k.t", &d), &d);
        CHECK_TEXT(buf_cstr(&f.out), " a\n---\n\n(0 rows)\n");
        CHECK_OK(run(&f, RENDER_TABLE, "DROP TABLE k.t; DROP TABLE IF EXISTS k.t", &d), &d);
        CHECK_ERR(run(&f, RENDER_TABLE, "SELECT a FROM k.t", &d), ERR_UNKNOWN_TABLE);
    }
    tear_down(&f);
}

TEST(exec_runs_what_is_cqls_alone)
{
    struct fixture f;
    struct diag d;
    if (set_up(&f)) {
        CHECK_OK(run(&f, RENDER_TABLE, create, &d), &d);
        CHECK_OK(run(&f, RENDER_TABLE,
                     "CREATE TYPE k.address (street text, no int);\n"
                     "ALTER TABLE k.t ADD (tags set<text>, home frozen<address>);\n"
                     "INSERT INTO k.t (a, c, b) VALUES (1, 10, 'one') IF NOT EXISTS;",
                     &d),
                 &d);
        CHECK(strstr(buf_cstr(&f.out), "CREATED TYPE k.address\n") != NULL);
        CHECK(strstr(buf_cstr(&f.out), "UPDATED TABLE k.t\n") != NULL);
        CHECK(strstr(buf_cstr(&f.out), " [applied]\n-----------\n true\n\n(1 row)\n") != NULL);
        CHECK_OK(run(&f, RENDER_JSON,
                     "USE k; UPDATE t SET tags = {'x', 'y;z'}, home = {street: 'A', no: 2} WHERE a "
                     "= 1 AND c = 10; SELECT a, b, c FROM t WHERE a = 1; SELECT JSON tags, home "
                     "FROM t",
                     &d),
                 &d);
        CHECK_TEXT(buf_cstr(&f.out),
                   "{\"a\": 1, \"b\": \"one\", \"c\": 10}\n{\"[json]\": \"{\\\"tags\\\": "
                   "[\\\"x\\\", \\\"y;z\\\"], \\\"home\\\": {\\\"street\\\": \\\"A\\\", "
                   "\\\"no\\\": 2}}\"}\n");
        CHECK_OK(run(&f, RENDER_CSV,
                     "BEGIN BATCH DELETE FROM k.t WHERE a = 1 AND c = 10; INSERT INTO k.t (a, c) "
                     "VALUES (2, 3); APPLY BATCH; -- done\nSELECT a, c FROM k.t",
                     &d),
                 &d);
        CHECK_TEXT(buf_cstr(&f.out), "a,c\r\n2,3\r\n");
        CHECK_OK(run(&f, RENDER_TABLE, "DROP KEYSPACE k", &d), &d);
        CHECK_ERR(run(&f, RENDER_TABLE, "USE k", &d), ERR_UNKNOWN_NAME);
    }
    tear_down(&f);
}

TEST(exec_reads_pages_of_cql_until_the_last)
{
    struct fixture f;
    struct diag d;
    enum { ROWS = 12000 }; /* more than two pages */
    if (set_up(&f)) {
        struct buf text = buf_make(MIB(4));
        CHECK_OK(run(&f, RENDER_TABLE, create, &d), &d);
        for (int from = 0; from < ROWS; from += 100) {
            buf_reset(&text);
            buf_text(&text, "BEGIN UNLOGGED BATCH ");
            for (int i = from; i < from + 100; i++)
                buf_printf(&text, "INSERT INTO k.t (a, c) VALUES (1, %d);", i);
            buf_text(&text, "APPLY BATCH");
            CHECK_OK(run(&f, RENDER_TABLE, buf_cstr(&text), &d), &d);
        }
        CHECK_OK(run(&f, RENDER_CSV, "SELECT JSON c FROM k.t", &d), &d);
        size_t lines = 0;
        for (const char *at = buf_cstr(&f.out); (at = strchr(at, '\n')); at++) lines++;
        CHECK_INT(lines, ROWS + 1);
        buf_done(&text);
    }
    tear_down(&f);
}

TEST(exec_tells_the_place_of_a_mistake_in_the_whole_text)
{
    static const struct {
        const char *text, *where;
        err_t err;
    } rows[] = {
        {"USE k;\n  UPDATE t WHERE a = 1", "statement:2:12", ERR_SYNTAX},
        {"UPDATE k.t SET b = 'x' WHERE a = 1 AND c = 1; SELEC 1", "statement:1:47", ERR_SYNTAX},
        {"DELETE FROM k.t WHERE a = 1;\n\n SELECT x FROM k.t", "statement:3:9", ERR_UNKNOWN_COLUMN},
        {"SELECT a FORM k.t", "statement:1:10", ERR_SYNTAX},
    };
    struct fixture f;
    struct diag d;
    if (set_up(&f)) {
        CHECK_OK(run(&f, RENDER_TABLE, create, &d), &d);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            d = (struct diag){.err = ERR_OK};
            CHECK_INT(run(&f, RENDER_TABLE, rows[i].text, &d), rows[i].err);
            CHECK_TEXT(d.where, rows[i].where);
        }
        CHECK_ERR(run(&f, RENDER_TABLE, "UPDATE k.t SET nope = 1 WHERE a = 1 AND c = 1", &d),
                  ERR_INVALID);
        CHECK_TEXT(d.what, "Undefined column name nope in table k.t");
        f.world.cql = (cql_close(f.world.cql), NULL);
        CHECK_ERR(run(&f, RENDER_TABLE, "DELETE FROM k.t WHERE a = 1", &d), ERR_UNSUPPORTED);
    }
    tear_down(&f);
}

TEST(exec_tells_what_is_wrong_and_what_to_do)
{
    static const struct {
        const char *text, *what, *hint;
        err_t want;
    } rows[] = {
        {"SELECT * FROM k.tt", "", "k.t", ERR_UNKNOWN_TABLE},
        {"DROP TABLE k.tt", "k.tt", "k.t", ERR_UNKNOWN_TABLE},
        {"TRUNCATE nope", "nope", "", ERR_UNKNOWN_TABLE},
        {"USE nope", "nope", "SHOW KEYSPACES", ERR_UNKNOWN_NAME},
        {"CREATE TABLE t2 (a INT PRIMARY KEY)", "no keyspace", "CREATE TABLE keyspace.t2",
         ERR_UNKNOWN_NAME},
        {"CREATE TABLE nope.t (a INT PRIMARY KEY)", "nope", "SHOW KEYSPACES", ERR_UNKNOWN_NAME},
        {"CREATE SOURCE s FROM GENERATOR '' INTO TOPIC t", "part of a project", "pipeline.sql",
         ERR_UNSUPPORTED},
        {"CREATE TOPIC p WITH (partitons = 3)", "partitons", "partitions", ERR_CONFIG},
        {"CREATE TOPIC p WITH (partitions = 'many')", "partitions", "whole number", ERR_CONFIG},
        {"CREATE TOPIC p WITH (retention = '-7d')", "for configuration retention.ms", "'7d'",
         ERR_CONFIG},
        {"CREATE TOPIC p WITH ('retention.ms' = '-2')", "Value must be at least -1", "'7d'",
         ERR_CONFIG},
        {"CREATE TOPIC p WITH ('cleanup.policy' = 'compcat')", "compact, delete", "", ERR_CONFIG},
        {"DESCRIBE TABLE nope.t", "nope", "SHOW TABLES", ERR_UNKNOWN_TABLE},
    };
    struct fixture f;
    struct diag d;
    if (set_up(&f)) {
        CHECK_OK(run(&f, RENDER_TABLE, create, &d), &d);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            d = (struct diag){.err = ERR_OK};
            err_t e = run(&f, RENDER_TABLE, rows[i].text, &d);
            if (e != rows[i].want || !strstr(d.what, rows[i].what) || !strstr(d.hint, rows[i].hint))
                test_failed(__FILE__, __LINE__, "%s: %s '%s' hint '%s'", rows[i].text, err_name(e),
                            d.what, d.hint);
        }
    }
    tear_down(&f);
}

TEST(exec_leaves_a_table_alone_that_a_stream_writes_into)
{
    static const char *const refused[] = {
        "DROP TABLE k.t",         "TRUNCATE k.t",    "USE k; DROP TABLE IF EXISTS t",
        "ALTER TABLE k.t DROP b", "DROP KEYSPACE k",
    };
    static const char why[] = "stream load writes into it";
    struct fixture f;
    struct diag d = {0};
    struct store_hold *hold = NULL;
    if (set_up(&f)) {
        CHECK_OK(run(&f, RENDER_TABLE, create, &d), &d);
        CHECK_OK(store_table_hold(f.world.store, SLICE("k"), SLICE("t"), HOLD_TABLE, slice_of(why),
                                  &hold, &d),
                 &d);
        for (size_t i = 0; i < COUNT_OF(refused); i++) {
            d = (struct diag){.err = ERR_OK};
            CHECK_ERR(run(&f, RENDER_TABLE, refused[i], &d), ERR_INVALID);
            CHECK(strstr(d.what, " table 'k.t': stream load writes into it") != NULL);
        }
        store_hold_release(hold);
        CHECK_OK(run(&f, RENDER_TABLE, "TRUNCATE k.t; DROP TABLE k.t; DROP KEYSPACE k", &d), &d);
    }
    tear_down(&f);
}

TEST(exec_for_those_who_may_only_read_runs_nothing_else)
{
    static const char *const WRITES[] = {
        "TRUNCATE k.t",
        "DROP TABLE k.t",
        "CREATE KEYSPACE k2",
        "CREATE TOPIC x",
        "SELECT a FROM k.t; DROP TABLE k.t",
        "SELECT a FROM k.t; INSERT INTO k.t (a, c) VALUES (1, 1)",
        "UPDATE k.t SET b = 'x' WHERE a = 1 AND c = 1",
        "BEGIN BATCH DELETE FROM k.t WHERE a = 1; APPLY BATCH",
        "/* SELECT */ DELETE FROM k.t WHERE a = 1",
        "GRANT ALL ON ALL KEYSPACES TO x",
    };
    struct fixture f;
    struct diag d;
    if (set_up(&f)) {
        CHECK_OK(run(&f, RENDER_TABLE, create, &d), &d);
        f.session.reads_only = true;
        for (size_t i = 0; i < COUNT_OF(WRITES); i++) {
            err_t e = run(&f, RENDER_TABLE, WRITES[i], &d);
            if (e != ERR_FORBIDDEN)
                test_failed(__FILE__, __LINE__, "%s: %s", WRITES[i], err_name(e));
        }
        CHECK_OK(run(&f, RENDER_TABLE, "USE k; SELECT a FROM t; DESCRIBE TABLE t; SHOW TABLES", &d),
                 &d);
        CHECK_OK(run(&f, RENDER_TABLE, "SELECT JSON a FROM k.t; SELECT key FROM system.local", &d),
                 &d);
    }
    tear_down(&f);
}

TEST(exec_lists_topics_and_reads_them)
{
    struct fixture f;
    struct diag d;
    struct record_builder b = record_builder_make(KIB(4));
    struct record_batch_options o = {.producer_id = -1, .producer_epoch = -1, .base_sequence = -1};
    struct buf batch = buf_make(KIB(4));
    int64_t offset;
    if (set_up(&f)) {
        CHECK_OK(run(&f, RENDER_TABLE,
                     "CREATE TOPIC people WITH (partitions = 2, retention = '7d')", &d),
                 &d);
        record_builder_add(&b, 1700000000000, SLICE("key"),
                           SLICE("{\"name\": {\"first\": \"Zo\xc3\xab\"}, \"n\": 7}"), NULL, 0);
        CHECK_OK(record_builder_finish(&b, &o, &batch), NULL);
        CHECK_OK(log_append_wait(f.world.log,
                                 log_partition(log_topic_find(f.world.log, SLICE("people")), 1),
                                 batch.at, batch.len, 1700000000000, &offset, &d),
                 &d);
        CHECK_OK(run(&f, RENDER_JSON, "SHOW TOPICS", &d), &d);
        CHECK(strstr(buf_cstr(&f.out),
                     "{\"topic\": \"people\", \"partitions\": \"2\", \"records\": \"1\"") != NULL);
        CHECK_OK(run(&f, RENDER_TABLE,
                     "SELECT CAST(name.first AS TEXT) AS first, CAST(n AS INT) AS n, _partition AS "
                     "p FROM people",
                     &d),
                 &d);
        CHECK_TEXT(buf_cstr(&f.out),
                   " first | n | p\n-------+---+---\n Zo\xc3\xab   | 7 | 1\n\n(1 row)\n");
    }
    record_builder_done(&b);
    buf_done(&batch);
    tear_down(&f);
}

TEST(exec_a_table_that_differs_is_told_by_its_first_difference)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"CREATE TABLE k.t (a INT, b TEXT, c INT, PRIMARY KEY ((a), c)) WITH CLUSTERING ORDER BY "
         "(c DESC)",
         ""},
        {"CREATE TABLE k.t (a INT, b TEXT, c INT, x INT, PRIMARY KEY ((a), c)) WITH CLUSTERING "
         "ORDER BY (c DESC)",
         "column x is not in the table"},
        {"CREATE TABLE k.t (a INT, b INT, c INT, PRIMARY KEY ((a), c)) WITH CLUSTERING ORDER BY (c "
         "DESC)",
         "column b has another type"},
        {"CREATE TABLE k.t (a INT, b TEXT, c INT, PRIMARY KEY ((a), c))",
         "column c has another place"},
        {"CREATE TABLE k.t (a INT, c INT, PRIMARY KEY ((a), c)) WITH CLUSTERING ORDER BY (c DESC)",
         "column b is not declared"},
    };
    struct fixture f;
    struct diag d;
    struct arena *a = arena_new(MIB(4));
    if (a && set_up(&f)) {
        CHECK_OK(run(&f, RENDER_TABLE, create, &d), &d);
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            struct script script;
            struct store_table wanted;
            CHECK_OK(sql_parse(slice_of(rows[i].text), "t", DIALECT_SLUICE, a, &script, &d), &d);
            CHECK_OK(table_of_statement(&script.statements[0], (struct slice){0}, a, &wanted, &d),
                     &d);
            err_t e =
                table_is_same(store_table_find(f.world.store, SLICE("k"), SLICE("t")), &wanted, &d);
            if (e != (i ? ERR_EXISTS : ERR_OK) || (i && !strstr(d.why, rows[i].why)))
                test_failed(__FILE__, __LINE__, "row %zu: %s '%s'", i, err_name(e), d.why);
        }
        tear_down(&f);
    }
    arena_free(a);
}
