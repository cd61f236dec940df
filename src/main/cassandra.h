/* cassandra: the part of a server that CQL clients see: the engine of statements over the store,
 * and the CQL door with its TLS and its rule for logins. Made from the settings cql.*, tls.*;
 * opened after store, log and users, closed before them.
 */
#pragma once
#include "door/cql/cql_door.h"
#include "exec/exec.h"
#include "main/project.h"

struct cassandra {
    struct cql *cql; /* NULL: both ports are off */
    struct cql_door *door;
    struct tls *tls;
    char line[128]; /* for people: "127.0.0.1:9042  TLS 127.0.0.1:9142" */
};

MUST_CHECK err_t cassandra_open(struct project *p, const struct exec_world *w, struct users *users,
                                struct cassandra *c, struct diag *d);
void cassandra_close(struct cassandra *c);
