/* Roles, permissions, DESCRIBE. */
#include "sql/cql/parse_cql.h"

/* --- roles ------------------------------------------------------------------------------------ */

/* username and identity: no keyword is one, quotes belong to roles. */
static struct slice plain_name(struct cql_parser *p, const char *quoted)
{
    if (cql_at(p, T_QUOTED_NAME)) {
        (void)cql_take(p);
        cql_fail(p, ERR_SYNTAX, "Quoted strings are are not supported for %s", quoted);
        return (struct slice){0};
    }
    if (cql_at(p, T_STRING_LITERAL)) return cql_value(p);
    if (cql_at(p, T_IDENT)) return cql_take(p); /* its case is kept */
    cql_no_viable(p, 0);
    return (struct slice){0};
}

struct slice cql_user_name(struct cql_parser *p)
{
    return plain_name(p, "user names and USER is deprecated, please use ROLE");
}

struct slice cql_identity_name(struct cql_parser *p)
{
    return plain_name(p, "identity");
}

static void once(struct cql_parser *p, bool *seen, const char *name)
{
    if (*seen) cql_fail(p, ERR_SYNTAX, "Multiple definition for property '%s'", name);
    *seen = true;
}

/* PASSWORD [=] 'x', HASHED PASSWORD [=] 'x' */
static void password(struct cql_parser *p, struct cql_role_tree *r, bool equals)
{
    bool hashed = cql_accept(p, K_HASHED);
    cql_match(p, K_PASSWORD);
    if (equals) cql_match(p, T_EQ);
    if (!cql_at(p, T_STRING_LITERAL)) {
        cql_match(p, T_STRING_LITERAL);
        return;
    }
    struct slice text = cql_value(p);
    if (r->has_password && r->hashed == hashed)
        cql_fail(p, ERR_SYNTAX, "Multiple definition for property '%s'",
                 hashed ? "HASHED_PASSWORD" : "PASSWORD");
    if (r->has_password && r->hashed != hashed)
        cql_fail(p, ERR_SYNTAX, "Options 'password' and 'hashed password' are mutually exclusive");
    r->has_password = true;
    r->hashed = hashed;
    r->password = text;
}

static bool boolean(struct cql_parser *p)
{
    cql_match(p, T_EQ);
    if (!cql_at(p, T_BOOLEAN)) {
        cql_match(p, T_BOOLEAN);
        return false;
    }
    return slice_equal_nocase(cql_take(p), SLICE("true"));
}

/* { 'a', 'b' } */
static void strings(struct cql_parser *p, const struct slice **out, uint32_t *count)
{
    struct list items = {0};
    cql_match(p, T_OPEN_BRACE);
    do {
        struct slice text = {0};
        if (cql_at(p, T_STRING_LITERAL))
            text = cql_value(p);
        else
            cql_match(p, T_STRING_LITERAL);
        struct slice *place = cql_add(p, &items, sizeof(*place));
        if (place) *place = text;
    } while (cql_accept(p, T_COMMA));
    cql_match(p, T_CLOSE_BRACE);
    *out = (const struct slice *)(const void *)items.items;
    *count = items.count;
}

/* ACCESS TO ALL DATACENTERS, ACCESS FROM CIDRS {'…'} */
static void access_option(struct cql_parser *p, struct cql_role_tree *r)
{
    uint32_t way = cql_peek(p, 1), all = cql_peek(p, 2);
    if (way != K_TO && way != K_FROM) {
        cql_no_viable(p, 1);
        return;
    }
    uint32_t what = way == K_TO ? K_DATACENTERS : K_CIDRS;
    if (all != K_ALL && all != what) {
        cql_no_viable(p, 2);
        return;
    }
    (void)cql_take(p);
    (void)cql_take(p);
    if (cql_accept(p, K_ALL)) {
        cql_match(p, what);
        *(way == K_TO ? &r->access_all_datacenters : &r->access_all_cidrs) = true;
        return;
    }
    (void)cql_take(p);
    if (way == K_TO)
        strings(p, &r->datacenters, &r->datacenter_count);
    else
        strings(p, &r->cidrs, &r->cidr_count);
}

