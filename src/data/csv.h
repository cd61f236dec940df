/* data/csv: RFC 4180 records in and out; one record at a time, bounded.
 *
 * Reads CRLF, LF and CR as line ends and skips a BOM. Strict: a quote inside a field that does not
 * begin with one, or text behind a closing quote, is an error. Never looks at encodings or types:
 * value_from_text does. Loop: any. Memory: the input and the arena. Limit: fields, bytes a field.
 */
#pragma once
#include "data/column.h"

struct csv_options {
    char delimiter, quote;                /* 0: ',' and '"' */
    uint32_t fields_max, field_bytes_max; /* both must be given */
};
struct csv_reader {
    struct cursor at;
    struct csv_options o;
    uint32_t line; /* the one that the next record begins on, from 1 */
    const uint8_t *line_start;
};
struct csv_reader csv_reader_make(struct slice text, struct csv_options o);
/* Reads one record; `fields` holds o.fields_max. They point into the input or, where quotes had to
 * be undone, into the arena. A field that is empty and without quotes has at == NULL (what many
 * take for null), "" has not. A line with nothing on it is one such field. ERR_NOT_FOUND at the end
 * of the input; ERR_MALFORMED and ERR_TOO_BIG with line and column in where. */
MUST_CHECK err_t csv_next(struct csv_reader *r, struct arena *a, struct slice *fields,
                          uint32_t *count, struct diag *d);
/* One field, in quotes where it needs them (an empty one does: nothing at all is null). Delimiters
 * and the CRLF at a record's end are the caller's. */
void csv_put_field(struct buf *out, struct slice text, const struct csv_options *o);
