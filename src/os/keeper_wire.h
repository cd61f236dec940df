/* What the server and its keeper say to each other over a Unix socket: a length, a kind, fields. */
#pragma once
#include "base/bytes.h"
#include "os/keeper.h"

enum keeper_says {
    KEEPER_START,
    KEEPER_STOP,
    KEEPER_FORGET,
    KEEPER_END_ALL, /* to the keeper */
    KEEPER_STARTED,
    KEEPER_REFUSED,
    KEEPER_ENDED,
    KEEPER_FOUND,
    KEEPER_KNOWN /* from it */
};
/* Begins a message in `out`; ends it by patching its length. */
size_t keeper_begin(struct buf *out, enum keeper_says what);
void keeper_finish(struct buf *out, size_t at);
/* The next whole message of what was read: true, and its body; *used grows. ERR_TOO_BIG by `bad`.
 */
bool keeper_take(struct slice read, size_t *used, enum keeper_says *what, struct cursor *body,
                 bool *bad);
void keeper_put_text(struct buf *out, struct slice s);
struct slice keeper_text(struct cursor *c);
void keeper_put_end(struct buf *out, enum keeper_says what, const struct keeper_end *end);
struct keeper_end keeper_read_end(struct cursor *c);

/* DIR/socket into an address; false: the path is too long for one. */
struct sockaddr_un;
bool keeper_address(const char *dir, struct sockaddr_un *out);
/* What a warden is to start: in memory that it shares with the keeper, at the same place. */
struct keeper_child {
    const char *const *argv, *const *environment;
    const char *directory;
};
struct warden_word { /* sent once when the command runs (or can not), once when all is over */
    enum { WARDEN_RUNS, WARDEN_CAN_NOT, WARDEN_OVER } what;
    int pid, error, status;
    uint32_t left_behind;
    bool leaves; /* somebody it could not end is left: it takes no other order */
};
/* After fork: keeper_warden.c. By `ear` come a byte and two descriptors an order (the command's
 * standard input; its output and error), and its words go back; it ends when that is closed. */
_Noreturn void keeper_warden(const struct keeper_child *desk, int ear, int keeper_pid);
