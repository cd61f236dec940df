/* door/zookeeper: ZooKeeper's four-letter words, for health checks and scripts that ask port 2181
 * whether the cluster is there: ruok, srvr, stat, mntr, isro, as a standalone node answers them.
 * Nothing else of ZooKeeper: its clients are refused by the connection's end.
 *
 * Loop: the one it is opened on. Memory: one answer a connection. Limit: CONNS connections, 5 s.
 */
#pragma once
#include "os/net.h"

struct zookeeper_door;
MUST_CHECK err_t zookeeper_open(struct loop *l, const char *address, uint16_t port,
                                const char *version, struct zookeeper_door **out, struct diag *d);
void zookeeper_close(struct zookeeper_door *z); /* NULL is fine */
uint16_t zookeeper_port(const struct zookeeper_door *z);
struct listener_counts zookeeper_counts(const struct zookeeper_door *z); /* any thread */
