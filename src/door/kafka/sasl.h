/* sasl: who is on the other side of a connection. SaslHandshake and SaslAuthenticate, SASL tokens
 * on the raw wire (SaslHandshake v0), the client's certificate, and what is served before a login.
 *
 * A struct login lies in each link. Loop: the link's, but PLAIN's hashing and the answers to failed
 * logins, which wait on the door's login thread (struct sasl_room): call_answer comes from there.
 * Memory: nothing for a connection that has logged in; some 2 KiB while it does.
 * Limit: LOGIN_BYTES_MAX received and LOGIN_MS passed before the login (door/shards.h), then the
 * link is closed.
 */
#pragma once
#include "door/kafka/kafka_int.h"

struct conn;
struct sasl_room; /* the door's: the thread that hashes, and who has failed lately */

MUST_CHECK err_t sasl_room_open(struct sasl_room **out, struct diag *d);
/* What it holds is answered at once. Before the loops of the links end, after they have stopped
 * handing over requests: `done` and answers are still sent to them. NULL is fine. */
void sasl_room_close(struct sasl_room *r);

enum login_stage {
    LOGIN_NONE,   /* nothing said */
    LOGIN_TOKENS, /* after SaslHandshake: the mechanism's tokens */
    LOGIN_DONE,
    LOGIN_FAILED /* the link is closed after the answer */
};
struct login {
    struct kafka_who who; /* what call_who answers */
    struct login_exchange *exchange;
    struct loop *loop; /* the link's */
    uint8_t stage, mechanism;
    bool raw; /* tokens are frames of their own, without head, in both directions */
};
/* From the listener's rules and the client's certificate, if it gave one. */
void login_begin(struct login *l, const struct kafka_door_options *o, const struct conn *c);
void login_end(struct login *l);
/* May a request of this API be handed to its handler now? Otherwise the link is closed, as Kafka
 * does. False for raw links, whose frames are tokens. */
bool login_admits(const struct login *l, int16_t api_key);

/* A frame of a raw link is handed to kafka_sasl_authenticate as a call with head.api_key 36 and
 * head.api_version LOGIN_RAW; its answer is written as length and auth_bytes only, or, when its
 * error_code is not 0, nothing is and the link is closed. */
enum { LOGIN_RAW = -1 };
static inline bool login_expects_raw(const struct login *l)
{
    return l->raw && l->stage == LOGIN_TOKENS;
}
/* The handlers: rows 17 and 36 of served.def. A failed login is answered late; the link closes
 * itself after an answer when its login's stage is LOGIN_FAILED. */
kafka_handler kafka_sasl_handshake, kafka_sasl_authenticate;
