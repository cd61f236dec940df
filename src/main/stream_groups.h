/* stream_groups: what streams have committed, told to the coordinators as consumer groups
 * `sluice-NAME`, so that `sluice groups` and any Kafka tool show a stream's true lag. A mirror: it
 * never decides where a stream goes on.
 *
 * Loop: notes come on the lanes' threads; the newest offset a partition goes out with a timer of
 * the server's loop, one commit a stream under way. Memory: an entry a stream and partition.
 * Limit: STREAM_GROUP_OFFSETS_MAX entries; what is beyond them is not shown, and said once.
 */
#pragma once
#include "coord/coord.h"

enum { STREAM_GROUP_OFFSETS_MAX = 1 << 20 };
struct stream_groups;
MUST_CHECK err_t stream_groups_new(struct stream_groups **out, struct diag *d);
/* Fits flow_options.committed; `groups` is the context. Never blocks. */
void stream_groups_note(void *groups, struct slice stream, struct slice topic, int32_t partition,
                        int64_t next);
MUST_CHECK err_t stream_groups_start(struct stream_groups *g, struct loop *l, struct coord *c,
                                     struct diag *d);
/* Sends what is left; waits for what is under way. Before coord_close. */
void stream_groups_stop(struct stream_groups *g);
void stream_groups_free(struct stream_groups *g); /* NULL is fine; after flow has ended */
