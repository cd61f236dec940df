/* dead_where: a condition of SQL over dead letters: bound once, as the WHERE of a query over a
 * table of their columns, and run for one letter after the other. */
#include "flow/op.h"

enum { COLUMNS = 14, CONDITION_MAX = 64 << 10, LETTER_BYTES = 16 << 20 };

struct dead_where {
    struct arena *plans, *batch;
    struct plan_select plan;
    const struct plan_node *table; /* NULL: the condition reads no column */
    struct graph *graph;
    struct counter counter;
    struct diag why; /* the first failure that was not a letter's */
    bool fits;
};

static const struct {
    const char *name;
    enum type_kind type;
} letter_columns[COLUMNS] = {
    {"topic", TYPE_TEXT},        {"partition", TYPE_INT},  {"offset", TYPE_BIGINT},
    {"time", TYPE_TIMESTAMP},    {"code", TYPE_TEXT},      {"column", TYPE_TEXT},
    {"expression", TYPE_TEXT},   {"reason", TYPE_TEXT},    {"key", TYPE_TEXT},
    {"raw", TYPE_TEXT},          {"mended", TYPE_TEXT},    {"epoch", TYPE_BIGINT},
    {"written", TYPE_TIMESTAMP}, {"records", TYPE_BIGINT},
};

/* --- binding ------------------------------------------------------------------------------------
 */

struct letters_catalog {
    struct sql_relation relation;
    struct sql_column columns[COLUMNS];
};

static const struct sql_relation *find(void *ctx, struct slice keyspace, struct slice name)
{
    const struct letters_catalog *c = ctx;
    return !keyspace.at && slice_equal(name, c->relation.name) ? &c->relation : NULL;
}

static size_t names(void *ctx, const char **out, size_t max)
{
    (void)ctx;
    if (max) out[0] = "dead_letters";
    return max ? 1 : 0;
}

static err_t refuse(struct diag *d)
{
    (void)diag_fail(d, ERR_USAGE, "letters are chosen by a condition on their columns alone");
    return diag_hint(d,
                     "topic, partition, offset, time, code, column, expression, reason, key, "
                     "raw, mended, epoch, records, written: code = 'CAST' AND reason LIKE '%%x%%'");
}

static err_t look_at(struct dead_where *w, const struct plan_node *n, struct diag *d)
{
    if (n->kind == NODE_TABLE) w->table = n;
    if (n->kind != NODE_TABLE && n->kind != NODE_ROWS) return refuse(d);
    return n->input_count ? look_at(w, n->inputs[0], d) : ERR_OK;
}

