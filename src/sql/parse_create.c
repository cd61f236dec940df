/* CREATE SOURCE, TOPIC, KEYSPACE, TABLE, STREAM; columns and options. */
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
    struct sql_option o = {.name = option_name(p)};
    if (p->err) return;
    sql_line_column(p->lex.text, start, &o.line, &o.column);
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

/* --- columns ------------------------------------------------------------------------------------
 */

struct key_part {
    struct slice name;
    const uint8_t *at;
};

static struct sql_column *column_find(const struct list *columns, struct slice name)
{
    struct sql_column *all = (struct sql_column *)(void *)columns->items;
    for (uint32_t i = 0; i < columns->count; i++)
        if (slice_equal(all[i].name, name)) return &all[i];
    return NULL;
}

static void key_column(struct parser *p, struct list *parts, struct list *columns, uint8_t role)
{
    struct key_part *part = parse_list_add(p, parts, sizeof(*part));
    if (!part) return;
    part->at = token_peek(p, 0)->text.at;
    part->name = parse_name(p, "a column of the key");
    struct sql_column *c = column_find(columns, part->name);
    if (p->err) return;
    if (!c || c->key) {
        parse_fail(p, part->at, ERR_UNKNOWN_COLUMN,
                   c ? "%.*s stands twice in the key"
                     : "the key names no column of this table: %.*s",
                   SLICE_ARG(part->name));
        return;
    }
    if (c->is_static) parse_fail(p, part->at, ERR_TYPE, "a static column can't be in the key");
    c->key = role;
}

/* PRIMARY KEY (a, b, c) or ((a, b), c): partition key, then clustering columns. */
static void key_clause(struct parser *p, struct list *columns, struct list *key)
{
    expect_word(p, "KEY");
    expect_op(p, "(");
    if (accept_op(p, "(")) {
        do key_column(p, key, columns, 1);
        while (accept_op(p, ",") && !p->err);
        expect_op(p, ")");
    } else {
        key_column(p, key, columns, 1);
    }
    while (accept_op(p, ",") && !p->err) key_column(p, key, columns, 2);
    expect_op(p, ")");
}

static void parse_column(struct parser *p, struct list *columns, struct list *key)
{
    const uint8_t *start = token_peek(p, 0)->text.at;
    struct sql_column c = {.name = parse_name(p, "a column's name")};
    c.type = parse_type(p);
    if (p->err) return;
    if (accept_word(p, "static")) c.is_static = true;
    if (at_word(p, "not") && token_is_word(token_peek(p, 1), "null"))
        parse_unsupported(p, token_peek(p, 0)->text.at,
                          "NOT NULL (write CHECK (x IS NOT NULL) in the stream)");
    if (column_find(columns, c.name))
        parse_fail(p, start, ERR_EXISTS, "the column %.*s stands twice", SLICE_ARG(c.name));
    if (accept_word(p, "primary")) {
        expect_word(p, "KEY");
        if (key->count > 0) parse_fail(p, start, ERR_EXISTS, "the table has two primary keys");
        struct key_part *part = parse_list_add(p, key, sizeof(*part));
        if (part) *part = (struct key_part){c.name, start};
        c.key = 1;
    }
    if (columns->count >= TYPE_FIELDS_MAX)
        parse_fail(p, start, ERR_TOO_BIG, "more than %d columns", (int)TYPE_FIELDS_MAX);
    struct sql_column *place = parse_list_add(p, columns, sizeof(c));
    if (place) *place = c;
}

/* Key columns to the front, in the key's order. */
static void order_columns(struct parser *p, struct statement *s, const struct list *columns,
                          const struct list *key)
{
    struct sql_column *out = parse_take(p, MAX(columns->count, 1u) * sizeof(*out));
    if (!out) return;
    const struct key_part *parts = (const struct key_part *)(const void *)key->items;
    const struct sql_column *all = (const struct sql_column *)(const void *)columns->items;
    uint32_t n = 0;
    uint16_t positions[3] = {0};
    for (uint32_t i = 0; i < key->count; i++) {
        out[n] = *column_find(columns, parts[i].name);
        out[n].position = positions[out[n].key]++;
        n++;
    }
    for (uint32_t i = 0; i < columns->count; i++)
        if (!all[i].key) out[n++] = all[i];
    s->columns = out;
    s->column_count = n;
}

void parse_columns(struct parser *p, struct statement *s, bool table)
{
    struct list columns = {0}, key = {0};
    const uint8_t *start = token_peek(p, 0)->text.at;
    expect_op(p, "(");
    do {
        const uint8_t *at = token_peek(p, 0)->text.at;
        if (at_word(p, "primary") && token_is_word(token_peek(p, 1), "key")) {
            (void)token_take(p);
            if (!table) parse_fail(p, at, ERR_SYNTAX, "only tables have a primary key");
            if (key.count > 0) parse_fail(p, at, ERR_EXISTS, "the table has two primary keys");
            key_clause(p, &columns, &key);
        } else {
            parse_column(p, &columns, &key);
        }
    } while (accept_op(p, ",") && !p->err);
    expect_op(p, ")");
    if (table && key.count == 0) {
        parse_fail(p, start, ERR_SYNTAX, "the table has no primary key");
        parse_hint(p, "mark one column PRIMARY KEY or end the list with PRIMARY KEY (…)");
    }
    if (!table && key.count > 0) parse_fail(p, start, ERR_SYNTAX, "only tables have a primary key");
    order_columns(p, s, &columns, &key);
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

/* '5s', '2 minutes', '1h30m': milliseconds. */
static bool delay_ms(struct slice text, int64_t *out)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } units[] = {{"ms", 1},         {"milliseconds", 1}, {"s", 1000},        {"second", 1000},
                 {"seconds", 1000}, {"m", 60000},        {"minute", 60000},  {"minutes", 60000},
                 {"h", 3600000},    {"hour", 3600000},   {"hours", 3600000}, {"d", 86400000},
                 {"day", 86400000}, {"days", 86400000}};
    *out = 0;
    uint32_t i = 0;
    while (i < text.len) {
        int64_t n = 0;
        uint32_t digits = i;
        while (i < text.len && text.at[i] >= '0' && text.at[i] <= '9' && n < 100000000)
            n = n * 10 + (text.at[i++] - '0');
        if (i == digits) return false;
        while (i < text.len && text.at[i] == ' ') i++;
        uint32_t word = i;
        while (i < text.len && (text.at[i] | 32) >= 'a' && (text.at[i] | 32) <= 'z') i++;
        struct slice unit = slice_make(text.at + word, i - word);
        size_t u = 0;
        while (u < COUNT_OF(units) && !slice_equal_nocase(unit, slice_of(units[u].unit))) u++;
        if (u == COUNT_OF(units)) return false;
        *out += n * units[u].ms;
        while (i < text.len && text.at[i] == ' ') i++;
    }
    return text.len > 0;
}

