/* Reading a message: one walk over the rows. The position travels in a register; everything else
 * a failure needs is gathered only when there is one. */
#include "wire/kafka/kafka_int.h"

struct reader {
    const uint8_t *end;
    struct arena *arena;
    int16_t version;
    bool flexible;
    err_t err;
    const char *why;
    struct kafka_path path;
};

/* Each of these takes the position and answers the next one, or NULL with err and why set. */
static const uint8_t *read_field(struct reader *r, const struct kafka_field *f, const uint8_t *at,
                                 uint8_t *to);
static const uint8_t *read_struct(struct reader *r, const struct kafka_struct *s, const uint8_t *at,
                                  uint8_t *out);

static const uint8_t *fail(struct reader *r, err_t e, const char *why)
{
    r->err = e;
    r->why = why;
    return NULL;
}

static const uint8_t *ends(struct reader *r)
{
    return fail(r, ERR_SHORT, "ends too early");
}

static inline bool has(const struct reader *r, const uint8_t *at, size_t n)
{
    return (size_t)(r->end - at) >= n;
}

static inline uint16_t be16(const uint8_t *at)
{
    uint16_t v;
    memcpy(&v, at, sizeof(v));
    return __builtin_bswap16(v);
}

static inline uint32_t be32(const uint8_t *at)
{
    uint32_t v;
    memcpy(&v, at, sizeof(v));
    return __builtin_bswap32(v);
}

static inline uint64_t be64(const uint8_t *at)
{
    uint64_t v;
    memcpy(&v, at, sizeof(v));
    return __builtin_bswap64(v);
}

static inline const uint8_t *read_uvarint(struct reader *r, const uint8_t *at, uint32_t *out)
{
    uint32_t v = 0;
    if (has(r, at, 1) && *at < 0x80) { /* nearly always */
        *out = *at;
        return at + 1;
    }
    for (int shift = 0; shift < 35; shift += 7) {
        if (!has(r, at, 1)) return ends(r);
        uint32_t b = *at++;
        if (shift == 28 && b > 0x0f) break; /* would not fit in 32 bits */
        v |= (b & 0x7f) << shift;
        if (b < 0x80) {
            *out = v;
            return at;
        }
    }
    return fail(r, ERR_MALFORMED, "has a length that is no number");
}

/* The length of what follows; -1: null, when the field may be. `wide`: 4 bytes in the old form. */
static inline const uint8_t *read_length(struct reader *r, const struct kafka_field *f,
                                         const uint8_t *at, bool wide, int64_t *out)
{
    if (kafka_compact(f, r->flexible)) {
        uint32_t n = 0;
        at = read_uvarint(r, at, &n);
        if (!at) return NULL;
        *out = (int64_t)n - 1;
    } else {
        size_t size = wide ? 4 : 2;
        if (!has(r, at, size)) return ends(r);
        *out = wide ? (int32_t)be32(at) : (int16_t)be16(at);
        at += size;
    }
    if (*out >= 0) return at;
    if (*out < -1) return fail(r, ERR_MALFORMED, "has a negative length");
    if (!kafka_may_be_null(f, r->version)) return fail(r, ERR_MALFORMED, "must not be null");
    return at;
}

static inline const uint8_t *read_bytes(struct reader *r, const struct kafka_field *f,
                                        const uint8_t *at, bool string, struct slice *out)
{
    int64_t n = 0;
    at = read_length(r, f, at, !string, &n);
    if (!at) return NULL;
    if (n < 0) {
        *out = (struct slice){0};
        return at;
    }
    if (string && n > KAFKA_STRING_MAX) return fail(r, ERR_MALFORMED, "is longer than 32767 bytes");
    if (!has(r, at, (size_t)n)) return ends(r);
    *out = (struct slice){at, (uint32_t)n};
    return at + n;
}

static const uint8_t *read_records(struct reader *r, const struct kafka_field *f, const uint8_t *at,
                                   struct kafka_records *out)
{
    *out = (struct kafka_records){.fd = -1};
    at = read_bytes(r, f, at, false, &out->bytes);
    out->null = !out->bytes.at;
    return at;
}

