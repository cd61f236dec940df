/* Topics and partitions by what a request says of them, and what a role may do with them. */
#include "door/kafka/kafka_int.h"
#include "log/log.h"

struct log_topic *topic_of(struct call *c, struct slice name, const struct uuid *id, int16_t *code)
{
    static const struct uuid none;
    bool by_id = id && memcmp(id, &none, sizeof(none)) != 0;
    struct log *log = door_options(c->door)->log;
    struct log_topic *t = by_id ? log_topic_by_id(log, id->at) : log_topic_find(log, name);
    *code = t       ? KAFKA_ERROR_NONE
            : by_id ? KAFKA_ERROR_UNKNOWN_TOPIC_ID
                    : KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    return t;
}

struct log_partition *partition_of(struct call *c, struct slice name, const struct uuid *id,
                                   int32_t index, int16_t *code)
{
    struct log_topic *t = topic_of(c, name, id, code);
    struct log_partition *p = t ? log_partition(t, index) : NULL;
    if (t && !p) *code = KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    return p;
}

/* --- what a role may do ----------------------------------------------------------------------- */

/* AclOperation's numbers. */
enum {
    READ = 1 << 3,
    WRITE = 1 << 4,
    CREATE = 1 << 5,
    DELETE = 1 << 6,
    ALTER = 1 << 7,
    DESCRIBE = 1 << 8,
    CLUSTER_ACTION = 1 << 9,
    DESCRIBE_CONFIGS = 1 << 10,
    ALTER_CONFIGS = 1 << 11,
    IDEMPOTENT_WRITE = 1 << 12
};

/* What each role adds to the one before it: served.def has the same for whole requests. */
static const int32_t topic_bits[] = {
    [ROLE_VIEWER] = READ | DESCRIBE | DESCRIBE_CONFIGS,
    [ROLE_USER] = WRITE | CREATE,
    [ROLE_OP] = DELETE | ALTER | ALTER_CONFIGS,
    [ROLE_ADMIN] = 0,
};
static const int32_t cluster_bits[] = {
    [ROLE_VIEWER] = DESCRIBE | DESCRIBE_CONFIGS,
    [ROLE_USER] = CREATE | IDEMPOTENT_WRITE,
    [ROLE_OP] = ALTER | ALTER_CONFIGS,
    [ROLE_ADMIN] = CLUSTER_ACTION,
};
static const int32_t group_bits[] = {
    [ROLE_VIEWER] = DESCRIBE,
    [ROLE_USER] = READ | DELETE,
    [ROLE_OP] = 0,
    [ROLE_ADMIN] = 0,
};

static int32_t up_to(const int32_t *bits, enum user_role role)
{
    int32_t all = 0;
    for (int r = 0; r <= (int)role; r++) all |= bits[r];
    return all;
}

int32_t topic_operations(enum user_role role)
{
    return up_to(topic_bits, role);
}

int32_t cluster_operations(enum user_role role)
{
    return up_to(cluster_bits, role);
}

int32_t group_operations(enum user_role role)
{
    return up_to(group_bits, role);
}
