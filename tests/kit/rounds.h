/* How often a test goes round: the first number; the second under the sanitizers, which make each
 * several times slower. Both must show what the test is for. */
#pragma once
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_ROUNDS(all, fewer) (fewer)
#else
#define TEST_ROUNDS(all, fewer) (all)
#endif
