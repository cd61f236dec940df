/* CQL's types, terms and selectors. */
#include "sql/cql/parse_cql.h"

/* --- types ------------------------------------------------------------------------------------ */

static const struct cql_type *type_at_depth(struct cql_parser *p);

/* `count` parameters, or any number; '<' and '>' included. */
static void type_items(struct cql_parser *p, struct cql_type *t, uint32_t count)
{
    struct list items = {0};
    cql_match(p, T_LT);
    do {
        const struct cql_type **item = cql_add(p, &items, sizeof(*item));
        const struct cql_type *inner = cql_type(p);
        if (item && !p->err) *item = inner;
        if (count && items.count < count && !cql_at(p, T_COMMA)) cql_match(p, T_COMMA);
    } while (!(count && items.count == count) && cql_accept(p, T_COMMA));
    t->items = (const struct cql_type **)(void *)items.items;
    t->count = items.count;
}

static void vector_items(struct cql_parser *p, struct cql_type *t)
{
    type_items(p, t, 1);
    cql_match(p, T_COMMA);
    if (!cql_at(p, T_INTEGER)) cql_match(p, T_INTEGER);
    int64_t n = 0;
    struct slice number = cql_take(p);
    if (!p->err && (!slice_to_i64(number, &n) || n < INT32_MIN || n > INT32_MAX))
        cql_fail(p, ERR_SYNTAX, "For input string: \"%.*s\"", SLICE_ARG(number));
    if (!p->err && n < 1)
        cql_fail(p, ERR_INVALID, "vectors may only have positive dimensions; given %d", (int)n);
    t->dimension = (uint32_t)n;
}

/* map<, list<, set<, tuple<, vector<, frozen<; false: it is none of them. */
static bool type_of_items(struct cql_parser *p, struct cql_type *t)
{
    static const struct {
        uint16_t word;
        uint8_t count; /* 0: any number, one at least */
    } kinds[] = {{K_MAP, 2}, {K_LIST, 1}, {K_SET, 1}, {K_TUPLE, 0}, {K_VECTOR, 1}, {K_FROZEN, 1}};
    uint32_t word = cql_peek(p, 0);
    size_t i = 0;
    while (i < COUNT_OF(kinds) && kinds[i].word != word) i++;
    if (i == COUNT_OF(kinds) || (word != K_SET && cql_peek(p, 1) != T_LT)) return false;
    t->name.name = cql_value(p);
    if (word == K_VECTOR)
        vector_items(p, t);
    else
        type_items(p, t, kinds[i].count);
    cql_match(p, T_GT);
    if (word != K_FROZEN || p->err) return true;
    struct slice text = t->text;
    *t = *t->items[0];
    t->frozen = true;
    t->text = text;
    return true;
}

static const struct cql_type *type_at_depth(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    struct cql_type *t = cql_new(p, sizeof(*t));
    if (!t) return NULL;
    uint32_t kind = cql_peek(p, 0);
    if (kind == T_STRING_LITERAL) {
        t->custom = cql_value(p);
    } else if (!type_of_items(p, t)) {
        if (cql_is_name(kind) && cql_kind_use(kind) == USE_TYPE && cql_peek(p, 1) != T_DOT) {
            t->name.name = cql_value(p);
        } else if (cql_is_name(kind)) {
            t->name = cql_type_name(p);
            t->quoted = kind == T_QUOTED_NAME;
        } else {
            cql_no_viable(p, 0);
        }
    }
    t->text = cql_since(p, start);
    return p->err ? NULL : t;
}

const struct cql_type *cql_type(struct cql_parser *p)
{
    if (!cql_deeper(p)) return NULL;
    const struct cql_type *t = type_at_depth(p);
    p->depth--;
    return t;
}

