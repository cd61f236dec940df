/* CREATE of keyspaces, tables, types, indexes; and of what is refused. */
#include "sql/cql/parse_cql.h"

/* --- tables ----------------------------------------------------------------------------------- */

void cql_add_name(struct cql_parser *p, struct list *l)
{
    struct slice name = cql_ident(p);
    struct slice *place = cql_add(p, l, sizeof(*place));
    if (place) *place = name;
}

/* MASKED WITH DEFAULT, MASKED WITH f(…): data shown otherwise than it is stored. */
void cql_column_mask(struct cql_parser *p)
{
    static const uint16_t with[] = {K_WITH, T_NOTHING};
    if (!cql_at(p, K_MASKED) || !cql_expect(p, 1, with)) return;
    if (!cql_is_name(cql_peek(p, 2)) && cql_peek(p, 2) != K_TOKEN) {
        cql_no_viable(p, 2);
        return;
    }
    (void)cql_take(p);
    (void)cql_take(p);
    cql_refuse(p, "MASKED WITH: dynamic data masking");
    if (cql_at(p, K_DEFAULT) && cql_peek(p, 1) != T_OPEN && cql_peek(p, 1) != T_DOT) {
        (void)cql_take(p);
        return;
    }
    (void)cql_function_name(p);
    cql_match(p, T_OPEN);
    if (!cql_at(p, T_CLOSE)) {
        do (void)cql_term(p);
        while (cql_accept(p, T_COMMA));
    }
    cql_match(p, T_CLOSE);
}

/* (a, b) or a. */
static void partition_key(struct cql_parser *p, struct list *names)
{
    if (!cql_accept(p, T_OPEN)) {
        cql_add_name(p, names);
        return;
    }
    do cql_add_name(p, names);
    while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE);
}

/* PRIMARY KEY ((a, b), c, d) */
static void primary_key(struct cql_parser *p, struct cql_table_tree *t, struct slice table)
{
    struct list partition = {0}, clustering = {0};
    cql_match(p, K_PRIMARY);
    cql_match(p, K_KEY);
    cql_match(p, T_OPEN);
    partition_key(p, &partition);
    while (cql_accept(p, T_COMMA)) cql_add_name(p, &clustering);
    cql_match(p, T_CLOSE);
    if (t->has_key)
        cql_fail(p, ERR_INVALID,
                 "Multiple PRIMARY KEY specified for table '%.*s' (exactly one required)",
                 SLICE_ARG(table));
    t->has_key = true;
    t->partition = (const struct slice *)(const void *)partition.items;
    t->partition_count = partition.count;
    t->clustering = (const struct slice *)(const void *)clustering.items;
    t->clustering_count = clustering.count;
}

static void table_column(struct cql_parser *p, struct cql_table_tree *t, struct slice table,
                         struct list *columns)
{
    if (cql_at(p, K_PRIMARY)) {
        primary_key(p, t, table);
        return;
    }
    struct cql_column_tree one = {.name = cql_ident(p)};
    one.type = cql_type(p);
    one.is_static = cql_accept(p, K_STATIC);
    cql_column_mask(p);
    if (cql_accept(p, K_PRIMARY)) {
        cql_match(p, K_KEY);
        one.is_primary_key = true;
    }
    struct cql_column_tree *place = cql_add(p, columns, sizeof(*place));
    if (place) *place = one;
}

static void clustering_order(struct cql_parser *p, struct cql_table_tree *t, struct list *order)
{
    (void)cql_take(p);
    (void)cql_take(p);
    cql_match(p, K_BY);
    cql_match(p, T_OPEN);
    do {
        __typeof__(*t->order) one = {.column = cql_ident(p)};
        one.descending = cql_accept(p, K_DESC);
        if (!one.descending && !cql_accept(p, K_ASC)) cql_no_viable(p, 0);
        __typeof__(t->order) place = cql_add(p, order, sizeof(*place));
        if (place) *place = one;
    } while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE);
}

static void table_properties(struct cql_parser *p, struct cql_statement_tree *s,
                             struct cql_table_tree *t)
{
    struct list properties = {0}, order = {0};
    if (!cql_accept(p, K_WITH)) return;
    do {
        if (cql_at(p, K_COMPACT) && cql_peek(p, 1) == K_STORAGE) {
            (void)cql_take(p);
            (void)cql_take(p);
            t->compact_storage = true;
        } else if (cql_at(p, K_CLUSTERING) && cql_peek(p, 1) == K_ORDER) {
            clustering_order(p, t, &order);
        } else {
            cql_property_of(p, &properties);
        }
    } while (cql_accept(p, K_AND));
    t->order = (void *)order.items;
    t->order_count = order.count;
    s->properties = cql_properties_of(&properties);
    for (uint32_t i = 0; i < s->properties.count; i++)
        if (slice_is(s->properties.items[i].name, "id")) t->id = s->properties.items[i].value;
}

