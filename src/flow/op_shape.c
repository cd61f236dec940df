/* op_shape: UNION ALL, UNNEST: rows of another shape, without memory of them. */
#include "flow/telling.h"

/* --- UNION ALL ----------------------------------------------------------------------------------
 */

static err_t union_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    (void)input;
    return op_emit(o, r, d);
}

const struct op_kind op_union = {.push = union_push};

/* --- UNNEST -------------------------------------------------------------------------------------
 */

struct unnest {
    struct telling out;
    struct json_decoder *json;
    struct buf padded;
};
struct unnesting { /* of one row */
    struct op *op;
    const struct rows *r;
    uint32_t row;
    int64_t count;
    err_t failed; /* of who takes the elements: not of the list */
    struct diag *d;
};

/* NULL: there is no element, and so no place of it either. */
static err_t put_element(struct unnesting *u, const struct value *element)
{
    struct unnest *n = u->op->self;
    const struct plan_node *in = u->op->node->inputs[0];
    uint32_t at, width = in->column_count;
    struct value v = element ? *element : (struct value){.state = NULL_VALUE};
    struct slice copy;
    err_t e = ERR_OK;
    if (v.state == VALID_VALUE && type_phys(v.type) == PHYS_BYTES && v.bytes.len) {
        e = tell_copy(&n->out, v.bytes, &copy, u->d);
        v.bytes = copy;
    }
    if (!e) e = tell_row(&n->out, u->r->signs ? u->r->signs[u->row] : 1, &at, u->d);
    if (e) return e;
    tell_columns(&n->out, at, 0, u->r->b->columns, width, u->row);
    tell_origin(&n->out, at, u->r, u->row);
    u->count++;
    if (v.state == VALID_VALUE)
        e = column_set(&n->out.b.columns[width], at, &v);
    else
        column_put_null(&n->out.b.columns[width], at);
    if (!e && u->op->node->unnest.ordinality) {
        struct value number = value_i64(TYPE_BIGINT, u->count);
        if (element)
            e = column_set(&n->out.b.columns[width + 1], at, &number);
        else
            column_put_null(&n->out.b.columns[width + 1], at);
    }
    return e ? diag_fail(u->d, e, "UNNEST") : ERR_OK;
}

static err_t put_json(void *ctx, struct slice item)
{
    struct unnesting *u = ctx;
    struct value v = {.type = type_of(TYPE_JSON), .state = VALID_VALUE, .bytes = item};
    if (slice_is(item, "null")) v.state = NULL_VALUE;
    return u->failed = put_element(u, &v);
}

static err_t unnest_json(struct unnesting *u, struct slice json, bool *dead)
{
    struct unnest *n = u->op->self;
    struct diag why = {0};
    buf_reset(&n->padded);
    buf_slice(&n->padded, json);
    if (!buf_reserve(&n->padded, JSON_PADDING)) return diag_fail(u->d, n->padded.err, "UNNEST");
    err_t e = json_items(n->json, buf_view(&n->padded), SLICE("$[*]"), put_json, u, &why);
    if (u->failed || !e) return u->failed;
    if (err_passes(e)) return diag_fail(u->d, e, "UNNEST");
    *dead = true;
    return op_dead(u->op, u->r, u->row, ERR_TYPE, SLICE("UNNEST wants an array"), u->op->node->text,
                   u->d);
}

static err_t unnest_row(struct unnesting *u, const struct column *lists)
{
    struct value list, element;
    err_t e = ERR_OK;
    bool dead = false;
    if (lists->state[u->row] == ERROR_VALUE) {
        const struct row_fault *f = batch_fault_of(u->r->b, u->row);
        return op_dead(u->op, u->r, u->row, f ? f->err : ERR_CAST,
                       f && f->text ? slice_of(f->text) : SLICE("the list can not be computed"),
                       u->op->node->text, u->d);
    }
    if (lists->state[u->row] == VALID_VALUE) {
        column_get(lists, u->row, &list);
        if (lists->type->kind == TYPE_JSON) {
            if (!slice_is(list.bytes, "null")) e = unnest_json(u, list.bytes, &dead);
        } else {
            struct value_walk w = value_walk_make(&list);
            while (!e && value_walk_next(&w, &element)) e = put_element(u, &element);
        }
    }
    if (e || dead) return e;
    if (!u->count && u->op->node->unnest.outer) e = put_element(u, NULL);
    if (u->r->chunk) op_count(u->op, u->count ? TERM_APPLIED : TERM_FILTERED, 1);
    return e;
}

static err_t unnest_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    struct unnest *n = o->self;
    struct column lists;
    (void)input;
    err_t e = op_eval(o, o->node->unnest.value, r, &lists, d);
    for (uint32_t i = 0; !e && i < r->count; i++) {
        struct unnesting u = {.op = o, .r = r, .row = r->selected[i], .d = d};
        e = unnest_row(&u, &lists);
    }
    return e ? e : tell_flush(&n->out, d);
}

static void unnest_close(struct op *o)
{
    struct unnest *n = o->self;
    if (!n) return;
    tell_done(&n->out);
    json_decoder_free(n->json);
    buf_done(&n->padded);
    mem_give(n);
    o->self = NULL;
}

static err_t unnest_open(struct op *o, struct diag *d)
{
    struct unnest *n = o->self = mem_take(sizeof(*n));
    if (!n) return diag_fail(d, ERR_NO_MEMORY, "UNNEST");
    n->json = json_decoder_new();
    n->padded = buf_make(JSON_SIZE_MAX + 2 * JSON_PADDING);
    if (!n->json) return diag_fail(d, ERR_NO_MEMORY, "UNNEST");
    return tell_init(&n->out, o, d);
}

static void unnest_forget(struct op *o)
{
    tell_forget(&((struct unnest *)o->self)->out);
}

const struct op_kind op_unnest = {
    .open = unnest_open, .push = unnest_push, .forget = unnest_forget, .close = unnest_close};
