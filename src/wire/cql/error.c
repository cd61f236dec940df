/* ERROR: what each code carries, by the EXTRA rows of native.def, both ways. */
#include "wire/cql/cql_int.h"

#include <stdio.h>

enum extra_type {
    EXTRA_CONSISTENCY,
    EXTRA_INT,
    EXTRA_BOOL,
    EXTRA_STRING,
    EXTRA_STRINGS,
    EXTRA_SHORT_BYTES,
    EXTRA_CONTENTIONS, /* a short, only behind the write type CAS */
    EXTRA_FAILURES
};
static const struct extra {
    int32_t code;
    uint16_t offset;
    uint8_t type, first;
} extras[] = {
#define EXTRA(error, type, field, first, about)                                                    \
    {NATIVE_ERROR_##error, offsetof(struct native_error, field), EXTRA_##type, first},
#include "wire/cql/native.def"
};

static bool is_cas(const struct native_error *e)
{
    return slice_is(e->write_type, "CAS");
}

static bool applies(const struct extra *x, const struct native_error *e, uint8_t version)
{
    return version >= x->first && (x->type != EXTRA_CONTENTIONS || is_cas(e));
}

/* --- reading ---------------------------------------------------------------------------------- */

static uint8_t read_address(struct native_in *in, uint8_t to[16])
{
    uint8_t size = native_u8(in);
    if (!in->err && size != 4 && size != 16) {
        native_in_fail(in, ERR_PROTOCOL, "Invalid IP address while deserializing inet address");
        return 0;
    }
    struct slice s = native_raw(in, size, "Not enough bytes to read an address");
    if (s.len) memcpy(to, s.at, s.len);
    return (uint8_t)s.len;
}

static void read_failures(struct native_in *in, struct native_error *out)
{
    uint32_t count = native_u32(in);
    out->failures.count = count;
    if (in->version < 5) return;
    struct native_failure *list = native_items(in, count, sizeof(*list), 7);
    for (uint32_t i = 0; list && i < count && !in->err; i++) {
        list[i].size = read_address(in, list[i].address);
        list[i].reason = native_u16(in);
    }
    out->failures.at = list;
    if (!list || in->err) out->failures.count = 0;
}

static void read_extra(struct native_in *in, const struct extra *x, struct native_error *out)
{
    void *to = (uint8_t *)out + x->offset;
    switch ((enum extra_type)x->type) {
    case EXTRA_CONSISTENCY: out->consistency = native_consistency_read(in); break;
    case EXTRA_INT: *(int32_t *)to = (int32_t)native_u32(in); break;
    case EXTRA_BOOL: *(bool *)to = native_u8(in) != 0; break;
    case EXTRA_STRING: *(struct slice *)to = native_string(in); break;
    case EXTRA_STRINGS: out->arguments.at = native_strings(in, &out->arguments.count); break;
    case EXTRA_SHORT_BYTES: *(struct slice *)to = native_short_bytes(in); break;
    case EXTRA_CONTENTIONS: out->contentions = native_u16(in); break;
    case EXTRA_FAILURES: read_failures(in, out); break;
    }
}

void native_error_read(struct native_in *in, struct native_error *out)
{
    out->code = (int32_t)native_u32(in);
    out->words = native_string(in);
    for (size_t i = 0; i < COUNT_OF(extras); i++)
        if (extras[i].code == out->code && applies(&extras[i], out, in->version))
            read_extra(in, &extras[i], out);
}

/* --- writing ---------------------------------------------------------------------------------- */

static void put_failures(struct buf *out, uint8_t version, const struct native_error *e)
{
    bool listed = version >= 5 && e->failures.at;
    buf_be(out, version >= 5 && !listed ? 0 : e->failures.count, 4);
    for (uint32_t i = 0; listed && i < e->failures.count; i++) {
        const struct native_failure *f = &e->failures.at[i];
        buf_be(out, f->size, 1);
        buf_put(out, f->address, f->size);
        buf_be(out, f->reason, 2);
    }
}

static void put_extra(struct buf *out, uint8_t version, const struct extra *x,
                      const struct native_error *e)
{
    const void *from = (const uint8_t *)e + x->offset;
    switch ((enum extra_type)x->type) {
    case EXTRA_CONSISTENCY: buf_be(out, e->consistency, 2); break;
    case EXTRA_INT: buf_be(out, (uint32_t) * (const int32_t *)from, 4); break;
    case EXTRA_BOOL: buf_be(out, *(const bool *)from, 1); break;
    case EXTRA_STRING:
    case EXTRA_SHORT_BYTES: native_string_put(out, *(const struct slice *)from); break;
    case EXTRA_STRINGS: native_strings_put(out, e->arguments.at, e->arguments.count); break;
    case EXTRA_CONTENTIONS: buf_be(out, e->contentions, 2); break;
    case EXTRA_FAILURES: put_failures(out, version, e); break;
    }
}

/* What Cassandra says instead where the version lacks the code, or CAS' own WRITE_TIMEOUT. */
static struct slice older_words(const struct native_error *e, int32_t code, uint8_t version,
                                char *room, size_t cap)
{
    bool timeout = code == NATIVE_ERROR_WRITE_TIMEOUT || code == NATIVE_ERROR_READ_TIMEOUT;
    if (code == e->code && !(version < 5 && code == NATIVE_ERROR_WRITE_TIMEOUT && is_cas(e)))
        return e->words;
    int n =
        timeout
            ? snprintf(room, cap, "Operation timed out - received only %d responses.", e->received)
            : snprintf(room, cap, "ERROR %s: %.*s", native_code_name(e->code), SLICE_ARG(e->words));
    return n < 0 ? e->words : native_cut(slice_make(room, (size_t)n), (uint32_t)cap - 1);
}

void native_error_put(struct buf *out, uint8_t version, const struct native_error *e)
{
    char room[1024]; /* as long as words of ours get */
    struct native_error said = *e;
    said.code = native_code_in(e->code, version);
    if (e->code == NATIVE_ERROR_CAS_WRITE_UNKNOWN && said.code != e->code)
        said.write_type = SLICE("CAS");
    said.words = older_words(e, said.code, version, room, sizeof(room));
    buf_be(out, (uint32_t)said.code, 4);
    native_string_put(out, said.words);
    for (size_t i = 0; i < COUNT_OF(extras); i++)
        if (extras[i].code == said.code && applies(&extras[i], &said, version))
            put_extra(out, version, &extras[i], &said);
}
