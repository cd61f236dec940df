/* CHECK: conditions, dbt's rules as conditions, what ELSE NULL writes null into. */
#include "sql/bind.h"

/* --- which outputs are made of a field ----------------------------------------------------------
 */

/* One field may be read as several types: each an attribute of its own. */
static bool same_field(const struct binder *b, uint32_t x, uint32_t y)
{
    const struct logic *leaf = b->attrs[x].owner;
    if (x == y) return true;
    if (leaf != b->attrs[y].owner || leaf->node.kind != NODE_TOPIC) return false;
    const struct plan_input *in[2] = {NULL, NULL};
    for (uint32_t i = 0; i < leaf->attr_count; i++) {
        if (leaf->attrs[i] == x) in[0] = &leaf->node.topic.inputs[i];
        if (leaf->attrs[i] == y) in[1] = &leaf->node.topic.inputs[i];
    }
    if (in[0]->kind != in[1]->kind) return false;
    struct expr p = {
        .kind = EXPR_PATH, .steps = in[0]->path.steps, .step_count = in[0]->path.step_count};
    struct expr q = {
        .kind = EXPR_PATH, .steps = in[1]->path.steps, .step_count = in[1]->path.step_count};
    return expr_same_name(&p, &q);
}

static bool reads_field(const struct binder *b, const struct expr *e, uint32_t field)
{
    if (e->kind == EXPR_INPUT) return same_field(b, e->input, field);
    for (uint32_t i = 0; i < e->count; i++)
        if (reads_field(b, e->args[i], field)) return true;
    return false;
}

static bool shares_field(const struct binder *b, const struct expr *condition,
                         const struct expr *output)
{
    if (condition->kind == EXPR_INPUT) return reads_field(b, output, condition->input);
    for (uint32_t i = 0; i < condition->count; i++)
        if (shares_field(b, condition->args[i], output)) return true;
    return false;
}

/* ELSE NULL: the outputs that are made of a field the condition looks at. */
static void bind_nulls(struct binder *b, const struct logic *rows, const struct wanted *w,
                       struct slice place, struct plan_check *check)
{
    const struct plan_rows *r = &rows->node.rows;
    uint32_t *nulls = bind_take(b, MAX(r->output_count, 1u) * sizeof(*nulls));
    for (uint32_t i = 0; nulls && i < r->output_count; i++) {
        if (!shares_field(b, check->condition, r->outputs[i].value)) continue;
        nulls[check->null_count++] = i;
        int64_t column = w && w->into ? relation_column(w->into, r->outputs[i].name) : -1;
        if (column >= 0 && w->into->columns[column].key)
            bind_fail(b, place, ERR_TYPE, "ELSE NULL would make the key column %.*s null",
                      SLICE_ARG(r->outputs[i].name));
    }
    if (!b->err && check->null_count == 0)
        bind_fail(b, place, ERR_TYPE, "ELSE NULL: no column is made of what this condition reads");
    check->nulls = nulls;
}

/* --- dbt's rules --------------------------------------------------------------------------------
 */

static const struct tree *made(struct binder *b, const struct tree *rule, struct tree t,
                               const struct tree *const *args, uint32_t count)
{
    struct tree *out = bind_take(b, sizeof(*out));
    const struct tree **copy = bind_take(b, MAX(count, 1u) * sizeof(const struct tree *));
    if (!out || !copy) return NULL;
    for (uint32_t i = 0; i < count; i++) copy[i] = args[i];
    *out = t;
    out->text = rule->text;
    out->depth = (uint16_t)(rule->depth + 2);
    out->args = copy;
    out->count = count;
    return out;
}

static const struct tree *is_null(struct binder *b, const struct tree *rule, bool negated)
{
    return made(b, rule, (struct tree){.kind = TREE_IS, .op = OP_NULL, .negated = negated},
                rule->args, 1);
}

