/* sql/tree: what the parser makes of a text and the binder reads. Private to sql.
 *
 * Never resolves a name. Memory: the arena of the script. Every slice points into the arena's own
 * copy of the text, so that a place in the source is a pointer.
 */
#pragma once
#include "sql/sql.h"

/* --- dialects and words ------------------------------------------------------------------------
 */

struct dialect {
    const char *name;
    bool integer_division, slash_comments, dollar_params, bare_uuids, text_as_any;
    const char *now;
};
extern const struct dialect dialects[];

struct word {
    const char *text; /* upper case */
    bool reserved[3]; /* by enum sql_dialect */
};
const struct word *word_find(struct slice text); /* any case; NULL: not a word of the grammar */
size_t word_count(void);
const struct word *word_at(size_t i); /* sorted */

/* --- tokens -------------------------------------------------------------------------------------
 */

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* value: folded to lower case */
    TOKEN_QUOTED, /* "Name": value without quotes, case kept */
    TOKEN_STRING, /* 'it''s' and $$…$$ */
    TOKEN_INTEGER,
    TOKEN_NUMBER,   /* with a point or an exponent */
    TOKEN_BLOB,     /* 0xcafe: value is the hex digits */
    TOKEN_UUID,     /* without quotes */
    TOKEN_DURATION, /* 1h30m */
    TOKEN_PARAM,    /* ?, :name, $1 */
    TOKEN_OP,
};
struct token {
    enum token_kind kind;
    struct slice text;  /* as written */
    struct slice value; /* what it means */
};
struct lexer {
    struct slice text;
    uint32_t at;
    const struct dialect *dialect;
    struct arena *arena;
    struct diag *d;
    const char *file;
};
enum { SQL_NAME_MAX = 255 };
/* The next token; TOKEN_END at the end, again and again. */
MUST_CHECK err_t lex_next(struct lexer *l, struct token *out);
/* Tells the story of a mistake at `at` in `text`: where = file:line:column, why = the line with a
 * caret. */
err_t sql_place(struct diag *d, struct slice text, const uint8_t *at, const char *file);
void sql_line_column(struct slice text, const uint8_t *at, uint32_t *line, uint32_t *column);

/* --- expressions as written ---------------------------------------------------------------------
 */

enum tree_kind {
    TREE_NULL,
    TREE_BOOLEAN, /* value: "true" or "false" */
    TREE_INTEGER,
    TREE_NUMBER,
    TREE_STRING,
    TREE_BLOB,
    TREE_UUID,
    TREE_DURATION,
    TREE_PARAM,
    TREE_NAME, /* steps */
    TREE_STAR,
    TREE_NEGATE,
    TREE_NOT,
    TREE_AND,     /* of any number of args */
    TREE_OR,      /* the same */
    TREE_CONCAT,  /* the same */
    TREE_ARITH,   /* op */
    TREE_COMPARE, /* op */
    TREE_IS,      /* op: OP_NULL, OP_TRUE, OP_FALSE, OP_DISTINCT (two args) */
    TREE_IN,      /* args: value, then the list */
    TREE_BETWEEN, /* value, low, high */
    TREE_LIKE,    /* op: which; args: value, pattern */
    TREE_CASE,    /* operand or NULL, when, then, …, else or NULL */
    TREE_CAST,    /* type; op: OP_TRY */
    TREE_CALL,    /* value: the name */
    TREE_LIST,
    TREE_SET,
    TREE_MAP, /* key, value, … */
    TREE_TUPLE,
};
enum tree_op {
    OP_NONE,
    OP_ADD,
    OP_SUB,
    OP_MUL,
    OP_DIV,
    OP_MOD,
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_LIKE,
    OP_ILIKE,
    OP_RLIKE,
    OP_IRLIKE,
    OP_NULL,
    OP_TRUE,
    OP_FALSE,
    OP_DISTINCT,
    OP_TRY,
};
const char *op_text(enum tree_op op);

struct tree {
    enum tree_kind kind;
    enum tree_op op;
    bool negated;  /* NOT IN, IS NOT … */
    bool distinct; /* count(DISTINCT x) */
    uint16_t depth;
    struct slice text;  /* as written */
    struct slice value; /* literals: their meaning; CALL: the folded name */
    const struct type *type;
    const struct json_step *steps;
    uint32_t step_count;
    const struct tree **args;
    uint32_t count;
};
bool tree_equal(const struct tree *a, const struct tree *b);

/* --- statements as written ----------------------------------------------------------------------
 */

struct select_item {
    const struct tree *value;
    struct slice alias; /* at NULL: none */
};
struct order_item {
    const struct tree *value;
    bool descending;
};
struct check_tree {
    const struct tree *condition;
    enum check_action action;
    struct slice text;
};
struct select_tree {
    struct select_item *items;
    uint32_t item_count;
    bool distinct, allow_filtering;
    struct sql_name from; /* name.at NULL: no FROM */
    struct slice alias;
    struct slice place; /* of FROM's name, for errors */
    const struct tree *where, *having;
    const struct tree **group;
    uint32_t group_count;
    struct order_item *order;
    uint32_t order_count;
    int64_t limit, offset; /* limit -1: none */
    struct check_tree *checks;
    uint32_t check_count;
};
/* --- golden tests (tree_print.c) ----------------------------------------------------------------
 */
void statement_print(const struct statement *s, struct buf *out); /* one line */
void tree_print(const struct tree *t, struct buf *out); /* SQL, every operation in parentheses */
