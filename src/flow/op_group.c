/* op_group: GROUP BY, with and without windows: rows into groups, and an epoch's end. */
#include "flow/group.h"
#include <stdlib.h>

/* --- opening ------------------------------------------------------------------------------------
 */

/* Whether whoever takes the rows must be told what they were before. */
static bool is_asked_back(const struct op *o)
{
    const struct op *last = o;
    for (const struct op *p = o->out; p; p = p->out) {
        bool all_pass =
            p->node->kind == NODE_ROWS && !p->node->rows.where && p->node->rows.check_count == 0;
        if (!all_pass) return true;
        last = p;
    }
    return last->node->key_count == 0;
}

static err_t group_open(struct op *o, struct diag *d)
{
    const struct plan_group *p = &o->node->group;
    struct group_self *s = mem_take(sizeof(*s));
    if (!s) return diag_fail(d, ERR_NO_MEMORY, "'%.*s'", SLICE_ARG(o->graph->o.name));
    o->self = s;
    s->o = o;
    s->plan = p;
    s->windowed = p->window.kind != WINDOW_NONE;
    s->session = p->window.kind == WINDOW_SESSION;
    s->on_close = p->emit == EMIT_ON_CLOSE && !o->graph->o.bounded;
    s->watermark = INT64_MIN;
    s->key_bytes = buf_make(GIB(1));
    s->value_key = buf_make(GIB(1));
    err_t e = group_check_plan(o, s, d);
    if (!e) e = group_lay_out(o, s, d);
    if (e) return e;
    bool ttl = p->ttl_ms > 0 && !s->windowed && !o->graph->o.bounded, distinct = false;
    for (uint32_t i = 0; i < p->aggregate_count; i++)
        distinct |= group_is_distinct(&p->aggregates[i]);
    int64_t span = s->session ? p->window.size_ms : p->ttl_ms;
    s->grain = MAX(span / 16, (int64_t)1);
    s->keeps_old =
        !s->on_close && !o->graph->o.bounded && (s->session || p->takes_back || is_asked_back(o));
    group_part_init(s);
    if (o->graph->o.feeds) return ERR_OK; /* the state is the owner's */
    e = op_state_open(o, GROUP_PART, &s->forms[GROUP_PART], s, &s->states[GROUP_PART], d);
    if (!e && distinct)
        e = op_state_open(o, DISTINCT_PART, &s->forms[DISTINCT_PART], s, &s->states[DISTINCT_PART],
                          d);
    if (!e && (ttl || s->session))
        e = op_state_open(o, INDEX_PART, &s->forms[INDEX_PART], s, &s->states[INDEX_PART], d);
    return e;
}

static void group_close(struct op *o)
{
    struct group_self *s = o->self;
    if (!s) return;
    group_parts_free(s->part);
    for (int i = 0; i < GROUP_PARTS; i++) state_close(s->states[i]);
    buf_done(&s->key_bytes);
    buf_done(&s->value_key);
    mem_give(s);
}

/* --- what a batch brings ------------------------------------------------------------------------
 */

static err_t no_room(struct group_run *u)
{
    return diag_fail(u->d, ERR_NO_MEMORY, "'%.*s': GROUP BY over %u rows",
                     SLICE_ARG(u->o->graph->o.name), u->count);
}

err_t op_group_dead(struct group_run *u, uint32_t row, err_t e, const char *why)
{
    const char *text = arena_printf(u->arena, "%s", why);
    return op_dead(u->o, u->r, row, e, slice_of(text ? text : "no memory"), u->o->node->text, u->d);
}

