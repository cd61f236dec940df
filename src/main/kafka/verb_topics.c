/* sluice topics: the log's topics for people. */
#include "main/kafka/actions.h"
#include "main/kafka/sheet.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* --- list ------------------------------------------------------------------------------------- */

static void put_size(int64_t bytes, char out[24])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double n = (double)bytes;
    size_t u = 0;
    while (n >= 1024 && u + 1 < COUNT_OF(units)) n /= 1024, u++;
    snprintf(out, 24, u ? "%.1f %s" : "%.0f %s", n, units[u]);
}

/* Bytes of a topic on disk, by name; 0 when the cluster does not tell. */
static int64_t bytes_of(const struct kafka_describe_log_dirs_response *dirs, struct slice topic)
{
    int64_t bytes = 0;
    for (int32_t i = 0; dirs && i < dirs->results.count; i++)
        for (int32_t k = 0; k < dirs->results.at[i].topics.count; k++) {
            const struct kafka_describe_log_dirs_response_topic *t =
                &dirs->results.at[i].topics.at[k];
            if (slice_compare(t->name, topic) != 0) continue;
            for (int32_t p = 0; p < t->partitions.count; p++)
                bytes += t->partitions.at[p].partition_size;
        }
    return bytes;
}

static err_t ask_dirs(struct work *w, struct kafka_describe_log_dirs_response **out, struct diag *d)
{
    struct kafka_describe_log_dirs_request r;
    struct kafka_ask q = {.api = KAFKA_API_describe_log_dirs, .request = &r};
    kafka_init(&kafka_describe_log_dirs_request_message, &r);
    r.topics.at = NULL;
    r.topics.count = -1;
    err_t e = kafka_client_ask(w->s.client, CLIENT_ANY_NODE, &q, w->s.arena, d);
    if (!e) *out = q.response;
    return e;
}

/* First offsets and ends of all partitions, in the topics' order. */
static err_t ends_of(struct work *w, const struct kafka_metadata_response *m, struct place **first,
                     struct place **end, size_t *count, struct diag *d)
{
    err_t e = places_of(&w->s, m, first, count, d);
    if (!e) e = places_of(&w->s, m, end, count, d);
    for (size_t i = 0; !e && i < *count; i++) (*first)[i].time = AT_EARLIEST;
    if (!e) e = ask_offsets(&w->s, *first, *count, d);
    if (!e) e = ask_offsets(&w->s, *end, *count, d);
    return e;
}

static err_t list(struct work *w, struct diag *d)
{
    struct kafka_metadata_response *m;
    struct kafka_describe_log_dirs_response *dirs = NULL;
    struct place *first, *end;
    size_t count, at = 0;
    err_t e = ask_topics(&w->s, NULL, -1, &m, d);
    if (!e) e = ends_of(w, m, &first, &end, &count, d);
    if (!e) e = ask_dirs(w, &dirs, d);
    if (e) return e;
    struct sheet sheet = sheet_make(w->json ? "topic partitions# records# bytes# internal#"
                                            : "topic partitions# records# size#");
    for (int32_t i = 0; i < m->topics.count; i++) {
        const struct kafka_metadata_response_topic *t = &m->topics.at[i];
        int64_t records = 0, bytes = bytes_of(dirs, t->name);
        for (int32_t k = 0; k < t->partitions.count; k++, at++)
            records += MAX(end[at].offset - first[at].offset, INT64_C(0));
        if (t->is_internal && !w->json && !args_has(w->args, "--internal")) continue;
        sheet_text(&sheet, t->name);
        sheet_number(&sheet, t->partitions.count);
        sheet_number(&sheet, records);
        if (w->json) {
            sheet_number(&sheet, bytes);
            sheet_text(&sheet, t->is_internal ? SLICE("true") : SLICE("false"));
        } else {
            char text[24];
            put_size(bytes, text);
            sheet_text(&sheet, slice_of(text));
        }
    }
    e = sheet_print(&sheet, w->json);
    sheet_done(&sheet);
    return e;
}

