/* What Spark's column expressions mean over the topic's records. */
#include "main/import/import.h"

static struct meaning nothing(void)
{
    return (struct meaning){0};
}

static const char *type_of(struct slice name)
{
    static const char *const types[][2] = {{"string", "TEXT"},
                                           {"StringType", "TEXT"},
                                           {"int", "INT"},
                                           {"integer", "INT"},
                                           {"IntegerType", "INT"},
                                           {"long", "BIGINT"},
                                           {"bigint", "BIGINT"},
                                           {"LongType", "BIGINT"},
                                           {"double", "DOUBLE"},
                                           {"DoubleType", "DOUBLE"},
                                           {"float", "DOUBLE"},
                                           {"FloatType", "DOUBLE"},
                                           {"boolean", "BOOLEAN"},
                                           {"BooleanType", "BOOLEAN"},
                                           {"timestamp", "TIMESTAMP"},
                                           {"TimestampType", "TIMESTAMP"},
                                           {"date", "DATE"},
                                           {"DateType", "DATE"}};
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (slice_is(name, types[i][0])) return types[i][1];
    return NULL;
}

static struct meaning from_buf(struct import *m, struct buf *b, bool fine)
{
    struct meaning v = nothing();
    if (fine && !b->err)
        v = (struct meaning){.kind = MEANS_SQL,
                             .text = import_print(m, "%.*s", (int)b->len, (const char *)b->at)};
    buf_done(b);
    return v;
}

static struct meaning cast(struct import *m, const struct meaning *v, const char *type)
{
    struct buf b = buf_make(KIB(64));
    if (v->kind == MEANS_NONE || v->kind == MEANS_FIELDS || v->kind == MEANS_FRESH) return *v;
    buf_text(&b, "CAST(");
    value_put_sql(m, &b, v, SLICE("uuid")); /* as it is */
    buf_printf(&b, " AS %s)", type);
    if (v->kind == MEANS_PATH && !strcmp(type, "TEXT")) {
        buf_reset(&b); /* "CAST(CAST(…" otherwise */
        value_put_sql(m, &b, v, SLICE("text"));
    }
    return from_buf(m, &b, true);
}

static struct meaning function(struct import *m, const struct import_file *f,
                               const struct py_node *n)
{
    static const char *const same[] = {"concat",   "concat_ws", "lower", "upper",  "trim",
                                       "coalesce", "initcap",   "sha2",  "length", "to_json"};
    struct slice called = py_called(n);
    for (size_t k = 0; k < COUNT_OF(same); k++) {
        if (!slice_is(called, same[k])) continue;
        struct buf b = buf_make(KIB(64));
        bool fine = n->count > 1;
        bool json = slice_is(called, "to_json"); /* an object's field is asked for as JSON */
        buf_printf(&b, "%s(", json ? "CAST(CAST" : same[k]);
        for (uint32_t i = 1; i < n->count && fine; i++) {
            const struct py_node *part = n->items[i];
            bool separator = i == 1 && slice_is(called, "concat_ws");
            struct meaning v = separator && part->kind == PY_STRING
                                   ? (struct meaning){.kind = MEANS_TEXT, .text = part->text}
                                   : column_value(m, f, part);
            fine = v.kind != MEANS_NONE && v.kind != MEANS_FIELDS;
            if (i > 1) buf_text(&b, ", ");
            if (fine) value_put_sql(m, &b, &v, json ? SLICE("uuid") : SLICE("text"));
        }
        buf_text(&b, json ? " AS JSON) AS TEXT)" : ")");
        return from_buf(m, &b, fine);
    }
    return nothing();
}

struct meaning column_value(struct import *m, const struct import_file *f, const struct py_node *n)
{
    struct slice called = py_called(n), text;
    const struct py_node *owner = py_owner(n), *first = py_argument(n, NULL, 0);
    if (!n) return nothing();
    if (n->kind == PY_STRING) return value_of_path(m, n->text);
    if (slice_is(called, "col") || slice_is(called, "column"))
        return constant_of(m, f, first, &text) ? value_of_path(m, text) : nothing();
    if (slice_is(called, "lit"))
        return constant_of(m, f, first, &text) ? (struct meaning){.kind = MEANS_TEXT, .text = text}
                                               : nothing();
    if (slice_is(called, "expr") && constant_of(m, f, first, &text)) {
        text = slice_trim(text);
        return slice_equal_nocase(text, SLICE("uuid()"))
                   ? (struct meaning){.kind = MEANS_FRESH}
                   : (struct meaning){.kind = MEANS_SQL, .text = text};
    }
    if (slice_is(called, "alias") || slice_is(called, "name")) return column_value(m, f, owner);
    if (slice_is(called, "cast") || slice_is(called, "astype")) {
        struct meaning v = column_value(m, f, owner);
        const char *type =
            first && first->kind == PY_STRING ? type_of(first->text) : type_of(py_called(first));
        return type ? cast(m, &v, type) : nothing();
    }
    if (slice_is(called, "to_timestamp") || slice_is(called, "to_date")) {
        struct meaning v = column_value(m, f, first);
        return cast(m, &v, slice_is(called, "to_date") ? "DATE" : "TIMESTAMP");
    }
    bool part = slice_is(called, "getField") || slice_is(called, "getItem");
    if (part || n->kind == PY_SUBSCRIPT) {
        struct meaning v = column_value(m, f, part ? owner : n->items[0]);
        if (!constant_of(m, f, part ? first : n->items[n->count - 1], &text) ||
            v.kind != MEANS_PATH)
            return nothing();
        v.text = import_print(m, "%.*s%s%.*s", SLICE_ARG(v.text), v.text.len ? "." : "",
                              SLICE_ARG(text));
        return v;
    }
    return n->kind == PY_CALL ? function(m, f, n) : nothing();
}
