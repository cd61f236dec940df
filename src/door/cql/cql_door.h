/* door/cql: the server's side of Cassandra's native protocol. Bytes in, calls to the room cql,
 * bytes out.
 *
 * Loop: loops and threads of its own (`loops`); a connection lives on one of them for life. Its
 * requests are begun in order and answered as they are done, in any order, by their streams; the
 * answers of one turn of the loop leave together. Memory: an idle connection keeps its socket's
 * state and its session. Limits: link.h; beyond them a connection is not read (back pressure), or,
 * when its client asked for that, answered OVERLOADED.
 */
#pragma once
#include "cql/cql.h"
#include "door/place.h"

struct cql_door;
struct cql_door_options {
    struct door_place at;
    struct cql *cql;    /* whether a login is asked for is its rule */
    uint32_t frame_max; /* bytes of a request, native_transport_max_frame_size; 0: 16 MiB */
    uint32_t calls_max; /* requests of a connection in flight; 0: 4,096 */
    size_t bytes_max;   /* of all requests in flight, what they need to run included; 0: 256 MiB */
};
MUST_CHECK err_t cql_door_open(const struct cql_door_options *o, struct cql_door **out,
                               struct diag *d);
/* In two steps, because calls may be with the room cql: stop takes no more connections or requests,
 * says DOWN to who listens and closes what is there; cql_stop ends what runs; close waits for that
 * and for the door's threads; cql_close is last. Close alone stops, too. */
void cql_door_stop(struct cql_door *k);           /* NULL is fine */
void cql_door_close(struct cql_door *k);          /* NULL is fine */
uint16_t cql_door_port(const struct cql_door *k); /* 0: none */
uint16_t cql_door_tls_port(const struct cql_door *k);
const struct listener *cql_door_listener(const struct cql_door *k, bool secure); /* or NULL */
struct door_counts cql_door_counts(const struct cql_door *k);                    /* any thread */
void cql_door_metrics(const struct cql_door *k, struct buf *out); /* Prometheus text */
void cql_door_families(metric_each *each, void *ctx);             /* … the names in it */
