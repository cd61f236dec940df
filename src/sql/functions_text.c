/* Text functions. Characters are code points. */
#include "base/hash.h"
#include "sql/functions.h"
#include "sql/text.h"

static struct slice rest_of(struct slice s, uint32_t at)
{
    return slice_make(s.at + at, s.len - at);
}

/* Appends one code point. */
static uint32_t add_code(uint8_t *to, uint32_t code)
{
    return utf8_encode(code, to);
}

/* Every code point through `change`, which sees the one before it. */
static err_t change_codes(struct call *c, uint32_t row,
                          uint32_t (*change)(uint32_t code, uint32_t before))
{
    struct slice s = arg_text(c, 0, row);
    err_t e;
    uint8_t *out = call_room(c, row, (uint64_t)s.len * 2, &e); /* a case takes at most twice */
    if (!out) return e;
    uint32_t n = 0, before = ' ', size;
    for (uint32_t i = 0; i < s.len; i += size) {
        bool plain = s.at[i] < 0x80; /* and its case is, too */
        uint32_t code = plain ? s.at[i] : utf8_decode(rest_of(s, i), &size);
        if (plain) size = 1;
        if (plain)
            out[n++] = (uint8_t)change(code, before);
        else
            n += add_code(out + n, change(code, before));
        before = code;
    }
    put_bytes(c->out, row, slice_make(out, n));
    return ERR_OK;
}

static uint32_t to_upper(uint32_t code, uint32_t before)
{
    (void)before;
    return code_upper(code);
}
static uint32_t to_lower(uint32_t code, uint32_t before)
{
    (void)before;
    return code_lower(code);
}
static uint32_t to_title(uint32_t code, uint32_t before)
{
    bool letter = (before >= '0' && before <= '9') || before >= 0x80 || before == '\'' ||
                  ((before | 32) >= 'a' && (before | 32) <= 'z');
    return letter ? code_lower(code) : code_upper(code);
}

err_t fn_upper(struct call *c, uint32_t row)
{
    return change_codes(c, row, to_upper);
}
err_t fn_lower(struct call *c, uint32_t row)
{
    return change_codes(c, row, to_lower);
}
err_t fn_initcap(struct call *c, uint32_t row)
{
    return change_codes(c, row, to_title);
}

err_t fn_length(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, (int64_t)utf8_length(arg_text(c, 0, row)));
    return ERR_OK;
}
err_t fn_octet_length(struct call *c, uint32_t row)
{
    cell_put_integer(c->out, row, arg_text(c, 0, row).len);
    return ERR_OK;
}

/* --- cutting ------------------------------------------------------------------------------------
 */

static bool holds_code(struct slice set, struct slice one)
{
    for (uint32_t i = 0, size; i < set.len; i += size) {
        size = utf8_size(rest_of(set, i));
        if (slice_equal(slice_make(set.at + i, size), one)) return true;
    }
    return false;
}

static err_t trim(struct call *c, uint32_t row, bool start, bool end)
{
    struct slice s = arg_text(c, 0, row);
    struct slice set = c->e->count > 1 ? arg_text(c, 1, row) : SLICE(" \t\n\r");
    while (start && s.len) {
        uint32_t size = utf8_size(s);
        if (!holds_code(set, slice_make(s.at, size))) break;
        s = rest_of(s, size);
    }
    while (end && s.len) {
        uint32_t last = s.len - 1;
        while (last > 0 && (s.at[last] & 0xc0) == 0x80) last--;
        if (!holds_code(set, rest_of(s, last))) break;
        s.len = last;
    }
    put_bytes(c->out, row, s);
    return ERR_OK;
}

err_t fn_trim(struct call *c, uint32_t row)
{
    return trim(c, row, true, true);
}
err_t fn_ltrim(struct call *c, uint32_t row)
{
    return trim(c, row, true, false);
}
err_t fn_rtrim(struct call *c, uint32_t row)
{
    return trim(c, row, false, true);
}

/* Characters from … to-1, counted from 0 and held inside the text. */
static err_t put_part(struct call *c, uint32_t row, struct slice s, int64_t from, int64_t to)
{
    uint32_t start = utf8_index(s, (uint64_t)MAX(from, 0));
    uint32_t end = to <= from ? start : utf8_index(s, (uint64_t)MAX(to, 0));
    put_bytes(c->out, row, slice_make(s.at + start, MAX(end, start) - start));
    return ERR_OK;
}

