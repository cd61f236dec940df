/* kafka_int: what the door's own files share. One request is one struct call, which a handler ends
 * by call_answer, at once or later, from any thread.
 *
 * A handler runs on the connection's loop and must not wait: what the rooms answer at once it asks
 * at once; what they answer later (appends, coordinators) calls back, and the callback ends the
 * call; what waits for the disk goes to call_work. While a call is out, nobody but its handler
 * touches it, and it stays valid when the connection goes. The least role of its row has been
 * checked.
 *
 * Adding an API: a row in served.def, its handler in a file of its own, the file in ../meson.build.
 */
#pragma once
#include "door/kafka/kafka_door.h"
#include "wire/kafka/kafka.h"

enum {
    KAFKA_BROKER_ID = 1,                 /* this broker is the cluster */
    KAFKA_LEADER_EPOCH = 0,              /* of every partition, for ever */
    CALLS_MAX = 64,                      /* produce requests of one connection before an answer */
    CALL_ARENA_MAX = 128 << 20,          /* of one call */
    RESPONSE_MAX = 256 << 20,            /* without the bytes that come from files */
    FRAMES_AHEAD_MAX = 32 << 20,         /* bytes of one connection's requests that wait */
    REQUEST_MAX = 100 << 20,             /* socket.request.max.bytes */
    OUTPUT_HIGH = 1 << 20,               /* no further request is read past this … */
    OUTPUT_MAX = (256 << 20) + (1 << 20) /* … and past this the connection is closed */
};

struct link; /* a connection: link.c */
struct call;
typedef void kafka_handler(struct call *c);

/* One row an API we serve: served.def. */
struct kafka_served {
    int16_t api_key, newest; /* the newest version served; the oldest is the tables' */
    enum user_role least;
    kafka_handler *run;
};
extern const struct kafka_served kafka_served[];
extern const size_t kafka_served_count;
const struct kafka_served *kafka_served_of(int16_t api_key); /* NULL: not served */
#define SERVE(name, handler, newest, least) kafka_handler handler;
#include "door/kafka/served.def"
#undef SERVE

struct call {
    struct link *link;
    struct kafka_request_head head; /* api, version, client id; borrowed from `frame` */
    struct arena *arena;            /* everything of this call; freed after the answer is written */
    void *request;                  /* decoded: struct kafka_<api>_request; borrows from `frame` */
    void *response; /* kafka_init'ed: struct kafka_<api>_response, the handler fills it */
    struct kafka_door *door;
    struct diag diag;            /* for what the rooms say; logged by call_break */
    struct loop_message message; /* to the worker, or back to the link's loop: while the call is
                                    out its handler may use it, until it ends the call */
    kafka_handler *work;         /* what the worker runs */
    bool silent;                 /* no answer is sent (acks=0) */

    /* link.c's own */
    struct call *next; /* in the order of the connection's requests */
    uint8_t *frame;    /* the request's bytes, mem_: a handler may patch them in place */
    uint32_t frame_size, frame_cap;
    int64_t begun_ns; /* when it was its turn */
    bool started, ended, broken;
    uint32_t parts;                  /* of the answer, that have not left yet */
    void (*dropped)(struct call *c); /* a handler's: the connection has gone while the call is out;
                                        on the loop; NULL: the call ends when it ends */
    void (*release)(struct call *c); /* a handler's: when the answer has left, on the loop */
    void *kept;                      /* theirs */
};

/* Exactly one of these three ends a call, from any thread. The response is encoded on the
 * connection's loop. */
void call_answer(struct call *c);
/* Instead of an answer of the handler's own: an error response of this API's shape, with the error
 * in the protocol's place for it (refuse.c). */
void call_refuse(struct call *c, err_t e);
/* The same for a role that is not enough: Kafka's code for the kind of thing (29, 30, 31, 53). */
void call_forbid(struct call *c);
/* What both do, without a call; false past the arena's limit. */
bool refusal_fill(const struct kafka_api *api, int16_t version, const void *request,
                  const struct kafka_error *error, struct slice words, struct arena *arena,
                  void *response);
/* The connection is closed instead of an answer, after those before it; why: c->diag. */
void call_break(struct call *c);

/* What comes behind this call on its connection does not begin before call_unblock: for a produce
 * that has to ask before it appends, so that none overtakes it. On the connection's loop. */
void call_block(struct call *c);
void call_unblock(struct call *c);
/* Runs fn(c) on the door's worker thread, one at a time: for what waits for the disk. fn ends the
 * call (worker.c). */
void call_work(struct call *c, kafka_handler *fn);
/* `count` initialised structs of a response's array (one at least, so that it is never null); NULL
 * past the arena's limit: then call_break. */
#define call_new(c, s, count) kafka_new((c)->arena, &s##_struct, MAX((int32_t)(count), 1))
struct slice call_text(struct call *c, const char *text); /* a copy in the arena; NULL: null */

const struct kafka_door_options *door_options(const struct kafka_door *k);
/* Who is on the other side of this connection: roles say what it may do. */
struct kafka_who {
    char name[USERS_NAME_MAX + 1]; /* "ANONYMOUS" without a login */
    enum user_role role;
    bool known; /* logged in, or no login is asked for */
};
const struct kafka_who *call_who(const struct call *c);
const char *call_peer(const struct call *c); /* "127.0.0.1:51234" */
struct loop *call_loop(const struct call *c);
int64_t call_now_ms(void); /* the wall's */
/* The connection's login (door/kafka/sasl.h), and the door's room for it. */
struct login *link_login(struct link *l);
struct sasl_room *door_sasl(struct kafka_door *k);
/* The address to tell this client: what it dialled, or `advertised`. */
void call_address(const struct call *c, char host[256], int32_t *port);

/* --- topics, for all handlers (topics.c) ------------------------------------------------------ */
/* By id when the request has one (not all zero), else by name: UNKNOWN_TOPIC_ID or
 * UNKNOWN_TOPIC_OR_PARTITION in *code when there is none. */
struct log_topic *topic_of(struct call *c, struct slice name, const struct uuid *id, int16_t *code);
struct log_partition *partition_of(struct call *c, struct slice name, const struct uuid *id,
                                   int32_t index, int16_t *code);
/* Kafka's bit fields (AclOperation) of what this role may do. */
int32_t topic_operations(enum user_role role);
int32_t cluster_operations(enum user_role role);
int32_t group_operations(enum user_role role);
