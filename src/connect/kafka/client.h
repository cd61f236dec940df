/* connect/kafka/client: asks any Kafka cluster, one request at a time, and waits for the answer:
 * the command line's way to topics, groups and records, ours or somebody else's.
 *
 * A request is asked in the newest version that both sides know. Brokers are found by metadata and
 * connected when first asked. Loop: never on one; one thread at a time. Memory: answers lie in the
 * caller's arena. Limit: CLIENT_NODES_MAX brokers, CLIENT_ANSWER_MAX bytes an answer.
 */
#pragma once
#include "os/dial.h"
#include "wire/kafka/kafka.h"

enum { CLIENT_NODES_MAX = 256, CLIENT_ANSWER_MAX = 256 << 20, CLIENT_ANY_NODE = -1 };

struct kafka_client_options {
    const char *bootstrap; /* "host:port,host:port" */
    const char *client_id; /* NULL: "sluice" */
    int64_t timeout_ms;    /* of every wait; 0: 30 s */
    bool tls;
    struct dial_tls tls_options;
    const char *mechanism; /* NULL: no login; PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 */
    const char *user, *password;
};

struct kafka_client;
MUST_CHECK err_t kafka_client_open(const struct kafka_client_options *o, struct kafka_client **out,
                                   struct diag *d);
void kafka_client_close(struct kafka_client *k); /* NULL is fine */

struct kafka_ask {
    int16_t api;            /* KAFKA_API_… */
    int16_t oldest, newest; /* versions that `request` is meant for; newest 0: no bound */
    const void *request;    /* struct kafka_<api>_request */
    int64_t timeout_ms;     /* 0: the client's */
    bool unanswered;        /* the broker says nothing to it: Produce with acks 0 */
    /* the answer */
    void *response; /* struct kafka_<api>_response, in the arena */
    int16_t version;
};
/* `node`: a broker's id, or CLIENT_ANY_NODE. ERR_VERSION: the broker knows only others. An error
 * inside the answer is the caller's to read: kafka_client_error makes a story of it. */
MUST_CHECK err_t kafka_client_ask(struct kafka_client *k, int32_t node, struct kafka_ask *q,
                                  struct arena *a, struct diag *d);

/* The error `code` of an answer as a story: what for, Kafka's words (or the broker's own message),
 * Kafka's name of it. ERR_OK for 0. */
MUST_CHECK err_t kafka_client_error(int16_t code, struct slice message, struct diag *d,
                                    const char *what, ...) PRINTF_LIKE(4, 5);

/* Metadata of these topics (count -1: all), newest version; brokers found are remembered. */
MUST_CHECK err_t kafka_client_topics(struct kafka_client *k, const struct slice *names,
                                     int32_t count, bool create, struct arena *a,
                                     struct kafka_metadata_response **out, struct diag *d);
/* The broker that looks after a group (type 0) or a transactional id (1). */
MUST_CHECK err_t kafka_client_coordinator(struct kafka_client *k, int8_t type, struct slice key,
                                          int32_t *node, struct diag *d);
/* The brokers known so far: id, host, port. */
struct kafka_node {
    int32_t id;
    char host[256];
    uint16_t port;
};
size_t kafka_client_nodes(const struct kafka_client *k, struct kafka_node *out, size_t max);
