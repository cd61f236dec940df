/* door/kafka: the broker's side of Kafka's protocol. Bytes in, calls to the rooms, bytes out.
 *
 * Loop: loops and threads of its own (`loops`); a connection lives on one of them for life.
 * Requests of a connection are answered in order; a produce may follow a produce before it is
 * answered, so that group commit works for one connection too; anything else waits for what came
 * before it. Memory: an idle connection keeps its socket's state only. Limits: kafka_int.h.
 */
#pragma once
#include "base/metric.h"
#include "coord/coord.h"
#include "door/place.h"
#include "users/users.h"

struct kafka_door;
struct kafka_door_options {
    struct door_place at;
    bool login;             /* SASL is required on every connection */
    const char *advertised; /* "host:port" told to everybody; NULL: what the client dialled */
    struct log *log;
    struct coord *coord;
    struct users *users;
    bool auto_create;           /* topics that a producer or a consumer names */
    int32_t default_partitions; /* of topics made without a number */
    const char *cluster_id;
    uint32_t request_max; /* bytes of a frame after the login; 0: 100 MiB */
    /* the bank transfer's checker must catch this; never set elsewhere */
    bool mutant_ignore_aborts;
};
MUST_CHECK err_t kafka_door_open(const struct kafka_door_options *o, struct kafka_door **out,
                                 struct diag *d);
/* In two steps, because a request may wait in a coordinator: stop takes no more connections or
 * requests and closes what is there; coord_close answers what it holds; close waits for these
 * answers and for the door's threads. Close alone stops, too. */
void kafka_door_stop(struct kafka_door *k);
void kafka_door_close(struct kafka_door *k);                          /* NULL is fine */
uint16_t kafka_door_port(const struct kafka_door *k);                 /* 0: none */
void kafka_door_metrics(const struct kafka_door *k, struct buf *out); /* Prometheus text, by API */
void kafka_door_families(metric_each *each, void *ctx);               /* … the names in it */
uint16_t kafka_door_tls_port(const struct kafka_door *k);
const struct listener *kafka_door_listener(const struct kafka_door *k, bool secure); /* or NULL */
struct door_counts kafka_door_counts(const struct kafka_door *k); /* any thread */
