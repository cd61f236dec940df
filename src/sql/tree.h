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
    bool integer_division, slash_comments, dollar_params, bare_uuids, text_as_any, backticks;
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
    TOKEN_QUOTED, /* "Name", `Name`: value without quotes, case kept */
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
    TREE_STAR, /* steps: t.*, value.* */
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

struct over_tree; /* OVER (…) */
struct tree {
    enum tree_kind kind;
    enum tree_op op;
    bool negated;                 /* NOT IN, IS NOT … */
    bool distinct;                /* count(DISTINCT x) */
    const struct tree *filter;    /* an aggregate's FILTER (WHERE …) */
    const struct over_tree *over; /* a window function's OVER (…) */
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
    bool nulls_set, nulls_first; /* NULLS FIRST, NULLS LAST */
};
struct check_tree {
    const struct tree *condition;
    enum check_action action;
    struct slice text;
    /* Rules in dbt's words are calls without parentheses around them: CHECK not_null(a) ELSE …;
     * unique(a) WITHIN '1h' has its time here, in milliseconds; 0: none written. */
    bool rule;
    int64_t within_ms;
};
struct over_tree {
    const struct tree **partition;
    uint32_t partition_count;
    struct order_item *order;
    uint32_t order_count;
    /* ROWS or RANGE BETWEEN low AND high: rows (or milliseconds) before (negative) or after the
     * row at hand; INT64_MIN and INT64_MAX: unbounded. Not written: from the first to the last row
     * that the order holds equal to it, or all without an order. */
    bool frame, frame_rows;
    int64_t frame_low, frame_high;
};

/* What stands after FROM: a tree of relations. */
enum from_kind {
    FROM_NAME,   /* a topic, table, view, or a name of WITH */
    FROM_QUERY,  /* ( SELECT … ) AS alias */
    FROM_JOIN,   /* left JOIN right ON …; a comma is CROSS */
    FROM_WINDOW, /* TUMBLE(t, ts, size), HOP(t, ts, slide, size), SESSION(t, ts, gap), with
                  * TABLE t and DESCRIPTOR(ts) as Flink writes them, or without */
    FROM_UNNEST, /* only at the right of a CROSS JOIN, LEFT JOIN … ON TRUE or comma:
                  * UNNEST(list) [WITH ORDINALITY] AS t (a, b) */
};
struct query_tree;
struct from_tree {
    enum from_kind kind;
    struct slice text;  /* as written, for errors */
    struct slice alias; /* at NULL: none */
    const struct slice *column_aliases;
    uint32_t column_alias_count;
    struct sql_name name;
    const struct query_tree *query;
    struct {
        enum join_kind kind;
        const struct from_tree *left, *right;
        const struct tree *on;     /* NULL: CROSS, or USING */
        const struct slice *using; /* the columns' names */
        uint32_t using_count;
    } join;
    struct {
        enum window_kind kind;
        const struct from_tree *from;
        const struct tree *time;
        int64_t size_ms, slide_ms, offset_ms; /* SESSION: size_ms is the gap */
        const struct tree **keys;             /* SESSION … PARTITION BY */
        uint32_t key_count;
    } window;
    struct {
        const struct tree *value;
        bool ordinality;
    } unnest;
};

struct select_tree {
    struct slice text;
    struct select_item *items;
    uint32_t item_count;
    bool distinct, allow_filtering;
    const struct from_tree *from; /* NULL: no FROM */
    const struct tree *where, *having;
    const struct tree **group;
    uint32_t group_count;
    struct check_tree *checks; /* in any SELECT of a stream, view or sink; never in a query's */
    uint32_t check_count;
    /* Spark's SELECT TRANSFORM (items) USING 'command' AS (a int, b text); at NULL: none */
    struct slice transform;
    const struct sql_column *transform_columns;
    uint32_t transform_column_count;
};
struct with_item {
    struct slice name;
    const struct query_tree *query;
};
/* A relation of a project's text can be nested so deep, and one FROM hold so many. */
enum { SQL_QUERIES_MAX = 32, SQL_RELATIONS_MAX = 64 };
struct query_tree { /* [WITH …] SELECT … [UNION ALL SELECT …]… [ORDER BY …] [LIMIT n] [OFFSET n] */
    struct slice text;
    const struct with_item *with; /* each sees those before it */
    uint32_t with_count;
    const struct select_tree **selects;
    uint32_t select_count;
    struct order_item *order;
    uint32_t order_count;
    int64_t limit, offset; /* limit -1: none */
};
/* --- golden tests (tree_print.c) ----------------------------------------------------------------
 */
void statement_print(const struct statement *s, struct buf *out); /* one line */
void tree_print(const struct tree *t, struct buf *out); /* SQL, every operation in parentheses */
