/* Values as JSON and from it. The hot path is the column decoder of json.h; this one takes a single
 * value's text, level by level, with every depth bounded. */
#include "data/value/value_int.h"

#include "data/json.h"
#include "data/utf8.h"

/* --- writing -----------------------------------------------------------------------------------
 */

static bool json_is_bare(const struct value *v)
{
    enum type_kind k = v->type->kind;
    double f = k == TYPE_FLOAT ? (double)v->f32 : k == TYPE_DOUBLE ? v->f64 : 0;
    return k == TYPE_BOOLEAN || k == TYPE_JSON || (type_is_number(v->type) && f - f == 0);
}

static void put_map_key(const struct value *key, struct buf *out)
{
    struct buf text = buf_make(VALUE_BYTES_MAX);
    value_to_text(key, &text);
    if (text.err && !out->err) out->err = text.err;
    json_put_text(out, buf_view(&text));
    buf_done(&text);
}

static void nested_to_json(const struct value *v, struct buf *out)
{
    bool map = v->type->kind == TYPE_MAP, object = map || v->type->kind == TYPE_STRUCT;
    struct value_walk w = value_walk_make(v);
    struct value item;
    buf_char(out, object ? '{' : '[');
    for (uint32_t i = 0; value_walk_next(&w, &item); i++) {
        bool key = map && i % 2 == 0;
        if (i) buf_char(out, map && !key ? ':' : ',');
        if (v->type->kind == TYPE_STRUCT) {
            json_put_text(out, v->type->names[i]);
            buf_char(out, ':');
        }
        if (key)
            put_map_key(&item, out);
        else
            value_to_json(&item, out);
    }
    buf_char(out, object ? '}' : ']');
}

void value_to_json(const struct value *v, struct buf *out)
{
    if (v->state != VALID_VALUE) {
        buf_text(out, "null");
    } else if (type_is_nested(v->type)) {
        nested_to_json(v, out);
    } else if (type_is_text(v->type)) {
        json_put_text(out, v->bytes);
    } else if (json_is_bare(v)) {
        scalar_to_text(v, out);
    } else { /* digits, letters and punctuation that need no escape */
        buf_char(out, '"');
        scalar_to_text(v, out);
        buf_char(out, '"');
    }
}

/* --- reading -----------------------------------------------------------------------------------
 */

struct step { /* where in the value a level stands: a field or key, or an element */
    struct slice name;
    uint32_t index;
    bool known;
};

struct json_reader {
    struct slice text;
    uint32_t i;
    int depth;
    struct step steps[TYPE_DEPTH_MAX]; /* of the levels that are open */
    bool cast;
    struct arena *a;
    struct diag *d;
};

static err_t bad_json(struct json_reader *r, const char *why)
{
    if (r->i >= r->text.len)
        return diag_fail(r->d, ERR_BAD_JSON, "'%s' is not JSON: it ends too early",
                         show_text(r->text).text);
    return diag_fail(r->d, ERR_BAD_JSON, "'%s' is not JSON: %s at byte %u", show_text(r->text).text,
                     why, r->i + 1);
}

static uint8_t peek(struct json_reader *r)
{
    while (r->i < r->text.len) {
        uint8_t c = r->text.at[r->i];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return c;
        r->i++;
    }
    return 0;
}

static bool hex4(struct json_reader *r, uint32_t at, uint32_t *out)
{
    *out = 0;
    if (r->text.len - at < 4) return false;
    for (uint32_t i = at; i < at + 4; i++) {
        uint8_t c = r->text.at[i], low = c | 0x20;
        uint32_t digit = is_digit(c) ? c - 48u : low >= 'a' && low <= 'f' ? low - 87u : 16;
        if (digit == 16) return false;
        *out = *out << 4 | digit;
    }
    return true;
}

