/* Collecting parts while a list or map is still open: both readers do it the same way. */
#pragma once
#include "base/vec.h"
#include "data/doc.h"

struct doc_build {
    struct arena *a;
    uint32_t nodes; /* so far */
    struct diag *d;
};
/* One more node: ERR_TOO_BIG past the limit. */
MUST_CHECK err_t doc_count(struct doc_build *b);
/* What was collected (of struct doc or struct doc_entry) becomes the part of `out`. */
MUST_CHECK err_t doc_close_list(struct doc_build *b, const struct vec *items, struct doc *out);
MUST_CHECK err_t doc_close_map(struct doc_build *b, const struct vec *entries, struct doc *out);
MUST_CHECK err_t doc_no_memory(struct doc_build *b);
