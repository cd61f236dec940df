/* SELECT, with the CHECKs of a stream. */
#include "sql/parse.h"

/* After an expression or a relation a word can be its alias only where the next token ends the
 * item: so a misspelt FROM or WHERE is named instead of being taken for one. */
static bool alias_ahead(struct parser *p)
{
    const struct token *t = token_peek(p, 0), *next = token_peek(p, 1);
    if (t->kind == TOKEN_QUOTED) return true;
    if (t->kind != TOKEN_WORD || is_reserved(p, t) || token_is_word(t, "allow") ||
        token_is_word(t, "check"))
        return false;
    if (next->kind == TOKEN_END || is_reserved(p, next) || token_is_word(next, "check"))
        return true;
    return token_is_op(next, ",") || token_is_op(next, ";") || token_is_op(next, ")");
}

static struct slice parse_alias(struct parser *p)
{
    if (accept_word(p, "as")) {
        const struct token *t = token_peek(p, 0);
        if (t->kind == TOKEN_WORD) return token_take(p).value; /* any word: AS says it is a name */
        return parse_name(p, "a name");
    }
    return alias_ahead(p) ? token_take(p).value : (struct slice){0};
}

static void parse_items(struct parser *p, struct select_tree *s)
{
    struct list items = {0};
    do {
        struct select_item *item = parse_list_add(p, &items, sizeof(*item));
        if (!item) return;
        if (at_op(p, "*")) {
            struct tree *star = parse_take(p, sizeof(*star));
            if (!star) return;
            *star = (struct tree){.kind = TREE_STAR, .depth = 1, .text = token_take(p).text};
            item->value = star;
        } else {
            item->value = parse_expr(p);
            item->alias = parse_alias(p);
        }
    } while (accept_op(p, ",") && !p->err);
    s->items = (struct select_item *)(void *)items.items;
    s->item_count = items.count;
}

/* What FROM may hold one day is refused by its name today. */
static void refuse_relations(struct parser *p)
{
    static const char *const joins[] = {"join", "inner", "left", "right", "full", "cross"};
    for (size_t i = 0; i < COUNT_OF(joins); i++)
        if (at_word(p, joins[i]) && (i == 0 || token_is_word(token_peek(p, 1), "join") ||
                                     token_is_word(token_peek(p, 1), "outer")))
            parse_unsupported(p, token_peek(p, 0)->text.at, "joins");
    if (at_op(p, ",")) parse_unsupported(p, token_peek(p, 0)->text.at, "several relations in FROM");
}

static void parse_from(struct parser *p, struct select_tree *s)
{
    const uint8_t *start = token_peek(p, 0)->text.at;
    if (at_op(p, "(")) parse_unsupported(p, start, "sub-selects in FROM");
    if (token_is_op(token_peek(p, 1), "(")) {
        bool window = at_word(p, "tumble") || at_word(p, "hop") || at_word(p, "session");
        parse_unsupported(p, start, window ? "windows (TUMBLE, HOP, SESSION)" : "table functions");
    }
    s->from = parse_qualified(p, "a topic or table");
    s->place = text_since(p, start);
    refuse_relations(p);
    s->alias = parse_alias(p);
    refuse_relations(p);
}

static void parse_group(struct parser *p, struct select_tree *s)
{
    expect_word(p, "BY");
    struct list keys = {0};
    do {
        const struct tree *t = parse_expr(p);
        const struct tree **place = parse_list_add(p, &keys, sizeof(t));
        if (place) *place = t;
    } while (accept_op(p, ",") && !p->err);
    s->group = (const struct tree **)(void *)keys.items;
    s->group_count = keys.count;
}

static void parse_order(struct parser *p, struct select_tree *s)
{
    expect_word(p, "BY");
    struct list keys = {0};
    do {
        struct order_item *o = parse_list_add(p, &keys, sizeof(*o));
        if (!o) return;
        o->value = parse_expr(p);
        if (accept_word(p, "desc"))
            o->descending = true;
        else
            (void)accept_word(p, "asc");
        if (at_word(p, "nulls"))
            parse_unsupported(p, token_peek(p, 0)->text.at, "NULLS FIRST and LAST");
    } while (accept_op(p, ",") && !p->err);
    s->order = (struct order_item *)(void *)keys.items;
    s->order_count = keys.count;
}