static void create_table(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_table_tree *t = cql_new(p, sizeof(*t));
    struct list columns = {0};
    if (!t) return;
    s->kind = CQL_CREATE_TABLE;
    s->table = t;
    s->if_not_exists = cql_if_not_exists(p);
    s->name = cql_table_name(p);
    cql_match(p, T_OPEN);
    table_column(p, t, s->name.name, &columns);
    while (cql_accept(p, T_COMMA))
        if (cql_is_name(cql_peek(p, 0)) || cql_at(p, K_PRIMARY))
            table_column(p, t, s->name.name, &columns);
    cql_match(p, T_CLOSE);
    t->columns = (const struct cql_column_tree *)(const void *)columns.items;
    t->column_count = columns.count;
    table_properties(p, s, t);
}

static void create_keyspace(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->kind = CQL_CREATE_KEYSPACE;
    s->if_not_exists = cql_if_not_exists(p);
    s->name.name = cql_keyspace_name(p);
    cql_match(p, K_WITH);
    s->properties = cql_properties(p);
}

/* --- types and indexes ------------------------------------------------------------------------ */

static void field(struct cql_parser *p, struct list *fields)
{
    struct cql_column_tree one = {.name = cql_ident(p)};
    one.type = cql_type(p);
    struct cql_column_tree *place = cql_add(p, fields, sizeof(*place));
    if (place) *place = one;
}

static void create_type(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct list fields = {0};
    s->kind = CQL_CREATE_TYPE;
    s->if_not_exists = cql_if_not_exists(p);
    s->name = cql_type_name(p);
    cql_match(p, T_OPEN);
    field(p, &fields);
    while (cql_accept(p, T_COMMA))
        if (cql_is_name(cql_peek(p, 0))) field(p, &fields);
    cql_match(p, T_CLOSE);
    s->columns = (const struct cql_column_tree *)(const void *)fields.items;
    s->column_count = fields.count;
}

static void index_target(struct cql_parser *p, struct cql_index_tree *x, struct list *targets)
{
    static const struct {
        uint16_t word;
        uint8_t kind;
    } kinds[] = {{K_VALUES, TARGET_VALUES},
                 {K_KEYS, TARGET_KEYS},
                 {K_ENTRIES, TARGET_ENTRIES},
                 {K_FULL, TARGET_FULL}};
    __typeof__(*x->targets) one = {.kind = TARGET_VALUES_PLAIN};
    uint32_t word = cql_peek(p, 0);
    size_t i = 0;
    while (i < COUNT_OF(kinds) && kinds[i].word != word) i++;
    bool plain = i == COUNT_OF(kinds) || (cql_is_name(word) && cql_peek(p, 1) != T_OPEN);
    if (!plain) {
        one.kind = kinds[i].kind;
        (void)cql_take(p);
        cql_match(p, T_OPEN);
    }
    one.column = cql_cident(p);
    if (!plain) cql_match(p, T_CLOSE);
    __typeof__(x->targets) place = cql_add(p, targets, sizeof(*place));
    if (place) *place = one;
}

static void create_index(struct cql_parser *p, struct cql_statement_tree *s, bool custom)
{
    struct cql_index_tree *x = cql_new(p, sizeof(*x));
    struct list targets = {0};
    if (!x) return;
    s->kind = CQL_CREATE_INDEX;
    s->index = x;
    x->custom = custom;
    s->if_not_exists = cql_if_not_exists(p);
    if (cql_is_name(cql_peek(p, 0)) || cql_at(p, T_QMARK)) s->name = cql_index_of(p);
    cql_match(p, K_ON);
    x->table = cql_table_name(p);
    cql_match(p, T_OPEN);
    uint32_t kind = cql_peek(p, 0);
    if (cql_is_name(kind) || kind == T_EMPTY_QUOTED_NAME || kind == K_ENTRIES || kind == K_FULL) {
        do index_target(p, x, &targets);
        while (cql_accept(p, T_COMMA));
    }
    cql_match(p, T_CLOSE);
    x->targets = (void *)targets.items;
    x->target_count = targets.count;
    if (cql_accept(p, K_USING)) x->using = cql_string(p);
    if (cql_accept(p, K_WITH)) s->properties = cql_properties(p);
}

/* --- what is refused: read to its end, so that a mistake is told as one ------------------------
 */

