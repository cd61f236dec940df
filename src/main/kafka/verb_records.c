/* sluice produce, sluice consume: records in and out, for people and scripts. */
#include "main/kafka/feed.h"
#include "main/kafka/reading.h"
#include "main/kafka/show_record.h"
#include "main/kafka/tool_words.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include "os/clock.h"
#include "os/file.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { SHOWN_MAX = 256 << 20, SHOWN_AT_ONCE = 64 << 10, PROGRESS_NS = 200000000 };

/* --- produce ---------------------------------------------------------------------------------- */

struct progress {
    int64_t begun_ns, said_ns;
    bool shown;
};

static void say_progress(void *ctx, uint64_t sent)
{
    struct progress *p = ctx;
    int64_t now = clock_mono_ns();
    if (!p->shown || now - p->said_ns < PROGRESS_NS) return;
    p->said_ns = now;
    fprintf(stderr, "\r%llu records, %.0f a second ", (unsigned long long)sent,
            (double)sent / ((double)(now - p->begun_ns) / 1e9));
    fflush(stderr);
}

static void say_end(const struct progress *p, const struct kafka_producer *k, const char *topic)
{
    double seconds = (double)(clock_mono_ns() - p->begun_ns) / 1e9;
    unsigned long long sent = kafka_producer_sent(k);
    fprintf(stderr, "%s%llu records into %s, %.0f a second\n", p->shown ? "\r" : "", sent, topic,
            seconds > 0 ? (double)sent / seconds : 0);
}

/* Not more in a batch than the topic takes. */
static uint32_t batch_bytes(struct session *s, const char *topic)
{
    struct kafka_describe_configs_response *o;
    struct slice name = slice_of(topic);
    int64_t most = 0;
    if (ask_configs(s, OF_TOPIC, &name, 1, false, &o, NULL) || o->results.count != 1) return 0;
    for (int32_t i = 0; i < o->results.at[0].configs.count; i++)
        if (slice_is(o->results.at[0].configs.at[i].name, "max.message.bytes"))
            (void)slice_to_i64(o->results.at[0].configs.at[i].value, &most);
    return most > 1024 && most / 2 < PRODUCER_BATCH ? (uint32_t)(most / 2) : 0;
}

static err_t produce_options(const struct args *a, struct kafka_producer_options *o,
                             struct line_format *f, struct feed *feed, struct diag *d)
{
    const char *codec = args_value(a, "--codec"), *rate = args_value(a, "--rate"),
               *separator = args_value(a, "--key-separator"), *file = args_value(a, "--file"), *end;
    *o = (struct kafka_producer_options){.topic = a->words[0], .acks = -1, .idempotent = true};
    *f = line_format_usual();
    f->json = args_has(a, "--json");
    f->parse_key = separator != NULL;
    if (separator) f->key_separator = slice_of(separator);
    if (separator && !*separator) return diag_fail(d, ERR_USAGE, "--key-separator is empty");
    if (codec && !codec_of(codec, &o->codec))
        return diag_fail(d, ERR_USAGE, "there is no codec '%s': none, gzip, snappy, lz4, zstd",
                         codec);
    feed->rate = rate ? strtod(rate, (char **)&end) : 0;
    if (rate && (*end || feed->rate <= 0))
        return diag_fail(d, ERR_USAGE, "--rate '%s' is no number of records a second", rate);
    feed->fd = STDIN_FILENO;
    return file && strcmp(file, "-") != 0 ? file_open(file, FILE_READ, &feed->fd, d) : ERR_OK;
}

