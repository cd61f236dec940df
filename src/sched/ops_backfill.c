#include "sched/ops_int.h"
#include "sched/things.h"

enum { BACKFILL_RUNS_MAX = 50000, BACKFILL_ACTIVE = 10 };

static const char *const REPROCESS[] = {"none", "failed", "completed"};

const char *backfill_reprocess_name(enum backfill_reprocess r)
{
    return REPROCESS[r];
}

bool backfill_reprocess_parse(struct slice text, enum backfill_reprocess *out)
{
    for (size_t i = 0; i < COUNT_OF(REPROCESS); i++) {
        if (!slice_is(text, REPROCESS[i])) continue;
        *out = (enum backfill_reprocess)i;
        return true;
    }
    return false;
}

/* --- reading ----------------------------------------------------------------------------------
 */

struct one_backfill {
    struct arena *arena;
    struct backfill_row *out;
    bool found;
};

static int64_t time_of(const struct meta_value *v)
{
    return v->kind == META_NULL ? TIME_NONE : v->number;
}

static err_t take_backfill(void *ctx, const struct meta_row *row)
{
    struct one_backfill *one = ctx;
    struct backfill_row *b = one->out;
    one->found = true;
    *b = (struct backfill_row){.id = row->at[0].number,
                               .dag_id = arena_slice(one->arena, row->at[1].text),
                               .from = row->at[2].number,
                               .to = row->at[3].number,
                               .paused = row->at[5].number != 0,
                               .max_active_runs = (int32_t)row->at[7].number,
                               .backwards = row->at[8].number != 0,
                               .created = row->at[9].number,
                               .completed = time_of(&row->at[10]),
                               .updated = time_of(&row->at[11])};
    if (row->at[4].kind != META_NULL) b->conf = arena_slice(one->arena, row->at[4].text);
    bool known = backfill_reprocess_parse(row->at[6].text, &b->reprocess);
    return known ? ERR_OK : ERR_CORRUPT;
}

err_t ops_backfill_find(struct ops *o, int64_t id, struct arena *a, struct backfill_row *out,
                        struct diag *d)
{
    struct one_backfill one = {a, out, false};
    struct meta_value args[] = {meta_int(id)};
    err_t err = meta_run(o->meta, META_BACKFILL_FIND, args, 1, take_backfill, &one, NULL, d);
    if (err || one.found) return err;
    return diag_fail(d, ERR_NOT_FOUND, "Could not find backfill with id %lld", (long long)id);
}

/* --- its dates --------------------------------------------------------------------------------
 */

static err_t dates_of(struct ops *o, const struct dag *g, const struct ops_backfill *b,
                      struct arena *a, struct run_due **out, uint32_t *count, struct diag *d)
{
    struct timetable_limits limits = {b->from, b->to, true};
    struct run_due due, *list = NULL;
    uint32_t cap = 0;
    *count = 0;
    if (!schedule_periodic(&g->schedule))
        return diag_fail(d, ERR_USAGE, "%.*s has no schedule", SLICE_ARG(g->id));
    if (b->from > b->to) return diag_fail(d, ERR_USAGE, "from_date must be before to_date");
    const struct data_interval *last = NULL;
    while (timetable_next(&g->schedule, last, &limits, o->now_us, &due)) {
        if (due.run_after_us > o->now_us || due.interval.start_us > b->to) break;
        if (*count == BACKFILL_RUNS_MAX)
            return diag_fail(d, ERR_TOO_BIG, "a backfill of more than %d runs", BACKFILL_RUNS_MAX);
        if (*count == cap) {
            uint32_t grown = cap ? 2 * cap : 32;
            list = arena_resize(a, list, cap * sizeof(*list), grown * sizeof(*list));
            if (!list) return ERR_NO_MEMORY;
            cap = grown;
        }
        list[(*count)++] = due;
        last = &list[*count - 1].interval;
    }
    for (uint32_t i = 0; b->backwards && i < *count / 2; i++) {
        struct run_due swap = list[i];
        list[i] = list[*count - 1 - i];
        list[*count - 1 - i] = swap;
    }
    *out = list;
    return ERR_OK;
}

