/* server: a project that runs. Opens log, store and users under one lock on the data directory,
 * makes what the project declares, starts flow and the doors, and ends them in the reverse order.
 *
 * Loop: one, for all doors but Kafka's, which has its own. Memory: mem_limit of memory.budget.
 */
#pragma once
#include "door/control/control.h"
#include "door/metrics/metrics.h"
#include "door/randomuser/randomuser.h"
#include "main/alerts.h"
#include "main/broker.h"
#include "main/cassandra.h"
#include "main/front.h"
#include "main/grow.h"
#include "main/project.h"
#include "main/rest.h"
#include "main/stream_groups.h"
#include "main/work/work.h"
#include "users/users.h"

struct server {
    struct project *project;
    struct exec_world world;
    struct users *users;
    struct loop *loop;
    struct loop_timer *retention, *look;
    struct control *control;
    struct metrics *figures; /* of /metrics, and of alerts */
    struct metrics_door *metrics;
    struct randomuser_door *api;
    struct broker broker;
    struct cassandra cassandra;
    struct stream_groups *stream_groups;
    struct working working; /* of workflows */
    struct rest rest;       /* their API */
    struct front front;     /* the console */
    struct alerts alerts;
    struct growing growing; /* what pipeline.sql has got since the start */
    char workflows[512];    /* how they are, as a line */
    int lock_fd;
    int64_t started_ms, started_ns;
    uint64_t memory_bytes; /* as last measured */
    int64_t memory_at_ns, memory_looked_ns;
    uint64_t memory_pages; /* in use when it was measured */
    bool broken;           /* storage must be opened anew: the supervisor does it */
    int signals;           /* how many asked it to end */
    char command[512];     /* how a person calls this program: "sluice", or its path */
};

/* What holds data without a server: for the commands that work offline. The lock says who else is
 * there. */
MUST_CHECK err_t world_open(struct project *p, bool with_flow, struct exec_world *w,
                            struct diag *d);
/* The same with a flow that tells what its streams have committed. */
MUST_CHECK err_t world_open_telling(struct project *p, struct stream_groups *groups,
                                    struct exec_world *w, struct diag *d);
void world_close(struct exec_world *w);
MUST_CHECK err_t data_lock(struct project *p, int *fd, struct diag *d); /* makes the directory */
/* For who starts: a command that looks at the data of a stopped project, or a server that was
 * killed and is not gone yet, holds it for a moment. Not where another server runs. */
MUST_CHECK err_t data_lock_patiently(struct project *p, int *fd, struct diag *d);

bool address_is_loopback(const char *address);
/* ERR_IN_USE gets the hint that a port's setting is. */
err_t name_setting(err_t e, const char *setting, struct diag *d);

MUST_CHECK err_t server_open(struct project *p, const char *keeper_dir /* NULL: no commands */,
                             struct server *s, struct diag *d);
void server_run(struct server *s);                  /* until a signal */
bool server_storage_failed(const struct server *s); /* it must be opened anew */
void server_close(struct server *s);
void server_facts(void *ctx, struct report_facts *out);
uint64_t server_memory(void); /* PSS as it is now; any thread */
