/* Trees as text, for golden tests: linked into the tests only. */
#include "sql/tree.h"

static bool plain_name(struct slice name)
{
    if (name.len == 0 || (name.at[0] >= '0' && name.at[0] <= '9')) return false;
    for (uint32_t i = 0; i < name.len; i++) {
        uint8_t c = name.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
        if (!letter) return false;
    }
    return true;
}

static bool reserved(struct slice name)
{
    const struct word *w = word_find(name);
    return w && w->reserved[DIALECT_SLUICE];
}

static void print_quoted(struct slice s, char quote, struct buf *out)
{
    buf_char(out, quote);
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.at[i] == (uint8_t)quote) buf_char(out, quote);
        buf_char(out, (char)s.at[i]);
    }
    buf_char(out, quote);
}

static void path_print(const struct json_step *steps, uint32_t count, struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct json_step *s = &steps[i];
        if (!s->name.at) {
            buf_printf(out, "[%lld]", (long long)s->index);
            continue;
        }
        if (i > 0) buf_char(out, '.');
        if (plain_name(s->name) && (i > 0 || !reserved(s->name)))
            buf_slice(out, s->name);
        else
            print_quoted(s->name, '"', out);
    }
}

static void print_list(const struct tree *t, uint32_t from, const char *between, struct buf *out)
{
    for (uint32_t i = from; i < t->count; i++) {
        if (i > from) buf_text(out, between);
        if (t->args[i]) tree_print(t->args[i], out);
    }
}

static void print_case(const struct tree *t, struct buf *out)
{
    buf_text(out, "CASE");
    if (t->args[0]) {
        buf_char(out, ' ');
        tree_print(t->args[0], out);
    }
    for (uint32_t i = 1; i + 1 < t->count; i += 2) {
        buf_text(out, " WHEN ");
        tree_print(t->args[i], out);
        buf_text(out, " THEN ");
        tree_print(t->args[i + 1], out);
    }
    if (t->args[t->count - 1]) {
        buf_text(out, " ELSE ");
        tree_print(t->args[t->count - 1], out);
    }
    buf_text(out, " END");
}

/* ( a op b ): what stands between two or more values. */
static void print_between(const struct tree *t, struct buf *out)
{
    const char *op = t->kind == TREE_AND ? "AND" : t->kind == TREE_OR ? "OR" : "||";
    if (t->kind == TREE_ARITH || t->kind == TREE_COMPARE || t->kind == TREE_LIKE)
        op = op_text(t->op);
    char between[32];
    struct buf b = buf_over(between, sizeof(between));
    buf_printf(&b, " %s%s ", t->negated ? "NOT " : "", op);
    buf_char(out, '(');
    print_list(t, 0, buf_cstr(&b), out);
    buf_char(out, ')');
}

static void print_marked(const struct tree *t, struct buf *out)
{
    const char *not = t->negated ? "NOT " : "";
    buf_char(out, '(');
    tree_print(t->args[0], out);
    if (t->kind == TREE_IS) {
        buf_printf(out, " IS %s%s", not, op_text(t->op));
        if (t->count > 1) buf_char(out, ' ');
        print_list(t, 1, "", out);
    } else if (t->kind == TREE_IN) {
        buf_printf(out, " %sIN (", not );
        print_list(t, 1, ", ", out);
        buf_char(out, ')');
    } else {
        buf_printf(out, " %sBETWEEN ", not );
        print_list(t, 1, " AND ", out);
    }
    buf_char(out, ')');
}

static void print_cast(const struct tree *t, struct buf *out)
{
    buf_text(out, t->op == OP_TRY ? "TRY_CAST(" : "CAST(");
    tree_print(t->args[0], out);
    buf_text(out, " AS ");
    type_print(t->type, out);
    buf_char(out, ')');
}

static void print_trees(const char *head, const struct tree *const *trees, uint32_t count,
                        struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_text(out, i ? ", " : head);
        tree_print(trees[i], out);
    }
}

