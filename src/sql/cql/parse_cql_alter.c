/* ALTER and DROP. */
#include "sql/cql/parse_cql.h"

/* --- ALTER ------------------------------------------------------------------------------------ */

static struct cql_alter *alter_of(struct cql_parser *p, struct cql_statement_tree *s, uint8_t kind)
{
    struct cql_alter *a = cql_new(p, sizeof(*a));
    if (a) a->kind = kind;
    s->alter = a;
    return a;
}

static void add_column(struct cql_parser *p, struct list *columns, bool table)
{
    struct cql_column_tree one = {.name = cql_ident(p)};
    one.type = cql_type(p);
    if (table) {
        one.is_static = cql_accept(p, K_STATIC);
        cql_column_mask(p);
    }
    struct cql_column_tree *place = cql_add(p, columns, sizeof(*place));
    if (place) *place = one;
}

static void set_columns(struct cql_alter *a, const struct list *columns)
{
    a->columns = (const struct cql_column_tree *)(const void *)columns->items;
    a->column_count = columns->count;
}

static void alter_add(struct cql_parser *p, struct cql_statement_tree *s, bool table)
{
    struct cql_alter *a = alter_of(p, s, ALTER_ADD);
    struct list columns = {0};
    if (!a) return;
    (void)cql_take(p);
    a->if_not_exists = cql_if_not_exists(p);
    if (table && cql_accept(p, T_OPEN)) {
        do add_column(p, &columns, table);
        while (cql_accept(p, T_COMMA));
        cql_match(p, T_CLOSE);
    } else {
        add_column(p, &columns, table);
    }
    set_columns(a, &columns);
}

static void drop_column(struct cql_parser *p, struct list *columns)
{
    struct cql_column_tree one = {.name = cql_ident(p)};
    struct cql_column_tree *place = cql_add(p, columns, sizeof(*place));
    if (place) *place = one;
}

static void alter_drop(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct list columns = {0};
    bool compact = cql_peek(p, 1) == K_COMPACT && cql_peek(p, 2) == K_STORAGE;
    struct cql_alter *a = alter_of(p, s, compact ? ALTER_DROP_COMPACT : ALTER_DROP);
    if (!a) return;
    (void)cql_take(p);
    if (compact) {
        (void)cql_take(p);
        (void)cql_take(p);
        return;
    }
    a->if_exists = cql_if_exists(p);
    if (cql_accept(p, T_OPEN)) {
        do drop_column(p, &columns);
        while (cql_accept(p, T_COMMA));
        cql_match(p, T_CLOSE);
    } else {
        drop_column(p, &columns);
    }
    set_columns(a, &columns);
    if (!cql_accept(p, K_USING)) return;
    cql_match(p, K_TIMESTAMP);
    if (cql_at(p, T_INTEGER))
        a->timestamp = cql_constant(p);
    else
        cql_match(p, T_INTEGER);
}

static void alter_rename(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct list from = {0}, to = {0};
    struct cql_alter *a = alter_of(p, s, ALTER_RENAME);
    if (!a) return;
    (void)cql_take(p);
    a->if_exists = cql_if_exists(p);
    do {
        cql_add_name(p, &from);
        cql_match(p, K_TO);
        cql_add_name(p, &to);
    } while (cql_accept(p, K_AND));
    a->from = (const struct slice *)(const void *)from.items;
    a->to = (const struct slice *)(const void *)to.items;
    a->rename_count = from.count;
}

/* ALTER column TYPE type; of tables also: its mask. */
static void alter_column(struct cql_parser *p, struct cql_statement_tree *s, bool table)
{
    struct list columns = {0};
    struct cql_alter *a = alter_of(p, s, ALTER_TYPE_OF);
    if (!a) return;
    (void)cql_take(p);
    bool mask = table && cql_at(p, K_IF);
    if (mask) a->if_exists = cql_if_exists(p);
    struct cql_column_tree one = {.name = table ? cql_cident(p) : cql_ident(p)};
    if (table && cql_at(p, K_MASKED)) {
        cql_column_mask(p);
    } else if (table && cql_at(p, K_DROP)) {
        (void)cql_take(p);
        cql_match(p, K_MASKED);
        cql_refuse(p, "DROP MASKED: dynamic data masking");
    } else {
        if (mask) cql_no_viable(p, 0);
        cql_match(p, K_TYPE);
        one.type = cql_type(p);
    }
    struct cql_column_tree *place = cql_add(p, &columns, sizeof(*place));
    if (place) *place = one;
    set_columns(a, &columns);
}

static void alter_table(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->kind = CQL_ALTER_TABLE;
    s->if_exists = cql_if_exists(p);
    s->name = cql_table_name(p);
    switch (cql_peek(p, 0)) {
    case K_ALTER: alter_column(p, s, true); break;
    case K_ADD: alter_add(p, s, true); break;
    case K_DROP: alter_drop(p, s); break;
    case K_RENAME: alter_rename(p, s); break;
    case K_WITH:
        (void)cql_take(p);
        (void)alter_of(p, s, ALTER_OPTIONS);
        s->properties = cql_properties(p);
        break;
    default: cql_no_viable(p, 0);
    }
}

