/* Topics and consumer groups, under the names that kafka_exporter and a broker's JMX exporter give.
 */
#include "door/metrics/figures_int.h"

#include "coord/groups.h"
#include "coord/wait.h"

#include <stdio.h>

enum { GROUPS_TOLD = 10000 };

struct topics_walk {
    struct metrics *m;
    int64_t partitions;
};

static struct slice partition_text(char room[12], int32_t index)
{
    int n = snprintf(room, 12, "%d", index);
    return slice_make(room, (size_t)n);
}

static err_t put_topic(void *ctx, struct log_topic *t)
{
    struct topics_walk *w = ctx;
    struct figures *f = &w->m->figures;
    struct slice labels[2] = {log_topic_name(t)};
    double messages = 0, in = 0, out = 0;
    char number[12];
    for (int32_t i = 0; i < log_topic_partitions(t); i++) {
        const struct log_partition *p = log_partition(t, i);
        struct log_traffic traffic = log_traffic(p);
        double end = (double)log_end_offset(p);
        labels[1] = partition_text(number, i);
        figure(f, FIGURE_K_CURRENT, labels, end);
        figure(f, FIGURE_K_OLDEST, labels, (double)log_start_offset(p));
        figure(f, FIGURE_K_REPLICAS, labels, 1);
        figure(f, FIGURE_K_ISR, labels, 1);
        figure(f, FIGURE_K_UNDER, labels, 0);
        figure(f, FIGURE_J_SIZE, labels, (double)log_partition_bytes(p));
        messages += end;
        in += (double)traffic.bytes_in;
        out += (double)traffic.bytes_out;
    }
    figure(f, FIGURE_K_PARTS, labels, log_topic_partitions(t));
    figure(f, FIGURE_J_MESSAGES, labels, messages);
    figure(f, FIGURE_J_IN, labels, in);
    figure(f, FIGURE_J_OUT, labels, out);
    w->partitions += log_topic_partitions(t);
    return f->parts[FIGURE_K_CURRENT].err;
}

/* --- groups -------------------------------------------------------------------------------------
 */

static void put_sums(struct figures *f, const struct slice *labels, double position, double lag)
{
    figure(f, FIGURE_K_POSITIONS, labels, position);
    figure(f, FIGURE_K_LAGS, labels, lag);
}

/* The offsets come by topic and partition. A topic that is gone has no end: no lag then. */
static void put_positions(struct metrics *m, struct slice group, const struct group_offset *at,
                          size_t count)
{
    struct figures *f = &m->figures;
    struct slice labels[3] = {group};
    double positions = 0, lags = 0;
    char number[12];
    for (size_t i = 0; i < count; i++) {
        struct log_topic *t = log_topic_find(m->o.world->log, at[i].topic);
        const struct log_partition *p = t ? log_partition(t, at[i].partition) : NULL;
        labels[1] = at[i].topic;
        labels[2] = partition_text(number, at[i].partition);
        if (at[i].offset >= 0) {
            figure(f, FIGURE_K_POSITION, labels, (double)at[i].offset);
            positions += (double)at[i].offset;
        }
        if (at[i].offset >= 0 && p) {
            double lag = (double)MAX(log_end_offset(p) - at[i].offset, INT64_C(0));
            figure(f, FIGURE_K_LAG, labels, lag);
            lags += lag;
        }
        if (i + 1 < count && slice_equal(at[i].topic, at[i + 1].topic)) continue;
        put_sums(f, labels, positions, lags);
        positions = lags = 0;
    }
}

static void put_group(struct metrics *m, struct coord *c, struct slice group)
{
    struct group_describe who = {.group = group};
    struct group_fetch where = {.group = group};
    struct coord_waiting wait;
    struct diag d;
    coord_wait_begin(&wait, &who.head, m->arena);
    group_describe(c, &who);
    if (coord_wait_end(&wait, &who.head, &d)) return; /* it is gone meanwhile */
    figure(&m->figures, FIGURE_K_MEMBERS, &group, (double)who.member_count);
    coord_wait_begin(&wait, &where.head, m->arena);
    group_fetch(c, &where);
    if (!coord_wait_end(&wait, &where.head, &d))
        put_positions(m, group, where.offsets, where.offset_count);
}

static void put_groups(struct metrics *m, struct coord *c)
{
    struct group_list all = {.states = 0};
    struct coord_waiting wait;
    struct diag d;
    coord_wait_begin(&wait, &all.head, m->arena);
    group_list(c, &all);
    if (coord_wait_end(&wait, &all.head, &d)) return;
    for (size_t i = 0; i < all.group_count && i < GROUPS_TOLD; i++)
        put_group(m, c, all.groups[i].group);
}

void figures_kafka(struct metrics *m)
{
    struct topics_walk w = {.m = m};
    struct figures *f = &m->figures;
    struct coord *c = m->o.coord(m->o.ctx);
    (void)!log_topics(m->o.world->log, put_topic, &w); /* what failed is the text, which tells it */
    if (!c) return;
    figure(f, FIGURE_K_BROKERS, NULL, 1);
    figure(f, FIGURE_J_PARTS, NULL, (double)w.partitions);
    figure(f, FIGURE_J_LEADERS, NULL, (double)w.partitions);
    figure(f, FIGURE_J_UNDER, NULL, 0);
    figure(f, FIGURE_J_ACTIVE, NULL, 1);
    figure(f, FIGURE_J_OFFLINE, NULL, 0);
    put_groups(m, c);
}
