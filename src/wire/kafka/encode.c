/* Writing a message: the same walk, the other way. */
#include "wire/kafka/kafka_int.h"

struct writer {
    struct buf *out;
    struct kafka_splices *splices;
    int16_t version;
    bool flexible;
    bool answer; /* a handler fills in all it knows; the version takes what it can say */
    err_t err;
    const char *why;
    struct kafka_path path;
};

static bool write_struct(struct writer *w, const struct kafka_struct *s, const uint8_t *in);
static bool write_field(struct writer *w, const struct kafka_field *f, const uint8_t *from);

static bool fail(struct writer *w, err_t e, const char *why)
{
    w->err = e;
    w->why = why;
    return false;
}

static inline uint8_t *room(struct writer *w, size_t n)
{
    struct buf *b = w->out;
    if (b->err || b->cap - b->len < n) return buf_grow(b, n);
    b->len += n;
    return b->at + b->len - n;
}

/* A failed buf says so at the end; the walk goes on without harm. */
static inline void put16(struct writer *w, uint16_t v)
{
    uint8_t *to = room(w, sizeof(v));
    v = __builtin_bswap16(v);
    if (to) memcpy(to, &v, sizeof(v));
}

static inline void put32(struct writer *w, uint32_t v)
{
    uint8_t *to = room(w, sizeof(v));
    v = __builtin_bswap32(v);
    if (to) memcpy(to, &v, sizeof(v));
}

static inline void put64(struct writer *w, uint64_t v)
{
    uint8_t *to = room(w, sizeof(v));
    v = __builtin_bswap64(v);
    if (to) memcpy(to, &v, sizeof(v));
}

static inline void put8(struct writer *w, uint8_t v)
{
    uint8_t *to = room(w, 1);
    if (to) *to = v;
}

static inline void put_uvarint(struct writer *w, uint64_t v)
{
    if (v < 0x80) /* nearly always */
        put8(w, (uint8_t)v);
    else
        buf_uvarint(w->out, v);
}

/* -1: null, which the field must be allowed to be. */
static bool write_length(struct writer *w, const struct kafka_field *f, int64_t n, bool wide)
{
    if (n < 0 && !kafka_may_be_null(f, w->version))
        return fail(w, ERR_MALFORMED, "must not be null");
    if (n >= INT32_MAX || (!wide && n > KAFKA_STRING_MAX))
        return fail(w, ERR_TOO_BIG, "is longer than the protocol allows");
    if (kafka_compact(f, w->flexible))
        put_uvarint(w, (uint64_t)(n + 1));
    else if (wide)
        put32(w, (uint32_t)n);
    else
        put16(w, (uint16_t)n);
    return true;
}

static bool write_bytes(struct writer *w, const struct kafka_field *f, struct slice s, bool string)
{
    if (!write_length(w, f, s.at ? (int64_t)s.len : -1, !string)) return false;
    buf_slice(w->out, s);
    return true;
}

static bool write_splice(struct writer *w, const struct kafka_field *f,
                         const struct kafka_records *records)
{
    struct kafka_splices *s = w->splices;
    if (!s) return fail(w, ERR_UNSUPPORTED, "stands in a file, and only its bytes can be written");
    if (!write_length(w, f, records->size, true)) return false;
    if (s->count == s->cap) {
        uint32_t cap = s->cap ? s->cap * 2 : 8;
        void *grown =
            arena_resize(s->arena, s->list, s->cap * sizeof(*s->list), cap * sizeof(*s->list));
        if (!grown) return fail(w, ERR_TOO_BIG, "is one splice too many");
        s->list = grown;
        s->cap = cap;
    }
    s->list[s->count++] =
        (struct kafka_splice){w->out->len, records->fd, records->position, records->size};
    return true;
}

static bool write_records(struct writer *w, const struct kafka_field *f,
                          const struct kafka_records *records)
{
    if (records->null) return write_length(w, f, -1, true);
    if (records->size && records->fd >= 0) return write_splice(w, f, records);
    return write_bytes(w, f, records->bytes.at ? records->bytes : SLICE(""), false);
}

