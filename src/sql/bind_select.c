/* SELECT: outputs, groups, order. */
#include "sql/bind.h"

struct slice bind_output_name(struct binder *b, const struct select_item *item)
{
    if (item->alias.at) return item->alias;
    const struct tree *t = item->value;
    while (t->kind == TREE_CAST) t = t->args[0];
    if (t->kind == TREE_CALL) return t->value;
    for (uint32_t i = t->kind == TREE_NAME ? t->step_count : 0; i > 0; i--)
        if (t->steps[i - 1].name.at) return t->steps[i - 1].name;
    struct slice text = item->value->text;
    if (text.len <= 60) return text;
    struct slice cut = arena_slice(b->arena, slice_make(text.at, 60));
    while (cut.len && (cut.at[cut.len] & 0xc0) == 0x80) cut.len--; /* NUL or what was cut off */
    return cut;
}

/* --- * ------------------------------------------------------------------------------------------
 */

struct item { /* of SELECT: as written, or (bound) what * stands for */
    const struct tree *tree;
    struct expr *bound;
    struct slice name, place;
};
struct items {
    struct item *at;
    uint32_t count, cap;
};

static struct item *item_add(struct binder *b, struct items *list)
{
    list->at = bind_room(b, list->at, list->count, &list->cap, sizeof(*list->at));
    return b->err ? NULL : &list->at[list->count++];
}

static bool is_merged(const struct binder *b, struct slice name, uint32_t range)
{
    for (uint32_t i = 0; range > 0 && i < b->scope->merged_count; i++)
        if (slice_equal(b->scope->merged[i].name, name)) return true;
    return false;
}

static void expand_range(struct binder *b, uint32_t at, const struct tree *star, bool all,
                         struct items *out)
{
    const struct range *r = b->scope->ranges[at];
    if (r->relation && r->relation->open && b->stream) {
        bind_fail(b, star->text, ERR_UNSUPPORTED, "SELECT * of an undeclared topic in a stream");
        bind_hint(b, "name the columns: what a topic brings may change");
        return;
    }
    struct slice name = {0};
    struct expr *e;
    for (uint32_t i = 0; (e = range_column(b, r, i, star->text, &name)); i++) {
        if (all && is_merged(b, name, at)) continue;
        struct item *item = item_add(b, out);
        if (!item) return;
        *item = (struct item){.bound = e, .name = name, .place = star->text};
    }
}

/* from_json(…) AS data: data.* is the struct's fields. */
static bool expand_struct(struct binder *b, const struct tree *t, struct items *out)
{
    struct tree name = *t;
    name.kind = TREE_NAME;
    struct expr *e = bind_name(b, &name);
    uint32_t attr;
    const struct type *type = e ? e->type : NULL;
    if (expr_is_attr(e, &attr) && b->attrs[attr].fields) type = b->attrs[attr].fields;
    if (!type || type->kind != TYPE_STRUCT) return false;
    for (uint16_t i = 0; i < type->count; i++) {
        struct tree *field = bind_take(b, sizeof(*field));
        struct json_step *steps = bind_take(b, (t->step_count + 1) * sizeof(*steps));
        struct item *item = steps ? item_add(b, out) : NULL;
        if (!field || !item) return true;
        memcpy(steps, t->steps, t->step_count * sizeof(*steps));
        steps[t->step_count] = (struct json_step){.name = type->names[i]};
        *field = name;
        field->steps = steps;
        field->step_count = t->step_count + 1;
        *item = (struct item){.tree = field, .name = type->names[i], .place = t->text};
    }
    return true;
}