static void role_option(struct cql_parser *p, struct cql_role_tree *r, struct list *options)
{
    switch (cql_peek(p, 0)) {
    case K_PASSWORD:
    case K_HASHED: password(p, r, true); break;
    case K_OPTIONS: {
        struct cql_property *o = cql_add(p, options, sizeof(*o));
        bool seen = options->count > 1;
        once(p, &seen, "OPTIONS");
        struct cql_property one = cql_map_property(p);
        if (o) *o = one;
        break;
    }
    case K_SUPERUSER:
        (void)cql_take(p);
        once(p, &r->has_superuser, "SUPERUSER");
        r->superuser = boolean(p);
        break;
    case K_LOGIN:
        (void)cql_take(p);
        once(p, &r->has_login, "LOGIN");
        r->login = boolean(p);
        break;
    case K_ACCESS: access_option(p, r); break;
    default: cql_no_viable(p, 0);
    }
}

void cql_parse_role(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_role_tree *r = cql_new(p, sizeof(*r));
    struct list options = {0};
    if (!r) return;
    s->role = r;
    if (s->kind == CQL_CREATE_ROLE)
        s->if_not_exists = cql_if_not_exists(p);
    else
        s->if_exists = cql_if_exists(p);
    s->name.name = cql_role_name(p);
    if (cql_accept(p, K_WITH)) {
        do role_option(p, r, &options);
        while (cql_accept(p, K_AND));
    }
    r->options = (struct cql_properties){(const struct cql_property *)(const void *)options.items,
                                         options.count};
}

void cql_parse_user(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_role_tree *r = cql_new(p, sizeof(*r));
    if (!r) return;
    s->role = r;
    r->user_syntax = true;
    if (s->kind == CQL_CREATE_ROLE)
        s->if_not_exists = cql_if_not_exists(p);
    else
        s->if_exists = cql_if_exists(p);
    s->name.name = cql_user_name(p);
    if (cql_accept(p, K_WITH)) {
        if (cql_at(p, K_PASSWORD) || cql_at(p, K_HASHED))
            password(p, r, false);
        else
            cql_no_viable(p, 0);
    }
    if (cql_at(p, K_SUPERUSER) || cql_at(p, K_NOSUPERUSER)) {
        r->has_superuser = true;
        r->superuser = cql_at(p, K_SUPERUSER);
        (void)cql_take(p);
    }
    if (s->kind != CQL_CREATE_ROLE) return;
    r->has_login = r->login = r->has_superuser = true; /* a user is a role that may log in */
}

void cql_parse_identity(struct cql_parser *p, struct cql_statement_tree *s)
{
    (void)cql_take(p);
    cql_match(p, K_IDENTITY);
    s->if_not_exists = cql_if_not_exists(p);
    (void)cql_identity_name(p);
    cql_match(p, K_TO);
    cql_match(p, K_ROLE);
    (void)cql_identity_name(p);
    cql_refuse(p, "ADD IDENTITY");
}

/* --- permissions ------------------------------------------------------------------------------ */

static bool is_permission(uint32_t kind)
{
    static const uint16_t kinds[] = {K_CREATE,    K_ALTER,    K_DROP,    K_SELECT, K_MODIFY,
                                     K_AUTHORIZE, K_DESCRIBE, K_EXECUTE, K_UNMASK, K_SELECT_MASKED};
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (kinds[i] == kind) return true;
    return false;
}

static void add_permission(struct cql_parser *p, struct list *l)
{
    if (!is_permission(cql_peek(p, 0))) {
        cql_mismatch_set(p);
        return;
    }
    struct slice *place = cql_add(p, l, sizeof(*place));
    const struct cql_word *w = cql_word_find(cql_take(p));
    if (place && w) *place = slice_of(w->text);
    (void)cql_accept(p, K_PERMISSION);
}

static void permissions(struct cql_parser *p, struct cql_permission_tree *t)
{
    struct list items = {0};
    if (cql_accept(p, K_ALL)) {
        t->all = true;
        (void)cql_accept(p, K_PERMISSIONS);
        return;
    }
    if (!is_permission(cql_peek(p, 0))) {
        cql_no_viable(p, 0);
        return;
    }
    do add_permission(p, &items);
    while (cql_accept(p, T_COMMA));
    t->permissions = (const struct slice *)(const void *)items.items;
    t->permission_count = items.count;
}

static void take(struct cql_parser *p, uint32_t count)
{
    while (count--) (void)cql_take(p);
}

