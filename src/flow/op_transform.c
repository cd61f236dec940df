/* op_transform: rows through a command of the user's: one JSON object a line to it, one line back
 * for each: an object (a row), an array of objects (rows), null (filtered), {"error": "…"} (a dead
 * letter).
 *
 * The command runs as a child of the lane's thread from the first row on. When it dies, hangs or
 * says nonsense it is started anew, after growing delays; the row it failed over is tried once more
 * alone, then it is a dead letter that tells how the command ended. Rows go in batches; after a
 * failure those of the batch go one by one, so that the blame finds the right one.
 * Memory: SEND_BYTES on their way, ANSWER_BYTES of answers, a line at most LINE_BYTES.
 */
#include "flow/op.h"
#include "os/coprocess.h"
#include "os/thread.h"

enum {
    SEND_ROWS = 512,
    SEND_BYTES = 1 << 20,
    LINE_BYTES = 16 << 20,
    ANSWER_BYTES = 64 << 20,
    ROWS_AN_ANSWER = 1 << 16,
    TRIES = 2,
    HOW_MAX = 3000,
    LOOK_MS = 50 /* whether it is time to stop */
};
static const int64_t answer_limit_ms = 30000, delay_first_ms = 100, delay_most_ms = 10000;

struct transform {
    struct op *op;
    const struct plan_transform *p;
    struct coprocess *child;
    int64_t delay_ms; /* before the next start; 0: at once */
    uint32_t alone;   /* so many rows go one by one */
    struct json_decoder *json;
    struct json_plan *plan;
    struct slice *names; /* of what is sent */
    struct buf lines, line;
    struct arena *answers; /* of one talk */
};

/* What the command said to one row. */
struct said {
    struct slice *rows; /* its objects, padded */
    uint32_t count, cap;
    struct slice error; /* at NULL: none */
};
struct talking {
    struct transform *t;
    const struct rows *r;
    struct column_batch sent;
    uint32_t first, count, done; /* rows r->selected[first …] of one talk; answered */
    struct said *said;
    struct diag *d;
};

/* --- what it says -------------------------------------------------------------------------------
 */

static err_t nonsense(struct diag *d, struct slice line)
{
    return diag_fail(d, ERR_BAD_JSON,
                     "it said '%.*s': an object, an array of objects or null was wanted",
                     (int)MIN(line.len, 200u), (const char *)line.at);
}

/* A copy of the bytes that the decoder can read past. */
static struct slice padded(struct transform *t, struct slice s)
{
    if (arena_used(t->answers) + s.len > ANSWER_BYTES) return (struct slice){0};
    uint8_t *at = arena_take(t->answers, s.len + JSON_PADDING);
    if (!at) return (struct slice){0};
    memcpy(at, s.at, s.len);
    return slice_make(at, s.len);
}

static err_t take_object(void *ctx, struct slice item)
{
    struct talking *k = ctx;
    struct said *said = &k->said[k->done];
    if (!item.len || item.at[0] != '{') return ERR_BAD_JSON;
    if (said->count == ROWS_AN_ANSWER) return ERR_TOO_BIG;
    if (said->count == said->cap) {
        uint32_t cap = said->cap ? said->cap * 2 : 1;
        struct slice *more = arena_take(k->t->answers, cap * sizeof(*more));
        if (!more) return ERR_TOO_BIG;
        if (said->count) memcpy(more, said->rows, said->count * sizeof(*more));
        said->rows = more;
        said->cap = cap;
    }
    struct slice copy = padded(k->t, item);
    if (!copy.at) return ERR_TOO_BIG;
    said->rows[said->count++] = copy;
    return ERR_OK;
}

/* {"error": "…"} and nothing else of that name. */
static err_t take_error(struct talking *k, struct slice object)
{
    static const struct json_step step = {.name = {(const uint8_t *)"error", 5}};
    struct json_want want = {&step, 1, type_of(TYPE_TEXT), true};
    struct json_plan *plan = NULL;
    struct column_batch b;
    err_t e = json_plan_new(&want, 1, &plan, k->d);
    if (!e) e = batch_init(&b, &want.type, 1, 1, k->t->answers);
    if (!e) e = json_decode(k->t->json, plan, &object, 1, &b);
    if (!e && b.columns[0].state[0] == VALID_VALUE) k->said[k->done].error = b.columns[0].bytes[0];
    json_plan_free(plan);
    return e;
}

