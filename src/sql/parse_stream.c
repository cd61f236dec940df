/* CREATE STREAM, MATERIALIZED VIEW, SINK, FUNCTION; a stream's CHECKs; ALTER. */
#include "sql/parse.h"

/* --- CHECK ------------------------------------------------------------------------------------ */

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

/* dbt's rules and how many arguments they have at least; a WITHIN goes with some. */
static const struct {
    const char *word;
    uint32_t least, most;
    bool within;
    const char *like; /* how it is written */
} rules[] = {
    {"not_null", 1, 1, false, "not_null(a)"},
    {"unique", 1, 16, true, "unique(a) WITHIN '1h'"},
    {"accepted_values", 2, 1000, false, "accepted_values(a, 'x', 'y')"},
    {"range", 3, 3, false, "range(a, 1, 10)"},
    {"freshness", 2, 2, false, "freshness(ts, '10m')"},
};

/* not_null(a), unique(a, b) WITHIN '1h', accepted_values(a, 'x', 'y'), range(a, 1, 10), … */
static void parse_rule(struct parser *p, struct check_tree *c, size_t rule)
{
    const uint8_t *start = parse_here(p);
    const struct tree *t = parse_call(p);
    if (!t) return;
    c->rule = true;
    c->condition = t;
    if (t->count < rules[rule].least || t->count > rules[rule].most) {
        parse_fail(p, start, ERR_SYNTAX, "%s does not take %u argument%s", rules[rule].word,
                   t->count, t->count == 1 ? "" : "s");
        parse_hint(p, "write it like %s", rules[rule].like);
    }
    if (t->distinct || t->filter || t->over)
        parse_fail(p, start, ERR_SYNTAX, "%s is a rule of a CHECK, not an aggregate",
                   rules[rule].word);
    if (!at_word(p, "within")) return;
    if (!rules[rule].within)
        parse_fail(p, parse_here(p), ERR_SYNTAX, "%s has no WITHIN", rules[rule].word);
    (void)token_take(p);
    c->within_ms = parse_time(p, "a time like '1h'", false);
}

static void parse_condition(struct parser *p, struct check_tree *c)
{
    const char *words[COUNT_OF(rules)];
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        words[i] = rules[i].word;
        if (!at_function(p, words[i])) continue;
        const uint8_t *start = parse_here(p);
        parse_rule(p, c, i);
        c->text = text_since(p, start);
        return;
    }
    if (!at_op(p, "(")) {
        parse_expected(p, "a condition in parentheses or a rule (not_null, unique, …)", words,
                       COUNT_OF(words));
        return;
    }
    (void)token_take(p);
    const uint8_t *start = parse_here(p);
    c->condition = parse_expr(p);
    c->text = text_since(p, start);
    expect_op(p, ")");
}

struct list parse_checks(struct parser *p)
{
    struct list checks = {0};
    while (accept_word(p, "check")) {
        struct check_tree *c = parse_list_add(p, &checks, sizeof(*c));
        if (!c) break;
        parse_condition(p, c);
        expect_word(p, "ELSE");
        c->action = parse_action(p);
    }
    return checks;
}

/* --- streams, views, sinks -------------------------------------------------------------------- */

/* [WITH (…)] AS query */
static void parse_as_query(struct parser *p, struct statement *s)
{
    if (accept_word(p, "with")) s->options = parse_options(p);
    static const char *const next[] = {"WITH", "AS"};
    if (!at_word(p, "as"))
        parse_expected(p, s->options.items ? "AS" : "WITH or AS", next, COUNT_OF(next));
    (void)token_take(p);
    p->checks = true;
    const uint8_t *at = parse_here(p);
    struct query_tree *q = parse_query(p, s);
    s->query = q;
    for (uint32_t i = 0; q && i < q->select_count; i++)
        if (!q->selects[i]->from && !p->err)
            parse_fail(p, at, ERR_SYNTAX, "a stream reads something: its SELECT needs a FROM");
}

void parse_create_stream(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_STREAM;
    s->name.name = parse_name(p, "a stream's name");
    if (!at_word(p, "into")) {
        static const char *const next[] = {"INTO"};
        parse_expected(p, "INTO", next, COUNT_OF(next));
        if (p->d && !p->d->hint[0])
            parse_hint(p, "write CREATE STREAM s INTO table AS SELECT …, or INTO TOPIC topic");
    }
    expect_word(p, "INTO");
    const struct token *next = token_peek(p, 1);
    bool name =
        next->kind == TOKEN_QUOTED ||
        (next->kind == TOKEN_WORD && !token_is_word(next, "as") && !token_is_word(next, "with"));
    s->into_topic = at_word(p, "topic") && name;
    if (s->into_topic) (void)token_take(p);
    s->into = parse_qualified(p, s->into_topic ? "a topic's name" : "a table's name");
    parse_as_query(p, s);
}

/* PRIMARY KEY ((a, b), c) or (a, b): names of the query's columns. */
static void parse_view_key(struct parser *p, struct statement *s)
{
    struct list names = {0};
    expect_word(p, "KEY");
    if (at_op(p, "(") && token_is_op(token_peek(p, 1), "(")) {
        (void)token_take(p);
        names = parse_names(p, "a column of the key");
        s->view_partition_count = names.count;
        while (accept_op(p, ",") && !p->err) {
            struct slice *name = parse_list_add(p, &names, sizeof(*name));
            if (name) *name = parse_name(p, "a column of the key");
        }
        expect_op(p, ")");
    } else {
        names = parse_names(p, "a column of the key");
        s->view_partition_count = 1;
    }
    s->view_key = (struct slice *)(void *)names.items;
    s->view_key_count = names.count;
    for (uint32_t i = 0; i < names.count; i++)
        for (uint32_t j = 0; j < i; j++)
            if (slice_equal(s->view_key[i], s->view_key[j]))
                parse_fail(p, p->last_end, ERR_EXISTS, "%.*s stands twice in the key",
                           SLICE_ARG(s->view_key[i]));
}

