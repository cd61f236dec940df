/* client_int: what the client's own files share. */
#pragma once
#include "connect/kafka/client.h"

enum { APIS_MAX = 128 };
struct node {
    struct kafka_node at;
    struct dial *dial; /* NULL: not connected */
    struct {
        int16_t first, last; /* what the broker says it knows; last -1: nothing */
    } knows[APIS_MAX];
};

struct kafka_client {
    struct kafka_client_options options; /* its texts are copies, in `texts` */
    struct arena *texts;
    struct node *nodes[CLIENT_NODES_MAX]; /* [0]: the bootstrap connection, id CLIENT_ANY_NODE */
    size_t node_count;
    int32_t correlation;
    struct buf frame;
};

/* One request over one connection, in this version. Without `response` none is waited for. */
MUST_CHECK err_t node_ask(struct kafka_client *k, struct node *n, int16_t api, int16_t version,
                          const void *request, struct arena *a, void **response, struct diag *d);
/* login.c: nothing is asked of this connection before. */
MUST_CHECK err_t node_login(struct kafka_client *k, struct node *n, struct diag *d);
