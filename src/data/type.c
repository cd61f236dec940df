#include "data/type.h"

struct kind_info {
    const char *name;
    uint16_t cql;
    enum phys phys;
};

static const struct kind_info kinds[TYPE_KINDS] = {
#define TYPE(kind, name, cql, phys, about) [TYPE_##kind] = {name, cql, PHYS_##phys},
#include "data/types.def"
#undef TYPE
};

static const struct type scalars[TYPE_KINDS] = {
#define TYPE(k, name, cql, phys, about) [TYPE_##k] = {.kind = TYPE_##k},
#include "data/types.def"
#undef TYPE
};

bool type_is_nested(const struct type *t)
{
    return t->kind >= TYPE_LIST && t->kind <= TYPE_STRUCT;
}

const struct type *type_of(enum type_kind kind)
{
    INVARIANT(kind < TYPE_KINDS && !type_is_nested(&scalars[kind]));
    return &scalars[kind];
}

const char *type_kind_name(enum type_kind kind)
{
    INVARIANT(kind < TYPE_KINDS);
    return kinds[kind].name;
}

uint16_t type_cql_id(enum type_kind kind)
{
    INVARIANT(kind < TYPE_KINDS);
    return kinds[kind].cql;
}

enum phys type_phys(const struct type *t)
{
    return kinds[t->kind].phys;
}

uint32_t phys_size(enum phys p)
{
    static const uint32_t sizes[] = {1, 2, 4, 8, 16, sizeof(struct slice)};
    return sizes[p];
}

bool type_equal(const struct type *a, const struct type *b)
{
    if (a == b) return true;
    if (a->kind != b->kind || a->count != b->count) return false;
    for (uint16_t i = 0; i < a->count; i++) {
        if (!type_equal(a->items[i], b->items[i])) return false;
        if (a->kind == TYPE_STRUCT && !slice_equal(a->names[i], b->names[i])) return false;
    }
    return true;
}

bool type_is_integer(const struct type *t)
{
    return (t->kind >= TYPE_TINYINT && t->kind <= TYPE_COUNTER) || t->kind == TYPE_VARINT;
}

bool type_is_number(const struct type *t)
{
    return type_is_integer(t) || t->kind == TYPE_FLOAT || t->kind == TYPE_DOUBLE ||
           t->kind == TYPE_DECIMAL;
}

bool type_is_text(const struct type *t)
{
    return t->kind == TYPE_ASCII || t->kind == TYPE_TEXT;
}

/* --- reading a type's text ---------------------------------------------------------------------
 */

struct type_reader {
    struct slice text;
    uint32_t pos;
    int depth;
    struct arena *a;
    struct diag *d;
};

/* What is being gathered between '<' and '>'. */
struct type_items {
    const struct type *items[TYPE_FIELDS_MAX];
    struct slice names[TYPE_FIELDS_MAX];
    uint16_t count;
};

static err_t read_type(struct type_reader *r, const struct type **out);

static err_t type_syntax(struct type_reader *r, uint32_t pos, const char *wanted)
{
    if (pos >= r->text.len)
        diag_fail(r->d, ERR_SYNTAX, "type '%.*s' ends where %s was expected", SLICE_ARG(r->text),
                  wanted);
    else
        diag_fail(r->d, ERR_SYNTAX, "type '%.*s': '%c' at character %u where %s was expected",
                  SLICE_ARG(r->text), r->text.at[pos], pos + 1, wanted);
    return ERR_SYNTAX;
}

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static uint8_t peek(struct type_reader *r)
{
    while (r->pos < r->text.len && (r->text.at[r->pos] == ' ' || r->text.at[r->pos] == '\t' ||
                                    r->text.at[r->pos] == '\n' || r->text.at[r->pos] == '\r'))
        r->pos++;
    return r->pos < r->text.len ? r->text.at[r->pos] : 0;
}

static struct slice read_word(struct type_reader *r)
{
    peek(r);
    uint32_t from = r->pos;
    while (r->pos < r->text.len && is_word(r->text.at[r->pos])) r->pos++;
    return (struct slice){r->text.at + from, r->pos - from};
}

