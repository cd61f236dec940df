/* kafka-get-offsets and kafka-delete-records, in their own words. */
#include "main/kafka/group_ops.h"
#include "main/kafka/json_pick.h"
#include "main/kafka/tool_words.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include "os/file.h"
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

enum { OFFSETS_FILE_MAX = 16 << 20 };

/* --- kafka-get-offsets ------------------------------------------------------------------------ */

static err_t read_time(const char *text, int64_t *time, struct diag *d)
{
    static const struct {
        const char *word;
        int64_t time;
    } words[] = {
        {"latest", AT_LATEST}, {"earliest", AT_EARLIEST}, {"max-timestamp", AT_MAX_TIMESTAMP}};
    *time = AT_LATEST;
    if (!text) return ERR_OK;
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strcmp(text, words[i].word) == 0) {
            *time = words[i].time;
            return ERR_OK;
        }
    if (number_of(text, time) && *time >= AT_MAX_TIMESTAMP) return ERR_OK;
    return diag_fail(d, ERR_USAGE,
                     "Malformed time argument %s. Please use -1 or latest / -2 or earliest / -3 or "
                     "max-timestamp / -4 or earliest-local / -5 or latest-tiered, or a specified "
                     "long format timestamp",
                     text);
}

/* One rule of --topic-partitions, "topics:0-3": a pattern and a range, both may be missing. */
struct rule {
    regex_t pattern;
    int64_t from, to; /* to is outside */
};

static err_t read_range(struct slice text, struct rule *r)
{
    const uint8_t *dash = text.len ? memchr(text.at, '-', text.len) : NULL;
    r->from = 0;
    r->to = INT64_MAX;
    if (text.len == 0) return ERR_OK;
    if (!dash) {
        if (!slice_to_i64(text, &r->from)) return ERR_SYNTAX;
        r->to = r->from + 1;
        return ERR_OK;
    }
    size_t left = (size_t)(dash - text.at);
    if (left && !slice_to_i64(slice_make(text.at, left), &r->from)) return ERR_SYNTAX;
    if (left + 1 < text.len && !slice_to_i64(slice_make(dash + 1, text.len - left - 1), &r->to))
        return ERR_SYNTAX;
    return ERR_OK;
}

static err_t rule_make(struct slice text, struct slice range, struct rule *r, struct diag *d)
{
    char whole[1024];
    int n = snprintf(whole, sizeof(whole), "^(%.*s)$", (int)(text.len ? text.len : 2),
                     text.len ? (const char *)text.at : ".*");
    if (n > 0 && (size_t)n < sizeof(whole) && !read_range(range, r) &&
        regcomp(&r->pattern, whole, REG_EXTENDED | REG_NOSUB) == 0)
        return ERR_OK;
    return diag_fail(d, ERR_USAGE, "Invalid rule specification: %.*s:%.*s", SLICE_ARG(text),
                     SLICE_ARG(range));
}

struct filter {
    struct rule rules[ARGS_MAX];
    size_t count;
};

static void filter_done(struct filter *f)
{
    for (size_t i = 0; i < f->count; i++) regfree(&f->rules[i].pattern);
}

static err_t read_filter(const struct args *a, struct filter *f, struct diag *d)
{
    const char *list = args_value(a, "--topic-partitions"), *topic = args_value(a, "--topic"),
               *partitions = args_value(a, "--partitions");
    f->count = 0;
    if (list && (topic || partitions))
        return diag_fail(d, ERR_USAGE,
                         "--topic-partitions cannot be used with --topic or --partitions");
    err_t e = ERR_OK;
    const char *at = list ? list : partitions ? partitions : "";
    do { /* one rule a part */
        size_t len = strcspn(at, ",");
        const char *colon = list ? memchr(at, ':', len) : at;
        size_t name_len = list ? colon ? (size_t)(colon - at) : len : 0;
        struct slice name = list ? slice_make(at, name_len) : slice_of(topic ? topic : "");
        struct slice range =
            list ? colon ? slice_make(colon + 1, len - name_len - 1) : (struct slice){0}
                 : slice_make(at, len);
        if (f->count == ARGS_MAX) return diag_fail(d, ERR_TOO_BIG, "too many rules");
        int64_t number;
        if (partitions && !slice_to_i64(range, &number))
            return diag_fail(d, ERR_USAGE,
                             "--partitions expects a comma separated list of numeric partition "
                             "ids, but received: %s",
                             partitions);
        e = rule_make(name, range, &f->rules[f->count], d);
        f->count += e == ERR_OK;
        at += len + (at[len] == ',');
    } while (!e && *at);
    return e;
}

