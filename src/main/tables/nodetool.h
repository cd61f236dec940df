/* nodetool, inside: a command's words, and what it shows. */
#pragma once
#include "main/tables/tables.h"

enum { NODETOOL_WORDS = 64 };
struct nodetool {
    struct tables_session session;
    const char *words[NODETOOL_WORDS]; /* behind the command, without its options */
    int count;
    const char *tag;    /* -t */
    bool all;           /* --all */
    const char *format; /* -F; NULL: for people */
    bool human;         /* -H: sizes with units */
};

/* Cassandra's way to end: a wrong usage on standard output, 1; a failure on standard error, 2. */
int nodetool_wrong(const char *format, ...) PRINTF_LIKE(1, 2);
int nodetool_failed(struct nodetool *n);

/* 0, or the exit code of one that is not there. */
int nodetool_keyspace_known(struct nodetool *n, const char *keyspace, const char *unknown);

/* "135.95 KiB", "35.1 KiB", "149 bytes" */
void nodetool_size_text(uint64_t bytes, char out[32]);

int nodetool_status(struct nodetool *n);
int nodetool_info(struct nodetool *n);
int nodetool_ring(struct nodetool *n);
int nodetool_gossipinfo(struct nodetool *n);
int nodetool_version(struct nodetool *n);
int nodetool_describecluster(struct nodetool *n);
int nodetool_tablestats(struct nodetool *n);
int nodetool_compactionstats(struct nodetool *n);
int nodetool_tpstats(struct nodetool *n);
int nodetool_listsnapshots(struct nodetool *n);
int nodetool_getendpoints(struct nodetool *n);
