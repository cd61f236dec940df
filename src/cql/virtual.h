/* virtual: tables that no store holds: what the node says of itself (system, system_schema,
 * system_views …), and each topic of the log. Private to this room.
 *
 * A table is a row of virtual.def: its columns as text, and a function that says all its rows just
 * now, in any order; rows.c orders them, picks what was asked for and hands them out as the store
 * would. Never writes. Memory: the call's arena; a table that does not fit it answers ERR_TOO_BIG.
 */
#pragma once
#include "cql/cql_int.h"

struct virtual_rows;
typedef void virtual_fill(struct virtual_rows *v);

enum virtual_place {                     /* what Cassandra does with a table of this name */
                     VIRTUAL_LOCAL,      /* a real table of the node's own: LocalStrategy */
                     VIRTUAL_REPLICATED, /* a real one that all nodes share */
                     VIRTUAL_TABLE, /* one that is virtual there too: shown by system_virtual_schema
                                       only */
                     VIRTUAL_TOPICS /* ours: the log's topics, shown as tables of a shared keyspace
                                     */
};
struct virtual_keyspace {
    const char *name;
    enum virtual_place place;
    const char *strategy, *factor; /* NULL: none */
};
extern const struct virtual_keyspace virtual_keyspaces[];
extern const size_t virtual_keyspace_count;

struct virtual_table {
    struct store_table t; /* first: a store_table with prefix 0 is one of these */
    const struct virtual_keyspace *keyspace;
    virtual_fill *fill; /* NULL: there are never any rows */
    bool by_key;        /* partitions in the order of their keys, not of their tokens */
    bool topic;         /* rows are read from the log (topics.c) */
    uint32_t partition_count, clustering_count;
};
static inline const struct virtual_table *virtual_of(const struct store_table *t)
{
    return (const struct virtual_table *)(const void *)t;
}

struct cql_tables {
    struct arena *arena;          /* of what is made once */
    struct virtual_table *tables; /* of virtual.def, by keyspace and name */
    uint32_t table_count;
    uint8_t host_id[16];
    int32_t started_s;
    struct gate gate; /* guards the topics' tables */
    struct arena *topic_arena;
    struct map *topics;      /* name -> struct virtual_table */
    struct gate changing;    /* one change of the schema at a time */
    cql_clients_fn *clients; /* the door's */
    void *clients_ctx;
};
struct cql_tables *tables_of(const struct cql *c);
/* Fills t from "name=value" lines and "name type [P|C|CD], …": key columns first, the others by
 * name. */
MUST_CHECK err_t virtual_make(struct virtual_table *t, struct slice options, struct slice columns,
                              struct arena *a, struct diag *d);

/* --- rows, said by fill functions: values in the order of virtual.def ----------------------------
 */
struct virtual_row {
    const struct slice *values; /* one a column of the table, at NULL: null */
    int64_t token;
};
struct virtual_rows {
    struct cql_call *call;
    struct cql *cql;
    const struct virtual_table *table;
    const struct store_read *read;
    struct arena *arena;
    struct virtual_row *rows;
    uint32_t count, cap;
    struct slice *row; /* the one being said */
    uint32_t said;
    err_t err;
    void *ctx; /* the fill function's */
};
struct table_size {
    int64_t bytes, partitions; /* estimates */
};
struct table_size table_size(struct cql *c, const struct store_table *t);

/* Whether a row whose (single) partition key is this text can be asked for at all: saves work. */
bool virtual_wanted(const struct virtual_rows *v, struct slice partition);
void virtual_bytes(struct virtual_rows *v,
                   struct slice s); /* the binary form; copied. at NULL: null */
void virtual_text(struct virtual_rows *v, const char *text); /* NULL: null */
void virtual_int(struct virtual_rows *v, int32_t n);
void virtual_big(struct virtual_rows *v, int64_t n);
void virtual_double(struct virtual_rows *v, double n);
void virtual_bool(struct virtual_rows *v, bool b);
void virtual_inet(struct virtual_rows *v, const char *address); /* null when it is none */
void virtual_null(struct virtual_rows *v, uint32_t count);
/* A map<text, text>, list<text> or set<text> in binary form. */
void virtual_map(struct virtual_rows *v, const struct store_option *pairs, uint32_t count);
void virtual_list(struct virtual_rows *v, const struct slice *items, uint32_t count);
void virtual_end(struct virtual_rows *v); /* the row is whole: what was not said is null */

/* --- the schema as all see it: the store's, this node's own, topics
 * ------------------------------- */
enum {
    LIST_STORE = 1,
    LIST_LOCAL = 2,
    LIST_REPLICATED = 4,
    LIST_VIRTUAL = 8,
    LIST_TOPICS = 16,
    LIST_REAL =
        LIST_STORE | LIST_LOCAL | LIST_REPLICATED | LIST_TOPICS /* what system_schema shows */
};
struct schema_list { /* by name */
    const struct store_keyspace **keyspaces;
    uint32_t keyspace_count;
    const struct store_table **tables; /* by keyspace and name */
    uint32_t table_count;
};
/* keyspace at NULL: all of them. */
MUST_CHECK err_t schema_list(struct cql *c, uint32_t what, struct slice keyspace, struct arena *a,
                             struct schema_list *out);
/* The same for a table whose partitions are keyspaces: of the one asked for, or of all; false: what
 * went wrong is in v->err. */
bool virtual_schema(struct virtual_rows *v, uint32_t what, struct schema_list *out);
/* One of virtual.def's, or of topics; NULL: the store's, or none at all. */
const struct virtual_keyspace *virtual_keyspace_find(const struct cql *c, struct slice name);
void schema_version_uuid(struct cql *c, uint8_t out[16]);

/* --- topics.c
 * ------------------------------------------------------------------------------------- */
const struct store_table *topic_table(struct cql *c, struct slice name, struct diag *d);
struct topic_rows;
MUST_CHECK err_t topic_rows_open(struct cql *c, const struct store_read *r, struct arena *a,
                                 struct topic_rows **out, struct diag *d);
MUST_CHECK err_t topic_rows_next(struct topic_rows *r, const struct store_row **out,
                                 struct diag *d);
void topic_rows_close(struct topic_rows *r);

/* --- what rows.c shares with topics.c -----------------------------------------------------------
 */
int64_t virtual_token(const struct virtual_table *t, const struct slice *partition);
/* A row's clustering values against a bound of a slice: <0 before, 0 begins so, >0 behind. */
int virtual_against(const struct virtual_table *t, const struct slice *key,
                    const struct store_bound *b);
bool virtual_in_slices(const struct virtual_table *t, const struct store_read *r,
                       const struct slice *key);

/* The functions that virtual.def names. */
virtual_fill fill_local, fill_size_estimates, fill_table_estimates, fill_built_indexes,
    fill_prepared, fill_schema_keyspaces, fill_schema_tables, fill_schema_columns,
    fill_schema_dropped, fill_schema_indexes, fill_schema_types, fill_virtual_keyspaces,
    fill_virtual_tables, fill_virtual_columns, fill_clients, fill_settings, fill_properties,
    fill_sstable_tasks, fill_thread_pools, fill_caches, fill_disk_usage, fill_roles,
    fill_role_members, fill_role_permissions, fill_resource_roles, fill_sessions, fill_events,
    fill_sai_indexes, fill_cql_metrics, fill_dead_letters;
