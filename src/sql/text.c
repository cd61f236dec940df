#include "sql/text.h"
#include <ctype.h>

size_t utf8_length(struct slice s)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s.len; i++) n += (s.at[i] & 0xc0) != 0x80;
    return n;
}

uint32_t utf8_size(struct slice s)
{
    if (s.len == 0) return 0;
    uint32_t n = 1;
    while (n < s.len && (s.at[n] & 0xc0) == 0x80) n++;
    return n;
}

uint32_t utf8_index(struct slice s, uint64_t n)
{
    uint32_t i = 0;
    for (; i < s.len && n > 0; n--) i += utf8_size(slice_make(s.at + i, s.len - i));
    return i;
}

uint32_t utf8_bad_at(struct slice s)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    for (uint32_t i = 0; i < s.len;) {
        uint8_t c = s.at[i];
        uint32_t n = c < 0x80             ? 1
                     : (c & 0xe0) == 0xc0 ? 2
                     : (c & 0xf0) == 0xe0 ? 3
                     : (c & 0xf8) == 0xf0 ? 4
                                          : 0;
        if (n == 0 || i + n > s.len) return i;
        uint32_t code = n == 1 ? c : c & (0x7fu >> n);
        for (uint32_t k = 1; k < n; k++) {
            if ((s.at[i + k] & 0xc0) != 0x80) return i;
            code = code << 6 | (s.at[i + k] & 0x3f);
        }
        if (code < least[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return i;
        i += n;
    }
    return s.len;
}

size_t slice_find(struct slice hay, struct slice needle, size_t from)
{
    if (from > hay.len) return (size_t)hay.len + 1;
    if (needle.len == 0) return from;
    const uint8_t *p = memmem(hay.at + from, hay.len - from, needle.at, needle.len);
    return p ? (size_t)(p - hay.at) : (size_t)hay.len + 1;
}

static bool same_letter(struct slice a, struct slice b, bool nocase)
{
    return nocase ? slice_equal_nocase(a, b) : slice_equal(a, b);
}

bool text_like(struct slice text, struct slice pattern, bool nocase)
{
    uint32_t t = 0, p = 0;
    uint32_t star = UINT32_MAX, star_text = 0; /* where to go on after the last % */
    while (t < text.len) {
        struct slice rest = slice_make(pattern.at + p, pattern.len - p);
        struct slice letter = slice_make(text.at + t, text.len - t);
        letter.len = utf8_size(letter);
        if (rest.len && rest.at[0] == '%') {
            star = ++p;
            star_text = t;
            continue;
        }
        if (rest.len && rest.at[0] == '_') {
            p++;
            t += letter.len;
            continue;
        }
        uint32_t escape = rest.len > 1 && rest.at[0] == '\\';
        struct slice want = slice_make(rest.at + escape, rest.len - escape);
        want.len = utf8_size(want);
        if (rest.len && same_letter(letter, want, nocase)) {
            p += escape + want.len;
            t += letter.len;
            continue;
        }
        if (star == UINT32_MAX) return false;
        p = star;
        star_text += utf8_size(slice_make(text.at + star_text, text.len - star_text));
        t = star_text;
    }
    while (p < pattern.len && pattern.at[p] == '%') p++;
    return p == pattern.len;
}
