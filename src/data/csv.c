#include "data/csv.h"

static struct csv_options with_defaults(struct csv_options o)
{
    if (!o.delimiter) o.delimiter = ',';
    if (!o.quote) o.quote = '"';
    return o;
}

struct csv_reader csv_reader_make(struct slice text, struct csv_options o)
{
    struct csv_reader r = {.at = cursor_of(text), .o = with_defaults(o), .line = 1};
    INVARIANT(o.fields_max > 0 && o.field_bytes_max > 0);
    if (slice_starts(text, "\xEF\xBB\xBF")) r.at.at += 3;
    r.line_start = r.at.at;
    return r;
}

static err_t wrong_at(const struct csv_reader *r, struct diag *d, const uint8_t *at, err_t e,
                      const char *what)
{
    uint32_t column = 1;
    for (const uint8_t *c = r->line_start; c < at; c++) column += (*c & 0xC0) != 0x80;
    diag_fail(d, e, "%s", what);
    diag_where(d, "line %u, column %u", r->line, column);
    return e;
}

static bool at_end(const struct csv_reader *r)
{
    return r->at.at == r->at.end;
}

static bool at_line_end(const struct csv_reader *r)
{
    return *r->at.at == '\n' || *r->at.at == '\r';
}

static void take_line_end(struct csv_reader *r)
{
    bool crlf = r->at.at[0] == '\r' && cursor_left(&r->at) > 1 && r->at.at[1] == '\n';
    r->at.at += crlf ? 2 : 1;
    r->line++;
    r->line_start = r->at.at;
}

static err_t plain_field(struct csv_reader *r, struct slice *out, struct diag *d)
{
    const uint8_t *from = r->at.at;
    for (; !at_end(r) && *r->at.at != (uint8_t)r->o.delimiter && !at_line_end(r); r->at.at++) {
        if (*r->at.at == (uint8_t)r->o.quote)
            return wrong_at(r, d, r->at.at, ERR_MALFORMED,
                            "a quote inside a field that does not begin with one");
        if ((size_t)(r->at.at - from) >= r->o.field_bytes_max)
            return wrong_at(r, d, from, ERR_TOO_BIG, "a field is longer than the limit");
    }
    *out = slice_make(from, (size_t)(r->at.at - from));
    if (out->len == 0) out->at = NULL;
    return ERR_OK;
}

/* The text between quotes without the doubled ones. */
static err_t undouble(const struct csv_reader *r, struct slice raw, struct arena *a,
                      struct slice *out, struct diag *d)
{
    uint8_t *plain = arena_take_raw(a, raw.len + 1);
    uint32_t n = 0;
    if (!plain) return diag_fail(d, ERR_NO_MEMORY, "no room for a field");
    for (uint32_t i = 0; i < raw.len; i++) {
        plain[n++] = raw.at[i];
        i += raw.at[i] == (uint8_t)r->o.quote;
    }
    *out = (struct slice){plain, n};
    return ERR_OK;
}

/* From the opening quote to behind the closing one. Line ends inside are counted. */
static err_t quoted_field(struct csv_reader *r, struct arena *a, struct slice *out, struct diag *d)
{
    struct csv_reader start = *r;
    const uint8_t *from = ++r->at.at;
    uint8_t quote = (uint8_t)r->o.quote;
    bool doubled = false;
    for (;;) {
        if (at_end(r))
            return wrong_at(&start, d, start.at.at, ERR_MALFORMED, "a quoted field does not end");
        if ((size_t)(r->at.at - from) > r->o.field_bytes_max)
            return wrong_at(&start, d, start.at.at, ERR_TOO_BIG,
                            "a field is longer than the limit");
        if (*r->at.at == quote) {
            if (cursor_left(&r->at) == 1 || r->at.at[1] != quote) break;
            doubled = true;
            r->at.at += 2;
        } else if (at_line_end(r)) {
            take_line_end(r);
        } else {
            r->at.at++;
        }
    }
    *out = slice_make(from, (size_t)(r->at.at - from));
    r->at.at++;
    if (doubled) return undouble(r, *out, a, out, d);
    return ERR_OK;
}

err_t csv_next(struct csv_reader *r, struct arena *a, struct slice *fields, uint32_t *count,
               struct diag *d)
{
    *count = 0;
    if (at_end(r)) return ERR_NOT_FOUND;
    for (;; r->at.at++) { /* over the delimiter */
        if (*count == r->o.fields_max)
            return wrong_at(r, d, r->at.at, ERR_TOO_BIG, "a record has more fields than the limit");
        bool quoted = !at_end(r) && *r->at.at == (uint8_t)r->o.quote;
        err_t e =
            quoted ? quoted_field(r, a, &fields[*count], d) : plain_field(r, &fields[*count], d);
        if (e) return e;
        ++*count;
        if (at_end(r)) return ERR_OK;
        if (*r->at.at == (uint8_t)r->o.delimiter) continue;
        if (!at_line_end(r))
            return wrong_at(r, d, r->at.at, ERR_MALFORMED, "text behind a closing quote");
        take_line_end(r);
        return ERR_OK;
    }
}

void csv_put_field(struct buf *out, struct slice text, const struct csv_options *o)
{
    struct csv_options use = with_defaults(o ? *o : (struct csv_options){0});
    const char special[] = {use.delimiter, use.quote, '\r', '\n'};
    bool quote = text.len == 0 || text.at[0] == 0xEF; /* not to be taken for a BOM */
    for (size_t i = 0; !quote && i < sizeof(special); i++)
        quote = memchr(text.at, special[i], text.len) != NULL;
    if (!quote) {
        buf_slice(out, text);
        return;
    }
    buf_char(out, use.quote);
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == (uint8_t)use.quote) buf_char(out, use.quote);
        buf_char(out, (char)text.at[i]);
    }
    buf_char(out, use.quote);
}