void cql_types_in_parens(struct cql_parser *p, bool named)
{
    cql_match(p, T_OPEN);
    if (!cql_at(p, T_CLOSE)) {
        do {
            if (named) (void)cql_ident(p);
            (void)cql_type(p);
        } while (cql_accept(p, T_COMMA));
    }
    cql_match(p, T_CLOSE);
}

static void create_view(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_statement_tree select = {0};
    struct cql_table_tree t = {0};
    cql_match(p, K_VIEW);
    s->if_not_exists = cql_if_not_exists(p);
    s->name = cql_table_name(p);
    cql_match(p, K_AS);
    cql_match(p, K_SELECT);
    cql_view_select(p, &select);
    primary_key(p, &t, s->name.name);
    table_properties(p, s, &t);
    if (t.compact_storage)
        cql_fail(p, ERR_SYNTAX, "COMPACT STORAGE tables are not allowed starting with version 4.0");
    cql_refuse(p, "CREATE MATERIALIZED VIEW");
}

static void create_function(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->if_not_exists = cql_if_not_exists(p);
    s->name = cql_function_name(p);
    cql_types_in_parens(p, true);
    if (cql_accept(p, K_RETURNS))
        cql_match(p, K_NULL);
    else if (!cql_accept(p, K_CALLED))
        cql_no_viable(p, 0);
    cql_match(p, K_ON);
    cql_match(p, K_NULL);
    cql_match(p, K_INPUT);
    cql_match(p, K_RETURNS);
    (void)cql_type(p);
    cql_match(p, K_LANGUAGE);
    cql_match(p, T_IDENT);
    cql_match(p, K_AS);
    cql_match(p, T_STRING_LITERAL);
    cql_refuse(p, "CREATE FUNCTION");
}

static void create_aggregate(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->if_not_exists = cql_if_not_exists(p);
    s->name = cql_function_name(p);
    cql_types_in_parens(p, false);
    cql_match(p, K_SFUNC);
    (void)cql_local_function_name(p);
    cql_match(p, K_STYPE);
    (void)cql_type(p);
    if (cql_accept(p, K_FINALFUNC)) (void)cql_local_function_name(p);
    if (cql_accept(p, K_INITCOND)) (void)cql_term(p);
    cql_refuse(p, "CREATE AGGREGATE");
}

static void create_trigger(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->if_not_exists = cql_if_not_exists(p);
    s->name.name = cql_ident(p);
    cql_match(p, K_ON);
    (void)cql_table_name(p);
    cql_match(p, K_USING);
    cql_match(p, T_STRING_LITERAL);
    cql_refuse(p, "CREATE TRIGGER");
}

/* --- CREATE ----------------------------------------------------------------------------------- */

static void create_or_replace(struct cql_parser *p, struct cql_statement_tree *s)
{
    if (cql_accept(p, K_FUNCTION))
        create_function(p, s);
    else if (cql_accept(p, K_AGGREGATE))
        create_aggregate(p, s);
}

void cql_parse_create(struct cql_parser *p, struct cql_statement_tree *s)
{
    static const struct {
        uint16_t word;
        void (*parse)(struct cql_parser *p, struct cql_statement_tree *s);
    } kinds[] = {{K_COLUMNFAMILY, create_table}, {K_KEYSPACE, create_keyspace},
                 {K_TYPE, create_type},          {K_MATERIALIZED, create_view},
                 {K_FUNCTION, create_function},  {K_AGGREGATE, create_aggregate},
                 {K_TRIGGER, create_trigger},    {K_ROLE, cql_parse_role},
                 {K_USER, cql_parse_user}};
    uint32_t word = cql_peek(p, 1);
    if (word == K_OR) {
        uint32_t what = cql_peek(p, 2) == K_REPLACE ? cql_peek(p, 3) : 0;
        if (what != K_FUNCTION && what != K_AGGREGATE) {
            cql_no_viable(p, what ? 3 : 2);
            return;
        }
        for (int i = 0; i < 3; i++) (void)cql_take(p);
        create_or_replace(p, s);
        return;
    }
    if (word == K_CUSTOM || word == K_INDEX) {
        (void)cql_take(p);
        bool custom = cql_accept(p, K_CUSTOM);
        cql_match(p, K_INDEX);
        create_index(p, s, custom);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].word != word) continue;
        (void)cql_take(p);
        s->kind = word == K_ROLE || word == K_USER ? CQL_CREATE_ROLE : s->kind;
        (void)cql_take(p);
        kinds[i].parse(p, s);
        return;
    }
    cql_no_viable(p, 1);
}
