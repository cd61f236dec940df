/* kafka-consumer-groups, in its own words. */
#include "main/kafka/group_ops.h"
#include "main/kafka/reading.h"
#include "main/kafka/tool_words.h"
#include "main/kafka/tools.h"
#include "main/kafka/topic_ops.h"

#include "os/clock.h"
#include "os/file.h"
#include <stdio.h>
#include <stdlib.h>

enum { PLAN_MAX = 16 << 20 };
static const char java_class[] = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/* As the original: on standard output, and the exit code stays 0. */
static void print_error(const char *text)
{
    printf("\nError: %s\n", text);
}

static int failed(const struct diag *d)
{
    struct buf text = buf_make(KIB(4));
    put_java_error(&text, d);
    printf("\nError: Executing consumer group command failed due to %s%s\n",
           text.len > 3 && !memcmp(text.at, "org", 3) ? "java.util.concurrent.ExecutionException: "
                                                      : "",
           buf_cstr(&text));
    buf_done(&text);
    if (d->why[0]) fprintf(stderr, "%s\n", d->what);
    return d->err == ERR_USAGE ? 1 : 0;
}

/* --- list ------------------------------------------------------------------------------------- */

static bool listed(const char *filter, struct slice value)
{
    for (const char *at = filter; at && *at;) {
        size_t len = strcspn(at, ",");
        if (slice_equal_nocase(slice_trim(slice_make(at, len)), value)) return true;
        at += len + (at[len] == ',');
    }
    return !filter || !*filter;
}

static err_t tool_list(struct session *s, const struct args *a, struct diag *d)
{
    struct listed_group *groups;
    size_t count;
    const char *state = args_value(a, "--state"), *type = args_value(a, "--type");
    int width = 25;
    err_t e = list_groups(s, &groups, &count, d);
    if (e) return e;
    for (size_t i = 0; i < count; i++) width = MAX(width, (int)groups[i].name.len + 10);
    if (state || type) {
        printf("%-*s", width, "GROUP");
        if (type) printf(" %-20s", "TYPE");
        if (state) printf(" %-20s", "STATE");
        printf("\n");
    }
    for (size_t i = 0; i < count; i++) {
        struct slice kind = groups[i].type.len ? groups[i].type : SLICE("Classic");
        if (!listed(state, groups[i].state) || !listed(type, kind)) continue;
        printf("%-*.*s", state || type ? width : 0, SLICE_ARG(groups[i].name));
        if (type) printf(" %-20.*s", SLICE_ARG(kind));
        if (state) printf(" %-20.*s", SLICE_ARG(groups[i].state));
        printf("\n");
    }
    return ERR_OK;
}

/* --- describe --------------------------------------------------------------------------------- */

/* Whether rows shall follow what is said about the group's state. */
static bool say_state(const struct group_view *g)
{
    fflush(stdout);
    if (slice_is(g->state, "Dead")) {
        printf("\nError: Consumer group '%.*s' does not exist.\n", SLICE_ARG(g->name));
        return false;
    }
    if (slice_is(g->state, "Empty"))
        fprintf(stderr, "\nConsumer group '%.*s' has no active members.\n", SLICE_ARG(g->name));
    if (slice_is(g->state, "PreparingRebalance") || slice_is(g->state, "CompletingRebalance"))
        fprintf(stderr, "\nWarning: Consumer group '%.*s' is rebalancing.\n", SLICE_ARG(g->name));
    return true;
}

static const char *number_text(int64_t n, char out[24])
{
    snprintf(out, 24, "%lld", (long long)n);
    return n < 0 ? "-" : out;
}

