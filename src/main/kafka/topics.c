/* kafka-topics: what topics there are, made, changed and taken away, in its own words. */
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"
#include "main/version.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>
#include <time.h>

/* --- Kafka's face ----------------------------------------------------------------------------- */

/* Kafka's list of names: commas are "or", and each is a whole regular expression. */
struct include {
    regex_t pattern;
    bool any;
};

static err_t include_make(const char *text, struct include *i, struct diag *d)
{
    char whole[2048], *at = whole;
    *i = (struct include){.any = text == NULL};
    if (!text) return ERR_OK;
    int n = snprintf(whole, sizeof(whole), "^(%s)$", text);
    if (n < 0 || (size_t)n >= sizeof(whole))
        return diag_fail(d, ERR_TOO_BIG, "--topic is too long");
    for (; *at; at++)
        if (*at == ',') *at = '|';
    if (regcomp(&i->pattern, whole, REG_EXTENDED | REG_NOSUB) == 0) return ERR_OK;
    return diag_fail(d, ERR_SYNTAX, "%s is an invalid regex.", text);
}

static bool included(const struct include *i, struct slice name)
{
    char text[300];
    return i->any ||
           (slice_to_cstr(name, text, sizeof(text)) && regexec(&i->pattern, text, 0, NULL, 0) == 0);
}

static bool topic_shown(const struct args *a, const struct include *i,
                        const struct kafka_metadata_response_topic *t)
{
    return included(i, t->name) && !(t->is_internal && args_has(a, "--exclude-internal"));
}

/* What an answer of Kafka's tool looks like when a named topic is not there. */
static err_t must_match(const struct args *a, const struct kafka_metadata_response *m,
                        const struct include *i, struct diag *d)
{
    const char *topic = args_value(a, "--topic");
    for (int32_t k = 0; k < m->topics.count; k++)
        if (topic_shown(a, i, &m->topics.at[k])) return ERR_OK;
    if (!topic || args_has(a, "--if-exists")) return ERR_OK;
    return diag_fail(d, ERR_UNKNOWN_TOPIC, "Topic '%s' does not exist as expected", topic);
}

static bool partition_shown(const struct args *a, const struct kafka_metadata_response_partition *p)
{
    bool few = p->isr_nodes.count < p->replica_nodes.count, gone = p->leader_id < 0;
    if (args_has(a, "--under-replicated-partitions")) return few;
    if (args_has(a, "--unavailable-partitions")) return gone;
    if (args_has(a, "--under-min-isr-partitions")) return p->isr_nodes.count < 1;
    if (args_has(a, "--at-min-isr-partitions")) return p->isr_nodes.count == 1 && few;
    return true;
}

static bool only_partitions(const struct args *a)
{
    return args_has(a, "--under-replicated-partitions") ||
           args_has(a, "--unavailable-partitions") || args_has(a, "--under-min-isr-partitions") ||
           args_has(a, "--at-min-isr-partitions");
}

static void print_nodes(const char *label, const int32_t *nodes, int32_t count)
{
    printf("\t%s: ", label);
    for (int32_t i = 0; i < count; i++) printf("%s%d", i ? "," : "", nodes[i]);
}

static void print_partitions(const struct args *a, const struct kafka_metadata_response_topic *t)
{
    for (int32_t i = 0; i < t->partitions.count; i++) {
        const struct kafka_metadata_response_partition *p = &t->partitions.at[i];
        if (!partition_shown(a, p)) continue;
        printf("\tTopic: %.*s\tPartition: %d\tLeader: ", SLICE_ARG(t->name), p->partition_index);
        if (p->leader_id < 0)
            printf("none");
        else
            printf("%d", p->leader_id);
        print_nodes("Replicas", p->replica_nodes.at, p->replica_nodes.count);
        print_nodes("Isr", p->isr_nodes.at, p->isr_nodes.count);
        printf("\tElr: \tLastKnownElr: \n");
    }
}

/* "name=value" of what is not a default, comma-separated; answers how many. */
static int put_overrides(struct buf *out, const struct kafka_describe_configs_response_result *r)
{
    int n = 0;
    for (int32_t i = 0; i < r->configs.count; i++) {
        const struct kafka_describe_configs_response_config *k = &r->configs.at[i];
        if (k->config_source == FROM_DEFAULT) continue;
        buf_printf(out, "%s%.*s=%.*s", n++ ? "," : "", SLICE_ARG(k->name), SLICE_ARG(k->value));
    }
    return n;
}

static err_t configs_of(struct session *s, const struct kafka_metadata_response *m,
                        struct kafka_describe_configs_response **out, struct diag *d)
{
    struct slice *names = arena_take(s->arena, ((size_t)m->topics.count + 1) * sizeof(*names));
    if (!names) return diag_fail(d, ERR_NO_MEMORY, "no memory for the request");
    for (int32_t i = 0; i < m->topics.count; i++) names[i] = m->topics.at[i].name;
    err_t e = ask_configs(s, OF_TOPIC, names, m->topics.count, false, out, d);
    if (!e && (*out)->results.count != m->topics.count)
        e = diag_fail(d, ERR_PEER, "settings of %d topics for %d", (*out)->results.count,
                      m->topics.count);
    return e;
}

