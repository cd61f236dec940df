/* plan/tell: the whole plan of a project: what is checked, and what starting it would change.
 *
 * Never changes anything. Loop: any thread, blocking. Memory: PLAN_TEXT_MAX a text, and planning's.
 */
#pragma once
#include "main/project.h"

enum { PLAN_TEXT_MAX = 64 << 20, PLAN_SAMPLE_USUAL = 100 };
struct planning;
struct planning planning_make(struct project *p, const struct exec_world *w, uint32_t sample);
void planning_done(struct planning *l);
/* Checks all, and puts what would change as people read it; what was found is in l->findings. */
MUST_CHECK err_t plan_tell(struct planning *l, struct buf *text, struct diag *d);
void plan_json(struct planning *l, struct buf *text, bool running, struct buf *out);
/* The plan of the project's files as they are on disk (`pipeline` in the place of pipeline.sql,
 * where it is not NULL) against what a running server has made: JSON. Files that can not be read
 * are a finding. Asks no source, runs no command. */
struct plan_verdict {
    uint32_t errors;
    char where[256], what[512], fix[256]; /* of the first one */
};
MUST_CHECK err_t plan_beside(const struct project *running, const struct slice *pipeline,
                             const struct exec_world *w, struct plan_verdict *verdict,
                             struct buf *out, struct diag *d);
