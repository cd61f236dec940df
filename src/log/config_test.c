/* Topics' configuration. Names, kinds, defaults and limits below were printed by Kafka 4.4.0's own
 * LogConfig.configKeys(); the messages are those of its ConfigDef. */
#include "log/log_test_kit.h"

static const struct {
    const char *name, *fallback;
    enum log_config_kind kind;
} kafka_4_4[] = {
    {"cleanup.policy", "delete", LOG_CONFIG_LIST},
    {"compression.gzip.level", "-1", LOG_CONFIG_INT},
    {"compression.lz4.level", "9", LOG_CONFIG_INT},
    {"compression.type", "producer", LOG_CONFIG_STRING},
    {"compression.zstd.level", "3", LOG_CONFIG_INT},
    {"delete.retention.ms", "86400000", LOG_CONFIG_LONG},
    {"errors.deadletterqueue.group.enable", "false", LOG_CONFIG_BOOL},
    {"file.delete.delay.ms", "60000", LOG_CONFIG_LONG},
    {"flush.messages", "9223372036854775807", LOG_CONFIG_LONG},
    {"flush.ms", "9223372036854775807", LOG_CONFIG_LONG},
    {"follower.replication.throttled.replicas", "", LOG_CONFIG_LIST},
    {"index.interval.bytes", "4096", LOG_CONFIG_INT},
    {"leader.replication.throttled.replicas", "", LOG_CONFIG_LIST},
    {"local.retention.bytes", "-2", LOG_CONFIG_LONG},
    {"local.retention.ms", "-2", LOG_CONFIG_LONG},
    {"max.compaction.lag.ms", "9223372036854775807", LOG_CONFIG_LONG},
    {"max.decompressed.message.bytes", "2147483639", LOG_CONFIG_INT},
    {"max.message.bytes", "1048588", LOG_CONFIG_INT},
    {"message.timestamp.after.max.ms", "3600000", LOG_CONFIG_LONG},
    {"message.timestamp.before.max.ms", "9223372036854775807", LOG_CONFIG_LONG},
    {"message.timestamp.type", "CreateTime", LOG_CONFIG_STRING},
    {"min.cleanable.dirty.ratio", "0.5", LOG_CONFIG_DOUBLE},
    {"min.compaction.lag.ms", "0", LOG_CONFIG_LONG},
    {"min.insync.replicas", "1", LOG_CONFIG_INT},
    {"preallocate", "false", LOG_CONFIG_BOOL},
    {"remote.copy.lag.bytes", "-1", LOG_CONFIG_LONG},
    {"remote.copy.lag.ms", "0", LOG_CONFIG_LONG},
    {"remote.log.copy.disable", "false", LOG_CONFIG_BOOL},
    {"remote.log.delete.on.disable", "false", LOG_CONFIG_BOOL},
    {"remote.storage.enable", "false", LOG_CONFIG_BOOL},
    {"retention.bytes", "-1", LOG_CONFIG_LONG},
    {"retention.ms", "604800000", LOG_CONFIG_LONG},
    {"segment.bytes", "1073741824", LOG_CONFIG_INT},
    {"segment.index.bytes", "10485760", LOG_CONFIG_INT},
    {"segment.jitter.ms", "0", LOG_CONFIG_LONG},
    {"segment.ms", "604800000", LOG_CONFIG_LONG},
    {"unclean.leader.election.enable", "false", LOG_CONFIG_BOOL},
};

static size_t row_of(const char *name)
{
    size_t count, i = 0;
    const struct log_config_row *rows = log_config_rows(&count);
    while (i < count && strcmp(rows[i].name, name) != 0) i++;
    if (i == count) test_failed(__FILE__, __LINE__, "no row %s", name);
    return i < count ? i : 0;
}

/* "value", or "value*" when it is the topic's own. */
static const char *text_of(struct log_topic *t, const char *name)
{
    static char text[512];
    struct buf b = buf_over(text, sizeof(text) - 1);
    bool own = false;
    CHECK_OK(log_config_text(t, row_of(name), &b, &own), NULL);
    text[b.len] = 0;
    return own ? strcat(text, "*") : text;
}

static struct log_config_change set(const char *name, const char *value)
{
    return (struct log_config_change){LOG_CONFIG_SET, slice_of(name), slice_of(value)};
}

static err_t alter(struct fixture *f, enum log_config_change_kind kind, const char *name,
                   const char *value, struct diag *d)
{
    struct log_config_change c = {kind, slice_of(name),
                                  value ? slice_of(value) : (struct slice){0}};
    return log_topic_alter(f->log, f->topic, &c, 1, false, false, d);
}