/* After the backslash at r->i: one character into `to` (up to four bytes), 0 when it is wrong. */
static uint32_t read_escape(struct json_reader *r, uint8_t *to)
{
    static const char from[] = "\"\\/bfnrt", plain[] = "\"\\/\b\f\n\r\t";
    uint32_t high, low;
    if (r->i + 1 >= r->text.len) return 0;
    uint8_t c = r->text.at[r->i + 1];
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        r->i += 2;
        to[0] = (uint8_t)plain[simple - from];
        return 1;
    }
    if (c != 'u' || !hex4(r, r->i + 2, &high) || (high >= 0xDC00 && high <= 0xDFFF)) return 0;
    uint32_t size = 6;
    if (high >= 0xD800 && high <= 0xDBFF) {
        uint32_t next = r->i + 6;
        if (r->text.len - next < 6 || r->text.at[next] != '\\' || r->text.at[next + 1] != 'u' ||
            !hex4(r, next + 2, &low) || low < 0xDC00 || low > 0xDFFF)
            return 0;
        high = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        size = 12;
    }
    r->i += size;
    return utf8_put(to, high);
}

/* A string from its opening quote to behind the closing one. `out`: NULL only checks; without
 * escapes it borrows the text, otherwise it is made in the arena. */
static err_t read_string(struct json_reader *r, struct slice *out)
{
    uint32_t from = ++r->i, n = 0;
    uint8_t *plain = NULL, small[4];
    while (r->i < r->text.len && r->text.at[r->i] != '"') {
        uint8_t c = r->text.at[r->i];
        if (c < 0x20) return bad_json(r, "a control character in a string");
        if (c != '\\') {
            if (plain) plain[n] = c;
            n++;
            r->i++;
            continue;
        }
        if (out && !plain) { /* what is unescaped is never longer */
            plain = arena_take_raw(r->a, r->text.len - from + 4);
            if (!plain) return no_room(r->d);
            memcpy(plain, r->text.at + from, n);
        }
        uint32_t size = read_escape(r, plain ? plain + n : small);
        if (size == 0) return bad_json(r, "a wrong escape");
        n += size;
    }
    if (r->i >= r->text.len) return bad_json(r, "a string");
    uint32_t bad_at, end = r->i++;
    struct slice raw = {r->text.at + from, end - from};
    if (!utf8_valid(raw, &bad_at)) {
        r->i = from + bad_at;
        return bad_json(r, "no UTF-8");
    }
    if (out) *out = plain ? (struct slice){plain, n} : raw;
    return ERR_OK;
}

static bool skip_digits(struct json_reader *r)
{
    uint32_t from = r->i;
    while (r->i < r->text.len && is_digit(r->text.at[r->i])) r->i++;
    return r->i > from;
}

static bool take_any(struct json_reader *r, const char *set)
{
    bool found = r->i < r->text.len && r->text.at[r->i] && strchr(set, r->text.at[r->i]);
    r->i += found;
    return found;
}

static err_t read_number(struct json_reader *r, struct slice *out)
{
    uint32_t from = r->i;
    (void)take_any(r, "-");
    bool ok = take_any(r, "0") || skip_digits(r);
    if (ok && take_any(r, ".")) ok = skip_digits(r);
    if (ok && take_any(r, "eE")) {
        (void)take_any(r, "+-");
        ok = skip_digits(r);
    }
    *out = (struct slice){r->text.at + from, r->i - from};
    return ok ? ERR_OK : bad_json(r, "a wrong number");
}

static bool take_word(struct json_reader *r, const char *word)
{
    struct slice rest = {r->text.at + r->i, r->text.len - r->i};
    bool found = slice_starts(rest, word);
    if (found) r->i += (uint32_t)strlen(word);
    return found;
}

static err_t skip_json(struct json_reader *r);

