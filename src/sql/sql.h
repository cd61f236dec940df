/* sql: text in, plans out. One lexer, one tree, one binder; a dialect is a row of flags.
 *
 * Loop: any thread; no state of its own. Memory: the caller's arena. Limit: SQL_TEXT_MAX bytes,
 * SQL_DEPTH_MAX levels of nesting. Does no I/O, reads no clock.
 */
#pragma once
#include "sql/plan.h"

enum { SQL_TEXT_MAX = 4 << 20, SQL_DEPTH_MAX = 200 };
enum sql_dialect { DIALECT_SLUICE, DIALECT_CQL, DIALECT_PG };

enum statement_kind {
    STATEMENT_CREATE_SOURCE,
    STATEMENT_CREATE_TOPIC,
    STATEMENT_CREATE_KEYSPACE,
    STATEMENT_CREATE_TABLE,
    STATEMENT_CREATE_STREAM,
    STATEMENT_CREATE_VIEW, /* MATERIALIZED VIEW */
    STATEMENT_CREATE_SINK,
    STATEMENT_CREATE_FUNCTION, /* name(a type, …) [RETURNS type] AS expression */
    STATEMENT_ALTER,           /* ALTER SOURCE|TOPIC|STREAM|SINK|VIEW name SET (…) */
    STATEMENT_INSERT,          /* Flink's INSERT INTO t SELECT …: a stream without a name */
    STATEMENT_DROP,
    STATEMENT_TRUNCATE,
    STATEMENT_USE,
    STATEMENT_SELECT,
    STATEMENT_DESCRIBE,
    STATEMENT_SHOW,
};

struct sql_option { /* WITH (name = value, …): the value as text, typed later by its owner's table
                     */
    struct slice name, value;
    uint32_t line, column; /* where it stands, for errors */
    const uint8_t *at;     /* the same place, in the script */
};
struct sql_options {
    const struct sql_option *items;
    uint32_t count;
};
struct sql_name {
    struct slice keyspace, name; /* keyspace.at NULL: not written */
};

struct sql_note { /* what was read and means nothing here: told, not refused */
    uint32_t line, column;
    struct slice text;
};

struct statement {
    enum statement_kind kind;
    struct slice text;   /* as written, without the ';' */
    struct slice script; /* the whole text it stands in, for messages */
    const char *file;    /* its name */
    enum sql_dialect dialect;
    uint32_t line, column;
    struct sql_name name;      /* created, dropped, used, described, written to */
    struct sql_name into;      /* CREATE STREAM s INTO [ks.]t */
    bool into_topic;           /* … INTO TOPIC t */
    struct slice sink;         /* CREATE SINK s INTO KIND: the word, folded */
    struct slice sink_address; /* … INTO KIND 'address' */
    bool if_not_exists, if_exists, or_replace;
    struct { /* CREATE SOURCE name [(columns)] FROM KIND 'address' WITH (…) WATERMARK … INTO TOPIC t
                WITH (…) */
        struct slice kind, address;
        struct sql_options options;
        struct slice topic;
        struct sql_options topic_options;
    } source;
    /* of CREATE SOURCE, and CREATE TOPIC t (…) WATERMARK FOR … */
    struct slice watermark_column; /* login.at; without quotes */
    int64_t watermark_delay_ms;    /* -1: none */
    /* CREATE TABLE: partition keys in the key's order, clustering keys, then the others as written;
     * declared columns of a source or topic as written. */
    const struct sql_column *columns;
    uint32_t column_count;
    struct sql_options options; /* CREATE TOPIC, TABLE, KEYSPACE, STREAM, VIEW, SINK; ALTER … SET */
    const struct query_tree *query; /* SELECT, CREATE STREAM, VIEW, SINK: opaque, for the binder */
    const struct tree *expression;  /* CREATE FUNCTION */
    const struct type *returns;     /* CREATE FUNCTION; NULL: as the expression has it */
    struct slice *view_key; /* CREATE MATERIALIZED VIEW v PRIMARY KEY ((a, b), c): names … */
    uint32_t view_key_count, view_partition_count; /* … of which so many are the partition key */
    bool emit_set;                                 /* EMIT ON CHANGE | ON WINDOW CLOSE */
    enum emit emit;
    struct slice what; /* DROP TABLE|STREAM…, ALTER, SHOW what, DESCRIBE what: the upper-case word;
                          {0} none */
    const struct sql_note *notes;
    uint32_t note_count;
    /* The statements of the same text that this one stands on (views, Flink's tables): what it
     * means changes with them. */
    const struct slice *uses;
    uint32_t use_count;
};

struct script {
    struct statement *statements;
    uint32_t count;
};
/* `file` is the name for errors ("pipeline.sql"); where becomes file:line:column, why shows the
 * line with a mark under the place. */
MUST_CHECK err_t sql_parse(struct slice text, const char *file, enum sql_dialect dialect,
                           struct arena *a, struct script *out, struct diag *d);

/* CREATE STREAM, MATERIALIZED VIEW, SINK, and INSERT INTO … SELECT. A view's own table must be in
 * the catalog as RELATION_TABLE: sql_bind_view says what it is. */
MUST_CHECK err_t sql_bind_stream(const struct statement *s, const struct sql_catalog *c,
                                 const char *file, struct arena *a, struct plan_stream *out,
                                 struct diag *d);
/* The table a materialized view lives in: its columns are the query's, its key the one written, or
 * the one the query's rows have (a group's keys: partition key, window_start clustering). */
MUST_CHECK err_t sql_bind_view(const struct statement *s, const struct sql_catalog *c,
                               const char *file, struct arena *a, struct sql_relation *out,
                               struct diag *d);
MUST_CHECK err_t sql_bind_select(const struct statement *s, const struct sql_catalog *c,
                                 enum sql_dialect dialect, struct arena *a, struct plan_select *out,
                                 struct diag *d);
/* Where a part of a script's text stands; false: it is no part of it. */
bool sql_where(struct slice script, struct slice part, uint32_t *line, uint32_t *column);
/* An option's value by name; {0} when not given. */
struct slice sql_option(const struct sql_options *o, const char *name);
/* Prints the plan for `sluice plan`: typed inputs, filter, checks, outputs. */
void plan_stream_print(const struct plan_stream *p, struct buf *out);
void plan_node_print(const struct plan_node *n, struct buf *out); /* a line a node, indented */
/* What a node does, without its kind, its columns and its inputs; "" where there is no more. */
void plan_node_about(const struct plan_node *n, struct buf *out);
/* The functions by name with sentence and example: for `sluice help functions` and docs/sql.md. */
void sql_functions_help(struct buf *out, bool markdown);
/* Every word of the language, then every function and aggregate (of one name, each signature):
 * for those who complete what somebody types. Borrowed until `each` returns. */
struct sql_word {
    const char *text, *signature, *about; /* signature NULL: a word */
};
MUST_CHECK err_t sql_words(err_t (*each)(void *ctx, const struct sql_word *w), void *ctx);
/* The generated part of docs/sql.md: functions and words. */
void sql_docs(struct buf *out);
