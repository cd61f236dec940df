/* For os's tests: a loop in its own thread, and the other side of a socket, made of plain system
 * calls so that our own client code cannot agree with our own server's mistakes. Every wait has a
 * deadline of PEER_WAIT_MS. */
#pragma once
#include "base/bytes.h"
#include "os/loop.h"
#include "os/thread.h"

enum { PEER_WAIT_MS = 10000 };

struct side { /* the server's side of a test */
    struct loop *loop;
    struct thread thread;
};
void side_open(struct side *s);
void side_start(struct side *s);                 /* after the listeners are open */
void side_stop(struct side *s);                  /* then close the listeners … */
void side_free(struct side *s);                  /* … and this */
bool side_wait(bool (*done)(void *), void *arg); /* until it is so; false past the deadline */

int peer_connect(uint16_t port);
int peer_connect_unix(const char *path);
void peer_send(int fd, struct slice bytes); /* whole; false in a CHECK when it cannot */
void peer_text(int fd, const char *text);
/* Reads exactly size bytes, or until the end; returns how many. */
size_t peer_read(int fd, void *to, size_t size);
/* Reads until `text` has come; what came is in got->at, NUL-terminated. */
bool peer_until(int fd, const char *text, struct buf *got);
/* Reads to the end; false when the peer did not close in time. A reset counts as closed. */
bool peer_to_end(int fd, struct buf *got);
void peer_reset(int fd); /* closes so that the other side sees a reset */
/* Runs a shell command, its standard output into got; returns its exit code. */
int peer_command(const char *command, struct buf *got);
