/* What the coordinators stand on: the heap of timers against a plain table, Java's hash against
 * Java's own values, opening and closing with nothing there. */
#include "coord/groups_test_kit.h"

/* --- timers ----------------------------------------------------------------------------------- */

enum { TIMERS = 500 };
struct bell {
    struct coord_timer timer;
    int64_t due_ms; /* the model: -1: off */
    int rung;
};

static void bell_rings(struct coord *c, struct coord_timer *t)
{
    struct bell *b = (struct bell *)(void *)t;
    CHECK_INT(b->due_ms <= coord_mono_ms(), true);
    CHECK(b->due_ms >= 0);
    b->due_ms = -1;
    b->rung++;
    if (b->rung % 3 == 0) { /* a timer may set itself anew */
        b->due_ms = coord_mono_ms() + b->rung;
        coord_timer_set(c, t, b->rung, bell_rings);
    }
}

TEST(timers_ring_when_they_are_due_whatever_was_set_put_off_and_stopped_before)
{
    struct coord c = {.alarm_ms = INT64_MAX};
    static struct bell bells[TIMERS];
    uint64_t random = 42;
    memset(bells, 0, sizeof(bells));
    for (int i = 0; i < TIMERS; i++) bells[i].due_ms = -1;
    clock_fake_set(1000000);
    int rung = 0;
    for (int step = 0; step < 20000; step++) {
        struct bell *b = &bells[test_random(&random) % TIMERS];
        uint64_t what = test_random(&random) % 10;
        if (what < 6) {
            int64_t delay = (int64_t)(test_random(&random) % 1000);
            b->due_ms = coord_mono_ms() + delay;
            coord_timer_set(&c, &b->timer, delay, bell_rings);
        } else if (what < 7) {
            b->due_ms = -1;
            coord_timer_stop(&c, &b->timer);
        } else {
            clock_fake_advance((int64_t)(test_random(&random) % 20));
            coord_timers_run(&c);
            for (int i = 0; i < TIMERS; i++)
                CHECK(bells[i].due_ms < 0 || bells[i].due_ms >= coord_mono_ms() ||
                      bells[i].rung % 3 == 0);
        }
        CHECK(b->timer.on == (b->due_ms >= 0));
    }
    clock_fake_advance(100000);
    for (int i = 0; i < TIMERS * 2; i++) coord_timers_run(&c);
    for (int i = 0; i < TIMERS; i++) rung += bells[i].rung;
    CHECK(rung > 2000);
    clock_fake_set(-1);
}

TEST(a_hundred_thousand_timers_are_put_off_in_place)
{
    enum { MANY = 100000 };
    struct coord c = {.alarm_ms = INT64_MAX};
    struct coord_timer *many = mem_take(MANY * sizeof(*many));
    INVARIANT(many);
    clock_fake_set(1000000);
    for (int i = 0; i < MANY; i++) coord_timer_set(&c, &many[i], 10000 + i % 1000, bell_rings);
    /* Heartbeats: nothing in the heap moves. */
    const struct coord_timer *first = c.timers;
    clock_fake_advance(3000);
    for (int i = 0; i < MANY; i++) coord_timer_set(&c, &many[i], 10000, bell_rings);
    CHECK(c.timers == first);
    clock_fake_advance(8000); /* past the old times, not past the new ones: nobody rings */
    coord_timers_run(&c);
    CHECK(c.timers && c.timers->key_ms > coord_mono_ms());
    for (int i = 0; i < MANY; i++) coord_timer_stop(&c, &many[i]);
    CHECK(c.timers == NULL);
    mem_give(many);
    clock_fake_set(-1);
}

/* --- where a group's records are -------------------------------------------------------------- */

/* "".hashCode() and so on, as java.lang.String answers them. */
TEST(groups_are_spread_by_javas_hash_code)
{
    static const struct {
        const char *text;
        int32_t hash;
    } known[] = {
        {"", 0},
        {"a", 97},
        {"abc", 96354},
        {"hello", 99162322},
        {"Aa", 2112},
        {"BB", 2112},
        {"\xC3\xA9", 233},                          /* é: one unit */
        {"\xF0\x9F\x98\x80", 0xD83D * 31 + 0xDE00}, /* outside the plane: two */
        {"\xFF", 0xFFFD},                           /* no UTF-8 */
    };
    for (size_t i = 0; i < COUNT_OF(known); i++)
        CHECK_INT(coord_partition_of(slice_of(known[i].text), INT32_MAX), known[i].hash);
    /* Its hash is Integer.MIN_VALUE, whose abs is negative: Kafka says 0. */
    CHECK_INT(coord_partition_of(slice_of("polygenelubricants"), 50), 0);
    /* A negative hash: "consumer-group-1".hashCode() is -1006804125 + … computed here by the rule.
     */
    uint32_t h = 0;
    const char *name = "a-rather-long-name-of-a-group";
    for (const char *at = name; *at; at++) h = h * 31 + (uint8_t)*at;
    int64_t want = (int32_t)h < 0 ? -(int64_t)(int32_t)h : (int64_t)h;
    CHECK_INT(coord_partition_of(slice_of(name), 50), want % 50);
}

TEST(metadata_is_counted_in_javas_characters)
{
    CHECK_INT(coord_utf16_length(slice_of("abc")), 3);
    CHECK_INT(coord_utf16_length(slice_of("\xC3\xA9")), 1);
    CHECK_INT(coord_utf16_length(slice_of("\xF0\x9F\x98\x80")), 2);
}

TEST(coordinators_that_nobody_asks_make_no_topic)
{
    struct room t = room_open((struct coord_options){0});
    CHECK(fetched(&t, "nobody", "topic", 0, true) == -1);
    CHECK(state_of(&t, "nobody") == GROUP_DEAD);
    CHECK(log_topic_find(t.log, slice_of(GROUPS_TOPIC)) == NULL);
    room_reopen(&t);
    room_stop(&t);
}
