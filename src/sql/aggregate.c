/* The aggregates' table, and what its kernels share. */
#include "sql/aggregate_int.h"
#include "sql/functions.h"

static const struct aggregate rows[] = {
#define AGGREGATE(name, kernel, args, result, size, flags, about, example, rows, expected)         \
    {#name,                                                                                        \
     args,                                                                                         \
     result,                                                                                       \
     size,                                                                                         \
     flags,                                                                                        \
     agg_##kernel##_add,                                                                           \
     agg_##kernel##_merge,                                                                         \
     agg_##name##_tell,                                                                            \
     about,                                                                                        \
     example,                                                                                      \
     rows,                                                                                         \
     expected},
#define AGGREGATE_ALIAS(name, of)
#include "sql/aggregates.def"
#undef AGGREGATE
#undef AGGREGATE_ALIAS
};
static const struct {
    const char *name, *of;
} aliases[] = {
#define AGGREGATE(name, kernel, args, result, size, flags, about, example, rows, expected)
#define AGGREGATE_ALIAS(name, of) {#name, #of},
#include "sql/aggregates.def"
#undef AGGREGATE
#undef AGGREGATE_ALIAS
};

size_t aggregate_count(void)
{
    return COUNT_OF(rows);
}

const struct aggregate *aggregate_at(size_t i)
{
    return &rows[i];
}

const struct aggregate *aggregate_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(aliases); i++)
        if (slice_equal_nocase(name, slice_of(aliases[i].name))) {
            name = slice_of(aliases[i].of);
            break;
        }
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (slice_equal_nocase(name, slice_of(rows[i].name))) return &rows[i];
    return NULL;
}

size_t aggregate_names(const char **out, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < COUNT_OF(rows) && n < max; i++) out[n++] = rows[i].name;
    for (size_t i = 0; i < COUNT_OF(aliases) && n < max; i++) out[n++] = aliases[i].name;
    return n;
}

const struct type *aggregate_result(const struct aggregate *a, const struct type *const *args,
                                    struct arena *arena)
{
    bool big = a->args[0] == 'n' && (args[0]->kind == TYPE_VARINT || args[0]->kind == TYPE_DECIMAL);
    enum type_kind nested = TYPE_LIST;
    switch (a->result[0]) {
    case 'n':
    case '1': return args[0];
    case '2': return args[1];
    case 'm': return type_of(big ? TYPE_DECIMAL : TYPE_DOUBLE);
    case 'i': return type_of(TYPE_BIGINT);
    case 'd': return type_of(TYPE_DOUBLE);
    case 'b': return type_of(TYPE_BOOLEAN);
    case 't': return type_of(TYPE_TEXT);
    case 'j': return type_of(TYPE_JSON);
    case 'S': nested = TYPE_SET; break;
    case 'M': nested = TYPE_MAP; break;
    default: break;
    }
    uint16_t count = nested == TYPE_MAP ? 2 : 1;
    const struct type **items = arena_take(arena, count * sizeof(*items));
    struct type *t = arena_take(arena, sizeof(*t));
    if (!items || !t) return NULL;
    for (uint16_t i = 0; i < count; i++) items[i] = args[i];
    *t = (struct type){.kind = nested, .count = count, .items = items};
    return t;
}

bool aggregate_grows(const struct plan_aggregate *a)
{
    uint32_t flags = a->of->flags;
    return (flags & AGG_GROWS) || ((flags & AGG_GROWS_BACK) && a->takes_back) ||
           ((flags & AGG_GROWS_BYTES) && type_phys(agg_type(a, 0)) == PHYS_BYTES);
}

bool aggregate_is_exact(const struct plan_aggregate *a)
{
    if (!(a->of->flags & AGG_EXACT) || a->takes_back) return false;
    if (!a->arg_count || a->of->add == aggregate_find(SLICE("count"))->add) return true;
    switch (agg_type(a, 0)->kind) { /* no 0 beside -0, no text too long to be kept */
    case TYPE_BIGINT:
    case TYPE_INT:
    case TYPE_SMALLINT:
    case TYPE_TINYINT:
    case TYPE_TIMESTAMP:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_BOOLEAN: return true;
    default: return false;
    }
}

static const char *letter_about(char letter)
{
    return letter == 'o'   ? "any ordered"
           : letter == 'n' ? "number"
           : letter == 'i' ? "bigint"
           : letter == 'd' ? "double"
           : letter == 'b' ? "boolean"
           : letter == 't' ? "text"
           : letter == 'x' ? "any as text"
                           : "any";
}

