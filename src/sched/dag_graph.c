/* The graph: who waits for whom, an order in which all can be walked, and the weights of priority.
 */
#include "sched/dag_int.h"

#include <stdlib.h>

static struct task_draft *draft_at(struct reading *r, size_t i)
{
    return vec_at(&r->tasks, i);
}

/* --- names to places ----------------------------------------------------------------------------
 */

/* From inside outwards: "x" in group a.b is a.b.x, then a.x, then x. 0: none. */
static intptr_t resolve(struct reading *r, int32_t group, struct slice name)
{
    for (;;) {
        struct slice id = name;
        if (group >= 0) {
            const struct group_draft *g = vec_at(&r->groups, (size_t)group);
            const char *full =
                arena_printf(r->arena, "%.*s.%.*s", SLICE_ARG(g->group.id), SLICE_ARG(name));
            if (full) id = slice_of(full);
        }
        intptr_t place = (intptr_t)map_get(r->names, id);
        if (place || group < 0) return place;
        group = ((const struct group_draft *)vec_at(&r->groups, (size_t)group))->group.parent;
    }
}

static err_t no_such(struct reading *r, const struct doc *at, struct slice name)
{
    const char **names = arena_take(r->arena, (map_count(r->names) + 1) * sizeof *names);
    size_t n = 0, i = 0;
    struct slice key;
    void *value;
    while (names && n < 2000 && map_next(r->names, &i, &key, &value))
        if ((names[n] = arena_text(r->arena, key))) n++;
    const char *near = names ? nearest_word(name, names, n) : NULL;
    (void)diag_fail(r->d, ERR_CONFIG, "there is no task '%.*s' to come after", SLICE_ARG(name));
    if (near) (void)diag_hint(r->d, "did you mean '%s'?", near);
    return wrong_at(r, at->line, at->column);
}

static bool in_group(struct reading *r, int32_t group, int32_t wanted)
{
    while (group >= 0 && group != wanted)
        group = ((const struct group_draft *)vec_at(&r->groups, (size_t)group))->group.parent;
    return group == wanted;
}

static err_t tie(struct reading *r, uint32_t from, uint32_t to)
{
    err_t e = vec_push(&draft_at(r, to)->upstream, &from);
    return e ? e : vec_push(&draft_at(r, from)->downstream, &to);
}

/* --- groups as ends of an edge ------------------------------------------------------------------
 * A group's roots wait for nobody inside it, its leaves are waited for by nobody inside it. */
static bool touches_inside(struct reading *r, const struct vec *edges, int32_t group)
{
    for (size_t i = 0; i < edges->count; i++)
        if (in_group(r, draft_at(r, *(uint32_t *)vec_at(edges, i))->task.group, group)) return true;
    return false;
}

static err_t ends_of(struct reading *r, intptr_t place, bool leaves, struct vec *out)
{
    vec_clear(out);
    if (place > 0) {
        uint32_t at = (uint32_t)(place - 1);
        return vec_push(out, &at);
    }
    int32_t group = (int32_t)(-place - 1);
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < r->tasks.count && !e; i++) {
        struct task_draft *t = draft_at(r, i);
        bool inside = in_group(r, t->task.group, group);
        if (inside && !touches_inside(r, leaves ? &t->downstream : &t->upstream, group))
            e = vec_push(out, &i);
    }
    return e;
}

static err_t tie_all(struct reading *r, const struct vec *from, const struct vec *to)
{
    err_t e = ERR_OK;
    for (size_t i = 0; i < from->count && !e; i++)
        for (size_t k = 0; k < to->count && !e; k++)
            e = tie(r, *(uint32_t *)vec_at(from, i), *(uint32_t *)vec_at(to, k));
    return e;
}

/* `groups`: only edges with a group at an end, or only those without: groups' ends are known when
 * the plain ones are tied. */
static err_t read_after(struct reading *r, intptr_t self, int32_t group, const struct doc *after,
                        bool groups)
{
    struct vec from = vec_make(sizeof(uint32_t), DAG_TASKS_MAX), to = from;
    uint32_t count = !after || after->kind == DOC_NULL ? 0
                     : after->kind == DOC_LIST         ? after->count
                                                       : 1;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < count && !e; i++) {
        const struct doc *item = after->kind == DOC_LIST ? &after->items[i] : after;
        struct slice name = doc_text(item);
        intptr_t other = name.len ? resolve(r, group, name) : 0;
        if (!other) {
            e = no_such(r, item, name);
        } else if ((self < 0 || other < 0) == groups) {
            e = ends_of(r, other, true, &from);
            if (!e) e = ends_of(r, self, false, &to);
            if (!e) e = tie_all(r, &from, &to);
        }
    }
    vec_done(&from);
    vec_done(&to);
    return e;
}

