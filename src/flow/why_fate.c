/* why_fate: what a plan with memory has done with one record. The recorded epochs are run again in
 * two graphs, with the record and without it: what the ledger counts as it comes is its fate, and
 * where the rows of both differ is what it has done, to the end of what is recorded. */
#include "flow/reach.h"
#include "flow/why_int.h"

#include <inttypes.h>

enum { EFFECTS_SHOWN = 5, KEYS_MAX = 1 << 20, KEY_BYTES = 16 << 20 };

struct word { /* a row's last one in an epoch */
    const char *text;
    bool stays;
};
struct side { /* rows of the epoch at hand, by their keys */
    struct map *words;
    struct arena *arena;
};
struct fate {
    struct why *w;
    const struct plan_node *memory; /* the first one on the record's way … */
    uint32_t input;                 /* … by this input */
    struct map *keys[2];            /* the record's keys there: one for each input */
    uint32_t key_count;
    struct reach *reach; /* NULL: nothing can be left out */
    struct side sides[RERUN_SIDES];
    struct buf key;
    struct ledger before, arrival; /* the counts as it comes */
    struct ledger ends[RERUN_SIDES];
    bool come;
    int64_t watermark; /* as it comes */
    struct reached_one {
        int32_t partition;
        int64_t offset;
        bool there;
    } same;           /* the first record of the same keys before it */
    uint64_t effects; /* … of which the first ones and the last one are kept */
    const char *shown[EFFECTS_SHOWN];
    struct buf last;
};

/* --- its keys -----------------------------------------------------------------------------------
 */

static err_t collect_keys(void *ctx, struct op *from, struct rows *r, struct diag *d)
{
    struct fate *f = ctx;
    struct column *columns;
    uint32_t count;
    if (from->node != f->memory->inputs[f->input]) return ERR_OK;
    err_t e = reach_evaluate(from, f->memory, f->input, r, &columns, &count, d);
    f->key_count = count;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        buf_reset(&f->key);
        op_key(&f->key, columns, count, r->selected[i]);
        if (f->key.err) return diag_fail(d, f->key.err, "a record's key");
        for (uint32_t k = 0; !e && k < f->memory->input_count && k < 2; k++)
            e = map_set(f->keys[k], buf_view(&f->key), f);
    }
    return e;
}

static err_t no_rows(void *ctx, const struct rows *r, struct diag *d)
{
    (void)ctx, (void)r, (void)d;
    return ERR_OK;
}

static bool remembers_above(const struct plan_node *n, const struct plan_node *memory)
{
    bool own = n->kind == NODE_GROUP || n->kind == NODE_JOIN || n->kind == NODE_TOP ||
               n->kind == NODE_DISTINCT;
    if (n == memory) return false;
    for (uint32_t i = 0; i < n->input_count; i++)
        if (remembers_above(n->inputs[i], memory)) return true;
    return own;
}

/* Only rows with the record's keys matter to it, where nothing else remembers. */
static err_t follow_keys(struct fate *f)
{
    struct why *w = f->w;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < 2; i++)
        if (!(f->keys[i] = map_new(REACH_KEYS_MAX)))
            return diag_fail(w->d, ERR_NO_MEMORY, "a record's keys");
    e = why_push(w, f->memory->inputs[f->input], f, collect_keys, no_rows);
    if (e || !f->key_count || remembers_above(w->stage->stream->plan->root, f->memory)) return e;
    e = reach_new(w->stage->stream->plan, &f->reach, w->d);
    for (uint32_t i = 0; !e && i < f->memory->input_count && i < 2; i++) {
        struct map *keys = f->keys[i];
        f->keys[i] = NULL;
        e = reach_keys(f->reach, f->memory, i, keys, w->d);
    }
    return e;
}

/* --- while epochs run ---------------------------------------------------------------------------
 */

