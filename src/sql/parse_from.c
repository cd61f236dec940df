/* What stands after FROM: relations, joins, windows, UNNEST. */
#include "sql/parse.h"
#include <stdio.h>

/* --- joins' words ----------------------------------------------------------------------------- */

static const struct {
    const char *words[3];
    enum join_kind kind;
} joins[] = {
    {{"left", "semi", "join"}, JOIN_SEMI},  {{"left", "anti", "join"}, JOIN_ANTI},
    {{"left", "outer", "join"}, JOIN_LEFT}, {{"right", "outer", "join"}, JOIN_RIGHT},
    {{"full", "outer", "join"}, JOIN_FULL}, {{"inner", "join", NULL}, JOIN_INNER},
    {{"left", "join", NULL}, JOIN_LEFT},    {{"right", "join", NULL}, JOIN_RIGHT},
    {{"full", "join", NULL}, JOIN_FULL},    {{"cross", "join", NULL}, JOIN_CROSS},
    {{"semi", "join", NULL}, JOIN_SEMI},    {{"anti", "join", NULL}, JOIN_ANTI},
    {{"join", NULL, NULL}, JOIN_INNER},
};

/* A join's words begin at the n-th token. */
static bool joins_at(struct parser *p, size_t i, uint32_t n)
{
    for (uint32_t w = 0; w < 3 && n + w < 3 && joins[i].words[w]; w++)
        if (!token_is_word(token_peek(p, n + w), joins[i].words[w])) return false;
    return true; /* as far as can be seen */
}

bool parse_at_join(struct parser *p, uint32_t n)
{
    for (size_t i = 0; i < COUNT_OF(joins); i++)
        if (joins_at(p, i, n)) return true;
    return token_is_word(token_peek(p, n), "natural") || token_is_word(token_peek(p, n), "asof");
}

static bool accept_join(struct parser *p, enum join_kind *kind)
{
    if (at_words(p, "natural", "join")) {
        parse_unsupported(p, parse_here(p), "NATURAL JOIN (write USING (…))");
        return false;
    }
    if (at_words(p, "asof", "join")) parse_unsupported(p, parse_here(p), "ASOF JOIN");
    static const char *const halves[] = {"left", "right", "full", "inner", "cross"};
    for (size_t i = 0; i < COUNT_OF(halves); i++) {
        bool outer = token_is_word(token_peek(p, 1), "outer");
        const struct token *after = token_peek(p, outer ? 2 : 1);
        if (!at_word(p, halves[i]) || parse_at_join(p, 0)) continue;
        if (after->kind != TOKEN_WORD && after->kind != TOKEN_QUOTED) continue;
        static const char *const next[] = {"JOIN", "OUTER", "SEMI", "ANTI"};
        (void)token_take(p);
        if (outer) (void)token_take(p);
        parse_expected(p, "JOIN", next, COUNT_OF(next));
        return false;
    }
    for (size_t i = 0; i < COUNT_OF(joins); i++) {
        if (!joins_at(p, i, 0)) continue;
        for (int w = 0; w < 3 && joins[i].words[w]; w++) (void)token_take(p);
        *kind = joins[i].kind;
        return true;
    }
    return false;
}

/* --- windows ---------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    enum window_kind kind;
    uint8_t times, least; /* of its times: at most, at least */
    const char *names[3]; /* as Flink names them, in their order */
} windows[] = {
    {"tumble", WINDOW_TUMBLE, 2, 1, {"size", "offset"}},
    {"hop", WINDOW_HOP, 3, 2, {"slide", "size", "offset"}},
    {"session", WINDOW_SESSION, 1, 1, {"gap"}},
};

static const struct from_tree *parse_relation(struct parser *p);
static const struct from_tree *parse_joined(struct parser *p, bool commas);

static struct from_tree *from_node(struct parser *p, enum from_kind kind)
{
    struct from_tree *f = parse_take(p, sizeof(*f));
    if (f) f->kind = kind;
    return f;
}

