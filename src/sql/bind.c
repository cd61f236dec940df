/* The binder's ground: mistakes, memory, nodes, attributes, expressions over them. */
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

void *bind_room(struct binder *b, void *items, uint32_t count, uint32_t *cap, size_t size)
{
    if (count < *cap || b->err) return b->err ? NULL : items;
    uint32_t more = MAX(*cap * 2, 8u);
    void *grown = bind_take(b, more * size);
    if (!grown) return NULL;
    if (count) memcpy(grown, items, count * size);
    *cap = more;
    return grown;
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

/* --- nodes --------------------------------------------------------------------------------------
 */

static struct logic *logic_of(struct binder *b, enum node_kind kind, uint32_t in_count,
                              struct slice text)
{
    if (b->node_count >= BIND_NODES_MAX)
        bind_fail(b, text, ERR_TOO_BIG, "the query has more than %d steps", BIND_NODES_MAX);
    struct logic *l = bind_take(b, sizeof(*l));
    struct logic **ins = l && in_count ? bind_take(b, in_count * sizeof(struct logic *)) : NULL;
    if (b->err) return NULL;
    b->node_count++;
    l->node.kind = kind;
    l->node.text = text;
    l->ins = ins;
    l->in_count = in_count;
    l->time = NO_ATTR;
    l->passes = kind != NODE_TOPIC && kind != NODE_TABLE && kind != NODE_ONE && kind != NODE_ROWS &&
                kind != NODE_GROUP && kind != NODE_UNION && kind != NODE_TRANSFORM;
    return l;
}

struct logic *logic_new(struct binder *b, enum node_kind kind, struct logic *in, struct slice text)
{
    struct logic *l = logic_of(b, kind, in ? 1 : 0, text);
    if (l && in) {
        l->ins[0] = in;
        l->time = in->time;
        l->one_row = in->one_row;
    }
    return l;
}

struct logic *logic_join(struct binder *b, enum node_kind kind, struct logic *left,
                         struct logic *right, struct slice text)
{
    struct logic *l = left && right ? logic_of(b, kind, 2, text) : NULL;
    if (!l) return NULL;
    l->ins[0] = left;
    l->ins[1] = right;
    return l;
}

uint32_t attr_new(struct binder *b, struct logic *owner, struct slice name, const struct type *type)
{
    if (b->attr_count >= BIND_ATTRS_MAX)
        bind_fail(b, name, ERR_TOO_BIG, "the query has more than %d columns", BIND_ATTRS_MAX);
    b->attrs = bind_room(b, b->attrs, b->attr_count, &b->attr_cap, sizeof(*b->attrs));
    owner->attrs =
        bind_room(b, owner->attrs, owner->attr_count, &owner->attr_cap, sizeof(*owner->attrs));
    if (b->err) return NO_ATTR;
    b->attrs[b->attr_count] = (struct attr){.name = name, .type = type, .owner = owner};
    owner->attrs[owner->attr_count++] = b->attr_count;
    return b->attr_count++;
}

struct logic *logic_shown(struct logic *l)
{
    while (l->passes && l->node.kind != NODE_JOIN && l->in_count == 1) l = l->ins[0];
    return l;
}

uint32_t rows_add(struct binder *b, struct logic *rows, struct slice name, struct expr *value)
{
    struct plan_rows *r = &rows->node.rows;
    struct plan_output *all = value ? bind_take(b, (r->output_count + 1) * sizeof(*all)) : NULL;
    if (!all) return NO_ATTR;
    if (r->output_count) memcpy(all, r->outputs, r->output_count * sizeof(*all));
    all[r->output_count++] = (struct plan_output){name, value->type, value};
    r->outputs = all;
    return attr_new(b, rows, name, value->type);
}

struct expr *attr_expr(struct binder *b, uint32_t attr, struct slice text)
{
    if (b->err || attr == NO_ATTR) return NULL;
    struct expr *e = bind_node(b, EXPR_INPUT, &(struct tree){.text = text}, b->attrs[attr].type, 0);
    if (e) e->input = attr;
    return e;
}

bool logic_gives(const struct binder *b, const struct logic *l, uint32_t attr)
{
    const struct logic *owner = b->attrs[attr].owner;
    if (owner == l || (l->table && owner == l->table)) return true;
    bool left_only = l->node.kind == NODE_JOIN &&
                     (l->node.join.kind == JOIN_SEMI || l->node.join.kind == JOIN_ANTI);
    for (uint32_t i = 0; l->passes && i < (left_only ? 1 : l->in_count); i++)
        if (logic_gives(b, l->ins[i], attr)) return true;
    return false;
}

/* --- expressions over attributes ----------------------------------------------------------------
 */

bool expr_is_attr(const struct expr *e, uint32_t *attr)
{
    if (!e || e->kind != EXPR_INPUT) return false;
    *attr = e->input;
    return true;
}

bool expr_reads_only(const struct binder *b, const struct expr *e, const struct logic *l)
{
    if (e->kind == EXPR_INPUT) return logic_gives(b, l, e->input);
    for (uint32_t i = 0; i < e->count; i++)
        if (!expr_reads_only(b, e->args[i], l)) return false;
    return true;
}

bool expr_reads(const struct expr *e)
{
    bool any = e->kind == EXPR_INPUT;
    for (uint32_t i = 0; i < e->count; i++) any = any || expr_reads(e->args[i]);
    return any;
}

uint32_t expr_size(const struct expr *e, uint32_t most)
{
    uint32_t size = 1;
    for (uint32_t i = 0; i < e->count && size <= most; i++)
        size += expr_size(e->args[i], most - size);
    return size;
}

struct expr *expr_replaced(struct binder *b, const struct expr *e, struct expr *const *by)
{
    if (e->kind == EXPR_INPUT && by[e->input]) return by[e->input];
    struct expr *copy = bind_take(b, sizeof(*copy));
    if (!copy) return NULL;
    *copy = *e;
    if (e->count == 0) return copy;
    copy->args = bind_take(b, e->count * sizeof(const struct expr *));
    for (uint32_t i = 0; !b->err && i < e->count; i++)
        copy->args[i] = expr_replaced(b, e->args[i], by);
    return b->err ? NULL : copy;
}

/* What several conditions said, one text. */
static struct slice joined_text(struct binder *b, struct expr *const *list, uint32_t count)
{
    struct buf text = buf_make(KIB(64));
    for (uint32_t i = 0; i < count; i++) {
        if (i && list[i]->text.at == list[i - 1]->text.at) continue; /* both halves of BETWEEN */
        buf_text(&text, i ? " AND " : "");
        bool either = list[i]->kind == EXPR_OR;
        buf_text(&text, either ? "(" : "");
        buf_slice(&text, list[i]->text);
        buf_text(&text, either ? ")" : "");
    }
    struct slice made = text.err ? list[0]->text : arena_slice(b->arena, buf_view(&text));
    buf_done(&text);
    return made.at ? made : list[0]->text;
}

struct expr *expr_all(struct binder *b, struct expr *const *list, uint32_t count)
{
    if (count <= 1) return count ? list[0] : NULL;
    struct tree place = {.text = joined_text(b, list, count)};
    struct expr *e = bind_node(b, EXPR_AND, &place, type_of(TYPE_BOOLEAN), count);
    for (uint32_t i = 0; e && i < count; i++) {
        e->args[i] = list[i];
        e->deterministic = e->deterministic && list[i]->deterministic;
    }
    return e;
}

void expr_split(struct binder *b, struct expr *e, struct expr ***list, uint32_t *count)
{
    *list = NULL;
    *count = 0;
    if (!e || b->err) return;
    if (e->kind != EXPR_AND) {
        *list = bind_take(b, sizeof(struct expr *));
        if (*list) (*list)[(*count)++] = e;
        return;
    }
    uint32_t cap = 0;
    for (uint32_t i = 0; i < e->count && !b->err; i++) {
        struct expr **inner;
        uint32_t n;
        expr_split(b, (struct expr *)(uintptr_t)e->args[i], &inner, &n);
        for (uint32_t k = 0; k < n && !b->err; k++) {
            *list = bind_room(b, *list, *count, &cap, sizeof(struct expr *));
            if (*list) (*list)[(*count)++] = inner[k];
        }
    }
}
