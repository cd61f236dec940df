/* console/scan: records of a topic for people, found by text or by a condition: a page at a time,
 * or one after the other. What a look at them may cost is given, and a page says where the next one
 * goes on. Knows no request: api_messages.c does.
 *
 * Loop: any thread, blocking. Memory: browse's, and while a condition is asked SCAN_HELD_BYTES of
 * copies. Limit: scan_ask. */
#pragma once
#include "flow/record_where.h"
#include "log/browse.h"

enum { SCAN_HELD_BYTES = 48 << 20, SCAN_PLACES_MAX = BROWSE_PARTITIONS_MAX };
enum scan_end {
    SCAN_LIMIT,   /* as many as were asked for */
    SCAN_END,     /* there are no more */
    SCAN_TIME,    /* it took so long: go on from `places` */
    SCAN_BYTES,   /* the same, by what was read or told */
    SCAN_STOPPED, /* who asked has left */
    SCAN_ENDS
};
const char *scan_end_name(enum scan_end e); /* "limit" … */

struct scan_ask {
    struct log_topic *topic;
    bool backward;
    bool committed;             /* only what consumers of committed records get */
    struct slice text;          /* in key, value or a header, any case of ASCII; "": all */
    struct record_where *where; /* NULL: no condition */
    int64_t now_ms;
    uint64_t limit;     /* records told */
    uint64_t bytes_max; /* read; 0: no limit */
    int64_t budget_ns;  /* 0: none */
    bool (*stopping)(void *ctx);
    /* Tells one; what it answers other than ERR_OK ends the scan: ERR_TOO_BIG as SCAN_BYTES. */
    err_t (*tell)(void *ctx, const struct browse_record *r);
    void *ctx;
};
struct scan_found {
    struct browse_start *places; /* in: where to begin; out: where to go on */
    uint32_t count;
    enum scan_end end;
    uint64_t told, scanned, bytes;
    uint64_t unsure; /* the condition could not be computed for so many */
    uint64_t left;   /* offsets behind the places */
    char why[RECORD_WHERE_WHY_MAX];
};
MUST_CHECK err_t scan_run(const struct scan_ask *q, struct scan_found *f, struct diag *d);

/* Places as text, "0:12,2:7": partition and offset. ERR_USAGE. */
MUST_CHECK err_t scan_places_read(struct slice text, struct browse_start *out, uint32_t *count,
                                  struct diag *d);
void scan_places_put(struct buf *out, const struct browse_start *places, uint32_t count);
bool scan_contains(struct slice hay, struct slice needle); /* any case of ASCII */