static err_t tool_describe(struct session *s, const struct args *a,
                           const struct kafka_metadata_response *m, const struct include *include,
                           struct diag *d)
{
    struct kafka_describe_configs_response *configs;
    err_t e = configs_of(s, m, &configs, d);
    bool overrides_only = args_has(a, "--topics-with-overrides");
    for (int32_t i = 0; !e && i < m->topics.count; i++) {
        const struct kafka_metadata_response_topic *t = &m->topics.at[i];
        if (!topic_shown(a, include, t)) continue;
        struct buf line = buf_make(KIB(64));
        buf_printf(&line, "Topic: %.*s\tTopicId: ", SLICE_ARG(t->name));
        put_topic_id(&line, &t->topic_id);
        int32_t replicas = t->partitions.count > 0 ? t->partitions.at[0].replica_nodes.count : 0;
        buf_printf(&line,
                   "\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: ", t->partitions.count,
                   replicas);
        int own = put_overrides(&line, &configs->results.at[i]);
        e = line.err;
        if (!e && !only_partitions(a) && (!overrides_only || own)) printf("%s\n", buf_cstr(&line));
        buf_done(&line);
        if (!overrides_only) print_partitions(a, t);
    }
    return e;
}

static err_t tool_list(const struct args *a, const struct kafka_metadata_response *m,
                       const struct include *include)
{
    for (int32_t i = 0; i < m->topics.count; i++)
        if (topic_shown(a, include, &m->topics.at[i]))
            printf("%.*s\n", SLICE_ARG(m->topics.at[i].name));
    return ERR_OK;
}

static err_t tool_each(struct session *s, const struct args *a,
                       const struct kafka_metadata_response *m, const struct include *include,
                       struct diag *d)
{
    int64_t partitions = 0;
    const char *text = args_value(a, "--partitions");
    bool alter = args_has(a, "--alter");
    if (alter && (!text || !number_of(text, &partitions) || partitions < 1))
        return diag_fail(d, ERR_PARTITIONS, "--alter needs --partitions N");
    for (int32_t i = 0; i < m->topics.count; i++) {
        const struct kafka_metadata_response_topic *t = &m->topics.at[i];
        if (!topic_shown(a, include, t)) continue;
        err_t e =
            alter ? grow_topic(s, t->name, (int32_t)partitions, d) : delete_topic(s, t->name, d);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t tool_create(struct session *s, const struct args *a, struct diag *d)
{
    const char *topic = args_value(a, "--topic");
    struct creation c;
    if (strpbrk(topic, "._"))
        printf("WARNING: Due to limitations in metric names, topics with a period ('.') or "
               "underscore ('_') could collide. To avoid issues it is best to use either, but not "
               "both.\n");
    err_t e = creation_of(s, a, topic, &c, d);
    if (!e) e = create_topic(s, &c, d);
    if (e == ERR_EXISTS && args_has(a, "--if-not-exists")) return ERR_OK;
    if (!e) printf("Created topic %s.\n", topic);
    return e;
}

static err_t tool_act(struct session *s, const struct args *a, struct diag *d)
{
    struct kafka_metadata_response *m;
    struct include include;
    if (args_has(a, "--create")) return tool_create(s, a, d);
    err_t e = include_make(args_value(a, "--topic"), &include, d);
    if (e) return e;
    e = ask_topics(s, NULL, -1, &m, d);
    if (!e && !args_has(a, "--list")) e = must_match(a, m, &include, d);
    if (!e && args_has(a, "--list")) e = tool_list(a, m, &include);
    if (!e && args_has(a, "--describe")) e = tool_describe(s, a, m, &include, d);
    if (!e && (args_has(a, "--alter") || args_has(a, "--delete")))
        e = tool_each(s, a, m, &include, d);
    if (!include.any) regfree(&include.pattern);
    return e;
}

/* As Kafka's tool ends: the reason on both outputs, and 1. */
static int tool_failed(const struct diag *d)
{
    const char *text = d->why[0] ? d->why : d->what;
    char now[40] = "";
    time_t t = time(NULL);
    struct tm local;
    if (localtime_r(&t, &local)) (void)strftime(now, sizeof(now), "%Y-%m-%d %H:%M:%S,000", &local);
    printf("Error while executing topic command : %s\n", text);
    fprintf(stderr, "[%s] ERROR %s: %s (org.apache.kafka.tools.TopicCommand)\n", now,
            err_name(d->err), text);
    return 1;
}

int tool_topics(const struct verb *v, const struct args *a)
{
    static const char *const actions[] = {"--list", "--describe", "--create", "--alter",
                                          "--delete"};
    struct session s;
    struct diag d = {0};
    int asked = 0;
    if (args_has(a, "--version")) {
        printf("%s\n", SLUICE_VERSION);
        return 0;
    }
    for (size_t i = 0; i < COUNT_OF(actions); i++) asked += args_has(a, actions[i]);
    if (asked != 1)
        return cli_usage(v,
                         "Command must include exactly one action: --list, --describe, --create, "
                         "--alter or --delete");
    if (!args_has(a, "--bootstrap-server"))
        return cli_usage(v, "Missing required argument \"[bootstrap-server]\"");
    if (!args_has(a, "--topic") && !args_has(a, "--list") && !args_has(a, "--describe"))
        return cli_usage(v, "Missing required argument \"[topic]\"");
    err_t e = session_of_tool(a, &s, &d);
    if (e) return tool_failed(&d);
    e = tool_act(&s, a, &d);
    session_close(&s);
    return e ? tool_failed(&d) : 0;
}