static bool fits(const struct filter *f, const struct place *p)
{
    char name[300];
    if (!slice_to_cstr(p->topic, name, sizeof(name))) return false;
    for (size_t i = 0; i < f->count; i++)
        if (p->partition >= f->rules[i].from && p->partition < f->rules[i].to &&
            regexec(&f->rules[i].pattern, name, 0, NULL, 0) == 0)
            return true;
    return false;
}

static err_t get_offsets(struct session *s, const struct args *a, const struct filter *f,
                         int64_t time, struct diag *d)
{
    struct kafka_metadata_response *m;
    struct place *places;
    size_t all = 0, count = 0;
    err_t e = ask_topics(s, NULL, -1, &m, d);
    for (int32_t i = 0; !e && i < m->topics.count; i++)
        if (m->topics.at[i].is_internal && args_has(a, "--exclude-internal-topics"))
            m->topics.at[i].partitions.count = 0;
    if (!e) e = places_of(s, m, &places, &all, d);
    for (size_t i = 0; !e && i < all; i++) {
        places[i].time = time;
        if (fits(f, &places[i])) places[count++] = places[i];
    }
    if (!e && count == 0)
        e = diag_fail(d, ERR_UNKNOWN_TOPIC,
                      "Could not match any topic-partitions with the specified filters");
    if (!e) e = ask_offsets(s, places, count, d);
    for (size_t i = 0; !e && i < count; i++) {
        if (places[i].error)
            fprintf(stderr, "Skip getting offsets for topic-partition %.*s-%d due to error: %s\n",
                    SLICE_ARG(places[i].topic), places[i].partition,
                    kafka_error_of(places[i].error)->text);
        else if (places[i].offset >= 0)
            printf("%.*s:%d:%lld\n", SLICE_ARG(places[i].topic), places[i].partition,
                   (long long)places[i].offset);
    }
    return e;
}

int tool_get_offsets(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    struct filter f = {.count = 0};
    int64_t time;
    if (args_has(a, "--version")) return tool_version();
    if (!args_has(a, "--bootstrap-server") && !args_has(a, "--broker-list"))
        return cli_usage(v, "Missing required argument \"[bootstrap-server]\"");
    err_t e = read_filter(a, &f, &d);
    if (!e) e = read_time(args_value(a, "--time"), &time, &d);
    if (!e) e = session_of_client(a, "--command-config", NULL, 0, &s, &d);
    if (!e) {
        e = get_offsets(&s, a, &f, time, &d);
        session_close(&s);
    }
    filter_done(&f);
    if (e) fprintf(stderr, "Error occurred: %s\n", tool_reason(&d));
    return e ? 1 : 0;
}

/* --- kafka-delete-records --------------------------------------------------------------------- */

struct deletion {
    struct session *s;
    struct json_pick *pick;
    struct kafka_spot *spots;
    size_t count;
    struct diag *d;
};

static err_t take_partition(void *ctx, struct slice item)
{
    struct deletion *x = ctx;
    struct slice picks[3], topic;
    int64_t partition, offset;
    err_t e = json_pick_from(x->pick, item, x->s->arena, picks, x->d);
    if (!e) e = json_pick_bytes(x->pick, picks[0], x->s->arena, &topic, x->d);
    if (e) return e;
    if (!topic.at || !picks[1].at || !slice_to_i64(picks[1], &partition) || !picks[2].at ||
        !slice_to_i64(picks[2], &offset) || partition < 0 || partition > INT32_MAX)
        return diag_fail(x->d, ERR_SYNTAX,
                         "a partition is {\"topic\": …, \"partition\": …, \"offset\": …}");
    struct kafka_spot *all =
        arena_resize(x->s->arena, x->spots, x->count * sizeof(*all), (x->count + 1) * sizeof(*all));
    if (!all) return diag_fail(x->d, ERR_NO_MEMORY, "no memory for partitions");
    all[x->count++] = (struct kafka_spot){
        .topic = topic, .partition = (int32_t)partition, .position = offset, .leader = -1};
    x->spots = all;
    return ERR_OK;
}