err_t fn_substr(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    int64_t from, to = INT64_MAX;
    if (__builtin_sub_overflow(arg_integer(c, 1, row), 1, &from)) from = INT64_MIN;
    if (c->e->count > 2) {
        int64_t count = arg_integer(c, 2, row);
        if (count < 0) return call_fault(c, row, ERR_RANGE, "a negative number of characters");
        if (__builtin_add_overflow(from, count, &to)) to = INT64_MAX;
    }
    return put_part(c, row, s, from, to);
}
err_t fn_left(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    int64_t n = arg_integer(c, 1, row);
    if (n < 0) n = MAX((int64_t)utf8_length(s) + MAX(n, -(int64_t)s.len), 0);
    return put_part(c, row, s, 0, n);
}
err_t fn_right(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    int64_t n = arg_integer(c, 1, row), all = (int64_t)utf8_length(s);
    int64_t from = n < 0 ? (n < -all ? all : -n) : MAX(all - MIN(n, all), 0);
    return put_part(c, row, s, from, INT64_MAX);
}

/* --- making longer ------------------------------------------------------------------------------
 */

static err_t pad(struct call *c, uint32_t row, bool at_start)
{
    struct slice s = arg_text(c, 0, row);
    struct slice fill = c->e->count > 2 ? arg_text(c, 2, row) : SLICE(" ");
    int64_t want = arg_integer(c, 1, row), have = (int64_t)utf8_length(s);
    if (want <= have || fill.len == 0) return put_part(c, row, s, 0, want);
    err_t e;
    uint64_t most = want > FUNCTION_TEXT_MAX ? UINT64_MAX : s.len + (uint64_t)(want - have) * 4;
    uint8_t *out = call_room(c, row, most, &e);
    if (!out) return e;
    uint32_t n = 0;
    if (!at_start) {
        if (s.len) memcpy(out, s.at, s.len);
        n = s.len;
    }
    for (uint32_t i = 0; have < want; have++) {
        uint32_t size = utf8_size(rest_of(fill, i));
        memcpy(out + n, fill.at + i, size);
        n += size;
        i = i + size == fill.len ? 0 : i + size;
    }
    if (at_start) {
        if (s.len) memcpy(out + n, s.at, s.len);
        n += s.len;
    }
    put_bytes(c->out, row, slice_make(out, n));
    return ERR_OK;
}

err_t fn_lpad(struct call *c, uint32_t row)
{
    return pad(c, row, true);
}
err_t fn_rpad(struct call *c, uint32_t row)
{
    return pad(c, row, false);
}

err_t fn_repeat(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    int64_t times = s.len ? MAX(arg_integer(c, 1, row), 0) : 0;
    err_t e;
    uint64_t size = times > FUNCTION_TEXT_MAX ? UINT64_MAX : s.len * (uint64_t)times;
    uint8_t *out = call_room(c, row, size, &e);
    if (!out) return e;
    for (int64_t i = 0; i < times; i++) memcpy(out + (uint64_t)i * s.len, s.at, s.len);
    put_bytes(c->out, row, slice_make(out, size));
    return ERR_OK;
}

err_t fn_reverse(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    err_t e;
    uint8_t *out = call_room(c, row, s.len, &e);
    if (!out) return e;
    for (uint32_t i = 0, size; i < s.len; i += size) {
        size = utf8_size(rest_of(s, i));
        memcpy(out + s.len - i - size, s.at + i, size);
    }
    put_bytes(c->out, row, slice_make(out, s.len));
    return ERR_OK;
}

err_t fn_replace(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), from = arg_text(c, 1, row), to = arg_text(c, 2, row);
    size_t at = from.len ? slice_find(s, from, 0) : s.len + 1u;
    if (at > s.len) {
        put_bytes(c->out, row, s);
        return ERR_OK;
    }
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    uint32_t done = 0;
    for (; at <= s.len && !b.err; at = slice_find(s, from, done)) {
        buf_put(&b, s.at + done, at - done);
        buf_slice(&b, to);
        done = (uint32_t)at + from.len;
    }
    buf_put(&b, s.at + done, s.len - done);
    return put_buf(c, row, &b);
}

err_t fn_translate(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), from = arg_text(c, 1, row), to = arg_text(c, 2, row);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    for (uint32_t i = 0, size; i < s.len; i += size) {
        size = utf8_size(rest_of(s, i));
        struct slice one = slice_make(s.at + i, size);
        uint32_t at = 0, index = 0;
        while (at < from.len &&
               !slice_equal(slice_make(from.at + at, utf8_size(rest_of(from, at))), one)) {
            at += utf8_size(rest_of(from, at));
            index++;
        }
        if (at < from.len) {
            uint32_t place = utf8_index(to, index);
            one = slice_make(to.at + place, utf8_size(rest_of(to, place)));
        }
        buf_slice(&b, one);
    }
    return put_buf(c, row, &b);
}

