/* op_join: two streams, or two bounded inputs, by equal keys. Each row is held against the rows
 * that the other side remembers, then remembered itself, so that of two rows the later one finds
 * the earlier one. With time bounds a side forgets rows that nothing can match any more.
 *
 * A row without a match (outer joins, ANTI) is told when it leaves where its time is bounded or the
 * input ends; else at once, and taken back when a match comes.
 */
#include "flow/buckets.h"
#include "flow/join.h"

enum { PAIRS_MAX = CHUNK_ROWS, BUCKETS_AT_ONCE = 64 };

struct pair { /* a row at hand beside one that the other side remembers */
    uint32_t row;
    struct block *block;
    uint32_t at; /* of the remembered row in it */
};
struct join {
    struct op *op;
    const struct plan_join *p;
    struct join_side side[2];
    bool lone_left; /* SEMI, ANTI: only left rows are told, never pairs */
    bool later;     /* rows without a match are told when they leave */
    bool slices;    /* the sides' states have a bucket a slice of time */
    int64_t length; /* of the slices; 0: there are none */
    struct telling out;
    struct arena *fixed, *temporary;
    struct column_batch pairs; /* left's columns, then right's */
    struct pair *refs;
    uint32_t *selected;
    uint32_t *matched; /* a row at hand: how many it goes with; in its batch's arena */
    struct buf key;
};

/* One row out: of both sides, or of one with nulls for the other. */
static err_t tell(struct join *j, const struct column *left, const struct column *right,
                  uint32_t row, int8_t sign, struct diag *d)
{
    uint32_t at, width = j->op->node->inputs[0]->column_count;
    err_t e = tell_row(&j->out, sign, &at, d);
    if (e) return e;
    tell_columns(&j->out, at, 0, left, width, row);
    if (!j->lone_left)
        tell_columns(&j->out, at, width, right, j->op->node->inputs[1]->column_count, row);
    return ERR_OK;
}

/* --- pairs --------------------------------------------------------------------------------------
 */

struct push { /* a batch at hand */
    struct join *j;
    uint32_t input;
    const struct rows *r;
    struct diag *d;
};

static const struct column *pair_columns(const struct join *j, uint32_t side)
{
    return j->pairs.columns + (side ? j->op->node->inputs[0]->column_count : 0);
}

/* The remembered row of a pair has got its first match, or lost its last one. */
static err_t tell_change(struct push *p, uint32_t i, bool first)
{
    struct join *j = p->j;
    uint32_t other = 1 - p->input;
    const struct column *columns = pair_columns(j, other);
    if (j->lone_left) {
        if (other != 0 || (j->p->kind == JOIN_ANTI && j->later)) return ERR_OK;
        bool comes = (j->p->kind == JOIN_SEMI) == first;
        return tell(j, columns, NULL, i, comes ? 1 : -1, p->d);
    }
    if (!j->side[other].pads || j->later) return ERR_OK;
    return tell(j, other ? NULL : columns, other ? columns : NULL, i, first ? -1 : 1, p->d);
}

static bool counts_matches(const struct join *j, uint32_t side)
{
    return j->side[side].pads || (j->lone_left && side == 0);
}

static err_t take_match(struct push *p, uint32_t i)
{
    struct join *j = p->j;
    const struct pair *pair = &j->refs[i];
    uint32_t other = 1 - p->input;
    int8_t sign = p->r->signs ? p->r->signs[pair->row] : 1;
    struct join_row row;
    memcpy(&row, pair->block->at + pair->at, sizeof(row));
    bool counts = counts_matches(j, other), changes = row.record || counts;
    bool turns = sign > 0 ? row.matches == 0 : row.matches == 1;
    j->matched[pair->row]++;
    if (row.record) {
        op_count(j->op, TERM_HELD, -1);
        op_count(j->op, j->p->kind == JOIN_ANTI ? TERM_FILTERED : TERM_APPLIED, 1);
        row.record = 0;
    }
    if (counts) row.matches += sign > 0 ? 1u : (uint32_t)-1;
    if (changes) {
        memcpy(pair->block->at + pair->at, &row, sizeof(row));
        state_touch(j->side[other].state, pair->block);
    }
    err_t e = ERR_OK;
    if (counts && turns && sign > 0) e = tell_change(p, i, true);
    if (!e && !j->lone_left) e = tell(j, pair_columns(j, 0), pair_columns(j, 1), i, sign, p->d);
    if (!e && counts && turns && sign < 0) e = tell_change(p, i, false);
    return e;
}

