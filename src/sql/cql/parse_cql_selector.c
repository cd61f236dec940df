/* CQL's selectors: what SELECT may name and compute. */
#include "sql/cql/parse_cql.h"

static const struct cql_node *selector_group(struct cql_parser *p);

static const struct cql_node *column(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    struct slice name = cql_ident(p);
    struct cql_node *n = cql_node_new(p, NODE_COLUMN, start);
    if (n) n->name.name = name;
    return n;
}

/* a[1], a[1..2], a[..2], a[1..] */
static const struct cql_node *sub_selection(struct cql_parser *p, const uint8_t *start,
                                            const struct cql_node *of)
{
    struct list args = {0};
    (void)cql_take(p);
    const struct cql_node *from = cql_at(p, T_RANGE) ? NULL : cql_term(p);
    bool slice = cql_accept(p, T_RANGE);
    const struct cql_node *to = NULL;
    if (slice && (!from || !cql_at(p, T_CLOSE_LIST))) to = cql_term(p);
    cql_match(p, T_CLOSE_LIST);
    cql_node_add(p, &args, of);
    cql_node_add(p, &args, from);
    if (slice) cql_node_add(p, &args, to);
    return cql_with_args(p, cql_node_new(p, slice ? NODE_SLICE : NODE_ELEMENT, start), &args);
}

static void brackets_rule(struct cql_parser *p)
{
    (void)sub_selection(p, cql_start(p), NULL);
}

/* .field and [element]; what stands there and is neither is the caller's to refuse. */
static const struct cql_node *modifiers(struct cql_parser *p, const uint8_t *start,
                                        const struct cql_node *of)
{
    for (;;) {
        if (p->err) return NULL;
        if (cql_at(p, T_OPEN_LIST) && cql_length_of(p, 0, brackets_rule)) {
            of = sub_selection(p, start, of);
        } else if (cql_at(p, T_DOT) && cql_is_name(cql_peek(p, 1))) {
            (void)cql_take(p);
            struct slice field = cql_ident(p);
            struct cql_node *n = cql_join(p, NODE_FIELD, start, of, NULL);
            if (n) n->value = field;
            of = n;
        } else {
            return of;
        }
    }
}

static const struct cql_node *times(struct cql_parser *p, enum cql_node_kind kind)
{
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    cql_match(p, T_OPEN);
    const uint8_t *inner = cql_start(p);
    const struct cql_node *of = modifiers(p, inner, column(p));
    cql_match(p, T_CLOSE);
    return cql_join(p, kind, start, of, NULL);
}

static const struct cql_node *count_all(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    struct slice name = cql_value(p);
    (void)cql_take(p);
    const uint8_t *star = cql_start(p);
    (void)cql_take(p);
    const struct cql_node *all = cql_node_new(p, NODE_STAR, star);
    cql_match(p, T_CLOSE);
    struct cql_node *n = cql_join(p, NODE_CALL, start, all, NULL);
    if (n) n->name.name = name;
    return n;
}

static const uint16_t after_selector[] = {
    K_ALLOW, K_AS,    K_FROM,       K_LIMIT,       K_ORDER, K_PER,       T_PERCENT, T_CLOSE,
    T_PLUS,  T_COMMA, T_MINUS,      T_SLASH,       T_COLON, T_SEMICOLON, T_STAR,    T_OPEN_LIST,
    T_END,   T_DOT,   T_CLOSE_LIST, T_CLOSE_BRACE, T_OPEN,  T_NOTHING};

