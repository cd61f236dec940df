/* stream: a plan over a chunk of records: WHERE, CHECKs, outputs; and what a stream is. */
#include "flow/flow_int.h"

enum { TEXT_MAX = 64 << 10 };

struct program {
    const struct plan_stream *plan;
    struct inputs *inputs;
    struct arena *texts;
    struct slice where_text, *output_texts;
    uint8_t *output_keys; /* an output: 0, or the role of the table's key column it fills */
    struct column *outputs;
};

struct run { /* of one chunk */
    struct program *p;
    const struct eval_context *x;
    struct chunk *c;
    struct counter *counter;
    struct column_batch b;
    uint8_t **nulls; /* an output: the rows a CHECK … ELSE NULL has emptied; NULL: none */
    struct diag *d;
};

static struct slice text_of(struct arena *a, const struct expr *e)
{
    struct buf b = buf_make(TEXT_MAX);
    expr_print(e, &b);
    struct slice s = arena_slice(a, buf_view(&b));
    buf_done(&b);
    return s;
}

static uint8_t key_of(const struct sql_relation *table, struct slice name)
{
    for (uint32_t i = 0; i < table->column_count; i++)
        if (slice_equal(table->columns[i].name, name)) return table->columns[i].key;
    return 0;
}

err_t program_new(const struct plan_stream *plan, struct program **out, struct diag *d)
{
    struct program *p = mem_take(sizeof(*p));
    err_t e = ERR_OK;
    if (!p) return diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(plan->name));
    p->plan = plan;
    p->texts = arena_new(MIB(4));
    p->output_texts = mem_take((plan->output_count + 1) * sizeof(*p->output_texts));
    p->output_keys = mem_take(plan->output_count + 1);
    p->outputs = mem_take((plan->output_count + 1) * sizeof(*p->outputs));
    if (!p->texts || !p->output_texts || !p->output_keys || !p->outputs)
        e = diag_fail(d, ERR_NO_MEMORY, "stream '%.*s'", SLICE_ARG(plan->name));
    if (!e) e = inputs_new(plan->inputs, plan->input_count, &p->inputs, d);
    if (!e && plan->where) p->where_text = text_of(p->texts, plan->where);
    for (uint32_t i = 0; !e && i < plan->output_count; i++) {
        p->output_texts[i] = text_of(p->texts, plan->outputs[i].value);
        p->output_keys[i] = key_of(plan->into, plan->outputs[i].name);
    }
    if (e) {
        program_free(p);
        return e;
    }
    *out = p;
    return ERR_OK;
}

void program_free(struct program *p)
{
    if (!p) return;
    inputs_free(p->inputs);
    arena_free(p->texts);
    mem_give(p->output_texts);
    mem_give(p->output_keys);
    mem_give(p->outputs);
    mem_give(p);
}

struct inputs *program_inputs(struct program *p)
{
    return p->inputs;
}

static void kill_faulty(struct run *r, uint32_t row, struct slice expression)
{
    const struct row_fault *f = batch_fault_of(&r->b, row);
    chunk_kill(r->c, row, f ? f->err : ERR_CAST,
               f && f->text ? slice_of(f->text) : SLICE("the value can not be computed"),
               expression);
}

static bool passes(const struct column *c, uint32_t row)
{
    return c->state[row] == VALID_VALUE && c->b1[row];
}

static void drop(struct run *r, uint32_t row)
{
    r->c->gone[row] = 1;
    count_term(r->counter, TERM_FILTERED, 1);
}

static err_t run_where(struct run *r)
{
    struct column col;
    err_t e = expr_eval(r->p->plan->where, r->x, &r->b, &col);
    if (e) return e;
    for (uint32_t row = 0; row < r->c->rows; row++) {
        if (r->c->gone[row] || passes(&col, row)) continue;
        if (col.state[row] == ERROR_VALUE)
            kill_faulty(r, row, r->p->where_text);
        else
            drop(r, row);
    }
    return ERR_OK;
}

static err_t check_failed(struct run *r, const struct plan_check *check, uint32_t row)
{
    diag_fail(r->d, ERR_CONSTRAINT, "stream '%.*s': CHECK (%.*s) ELSE FAIL",
              SLICE_ARG(r->p->plan->name), SLICE_ARG(check->text));
    diag_where(r->d, "%.*s/%d offset %lld", SLICE_ARG(r->x->topic), r->c->partitions[row],
               (long long)r->c->offsets[row]);
    diag_why(r->d, "the record says %.*s", (int)MIN(r->c->values[row].len, 300u),
             (const char *)r->c->values[row].at);
    return diag_hint(r->d, "mend the record's producer or the CHECK, then restart the stream");
}

