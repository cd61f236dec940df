/* client: the command line's side of door/control. */
#pragma once
#include "main/project.h"

struct client_call {
    const char *method, *path; /* "/status?json=1" */
    struct slice body;
    err_t (*text)(void *ctx, struct slice text); /* what comes back, as it comes */
    void *ctx;
    bool until_signal; /* SIGINT ends the call, which is no failure */
    /* the answer */
    long status;
    struct buf failure; /* the story, when it is one; caller frees */
    bool failed;        /* what comes is the story */
};
/* ERR_NOT_FOUND: no server runs on this data. */
MUST_CHECK err_t client_run(const struct project *p, struct client_call *c, struct diag *d);
/* The same, text to standard output, a failure to standard error; answers the exit code. */
int client_print(const struct project *p, const char *method, const char *path, struct slice body);
/* The same until Ctrl-C, which is its usual end. */
int client_watch(const struct project *p, const char *path, struct slice body);
bool client_server_runs(const struct project *p);
/* Tells a server that runs to look at its workflows now: a request that is sent, and not waited
 * for. What client_woken takes, which waits until it is heard; -1: no server runs. */
int client_wake(const struct project *p);
void client_woken(int fd);
/* Puts name=value of a query, escaped. */
void client_put_param(struct buf *path, const char *name, struct slice value);
