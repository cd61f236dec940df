/* ask: questions that several commands put to a cluster. Answers lie in the session's arena. */
#pragma once
#include "main/kafka/session.h"

/* --- offsets ---------------------------------------------------------------------------------- */
enum { AT_LATEST = -1, AT_EARLIEST = -2, AT_MAX_TIMESTAMP = -3 };
struct place {
    struct slice topic;
    int32_t partition, leader;
    int64_t time; /* asked: AT_LATEST …, or milliseconds */
    /* answered */
    int64_t offset, timestamp; /* -1: none */
    int16_t error;
};
/* Of topics in an answer of metadata, in their order; *count of them. */
MUST_CHECK err_t places_of(struct session *s, const struct kafka_metadata_response *topics,
                           struct place **out, size_t *count, struct diag *d);
/* Asks each leader once for all its partitions; what went wrong with one is its `error`. */
MUST_CHECK err_t ask_offsets(struct session *s, struct place *places, size_t count, struct diag *d);

/* Records before each place's offset go (-1: all); what begins now is told in `offset`. */
MUST_CHECK err_t delete_records(struct session *s, struct place *places, size_t count,
                                struct diag *d);

/* --- topics ----------------------------------------------------------------------------------- */
/* All topics, by name; or these, of which one that is not there is ERR_UNKNOWN_TOPIC. */
MUST_CHECK err_t ask_topics(struct session *s, const char *const *names, int count,
                            struct kafka_metadata_response **out, struct diag *d);

/* --- settings --------------------------------------------------------------------------------- */
enum { OF_TOPIC = 2, OF_BROKER = 4, OF_GROUP = 32, FROM_TOPIC = 1, FROM_DEFAULT = 5 };
MUST_CHECK err_t ask_configs(struct session *s, int8_t type, const struct slice *names,
                             int32_t count, bool synonyms,
                             struct kafka_describe_configs_response **out, struct diag *d);
struct setting {
    int8_t operation; /* 0 set, 1 delete, 2 append, 3 subtract */
    struct slice name, value;
};
MUST_CHECK err_t change_configs(struct session *s, int8_t type, struct slice name,
                                const struct setting *settings, int32_t count, struct diag *d);

/* A topic's id as Kafka prints it: base64 for addresses, 22 characters. */
void put_topic_id(struct buf *out, const struct uuid *id);
