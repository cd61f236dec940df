/* Calls: arguments, FILTER, OVER, and the ones that SQL writes with words inside. */
#include "sql/parse.h"

/* The list up to `close`, which is taken. */
struct list parse_arguments(struct parser *p, const char *close)
{
    struct list args = {0};
    if (accept_op(p, close)) return args;
    do tree_add(p, &args, parse_expr(p));
    while (accept_op(p, ","));
    expect_op(p, close);
    return args;
}

/* EXTRACT(YEAR FROM ts) is extract('year', ts). */
const struct tree *parse_extract(struct parser *p)
{
    struct token name = token_take(p);
    (void)token_take(p); /* ( */
    struct list args = {0};
    if (token_is_word(token_peek(p, 1), "from")) {
        tree_add(p, &args, tree_literal(p, TREE_STRING));
        (void)token_take(p);
    } else {
        tree_add(p, &args, parse_expr(p));
        expect_op(p, ",");
    }
    tree_add(p, &args, parse_expr(p));
    expect_op(p, ")");
    struct tree *t = tree_node(p, TREE_CALL, name.text.at);
    if (t) t->value = name.value;
    return tree_with(p, t, &args);
}

/* --- words among arguments -------------------------------------------------------------------- */

static void rest_of_arguments(struct parser *p, struct list *args)
{
    while (accept_op(p, ",") && !p->err) tree_add(p, args, parse_expr(p));
}

static void put_integer(struct parser *p, struct list *args, const char *value)
{
    struct tree *t = tree_node(p, TREE_INTEGER, p->last_end);
    if (t) t->value = slice_of(value);
    tree_add(p, args, t);
}

/* SUBSTRING(x FROM 2 FOR 3) is substring(x, 2, 3). */
static void substring_words(struct parser *p, struct token *name, struct list *args)
{
    (void)name;
    tree_add(p, args, parse_expr(p));
    bool from = accept_word(p, "from");
    if (from) tree_add(p, args, parse_expr(p));
    if (at_word(p, "for")) {
        if (!from) put_integer(p, args, "1");
        (void)token_take(p);
        tree_add(p, args, parse_expr(p));
    }
}

/* POSITION(x IN y) is position(x, y). */
static void position_words(struct parser *p, struct token *name, struct list *args)
{
    (void)name;
    tree_add(p, args, parse_operand(p));
    if (accept_word(p, "in")) tree_add(p, args, parse_operand(p));
}

/* TRIM([BOTH | LEADING | TRAILING] [x] FROM y) is trim(y, x), ltrim or rtrim. */
static void trim_words(struct parser *p, struct token *name, struct list *args)
{
    static const struct {
        const char *word, *name;
    } ways[] = {{"both", "trim"}, {"leading", "ltrim"}, {"trailing", "rtrim"}};
    const struct tree *what = NULL;
    for (size_t i = 0; i < COUNT_OF(ways); i++) {
        const struct token *next = token_peek(p, 1);
        bool word = next->kind != TOKEN_OP && next->kind != TOKEN_END;
        if (!at_word(p, ways[i].word) || !word) continue;
        (void)token_take(p);
        name->value = slice_of(ways[i].name);
        break;
    }
    if (!at_word(p, "from")) what = parse_expr(p);
    if (!accept_word(p, "from")) {
        tree_add(p, args, what);
        return;
    }
    tree_add(p, args, parse_expr(p));
    if (what) tree_add(p, args, what);
}

/* TIMESTAMPDIFF(MINUTE, a, b): the unit is a word, not a column. */
static void unit_words(struct parser *p, struct token *name, struct list *args)
{
    (void)name;
    bool word = token_peek(p, 0)->kind == TOKEN_WORD && token_is_op(token_peek(p, 1), ",");
    tree_add(p, args, word ? tree_literal(p, TREE_STRING) : parse_expr(p));
}

static const struct {
    const char *name;
    void (*first)(struct parser *p, struct token *name, struct list *args);
} worded[] = {
    {"substring", substring_words}, {"position", position_words}, {"trim", trim_words},
    {"timestampdiff", unit_words},  {"timestampadd", unit_words},
};

