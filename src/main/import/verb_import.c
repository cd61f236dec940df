/* import: a docker-compose project of the known family becomes a project of Sluice. */
#include "main/cli.h"
#include "main/import/import.h"
#include "os/file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { IMPORT_BYTES_MAX = 512 << 20 };

static err_t is_empty(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    return ERR_EXISTS;
}

/* Never over something that is there. */
static err_t check_out(const char *out, struct diag *d)
{
    struct diag told;
    if (!file_exists(out)) return ERR_OK;
    if (!dir_list(out, is_empty, NULL, &told)) return ERR_OK;
    (void)diag_fail(d, ERR_EXISTS, "%s is there already", out);
    return diag_hint(d, "--into names another folder; one that is empty will do");
}

static void tell(const struct import *m)
{
    for (size_t i = 0; i < m->findings.count; i++) {
        const struct import_line *l = vec_at(&m->findings, i);
        printf("%s:%u: %s\n  here: %s\n", l->file->path, l->line, l->text,
               defect_kinds[l->defect].instead);
    }
    for (size_t i = 0; i < m->left.count; i++) {
        const struct import_line *l = vec_at(&m->left, i);
        if (l->file)
            printf("left  %s:%u: %s\n", l->file->path, l->line, l->text);
        else
            printf("left  %s\n", l->text);
    }
    for (size_t i = 0; i < m->secrets.count; i++) {
        const struct import_line *l = vec_at(&m->secrets, i);
        printf("password  %s:%u: %s, not copied\n", l->file->path, l->line, l->text);
    }
    printf("%s: %zu dags, %zu columns, %zu defects, %zu things left; IMPORT.md tells all of it\n",
           m->out, m->dags.count, m->finals.count, m->findings.count, m->left.count);
}

int verb_import(const struct verb *v, const struct args *a)
{
    char dir[PATH_MAX], out[PATH_MAX];
    struct diag d;
    if (a->word_count != 1) return cli_usage(v, "it takes the project's folder");
    if (!realpath(a->words[0], dir)) {
        (void)diag_fail(&d, ERR_NOT_FOUND, "there is no folder %s", a->words[0]);
        return cli_fail(&d);
    }
    const char *into = args_value(a, "--into");
    const char *slash = strrchr(dir, '/');
    int n = into ? snprintf(out, sizeof out, "%s", into)
                 : snprintf(out, sizeof out, "%s-sluice", slash ? slash + 1 : dir);
    if (n >= (int)sizeof out) return cli_usage(v, "the path after --into is too long");
    struct import m = {.arena = arena_new(IMPORT_BYTES_MAX), .dir = dir, .out = out};
    err_t e = m.arena ? check_out(out, &d)
                      : diag_fail(&d, ERR_NO_MEMORY, "no memory to read the project");
    if (!e) e = import_read(&m, &d);
    if (!e && !m.files.count)
        e = diag_fail(&d, ERR_NOT_FOUND, "%s holds no file of such a project", dir);
    if (!e) {
        gather_producers(&m);
        gather_streams(&m);
        gather_compose(&m);
        gather_dags(&m);
        e = import_write(&m, &d);
    }
    if (!e && m.err) e = diag_fail(&d, m.err, "%s is more than fits", dir);
    if (!e) tell(&m);
    bool left = m.left.count > 0;
    import_done(&m);
    arena_free(m.arena);
    return e ? cli_fail(&d) : left;
}
