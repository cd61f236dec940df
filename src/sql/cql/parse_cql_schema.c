/* CREATE, ALTER and DROP of keyspaces, tables, types, indexes; and of what is refused. */
#include "sql/cql/parse_cql.h"

/* --- WITH ------------------------------------------------------------------------------------- */

/* A literal as it was written, its quotes away; false: it is none. */
static bool raw_text(const struct cql_node *n, struct slice *out)
{
    switch (n->kind) {
    case NODE_STRING:
    case NODE_INTEGER:
    case NODE_FLOAT:
    case NODE_BOOLEAN:
    case NODE_DURATION:
    case NODE_UUID: *out = n->value; return true;
    case NODE_BLOB: *out = n->text; return true;
    default: return false;
    }
}

static const char *no_markers(const struct cql_node *n)
{
    return n->kind == NODE_MARKER ? " (bind variables are not supported in DDL queries)" : "";
}

static void map_entry(struct cql_parser *p, struct list *keys, struct list *values)
{
    const struct cql_node *key = cql_term(p);
    cql_match(p, T_COLON);
    const struct cql_node *value = cql_term(p);
    if (p->err) return;
    struct slice name = {0}, text = {0};
    if (!raw_text(key, &name))
        cql_fail(p, ERR_SYNTAX, "Invalid property name: %.*s%s", SLICE_ARG(key->text),
                 no_markers(key));
    else if (!raw_text(value, &text))
        cql_fail(p, ERR_SYNTAX, "Invalid property value: %.*s for property: %.*s%s",
                 SLICE_ARG(value->text), SLICE_ARG(key->text), no_markers(value));
    const struct slice *before = (const struct slice *)(const void *)keys->items;
    for (uint32_t i = 0; i < keys->count; i++)
        if (slice_equal(before[i], name))
            cql_fail(p, ERR_SYNTAX, "Multiple definition for property %.*s", SLICE_ARG(name));
    struct slice *k = cql_add(p, keys, sizeof(*k)), *v = cql_add(p, values, sizeof(*v));
    if (!k || !v) return;
    *k = name;
    *v = text;
}

static void property_map(struct cql_parser *p, struct cql_property *out)
{
    struct list keys = {0}, values = {0};
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    out->is_map = true;
    if (!cql_at(p, T_CLOSE_BRACE)) {
        do map_entry(p, &keys, &values);
        while (cql_accept(p, T_COMMA));
    }
    cql_match(p, T_CLOSE_BRACE);
    out->value = cql_since(p, start);
    out->keys = (const struct slice *)(const void *)keys.items;
    out->values = (const struct slice *)(const void *)values.items;
    out->count = keys.count;
}

static void property(struct cql_parser *p, struct list *l)
{
    struct cql_property one = {.at = cql_start(p)};
    one.name = cql_ident(p);
    cql_match(p, T_EQ);
    if (cql_at(p, T_OPEN_BRACE)) {
        property_map(p, &one);
    } else if (cql_is_constant(cql_peek(p, 0))) {
        one.is_string = cql_at(p, T_STRING_LITERAL);
        const struct cql_node *n = cql_constant(p);
        if (n && !raw_text(n, &one.value)) one.value = n->value;
    } else if (cql_is_name(cql_peek(p, 0)) && !cql_at(p, T_IDENT) && !cql_at(p, T_QUOTED_NAME)) {
        one.value = cql_take(p);
    } else {
        cql_no_viable(p, 0);
    }
    const struct cql_property *before = (const struct cql_property *)(const void *)l->items;
    for (uint32_t i = 0; i < l->count && !p->err; i++)
        if (slice_equal(before[i].name, one.name))
            cql_fail(p, ERR_SYNTAX, "Multiple definition for property '%.*s'", SLICE_ARG(one.name));
    struct cql_property *place = cql_add(p, l, sizeof(*place));
    if (place) *place = one;
}

static struct cql_properties properties_of(const struct list *l)
{
    return (struct cql_properties){(const struct cql_property *)(const void *)l->items, l->count};
}

