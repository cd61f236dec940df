/* topic_ops: topics made, grown and taken away, for Kafka's tool and our verb. */
#pragma once
#include "main/kafka/ask.h"

struct creation {
    struct slice name;
    int32_t partitions;        /* -1: the broker's default */
    int16_t replicas;          /* -1 */
    const int32_t *assignment; /* NULL; partitions of them, one replica each */
    const struct setting *settings;
    int32_t setting_count;
};
/* From --partitions, --replication-factor, --replica-assignment and each --config. */
MUST_CHECK err_t creation_of(struct session *s, const struct args *a, const char *name,
                             struct creation *c, struct diag *d);
MUST_CHECK err_t create_topic(struct session *s, const struct creation *c,
                              struct diag *d); /* ERR_EXISTS */
MUST_CHECK err_t delete_topic(struct session *s, struct slice name, struct diag *d);
MUST_CHECK err_t grow_topic(struct session *s, struct slice name, int32_t partitions,
                            struct diag *d);
/* The whole number of an option; false when it is none. */
bool number_of(const char *text, int64_t *out);