static void expand_star(struct binder *b, const struct tree *t, struct items *out)
{
    if (!b->scope || b->scope->count == 0) {
        bind_fail(b, t->text, ERR_SYNTAX, "there is no FROM to take * from");
        return;
    }
    bool found = t->step_count == 0;
    for (uint32_t i = 0; i < b->scope->count && !b->err; i++) {
        bool named = t->step_count == 1 && range_is(b->scope->ranges[i], t->steps[0].name);
        if (t->step_count == 0 || named) expand_range(b, i, t, t->step_count == 0, out);
        found = found || named;
    }
    if (found || b->err || expand_struct(b, t, out) || b->err) return;
    bind_fail(b, t->text, ERR_UNKNOWN_NAME, "there is no relation %.*s in FROM",
              SLICE_ARG(t->text));
}

/* Every item, with * replaced by what it stands for. */
static void expand(struct binder *b, const struct select_tree *s, struct items *out)
{
    for (uint32_t i = 0; i < s->item_count && !b->err; i++) {
        const struct select_item *from = &s->items[i];
        if (from->value->kind == TREE_STAR) {
            expand_star(b, from->value, out);
            continue;
        }
        struct item *item = item_add(b, out);
        if (!item) return;
        *item = (struct item){.tree = from->value,
                              .name = bind_output_name(b, from),
                              .place = from->alias.at ? from->alias : from->value->text};
    }
}

/* --- GROUP BY -----------------------------------------------------------------------------------
 */

/* A number is an output's place, a name perhaps its alias. */
static const struct tree *referred(struct binder *b, const struct tree *t,
                                   const struct select_tree *s, const struct items *items,
                                   int64_t *place)
{
    *place = -1;
    if (t->kind == TREE_INTEGER) {
        int64_t n = 0;
        if (!slice_to_i64(t->value, &n) || n < 1 || n > items->count) {
            bind_fail(b, t->text, ERR_RANGE, "there is no output %.*s", SLICE_ARG(t->text));
            return NULL;
        }
        *place = n - 1;
        return items->at[n - 1].tree ? items->at[n - 1].tree : t;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        const struct item *item = &items->at[i];
        bool written =
            s && i < s->item_count && items->count == s->item_count && s->items[i].alias.at;
        bool named = written || !item->tree || !s;
        bool alias = named && t->kind == TREE_NAME && t->step_count == 1 &&
                     slice_equal(item->name, t->steps[0].name);
        if (!alias && !(item->tree && tree_equal(item->tree, t))) continue;
        *place = i;
        return item->tree ? item->tree : t;
    }
    return t;
}

/* Whether the name is a column of what is grouped, before any alias. */
static bool is_column(const struct binder *b, const struct tree *t)
{
    for (uint32_t i = 0; t->kind == TREE_NAME && b->scope && i < b->scope->count; i++) {
        const struct range *r = b->scope->ranges[i];
        if (r->relation && !r->relation->open &&
            relation_column(r->relation, t->steps[0].name) >= 0)
            return true;
        for (uint32_t c = 0; c < r->column_count; c++)
            if (slice_equal(r->columns[c].name, t->steps[0].name)) return true;
    }
    return false;
}

/* A key's type, where nothing decided it: what the table wants of it, text in a view. */
static struct expr *key_decided(struct binder *b, const struct tree *t, struct expr *e,
                                const struct items *items, const struct wanted *w)
{
    if (!e || e->type) return e;
    for (uint32_t i = 0; w && w->into && i < items->count; i++) {
        int64_t column = relation_column(w->into, items->at[i].name);
        if (items->at[i].tree && column >= 0 && tree_equal(items->at[i].tree, t))
            return bind_coerce(b, e, w->into->columns[column].type, "GROUP BY");
    }
    if (b->view) return bind_cast(b, &(struct tree){.text = e->text}, e, type_of(TYPE_TEXT), false);
    return bind_settle(b, e);
}

static bool key_is_window(struct binder *b, struct group *g, struct logic *in, const struct expr *e)
{
    uint32_t attr;
    if (!expr_is_attr(e, &attr) || b->attrs[attr].role == ATTR_PLAIN) return false;
    while (in->node.kind == NODE_ROWS && in->passes) in = in->ins[0];
    if (in->node.kind != NODE_WINDOW || b->attrs[attr].owner != in) return false;
    g->windowed = true;
    return true;
}