TEST(a_topic_has_the_configuration_that_a_kafka_4_4_broker_lists)
{
    struct fixture f = fixture_open("rows");
    size_t count, listed = 0;
    const struct log_config_row *rows = log_config_rows(&count);
    for (size_t i = 0; i < count; i++) listed += !rows[i].old;
    CHECK_INT(listed, COUNT_OF(kafka_4_4));
    for (size_t i = 0; i < COUNT_OF(kafka_4_4); i++) {
        const struct log_config_row *row = &rows[row_of(kafka_4_4[i].name)];
        CHECK_TEXT(row->fallback, kafka_4_4[i].fallback);
        CHECK_INT(row->kind, kafka_4_4[i].kind);
        CHECK_TEXT(text_of(f.topic, row->name), kafka_4_4[i].fallback);
    }
    fixture_close(&f);
}

TEST(a_value_that_can_not_be_is_refused_in_kafkas_words)
{
    static const struct {
        const char *name, *value, *what;
    } bad[] = {
        {"retention.ms", "x",
         "Invalid value x for configuration retention.ms: Not a number of type LONG"},
        {"retention.ms", "-2",
         "Invalid value -2 for configuration retention.ms: Value must be at least -1"},
        {"segment.bytes", "13",
         "Invalid value 13 for configuration segment.bytes: Value must be at least 14"},
        {"segment.bytes", "4294967296",
         "Invalid value 4294967296 for configuration segment.bytes: Not a number of type INT"},
        {"min.cleanable.dirty.ratio", "1.5",
         "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more "
         "than 1"},
        {"min.cleanable.dirty.ratio", "half",
         "Invalid value half for configuration min.cleanable.dirty.ratio: Not a number of type "
         "DOUBLE"},
        {"min.cleanable.dirty.ratio", "nan",
         "Invalid value nan for configuration min.cleanable.dirty.ratio: Not a number of type "
         "DOUBLE"},
        {"preallocate", "yes",
         "Invalid value yes for configuration preallocate: Expected value to be either true or "
         "false"},
        {"cleanup.policy", "compact,shred",
         "Invalid value shred for configuration cleanup.policy: String must be one of: compact, "
         "delete"},
        {"compression.type", "brotli",
         "Invalid value brotli for configuration compression.type: String must be one of: "
         "uncompressed, zstd, lz4, snappy, gzip, producer"},
        {"message.timestamp.type", "createtime",
         "Invalid value createtime for configuration message.timestamp.type: String must be one "
         "of: CreateTime, LogAppendTime"},
        {"leader.replication.throttled.replicas", "1:2,x",
         "Invalid value [1:2,x] for configuration leader.replication.throttled.replicas: "
         "leader.replication.throttled.replicas must be the literal '*' or a list of replicas"},
        {"min.compaction.lag.ms", "10", ""}, /* a good one */
        {"remote.storage.enable", "true",
         "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with "
         "remote log storage."},
        {"retention.mss", "1", "Unknown topic config name: retention.mss"},
        {"max.message.bytes", "67108865",
         "Invalid value 67108865 for configuration max.message.bytes: Value must be no more than "
         "67108864"},
    };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct diag d = {0};
        struct log_topic_config c;
        struct log_config_change change = set(bad[i].name, bad[i].value);
        err_t e = log_topic_config_parse(&change, 1, &c, &d);
        if (e != (bad[i].what[0] ? ERR_CONFIG : ERR_OK) ||
            strncmp(d.what, bad[i].what, strlen(bad[i].what)) != 0)
            test_failed(__FILE__, __LINE__, "%s=%s: %s '%s'", bad[i].name, bad[i].value,
                        err_name(e), d.what);
    }
    struct diag d = {0};
    struct log_topic_config c;
    struct log_config_change both[] = {set("cleanup.policy", "compact"),
                                       set("min.compaction.lag.ms", "11"),
                                       set("max.compaction.lag.ms", "10")};
    CHECK_ERR(log_topic_config_parse(both, 3, &c, &d), ERR_CONFIG);
    CHECK_TEXT(
        d.what,
        "conflict topic config setting min.compaction.lag.ms (11) > max.compaction.lag.ms (10)");
    both[0].value = (struct slice){0};
    CHECK_ERR(log_topic_config_parse(both, 1, &c, &d), ERR_CONFIG);
    CHECK_TEXT(d.what, "Null value not supported for topic configs: cleanup.policy");
}