static int64_t parse_limit(struct parser *p, const char *what)
{
    const uint8_t *start = token_peek(p, 0)->text.at;
    bool negative = at_op(p, "-");
    if (negative) parse_fail(p, start, ERR_RANGE, "%s is not negative", what);
    return parse_integer(p, "a number of rows");
}

static enum check_action parse_action(struct parser *p)
{
    if (accept_word(p, "dead")) {
        expect_word(p, "LETTER");
        return CHECK_DEAD_LETTER;
    }
    if (accept_word(p, "skip")) return CHECK_SKIP;
    if (accept_word(p, "fail")) return CHECK_FAIL;
    if (accept_word(p, "null")) return CHECK_NULL;
    static const char *const actions[] = {"DEAD", "SKIP", "FAIL", "NULL"};
    parse_expected(p, "DEAD LETTER, SKIP, FAIL or NULL", actions, COUNT_OF(actions));
    return CHECK_FAIL;
}

static void parse_checks(struct parser *p, struct select_tree *s)
{
    struct list checks = {0};
    while (accept_word(p, "check")) {
        struct check_tree *c = parse_list_add(p, &checks, sizeof(*c));
        if (!c) return;
        expect_op(p, "(");
        const uint8_t *start = token_peek(p, 0)->text.at;
        c->condition = parse_expr(p);
        c->text = text_since(p, start);
        expect_op(p, ")");
        expect_word(p, "ELSE");
        c->action = parse_action(p);
    }
    s->checks = (struct check_tree *)(void *)checks.items;
    s->check_count = checks.count;
}

static void parse_clauses(struct parser *p, struct select_tree *s, bool stream)
{
    if (accept_word(p, "where")) s->where = parse_expr(p);
    if (accept_word(p, "group")) parse_group(p, s);
    if (accept_word(p, "having")) s->having = parse_expr(p);
    if (at_word(p, "window")) parse_unsupported(p, token_peek(p, 0)->text.at, "WINDOW");
    if (at_word(p, "emit")) parse_unsupported(p, token_peek(p, 0)->text.at, "EMIT");
    if (accept_word(p, "order")) parse_order(p, s);
    if (at_word(p, "per")) parse_unsupported(p, token_peek(p, 0)->text.at, "PER PARTITION LIMIT");
    for (int i = 0; i < 2; i++) { /* in either order */
        if (accept_word(p, "limit") && !accept_word(p, "all")) s->limit = parse_limit(p, "LIMIT");
        if (accept_word(p, "offset")) s->offset = parse_limit(p, "OFFSET");
    }
    if (at_word(p, "check") && !stream) {
        parse_fail(p, token_peek(p, 0)->text.at, ERR_SYNTAX, "CHECK belongs to CREATE STREAM");
        parse_hint(p, "in a query write WHERE");
    }
    if (stream) parse_checks(p, s);
    if (accept_word(p, "allow")) {
        expect_word(p, "FILTERING");
        s->allow_filtering = true;
    }
    if (at_word(p, "union") || at_word(p, "intersect") || at_word(p, "except"))
        parse_unsupported(p, token_peek(p, 0)->text.at, "UNION, INTERSECT and EXCEPT");
}

struct select_tree *parse_select(struct parser *p, bool stream)
{
    struct select_tree *s = parse_take(p, sizeof(*s));
    if (!s) return NULL;
    s->limit = -1;
    if (at_word(p, "with")) parse_unsupported(p, token_peek(p, 0)->text.at, "WITH before SELECT");
    expect_word(p, "SELECT");
    if (at_word(p, "json") && !token_is_op(token_peek(p, 1), ",") &&
        !token_is_op(token_peek(p, 1), ".") && !token_is_word(token_peek(p, 1), "from"))
        parse_unsupported(p, token_peek(p, 0)->text.at, "SELECT JSON");
    s->distinct = accept_word(p, "distinct");
    if (!s->distinct) (void)accept_word(p, "all");
    parse_items(p, s);
    if (accept_word(p, "from")) {
        parse_from(p, s);
    } else if (stream || (token_peek(p, 0)->kind != TOKEN_END && !at_op(p, ";"))) {
        static const char *const next[] = {"FROM", "AS"};
        parse_expected(p, "FROM", next, COUNT_OF(next));
    }
    parse_clauses(p, s, stream);
    return s;
}
