#include "sched/graph.h"

#include <stdlib.h>

/* --- what is computed once for a dag ----------------------------------------------------------
 */

static void plan_leaves(struct dag_plan *p)
{
    const struct dag *g = p->dag;
    bool any = false;
    for (uint32_t i = 0; i < g->task_count; i++) {
        const struct dag_task *t = &g->tasks[i];
        bool leaf = !t->is_teardown || t->fails_run;
        for (uint32_t d = 0; d < t->downstream_count && leaf; d++) {
            const struct dag_task *down = &g->tasks[t->downstream[d]];
            leaf = down->is_teardown && !down->fails_run;
        }
        p->leaf[i] = leaf;
        any |= leaf;
    }
    for (uint32_t i = 0; i < g->task_count && !any; i++) /* nothing but teardowns */
        p->leaf[i] = g->tasks[i].downstream_count == 0;
}

/* Marks every task above or below `from`. Topological order: one pass over the places. */
static void mark_flat(const struct dag *g, uint32_t from, bool upstream, uint8_t *marks,
                      uint8_t bit)
{
    uint32_t step = upstream ? UINT32_MAX : 1;
    const struct dag_task *t = &g->tasks[from];
    const uint32_t *next = upstream ? t->upstream : t->downstream;
    uint32_t count = upstream ? t->upstream_count : t->downstream_count;
    for (uint32_t i = 0; i < count; i++) marks[next[i]] |= bit;
    for (uint32_t at = from + step; at < g->task_count; at += step) {
        if (!(marks[at] & bit)) continue;
        t = &g->tasks[at];
        next = upstream ? t->upstream : t->downstream;
        count = upstream ? t->upstream_count : t->downstream_count;
        for (uint32_t i = 0; i < count; i++) marks[next[i]] |= bit;
    }
}

uint32_t dag_flat(const struct dag *g, uint32_t task, bool upstream, uint32_t *out)
{
    uint32_t count = 0;
    uint8_t *marks = mem_take(g->task_count + 1);
    if (!marks) return GRAPH_NONE;
    mark_flat(g, task, upstream, marks, 1);
    for (uint32_t i = 0; i < g->task_count; i++)
        if (marks[i]) out[count++] = i;
    mem_give(marks);
    return count;
}

static bool place_push(uint32_t **list, uint32_t place)
{
    uint32_t count = *list ? (*list)[0] : 0;
    if (count == 0 || (count & (count + 1)) == 0) { /* 1, 3, 7 … places are full */
        uint32_t *grown = mem_resize(*list, (2 * (size_t)count + 2) * sizeof(**list));
        if (!grown) return false;
        *list = grown;
    }
    (*list)[++count] = place;
    (*list)[0] = count;
    return true;
}

/* The tasks that wait for this setup though it is not their direct upstream: those between it and
 * its teardowns, or all below it when it has none (get_upstreams_only_setups of Airflow). */
static bool plan_setup(struct dag_plan *p, uint32_t setup, uint8_t *marks)
{
    enum { BELOW = 1, ABOVE = 2 };
    const struct dag *g = p->dag;
    const struct dag_task *t = &g->tasks[setup];
    bool torn_down = false;
    memset(marks, 0, g->task_count);
    mark_flat(g, setup, false, marks, BELOW);
    for (uint32_t i = 0; i < t->downstream_count; i++) {
        if (!g->tasks[t->downstream[i]].is_teardown) continue;
        torn_down = true;
        mark_flat(g, t->downstream[i], true, marks, ABOVE);
    }
    for (uint32_t i = 0; i < t->downstream_count; i++) marks[t->downstream[i]] = 0;
    for (uint32_t i = setup + 1; i < g->task_count; i++) {
        bool between = (marks[i] & BELOW) && (!torn_down || (marks[i] & ABOVE));
        if (!between || g->tasks[i].is_teardown) continue;
        if (!place_push(&p->setups[i], setup) || !place_push(&p->setup_for[setup], i)) return false;
    }
    return true;
}

