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

uint32_t utf8_decode(struct slice s, uint32_t *size)
{
    *size = utf8_size(s);
    uint8_t c = s.at[0];
    uint32_t n = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    if (n != *size) return c;
    uint32_t code = n == 1 ? c : c & (0x7fu >> n);
    for (uint32_t i = 1; i < n; i++) code = code << 6 | (s.at[i] & 0x3f);
    return code;
}

uint32_t utf8_encode(uint32_t code, uint8_t out[4])
{
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    uint32_t n = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (uint32_t i = n - 1; i > 0; i--) {
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (uint8_t)((0xf00u >> n) | code);
    return n;
}

/* Capitals from … to, and how far away their small letters are; 1: every second one is small. */
static const struct {
    uint32_t from, to, distance;
} cases[] = {
    {0xc0, 0xd6, 32},    {0xd8, 0xde, 32},    {0x100, 0x12f, 1},  {0x132, 0x137, 1},
    {0x139, 0x148, 1},   {0x14a, 0x177, 1},   {0x179, 0x17e, 1},  {0x1cd, 0x1dc, 1},
    {0x1de, 0x1ef, 1},   {0x1f8, 0x21f, 1},   {0x222, 0x233, 1},  {0x386, 0x386, 38},
    {0x388, 0x38a, 37},  {0x38c, 0x38c, 64},  {0x38e, 0x38f, 63}, {0x391, 0x3a1, 32},
    {0x3a3, 0x3ab, 32},  {0x400, 0x40f, 80},  {0x410, 0x42f, 32}, {0x460, 0x481, 1},
    {0x48a, 0x4bf, 1},   {0x4c1, 0x4ce, 1},   {0x4d0, 0x52f, 1},  {0x531, 0x556, 48},
    {0x1e00, 0x1e95, 1}, {0x1ea0, 0x1eff, 1},
};

uint32_t code_lower(uint32_t code)
{
    if (code < 0x80) return code >= 'A' && code <= 'Z' ? code + 32 : code;
    if (code == 0x178) return 0xff;
    if (code == 0x1e9e) return 0xdf; /* the capital sharp s; its small one has no simple capital */
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        if (code < cases[i].from || code > cases[i].to) continue;
        if (cases[i].distance > 1) return code + cases[i].distance;
        return (code - cases[i].from) % 2 ? code : code + 1;
    }
    return code;
}

uint32_t code_upper(uint32_t code)
{
    if (code < 0x80) return code >= 'a' && code <= 'z' ? code - 32 : code;
    if (code == 0xff) return 0x178;
    if (code == 0x3c2) return 0x3a3; /* the last sigma of a word */
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint32_t d = cases[i].distance;
        if (d == 1) {
            if (code < cases[i].from || code > cases[i].to) continue;
            return (code - cases[i].from) % 2 ? code - 1 : code;
        }
        if (code >= cases[i].from + d && code <= cases[i].to + d) return code - d;
    }
    return code;
}

static bool same_letter(struct slice a, struct slice b, bool nocase)
{
    if (!nocase) return slice_equal(a, b);
    if (a.len == 0 || b.len == 0) return a.len == b.len;
    uint32_t size;
    return code_lower(utf8_decode(a, &size)) == code_lower(utf8_decode(b, &size));
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