/* TABLE t, t, TABLE (SELECT …), (SELECT …): what a window is taken over. */
static const struct from_tree *window_data(struct parser *p)
{
    const uint8_t *start = parse_here(p);
    if (at_word(p, "table") &&
        (token_peek(p, 1)->kind == TOKEN_WORD || token_peek(p, 1)->kind == TOKEN_QUOTED ||
         token_is_op(token_peek(p, 1), "(")))
        (void)token_take(p);
    struct from_tree *f = from_node(p, at_op(p, "(") ? FROM_QUERY : FROM_NAME);
    if (!f) return NULL;
    if (f->kind == FROM_QUERY) {
        (void)token_take(p);
        f->query = parse_query(p, NULL);
        expect_op(p, ")");
    } else {
        f->name = parse_qualified(p, "a topic or table");
        declared_relation(p, f);
    }
    f->text = text_since(p, start);
    return f;
}

/* PARTITION BY a, or in parentheses (a, b): SESSION's, one session a key. */
static void window_keys(struct parser *p, struct from_tree *f)
{
    struct list keys = {0};
    if (!accept_words(p, "partition", "by")) return;
    if (f->window.kind != WINDOW_SESSION) {
        parse_fail(p, parse_here(p), ERR_SYNTAX, "only SESSION has PARTITION BY");
        parse_hint(p, "write the keys into GROUP BY, beside window_start and window_end");
    }
    bool parens = accept_op(p, "(");
    do { /* without parentheses the next comma is the function's */
        const struct tree *key = parse_expr(p);
        tree_add(p, &keys, key);
    } while (parens && accept_op(p, ",") && !p->err);
    if (parens) expect_op(p, ")");
    f->window.keys = (const struct tree **)(void *)keys.items;
    f->window.key_count = keys.count;
}

/* DESCRIPTOR(ts) or ts */
static void window_time(struct parser *p, struct from_tree *f)
{
    bool descriptor = at_function(p, "descriptor");
    if (descriptor) (void)token_take(p);
    if (descriptor) (void)token_take(p);
    const uint8_t *at = parse_here(p);
    f->window.time = parse_expr(p);
    if (f->window.time && f->window.time->kind != TREE_NAME) {
        parse_fail(p, at, ERR_SYNTAX, "a window's time is a column, not an expression");
        parse_hint(p,
                   "name it in a sub-select: TUMBLE((SELECT …, expression AS ts FROM t), ts, …)");
    }
    if (descriptor) expect_op(p, ")");
}

static void window_give(struct from_tree *f, const char *name, int64_t ms)
{
    if (strcmp(name, "slide") == 0)
        f->window.slide_ms = ms;
    else if (strcmp(name, "offset") == 0)
        f->window.offset_ms = ms;
    else
        f->window.size_ms = ms;
}

/* DATA => TABLE t, TIMECOL => DESCRIPTOR(ts), SIZE => INTERVAL '1' MINUTE: in any order. */
static void window_named(struct parser *p, struct from_tree *f, size_t kind, bool *given)
{
    do {
        const char *words[5] = {"data", "timecol"};
        for (int i = 0; i < windows[kind].times; i++) words[2 + i] = windows[kind].names[i];
        const uint8_t *at = parse_here(p);
        size_t n = 2u + windows[kind].times, i = 0;
        while (i < n && !at_word(p, words[i])) i++;
        if (i == n) {
            parse_expected(p, "an argument of the window (DATA, TIMECOL, …)", words, n);
            return;
        }
        if (given[i]) parse_fail(p, at, ERR_EXISTS, "%s is given twice", words[i]);
        given[i] = true;
        (void)token_take(p);
        expect_op(p, "=>");
        if (i == 0) {
            f->window.from = window_data(p);
            window_keys(p, f);
        } else if (i == 1) {
            window_time(p, f);
        } else {
            window_give(f, words[i], parse_time(p, "a time like INTERVAL '1' MINUTE", false));
        }
    } while (accept_op(p, ",") && !p->err);
}

