/* Texts letter by letter, as Python has them: case, places, parts with steps. */
#include "sched/template_int.h"

#include <locale.h>
#include <wctype.h>

static uint32_t letter_end(struct slice s, uint32_t at)
{
    at++;
    while (at < s.len && (s.at[at] & 0xC0) == 0x80) at++;
    return at;
}

uint32_t template_letters(struct slice s)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < s.len; at = letter_end(s, at)) count++;
    return count;
}

struct slice template_letter(struct slice s, uint32_t index)
{
    uint32_t at = 0;
    while (index-- && at < s.len) at = letter_end(s, at);
    return slice_make(s.at + at, at < s.len ? letter_end(s, at) - at : 0);
}

/* --- case ---------------------------------------------------------------------------------------
 */

/* Of every letter that Unicode has, whatever the process's locale is. */
static locale_t letters_locale(void)
{
    static locale_t made; /* for the process's life; two threads that meet keep one */
    locale_t now = __atomic_load_n(&made, __ATOMIC_ACQUIRE), none = (locale_t)0;
    if (now) return now;
    now = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (!now) now = newlocale(LC_CTYPE_MASK, "C", (locale_t)0);
    if (!__atomic_compare_exchange_n(&made, &none, now, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        if (now) freelocale(now);
        now = none;
    }
    return now;
}

static wint_t decode(struct slice s)
{
    static const uint8_t masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    if (s.len > 4 || !s.len) return 0xFFFD;
    wint_t c = s.at[0] & masks[s.len];
    for (uint32_t i = 1; i < s.len; i++) c = c << 6 | (s.at[i] & 0x3F);
    return c;
}

static void encode(struct buf *out, wint_t c)
{
    if (c < 0x80) {
        buf_char(out, (char)c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t leads[] = {0, 0xC0, 0xE0, 0xF0};
    buf_char(out, (char)(leads[more] | c >> (6 * more)));
    for (int i = more - 1; i >= 0; i--) buf_char(out, (char)(0x80 | (c >> (6 * i) & 0x3F)));
}

/* 't' is Jinja's filter: behind white space and opening signs; 'T' str.title(): behind what is no
 * letter. */
static bool begins_word(char how, wint_t before, locale_t l)
{
    if (how == 'T') return !iswalpha_l(before, l);
    return how == 't' && (iswspace_l(before, l) || (before < 0x80 && strchr("-({[<", (int)before)));
}

err_t template_cased(struct tenv *n, const struct tv *v, char how, struct tv *out)
{
    enum { SHARP_S = 0xDF };
    struct slice s;
    struct buf text = buf_make(TEMPLATE_OUT_MAX);
    locale_t l = letters_locale();
    wint_t before = 0;
    err_t e = l ? tv_as_text(n, v, &s) : template_no_memory(n->d);
    for (uint32_t at = 0, end; !e && at < s.len; at = end) {
        end = letter_end(s, at);
        wint_t c = decode(slice_make(s.at + at, end - at));
        bool up = how == 'u' || (how != 'l' && (at == 0 || begins_word(how, before, l)));
        if (c == SHARP_S && up)
            buf_text(&text, how == 'u' ? "SS" : "Ss");
        else
            encode(&text, up ? towupper_l(c, l) : towlower_l(c, l));
        before = c;
    }
    *out = tv_text(e || text.err ? (struct slice){0} : arena_slice(n->a, buf_view(&text)));
    if (!e && (text.err || (text.len && !out->doc.text.len))) e = template_no_memory(n->d);
    buf_done(&text);
    return e;
}

/* --- parts --------------------------------------------------------------------------------------
 */

static bool place_of(const struct tv *v, int64_t *out)
{
    if (!tv_is(v, DOC_INT)) return false;
    *out = v->doc.number;
    return true;
}

/* Python's slice.indices(): where it begins, before what it ends, for `count` elements. */
static void indices(const struct tv *from, const struct tv *to, int64_t step, int64_t count,
                    int64_t *start, int64_t *end)
{
    int64_t low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1, i;
    *start = step > 0 ? low : high;
    *end = step > 0 ? high : low;
    if (place_of(from, &i)) *start = MAX(low, MIN(high, i < 0 ? i + count : i));
    if (place_of(to, &i)) *end = MAX(low, MIN(high, i < 0 ? i + count : i));
}

static err_t text_part(struct tenv *n, struct slice s, int64_t start, int64_t end, int64_t step,
                       struct tv *out)
{
    uint32_t count = template_letters(s), k = 0;
    uint32_t *at = arena_take(n->a, (count + (size_t)1) * sizeof(*at));
    uint8_t *to = arena_take_raw(n->a, s.len + (size_t)1), *begin = to;
    if (!at || !to) return template_no_memory(n->d);
    for (uint32_t i = 0; i < s.len; i = letter_end(s, i)) at[k++] = i;
    at[count] = s.len;
    for (int64_t i = start; step > 0 ? i < end : i > end; i += step) {
        memcpy(to, s.at + at[i], at[i + 1] - at[i]);
        to += at[i + 1] - at[i];
    }
    *out = tv_text(slice_make(begin, (size_t)(to - begin)));
    return ERR_OK;
}

err_t template_part(struct tenv *n, const struct tv *self, const struct tv *from,
                    const struct tv *to, const struct tv *by, struct tv *out)
{
    int64_t step = 1, start, end;
    bool text = tv_is(self, DOC_TEXT);
    if (!text && !tv_is(self, DOC_LIST))
        return diag_fail(n->d, ERR_TYPE, "template: only texts and lists can be sliced");
    uint32_t count = text ? template_letters(self->doc.text) : self->doc.count, k = 0;
    if (place_of(by, &step) && !step)
        return diag_fail(n->d, ERR_RANGE, "template: a slice's step can not be zero");
    step = MAX(-(int64_t)UINT32_MAX, MIN((int64_t)UINT32_MAX, step)); /* no sum goes over */
    indices(from, to, step, count, &start, &end);
    if (text) return text_part(n, self->doc.text, start, end, step, out);
    struct doc *items = arena_take(n->a, (count + (size_t)1) * sizeof(*items));
    if (!items) return template_no_memory(n->d);
    for (int64_t i = start; step > 0 ? i < end : i > end; i += step)
        items[k++] = self->doc.items[i];
    *out = tv_doc((struct doc){.kind = DOC_LIST, .count = k, .items = items});
    return ERR_OK;
}
