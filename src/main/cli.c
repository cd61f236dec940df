#include "main/kafka/tools.h"

#include "os/file.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RUNNING_MAX = 64 };

static const struct cli_option help_option = {"--help", NULL, "how this command is used"};

enum { SETTING = 2 }; /* which of project_options it is */
const struct cli_option project_options[] = {
    {"--project", "DIR", "the project's folder; without it: the current one, or the one that runs"},
    {"--data", "PATH", "where its data lie; without it: DIR/.sluice"},
    {"--set", "KEY=VALUE", "a setting, as in sluice.yaml; may be given several times"},
    {NULL, NULL, NULL},
};

const char *args_value(const struct args *a, const char *option)
{
    for (int i = a->given_count - 1; i >= 0; i--)
        if (strcmp(a->given[i].option->name, option) == 0) return a->given[i].value;
    return NULL;
}

int cli_fail(const struct diag *d)
{
    char story[1600];
    diag_format(d, story, sizeof(story));
    fprintf(stderr, "%s\n", story);
    return 1;
}

int cli_usage(const struct verb *v, const char *problem)
{
    bool tool = v >= tools && v < tools + tool_count;
    const char *program = tool ? "" : "sluice ";
    fprintf(stderr, "%s%s\nusage: %s%s %s\n  hint: %s%s --help tells more\n",
            tool ? "" : "error: ", problem, program, v->name, v->usage, program, v->name);
    return tool ? 1 : 2; /* as those tools end */
}

/* --- which project ---------------------------------------------------------------------------- */

static void running_dir(char out[256])
{
    const char *base = getenv("XDG_RUNTIME_DIR");
    snprintf(out, 256, "%s/sluice-%u", base && *base ? base : "/tmp", (unsigned)getuid());
}

static void running_path(int pid, char out[300])
{
    char dir[256];
    running_dir(dir);
    snprintf(out, 300, "%s/%d", dir, pid);
}

/* A convenience only: when it can not be written, commands need --project, and nothing else is
 * lost. */
void running_announce(const struct project *p)
{
    char dir[256], path[300];
    running_dir(dir);
    running_path((int)getpid(), path);
    (void)mkdir(dir, 0700);
    FILE *f = fopen(path, "we");
    if (!f) return;
    fprintf(f, "%s\n%s\n", p->dir, p->data);
    fclose(f);
}

void running_forget(void)
{
    char path[300];
    running_path((int)getpid(), path);
    (void)unlink(path);
}

struct running {
    char dir[PROJECT_PATH_MAX], data[PROJECT_PATH_MAX];
    int count;
};

static void read_running(const char *name, struct running *r)
{
    char path[300], dir[PROJECT_PATH_MAX], data[PROJECT_PATH_MAX];
    int pid = atoi(name);
    if (pid <= 0) return;
    running_path(pid, path);
    if (kill(pid, 0) != 0) {
        (void)unlink(path);
        return;
    }
    FILE *f = fopen(path, "re");
    if (!f) return;
    if (fgets(dir, sizeof(dir), f) && fgets(data, sizeof(data), f)) {
        dir[strcspn(dir, "\n")] = data[strcspn(data, "\n")] = 0;
        if (r->count++ == 0) {
            memcpy(r->dir, dir, sizeof(dir));
            memcpy(r->data, data, sizeof(data));
        }
    }
    fclose(f);
}

static void find_running(struct running *r)
{
    char dir[256];
    running_dir(dir);
    DIR *d = opendir(dir);
    r->count = 0;
    for (const struct dirent *e; d && (e = readdir(d)) && r->count < RUNNING_MAX;)
        read_running(e->d_name, r);
    if (d) closedir(d);
}

err_t cli_project(const struct args *a, const char *dir, struct project *p, struct diag *d)
{
    const char *sets[ARGS_MAX];
    struct project_options o = {.dir = dir ? dir : args_value(a, "--project"),
                                .data = args_value(a, "--data"),
                                .sets = sets};
    static struct running running; /* large, and lives as long as the options point into it */
    for (int i = 0; i < a->given_count; i++)
        if (a->given[i].option ==
            &project_options[SETTING]) /* a verb may have a --set of its own */
            sets[o.set_count++] = a->given[i].value;
    if (!o.dir && !file_exists("pipeline.sql")) {
        find_running(&running);
        if (running.count == 0) {
            (void)diag_fail(
                d, ERR_NOT_FOUND,
                "no project here: the current folder has no pipeline.sql, and no sluice runs");
            return diag_hint(d, "name one with --project DIR, or start one: sluice up DIR");
        }
        if (running.count > 1 && !o.data) {
            (void)diag_fail(d, ERR_USAGE, "%d sluices run", running.count);
            return diag_hint(d, "say which one with --project DIR");
        }
        o.dir = running.dir;
        if (!o.data) o.data = running.data;
    }
    return project_open(&o, p, d);
}

/* --- parsing
 * --------------------------------------------------------------------------------------------------
 */

static const struct cli_option *find_in(const struct cli_option *list, struct slice name)
{
    for (; list && list->name; list++)
        if (slice_is(name, list->name)) return list;
    return NULL;
}

static const struct cli_option *find_option(const void *ctx, struct slice name)
{
    const struct verb *v = ctx;
    const struct cli_option *o = find_in(v->options, name);
    if (!o && v->project) o = find_in(project_options, name);
    return o ? o : slice_is(name, "--help") || slice_is(name, "-h") ? &help_option : NULL;
}

