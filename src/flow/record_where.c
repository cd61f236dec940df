#include "flow/record_where.h"

#include "flow/flow_int.h"

#include <stdio.h>

enum { CONDITION_MAX = 64 << 10 };

struct record_where {
    struct arena *plans, *batch;
    struct plan_select plan;
    const struct plan_topic *topic;
    const struct expr *where; /* NULL: true of all */
    struct inputs *inputs;
    struct chunk *chunk;
    uint64_t runs;
};

static err_t refuse(struct diag *d)
{
    (void)diag_fail(d, ERR_USAGE, "records are chosen by a condition on one record alone");
    return diag_hint(d, "age > 30 AND name.first LIKE 'A%%', _key = 'x', _offset >= 100");
}

static err_t bind(struct record_where *w, const struct sql_catalog *c, struct slice topic,
                  struct slice condition, struct diag *d)
{
    struct script script;
    if (condition.len > CONDITION_MAX)
        return diag_fail(d, ERR_TOO_BIG, "a condition of %u bytes", condition.len);
    char *text = arena_printf(w->plans, "SELECT 1 AS x FROM \"%.*s\" WHERE\n%.*s", SLICE_ARG(topic),
                              SLICE_ARG(condition));
    if (!text) return diag_fail(d, ERR_NO_MEMORY, "no memory for a condition");
    err_t e = sql_parse(slice_of(text), "condition", DIALECT_SLUICE, w->plans, &script, d);
    if (!e && (script.count != 1 || script.statements[0].kind != STATEMENT_SELECT)) e = refuse(d);
    if (!e) e = sql_bind_select(&script.statements[0], c, DIALECT_SLUICE, w->plans, &w->plan, d);
    if (e) return e;
    const struct plan_node *n = w->plan.root;
    if (n->kind != NODE_ROWS || n->input_count != 1 || n->inputs[0]->kind != NODE_TOPIC)
        return refuse(d);
    w->topic = &n->inputs[0]->topic;
    w->where = n->rows.where;
    if (!slice_equal(w->topic->relation->name, topic) || n->rows.check_count) return refuse(d);
    return inputs_new(w->topic->inputs, w->topic->input_count, NULL, &w->inputs, d);
}

err_t record_where_new(const struct sql_catalog *c, struct slice topic, struct slice condition,
                       struct record_where **out, struct diag *d)
{
    struct record_where *w = mem_take(sizeof(*w));
    if (!w) return diag_fail(d, ERR_NO_MEMORY, "no memory for a condition");
    *w = (struct record_where){.plans = arena_new(MIB(16)),
                               .batch = arena_new(MIB(256)),
                               .chunk = mem_take(sizeof(*w->chunk))};
    err_t e = w->plans && w->batch && w->chunk
                  ? bind(w, c, topic, condition, d)
                  : diag_fail(d, ERR_NO_MEMORY, "no memory for a condition");
    if (e) {
        record_where_free(w);
        return e;
    }
    *out = w;
    return ERR_OK;
}

void record_where_free(struct record_where *w)
{
    if (!w) return;
    inputs_free(w->inputs);
    mem_give(w->chunk);
    arena_free(w->batch);
    arena_free(w->plans);
    mem_give(w);
}

static void load(struct chunk *c, const struct record_seen *records, uint32_t count)
{
    chunk_reset(c);
    for (uint32_t i = 0; i < count; i++) {
        c->values[i] = records[i].value;
        c->keys[i] = records[i].key;
        c->offsets[i] = records[i].offset;
        c->times[i] = records[i].time_ms;
        c->partitions[i] = records[i].partition;
        c->gone[i] = 0;
    }
    c->rows = count;
}

static void note_why(char why[RECORD_WHERE_WHY_MAX], const struct record_seen *r, struct slice text)
{
    if (!why[0])
        snprintf(why, RECORD_WHERE_WHY_MAX, "partition %d offset %lld: %.*s", r->partition,
                 (long long)r->offset, (int)MIN(text.len, 200u), (const char *)text.at);
}

err_t record_where_run(struct record_where *w, const struct record_seen *records, uint32_t count,
                       int64_t now_ms, bool *fits, uint32_t *unsure, char why[RECORD_WHERE_WHY_MAX],
                       struct diag *d)
{
    struct column_batch b = {.arena = w->batch};
    struct column col = {0};
    INVARIANT(count <= RECORD_WHERE_ROWS);
    *unsure = 0;
    arena_reset(w->batch);
    load(w->chunk, records, count);
    err_t e = inputs_decode(w->inputs, w->topic->relation->name, w->chunk, &b, d);
    struct eval_context x = {.now_ms = now_ms,
                             .epoch = w->runs++,
                             .offsets = w->chunk->offsets,
                             .partitions = w->chunk->partitions,
                             .topic = w->topic->relation->name};
    if (!e && w->where) e = expr_eval(w->where, &x, &b, &col);
    if (!e && w->chunk->machine) e = w->chunk->machine;
    if (e) return d->err ? e : diag_fail(d, e, "a condition on records can not be computed");
    for (uint32_t i = 0; i < w->chunk->dead_count; i++)
        note_why(why, &records[w->chunk->dead[i].row], w->chunk->dead[i].reason);
    for (uint32_t i = 0; i < count; i++) {
        bool bad = w->chunk->gone[i] || (w->where && col.state[i] == ERROR_VALUE);
        const struct row_fault *f = bad ? batch_fault_of(&b, i) : NULL;
        fits[i] = !bad && (!w->where || (col.state[i] == VALID_VALUE && col.b1[i]));
        *unsure += bad;
        if (f && f->text) note_why(why, &records[i], slice_of(f->text));
    }
    return ERR_OK;
}
