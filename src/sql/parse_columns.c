/* The columns of a table, a topic or a source; their keys and watermark. */
#include "sql/parse.h"

struct key_part {
    struct slice name;
    const uint8_t *at;
};

struct sql_column *column_find(const struct list *columns, struct slice name)
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

/* PRIMARY KEY (a) NOT ENFORCED, as Flink writes it. */
static void key_enforced(struct parser *p, struct columns_tree *c)
{
    const uint8_t *at = parse_here(p);
    if (accept_words(p, "not", "enforced")) c->not_enforced = at;
}

/* PRIMARY KEY (a, b, c) or ((a, b), c): partition key, then clustering columns. */
static void key_clause(struct parser *p, struct columns_tree *c)
{
    struct list *columns = &c->columns, *key = &c->key;
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
    key_enforced(p, c);
}

/* a INT [STATIC] [NOT NULL] [PRIMARY KEY [NOT ENFORCED]] [COMMENT 'text'] */
static void column_words(struct parser *p, struct columns_tree *t, struct sql_column *c,
                         const uint8_t *start)
{
    const uint8_t *at = parse_here(p);
    if (accept_word(p, "static")) c->is_static = true;
    if (accept_words(p, "not", "null") && !t->not_null) t->not_null = at;
    if (accept_word(p, "primary")) {
        expect_word(p, "KEY");
        if (t->key.count > 0) parse_fail(p, start, ERR_EXISTS, "the table has two primary keys");
        struct key_part *part = parse_list_add(p, &t->key, sizeof(*part));
        if (part) *part = (struct key_part){c->name, start};
        c->key = 1;
        key_enforced(p, t);
    }
    if (!at_word(p, "comment") || token_peek(p, 1)->kind != TOKEN_STRING) return;
    parse_note(p, parse_here(p), "a column's COMMENT is not kept");
    (void)token_take(p);
    (void)token_take(p);
}

/* `text`: where it is written. */
static struct tree *name_tree(struct parser *p, struct slice name, struct slice text)
{
    struct tree *t = tree_node(p, TREE_NAME, text.at);
    struct json_step *step = parse_take(p, sizeof(*step));
    if (!t || !step) return NULL;
    *step = (struct json_step){.name = name};
    t->text = text;
    t->steps = step;
    t->step_count = 1;
    return t;
}

/* Flink's ts TIMESTAMP(3) METADATA [FROM 'timestamp'] [VIRTUAL]: what every record has. */
static const struct tree *parse_metadata(struct parser *p, struct slice name,
                                         const struct type *type, struct slice text)
{
    static const struct {
        const char *from, *to;
        enum type_kind kind;
    } known[] = {{"timestamp", "_timestamp", TYPE_TIMESTAMP},
                 {"partition", "_partition", TYPE_INT},
                 {"offset", "_offset", TYPE_BIGINT},
                 {"topic", "_topic", TYPE_TEXT}};
    const uint8_t *at = token_take(p).text.at;
    struct slice from = accept_word(p, "from") ? parse_string(p, "a field's name") : name;
    (void)accept_word(p, "virtual");
    for (size_t i = 0; i < COUNT_OF(known) && !p->err; i++) {
        if (!slice_equal_nocase(from, slice_of(known[i].from))) continue;
        struct tree *t = name_tree(p, slice_of(known[i].to), text);
        if (!t || type->kind == known[i].kind) return t;
        struct tree *cast = tree_node(p, TREE_CAST, text.at);
        struct list args = {0};
        tree_add(p, &args, t);
        if (cast) cast->type = type;
        return tree_with(p, cast, &args);
    }
    parse_fail(p, at, ERR_UNSUPPORTED, "METADATA FROM '%.*s': not available in this version",
               SLICE_ARG(from));
    parse_hint(p, "there are 'timestamp', 'partition', 'offset' and 'topic'");
    return NULL;
}

/* `value`: of a computed one; NULL: a column of the table. */
static void add_column(struct parser *p, struct columns_tree *t, const struct sql_column *c,
                       const struct tree *value, struct slice text)
{
    const uint8_t *start = text.at;
    const struct select_item *all = (const struct select_item *)(const void *)t->items.items;
    for (uint32_t i = 0; i < t->items.count && t->computed; i++)
        if (all[i].alias.at && slice_equal(all[i].alias, c->name))
            parse_fail(p, start, ERR_EXISTS, "the column %.*s stands twice", SLICE_ARG(c->name));
    if (column_find(&t->columns, c->name))
        parse_fail(p, start, ERR_EXISTS, "the column %.*s stands twice", SLICE_ARG(c->name));
    if (t->items.count >= TYPE_FIELDS_MAX)
        parse_fail(p, start, ERR_TOO_BIG, "more than %d columns", (int)TYPE_FIELDS_MAX);
    struct select_item *item = parse_list_add(p, &t->items, sizeof(*item));
    if (item && value) *item = (struct select_item){value, c->name};
    if (item && !value) item->value = name_tree(p, c->name, text);
    if (value && !t->computed) t->computed = start;
    struct sql_column *place = value ? NULL : parse_list_add(p, &t->columns, sizeof(*c));
    if (place) *place = *c;
}

