/* Goal: a setting is read from where it stands, the last place wins, and a mistake names its place
 * and the nearest key. Method: small sluice.yaml texts. */
#include "main/config.h"

#include "os/file.h"
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

static err_t load(struct config *c, const char *text, struct diag *d)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/sluice.yaml", test_dir());
    err_t e = config_init(c, d);
    if (!e) e = file_store(path, slice_of(text), d);
    return e ? e : config_load(c, path, d);
}

TEST(config_every_default_is_in_range_and_explained)
{
    struct config c;
    struct diag d;
    CHECK_OK(config_init(&c, &d), &d);
    for (size_t i = 0; i < config_row_count; i++) CHECK(strlen(config_rows[i].about) > 20);
    config_done(&c);
}

TEST(config_reads_nested_and_dotted_keys_and_says_where_from)
{
    struct config c;
    struct diag d;
    CHECK_OK(load(&c, "api:\n  port: 8001\nmemory.budget: 2GiB\n", &d), &d);
    CHECK_INT(config_number(&c, CONFIG_api_port), 8001);
    CHECK_INT(config_number(&c, CONFIG_memory_budget), (int64_t)2 << 30);
    CHECK_TEXT(c.values[CONFIG_api_port].source, "sluice.yaml:2");
    CHECK_OK(config_set(&c, "api.port=-1", &d), &d);
    CHECK_INT(config_number(&c, CONFIG_api_port), -1);
    CHECK_TEXT(c.values[CONFIG_api_port].source, "--set");
    config_done(&c);
}

TEST(config_takes_the_environment_between_the_file_and_set)
{
    struct config c;
    struct diag d;
    CHECK_INT(setenv("SLUICE_API_PORT", "8002", 1), 0);
    CHECK_INT(setenv("SLUICE_KAFKA_TLS_PORT", "9443", 1), 0);
    CHECK_OK(load(&c, "api.port: 8001\nkafka.tls_port: 9093\n", &d), &d);
    CHECK_OK(config_environment(&c, &d), &d);
    CHECK_OK(config_set(&c, "kafka.tls_port=9444", &d), &d);
    CHECK_INT(config_number(&c, CONFIG_api_port), 8002);
    CHECK_TEXT(c.values[CONFIG_api_port].source, "SLUICE_API_PORT");
    CHECK_INT(config_number(&c, CONFIG_kafka_tls_port), 9444);
    CHECK_TEXT(c.values[CONFIG_kafka_tls_port].source, "--set");
    CHECK_INT(setenv("SLUICE_API_PORT", "many", 1), 0);
    CHECK_ERR(config_environment(&c, &d), ERR_CONFIG);
    CHECK(strstr(d.where, "SLUICE_API_PORT"));
    unsetenv("SLUICE_API_PORT");
    unsetenv("SLUICE_KAFKA_TLS_PORT");
    config_done(&c);
}

TEST(config_tells_a_wrong_zone_with_its_place_and_the_nearest_name)
{
    struct config c;
    struct diag d = {0};
    CHECK_OK(load(&c, "workflows: {default_timezone: Europe/Berlin}\n", &d), &d);
    config_done(&c);
    CHECK_ERR(load(&c, "api.port: 8001\nworkflows:\n  default_timezone: Europe/Berlim\n", &d),
              ERR_CONFIG);
    CHECK_TEXT(d.what, "workflows.default_timezone can not be 'Europe/Berlim'");
    CHECK_TEXT(d.hint, "did you mean 'Europe/Berlin'?");
    CHECK(strstr(d.where, "sluice.yaml:3:21"));
    config_done(&c);
}

TEST(config_shows_no_password)
{
    static const char *const rows[][2] = {
        {"sqlite", "sqlite"},
        {"postgresql://airflow:s3cr@t:x@db:5432/meta", "postgresql://airflow:***@db:5432/meta"},
        {"postgresql://airflow@db/meta", "postgresql://airflow@db/meta"},
        {"postgresql:///meta?user=a&password=b&host=c",
         "postgresql:///meta?user=a&password=***&host=c"},
        {"postgresql://u:p@h/x?password=q", "postgresql://u:***@h/x?password=***"},
        {"host=db password=b user=a", "host=db password=*** user=a"},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config c;
        struct diag d;
        char set[128];
        struct buf out = buf_make(KIB(1));
        snprintf(set, sizeof(set), "workflows.database=%s", rows[i][0]);
        CHECK_OK(config_init(&c, &d), &d);
        CHECK_OK(config_set(&c, set, &d), &d);
        config_put_shown(&c, CONFIG_workflows_database, &out);
        CHECK_TEXT(buf_cstr(&out), rows[i][1]);
        buf_done(&out);
        config_done(&c);
    }
}

TEST(config_mistakes_name_place_and_fix)
{
    static const struct {
        const char *text, *where, *hint;
        err_t want;
    } rows[] = {
        {"api:\n  prot: 8001\n", "sluice.yaml:2:3", "api.port", ERR_CONFIG},
        {"api:\n  port: many\n", "sluice.yaml:2:9", "a port from 0", ERR_CONFIG},
        {"api:\n  port: 70000\n", "sluice.yaml:2:9", "65535", ERR_RANGE},
        {"api: [1, 2\n", "sluice.yaml:2:1", "", ERR_CONFIG},
        {"api:\n  port: 1\napi:\n  port: 2\n", "sluice.yaml:3:1", "", ERR_CONFIG},
        {"- a list\n", "sluice.yaml:1:1", "", ERR_CONFIG},
        {"api:\n  port: [1]\n", "sluice.yaml:2:9", "", ERR_CONFIG},
        {"a: {b: {c: {d: {e: {f: {g: {h: {i: {j: 1}}}}}}}}}\n", "sluice.yaml:1", "", ERR_TOO_DEEP},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct config c;
        struct diag d;
        CHECK_ERR(load(&c, rows[i].text, &d), rows[i].want);
        if (strncmp(d.where, rows[i].where, strlen(rows[i].where)) != 0)
            test_failed(__FILE__, __LINE__, "row %zu: where is '%s'", i, d.where);
        if (!strstr(d.hint, rows[i].hint))
            test_failed(__FILE__, __LINE__, "row %zu: hint is '%s'", i, d.hint);
        config_done(&c);
    }
}
