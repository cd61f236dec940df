/* os/keeper: a small process that runs user commands for a server which may die: it is their
 * parent, reads what they say into their log files, and knows how each ended. A server that comes
 * back finds them as they are.
 *
 * It is forked before the process has threads. Each work has a warden between the keeper and
 * itself: a subreaper, so that whatever the command leaves behind ends with it; a warden that is
 * done gets the next work. How works ended is kept in DIR/ends until the server says that it knows
 * (keeper_forget); a keeper that was killed leaves there who was running, and the next one ends
 * what is left of them.
 *
 * Loop: the client's own; callbacks run on it. Memory: a work's last line, and what of its output
 * goes past log_max: the last KEEPER_TAIL bytes. Limit: KEEPER_* below.
 */
#pragma once
#include "os/loop.h"

enum {
    KEEPER_WORKS_MAX = 4096,
    KEEPER_ID_MAX = 1024,
    KEEPER_MESSAGE_MAX = 8 << 20, /* of an order: its environment and standard input */
    KEEPER_LINE_MAX = 64 << 10,   /* of the last line; a longer one counts as none */
    KEEPER_TAIL = 64 << 10
};

/* Forks it: in a process without threads. It ends what runs, and itself, when this process ends or
 * at keeper_end. DIR is made. */
MUST_CHECK err_t keeper_fork(const char *dir, int *pid, struct diag *d);

enum { KEEPER_HIDDEN_MAX = 4096 };
struct keeper_order {
    struct slice id;         /* the work's name among all; used once */
    const char *const *argv; /* NULL-terminated; argv[0] is looked for in the environment's PATH */
    const char *const *environment;   /* "NAME=value", NULL-terminated */
    const char *directory, *log_path; /* the log is appended to; its folder must be there */
    uint64_t log_max;   /* bytes of output that go into it; what is more: a word, and the end */
    struct slice input; /* its standard input */
    bool tells_start;   /* keeper_hears.started is called */
    const struct slice *hidden; /* secrets that its log shows as "***" */
    uint32_t hidden_count;      /* at most KEEPER_HIDDEN_MAX */
};
struct keeper_end {
    struct slice id;
    bool running;                 /* told at the beginning: it goes on */
    bool lost;                    /* nobody knows: the keeper before was killed while it ran */
    int pid, exit_code;           /* 128 + the signal */
    int stopped;                  /* the signal that keeper_halt sent, 0: none */
    int64_t started_us, ended_us; /* by the wall's clock */
    uint64_t born; /* of its first process, in the kernel's ticks since the boot; 0: not known */
    uint64_t said; /* bytes of output */
    uint32_t left_behind; /* processes that it had left, and that were ended */
    struct slice last_line;
};
struct keeper_hears {
    void *ctx;
    void (*started)(void *ctx, struct slice id, int pid); /* for who asked: tells_start */
    void (*refused)(void *ctx, struct slice id, const struct diag *why); /* it can not run at all */
    void (*ended)(void *ctx, const struct keeper_end *end);
    /* At the beginning: each work that runs, or has ended and was not forgotten; then `known`. */
    void (*found)(void *ctx, const struct keeper_end *end);
    void (*known)(void *ctx);
    void (*gone)(void *ctx); /* the keeper has died: nothing can be started any more */
};
struct keeper;
MUST_CHECK err_t keeper_join(struct loop *l, const char *dir, const struct keeper_hears *hears,
                             struct keeper **out, struct diag *d);
void keeper_leave(struct keeper *k); /* works go on */
MUST_CHECK err_t keeper_run(struct keeper *k, const struct keeper_order *o, struct diag *d);
/* SIGTERM to its process group, SIGKILL after grace_ms to all that is left. */
MUST_CHECK err_t keeper_halt(struct keeper *k, struct slice id, int64_t grace_ms);
MUST_CHECK err_t keeper_forget(struct keeper *k, struct slice id);
/* Stops all and ends; those who ended are found at the next start. */
MUST_CHECK err_t keeper_end(struct keeper *k, int64_t grace_ms);
