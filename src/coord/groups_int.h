/* groups_int: what the group coordinator's own files share. G1 … are the numbers of docs/groups.md.
 *
 * What a group has committed changes only when its record is on disk (G1), by the same function
 * that reads the record when the coordinators open (G2). Members and generations are memory, as
 * they are in Kafka; a generation's assignments are told when their record is on disk.
 */
#pragma once
#include "coord/coord_int.h"
#include "wire/kafka/kafka.h"

enum {
    MEMBER_ID_TEXT_MAX = 1024,        /* of a client's id in the id that is made from it */
    NEW_MEMBER_JOIN_MS = 5 * 60000,   /* a new member's JoinGroup waits no longer */
    SWEEP_EVERY_MS = 10 * 60000,      /* offsets.retention.check.interval.ms */
    SWEEP_AT_ONCE = 256,              /* groups, before others have their turn */
    RECORDS_BATCH_BYTES = 1 << 20,    /* a larger append is several batches */
    RECORDS_MAX = 64 << 20,           /* of one append */
    SUBSCRIPTION_TOPICS_MAX = 100000, /* of a group */
};

struct groups;
struct group;

/* --- members (groups_member.c) ---------------------------------------------------------------- */
struct member {
    struct coord_timer session;
    struct group *group;
    struct member *next, *prev; /* of the group, in the order they came; not while `pending` */
    struct slice id, instance, client_id, client_host; /* owned; instance null: a dynamic one */
    int32_t session_ms, rebalance_ms;
    struct group_protocol *protocols; /* owned, names and metadata in the same block */
    size_t protocol_count;
    struct slice assignment,
        proposed;            /* owned, null: empty; proposed: while the leader's is being stored */
    struct group_join *join; /* waits */
    struct group_sync *sync; /* waits */
    bool pending;            /* was given an id, and has not joined with it yet */
    bool is_new;             /* has not yet come out of its first rebalance */
    bool sync_missing;       /* its SyncGroup of this generation has not come */
    bool statics_set;        /* the group's table of instances points here */
};

struct group {
    struct slice name;
    int32_t partition;
    enum group_state state, before;
    int64_t state_ms;           /* since when, on the wall; -1: not known */
    struct slice protocol_type; /* owned; null: none, a simple group */
    struct slice protocol;      /* owned; null: none chosen */
    int32_t generation;
    struct member *leader;
    struct member *first, *last;
    struct map *by_id, *by_instance, *supported; /* NULL while empty; supported: name -> votes */
    size_t joined, pending, awaiting, sync_missing;
    struct coord_timer join_timer, sync_timer;
    int32_t delay_ms, delay_left_ms; /* of an initial rebalance */
    bool new_member;                 /* came during it */
    bool storing;                    /* the leader's assignment of this generation is on its way */
    bool on_disk;                    /* there is a GroupMetadata record of it */
    bool gone;                       /* its tombstone is on disk */

    struct map *topics; /* name -> struct group_topic */
    size_t offset_count, pending_count;
    uint64_t ops_begun, ops_done; /* appends of this group */
    struct group_fetch *fetch_first, *fetch_last;
    struct group_delete *deleting; /* waits until no append is out */
};

struct member *member_new(struct group *g, struct slice id, const struct group_join *r);
void member_free(struct groups *s, struct member *m); /* in no group any more */
/* The same protocols, names and bytes, in the same order. */
bool member_matches(const struct member *m, const struct group_protocol *p, size_t count);
MUST_CHECK err_t member_set_protocols(struct member *m, const struct group_protocol *p,
                                      size_t count);
struct slice member_metadata(const struct member *m, struct slice protocol); /* null: it has not */

