/* Nested values as CQL literals: [1, 2], {'a', 'b'}, {1: 'x'}, ('a', 2), {name: 'x', age: 3}. */
#include "data/value/value_int.h"

/* Where CQL's own literal is a string. */
static bool wants_quotes(enum type_kind k)
{
    return k == TYPE_ASCII || k == TYPE_TEXT || k == TYPE_JSON || k == TYPE_INET ||
           k == TYPE_TIMESTAMP || k == TYPE_DATE || k == TYPE_TIME;
}

static const char *brackets(const struct type *t)
{
    return t->kind == TYPE_LIST ? "[]" : t->kind == TYPE_TUPLE ? "()" : "{}";
}

/* --- writing -----------------------------------------------------------------------------------
 */

static void put_quoted(struct buf *out, struct slice text)
{
    buf_char(out, '\'');
    for (uint32_t from = 0; from < text.len;) {
        const uint8_t *quote = memchr(text.at + from, '\'', text.len - from);
        uint32_t to = quote ? (uint32_t)(quote - text.at) + 1 : text.len;
        buf_put(out, text.at + from, to - from);
        if (quote) buf_char(out, '\'');
        from = to;
    }
    buf_char(out, '\'');
}

static void put_item_text(const struct value *item, struct buf *out)
{
    char text[64];
    enum type_kind k = item->type->kind;
    if (item->state != VALID_VALUE || !wants_quotes(k)) {
        value_to_text(item, out);
    } else if (type_phys(item->type) == PHYS_BYTES && k != TYPE_INET) {
        put_quoted(out, item->bytes);
    } else {
        struct buf b = buf_over(text, sizeof(text));
        scalar_to_text(item, &b);
        put_quoted(out, buf_view(&b));
    }
}

void nested_to_text(const struct value *v, struct buf *out)
{
    struct value_walk w = value_walk_make(v);
    struct value item;
    buf_char(out, brackets(v->type)[0]);
    for (uint32_t i = 0; value_walk_next(&w, &item); i++) {
        if (i) buf_text(out, v->type->kind == TYPE_MAP && i % 2 ? ": " : ", ");
        if (v->type->kind == TYPE_STRUCT) {
            type_print_name(v->type->names[i], out);
            buf_text(out, ": ");
        }
        put_item_text(&item, out);
    }
    buf_char(out, brackets(v->type)[1]);
}

/* --- reading -----------------------------------------------------------------------------------
 */

struct nested_reader {
    const struct type *top;
    struct slice text;
    uint32_t i;
    int depth;
    struct buf *out;
    struct arena *a;
    struct diag *d;
};

static err_t wrong_here(struct nested_reader *r)
{
    return text_wrong(r->d, r->top, r->text, r->i);
}

static void skip_space(struct nested_reader *r)
{
    while (r->i < r->text.len && strchr(" \t\r\n", r->text.at[r->i]) && r->text.at[r->i]) r->i++;
}

static bool at_char(struct nested_reader *r, char c)
{
    skip_space(r);
    return r->i < r->text.len && r->text.at[r->i] == (uint8_t)c;
}

/* From a quote to behind the one that ends it; doubled ones stand for one. */
static bool skip_quoted(struct nested_reader *r, uint8_t quote)
{
    for (r->i++; r->i < r->text.len; r->i++) {
        if (r->text.at[r->i] != quote) continue;
        r->i++;
        if (r->i == r->text.len || r->text.at[r->i] != quote) return true;
    }
    return false;
}

static err_t read_quoted(struct nested_reader *r, uint8_t quote, struct slice *out)
{
    uint32_t from = r->i + 1;
    if (!skip_quoted(r, quote)) return wrong_here(r);
    uint32_t end = r->i - 1, n = 0;
    *out = (struct slice){r->text.at + from, end - from};
    if (!memchr(out->at, quote, out->len)) return ERR_OK;
    uint8_t *plain = arena_take_raw(r->a, end - from);
    if (!plain) return no_room(r->d);
    for (uint32_t i = from; i < end; i++) {
        plain[n++] = r->text.at[i];
        i += r->text.at[i] == quote;
    }
    *out = (struct slice){plain, n};
    return ERR_OK;
}

static struct slice read_bare(struct nested_reader *r, bool key)
{
    uint32_t from = r->i;
    while (r->i < r->text.len && !strchr(key ? ",]}):" : ",]})", r->text.at[r->i])) r->i++;
    return slice_trim((struct slice){r->text.at + from, r->i - from});
}

static err_t read_level(struct nested_reader *r, const struct type *t);

static err_t read_scalar_item(struct nested_reader *r, struct nested_writer *w,
                              const struct type *t, bool key)
{
    struct slice token;
    struct value v;
    uint32_t from = r->i;
    err_t e = ERR_OK;
    bool quoted = at_char(r, '\'');
    if (quoted)
        e = read_quoted(r, '\'', &token);
    else
        token = read_bare(r, key);
    if (e) return e;
    if (!quoted && slice_equal_nocase(token, SLICE("null"))) {
        if (key || w->type->kind == TYPE_SET)
            return text_wrong_because(r->d, r->top, r->text, "null can not be a key");
        nested_null(w);
        return ERR_OK;
    }
    e = !quoted && token.len == 0 ? wrong_here(r) : value_from_text(t, token, r->a, &v, r->d);
    if (e) {
        diag_where(r->d, "character %u of '%s'", from + 1, show_text(r->text).text);
        return e;
    }
    size_t at = nested_item_begin(w);
    value_to_binary(&v, r->out);
    nested_item_end(w, at);
    return ERR_OK;
}