static void alter_type(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->kind = CQL_ALTER_TYPE;
    s->if_exists = cql_if_exists(p);
    s->name = cql_type_name(p);
    switch (cql_peek(p, 0)) {
    case K_ALTER: alter_column(p, s, false); break;
    case K_ADD: alter_add(p, s, false); break;
    case K_RENAME: alter_rename(p, s); break;
    default: cql_no_viable(p, 0);
    }
}

static void alter_keyspace(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->kind = CQL_ALTER_KEYSPACE;
    s->if_exists = cql_if_exists(p);
    s->name.name = cql_keyspace_name(p);
    cql_match(p, K_WITH);
    s->properties = cql_properties(p);
}

static void alter_view(struct cql_parser *p, struct cql_statement_tree *s)
{
    cql_match(p, K_VIEW);
    s->if_exists = cql_if_exists(p);
    s->name = cql_table_name(p);
    cql_match(p, K_WITH);
    s->properties = cql_properties(p);
    cql_refuse(p, "ALTER MATERIALIZED VIEW");
}

void cql_parse_alter(struct cql_parser *p, struct cql_statement_tree *s)
{
    static const struct {
        uint16_t word;
        void (*parse)(struct cql_parser *p, struct cql_statement_tree *s);
    } kinds[] = {{K_COLUMNFAMILY, alter_table}, {K_TYPE, alter_type},
                 {K_KEYSPACE, alter_keyspace},  {K_MATERIALIZED, alter_view},
                 {K_ROLE, cql_parse_role},      {K_USER, cql_parse_user}};
    uint32_t word = cql_peek(p, 1);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].word != word) continue;
        (void)cql_take(p);
        (void)cql_take(p);
        s->kind = word == K_ROLE || word == K_USER ? CQL_ALTER_ROLE : s->kind;
        kinds[i].parse(p, s);
        return;
    }
    cql_no_viable(p, 1);
}

/* --- DROP ------------------------------------------------------------------------------------- */

static void drop_function(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->if_exists = cql_if_exists(p);
    s->name = cql_function_name(p);
    if (cql_at(p, T_OPEN)) cql_types_in_parens(p, false);
}

static void drop_trigger(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->if_exists = cql_if_exists(p);
    s->name.name = cql_ident(p);
    cql_match(p, K_ON);
    (void)cql_table_name(p);
}

static void drop_refused(struct cql_parser *p, struct cql_statement_tree *s, uint32_t word)
{
    switch (word) {
    case K_MATERIALIZED:
        cql_match(p, K_VIEW);
        s->if_exists = cql_if_exists(p);
        s->name = cql_table_name(p);
        cql_refuse(p, "DROP MATERIALIZED VIEW");
        break;
    case K_FUNCTION:
        drop_function(p, s);
        cql_refuse(p, "DROP FUNCTION");
        break;
    case K_AGGREGATE:
        drop_function(p, s);
        cql_refuse(p, "DROP AGGREGATE");
        break;
    case K_TRIGGER:
        drop_trigger(p, s);
        cql_refuse(p, "DROP TRIGGER");
        break;
    default:
        s->if_exists = cql_if_exists(p);
        cql_identity_name(p);
        cql_refuse(p, "DROP IDENTITY");
        break;
    }
}

static struct cql_name keyspace_only(struct cql_parser *p)
{
    return (struct cql_name){.name = cql_keyspace_name(p)};
}

static struct cql_name role_only(struct cql_parser *p)
{
    return (struct cql_name){.name = cql_role_name(p)};
}

static struct cql_name user_only(struct cql_parser *p)
{
    return (struct cql_name){.name = cql_user_name(p)};
}

void cql_parse_drop(struct cql_parser *p, struct cql_statement_tree *s)
{
    static const struct {
        uint16_t word;
        uint8_t kind;
        struct cql_name (*name)(struct cql_parser *p);
    } kinds[] = {{K_COLUMNFAMILY, CQL_DROP_TABLE, cql_table_name},
                 {K_KEYSPACE, CQL_DROP_KEYSPACE, keyspace_only},
                 {K_TYPE, CQL_DROP_TYPE, cql_type_name},
                 {K_INDEX, CQL_DROP_INDEX, cql_index_name},
                 {K_ROLE, CQL_DROP_ROLE, role_only},
                 {K_USER, CQL_DROP_ROLE, user_only}};
    uint32_t word = cql_peek(p, 1);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (kinds[i].word != word) continue;
        (void)cql_take(p);
        (void)cql_take(p);
        s->kind = kinds[i].kind;
        s->if_exists = cql_if_exists(p);
        s->name = kinds[i].name(p);
        return;
    }
    if (word != K_MATERIALIZED && word != K_FUNCTION && word != K_AGGREGATE && word != K_TRIGGER &&
        word != K_IDENTITY) {
        cql_no_viable(p, 1);
        return;
    }
    (void)cql_take(p);
    (void)cql_take(p);
    drop_refused(p, s, word);
}
