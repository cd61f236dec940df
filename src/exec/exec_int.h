/* exec, inside: one statement's run. */
#pragma once
#include "exec/exec.h"

struct exec_call {
    struct exec_session *session;
    struct exec_world *world;
    const struct query_limits *limits;
    const struct exec_sink *sink;
    struct arena *arena; /* of the whole text; gone when exec_run answers */
};

void exec_note(struct exec_call *x, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct slice exec_keyspace(const struct exec_call *x, struct sql_name n);
const struct store_table *exec_table(const struct exec_call *x, struct sql_name n);
MUST_CHECK err_t exec_describe(struct exec_call *x, const struct statement *s, struct diag *d);
MUST_CHECK err_t exec_show(struct exec_call *x, const struct statement *s, struct diag *d);