static void drop_pairs(struct join *j)
{
    if (j->pairs.fault_count) memset(j->pairs.bad, 0, PAIRS_MAX);
    j->pairs.fault_count = 0;
    j->pairs.rows = 0;
    arena_reset(j->temporary); /* what is told next lends from the blocks, not from here */
}

static err_t settle_pairs(struct push *p)
{
    struct join *j = p->j;
    struct column pass = {0};
    struct rows r = {
        .node = j->op->node, .b = &j->pairs, .selected = j->selected, .count = j->pairs.rows};
    err_t e = ERR_OK;
    if (!j->pairs.rows) return ERR_OK;
    if (j->p->condition) e = op_eval(j->op, j->p->condition, &r, &pass, p->d);
    for (uint32_t i = 0; !e && i < j->pairs.rows; i++) {
        if (pass.state && pass.state[i] == ERROR_VALUE) {
            const struct row_fault *f = batch_fault_of(&j->pairs, i);
            e = op_dead(j->op, &r, i, f ? f->err : ERR_CAST,
                        f && f->text ? slice_of(f->text) : SLICE("a join's condition"),
                        j->op->node->text, p->d);
        } else if (!pass.state || (pass.state[i] == VALID_VALUE && pass.b1[i])) {
            e = take_match(p, i);
        }
    }
    drop_pairs(j);
    return e;
}

static err_t add_pair(struct push *p, uint32_t row, const struct join_walk *w)
{
    struct join *j = p->j;
    const struct plan_node *left = j->op->node->inputs[0];
    err_t e = j->pairs.rows == PAIRS_MAX ? settle_pairs(p) : ERR_OK;
    if (e) return e;
    uint32_t at = j->pairs.rows++, width = left->column_count;
    struct column *mine = j->pairs.columns + (p->input ? width : 0);
    struct column *others = j->pairs.columns + (p->input ? 0 : width);
    for (uint32_t i = 0; i < p->r->b->column_count; i++)
        column_copy_row(&mine[i], at, &p->r->b->columns[i], row);
    j->refs[at] = (struct pair){row, w->block, w->at};
    e = packed_take(w->packed, others, j->side[1 - p->input].column_count, at);
    return e ? diag_fail(p->d, e, "a row that a join remembers can not be read") : ERR_OK;
}

/* The times of the other side's rows that this one can go with. */
static void reach(const struct join *j, uint32_t input, int64_t time, int64_t *low, int64_t *high)
{
    *low = INT64_MIN;
    *high = INT64_MAX;
    if (!j->p->bounded) return;
    int64_t from = input ? -j->p->high_ms : j->p->low_ms,
            to = input ? -j->p->low_ms : j->p->high_ms;
    if (__builtin_add_overflow(time, from, low)) *low = from < 0 ? INT64_MIN : INT64_MAX;
    if (__builtin_add_overflow(time, to, high)) *high = to < 0 ? INT64_MIN : INT64_MAX;
}

static err_t pair_in_bucket(struct push *p, uint32_t row, int64_t bucket, struct slice key,
                            int64_t low, int64_t high)
{
    struct join_walk w;
    bool found;
    err_t e = join_walk_first(&p->j->side[1 - p->input], bucket, key, &w, &found, p->d);
    while (!e && found) {
        if (w.row.time >= low && w.row.time <= high) e = add_pair(p, row, &w);
        if (!e) e = join_walk_next(&w, &found, p->d);
    }
    return e;
}