static void print_order(const char *head, const struct order_item *order, uint32_t count,
                        struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_text(out, i ? ", " : head);
        tree_print(order[i].value, out);
        if (order[i].descending) buf_text(out, " DESC");
        if (order[i].nulls_set)
            buf_text(out, order[i].nulls_first ? " NULLS FIRST" : " NULLS LAST");
    }
}

static void print_bound(int64_t bound, bool rows, struct buf *out)
{
    const char *way = bound < 0 ? "PRECEDING" : "FOLLOWING";
    if (bound == 0)
        buf_text(out, "CURRENT ROW");
    else if (bound == INT64_MIN || bound == INT64_MAX)
        buf_printf(out, "UNBOUNDED %s", way);
    else if (rows)
        buf_printf(out, "%lld %s", (long long)(bound < 0 ? -bound : bound), way);
    else
        buf_printf(out, "INTERVAL '%lldms' %s", (long long)(bound < 0 ? -bound : bound), way);
}

static void print_over(const struct over_tree *o, struct buf *out)
{
    bool keys = o->partition_count > 0, order = o->order_count > 0;
    buf_text(out, " OVER (");
    print_trees("PARTITION BY ", o->partition, o->partition_count, out);
    print_order(keys ? " ORDER BY " : "ORDER BY ", o->order, o->order_count, out);
    if (o->frame) {
        buf_printf(out, "%s%s BETWEEN ", keys || order ? " " : "",
                   o->frame_rows ? "ROWS" : "RANGE");
        print_bound(o->frame_low, o->frame_rows, out);
        buf_text(out, " AND ");
        print_bound(o->frame_high, o->frame_rows, out);
    }
    buf_char(out, ')');
}

static void print_wrapped(const struct tree *t, struct buf *out)
{
    static const char *const open[] = {[TREE_CALL] = "(",
                                       [TREE_LIST] = "[",
                                       [TREE_SET] = "{",
                                       [TREE_MAP] = "{",
                                       [TREE_TUPLE] = "("};
    static const char *const close[] = {[TREE_CALL] = ")",
                                        [TREE_LIST] = "]",
                                        [TREE_SET] = "}",
                                        [TREE_MAP] = "}",
                                        [TREE_TUPLE] = ")"};
    if (t->kind == TREE_CALL) buf_slice(out, t->value);
    buf_text(out, open[t->kind]);
    if (t->distinct) buf_text(out, "DISTINCT ");
    for (uint32_t i = 0; i < t->count; i++) {
        if (i) buf_text(out, t->kind == TREE_MAP && i % 2 ? ": " : ", ");
        tree_print(t->args[i], out);
    }
    buf_text(out, close[t->kind]);
    if (t->filter) {
        buf_text(out, " FILTER (WHERE ");
        tree_print(t->filter, out);
        buf_char(out, ')');
    }
    if (t->over) print_over(t->over, out);
}

void tree_print(const struct tree *t, struct buf *out)
{
    switch (t->kind) {
    case TREE_NULL: buf_text(out, "NULL"); return;
    case TREE_STRING: print_quoted(t->value, '\'', out); return;
    case TREE_BLOB: buf_printf(out, "0x%.*s", SLICE_ARG(t->value)); return;
    case TREE_BOOLEAN:
    case TREE_INTEGER:
    case TREE_NUMBER:
    case TREE_UUID:
    case TREE_PARAM: buf_slice(out, t->value); return;
    case TREE_DURATION: buf_printf(out, "INTERVAL '%.*s'", SLICE_ARG(t->value)); return;
    case TREE_NAME: path_print(t->steps, t->step_count, out); return;
    case TREE_STAR:
        path_print(t->steps, t->step_count, out);
        buf_text(out, t->step_count ? ".*" : "*");
        return;
    case TREE_NEGATE:
    case TREE_NOT:
        buf_text(out, t->kind == TREE_NOT ? "(NOT " : "(- ");
        tree_print(t->args[0], out);
        buf_char(out, ')');
        return;
    case TREE_AND:
    case TREE_OR:
    case TREE_CONCAT:
    case TREE_ARITH:
    case TREE_COMPARE:
    case TREE_LIKE: print_between(t, out); return;
    case TREE_IS:
    case TREE_IN:
    case TREE_BETWEEN: print_marked(t, out); return;
    case TREE_CASE: print_case(t, out); return;
    case TREE_CAST: print_cast(t, out); return;
    case TREE_CALL:
    case TREE_LIST:
    case TREE_SET:
    case TREE_MAP:
    case TREE_TUPLE: print_wrapped(t, out); return;
    }
}

