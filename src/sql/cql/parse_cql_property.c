/* WITH name = value AND name = {map}. */
#include "sql/cql/parse_cql.h"

/* A literal as it was written, its quotes away; false: it is none. */
static bool raw_text(const struct cql_node *n, struct slice *out)
{
    switch (n->kind) {
    case NODE_STRING:
    case NODE_INTEGER:
    case NODE_FLOAT:
    case NODE_BOOLEAN:
    case NODE_DURATION:
    case NODE_UUID: *out = n->value; return true;
    case NODE_BLOB: *out = n->text; return true;
    default: return false;
    }
}

static const char *no_markers(const struct cql_node *n)
{
    return n->kind == NODE_MARKER ? " (bind variables are not supported in DDL queries)" : "";
}

static void map_entry(struct cql_parser *p, struct list *keys, struct list *values)
{
    const struct cql_node *key = cql_term(p);
    cql_match(p, T_COLON);
    const struct cql_node *value = cql_term(p);
    if (p->err) return;
    struct slice name = {0}, text = {0};
    if (!raw_text(key, &name))
        cql_fail(p, ERR_SYNTAX, "Invalid property name: %.*s%s", SLICE_ARG(key->text),
                 no_markers(key));
    else if (!raw_text(value, &text))
        cql_fail(p, ERR_SYNTAX, "Invalid property value: %.*s for property: %.*s%s",
                 SLICE_ARG(value->text), SLICE_ARG(key->text), no_markers(value));
    const struct slice *before = (const struct slice *)(const void *)keys->items;
    for (uint32_t i = 0; i < keys->count; i++)
        if (slice_equal(before[i], name))
            cql_fail(p, ERR_SYNTAX, "Multiple definition for property %.*s", SLICE_ARG(name));
    struct slice *k = cql_add(p, keys, sizeof(*k)), *v = cql_add(p, values, sizeof(*v));
    if (!k || !v) return;
    *k = name;
    *v = text;
}

static void property_map(struct cql_parser *p, struct cql_property *out)
{
    struct list keys = {0}, values = {0};
    const uint8_t *start = cql_start(p);
    (void)cql_take(p);
    out->is_map = true;
    if (cql_starts_term(p, 0)) {
        do map_entry(p, &keys, &values);
        while (cql_accept(p, T_COMMA));
    }
    cql_match(p, T_CLOSE_BRACE);
    out->value = cql_since(p, start);
    out->keys = (const struct slice *)(const void *)keys.items;
    out->values = (const struct slice *)(const void *)values.items;
    out->count = keys.count;
}

void cql_property_of(struct cql_parser *p, struct list *l)
{
    static const uint16_t equals[] = {T_EQ, T_NOTHING};
    struct cql_property one = {.at = cql_start(p)};
    bool word = false;
    if (cql_is_name(cql_peek(p, 0)) && cql_expect(p, 1, equals)) {
        uint32_t kind = cql_peek(p, 2);
        word = kind > T_FIRST_WORD && cql_is_name(kind);
        if (!word && kind != T_OPEN_BRACE && !cql_is_constant(kind)) cql_no_viable(p, 2);
        cql_looked(p, 3);
    }
    one.name = cql_ident(p);
    cql_match(p, T_EQ);
    if (cql_at(p, T_OPEN_BRACE)) {
        property_map(p, &one);
    } else if (cql_is_constant(cql_peek(p, 0))) {
        one.is_string = cql_at(p, T_STRING_LITERAL);
        const struct cql_node *n = cql_constant(p);
        if (n && !raw_text(n, &one.value)) one.value = n->value;
    } else if (word) {
        one.value = cql_take(p);
    }
    const struct cql_property *before = (const struct cql_property *)(const void *)l->items;
    for (uint32_t i = 0; i < l->count && !p->err; i++)
        if (slice_equal(before[i].name, one.name))
            cql_fail(p, ERR_SYNTAX, "Multiple definitions for property '%.*s'",
                     SLICE_ARG(one.name));
    struct cql_property *place = cql_add(p, l, sizeof(*place));
    if (place) *place = one;
}

struct cql_properties cql_properties_of(const struct list *l)
{
    return (struct cql_properties){(const struct cql_property *)(const void *)l->items, l->count};
}

struct cql_property cql_map_property(struct cql_parser *p)
{
    struct cql_property one = {.at = cql_start(p)};
    one.name = cql_ident(p);
    cql_match(p, T_EQ);
    if (cql_at(p, T_OPEN_BRACE))
        property_map(p, &one);
    else
        cql_match(p, T_OPEN_BRACE);
    return one;
}

struct cql_properties cql_properties(struct cql_parser *p)
{
    struct list l = {0};
    do cql_property_of(p, &l);
    while (cql_accept(p, K_AND));
    return cql_properties_of(&l);
}