int verb_produce(const struct verb *v, const struct args *a)
{
    struct session s = {0};
    struct diag d = {0};
    struct kafka_producer_options o;
    struct line_format format;
    struct line_reader reader = {0};
    struct kafka_producer *p = NULL;
    struct progress progress = {.begun_ns = clock_mono_ns(), .shown = isatty(STDERR_FILENO)};
    struct feed feed = {.fd = -1, .progress = say_progress, .ctx = &progress};
    if (a->word_count != 1) return cli_usage(v, "into which topic?");
    err_t e = produce_options(a, &o, &format, &feed, &d);
    if (e == ERR_USAGE) return cli_usage(v, d.what);
    if (!e) e = session_of_verb(a, &s, &d);
    if (!e) o.batch_bytes = batch_bytes(&s, o.topic);
    if (!e) e = line_reader_open(&reader, &format, &d);
    if (!e) e = kafka_producer_open(s.client, &o, &p, &d);
    feed.prompt = false;
    progress.begun_ns = clock_mono_ns();
    if (!e) e = feed_lines(&feed, &reader, p, &d);
    if (p) say_end(&progress, p, o.topic);
    kafka_producer_close(p);
    line_reader_close(&reader);
    session_close(&s);
    if (feed.fd > STDIN_FILENO) file_close(feed.fd);
    return e ? cli_fail(&d) : 0;
}

/* --- consume ---------------------------------------------------------------------------------- */

struct shower {
    bool json, keys;
    struct buf out;
};

static err_t show_all(void *ctx)
{
    struct shower *w = ctx;
    return put_out(&w->out);
}

static err_t show(void *ctx, const struct kafka_taken *t)
{
    struct shower *w = ctx;
    if (w->json) {
        put_record_json(&w->out, t);
    } else {
        if (w->keys) {
            put_shown(&w->out, t->record.key, t->record.key_null);
            buf_char(&w->out, '\t');
        }
        put_shown(&w->out, t->record.value, t->record.value_null);
        buf_char(&w->out, '\n');
    }
    return w->out.len > SHOWN_AT_ONCE ? show_all(w) : w->out.err;
}

static err_t consume_options(const struct args *a, struct reading *r, struct diag *d)
{
    const char *from = args_value(a, "--from"), *until = args_value(a, "--until"),
               *count = args_value(a, "--count"), *partition = args_value(a, "--partition");
    int64_t n = -1;
    r->topic = a->words[0];
    r->group = args_value(a, "--group");
    r->keep = r->group != NULL;
    r->committed = args_has(a, "--committed");
    r->until_end = until != NULL;
    r->start = r->group ? START_BEGINNING : START_END;
    if (until && strcmp(until, "end") != 0)
        return diag_fail(d, ERR_USAGE, "--until knows one place: end");
    if (count && (!number_of(count, &r->count) || r->count < 1))
        return diag_fail(d, ERR_USAGE, "--count '%s' is no number of records", count);
    if (partition && (!number_of(partition, &n) || n < 0 || n > INT32_MAX))
        return diag_fail(d, ERR_USAGE, "--partition '%s' is none", partition);
    r->partition = (int32_t)n;
    if (partition && r->group)
        return diag_fail(d, ERR_USAGE,
                         "a group shares its partitions out itself: --partition or "
                         "--group, not both");
    if (!from && r->until_end) r->start = START_BEGINNING; /* all there is */
    return from ? reading_start_parse(from, &r->start, &r->number, d) : ERR_OK;
}

int verb_consume(const struct verb *v, const struct args *a)
{
    struct session s = {0};
    struct diag d = {0};
    struct shower w = {
        .json = args_has(a, "--json"), .keys = args_has(a, "--keys"), .out = buf_make(SHOWN_MAX)};
    struct reading r = {
        .partition = -1, .count = -1, .timeout_ms = -1, .each = show, .pause = show_all, .ctx = &w};
    int64_t count = 0;
    if (a->word_count != 1) return cli_usage(v, "out of which topic?");
    err_t e = consume_options(a, &r, &d);
    if (e == ERR_USAGE) return cli_usage(v, d.what);
    if (!e) e = session_of_verb(a, &s, &d);
    if (!e) e = reading_run(&s, &r, &count, &d);
    session_close(&s);
    buf_done(&w.out);
    return e ? cli_fail(&d) : 0;
}