static void window_placed(struct parser *p, struct from_tree *f, size_t kind, bool *given)
{
    f->window.from = window_data(p);
    window_keys(p, f);
    expect_op(p, ",");
    window_time(p, f);
    given[0] = given[1] = true;
    for (int i = 0; i < windows[kind].times && accept_op(p, ","); i++) {
        bool offset = strcmp(windows[kind].names[i], "offset") == 0;
        window_give(f, windows[kind].names[i],
                    parse_time(p, "a time like INTERVAL '1' MINUTE", offset));
        given[2 + i] = true;
    }
}

static void window_check(struct parser *p, const struct from_tree *f, const uint8_t *start,
                         size_t kind, const bool *given)
{
    static const char *const all[] = {"DATA", "TIMECOL"};
    for (int i = 0; i < 2 + windows[kind].least; i++)
        if (!given[i])
            parse_fail(p, start, ERR_SYNTAX, "the window's %s is missing",
                       i < 2 ? all[i] : windows[kind].names[i - 2]);
    if (p->err || f->window.kind != WINDOW_HOP) return;
    if (f->window.slide_ms > f->window.size_ms) {
        parse_fail(p, start, ERR_RANGE, "HOP slides further than its windows are long");
        parse_hint(p, "first the slide, then the size: HOP(t, ts, slide, size)");
    }
}

/* At TUMBLE (…), HOP (…) or SESSION (…). */
static struct from_tree *parse_window_of(struct parser *p, size_t kind)
{
    const uint8_t *start = token_take(p).text.at;
    struct from_tree *f = from_node(p, FROM_WINDOW);
    bool given[5] = {0};
    if (!f) return NULL;
    expect_op(p, "(");
    f->window.kind = windows[kind].kind;
    if (token_is_op(token_peek(p, 1), "=>"))
        window_named(p, f, kind, given);
    else
        window_placed(p, f, kind, given);
    expect_op(p, ")");
    window_check(p, f, start, kind, given);
    if (f->window.kind == WINDOW_TUMBLE) f->window.slide_ms = f->window.size_ms;
    return f;
}

/* --- relations -------------------------------------------------------------------------------- */

/* UNNEST(list) [WITH ORDINALITY] */
static struct from_tree *parse_unnest(struct parser *p)
{
    struct from_tree *f = from_node(p, FROM_UNNEST);
    (void)token_take(p);
    expect_op(p, "(");
    const struct tree *value = parse_expr(p);
    if (at_op(p, ",")) parse_unsupported(p, parse_here(p), "UNNEST of several lists");
    expect_op(p, ")");
    if (!f) return NULL;
    f->unnest.value = value;
    f->unnest.ordinality = accept_words(p, "with", "ordinality");
    return f;
}

/* ( query ), perhaps with more of a UNION behind; or a join in parentheses. */
static struct from_tree *parse_parens(struct parser *p, const uint8_t *start)
{
    (void)token_take(p);
    if (!parse_nest(p)) return NULL;
    struct from_tree *f = NULL;
    const uint8_t *inner = parse_here(p);
    if (at_word(p, "select") || at_word(p, "with") || at_word(p, "values")) {
        f = from_node(p, FROM_QUERY);
        const struct query_tree *q = parse_query(p, NULL);
        if (f) f->query = q;
    } else {
        f = (struct from_tree *)(uintptr_t)parse_joined(p, true);
        bool query = f && f->kind == FROM_QUERY && !f->alias.at;
        if (query && !at_op(p, ")")) f->query = parse_query_after(p, inner, f->query);
    }
    expect_op(p, ")");
    p->queries--;
    if (p->err) return NULL;
    if (f->kind == FROM_QUERY) f->text = text_since(p, start);
    return f;
}

static struct from_tree *parse_function(struct parser *p, const uint8_t *start)
{
    for (size_t i = 0; i < COUNT_OF(windows); i++)
        if (at_function(p, windows[i].word)) return parse_window_of(p, i);
    if (at_function(p, "unnest")) return parse_unnest(p);
    struct slice word = token_peek(p, 0)->text;
    if (at_function(p, "cumulate")) {
        parse_unsupported(p, start, "CUMULATE windows");
        return NULL;
    }
    static const char *const words[] = {"TUMBLE", "HOP", "SESSION", "UNNEST"};
    const char *near = nearest_word(word, words, COUNT_OF(words));
    parse_fail(p, start, ERR_UNSUPPORTED,
               "%.*s(…) gives no rows: only TUMBLE, HOP, SESSION and "
               "UNNEST do",
               SLICE_ARG(word));
    if (near) parse_hint(p, "did you mean %s?", near);
    return NULL;
}

