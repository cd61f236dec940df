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
/* Checks names, values and ranges against the kind's table: `where` gets file:line:column. */
MUST_CHECK err_t connect_settings(const struct connect_kind *k, const struct connect_given *given,
                                  size_t count, const char *file, struct arena *a,
                                  struct connect_setting **out, struct diag *d);
/* Flow's own options of a source, the same for every kind: key, every, results and so on stand in
 * connect_common; a kind's table holds the rest. */
extern const struct connect_option connect_common[];
extern const size_t connect_common_count;
