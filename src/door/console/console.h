/* door/console: the console's HTTP door: its API below /api/console (routes.def,
 * docs/console-api.md), one stream of live values a tab, the application itself for every other
 * path, and whatever the doors that are mounted here answer (Airflow's API).
 *
 * Never decides anything: it asks and acts by the rooms, with the rights of who is logged in.
 *
 * Loop: the one it is opened on takes requests and gives answers; handlers run on worker threads.
 * Memory: an arena a request; what is live is computed once for all who look. Limit: CONSOLE_*.
 */
#pragma once
#include "exec/exec.h"
#include "exec/report.h"
#include "os/http.h"
#include "sched/dag.h"
#include "sched/meta.h"
#include "users/users.h"

enum {
    CONSOLE_CONNS_MAX = 2048,
    CONSOLE_BODY_MAX = 16 << 20,
    CONSOLE_ANSWER_MAX = 32 << 20,
    CONSOLE_ARENA_MAX = 64 << 20,
    CONSOLE_WAITING_MAX = 1024, /* requests that wait for a worker; one more is answered 503 */
    CONSOLE_WATCHES_MAX = 12,   /* live statements at once; one more is answered 503 */
    CONSOLE_STREAMS_MAX = 1024, /* open live streams */
    CONSOLE_CHANNELS_MAX = 512, /* distinct channels that somebody looks at */
    CONSOLE_LISTENERS_MAX = 4,
    CONSOLE_DOORS_MAX = 12
};
struct alert;
struct coord;
struct console;
struct console_listener {
    int32_t port;        /* 0: any free one; negative: none */
    const char *page;    /* where "/" leads there; NULL: the overview */
    const char *setting; /* its name, for the hint when the port is taken */
    bool must;           /* taken: the start fails; otherwise it is a warning */
};
struct console_word {         /* a command, or a page of `sluice help` */
    const char *name, *about; /* about: NULL for none */
    bool docs;                /* a page of the help */
};
struct console_page { /* of the documentation: docs/NAME.md */
    const char *name;
    struct slice text; /* Markdown; lives as long as the program */
};
struct console_draft { /* a SELECT that is to become a stream or a view */
    struct slice select, name;
    bool view;
    struct slice into; /* a stream's: KEYSPACE.TABLE */
    const struct slice *key;
    uint32_t key_count; /* 0: as it is found */
};
struct console_growth { /* statements for the end of pipeline.sql */
    struct slice text, version, user;
    bool commands; /* who asks may have the server run commands */
};
struct console_spot {  /* where a door listens */
    char address[128]; /* an IP address, or a socket's path */
    uint16_t port;     /* 0: it is a path */
    bool tls;
    const char *setting, *page; /* of its port; where "/" leads there, or NULL */
    struct listener_counts counts;
};
struct console_door {
    const char *name, *about;
    const char *login;         /* "asked for", "not asked for", … */
    bool counts;               /* requests and errors are known */
    uint64_t requests, errors; /* of all its spots */
    uint32_t spot_count;       /* 0: switched off */
    struct console_spot spots[CONSOLE_LISTENERS_MAX];
};
struct console_setting { /* texts: until the next one is asked for, on the same thread */
    const char *key, *value /* secrets masked */, *fallback, *source, *takes, *about;
    bool live; /* takes effect at once */
};
struct console_finding { /* texts: during the call */
    const char *word /* ok, note, problem */, *area, *what, *where, *why, *hint;
    struct slice text;
};
struct console_port { /* what main knows; any thread but where it says */
    void *ctx;
    int64_t (*now_us)(void *ctx);
    void (*facts)(void *ctx, struct report_facts *out); /* the loop's */
    /* Answers a request that belongs to another door; the loop's. NULL: there is none. */
    bool (*other)(void *ctx, struct http_request *r);
    /* Another connection to the workflows' database; NULL: there is none. */
    err_t (*meta)(void *ctx, struct meta **out, struct diag *d);
    uint32_t (*dags)(void *ctx, const struct dag **out, uint32_t max); /* held */
    bool (*word)(void *ctx, uint32_t n, struct console_word *out);     /* false past the last */
    bool (*page)(void *ctx, uint32_t n, struct console_page *out);     /* false past the last */
    struct alert *(*alert)(void *ctx); /* NULL, also the answer: not yet */
    /* The project's files as they are on disk against what runs: JSON; a worker's. NULL: none. */
    err_t (*plan)(void *ctx, struct buf *out, struct diag *d);
    /* The same of pipeline.sql with more statements: a draft of them, the plan, and doing it. */
    err_t (*draft)(void *ctx, const struct console_draft *ask, struct buf *out, struct diag *d);
    err_t (*check)(void *ctx, struct slice text, struct buf *out, struct diag *d);
    err_t (*grow)(void *ctx, const struct console_growth *ask, struct buf *out, struct diag *d);
    uint32_t (*doors)(void *ctx, struct console_door *out, uint32_t max); /* a worker's */
    bool (*setting)(void *ctx, uint32_t n, struct console_setting *out);  /* false past the last */
    /* What is wrong, of machine, files and server; a worker's, takes seconds at most. */
    void (*doctor)(void *ctx, void (*tell)(void *to, const struct console_finding *f), void *to);
};
struct console_options {
    const char *address;
    struct console_listener listeners[CONSOLE_LISTENERS_MAX];
    struct exec_world *world;
    struct users *users;
    struct coord *coord; /* NULL: no Kafka door, so no groups */
    const char *version; /* Sluice's */
    const char *project; /* the folder */
    const char *data;    /* the data directory: the key of the sessions is kept there */
    int64_t session_us;  /* how long one is good without use; 0: 12 hours */
    bool loopback;       /* only this machine can reach it: Host must say so too */
    struct console_port port;
};
MUST_CHECK err_t console_open(struct loop *l, const struct console_options *o, struct console **out,
                              struct diag *d);
/* Who comes with the console's session, for a door that is mounted here. ERR_NOT_FOUND: nobody;
 * ERR_FORBIDDEN: a change without the header that proves the page. The loop's. */
MUST_CHECK err_t console_session_of(struct console *c, struct http_request *r, struct user *out);
/* Before the doors that are mounted. NULL is fine. */
void console_close(struct console *c);
uint16_t console_listens(const struct console *c, uint32_t listener); /* its port; 0: none */
struct http_counts console_counts(const struct console *c, uint32_t listener); /* of one it has */
