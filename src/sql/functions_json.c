/* JSON: by path, its parts, and making it. */
#include "data/json.h"
#include "sql/functions.h"

/* --- walking one JSON value's text, which is valid -----------------------------------------------
 */

static const uint8_t *skip_space(const uint8_t *at, const uint8_t *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

static const uint8_t *skip_string(const uint8_t *at, const uint8_t *end)
{
    for (at++; at < end && *at != '"'; at++)
        if (*at == '\\') at++;
    return at < end ? at + 1 : end;
}

/* Past one value; nesting is counted, not descended. */
static const uint8_t *skip_value(const uint8_t *at, const uint8_t *end)
{
    uint32_t depth = 0;
    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
        } else {
            if (*at == '{' || *at == '[') depth++;
            if ((*at == '}' || *at == ']') && depth-- == 0) return at;
            if (depth == 0 && (*at == ',' || *at == ':')) return at;
            at++;
        }
        if (depth == 0 && (at[-1] == '"' || at[-1] == '}' || at[-1] == ']')) return at;
    }
    return end;
}

static struct slice trimmed(const uint8_t *start, const uint8_t *end)
{
    return slice_trim(slice_make(start, (size_t)(end - start)));
}

/* Whether the member's key, still with its escapes, is this name. */
static bool key_is(struct slice key, struct slice name, struct arena *a)
{
    if (!memchr(key.at, '\\', key.len))
        return slice_equal(slice_make(key.at + 1, key.len - 2), name);
    struct value v;
    if (value_from_json(type_of(TYPE_TEXT), key, false, a, &v, NULL)) return false;
    return slice_equal(v.bytes, name);
}

static bool object_get(struct slice json, struct slice name, struct arena *a, struct slice *out)
{
    const uint8_t *at = skip_space(json.at, json.at + json.len), *end = json.at + json.len;
    bool found = false;
    if (at == end || *at != '{') return false;
    at++;
    while ((at = skip_space(at, end)) < end && *at == '"') {
        const uint8_t *key = at;
        at = skip_string(at, end);
        struct slice written = slice_make(key, (size_t)(at - key));
        at = skip_space(at, end);
        if (at == end || *at != ':') return false;
        const uint8_t *value = skip_space(at + 1, end);
        at = skip_value(value, end);
        if (written.len >= 2 && key_is(written, name, a)) { /* of equal keys the last one counts */
            *out = trimmed(value, at);
            found = true;
        }
        at = skip_space(at, end);
        if (at < end && *at == ',') at++;
    }
    return found;
}

/* Elements of an array; -1: it is none. `want` < 0 with out NULL only counts. */
static int64_t array_walk(struct slice json, int64_t want, struct slice *out)
{
    const uint8_t *at = skip_space(json.at, json.at + json.len), *end = json.at + json.len;
    int64_t n = 0;
    if (at == end || *at != '[') return -1;
    at++;
    while ((at = skip_space(at, end)) < end && *at != ']') {
        const uint8_t *value = at;
        at = skip_value(value, end);
        if (n == want && out) *out = trimmed(value, at);
        n++;
        at = skip_space(at, end);
        if (at < end && *at == ',') at++;
    }
    return n;
}

static bool array_get(struct slice json, int64_t index, struct slice *out)
{
    int64_t count = array_walk(json, -1, NULL);
    if (index < 0) index += count;
    if (index < 0 || index >= count) return false;
    return array_walk(json, index, out) >= 0;
}

static bool json_find(struct slice json, const struct json_step *steps, uint32_t count,
                      struct arena *a, struct slice *out)
{
    *out = json;
    for (uint32_t i = 0; i < count; i++) {
        bool found = steps[i].name.at ? object_get(*out, steps[i].name, a, out)
                                      : array_get(*out, steps[i].index, out);
        if (!found) return false;
    }
    return !slice_is(slice_trim(*out), "null");
}

