/* meta_int: what the two dialects of the workflows' database are behind meta.h. */
#pragma once
#include "sched/meta.h"
#include "sched/secret.h"

typedef err_t (*meta_each)(void *ctx, const struct meta_row *row);
struct meta_call { /* one run of a statement */
    int statement; /* -1: `text` */
    const char *text;
    const struct meta_value *args;
    uint32_t count;
    meta_each each;
    void *ctx;
    err_t each_said; /* what ended the reading, when `each` did */
    int64_t changed;
};
struct meta_driver {
    err_t (*open)(struct meta *m, struct diag *d); /* m->conn, which close gives back in any case */
    void (*close)(struct meta *m);
    err_t (*run)(struct meta *m, struct meta_call *c, struct diag *d);
    err_t (*script)(struct meta *m, const char *text, struct diag *d); /* several statements */
    err_t (*prepare)(struct meta *m, enum meta_statement s, struct diag *d);
    err_t (*begin)(struct meta *m, bool writes, struct diag *d);
    err_t (*commit)(struct meta *m, struct diag *d);
    void (*rollback)(struct meta *m);
    err_t (*tell)(struct meta *m, struct diag *d);
    err_t (*heard)(struct meta *m, bool *changed, struct diag *d);
};
extern const struct meta_driver meta_sqlite, meta_postgres;

struct meta {
    const struct meta_driver *driver;
    enum meta_kind kind;
    void *conn;                /* the driver's */
    char *where;               /* as given, without Airflow's "+driver" and "sqlite:///" */
    char shown[256];           /* for people */
    char *files;               /* the folder of connections.yaml, variables.yaml; NULL: none */
    struct secret_ring secret; /* zeroed when it is closed */
    bool has_secret, inside, writes;
    int64_t busy_ms, statement_ms;
    err_t spoiled; /* what failed first in this transaction */
    int depth;
};

/* --- meta_text.c ------------------------------------------------------------------------------ */
/* The statement's text in its dialect, or the text with the dialect's words: see meta_text.c. */
MUST_CHECK err_t meta_expand(enum meta_kind kind, bool schema, const char *text, struct buf *out,
                             struct diag *d);
const char *meta_statement_text(enum meta_kind kind, int statement);
const char *meta_statement_name(int statement);
/* Lengths, UTF-8, zero bytes: what both dialects are spared. */
MUST_CHECK err_t meta_args_check(const struct meta_value *args, uint32_t count, struct diag *d);
