/* Values and rows as cqlsh 6.2 prints them. */
#include "base/hash.h"
#include "data/value.h"
#include "main/cql/shell.h"

#include <math.h>
#include <time.h>
#include <wchar.h>

const struct show_form show_plain = {
    .float_digits = 5, .double_digits = 5, .null = "null", .yes = "True", .no = "False"};

/* --- values ----------------------------------------------------------------------------------- */

/* One code point of checked or unchecked UTF-8; a bad byte is itself. */
static uint32_t next_point(struct cursor *c)
{
    uint8_t first = *c->at;
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
    if (first < 0x80 || more == 0 || cursor_left(c) <= (size_t)more) {
        c->at++;
        return first;
    }
    uint32_t point = first & (0x3fu >> more);
    for (int i = 1; i <= more; i++) point = point << 6 | (c->at[i] & 0x3f);
    c->at += more + 1;
    return point;
}

/* Back slashes twice, control characters by name; in quotes, quotes twice. */
static void put_text(const struct show_form *f, struct slice text, bool quoted, struct buf *out)
{
    struct cursor c = cursor_of(text);
    if (quoted) buf_char(out, '\'');
    while (cursor_left(&c) > 0) {
        const uint8_t *at = c.at;
        uint32_t point = next_point(&c);
        if (point == '\'' && quoted)
            buf_text(out, "''");
        else if (f->copy)
            buf_put(out, at, (size_t)(c.at - at));
        else if (point == '\\')
            buf_text(out, "\\\\");
        else if (point == '\n' || point == '\r' || point == '\t')
            buf_printf(out, "\\%c", point == '\n' ? 'n' : point == '\r' ? 'r' : 't');
        else if (point < 0x20 || (point >= 0x7f && point <= 0xa0))
            buf_printf(out, "\\x%02x", point);
        else
            buf_put(out, at, (size_t)(c.at - at));
    }
    if (quoted) buf_char(out, '\'');
}

/* "1234.5" with its signs changed: 1.234,5 */
static void put_separated(const struct show_form *f, const char *text, struct buf *out)
{
    size_t whole = strspn(text, "-0123456789");
    bool exponent = strpbrk(text, "eE") != NULL;
    for (size_t i = 0; text[i]; i++) {
        if (text[i] == '.' && f->decimal_sep)
            buf_char(out, f->decimal_sep);
        else
            buf_char(out, text[i]);
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (f->thousands_sep && !exponent && digit && i + 1 < whole && (whole - i - 1) % 3 == 0)
            buf_char(out, f->thousands_sep);
    }
}

static void put_float(const struct show_form *f, double v, int digits, struct buf *out)
{
    char text[64];
    if (isnan(v) || isinf(v)) {
        buf_text(out, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
        return;
    }
    int exponent = fabs(v) > 2.220446049250313e-16 ? (int)log10(fabs(v)) : -1000;
    if (exponent >= -4 && exponent < digits) digits += exponent + 1;
    snprintf(text, sizeof(text), "%.*g", digits, v);
    put_separated(f, text, out);
}

static void put_timestamp(const struct show_form *f, int64_t ms, bool quoted, struct buf *out)
{
    int64_t s = ms / 1000, rest = ms % 1000;
    struct tm t;
    if (rest < 0) s--, rest += 1000;
    time_t at = (time_t)s;
    if (s < -62135596800 || s > 253402300799 || !gmtime_r(&at, &t)) { /* years 1 to 9999 */
        buf_printf(out, "%lld", (long long)ms);
        return;
    }
    buf_printf(out, "%s%04d-%02d-%02d %02d:%02d:%02d.%03d%s+0000%s", quoted ? "'" : "",
               t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)rest,
               f->milliseconds ? "" : "000", quoted ? "'" : "");
}

static void put_time(int64_t ns, struct buf *out)
{
    int64_t s = ns / 1000000000;
    buf_printf(out, "%02d:%02d:%02d.%09d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60),
               (int)(ns % 1000000000));
}

static void put_items(const struct show_form *f, const struct value *v, struct buf *out)
{
    const struct type *t = v->type;
    bool map = t->kind == TYPE_MAP, fields = t->kind == TYPE_STRUCT;
    const char *ends = t->kind == TYPE_LIST ? "[]" : t->kind == TYPE_TUPLE ? "()" : "{}";
    struct value_walk w = value_walk_make(v);
    struct value item;
    struct buf one = buf_make(MIB(256));
    buf_char(out, ends[0]);
    for (uint32_t i = 0; value_walk_next(&w, &item); i++) {
        if (i > 0) buf_text(out, map && i % 2 ? ": " : ", ");
        if (fields && i < t->count) {
            put_text(f, t->names[i], false, out);
            buf_text(out, ": ");
        }
        buf_reset(&one);
        value_to_binary(&item, &one);
        struct native_value inner = {buf_view(&one), NATIVE_SET};
        if (item.state != VALID_VALUE)
            buf_text(out, fields || f->copy ? "null" : "None");
        else
            show_value(f, item.type, &inner, true, out);
    }
    buf_char(out, ends[1]);
    buf_done(&one);
}