static err_t join(struct call *c, uint32_t row, uint32_t first, struct slice between)
{
    uint64_t size = 0;
    for (uint32_t i = first; i < c->e->count; i++)
        if (!arg_null(c, i, row)) size += arg_text(c, i, row).len + (uint64_t)between.len;
    err_t e;
    uint8_t *out = call_room(c, row, size, &e);
    if (!out) return e;
    uint32_t n = 0;
    bool any = false;
    for (uint32_t i = first; i < c->e->count; i++) {
        if (arg_null(c, i, row)) continue;
        if (any && between.len) memcpy(out + n, between.at, between.len);
        if (any) n += between.len;
        any = true;
        struct slice s = arg_text(c, i, row);
        if (s.len) memcpy(out + n, s.at, s.len);
        n += s.len;
    }
    put_bytes(c->out, row, slice_make(out, n));
    return ERR_OK;
}

err_t fn_concat(struct call *c, uint32_t row)
{
    return join(c, row, 0, (struct slice){0});
}
err_t fn_concat_ws(struct call *c, uint32_t row)
{
    if (arg_null(c, 0, row)) return ERR_OK; /* null, as everywhere */
    return join(c, row, 1, arg_text(c, 0, row));
}

/* --- finding ------------------------------------------------------------------------------------
 */

err_t fn_split_part(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), by = arg_text(c, 1, row);
    int64_t n = arg_integer(c, 2, row);
    if (n == 0) return call_fault(c, row, ERR_RANGE, "pieces are counted from 1");
    int64_t pieces = 1;
    for (size_t at = 0; n < 0 && by.len && (at = slice_find(s, by, at)) <= s.len; at += by.len)
        pieces++;
    if (n < 0) n = pieces + 1 + MAX(n, -pieces - 1);
    size_t start = 0, end = by.len ? slice_find(s, by, 0) : s.len + 1u;
    for (int64_t i = 1; i < n && start <= s.len; i++) {
        start = end > s.len ? s.len + 1u : end + by.len;
        end = start > s.len || by.len == 0 ? s.len + 1u : slice_find(s, by, start);
    }
    bool there = n > 0 && start <= s.len;
    end = MIN(end, (size_t)s.len);
    put_bytes(c->out, row, there ? slice_make(s.at + start, end - start) : SLICE(""));
    return ERR_OK;
}

static err_t put_position(struct call *c, uint32_t row, struct slice hay, struct slice needle)
{
    size_t at = slice_find(hay, needle, 0);
    bool there = at <= hay.len;
    cell_put_integer(c->out, row, there ? (int64_t)utf8_length(slice_make(hay.at, at)) + 1 : 0);
    return ERR_OK;
}
err_t fn_strpos(struct call *c, uint32_t row)
{
    return put_position(c, row, arg_text(c, 0, row), arg_text(c, 1, row));
}
err_t fn_position(struct call *c, uint32_t row)
{
    return put_position(c, row, arg_text(c, 1, row), arg_text(c, 0, row));
}

err_t fn_starts_with(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), w = arg_text(c, 1, row);
    put_bool(c, row, s.len >= w.len && slice_equal(slice_make(s.at, w.len), w));
    return ERR_OK;
}
err_t fn_ends_with(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), w = arg_text(c, 1, row);
    put_bool(c, row, s.len >= w.len && slice_equal(rest_of(s, s.len - w.len), w));
    return ERR_OK;
}
err_t fn_contains(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    put_bool(c, row, slice_find(s, arg_text(c, 1, row), 0) <= s.len);
    return ERR_OK;
}