uint32_t cql_length_of(struct cql_parser *p, uint32_t n, void (*rule)(struct cql_parser *p))
{
    uint32_t next = p->next, markers = p->markers, depth = p->depth;
    if (p->err) return 0;
    (void)cql_peek(p, n);
    p->next += n;
    p->trials++;
    if (!p->err) rule(p);
    p->trials--;
    uint32_t length = p->err ? 0 : p->next - next - n;
    if (!p->hard) p->err = ERR_OK;
    p->next = next;
    p->markers = markers;
    p->depth = depth;
    return length;
}

static void type_rule(struct cql_parser *p)
{
    (void)cql_type(p);
}

uint32_t cql_type_length(struct cql_parser *p, uint32_t n)
{
    return cql_length_of(p, n, type_rule);
}

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

static void add(struct cql_parser *p, struct list *l, const struct cql_node *n)
{
    const struct cql_node **place = cql_add(p, l, sizeof(n));
    if (place) *place = n;
}

static struct cql_node *with_args(struct cql_parser *p, struct cql_node *n, const struct list *args)
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

static struct cql_node *join(struct cql_parser *p, enum cql_node_kind kind, const uint8_t *start,
                             const struct cql_node *a, const struct cql_node *b)
{
    struct list args = {0};
    add(p, &args, a);
    if (b) add(p, &args, b);
    return with_args(p, cql_node_new(p, kind, start), &args);
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

/* --- terms ------------------------------------------------------------------------------------ */

typedef const struct cql_node *(*item_rule)(struct cql_parser *p);

/* The items up to `close`, which is taken; `first` is parsed already, or NULL. */
static struct list items_to(struct cql_parser *p, const struct cql_node *first, item_rule item,
                            uint32_t close)
{
    struct list args = {0};
    if (first) add(p, &args, first);
    if (!first && !cql_at(p, close)) add(p, &args, item(p));
    while (args.count && cql_accept(p, T_COMMA)) add(p, &args, item(p));
    cql_match(p, close);
    return args;
}

const struct cql_node *cql_tuple(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    cql_match(p, T_OPEN);
    const struct cql_node *first = cql_term(p);
    struct list args = items_to(p, first, cql_term, T_CLOSE);
    return with_args(p, cql_node_new(p, NODE_TUPLE, start), &args);
}

static const struct cql_node *list_of(struct cql_parser *p, item_rule item)
{
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    struct list args = items_to(p, NULL, item, T_CLOSE_LIST);
    return with_args(p, cql_node_new(p, NODE_LIST, start), &args);
}

/* {name: value, …}, at the first name. */
static const struct cql_node *record(struct cql_parser *p, const uint8_t *start)
{
    struct list args = {0}, names = {0};
    do {
        struct slice *name = cql_add(p, &names, sizeof(*name));
        struct slice text = cql_ident(p);
        cql_match(p, T_COLON);
        add(p, &args, cql_term(p));
        if (name) *name = text;
    } while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE_BRACE);
    struct cql_node *n = with_args(p, cql_node_new(p, NODE_RECORD, start), &args);
    if (n) n->names = (const struct slice *)(const void *)names.items;
    return n;
}

/* {a, b}, {k: v, …} and {}. */
static const struct cql_node *braces(struct cql_parser *p, item_rule item)
{
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    if (item == cql_term && cql_is_name(cql_peek(p, 0)) && cql_peek(p, 1) == T_COLON)
        return record(p, start);
    struct list args = {0};
    bool map = false;
    if (!cql_at(p, T_CLOSE_BRACE)) {
        add(p, &args, item(p));
        map = cql_accept(p, T_COLON);
        if (map) add(p, &args, item(p));
        while (cql_accept(p, T_COMMA)) {
            add(p, &args, item(p));
            if (!map) continue;
            cql_match(p, T_COLON);
            add(p, &args, item(p));
        }
    }
    cql_match(p, T_CLOSE_BRACE);
    return with_args(p, cql_node_new(p, map ? NODE_MAP : NODE_SET, start), &args);
}

