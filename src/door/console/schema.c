/* schemas.def at work: bodies are checked by it, and openapi.json is made from it. */
#include "door/console/console_int.h"

#include <stdio.h>

const struct console_field console_fields[] = {
#define SCHEMA(name, about)      {FIELD_SCHEMA, #name, NULL, about},
#define FIELD(name, type, about) {FIELD_MUST, #name, type, about},
#define MAYBE(name, type, about) {FIELD_MAYBE, #name, type, about},
#define END                      {FIELD_END, NULL, NULL, NULL},
#include "door/console/schemas.def"
#undef SCHEMA
#undef FIELD
#undef MAYBE
#undef END
};
const uint32_t console_field_count = COUNT_OF(console_fields);

const struct console_field *schema_find(struct slice name)
{
    for (uint32_t i = 0; i < console_field_count; i++)
        if (console_fields[i].kind == FIELD_SCHEMA && slice_is(name, console_fields[i].name))
            return &console_fields[i];
    return NULL;
}

/* --- types ---------------------------------------------------------------------------------------
 */

static const struct {
    const char *word, *json, *format;
    unsigned kinds; /* of a doc that fits */
} plain[] = {
    {"text", "string", NULL, 1u << DOC_TEXT},
    {"time", "string", "date-time", 1u << DOC_TEXT},
    {"int", "integer", "int64", 1u << DOC_INT},
    {"number", "number", NULL, 1u << DOC_INT | 1u << DOC_FLOAT},
    {"bool", "boolean", NULL, 1u << DOC_BOOL},
};

struct type_word { /* "[topic]?" taken apart */
    struct slice inner;
    char shape; /* '[' a list, '{' a map, 0 neither */
    bool may_be_null;
};

static struct type_word take_apart(struct slice t)
{
    struct type_word w = {.inner = t};
    if (w.inner.len && w.inner.at[w.inner.len - 1] == '?') w.may_be_null = true, w.inner.len--;
    if (w.inner.len > 2 && (w.inner.at[0] == '[' || w.inner.at[0] == '{')) {
        w.shape = (char)w.inner.at[0];
        w.inner = slice_make(w.inner.at + 1, w.inner.len - 2);
    }
    return w;
}

static size_t plain_of(struct slice word)
{
    size_t i = 0;
    while (i < COUNT_OF(plain) && !slice_is(word, plain[i].word)) i++;
    return i;
}

static void put_type(struct buf *out, struct slice t)
{
    struct type_word w = take_apart(t);
    size_t i = plain_of(w.inner);
    js_open(out, '{');
    if (w.may_be_null) js_put_bool(out, "nullable", true);
    if (w.shape) {
        js_put_cstr(out, "type", w.shape == '[' ? "array" : "object");
        js_name(out, w.shape == '[' ? "items" : "additionalProperties");
        put_type(out, w.inner);
    } else if (i < COUNT_OF(plain)) {
        js_put_cstr(out, "type", plain[i].json);
        if (plain[i].format) js_put_cstr(out, "format", plain[i].format);
    } else if (!slice_is(w.inner, "any")) {
        char ref[128];
        snprintf(ref, sizeof(ref), "#/components/schemas/%.*s", SLICE_ARG(w.inner));
        if (w.may_be_null) { /* OpenAPI 3.0: what stands beside $ref does not count */
            js_put_open(out, "allOf", '[');
            js_open(out, '{');
        }
        js_put_cstr(out, "$ref", ref);
        if (w.may_be_null) js_close(out, '}'), js_close(out, ']');
    }
    js_close(out, '}');
}

/* --- bodies --------------------------------------------------------------------------------------
 */

static err_t check_value(struct slice type, const struct doc *v, const char *where, int depth,
                         struct diag *d);

static err_t check_fields(const struct console_field *s, const struct doc *v, const char *where,
                          int depth, struct diag *d)
{
    char at[200];
    if (v->kind != DOC_MAP) return diag_fail(d, ERR_TYPE, "%s has to be an object", where);
    for (const struct console_field *f = s + 1; f->kind != FIELD_END; f++) {
        const struct doc *part = doc_get(v, f->name);
        snprintf(at, sizeof(at), "%s.%s", where, f->name);
        if (!part && f->kind == FIELD_MUST)
            return diag_fail(d, ERR_USAGE, "%s is missing: %s", at, f->about);
        err_t e = part ? check_value(slice_of(f->type), part, at, depth, d) : ERR_OK;
        if (e) return e;
    }
    for (uint32_t i = 0; i < v->count; i++) {
        const struct console_field *f = s + 1;
        while (f->kind != FIELD_END && !slice_is(v->entries[i].name, f->name)) f++;
        if (f->kind == FIELD_END)
            return diag_fail(d, ERR_USAGE, "%s has no field '%.*s'", where,
                             SLICE_ARG(v->entries[i].name));
    }
    return ERR_OK;
}

