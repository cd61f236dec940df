/* CREATE STREAM, MATERIALIZED VIEW, SINK, INSERT INTO … SELECT: a query, and where it goes. */
#include "base/hash.h"
#include "sql/bind.h"

/* --- outputs take the table's types -------------------------------------------------------------
 */

static struct expr *wanted_column(struct binder *b, struct wanted *w, struct slice name,
                                  struct slice place, struct expr *e)
{
    int64_t column = relation_column(w->into, name);
    if (column < 0) {
        bind_unknown_column(b, place, w->into, name);
        return NULL;
    }
    if (w->written[column]) {
        bind_fail(b, place, ERR_EXISTS, "the column %.*s is written twice", SLICE_ARG(name));
        return NULL;
    }
    w->written[column] = true;
    char what[300];
    struct buf text = buf_over(what, sizeof(what));
    buf_printf(&text, "column %.*s", SLICE_ARG(name));
    return bind_coerce(b, e, w->into->columns[column].type, buf_cstr(&text));
}

struct expr *bind_wanted(struct binder *b, struct wanted *w, uint32_t i, struct slice name,
                         struct slice place, struct expr *e)
{
    if (!w->into || b->err) return e;
    if (w->count > 0) { /* the first SELECT of a UNION has named them */
        if (i >= w->count) return bind_settle(b, e);
        return bind_coerce(b, e, w->types[i], "UNION ALL");
    }
    struct expr *out = wanted_column(b, w, name, place, e);
    if (!out) return NULL;
    uint32_t most = w->into->column_count;
    if (!w->types) w->types = bind_take(b, MAX(most, 1u) * sizeof(const struct type *));
    if (w->types && i < most) w->types[i] = out->type;
    return out;
}

/* --- where it goes ------------------------------------------------------------------------------
 */

static void bind_sink(struct binder *b, const struct statement *s, struct plan_stream *out)
{
    out->sink = SINK_TABLE;
    if (s->kind == STATEMENT_CREATE_SINK) {
        out->sink = SINK_NOTHING;
        if (slice_is(s->sink, "blackhole")) return;
        bind_fail(b, s->sink, ERR_UNSUPPORTED, "a sink of kind %.*s: not available in this version",
                  SLICE_ARG(s->sink));
        bind_hint(b, "CREATE SINK s INTO BLACKHOLE counts; CREATE STREAM s INTO writes a table or "
                     "INTO TOPIC a topic");
        return;
    }
    struct sql_name name = s->kind == STATEMENT_CREATE_VIEW ? s->name : s->into;
    out->into = bind_relation(b, name, name.name);
    if (b->err) return;
    bool topic = out->into->kind == RELATION_TOPIC;
    if (topic) out->sink = SINK_TOPIC;
    if (topic && s->kind == STATEMENT_CREATE_STREAM && !s->into_topic) {
        bind_fail(b, s->into.name, ERR_SYNTAX, "%.*s is a topic", SLICE_ARG(name.name));
        bind_hint(b, "write INTO TOPIC %.*s", SLICE_ARG(name.name));
    } else if (!topic && s->into_topic) {
        bind_fail(b, s->into.name, ERR_SYNTAX, "%.*s is no topic", SLICE_ARG(name.name));
        bind_hint(b, "write INTO %.*s", SLICE_ARG(name.name));
    }
}

static void check_written(struct binder *b, const struct wanted *w, struct slice place,
                          struct plan_stream *out)
{
    out->writes_every_column = true;
    for (uint32_t i = 0; i < w->into->column_count && !b->err; i++) {
        const struct sql_column *c = &w->into->columns[i];
        if (w->written[i]) continue;
        out->writes_every_column = false;
        if (!c->key) continue;
        bind_fail(b, place, ERR_TYPE, "the key column %.*s is not written", SLICE_ARG(c->name));
        bind_hint(b, "add … AS %.*s to the SELECT", SLICE_ARG(c->name));
    }
}

static bool in_key(const struct plan_node *root, uint32_t column)
{
    for (uint32_t i = 0; i < root->key_count; i++)
        if (root->key[i] == column) return true;
    return false;
}

static int64_t root_column(const struct plan_node *root, struct slice name)
{
    for (uint32_t i = 0; i < root->column_count; i++)
        if (slice_equal(root->columns[i].name, name)) return i;
    return -1;
}

static bool constant_column(const struct binder *b, const struct logic *shown, uint32_t i)
{
    return b->attrs[shown->attrs[i]].constant;
}

static void refuse_no_key(struct binder *b, const struct statement *s)
{
    bind_fail(b, s->text, ERR_UNSUPPORTED,
              "the query takes rows back, and nothing in its outputs tells its rows apart");
    bind_hint(b, "select all of what GROUP BY or PARTITION BY names, or EMIT ON WINDOW CLOSE");
}