/* --- describe, offsets, config ---------------------------------------------------------------- */

static err_t print_offsets(struct work *w, const struct kafka_metadata_response *m, struct diag *d)
{
    struct place *first, *end;
    size_t count;
    err_t e = ends_of(w, m, &first, &end, &count, d);
    if (e) return e;
    struct sheet sheet = sheet_make("topic partition# first# end# records# leader#");
    for (size_t i = 0; i < count; i++) {
        sheet_text(&sheet, end[i].topic);
        sheet_number(&sheet, end[i].partition);
        sheet_number(&sheet, first[i].offset);
        sheet_number(&sheet, end[i].offset);
        sheet_number(&sheet, end[i].offset - first[i].offset);
        sheet_number(&sheet, end[i].leader);
    }
    e = sheet_print(&sheet, w->json);
    sheet_done(&sheet);
    return e;
}

static err_t print_settings(struct work *w, const struct kafka_metadata_response *m, bool all,
                            struct diag *d)
{
    struct sheet sheet = sheet_make("topic setting value from");
    err_t e = ERR_OK;
    for (int32_t i = 0; !e && i < m->topics.count; i++) {
        struct kafka_describe_configs_response *o;
        struct slice name = m->topics.at[i].name;
        e = ask_configs(&w->s, OF_TOPIC, &name, 1, false, &o, d);
        for (int32_t k = 0; !e && o->results.count == 1 && k < o->results.at[0].configs.count;
             k++) {
            const struct kafka_describe_configs_response_config *c =
                &o->results.at[0].configs.at[k];
            if (!all && c->config_source != FROM_TOPIC) continue;
            sheet_text(&sheet, name);
            sheet_text(&sheet, c->name);
            sheet_text(&sheet, c->value);
            sheet_text(&sheet, c->config_source == FROM_TOPIC     ? SLICE("topic")
                               : c->config_source == FROM_DEFAULT ? SLICE("default")
                                                                  : SLICE("broker"));
        }
    }
    if (!e) e = sheet_print(&sheet, w->json);
    sheet_done(&sheet);
    return e;
}

static err_t describe(struct work *w, struct diag *d)
{
    struct kafka_metadata_response *m;
    err_t e = ask_topics(&w->s, w->names, w->name_count, &m, d);
    if (!e) e = print_offsets(w, m, d);
    if (!e && !w->json) printf("\n");
    if (!e && !w->json) e = print_settings(w, m, args_has(w->args, "--all"), d);
    return e;
}

/* Shows the settings; with --config NAME=VALUE or --default NAME changes them first. */
static err_t config(struct work *w, struct diag *d)
{
    struct kafka_metadata_response *m;
    struct setting settings[2 * ARGS_MAX];
    int32_t count = 0;
    const char *text;
    for (int n = 0; (text = args_nth(w->args, "--config", n)); n++) {
        const char *equals = strchr(text, '=');
        if (!equals) return diag_fail(d, ERR_USAGE, "'%s' is no NAME=VALUE", text);
        settings[count++] =
            (struct setting){0, slice_make(text, (size_t)(equals - text)), slice_of(equals + 1)};
    }
    for (int n = 0; (text = args_nth(w->args, "--default", n)); n++)
        settings[count++] = (struct setting){1, slice_of(text), {0}};
    err_t e = ask_topics(&w->s, w->names, w->name_count, &m, d);
    for (int32_t i = 0; !e && count && i < m->topics.count; i++)
        e = change_configs(&w->s, OF_TOPIC, m->topics.at[i].name, settings, count, d);
    if (!e) e = print_settings(w, m, count == 0 || args_has(w->args, "--all"), d);
    return e;
}

/* --- changes ---------------------------------------------------------------------------------- */