size_t cli_options(const struct verb *v, const struct cli_option **out, size_t max)
{
    size_t count = 0;
    for (const struct cli_option *o = v->options; o && o->name && count < max; o++)
        out[count++] = o;
    for (const struct cli_option *o = project_options; v->project && o->name && count < max; o++)
        if (!find_in(v->options, slice_of(o->name))) out[count++] = o;
    return count;
}

static int unknown_option(const struct verb *v, const char *given)
{
    const struct cli_option *options[ARGS_MAX];
    const char *names[ARGS_MAX];
    char problem[512];
    size_t count = cli_options(v, options, COUNT_OF(options));
    for (size_t i = 0; i < count; i++) names[i] = options[i]->name;
    const char *near = nearest_word(slice_of(given), names, count);
    if (v >= tools && v < tools + tool_count) { /* their word for it first */
        int len = (int)strcspn(given + 2, "=");
        snprintf(problem, sizeof(problem), "%.*s is not a recognized option", len, given + 2);
        return cli_usage(v, problem);
    }
    snprintf(problem, sizeof(problem), "'sluice %s' has no option %s%s%s%s", v->name, given,
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return cli_usage(v, problem);
}

bool args_read(const char *const *words, int count,
               const struct cli_option *(*find)(const void *ctx, struct slice name),
               const void *ctx, struct args *a, struct args_wrong *wrong)
{
    bool words_only = false;
    for (int i = 0; i < count; i++) {
        const char *word = words[i], *equals = strchr(word, '='), *value = "";
        *wrong = (struct args_wrong){ARGS_TOO_MANY, word, NULL};
        if (a->word_count == ARGS_MAX || a->given_count == ARGS_MAX) return false;
        if (words_only || word[0] != '-' || !word[1]) {
            a->words[a->word_count++] = word;
            continue;
        }
        words_only = strcmp(word, "--") == 0;
        if (words_only) continue;
        struct slice name = slice_make(word, equals ? (size_t)(equals - word) : strlen(word));
        const struct cli_option *o = find(ctx, name);
        wrong->what = ARGS_UNKNOWN;
        if (!o) return false;
        bool optional = o->value && o->value[0] == '['; /* --state, or --state Stable */
        bool another = i + 1 < count && !(optional && words[i + 1][0] == '-');
        if (o->value && equals)
            value = equals + 1;
        else if (o->value && (another || !optional))
            value = another ? words[++i] : NULL;
        *wrong = (struct args_wrong){ARGS_NO_VALUE, word, o};
        if (!value) return false;
        a->given[a->given_count].option = o;
        a->given[a->given_count++].value = value;
    }
    return true;
}

/* Answers 0, or the exit code of a wrong usage. */
static int parse_args(const struct verb *v, int argc, char **argv, struct args *a)
{
    struct args_wrong wrong;
    char problem[128];
    if (args_read((const char *const *)argv, argc, find_option, v, a, &wrong)) return 0;
    if (wrong.what == ARGS_TOO_MANY) return cli_usage(v, "too many words");
    if (wrong.what == ARGS_UNKNOWN) return unknown_option(v, wrong.word);
    snprintf(problem, sizeof(problem), "%s needs its %s", wrong.option->name, wrong.option->value);
    return cli_usage(v, problem);
}

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < verb_count; i++)
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
    return NULL;
}

static int unknown_verb(const char *name)
{
    const char *names[64];
    for (size_t i = 0; i < verb_count; i++) names[i] = verbs[i].name;
    const char *near = nearest_word(slice_of(name), names, verb_count);
    fprintf(stderr,
            "error: sluice has no command '%s'\n  hint: %s%s%s`sluice help` lists them all\n", name,
            near ? "did you mean '" : "", near ? near : "", near ? "'? " : "");
    return 2;
}

/* Called as kafka-topics and the like. */
static int tool_main(const struct verb *v, int argc, char **argv)
{
    struct args a = {.word_count = 0};
    if (!v->options) { /* it takes its words itself, as they come */
        for (int i = 1; i < argc && a.word_count < ARGS_MAX; i++) a.words[a.word_count++] = argv[i];
        return v->run(v, &a);
    }
    int code = parse_args(v, argc - 1, argv + 1, &a);
    if (code) return 1; /* as those tools end */
    if (!args_has(&a, "--help")) return v->run(v, &a);
    return tool_help(v);
}

int cli_main(int argc, char **argv)
{
    static const struct {
        const char *flag, *verb;
    } flags[] = {{"--help", "help"}, {"-h", "help"}, {"--version", "version"}, {"-V", "version"}};
    const struct verb *tool = argc > 0 ? tool_named(argv[0]) : NULL;
    if (tool) return tool_main(tool, argc, argv);
    const char *name = argc > 1 ? argv[1] : "help";
    struct args a = {.word_count = 0};
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (strcmp(name, flags[i].flag) == 0) name = flags[i].verb;
    const struct verb *v = find_verb(name);
    if (!v) return unknown_verb(name);
    int code = parse_args(v, MAX(argc - 2, 0), argv + 2, &a);
    if (code) return code;
    if (args_has(&a, "--help")) {
        a = (struct args){.words = {v->name}, .word_count = 1};
        v = find_verb("help");
    }
    return v->run(v, &a);
}