static err_t pair_row(struct push *p, uint32_t row, int64_t time, struct slice key)
{
    struct join *j = p->j;
    int64_t low, high, times[BUCKETS_AT_ONCE];
    reach(j, p->input, time, &low, &high);
    if (!j->slices) return pair_in_bucket(p, row, 0, key, low, high);
    err_t e = ERR_OK;
    int64_t from = bucket_of(j->length, low), until = high == INT64_MAX ? high : high + 1;
    for (size_t n = BUCKETS_AT_ONCE; !e && n == BUCKETS_AT_ONCE;) {
        n = MIN(state_times(j->side[1 - p->input].state, from, until, times, BUCKETS_AT_ONCE),
                (size_t)BUCKETS_AT_ONCE);
        for (size_t i = 0; !e && i < n; i++) e = pair_in_bucket(p, row, times[i], key, low, high);
        if (n) from = times[n - 1] + 1;
    }
    return e;
}

/* --- remembering --------------------------------------------------------------------------------
 */

/* A row at hand that will never have a match, or has none now, as far as it is told. */
static err_t tell_alone(struct push *p, uint32_t row, int8_t sign)
{
    const struct column *columns = p->r->b->columns;
    return tell(p->j, p->input ? NULL : columns, p->input ? columns : NULL, row, sign, p->d);
}

static err_t tell_arrival(struct push *p, uint32_t row, int8_t sign)
{
    struct join *j = p->j;
    bool matched = j->matched[row] > 0;
    if (j->lone_left) {
        bool wanted = p->input == 0 && (j->p->kind == JOIN_SEMI ? matched : !matched && !j->later);
        return wanted ? tell_alone(p, row, sign) : ERR_OK;
    }
    return j->side[p->input].pads && !matched && !j->later ? tell_alone(p, row, sign) : ERR_OK;
}

/* What has become of a record that is remembered. */
static enum ledger_term fate_of(const struct join *j, uint32_t input, bool matched)
{
    bool anti = j->p->kind == JOIN_ANTI;
    if (j->lone_left && input == 1) return TERM_APPLIED; /* it decides on others */
    if (matched) return anti ? TERM_FILTERED : TERM_APPLIED;
    return !j->later && (anti || j->side[input].pads) ? TERM_APPLIED : TERM_HELD;
}

/* Takes the row away, in whichever slice it stands: one without a time of its own went by the
 * epoch's. */
static err_t unremember(struct push *p, int64_t time, struct slice key)
{
    struct join *j = p->j;
    struct join_side *side = &j->side[p->input];
    struct join_row was;
    bool found = false;
    err_t e = join_side_take(side, bucket_of(j->length, time), key, buf_view(&side->row), &found,
                             &was, p->d);
    bool timed = j->op->node->inputs[p->input]->time >= 0;
    int64_t times[BUCKETS_AT_ONCE], from = INT64_MIN;
    for (size_t n = BUCKETS_AT_ONCE; !e && !found && j->slices && !timed && n == BUCKETS_AT_ONCE;) {
        n = MIN(state_times(side->state, from, INT64_MAX, times, BUCKETS_AT_ONCE),
                (size_t)BUCKETS_AT_ONCE);
        for (size_t i = n; !e && !found && i > 0; i--)
            e = join_side_take(side, times[i - 1], key, buf_view(&side->row), &found, &was, p->d);
        if (n) from = times[n - 1] + 1;
    }
    if (e || !found || !was.record) return e;
    op_count(j->op, TERM_HELD, -1);
    op_count(j->op, TERM_FILTERED, 1);
    return ERR_OK;
}

static err_t remember(struct push *p, uint32_t row, int64_t time, struct slice key)
{
    struct join *j = p->j;
    struct join_side *side = &j->side[p->input];
    int8_t sign = p->r->signs ? p->r->signs[row] : 1;
    enum ledger_term fate = fate_of(j, p->input, j->matched[row] > 0);
    struct join_row header = {.time = time,
                              .matches = counts_matches(j, p->input) ? j->matched[row] : 0,
                              .record = p->r->chunk && fate == TERM_HELD};
    buf_reset(&side->row);
    packed_put(&side->row, p->r->b->columns, side->column_count, row);
    if (side->row.err) return diag_fail(p->d, side->row.err, "a row that a join remembers");
    if (sign < 0) return unremember(p, time, key);
    if (p->r->chunk) op_count(j->op, fate, 1);
    return join_side_add(side, bucket_of(j->length, time), key, &header, buf_view(&side->row),
                         p->d);
}

