/* cql: what Cassandra does with a statement: prepare it against the schema, run it on the store,
 * answer rows in CQL's binary form. The CQL door, the shell, exec and later the sinks call the
 * same.
 *
 * Loop: any thread; a session is used by one thread at a time, and so is a call until its `done`.
 * Statements run on the caller's thread while they are short (a key, a page of a partition); long
 * ones go on on threads of this room. `done` may be called before cql_run returns, or from another
 * thread. Memory: an arena a call, results in the call's buffers; prepared statements
 * CQL_PREPARED_BYTES_MAX. Never knows a frame.
 */
#pragma once
#include "base/metric.h"
#include "log/log.h"
#include "os/loop.h"
#include "sql/cql/term.h"
#include "store/cells.h"
#include "users/users.h"

enum {
    CQL_PREPARED_BYTES_MAX = 32 << 20,
    CQL_CALL_BYTES_MAX = 64 << 20,    /* of a call's arena */
    CQL_RESULT_BYTES_MAX = 256 << 20, /* of one page */
    CQL_PAGE_ROWS = 5000 /* sluice's own callers; the door's clients say theirs, or get all */
};
#define CQL_RELEASE "5.0.5" /* what release_version says, and what we compare ourselves with */
#define CQL_VERSION "3.4.7"

struct cql;
struct cql_dead_letter { /* a record that a stream or source could not use; at NULL: null */
    struct slice stage, topic, code, expression, column, reason, key, raw, mended;
    int32_t partition;
    int64_t offset, time_ms, written_ms, epoch, records, number;
};
typedef err_t cql_dead_each(void *ctx, const struct cql_dead_letter *l);
struct cql_options {
    struct store *store;
    struct log *log;     /* keyspace `topics`; NULL: there is none */
    struct users *users; /* NULL: everyone may do all */
    bool login; /* PasswordAuthenticator and CassandraAuthorizer; else everyone is anonymous and may
                   do all */
    /* Says each letter of a stage (at NULL: of all), for system_views.dead_letters; NULL: none. */
    err_t (*dead_letters)(void *ctx, struct slice stage, cql_dead_each *each, void *each_ctx);
    void *dead_ctx;
    const char *cluster_name, *data_center, *rack; /* NULL: "Sluice", "datacenter1", "rack1" */
    const char *address;                           /* of system.local when the session has none */
    uint16_t port;
    int workers;           /* threads for long statements; 0: 2 */
    bool mutant_cas_blind; /* the checker must catch this */
};
MUST_CHECK err_t cql_open(const struct cql_options *o, struct cql **out, struct diag *d);
/* Ends what runs: their calls are done with ERR_STOPPED, or when the disk has what they wrote. Then
 * whoever has calls waits for them and calls cql_call_done, and closes after that. */
void cql_stop(struct cql *c);
void cql_close(struct cql *c); /* stops, too; NULL is fine */

struct cql_session {
    struct cql *cql;
    char keyspace[64];             /* USE; "": none */
    char user[USERS_NAME_MAX + 1]; /* "": anonymous */
    bool superuser;                /* may do all */
    bool trusted;                  /* who owns the data asks: nobody is asked for permission */
    int protocol;                  /* 3, 4, 5: what a result may contain */
    char address[48];              /* where the client dialled: system.local tells it */
    uint16_t port;
    char peer[56]; /* who: traces, system_views.clients */
    char driver_name[64], driver_version[32];
    /* permit.c's: what the user may on the table it looked at last */
    uint64_t permit_version;
    const void *permit_table;
    uint32_t permit_bits;
    bool warned_use; /* this room's own: that USE and prepared statements do not go well together */
};

/* --- a call --------------------------------------------------------------------------------------
 */

enum cql_consistency { /* the protocol's numbers */
                       CQL_ANY,
                       CQL_ONE,
                       CQL_TWO,
                       CQL_THREE,
                       CQL_QUORUM,
                       CQL_ALL,
                       CQL_LOCAL_QUORUM,
                       CQL_EACH_QUORUM,
                       CQL_SERIAL,
                       CQL_LOCAL_SERIAL,
                       CQL_LOCAL_ONE
};
struct cql_params {
    const struct cql_value *values; /* by marker, or with names: by name */
    const struct slice *names;      /* NULL: by place */
    uint32_t value_count;
    uint16_t consistency, serial; /* serial 0: SERIAL */
    int32_t page_size;            /* <= 0: all at once */
    struct slice paging_state;    /* at NULL: from the start */
    int64_t timestamp;            /* INT64_MIN: none given */
    int64_t now_s;                /* v5's now_in_seconds; INT64_MIN: none given */
    struct slice keyspace;        /* v5's; at NULL: the session's */
    bool skip_metadata;
};

