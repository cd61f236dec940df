#include "exec/render.h"

#include "data/csv.h"

#include <stdio.h>

enum { RENDER_ARENA_MAX = 16 << 20, PAGE_ROWS = 500 };

static const struct csv_options plain_csv = {.delimiter = 0}; /* RFC 4180 */

static const char *const formats[] = {"table", "json", "csv", "expand"};

bool render_format_parse(struct slice text, enum render_format *out)
{
    for (size_t i = 0; i < COUNT_OF(formats); i++) {
        if (!slice_is(text, formats[i])) continue;
        *out = (enum render_format)i;
        return true;
    }
    return false;
}

err_t render_init(struct render *r, enum render_format format, err_t (*put)(void *, struct slice),
                  void *ctx)
{
    *r = (struct render){
        .format = format, .put = put, .ctx = ctx, .page = buf_make(RENDER_PAGE_MAX)};
    r->arena = arena_new(RENDER_ARENA_MAX);
    return r->arena ? ERR_OK : ERR_NO_MEMORY;
}

void render_done(struct render *r)
{
    arena_free(r->arena);
    buf_done(&r->page);
}

static err_t send_page(struct render *r)
{
    err_t e = r->page.err;
    if (!e && r->page.len) e = r->put(r->ctx, buf_view(&r->page));
    buf_reset(&r->page);
    return e;
}

/* What a terminal shows: code points, not bytes. Wide letters and marks are off by one at worst. */
static uint32_t shown_width(struct slice s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.len; i++) n += (s.at[i] & 0xc0) != 0x80;
    return n;
}

static void put_cell(const struct column *c, uint32_t row, struct buf *out)
{
    struct value v;
    column_get(c, row, &v);
    if (v.state != VALID_VALUE) {
        buf_text(out, "null");
        return;
    }
    size_t start = out->len;
    value_to_text(&v, out);
    for (size_t i = start; i < out->len;
         i++) /* one row, one line; and no control of the terminal */
        if (out->at[i] < ' ' || out->at[i] == 0x7f) out->at[i] = ' ';
}

static void pad(struct buf *out, uint32_t spaces)
{
    while (spaces--) buf_char(out, ' ');
}

/* --- a table: widths by page, so that the first rows are there at once ------------------------ */

struct cells { /* one page's texts */
    struct buf text;
    uint32_t *ends; /* of each cell, row by row */
};

static struct slice cell_text(const struct cells *c, size_t i)
{
    uint32_t from = i ? c->ends[i - 1] : 0;
    return slice_make(c->text.at + from, c->ends[i] - from);
}

static void put_table_head(struct render *r)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        buf_printf(&r->page, "%s%.*s", c ? " | " : " ", SLICE_ARG(r->names[c]));
        if (c + 1 < r->columns) pad(&r->page, r->widths[c] - shown_width(r->names[c]));
    }
    buf_char(&r->page, '\n');
    for (uint32_t c = 0; c < r->columns; c++) {
        buf_text(&r->page, c ? "+-" : "-");
        for (uint32_t i = 0; i <= r->widths[c]; i++) buf_char(&r->page, '-');
    }
    buf_char(&r->page, '\n');
}

static void put_table_row(struct render *r, const struct cells *cells, uint32_t row)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        struct slice text = cell_text(cells, (size_t)row * r->columns + c);
        uint32_t gap = r->widths[c] - shown_width(text);
        bool right = type_is_number(r->types[c]);
        buf_text(&r->page, c ? " | " : " ");
        if (right) pad(&r->page, gap);
        buf_slice(&r->page, text);
        if (!right && c + 1 < r->columns) pad(&r->page, gap);
    }
    buf_char(&r->page, '\n');
}

static err_t table_page(struct render *r, const struct column *columns, uint32_t from,
                        uint32_t rows)
{
    struct cells cells = {.text = buf_make(RENDER_PAGE_MAX)};
    cells.ends = mem_take((size_t)rows * r->columns * sizeof(*cells.ends) + 1);
    if (!cells.ends) return ERR_NO_MEMORY;
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t c = 0; c < r->columns; c++) {
            size_t i = (size_t)row * r->columns + c;
            put_cell(&columns[c], from + row, &cells.text);
            cells.ends[i] = (uint32_t)cells.text.len;
            if (!cells.text.err)
                r->widths[c] = MAX(r->widths[c], shown_width(cell_text(&cells, i)));
        }
    }
    err_t e = cells.text.err;
    if (!e && r->rows == 0) put_table_head(r);
    for (uint32_t row = 0; row < rows && !e; row++) put_table_row(r, &cells, row);
    r->rows += rows;
    buf_done(&cells.text);
    mem_give(cells.ends);
    return e ? e : send_page(r);
}

/* One text of several lines, a DESCRIBE's answer, is shown as it is: people paste it. */
static bool is_page_of_text(const struct render *r, const struct column *columns, uint32_t rows)
{
    if (r->columns != 1 || rows != 1 || r->rows || !type_is_text(columns->type)) return false;
    struct slice text = columns->bytes[0];
    return columns->state[0] == VALID_VALUE && text.len && memchr(text.at, '\n', text.len);
}

static err_t text_page(struct render *r, struct slice text)
{
    for (uint32_t i = 0; i < text.len; i++)
        if (text.at[i] >= ' ' || text.at[i] == '\n') buf_char(&r->page, (char)text.at[i]);
    buf_char(&r->page, '\n');
    r->has_rows = false; /* no count below it */
    return send_page(r);
}