/* A key with a null, a time that is none: there is nothing it could go with. */
static err_t leave_at_once(struct push *p, uint32_t row)
{
    struct join *j = p->j;
    bool told = j->lone_left ? p->input == 0 && j->p->kind == JOIN_ANTI : j->side[p->input].pads;
    if (p->r->chunk) op_count(j->op, told ? TERM_APPLIED : TERM_FILTERED, 1);
    return told ? tell_alone(p, row, p->r->signs ? p->r->signs[row] : 1) : ERR_OK;
}

enum arrival { ARRIVAL_FINE, ARRIVAL_ALONE, ARRIVAL_LATE, ARRIVAL_DEAD };

struct arrivals { /* of a push's selected rows, by their place among them */
    struct column *keys;
    uint8_t *how;
    int64_t *times;
};

static err_t look_at(struct push *p, struct arrivals *a)
{
    struct join *j = p->j;
    struct op *o = j->op;
    struct arena *arena = p->r->b->arena;
    const struct expr *const *exprs = p->input ? j->p->right_keys : j->p->left_keys;
    int32_t time = o->node->inputs[p->input]->time;
    a->keys = arena_take(arena, (j->p->key_count + 1) * sizeof(*a->keys));
    a->how = arena_take(arena, p->r->count + 1);
    a->times = arena_take(arena, (p->r->count + 1) * sizeof(*a->times));
    if (!a->keys || !a->how || !a->times) return diag_fail(p->d, ERR_NO_MEMORY, "a join's keys");
    err_t e = ERR_OK;
    for (uint32_t k = 0; !e && k < j->p->key_count; k++)
        e = op_eval(o, exprs[k], p->r, &a->keys[k], p->d);
    for (uint32_t i = 0; !e && i < p->r->count; i++) {
        uint32_t row = p->r->selected[i];
        for (uint32_t k = 0; k < j->p->key_count; k++)
            if (a->keys[k].state[row] != VALID_VALUE) a->how[i] = ARRIVAL_ALONE;
        if (!j->slices && !j->p->bounded) continue;
        const struct column *at = time >= 0 ? &p->r->b->columns[time] : NULL;
        bool timeless = at && at->state[row] != VALID_VALUE; /* nothing to be late by */
        a->times[i] = at && !timeless ? at->i64[row] : o->graph->x.now_ms;
        if (!j->p->bounded) continue;
        if (timeless)
            a->how[i] = ARRIVAL_ALONE;
        else if (j->slices && a->times[i] < o->graph->watermark)
            a->how[i] = ARRIVAL_LATE; /* whatever its key is: told, it would be late further on */
    }
    for (uint32_t i = 0; !e && i < p->r->count; i++) { /* what can not be computed */
        if (op_is_hurt(p->r, p->r->selected[i])) a->how[i] = ARRIVAL_DEAD;
        for (uint32_t k = 0; k < j->p->key_count; k++)
            if (a->keys[k].state[p->r->selected[i]] == ERROR_VALUE) a->how[i] = ARRIVAL_DEAD;
    }
    return e;
}

static err_t key_fails(struct push *p, uint32_t row)
{
    const struct row_fault *f = batch_fault_of(p->r->b, row);
    return op_dead(p->j->op, p->r, row, f ? f->err : ERR_CAST,
                   f && f->text ? slice_of(f->text) : SLICE("a join's key can not be computed"),
                   p->j->op->node->text, p->d);
}

static err_t take_row(struct push *p, const struct arrivals *a, uint32_t i, bool pairing)
{
    struct join *j = p->j;
    uint32_t row = p->r->selected[i];
    if (a->how[i] == ARRIVAL_ALONE) return pairing ? ERR_OK : leave_at_once(p, row);
    if (a->how[i] == ARRIVAL_LATE) return pairing ? ERR_OK : op_late(j->op, p->r, row, p->d);
    if (a->how[i] == ARRIVAL_DEAD) return pairing ? ERR_OK : key_fails(p, row);
    buf_reset(&j->key);
    op_key(&j->key, a->keys, j->p->key_count, row);
    if (j->key.err) return diag_fail(p->d, j->key.err, "a join's key");
    if (pairing) return pair_row(p, row, a->times[i], buf_view(&j->key));
    err_t e = tell_arrival(p, row, p->r->signs ? p->r->signs[row] : 1);
    return e ? e : remember(p, row, a->times[i], buf_view(&j->key));
}

