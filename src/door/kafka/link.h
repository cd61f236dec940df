/* link: what the door's own machinery shares: the door, its loops (shards), their connections.
 *
 * A link lives on one shard's loop and is touched there only; a call comes back to it by a message.
 */
#pragma once
#include "door/kafka/kafka_int.h"
#include "door/kafka/sasl.h"
#include "door/shards.h"
#include <stdatomic.h>

struct worker;
struct fetch_room; /* sessions: fetch_session.h */
enum { CALLS_KEPT = 64, IDLE_MS = 600000 };

struct shard {
    struct door_shard its;
    struct kafka_door *door;
    struct buf out; /* an answer is encoded here */
};

enum { API_COUNTS = 128 };
struct api_count {
    _Atomic uint64_t requests, ns, broken;
};

struct kafka_door {
    struct kafka_door_options options;
    char host[256]; /* advertised; "": what the client dialled */
    int32_t port;
    char *cluster_id;
    struct shard shards[SHARDS_MAX];
    int shard_count;
    struct door_shards its;
    struct worker *worker;
    struct sasl_room *sasl;
    struct fetch_room *fetches;
    struct api_count counts[API_COUNTS]; /* by API key */
};

struct link {
    struct door_link its;
    struct shard *shard;
    struct login login;
    char peer[56], host[48]; /* host, port: what the client dialled */
    uint16_t port;
    uint8_t size[4], size_have; /* of the frame that comes next */
    struct gather frame;        /* … which grows with what has come */
    struct call *first, *last;  /* requests in their order */
    struct call *waiting;       /* the first that has not begun */
    uint32_t count, running;    /* in the list; begun */
    uint32_t blocking;          /* calls behind which nothing may begin */
    size_t ahead;               /* bytes of the frames in the list */
    bool pumping, admitted;
};

/* link.c */
extern const struct conn_handler link_handler;
void link_pump(struct link *l); /* answers what has ended, begins what may */
void link_close(struct link *l, const char *why, const struct call *c); /* says it in the log */
void link_free_if_over(struct link *l);

/* call.c */
struct call *call_take(struct link *l); /* NULL: no memory */
void call_drop(struct call *c);         /* back to the shard; its bytes may still be on their way */
void call_begin(struct call *c);        /* reads the head, decodes, and runs the handler */
bool call_send(struct call *c);         /* writes the answer; false: the link closes */

/* stats.c: when a call's answer has been queued, or there will be none */
void call_count(struct call *c, int64_t now_ns, size_t bytes_out);

/* served.c */
void answer_unknown_version(struct call *c); /* ApiVersions in a version that does not exist yet */
