/* Records chosen by a condition: paths, declared columns, the record's own; what can not be
 * computed does not fit and is told; what is no condition on one record is refused. */
#include "flow/record_where.h"
#include "test.h"

static struct sql_column typed_columns[2];
static struct sql_relation relations[2];

static const struct sql_relation *find(void *ctx, struct slice keyspace, struct slice name)
{
    (void)ctx;
    for (size_t i = 0; i < COUNT_OF(relations); i++)
        if (!keyspace.at && slice_equal(name, relations[i].name)) return &relations[i];
    return NULL;
}

static size_t names(void *ctx, const char **out, size_t max)
{
    (void)ctx, (void)out, (void)max;
    return 0;
}

static struct sql_catalog catalog(void)
{
    relations[0] =
        (struct sql_relation){.kind = RELATION_TOPIC, .name = SLICE("events"), .open = true};
    relations[1] = (struct sql_relation){.kind = RELATION_TOPIC,
                                         .name = SLICE("typed"),
                                         .columns = typed_columns,
                                         .column_count = 2};
    typed_columns[0] = (struct sql_column){.name = SLICE("n"), .type = type_of(TYPE_BIGINT)};
    typed_columns[1] = (struct sql_column){.name = SLICE("name"), .type = type_of(TYPE_TEXT)};
    return (struct sql_catalog){.find = find, .names = names};
}

static const char *const documents[] = {
    "{\"n\":1,\"name\":\"ada\",\"at\":{\"city\":\"Oslo\"},\"tags\":[\"x\"]}",
    "{\"n\":2,\"name\":\"Bob\",\"at\":{\"city\":\"Rome\"},\"tags\":[\"y\",\"x\"]}",
    "{\"n\":\"three\",\"name\":null}",
    "no json",
    NULL,
};
enum { DOCUMENTS = COUNT_OF(documents) };

/* "1,2 ?1": the offsets that fit, and how many were not sure. */
static const char *fitting(const char *topic, const char *condition)
{
    static char text[300], bytes[DOCUMENTS][200];
    struct record_seen rows[DOCUMENTS];
    struct record_where *w;
    struct sql_catalog c = catalog();
    struct diag d = {0};
    bool fits[DOCUMENTS];
    uint32_t unsure = 0;
    char why[RECORD_WHERE_WHY_MAX] = "";
    struct buf b = buf_over(text, sizeof(text) - 1);
    err_t e = record_where_new(&c, slice_of(topic), slice_of(condition), &w, &d);
    if (e) {
        buf_printf(&b, "%s", err_name(e));
        text[b.len] = 0;
        return text;
    }
    memset(bytes, 0, sizeof(bytes));
    for (int i = 0; i < DOCUMENTS; i++) {
        if (documents[i]) snprintf(bytes[i], 100, "%s", documents[i]);
        rows[i] =
            (struct record_seen){.key = i == 1 ? SLICE("k1") : (struct slice){0},
                                 .value = documents[i] ? slice_of(bytes[i]) : (struct slice){0},
                                 .offset = 10 + i,
                                 .time_ms = 1700000000000 + i,
                                 .partition = i % 2};
    }
    for (int again = 0; again < 2; again++) {
        buf_reset(&b);
        CHECK_OK(record_where_run(w, rows, DOCUMENTS, 5, fits, &unsure, why, &d), &d);
        for (int i = 0; i < DOCUMENTS; i++)
            if (fits[i]) buf_printf(&b, "%d ", 10 + i);
        buf_printf(&b, "?%u", unsure);
    }
    CHECK((unsure > 0) == (why[0] != 0));
    text[b.len] = 0;
    record_where_free(w);
    return text;
}

TEST(records_that_a_condition_is_true_of_are_found)
{
    CHECK_TEXT(fitting("events", "at.city = 'Oslo'"), "10 ?1");
    CHECK_TEXT(fitting("events", "name ILIKE 'b%' -- the second"), "11 ?1");
    CHECK_TEXT(fitting("events", "CAST(n AS bigint) > 1"), "11 ?2"); /* 'three' is no number */
    CHECK_TEXT(fitting("events", "TRY_CAST(n AS bigint) >= 1"), "10 11 ?1");
    CHECK_TEXT(fitting("events", "_key = 'k1'"), "11 ?0");
    CHECK_TEXT(fitting("events", "_key IS NULL AND _offset >= 12"), "12 13 14 ?0");
    CHECK_TEXT(fitting("events", "_partition = 1"), "11 13 ?0");
    CHECK_TEXT(fitting("events", "_timestamp < TIMESTAMP '2023-11-14 22:13:20.002Z'"), "10 11 ?0");
    CHECK_TEXT(fitting("events", "1 = 1"), "10 11 12 13 14 ?0");
    CHECK_TEXT(fitting("typed", "n = 2 OR name = 'ada'"), "10 11 ?2");
}

TEST(what_is_no_condition_on_one_record_is_refused)
{
    CHECK_TEXT(fitting("events", "name ="), "SYNTAX");
    CHECK_TEXT(fitting("events", "1 = 1) UNION ALL SELECT 1 FROM events WHERE (true"), "SYNTAX");
    CHECK_TEXT(fitting("events", "true UNION ALL SELECT 1 FROM events"), "USAGE");
    CHECK_TEXT(fitting("events", "true; SELECT 1"), "USAGE");
    CHECK_TEXT(fitting("events", "true LIMIT 5"), "USAGE");
    CHECK_TEXT(fitting("events", "true GROUP BY name"), "USAGE");
    CHECK_TEXT(fitting("events", ""), "SYNTAX");
    CHECK_TEXT(fitting("events", "count(*) > 1"), "SYNTAX");
    CHECK_TEXT(fitting("typed", "name"), "TYPE");
    CHECK_TEXT(fitting("typed", "nothing = 1"), "UNKNOWN_COLUMN");
    CHECK_TEXT(fitting("gone", "n = 1"), "UNKNOWN_NAME");
}
