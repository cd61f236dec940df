/* log/browse: a bounded look at the records of a topic, for people: forward or backward, several
 * partitions merged by time, with what transactions made of each record.
 *
 * Unlike a consumer it leaves nothing out by itself: aborted records, those of open transactions,
 * the markers that end them, and batches that can not be opened are told as what they are. Sees
 * what is durable when it is opened. Loop: any thread, blocking. Memory: a partition BROWSE_READ
 * and one opened batch (BROWSE_OPENED_MAX). Limit: BROWSE_PARTITIONS_MAX at once.
 */
#pragma once
#include "log/log.h"

enum {
    BROWSE_PARTITIONS_MAX = 256,
    BROWSE_READ = 1 << 20,        /* bytes read at once, but one batch at least */
    BROWSE_OPENED_MAX = 64 << 20, /* of a batch; a larger one is told as BROWSE_UNREADABLE */
};
enum browse_kind {
    BROWSE_RECORD,      /* of no transaction */
    BROWSE_COMMITTED,   /* of one that was committed */
    BROWSE_ABORTED,     /* no consumer that reads committed records gets it */
    BROWSE_OPEN,        /* of one that is under way */
    BROWSE_COMMIT_MARK, /* no record: it ends a transaction */
    BROWSE_ABORT_MARK,
    BROWSE_UNREADABLE, /* a whole batch, from record.offset to last_offset */
    BROWSE_KINDS
};
const char *browse_kind_name(enum browse_kind k);         /* "record", "aborted" … */
static inline bool browse_is_readable(enum browse_kind k) /* by who reads committed records */
{
    return k == BROWSE_RECORD || k == BROWSE_COMMITTED;
}

struct browse_start { /* forward: the first offset to tell; backward: the one behind it */
    int32_t partition;
    int64_t offset; /* clipped to what is there */
    int64_t until;  /* forward: the one behind the last to tell; 0: all that is there */
};
struct browse_record {
    struct record record; /* borrowed until the next browse_next; its bytes are padded */
    int32_t partition;
    enum browse_kind kind;
    int64_t last_offset; /* of what is told: the record's own but for BROWSE_UNREADABLE */
    bool append_time;    /* its time is the log's, not the producer's */
    enum codec codec;
    int64_t producer_id; /* -1: none */
};

struct browse;
/* The topic stays until browse_close. */
MUST_CHECK err_t browse_open(struct log_topic *t, const struct browse_start *starts, uint32_t count,
                             bool backward, struct browse **out, struct diag *d);
void browse_close(struct browse *l); /* NULL is fine */
/* The next one: forward the oldest time first, backward the newest; a partition's own records
 * always in the order of their offsets. ERR_NOT_FOUND: there are no more. */
MUST_CHECK err_t browse_next(struct browse *l, struct browse_record *out, struct diag *d);
/* Where another look of the same starts goes on after what browse_next has told: the i-th start. */
int64_t browse_place(const struct browse *l, uint32_t i);
uint64_t browse_bytes(const struct browse *l); /* read so far */
/* How many records are left to tell, by offsets (compaction and markers leave gaps). */
uint64_t browse_left(const struct browse *l);

/* The topic's last records, `max` at most, taken from all partitions alike, oldest first within
 * each; only what browse_is_readable. What `each` answers other than ERR_OK ends it and is
 * answered.
 */
MUST_CHECK err_t browse_last(struct log_topic *t, uint32_t max,
                             err_t (*each)(void *ctx, const struct browse_record *r), void *ctx,
                             struct diag *d);
