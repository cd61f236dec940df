/* The API's other formats, made from its compact JSON. The input is always our own, so it is
 * walked, not judged; an unexpected end still ends every loop. */
#include "people/people_int.h"

struct walk {
    const uint8_t *at, *end;
};
enum { PATH_MAX_BYTES = 256, TEXT_MAX = 1024 /* a seed may be 512 bytes */ };

static uint8_t peek(const struct walk *w)
{
    return w->at < w->end ? *w->at : 0;
}
static bool take(struct walk *w, uint8_t c)
{
    if (peek(w) != c) return false;
    w->at++;
    return true;
}
/* A scalar's text; a string comes with its quotes. */
static struct slice scalar(struct walk *w)
{
    const uint8_t *start = w->at;
    if (take(w, '"')) {
        for (; w->at < w->end && *w->at != '"'; w->at++)
            if (*w->at == '\\') w->at++;
        take(w, '"');
    } else {
        while (w->at < w->end && !strchr(",]}", *w->at)) w->at++;
    }
    return slice_make(start, (size_t)(w->at - start));
}
static bool is_string(struct slice s)
{
    return s.len >= 2 && s.at[0] == '"';
}
/* Without quotes and escapes (ours are \", \\ and \u00xx only), into out[cap]. */
static struct slice plain(struct slice s, uint8_t *out, size_t cap)
{
    if (!is_string(s)) return s;
    size_t size = 0;
    for (uint32_t i = 1; i + 1 < s.len && size < cap; i++) {
        if (s.at[i] == '\\' && s.at[++i] == 'u') {
            (void)parse_hex(slice_make(s.at + i + 3, 2), &out[size++], 1);
            i += 4;
        } else
            out[size++] = s.at[i];
    }
    return slice_make(out, size);
}
static struct slice key_of(struct walk *w) /* "name": */
{
    struct slice s = scalar(w);
    take(w, ':');
    return slice_make(s.at + 1, s.len - 2);
}
static void indent(struct buf *out, int level, const char *step)
{
    for (int i = 0; i < level; i++) buf_text(out, step);
}

void format_pretty(struct slice json, struct buf *out)
{
    struct walk w = {json.at, json.at + json.len};
    int level = 0;
    while (w.at < w.end) {
        uint8_t c = *w.at;
        if (c == '{' || c == '[') {
            buf_char(out, (char)c);
            w.at++;
            if (peek(&w) == '}' || peek(&w) == ']') {
                buf_char(out, (char)*w.at++);
                continue;
            }
            buf_char(out, '\n');
            indent(out, ++level, "  ");
        } else if (c == '}' || c == ']') {
            buf_char(out, '\n');
            indent(out, --level, "  ");
            buf_char(out, (char)c);
            w.at++;
        } else if (c == ',') {
            buf_text(out, ",\n");
            indent(out, level, "  ");
            w.at++;
        } else if (c == ':') {
            buf_text(out, ": ");
            w.at++;
        } else {
            buf_slice(out, c == '"' ? scalar(&w) : slice_make(w.at, 1));
            if (c != '"') w.at++;
        }
    }
}

static void csv_cell(struct slice s, struct buf *out)
{
    bool quoted = false;
    for (uint32_t i = 0; i < s.len; i++) quoted |= strchr(",\"\n\r", s.at[i]) != NULL;
    if (!quoted) {
        buf_slice(out, s);
        return;
    }
    buf_char(out, '"');
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.at[i] == '"') buf_char(out, '"');
        buf_char(out, (char)s.at[i]);
    }
    buf_char(out, '"');
}

struct csv {
    struct buf *out;
    bool names, first; /* the header line; nothing written on this line yet */
    char path[PATH_MAX_BYTES];
};
static void csv_object(struct walk *w, struct csv *c, size_t path)
{
    take(w, '{');
    while (w->at < w->end && !take(w, '}')) {
        struct slice key = key_of(w);
        size_t size = path + key.len;
        if (size + 2 > sizeof(c->path)) return;
        memcpy(c->path + path, key.at, key.len);
        if (peek(w) == '{') {
            c->path[size] = '.';
            csv_object(w, c, size + 1);
        } else {
            uint8_t text[TEXT_MAX];
            struct slice value = plain(scalar(w), text, sizeof(text));
            if (!c->first) buf_char(c->out, ',');
            c->first = false;
            csv_cell(c->names ? slice_make(c->path, size) : value, c->out);
        }
        take(w, ',');
    }
}
void format_csv(struct slice json, struct buf *out)
{
    struct walk w = {json.at, json.at + json.len};
    take(&w, '{');
    key_of(&w);
    take(&w, '[');
    struct csv c = {.out = out, .names = true, .first = true};
    struct walk header = w;
    if (peek(&w) == '{') csv_object(&header, &c, 0);
    c.names = false;
    while (peek(&w) == '{') {
        buf_char(out, '\n');
        c.first = true;
        csv_object(&w, &c, 0);
        take(&w, ',');
    }
}

