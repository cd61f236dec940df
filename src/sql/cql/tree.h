/* sql/cql/tree: what CQL's grammar makes of one statement. Cassandra 5.0's grammar (Parser.g), its
 * words and its messages; the lexer is sql's own with the dialect CQL.
 *
 * Never resolves a name, never decides a type. Memory: the caller's arena; every slice points into
 * the arena's copy of the text, so that a place in the source is a pointer. Limit: SQL_TEXT_MAX
 * bytes, SQL_DEPTH_MAX levels, CQL_MARKERS_MAX bind markers.
 *
 * Names are folded already ("Name" in quotes keeps its case). `at` NULL means: not written.
 */
#pragma once
#include "base/bytes.h"

enum { CQL_MARKERS_MAX = 65535 };

struct cql_name {
    struct slice keyspace, name;
};

/* --- types as written: user types have no meaning yet ------------------------------------------
 */
struct cql_type {
    struct cql_name name;          /* "int", "list", "address"; keyspace only of user types */
    const struct cql_type **items; /* list<…>, tuple<…>: their parameters */
    uint32_t count;
    uint32_t dimension; /* vector<float, 3> */
    bool frozen, quoted;
    struct slice custom; /* 'org.apache…Type' in quotes */
    struct slice text;   /* as written */
};

/* --- terms, selectors and operands -------------------------------------------------------------
 */
enum cql_node_kind {
    NODE_NULL,
    NODE_STRING,
    NODE_INTEGER, /* text with sign */
    NODE_FLOAT,   /* also NaN, Infinity */
    NODE_BOOLEAN,
    NODE_UUID,
    NODE_BLOB, /* value: hex digits without 0x */
    NODE_DURATION,
    NODE_MARKER, /* index; value: the name of :name, or at NULL */
    NODE_LIST,   /* [a, b]; also a vector's */
    NODE_SET,    /* {a, b}; {} is an empty set or map or user type: count 0 */
    NODE_MAP,    /* {k: v, …}: args alternate */
    NODE_RECORD, /* {field: v, …}: names[i] with args[i] */
    NODE_TUPLE,  /* (a, b): args */
    NODE_CALL,   /* name; args */
    NODE_HINT,   /* (type) term: type, args[0] */
    NODE_NEGATE, /* - args[0] */
    NODE_ARITH,  /* op: + - * / % */
    /* selectors only */
    NODE_COLUMN,    /* name.name */
    NODE_STAR,      /* count(*)'s argument; SELECT * has no items at all */
    NODE_CAST,      /* CAST(args[0] AS type) */
    NODE_FIELD,     /* args[0].value */
    NODE_ELEMENT,   /* args[0][args[1]] */
    NODE_SLICE,     /* args[0][args[1]..args[2]], either may be NULL */
    NODE_WRITETIME, /* of args[0], which may be a column, element or field */
    NODE_MAXWRITETIME,
    NODE_TTL,
};
struct cql_node {
    enum cql_node_kind kind;
    char op;
    uint16_t depth;
    uint32_t marker; /* MARKER: its place, from 0 */
    struct slice text, value;
    struct cql_name name;
    const struct cql_type *type;
    const struct cql_node **args;
    const struct slice *names; /* RECORD */
    uint32_t count;
};

enum cql_operator {
    CQL_EQ,
    CQL_LT,
    CQL_LE,
    CQL_GT,
    CQL_GE,
    CQL_NE,
    CQL_IN,
    CQL_NOT_IN,
    CQL_CONTAINS,
    CQL_CONTAINS_KEY,
    CQL_NOT_CONTAINS,
    CQL_NOT_CONTAINS_KEY,
    CQL_LIKE,
    CQL_IS_NOT_NULL,
    CQL_BETWEEN,
    CQL_NOT_LIKE,
    CQL_ANN,
};
const char *cql_operator_text(enum cql_operator op); /* "=", "CONTAINS KEY" … */

/* One relation of WHERE, or one condition of IF. */
struct cql_relation {
    enum { RELATE_COLUMN, RELATE_TOKEN, RELATE_TUPLE } on;
    enum cql_operator op;
    const struct slice *columns; /* one; token's or the tuple's: several */
    uint32_t column_count;
    const struct cql_node *element; /* m[element] … */
    struct slice field;             /* … or u.field; conditions */
    /* EQ …: value. IN: values (count of them), or `value` alone for `IN ?`. BETWEEN: values[0..1].
     */
    const struct cql_node *value;
    const struct cql_node **values;
    uint32_t value_count;
    struct slice text; /* as written */
};

/* --- statements ---------------------------------------------------------------------------------
 */
