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
        if (plain_name(s->name))
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
    print_list(t, 0, ", ", out);
    buf_text(out, close[t->kind]);
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
    case TREE_STAR: buf_char(out, '*'); return;
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

static void print_name(struct sql_name n, struct buf *out)
{
    if (n.keyspace.at) buf_printf(out, "%.*s.", SLICE_ARG(n.keyspace));
    buf_slice(out, n.name);
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
        buf_printf(out, "%s%.*s ", i ? ", " : " (", SLICE_ARG(c->name));
        type_print(c->type, out);
        buf_printf(out, "%s%s%s", roles[c->key], c->descending ? " DESC" : "",
                   c->is_static ? " STATIC" : "");
    }
    if (s->column_count) buf_char(out, ')');
}

static void print_select(const struct select_tree *s, struct buf *out)
{
    static const char *const actions[] = {"DEAD LETTER", "SKIP", "FAIL", "NULL"};
    buf_text(out, s->distinct ? "SELECT DISTINCT" : "SELECT");
    for (uint32_t i = 0; i < s->item_count; i++) {
        buf_text(out, i ? ", " : " ");
        tree_print(s->items[i].value, out);
        if (s->items[i].alias.at) buf_printf(out, " AS %.*s", SLICE_ARG(s->items[i].alias));
    }
    if (s->from.name.at) {
        buf_text(out, " FROM ");
        print_name(s->from, out);
    }
    if (s->alias.at) buf_printf(out, " AS %.*s", SLICE_ARG(s->alias));
    if (s->where) {
        buf_text(out, " WHERE ");
        tree_print(s->where, out);
    }
    for (uint32_t i = 0; i < s->group_count; i++) {
        buf_text(out, i ? ", " : " GROUP BY ");
        tree_print(s->group[i], out);
    }
    if (s->having) {
        buf_text(out, " HAVING ");
        tree_print(s->having, out);
    }
    for (uint32_t i = 0; i < s->order_count; i++) {
        buf_text(out, i ? ", " : " ORDER BY ");
        tree_print(s->order[i].value, out);
        if (s->order[i].descending) buf_text(out, " DESC");
    }
    if (s->limit >= 0) buf_printf(out, " LIMIT %lld", (long long)s->limit);
    if (s->offset > 0) buf_printf(out, " OFFSET %lld", (long long)s->offset);
    for (uint32_t i = 0; i < s->check_count; i++) {
        buf_text(out, " CHECK ");
        tree_print(s->checks[i].condition, out);
        buf_printf(out, " ELSE %s", actions[s->checks[i].action]);
    }
    if (s->allow_filtering) buf_text(out, " ALLOW FILTERING");
}

static void print_source(const struct statement *s, struct buf *out)
{
    buf_printf(out, " FROM %.*s '%.*s'", SLICE_ARG(s->source.kind), SLICE_ARG(s->source.address));
    print_options(" [", &s->source.options, out);
    if (s->source.watermark_column.at)
        buf_printf(out, " WATERMARK %.*s %lldms", SLICE_ARG(s->source.watermark_column),
                   (long long)s->source.watermark_delay_ms);
    buf_printf(out, " TOPIC %.*s", SLICE_ARG(s->source.topic));
    print_options(" [", &s->source.topic_options, out);
}

void statement_print(const struct statement *s, struct buf *out)
{
    static const char *const heads[] = {"CREATE SOURCE", "CREATE TOPIC",  "CREATE KEYSPACE",
                                        "CREATE TABLE",  "CREATE STREAM", "DROP",
                                        "TRUNCATE",      "USE",           "",
                                        "DESCRIBE",      "SHOW"};
    buf_text(out, heads[s->kind]);
    if (s->what.len) buf_printf(out, " %.*s", SLICE_ARG(s->what));
    if (s->if_not_exists) buf_text(out, " IF NOT EXISTS");
    if (s->if_exists) buf_text(out, " IF EXISTS");
    if (s->name.name.at) {
        buf_char(out, ' ');
        print_name(s->name, out);
    }
    print_columns(s, out);
    print_options(" [", &s->options, out);
    if (s->kind == STATEMENT_CREATE_SOURCE) print_source(s, out);
    if (s->into.name.at) {
        buf_text(out, " INTO ");
        print_name(s->into, out);
        buf_text(out, " AS ");
    }
    if (s->select) print_select(s->select, out);
}
