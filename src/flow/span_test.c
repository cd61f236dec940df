/* Goal: the times of epochs are told honestly: never lower than they were, at most a quarter
 * higher. Method: known times, then random ones against their sorted list. */
#include "flow/flow_int.h"
#include "test.h"

#include <stdlib.h>

TEST(nothing_measured_is_nothing_told)
{
    struct spans s = {0};
    struct flow_span t = spans_tell(&s);
    CHECK_INT(t.epochs, 0);
    CHECK_INT(t.p50_us, 0);
    CHECK_INT(t.p99_us, 0);
    CHECK_INT(t.max_us, 0);
}

TEST(one_slow_epoch_of_a_hundred_is_the_longest_and_not_the_p99)
{
    struct spans s = {0};
    for (int i = 0; i < 99; i++) spans_add(&s, 10000);
    spans_add(&s, 700000);
    struct flow_span t = spans_tell(&s);
    CHECK_INT(t.epochs, 100);
    CHECK(t.p99_us >= 10000 && t.p99_us <= 12500);
    CHECK_INT(t.max_us, 700000);
    spans_add(&s, 700000);
    CHECK_INT(spans_tell(&s).p99_us, 700000);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

TEST(shares_are_never_too_low_and_at_most_a_quarter_too_high)
{
    enum { COUNT = 1000 };
    static int64_t all[COUNT];
    uint64_t seed = 7;
    for (int round = 0; round < 200; round++) {
        struct spans s = {0};
        for (int i = 0; i < COUNT; i++) {
            all[i] = (int64_t)(test_random(&seed) >> (24 + test_random(&seed) % 39));
            spans_add(&s, all[i]);
        }
        qsort(all, COUNT, sizeof(all[0]), compare);
        struct flow_span t = spans_tell(&s);
        int64_t p50 = all[COUNT / 2 - 1], p99 = all[COUNT * 99 / 100 - 1];
        CHECK_INT(t.max_us, all[COUNT - 1]);
        CHECK(t.p50_us >= p50 && t.p50_us <= MAX(p50 + p50 / 4 + 1, (int64_t)5));
        CHECK(t.p99_us >= p99 && t.p99_us <= MAX(p99 + p99 / 4 + 1, (int64_t)5));
    }
}
