#include "main/cql/records.h"

#include <errno.h>

bool records_form_good(const struct records_form *f)
{
    const char all[] = {f->delimiter, f->quote, f->escape};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i] == '\n' || all[i] == '\r' || all[i] == 0) return false;
    return f->delimiter != f->quote && f->delimiter != f->escape;
}

void records_open(struct records *r, FILE *file, const struct records_form *form)
{
    *r = (struct records){.file = file, .form = *form, .at_once = RECORDS_AT_ONCE};
    r->in = buf_make((size_t)RECORD_MAX + 2 * RECORDS_AT_ONCE);
    r->text = buf_make((size_t)RECORD_MAX + 2 * RECORDS_AT_ONCE);
}

void records_close(struct records *r)
{
    buf_done(&r->in);
    buf_done(&r->text);
}

/* --- reading ---------------------------------------------------------------------------------- */

static size_t read_some(const struct records *r, uint8_t *to)
{
    size_t n = 0;
    if (!r->by_line) return fread(to, 1, r->at_once, r->file);
    for (int c = 0; c != '\n' && n < r->at_once && (c = getc(r->file)) != EOF;)
        to[n++] = (uint8_t)c;
    return n;
}

/* More bytes behind those that are there, or the end. What was taken goes first. */
static err_t read_more(struct records *r, struct diag *d)
{
    if (r->at > 0) memmove(r->in.at, r->in.at + r->at, r->in.len - r->at);
    r->in.len -= r->at;
    r->seen -= r->at;
    r->at = 0;
    if (r->in.len > RECORD_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a record has more than %d bytes", RECORD_MAX);
    if (!buf_reserve(&r->in, r->at_once))
        return diag_fail(d, ERR_NO_MEMORY, "no memory for a record");
    size_t got = read_some(r, r->in.at + r->in.len);
    r->in.len += got;
    r->ended = got == 0;
    if (ferror(r->file)) return diag_fail(d, ERR_IO, "can't be read: %s", strerror(errno));
    return ERR_OK;
}

static void end_field(struct records *r)
{
    if (r->count < RECORD_FIELDS_MAX) {
        r->quoted[r->count] = r->quote_seen;
        r->starts[r->count + 1] = (uint32_t)r->text.len;
    }
    r->count++;
    r->quote_seen = false;
}

/* What is read of a field so far. */
static size_t field_begin(const struct records *r)
{
    return r->starts[MIN(r->count, (uint32_t)RECORD_FIELDS_MAX)];
}

static void end_record(struct records *r, size_t line_end, size_t next)
{
    end_field(r);
    r->line = slice_make(r->in.at + r->at, line_end - r->at);
    r->at = r->seen = next;
}

/* Goes on through the record. false: it may go on behind what was read. */
static bool scan(struct records *r)
{
    const struct records_form *f = &r->form;
    const uint8_t *b = r->in.at;
    size_t len = r->in.len;
    bool twice = f->quote == f->escape;
    for (; r->seen < len; r->seen++) {
        char one = (char)b[r->seen];
        bool last = r->seen + 1 == len, same = !last && (char)b[r->seen + 1] == one;
        if (last && !r->ended && (one == f->escape || one == '\r')) return false;
        if ((!twice && one == f->escape && !last) ||
            (twice && r->inside && one == f->quote && same)) {
            buf_put(&r->text, &b[++r->seen], 1);
        } else if (!twice && one == f->escape) {
            continue; /* the file's last byte: nothing follows that it could mean */
        } else if (one == f->quote && (r->inside || r->text.len == field_begin(r))) {
            r->inside = !r->inside;
            r->quote_seen = true;
        } else if (r->inside) {
            buf_put(&r->text, &b[r->seen], 1);
        } else if (one == f->delimiter) {
            end_field(r);
        } else if (one == '\n' || one == '\r') {
            bool pair = one == '\r' && !last && b[r->seen + 1] == '\n';
            end_record(r, r->seen, r->seen + 1 + pair);
            return true;
        } else {
            buf_put(&r->text, &b[r->seen], 1);
        }
    }
    if (!r->ended) return false;
    r->unclosed = r->inside;
    end_record(r, len, len);
    return true;
}

err_t records_next(struct records *r, struct diag *d)
{
    r->count = r->starts[0] = 0;
    r->inside = r->quote_seen = r->unclosed = false;
    buf_reset(&r->text);
    while (r->at == r->in.len || !scan(r)) {
        if (r->ended) return ERR_NOT_FOUND;
        err_t e = read_more(r, d);
        if (e) return e;
    }
    if (r->text.err) return diag_fail(d, r->text.err, "no memory for a record");
    for (uint32_t i = 0; i < MIN(r->count, (uint32_t)RECORD_FIELDS_MAX); i++)
        r->fields[i] = slice_make(r->text.at ? r->text.at + r->starts[i] : NULL,
                                  r->starts[i + 1] - r->starts[i]);
    return ERR_OK;
}

/* --- writing ---------------------------------------------------------------------------------- */

void records_put_field(const struct records_form *f, struct slice text, struct buf *out)
{
    bool quoted = text.len == 0, twice = f->quote == f->escape;
    for (uint32_t i = 0; i < text.len && !quoted; i++) {
        char one = (char)text.at[i];
        quoted = one == f->delimiter || one == '\n' || one == '\r' || (twice && one == f->quote);
    }
    if (quoted) buf_char(out, f->quote);
    for (uint32_t i = 0; i < text.len; i++) {
        char one = (char)text.at[i];
        if (one == f->quote || one == f->escape) buf_char(out, f->escape);
        buf_char(out, one);
    }
    if (quoted) buf_char(out, f->quote);
}