static void parse_column(struct parser *p, struct columns_tree *t)
{
    struct slice text = token_peek(p, 0)->text;
    struct sql_column c = {.name = parse_name(p, "a column's name")};
    const struct tree *value = NULL;
    if (accept_word(p, "as")) {
        value = parse_expr(p);
    } else {
        c.type = parse_type(p, false);
        if (!p->err && at_word(p, "metadata"))
            value = parse_metadata(p, c.name, c.type, text);
        else if (!p->err)
            column_words(p, t, &c, text.at);
    }
    if (!p->err) add_column(p, t, &c, value, text);
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

static void parse_key(struct parser *p, struct columns_tree *c)
{
    const uint8_t *at = token_take(p).text.at;
    if (c->key.count > 0) parse_fail(p, at, ERR_EXISTS, "the table has two primary keys");
    key_clause(p, c);
}

void parse_columns(struct parser *p, struct statement *s, struct columns_tree *c)
{
    *c = (struct columns_tree){.start = parse_here(p)};
    expect_op(p, "(");
    do {
        const uint8_t *at = parse_here(p);
        if (at_words(p, "constraint", "primary")) parse_unsupported(p, at, "CONSTRAINT");
        if (at_words(p, "primary", "key"))
            parse_key(p, c);
        else if (accept_words(p, "watermark", "for"))
            parse_watermark(p, s, c->watermark = at);
        else
            parse_column(p, c);
    } while (accept_op(p, ",") && !p->err);
    expect_op(p, ")");
    order_columns(p, s, &c->columns, &c->key);
}

static void refuse_flinks(struct parser *p, const struct columns_tree *c)
{
    if (c->computed) {
        parse_unsupported(p, c->computed, "computed columns but of Flink's topics");
        parse_hint(p, "write the expression into the query");
    }
    if (!c->not_null) return;
    parse_unsupported(p, c->not_null, "NOT NULL (write CHECK (x IS NOT NULL) in the stream)");
}

void columns_of_table(struct parser *p, const struct columns_tree *c)
{
    refuse_flinks(p, c);
    if (c->watermark) {
        parse_fail(p, c->watermark, ERR_SYNTAX,
                   "a table has no watermark: a topic or a source has");
        parse_hint(p, "of Flink's tables WITH ('connector' = 'kafka', …) makes a topic");
    }
    if (c->not_enforced) {
        parse_fail(p, c->not_enforced, ERR_SYNTAX, "a primary key is always enforced");
        parse_hint(p, "of Flink's tables WITH ('connector' = 'kafka', …) makes a topic");
    }
    if (c->key.count > 0) return;
    parse_fail(p, c->start, ERR_SYNTAX, "the table has no primary key");
    parse_hint(p, "mark one column PRIMARY KEY or end the list with PRIMARY KEY (…)");
}

void columns_of_topic(struct parser *p, const struct columns_tree *c)
{
    refuse_flinks(p, c);
    if (c->key.count == 0) return;
    const struct key_part *first = (const struct key_part *)(const void *)c->key.items;
    parse_fail(p, first->at, ERR_SYNTAX, "only tables have a primary key");
}

struct slice path_text(struct parser *p, const struct tree *t)
{
    char memory[1024];
    struct buf out = buf_over(memory, sizeof(memory));
    for (uint32_t i = 0; i < t->step_count; i++) {
        const struct json_step *s = &t->steps[i];
        if (s->name.at)
            buf_printf(&out, "%s%.*s", i ? "." : "", SLICE_ARG(s->name));
        else
            buf_printf(&out, "[%lld]", (long long)s->index);
    }
    if (out.err) parse_fail(p, t->text.at, ERR_TOO_BIG, "this path is too long");
    struct slice kept = arena_slice(p->arena, buf_view(&out));
    if (!kept.at)
        parse_fail(p, t->text.at, ERR_NO_MEMORY, "this text does not fit into the memory");
    return kept;
}

/* ts, or ts - INTERVAL '5' SECOND: the delay. */
static bool watermark_as(const struct tree *column, const struct tree *as, int64_t *delay_ms)
{
    *delay_ms = 0;
    if (tree_equal(column, as)) return true;
    if (as->kind != TREE_ARITH || as->op != OP_SUB || !tree_equal(column, as->args[0]))
        return false;
    const struct tree *delay = as->args[1];
    bool time = delay->kind == TREE_DURATION || delay->kind == TREE_STRING;
    return time && time_ms(delay->value, delay_ms);
}

/* WATERMARK FOR ts DELAY '5s', or Flink's AS ts - INTERVAL '5' SECOND; FOR was taken. */
void parse_watermark(struct parser *p, struct statement *s, const uint8_t *start)
{
    const struct tree *column = parse_expr(p);
    if (column && column->kind != TREE_NAME)
        parse_fail(p, column->text.at, ERR_SYNTAX, "a watermark is for a field, not an expression");
    if (s->watermark_column.at) parse_fail(p, start, ERR_EXISTS, "there are two watermarks");
    int64_t delay = 0;
    if (accept_word(p, "as")) {
        const struct tree *as = parse_expr(p);
        if (!p->err && !watermark_as(column, as, &delay)) {
            parse_fail(p, as->text.at, ERR_UNSUPPORTED,
                       "this watermark: not available in this version");
            parse_hint(p, "write %.*s - INTERVAL '5' SECOND", SLICE_ARG(column->text));
        }
    } else {
        static const char *const next[] = {"DELAY", "AS"};
        if (!accept_word(p, "delay")) parse_expected(p, "DELAY or AS", next, COUNT_OF(next));
        delay = parse_time(p, "a time like '5s'", true);
    }
    if (p->err) return;
    s->watermark_column = path_text(p, column);
    s->watermark_delay_ms = delay;
}