/* As yamljs writes: quotes where a reader could take the text for something else. */
static bool yaml_needs_quotes(struct slice s)
{
    double number;
    if (s.len == 0 || strchr("-?|<>=!%@`", s.at[0]) || slice_to_f64(s, &number)) return true;
    for (uint32_t i = 0; i < s.len; i++)
        if (s.at[i] < 128 && strchr(" \t'\":{}[],&*#?", s.at[i])) return true;
    static const char *const words[] = {"null", "~", "true", "false"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_equal_nocase(s, slice_of(words[i]))) return true;
    return false;
}
static void yaml_scalar(struct walk *w, struct buf *out)
{
    uint8_t text[TEXT_MAX];
    struct slice raw = scalar(w), s = plain(raw, text, sizeof(text));
    if (!is_string(raw) || !yaml_needs_quotes(s)) {
        buf_slice(out, s);
        return;
    }
    if (s.len == 0) {
        buf_text(out, "\"\"");
        return;
    }
    buf_char(out, '\'');
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.at[i] == '\'') buf_char(out, '\'');
        buf_char(out, (char)s.at[i]);
    }
    buf_char(out, '\'');
}
static void yaml_inline(struct walk *w, struct buf *out)
{
    if (!take(w, '{')) {
        yaml_scalar(w, out);
        return;
    }
    buf_char(out, '{');
    while (w->at < w->end && !take(w, '}')) {
        buf_slice(out, key_of(w));
        buf_text(out, ": ");
        yaml_scalar(w, out);
        if (take(w, ',')) buf_text(out, ", ");
    }
    buf_char(out, '}');
}
static void yaml_value(struct walk *w, struct buf *out, int blocks, int level)
{
    uint8_t open = peek(w);
    bool list = open == '[';
    w->at++;
    while (w->at < w->end && !take(w, list ? ']' : '}')) {
        indent(out, level, "    ");
        if (list)
            buf_char(out, '-');
        else {
            buf_slice(out, key_of(w));
            buf_char(out, ':');
        }
        if (blocks > 1 && (peek(w) == '{' || peek(w) == '[')) {
            buf_char(out, '\n');
            yaml_value(w, out, blocks - 1, level + 1);
        } else {
            buf_char(out, ' ');
            yaml_inline(w, out);
            buf_char(out, '\n');
        }
        take(w, ',');
    }
}
void format_yaml(struct slice json, struct buf *out)
{
    struct walk w = {json.at, json.at + json.len};
    yaml_value(&w, out, 4, 0);
}

static void xml_text(struct slice s, struct buf *out)
{
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.at[i] == '&')
            buf_text(out, "&amp;");
        else if (s.at[i] == '<')
            buf_text(out, "&lt;");
        else if (s.at[i] == '>')
            buf_text(out, "&gt;");
        else if (s.at[i] == '\'')
            buf_text(out, "&apos;");
        else if (s.at[i] == '"')
            buf_text(out, "&quot;");
        else
            buf_char(out, (char)s.at[i]);
    }
}
static void xml_element(struct walk *w, struct slice name, struct buf *out, int level)
{
    if (take(w, '[')) { /* one element each, all of the list's name */
        while (w->at < w->end && !take(w, ']')) {
            xml_element(w, name, out, level);
            take(w, ',');
        }
        return;
    }
    indent(out, level, "\t");
    if (take(w, '{')) {
        buf_printf(out, "<%.*s>\n", SLICE_ARG(name));
        while (w->at < w->end && !take(w, '}')) {
            struct slice key = key_of(w);
            xml_element(w, key, out, level + 1);
            take(w, ',');
        }
        indent(out, level, "\t");
        buf_printf(out, "</%.*s>\n", SLICE_ARG(name));
        return;
    }
    uint8_t text[TEXT_MAX];
    struct slice raw = scalar(w), value = plain(raw, text, sizeof(text));
    buf_printf(out, "<%.*s>", SLICE_ARG(name));
    if (!slice_is(raw, "null")) xml_text(value, out);
    buf_printf(out, "</%.*s>\n", SLICE_ARG(name));
}
void format_xml(struct slice json, struct buf *out)
{
    struct walk w = {json.at, json.at + json.len};
    buf_text(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml_element(&w, SLICE("user"), out, 0);
    if (!out->err && out->len > 0) out->len--; /* no line break at the end */
}