/* --- statements ---------------------------------------------------------------------------------
 */

static void print_one(struct slice name, struct buf *out)
{
    if (plain_name(name) && !reserved(name))
        buf_slice(out, name);
    else
        print_quoted(name, '"', out);
}

static void print_name(struct sql_name n, struct buf *out)
{
    if (n.keyspace.at) {
        print_one(n.keyspace, out);
        buf_char(out, '.');
    }
    print_one(n.name, out);
}

static void print_options(const char *head, const struct sql_options *o, struct buf *out)
{
    for (uint32_t i = 0; i < o->count; i++)
        buf_printf(out, "%s%.*s=%.*s", i ? ", " : head, SLICE_ARG(o->items[i].name),
                   SLICE_ARG(o->items[i].value));
    if (o->count) buf_char(out, ']');
}

static void print_columns(const struct statement *s, struct buf *out)
{
    static const char *const roles[] = {"", " PARTITION KEY", " CLUSTERING"};
    for (uint32_t i = 0; i < s->column_count; i++) {
        const struct sql_column *c = &s->columns[i];
        buf_text(out, i ? ", " : " (");
        print_one(c->name, out);
        buf_char(out, ' ');
        type_print(c->type, out);
        buf_printf(out, "%s%s%s", roles[c->key], c->descending ? " DESC" : "",
                   c->is_static ? " STATIC" : "");
    }
    if (s->column_count) buf_char(out, ')');
}

static void print_names(const struct slice *names, uint32_t count, struct buf *out)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_text(out, i ? ", " : " (");
        print_one(names[i], out);
    }
    if (count) buf_char(out, ')');
}

static void print_query(const struct query_tree *q, struct buf *out);
static void print_from(const struct from_tree *f, struct buf *out);

static void print_join(const struct from_tree *f, struct buf *out)
{
    static const char *const joins[] = {
        [JOIN_INNER] = " JOIN ",          [JOIN_LEFT] = " LEFT JOIN ",
        [JOIN_RIGHT] = " RIGHT JOIN ",    [JOIN_FULL] = " FULL JOIN ",
        [JOIN_SEMI] = " LEFT SEMI JOIN ", [JOIN_ANTI] = " LEFT ANTI JOIN ",
        [JOIN_CROSS] = " CROSS JOIN "};
    bool parens = f->join.right->kind == FROM_JOIN;
    print_from(f->join.left, out);
    buf_text(out, joins[f->join.kind]);
    if (parens) buf_char(out, '(');
    print_from(f->join.right, out);
    if (parens) buf_char(out, ')');
    if (f->join.on) {
        buf_text(out, " ON ");
        tree_print(f->join.on, out);
    }
    if (f->join.using_count) buf_text(out, " USING");
    print_names(f->join.using, f->join.using_count, out);
}

static void print_ms(int64_t ms, struct buf *out)
{
    buf_printf(out, ", INTERVAL '%lldms'", (long long)ms);
}

static void print_window(const struct from_tree *f, struct buf *out)
{
    static const char *const windows[] = {"", "TUMBLE(", "HOP(", "SESSION("};
    buf_text(out, windows[f->window.kind]);
    print_from(f->window.from, out);
    print_trees(" PARTITION BY (", f->window.keys, f->window.key_count, out);
    if (f->window.key_count) buf_char(out, ')');
    buf_text(out, ", ");
    tree_print(f->window.time, out);
    if (f->window.kind == WINDOW_HOP) print_ms(f->window.slide_ms, out);
    print_ms(f->window.size_ms, out);
    if (f->window.offset_ms) print_ms(f->window.offset_ms, out);
    buf_char(out, ')');
}

