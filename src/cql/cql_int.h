/* cql_int: what this room's own files share: the statement as prepared, and how its family runs it.
 */
#pragma once
#include "cql/cql.h"
#include "os/clock.h"
#include "os/thread.h"

/* --- statements
 * ------------------------------------------------------------------------------------ */

struct cql_preparing { /* one statement on its way to be prepared */
    struct cql *cql;
    const struct cql_session *session;
    struct cql_prepare terms; /* arena, diag, keyspace, markers … as sql/cql wants it */
    struct cql_statement *out;
    /* The column that a marker alone is the value of (of =, IN (?), SET c = ?, VALUES (?)), a
     * marker; from those of the partition key key_markers are made. A family notes them by
     * preparing_marker. */
    const struct store_column **marker_columns;
};
void preparing_marker(struct cql_preparing *p, const struct cql_term *t,
                      const struct store_column *c);
/* One family a group of kinds: select.c, write.c (INSERT, UPDATE, DELETE), batch.c, schema*.c,
 * roles.c … */
struct cql_family {
    const char *name;
    /* Everything that can be known without values; diag has Cassandra's words. */
    err_t (*prepare)(struct cql_preparing *p, const struct cql_statement_tree *t);
    /* May this session do it? ERR_FORBIDDEN "User x has no SELECT permission on <table k.t> or any
     * of its parents" */
    err_t (*permit)(struct cql_call *c);
    /* Ends by call_end, now or later. CALL_BATCH: cql_batch_family.run comes at once, with
     * c->statement NULL; it finds the items' statements, permits and runs. */
    void (*run)(struct cql_call *c);
};
extern const struct cql_family cql_select_family, cql_write_family, cql_batch_family,
    cql_schema_family, cql_roles_family, cql_describe_family, cql_use_family;
const struct cql_family *cql_family_of(enum cql_kind kind); /* families.def; NULL: CQL_REFUSED */

struct cql_statement { /* immutable once prepared, counted */
    enum cql_kind kind;
    const struct cql_family *family;
    struct arena *arena; /* its own: text, tree, plan */
    struct slice text, keyspace /* the session's when it was prepared */;
    const struct cql_statement_tree *tree;
    const struct store_table *table; /* the one table it is about; NULL */
    struct cql_receiver *markers;
    struct slice *marker_names; /* of :name; at NULL */
    uint32_t marker_count;
    uint16_t *key_markers;
    uint32_t key_count;
    struct cql_metadata result;
    uint8_t id[16];
    uint64_t schema_version;
    void *plan; /* the family's */
    _Atomic uint32_t uses;
};
/* Parses and prepares; the caller's until cql_statement_release. */
MUST_CHECK err_t cql_statement_new(struct cql *c, const struct cql_session *s, struct slice text,
                                   struct slice keyspace, struct cql_statement **out,
                                   struct diag *d);
void cql_statement_release(const struct cql_statement *s);
/* Of EXECUTE and a batch's items: counted; NULL: ERR_UNPREPARED with Cassandra's words in the diag.
 */
const struct cql_statement *cql_statement_find(struct cql *c, struct slice id, struct diag *d);
/* Every prepared statement, inside the cache's gate: quickly. */
void cql_statements_each(struct cql *c, void (*each)(void *ctx, const struct cql_statement *s),
                         void *ctx);
void cql_result_id(struct cql_metadata *m); /* fills id from the columns */

/* --- a call
 * ---------------------------------------------------------------------------------------- */
void call_end(struct cql_call *c, err_t e); /* exactly once; e: with c->diag filled */
/* Goes on with step(c) on one of this room's threads. */
void call_to_worker(struct cql_call *c, void (*step)(struct cql_call *c));
/* Ends calls that a worker is busy with for long, when the engine closes: ask from time to time. */
bool cql_is_stopping(const struct cql *c);
/* Others wait for a worker: a long statement may go behind them by call_to_worker. */
bool cql_workers_wanted(const struct cql *c);
/* An arena for what a call must give back before it ends (CQL_CALL_BYTES_MAX); NULL: no memory. */
struct arena *cql_arena_take(struct cql *c);
void cql_arena_give(struct cql *c, struct arena *a); /* NULL is fine */
void call_warn(struct cql_call *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
void call_trace(struct cql_call *c, const char *fmt, ...)
    PRINTF_LIKE(2, 3); /* nothing without tracing */
/* Bound values by marker, checked for their number; the statement's clock and randomness. */
MUST_CHECK err_t call_bound(struct cql_call *c, const struct cql_statement *s,
                            const struct cql_params *p, struct cql_bound *out);
static inline int64_t call_now_s(const struct cql_call *c)
{
    return c->params.now_s != INT64_MIN ? c->params.now_s : c->now_us / 1000000;
}
/* Hands the change to the store; the call ends with its answer (void, or the result as it is then).
 */
void call_commit(struct cql_call *c, struct store_change *change);

/* --- the schema as statements see it
 * ------------------------------------------------------------------ */
struct cql_tables; /* rows.c: the virtual tables, the node's own id, the gate of the schema's
                      changes */
struct cql_parts { /* what the engine holds; the struct cql of cql.c begins with it */
    struct cql_options options;
    struct cql_tables *tables; /* cql_open fills it by cql_tables_open, cql_close gives it back */
};
MUST_CHECK err_t cql_tables_open(struct cql *c, struct diag *d);
void cql_tables_close(struct cql *c); /* fine when it was never opened */
const struct cql_options *cql_options(const struct cql *c);
/* A table of the store, a virtual one (system, system_schema, …) or a topic. NULL and the diag
 * filled: "keyspace x does not exist", "table x does not exist" as Cassandra says it (ERR_INVALID).
 */
const struct store_table *cql_table(struct cql *c, struct slice session_keyspace,
                                    struct cql_name name, struct diag *d);
bool cql_table_is_virtual(struct cql *c,
                          const struct store_table *t); /* read only: no store behind it */
const struct type *cql_user_type(void *cql, struct slice keyspace,
                                 struct slice name); /* for cql_prepare */
/* Rows of any table: the store's, or what a virtual one says just now, as store_rows_*. */
struct cql_rows;
MUST_CHECK err_t cql_rows_open(struct cql_call *c, const struct store_read *r, struct arena *a,
                               struct cql_rows **out, struct diag *d);
MUST_CHECK err_t cql_rows_next(struct cql_rows *r, const struct store_row **out, struct diag *d);
void cql_rows_close(struct cql_rows *r);

/* --- permissions (permit.c)
 * ---------------------------------------------------------------------------- */
enum cql_permission {
    PERMIT_CREATE,
    PERMIT_ALTER,
    PERMIT_DROP,
    PERMIT_SELECT,
    PERMIT_MODIFY,
    PERMIT_AUTHORIZE,
    PERMIT_DESCRIBE,
    PERMIT_EXECUTE,
    PERMIT_UNMASK,
    PERMIT_SELECT_MASKED,
    PERMIT_KINDS
};
MUST_CHECK err_t cql_permit_table(struct cql_call *c, const struct store_table *t,
                                  enum cql_permission p);
MUST_CHECK err_t cql_permit_role(struct cql_call *c, struct slice role /* at NULL: all */,
                                 enum cql_permission p);

/* Says a change to all who listen; makes the statements that it touches prepare anew. */
void cql_schema_changed(struct cql *c, const struct cql_schema_change *change);
