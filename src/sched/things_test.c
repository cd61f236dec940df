/* Goal: connections, variables, pools, results, import errors and jobs are kept as Airflow keeps
 * them, secrets sealed; addresses are read and written as Airflow does. Method: the table of
 * addresses was made by running Airflow 2.10.5's own Connection._parse_from_uri and get_uri. */
#include "sched/things.h"

#include "sched/connection.h"
#include "sched/list.h"
#include "sched/meta_kit.h"
#include "sched/secret.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *uri, *conn_type, *login, *password, *host;
    int port;
    const char *schema, *extra, *back;
} addresses[] = {
    {"postgresql://user:pass@Host.example:5432/my%20db?sslmode=require&a=b+c", "postgres", "user",
     "pass", "host.example", 5432, "my db", "{\"sslmode\": \"require\", \"a\": \"b c\"}",
     "postgres://user:pass@host.example:5432/my%20db?sslmode=require&a=b+c"},
    {"my-type://", "my_type", NULL, NULL, "", -1, "", NULL, "my-type://"},
    {"scheme://", "scheme", NULL, NULL, "", -1, "", NULL, "scheme://"},
    {"http://https://host.example:443", "http", NULL, NULL, "https://host.example", 443, "", NULL,
     "http://https://host.example:443"},
    {"spark://spark%3A%2F%2Fmaster:7077", "spark", NULL, NULL, "spark://master", 7077, "", NULL,
     "spark://spark://master:7077"},
    {"google-cloud-platform://?key_path=%2Fkeys%2Fa.json&num=5", "google_cloud_platform", NULL,
     NULL, "", -1, "", "{\"key_path\": \"/keys/a.json\", \"num\": \"5\"}",
     "google-cloud-platform:///?key_path=%2Fkeys%2Fa.json&num=5"},
    {"fs:///?extra__path=%2Fdata", "fs", NULL, NULL, "", -1, "", "{\"extra__path\": \"/data\"}",
     "fs:///?extra__path=%2Fdata"},
    {"type://:just%40pass@h", "type", "", "just@pass", "h", -1, "", NULL, "type://:just%40pass@h"},
    {"type://login@/schema", "type", "login", NULL, "", -1, "schema", NULL, "type://login@/schema"},
    {"type://a:b:c@h/s1/s2", "type", "a", "b:c", "h", -1, "s1/s2", NULL,
     "type://a:b%3Ac@h/s1%2Fs2"},
    {"s3://%2Ftmp%2FZ:99/x", "s3", NULL, NULL, "/tmp/Z", 99, "x", NULL, "s3://%2Ftmp%2FZ:99/x"},
    {"aws://?__extra__=%7B%22a%22%3A+%7B%22b%22%3A+1%7D%7D", "aws", NULL, NULL, "", -1, "",
     "{\"a\": {\"b\": 1}}", "aws:///?__extra__=%7B%22a%22%3A+%7B%22b%22%3A+1%7D%7D"},
    {"x://h?a=1&a=2&b=&c", "x", NULL, NULL, "h", -1, "", "{\"a\": \"2\", \"b\": \"\", \"c\": \"\"}",
     "x://h/?a=2&b=&c="},
    {"x://[::1]:22/d", "x", NULL, NULL, "::1", 22, "d", NULL, "x://%3A%3A1:22/d"},
    {"x://h#frag?q=1", "x", NULL, NULL, "h", -1, "", NULL, "x://h"},
    {"x://h:/", "x", NULL, NULL, "h", -1, "", NULL, "x://h"},
    {"type://http://user@host", "type", "user", NULL, "http://host", -1, "", NULL,
     "type://http://user@host"},
};

static void same(const char *uri, const char *what, struct slice got, const char *want)
{
    if (!slice_equal(got, slice_of(want)) || (got.at == NULL) != (want == NULL))
        test_failed(__FILE__, __LINE__, "%s: %s is '%.*s', not '%s'", uri, what, SLICE_ARG(got),
                    want ? want : "none");
}

TEST(connection_addresses_are_airflows)
{
    struct diag d;
    struct arena *a = arena_new(MIB(64));
    struct buf back = buf_make(KIB(4));
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        struct connection c;
        const char *uri = addresses[i].uri;
        CHECK_OK(connection_of_uri(slice_of(uri), a, &c, &d), &d);
        same(uri, "conn_type", c.conn_type, addresses[i].conn_type);
        same(uri, "login", c.login, addresses[i].login);
        same(uri, "password", c.password, addresses[i].password);
        same(uri, "host", c.host, addresses[i].host);
        same(uri, "schema", c.schema, addresses[i].schema);
        same(uri, "extra", c.extra, addresses[i].extra);
        CHECK_INT(c.port, addresses[i].port);
        buf_reset(&back);
        connection_put_uri(&back, &c);
        same(uri, "written back", buf_view(&back), addresses[i].back);
    }
    buf_done(&back);
    arena_free(a);
}