struct cql_column { /* of a result */
    struct slice keyspace, table, name;
    const struct type *type;
};
struct cql_metadata {
    const struct cql_column *columns;
    uint32_t count;
    uint8_t id[16]; /* v5: of the result's columns */
};
enum cql_result_kind { CQL_VOID = 1, CQL_ROWS, CQL_SET_KEYSPACE, CQL_PREPARED, CQL_SCHEMA_CHANGE };
struct cql_schema_change {
    const char *change; /* CREATED UPDATED DROPPED */
    const char *target; /* KEYSPACE TABLE TYPE FUNCTION AGGREGATE */
    struct slice keyspace, name;
};
struct cql_prepared {
    uint8_t id[16];
    const struct cql_receiver *markers;
    uint32_t marker_count;
    const uint16_t
        *key_markers; /* which markers are the partition key, in its order; v4 and later */
    uint32_t key_count;
    struct cql_metadata result; /* count 0: no rows */
};
struct cql_result {
    enum cql_result_kind kind;
    struct cql_metadata metadata;
    uint32_t row_count;
    struct buf
        rows; /* each row: for each column int32 length (-1 null) and bytes; mem_, the call's */
    struct slice paging_state; /* at NULL: this was the last page */
    bool metadata_changed; /* since the client prepared it: metadata is sent whatever it asked */
    struct slice keyspace; /* SET_KEYSPACE */
    struct cql_schema_change change;
    struct cql_prepared prepared;
    const struct slice *warnings;
    uint32_t warning_count;
    bool has_trace;
    uint8_t trace_id[16];
};

struct cql_batch_item {
    struct slice text; /* or, at NULL: */
    struct slice id;   /* of a prepared one */
    const struct cql_value *values;
    const struct slice *names;
    uint32_t value_count;
};

struct cql_statement;
struct cql_call {
    struct cql_session *session;
    struct arena *arena; /* the caller's: everything of this call */
    enum { CALL_QUERY, CALL_PREPARE, CALL_EXECUTE, CALL_BATCH } verb;
    struct slice text; /* QUERY, PREPARE */
    struct slice id;   /* EXECUTE */
    struct slice
        result_id;  /* EXECUTE in v5: what the client knows of the columns; at NULL: nothing */
    int batch_kind; /* BATCH_LOGGED … */
    const struct cql_batch_item *items;
    uint32_t item_count;
    struct cql_params params;
    bool tracing;
    void (*done)(struct cql_call *c); /* exactly once: look at err, diag, result */
    void *ctx;                        /* the caller's */
    struct loop_message message;      /* the caller's once done is called */

    err_t err;
    struct diag diag;                         /* why; err_cql(err) is the protocol's code */
    struct slice error_keyspace, error_table; /* of ERR_EXISTS */
    struct cql_result result;

    /* this room's own */
    const struct cql_statement *statement;
    int64_t begun_us, now_us; /* the statement's one clock */
    struct trace *trace;
    void *run;                /* of who runs it */
    struct loop_message work; /* to a worker */
    struct cql_call *next;
    void (*step)(struct cql_call *c);
};
void cql_run(struct cql_call *c);
/* Gives back what a finished call holds outside its arena. */
void cql_call_done(struct cql_call *c);
/* The same and waits: for tools and tests. */
MUST_CHECK err_t cql_run_wait(struct cql_call *c);

/* --- for doors
 * ------------------------------------------------------------------------------------ */
/* PLAIN (authzid NUL name NUL password): fills user and superuser; ERR_LOGIN with Cassandra's
 * words. */
MUST_CHECK err_t cql_login(struct cql_session *s, struct slice name, struct slice password,
                           struct diag *d);
bool cql_login_wanted(const struct cql *c);
/* Tells each change of the schema, from the thread that made it, whatever made it. */
void cql_listen(struct cql *c, void (*changed)(void *ctx, const struct cql_schema_change *change),
                void *ctx);
void cql_metrics(const struct cql *c, struct buf *out); /* Prometheus text */
void cql_families(metric_each *each, void *ctx);        /* … the names in it */
/* Who is connected, for system_views.clients: the door calls `met` for each. From any thread. */
struct cql_client {
    const struct cql_session *session;
    const char *address; /* without port */
    uint16_t port;
    const char *stage; /* "ready" */
    uint64_t requests;
    const char *tls_protocol, *tls_cipher; /* NULL: no TLS */
};
typedef void cql_clients_fn(void *ctx, void (*met)(void *to, const struct cql_client *client),
                            void *to);
void cql_clients_from(struct cql *c, cql_clients_fn *each, void *ctx);
/* docs/system-tables.md: the node's own tables, from virtual.def. */
void cql_system_tables_markdown(struct buf *out);