/* --- the other formats: a row at a time ------------------------------------------------------- */

static void json_row(struct render *r, const struct column *columns, uint32_t row)
{
    for (uint32_t c = 0; c < r->columns; c++) {
        struct value v;
        buf_text(&r->page, c ? ", " : "{");
        json_put_text(&r->page, r->names[c]);
        buf_text(&r->page, ": ");
        column_get(&columns[c], row, &v);
        if (v.state == VALID_VALUE)
            value_to_json(&v, &r->page);
        else
            buf_text(&r->page, "null");
    }
    buf_text(&r->page, r->columns ? "}\n" : "{}\n");
}

static void csv_row(struct render *r, const struct column *columns, uint32_t row)
{
    struct buf text = buf_make(RENDER_PAGE_MAX);
    for (uint32_t c = 0; c < r->columns; c++) {
        struct value v;
        if (c) buf_char(&r->page, ',');
        column_get(&columns[c], row, &v);
        buf_reset(&text);
        if (v.state == VALID_VALUE) value_to_text(&v, &text);
        if (v.state == VALID_VALUE) csv_put_field(&r->page, buf_view(&text), &plain_csv);
    }
    buf_text(&r->page, "\r\n");
    buf_done(&text);
}

static void expand_row(struct render *r, const struct column *columns, uint32_t row)
{
    uint32_t width = 0;
    for (uint32_t c = 0; c < r->columns; c++) width = MAX(width, shown_width(r->names[c]));
    buf_printf(&r->page, "@ Row %llu\n", (unsigned long long)r->rows + 1);
    for (uint32_t c = 0; c < r->columns; c++) {
        buf_printf(&r->page, " %.*s", SLICE_ARG(r->names[c]));
        pad(&r->page, width - shown_width(r->names[c]));
        buf_text(&r->page, " | ");
        put_cell(&columns[c], row, &r->page);
        buf_char(&r->page, '\n');
    }
    buf_char(&r->page, '\n');
}

static void (*const row_writers[])(struct render *, const struct column *, uint32_t) = {
    [RENDER_JSON] = json_row, [RENDER_CSV] = csv_row, [RENDER_EXPAND] = expand_row};

/* --- the sink
 * -----------------------------------------------------------------------------------------------
 */

static err_t on_head(void *ctx, const struct slice *names, const struct type *const *types,
                     uint32_t count)
{
    struct render *r = ctx;
    err_t e = render_end(r); /* of the statement before */
    if (e) return e;
    if (count > RENDER_COLUMNS_MAX) return ERR_TOO_BIG;
    arena_reset(r->arena);
    r->names = arena_take(r->arena, MAX(count, 1u) * sizeof(*r->names));
    r->widths = arena_take(r->arena, MAX(count, 1u) * sizeof(*r->widths));
    r->types = arena_take(r->arena, MAX(count, 1u) * sizeof(*r->types));
    if (!r->names || !r->widths || !r->types) return ERR_NO_MEMORY;
    r->columns = count;
    r->rows = 0;
    r->has_rows = true;
    for (uint32_t c = 0; c < count; c++) {
        r->names[c] = arena_slice(r->arena, names[c]);
        r->types[c] = types[c];
        r->widths[c] = shown_width(names[c]);
    }
    for (uint32_t c = 0; c < count && r->format == RENDER_CSV; c++) {
        if (c) buf_char(&r->page, ',');
        csv_put_field(&r->page, names[c], &plain_csv);
    }
    if (r->format == RENDER_CSV) buf_text(&r->page, "\r\n");
    return send_page(r);
}

static err_t on_rows(void *ctx, const struct column *columns, uint32_t column_count, uint32_t rows)
{
    struct render *r = ctx;
    err_t e = column_count == r->columns ? ERR_OK : ERR_INTERNAL;
    if (!e && r->format == RENDER_TABLE && is_page_of_text(r, columns, rows))
        return text_page(r, columns->bytes[0]);
    for (uint32_t from = 0; from < rows && !e && r->format == RENDER_TABLE; from += PAGE_ROWS)
        e = table_page(r, columns, from, MIN(rows - from, (uint32_t)PAGE_ROWS));
    for (uint32_t row = 0; row < rows && !e && r->format != RENDER_TABLE; row++) {
        row_writers[r->format](r, columns, row);
        r->rows++;
        if (r->page.len > KIB(64) || row + 1 == rows) e = send_page(r);
    }
    return e;
}

static void on_note(void *ctx, const char *text)
{
    struct render *r = ctx;
    if (r->format == RENDER_TABLE || r->format == RENDER_EXPAND) buf_printf(&r->page, "%s\n", text);
}

struct exec_sink render_sink(struct render *r)
{
    return (struct exec_sink){.result = {r, on_head, on_rows}, .note = on_note};
}

err_t render_end(struct render *r)
{
    bool counted = r->format == RENDER_TABLE || r->format == RENDER_EXPAND;
    if (r->has_rows && r->format == RENDER_TABLE && r->rows == 0) put_table_head(r);
    if (r->has_rows && counted)
        buf_printf(&r->page, "\n(%llu row%s)\n", (unsigned long long)r->rows,
                   r->rows == 1 ? "" : "s");
    r->has_rows = false;
    return send_page(r);
}
