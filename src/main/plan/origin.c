/* Which fields of which topics a column is made of, down through a plan's nodes. */
#include "main/plan/planning.h"

/* What makes a value that the field can not be read from. */
static const char *const hiding[] = {"mask",   "mask_email",  "md5",         "sha1",
                                     "sha256", "sha512",      "hash64",      "crc32",
                                     "length", "char_length", "octet_length"};

enum { ORIGIN_STEPS_MAX = 100000 };

struct tracing {
    struct origins *out;
    const struct plan_node *const *inputs;
    uint32_t input_count;
    bool hidden;
};

static void trace(const struct plan_node *n, uint32_t column, bool hidden, struct origins *out);

/* A column of a node's inputs laid side by side. */
static void trace_input(const struct tracing *t, uint32_t column, bool hidden)
{
    for (uint32_t i = 0; i < t->input_count; i++) {
        if (column < t->inputs[i]->column_count) {
            trace(t->inputs[i], column, hidden, t->out);
            return;
        }
        column -= t->inputs[i]->column_count;
    }
}

static bool hides(const char *function)
{
    for (size_t i = 0; i < COUNT_OF(hiding); i++)
        if (strcmp(function, hiding[i]) == 0) return true;
    return false;
}

static bool on_part(void *ctx, const struct expr_part *p)
{
    struct tracing *t = ctx;
    if (p->fresh && !t->out->fresh) t->out->fresh = p->name;
    t->out->tries |= p->kind == EXPR_PART_TRY;
    if (p->kind != EXPR_PART_COLUMN) return true;
    bool hidden = t->hidden;
    for (const struct expr_part *o = p->outer; o; o = o->outer)
        hidden |= o->kind == EXPR_PART_TRUTH || (o->kind == EXPR_PART_CALL && hides(o->name));
    trace_input(t, p->column, hidden);
    return true;
}

static void trace_expr(const struct plan_node *n, const struct expr *e, bool hidden,
                       struct origins *out)
{
    struct tracing t = {out, n->inputs, n->input_count, hidden};
    expr_parts(e, on_part, &t);
}

static void trace_group(const struct plan_node *n, uint32_t column, bool hidden,
                        struct origins *out)
{
    uint32_t first = n->group.window.kind ? 3 : 0;
    if (column < first) return;
    column -= first;
    if (column < n->group.key_count) {
        trace_expr(n, n->group.keys[column], hidden, out);
        return;
    }
    const struct plan_aggregate *a = &n->group.aggregates[column - n->group.key_count];
    bool number = type_is_number(a->type) || a->type->kind == TYPE_BOOLEAN; /* count, sum … */
    for (uint32_t i = 0; i < a->arg_count; i++) trace_expr(n, a->args[i], hidden || number, out);
}

static void trace_topic(const struct plan_node *n, uint32_t column, bool hidden,
                        struct origins *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        if (out->items[i].input != &n->topic.inputs[column]) continue;
        out->items[i].hidden &= hidden;
        return;
    }
    if (out->count < ORIGINS_MAX)
        out->items[out->count++] = (struct origin){n, &n->topic.inputs[column], hidden};
}

static void trace(const struct plan_node *n, uint32_t column, bool hidden, struct origins *out)
{
    const struct plan_node *in = n->input_count ? n->inputs[0] : NULL;
    struct tracing t = {out, n->inputs, n->input_count, hidden};
    if (out->steps++ > ORIGIN_STEPS_MAX) return; /* a text made to be slow */
    switch (n->kind) {
    case NODE_TOPIC: trace_topic(n, column, hidden, out); return;
    case NODE_ROWS: trace_expr(n, n->rows.outputs[column].value, hidden, out); return;
    case NODE_GROUP: trace_group(n, column, hidden, out); return;
    case NODE_JOIN: trace_input(&t, column, hidden); return;
    case NODE_UNION:
        for (uint32_t i = 0; i < n->input_count; i++) trace(n->inputs[i], column, hidden, out);
        return;
    case NODE_UNNEST:
        if (column < in->column_count)
            trace(in, column, hidden, out);
        else
            trace_expr(n, n->unnest.value, hidden, out);
        return;
    case NODE_ONE:
    case NODE_TABLE:
    case NODE_TRANSFORM:
    case NODE_KINDS: return;
    default: /* the input's columns come first, and what is added tells of nobody */
        if (in && column < in->column_count) trace(in, column, hidden, out);
        return;
    }
}

static bool first_text(void *ctx, const struct expr_part *p)
{
    struct slice *text = ctx;
    if (!text->at) *text = p->text;
    return false;
}

void origins_of(const struct plan_node *n, uint32_t column, struct origins *out)
{
    *out = (struct origins){.count = 0};
    struct slice text = {0};
    if (n->kind == NODE_ROWS) expr_parts(n->rows.outputs[column].value, first_text, &text);
    trace(n, column, false, out);
    out->text = text;
}

/* --- where a field is named ---------------------------------------------------------------------
 */

struct seeking {
    const struct plan_node *node;
    const struct plan_input *input; /* NULL: … */
    struct slice text;              /* … an expression of this text */
    struct slice found;
};

static bool on_seek(void *ctx, const struct expr_part *p)
{
    struct seeking *s = ctx;
    uint32_t column = p->column;
    if (s->found.at) return false;
    if (!s->input) {
        if (slice_equal(p->text, s->text)) s->found = p->text;
        return !s->found.at;
    }
    for (uint32_t i = 0; p->kind == EXPR_PART_COLUMN && i < s->node->input_count; i++) {
        const struct plan_node *in = s->node->inputs[i];
        if (column < in->column_count) {
            if (in->kind == NODE_TOPIC && &in->topic.inputs[column] == s->input) s->found = p->text;
            return false;
        }
        column -= in->column_count;
    }
    return true;
}

static void seek(struct seeking *s, const struct expr *e)
{
    if (e && !s->found.at) expr_parts(e, on_seek, s);
}

struct slice plan_place(const struct plan_node *n, const struct plan_input *input,
                        struct slice text)
{
    struct seeking s = {n, input, text, {0}};
    for (uint32_t i = 0; i < n->input_count && !s.found.at; i++)
        s.found = plan_place(n->inputs[i], input, text);
    if (n->kind == NODE_ROWS) {
        for (uint32_t i = 0; i < n->rows.output_count; i++) seek(&s, n->rows.outputs[i].value);
        seek(&s, n->rows.where);
        for (uint32_t i = 0; i < n->rows.check_count; i++) seek(&s, n->rows.checks[i].condition);
    } else if (n->kind == NODE_GROUP) {
        for (uint32_t i = 0; i < n->group.key_count; i++) seek(&s, n->group.keys[i]);
        for (uint32_t i = 0; i < n->group.aggregate_count; i++)
            for (uint32_t k = 0; k < n->group.aggregates[i].arg_count; k++)
                seek(&s, n->group.aggregates[i].args[k]);
    } else if (n->kind == NODE_UNNEST) {
        seek(&s, n->unnest.value);
    }
    return s.found;
}
