/* why_past: a row that several records made. The stream's recorded epochs are run again for this
 * row's key alone (rerun.h, reach.h): which records reach it, what it was after each epoch, and
 * whether that is the row which is stored. */
#include "flow/net.h"
#include "flow/packed.h"
#include "flow/reach.h"
#include "flow/why_int.h"

#include <inttypes.h>

enum {
    RECORDS_SHOWN = 5,
    RECORDS_MOST = 10000,
    CHANGES_SHOWN = 5,
    PUSHERS_SHOWN = 3,
    ROW_TEXT = 1 << 20
};

struct reached { /* a record that the row is made of */
    int32_t partition;
    int64_t offset;
    uint64_t epoch;
};
struct reach_list { /* of a topic: the first ones, and a ring of the last ones */
    struct reached *first, *last;
    uint64_t count;
};
struct change { /* what an epoch made of the row; texts of the house's own */
    uint64_t epoch, records;
    struct buf before, after, pushers;
};
struct past {
    struct why *w;
    const struct why_row *row;
    const struct plan_stream *plan;
    struct reach *reach;
    bool collecting; /* the run is for a join's keys */
    uint32_t keep;
    struct reach_list *lists; /* by the plan's topics */
    uint64_t records;         /* of the epoch at hand that reach the row */
    struct change changes[CHANGES_SHOWN];
    uint64_t change_count;
    /* the row as the epochs so far have left it */
    bool there, found; /* found: the record that the lineage names has come */
    struct buf text, packed;
    int32_t partition;
    int64_t time;
    /* the epoch at hand */
    bool touched, stays;
    struct buf pushers;
    uint32_t pusher_count;
};

static bool remembers(const struct plan_node *n)
{
    return n->kind == NODE_GROUP || n->kind == NODE_JOIN || n->kind == NODE_TOP ||
           n->kind == NODE_DISTINCT || n->kind == NODE_WINDOW;
}

static bool any_remembers(const struct plan_node *n)
{
    bool any = remembers(n);
    for (uint32_t i = 0; !any && i < n->input_count; i++) any = any_remembers(n->inputs[i]);
    return any;
}

/* --- while epochs run ---------------------------------------------------------------------------
 */

static void note_records(struct past *p, const struct rerun *run, const struct rows *r)
{
    struct reach_list *l = &p->lists[run->topic];
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->selected[i];
        struct reached one = {r->partitions[row], r->offsets[row], run->epoch->epoch};
        const struct reached *before = !l->count             ? NULL
                                       : l->count <= p->keep ? &l->first[l->count - 1]
                                                             : &l->last[(l->count - 1) % p->keep];
        if (before && before->partition == one.partition && before->offset == one.offset) continue;
        if (l->count < p->keep)
            l->first[l->count] = one;
        else
            l->last[l->count % p->keep] = one;
        l->count++;
        p->records++;
    }
}

/* Rows that come among the first of their key: they may push ours out. */
static void note_pushers(struct past *p, const struct rows *r)
{
    for (uint32_t i = 0; i < r->count && p->pusher_count < PUSHERS_SHOWN; i++) {
        struct buf one = buf_make(ROW_TEXT);
        if (r->signs && r->signs[r->selected[i]] < 0) continue;
        why_put_row(&one, r->node, r->b->columns, r->selected[i]);
        if (p->pusher_count++) buf_text(&p->pushers, "; ");
        buf_slice(&p->pushers, buf_view(&one));
        buf_done(&one);
    }
}

static err_t tap(struct rerun_side *s, struct op *from, struct rows *r, struct diag *d)
{
    struct past *p = s->of->ctx;
    if (from->node->kind == NODE_TOP && !p->collecting) note_pushers(p, r);
    err_t e = reach_tap(p->reach, from, r, d);
    bool edge = !from->out || remembers(from->out->node);
    if (!e && !p->collecting && edge && r->offsets && !any_remembers(from->node))
        note_records(p, s->of, r);
    return e;
}

