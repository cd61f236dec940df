/* unit: times and sizes as people write them, read and printed. */
#pragma once
#include "base/bytes.h"

/* "500ms" "10s" "1h 30m" "7d" "1.5s" (base/delta, no months), or a plain number of milliseconds. */
bool unit_parse_ms(struct slice text, int64_t *out);
/* "64KiB" "1GiB" "5MB" "100B", or a plain number of bytes. */
bool unit_parse_bytes(struct slice text, int64_t *out);
void unit_put_bytes(struct buf *out, uint64_t bytes); /* "12.3 MiB" */
void unit_put_ms(struct buf *out, int64_t ms);    /* "350 ms", "12.4 s", "3 m 20 s", "2 d 4 h" */
void unit_put_count(struct buf *out, uint64_t n); /* "1,234,567" */
