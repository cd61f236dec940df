/* store/index: what the index's own files share. Private to them. */
#pragma once
#include "os/clock.h"
#include "store/change.h"

/* What the entries of an index of a column of this type are made of (INDEX_ENTRIES: the values). */
const struct type *index_type(const struct store_index *i, const struct type *column);
/* A value in binary form (INDEX_ENTRIES: as a tuple of key and value) -> its form in an entry.
 * *fits: it has one; a value of no bytes of a type that has none is in no index. */
MUST_CHECK err_t index_put_value(struct buf *out, const struct store_index *i,
                                 const struct type *column, struct slice binary, bool *fits);
