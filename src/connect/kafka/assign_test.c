/* Goal: our leader shares partitions out as Java's RangeAssignor does, and what a stranger says was
 * assigned is read or refused. Method: the examples of RangeAssignor's own documentation and tests;
 * bytes made by hand. */
#include "connect/kafka/group.h"

#include "test.h"

static struct kafka_subscriber reader(const char *id, const char *instance, struct slice *topics,
                                      int32_t count)
{
    return (struct kafka_subscriber){.id = slice_of(id),
                                     .instance = instance ? slice_of(instance) : (struct slice){0},
                                     .topics = topics,
                                     .topic_count = count};
}

TEST(connect_range_gives_the_first_readers_one_more)
{
    struct arena *a = arena_new(MIB(1));
    struct slice topics[] = {SLICE("t0"), SLICE("t1")};
    struct kafka_topic_size sizes[] = {{SLICE("t0"), 3}, {SLICE("t1"), 3}};
    struct kafka_subscriber m[] = {reader("c1", NULL, topics, 2), reader("c0", NULL, topics, 2)};
    CHECK_INT(kafka_range_assign(m, 2, sizes, 2, a), ERR_OK);
    CHECK_SLICE(m[0].id, "c0"); /* t0p0 t0p1 t1p0 t1p1 */
    CHECK_INT(m[0].part_count, 4);
    CHECK_INT(m[0].part[1].partition, 1);
    CHECK_SLICE(m[0].part[2].topic, "t1");
    CHECK_INT(m[1].part_count, 2); /* t0p2 t1p2 */
    CHECK_INT(m[1].part[0].partition, 2);
    arena_free(a);
}

TEST(connect_range_leaves_out_who_does_not_subscribe)
{
    struct arena *a = arena_new(MIB(1));
    struct slice both[] = {SLICE("t0"), SLICE("t1")};
    struct kafka_topic_size sizes[] = {{SLICE("t0"), 1}, {SLICE("t1"), 5}, {SLICE("none"), 9}};
    struct kafka_subscriber m[] = {reader("a", NULL, both, 1), reader("b", NULL, both, 2),
                                   reader("c", NULL, both + 1, 1)};
    CHECK_INT(kafka_range_assign(m, 3, sizes, 3, a), ERR_OK);
    CHECK_INT(m[0].part_count, 1); /* t0 0 */
    CHECK_INT(m[1].part_count, 3); /* t1 0 1 2: of t0 nothing is left */
    CHECK_INT(m[2].part_count, 2);
    CHECK_INT(m[2].part[0].partition, 3);
    arena_free(a);
}

TEST(connect_range_sorts_static_members_by_their_instance)
{
    struct arena *a = arena_new(MIB(1));
    struct slice topics[] = {SLICE("t")};
    struct kafka_topic_size sizes[] = {{SLICE("t"), 2}};
    struct kafka_subscriber m[] = {reader("a", "two", topics, 1), reader("z", "one", topics, 1)};
    CHECK_INT(kafka_range_assign(m, 2, sizes, 1, a), ERR_OK);
    CHECK_SLICE(m[0].instance, "one");
    CHECK_INT(m[0].part[0].partition, 0);
    arena_free(a);
}

TEST(connect_assignments_of_strangers_are_read_or_refused)
{
    /* version 0, one topic "t" with partitions 4 and 7, no user data */
    static const uint8_t good[] = {0, 0, 0, 0, 0, 1, 0, 1, 't',  0,    0,    0,   2,
                                   0, 0, 0, 4, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff};
    struct arena *a = arena_new(MIB(1));
    struct kafka_spot *spots;
    struct diag d = {0};
    size_t count;
    CHECK_OK(kafka_assignment_read(slice_make(good, sizeof(good)), a, &spots, &count, &d), &d);
    CHECK_INT(count, 2);
    CHECK_SLICE(spots[1].topic, "t");
    CHECK_INT(spots[1].partition, 7);
    CHECK_OK(kafka_assignment_read((struct slice){0}, a, &spots, &count, &d), &d);
    CHECK_INT(count, 0);
    for (size_t len = 1; len + 4 < sizeof(good); len++)
        CHECK(kafka_assignment_read(slice_make(good, len), a, &spots, &count, &d) != ERR_OK);
    arena_free(a);
}