/* Whoever maps over what another task gives comes after it, as in Airflow, said or not. */
static err_t read_lists(struct reading *r, intptr_t self, const struct doc *expand, bool groups)
{
    uint32_t count = !expand || expand->kind < DOC_TEXT ? 0
                     : expand->kind == DOC_MAP          ? expand->count
                                                        : expand->kind == DOC_TEXT;
    err_t e = ERR_OK;
    for (uint32_t i = 0; i < count && !e; i++) {
        const struct doc *item = expand->kind == DOC_MAP ? &expand->entries[i].value : expand;
        intptr_t other = item->kind == DOC_TEXT ? (intptr_t)map_get(r->names, item->text) : 0;
        if (other > 0) e = read_after(r, self, -1, item, groups);
    }
    return e;
}

static err_t tie_everything(struct reading *r)
{
    err_t e = ERR_OK;
    for (int groups = 0; groups < 2; groups++) {
        for (size_t i = 0; i < r->tasks.count && !e; i++) {
            const struct task_draft *t = draft_at(r, i);
            e = read_after(r, (intptr_t)i + 1, t->task.group, t->after, groups);
            bool own = t->task.mapped_group < 0;
            if (!e && own) e = read_lists(r, (intptr_t)i + 1, t->task.expand, groups);
        }
        for (size_t i = 0; groups && i < r->groups.count && !e; i++) {
            const struct group_draft *g = vec_at(&r->groups, i);
            e = read_after(r, -(intptr_t)i - 1, g->group.parent, g->after, true);
            if (!e) e = read_lists(r, -(intptr_t)i - 1, g->group.expand, true);
        }
    }
    return e;
}

/* --- order --------------------------------------------------------------------------------------
 */

/* What Kahn's way has left holds a circle: walk upwards in it until a task comes again. */
static err_t say_cycle(struct reading *r, const uint32_t *waiting)
{
    uint32_t at = 0, n = (uint32_t)r->tasks.count;
    uint32_t *next = arena_take(r->arena, n * sizeof *next); /* the one below, + 1 */
    if (!next) return reading_no_memory(r);
    while (!waiting[at]) at++;
    while (!next[at]) {
        const struct vec *up = &draft_at(r, at)->upstream;
        uint32_t above = 0;
        for (size_t i = 0; i < up->count; i++) {
            above = *(uint32_t *)vec_at(up, i);
            if (waiting[above]) break;
        }
        next[at] = above + 1;
        at = above;
    }
    char path[400];
    struct buf out = buf_over(path, sizeof path - 1);
    uint32_t first = at, line = draft_at(r, at)->task.line;
    buf_printf(&out, "%.*s", SLICE_ARG(draft_at(r, at)->task.id));
    do {
        at = next[at] - 1;
        buf_printf(&out, " after %.*s", SLICE_ARG(draft_at(r, at)->task.id));
    } while (at != first && !out.err);
    path[out.len] = 0;
    (void)diag_fail(r->d, ERR_CONFIG, "the tasks wait for each other in a circle");
    (void)diag_why(r->d, "%s%s", path, out.err ? " …" : "");
    return wrong_at(r, line, 1);
}

/* By the file's order as far as the graph allows: a heap of those that are ready. */
static void sift(uint32_t *heap, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t least = at, left = 2 * at + 1;
        for (uint32_t k = left; k < left + 2 && k < count; k++)
            if (heap[k] < heap[least]) least = k;
        if (least == at) return;
        uint32_t kept = heap[at];
        heap[at] = heap[least];
        heap[least] = kept;
        at = least;
    }
}

