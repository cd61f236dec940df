/* kafka_int: what the door's own files share. One request is one struct call, which a handler ends
 * by call_answer, at once or later, from any thread.
 */
#pragma once
#include "door/kafka/kafka_door.h"
#include "wire/kafka/kafka.h"

struct link; /* a connection: link.c */

struct call {
    struct link *link;
    struct kafka_request_head head; /* api, version, client id; borrowed from `frame` */
    struct arena *arena;            /* everything of this call; freed after the answer is written */
    void *request;                  /* decoded: struct kafka_<api>_request */
    void *response; /* kafka_init'ed: struct kafka_<api>_response, the handler fills it */
    struct kafka_door *door;
    struct diag diag;
    struct loop_message message; /* to the worker, or back to the link's loop */
    kafka_handler *work;         /* what the worker runs */
    bool silent;                 /* no answer is sent (acks=0) */
    /* ZETA adds its own: frame, spans to give back, message to the link's loop … */
};

/* One row an API we serve: served.def: SERVE(api, handler, newest version served, least role). */
typedef void kafka_handler(struct call *c);

/* Exactly once a call, from any thread. The response is encoded on the connection's loop. */
void call_answer(struct call *c);
/* Instead of an answer of the handler's own: an error response of this API's shape, with the error in
 * the protocol's place for it (link: refuse.c). */
void call_refuse(struct call *c, err_t e);
/* Runs fn(c) on the door's worker thread, one at a time: for what waits for the disk. fn ends with
 * call_answer or call_refuse. (worker.c) */
void call_work(struct call *c, kafka_handler *fn);
const struct kafka_door_options *door_options(const struct kafka_door *k);
enum { KAFKA_BROKER_ID = 1 }; /* this broker is the cluster */
/* Who is on the other side of this connection: roles say what it may do. */
struct kafka_who {
    char name[USERS_NAME_MAX + 1]; /* "ANONYMOUS" without a login */
    enum user_role role;
    bool known; /* logged in, or no login is asked for */
};
const struct kafka_who *call_who(const struct call *c);
const char *call_peer(const struct call *c); /* "127.0.0.1:51234" */
/* The connection's login (door/kafka/sasl.h), and the door's room for it. */
struct login *link_login(struct link *l);
struct sasl_room *door_sasl(struct kafka_door *k);
/* The address to tell this client: what it dialled, or `advertised`. */
void call_address(const struct call *c, char host[256], int32_t *port);
