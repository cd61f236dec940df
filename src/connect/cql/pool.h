/* connect/cql/pool: many requests at once, on a few connections to one Cassandra.
 *
 * Submit while cql_pool_full says no, collect answers as they come: the pipelined face that COPY
 * and sinks write through. A prepared statement that a server has forgotten is prepared again and
 * the request sent once more, unseen by the caller. Nothing else is repeated: an error of the
 * server is an answer with the request's tag.
 *
 * Never starts a thread. Loop: never on one; one thread at a time. Memory: each request's bytes
 * until it is answered. Limit: `window` requests a connection, CQL_FLIGHT_MAX at most.
 */
#pragma once
#include "connect/cql/client.h"

enum { CQL_POOL_MAX = 32 };

struct cql_pool_options {
    struct cql_client_options client;
    uint32_t connections; /* 0: 2 */
    uint32_t window;      /* 0: 128 */
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
/* On every connection; nothing may be in flight. */
MUST_CHECK err_t cql_pool_prepare(struct cql_pool *p, struct slice text,
                                  const struct cql_prepared **out, struct diag *d);
bool cql_pool_full(const struct cql_pool *p);
uint32_t cql_pool_in_flight(const struct cql_pool *p);
/* ERR_BUSY when full. `tag` comes back with the answer. */
MUST_CHECK err_t cql_pool_submit(struct cql_pool *p, uint8_t opcode, const struct native_request *r,
                                 uint64_t tag, struct diag *d);
/* Waits for the next answer. ERR_NOT_FOUND: nothing is in flight. */
MUST_CHECK err_t cql_pool_collect(struct cql_pool *p, struct arena *a, uint64_t *tag,
                                  struct cql_answer *out, struct diag *d);