/* Each item of an object or array in turn, from the bracket to behind its end. */
static err_t skip_items(struct json_reader *r, bool object)
{
    uint8_t close = object ? '}' : ']';
    if (r->depth == JSON_DEPTH_MAX)
        return diag_fail(r->d, ERR_TOO_DEEP, "JSON is nested deeper than %d", JSON_DEPTH_MAX);
    r->i++;
    r->depth++;
    if (peek(r) == close) {
        r->i++;
        r->depth--;
        return ERR_OK;
    }
    for (;; r->i++) { /* over the comma */
        err_t e = ERR_OK;
        if (object) {
            e = peek(r) == '"' ? read_string(r, NULL) : bad_json(r, "no field's name");
            if (!e && peek(r) != ':') e = bad_json(r, "no colon");
            r->i++;
        }
        if (!e) e = skip_json(r);
        if (e) return e;
        if (peek(r) != ',') break;
    }
    if (peek(r) != close) return bad_json(r, "no comma");
    r->i++;
    r->depth--;
    return ERR_OK;
}

static err_t skip_json(struct json_reader *r)
{
    struct slice number;
    uint8_t c = peek(r);
    if (c == '"') return read_string(r, NULL);
    if (c == '{' || c == '[') return skip_items(r, c == '{');
    if (c == '-' || is_digit(c)) return read_number(r, &number);
    if (take_word(r, "true") || take_word(r, "false") || take_word(r, "null")) return ERR_OK;
    return bad_json(r, "no value");
}

err_t json_check(struct slice json, struct diag *d)
{
    struct json_reader r = {.text = json, .d = d};
    err_t e = skip_json(&r);
    if (!e && peek(&r)) return bad_json(&r, "more than one value");
    return e;
}

/* --- into typed values -------------------------------------------------------------------------
 */

static err_t unwanted(struct json_reader *r, const struct type *t, struct slice shown,
                      const char *kind)
{
    return diag_fail(r->d, ERR_TYPE, "%s is %s, %s was wanted", show_text(shown).text, kind,
                     type_kind_name(t->kind));
}

static err_t string_to_value(struct json_reader *r, const struct type *t, struct slice s,
                             struct slice raw, struct value *out)
{
    bool fraction = t->kind == TYPE_FLOAT || t->kind == TYPE_DOUBLE;
    bool word = slice_is(s, "NaN") || slice_is(s, "Infinity") || slice_is(s, "-Infinity");
    bool strict_no =
        type_is_nested(t) || t->kind == TYPE_BOOLEAN || (type_is_number(t) && !(fraction && word));
    if (strict_no && !r->cast) return unwanted(r, t, raw, "a string");
    return value_from_text(t, s, r->a, out, r->d);
}

/* 1e3 and 2.0 are whole numbers too. */
static err_t whole_from_number(struct json_reader *r, const struct type *t, struct slice text,
                               struct value *out)
{
    struct value v;
    err_t e = value_from_text(type_of(TYPE_DECIMAL), text, r->a, &v, r->d);
    return e ? e : value_cast(&v, t, r->a, out, r->d);
}

static err_t number_to_value(struct json_reader *r, const struct type *t, struct slice text,
                             struct value *out)
{
    bool fraction = memchr(text.at, '.', text.len) || memchr(text.at, 'e', text.len) ||
                    memchr(text.at, 'E', text.len);
    if (type_is_integer(t) && fraction) return whole_from_number(r, t, text, out);
    if (type_is_number(t)) return value_from_text(t, text, r->a, out, r->d);
    if (t->kind == TYPE_TIMESTAMP && !fraction) return value_from_text(t, text, r->a, out, r->d);
    if (r->cast && type_is_text(t)) return value_from_text(t, text, r->a, out, r->d);
    return unwanted(r, t, text, "a number");
}

static err_t word_to_value(struct json_reader *r, const struct type *t, struct value *out)
{
    uint32_t from = r->i;
    *out = value_null(t);
    if (take_word(r, "null")) return ERR_OK;
    if (!take_word(r, "true") && !take_word(r, "false")) return bad_json(r, "no value");
    struct slice text = {r->text.at + from, r->i - from};
    if (t->kind == TYPE_BOOLEAN || (r->cast && type_is_text(t)))
        return value_from_text(t, text, r->a, out, r->d);
    return unwanted(r, t, text, "a boolean");
}

