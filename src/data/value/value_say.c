#include "data/utf8.h"
#include "data/value/value_int.h"

#include <inttypes.h>

bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint32_t ascii_prefix(struct slice s, uint32_t i)
{
    while (i + 8 <= s.len) {
        uint64_t w;
        memcpy(&w, s.at + i, 8);
        if (w & 0x8080808080808080u) break;
        i += 8;
    }
    while (i < s.len && s.at[i] < 0x80) i++;
    return i;
}

bool ascii_valid(struct slice s, uint32_t *bad_at)
{
    *bad_at = ascii_prefix(s, 0);
    return *bad_at == s.len;
}

/* The bytes of the character at `at`, 0 when it is none (RFC 3629, table of section 4). */
static uint32_t utf8_size(const uint8_t *at, uint32_t left)
{
    uint8_t c = at[0], low = 0x80, high = 0xBF;
    if (c < 0x80) return 1;
    uint32_t n = c >= 0xC2 && c <= 0xDF   ? 2
                 : c >= 0xE0 && c <= 0xEF ? 3
                 : c >= 0xF0 && c <= 0xF4 ? 4
                                          : 0;
    if (n == 0 || n > left) return 0;
    if (c == 0xE0) low = 0xA0;  /* longer than needed */
    if (c == 0xED) high = 0x9F; /* surrogates */
    if (c == 0xF0) low = 0x90;
    if (c == 0xF4) high = 0x8F; /* past U+10FFFF */
    if (at[1] < low || at[1] > high) return 0;
    for (uint32_t i = 2; i < n; i++)
        if ((at[i] & 0xC0) != 0x80) return 0;
    return n;
}

bool utf8_valid(struct slice s, uint32_t *bad_at)
{
    for (uint32_t i = ascii_prefix(s, 0); i < s.len; i = ascii_prefix(s, i)) {
        uint32_t n = utf8_size(s.at + i, s.len - i);
        *bad_at = i;
        if (n == 0) return false;
        i += n;
    }
    return true;
}

uint32_t utf8_put(uint8_t *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (uint8_t)c;
        return 1;
    }
    uint32_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (uint32_t i = n - 1; i > 0; i--, c >>= 6) to[i] = (uint8_t)(0x80 | (c & 0x3F));
    to[0] = (uint8_t)((0xF00 >> n) | c);
    return n;
}

struct shown show_text(struct slice text)
{
    struct shown out;
    size_t n = 0;
    uint32_t i = 0;
    while (i < text.len && n + 8 < sizeof(out.text)) {
        uint32_t size = utf8_size(text.at + i, text.len - i);
        if (size == 0 || text.at[i] < ' ' || text.at[i] == 0x7F) {
            out.text[n++] = '?';
            i++;
            continue;
        }
        memcpy(out.text + n, text.at + i, size);
        n += size;
        i += size;
    }
    const char *end = i < text.len ? "…" : "";
    memcpy(out.text + n, end, strlen(end) + 1);
    return out;
}

const char *type_article(enum type_kind kind)
{
    return strchr("ai", type_kind_name(kind)[0]) ? "an" : "a";
}

static uint32_t characters(struct slice s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.len; i++) n += (s.at[i] & 0xC0) != 0x80;
    return n;
}

err_t text_wrong_because(struct diag *d, const struct type *t, struct slice text, const char *why)
{
    return diag_fail(d, ERR_CAST, "'%s' is not %s %s: %s", show_text(text).text,
                     type_article(t->kind), type_kind_name(t->kind), why);
}

err_t text_wrong(struct diag *d, const struct type *t, struct slice text, uint32_t at)
{
    if (text.len == 0) return text_wrong_because(d, t, text, "it is empty");
    if (at >= text.len) return text_wrong_because(d, t, text, "it ends too early");
    struct slice before = {text.at, at};
    uint32_t size = MAX(utf8_size(text.at + at, text.len - at), 1u);
    return diag_fail(d, ERR_CAST, "'%s' is not %s %s: '%s' at character %u", show_text(text).text,
                     type_article(t->kind), type_kind_name(t->kind),
                     show_text((struct slice){text.at + at, size}).text, characters(before) + 1);
}

static const struct {
    int64_t least, most;
} integer_range[TYPE_KINDS] = {
    [TYPE_TINYINT] = {INT8_MIN, INT8_MAX},   [TYPE_SMALLINT] = {INT16_MIN, INT16_MAX},
    [TYPE_INT] = {INT32_MIN, INT32_MAX},     [TYPE_BIGINT] = {INT64_MIN, INT64_MAX},
    [TYPE_COUNTER] = {INT64_MIN, INT64_MAX}, [TYPE_TIMESTAMP] = {INT64_MIN, INT64_MAX},
};

bool integer_fits(const struct type *t, int64_t v)
{
    return v >= integer_range[t->kind].least && v <= integer_range[t->kind].most;
}

err_t integer_does_not_fit(struct diag *d, const struct type *t, const char *shown)
{
    return diag_fail(d, ERR_RANGE, "%s does not fit %s (%" PRId64 " to %" PRId64 ")", shown,
                     type_kind_name(t->kind), integer_range[t->kind].least,
                     integer_range[t->kind].most);
}

err_t no_room(struct diag *d)
{
    return diag_fail(d, ERR_NO_MEMORY, "no room for a value");
}
