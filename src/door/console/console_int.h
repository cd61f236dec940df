/* console_int: what the files of this door share: a request on its way, what a handler reads and
 * writes, live channels. docs/console-api.md tells how to add a route, a channel, a schema. */
#pragma once
#include "data/doc.h"
#include "door/console/console.h"
#include "door/console/js.h"
#include "door/crew.h"
#include "door/known.h"
#include "door/login_room.h"
#include "door/path.h"
#include "door/token.h"
#include "os/thread.h"

#include <stdatomic.h>

#define CONSOLE_BASE "/api/console"
enum { ASK_PARAMS_MAX = 32, LIVE_CHANNELS_MAX = 32 /* of one stream */ };
enum console_pace {             /* where a handler runs */
                    PACE_LOOP,  /* on the loop: must not wait for anything */
                    PACE_QUICK, /* on a worker: milliseconds */
                    PACE_LONG, /* on a worker of those for what takes seconds: scans, SQL, downloads
                                */
                    PACE_WATCH /* on one of those for what goes on until the caller leaves */
};

struct ask;
struct console_route {
    const char *method, *path; /* below CONSOLE_BASE */
    enum user_role role;
    enum console_pace pace;
    err_t (*run)(struct ask *a);
    const char *name;   /* the operation's: the handler's */
    const char *params; /* "limit=int q=text" */
    const char *body;   /* a schema's name, or "" */
    const char *answer; /* a type of schemas.def; "" nothing; "stream:TYPE" a stream of that type */
    const char *about;
};
extern const struct console_route console_routes[];
extern const uint32_t console_route_count;

struct param {
    struct slice name, value;
};
struct ask { /* a request, from its coming in to its answer */
    struct console *console;
    const struct console_route *route;
    struct arena *arena; /* the ask's own: also good while an answer streams */
    struct user user;    /* who asks; name "" for nobody */
    struct path path;
    struct param params[ASK_PARAMS_MAX];
    uint32_t param_count;
    struct doc body; /* fits the route's schema; DOC_NULL: none */
    struct buf out;  /* the answer */
    int status;      /* 0: 200, or 204 where the route answers nothing */
    struct diag d;   /* what a handler that fails tells */

    /* the door's */
    struct http_request *http; /* the loop's */
    struct crew_job job;
    struct ask *later, **link;
    struct login_guest guest;
    char peer[64], name[USERS_NAME_MAX + 1];
    struct slice password, host;
    uint64_t session; /* its number; 0: none */
    int64_t session_made_us, session_until_us;
    const char *cookie; /* to be set */
    err_t login;
    bool answers_itself; /* a PACE_LOOP handler that answers later … */
    bool over;           /* … or has given the request to somebody else: the ask alone ends */
    struct ask_stream *stream;
};

/* --- what a handler reads (ask.c) ----------------------------------------------------------------
 */
struct exec_world *ask_world(const struct ask *a);
int64_t ask_now_ms(const struct ask *a);
struct slice ask_part(const struct ask *a, const char *name); /* {name} of the route's path */
bool ask_param(const struct ask *a, const char *name, struct slice *out);
struct slice ask_text(const struct ask *a, const char *name); /* {0}: not given */
/* A number of the query, or `fallback`; ERR_RANGE tells the bounds. */
MUST_CHECK err_t ask_int(struct ask *a, const char *name, int64_t fallback, int64_t least,
                         int64_t most, int64_t *out);
bool ask_bool(const struct ask *a, const char *name, bool fallback);
/* The body's fields; what is missing or null: {0}, the fallback, NULL. */
struct slice ask_body_text(const struct ask *a, const char *name);
int64_t ask_body_int(const struct ask *a, const char *name, int64_t fallback);
bool ask_body_bool(const struct ask *a, const char *name, bool fallback);
const struct doc *ask_body(const struct ask *a, const char *name);

/* --- answers that are longer than memory, or have no end: routes with "stream:…" -----------------
 */
/* Sends what is in a->out and empties it; waits while the peer is slow. ERR_STOPPED: it has left,
 * or the server ends. The first one begins the answer: a failure before it is told by its status,
 * one after it as a last line {"error": …}. */
MUST_CHECK err_t ask_send(struct ask *a);
bool ask_stopping(void *ask); /* as query_limits.stopping */
/* Before the first ask_send: the answer is a file of this name, to be kept. */
void ask_attach(struct ask *a, const char *file_name);

void ask_put_error(struct buf *out, err_t e, const struct diag *d); /* {"error": …} */
void ask_put_story(struct buf *out, err_t e, const struct diag *d,
                   const char *role /* the one that is needed; NULL: it is not that */);

/* --- live channels (live.c) ----------------------------------------------------------------------
 * A channel's function is called twice a second while somebody looks, on a worker, once for all.
 */
struct look {
    struct console *console;
    struct slice arg;    /* what stands behind the colon of "topic:users"; "" where nothing does */
    struct arena *arena; /* this call's */
    struct buf out;      /* one JSON value. A STATE is sent when it differs from the last one, a
                          * TAIL always: leave it empty when nothing came */
    void *own;           /* yours, from call to call: mem_take it; … */
    void (*own_free)(void *own); /* … given back by this */
    struct diag d;
};
enum channel_kind { CHANNEL_STATE, CHANNEL_TAIL };
struct console_channel {
    const char *name;
    bool has_arg;
    enum user_role role;
    enum channel_kind kind;
    err_t (*look)(struct look *k);
    const char *answer, *about; /* a type of schemas.def */
};
extern const struct console_channel console_channels[];
extern const uint32_t console_channel_count;
struct exec_world *look_world(const struct look *k);
int64_t look_now_ms(const struct look *k);