static err_t tap(struct rerun_side *s, struct op *from, struct rows *r, struct diag *d)
{
    struct fate *f = s->of->ctx;
    err_t e = f->reach ? reach_tap(f->reach, from, r, d) : ERR_OK;
    bool edge = f->reach && from->out && from->out->node == f->memory;
    if (!e && edge && !s->index && !f->come && !f->same.there && r->count && r->offsets)
        f->same =
            (struct reached_one){r->partitions[r->selected[0]], r->offsets[r->selected[0]], true};
    return e;
}

static err_t key_of(struct fate *f, const struct rows *r, uint32_t row, struct diag *d)
{
    const struct plan_node *root = f->w->stage->stream->plan->root;
    buf_reset(&f->key);
    for (uint32_t i = 0; i < root->key_count; i++)
        op_key(&f->key, &r->b->columns[root->key[i]], 1, row);
    if (!root->key_count) op_key(&f->key, r->b->columns, root->column_count, row);
    return f->key.err ? diag_fail(d, f->key.err, "a row's key") : ERR_OK;
}

static err_t take_rows(struct rerun_side *s, const struct rows *r, struct diag *d)
{
    struct fate *f = s->of->ctx;
    struct side *side = &f->sides[s->index];
    const struct plan_node *root = f->w->stage->stream->plan->root;
    err_t e = ERR_OK;
    if (!f->come && s->of->epoch->epoch < f->w->epoch.epoch) return ERR_OK;
    for (uint32_t i = 0; !e && i < r->count; i++) {
        uint32_t row = r->selected[i];
        e = key_of(f, r, row, d);
        if (e) return e;
        struct word *word = map_get(side->words, buf_view(&f->key));
        if (!word) {
            word = arena_take(side->arena, sizeof(*word));
            e = word ? map_set(side->words, buf_view(&f->key), word) : ERR_NO_MEMORY;
        }
        struct buf text = buf_make(WHY_TEXT);
        why_put_row(&text, root, r->b->columns, row);
        if (!e && !(word->text = arena_text(side->arena, buf_view(&text)))) e = ERR_NO_MEMORY;
        if (!e) word->stays = !r->signs || r->signs[row] > 0;
        buf_done(&text);
    }
    return e ? diag_fail(d, e, "what an epoch changes") : ERR_OK;
}

static err_t on_one(struct rerun *run, bool done, struct diag *d)
{
    struct fate *f = run->ctx;
    const struct ledger *now = &run->side[0].counter.now;
    (void)d;
    f->come = true;
    f->watermark = run->watermark;
    if (!done) f->before = *now;
    for (int t = 0; done && t < TERMS; t++)
        *ledger_term(&f->arrival, (enum ledger_term)t) =
            ledger_value(now, (enum ledger_term)t) - ledger_value(&f->before, (enum ledger_term)t);
    return ERR_OK;
}

static err_t keep_effect(struct fate *f, const struct rerun *run, const struct word *with,
                         const struct word *without)
{
    const char *none = "no row", *before = "as before";
    buf_reset(&f->last);
    buf_printf(&f->last, "epoch %" PRIu64 ": %s; without the record: %s", run->epoch->epoch >> 8,
               !with         ? before
               : with->stays ? with->text
                             : none,
               !without         ? before
               : without->stays ? without->text
                                : none);
    if (f->last.err) return diag_fail(f->w->d, f->last.err, "what an epoch changes");
    if (f->effects < EFFECTS_SHOWN) {
        const char *text = arena_text(f->w->arena, buf_view(&f->last));
        if (!text) return diag_fail(f->w->d, ERR_NO_MEMORY, "what an epoch changes");
        f->shown[f->effects] = text;
    }
    f->effects++;
    return ERR_OK;
}

static err_t clear(struct side *s, struct diag *d)
{
    map_free(s->words);
    s->words = map_new(KEYS_MAX);
    arena_reset(s->arena);
    return s->words ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "an epoch's rows");
}

