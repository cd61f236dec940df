#include "data/shape.h"

#include "data/json_parts.h"

#include <stdio.h>

const char *const shape_kind_names[SHAPE_KINDS] = {
    [SHAPE_NULL] = "null",     [SHAPE_TEXT] = "text",       [SHAPE_INTEGER] = "integer",
    [SHAPE_NUMBER] = "number", [SHAPE_BOOLEAN] = "boolean", [SHAPE_OBJECT] = "object",
    [SHAPE_ARRAY] = "array"};

err_t shape_init(struct shape *s, struct arena *a)
{
    *s = (struct shape){.fields = vec_make(sizeof(struct shape_field), SHAPE_FIELDS_MAX),
                        .by_path = map_new(SHAPE_FIELDS_MAX),
                        .arena = a};
    return s->by_path ? ERR_OK : ERR_NO_MEMORY;
}

void shape_done(struct shape *s)
{
    vec_done(&s->fields);
    map_free(s->by_path);
}

/* The map holds places counted from 1: the vector moves. */
struct shape_field *shape_find(const struct shape *s, const char *path)
{
    uintptr_t place = (uintptr_t)map_get(s->by_path, slice_of(path));
    return place ? vec_at(&s->fields, place - 1) : NULL;
}

bool shape_is_leaf(const struct shape_field *f)
{
    return f->values > f->kinds[SHAPE_OBJECT] + f->kinds[SHAPE_ARRAY];
}

static struct shape_field *field_at(struct shape *s, const char *path)
{
    struct shape_field *f = shape_find(s, path);
    if (f) return f;
    char *own = arena_text(s->arena, slice_of(path));
    f = own ? vec_add(&s->fields) : NULL;
    s->cut |= f == NULL;
    if (!f) return NULL;
    f->path = own;
    if (map_set(s->by_path, slice_of(own), (void *)(uintptr_t)s->fields.count)) s->cut = true;
    return f;
}

/* --- what texts look like ---------------------------------------------------------------------
 */

