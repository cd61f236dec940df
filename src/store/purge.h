/* store/purge: what compaction may leave out. Private to purge.c, purge_row.c and their tests. */
#pragma once
#include "store/store_int.h"

struct purge_rule {
    const struct table *table;
    int64_t before_s; /* what was deleted or had expired before: the table's grace is over */
    int64_t floor;    /* the partition's deletion that reaches the row; INT64_MIN: none */
    int64_t exposed;  /* the earliest time there is outside the value: only what is older may go */
};
/* purge_row.c: the value without what may go, into `out`, in the one form. *changed: something
 * went; *empty: all of it. */
MUST_CHECK err_t purge_row(const struct purge_rule *r, struct slice value, struct buf *out,
                           bool *changed, bool *empty);
/* The earliest time of anything in the value; INT64_MAX: nothing is. */
MUST_CHECK err_t row_earliest(struct slice value, int64_t *time);

enum purge_answer { PURGE_KEEP, PURGE_CHANGE, PURGE_DROP };
struct purge;
/* Of one compaction, on one thread. `full`: every file takes part. */
struct purge *purge_new(struct store *s, int64_t now_s, bool full);
void purge_free(struct purge *p);
/* What a compaction shall do with this value, which hides all that is older of its key. `out` holds
 * the new value until the next call. */
enum purge_answer purge_value(struct purge *p, struct slice key, struct slice value,
                              struct slice *out);
