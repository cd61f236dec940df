/* project: a folder with sluice.yaml and pipeline.sql, read and checked; and made real.
 *
 * project_open reads and parses; project_check resolves every name and type without touching data;
 * project_make creates what is declared and hands sources and streams to flow. The texts, trees and
 * plans live in the project's arena, as long as the project.
 */
#pragma once
#include "connect/connect.h"
#include "exec/exec.h"
#include "main/config.h"

enum { PROJECT_PATH_MAX = 4096 };

struct project_options {
    const char *dir;  /* NULL: the current directory */
    const char *data; /* NULL: DIR/.sluice */
    const char *const *sets;
    size_t set_count;
    const struct slice *pipeline; /* instead of what is in pipeline.sql; NULL: that */
};

/* What becomes of a stream whose records and rows are there already. */
struct stream_fate {
    enum stream_change change;
    bool anew;         /* in place it can not go on: state, or a view's columns, are others */
    bool swap;         /* it is built beside the old one and takes its place … */
    char why[200];     /* why in place it can not go on */
    char instead[200]; /* why it can not be swapped, and what can be done */
};
struct project_stream { /* of CREATE STREAM, MATERIALIZED VIEW, SINK, INSERT INTO … SELECT */
    const struct statement *statement;
    struct plan_stream plan;
    struct sql_relation view; /* of a view: the table it lives in; name.at NULL: none */
    bool makes_topic;         /* INTO TOPIC of one that nobody declares */
};

struct project {
    char dir[PROJECT_PATH_MAX], data[PROJECT_PATH_MAX], name[128];
    struct config config;
    struct arena *arena;
    struct slice pipeline; /* the text of pipeline.sql; empty when there is none */
    struct script script;
    struct vec streams; /* of struct project_stream, by project_check */
    struct vec past;    /* struct catalog *: of pipelines that ran before, for plans made of them */
    int64_t run;        /* which `sluice up` this is, also after a restart of its server; 0: none */
};

MUST_CHECK err_t project_open(const struct project_options *o, struct project *out, struct diag *d);
void project_close(struct project *p);
/* A path inside the data directory; `out` has PROJECT_PATH_MAX bytes. */
/* A setting's file: as it is when absolute, else from the project's folder on. NULL: none. */
const char *project_file_setting(const struct project *p, enum config_id id,
                                 char out[PROJECT_PATH_MAX]);
MUST_CHECK err_t project_data_path(const struct project *p, const char *name, char *out,
                                   struct diag *d);

/* Declares everything in the catalog, checks options, binds every stream. No data needed. */
MUST_CHECK err_t project_check(struct project *p, struct catalog *c, struct diag *d);
/* Makes keyspaces, tables and topics that are missing; of the statements from this byte of the
 * pipeline on. */
MUST_CHECK err_t project_make(struct project *p, uint32_t from, const struct exec_world *w,
                              struct diag *d);
/* Another text in the place of the one it was opened with, before it is checked. */
MUST_CHECK err_t project_read(struct project *p, struct slice pipeline, struct diag *d);
bool statement_is_stream(const struct statement *s); /* one that flow runs */
bool statement_is_from(const struct statement *s,
                       uint32_t from); /* it begins at this byte or later */
/* What a source's WITH gives, for the kind of source it is; in the project's arena. */
MUST_CHECK err_t project_source(struct project *p, const struct statement *s,
                                const struct connect_kind **kind, struct connect_setting **settings,
                                struct connect_common *common, struct diag *d);
/* As it is written; {0}: there is no such source, or it has no such option. */
struct slice project_source_option(const struct project *p, struct slice source, const char *name);
bool project_declares(const struct project *p, struct slice stage); /* a source or stream */
/* upgrade.c */
MUST_CHECK err_t stream_fate_of(struct project *p, struct store *s,
                                const struct project_stream *stream, struct stream_fate *out,
                                struct diag *d);
/* Beside what ran before, bound as it was then; where that can not be had, beside its table. */
MUST_CHECK err_t wire_upgrade(struct project *p, const struct exec_world *w,
                              const struct project_stream *stream, struct diag *d);
/* A view's table, as its statement asks for it; in the project's arena. */
MUST_CHECK err_t project_view_table(struct project *p, const struct project_stream *stream,
                                    struct store_table *out, struct diag *d);
/* Opens the sources' connections and gives sources and streams to flow; of the statements from this
 * byte on. After check and make. */
MUST_CHECK err_t project_wire(struct project *p, uint32_t from, const struct exec_world *w,
                              struct diag *d);
/* A topic's partition count and options as declared by source or topic statement. */
MUST_CHECK err_t project_topic_of(const struct statement *s, struct slice *name,
                                  int32_t *partitions, struct log_topic_config *config,
                                  struct diag *d);
