/* DDL and DESCRIBE: what Apache Cassandra 5.0.5 answered to the same statements
 * (schema_vectors.inc). */
#include "cql/cql_kit.h"
#include "cql/schema.h"

static void open_without_keyspace(struct kit *k)
{
    kit_open(k);
    kit_do(k, "DROP KEYSPACE ks");
    k->session.keyspace[0] = 0;
}

static void check_warnings(const struct kit *k, const char *statement, const char *want)
{
    char text[1000];
    struct buf b = buf_over(text, sizeof(text));
    for (uint32_t i = 0; i < k->call.result.warning_count; i++)
        buf_printf(&b, "%s%.*s", i ? "\n" : "", SLICE_ARG(k->call.result.warnings[i]));
    buf_char(&b, 0);
    if (strcmp(text, want) != 0)
        test_failed(__FILE__, __LINE__, "%s\n warns '%s'\n not '%s'", statement, text, want);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverlength-strings" /* a whole keyspace's description */
TEST(what_cassandra_answers_to_schema_statements_we_answer)
{
    static const struct {
        const char *statement, *want, *warnings;
    } vectors[] = {
#define V(statement, want, warnings) {statement, want, warnings},
#include "cql/schema_vectors.inc"
#undef V
    };
    struct kit k;
    open_without_keyspace(&k);
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        const char *got = kit_ask(&k, vectors[i].statement);
        if (strcmp(got, vectors[i].want) != 0)
            test_failed(__FILE__, __LINE__, "%s\n answers '%s'\n not '%s'", vectors[i].statement,
                        got, vectors[i].want);
        check_warnings(&k, vectors[i].statement, vectors[i].warnings);
    }
    kit_close(&k);
}

#pragma GCC diagnostic pop

TEST(a_schema_survives_opening_anew)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TYPE address (street text, \"Zip\" int)");
    kit_do(&k,
           "CREATE TABLE t (a int, b int, v frozen<address>, w map<text, int>, PRIMARY KEY (a, b)) "
           "WITH CLUSTERING ORDER BY (b DESC) AND comment = 'it''s' AND gc_grace_seconds = 7 AND "
           "compaction = {'class': 'LeveledCompactionStrategy'}");
    kit_do(&k, "CREATE INDEX ON t (v)");
    kit_do(&k, "ALTER TABLE t ADD x int");
    kit_do(&k, "ALTER TABLE t DROP x");
    const char *before = kit_ask(&k, "DESCRIBE KEYSPACE ks");
    CHECK(strstr(before, "LeveledCompactionStrategy") && strstr(before, "t_v_idx"));
    kit_reopen(&k);
    CHECK_TEXT(kit_ask(&k, "DESCRIBE KEYSPACE ks"), before);
    KIT_ROWS(&k,
             "SELECT column_name, kind, type FROM system_schema.dropped_columns WHERE "
             "keyspace_name = 'ks'",
             "'x','regular','int';");
    kit_close(&k);
}

TEST(a_description_comes_by_pages_of_one_schema)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE a (k int PRIMARY KEY)");
    kit_do(&k, "CREATE TABLE \"B\" (k int PRIMARY KEY)");
    kit_do(&k, "CREATE TABLE c (k int PRIMARY KEY)");
    KIT_ROWS(&k, "DESCRIBE TABLES", "'ks','table','a';'ks','table','\"B\"';'ks','table','c';");
    struct kit_how how = {.page_size = 2};
    CHECK_TEXT(kit_execute(&k, "DESCRIBE TABLES", how), "'ks','table','a';'ks','table','\"B\"';");
    how.state = kit_state(&k);
    CHECK(how.state.at != NULL);
    CHECK_TEXT(kit_execute(&k, "DESCRIBE TABLES", how), "'ks','table','c';");
    CHECK(k.call.result.paging_state.at == NULL);
    kit_do(&k, "DROP TABLE a");
    CHECK_TEXT(kit_execute(&k, "DESCRIBE TABLES", how),
               "INVALID: The schema has changed since the previous page of the DESCRIBE statement "
               "result. Please retry the DESCRIBE statement.");
    how.state = SLICE("\0\2nonsense");
    CHECK_TEXT(kit_execute(&k, "DESCRIBE TABLES", how), "INVALID: Incompatible paging state");
    how.state = SLICE("\0\1");
    CHECK_TEXT(kit_execute(&k, "DESCRIBE TABLES", how), "INVALID: Invalid paging state.");
    kit_close(&k);
}

