/* Goal: the counts are exact whatever comes and goes, and both limits hold.
 * Method: random entries and leaves of few and of many addresses against plain arrays. */
#include "os/crowd.h"

#include "test.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct crowd_address address(const char *text)
{
    struct sockaddr_storage at = {0};
    struct sockaddr_in *v4 = (void *)&at;
    struct sockaddr_in6 *v6 = (void *)&at;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        at.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        at.ss_family = AF_INET6;
    return crowd_address_of(&at);
}

TEST(crowd_limits_all_and_each)
{
    struct crowd *c = NULL;
    struct diag d;
    CHECK_OK(crowd_new(&(struct crowd_options){5, 3}, &c, &d), &d);
    if (!c) return;
    struct crowd_address a = address("10.0.0.1"), b = address("10.0.0.2");
    for (int i = 0; i < 3; i++) CHECK(crowd_enter(c, a));
    CHECK(!crowd_enter(c, a));
    CHECK(!crowd_enter(c, address("::ffff:10.0.0.1"))); /* the same one in another dress */
    CHECK(crowd_enter(c, b) && crowd_enter(c, b));
    CHECK(!crowd_enter(c, b)); /* five in all */
    crowd_leave(c, a);
    CHECK(crowd_enter(c, address("2001:db8::1")));
    crowd_leave(c, address("2001:db8::ffff")); /* of the same network */
    crowd_leave(c, a), crowd_leave(c, a), crowd_leave(c, b), crowd_leave(c, b);
    CHECK_INT(crowd_count(c), 0);
    crowd_free(c);
}

TEST(crowd_counts_as_an_array_would)
{
    enum { ADDRESSES = 1000, STEPS = 200000 };
    static uint8_t counts[ADDRESSES];
    struct crowd *c = NULL;
    struct diag d;
    uint64_t seed = 7;
    uint32_t inside = 0;
    CHECK_OK(crowd_new(&(struct crowd_options){0, 4}, &c, &d), &d);
    if (!c) return;
    for (int i = 0; i < STEPS; i++) {
        uint32_t n = (uint32_t)(test_random(&seed) % ADDRESSES);
        struct crowd_address a = {{(uint8_t)n, (uint8_t)(n >> 8)}};
        bool leaves = counts[n] && test_random(&seed) % 2;
        if (leaves) {
            crowd_leave(c, a);
            counts[n]--;
            inside--;
        } else {
            bool in = crowd_enter(c, a);
            if (in != (counts[n] < 4)) test_failed(__FILE__, __LINE__, "step %d", i);
            counts[n] = (uint8_t)(counts[n] + in);
            inside += in;
        }
    }
    CHECK_INT(crowd_count(c), inside);
    for (uint32_t n = 0; n < ADDRESSES; n++)
        for (; counts[n]; counts[n]--)
            crowd_leave(c, (struct crowd_address){{(uint8_t)n, (uint8_t)(n >> 8)}});
    CHECK_INT(crowd_count(c), 0);
    crowd_free(c);
}
