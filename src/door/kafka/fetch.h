/* fetch: what Fetch's files share. A session (KIP-227) remembers the partitions a client reads, so
 * that its requests name only what changed, and answers only what is new.
 *
 * Sessions are the door's and seen by all its loops: the table is guarded by a gate; a session that
 * a request uses is `busy` and that request's alone. Limit: SESSIONS_MAX, SESSION_PARTS_MAX over
 * all; past them a client is answered without one, which it may be at any time.
 */
#pragma once
#include "base/vec.h"
#include "door/kafka/kafka_int.h"
#include "log/log.h"

enum {
    SESSIONS_MAX = 1000, /* max.incremental.fetch.session.cache.slots */
    SESSION_PARTS_MAX = 400000,
    SESSION_EVICT_MS = 120000 /* untouched for this long it may be thrown out */
};

struct session_part {
    struct session_part *prev, *next; /* in the order in which they are looked at */
    struct uuid id;                   /* by id, or by name */
    int32_t index, epoch, last_epoch, max_bytes;
    int64_t offset;
    int64_t told_end, told_start; /* the last answer; told_end -1: an error, tell again */
    uint16_t name_size;
    char name[];
};

struct fetch_session {
    int32_t id, epoch; /* the epoch that the next request has to have */
    bool busy, by_id, doomed;
    int64_t made_ms, used_ms;
    struct map *parts; /* by key: session_part */
    struct session_part *first, *last;
    uint32_t count, counted; /* partitions; … as the room counts them, inside its gate */
};

struct fetch_room;
MUST_CHECK err_t fetch_room_open(struct fetch_room **out, struct diag *d);
void fetch_room_close(struct fetch_room *r); /* NULL is fine */
size_t fetch_room_sessions(struct fetch_room *r);

/* One partition of a request, whatever it comes from, and what was read of it. */
struct fetch_item {
    struct slice name;
    struct uuid id;
    int32_t index, epoch, last_epoch, max_bytes;
    int64_t offset;
    struct session_part *part; /* in its session, when there is one */
    /* read */
    struct log_partition *partition; /* NULL: see error */
    int16_t error;
    bool diverges;
    int64_t end, stable, start;
    struct log_span span;
    struct log_waiter *waiter;
    int64_t next_offset; /* behind what is answered */
};

struct fetch_item fetch_item_of(const struct kafka_fetch_request_topic *t,
                                const struct kafka_fetch_request_partition *p);

/* What kind of request this is (KIP-227). `session` is set for one that goes on with a session,
 * busy from now on, with its epoch moved on. An error is the whole answer. */
int16_t session_begin(struct fetch_room *r, const struct kafka_fetch_request *q, int16_t version,
                      struct fetch_session **session);
/* A new session over these items as they were answered, busy; NULL when there is no place. */
struct fetch_session *session_make(struct fetch_room *r, const struct fetch_item *items,
                                   uint32_t count, bool by_id, int64_t now_ms);
void session_end(struct fetch_room *r, struct fetch_session *s, int64_t now_ms); /* not busy */
void session_to_back(struct fetch_session *s, struct session_part *p); /* others are read first */
/* Is this partition's answer news? Remembers that it was told. */
bool session_tells(struct session_part *p, const struct fetch_item *i);

struct fetch_room *door_fetches(struct kafka_door *k);