static bool plan_setups(struct dag_plan *p)
{
    const struct dag *g = p->dag;
    uint8_t *marks = mem_take(g->task_count + 1);
    bool fine = marks != NULL;
    for (uint32_t i = 0; i < g->task_count && fine; i++)
        if (g->tasks[i].is_setup) fine = plan_setup(p, i, marks);
    mem_give(marks);
    return fine;
}

static bool plan_list(struct dag_plan *p, uint32_t task, const struct doc *from)
{
    int32_t place = from->kind == DOC_TEXT ? dag_plan_find(p, from->text) : -1;
    return place < 0 || place_push(&p->lists[task], (uint32_t)place);
}

static bool plan_lists(struct dag_plan *p)
{
    bool fine = true;
    for (uint32_t i = 0; i < p->dag->task_count && fine; i++) {
        const struct doc *expand = p->dag->tasks[i].expand;
        if (expand && expand->kind == DOC_TEXT) fine = plan_list(p, i, expand);
        for (uint32_t k = 0; expand && expand->kind == DOC_MAP && k < expand->count && fine; k++)
            fine = plan_list(p, i, &expand->entries[k].value);
    }
    return fine;
}

struct dag_plan *dag_plan_new(const struct dag *g)
{
    struct dag_plan *p = mem_take(sizeof(*p));
    if (!p) return NULL;
    size_t n = g->task_count + 1;
    dag_hold(g);
    p->dag = g;
    p->refs = 1;
    p->setups = mem_take(n * sizeof(*p->setups));
    p->setup_for = mem_take(n * sizeof(*p->setup_for));
    p->lists = mem_take(n * sizeof(*p->lists));
    p->leaf = mem_take(n);
    p->places = map_new(n);
    bool fine = p->setups && p->setup_for && p->lists && p->leaf && p->places;
    for (uint32_t i = 0; i < g->task_count && fine; i++)
        fine = !map_set(p->places, g->tasks[i].id, (void *)(uintptr_t)(i + 1));
    if (fine) plan_leaves(p);
    if (fine && plan_setups(p) && plan_lists(p)) return p;
    dag_plan_give(p);
    return NULL;
}

struct dag_plan *dag_plan_hold(struct dag_plan *p)
{
    p->refs++;
    return p;
}

void dag_plan_give(struct dag_plan *p)
{
    if (!p || --p->refs > 0) return;
    for (uint32_t i = 0; i < p->dag->task_count; i++) {
        if (p->setups) mem_give(p->setups[i]);
        if (p->setup_for) mem_give(p->setup_for[i]);
        if (p->lists) mem_give(p->lists[i]);
    }
    mem_give(p->setups);
    mem_give(p->setup_for);
    mem_give(p->lists);
    mem_give(p->leaf);
    map_free(p->places);
    dag_give(p->dag);
    mem_give(p);
}

int32_t dag_plan_find(const struct dag_plan *p, struct slice task_id)
{
    return (int32_t)(uintptr_t)map_get(p->places, task_id) - 1;
}

/* --- a run's instances ------------------------------------------------------------------------
 */

