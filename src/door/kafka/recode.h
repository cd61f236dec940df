/* recode: a batch in another codec, for topics whose compression.type is not `producer`. Records,
 * offsets, times and the producer's numbers stay; only codec, length and CRC change.
 *
 * Loop: any thread. Memory: the opened records for a moment, and the answer. Limit: as
 * record_batch.
 */
#pragma once
#include "data/record_batch.h"

MUST_CHECK err_t batch_recode(const struct record_batch *b, enum codec to, uint8_t **out,
                              size_t *size, struct diag *d); /* mem_: the caller's */
