/* statement: text becomes a plan; private to this room's core. */
#pragma once
#include "cql/cql_int.h"

/* Fills a zeroed statement that has its arena. */
MUST_CHECK err_t statement_make(struct cql *c, const struct cql_session *session, struct slice text,
                                struct slice keyspace, struct cql_statement *s, struct diag *d);
bool statement_is_qualified(const struct cql_statement_tree *t);