void parse_create_view(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_VIEW;
    s->name = parse_qualified(p, "a view's name");
    if (accept_word(p, "primary")) parse_view_key(p, s);
    parse_as_query(p, s);
    if (!at_word(p, "primary")) return;
    parse_fail(p, parse_here(p), ERR_SYNTAX, "PRIMARY KEY stands before AS");
    parse_hint(p, "CREATE MATERIALIZED VIEW v PRIMARY KEY (…) AS SELECT …");
}

void parse_create_sink(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_SINK;
    s->name.name = parse_name(p, "a sink's name");
    expect_word(p, "INTO");
    s->sink = parse_name(p, "a kind of sink");
    if (token_peek(p, 0)->kind == TOKEN_STRING) s->sink_address = token_take(p).value;
    parse_as_query(p, s);
}

/* --- functions -------------------------------------------------------------------------------- */

enum { FUNCTION_ARGS_MAX = 64 };

static void parse_parameters(struct parser *p, struct statement *s)
{
    struct list params = {0};
    expect_op(p, "(");
    while (!p->err && !at_op(p, ")")) {
        const uint8_t *at = parse_here(p);
        struct sql_column c = {.name = parse_name(p, "a parameter's name")};
        c.type = parse_type(p, false);
        if (at_word(p, "default")) parse_unsupported(p, parse_here(p), "DEFAULT of a parameter");
        const struct sql_column *all = (const struct sql_column *)(const void *)params.items;
        for (uint32_t i = 0; i < params.count; i++)
            if (slice_equal(all[i].name, c.name))
                parse_fail(p, at, ERR_EXISTS, "the parameter %.*s stands twice", SLICE_ARG(c.name));
        if (params.count == FUNCTION_ARGS_MAX)
            parse_fail(p, at, ERR_TOO_BIG, "more than %d parameters", (int)FUNCTION_ARGS_MAX);
        struct sql_column *place = parse_list_add(p, &params, sizeof(c));
        if (place) *place = c;
        if (!accept_op(p, ",")) break;
    }
    expect_op(p, ")");
    s->columns = (const struct sql_column *)(const void *)params.items;
    s->column_count = params.count;
}

/* What PostgreSQL and Spark write between a function's head and its body. */
static void function_traits(struct parser *p)
{
    static const char *const plain[] = {"immutable", "deterministic", "strict"};
    for (bool more = true; more && !p->err;) {
        more = false;
        const uint8_t *at = parse_here(p);
        for (size_t i = 0; i < COUNT_OF(plain); i++)
            if (accept_word(p, plain[i])) {
                parse_note(p, at, "%s is not needed: a function is its expression", plain[i]);
                more = true;
            }
        if (accept_words(p, "contains", "sql")) more = true;
        if (at_word(p, "comment") && token_peek(p, 1)->kind == TOKEN_STRING) {
            (void)token_take(p);
            (void)token_take(p);
            more = true;
        }
        if (!accept_word(p, "language")) continue;
        if (!accept_word(p, "sql")) {
            parse_unsupported(p, at, "a function in another language than SQL");
            parse_hint(p, "SELECT TRANSFORM (…) USING 'command' runs a program");
        }
        more = true;
    }
}

void parse_create_function(struct parser *p, struct statement *s)
{
    static const char *const next[] = {"RETURNS", "AS", "RETURN"};
    s->kind = STATEMENT_CREATE_FUNCTION;
    s->name.name = parse_name(p, "a function's name");
    if (at_word(p, "as")) {
        parse_unsupported(p, parse_here(p), "a function in another language than SQL");
        parse_hint(p, "write CREATE FUNCTION f(a type, …) AS expression");
    }
    parse_parameters(p, s);
    if (at_words(p, "returns", "table")) parse_unsupported(p, parse_here(p), "RETURNS TABLE");
    if (accept_word(p, "returns")) s->returns = parse_type(p, false);
    function_traits(p);
    if (!accept_word(p, "as") && !accept_word(p, "return"))
        parse_expected(p, s->returns ? "AS" : "RETURNS or AS", next, COUNT_OF(next));
    s->expression = parse_expr(p);
}

/* --- ALTER ------------------------------------------------------------------------------------ */

void parse_alter(struct parser *p, struct statement *s)
{
    static const char *const kinds[] = {"SOURCE", "TOPIC", "STREAM", "SINK", "VIEW"};
    const uint8_t *start = token_take(p).text.at;
    s->kind = STATEMENT_ALTER;
    (void)accept_word(p, "materialized");
    for (size_t i = 0; i < COUNT_OF(kinds) && !s->what.at; i++)
        if (accept_word(p, kinds[i])) s->what = slice_of(kinds[i]);
    if (at_word(p, "table") || at_word(p, "keyspace") || at_word(p, "type") || at_word(p, "role") ||
        at_word(p, "user")) {
        parse_fail(p, start, ERR_UNSUPPORTED, "ALTER %.*s is part of a query, not of a project",
                   SLICE_ARG(token_peek(p, 0)->text));
        parse_hint(p, "sluice query runs it");
        return;
    }
    if (!s->what.at) {
        parse_expected(p, "SOURCE, TOPIC, STREAM, SINK or VIEW", kinds, COUNT_OF(kinds));
        return;
    }
    s->name = parse_qualified(p, "a name");
    expect_word(p, "SET");
    if (!at_op(p, "(")) parse_expected(p, "'('", NULL, 0);
    s->options = parse_options(p);
}
