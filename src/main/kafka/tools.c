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