static err_t evaluate(struct group_run *u)
{
    const struct plan_group *p = u->s->plan;
    err_t e = ERR_OK;
    u->keys = arena_take(u->arena, (p->key_count + 1) * sizeof(*u->keys));
    u->arguments = arena_take(u->arena, (p->aggregate_count + 1) * sizeof(*u->arguments));
    u->filters = arena_take(u->arena, (p->aggregate_count + 1) * sizeof(*u->filters));
    u->selected = arena_take_raw(u->arena, (u->r->count + 1) * sizeof(*u->selected));
    u->key_of = arena_take_raw(u->arena, (u->r->b->rows + 1) * sizeof(*u->key_of));
    if (!u->keys || !u->arguments || !u->filters || !u->selected || !u->key_of) return no_room(u);
    for (uint32_t i = 0; !e && i < p->key_count; i++)
        e = op_eval(u->o, p->keys[i], u->r, &u->keys[i], u->d);
    for (uint32_t i = 0; !e && i < p->aggregate_count; i++) {
        const struct plan_aggregate *a = &p->aggregates[i];
        if (a->filter) e = op_eval(u->o, a->filter, u->r, &u->filters[i], u->d);
        if (e || !a->arg_count) continue;
        u->arguments[i] = arena_take(u->arena, a->arg_count * sizeof(struct column));
        if (!u->arguments[i]) return no_room(u);
        for (uint32_t k = 0; !e && k < a->arg_count; k++)
            e = op_eval(u->o, a->args[k], u->r, &u->arguments[i][k], u->d);
    }
    return e;
}

static bool passes(const struct group_run *u, uint32_t aggregate, uint32_t row)
{
    const struct column *f = &u->filters[aggregate];
    return !f->state || (f->state[row] == VALID_VALUE && f->b1[row]);
}

/* What in this row can not be computed; NULL: all is well. */
static const struct slice *fault_in(const struct group_run *u, uint32_t row)
{
    const struct plan_group *p = u->s->plan;
    for (uint32_t i = 0; i < p->key_count; i++)
        if (u->keys[i].state[row] == ERROR_VALUE) return &u->s->key_texts[i];
    for (uint32_t i = 0; i < p->aggregate_count; i++) {
        const struct plan_aggregate *a = &p->aggregates[i];
        if (a->filter && u->filters[i].state[row] == ERROR_VALUE) return &u->s->argument_texts[i];
        if (!passes(u, i, row)) continue;
        for (uint32_t k = 0; k < a->arg_count; k++)
            if (u->arguments[i][k].state[row] == ERROR_VALUE) return &u->s->argument_texts[i];
    }
    return NULL;
}

static err_t select_good(struct group_run *u)
{
    err_t e = ERR_OK;
    u->count = 0;
    for (uint32_t i = 0; !e && i < u->r->count; i++) {
        uint32_t row = u->r->selected[i];
        const struct slice *text = u->r->b->fault_count ? fault_in(u, row) : NULL;
        const struct row_fault *f = text ? batch_fault_of(u->r->b, row) : NULL;
        if (!text)
            u->selected[u->count++] = row;
        else if (u->o->graph->o.bounded)
            return diag_fail(u->d, f ? f->err : ERR_CAST, "%s",
                             f && f->text ? f->text : "a value can not be computed");
        else
            e = op_dead(u->o, u->r, row, f ? f->err : ERR_CAST,
                        f && f->text ? slice_of(f->text) : SLICE("the value can not be computed"),
                        *text, u->d);
    }
    return e;
}

static err_t encode_keys(struct group_run *u)
{
    const struct group_self *s = u->s;
    uint32_t count = s->plan->key_count, kept = 0;
    if (s->fixed_keys) {
        uint8_t *at = arena_take_raw(u->arena, (size_t)u->count * s->key_size + 1);
        if (!at) return no_room(u);
        group_key_put_fixed(at, s->key_size, u->keys, count, u->selected, u->count);
        for (uint32_t i = 0; i < u->count; i++)
            u->key_of[u->selected[i]] = slice_make(at + (size_t)i * s->key_size, s->key_size);
        return ERR_OK;
    }
    struct buf *b = &u->s->key_bytes;
    buf_reset(b);
    for (uint32_t i = 0; i < u->count; i++) {
        size_t from = b->len;
        group_key_put(b, u->keys, count, u->selected[i]);
        u->key_of[u->selected[i]].len = (uint32_t)(b->len - from);
    }
    if (b->err) return no_room(u);
    const uint8_t *at = b->at;
    for (uint32_t i = 0; i < u->count; i++) {
        uint32_t row = u->selected[i];
        err_t e = ERR_OK;
        u->key_of[row].at = at;
        at += u->key_of[row].len;
        if (u->key_of[row].len > STATE_KEY_MAX - 64)
            e = op_group_dead(u, row, ERR_TOO_BIG, "the group's key is larger than 60 KB");
        else
            u->selected[kept++] = row;
        if (e) return e;
    }
    u->count = kept;
    return ERR_OK;
}