static err_t on_told(struct rerun *run, const struct epoch_record *e, struct diag *d)
{
    struct fate *f = run->ctx;
    struct side *with = &f->sides[0], *without = &f->sides[1];
    struct slice key;
    void *value;
    err_t err = ERR_OK;
    (void)e;
    for (uint32_t i = 0; i < RERUN_SIDES; i++) f->ends[i] = run->side[i].counter.now;
    if (!f->come) return ERR_OK;
    for (size_t at = 0; !err && map_next(with->words, &at, &key, &value);) {
        const struct word *a = value, *b = map_get(without->words, key);
        if (!b || a->stays != b->stays || (a->stays && strcmp(a->text, b->text) != 0))
            err = keep_effect(f, run, a, b);
    }
    for (size_t at = 0; !err && map_next(without->words, &at, &key, &value);)
        if (!map_get(with->words, key)) err = keep_effect(f, run, NULL, value);
    if (!err) err = clear(with, d);
    return err ? err : clear(without, d);
}

static err_t run_both(struct fate *f, struct rerun *run)
{
    struct why *w = f->w;
    *run = (struct rerun){.flow = w->flow,
                          .stage = w->stage,
                          .last = UINT64_MAX,
                          .sides = 2,
                          .ctx = f,
                          .tap = tap,
                          .rows = take_rows,
                          .told = on_told,
                          .has_one = true,
                          .one_topic = w->topic_number,
                          .one_partition = w->partition,
                          .one_offset = w->offset,
                          .one = on_one};
    why_ask(w, run);
    return rerun_run(run, w->d);
}

/* --- telling ------------------------------------------------------------------------------------
 */

static int64_t more(const struct fate *f, enum ledger_term t)
{
    struct ledger with = f->ends[0], without = f->ends[1];
    return (int64_t)(*ledger_term(&with, t) - *ledger_term(&without, t));
}

static err_t tell_late(struct fate *f)
{
    struct value v = value_i64(TYPE_TIMESTAMP, f->watermark);
    buf_reset(&f->w->text);
    value_to_text(&v, &f->w->text);
    return why_tell(f->w, WHY_RECOMPUTED, "late", "the watermark stood at %s as it came",
                    buf_cstr(&f->w->text));
}

static err_t tell_duplicate(struct fate *f)
{
    struct slice topic = f->w->stage->stream->topics[f->w->topic_number].name;
    if (!f->same.there)
        return why_tell(f->w, WHY_RECOMPUTED, "duplicate", "its key had been there");
    return why_tell(f->w, WHY_RECOMPUTED, "duplicate",
                    "its key had been there: first in %.*s/%d offset %" PRId64, SLICE_ARG(topic),
                    f->same.partition, f->same.offset);
}

static err_t tell_filtered(struct fate *f)
{
    const struct plan_node *n = f->memory;
    if (n->kind == NODE_TOP)
        return why_tell(f->w, WHY_RECOMPUTED, "filtered",
                        "it was not among the first %" PRId64 " of its key", n->top.limit);
    return why_tell(f->w, WHY_RECOMPUTED, "filtered", "%s leaves it out: %s", node_names[n->kind],
                    n->kind == NODE_JOIN ? "a key is null, or nothing can match it"
                                         : "it falls into no window");
}

static err_t tell_held(struct fate *f)
{
    bool join = f->memory->kind == NODE_JOIN;
    bool alone = join && f->memory->join.kind != JOIN_INNER && f->memory->join.kind != JOIN_SEMI;
    if (more(f, TERM_HELD) > 0)
        return why_tell(f->w, WHY_RECOMPUTED, "held", "it still waits for %s",
                        join ? "a partner" : "its window's end");
    if (more(f, TERM_FILTERED) > 0)
        return why_tell(f->w, WHY_RECOMPUTED, "filtered",
                        "it waited for a partner, and none had come when its time was over");
    return why_tell(f->w, WHY_RECOMPUTED, "applied", "it waited for %s",
                    alone  ? "a partner, which came, or its time was over"
                    : join ? "a partner, which came"
                           : "its window's end, which came");
}