static bool write_array(struct writer *w, const struct kafka_field *f,
                        const struct kafka_view *array)
{
    if (!write_length(w, f, array->count, true)) return false;
    for (int32_t i = 0; i < array->count; i++) {
        if (write_struct(w, f->of, (const uint8_t *)array->at + (size_t)i * f->of->size)) continue;
        w->path.index = i;
        return false;
    }
    return true;
}

static bool write_list(struct writer *w, const struct kafka_field *f, const struct kafka_view *list)
{
    if (!write_length(w, f, list->count, true)) return false;
    struct kafka_field one = {.type = f->element, .never_compact = f->never_compact};
    size_t size = kafka_element_size(f->element);
    for (int32_t i = 0; i < list->count; i++) {
        if (write_field(w, &one, (const uint8_t *)list->at + (size_t)i * size)) continue;
        w->path.index = i;
        return false;
    }
    return true;
}

static bool write_pointer(struct writer *w, const struct kafka_field *f, const void *to)
{
    if (!to && !kafka_may_be_null(f, w->version)) return fail(w, ERR_MALFORMED, "must not be null");
    put8(w, to ? 1 : 0xff);
    return !to || write_struct(w, f->of, to);
}

static bool write_field(struct writer *w, const struct kafka_field *f, const uint8_t *from)
{
    switch ((enum kafka_type)f->type) {
    case KAFKA_BOOL: put8(w, *(const bool *)from); return true;
    case KAFKA_INT8: put8(w, *from); return true;
    case KAFKA_INT16:
    case KAFKA_UINT16: put16(w, *(const uint16_t *)from); return true;
    case KAFKA_INT32:
    case KAFKA_UINT32: put32(w, *(const uint32_t *)from); return true;
    case KAFKA_INT64: put64(w, *(const uint64_t *)from); return true;
    case KAFKA_FLOAT64: {
        uint64_t bits;
        memcpy(&bits, from, sizeof(bits));
        put64(w, bits);
        return true;
    }
    case KAFKA_UUID: buf_put(w->out, from, sizeof(struct uuid)); return true;
    case KAFKA_STRING: return write_bytes(w, f, *(const struct slice *)from, true);
    case KAFKA_BYTES: return write_bytes(w, f, *(const struct slice *)from, false);
    case KAFKA_RECORDS: return write_records(w, f, (const struct kafka_records *)from);
    case KAFKA_LIST: return write_list(w, f, (const struct kafka_view *)from);
    case KAFKA_ARRAY: return write_array(w, f, (const struct kafka_view *)from);
    case KAFKA_STRUCT: return write_struct(w, f->of, from);
    case KAFKA_POINTER: return write_pointer(w, f, kafka_pointer(from));
    }
    return true;
}

static bool struct_is_preset(const struct kafka_struct *s, const uint8_t *in);

/* Whether leaving the field out says the same. */
static bool is_preset(const struct kafka_field *f, const uint8_t *from)
{
    switch ((enum kafka_type)f->type) {
    case KAFKA_BOOL: return *(const bool *)from == (f->preset != 0);
    case KAFKA_INT8: return *(const int8_t *)from == f->preset;
    case KAFKA_INT16: return *(const int16_t *)from == f->preset;
    case KAFKA_UINT16: return *(const uint16_t *)from == f->preset;
    case KAFKA_INT32: return *(const int32_t *)from == f->preset;
    case KAFKA_UINT32: return *(const uint32_t *)from == f->preset;
    case KAFKA_INT64: return *(const int64_t *)from == f->preset;
    case KAFKA_FLOAT64: { /* by their bits: 0 and -0 are two */
        double preset = (double)f->preset;
        uint64_t is, was;
        memcpy(&is, from, sizeof(is));
        memcpy(&was, &preset, sizeof(was));
        return is == was;
    }
    case KAFKA_UUID: return memcmp(from, &(struct uuid){{0}}, sizeof(struct uuid)) == 0;
    case KAFKA_STRING:
    case KAFKA_BYTES: {
        const struct slice *s = (const struct slice *)from;
        return f->null_preset ? !s->at : s->at && s->len == 0;
    }
    case KAFKA_RECORDS: return ((const struct kafka_records *)from)->null;
    case KAFKA_LIST:
    case KAFKA_ARRAY: {
        int32_t count = ((const struct kafka_view *)from)->count;
        return f->null_preset ? count < 0 : count == 0;
    }
    case KAFKA_STRUCT: return struct_is_preset(f->of, from);
    case KAFKA_POINTER: return !kafka_pointer(from);
    }
    return false;
}

