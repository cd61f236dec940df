#include "base/unit.h"

#include "base/delta.h"

#include <inttypes.h>
#include <stdio.h>

struct unit {
    const char *name;
    int64_t factor;
};

static const struct unit sizes[] = {
    {"B", 1},         {"kB", 1000},     {"MB", 1000000},  {"GB", 1000000000},
    {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", (int64_t)1 << 40}};

/* A number, and how far it reaches; a word may follow. */
static bool leading_number(struct slice text, int64_t *out, struct slice *word)
{
    uint32_t digits = text.len && text.at[0] == '-';
    while (digits < text.len && text.at[digits] >= '0' && text.at[digits] <= '9') digits++;
    *word = slice_trim(slice_make(text.at + digits, text.len - digits));
    return slice_to_i64(slice_make(text.at, digits), out);
}

bool unit_parse_ms(struct slice text, int64_t *out)
{
    struct slice word;
    struct delta v;
    text = slice_trim(text);
    if (leading_number(text, out, &word) && word.len == 0) return true;
    if (!delta_read(text, false, &v) || v.relative || v.us % 1000) return false;
    *out = v.us / 1000;
    return true;
}

bool unit_parse_bytes(struct slice text, int64_t *out)
{
    struct slice word;
    if (!leading_number(slice_trim(text), out, &word)) return false;
    if (word.len == 0) return true;
    for (size_t i = 0; i < COUNT_OF(sizes); i++)
        if (slice_is(word, sizes[i].name))
            return !__builtin_mul_overflow(*out, sizes[i].factor, out);
    return false;
}

void unit_put_bytes(struct buf *out, uint64_t bytes)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        buf_printf(out, "%" PRIu64 " B", bytes);
        return;
    }
    double v = (double)bytes / 1024;
    size_t i = 0;
    while (v >= 1024) {
        v /= 1024;
        i++;
    }
    buf_printf(out, "%.*f %s", v < 100 ? 1 : 0, v, names[i]);
}

void unit_put_ms(struct buf *out, int64_t ms)
{
    int64_t s = ms / 1000;
    if (ms < 1000)
        buf_printf(out, "%" PRId64 " ms", ms);
    else if (s < 60)
        buf_printf(out, "%.1f s", (double)ms / 1000);
    else if (s < 3600)
        buf_printf(out, "%" PRId64 " m %" PRId64 " s", s / 60, s % 60);
    else if (s < 86400)
        buf_printf(out, "%" PRId64 " h %" PRId64 " m", s / 3600, s % 3600 / 60);
    else
        buf_printf(out, "%" PRId64 " d %" PRId64 " h", s / 86400, s % 86400 / 3600);
}

void unit_put_count(struct buf *out, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0) buf_char(out, ',');
        buf_char(out, digits[i]);
    }
}