static err_t check_parts(const struct type_word *w, const struct doc *v, const char *where,
                         int depth, struct diag *d)
{
    char at[200];
    enum doc_kind wanted = w->shape == '[' ? DOC_LIST : DOC_MAP;
    if (v->kind != wanted)
        return diag_fail(d, ERR_TYPE, "%s has to be %s", where,
                         w->shape == '[' ? "a list" : "an object");
    for (uint32_t i = 0; i < v->count; i++) {
        snprintf(at, sizeof(at), "%s[%u]", where, i);
        const struct doc *part = wanted == DOC_LIST ? &v->items[i] : &v->entries[i].value;
        err_t e = check_value(w->inner, part, at, depth, d);
        if (e) return e;
    }
    return ERR_OK;
}

static err_t check_value(struct slice type, const struct doc *v, const char *where, int depth,
                         struct diag *d)
{
    struct type_word w = take_apart(type);
    if (v->kind == DOC_NULL && w.may_be_null) return ERR_OK;
    if (depth > DOC_DEPTH_MAX) return diag_fail(d, ERR_TOO_DEEP, "%s is nested too deep", where);
    if (w.shape) return check_parts(&w, v, where, depth + 1, d);
    size_t i = plain_of(w.inner);
    if (i < COUNT_OF(plain))
        return plain[i].kinds >> v->kind & 1
                   ? ERR_OK
                   : diag_fail(d, ERR_TYPE, "%s has to be of type %s", where, plain[i].json);
    if (slice_is(w.inner, "any")) return ERR_OK;
    const struct console_field *s = schema_find(w.inner);
    INVARIANT(s); /* the unit test has looked at every row */
    return check_fields(s, v, where, depth + 1, d);
}

err_t schema_check(const char *type, const struct doc *v, const char *where, struct diag *d)
{
    return check_value(slice_of(type), v, where, 0, d);
}

/* --- parameters ----------------------------------------------------------------------------------
 */

/* The next "name=type" of a route's params. */
static bool next_param(const char **at, struct slice *name, struct slice *type)
{
    *at += strspn(*at, " ");
    size_t len = strcspn(*at, " "), word = strcspn(*at, "=");
    if (!len) return false;
    INVARIANT(word < len);
    *name = slice_make(*at, word);
    *type = slice_make(*at + word + 1, len - word - 1);
    *at += len;
    return true;
}

static bool value_fits(struct slice type, struct slice value)
{
    int64_t n;
    if (slice_is(type, "int")) return slice_to_i64(value, &n);
    if (slice_is(type, "bool")) return slice_is(value, "true") || slice_is(value, "false");
    return true;
}

err_t schema_check_params(const struct ask *a, struct diag *d)
{
    for (uint32_t i = 0; i < a->param_count; i++) {
        const char *at = a->route->params;
        struct slice name, type;
        bool known = false;
        while (!known && next_param(&at, &name, &type))
            known = slice_equal(name, a->params[i].name);
        if (!known) {
            (void)diag_fail(d, ERR_USAGE, "no parameter '%.*s'", SLICE_ARG(a->params[i].name));
            return diag_hint(d, "it takes: %s", a->route->params[0] ? a->route->params : "none");
        }
        if (!value_fits(type, a->params[i].value))
            return diag_fail(d, ERR_TYPE, "%.*s has to be of type %.*s, not '%.*s'",
                             SLICE_ARG(name), SLICE_ARG(type), SLICE_ARG(a->params[i].value));
    }
    return ERR_OK;
}

/* --- openapi.json --------------------------------------------------------------------------------
 */

static void put_content(struct buf *out, const char *media, const char *type)
{
    js_put_open(out, "content", '{');
    js_put_open(out, media, '{');
    js_name(out, "schema");
    put_type(out, slice_of(type));
    js_close(out, '}');
    js_close(out, '}');
}

static void put_param(struct buf *out, const char *in, struct slice name, struct slice type,
                      bool must)
{
    js_open(out, '{');
    js_put_text(out, "name", name);
    js_put_cstr(out, "in", in);
    js_put_bool(out, "required", must);
    js_name(out, "schema");
    put_type(out, type);
    js_close(out, '}');
}

static void put_params(struct buf *out, const struct console_route *r)
{
    const char *at = r->params;
    struct slice name, type;
    js_put_open(out, "parameters", '[');
    for (const char *p = r->path; (p = strchr(p, '{')); p++)
        put_param(out, "path", slice_make(p + 1, strcspn(p + 1, "}")), SLICE("text"), true);
    while (next_param(&at, &name, &type)) put_param(out, "query", name, type, false);
    js_close(out, ']');
}

