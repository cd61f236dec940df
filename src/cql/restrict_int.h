/* restrict_int: a relation on its way to be a restriction: made (restrict.c), joined to what is
 * there (restrict_join.c). Private to them. */
#pragma once
#include "cql/restrict.h"

/* What one relation is made with. */
struct relating {
    struct cql_preparing *p;
    const struct store_table *t;
    const struct cql_relation *r;
    struct restrictions *all;
    const struct restrict_options *o;
    struct diag *d;
    struct arena *a;
};
struct restriction *restriction_new(const struct relating *x, enum restrict_kind kind,
                                    const struct store_column *const *columns, uint32_t count);
/* Cassandra's words where the two can not stand together. */
MUST_CHECK err_t restrict_add(const struct relating *x, struct restriction *r);
MUST_CHECK err_t restrict_add_token(struct relating *x, struct restriction *r);
void restrict_put_names(struct buf *b, const struct store_table *t, uint32_t count);
