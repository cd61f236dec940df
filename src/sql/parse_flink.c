/* Flink's tables and INSERT INTO: CREATE TABLE … WITH ('connector' = 'kafka') is a topic with
 * columns, 'blackhole' and 'print' are sinks, INSERT INTO t SELECT is a stream named after t. */
#include "sql/parse.h"

/* --- WITH ('connector' = …) ------------------------------------------------------------------- */

enum option_use { OPTION_READ, OPTION_NOTED, OPTION_REFUSED };
static const struct {
    const char *name; /* ends in '.': all that begin so */
    enum option_use use;
    const char *why;
} options[] = {
    {"connector", OPTION_READ, ""},
    {"topic", OPTION_READ, ""},
    {"format", OPTION_READ, ""},
    {"value.format", OPTION_READ, ""},
    {"properties.", OPTION_NOTED, "the topic is Sluice's own"},
    {"scan.startup.mode", OPTION_NOTED, "a stream's own WITH says where it begins"},
    {"scan.", OPTION_NOTED, "a stream reads on by itself"},
    {"json.", OPTION_NOTED, "what does not fit becomes a dead letter"},
    {"value.json.", OPTION_NOTED, "what does not fit becomes a dead letter"},
    {"sink.", OPTION_NOTED, "each record is written exactly once"},
    {"value.fields-include", OPTION_NOTED, "the value has all columns"},
    {"topic-pattern", OPTION_REFUSED, "topics by a pattern"},
    {"key.", OPTION_REFUSED, "columns of the record's key"},
};

static int option_row(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        size_t len = strlen(options[i].name);
        bool prefix = options[i].name[len - 1] == '.';
        if (name.len >= len && (prefix || name.len == len) &&
            slice_equal_nocase(slice_make(name.at, len), slice_of(options[i].name)))
            return (int)i;
    }
    return -1;
}

/* Where an option stands, again as a pointer. */
static const uint8_t *option_at(const struct parser *p, const struct sql_options *o,
                                const char *name)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (slice_equal_nocase(o->items[i].name, slice_of(name))) return o->items[i].at;
    return p->last_end;
}

static void format_check(struct parser *p, const struct sql_options *o, const char *name)
{
    struct slice format = sql_option(o, name);
    if (!format.at || slice_equal_nocase(format, SLICE("json"))) return;
    parse_fail(p, option_at(p, o, name), ERR_UNSUPPORTED,
               "the format '%.*s': not available in this version", SLICE_ARG(format));
    parse_hint(p, "a topic of this text holds JSON: 'format' = 'json'");
}

/* Leaves in s->options what a topic of ours understands; tells or refuses the rest. */
static void sort_options(struct parser *p, struct statement *s)
{
    struct list kept = {0};
    for (uint32_t i = 0; i < s->options.count && !p->err; i++) {
        const struct sql_option *o = &s->options.items[i];
        int row = option_row(o->name);
        if (row < 0) {
            struct sql_option *place = parse_list_add(p, &kept, sizeof(*o));
            if (place) *place = *o;
        } else if (options[row].use == OPTION_NOTED) {
            parse_note(p, o->at, "'%.*s' means nothing here: %s", SLICE_ARG(o->name),
                       options[row].why);
        } else if (options[row].use == OPTION_REFUSED) {
            parse_fail(p, o->at, ERR_UNSUPPORTED, "%s ('%.*s'): not available in this version",
                       options[row].why, SLICE_ARG(o->name));
        }
    }
    s->options =
        (struct sql_options){(const struct sql_option *)(const void *)kept.items, kept.count};
}

static void tell_columns(struct parser *p, const struct columns_tree *c)
{
    if (c->not_null)
        parse_note(p, c->not_null,
                   "NOT NULL is not enforced: write CHECK not_null(…) into the stream");
    if (c->key.count)
        parse_note(p, c->start, "a topic's primary key is not enforced: a table's is");
}

/* A watermark of a computed column is one of the field it is: ts AS event.at, METADATA's. */
static void computed_watermark(struct parser *p, struct statement *s, const struct columns_tree *c)
{
    const struct select_item *all = (const struct select_item *)(const void *)c->items.items;
    for (uint32_t i = 0; i < c->items.count && s->watermark_column.at && !p->err; i++) {
        if (!slice_equal(all[i].alias, s->watermark_column)) continue;
        if (all[i].value->kind == TREE_NAME) {
            s->watermark_column = path_text(p, all[i].value);
        } else {
            parse_fail(p, c->watermark, ERR_UNSUPPORTED,
                       "a watermark of a computed column: not available in this version");
            parse_hint(p, "the topic's own field is the time: WATERMARK FOR field …");
        }
        return;
    }
}

static void kafka_table(struct parser *p, struct statement *s, const struct columns_tree *c)
{
    struct slice topic = sql_option(&s->options, "topic");
    const uint8_t *at = option_at(p, &s->options, "topic");
    bool several = false;
    for (uint32_t i = 0; i < topic.len; i++) several = several || topic.at[i] == ';';
    if (several) parse_unsupported(p, at, "a table of several topics");
    if (topic.at && topic.len == 0) parse_fail(p, at, ERR_SYNTAX, "the topic's name is empty");
    format_check(p, &s->options, "format");
    format_check(p, &s->options, "value.format");
    if (declared_find(p, s->name))
        parse_fail(p, c->start, ERR_EXISTS, "%.*s stands twice in this text",
                   SLICE_ARG(s->name.name));
    struct declared *d = declare_columns(p, DECLARED_TOPIC, s->name, c);
    if (!d) return;
    d->topic = topic.at ? topic : s->name.name;
    computed_watermark(p, s, c);
    if (c->computed) declare_computed(p, d, c);
    s->kind = STATEMENT_CREATE_TOPIC;
    s->name = (struct sql_name){.name = d->topic};
    /* a topic's columns stand as they were written */
    s->columns = (const struct sql_column *)(const void *)c->columns.items;
    s->column_count = c->columns.count;
    for (uint32_t i = 0; i < c->columns.count; i++)
        ((struct sql_column *)(void *)c->columns.items)[i].key = 0;
    tell_columns(p, c);
    sort_options(p, s);
}