struct told {
    char text[400];
};

static void tell(void *ctx, const struct cql_schema_change *c)
{
    struct told *t = ctx;
    struct buf b = buf_over(t->text + strlen(t->text), sizeof(t->text) - strlen(t->text));
    buf_printf(&b, "%s %s %.*s.%.*s;%c", c->change, c->target, SLICE_ARG(c->keyspace),
               SLICE_ARG(c->name), 0);
}

TEST(who_listens_hears_each_change_once)
{
    struct kit k;
    struct told t = {""};
    kit_open(&k);
    cql_listen(k.cql, tell, &t);
    kit_do(&k, "CREATE TABLE t (k int PRIMARY KEY, v int)");
    kit_do(&k, "CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)");
    kit_do(&k, "CREATE INDEX ON t (v)");
    kit_do(&k, "ALTER TABLE t WITH comment = 'x'");
    kit_do(&k, "ALTER TABLE t WITH comment = 'x'");
    kit_do(&k, "TRUNCATE t");
    kit_do(&k, "CREATE TYPE u (a int)");
    kit_do(&k, "DROP TYPE u");
    kit_do(&k, "DROP TABLE t");
    kit_do(&k, "DROP KEYSPACE ks");
    CHECK_TEXT(t.text, "CREATED TABLE ks.t;UPDATED TABLE ks.t;UPDATED TABLE ks.t;CREATED TYPE "
                       "ks.u;DROPPED TYPE ks.u;DROPPED TABLE ks.t;DROPPED KEYSPACE ks.;");
    kit_close(&k);
}

TEST(truncating_forgets_rows_and_prepared_statements_go_on)
{
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (k int PRIMARY KEY, v int)");
    kit_do(&k, "CREATE INDEX ON t (v)");
    kit_do(&k, "INSERT INTO t (k, v) VALUES (1, 2)");
    KIT_ROWS(&k, "SELECT k FROM t WHERE v = 2", "1;");
    kit_do(&k, "TRUNCATE TABLE t");
    KIT_ROWS(&k, "SELECT k FROM t WHERE v = 2", "");
    KIT_ROWS(&k, "SELECT * FROM t", "");
    kit_do(&k, "INSERT INTO t (k, v) VALUES (3, 2)");
    KIT_ROWS(&k, "SELECT k FROM t WHERE v = 2", "3;");
    kit_close(&k);
}