TEST(connection_addresses_that_are_none_are_refused)
{
    static const char *const wrong[] = {"",
                                        "nothing",
                                        "a://b://c://d",
                                        "a://u:p@b://c",
                                        "kafka://h1:9092,h2:9092",
                                        "a://h:65536",
                                        "a://h:-1"};
    struct diag d;
    struct connection c;
    struct arena *a = arena_new(MIB(64));
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        CHECK_ERR(connection_of_uri(slice_of(wrong[i]), a, &c, &d), ERR_USAGE);
    CHECK_ERR(connection_of_text(SLICE("{\"host\": 3}"), a, &c, &d), ERR_USAGE);
    CHECK_ERR(connection_of_text(SLICE("{\"port\": \"x\"}"), a, &c, &d), ERR_USAGE);
    arena_free(a);
}

TEST(connection_json_is_airflows)
{
    struct diag d;
    struct connection c;
    struct arena *a = arena_new(MIB(64));
    struct buf out = buf_make(KIB(4));
    CHECK_OK(connection_of_text(SLICE(" {\"conn_type\": \"postgresql\", \"port\": \"5432\", "
                                      "\"extra\": {\"n\": 1}, \"password\": \"p\"}"),
                                a, &c, &d),
             &d);
    CHECK_SLICE(c.conn_type, "postgres");
    CHECK_INT(c.port, 5432);
    connection_put_uri(&out, &c);
    CHECK_TEXT(buf_cstr(&out), "postgres://:p@:5432/?__extra__=%7B%22n%22%3A+1%7D");
    buf_reset(&out);
    connection_put_json(&out, &c, a);
    CHECK_TEXT(buf_cstr(&out), "{\"conn_type\": \"postgres\", \"password\": \"p\", "
                               "\"port\": 5432, \"extra\": {\"n\": 1}}");
    buf_done(&out);
    arena_free(a);
}

TEST(connection_secrets_rest_sealed_and_the_key_can_be_replaced)
{
    struct diag d;
    struct connection c, got;
    struct variable v = {SLICE("color"), SLICE("hunter3"), {0}, 0}, found;
    int64_t count = 0;
    char path[300];
    const char *where = meta_kit_where();
    struct meta *m = meta_kit_open(where), *other = NULL, *none = NULL;
    struct arena *a = arena_new(MIB(64));
    if (!m) return;
    CHECK_OK(connection_of_uri(SLICE("http://me:hunter2@host/s?token=hunter4"), a, &c, &d), &d);
    c.id = SLICE("api");
    CHECK_OK(connection_create(m, &c, &d), &d);
    CHECK_ERR(connection_create(m, &c, &d), ERR_EXISTS);
    CHECK_TEXT(d.what, "Connection already exist. ID: api");
    CHECK_OK(variable_put(m, &v, &d), &d);
    CHECK_OK(connection_find(m, SLICE("api"), a, &got, &d), &d);
    CHECK_SLICE(got.password, "hunter2");
    CHECK_SLICE(got.extra, "{\"token\": \"hunter4\"}");
    CHECK(got.port == -1 && !got.description.at);
    if (!meta_kit_is_postgres()) { /* nowhere in the file, nor in its log */
        char command[700];
        snprintf(command, sizeof(command), "grep -c hunter '%s' '%s-wal' >/dev/null", where, where);
        CHECK(system(command) != 0);
    }
    /* another key is told from damage */
    struct secret_ring ring;
    snprintf(path, sizeof(path), "%s/key", test_dir());
    CHECK_OK(secret_ring_load(path, NULL, &ring, &d), &d);
    struct meta_options o = {.where = where, .secret = &ring}, bare = {.where = where};
    CHECK_OK(meta_open(&o, &other, &d), &d);
    CHECK_OK(meta_open(&bare, &none, &d), &d);
    CHECK_ERR(connection_find(other, SLICE("api"), a, &got, &d), ERR_LOGIN);
    CHECK_ERR(variable_find(other, SLICE("color"), a, &found, &d), ERR_LOGIN);
    CHECK_ERR(variable_find(none, SLICE("color"), a, &found, &d), ERR_CONFIG);
    CHECK_ERR(variable_put(none, &v, &d), ERR_CONFIG);
    meta_close(other);
    /* with both keys all is sealed anew, and the older is not needed any more */
    struct secret_ring both = *meta_secret(m);
    memcpy(both.keys[1], both.keys[0], SECRET_KEY);
    memcpy(both.keys[0], ring.keys[0], SECRET_KEY);
    both.count = 2;
    struct meta_options two = {.where = where, .secret = &both};
    CHECK_OK(meta_open(&two, &other, &d), &d);
    CHECK_OK(meta_reseal(other, &count, &d), &d);
    CHECK_INT(count, 3);
    CHECK_OK(meta_reseal(other, &count, &d), &d);
    CHECK_INT(count, 0);
    meta_close(other);
    CHECK_OK(meta_open(&o, &other, &d), &d);
    CHECK_OK(connection_find(other, SLICE("api"), a, &got, &d), &d);
    CHECK_SLICE(got.extra, "{\"token\": \"hunter4\"}");
    CHECK_OK(variable_find(other, SLICE("color"), a, &found, &d), &d);
    CHECK_SLICE(found.value, "hunter3");
    CHECK_ERR(connection_find(m, SLICE("api"), a, &got, &d), ERR_LOGIN);
    meta_close(none), meta_close(other), meta_close(m);
    arena_free(a);
}

