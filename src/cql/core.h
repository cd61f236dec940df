/* core: the engine itself, for the files that open it, run calls and keep prepared statements.
 * Other files of this room see it by cql_int.h alone.
 */
#pragma once
#include "cql/cql_int.h"
#include <stdatomic.h>

enum {
    CQL_WORKERS = 2,
    CQL_LISTENERS_MAX = 16,
    CQL_ARENAS_KEPT = 16,
    CQL_TALLIES = 16,  /* threads count apart, so that they share no cache line */
    CQL_LATENCIES = 26 /* 2^n microseconds and less */
};

enum cql_tally_kind {
    TALLY_QUERY,
    TALLY_PREPARE,
    TALLY_EXECUTE,
    TALLY_BATCH, /* as call.verb */
    TALLY_FAILED,
    TALLY_UNPREPARED,
    TALLY_WORKER,
    TALLY_KINDS
};
enum cql_side { SIDE_READ, SIDE_WRITE, SIDES };
struct cql_tally {
    _Atomic uint64_t count[TALLY_KINDS];
    _Atomic uint64_t operations[SIDES], operation_us[SIDES];
    _Atomic uint64_t latency[4][CQL_LATENCIES], latency_sum_us[4];
    uint8_t apart[128]; /* from the next thread's */
};

struct cql_crew { /* the threads for long statements */
    struct gate gate;
    struct cql_call *first, *last;
    struct thread *threads;
    int count;
    bool stopping;
};

struct cql_listener {
    void (*changed)(void *ctx, const struct cql_schema_change *change);
    void *ctx;
};

struct cql_cache;  /* prepared.c */
struct cql_traces; /* trace.c */
struct cql {
    struct cql_parts parts; /* first: cql_int.h */
    _Atomic bool stopping;
    _Atomic uint64_t waiting; /* calls in the crew's queue */
    struct cql_crew crew;
    struct cql_cache *cache;
    struct cql_traces *traces;
    struct gate gate; /* listeners, kept arenas */
    struct cql_listener listeners[CQL_LISTENERS_MAX];
    uint32_t listener_count;
    struct arena *arenas[CQL_ARENAS_KEPT];
    uint32_t arena_count;
    struct cql_tally tallies[CQL_TALLIES];
};

void cql_tally(struct cql *c, enum cql_tally_kind kind);
void cql_tally_done(struct cql *c, const struct cql_call *call);

/* --- crew.c
 * --------------------------------------------------------------------------------------- */
MUST_CHECK err_t crew_start(struct cql *c, int threads, struct diag *d);
void crew_stop(struct cql *c); /* what waits is done with ERR_STOPPED */

/* --- prepared.c
 * ----------------------------------------------------------------------------------- */
MUST_CHECK err_t cache_open(struct cql *c);
void cache_close(struct cql *c);
void cache_prepare(struct cql_call *c); /* CALL_PREPARE: ends the call */
/* Counted; NULL: not prepared (any more). What a change of the schema touched is forgotten here. */
const struct cql_statement *cache_find(struct cql *c, struct slice id);
void cache_forget(struct cql *c, const struct cql_schema_change *change);
struct cache_stats {
    uint64_t count, bytes, evicted;
};
struct cache_stats cache_stats(struct cql *c);

/* --- trace.c
 * -------------------------------------------------------------------------------------- */
MUST_CHECK err_t traces_open(struct cql *c);
void traces_close(struct cql *c);
void trace_begin(struct cql_call *c);
void trace_end(struct cql_call *c);