static void put_valid(const struct show_form *f, const struct value *v, bool quoted,
                      struct buf *out)
{
    struct buf number = buf_make(MIB(1));
    switch (v->type->kind) {
    case TYPE_BOOLEAN: buf_text(out, v->boolean ? f->yes : f->no); break;
    case TYPE_FLOAT: put_float(f, (double)v->f32, f->float_digits, out); break;
    case TYPE_DOUBLE: put_float(f, v->f64, f->double_digits, out); break;
    case TYPE_ASCII:
    case TYPE_TEXT: put_text(f, v->bytes, quoted, out); break;
    case TYPE_TIMESTAMP: put_timestamp(f, v->integer, quoted, out); break;
    case TYPE_TIME: put_time(v->integer, out); break;
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP:
    case TYPE_TUPLE:
    case TYPE_STRUCT: put_items(f, v, out); break;
    case TYPE_INET:
        if (quoted) buf_char(out, '\'');
        value_to_text(v, out);
        if (quoted) buf_char(out, '\'');
        break;
    default:
        value_to_text(v, &number);
        if (type_is_number(v->type))
            put_separated(f, buf_cstr(&number), out);
        else
            buf_slice(out, buf_view(&number));
    }
    buf_done(&number);
}

void show_value(const struct show_form *f, const struct type *t, const struct native_value *v,
                bool quoted, struct buf *out)
{
    struct value held;
    if (v->state != NATIVE_SET) {
        buf_text(out, f->null);
    } else if (t->kind == TYPE_BLOB) {
        buf_text(out, "0x");
        put_hex(out, v->bytes.at, v->bytes.len);
    } else if (v->bytes.len == 0 && !type_is_text(t) && !type_is_nested(t)) {
        return; /* an empty value, which Cassandra may hold of any type */
    } else if (value_from_binary(t, v->bytes, &held, NULL) == ERR_OK) {
        put_valid(f, &held, quoted, out);
    } else { /* what can not be read is shown as it came */
        buf_text(out, "0x");
        put_hex(out, v->bytes.at, v->bytes.len);
    }
}

enum show_kind show_kind_of(const struct type *t)
{
    if (type_is_text(t)) return SHOW_TEXT;
    if (t->kind == TYPE_BLOB) return SHOW_BLOB;
    return type_is_nested(t) ? SHOW_NESTED : SHOW_NUMBER;
}

uint32_t show_width(struct slice text)
{
    uint32_t width = 0;
    for (struct cursor c = cursor_of(text); cursor_left(&c) > 0;) {
        int one = wcwidth((wchar_t)next_point(&c));
        width += one > 0 ? (uint32_t)one : 0;
    }
    return width;
}

struct show_cell show_cell_text(struct arena *a, struct slice text, enum show_kind kind)
{
    struct slice kept = arena_slice(a, text);
    return (struct show_cell){kept, show_width(kept), (uint8_t)kind};
}

err_t show_cell_of(struct arena *a, const struct type *t, const struct native_value *v,
                   struct show_cell *out)
{
    struct buf b = buf_make(MIB(512));
    show_value(&show_plain, t, v, false, &b);
    *out = show_cell_text(a, buf_view(&b), v->state == NATIVE_SET ? show_kind_of(t) : SHOW_NULL);
    err_t e = b.err ? b.err : b.len && !out->text.at ? ERR_NO_MEMORY : ERR_OK;
    buf_done(&b);
    return e;
}

/* --- rows ------------------------------------------------------------------------------------- */

static const char *const colors[] = {
    [SHOW_TEXT] = "\033[0;1;33m",   [SHOW_BLOB] = "\033[0;35m",   [SHOW_NUMBER] = "\033[0;1;32m",
    [SHOW_NESTED] = "\033[0;1;34m", [SHOW_NULL] = "\033[0;1;31m", [SHOW_NAME] = "\033[0;1;35m"};

static void put_cell(const struct shell *s, const struct show_cell *c, uint32_t width, bool right)
{
    int pad = (int)(width > c->width ? width - c->width : 0);
    if (right) fprintf(s->out, "%*s", pad, "");
    if (s->color) fputs(colors[c->kind], s->out);
    fwrite(c->text.at ? (const void *)c->text.at : "", 1, c->text.len, s->out);
    if (s->color) fputs("\033[0m", s->out);
    if (!right) fprintf(s->out, "%*s", pad, "");
}

static void put_dashes(FILE *out, uint32_t n)
{
    while (n-- > 0) fputc('-', out);
}

