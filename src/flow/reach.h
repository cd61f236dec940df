/* flow/reach: which rows of a plan can reach given rows of its end. What is known of the end's
 * columns is followed down through plain columns, GROUP BY's and joins' keys, so that a plan can be
 * run again for one row alone, with the same result for it. A join of which only one side is known
 * takes one more run, which collects the keys the other side needs (reach_unknown).
 *
 * Never leaves out a row that could have a part in the result; may let others through. Loop: any.
 * Memory: sets of keys, REACH_KEYS_MAX each (ERR_TOO_BIG beyond).
 */
#pragma once
#include "flow/op.h"

enum { REACH_KEYS_MAX = 1 << 20 };

struct reach;
MUST_CHECK err_t reach_new(const struct plan_stream *p, struct reach **out, struct diag *d);
void reach_free(struct reach *r); /* NULL is fine */
/* Only rows whose `column` of what the node gives is this value. */
MUST_CHECK err_t reach_fix(struct reach *r, const struct plan_node *n, uint32_t column,
                           const struct value *v, struct diag *d);
/* Only rows with the keys of these: of what the operator's input gives, its keys' bytes. `keys` is
 * taken over. */
MUST_CHECK err_t reach_keys(struct reach *r, const struct plan_node *n, uint32_t input,
                            struct map *keys, struct diag *d);
/* Whether a join's side is not known yet: the next run collects its keys, and gives no rows. */
bool reach_unknown(struct reach *r);
/* After such a run. */
MUST_CHECK err_t reach_known(struct reach *r, struct diag *d);
/* graph_options.tap: narrows the rows. */
MUST_CHECK err_t reach_tap(struct reach *r, struct op *from, struct rows *rows, struct diag *d);
/* The bytes of an operator's keys in one row of its input, as reach_keys wants them: those of GROUP
 * BY, a join's side, DISTINCT, a top-N. Evaluates; ERR_NOT_FOUND: a key is null or fails. */
MUST_CHECK err_t reach_evaluate(struct op *from, const struct plan_node *to, uint32_t input,
                                const struct rows *rows, struct column **columns, uint32_t *count,
                                struct diag *d);
