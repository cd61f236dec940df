/* sql/parse: recursive descent over the tokens. Private to sql.
 *
 * Sticky: the first mistake is told in the diag and sets `err`; from then on every token is
 * TOKEN_END, so that all loops end. Functions answer NULL or zeros after it; the entry asks once.
 */
#pragma once
#include "sql/tree.h"

struct parser {
    struct lexer lex;
    struct token ahead[3];
    uint32_t ahead_count;
    const uint8_t *last_end; /* where the last taken token ended */
    struct arena *arena;
    struct diag *d;
    err_t err;
    bool told; /* the last parse_fail was the first: a hint belongs to it */
    enum sql_dialect dialect;
    uint32_t depth;
};

/* --- tokens ----------------------------------------------------------------------------------- */
const struct token *token_peek(struct parser *p, uint32_t n); /* n-th ahead, 0 … 2 */
struct token token_take(struct parser *p);
bool token_is_word(const struct token *t, const char *word); /* an unquoted word, any case */
bool token_is_op(const struct token *t, const char *op);
bool at_word(struct parser *p, const char *word);
bool at_op(struct parser *p, const char *op);
bool accept_word(struct parser *p, const char *word);
bool accept_op(struct parser *p, const char *op);
void expect_word(struct parser *p, const char *word);
void expect_op(struct parser *p, const char *op);
bool is_reserved(const struct parser *p, const struct token *t);
struct slice text_since(const struct parser *p, const uint8_t *start);

/* --- mistakes --------------------------------------------------------------------------------- */
void parse_fail(struct parser *p, const uint8_t *at, err_t e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void parse_hint(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "expected WHAT here, got 'FORM'", with the nearest of `words` as hint. */
void parse_expected(struct parser *p, const char *what, const char *const *words, size_t count);
void parse_unsupported(struct parser *p, const uint8_t *at, const char *what);
void *parse_take(struct parser *p, size_t size); /* arena memory, zeroed; NULL sets err */

/* A growing list in the arena: doubles, bounded by the arena. */
struct list {
    uint8_t *items;
    uint32_t count, cap;
};
void *parse_list_add(struct parser *p, struct list *l, size_t item_size);

/* --- pieces ----------------------------------------------------------------------------------- */
struct slice parse_name(struct parser *p, const char *what); /* "a table's name" */
struct sql_name parse_qualified(struct parser *p, const char *what);
const struct type *parse_type(struct parser *p);
int64_t parse_integer(struct parser *p, const char *what);
struct slice parse_string(struct parser *p, const char *what);
const struct tree *parse_expr(struct parser *p);
const struct tree *parse_operand(struct parser *p); /* stops before AND */
struct sql_options parse_options(struct parser *p); /* after WITH */
struct sql_options parse_table_options(struct parser *p, struct list *columns);
void parse_columns(struct parser *p, struct statement *s, bool table); /* ( … ) */
struct select_tree *parse_select(struct parser *p, bool stream);       /* at SELECT */

/* --- statements ------------------------------------------------------------------------------- */
void parse_create(struct parser *p, struct statement *s);
void parse_statement(struct parser *p, struct statement *s);