err_t graph_init(struct graph *g, struct dag_plan *plan)
{
    size_t n = plan->dag->task_count + 1;
    *g = (struct graph){
        .plan = dag_plan_hold(plan),
        .instances = vec_make(sizeof(struct instance), GRAPH_INSTANCES_MAX),
        .todo = vec_make(sizeof(uint32_t), 2 * GRAPH_INSTANCES_MAX),
        .first = mem_take(n * sizeof(*g->first)),
        .last = mem_take(n * sizeof(*g->last)),
        .running = mem_take(n * sizeof(*g->running)),
        .up = mem_take(n * sizeof(*g->up)),
        .told = mem_take(n),
        .mapped = mem_take(n),
    };
    if (!g->first || !g->last || !g->running || !g->up || !g->told || !g->mapped) {
        graph_done(g);
        return ERR_NO_MEMORY;
    }
    memset(g->first, 0xff, n * sizeof(*g->first));
    memset(g->last, 0xff, n * sizeof(*g->last));
    bool grouped = false;
    for (uint32_t i = 0; i + 1 < n; i++) grouped |= plan->dag->tasks[i].mapped_group >= 0;
    if (grouped) g->by_index = mem_take(n * sizeof(*g->by_index));
    for (uint32_t i = 0; g->by_index && i < n; i++)
        g->by_index[i] = vec_make(sizeof(struct graph_index), GRAPH_INSTANCES_MAX);
    if (!grouped || g->by_index) return ERR_OK;
    graph_done(g);
    return ERR_NO_MEMORY;
}

void graph_done(struct graph *g)
{
    if (!g->plan) return;
    vec_done(&g->instances);
    vec_done(&g->todo);
    mem_give(g->first);
    mem_give(g->last);
    mem_give(g->running);
    mem_give(g->up);
    mem_give(g->told);
    mem_give(g->mapped);
    for (uint32_t i = 0; g->by_index && i < g->plan->dag->task_count; i++)
        vec_done(&g->by_index[i]);
    mem_give(g->by_index);
    dag_plan_give(g->plan);
    *g = (struct graph){0};
}

uint32_t graph_find(const struct graph *g, uint32_t task, int32_t map_index)
{
    for (uint32_t at = g->first[task]; at != GRAPH_NONE; at = graph_at(g, at)->next)
        if (graph_at(g, at)->map_index == map_index) return at;
    return GRAPH_NONE;
}

/* --- mapped groups ----------------------------------------------------------------------------
 */

static bool same_mapped(const struct dag *g, uint32_t a, uint32_t b)
{
    return g->tasks[a].mapped_group >= 0 && g->tasks[a].mapped_group == g->tasks[b].mapped_group;
}

/* Of `up` only the instance of its own index counts for one of `down`, of a mapped group; but what
 * one upstream is enough for looks at all, when it stands in the group itself (Airflow's
 * trigger_rule_dep.py, is_fast_triggered). */
static bool by_its_index(const struct dag *g, uint32_t up, uint32_t down)
{
    const struct dag_task *t = &g->tasks[down];
    bool fast =
        t->rule == RULE_ONE_SUCCESS || t->rule == RULE_ONE_FAILED || t->rule == RULE_ONE_DONE;
    return same_mapped(g, up, down) && !(fast && t->group == t->mapped_group);
}

/* NULL: there is none (`grow`: no memory). */
static struct graph_index *index_at(const struct graph *g, uint32_t task, int32_t map_index,
                                    bool grow)
{
    if (!g->by_index || map_index < 0) return NULL;
    struct vec *v = &g->by_index[task];
    while (grow && v->count <= (size_t)map_index)
        if (!vec_add(v)) return NULL;
    return v->count > (size_t)map_index ? vec_at(v, (size_t)map_index) : NULL;
}

/* What an instance of `up` is counted in for `down`. */
static struct rule_counts *counted_in(struct graph *g, uint32_t up, int32_t map_index,
                                      uint32_t down)
{
    if (map_index < 0 || !by_its_index(g->plan->dag, up, down)) return &g->up[down];
    struct graph_index *at = index_at(g, down, map_index, true);
    if (!at) g->broken = true;
    return at ? &at->up : &g->up[down];
}

static struct rule_counts sum_of(const struct rule_counts *a, const struct rule_counts *b)
{
    struct rule_counts c = *a;
    c.total += b->total;
    c.done += b->done;
    for (int s = 0; s < TASK_STATES; s++) c.by_state[s] += b->by_state[s];
    c.setups += b->setups;
    c.setups_success += b->setups_success;
    c.setups_skipped += b->setups_skipped;
    return c;
}