/* The value's own text, whatever it is. */
static err_t raw_to_value(struct json_reader *r, const struct type *t, struct value *out)
{
    uint32_t from = r->i;
    err_t e = skip_json(r);
    if (e) return e;
    *out = (struct value){.type = t, .state = VALID_VALUE};
    out->bytes = (struct slice){r->text.at + from, r->i - from};
    return ERR_OK;
}

static err_t scalar_from_json(struct json_reader *r, const struct type *t, struct value *out)
{
    struct slice text = {0};
    uint8_t c = peek(r);
    uint32_t from = r->i;
    bool nested = c == '{' || c == '[';
    if (t->kind == TYPE_JSON) return c == 'n' ? word_to_value(r, t, out) : raw_to_value(r, t, out);
    if (nested && r->cast && t->kind == TYPE_TEXT) return raw_to_value(r, t, out);
    if (nested) {
        err_t e = raw_to_value(r, t, out);
        return e ? e : unwanted(r, t, out->bytes, c == '{' ? "an object" : "an array");
    }
    if (c == '"') {
        err_t e = read_string(r, &text);
        struct slice raw = {r->text.at + from, r->i - from};
        return e ? e : string_to_value(r, t, text, raw, out);
    }
    if (c == '-' || is_digit(c)) {
        err_t e = read_number(r, &text);
        return e ? e : number_to_value(r, t, text, out);
    }
    return word_to_value(r, t, out);
}

static err_t level_from_json(struct json_reader *r, const struct type *t, struct buf *out);

static err_t item_from_json(struct json_reader *r, struct nested_writer *w)
{
    struct value v;
    const struct type *t = nested_item_type(w->type, w->items);
    uint8_t c = peek(r);
    size_t at;
    if (type_is_nested(t) && (c == '{' || c == '[')) {
        at = nested_item_begin(w);
        err_t e = level_from_json(r, t, w->out);
        if (e) return e;
    } else {
        err_t e = scalar_from_json(r, t, &v);
        if (e) return e;
        if (v.state == NULL_VALUE && w->type->kind == TYPE_SET)
            return diag_fail(r->d, ERR_TYPE, "null can not be in a set");
        if (v.state == NULL_VALUE) {
            nested_null(w);
            return ERR_OK;
        }
        at = nested_item_begin(w);
        value_to_binary(&v, w->out);
    }
    nested_item_end(w, at);
    return ERR_OK;
}

static void step_into(struct json_reader *r, struct slice name, uint32_t index)
{
    r->steps[r->depth - 1] = (struct step){name, index, true};
}

/* "at friends[2].name": the way to what is wrong. */
static void tell_place(struct json_reader *r)
{
    char text[200];
    struct buf b = buf_over(text, sizeof(text));
    for (int i = 0; i < MIN(r->depth, (int)TYPE_DEPTH_MAX) && r->steps[i].known; i++) {
        const struct step *step = &r->steps[i];
        if (step->name.at)
            buf_printf(&b, "%s%s", i ? "." : "", show_text(step->name).text);
        else
            buf_printf(&b, "[%u]", step->index);
    }
    if (b.len) diag_where(r->d, "at %.*s", (int)b.len, text);
}

static err_t array_items(struct json_reader *r, struct nested_writer *w)
{
    bool tuple = w->type->kind == TYPE_TUPLE;
    if (peek(r) == ']') return ERR_OK;
    for (;; r->i++) {
        if (tuple && w->items == w->type->count)
            return diag_fail(r->d, ERR_TYPE, "an array has more items than the tuple (%u)",
                             w->type->count);
        step_into(r, (struct slice){0}, w->items);
        err_t e = item_from_json(r, w);
        if (e) return e;
        if (peek(r) != ',') return ERR_OK;
    }
}

/* A field's name and the colon behind it. */
static err_t read_name(struct json_reader *r, struct slice *name)
{
    if (peek(r) != '"') return bad_json(r, "no field's name");
    err_t e = read_string(r, name);
    if (e) return e;
    if (peek(r) != ':') return bad_json(r, "no colon");
    r->i++;
    return ERR_OK;
}