TEST(a_rotation_leaves_one_key_that_opens_all)
{
    struct diag d;
    struct secret_ring ring, old;
    struct variable v = {SLICE("k"), SLICE("value"), {0}, 0}, got;
    struct meta *m = NULL;
    int64_t count = 0;
    char path[300], where[700];
    struct arena *a = arena_new(MIB(4));
    snprintf(path, sizeof(path), "%s/key", test_dir());
    snprintf(where, sizeof(where), "%s", meta_kit_where());
    meta_close(meta_kit_open(where));
    CHECK_OK(secret_ring_load(path, NULL, &ring, &d), &d);
    old = ring;
    struct meta_options o = {.where = where, .secret = &ring},
                        before = {.where = where, .secret = &old};
    CHECK_OK(meta_open(&o, &m, &d), &d);
    if (!m) return;
    CHECK_OK(variable_put(m, &v, &d), &d);
    meta_close(m);
    CHECK_OK(meta_rotate(where, path, &ring, &count, &d), &d);
    CHECK(count == 1 && ring.count == 1 && memcmp(&ring, &old, sizeof(old)) != 0);
    CHECK_OK(secret_ring_load(path, NULL, &ring, &d), &d);
    CHECK_OK(meta_open(&o, &m, &d), &d);
    CHECK_OK(variable_find(m, v.key, a, &got, &d), &d);
    CHECK_SLICE(got.value, "value");
    meta_close(m);
    CHECK_OK(meta_open(&before, &m, &d), &d);
    CHECK_ERR(variable_find(m, v.key, a, &got, &d), ERR_LOGIN);
    meta_close(m);
    arena_free(a);
}

TEST(connection_changes_compare_and_set)
{
    struct diag d;
    struct connection c = {.id = SLICE("a"), .conn_type = SLICE("http"), .port = 80}, got;
    struct arena *a = arena_new(MIB(64));
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    CHECK_OK(connection_put(m, &c, &d), &d);
    CHECK_OK(connection_find(m, c.id, a, &got, &d), &d);
    got.host = SLICE("one");
    CHECK_OK(connection_change(m, &got, &d), &d);
    CHECK_ERR(connection_change(m, &got, &d), ERR_BUSY);
    CHECK_OK(connection_find(m, c.id, a, &got, &d), &d);
    CHECK_SLICE(got.host, "one");
    CHECK_INT(got.version, 2);
    CHECK_OK(connection_delete(m, c.id, &d), &d);
    CHECK_ERR(connection_delete(m, c.id, &d), ERR_NOT_FOUND);
    CHECK_TEXT(d.what, "The Connection with connection_id: `a` was not found");
    c.id = SLICE("no spaces");
    CHECK_ERR(connection_put(m, &c, &d), ERR_USAGE);
    c.id = SLICE("a"), c.extra = SLICE("[1]");
    CHECK_ERR(connection_put(m, &c, &d), ERR_USAGE);
    c.extra = SLICE(""), c.port = 70000;
    CHECK_ERR(connection_put(m, &c, &d), ERR_USAGE);
    c.port = -1, c.conn_type = SLICE("");
    CHECK_ERR(connection_put(m, &c, &d), ERR_USAGE);
    meta_close(m);
    arena_free(a);
}

