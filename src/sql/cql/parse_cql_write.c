/* INSERT, UPDATE, DELETE and BATCH. */
#include "sql/cql/parse_cql.h"

static void add_name(struct cql_parser *p, struct list *l, struct slice name)
{
    struct slice *place = cql_add(p, l, sizeof(*place));
    if (place) *place = name;
}

static void add_node(struct cql_parser *p, struct list *l, const struct cql_node *n)
{
    const struct cql_node **place = cql_add(p, l, sizeof(n));
    if (place) *place = n;
}

/* USING TTL 5 AND TIMESTAMP 6, the last of each kind counts. */
static void using_clause(struct cql_parser *p, const struct cql_node **timestamp,
                         const struct cql_node **ttl)
{
    if (!cql_accept(p, K_USING)) return;
    do {
        if (cql_accept(p, K_TIMESTAMP))
            *timestamp = cql_int_value(p);
        else if (cql_accept(p, K_TTL))
            *ttl = cql_int_value(p);
        else
            cql_no_viable(p, 0);
    } while (cql_accept(p, K_AND));
}

/* --- INSERT ----------------------------------------------------------------------------------- */

static void insert_values(struct cql_parser *p, struct cql_write *w)
{
    struct list columns = {0}, values = {0};
    (void)cql_take(p);
    do add_name(p, &columns, cql_cident(p));
    while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE);
    cql_match(p, K_VALUES);
    cql_match(p, T_OPEN);
    do add_node(p, &values, cql_term(p));
    while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE);
    w->columns = (const struct slice *)(const void *)columns.items;
    w->column_count = columns.count;
    w->values = (const struct cql_node **)(void *)values.items;
    w->value_count = values.count;
}

static void insert_json(struct cql_parser *p, struct cql_write *w)
{
    (void)cql_take(p);
    w->json = cql_at(p, T_STRING_LITERAL) ? cql_constant(p) : cql_marker(p);
    if (!cql_accept(p, K_DEFAULT)) return;
    if (cql_accept(p, K_UNSET))
        w->default_unset = true;
    else if (!cql_accept(p, K_NULL))
        cql_no_viable(p, 0);
}

void cql_parse_insert(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_write *w = cql_new(p, sizeof(*w));
    if (!w) return;
    s->kind = CQL_INSERT;
    s->write = w;
    cql_match(p, K_INTO);
    s->name = w->table = cql_table_name(p);
    if (cql_at(p, T_OPEN))
        insert_values(p, w);
    else if (cql_at(p, K_JSON))
        insert_json(p, w);
    else
        cql_no_viable(p, 0);
    w->if_not_exists = s->if_not_exists = cql_if_not_exists(p);
    using_clause(p, &w->timestamp, &w->ttl);
}

/* --- UPDATE ----------------------------------------------------------------------------------- */

/* Column, then + or - and a term, or a number with its sign: c = c - 1 and c = c -1. */
static bool is_own_column(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0), next;
    if (!cql_is_name(kind) && kind != T_EMPTY_QUOTED_NAME) return false;
    next = cql_peek(p, 1);
    return next == T_PLUS || next == T_MINUS || next == T_INTEGER || kind == T_EMPTY_QUOTED_NAME;
}

static void set_column(struct cql_parser *p, struct cql_operation *o)
{
    if (!is_own_column(p)) {
        o->kind = SET_VALUE;
        o->value = cql_term(p);
        if (!cql_accept(p, T_PLUS)) return;
        o->kind = SET_PREPEND;
        struct slice column = cql_cident(p);
        if (!p->err && !slice_equal(column, o->column))
            cql_fail(p, ERR_SYNTAX, "Only expressions of the form X = <value> + X are supported.");
        return;
    }
    struct slice column = cql_cident(p);
    bool same = slice_equal(column, o->column);
    if (cql_at(p, T_INTEGER)) { /* the sign is the number's */
        o->kind = SET_ADD;
        o->value = cql_constant(p);
        if (o->value && !same)
            cql_fail(p, ERR_SYNTAX, "Only expressions of the form X = X %c <value> are supported.",
                     o->value->value.at[0] == '-' ? '-' : '+');
        return;
    }
    if (!cql_at(p, T_PLUS) && !cql_at(p, T_MINUS)) {
        cql_no_viable(p, 0);
        return;
    }
    char sign = (char)cql_take(p).at[0];
    o->kind = sign == '+' ? SET_ADD : SET_SUB;
    o->value = cql_term(p);
    if (!p->err && !same)
        cql_fail(p, ERR_SYNTAX, "Only expressions of the form X = X %c<value> are supported.",
                 sign);
}

