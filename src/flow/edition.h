/* edition: under which key a stream's records stand, and what SQL made them.
 *
 * A stream's cursors, epochs, ledger, letters and state stand on the store under a key: its name,
 * or, once it has been built anew, its name, 1 and a number. One record says which edition is the
 * stream's and which is being built; a swap is that record written anew (docs/flow.md). Loop: any
 * thread. Memory: the caller's arena. Limit: texts of SQL_TEXT_MAX. Never runs anything.
 */
#pragma once
#include "flow/flow_int.h"

enum { EDITION_MARK = 1 }; /* between a name and its edition's number, in a key */

struct editions {                 /* of one stream; all 0: it was never built anew */
    uint64_t now, last;           /* last: the greatest number ever given */
    uint64_t building;            /* 0: none */
    uint64_t version, shape;      /* of the SQL that is being built … */
    struct slice keyspace, table; /* … and where its rows stand until then */
};
MUST_CHECK err_t editions_load(struct store *s, struct slice name, struct arena *a,
                               struct editions *out, struct diag *d);
MUST_CHECK err_t editions_write(struct store_write *w, struct slice name,
                                const struct editions *all);
void editions_record(struct slice name, const struct editions *all, struct buf *key,
                     struct buf *value);

/* upgrade.c: the edition that is being built is not wanted any more. */
MUST_CHECK err_t edition_give_up(struct store *s, struct slice name, struct editions *all,
                                 struct diag *d);

struct stage_text { /* a stage's name or key */
    uint8_t at[STAGE_KEY_MAX];
    uint32_t len;
};
static inline struct slice stage_text_slice(const struct stage_text *t)
{
    return slice_make(t->at, t->len);
}
struct stage_text edition_key(struct slice name, uint64_t edition);
struct stage_text building_name(struct slice name); /* what the one being built is called */
/* A stage's name as people write it -> the key of its records. */
MUST_CHECK err_t stage_key_find(struct store *s, struct slice name, struct stage_text *out,
                                struct diag *d);
struct stage_shown { /* and back, remembered from one record to the next */
    struct stage_text key, name;
    bool known, gone; /* gone: an edition that is no more */
};
MUST_CHECK err_t stage_show(struct store *s, struct slice key, struct stage_shown *shown,
                            struct diag *d);

/* What is good for nothing any more: an edition, and the table that its rows stand in. */
MUST_CHECK err_t garbage_write(struct store_write *w, struct slice key, struct slice keyspace,
                               struct slice table);
void garbage_record(struct slice edition, struct slice keyspace, struct slice table,
                    struct buf *key, struct buf *value);
/* Removes all of it, in writes of a bounded size; a crash leaves the rest to the next call. */
MUST_CHECK err_t garbage_clear(struct store *s, struct diag *d);

/* The SQL of the plan, with the epoch that it writes first; nothing where the store knows it. */
MUST_CHECK err_t sql_look(struct lane *l, struct diag *d);
MUST_CHECK err_t sql_write(struct lane *l);
MUST_CHECK err_t sql_forget(struct store *s, struct store_write *w, struct slice name,
                            struct slice key, struct diag *d);
MUST_CHECK err_t scripts_clear(struct store *s, struct diag *d); /* those that no stream needs */
