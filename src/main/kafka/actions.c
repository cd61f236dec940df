#include "main/kafka/actions.h"

#include <stdio.h>
#include <unistd.h>

int actions_run(const struct verb *v, const struct args *a, const struct actions *actions)
{
    const char *word = a->word_count ? a->words[0] : "list";
    const struct action *action = NULL;
    struct diag d = {0};
    for (size_t i = 0; i < actions->count; i++)
        if (strcmp(word, actions->rows[i].name) == 0) action = &actions->rows[i];
    if (!action) return cli_usage(v, actions->are);
    if (action->named && a->word_count < 2) return cli_usage(v, actions->which);
    struct work w = {.args = a,
                     .names = a->words + 1,
                     .name_count = MAX(a->word_count - 1, 0),
                     .json = args_has(a, "--json")};
    if (session_of_verb(a, &w.s, &d)) return cli_fail(&d);
    err_t e = action->run(&w, &d);
    session_close(&w.s);
    if (e == ERR_USAGE) return cli_usage(v, d.what);
    return e ? cli_fail(&d) : w.code;
}

err_t action_agreed(const struct work *w, const char *question, struct diag *d)
{
    char answer[16] = "";
    if (args_has(w->args, "--yes")) return ERR_OK;
    if (!isatty(STDIN_FILENO)) {
        (void)diag_fail(d, ERR_STOPPED, "%s", question);
        return diag_hint(d, "--yes says so without being asked");
    }
    fprintf(stderr, "%s Type yes to go on: ", question);
    if (fgets(answer, sizeof(answer), stdin) && strncmp(answer, "yes", 3) == 0) return ERR_OK;
    return diag_fail(d, ERR_STOPPED, "nothing is changed");
}
