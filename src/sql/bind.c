/* The binder's ground: mistakes, relations, names, inputs. */
#include "sql/bind.h"
#include <stdio.h>

struct binder binder_make(const struct statement *s, const struct sql_catalog *c,
                          enum sql_dialect dialect, const char *file, struct arena *a,
                          struct diag *d)
{
    return (struct binder){.statement = s,
                           .catalog = c,
                           .dialect = &dialects[dialect],
                           .file = file ? file : s->file,
                           .arena = a,
                           .d = d};
}

void bind_fail(struct binder *b, struct slice place, err_t e, const char *fmt, ...)
{
    if (b->err) return;
    char what[240];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    b->err = diag_fail(b->d, e, "%s", what);
    const struct slice *all = &b->statement->script;
    bool inside = place.at && place.at >= all->at && place.at <= all->at + all->len;
    (void)sql_place(b->d, *all, inside ? place.at : b->statement->text.at, b->file);
}

void bind_hint(struct binder *b, const char *fmt, ...)
{
    if (!b->err || (b->d && b->d->hint[0])) return; /* the first mistake's hint stays */
    char hint[240];
    va_list args;
    va_start(args, fmt);
    vsnprintf(hint, sizeof(hint), fmt, args);
    va_end(args);
    (void)diag_hint(b->d, "%s", hint);
}

void *bind_take(struct binder *b, size_t size)
{
    void *memory = b->err ? NULL : arena_take(b->arena, MAX(size, (size_t)1));
    if (!memory)
        bind_fail(b, b->statement->text, ERR_NO_MEMORY, "the statement does not fit the memory");
    return memory;
}

struct expr *bind_node(struct binder *b, enum expr_kind kind, const struct tree *t,
                       const struct type *type, uint32_t arg_count)
{
    struct expr *e = bind_take(b, sizeof(*e));
    if (!e) return NULL;
    *e = (struct expr){.kind = kind, .type = type, .text = t->text, .deterministic = true};
    e->args = arg_count ? bind_take(b, arg_count * sizeof(const struct expr *)) : NULL;
    e->count = arg_count;
    return b->err ? NULL : e;
}

const char *bind_type_name(const struct binder *b, const struct type *t)
{
    struct buf out = buf_make(KIB(4));
    if (t) type_print(t, &out);
    const char *text = arena_text(b->arena, t ? buf_view(&out) : SLICE("an undeclared field"));
    buf_done(&out);
    return text ? text : "?";
}

/* --- relations ----------------------------------------------------------------------------------
 */

const struct sql_relation *bind_relation(struct binder *b, struct sql_name name, struct slice place)
{
    const struct sql_relation *r = b->catalog->find(b->catalog->ctx, name.keyspace, name.name);
    if (r) return r;
    const char *names[512];
    size_t count =
        b->catalog->names ? b->catalog->names(b->catalog->ctx, names, COUNT_OF(names)) : 0;
    char full[600];
    snprintf(full, sizeof(full), "%.*s%s%.*s", SLICE_ARG(name.keyspace),
             name.keyspace.at ? "." : "", SLICE_ARG(name.name));
    bind_fail(b, place, name.keyspace.at ? ERR_UNKNOWN_TABLE : ERR_UNKNOWN_NAME,
              name.keyspace.at ? "there is no table %s" : "there is no topic or table %s", full);
    const char *near = nearest_word(slice_of(full), names, count);
    if (near) bind_hint(b, "did you mean %s?", near);
    return NULL;
}

int64_t relation_column(const struct sql_relation *r, struct slice name)
{
    for (uint32_t i = 0; i < r->column_count; i++)
        if (slice_equal(r->columns[i].name, name)) return i;
    return -1;
}

