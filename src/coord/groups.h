/* coord/groups: consumer groups (Kafka's classic protocol): members, generations, assignments that
 * the leader makes, committed offsets. See coord.h for how requests travel.
 *
 * A request is a struct that begins with its head; the inputs stay the caller's and must live until
 * `done`; answers lie in the head's arena. head.err answers for the request as a whole, an err of a
 * row for that row; err_kafka gives each of them its code. A slice with at == NULL is Kafka's null.
 *
 * Loop: any thread calls, the coordinators' loop answers. Memory: a group about 400 bytes, a member
 * 300 and what it sent (its protocols, its assignment), an offset 64 and its metadata. Limit:
 * GROUPS_MAX, GROUP_MEMBERS_MAX, GROUP_OFFSETS_MAX.
 */
#pragma once
#include "coord/coord.h"

enum {
    GROUPS_MAX = 1 << 20,
    GROUP_MEMBERS_MAX = 1 << 16, /* a group; joined and about to join */
    GROUP_PROTOCOLS_MAX = 256,   /* a member */
    GROUP_OFFSETS_MAX = 1 << 20, /* a group */
    GROUP_METADATA_MAX = 4096,   /* of a committed offset, in UTF-16 units as Kafka counts */
};
#define GROUPS_TOPIC "__consumer_offsets"

enum group_state {
    GROUP_EMPTY,
    GROUP_PREPARING,  /* members join */
    GROUP_COMPLETING, /* the leader assigns */
    GROUP_STABLE,
    GROUP_DEAD, /* being deleted, or never there */
    GROUP_STATES
};
const char *group_state_name(enum group_state s); /* "PreparingRebalance" */

/* --- members ---------------------------------------------------------------------------------- */

struct group_protocol {
    struct slice name, metadata;
};
struct group_join_member { /* what the leader is told */
    struct slice id, instance, metadata;
};
struct group_join {
    struct coord_request head;
    struct slice group, member /* "" at first */, instance, client_id, client_host;
    struct slice protocol_type, reason;
    const struct group_protocol *protocols; /* the member's favourite first */
    size_t protocol_count;
    int32_t session_ms, rebalance_ms;
    bool id_required; /* JoinGroup 4+: a dynamic member joins with the id it was given */
    bool may_skip;    /* JoinGroup 9+: a static leader that comes back need not assign again */
    /* the answer */
    struct slice member_id; /* also with ERR_MEMBER_ID_REQUIRED: the id to join with */
    struct slice protocol_type_chosen, protocol, leader; /* null: none */
    int32_t generation;                                  /* -1: none */
    bool skip_assignment;
    struct group_join_member *members; /* the leader's only */
    size_t member_count;
    struct group_join *next; /* the group's */
};
void group_join(struct coord *c, struct group_join *r);

struct group_assignment {
    struct slice member, assignment;
};
struct group_sync {
    struct coord_request head;
    struct slice group, member, instance, protocol_type, protocol; /* null: not said */
    int32_t generation;
    const struct group_assignment *assignments; /* the leader's */
    size_t assignment_count;
    /* the answer */
    struct slice protocol_type_chosen, protocol_chosen; /* null with an error */
    struct slice assignment;
};
void group_sync(struct coord *c, struct group_sync *r);

struct group_heartbeat {
    struct coord_request head;
    struct slice group, member, instance;
    int32_t generation;
};
void group_heartbeat(struct coord *c, struct group_heartbeat *r);

struct group_leaver {
    struct slice member /* "": by instance */, instance, reason;
    err_t err;
};
struct group_leave {
    struct coord_request head;
    struct slice group;
    struct group_leaver *members;
    size_t member_count;
};
void group_leave(struct coord *c, struct group_leave *r);

/* --- offsets ---------------------------------------------------------------------------------- */

struct group_offset {
    struct slice topic;
    int32_t partition, leader_epoch; /* -1: not known */
    int64_t offset;                  /* -1: none (answers) */
    int64_t commit_ms;               /* when; <= 0: now (OffsetCommit 1 says it) */
    struct slice metadata;           /* null goes in as "" */
    err_t err;                       /* ERR_METADATA_TOO_BIG, ERR_OFFSET_UNSTABLE … */
};

