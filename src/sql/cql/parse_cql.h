/* sql/cql/parse_cql: CQL's tokens and its recursive descent. Private to sql/cql.
 *
 * The tokens are Cassandra's own (a number has its sign, 1h30m is one token, keywords know their
 * name), and a token is looked at only when the original would: what a message quotes and how much
 * of the text it shows follow from that. Sticky: the first mistake sets `err`; from then on every
 * token is T_END, so that all loops end.
 */
#pragma once
#include "sql/cql/tree.h"
#include "sql/parse.h"

enum cql_token_kind {
    T_END,
    T_IDENT,
    T_QUOTED_NAME,
    T_EMPTY_QUOTED_NAME,
    T_STRING_LITERAL,
    T_INTEGER,
    T_FLOAT,
    T_BOOLEAN,
    T_DURATION,
    T_UUID,
    T_HEXNUMBER,
    T_QMARK,
    T_RANGE,
    T_EXPR, /* 'expr(' */
    T_NE,
    T_PERCENT,
    T_OPEN,
    T_CLOSE,
    T_PLUS,
    T_PLUS_EQ,
    T_COMMA,
    T_MINUS,
    T_MINUS_EQ,
    T_DOT,
    T_SLASH,
    T_COLON,
    T_SEMICOLON,
    T_LT,
    T_LE,
    T_EQ,
    T_GT,
    T_GE,
    T_OPEN_LIST,
    T_STAR,
    T_CLOSE_LIST,
    T_OPEN_BRACE,
    T_CLOSE_BRACE,
    K_NEGATIVE_NAN,
    K_NEGATIVE_INFINITY,
    T_NOTHING,    /* no token: the end of a set */
    T_FIRST_WORD, /* words[kind - T_FIRST_WORD] */
#define CQL_WORD(word, token, use) KW_##word,
#include "sql/cql/words.def"
#undef CQL_WORD
};
/* Words that share a token are one kind. */
enum {
#define CQL_WORD(word, token, use) K_##word = KW_##token,
#define KW_POSITIVE_NAN            KW_NAN
#define KW_POSITIVE_INFINITY       KW_INFINITY
#include "sql/cql/words.def"
#undef KW_POSITIVE_NAN
#undef KW_POSITIVE_INFINITY
#undef CQL_WORD
};
enum cql_word_use { USE_RESERVED, USE_FREE, USE_TYPE, USE_COLUMN };
struct cql_word {
    const char *text, *token;
    uint16_t kind;
    enum cql_word_use use;
};
const struct cql_word *cql_word_find(struct slice text); /* any case; NULL: none */
/* The use of a keyword's kind; USE_RESERVED of what is none. */
enum cql_word_use cql_kind_use(uint32_t kind);
const char *cql_kind_name(uint32_t kind); /* "K_FROM", "IDENT", "'('" */

struct cql_token {
    uint32_t at, len;
    uint16_t kind;
};
struct cql_lexer {
    struct slice text;
    uint32_t at;
    bool mistaken;
    const char *expected; /* of a mistake; NULL: nothing fits the letter at mistake_at */
    uint32_t mistake_at;
};
/* The next token; spaces and comments are skipped, or answered as T_END with a length when
 * `hidden`, a run of spaces being one. False: a mistake. */
bool cql_lex(struct cql_lexer *l, bool hidden, struct cql_token *out);

struct cql_parser {
    struct cql_lexer lex;
    struct cql_token *tokens;
    uint32_t count, cap, next;
    struct arena *arena;
    struct diag *d;
    err_t err;
    uint32_t trials; /* > 0: looking whether it would parse; mistakes tell nothing */
    bool hard;       /* the mistake is no trial's */
    uint32_t markers, depth;
    const char *refused; /* legal CQL that will not be run: what */
};

/* --- tokens ----------------------------------------------------------------------------------- */
/* The n-th token ahead; NULL after a mistake. */
const struct cql_token *cql_ahead(struct cql_parser *p, uint32_t n);
struct slice cql_token_text(const struct cql_parser *p, const struct cql_token *t);
/* Quoted text without its quotes, doubled ones single; a name without quotes in lower case. */
struct slice cql_meaning(struct cql_parser *p, const struct cql_token *t);
uint32_t cql_peek(struct cql_parser *p, uint32_t n); /* the kind of the n-th ahead */
static inline bool cql_at(struct cql_parser *p, uint32_t kind)
{
    return cql_peek(p, 0) == kind;
}
struct slice cql_take(struct cql_parser *p); /* the token as written */
bool cql_accept(struct cql_parser *p, uint32_t kind);
void cql_match(struct cql_parser *p, uint32_t kind); /* or: mismatched input … expecting … */
struct slice cql_value(struct cql_parser *p);        /* takes; strings and names without quotes */
const uint8_t *cql_start(struct cql_parser *p);
struct slice cql_since(struct cql_parser *p, const uint8_t *start);
bool cql_is_name(uint32_t kind); /* ident, noncol_ident, fident */
bool cql_is_constant(uint32_t kind);

/* --- mistakes --------------------------------------------------------------------------------- */
/* The n-th token ahead fits nothing that may stand there. */
void cql_no_viable(struct cql_parser *p, uint32_t n);
void cql_lex_failed(struct cql_parser *p);
void cql_match_end(struct cql_parser *p); /* nothing stands behind the statement */
void cql_mismatch_set(struct cql_parser *p);
/* Whether the n-th token ahead is one of `set` (ended by T_NOTHING); if not, no_viable. What the
 * original's automata accept they have taken for a moment: the token behind is looked at, too. */