static void print_from(const struct from_tree *f, struct buf *out)
{
    switch (f->kind) {
    case FROM_NAME: print_name(f->name, out); break;
    case FROM_QUERY:
        buf_char(out, '(');
        print_query(f->query, out);
        buf_char(out, ')');
        break;
    case FROM_JOIN: print_join(f, out); return;
    case FROM_WINDOW: print_window(f, out); break;
    case FROM_UNNEST:
        buf_text(out, "UNNEST(");
        tree_print(f->unnest.value, out);
        buf_text(out, f->unnest.ordinality ? ") WITH ORDINALITY" : ")");
        break;
    }
    if (f->alias.at) {
        buf_text(out, " AS ");
        print_one(f->alias, out);
    }
    print_names(f->column_aliases, f->column_alias_count, out);
}

static void print_checks(const struct select_tree *s, struct buf *out)
{
    static const char *const actions[] = {"DEAD LETTER", "SKIP", "FAIL", "NULL"};
    for (uint32_t i = 0; i < s->check_count; i++) {
        const struct check_tree *c = &s->checks[i];
        buf_text(out, c->rule ? " CHECK " : " CHECK (");
        tree_print(c->condition, out);
        if (!c->rule) buf_char(out, ')');
        if (c->within_ms) buf_printf(out, " WITHIN '%lldms'", (long long)c->within_ms);
        buf_printf(out, " ELSE %s", actions[c->action]);
    }
}

static void print_items(const struct select_tree *s, struct buf *out)
{
    if (s->transform.at) buf_text(out, " TRANSFORM (");
    for (uint32_t i = 0; i < s->item_count; i++) {
        buf_text(out, i ? ", " : s->transform.at ? "" : " ");
        tree_print(s->items[i].value, out);
        if (!s->items[i].alias.at) continue;
        buf_text(out, " AS ");
        print_one(s->items[i].alias, out);
    }
    if (!s->transform.at) return;
    buf_text(out, ") USING ");
    print_quoted(s->transform, '\'', out);
    buf_text(out, " AS (");
    for (uint32_t i = 0; i < s->transform_column_count; i++) {
        if (i) buf_text(out, ", ");
        print_one(s->transform_columns[i].name, out);
        buf_char(out, ' ');
        type_print(s->transform_columns[i].type, out);
    }
    buf_char(out, ')');
}

static void print_select(const struct select_tree *s, struct buf *out)
{
    buf_text(out, s->distinct ? "SELECT DISTINCT" : "SELECT");
    print_items(s, out);
    if (s->from) {
        buf_text(out, " FROM ");
        print_from(s->from, out);
    }
    if (s->where) print_trees(" WHERE ", &s->where, 1, out);
    print_trees(" GROUP BY ", s->group, s->group_count, out);
    if (s->having) print_trees(" HAVING ", &s->having, 1, out);
    print_checks(s, out);
}

static void print_query(const struct query_tree *q, struct buf *out)
{
    for (uint32_t i = 0; i < q->with_count; i++) {
        buf_text(out, i ? ", " : "WITH ");
        print_one(q->with[i].name, out);
        buf_text(out, " AS (");
        print_query(q->with[i].query, out);
        buf_char(out, ')');
    }
    if (q->with_count) buf_char(out, ' ');
    for (uint32_t i = 0; i < q->select_count; i++) {
        if (i) buf_text(out, " UNION ALL ");
        print_select(q->selects[i], out);
    }
    print_order(" ORDER BY ", q->order, q->order_count, out);
    if (q->limit >= 0) buf_printf(out, " LIMIT %lld", (long long)q->limit);
    if (q->offset > 0) buf_printf(out, " OFFSET %lld", (long long)q->offset);
    if (q->selects[q->select_count - 1]->allow_filtering) buf_text(out, " ALLOW FILTERING");
}

static void print_source(const struct statement *s, struct buf *out)
{
    buf_printf(out, " FROM %.*s '%.*s'", SLICE_ARG(s->source.kind), SLICE_ARG(s->source.address));
    print_options(" [", &s->source.options, out);
}

