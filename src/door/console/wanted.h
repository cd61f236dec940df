/* console/wanted: which of a topic's records somebody asks for, in the words that a request's query
 * and a live channel's name share: partition, q, where, committed.
 *
 * Never reads the log. Loop: any thread. Memory: the arena's. Limit: SCAN_PLACES_MAX partitions. */
#pragma once
#include "door/console/scan.h"
#include "exec/exec.h"

struct records_wanted {
    struct slice partition; /* "0,2", "256-511"; "": all */
    struct slice text, where;
    bool committed;
};
/* "partition=0-3&q=Ada", each value percent-encoded where it has a %, & or +. ERR_USAGE. */
MUST_CHECK err_t wanted_read(struct slice query, struct arena *a, struct records_wanted *out,
                             struct diag *d);
/* The partitions, each once, in the order they are named; with no offsets yet. */
MUST_CHECK err_t wanted_partitions(struct log_topic *t, struct slice partition,
                                   struct browse_start *out, uint32_t *count, struct diag *d);
/* *out stays as it is where there is no condition. */
MUST_CHECK err_t wanted_condition(struct catalog *c, struct log_topic *t, struct slice where,
                                  struct record_where **out, struct diag *d);
