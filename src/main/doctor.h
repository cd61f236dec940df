/* doctor: what is wrong with this machine, with a project's files, or with its running server, and
 * the fix. `sluice doctor` prints the findings, the console's System page shows the server's own.
 *
 * Never changes anything. Loop: any thread, blocking; `tell` is called from inside. Memory: a
 * catalog and the project's texts while it looks.
 */
#pragma once
#include "main/project.h"

struct server;
enum doctor_word { DOCTOR_FINE, DOCTOR_NOTE, DOCTOR_PROBLEM };
const char *doctor_word_name(enum doctor_word w); /* "ok", "note", "problem" */
struct doctor_finding {
    enum doctor_word word;
    const char *area;     /* "machine", "disk", "ports", "project", "data", "streams", "logins" */
    const struct diag *d; /* of what is fine: what alone */
    struct slice text;    /* lines that belong to it: last words; {0}: none */
};
struct doctor {
    void (*tell)(void *ctx, const struct doctor_finding *f);
    void *ctx;
    uint32_t problems; /* told so far */
};
/* From outside: `running` says whether a server works on the project's data; what only it knows is
 * not looked at then. */
void doctor_look(struct doctor *x, struct project *p, bool running);
/* A server looks at itself, and at the project's files as they are on disk now. */
void doctor_look_within(struct doctor *x, const struct server *s);
/* A problem that the caller has found. */
void doctor_tell_problem(struct doctor *x, const char *area, const struct diag *d);