static bool struct_is_preset(const struct kafka_struct *s, const uint8_t *in)
{
    for (int i = 0; i < s->count; i++)
        if (!is_preset(&s->fields[i], in + s->fields[i].offset)) return false;
    return true;
}

/* The tag first, then the size of what follows: it is written, measured, and moved up. */
static bool write_tag(struct writer *w, const struct kafka_field *f, const uint8_t *from)
{
    put_uvarint(w, f->tag);
    size_t begun = w->out->len;
    if (!write_field(w, f, from)) {
        kafka_path_add(&w->path, f);
        return false;
    }
    if (w->out->err) return true;
    size_t size = w->out->len - begun, head = (size_t)uvarint_size(size);
    if (!buf_grow(w->out, head)) return true;
    memmove(w->out->at + begun + head, w->out->at + begun, size);
    w->out->len = begun;
    buf_uvarint(w->out, size);
    w->out->len += size;
    return true;
}

static bool write_tags(struct writer *w, const struct kafka_struct *s, const uint8_t *in)
{
    uint64_t present = 0; /* a bit a tag: they go out in their order, not the rows' */
    const struct kafka_field *by_tag[64];
    for (int i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        if (!f->tagged || !kafka_field_in(f, w->version) || is_preset(f, in + f->offset)) continue;
        present |= (uint64_t)1 << f->tag;
        by_tag[f->tag] = f;
    }
    put_uvarint(w, (uint64_t)__builtin_popcountll(present));
    for (; present; present &= present - 1) {
        const struct kafka_field *f = by_tag[__builtin_ctzll(present)];
        if (!write_tag(w, f, in + f->offset)) return false;
    }
    return true;
}

static bool write_struct(struct writer *w, const struct kafka_struct *s, const uint8_t *in)
{
    bool tags = false;
    for (int i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        const uint8_t *from = in + f->offset;
        bool ok = true;
        if (!kafka_field_in(f, w->version)) {
            if (!f->ignorable && !w->answer && !is_preset(f, from))
                ok = fail(w, ERR_VERSION, "has a value, which this version can not say");
        } else if (f->tagged) {
            tags = true;
        } else {
            ok = write_field(w, f, from);
        }
        if (!ok) {
            kafka_path_add(&w->path, f);
            return false;
        }
    }
    if (!w->flexible) return true;
    if (tags) return write_tags(w, s, in);
    put8(w, 0);
    return true;
}

err_t kafka_encode(const struct kafka_message *m, int16_t version, const void *in, struct buf *out,
                   struct kafka_splices *splices, struct diag *d)
{
    err_t e = kafka_version_check(m, version, d);
    if (e) return e;
    const struct kafka_api *api = kafka_api_of(m->api_key);
    struct writer w = {.out = out,
                       .answer = api && api->response == m,
                       .splices = splices,
                       .version = version,
                       .flexible = version >= m->flexible_first,
                       .path.index = -1};
    if (!write_struct(&w, m->root, in))
        return kafka_path_fail(&w.path, m, version, w.err, w.why, d);
    if (out->err) return diag_fail(d, out->err, "%s v%d: %s", m->name, version, err_text(out->err));
    return ERR_OK;
}

err_t kafka_encode_versioned(const struct kafka_message *m, int16_t version, const void *in,
                             struct buf *out, struct diag *d)
{
    buf_be(out, (uint16_t)version, 2);
    return kafka_encode(m, version, in, out, NULL, d);
}
