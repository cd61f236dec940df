/* letters: the dead letters, given to CQL's engine as rows. */
#pragma once
#include "cql/cql.h"
#include "exec/exec.h"

/* For cql_options.dead_letters; the context is the store. */
MUST_CHECK err_t letters_tell(void *store, struct slice stage, cql_dead_each *each, void *each_ctx);