TEST(a_change_is_durable_and_knows_what_is_the_topics_own)
{
    struct fixture f = fixture_open_sized("alter", 5000);
    struct diag d = {0};
    CHECK_TEXT(text_of(f.topic, "segment.bytes"), "5000*"); /* given as a struct: it differs */
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "retention.ms", " +60000 ", &d), &d);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "retention.bytes", "-1", &d),
             &d); /* own, though the default */
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "min.cleanable.dirty.ratio", "0.05", &d), &d);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "message.timestamp.type", "LogAppendTime", &d), &d);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "compression.type", "zstd", &d), &d);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "follower.replication.throttled.replicas", "0:1,2:3", &d),
             &d);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "message.format.version", "2.8", &d), &d);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "preallocate", "TRUE", &d), &d);
    for (int round = 0; round < 2; round++) {
        CHECK_TEXT(text_of(f.topic, "segment.bytes"), "5000*");
        CHECK_TEXT(text_of(f.topic, "retention.ms"), "60000*");
        CHECK_TEXT(text_of(f.topic, "retention.bytes"), "-1*");
        CHECK_TEXT(text_of(f.topic, "min.cleanable.dirty.ratio"), "0.05*");
        CHECK_TEXT(text_of(f.topic, "message.timestamp.type"), "LogAppendTime*");
        CHECK_TEXT(text_of(f.topic, "compression.type"), "zstd*");
        CHECK_TEXT(text_of(f.topic, "follower.replication.throttled.replicas"), "0:1,2:3*");
        CHECK_TEXT(text_of(f.topic, "message.format.version"), "2.8*");
        CHECK_TEXT(text_of(f.topic, "preallocate"), "true*");
        CHECK_TEXT(text_of(f.topic, "segment.ms"), "604800000");
        CHECK_INT(log_topic_config(f.topic).retention_ms, 60000);
        fixture_reopen(&f);
    }
    CHECK_OK(alter(&f, LOG_CONFIG_DELETE, "retention.ms", NULL, &d), &d);
    CHECK_TEXT(text_of(f.topic, "retention.ms"), "604800000");
    CHECK_OK(alter(&f, LOG_CONFIG_DELETE, "segment.bytes", NULL, &d), &d);
    CHECK_TEXT(text_of(f.topic, "segment.bytes"), "1073741824");
    fixture_close(&f);
}

TEST(lists_are_added_to_and_taken_from)
{
    struct fixture f = fixture_open("lists");
    struct diag d = {0};
    CHECK_OK(alter(&f, LOG_CONFIG_APPEND, "cleanup.policy", "compact", &d), &d);
    CHECK_TEXT(text_of(f.topic, "cleanup.policy"), "compact,delete*");
    CHECK_OK(alter(&f, LOG_CONFIG_APPEND, "cleanup.policy", "compact,delete", &d), &d);
    CHECK_TEXT(text_of(f.topic, "cleanup.policy"), "compact,delete*");
    CHECK_OK(alter(&f, LOG_CONFIG_SUBTRACT, "cleanup.policy", "delete", &d), &d);
    CHECK_TEXT(text_of(f.topic, "cleanup.policy"), "compact*");
    CHECK(log_topic_config(f.topic).compact && !log_topic_config(f.topic).delete);
    CHECK_OK(alter(&f, LOG_CONFIG_SUBTRACT, "cleanup.policy", "compact", &d), &d);
    CHECK_TEXT(text_of(f.topic, "cleanup.policy"), "*"); /* empty since Kafka 4.1: all stays */
    CHECK_ERR(alter(&f, LOG_CONFIG_APPEND, "retention.ms", "1", &d), ERR_CONFIG);
    CHECK_TEXT(d.what, "Can't APPEND to key retention.ms because its type is not LIST.");
    CHECK_OK(alter(&f, LOG_CONFIG_APPEND, "leader.replication.throttled.replicas", "0:0", &d), &d);
    CHECK_OK(alter(&f, LOG_CONFIG_APPEND, "leader.replication.throttled.replicas", "1:0,0:0", &d),
             &d);
    CHECK_TEXT(text_of(f.topic, "leader.replication.throttled.replicas"), "0:0,1:0*");
    CHECK_OK(alter(&f, LOG_CONFIG_SUBTRACT, "leader.replication.throttled.replicas", "0:0", &d),
             &d);
    CHECK_TEXT(text_of(f.topic, "leader.replication.throttled.replicas"), "1:0*");
    fixture_close(&f);
}