/* --- counting ---------------------------------------------------------------------------------
 */

static void count_state(struct graph *g, const struct instance *i, enum task_state s, int by)
{
    const struct dag_task *t = &g->plan->dag->tasks[i->task];
    uint32_t n = (uint32_t)by; /* unsigned wrap-around takes away */
    g->by_state[s] += n;
    if (g->plan->leaf[i->task]) g->leaf_by_state[s] += n;
    if (task_state_active(s)) g->running[i->task] += n;
    if (task_state_active(s)) g->active += n;
    if (!task_state_finished(s)) return;
    for (uint32_t d = 0; d < t->downstream_count; d++) {
        struct rule_counts *c = counted_in(g, i->task, i->map_index, t->downstream[d]);
        c->done += n;
        c->by_state[s] += n;
        if (t->is_setup && s == TASK_SUCCESS) c->setups_success += n;
        if (t->is_setup && s == TASK_SKIPPED) c->setups_skipped += n;
    }
}

/* It is there, for those below it, at its index; or not any more. */
static void count_presence(struct graph *g, uint32_t place, int by)
{
    const struct instance *i = graph_at(g, place);
    const struct dag_task *t = &g->plan->dag->tasks[i->task];
    for (uint32_t d = 0; d < t->downstream_count; d++) {
        struct rule_counts *c = counted_in(g, i->task, i->map_index, t->downstream[d]);
        c->total += (uint32_t)by;
        if (t->is_setup) c->setups += (uint32_t)by;
    }
    count_state(g, i, (enum task_state)i->state, by);
    if (t->mapped_group < 0 || i->map_index < 0) return;
    struct graph_index *at = index_at(g, i->task, i->map_index, true);
    if (at) at->place = by > 0 ? place + 1 : 0;
    if (!at) g->broken = true;
}

uint32_t graph_add(struct graph *g, uint32_t task, int32_t map_index, enum task_state state)
{
    uint32_t place = (uint32_t)g->instances.count;
    struct instance *i = vec_add(&g->instances);
    if (!i) {
        g->broken = true;
        return GRAPH_NONE;
    }
    *i = (struct instance){.task = task, .map_index = map_index, .next = GRAPH_NONE};
    i->state = (uint8_t)state;
    i->not_before = i->started_at = i->waited_since = TIME_NONE;
    if (g->last[task] == GRAPH_NONE)
        g->first[task] = place;
    else
        graph_at(g, g->last[task])->next = place;
    g->last[task] = place;
    count_presence(g, place, 1);
    return place;
}

void graph_consider(struct graph *g, uint32_t place)
{
    struct instance *i = graph_at(g, place);
    if (i->queued || !task_state_waiting((enum task_state)i->state)) return;
    if (vec_push(&g->todo, &place)) {
        g->broken = true;
        return;
    }
    i->queued = true;
}

void graph_consider_task(struct graph *g, uint32_t task)
{
    for (uint32_t at = g->first[task]; at != GRAPH_NONE; at = graph_at(g, at)->next)
        graph_consider(g, at);
}

bool graph_next(struct graph *g, uint32_t *place)
{
    if (g->todo_at == g->todo.count) {
        vec_clear(&g->todo);
        g->todo_at = 0;
        return false;
    }
    *place = *(uint32_t *)vec_at(&g->todo, g->todo_at++);
    graph_at(g, *place)->queued = false;
    return true;
}

static struct rule_counts setup_counts(const struct graph *g, uint32_t task, int32_t map_index)
{
    struct rule_counts c = {0};
    const uint32_t *setups = g->plan->setups[task];
    for (uint32_t i = 1; i <= setups[0]; i++) {
        bool indexed = by_its_index(g->plan->dag, setups[i], task);
        for (uint32_t at = g->first[setups[i]]; at != GRAPH_NONE; at = graph_at(g, at)->next) {
            int32_t index = graph_at(g, at)->map_index;
            if (indexed && index >= 0 && index != map_index) continue;
            enum task_state s = (enum task_state)graph_at(g, at)->state;
            c.total++;
            c.done += task_state_finished(s);
            c.by_state[s] += task_state_finished(s);
        }
    }
    return c;
}

