#include "sched/engine_int.h"

#include "base/say.h"

/* What is ready stands in lanes: one for all that shares a dag, a pool and a number of slots (and a
 * task with a limit of its own), the most urgent first. A claim takes from the best lane whose
 * limits leave room; what is full costs a look at its lane, not at what waits in it. */

static bool ready_before(const struct ready *a, const struct ready *b)
{
    if (a->weight != b->weight) return a->weight > b->weight;
    if (a->logical != b->logical) return a->logical < b->logical;
    if (a->run != b->run) return a->run < b->run;
    if (a->map_index != b->map_index) return a->map_index < b->map_index;
    return a->place < b->place;
}

static void lane_sift_up(struct ready *heap, size_t at)
{
    while (at > 0 && ready_before(&heap[at], &heap[(at - 1) / 2])) {
        struct ready swap = heap[at];
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = swap;
        at = (at - 1) / 2;
    }
}

static void lane_drop_first(struct lane *l)
{
    struct ready *heap = (struct ready *)(void *)l->heap.items;
    heap[0] = heap[--l->heap.count];
    for (size_t at = 0, n = l->heap.count;;) {
        size_t child = 2 * at + 1;
        if (child >= n) break;
        if (child + 1 < n && ready_before(&heap[child + 1], &heap[child])) child++;
        if (!ready_before(&heap[child], &heap[at])) break;
        struct ready swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
        at = child;
    }
}

static struct lane *lane_of(struct engine *e, struct run *r, uint32_t task)
{
    const struct dag_task *t = &r->graph.plan->dag->tasks[task];
    int32_t limited = t->max_active > 0 ? (int32_t)task : -1;
    char text[DAG_ID_MAX + DAG_POOL_MAX + 64];
    struct buf key = buf_over(text, sizeof(text));
    buf_printf(&key, "%d %d %.*s\n", limited, t->pool_slots, SLICE_ARG(r->row.dag_id));
    buf_slice(&key, t->pool);
    if (key.err) return NULL;
    struct lane *l = map_get(e->lanes, buf_view(&key));
    if (l) return l;
    l = mem_take(sizeof(*l));
    if (!l) return NULL;
    *l = (struct lane){
        r->of, t->pool, t->pool_slots, limited, vec_make(sizeof(struct ready), GRAPH_INSTANCES_MAX),
        false};
    char *pool = mem_text(t->pool);
    l->pool = slice_of(pool);
    if (pool && !map_set(e->lanes, buf_view(&key), l)) return l;
    mem_give(pool);
    mem_give(l);
    return NULL;
}

void engine_lanes_free(struct engine *e)
{
    struct slice key;
    void *value;
    for (size_t at = 0; e->lanes && map_next(e->lanes, &at, &key, &value);) {
        struct lane *l = value;
        vec_done(&l->heap);
        mem_give((void *)(uintptr_t)l->pool.at);
        mem_give(l);
    }
    map_free(e->lanes);
}

err_t engine_ready(struct engine *e, struct run *r, uint32_t place, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    if (i->in_lane) return ERR_OK;
    struct lane *l = lane_of(e, r, i->task);
    struct ready *one = l ? vec_add(&l->heap) : NULL;
    if (!one || (!l->listed && vec_push(&e->open_lanes, &l)))
        return diag_fail(d, ERR_NO_MEMORY, "no room for what is ready to run");
    l->listed = true;
    i->in_lane = true;
    *one = (struct ready){t->weight, r->row.logical, r->row.id, r->generation, place, i->map_index};
    lane_sift_up((struct ready *)(void *)l->heap.items, l->heap.count - 1);
    e->figures.ready++;
    struct waiter w = {r->row.id, r->generation, place};
    if (i->state == TASK_SCHEDULED && i->stored_scheduled) return ERR_OK;
    i->again = i->state == TASK_UP_FOR_RESCHEDULE;
    graph_set(&r->graph, place, TASK_SCHEDULED);
    return vec_push(&e->scheduled, &w);
}

/* --- room -------------------------------------------------------------------------------------
 */

static struct pool_use *pool_use_find(const struct engine *e, struct slice name)
{
    for (size_t i = 0; i < e->pools.count; i++) {
        struct pool_use *p = vec_at(&e->pools, i);
        if (slice_equal(p->name, name)) return p;
    }
    return NULL;
}

static err_t take_pool(void *ctx, const struct meta_row *row)
{
    struct engine *e = ctx;
    struct pool_use p = {arena_slice(e->scratch, row->at[0].text), row->at[1].number, 0};
    if (p.slots < 0) p.slots = INT32_MAX; /* -1: without end, as in Airflow */
    return p.name.at ? vec_push(&e->pools, &p) : ERR_NO_MEMORY;
}

