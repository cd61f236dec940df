/* data/value/value_int: what the files of value.h share. Private to the room. */
#pragma once
#include "base/calendar.h"
#include "data/value.h"

/* --- telling what is wrong ---------------------------------------------------------------------
 */
/* A piece of `text` fit for a message: cut, and without control characters or broken UTF-8. */
struct shown {
    char text[80];
};
struct shown show_text(struct slice text);
const char *type_article(enum type_kind kind); /* "a" or "an" */
/* "'12x' is not an int: 'x' at character 3", or "…: it ends too early" when at is the end. */
err_t text_wrong(struct diag *d, const struct type *t, struct slice text, uint32_t at);
err_t text_wrong_because(struct diag *d, const struct type *t, struct slice text, const char *why);
bool integer_fits(const struct type *t, int64_t v);
/* "300 does not fit tinyint (-128 to 127)" */
err_t integer_does_not_fit(struct diag *d, const struct type *t, const char *shown);
err_t no_room(struct diag *d); /* the arena or the buffer is full */
bool ascii_valid(struct slice s, uint32_t *bad_at);
bool is_digit(uint8_t c);

/* --- numbers of any size -----------------------------------------------------------------------
 */
enum { NUMBER_DIGITS_MAX = 10000, VARINT_BYTES_MAX = 4154 };
struct number { /* (-1)^negative * digits * 10^-scale, exactly */
    bool negative;
    uint32_t count; /* of digits, without leading zeros; 0: zero */
    int64_t scale;
    uint8_t digits[NUMBER_DIGITS_MAX]; /* 0 … 9 */
};
bool number_from_varint(struct slice varint, struct number *out); /* false: too many digits */
bool number_from_decimal(struct slice decimal, struct number *out);
void number_from_i64(int64_t v, struct number *out);
/* "-12.5e3". ERR_CAST with *bad_at, ERR_TOO_BIG past NUMBER_DIGITS_MAX. */
MUST_CHECK err_t number_read(struct slice text, struct number *out, uint32_t *bad_at);
void number_put_varint(const struct number *n, struct buf *out);  /* scale must be 0 */
void number_put_decimal(const struct number *n, struct buf *out); /* scale must fit int32 */
void number_put_text(const struct number *n, struct buf *out);    /* as Java's BigDecimal */
bool number_make_whole(struct number *n); /* scale becomes 0; false: it is not whole, or too big */
bool number_is_whole(const struct number *n);
bool number_to_i64(const struct number *n, int64_t *out); /* scale must be 0; false: too big */
int number_compare(const struct number *a, const struct number *b);
struct slice varint_shortest(struct slice varint); /* without needless leading bytes */
int varint_compare(struct slice a, struct slice b);

void put_f64(struct buf *out, double v); /* shortest that reads back the same: 1, 0.1, 1e+21, NaN */
void put_f32(struct buf *out, float v);
/* Plain and scientific decimal, NaN, Infinity. ERR_CAST with *bad_at, ERR_RANGE past the largest.
 */
MUST_CHECK err_t read_f64(struct slice text, double *out, uint32_t *bad_at);
MUST_CHECK err_t read_f32(struct slice text, float *out, uint32_t *bad_at);
/* C++'s to_chars behind a C face: "d.ddde-07", shortest; the length. */
size_t float_digits_f64(double v, char out[40]);
size_t float_digits_f32(float v, char out[40]);

/* --- times --------------------------------------------------------------------------------------
 */
#define DAY_NS ((int64_t)DAY_MS * 1000000)
struct duration {
    int32_t months, days;
    int64_t ns;
};
bool duration_from_binary(struct slice binary, struct duration *out, const char **why);
void duration_to_binary(struct duration v, struct buf *out);
void put_timestamp(struct buf *out, int64_t ms);
void put_date(struct buf *out, uint32_t days);
void put_time(struct buf *out, int64_t ns);
void put_duration(struct buf *out, struct duration v);
/* Each fills *bad_at, or *why when no single character is to blame. */
struct text_fault {
    uint32_t at;
    const char *why;
};
bool read_timestamp(struct slice text, int64_t *ms, struct text_fault *f);
bool read_date(struct slice text, uint32_t *days, struct text_fault *f);
bool read_time(struct slice text, int64_t *ns, struct text_fault *f);
bool read_duration(struct slice text, struct duration *out, struct text_fault *f);

/* --- nested values ------------------------------------------------------------------------------
 */
enum { VALUE_BYTES_MAX = 256 << 20 };
/* Writing one level of a nested value into a buffer; levels inside use the same buffer in turn:
 *     nested_begin; for each item { at = nested_item_begin; …write its binary…; nested_item_end }
 * A null item is nested_null alone. nested_end writes the count and sorts sets and maps. */
struct nested_writer {
    const struct type *type;
    struct buf *out;
    size_t start;   /* where this level's bytes begin */
    uint32_t items; /* so far */
};
struct nested_writer nested_begin(const struct type *t, struct buf *out);
size_t nested_item_begin(struct nested_writer *w);
void nested_item_end(struct nested_writer *w, size_t at);
void nested_null(struct nested_writer *w);
MUST_CHECK err_t nested_end(struct nested_writer *w, struct diag *d);
const struct type *nested_item_type(const struct type *t, uint32_t item);
/* The finished bytes into the arena, as a value of type t; the buffer is done. */
MUST_CHECK err_t nested_finish(const struct type *t, struct buf *made, struct arena *a,
                               struct value *out, struct diag *d);
void scalar_to_text(const struct value *v, struct buf *out);
MUST_CHECK err_t nested_from_text(const struct type *t, struct slice text, struct arena *a,
                                  struct value *out, struct diag *d);
void nested_to_text(const struct value *v, struct buf *out);
/* One JSON value, strictly; *end is where it stops. */
MUST_CHECK err_t json_check(struct slice json, struct diag *d);