static void heap_add(uint32_t *heap, uint32_t count, uint32_t value)
{
    uint32_t at = count;
    for (; at && heap[(at - 1) / 2] > value; at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = value;
}

static err_t order(struct reading *r, uint32_t *sorted)
{
    uint32_t n = (uint32_t)r->tasks.count, ready = 0, done = 0;
    uint32_t *waiting = arena_take(r->arena, n * sizeof *waiting);
    uint32_t *heap = arena_take(r->arena, (n + 1) * sizeof *heap);
    if (!waiting || !heap) return reading_no_memory(r);
    for (uint32_t i = 0; i < n; i++) {
        waiting[i] = (uint32_t)draft_at(r, i)->upstream.count;
        if (!waiting[i]) heap_add(heap, ready++, i);
    }
    while (ready) {
        uint32_t at = heap[0];
        heap[0] = heap[--ready];
        sift(heap, ready, 0);
        sorted[done++] = at;
        const struct vec *below = &draft_at(r, at)->downstream;
        for (size_t i = 0; i < below->count; i++) {
            uint32_t to = *(uint32_t *)vec_at(below, i);
            if (--waiting[to] == 0) heap_add(heap, ready++, to);
        }
    }
    return done == n ? ERR_OK : say_cycle(r, waiting);
}

/* --- weights ------------------------------------------------------------------------------------
 * Airflow's: a task's own and all below (or above) it, each once. A bit a task, or-ed along the
 * edges: the edges times a 64th of the tasks. */
static err_t weigh(struct dag *g, bool downstream)
{
    uint32_t n = g->task_count, words = (n + 63) / 64;
    bool wanted = false;
    enum weight_rule rule = downstream ? WEIGHT_DOWNSTREAM : WEIGHT_UPSTREAM;
    for (uint32_t i = 0; i < n; i++) wanted |= g->tasks[i].weight_rule == rule;
    if (!wanted) return ERR_OK;
    uint64_t *reach = mem_take((size_t)n * words * sizeof *reach + 1);
    if (!reach) return ERR_NO_MEMORY;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = downstream ? n - 1 - k : k;
        struct dag_task *t = &g->tasks[i];
        uint64_t *own = reach + (size_t)i * words;
        const uint32_t *next = downstream ? t->downstream : t->upstream;
        uint32_t count = downstream ? t->downstream_count : t->upstream_count;
        for (uint32_t e = 0; e < count; e++)
            for (uint32_t w = 0; w < words; w++) own[w] |= reach[(size_t)next[e] * words + w];
        own[i / 64] |= (uint64_t)1 << (i % 64);
        if (t->weight_rule != rule) continue;
        t->weight = 0;
        for (uint32_t w = 0; w < words; w++)
            for (uint64_t bits = own[w]; bits; bits &= bits - 1)
                t->weight += g->tasks[w * 64 + (uint32_t)__builtin_ctzll(bits)].priority_weight;
    }
    mem_give(reach);
    return ERR_OK;
}

/* --- out of drafts, tasks -----------------------------------------------------------------------
 */

static int by_place(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Ascending, each once: an edge may have been said twice. */
static err_t places(struct reading *r, const struct vec *drafts, const uint32_t *to,
                    const uint32_t **list, uint32_t *count)
{
    uint32_t *out = arena_take(r->arena, (drafts->count + 1) * sizeof *out);
    if (!out) return reading_no_memory(r);
    for (size_t i = 0; i < drafts->count; i++) out[i] = to[*(uint32_t *)vec_at(drafts, i)];
    qsort(out, drafts->count, sizeof *out, by_place);
    *count = 0;
    for (size_t i = 0; i < drafts->count; i++)
        if (!i || out[i] != out[*count - 1]) out[(*count)++] = out[i];
    *list = out;
    return ERR_OK;
}

err_t read_graph(struct reading *r)
{
    uint32_t n = (uint32_t)r->tasks.count;
    uint32_t *sorted = arena_take(r->arena, n * sizeof *sorted),
             *to = arena_take(r->arena, n * sizeof *to);
    struct dag *g = r->dag;
    g->tasks = arena_take(r->arena, n * sizeof *g->tasks);
    struct dag_group *groups = arena_take(r->arena, (r->groups.count + 1) * sizeof *groups);
    if (!sorted || !to || !g->tasks || !groups) return reading_no_memory(r);
    err_t e = tie_everything(r);
    if (!e) e = order(r, sorted);
    if (e) return e;
    for (uint32_t i = 0; i < n; i++) to[sorted[i]] = i;
    for (uint32_t i = 0; i < n; i++) {
        struct task_draft *t = draft_at(r, sorted[i]);
        struct dag_task *task = &g->tasks[i];
        *task = t->task;
        task->weight = task->priority_weight;
        e = places(r, &t->upstream, to, &task->upstream, &task->upstream_count);
        if (!e) e = places(r, &t->downstream, to, &task->downstream, &task->downstream_count);
        if (e) return e;
    }
    g->task_count = n;
    for (size_t i = 0; i < r->groups.count; i++)
        groups[i] = ((struct group_draft *)vec_at(&r->groups, i))->group;
    g->groups = groups;
    g->group_count = (uint32_t)r->groups.count;
    e = weigh(g, true);
    return e ? e : weigh(g, false);
}
