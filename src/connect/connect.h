/* connect: the kinds of sources and sinks, each a folder with its options table.
 *
 * Nobody but main knows a kind by name; main finds it in connect_kinds and hands the port it opens
 * to flow. An option is one row: from it come the check, the error with the nearest name, the docs.
 */
#pragma once
#include "base/bytes.h"
#include "flow/port.h"

enum option_kind {
    OPTION_TEXT,
    OPTION_INT,
    OPTION_BOOL,
    OPTION_DURATION /* '10s' -> ms */,
    OPTION_BYTES /* '4MiB' */,
    OPTION_RATE /* '20000/5m' */,
    OPTION_PATH
};

struct connect_option {
    const char *name;
    enum option_kind kind;
    const char *fallback; /* NULL: none, "" : must be given */
    int64_t min, max;
    const char *about;
};
struct connect_given {
    struct slice name, value;
    uint32_t line, column;
};
struct connect_setting { /* parsed, one a row of the kind's table, in its order */
    bool given;
    struct slice text;
    int64_t number, per; /* OPTION_RATE: number a `per` ms */
};

struct connect_kind {
    const char *name; /* "http", "generator" */
    const char *about;
    const struct connect_option *options;
    size_t option_count;
    err_t (*open)(struct slice address, const struct connect_setting *settings,
                  struct source_port *out, struct diag *d);
};
extern const struct connect_kind *const connect_kinds[];
extern const size_t connect_kind_count;
const struct connect_kind *connect_kind_find(struct slice name); /* any case; NULL: none */
/* What every source may be given besides its kind's own options: for whoever runs it, not for the
 * kind. Declared in connect_common_options: key, time, every, answers ("stop after so many"),
 * records, codec (none, gzip, snappy, lz4, zstd). */
struct connect_common {
    struct slice key, time;
    int64_t every_ms;
    uint64_t answers_max, records_max;
    int codec; /* data's enum codec, by its number: none 0, gzip 1, snappy 2, lz4 3, zstd 4 */
};
extern const struct connect_option connect_common_options[];
extern const size_t connect_common_option_count;
/* Checks names, values and ranges against both tables: `where` gets file:line:column, the hint the
 * nearest name. *out has one setting a row of the kind's own table. */
MUST_CHECK err_t connect_settings(const struct connect_kind *k, const struct connect_given *given,
                                  size_t count, const char *file, struct arena *a,
                                  struct connect_setting **out, struct connect_common *common,
                                  struct diag *d);

/* --- quotas: rate limits that sources share by a name -------------------------------------------
 * Where what was taken of them is kept; not called, or "": nowhere, as when a plan looks at an
 * answer. Before any source is opened. */
MUST_CHECK err_t connect_quotas_in(const char *folder, struct diag *d);
struct connect_quota { /* as its file has it; live and by_tasks: taken in the last span */
    const char *name;
    int64_t number, per_ms, live, by_tasks;
    uint32_t waiting; /* who asked, was refused and will ask again */
    const char *who;  /* "source users, task load.get" */
};
/* Also beside a server that runs. `name`: that one alone, if it is there; NULL: all. */
MUST_CHECK err_t connect_quotas_look(const char *folder, const char *name, int64_t now_ms,
                                     void (*each)(void *ctx, const struct connect_quota *q),
                                     void *ctx, struct diag *d);
/* "an API's quota: 100/1m; taken by sources 10, by tasks 5; waiting: task load.get" */
void connect_quota_put(struct buf *out, const struct connect_quota *q);

/* The kinds and all options, made from the tables: for `sluice help sources` and docs/sources.md.
 */
void connect_help(struct buf *out, bool markdown);
