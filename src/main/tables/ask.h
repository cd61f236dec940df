/* tables/ask: how `sluice tables` and nodetool reach a project's tables: by the control door of the
 * server that runs, or on the data of one that does not.
 */
#pragma once
#include "exec/upkeep.h"
#include "main/kafka/json_pick.h"
#include "main/project.h"

struct tables_session {
    struct project project;
    bool remote;
    struct exec_world world; /* when no server runs: the data, opened by us */
    struct users *users;
    int lock_fd;
    char story[1600]; /* of what failed: "error: …", with why and hint */
};
struct tables_call {
    const char *what, *table, *name, *format; /* as upkeep.h tells; NULL: "" */
    struct slice body;
    err_t (*put)(void *ctx, struct slice text); /* NULL: nothing is said */
    void *ctx;
};
struct args;
/* `offline`: opens the data when no server runs; without it that is ERR_NOT_FOUND. */
MUST_CHECK err_t tables_open(const struct args *a, bool offline, struct tables_session *s,
                             struct diag *d);
void tables_close(struct tables_session *s);
/* A failure's words are in s->story. */
MUST_CHECK err_t tables_ask(struct tables_session *s, const struct tables_call *c);

/* Answers to standard output, their lines of progress (UPKEEP_PROGRESS_MARK) to standard error: one
 * over the other on a terminal, else not at all. As tables_call.put, with this as ctx. */
struct tables_output {
    bool in_progress, drawn, middle; /* where in a line the text at hand begins */
};
MUST_CHECK err_t tables_put(void *output, struct slice text);
void tables_put_end(struct tables_output *o); /* clears what is left of progress */

/* The same for answers of JSON lines: `each` gets what `paths` name ("$.rows"), a string without
 * its quotes. */
typedef err_t tables_row_fn(void *ctx, const struct slice *picks);
MUST_CHECK err_t tables_ask_rows(struct tables_session *s, struct tables_call c,
                                 const char *const *paths, uint32_t count, tables_row_fn *each,
                                 void *ctx);
uint64_t tables_number(struct slice pick); /* 0 where it is none */
