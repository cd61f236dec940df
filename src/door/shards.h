/* door/shards: what the doors to clients that stay connected have in common: loops of their own
 * (shards) with a thread each, two listeners (plain and TLS) whose connections all loops share, the
 * limits on connections, the memory of calls, and the order in which all of that ends.
 *
 * A door has struct door_shards in its own struct, and begins its own structs for a shard and a
 * connection with struct door_shard and struct door_link. What a message is, which call may begin,
 * who is paused and how a call comes home to its loop is the door's.
 *
 * Never: sees a protocol. Loop: a connection and its calls live on their shard's loop and are
 * touched there only. Memory: what `kept` holds of finished calls, and frames.h. Limits: the
 * options'.
 */
#pragma once
#include "door/frames.h"
#include "door/place.h"
#include "os/net.h"
#include "os/thread.h"

struct crowd;
struct door_shards;

enum {
    SHARDS_MAX = 16,
    CALLS_KEPT_MAX = 256,
    ARENA_KEPT = 64 << 10, /* an arena that has grown past this is not kept */
    LOGIN_BYTES_MAX = 4096,
    LOGIN_MS = 5000
};

struct door_call_memory {
    void *call; /* call_size bytes: zero, or as the last call left them */
    struct arena *arena;
};

struct door_shard {
    struct door_shards *all;
    struct loop *loop;
    struct thread thread;
    struct listener *plain, *secure; /* NULL: none */
    struct loop_message stop;
    struct frames frames;
    uint32_t calls; /* that are not over */
    uint32_t kept_count;
    bool stopping, closed;
    struct door_call_memory kept[CALLS_KEPT_MAX];
};

struct door_shards_options {
    struct door_place at;
    const char *name;                   /* of its threads: NAME-0 …; the program's */
    const struct conn_handler *handler; /* its `door` is the shard */
    uint32_t input_max;                 /* 0: os/net's default */
    uint32_t output_high, output_max;
    /* The door's own shards, filled by it but for their beginning; valid until door_shards_free. */
    void *first;
    size_t size; /* of one */
    int count;
    size_t call_size, arena_max;
    uint32_t calls_kept; /* CALLS_KEPT_MAX at most */
    /* On a shard's loop when it takes nothing any more, before its connections close: what is said
     * here still leaves. NULL: nothing. */
    void (*leaving)(struct door_shard *s);
};

struct door_shards {
    struct door_shards_options options;
    int count;           /* that have begun */
    struct crowd *crowd; /* of all shards and both ports */
    struct gate gate;    /* shards that have stopped taking, and those that hold no call any more */
    int stopped, empty;
    bool stop_begun;
};

int door_shards_count(const struct door_place *at); /* how many it will have */
/* From here on connections come. After an error, too: door_shards_end, door_shards_free. */
MUST_CHECK err_t door_shards_open(struct door_shards *a, const struct door_shards_options *o,
                                  struct diag *d);
/* Takes no more connections or requests and closes what is there. Once; true: now it was done. */
bool door_shards_stop(struct door_shards *a);
/* Stopped before: waits until every call is over, then ends the threads. */
void door_shards_end(struct door_shards *a);
void door_shards_free(struct door_shards *a); /* the loops: nobody sends to them any more */
uint16_t door_shards_port(const struct door_shards *a, bool secure); /* 0: none */
/* Its listener, for its counts; NULL: none. */
const struct listener *door_shards_listener(const struct door_shards *a, bool secure);

/* --- connections ------------------------------------------------------------------------------ */

struct door_link {
    struct conn *conn;     /* NULL: it has gone; the link stays until its calls are over */
    uint32_t held;         /* calls that are not over */
    uint32_t before_login; /* bytes received before it */
    bool closing, paused;
};
/* `size` bytes, zeroed, that begin with a struct door_link, LOGIN_MS from now to a login. NULL: the
 * door stops, or no memory. */
void *door_link_new(struct door_shard *s, struct conn *c, size_t size);
bool door_link_pause(struct door_link *l, bool pause); /* true: it was not so before */
/* Counts bytes before the login; true: it is too many of them. */
static inline bool door_link_says_too_much(struct door_link *l, size_t bytes)
{
    l->before_login += (uint32_t)bytes;
    return l->before_login > LOGIN_BYTES_MAX;
}
void door_link_left(void *link, struct conn *c); /* conn_handler.left: nobody reads the answers */
static inline bool door_link_over(const struct door_link *l)
{
    return !l->conn && !l->held;
}

/* --- calls ------------------------------------------------------------------------------------ */

/* The call holds its link. False: no memory. */
bool door_call_take(struct door_shard *s, struct door_link *l, struct door_call_memory *out);
/* It is over: nothing of it is touched again. The link stays until the door frees it. */
void door_call_give(struct door_shard *s, struct door_link *l, struct door_call_memory m);
