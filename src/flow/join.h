/* flow/join: the rows a join remembers of one of its sides. Private to op_join.c and join_rows.c.
 *
 * Rows of one key and slice of time stand in blocks of at most BLOCK_ROWS, each an entry of the
 * side's state (key: the join's, then the block's number), so that a key with many rows is not
 * written anew for each one more. Loop: the lane's.
 */
#pragma once
#include "flow/op.h"
#include "flow/packed.h"
#include "flow/telling.h"

enum { BLOCK_ROWS = 64 };

struct block {     /* an entry of the state */
    uint32_t last; /* block 0 knows the number of the last one */
    uint32_t rows, len, cap;
    uint8_t *at; /* rows one behind the other: struct join_row's bytes, then the packed columns */
};
struct join_row { /* stands unaligned: read and written by memcpy, kept on the store as it is */
    int64_t time;
    uint32_t len;     /* of the packed columns behind it */
    uint32_t matches; /* rows of the other side that it goes with now */
    uint8_t record;   /* it is a record that is held until it matches */
    uint8_t zero[7];  /* else the compiler's padding, and the same rows not the same bytes */
};
static_assert(sizeof(struct join_row) == 24, "no byte without a name");

struct join_side {
    struct state *state;
    const struct column *columns; /* of the batch at hand, for packing */
    uint32_t column_count;
    struct buf key, row;
    bool pads; /* rows without a match are told, with nulls for the other side */
};
MUST_CHECK err_t join_side_open(struct op *o, struct join_side *side, uint8_t part, struct diag *d);
void join_side_close(struct join_side *side);

/* Adds a row, packed, behind the others of its key. */
MUST_CHECK err_t join_side_add(struct join_side *side, int64_t bucket, struct slice key,
                               const struct join_row *row, struct slice packed, struct diag *d);
/* Takes one row equal to `packed` away; *found tells, *was is what it was. */
MUST_CHECK err_t join_side_take(struct join_side *side, int64_t bucket, struct slice key,
                                struct slice packed, bool *found, struct join_row *was,
                                struct diag *d);
/* A walk over the rows of one key and bucket, in the order they came. Nothing may be added or taken
 * meanwhile; a row may be changed where it stands (block, at). */
struct join_walk {
    struct join_side *side;
    int64_t bucket;
    struct slice key;
    struct block *block;
    uint32_t number, last, at, next;
    struct join_row row;
    struct slice packed;
};
MUST_CHECK err_t join_walk_first(struct join_side *side, int64_t bucket, struct slice key,
                                 struct join_walk *w, bool *found, struct diag *d);
MUST_CHECK err_t join_walk_next(struct join_walk *w, bool *found, struct diag *d);
/* Every row of a block, in order: for buckets that close. */
MUST_CHECK err_t block_each(const struct block *b,
                            err_t (*each)(void *ctx, const struct join_row *row,
                                          struct slice packed, struct diag *d),
                            void *ctx, struct diag *d);