static void operation(struct cql_parser *p, struct cql_operation *o)
{
    o->at = cql_start(p);
    o->column = cql_cident(p);
    if (cql_accept(p, T_EQ)) {
        set_column(p, o);
    } else if (cql_at(p, T_PLUS_EQ) || cql_at(p, T_MINUS_EQ)) {
        o->kind = cql_at(p, T_PLUS_EQ) ? SET_ADD : SET_SUB;
        (void)cql_take(p);
        o->value = cql_term(p);
    } else if (cql_accept(p, T_OPEN_LIST)) {
        o->kind = SET_ELEMENT;
        o->element = cql_term(p);
        cql_match(p, T_CLOSE_LIST);
        cql_match(p, T_EQ);
        o->value = cql_term(p);
    } else if (cql_accept(p, T_DOT)) {
        o->kind = SET_FIELD;
        o->field = cql_ident(p);
        cql_match(p, T_EQ);
        o->value = cql_term(p);
    } else {
        cql_no_viable(p, 0);
    }
}

/* A column may be set twice only where both are parts of it. */
static bool compatible(const struct cql_operation *a, const struct cql_operation *b)
{
    if (a->kind == SET_VALUE) return false;
    if (a->kind == SET_FIELD)
        return b->kind == SET_FIELD ? !slice_equal(a->field, b->field) : b->kind != SET_VALUE;
    return b->kind != SET_VALUE;
}

static void check_compatible(struct cql_parser *p, const struct list *l)
{
    const struct cql_operation *items = (const struct cql_operation *)(const void *)l->items;
    const struct cql_operation *last = &items[l->count - 1];
    for (uint32_t i = 0; i + 1 < l->count && !p->err; i++)
        if (slice_equal(items[i].column, last->column) && !compatible(&items[i], last))
            cql_fail(p, ERR_SYNTAX, "Multiple incompatible setting of column %.*s",
                     SLICE_ARG(last->column));
}

/* IF EXISTS, or a condition of a column named exists. */
static bool at_exists(struct cql_parser *p)
{
    static const uint16_t follow[] = {T_END,    T_SEMICOLON, K_APPLY, K_INSERT,   K_UPDATE,
                                      K_DELETE, T_OPEN_LIST, T_DOT,   K_CONTAINS, K_IN,
                                      T_EQ,     T_LT,        T_LE,    T_GT,       T_GE,
                                      T_NE,     T_NOTHING};
    if (!cql_at(p, K_EXISTS)) return false;
    uint32_t next = cql_peek(p, 1);
    if (!cql_in(next, follow)) {
        cql_no_viable(p, 1);
        return false;
    }
    return next == T_END || next == T_SEMICOLON || next == K_APPLY || next == K_INSERT ||
           next == K_UPDATE || next == K_DELETE;
}

static void condition(struct cql_parser *p, struct cql_relation *r)
{
    const uint8_t *start = cql_start(p);
    struct slice *name = cql_new(p, sizeof(*name));
    struct slice column = cql_cident(p);
    if (!name) return;
    *name = column;
    r->columns = name;
    r->column_count = 1;
    if (cql_accept(p, T_OPEN_LIST)) {
        r->element = cql_term(p);
        cql_match(p, T_CLOSE_LIST);
    } else if (cql_accept(p, T_DOT)) {
        r->field = cql_ident(p);
    } else if (cql_accept(p, K_CONTAINS)) {
        r->op = cql_accept(p, K_KEY) ? CQL_CONTAINS_KEY : CQL_CONTAINS;
        r->value = cql_term(p);
        r->text = cql_since(p, start);
        return;
    }
    if (cql_accept(p, K_IN)) {
        cql_in_values(p, r);
    } else {
        r->op = cql_relation_type(p);
        r->value = cql_term(p);
    }
    r->text = cql_since(p, start);
}

/* IF EXISTS, or IF and conditions. */
static void conditions(struct cql_parser *p, struct cql_write *w)
{
    struct list items = {0};
    if (!cql_accept(p, K_IF)) return;
    if (at_exists(p)) {
        (void)cql_take(p);
        w->if_exists = true;
        return;
    }
    do {
        struct cql_relation *r = cql_add(p, &items, sizeof(*r)), one = {0};
        condition(p, &one);
        if (r) *r = one;
    } while (cql_accept(p, K_AND));
    w->conditions = (const struct cql_relation *)(const void *)items.items;
    w->condition_count = items.count;
}