/* What other houses write after a relation's name, refused by its name. */
static void refuse_after_relation(struct parser *p)
{
    static const struct {
        const char *first, *second, *what, *hint;
    } others[] = {
        {"for", "system_time", "FOR SYSTEM_TIME AS OF",
         "a stream joins a table as it is at that moment: leave it out"},
        {"window", "tumbling", "WINDOW TUMBLING", "write FROM TUMBLE(t, ts, INTERVAL '1' HOUR)"},
        {"window", "hopping", "WINDOW HOPPING",
         "write FROM HOP(t, ts, INTERVAL '1' MINUTE, INTERVAL '1' HOUR)"},
        {"window", "session", "WINDOW SESSION",
         "write FROM SESSION(t PARTITION BY key, ts, INTERVAL '5' MINUTE)"},
        {"tablesample", NULL, "TABLESAMPLE", ""},
        {"pivot", NULL, "PIVOT", ""},
        {"unpivot", NULL, "UNPIVOT", ""},
        {"match_recognize", NULL, "MATCH_RECOGNIZE", ""},
        {"within", NULL, "WITHIN in a join",
         "write ON a.id = b.id AND b.ts BETWEEN a.ts AND a.ts + INTERVAL '1' HOUR"},
    };
    const struct token *next = token_peek(p, 1);
    bool followed =
        token_is_op(next, "(") || next->kind == TOKEN_INTEGER || next->kind == TOKEN_DURATION;
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        const char *second = others[i].second;
        if (second ? !at_words(p, others[i].first, second)
                   : !at_word(p, others[i].first) || !followed)
            continue;
        parse_unsupported(p, parse_here(p), others[i].what);
        if (others[i].hint[0]) parse_hint(p, "%s", others[i].hint);
    }
}

static void relation_alias(struct parser *p, struct from_tree *f)
{
    refuse_after_relation(p);
    /* t WHRE (…): a word and a parenthesis are no alias of a name without AS */
    bool call = f->kind == FROM_NAME && token_is_op(token_peek(p, 1), "(");
    struct slice alias = parse_alias(p, !call);
    if (alias.at) f->alias = alias;
    if (alias.at && at_op(p, "(")) {
        struct list names = parse_names(p, "a column's name");
        f->column_aliases = (const struct slice *)(const void *)names.items;
        f->column_alias_count = names.count;
    }
    refuse_after_relation(p);
}

static const struct from_tree *parse_relation(struct parser *p)
{
    const uint8_t *start = parse_here(p);
    bool lateral = accept_word(p, "lateral");
    struct from_tree *f = NULL;
    bool table = at_function(p, "table") && token_peek(p, 2)->kind == TOKEN_WORD;
    if (lateral && !at_function(p, "unnest")) {
        parse_unsupported(p, start, "LATERAL of anything but UNNEST");
    } else if (table) { /* Flink's TABLE(TUMBLE(…)) */
        (void)token_take(p);
        (void)token_take(p);
        f = parse_function(p, parse_here(p));
        expect_op(p, ")");
    } else if (at_op(p, "(")) {
        f = parse_parens(p, start);
    } else if (token_peek(p, 0)->kind == TOKEN_WORD && token_is_op(token_peek(p, 1), "(")) {
        f = parse_function(p, start);
    } else if ((f = from_node(p, FROM_NAME))) {
        f->name = parse_qualified(p, "a topic or table");
        declared_relation(p, f);
    }
    if (!f || p->err) return NULL;
    if (f->kind != FROM_JOIN) {
        f->text = text_since(p, start);
        relation_alias(p, f);
    } else if (at_word(p, "as")) {
        parse_unsupported(p, parse_here(p), "a name for a join in parentheses");
    }
    return p->err ? NULL : f;
}

/* --- joins ------------------------------------------------------------------------------------ */

