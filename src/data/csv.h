/* data/csv: RFC 4180 records in and out; one record at a time, bounded. */
#pragma once
#include "data/column.h"

struct csv_options {
    char delimiter, quote; /* 0: ',' and '"' */
    uint32_t fields_max, field_bytes_max;
};
/* Reads one record from `c`; fields point into the input or, where quotes had to be undone, into
 * the arena. ERR_NOT_FOUND at the end of the input; ERR_MALFORMED with line and column in where. */
struct csv_reader {
    struct cursor at;
    struct csv_options o;
    uint32_t line;
};
struct csv_reader csv_reader_make(struct slice text, struct csv_options o);
MUST_CHECK err_t csv_next(struct csv_reader *r, struct arena *a, struct slice *fields,
                          uint32_t *count, struct diag *d);
void csv_put_field(struct buf *out, struct slice text, const struct csv_options *o);
