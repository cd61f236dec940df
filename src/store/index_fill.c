/* A new index gets an entry for each row that is there. */
#include "store/catalog.h"

err_t index_fill(struct store *s, const struct table *t, const struct store_index *i,
                 struct diag *d)
{
    (void)s;
    return diag_fail(d, ERR_UNSUPPORTED, "index %.*s of %.*s.%.*s: indexes are not here yet",
                     SLICE_ARG(i->name), SLICE_ARG(t->t.keyspace), SLICE_ARG(t->t.name));
}
