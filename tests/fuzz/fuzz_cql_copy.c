/* COPY's CSV: however the bytes come, the same records; and what a record's fields are written as
 * is read as them again, "" as empty text and nothing as nothing. The first byte picks the form,
 * the second how many bytes come at once. */
#include "fuzz.h"
#include "main/cql/records.h"

static const struct records_form forms[] = {
    {',', '"', '\\'}, {',', '"', '"'}, {'\t', '\'', '\\'}, {'|', '"', '^'}, {';', '\\', '\\'}};

static void open_bytes(struct records *r, FILE **file, struct slice bytes,
                       const struct records_form *form, size_t at_once, bool by_line)
{
    *file = bytes.len ? fmemopen((void *)bytes.at, bytes.len, "r") : fopen("/dev/null", "r");
    if (!*file) abort();
    records_open(r, *file, form);
    r->at_once = at_once;
    r->by_line = by_line;
}

/* The record, written and read again. */
static void again(const struct records *r, const struct records_form *form)
{
    struct buf out = buf_make(16 << 20);
    struct records *second = mem_take(sizeof(*second));
    FILE *file;
    if (!second) abort();
    for (uint32_t i = 0; i < r->count; i++) {
        if (i) buf_char(&out, form->delimiter);
        if (r->fields[i].len || r->quoted[i]) records_put_field(form, r->fields[i], &out);
    }
    buf_text(&out, "\r\n");
    if (out.err) abort();
    open_bytes(second, &file, buf_view(&out), form, 7, false);
    if (records_next(second, NULL) || second->count != r->count || second->unclosed) abort();
    for (uint32_t i = 0; i < r->count; i++) {
        if (!slice_equal(second->fields[i], r->fields[i])) abort();
        if (!r->fields[i].len && second->quoted[i] != r->quoted[i]) abort();
    }
    if (records_next(second, NULL) != ERR_NOT_FOUND) abort();
    records_close(second);
    fclose(file);
    mem_give(second);
    buf_done(&out);
}

static void same(const struct records *a, const struct records *b)
{
    if (a->count != b->count || !slice_equal(a->line, b->line) || a->unclosed != b->unclosed)
        abort();
    for (uint32_t i = 0; i < MIN(a->count, (uint32_t)RECORD_FIELDS_MAX); i++)
        if (!slice_equal(a->fields[i], b->fields[i]) || a->quoted[i] != b->quoted[i]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2) return 0;
    const struct records_form *form = &forms[bytes[0] % COUNT_OF(forms)];
    uint8_t *copy = fuzz_copy(bytes + 2, size - 2, 0);
    struct slice rest = slice_make(copy, size - 2);
    struct records *r = mem_take(2 * sizeof(*r)), *slow = r + 1;
    FILE *file, *slow_file;
    size_t taken = 0;
    if (!r || !records_form_good(form)) abort();
    open_bytes(r, &file, rest, form, size, false);
    open_bytes(slow, &slow_file, rest, form, 1u + bytes[1] % 128, bytes[1] & 128);
    while (records_next(r, NULL) == ERR_OK) {
        if (records_next(slow, NULL)) abort();
        same(r, slow);
        taken += r->line.len;
        if (taken > rest.len || r->text.len > r->line.len) abort();
        if (r->count <= RECORD_FIELDS_MAX) again(r, form);
    }
    if (records_next(slow, NULL) != ERR_NOT_FOUND) abort();
    records_close(r);
    records_close(slow);
    fclose(file);
    fclose(slow_file);
    mem_give(r);
    mem_give(copy);
    return 0;
}