static bool speaks_of_error(struct slice object)
{
    struct slice rest = slice_trim(slice_make(object.at + 1, object.len - 1));
    return rest.len > 7 && memcmp(rest.at, "\"error\"", 7) == 0;
}

static err_t take_answer(void *ctx, struct slice line)
{
    struct talking *k = ctx;
    struct said *said = &k->said[k->done];
    struct diag why = {0};
    err_t e = ERR_OK;
    struct slice whole = slice_trim(line), copy = padded(k->t, whole);
    if (!copy.at)
        return diag_fail(k->d, ERR_TOO_BIG, "answers of more than %d bytes", ANSWER_BYTES);
    if (slice_is(whole, "null")) {
        k->done++;
        return ERR_OK;
    }
    bool list = whole.len && whole.at[0] == '[';
    if (!list && (!whole.len || whole.at[0] != '{')) return nonsense(k->d, line);
    e = json_items(k->t->json, copy, list ? SLICE("$[*]") : SLICE("$"), take_object, k, &why);
    if (!e && !list && said->count && speaks_of_error(said->rows[0]))
        e = take_error(k, said->rows[0]);
    if (e == ERR_TOO_BIG || e == ERR_NO_MEMORY) return diag_fail(k->d, e, "one answer is too long");
    if (e) return nonsense(k->d, line);
    k->done++;
    k->t->delay_ms = 0; /* it works */
    return ERR_OK;
}

/* --- talking ------------------------------------------------------------------------------------
 */

static bool stopping(void *ctx)
{
    const struct graph *g = ((struct transform *)ctx)->op->graph;
    return g->o.stopping && g->o.stopping(g->o.ctx);
}

static err_t wait_before_start(struct transform *t, struct diag *d)
{
    err_t e = ERR_OK;
    struct gate g; /* nobody else knows it: only its time is waited for */
    gate_init(&g);
    gate_enter(&g);
    for (int64_t left = t->delay_ms; !e && left > 0; left -= LOOK_MS) {
        if (stopping(t)) e = diag_fail(d, ERR_STOPPED, "stopped");
        if (!e) (void)gate_wait_ms(&g, MIN(left, (int64_t)LOOK_MS));
    }
    gate_leave(&g);
    gate_done(&g);
    if (e) return e;
    t->delay_ms = MIN(MAX(t->delay_ms * 2, delay_first_ms), delay_most_ms);
    return ERR_OK;
}

static err_t be_ready(struct transform *t, struct diag *d)
{
    struct coprocess_options o = {.command = t->p->command,
                                  .line_max = LINE_BYTES,
                                  .answer_ms = answer_limit_ms,
                                  .stopping = stopping,
                                  .ctx = t};
    if (t->child) return ERR_OK;
    err_t e = wait_before_start(t, d);
    return e ? e : coprocess_open(&o, &t->child, d);
}

static void give_up_child(struct transform *t)
{
    coprocess_close(t->child);
    t->child = NULL;
}

/* A line of what the row sends; raw newlines can only stand between JSON's words. */
static err_t put_line(struct talking *k, uint32_t row)
{
    struct transform *t = k->t;
    buf_reset(&t->line);
    json_put_row(&t->line, &k->sent, t->names, row);
    for (size_t i = 0; i < t->line.len; i++)
        if (t->line.at[i] == '\n' || t->line.at[i] == '\r') t->line.at[i] = ' ';
    buf_char(&t->line, '\n');
    return t->line.err;
}

