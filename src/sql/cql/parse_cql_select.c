/* SELECT, and WHERE's relations. */
#include "sql/cql/parse_cql.h"

/* --- WHERE ------------------------------------------------------------------------------------ */

static const struct {
    uint16_t kind;
    enum cql_operator op;
} relation_types[] = {{T_EQ, CQL_EQ}, {T_LT, CQL_LT}, {T_LE, CQL_LE},
                      {T_GT, CQL_GT}, {T_GE, CQL_GE}, {T_NE, CQL_NE}};

bool cql_at_relation_type(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    for (size_t i = 0; i < COUNT_OF(relation_types); i++)
        if (relation_types[i].kind == kind) return true;
    return false;
}

enum cql_operator cql_relation_type(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    for (size_t i = 0; i < COUNT_OF(relation_types); i++) {
        if (relation_types[i].kind != kind) continue;
        (void)cql_take(p);
        return relation_types[i].op;
    }
    cql_no_viable(p, 0);
    return CQL_EQ;
}

const char *cql_operator_text(enum cql_operator op)
{
    static const char *const texts[] = {
        [CQL_EQ] = "=",
        [CQL_LT] = "<",
        [CQL_LE] = "<=",
        [CQL_GT] = ">",
        [CQL_GE] = ">=",
        [CQL_NE] = "!=",
        [CQL_IN] = "IN",
        [CQL_NOT_IN] = "NOT IN",
        [CQL_CONTAINS] = "CONTAINS",
        [CQL_CONTAINS_KEY] = "CONTAINS KEY",
        [CQL_NOT_CONTAINS] = "NOT CONTAINS",
        [CQL_NOT_CONTAINS_KEY] = "NOT CONTAINS KEY",
        [CQL_LIKE] = "LIKE",
        [CQL_IS_NOT_NULL] = "IS NOT",
        [CQL_BETWEEN] = "BETWEEN",
        [CQL_NOT_LIKE] = "NOT LIKE",
        [CQL_ANN] = "ANN",
    };
    return (size_t)op < COUNT_OF(texts) ? texts[op] : "";
}

static void add_value(struct cql_parser *p, struct list *l, const struct cql_node *n)
{
    const struct cql_node **place = cql_add(p, l, sizeof(n));
    if (place) *place = n;
}

void cql_in_values(struct cql_parser *p, struct cql_relation *r)
{
    struct list values = {0};
    r->op = CQL_IN;
    if (cql_at_marker(p)) {
        r->value = cql_marker(p);
        return;
    }
    if (!cql_at(p, T_OPEN)) {
        cql_no_viable(p, 0);
        return;
    }
    (void)cql_take(p);
    if (cql_starts_term(p, 0)) {
        do add_value(p, &values, cql_term(p));
        while (cql_accept(p, T_COMMA));
    }
    cql_match(p, T_CLOSE);
    r->values = (const struct cql_node **)(void *)values.items;
    r->value_count = values.count;
}

/* (a, b) of names. */
static void tuple_of_names(struct cql_parser *p, struct cql_relation *r)
{
    struct list names = {0};
    cql_match(p, T_OPEN);
    do {
        struct slice name = cql_cident(p);
        struct slice *place = cql_add(p, &names, sizeof(*place));
        if (place) *place = name;
    } while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE);
    r->columns = (const struct slice *)(const void *)names.items;
    r->column_count = names.count;
}

/* IN's tuples: IN ?, IN (), IN ((1, 2), …), IN (?, :name). */
static void in_tuples(struct cql_parser *p, struct cql_relation *r)
{
    struct list values = {0};
    r->op = CQL_IN;
    if (cql_at_marker(p)) {
        r->value = cql_marker(p);
        return;
    }
    if (!cql_at(p, T_OPEN)) {
        cql_no_viable(p, 0);
        return;
    }
    uint32_t kind = cql_peek(p, 1);
    if (kind != T_CLOSE && kind != T_OPEN && kind != T_QMARK && kind != T_COLON) {
        cql_no_viable(p, 1);
        return;
    }
    (void)cql_take(p);
    if (!cql_at(p, T_CLOSE)) {
        bool markers = cql_at_marker(p);
        do add_value(p, &values, markers ? cql_marker(p) : cql_tuple(p));
        while (cql_accept(p, T_COMMA));
    }
    cql_match(p, T_CLOSE);
    r->values = (const struct cql_node **)(void *)values.items;
    r->value_count = values.count;
}

