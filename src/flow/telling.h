/* flow/telling: a batch that an operator fills row by row and hands on when it is full. Private to
 * operators whose rows are not their input's own.
 *
 * Columns may lend bytes from whatever outlives the hand-over (the input's batch, state that is not
 * changed meanwhile), or from tell_copy. Memory: one batch of TELL_ROWS rows for the operator's
 * life, and an arena that is emptied with each hand-over. Loop: the lane's.
 */
#pragma once
#include "flow/op.h"
#include "flow/packed.h"

enum { TELL_ROWS = 1024 };

struct telling {
    struct op *op;
    struct arena *fixed, *temporary;
    struct column_batch b;
    uint32_t *selected;
    int8_t *signs;
    bool taken_back; /* there is a -1 among the signs */
    /* of rows that were made of one record each */
    bool of_records;
    int32_t *partitions;
    int64_t *offsets, *times;
};
MUST_CHECK err_t tell_init(struct telling *t, struct op *o, struct diag *d);
void tell_done(struct telling *t);
/* The next row's place; what was full goes on first. Every column of it is to be set. */
MUST_CHECK err_t tell_row(struct telling *t, int8_t sign, uint32_t *at, struct diag *d);
/* `count` columns of the row from `first` on: those of `from` at `row`; NULL: nulls. */
void tell_columns(struct telling *t, uint32_t at, uint32_t first, const struct column *from,
                  uint32_t count, uint32_t row);
/* The record it was made of: all rows between two hand-overs have one, or none has. */
void tell_origin(struct telling *t, uint32_t at, const struct rows *r, uint32_t row);
/* Bytes that live until the next row's hand-over, for which there is room now. */
MUST_CHECK err_t tell_copy(struct telling *t, struct slice bytes, struct slice *out,
                           struct diag *d);
MUST_CHECK err_t tell_flush(struct telling *t, struct diag *d);
void tell_forget(struct telling *t); /* the epoch is given up: what waits is never told */
