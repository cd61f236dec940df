/* base: the words every room uses. Sees libc and small leaf libraries only. */
#pragma once
#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK             __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define COUNT_OF(a)            (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)              ((a) < (b) ? (a) : (b))
#define MAX(a, b)              ((a) > (b) ? (a) : (b))

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define GIB(n) ((size_t)(n) << 30)

/* A broken promise inside the program: say where and stop, in release builds too. A bad peer, a
 * full disk or a wrong configuration is never a reason for this; those are err_t values. */
#define INVARIANT(cond) ((cond) ? (void)0 : invariant_broken(#cond, __FILE__, __LINE__, __func__))
_Noreturn void invariant_broken(const char *cond, const char *file, int line, const char *func);

/* A borrowed view of bytes. Never owns; never outlives the buffer it points into. */
struct slice {
    const uint8_t *at;
    uint32_t len;
};

static inline struct slice slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, text ? (uint32_t)strlen(text) : 0};
}
static inline struct slice slice_make(const void *at, size_t len)
{
    return (struct slice){(const uint8_t *)at, (uint32_t)len};
}
#define SLICE(literal) ((struct slice){(const uint8_t *)("" literal), sizeof(literal) - 1})

/* For printf: printf("%.*s", SLICE_ARG(s)). */
#define SLICE_ARG(s) (int)(s).len, (const char *)((s).at ? (s).at : (const uint8_t *)"")

static inline bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}
static inline bool slice_is(struct slice a, const char *text)
{
    return slice_equal(a, slice_of(text));
}
bool slice_equal_nocase(struct slice a, struct slice b); /* ASCII letters only */
int slice_compare(struct slice a, struct slice b);       /* bytewise, shorter first: <0, 0, >0 */
bool slice_starts(struct slice s, const char *prefix);
struct slice slice_trim(struct slice s); /* without ASCII white space at both ends */

/* Copies into out[cap], always NUL-terminated; false when it did not fit. */
bool slice_to_cstr(struct slice s, char *out, size_t cap);

/* Whole-string numbers; false when the text is not exactly one, or does not fit. */
bool slice_to_i64(struct slice s, int64_t *out);
bool slice_to_u64(struct slice s, uint64_t *out);
bool slice_to_f64(struct slice s, double *out);

/* The candidate nearest to `word` by edit distance, or NULL when none is near enough to be what
 * the person meant. */
const char *nearest_word(struct slice word, const char *const *candidates, size_t count);
