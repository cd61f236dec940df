/* kafka-transactions, in its own words: list, describe, describe-producers. */
#include "main/kafka/ask.h"
#include "main/kafka/sheet.h"
#include "main/kafka/tool_words.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include "os/clock.h"
#include <stdio.h>

static err_t list_at(struct session *s, int32_t node, int64_t longer_than, struct sheet *sheet,
                     struct diag *d)
{
    struct kafka_list_transactions_request r;
    struct kafka_ask q = {
        .api = KAFKA_API_list_transactions, .oldest = longer_than >= 0, .newest = 1, .request = &r};
    kafka_init(&kafka_list_transactions_request_message, &r);
    r.duration_filter = longer_than;
    err_t e = kafka_client_ask(s->client, node, &q, s->arena, d);
    if (e) return e;
    const struct kafka_list_transactions_response *o = q.response;
    e = kafka_client_error(o->error_code, (struct slice){0}, d, "Failed to list transactions");
    for (int32_t i = 0; !e && i < o->transaction_states.count; i++) {
        sheet_text(sheet, o->transaction_states.at[i].transactional_id);
        sheet_number(sheet, node);
        sheet_number(sheet, o->transaction_states.at[i].producer_id);
        sheet_text(sheet, o->transaction_states.at[i].transaction_state);
    }
    return e;
}

static err_t list(struct session *s, const struct args *a, struct diag *d)
{
    struct kafka_node nodes[CLIENT_NODES_MAX];
    struct kafka_metadata_response *m;
    const char *filter = args_value(a, "--duration-filter");
    int64_t longer_than = -1;
    if (filter && !number_of(filter, &longer_than))
        return diag_fail(d, ERR_USAGE, "argument --duration-filter: could not convert '%s' to Long",
                         filter);
    struct sheet sheet = sheet_make("TransactionalId Coordinator# ProducerId# TransactionState");
    err_t e = kafka_client_topics(s->client, NULL, 0, false, s->arena, &m, d);
    size_t count = e ? 0 : kafka_client_nodes(s->client, nodes, CLIENT_NODES_MAX);
    for (size_t i = 0; !e && i < count; i++) e = list_at(s, nodes[i].id, longer_than, &sheet, d);
    if (!e) e = sheet_print_tabs(&sheet);
    sheet_done(&sheet);
    return e;
}

static void number_or(struct sheet *sheet, int64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%lld", (long long)n);
    sheet_text(sheet, n >= 0 ? slice_of(text) : SLICE("None"));
}

static err_t describe(struct session *s, const struct args *a, struct diag *d)
{
    struct kafka_describe_transactions_request r;
    struct kafka_ask q = {.api = KAFKA_API_describe_transactions, .request = &r};
    const char *id = args_value(a, "--transactional-id");
    struct slice name;
    int32_t node;
    if (!id) return diag_fail(d, ERR_USAGE, "argument --transactional-id is required");
    name = slice_of(id);
    kafka_init(&kafka_describe_transactions_request_message, &r);
    r.transactional_ids.at = &name;
    r.transactional_ids.count = 1;
    err_t e = kafka_client_coordinator(s->client, 1, name, &node, d);
    if (!e) e = kafka_client_ask(s->client, node, &q, s->arena, d);
    if (e) return e;
    const struct kafka_describe_transactions_response *o = q.response;
    if (o->transaction_states.count != 1) return diag_fail(d, ERR_PEER, "no answer for '%s'", id);
    const struct kafka_describe_transactions_response_transaction_state *t =
        &o->transaction_states.at[0];
    e = kafka_client_error(t->error_code, (struct slice){0}, d,
                           "Failed to describe transaction state of transactional-id `%s`", id);
    if (e) return e;
    struct buf partitions = buf_make(MIB(1));
    for (int32_t i = 0; i < t->topics.count; i++)
        for (int32_t k = 0; k < t->topics.at[i].partitions.count; k++)
            buf_printf(&partitions, "%s%.*s-%d", partitions.len ? "," : "",
                       SLICE_ARG(t->topics.at[i].topic), t->topics.at[i].partitions.at[k]);
    struct sheet sheet =
        sheet_make("CoordinatorId# TransactionalId ProducerId# ProducerEpoch# TransactionState "
                   "TransactionTimeoutMs# CurrentTransactionStartTimeMs TransactionDurationMs "
                   "TopicPartitions");
    bool open = t->transaction_start_time_ms >= 0;
    sheet_number(&sheet, node);
    sheet_text(&sheet, name);
    sheet_number(&sheet, t->producer_id);
    sheet_number(&sheet, t->producer_epoch);
    sheet_text(&sheet, t->transaction_state);
    sheet_number(&sheet, t->transaction_timeout_ms);
    number_or(&sheet, t->transaction_start_time_ms);
    number_or(&sheet, open ? clock_wall_ms() - t->transaction_start_time_ms : -1);
    sheet_text(&sheet, slice_of(buf_cstr(&partitions)));
    e = sheet_print_tabs(&sheet);
    sheet_done(&sheet);
    buf_done(&partitions);
    return e;
}