/* ALL KEYSPACES, ALL TABLES IN KEYSPACE k, ALL ROLES, ALL FUNCTIONS [IN KEYSPACE k], ALL MBEANS */
static bool resource_of_all(struct cql_parser *p, struct cql_resource *r)
{
    switch (cql_peek(p, 1)) {
    case K_KEYSPACES: r->kind = RESOURCE_ALL_KEYSPACES; break;
    case K_ROLES: r->kind = RESOURCE_ALL_ROLES; break;
    case K_MBEANS: r->kind = RESOURCE_ALL_MBEANS; break;
    case K_TABLES: r->kind = RESOURCE_ALL_TABLES; break;
    case K_FUNCTIONS: r->kind = RESOURCE_ALL_FUNCTIONS; break;
    default: return false;
    }
    take(p, 2);
    bool in =
        r->kind == RESOURCE_ALL_TABLES || (r->kind == RESOURCE_ALL_FUNCTIONS && cql_at(p, K_IN));
    if (!in) return true;
    if (r->kind == RESOURCE_ALL_FUNCTIONS) r->kind = RESOURCE_FUNCTIONS_IN;
    cql_match(p, K_IN);
    cql_match(p, K_KEYSPACE);
    r->name.name = cql_keyspace_name(p);
    return true;
}

static void function_resource(struct cql_parser *p, struct cql_resource *r)
{
    r->kind = RESOURCE_FUNCTION;
    r->name = cql_function_name(p);
    if (!p->err && !r->name.keyspace.at)
        cql_fail(p, ERR_INVALID,
                 "In this context function name must be explictly qualified by a keyspace");
    cql_match(p, T_OPEN);
    if (!cql_at(p, T_CLOSE)) {
        do (void)cql_type(p);
        while (cql_accept(p, T_COMMA));
    }
    cql_match(p, T_CLOSE);
}

static void mbean_resource(struct cql_parser *p, struct cql_resource *r, uint8_t kind)
{
    r->kind = kind;
    if (cql_at(p, T_STRING_LITERAL))
        r->name.name = cql_value(p);
    else
        cql_match(p, T_STRING_LITERAL);
}

/* Whether the word before is a table's name. */
static bool ends_resource(uint32_t kind)
{
    return kind == K_TO || kind == K_FROM || kind == K_OF || kind == K_NORECURSIVE ||
           kind == T_DOT || kind == T_SEMICOLON || kind == T_END;
}

static bool expect_resource(struct cql_parser *p)
{
    uint32_t kind = cql_peek(p, 0);
    if (!cql_is_name(kind) && kind != K_COLUMNFAMILY && kind != K_KEYSPACE && kind != T_QMARK) {
        cql_no_viable(p, 0);
        return false;
    }
    uint32_t next = cql_peek(p, 1);
    bool named = cql_is_name(next) || next == T_QMARK, good = true;
    if (kind == K_ALL)
        good = next == K_KEYSPACES || next == K_TABLES || next == K_ROLES || next == K_FUNCTIONS ||
               next == K_MBEANS;
    else if (kind == K_ROLE)
        good = named || next == T_STRING_LITERAL;
    else if (kind == K_FUNCTION)
        good = named || next == K_TOKEN;
    else if (kind == K_MBEAN || kind == K_MBEANS)
        good = next == T_STRING_LITERAL;
    else
        return true;
    if (!good && !ends_resource(next)) {
        cql_no_viable(p, 1);
        return false;
    }
    cql_looked(p, 2);
    return true;
}

static void resource(struct cql_parser *p, struct cql_resource *r)
{
    if (!expect_resource(p)) return;
    uint32_t kind = cql_peek(p, 0), next = cql_peek(p, 1);
    bool named = cql_is_name(next) || next == T_QMARK;
    if (kind == K_ALL && resource_of_all(p, r)) return;
    if (kind == K_KEYSPACE) {
        take(p, 1);
        r->kind = RESOURCE_KEYSPACE;
        r->name.name = cql_keyspace_name(p);
    } else if (kind == K_ROLE && (named || next == T_STRING_LITERAL)) {
        take(p, 1);
        r->kind = RESOURCE_ROLE;
        r->name.name = cql_role_name(p);
    } else if (kind == K_FUNCTION && (named || next == K_TOKEN)) {
        take(p, 1);
        function_resource(p, r);
    } else if (kind == K_MBEAN && next == T_STRING_LITERAL) {
        take(p, 1);
        mbean_resource(p, r, RESOURCE_MBEAN);
    } else if (kind == K_MBEANS && next == T_STRING_LITERAL) {
        take(p, 1);
        mbean_resource(p, r, RESOURCE_MBEANS);
    } else {
        r->kind = RESOURCE_TABLE;
        (void)cql_accept(p, K_COLUMNFAMILY);
        r->name = cql_table_name(p);
    }
}

