/* main/cql/records: COPY's CSV: records out of a file, and a field as it is written.
 *
 * As Python's csv reads and writes it for cqlsh: a quote counts at a field's begin, an escape
 * anywhere; escape equal to quote: a quote inside quotes is doubled. Never converts a value. Each
 * byte is looked at once, however it comes. Loop: none, it waits for the file. Memory: what was
 * read and one record's fields. Limit: RECORD_MAX bytes a record; fields beyond RECORD_FIELDS_MAX
 * are counted, not kept.
 */
#pragma once
#include "base/bytes.h"

#include <stdio.h>

enum { RECORD_FIELDS_MAX = 1024, RECORD_MAX = 64 << 20, RECORDS_AT_ONCE = 1 << 20 };

struct records_form {
    char delimiter, quote, escape;
};
struct records {
    FILE *file;
    struct records_form form;
    size_t at_once; /* bytes read at a time … */
    bool by_line; /* … but no further than a line: what follows the last one is somebody else's */
    /* what was read: records are taken up to `at`, the next one is looked through up to `seen` */
    struct buf in;
    size_t at, seen;
    bool ended, inside, quote_seen;
    struct buf text; /* the record's fields, one behind the other */
    uint32_t starts[RECORD_FIELDS_MAX + 1];
    /* the record, until the next one */
    struct slice fields[RECORD_FIELDS_MAX], line; /* `line`: as it came, without its end */
    bool quoted[RECORD_FIELDS_MAX];               /* "" is not nothing at all */
    uint32_t count;
    bool unclosed; /* the file ended inside quotes */
};

/* Do these characters make a form? Two that are the same, or an end of line, do not. */
bool records_form_good(const struct records_form *f);
void records_open(struct records *r, FILE *file, const struct records_form *form);
void records_close(struct records *r); /* the file stays open */
/* ERR_NOT_FOUND: there are no more. */
MUST_CHECK err_t records_next(struct records *r, struct diag *d);
/* In quotes where it has to be; what is read from it is `text` again. */
void records_put_field(const struct records_form *f, struct slice text, struct buf *out);
