#include "door/console/topics_kit.h"

err_t topic_named(struct log *l, struct slice name, struct log_topic **out, struct diag *d)
{
    *out = log_topic_find(l, name);
    if (*out) return ERR_OK;
    (void)diag_fail(d, ERR_UNKNOWN_TOPIC, "there is no topic '%.*s'", SLICE_ARG(name));
    return diag_hint(d, "sluice topics list");
}

err_t ask_topic(struct ask *a, struct log_topic **out)
{
    return topic_named(ask_world(a)->log, ask_part(a, "name"), out, &a->d);
}

uint64_t topic_records(struct log_topic *t)
{
    uint64_t n = 0;
    for (int32_t i = 0; i < log_topic_partitions(t); i++) {
        struct log_partition *p = log_partition(t, i);
        n += (uint64_t)MAX(log_end_offset(p) - log_start_offset(p), INT64_C(0));
    }
    return n;
}

uint64_t topic_bytes(struct log_topic *t)
{
    uint64_t n = 0;
    for (int32_t i = 0; i < log_topic_partitions(t); i++)
        n += log_partition_bytes(log_partition(t, i));
    return n;
}

err_t console_coord(struct console *c, struct coord **out, struct diag *d)
{
    *out = c->o.coord;
    if (*out) return ERR_OK;
    (void)diag_fail(d, ERR_UNSUPPORTED, "there are no consumer groups: Kafka's door is closed");
    return diag_hint(d, "kafka.port in sluice.yaml opens it");
}
