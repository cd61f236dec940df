/* GROUP BY: keys, windows, and what stands above a group. */
#include "sql/bind.h"
#include "sql/parse.h"
#include <stdio.h>

/* --- windows written as keys: Flink's TUMBLE(ts, …), Spark's window(ts, '10 minutes') -----------
 */

static const struct window_word {
    const char *name;
    enum window_kind kind;
    uint32_t sizes; /* at most */
    bool slide_first;
} window_words[] = {{"tumble", WINDOW_TUMBLE, 1, false},
                    {"hop", WINDOW_HOP, 2, true},
                    {"session", WINDOW_SESSION, 1, false},
                    {"window", WINDOW_HOP, 3, false},
                    {"session_window", WINDOW_SESSION, 1, false}};

static const struct window_word *window_word(const struct tree *t)
{
    if (t->kind != TREE_CALL || t->over) return NULL;
    for (size_t i = 0; i < COUNT_OF(window_words); i++)
        if (slice_is(t->value, window_words[i].name) && t->count >= 2) return &window_words[i];
    return NULL;
}

bool bind_interval(struct binder *b, const struct tree *t, int64_t *ms)
{
    bool written = t->kind == TREE_DURATION || t->kind == TREE_STRING;
    if (written && time_ms(t->value, ms)) return true;
    bind_fail(b, t->text, ERR_TYPE, "%.*s is no span of fixed length", SLICE_ARG(t->text));
    bind_hint(b, "write INTERVAL '1' MINUTE or '10 minutes'");
    return false;
}

bool bind_group_window(struct binder *b, const struct tree *t, struct group *g, struct logic *in)
{
    const struct window_word *word = window_word(t);
    if (!word) return false;
    if (t->count > word->sizes + 1) {
        bind_fail(b, t->text, ERR_TYPE, "%s takes a time and %u intervals at most", word->name,
                  word->sizes);
        return true;
    }
    int64_t sizes[3] = {0};
    for (uint32_t i = 1; i < t->count; i++)
        if (!bind_interval(b, t->args[i], &sizes[i - 1])) return true;
    struct plan_window w = {.kind = word->kind, .size_ms = sizes[0], .offset_ms = sizes[2]};
    if (word->slide_first) {
        w.slide_ms = sizes[0];
        w.size_ms = sizes[1];
    } else {
        w.slide_ms = sizes[1] ? sizes[1] : sizes[0];
        if (w.kind == WINDOW_HOP && w.slide_ms == w.size_ms) w.kind = WINDOW_TUMBLE;
    }
    if (w.size_ms <= 0 || w.slide_ms <= 0)
        bind_fail(b, t->text, ERR_RANGE, "a window is longer than nothing");
    if (g->window || g->windowed)
        bind_fail(b, t->text, ERR_UNSUPPORTED, "several windows in one GROUP BY");
    if (w.kind == WINDOW_SESSION) w.slide_ms = 0;
    if (!b->err && bind_window_time(b, in, t->args[0], &w)) {
        g->window = t;
        g->spec = w;
    }
    return true;
}

/* TUMBLE_START(ts, …), HOP_END(…), SESSION_ROWTIME(…): the group's window. */
static int window_function(const struct tree *t)
{
    static const char *const ends[] = {"_start", "_end", "_rowtime"};
    static const char *const starts[] = {"tumble", "hop", "session"};
    for (size_t i = 0; t->kind == TREE_CALL && i < COUNT_OF(ends) * COUNT_OF(starts); i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s%s", starts[i / 3], ends[i % 3]);
        if (slice_is(t->value, name)) return (int)(i % 3);
    }
    return -1;
}

static bool same_args(const struct tree *a, const struct tree *b)
{
    if (a->count != b->count) return false;
    for (uint32_t i = 0; i < a->count; i++)
        if (!tree_equal(a->args[i], b->args[i])) return false;
    return true;
}

