/* flow/feed: threads that feed a lane whose plan has state. Each reads, decodes, filters, projects
 * and, where the plan allows it, gathers groups; the lane takes over what they made, in the order
 * of its ranges, as if it had done all of it alone: tables, state and ledger are the same, byte for
 * byte, whatever the number of feeders.
 *
 * The unit of work is a portion: some batches of one partition. The lane reads the log, cuts
 * portions and hands them out through a ring; it takes up a portion itself while the one it needs
 * is not ready. What is in the ring when an epoch is full is part of that epoch (a barrier). Never
 * writes, moves no durable cursor. Loop: made, used and freed by its lane; a thread a feeder.
 * Memory: the ring's portions, some MiB each, within an eighth of the lane's share. Limit:
 * FEEDERS_MAX.
 */
#pragma once
#include "flow/flow_int.h"

enum { FEEDERS_MAX = 64 };

/* *out NULL: this plan, or this machine, has no use for feeders. */
MUST_CHECK err_t feed_new(struct lane *l, struct feed **out, struct diag *d);
void feed_free(struct feed *f); /* NULL is fine */
/* The ranges of the epoch at hand hold enough that waking a thread pays. */
bool feed_pays(const struct lane *l);
/* Reads the ranges to their end, or until the epoch is full. */
MUST_CHECK err_t feed_epoch(struct lane *l, struct diag *d);
void feed_stop(struct feed *f); /* joins the threads; the next epoch starts them again */
/* For status, any thread. */
uint32_t feed_feeders(const struct feed *f);
uint64_t feed_cpu_ns(const struct feed *f);
size_t feed_memory(const struct feed *f);
