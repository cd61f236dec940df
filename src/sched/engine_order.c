#include "sched/engine_int.h"

#include "base/say.h"
#include "sched/secret.h"
#include "sched/worklog.h"

#include <stdio.h>

/* --- an order is made -------------------------------------------------------------------------
 */

void engine_log_path(const struct engine *e, const struct run *r, const struct dag_task *t,
                     int32_t map_index, int32_t try_number, struct buf *out)
{
    buf_printf(out, "%s/dag_id=%.*s/run_id=%.*s/task_id=%.*s/", e->o.logs_dir,
               SLICE_ARG(r->row.dag_id), SLICE_ARG(r->row.run_id), SLICE_ARG(t->id));
    if (map_index >= 0) buf_printf(out, "map_index=%d/", map_index);
    buf_printf(out, "attempt=%d.log", try_number);
}

/* An option that the map's names stand for takes their item's value. */
static err_t mapped_options(const struct doc *options, const struct doc *item, struct arena *a,
                            struct doc *out)
{
    *out = *options;
    if (item->kind != DOC_MAP || options->kind != DOC_MAP) return ERR_OK;
    struct doc_entry *all = arena_take(a, ((size_t)options->count + item->count) * sizeof(*all));
    if (!all) return ERR_NO_MEMORY;
    uint32_t n = 0;
    for (uint32_t i = 0; i < options->count; i++) {
        const struct doc *instead = doc_find(item, options->entries[i].name);
        all[n] = options->entries[i];
        if (instead) all[n].value = *instead;
        n++;
    }
    for (uint32_t i = 0; i < item->count; i++)
        if (!doc_find(options, item->entries[i].name)) all[n++] = item->entries[i];
    out->entries = all;
    out->count = n;
    return ERR_OK;
}

static err_t context_with(const struct doc *context, struct slice name, const struct doc *value,
                          struct arena *a, struct doc *out)
{
    struct doc_entry *all = arena_take(a, ((size_t)context->count + 1) * sizeof(*all));
    if (!all) return ERR_NO_MEMORY;
    memcpy(all, context->entries, context->count * sizeof(*all));
    all[context->count] = (struct doc_entry){.name = name, .value = *value};
    *out = *context;
    out->entries = all;
    out->count++;
    return ERR_OK;
}

static bool is_late(const struct task_kind *k, struct slice name)
{
    const struct task_option *o = task_option_find(k, name);
    return o && o->type == OPT_LATE;
}

/* The options rendered, but for those whose templates wait for an answer. */
static err_t render_options(struct engine *e, struct run *r, struct instance *i,
                            const struct task_kind *k, const struct doc *written,
                            const struct doc *context, struct arena *a, struct doc *out,
                            struct diag *d)
{
    struct doc now = *written;
    uint32_t count = written->kind == DOC_MAP ? written->count : 0;
    now.entries = arena_take(a, ((size_t)count + 1) * sizeof(*now.entries));
    if (!now.entries) return ERR_NO_MEMORY;
    for (uint32_t n = 0; n < count; n++) {
        now.entries[n] = written->entries[n];
        if (is_late(k, now.entries[n].name)) now.entries[n].value = (struct doc){.kind = DOC_NULL};
    }
    err_t err = engine_render(e, r, i, count ? &now : written, context, a, out, d);
    for (uint32_t n = 0; n < count && !err; n++) /* the order stays */
        if (is_late(k, written->entries[n].name)) out->entries[n].value = written->entries[n].value;
    return err;
}

/* What templates see and what they make of the options. */
static err_t fill(struct engine *e, struct run *r, struct instance *i, struct order *o,
                  struct diag *d)
{
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    struct arena *a = o->arena;
    struct doc *context = arena_take(a, sizeof(*context)),
               *options = arena_take(a, sizeof(*options));
    static const struct doc NOTHING = {.kind = DOC_MAP};
    struct doc written = t->options ? *t->options : NOTHING;
    if (!context || !options) return ERR_NO_MEMORY;
    err_t err = engine_context(e, r, i, a, context, d);
    if (!err && t->expand && i->map_index >= 0) {
        struct mapping m;
        struct doc item;
        err = engine_mapping(e, r, i->task, a, &m, d);
        if (!err && (uint32_t)i->map_index >= m.total)
            err = diag_fail(d, ERR_NOT_FOUND, "the list to map over has no item %d any more",
                            i->map_index);
        if (!err) err = mapping_item(&m, (uint32_t)i->map_index, a, &item);
        if (!err) err = context_with(context, SLICE("item"), &item, a, context);
        if (!err && m.names && t->mapped_group < 0)
            err = mapped_options(&written, &item, a, &written);
    }
    o->work.context = context;
    if (!err) err = render_options(e, r, i, t->kind, &written, context, a, options, d);
    if (!err) o->work.options = options;
    return err;
}

