/* outbox: record batches on their way from an epoch into a topic. They stand in the epoch's write;
 * once that is durable they are appended, by a producer whose sequences tell a second append from a
 * first; a later epoch's write removes them. What a crash leaves is appended when the lane loads.
 *
 * Loop: one lane; the log's writer answers its appends. Memory: the batches of one epoch. Limit:
 * the epoch's. Never decides what a batch holds.
 */
#pragma once
#include "flow/flow_int.h"

struct outbox;
MUST_CHECK err_t outbox_new(struct lane *l, struct slice topic, struct outbox **out,
                            struct diag *d);
void outbox_free(struct outbox *o); /* NULL is fine */
/* Appends what the store holds and the log does not, of this lane and of lanes that are no more. */
MUST_CHECK err_t outbox_recover(struct outbox *o, struct diag *d);
MUST_CHECK err_t outbox_begin(struct outbox *o, struct diag *d); /* the topic as it is now */
struct log_topic *outbox_topic(const struct outbox *o);
/* One batch for a partition; the builder is empty afterwards. */
MUST_CHECK err_t outbox_add(struct outbox *o, int32_t partition, struct record_builder *b,
                            struct diag *d);
size_t outbox_bytes(const struct outbox *o);
MUST_CHECK err_t outbox_write(struct outbox *o, struct diag *d);  /* into the epoch's write */
MUST_CHECK err_t outbox_append(struct outbox *o, struct diag *d); /* it is durable */