struct going_on { /* instances that are active, everybody's */
    struct engine_dag *of;
    struct slice task_id;
};
struct counting {
    struct engine *e;
    struct vec limited; /* struct going_on, of dags whose lanes ask for them */
};

static err_t take_going_on(void *ctx, const struct meta_row *row)
{
    struct counting *c = ctx;
    struct pool_use *p = pool_use_find(c->e, row->at[2].text);
    if (p) p->used += row->at[3].number;
    struct engine_dag *of = engine_dag_find(c->e, row->at[0].text);
    if (!of) return ERR_OK;
    if (of->going_on_round != c->e->rounds) of->going_on = 0;
    of->going_on_round = c->e->rounds;
    of->going_on++;
    if (!of->counts_tasks) return ERR_OK;
    struct going_on g = {of, arena_slice(c->e->scratch, row->at[1].text)};
    return g.task_id.at ? vec_push(&c->limited, &g) : ERR_NO_MEMORY;
}

static bool dag_full(const struct engine *e, const struct engine_dag *of)
{
    uint32_t n = of->going_on_round == e->rounds ? of->going_on : 0;
    return of->dag->max_active_tasks > 0 && n >= (uint32_t)of->dag->max_active_tasks;
}

static bool task_full(const struct counting *c, const struct lane *l)
{
    if (l->task < 0 || (uint32_t)l->task >= l->of->dag->task_count) return false;
    const struct dag_task *t = &l->of->dag->tasks[l->task];
    int32_t n = 0;
    for (size_t i = 0; i < c->limited.count; i++) {
        const struct going_on *g = vec_at(&c->limited, i);
        n += g->of == l->of && slice_equal(g->task_id, t->id);
    }
    return t->max_active > 0 && n >= t->max_active;
}

/* What waits for ever is said, once, as Airflow says it. */
static bool pool_has_room(const struct engine *e, struct lane *l)
{
    const struct pool_use *p = pool_use_find(e, l->pool);
    bool never = !p || p->slots < l->slots;
    if (never && !l->told)
        say_warn(SAY_SCHED,
                 p ? "tasks wait for more slots than their pool has"
                   : "tasks wait for a pool that is not there",
                 "dag=%.*s pool=\"%.*s\" slots=%d", SLICE_ARG(l->of->id), SLICE_ARG(l->pool),
                 l->slots);
    l->told = never;
    return !never && p->slots - p->used >= l->slots;
}

static bool lane_has_room(const struct counting *c, struct lane *l)
{
    return pool_has_room(c->e, l) && !l->of->paused && !dag_full(c->e, l->of) && !task_full(c, l);
}

/* --- claiming ---------------------------------------------------------------------------------
 */

/* The lane's first that still is: of runs read anew or ended nothing is left. */
static struct run *lane_first(struct engine *e, struct lane *l, struct ready *out)
{
    while (l->heap.count > 0) {
        *out = *(struct ready *)(void *)l->heap.items;
        struct run *r = engine_run(e, out->run);
        if (r && r->generation == out->generation && !r->ended && !r->stale &&
            graph_at(&r->graph, out->place)->state == TASK_SCHEDULED)
            return r;
        lane_drop_first(l);
        e->figures.ready--;
    }
    return NULL;
}

static err_t claim_one(struct engine *e, struct run *r, uint32_t place, struct counting *c,
                       struct lane *l, struct diag *d)
{
    struct instance *i = graph_at(&r->graph, place);
    const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
    struct order *o = NULL;
    err_t err = engine_touch(e, r, d);
    if (err) return err;
    if (!i->again) {
        i->try_number++;
        i->started_at = e->now;
    }
    i->token = r->row.token;
    graph_set(&r->graph, place, TASK_RUNNING);
    struct meta_value which[] = {meta_int(r->row.id), meta_text(t->id), meta_int(i->map_index)};
    if (!i->again && i->try_number > 1)
        err = meta_run(e->meta, META_XCOM_FORGET, which, 3, NULL, NULL, NULL, d);
    if (!err) err = engine_order_make(e, r, place, &o, d);
    if (err) return err;
    o->fresh = true;
    err = vec_push(&e->fresh, &o);
    if (!err) err = engine_order_claim(e, r, place, o, d);
    if (!err)
        err = engine_call_back(e, r, i, &t->callbacks, ON_EXECUTE,
                               &(struct call_why){.reason = "execute"}, d);
    struct pool_use *p = pool_use_find(e, l->pool);
    if (p) p->used += l->slots;
    if (l->of->going_on_round != e->rounds) l->of->going_on = 0;
    l->of->going_on_round = e->rounds;
    l->of->going_on++;
    struct going_on g = {l->of, t->id};
    if (!err && l->of->counts_tasks) err = vec_push(&c->limited, &g);
    return err;
}

