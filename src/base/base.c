#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void invariant_broken(const char *cond, const char *file, int line, const char *func)
{
    char text[512];
    int n =
        snprintf(text, sizeof(text),
                 "level=fatal msg=\"a promise inside the program is broken\" cond=\"%s\" at=%s:%d "
                 "func=%s\n",
                 cond, file, line, func);
    size_t len = n < 0 ? 0 : MIN((size_t)n, sizeof(text) - 1);
    ssize_t written = write(STDERR_FILENO, text, len);
    (void)written; /* there is no one left to tell */
    abort();
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len) return false;
    for (uint32_t i = 0; i < a.len; i++)
        if (lower(a.at[i]) != lower(b.at[i])) return false;
    return true;
}

int slice_compare(struct slice a, struct slice b)
{
    uint32_t common = MIN(a.len, b.len);
    int c = common ? memcmp(a.at, b.at, common) : 0;
    if (c) return c;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool slice_starts(struct slice s, const char *prefix)
{
    size_t n = strlen(prefix);
    return s.len >= n && memcmp(s.at, prefix, n) == 0;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice slice_trim(struct slice s)
{
    while (s.len && is_space(s.at[0])) s = (struct slice){s.at + 1, s.len - 1};
    while (s.len && is_space(s.at[s.len - 1])) s.len--;
    return s;
}

bool slice_to_cstr(struct slice s, char *out, size_t cap)
{
    size_t n = MIN((size_t)s.len, cap - 1);
    if (n) memcpy(out, s.at, n);
    out[n] = 0;
    return n == s.len;
}

bool slice_to_u64(struct slice s, uint64_t *out)
{
    uint64_t v = 0;
    if (s.len == 0) return false;
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9') return false;
        if (__builtin_mul_overflow(v, 10u, &v) || __builtin_add_overflow(v, s.at[i] - '0', &v))
            return false;
    }
    *out = v;
    return true;
}

bool slice_to_i64(struct slice s, int64_t *out)
{
    bool negative = s.len && s.at[0] == '-';
    uint64_t v = 0;
    if (s.len && (s.at[0] == '-' || s.at[0] == '+')) s = (struct slice){s.at + 1, s.len - 1};
    if (!slice_to_u64(s, &v) || v > (uint64_t)INT64_MAX + negative) return false;
    *out = (int64_t)(negative ? 0 - v : v);
    return true;
}

bool slice_to_f64(struct slice s, double *out)
{
    char text[400]; /* longer than any double needs; longer input is not a number people write */
    char *end = NULL;
    if (s.len == 0 || is_space(s.at[0]) || !slice_to_cstr(s, text, sizeof(text))) return false;
    *out = strtod(text, &end);
    return end == text + s.len;
}

enum { NEAREST_MAX = 64 };

/* Levenshtein's distance, with two swapped neighbours (FORM for FROM) as one mistake; three rows of
 * the table at a time. */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t rows[3][NEAREST_MAX + 1];
    if (a.len > NEAREST_MAX || b.len > NEAREST_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++) rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *higher = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            uint8_t x = lower(a.at[i - 1]), y = lower(b.at[j - 1]);
            row[j] = MIN(above[j - 1] + (x != y), MIN(above[j], row[j - 1]) + 1);
            bool swapped = i > 1 && j > 1 && x == lower(b.at[j - 2]) && lower(a.at[i - 2]) == y;
            if (swapped) row[j] = MIN(row[j], higher[j - 2] + 1);
        }
    }
    return rows[a.len % 3][b.len];
}

const char *nearest_word(struct slice word, const char *const *candidates, size_t count)
{
    const char *best = NULL;
    size_t best_distance = MAX((size_t)1, (size_t)word.len / 3) + 1; /* further is another word */
    for (size_t i = 0; i < count; i++) {
        size_t d = edit_distance(word, slice_of(candidates[i]));
        if (d < best_distance) {
            best = candidates[i];
            best_distance = d;
        }
    }
    return best;
}