/* LATERAL VIEW [OUTER] explode(list) t AS a: Hive's and Spark's UNNEST. */
static struct from_tree *parse_lateral_view(struct parser *p, enum join_kind *kind)
{
    const uint8_t *start = token_take(p).text.at;
    (void)token_take(p);
    *kind = accept_word(p, "outer") ? JOIN_LEFT : JOIN_CROSS;
    if (!at_function(p, "explode")) {
        parse_unsupported(p, start, "LATERAL VIEW of anything but explode");
        parse_hint(p, "write CROSS JOIN UNNEST(list) AS t (a)");
        return NULL;
    }
    struct from_tree *f = parse_unnest(p);
    struct list names = {0};
    if (!f) return NULL;
    f->text = text_since(p, start);
    if (!at_word(p, "as")) f->alias = parse_name(p, "a name for its rows");
    if (accept_word(p, "as")) {
        struct slice *name = parse_list_add(p, &names, sizeof(*name));
        if (name) *name = parse_name(p, "a column's name");
    }
    f->column_aliases = (const struct slice *)(const void *)names.items;
    f->column_alias_count = names.count;
    return f;
}

static const struct tree *true_tree(struct parser *p)
{
    struct tree *t = tree_node(p, TREE_BOOLEAN, p->last_end);
    if (t) t->value = SLICE("true");
    return t;
}

static void join_condition(struct parser *p, struct from_tree *f)
{
    if (accept_word(p, "on")) {
        f->join.on = parse_expr(p);
    } else if (accept_word(p, "using")) {
        struct list names = parse_names(p, "a column of both sides");
        f->join.using = (const struct slice *)(const void *)names.items;
        f->join.using_count = names.count;
    } else {
        static const char *const next[] = {"ON", "USING"};
        bool unnest = f->join.right->kind == FROM_UNNEST;
        parse_expected(p, "ON or USING", next, COUNT_OF(next));
        parse_hint(p, "%s",
                   unnest ? "write ON TRUE" : "rows of both sides without a condition: CROSS JOIN");
    }
}

/* What is joined next to what stands at its left; NULL: nothing more, or a mistake. */
static struct from_tree *next_join(struct parser *p, bool commas)
{
    struct from_tree *f = from_node(p, FROM_JOIN);
    if (!f) return NULL;
    f->join.kind = JOIN_CROSS;
    if (at_words(p, "lateral", "view")) {
        f->join.right = parse_lateral_view(p, &f->join.kind);
        if (f->join.kind == JOIN_LEFT) f->join.on = true_tree(p);
    } else if (accept_join(p, &f->join.kind)) {
        f->join.right = parse_relation(p);
        if (f->join.right && f->join.kind != JOIN_CROSS) join_condition(p, f);
    } else if (commas && accept_op(p, ",")) {
        bool unnest = at_function(p, "unnest") || at_word(p, "lateral");
        f->join.right = unnest ? parse_relation(p) : parse_joined(p, false);
    }
    return f->join.right ? f : NULL;
}

/* a JOIN b ON … JOIN c …; with `commas` also a, b. */
static const struct from_tree *parse_joined(struct parser *p, bool commas)
{
    const uint8_t *start = parse_here(p);
    const struct from_tree *left = parse_relation(p);
    if (left && left->kind == FROM_UNNEST) {
        parse_fail(p, start, ERR_UNSUPPORTED, "UNNEST alone: not available in this version");
        parse_hint(p,
                   "write it beside the rows whose list it is: FROM t CROSS JOIN UNNEST(t.list)");
    }
    for (uint32_t count = 1; left && !p->err; count++) {
        const uint8_t *at = parse_here(p);
        struct from_tree *f = next_join(p, commas);
        if (!f) break;
        if (count >= SQL_RELATIONS_MAX)
            parse_fail(p, at, ERR_TOO_BIG, "more than %d relations in one FROM",
                       (int)SQL_RELATIONS_MAX);
        f->join.left = left;
        f->text = text_since(p, start);
        left = f;
    }
    return p->err ? NULL : left;
}

const struct from_tree *parse_from(struct parser *p)
{
    return parse_joined(p, true);
}
