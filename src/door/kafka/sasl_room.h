/* sasl_room: the Kafka door's room for logins (door/login_room.h), by calls.
 *
 * Loop: the room's. Memory: a few words a waiting call, in the call's arena.
 */
#pragma once
#include "door/kafka/sasl.h"

/* Runs hash(c, arg) there, which says whether that is a login, then done(c, arg) on the link's
 * loop: later when it was none. */
void sasl_room_work(struct sasl_room *r, struct call *c, bool (*hash)(struct call *c, void *arg),
                    void (*done)(struct call *c, void *arg), void *arg);
/* call_answer of a failed login, later. From the link's loop, while handing over a request. */
void sasl_room_delay(struct sasl_room *r, struct call *c);