TEST(replacing_forgets_the_rest_and_validating_changes_nothing)
{
    struct fixture f = fixture_open_sized("replace", 5000);
    struct diag d = {0};
    struct log_config_change c[] = {set("retention.ms", "7"), set("retention.bytes", "x")};
    CHECK_OK(log_topic_alter(f.log, f.topic, c, 1, true, true, &d), &d);
    CHECK_TEXT(text_of(f.topic, "retention.ms"), "604800000");
    CHECK_ERR(log_topic_alter(f.log, f.topic, c, 2, true, false, &d), ERR_CONFIG);
    CHECK_TEXT(text_of(f.topic, "retention.ms"), "604800000"); /* all, or nothing */
    CHECK_OK(log_topic_alter(f.log, f.topic, c, 1, true, false, &d), &d);
    CHECK_TEXT(text_of(f.topic, "retention.ms"), "7*");
    CHECK_TEXT(text_of(f.topic, "segment.bytes"), "1073741824");
    CHECK_OK(log_topic_delete(f.log, SLICE("replace"), &d), &d);
    CHECK_ERR(log_topic_alter(f.log, f.topic, c, 1, true, false, &d), ERR_UNKNOWN_TOPIC);
    fixture_close(&f);
}

TEST(a_change_is_in_force_for_the_next_append)
{
    struct fixture f = fixture_open("force");
    struct diag d = {0};
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 5000}), 0);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "max.message.bytes", "1000", &d), &d);
    CHECK(append_one(&f, (struct batch_want){.count = 1, .size = 5000}) < 0);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "segment.bytes", "4000", &d), &d);
    CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 500}), 1);
    CHECK_INT(files_with(&f, ".log"), 2);
    fixture_close(&f);
}

/* A topic's file of format 1, byte for byte as the first version wrote it. */
TEST(a_topic_of_the_older_format_is_opened_and_written_anew)
{
    struct fixture f = fixture_open("older");
    struct buf body = buf_make(KIB(4));
    struct diag d = {0};
    char path[1100], hex[40];
    struct buf name = buf_over(hex, sizeof(hex) - 1);
    put_hex(&name, log_topic_id(f.topic), 16);
    hex[name.len] = 0;
    buf_put(&body, log_topic_id(f.topic), 16);
    buf_be(&body, 5, 2);
    buf_text(&body, "older");
    buf_be(&body, 1, 4);
    buf_be(&body, 12345, 8);
    buf_be(&body, UINT64_MAX, 8);
    buf_be(&body, 7000, 8);
    buf_be(&body, 1048588, 4);
    buf_be(&body, 4 | 2, 1);
    buf_be(&body, 0, 1);
    log_close(f.log);
    f.log = NULL;
    snprintf(path, sizeof(path), "%s/topics/%s", f.options.dir, hex);
    CHECK_OK(sealed_store(path, "SLUICEtm", 1, &body, &d), &d);
    for (int round = 0; round < 2; round++) {
        fixture_reopen(&f);
        CHECK_TEXT(text_of(f.topic, "retention.ms"), "12345*");
        CHECK_TEXT(text_of(f.topic, "segment.bytes"), "7000*");
        CHECK_TEXT(text_of(f.topic, "message.timestamp.type"), "LogAppendTime*");
        CHECK_TEXT(text_of(f.topic, "cleanup.policy"), "delete");
        CHECK_TEXT(text_of(f.topic, "max.message.bytes"), "1048588");
        CHECK_OK(alter(&f, LOG_CONFIG_SET, "flush.ms", "1", &d), &d);
    }
    buf_done(&body);
    fixture_close(&f);
}

TEST(the_timestamp_limits_of_kafka_3_stand_for_both)
{
    struct fixture f = fixture_open("difference");
    struct diag d = {0};
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "message.timestamp.difference.max.ms", "500", &d), &d);
    CHECK_INT(f.topic->config.timestamp_before_max_ms, 500);
    CHECK_INT(f.topic->config.timestamp_after_max_ms, 500);
    CHECK_OK(alter(&f, LOG_CONFIG_SET, "message.timestamp.after.max.ms", "900", &d), &d);
    CHECK_INT(f.topic->config.timestamp_before_max_ms, 500);
    CHECK_INT(f.topic->config.timestamp_after_max_ms, 900);
    fixture_close(&f);
}

TEST(a_coordinators_topic_is_compacted_whatever_is_asked)
{
    struct fixture f = fixture_open("__consumer_offsets");
    struct diag d = {0};
    struct log_config_change none = set("retention.ms", "5");
    CHECK(log_topic_is_internal(f.topic));
    CHECK_TEXT(text_of(f.topic, "cleanup.policy"), "compact*");
    CHECK_TEXT(text_of(f.topic, "segment.bytes"), "104857600*");
    CHECK_OK(log_topic_alter(f.log, f.topic, &none, 1, true, false, &d), &d);
    CHECK_TEXT(text_of(f.topic, "cleanup.policy"), "compact*");
    CHECK_OK(alter(&f, LOG_CONFIG_DELETE, "cleanup.policy", NULL, &d), &d);
    CHECK_TEXT(text_of(f.topic, "cleanup.policy"), "compact*");
    fixture_close(&f);
}