TEST(things_of_the_environment_come_first)
{
    struct diag d;
    struct variable v = {SLICE("lake"), SLICE("database"), {0}, 0}, got;
    struct connection c;
    struct arena *a = arena_new(MIB(64));
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    CHECK_OK(variable_put(m, &v, &d), &d);
    CHECK_OK(variable_resolve(m, SLICE("lake"), a, &got, &d), &d);
    CHECK_SLICE(got.value, "database");
    setenv("AIRFLOW_VAR_LAKE", "environment", 1);
    setenv("AIRFLOW_CONN_THE_API", "http://user:p%40ss@host", 1);
    CHECK_OK(variable_resolve(m, SLICE("lake"), a, &got, &d), &d);
    CHECK_SLICE(got.value, "environment");
    CHECK_OK(connection_resolve(m, SLICE("the_api"), a, &c, &d), &d);
    CHECK_SLICE(c.id, "the_api");
    CHECK_SLICE(c.password, "p@ss");
    setenv("AIRFLOW_CONN_THE_API", "nonsense", 1);
    CHECK_ERR(connection_resolve(m, SLICE("the_api"), a, &c, &d), ERR_USAGE);
    CHECK(strstr(d.where, "AIRFLOW_CONN_the_api"));
    unsetenv("AIRFLOW_VAR_LAKE"), unsetenv("AIRFLOW_CONN_THE_API");
    CHECK_ERR(connection_resolve(m, SLICE("the_api"), a, &c, &d), ERR_NOT_FOUND);
    meta_close(m);
    arena_free(a);
}

TEST(variable_keys_and_changes)
{
    struct diag d;
    struct variable v = {SLICE("k"), SLICE(""), SLICE("why"), 0}, got;
    struct arena *a = arena_new(MIB(64));
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    CHECK_OK(variable_create(m, &v, &d), &d);
    CHECK_ERR(variable_create(m, &v, &d), ERR_EXISTS);
    CHECK_OK(variable_find(m, v.key, a, &got, &d), &d);
    CHECK(got.value.at && got.value.len == 0);
    CHECK_SLICE(got.description, "why");
    got.value = SLICE("{\"a\": 1}");
    CHECK_OK(variable_change(m, &got, &d), &d);
    CHECK_ERR(variable_change(m, &got, &d), ERR_BUSY);
    CHECK_OK(variable_delete(m, v.key, &d), &d);
    CHECK_ERR(variable_find(m, v.key, a, &got, &d), ERR_NOT_FOUND);
    CHECK_TEXT(d.what, "Variable k does not exist");
    v.key = SLICE("");
    CHECK_ERR(variable_put(m, &v, &d), ERR_USAGE);
    CHECK_OK(key_check(SLICE("a.b-c_9"), 200, &d), &d);
    CHECK_ERR(key_check(SLICE("a b"), 200, &d), ERR_USAGE);
    CHECK(strstr(d.what, "has to be made of alphanumeric characters"));
    CHECK_ERR(key_check(SLICE("abc"), 2, &d), ERR_USAGE);
    CHECK_TEXT(d.what, "The key has to be less than 2 characters");
    meta_close(m);
    arena_free(a);
}

TEST(pools_keep_their_default)
{
    struct diag d;
    struct pool_row p = {.name = SLICE("api"), .slots = -1}, got;
    struct arena *a = arena_new(MIB(4));
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    CHECK_ERR(pool_delete(m, SLICE("default_pool"), &d), ERR_USAGE);
    CHECK_TEXT(d.what, "Default Pool can't be deleted");
    CHECK_OK(pool_create(m, &p, &d), &d);
    CHECK_ERR(pool_create(m, &p, &d), ERR_EXISTS);
    CHECK_TEXT(d.what, "Pool: api already exists");
    CHECK_OK(pool_find(m, SLICE("api"), a, &got, &d), &d);
    CHECK_INT(got.slots, -1);
    got.name = SLICE("quota"), got.slots = 5, got.include_deferred = true;
    CHECK_OK(pool_change(m, SLICE("api"), &got, &d), &d);
    CHECK_ERR(pool_change(m, SLICE("api"), &got, &d), ERR_BUSY);
    CHECK_ERR(pool_change(m, SLICE("default_pool"), &got, &d), ERR_USAGE);
    CHECK_ERR(pool_find(m, SLICE("api"), a, &got, &d), ERR_NOT_FOUND);
    CHECK_TEXT(d.what, "Pool with name:'api' not found");
    CHECK_OK(pool_delete(m, SLICE("quota"), &d), &d);
    p.slots = -2;
    CHECK_ERR(pool_put(m, &p, &d), ERR_USAGE);
    p.slots = 1, p.name = SLICE("");
    CHECK_ERR(pool_put(m, &p, &d), ERR_USAGE);
    meta_close(m);
    arena_free(a);
}