/* CHECK … ELSE NULL: the row goes on without the outputs made of what the condition reads. */
static err_t null_outputs(struct run *r, const struct plan_check *check, uint32_t row)
{
    for (uint32_t i = 0; i < check->null_count; i++) {
        uint8_t **rows = &r->nulls[check->nulls[i]];
        if (!*rows) *rows = arena_take(r->b.arena, r->c->rows);
        if (!*rows) return ERR_NO_MEMORY;
        (*rows)[row] = 1;
    }
    return ERR_OK;
}

/* The output may be lent from an input: its states are copied before some become null. */
static err_t apply_nulls(struct run *r, uint32_t output, struct column *col)
{
    if (!r->nulls[output]) return ERR_OK;
    uint8_t *state = arena_take_raw(r->b.arena, r->c->rows);
    if (!state) return ERR_NO_MEMORY;
    for (uint32_t row = 0; row < r->c->rows; row++)
        state[row] = r->nulls[output][row] ? NULL_VALUE : col->state[row];
    col->state = state;
    return ERR_OK;
}

static err_t run_check(struct run *r, const struct plan_check *check)
{
    struct column col;
    err_t e = expr_eval(check->condition, r->x, &r->b, &col);
    if (e) return e;
    for (uint32_t row = 0; !e && row < r->c->rows; row++) {
        if (r->c->gone[row] || passes(&col, row)) continue;
        if (check->action == CHECK_FAIL) return check_failed(r, check, row);
        if (check->action == CHECK_SKIP)
            drop(r, row);
        else if (check->action == CHECK_NULL)
            e = null_outputs(r, check, row);
        else if (col.state[row] == ERROR_VALUE)
            kill_faulty(r, row, check->text);
        else
            chunk_kill(r->c, row, ERR_CONSTRAINT, SLICE("check failed"), check->text);
    }
    return e;
}

static void check_key(struct run *r, const struct column *col, uint32_t output, uint32_t row)
{
    const struct plan_output *o = &r->p->plan->outputs[output];
    bool partition = r->p->output_keys[output] == 1;
    bool empty = partition && col->state[row] == VALID_VALUE && type_phys(o->type) == PHYS_BYTES &&
                 col->bytes[row].len == 0;
    if (col->state[row] == VALID_VALUE && !empty) return;
    const char *text = arena_printf(r->b.arena, "key column '%.*s' is %s", SLICE_ARG(o->name),
                                    empty ? "empty" : "null");
    chunk_kill(r->c, row, ERR_CONSTRAINT, text ? slice_of(text) : SLICE("key column is null"),
               r->p->output_texts[output]);
}

static err_t run_output(struct run *r, uint32_t output)
{
    struct column *col = &r->p->outputs[output];
    err_t e = expr_eval(r->p->plan->outputs[output].value, r->x, &r->b, col);
    if (!e) e = apply_nulls(r, output, col);
    if (e) return e;
    bool key = r->p->output_keys[output] != 0;
    for (uint32_t row = 0; row < r->c->rows; row++) {
        if (col->state[row] == VALID_VALUE && !key) continue;
        if (r->c->gone[row]) continue;
        if (col->state[row] == ERROR_VALUE)
            kill_faulty(r, row, r->p->output_texts[output]);
        else if (key)
            check_key(r, col, output, row);
    }
    return ERR_OK;
}

err_t program_run(struct program *p, const struct eval_context *x, struct chunk *c,
                  struct counter *counter, struct arena *a, struct column **outputs, struct diag *d)
{
    struct run r = {.p = p, .x = x, .c = c, .counter = counter, .b = {.arena = a}, .d = d};
    err_t e = inputs_decode(p->inputs, x->topic, c, &r.b, d);
    r.nulls = arena_take(a, (p->plan->output_count + 1) * sizeof(*r.nulls));
    if (!e && !r.nulls) e = ERR_NO_MEMORY;
    if (!e && p->plan->where) e = run_where(&r);
    for (uint32_t i = 0; !e && i < p->plan->check_count; i++) {
        e = run_check(&r, &p->plan->checks[i]);
        if (e == ERR_CONSTRAINT) return e; /* ELSE FAIL told its story */
    }
    for (uint32_t i = 0; !e && i < p->plan->output_count; i++) e = run_output(&r, i);
    if (!e) e = c->machine;
    if (e)
        return diag_fail(d, e, "stream '%.*s' over %u records", SLICE_ARG(p->plan->name), c->rows);
    for (uint32_t row = 0; row < c->rows; row++)
        if (!c->gone[row]) c->selected[c->selected_count++] = row;
    *outputs = p->outputs;
    return ERR_OK;
}
