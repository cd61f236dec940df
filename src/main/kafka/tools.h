/* tools: the names under which Kafka's own command-line tools are known, and the verbs of ours that
 * do the same. One operation, two faces: `sluice topics create t` and `kafka-topics --create
 * --topic t` call the same function.
 */
#pragma once
#include "main/kafka/session.h"

/* Tools by name: "kafka-topics" (also with .sh). Rows are verbs; a usage error ends with 1, as
 * theirs does. */
extern const struct verb tools[];
extern const size_t tool_count;
const struct verb *tool_named(const char *argv0); /* NULL: none of them */

/* The options that every tool has. */
#define TOOL_OPTIONS                                                                               \
    {"--bootstrap-server", "HOST:PORT", "the server(s) to connect to"},                            \
        {"--command-config", "FILE", "properties for the client"},                                 \
    {                                                                                              \
        "--version", NULL, "the version"                                                           \
    }
MUST_CHECK err_t session_of_tool(const struct args *a, struct session *s, struct diag *d);

/* The n-th value of a repeated option; NULL past the last. */
const char *args_nth(const struct args *a, const char *option, int n);

/* "k=v", and Kafka's "k=[v1,v2]" inside a comma-separated list: one pair at a time; false at the
 * end. */
bool next_setting(const char **list, struct slice *name, struct slice *value);

int tool_help(const struct verb *v); /* its usage and options, on standard output; 0 */

int tool_topics(const struct verb *v, const struct args *a);
int tool_console_producer(const struct verb *v, const struct args *a);
int tool_console_consumer(const struct verb *v, const struct args *a);
int tool_consumer_groups(const struct verb *v, const struct args *a);
int tool_configs(const struct verb *v, const struct args *a);
int tool_get_offsets(const struct verb *v, const struct args *a);
int tool_delete_records(const struct verb *v, const struct args *a);
int tool_broker_api_versions(const struct verb *v, const struct args *a);
int tool_log_dirs(const struct verb *v, const struct args *a);
int tool_transactions(const struct verb *v, const struct args *a);
int tool_metadata_quorum(const struct verb *v, const struct args *a);
int verb_topics(const struct verb *v, const struct args *a);
int verb_groups(const struct verb *v, const struct args *a);
int verb_link_tools(const struct verb *v, const struct args *a);
int verb_produce(const struct verb *v, const struct args *a);
int verb_consume(const struct verb *v, const struct args *a);
