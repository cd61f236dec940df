/* op_distinct: the first row of each key goes on. Over rows that are taken back, a key is told
 * while at least one row has it.
 *
 * Within a watermark keys stand in buckets of time and go with them; rows older than the watermark
 * are late. Else a key is kept for ever, or for ttl_ms from its first row on.
 */
#include "flow/buckets.h"
#include "flow/op.h"

struct seen { /* an entry of the state */
    int64_t rows;
};
struct distinct {
    struct state *state;
    const struct plan_distinct *p;
    int64_t length, keeps; /* of buckets; 0: for ever */
    bool counts;           /* rows may be taken back */
    struct buf key;
    struct column *columns;
};

static void seen_put(void *ctx, const void *entry, struct buf *out)
{
    (void)ctx;
    buf_varint(out, ((const struct seen *)entry)->rows);
}
static err_t seen_take(void *ctx, void *entry, struct slice value)
{
    struct cursor in = cursor_of(value);
    (void)ctx;
    ((struct seen *)entry)->rows = cursor_varint(&in);
    return in.err ? ERR_CORRUPT : ERR_OK;
}
static const struct state_form seen_form = {
    .size = sizeof(struct seen), .put = seen_put, .take = seen_take};

/* *tells: the row is the key's first, or took its last one back. */
static err_t take_row(struct op *o, const struct rows *r, uint32_t row, int64_t time, bool *tells,
                      struct diag *d)
{
    struct distinct *s = o->self;
    void *entry;
    bool made, back = r->signs && r->signs[row] < 0;
    *tells = false;
    buf_reset(&s->key);
    op_key(&s->key, s->columns, s->p->by_count, row);
    if (s->key.err) return diag_fail(d, s->key.err, "DISTINCT: a row's key");
    err_t e = bucket_find_any(s->state, buf_view(&s->key), &entry, d);
    struct seen *seen = entry;
    *tells = back ? seen && seen->rows == 1 : !seen;
    if (e || (back && !seen) || !(s->counts || *tells)) return e;
    if (!seen) {
        e = state_find(s->state, bucket_of(s->length, time), buf_view(&s->key), true, &entry, &made,
                       d);
        if (e) return e;
        seen = entry;
    }
    seen->rows += back ? -1 : 1;
    state_touch(s->state, seen);
    if (seen->rows == 0) state_remove(s->state, seen);
    return ERR_OK;
}

static err_t distinct_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    struct distinct *s = o->self;
    int32_t at = o->node->inputs[0]->time;
    uint32_t *kept = arena_take_raw(r->b->arena, (r->count + 1) * sizeof(*kept));
    struct rows out = *r;
    err_t e = ERR_OK;
    (void)input;
    if (!kept) return diag_fail(d, ERR_NO_MEMORY, "DISTINCT");
    for (uint32_t i = 0; i < s->p->by_count; i++) s->columns[i] = r->b->columns[s->p->by[i]];
    out.count = 0;
    out.selected = kept;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        bool timed = at >= 0 && r->b->columns[at].state[row] == VALID_VALUE, tells;
        int64_t time = timed ? r->b->columns[at].i64[row] : o->graph->x.now_ms;
        if (s->p->within_watermark && !o->graph->o.bounded && time < o->graph->watermark) {
            e = op_late(o, r, row, d);
            continue;
        }
        e = take_row(o, r, row, time, &tells, d);
        if (e) break;
        if (tells)
            kept[out.count++] = row;
        else if (r->chunk)
            op_count(o, TERM_DEDUPLICATED, 1);
    }
    return e || !out.count ? e : op_emit(o, &out, d);
}

static err_t distinct_advance(struct op *o, int64_t watermark, struct diag *d)
{
    struct distinct *s = o->self;
    int64_t until = bucket_until(s->length, watermark, s->keeps);
    return op_remove_until(o, 0, s->state, until, d);
}

static err_t distinct_write(struct op *o, struct store_write *w, struct diag *d)
{
    return state_write(((struct distinct *)o->self)->state, w, d);
}
static void distinct_kept(struct op *o)
{
    state_kept(((struct distinct *)o->self)->state);
}
static void distinct_forget(struct op *o)
{
    state_forget(((struct distinct *)o->self)->state);
}
static void distinct_tell(const struct op *o, struct state_stats *out)
{
    *out = state_stats(((const struct distinct *)o->self)->state);
}

static void distinct_close(struct op *o)
{
    struct distinct *s = o->self;
    if (!s) return;
    if (s->state) state_close(s->state);
    buf_done(&s->key);
    mem_give(s->columns);
    mem_give(s);
    o->self = NULL;
}

static err_t distinct_open(struct op *o, struct diag *d)
{
    const struct plan_distinct *p = &o->node->distinct;
    struct distinct *s = o->self = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "DISTINCT");
    *s = (struct distinct){.p = p, .counts = o->node->inputs[0]->changes};
    s->key = buf_make(STATE_KEY_MAX);
    s->columns = mem_take((p->by_count + 1) * sizeof(*s->columns));
    if (!s->columns) return diag_fail(d, ERR_NO_MEMORY, "DISTINCT");
    s->keeps = p->within_watermark ? p->keep_ms : p->ttl_ms;
    bool forgets = !o->graph->o.bounded && (p->within_watermark || p->ttl_ms > 0);
    s->length = forgets ? bucket_length(s->keeps) : 0;
    return op_state_open(o, 0, &seen_form, NULL, &s->state, d);
}

const struct op_kind op_distinct = {
    .open = distinct_open,
    .push = distinct_push,
    .advance = distinct_advance,
    .write = distinct_write,
    .kept = distinct_kept,
    .forget = distinct_forget,
    .close = distinct_close,
    .tell = distinct_tell,
};