/* By what was counted as it came. */
static err_t tell_fate(struct fate *f)
{
    const struct ledger *a = &f->arrival;
    if (a->late) return tell_late(f);
    if (a->deduplicated) return tell_duplicate(f);
    if (a->held) return tell_held(f);
    if (a->filtered) return tell_filtered(f);
    if (a->applied)
        return why_tell(f->w, WHY_RECOMPUTED, "applied", "%s took it in%s%.*s",
                        node_names[f->memory->kind], f->memory->text.len ? ": " : "",
                        SLICE_ARG(f->memory->text));
    return why_tell(f->w, WHY_RECOMPUTED, "dead", "%s can not take it",
                    node_names[f->memory->kind]);
}

static err_t tell_limits(struct fate *f, const struct rerun *run)
{
    err_t e = ERR_OK;
    if (run->lost || run->first_epoch >> 8 > 1)
        e = why_tell(f->w, WHY_GONE, "records",
                     "what came before epoch %" PRIu64 ", and %" PRIu64
                     " offsets since: retention removed it, the run began without",
                     run->first_epoch >> 8, run->lost);
    if (!e && run->other_sql)
        e = why_tell(f->w, WHY_GONE, "SQL",
                     "some of the epochs ran another text: what is recomputed "
                     "is today's");
    return e;
}

static err_t tell_effects(struct fate *f, const struct rerun *run)
{
    bool out = f->memory->kind == NODE_TOP && f->arrival.applied;
    err_t e = ERR_OK;
    for (uint64_t i = 0; !e && i < f->effects && i < EFFECTS_SHOWN; i++)
        e = why_tell(f->w, WHY_RECOMPUTED, "effect", "%s", f->shown[i]);
    if (!e && f->effects > EFFECTS_SHOWN + 1)
        e = why_tell(f->w, WHY_RECOMPUTED, "effect", "… %" PRIu64 " more …",
                     f->effects - EFFECTS_SHOWN - 1);
    if (!e && f->effects > EFFECTS_SHOWN)
        e = why_tell(f->w, WHY_RECOMPUTED, "effect", "%s", buf_cstr(&f->last));
    if (e || f->effects) return e;
    return why_tell(f->w, WHY_RECOMPUTED, "no row",
                    "no row is other than it would be without the record, over %" PRIu64
                    " epochs%s",
                    run->epochs, out ? ": others of its key went before it" : "");
}

static void close_fate(struct fate *f)
{
    for (uint32_t i = 0; i < RERUN_SIDES; i++) {
        map_free(f->sides[i].words);
        arena_free(f->sides[i].arena);
        map_free(f->keys[i]);
    }
    reach_free(f->reach);
    buf_done(&f->key);
    buf_done(&f->last);
}

err_t why_fate(struct why *w, const struct plan_node *memory, uint32_t input)
{
    struct fate f = {.w = w,
                     .memory = memory,
                     .input = input,
                     .key = buf_make(KEY_BYTES),
                     .last = buf_make(4 * WHY_TEXT)};
    struct rerun run = {0};
    err_t e = ERR_OK;
    if (!w->has_epoch)
        return why_tell(w, WHY_GONE, "fate",
                        "no recorded epoch read it: what became of it in state is not known");
    for (uint32_t i = 0; !e && i < RERUN_SIDES; i++) {
        f.sides[i].arena = arena_new(MIB(256));
        e = f.sides[i].arena ? clear(&f.sides[i], w->d)
                             : diag_fail(w->d, ERR_NO_MEMORY, "no memory to say why");
    }
    if (!e) e = follow_keys(&f);
    if (!e) e = run_both(&f, &run);
    if (!e) e = tell_limits(&f, &run);
    if (!e) e = tell_fate(&f);
    if (!e) e = tell_effects(&f, &run);
    close_fate(&f);
    return e;
}
