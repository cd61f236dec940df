#include "data/json/json_int.h"

#include "data/value/value_int.h"

/* The length of the UTF-8 character at p, 0 when there is none. */
static uint32_t character(const uint8_t *p, uint32_t left)
{
    uint32_t size = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2, bad_at;
    if (size > left) return 0;
    return utf8_valid((struct slice){p, size}, &bad_at) ? size : 0;
}

static void put_special(struct buf *out, uint8_t c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *known = c ? strchr(from, c) : NULL;
    if (known)
        buf_printf(out, "\\%c", to[known - from]);
    else
        buf_printf(out, "\\u%04x", c);
}

void json_put_text(struct buf *out, struct slice s)
{
    uint32_t from = 0, i = 0;
    buf_char(out, '"');
    while (i < s.len) {
        uint8_t c = s.at[i];
        uint32_t size = c < 0x80 ? 1 : character(s.at + i, s.len - i);
        if (size && c >= ' ' && c != '"' && c != '\\') {
            i += size;
            continue;
        }
        buf_put(out, s.at + from, i - from);
        if (size)
            put_special(out, c);
        else
            buf_text(out, "\xef\xbf\xbd"); /* U+FFFD, for a byte that is no UTF-8 */
        from = ++i;
    }
    if (i > from) buf_put(out, s.at + from, i - from);
    buf_char(out, '"');
}

void json_put_f64(struct buf *out, double v)
{
    struct value held = value_f64(v);
    value_to_json(&held, out);
}

void json_put_row(struct buf *out, const struct column_batch *b, const struct slice *names,
                  uint32_t row)
{
    buf_char(out, '{');
    for (uint32_t i = 0; i < b->column_count; i++) {
        struct value v;
        if (i) buf_char(out, ',');
        json_put_text(out, names[i]);
        buf_char(out, ':');
        column_get(&b->columns[i], row, &v);
        value_to_json(&v, out);
    }
    buf_char(out, '}');
}
