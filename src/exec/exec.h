/* exec: runs a person's statement: text -> parse -> bind -> log, store and flow. What every door
 * and the command line call, so that a statement means the same everywhere.
 *
 * Loop: any thread, blocking; one exec_session a client, used by one thread at a time. Memory: an
 * arena a statement. Limit: exec_limits. Never knows a protocol.
 */
#pragma once
#include "flow/flow.h"
#include "users/users.h"

/* --- catalog: which names exist
 * ------------------------------------------------------------------- * Tables come from the store,
 * topics from the log; what a project declares but has not made yet is added by hand, so that
 * `plan` works on an empty directory. Relations live in the catalog. */
struct catalog;
MUST_CHECK err_t catalog_new(struct store *s, struct log *l,
                             struct catalog **out); /* either may be NULL */
void catalog_free(struct catalog *c);
/* A topic's declared columns and event time, or a table that is not in the store yet. Copied. */
MUST_CHECK err_t catalog_declare(struct catalog *c, const struct sql_relation *r);
/* While a project is checked: what it declares counts, not the table that is there and may still be
 * as an older pipeline.sql had it. */
void catalog_prefer_declared(struct catalog *c, bool on);
/* CREATE FUNCTION: the statement's tree outlives the catalog. */
MUST_CHECK err_t catalog_declare_function(struct catalog *c, const struct statement *s,
                                          struct diag *d);
/* The topic that a CREATE SOURCE or CREATE TOPIC declares. */
struct sql_relation relation_of_topic(const struct statement *s);
#define CATALOG_VIEWS "views" /* the keyspace of views that name none: found without it too */
/* The port sql binds with: the view is the caller's, and lives as long as the port is used. */
struct catalog_view {
    struct catalog *catalog;
    struct slice keyspace; /* the session's; {0} for none */
};
struct sql_catalog catalog_port(struct catalog_view *view);
/* A table's relation, made anew when its schema has changed. NULL: none. */
const struct sql_relation *catalog_find(struct catalog *c, struct slice session_keyspace,
                                        struct slice keyspace, struct slice name);
/* What a CREATE TABLE asks the store for; in the arena. */
MUST_CHECK err_t table_of_statement(const struct statement *s, struct slice session_keyspace,
                                    struct arena *a, struct store_table *out, struct diag *d);
/* Is the table in the store what the statement declares? ERR_EXISTS tells the first difference. */
MUST_CHECK err_t table_is_same(const struct store_table *have, const struct store_table *wanted,
                               struct diag *d);
/* WITH (partitions = …, retention = '7d', …) of a topic, checked. */
MUST_CHECK err_t topic_options(const struct sql_options *o, const char *file, int32_t *partitions,
                               struct log_topic_config *config, struct diag *d);

/* --- running ---------------------------------------------------------------------------------- */

struct cql;
struct exec_world {
    struct log *log;
    struct store *store;
    struct catalog *catalog;
    struct flow *flow; /* NULL when no project runs */
    struct cql *cql;   /* what runs CQL's own statements; NULL: they are refused */
};
struct exec_session {
    struct exec_world *world;
    char keyspace[64]; /* of USE; "" for none */
    enum sql_dialect dialect;
    /* Who asks, for statements that ask for permissions; "": who owns the data, and may do all. */
    char user[USERS_NAME_MAX + 1];
    bool reads_only; /* SELECT, DESCRIBE, SHOW, USE, LIST: whatever else a text holds, none runs */
};
struct exec_sink {
    struct query_result result;                /* rows, for statements that have some */
    void (*note)(void *ctx, const char *text); /* what was done, for those that have none */
};
/* Every statement of `text`, in order, until one fails. */
MUST_CHECK err_t exec_run(struct exec_session *x, struct slice text,
                          const struct query_limits *limits, const struct exec_sink *sink,
                          struct diag *d);
