/* kafka-console-producer and kafka-console-consumer, in their own words. */
#include "main/kafka/feed.h"
#include "main/kafka/reading.h"
#include "main/kafka/show_record.h"
#include "main/kafka/tool_words.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include <stdio.h>
#include <unistd.h>

enum { SHOWN_MAX = 256 << 20, SHOWN_AT_ONCE = 64 << 10 };

/* Each "name=value" of an option that may be given several times. */
static err_t each_property(const struct args *a, const char *option, void *ctx,
                           bool (*set)(void *ctx, struct slice name, struct slice value),
                           struct diag *d)
{
    const char *text;
    for (int n = 0; (text = args_nth(a, option, n)); n++) {
        const char *equals = strchr(text, '=');
        if (!equals) return diag_fail(d, ERR_USAGE, "Invalid command line properties: %s", text);
        if (!set(ctx, slice_make(text, (size_t)(equals - text)), slice_of(equals + 1))) {
            (void)diag_fail(d, ERR_UNSUPPORTED, "%s %s is not available in this version", option,
                            text);
            return d->err;
        }
    }
    return ERR_OK;
}

/* --- the producer ----------------------------------------------------------------------------- */

static bool set_reader(void *ctx, struct slice name, struct slice value)
{
    struct line_format *f = ctx;
    const struct {
        const char *name;
        bool *flag;
        struct slice *text;
    } rows[] = {{"parse.key", &f->parse_key, NULL},
                {"parse.headers", &f->parse_headers, NULL},
                {"ignore.error", &f->ignore_error, NULL},
                {"key.separator", NULL, &f->key_separator},
                {"headers.delimiter", NULL, &f->headers_delimiter},
                {"headers.separator", NULL, &f->headers_separator},
                {"headers.key.separator", NULL, &f->headers_key_separator},
                {"null.marker", NULL, &f->null_marker}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (!slice_is(name, rows[i].name)) continue;
        if (rows[i].flag) *rows[i].flag = slice_equal_nocase(slice_trim(value), SLICE("true"));
        if (rows[i].text) *rows[i].text = value;
        return true;
    }
    return false;
}

static err_t separators_differ(const struct line_format *f, struct diag *d)
{
    const struct {
        struct slice a, b;
        const char *words;
    } rows[] = {
        {f->headers_delimiter, f->headers_separator, "headers.delimiter and headers.separator"},
        {f->headers_delimiter, f->headers_key_separator,
         "headers.delimiter and headers.key.separator"},
        {f->headers_separator, f->headers_key_separator,
         "headers.separator and headers.key.separator"},
        {f->null_marker, f->key_separator, "null.marker and key.separator"},
        {f->null_marker, f->headers_separator, "null.marker and headers.separator"},
        {f->null_marker, f->headers_delimiter, "null.marker and headers.delimiter"},
        {f->null_marker, f->headers_key_separator, "null.marker and headers.key.separator"}};
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].a.at && slice_equal(rows[i].a, rows[i].b))
            return diag_fail(d, ERR_CONFIG, "%s may not be equal", rows[i].words);
    return ERR_OK;
}

/* What the options and the producer's properties say. */
static err_t producer_options(const struct args *a, const struct properties *p,
                              struct kafka_producer_options *o, struct diag *d)
{
    const char *acks = args_value(a, "--request-required-acks"), *codec = NULL;
    const char *idempotent = properties_value(p, "enable.idempotence");
    const char *bytes = properties_value(p, "batch.size"), *timeout = NULL;
    int64_t n = 0;
    if (!acks) acks = args_value(a, "--producer-acks");
    if (!acks) acks = properties_value(p, "acks");
    if (args_has(a, "--compression-codec")) {
        codec = args_value(a, "--compression-codec");
        if (!*codec) codec = "gzip";
    }
    if (!codec) codec = properties_value(p, "compression.type");
    timeout = args_value(a, "--delivery-timeout-ms");
    if (!timeout) timeout = properties_value(p, "delivery.timeout.ms");
    *o = (struct kafka_producer_options){.topic = args_value(a, "--topic"), .acks = -1};
    if (acks && strcmp(acks, "all") != 0 && strcmp(acks, "-1") != 0) {
        if (!number_of(acks, &n) || n < 0 || n > 1)
            return diag_fail(d, ERR_CONFIG,
                             "Invalid value %s for configuration acks: String must be one of: all, "
                             "-1, 0, 1",
                             acks);
        o->acks = (int16_t)n;
    }
    if (codec && !codec_of(codec, &o->codec))
        return diag_fail(d, ERR_CONFIG, "Unknown compression name: %s", codec);
    o->idempotent = o->acks == -1 && !(idempotent && strcmp(idempotent, "false") == 0);
    if (bytes && number_of(bytes, &n) && n > 0) o->batch_bytes = (uint32_t)MIN(n, 1 << 20);
    if (timeout && number_of(timeout, &n) && n > 0) o->timeout_ms = n;
    return ERR_OK;
}