static err_t name_order(struct engine *e, struct run *r, struct instance *i, struct order *o)
{
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    struct buf path = buf_make(8192);
    engine_log_path(e, r, t, i->map_index, i->try_number, &path);
    struct work_key *k = &o->work.key;
    *k = (struct work_key){.run = r->row.id,
                           .dag_id = arena_slice(o->arena, r->row.dag_id),
                           .run_id = arena_slice(o->arena, r->row.run_id),
                           .task_id = t->id,
                           .map_index = i->map_index,
                           .try_number = i->try_number,
                           .token = i->token};
    o->work.dag = o->dag;
    o->work.task = t;
    o->work.log_path = arena_text(o->arena, buf_view(&path));
    o->work.first_started_us = i->started_at;
    o->work.deadline_us = INT64_MAX;
    o->stop_at_mono = INT64_MAX;
    bool fine = k->dag_id.at && k->run_id.at && o->work.log_path && !path.err;
    buf_done(&path);
    return fine ? ERR_OK : ERR_NO_MEMORY;
}

/* How long a try may take; a sensor's looks share the time of their first. */
static void limit_order(struct engine *e, struct run *r, uint32_t place, struct order *o)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = o->work.task;
    if (t->execution_timeout_us <= 0) return;
    int64_t spent = i->started_at == TIME_NONE ? 0 : e->now - i->started_at;
    int64_t left = t->execution_timeout_us - MIN(MAX(spent, 0), t->execution_timeout_us);
    o->work.deadline_us = e->now + left;
    o->stop_at_mono = e->mono + left;
    struct timer timer = {o->stop_at_mono, {r->row.id, r->generation, place}, TIMER_ORDER, 0};
    engine_timer(e, &timer);
}

/* Without the word in front: states and logs say that it failed. */
static struct slice story_of(const struct diag *d, char text[1400])
{
    diag_format(d, text, 1400);
    return slice_of(strncmp(text, "error: ", 7) == 0 ? text + 7 : text);
}

struct sensor_state {
    struct arena *arena;
    struct slice state;
    err_t err;
};

static err_t take_state(void *ctx, const struct meta_row *row)
{
    struct sensor_state *s = ctx;
    if (row->at[0].kind == META_NULL || row->at[0].text.len == 0) return ERR_OK;
    s->state = arena_slice(s->arena, row->at[0].text);
    return s->state.at ? ERR_OK : ERR_NO_MEMORY;
}

err_t engine_order_make(struct engine *e, struct run *r, uint32_t place, struct order **out,
                        struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    struct order *o = mem_take(sizeof(*o));
    if (!o) return ERR_NO_MEMORY;
    o->arena = arena_new(ORDER_BYTES_MAX);
    o->place = place;
    o->wanted = true;
    o->dag = r->graph.plan->dag;
    dag_hold(o->dag);
    o->next = e->orders;
    if (o->next) o->next->before = o;
    e->orders = o;
    e->orders_out++;
    i->work = o;
    *out = o;
    err_t err = o->arena ? name_order(e, r, i, o) : ERR_NO_MEMORY;
    struct sensor_state s = {.arena = o->arena};
    struct meta_value which[] = {meta_int(r->row.id), meta_text(o->work.key.task_id),
                                 meta_int(i->map_index)};
    if (!err && !o->work.task->kind->is_process) /* sensors, and others that look again */
        err = meta_run(e->meta, META_TASK_MEMO, which, 3, take_state, &s, NULL, d);
    o->work.state = s.state;
    struct diag why = {0};
    o->work.mask = e->masking = mask_new();
    if (!err && !o->work.mask) err = ERR_NO_MEMORY;
    if (!err) err = fill(e, r, i, o, &why);
    e->masking = NULL;
    if (err && !engine_failed(err)) { /* what a person wrote: the try fails with that story */
        char text[1400];
        o->failed_before = true;
        o->answer = (struct work_answer){.outcome = WORK_FAILED,
                                         .message = arena_slice(o->arena, story_of(&why, text))};
        err = ERR_OK;
    } else if (err && d) {
        *d = why;
    }
    if (!err) limit_order(e, r, place, o);
    if (err) engine_order_free(e, o);
    return err;
}

/* --- its rows ---------------------------------------------------------------------------------
 */

err_t engine_order_claim(struct engine *e, struct run *r, uint32_t place, struct order *o,
                         struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = o->work.task;
    struct buf plain = buf_make(RESULT_BYTES_MAX), json = buf_make(2 * RESULT_BYTES_MAX);
    if (o->work.options) secret_put_json(&plain, o->work.options);
    mask_put(o->work.mask, buf_view(&plain), &json);
    bool shown = o->work.options && !plain.err && !json.err;
    buf_done(&plain);
    struct meta_value args[] = {
        meta_int(r->row.id),
        meta_text(t->id),
        meta_int(i->map_index),
        meta_int(i->try_number),
        meta_int(e->now),
        meta_int(i->started_at),
        meta_int(i->token),
        meta_text(slice_of(e->o.host)),
        meta_text(t->pool),
        meta_int(t->pool_slots),
        meta_int(MIN(t->weight, INT32_MAX)),
        shown ? meta_text(buf_view(&json)) : meta_null(),
    };
    err_t err = meta_run(e->meta, META_TASK_CLAIM, args, COUNT_OF(args), NULL, NULL, NULL, d);
    buf_done(&json);
    struct meta_value tried[] = {
        meta_int(r->row.id),
        meta_text(t->id),
        meta_int(i->map_index),
        meta_int(i->try_number),
        meta_int(i->started_at),
        meta_text(slice_of(e->o.host)),
        meta_text(slice_of(t->kind->operator_name)),
        meta_text(slice_of(o->work.log_path)),
    };
    if (!err) err = meta_run(e->meta, META_TRY_START, tried, COUNT_OF(tried), NULL, NULL, NULL, d);
    return err;
}

