/* coord/topics: making, changing, growing, emptying and deleting topics, with a broker's checks and
 * words: what every door does, so that each refuses the same in the same way.
 *
 * Loop: any thread that may wait for the disk; topic_delete waits for the coordinators too, so
 * never their own. Memory: TOPIC_CHANGES_MAX names while a change is checked.
 */
#pragma once
#include "coord/coord.h"

enum { TOPIC_CHANGES_MAX = 10000 };

/* Kafka counts '.' and '_' as one in the names of its metrics, and refuses a second such name:
 * ERR_TOPIC_NAME, in its words. The name is sound and not there yet. */
MUST_CHECK err_t topic_collision(struct log *l, struct slice name, struct diag *d);
/* Sound, free, and no other's twin: ERR_TOPIC_NAME, ERR_EXISTS. */
MUST_CHECK err_t topic_name_check(struct log *l, struct slice name, struct diag *d);
struct topic_wish {
    struct slice name;
    int32_t partitions;  /* below 1: ERR_PARTITIONS */
    int32_t replication; /* of this one broker: 1, or -1 for its choice; else ERR_REPLICATION */
    const struct log_config_change *changes; /* from the defaults: LOG_CONFIG_SET only */
    size_t change_count;
    bool validate_only; /* checks all, makes nothing: *out is NULL then */
};
/* partitions and replication alone */
MUST_CHECK err_t topic_shape_check(int32_t partitions, int32_t replication, struct diag *d);
MUST_CHECK err_t topic_make(struct log *l, const struct topic_wish *w, struct log_topic **out,
                            struct diag *d);
/* log_topic_alter, after a look for names that stand twice and values that are missing. */
MUST_CHECK err_t topic_alter(struct log *l, struct log_topic *t,
                             const struct log_config_change *changes, size_t count, bool replace,
                             bool validate_only, struct diag *d);
/* More partitions. ERR_POLICY for the coordinators' own topics, ERR_PARTITIONS. */
MUST_CHECK err_t topic_grow(struct log *l, struct log_topic *t, int32_t partitions,
                            bool validate_only, struct diag *d);
/* What groups have committed for the topic goes with it, before its name can be used again.
 * ERR_POLICY for the coordinators' own topics. `c` NULL: there are no groups. */
MUST_CHECK err_t topic_delete(struct log *l, struct coord *c, struct log_topic *t, struct arena *a,
                              struct diag *d);
/* Records below `before` go (-1: all). *low: where the partition begins then, -1 with an error.
 * ERR_POLICY where compaction keeps each key's last record, ERR_OFFSET_RANGE. */
MUST_CHECK err_t topic_cut(struct log_topic *t, int32_t partition, int64_t before, int64_t *low,
                           struct diag *d);