/* A table's row is found again by its key: so the query's key and the table's are the same. */
static void fit_table_key(struct binder *b, const struct statement *s, const struct logic *shown,
                          bool one_row, const struct plan_stream *out)
{
    const struct plan_node *root = out->root;
    if (!root->changes || b->err) return;
    if (root->key_count == 0 && !one_row) {
        refuse_no_key(b, s);
        return;
    }
    for (uint32_t i = 0; i < out->into->column_count && !b->err; i++) {
        const struct sql_column *c = &out->into->columns[i];
        int64_t at = c->key ? root_column(root, c->name) : -1;
        if (at < 0 || in_key(root, (uint32_t)at) || constant_column(b, shown, (uint32_t)at))
            continue;
        bind_fail(
            b, s->text, ERR_UNSUPPORTED,
            "the key column %.*s is none of the query's: a row that changes would stay behind",
            SLICE_ARG(c->name));
        bind_hint(b, "leave it out of the table's PRIMARY KEY");
    }
    for (uint32_t i = 0; i < root->key_count && !b->err; i++) {
        struct slice name = root->columns[root->key[i]].name;
        int64_t column = relation_column(out->into, name);
        if (column >= 0 && out->into->columns[column].key) continue;
        bind_fail(b, s->text, ERR_UNSUPPORTED,
                  "rows of different %.*s would fall on the same row of the table",
                  SLICE_ARG(name));
        bind_hint(b, "add %.*s to the table's PRIMARY KEY", SLICE_ARG(name));
    }
}

static void fit_topic(struct binder *b, const struct statement *s, bool one_row,
                      struct plan_stream *out)
{
    struct slice key = sql_option(&s->options, "key");
    int64_t at = key.at ? root_column(out->root, key) : -1;
    out->topic_key = (int32_t)at;
    if (key.at && at < 0) {
        bind_fail(b, key, ERR_UNKNOWN_COLUMN, "the key %.*s is none of the query's columns",
                  SLICE_ARG(key));
        return;
    }
    if (!out->root->changes) return;
    const struct plan_node *root = out->root;
    bool alone = root->key_count == 1 && at >= 0 && in_key(root, (uint32_t)at);
    if (alone || (one_row && at >= 0)) return;
    if (root->key_count == 0 && !one_row) {
        refuse_no_key(b, s);
        return;
    }
    bind_fail(b, s->text, ERR_UNSUPPORTED,
              "the query takes rows back: into a topic they need its key as the record's");
    if (root->key_count == 1)
        bind_hint(b, "write WITH (key = '%.*s'), or EMIT ON WINDOW CLOSE",
                  SLICE_ARG(root->columns[root->key[0]].name));
    else
        bind_hint(b, "group by one column that holds them all (concat_ws('|', …)) and name it as "
                     "key, or EMIT ON WINDOW CLOSE");
}

/* --- the version --------------------------------------------------------------------------------
 */

/* A text's tokens, so that white space, comments and the case of words do not count. */
static uint64_t tokens_hash(struct binder *b, struct slice text, uint64_t seed)
{
    struct lexer l = {.text = text, .dialect = b->dialect, .arena = b->arena, .file = b->file};
    struct buf all = buf_make(SQL_TEXT_MAX * 2 + 1024);
    struct token t;
    while (!lex_next(&l, &t) && t.kind != TOKEN_END) {
        buf_char(&all, (char)t.kind);
        buf_uvarint(&all, t.value.len);
        buf_slice(&all, t.value);
    }
    uint64_t hash = hash64(buf_view(&all), seed);
    if (all.err) bind_fail(b, b->statement->text, all.err, "the statement does not fit the memory");
    buf_done(&all);
    return hash;
}

/* The statement's, and of those of its text that it stands on: views, Flink's tables. */
static uint64_t text_version(struct binder *b)
{
    uint64_t version = tokens_hash(b, b->statement->text, 0);
    for (uint32_t i = 0; i < b->statement->use_count; i++)
        version = tokens_hash(b, b->statement->uses[i], version);
    return version;
}

static uint64_t all_shapes(const struct plan_node *n, uint64_t seed)
{
    for (uint32_t i = 0; i < n->input_count; i++) seed = all_shapes(n->inputs[i], seed);
    if (!n->stateful) return seed;
    uint64_t pair[2] = {n->state_id, n->shape};
    return hash64(slice_make(pair, sizeof(pair)), seed);
}

static bool any_stateful(const struct plan_node *n)
{
    bool any = n->stateful;
    for (uint32_t i = 0; i < n->input_count; i++) any = any || any_stateful(n->inputs[i]);
    return any;
}