static err_t create(struct work *w, struct diag *d)
{
    for (int i = 0; i < w->name_count; i++) {
        struct creation c;
        err_t e = creation_of(&w->s, w->args, w->names[i], &c, d);
        if (!e) e = create_topic(&w->s, &c, d);
        if (e == ERR_EXISTS && args_has(w->args, "--if-not-exists")) continue;
        if (e) return e;
        printf("topic %s is made\n", w->names[i]);
    }
    return ERR_OK;
}

static err_t delete (struct work *w, struct diag *d)
{
    struct kafka_metadata_response *m;
    struct place *first, *end;
    size_t count;
    int64_t records = 0;
    char question[160];
    err_t e = ask_topics(&w->s, w->names, w->name_count, &m, d);
    if (!e) e = ends_of(w, m, &first, &end, &count, d);
    if (e) return e;
    for (size_t i = 0; i < count; i++) records += end[i].offset - first[i].offset;
    snprintf(question, sizeof(question), "%d topic(s) with %" PRId64 " records go, for good.",
             m->topics.count, records);
    e = action_agreed(w, question, d);
    for (int i = 0; !e && i < w->name_count; i++) {
        e = delete_topic(&w->s, slice_of(w->names[i]), d);
        if (!e) printf("topic %s is deleted\n", w->names[i]);
    }
    return e;
}

static err_t grow(struct work *w, struct diag *d)
{
    int64_t n = 0;
    const char *text = args_value(w->args, "--partitions");
    if (!text || !number_of(text, &n) || n < 1 || n > INT32_MAX)
        return diag_fail(d, ERR_USAGE, "grow needs --partitions N, the new number");
    err_t e = ERR_OK;
    for (int i = 0; !e && i < w->name_count; i++) {
        e = grow_topic(&w->s, slice_of(w->names[i]), (int32_t)n, d);
        if (!e) printf("topic %s has %" PRId64 " partitions\n", w->names[i], n);
    }
    return e;
}

/* Records before an offset (--before N), or all of them (--before end), of every partition. */
static err_t trim(struct work *w, struct diag *d)
{
    struct kafka_metadata_response *m;
    struct place *places;
    size_t count;
    int64_t before = 0;
    const char *text = args_value(w->args, "--before");
    bool end = text && strcmp(text, "end") == 0;
    if (!text || (!end && (!number_of(text, &before) || before < 0)))
        return diag_fail(d, ERR_USAGE, "trim needs --before OFFSET, or --before end");
    err_t e = ask_topics(&w->s, w->names, w->name_count, &m, d);
    if (!e) e = places_of(&w->s, m, &places, &count, d);
    if (e) return e;
    e = action_agreed(w, "The records before that offset go, for good.", d);
    if (e) return e;
    for (size_t i = 0; i < count; i++) places[i].offset = end ? -1 : before;
    e = delete_records(&w->s, places, count, d);
    if (e) return e;
    for (size_t i = 0; i < count; i++) {
        if (places[i].error) w->code = 1;
        if (places[i].error)
            fprintf(stderr, "error: %.*s partition %d: %s\n", SLICE_ARG(places[i].topic),
                    places[i].partition, kafka_error_of(places[i].error)->text);
        else
            printf("%.*s partition %d begins at %" PRId64 "\n", SLICE_ARG(places[i].topic),
                   places[i].partition, places[i].offset);
    }
    return ERR_OK;
}

/* --- the verb --------------------------------------------------------------------------------- */

static const struct action rows[] = {{"list", false, list},    {"describe", true, describe},
                                     {"config", true, config}, {"create", true, create},
                                     {"delete", true, delete}, {"grow", true, grow},
                                     {"trim", true, trim}};

int verb_topics(const struct verb *v, const struct args *a)
{
    static const struct actions actions = {
        rows, COUNT_OF(rows), "topics are listed, described, created …", "which topic?"};
    return actions_run(v, a, &actions);
}