/* As many rows as go at once from `first` on; their lines in t->lines. */
static err_t gather(struct talking *k)
{
    struct transform *t = k->t;
    uint32_t most = t->alone ? 1 : SEND_ROWS;
    err_t e = ERR_OK;
    buf_reset(&t->lines);
    for (k->count = 0; !e && k->count < most && k->first + k->count < k->r->count; k->count++) {
        e = put_line(k, k->r->selected[k->first + k->count]);
        if (e) break;
        if (k->count && t->lines.len + t->line.len > SEND_BYTES) break;
        buf_slice(&t->lines, buf_view(&t->line));
        e = t->lines.err;
    }
    if (e) return diag_fail(k->d, e, "a line for the command");
    arena_reset(t->answers);
    k->done = 0;
    k->said = arena_take(t->answers, (k->count + 1) * sizeof(*k->said));
    return k->said ? ERR_OK : diag_fail(k->d, ERR_NO_MEMORY, "a command's answers");
}

/* --- rows out -----------------------------------------------------------------------------------
 */

static err_t dies(struct talking *k, uint32_t row, err_t e, struct slice reason)
{
    struct arena *a = k->r->b->arena;
    struct slice kept = arena_slice(a, reason);
    return op_dead(k->t->op, k->r, row, e, kept.at ? kept : SLICE("the command's answer"),
                   k->t->p->command, k->d);
}

struct outputs { /* the objects of all answers of a talk, and whose they are */
    struct slice *documents;
    uint32_t *of;
    uint32_t count;
};

static err_t list_objects(struct talking *k, struct outputs *o)
{
    struct arena *a = k->t->answers;
    uint64_t count = 0;
    for (uint32_t i = 0; i < k->done; i++) count += k->said[i].error.at ? 0 : k->said[i].count;
    if (count > UINT32_MAX / 2) return ERR_TOO_BIG;
    o->documents = arena_take(a, (count + 1) * sizeof(*o->documents));
    o->of = arena_take(a, (count + 1) * sizeof(*o->of));
    if (!o->documents || !o->of) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < k->done; i++)
        for (uint32_t n = 0; !k->said[i].error.at && n < k->said[i].count; n++) {
            o->of[o->count] = i;
            o->documents[o->count++] = k->said[i].rows[n];
        }
    return ERR_OK;
}

/* Counts each row of the talk; what an answer's objects lack kills its row, all of it. */
static err_t settle_rows(struct talking *k, const struct outputs *o, const struct column_batch *b,
                         uint8_t *dead)
{
    err_t e = ERR_OK;
    const struct row_fault *f = batch_fault_next(b, 0);
    for (; !e && f; f = batch_fault_next(b, f->row + 1)) {
        uint32_t at = o->of[f->row];
        if (dead[at]) continue;
        dead[at] = 1;
        e = dies(k, k->r->selected[k->first + at], f->err,
                 f->text ? slice_of(f->text) : SLICE("the command's answer does not fit"));
    }
    for (uint32_t i = 0; !e && i < k->done; i++) {
        const struct said *said = &k->said[i];
        if (said->error.at)
            e = dies(k, k->r->selected[k->first + i], ERR_CONSTRAINT, said->error);
        else if (!dead[i] && k->r->chunk)
            op_count(k->t->op, said->count ? TERM_APPLIED : TERM_FILTERED, 1);
    }
    return e;
}

static err_t emit_rows(struct talking *k, const struct outputs *o, struct column_batch *b,
                       const uint8_t *dead)
{
    struct arena *a = b->arena;
    struct rows out = {.b = b};
    uint32_t *selected = arena_take(a, (o->count + 1) * sizeof(*selected));
    int32_t *partitions = arena_take(a, (o->count + 1) * sizeof(*partitions));
    int64_t *offsets = arena_take(a, (o->count + 1) * sizeof(*offsets));
    int64_t *times = arena_take(a, (o->count + 1) * sizeof(*times));
    bool records = k->r->partitions && k->r->offsets && k->r->times;
    if (!selected || !partitions || !offsets || !times)
        return diag_fail(k->d, ERR_NO_MEMORY, "a command's answers");
    for (uint32_t i = 0; i < o->count; i++) {
        uint32_t row = k->r->selected[k->first + o->of[i]];
        if (!dead[o->of[i]]) selected[out.count++] = i;
        if (!records) continue;
        partitions[i] = k->r->partitions[row];
        offsets[i] = k->r->offsets[row];
        times[i] = k->r->times[row];
    }
    out.selected = selected;
    if (records) {
        out.partitions = partitions;
        out.offsets = offsets;
        out.times = times;
    }
    return op_emit(k->t->op, &out, k->d);
}

