#include "coord/topics.h"

#include "coord/groups.h"
#include "coord/wait.h"

enum { TOPIC_NAME_SIZE = 250 };

/* --- names --------------------------------------------------------------------------------------
 */

struct clash {
    struct slice name;
    char found[TOPIC_NAME_SIZE];
};

static uint8_t metric_letter(uint8_t c)
{
    return c == '.' ? '_' : c;
}

static err_t clash_look(void *ctx, struct log_topic *t)
{
    struct clash *k = ctx;
    struct slice other = log_topic_name(t);
    if (other.len != k->name.len || slice_compare(other, k->name) == 0) return ERR_OK;
    for (uint32_t i = 0; i < other.len; i++)
        if (metric_letter(other.at[i]) != metric_letter(k->name.at[i])) return ERR_OK;
    (void)slice_to_cstr(other, k->found, sizeof(k->found));
    return ERR_EXISTS;
}

err_t topic_collision(struct log *l, struct slice name, struct diag *d)
{
    struct clash k = {.name = name};
    bool dotted = memchr(name.at, '.', name.len) || memchr(name.at, '_', name.len);
    if (!dotted || log_topics(l, clash_look, &k) != ERR_EXISTS) return ERR_OK;
    return diag_fail(d, ERR_TOPIC_NAME, "Topic '%.*s' collides with existing topic: %s",
                     SLICE_ARG(name), k.found);
}

err_t topic_name_check(struct log *l, struct slice name, struct diag *d)
{
    const char *fault = log_topic_name_fault(name);
    if (fault)
        return diag_fail(d, ERR_TOPIC_NAME, "Topic name '%.*s' is invalid: %s",
                         (int)MIN(name.len, 250), (const char *)name.at, fault);
    if (log_topic_find(l, name))
        return diag_fail(d, ERR_EXISTS, "Topic '%.*s' already exists.", SLICE_ARG(name));
    return topic_collision(l, name, d);
}

/* --- making -------------------------------------------------------------------------------------
 */

err_t topic_shape_check(int32_t partitions, int32_t replication, struct diag *d)
{
    if (partitions < 1)
        return diag_fail(d, ERR_PARTITIONS,
                         "Number of partitions was set to an invalid non-positive value.");
    if (replication < -1 || replication == 0)
        return diag_fail(d, ERR_REPLICATION,
                         "Replication factor was set to an invalid non-positive value.");
    if (replication > 1)
        return diag_fail(d, ERR_REPLICATION,
                         "Unable to replicate the partition %d time(s): The target replication "
                         "factor of %d cannot be reached because only 1 broker(s) are registered.",
                         replication, replication);
    return ERR_OK;
}

err_t topic_make(struct log *l, const struct topic_wish *w, struct log_topic **out, struct diag *d)
{
    struct log_topic_config config;
    *out = NULL;
    err_t e = topic_name_check(l, w->name, d);
    if (!e) e = topic_shape_check(w->partitions, w->replication, d);
    for (size_t i = 0; !e && i < w->change_count; i++)
        if (!w->changes[i].value.at)
            e = diag_fail(d, ERR_CONFIG, "Null value not supported for topic configs: %.*s",
                          SLICE_ARG(w->changes[i].name));
    if (!e) e = log_topic_config_parse(w->changes, w->change_count, &config, d);
    if (!e && !w->validate_only) e = log_topic_create(l, w->name, w->partitions, &config, out, d);
    return e;
}

/* --- changing -----------------------------------------------------------------------------------
 */

static err_t changes_check(const struct log_config_change *changes, size_t count, struct diag *d)
{
    struct map *seen = map_new(MAX(count, (size_t)1));
    err_t e = seen ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < count && !e; i++) {
        const struct log_config_change *c = &changes[i];
        if (c->kind != LOG_CONFIG_DELETE && !c->value.at)
            e = diag_fail(d, ERR_USAGE, "Null value not supported for : %.*s", SLICE_ARG(c->name));
        else if (map_get(seen, c->name))
            e = diag_fail(d, ERR_USAGE,
                          "Error due to duplicate config keys: %.*s appears more than once",
                          SLICE_ARG(c->name));
        else
            e = map_set(seen, c->name, seen);
    }
    map_free(seen);
    return e;
}

err_t topic_alter(struct log *l, struct log_topic *t, const struct log_config_change *changes,
                  size_t count, bool replace, bool validate_only, struct diag *d)
{
    if (count > TOPIC_CHANGES_MAX)
        return diag_fail(d, ERR_TOO_BIG, "%zu settings are too many for one change", count);
    err_t e = changes_check(changes, count, d);
    return e ? e : log_topic_alter(l, t, changes, count, replace, validate_only, d);
}

err_t topic_grow(struct log *l, struct log_topic *t, int32_t partitions, bool validate_only,
                 struct diag *d)
{
    int32_t now = log_topic_partitions(t);
    if (log_topic_is_internal(t)) /* a group would move to another partition, its offsets not */
        return diag_fail(d, ERR_POLICY, "The coordinators' own topics keep their partitions.");
    if (partitions == now)
        return diag_fail(d, ERR_PARTITIONS, "Topic already has %d partition(s).", now);
    if (partitions < now)
        return diag_fail(d, ERR_PARTITIONS,
                         "The topic %.*s currently has %d partition(s); %d would not be an "
                         "increase.",
                         SLICE_ARG(log_topic_name(t)), now, partitions);
    return validate_only ? ERR_OK : log_topic_grow(l, t, partitions, d);
}

/* --- deleting -----------------------------------------------------------------------------------
 */

static err_t forget_topic(struct coord *c, struct slice name, struct arena *a, struct diag *d)
{
    struct group_forget_topic r = {.topic = name};
    struct coord_waiting w;
    coord_wait_begin(&w, &r.head, a);
    group_forget_topic(c, &r);
    return coord_wait_end(&w, &r.head, d);
}

err_t topic_delete(struct log *l, struct coord *c, struct log_topic *t, struct arena *a,
                   struct diag *d)
{
    struct slice name = arena_slice(a, log_topic_name(t));
    if (!name.at) return diag_fail(d, ERR_NO_MEMORY, "no memory for a topic's name");
    if (log_topic_is_internal(t))
        return diag_fail(d, ERR_POLICY, "The coordinators' own topics can not be deleted.");
    err_t e = log_topic_delete(l, name, d);
    return e || !c ? e : forget_topic(c, name, a, d);
}

err_t topic_cut(struct log_topic *t, int32_t partition, int64_t before, int64_t *low,
                struct diag *d)
{
    struct log_partition *p = t ? log_partition(t, partition) : NULL;
    *low = -1;
    if (!p)
        return diag_fail(d, ERR_UNKNOWN_TOPIC, "This server does not host this topic-partition.");
    if (!log_topic_config(t).delete)
        return diag_fail(d, ERR_POLICY,
                         "the topic is compacted: each key keeps its last record, none is cut off");
    if (before < -1)
        return diag_fail(d, ERR_OFFSET_RANGE, "offset %lld is none", (long long)before);
    err_t e = log_delete_records(p, before, low, d);
    if (e) *low = -1;
    return e;
}
