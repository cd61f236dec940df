/* sasl_room: the door's one thread for logins. It hashes passwords, an address at a time in turn,
 * so that one that tries many keeps nobody waiting; and it holds back the answers to failed logins:
 * 0.1 s at first, 3.2 s for an address that goes on failing.
 *
 * Loop: its own. Memory: a few words a waiting call, in the call's arena, and a table of
 * ADDRESSES slots, which addresses share by hash. Limit: the connections there are.
 */
#pragma once
#include "door/kafka/sasl.h"

/* Runs hash(c, arg) there, which says whether that is a login, then done(c, arg) on the link's
 * loop: later when it was none. */
void sasl_room_work(struct sasl_room *r, struct call *c, bool (*hash)(struct call *c, void *arg),
                    void (*done)(struct call *c, void *arg), void *arg);
/* call_answer of a failed login, later. From the link's loop, while handing over a request. */
void sasl_room_delay(struct sasl_room *r, struct call *c);
