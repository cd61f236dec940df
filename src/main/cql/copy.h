/* main/cql/copy: tables as CSV, both ways: what COPY's two directions share. */
#pragma once
#include "connect/cql/pool.h"
#include "data/value.h"
#include "main/cql/records.h"
#include "main/cql/shell.h"

enum { COPY_COLUMNS_MAX = RECORD_FIELDS_MAX };

struct copy_column {
    struct slice name;
    bool partition, key, wanted;
};
struct copy {
    struct shell *shell;
    struct arena *arena; /* as long as the COPY */
    struct slice keyspace, table;
    struct copy_column columns[COPY_COLUMNS_MAX]; /* of the table, in its order */
    uint32_t column_count;
    struct slice names[COPY_COLUMNS_MAX]; /* those that are copied, in theirs */
    uint32_t name_count;
    bool to, standard; /* STDIN, STDOUT */
    const char *path;
    /* options */
    struct records_form csv;
    bool header;
    const char *null, *errfile, *skip_columns;
    struct show_form form;
    int64_t page_size, max_rows, skip_rows, max_parse_errors, max_insert_errors, ttl;
    /* how it goes */
    FILE *file;
    uint64_t rows, skipped, failed;
    int64_t began_ns, shown_ns;
    uint64_t shown_rows;
    struct cql_pool *pool;
};

void copy_out(struct copy *c);
void copy_in(struct copy *c);
MUST_CHECK bool copy_pool(struct copy *c); /* opens it; false: told */
void copy_progress(struct copy *c, bool last);
void copy_put_names(const struct copy *c, struct buf *out); /* "a, B" as CQL */