bool cql_expect(struct cql_parser *p, uint32_t n, const uint16_t *set);
bool cql_in(uint32_t kind, const uint16_t *set);
/* Accepted by an automaton after `n` tokens. */
void cql_looked(struct cql_parser *p, uint32_t n);
void cql_fail(struct cql_parser *p, err_t e, const char *fmt, ...) PRINTF_LIKE(3, 4);
void *cql_new(struct cql_parser *p, size_t size);
void *cql_add(struct cql_parser *p, struct list *l, size_t item_size);
bool cql_deeper(struct cql_parser *p); /* false, and told: too deep; else p->depth is one more */
void cql_refuse(struct cql_parser *p, const char *what);

/* --- names ------------------------------------------------------------------------------------ */
struct slice cql_ident(struct cql_parser *p);  /* ident, noncol_ident, fident, sident */
struct slice cql_cident(struct cql_parser *p); /* also "" */
struct slice cql_keyspace_name(struct cql_parser *p);
struct cql_name cql_table_name(struct cql_parser *p); /* columnFamilyName */
struct cql_name cql_index_name(struct cql_parser *p);
struct cql_name cql_type_name(struct cql_parser *p); /* userTypeName */
struct cql_name cql_index_of(struct cql_parser *p);  /* idxName: not qualified */
struct slice cql_role_name(struct cql_parser *p);
struct slice cql_user_name(struct cql_parser *p);
struct slice cql_identity_name(struct cql_parser *p);
struct slice cql_string(struct cql_parser *p);              /* STRING_LITERAL */
struct slice cql_local_function_name(struct cql_parser *p); /* allowedFunctionName */
struct cql_name cql_function_name(struct cql_parser *p);
bool cql_if_not_exists(struct cql_parser *p);
bool cql_if_exists(struct cql_parser *p);

/* --- terms and types -------------------------------------------------------------------------- */
const struct cql_node *cql_term(struct cql_parser *p);
const struct cql_node *cql_simple_term(struct cql_parser *p);
const struct cql_node *cql_tuple(struct cql_parser *p);     /* tupleLiteral */
const struct cql_node *cql_marker(struct cql_parser *p);    /* ? or :name */
const struct cql_node *cql_int_value(struct cql_parser *p); /* 5, ? or :name */
const struct cql_node *cql_constant(struct cql_parser *p);
const struct cql_node *cql_selector(struct cql_parser *p); /* unaliasedSelector */
const struct cql_type *cql_type(struct cql_parser *p);
bool cql_at_marker(struct cql_parser *p);
bool cql_starts_term(struct cql_parser *p, uint32_t n); /* a selector, too */
/* How many tokens `rule` would take from the n-th on; 0: it would not. All is put back. */
uint32_t cql_length_of(struct cql_parser *p, uint32_t n, void (*rule)(struct cql_parser *p));
/* The length in tokens of a type from the n-th token on; 0: there is none. */
uint32_t cql_type_length(struct cql_parser *p, uint32_t n);
struct cql_node *cql_node_new(struct cql_parser *p, enum cql_node_kind kind, const uint8_t *start);

/* Shared by terms and selectors: `item` is the rule of what stands inside. */
typedef const struct cql_node *cql_rule(struct cql_parser *p);
void cql_node_add(struct cql_parser *p, struct list *l, const struct cql_node *n);
struct cql_node *cql_with_args(struct cql_parser *p, struct cql_node *n, const struct list *args);
struct cql_node *cql_join(struct cql_parser *p, enum cql_node_kind kind, const uint8_t *start,
                          const struct cql_node *a, const struct cql_node *b);
struct list cql_items_to(struct cql_parser *p, const struct cql_node *first, cql_rule *item,
                         uint32_t close);
const struct cql_node *cql_list_of(struct cql_parser *p, cql_rule *item);
const struct cql_node *cql_braces(struct cql_parser *p, cql_rule *item);
const struct cql_node *cql_call_of(struct cql_parser *p, cql_rule *item);
const struct cql_node *cql_cast_of(struct cql_parser *p, cql_rule *item);
const struct cql_node *cql_hint_of(struct cql_parser *p, cql_rule *item);
struct cql_node *cql_arith(struct cql_parser *p, const uint8_t *start, const struct cql_node *left,
                           struct slice op, const struct cql_node *right);
bool cql_may_be_called(uint32_t kind);
bool cql_begins_term(uint32_t kind);
const struct cql_node *cql_null_node(struct cql_parser *p);
bool cql_takes_product(struct cql_parser *p);

/* --- clauses and statements ------------------------------------------------------------------- */
void cql_where(struct cql_parser *p, const struct cql_relation **out, uint32_t *count);
enum cql_operator cql_relation_type(struct cql_parser *p);
bool cql_at_relation_type(struct cql_parser *p);
/* IN's list of values, or its one marker. */
void cql_in_values(struct cql_parser *p, struct cql_relation *r);
struct cql_properties cql_properties(struct cql_parser *p);
void cql_property_of(struct cql_parser *p, struct list *l);
struct cql_properties cql_properties_of(const struct list *l);
void cql_add_name(struct cql_parser *p, struct list *l);
void cql_column_mask(struct cql_parser *p);
void cql_types_in_parens(struct cql_parser *p, bool named);
struct cql_property cql_map_property(struct cql_parser *p); /* name = {…} */
void cql_view_select(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_select(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_insert(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_update(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_delete(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_batch(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_create(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_alter(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_drop(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_grant(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_revoke(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_list(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_describe(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_identity(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_role(struct cql_parser *p, struct cql_statement_tree *s);
void cql_parse_user(struct cql_parser *p, struct cql_statement_tree *s);