static struct list call_arguments(struct parser *p, struct token *name)
{
    struct list args = {0};
    if (at_op(p, ")") || name->kind != TOKEN_WORD) return parse_arguments(p, ")");
    for (size_t i = 0; i < COUNT_OF(worded); i++) {
        if (!token_is_word(name, worded[i].name)) continue;
        worded[i].first(p, name, &args);
        rest_of_arguments(p, &args);
        expect_op(p, ")");
        return args;
    }
    return parse_arguments(p, ")");
}

/* --- OVER ------------------------------------------------------------------------------------- */

/* UNBOUNDED PRECEDING, 5 PRECEDING, INTERVAL '1' HOUR PRECEDING, CURRENT ROW, … FOLLOWING */
static int64_t frame_bound(struct parser *p, bool rows, bool low)
{
    static const char *const ways[] = {"PRECEDING", "FOLLOWING"};
    const uint8_t *at = parse_here(p);
    if (accept_words(p, "current", "row")) return 0;
    bool unbounded = accept_word(p, "unbounded");
    int64_t n = 0;
    if (!unbounded && rows)
        n = parse_integer(p, "UNBOUNDED, CURRENT ROW or a number of rows");
    else if (!unbounded && token_peek(p, 0)->kind == TOKEN_INTEGER)
        parse_unsupported(p, at, "RANGE by a number (a time is: INTERVAL '1' HOUR PRECEDING)");
    else if (!unbounded)
        n = parse_time(p, "UNBOUNDED, CURRENT ROW or an INTERVAL", true);
    bool before = accept_word(p, ways[0]);
    if (!before && !accept_word(p, ways[1]))
        parse_expected(p, "PRECEDING or FOLLOWING", ways, COUNT_OF(ways));
    if (unbounded && before != low)
        parse_fail(p, at, ERR_RANGE, "a frame that %s without bound is empty",
                   low ? "begins after the row" : "ends before the row");
    if (unbounded) return low ? INT64_MIN : INT64_MAX;
    return before ? -n : n;
}

static void parse_frame(struct parser *p, struct over_tree *o)
{
    const uint8_t *at = parse_here(p);
    if (at_word(p, "groups")) parse_unsupported(p, at, "a frame of GROUPS");
    o->frame = true;
    o->frame_rows = at_word(p, "rows");
    (void)token_take(p);
    bool between = accept_word(p, "between");
    o->frame_low = frame_bound(p, o->frame_rows, true);
    if (between) {
        expect_word(p, "AND");
        o->frame_high = frame_bound(p, o->frame_rows, false);
    } /* else up to the current row */
    if (!p->err && o->frame_low > o->frame_high)
        parse_fail(p, at, ERR_RANGE, "this frame ends before it begins");
    if (at_word(p, "exclude")) parse_unsupported(p, parse_here(p), "EXCLUDE in a frame");
}

/* ( PARTITION BY … ORDER BY … ROWS … ) */
static void parse_window(struct parser *p, struct over_tree *o)
{
    struct list keys = {0};
    expect_op(p, "(");
    if (accept_words(p, "partition", "by")) do
            tree_add(p, &keys, parse_expr(p));
        while (accept_op(p, ",") && !p->err);
    o->partition = (const struct tree **)(void *)keys.items;
    o->partition_count = keys.count;
    if (accept_word(p, "order")) o->order = parse_order(p, &o->order_count);
    if (at_word(p, "rows") || at_word(p, "range") || at_word(p, "groups")) parse_frame(p, o);
    static const char *const next[] = {"PARTITION", "ORDER", "ROWS", "RANGE"};
    if (!at_op(p, ")"))
        parse_expected(p, "PARTITION BY, ORDER BY, ROWS, RANGE or ')'", next, COUNT_OF(next));
    expect_op(p, ")");
}

static uint16_t over_depth(const struct over_tree *o)
{
    uint16_t depth = 0;
    for (uint32_t i = 0; i < o->partition_count; i++) depth = MAX(depth, o->partition[i]->depth);
    for (uint32_t i = 0; i < o->order_count; i++) depth = MAX(depth, o->order[i].value->depth);
    return depth;
}