/* --- schemas (schema.c) --------------------------------------------------------------------------
 */
struct console_field { /* a row of schemas.def */
    enum { FIELD_SCHEMA, FIELD_MUST, FIELD_MAYBE, FIELD_END } kind;
    const char *name, *type, *about;
};
extern const struct console_field console_fields[];
extern const uint32_t console_field_count;
/* Its own row; its fields follow, up to a FIELD_END. NULL: none. */
const struct console_field *schema_find(struct slice name);
/* A body against its schema: unknown names, missing ones, wrong types. */
MUST_CHECK err_t schema_check(const char *type, const struct doc *v, const char *where,
                              struct diag *d);
/* A query's parameters against a route's. */
MUST_CHECK err_t schema_check_params(const struct ask *a, struct diag *d);
void schema_put_openapi(struct buf *out, const char *version);

/* --- the door's own -----------------------------------------------------------------------------
 */
struct flows;
struct sessions;
struct live;
struct sampling;
struct console {
    struct console_options o;
    struct loop *loop;
    struct http_server *http[CONSOLE_LISTENERS_MAX];
    struct console_entry { /* what a listener's handler is given */
        struct console *console;
        const char *page;
    } entries[CONSOLE_LISTENERS_MAX];
    struct crew *quick, *slow, *lookers, *watchers;
    uint32_t watching;      /* the loop's: requests with the watchers */
    struct gate files_gate; /* one file of the project is written at a time */
    struct login_room *room;
    struct known_logins known; /* the loop's */
    struct sessions *sessions;
    struct live *live;
    struct sampling *sampling;
    struct flows *flows; /* NULL: there are no workflows */
    struct ask *asks;    /* the loop's: all there are */
    struct gate facts_gate;
    struct report_facts facts; /* as of the last second; texts below */
    char facts_workflows[512];
    struct loop_timer *second;
    atomic_bool ending;
};
const struct report_facts *console_facts(struct console *c, struct arena *a); /* any thread */
/* On the loop: a worker takes it, or the loop does. */
void ask_go(struct ask *a);
void ask_answer(struct ask *a);          /* on the loop: it goes out, and the ask ends */
void ask_refuse(struct ask *a, err_t e); /* the same with a->d's story */
void ask_free(struct ask *a);            /* NULL is fine */
void console_headers(struct http_request *r, bool page); /* that every answer has */

/* sessions.c */
MUST_CHECK err_t sessions_open(struct console *c, struct diag *d);
void sessions_close(struct sessions *s);
void session_enter(struct ask *a); /* on the loop: who is it? goes on with ask_go or a refusal */
struct session_held {              /* what a live stream was opened with */
    char name[USERS_NAME_MAX + 1], proof[17]; /* of the password */
    enum user_role role;
    uint64_t number; /* 0: the login came with the request */
    int64_t until_us;
};
/* Is it still good? Not past its time, a logout, another password, or another role: what the stream
 * may show was decided with that one. */
bool session_holds(struct console *c, const struct session_held *s);

/* ask.c: refusals and streams, for door.c */
void ask_put_refusal(struct ask *a, err_t e); /* into a->out */
MUST_CHECK err_t ask_stream_new(struct ask *a);
bool ask_stream_ended(struct ask *a, err_t e); /* on the loop; false: nothing was sent yet */
void ask_stream_free(struct ask *a);

/* sampling.c */
MUST_CHECK err_t sampling_open(struct console *c, struct diag *d);
void sampling_close(struct sampling *s); /* after the lookers' crew */
/* For an area's own numbers: GET /history tells them. Any thread, every two seconds. */
void console_note(struct console *c, const char *part, const char *metric, double value);

/* What was noted last; NaN: nothing, lately. */
double console_last(struct console *c, const char *part, const char *metric);

/* api_streams.c: "ledger": {…} of an open object */
void console_put_ledger(struct buf *out, const struct ledger *l);

/* live.c */
MUST_CHECK err_t live_open(struct console *c, struct diag *d);
void live_stop(struct live *v); /* ends the streams; before the lookers' crew */
void live_close(struct live *v);

/* flows.c: the connection to the workflows' database */
MUST_CHECK err_t flows_open(struct console *c, struct diag *d);
void flows_close(struct flows *f); /* after the lookers' crew; NULL is fine */

/* assets.c: the application's files */
void assets_answer(const struct console_entry *at, struct http_request *r);
bool assets_takes(struct slice accepted, const char *coding); /* Accept-Encoding */

#define ROUTE(method, path, role, pace, handler, params, body, answer, about)                      \
    err_t console_##handler(struct ask *a);
#include "door/console/routes.def"
#undef ROUTE
#define CHANNEL(name, arg, role, kind, looker, answer, about) err_t live_##looker(struct look *k);
#include "door/console/channels.def"
#undef CHANNEL
