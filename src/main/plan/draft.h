/* plan/draft: a person's SELECT as the statements that make it a stream with its table, or a
 * materialized view: columns' types as the query has them, and where it only reads fields, as the
 * topic's last records have them.
 *
 * Never changes anything. Loop: any thread, blocking. Memory: an arena of DRAFT_ARENA_MAX. Limit:
 * DRAFT_KEY_MAX key columns; DRAFT_RECORDS a topic are looked at.
 */
#pragma once
#include "door/console/console.h"
#include "main/project.h"

/* {text, columns, key, makes_table, keyspace, note}; the pipeline is the project's, as it runs. */
MUST_CHECK err_t plan_draft(const struct project *running, struct slice pipeline,
                            const struct exec_world *w, const struct console_draft *ask,
                            struct buf *out, struct diag *d);
