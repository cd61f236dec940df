#include "sched/engine_int.h"

#include "base/say.h"

#include <stdlib.h>

/* --- a heap of dags by when their next run is due ---------------------------------------------
 */

static struct engine_dag **due_heap(struct engine *e)
{
    return (struct engine_dag **)(void *)e->due.items;
}

static void due_place(struct engine *e, size_t at, struct engine_dag *of)
{
    due_heap(e)[at] = of;
    of->due_at = (uint32_t)at + 1;
}

static void due_sift(struct engine *e, size_t at)
{
    struct engine_dag **heap = due_heap(e), *of = heap[at];
    while (at > 0 && of->next_run_after < heap[(at - 1) / 2]->next_run_after) {
        due_place(e, at, heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    for (size_t n = e->due.count;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < n && heap[child + 1]->next_run_after < heap[child]->next_run_after) child++;
        if (child >= n || heap[child]->next_run_after >= of->next_run_after) break;
        due_place(e, at, heap[child]);
        at = child;
    }
    due_place(e, at, of);
}

void engine_due_set(struct engine *e, struct engine_dag *of)
{
    bool due = of->next_run_after != TIME_NONE && !of->paused && !of->gone && of->dag;
    if (due && !of->due_at) {
        if (vec_push(&e->due, &of)) {
            e->must_recompute = true;
            return;
        }
        of->due_at = (uint32_t)e->due.count;
    }
    if (due) {
        due_sift(e, of->due_at - 1);
    } else if (of->due_at) {
        size_t at = of->due_at - 1;
        struct engine_dag *last = due_heap(e)[--e->due.count];
        of->due_at = 0;
        if (last == of) return;
        due_place(e, at, last);
        due_sift(e, at);
    }
}

void engine_dag_undo(struct engine *e, struct engine_dag *of)
{
    struct dag_undo u = {of,           of->next_logical,   of->next_start,
                         of->next_end, of->next_run_after, of->full};
    if (e->inside && vec_push(&e->undo, &u)) e->must_recompute = true;
}

/* --- dags and their rows ----------------------------------------------------------------------
 */

struct engine_dag *engine_dag_find(struct engine *e, struct slice id)
{
    return map_get(e->dags, id);
}

static struct engine_dag *dag_known(struct engine *e, struct slice id)
{
    struct engine_dag *of = map_get(e->dags, id);
    if (of) return of;
    of = mem_take(sizeof(*of));
    char *own = mem_text(id);
    if (of && own) {
        *of = (struct engine_dag){.id = slice_of(own),
                                  .gone = true,
                                  .past = vec_make(sizeof(struct waiter), GRAPH_INSTANCES_MAX)};
        of->next_logical = of->next_start = of->next_end = of->next_run_after = TIME_NONE;
        gate_enter(&e->gate);
        err_t err = map_set(e->dags, of->id, of);
        gate_leave(&e->gate);
        if (!err) return of;
    }
    mem_give(own);
    mem_give(of);
    return NULL;
}

void engine_dags_free(struct engine *e)
{
    struct slice key;
    void *value;
    for (size_t at = 0; e->dags && map_next(e->dags, &at, &key, &value);) {
        struct engine_dag *of = value;
        dag_plan_give(of->plan);
        if (of->dag) dag_give(of->dag);
        if (of->pending) dag_give(of->pending);
        vec_done(&of->past);
        engine_watch_drop(of);
        mem_give((void *)(uintptr_t)of->id.at);
        mem_give(of);
    }
    map_free(e->dags);
}

static int64_t time_of(const struct meta_value *v)
{
    return v->kind == META_NULL ? TIME_NONE : v->number;
}

static uint64_t place_hash(struct slice file, int64_t line)
{
    return hash64(file, (uint64_t)line);
}

struct dag_reader {
    struct engine *e;
    bool found;
};

static err_t take_dag(void *ctx, const struct meta_row *row)
{
    struct dag_reader *r = ctx;
    struct engine_dag *of = dag_known(r->e, row->at[0].text);
    if (!of) return ERR_NO_MEMORY;
    r->found = true;
    bool paused = of->paused;
    of->place_hash = place_hash(row->at[1].text, row->at[2].number);
    of->paused = row->at[3].number != 0;
    of->hash = row->at[4].number ? (uint64_t)row->at[5].number : 0; /* not active: put anew */
    of->dag_version = row->at[6].number;
    of->next_logical = time_of(&row->at[7]);
    of->next_start = time_of(&row->at[8]);
    of->next_end = time_of(&row->at[9]);
    of->next_run_after = time_of(&row->at[10]);
    of->version = row->at[11].number;
    engine_due_set(r->e, of);
    if (paused && !of->paused) engine_promote_later(r->e, of);
    return ERR_OK;
}

err_t engine_dags_load(struct engine *e, struct diag *d)
{
    struct dag_reader r = {e, false};
    return meta_run(e->meta, META_DAGS_ALL, NULL, 0, take_dag, &r, NULL, d);
}

err_t engine_dag_read(struct engine *e, struct engine_dag *of, bool lock, bool *found,
                      struct diag *d)
{
    struct dag_reader r = {e, false};
    struct meta_value args[] = {meta_text(of->id)};
    engine_dag_undo(e, of);
    err_t err =
        meta_run(e->meta, lock ? META_DAG_TAKE : META_DAG_FIND, args, 1, take_dag, &r, NULL, d);
    *found = r.found;
    if (err || r.found || of->gone || !of->dag) return err;
    of->hash = 0; /* deleted by somebody, while its file is there: it comes back, without history */
    e->reput = true;
    return ERR_OK;
}

static err_t take_event_dag(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    struct engine_dag *of = engine_dag_find(e, row->at[0].text);
    return of ? vec_push(&e->by_data, &of) : ERR_OK;
}

static err_t take_last_event(void *ctx, const struct meta_row *row)
{
    *(int64_t *)ctx = row->at[0].number;
    return ERR_OK;
}

/* Dags that somebody did something to, as the events tell; all of them now and then. */
err_t engine_dags_look(struct engine *e, struct diag *d)
{
    if (e->mono >= e->next_full_mono) {
        e->next_full_mono = e->mono + 30 * INT64_C(1000000);
        return engine_dags_load(e, d);
    }
    int64_t last = e->last_event;
    struct meta_value args[] = {meta_int(e->last_event)};
    vec_clear(&e->by_data);
    err_t err = meta_run(e->meta, META_EVENT_LAST, NULL, 0, take_last_event, &last, NULL, d);
    if (!err) err = meta_run(e->meta, META_DAGS_OF_EVENTS, args, 1, take_event_dag, e, NULL, d);
    for (size_t i = 0; i < e->by_data.count && !err; i++) {
        bool found;
        err = engine_dag_read(e, *(struct engine_dag **)vec_at(&e->by_data, i), false, &found, d);
    }
    vec_clear(&e->by_data);
    if (!err) e->last_event = last;
    return err;
}

/* --- what files say ---------------------------------------------------------------------------
 */

static void put_texts(struct buf *out, const char *name, const struct slice *texts, uint32_t count)
{
    struct doc text = {.kind = DOC_TEXT};
    buf_printf(out, ", \"%s\": [", name);
    for (uint32_t i = 0; i < count; i++) {
        text.text = texts[i];
        if (i) buf_text(out, ", ");
        doc_put_json(out, &text);
    }
    buf_char(out, ']');
}

static void put_text(struct buf *out, const char *name, struct slice value)
{
    struct doc text = {.kind = value.at ? DOC_TEXT : DOC_NULL, .text = value};
    buf_printf(out, "%s\"%s\": ", out->len > 1 ? ", " : "", name);
    doc_put_json(out, &text);
}

/* What lists of dags show, without reading the file. */
static void put_summary(struct buf *out, const struct dag *g)
{
    char text[512];
    struct buf when = buf_over(text, sizeof(text));
    buf_char(out, '{');
    put_text(out, "description", g->description);
    put_text(out, "owner", g->owner);
    schedule_summary(&g->schedule, &when);
    put_text(out, "timetable_summary", buf_view(&when));
    buf_reset(&when);
    schedule_describe(&g->schedule, &when);
    put_text(out, "timetable_description", buf_view(&when));
    buf_printf(out, ", \"max_active_tasks\": %d, \"max_active_runs\": %d, \"tasks\": %u",
               g->max_active_tasks, g->max_active_runs, g->task_count);
    buf_printf(out, ", \"max_consecutive_failed_dag_runs\": %d", g->max_consecutive_failed_runs);
    put_texts(out, "tags", g->tags, g->tag_count);
    buf_char(out, '}');
}

struct put_answer {
    int64_t version;
    bool paused;
};

static err_t take_put(void *ctx, const struct meta_row *row)
{
    *(struct put_answer *)ctx = (struct put_answer){row->at[0].number, row->at[1].number != 0};
    return ERR_OK;
}

static err_t put_dag(struct engine *e, struct engine_dag *of, const struct dag *g, struct diag *d)
{
    struct buf summary = buf_make(MIB(1));
    struct put_answer now = {0};
    put_summary(&summary, g);
    struct meta_value args[] = {
        meta_text(of->id),
        meta_text(g->file),
        meta_int(g->line),
        meta_int(g->paused_at_first),
        meta_int((int64_t)g->hash),
        meta_int(e->now),
        meta_text(buf_view(&summary)),
    };
    err_t err = summary.err ? summary.err
                            : meta_run(e->meta, META_DAG_PUT, args, 7, take_put, &now, NULL, d);
    buf_done(&summary);
    if (!err) err = dag_tags_set(e->meta, of->id, g->tags, g->tag_count, d);
    if (err) return err;
    of->dag_version = now.version;
    of->paused = now.paused;
    of->hash = g->hash;
    of->place_hash = place_hash(g->file, g->line);
    struct meta_value version[] = {meta_text(of->id), meta_int(now.version),
                                   meta_int((int64_t)g->hash), meta_int(e->now),
                                   meta_text(g->text.at ? g->text : SLICE(""))};
    return meta_run(e->meta, META_DAG_VERSION_PUT, version, 5, NULL, NULL, NULL, d);
}

err_t engine_dags_reput(struct engine *e, struct diag *d)
{
    struct slice key;
    void *value;
    err_t err = ERR_OK;
    for (size_t at = 0; !err && map_next(e->dags, &at, &key, &value);) {
        struct engine_dag *of = value;
        if (of->hash != 0 || of->gone || !of->dag) continue;
        err = put_dag(e, of, of->dag, d);
        if (!err) err = engine_next(e, of, d);
    }
    if (!err) e->reput = false;
    return err;
}

err_t engine_dags_begin(struct engine *e, struct diag *d)
{
    struct slice key;
    void *value;
    e->now = e->o.wall_us(e->o.clock);
    e->mono = e->o.mono_us(e->o.clock);
    for (size_t at = 0; map_next(e->dags, &at, &key, &value);)
        ((struct engine_dag *)value)->seen = false;
    err_t err = meta_begin(e->meta, true, d);
    e->inside = !err;
    return err;
}

err_t engine_dag_set(struct engine *e, const struct dag *g, struct diag *d)
{
    struct engine_dag *of = dag_known(e, g->id);
    if (!of) return diag_fail(d, ERR_NO_MEMORY, "no room for dag '%.*s'", SLICE_ARG(g->id));
    of->seen = true;
    if (of->pending) dag_give(of->pending);
    of->pending = g;
    dag_hold(g);
    if (of->hash != g->hash || of->place_hash != place_hash(g->file, g->line))
        return put_dag(e, of, g, d);
    return ERR_OK;
}

/* What is loaded of it is read anew, by the new plan. */
static void swap_dag(struct engine *e, struct engine_dag *of)
{
    const struct dag *old = of->dag;
    gate_enter(&e->gate);
    of->dag = of->pending;
    of->pending = NULL;
    of->gone = false;
    gate_leave(&e->gate);
    of->counts_tasks = false;
    for (uint32_t i = 0; i < of->dag->task_count; i++)
        of->counts_tasks |= of->dag->tasks[i].max_active > 0;
    if (old) dag_give(old);
}

static void mark_changed_runs(struct engine *e)
{
    struct slice key;
    void *value;
    for (size_t at = 0; map_next(e->runs, &at, &key, &value);) {
        struct run *r = value;
        if (r->graph.plan->dag == r->of->dag) continue;
        r->stale = true;
        engine_dirty(e, r);
    }
}

static err_t finish_dag(struct engine *e, struct engine_dag *of, bool whole, struct diag *d)
{
    struct meta_value args[] = {meta_text(of->id)};
    if (of->pending) {
        bool first = !of->dag || of->gone || of->dag->hash != of->pending->hash;
        if (first) engine_watch_drop(of);
        swap_dag(e, of);
        err_t err = first ? engine_data_declare(e, of->dag, d) : ERR_OK;
        return first && !err ? engine_next(e, of, d) : err;
    }
    if (!whole || of->seen || (of->gone && of->hash == 0)) return ERR_OK;
    of->gone = true;
    of->hash = 0;
    engine_due_set(e, of);
    engine_watch_drop(of);
    err_t err = meta_run(e->meta, META_DATA_PLACES_FORGET, args, 1, NULL, NULL, NULL, d);
    return err ? err : meta_run(e->meta, META_DAG_GONE, args, 1, NULL, NULL, NULL, d);
}

void engine_dags_abort(struct engine *e)
{
    struct slice key;
    void *value;
    e->inside = false;
    engine_undone(e);
    for (size_t at = 0; map_next(e->dags, &at, &key, &value);) {
        struct engine_dag *of = value;
        if (of->pending) dag_give(of->pending);
        of->pending = NULL;
        of->hash = 0; /* whatever was put is put again */
    }
    e->reput = true;
}

err_t engine_dags_end(struct engine *e, bool whole, struct diag *d)
{
    struct slice key;
    void *value;
    err_t err = ERR_OK;
    for (size_t at = 0; !err && map_next(e->dags, &at, &key, &value);)
        err = finish_dag(e, value, whole, d);
    if (!err) err = meta_commit(e->meta, d);
    if (err) {
        engine_dags_abort(e);
        return err;
    }
    e->inside = false;
    engine_committed(e);
    mark_changed_runs(e);
    e->must_look = e->must_sweep = e->watch_anew = true;
    return ERR_OK;
}

/* --- any thread -------------------------------------------------------------------------------
 */

const struct dag *engine_dag(struct engine *e, struct slice id)
{
    gate_enter(&e->gate);
    const struct engine_dag *of = map_get(e->dags, id);
    const struct dag *g = of && !of->gone ? of->dag : NULL;
    if (g) dag_hold(g);
    gate_leave(&e->gate);
    return g;
}

static int by_id(const void *a, const void *b)
{
    const struct dag *const *x = a, *const *y = b;
    return slice_compare((*x)->id, (*y)->id);
}

uint32_t engine_dags(struct engine *e, const struct dag **out, uint32_t max)
{
    struct slice key;
    void *value;
    uint32_t count = 0;
    gate_enter(&e->gate);
    for (size_t at = 0; map_next(e->dags, &at, &key, &value);) {
        const struct engine_dag *of = value;
        if (of->gone || !of->dag) continue;
        if (out && count == max) break;
        if (out) {
            out[count] = of->dag;
            dag_hold(of->dag);
        }
        count++;
    }
    gate_leave(&e->gate);
    if (out) qsort(out, count, sizeof(*out), by_id);
    return count;
}