/* Whether "name(" or "keyspace.name(" stands here; if it only could, *bad is the token at which it
 * is neither. */
static bool at_call(struct cql_parser *p, uint32_t *bad)
{
    uint32_t kind = cql_peek(p, 0), n = 0;
    *bad = 0;
    if (!cql_is_name(kind) && kind != K_TOKEN) return false;
    if (kind != K_TOKEN && cql_peek(p, 1) == T_DOT) {
        n = 2;
        kind = cql_peek(p, 2);
        if (!cql_is_name(kind) && kind != K_TOKEN) {
            *bad = 2;
            return false;
        }
    }
    if (cql_peek(p, n + 1) == T_OPEN) return true;
    *bad = n + 1;
    return false;
}

static const struct cql_node *call(struct cql_parser *p, item_rule item)
{
    const uint8_t *start = cql_start(p);
    struct cql_name name = cql_function_name(p);
    cql_match(p, T_OPEN);
    struct list args = items_to(p, NULL, item, T_CLOSE);
    struct cql_node *n = cql_node_new(p, NODE_CALL, start);
    if (n) n->name = name;
    return with_args(p, n, &args);
}

static const struct cql_node *cast(struct cql_parser *p, item_rule item)
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
    struct cql_node *n = join(p, NODE_CAST, start, value, NULL);
    if (n) n->type = type;
    return n;
}

static const struct cql_node *hint(struct cql_parser *p, item_rule item)
{
    const uint8_t *start = cql_start(p);
    cql_match(p, T_OPEN);
    const struct cql_type *type = cql_type(p);
    cql_match(p, T_CLOSE);
    struct cql_node *n = join(p, NODE_HINT, start, item(p), NULL);
    if (n) n->type = type;
    return n;
}

static bool starts_term(uint32_t kind)
{
    return cql_is_constant(kind) || cql_is_name(kind) || kind == K_TOKEN || kind == K_NULL ||
           kind == T_QMARK || kind == T_COLON || kind == T_OPEN || kind == T_OPEN_LIST ||
           kind == T_OPEN_BRACE;
}

static const struct cql_node *null_node(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    return cql_node_new(p, NODE_NULL, start);
}

static const struct cql_node *term_in_parens(struct cql_parser *p)
{
    uint32_t length = cql_type_length(p, 1);
    bool typed =
        length && cql_peek(p, 1 + length) == T_CLOSE && starts_term(cql_peek(p, 2 + length));
    return typed ? hint(p, cql_simple_term) : cql_tuple(p);
}

static const struct cql_node *simple_term(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0), bad;
    if (cql_is_constant(kind)) return cql_constant(p);
    switch (kind) {
    case K_NULL: return null_node(p);
    case T_QMARK:
    case T_COLON: return cql_marker(p);
    case T_OPEN_LIST: return list_of(p, cql_term);
    case T_OPEN_BRACE: return braces(p, cql_term);
    case T_OPEN: return term_in_parens(p);
    default: break;
    }
    if (kind == K_CAST && cql_peek(p, 1) == T_OPEN) return cast(p, cql_simple_term);
    if (at_call(p, &bad)) return call(p, cql_term);
    cql_no_viable(p, bad);
    return NULL;
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
    return join(p, NODE_NEGATE, start, cql_simple_term(p), NULL);
}

static bool takes_more(struct cql_parser *p, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t kind = cql_peek(p, 0);
    if (p->err || (kind != a && kind != b && kind != c)) return false;
    /* SET list = ['x'] + list: that column is no term. */
    return kind != T_PLUS || !cql_is_name(cql_peek(p, 1)) || cql_peek(p, 2) == T_OPEN ||
           cql_peek(p, 2) == T_DOT;
}

static struct cql_node *arith(struct cql_parser *p, const uint8_t *start,
                              const struct cql_node *left, struct slice op,
                              const struct cql_node *right)
{
    struct cql_node *n = join(p, NODE_ARITH, start, left, right);
    if (n) n->op = (char)op.at[0];
    return n;
}

