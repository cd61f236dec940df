/* sql/expr: bound expressions and their evaluation. Private to sql.
 *
 * A node is immutable once its plan is bound and lives in the plan's arena, a compiled regular
 * expression too. Evaluation goes node by node over whole columns. Rows that a branch does not take
 * are not evaluated in it (`active`), so a fault stands only for a row that reached it.
 */
#pragma once
#include "data/column.h"
#include "sql/tree.h"

enum expr_kind {
    EXPR_LITERAL, /* constant: one row */
    EXPR_INPUT,   /* a column of the batch, handed on without a copy */
    EXPR_PATH,    /* a field of an open topic whose type is not decided: only inside the binder */
    EXPR_CAST,    /* op OP_TRY: null instead of a fault; negated: strictly, from json */
    EXPR_NEGATE,
    EXPR_ARITH,
    EXPR_COMPARE, /* both of one type */
    EXPR_AND,
    EXPR_OR,
    EXPR_NOT,
    EXPR_IS, /* OP_NULL, OP_TRUE, OP_FALSE, OP_DISTINCT; negated */
    EXPR_IN,
    EXPR_LIKE, /* LIKE, ILIKE */
    EXPR_REGEX,
    EXPR_CASE, /* when, then, …, else: always an odd number, conditions boolean */
    EXPR_COALESCE,
    EXPR_CALL,
    EXPR_KINDS
};

struct function;
struct logic;
struct regex;

struct expr {
    enum expr_kind kind;
    enum tree_op op;
    bool negated;
    bool deterministic;
    const struct type *type;   /* NULL inside the binder: not decided yet */
    struct slice text;         /* as written */
    struct column constant;    /* LITERAL */
    const struct tree *tree;   /* LITERAL: as written, so that it can take on another type */
    uint32_t input;            /* INPUT; CALL: which call of the statement this is */
    const struct logic *leaf;  /* PATH: whose field; NULL: of args[0] */
    const struct type *fields; /* from_json: what this json is declared to hold */
    const struct json_step *steps;
    uint32_t step_count;
    const struct function *fn;
    const struct regex *regex; /* REGEX, and calls whose pattern is a literal */
    const struct expr **args;
    uint32_t count;
};

/* --- evaluation ---------------------------------------------------------------------------------
 */

/* A column or a constant: row & mask is where the row's value stands. */
struct operand {
    struct column col;
    uint32_t mask; /* ~0, or 0 for a constant */
};
struct frame {
    const struct eval_context *x;
    struct column_batch *in;
    const uint8_t *active; /* a row: 0 is left out; NULL: all */
};
MUST_CHECK err_t eval(const struct frame *f, const struct expr *e, struct operand *out);

static inline uint8_t operand_state(const struct operand *o, uint32_t row)
{
    return o->col.state[row & o->mask];
}
static inline bool frame_takes(const struct frame *f, uint32_t row)
{
    return !f->active || f->active[row];
}
int64_t operand_integer(const struct operand *o, uint32_t row); /* integers, times, boolean */
double operand_double(const struct operand *o, uint32_t row);   /* any fixed number */
static inline struct slice operand_bytes(const struct operand *o, uint32_t row)
{
    return o->col.bytes[row & o->mask];
}
void operand_value(const struct operand *o, uint32_t row, struct value *out);
bool type_holds(enum type_kind kind, int64_t v);
void cell_put_integer(struct column *c, uint32_t row, int64_t v); /* and makes the row valid */
static inline void put_bytes(struct column *c, uint32_t row, struct slice s)
{
    c->bytes[row] = s;
    c->state[row] = VALID_VALUE;
}
/* "text" as written, cut for a message. */
#define EXPR_SHOWN(e) (int)MIN((e)->text.len, 120u), (const char *)(e)->text.at

/* The kinds, one evaluator each. */
MUST_CHECK err_t eval_arith(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_negate(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_compare(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_in(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_is(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_like(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_regex(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_and_or(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_not(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_case(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_coalesce(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_cast(const struct frame *f, const struct expr *e, struct operand *out);
MUST_CHECK err_t eval_call(const struct frame *f, const struct expr *e, struct operand *out);
/* <0, 0, >0 of two valid operands of one type. */
int operand_compare(const struct operand *a, const struct operand *b, uint32_t row);

/* --- regular expressions: PCRE2, its memory from arenas, its work bounded -----------------------
 */
enum { REGEX_MATCH_STEPS = 1000000, REGEX_HEAP_KIB = 4096, REGEX_PATTERN_MAX = 4096 };
MUST_CHECK err_t regex_new(struct slice pattern, bool nocase, struct arena *a,
                           const struct regex **out, struct diag *d);
struct regex_match {
    uint32_t start, end;             /* of the whole match */
    uint32_t group_start, group_end; /* of the group asked for; start == UINT32_MAX: not set */
};
struct regex_run; /* one evaluation's working memory */
struct regex_run *regex_run_new(const struct regex *r, struct arena *a);
/* Looks from byte `from`; *found tells. ERR_TOO_BIG when the limits are spent. */
MUST_CHECK err_t regex_find(struct regex_run *run, struct slice text, uint32_t from, uint32_t group,
                            bool *found, struct regex_match *out);