/* The rows' times: a column of the input, or of the records. */
static const int64_t *times_of(const struct op *o, const struct rows *r)
{
    int32_t time = o->node->inputs[0]->time;
    if (time < 0) return r->times;
    return r->b->columns[time].i64;
}

/* --- into aggregates ----------------------------------------------------------------------------
 */

static bool any_null(const struct group_run *u, uint32_t i, uint32_t row)
{
    for (uint32_t n = 0; n < u->s->plan->aggregates[i].arg_count; n++)
        if (u->arguments[i][n].state[row] != VALID_VALUE) return true;
    return false;
}

/* A value's key: the group's, the aggregate, the value; what is long by its hash. */
static void distinct_key(const struct group_run *u, uint32_t i, uint32_t row, struct buf *key)
{
    enum { LONG = 1024 };
    uint8_t hash[32];
    buf_reset(key);
    bytes_put(key, u->key_of[row]);
    buf_be(key, i, 2);
    size_t at = key->len;
    group_key_put(key, u->arguments[i], u->s->plan->aggregates[i].arg_count, row);
    if (key->err || key->len - at < LONG) return;
    digest_sha256(slice_make(key->at + at, key->len - at), hash);
    key->len = at;
    buf_put(key, hash, sizeof(hash));
}

/* Of rows with a value of DISTINCT aggregate `i` those where it comes first, or, taken back, goes
 * last. */
static err_t distinct_rows(struct group_run *u, uint32_t i, uint8_t **groups, uint32_t *rows,
                           uint32_t *count)
{
    struct state *state = u->s->states[DISTINCT_PART];
    struct buf *key = &u->s->value_key;
    uint32_t kept = 0;
    for (uint32_t k = 0; k < *count; k++) {
        uint32_t row = rows[k];
        bool back = u->r->signs && u->r->signs[row] < 0;
        void *entry;
        if (any_null(u, i, row)) continue;
        distinct_key(u, i, row, key);
        if (key->err) return no_room(u);
        err_t e = state_find(state, state_time(groups[k]), buf_view(key), true, &entry, NULL, u->d);
        if (e) return e;
        struct counted *c = entry;
        c->count += back ? -1 : 1;
        state_touch(state, c);
        if (c->count != !back) continue;
        groups[kept] = groups[k];
        rows[kept++] = row;
    }
    *count = kept;
    return ERR_OK;
}

static err_t add_some(struct group_run *u, uint32_t i, uint8_t *const *groups, const uint32_t *rows,
                      uint32_t count)
{
    const struct plan_aggregate *a = &u->s->aggregates[i];
    struct agg_rows add = {.groups = groups,
                           .fixed_at = u->s->fixed_at[i],
                           .more_at = u->s->more_at[i],
                           .args = u->arguments[i],
                           .rows = rows,
                           .signs = u->r->signs,
                           .count = count,
                           .order = u->order};
    bool distinct = group_is_distinct(a);
    if (!a->filter && !distinct) return a->of->add(a, &add, u->d);
    uint32_t *own = arena_take_raw(u->arena, (count + 1) * sizeof(*own));
    uint8_t **own_groups = arena_take_raw(u->arena, (count + 1) * sizeof(*own_groups));
    if (!own || !own_groups) return no_room(u);
    add.count = 0;
    for (uint32_t k = 0; k < count; k++) {
        if (!passes(u, i, rows[k])) continue;
        own_groups[add.count] = groups[k];
        own[add.count++] = rows[k];
    }
    add.groups = own_groups;
    add.rows = own;
    err_t e = distinct ? distinct_rows(u, i, own_groups, own, &add.count) : ERR_OK;
    return e ? e : a->of->add(a, &add, u->d);
}

err_t op_group_add(struct group_run *u, uint8_t *const *groups, const uint32_t *rows,
                   uint32_t count)
{
    err_t e = ERR_OK;
    for (uint32_t k = 0; k < count; k++)
        if (!state_touched(groups[k])) state_touch(u->into, groups[k]);
    for (uint32_t i = 0; !e && i < u->s->plan->aggregate_count; i++)
        e = add_some(u, i, groups, rows, count);
    for (uint32_t k = 0; !e && k < count; k++) {
        struct group *g = (struct group *)(void *)groups[k];
        g->rows += u->r->signs ? u->r->signs[rows[k]] : 1;
        if (u->s->grows) state_touch(u->into, g);
    }
    return e;
}

