/* The keeper's own parts: serve.c runs it, work.c is one command's life, crew.c has the wardens,
 * past.c what an earlier keeper left. */
#pragma once
#include "base/vec.h"
#include "os/keeper_mask.h"
#include "os/keeper_wire.h"

enum watch_kind {
    WATCH_LISTENER,
    WATCH_PEER,
    WATCH_SIGNALS,
    WATCH_REPORT,
    WATCH_OUTPUT,
    WATCH_INPUT
};
struct keeper_work;
struct warden;
struct watch { /* what epoll tells us by */
    enum watch_kind kind;
    int fd; /* -1: closed */
    struct keeper_work *work;
    struct warden *warden; /* of a report */
};
struct warden {
    struct watch report; /* both ways; its work NULL: it is idle */
    int pid;
    struct keeper_child *desk; /* shared with it; the first of desk_used bytes */
    size_t desk_used;
    int64_t idle_since_ms;
};
struct keeper_work {
    char *id;
    struct watch output, input;
    int log;               /* -1: it could not be opened, or written to */
    struct warden *warden; /* NULL: it has none, or is over */
    struct buf input_left; /* what its standard input still gets */
    size_t input_at;
    struct keeper_end end; /* as far as known */
    uint64_t log_max, logged;
    struct buf line, last; /* the line that is being said, and the last whole one */
    uint8_t *tail;         /* a ring of KEEPER_TAIL bytes, from log_max on */
    uint64_t tailed;
    struct keeper_mask mask;
    int64_t kill_at_ms; /* when SIGKILL follows; 0: it was not asked to stop */
    bool tells_start;
    bool over; /* the warden has said how */
    bool ended;
};
enum { ENDS_MAX = 4 << 20 }; /* of DIR/ends before it is written anew */
struct keeping {
    const char *dir;
    int epoll, ends; /* DIR/ends */
    struct watch listener, peer, signals;
    struct buf in, out; /* of the peer */
    struct vec works;   /* of struct keeper_work * */
    struct vec idle;    /* of struct warden *, the longest idle first */
    struct vec parted;  /* of struct warden *: freed when the turn is over */
    int nothing;        /* /dev/null: what commands without input read */
    uint64_t ends_size; /* bytes in DIR/ends: written anew when it is large */
    bool ending;
};
/* ERR_OK: tell the peer what happened by itself. */
void keeping_tell(struct keeping *k, const struct keeper_end *end, enum keeper_says what);
void keeping_note(struct keeping *k, const struct keeper_end *end); /* into DIR/ends */
void keeping_watch(struct keeping *k, struct watch *w, uint32_t events);
void keeping_unwatch(struct keeping *k, struct watch *w);

void work_begin(struct keeping *k, struct cursor *order);
void work_ready(struct keeping *k, struct watch *w);
void work_stop(struct keeping *k, struct keeper_work *w, int64_t grace_ms);
void work_tick(struct keeping *k, struct keeper_work *w,
               int64_t now_ms); /* SIGKILL when it is time */
void work_free(struct keeping *k, struct keeper_work *w);
struct keeper_work *work_find(struct keeping *k, struct slice id);

/* A warden without a command; NULL: there is none, by errno. */
struct warden *crew_take(struct keeping *k);
/* false: it can not take it, by errno. */
bool crew_order(struct warden *w, char *const *argv, char *const *environment,
                const char *directory, int input, int output);
void crew_back(struct keeping *k, struct warden *w); /* its command is over */
void crew_part(struct keeping *k, struct warden *w); /* it has died, or is not wanted */
/* Ends what a killed warden has left to us: each death makes its children ours, and tells. */
void crew_orphans(struct keeping *k);
int crew_rest_ms(const struct keeping *k); /* until one has been idle for long; -1: none will */
void crew_tidy(struct keeping *k);         /* at a turn's end */

/* When a process was born, in ticks since the boot: with the boot it tells whether a number is
 * still the same process's. 0: there is none. */
uint64_t past_born(int pid);
/* Reads DIR/ends, ends what an earlier keeper left running; what is there becomes ended works. */
MUST_CHECK err_t past_load(struct keeping *k, struct diag *d);
MUST_CHECK err_t past_rewrite(struct keeping *k, struct diag *d);
