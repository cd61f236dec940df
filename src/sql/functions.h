/* sql/functions: the scalar functions, one row of functions.def each. Private to sql.
 *
 * A kernel does one row: its arguments are there (none null, none in error, unless FN_NULLS), it
 * puts its result or tells a fault of the row. What it returns is only for failures of the batch.
 */
#pragma once
#include "sql/expr.h"

enum function_flags {
    FN_PLAIN = 0,
    FN_NULLS = 1,   /* the kernel is called for null arguments too */
    FN_FRESH = 2,   /* answers differently each time: now(), uuid() */
    FN_PATTERN = 4, /* the second argument is a regular expression: a literal, compiled once */
    FN_SPECIAL = 8  /* no kernel: the binder makes other nodes of it */
};

struct call {
    const struct frame *f;
    const struct expr *e;
    const struct operand *args;
    struct regex_run *run;
    struct column *out;
};

struct function {
    const char *name;
    /* Letters: t text, x anything as text, i bigint, d double, b boolean, B blob, T timestamp,
     * D date, U timeuuid, j json, n a number, A any type, the same for all, a anything;
     * '|' before the first that can be left out, '*': the last one any number of times. */
    const char *args, *result;
    err_t (*kernel)(struct call *c, uint32_t row);
    uint32_t flags;
    const char *group, *about, *example, *expected;
};

size_t function_count(void);
const struct function *function_at(size_t i);
/* The i-th function of this name; aliases are followed. */
const struct function *function_find(struct slice name, size_t i);
size_t function_names(const char **out, size_t max); /* aliases too */
const char *letter_name(char letter);                /* 't' -> "text" */

static inline struct slice arg_text(const struct call *c, uint32_t i, uint32_t row)
{
    return operand_bytes(&c->args[i], row);
}
static inline int64_t arg_integer(const struct call *c, uint32_t i, uint32_t row)
{
    return operand_integer(&c->args[i], row);
}
static inline double arg_double(const struct call *c, uint32_t i, uint32_t row)
{
    return operand_double(&c->args[i], row);
}
static inline bool arg_null(const struct call *c, uint32_t i, uint32_t row)
{
    return operand_state(&c->args[i], row) == NULL_VALUE;
}
static inline void put_double(struct call *c, uint32_t row, double v)
{
    c->out->f64[row] = v;
    c->out->state[row] = VALID_VALUE;
}
static inline void put_bool(struct call *c, uint32_t row, bool v)
{
    c->out->b1[row] = v;
    c->out->state[row] = VALID_VALUE;
}
enum { FUNCTION_TEXT_MAX = 16 << 20 }; /* bytes one function makes for one row */
/* Room for a result; NULL with *e set when there is none, or a fault told when it is too long. */
uint8_t *call_room(struct call *c, uint32_t row, uint64_t size, err_t *e);
err_t put_buf(struct call *c, uint32_t row, struct buf *b); /* copies, and gives the buffer back */
err_t call_fault(struct call *c, uint32_t row, err_t e, const char *why);

#define FUNCTION(name, args, result, kernel, flags, group, about, example, expected)               \
    err_t kernel(struct call *c, uint32_t row);
#define SPECIAL(name, args, result, flags, group, about, example, expected)
#define ALIAS(name, of)
#include "sql/functions.def"
#undef FUNCTION
#undef SPECIAL
#undef ALIAS
