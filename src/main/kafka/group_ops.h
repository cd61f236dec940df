/* group_ops: consumer groups looked at, moved and taken away, for Kafka's tool and our verb. */
#pragma once
#include "connect/kafka/group.h"
#include "coord/reset.h"
#include "main/kafka/ask.h"

struct listed_group {
    struct slice name, state, type, protocol;
};
/* Of all brokers, by name. */
MUST_CHECK err_t list_groups(struct session *s, struct listed_group **out, size_t *count,
                             struct diag *d);

struct group_member {
    struct slice id, instance, client, host;
    struct kafka_spot *part;
    size_t part_count;
};
struct group_view {
    struct slice name, state, assignor;
    struct kafka_node coordinator;
    struct group_member *members;
    size_t member_count;
};
/* A group that is not there is in the state "Dead". */
MUST_CHECK err_t view_group(struct session *s, struct slice name, struct group_view *out,
                            struct diag *d);

struct group_row {
    struct slice topic;
    int32_t partition;
    int64_t position, end;             /* -1: none, not known */
    const struct group_member *member; /* NULL: nobody reads it */
};
/* Members' partitions first, then where the group stood without anybody reading. */
MUST_CHECK err_t group_rows(struct session *s, const struct group_view *g, struct group_row **out,
                            size_t *count, struct diag *d);
MUST_CHECK err_t delete_group(struct session *s, struct slice name, struct diag *d);
/* Forgets positions; each spot's error tells, *code is the group's. */
MUST_CHECK err_t forget_positions(struct session *s, struct slice name, struct kafka_spot *spots,
                                  size_t count, int16_t *code, struct diag *d);

/* "t" or "t:0,1" for each text; a topic's partitions are looked up. */
MUST_CHECK err_t partitions_of(struct session *s, const char *const *texts, int count,
                               struct kafka_spot **out, size_t *spot_count, struct diag *d);

/* --- where a group shall stand -----------------------------------------------------------------
 */
struct reset {
    enum reset_to to;
    int64_t number;
    void (*warn)(const char *text); /* an offset was outside the log */
};
/* Spots' positions become the new ones. */
MUST_CHECK err_t plan_reset(struct session *s, struct slice group, const struct reset *r,
                            struct kafka_spot *spots, size_t count, struct diag *d);