static void bind_keys(struct binder *b, const struct select_tree *s, const struct items *items,
                      const struct wanted *w, struct group *g, struct logic *in)
{
    g->keys = bind_take(b, MAX(s->group_count, 1u) * sizeof(const struct tree *));
    g->key_exprs = bind_take(b, MAX(s->group_count, 1u) * sizeof(const struct expr *));
    g->raw_keys = bind_take(b, MAX(s->group_count, 1u) * sizeof(const struct expr *));
    b->no_aggregates = "GROUP BY";
    for (uint32_t i = 0; i < s->group_count && !b->err; i++) {
        int64_t place = -1;
        const struct tree *t = s->group[i];
        if (!is_column(b, t)) t = referred(b, t, s, items, &place);
        if (b->err) break;
        if (bind_group_window(b, t, g, in)) continue;
        struct expr *raw =
            place >= 0 && items->at[place].bound ? items->at[place].bound : bind_expr(b, t);
        struct expr *e = key_decided(b, t, raw, items, w);
        if (!e || key_is_window(b, g, in, e)) continue;
        g->keys[g->key_count] = t;
        g->raw_keys[g->key_count] = raw;
        g->key_exprs[g->key_count++] = e;
    }
    b->no_aggregates = NULL;
}

static bool wants_groups(const struct select_tree *s, const struct query_tree *q)
{
    bool any = s->group_count > 0 || s->having;
    for (uint32_t i = 0; i < s->item_count; i++) any = any || tree_has_aggregate(s->items[i].value);
    for (uint32_t i = 0; q && i < q->order_count; i++)
        any = any || tree_has_aggregate(q->order[i].value);
    return any;
}

/* --- ORDER BY -----------------------------------------------------------------------------------
 */

struct selected { /* one SELECT on its way */
    const struct select_tree *tree;
    struct items items;
    struct logic *rows; /* its outputs */
    uint32_t cap;
    struct plan_order *order;
};

static struct plan_output *output_add(struct binder *b, struct selected *s, struct slice name,
                                      struct expr *value)
{
    struct plan_output *all = (struct plan_output *)(uintptr_t)s->rows->node.rows.outputs;
    uint32_t n = s->rows->node.rows.output_count;
    all = value ? bind_room(b, all, n, &s->cap, sizeof(*all)) : NULL;
    if (!all) return NULL;
    all[n] = (struct plan_output){name, value->type, value};
    s->rows->node.rows.outputs = all;
    s->rows->node.rows.output_count++;
    return &all[n];
}

static void bind_order(struct binder *b, const struct query_tree *q, struct selected *s)
{
    s->order = bind_take(b, MAX(q->order_count, 1u) * sizeof(*s->order));
    for (uint32_t i = 0; s->order && i < q->order_count && !b->err; i++) {
        const struct order_item *o = &q->order[i];
        int64_t place;
        const struct tree *t = referred(b, o->value, s->tree, &s->items, &place);
        if (b->err) return;
        if (place < 0 && s->tree->distinct) {
            bind_fail(b, t->text, ERR_SYNTAX,
                      "with DISTINCT, ORDER BY takes only what is selected");
            return;
        }
        if (place < 0) {
            place = s->rows->node.rows.output_count;
            if (!output_add(b, s, t->text, bind_settle(b, bind_expr(b, t)))) return;
        }
        const struct type *type = s->rows->node.rows.outputs[place].type;
        if (!type_ordered(type)) {
            bind_fail(b, o->value->text, ERR_TYPE, "%s has no order", bind_type_name(b, type));
            bind_hint(b, "write ORDER BY CAST(%.*s AS type)", SLICE_ARG(t->text));
        }
        bool nulls_first = o->nulls_set ? o->nulls_first : o->descending;
        /* null counts as the highest, as in PostgreSQL */
        s->order[i] = (struct plan_order){(uint32_t)place, o->descending, nulls_first};
    }
}