static err_t map_items(struct json_reader *r, struct nested_writer *w)
{
    struct slice name = {0};
    struct value key;
    if (peek(r) == '}') return ERR_OK;
    for (;; r->i++) {
        err_t e = read_name(r, &name);
        if (!e) step_into(r, name, 0);
        if (!e) e = value_from_text(w->type->items[0], name, r->a, &key, r->d);
        if (e) return e;
        size_t at = nested_item_begin(w);
        value_to_binary(&key, w->out);
        nested_item_end(w, at);
        e = item_from_json(r, w);
        if (e) return e;
        if (peek(r) != ',') return ERR_OK;
    }
}

static void note_field(const struct type *t, struct slice name, uint32_t place, uint32_t *places)
{
    for (uint16_t f = 0; f < t->count; f++)
        if (slice_equal(t->names[f], name)) places[f] = place; /* the last of doubles counts */
}

static err_t find_fields(struct json_reader *r, const struct type *t, uint32_t *places)
{
    struct slice name = {0};
    if (peek(r) == '}') return ERR_OK;
    for (;; r->i++) {
        err_t e = read_name(r, &name);
        if (e) return e;
        note_field(t, name, r->i, places);
        e = skip_json(r);
        if (e) return e;
        if (peek(r) != ',') return ERR_OK;
    }
}

/* Fields come in any order, the binary form has the type's: first where each one stands. */
static err_t struct_items(struct json_reader *r, struct nested_writer *w)
{
    uint32_t *places = mem_take(w->type->count * sizeof(*places)); /* 0: not there */
    if (!places) return no_room(r->d);
    err_t e = find_fields(r, w->type, places);
    uint32_t end = r->i;
    for (uint16_t f = 0; !e && f < w->type->count; f++) {
        r->i = places[f];
        step_into(r, w->type->names[f], 0);
        if (!places[f])
            nested_null(w);
        else
            e = item_from_json(r, w);
    }
    if (!e) r->i = end;
    mem_give(places);
    return e;
}

static err_t level_from_json(struct json_reader *r, const struct type *t, struct buf *out)
{
    bool object = t->kind == TYPE_MAP || t->kind == TYPE_STRUCT;
    uint8_t c = peek(r), close = object ? '}' : ']';
    if (c != (object ? '{' : '[')) {
        struct value v;
        err_t e = raw_to_value(r, t, &v);
        return e ? e : unwanted(r, t, v.bytes, c == '{' ? "an object" : "an array");
    }
    if (r->depth == TYPE_DEPTH_MAX)
        return diag_fail(r->d, ERR_TOO_DEEP, "a value is nested deeper than %d", TYPE_DEPTH_MAX);
    r->i++;
    r->steps[r->depth++].known = false;
    struct nested_writer w = nested_begin(t, out);
    err_t e = t->kind == TYPE_MAP      ? map_items(r, &w)
              : t->kind == TYPE_STRUCT ? struct_items(r, &w)
                                       : array_items(r, &w);
    if (e) return e;
    if (peek(r) != close) return bad_json(r, "no comma");
    r->i++;
    r->depth--;
    while (t->kind == TYPE_TUPLE && w.items < t->count) nested_null(&w);
    return nested_end(&w, r->d);
}

err_t value_from_json(const struct type *t, struct slice json, bool cast, struct arena *a,
                      struct value *out, struct diag *d)
{
    struct json_reader r = {.text = json, .cast = cast, .a = a, .d = d};
    struct buf made = buf_make(VALUE_BYTES_MAX);
    struct value v = value_null(t);
    uint8_t c = peek(&r);
    bool nested = type_is_nested(t) && (c == '{' || c == '[');
    *out = value_null(t);
    err_t e = nested ? level_from_json(&r, t, &made) : scalar_from_json(&r, t, &v);
    if (e && e != ERR_BAD_JSON && e != ERR_TOO_DEEP) tell_place(&r);
    if (!e && peek(&r)) e = bad_json(&r, "more than one value");
    if (!e && nested) e = nested_finish(t, &made, a, &v, d);
    buf_done(&made);
    if (!e) *out = v;
    return e;
}