/* OffsetCommit; with a producer id TxnOffsetCommit: then the offsets count when that producer's
 * marker in the group's partition of __consumer_offsets says commit (groups_txn_end), and the
 * partition must have let the producer in (log_txn_admit). Topics are not looked up here:
 * the caller answers ERR_UNKNOWN_TOPIC for those that are not there, and leaves them out (rows
 * whose err is set already are left alone). Streams commit with member "" and generation -1. */
struct group_commit {
    struct coord_request head;
    struct slice group, member /* "": none */, instance;
    int32_t generation;   /* -1: none */
    int64_t retention_ms; /* -1: the coordinator's; OffsetCommit 2 to 4 */
    bool group_not_found; /* OffsetCommit 9+: ERR_UNKNOWN_GROUP where older ones say ERR_GENERATION
                           */
    bool stream;          /* a stream of this server: members of the same group do not hinder it */
    int64_t producer_id;  /* -1: no transaction */
    int16_t producer_epoch;
    struct group_offset *offsets; /* err is the answer */
    size_t offset_count;
};
void group_commit(struct coord *c, struct group_commit *r);

/* OffsetFetch of one group. `offsets` NULL: all it has; they come ordered by topic and partition.
 * A group that is not there has no offsets; that is no error. */
struct group_fetch {
    struct coord_request head;
    struct slice group, member; /* member null or "": no check, as for the classic protocol */
    bool require_stable;        /* ERR_OFFSET_UNSTABLE where a transaction is open */
    struct group_offset *offsets;
    size_t offset_count;
    struct group_fetch *next; /* the group's, and the next one */
    uint64_t after;
};
void group_fetch(struct coord *c, struct group_fetch *r);

/* OffsetDelete: rows answer ERR_GROUP_SUBSCRIBED; head.err ERR_UNKNOWN_GROUP, ERR_GROUP_NOT_EMPTY.
 */
struct group_delete_offsets {
    struct coord_request head;
    struct slice group;
    struct group_offset *offsets; /* topic, partition; err */
    size_t offset_count;
};
void group_delete_offsets(struct coord *c, struct group_delete_offsets *r);

/* A topic is gone, and with it what groups have committed for it. Answers when that is durable; who
 * deletes topics waits for it before the name may be used again. */
struct group_forget_topic {
    struct coord_request head;
    struct slice topic;
};
void group_forget_topic(struct coord *c, struct group_forget_topic *r);

/* --- groups as wholes ------------------------------------------------------------------------- */

struct group_delete {
    struct coord_request head;
    struct slice group; /* head.err: ERR_UNKNOWN_GROUP, ERR_GROUP_NOT_EMPTY */
};
void group_delete(struct coord *c, struct group_delete *r);

struct group_member_view {
    struct slice id, instance, client_id, client_host, metadata, assignment;
};
/* A group that is not there is described as Dead; head.err is ERR_UNKNOWN_GROUP then, which
 * DescribeGroups tells from version 6 on only. */
struct group_describe {
    struct coord_request head;
    struct slice group;
    /* the answer */
    enum group_state state;
    struct slice protocol_type, protocol; /* "" where there is none */
    struct group_member_view *members;    /* metadata in the state Stable only */
    size_t member_count;
    int32_t generation;
};
void group_describe(struct coord *c, struct group_describe *r);

struct group_listed {
    struct slice group, protocol_type; /* type of protocol: "consumer", "connect", "" */
    enum group_state state;
};
struct group_list {
    struct coord_request head;
    uint32_t states; /* bits 1 << enum group_state; 0: all */
    /* the answer, by name */
    struct group_listed *groups;
    size_t group_count;
};
void group_list(struct coord *c, struct group_list *r);

/* --- for the transaction coordinator: on the coordinators' loop ------------------------------- */

/* Which partition of __consumer_offsets a group's records are in: abs(Java's hashCode) % count. */
int32_t groups_partition_of(struct coord *c, struct slice group);
/* That partition itself; makes the topic when it is not there yet (waits for the disk then). */
MUST_CHECK err_t groups_partition(struct coord *c, struct slice group, struct log_partition **out,
                                  struct diag *d);
/* After the marker of this producer is durable in that partition of __consumer_offsets. */
void groups_txn_end(struct coord *c, int32_t partition, int64_t producer_id, int16_t epoch,
                    bool commit);