static err_t print_offsets(struct session *s, const struct group_view *g, struct diag *d)
{
    struct group_row *rows;
    size_t count;
    int topic = 15, id = 15, host = 15, group = MAX(15, (int)g->name.len);
    if (!say_state(g)) return ERR_OK;
    err_t e = group_rows(s, g, &rows, &count, d);
    if (e || count == 0) return e;
    for (size_t i = 0; i < count; i++) {
        topic = MAX(topic, (int)rows[i].topic.len);
        if (rows[i].member) id = MAX(id, (int)rows[i].member->id.len);
        if (rows[i].member) host = MAX(host, (int)rows[i].member->host.len);
    }
    printf("\n%-*s %-*s %-10s %-15s %-15s %-15s %-*s %-*s %s", group, "GROUP", topic, "TOPIC",
           "PARTITION", "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", id, "CONSUMER-ID", host, "HOST",
           "CLIENT-ID");
    for (size_t i = 0; i < count; i++) {
        const struct group_row *r = &rows[i];
        char at[24], end[24], lag[24];
        bool both = r->position >= 0 && r->end >= 0;
        snprintf(lag, sizeof(lag), "%lld", (long long)(r->end - r->position));
        struct slice none = SLICE("-");
        printf("\n%-*.*s %-*.*s %-10d %-15s %-15s %-15s %-*.*s %-*.*s %.*s", group,
               SLICE_ARG(g->name), topic, SLICE_ARG(r->topic), r->partition,
               number_text(r->position, at), number_text(r->end, end), both ? lag : "-", id,
               SLICE_ARG(r->member ? r->member->id : none), host,
               SLICE_ARG(r->member ? r->member->host : none),
               SLICE_ARG(r->member ? r->member->client : none));
    }
    printf("\n");
    return ERR_OK;
}

/* "(0,1), (2)": partitions of each topic, as the original shows them. */
static void print_part(const struct group_member *m)
{
    if (m->part_count == 0) printf("-");
    for (size_t i = 0; i < m->part_count; i++) {
        bool first = i == 0 || slice_compare(m->part[i - 1].topic, m->part[i].topic) != 0;
        bool last =
            i + 1 == m->part_count || slice_compare(m->part[i + 1].topic, m->part[i].topic) != 0;
        printf("%s%d%s", first ? i ? ", (" : "(" : ",", m->part[i].partition, last ? ")" : "");
    }
}

static void print_members(const struct group_view *g, bool verbose)
{
    int group = MAX(15, (int)g->name.len), id = 15, instance = 17, host = 15, client = 15;
    bool with_instance = false;
    (void)say_state(g);
    for (size_t i = 0; i < g->member_count; i++) {
        const struct group_member *m = &g->members[i];
        id = MAX(id, (int)m->id.len);
        instance = MAX(instance, (int)m->instance.len);
        host = MAX(host, (int)m->host.len);
        client = MAX(client, (int)m->client.len);
        with_instance |= m->instance.len > 0;
    }
    printf("\n%-*s %-*s ", group, "GROUP", id, "CONSUMER-ID");
    if (with_instance) printf("%-*s ", instance, "GROUP-INSTANCE-ID");
    printf("%-*s %-*s %-15s %s\n", host, "HOST", client, "CLIENT-ID", "#PARTITIONS",
           verbose ? "ASSIGNMENT" : "");
    for (size_t i = 0; i < g->member_count; i++) {
        const struct group_member *m = &g->members[i];
        printf("%-*.*s %-*.*s ", group, SLICE_ARG(g->name), id, SLICE_ARG(m->id));
        if (with_instance) printf("%-*.*s ", instance, SLICE_ARG(m->instance));
        printf("%-*.*s %-*.*s %-15zu ", host, SLICE_ARG(m->host), client, SLICE_ARG(m->client),
               m->part_count);
        if (verbose) print_part(m);
        printf("\n");
    }
}

static void print_state(const struct group_view *g)
{
    char coordinator[320];
    if (!say_state(g)) return;
    snprintf(coordinator, sizeof(coordinator), "%s:%u  (%d)", g->coordinator.host,
             g->coordinator.port, g->coordinator.id);
    int width = MAX(25, (int)strlen(coordinator));
    printf("\n%-*s %-25s %-20s %-15s %s", width, "GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY",
           "STATE", "#MEMBERS");
    printf("\n%-*.*s %-25s %-20.*s %-15.*s %zu\n", width, SLICE_ARG(g->name), coordinator,
           SLICE_ARG(g->assignor), SLICE_ARG(g->state), g->member_count);
}

