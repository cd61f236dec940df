/* CQL's nodes and terms. */
#include "sql/cql/parse_cql.h"

/* --- nodes ------------------------------------------------------------------------------------ */

struct cql_node *cql_node_new(struct cql_parser *p, enum cql_node_kind kind, const uint8_t *start)
{
    struct cql_node *n = cql_new(p, sizeof(*n));
    if (!n) return NULL;
    n->kind = kind;
    n->depth = 1;
    n->text = cql_since(p, start);
    return n;
}

void cql_node_add(struct cql_parser *p, struct list *l, const struct cql_node *n)
{
    const struct cql_node **place = cql_add(p, l, sizeof(n));
    if (place) *place = n;
}

struct cql_node *cql_with_args(struct cql_parser *p, struct cql_node *n, const struct list *args)
{
    if (!n || p->err) return NULL;
    n->args = (const struct cql_node **)(void *)args->items;
    n->count = args->count;
    for (uint32_t i = 0; i < n->count; i++)
        if (n->args[i]) n->depth = MAX(n->depth, (uint16_t)(n->args[i]->depth + 1));
    if (n->depth <= SQL_DEPTH_MAX) return n;
    cql_fail(p, ERR_TOO_DEEP, "terms nest at most %d levels", (int)SQL_DEPTH_MAX);
    return NULL;
}

struct cql_node *cql_join(struct cql_parser *p, enum cql_node_kind kind, const uint8_t *start,
                          const struct cql_node *a, const struct cql_node *b)
{
    struct list args = {0};
    cql_node_add(p, &args, a);
    if (b) cql_node_add(p, &args, b);
    return cql_with_args(p, cql_node_new(p, kind, start), &args);
}

static const struct {
    uint16_t kind;
    enum cql_node_kind node;
    const char *value; /* NULL: as written */
} constants[] = {
    {T_STRING_LITERAL, NODE_STRING, NULL},
    {T_INTEGER, NODE_INTEGER, NULL},
    {T_FLOAT, NODE_FLOAT, NULL},
    {T_BOOLEAN, NODE_BOOLEAN, NULL},
    {T_DURATION, NODE_DURATION, NULL},
    {T_UUID, NODE_UUID, NULL},
    {T_HEXNUMBER, NODE_BLOB, NULL},
    {K_NAN, NODE_FLOAT, "NaN"},
    {K_NEGATIVE_NAN, NODE_FLOAT, "NaN"},
    {K_INFINITY, NODE_FLOAT, "Infinity"},
    {K_NEGATIVE_INFINITY, NODE_FLOAT, "-Infinity"},
};

bool cql_is_constant(uint32_t kind)
{
    for (size_t i = 0; i < COUNT_OF(constants); i++)
        if (constants[i].kind == kind) return true;
    return false;
}

const struct cql_node *cql_constant(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    size_t i = 0;
    while (i < COUNT_OF(constants) && constants[i].kind != kind) i++;
    if (i == COUNT_OF(constants)) {
        cql_no_viable(p, 0);
        return NULL;
    }
    const uint8_t *start = cql_start(p);
    struct slice value = kind == T_STRING_LITERAL ? cql_value(p) : cql_take(p);
    struct cql_node *n = cql_node_new(p, constants[i].node, start);
    if (!n) return NULL;
    if (kind == T_HEXNUMBER) value = slice_make(value.at + 2, value.len - 2);
    n->value = constants[i].value ? slice_of(constants[i].value) : value;
    return n;
}

bool cql_at_marker(struct cql_parser *p)
{
    return cql_at(p, T_QMARK) || cql_at(p, T_COLON);
}

const struct cql_node *cql_marker(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    struct slice name = {0};
    if (cql_accept(p, T_COLON))
        name = cql_ident(p);
    else if (!cql_accept(p, T_QMARK))
        cql_no_viable(p, 0);
    struct cql_node *n = cql_node_new(p, NODE_MARKER, start);
    if (!n) return NULL;
    n->value = name;
    n->marker = p->markers++;
    if (p->markers > CQL_MARKERS_MAX)
        cql_fail(p, ERR_INVALID, "Too many markers(?). %u markers exceed the allowed maximum of %d",
                 p->markers, (int)CQL_MARKERS_MAX);
    return n;
}

