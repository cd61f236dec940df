/* door/randomuser's parts: the requests (randomuser.c) and the faults (faults.c). */
#pragma once
#include "base/vec.h"
#include "door/randomuser/randomuser.h"
#include "people/people.h"

enum fault_id {
    FAULT_NONE,
#define FAULT(id, name, about) FAULT_##id,
#include "door/randomuser/faults.def"
#undef FAULT
};
enum { LATE_MAX = 32, BODY_MAX = 64 << 20, PORTRAIT_NAMES = 207 };

struct late {                     /* an answer that is not given at once */
    struct randomuser_door *door; /* NULL: this place is free */
    struct http_request *request;
    struct loop_timer *timer;
    struct buf body;
};

struct randomuser_door {
    struct loop *loop;
    struct http_server *http;
    enum fault_id fault; /* for every request */
    uint32_t fault_every;
    bool rate_limit, closing;
    char address[128]; /* "127.0.0.1:8000", for clients that name no host */
    uint64_t asked;    /* requests so far: makes seeds differ */
    /* users a peer's address asked for in this window */
    struct map *peers;
    int64_t window_ms;
    struct buf portraits[3][PORTRAIT_NAMES];
    struct late late[LATE_MAX];
};

/* "drift" or "drift@3"; false: no such fault. `every` is 1 without an @. */
bool fault_parse(struct slice text, enum fault_id *out, uint32_t *every);
/* Answers with the fault. `a` and `body` are the good answer (body is taken over when it waits). */
void fault_reply(struct randomuser_door *door, struct http_request *r, enum fault_id fault,
                 const struct people_answer *a, struct buf *body);
