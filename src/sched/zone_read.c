/* Reading TZif (RFC 8536, RFC 9636): the 64-bit block of version 2 and later, and the POSIX TZ
 * string behind it. Every count is checked against the bytes that are there. */
#include "base/bytes.h"
#include "sched/zone_int.h"

/* --- the footer ----------------------------------------------------------------------------- */

struct rule_text {
    struct slice text;
    uint32_t i;
    bool bad;
};

static uint8_t peek(const struct rule_text *r)
{
    return r->i < r->text.len ? r->text.at[r->i] : 0;
}

static bool take(struct rule_text *r, char c)
{
    bool found = r->i < r->text.len && r->text.at[r->i] == (uint8_t)c;
    r->i += found;
    return found;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static int32_t take_number(struct rule_text *r, int32_t least, int32_t most)
{
    int32_t v = 0;
    uint32_t from = r->i;
    while (is_digit(peek(r)) && r->i - from < 4) v = v * 10 + (r->text.at[r->i++] - '0');
    if (r->i == from || v < least || v > most) r->bad = true;
    return v;
}

/* [+-]hh[:mm[:ss]] */
static int32_t take_hours(struct rule_text *r, int32_t most)
{
    bool minus = take(r, '-');
    if (!minus) (void)take(r, '+');
    int32_t v = take_number(r, 0, most) * 3600;
    if (take(r, ':')) {
        v += take_number(r, 0, 59) * 60;
        if (take(r, ':')) v += take_number(r, 0, 59);
    }
    return minus ? -v : v;
}

static void take_name(struct rule_text *r, char out[ZONE_ABBREVIATION_MAX])
{
    bool quoted = take(r, '<');
    uint32_t from = r->i;
    for (;; r->i++) {
        uint8_t c = peek(r), letter = c | 0x20;
        bool fits =
            (letter >= 'a' && letter <= 'z') || (quoted && (is_digit(c) || c == '+' || c == '-'));
        if (!fits) break;
    }
    struct slice name = slice_make(r->text.at + from, r->i - from);
    if (name.len < 3 || !slice_to_cstr(name, out, ZONE_ABBREVIATION_MAX)) r->bad = true;
    if (quoted && !take(r, '>')) r->bad = true;
}

static struct zone_when take_when(struct rule_text *r)
{
    struct zone_when w = {.time = 2 * 3600};
    if (take(r, 'M')) {
        w.form = WHEN_WEEKDAY;
        w.month = take_number(r, 1, 12);
        if (!take(r, '.')) r->bad = true;
        w.week = take_number(r, 1, 5);
        if (!take(r, '.')) r->bad = true;
        w.weekday = take_number(r, 0, 6);
    } else if (take(r, 'J')) {
        w.form = WHEN_JULIAN;
        w.day = take_number(r, 1, 365);
    } else {
        w.form = WHEN_DAY;
        w.day = take_number(r, 0, 365);
    }
    if (take(r, '/')) w.time = take_hours(r, 167);
    return w;
}

err_t zone_read_rule(struct slice text, struct zone *z, struct diag *d)
{
    struct rule_text r = {.text = text};
    struct zone_kind standard = {0}, summer = {.summer = true};
    take_name(&r, standard.abbreviation);
    standard.offset = -take_hours(&r, 24); /* POSIX counts westwards */
    bool has_summer = !r.bad && r.i < text.len;
    if (has_summer) {
        take_name(&r, summer.abbreviation);
        summer.offset = peek(&r) == ',' ? standard.offset + 3600 : -take_hours(&r, 24);
        if (!take(&r, ',')) r.bad = true;
        z->begins = take_when(&r);
        if (!take(&r, ',')) r.bad = true;
        z->ends = take_when(&r);
    }
    if (r.bad || r.i < text.len)
        return diag_fail(d, ERR_CORRUPT, "the rule '%.*s' is not POSIX's", SLICE_ARG(text));
    z->kinds[z->kind_count] = standard;
    z->standard = z->kind_count;
    if (has_summer) {
        z->kinds[z->kind_count + 1] = summer;
        z->summer = z->kind_count + 1;
    }
    return ERR_OK;
}

/* --- the file ------------------------------------------------------------------------------- */

struct counts {
    uint32_t is_ut, is_standard, leaps, times, kinds, letters;
    uint8_t version;
};

static struct counts take_header(struct cursor *c)
{
    struct counts n = {0};
    if (!slice_is(cursor_slice(c, 4), "TZif") && !c->err) c->err = ERR_CORRUPT;
    n.version = (uint8_t)cursor_i8(c);
    (void)cursor_slice(c, 15);
    uint32_t *to[] = {&n.is_ut, &n.is_standard, &n.leaps, &n.times, &n.kinds, &n.letters};
    for (size_t i = 0; i < COUNT_OF(to); i++) *to[i] = (uint32_t)cursor_i32(c);
    return n;
}

static uint64_t block_size(struct counts n, uint64_t time_size)
{
    return n.times * (time_size + 1) + n.kinds * (uint64_t)6 + n.letters +
           n.leaps * (time_size + 4) + n.is_standard + (uint64_t)n.is_ut;
}

static err_t take_kinds(struct zone *z, struct cursor *c, struct counts n)
{
    struct cursor kinds = cursor_of(cursor_slice(c, (uint64_t)n.kinds * 6));
    struct slice letters = cursor_slice(c, n.letters);
    for (uint32_t i = 0; i < n.kinds && !kinds.err; i++) {
        struct zone_kind *k = &z->kinds[i];
        k->offset = cursor_i32(&kinds);
        k->summer = cursor_i8(&kinds) != 0;
        uint8_t from = (uint8_t)cursor_i8(&kinds);
        if (k->offset <= -25 * 3600 || k->offset >= 26 * 3600 || from >= letters.len)
            return ERR_CORRUPT;
        const uint8_t *end = memchr(letters.at + from, 0, letters.len - from);
        if (!end) return ERR_CORRUPT;
        struct slice name = slice_make(letters.at + from, (size_t)(end - letters.at) - from);
        if (!slice_to_cstr(name, k->abbreviation, sizeof(k->abbreviation))) return ERR_CORRUPT;
    }
    z->kind_count = (int32_t)n.kinds;
    return kinds.err ? kinds.err : c->err;
}

static err_t take_times(struct zone *z, struct cursor *c, uint32_t count)
{
    if (cursor_left(c) < (uint64_t)count * 9) return ERR_SHORT;
    z->at = mem_take(MAX(count, 1u) * sizeof(*z->at));
    z->to = mem_take(MAX(count, 1u));
    if (!z->at || !z->to) return ERR_NO_MEMORY;
    z->count = count;
    for (uint32_t i = 0; i < count; i++) {
        z->at[i] = cursor_i64(c);
        /* Times stay where sums with offsets can not overflow; the first may stand for "ever". */
        if (z->at[i] < -((int64_t)1 << 59) && i == 0) z->at[i] = -((int64_t)1 << 59);
        if ((i && z->at[i] <= z->at[i - 1]) || z->at[i] > (int64_t)1 << 50) return ERR_CORRUPT;
    }
    for (uint32_t i = 0; i < count; i++) z->to[i] = (uint8_t)cursor_i8(c);
    return c->err;
}

static err_t take_footer(struct zone *z, struct cursor *c, struct diag *d)
{
    if (cursor_i8(c) != '\n') return c->err ? c->err : ERR_CORRUPT;
    struct slice rest = slice_make(c->at, cursor_left(c));
    const uint8_t *end = rest.len ? memchr(rest.at, '\n', rest.len) : NULL;
    if (!end) return ERR_SHORT;
    struct slice rule = slice_make(rest.at, (size_t)(end - rest.at));
    return rule.len ? zone_read_rule(rule, z, d) : ERR_OK;
}

static err_t take_all(struct zone *z, struct slice file, struct diag *d)
{
    struct cursor c = cursor_of(file);
    struct counts n = take_header(&c);
    if (c.err) return c.err;
    if (n.version < '2') return ERR_UNSUPPORTED;
    (void)cursor_slice(&c, block_size(n, 4)); /* what version 1 could say */
    n = take_header(&c);
    if (c.err) return c.err;
    if (n.times > ZONE_TIMES_MAX || n.kinds > ZONE_KINDS_MAX || !n.kinds || n.letters > KIB(4))
        return ERR_CORRUPT;
    if (n.leaps) return ERR_UNSUPPORTED; /* "right/…": clocks that count leap seconds */
    struct cursor times = c;
    (void)cursor_slice(&c, (uint64_t)n.times * 9);
    err_t e = c.err ? c.err : take_times(z, &times, n.times);
    if (!e) e = take_kinds(z, &c, n);
    for (uint32_t i = 0; i < n.times && !e; i++)
        if (z->to[i] >= n.kinds) e = ERR_CORRUPT;
    (void)cursor_slice(&c, (uint64_t)n.is_standard + n.is_ut);
    if (!e) e = c.err;
    return e ? e : take_footer(z, &c, d);
}

err_t zone_read(struct slice file, struct slice name, struct zone **out, struct diag *d)
{
    struct zone *z = mem_take(sizeof(*z));
    if (!z) return diag_fail(d, ERR_NO_MEMORY, "no memory for the time zone");
    z->standard = z->summer = -1;
    if (d) *d = (struct diag){0};
    err_t e = slice_to_cstr(name, z->name, sizeof(z->name)) ? take_all(z, file, d) : ERR_TOO_BIG;
    if (!e) {
        *out = z;
        return ERR_OK;
    }
    zone_drop(z);
    if (!d || d->err != e)
        (void)diag_fail(d, e, "the time zone's file of '%.*s' can not be used", SLICE_ARG(name));
    (void)diag_why(d, "%s",
                   e == ERR_UNSUPPORTED ? "it is of TZif's first version, or counts leap seconds"
                                        : err_text(e));
    return e;
}

void zone_drop(struct zone *z)
{
    if (!z) return;
    mem_give(z->at);
    mem_give(z->to);
    mem_give(z);
}
