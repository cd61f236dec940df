/* graph: one run's task instances in memory and what follows when one of them moves on: who is
 * ready, who is skipped or fails with its upstreams, how the run stands. Counters per task, so that
 * an instance's end costs its task's downstreams and no more.
 *
 * A cache: the database is the truth, and whoever can not write what it says throws it away.
 *
 * Loop: the engine's. Memory: one per running run. Limit: GRAPH_INSTANCES_MAX. Never looks at a
 * database or a clock.
 */
#pragma once
#include "base/vec.h"
#include "sched/rules.h"

enum { GRAPH_INSTANCES_MAX = 1 << 20 };

/* What of a dag is computed once, not for each run. */
struct dag_plan {
    const struct dag *dag; /* held */
    uint32_t **setups;     /* a task's setups further up: places, [0] is how many; NULL: none */
    uint32_t **setup_for;  /* a setup's tasks further down that wait for it; NULL: none */
    uint32_t **lists;      /* whose results a task maps over: places, [0] is how many; NULL: none */
    bool *leaf;            /* its state decides how a run has ended */
    struct map *places;    /* task id -> place + 1 */
    uint32_t refs;
};
struct dag_plan *dag_plan_new(const struct dag *g); /* NULL: no memory */
struct dag_plan *dag_plan_hold(struct dag_plan *p);
void dag_plan_give(struct dag_plan *p);
int32_t dag_plan_find(const struct dag_plan *p, struct slice task_id); /* -1: none such */

struct instance {
    uint32_t task; /* place in the dag */
    int32_t map_index, try_number, max_tries;
    uint32_t next; /* of the same task; GRAPH_NONE: the last */
    uint8_t state; /* enum task_state */
    bool queued;   /* stands in graph.todo */
    bool past_met; /* earlier runs are as depends_on_past wants them */
    bool in_lane, stored_scheduled, again /* a sensor's next look: no new try */,
        held /* until the work of an older try has ended */; /* the engine's */
    uint32_t timer; /* the engine's: generation of what is waited for */
    int64_t token, not_before, started_at, waited_since /* a sensor's first look */;
    void *work; /* the engine's: its order */
};
#define GRAPH_NONE UINT32_MAX

enum skip_how { SKIP_ALL_BUT, SKIP_THESE };

/* Of a task in a mapped group: what stands at one map index. */
struct graph_index {
    struct rule_counts up; /* of its upstreams' instances there that have this index */
    uint32_t place;        /* + 1; 0: none */
    bool told;             /* a branch or short circuit of this index said: skip it */
};

struct graph {
    struct dag_plan *plan;
    struct vec instances;   /* struct instance; a place is for ever */
    uint32_t *first;        /* a task's first instance */
    uint32_t *last;         /* and its last */
    uint32_t *running;      /* a task's instances that are active */
    struct rule_counts *up; /* of a task's direct upstreams' instances */
    bool *mapped;           /* its instances are as many as its list has items */
    bool *told;             /* a branch or short circuit above said: skip it */
    struct vec *by_index;   /* a task's struct graph_index; NULL: the dag has no mapped group */
    struct vec todo;        /* uint32_t: instances whose rules may have changed */
    size_t todo_at;
    uint32_t by_state[TASK_STATES], leaf_by_state[TASK_STATES], active;
    bool broken; /* out of memory: to be thrown away */
};
MUST_CHECK err_t graph_init(struct graph *g, struct dag_plan *plan);
void graph_done(struct graph *g);
static inline struct instance *graph_at(const struct graph *g, uint32_t place)
{
    return (struct instance *)vec_at(&g->instances, place);
}
/* GRAPH_NONE: none such. */
uint32_t graph_find(const struct graph *g, uint32_t task, int32_t map_index);
/* A new one in this state; its place, or GRAPH_NONE past the limit. */
uint32_t graph_add(struct graph *g, uint32_t task, int32_t map_index, enum task_state state);
/* Moves on; downstreams and what waits for it are put to `todo`. */
void graph_set(struct graph *g, uint32_t place, enum task_state state);
void graph_renumber(struct graph *g, uint32_t place, int32_t map_index); /* expanded: -1 is 0 now */
void graph_consider(struct graph *g, uint32_t place);                    /* put it to `todo` */
void graph_consider_task(struct graph *g, uint32_t task);                /* all its instances */
bool graph_next(struct graph *g, uint32_t *place);                       /* takes one of `todo` */
/* What the rules say of an instance that is waiting now. */
struct rule_verdict graph_judge(const struct graph *g, uint32_t place);
/* A branch's (SKIP_ALL_BUT) or short circuit's (SKIP_THESE) word about its direct downstreams, once
 * it has ended: places of tasks, ascending. In a mapped group it is for its own index alone. */
void graph_skips(struct graph *g, uint32_t place, enum skip_how how, const uint32_t *tasks,
                 uint32_t count);
bool graph_told(const struct graph *g, uint32_t place); /* to be skipped */

/* How the run stands, when todo is empty. */
enum graph_end { GRAPH_GOES_ON, GRAPH_SUCCESS, GRAPH_FAILED, GRAPH_DEADLOCK };
enum graph_end graph_end(const struct graph *g);
/* Every task below (or above), each once: places, ascending. The caller's array of task_count. */
uint32_t dag_flat(const struct dag *g, uint32_t task, bool upstream, uint32_t *out);