static void tuple_relation(struct cql_parser *p, struct cql_relation *r)
{
    static const uint16_t tuples[] = {T_QMARK, T_COLON, T_OPEN, T_NOTHING};
    r->on = RELATE_TUPLE;
    tuple_of_names(p, r);
    if (p->err) return;
    if (cql_at(p, K_IN)) {
        cql_looked(p, 1);
        (void)cql_take(p);
        in_tuples(p, r);
        return;
    }
    if (cql_at_relation_type(p) && !cql_expect(p, 1, tuples)) return;
    r->op = cql_relation_type(p);
    if (p->err) return;
    r->value = cql_at_marker(p) ? cql_marker(p) : cql_tuple(p);
}

/* What may follow a column's name. */
static void column_relation(struct cql_parser *p, struct cql_relation *r)
{
    struct slice name = cql_cident(p);
    struct slice *place = cql_new(p, sizeof(*place));
    if (!place) return;
    *place = name;
    r->columns = place;
    r->column_count = 1;
    if (cql_accept(p, K_LIKE)) {
        r->op = CQL_LIKE;
        r->value = cql_term(p);
    } else if (cql_accept(p, K_IS)) {
        r->op = CQL_IS_NOT_NULL;
        cql_match(p, K_NOT);
        cql_match(p, K_NULL);
    } else if (cql_accept(p, K_IN)) {
        cql_in_values(p, r);
    } else if (cql_accept(p, K_CONTAINS)) {
        r->op = cql_accept(p, K_KEY) ? CQL_CONTAINS_KEY : CQL_CONTAINS;
        r->value = cql_term(p);
    } else {
        if (cql_accept(p, T_OPEN_LIST)) {
            r->element = cql_term(p);
            cql_match(p, T_CLOSE_LIST);
        }
        r->op = cql_relation_type(p);
        r->value = cql_term(p);
    }
}

/* A relation starts with a column's name: which form it has, the original knows before it goes. */
static bool column_relation_ahead(struct cql_parser *p, uint32_t n)
{
    static const uint16_t follow[] = {T_EQ,   T_LT, T_LE, T_GT,       T_GE,        T_NE,
                                      K_LIKE, K_IS, K_IN, K_CONTAINS, T_OPEN_LIST, T_NOTHING};
    static const uint16_t values[] = {T_QMARK, T_COLON, T_OPEN, T_NOTHING};
    if (!cql_expect(p, n, follow)) return false;
    return cql_peek(p, n) != K_IN || cql_expect(p, n + 1, values);
}

static void relation_in_parens(struct cql_parser *p, struct cql_relation *r);

static void relation(struct cql_parser *p, struct cql_relation *r)
{
    uint32_t kind = cql_peek(p, 0);
    const uint8_t *start = cql_start(p);
    if (kind == K_TOKEN) {
        (void)cql_take(p);
        r->on = RELATE_TOKEN;
        tuple_of_names(p, r);
        r->op = cql_relation_type(p);
        r->value = cql_term(p);
    } else if (kind == T_OPEN) {
        relation_in_parens(p, r);
        if (r->on != RELATE_TUPLE) return; /* its text is the inner one's */
    } else if (!cql_is_name(kind) && kind != T_EMPTY_QUOTED_NAME) {
        cql_no_viable(p, 0);
    } else if (column_relation_ahead(p, 1)) {
        column_relation(p, r);
    }
    r->text = cql_since(p, start);
}

static void relation_in_parens(struct cql_parser *p, struct cql_relation *r)
{
    static const uint16_t follow[] = {T_EQ,        T_LT,    T_LE,    T_GT,     T_GE,
                                      T_NE,        K_LIKE,  K_IS,    K_IN,     K_CONTAINS,
                                      T_OPEN_LIST, T_COMMA, T_CLOSE, T_NOTHING};
    uint32_t name = cql_peek(p, 1);
    bool named = cql_is_name(name) || name == T_EMPTY_QUOTED_NAME;
    if (!named && name != T_OPEN && name != K_TOKEN) {
        cql_no_viable(p, 1);
        return;
    }
    if (named && !cql_expect(p, 2, follow)) return;
    if (named && (cql_peek(p, 2) == T_COMMA || cql_peek(p, 2) == T_CLOSE)) {
        tuple_relation(p, r);
        return;
    }
    cql_looked(p, 2);
    if (!cql_deeper(p)) return;
    (void)cql_take(p);
    relation(p, r);
    cql_match(p, T_CLOSE);
    p->depth--;
}

/* expr(index, 'text'): of indexes that are somebody's own code. */
static void custom_expression(struct cql_parser *p)
{
    (void)cql_take(p);
    (void)cql_index_of(p);
    cql_match(p, T_COMMA);
    (void)cql_term(p);
    cql_match(p, T_CLOSE);
    cql_refuse(p, "expr(): expressions of custom indexes");
}

