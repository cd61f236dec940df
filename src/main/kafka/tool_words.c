#include "main/kafka/tool_words.h"

#include "main/kafka/tools.h"
#include "main/version.h"
#include "os/clock.h"
#include <stdio.h>
#include <time.h>

int tool_version(void)
{
    printf("%s\n", SLUICE_VERSION);
    return 0;
}

const char *tool_reason(const struct diag *d)
{
    return d->why[0] ? d->why : d->what;
}

/* Names of theirs that are not made from the error's name. */
static const struct {
    const char *name, *java;
} java_names[] = {{"NON_EMPTY_GROUP", "GroupNotEmpty"},
                  {"TOPIC_ALREADY_EXISTS", "TopicExists"},
                  {"INVALID_TOPIC_EXCEPTION", "InvalidTopic"},
                  {"INVALID_CONFIG", "InvalidConfiguration"},
                  {"COORDINATOR_LOAD_IN_PROGRESS", "CoordinatorLoadInProgress"}};

void put_java_error(struct buf *out, const struct diag *d)
{
    const char *name = strrchr(d->what, ' ');
    if (d->err == ERR_UNKNOWN_TOPIC) {
        buf_text(out, "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: This "
                      "server does not host this topic-partition.");
        return;
    }
    if (d->err != ERR_PEER || !d->why[0] || !name ||
        strspn(name + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") != strlen(name + 1)) {
        buf_text(out, tool_reason(d));
        return;
    }
    buf_text(out, "org.apache.kafka.common.errors.");
    for (size_t i = 0; i < COUNT_OF(java_names); i++)
        if (strcmp(java_names[i].name, name + 1) == 0) {
            buf_printf(out, "%sException: %s", java_names[i].java, d->why);
            return;
        }
    bool upper = true;
    for (name++; *name; name++) {
        if (*name != '_') buf_char(out, (char)(upper ? *name : *name - 'A' + 'a'));
        upper = *name == '_';
    }
    buf_printf(out, "Exception: %s", d->why);
}

int tool_error(const struct diag *d)
{
    fprintf(stderr, "%s\n", d->what);
    if (d->why[0]) fprintf(stderr, "  because %s\n", d->why);
    if (d->hint[0]) fprintf(stderr, "  hint: %s\n", d->hint);
    return 1;
}

int tool_unsupported(const char *what)
{
    fprintf(stderr, "%s is not available in this version of sluice\n", what);
    return 1;
}

void tool_log(const char *level, const char *text, const char *java_class)
{
    char now[40] = "";
    int64_t ms = clock_wall_ms();
    time_t t = (time_t)(ms / 1000);
    struct tm local;
    if (localtime_r(&t, &local)) (void)strftime(now, sizeof(now), "%Y-%m-%d %H:%M:%S", &local);
    fprintf(stderr, "[%s,%03d] %s %s (%s)\n", now, (int)(ms % 1000), level, text, java_class);
}

bool codec_of(const char *name, enum codec *out)
{
    for (int c = CODEC_NONE; c < CODECS; c++)
        if (strcmp(codec_name((enum codec)c), name) == 0) {
            *out = (enum codec)c;
            return true;
        }
    return false;
}

err_t session_of_client(const struct args *a, const char *file_option,
                        const char *const *property_options, size_t count, struct session *s,
                        struct diag *d)
{
    struct session_from from = {.brokers = args_value(a, "--bootstrap-server"),
                                .file = args_value(a, file_option)};
    const char *text;
    if (!from.brokers) from.brokers = args_value(a, "--broker-list");
    if (!from.file) from.file = args_value(a, "--command-config");
    for (size_t o = 0; o < count; o++)
        for (int n = 0; (text = args_nth(a, property_options[o], n)); n++)
            if (from.property_count < ARGS_MAX) from.properties[from.property_count++] = text;
    return session_open(&from, s, d);
}