static void print_producers(const struct kafka_describe_producers_response_partition *p,
                            struct sheet *sheet)
{
    for (int32_t i = 0; i < p->active_producers.count; i++) {
        const struct kafka_describe_producers_response_active_producer *x =
            &p->active_producers.at[i];
        sheet_number(sheet, x->producer_id);
        sheet_number(sheet, x->producer_epoch);
        sheet_number(sheet, x->coordinator_epoch);
        sheet_number(sheet, x->last_sequence);
        sheet_number(sheet, x->last_timestamp);
        number_or(sheet, x->current_txn_start_offset);
    }
}

static err_t describe_producers(struct session *s, const struct args *a, struct diag *d)
{
    struct kafka_describe_producers_request r;
    struct kafka_describe_producers_request_topic topic;
    struct kafka_ask q = {.api = KAFKA_API_describe_producers, .request = &r};
    const char *name = args_value(a, "--topic"), *text = args_value(a, "--partition"),
               *broker = args_value(a, "--broker-id");
    struct kafka_metadata_response *m;
    int64_t n = -1, node = -1;
    if (!name || !text || !number_of(text, &n) || n < 0 || n > INT32_MAX)
        return diag_fail(d, ERR_USAGE, "arguments --topic and --partition are required");
    if (broker && (!number_of(broker, &node) || node < 0 || node > INT32_MAX))
        return diag_fail(d, ERR_USAGE, "argument --broker-id: could not convert '%s'", broker);
    err_t e = ask_topics(s, &name, 1, &m, d);
    for (int32_t i = 0; !e && !broker && i < m->topics.at[0].partitions.count; i++)
        if (m->topics.at[0].partitions.at[i].partition_index == n)
            node = m->topics.at[0].partitions.at[i].leader_id;
    if (!e && node < 0)
        e = diag_fail(d, ERR_UNKNOWN_TOPIC,
                      "Failed to describe producers for partition %s-%s on leader", name, text);
    if (e) return e;
    int32_t partition = (int32_t)n;
    kafka_init(&kafka_describe_producers_request_message, &r);
    topic.name = slice_of(name);
    topic.partition_indexes.at = &partition;
    topic.partition_indexes.count = 1;
    r.topics.at = &topic;
    r.topics.count = 1;
    e = kafka_client_ask(s->client, (int32_t)node, &q, s->arena, d);
    if (e) return e;
    const struct kafka_describe_producers_response *o = q.response;
    if (o->topics.count != 1 || o->topics.at[0].partitions.count != 1)
        return diag_fail(d, ERR_PEER, "no answer for the partition");
    const struct kafka_describe_producers_response_partition *p = &o->topics.at[0].partitions.at[0];
    e = kafka_client_error(p->error_code, p->error_message, d,
                           "Failed to describe producers for partition %s-%s on leader", name,
                           text);
    if (e) return e;
    struct sheet sheet = sheet_make("ProducerId# ProducerEpoch# LatestCoordinatorEpoch# "
                                    "LastSequence# LastTimestamp# CurrentTransactionStartOffset");
    print_producers(p, &sheet);
    e = sheet_print_tabs(&sheet);
    sheet_done(&sheet);
    return e;
}

int tool_transactions(const struct verb *v, const struct args *a)
{
    static const struct {
        const char *word;
        err_t (*run)(struct session *s, const struct args *a, struct diag *d);
    } actions[] = {
        {"list", list},         {"describe", describe}, {"describe-producers", describe_producers},
        {"find-hanging", NULL}, {"abort", NULL},        {"force-terminate", NULL}};
    struct session s;
    struct diag d = {0};
    if (args_has(a, "--version")) return tool_version();
    size_t which = 0;
    if (a->word_count != 1) return cli_usage(v, "error: too few arguments");
    while (which < COUNT_OF(actions) && strcmp(actions[which].word, a->words[0]) != 0) which++;
    if (which == COUNT_OF(actions)) return cli_usage(v, "error: invalid choice of a command");
    if (!actions[which].run) return tool_unsupported(a->words[0]);
    if (!args_has(a, "--bootstrap-server"))
        return cli_usage(v, "error: argument --bootstrap-server is required");
    if (session_of_tool(a, &s, &d)) return tool_error(&d);
    err_t e = actions[which].run(&s, a, &d);
    session_close(&s);
    if (e == ERR_USAGE) return cli_usage(v, d.what);
    if (e && strncmp(d.what, "Failed", 6) == 0) { /* their one line */
        char *colon = strrchr(d.what, ':');
        if (d.why[0] && colon) *colon = 0;
        fprintf(stderr, "%s: %s Enable debug logging for additional detail.\n", d.what,
                tool_reason(&d));
        return 1;
    }
    return e ? tool_error(&d) : 0;
}
