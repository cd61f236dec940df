/* connect/cql/pool: many requests at once, on a few connections to one Cassandra.
 *
 * Submit while cql_pool_full says no, collect answers as they come: the pipelined face that COPY
 * and sinks write through. A prepared statement that a server has forgotten is prepared again and
 * the request sent once more, unseen by the caller. An error of the server is an answer with the
 * request's tag.
 *
 * A connection that broke is made again: after retry_ms, then twice as long, up to retry_most_ms,
 * as drivers do. What was in flight on it may have been run or not: each such request is collected
 * with the connection's error, or, where cql_pool_repeat has said that it does no harm, sent again.
 *
 * Never starts a thread: connections are made within submit, collect and prepare, which wait
 * patience_ms for one when there is none. Loop: never on one; one thread at a time. Memory: each
 * request's bytes until it is answered. Limit: `window` requests a connection, CQL_FLIGHT_MAX at
 * most; a request is repeated three times.
 */
#pragma once
#include "connect/cql/client.h"

enum { CQL_POOL_MAX = 32 };

struct cql_pool_options {
    struct cql_client_options client;
    uint32_t connections;            /* 0: 2 */
    uint32_t window;                 /* 0: 128 */
    int64_t retry_ms, retry_most_ms; /* 0: 1 s, 60 s */
    int64_t patience_ms;             /* 0: with no connection left a request fails at once */
};
struct cql_prepared { /* lives as long as the pool */
    struct slice text, id, result_id;
    const struct native_column *markers;
    uint32_t marker_count;
    struct native_metadata result;
};

struct cql_pool;
MUST_CHECK err_t cql_pool_open(const struct cql_pool_options *o, struct cql_pool **out,
                               struct diag *d);
void cql_pool_close(struct cql_pool *p); /* NULL is fine; what is in flight is forgotten */
/* From now on: requests may be run twice. */
void cql_pool_repeat(struct cql_pool *p, bool yes);
/* On every connection; nothing may be in flight. */
MUST_CHECK err_t cql_pool_prepare(struct cql_pool *p, struct slice text,
                                  const struct cql_prepared **out, struct diag *d);
bool cql_pool_full(const struct cql_pool *p); /* collect first */
uint32_t cql_pool_in_flight(const struct cql_pool *p);
/* ERR_BUSY when full. ERR_OK: `tag` comes back by cql_pool_collect, whatever becomes of it. */
MUST_CHECK err_t cql_pool_submit(struct cql_pool *p, uint8_t opcode, const struct native_request *r,
                                 uint64_t tag, struct diag *d);
/* Waits for the next answer. ERR_NOT_FOUND: nothing is in flight. Any other error: the request
 * `tag` was lost with its connection; it may have been run or not. */
MUST_CHECK err_t cql_pool_collect(struct cql_pool *p, struct arena *a, uint64_t *tag,
                                  struct cql_answer *out, struct diag *d);
