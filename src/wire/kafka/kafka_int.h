/* Private to wire/kafka: what the walkers over the tables share. */
#pragma once
#include "wire/kafka/kafka.h"

enum {
    KAFKA_DEPTH_MAX = 8,         /* structs in structs; a test holds the tables to it */
    KAFKA_STRING_MAX = INT16_MAX /* in flexible versions too, as Java has it */
};

/* Any array of the C structs: all of them are a pointer and a count. */
struct __attribute__((may_alias)) kafka_view {
    void *at;
    int32_t count;
};

/* Where in a message: filled from the inside out, as a failure travels up. */
struct kafka_path {
    struct {
        const struct kafka_field *field;
        int32_t index; /* -1: none */
    } at[KAFKA_DEPTH_MAX];
    int depth;
    int32_t index; /* of the element that failed, for the field that holds it */
};

static inline bool kafka_field_in(const struct kafka_field *f, int16_t version)
{
    return version >= f->first && version <= f->last;
}

static inline bool kafka_may_be_null(const struct kafka_field *f, int16_t version)
{
    return f->nullable && version >= f->nullable_first;
}

static inline bool kafka_compact(const struct kafka_field *f, bool flexible)
{
    return flexible && !f->never_compact;
}

static inline void *kafka_pointer(const uint8_t *from) /* what a POINTER field points at */
{
    void *to;
    memcpy(&to, from, sizeof(to));
    return to;
}

void kafka_field_init(const struct kafka_field *f, void *to); /* its default */
size_t kafka_element_size(uint8_t type);                      /* in memory, of a LIST */

/* One more step up from the failure. */
void kafka_path_add(struct kafka_path *p, const struct kafka_field *f);
/* "FetchRequest v12: topics[3].partitions[0].fetch_offset WHY" */
err_t kafka_path_fail(const struct kafka_path *p, const struct kafka_message *m, int16_t version,
                      err_t e, const char *why, struct diag *d);
err_t kafka_version_check(const struct kafka_message *m, int16_t version, struct diag *d);