/* Both kinds: a member that has joined, or one that has an id only. */
struct member *group_find(const struct group *g, struct slice id);         /* joined; NULL: none */
struct member *group_pending(const struct group *g, struct slice id);      /* not yet; NULL: none */
struct member *group_static(const struct group *g, struct slice instance); /* NULL: none */
MUST_CHECK err_t group_add_pending(struct group *g, struct member *m);
MUST_CHECK err_t group_add(struct group *g, struct member *m);
void group_remove(struct groups *s, struct group *g, struct member *m); /* frees it */
/* The member goes on under a new id; whoever waits under the old one is told it is fenced. */
MUST_CHECK err_t group_rename(struct groups *s, struct member *m, struct slice new_id);
MUST_CHECK err_t group_update(struct group *g, struct member *m, const struct group_join *r);
bool group_supports(const struct group *g, struct slice type, const struct group_protocol *p,
                    size_t count);
/* By the members' votes, into `out` (borrowed from a member); there is a member. */
struct slice group_choose(const struct group *g);
int32_t group_rebalance_ms(const struct group *g);
bool group_all_joined(const struct group *g);
void group_to(struct group *g, enum group_state state);
/* ERR_UNKNOWN_MEMBER, ERR_INSTANCE_FENCED. */
MUST_CHECK err_t group_check_member(const struct group *g, struct slice id, struct slice instance,
                                    struct member **out, struct diag *d);
void member_alive(struct groups *s, struct member *m); /* its session begins anew */
void member_alive_for(struct groups *s, struct member *m, int64_t ms);

/* --- joining (groups_join.c) ------------------------------------------------------------------ */
/* Empty strings where the protocol's are null; answers r with `e` for this member id. */
void join_refuse(struct group_join *r, err_t e, struct slice member_id);
void join_answer(struct member *m, bool skip_assignment); /* with what the group is now */
void sync_answer(struct member *m, err_t e);
void rebalance(struct groups *s, struct group *g, const char *why); /* from any state that may */
void rebalance_or_complete(struct groups *s, struct group *g, const char *why);
void complete_if_joined(struct groups *s, struct group *g);
void group_begin_members(struct groups *s, struct group *g); /* after loading: sessions run */

/* --- offsets ---------------------------------------------------------------------------------- */
struct offset {
    int32_t partition, leader_epoch;
    int64_t at, commit_ms, expire_ms; /* expire: -1: by the coordinator's retention */
    int64_t record;                   /* the offset of its record: later ones win */
    struct slice metadata;            /* owned */
};
struct pending_offset {
    struct offset o;
    int64_t producer_id;
    bool stored;  /* a record of it is on disk: `o` */
    uint32_t out; /* records of it that are on their way there */
};
struct group_topic {
    struct slice name;           /* owned */
    struct vec offsets, pending; /* struct offset, struct pending_offset; by partition */
};
/* What waits for one producer's marker in one partition of __consumer_offsets. */
struct txn_offsets {
    int32_t partition;
    int64_t producer_id;
    struct vec groups; /* struct slice, owned: the names of those that have pending offsets of it */
};

struct group_topic *group_topic(const struct group *g, struct slice name); /* NULL: none */
struct group_topic *group_topic_make(struct group *g, struct slice name);  /* NULL: no memory */
void group_topic_drop_if_void(struct group *g, struct group_topic *t);
void *row_insert(struct vec *rows, size_t at); /* a zeroed row there; NULL: no memory */
size_t pending_place(const struct group_topic *t, int32_t partition); /* of the first such row */
struct offset *offset_find(const struct group *g, struct slice topic, int32_t partition);
bool offset_pending(const struct group *g, struct slice topic, int32_t partition);
MUST_CHECK err_t offset_put(struct group *g, struct slice topic, const struct offset *o);
/* The committed one and those that are pending. */
void offset_remove(struct group *g, struct slice topic, int32_t partition);
void group_topics_free(struct group *g);
void group_fetch_again(struct groups *s, struct group *g); /* the first that waits */
/* Kafka's answers for records that could not be written. */
err_t commit_append_error(err_t e);
struct offset offset_of_row(const struct group_commit *r, const struct group_offset *row,
                            int64_t now_ms);
/* The rows that are neither wrong nor refused by the caller, as records; how many. */
size_t commit_records(struct groups *s, struct group *g, struct group_commit *r);
void commit_run(struct coord *c, struct coord_request *head);
void commit_end(struct group_commit *r, err_t e);
/* offsets_txn.c */
MUST_CHECK err_t pending_put(struct groups *s, struct group *g, int64_t producer_id,
                             struct slice topic, const struct offset *o);
