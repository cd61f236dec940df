/* engine_kit: an engine under a fake clock with a fake workshop, for tests of this room. The
 * workshop answers at once, or keeps orders until the test answers them. */
#pragma once
#include "sched/engine_int.h"
#include "sched/meta_kit.h"
#include "sched/ops.h"

struct kit_clock {
    int64_t wall, mono;
};
struct kit {
    struct engine *engine;
    struct meta *meta, *own; /* the engine's; the test's, for ops and looks */
    struct ops ops;
    struct kit_clock *clock, own_clock;
    char where[512], identity[64];
    /* What each start of a task comes to: s success, f failed, F for good, k skipped, a again, l
     * lost, w: kept until the test answers; the last letter goes on. A task that is not here
     * succeeds. */
    const struct script {
        const char *task, *outcomes, *result /* JSON */, *follows /* ids, by commas: a branch */;
        bool short_circuit;
        int only; /* of a mapped task: the instance of this index, + 1; 0: all */
    } * scripts;
    /* In place of scripts: what an order's work comes to; false: kept, to be answered by the test.
     * NULL: success. */
    bool (*outcome)(void *ctx, struct work_order *o, struct work_answer *a);
    void *ctx;
    struct kit_data { /* where tables and topics stand */
        const char *name;
        struct data_place at;
    } data[4];
    struct vec kept;    /* struct work_order * */
    struct vec stopped; /* struct work_order *: of kept ones */
    struct vec files;   /* struct slice: the dags' texts, owned */
    uint32_t started, calls;
    bool adopts;
    char begun[4096]; /* ids of what was started, in order */
    struct map *alive;
    struct arena *results;
};
/* A new database in the test's folder with these dags (YAML); NULL `yaml`: none. */
bool kit_open(struct kit *k, const char *yaml);
/* Another scheduler on the same database and clock. */
bool kit_open_beside(struct kit *k, const struct kit *first, const char *identity,
                     const char *yaml);
void kit_close(struct kit *k);
void kit_crash(struct kit *k); /* as by kill -9: what it had in memory is gone */
void kit_die(struct kit *k);   /* and what it ran with it */
bool kit_again(struct kit *k); /* and started anew, with the same dags */
void kit_dags(struct kit *k, const char *yaml);
/* Turns until nothing is left to do now. */
void kit_turn(struct kit *k);
void kit_advance(struct kit *k, int64_t us); /* both clocks, in steps of what is due */
void kit_answer(struct kit *k, const char *task_id, enum work_outcome outcome);
void kit_end(struct kit *k, struct work_order *o, enum work_outcome outcome); /* a kept one */
void kit_end_as(struct kit *k, struct work_order *o, const struct work_answer *a);
struct work_order *kit_order(const struct kit *k, const char *task_id); /* kept; NULL: none */
int64_t kit_trigger(struct kit *k, const char *dag_id, const char *run_id, const char *conf);
int64_t kit_trigger_at(struct kit *k, const char *dag_id, const char *run_id, const char *conf,
                       int64_t logical);
/* "a=success b=skipped c[0]=failed": a run's instances, by id and map index. */
const char *kit_states(struct kit *k, const char *run_id);
const char *kit_run_state(struct kit *k, const char *run_id);
int32_t kit_tries(struct kit *k, const char *run_id, const char *task_id);
/* Each task's tries go 1 … n without a gap, and nothing has run twice at once. */
void kit_audit(struct kit *k);