/* --- making it --------------------------------------------------------------------------------
 */

struct filling {
    const struct ops_backfill *b;
    const struct dag *dag;
    struct arena *arena;
    const struct run_due *dues;
    uint32_t due_count;
    struct backfill_dates *dates; /* those that really are made */
    int64_t id, dag_version;
    bool any, dry;
};

static err_t take_number(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

static err_t take_version(void *ctx, const struct meta_row *row)
{
    ((struct filling *)ctx)->dag_version = row->at[6].number;
    return ERR_OK;
}

static err_t take_open(void *ctx, const struct meta_row *row)
{
    (void)row;
    ((struct filling *)ctx)->any = true;
    return ERR_OK;
}

static bool reprocesses(enum backfill_reprocess how, enum run_state s)
{
    return (how == REPROCESS_FAILED && s == RUN_FAILED) ||
           (how == REPROCESS_COMPLETED && run_state_finished(s));
}

static err_t run_again(struct ops *o, struct filling *f, const struct run_row *r, struct diag *d)
{
    struct task_rows all;
    err_t err = ops_run_lock(o, r->id, d);
    if (!err) err = task_rows_of_run(o->meta, r->id, f->arena, &all, d);
    for (uint32_t i = 0; !err && i < all.count; i++) err = ops_clear_one(o, f->dag, &all.at[i], d);
    if (!err) err = ops_run_requeue(o, r, d);
    struct meta_value args[] = {meta_int(r->id), meta_int(f->id)};
    return err ? err : meta_run(o->meta, META_RUN_TO_BACKFILL, args, 2, NULL, NULL, NULL, d);
}

static err_t insert(struct ops *o, struct filling *f, const struct run_due *due, struct diag *d)
{
    char text[128];
    struct buf id = buf_over(text, sizeof(text));
    run_id_put(&id, RUN_BACKFILL, due->interval.start_us);
    struct meta_value args[] = {
        meta_text(f->dag->id),
        meta_text(buf_view(&id)),
        meta_text(slice_of(run_type_name(RUN_BACKFILL))),
        meta_int(due->interval.start_us),
        meta_int(due->interval.start_us),
        meta_int(due->interval.end_us),
        meta_int(due->run_after_us),
        meta_int(o->now_us),
        meta_text(f->b->conf.len ? f->b->conf : SLICE("{}")),
        meta_null(),
        meta_text(SLICE("backfill")),
        meta_text(o->user),
        meta_int(f->id),
        meta_int(f->dag_version),
        meta_int(0),
    };
    return meta_run(o->meta, META_RUN_INSERT, args, COUNT_OF(args), NULL, NULL, NULL, d);
}

static err_t fill_date(struct ops *o, struct filling *f, const struct run_due *due, struct diag *d)
{
    struct run_rows there = {.arena = f->arena};
    struct meta_value args[] = {meta_text(f->dag->id), meta_int(due->interval.start_us)};
    err_t err = meta_run(o->meta, META_RUN_AT_LOGICAL, args, 2, run_rows_take, &there, NULL, d);
    if (err) return err;
    if (there.count > 0 && !reprocesses(f->b->reprocess, there.at[0].state)) return ERR_OK;
    f->dates->logical[f->dates->count++] = due->interval.start_us;
    if (f->dry) return ERR_OK;
    return there.count > 0 ? run_again(o, f, &there.at[0], d) : insert(o, f, due, d);
}

static err_t put_backfill(struct ops *o, struct filling *f, struct diag *d)
{
    const struct ops_backfill *b = f->b;
    struct meta_value args[] = {
        meta_text(b->dag_id),
        meta_int(b->from),
        meta_int(b->to),
        meta_text(b->conf.len ? b->conf : SLICE("{}")),
        meta_text(slice_of(REPROCESS[b->reprocess])),
        meta_int(b->max_active_runs > 0 ? b->max_active_runs : BACKFILL_ACTIVE),
        meta_int(b->backwards),
        meta_int(o->now_us),
    };
    return meta_run(o->meta, META_BACKFILL_PUT, args, COUNT_OF(args), take_number, &f->id, NULL, d);
}

static err_t fill_body(struct ops *o, void *ctx, struct diag *d)
{
    struct filling *f = ctx;
    struct meta_value args[] = {meta_text(f->b->dag_id)};
    f->any = false;
    f->dag_version = 1;
    f->dates->count = 0;
    err_t err = meta_run(o->meta, META_DAG_TAKE, args, 1, take_version, f, NULL, d);
    if (!err) err = meta_run(o->meta, META_BACKFILL_OPEN, args, 1, take_open, f, NULL, d);
    if (err) return err;
    if (f->any && !f->dry)
        return diag_fail(d, ERR_EXISTS, "Another backfill is running for dag %.*s",
                         SLICE_ARG(f->b->dag_id));
    if (!f->dry) err = put_backfill(o, f, d);
    for (uint32_t i = 0; i < f->due_count && !err; i++) err = fill_date(o, f, &f->dues[i], d);
    if (err || f->dry) return err;
    struct meta_value done[] = {meta_int(f->id), meta_int(o->now_us)};
    if (f->dates->count == 0)
        err = meta_run(o->meta, META_BACKFILL_COMPLETE, done, 2, NULL, NULL, NULL, d);
    struct ops_event e = {.event = "create_backfill", .dag_id = f->b->dag_id, .logical = TIME_NONE};
    return err ? err : ops_event_put(o, &e, d);
}

static err_t fill(struct ops *o, const struct ops_backfill *b, struct arena *a, bool dry,
                  struct backfill_dates *dates, int64_t *id, struct diag *d)
{
    struct filling f = {.b = b, .arena = a, .dates = dates, .dry = dry};
    struct run_due *dues = NULL;
    struct doc conf;
    if (b->conf.len && (doc_of_json(b->conf, a, &conf, d) || conf.kind != DOC_MAP))
        return diag_fail(d, ERR_USAGE, "conf must be a JSON object");
    err_t err = ops_dag(o, b->dag_id, &f.dag, d);
    if (err) return err;
    err = dates_of(o, f.dag, b, a, &dues, &f.due_count, d);
    f.dues = dues;
    dates->logical = arena_take(a, (f.due_count + 1) * sizeof(*dates->logical));
    if (!err && !dates->logical) err = ERR_NO_MEMORY;
    if (!err) err = ops_transact(o, fill_body, &f, d);
    dag_give(f.dag);
    *id = f.id;
    return err;
}

err_t ops_backfill_create(struct ops *o, const struct ops_backfill *b, struct arena *a,
                          struct backfill_row *out, struct diag *d)
{
    struct backfill_dates dates;
    int64_t id;
    err_t err = fill(o, b, a, false, &dates, &id, d);
    return err ? err : ops_backfill_find(o, id, a, out, d);
}

err_t ops_backfill_dry(struct ops *o, const struct ops_backfill *b, struct arena *a,
                       struct backfill_dates *out, struct diag *d)
{
    int64_t id;
    return fill(o, b, a, true, out, &id, d);
}

/* --- pausing, cancelling ----------------------------------------------------------------------
 */

struct backfill_op {
    int64_t id;
    bool paused, cancel;
    struct arena *arena;
    struct backfill_row *out;
};

static err_t take_run_id(void *ctx, const struct meta_row *row)
{
    return vec_push(ctx, &row->at[0].number);
}

/* Queued runs of it fail; the backfill is complete when those that run have ended. */
static err_t cancel_runs(struct ops *o, const struct backfill_op *op, struct diag *d)
{
    struct vec ids = vec_make(sizeof(int64_t), META_ROWS_MAX);
    struct meta_value args[] = {meta_int(op->id), meta_int(o->now_us)};
    err_t err = meta_run(o->meta, META_BACKFILL_QUEUED, args, 1, take_run_id, &ids, NULL, d);
    for (size_t i = 0; i < ids.count && !err; i++) {
        struct meta_value run[] = {meta_int(*(int64_t *)vec_at(&ids, i)),
                                   meta_text(slice_of(run_state_name(RUN_FAILED))),
                                   meta_int(o->now_us)};
        err = meta_run(o->meta, META_RUN_SET_STATE, run, 3, NULL, NULL, NULL, d);
    }
    vec_done(&ids);
    return err ? err : meta_run(o->meta, META_BACKFILL_COMPLETE, args, 2, NULL, NULL, NULL, d);
}

static err_t backfill_body(struct ops *o, void *ctx, struct diag *d)
{
    struct backfill_op *op = ctx;
    int64_t changed = 0;
    struct meta_value args[] = {meta_int(op->id), meta_int(op->paused || op->cancel),
                                meta_int(o->now_us)};
    err_t err = ops_backfill_find(o, op->id, op->arena, op->out, d);
    if (!err) err = meta_run(o->meta, META_BACKFILL_PAUSE, args, 3, NULL, NULL, &changed, d);
    if (!err && changed == 0) return diag_fail(d, ERR_EXISTS, "Backfill is already completed.");
    if (!err && op->cancel) err = cancel_runs(o, op, d);
    const char *name = op->cancel   ? "cancel_backfill"
                       : op->paused ? "pause_backfill"
                                    : "unpause_backfill";
    struct ops_event e = {.event = name, .logical = TIME_NONE};
    if (!err) e.dag_id = op->out->dag_id;
    if (!err) err = ops_event_put(o, &e, d);
    return err ? err : ops_backfill_find(o, op->id, op->arena, op->out, d);
}

err_t ops_backfill_pause(struct ops *o, int64_t id, bool paused, struct arena *a,
                         struct backfill_row *out, struct diag *d)
{
    struct backfill_op op = {id, paused, false, a, out};
    return ops_transact(o, backfill_body, &op, d);
}

err_t ops_backfill_cancel(struct ops *o, int64_t id, struct arena *a, struct backfill_row *out,
                          struct diag *d)
{
    struct backfill_op op = {id, false, true, a, out};
    return ops_transact(o, backfill_body, &op, d);
}

/* --- data that changed ------------------------------------------------------------------------
 */

struct change {
    const struct asset_change *c;
    const struct dag **dags;
    uint32_t count;
    int64_t event;
};

static err_t change_body(struct ops *o, void *ctx, struct diag *d)
{
    struct change *k = ctx;
    const struct asset_change *c = k->c;
    err_t err = asset_changed(o->meta, c, o->now_us, &k->event, d);
    for (uint32_t i = 0; i < k->count && !err; i++)
        if (schedule_waits_for(&k->dags[i]->schedule, slice_of(c->kind), c->name) >= 0)
            err = asset_queue_put(o->meta, k->dags[i]->id, c, k->event, o->now_us, d);
    return err;
}

err_t ops_data_changed(struct ops *o, const struct asset_change *c, int64_t *event, struct diag *d)
{
    struct change k = {.c = c};
    uint32_t room = o->dags ? o->dags(o->ctx, NULL, 0) : 0;
    k.dags = room ? mem_take(room * sizeof(*k.dags)) : NULL;
    if (room && !k.dags) return ERR_NO_MEMORY;
    uint32_t all = room ? o->dags(o->ctx, k.dags, room) : 0;
    k.count = MIN(all, room);
    err_t err = ops_transact(o, change_body, &k, d);
    for (uint32_t i = 0; i < k.count; i++) dag_give(k.dags[i]);
    mem_give(k.dags);
    if (event) *event = k.event;
    return err;
}