/* --- the workshop's side ----------------------------------------------------------------------
 */

static void write_story(const struct engine *e, const struct order *o)
{
    struct diag d = {0};
    char line[1500];
    snprintf(line, sizeof(line), "Task failed: %.*s", SLICE_ARG(o->answer.message));
    if (worklog_line(o->work.log_path, e->now, o->work.task->kind->name, "ERROR", slice_of(line),
                     o->work.mask, &d))
        say_diag(SAY_SCHED, SAY_WARN, "a try's log can not be written", &d);
}

void engine_order_start(struct engine *e, struct order *o)
{
    struct diag d = {0};
    o->fresh = false;
    o->started = true;
    e->figures.tasks_started++;
    if (o->adopting) {
        o->adopting = false;
        if (!o->failed_before && e->o.workshop.adopt(e->o.workshop.ctx, &o->work)) return;
        struct work_answer lost = {.outcome = WORK_LOST,
                                   .message = SLICE("the process was lost with its scheduler")};
        engine_answer(e, &o->work, &lost);
        return;
    }
    if (o->failed_before) {
        write_story(e, o);
        engine_answer(e, &o->work, &o->answer);
        return;
    }
    err_t err = e->o.workshop.start(e->o.workshop.ctx, &o->work, &d);
    if (!err) return;
    char text[1400];
    struct work_answer failed = {.outcome = WORK_FAILED, .message = story_of(&d, text)};
    engine_answer(e, &o->work, &failed);
}

void engine_order_stop(struct engine *e, struct order *o, const char *why)
{
    if (o->stopping || o->fresh || o->answered) return;
    o->stopping = true;
    o->work.stop_why = why;
    e->o.workshop.stop(e->o.workshop.ctx, &o->work);
}

void engine_order_free(struct engine *e, struct order *o)
{
    if (o->answered && o->started && e->o.workshop.known)
        e->o.workshop.known(e->o.workshop.ctx, &o->work);
    struct run *r = engine_run(e, o->work.key.run);
    if (r && o->place < r->graph.instances.count) {
        struct instance *i = graph_at(&r->graph, o->place);
        if (i->work == o) i->work = NULL;
    }
    if (o->before)
        o->before->next = o->next;
    else
        e->orders = o->next;
    if (o->next) o->next->before = o->before;
    e->orders_out--;
    dag_give(o->dag);
    mask_free(o->work.mask);
    arena_free(o->arena);
    mem_give(o);
}

bool engine_order_out(const struct engine *e, int64_t run, const struct dag_task *t,
                      int32_t map_index)
{
    for (const struct order *o = e->orders; o; o = o->next) {
        const struct work_key *k = &o->work.key;
        bool same = k->run == run && k->map_index == map_index && slice_equal(k->task_id, t->id);
        if (same && !o->ending) return true;
    }
    return false;
}

/* Everything that an answer borrows is copied, in the caller's thread; then it stands in the queue.
 */
void engine_answer(struct engine *e, struct work_order *order, const struct work_answer *a)
{
    struct order *o = (struct order *)(void *)order;
    struct work_answer *to = &o->answer;
    struct slice message = arena_slice(o->arena, a->message),
                 state = arena_slice(o->arena, a->state);
    struct slice *branches = arena_take(o->arena, (a->branch_count + 1) * sizeof(*branches));
    for (uint32_t i = 0; branches && i < a->branch_count; i++)
        branches[i] = arena_slice(o->arena, a->branches[i]);
    *to = *a;
    to->message = message;
    to->state = state;
    to->branches = branches;
    to->branch_count = branches ? a->branch_count : 0;
    to->result = NULL;
    if (!branches && a->branch_count > 0) {
        to->outcome = WORK_FAILED;
        to->message = SLICE("memory is out");
    }
    if (a->result && a->result->kind != DOC_NULL) {
        struct buf json = buf_make(RESULT_BYTES_MAX);
        doc_put_json(&json, a->result);
        o->result_json = json.err ? (struct slice){0} : arena_slice(o->arena, buf_view(&json));
        if (!o->result_json.at) {
            to->outcome = WORK_FAILED_FOR_GOOD;
            to->message = SLICE("the result is larger than 1 MiB, or memory is out");
        }
        buf_done(&json);
    }
    gate_enter(&e->gate);
    INVARIANT(!o->answered);
    o->answered = true;
    o->next_answered = NULL;
    if (e->answered_last)
        e->answered_last->next_answered = o;
    else
        e->answered_first = o;
    e->answered_last = o;
    gate_leave(&e->gate);
    if (e->o.wake) e->o.wake(e->o.wake_ctx);
}
