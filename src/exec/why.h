/* exec/why: a table's row by the words that people type for its key, and where it came from.
 *
 * Loop: any thread, blocking. Memory: arenas of CQL_CALL_BYTES_MAX at most. Limit: WHY_KEYS_MAX key
 * columns.
 */
#pragma once
#include "exec/exec.h"

enum { WHY_KEYS_MAX = 64 };
/* A word a key column, in the key's order; `key` has WHY_KEYS_MAX places. */
MUST_CHECK err_t key_of_words(const struct store_table *t, const struct slice *words,
                              uint32_t count, struct arena *a, struct value *key,
                              uint32_t *key_count, struct diag *d);
/* The row of the whole key: all columns, then their write times in microseconds (bigint; null for
 * key columns and where there is no cell). b->rows 0: it is not there. */
MUST_CHECK err_t row_of_key(struct store *s, const struct store_table *t, const struct value *key,
                            uint32_t key_count, struct column_batch *b,
                            struct store_lineage *lineage, struct diag *d);
/* Its row is told as the first step, then as flow_why_row does; ERR_NOT_FOUND with what may have
 * happened. */
MUST_CHECK err_t why_of_row(const struct exec_world *w, const struct store_table *t,
                            const struct slice *words, uint32_t count, const struct why_options *o,
                            struct diag *d);