/* --- outputs ------------------------------------------------------------------------------------
 */

/* A view is a table: what stays json there is its text. */
static struct expr *bind_shown(struct binder *b, struct expr *e)
{
    if (!e || (e->type && e->type->kind != TYPE_JSON)) return e;
    return bind_cast(b, &(struct tree){.text = e->text}, e, type_of(TYPE_TEXT), false);
}

static void bind_outputs(struct binder *b, struct selected *s, struct wanted *w, bool settle)
{
    for (uint32_t i = 0; i < s->items.count && !b->err; i++) {
        const struct item *item = &s->items.at[i];
        struct expr *e = item->bound;
        if (e && b->group) e = bind_grouped(b, e, item->place);
        if (!e) e = bind_expr(b, item->tree);
        if (b->view && b->depth == 0) e = bind_shown(b, e);
        if (w) e = bind_wanted(b, w, i, item->name, item->place, e);
        if (settle) e = bind_settle(b, e);
        if (e) (void)output_add(b, s, item->name, e);
    }
}

/* The outputs become attributes; one that only hands a column on keeps what is known of it. */
static void name_outputs(struct binder *b, struct selected *s)
{
    struct logic *l = s->rows, *in = l->ins[0];
    uint32_t visible = s->items.count, attr;
    uint32_t time = b->stream ? logic_time(b, in) : NO_ATTR;
    for (uint32_t i = 0; i < l->node.rows.output_count && !b->err; i++) {
        const struct plan_output *o = &l->node.rows.outputs[i];
        uint32_t made = attr_new(b, l, o->name, o->type);
        if (b->err) return;
        b->attrs[made].constant = expr_is_constant(o->value);
        b->attrs[made].fields = o->value->fields;
        if (!expr_is_attr(o->value, &attr)) continue;
        struct attr *to = &b->attrs[made], *of = &b->attrs[attr];
        to->role = of->role;
        to->window = of->window;
        to->size_ms = of->size_ms;
        to->constant = of->constant;
        if (!to->fields) to->fields = of->fields;
        if (attr == time && l->time == NO_ATTR) l->time = made;
    }
    l->visible = visible;
    if (b->err || time == NO_ATTR || l->time != NO_ATTR) return;
    const struct attr of = b->attrs[time];
    struct expr *hidden = attr_expr(b, time, of.name);
    uint32_t made = hidden ? attr_new(b, l, of.name, of.type) : NO_ATTR;
    if (b->err || !output_add(b, s, of.name, hidden)) return;
    b->attrs[made].role = of.role;
    b->attrs[made].window = of.window;
    b->attrs[made].size_ms = of.size_ms;
    l->time = made;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

/* Below the outputs: FROM, WHERE. */
static struct logic *bind_source(struct binder *b, const struct select_tree *s, struct scope *scope)
{
    struct logic *in =
        s->from ? bind_from(b, s->from, scope) : logic_new(b, NODE_ONE, NULL, s->text);
    if (!in) return NULL;
    if (!s->from) in->one_row = true;
    b->scope = scope;
    b->no_aggregates = "WHERE";
    struct expr *where = s->where ? bind_condition(b, s->where, "WHERE") : NULL;
    b->no_aggregates = NULL;
    in = bind_filter(b, in, where);
    return in ? bind_match(b, in) : NULL;
}

/* DISTINCT, and a query's order. */
static struct logic *above(struct binder *b, struct selected *s, const struct query_tree *q)
{
    struct logic *l = s->rows;
    if (s->tree->distinct) l = bind_distinct(b, l, s->tree->text);
    if (!q || !l) return l;
    return bind_sort(b, l, q, s->order, s->rows->attrs);
}

/* TRANSFORM (items) USING 'command' AS (columns): the command's answers are the rows. */
static void send_items(struct binder *b, struct selected *s, struct logic *l)
{
    struct plan_output *sent = bind_take(b, MAX(s->items.count, 1u) * sizeof(*sent));
    for (uint32_t i = 0; sent && i < s->items.count && !b->err; i++) {
        const struct item *item = &s->items.at[i];
        struct expr *e = bind_settle(b, item->bound ? item->bound : bind_expr(b, item->tree));
        if (e) sent[i] = (struct plan_output){item->name, e->type, e};
    }
    l->node.transform.outputs = sent;
    l->node.transform.output_count = s->items.count;
}

static struct logic *bind_transform(struct binder *b, const struct select_tree *tree,
                                    struct logic *in, const struct query_tree *q, struct wanted *w)
{
    struct selected s = {.tree = tree};
    struct logic *l = logic_new(b, NODE_TRANSFORM, in, tree->text);
    expand(b, tree, &s.items);
    if (wants_groups(tree, q) || tree->distinct || tree->check_count || (q && q->order_count))
        bind_fail(b, tree->text, ERR_UNSUPPORTED,
                  "TRANSFORM with GROUP BY, DISTINCT, ORDER BY or CHECK");
    bind_hint(b, "put TRANSFORM into a sub-select");
    if (b->err) return NULL;
    l->time = NO_ATTR;
    l->one_row = false;
    l->node.transform.command = tree->transform;
    send_items(b, &s, l);
    s.rows = logic_new(b, NODE_ROWS, l, tree->text);
    s.items.count = 0;
    for (uint32_t i = 0; s.rows && i < tree->transform_column_count && !b->err; i++) {
        const struct sql_column *c = &tree->transform_columns[i];
        struct expr *e = attr_expr(b, attr_new(b, l, c->name, c->type), c->name);
        if (w) e = bind_wanted(b, w, i, c->name, c->name, e);
        if (e) (void)output_add(b, &s, c->name, e);
    }
    s.items.count = tree->transform_column_count;
    if (!b->err) name_outputs(b, &s);
    b->scope = NULL;
    return b->err ? NULL : above(b, &s, q);
}

static void bind_clauses(struct binder *b, struct selected *s, const struct query_tree *q,
                         struct wanted *w, bool settle)
{
    bind_outputs(b, s, w, settle);
    struct overs *overs = b->overs;
    b->overs = NULL;
    if (s->tree->having && !b->err)
        s->rows->node.rows.where = bind_condition(b, s->tree->having, "HAVING");
    b->overs = overs;
    if (q && !b->err) bind_order(b, q, s);
    bind_checks(b, s->tree, s->rows, w);
    if (b->group) bind_group_done(b, b->group, s->rows);
    if (b->overs->count) bind_over_done(b, b->overs, s->rows);
    if (!b->err) name_outputs(b, s);
}

struct logic *bind_select(struct binder *b, const struct select_tree *tree,
                          const struct query_tree *q, struct wanted *w, bool settle)
{
    struct selected s = {.tree = tree};
    struct scope scope = {0};
    struct group g = {0};
    struct overs overs = {0};
    struct logic *in = bind_source(b, tree, &scope);
    if (in && tree->transform.at) return bind_transform(b, tree, in, q, w);
    if (in) expand(b, tree, &s.items);
    bool grouped = in && wants_groups(tree, q);
    if (grouped) bind_keys(b, tree, &s.items, w, &g, in);
    if (grouped) in = bind_group(b, &g, in, tree);
    s.rows = in ? logic_new(b, NODE_ROWS, in, tree->text) : NULL;
    b->group = grouped ? &g : NULL;
    b->overs = &overs;
    overs.in = in;
    if (s.rows) {
        s.rows->time = NO_ATTR;
        bind_clauses(b, &s, q, w, settle);
    }
    b->group = NULL;
    b->overs = NULL;
    b->scope = NULL;
    return b->err || !s.rows ? NULL : above(b, &s, q);
}