/* GRANT and REVOKE: permissions, or a role; ALL and two others are both. At the verb. */
static bool at_permissions(struct cql_parser *p, uint32_t to)
{
    uint32_t kind = cql_peek(p, 1), next;
    if (kind != K_ALL && kind != K_UNMASK && kind != K_SELECT_MASKED) return is_permission(kind);
    next = cql_peek(p, 2);
    if (next == to) return false;
    bool all = kind == K_ALL;
    if (next != K_ON && next != (all ? K_PERMISSIONS : K_PERMISSION) && (all || next != T_COMMA))
        cql_no_viable(p, 2);
    return true;
}

/* Which permissions a resource knows; what was asked is cut down to them, and may not be none. */
static const struct {
    uint8_t first, last; /* kinds of resources */
    const char *type;
    const char *permissions;
} applicable[] = {
    {RESOURCE_TABLE, RESOURCE_TABLE, "DataResource",
     "ALTER,DROP,SELECT,MODIFY,AUTHORIZE,UNMASK,SELECT_MASKED,"},
    {RESOURCE_ALL_KEYSPACES, RESOURCE_ALL_TABLES, "DataResource",
     "CREATE,ALTER,DROP,SELECT,MODIFY,AUTHORIZE,UNMASK,SELECT_MASKED,"},
    {RESOURCE_ALL_ROLES, RESOURCE_ALL_ROLES, "RoleResource",
     "CREATE,ALTER,DROP,AUTHORIZE,DESCRIBE,"},
    {RESOURCE_ROLE, RESOURCE_ROLE, "RoleResource", "ALTER,DROP,AUTHORIZE,"},
    {RESOURCE_FUNCTION, RESOURCE_FUNCTION, "FunctionResource", "ALTER,DROP,AUTHORIZE,EXECUTE,"},
    {RESOURCE_ALL_FUNCTIONS, RESOURCE_FUNCTIONS_IN, "FunctionResource",
     "CREATE,ALTER,DROP,AUTHORIZE,EXECUTE,"},
    {RESOURCE_ALL_MBEANS, RESOURCE_MBEAN, "JMXResource",
     "AUTHORIZE,DESCRIBE,EXECUTE,MODIFY,SELECT,"},
};

static bool is_applicable(const char *list, struct slice name)
{
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, ",");
        if (slice_equal(slice_make(at, n), name)) return true;
        at += n + 1;
    }
    return false;
}

static void filter_permissions(struct cql_parser *p, struct cql_permission_tree *t)
{
    size_t i = 0;
    while (i + 1 < COUNT_OF(applicable) &&
           (t->resource.kind < applicable[i].first || t->resource.kind > applicable[i].last))
        i++;
    if (t->all || p->err) return;
    struct list kept = {0};
    for (uint32_t n = 0; n < t->permission_count; n++) {
        if (!is_applicable(applicable[i].permissions, t->permissions[n])) continue;
        struct slice *place = cql_add(p, &kept, sizeof(*place));
        if (place) *place = t->permissions[n];
    }
    t->permissions = (const struct slice *)(const void *)kept.items;
    t->permission_count = kept.count;
    if (!kept.count)
        cql_fail(p, ERR_SYNTAX,
                 "Resource type %s does not support any of the requested permissions",
                 applicable[i].type);
}

static void grant_or_revoke(struct cql_parser *p, struct cql_statement_tree *s, uint32_t to,
                            enum cql_kind role_kind, enum cql_kind permission_kind)
{
    struct cql_permission_tree *t = cql_new(p, sizeof(*t));
    if (!t) return;
    uint32_t next = cql_peek(p, 1);
    if (!is_permission(next) && !cql_is_name(next) && next != T_STRING_LITERAL && next != T_QMARK) {
        cql_no_viable(p, 1);
        return;
    }
    bool some = at_permissions(p, to);
    (void)cql_take(p);
    s->permission = t;
    if (some) {
        s->kind = permission_kind;
        permissions(p, t);
        cql_match(p, K_ON);
        t->has_resource = true;
        resource(p, &t->resource);
    } else {
        s->kind = role_kind;
        t->role = cql_role_name(p);
    }
    cql_match(p, to);
    t->to = cql_role_name(p);
    if (some) filter_permissions(p, t);
}

void cql_parse_grant(struct cql_parser *p, struct cql_statement_tree *s)
{
    grant_or_revoke(p, s, K_TO, CQL_GRANT_ROLE, CQL_GRANT);
}

void cql_parse_revoke(struct cql_parser *p, struct cql_statement_tree *s)
{
    grant_or_revoke(p, s, K_FROM, CQL_REVOKE_ROLE, CQL_REVOKE);
}

