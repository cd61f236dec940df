/* link: what the door's own machinery shares: the door, its loops (shards), their connections.
 *
 * A link lives on one shard's loop and is touched there only; a call comes back to it by a message.
 */
#pragma once
#include "door/frames.h"
#include "door/kafka/kafka_int.h"
#include "door/kafka/sasl.h"
#include "os/crowd.h"
#include "os/net.h"
#include "os/thread.h"
#include <stdatomic.h>

struct worker;
struct fetch_room; /* sessions: fetch_session.h */
enum { SHARDS_MAX = 16, CALLS_KEPT = 64, ARENA_KEPT = 64 << 10, IDLE_MS = 600000 };

struct shard {
    struct kafka_door *door;
    struct loop *loop;
    struct thread thread;
    struct listener *plain, *secure; /* NULL: none */
    struct loop_message stop;
    struct call *kept; /* for the next requests, with their arenas */
    struct buf out;    /* an answer is encoded here */
    struct frames frames;
    uint32_t kept_count, calls;
    bool stopping;
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
    struct worker *worker;
    struct crowd *crowd; /* the limits on connections, of all shards and both ports */
    struct sasl_room *sasl;
    struct fetch_room *fetches;
    struct api_count counts[API_COUNTS]; /* by API key */
    struct gate gate; /* shards that have stopped taking, and those that hold no call any more */
    int stopped, empty;
    bool stop_begun;
};

struct link {
    struct shard *shard;
    struct conn *conn; /* NULL: it has gone; the link stays until its calls are back */
    struct login login;
    char peer[56], host[48]; /* host, port: what the client dialled */
    uint16_t port;
    uint8_t size[4], size_have; /* of the frame that comes next */
    uint8_t *frame;             /* … which grows with what has come */
    uint32_t frame_size, frame_have, frame_cap;
    uint32_t before_login;     /* bytes received before the login */
    struct call *first, *last; /* requests in their order */
    struct call *waiting;      /* the first that has not begun */
    uint32_t count, running;   /* in the list; begun */
    uint32_t blocking;         /* calls behind which nothing may begin */
    uint32_t held;             /* calls that are not freed: the link outlives them */
    size_t ahead;              /* bytes of the frames in the list */
    bool pumping, paused, closing, admitted;
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
void calls_done(struct shard *s);

/* stats.c: when a call's answer has been queued, or there will be none */
void call_count(struct call *c, int64_t now_ns, size_t bytes_out);

/* served.c */
void answer_unknown_version(struct call *c); /* ApiVersions in a version that does not exist yet */