static err_t read_offsets(struct deletion *x, const char *path)
{
    static const char *const paths[] = {"$.topic", "$.partition", "$.offset"};
    struct slice text = {0};
    err_t e = file_load(path, OFFSETS_FILE_MAX, &text, x->d);
    if (!e) e = json_pick_new(paths, COUNT_OF(paths), &x->pick, x->d);
    if (!e)
        e = json_pick_each(x->pick, text, "$.partitions[*]", x->s->arena, take_partition, x, x->d);
    if (e) (void)diag_where(x->d, "%s", path);
    json_pick_free(x->pick);
    mem_give((void *)text.at);
    for (size_t i = 0; !e && i < x->count; i++)
        for (size_t k = i + 1; k < x->count; k++)
            if (x->spots[i].partition == x->spots[k].partition &&
                slice_equal(x->spots[i].topic, x->spots[k].topic))
                e = diag_fail(x->d, ERR_DUPLICATE,
                              "Offset json file contains duplicate topic partitions: %.*s-%d",
                              SLICE_ARG(x->spots[i].topic), x->spots[i].partition);
    return e;
}

/* Places of the wanted partitions; what nobody has keeps leader -1. */
static err_t find_places(struct deletion *x, struct place **out)
{
    struct kafka_metadata_response *m;
    struct place *known;
    size_t count = 0;
    err_t e = ask_topics(x->s, NULL, -1, &m, x->d);
    if (!e) e = places_of(x->s, m, &known, &count, x->d);
    *out = arena_take(x->s->arena, (x->count + 1) * sizeof(**out));
    if (!e && !*out) e = diag_fail(x->d, ERR_NO_MEMORY, "no memory for partitions");
    for (size_t i = 0; !e && i < x->count; i++) {
        (*out)[i] = (struct place){.topic = x->spots[i].topic,
                                   .partition = x->spots[i].partition,
                                   .leader = -1,
                                   .offset = x->spots[i].position};
        for (size_t k = 0; k < count; k++)
            if (known[k].partition == x->spots[i].partition &&
                slice_equal(known[k].topic, x->spots[i].topic))
                (*out)[i].leader = known[k].leader;
    }
    return e;
}

static err_t delete_listed(struct deletion *x)
{
    struct place *places;
    err_t e = find_places(x, &places);
    if (e) return e;
    printf("Executing records delete operation\n");
    e = delete_records(x->s, places, x->count, x->d);
    if (e) return e;
    printf("Records delete operation completed:\n");
    for (size_t i = 0; i < x->count; i++) {
        printf("partition: %.*s-%d\t", SLICE_ARG(places[i].topic), places[i].partition);
        if (places[i].leader < 0)
            printf("error: %s\n", kafka_error_of(KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION)->text);
        else if (places[i].error)
            printf("error: %s\n", kafka_error_of(places[i].error)->text);
        else
            printf("low_watermark: %lld\n", (long long)places[i].offset);
    }
    return ERR_OK;
}

int tool_delete_records(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    if (args_has(a, "--version")) return tool_version();
    if (!args_has(a, "--bootstrap-server"))
        return cli_usage(v, "Missing required argument \"[bootstrap-server]\"");
    if (!args_has(a, "--offset-json-file"))
        return cli_usage(v, "Missing required argument \"[offset-json-file]\"");
    if (session_of_tool(a, &s, &d)) return tool_error(&d);
    struct deletion x = {.s = &s, .d = &d};
    err_t e = read_offsets(&x, args_value(a, "--offset-json-file"));
    if (!e) e = delete_listed(&x);
    session_close(&s);
    return e ? tool_error(&d) : 0;
}
