#include "main/kafka/tools.h"

#include <stdio.h>

#define OPTIONS(...)                                                                               \
    (const struct cli_option[])                                                                    \
    {                                                                                              \
        __VA_ARGS__,                                                                               \
        {                                                                                          \
            NULL, NULL, NULL                                                                       \
        }                                                                                          \
    }

const struct verb tools[] = {
    {"kafka-topics",
     "--bootstrap-server HOST:PORT --create | --delete | --describe | --list | --alter",
     "create, delete, describe or change topics", "",
     OPTIONS(TOOL_OPTIONS, {"--list", NULL, "list all available topics"},
             {"--describe", NULL, "list details for the given topics"},
             {"--create", NULL, "create a new topic"}, {"--delete", NULL, "delete a topic"},
             {"--alter", NULL, "alter the number of partitions"},
             {"--topic", "TOPIC", "the topic; for all but create a regular expression"},
             {"--topic-id", "ID", "the topic by its id, for describe"},
             {"--partitions", "N", "the number of partitions"},
             {"--replication-factor", "N", "the replication factor"},
             {"--replica-assignment", "LIST", "broker ids for the partitions: 1,1,1"},
             {"--config", "NAME=VALUE", "a setting of the topic; may be given several times"},
             {"--if-exists", NULL, "do nothing when the topic is not there"},
             {"--if-not-exists", NULL, "do nothing when the topic is there"},
             {"--exclude-internal", NULL, "leave internal topics out"},
             {"--under-replicated-partitions", NULL, "only those"},
             {"--unavailable-partitions", NULL, "only those whose leader is not available"},
             {"--under-min-isr-partitions", NULL, "only those"},
             {"--at-min-isr-partitions", NULL, "only those"},
             {"--topics-with-overrides", NULL, "only topics with settings of their own"},
             {"--partition-size-limit-per-response", "N", "accepted"},
             {"--force", NULL, "accepted"}),
     false, tool_topics},
    {"kafka-console-producer", "--bootstrap-server HOST:PORT --topic TOPIC",
     "read lines from standard input and write them to a topic", "",
     OPTIONS(TOOL_OPTIONS, {"--topic", "TOPIC", "the topic to write to"},
             {"--broker-list", "HOST:PORT", "the older name of --bootstrap-server"},
             {"--property", "NAME=VALUE",
              "parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, "
              "headers.key.separator, null.marker, ignore.error"},
             {"--reader-property", "NAME=VALUE", "the same under 4.x's name"},
             {"--producer-property", "NAME=VALUE", "a property of the producer"},
             {"--command-property", "NAME=VALUE", "the same under 4.x's name"},
             {"--producer.config", "FILE", "properties of the producer"},
             {"--compression-codec", "[CODEC]", "none, gzip, snappy, lz4 or zstd; alone: gzip"},
             {"--request-required-acks", "ACKS", "0, 1, all or -1"},
             {"--sync", NULL, "each line is acknowledged before the next is read"},
             {"--line-reader", "CLASS", "only LineMessageReader is there"},
             {"--batch-size", "N", "accepted"}, {"--timeout", "MS", "accepted"},
             {"--max-block-ms", "MS", "accepted"}, {"--max-memory-bytes", "N", "accepted"},
             {"--max-partition-memory-bytes", "N", "accepted"},
             {"--message-send-max-retries", "N", "accepted"},
             {"--metadata-expiry-ms", "MS", "accepted"}, {"--request-timeout-ms", "MS", "accepted"},
             {"--retry-backoff-ms", "MS", "accepted"}, {"--socket-buffer-size", "N", "accepted"}),
     false, tool_console_producer},
    {"kafka-console-consumer", "--bootstrap-server HOST:PORT --topic TOPIC",
     "print a topic's records", "",
     OPTIONS(TOOL_OPTIONS, {"--topic", "TOPIC", "the topic to read"},
             {"--include", "PATTERN", "topics whose whole name fits the regular expression"},
             {"--whitelist", "PATTERN", "the older name of --include"},
             {"--partition", "N", "only this partition"},
             {"--offset", "OFFSET", "a number, earliest or latest; with --partition"},
             {"--from-beginning", NULL, "where the group has no position: from the first record"},
             {"--max-messages", "N", "end after so many"},
             {"--timeout-ms", "MS", "end when no record comes for so long"},
             {"--group", "GROUP", "as a member of this group"},
             {"--property", "NAME=VALUE",
              "print.key, print.value, print.timestamp, print.offset, print.partition, "
              "print.headers, print.epoch, key.separator, line.separator, headers.separator, "
              "null.literal"},
             {"--formatter-property", "NAME=VALUE", "the same under 4.x's name"},
             {"--formatter", "CLASS", "only DefaultMessageFormatter is there"},
             {"--isolation-level", "LEVEL", "read_committed or read_uncommitted"},
             {"--consumer-property", "NAME=VALUE", "a property of the consumer"},
             {"--command-property", "NAME=VALUE", "the same under 4.x's name"},
             {"--consumer.config", "FILE", "properties of the consumer"},
             {"--skip-message-on-error", NULL, "accepted"},
             {"--enable-systest-events", NULL, "accepted"}),
     false, tool_console_consumer},
};
const size_t tool_count = COUNT_OF(tools);

const struct verb *tool_named(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');
    struct slice name = slice_of(slash ? slash + 1 : argv0);
    if (name.len > 3 && memcmp(name.at + name.len - 3, ".sh", 3) == 0) name.len -= 3;
    for (size_t i = 0; i < tool_count; i++)
        if (slice_is(name, tools[i].name)) return &tools[i];
    return NULL;
}

const char *args_nth(const struct args *a, const char *option, int n)
{
    for (int i = 0; i < a->given_count; i++)
        if (strcmp(a->given[i].option->name, option) == 0 && n-- == 0) return a->given[i].value;
    return NULL;
}

err_t session_of_tool(const struct args *a, struct session *s, struct diag *d)
{
    struct session_from from = {.brokers = args_value(a, "--bootstrap-server"),
                                .file = args_value(a, "--command-config")};
    return session_open(&from, s, d);
}

bool next_setting(const char **list, struct slice *name, struct slice *value)
{
    const char *at = *list;
    while (*at == ',' || *at == ' ') at++;
    size_t len = strcspn(at, "=,");
    if (len == 0) return false;
    *name = slice_make(at, len);
    *value = (struct slice){0};
    at += len;
    if (*at == '=') {
        bool bracket = *++at == '[';
        at += bracket;
        len = strcspn(at, bracket ? "]" : ",");
        *value = slice_make(at, len);
        at += len;
        at += bracket && *at == ']';
    }
    *list = at;
    return true;
}