void bind_unknown_column(struct binder *b, struct slice place, const struct sql_relation *r,
                         struct slice name)
{
    const char *kind = r->kind == RELATION_TOPIC ? "topic" : "table";
    bind_fail(b, place, ERR_UNKNOWN_COLUMN, "%s %.*s%s%.*s has no column '%.*s'", kind,
              SLICE_ARG(r->keyspace), r->keyspace.len ? "." : "", SLICE_ARG(r->name),
              SLICE_ARG(name));
    const char **names = arena_take(b->arena, MAX(r->column_count, 1u) * sizeof(*names));
    if (!names) return;
    for (uint32_t i = 0; i < r->column_count; i++) {
        names[i] = arena_text(b->arena, r->columns[i].name);
        if (!names[i]) return;
    }
    const char *near = nearest_word(name, names, r->column_count);
    if (near) {
        bind_hint(b, "did you mean '%s'?", near);
        return;
    }
    struct buf list = buf_make(160);
    for (uint32_t i = 0; i < r->column_count && !list.err; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    if (!list.err) bind_hint(b, "its columns are %s", buf_cstr(&list));
    buf_done(&list);
}

/* --- inputs -------------------------------------------------------------------------------------
 */

static bool same_steps(const struct json_want *a, const struct json_want *b)
{
    if (a->step_count != b->step_count || a->cast != b->cast) return false;
    for (uint32_t i = 0; i < a->step_count; i++) {
        const struct json_step *x = &a->steps[i], *y = &b->steps[i];
        if ((x->name.at != NULL) != (y->name.at != NULL)) return false;
        if (x->name.at ? !slice_equal(x->name, y->name) : x->index != y->index) return false;
    }
    return true;
}

/* One input a (path, type, cast): asked for twice, decoded once. */
struct expr *bind_input(struct binder *b, const struct tree *t, const struct plan_input *wanted)
{
    uint32_t at = 0;
    for (; at < b->input_count; at++) {
        const struct plan_input *have = &b->inputs[at];
        if (have->kind == wanted->kind && have->column == wanted->column &&
            type_equal(have->type, wanted->type) && same_steps(&have->path, &wanted->path))
            break;
    }
    if (at == b->input_count) {
        if (at == b->input_cap) {
            uint32_t cap = MAX(b->input_cap * 2, 8u);
            struct plan_input *more = bind_take(b, cap * sizeof(*more));
            if (!more) return NULL;
            if (at) memcpy(more, b->inputs, at * sizeof(*more));
            b->inputs = more;
            b->input_cap = cap;
        }
        b->inputs[b->input_count++] = *wanted;
    }
    struct expr *e = bind_node(b, EXPR_INPUT, t, wanted->type, 0);
    if (e) e->input = at;
    return e;
}

static struct expr *column_input(struct binder *b, const struct tree *t, uint32_t index)
{
    const struct sql_column *c = &b->from->columns[index];
    struct plan_input in = {
        .kind = INPUT_COLUMN, .column = index, .type = c->type, .text = t->text};
    return bind_input(b, t, &in);
}

/* What a record carries beside its value. */
static struct expr *metadata(struct binder *b, const struct tree *t, struct slice name)
{
    static const struct {
        const char *name;
        enum input_kind kind;
        enum type_kind type;
    } columns[] = {{"_key", INPUT_KEY, TYPE_TEXT},
                   {"_value", INPUT_VALUE, TYPE_JSON},
                   {"_timestamp", INPUT_TIMESTAMP, TYPE_TIMESTAMP},
                   {"_offset", INPUT_OFFSET, TYPE_BIGINT},
                   {"_partition", INPUT_PARTITION, TYPE_INT},
                   {"_topic", INPUT_TOPIC, TYPE_TEXT}};
    for (size_t i = 0; i < COUNT_OF(columns); i++) {
        if (!slice_is(name, columns[i].name)) continue;
        struct plan_input in = {
            .kind = columns[i].kind, .type = type_of(columns[i].type), .text = t->text};
        return bind_input(b, t, &in);
    }
    return NULL;
}

/* --- names --------------------------------------------------------------------------------------
 */

static struct expr *open_path(struct binder *b, const struct tree *t, const struct json_step *steps,
                              uint32_t count)
{
    struct expr *e = bind_node(b, EXPR_PATH, t, NULL, 0);
    if (!e) return NULL;
    e->steps = steps;
    e->step_count = count;
    return e;
}

/* The declared type at the end of the steps; NULL: below it nothing is declared. *bad: no such. */
static const struct type *declared_type(const struct type *type, const struct json_step *steps,
                                        uint32_t count, bool *bad)
{
    for (uint32_t i = 0; i < count; i++) {
        if (type->kind == TYPE_JSON) return NULL;
        const struct type *next = NULL;
        for (uint16_t f = 0; type->kind == TYPE_STRUCT && steps[i].name.at && f < type->count; f++)
            if (slice_equal(type->names[f], steps[i].name)) next = type->items[f];
        if (type->kind == TYPE_LIST && !steps[i].name.at) next = type->items[0];
        if (!next) {
            *bad = true;
            return NULL;
        }
        type = next;
    }
    return type->kind == TYPE_JSON ? NULL : type;
}

/* A declared column of a topic, or something inside one. */
static struct expr *declared_path(struct binder *b, const struct tree *t,
                                  const struct json_step *steps, uint32_t count, uint32_t column)
{
    bool bad = false;
    const struct type *type =
        declared_type(b->from->columns[column].type, steps + 1, count - 1, &bad);
    if (bad) {
        bind_fail(b, t->text, ERR_UNKNOWN_COLUMN, "%.*s: column %.*s is declared as %s",
                  SLICE_ARG(t->text), SLICE_ARG(steps[0].name),
                  bind_type_name(b, b->from->columns[column].type));
        return NULL;
    }
    if (!type) return open_path(b, t, steps, count);
    struct plan_input in = {.kind = INPUT_PATH,
                            .path = {.steps = steps, .step_count = count, .type = type},
                            .type = type,
                            .text = t->text};
    return bind_input(b, t, &in);
}

/* t.column: the relation's name or alias in front is left away. */
static void strip_relation(const struct binder *b, const struct json_step **steps, uint32_t *count)
{
    struct slice first = (*steps)[0].name;
    if (*count < 2 || !(*steps)[1].name.at) return;
    bool named = b->alias.at ? slice_equal(first, b->alias) : slice_equal(first, b->from->name);
    if (!named || relation_column(b->from, first) >= 0) return;
    (*steps)++;
    (*count)--;
}

struct expr *bind_name(struct binder *b, const struct tree *t)
{
    const struct json_step *steps = t->steps;
    uint32_t count = t->step_count;
    if (b->err) return NULL;
    if (!b->from) {
        bind_fail(b, t->text, ERR_UNKNOWN_COLUMN, "there is no FROM to take %.*s from",
                  SLICE_ARG(t->text));
        bind_hint(b, "a text stands in single quotes");
        return NULL;
    }
    strip_relation(b, &steps, &count);
    bool topic = b->from->kind == RELATION_TOPIC;
    struct expr *meta = topic && count == 1 ? metadata(b, t, steps[0].name) : NULL;
    if (meta || b->err) return meta;
    int64_t column = relation_column(b->from, steps[0].name);
    if (column >= 0 && topic) return declared_path(b, t, steps, count, (uint32_t)column);
    if (column >= 0) {
        if (count == 1) return column_input(b, t, (uint32_t)column);
        bind_fail(b, t->text, ERR_UNSUPPORTED,
                  "fields and elements of a table's column: not available in this version");
        return NULL;
    }
    if (topic && b->from->open) return open_path(b, t, steps, count);
    bind_unknown_column(b, t->text, b->from, steps[0].name);
    return NULL;
}