/* The condition that a rule stands for; a null passes all but not_null. */
static const struct tree *rule_tree(struct binder *b, const struct tree *rule)
{
    const struct tree *sides[2];
    if (slice_is(rule->value, "not_null")) return is_null(b, rule, true);
    if (slice_is(rule->value, "accepted_values")) {
        sides[1] = made(b, rule, (struct tree){.kind = TREE_IN}, rule->args, rule->count);
    } else if (slice_is(rule->value, "range")) {
        sides[1] = made(b, rule, (struct tree){.kind = TREE_BETWEEN}, rule->args, 3);
    } else { /* freshness(ts, '10m'): ts >= now() - 10m */
        struct tree now = {.kind = TREE_CALL, .value = SLICE("now")};
        struct tree span = *rule->args[1];
        span.kind = TREE_DURATION;
        const struct tree *minus[2] = {made(b, rule, now, NULL, 0), made(b, rule, span, NULL, 0)};
        const struct tree *than[2] = {
            rule->args[0],
            made(b, rule, (struct tree){.kind = TREE_ARITH, .op = OP_SUB}, minus, 2)};
        return made(b, rule, (struct tree){.kind = TREE_COMPARE, .op = OP_GE}, than, 2);
    }
    sides[0] = is_null(b, rule, false);
    return made(b, rule, (struct tree){.kind = TREE_OR}, sides, 2);
}

/* unique(a) [WITHIN '1h'] ELSE SKIP: the first of each, below the outputs. */
static void unique_rule(struct binder *b, const struct check_tree *c, struct logic *rows)
{
    if (c->action != CHECK_SKIP) {
        bind_fail(b, c->text, ERR_UNSUPPORTED, "unique with another ELSE than SKIP");
        bind_hint(b, "write ELSE SKIP: rows that come again are counted as deduplicated");
        return;
    }
    struct logic *l = logic_new(b, NODE_DISTINCT, rows->ins[0], c->text);
    uint32_t *by = l ? bind_take(b, c->condition->count * sizeof(*by)) : NULL;
    for (uint32_t i = 0; by && i < c->condition->count && !b->err; i++) {
        struct expr *e = bind_settle(b, bind_expr(b, c->condition->args[i]));
        if (!b->err && !expr_is_attr(e, &by[i]))
            bind_fail(b, c->condition->args[i]->text, ERR_UNSUPPORTED,
                      "unique takes columns: %.*s is computed",
                      SLICE_ARG(c->condition->args[i]->text));
    }
    if (b->err) return;
    l->node.distinct = (struct plan_distinct){.by = by,
                                              .by_count = c->condition->count,
                                              .within_watermark = c->within_ms > 0,
                                              .keep_ms = c->within_ms,
                                              .ttl_ms = c->within_ms ? 0 : b->state_ttl_ms};
    if (c->within_ms && logic_time(b, l->ins[0]) == NO_ATTR)
        bind_fail(b, c->text, ERR_UNSUPPORTED, "unique … WITHIN over rows without an event time");
    rows->ins[0] = l;
}

void bind_checks(struct binder *b, const struct select_tree *s, struct logic *rows,
                 const struct wanted *w)
{
    struct plan_check *checks = bind_take(b, MAX(s->check_count, 1u) * sizeof(*checks));
    const char *outside = b->no_aggregates;
    b->no_aggregates = "CHECK";
    uint32_t n = 0;
    for (uint32_t i = 0; checks && i < s->check_count && !b->err; i++) {
        const struct check_tree *c = &s->checks[i];
        if (c->rule && slice_is(c->condition->value, "unique")) {
            unique_rule(b, c, rows);
            continue;
        }
        const struct tree *t = c->rule ? rule_tree(b, c->condition) : c->condition;
        checks[n] = (struct plan_check){.action = c->action, .text = c->text};
        if (t) checks[n].condition = bind_condition(b, t, "CHECK");
        if (!b->err && c->action == CHECK_NULL) bind_nulls(b, rows, w, c->text, &checks[n]);
        n++;
    }
    b->no_aggregates = outside;
    rows->node.rows.checks = checks;
    rows->node.rows.check_count = n;
}
