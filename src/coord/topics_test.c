/* Topics made, changed, grown, cut and deleted with a broker's checks; what groups have committed
 * for a topic goes with it; where a reset puts a group. */
#include "coord/groups.h"
#include "coord/reset.h"
#include "coord/topics.h"
#include "coord/txns_test_kit.h"
#include "coord/wait.h"

static err_t make(struct kit *k, const char *name, int32_t partitions, const char *setting,
                  const char *value, struct diag *d)
{
    struct log_config_change c = {LOG_CONFIG_SET, slice_of(setting),
                                  value ? slice_of(value) : (struct slice){0}};
    struct topic_wish w = {.name = slice_of(name),
                           .partitions = partitions,
                           .replication = 1,
                           .changes = &c,
                           .change_count = *setting != 0};
    struct log_topic *t;
    return topic_make(k->log, &w, &t, d);
}

TEST(a_topic_is_made_when_nothing_speaks_against_it)
{
    struct kit k = kit_open();
    struct diag d = {0};
    CHECK_OK(make(&k, "new.one", 3, "retention.ms", "1000", &d), &d);
    struct log_topic *t = log_topic_find(k.log, SLICE("new.one"));
    CHECK(t && log_topic_partitions(t) == 3 && log_topic_config(t).retention_ms == 1000);
    CHECK_ERR(make(&k, "new.one", 1, "", "", &d), ERR_EXISTS);
    CHECK_ERR(make(&k, "new_one", 1, "", "", &d), ERR_TOPIC_NAME);
    CHECK(strstr(d.what, "collides with existing topic: new.one"));
    CHECK_ERR(make(&k, "a b", 1, "", "", &d), ERR_TOPIC_NAME);
    CHECK_ERR(make(&k, "x", 0, "", "", &d), ERR_PARTITIONS);
    CHECK_ERR(make(&k, "x", 1, "no.such", "1", &d), ERR_CONFIG);
    CHECK_ERR(make(&k, "x", 1, "retention.ms", NULL, &d), ERR_CONFIG);
    CHECK_ERR(topic_shape_check(1, 3, &d), ERR_REPLICATION);
    CHECK_ERR(topic_shape_check(1, 0, &d), ERR_REPLICATION);
    CHECK_OK(topic_shape_check(1, -1, &d), &d);
    struct topic_wish only = {
        .name = SLICE("x"), .partitions = 1, .replication = -1, .validate_only = true};
    CHECK_OK(topic_make(k.log, &only, &t, &d), &d);
    CHECK(!t && !log_topic_find(k.log, SLICE("x")));
    kit_stop(&k);
}

TEST(settings_change_once_each)
{
    struct kit k = kit_open();
    struct diag d = {0};
    struct log_topic *t = log_topic_find(k.log, SLICE("a"));
    struct log_config_change c[] = {{LOG_CONFIG_SET, SLICE("retention.ms"), SLICE("5000")},
                                    {LOG_CONFIG_DELETE, SLICE("retention.ms"), {0}}};
    CHECK_ERR(topic_alter(k.log, t, c, 2, false, false, &d), ERR_USAGE);
    CHECK_OK(topic_alter(k.log, t, c, 1, false, true, &d), &d);
    CHECK(log_topic_config(t).retention_ms != 5000); /* it was only looked at */
    CHECK_OK(topic_alter(k.log, t, c, 1, false, false, &d), &d);
    CHECK_INT(log_topic_config(t).retention_ms, 5000);
    CHECK_OK(topic_alter(k.log, t, c + 1, 1, false, false, &d), &d);
    CHECK(log_topic_config(t).retention_ms != 5000);
    c[0].value = (struct slice){0};
    CHECK_ERR(topic_alter(k.log, t, c, 1, false, false, &d), ERR_USAGE);
    kit_stop(&k);
}

TEST(partitions_only_grow_and_the_coordinators_own_stay)
{
    struct kit k = kit_open();
    struct diag d = {0};
    struct log_topic *t = log_topic_find(k.log, SLICE("a"));
    CHECK_ERR(topic_grow(k.log, t, 2, false, &d), ERR_PARTITIONS);
    CHECK_ERR(topic_grow(k.log, t, 1, false, &d), ERR_PARTITIONS);
    CHECK_OK(topic_grow(k.log, t, 5, true, &d), &d);
    CHECK_INT(log_topic_partitions(t), 2);
    CHECK_OK(topic_grow(k.log, t, 5, false, &d), &d);
    CHECK_INT(log_topic_partitions(t), 5);
    struct log_partition *own;
    struct arena *a = arena_new(MIB(1));
    CHECK_OK(groups_partition(k.c, SLICE("g"), &own, &d), &d);
    struct log_topic *offsets = log_topic_find(k.log, SLICE(GROUPS_TOPIC));
    CHECK_ERR(topic_grow(k.log, offsets, 100, false, &d), ERR_POLICY);
    CHECK_ERR(topic_delete(k.log, k.c, offsets, a, &d), ERR_POLICY);
    arena_free(a);
    kit_stop(&k);
}

