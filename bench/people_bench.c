/* How many people a second one core makes, their three digests included. Prints the rate. */
#include "people/people.h"

#include <stdio.h>
#include <time.h>

enum { PAGES = 40, RESULTS = 5000 };

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
    static uint32_t bounds[RESULTS + 1];
    struct buf out = buf_make(64 << 20);
    double start = seconds();
    for (int64_t page = 1; page <= PAGES; page++) {
        buf_reset(&out);
        if (people_page(SLICE("bench"), page, RESULTS, SLICE(""), SLICE(""), 1700000000000,
                        "http://127.0.0.1:8000/api/portraits", &out, bounds))
            return 1;
    }
    printf("%.0f users/s, %zu bytes each\n", PAGES * RESULTS / (seconds() - start),
           out.len / RESULTS);
    buf_done(&out);
    return 0;
}
