/* FROM: relations, sub-selects, windows, lists. Joins: bind_join.c. */
#include "sql/bind.h"

/* --- time ---------------------------------------------------------------------------------------
 */

static uint32_t topic_time(struct binder *b, struct logic *l)
{
    const struct sql_relation *r = l->node.topic.relation;
    struct range range = {.relation = r, .leaf = l};
    struct slice name = r->time.at ? r->time : SLICE("_timestamp");
    struct expr *e = bind_relation_name(b, &range, name);
    e = bind_coerce(b, e, type_of(TYPE_TIMESTAMP), "WATERMARK");
    uint32_t attr = NO_ATTR;
    if (!b->err && !expr_is_attr(e, &attr)) {
        bind_fail(b, l->node.text, ERR_TYPE, "the watermark's column %.*s of %.*s is no timestamp",
                  SLICE_ARG(name), SLICE_ARG(r->name));
        bind_hint(b, "declare it as timestamp");
    }
    l->node.topic.delay_ms = r->time.at ? MAX(r->delay_ms, 0) : 0;
    return attr;
}

uint32_t logic_time(struct binder *b, struct logic *l)
{
    if (b->err || l->time != NO_ATTR) return l->time;
    if (l->node.kind == NODE_TOPIC) return l->time = topic_time(b, l);
    if (!l->passes || l->in_count != 1 || l->node.kind == NODE_WINDOW) return NO_ATTR;
    return l->time = logic_time(b, l->ins[0]);
}

/* Of a topic without a declared watermark, what a window looks at is the time. */
void bind_claim_time(struct binder *b, uint32_t attr)
{
    struct logic *owner = b->attrs[attr].owner;
    if (owner->node.kind == NODE_TOPIC && owner->time == NO_ATTR &&
        !owner->node.topic.relation->time.at)
        owner->time = attr;
}

bool bind_window_time(struct binder *b, struct logic *l, const struct tree *time,
                      struct plan_window *w)
{
    struct expr *e = bind_coerce(b, bind_expr(b, time), type_of(TYPE_TIMESTAMP), "a window's time");
    uint32_t attr;
    if (b->err) return false;
    if (!expr_is_attr(e, &attr)) {
        bind_fail(b, time->text, ERR_UNSUPPORTED, "a window's time is a column: %.*s is computed",
                  SLICE_ARG(time->text));
        bind_hint(b, "name it in a sub-select or declare it: WATERMARK FOR … DELAY '5s'");
        return false;
    }
    w->time = attr;
    if (!b->stream) return true;
    bind_claim_time(b, attr);
    uint32_t own = logic_time(b, l);
    if (own == attr || b->err) return !b->err;
    if (own == NO_ATTR) {
        bind_fail(b, time->text, ERR_UNSUPPORTED,
                  "the rows here have no event time that windows could close by");
        bind_hint(b, "put the window into the sub-select that reads the topic");
    } else {
        bind_fail(b, time->text, ERR_UNSUPPORTED, "windows go by the event time %.*s, not %.*s",
                  SLICE_ARG(b->attrs[own].name), SLICE_ARG(time->text));
        bind_hint(b, "write WATERMARK FOR %.*s where the topic is declared", SLICE_ARG(time->text));
    }
    return false;
}

/* --- relations ----------------------------------------------------------------------------------
 */

static const struct named_query *with_find(const struct binder *b, const struct from_tree *f)
{
    const struct named_query *w = f->name.keyspace.at ? NULL : b->with;
    while (w && !slice_equal(w->name, f->name.name)) w = w->before;
    return w;
}

static void name_columns(struct binder *b, const struct from_tree *f, struct range *r)
{
    if (f->column_alias_count == 0 || b->err) return;
    if (f->column_alias_count != r->column_count) {
        bind_fail(b, f->text, ERR_SYNTAX, "%u names for %u columns", f->column_alias_count,
                  r->column_count);
        return;
    }
    for (uint32_t i = 0; i < r->column_count; i++) r->columns[i].name = f->column_aliases[i];
}

