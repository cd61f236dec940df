/* CREATE SOURCE, TOPIC, KEYSPACE, TABLE; options. */
#include "sql/parse.h"
#include <stdio.h>

/* --- options ------------------------------------------------------------------------------------
 */

static struct slice option_name(struct parser *p)
{
    const struct token *t = token_peek(p, 0);
    if (t->kind == TOKEN_STRING)
        return token_take(p).value; /* Flink's WITH ('connector' = 'kafka') */
    const uint8_t *start = t->text.at;
    if (t->kind != TOKEN_WORD && t->kind != TOKEN_QUOTED) {
        parse_expected(p, "an option's name", NULL, 0);
        return (struct slice){0};
    }
    struct token first = token_take(p);
    if (!at_op(p, ".")) return first.value;
    while (accept_op(p, ".")) (void)token_take(p); /* kafka.bootstrap.servers */
    return text_since(p, start);
}

/* {'class': 'SimpleStrategy', 'replication_factor': 1} stays as it is written. */
static struct slice option_map(struct parser *p)
{
    const uint8_t *start = token_peek(p, 0)->text.at;
    int open = 0;
    do {
        struct token t = token_take(p);
        if (t.kind == TOKEN_END) {
            parse_expected(p, "'}'", NULL, 0);
            break;
        }
        open += (token_is_op(&t, "{") || token_is_op(&t, "[")) -
                (token_is_op(&t, "}") || token_is_op(&t, "]"));
    } while (open > 0 && !p->err);
    return text_since(p, start);
}

static struct slice option_value(struct parser *p)
{
    const struct token *t = token_peek(p, 0);
    const uint8_t *start = t->text.at;
    if (at_op(p, "{") || at_op(p, "[")) return option_map(p);
    if (accept_op(p, "-")) t = token_peek(p, 0);
    if (t->kind == TOKEN_END || t->kind == TOKEN_OP || t->kind == TOKEN_PARAM) {
        parse_expected(p, "an option's value", NULL, 0);
        return (struct slice){0};
    }
    if (t->kind == TOKEN_STRING || t->kind == TOKEN_WORD) return token_take(p).value;
    (void)token_take(p);
    return text_since(p, start);
}

static void parse_option(struct parser *p, struct list *items)
{
    const uint8_t *start = token_peek(p, 0)->text.at;
    struct sql_option o = {.name = option_name(p), .at = start};
    if (p->err) return;
    parse_place(p, start, &o.line, &o.column);
    const struct sql_option *all = (const struct sql_option *)(const void *)items->items;
    for (uint32_t i = 0; i < items->count; i++)
        if (slice_equal_nocase(all[i].name, o.name))
            parse_fail(p, start, ERR_EXISTS, "the option %.*s is given twice", SLICE_ARG(o.name));
    expect_op(p, "=");
    o.value = option_value(p);
    struct sql_option *place = parse_list_add(p, items, sizeof(o));
    if (place) *place = o;
}

static struct sql_options options_of(const struct list *items)
{
    return (struct sql_options){(const struct sql_option *)(const void *)items->items,
                                items->count};
}

static void option_list(struct parser *p, struct list *items)
{
    if (accept_op(p, ")")) return;
    do parse_option(p, items);
    while (accept_op(p, ",") && !p->err);
    expect_op(p, ")");
}

struct sql_options parse_options(struct parser *p)
{
    struct list items = {0};
    if (accept_op(p, "("))
        option_list(p, &items);
    else
        do parse_option(p, &items);
        while (accept_word(p, "and") && !p->err);
    return options_of(&items);
}