/* Up to the quote that ends a quoted name; false when there is none. */
static bool quoted_end(struct slice text, uint32_t from, uint32_t *end)
{
    for (uint32_t i = from; i < text.len; i++) {
        if (text.at[i] != '"') continue;
        *end = i;
        if (i + 1 >= text.len || text.at[i + 1] != '"') return true;
        i++; /* a doubled quote stands for one */
    }
    return false;
}

/* "as ""written""" keeps its letters; a bare name is folded to lower case, as CQL does. */
static err_t read_field_name(struct type_reader *r, struct slice *out)
{
    bool quoted = peek(r) == '"';
    uint32_t from = r->pos + quoted, end = 0, n = 0;
    if (!quoted)
        end = from + read_word(r).len;
    else if (!quoted_end(r->text, from, &end))
        return type_syntax(r, r->text.len, "'\"'");
    uint8_t *name = arena_take_raw(r->a, end - from + 1);
    if (!name) return diag_fail(r->d, ERR_NO_MEMORY, "no room for a type");
    for (uint32_t i = from; i < end; i++) {
        uint8_t c = r->text.at[i];
        if (quoted && c == '"') i++;
        name[n++] = !quoted && c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
    }
    if (n == 0) return type_syntax(r, from, "a field's name");
    r->pos = end + quoted;
    *out = (struct slice){name, n};
    return ERR_OK;
}

static err_t check_field_name(struct type_reader *r, const struct type_items *items,
                              struct slice name)
{
    for (uint16_t i = 0; i < items->count; i++)
        if (slice_equal(items->names[i], name))
            return diag_fail(r->d, ERR_EXISTS, "struct has two fields '%.*s'", SLICE_ARG(name));
    return ERR_OK;
}

static err_t read_items(struct type_reader *r, enum type_kind kind, struct type_items *items)
{
    if (peek(r) != '<') return type_syntax(r, r->pos, "'<'");
    do {
        r->pos++; /* '<' or ',' */
        if (items->count == TYPE_FIELDS_MAX)
            return diag_fail(r->d, ERR_TOO_BIG, "a type has more than %d fields", TYPE_FIELDS_MAX);
        struct slice *name = &items->names[items->count];
        err_t e = ERR_OK;
        if (kind == TYPE_STRUCT) {
            e = read_field_name(r, name);
            if (!e) e = check_field_name(r, items, *name);
            if (!e && peek(r) == ':') r->pos++; /* Spark's struct<a: int> */
        }
        if (!e) e = read_type(r, &items->items[items->count]);
        if (e) return e;
        items->count++;
    } while (peek(r) == ',');
    if (peek(r) != '>') return type_syntax(r, r->pos, "',' or '>'");
    r->pos++;
    return ERR_OK;
}

static err_t make_nested(struct type_reader *r, enum type_kind kind, const struct type_items *items,
                         const struct type **out)
{
    size_t n = items->count;
    struct type *t = arena_take(r->a, sizeof(*t));
    const struct type **types = arena_take(r->a, n * sizeof(void *));
    struct slice *names = kind == TYPE_STRUCT ? arena_take(r->a, n * sizeof(*names)) : NULL;
    if (!t || !types || (kind == TYPE_STRUCT && !names))
        return diag_fail(r->d, ERR_NO_MEMORY, "no room for a type");
    for (size_t i = 0; i < n; i++) types[i] = items->items[i];
    if (names) memcpy(names, items->names, n * sizeof(*names));
    *t = (struct type){.kind = kind, .count = items->count, .items = types, .names = names};
    *out = t;
    return ERR_OK;
}

static err_t read_nested(struct type_reader *r, enum type_kind kind, uint32_t from,
                         const struct type **out)
{
    if (r->depth == TYPE_DEPTH_MAX)
        return diag_fail(r->d, ERR_TOO_DEEP, "type is nested deeper than %d", TYPE_DEPTH_MAX);
    struct type_items *items = mem_take(sizeof(*items)); /* too big for the stack at every level */
    if (!items) return diag_fail(r->d, ERR_NO_MEMORY, "no room for a type");
    r->depth++;
    err_t e = read_items(r, kind, items);
    r->depth--;
    uint16_t wanted = kind == TYPE_MAP ? 2 : 1;
    if (!e && kind != TYPE_TUPLE && kind != TYPE_STRUCT && items->count != wanted) {
        r->pos = from;
        e = diag_fail(r->d, ERR_SYNTAX, "%s takes %d type%s, not %d", type_kind_name(kind), wanted,
                      wanted == 1 ? "" : "s", items->count);
    }
    if (!e) e = make_nested(r, kind, items, out);
    mem_give(items);
    return e;
}

