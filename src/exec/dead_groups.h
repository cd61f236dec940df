/* exec/dead_groups: a stage's dead letters by what was wrong with them: the error, the column or
 * the check. The newest are looked at; how many there are beyond is said.
 *
 * Loop: any thread, blocking. Memory: the caller's arena. Limit: DEAD_LOOKED_MAX letters a stage,
 * DEAD_GROUPS_MAX groups; what fits into none is counted apart.
 */
#pragma once
#include "exec/exec.h"

enum { DEAD_LOOKED_MAX = 20000, DEAD_GROUPS_MAX = 100 };
struct dead_group {
    err_t err;
    struct slice column, expression; /* at NULL: none */
    struct slice reason;             /* of the newest one */
    uint64_t letters, records, mended;
    int64_t first_ms, last_ms; /* written */
};
struct dead_stage {
    uint64_t letters, mended, bytes;
    bool more; /* older ones were not looked at */
    const struct dead_group *groups;
    uint32_t group_count;
    uint64_t others; /* letters of further groups */
};
MUST_CHECK err_t dead_groups_of(struct store *s, struct slice stage, struct arena *a,
                                struct dead_stage *out, struct diag *d);