/* Rows of one record each stand by its time, not by the epoch (F5): which one has won says the
 * lineage; until it comes the latest one is shown. */
static bool is_other(struct past *p, const struct rerun *run, const struct rows *r, uint32_t row)
{
    const struct store_lineage *l = &p->row->lineage;
    if (p->plan->root->changes || !r->offsets) return false;
    bool its = p->row->row && run->epoch->epoch == l->epoch && r->offsets[row] == l->offset &&
               (uint32_t)r->partitions[row] == l->partition;
    bool other =
        !its &&
        (p->found || (p->there && r->partitions[row] != p->partition && r->times[row] < p->time));
    p->found |= its;
    return other;
}

static err_t take_rows(struct rerun_side *s, const struct rows *r, struct diag *d)
{
    struct past *p = s->of->ctx;
    if (p->collecting) return ERR_OK;
    for (uint32_t i = 0; i < r->count; i++) {
        uint32_t row = r->selected[i];
        if (is_other(p, s->of, r, row)) continue;
        p->touched = true;
        p->stays = !r->signs || r->signs[row] > 0;
        if (!p->stays) continue;
        if (r->offsets) {
            p->partition = r->partitions[row];
            p->time = r->times[row];
        }
        buf_reset(&p->packed);
        buf_reset(&p->text);
        packed_put(&p->packed, r->b->columns, r->b->column_count, row);
        why_put_row(&p->text, p->plan->root, r->b->columns, row);
        err_t e = p->packed.err ? p->packed.err : p->text.err;
        if (e) return diag_fail(d, e, "a row's columns");
    }
    return ERR_OK;
}

static err_t end_epoch(struct rerun *run, const struct epoch_record *e, struct diag *d)
{
    struct past *p = run->ctx;
    struct change *c = &p->changes[p->change_count % CHANGES_SHOWN];
    struct change *last =
        p->change_count ? &p->changes[(p->change_count - 1) % CHANGES_SHOWN] : NULL;
    const char *now = p->touched ? p->stays ? buf_cstr(&p->text) : "" : NULL;
    if (now && strcmp(now, last ? buf_cstr(&last->after) : "") != 0) {
        struct buf before = buf_make(ROW_TEXT);
        buf_text(&before, last ? buf_cstr(&last->after) : "");
        buf_done(&c->before);
        buf_reset(&c->after);
        buf_reset(&c->pushers);
        c->before = before;
        c->epoch = e->epoch;
        c->records = p->records;
        buf_text(&c->after, now);
        if (!*now) buf_slice(&c->pushers, buf_view(&p->pushers));
        p->change_count++;
    }
    if (p->touched) p->there = p->stays;
    p->touched = false;
    p->records = 0;
    p->pusher_count = 0;
    buf_reset(&p->pushers);
    (void)d;
    return ERR_OK;
}

static err_t run_epochs(struct past *p, struct rerun *run)
{
    const struct store_lineage *l = &p->row->lineage;
    *run = (struct rerun){.flow = p->w->flow,
                          .stage = p->w->stage,
                          .first = p->plan->stateful ? 0 : l->epoch,
                          .last = p->row->row ? l->epoch : UINT64_MAX,
                          .sides = 1,
                          .ctx = p,
                          .tap = tap,
                          .rows = take_rows,
                          .told = p->collecting ? NULL : end_epoch};
    why_ask(p->w, run);
    return rerun_run(run, p->w->d);
}

/* --- telling ------------------------------------------------------------------------------------
 */

