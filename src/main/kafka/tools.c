#include "main/kafka/tools.h"

#include "main/tables/tables.h"
#include "main/workflows/desk.h"

#include "main/cql/start.h"

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
    {"kafka-consumer-groups",
     "--bootstrap-server HOST:PORT --list | --describe | --delete | --reset-offsets | "
     "--delete-offsets",
     "list, describe, delete consumer groups, move their offsets", "",
     OPTIONS(TOOL_OPTIONS, {"--list", NULL, "list all consumer groups"},
             {"--describe", NULL, "describe groups and their lag"},
             {"--delete", NULL, "delete groups"},
             {"--reset-offsets", NULL, "move a group that nobody reads in; a dry run by default"},
             {"--delete-offsets", NULL, "forget a group's offsets of topics"},
             {"--group", "GROUP", "the group; may be given several times"},
             {"--all-groups", NULL, "all groups"},
             {"--topic", "TOPIC[:0,1]", "a topic, or some of its partitions; several times"},
             {"--all-topics", NULL, "all topics that the group has offsets in"},
             {"--offsets", NULL, "for --describe: offsets and lag (the default)"},
             {"--members", NULL, "for --describe: the members"},
             {"--verbose", NULL, "for --members: their partitions too"},
             {"--state", "[STATES]", "for --describe: the state; for --list: only these"},
             {"--type", "[TYPES]", "for --list: the type, or only these"},
             {"--to-earliest", NULL, "to the first offset"}, {"--to-latest", NULL, "to the end"},
             {"--to-current", NULL, "to the group's own offset"},
             {"--to-offset", "N", "to this offset"}, {"--shift-by", "N", "forth, or back by -N"},
             {"--to-datetime", "TIME", "YYYY-MM-DDTHH:mm:SS.sss"},
             {"--by-duration", "DURATION", "back from now, as PnDTnHnMnS"},
             {"--from-file", "FILE", "lines of topic,partition,offset"},
             {"--dry-run", NULL, "only show what would be"}, {"--execute", NULL, "do it"},
             {"--export", NULL, "as lines for --from-file"}, {"--timeout", "MS", "accepted"}),
     false, tool_consumer_groups},
    {"kafka-configs",
     "--bootstrap-server HOST:PORT --describe | --alter --entity-type TYPE --entity-name NAME",
     "settings of topics, brokers and groups, passwords of users", "",
     OPTIONS(
         TOOL_OPTIONS, {"--describe", NULL, "list settings"}, {"--alter", NULL, "change settings"},
         {"--entity-type", "TYPE", "topics, brokers, groups or users"},
         {"--entity-name", "NAME", "its name"},
         {"--entity-default", NULL, "what holds for all brokers"},
         {"--add-config", "LIST", "k1=v1,k2=[v1,v2]; SCRAM-SHA-256=[password=secret]"},
         {"--add-config-file", "FILE", "the same from a properties file"},
         {"--delete-config", "LIST", "k1,k2: back to the default"},
         {"--all", NULL, "for --describe: the defaults too"},
         {"--topic", "NAME", "--entity-type topics --entity-name NAME"},
         {"--broker", "ID", "--entity-type brokers --entity-name ID"},
         {"--broker-defaults", NULL, "--entity-type brokers --entity-default"},
         {"--group", "NAME", "--entity-type groups --entity-name NAME"},
         {"--user", "NAME", "--entity-type users --entity-name NAME"},
         {"--client", "NAME", "refused: quotas"}, {"--client-defaults", NULL, "refused: quotas"},
         {"--user-defaults", NULL, "refused: quotas"}, {"--ip", "ADDRESS", "refused: quotas"},
         {"--ip-defaults", NULL, "refused: quotas"}, {"--broker-logger", "ID", "refused: loggers"},
         {"--client-metrics", "NAME", "refused: client metrics"}, {"--force", NULL, "accepted"}),
     false, tool_configs},
    {"kafka-get-offsets", "--bootstrap-server HOST:PORT [--topic TOPIC]",
     "the offsets of topics, as topic:partition:offset", "",
     OPTIONS(TOOL_OPTIONS, {"--broker-list", "HOST:PORT", "the older name of --bootstrap-server"},
             {"--topic", "PATTERN", "topics whose whole name fits"},
             {"--topic-partitions", "LIST", "rules like t1:0-3,t2:5,.*:0"},
             {"--partitions", "LIST", "only these: 0,1"},
             {"--time", "TIME", "-1 or latest, -2 or earliest, -3 or max-timestamp, or ms"},
             {"--exclude-internal-topics", NULL, "leave internal topics out"}),
     false, tool_get_offsets},
    {"kafka-delete-records", "--bootstrap-server HOST:PORT --offset-json-file FILE",
     "delete records below given offsets", "",
     OPTIONS(TOOL_OPTIONS,
             {"--offset-json-file", "FILE",
              "{\"partitions\": [{\"topic\": \"t\", \"partition\": 0, \"offset\": 5}], "
              "\"version\": 1}; offset -1: all"}),
     false, tool_delete_records},
    {"kafka-broker-api-versions", "--bootstrap-server HOST:PORT",
     "which requests each broker knows, in which versions", "", OPTIONS(TOOL_OPTIONS), false,
     tool_broker_api_versions},
    {"kafka-log-dirs", "--bootstrap-server HOST:PORT --describe",
     "what partitions take on disk, as JSON", "",
     OPTIONS(TOOL_OPTIONS, {"--describe", NULL, "describe the log directories"},
             {"--topic-list", "LIST", "only these topics"},
             {"--broker-list", "LIST", "only these brokers, by id"}),
     false, tool_log_dirs},
    {"kafka-transactions", "--bootstrap-server HOST:PORT list | describe | describe-producers",
     "transactions and those who write them", "",
     OPTIONS(TOOL_OPTIONS, {"--transactional-id", "ID", "for describe"},
             {"--topic", "TOPIC", "for describe-producers"},
             {"--partition", "N", "for describe-producers"},
             {"--broker-id", "N", "for describe-producers: another than the leader"},
             {"--duration-filter", "MS", "for list: those that run longer"}),
     false, tool_transactions},
    {"kafka-metadata-quorum", "--bootstrap-server HOST:PORT describe --status | --replication",
     "who keeps the cluster's metadata", "",
     OPTIONS(TOOL_OPTIONS, {"--status", NULL, "a summary"},
             {"--replication", NULL, "a row for each replica"},
             {"--human-readable", NULL, "times as how long ago"},
             {"--bootstrap-controller", "HOST:PORT", "refused: --bootstrap-server tells the same"}),
     false, tool_metadata_quorum},
    {"nodetool", "[--project DIR] [--data PATH] COMMAND …",
     "Cassandra's: status, tablestats, flush, compact, snapshots and more of this project's server",
     "`nodetool help` lists the commands.", NULL, false, tool_nodetool},
    {"airflow", "GROUP COMMAND [options]",
     "Airflow's: dags, tasks, connections, variables, pools, users, jobs, db of this project",
     "`airflow --help` lists the commands.", NULL, false, tool_airflow},
    {"spark-submit", "[options] STREAM | FILE.py", "Spark's: makes sure that a stream runs", "",
     NULL, false, tool_spark_submit},
    {"cqlsh", "[options] [host [port]]", "CQL for people and scripts, as Cassandra's own shell", "",
     OPTIONS(CQLSH_OPTIONS), false, tool_cqlsh},
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
