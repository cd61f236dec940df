/* Where tables and topics stand, for schedules after them. */
#include "base/hash.h"
#include "main/server.h"
#include "main/work/work.h"

static struct data_place table_place(struct store *s, struct slice name)
{
    const uint8_t *dot = memchr(name.at, '.', name.len);
    uint32_t len = dot ? (uint32_t)(dot - name.at) : 0;
    if (!s || !len) return (struct data_place){0};
    const struct store_table *t = store_table_find(
        s, slice_make(name.at, len), slice_make(name.at + len + 1, name.len - len - 1));
    return t ? (struct data_place){t->prefix, store_table_written(t)} : (struct data_place){0};
}

/* Records of an open transaction count when it ends: who starts now reads what is committed. */
static struct data_place topic_place(struct log *l, struct slice name)
{
    struct log_topic *t = l ? log_topic_find(l, name) : NULL;
    if (!t) return (struct data_place){0};
    struct data_place p = {hash64(slice_make(log_topic_id(t), 16), 0) | 1, 0};
    for (int32_t i = 0, count = log_topic_partitions(t); i < count; i++)
        p.count += (uint64_t)log_stable_offset(log_partition(t, i));
    return p;
}

struct data_place work_data_at(void *ctx, const struct data_name *n)
{
    const struct working *w = ctx;
    return slice_is(n->kind, "table") ? table_place(w->server->world.store, n->name)
                                      : topic_place(w->server->world.log, n->name);
}
