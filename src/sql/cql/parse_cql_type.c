/* CQL's types as they are written. */
#include "sql/cql/parse_cql.h"

static const struct cql_type *type_at_depth(struct cql_parser *p);

/* `count` parameters, or any number; '<' and '>' included. */
static void type_items(struct cql_parser *p, struct cql_type *t, uint32_t count)
{
    struct list items = {0};
    cql_match(p, T_LT);
    do {
        const struct cql_type **item = cql_add(p, &items, sizeof(*item));
        const struct cql_type *inner = cql_type(p);
        if (item && !p->err) *item = inner;
        if (count && items.count < count && !cql_at(p, T_COMMA)) cql_match(p, T_COMMA);
    } while (!(count && items.count == count) && cql_accept(p, T_COMMA));
    t->items = (const struct cql_type **)(void *)items.items;
    t->count = items.count;
}

static void vector_items(struct cql_parser *p, struct cql_type *t)
{
    type_items(p, t, 1);
    cql_match(p, T_COMMA);
    if (!cql_at(p, T_INTEGER)) cql_match(p, T_INTEGER);
    int64_t n = 0;
    struct slice number = cql_take(p);
    if (!p->err && (!slice_to_i64(number, &n) || n < INT32_MIN || n > INT32_MAX))
        cql_fail(p, ERR_SYNTAX, "For input string: \"%.*s\"", SLICE_ARG(number));
    if (!p->err && n < 1)
        cql_fail(p, ERR_INVALID, "vectors may only have positive dimensions; given %d", (int)n);
    t->dimension = (uint32_t)n;
}

static const uint16_t after_type[] = {K_FINALFUNC, K_INITCOND, K_LANGUAGE, K_MASKED,    K_PRIMARY,
                                      K_STATIC,    T_CLOSE,    T_COMMA,    T_SEMICOLON, T_GT,
                                      T_END,       T_DOT,      T_NOTHING};

/* map<, list<, set<, tuple<, vector<, frozen<; false: it is none of them. */
static bool type_of_items(struct cql_parser *p, struct cql_type *t)
{
    static const struct {
        uint16_t word;
        uint8_t count; /* 0: any number, one at least */
    } kinds[] = {{K_MAP, 2}, {K_LIST, 1}, {K_SET, 1}, {K_TUPLE, 0}, {K_VECTOR, 1}, {K_FROZEN, 1}};
    uint32_t word = cql_peek(p, 0);
    size_t i = 0;
    while (i < COUNT_OF(kinds) && kinds[i].word != word) i++;
    if (i == COUNT_OF(kinds)) return false;
    if (word != K_SET && cql_peek(p, 1) != T_LT) {
        (void)cql_expect(p, 1, after_type);
        return false;
    }
    cql_looked(p, word == K_SET ? 1 : 2);
    t->name.name = cql_value(p);
    if (word == K_VECTOR)
        vector_items(p, t);
    else
        type_items(p, t, kinds[i].count);
    cql_match(p, T_GT);
    if (word != K_FROZEN || p->err) return true;
    struct slice text = t->text;
    *t = *t->items[0];
    t->frozen = true;
    t->text = text;
    return true;
}

static const struct cql_type *type_at_depth(struct cql_parser *p)
{
    const uint8_t *start = cql_start(p);
    struct cql_type *t = cql_new(p, sizeof(*t));
    if (!t) return NULL;
    uint32_t kind = cql_peek(p, 0);
    if (kind == T_STRING_LITERAL) {
        t->custom = cql_value(p);
    } else if (!type_of_items(p, t)) {
        bool native = cql_is_name(kind) && cql_kind_use(kind) == USE_TYPE;
        if (native && (p->trials || cql_expect(p, 1, after_type)) && cql_peek(p, 1) != T_DOT) {
            t->name.name = cql_value(p);
        } else if (cql_is_name(kind)) {
            cql_looked(p, 1);
            t->name = cql_type_name(p);
            t->quoted = kind == T_QUOTED_NAME;
        } else {
            cql_no_viable(p, 0);
        }
    }
    t->text = cql_since(p, start);
    return p->err ? NULL : t;
}

const struct cql_type *cql_type(struct cql_parser *p)
{
    if (!cql_deeper(p)) return NULL;
    const struct cql_type *t = type_at_depth(p);
    p->depth--;
    return t;
}

uint32_t cql_length_of(struct cql_parser *p, uint32_t n, void (*rule)(struct cql_parser *p))
{
    uint32_t next = p->next, markers = p->markers, depth = p->depth;
    if (p->err) return 0;
    (void)cql_peek(p, n);
    p->next += n;
    p->trials++;
    if (!p->err) rule(p);
    p->trials--;
    uint32_t length = p->err ? 0 : p->next - next - n;
    if (!p->hard) p->err = ERR_OK;
    p->next = next;
    p->markers = markers;
    p->depth = depth;
    return length;
}

static void type_rule(struct cql_parser *p)
{
    (void)cql_type(p);
}

uint32_t cql_type_length(struct cql_parser *p, uint32_t n)
{
    return cql_length_of(p, n, type_rule);
}
