/* spark-submit: makes sure that a stream runs. The application is a stream's name, or a Python file
 * whose name (without .py) is one; its options are Spark's, and change nothing but what --name
 * says. */
#include "main/workflows/desk.h"

#include "main/version.h"

#include <stdio.h>

/* Spark's options that take a value; the others are switches. */
static const char *const with_value[] = {"--master",
                                         "--deploy-mode",
                                         "--class",
                                         "--name",
                                         "--jars",
                                         "--packages",
                                         "--exclude-packages",
                                         "--repositories",
                                         "--py-files",
                                         "--files",
                                         "--archives",
                                         "--conf",
                                         "-c",
                                         "--properties-file",
                                         "--driver-memory",
                                         "--driver-java-options",
                                         "--driver-library-path",
                                         "--driver-class-path",
                                         "--executor-memory",
                                         "--proxy-user",
                                         "--driver-cores",
                                         "--total-executor-cores",
                                         "--executor-cores",
                                         "--num-executors",
                                         "--principal",
                                         "--keytab",
                                         "--queue",
                                         "--project",
                                         "--data"};

static bool takes_value(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(with_value); i++)
        if (strcmp(word, with_value[i]) == 0) return !strchr(word, '=');
    return false;
}

static int usage(FILE *to)
{
    fprintf(to, "usage: spark-submit [options] <app jar | python file | stream> [app arguments]\n"
                "  the stream of this project that is named so, or as the file without .py, is "
                "started if it does not run\n");
    return to == stdout ? 0 : 1;
}

/* "/opt/spark_stream.py" -> "spark_stream". */
static const char *stream_of(const char *app, char out[256])
{
    const char *slash = strrchr(app, '/');
    snprintf(out, 256, "%s", slash ? slash + 1 : app);
    size_t len = strlen(out);
    if (len > 3 && strcmp(out + len - 3, ".py") == 0) out[len - 3] = 0;
    return out;
}

int tool_spark_submit(const struct verb *v, const struct args *raw)
{
    static struct project project;
    struct args a = {0};
    struct diag d;
    const char *app = NULL, *name = NULL;
    char stream[256];
    (void)v;
    for (int i = 0; i < raw->word_count && !app; i++) {
        const char *word = raw->words[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) return usage(stdout);
        if (strcmp(word, "--version") == 0) return printf("Sluice %s\n", SLUICE_VERSION), 0;
        if (word[0] != '-') {
            app = word;
        } else if (takes_value(word) && i + 1 < raw->word_count) {
            bool place = strcmp(word, "--project") == 0 || strcmp(word, "--data") == 0;
            if (place) {
                a.given[a.given_count].option = &project_options[strcmp(word, "--data") == 0];
                a.given[a.given_count++].value = raw->words[i + 1];
            }
            if (strcmp(word, "--name") == 0) name = raw->words[i + 1];
            i++;
        }
    }
    if (!app) return usage(stderr);
    err_t e = cli_project(&a, NULL, &project, &d);
    if (e) return cli_fail(&d);
    struct buf path = buf_make(KIB(4));
    buf_text(&path, "/act?what=resume");
    client_put_param(&path, "name",
                     slice_of(stream_of(name && !strstr(app, ".py") ? name : app, stream)));
    struct client_call call = {.method = "POST", .path = buf_cstr(&path), .text = desk_ignore};
    e = client_run(&project, &call, &d);
    buf_done(&path);
    if (!e && call.failure.len) {
        fprintf(stderr, "%s\n", buf_cstr(&call.failure));
        e = ERR_NOT_FOUND;
    } else if (e) {
        (void)cli_fail(&d);
    } else {
        printf("stream %s runs\n", stream);
    }
    buf_done(&call.failure);
    project_close(&project);
    return e ? 1 : 0;
}