/* Each record's bytes in memory of their own: there may be many. */
static err_t tell_one(struct past *p, uint32_t topic, const struct reached *r)
{
    struct why *w = p->w;
    struct arena *kept = w->arena;
    char label[400];
    struct buf text = buf_over(label, sizeof(label));
    w->arena = arena_new(MIB(256));
    if (!w->arena) {
        w->arena = kept;
        return diag_fail(w->d, ERR_NO_MEMORY, "no memory for a record");
    }
    w->topic = w->stage->stream->topics[topic].name;
    w->partition = r->partition;
    w->offset = r->offset;
    w->has_record = false;
    buf_printf(&text, "%.*s/%d offset %" PRId64 " (epoch %" PRIu64 "): %c", SLICE_ARG(w->topic),
               r->partition, r->offset, r->epoch >> 8, 0);
    err_t e = why_tell_record(w, label, false);
    arena_free(w->arena);
    w->arena = kept;
    return e;
}

static err_t tell_list(struct past *p, uint32_t topic)
{
    const struct reach_list *l = &p->lists[topic];
    uint64_t shown = MIN(l->count, (uint64_t)p->keep), later = l->count - shown;
    err_t e = why_tell(p->w, WHY_RECOMPUTED, "records", "%" PRIu64 " of %.*s reach the row%s",
                       l->count, SLICE_ARG(p->w->stage->stream->topics[topic].name),
                       later > p->keep ? ": the first and last ones" : "");
    for (uint64_t i = 0; !e && i < shown; i++) e = tell_one(p, topic, &l->first[i]);
    if (!e && later > p->keep)
        e = why_tell(p->w, WHY_RECOMPUTED, "records", "… %" PRIu64 " more …", later - p->keep);
    for (uint64_t i = l->count - MIN(later, (uint64_t)p->keep); !e && i < l->count; i++)
        e = tell_one(p, topic, &l->last[i % p->keep]);
    return e;
}

static err_t tell_changes(struct past *p)
{
    uint64_t first = p->change_count - MIN(p->change_count, (uint64_t)CHANGES_SHOWN);
    err_t e = ERR_OK;
    if (first)
        e = why_tell(p->w, WHY_RECOMPUTED, "before", "%" PRIu64 " epochs changed it earlier",
                     first);
    for (uint64_t i = first; !e && i < p->change_count; i++) {
        struct change *c = &p->changes[i % CHANGES_SHOWN];
        const char *none = "no row";
        const char *before = buf_cstr(&c->before), *after = buf_cstr(&c->after);
        e = why_tell(p->w, WHY_RECOMPUTED, "change",
                     "epoch %" PRIu64 ", %" PRIu64 " records: %s -> %s", c->epoch >> 8, c->records,
                     *before ? before : none, *after ? after : none);
        if (!e && c->pushers.len)
            e = why_tell(p->w, WHY_RECOMPUTED, "pushed out", "in the same epoch came %s",
                         buf_cstr(&c->pushers));
    }
    return e;
}

/* What of the past is not known any more, or was otherwise: *known, whether there is any. */
static err_t tell_limits(struct past *p, const struct rerun *run, bool *known)
{
    struct why *w = p->w;
    bool from_start = run->first_epoch >> 8 <= 1 || !p->plan->stateful;
    err_t e = ERR_OK;
    *known = run->lost || run->other_sql || run->letters || !p->plan->deterministic || !from_start;
    if (run->lost)
        e = why_tell(w, WHY_GONE, "records",
                     "retention removed %" PRIu64 " offsets that these epochs read: what they did "
                     "to the row is not in what follows",
                     run->lost);
    if (!e && !from_start)
        e = why_tell(w, WHY_GONE, "epochs",
                     "before epoch %" PRIu64 ": their records went when retention had removed "
                     "all that they read; the run begins with empty state",
                     run->first_epoch >> 8);
    if (!e && run->letters)
        e = why_tell(w, WHY_GONE, "dead letters",
                     "some were replayed meanwhile: the log has not the bytes they were mended to");
    if (!e && run->other_sql)
        e = why_tell(w, WHY_GONE, "SQL",
                     "some of the epochs ran another text: what is recomputed "
                     "is today's");
    return e;
}

