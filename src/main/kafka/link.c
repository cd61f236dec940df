/* sluice link-tools DIR: names of Kafka's tools that lead to this program, so that tutorials' lines
 * work as they stand. */
#include "main/kafka/tools.h"

#include "os/file.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

/* A link of ours is made anew; anything else under the name stays. */
static err_t link_one(const char *program, const char *dir, const char *name, const char *end,
                      struct diag *d)
{
    char path[PATH_MAX], old[PATH_MAX];
    int n = snprintf(path, sizeof(path), "%s/%s%s", dir, name, end);
    if (n < 0 || (size_t)n >= sizeof(path)) return diag_fail(d, ERR_TOO_BIG, "%s is too long", dir);
    ssize_t len = readlink(path, old, sizeof(old) - 1);
    if (len > 0) {
        old[len] = 0;
        if (strcmp(old, program) == 0) return ERR_OK;
        (void)diag_fail(d, ERR_EXISTS, "%s leads to %s", path, old);
        return diag_hint(d, "remove it first, or name another folder");
    }
    if (symlink(program, path) == 0) return ERR_OK;
    return diag_errno(d, errno, "linking %s", path);
}

int verb_link_tools(const struct verb *v, const struct args *a)
{
    static const char *const ends[] = {"", ".sh"};
    char program[PATH_MAX];
    struct diag d = {0};
    if (a->word_count != 1) return cli_usage(v, "into which folder?");
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    err_t e = len > 0 ? ERR_OK : diag_errno(&d, errno, "finding this program");
    if (len > 0) program[len] = 0;
    if (!e) e = dir_make(a->words[0], &d);
    for (size_t i = 0; !e && i < tool_count; i++)
        for (size_t k = 0; !e && k < COUNT_OF(ends); k++)
            e = link_one(program, a->words[0], tools[i].name, ends[k], &d);
    if (e) return cli_fail(&d);
    printf("%zu tools in %s, each also with .sh; in your shell: PATH=%s:$PATH\n", tool_count,
           a->words[0], a->words[0]);
    return 0;
}
