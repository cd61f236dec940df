/* data/value: one value: literals, keys, results of row-at-a-time work.
 *
 * Three forms of every type, one place for each:
 *   held     struct value (fixed kinds in the union, others as the binary form in `bytes`)
 *   binary   CQL's serialisation: what the store keeps and the CQL door sends
 *   text     what people write and read: CQL literals without quotes, ISO timestamps
 */
#pragma once
#include "data/type.h"

enum { NULL_VALUE, VALID_VALUE, ERROR_VALUE }; /* a row's state in a column, and a value's */

struct value {
    const struct type *type;
    uint8_t state;
    union {
        bool boolean;
        int64_t integer; /* tinyint … bigint, counter, timestamp, time; date as its unsigned days */
        float f32;
        double f64;
        uint8_t uuid[16];
        struct slice bytes; /* BYTES kinds: text as UTF-8, the others in their binary form */
    };
};

static inline struct value value_null(const struct type *t)
{
    return (struct value){.type = t, .state = NULL_VALUE};
}
struct value value_text(struct slice s);
struct value value_i64(enum type_kind kind, int64_t v);
struct value value_f64(double v);
struct value value_bool(bool v);

void value_to_binary(const struct value *v, struct buf *out); /* nothing for null */
MUST_CHECK err_t value_from_binary(const struct type *t, struct slice binary, struct value *out,
                                   struct diag *d); /* borrows `binary` */
void value_to_text(const struct value *v, struct buf *out);
MUST_CHECK err_t value_from_text(const struct type *t, struct slice text, struct arena *a,
                                 struct value *out, struct diag *d);
void value_to_json(const struct value *v, struct buf *out);
/* From one JSON value's text; strict about types unless `cast`. */
MUST_CHECK err_t value_from_json(const struct type *t, struct slice json, bool cast,
                                 struct arena *a, struct value *out, struct diag *d);

/* The type's own order (Cassandra's): <0, 0, >0. Both valid and of one type. */
int value_compare(const struct value *a, const struct value *b);
/* CAST: exact or an error saying which value does not fit where ("'12x' is no int at character 3").
 */
MUST_CHECK err_t value_cast(const struct value *v, const struct type *to, struct arena *a,
                            struct value *out, struct diag *d);
bool type_castable(const struct type *from, const struct type *to);
/* A hash equal for equal values, the same on every machine. */
uint64_t value_hash(const struct value *v);
