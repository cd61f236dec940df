/* actions: verbs that do one of several things on a Kafka cluster: `sluice topics create t`,
 * `sluice groups reset g`. One table of what there is, one function that picks a row and runs it
 * with a session. Loop: none. Memory: the session's.
 */
#pragma once
#include "main/kafka/session.h"

struct work {
    struct session s;
    const struct args *args;
    const char *const *names; /* behind the action */
    int name_count;
    bool json;
    int code; /* what the verb ends with when an action is done, but not all of it */
};

struct action {
    const char *name;
    bool named; /* needs a name behind it */
    err_t (*run)(struct work *w, struct diag *d);
};

struct actions {
    const struct action *rows; /* "list", when none is said, has to be one */
    size_t count;
    const char *are;   /* of an action that is not there: "groups are listed, described …" */
    const char *which; /* of a name that is missing: "which group?" */
};
int actions_run(const struct verb *v, const struct args *a, const struct actions *actions);

/* Asks, unless --yes is given; ERR_STOPPED: no. */
MUST_CHECK err_t action_agreed(const struct work *w, const char *question, struct diag *d);