void parse_connector(struct parser *p, struct statement *s, const struct columns_tree *c)
{
    static const char *const known[] = {"kafka", "blackhole", "print"};
    struct slice connector = sql_option(&s->options, "connector");
    if (p->err) return;
    if (slice_equal_nocase(connector, SLICE("kafka"))) {
        kafka_table(p, s, c);
    } else if (slice_equal_nocase(connector, SLICE("blackhole")) ||
               slice_equal_nocase(connector, SLICE("print"))) {
        struct declared *d = declare_columns(p, DECLARED_SINK, s->name, c);
        if (d) d->topic = connector;
        p->nothing = true; /* each INSERT INTO it is a sink of its own */
    } else {
        const uint8_t *at = option_at(p, &s->options, "connector");
        parse_fail(p, at, ERR_UNSUPPORTED, "the connector '%.*s': not available in this version",
                   SLICE_ARG(connector));
        const char *near = nearest_word(connector, known, COUNT_OF(known));
        if (near)
            parse_hint(p, "did you mean '%s'?", near);
        else
            parse_hint(p, "'kafka' is a topic, 'blackhole' and 'print' are sinks");
    }
}

/* --- INSERT INTO t SELECT … ------------------------------------------------------------------- */

/* The query's columns go by place into `names`: as aliases of its items, or of the whole. */
static void name_outputs(struct parser *p, struct query_tree *q, const uint8_t *at,
                         const struct slice *names, uint32_t count)
{
    struct select_tree *first = (struct select_tree *)(uintptr_t)q->selects[0];
    bool star = first->transform.at != NULL;
    for (uint32_t i = 0; i < first->item_count; i++)
        star = star || first->items[i].value->kind == TREE_STAR;
    if (!star && first->item_count != count) {
        parse_fail(p, at, ERR_TYPE, "the query gives %u column%s, not %u", first->item_count,
                   first->item_count == 1 ? "" : "s", count);
        return;
    }
    for (uint32_t i = 0; !star && i < count; i++) first->items[i].alias = names[i];
    if (!star) return;
    struct query_tree *inner = parse_take(p, sizeof(*inner));
    const struct select_tree **one = parse_take(p, sizeof(*one));
    if (!inner || !one) return;
    struct list columns = {(uint8_t *)(uintptr_t)names, count, count};
    *inner = *q;
    *one = select_all_of(p, inner, SLICE("query"), &columns);
    *q = (struct query_tree){.text = q->text, .selects = one, .select_count = 1, .limit = -1};
}

/* The stream's name: the target's; the second one's has _2 behind it. */
static struct slice stream_name(struct parser *p, struct slice target)
{
    struct declared *d = declare(p, DECLARED_STREAM, (struct sql_name){.name = target});
    if (!d) return (struct slice){0};
    if (++d->column_count == 1) return target;
    const char *name = arena_printf(p->arena, "%.*s_%u", SLICE_ARG(target), d->column_count);
    if (!name) parse_fail(p, p->last_end, ERR_NO_MEMORY, "this text does not fit into the memory");
    return name ? slice_of(name) : target;
}

static void insert_target(struct parser *p, struct statement *s, const struct declared *d)
{
    s->kind = STATEMENT_INSERT;
    s->into = s->name;
    if (d && d->kind == DECLARED_TOPIC) {
        s->into = (struct sql_name){.name = d->topic};
        s->into_topic = true;
    } else if (d && d->kind == DECLARED_SINK) {
        s->kind = STATEMENT_CREATE_SINK;
        s->into = (struct sql_name){0};
        s->sink = d->topic;
    }
    s->name = (struct sql_name){.name = stream_name(p, s->name.name)};
}

static bool at_query(struct parser *p)
{
    bool inner = at_op(p, "(") && (token_is_word(token_peek(p, 1), "select") ||
                                   token_is_word(token_peek(p, 1), "with"));
    return at_word(p, "select") || at_word(p, "with") || inner;
}

void parse_insert(struct parser *p, struct statement *s)
{
    struct list names = {0};
    const uint8_t *start = token_take(p).text.at;
    if (at_word(p, "overwrite")) parse_unsupported(p, start, "INSERT OVERWRITE");
    expect_word(p, "INTO");
    if (at_word(p, "table") && token_peek(p, 1)->kind == TOKEN_WORD) (void)token_take(p);
    s->name = parse_qualified(p, "a table's name");
    const uint8_t *at = parse_here(p);
    if (at_op(p, "(") && !at_query(p)) names = parse_names(p, "a column's name");
    if (!p->err && !at_query(p)) {
        parse_fail(p, start, ERR_UNSUPPORTED, "INSERT is part of a query, not of a project");
        parse_hint(p, "sluice query runs it");
    }
    p->checks = true;
    struct query_tree *q = parse_query(p, s);
    if (p->err) return;
    const struct declared *d = declared_find(p, s->name);
    if (d) declared_use(p, d);
    if (names.count)
        name_outputs(p, q, at, (const struct slice *)(const void *)names.items, names.count);
    else if (d && d->column_count)
        name_outputs(p, q, at, d->columns, d->column_count);
    insert_target(p, s, d);
    s->query = q;
}