/* What was to give the list to map over has ended without one: nothing is to be waited for,
 * whatever the trigger rule says (mapped_task_upstream_dep.py of Airflow). */
static enum task_state without_list(const struct graph *g, uint32_t task)
{
    const uint32_t *lists = g->plan->lists[task];
    enum task_state s = TASK_NONE;
    for (uint32_t i = 1; lists && i <= lists[0]; i++) {
        uint32_t at = g->first[lists[i]];
        if (at == GRAPH_NONE || graph_at(g, at)->map_index >= 0) continue;
        enum task_state up = (enum task_state)graph_at(g, at)->state;
        if (up == TASK_FAILED || up == TASK_UPSTREAM_FAILED) return TASK_UPSTREAM_FAILED;
        if (up == TASK_SKIPPED) s = TASK_SKIPPED;
    }
    return s;
}

/* In a mapped group an instance that is not expanded yet counts none of its upstreams there that
 * are: so none of none was skipped, which is all that there are, and Airflow 2.10.5 skips it. */
static bool skips_all_of_none(const struct dag_task *t, const struct rule_counts *up,
                              int32_t map_index)
{
    return t->rule == RULE_NONE_FAILED_MIN_ONE_SUCCESS && t->mapped_group >= 0 && map_index < 0 &&
           t->upstream_count > 0 && up->total == 0;
}

static struct rule_verdict judge(const struct graph *g, uint32_t task, int32_t map_index)
{
    const struct dag_task *t = &g->plan->dag->tasks[task];
    const struct graph_index *at = index_at(g, task, map_index, false);
    if (g->told[task] || (at && at->told)) return (struct rule_verdict){TASK_SKIPPED, false};
    struct rule_verdict v = {without_list(g, task), true};
    if (v.become) return v;
    if (g->plan->setups[task] && t->upstream_count > 0 && t->rule != RULE_ALWAYS) {
        struct rule_counts c = setup_counts(g, task, map_index);
        v = rule_judge_setups(&c, map_index);
        if (v.become) return v;
    }
    struct rule_counts up = at ? sum_of(&g->up[task], &at->up) : g->up[task];
    if (skips_all_of_none(t, &up, map_index)) return (struct rule_verdict){TASK_SKIPPED, false};
    struct rule_verdict direct = rule_judge(t->rule, &up, map_index);
    direct.passes &= v.passes;
    return direct;
}

struct rule_verdict graph_judge(const struct graph *g, uint32_t place)
{
    const struct instance *i = graph_at(g, place);
    return judge(g, i->task, i->map_index);
}

/* The instances of a task are looked at only when its upstreams now say something: of a thousand
 * mapped ones behind a thousand others, none is before the last. In a mapped group what is counted
 * by index is left out of that: it says nothing for others, and is not enough for any. */
static void consider_after(struct graph *g, uint32_t up, int32_t map_index, uint32_t task)
{
    if (map_index >= 0 && by_its_index(g->plan->dag, up, task)) {
        const struct graph_index *at = index_at(g, task, map_index, false);
        if (at && at->place) graph_consider(g, at->place - 1);
        return;
    }
    bool grouped = g->plan->dag->tasks[task].mapped_group >= 0;
    struct rule_verdict v = judge(g, task, grouped ? -1 : 0);
    bool says = v.become || v.passes || g->up[task].by_state[TASK_REMOVED];
    if (says) graph_consider_task(g, task);
}