void cql_parse_update(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_write *w = cql_new(p, sizeof(*w));
    struct list operations = {0};
    if (!w) return;
    s->kind = CQL_UPDATE;
    s->write = w;
    s->name = w->table = cql_table_name(p);
    using_clause(p, &w->timestamp, &w->ttl);
    cql_match(p, K_SET);
    do {
        struct cql_operation *o = cql_add(p, &operations, sizeof(*o)), one = {0};
        operation(p, &one);
        if (!o) break;
        *o = one;
        check_compatible(p, &operations);
    } while (cql_accept(p, T_COMMA));
    w->operations = (const struct cql_operation *)(const void *)operations.items;
    w->operation_count = operations.count;
    cql_match(p, K_WHERE);
    cql_where(p, &w->where, &w->where_count);
    conditions(p, w);
    s->if_exists = w->if_exists;
}

/* --- DELETE ----------------------------------------------------------------------------------- */

static void deletions(struct cql_parser *p, struct cql_write *w)
{
    static const uint16_t follow[] = {K_FROM, T_COMMA, T_OPEN_LIST, T_DOT, T_NOTHING};
    struct list operations = {0};
    do {
        struct cql_operation *o = cql_add(p, &operations, sizeof(*o)), one = {0};
        one.at = cql_start(p);
        one.kind = UNSET_COLUMN;
        if (cql_is_name(cql_peek(p, 0)) || cql_at(p, T_EMPTY_QUOTED_NAME))
            (void)cql_expect(p, 1, follow);
        one.column = cql_cident(p);
        if (cql_accept(p, T_OPEN_LIST)) {
            one.kind = UNSET_ELEMENT;
            one.element = cql_term(p);
            cql_match(p, T_CLOSE_LIST);
        } else if (cql_accept(p, T_DOT)) {
            one.kind = UNSET_FIELD;
            one.field = cql_ident(p);
        }
        if (o) *o = one;
    } while (cql_accept(p, T_COMMA));
    w->operations = (const struct cql_operation *)(const void *)operations.items;
    w->operation_count = operations.count;
}

void cql_parse_delete(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_write *w = cql_new(p, sizeof(*w));
    if (!w) return;
    s->kind = CQL_DELETE;
    s->write = w;
    if (cql_is_name(cql_peek(p, 0)) || cql_at(p, T_EMPTY_QUOTED_NAME)) deletions(p, w);
    cql_match(p, K_FROM);
    s->name = w->table = cql_table_name(p);
    if (cql_accept(p, K_USING)) {
        cql_match(p, K_TIMESTAMP);
        w->timestamp = cql_int_value(p);
    }
    cql_match(p, K_WHERE);
    cql_where(p, &w->where, &w->where_count);
    conditions(p, w);
    s->if_exists = w->if_exists;
}

/* --- BATCH ------------------------------------------------------------------------------------ */

static void batch_item(struct cql_parser *p, struct cql_statement_tree *s)
{
    const uint8_t *start = cql_start(p);
    uint32_t first = p->markers;
    if (cql_accept(p, K_INSERT))
        cql_parse_insert(p, s);
    else if (cql_accept(p, K_UPDATE))
        cql_parse_update(p, s);
    else if (cql_accept(p, K_DELETE))
        cql_parse_delete(p, s);
    s->text = cql_since(p, start);
    s->marker_count = p->markers - first;
    (void)cql_accept(p, T_SEMICOLON);
}

void cql_parse_batch(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_batch *b = cql_new(p, sizeof(*b));
    struct list items = {0};
    if (!b) return;
    s->kind = CQL_BATCH;
    s->batch = b;
    if (cql_accept(p, K_UNLOGGED))
        b->kind = BATCH_UNLOGGED;
    else if (cql_accept(p, K_COUNTER))
        b->kind = BATCH_COUNTER;
    cql_match(p, K_BATCH);
    using_clause(p, &b->timestamp, &b->ttl);
    while (cql_at(p, K_INSERT) || cql_at(p, K_UPDATE) || cql_at(p, K_DELETE)) {
        struct cql_statement_tree *item = cql_new(p, sizeof(*item));
        struct cql_statement_tree **place = cql_add(p, &items, sizeof(item));
        if (!item || !place) return;
        *place = item;
        batch_item(p, item);
    }
    cql_match(p, K_APPLY);
    cql_match(p, K_BATCH);
    b->items = (const struct cql_statement_tree **)(void *)items.items;
    b->count = items.count;
}
