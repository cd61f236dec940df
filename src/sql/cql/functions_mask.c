/* mask_*: values hidden. */
#include "sql/cql/term_int.h"

#include "base/hash.h"

err_t cf_mask_null(struct native_run *r)
{
    *r->out = (struct cql_value){.state = CQL_NULL};
    return ERR_OK;
}

err_t cf_mask_replace(struct native_run *r)
{
    *r->out = r->args[1];
    return ERR_OK;
}

/* --- default: a value that says nothing
 * ---------------------------------------------------------------
 */

static const char zeros[16] = {0};

static struct slice masked_scalar(const struct type *t)
{
    static const char no_time[16] =
        "\x13\x81\x40\x00\x1d\xd2\x11\xb2\x80\x80\x80\x80\x80\x80\x80\x80";
    switch (t->kind) {
    case TYPE_ASCII:
    case TYPE_TEXT: return SLICE("****");
    case TYPE_BLOB: return SLICE("");
    case TYPE_TIMEUUID: return slice_make(no_time, 16);
    case TYPE_DATE: return slice_make("\x80\0\0\0", 4);
    case TYPE_VARINT: return slice_make(zeros, 1);
    case TYPE_DECIMAL: return slice_make(zeros, 5);
    case TYPE_DURATION: return slice_make(zeros, 3);
    case TYPE_INET:
    case TYPE_LIST:
    case TYPE_SET:
    case TYPE_MAP: return slice_make(zeros, 4);
    default: return slice_make(zeros, phys_size(type_phys(t)));
    }
}

static err_t masked(const struct type *t, struct native_run *r, struct cql_value *out)
{
    if (t->kind != TYPE_TUPLE && t->kind != TYPE_STRUCT) return set_value(out, masked_scalar(t));
    struct cql_value *items = arena_take(r->a, (t->count + 1u) * sizeof(*items));
    if (!items) return term_no_room(r->d);
    for (uint32_t i = 0; i < t->count; i++) {
        err_t e = masked(t->items[i], r, &items[i]);
        if (e) return e;
    }
    return items_pack(t, items, t->count, r->a, out, r->d);
}

err_t cf_mask_default(struct native_run *r)
{
    return masked(r->s->args[0], r, r->out);
}

/* --- hash
 * -----------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    uint32_t size;
    void (*digest)(struct slice s, uint8_t *out);
} digests[] = {{"MD5", 16, digest_md5},        {"SHA-1", 20, digest_sha1},
               {"SHA", 20, digest_sha1},       {"SHA1", 20, digest_sha1},
               {"SHA-256", 32, digest_sha256}, {"SHA-512", 64, digest_sha512}};

err_t cf_mask_hash(struct native_run *r)
{
    bool named = r->s->count > 1 && r->args[1].state == CQL_SET;
    struct slice name = named ? r->args[1].bytes : SLICE("SHA-256");
    size_t i = 0;
    while (i < COUNT_OF(digests) && !slice_equal_nocase(name, slice_of(digests[i].name))) i++;
    if (i == COUNT_OF(digests))
        return diag_fail(r->d, ERR_INVALID, "Hash algorithm not found: %.*s", SLICE_ARG(name));
    if (r->args[0].state != CQL_SET) return ERR_OK;
    uint8_t *at = arena_take_raw(r->a, digests[i].size);
    if (!at) return term_no_room(r->d);
    digests[i].digest(r->args[0].bytes, at);
    return set_value(r->out, slice_make(at, digests[i].size));
}

/* --- inner and outer: by Java's characters, of which those past U+FFFF are two
 * --------------------------
 */

static uint32_t utf8_size(uint8_t first)
{
    return first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

static int64_t java_length(struct slice s)
{
    int64_t n = 0;
    for (uint32_t i = 0; i < s.len; i += utf8_size(s.at[i])) n += utf8_size(s.at[i]) == 4 ? 2 : 1;
    return n;
}

static err_t padding_of(struct native_run *r, struct slice *pad)
{
    *pad = SLICE("*");
    if (r->s->count < 4 || r->args[3].state != CQL_SET) return ERR_OK;
    *pad = r->args[3].bytes;
    int64_t n = java_length(*pad);
    if (n == 1) return ERR_OK;
    return diag_fail(r->d, ERR_INVALID,
                     "The padding argument for function system.%s should be single-character, but "
                     "'%.*s' has %lld characters.",
                     r->s->name, SLICE_ARG(*pad), (long long)n);
}

static int64_t bound_of(const struct native_run *r, uint32_t i)
{
    bool there = r->args[i].state == CQL_SET && r->args[i].bytes.len == 4;
    return there ? binary_i64(r->args[i].bytes) : 0;
}

static err_t mask(struct native_run *r, bool inner)
{
    struct slice s = r->args[0].bytes, pad, made;
    err_t e = padding_of(r, &pad);
    *r->out = r->args[0];
    if (e || r->args[0].state != CQL_SET || !s.len) return e;
    int64_t begin = bound_of(r, 1), end = java_length(s) - 1 - bound_of(r, 2), at = 0;
    struct buf out = buf_make((size_t)s.len * 3 + 16);
    for (uint32_t i = 0, size; i < s.len; i += size) {
        size = MIN(utf8_size(s.at[i]), s.len - i);
        int halves = size == 4 ? 2 : 1, hidden = 0;
        for (int k = 0; k < halves; k++) hidden += (at + k >= begin && at + k <= end) == inner;
        if (!hidden) buf_put(&out, s.at + i, size);
        for (int k = 0; hidden && k < halves; k++, at++) {
            bool hide = (at >= begin && at <= end) == inner;
            buf_slice(&out, hide ? pad : SLICE("?")); /* half a character is none */
        }
        at += hidden ? 0 : halves;
    }
    e = term_keep(&out, r->a, &made, r->d);
    return e ? e : set_value(r->out, made);
}

err_t cf_mask_inner(struct native_run *r)
{
    return mask(r, true);
}

err_t cf_mask_outer(struct native_run *r)
{
    return mask(r, false);
}