/* What these groups were told to be is taken back, before they change. */
static err_t take_back(struct group_run *u, void *const *entries, uint32_t count)
{
    struct group_out out;
    uint32_t told = 0;
    for (uint32_t k = 0; k < count; k++) told += ((struct group *)entries[k])->told != 0;
    if (!told) return ERR_OK;
    err_t e = group_out_open(u->o, MIN(told, (uint32_t)CHUNK_ROWS), false, &out, u->d);
    for (uint32_t k = 0; !e && k < count; k++) {
        struct group *g = entries[k];
        if (!g->told) continue;
        e = group_out_add(&out, g, -1, u->d);
        if (!state_touched(g))
            state_touch(u->into, g); /* else a failing epoch does not forget it */
        g->told = 0;
    }
    return e ? e : group_out_emit(&out, u->d);
}

/* A group that was touched is forgotten later: its place among the times moves. */
static err_t put_off(struct group_run *u, const struct slice *keys, void *const *entries,
                     const uint32_t *rows, uint32_t count)
{
    const struct group_self *s = u->s;
    struct state *index = s->states[INDEX_PART];
    err_t e = ERR_OK;
    for (uint32_t k = 0; !e && k < count; k++) {
        struct group *g = entries[k];
        void *entry;
        int64_t now = u->order ? u->order[rows[k]] : u->o->graph->x.now_ms;
        now = MIN(MAX(now, -GROUP_TIME_MAX), GROUP_TIME_MAX);
        int64_t old = round_up(g->last, s->grain), new = round_up(now, s->grain);
        if (g->last && now <= g->last) continue;
        if (g->last && old != new) {
            e = state_find(index, old + s->plan->ttl_ms, keys[k], false, &entry, NULL, u->d);
            if (!e && entry) state_remove(index, entry);
        }
        if (!e && (!g->last || old != new))
            e = state_find(index, new + s->plan->ttl_ms, keys[k], true, &entry, NULL, u->d);
        g->last = now;
    }
    return e;
}

/* Rows of one window (gathered apart: of one pane), or of none, into their groups. */
static err_t add_window(struct group_run *u, int64_t time, const uint32_t *rows, uint32_t count)
{
    if (u->apart) return group_part_add(u, time, rows, count);
    struct slice *keys = arena_take_raw(u->arena, (count + 1) * sizeof(*keys));
    void **entries = arena_take_raw(u->arena, (count + 1) * sizeof(*entries));
    uint8_t *made = arena_take_raw(u->arena, count + 1);
    if (!keys || !entries || !made) return no_room(u);
    for (uint32_t k = 0; k < count; k++) keys[k] = u->key_of[rows[k]];
    err_t e = state_find_many(u->s->states[GROUP_PART], time, keys, count, entries, made, u->d);
    if (!e && u->s->keeps_old) e = take_back(u, entries, count);
    if (!e) e = op_group_add(u, (uint8_t *const *)(void *)entries, rows, count);
    bool held = u->s->on_close && u->r->chunk; /* in the last window that the record falls into */
    for (uint32_t k = 0; !e && held && k < count; k++)
        ((struct group *)entries[k])->held += u->last_end[rows[k]] == time;
    if (!e && u->s->states[INDEX_PART]) e = put_off(u, keys, entries, rows, count);
    return e;
}

/* --- windows ------------------------------------------------------------------------------------
 */

struct placed {
    int64_t end;
    uint32_t row;
};

