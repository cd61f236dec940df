/* figures: the text of /metrics, gathered from the rooms.
 *
 * Loop: any thread, one at a time; it may wait for the coordinators' loop and for the workflows'
 * database, so no loop asks for it. Memory: what the text takes, METRICS_BYTES_MAX at most. Never
 * decides anything.
 */
#pragma once
#include "base/metric.h"
#include "coord/coord.h"
#include "exec/exec.h"
#include "exec/report.h"

enum { METRICS_BYTES_MAX = 64 << 20 };
struct meta;
struct metrics;
struct metrics_options { /* the functions: for any thread */
    struct exec_world *world;
    const char *data; /* the directory whose disk is told */
    void *ctx;
    void (*facts)(void *ctx, struct report_facts *out);
    struct coord *(*coord)(void *ctx); /* NULL: there is none */
    /* Another connection to the workflows' database; ERR_NOT_FOUND: there are no workflows. */
    err_t (*meta)(void *ctx, struct meta **out, struct diag *d);
    void (*more)(void *ctx, struct buf *out); /* other doors' own; NULL: none */
};
MUST_CHECK err_t metrics_new(const struct metrics_options *o, struct metrics **out, struct diag *d);
void metrics_free(struct metrics *m); /* NULL is fine */
MUST_CHECK err_t metrics_put(struct metrics *m, struct buf *out);
void metrics_families(metric_each *each, void *ctx); /* the names in it, but those of `more` */