void aggregate_signature(const struct aggregate *a, struct buf *out)
{
    const char *comma = "";
    buf_printf(out, "%s(", a->name);
    for (const char *l = a->args; *l; l++) {
        if (*l == '|') {
            buf_text(out, comma[0] ? " [" : "[");
            continue;
        }
        buf_printf(out, "%s%s", comma, letter_about(*l));
        comma = ", ";
    }
    buf_text(out, strchr(a->args, '|') ? "])" : ")");
}

void aggregate_docs(struct buf *out)
{
    buf_text(out, "\n### Aggregates\n\n| function | what it gives | takes rows back | example | "
                  "of | gives |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct aggregate *a = &rows[i];
        buf_text(out, "| `");
        aggregate_signature(a, out);
        buf_printf(out, "` | %s", a->about);
        const char *join = "; also ";
        for (size_t k = 0; k < COUNT_OF(aliases); k++) {
            if (strcmp(aliases[k].of, a->name) != 0) continue;
            buf_printf(out, "%s`%s`", join, aliases[k].name);
            join = ", ";
        }
        buf_printf(out, " | %s | `%s` | %s | `%s` |\n", a->flags & AGG_BACK ? "yes" : "no",
                   a->example, a->rows, a->expected);
    }
}

/* --- what the kernels share ---------------------------------------------------------------------
 */

err_t agg_more_room(struct agg_more *m, uint32_t len)
{
    if (len > AGG_MORE_MAX) return ERR_TOO_BIG;
    if (len > m->cap || !m->at) {
        uint32_t cap = MAX(m->cap < 4096 ? m->cap * 2 : m->cap + m->cap / 2, MAX(len, 16u));
        cap = MIN(cap, (uint32_t)AGG_MORE_MAX);
        uint8_t *more = mem_resize(m->at, cap);
        if (!more) return ERR_NO_MEMORY;
        m->at = more;
        m->cap = cap;
    }
    if (len > m->len) memset(m->at + m->len, 0, len - m->len);
    m->len = len;
    return ERR_OK;
}

void agg_more_done(struct agg_more *m)
{
    mem_give(m->at);
    *m = (struct agg_more){0};
}

err_t agg_no_memory(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no memory for an aggregate");
}

err_t agg_tell_full(const struct plan_aggregate *a, struct diag *d)
{
    diag_fail(d, ERR_TOO_BIG, "%.*s of a group holds more than %d MiB", SLICE_ARG(a->text),
              AGG_MORE_MAX >> 20);
    return diag_hint(d, "an approx_ function, or finer groups");
}

void agg_put_i64(struct column *out, uint32_t row, int64_t v)
{
    out->i64[row] = v;
    out->state[row] = VALID_VALUE;
}

void agg_put_f64(struct column *out, uint32_t row, double v)
{
    out->f64[row] = v;
    out->state[row] = VALID_VALUE;
}

err_t agg_put_binary(struct column *out, uint32_t row, struct slice binary, struct arena *a,
                     struct diag *d)
{
    if (type_phys(out->type) == PHYS_BYTES) {
        if (binary.len && !(binary = arena_slice(a, binary)).at) return agg_no_memory(d);
        if (!binary.len) binary = SLICE("");
    }
    struct value v = value_hold(out->type, binary);
    err_t e = column_set(out, row, &v);
    return e ? diag_fail(d, e, "an aggregate's value") : ERR_OK;
}

err_t agg_put_value(struct column *out, uint32_t row, const struct value *v, struct arena *a,
                    struct diag *d)
{
    struct value kept = *v;
    bool bytes = type_phys(v->type) == PHYS_BYTES && v->bytes.len;
    if (bytes && !(kept.bytes = arena_slice(a, v->bytes)).at) return agg_no_memory(d);
    err_t e = column_set(out, row, &kept);
    return e ? diag_fail(d, e, "an aggregate's value") : ERR_OK;
}

err_t agg_put_text(struct column *out, uint32_t row, struct buf *made, struct arena *a,
                   struct diag *d)
{
    err_t e = made->err;
    struct slice s = buf_view(made);
    s = s.len ? arena_slice(a, s) : SLICE("");
    if (!e && !s.at) e = ERR_NO_MEMORY;
    out->bytes[row] = s;
    out->state[row] = e ? NULL_VALUE : VALID_VALUE;
    buf_done(made);
    return e ? diag_fail(d, e, "an aggregate's text") : ERR_OK;
}