struct seen_pools {
    char text[400];
    struct buf out;
};

static err_t see_pool(void *ctx, const struct meta_row *row)
{
    struct seen_pools *s = ctx;
    const struct meta_value *per = &row->at[list_place(LIST_POOLS, "per_ms")];
    buf_printf(&s->out, "%.*s %d %d;", SLICE_ARG(row->at[list_place(LIST_POOLS, "name")].text),
               (int)row->at[list_place(LIST_POOLS, "slots")].number,
               per->kind == META_NULL ? -1 : (int)per->number);
    return ERR_OK;
}

static void check_pools(struct meta *m, const char *want)
{
    struct diag d = {0};
    int64_t total;
    struct seen_pools s = {.out = buf_over(s.text, sizeof(s.text))};
    struct list_ask ask = {.kind = LIST_POOLS, .limit = 100};
    CHECK_OK(list_run(m, &ask, see_pool, &s, &total, &d), &d);
    CHECK_SLICE(buf_view(&s.out), want);
}

TEST(quotas_of_apis_are_listed_beside_the_pools_and_changed_by_nobody)
{
    struct diag d;
    struct meta *m = meta_kit_fresh();
    const struct api_quota quotas[] = {{SLICE("api"), 100, 60000}, {SLICE("z"), 5, 1000}};
    struct pool_row p = {.name = SLICE("api"), .slots = 3}, q = {.name = SLICE("own"), .slots = 2};
    if (!m) return;
    CHECK_OK(pool_create(m, &q, &d), &d);
    CHECK_OK(api_quotas_set(m, quotas, 2, &d), &d);
    check_pools(m, "api 100 60000;default_pool 128 -1;own 2 -1;z 5 1000;");
    CHECK_OK(meta_begin(m, false, &d), &d); /* PostgreSQL refuses a write in there */
    int64_t written = meta_kit_is_postgres() ? 0 : meta_kit_number(m, "SELECT total_changes()");
    CHECK_OK(api_quotas_set(m, quotas, 2, &d), &d);
    if (!meta_kit_is_postgres())
        CHECK_INT(meta_kit_number(m, "SELECT total_changes()"), written); /* as they are: none */
    meta_rollback(m);
    CHECK_ERR(pool_create(m, &p, &d), ERR_CONFIG);
    CHECK_TEXT(d.what, "'api' is an API's quota, not a pool");
    CHECK_ERR(pool_put(m, &p, &d), ERR_CONFIG);
    CHECK_ERR(pool_delete(m, SLICE("api"), &d), ERR_CONFIG);
    p.version = 1;
    CHECK_ERR(pool_change(m, SLICE("own"), &p, &d), ERR_CONFIG);
    CHECK_OK(api_quota_refuse(m, SLICE("own"), &d), &d);
    /* the project says it otherwise now, and by the name of a pool that is there */
    const struct api_quota later[] = {{SLICE("own"), 7, 1000}, {SLICE("z"), 6, 2000}};
    CHECK_OK(api_quotas_set(m, later, 2, &d), &d);
    check_pools(m, "default_pool 128 -1;own 2 -1;z 6 2000;");
    CHECK_OK(api_quotas_set(m, NULL, 0, &d), &d);
    check_pools(m, "default_pool 128 -1;own 2 -1;");
    meta_close(m);
}

