/* How often a test goes round: the first number; the second under the sanitizers, which make each
 * several times slower. Both must show what the test is for. */
#pragma once
#if defined(__has_feature) /* clang tells its sanitizers so; gcc by the names below */
#define TEST_SANITIZER(feature) __has_feature(feature)
#else
#define TEST_SANITIZER(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    TEST_SANITIZER(address_sanitizer) || TEST_SANITIZER(thread_sanitizer)
#define TEST_ROUNDS(all, fewer) (fewer)
#else
#define TEST_ROUNDS(all, fewer) (all)
#endif
