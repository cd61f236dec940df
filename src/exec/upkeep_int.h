/* upkeep, inside: what its files share. */
#pragma once
#include "exec/upkeep.h"

enum { UPKEEP_TEXT_MAX = 64 << 20 };

/* Sends what is in `text` and empties it. */
MUST_CHECK err_t upkeep_put(struct upkeep *u, struct buf *text);
bool upkeep_stopping(const struct upkeep *u);
/* The table that `table` names; ERR_UNKNOWN_TABLE. */
MUST_CHECK err_t upkeep_table(struct upkeep *u, const struct store_table **out, struct diag *d);
/* Every page of a statement's rows; `page` may keep nothing. */
typedef err_t upkeep_page_fn(void *ctx, const struct cql_result *r, bool first, struct arena *a,
                             struct diag *d);
MUST_CHECK err_t upkeep_ask(struct upkeep *u, struct slice statement, upkeep_page_fn *page,
                            void *ctx, struct diag *d);
MUST_CHECK err_t upkeep_snapshot(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_snapshots(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_clear(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_export(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_replay(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_why(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_dead_next(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_dead_mend(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_dead_forget(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_dead_replay(struct upkeep *u, struct diag *d);
MUST_CHECK err_t upkeep_import(struct upkeep *u, struct diag *d);