static bool lane_less(const struct lane *a, const struct lane *b)
{
    const struct ready *x = (const struct ready *)(const void *)a->heap.items,
                       *y = (const struct ready *)(const void *)b->heap.items;
    return ready_before(x, y);
}

static void lanes_sift_down(struct lane **heap, size_t at, size_t n)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= n) return;
        if (child + 1 < n && lane_less(heap[child + 1], heap[child])) child++;
        if (!lane_less(heap[child], heap[at])) return;
        struct lane *swap = heap[at];
        heap[at] = heap[child];
        heap[child] = swap;
        at = child;
    }
}

/* Lanes with something in them that have room, as a heap; empty ones are taken off the list. */
static size_t lanes_with_room(struct engine *e, struct counting *c, struct lane **heap)
{
    size_t n = 0;
    struct ready first;
    for (size_t i = 0; i < e->open_lanes.count;) {
        struct lane **slot = vec_at(&e->open_lanes, i), *l = *slot;
        if (!lane_first(e, l, &first)) {
            l->listed = false;
            *slot = *(struct lane **)vec_at(&e->open_lanes, e->open_lanes.count - 1);
            e->open_lanes.count--;
            continue;
        }
        if (lane_has_room(c, l)) heap[n++] = l;
        i++;
    }
    for (size_t at = n / 2; at-- > 0;) lanes_sift_down(heap, at, n);
    return n;
}

static bool has_room(const struct engine *e)
{
    return e->orders_out - e->orders_ending < (uint32_t)e->o.parallelism;
}

static err_t claim_from(struct engine *e, struct counting *c, struct lane **heap, size_t n,
                        struct diag *d)
{
    err_t err = ERR_OK;
    while (n > 0 && !err && has_room(e)) {
        struct lane *l = heap[0];
        struct ready first;
        struct run *r = lane_has_room(c, l) ? lane_first(e, l, &first) : NULL;
        if (r) {
            struct instance *i = graph_at(&r->graph, first.place);
            const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
            lane_drop_first(l);
            e->figures.ready--;
            i->in_lane = false;
            if (!engine_order_out(e, r->row.id, t, i->map_index))
                err = claim_one(e, r, first.place, c, l, d);
            else
                i->held = true; /* until the older try has ended */
        }
        if (!r || l->heap.count == 0) heap[0] = heap[--n];
        lanes_sift_down(heap, 0, n);
    }
    return err;
}

/* What was made ready in this transaction and found no room: now people can see that it waits. */
static err_t write_scheduled(struct engine *e, struct diag *d)
{
    err_t err = ERR_OK;
    for (size_t n = 0; n < e->scheduled.count && !err; n++) {
        struct waiter *w = vec_at(&e->scheduled, n);
        struct run *r = engine_run(e, w->run);
        if (!r || r->ended || r->generation != w->generation) continue;
        struct instance *i = graph_at(&r->graph, w->place);
        if (i->state != TASK_SCHEDULED || i->again) continue;
        const struct dag_task *t = &r->graph.plan->dag->tasks[i->task];
        struct meta_value args[] = {meta_int(r->row.id), meta_text(t->id), meta_int(i->map_index),
                                    meta_int(e->now)};
        err = engine_touch(e, r, d);
        if (!err) err = meta_run(e->meta, META_TASK_SCHEDULE, args, 4, NULL, NULL, NULL, d);
        i->stored_scheduled = true;
    }
    return err;
}

err_t engine_claim(struct engine *e, struct diag *d)
{
    err_t err = ERR_OK;
    struct counting c = {e, vec_make(sizeof(struct going_on), GRAPH_INSTANCES_MAX)};
    if (e->open_lanes.count > 0 && has_room(e)) {
        e->rounds++;
        vec_clear(&e->pools);
        err = meta_run(e->meta, META_POOL_LOCK, NULL, 0, take_pool, e, NULL, d);
        if (!err) err = meta_run(e->meta, META_TASKS_GOING_ON, NULL, 0, take_going_on, &c, NULL, d);
        struct lane **heap = arena_take(e->scratch, e->open_lanes.count * sizeof(*heap));
        if (!heap && !err) err = ERR_NO_MEMORY;
        if (!err) err = claim_from(e, &c, heap, lanes_with_room(e, &c, heap), d);
    }
    vec_done(&c.limited);
    return err ? err : write_scheduled(e, d);
}
