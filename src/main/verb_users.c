/* users: people, roles, passwords. */
#include "main/cli.h"

#include "main/people.h"

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

static int list(struct project *p, bool json)
{
    struct people o;
    struct diag d;
    err_t e = people_open(p, &o, &d);
    if (!e && users_each(o.users, json ? print_json : print_text, NULL))
        e = diag_fail(&d, ERR_IO, "the users can not be told");
    people_close(&o);
    return e ? cli_fail(&d) : 0;
}

/* Is it clear already that it will be refused? Then nobody is asked for a password. */
static err_t foresee(struct project *p, const struct users_act *act, bool *refused, struct diag *d)
{
    struct people o;
    struct user there;
    enum user_role role;
    err_t e = people_open(p, &o, d);
    if (!e) {
        bool known = users_find(o.users, act->name, &there) == ERR_OK;
        *refused =
            known == slice_is(act->what, "add") || (act->role.at && !role_parse(act->role, &role));
    }
    people_close(&o);
    return e;
}

static int change(struct project *p, struct users_act *act, bool password)
{
    char typed[USERS_PASSWORD_MAX + 2];
    struct diag d;
    bool refused = false;
    err_t e = password ? foresee(p, act, &refused, &d) : ERR_OK;
    if (!e && password && !refused) {
        if (read_password((const char *)act->name.at, typed))
            act->password = slice_of(typed);
        else
            e = diag_fail(&d, ERR_USAGE, "no password was given");
    }
    if (!e) e = people_act(p, act, &d);
    return e ? cli_fail(&d) : 0;
}

static const struct {
    const char *what;
    int words;
    bool password;
} acts[] = {{"add", 2, true}, {"passwd", 2, true}, {"role", 3, false}, {"remove", 2, false}};

static int run(struct project *p, const struct verb *v, const struct args *a)
{
    const char *what = a->word_count ? a->words[0] : "list";
    if (strcmp(what, "list") == 0 && a->word_count <= 1) return list(p, args_has(a, "--json"));
    for (size_t i = 0; i < COUNT_OF(acts); i++) {
        if (strcmp(what, acts[i].what) != 0 || a->word_count != acts[i].words) continue;
        const char *role = a->word_count > 2 ? a->words[2] : args_value(a, "--role");
        struct users_act wanted = {.what = slice_of(what), .name = slice_of(a->words[1])};
        if (role) wanted.role = slice_of(role);
        return change(p, &wanted, acts[i].password);
    }
    return cli_usage(v, "list, add NAME, passwd NAME, role NAME ROLE, or remove NAME");
}

int verb_users(const struct verb *v, const struct args *a)
{
    struct project p;
    struct diag d;
    if (cli_project(a, NULL, &p, &d)) return cli_fail(&d);
    int code = run(&p, v, a);
    project_close(&p);
    return code;
}