static bool looks_up(const struct plan_node *n)
{
    bool any = n->kind == NODE_LOOKUP;
    for (uint32_t i = 0; !any && i < n->input_count; i++) any = looks_up(n->inputs[i]);
    return any;
}

/* The columns in which the stored row is another; nothing in `out`: none. */
static err_t compare(struct past *p, struct buf *out)
{
    const struct plan_node *root = p->plan->root;
    struct arena *a = p->w->batch;
    arena_reset(a);
    struct column *columns = arena_take(a, (root->column_count + 1) * sizeof(*columns));
    err_t e = columns ? ERR_OK : ERR_NO_MEMORY;
    for (uint32_t i = 0; !e && i < root->column_count; i++)
        e = column_init(&columns[i], root->columns[i].type, 1, a);
    if (!e) e = packed_take(buf_view(&p->packed), columns, root->column_count, 0);
    for (uint32_t i = 0; !e && i < root->column_count; i++) {
        struct value mine = {.state = NULL_VALUE}, stored = {.state = NULL_VALUE};
        column_get(&columns[i], 0, &mine);
        for (uint32_t c = 0; c < p->row->table->column_count; c++)
            if (slice_equal(p->row->table->columns[c].name, root->columns[i].name))
                column_get(&p->row->row[c], 0, &stored);
        bool both = mine.state == VALID_VALUE && stored.state == VALID_VALUE;
        if (both ? value_compare(&mine, &stored) == 0 : mine.state == stored.state) continue;
        buf_printf(out, "%s%.*s is ", out->len ? ", " : "", SLICE_ARG(root->columns[i].name));
        if (stored.state == VALID_VALUE)
            value_to_text(&stored, out);
        else
            buf_text(out, "null");
        buf_text(out, " in the table, ");
        if (mine.state == VALID_VALUE)
            value_to_text(&mine, out);
        else
            buf_text(out, "null");
        buf_text(out, " recomputed");
    }
    return e ? e : out->err;
}

static err_t tell_verdict(struct past *p, bool known)
{
    struct why *w = p->w;
    struct buf text = buf_make(WHY_TEXT);
    err_t e = ERR_OK;
    if (p->there)
        e = why_tell(w, WHY_RECOMPUTED, "row", "%s", buf_cstr(&p->text));
    else
        e = why_tell(w, WHY_RECOMPUTED, "row", "none");
    if (!e && p->row->row && p->there) e = compare(p, &text);
    if (e) {
        buf_done(&text);
        return w->d->err ? e : diag_fail(w->d, e, "the row recomputed can not be read");
    }
    bool same = (p->there == (p->row->row != NULL)) && !text.len;
    if (same) {
        e = why_tell(w, WHY_RECOMPUTED, "verdict",
                     p->row->row ? "equal to the row that is stored" : "no row, as in the table");
        buf_done(&text);
        return e;
    }
    e = why_tell(w, WHY_RECOMPUTED, "verdict", "DIFFERS from the table: %s",
                 text.len              ? buf_cstr(&text)
                 : p->row->row != NULL ? "it has a row"
                                       : "it has no row (removed, expired or emptied)");
    if (!e && looks_up(p->plan->root)) {
        known = true;
        e = why_tell(w, WHY_GONE, "look-ups",
                     "what the tables held then: they are read as they are now");
    }
    buf_done(&text);
    if (e || known || !p->row->row) return e;
    (void)diag_fail(w->d, ERR_CORRUPT,
                    "the row recomputed is not the row stored, and nothing recorded explains it");
    return diag_hint(w->d, "a client of CQL may have written its cells: SELECT writetime(…) tells");
}

/* --- the whole ----------------------------------------------------------------------------------
 */

/* The root's columns that fill the table's key. */
static err_t fix_key(struct past *p)
{
    const struct plan_node *root = p->plan->root;
    err_t e = ERR_OK;
    for (uint32_t k = 0; !e && k < p->row->key_count; k++)
        for (uint32_t c = 0; !e && c < root->column_count; c++)
            if (slice_equal(root->columns[c].name, p->row->table->columns[k].name))
                e = reach_fix(p->reach, root, c, &p->row->key[k], p->w->d);
    return e;
}

