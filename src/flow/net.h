/* net: the last word of an epoch on each key. Rows are taken as they come, given and taken back; at
 * the epoch's end each key has one row to write, or is to be removed.
 *
 * Loop: one lane. Memory: an arena of its own, bounded. Limit: memory_max.
 */
#pragma once
#include "flow/op.h"

struct net;
MUST_CHECK err_t net_new(const struct plan_node *root, size_t memory_max, struct net **out,
                         struct diag *d);
void net_free(struct net *n); /* NULL is fine */
/* Rows whose words fit into so much memory, roughly. */
uint64_t net_rows(const struct plan_node *root, size_t memory);
void net_reset(struct net *n);
size_t net_bytes(const struct net *n);
MUST_CHECK err_t net_take(struct net *n, struct slice key, const struct rows *r, uint32_t row,
                          struct diag *d);
/* The rows to be written (sign 1) or removed (-1), in the order in which their keys first came, in
 * batches that live in `a`, which is reset between them. */
MUST_CHECK err_t net_tell(struct net *n, int sign, struct arena *a,
                          err_t (*each)(void *ctx, const struct rows *r, struct diag *d), void *ctx,
                          struct diag *d);