/* CLUSTERING ORDER BY (a DESC, b ASC) */
static void clustering_order(struct parser *p, struct statement *s)
{
    expect_word(p, "ORDER");
    expect_word(p, "BY");
    expect_op(p, "(");
    do {
        const uint8_t *at = token_peek(p, 0)->text.at;
        struct slice name = parse_name(p, "a clustering column");
        struct list all = {(uint8_t *)(uintptr_t)s->columns, s->column_count, s->column_count};
        struct sql_column *c = column_find(&all, name);
        if (!p->err && (!c || c->key != 2))
            parse_fail(p, at, ERR_UNKNOWN_COLUMN, "%.*s is no clustering column of this table",
                       SLICE_ARG(name));
        bool descending = accept_word(p, "desc");
        if (!descending) (void)accept_word(p, "asc");
        if (c && !p->err) c->descending = descending;
    } while (accept_op(p, ",") && !p->err);
    expect_op(p, ")");
}

static void table_options(struct parser *p, struct statement *s)
{
    struct list items = {0};
    bool parens = accept_op(p, "(");
    do {
        const uint8_t *at = token_peek(p, 0)->text.at;
        if (at_word(p, "clustering") && token_is_word(token_peek(p, 1), "order")) {
            (void)token_take(p);
            clustering_order(p, s);
        } else if (at_word(p, "compact") && token_is_word(token_peek(p, 1), "storage")) {
            parse_unsupported(p, at, "COMPACT STORAGE");
        } else {
            parse_option(p, &items);
        }
    } while ((parens ? accept_op(p, ",") : accept_word(p, "and")) && !p->err);
    if (parens) expect_op(p, ")");
    s->options = options_of(&items);
}

/* --- statements ---------------------------------------------------------------------------------
 */

static void if_not_exists(struct parser *p, struct statement *s)
{
    if (!accept_word(p, "if")) return;
    expect_word(p, "NOT");
    expect_word(p, "EXISTS");
    s->if_not_exists = true;
}

static void parse_topic_columns(struct parser *p, struct statement *s)
{
    struct columns_tree columns = {0};
    if (at_op(p, "(")) {
        parse_columns(p, s, &columns);
        columns_of_topic(p, &columns);
    }
    if (s->kind == STATEMENT_CREATE_TOPIC) declare_table(p, s, &columns);
}

static void parse_watermark_clause(struct parser *p, struct statement *s)
{
    const uint8_t *at = parse_here(p);
    if (!accept_word(p, "watermark")) return;
    expect_word(p, "FOR");
    parse_watermark(p, s, at);
}

static void create_source(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_SOURCE;
    s->name.name = parse_name(p, "a source's name");
    parse_topic_columns(p, s);
    expect_word(p, "FROM");
    s->source.kind = parse_name(p, "a kind of source");
    if (token_peek(p, 0)->kind == TOKEN_STRING) s->source.address = token_take(p).value;
    if (accept_word(p, "with")) s->source.options = parse_options(p);
    parse_watermark_clause(p, s);
    if (!at_word(p, "into")) {
        static const char *const next[] = {"WITH", "WATERMARK", "INTO"};
        parse_expected(p, "WITH, WATERMARK or INTO", next, COUNT_OF(next));
    }
    expect_word(p, "INTO");
    expect_word(p, "TOPIC");
    s->source.topic = parse_name(p, "a topic's name");
    if (accept_word(p, "with")) s->source.topic_options = parse_options(p);
}

static void create_topic(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_TOPIC;
    s->name.name = parse_name(p, "a topic's name");
    parse_topic_columns(p, s);
    parse_watermark_clause(p, s);
    if (accept_word(p, "with")) s->options = parse_options(p);
    parse_watermark_clause(p, s);
}

static void create_keyspace(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_KEYSPACE;
    s->name.name = parse_name(p, "a keyspace's name");
    if (accept_word(p, "with")) s->options = parse_options(p);
}