static err_t open_past(struct past *p)
{
    struct why *w = p->w;
    uint32_t topics = p->plan->topic_count;
    p->keep = MIN(w->o->records ? w->o->records : RECORDS_SHOWN, (uint32_t)RECORDS_MOST);
    p->text = buf_make(ROW_TEXT);
    p->packed = buf_make(MIB(64));
    p->pushers = buf_make(4 * ROW_TEXT);
    for (uint32_t i = 0; i < CHANGES_SHOWN; i++) {
        p->changes[i].before = buf_make(ROW_TEXT);
        p->changes[i].after = buf_make(ROW_TEXT);
        p->changes[i].pushers = buf_make(4 * ROW_TEXT);
    }
    p->lists = arena_take(w->arena, topics * sizeof(*p->lists));
    for (uint32_t i = 0; p->lists && i < topics; i++) {
        p->lists[i].first = arena_take(w->arena, p->keep * sizeof(struct reached));
        p->lists[i].last = arena_take(w->arena, p->keep * sizeof(struct reached));
        if (!p->lists[i].first || !p->lists[i].last) p->lists = NULL;
    }
    if (!p->lists) return diag_fail(w->d, ERR_NO_MEMORY, "no memory to say why");
    err_t e = reach_new(p->plan, &p->reach, w->d);
    return e ? e : fix_key(p);
}

static void close_past(struct past *p)
{
    reach_free(p->reach);
    buf_done(&p->text);
    buf_done(&p->packed);
    buf_done(&p->pushers);
    for (uint32_t i = 0; i < CHANGES_SHOWN; i++) {
        buf_done(&p->changes[i].before);
        buf_done(&p->changes[i].after);
        buf_done(&p->changes[i].pushers);
    }
}

static err_t tell_origin(struct past *p)
{
    const struct store_lineage *l = &p->row->lineage;
    if (!p->row->row || l->offset < 0 || p->plan->topic_count != 1) return ERR_OK;
    return why_tell(p->w, WHY_STORED, "origin", "%.*s/%u offset %" PRId64,
                    SLICE_ARG(p->w->stage->stream->topics[0].name), l->partition, l->offset);
}

static err_t tell_past(struct past *p, const struct rerun *run)
{
    const struct ledger *n = &run->side[0].counter.now;
    bool known = false;
    err_t e = tell_origin(p);
    if (!e)
        e = why_tell(p->w, WHY_RECOMPUTED, "run",
                     "%" PRIu64 " epochs over %" PRIu64 " records, for this key alone", run->epochs,
                     run->records);
    if (!e && (n->late || n->deduplicated || n->dead))
        e = why_tell(p->w, WHY_RECOMPUTED, "left out",
                     "of those that reach it %" PRIu64 " were late, %" PRIu64
                     " duplicates, %" PRIu64 " dead",
                     n->late, n->deduplicated, n->dead);
    if (!e) e = tell_limits(p, run, &known);
    for (uint32_t i = 0; !e && i < p->plan->topic_count; i++) e = tell_list(p, i);
    if (!e) e = tell_changes(p);
    return e ? e : tell_verdict(p, known);
}

err_t why_past(struct why *w, const struct why_row *row)
{
    struct past p = {.w = w, .row = row, .plan = w->stage->stream->plan};
    struct rerun run;
    err_t e = open_past(&p);
    while (!e && p.plan->stateful && reach_unknown(p.reach)) {
        p.collecting = true;
        e = run_epochs(&p, &run);
        if (!e) e = reach_known(p.reach, w->d);
    }
    p.collecting = false;
    if (!e) e = run_epochs(&p, &run);
    if (!e) e = tell_past(&p, &run);
    close_past(&p);
    return e;
}
