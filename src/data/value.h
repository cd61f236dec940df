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
/* Checks everything: lengths, ranges, UTF-8, what is inside nested values. What CQL's own peers may
 * send and we do not keep: an empty value of a type that has none is refused. */
MUST_CHECK err_t value_from_binary(const struct type *t, struct slice binary, struct value *out,
                                   struct diag *d); /* borrows `binary` */
/* The same without checks, for bytes that value_to_binary or column_binary made. */
struct value value_hold(const struct type *t, struct slice binary);
void value_to_text(const struct value *v, struct buf *out);
MUST_CHECK err_t value_from_text(const struct type *t, struct slice text, struct arena *a,
                                 struct value *out, struct diag *d);
void value_to_json(const struct value *v, struct buf *out);
/* From one JSON value's text; strict about types unless `cast`. Strict: numbers for numbers (a
 * whole number for integers), strings for all that is not number, boolean or nested; a timestamp
 * may also be its milliseconds. `cast`: as value_cast does from text and from a number. null is
 * null. A struct's fields that are missing are null, unknown ones are skipped. */
MUST_CHECK err_t value_from_json(const struct type *t, struct slice json, bool cast,
                                 struct arena *a, struct value *out, struct diag *d);

/* The type's own order (Cassandra's): <0, 0, >0. Both valid and of one type. */
int value_compare(const struct value *a, const struct value *b);
/* CAST: exact or an error saying which value does not fit where ("'12x' is no int at character 3").
 */
MUST_CHECK err_t value_cast(const struct value *v, const struct type *to, struct arena *a,
                            struct value *out, struct diag *d);
bool type_castable(const struct type *from, const struct type *to);
/* A hash equal for equal values (null's is one too), the same on every machine. */
uint64_t value_hash(const struct value *v);

/* --- inside nested values -----------------------------------------------------------------------
 * * A list's elements and a map's values may be null (JSON has such); a set's and a map's keys
 * never. struct value_walk w = value_walk_make(&v); while (value_walk_next(&w, &item)) …          a
 * map gives key, value, key, value … Tuples and structs give every field, those that a shorter
 * binary form leaves out as null. */
struct value_walk {
    const struct type *type;
    struct cursor at;
    uint32_t index, count;
};
struct value_walk value_walk_make(const struct value *v);
bool value_walk_next(struct value_walk *w, struct value *item);
uint32_t value_count(const struct value *v); /* elements, a map's pairs, fields */
/* v[index] of a list, tuple or struct; false: no such element (null of a null value). */
bool value_item(const struct value *v, int64_t index, struct value *out);
bool value_field(const struct value *v, struct slice name, struct value *out); /* struct */
bool value_map_get(const struct value *map, const struct value *key, struct value *out);
/* Builds a nested value from its items (a map's: key, value, …), in canonical form: sets and maps
 * sorted, without doubles (the last counts). ERR_TYPE when an item does not fit, is a null key … */
MUST_CHECK err_t value_make(const struct type *t, const struct value *items, uint32_t item_count,
                            struct arena *a, struct value *out, struct diag *d);
/* Of several binary forms with one meaning the one that is kept and hashed: sets and maps sorted,
 * varints shortest, trailing fields there. What a CQL peer binds goes through this. */
MUST_CHECK err_t value_canonical(const struct value *v, struct arena *a, struct value *out,
                                 struct diag *d);
/* Whether the text is UTF-8; *bad_at is where it is not. */
bool utf8_valid(struct slice s, uint32_t *bad_at);