/* --- which groups ----------------------------------------------------------------------------- */

static err_t chosen_groups(struct session *s, const struct args *a, struct slice **out,
                           size_t *count, struct diag *d)
{
    const char *text;
    struct listed_group *all;
    *count = 0;
    if (!args_has(a, "--all-groups")) {
        *out = arena_take(s->arena, ARGS_MAX * sizeof(**out));
        if (!*out) return diag_fail(d, ERR_NO_MEMORY, "no memory for groups");
        while ((text = args_nth(a, "--group", (int)*count))) (*out)[(*count)++] = slice_of(text);
        return ERR_OK;
    }
    size_t n;
    err_t e = list_groups(s, &all, &n, d);
    if (e) return e;
    *out = arena_take(s->arena, (n + 1) * sizeof(**out));
    if (!*out) return diag_fail(d, ERR_NO_MEMORY, "no memory for groups");
    for (; *count < n; (*count)++) (*out)[*count] = all[*count].name;
    return ERR_OK;
}

static err_t tool_describe(struct session *s, const struct args *a, struct diag *d)
{
    struct slice *names;
    size_t count;
    err_t e = chosen_groups(s, a, &names, &count, d);
    for (size_t i = 0; !e && i < count; i++) {
        struct group_view g;
        e = view_group(s, names[i], &g, d);
        if (e) break;
        if (args_has(a, "--members"))
            print_members(&g, args_has(a, "--verbose"));
        else if (args_has(a, "--state"))
            print_state(&g);
        else
            e = print_offsets(s, &g, d);
    }
    return e;
}

/* --- delete ----------------------------------------------------------------------------------- */

static err_t tool_delete(struct session *s, const struct args *a, struct diag *d)
{
    struct slice *names;
    size_t count, gone = 0;
    struct buf bad = buf_make(MIB(1)), good = buf_make(MIB(1));
    err_t e = chosen_groups(s, a, &names, &count, d);
    for (size_t i = 0; !e && i < count; i++) {
        struct diag why = {0};
        if (!delete_group(s, names[i], &why)) {
            buf_printf(&good, "%s%.*s", gone++ ? "', '" : "", SLICE_ARG(names[i]));
            continue;
        }
        buf_printf(&bad,
                   "* Group '%.*s' could not be deleted due to: "
                   "java.util.concurrent.ExecutionException: ",
                   SLICE_ARG(names[i]));
        put_java_error(&bad, &why);
        buf_char(&bad, '\n');
    }
    if (!e && bad.len == 0)
        printf("Deletion of requested consumer groups ('%s') was successful.\n", buf_cstr(&good));
    if (!e && bad.len) {
        printf("\nError: Deletion of some consumer groups failed:\n%s", buf_cstr(&bad));
        if (gone)
            printf("\nThese consumer groups were deleted successfully: '%s'\n", buf_cstr(&good));
    }
    buf_done(&bad);
    buf_done(&good);
    return e;
}

static int topic_texts(const struct args *a, const char *texts[ARGS_MAX])
{
    int n = 0;
    while ((texts[n] = args_nth(a, "--topic", n)) && n + 1 < ARGS_MAX) n++;
    return n;
}

static const char *reason_of(int16_t code, char out[400])
{
    struct diag d = {0};
    struct buf text = buf_over(out, 400);
    if (!kafka_client_error(code, (struct slice){0}, &d, "x")) return "";
    put_java_error(&text, &d);
    return text.err ? kafka_error_of(code)->text : (out[text.len < 400 ? text.len : 399] = 0, out);
}

