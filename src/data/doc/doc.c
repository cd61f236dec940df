#include "data/doc.h"

#include "data/json.h"

const struct doc *doc_find(const struct doc *map, struct slice name)
{
    if (!map || map->kind != DOC_MAP) return NULL;
    for (uint32_t i = 0; i < map->count; i++)
        if (slice_equal(map->entries[i].name, name)) return &map->entries[i].value;
    return NULL;
}

const struct doc *doc_get(const struct doc *map, const char *name)
{
    return doc_find(map, slice_of(name));
}

struct slice doc_text(const struct doc *v)
{
    return v && v->kind == DOC_TEXT ? v->text : (struct slice){0};
}

static void put_list(struct buf *out, const struct doc *v)
{
    buf_char(out, '[');
    for (uint32_t i = 0; i < v->count; i++) {
        if (i) buf_text(out, ", ");
        doc_put_json(out, &v->items[i]);
    }
    buf_char(out, ']');
}

static void put_map(struct buf *out, const struct doc *v)
{
    buf_char(out, '{');
    for (uint32_t i = 0; i < v->count; i++) {
        if (i) buf_text(out, ", ");
        json_put_text(out, v->entries[i].name);
        buf_text(out, ": ");
        doc_put_json(out, &v->entries[i].value);
    }
    buf_char(out, '}');
}

/* A float stays one for who reads it back: 2.0, as Python writes it. */
static void put_float(struct buf *out, double v)
{
    size_t start = out->len;
    json_put_f64(out, v);
    for (size_t i = start; i < out->len; i++)
        if (strchr(".eE\"", out->at[i])) return;
    buf_text(out, ".0");
}

void doc_put_json(struct buf *out, const struct doc *v)
{
    switch (v ? v->kind : DOC_NULL) {
    case DOC_NULL: buf_text(out, "null"); break;
    case DOC_BOOL: buf_text(out, v->yes ? "true" : "false"); break;
    case DOC_INT: buf_printf(out, "%lld", (long long)v->number); break;
    case DOC_FLOAT: put_float(out, v->real); break;
    case DOC_TEXT: json_put_text(out, v->text); break;
    case DOC_LIST: put_list(out, v); break;
    case DOC_MAP: put_map(out, v); break;
    }
}

bool doc_equal(const struct doc *a, const struct doc *b)
{
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case DOC_NULL: return true;
    case DOC_BOOL: return a->yes == b->yes;
    case DOC_INT: return a->number == b->number;
    case DOC_FLOAT: return a->real == b->real;
    case DOC_TEXT: return slice_equal(a->text, b->text);
    case DOC_LIST:
        for (uint32_t i = 0; i < a->count && a->count == b->count; i++)
            if (!doc_equal(&a->items[i], &b->items[i])) return false;
        return a->count == b->count;
    case DOC_MAP:
        for (uint32_t i = 0; i < a->count && a->count == b->count; i++) {
            const struct doc *other = doc_find(b, a->entries[i].name);
            if (!other || !doc_equal(&a->entries[i].value, other)) return false;
        }
        return a->count == b->count;
    }
    return false;
}

err_t doc_copy(const struct doc *v, struct arena *a, struct doc *out)
{
    *out = *v;
    out->written = (struct slice){0};
    err_t e = ERR_OK;
    if (v->kind == DOC_TEXT && v->text.len) {
        out->text = arena_slice(a, v->text);
        return out->text.at ? ERR_OK : ERR_NO_MEMORY;
    }
    if (v->kind == DOC_LIST && v->count) {
        out->items = arena_take(a, v->count * sizeof *out->items);
        if (!out->items) return ERR_NO_MEMORY;
        for (uint32_t i = 0; i < v->count && !e; i++) e = doc_copy(&v->items[i], a, &out->items[i]);
    }
    if (v->kind == DOC_MAP && v->count) {
        out->entries = arena_take(a, v->count * sizeof *out->entries);
        if (!out->entries) return ERR_NO_MEMORY;
        for (uint32_t i = 0; i < v->count && !e; i++) {
            out->entries[i] = v->entries[i];
            out->entries[i].name = arena_slice(a, v->entries[i].name);
            e = doc_copy(&v->entries[i].value, a, &out->entries[i].value);
        }
    }
    return e;
}