void cql_where(struct cql_parser *p, const struct cql_relation **out, uint32_t *count)
{
    struct list relations = {0};
    do {
        if (cql_at(p, T_EXPR)) {
            custom_expression(p);
            continue;
        }
        struct cql_relation *r = cql_add(p, &relations, sizeof(*r));
        if (!r) break;
        struct cql_relation one = {0}; /* the list may move while this one is read */
        relation(p, &one);
        *r = one;
    } while (cql_accept(p, K_AND));
    *out = (const struct cql_relation *)(const void *)relations.items;
    *count = relations.count;
}

/* --- SELECT ----------------------------------------------------------------------------------- */

static void selectors(struct cql_parser *p, struct cql_select *s)
{
    struct list items = {0};
    if (cql_accept(p, T_STAR)) return;
    do {
        struct cql_selector_item *item = cql_add(p, &items, sizeof(*item));
        struct cql_selector_item one = {.value = cql_selector(p)};
        if (cql_accept(p, K_AS)) one.alias = cql_ident(p);
        if (item) *item = one;
    } while (cql_accept(p, T_COMMA));
    s->items = (const struct cql_selector_item *)(const void *)items.items;
    s->item_count = items.count;
}

static void selectors_rule(struct cql_parser *p)
{
    struct cql_select nowhere = {0};
    selectors(p, &nowhere);
}

/* DISTINCT and JSON are names, too: they are words where what follows is a list of selectors. */
static bool accept_if_before(struct cql_parser *p, uint32_t word, void (*rule)(struct cql_parser *))
{
    if (!cql_at(p, word)) {
        if (cql_at(p, T_STAR) || cql_starts_term(p, 0)) cql_looked(p, 1);
        return false;
    }
    /* "json AS x": a column, since as is no selector before a name. */
    if (cql_peek(p, 1) == K_AS && cql_is_name(cql_peek(p, 2))) return false;
    if (!cql_length_of(p, 1, rule)) return false;
    (void)cql_take(p);
    return true;
}

static void clause_rule(struct cql_parser *p)
{
    (void)accept_if_before(p, K_DISTINCT, selectors_rule);
    selectors_rule(p);
}

static void group_by(struct cql_parser *p, struct cql_select *s)
{
    struct list items = {0};
    cql_match(p, K_BY);
    do add_value(p, &items, cql_selector(p));
    while (cql_accept(p, T_COMMA));
    s->group = (const struct cql_node **)(void *)items.items;
    s->group_count = items.count;
}

static void order_by(struct cql_parser *p, struct cql_select *s)
{
    struct list items = {0};
    cql_match(p, K_BY);
    do {
        __typeof__(s->order) item = cql_add(p, &items, sizeof(*item));
        __typeof__(*s->order) one = {.column = cql_cident(p)};
        if (cql_accept(p, K_ANN)) {
            cql_match(p, K_OF);
            one.ann = cql_term(p);
        }
        one.descending = cql_accept(p, K_DESC);
        if (!one.descending) (void)cql_accept(p, K_ASC);
        if (item) *item = one;
    } while (cql_accept(p, T_COMMA));
    s->order = (void *)items.items;
    s->order_count = items.count;
}

/* A view's: SELECT, FROM and WHERE only. */
void cql_view_select(struct cql_parser *p, struct cql_statement_tree *out)
{
    struct cql_select *s = cql_new(p, sizeof(*s));
    if (!s) return;
    out->select = s;
    selectors(p, s);
    cql_match(p, K_FROM);
    s->from = cql_table_name(p);
    if (cql_accept(p, K_WHERE)) cql_where(p, &s->where, &s->where_count);
}

void cql_parse_select(struct cql_parser *p, struct cql_statement_tree *out)
{
    struct cql_select *s = cql_new(p, sizeof(*s));
    if (!s) return;
    out->kind = CQL_SELECT;
    out->select = s;
    s->json = accept_if_before(p, K_JSON, clause_rule);
    s->distinct = accept_if_before(p, K_DISTINCT, selectors_rule);
    selectors(p, s);
    cql_match(p, K_FROM);
    s->from = cql_table_name(p);
    out->name = s->from;
    if (cql_accept(p, K_WHERE)) cql_where(p, &s->where, &s->where_count);
    if (cql_accept(p, K_GROUP)) group_by(p, s);
    if (cql_accept(p, K_ORDER)) order_by(p, s);
    if (cql_accept(p, K_PER)) {
        cql_match(p, K_PARTITION);
        cql_match(p, K_LIMIT);
        s->partition_limit = cql_int_value(p);
    }
    if (cql_accept(p, K_LIMIT)) s->limit = cql_int_value(p);
    if (cql_accept(p, K_ALLOW)) {
        cql_match(p, K_FILTERING);
        s->allow_filtering = true;
    }
}
