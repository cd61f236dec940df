/* data/column: a batch of rows, held by columns in an arena.
 *
 * A fixed kind stands in host byte order as value.h holds it (a date as its unsigned days in i32's
 * bits); null rows hold zeros. Never checks a value: what is put here has been checked by
 * value_from_*, the JSON decoder or an expression. Loop: one batch, one thread. Limit: the arena's.
 */
#pragma once
#include "data/value.h"

struct column {
    const struct type *type;
    uint8_t *state; /* a row: NULL_VALUE, VALID_VALUE, ERROR_VALUE (told in the batch's faults) */
    union {
        void *data;
        uint8_t *b1;
        int8_t *i8;
        int16_t *i16;
        int32_t *i32;
        int64_t *i64;
        float *f32;
        double *f64;
        uint8_t (*b16)[16];
        struct slice *bytes; /* borrowed from the decoded records or from the arena */
    };
};

/* Why a row can not go on: the first fault of a row is kept. */
struct row_fault {
    uint32_t row;
    err_t err;
    const char *text; /* in the arena: "location.postcode: 18511 is a number, text was wanted" */
};

/* Faults have a place a row from the start, so that telling one can not fail and costs the same in
 * any order: read them with batch_fault_of, or all by growing row with batch_fault_next. */
struct column_batch {
    uint32_t rows;
    uint32_t column_count;
    struct column *columns;
    uint8_t *bad;               /* a row: 1 when it has a fault */
    struct row_fault *fault_at; /* a row: set where `bad` is */
    uint32_t fault_count;       /* rows that have one */
    struct arena *arena;        /* everything of this batch; reset when the batch is done */
};

MUST_CHECK err_t column_init(struct column *c, const struct type *t, uint32_t rows,
                             struct arena *a); /* all null */
MUST_CHECK err_t batch_init(struct column_batch *b, const struct type *const *types,
                            uint32_t column_count, uint32_t rows, struct arena *a);
void column_get(const struct column *c, uint32_t row, struct value *out);
MUST_CHECK err_t column_set(struct column *c, uint32_t row,
                            const struct value *v); /* bytes are borrowed */
/* The binary form of one row's value, without a copy where the form is the same: `scratch` holds
 * the fixed kinds. Valid rows only. */
struct slice column_binary(const struct column *c, uint32_t row, uint8_t scratch[16]);
/* Adds a fault and marks the row of `c` (NULL: only the fault) as ERROR_VALUE. Text past
 * FAULT_TEXT_MAX is cut, at a character of UTF-8. */
enum { FAULT_TEXT_MAX = 512 };
void batch_fault(struct column_batch *b, struct column *c, uint32_t row, err_t e, const char *fmt,
                 ...) PRINTF_LIKE(5, 6);
const struct row_fault *batch_fault_of(const struct column_batch *b, uint32_t row); /* NULL: none */
/* The first fault at `from` or later, NULL when there is none:
 *     for (f = batch_fault_next(b, 0); f; f = batch_fault_next(b, f->row + 1)) … */
const struct row_fault *batch_fault_next(const struct column_batch *b, uint32_t from);
