/* exec, inside: a text cut into statements, and those that are CQL's alone.
 *
 * Memory: the caller's arena; slices point into the text.
 */
#pragma once
#include "exec/exec_int.h"

struct exec_piece {
    struct slice text; /* one statement of CQL's, or a run of our own */
    bool cql;
    uint32_t line, column; /* where it stands, from 0 */
};
/* Whether a statement is Cassandra's alone (UPDATE, BEGIN BATCH, CREATE TYPE …), by its first
 * words: what it does is the room cql's. */
bool exec_is_cql(struct slice text);
bool exec_cql_reads(struct slice text); /* … and changes nothing: SELECT, LIST */
/* Whether it is a SELECT of system_views.dead_letters by its bare name. */
bool exec_of_letters(struct slice text);
MUST_CHECK err_t exec_cut(struct slice text, struct arena *a, struct exec_piece **out,
                          uint32_t *count, struct diag *d);
/* A mistake's place in a piece becomes its place in the whole text. */
void exec_place(struct diag *d, const struct exec_piece *p);

/* Is it CQL at all? Nothing runs before. */
MUST_CHECK err_t exec_cql_check(struct exec_call *x, struct slice text, struct diag *d);
MUST_CHECK err_t exec_cql_run(struct exec_call *x, struct slice text, struct diag *d);
