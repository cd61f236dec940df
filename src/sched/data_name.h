/* data_name: what dags wait for and tasks change. A table or a topic is looked at itself as well;
 * an asset is a name alone, which stands for whatever is called so.
 *
 * Pure. Memory: the arena it is read into, which also holds the document.
 */
#pragma once
#include "data/doc.h"

struct data_name {
    struct slice kind /* table, topic, asset */, name; /* a table's: KEYSPACE.TABLE */
};
/* How far a table's rows or a topic's records have come. Two places of one name differ when
 * something has changed between them. */
struct data_place {
    uint64_t of; /* another one of this name has another; 0: there is none */
    uint64_t count;
};
/* [{table: NAME}, {topic: NAME}, {asset: NAME}, NAME], or one of them. ERR_INVALID: *wrong is what
 * is none. */
MUST_CHECK err_t data_names_read(const struct doc *v, struct arena *a, const struct data_name **out,
                                 uint32_t *count, const struct doc **wrong);
bool data_name_looked_at(const struct data_name *n);
/* Does a change of `kind` and `name` mean it? */
bool data_name_means(const struct data_name *n, struct slice kind, struct slice name);
/* Is it another than at `then`: written to, or made anew? What came to be with nothing in it, or
 * went, is not. */
bool data_place_moved(struct data_place then, struct data_place now);
