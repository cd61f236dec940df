/* schema: what the files that run DDL share. Private to this room.
 *
 * A change is decided and made within the gate of changes (one at a time), on a worker; what is
 * wrong is told in Cassandra's words, in the order in which it looks. */
#pragma once
#include "cql/permit.h"
#include "cql/table_options.h"
#include "cql/virtual.h"

enum { SCHEMA_NAME_MAX = 48, SCHEMA_TRIES = 64 };

struct schema_run {
    struct cql_call *call;
    struct cql *cql;
    struct store *store;
    struct arena *a;
    struct diag *d;
    const struct cql_statement_tree *t;
    struct slice keyspace; /* the statement's, or the session's */
    struct slice name;
    bool changed; /* else: there was nothing to do, as IF [NOT] EXISTS says */
    struct cql_schema_change change;
};
typedef err_t schema_step(struct schema_run *r);
schema_step schema_create_keyspace, schema_alter_keyspace, schema_drop_keyspace,
    schema_create_table, schema_alter_table, schema_drop_table, schema_create_type,
    schema_alter_type, schema_drop_type, schema_create_index, schema_drop_index, schema_truncate;

/* Runs the step; anew, with the schema as it is then, while others that the gate does not hold (a
 * stream's swap, a statement of `sluice query`) were faster: no client of Cassandra knows that a
 * change can be outrun. After SCHEMA_TRIES it is told as it is. */
MUST_CHECK err_t schema_take(struct schema_run *r, schema_step *step);

static inline void schema_changed(struct schema_run *r, const char *change, const char *target,
                                  struct slice name)
{
    r->changed = true;
    r->change = (struct cql_schema_change){change, target, r->keyspace, name};
}
/* \w+, at most SCHEMA_NAME_MAX characters; any length where Cassandra does not look. */
bool schema_name_is_word(struct slice name);
bool schema_name_is_valid(struct slice name);
/* Is there such a keyspace that may be changed? "Keyspace 'x' doesn't exist" */
MUST_CHECK err_t schema_need_keyspace(struct schema_run *r);
/* What is wrong before anything is looked up: schema_table.c. */
MUST_CHECK err_t schema_check_table_tree(const struct cql_statement_tree *t, struct slice keyspace,
                                         struct diag *d);
struct cql_prepare schema_types(struct schema_run *r); /* resolves types in the run's keyspace */
bool type_references(const struct type *t, enum type_kind kind);
bool type_references_named(const struct type *t, struct slice user_type);
void schema_put_type(struct buf *out, const struct type *t); /* for messages */
/* A table's columns in the store's order; `columns` is sorted in place. */
void schema_order_columns(struct store_column *columns, uint32_t count);
/* Of this keyspace, by name; NULL: none. */
const struct store_table *schema_indexed_table(struct cql *c, struct slice keyspace,
                                               struct slice index, struct arena *a, uint32_t *at);
void put_table_name(struct buf *out, const struct store_table *t); /* k."T" */
