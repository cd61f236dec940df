/* quota: what an API allows (so many records in any such span), shared by all sources that name it,
 * whether they poll by themselves or run for a task, and by tasks that ask the API themselves. What
 * was taken is on disk before anything is asked for, so that a restart knows it; who waits is
 * written beside it, for whoever looks.
 *
 * Fair: each of the two sides, live polling and tasks, is sure of half for a span after one of its
 * requests had to wait, and otherwise of what it took in a span lately, up to half; the rest is for
 * who asks first. Who waits longest on a side is its next.
 *
 * Never: asks the API, reads a clock (now is given). Loop: any thread. Memory: QUOTA_MARKS_MAX
 * marks a quota; it lives until the last source leaves. Limit: QUOTA_NAME_MAX bytes of a name.
 */
#pragma once
#include "base/bytes.h"

enum { QUOTA_NAME_MAX = 64, QUOTA_MARKS_MAX = 4096 };
struct quota;
/* number 0: another source says it. ERR_CONFIG: the name is none, or another source says otherwise.
 */
MUST_CHECK err_t quota_join(struct slice name, int64_t number, int64_t per_ms, struct quota **out,
                            struct diag *d);
void quota_leave(struct quota *q);
struct quota_ask {
    const void *who;   /* the source or task; not looked into */
    struct slice name; /* its own, for people; {0}: none */
    bool by_task;
    int64_t count, now_ms;
};
/* *wait_ms 0: taken, and on disk; otherwise ask again then. ERR_CONFIG: nobody says how much it is.
 */
MUST_CHECK err_t quota_take(struct quota *q, const struct quota_ask *ask, int64_t *wait_ms,
                            struct diag *d);
