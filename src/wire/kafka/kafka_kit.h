/* For tests: messages of random content, the same ones for the same seed. */
#pragma once
#include "wire/kafka/kafka.h"

struct kafka_kit {
    uint64_t random;     /* the seed, and then the state */
    struct arena *arena; /* of what is made */
};

uint64_t kafka_kit_random(struct kafka_kit *k);
/* Fills every field that the version has with what the version can say; text is valid UTF-8. */
void *kafka_kit_make(struct kafka_kit *k, const struct kafka_message *m, int16_t version);
/* Field by field, those that a version lacks too. */
bool kafka_kit_equal(const struct kafka_struct *s, const void *a, const void *b);