int tool_console_producer(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    struct line_format format = line_format_usual();
    struct line_reader reader = {0};
    struct kafka_producer *p = NULL;
    struct kafka_producer_options o;
    static const char *const properties[] = {"--producer-property", "--command-property"};
    if (args_has(a, "--version")) return tool_version();
    if (!args_has(a, "--topic")) return cli_usage(v, "Missing required argument \"[topic]\"");
    if (args_has(a, "--line-reader") &&
        !strstr(args_value(a, "--line-reader"), "LineMessageReader"))
        return tool_unsupported("--line-reader (a Java class)");
    err_t e = each_property(a, "--property", &format, set_reader, &d);
    if (!e) e = each_property(a, "--reader-property", &format, set_reader, &d);
    if (!e) e = separators_differ(&format, &d);
    if (!e) e = session_of_client(a, "--producer.config", properties, COUNT_OF(properties), &s, &d);
    if (e) return tool_error(&d);
    e = producer_options(a, s.properties, &o, &d);
    if (!e) e = line_reader_open(&reader, &format, &d);
    if (!e) e = kafka_producer_open(s.client, &o, &p, &d);
    struct feed f = {.fd = STDIN_FILENO,
                     .each_line = args_has(a, "--sync"),
                     .prompt = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    if (!e) e = feed_lines(&f, &reader, p, &d);
    kafka_producer_close(p);
    line_reader_close(&reader);
    session_close(&s);
    return e ? tool_error(&d) : 0;
}

/* --- the consumer ----------------------------------------------------------------------------- */

struct shower {
    struct record_format format;
    struct buf out;
};

static err_t show_all(void *ctx)
{
    struct shower *w = ctx;
    err_t e = put_out(&w->out);
    if (e == ERR_STOPPED) fprintf(stderr, "Unable to write to standard out, closing consumer.\n");
    return e;
}

static err_t show(void *ctx, const struct kafka_taken *t)
{
    struct shower *w = ctx;
    put_record(&w->out, &w->format, t);
    return w->out.len > SHOWN_AT_ONCE ? show_all(w) : ERR_OK;
}

static bool set_format(void *ctx, struct slice name, struct slice value)
{
    return record_format_set(ctx, name, value);
}

static err_t where_to_begin(const struct args *a, const struct properties *p, struct reading *r,
                            struct diag *d)
{
    const char *offset = args_value(a, "--offset"),
               *reset = properties_value(p, "auto.offset.reset");
    r->start = args_has(a, "--from-beginning") || (reset && strcmp(reset, "earliest") == 0)
                   ? START_BEGINNING
                   : START_END;
    if (args_has(a, "--from-beginning") && reset && strcmp(reset, "latest") == 0)
        return diag_fail(d, ERR_USAGE,
                         "Can't simultaneously specify --from-beginning and "
                         "'auto.offset.reset=latest', please remove one option");
    if (!offset || strcmp(offset, "latest") == 0) return ERR_OK;
    if (strcmp(offset, "earliest") == 0) {
        r->start = START_BEGINNING;
        return ERR_OK;
    }
    r->start = START_OFFSET;
    if (number_of(offset, &r->number) && r->number >= 0) return ERR_OK;
    return diag_fail(d, ERR_USAGE,
                     "The provided offset value '%s' is incorrect. Valid values are 'earliest', "
                     "'latest', or a non-negative long.",
                     offset);
}

static err_t consumer_options(const struct args *a, const struct properties *p, struct reading *r,
                              struct diag *d)
{
    const char *isolation = args_value(a, "--isolation-level"), *text, *keep;
    int64_t n = 0;
    if (!isolation) isolation = properties_value(p, "isolation.level");
    r->committed = isolation && strcmp(isolation, "read_committed") == 0;
    r->group = args_value(a, "--group");
    if (!r->group) r->group = properties_value(p, "group.id");
    r->instance = properties_value(p, "group.instance.id");
    keep = properties_value(p, "enable.auto.commit");
    r->keep = !keep || strcmp(keep, "false") != 0;
    text = properties_value(p, "session.timeout.ms");
    if (text && number_of(text, &n)) r->session_ms = (int32_t)n;
    text = args_value(a, "--max-messages");
    if (text && (!number_of(text, &r->count) || r->count < -1))
        return diag_fail(d, ERR_USAGE, "Cannot parse argument '%s' of option max-messages", text);
    text = args_value(a, "--timeout-ms");
    if (text && !number_of(text, &r->timeout_ms))
        return diag_fail(d, ERR_USAGE, "Cannot parse argument '%s' of option timeout-ms", text);
    text = args_value(a, "--partition");
    if (text && (!number_of(text, &n) || n < 0 || n > INT32_MAX))
        return diag_fail(d, ERR_USAGE, "Cannot parse argument '%s' of option partition", text);
    if (text) r->partition = (int32_t)n;
    if (text) r->group = NULL; /* Kafka's consumer is assigned then, and no member */
    return where_to_begin(a, p, r, d);
}

/* A mistake in the options: what is wrong, or NULL. */
static const char *consumer_problem(const struct args *a)
{
    int topics = args_has(a, "--topic") + args_has(a, "--include") + args_has(a, "--whitelist");
    if (topics != 1) return "Exactly one of --include/--topic is required. ";
    if (args_has(a, "--partition") && !args_has(a, "--topic"))
        return "The topic is required when partition is specified.";
    if (args_has(a, "--offset") && !args_has(a, "--partition"))
        return "The partition is required when offset is specified.";
    if (args_has(a, "--offset") && args_has(a, "--from-beginning"))
        return "Options from-beginning and offset cannot be specified together.";
    return NULL;
}

static int consume_ended(err_t e, const struct diag *d, int64_t count)
{
    if (e == ERR_TIMEOUT) { /* Kafka's tool ends well then, with these words */
        tool_log("ERROR", "Error processing message, terminating consumer process: ",
                 "org.apache.kafka.tools.consumer.ConsoleConsumer");
        fprintf(stderr, "org.apache.kafka.common.errors.TimeoutException\n");
        e = ERR_OK;
    }
    fprintf(stderr, "Processed a total of %lld messages\n", (long long)count);
    return e ? tool_error(d) : 0;
}

int tool_console_consumer(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    struct shower w = {.format = record_format_usual(), .out = buf_make(SHOWN_MAX)};
    int64_t count = 0;
    const char *formatter = args_value(a, "--formatter"), *problem;
    static const char *const properties[] = {"--consumer-property", "--command-property"};
    if (args_has(a, "--version")) return tool_version();
    problem = consumer_problem(a);
    if (problem) return cli_usage(v, problem);
    if (formatter && !strstr(formatter, "DefaultMessageFormatter"))
        return tool_unsupported("--formatter (a Java class)");
    err_t e = each_property(a, "--property", &w.format, set_format, &d);
    if (!e) e = each_property(a, "--formatter-property", &w.format, set_format, &d);
    if (!e) e = session_of_client(a, "--consumer.config", properties, COUNT_OF(properties), &s, &d);
    if (e) return tool_error(&d);
    struct reading r = {.topic = args_value(a, "--topic"),
                        .include = args_value(a, "--include"),
                        .wait_for_topic = true,
                        .partition = -1,
                        .count = -1,
                        .timeout_ms = -1,
                        .each = show,
                        .pause = show_all,
                        .ctx = &w};
    if (!r.include) r.include = args_value(a, "--whitelist");
    e = consumer_options(a, s.properties, &r, &d);
    if (e == ERR_USAGE) {
        session_close(&s);
        return cli_usage(v, d.what);
    }
    if (!e) e = reading_run(&s, &r, &count, &d);
    session_close(&s);
    buf_done(&w.out);
    return consume_ended(e, &d, count);
}
