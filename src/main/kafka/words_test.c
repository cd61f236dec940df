/* Goal: what people write on Kafka's command lines is read as Kafka reads it. Method: the examples
 * of its documentation; mistakes of each kind. */
#include "main/kafka/feed.h"
#include "main/kafka/reading.h"
#include "main/kafka/show_record.h"
#include "main/kafka/tool_words.h"
#include "main/kafka/tools.h"

#include "os/file.h"
#include "test.h"

TEST(kafka_times_are_read_as_utc_or_with_their_zone)
{
    int64_t ms;
    CHECK(datetime_parse("2026-11-21T08:00:00.123", &ms));
    CHECK_INT(ms, 1795248000123);
    CHECK(datetime_parse("2026-11-21T08:00:00Z", &ms));
    CHECK_INT(ms, 1795248000000);
    CHECK(datetime_parse("2026-11-21T09:30:00+01:30", &ms));
    CHECK_INT(ms, 1795248000000);
    CHECK(datetime_parse("2026-11-21T07:00:00.000-0100", &ms));
    CHECK_INT(ms, 1795248000000);
    CHECK(!datetime_parse("2026-13-21T08:00:00", &ms));
    CHECK(!datetime_parse("2026-11-21T08:00:00 tomorrow", &ms));
    CHECK(!datetime_parse("", &ms));
}

TEST(kafka_durations_are_javas)
{
    int64_t ms;
    CHECK(duration_parse("P2DT3H4M", &ms));
    CHECK_INT(ms, ((2 * 24 + 3) * 60 + 4) * INT64_C(60000));
    CHECK(duration_parse("PT15M", &ms));
    CHECK_INT(ms, 900000);
    CHECK(duration_parse("PT20.345S", &ms));
    CHECK_INT(ms, 20345);
    CHECK(!duration_parse("P1M", &ms)); /* months are no duration */
    CHECK(!duration_parse("1D", &ms));
    CHECK(!duration_parse("P", &ms));
}

TEST(kafka_places_in_a_topic)
{
    enum reading_start s = START_END;
    struct diag d = {0};
    int64_t n = 0;
    CHECK_OK(reading_start_parse("beginning", &s, &n, &d), &d);
    CHECK_INT(s, START_BEGINNING);
    CHECK_OK(reading_start_parse("-5", &s, &n, &d), &d);
    CHECK(s == START_BACK && n == 5);
    CHECK_OK(reading_start_parse("17", &s, &n, &d), &d);
    CHECK(s == START_OFFSET && n == 17);
    CHECK_OK(reading_start_parse("2026-11-21", &s, &n, &d), &d);
    CHECK(s == START_TIME && n == 1795219200000);
    CHECK_INT(reading_start_parse("yesterday", &s, &n, &d), ERR_USAGE);
}

TEST(kafka_settings_are_listed_with_brackets_around_commas)
{
    const char *list = "a=1,b=[x,y=z],c,d=";
    struct slice name, value;
    CHECK(next_setting(&list, &name, &value));
    CHECK_SLICE(value, "1");
    CHECK(next_setting(&list, &name, &value));
    CHECK_SLICE(name, "b");
    CHECK_SLICE(value, "x,y=z");
    CHECK(next_setting(&list, &name, &value));
    CHECK(value.at == NULL);
    CHECK(next_setting(&list, &name, &value));
    CHECK(value.at && value.len == 0);
    CHECK(!next_setting(&list, &name, &value));
}

TEST(kafka_properties_come_from_the_file_and_the_options_and_the_last_wins)
{
    char path[300];
    struct arena *a = arena_new(MIB(1));
    struct properties *p = NULL;
    struct diag d = {0};
    snprintf(path, sizeof(path), "%s/client.properties", test_dir());
    CHECK_OK(file_store(path, SLICE("# a comment\nacks = 1\r\nclient.id=x\n\n!old\n"), &d), &d);
    struct session_from from = {.file = path, .properties = {"client.id=y"}, .property_count = 1};
    CHECK_OK(properties_read(&from, a, &p, &d), &d);
    CHECK_TEXT(properties_value(p, "acks"), "1");
    CHECK_TEXT(properties_value(p, "client.id"), "y");
    CHECK(properties_value(p, "linger.ms") == NULL);
    CHECK_OK(file_store(path, SLICE("good=1\nno equals\n"), &d), &d);
    CHECK_INT(properties_read(&from, a, &p, &d), ERR_USAGE);
    CHECK(strstr(d.where, "client.properties:2") != NULL);
    arena_free(a);
}

TEST(kafka_lines_are_parted_into_headers_key_and_value)
{
    struct line_format f = line_format_usual();
    struct line_reader r;
    struct kafka_produced out;
    struct diag d = {0};
    f.parse_key = f.parse_headers = true;
    f.null_marker = SLICE("NULL");
    CHECK_OK(line_reader_open(&r, &f, &d), &d);
    CHECK_OK(line_to_record(&r, SLICE("a:1,b:NULL\tkey\tvalue\twith a tab"), &out, &d), &d);
    CHECK_INT(out.header_count, 2);
    CHECK_SLICE(out.headers[0].value, "1");
    CHECK(out.headers[1].value_null);
    CHECK_SLICE(out.key, "key");
    CHECK_SLICE(out.value, "value\twith a tab");
    CHECK_OK(line_to_record(&r, SLICE("NULL\tNULL\tNULL"), &out, &d), &d);
    CHECK(out.header_count == 0 && !out.key.at && !out.value.at);
    CHECK_INT(line_to_record(&r, SLICE("nothing"), &out, &d), ERR_RECORD);
    CHECK_TEXT(d.what, "No headers delimiter found on line number 3: 'nothing'");
    line_reader_close(&r);
}