TEST(a_table_that_is_written_into_loses_nothing)
{
    static const char *const refused[][2] = {
        {"DROP TABLE t", "drop"},
        {"DROP TABLE IF EXISTS ks.t", "drop"},
        {"TRUNCATE t", "truncate"},
        {"DROP KEYSPACE ks", "drop the keyspace of"},
        {"ALTER TABLE t DROP v", "drop or rename columns of"},
        {"ALTER TABLE t RENAME k TO kk", "drop or rename columns of"},
    };
    static const char *const taken[] = {
        "ALTER TABLE t ADD w int", "ALTER TABLE t WITH comment = 'x'",
        "CREATE INDEX i ON t (v)", "DROP INDEX i",
        "DROP TABLE other",
    };
    struct kit k;
    struct store_hold *hold, *second;
    struct diag d = {0};
    char want[300];
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (k int PRIMARY KEY, v int)");
    kit_do(&k, "CREATE TABLE other (k int PRIMARY KEY)");
    kit_do(&k, "INSERT INTO t (k, v) VALUES (1, 2)");
    CHECK_OK(store_table_hold(k.store, SLICE("ks"), SLICE("t"), HOLD_TABLE,
                              SLICE("stream s writes into it"), &hold, &d),
             &d);
    CHECK_OK(store_table_hold(k.store, SLICE("ks"), SLICE("t"), HOLD_TABLE,
                              SLICE("stream s writes into it"), &second, &d),
             &d);
    store_hold_release(hold);
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        snprintf(want, sizeof(want), "INVALID: Cannot %s table 'ks.t': stream s writes into it",
                 refused[i][1]);
        KIT_ROWS(&k, refused[i][0], want);
    }
    for (size_t i = 0; i < COUNT_OF(taken); i++) kit_do(&k, taken[i]);
    KIT_ROWS(&k, "SELECT * FROM t", "1,2,null;");
    store_hold_release(second);
    for (size_t i = COUNT_OF(refused); i > 0; i--) { /* the last first: columns, keyspace, tables */
        if (i == 3)
            kit_do(&k, "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', "
                       "'replication_factor': 1}");
        if (i <= 3) kit_do(&k, "CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY, v int)");
        kit_do(&k, refused[i - 1][0]);
    }
    kit_close(&k);
}

/* A step that is outrun `ahead` times: between its look at the table and its own change another
 * changes it, as a stream's swap does. */
struct outrun {
    struct schema_run r; /* first: the step gets it */
    int ahead, tries;
};

static err_t commented(struct store *s, const struct store_table *now, const char *text,
                       struct diag *d)
{
    struct store_option comment = {SLICE("comment"), slice_of(text)};
    struct store_table wanted = *now;
    wanted.options = &comment;
    wanted.option_count = 1;
    return store_table_alter(s, now, &wanted, &now, d);
}

static err_t outrun_alter(struct schema_run *r)
{
    struct outrun *o = (struct outrun *)r;
    const struct store_table *now = store_table_find(r->store, r->keyspace, r->name);
    if (o->tries++ < o->ahead) CHECK_OK(commented(r->store, now, "theirs", r->d), r->d);
    return commented(r->store, now, "ours", r->d);
}

static err_t outrun_create(struct schema_run *r)
{
    struct outrun *o = (struct outrun *)r;
    struct store_column key = {
        .name = SLICE("k"), .type = type_of(TYPE_INT), .role = COLUMN_PARTITION};
    struct store_table wanted = {
        .keyspace = r->keyspace, .name = SLICE("new"), .columns = &key, .column_count = 1};
    const struct store_table *made;
    bool there = store_table_find(r->store, r->keyspace, wanted.name);
    if (o->tries++ < o->ahead) CHECK_OK(store_table_create(r->store, &wanted, &made, r->d), r->d);
    return there ? ERR_OK : store_table_create(r->store, &wanted, &made, r->d);
}

TEST(a_schema_statement_that_is_outrun_is_taken_again)
{
    static const struct {
        schema_step *step;
        int ahead, tries;
        err_t want;
    } cases[] = {
        {outrun_alter, 0, 1, ERR_OK},
        {outrun_alter, 1, 2, ERR_OK},
        {outrun_alter, SCHEMA_TRIES - 1, SCHEMA_TRIES, ERR_OK},
        {outrun_alter, SCHEMA_TRIES, SCHEMA_TRIES, ERR_BUSY},
        {outrun_create, 1, 2, ERR_OK}, /* IF NOT EXISTS: it is there by now */
    };
    struct kit k;
    kit_open(&k);
    kit_do(&k, "CREATE TABLE t (k int PRIMARY KEY, v int)");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct diag d = {0};
        struct outrun o = {
            .r = {.store = k.store, .keyspace = SLICE("ks"), .name = SLICE("t"), .d = &d},
            .ahead = cases[i].ahead};
        CHECK_INT(schema_take(&o.r, cases[i].step), cases[i].want);
        CHECK_INT(o.tries, cases[i].tries);
    }
    kit_close(&k);
}
