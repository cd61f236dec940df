/* flow/record_where: a condition of SQL over a topic's records, for who browses them: bound once
 * against the topic's declared columns, or any path of undeclared JSON, and _key, _value, _offset,
 * _partition, _timestamp, _topic; run for some records after the other.
 *
 * Never reads the log. Loop: one thread at a time. Memory: about 1 MiB, and an arena of a batch.
 * Limit: RECORD_WHERE_ROWS records at once.
 */
#pragma once
#include "sql/sql.h"

enum { RECORD_WHERE_ROWS = 1024 };
struct record_seen {
    struct slice key, value; /* at NULL: null; the value's bytes padded by JSON_PADDING */
    int64_t offset, time_ms;
    int32_t partition;
};
struct record_where;
/* The catalog is asked while this runs only. Mistakes are told as of a file "condition". */
MUST_CHECK err_t record_where_new(const struct sql_catalog *c, struct slice topic,
                                  struct slice condition, struct record_where **out,
                                  struct diag *d);
void record_where_free(struct record_where *w); /* NULL is fine */
/* fits[i]: the condition is true of the i-th. *unsure: how many it could not be computed for (no
 * JSON, a value of another type); they do not fit, and `why` (of WHY_MAX) is one's reason. */
enum { RECORD_WHERE_WHY_MAX = 300 };
MUST_CHECK err_t record_where_run(struct record_where *w, const struct record_seen *records,
                                  uint32_t count, int64_t now_ms, bool *fits, uint32_t *unsure,
                                  char why[RECORD_WHERE_WHY_MAX], struct diag *d);