static err_t join_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    struct join *j = o->self;
    struct push p = {j, input, r, d};
    struct arrivals a;
    err_t e = look_at(&p, &a);
    j->matched = arena_take(r->b->arena, (r->b->rows + 1) * sizeof(*j->matched));
    if (!e && !j->matched) e = diag_fail(d, ERR_NO_MEMORY, "a join's rows");
    for (uint32_t i = 0; !e && i < r->count; i++) e = take_row(&p, &a, i, true);
    if (!e) e = settle_pairs(&p);
    for (uint32_t i = 0; !e && i < r->count; i++) e = take_row(&p, &a, i, false);
    return e ? e : tell_flush(&j->out, d);
}

/* --- leaving ------------------------------------------------------------------------------------
 */

struct leaving {
    struct join *j;
    uint32_t input;
    bool remove;
};

static err_t row_leaves(void *ctx, const struct join_row *row, struct slice packed, struct diag *d)
{
    struct leaving *l = ctx;
    struct join *j = l->j;
    struct join_side *side = &j->side[l->input];
    bool left_alone = l->input == 0 && j->p->kind == JOIN_ANTI;
    bool told = j->later && row->matches == 0 && (side->pads || left_alone);
    if (row->record) {
        op_count(j->op, TERM_HELD, -1);
        op_count(j->op, told ? TERM_APPLIED : TERM_FILTERED, 1);
    }
    if (!told) return ERR_OK;
    struct column *columns =
        j->pairs.columns + (l->input ? j->op->node->inputs[0]->column_count : 0);
    struct slice copy;
    err_t e = tell_copy(&j->out, packed, &copy, d); /* the block goes before it is told */
    if (e) return e;
    e = packed_take(copy, columns, side->column_count, 0);
    if (e) return diag_fail(d, e, "a row that a join remembers can not be read");
    return tell(j, l->input ? NULL : columns, l->input ? columns : NULL, 0, 1, d);
}

static err_t block_leaves(void *ctx, void *entry, struct diag *d)
{
    struct leaving *l = ctx;
    struct op *o = l->j->op;
    if (l->remove && o->graph->by_entry && !op_may_close(o, (uint8_t)l->input, entry))
        return ERR_STOPPED;
    err_t e = block_each(entry, row_leaves, l, d);
    if (!e && l->remove) state_remove(l->j->side[l->input].state, entry);
    return e;
}

/* Buckets before this time hold only rows that nothing to come can match. */
static int64_t keeps(const struct join *j, uint32_t input)
{
    return !j->p->bounded ? j->p->ttl_ms : input ? -j->p->low_ms : j->p->high_ms;
}

static int64_t forgotten_before(const struct join *j, uint32_t input, int64_t watermark)
{
    return bucket_until(j->length, watermark, keeps(j, input));
}

static err_t join_advance(struct op *o, int64_t watermark, struct diag *d)
{
    struct join *j = o->self;
    err_t e = ERR_OK;
    if (!j->slices) return ERR_OK;
    for (uint32_t input = 0; !e && !o->graph->cut && input < 2; input++) {
        int64_t until = forgotten_before(j, input, watermark);
        struct leaving l = {j, input, true};
        if (state_first(j->side[input].state) < until)
            e = op_cut_ok(o, state_each_leaves(j->side[input].state, until, block_leaves, &l, d));
    }
    return e ? e : tell_flush(&j->out, d);
}

static err_t join_flush(struct op *o, bool end, struct diag *d)
{
    struct join *j = o->self;
    err_t e = ERR_OK;
    if (!end) return ERR_OK;
    for (uint32_t input = 0; !e && input < 2; input++) {
        struct leaving l = {j, input, false};
        bool tells = j->side[input].pads || (input == 0 && j->p->kind == JOIN_ANTI);
        if (tells) e = state_each(j->side[input].state, INT64_MIN, INT64_MAX, block_leaves, &l, d);
    }
    return e ? e : tell_flush(&j->out, d);
}

/* --- life ---------------------------------------------------------------------------------------
 */