/* 'a.b[0]' into steps, without a copy. */
static bool path_steps(struct slice path, struct json_step *steps, uint32_t *count)
{
    uint32_t i = path.len && path.at[0] == '$' ? 1 : 0;
    *count = 0;
    while (i < path.len) {
        if (*count == JSON_DEPTH_MAX) return false;
        struct json_step *s = &steps[(*count)++];
        if (path.at[i] == '[') {
            uint32_t end = i + 1;
            while (end < path.len && path.at[end] != ']') end++;
            struct slice digits = slice_make(path.at + i + 1, end - i - 1);
            *s = (struct json_step){0};
            if (end == path.len || !slice_to_i64(digits, &s->index)) return false;
            i = end + 1;
        } else {
            if (path.at[i] == '.') i++;
            uint32_t end = i;
            while (end < path.len && path.at[end] != '.' && path.at[end] != '[') end++;
            *s = (struct json_step){.name = slice_make(path.at + i, end - i)};
            if (end == i) return false;
            i = end;
        }
    }
    return true;
}

static err_t get(struct call *c, uint32_t row, bool *found, struct slice *out)
{
    struct json_step steps[JSON_DEPTH_MAX];
    uint32_t count;
    *found = false;
    if (!path_steps(arg_text(c, 1, row), steps, &count))
        return call_fault(c, row, ERR_SYNTAX, "this is no path like 'a.b[0]'");
    *found = json_find(arg_text(c, 0, row), steps, count, c->f->in->arena, out);
    return ERR_OK;
}

err_t fn_json_get(struct call *c, uint32_t row)
{
    bool found;
    struct slice value;
    err_t e = get(c, row, &found, &value);
    if (!e && found) put_bytes(c->out, row, value);
    return e;
}

err_t fn_json_element(struct call *c, uint32_t row)
{
    struct slice value;
    if (array_get(arg_text(c, 0, row), arg_integer(c, 1, row), &value) && !slice_is(value, "null"))
        put_bytes(c->out, row, value);
    return ERR_OK;
}

err_t fn_json_text(struct call *c, uint32_t row)
{
    bool found;
    struct slice json;
    err_t e = get(c, row, &found, &json);
    if (e || !found) return e;
    if (json.len && json.at[0] != '"') {
        put_bytes(c->out, row, json);
        return ERR_OK;
    }
    struct value v;
    struct diag d = {0};
    e = value_from_json(type_of(TYPE_TEXT), json, false, c->f->in->arena, &v, &d);
    if (e == ERR_NO_MEMORY) return e;
    if (e) return call_fault(c, row, e, d.what);
    return column_set(c->out, row, &v);
}

err_t fn_json_array_length(struct call *c, uint32_t row)
{
    int64_t n = array_walk(arg_text(c, 0, row), -1, NULL);
    if (n >= 0) cell_put_integer(c->out, row, n);
    return ERR_OK;
}

err_t fn_json_type(struct call *c, uint32_t row)
{
    struct slice s = slice_trim(arg_text(c, 0, row));
    const char *name = "number";
    switch (s.len ? s.at[0] : 0) {
    case '{': name = "object"; break;
    case '[': name = "array"; break;
    case '"': name = "string"; break;
    case 't':
    case 'f': name = "boolean"; break;
    case 'n': name = "null"; break;
    default: break;
    }
    put_bytes(c->out, row, slice_of(name));
    return ERR_OK;
}

err_t fn_to_json(struct call *c, uint32_t row)
{
    struct value v;
    operand_value(&c->args[0], row, &v);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    value_to_json(&v, &b);
    return put_buf(c, row, &b);
}

/* --- more of JSON -------------------------------------------------------------------------------
 */

