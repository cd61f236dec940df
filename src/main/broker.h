/* broker: the part of a server that Kafka clients see: the coordinators, the Kafka door with its
 * TLS and its rule for logins, and ZooKeeper's words. Made from the settings kafka.*, tls.*,
 * zookeeper.*; opened after the log, closed before it.
 */
#pragma once
#include "coord/coord.h"
#include "door/kafka/kafka_door.h"
#include "door/zookeeper/zookeeper.h"
#include "main/project.h"

struct broker {
    struct coord *coord;
    struct kafka_door *kafka;
    struct tls *tls;
    struct zookeeper_door *zookeeper;
    char cluster_id[23]; /* Kafka's: 22 characters of a random id, kept in the data directory */
    char line[128];      /* for people: "127.0.0.1:9092  TLS 127.0.0.1:9093" */
};

MUST_CHECK err_t broker_open(struct project *p, const struct exec_world *w, struct users *users,
                             struct loop *loop, struct broker *b, struct diag *d);
void broker_close(struct broker *b);
