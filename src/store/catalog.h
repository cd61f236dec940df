/* store/catalog: what the catalog's own files share. Private to them.
 *
 * Readers take no lock: a name, once there, stays (dropped: its value is NULL), and a change hangs
 * a new immutable value under it. One change runs at a time, between change_enter and change_leave.
 */
#pragma once
#include "store/store_int.h"

enum { CATALOG_MEMORY_MAX = 256 << 20, NAMES_MAX = 100000, OPTIONS_MAX = 1024 };

struct named {
    struct slice keyspace, name; /* a keyspace: name is empty */
    uint64_t hash;
    _Atomic(const void *) now;    /* store_keyspace, struct table or user_type; NULL: dropped */
    _Atomic(struct named *) next; /* in the order they first came */
    bool filling;                 /* store.gate: an index is being made; others wait */
    struct store_hold *holds;     /* store.gate: who writes into it for as long as he runs */
};
struct name_slots { /* open addressing; a larger one replaces it, readers may still hold the old */
    size_t cap;
    struct name_slots *older;
    _Atomic(struct named *) at[];
};
struct names {
    _Atomic(struct name_slots *) slots;
    _Atomic(struct named *) first;
    struct named *last;
    size_t count;
};
struct user_type {
    const struct type *type;
    uint64_t number; /* grows: the order of their making */
};
struct schema {
    struct arena *arena; /* all values live as long as the store */
    struct names keyspaces, tables, types;
    uint32_t next_prefix;
    uint64_t next_type;
    _Atomic uint64_t version;
};

/* catalog.c */
struct named *name_find(const struct names *n, struct slice keyspace, struct slice name);
MUST_CHECK err_t name_put(struct schema *m, struct names *n, struct slice keyspace,
                          struct slice name, struct named **out);
const void *name_now(const struct names *n, struct slice keyspace, struct slice name);
MUST_CHECK err_t name_check(struct slice name, const char *what, struct diag *d);
/* Alone: no commit runs and no other change; `about`: nor is an index of this table being filled
 * (NULL: of any). The gate itself stays open for readers. */
MUST_CHECK err_t change_enter(struct store *s, struct named *about, struct diag *d);
extern struct named no_table; /* of changes that concern no table that is there */
void change_leave(struct store *s);

/* hold.c: ERR_INVALID when somebody holds the table. Of a change that has been entered. */
MUST_CHECK err_t table_unheld(struct store *s, const struct named *x, const char *verb,
                              struct diag *d);
MUST_CHECK err_t columns_unheld(struct store *s, const struct table *old,
                                const struct store_table *wanted, struct diag *d);

/* catalog_record.c: values <-> bytes. What is taken lives in the arena. */
void type_put(struct buf *out, const struct type *t);
MUST_CHECK err_t type_take(struct cursor *c, struct arena *a, const struct type **out,
                           struct diag *d);
void keyspace_put(struct buf *out, const struct store_keyspace *k);
MUST_CHECK err_t keyspace_take(struct slice name, struct slice value, struct arena *a,
                               struct store_keyspace *out);
MUST_CHECK err_t replication_parse(struct slice text, struct arena *a, struct store_keyspace *out);
void table_put(struct buf *out, const struct table *t);
MUST_CHECK err_t table_take(struct slice keyspace, struct slice name, struct slice value,
                            struct arena *a, struct table **out, struct diag *d);

/* catalog_change.c: one batch of records, shown to readers once it is durable. */
struct shown {
    struct named *named;
    const void *value;
};
struct catalog_change {
    struct store *s;
    rocksdb_writebatch_t *batch;
    struct buf key, value;
    struct vec shown;
    uint32_t next_prefix;
    uint64_t version, next_type;
    err_t err; /* sticky */
};
void change_begin(struct catalog_change *c, struct store *s);
/* Writes it and shows it, or gives it up (e, or what went wrong since). */
MUST_CHECK err_t change_end(struct catalog_change *c, err_t e, struct diag *d);
void change_record(struct catalog_change *c, char kind, struct slice keyspace, struct slice name,
                   bool put); /* c->value; put false: deletes it */
void change_show(struct catalog_change *c, struct names *n, struct slice keyspace,
                 struct slice name, const void *value);
void change_forget(struct catalog_change *c, uint32_t prefix); /* all entries of it */
/* The table as `t` says, read back as the next start will; `old`: whose place it takes, or NULL. */
const struct table *change_table(struct catalog_change *c, const struct table *t,
                                 const struct table *old, struct diag *d);
void change_drop_table(struct catalog_change *c, const struct table *t);

/* index_fill.c */
MUST_CHECK err_t index_fill(struct store *s, const struct table *t, const struct store_index *i,
                            struct diag *d);