static void print_watermark(const struct statement *s, struct buf *out)
{
    if (s->watermark_column.at)
        buf_printf(out, " WATERMARK %.*s %lldms", SLICE_ARG(s->watermark_column),
                   (long long)s->watermark_delay_ms);
    if (s->kind != STATEMENT_CREATE_SOURCE) return;
    buf_printf(out, " TOPIC %.*s", SLICE_ARG(s->source.topic));
    print_options(" [", &s->source.topic_options, out);
}

static void print_view_key(const struct statement *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->view_key_count; i++) {
        buf_text(out, i == 0 ? " PRIMARY KEY ((" : i == s->view_partition_count ? "), " : ", ");
        print_one(s->view_key[i], out);
    }
    if (s->view_key_count) buf_text(out, s->view_key_count == s->view_partition_count ? "))" : ")");
}

static void print_into(const struct statement *s, struct buf *out)
{
    if (s->into.name.at) {
        buf_text(out, s->into_topic ? " INTO TOPIC " : " INTO ");
        print_name(s->into, out);
    }
    if (s->sink.at) buf_printf(out, " INTO %.*s", SLICE_ARG(s->sink));
    if (s->sink_address.at) buf_printf(out, " '%.*s'", SLICE_ARG(s->sink_address));
}

void statement_print(const struct statement *s, struct buf *out)
{
    static const char *const heads[] = {[STATEMENT_CREATE_SOURCE] = "CREATE SOURCE",
                                        [STATEMENT_CREATE_TOPIC] = "CREATE TOPIC",
                                        [STATEMENT_CREATE_KEYSPACE] = "CREATE KEYSPACE",
                                        [STATEMENT_CREATE_TABLE] = "CREATE TABLE",
                                        [STATEMENT_CREATE_STREAM] = "CREATE STREAM",
                                        [STATEMENT_CREATE_VIEW] = "CREATE MATERIALIZED VIEW",
                                        [STATEMENT_CREATE_SINK] = "CREATE SINK",
                                        [STATEMENT_CREATE_FUNCTION] = "CREATE FUNCTION",
                                        [STATEMENT_ALTER] = "ALTER",
                                        [STATEMENT_INSERT] = "INSERT",
                                        [STATEMENT_DROP] = "DROP",
                                        [STATEMENT_TRUNCATE] = "TRUNCATE",
                                        [STATEMENT_USE] = "USE",
                                        [STATEMENT_SELECT] = "",
                                        [STATEMENT_DESCRIBE] = "DESCRIBE",
                                        [STATEMENT_SHOW] = "SHOW"};
    buf_text(out, s->or_replace ? "CREATE OR REPLACE FUNCTION" : heads[s->kind]);
    if (s->what.len) buf_printf(out, " %.*s", SLICE_ARG(s->what));
    if (s->if_not_exists) buf_text(out, " IF NOT EXISTS");
    if (s->if_exists) buf_text(out, " IF EXISTS");
    if (s->name.name.at) {
        buf_char(out, ' ');
        print_name(s->name, out);
    }
    print_columns(s, out);
    print_view_key(s, out);
    if (s->kind == STATEMENT_CREATE_SOURCE) print_source(s, out);
    print_watermark(s, out);
    print_into(s, out);
    print_options(" [", &s->options, out);
    if (s->returns) {
        buf_text(out, " RETURNS ");
        type_print(s->returns, out);
    }
    if (s->query && s->kind != STATEMENT_SELECT) buf_text(out, " AS ");
    if (s->query) print_query(s->query, out);
    if (s->expression) print_trees(" AS ", &s->expression, 1, out);
    if (s->emit_set)
        buf_text(out, s->emit == EMIT_ON_CLOSE ? " EMIT ON WINDOW CLOSE" : " EMIT ON CHANGE");
    for (uint32_t i = 0; i < s->note_count; i++)
        buf_printf(out, "\nnote %u:%u %.*s", s->notes[i].line, s->notes[i].column,
                   SLICE_ARG(s->notes[i].text));
}