/* What `l` shows, as a range. */
static struct logic *as_range(struct binder *b, const struct from_tree *f, struct logic *l,
                              struct slice name, struct scope *s)
{
    struct range *r = l ? scope_add(b, s) : NULL;
    const struct logic *shown = r ? logic_shown(l) : NULL;
    struct range_column *columns =
        shown ? bind_take(b, MAX(shown->visible, 1u) * sizeof(*columns)) : NULL;
    if (!columns) return NULL;
    for (uint32_t i = 0; i < shown->visible; i++)
        columns[i] = (struct range_column){b->attrs[shown->attrs[i]].name, shown->attrs[i]};
    r->alias = f->alias.at ? f->alias : name;
    r->columns = columns;
    r->column_count = shown->visible;
    name_columns(b, f, r);
    return b->err ? NULL : l;
}

static struct logic *sub_select(struct binder *b, const struct query_tree *q,
                                const struct named_query *with)
{
    struct binder saved = *b;
    if (b->depth >= BIND_QUERY_DEPTH_MAX)
        bind_fail(b, q->text, ERR_TOO_BIG, "more than %d sub-selects deep", BIND_QUERY_DEPTH_MAX);
    if (b->err) return NULL;
    b->depth++;
    b->with = with;
    b->scope = NULL;
    b->group = NULL;
    b->overs = NULL;
    b->no_aggregates = NULL;
    struct logic *l = bind_query(b, q, NULL);
    b->depth = saved.depth;
    b->with = saved.with;
    b->scope = saved.scope;
    b->group = saved.group;
    b->overs = saved.overs;
    b->no_aggregates = saved.no_aggregates;
    return l;
}

static struct logic *relation_leaf(struct binder *b, const struct from_tree *f, struct scope *s)
{
    const struct sql_relation *r = bind_relation(b, f->name, f->text);
    bool topic = r && r->kind == RELATION_TOPIC;
    struct logic *l = r ? logic_new(b, topic ? NODE_TOPIC : NODE_TABLE, NULL, f->text) : NULL;
    struct range *range = l ? scope_add(b, s) : NULL;
    if (!range) return NULL;
    if (topic)
        l->node.topic.relation = r;
    else
        l->node.table.relation = r;
    *range =
        (struct range){.alias = f->alias.at ? f->alias : f->name.name, .relation = r, .leaf = l};
    if (f->column_alias_count)
        bind_fail(b, f->text, ERR_UNSUPPORTED, "other names for a topic's or table's columns");
    return b->err ? NULL : l;
}

/* --- windows ------------------------------------------------------------------------------------
 */

static struct logic *window(struct binder *b, const struct from_tree *f, struct scope *s)
{
    struct scope one = {0};
    struct logic *in = bind_from(b, f->window.from, &one);
    if (!in) return NULL;
    if (one.count != 1) {
        bind_fail(b, f->text, ERR_SYNTAX, "a window takes one relation");
        return NULL;
    }
    struct scope *outer = b->scope;
    struct plan_window w = {.kind = f->window.kind,
                            .size_ms = f->window.size_ms,
                            .slide_ms = f->window.slide_ms,
                            .offset_ms = f->window.offset_ms};
    if (w.kind == WINDOW_TUMBLE) w.slide_ms = w.size_ms;
    b->scope = &one;
    bool whole = bind_window_time(b, in, f->window.time, &w);
    b->scope = outer;
    struct logic *l = whole ? logic_new(b, NODE_WINDOW, in, f->text) : NULL;
    struct range *r = l ? scope_add(b, s) : NULL;
    if (!r) return NULL;
    l->node.window = w;
    l->from = f;
    l->one_row = false;
    *r = *one.ranges[0];
    if (f->alias.at) r->alias = f->alias;
    struct range_column *columns = bind_take(b, (r->column_count + 3) * sizeof(*columns));
    if (!columns) return NULL;
    if (r->column_count) memcpy(columns, r->columns, r->column_count * sizeof(*columns));
    bind_window_columns(b, l, &w, &columns[r->column_count]);
    r->columns = columns;
    r->column_count += 3;
    return b->err ? NULL : l;
}

