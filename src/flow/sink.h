/* sink: where a stream's rows go: a table, a topic, or nowhere but into the counts.
 *
 * A sink belongs to a lane and writes into the lane's epoch. Loop: the lane's. Memory: the batch's
 * arena; what an epoch changes, bounded by the lane's share.
 */
#pragma once
#include "flow/net.h"

struct sink_verbs {
    err_t (*open)(struct lane *l, struct diag *d); /* makes l->sink_self */
    /* Before any other of an epoch: the target as it is now. */
    err_t (*begin)(struct lane *l, struct diag *d);
    err_t (*rows)(struct lane *l, const struct rows *r, struct diag *d);
    err_t (*finish)(struct lane *l, struct diag *d); /* no more rows come in this epoch */
    err_t (*settled)(struct lane *l,
                     struct diag *d); /* the epoch is durable; NULL: nothing to do */
    /* What the store holds of this lane's and has not yet done; NULL: nothing. Called when a lane
     * loads. */
    err_t (*recover)(struct lane *l, struct diag *d);
    size_t (*bytes)(const struct lane *l); /* that the epoch holds beside its write; NULL: none */
    void (*close)(struct lane *l);
};
extern const struct sink_verbs sink_table, sink_topic, sink_nothing;
const struct sink_verbs *sink_of(const struct plan_stream *p);

/* A row's write time stands on its record alone, and grows along a partition (F5); that of a row
 * made of several, or of one that may be taken back, on the epoch's time. `write_us`: by row. */
MUST_CHECK err_t sink_stamp(struct lane *l, const struct rows *r, int64_t **write_us);
struct lane_partition *sink_partition(struct lane *l, const struct rows *r, uint32_t row);
/* Rows whose fate is to be written are applied; rows out are counted apart. */
void sink_count(struct lane *l, const struct rows *r, uint32_t count);