static bool like_email(struct slice t)
{
    const uint8_t *sign = memchr(t.at, '@', t.len);
    if (!sign || sign == t.at || memchr(t.at, ' ', t.len)) return false;
    size_t rest = (size_t)(t.at + t.len - sign - 1);
    const uint8_t *point = rest ? memchr(sign + 1, '.', rest) : NULL;
    return point && point > sign + 1 && point < t.at + t.len - 1 && !memchr(sign + 1, '@', rest);
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Digits with the signs people put between them; *digits counts, *signs too. */
static bool only_digits(struct slice t, uint32_t *digits, uint32_t *signs)
{
    *digits = *signs = 0;
    for (uint32_t i = 0; i < t.len; i++) {
        if (is_digit(t.at[i]))
            ++*digits;
        else if (t.at[i] && strchr("+-() /", t.at[i]))
            ++*signs;
        else
            return false;
    }
    return true;
}

/* Luhn's sum, which card numbers have. */
static bool like_card(struct slice t)
{
    uint32_t digits, signs, sum = 0, place = 0;
    if (!only_digits(t, &digits, &signs) || digits < 13 || digits > 19) return false;
    for (uint32_t i = t.len; i-- > 0;) {
        if (!is_digit(t.at[i])) continue;
        uint32_t v = (uint32_t)(t.at[i] - '0') << (place++ & 1);
        sum += v > 9 ? v - 9 : v;
    }
    return sum % 10 == 0;
}

static bool like_phone(struct slice t)
{
    uint32_t digits, signs;
    return only_digits(t, &digits, &signs) && digits >= 7 && digits <= 15 &&
           (t.at[0] == '+' || t.at[0] == '(' || signs >= 2) && !like_card(t);
}

/* --- walking ------------------------------------------------------------------------------------
 */

struct walk {
    struct shape *shape;
    struct slice s;
    char path[SHAPE_PATH_MAX];
};

static enum shape_kind kind_of(struct slice v)
{
    switch (v.at[0]) {
    case '{': return SHAPE_OBJECT;
    case '[': return SHAPE_ARRAY;
    case '"': return SHAPE_TEXT;
    case 'n': return SHAPE_NULL;
    case 't':
    case 'f': return SHAPE_BOOLEAN;
    default: break;
    }
    for (uint32_t i = 0; i < v.len; i++)
        if (v.at[i] == '.' || v.at[i] == 'e' || v.at[i] == 'E') return SHAPE_NUMBER;
    return SHAPE_INTEGER;
}

/* The first few values that differ, cut between two characters. */
static void note_example(struct shape *s, struct shape_field *f, struct slice v)
{
    uint32_t len = MIN(v.len, (uint32_t)SHAPE_EXAMPLE_MAX);
    while (len < v.len && len > 0 && (v.at[len] & 0xC0) == 0x80) len--;
    v = slice_make(v.at, len);
    for (uint32_t i = 0; i < f->example_count; i++)
        if (slice_equal(f->examples[i], v)) return;
    struct slice own = arena_slice(s->arena, v);
    if (own.at) f->examples[f->example_count++] = own;
}

static void note_value(struct shape *s, const char *path, struct slice v)
{
    struct shape_field *f = field_at(s, path);
    if (!f) return;
    enum shape_kind kind = kind_of(v);
    f->kinds[kind]++;
    f->values++;
    f->records += f->last != s->records;
    f->last = s->records;
    bool leaf = kind != SHAPE_OBJECT && kind != SHAPE_ARRAY && kind != SHAPE_NULL;
    if (s->examples && leaf && f->example_count < SHAPE_EXAMPLES) note_example(s, f, v);
    if (kind != SHAPE_TEXT || v.len <= 2) return;
    struct slice text = slice_make(v.at + 1, v.len - 2);
    f->emails += like_email(text);
    f->phones += like_phone(text);
    f->cards += like_card(text);
}

static void walk_value(struct walk *w, uint32_t at, size_t len, int depth);

/* The members or elements of what begins at `at`. */
static void walk_inside(struct walk *w, uint32_t at, size_t len, int depth)
{
    struct slice s = w->s;
    bool object = s.at[at] == '{';
    at = json_skip_space(s, at + 1);
    while (s.at[at] != '}' && s.at[at] != ']') {
        int put;
        if (object) {
            uint32_t end = json_skip_string(s, at);
            put = snprintf(w->path + len, sizeof(w->path) - len, "%s%.*s", len ? "." : "",
                           (int)(end - at - 2), (const char *)s.at + at + 1);
            at = json_skip_space(s, json_skip_space(s, end) + 1); /* the colon */
        } else {
            put = snprintf(w->path + len, sizeof(w->path) - len, "[]");
        }
        if (put >= 0 && (size_t)put < sizeof(w->path) - len)
            walk_value(w, at, len + (size_t)put, depth + 1);
        else
            w->shape->cut = true;
        w->path[len] = 0;
        at = json_skip_space(s, json_skip_value(s, at));
        if (s.at[at] == ',') at = json_skip_space(s, at + 1);
    }
}

static void walk_value(struct walk *w, uint32_t at, size_t len, int depth)
{
    uint32_t end = json_skip_value(w->s, at);
    if (len) note_value(w->shape, w->path, slice_make(w->s.at + at, end - at));
    bool inside = w->s.at[at] == '{' || w->s.at[at] == '[';
    if (inside && depth < JSON_DEPTH_MAX) walk_inside(w, at, len, depth);
}

err_t shape_add(struct shape *s, struct json_decoder *j, struct slice record)
{
    struct walk w = {.shape = s, .s = record};
    struct diag d;
    s->records++;
    err_t e = json_validate(j, record, &d);
    if (e == ERR_NO_MEMORY) return e;
    if (e)
        s->broken++;
    else
        walk_value(&w, json_skip_space(record, 0), 0, 0);
    return ERR_OK;
}

bool shape_path(const struct json_step *steps, uint32_t count, char out[SHAPE_PATH_MAX])
{
    size_t len = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < count; i++) {
        int put = steps[i].name.at ? snprintf(out + len, SHAPE_PATH_MAX - len, "%s%.*s",
                                              len ? "." : "", SLICE_ARG(steps[i].name))
                                   : snprintf(out + len, SHAPE_PATH_MAX - len, "[]");
        if (put < 0 || (size_t)put >= SHAPE_PATH_MAX - len) return false;
        len += (size_t)put;
    }
    return true;
}