void cql_parse_list(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_permission_tree *t = cql_new(p, sizeof(*t));
    uint32_t next = cql_peek(p, 1);
    if (!t) return;
    s->permission = t;
    if (next == K_USERS) {
        take(p, 2);
        s->kind = CQL_LIST_ROLES;
        s->list_users = true;
        return;
    }
    if (next != K_ROLES && next != K_ALL && !is_permission(next)) {
        cql_no_viable(p, 1);
        return;
    }
    take(p, 1);
    s->kind = next == K_ROLES ? CQL_LIST_ROLES : CQL_LIST_PERMISSIONS;
    if (next == K_ROLES)
        take(p, 1);
    else
        permissions(p, t);
    if (next != K_ROLES && cql_accept(p, K_ON)) {
        t->has_resource = true;
        resource(p, &t->resource);
    }
    if (cql_accept(p, K_OF)) t->to = cql_role_name(p);
    t->no_recursive = cql_accept(p, K_NORECURSIVE);
}

/* --- DESCRIBE --------------------------------------------------------------------------------- */

static struct cql_name keyspace_if_named(struct cql_parser *p)
{
    struct cql_name n = {0};
    if (cql_is_name(cql_peek(p, 0)) || cql_at(p, T_QMARK)) n.name = cql_keyspace_name(p);
    return n;
}

static const struct {
    uint16_t word;
    const char *what;
    struct cql_name (*name)(struct cql_parser *p);
    bool alone; /* a word even where a name could follow; else a name when nothing follows */
} described[] = {
    {K_CLUSTER, "CLUSTER", NULL, true},
    {K_SCHEMA, "SCHEMA", NULL, true},
    {K_KEYSPACES, "KEYSPACES", NULL, true},
    {K_KEYSPACE, "KEYSPACE", keyspace_if_named, true},
    {K_TABLES, "TABLES", NULL, true},
    {K_COLUMNFAMILY, "TABLE", cql_table_name, true},
    {K_INDEX, "INDEX", cql_table_name, true},
    {K_TYPES, "TYPES", NULL, true},
    {K_TYPE, "TYPE", cql_type_name, false},
    {K_FUNCTIONS, "FUNCTIONS", NULL, true},
    {K_FUNCTION, "FUNCTION", cql_function_name, false},
    {K_AGGREGATES, "AGGREGATES", NULL, true},
    {K_AGGREGATE, "AGGREGATE", cql_function_name, false},
};

/* DESCRIBE [keyspace.]name */
static void describe_name(struct cql_parser *p, struct cql_describe_tree *t)
{
    static const uint16_t follow[] = {T_DOT, K_WITH, T_SEMICOLON, T_END, T_NOTHING};
    if (!cql_is_name(cql_peek(p, 0))) {
        cql_no_viable(p, 0);
        return;
    }
    if (!cql_expect(p, 1, follow)) return;
    if (cql_peek(p, 1) == T_DOT) {
        t->name.keyspace = cql_ident(p);
        take(p, 1);
    }
    t->name.name = cql_ident(p);
}

static void describe_word(struct cql_parser *p, struct cql_describe_tree *t)
{
    uint32_t word = cql_peek(p, 0);
    if (word == K_MATERIALIZED) {
        cql_looked(p, 1);
        take(p, 1);
        cql_match(p, K_VIEW);
        t->what = SLICE("MATERIALIZED VIEW");
        t->name = cql_table_name(p);
        return;
    }
    if (word == K_FULL || (word == K_ONLY && cql_peek(p, 1) == K_KEYSPACE)) {
        t->full = word == K_FULL;
        t->only = word == K_ONLY;
        take(p, 1);
        if (t->full && !cql_at(p, K_SCHEMA)) cql_match(p, K_SCHEMA);
        word = cql_peek(p, 0);
    }
    for (size_t i = 0; i < COUNT_OF(described); i++) {
        if (described[i].word != word) continue;
        uint32_t next = described[i].alone ? T_NOTHING : cql_peek(p, 1);
        if (next == T_END || next == T_SEMICOLON || next == T_DOT || next == K_WITH) break;
        cql_looked(p, described[i].name && described[i].alone ? 1 : 2);
        take(p, 1);
        t->what = slice_of(described[i].what);
        if (described[i].name) t->name = described[i].name(p);
        return;
    }
    describe_name(p, t);
}

void cql_parse_describe(struct cql_parser *p, struct cql_statement_tree *s)
{
    struct cql_describe_tree *t = cql_new(p, sizeof(*t));
    if (!t) return;
    s->kind = CQL_DESCRIBE;
    s->describe = t;
    take(p, 1);
    describe_word(p, t);
    s->name = t->name;
    if (!cql_accept(p, K_WITH)) return;
    cql_match(p, K_INTERNALS);
    t->with_internals = true;
}