struct cql_property { /* WITH name = value, or {map} */
    struct slice name;
    struct slice value; /* as text, strings without their quotes */
    bool is_map, is_string;
    const struct slice *keys, *values; /* of a map, without quotes */
    uint32_t count;
    const uint8_t *at;
};
struct cql_properties {
    const struct cql_property *items;
    uint32_t count;
};

struct cql_selector_item {
    const struct cql_node *value;
    struct slice alias;
};
struct cql_select {
    struct cql_name from;
    bool json, distinct, allow_filtering;
    const struct cql_selector_item *items; /* none: * */
    uint32_t item_count;
    const struct cql_relation *where;
    uint32_t where_count;
    const struct cql_node **group; /* columns or calls */
    uint32_t group_count;
    struct {
        struct slice column;
        bool descending;
        const struct cql_node *ann;
    } * order;
    uint32_t order_count;
    const struct cql_node *limit, *partition_limit; /* NULL: none */
};

/* SET c = …, c = c + …, c[k] = …, c.f = …; DELETE c, c[k], c.f */
struct cql_operation {
    enum {
        SET_VALUE,   /* c = value */
        SET_ADD,     /* c = c + value, c += value */
        SET_PREPEND, /* c = value + c */
        SET_SUB,     /* c = c - value, c -= value */
        SET_ELEMENT, /* c[element] = value */
        SET_FIELD,   /* c.field = value */
        UNSET_COLUMN,
        UNSET_ELEMENT,
        UNSET_FIELD /* of DELETE */
    } kind;
    struct slice column, field;
    const struct cql_node *element, *value;
    const uint8_t *at;
};
struct cql_write { /* INSERT, UPDATE, DELETE */
    struct cql_name table;
    /* INSERT */
    const struct slice *columns;
    const struct cql_node **values;
    uint32_t column_count, value_count; /* as written: they may differ */
    const struct cql_node *json;        /* INSERT JSON 'text' or marker */
    bool default_unset;
    /* UPDATE, DELETE (none: whole rows) */
    const struct cql_operation *operations;
    uint32_t operation_count;
    const struct cql_relation *where;
    uint32_t where_count;
    const struct cql_node *ttl, *timestamp; /* USING */
    bool if_not_exists, if_exists;
    const struct cql_relation *conditions;
    uint32_t condition_count;
};
struct cql_batch {
    enum { BATCH_LOGGED, BATCH_UNLOGGED, BATCH_COUNTER } kind;
    const struct cql_statement_tree **items; /* INSERT, UPDATE, DELETE only */
    uint32_t count;
    const struct cql_node *timestamp, *ttl; /* USING; a batch may have no TTL, which is no syntax */
};

struct cql_column_tree {
    struct slice name;
    const struct cql_type *type;
    bool is_static, is_primary_key;
};
struct cql_table_tree { /* CREATE TABLE */
    const struct cql_column_tree *columns;
    uint32_t column_count;
    const struct slice *partition, *clustering; /* of PRIMARY KEY (…) */
    uint32_t partition_count, clustering_count;
    bool has_key; /* a PRIMARY KEY clause was written (a column's own is in the column) */
    struct {
        struct slice column;
        bool descending;
    } * order;
    uint32_t order_count;
    bool compact_storage;
    struct slice id; /* WITH ID = … */
};
struct cql_alter { /* ALTER TABLE, TYPE */
    enum {
        ALTER_ADD,
        ALTER_DROP,
        ALTER_RENAME,
        ALTER_OPTIONS,
        ALTER_TYPE_OF,
        ALTER_DROP_COMPACT
    } kind;
    const struct cql_column_tree *columns; /* ADD; DROP: names only; TYPE_OF: one */
    uint32_t column_count;
    const struct slice *from, *to; /* RENAME */
    uint32_t rename_count;
    bool if_exists, if_not_exists;    /* of the columns */
    const struct cql_node *timestamp; /* DROP … USING TIMESTAMP */
};
struct cql_index_tree {
    struct cql_name table;
    struct {
        enum { TARGET_VALUES_PLAIN, TARGET_VALUES, TARGET_KEYS, TARGET_ENTRIES, TARGET_FULL } kind;
        struct slice column;
    } * targets;
    uint32_t target_count;
    bool custom;
    struct slice using; /* 'sai', 'StorageAttachedIndex', a class name */
};
struct cql_resource {
    enum cql_resource_kind {
        RESOURCE_ALL_KEYSPACES,
        RESOURCE_KEYSPACE,
        RESOURCE_ALL_TABLES /* IN KEYSPACE */,
        RESOURCE_TABLE,
        RESOURCE_ALL_ROLES,
        RESOURCE_ROLE,
        RESOURCE_ALL_FUNCTIONS,
        RESOURCE_FUNCTIONS_IN,
        RESOURCE_FUNCTION,
        RESOURCE_ALL_MBEANS,
        RESOURCE_MBEANS,
        RESOURCE_MBEAN
    } kind;
    struct cql_name name; /* a role's: name.name */
};
struct cql_role_tree {
    bool has_password, hashed, has_superuser, superuser, has_login, login;
    struct slice password;
    struct cql_properties
        options;      /* OPTIONS, ACCESS TO … as written: refused by name if they matter */
    bool user_syntax; /* CREATE USER … */
    bool access_all_datacenters, access_all_cidrs, generated_password;
    const struct slice *datacenters, *cidrs; /* ACCESS TO DATACENTERS {…}, ACCESS FROM CIDRS {…} */
    uint32_t datacenter_count, cidr_count;
};
struct cql_permission_tree {
    bool all;
    const struct slice *permissions; /* "SELECT", upper case */
    uint32_t permission_count;
    bool has_resource;
    struct cql_resource resource;
    struct slice role, to; /* GRANT role TO to; GRANT … ON … TO to; LIST … OF to */
    bool no_recursive;
};
struct cql_describe_tree {
    /* upper case: "CLUSTER", "SCHEMA", "KEYSPACES", "KEYSPACE", "TABLES", "TABLE", "TYPES", "TYPE",
     * "INDEX", "MATERIALIZED VIEW", "FUNCTIONS", "FUNCTION", "AGGREGATES", "AGGREGATE"; at NULL:
     * DESCRIBE name */
    struct slice what;
    struct cql_name name;
    bool full, only, with_internals;
};