static err_t hand_on(struct talking *k)
{
    const struct plan_node *n = k->t->op->node;
    struct arena *a = k->t->answers;
    struct outputs o = {0};
    struct column_batch b = {0};
    uint8_t *dead = arena_take(a, k->count + 1);
    const struct type **types = arena_take(a, (n->column_count + 1) * sizeof(*types));
    err_t e = dead && types ? list_objects(k, &o) : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < n->column_count; i++) types[i] = n->columns[i].type;
    if (!e) e = batch_init(&b, types, n->column_count, o.count, a);
    if (!e && o.count) e = json_decode(k->t->json, k->t->plan, o.documents, o.count, &b);
    if (e) return diag_fail(k->d, e, "a command's answers");
    e = settle_rows(k, &o, &b, dead);
    return e || !o.count ? e : emit_rows(k, &o, &b, dead);
}

/* --- failures -----------------------------------------------------------------------------------
 */

/* It failed over the row at `first`: once more alone, then a letter. */
static err_t failed_over(struct talking *k, uint32_t *tries, const struct diag *why)
{
    struct transform *t = k->t;
    char text[HOW_MAX];
    struct buf how = buf_over(text, sizeof(text) - 1);
    if (++*tries < TRIES) {
        give_up_child(t);
        return ERR_OK;
    }
    buf_printf(&how, "the command failed over this row: %s; ", why->what);
    coprocess_end(t->child, &how);
    give_up_child(t);
    *tries = 0;
    uint32_t row = k->r->selected[k->first++];
    return dies(k, row, ERR_CONSTRAINT, buf_view(&how));
}

static bool is_its_fault(err_t e)
{
    return e == ERR_PEER || e == ERR_TIMEOUT || e == ERR_TOO_BIG || e == ERR_RANGE ||
           e == ERR_BAD_JSON;
}

static err_t talk_on(struct talking *k)
{
    struct transform *t = k->t;
    struct diag why = {0}, *d = k->d;
    uint32_t tries = 0;
    err_t e = ERR_OK;
    while (!e && k->first < k->r->count) {
        e = be_ready(t, d);
        if (!e) e = gather(k);
        if (e) break;
        memset(&why, 0, sizeof(why));
        k->d = &why;
        err_t said = coprocess_talk(t->child, buf_view(&t->lines), k->count, take_answer, k, &why);
        k->d = d;
        bool all = k->done == k->count;
        if (said && !is_its_fault(said)) {
            if (d) *d = why;
            e = said;
            break;
        }
        e = hand_on(k);
        k->first += k->done;
        if (k->done) tries = 0;
        t->alone -= MIN(t->alone, k->done);
        if (e || !said) continue;
        if (all) { /* it answered them all, then went wrong: nobody's fault here */
            give_up_child(t);
            continue;
        }
        if (!t->alone) t->alone = k->count - k->done;
        e = failed_over(k, &tries, &why);
        if (!e && !tries) t->alone -= MIN(t->alone, 1u);
    }
    if (e) give_up_child(t);
    return e;
}

/* --- a batch ------------------------------------------------------------------------------------
 */

