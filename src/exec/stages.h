/* exec/stages: what a person asks of a source or stream, and what that would cost, in numbers. The
 * command line's door and the console call the same.
 *
 * Loop: any thread, blocking. Limit: STAGE_LETTERS_COUNTED letters are counted, then it is "more".
 * Never asks anybody whether he is sure.
 */
#pragma once
#include "exec/exec.h"

enum { STAGE_LETTERS_COUNTED = 100000, STAGE_NAME_BYTES = 255 };

/* pause, resume, restart; reset forgets all and begins anew; drop forgets what is left of one that
 * pipeline.sql declares no more. ERR_USAGE: it is nothing a stage can do, or no name of one. */
MUST_CHECK err_t stage_act(const struct exec_world *w, struct slice what, struct slice name,
                           struct diag *d);

struct stage_cost {
    const char *what; /* "reset" */
    bool is_source, forgets;
    bool takes_table;     /* a view's own goes with it */
    struct ledger ledger; /* that is forgotten, where it forgets */
    uint64_t epochs, state_rows, state_bytes;
    uint64_t letters;
    bool more_letters;   /* than were counted */
    uint64_t again;      /* records that the log still has and that are read again … */
    uint64_t missing;    /* … and those of before, which it has no more */
    uint64_t table_rows; /* of the table it writes; they stay unless takes_table */
    double per_second;   /* what comes meanwhile */
    char into[256];      /* where it writes; "" unknown */
};
/* ERR_UNKNOWN_STREAM; ERR_IN_USE: dropped can be only what is not declared. */
MUST_CHECK err_t stage_cost_of(const struct exec_world *w, struct slice what, struct slice name,
                               struct stage_cost *out, struct diag *d);
/* As sentences, for the command line: what goes, what stays. */
void stage_cost_text(const struct stage_cost *c, struct slice name, struct buf *out);