static bool at_null(struct nested_reader *r)
{
    uint32_t from = r->i;
    bool null = slice_equal_nocase(read_bare(r, false), SLICE("null"));
    if (!null) r->i = from;
    return null;
}

static err_t read_item(struct nested_reader *r, struct nested_writer *w, bool key)
{
    const struct type *t = nested_item_type(w->type, w->items);
    skip_space(r);
    if (!type_is_nested(t)) return read_scalar_item(r, w, t, key);
    if (!key && w->type->kind != TYPE_SET && at_null(r)) {
        nested_null(w);
        return ERR_OK;
    }
    size_t at = nested_item_begin(w);
    err_t e = read_level(r, t);
    if (!e) nested_item_end(w, at);
    return e;
}

static err_t read_items(struct nested_reader *r, struct nested_writer *w, char close)
{
    bool map = w->type->kind == TYPE_MAP, tuple = w->type->kind == TYPE_TUPLE;
    if (at_char(r, close)) return ERR_OK;
    for (;; r->i++) { /* over the comma */
        if (tuple && w->items == w->type->count)
            return text_wrong_because(r->d, r->top, r->text, "a tuple in it has too many fields");
        err_t e = read_item(r, w, map);
        if (e) return e;
        if (map) {
            if (!at_char(r, ':')) return wrong_here(r);
            r->i++;
            e = read_item(r, w, false);
            if (e) return e;
        }
        if (!at_char(r, ',')) return ERR_OK;
    }
}

/* Over one value of any kind, to the comma or bracket behind it. */
static bool skip_value(struct nested_reader *r)
{
    uint32_t open = 0;
    for (; r->i < r->text.len; r->i++) {
        uint8_t c = r->text.at[r->i];
        bool closes = c == ']' || c == '}' || c == ')';
        if (open == 0 && (closes || c == ',')) return true;
        if (c == '\'' || c == '"') {
            if (!skip_quoted(r, c)) return false;
            r->i--;
        }
        open += c == '[' || c == '{' || c == '(';
        open -= closes;
    }
    return false;
}

static err_t read_field_name(struct nested_reader *r, const struct type *t, uint16_t *field)
{
    struct slice name = {0};
    bool quoted = at_char(r, '"');
    err_t e = ERR_OK;
    if (quoted)
        e = read_quoted(r, '"', &name);
    else
        name = read_bare(r, true);
    if (e) return e;
    if (!at_char(r, ':')) return wrong_here(r);
    r->i++;
    for (uint16_t f = 0; f < t->count; f++) {
        *field = f;
        if (quoted ? slice_equal(t->names[f], name) : slice_equal_nocase(t->names[f], name))
            return ERR_OK;
    }
    char why[128];
    struct buf b = buf_over(why, sizeof(why));
    buf_printf(&b, "it has no field '%s'", show_text(name).text);
    return text_wrong_because(r->d, r->top, r->text, buf_cstr(&b));
}

/* Fields come in any order, the binary form has the type's: first where each one stands. */
static err_t find_fields(struct nested_reader *r, const struct type *t, uint32_t *places)
{
    if (at_char(r, '}')) return ERR_OK;
    for (;; r->i++) {
        uint16_t field = 0;
        err_t e = read_field_name(r, t, &field);
        if (e) return e;
        if (places[field]) return text_wrong_because(r->d, r->top, r->text, "it has a field twice");
        places[field] = r->i;
        if (!skip_value(r)) return wrong_here(r);
        if (!at_char(r, ',')) return ERR_OK;
    }
}

static err_t read_struct(struct nested_reader *r, struct nested_writer *w)
{
    uint32_t *places = mem_take(w->type->count * sizeof(*places)); /* 0: not there */
    if (!places) return no_room(r->d);
    err_t e = find_fields(r, w->type, places);
    uint32_t end = r->i;
    for (uint16_t f = 0; !e && f < w->type->count; f++) {
        r->i = places[f];
        if (!places[f])
            nested_null(w);
        else
            e = read_item(r, w, false);
        if (!e && places[f] && !at_char(r, ',') && !at_char(r, '}')) e = wrong_here(r);
    }
    if (!e) r->i = end;
    mem_give(places);
    return e;
}

static err_t read_level(struct nested_reader *r, const struct type *t)
{
    const char *ends = brackets(t);
    if (r->depth == TYPE_DEPTH_MAX)
        return diag_fail(r->d, ERR_TOO_DEEP, "a value is nested deeper than %d", TYPE_DEPTH_MAX);
    if (!at_char(r, ends[0])) return wrong_here(r);
    r->i++;
    r->depth++;
    struct nested_writer w = nested_begin(t, r->out);
    err_t e = t->kind == TYPE_STRUCT ? read_struct(r, &w) : read_items(r, &w, ends[1]);
    if (e) return e;
    if (!at_char(r, ends[1])) return wrong_here(r);
    r->i++;
    r->depth--;
    while (t->kind == TYPE_TUPLE && w.items < t->count) nested_null(&w);
    return nested_end(&w, r->d);
}

err_t nested_from_text(const struct type *t, struct slice text, struct arena *a, struct value *out,
                       struct diag *d)
{
    struct buf made = buf_make(VALUE_BYTES_MAX);
    struct nested_reader r = {.top = t, .text = text, .out = &made, .a = a, .d = d};
    err_t e = read_level(&r, t);
    skip_space(&r);
    if (!e && r.i < text.len) e = wrong_here(&r);
    if (!e) return nested_finish(t, &made, a, out, d);
    buf_done(&made);
    return e;
}