static void put_answers(struct buf *out, const struct console_route *r)
{
    bool streams = strncmp(r->answer, "stream:", 7) == 0;
    js_put_open(out, "responses", '{');
    js_put_open(out, r->answer[0] ? "200" : "204", '{');
    js_put_cstr(out, "description", r->answer[0] ? "What was asked for." : "Done.");
    if (streams)
        put_content(out, r->answer + 7, "text");
    else if (r->answer[0])
        put_content(out, "application/json", r->answer);
    js_close(out, '}');
    js_put_open(out, "default", '{');
    js_put_cstr(out, "description", "Why not.");
    put_content(out, "application/json", "error");
    js_close(out, '}');
    js_close(out, '}');
}

static void put_operation(struct buf *out, const struct console_route *r)
{
    char method[8];
    snprintf(method, sizeof(method), "%s", r->method);
    for (char *m = method; *m; m++) *m = (char)(*m | 0x20);
    js_put_open(out, method, '{');
    js_put_cstr(out, "operationId", r->name);
    js_put_cstr(out, "summary", r->about);
    js_put_cstr(out, "x-role", role_name(r->role));
    put_params(out, r);
    if (r->body[0]) {
        js_put_open(out, "requestBody", '{');
        js_put_bool(out, "required", true);
        put_content(out, "application/json", r->body);
        js_close(out, '}');
    }
    if (r->role == ROLE_NONE) {
        js_put_open(out, "security", '[');
        js_close(out, ']');
    }
    put_answers(out, r);
    js_close(out, '}');
}

static void put_paths(struct buf *out)
{
    js_put_open(out, "paths", '{');
    for (uint32_t i = 0; i < console_route_count; i++) {
        uint32_t k = 0; /* a path stands once, with all of its methods */
        while (strcmp(console_routes[k].path, console_routes[i].path) != 0) k++;
        if (k < i) continue;
        js_put_open(out, console_routes[i].path, '{');
        for (; k < console_route_count; k++)
            if (strcmp(console_routes[k].path, console_routes[i].path) == 0)
                put_operation(out, &console_routes[k]);
        js_close(out, '}');
    }
    js_close(out, '}');
}

static void put_schema(struct buf *out, const struct console_field *s)
{
    js_put_open(out, s->name, '{');
    js_put_cstr(out, "type", "object");
    js_put_cstr(out, "description", s->about);
    js_put_bool(out, "additionalProperties", false);
    js_put_open(out, "required", '[');
    for (const struct console_field *f = s + 1; f->kind != FIELD_END; f++)
        if (f->kind == FIELD_MUST) js_text(out, slice_of(f->name));
    js_close(out, ']');
    js_put_open(out, "properties", '{');
    for (const struct console_field *f = s + 1; f->kind != FIELD_END; f++) {
        js_name(out, f->name);
        put_type(out, slice_of(f->type));
    }
    js_close(out, '}');
    js_close(out, '}');
}

void schema_put_openapi(struct buf *out, const char *version)
{
    js_open(out, '{');
    js_put_cstr(out, "openapi", "3.0.3");
    js_put_open(out, "info", '{');
    js_put_cstr(out, "title", "Sluice's console");
    js_put_cstr(out, "version", version);
    js_close(out, '}');
    js_put_open(out, "servers", '[');
    js_open(out, '{');
    js_put_cstr(out, "url", CONSOLE_BASE);
    js_close(out, '}');
    js_close(out, ']');
    js_put_open(out, "security", '[');
    js_raw(out, SLICE("{\"session\":[]},{\"basic\":[]}"));
    js_close(out, ']');
    put_paths(out);
    js_put_open(out, "components", '{');
    js_put_open(out, "securitySchemes", '{');
    js_raw(out, SLICE("\"session\":{\"type\":\"apiKey\",\"in\":\"cookie\",\"name\":\"sluice\"},"
                      "\"basic\":{\"type\":\"http\",\"scheme\":\"basic\"}"));
    js_close(out, '}');
    js_put_open(out, "schemas", '{');
    for (uint32_t i = 0; i < console_field_count; i++)
        if (console_fields[i].kind == FIELD_SCHEMA) put_schema(out, &console_fields[i]);
    js_close(out, '}');
    js_close(out, '}');
    js_put_open(out, "x-channels", '[');
    for (uint32_t i = 0; i < console_channel_count; i++) {
        const struct console_channel *c = &console_channels[i];
        js_open(out, '{');
        js_put_cstr(out, "name", c->name);
        js_put_bool(out, "argument", c->has_arg);
        js_put_cstr(out, "kind", c->kind == CHANNEL_TAIL ? "tail" : "state");
        js_put_cstr(out, "x-role", role_name(c->role));
        js_put_cstr(out, "summary", c->about);
        js_name(out, "schema");
        put_type(out, slice_of(c->answer));
        js_close(out, '}');
    }
    js_close(out, ']');
    js_close(out, '}');
}
