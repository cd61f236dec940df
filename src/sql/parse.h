/* sql/parse: recursive descent over the tokens. Private to sql.
 *
 * Sticky: the first mistake is told in the diag and sets `err`; from then on every token is
 * TOKEN_END, so that all loops end. Functions answer NULL or zeros after it; the entry asks once.
 */
#pragma once
#include "sql/tree.h"

/* A growing list in the arena: doubles, bounded by the arena. */
struct list {
    uint8_t *items;
    uint32_t count, cap;
};

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
    uint32_t depth;             /* of expressions */
    uint32_t queries;           /* of queries and of parentheses in FROM */
    bool checks;                /* the statement is one whose SELECTs may have CHECKs */
    struct list overs;          /* struct over_named: OVER w of the SELECT at hand */
    bool names_window;          /* within WINDOW w AS (…), where no OVER w may stand */
    struct declared **declared; /* what the text has created so far, by name; NULL: nothing */
    struct declared *declaring; /* what the statement at hand declares; NULL: nothing */
    struct list uses;           /* struct slice: the statements that the one at hand stands on */
    uint32_t expanded;          /* queries that its views stand for */
    uint32_t deepest;           /* most of `queries`, views counted, since it was set */
    bool nothing;               /* the statement at hand only declares something for later ones */
    struct list notes;          /* struct sql_note of the statement at hand */
    const uint8_t *place;       /* the last one that parse_place was asked for; NULL: none */
    uint32_t line, column;
};

/* --- tokens ----------------------------------------------------------------------------------- */
const struct token *token_peek(struct parser *p, uint32_t n); /* n-th ahead, 0 … 2 */
struct token token_take(struct parser *p);
bool token_is_word(const struct token *t, const char *word); /* an unquoted word, any case */
bool token_is_op(const struct token *t, const char *op);
bool at_word(struct parser *p, const char *word);
bool at_words(struct parser *p, const char *first, const char *second);
bool at_op(struct parser *p, const char *op);
bool at_function(struct parser *p, const char *word); /* the word and a parenthesis */
bool at_end(struct parser *p);                        /* of the statement */
bool accept_word(struct parser *p, const char *word);
bool accept_words(struct parser *p, const char *first, const char *second);
bool accept_op(struct parser *p, const char *op);
void expect_word(struct parser *p, const char *word);
void expect_op(struct parser *p, const char *op);
bool is_reserved(const struct parser *p, const struct token *t);
struct slice text_since(const struct parser *p, const uint8_t *start);
const uint8_t *parse_here(struct parser *p); /* where the next token begins */
/* Line and column of a place; cheap where it is after the one asked for before. */
void parse_place(struct parser *p, const uint8_t *at, uint32_t *line, uint32_t *column);

