/* Who reads what: the range assignor, and reading what was assigned. */
#include "connect/kafka/group.h"

#include <stdlib.h>

/* --- the range assignor ----------------------------------------------------------------------- */

static int by_member(const void *a, const void *b)
{
    const struct kafka_subscriber *x = a, *y = b;
    if (x->instance.at && y->instance.at) return slice_compare(x->instance, y->instance);
    if (x->instance.at || y->instance.at) return x->instance.at ? -1 : 1;
    return slice_compare(x->id, y->id);
}

static bool subscribes(const struct kafka_subscriber *s, struct slice topic)
{
    for (int32_t i = 0; i < s->topic_count; i++)
        if (slice_compare(s->topics[i], topic) == 0) return true;
    return false;
}

static err_t give(struct kafka_subscriber *s, struct slice topic, int32_t from, int32_t count,
                  struct arena *a)
{
    size_t old = s->part_count * sizeof(*s->part);
    struct kafka_spot *part = arena_resize(a, s->part, old, old + (size_t)count * sizeof(*s->part));
    if (!part) return ERR_NO_MEMORY;
    s->part = part;
    for (int32_t i = 0; i < count; i++)
        part[s->part_count++] = (struct kafka_spot){
            .topic = topic, .partition = from + i, .position = -1, .leader = -1};
    return ERR_OK;
}

err_t kafka_range_assign(struct kafka_subscriber *members, size_t count,
                         const struct kafka_topic_size *topics, size_t topic_count, struct arena *a)
{
    err_t e = ERR_OK;
    if (count > 1) qsort(members, count, sizeof(*members), by_member);
    for (size_t t = 0; !e && t < topic_count; t++) {
        int32_t readers = 0, at = 0, next = 0;
        for (size_t i = 0; i < count; i++) readers += subscribes(&members[i], topics[t].topic);
        if (readers == 0) continue;
        int32_t each = topics[t].partitions / readers, more = topics[t].partitions % readers;
        for (size_t i = 0; !e && i < count; i++) {
            if (!subscribes(&members[i], topics[t].topic)) continue;
            int32_t n = each + (at++ < more);
            e = give(&members[i], topics[t].topic, next, n, a);
            next += n;
        }
    }
    return e;
}

err_t kafka_assignment_read(struct slice bytes, struct arena *a, struct kafka_spot **spots,
                            size_t *count, struct diag *d)
{
    struct kafka_consumer_protocol_assignment given;
    int16_t version;
    size_t total = 0, n = 0;
    *count = 0;
    *spots = NULL;
    if (bytes.len == 0) return ERR_OK; /* nothing yet */
    err_t e = kafka_decode_versioned(&kafka_consumer_protocol_assignment_message, bytes, a, &given,
                                     &version, d);
    if (e) return e;
    for (int32_t i = 0; i < given.assigned_partitions.count; i++)
        total += (size_t)MAX(given.assigned_partitions.at[i].partitions.count, 0);
    *spots = arena_take(a, (total + 1) * sizeof(**spots));
    if (!*spots) return diag_fail(d, ERR_NO_MEMORY, "no memory for %zu partitions", total);
    for (int32_t i = 0; i < given.assigned_partitions.count; i++)
        for (int32_t k = 0; k < given.assigned_partitions.at[i].partitions.count; k++)
            (*spots)[n++] =
                (struct kafka_spot){.topic = given.assigned_partitions.at[i].topic,
                                    .partition = given.assigned_partitions.at[i].partitions.at[k],
                                    .position = -1,
                                    .leader = -1};
    *count = n;
    return ERR_OK;
}
