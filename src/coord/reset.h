/* coord/reset: where a group shall stand: the rule, without the asking: `sluice groups reset`,
 * kafka-consumer-groups and the console know the bounds each in its own way.
 * Pure; any thread, no memory. */
#pragma once
#include "base/err.h"

enum reset_to {
    RESET_EARLIEST,
    RESET_LATEST,
    RESET_CURRENT, /* where it stands; the end where it stands nowhere */
    RESET_OFFSET,
    RESET_SHIFT, /* by so many, from where it stands */
    RESET_TIME,
    RESET_PLAN /* each partition has its own offset */
};
struct reset_bounds { /* of one partition */
    int64_t first, end;
    int64_t at_time;  /* RESET_TIME: the first record of that time or later; -1: none */
    int64_t position; /* the group's; -1: none */
};
/* `number`: of RESET_OFFSET, _SHIFT and _PLAN. *wanted is what was asked for, *out lies within the
 * bounds. ERR_USAGE: a shift from nowhere, in the words of Kafka's tool. */
MUST_CHECK err_t reset_place(enum reset_to to, int64_t number, const struct reset_bounds *b,
                             struct slice topic, int32_t partition, int64_t *wanted, int64_t *out,
                             struct diag *d);
