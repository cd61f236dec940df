/* link: what the door's own files share: the door, its loops (shards), their connections, and the
 * requests that are in flight.
 *
 * A link lives on one shard's loop and is touched there only. A call is begun there; `done` may
 * come on any thread and puts it on the shard's list, which the loop takes as a whole: one wake-up
 * for as many as there are.
 */
#pragma once
#include "door/cql/cql_door.h"
#include "door/login_room.h"
#include "door/shards.h"
#include "wire/cql/cql.h"
#include <stdatomic.h>

enum {
    CALLS_KEPT = 256,      /* of a shard, for the next requests */
    CALL_COST = 8 << 10,   /* bytes that a request in flight is counted with, besides its own */
    SMALL = 4 << 10,       /* a message up to this waits for its rest in the connection's input */
    MESSAGE_MS = 30000,    /* from a large message's first byte to its last */
    OUTPUT_HIGH = 1 << 20, /* no further request is read past this … */
    OUTPUT_MAX = (512 << 20), /* … and past this the connection is closed */
    ANSWER_MAX = 300 << 20,
    OUT_FLUSH = 64 << 10, /* answers of one connection that are gathered before they are queued */
    BORROWED_LEAST = 32 << 10, /* rows from this size on are not copied */
    PACKED_LEAST = 512,        /* bodies below this are not compressed: the head says so */
    EVENT_KINDS = NATIVE_EVENT_KINDS
};

struct link;
struct shard;

struct call {
    struct cql_call cql; /* first: `done` gets it */
    struct link *link;
    struct shard *shard;
    struct arena *arena;
    struct call *next; /* done, on its way to the loop */
    uint8_t *frame;    /* a large request's bytes, mem_; NULL: they are in the arena */
    uint32_t frame_cap;
    uint32_t cost;  /* that it is counted with */
    uint32_t parts; /* of the answer, that have not left yet */
    int16_t stream;
};

struct shard_counts {              /* written by the shard alone, read by anybody */
    _Atomic uint64_t requests[17]; /* by opcode */
    _Atomic uint64_t errors, bytes_in, bytes_out, overloaded, events, paused, refused, logins,
        logins_failed;
};
static inline void count_up(_Atomic uint64_t *n, uint64_t by)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + by,
                          memory_order_relaxed);
}

struct card { /* of a link, for the list of clients: clients.c */
    struct card *next, **link;
    struct cql_session session; /* as it was when something changed */
    _Atomic uint64_t requests;
    const char *tls_protocol, *tls_cipher;
    uint8_t stage;
};

struct shard {
    struct door_shard its;
    struct cql_door *door;
    struct loop_message finished_message;
    _Atomic bool woken;              /* finished_message is on its way */
    _Atomic(struct call *) finished; /* done elsewhere: a stack */
    size_t reserved;                 /* for large messages that are being received */
    size_t bytes, bytes_max;         /* of the requests in flight */
    struct link **waiting_last;      /* in the order they came */
    struct link *waiting;            /* links that are not read because of bytes_max */
    struct link *listening;          /* for events */
    struct buf out;                  /* answers of out_link, not queued yet */
    struct link *out_link;
    struct buf scratch; /* packed answers; messages cut into segments */
    uint8_t *unpacked;  /* a segment's payload */
    struct shard_counts counts;
    struct gate roster_gate; /* roster, its cards, roster_count */
    struct card *roster;
    uint32_t roster_count;
    bool gathering; /* gathering: what is answered now is flushed by who set it */
};

struct cql_door {
    struct cql_door_options options;
    struct shard shards[SHARDS_MAX];
    int shard_count;
    struct door_shards its;
    struct login_room *logins;
};

enum stage { STAGE_NEW, STAGE_LOGIN, STAGE_READY }; /* ServerConnection's words for them */

struct link {
    struct door_link its;
    struct shard *shard;
    struct cql_session session;
    struct card card;
    uint8_t stage, version; /* version: 0 before STARTUP */
    uint8_t compression;    /* enum native_compression */
    uint8_t errors;         /* in a row, within one segment */
    bool segmented, throws, queued /* in the shard's `waiting` */, in_login, timed;
    uint8_t events;        /* bits of enum native_event_kind */
    uint32_t wanted;       /* size of a large message that has to wait for its memory */
    uint32_t calls;        /* in flight */
    struct gather frame;   /* a message (v3, v4) or segment (v5) too large to wait in the input */
    struct gather message; /* v5: a message of several segments */
    struct native_head too_big; /* version 0: none; a message that is thrown away */
    uint64_t skip;              /* bytes of it that are still to come */
    struct link *next_waiting;
    struct link *next_listening, **listening; /* NULL: not registered */
};

/* link.c: connections */
extern const struct conn_handler cql_link_handler;
void cql_link_close(struct link *l, const char *why); /* after what is queued; says it in the log */
void cql_link_set_input(struct link *l);              /* reads or not, by what is in flight */
void cql_link_free_if_over(struct link *l);
void cql_links_wake(struct shard *s); /* some of what they waited for is there again */
bool shard_has_room(const struct shard *s, uint32_t size); /* for a large message */

/* input.c: bytes become messages */
size_t input_data(struct link *l, struct slice in); /* how many bytes it has taken */
uint8_t *input_room(struct link *l, size_t *size);
void input_end(struct link *l);

/* call.c: messages become calls */
/* `frame`: the memory the body stands in, to be kept; NULL: it is copied. */
void cql_link_call(struct link *l, const struct native_head *h, struct slice body,
                   struct gather *frame);
void cql_link_answer(struct call *c); /* done with, on the loop: writes the answer */
void cql_link_part_left(void *call);  /* for conn_write_borrowed */

/* startup.c: what is answered by the door itself */
void startup_options(struct link *l, const struct native_head *h);
void startup_begin(struct link *l, const struct native_head *h, const struct native_request *r);
void startup_register(struct link *l, const struct native_head *h, const struct native_request *r);
/* Takes the call: it holds the token while the password is looked at. */
void startup_login(struct call *c, const struct native_head *h, struct slice token);

/* answer.c: results and errors as messages */
void answer_call(struct call *c);
void answer_error(struct link *l, uint8_t version, int16_t stream, int32_t code, const char *words,
                  ...) PRINTF_LIKE(5, 6);
void answer_simple(struct link *l, const struct native_head *asked, const struct native_response *r,
                   uint8_t opcode);

/* out.c: messages become bytes on the wire */
/* Room for a message of this link: native_begin … native_end in it, then out_close. */
struct buf *out_open(struct link *l);
void out_close(struct link *l, size_t begun);
/* An open message with `rows` behind it, which stay with the call until they have left. */
void out_close_rows(struct call *c, size_t begun);
void out_flush(struct shard *s);

/* clients.c */
void clients_enter(struct link *l);
void clients_update(struct link *l); /* the session or the stage is another */
void clients_leave(struct link *l);
cql_clients_fn clients_each; /* any thread */

/* events.c */
void events_register(struct link *l, enum native_event_kind kind);
void events_forget(struct link *l);
void events_schema(void *door, const struct cql_schema_change *change); /* any thread */
void events_down(struct shard *s);
