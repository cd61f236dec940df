/* session: the command line as a client of a Kafka cluster, ours or another: which one, with which
 * security, from options and from a client's properties file.
 *
 * Properties are those of the Java clients, and librdkafka's names for the same. Loop: none.
 */
#pragma once
#include "connect/kafka/client.h"
#include "main/cli.h"

enum { SESSION_ARENA_MAX = 512 << 20 };

struct session {
    struct kafka_client *client;
    struct arena *arena; /* answers; reset when the next command begins */
    struct arena *texts; /* what the options point into */
    bool committed;      /* ends are those of what is committed */
    struct properties *properties;
};

struct session_from {
    const char *brokers;              /* NULL: bootstrap.servers of the properties */
    const char *file;                 /* a properties file; NULL: none */
    const char *properties[ARGS_MAX]; /* "name=value", later ones win */
    int property_count;
};
MUST_CHECK err_t session_open(const struct session_from *from, struct session *s, struct diag *d);
void session_close(struct session *s);

/* For our own verbs: --brokers, --client-config; without --brokers the project's own server. */
#define SESSION_OPTIONS                                                                            \
    {"--brokers", "HOST:PORT", "a Kafka cluster; without it: this project's server"},              \
    {                                                                                              \
        "--client-config", "FILE", "a client's properties: security.protocol, sasl.*, ssl.*"       \
    }
MUST_CHECK err_t session_of_verb(const struct args *a, struct session *s, struct diag *d);

/* A property of the session's file or options; NULL: not given. */
struct properties;
MUST_CHECK err_t properties_read(const struct session_from *from, struct arena *texts,
                                 struct properties **out, struct diag *d);
const char *properties_value(const struct properties *p, const char *name);
