/* store/change: what the files of the committer share. Private to them.
 *
 * change.c builds, commit.c writes, peek.c sees the group so far, count.c adds. */
#pragma once
#include "store/store_int.h"

enum { CHANGE_TABLES_FEW = 4, CHANGE_TABLES_MAX = 65535, CHANGE_KEEP_BYTES = 64 << 10 };
enum { CHANGE_INDEX = 1 /* an index's entry */, CHANGE_PARTITION = 2 /* a partition's record */ };

struct change_entry { /* key and value stand in the change's bytes, one behind the other */
    uint32_t at, key_len, value_len;
    uint16_t table; /* of the change's; a record: NO_TABLE */
    uint8_t op, flags;
};
enum { NO_TABLE = UINT16_MAX };
struct change_count {
    uint32_t at, key_len; /* the row's key */
    uint16_t table, column;
    int64_t delta, timestamp;
};
struct store_change {
    struct store_change *next;
    struct store *store;
    struct buf bytes;
    struct arena *arena; /* while a row is encoded */
    struct change_entry *entries;
    uint32_t entry_count, entry_cap;
    struct change_count *counts;
    uint32_t count_count, count_cap, rows;
    const struct store_table *few[CHANGE_TABLES_FEW], **tables;
    uint32_t table_count, table_cap;
    store_decide *decide;
    void *decide_ctx;
    store_done *done;
    void *done_ctx;
    size_t waiting; /* what it was counted as */
    err_t err;
    struct diag diag;
};

/* change.c */
MUST_CHECK err_t change_table_number(struct store_change *c, const struct store_table *t,
                                     uint16_t *out);
/* What was put into c->bytes behind `at`: a key up to `value_at`, then its value. */
MUST_CHECK err_t change_entry_add(struct store_change *c, uint32_t at, uint32_t value_at,
                                  uint16_t table, enum entry_op op, uint8_t flags);
/* The indexes' entries of the row that entry `i` writes, for the indexes of `t`. */
MUST_CHECK err_t change_index_entries(struct store_change *c, const struct table *t, uint32_t i,
                                      struct diag *d);
void changes_give(struct store *s, struct store_change *list); /* back to the pool */
void changes_pool_free(struct committer *k);
/* catalog_change.c: the marks of the table's prefix, as they are now. */
void table_marks_put(rocksdb_writebatch_t *b, const struct table *t);
/* catalog.c: the table's newest value; NULL: dropped. */
const struct store_table *table_now(const struct store_table *t);

/* --- commit.c ----------------------------------------------------------------------------------
 */

struct group_entry {
    const uint8_t *key; /* the value is right behind it */
    uint32_t key_len, value_len;
    uint32_t before; /* the group's entry before of the same key, plus 1; 0: none */
    uint8_t op;
    bool gone; /* a later Put or Delete of the key says it all */
};
struct overlay_slot { /* a key that somebody looked at, or that was written in this group */
    uint64_t hash;    /* 0: free */
    struct slice key;
    uint32_t last;             /* its last entry, plus 1 */
    uint32_t merged;           /* entries of the group up to here are in `value` */
    bool known;                /* value is what the key holds then; at NULL: nothing */
    bool whole;                /* it shall be written whole, however large it is */
    struct slice value, base;  /* base: what the database holds, when known */
    const struct table *table; /* a row's that is written in this group, with indexes; or NULL */
};
enum { HEAT_SLOTS = 1 << 14, HEAT_MAX = 200, WHOLE_BYTES_MAX = 4096 };
struct written_note {
    const struct table *table;
    uint64_t number; /* given with the write */
};
struct group {
    struct store *store;
    rocksdb_writebatch_t *batch;
    uint8_t heat[HEAT_SLOTS]; /* by a key's hash: blind writes since it was written whole */
    struct arena *arena;
    struct vec marked;  /* tables that got their first partition record in this group */
    struct vec written; /* struct written_note: whose rows are in it */
    uint64_t number;    /* of this group */
    /* only of groups in which someone decides: */
    bool deciding;
    struct group_entry *entries;
    uint32_t entry_count, entry_cap;
    struct overlay_slot *slots;
    uint32_t slot_count, slot_cap; /* a power of two */
};
struct committer {
    struct store *store;
    struct thread thread;
    _Atomic(struct store_change *) queue; /* newest first */
    _Atomic size_t waiting_bytes;
    _Atomic bool asleep;
    _Atomic uint32_t unanswered; /* changes that were pushed and are not answered yet */
    _Atomic uint32_t awaited;    /* so many are waited for; 0: none */
    bool stop;                   /* gate */
    struct gate gate;
    uint32_t crowd;            /* how many were there when the last group was answered */
    int64_t write_us;          /* how long a write takes, of late */
    struct store_change *rest; /* the committer's: taken, of the next group */
    struct group group;
    struct gate pool_gate;
    struct store_change *pool;
    uint32_t pool_count;
};

/* The table's first record of a partition: from now on readers look for them. */
MUST_CHECK err_t group_mark(struct group *g, const struct store_table *t);

/* index.c */
bool indexes_same(const struct store_table *a, const struct store_table *b);
const struct store_index *index_of_prefix(const struct store_table *t, uint32_t prefix);

/* peek.c */
struct store_peek {
    struct group *group;
};
MUST_CHECK err_t peek_group_add(struct group *g, const uint8_t *key, uint32_t key_len,
                                uint32_t value_len, enum entry_op op);
void group_forget(struct group *g, uint32_t entry_count); /* those behind were not to be */
void group_clear(struct group *g);
/* What the key holds now, with all that this group wrote before. at NULL: nothing. In the group's
 * memory. */
MUST_CHECK err_t group_value(struct group *g, struct slice key, struct slice *out, struct diag *d);
/* Keys whose value is known are written whole instead of what was added to it, so that a row that
 * many change is one value to read. */
MUST_CHECK err_t group_whole(struct group *g, struct diag *d);
/* The key is a row of this table, and among the group's entries. */
void group_row(struct group *g, struct slice key, const struct table *t);
/* index_gone.c: rows that were looked at and are written lose the entries they have no longer. */
MUST_CHECK err_t group_unindex(struct group *g, struct diag *d);
/* A blind write of this key: after some, it is asked to be written whole. */
void group_heat(struct group *g, struct slice key);
/* count.c */
MUST_CHECK err_t change_counts(struct group *g, struct store_change *c, struct diag *d);
