/* sql/cql/print_cql: CQL's trees as text, for golden tests: linked into the tests only. */
#pragma once
#include "sql/cql/tree.h"

void cql_print(const struct cql_statement_tree *s, struct buf *out);
void cql_print_node(const struct cql_node *n, struct buf *out);