static err_t tool_delete_offsets(struct session *s, const struct args *a, struct diag *d)
{
    const char *texts[ARGS_MAX], *group = args_value(a, "--group");
    int topics = topic_texts(a, texts);
    struct kafka_spot *spots;
    size_t count, bad = 0;
    int16_t code = 0;
    char why[400];
    err_t e = partitions_of(s, texts, topics, &spots, &count, d);
    if (!e) e = forget_positions(s, slice_of(group), spots, count, &code, d);
    if (e) return e;
    for (size_t i = 0; i < count; i++) bad += spots[i].error != 0;
    char text[400];
    snprintf(text, sizeof(text), "'%s' does not exist.", group);
    if (code == KAFKA_ERROR_GROUP_ID_NOT_FOUND) print_error(text);
    snprintf(text, sizeof(text),
             "Deleting offsets of a consumer group '%s' is forbidden if the group is not empty.",
             group);
    if (code == KAFKA_ERROR_NON_EMPTY_GROUP) print_error(text);
    snprintf(text, sizeof(text), "Encounter some unknown error: %s", kafka_error_of(code)->name);
    if (code && code != KAFKA_ERROR_GROUP_ID_NOT_FOUND && code != KAFKA_ERROR_NON_EMPTY_GROUP)
        print_error(text);
    if (!code && bad)
        print_error("Encounter some partition level error, see the follow-up details:");
    if (!code && !bad) {
        printf("Request succeed for deleting offsets with topic ");
        for (int i = 0; i < topics; i++) printf("%s%s", i ? ", " : "", texts[i]);
        printf(" group %s\n", group);
    }
    printf("\n%-30s %-15s %-15s", "TOPIC", "PARTITION", "STATUS");
    for (size_t i = 0; i < count; i++)
        printf("\n%-30.*s %-15d %s%s", SLICE_ARG(spots[i].topic), spots[i].partition,
               spots[i].error ? "Error: :" : "Successful     ", reason_of(spots[i].error, why));
    printf("\n");
    return ERR_OK;
}

/* --- reset ------------------------------------------------------------------------------------ */

static void warn(const char *text)
{
    tool_log("WARN", text, java_class);
}

static const char *const scenarios[] = {"--to-earliest", "--to-latest", "--to-current",
                                        "--to-offset",   "--shift-by",  "--to-datetime",
                                        "--by-duration", "--from-file"};

static err_t read_scenario(const struct args *a, struct reset *r, struct diag *d)
{
    static const enum reset_to to[] = {RESET_EARLIEST, RESET_LATEST, RESET_CURRENT, RESET_OFFSET,
                                       RESET_SHIFT,    RESET_TIME,   RESET_TIME,    RESET_PLAN};
    const char *text = NULL;
    size_t which = 0;
    int given = 0;
    for (size_t i = 0; i < COUNT_OF(scenarios); i++)
        if (args_has(a, scenarios[i])) {
            which = i;
            text = args_value(a, scenarios[i]);
            given++;
        }
    if (given != 1)
        return diag_fail(d, ERR_USAGE,
                         "Option [reset-offsets] requires one of the following scenarios: "
                         "[to-offset], [to-datetime], [by-duration], [to-earliest], [to-latest], "
                         "[shift-by], [from-file], [to-current]");
    *r = (struct reset){.to = to[which], .warn = warn};
    bool fine = true;
    if (r->to == RESET_OFFSET || r->to == RESET_SHIFT) fine = number_of(text, &r->number);
    if (r->to == RESET_TIME && strcmp(scenarios[which], "--to-datetime") == 0)
        fine = datetime_parse(text, &r->number);
    if (strcmp(scenarios[which], "--by-duration") == 0) {
        fine = duration_parse(text, &r->number);
        r->number = clock_wall_ms() - r->number;
    }
    return fine ? ERR_OK
                : diag_fail(d, ERR_USAGE, "Cannot parse argument '%s' of option %s", text,
                            scenarios[which] + 2);
}

