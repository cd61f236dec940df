/* flow/packed: a row of columns as bytes, for operators' state: which values are there, then those,
 * fixed kinds as they stand in memory, others behind their length. Equal rows have equal bytes.
 * Memory: what is taken lends its bytes. Loop: any.
 */
#pragma once
#include "data/column.h"

void packed_put(struct buf *out, const struct column *columns, uint32_t count, uint32_t row);
/* Into one row of columns that are there; ERR_CORRUPT when the bytes are no such row. */
MUST_CHECK err_t packed_take(struct slice bytes, struct column *columns, uint32_t count,
                             uint32_t row);
/* One row of a column into one of another of the same type; bytes are lent. */
void column_copy_row(struct column *to, uint32_t to_row, const struct column *from,
                     uint32_t from_row);
void column_put_null(struct column *c, uint32_t row);