const struct cql_node *cql_int_value(struct cql_parser *p)
{
    return cql_at(p, T_INTEGER) ? cql_constant(p) : cql_marker(p);
}

bool cql_begins_term(uint32_t kind)
{
    return cql_is_constant(kind) || cql_is_name(kind) || kind == K_TOKEN || kind == K_NULL ||
           kind == T_QMARK || kind == T_COLON || kind == T_OPEN || kind == T_OPEN_LIST ||
           kind == T_OPEN_BRACE;
}

/* Terms and selectors begin alike. */
bool cql_starts_term(struct cql_parser *p, uint32_t n)
{
    uint32_t kind = cql_peek(p, n);
    return kind == T_MINUS || cql_begins_term(kind);
}

/* --- terms ------------------------------------------------------------------------------------ */

/* The items up to `close`, which is taken; `first` is parsed already, or NULL. */
struct list cql_items_to(struct cql_parser *p, const struct cql_node *first, cql_rule *item,
                         uint32_t close)
{
    struct list args = {0};
    if (first) cql_node_add(p, &args, first);
    if (!first && cql_starts_term(p, 0)) cql_node_add(p, &args, item(p));
    while (args.count && cql_accept(p, T_COMMA)) cql_node_add(p, &args, item(p));
    cql_match(p, close);
    return args;
}

const struct cql_node *cql_tuple(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    cql_match(p, T_OPEN);
    const struct cql_node *first = cql_term(p);
    struct list args = cql_items_to(p, first, cql_term, T_CLOSE);
    return cql_with_args(p, cql_node_new(p, NODE_TUPLE, start), &args);
}

const struct cql_node *cql_list_of(struct cql_parser *p, cql_rule *item)
{
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    struct list args = cql_items_to(p, NULL, item, T_CLOSE_LIST);
    return cql_with_args(p, cql_node_new(p, NODE_LIST, start), &args);
}

/* {name: value, …}, at the first name. */
static const struct cql_node *record(struct cql_parser *p, const uint8_t *start)
{
    struct list args = {0}, names = {0};
    do {
        struct slice *name = cql_add(p, &names, sizeof(*name));
        struct slice text = cql_ident(p);
        cql_match(p, T_COLON);
        cql_node_add(p, &args, cql_term(p));
        if (name) *name = text;
    } while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE_BRACE);
    struct cql_node *n = cql_with_args(p, cql_node_new(p, NODE_RECORD, start), &args);
    if (n) n->names = (const struct slice *)(const void *)names.items;
    return n;
}

/* {a, b}, {k: v, …} and {}. */
const struct cql_node *cql_braces(struct cql_parser *p, cql_rule *item)
{
    const uint8_t *start = cql_start(p);
    static const uint16_t after_name[] = {T_OPEN, T_DOT, T_COLON, T_NOTHING};
    uint32_t kind = cql_peek(p, 1);
    if (item == cql_term && cql_is_name(kind)) {
        if (!cql_expect(p, 2, after_name)) return NULL;
        (void)cql_take(p);
        if (cql_peek(p, 1) == T_COLON) return record(p, start);
    } else {
        if (item == cql_term && kind != T_CLOSE_BRACE && kind != T_MINUS &&
            !cql_begins_term(kind)) {
            cql_no_viable(p, 1);
            return NULL;
        }
        if (item == cql_term) cql_looked(p, 2);
        (void)cql_take(p);
    }
    struct list args = {0};
    bool map = false;
    if (!cql_at(p, T_CLOSE_BRACE)) {
        cql_node_add(p, &args, item(p));
        map = cql_accept(p, T_COLON);
        if (map) cql_node_add(p, &args, item(p));
        while (cql_accept(p, T_COMMA)) {
            cql_node_add(p, &args, item(p));
            if (!map) continue;
            cql_match(p, T_COLON);
            cql_node_add(p, &args, item(p));
        }
    }
    cql_match(p, T_CLOSE_BRACE);
    return cql_with_args(p, cql_node_new(p, map ? NODE_MAP : NODE_SET, start), &args);
}