TEST(a_topic_grows_and_old_partitions_stay_where_they_are)
{
    struct fixture f = fixture_open("grow");
    struct diag d = {0};
    struct log_partition *first = f.p;
    CHECK_INT(append_one(&f, (struct batch_want){.count = 3}), 0);
    for (int n = 2; n < 20; n += n < 5 ? 1 : 4) {
        CHECK_OK(log_topic_grow(f.log, f.topic, n, &d), &d);
        CHECK_INT(log_topic_partitions(f.topic), n);
        CHECK(log_partition(f.topic, 0) == first);
        f.p = log_partition(f.topic, n - 1);
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1}), 0);
    }
    int32_t last = log_topic_partitions(f.topic);
    CHECK_ERR(log_topic_grow(f.log, f.topic, last, &d), ERR_PARTITIONS);
    CHECK_ERR(log_topic_grow(f.log, f.topic, 1, &d), ERR_PARTITIONS);
    CHECK(strstr(d.what, "would not be an increase.") != NULL);
    CHECK_ERR(log_topic_grow(f.log, f.topic, 1000000, &d), ERR_PARTITIONS);
    fixture_reopen(&f);
    CHECK_INT(log_topic_partitions(f.topic), last);
    CHECK_INT(log_end_offset(log_partition(f.topic, 0)), 3);
    CHECK_INT(log_end_offset(log_partition(f.topic, last - 1)), 1);
    fixture_close(&f);
}

TEST(a_topic_that_can_not_grow_is_as_before)
{
    struct fixture f = fixture_open("stuck");
    struct diag d = {0};
    char path[1024];
    snprintf(path, sizeof(path), "%s/stuck-3", f.options.dir);
    CHECK_OK(dir_make(path, &d), &d);
    CHECK_ERR(log_topic_grow(f.log, f.topic, 5, &d), ERR_EXISTS);
    CHECK_INT(log_topic_partitions(f.topic), 1);
    CHECK(file_exists(path));
    fixture_reopen(&f);
    CHECK_INT(log_topic_partitions(f.topic), 1);
    CHECK_OK(dir_remove_all(path, &d), &d);
    CHECK_OK(log_topic_grow(f.log, f.topic, 5, &d), &d);
    fixture_close(&f);
}

TEST(a_topic_is_found_by_its_id)
{
    struct fixture f = fixture_open("ids");
    uint8_t id[16];
    memcpy(id, log_topic_id(f.topic), 16);
    CHECK(log_topic_by_id(f.log, id) == f.topic);
    fixture_reopen(&f);
    CHECK(log_topic_by_id(f.log, id) == f.topic);
    CHECK_OK(log_topic_delete(f.log, SLICE("ids"), NULL), NULL);
    CHECK(log_topic_by_id(f.log, id) == NULL);
    fixture_close(&f);
}

/* --- beside the writer and readers ------------------------------------------------------------ */

struct changing {
    struct fixture *f;
    _Atomic bool over;
};

static void change_on(void *arg)
{
    struct changing *c = arg;
    static const char *const sizes[] = {"4000", "9000", "1000000"};
    struct diag d = {0};
    for (int i = 0; i < 30; i++) {
        struct log_config_change change = set("segment.bytes", sizes[i % 3]);
        CHECK_OK(log_topic_alter(c->f->log, c->f->topic, &change, 1, false, false, &d), &d);
        CHECK_OK(log_topic_grow(c->f->log, c->f->topic, i + 2, &d), &d);
    }
    atomic_store(&c->over, true);
}

TEST(configuration_changes_and_topics_grow_beside_appends)
{
    struct fixture f = fixture_open("beside");
    struct changing c = {.f = &f};
    struct thread thread = {0};
    struct diag d = {0};
    int64_t end = 0;
    CHECK_OK(thread_start(&thread, "changing", change_on, &c, &d), &d);
    while (!atomic_load(&c.over)) {
        CHECK_INT(append_one(&f, (struct batch_want){.count = 1, .size = 700}), end);
        end++;
        int32_t count = log_topic_partitions(f.topic);
        for (int32_t i = 0; i < count; i++) CHECK(log_partition(f.topic, i) != NULL);
        CHECK(log_topic_config(f.topic).segment_bytes != 1);
    }
    thread_join(&thread);
    CHECK_INT(read_all(&f, 0), end);
    fixture_close(&f);
}