void bind_window_columns(struct binder *b, struct logic *l, const struct plan_window *w,
                         struct range_column *out)
{
    static const char *const names[] = {"window_start", "window_end", "window_time"};
    uint32_t id = ++b->window_count;
    for (uint32_t i = 0; i < 3 && !b->err; i++) {
        uint32_t attr = attr_new(b, l, slice_of(names[i]), type_of(TYPE_TIMESTAMP));
        if (b->err) return;
        b->attrs[attr].role = (uint8_t)(ATTR_WINDOW_START + i);
        b->attrs[attr].window = id;
        b->attrs[attr].size_ms = w->kind == WINDOW_SESSION ? 0 : w->size_ms;
        out[i] = (struct range_column){slice_of(names[i]), attr};
        l->time = attr;
    }
}

/* --- lists --------------------------------------------------------------------------------------
 */

struct logic *bind_unnest(struct binder *b, const struct from_tree *f, struct logic *in, bool outer,
                          struct scope *s)
{
    struct scope *saved = b->scope;
    b->scope = s;
    struct expr *value = bind_settle(b, bind_expr(b, f->unnest.value));
    b->scope = saved;
    if (!value) return NULL;
    const struct type *type = value->type;
    bool list = type->kind == TYPE_LIST || type->kind == TYPE_SET;
    if (!list && type->kind != TYPE_JSON) {
        bind_fail(b, f->unnest.value->text, ERR_TYPE, "UNNEST takes a list, not %s",
                  bind_type_name(b, type));
        return NULL;
    }
    struct logic *l = logic_new(b, NODE_UNNEST, in, f->text);
    struct range *r = l ? scope_add(b, s) : NULL;
    uint32_t count = f->unnest.ordinality ? 2 : 1;
    struct range_column *columns = r ? bind_take(b, count * sizeof(*columns)) : NULL;
    if (!columns) return NULL;
    l->one_row = false;
    l->node.unnest.value = value;
    l->node.unnest.outer = outer;
    l->node.unnest.ordinality = f->unnest.ordinality;
    struct slice element = f->alias.at ? f->alias : SLICE("unnest");
    columns[0].name = element;
    columns[0].attr = attr_new(b, l, element, list ? type->items[0] : type);
    if (count == 2) {
        columns[1].name = SLICE("ordinality");
        columns[1].attr = attr_new(b, l, columns[1].name, type_of(TYPE_BIGINT));
    }
    *r = (struct range){.alias = f->alias, .columns = columns, .column_count = count};
    if (f->column_alias_count == 1) /* UNNEST(…) WITH ORDINALITY AS t (a) */
        columns[0].name = f->column_aliases[0];
    else
        name_columns(b, f, r);
    return b->err ? NULL : l;
}

struct logic *bind_from(struct binder *b, const struct from_tree *f, struct scope *s)
{
    if (b->err) return NULL;
    switch (f->kind) {
    case FROM_NAME: {
        const struct named_query *with = with_find(b, f);
        if (!with) return relation_leaf(b, f, s);
        return as_range(b, f, sub_select(b, with->query, with->before), f->name.name, s);
    }
    case FROM_QUERY: return as_range(b, f, sub_select(b, f->query, b->with), (struct slice){0}, s);
    case FROM_JOIN: return bind_join(b, f, s);
    case FROM_WINDOW: return window(b, f, s);
    default:
        bind_fail(b, f->text, ERR_SYNTAX, "UNNEST stands at the right of a join");
        bind_hint(b, "write FROM t CROSS JOIN UNNEST(…)");
        return NULL;
    }
}