/* Rows whose values can be computed; the others are dead. */
static err_t send_columns(struct talking *k, uint32_t *selected, uint32_t *count)
{
    struct transform *t = k->t;
    struct arena *a = k->r->b->arena;
    err_t e = batch_init(&k->sent, NULL, 0, k->r->b->rows, a);
    k->sent.columns = arena_take(a, (t->p->output_count + 1) * sizeof(*k->sent.columns));
    k->sent.column_count = t->p->output_count;
    if (e || !k->sent.columns) return diag_fail(k->d, ERR_NO_MEMORY, "a command's rows");
    for (uint32_t i = 0; !e && i < t->p->output_count; i++)
        e = op_eval(t->op, t->p->outputs[i].value, k->r, &k->sent.columns[i], k->d);
    *count = 0;
    for (uint32_t i = 0; !e && i < k->r->count; i++) {
        uint32_t row = k->r->selected[i];
        bool fails = false;
        for (uint32_t c = 0; c < t->p->output_count; c++)
            fails = fails || k->sent.columns[c].state[row] == ERROR_VALUE;
        if (!fails) {
            selected[(*count)++] = row;
            continue;
        }
        const struct row_fault *f = batch_fault_of(k->r->b, row);
        e = dies(k, row, f ? f->err : ERR_CAST,
                 f && f->text ? slice_of(f->text) : SLICE("a value can not be computed"));
    }
    return e;
}

static err_t transform_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    struct rows good = *r;
    struct talking k = {.t = o->self, .r = r, .d = d};
    uint32_t *selected = arena_take_raw(r->b->arena, (r->count + 1) * sizeof(*selected));
    (void)input;
    if (!selected) return diag_fail(d, ERR_NO_MEMORY, "a command's rows");
    err_t e = send_columns(&k, selected, &good.count);
    good.selected = selected;
    k.r = &good;
    return e ? e : talk_on(&k);
}

/* --- life ---------------------------------------------------------------------------------------
 */

static void transform_forget(struct op *o)
{
    give_up_child(o->self); /* what it was sent is sent again */
}

static void transform_close(struct op *o)
{
    struct transform *t = o->self;
    if (!t) return;
    give_up_child(t);
    json_decoder_free(t->json);
    json_plan_free(t->plan);
    mem_give(t->names);
    buf_done(&t->lines);
    buf_done(&t->line);
    arena_free(t->answers);
    mem_give(t);
    o->self = NULL;
}

static err_t plan_answers(struct transform *t, struct diag *d)
{
    const struct plan_node *n = t->op->node;
    struct json_want *wants = mem_take((n->column_count + 1) * sizeof(*wants));
    struct json_step *steps = mem_take((n->column_count + 1) * sizeof(*steps));
    err_t e = wants && steps ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "a command");
    for (uint32_t i = 0; !e && i < n->column_count; i++) {
        steps[i] = (struct json_step){.name = n->columns[i].name};
        wants[i] = (struct json_want){&steps[i], 1, n->columns[i].type, true};
    }
    if (!e) e = json_plan_new(wants, n->column_count, &t->plan, d);
    mem_give(wants);
    mem_give(steps);
    return e;
}

static err_t transform_open(struct op *o, struct diag *d)
{
    struct transform *t = o->self = mem_take(sizeof(*t));
    if (!t) return diag_fail(d, ERR_NO_MEMORY, "a command");
    *t = (struct transform){.op = o, .p = &o->node->transform};
    t->json = json_decoder_new();
    t->lines = buf_make(SEND_BYTES + LINE_BYTES);
    t->line = buf_make(LINE_BYTES);
    t->answers = arena_new((size_t)ANSWER_BYTES * 4);
    t->names = mem_take((t->p->output_count + 1) * sizeof(*t->names));
    if (!t->json || !t->answers || !t->names) return diag_fail(d, ERR_NO_MEMORY, "a command");
    if (o->graph->o.bounded) { /* whoever may read must not run programs here */
        (void)diag_fail(d, ERR_UNSUPPORTED, "TRANSFORM … USING '%.*s' in a query",
                        SLICE_ARG(t->p->command));
        return diag_hint(d, "it runs in streams of a project");
    }
    for (uint32_t i = 0; i < t->p->output_count; i++) t->names[i] = t->p->outputs[i].name;
    return plan_answers(t, d);
}

const struct op_kind op_transform = {.open = transform_open,
                                     .push = transform_push,
                                     .forget = transform_forget,
                                     .close = transform_close};
