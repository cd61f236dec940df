/* Bodies: which names they may have, of which types, by inputs.def; refused in each API's words. */
#include "door/airflow/airflow_int.h"

#include "data/json.h"

enum { IN_V1 = API_V1, IN_V2 = API_V2, IN_V12 = 3, MAY = 0, MUST = 1, VALUE = 0, NULLS = 1 };

static const struct row {
    enum input_table table;
    struct input in;
} rows[] = {
#define INPUTS(name)                      {INPUTS_##name, {0}},
#define INPUT(name, apis, type, must, no) {0, {name, IN_##apis, IN_##type, must, no}},
#include "door/airflow/inputs.def"
#undef INPUTS
#undef INPUT
};

static uint32_t table_start(enum input_table t)
{
    uint32_t n = 0;
    while (rows[n].in.name || rows[n].table != t) n++;
    return n + 1;
}

static const struct input *input_find(const struct call *c, enum input_table t, struct slice name)
{
    for (uint32_t n = table_start(t); n < COUNT_OF(rows) && rows[n].in.name; n++)
        if ((rows[n].in.apis & (int)c->api) && slice_is(name, rows[n].in.name)) return &rows[n].in;
    return NULL;
}

static bool fits(const struct input *in, const struct doc *v)
{
    int64_t us;
    if (v->kind == DOC_NULL) return in->null;
    switch (in->type) {
    case IN_TEXT: return v->kind == DOC_TEXT;
    case IN_INT: return v->kind == DOC_INT;
    case IN_BOOL: return v->kind == DOC_BOOL;
    case IN_TIME: return v->kind == DOC_TEXT && !moment_parse(v->text, NULL, &us, NULL);
    case IN_MAP: return v->kind == DOC_MAP;
    case IN_LIST: return v->kind == DOC_LIST;
    case IN_NUMBER: return v->kind == DOC_INT || v->kind == DOC_FLOAT;
    case IN_ANY: return true;
    }
    return false;
}

/* Of each type: JSON schema's word, pydantic's, and its sentence. */
static const struct {
    const char *schema, *kind, *said;
} words[] = {
    [IN_TEXT] = {"string", "string_type", "Input should be a valid string"},
    [IN_INT] = {"integer", "int_type", "Input should be a valid integer"},
    [IN_BOOL] = {"boolean", "bool_type", "Input should be a valid boolean"},
    [IN_TIME] = {"date-time", "datetime_from_date_parsing",
                 "Input should be a valid datetime or date"},
    [IN_MAP] = {"object", "dict_type", "Input should be a valid dictionary"},
    [IN_LIST] = {"array", "list_type", "Input should be a valid list"},
    [IN_NUMBER] = {"number", "float_type", "Input should be a valid number"},
    [IN_ANY] = {"any", "any", "Input should be anything"},
};

void body_mistake(struct call *c, const char *kind, struct slice name, const char *said,
                  const struct doc *given)
{
    struct buf *b = &c->out;
    buf_text(b, b->len ? ", " : "{\"detail\": [");
    buf_printf(b, "{\"type\": \"%s\", \"loc\": [\"body\"%.*s", kind, SLICE_ARG(c->body_at));
    if (name.at) buf_text(b, ", ");
    if (name.at) json_put_text(b, name);
    buf_text(b, "], \"msg\": ");
    json_put_text(b, slice_of(said));
    buf_text(b, ", \"input\": ");
    /* what was given may hold a password: only its outside is told back */
    if (given && given->kind != DOC_MAP && given->kind != DOC_LIST && !slice_is(name, "password"))
        doc_put_json(b, given);
    else
        buf_text(b, given && given->kind == DOC_LIST ? "[]" : "{}");
    buf_char(b, '}');
}

err_t body_mistaken(struct call *c)
{
    if (c->out.len == 0) return ERR_OK;
    buf_text(&c->out, "]}");
    c->refused = true;
    c->status = 422;
    return ERR_USAGE;
}

static void gather(struct call *c, enum input_table t, bool partial)
{
    for (uint32_t n = table_start(t); n < COUNT_OF(rows) && rows[n].in.name && !partial; n++) {
        const struct input *in = &rows[n].in;
        if ((in->apis & IN_V2) && in->must && !doc_get(&c->body, in->name))
            body_mistake(c, "missing", slice_of(in->name), "Field required", &c->body);
    }
    for (uint32_t n = 0; n < c->body.count; n++) {
        const struct doc_entry *e = &c->body.entries[n];
        const struct input *in = input_find(c, t, e->name);
        if (!in)
            body_mistake(c, "extra_forbidden", e->name, "Extra inputs are not permitted",
                         &e->value);
        else if (!fits(in, &e->value))
            body_mistake(c, words[in->type].kind, e->name, words[in->type].said, &e->value);
    }
}

void body_gather(struct call *c, enum input_table t)
{
    if (c->body.kind == DOC_MAP)
        gather(c, t, false);
    else
        body_mistake(c, "model_attributes_type", (struct slice){0},
                     "Input should be a valid dictionary or object to extract fields from",
                     &c->body);
}

static err_t check_v2(struct call *c, enum input_table t, bool partial)
{
    buf_reset(&c->out);
    gather(c, t, partial);
    return body_mistaken(c);
}