/* Lines topic,partition,offset or group,topic,partition,offset. */
static err_t read_plan(struct session *s, const char *path, struct slice group,
                       struct kafka_spot **out, size_t *count, struct diag *d)
{
    struct slice text = {0};
    err_t e = file_load(path, PLAN_MAX, &text, d);
    struct slice left = e ? text : arena_slice(s->arena, text);
    mem_give((void *)text.at);
    size_t lines = 1;
    for (uint32_t i = 0; i < left.len; i++) lines += left.at[i] == '\n';
    *count = 0;
    *out = e ? NULL : arena_take(s->arena, lines * sizeof(**out));
    for (int line = 1; !e && *out && left.len; line++) {
        const uint8_t *end = memchr(left.at, '\n', left.len);
        struct slice row = slice_make(left.at, end ? (size_t)(end - left.at) : left.len);
        left = slice_make(left.at + row.len + (end != NULL), left.len - row.len - (end != NULL));
        row = slice_trim(row);
        struct slice cells[4];
        int n = 0;
        while (row.len && n < 4) {
            const uint8_t *comma = memchr(row.at, ',', row.len);
            cells[n] = slice_make(row.at, comma ? (size_t)(comma - row.at) : row.len);
            uint32_t skip = cells[n].len + (comma != NULL);
            if (cells[n].len > 1 && cells[n].at[0] == '"')
                cells[n] = slice_make(cells[n].at + 1, cells[n].len - 2);
            row = slice_make(row.at + skip, row.len - skip);
            n++;
        }
        if (n == 0 || (n == 4 && !slice_equal(cells[0], group))) continue;
        int64_t partition, offset;
        if (n < 3 || !slice_to_i64(cells[n - 2], &partition) ||
            !slice_to_i64(cells[n - 1], &offset) || partition < 0 || partition > INT32_MAX)
            return diag_fail(d, ERR_SYNTAX, "%s:%d is no topic,partition,offset", path, line);
        (*out)[(*count)++] = (struct kafka_spot){.topic = cells[n - 3],
                                                 .partition = (int32_t)partition,
                                                 .position = offset,
                                                 .leader = -1};
    }
    return e;
}

/* The group's partitions that are meant: --topic, or --all-topics that it has positions in. */
static err_t reset_scope(struct session *s, const struct args *a, const struct reset *r,
                         struct slice group, struct kafka_spot **spots, size_t *count,
                         struct diag *d)
{
    const char *texts[ARGS_MAX];
    int topics = topic_texts(a, texts);
    int64_t all = -1;
    if (r->to == RESET_PLAN)
        return read_plan(s, args_value(a, "--from-file"), group, spots, count, d);
    if (topics) return partitions_of(s, texts, topics, spots, count, d);
    if (!args_has(a, "--all-topics"))
        return diag_fail(d, ERR_USAGE,
                         "One of the reset scopes should be defined: --all-topics, --topic.");
    err_t e = kafka_group_positions(s->client, group, spots, &all, s->arena, d);
    *count = e ? 0 : (size_t)all;
    return e;
}

static err_t reset_group(struct session *s, const struct args *a, const struct reset *r,
                         struct slice name, bool single, bool *headed, struct diag *d)
{
    struct group_view g;
    struct kafka_spot *spots = NULL;
    size_t count = 0;
    err_t e = view_group(s, name, &g, d);
    if (e) return e;
    if (!slice_is(g.state, "Empty") && !slice_is(g.state, "Dead")) {
        printf("\nError: Assignments can only be reset if the group '%.*s' is inactive, but the "
               "current state is %.*s.\n",
               SLICE_ARG(name), SLICE_ARG(g.state));
        return ERR_OK;
    }
    e = reset_scope(s, a, r, name, &spots, &count, d);
    if (!e) e = plan_reset(s, name, r, spots, count, d);
    if (!e && args_has(a, "--execute"))
        e = kafka_group_place(s->client, name, spots, count, s->arena, d);
    if (e) return e;
    bool export = args_has(a, "--export");
    if (!export && !*headed)
        printf("\n%-30s %-30s %-10s %-15s", "GROUP", "TOPIC", "PARTITION", "NEW-OFFSET");
    *headed = true;
    for (size_t i = 0; i < count; i++) {
        if (export && !single) printf("%.*s,", SLICE_ARG(name));
        if (export)
            printf("%.*s,%d,%lld\n", SLICE_ARG(spots[i].topic), spots[i].partition,
                   (long long)spots[i].position);
        else
            printf("\n%-30.*s %-30.*s %-10d %-15lld", SLICE_ARG(name), SLICE_ARG(spots[i].topic),
                   spots[i].partition, (long long)spots[i].position);
    }
    return ERR_OK;
}