/* What names the group's window, where it stands as a key: NULL when t is none of these. */
struct expr *bind_window_part(struct binder *b, const struct tree *t)
{
    struct group *g = b->group;
    int part = window_function(t);
    bool spark = g->window && slice_is(g->window->value, "window");
    if (part >= 0) {
        if (g->window && same_args(g->window, t))
            return attr_expr(b, g->window_attrs[part], t->text);
        bind_fail(b, t->text, ERR_SYNTAX, "%.*s belongs to no window of GROUP BY",
                  SLICE_ARG(t->text));
        bind_hint(b, "GROUP BY names the window with the same arguments");
        return NULL;
    }
    spark = spark || (g->window && slice_is(g->window->value, "session_window"));
    bool named = spark && t->kind == TREE_NAME && slice_equal(t->steps[0].name, g->window->value);
    if (!named) return NULL;
    if (t->step_count == 2 && slice_is(t->steps[1].name, "start"))
        return attr_expr(b, g->window_attrs[0], t->text);
    if (t->step_count == 2 && slice_is(t->steps[1].name, "end"))
        return attr_expr(b, g->window_attrs[1], t->text);
    bind_fail(b, t->text, ERR_UNSUPPORTED, "the window as one value");
    bind_hint(b, "write window.start and window.end");
    return NULL;
}

/* --- the group ----------------------------------------------------------------------------------
 */

/* SESSION(t PARTITION BY a, …): each key has sessions of its own, as GROUP BY a has. */
static void check_partition(struct binder *b, const struct group *g, const struct from_tree *f)
{
    uint32_t found = 0;
    for (uint32_t i = 0; f && i < f->window.key_count; i++)
        for (uint32_t k = 0; k < g->key_count; k++)
            found += tree_equal(g->keys[k], f->window.keys[i]);
    if (!f || f->window.key_count == 0 || (found == f->window.key_count && found == g->key_count))
        return;
    bind_fail(b, f->window.keys[0]->text, ERR_UNSUPPORTED,
              "sessions by other columns than GROUP BY names");
    bind_hint(b, "GROUP BY the columns of PARTITION BY, window_start and window_end");
}

/* Of a window that stands below: its conditions go above, it goes into the group. */
static struct logic *take_window(struct binder *b, struct group *g, struct logic *in)
{
    if (in->node.kind == NODE_ROWS && in->passes) {
        struct expr **list;
        uint32_t count;
        expr_split(b, (struct expr *)(uintptr_t)in->node.rows.where, &list, &count);
        for (uint32_t i = 0; i < count; i++) {
            struct expr *both[2] = {g->above, list[i]};
            g->above = g->above ? expr_all(b, both, 2) : list[i];
        }
        in = in->ins[0];
    }
    INVARIANT(in->node.kind == NODE_WINDOW);
    check_partition(b, g, in->from);
    g->spec = in->node.window;
    for (int i = 0; i < 3; i++) g->window_attrs[i] = in->attrs[i];
    return in->ins[0];
}

/* GROUP BY a window's columns from a sub-select: the rows carry the window's time, so a millisecond
 * of it is the window. */
static void attach_window(struct binder *b, struct group *g, struct logic *in)
{
    uint32_t time = b->stream ? logic_time(b, in) : NO_ATTR, attr;
    if (time == NO_ATTR || b->attrs[time].role != ATTR_WINDOW_TIME) return;
    for (uint32_t i = 0; i < g->key_count; i++) {
        if (!expr_is_attr(g->key_exprs[i], &attr)) continue;
        const struct attr *a = &b->attrs[attr];
        if (a->role == ATTR_PLAIN || a->window != b->attrs[time].window) continue;
        g->spec =
            (struct plan_window){.kind = WINDOW_TUMBLE, .time = time, .size_ms = 1, .slide_ms = 1};
        g->attached = a->window;
        return;
    }
}