TEST(kafka_json_lines_are_records)
{
    struct line_format f = line_format_usual();
    struct line_reader r;
    struct kafka_produced out;
    struct diag d = {0};
    f.json = true;
    CHECK_OK(line_reader_open(&r, &f, &d), &d);
    CHECK_OK(
        line_to_record(&r,
                       SLICE("{\"key\": \"k\\u00e9\", \"value\": {\"a\": [1]}, \"partition\": 3, "
                             "\"timestamp\": 17, \"headers\": [{\"key\": \"h\", \"value\": "
                             "null}, {\"key\": \"i\", \"value\": \"x\"}]}"),
                       &out, &d),
        &d);
    CHECK_SLICE(out.key, "k\xc3\xa9");
    CHECK_SLICE(out.value, "{\"a\": [1]}");
    CHECK_INT(out.partition, 3);
    CHECK_INT(out.timestamp, 17);
    CHECK_INT(out.header_count, 2);
    CHECK(out.headers[0].value_null);
    CHECK_SLICE(out.headers[1].value, "x");
    CHECK_OK(line_to_record(&r, SLICE("{\"value\": {\"base64\": \"AP8=\"}}"), &out, &d), &d);
    CHECK(out.value.len == 2 && out.value.at[1] == 0xff && !out.key.at && out.partition == -1);
    CHECK(line_to_record(&r, SLICE("{\"value\": "), &out, &d) != ERR_OK);
    CHECK_TEXT(d.where, "line 3");
    CHECK_INT(line_to_record(&r, SLICE("{\"partition\": -1}"), &out, &d), ERR_RECORD);
    line_reader_close(&r);
}

TEST(kafka_records_are_printed_as_the_default_formatter_does)
{
    struct record_format f = record_format_usual();
    struct kafka_spot spot = {.topic = SLICE("t"), .partition = 2};
    struct kafka_taken t = {
        .spot = &spot,
        .record = {.offset = 7, .timestamp = 5, .key_null = true, .value = SLICE("v")}};
    struct buf out = buf_make(4096);
    put_record(&out, &f, &t);
    CHECK_TEXT(buf_cstr(&out), "v\n");
    CHECK(record_format_set(&f, SLICE("print.timestamp"), SLICE("true")));
    CHECK(record_format_set(&f, SLICE("print.partition"), SLICE(" TRUE ")));
    CHECK(record_format_set(&f, SLICE("print.offset"), SLICE("true")));
    CHECK(record_format_set(&f, SLICE("print.headers"), SLICE("true")));
    CHECK(record_format_set(&f, SLICE("print.key"), SLICE("true")));
    CHECK(record_format_set(&f, SLICE("key.separator"), SLICE("|")));
    CHECK(!record_format_set(&f, SLICE("print.nothing"), SLICE("true")));
    buf_reset(&out);
    put_record(&out, &f, &t);
    CHECK_TEXT(buf_cstr(&out), "CreateTime:5|Partition:2|Offset:7|NO_HEADERS|null|v\n");
    buf_reset(&out);
    t.record.value = slice_make("\xff\x00", 2);
    put_record_json(&out, &t);
    CHECK_TEXT(buf_cstr(&out),
               "{\"topic\": \"t\", \"partition\": 2, \"offset\": 7, \"timestamp\": 5, "
               "\"key\": null, \"value\": {\"base64\": \"/wA=\"}, \"headers\": []}\n");
    buf_done(&out);
}

TEST(kafka_errors_get_their_java_names)
{
    struct diag d = {0};
    struct buf out = buf_make(4096);
    (void)!kafka_client_error(KAFKA_ERROR_GROUP_ID_NOT_FOUND, (struct slice){0}, &d, "deleting");
    put_java_error(&out, &d);
    CHECK_TEXT(buf_cstr(&out), "org.apache.kafka.common.errors.GroupIdNotFoundException: The group "
                               "id does not exist.");
    buf_reset(&out);
    (void)!kafka_client_error(KAFKA_ERROR_NON_EMPTY_GROUP, SLICE("why"), &d, "deleting");
    put_java_error(&out, &d);
    CHECK_TEXT(buf_cstr(&out), "org.apache.kafka.common.errors.GroupNotEmptyException: why");
    buf_done(&out);
}

TEST(kafka_tools_are_known_by_their_names)
{
    CHECK(tool_named("/opt/bin/kafka-topics.sh") != NULL);
    CHECK(tool_named("kafka-console-consumer") != NULL);
    CHECK(tool_named("sluice") == NULL);
    CHECK(tool_named("kafka-topicsxsh") == NULL);
}