/* What an element takes on the wire at the least. */
static size_t least_size(const struct reader *r, const struct kafka_struct *s)
{
    static const uint8_t old[] = {
        [KAFKA_BOOL] = 1,  [KAFKA_INT8] = 1,   [KAFKA_INT16] = 2,   [KAFKA_UINT16] = 2,
        [KAFKA_INT32] = 4, [KAFKA_UINT32] = 4, [KAFKA_INT64] = 8,   [KAFKA_FLOAT64] = 8,
        [KAFKA_UUID] = 16, [KAFKA_STRING] = 2, [KAFKA_BYTES] = 4,   [KAFKA_RECORDS] = 4,
        [KAFKA_LIST] = 4,  [KAFKA_ARRAY] = 4,  [KAFKA_POINTER] = 1,
    };
    size_t sum = r->flexible;
    for (int i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        if (!kafka_field_in(f, r->version) || f->tagged) continue;
        if (f->type == KAFKA_STRUCT)
            sum += least_size(r, f->of);
        else
            sum += kafka_compact(f, r->flexible) && f->type >= KAFKA_STRING ? 1 : old[f->type];
    }
    return MAX(sum, (size_t)1);
}

/* Room for `count` elements, of which each takes `least` bytes of those that are left. */
static uint8_t *take(struct reader *r, const uint8_t *at, int64_t count, size_t least, size_t size)
{
    if ((uint64_t)count > (size_t)(r->end - at) / least) {
        fail(r, ERR_SHORT, "counts more elements than there are bytes for");
        return NULL;
    }
    uint8_t *room = arena_take_raw(r->arena, (size_t)count * size);
    if (!room) fail(r, ERR_TOO_BIG, "takes more memory than is allowed for it");
    return room;
}

static const uint8_t *read_array(struct reader *r, const struct kafka_field *f, const uint8_t *at,
                                 struct kafka_view *out)
{
    int64_t count = 0;
    at = read_length(r, f, at, true, &count);
    *out = (struct kafka_view){NULL, (int32_t)count};
    if (!at || count <= 0) return at;
    const struct kafka_struct *s = f->of;
    uint8_t *room = take(r, at, count, least_size(r, s), s->size);
    if (!room) return NULL;
    out->at = room;
    for (int32_t i = 0; i < out->count; i++) {
        at = read_struct(r, s, at, room + (size_t)i * s->size);
        if (!at) {
            r->path.index = i;
            return NULL;
        }
    }
    return at;
}

static const uint8_t *read_list(struct reader *r, const struct kafka_field *f, const uint8_t *at,
                                struct kafka_view *out)
{
    int64_t count = 0;
    at = read_length(r, f, at, true, &count);
    *out = (struct kafka_view){NULL, (int32_t)count};
    if (!at || count <= 0) return at;
    size_t size = kafka_element_size(f->element);
    bool text = f->element >= KAFKA_STRING;
    size_t least = !text ? size : r->flexible ? 1 : f->element == KAFKA_STRING ? 2 : 4;
    uint8_t *room = take(r, at, count, least, size);
    if (!room) return NULL;
    out->at = room;
    struct kafka_field one = {.type = f->element, .never_compact = f->never_compact};
    for (int32_t i = 0; i < out->count; i++) {
        at = read_field(r, &one, at, room + (size_t)i * size);
        if (!at) {
            r->path.index = i;
            return NULL;
        }
    }
    return at;
}

static const uint8_t *read_pointer(struct reader *r, const struct kafka_field *f, const uint8_t *at,
                                   uint8_t *out)
{
    void *to = NULL;
    memcpy(out, &to, sizeof(to));
    if (!has(r, at, 1)) return ends(r);
    bool null = (int8_t)*at++ < 0;
    if (null && !kafka_may_be_null(f, r->version))
        return fail(r, ERR_MALFORMED, "must not be null");
    if (null) return at;
    to = take(r, at, 1, least_size(r, f->of), f->of->size);
    memcpy(out, &to, sizeof(to));
    return to ? read_struct(r, f->of, at, to) : NULL;
}

static const uint8_t *read_number(struct reader *r, const struct kafka_field *f, const uint8_t *at,
                                  uint8_t *to)
{
    switch ((enum kafka_type)f->type) {
    case KAFKA_INT16:
    case KAFKA_UINT16:
        if (!has(r, at, 2)) return ends(r);
        *(uint16_t *)to = be16(at);
        return at + 2;
    case KAFKA_FLOAT64: {
        if (!has(r, at, 8)) return ends(r);
        uint64_t bits = be64(at);
        memcpy(to, &bits, sizeof(bits));
        return at + 8;
    }
    case KAFKA_UUID:
        if (!has(r, at, 16)) return ends(r);
        memcpy(to, at, 16);
        return at + 16;
    case KAFKA_BOOL:
        if (!has(r, at, 1)) return ends(r);
        *(bool *)to = *at != 0;
        return at + 1;
    default: /* INT8 */
        if (!has(r, at, 1)) return ends(r);
        *to = *at;
        return at + 1;
    }
}

