/* door/control: how the command line talks to a running server: HTTP on a Unix socket in the data
 * directory, which only its owner can open.
 *
 *   GET  /status[?json=1]        503 when something is wrong, with the same body
 *   POST /sql?format=&keyspace=  the body's statements; rows stream back as text. A preview
 *                                (exec/watch.h) goes on until the peer leaves; &screen=LINES
 *   GET  /logs?room=&level=&follow=1
 *   POST /level?room=&level=     POST /act?name=&what=pause|resume|restart|reset|drop
 *                                … &preview=1: only tells what it would cost
 *   GET  /dead?stage=&json=1&limit=     GET /top
 *   GET  /streams?name=&color=1&json=1&recent=1   503 when a ledger does not balance or one failed
 *   POST /upkeep?what=&table=&name=&format=   of tables and snapshots: upkeep.h
 *   POST /users?what=&name=&role=        users_act; the body is the password
 * A failure answers its story as text, with the HTTP status of err.def.
 *
 * Loop: the one it is opened on; a query runs on a thread of its own, at most QUERIES_MAX at once.
 */
#pragma once
#include "exec/exec.h"
#include "exec/report.h"
#include "os/http.h"
#include "users/users.h"

enum {
    CONTROL_QUERIES_MAX = 8,
    /* In a stream: what follows is the story of a failure. ASCII's record separator, which no text
     * of ours holds. */
    CONTROL_FAILURE_MARK = 0x1e
};
struct control;
struct control_options {
    const char *socket_path;
    struct exec_world *world;
    void (*facts)(void *ctx, struct report_facts *out); /* filled anew for each answer */
    void *ctx;
    void (*wake)(void *ctx); /* POST /wake: the workflows' database has changed; NULL is fine */
    struct users *users;
};
MUST_CHECK err_t control_open(struct loop *l, const struct control_options *o, struct control **out,
                              struct diag *d);
struct http_counts control_counts(const struct control *c); /* any thread */
void control_close(struct control *c);                      /* waits for running queries to stop */