static err_t tool_reset(struct session *s, const struct args *a, struct diag *d)
{
    struct reset r;
    struct slice *names;
    size_t count;
    bool headed = false;
    if (!args_has(a, "--dry-run") && !args_has(a, "--execute"))
        fprintf(stderr,
                "WARN: No action will be performed as the --execute option is missing.In a future "
                "major release, the default behavior of this command will be to prompt the user "
                "before executing the reset rather than doing a dry run. You should add the "
                "--dry-run option explicitly if you are scripting this command and want to keep "
                "the current default behavior without prompting.\n");
    err_t e = read_scenario(a, &r, d);
    if (!e) e = chosen_groups(s, a, &names, &count, d);
    for (size_t i = 0; !e && i < count; i++)
        e = reset_group(s, a, &r, names[i], args_nth(a, "--group", 0) && count == 1, &headed, d);
    if (!e) printf("\n");
    return e;
}

/* --- the tool --------------------------------------------------------------------------------- */

static const struct {
    const char *option;
    err_t (*run)(struct session *s, const struct args *a, struct diag *d);
} actions[] = {{"--list", tool_list},
               {"--describe", tool_describe},
               {"--delete", tool_delete},
               {"--reset-offsets", tool_reset},
               {"--delete-offsets", tool_delete_offsets}};

static const char *problem_of(const struct args *a)
{
    int views = args_has(a, "--members") + args_has(a, "--offsets") + args_has(a, "--state");
    bool named = args_has(a, "--group") || args_has(a, "--all-groups");
    if (!args_has(a, "--bootstrap-server"))
        return "Missing required argument \"[bootstrap-server]\"";
    if (args_has(a, "--group") && args_has(a, "--all-groups"))
        return "Option \"[group]\" can't be used with option \"[all-groups]\"";
    if (args_has(a, "--describe") && !named)
        return "Option [describe] takes one of these options: [all-groups], [group]";
    if (args_has(a, "--describe") && views > 1)
        return "Option [describe] takes at most one of these options: [members], [offsets], "
               "[state]";
    if (args_has(a, "--delete") && !named)
        return "Option [delete] takes one of these options: [all-groups], [group]";
    if (args_has(a, "--delete") && args_has(a, "--topic"))
        return "The consumer does not support topic-specific offset deletion from a consumer "
               "group.";
    if (args_has(a, "--delete-offsets") && !(args_has(a, "--group") && args_has(a, "--topic")))
        return "Option [delete-offsets] takes the following options: [topic], [group]";
    if (args_has(a, "--reset-offsets") && args_has(a, "--dry-run") && args_has(a, "--execute"))
        return "Option [reset-offsets] only accepts one of [execute] and [dry-run]";
    if (args_has(a, "--reset-offsets") && !named)
        return "Option [reset-offsets] takes one of these options: [all-groups], [group]";
    return NULL;
}

int tool_consumer_groups(const struct verb *v, const struct args *a)
{
    struct session s;
    struct diag d = {0};
    int asked = 0;
    size_t which = 0;
    if (args_has(a, "--version")) return tool_version();
    for (size_t i = 0; i < COUNT_OF(actions); i++)
        if (args_has(a, actions[i].option)) {
            which = i;
            asked++;
        }
    if (asked != 1)
        return cli_usage(v, "Command must include exactly one action: --list, --describe, "
                            "--delete, --reset-offsets, --delete-offsets");
    const char *problem = problem_of(a);
    if (problem) return cli_usage(v, problem);
    err_t e = session_of_tool(a, &s, &d);
    if (e) {
        (void)failed(&d);
        return 1; /* the original waits a minute here, and ends with 0 */
    }
    e = actions[which].run(&s, a, &d);
    session_close(&s);
    if (e == ERR_USAGE) return cli_usage(v, d.what);
    return e ? failed(&d) : 0;
}
