/* Queries: WITH, SELECT with its clauses, UNION, ORDER BY, LIMIT, EMIT. */
#include "sql/parse.h"

bool parse_nest(struct parser *p)
{
    if (p->queries < SQL_QUERIES_MAX) {
        p->queries++;
        p->deepest = MAX(p->deepest, p->queries);
        return true;
    }
    parse_fail(p, parse_here(p), ERR_TOO_DEEP, "queries nest at most %d levels",
               (int)SQL_QUERIES_MAX);
    return false;
}

/* --- items ------------------------------------------------------------------------------------ */

/* INTERSECT and EXCEPT are refused, but by their name: they are no aliases. */
static bool at_set_operation(struct parser *p, uint32_t n)
{
    static const char *const words[] = {"intersect", "except", "minus"};
    const struct token *next = token_peek(p, n + 1);
    bool followed = token_is_word(next, "select") || token_is_word(next, "all") ||
                    token_is_word(next, "distinct") || token_is_op(next, "(");
    for (size_t i = 0; followed && i < COUNT_OF(words); i++)
        if (token_is_word(token_peek(p, n), words[i])) return true;
    return false;
}

/* Words that begin what follows a relation or an item, though any of them can be a name too. */
static bool begins_clause(struct parser *p, uint32_t n)
{
    static const char *const words[] = {"allow",   "check",   "window", "fetch",
                                        "qualify", "lateral", "emit",   "per"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (token_is_word(token_peek(p, n), words[i])) return true;
    return at_set_operation(p, n) || parse_at_join(p, n);
}

/* After an expression or a relation a word can be its alias only where the next token ends the
 * item: so a misspelt FROM or WHERE is named instead of being taken for one. */
static bool alias_ahead(struct parser *p, bool relation)
{
    const struct token *t = token_peek(p, 0), *next = token_peek(p, 1);
    if (t->kind == TOKEN_QUOTED) return true;
    if (t->kind != TOKEN_WORD || is_reserved(p, t)) return false;
    if (!relation && (token_is_op(next, ",") || token_is_word(next, "from"))) return true;
    if (begins_clause(p, 0)) return false;
    if (next->kind == TOKEN_END || is_reserved(p, next)) return true;
    if (relation && (token_is_op(next, "(") || begins_clause(p, 1))) return true;
    return token_is_op(next, ",") || token_is_op(next, ";") || token_is_op(next, ")") ||
           token_is_word(next, "check");
}

struct slice parse_alias(struct parser *p, bool relation)
{
    if (accept_word(p, "as")) {
        const struct token *t = token_peek(p, 0);
        if (t->kind == TOKEN_WORD) return token_take(p).value; /* any word: AS says it is a name */
        return parse_name(p, "a name");
    }
    return alias_ahead(p, relation) ? token_take(p).value : (struct slice){0};
}

struct select_item *parse_items(struct parser *p, uint32_t *count)
{
    struct list items = {0};
    do {
        struct select_item *item = parse_list_add(p, &items, sizeof(*item));
        if (!item) return NULL;
        item->value = at_op(p, "*") ? tree_literal(p, TREE_STAR) : parse_expr(p);
        if (item->value && item->value->kind == TREE_STAR) {
            struct tree *star = parse_take(p, sizeof(*star)); /* its star is no value */
            if (!star) return NULL;
            *star = *item->value;
            star->value = (struct slice){0};
            item->value = star;
        } else {
            item->alias = parse_alias(p, false);
        }
    } while (accept_op(p, ",") && !p->err);
    *count = items.count;
    return (struct select_item *)(void *)items.items;
}

/* Spark's TRANSFORM (items) USING 'command' AS (a INT, b): columns without a type are text. */
static void parse_transform(struct parser *p, struct select_tree *s)
{
    (void)token_take(p);
    expect_op(p, "(");
    s->items = parse_items(p, &s->item_count);
    expect_op(p, ")");
    if (at_word(p, "row") || at_word(p, "recordwriter"))
        parse_unsupported(p, parse_here(p), "another format than JSON lines");
    expect_word(p, "USING");
    const uint8_t *at = parse_here(p);
    s->transform = parse_string(p, "the command");
    if (!p->err && s->transform.len == 0) parse_fail(p, at, ERR_SYNTAX, "the command is empty");
    struct list columns = {0};
    expect_word(p, "AS");
    bool parens = accept_op(p, "(");
    do {
        at = parse_here(p);
        struct sql_column *c = parse_list_add(p, &columns, sizeof(*c));
        if (!c) return;
        c->name = parse_name(p, "a column's name");
        bool bare = at_op(p, ",") || at_op(p, ")") || at_word(p, "from");
        c->type = bare ? type_of(TYPE_TEXT) : parse_type(p, true);
        if (columns.count > TYPE_FIELDS_MAX)
            parse_fail(p, at, ERR_TOO_BIG, "more than %d columns", (int)TYPE_FIELDS_MAX);
    } while (accept_op(p, ",") && !p->err);
    if (parens) expect_op(p, ")");
    s->transform_columns = (const struct sql_column *)(const void *)columns.items;
    s->transform_column_count = columns.count;
}

/* --- clauses ---------------------------------------------------------------------------------- */

static void parse_group(struct parser *p, struct select_tree *s)
{
    static const char *const sets[] = {"rollup", "cube"};
    expect_word(p, "BY");
    struct list keys = {0};
    do {
        for (size_t i = 0; i < COUNT_OF(sets); i++)
            if (at_function(p, sets[i])) parse_unsupported(p, parse_here(p), "ROLLUP and CUBE");
        if (at_words(p, "grouping", "sets")) parse_unsupported(p, parse_here(p), "GROUPING SETS");
        tree_add(p, &keys, parse_expr(p));
    } while (accept_op(p, ",") && !p->err);
    s->group = (const struct tree **)(void *)keys.items;
    s->group_count = keys.count;
}

struct order_item *parse_order(struct parser *p, uint32_t *count)
{
    expect_word(p, "BY");
    struct list keys = {0};
    do {
        struct order_item *o = parse_list_add(p, &keys, sizeof(*o));
        if (!o) return NULL;
        o->value = parse_expr(p);
        if (accept_word(p, "desc"))
            o->descending = true;
        else
            (void)accept_word(p, "asc");
        if (!accept_word(p, "nulls")) continue;
        static const char *const ends[] = {"FIRST", "LAST"};
        o->nulls_set = true;
        o->nulls_first = accept_word(p, "first");
        if (!o->nulls_first && !accept_word(p, "last"))
            parse_expected(p, "FIRST or LAST", ends, COUNT_OF(ends));
    } while (accept_op(p, ",") && !p->err);
    *count = keys.count;
    return (struct order_item *)(void *)keys.items;
}

static int64_t parse_limit(struct parser *p, const char *what)
{
    if (at_op(p, "-")) parse_fail(p, parse_here(p), ERR_RANGE, "%s is not negative", what);
    return parse_integer(p, "a number of rows");
}

/* FETCH FIRST n ROWS ONLY is the standard's LIMIT n. */
static int64_t parse_fetch(struct parser *p)
{
    if (!accept_word(p, "first")) expect_word(p, "NEXT");
    bool one = at_word(p, "row") || at_word(p, "rows");
    int64_t n = one ? 1 : parse_limit(p, "FETCH");
    if (!accept_word(p, "rows")) expect_word(p, "ROW");
    expect_word(p, "ONLY");
    return n;
}

/* EMIT ON CHANGE | ON WINDOW CLOSE; ksqlDB says CHANGES and FINAL. */
static void parse_emit(struct parser *p, struct statement *s)
{
    static const char *const ways[] = {"ON", "CHANGES", "FINAL"};
    const uint8_t *at = token_take(p).text.at;
    if (!s) {
        parse_fail(p, at, ERR_SYNTAX, "EMIT ends the statement: it has no place in a sub-select");
        return;
    }
    if (s->emit_set) parse_fail(p, at, ERR_SYNTAX, "EMIT stands twice");
    s->emit_set = true;
    s->emit = EMIT_ON_CHANGE;
    if (accept_word(p, "changes")) return;
    if (accept_word(p, "final")) {
        s->emit = EMIT_ON_CLOSE;
        return;
    }
    if (!accept_word(p, "on")) {
        parse_expected(p, "ON CHANGE, ON WINDOW CLOSE, CHANGES or FINAL", ways, COUNT_OF(ways));
        return;
    }
    if (accept_word(p, "change")) return;
    s->emit = EMIT_ON_CLOSE;
    if (accept_words(p, "window", "close")) return;
    static const char *const on[] = {"CHANGE", "WINDOW"};
    parse_expected(p, "CHANGE or WINDOW CLOSE", on, COUNT_OF(on));
}

static void parse_check_place(struct parser *p, struct select_tree *s)
{
    if (!at_word(p, "check")) return;
    if (!p->checks) {
        parse_fail(p, parse_here(p), ERR_SYNTAX, "CHECK belongs to CREATE STREAM");
        parse_hint(p, "in a query write WHERE");
        return;
    }
    struct list checks = parse_checks(p);
    s->checks = (struct check_tree *)(void *)checks.items;
    s->check_count = checks.count;
}

static void parse_clauses(struct parser *p, struct select_tree *s)
{
    if (accept_word(p, "where")) s->where = parse_expr(p);
    if (accept_word(p, "group")) parse_group(p, s);
    if (accept_word(p, "having")) s->having = parse_expr(p);
    if (at_word(p, "qualify")) parse_unsupported(p, parse_here(p), "QUALIFY");
    parse_windows(p);
    parse_check_place(p, s);
}

/* --- SELECT ----------------------------------------------------------------------------------- */

/* What a SELECT without FROM may be followed by. */
static bool ends_select(struct parser *p)
{
    static const char *const words[] = {"union", "order", "limit", "offset", "fetch", "emit"};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (at_word(p, words[i])) return true;
    return at_end(p) || at_op(p, ")") || at_set_operation(p, 0);
}

static void refuse_select_words(struct parser *p)
{
    const struct token *next = token_peek(p, 1);
    bool column = token_is_op(next, ",") || token_is_op(next, ".") || token_is_word(next, "from");
    if (at_word(p, "json") && !column && next->kind == TOKEN_WORD)
        parse_unsupported(p, parse_here(p), "SELECT JSON");
    if (at_words(p, "distinct", "on")) parse_unsupported(p, parse_here(p), "DISTINCT ON");
}

static struct select_tree *parse_select(struct parser *p)
{
    struct select_tree *s = parse_take(p, sizeof(*s));
    if (!s) return NULL;
    const uint8_t *start = parse_here(p);
    struct list overs = p->overs;
    p->overs = (struct list){0};
    expect_word(p, "SELECT");
    refuse_select_words(p);
    s->distinct = accept_word(p, "distinct");
    if (!s->distinct) (void)accept_word(p, "all");
    if (at_function(p, "transform"))
        parse_transform(p, s);
    else
        s->items = parse_items(p, &s->item_count);
    if (accept_word(p, "from")) {
        s->from = parse_from(p);
    } else if (!ends_select(p)) {
        static const char *const next[] = {"FROM", "AS"};
        parse_expected(p, "FROM", next, COUNT_OF(next));
    }
    parse_clauses(p, s);
    s->text = text_since(p, start);
    p->overs = overs;
    return p->err ? NULL : s;
}

struct select_tree *select_all_of(struct parser *p, const struct query_tree *q, struct slice alias,
                                  const struct list *columns)
{
    struct select_tree *s = parse_take(p, sizeof(*s));
    struct from_tree *from = parse_take(p, sizeof(*from));
    struct select_item *item = parse_take(p, sizeof(*item));
    struct tree *star = parse_take(p, sizeof(*star));
    if (!s || !from || !item || !star) return NULL;
    *star = (struct tree){.kind = TREE_STAR, .depth = 1, .text = q->text};
    *from = (struct from_tree){.kind = FROM_QUERY, .text = q->text, .alias = alias, .query = q};
    if (columns) {
        from->column_aliases = (const struct slice *)(const void *)columns->items;
        from->column_alias_count = columns->count;
    }
    item->value = star;
    *s = (struct select_tree){.text = q->text, .items = item, .item_count = 1, .from = from};
    return s;
}

/* ( query ) as one of a UNION: its SELECT alone, where it has nothing else. */
static const struct select_tree *select_of(struct parser *p, const struct query_tree *q)
{
    if (!q) return NULL;
    bool plain =
        q->select_count == 1 && !q->with_count && !q->order_count && q->limit < 0 && q->offset == 0;
    return plain ? q->selects[0] : select_all_of(p, q, (struct slice){0}, NULL);
}

static const struct select_tree *parse_term(struct parser *p)
{
    if (at_word(p, "values")) parse_unsupported(p, parse_here(p), "VALUES as a query");
    if (!at_op(p, "(")) return parse_select(p);
    if (!parse_nest(p)) return NULL;
    (void)token_take(p);
    const struct select_tree *s = select_of(p, parse_query(p, NULL));
    expect_op(p, ")");
    p->queries--;
    return s;
}

/* --- UNION ------------------------------------------------------------------------------------ */

struct selects {
    struct list list;
    uint32_t distinct; /* so many of the first ones were joined by UNION without ALL */
};

static void add_select(struct parser *p, struct list *l, const struct select_tree *s)
{
    const struct select_tree **place = parse_list_add(p, l, sizeof(s));
    if (place) *place = s;
}

static void parse_unions(struct parser *p, struct selects *s)
{
    for (; !p->err; add_select(p, &s->list, parse_term(p))) {
        if (at_set_operation(p, 0)) parse_unsupported(p, parse_here(p), "INTERSECT and EXCEPT");
        if (!accept_word(p, "union")) return;
        if (accept_word(p, "all")) continue;
        (void)accept_word(p, "distinct");
        s->distinct = s->list.count + 1;
    }
}

/* a UNION b is SELECT DISTINCT * FROM (a UNION ALL b). */
static void make_distinct(struct parser *p, const uint8_t *start, struct selects *s)
{
    struct query_tree *q = parse_take(p, sizeof(*q));
    if (!q) return;
    *q = (struct query_tree){.text = text_since(p, start), .limit = -1};
    q->selects = (const struct select_tree **)(void *)s->list.items;
    q->select_count = s->distinct;
    struct select_tree *all = select_all_of(p, q, (struct slice){0}, NULL);
    if (!all) return;
    all->distinct = true;
    struct list rest = {0};
    add_select(p, &rest, all);
    for (uint32_t i = s->distinct; i < s->list.count; i++)
        add_select(p, &rest, ((const struct select_tree **)(void *)s->list.items)[i]);
    s->list = rest;
}

/* --- WITH ------------------------------------------------------------------------------------- */

static void parse_with_item(struct parser *p, struct list *items)
{
    const uint8_t *at = parse_here(p);
    struct with_item item = {.name = parse_name(p, "a name for the query")};
    struct list columns = {0};
    const struct with_item *all = (const struct with_item *)(const void *)items->items;
    for (uint32_t i = 0; i < items->count; i++)
        if (slice_equal(all[i].name, item.name))
            parse_fail(p, at, ERR_EXISTS, "%.*s stands twice in WITH", SLICE_ARG(item.name));
    if (declared_elsewhere(p, item.name))
        parse_fail(p, at, ERR_EXISTS, "%.*s is a table of this text already", SLICE_ARG(item.name));
    if (at_op(p, "(")) columns = parse_names(p, "a column's name");
    expect_word(p, "AS");
    expect_op(p, "(");
    struct query_tree *q = parse_query(p, NULL);
    expect_op(p, ")");
    if (p->err) return;
    if (columns.count) { /* WITH w (a, b): the names are a relation's */
        struct query_tree *named = parse_take(p, sizeof(*named));
        struct list one = {0};
        add_select(p, &one, select_all_of(p, q, item.name, &columns));
        if (!named || p->err) return;
        *named = (struct query_tree){.text = q->text, .select_count = 1, .limit = -1};
        named->selects = (const struct select_tree **)(void *)one.items;
        q = named;
    }
    item.query = q;
    struct with_item *place = parse_list_add(p, items, sizeof(item));
    if (place) *place = item;
}

static void parse_with(struct parser *p, struct query_tree *q)
{
    struct list items = {0};
    if (at_word(p, "recursive")) parse_unsupported(p, parse_here(p), "WITH RECURSIVE");
    do parse_with_item(p, &items);
    while (accept_op(p, ",") && !p->err);
    q->with = (const struct with_item *)(const void *)items.items;
    q->with_count = items.count;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void parse_tail(struct parser *p, struct query_tree *q, struct statement *s)
{
    if (at_word(p, "emit")) parse_emit(p, s);
    if (accept_word(p, "order")) q->order = parse_order(p, &q->order_count);
    if (at_word(p, "per")) parse_unsupported(p, parse_here(p), "PER PARTITION LIMIT");
    for (int i = 0; i < 2; i++) { /* in either order */
        if (accept_word(p, "limit") && !accept_word(p, "all")) q->limit = parse_limit(p, "LIMIT");
        if (!accept_word(p, "offset")) continue;
        q->offset = parse_limit(p, "OFFSET");
        if (!accept_word(p, "rows")) (void)accept_word(p, "row");
    }
    if (accept_word(p, "fetch")) q->limit = parse_fetch(p);
    struct select_tree *last = (struct select_tree *)(uintptr_t)q->selects[q->select_count - 1];
    if (q->select_count == 1 && !last->check_count) parse_check_place(p, last);
    if (accept_word(p, "allow")) {
        expect_word(p, "FILTERING");
        last->allow_filtering = true;
    }
    if (at_word(p, "emit")) parse_emit(p, s);
}

static struct query_tree *finish_query(struct parser *p, const uint8_t *start, struct query_tree *q,
                                       struct selects *all, struct statement *s)
{
    parse_unions(p, all);
    if (!p->err && all->distinct) make_distinct(p, start, all);
    if (p->err) return NULL;
    q->selects = (const struct select_tree **)(void *)all->list.items;
    q->select_count = all->list.count;
    parse_tail(p, q, s);
    q->text = text_since(p, start);
    return p->err ? NULL : q;
}

struct query_tree *parse_query(struct parser *p, struct statement *s)
{
    const uint8_t *start = parse_here(p);
    struct query_tree *q = parse_take(p, sizeof(*q));
    struct selects all = {0};
    if (!q || !parse_nest(p)) return NULL;
    q->limit = -1;
    if (accept_word(p, "with")) parse_with(p, q);
    add_select(p, &all.list, parse_term(p));
    q = finish_query(p, start, q, &all, s);
    p->queries--;
    return q;
}

struct query_tree *parse_query_after(struct parser *p, const uint8_t *start,
                                     const struct query_tree *first)
{
    struct query_tree *q = parse_take(p, sizeof(*q));
    struct selects all = {0};
    if (!q) return NULL;
    q->limit = -1;
    add_select(p, &all.list, select_of(p, first));
    return finish_query(p, start, q, &all, NULL);
}