void pending_end(struct groups *s, int32_t partition, int64_t producer_id, bool commit);
void commit_in_txn(struct groups *s, struct group *g, struct group_commit *r);
void txn_offsets_free(struct groups *s);

/* --- the coordinator -------------------------------------------------------------------------- */
struct groups {
    struct coord *c;
    struct log_topic *topic; /* NULL: not made yet */
    int32_t partitions;      /* of it, as opening found it: groups must not move */
    struct map *by_name;
    struct map *txns; /* struct txn_offsets by partition and producer */
    struct coord_timer sweep;
    size_t sweep_at;
    bool stopping;
    /* the records that are being put together (groups_record.c) */
    struct record_builder builder;
    struct buf key, value, batches;
    struct record_batch_options batch_options;
    err_t records_err;
    struct arena *scratch; /* of one step */
    uint64_t skipped;      /* records that are none of ours */
};
MUST_CHECK err_t groups_new(struct coord *c, struct diag *d); /* c->groups, with nothing in it */
struct group *groups_find(const struct groups *s, struct slice name); /* NULL: none */
struct group *groups_make(struct groups *s, struct slice name);       /* NULL: no memory, or full */
void groups_drop(struct groups *s, struct group *g);                  /* frees it */
/* It is nothing any more, and no record says that it was: goes without a tombstone. */
void groups_drop_if_void(struct groups *s, struct group *g);

/* --- records (groups_record.c) ---------------------------------------------------------------- */
struct records_txn {
    int64_t producer_id; /* -1: none */
    int16_t epoch;
};
void records_begin(struct groups *s, const struct records_txn *txn);
void records_offset(struct groups *s, const struct group *g, struct slice topic, int32_t partition,
                    const struct offset *o); /* NULL: its tombstone */
/* `proposed`: with the assignments that the leader proposes. */
void records_group(struct groups *s, const struct group *g, bool proposed);
void records_group_gone(struct groups *s, const struct group *g);
/* What has been put together, in memory of its own. */
MUST_CHECK err_t records_finish(struct groups *s, struct buf *out, struct diag *d);

struct op {
    struct coord_append append;
    struct group *group;
    struct buf batches;
    struct coord_request *request;
    void (*done)(struct groups *s, struct op *op, err_t e); /* the group may be dropped after it */
    int32_t generation;
    struct slice old_id; /* of a static member */
    struct member *old;  /* what it was; in no group */
    struct op_parent *parent;
};
struct op_parent { /* one request, several appends */
    struct coord_request *request;
    size_t left;
    err_t err;
};
/* Appends what has been put together since records_begin. Fails without having begun anything. */
MUST_CHECK err_t op_begin(struct groups *s, struct group *g, struct coord_request *request,
                          void (*done)(struct groups *s, struct op *op, err_t e), struct op **out,
                          struct diag *d);
/* Lets the records of an append be so, as opening would. */
void op_replay(struct groups *s, const struct op *op);

/* One record, as it is read at opening (groups_load.c). ERR_MALFORMED: it is not what it says. */
MUST_CHECK err_t groups_replay(struct groups *s, const struct record_batch *b,
                               const struct record *r, struct diag *d);

/* --- forgetting (groups_forget.c) ------------------------------------------------------------- */
void group_deleting(struct groups *s, struct group *g); /* no append is out any more */
/* NULL: the members' topics are not known, so that all have to be taken for subscribed. */
struct map *group_subscriptions(const struct group *g, bool *known);
void groups_sweep_soon(struct groups *s);
void groups_lost_topics(struct groups *s); /* offsets of topics that are not there any more */

enum { SAID_MAX = 160 };
const char *said(struct slice name, char out[SAID_MAX]); /* a client's text, fit for a log line */
struct slice keep(struct slice s); /* a copy that keep_free gives back; null stays null */
void keep_free(struct slice *s);
bool keep_set(struct slice *kept, struct slice s); /* false: no memory, and nothing changed */