struct cql_property cql_map_property(struct cql_parser *p)
{
    struct cql_property one = {.at = cql_start(p)};
    one.name = cql_ident(p);
    cql_match(p, T_EQ);
    if (cql_at(p, T_OPEN_BRACE))
        property_map(p, &one);
    else
        cql_match(p, T_OPEN_BRACE);
    return one;
}

struct cql_properties cql_properties(struct cql_parser *p)
{
    struct list l = {0};
    do property(p, &l);
    while (cql_accept(p, K_AND));
    return properties_of(&l);
}

/* --- tables ----------------------------------------------------------------------------------- */

static void add_name(struct cql_parser *p, struct list *l)
{
    struct slice name = cql_ident(p);
    struct slice *place = cql_add(p, l, sizeof(*place));
    if (place) *place = name;
}

/* MASKED WITH DEFAULT, MASKED WITH f(…): data shown otherwise than it is stored. */
static void column_mask(struct cql_parser *p)
{
    if (!cql_accept(p, K_MASKED)) return;
    cql_match(p, K_WITH);
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
        add_name(p, names);
        return;
    }
    do add_name(p, names);
    while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE);
}

/* PRIMARY KEY ((a, b), c, d) */
static void primary_key(struct cql_parser *p, struct cql_table_tree *t)
{
    struct list partition = {0}, clustering = {0};
    cql_match(p, K_PRIMARY);
    cql_match(p, K_KEY);
    cql_match(p, T_OPEN);
    partition_key(p, &partition);
    while (cql_accept(p, T_COMMA)) add_name(p, &clustering);
    cql_match(p, T_CLOSE);
    if (t->has_key)
        cql_fail(p, ERR_INVALID, "Multiple PRIMARY KEY specified (exactly one required)");
    t->has_key = true;
    t->partition = (const struct slice *)(const void *)partition.items;
    t->partition_count = partition.count;
    t->clustering = (const struct slice *)(const void *)clustering.items;
    t->clustering_count = clustering.count;
}

static void table_column(struct cql_parser *p, struct cql_table_tree *t, struct list *columns)
{
    if (cql_at(p, K_PRIMARY)) {
        primary_key(p, t);
        return;
    }
    struct cql_column_tree one = {.name = cql_ident(p)};
    one.type = cql_type(p);
    one.is_static = cql_accept(p, K_STATIC);
    column_mask(p);
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
            cql_fail(p, ERR_SYNTAX,
                     "COMPACT STORAGE tables are not allowed starting with version 4.0");
        } else if (cql_at(p, K_CLUSTERING) && cql_peek(p, 1) == K_ORDER) {
            clustering_order(p, t, &order);
        } else {
            property(p, &properties);
        }
    } while (cql_accept(p, K_AND));
    t->order = (void *)order.items;
    t->order_count = order.count;
    s->properties = properties_of(&properties);
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
    table_column(p, t, &columns);
    while (cql_accept(p, T_COMMA))
        if (!cql_at(p, T_COMMA) && !cql_at(p, T_CLOSE)) table_column(p, t, &columns);
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
        if (!cql_at(p, T_COMMA) && !cql_at(p, T_CLOSE)) field(p, &fields);
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
    if (!cql_at(p, K_ON)) s->name = cql_index_of(p);
    cql_match(p, K_ON);
    x->table = cql_table_name(p);
    cql_match(p, T_OPEN);
    if (!cql_at(p, T_CLOSE)) {
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

static void types_in_parens(struct cql_parser *p, bool named)
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
    primary_key(p, &t);
    table_properties(p, s, &t);
    cql_refuse(p, "CREATE MATERIALIZED VIEW");
}

static void create_function(struct cql_parser *p, struct cql_statement_tree *s)
{
    s->if_not_exists = cql_if_not_exists(p);
    s->name = cql_function_name(p);
    types_in_parens(p, true);
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
    types_in_parens(p, false);
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
        column_mask(p);
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
        add_name(p, &from);
        cql_match(p, K_TO);
        add_name(p, &to);
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
        column_mask(p);
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
    if (cql_at(p, T_OPEN)) types_in_parens(p, false);
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