static int by_end(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Adds the placed rows, window by window. */
static err_t add_placed(struct group_run *u, struct placed *p, size_t count, uint32_t *rows)
{
    bool in_order = true;
    err_t e = ERR_OK;
    for (size_t i = 1; i < count; i++) in_order &= p[i - 1].end <= p[i].end;
    if (!in_order) qsort(p, count, sizeof(*p), by_end);
    for (size_t from = 0, to; !e && from < count; from = to) {
        uint32_t n = 0;
        for (to = from; to < count && p[to].end == p[from].end; to++) rows[n++] = p[to].row;
        e = add_window(u, p[from].end, rows, n);
    }
    return e;
}

static err_t add_to_panes(struct group_run *u, struct placed *p, uint32_t count)
{
    const int64_t *time = u->r->b->columns[u->s->plan->window.time].i64;
    uint32_t *rows = arena_take_raw(u->arena, (count + 1) * sizeof(*rows));
    for (uint32_t i = 0; i < count; i++) p[i].end = group_pane_of(u->s, time[p[i].row]);
    return rows ? add_placed(u, p, count, rows) : no_room(u);
}

/* The rows go into their last windows, then into those before, as long as they are in them. */
static err_t add_to_each(struct group_run *u, struct placed *p, uint32_t count)
{
    const struct plan_window *w = &u->s->plan->window;
    const int64_t *time = u->r->b->columns[w->time].i64;
    int64_t closed = u->o->graph->watermark;
    uint32_t *rows = arena_take_raw(u->arena, (count + 1) * sizeof(*rows));
    err_t e = rows ? ERR_OK : no_room(u);
    while (!e && count) {
        uint32_t kept = 0;
        e = add_placed(u, p, count, rows);
        for (uint32_t i = 0; i < count; i++) {
            int64_t end = p[i].end - w->slide_ms;
            if (end <= time[p[i].row] || end <= closed) continue;
            p[kept++] = (struct placed){end, p[i].row};
        }
        count = kept;
    }
    return e;
}

/* The windows of each row that are still open. */
static err_t add_windows(struct group_run *u)
{
    const struct plan_window *w = &u->s->plan->window;
    const struct column *time = &u->r->b->columns[w->time];
    int64_t closed = u->o->graph->watermark;
    uint32_t n = 0;
    struct placed *p = arena_take_raw(u->arena, (u->count + 1) * sizeof(*p));
    err_t e = p ? ERR_OK : no_room(u);
    u->last_end = arena_take_raw(u->arena, (u->r->b->rows + 1) * sizeof(*u->last_end));
    if (!u->last_end) e = no_room(u);
    for (uint32_t i = 0; !e && i < u->count; i++) {
        uint32_t row = u->selected[i];
        int64_t t;
        if (!window_time_of(time, row, &t)) {
            e = op_group_dead(u, row, ERR_CONSTRAINT, "no time that a window holds");
            continue;
        }
        int64_t end = window_start_of(w, t) + w->size_ms;
        u->last_end[row] = end;
        if (end <= t) { /* between two windows */
            if (u->r->chunk) op_count(u->o, TERM_FILTERED, 1);
        } else if (end <= closed) {
            e = op_late(u->o, u->r, row, u->d);
        } else {
            p[n++] = (struct placed){end, row};
        }
    }
    if (!e && u->r->chunk) op_count(u->o, u->s->on_close ? TERM_HELD : TERM_APPLIED, n);
    if (e) return e;
    return u->apart ? add_to_panes(u, p, n) : add_to_each(u, p, n);
}

static err_t add_rows(struct group_run *u)
{
    if (u->s->session) return op_session_push(u);
    if (u->s->windowed) return add_windows(u);
    if (u->r->chunk) op_count(u->o, TERM_APPLIED, u->count);
    return add_window(u, 0, u->selected, u->count);
}

static err_t group_push(struct op *o, uint32_t input, const struct rows *r, struct diag *d)
{
    struct group_self *s = o->self;
    bool feeds = o->graph->o.feeds;
    struct group_run u = {.o = o,
                          .s = s,
                          .r = r,
                          .arena = o->graph->arena,
                          .count = r->count,
                          .order = times_of(o, r),
                          .into = s->states[GROUP_PART],
                          .d = d};
    (void)input;
    u.apart = s->gathers && !s->direct && (feeds || r->count >= GROUP_PART_LEAST);
    if (feeds && !u.apart) return graph_pass(o, r, d);
    err_t e = evaluate(&u);
    if (!e) e = select_good(&u);
    if (!e) e = encode_keys(&u);
    if (e || !u.count) return e;
    if (!u.apart) return add_rows(&u);
    e = group_part_begin(s, d);
    if (e) return e;
    u.into = s->part->state;
    e = add_rows(&u);
    return e || feeds || s->part->budget.used < GROUP_PART_BYTES ? e : group_part_end(o, d);
}

const struct op_kind op_group = {.open = group_open,
                                 .push = group_push,
                                 .advance = op_group_advance,
                                 .flush = op_group_flush,
                                 .write = op_group_write,
                                 .kept = op_group_kept,
                                 .forget = op_group_forget,
                                 .close = group_close,
                                 .tell = op_group_tell};