static bool any_command(const struct plan_node *n)
{
    bool any = n->kind == NODE_TRANSFORM;
    for (uint32_t i = 0; i < n->input_count; i++) any = any || any_command(n->inputs[i]);
    return any;
}

/* --- all of it ----------------------------------------------------------------------------------
 */

static enum emit default_emit(const struct statement *s, const struct plan_stream *out)
{
    if (s->emit_set) return s->emit;
    if (out->settings.mode == OUTPUT_APPEND) return EMIT_ON_CLOSE;
    return out->sink == SINK_TABLE ? EMIT_ON_CHANGE : EMIT_ON_CLOSE;
}

static void check_emit(struct binder *b, const struct statement *s, bool windowed)
{
    if (windowed || !s->emit_set || s->emit != EMIT_ON_CLOSE || b->err) return;
    bind_fail(b, s->text, ERR_UNSUPPORTED, "EMIT ON WINDOW CLOSE without a window");
    bind_hint(b, "GROUP BY a window: FROM TUMBLE(t, ts, INTERVAL '1' MINUTE) GROUP BY "
                 "window_start, …");
}

static void check_mode(struct binder *b, const struct statement *s, const struct plan_stream *out)
{
    if (b->err) return;
    if (out->settings.mode == OUTPUT_APPEND && out->root->changes) {
        bind_fail(b, s->text, ERR_UNSUPPORTED, "output_mode = 'append': the query takes rows back");
        bind_hint(b, "GROUP BY a window, or output_mode = 'update'");
    } else if (out->settings.mode == OUTPUT_COMPLETE && out->sink != SINK_TABLE) {
        bind_fail(b, s->text, ERR_UNSUPPORTED,
                  "output_mode = 'complete' into a topic: the whole answer again and again");
        bind_hint(b, "a table holds the whole answer: write INTO a table");
    }
}

static void finish(struct binder *b, const struct statement *s, struct logic *root,
                   struct plan_stream *out)
{
    struct lowered plan = {0};
    bool windowed = bind_emits(b, root, default_emit(s, out));
    check_emit(b, s, windowed);
    bind_lower(b, root, &plan);
    if (b->err) return;
    out->root = plan.root;
    out->node_count = plan.node_count;
    out->topics = plan.topics;
    out->topic_count = plan.topic_count;
    out->stateful = any_stateful(plan.root);
    out->deterministic = !b->fresh && !any_command(plan.root);
    out->shape = out->stateful ? all_shapes(plan.root, 0) : 0;
    const struct logic *shown = logic_shown(root);
    if (out->sink == SINK_TABLE) fit_table_key(b, s, shown, plan.one_row, out);
    if (out->sink == SINK_TOPIC) fit_topic(b, s, plan.one_row, out);
    check_mode(b, s, out);
}

err_t sql_bind_stream(const struct statement *s, const struct sql_catalog *c, const char *file,
                      struct arena *a, struct plan_stream *out, struct diag *d)
{
    struct binder b = binder_make(s, c, s->dialect, file, a, d);
    INVARIANT(s->kind == STATEMENT_CREATE_STREAM || s->kind == STATEMENT_CREATE_VIEW ||
              s->kind == STATEMENT_CREATE_SINK || s->kind == STATEMENT_INSERT);
    *out = (struct plan_stream){
        .name = s->name.name, .text = s->text, .script = s->script, .topic_key = -1};
    b.stream = true;
    b.view = s->kind == STATEMENT_CREATE_VIEW;
    struct wanted w = {0};
    bind_settings(&b, &s->options, &out->settings);
    bind_sink(&b, s, out);
    if (!b.err && out->sink == SINK_TABLE) {
        w.into = out->into;
        w.written = bind_take(&b, MAX(out->into->column_count, 1u));
    }
    struct logic *root = b.err ? NULL : bind_query(&b, s->query, w.into ? &w : NULL);
    const struct select_tree *first = s->query->selects[0];
    if (root && w.into) check_written(&b, &w, first->items[0].value->text, out);
    if (root && !b.err) finish(&b, s, root, out);
    if (!b.err) out->sql_version = text_version(&b);
    return b.err;
}

err_t sql_bind_select(const struct statement *s, const struct sql_catalog *c,
                      enum sql_dialect dialect, struct arena *a, struct plan_select *out,
                      struct diag *d)
{
    struct binder b = binder_make(s, c, dialect, NULL, a, d);
    struct lowered plan = {0};
    *out = (struct plan_select){0};
    INVARIANT(s->kind == STATEMENT_SELECT);
    struct logic *root = bind_query(&b, s->query, NULL);
    if (root) bind_lower(&b, root, &plan);
    out->root = plan.root;
    out->node_count = plan.node_count;
    return b.err;
}