static err_t check_v1(struct call *c, enum input_table t, bool partial)
{
    struct buf missed = buf_make(KIB(4));
    for (uint32_t n = table_start(t); n < COUNT_OF(rows) && rows[n].in.name && !partial; n++) {
        const struct input *in = &rows[n].in;
        if ((in->apis & IN_V1) && in->must && !doc_get(&c->body, in->name))
            buf_printf(&missed, "%s'%s': ['Missing data for required field.']",
                       missed.len ? ", " : "", in->name);
    }
    err_t e = ERR_OK;
    if (missed.len) e = refuse(c, 400, "Bad Request", "{%.*s}", SLICE_ARG(buf_view(&missed)));
    buf_done(&missed);
    for (uint32_t n = 0; n < c->body.count && !e; n++) {
        const struct doc_entry *v = &c->body.entries[n];
        const struct input *in = input_find(c, t, v->name);
        if (!in)
            e = refuse(c, 400, "Bad Request", "{'%.*s': ['Unknown field.']}", SLICE_ARG(v->name));
        else if (v->value.kind == DOC_NULL && !fits(in, &v->value))
            e = refuse(c, 400, "Bad Request", "None is not of type '%s' - '%s'",
                       words[in->type].schema, in->name);
        else if (!fits(in, &v->value))
            e = refuse(c, 400, "Bad Request", "the value is not of type '%s' - '%s'",
                       words[in->type].schema, in->name);
    }
    return e;
}

static err_t check(struct call *c, enum input_table t, bool partial)
{
    if (c->body.kind != DOC_MAP && c->api == API_V1)
        return refuse(c, 400, "Bad Request", "Request body is not valid JSON, or no object");
    if (c->body.kind != DOC_MAP) {
        buf_reset(&c->out);
        buf_text(&c->out, "{\"detail\": [{\"type\": \"missing\", \"loc\": [\"body\"], \"msg\": "
                          "\"Field required\", \"input\": null}]}");
        c->refused = true;
        c->status = 422;
        return ERR_USAGE;
    }
    return c->api == API_V1 ? check_v1(c, t, partial) : check_v2(c, t, partial);
}

err_t body_check(struct call *c, enum input_table t)
{
    return check(c, t, false);
}

err_t body_check_partial(struct call *c, enum input_table t)
{
    return check(c, t, true);
}

const struct doc *body_get(const struct call *c, const char *name)
{
    const struct doc *v = doc_get(&c->body, name);
    return v && v->kind != DOC_NULL ? v : NULL;
}

bool body_has(const struct call *c, const char *name)
{
    return doc_get(&c->body, name) != NULL;
}

struct slice body_text(const struct call *c, const char *name)
{
    return doc_text(body_get(c, name));
}

bool body_bool(const struct call *c, const char *name, bool fallback)
{
    const struct doc *v = body_get(c, name);
    return v && v->kind == DOC_BOOL ? v->yes : fallback;
}

int64_t body_int(const struct call *c, const char *name, int64_t fallback)
{
    const struct doc *v = body_get(c, name);
    return v && v->kind == DOC_INT ? v->number : fallback;
}

err_t body_time(struct call *c, const char *name, int64_t *out)
{
    struct slice s = body_text(c, name);
    *out = TIME_NONE;
    return s.at ? moment_parse(s, NULL, out, &c->d) : ERR_OK;
}

struct slice body_json(struct call *c, const char *name)
{
    const struct doc *v = body_get(c, name);
    if (!v) return (struct slice){0};
    struct buf b = buf_make(AIRFLOW_BODY_MAX * 2);
    doc_put_json(&b, v);
    struct slice s = b.err ? (struct slice){0} : arena_slice(c->arena, buf_view(&b));
    buf_done(&b);
    return s;
}

/* --- update_mask
 * ---------------------------------------------------------------------------------- */

bool mask_next(struct slice *rest, struct slice *out)
{
    if (!rest->len) return false;
    const uint8_t *comma = memchr(rest->at, ',', rest->len);
    uint32_t len = comma ? (uint32_t)(comma - rest->at) : rest->len;
    *out = slice_trim(slice_make(rest->at, len));
    uint32_t skip = comma ? len + 1 : len;
    *rest = slice_make(rest->at + skip, rest->len - skip);
    return true;
}

err_t mask_check(struct call *c, enum input_table t)
{
    for (uint32_t n = 0; n < c->param_count; n++) {
        struct slice rest = c->params[n].value, name;
        if (!slice_is(c->params[n].name, "update_mask")) continue;
        while (mask_next(&rest, &name)) {
            if (!input_find(c, t, name))
                return refuse(c, 400, "Bad Request", "'%.*s' is unknown or cannot be updated.",
                              SLICE_ARG(name));
            if (!doc_find(&c->body, name))
                return refuse(c, 400, "Bad Request", "'%.*s' is not in the body", SLICE_ARG(name));
        }
    }
    return ERR_OK;
}

bool mask_has(const struct call *c, const char *name)
{
    bool any = false;
    for (uint32_t n = 0; n < c->param_count; n++) {
        struct slice rest = c->params[n].value, one;
        if (!slice_is(c->params[n].name, "update_mask") || !rest.len) continue;
        any = true;
        while (mask_next(&rest, &one))
            if (slice_is(one, name)) return true;
    }
    return !any && body_has(c, name);
}