static err_t join_write(struct op *o, struct store_write *w, struct diag *d)
{
    struct join *j = o->self;
    err_t e = state_write(j->side[0].state, w, d);
    return e ? e : state_write(j->side[1].state, w, d);
}
static void join_kept(struct op *o)
{
    struct join *j = o->self;
    for (int i = 0; i < 2; i++) state_kept(j->side[i].state);
}
static void join_forget(struct op *o)
{
    struct join *j = o->self;
    for (int i = 0; i < 2; i++) state_forget(j->side[i].state);
    drop_pairs(j);
    tell_forget(&j->out);
}
static void join_tell(const struct op *o, struct state_stats *out)
{
    const struct join *j = o->self;
    *out = state_stats(j->side[0].state);
    struct state_stats right = state_stats(j->side[1].state);
    out->entries += right.entries;
    out->in_memory += right.in_memory;
    out->touched += right.touched;
    out->bytes += right.bytes;
}

static void join_close(struct op *o)
{
    struct join *j = o->self;
    if (!j) return;
    for (int i = 0; i < 2; i++) join_side_close(&j->side[i]);
    arena_free(j->fixed);
    arena_free(j->temporary);
    mem_give(j->refs);
    mem_give(j->selected);
    tell_done(&j->out);
    buf_done(&j->key);
    mem_give(j);
    o->self = NULL;
}

/* Made once: what expressions make of it goes into the temporary arena. */
static err_t new_pairs(struct join *j)
{
    const struct plan_node *const *in = j->op->node->inputs;
    uint32_t width = in[0]->column_count, count = width + in[1]->column_count;
    const struct type **types = arena_take(j->fixed, (count + 1) * sizeof(*types));
    if (!types) return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < count; i++)
        types[i] = i < width ? in[0]->columns[i].type : in[1]->columns[i - width].type;
    err_t e = batch_init(&j->pairs, types, count, PAIRS_MAX, j->fixed);
    j->pairs.rows = 0;
    j->pairs.arena = j->temporary;
    return e;
}

static err_t join_open(struct op *o, struct diag *d)
{
    struct join *j = o->self = mem_take(sizeof(*j));
    if (!j) return diag_fail(d, ERR_NO_MEMORY, "a join");
    const struct plan_join *p = &o->node->join;
    *j = (struct join){.op = o, .p = p, .key = buf_make(STATE_KEY_MAX)};
    j->lone_left = p->kind == JOIN_SEMI || p->kind == JOIN_ANTI;
    j->slices = !o->graph->o.bounded && (p->bounded || p->ttl_ms > 0);
    j->later = o->graph->o.bounded || p->bounded;
    j->length = j->slices ? bucket_length(p->bounded ? p->high_ms - p->low_ms : p->ttl_ms) : 0;
    j->side[0].pads = p->kind == JOIN_LEFT || p->kind == JOIN_FULL;
    j->side[1].pads = p->kind == JOIN_RIGHT || p->kind == JOIN_FULL;
    j->fixed = arena_new(GIB(1));
    j->temporary = arena_new(MAX(o->graph->o.memory_max, MIB(64)));
    j->refs = mem_take(PAIRS_MAX * sizeof(*j->refs));
    j->selected = mem_take(PAIRS_MAX * sizeof(*j->selected));
    if (!j->fixed || !j->temporary || !j->refs || !j->selected)
        return diag_fail(d, ERR_NO_MEMORY, "a join");
    for (uint32_t i = 0; i < PAIRS_MAX; i++) j->selected[i] = i;
    err_t e = new_pairs(j);
    if (!e) e = tell_init(&j->out, o, d);
    if (e) return diag_fail(d, e, "a join");
    for (uint8_t i = 0; !e && i < 2; i++) {
        j->side[i].column_count = o->node->inputs[i]->column_count;
        e = join_side_open(o, &j->side[i], i, d);
    }
    return e;
}

const struct op_kind op_join = {
    .open = join_open,
    .push = join_push,
    .advance = join_advance,
    .flush = join_flush,
    .write = join_write,
    .kept = join_kept,
    .forget = join_forget,
    .close = join_close,
    .tell = join_tell,
};