TEST(results_import_errors_and_jobs_are_kept)
{
    struct diag d;
    struct slice json;
    int64_t at = 0, id = 0, count = 0, latest = 0;
    struct arena *a = arena_new(MIB(64));
    struct meta *m = meta_kit_fresh();
    if (!m) return;
    struct xcom_key k = {7, SLICE("load"), SLICE("return_value"), -1};
    CHECK_ERR(xcom_find(m, &k, a, &json, NULL, &d), ERR_NOT_FOUND);
    CHECK_OK(xcom_put(m, &k, SLICE("[1]"), 10, &d), &d);
    CHECK_OK(xcom_put(m, &k, SLICE("[2]"), 11, &d), &d);
    CHECK_OK(xcom_find(m, &k, a, &json, &at, &d), &d);
    CHECK_SLICE(json, "[2]");
    CHECK_INT(at, 11);
    char *big = arena_take(a, XCOM_VALUE_MAX + 1);
    memset(big, '1', XCOM_VALUE_MAX + 1);
    CHECK_ERR(xcom_put(m, &k, slice_make(big, XCOM_VALUE_MAX + 1), 12, &d), ERR_TOO_BIG);
    CHECK_OK(xcom_put(m, &k, slice_make(big, XCOM_VALUE_MAX), 12, &d), &d);
    CHECK_OK(xcom_forget(m, &k, &d), &d);
    CHECK_ERR(xcom_delete(m, &k, &d), ERR_NOT_FOUND);

    struct import_error wrong[] = {{.story = SLICE("one"), .line = 3, .at = 5},
                                   {.story = slice_make(big, STORY_MAX + 1), .dag_id = SLICE("x")}};
    CHECK_OK(import_errors_set(m, SLICE("a.yaml"), wrong, 2, &d), &d);
    CHECK_OK(import_errors_set(m, SLICE("b.yaml"), wrong, 1, &d), &d);
    CHECK_OK(import_errors_set(m, SLICE("a.yaml"), wrong, 1, &d), &d);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM import_error"), 2);
    id = meta_kit_number(m, "SELECT id FROM import_error WHERE file = 'b.yaml'");
    struct import_error found;
    CHECK_OK(import_error_find(m, id, a, &found, &d), &d);
    CHECK(found.line == 3 && found.at == 5 && slice_is(found.story, "one"));
    CHECK_ERR(import_error_find(m, 999, a, &found, &d), ERR_NOT_FOUND);

    struct job j = {"SchedulerJob", SLICE("here"), SLICE("one"), 42};
    CHECK_OK(jobs_alive(m, "", 0, &count, &latest, &d), &d);
    CHECK(count == 0 && latest == INT64_MIN);
    CHECK_OK(job_start(m, &j, 100, &id, &d), &d);
    CHECK_OK(job_beat(m, id, 200, &d), &d);
    CHECK_OK(jobs_alive(m, "SchedulerJob", 150, &count, &latest, &d), &d);
    CHECK(count == 1 && latest == 200);
    CHECK_OK(jobs_alive(m, "TriggererJob", 150, &count, &latest, &d), &d);
    CHECK_INT(count, 0);
    CHECK_OK(jobs_lose(m, 201, &d), &d);
    CHECK_ERR(job_beat(m, id, 300, &d), ERR_FENCED);
    CHECK_OK(job_start(m, &j, 400, &id, &d), &d);
    CHECK_OK(job_end(m, id, true, 500, &d), &d);
    CHECK_OK(jobs_alive(m, "", 0, &count, &latest, &d), &d);
    CHECK_INT(count, 0);

    struct slice tags[] = {SLICE("b"), SLICE("a"), SLICE("b")};
    CHECK_OK(dag_tags_set(m, SLICE("d"), tags, 3, &d), &d);
    CHECK_OK(dag_tags_set(m, SLICE("d"), tags, 2, &d), &d);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM dag_tag"), 2);
    CHECK_OK(asset_put(m, SLICE("topic"), SLICE("users"), 5, &id, &d), &d);
    CHECK_OK(asset_put(m, SLICE("topic"), SLICE("users"), 9, &at, &d), &d);
    CHECK_INT(id, at);
    CHECK_INT(meta_kit_number(m, "SELECT updated - created FROM asset"), 4);
    /* who waits for it does not say what it is; who changes it does */
    CHECK_OK(asset_declare(m, SLICE("asset"), SLICE("users"), 10, &d), &d);
    CHECK_OK(asset_declare(m, SLICE("asset"), SLICE("orders"), 10, &d), &d);
    CHECK_OK(asset_declare(m, SLICE("asset"), SLICE("orders"), 11, &d), &d);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM asset"), 2);
    meta_kit_do(m, "INSERT INTO asset_event (kind, name, at) VALUES ('asset', 'orders', 10)");
    CHECK_OK(asset_declare(m, SLICE("table"), SLICE("orders"), 12, &d), &d);
    CHECK_OK(asset_declare(m, SLICE("topic"), SLICE("orders"), 13, &d), &d);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM asset WHERE name = 'orders'"), 2);
    CHECK_INT(meta_kit_number(m, "SELECT count(*) FROM asset_event WHERE kind = 'table'"), 1);
    meta_close(m);
    arena_free(a);
}