/* Whether a function may be called so: keywords of columns are none's name. */
bool cql_may_be_called(uint32_t kind)
{
    return kind == K_TOKEN || kind == K_COUNT ||
           (cql_is_name(kind) && cql_kind_use(kind) != USE_COLUMN);
}

/* name( or keyspace.name( in a term, its first argument or ')' behind it; else it is told where it
 * is none. */
static bool at_call(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0), n = 0;
    if (kind != K_TOKEN && (!cql_may_be_called(kind) || cql_peek(p, 1) == T_DOT)) {
        if (cql_peek(p, 1) != T_DOT) {
            cql_no_viable(p, 1);
            return false;
        }
        n = 2;
        if (!cql_may_be_called(cql_peek(p, 2))) {
            cql_no_viable(p, 2);
            return false;
        }
    }
    if (cql_peek(p, n + 1) != T_OPEN) {
        cql_no_viable(p, n + 1);
        return false;
    }
    kind = cql_peek(p, n + 2);
    if (kind != T_CLOSE && kind != T_MINUS && !cql_begins_term(kind)) {
        cql_no_viable(p, n + 2);
        return false;
    }
    cql_looked(p, n + 3);
    return true;
}

const struct cql_node *cql_call_of(struct cql_parser *p, cql_rule *item)
{
    const uint8_t *start = cql_start(p);
    struct cql_name name = cql_function_name(p);
    cql_match(p, T_OPEN);
    struct list args = cql_items_to(p, NULL, item, T_CLOSE);
    struct cql_node *n = cql_node_new(p, NODE_CALL, start);
    if (n) n->name = name;
    return cql_with_args(p, n, &args);
}

const struct cql_node *cql_cast_of(struct cql_parser *p, cql_rule *item)
{
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    cql_match(p, T_OPEN);
    const struct cql_node *value = item(p);
    cql_match(p, K_AS);
    const struct cql_type *type = NULL;
    if (cql_kind_use(cql_peek(p, 0)) == USE_TYPE)
        type = cql_type(p);
    else
        cql_no_viable(p, 0);
    cql_match(p, T_CLOSE);
    struct cql_node *n = cql_join(p, NODE_CAST, start, value, NULL);
    if (n) n->type = type;
    return n;
}

const struct cql_node *cql_hint_of(struct cql_parser *p, cql_rule *item)
{
    const uint8_t *start = cql_start(p);
    cql_match(p, T_OPEN);
    const struct cql_type *type = cql_type(p);
    cql_match(p, T_CLOSE);
    struct cql_node *n = cql_join(p, NODE_HINT, start, item(p), NULL);
    if (n) n->type = type;
    return n;
}

const struct cql_node *cql_null_node(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    return cql_node_new(p, NODE_NULL, start);
}

/* What may follow "(" in a term, as far as the original looks. */
static bool expect_in_parens(struct cql_parser *p)
{
    static const uint16_t after_name[] = {T_OPEN, T_CLOSE, T_DOT, T_NOTHING};
    static const uint16_t after_word[] = {T_OPEN, T_CLOSE, T_DOT, T_LT, T_NOTHING};
    static const uint16_t after_string[] = {T_PERCENT, T_PLUS, T_COMMA, T_MINUS,
                                            T_SLASH,   T_STAR, T_CLOSE, T_NOTHING};
    uint32_t kind = cql_peek(p, 1);
    if (kind == K_MAP || kind == K_LIST || kind == K_TUPLE || kind == K_VECTOR || kind == K_FROZEN)
        return cql_expect(p, 2, after_word);
    if (cql_is_name(kind)) return cql_expect(p, 2, after_name);
    if (kind == T_STRING_LITERAL) return cql_expect(p, 2, after_string);
    if (kind != K_SET && !cql_starts_term(p, 1)) {
        cql_no_viable(p, 1);
        return false;
    }
    cql_looked(p, 2);
    return true;
}

