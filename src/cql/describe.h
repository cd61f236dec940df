/* describe: the schema as the statements that would make it, in Cassandra 5.0's form. Private to
 * this room. */
#pragma once
#include "cql/virtual.h"

void describe_keyspace(struct buf *out, struct cql *c, const struct store_keyspace *k);
void describe_type(struct buf *out, struct slice keyspace, const struct type *t);
MUST_CHECK err_t describe_table(struct buf *out, const struct store_table *t, bool internals,
                                struct arena *a);
MUST_CHECK err_t describe_index(struct buf *out, const struct store_table *t,
                                const struct store_index *x, struct arena *a);