static err_t bind(struct dead_where *w, struct slice condition, struct diag *d)
{
    struct letters_catalog *c = arena_take(w->plans, sizeof(*c));
    char *text = arena_printf(w->plans, "SELECT 1 AS x FROM dead_letters WHERE (%.*s)",
                              SLICE_ARG(condition));
    struct script script;
    if (!c || !text || condition.len > CONDITION_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a condition on letters");
    for (uint32_t i = 0; i < COLUMNS; i++)
        c->columns[i] = (struct sql_column){.name = slice_of(letter_columns[i].name),
                                            .type = type_of(letter_columns[i].type)};
    c->relation = (struct sql_relation){.kind = RELATION_TABLE,
                                        .name = SLICE("dead_letters"),
                                        .columns = c->columns,
                                        .column_count = COLUMNS};
    struct sql_catalog port = {.ctx = c, .find = find, .names = names};
    err_t e = sql_parse(slice_of(text), "--where", DIALECT_SLUICE, w->plans, &script, d);
    if (!e && script.count != 1) e = refuse(d);
    if (!e)
        e = sql_bind_select(&script.statements[0], &port, DIALECT_SLUICE, w->plans, &w->plan, d);
    return e ? e : look_at(w, w->plan.root, d);
}

/* --- running ------------------------------------------------------------------------------------
 */

static err_t on_row(void *ctx, const struct rows *r, struct diag *d)
{
    (void)d;
    ((struct dead_where *)ctx)->fits = r->count > 0;
    return ERR_OK;
}

/* What can not be computed of a letter is not true of it. */
static err_t on_dead(void *ctx, err_t e, struct slice reason, struct slice expression,
                     struct slice raw, struct diag *d)
{
    (void)ctx, (void)e, (void)reason, (void)expression, (void)raw, (void)d;
    return ERR_OK;
}

err_t dead_where_new(struct slice condition, struct dead_where **out, struct diag *d)
{
    struct dead_where *w = mem_take(sizeof(*w));
    if (!w) return diag_fail(d, ERR_NO_MEMORY, "a condition on letters");
    *w = (struct dead_where){
        .plans = arena_new(MIB(16)), .batch = arena_new(MIB(64)), .counter.skip = -1};
    struct graph_options o = {.bounded = true,
                              .name = SLICE("--where"),
                              .memory_max = MIB(16),
                              .ctx = w,
                              .end = on_row,
                              .dead = on_dead};
    err_t e = w->plans && w->batch ? bind(w, condition, d)
                                   : diag_fail(d, ERR_NO_MEMORY, "a condition on letters");
    o.root = w->plan.root;
    o.node_count = w->plan.node_count;
    if (!e) e = graph_new(&o, &w->graph, d);
    if (e) {
        dead_where_free(w);
        return e;
    }
    *out = w;
    return ERR_OK;
}

void dead_where_free(struct dead_where *w)
{
    if (!w) return;
    graph_free(w->graph);
    arena_free(w->batch);
    arena_free(w->plans);
    mem_give(w);
}

static struct value text_of(struct slice s)
{
    uint32_t bad;
    return (struct value){.type = type_of(TYPE_TEXT),
                          .state = s.at && utf8_valid(s, &bad) ? VALID_VALUE : NULL_VALUE,
                          .bytes = s};
}

/* In the order of letter_columns. */
static void values_of(const struct dead_letter *l, struct value out[COLUMNS])
{
    const struct value all[COLUMNS] = {text_of(l->topic),
                                       value_i64(TYPE_INT, l->partition),
                                       value_i64(TYPE_BIGINT, l->offset),
                                       value_i64(TYPE_TIMESTAMP, l->time_ms),
                                       text_of(slice_of(err_name(l->err))),
                                       text_of(l->column),
                                       text_of(l->expression),
                                       text_of(l->reason),
                                       text_of(l->key),
                                       text_of(l->raw),
                                       text_of(l->mended),
                                       value_i64(TYPE_BIGINT, (int64_t)l->epoch),
                                       value_i64(TYPE_TIMESTAMP, l->written_ms),
                                       value_i64(TYPE_BIGINT, (int64_t)l->count)};
    memcpy(out, all, sizeof(all));
}

static err_t try_letter(struct dead_where *w, const struct dead_letter *l)
{
    const struct plan_table *t = &w->table->table;
    const struct type **types = arena_take(w->batch, (t->input_count + 1) * sizeof(*types));
    struct column_batch b = {0};
    struct value values[COLUMNS];
    err_t e = types ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < t->input_count; i++) types[i] = t->inputs[i].type;
    if (!e) e = batch_init(&b, types, t->input_count, 1, w->batch);
    values_of(l, values);
    for (uint32_t i = 0; !e && i < t->input_count; i++)
        if (values[t->inputs[i].column].state == VALID_VALUE)
            e = column_set(&b.columns[i], 0, &values[t->inputs[i].column]);
    if (e) return diag_fail(&w->why, e, "a condition on letters");
    graph_begin(w->graph, l->written_ms, 0, INT64_MIN, &w->counter, w->batch);
    return graph_push_rows(w->graph, w->table->id, &b, &w->why);
}

bool dead_where_fits(struct dead_where *w, const struct dead_letter *l)
{
    w->fits = false;
    arena_reset(w->batch);
    if (w->why.err || !w->table) return false;
    return try_letter(w, l) == ERR_OK && w->fits;
}

err_t dead_where_failure(const struct dead_where *w, struct diag *d)
{
    if (w && w->why.err) *d = w->why;
    return w ? w->why.err : ERR_OK;
}