static const uint8_t *read_field(struct reader *r, const struct kafka_field *f, const uint8_t *at,
                                 uint8_t *to)
{
    switch ((enum kafka_type)f->type) {
    case KAFKA_INT32:
    case KAFKA_UINT32:
        if (!has(r, at, 4)) return ends(r);
        *(uint32_t *)to = be32(at);
        return at + 4;
    case KAFKA_INT64:
        if (!has(r, at, 8)) return ends(r);
        *(uint64_t *)to = be64(at);
        return at + 8;
    case KAFKA_STRING: return read_bytes(r, f, at, true, (struct slice *)to);
    case KAFKA_BYTES: return read_bytes(r, f, at, false, (struct slice *)to);
    case KAFKA_RECORDS: return read_records(r, f, at, (struct kafka_records *)to);
    case KAFKA_ARRAY: return read_array(r, f, at, (struct kafka_view *)to);
    case KAFKA_LIST: return read_list(r, f, at, (struct kafka_view *)to);
    case KAFKA_STRUCT: return read_struct(r, f->of, at, to);
    case KAFKA_POINTER: return read_pointer(r, f, at, to);
    default: return read_number(r, f, at, to);
    }
}

static const struct kafka_field *tagged(const struct reader *r, const struct kafka_struct *s,
                                        uint32_t tag)
{
    for (int i = 0; i < s->count; i++)
        if (s->fields[i].tagged && s->fields[i].tag == tag &&
            kafka_field_in(&s->fields[i], r->version))
            return &s->fields[i];
    return NULL;
}

static const uint8_t *read_tag(struct reader *r, const struct kafka_struct *s, const uint8_t *at,
                               uint8_t *out)
{
    uint32_t tag = 0, size = 0;
    at = read_uvarint(r, at, &tag);
    if (at) at = read_uvarint(r, at, &size);
    if (!at) return NULL;
    if (!has(r, at, size)) return ends(r);
    const struct kafka_field *f = tagged(r, s, tag);
    if (!f) return at + size;
    const uint8_t *end = r->end, *after = at + size;
    r->end = after;
    at = read_field(r, f, at, out + f->offset);
    r->end = end;
    if (at && at != after) at = fail(r, ERR_MALFORMED, "is shorter than its tag says");
    if (!at) kafka_path_add(&r->path, f);
    return at;
}

static const uint8_t *read_tags(struct reader *r, const struct kafka_struct *s, const uint8_t *at,
                                uint8_t *out)
{
    uint32_t count = 0;
    at = read_uvarint(r, at, &count);
    for (uint32_t i = 0; at && i < count; i++) at = read_tag(r, s, at, out);
    return at;
}

static const uint8_t *read_struct(struct reader *r, const struct kafka_struct *s, const uint8_t *at,
                                  uint8_t *out)
{
    const struct kafka_field *end = s->fields + s->count;
    for (const struct kafka_field *f = s->fields; f < end; f++) {
        if (f->tagged || !kafka_field_in(f, r->version)) {
            kafka_field_init(f, out + f->offset);
            continue;
        }
        at = read_field(r, f, at, out + f->offset);
        if (!at) {
            kafka_path_add(&r->path, f);
            return NULL;
        }
    }
    return r->flexible ? read_tags(r, s, at, out) : at;
}

err_t kafka_decode(const struct kafka_message *m, int16_t version, struct cursor *in,
                   struct arena *a, void *out, struct diag *d)
{
    if (in->err) return diag_fail(d, in->err, "%s v%d: %s", m->name, version, err_text(in->err));
    err_t e = kafka_version_check(m, version, d);
    if (e) return in->err = e;
    struct reader r = {.end = in->end,
                       .arena = a,
                       .version = version,
                       .flexible = version >= m->flexible_first,
                       .path.index = -1};
    const uint8_t *at = in->at ? in->at : (const uint8_t *)"";
    if (!in->at) r.end = at;
    at = read_struct(&r, m->root, at, out);
    if (!at) return in->err = kafka_path_fail(&r.path, m, version, r.err, r.why, d);
    in->at = at;
    in->end = r.end;
    return ERR_OK;
}

err_t kafka_decode_versioned(const struct kafka_message *m, struct slice in, struct arena *a,
                             void *out, int16_t *version, struct diag *d)
{
    struct cursor c = cursor_of(in.at ? in : SLICE(""));
    *version = cursor_i16(&c);
    if (c.err) return diag_fail(d, ERR_SHORT, "%s: its version ends too early", m->name);
    return kafka_decode(m, *version, &c, a, out, d);
}
