/* table_options: what stands behind WITH: names, defaults, checks, and the one text form in which
 * the store keeps them, system_schema and DESCRIBE show them. Private to this room. Loop: any
 * thread.
 */
#pragma once
#include "cql/cql_int.h"

enum table_option {
#define OPTION(name, kind, fallback) OPTION_##name,
#include "cql/table_options.def"
#undef OPTION
    TABLE_OPTIONS
};
enum table_option_kind {
    OPTION_POLICY,
    OPTION_BOOL,
    OPTION_DOUBLE,
    OPTION_INT,
    OPTION_TEXT,
    OPTION_MAP
};
struct table_options {
    struct slice value[TABLE_OPTIONS]; /* canonical; strings without quotes */
};
extern const char *const table_option_names[TABLE_OPTIONS];
extern const enum table_option_kind table_option_kinds[TABLE_OPTIONS];

struct table_options table_options_default(void);
MUST_CHECK err_t table_options_of(const struct store_table *t, struct arena *a,
                                  struct table_options *out);
/* Adds what was written; Cassandra's words and codes for what is wrong. `id` of CREATE TABLE is
 * skipped. */
MUST_CHECK err_t table_options_take(const struct cql_properties *p, struct arena *a,
                                    struct table_options *io, struct diag *d);
/* compaction alone: a class of its own chance for bloom filters, where none is given
 * (table_options_compaction.c). */
MUST_CHECK err_t table_compaction_take(const struct cql_property *p, struct arena *a,
                                       struct table_options *io, bool bloom_given, struct diag *d);
/* Into a table that is to be made: what is not a default. */
MUST_CHECK err_t table_options_give(const struct table_options *o, struct arena *a,
                                    struct store_table *t);

/* The pairs of a map's canonical text, and back; pairs are sorted by name. */
enum { OPTION_PAIRS_MAX = 64 };
struct option_pairs {
    struct store_option at[OPTION_PAIRS_MAX];
    uint32_t count;
};
MUST_CHECK err_t option_pairs_read(struct slice text, struct arena *a, struct option_pairs *out);
struct slice option_pairs_text(struct option_pairs *p,
                               struct arena *a); /* sorts; at NULL: no memory */
const struct slice *option_pair(const struct option_pairs *p,
                                const char *name); /* NULL: not there */
bool option_pair_set(struct option_pairs *p, struct slice name, struct slice value);
void option_pair_remove(struct option_pairs *p, const char *name);
MUST_CHECK err_t option_pairs_of(const struct cql_property *p, struct option_pairs *out,
                                 struct diag *d);
void put_java_double(struct buf *out, double v); /* as Java prints it: 0.01, 1.0, 1.0E-5 */
/* "[a, b]" of names, as Java prints a set of strings. */
void put_pair_names(struct buf *out, const struct option_pairs *p);
/* What PropertyDefinitions says of all statements' properties. */
MUST_CHECK err_t property_bool(const struct cql_property *p, bool *out, struct diag *d);
MUST_CHECK err_t property_int(const struct cql_property *p, int32_t *out, struct diag *d);
MUST_CHECK err_t property_double(const struct cql_property *p, double *out, struct diag *d);
MUST_CHECK err_t property_text(const struct cql_property *p, struct slice *out, struct diag *d);