/* The names of an object's fields as a JSON array, as they stand there. */
err_t fn_json_keys(struct call *c, uint32_t row)
{
    struct slice json = slice_trim(arg_text(c, 0, row));
    const uint8_t *at = json.at, *end = json.at + json.len;
    if (at == end || *at != '{') return ERR_OK; /* null: it is no object */
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    buf_char(&b, '[');
    at++;
    while ((at = skip_space(at, end)) < end && *at == '"') {
        const uint8_t *key = at;
        at = skip_string(at, end);
        if (b.len > 1) buf_char(&b, ',');
        buf_put(&b, key, (size_t)(at - key));
        at = skip_space(at, end);
        if (at == end || *at != ':') break;
        at = skip_space(skip_value(skip_space(at + 1, end), end), end);
        if (at < end && *at == ',') at++;
    }
    buf_char(&b, ']');
    return put_buf(c, row, &b);
}

static err_t parsed(struct call *c, uint32_t row, struct value *out)
{
    struct diag d = {0};
    return value_from_text(type_of(TYPE_JSON), arg_text(c, 0, row), c->f->in->arena, out, &d);
}

err_t fn_json_valid(struct call *c, uint32_t row)
{
    struct value v;
    err_t e = parsed(c, row, &v);
    if (e == ERR_NO_MEMORY) return e;
    put_bool(c, row, !e);
    return ERR_OK;
}

err_t fn_parse_json(struct call *c, uint32_t row)
{
    struct value v;
    err_t e = parsed(c, row, &v);
    if (e == ERR_NO_MEMORY) return e;
    if (e) return call_fault(c, row, e, "this is no JSON");
    return column_set(c->out, row, &v);
}

static void put_argument(struct call *c, uint32_t i, uint32_t row, struct buf *b)
{
    struct value v;
    if (arg_null(c, i, row)) {
        buf_text(b, "null");
        return;
    }
    operand_value(&c->args[i], row, &v);
    value_to_json(&v, b);
}

err_t fn_json_array(struct call *c, uint32_t row)
{
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    buf_char(&b, '[');
    for (uint32_t i = 0; i < c->e->count; i++) {
        if (i) buf_char(&b, ',');
        put_argument(c, i, row, &b);
    }
    buf_char(&b, ']');
    return put_buf(c, row, &b);
}

err_t fn_json_object(struct call *c, uint32_t row)
{
    if (c->e->count % 2) return call_fault(c, row, ERR_TYPE, "each name needs a value");
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    buf_char(&b, '{');
    for (uint32_t i = 0; i < c->e->count; i += 2) {
        struct value name;
        struct buf text = buf_make(FUNCTION_TEXT_MAX);
        if (arg_null(c, i, row)) {
            buf_done(&text);
            buf_done(&b);
            return call_fault(c, row, ERR_TYPE, "a name is null");
        }
        operand_value(&c->args[i], row, &name);
        value_to_text(&name, &text);
        if (i) buf_char(&b, ',');
        json_put_text(&b, buf_view(&text));
        if (text.err) b.err = text.err;
        buf_done(&text);
        buf_char(&b, ':');
        put_argument(c, i + 1, row, &b);
    }
    buf_char(&b, '}');
    return put_buf(c, row, &b);
}

/* Whether an array holds an element that is written as the value is in JSON. */
err_t fn_json_contains(struct call *c, uint32_t row)
{
    struct slice json = slice_trim(arg_text(c, 0, row));
    const uint8_t *at = json.at, *end = json.at + json.len;
    if (at == end || *at != '[') return ERR_OK; /* null: it is no array */
    struct buf wanted = buf_make(FUNCTION_TEXT_MAX);
    put_argument(c, 1, row, &wanted);
    bool found = false;
    for (at = skip_space(at + 1, end); at < end && *at != ']' && !found;) {
        const uint8_t *value = at;
        at = skip_value(value, end);
        found = slice_equal(trimmed(value, at), buf_view(&wanted));
        at = skip_space(at, end);
        if (at < end && *at == ',') at = skip_space(at + 1, end);
    }
    err_t e = wanted.err;
    buf_done(&wanted);
    if (!e) put_bool(c, row, found);
    return e;
}