static void commit(struct kit *k, struct arena *a, const char *topic, int64_t offset)
{
    struct group_offset row = {.topic = slice_of(topic), .leader_epoch = -1, .offset = offset};
    struct group_commit r = {.group = SLICE("g"),
                             .generation = -1,
                             .retention_ms = -1,
                             .producer_id = -1,
                             .offsets = &row,
                             .offset_count = 1};
    struct coord_waiting w;
    struct diag d = {0};
    coord_wait_begin(&w, &r.head, a);
    group_commit(k->c, &r);
    CHECK_OK(coord_wait_end(&w, &r.head, &d), &d);
    CHECK_OK(row.err, NULL);
}

static size_t positions(struct kit *k, struct arena *a)
{
    struct group_fetch r = {.group = SLICE("g")};
    struct coord_waiting w;
    coord_wait_begin(&w, &r.head, a);
    group_fetch(k->c, &r);
    CHECK_OK(coord_wait_end(&w, &r.head, NULL), NULL);
    return r.offset_count;
}

TEST(a_deleted_topic_takes_what_groups_committed_for_it)
{
    struct kit k = kit_open();
    struct diag d = {0};
    struct arena *a = arena_new(MIB(1));
    commit(&k, a, "a", 7);
    commit(&k, a, "b", 9);
    CHECK_INT(positions(&k, a), 2);
    CHECK_OK(topic_delete(k.log, k.c, log_topic_find(k.log, SLICE("a")), a, &d), &d);
    CHECK(!log_topic_find(k.log, SLICE("a")));
    CHECK_INT(positions(&k, a), 1);
    arena_free(a);
    kit_stop(&k);
}

TEST(records_are_cut_off_where_the_topic_lets_them)
{
    struct kit k = kit_open();
    struct diag d = {0};
    int64_t low;
    struct log_topic *t = log_topic_find(k.log, SLICE("a"));
    CHECK_OK(topic_cut(t, 0, -1, &low, &d), &d);
    CHECK_INT(low, 0);
    CHECK_ERR(topic_cut(t, 0, 1, &low, &d), ERR_OFFSET_RANGE);
    CHECK_ERR(topic_cut(t, 9, 0, &low, &d), ERR_UNKNOWN_TOPIC);
    CHECK_ERR(topic_cut(NULL, 0, 0, &low, &d), ERR_UNKNOWN_TOPIC);
    CHECK_ERR(topic_cut(t, 0, -2, &low, &d), ERR_OFFSET_RANGE);
    CHECK_INT(low, -1);
    struct log_config_change c = {LOG_CONFIG_SET, SLICE("cleanup.policy"), SLICE("compact")};
    CHECK_OK(topic_alter(k.log, t, &c, 1, false, false, &d), &d);
    CHECK_ERR(topic_cut(t, 0, -1, &low, &d), ERR_POLICY);
    kit_stop(&k);
}

TEST(a_reset_stays_within_the_log)
{
    static const struct {
        enum reset_to to;
        int64_t number, at_time, position, wanted, out;
    } rows[] = {
        {RESET_EARLIEST, 0, -1, -1, 10, 10},
        {RESET_LATEST, 0, -1, -1, 90, 90},
        {RESET_CURRENT, 0, -1, 50, 50, 50},
        {RESET_CURRENT, 0, -1, -1, 90, 90},
        {RESET_OFFSET, 5, -1, -1, 5, 10},
        {RESET_OFFSET, 95, -1, -1, 95, 90},
        {RESET_OFFSET, 42, -1, 11, 42, 42},
        {RESET_SHIFT, -5, -1, 50, 45, 45},
        {RESET_SHIFT, -500, -1, 50, -450, 10},
        {RESET_SHIFT, INT64_MAX, -1, 50, INT64_MAX, 90},
        {RESET_SHIFT, INT64_MIN, -1, -0, INT64_MIN, 10},
        {RESET_TIME, 0, 33, -1, 33, 33},
        {RESET_TIME, 0, -1, -1, 90, 90},
        {RESET_PLAN, 77, -1, -1, 77, 77},
    };
    struct diag d = {0};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct reset_bounds b = {10, 90, rows[i].at_time, rows[i].position};
        int64_t wanted, out;
        CHECK_OK(reset_place(rows[i].to, rows[i].number, &b, SLICE("t"), 0, &wanted, &out, &d), &d);
        CHECK_INT(wanted, rows[i].wanted);
        CHECK_INT(out, rows[i].out);
    }
    struct reset_bounds nowhere = {10, 90, -1, -1};
    int64_t wanted, out;
    CHECK_ERR(reset_place(RESET_SHIFT, 1, &nowhere, SLICE("t"), 0, &wanted, &out, &d), ERR_USAGE);
}