static const struct cql_node *term_in_parens(struct cql_parser *p)
{
    if (!expect_in_parens(p)) return NULL;
    uint32_t length = cql_type_length(p, 1);
    bool typed =
        length && cql_peek(p, 1 + length) == T_CLOSE && cql_begins_term(cql_peek(p, 2 + length));
    return typed ? cql_hint_of(p, cql_simple_term) : cql_tuple(p);
}

static const struct cql_node *simple_term(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    if (!cql_begins_term(kind)) {
        cql_no_viable(p, 0);
        return NULL;
    }
    cql_looked(p, 1);
    if (cql_is_constant(kind)) return cql_constant(p);
    switch (kind) {
    case K_NULL: return cql_null_node(p);
    case T_QMARK:
    case T_COLON: return cql_marker(p);
    case T_OPEN_LIST: return cql_list_of(p, cql_term);
    case T_OPEN_BRACE: return cql_braces(p, cql_term);
    case T_OPEN: return term_in_parens(p);
    default: break;
    }
    if (kind == K_CAST) {
        static const uint16_t after[] = {T_OPEN, T_DOT, T_NOTHING};
        if (!cql_expect(p, 1, after)) return NULL;
        if (cql_at(p, K_CAST) && cql_peek(p, 1) == T_OPEN) return cql_cast_of(p, cql_simple_term);
    }
    return at_call(p) ? cql_call_of(p, cql_term) : NULL;
}

const struct cql_node *cql_simple_term(struct cql_parser *p)
{
    if (!cql_deeper(p)) return NULL;
    const struct cql_node *n = simple_term(p);
    p->depth--;
    return n;
}

static const struct cql_node *term_group(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    if (!cql_accept(p, T_MINUS)) return cql_simple_term(p);
    return cql_join(p, NODE_NEGATE, start, cql_simple_term(p), NULL);
}

bool cql_takes_product(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    return !p->err && (kind == T_STAR || kind == T_SLASH || kind == T_PERCENT);
}

/* Whether a sum goes on. SET list = ['x'] + list: that column is no term. What can't follow a term
 * is told here, as the original does. */
static bool takes_sum(struct cql_parser *p)
{
    static const uint16_t follow[] = {
        K_ALLOW, K_AND,    K_APPLY,      K_ASC,         K_DELETE, K_DESC,      K_GROUP,
        K_IF,    K_INSERT, K_LIMIT,      K_ORDER,       K_PER,    K_PRIMARY,   K_UPDATE,
        K_WHERE, T_RANGE,  T_CLOSE,      T_COMMA,       T_COLON,  T_SEMICOLON, T_MINUS,
        T_PLUS,  T_END,    T_CLOSE_LIST, T_CLOSE_BRACE, T_NOTHING};
    static const uint16_t called[] = {T_OPEN, T_DOT, K_WHERE, T_COMMA, T_NOTHING};
    if (!cql_expect(p, 0, follow)) return false;
    if (!cql_at(p, T_PLUS)) return cql_at(p, T_MINUS);
    uint32_t next = cql_peek(p, 1);
    if (next == T_EMPTY_QUOTED_NAME) return false;
    if (cql_is_name(next)) {
        if (!cql_expect(p, 2, called)) return false;
        return cql_peek(p, 2) == T_OPEN || cql_peek(p, 2) == T_DOT;
    }
    if (cql_begins_term(next) || next == T_MINUS) return true;
    cql_no_viable(p, 1);
    return false;
}

struct cql_node *cql_arith(struct cql_parser *p, const uint8_t *start, const struct cql_node *left,
                           struct slice op, const struct cql_node *right)
{
    struct cql_node *n = cql_join(p, NODE_ARITH, start, left, right);
    if (n) n->op = (char)op.at[0];
    return n;
}

static const struct cql_node *term_product(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    const struct cql_node *left = term_group(p);
    while (cql_takes_product(p)) {
        struct slice op = cql_take(p);
        left = cql_arith(p, start, left, op, term_group(p));
    }
    return left;
}

const struct cql_node *cql_term(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    const struct cql_node *left = term_product(p);
    while (takes_sum(p)) {
        struct slice op = cql_take(p);
        left = cql_arith(p, start, left, op, term_product(p));
    }
    return left;
}
