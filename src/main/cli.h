/* cli: the command line. A verb is a row of verbs[]: from it come parsing, `--help`, `sluice help`,
 * the man page and the shell's completion.
 */
#pragma once
#include "main/client.h"

enum { ARGS_MAX = 64 };

struct cli_option {
    const char *name;  /* "--data" */
    const char *value; /* "PATH"; NULL: a switch */
    const char *about;
};

struct args {
    const char *words[ARGS_MAX]; /* what is no option, in order */
    int word_count;
    struct {
        const struct cli_option *option;
        const char *value;
    } given[ARGS_MAX];
    int given_count;
};

struct verb {
    const char *name;
    const char *usage;                /* what stands behind the name: "[DIR] [options]" */
    const char *about;                /* one line for the list */
    const char *more;                 /* a paragraph for --help; "" */
    const struct cli_option *options; /* ends with a NULL name; --help is always there */
    bool project;                     /* takes the options of a project: --project, --data, --set */
    int (*run)(const struct verb *v, const struct args *a);
};
extern const struct verb verbs[];
extern const size_t verb_count;
const char *help_topic(
    size_t n); /* the n-th page of `sluice help` that is no verb; NULL past the last */

extern const struct cli_option project_options[]; /* ends with a NULL name */
/* All that a verb takes: its own, and those of projects that it has not itself by that name. */
size_t cli_options(const struct verb *v, const struct cli_option **out, size_t max);

const char *args_value(const struct args *a, const char *option); /* NULL: not given */
static inline bool args_has(const struct args *a, const char *option)
{
    return args_value(a, option) != NULL;
}
/* Words into options and the rest: "--name VALUE", "--name=VALUE", "--" before words alone; an
 * option whose value is "[NAME]" may stand without. `find` knows the options by their spelling. */
struct args_wrong {
    enum { ARGS_TOO_MANY, ARGS_UNKNOWN, ARGS_NO_VALUE } what;
    const char *word;
    const struct cli_option *option; /* of ARGS_NO_VALUE */
};
bool args_read(const char *const *words, int count,
               const struct cli_option *(*find)(const void *ctx, struct slice name),
               const void *ctx, struct args *a, struct args_wrong *wrong);
int cli_fail(const struct diag *d);                       /* prints the story, answers 1 */
int cli_usage(const struct verb *v, const char *problem); /* prints how it is used, answers 2 */
/* The project a verb means: `dir` if given, --project, the current folder, or the only server that
 * runs. */
MUST_CHECK err_t cli_project(const struct args *a, const char *dir, struct project *p,
                             struct diag *d);
int cli_main(int argc, char **argv);

/* Who runs: a file a server in the user's runtime directory, so that commands find it from
 * anywhere. */
void running_announce(const struct project *p);
void running_forget(void);

int verb_up(const struct verb *v, const struct args *a);
int verb_plan(const struct verb *v, const struct args *a);
int verb_test(const struct verb *v, const struct args *a);
int verb_query(const struct verb *v, const struct args *a);
int verb_look(const struct verb *v, const struct args *a); /* status, top */
/* The same of a project that does not run: what the store knows. */
int look_offline(struct project *p, const char *what, const struct args *a);
int verb_replay(const struct verb *v, const struct args *a);
int verb_why(const struct verb *v, const struct args *a);
int verb_dead(const struct verb *v, const struct args *a);
uint64_t dead_limit(const struct args *a); /* --limit; the newest so many, 0: all */
int verb_streams(const struct verb *v, const struct args *a);
/* pause, resume, restart, reset or drop of one stream or source; asks where something goes. */
int act_on_stage(struct project *p, const char *what, const char *name, bool yes);
int verb_logs(const struct verb *v, const struct args *a);
int verb_act(const struct verb *v, const struct args *a); /* pause, resume, restart */
int verb_reset(const struct verb *v, const struct args *a);
int verb_users(const struct verb *v, const struct args *a);
int verb_doctor(const struct verb *v, const struct args *a);
int verb_api(const struct verb *v, const struct args *a);
int verb_import(const struct verb *v, const struct args *a);
int verb_help(const struct verb *v, const struct args *a);
int verb_version(const struct verb *v, const struct args *a);
int verb_completion(const struct verb *v, const struct args *a);