static const struct over_tree *parse_over(struct parser *p)
{
    struct over_tree *o = parse_take(p, sizeof(*o));
    if (!o) return NULL;
    if (at_op(p, "(")) {
        parse_window(p, o);
        return p->err ? NULL : o;
    }
    const uint8_t *at = parse_here(p);
    struct slice name = parse_name(p, "a window's name or '('");
    if (p->names_window) parse_unsupported(p, at, "the name of a window within another window");
    struct over_named *named = parse_list_add(p, &p->overs, sizeof(*named));
    if (named) *named = (struct over_named){o, name, at};
    return p->err ? NULL : o;
}

struct window_named {
    struct slice name;
    const struct over_tree *window;
};

static void give_window(struct parser *p, const struct over_named *o, const struct list *windows)
{
    const struct window_named *all = (const struct window_named *)(const void *)windows->items;
    for (uint32_t i = 0; i < windows->count; i++) {
        if (!slice_equal(all[i].name, o->name)) continue;
        *o->place = *all[i].window;
        return;
    }
    parse_fail(p, o->at, ERR_UNKNOWN_NAME, "no window is called %.*s", SLICE_ARG(o->name));
    parse_hint(p, "WINDOW %.*s AS (…) stands after WHERE and GROUP BY", SLICE_ARG(o->name));
}

void parse_windows(struct parser *p)
{
    struct list windows = {0};
    if (accept_word(p, "window")) {
        bool within = p->names_window;
        p->names_window = true;
        do {
            struct over_tree *o = parse_take(p, sizeof(*o));
            struct window_named *w = parse_list_add(p, &windows, sizeof(*w));
            if (!o || !w) return;
            w->name = parse_name(p, "a window's name");
            w->window = o;
            expect_word(p, "AS");
            parse_window(p, o);
        } while (accept_op(p, ",") && !p->err);
        p->names_window = within;
    }
    const struct over_named *all = (const struct over_named *)(const void *)p->overs.items;
    for (uint32_t i = 0; i < p->overs.count && !p->err; i++) give_window(p, &all[i], &windows);
    p->overs = (struct list){0};
}

/* --- calls ------------------------------------------------------------------------------------ */

/* What may follow the parenthesis: FILTER (WHERE …), OVER (…) or OVER w. */
static void call_tail(struct parser *p, struct tree *t)
{
    uint16_t depth = 0;
    static const char *const nulls[] = {"ignore", "respect"};
    for (size_t i = 0; i < COUNT_OF(nulls); i++)
        if (at_words(p, nulls[i], "nulls"))
            parse_unsupported(p, parse_here(p), "IGNORE NULLS and RESPECT NULLS");
    if (at_words(p, "within", "group")) parse_unsupported(p, parse_here(p), "WITHIN GROUP");
    if (at_words(p, "filter", "where") || at_words(p, "over", "partition") ||
        at_words(p, "over", "order")) {
        (void)token_take(p);
        parse_expected(p, "'('", NULL, 0);
        return;
    }
    if (at_function(p, "filter")) {
        (void)token_take(p);
        (void)token_take(p);
        expect_word(p, "WHERE");
        t->filter = parse_expr(p);
        if (t->filter) depth = t->filter->depth;
        expect_op(p, ")");
    }
    const struct token *next = token_peek(p, 1);
    bool named = next->kind == TOKEN_QUOTED ||
                 (next->kind == TOKEN_WORD && !is_reserved(p, next) && at_word(p, "over"));
    if (at_function(p, "over") || (at_word(p, "over") && named)) {
        (void)token_take(p);
        t->over = parse_over(p);
        if (t->over) depth = MAX(depth, over_depth(t->over));
    }
    t->depth = MAX(t->depth, (uint16_t)(depth + 1));
}

const struct tree *parse_call(struct parser *p)
{
    struct token name = token_take(p);
    (void)token_take(p); /* ( */
    bool distinct = accept_word(p, "distinct");
    struct list args = {0};
    if (at_op(p, "*") && token_is_op(token_peek(p, 1), ")")) {
        tree_add(p, &args, tree_literal(p, TREE_STAR));
        (void)token_take(p);
    } else {
        args = call_arguments(p, &name);
    }
    struct tree *t = tree_node(p, TREE_CALL, name.text.at);
    if (!t) return NULL;
    t->value = name.value;
    t->distinct = distinct;
    call_tail(p, t);
    t->text = text_since(p, name.text.at);
    return tree_with(p, t, &args);
}