static void make_window_attrs(struct binder *b, struct group *g, struct logic *l)
{
    struct range_column columns[3];
    if (g->windowed) { /* the columns of the window below become the group's */
        for (int i = 0; i < 3 && !b->err; i++) {
            l->attrs = bind_room(b, l->attrs, l->attr_count, &l->attr_cap, sizeof(*l->attrs));
            if (b->err) return;
            l->attrs[l->attr_count++] = g->window_attrs[i];
            b->attrs[g->window_attrs[i]].owner = l;
        }
        l->time = g->window_attrs[2];
        return;
    }
    bind_window_columns(b, l, &g->spec, columns);
    for (int i = 0; i < 3 && !b->err; i++) {
        g->window_attrs[i] = columns[i].attr;
        if (g->attached) b->attrs[columns[i].attr].window = g->attached;
    }
}

struct logic *bind_group(struct binder *b, struct group *g, struct logic *in,
                         const struct select_tree *s)
{
    if (b->err) return NULL;
    if (g->windowed)
        in = take_window(b, g, in);
    else if (!g->window)
        attach_window(b, g, in);
    struct logic *l = in && !b->err ? logic_new(b, NODE_GROUP, in, s->text) : NULL;
    if (!l) return NULL;
    g->logic = l;
    l->time = NO_ATTR;
    l->one_row = false;
    l->node.group.window = g->spec;
    l->attached = g->attached != 0;
    if (g->spec.kind) make_window_attrs(b, g, l);
    g->key_attrs = bind_take(b, MAX(g->key_count, 1u) * sizeof(*g->key_attrs));
    for (uint32_t i = 0; !b->err && i < g->key_count; i++) {
        uint32_t attr, of;
        attr = g->key_attrs[i] = attr_new(b, l, g->keys[i]->text, g->key_exprs[i]->type);
        if (b->err) return NULL;
        b->attrs[attr].name = bind_output_name(b, &(struct select_item){.value = g->keys[i]});
        b->attrs[attr].constant = expr_is_constant(g->key_exprs[i]);
        if (!expr_is_attr(g->key_exprs[i], &of)) continue;
        b->attrs[attr].role = b->attrs[of].role;
        b->attrs[attr].window = b->attrs[of].window;
        b->attrs[attr].size_ms = b->attrs[of].size_ms;
    }
    l->node.group.keys = g->key_exprs;
    l->node.group.key_count = g->key_count;
    l->node.group.ttl_ms = g->spec.kind ? 0 : b->state_ttl_ms;
    l->one_row = g->key_count == 0 && !g->spec.kind;
    return b->err ? NULL : l;
}

/* After all aggregates were asked for. */
void bind_group_done(struct binder *b, struct group *g, struct logic *rows)
{
    if (b->err) return;
    if (g->aggregate_count + g->key_count == 0 && !g->spec.kind) { /* HAVING alone: one group */
        static const struct tree count_all = {
            .kind = TREE_CALL, .value = {(const uint8_t *)"count", 5}, .depth = 1, .count = 1};
        static const struct tree star = {.kind = TREE_STAR, .depth = 1};
        static const struct tree *args[1] = {&star};
        struct tree *t = bind_take(b, sizeof(*t));
        if (!t) return;
        *t = count_all;
        t->args = args;
        t->text = SLICE("count(*)");
        (void)bind_aggregate(b, t);
    }
    g->logic->node.group.aggregates = g->aggregates;
    g->logic->node.group.aggregate_count = g->aggregate_count;
    if (!g->above) return;
    struct expr *both[2] = {g->above, (struct expr *)(uintptr_t)rows->node.rows.where};
    rows->node.rows.where = both[1] ? expr_all(b, both, 2) : both[0];
}

/* A column of * above a group: one of its keys. */
struct expr *bind_grouped(struct binder *b, const struct expr *e, struct slice place)
{
    struct group *g = b->group;
    uint32_t attr;
    for (int i = 0; g->spec.kind && expr_is_attr(e, &attr) && i < 3; i++)
        if (g->window_attrs[i] == attr) return attr_expr(b, attr, e->text);
    for (uint32_t i = 0; i < g->key_count; i++)
        if (expr_same_name(g->raw_keys[i], e)) return attr_expr(b, g->key_attrs[i], e->text);
    bind_fail(b, place, ERR_SYNTAX, "%.*s is neither in GROUP BY nor inside an aggregate",
              SLICE_ARG(e->text));
    return NULL;
}
