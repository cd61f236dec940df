#include "test.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TESTS_MAX = 4096, SLOW_S = 2 /* a test that takes longer is told */ };

static struct {
    const char *name;
    test_fn fn;
} tests[TESTS_MAX];
static int test_count;
static int failures_now; /* in the test that runs */
static char dir_now[256];

void test_add(const char *name, test_fn fn)
{
    INVARIANT(test_count < TESTS_MAX);
    tests[test_count].name = name;
    tests[test_count++].fn = fn;
}

void test_failed(const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    printf("%s:%d: ", file, line);
    vprintf(fmt, args);
    putchar('\n');
    va_end(args);
    failures_now++;
}

void test_not_ok(const char *file, int line, const char *call, err_t e, const struct diag *d)
{
    char story[1600] = "";
    if (d && d->err == e) diag_format(d, story, sizeof(story));
    test_failed(file, line, "%s answers %s\n%s", call, err_name(e), story);
}

const char *test_dir(void)
{
    if (dir_now[0]) return dir_now;
    const char *where = getenv("SLUICE_TEST_DIR");
    int len = snprintf(dir_now, sizeof(dir_now), "%s/sluice-unit-XXXXXX", where ? where : "/tmp");
    INVARIANT(len < (int)sizeof(dir_now));
    INVARIANT(mkdtemp(dir_now) != NULL);
    return dir_now;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

static void remove_dir_now(void)
{
    if (dir_now[0]) nftw(dir_now, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    dir_now[0] = 0;
}

uint64_t test_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < test_count; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1])) continue;
        failures_now = 0;
        double began = seconds_now();
        tests[i].fn();
        double took = seconds_now() - began;
        if (took >= SLOW_S) printf("%.1f s: %s\n", took, tests[i].name);
        remove_dir_now();
        if (failures_now) printf("FAILED %s\n", tests[i].name);
        failures_now ? failed++ : passed++;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