static err_t read_frozen(struct type_reader *r, const struct type **out)
{
    const struct type *inner = &scalars[TYPE_BLOB];
    if (peek(r) != '<') return type_syntax(r, r->pos, "'<'");
    if (r->depth == TYPE_DEPTH_MAX)
        return diag_fail(r->d, ERR_TOO_DEEP, "type is nested deeper than %d", TYPE_DEPTH_MAX);
    r->pos++;
    r->depth++;
    err_t e = read_type(r, &inner);
    r->depth--;
    if (e) return e;
    if (peek(r) != '>') return type_syntax(r, r->pos, "'>'");
    r->pos++;
    if (!type_is_nested(inner))
        return diag_fail(r->d, ERR_TYPE,
                         "frozen<> is only for collections, tuples and structs, not %s",
                         type_kind_name(inner->kind));
    struct type *t = arena_take(r->a, sizeof(*t));
    if (!t) return diag_fail(r->d, ERR_NO_MEMORY, "no room for a type");
    *t = *inner;
    t->frozen = true;
    *out = t;
    return ERR_OK;
}

static err_t unknown_type(struct type_reader *r, struct slice word)
{
    const char *names[TYPE_KINDS];
    for (size_t i = 0; i < TYPE_KINDS; i++) names[i] = kinds[i].name;
    const char *near = nearest_word(word, names, TYPE_KINDS);
    diag_fail(r->d, ERR_UNKNOWN_NAME, "no type '%.*s'", SLICE_ARG(word));
    if (near) diag_hint(r->d, "did you mean %s?", near);
    return ERR_UNKNOWN_NAME;
}

static err_t read_type(struct type_reader *r, const struct type **out)
{
    peek(r);
    uint32_t from = r->pos;
    struct slice word = read_word(r);
    if (word.len == 0) return type_syntax(r, from, "a type's name");
    if (slice_equal_nocase(word, SLICE("frozen"))) return read_frozen(r, out);
    if (slice_equal_nocase(word, SLICE("varchar"))) word = SLICE("text");
    for (size_t k = 0; k < TYPE_KINDS; k++) {
        if (!slice_equal_nocase(word, slice_of(kinds[k].name))) continue;
        if (type_is_nested(&scalars[k])) return read_nested(r, (enum type_kind)k, from, out);
        *out = &scalars[k];
        return ERR_OK;
    }
    return unknown_type(r, word);
}

err_t type_parse(struct slice text, struct arena *a, const struct type **out, struct diag *d)
{
    struct type_reader r = {.text = text, .a = a, .d = d};
    err_t e = read_type(&r, out);
    if (e) return e;
    if (peek(&r)) return type_syntax(&r, r.pos, "the end");
    return ERR_OK;
}

/* --- writing it --------------------------------------------------------------------------------
 */

static bool is_bare_name(struct slice s)
{
    if (s.len == 0 || s.at[0] < 'a' || s.at[0] > 'z') return false;
    for (uint32_t i = 0; i < s.len; i++)
        if (!is_word(s.at[i]) || (s.at[i] >= 'A' && s.at[i] <= 'Z')) return false;
    return true;
}

void type_print_name(struct slice name, struct buf *out)
{
    if (is_bare_name(name)) {
        buf_slice(out, name);
        return;
    }
    buf_char(out, '"');
    for (uint32_t i = 0; i < name.len; i++) {
        if (name.at[i] == '"') buf_char(out, '"');
        buf_char(out, (char)name.at[i]);
    }
    buf_char(out, '"');
}

void type_print(const struct type *t, struct buf *out)
{
    if (t->frozen) buf_text(out, "frozen<");
    if (t->name.len) {
        type_print_name(t->name, out);
    } else {
        buf_text(out, kinds[t->kind].name);
        for (uint16_t i = 0; i < t->count; i++) {
            buf_text(out, i ? ", " : "<");
            if (t->kind == TYPE_STRUCT) {
                type_print_name(t->names[i], out);
                buf_char(out, ' ');
            }
            type_print(t->items[i], out);
        }
        if (t->count) buf_char(out, '>');
    }
    if (t->frozen) buf_char(out, '>');
}