/* What Flink, Spark and Hive write after the columns. */
static void refuse_after_columns(struct parser *p)
{
    static const struct {
        const char *first, *second, *what;
    } others[] = {{"partitioned", "by", "PARTITIONED BY"},
                  {"distributed", "by", "DISTRIBUTED BY"},
                  {"like", NULL, "CREATE TABLE … LIKE"},
                  {"using", NULL, "CREATE TABLE … USING"},
                  {"as", NULL, "CREATE TABLE … AS SELECT"}};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (others[i].second ? at_words(p, others[i].first, others[i].second)
                             : at_word(p, others[i].first))
            parse_unsupported(p, parse_here(p), others[i].what);
    if (!at_word(p, "comment") || token_peek(p, 1)->kind != TOKEN_STRING) return;
    parse_note(p, parse_here(p), "a table's COMMENT is not kept here: write WITH comment = '…'");
    (void)token_take(p);
    (void)token_take(p);
}

static void create_table(struct parser *p, struct statement *s)
{
    struct columns_tree columns;
    s->kind = STATEMENT_CREATE_TABLE;
    s->name = parse_qualified(p, "a table's name");
    if (!at_op(p, "(")) refuse_after_columns(p);
    parse_columns(p, s, &columns);
    refuse_after_columns(p);
    if (accept_word(p, "with")) table_options(p, s);
    refuse_after_columns(p);
    if (sql_option(&s->options, "connector").at) {
        parse_connector(p, s, &columns);
        return;
    }
    columns_of_table(p, &columns);
    declare_table(p, s, &columns);
}

/* --- which one -------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    void (*parse)(struct parser *p, struct statement *s);
} kinds[] = {{"SOURCE", create_source},       {"TOPIC", create_topic},
             {"KEYSPACE", create_keyspace},   {"TABLE", create_table},
             {"STREAM", parse_create_stream}, {"VIEW", parse_create_view},
             {"SINK", parse_create_sink},     {"FUNCTION", parse_create_function},
             {"SCHEMA", create_keyspace},     {"COLUMNFAMILY", create_table}};

static void refuse_create(struct parser *p, const uint8_t *start)
{
    static const char *const later[] = {"INDEX",     "CUSTOM",   "TYPE",   "TRIGGER",
                                        "AGGREGATE", "ROLE",     "USER",   "UNIQUE",
                                        "TEMPORARY", "DATABASE", "CATALOG"};
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        if (!at_word(p, later[i])) continue;
        char what[64];
        snprintf(what, sizeof(what), "CREATE %s", later[i]);
        parse_unsupported(p, start, what);
        return;
    }
}

void parse_create(struct parser *p, struct statement *s)
{
    static const char *const words[] = {"SOURCE", "TOPIC",        "KEYSPACE", "TABLE",
                                        "STREAM", "MATERIALIZED", "SINK",     "FUNCTION"};
    const uint8_t *start = token_take(p).text.at;
    const uint8_t *replace = parse_here(p);
    s->or_replace = accept_words(p, "or", "replace");
    bool view = accept_word(p, "materialized");
    if (!view && (at_word(p, "view") || at_words(p, "temporary", "view"))) {
        (void)accept_word(p, "temporary");
        (void)token_take(p);
        if_not_exists(p, s);
        parse_plain_view(p, s);
        return;
    }
    refuse_create(p, start);
    for (size_t i = 0; i < COUNT_OF(kinds) && !p->err; i++) {
        if (!at_word(p, kinds[i].word) || (view && strcmp(kinds[i].word, "VIEW") != 0)) continue;
        if (s->or_replace && strcmp(kinds[i].word, "FUNCTION") != 0) {
            parse_unsupported(p, replace, "OR REPLACE of anything but a function or a plain view");
            parse_hint(p, "sluice up changes what runs to what is written");
        }
        (void)token_take(p);
        if_not_exists(p, s);
        kinds[i].parse(p, s);
        return;
    }
    if (view)
        expect_word(p, "VIEW");
    else
        parse_expected(p,
                       "SOURCE, TOPIC, KEYSPACE, TABLE, STREAM, MATERIALIZED VIEW, SINK or "
                       "FUNCTION",
                       words, COUNT_OF(words));
}