/* A column's name, or a function's and its arguments. */
static const struct cql_node *selector_word(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    bool open;
    if (kind == K_TOKEN) return cql_call_of(p, cql_selector);
    if (!cql_expect(p, 1, after_selector)) return NULL;
    open = cql_peek(p, 1) == T_OPEN;
    if (open && kind == K_WRITETIME) return times(p, NODE_WRITETIME);
    if (open && kind == K_MAXWRITETIME) return times(p, NODE_MAXWRITETIME);
    if (open && kind == K_TTL) return times(p, NODE_TTL);
    if (open && kind == K_CAST) return cql_cast_of(p, cql_selector);
    if (open && kind == K_COUNT && cql_peek(p, 2) == T_STAR) return count_all(p);
    if (open && cql_may_be_called(kind)) return cql_call_of(p, cql_selector);
    if (open) {
        cql_no_viable(p, 1);
        return NULL;
    }
    if (cql_peek(p, 1) != T_DOT) return column(p);
    uint32_t field = cql_peek(p, 2);
    if (field == K_TOKEN) return cql_call_of(p, cql_selector);
    if (!cql_is_name(field)) {
        cql_no_viable(p, 2);
        return NULL;
    }
    if (!cql_may_be_called(field)) return column(p);
    if (!cql_expect(p, 3, after_selector)) return NULL;
    return cql_peek(p, 3) == T_OPEN ? cql_call_of(p, cql_selector) : column(p);
}

static bool starts_selector(uint32_t kind)
{
    return cql_begins_term(kind);
}

/* Behind "(type)": a list that is no slice's brackets. */
static bool is_slice(struct cql_parser *p, uint32_t n)
{
    uint32_t open = 0;
    for (;; n++) {
        uint32_t kind = cql_peek(p, n);
        if (kind == T_END) return false;
        if (kind == T_OPEN_LIST) open++;
        if (kind == T_CLOSE_LIST && --open == 0) return false;
        if (kind == T_RANGE && open == 1) return true;
    }
}

static const struct cql_node *selector_without_field(struct cql_parser *p);

/* (type) selector, (selector) and (selector, …). */
static const struct cql_node *selector_in_parens(struct cql_parser *p)
{
    uint32_t length = cql_type_length(p, 1);
    if (length && cql_peek(p, 1 + length) == T_CLOSE) {
        uint32_t next = cql_peek(p, 2 + length);
        bool more = starts_selector(next) && next != K_AS;
        if (more && (next != T_OPEN_LIST || !is_slice(p, 2 + length)))
            return cql_hint_of(p, selector_without_field);
    }
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    const struct cql_node *first = cql_selector(p);
    struct list args = cql_items_to(p, first, cql_selector, T_CLOSE);
    return cql_with_args(p, cql_node_new(p, NODE_TUPLE, start), &args);
}

static const struct cql_node *without_field(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    if (cql_is_constant(kind)) return cql_constant(p);
    if (cql_is_name(kind) || kind == K_TOKEN) return selector_word(p);
    switch (kind) {
    case K_NULL: return cql_null_node(p);
    case T_QMARK:
    case T_COLON: return cql_marker(p);
    case T_OPEN_LIST: return cql_list_of(p, cql_selector);
    case T_OPEN_BRACE: return cql_braces(p, cql_selector);
    case T_OPEN: return selector_in_parens(p);
    default: cql_no_viable(p, 0); return NULL;
    }
}

static const struct cql_node *selector_without_field(struct cql_parser *p)
{
    if (!cql_deeper(p)) return NULL;
    const struct cql_node *n = without_field(p);
    p->depth--;
    return n;
}

static const struct cql_node *selector_group(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    if (cql_accept(p, T_MINUS)) {
        if (!cql_deeper(p)) return NULL;
        const struct cql_node *of = selector_group(p);
        p->depth--;
        return cql_join(p, NODE_NEGATE, start, of, NULL);
    }
    if (cql_begins_term(cql_peek(p, 0))) cql_looked(p, 2);
    return modifiers(p, start, selector_without_field(p));
}

static const struct cql_node *selector_product(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    const struct cql_node *left = selector_group(p);
    while (!p->err && (cql_at(p, T_STAR) || cql_at(p, T_SLASH) || cql_at(p, T_PERCENT))) {
        struct slice op = cql_take(p);
        left = cql_arith(p, start, left, op, selector_group(p));
    }
    return left;
}

const struct cql_node *cql_selector(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    const struct cql_node *left = selector_product(p);
    while (!p->err && (cql_at(p, T_PLUS) || cql_at(p, T_MINUS))) {
        struct slice op = cql_take(p);
        left = cql_arith(p, start, left, op, selector_product(p));
    }
    return left;
}