static void put_head(const struct shell *s, const struct show_cell *names, uint32_t columns,
                     const uint32_t *widths)
{
    for (uint32_t i = 0; i < columns; i++) {
        fputs(i ? " | " : " ", s->out);
        put_cell(s, &names[i], i + 1 < columns ? widths[i] : 0, false); /* no space at the end */
    }
    fputc('\n', s->out);
    for (uint32_t i = 0; i < columns; i++) {
        fputs(i ? "-+-" : "-", s->out);
        put_dashes(s->out, widths[i]);
    }
    fputs("-\n", s->out);
}

void show_table(struct shell *s, const struct show_cell *names, uint32_t columns,
                const struct show_cell *cells, uint32_t rows, bool header)
{
    uint32_t *widths = arena_take(s->arena, (columns + 1) * sizeof(*widths));
    if (!widths) {
        shell_error(s, "no memory for a table");
        return;
    }
    for (uint32_t i = 0; i < columns; i++) widths[i] = names[i].width;
    for (size_t i = 0; i < (size_t)rows * columns; i++)
        widths[i % columns] = MAX(widths[i % columns], cells[i].width);
    if (header) put_head(s, names, columns, widths);
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t i = 0; i < columns; i++) {
            fputs(i ? " | " : " ", s->out);
            put_cell(s, &cells[(size_t)r * columns + i], widths[i], true);
        }
        fputc('\n', s->out);
    }
    if (rows == 0 || s->person) fputc('\n', s->out);
}

void show_expanded(struct shell *s, const struct show_cell *names, uint32_t columns,
                   const struct show_cell *cells, uint32_t rows, uint64_t first)
{
    uint32_t name = 0, value = 0;
    for (uint32_t i = 0; i < columns; i++) name = MAX(name, names[i].width);
    for (size_t i = 0; i < (size_t)rows * columns; i++) value = MAX(value, cells[i].width);
    for (uint32_t r = 0; r < rows; r++) {
        fprintf(s->out, "@ Row %llu\n-", (unsigned long long)(first + r + 1));
        put_dashes(s->out, name);
        fputs("-+-", s->out);
        put_dashes(s->out, value);
        fputs("-\n", s->out);
        for (uint32_t i = 0; i < columns; i++) {
            fputc(' ', s->out);
            put_cell(s, &names[i], name, false);
            fputs(" | ", s->out);
            put_cell(s, &cells[(size_t)r * columns + i], 0, false);
            fputc('\n', s->out);
        }
        fputc('\n', s->out);
    }
}

bool show_cells(struct shell *s, const struct native_response *r, struct show_cell **names,
                struct show_cell **cells)
{
    uint32_t columns = r->metadata.count;
    size_t count = (size_t)columns * r->row_count;
    *names = arena_take(s->arena, (columns + 1) * sizeof(**names));
    *cells = arena_take(s->arena, (count + 1) * sizeof(**cells));
    struct cursor rows = cursor_of(r->rows);
    struct native_value v;
    bool ok = *names && *cells;
    for (uint32_t i = 0; ok && i < columns; i++) {
        struct buf b = buf_make(KIB(256));
        put_text(&show_plain, r->metadata.columns[i].name, false, &b);
        (*names)[i] = show_cell_text(s->arena, buf_view(&b), SHOW_NAME);
        buf_done(&b);
    }
    for (size_t i = 0; ok && i < count; i++)
        ok = native_value_next(&rows, &v) &&
             show_cell_of(s->arena, r->metadata.columns[i % columns].type, &v, &(*cells)[i]) ==
                 ERR_OK;
    if (!ok) shell_error(s, "no memory for a page of %u rows", r->row_count);
    return ok;
}

/* --- lists of names, as Python's cmd makes columns ---------------------------------------------
 */

static uint32_t column_width(const struct slice *names, uint32_t count, uint32_t rows, uint32_t col)
{
    uint32_t width = 0;
    for (uint32_t i = col * rows; i < MIN(count, (col + 1) * rows); i++)
        width = MAX(width, show_width(names[i]));
    return width;
}

void show_list(const struct slice *names, uint32_t count, uint32_t width)
{
    uint32_t rows = 1, columns = count;
    if (count == 0) printf("<empty>\n");
    for (; rows < count; rows++) {
        uint32_t total = 0;
        columns = (count + rows - 1) / rows;
        for (uint32_t c = 0; c < columns; c++)
            total += column_width(names, count, rows, c) + (c > 0 ? 2 : 0);
        if (total <= width) break;
    }
    if (rows >= count) rows = count, columns = 1;
    for (uint32_t r = 0; count > 0 && r < rows; r++) {
        for (uint32_t c = 0; c < columns && c * rows + r < count; c++) {
            struct slice n = names[c * rows + r];
            uint32_t to = count == 1 || columns == 1 ? 0 : column_width(names, count, rows, c);
            uint32_t is = show_width(n);
            printf("%s%.*s%*s", c ? "  " : "", SLICE_ARG(n), (int)(to > is ? to - is : 0), "");
        }
        printf("\n");
    }
}
