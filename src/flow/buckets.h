/* flow/buckets: times in slices of one length, so that a state's entries go as whole buckets when
 * they are old. A length of 0 means that nothing is forgotten: all stands in bucket 0.
 * Loop: one lane. Memory: none.
 */
#pragma once
#include "flow/state.h"

/* The length for entries that are kept for a span: a quarter of it, a second at least. */
int64_t bucket_length(int64_t span_ms);
int64_t bucket_of(int64_t length, int64_t time); /* the slice's first millisecond */
/* Buckets before this one hold only times that the watermark has passed by more than keep_ms;
 * INT64_MIN: none does. */
int64_t bucket_until(int64_t length, int64_t watermark, int64_t keep_ms);
/* The key's entry in whichever bucket it stands, the newest first; NULL: in none. */
MUST_CHECK err_t bucket_find_any(struct state *s, struct slice key, void **entry, struct diag *d);