enum cql_kind {
    CQL_SELECT,
    CQL_INSERT,
    CQL_UPDATE,
    CQL_DELETE,
    CQL_BATCH,
    CQL_USE,
    CQL_TRUNCATE,
    CQL_DESCRIBE,
    CQL_CREATE_KEYSPACE,
    CQL_ALTER_KEYSPACE,
    CQL_DROP_KEYSPACE,
    CQL_CREATE_TABLE,
    CQL_ALTER_TABLE,
    CQL_DROP_TABLE,
    CQL_CREATE_TYPE,
    CQL_ALTER_TYPE,
    CQL_DROP_TYPE,
    CQL_CREATE_INDEX,
    CQL_DROP_INDEX,
    CQL_CREATE_ROLE,
    CQL_ALTER_ROLE,
    CQL_DROP_ROLE,
    CQL_LIST_ROLES,
    CQL_GRANT_ROLE,
    CQL_REVOKE_ROLE,
    CQL_GRANT,
    CQL_REVOKE,
    CQL_LIST_PERMISSIONS,
    /* legal CQL that is refused by name: `what` says which ("CREATE MATERIALIZED VIEW") */
    CQL_REFUSED,
    CQL_KINDS
};
struct cql_statement_tree {
    enum cql_kind kind;
    struct slice text;    /* as written, without ';' */
    struct cql_name name; /* keyspace, table, type, index, role, USE: name.name */
    bool if_exists, if_not_exists;
    uint32_t marker_count;
    const struct cql_select *select;
    const struct cql_write *write;
    const struct cql_batch *batch;
    const struct cql_table_tree *table;    /* CREATE TABLE */
    const struct cql_column_tree *columns; /* CREATE TYPE: its fields */
    uint32_t column_count;
    const struct cql_alter *alter;
    const struct cql_index_tree *index;
    const struct cql_role_tree *role;
    const struct cql_permission_tree *permission;
    const struct cql_describe_tree *describe;
    bool list_users;                  /* LIST USERS, which is LIST ROLES in other columns */
    struct cql_properties properties; /* WITH */
    const char *what;
};

/* One statement, with or without ';' at its end. The message is Cassandra's: "line 1:7 no viable
 * alternative at input 'FORM' (SELECT * [FORM]...)", ERR_SYNTAX; what the original's parser refuses
 * as invalid is ERR_INVALID with its words. */
MUST_CHECK err_t cql_parse(struct slice text, struct arena *a,
                           const struct cql_statement_tree **out, struct diag *d);
/* Splits a script: how long the first statement is, its ';' included (all of it when there is
 * none); comments, strings and BEGIN BATCH … APPLY BATCH are understood. For shells. */
size_t cql_statement_length(struct slice text, bool *whole);
bool cql_word_reserved(struct slice word);
/* A name as CQL writes it: in quotes where needed (not lower case, or reserved). */
void cql_put_name(struct buf *out, struct slice name);
void cql_put_string(struct buf *out, struct slice text); /* 'it''s' */
