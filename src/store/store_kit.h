/* For this room's tests: a table of an id and a few columns, rows written and read back in a line.
 */
#pragma once
#include "store/store_int.h"
#include "test.h"

/* Tests write in 1970 and compact today: nothing of theirs is purged unless they set the clock. */
enum { KIT_TEXTS = 3, KIT_GRACE = INT32_MAX };

struct kit {
    struct store *s;
    const struct store_table *t;
    char dir[256];
    struct arena *arena;
};
struct kit_row {
    int32_t pk, ck;
    const char *texts[KIT_TEXTS]; /* NULL: null */
};
struct kit_write {
    int64_t timestamp;
    uint32_t ttl;
    int64_t now_ms;
    bool replace, lineage, remove;
    uint32_t columns; /* how many of the texts are written; 0: all */
};

void kit_open(struct kit *k, struct store_options o);
void kit_reopen(struct kit *k, struct store_options o);
void kit_close(struct kit *k);
const struct store_table *kit_table(struct store *s, const char *name, bool descending);
struct store_write *kit_begin(struct kit *k, enum store_form form);
err_t kit_add(struct kit *k, struct store_write *w, const struct kit_row *rows, uint32_t count,
              struct kit_write how);
void kit_put(struct kit *k, enum store_form form, const struct kit_row *rows, uint32_t count,
             struct kit_write how);
/* "pk,ck:a|b|c;" for each row, "-" for null, in the order of the scan. Lives in the kit's arena. */
const char *kit_rows(struct kit *k, const struct store_snapshot *n, int64_t now_ms);
const char *kit_find(struct kit *k, const struct value *key, uint32_t key_count, int64_t now_ms);
