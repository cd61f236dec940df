/* login_room: a door's one thread for logins. It hashes passwords, an address at a time in turn, so
 * that one that tries many keeps nobody waiting; and it holds back the answers to failed logins:
 * 0.1 s at first, 3.2 s for an address that goes on failing.
 *
 * Loop: its own. Memory: the guests' own, and a table of ADDRESSES slots, which addresses share by
 * hash. Limit: the connections there are.
 */
#pragma once
#include "os/loop.h"

struct login_room;
struct login_guest {   /* in the caller's memory, which stays until done */
    const char *peer;  /* "127.0.0.1:51234" */
    struct loop *loop; /* where done is called; NULL: in the room */
    /* On the room's thread: is it a login? NULL: it has failed already, only its answer waits. */
    bool (*hash)(struct login_guest *g);
    void (*done)(struct login_guest *g);

    /* the room's own */
    struct login_guest *next, **link;
    struct login_room *room;
    struct loop_message message;
    struct loop_timer *timer;
};
MUST_CHECK err_t login_room_open(const char *name /* of the thread */, struct login_room **out,
                                 struct diag *d);
/* What it holds is done at once. Before the loops of the guests end, after they have stopped
 * entering. NULL is fine. */
void login_room_close(struct login_room *r);
struct login_failure { /* an address whose logins failed within the last minute */
    char address[48];
    uint32_t failures;       /* in a row */
    int64_t wait_ms, ago_ms; /* what its next failure waits; since the last one */
};
enum { LOGIN_FAILURES_MAX = 64 };
/* The newest; answers how many. Any thread. */
uint32_t login_room_failures(struct login_room *r, struct login_failure out[LOGIN_FAILURES_MAX]);
void login_room_enter(struct login_room *r, struct login_guest *g);
