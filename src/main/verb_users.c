/* users: people, roles, passwords. */
#include "main/cli.h"

#include "main/server.h"
#include "os/file.h"

#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* One line without its newline: typed unseen on a terminal. */
static bool read_password(const char *name, char out[USERS_PASSWORD_MAX + 2])
{
    struct termios before, silent;
    bool person = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &before) == 0;
    if (person) {
        fprintf(stderr, "password for %s: ", name);
        silent = before;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
    }
    bool got = fgets(out, USERS_PASSWORD_MAX + 2, stdin) != NULL;
    if (person) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (got) out[strcspn(out, "\r\n")] = 0;
    return got;
}

static err_t print_text(void *ctx, const struct user *u)
{
    (void)ctx;
    printf("%-24s %-8s%s\n", u->name, role_name(u->role),
           u->well_known ? "the password of the tutorials: loopback only" : "");
    return ERR_OK;
}

static err_t print_json(void *ctx, const struct user *u)
{
    struct buf name = buf_make(KIB(1));
    (void)ctx;
    json_put_text(&name, slice_of(u->name));
    printf("{\"name\": %s, \"role\": \"%s\", \"wellKnownPassword\": %s}\n", buf_cstr(&name),
           role_name(u->role), u->well_known ? "true" : "false");
    buf_done(&name);
    return ERR_OK;
}

static const char *const role_names =
    "admin, op, user or viewer; none: only what CQL's GRANT gives";

static err_t set_password(struct users *u, const char *name, const char *role_text, bool must_exist,
                          struct diag *d)
{
    char password[USERS_PASSWORD_MAX + 2];
    struct user there;
    enum user_role role = ROLE_VIEWER;
    bool known = users_find(u, slice_of(name), &there) == ERR_OK;
    if (known != must_exist) {
        (void)diag_fail(d, known ? ERR_EXISTS : ERR_NOT_FOUND,
                        known ? "there is a user '%s' already" : "there is no user '%s'", name);
        return diag_hint(
            d, known ? "sluice users passwd %s changes the password" : "sluice users add %s", name);
    }
    if (role_text && !role_parse(slice_of(role_text), &role)) {
        (void)diag_fail(d, ERR_USAGE, "there is no role '%s'", role_text);
        return diag_hint(d, "%s", role_names);
    }
    if (!read_password(name, password)) return diag_fail(d, ERR_USAGE, "no password was given");
    return users_set(u, slice_of(name), slice_of(password), known ? there.role : role, d);
}

static err_t set_role(struct users *u, const char *name, const char *role_text, struct diag *d)
{
    enum user_role role;
    if (role_parse(slice_of(role_text), &role)) return users_set_role(u, slice_of(name), role, d);
    (void)diag_fail(d, ERR_USAGE, "there is no role '%s'", role_text);
    return diag_hint(d, "%s", role_names);
}

static int act(struct users *u, const struct verb *v, const struct args *a, struct diag *d)
{
    const char *what = a->word_count ? a->words[0] : "list",
               *name = a->word_count > 1 ? a->words[1] : NULL;
    err_t e;
    if (strcmp(what, "list") == 0 && a->word_count <= 1)
        e = users_each(u, args_has(a, "--json") ? print_json : print_text, NULL);
    else if (strcmp(what, "add") == 0 && a->word_count == 2)
        e = set_password(u, name, args_value(a, "--role"), false, d);
    else if (strcmp(what, "passwd") == 0 && a->word_count == 2)
        e = set_password(u, name, NULL, true, d);
    else if (strcmp(what, "role") == 0 && a->word_count == 3)
        e = set_role(u, name, a->words[2], d);
    else if (strcmp(what, "remove") == 0 && a->word_count == 2)
        e = users_remove(u, slice_of(name), d);
    else
        return cli_usage(v, "list, add NAME, passwd NAME, role NAME ROLE, or remove NAME");
    return e ? cli_fail(d) : 0;
}

/* A running server reads the table at its start: it must not be changed under it. */
int verb_users(const struct verb *v, const struct args *a)
{
    struct project p;
    struct users *u = NULL;
    struct diag d;
    char path[PROJECT_PATH_MAX];
    int fd = -1, code = 1;
    bool looks = a->word_count == 0 || strcmp(a->words[0], "list") == 0;
    if (cli_project(a, NULL, &p, &d)) return cli_fail(&d);
    err_t e = looks && client_server_runs(&p) ? ERR_OK : data_lock(&p, &fd, &d);
    if (!e) e = project_data_path(&p, "users", path, &d);
    if (!e) e = users_open(path, &u, &d);
    if (!e) code = act(u, v, a, &d);
    users_close(u);
    if (fd >= 0) file_close(fd);
    project_close(&p);
    return e ? cli_fail(&d) : code;
}
