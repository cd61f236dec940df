/* Names: which relation, which column, and what a leaf has to read for it. */
#include "sql/bind.h"
#include <stdio.h>

const struct sql_relation *bind_relation(struct binder *b, struct sql_name name, struct slice place)
{
    if (b->err) return NULL;
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

/* "did you mean …", or all there are. */
static void hint_columns(struct binder *b, struct slice name, const char **names, uint32_t count)
{
    const char *near = nearest_word(name, names, count);
    if (near) {
        bind_hint(b, "did you mean '%s'?", near);
        return;
    }
    struct buf list = buf_make(160);
    for (uint32_t i = 0; i < count && !list.err; i++)
        buf_printf(&list, "%s%s", i ? ", " : "", names[i]);
    if (!list.err && count) bind_hint(b, "its columns are %s", buf_cstr(&list));
    buf_done(&list);
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
    hint_columns(b, name, names, r->column_count);
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

bool expr_same_name(const struct expr *a, const struct expr *b)
{
    uint32_t x, y;
    if (expr_is_attr(a, &x) && expr_is_attr(b, &y)) return x == y;
    if (a->kind != EXPR_PATH || b->kind != EXPR_PATH || a->leaf != b->leaf) return false;
    if (a->count != b->count || (a->count && !expr_same_name(a->args[0], b->args[0]))) return false;
    struct json_want p = {.steps = a->steps, .step_count = a->step_count};
    struct json_want q = {.steps = b->steps, .step_count = b->step_count};
    return same_steps(&p, &q);
}

/* One input a (path, type, cast): asked for twice, decoded once. */
struct expr *bind_input(struct binder *b, struct slice text, struct logic *leaf,
                        const struct plan_input *wanted)
{
    if (b->err) return NULL;
    bool topic = leaf->node.kind == NODE_TOPIC;
    const struct plan_input *have = topic ? leaf->node.topic.inputs : leaf->node.table.inputs;
    uint32_t at = 0;
    for (; at < leaf->attr_count; at++)
        if (have[at].kind == wanted->kind && have[at].column == wanted->column &&
            type_equal(have[at].type, wanted->type) && same_steps(&have[at].path, &wanted->path))
            return attr_expr(b, leaf->attrs[at], text);
    uint32_t cap = leaf->attr_cap; /* grows as the attributes do */
    struct plan_input *inputs = (struct plan_input *)(uintptr_t)have;
    inputs = bind_room(b, inputs, at, &cap, sizeof(*inputs));
    uint32_t attr = attr_new(b, leaf, wanted->text, wanted->type);
    if (b->err) return NULL;
    inputs[at] = *wanted;
    if (topic)
        leaf->node.topic.inputs = inputs;
    else
        leaf->node.table.inputs = inputs;
    return attr_expr(b, attr, text);
}

/* A path as people write it: login.uuid, tags[0]; {0}: no memory. */
static struct slice steps_text(struct binder *b, const struct json_step *steps, uint32_t count)
{
    struct buf text = buf_make(KIB(64));
    for (uint32_t i = 0; i < count; i++) {
        if (steps[i].name.at)
            buf_printf(&text, "%s%.*s", i ? "." : "", SLICE_ARG(steps[i].name));
        else
            buf_printf(&text, "[%lld]", (long long)steps[i].index);
    }
    struct slice made = text.err ? (struct slice){0} : arena_slice(b->arena, buf_view(&text));
    buf_done(&text);
    if (!made.at)
        bind_fail(b, b->statement->text, ERR_NO_MEMORY, "the statement does not fit the memory");
    return made;
}

static struct expr *column_input(struct binder *b, struct slice text, const struct range *r,
                                 uint32_t index)
{
    const struct sql_column *c = &r->relation->columns[index];
    struct plan_input in = {
        .kind = INPUT_COLUMN, .column = index, .type = c->type, .text = c->name};
    return bind_input(b, text, r->leaf, &in);
}

/* What a record carries beside its value. */
static const struct metadata {
    const char *name;
    enum input_kind kind;
    enum type_kind type;
} metadata[] = {{"_key", INPUT_KEY, TYPE_TEXT},
                {"_value", INPUT_VALUE, TYPE_JSON},
                {"_timestamp", INPUT_TIMESTAMP, TYPE_TIMESTAMP},
                {"_partition", INPUT_PARTITION, TYPE_INT},
                {"_offset", INPUT_OFFSET, TYPE_BIGINT},
                {"_topic", INPUT_TOPIC, TYPE_TEXT}};
enum { METADATA_SHOWN = 5 }; /* of *: not the topic's name */

static const struct metadata *metadata_find(const struct range *r, struct slice name)
{
    if (!r->relation || r->relation->kind != RELATION_TOPIC) return NULL;
    for (size_t i = 0; i < COUNT_OF(metadata); i++)
        if (slice_is(name, metadata[i].name)) return &metadata[i];
    return NULL;
}

static struct expr *metadata_input(struct binder *b, struct slice text, const struct range *r,
                                   const struct metadata *m)
{
    struct plan_input in = {.kind = m->kind, .type = type_of(m->type), .text = slice_of(m->name)};
    return bind_input(b, text, r->leaf, &in);
}

/* --- inside columns -----------------------------------------------------------------------------
 */

/* A field whose type its place decides: of a topic's value, or (base) of a json column. */
static struct expr *open_path(struct binder *b, const struct tree *t, const struct range *r,
                              struct expr *base, const struct json_step *steps, uint32_t count)
{
    struct expr *e = bind_node(b, EXPR_PATH, t, NULL, base ? 1 : 0);
    if (!e) return NULL;
    if (base) e->args[0] = base;
    e->leaf = base ? NULL : r->leaf;
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

static struct expr *no_such_field(struct binder *b, const struct tree *t, struct slice column,
                                  const struct type *type)
{
    bind_fail(b, t->text, ERR_UNKNOWN_COLUMN, "%.*s: column %.*s is declared as %s",
              SLICE_ARG(t->text), SLICE_ARG(column), bind_type_name(b, type));
    return NULL;
}

/* A declared column of a topic, or something inside one. */
static struct expr *declared_path(struct binder *b, const struct tree *t, const struct range *r,
                                  const struct json_step *steps, uint32_t count, uint32_t column)
{
    bool bad = false;
    const struct sql_column *c = &r->relation->columns[column];
    const struct type *type = declared_type(c->type, steps + 1, count - 1, &bad);
    if (bad) return no_such_field(b, t, c->name, c->type);
    if (!type) return open_path(b, t, r, NULL, steps, count);
    struct plan_input in = {.kind = INPUT_PATH,
                            .path = {.steps = steps, .step_count = count, .type = type},
                            .type = type,
                            .text = steps_text(b, steps, count)};
    return bind_input(b, t->text, r->leaf, &in);
}

/* Something inside a column that no decoder reads: by way of JSON. */
struct expr *bind_inside(struct binder *b, const struct tree *t, struct expr *column,
                         const struct type *declared, struct slice name,
                         const struct json_step *steps, uint32_t count)
{
    if (!column || count == 0) return column;
    bool bad = false;
    const struct type *type = declared_type(declared, steps, count, &bad);
    if (bad) return no_such_field(b, t, name, declared);
    struct expr *json = column;
    if (column->type->kind != TYPE_JSON) json = bind_builtin(b, "to_json", t->text, &column, 1);
    struct expr *path = json ? open_path(b, t, NULL, json, steps, count) : NULL;
    return path && type ? bind_path(b, path, type, type_is_text(type)) : path;
}

/* The path as text, as json_get reads it. */
static struct expr *path_text(struct binder *b, const struct expr *path)
{
    for (uint32_t i = 0; i < path->step_count; i++) {
        struct slice name = path->steps[i].name;
        bool odd = name.at && (memchr(name.at, '.', name.len) || memchr(name.at, '[', name.len) ||
                               name.len == 0);
        if (odd)
            bind_fail(b, path->text, ERR_UNSUPPORTED,
                      "a field whose name holds '.' or '[', inside a column");
    }
    struct value v = value_text(steps_text(b, path->steps, path->step_count));
    struct tree *t = bind_take(b, sizeof(*t));
    if (!t) return NULL;
    *t = (struct tree){.kind = TREE_STRING, .text = path->text, .value = v.bytes, .depth = 1};
    return bind_constant(b, t, &v);
}

struct expr *bind_path(struct binder *b, struct expr *e, const struct type *type, bool cast)
{
    if (b->err) return NULL;
    if (e->count == 0) {
        struct plan_input in = {.kind = INPUT_PATH,
                                .path = {.steps = e->steps,
                                         .step_count = e->step_count,
                                         .type = type,
                                         .cast = cast && type->kind != TYPE_JSON},
                                .type = type,
                                .text = steps_text(b, e->steps, e->step_count)};
        return bind_input(b, e->text, (struct logic *)(uintptr_t)e->leaf, &in);
    }
    struct expr *args[2] = {(struct expr *)(uintptr_t)e->args[0], path_text(b, e)};
    struct expr *json = args[1] ? bind_builtin(b, "json_get", e->text, args, 2) : NULL;
    if (json && json->kind == EXPR_CALL) { /* what it asks for, for bind_simplify */
        json->steps = e->steps;
        json->step_count = e->step_count;
    }
    if (!json || type->kind == TYPE_JSON) return json;
    return cast ? bind_cast(b, &(struct tree){.text = e->text}, json, type, false)
                : bind_strictly(b, json, type);
}

/* --- ranges -------------------------------------------------------------------------------------
 */

bool range_is(const struct range *r, struct slice name)
{
    return r->alias.at && slice_equal(r->alias, name);
}

struct range *scope_add(struct binder *b, struct scope *s)
{
    s->ranges = bind_room(b, s->ranges, s->count, &s->cap, sizeof(struct range *));
    struct range *r = bind_take(b, sizeof(*r));
    if (b->err) return NULL;
    s->ranges[s->count++] = r;
    return r;
}

static const struct range_column *own_column(const struct range *r, struct slice name)
{
    for (uint32_t i = 0; i < r->column_count; i++)
        if (slice_equal(r->columns[i].name, name)) return &r->columns[i];
    return NULL;
}

static bool range_has(const struct range *r, struct slice name)
{
    return own_column(r, name) || metadata_find(r, name) ||
           (r->relation && relation_column(r->relation, name) >= 0);
}

static struct expr *name_in(struct binder *b, const struct tree *t, const struct range *r,
                            const struct json_step *steps, uint32_t count)
{
    const struct range_column *own = own_column(r, steps[0].name);
    if (own) {
        const struct attr *a = &b->attrs[own->attr];
        return bind_inside(b, t, attr_expr(b, own->attr, t->text), a->fields ? a->fields : a->type,
                           own->name, steps + 1, count - 1);
    }
    const struct metadata *m = metadata_find(r, steps[0].name);
    if (m)
        return bind_inside(b, t, metadata_input(b, t->text, r, m), type_of(m->type), steps[0].name,
                           steps + 1, count - 1);
    int64_t column = r->relation ? relation_column(r->relation, steps[0].name) : -1;
    if (column >= 0 && r->relation->kind == RELATION_TOPIC)
        return declared_path(b, t, r, steps, count, (uint32_t)column);
    if (column >= 0)
        return bind_inside(b, t, column_input(b, t->text, r, (uint32_t)column),
                           r->relation->columns[column].type, steps[0].name, steps + 1, count - 1);
    if (r->relation && r->relation->open) return open_path(b, t, r, NULL, steps, count);
    if (r->relation) {
        bind_unknown_column(b, t->text, r->relation, steps[0].name);
        return NULL;
    }
    bind_fail(b, t->text, ERR_UNKNOWN_COLUMN, "%s%.*s has no column '%.*s'",
              r->alias.at ? "" : "the sub-select", SLICE_ARG(r->alias), SLICE_ARG(steps[0].name));
    const char **names = arena_take(b->arena, MAX(r->column_count, 1u) * sizeof(*names));
    for (uint32_t i = 0; names && i < r->column_count; i++) {
        names[i] = arena_text(b->arena, r->columns[i].name);
        if (!names[i]) return NULL;
    }
    if (names) hint_columns(b, steps[0].name, names, r->column_count);
    return NULL;
}

/* t.column: the relation's name or alias in front is left away. */
static const struct range *qualified(const struct scope *s, const struct json_step *steps,
                                     uint32_t count)
{
    if (count < 2 || !steps[1].name.at) return NULL;
    const struct range *named = NULL;
    for (uint32_t i = 0; i < s->count; i++) {
        if (range_has(s->ranges[i], steps[0].name)) return NULL;
        if (!named && range_is(s->ranges[i], steps[0].name)) named = s->ranges[i];
    }
    return named;
}

static struct expr *ambiguous(struct binder *b, const struct tree *t, const struct range *one,
                              const struct range *other)
{
    bind_fail(b, t->text, ERR_UNKNOWN_COLUMN, "%.*s could be of %.*s or of %.*s",
              SLICE_ARG(t->text), SLICE_ARG(one->alias), SLICE_ARG(other->alias));
    bind_hint(b, "write %.*s.%.*s", SLICE_ARG(one->alias), SLICE_ARG(t->text));
    return NULL;
}

/* The relation that an unqualified name belongs to: who has it, else the one open topic. */
static const struct range *owner_of(struct binder *b, const struct tree *t, struct slice name)
{
    const struct range *found = NULL, *open = NULL, *other = NULL;
    for (uint32_t i = 0; i < b->scope->count; i++) {
        const struct range *r = b->scope->ranges[i];
        if (range_has(r, name)) {
            if (found) return (void)ambiguous(b, t, found, r), NULL;
            found = r;
        } else if (r->relation && r->relation->open) {
            other = open ? r : other;
            open = open ? open : r;
        }
    }
    if (found) return found;
    if (open && other) return (void)ambiguous(b, t, open, other), NULL;
    if (open || b->scope->count == 1) return open ? open : b->scope->ranges[0];
    bind_fail(b, t->text, ERR_UNKNOWN_COLUMN, "there is no column '%.*s'", SLICE_ARG(name));
    return NULL;
}

struct expr *bind_name(struct binder *b, const struct tree *t)
{
    if (b->err) return NULL;
    if (b->called) return bind_parameter(b, t);
    if (!b->scope || b->scope->count == 0) {
        bind_fail(b, t->text, ERR_UNKNOWN_COLUMN, "there is no FROM to take %.*s from",
                  SLICE_ARG(t->text));
        bind_hint(b, "a text stands in single quotes");
        return NULL;
    }
    for (uint32_t i = 0; t->step_count == 1 && i < b->scope->merged_count; i++)
        if (slice_equal(b->scope->merged[i].name, t->steps[0].name))
            return b->scope->merged[i].value;
    const struct range *r = qualified(b->scope, t->steps, t->step_count);
    if (r) return name_in(b, t, r, t->steps + 1, t->step_count - 1);
    r = owner_of(b, t, t->steps[0].name);
    return r ? name_in(b, t, r, t->steps, t->step_count) : NULL;
}

/* "login.at" as the relation's WATERMARK FOR names it: fields, and elements by [n]. */
struct expr *bind_relation_name(struct binder *b, const struct range *r, struct slice path)
{
    uint32_t most = 1, count = 0;
    for (uint32_t i = 0; i < path.len; i++) most += path.at[i] == '.' || path.at[i] == '[';
    struct json_step *steps = bind_take(b, most * sizeof(*steps));
    for (uint32_t i = 0; steps && i < path.len;) {
        bool element = path.at[i] == '[';
        if (element || path.at[i] == '.' || path.at[i] == ']') i++;
        uint32_t end = i;
        while (end < path.len && path.at[end] != '.' && path.at[end] != '[' && path.at[end] != ']')
            end++;
        struct slice part = slice_make(path.at + i, end - i);
        i = end + (end < path.len && path.at[end] == ']');
        if (part.len == 0) continue;
        if (element)
            (void)slice_to_i64(part, &steps[count].index);
        else if (part.len > 1 && part.at[0] == '"')
            steps[count].name = slice_make(part.at + 1, part.len - 2);
        else
            steps[count].name = part;
        count++;
    }
    struct tree t = {.kind = TREE_NAME, .text = path};
    return steps && count ? name_in(b, &t, r, steps, count) : NULL;
}

struct expr *range_column(struct binder *b, const struct range *r, uint32_t i, struct slice place,
                          struct slice *name)
{
    const struct sql_relation *l = r->relation;
    uint32_t count = !l ? 0 : l->open ? METADATA_SHOWN : l->column_count;
    if (i < count) {
        struct json_step *step = bind_take(b, sizeof(*step));
        if (!step) return NULL;
        *step =
            (struct json_step){.name = l->open ? slice_of(metadata[i].name) : l->columns[i].name};
        *name = step->name;
        struct tree t = {.text = step->name};
        struct expr *e = name_in(b, &t, r, step, 1);
        return e;
    }
    (void)place;
    if (i - count >= r->column_count || b->err) return NULL;
    *name = r->columns[i - count].name;
    return attr_expr(b, r->columns[i - count].attr, *name);
}
