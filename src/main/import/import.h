/* import: what `sluice import` knows of a project of the known family (a compose file, Airflow
 * dags, spark_stream.py, a producer), gathered file by file, and what it writes.
 *
 * Never runs anything of it, never copies a password. Loop: the command's thread. Memory: one
 * arena. Limit: IMPORT_* below.
 */
#pragma once
#include "base/bytes.h"
#include "data/doc.h"
#include "main/import/py.h"

enum { IMPORT_FILES_MAX = 500, IMPORT_DEPTH_MAX = 8, IMPORT_LINES_MAX = 5000 };
enum defect {
#define DEFECT(name, what, instead) DEFECT_##name,
#include "main/import/defects.def"
#undef DEFECT
    DEFECTS
};
struct defect_kind {
    const char *code, *what, *instead;
};
extern const struct defect_kind defect_kinds[DEFECTS];

struct import_file {
    const char *path; /* from the project's folder on */
    struct slice text;
    struct py_node *module; /* of *.py */
    const struct doc *yaml; /* of compose */
};
struct import_line { /* a finding, something left, a secret: a place and a sentence */
    const struct import_file *file;
    uint32_t line;
    int defect;
    const char *text;
};

/* What a Python or Spark expression comes to, over one record of the API. */
enum meaning_kind {
    MEANS_NONE,
    MEANS_PATH,
    MEANS_SQL,
    MEANS_TEXT,
    MEANS_NUMBER,
    MEANS_FRESH,
    MEANS_FIELDS
};
struct meaning {
    enum meaning_kind kind;
    struct slice text;  /* a path, "" the record itself; SQL; a constant's text */
    struct vec *fields; /* struct field */
};
struct field {
    struct slice name;
    struct meaning value;
    const struct import_file *file;
    uint32_t line;
};
struct table_column {
    struct slice name, type;
};
struct import_dag {
    struct slice id;
    const struct import_file *file;
    const struct py_node *call, *scope; /* DAG(…) or @dag(…); what stands in it; NULL: by dag=… */
    struct slice variable;
    struct vec tasks; /* struct import_task */
};
struct import_task {
    struct slice id, variable;
    const struct py_node *call; /* the operator; of TaskFlow the def */
    struct vec after;           /* of struct slice: ids */
};

struct import {
    struct arena *arena;
    const char *dir, *out;
    struct vec files, findings, left, secrets, understood; /* struct import_line */
    err_t err;                                             /* no memory, or too much: sticky */
    /* the source */
    struct slice url, topic, key, sample;
    const struct import_file *url_file, *sample_file;
    uint32_t url_line, results;
    int64_t every_ms, count, seconds, partitions;
    bool in_results, sends, readme_retries, endless;
    struct meaning sent; /* what goes into the topic: the record itself, or fields of it */
    /* the stream */
    const struct import_file *stream_file;
    struct vec columns; /* struct field: what Spark selects */
    struct vec schema;  /* struct field: names of the flat schema */
    struct slice alias; /* of from_json(…) */
    bool everything;    /* select("data.*") */
    /* the table */
    struct slice keyspace, table, table_key;
    const struct import_file *table_file;
    uint32_t table_line;
    struct vec table_columns; /* struct table_column */
    struct vec finals;        /* struct field: what each column of the table is made of */
    struct vec dags;
    struct buf connections, settings;
    struct vec owned; /* of struct vec *: given back at the end */
};

/* --- import.c: files, and what is said about them --- */
void import_done(struct import *m);
MUST_CHECK err_t import_read(struct import *m, struct diag *d);
void import_find(struct import *m, enum defect defect, const struct import_file *f, uint32_t line);
void import_leave(struct import *m, const struct import_file *f, uint32_t line, const char *text,
                  ...) PRINTF_LIKE(4, 5);
void import_understand(struct import *m, const struct import_file *f, uint32_t line,
                       const char *text, ...) PRINTF_LIKE(4, 5);
void import_secret(struct import *m, const struct import_file *f, uint32_t line, const char *name);
void *import_add(struct import *m,
                 struct vec *v); /* never NULL: a spare one when there is no room */
struct slice import_print(struct import *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
bool is_secret_name(struct slice name);
bool slice_holds(struct slice s, const char *part); /* whatever the case */

/* --- constants.c, values.c, columns.c --- */
struct scope; /* the names of a function that is followed */
/* A text, a number, None, timedelta, datetime … of a constant expression, names looked up in the
 * file; false: it is none. Numbers as their text. */
bool constant_of(struct import *m, const struct import_file *f, const struct py_node *n,
                 struct slice *out);
/* What a module's own lines assign to this name, the last time; NULL: nothing. */
const struct py_node *py_assigned(const struct py_node *module, struct slice name);
/* The function of this name: in the file, else in another. */
const struct py_node *py_function_find(const struct import *m, const struct import_file *f,
                                       struct slice name, const struct import_file **where);
/* Follows a function (or a module's own lines) that sends: m->sent, url, topic, count … */
void follow(struct import *m, const struct import_file *f, const struct py_node *body);
/* What a Spark column expression comes to over the topic's records. */
struct meaning column_value(struct import *m, const struct import_file *f, const struct py_node *n);
void value_put_sql(struct import *m, struct buf *out, const struct meaning *v, struct slice type);
/* What this path of the topic's record is over the API's: through the producer's fields. */
struct meaning value_of_path(struct import *m, struct slice path);

/* --- dag_tasks.c --- */
/* The node's value as YAML (JSON's form): constants, lists, maps, timedelta as "300s", datetime;
 * false and nothing written: it is none of them. */
bool put_yaml_value(struct import *m, const struct import_file *f, const struct py_node *n,
                    struct buf *out);
void put_yaml_text(struct buf *out, struct slice text);
void task_write(struct import *m, const struct import_dag *g, const struct import_task *t,
                bool scheduled, struct buf *out);
bool task_is_stream(struct import *m, const struct import_dag *g, const struct import_task *t);
/* One word and value of default_args or an operator, when it is a task's word; false: it is none.
 */
bool task_word(struct import *m, const struct import_file *f, struct slice name,
               const struct py_node *value, const char *indent, struct buf *out);

/* --- names of what is written --- */
struct slice source_name(const struct import *m); /* {0}: no source */
struct slice stream_name(struct import *m);       /* {0}: no stream */

/* --- facts.c, compose.c, dags.c, write.c --- */
void gather_producers(struct import *m);
void gather_streams(struct import *m);
void gather_compose(struct import *m);
void gather_dags(struct import *m);
void pipeline_write(struct import *m, struct buf *out);
void fixture_write(struct import *m, struct buf *out); /* nothing written: no records found */
MUST_CHECK err_t import_write(struct import *m, struct diag *d);
void dags_write(struct import *m, struct buf *out);
void report_write(struct import *m, struct buf *out);