/* WATERMARK FOR ts DELAY '5s' */
static void watermark(struct parser *p, struct statement *s)
{
    expect_word(p, "FOR");
    const struct tree *column = parse_expr(p);
    if (column && column->kind != TREE_NAME)
        parse_fail(p, column->text.at, ERR_SYNTAX, "a watermark is for a field, not an expression");
    if (at_word(p, "as"))
        parse_unsupported(p, token_peek(p, 0)->text.at, "WATERMARK … AS (write DELAY '5s')");
    expect_word(p, "DELAY");
    const uint8_t *at = token_peek(p, 0)->text.at;
    const struct token *t = token_peek(p, 0);
    struct slice delay =
        t->kind == TOKEN_DURATION ? token_take(p).value : parse_string(p, "a time like '5s'");
    if (p->err) return;
    s->source.watermark_column = column->text;
    if (delay_ms(delay, &s->source.watermark_delay_ms)) return;
    parse_fail(p, at, ERR_SYNTAX, "'%.*s' is no time", SLICE_ARG(delay));
    parse_hint(p, "write it like '5s', '500ms' or '2 minutes'");
}

static void create_source(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_SOURCE;
    if_not_exists(p, s);
    s->name.name = parse_name(p, "a source's name");
    if (at_op(p, "(")) parse_columns(p, s, false);
    expect_word(p, "FROM");
    s->source.kind = parse_name(p, "a kind of source");
    if (token_peek(p, 0)->kind == TOKEN_STRING) s->source.address = token_take(p).value;
    if (accept_word(p, "with")) s->source.options = parse_options(p);
    if (accept_word(p, "watermark")) watermark(p, s);
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
    if_not_exists(p, s);
    s->name.name = parse_name(p, "a topic's name");
    if (at_op(p, "(")) parse_columns(p, s, false);
    if (accept_word(p, "with")) s->options = parse_options(p);
}

static void create_keyspace(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_KEYSPACE;
    if_not_exists(p, s);
    s->name.name = parse_name(p, "a keyspace's name");
    if (accept_word(p, "with")) s->options = parse_options(p);
}

static void create_table(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_TABLE;
    if_not_exists(p, s);
    s->name = parse_qualified(p, "a table's name");
    if (at_word(p, "as"))
        parse_unsupported(p, token_peek(p, 0)->text.at, "CREATE TABLE … AS SELECT");
    parse_columns(p, s, true);
    if (accept_word(p, "with")) table_options(p, s);
}

static void create_stream(struct parser *p, struct statement *s)
{
    s->kind = STATEMENT_CREATE_STREAM;
    if_not_exists(p, s);
    s->name.name = parse_name(p, "a stream's name");
    expect_word(p, "INTO");
    if (at_word(p, "topic") && token_peek(p, 1)->kind == TOKEN_WORD &&
        !token_is_word(token_peek(p, 1), "as"))
        parse_unsupported(p, token_peek(p, 0)->text.at, "streams into topics");
    s->into = parse_qualified(p, "a table's name");
    expect_word(p, "AS");
    s->select = parse_select(p, true);
}

void parse_create(struct parser *p, struct statement *s)
{
    static const struct {
        const char *word;
        void (*parse)(struct parser *p, struct statement *s);
    } kinds[] = {{"SOURCE", create_source},     {"TOPIC", create_topic},
                 {"KEYSPACE", create_keyspace}, {"TABLE", create_table},
                 {"STREAM", create_stream},     {"SCHEMA", create_keyspace},
                 {"COLUMNFAMILY", create_table}};
    static const char *const later[] = {
        "MATERIALIZED", "VIEW", "SINK", "FUNCTION", "INDEX", "CUSTOM",    "TYPE",    "TRIGGER",
        "AGGREGATE",    "ROLE", "USER", "UNIQUE",   "OR",    "TEMPORARY", "DATABASE"};
    const uint8_t *start = token_peek(p, 0)->text.at;
    (void)token_take(p);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!accept_word(p, kinds[i].word)) continue;
        kinds[i].parse(p, s);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(later); i++) {
        if (!at_word(p, later[i])) continue;
        char what[64];
        const char *more = i == 0 ? " VIEW" : "";
        snprintf(what, sizeof(what), "CREATE %s%s", later[i], more);
        parse_unsupported(p, start, what);
        return;
    }
    static const char *const words[] = {"SOURCE", "TOPIC", "KEYSPACE", "TABLE", "STREAM"};
    parse_expected(p, "SOURCE, TOPIC, KEYSPACE, TABLE or STREAM", words, COUNT_OF(words));
}
