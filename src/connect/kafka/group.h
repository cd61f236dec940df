/* connect/kafka/group: a member of a consumer group, by the classic protocol: joins, computes the
 * range assignment when it leads, says that it is alive, commits, leaves.
 *
 * The member speaks only when it is called: between two calls no heartbeat goes out, so a caller
 * that is away longer than the session loses its partitions to the others. Loop: never on one; one
 * thread at a time. Limit: MEMBERS_MAX members that a leader assigns for.
 */
#pragma once
#include "connect/kafka/consumer.h"

enum { MEMBERS_MAX = 10000, MEMBER_TOPICS_MAX = 10000 };

struct kafka_member_options {
    const char *group;
    const char *instance; /* group.instance.id; NULL: none */
    int32_t session_ms;   /* 0: 45 s */
    int32_t rebalance_ms; /* 0: 60 s */
};

struct kafka_member;
MUST_CHECK err_t kafka_member_open(struct kafka_client *k, const struct kafka_member_options *o,
                                   struct kafka_member **out, struct diag *d);
void kafka_member_close(struct kafka_member *m); /* leaves, when it is in; NULL is fine */
/* Joins with these topics and waits for its part: partitions with the group's position in each, -1
 * where it has none. */
MUST_CHECK err_t kafka_member_join(struct kafka_member *m, const struct slice *topics, size_t count,
                                   struct arena *a, struct kafka_spot **spots, size_t *spot_count,
                                   struct diag *d);
/* Says it is alive when it is time to; *again: it has to join again. */
MUST_CHECK err_t kafka_member_beat(struct kafka_member *m, bool *again, struct diag *d);
/* *again: the group went on without us, and nothing is committed. */
MUST_CHECK err_t kafka_member_commit(struct kafka_member *m, const struct kafka_spot *spots,
                                     size_t count, bool *again, struct diag *d);

/* --- also for those who look at a group from outside -------------------------------------------
 */
/* Where a group stands in these partitions (count < 0: all that it has): position -1 for none;
 * unstable ones are waited for when `stable`. */
MUST_CHECK err_t kafka_group_positions(struct kafka_client *k, struct slice group,
                                       struct kafka_spot **spots, int64_t *count, struct arena *a,
                                       struct diag *d);
/* Sets positions without being a member; each spot's error tells. */
MUST_CHECK err_t kafka_group_place(struct kafka_client *k, struct slice group,
                                   struct kafka_spot *spots, size_t count, struct arena *a,
                                   struct diag *d);
/* What a member was given, as DescribeGroups and SyncGroup tell it. Bytes of strangers. */
MUST_CHECK err_t kafka_assignment_read(struct slice bytes, struct arena *a,
                                       struct kafka_spot **spots, size_t *count, struct diag *d);
/* Java's range assignor: members' subscriptions (sorted by member id) and each topic's partitions
 * make their parts; part i belongs to member i. */
struct kafka_subscriber {
    struct slice id, instance;
    struct slice *topics;
    int32_t topic_count;
    struct kafka_spot *part; /* the answer */
    size_t part_count;
};
struct kafka_topic_size {
    struct slice topic;
    int32_t partitions;
};
MUST_CHECK err_t kafka_range_assign(struct kafka_subscriber *members, size_t count,
                                    const struct kafka_topic_size *topics, size_t topic_count,
                                    struct arena *a);
