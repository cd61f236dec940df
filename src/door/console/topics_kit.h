/* console/topics_kit: what the handlers of topics and groups share. */
#pragma once
#include "coord/groups.h"
#include "coord/topics.h"
#include "coord/wait.h"
#include "door/console/console_int.h"

/* The topic that the path names as {name}; ERR_UNKNOWN_TOPIC. */
MUST_CHECK err_t ask_topic(struct ask *a, struct log_topic **out);
MUST_CHECK err_t topic_named(struct log *l, struct slice name, struct log_topic **out,
                             struct diag *d);
uint64_t topic_records(struct log_topic *t); /* by offsets: gaps count */
uint64_t topic_bytes(struct log_topic *t);
/* The coordinators, or ERR_UNSUPPORTED with why there are none. */
MUST_CHECK err_t console_coord(struct console *c, struct coord **out, struct diag *d);

/* Where a group stands in one partition. */
struct group_place {
    struct slice topic;
    int32_t partition;
    int64_t position, first, end; /* -1: none, or the partition is gone */
    struct slice member;          /* its id; {0}: nobody reads it */
};
struct group_look {
    struct group_describe described;
    struct group_place *places; /* by topic and partition */
    size_t count;
    int64_t lag;         /* of all that have a position */
    struct slice stream; /* whose mirror the group is; {0}: no stream's */
    bool known;          /* it is there */
};
/* All of it in `arena`. */
MUST_CHECK err_t group_look_at(struct console *c, struct slice group, struct arena *arena,
                               struct group_look *out, struct diag *d);
/* The groups by name. */
MUST_CHECK err_t group_list_all(struct console *c, struct arena *arena, struct group_listed **out,
                                size_t *count, struct diag *d);
MUST_CHECK err_t put_groups(struct console *c, struct arena *a, struct buf *out, struct diag *d);
MUST_CHECK err_t put_group(struct console *c, struct slice name, struct arena *a, struct buf *out,
                           struct diag *d);
/* sampling.c's: notes how far behind each group is. Waits for the coordinators. */
void groups_note(struct console *c);
