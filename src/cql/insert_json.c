/* INSERT JSON: one object whose names are columns; each value becomes its column's type. */
#include "cql/write_int.h"
#include "data/json.h"

struct reader { /* of the object's outermost level; what is inside, the values' own reader checks */
    struct cursor at;
    struct slice text;
    struct arena *arena;
    struct diag *d;
};

static err_t broken(struct reader *r, const char *why)
{
    return diag_fail(r->d, ERR_INVALID,
                     "Could not decode JSON string as a map: %s. (String was: %.*s)", why,
                     (int)MIN(r->text.len, 300U), (const char *)r->text.at);
}

static int peek(struct reader *r)
{
    while (r->at.at < r->at.end && strchr(" \t\r\n", *r->at.at) && *r->at.at) r->at.at++;
    return r->at.at < r->at.end ? *r->at.at : -1;
}

static bool take(struct reader *r, int c)
{
    if (peek(r) != c) return false;
    r->at.at++;
    return true;
}

/* Up to behind the closing quote. */
static bool skip_string(struct reader *r)
{
    if (!take(r, '"')) return false;
    while (r->at.at < r->at.end) {
        uint8_t c = *r->at.at++;
        if (c == '"') return true;
        if (c == '\\' && r->at.at < r->at.end) r->at.at++;
    }
    return false;
}

static bool skip_nested(struct reader *r)
{
    uint32_t depth = 0;
    do {
        int c = peek(r);
        if (c < 0) return false;
        if (c == '"') {
            if (!skip_string(r)) return false;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        r->at.at++;
    } while (depth);
    return true;
}

static bool skip_value(struct reader *r, struct slice *out)
{
    int c = peek(r);
    const uint8_t *first = r->at.at;
    bool ok = true;
    if (c == '"')
        ok = skip_string(r);
    else if (c == '{' || c == '[')
        ok = skip_nested(r);
    else
        while (r->at.at < r->at.end && !strchr(",}] \t\r\n", *r->at.at)) r->at.at++;
    *out = slice_make(first, (size_t)(r->at.at - first));
    return ok && out->len > 0;
}

/* A name with its escapes read; folded as Cassandra folds it: "\"Name\"" keeps its case. */
static err_t read_name(struct reader *r, struct slice *out)
{
    struct slice quoted;
    struct value name;
    if (peek(r) != '"') return broken(r, "a name in double quotes was expected");
    if (!skip_value(r, &quoted)) return broken(r, "a name does not end");
    if (value_from_json(type_of(TYPE_TEXT), quoted, false, r->arena, &name, NULL))
        return broken(r, "a name is not a string");
    struct slice s = name.bytes;
    if (s.len >= 2 && s.at[0] == '"' && s.at[s.len - 1] == '"') {
        *out = slice_make(s.at + 1, s.len - 2);
        return ERR_OK;
    }
    struct slice copy = arena_slice(r->arena, s);
    if (s.len && !copy.at) return diag_fail(r->d, ERR_NO_MEMORY, "no memory for JSON");
    uint8_t *at = (uint8_t *)(uintptr_t)copy.at;
    for (uint32_t i = 0; i < copy.len; i++)
        if (at[i] >= 'A' && at[i] <= 'Z') at[i] = (uint8_t)(at[i] + 'a' - 'A');
    *out = copy;
    return ERR_OK;
}

static err_t read_value(struct reader *r, const struct store_column *c, struct slice json,
                        struct cql_value *out)
{
    struct diag inner = {0};
    *out = (struct cql_value){.state = CQL_NULL};
    if (slice_is(json, "null")) return ERR_OK;
    err_t e = cql_from_json(c->type, json, r->arena, out, &inner);
    if (!e) return ERR_OK;
    return diag_fail(r->d, e == ERR_NO_MEMORY ? e : ERR_INVALID,
                     "Error decoding JSON value for %.*s: %s", SLICE_ARG(c->name), inner.what);
}

static err_t read_pairs(struct reader *r, const struct store_table *t, struct cql_value *values)
{
    struct slice name, json, unknown = {0};
    do {
        err_t e = read_name(r, &name);
        if (e) return e;
        if (!take(r, ':')) return broken(r, "a name without a value");
        if (!skip_value(r, &json)) return broken(r, "a value was expected");
        const struct store_column *c = store_column_find(t, name);
        if (c)
            e = read_value(r, c, json, &values[c - t->columns]);
        else if (!unknown.at)
            unknown = name;
        if (e) return e;
    } while (take(r, ','));
    if (!take(r, '}')) return broken(r, "the object does not end");
    if (peek(r) >= 0) return broken(r, "there is more behind the object");
    if (unknown.at)
        return diag_fail(r->d, ERR_INVALID, "JSON values map contains unrecognized column: %.*s",
                         SLICE_ARG(unknown));
    return ERR_OK;
}

err_t write_json_values(const struct store_table *t, struct slice text, bool unset, struct arena *a,
                        struct cql_value **out, struct diag *d)
{
    struct reader r = {.at = cursor_of(text), .text = text, .arena = a, .d = d};
    struct cql_value *values = arena_take(a, t->column_count * sizeof(*values));
    if (!values) return diag_fail(d, ERR_NO_MEMORY, "no memory for JSON");
    for (uint32_t i = 0; i < t->column_count; i++) values[i].state = unset ? CQL_UNSET : CQL_NULL;
    *out = values;
    if (slice_is(slice_trim(text), "null"))
        return diag_fail(d, ERR_INVALID, "Got null for INSERT JSON values");
    if (!take(&r, '{')) return broken(&r, "no object");
    if (take(&r, '}')) return peek(&r) < 0 ? ERR_OK : broken(&r, "there is more behind the object");
    return read_pairs(&r, t, values);
}

err_t write_json_prepare(struct write_preparing *w, const struct cql_write *tree)
{
    struct write_plan *p = w->plan;
    struct cql_receiver r = {w->table->keyspace, w->table->name, SLICE("[json]"),
                             type_of(TYPE_TEXT)};
    struct cql_value *values;
    p->json_unset = tree->default_unset;
    if (tree->json->kind == NODE_MARKER) return write_prepare_term(w, tree->json, r, &p->json);
    err_t e = write_json_values(w->table, tree->json->value, p->json_unset, w->p->terms.arena,
                                &values, w->p->terms.d);
    p->json_values = values;
    return e;
}
