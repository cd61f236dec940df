/* people: changes of the table of users from the command line: by the server that runs, which keeps
 * the table in memory, or by ourselves while none does.
 */
#pragma once
#include "main/project.h"
#include "users/users.h"

MUST_CHECK err_t people_act(struct project *p, const struct users_act *act, struct diag *d);
/* The table as it is on disk, to be read: what a server changes is there before it is answered. */
struct people {
    struct users *users;
    int lock_fd;
};
MUST_CHECK err_t people_open(struct project *p, struct people *out, struct diag *d);
void people_close(struct people *o); /* also after a failure */
