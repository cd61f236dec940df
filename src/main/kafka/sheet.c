#include "main/kafka/sheet.h"

#include "data/json.h"
#include <inttypes.h>
#include <stdio.h>

enum { CELLS_MAX = 256 << 20 };

struct sheet sheet_make(const char *columns)
{
    struct sheet s = {.cells = buf_make(CELLS_MAX)};
    while (*columns) {
        size_t len = strcspn(columns, " ");
        bool numeric = columns[len - 1] == '#';
        INVARIANT(s.columns < SHEET_COLUMNS);
        s.names[s.columns] = columns;
        s.name_lens[s.columns] = len - numeric;
        s.numeric[s.columns++] = numeric;
        columns += len;
        columns += strspn(columns, " ");
    }
    return s;
}

static void cell(struct sheet *s, struct slice text, bool none)
{
    buf_be(&s->cells, none ? UINT32_MAX : text.len, 4);
    if (!none) buf_put(&s->cells, text.at, text.len);
    s->at = (s->at + 1) % s->columns;
}

void sheet_text(struct sheet *s, struct slice text)
{
    cell(s, text, text.at == NULL);
}

void sheet_number(struct sheet *s, int64_t number)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, number);
    INVARIANT(s->numeric[s->at]);
    cell(s, slice_of(text), false);
}

void sheet_none(struct sheet *s)
{
    cell(s, (struct slice){0}, true);
}

static bool next_cell(struct cursor *c, struct slice *text)
{
    if (cursor_left(c) == 0) return false;
    uint32_t len = (uint32_t)cursor_be(c, 4);
    *text = len == UINT32_MAX ? (struct slice){0} : cursor_slice(c, len);
    return true;
}

/* An object a line; `list`: with what makes one list of them. */
static void print_json(const struct sheet *s, bool list)
{
    bool first = true;
    struct cursor c = cursor_of(buf_view(&s->cells));
    struct buf line = buf_make(CELLS_MAX);
    struct slice text;
    for (int i = 0; next_cell(&c, &text); i = (i + 1) % s->columns) {
        buf_text(&line, i == 0 ? "{" : ", ");
        json_put_text(&line, slice_make(s->names[i], s->name_lens[i]));
        buf_text(&line, ": ");
        if (!text.at)
            buf_text(&line, "null");
        else if (s->numeric[i])
            buf_put(&line, text.at, text.len);
        else
            json_put_text(&line, text);
        if (i + 1 < s->columns) continue;
        printf("%s%s}%s", list && !first ? ",\n " : "", buf_cstr(&line), list ? "" : "\n");
        first = false;
        line.len = 0;
    }
    buf_done(&line);
}

/* Columns of a character: what stands beyond the first byte of a UTF-8 sequence takes no room. */
static int width(struct slice text)
{
    int n = 0;
    for (uint32_t i = 0; i < text.len; i++) n += (text.at[i] & 0xC0) != 0x80;
    return n;
}

static void print_row_cell(const struct sheet *s, int i, struct slice text, const int *widths)
{
    int pad = widths[i] - width(text);
    if (s->numeric[i]) printf("%*s", pad, "");
    printf("%.*s", SLICE_ARG(text));
    if (i + 1 == s->columns)
        printf("\n");
    else
        printf("%*s", (s->numeric[i] ? 0 : pad) + 2, "");
}

static void print_table(const struct sheet *s)
{
    int widths[SHEET_COLUMNS];
    struct slice text;
    struct cursor c = cursor_of(buf_view(&s->cells));
    for (int i = 0; i < s->columns; i++) widths[i] = (int)s->name_lens[i];
    for (int i = 0; next_cell(&c, &text); i = (i + 1) % s->columns)
        widths[i] = MAX(widths[i], text.at ? width(text) : 1);
    for (int i = 0; i < s->columns; i++)
        print_row_cell(s, i, slice_make(s->names[i], s->name_lens[i]), widths);
    c = cursor_of(buf_view(&s->cells));
    for (int i = 0; next_cell(&c, &text); i = (i + 1) % s->columns)
        print_row_cell(s, i, text.at ? text : SLICE("-"), widths);
}

err_t sheet_print_list(const struct sheet *s)
{
    if (s->cells.err) return s->cells.err;
    INVARIANT(s->at == 0);
    printf("[");
    print_json(s, true);
    printf("]\n");
    return ERR_OK;
}

err_t sheet_print(const struct sheet *s, bool json)
{
    if (s->cells.err) return s->cells.err;
    INVARIANT(s->at == 0);
    if (json)
        print_json(s, false);
    else
        print_table(s);
    return ERR_OK;
}

err_t sheet_print_tabs(const struct sheet *s)
{
    int widths[SHEET_COLUMNS];
    struct slice text;
    struct cursor c = cursor_of(buf_view(&s->cells));
    if (s->cells.err) return s->cells.err;
    for (int i = 0; i < s->columns; i++) widths[i] = (int)s->name_lens[i];
    for (int i = 0; next_cell(&c, &text); i = (i + 1) % s->columns)
        widths[i] = MAX(widths[i], width(text));
    for (int i = 0; i < s->columns; i++)
        printf("%-*.*s\t%s", widths[i], (int)s->name_lens[i], s->names[i],
               i + 1 == s->columns ? "\n" : "");
    c = cursor_of(buf_view(&s->cells));
    for (int i = 0; next_cell(&c, &text); i = (i + 1) % s->columns)
        printf("%.*s%*s\t%s", SLICE_ARG(text), widths[i] - width(text), "",
               i + 1 == s->columns ? "\n" : "");
    return ERR_OK;
}

void sheet_done(struct sheet *s)
{
    buf_done(&s->cells);
}