/* --- mistakes --------------------------------------------------------------------------------- */
void parse_fail(struct parser *p, const uint8_t *at, err_t e, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
void parse_hint(struct parser *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* "expected WHAT here, got 'FORM'", with the nearest of `words` as hint. */
void parse_expected(struct parser *p, const char *what, const char *const *words, size_t count);
void parse_unsupported(struct parser *p, const uint8_t *at, const char *what);
/* What was read and means nothing here, in words; `at` is its place. */
void parse_note(struct parser *p, const uint8_t *at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void *parse_take(struct parser *p, size_t size); /* arena memory, zeroed; NULL sets err */
void *parse_list_add(struct parser *p, struct list *l, size_t item_size);

/* --- pieces ----------------------------------------------------------------------------------- */
struct slice parse_name(struct parser *p, const char *what); /* "a table's name" */
struct sql_name parse_qualified(struct parser *p, const char *what);
/* ( a, b ) after a table's alias, in USING, in INSERT: `what` is "a column's name". */
struct list parse_names(struct parser *p, const char *what);
/* `cast`: it stands in an expression, where a length would change what comes out. */
const struct type *parse_type(struct parser *p, bool cast);
int64_t parse_integer(struct parser *p, const char *what);
struct slice parse_string(struct parser *p, const char *what);
struct sql_options parse_options(struct parser *p); /* after WITH */

/* --- times (parse_time.c) --------------------------------------------------------------------- */
bool time_ms(struct slice text, int64_t *out); /* '5s', '10 minutes', '1h30m'; no months, years */
/* '5s', 1h30m or INTERVAL '5' SECOND: milliseconds, more than zero unless `zero`. */
int64_t parse_time(struct parser *p, const char *what, bool zero);
const struct tree *parse_interval(struct parser *p); /* at INTERVAL */

/* --- expressions ------------------------------------------------------------------------------ */
const struct tree *parse_expr(struct parser *p);
const struct tree *parse_operand(struct parser *p); /* stops before AND */
const struct tree *parse_path(struct parser *p);    /* a.b[0]; a.* when something follows it */
struct tree *tree_node(struct parser *p, enum tree_kind kind, const uint8_t *start);
struct tree *tree_with(struct parser *p, struct tree *t, const struct list *args);
void tree_add(struct parser *p, struct list *l, const struct tree *t);
const struct tree *tree_literal(struct parser *p, enum tree_kind kind); /* of the next token */
struct list parse_arguments(struct parser *p, const char *close);       /* which is taken */
const struct tree *parse_call(struct parser *p);
const struct tree *parse_extract(struct parser *p);
struct over_named { /* OVER w: filled in when the SELECT's WINDOW clause is read */
    struct over_tree *place;
    struct slice name;
    const uint8_t *at;
};
void parse_windows(struct parser *p); /* [WINDOW w AS (…), …]: gives every OVER w its window */

/* --- queries ---------------------------------------------------------------------------------- */
/* `s`: the statement whose query it is, which takes EMIT; NULL: within another. */
struct query_tree *parse_query(struct parser *p, struct statement *s);
/* The same, of which `first` was already read. */
struct query_tree *parse_query_after(struct parser *p, const uint8_t *start,
                                     const struct query_tree *first);
bool parse_nest(struct parser *p); /* one level deeper, or too deep */
struct order_item *parse_order(struct parser *p, uint32_t *count); /* after ORDER */
struct select_item *parse_items(struct parser *p, uint32_t *count);
const struct from_tree *parse_from(struct parser *p);
bool parse_at_join(struct parser *p, uint32_t n); /* a join begins at the n-th token */
struct slice parse_alias(struct parser *p, bool relation);
/* SELECT * FROM (query) [AS alias (columns)] */
struct select_tree *select_all_of(struct parser *p, const struct query_tree *q, struct slice alias,
                                  const struct list *columns);
struct list parse_checks(struct parser *p);

/* --- columns ---------------------------------------------------------------------------------- */
struct columns_tree {
    struct list columns; /* struct sql_column, as written */
    struct list key;
    struct list items;    /* struct select_item: all of them, computed ones with an alias */
    const uint8_t *start; /* the parenthesis; the others: the first such thing, NULL: none */
    const uint8_t *not_null, *not_enforced, *watermark, *computed;
};
/* ( … ); s->columns: key columns first, in the key's order. What a column may have depends on what
 * it is a column of: the caller asks columns_of_… or parse_connector when it knows. */
void parse_columns(struct parser *p, struct statement *s, struct columns_tree *out);
void columns_of_table(struct parser *p, const struct columns_tree *c);
void columns_of_topic(struct parser *p, const struct columns_tree *c);
struct sql_column *column_find(const struct list *columns, struct slice name);
void parse_watermark(struct parser *p, struct statement *s, const uint8_t *start);
/* login.at, items[0].ts: without quotes, as json_get takes it; a column's is its name. */
struct slice path_text(struct parser *p, const struct tree *t);

/* --- what the text has declared so far (parse_declare.c) -------------------------------------- */
enum declared_kind {
    DECLARED_TABLE,
    DECLARED_TOPIC,
    DECLARED_SINK,
    DECLARED_VIEW,
    DECLARED_STREAM
};
struct declared {
    struct declared *next;
    enum declared_kind kind;
    struct sql_name name;
    struct slice topic;          /* of a TOPIC; of a SINK: its kind */
    const struct slice *columns; /* as written */
    uint32_t column_count;       /* STREAM: how many of this name there are */
    struct slice text;           /* the statement */
    const struct slice *uses;    /* the statements it stands on */
    uint32_t use_count;
    /* a VIEW's, and of a TOPIC with computed columns: stands wherever the name stands */
    const struct query_tree *query;
    uint32_t depth, weight; /* levels of queries within it, queries that it stands for */
};
const struct declared *declared_find(struct parser *p, struct sql_name name);
struct declared *declare(struct parser *p, enum declared_kind kind, struct sql_name name);
struct declared *declare_columns(struct parser *p, enum declared_kind kind, struct sql_name name,
                                 const struct columns_tree *c);
/* CREATE TABLE or TOPIC, for INSERT INTO: which it is, and its columns by place. */
void declare_table(struct parser *p, const struct statement *s, const struct columns_tree *c);
void declare_computed(struct parser *p, struct declared *d, const struct columns_tree *c);
void declared_use(struct parser *p, const struct declared *d); /* by the statement at hand */
void declared_done(struct parser *p, struct statement *s);     /* the statement has its text */
/* FROM v, a view: its query; a table whose topic has another name: the topic. Both under the name
 * as written. */
void declared_relation(struct parser *p, struct from_tree *f);
bool declared_elsewhere(struct parser *p, struct slice name); /* the name is such a one */
void parse_plain_view(struct parser *p, struct statement *s);

/* --- Flink's tables (parse_flink.c) ----------------------------------------------------------- */
/* CREATE TABLE … WITH ('connector' = …): makes `s` what it means here. */
void parse_connector(struct parser *p, struct statement *s, const struct columns_tree *c);
void parse_insert(struct parser *p, struct statement *s);

/* --- statements ------------------------------------------------------------------------------- */
void parse_create(struct parser *p, struct statement *s);
void parse_create_stream(struct parser *p, struct statement *s);
void parse_create_view(struct parser *p, struct statement *s);
void parse_create_sink(struct parser *p, struct statement *s);
void parse_create_function(struct parser *p, struct statement *s);
void parse_alter(struct parser *p, struct statement *s);
void parse_statement(struct parser *p, struct statement *s);
