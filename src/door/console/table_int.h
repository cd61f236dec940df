/* table_int: what the console's files about tables share: a statement asked with the rights of who
 * is logged in. */
#pragma once
#include "cql/cql.h"
#include "door/console/console_int.h"

struct table_ask {
    struct exec_world *world;
    struct slice user;
    bool trusted; /* the server asks for itself: of its own tables only */
    struct slice text;
    const struct cql_value *values;
    uint32_t value_count;
    int32_t limit; /* rows of a page; 0: CQL_PAGE_ROWS */
    struct slice page;
    struct cql_session session;
    struct cql_call call; /* result: until table_ask_done */
    struct arena *arena;
    struct buf made;
};
struct table_ask table_ask_of(struct ask *a);
MUST_CHECK err_t table_ask_open(struct table_ask *t, struct diag *d);
MUST_CHECK err_t table_ask(struct table_ask *t, struct diag *d);
void table_ask_done(struct table_ask *t); /* also one that was not opened */
/* SELECT * FROM the table, with a condition where one is given. */
MUST_CHECK err_t table_select(struct table_ask *t, struct slice keyspace, struct slice name,
                              struct slice where, int32_t limit, struct diag *d);
err_t unknown_table(struct diag *d, struct slice keyspace, struct slice table);
void put_table_column(struct buf *out, struct slice name, const struct type *type,
                      enum column_role role, bool descending);
