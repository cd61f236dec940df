/* The CQL door's tests: a door on a real port, an engine that does what a statement's text says
 * (instead of the room cql), and a client of sockets and wire/cql.
 *
 * QUERY texts: "void"; "rows N": N rows (k int, v text); "big N": a row of N bytes; "error":
 * INVALID; "exists", "stopped"; "later X": X, done by another thread; "hold": done by kit_release,
 * the newest first; "use K"; "create K"; "warn"; "who": the session's user, driver and keyspace;
 * "page". EXECUTE answers a row of the values it was given; PREPARE remembers nothing. */
#pragma once
#include "door/cql/cql_door.h"
#include "wire/cql/cql.h"

struct kit {
    struct cql_door_options options; /* what a test wants otherwise: before kit_open */
    bool login;
    struct cql_door *door;
    struct arena *arena;
};
void kit_open(struct kit *k);
void kit_close(struct kit *k);
void kit_release(void); /* ends all that is held, from another thread, and waits for that */
uint32_t kit_held(void);
/* What system_views.clients would have: one line a client, sorted by nothing. */
char *kit_clients(struct kit *k);
void kit_changed(const char *change, const char *target, const char *keyspace, const char *name);

struct client {
    struct kit *kit;
    int fd;
    uint8_t version;
    enum native_compression compression;
    bool segmented;
    struct buf in; /* bytes of messages, out of their segments */
    size_t used;
    struct native_head head; /* of the last answer */
    struct native_response answer;
};
struct client client_open(struct kit *k, uint8_t version); /* connected, nothing said */
void client_close(struct client *c);
void client_bytes(struct client *c, const void *bytes, size_t size);
/* One message; in a segment when it is time for that. */
void client_put(struct client *c, uint8_t opcode, int16_t stream, const struct native_request *r);
void client_text(struct client *c, int16_t stream, const char *text); /* QUERY */
/* STARTUP, its answer, and the login when one is asked for. */
void client_start(struct client *c, const char *compression);
struct client client_ready(struct kit *k, uint8_t version, const char *compression);
/* The next answer; false: the connection has been closed. */
bool client_take(struct client *c);
bool client_closed(struct client *c); /* and nothing more has come */
/* The same, and it is this. */
void client_expect(struct client *c, int16_t stream, uint8_t opcode);
void client_expect_error(struct client *c, int16_t stream, int32_t code, const char *words);
bool kit_until(bool (*so)(void *), void *ctx); /* within some seconds */