static const struct cql_node *term_product(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    const struct cql_node *left = term_group(p);
    while (takes_more(p, T_STAR, T_SLASH, T_PERCENT)) {
        struct slice op = cql_take(p);
        left = arith(p, start, left, op, term_group(p));
    }
    return left;
}

const struct cql_node *cql_term(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    const struct cql_node *left = term_product(p);
    while (takes_more(p, T_PLUS, T_MINUS, T_PLUS)) {
        struct slice op = cql_take(p);
        left = arith(p, start, left, op, term_product(p));
    }
    return left;
}

/* --- selectors -------------------------------------------------------------------------------- */

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
    add(p, &args, of);
    add(p, &args, from);
    if (slice) add(p, &args, to);
    return with_args(p, cql_node_new(p, slice ? NODE_SLICE : NODE_ELEMENT, start), &args);
}

static const struct cql_node *modifiers(struct cql_parser *p, const uint8_t *start,
                                        const struct cql_node *of)
{
    for (;;) {
        if (p->err) return NULL;
        if (cql_at(p, T_OPEN_LIST)) {
            of = sub_selection(p, start, of);
        } else if (cql_accept(p, T_DOT)) {
            struct slice field = cql_ident(p);
            struct cql_node *n = join(p, NODE_FIELD, start, of, NULL);
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
    return join(p, kind, start, of, NULL);
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
    struct cql_node *n = join(p, NODE_CALL, start, all, NULL);
    if (n) n->name.name = name;
    return n;
}

static const struct cql_node *selector_word(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0), bad;
    if (cql_peek(p, 1) == T_OPEN) {
        if (kind == K_WRITETIME) return times(p, NODE_WRITETIME);
        if (kind == K_MAXWRITETIME) return times(p, NODE_MAXWRITETIME);
        if (kind == K_TTL) return times(p, NODE_TTL);
        if (kind == K_CAST) return cast(p, cql_selector);
        if (kind == K_COUNT && cql_peek(p, 2) == T_STAR) return count_all(p);
    }
    if (at_call(p, &bad)) return call(p, cql_selector);
    if (kind != K_TOKEN) return column(p);
    cql_no_viable(p, bad);
    return NULL;
}

static bool starts_selector(uint32_t kind)
{
    return starts_term(kind);
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
            return hint(p, selector_without_field);
    }
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    const struct cql_node *first = cql_selector(p);
    struct list args = items_to(p, first, cql_selector, T_CLOSE);
    return with_args(p, cql_node_new(p, NODE_TUPLE, start), &args);
}

static const struct cql_node *without_field(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    if (cql_is_constant(kind)) return cql_constant(p);
    if (cql_is_name(kind) || kind == K_TOKEN) return selector_word(p);
    switch (kind) {
    case K_NULL: return null_node(p);
    case T_QMARK:
    case T_COLON: return cql_marker(p);
    case T_OPEN_LIST: return list_of(p, cql_selector);
    case T_OPEN_BRACE: return braces(p, cql_selector);
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
        return join(p, NODE_NEGATE, start, of, NULL);
    }
    return modifiers(p, start, selector_without_field(p));
}

static const struct cql_node *selector_product(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    const struct cql_node *left = selector_group(p);
    while (!p->err && (cql_at(p, T_STAR) || cql_at(p, T_SLASH) || cql_at(p, T_PERCENT))) {
        struct slice op = cql_take(p);
        left = arith(p, start, left, op, selector_group(p));
    }
    return left;
}

const struct cql_node *cql_selector(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    const struct cql_node *left = selector_product(p);
    while (!p->err && (cql_at(p, T_PLUS) || cql_at(p, T_MINUS))) {
        struct slice op = cql_take(p);
        left = arith(p, start, left, op, selector_product(p));
    }
    return left;
}