void graph_set(struct graph *g, uint32_t place, enum task_state state)
{
    struct instance *i = graph_at(g, place);
    const struct dag_task *t = &g->plan->dag->tasks[i->task];
    enum task_state old = (enum task_state)i->state;
    if (old == state) return;
    count_state(g, i, old, -1);
    count_state(g, i, state, 1);
    i->state = (uint8_t)state;
    if (!task_state_finished(state)) return;
    for (uint32_t d = 0; d < t->downstream_count; d++)
        consider_after(g, i->task, i->map_index, t->downstream[d]);
    const uint32_t *waits = g->plan->setup_for[i->task];
    for (uint32_t w = 1; waits && w <= waits[0]; w++)
        consider_after(g, i->task, i->map_index, waits[w]);
}

/* What stands below it in a mapped group waited for the whole of it, and does not any more. */
void graph_renumber(struct graph *g, uint32_t place, int32_t map_index)
{
    struct instance *i = graph_at(g, place);
    const struct dag_task *t = &g->plan->dag->tasks[i->task];
    if (i->map_index == map_index) return;
    count_presence(g, place, -1);
    i->map_index = map_index;
    count_presence(g, place, 1);
    for (uint32_t d = 0; d < t->downstream_count; d++)
        if (by_its_index(g->plan->dag, i->task, t->downstream[d]))
            graph_consider_task(g, t->downstream[d]);
}

static bool listed(uint32_t task, const uint32_t *tasks, uint32_t count)
{
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tasks[middle] < task)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && tasks[low] == task;
}

static void tell(struct graph *g, const struct instance *who, uint32_t task)
{
    if (who->map_index < 0 || g->plan->dag->tasks[who->task].mapped_group < 0) {
        g->told[task] = true;
        graph_consider_task(g, task);
    } else if (same_mapped(g->plan->dag, who->task, task)) {
        struct graph_index *at = index_at(g, task, who->map_index, true);
        if (at) at->told = true;
        if (!at) g->broken = true;
        if (at && at->place) graph_consider(g, at->place - 1);
    } /* what is below the group has no instance of this index, and is told nothing */
}

void graph_skips(struct graph *g, uint32_t place, enum skip_how how, const uint32_t *tasks,
                 uint32_t count)
{
    const struct instance *i = graph_at(g, place);
    const struct dag_task *t = &g->plan->dag->tasks[i->task];
    for (uint32_t d = 0; d < t->downstream_count; d++)
        if (listed(t->downstream[d], tasks, count) != (how == SKIP_ALL_BUT))
            tell(g, i, t->downstream[d]);
}

bool graph_told(const struct graph *g, uint32_t place)
{
    const struct instance *i = graph_at(g, place);
    const struct graph_index *at = index_at(g, i->task, i->map_index, false);
    return g->told[i->task] || (at && at->told);
}

/* --- the run ----------------------------------------------------------------------------------
 */

/* Airflow calls a run deadlocked only when nothing unfinished could wait for something outside of
 * the run. */
static bool waits_outside(const struct graph *g)
{
    for (size_t at = 0; at < g->instances.count; at++) {
        const struct instance *i = graph_at(g, (uint32_t)at);
        const struct dag_task *t = &g->plan->dag->tasks[i->task];
        if (task_state_finished((enum task_state)i->state)) continue;
        if (t->depends_on_past || t->max_active > 0) return true;
    }
    return false;
}

enum graph_end graph_end(const struct graph *g)
{
    uint32_t finished = 0;
    for (int s = 0; s < TASK_STATES; s++)
        if (task_state_finished((enum task_state)s)) finished += g->by_state[s];
    uint32_t open = (uint32_t)g->instances.count - finished;
    if (open == 0)
        return g->leaf_by_state[TASK_FAILED] || g->leaf_by_state[TASK_UPSTREAM_FAILED]
                   ? GRAPH_FAILED
                   : GRAPH_SUCCESS;
    return g->by_state[TASK_NONE] < open || waits_outside(g) ? GRAPH_GOES_ON : GRAPH_DEADLOCK;
}