err_t fn_ascii(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row);
    uint32_t size;
    cell_put_integer(c->out, row, s.len ? (int64_t)utf8_decode(s, &size) : 0);
    return ERR_OK;
}
err_t fn_chr(struct call *c, uint32_t row)
{
    int64_t code = arg_integer(c, 0, row);
    if (code < 1 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return call_fault(c, row, ERR_RANGE, "no such code point");
    err_t e;
    uint8_t *out = call_room(c, row, 4, &e);
    if (out) put_bytes(c->out, row, slice_make(out, utf8_encode((uint32_t)code, out)));
    return e;
}

/* --- patterns -----------------------------------------------------------------------------------
 */

static err_t pattern_fault(struct call *c, uint32_t row, err_t e)
{
    if (e == ERR_NO_MEMORY) return e;
    return call_fault(c, row, e, "the pattern takes too long on this text");
}

err_t fn_regexp_like(struct call *c, uint32_t row)
{
    bool found;
    struct regex_match m;
    err_t e = regex_find(c->run, arg_text(c, 0, row), 0, 0, &found, &m);
    if (e) return pattern_fault(c, row, e);
    put_bool(c, row, found);
    return ERR_OK;
}

err_t fn_regexp_extract(struct call *c, uint32_t row)
{
    int64_t group = c->e->count > 2 ? arg_integer(c, 2, row) : 1;
    if (group < 0 || group > 99) return call_fault(c, row, ERR_RANGE, "groups are 0 to 99");
    bool found;
    struct regex_match m;
    struct slice s = arg_text(c, 0, row);
    err_t e = regex_find(c->run, s, 0, (uint32_t)group, &found, &m);
    if (e) return pattern_fault(c, row, e);
    if (found && m.group_start != UINT32_MAX && m.group_end >= m.group_start)
        put_bytes(c->out, row, slice_make(s.at + m.group_start, m.group_end - m.group_start));
    return ERR_OK;
}

/* The replacement of one match: $1 and \1 stand for groups, \\ and \$ for themselves. */
static err_t add_replacement(struct call *c, struct slice s, struct slice with,
                             const struct regex_match *m, struct buf *b)
{
    for (uint32_t i = 0; i < with.len; i++) {
        bool mark = (with.at[i] == '$' || with.at[i] == '\\') && i + 1 < with.len;
        uint8_t next = mark ? with.at[i + 1] : 0;
        if (mark && next >= '0' && next <= '9') {
            bool found;
            struct regex_match group;
            err_t e = regex_find(c->run, s, m->start, next - '0', &found, &group);
            if (e) return e;
            if (found && group.group_start != UINT32_MAX && group.group_end >= group.group_start)
                buf_put(b, s.at + group.group_start, group.group_end - group.group_start);
            i++;
        } else if (mark && with.at[i] == '\\') {
            buf_char(b, (char)next);
            i++;
        } else {
            buf_char(b, (char)with.at[i]);
        }
    }
    return ERR_OK;
}

err_t fn_regexp_replace(struct call *c, uint32_t row)
{
    struct slice s = arg_text(c, 0, row), with = arg_text(c, 2, row);
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    bool found = true;
    uint32_t done = 0, from = 0;
    err_t e = ERR_OK;
    while (!e && found && from <= s.len && !b.err) {
        struct regex_match m;
        e = regex_find(c->run, s, from, 0, &found, &m);
        if (e || !found) break;
        buf_put(&b, s.at + done, m.start > done ? m.start - done : 0);
        e = add_replacement(c, s, with, &m, &b);
        done = MAX(m.end, done);
        from = m.end > m.start ? m.end : m.end + MAX(utf8_size(rest_of(s, m.end)), 1u);
    }
    if (e) {
        buf_done(&b);
        return pattern_fault(c, row, e);
    }
    buf_put(&b, s.at + done, s.len - done);
    return put_buf(c, row, &b);
}

/* --- digests ------------------------------------------------------------------------------------
 */

static err_t put_digest(struct call *c, uint32_t row, const uint8_t *digest, size_t size)
{
    struct buf b = buf_make(200);
    put_hex(&b, digest, size);
    return put_buf(c, row, &b);
}
err_t fn_md5(struct call *c, uint32_t row)
{
    uint8_t d[16];
    digest_md5(arg_text(c, 0, row), d);
    return put_digest(c, row, d, sizeof(d));
}
err_t fn_sha1(struct call *c, uint32_t row)
{
    uint8_t d[20];
    digest_sha1(arg_text(c, 0, row), d);
    return put_digest(c, row, d, sizeof(d));
}
err_t fn_sha256(struct call *c, uint32_t row)
{
    uint8_t d[32];
    digest_sha256(arg_text(c, 0, row), d);
    return put_digest(c, row, d, sizeof(d));
}
err_t fn_to_base64(struct call *c, uint32_t row)
{
    struct buf b = buf_make(FUNCTION_TEXT_MAX);
    put_base64(&b, arg_text(c, 0, row));
    return put_buf(c, row, &b);
}
