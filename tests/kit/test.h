/* The unit-test kit: TEST(name) registers itself; CHECKs keep going, so that one run shows every
 * failure. A test's name is a sentence. Run one with `build-checked/unit_ROOM WORD`. */
#pragma once
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*test_fn)(void);
void test_add(const char *name, test_fn fn);
void test_failed(const char *file, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
const char *test_dir(void); /* an empty directory of this test's own, removed after it; in
                             * $SLUICE_TEST_DIR, else in /tmp */
uint64_t test_random(uint64_t *state); /* the same numbers each run: start from a constant */

#define TEST(name)                                                                                 \
    static void test_##name(void);                                                                 \
    __attribute__((constructor)) static void test_add_##name(void)                                 \
    {                                                                                              \
        test_add(#name, test_##name);                                                              \
    }                                                                                              \
    static void test_##name(void)

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond)) test_failed(__FILE__, __LINE__, "not so: %s", #cond);                         \
    } while (0)

#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        int64_t got_ = (int64_t)(got), want_ = (int64_t)(want);                                    \
        if (got_ != want_)                                                                         \
            test_failed(__FILE__, __LINE__, "%s is %" PRId64 ", not %" PRId64, #got, got_, want_); \
    } while (0)

#define CHECK_TEXT(got, want)                                                                      \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        if (strcmp(got_, want_) != 0)                                                              \
            test_failed(__FILE__, __LINE__, "%s is\n  '%s', not\n  '%s'", #got, got_, want_);      \
    } while (0)

#define CHECK_SLICE(got, want)                                                                     \
    do {                                                                                           \
        struct slice got_ = (got);                                                                 \
        const char *want_ = (want);                                                                \
        if (!slice_is(got_, want_))                                                                \
            test_failed(__FILE__, __LINE__, "%s is\n  '%.*s', not\n  '%s'", #got, SLICE_ARG(got_), \
                        want_);                                                                    \
    } while (0)

/* An err_t that must be OK; shows the diag's story otherwise (pass NULL when there is none). */
#define CHECK_OK(call, diag)                                                                       \
    do {                                                                                           \
        err_t err_ = (call);                                                                       \
        if (err_) test_not_ok(__FILE__, __LINE__, #call, err_, (diag));                            \
    } while (0)
#define CHECK_ERR(call, want)                                                                      \
    do {                                                                                           \
        err_t err_ = (call);                                                                       \
        if (err_ != (want))                                                                        \
            test_failed(__FILE__, __LINE__, "%s answers %s, not %s", #call, err_name(err_),        \
                        #want);                                                                    \
    } while (0)

#include "base/err.h"
void test_not_ok(const char *file, int line, const char *call, err_t e, const struct diag *d);
