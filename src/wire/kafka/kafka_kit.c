#include "wire/kafka/kafka_kit.h"

#include "wire/kafka/kafka_int.h"

static void make_struct(struct kafka_kit *k, const struct kafka_struct *s, int16_t version,
                        uint8_t *out);

uint64_t kafka_kit_random(struct kafka_kit *k)
{
    uint64_t z = k->random += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

static uint32_t below(struct kafka_kit *k, uint32_t n)
{
    return (uint32_t)(kafka_kit_random(k) % n);
}

static struct slice make_bytes(struct kafka_kit *k, bool text)
{
    static const char *const letters[] = {"a", "b", "-", "\"", "\n", "ø", "語", "😀", "0", " "};
    uint32_t count = below(k, 8) ? below(k, 12) : 100 + below(k, 200); /* now and then two bytes
                                                                          of compact length */
    struct buf out = buf_over(arena_take(k->arena, 2048), 2048);
    for (uint32_t i = 0; i < count; i++)
        if (text)
            buf_text(&out, letters[below(k, COUNT_OF(letters))]);
        else
            buf_char(&out, (char)kafka_kit_random(k));
    return buf_view(&out);
}

/* Small ones, their neighbours at the edges, and any. */
static int64_t make_number(struct kafka_kit *k)
{
    switch (below(k, 4)) {
    case 0: return (int64_t)below(k, 3) - 1;
    case 1: return (below(k, 2) ? INT64_MAX : INT64_MIN) >> (8 * below(k, 8));
    default: return (int64_t)kafka_kit_random(k) >> below(k, 64);
    }
}

static void make_field(struct kafka_kit *k, const struct kafka_field *f, int16_t version,
                       uint8_t *to);

static void make_array(struct kafka_kit *k, const struct kafka_field *f, int16_t version,
                       struct kafka_view *out)
{
    bool list = f->type == KAFKA_LIST;
    size_t size = list ? kafka_element_size(f->element) : f->of->size;
    struct kafka_field one = {.type = list ? f->element : (uint8_t)KAFKA_STRUCT, .of = f->of};
    int32_t count = (int32_t)below(k, 4);
    if (!below(k, 16)) count = list ? 200 : 20;
    *out = (struct kafka_view){count ? arena_take(k->arena, (size_t)count * size) : NULL, count};
    for (int32_t i = 0; i < count; i++)
        make_field(k, &one, version, (uint8_t *)out->at + (size_t)i * size);
}

static void make_field(struct kafka_kit *k, const struct kafka_field *f, int16_t version,
                       uint8_t *to)
{
    bool null = kafka_may_be_null(f, version) && !below(k, 3);
    int64_t n = make_number(k);
    switch ((enum kafka_type)f->type) {
    case KAFKA_BOOL: *(bool *)to = n & 1; break;
    case KAFKA_INT8: *(int8_t *)to = (int8_t)n; break;
    case KAFKA_INT16: *(int16_t *)to = (int16_t)n; break;
    case KAFKA_UINT16: *(uint16_t *)to = (uint16_t)n; break;
    case KAFKA_INT32: *(int32_t *)to = (int32_t)n; break;
    case KAFKA_UINT32: *(uint32_t *)to = (uint32_t)n; break;
    case KAFKA_INT64: *(int64_t *)to = n; break;
    case KAFKA_FLOAT64: *(double *)to = (double)n / 3; break;
    case KAFKA_UUID:
        for (int i = 0; i < 16; i++) to[i] = (uint8_t)kafka_kit_random(k);
        break;
    case KAFKA_STRING:
    case KAFKA_BYTES:
        *(struct slice *)to = null ? (struct slice){0} : make_bytes(k, f->type == KAFKA_STRING);
        break;
    case KAFKA_RECORDS:
        *(struct kafka_records *)to = (struct kafka_records){.null = null, .fd = -1};
        if (!null) ((struct kafka_records *)to)->bytes = make_bytes(k, false);
        break;
    case KAFKA_LIST:
    case KAFKA_ARRAY:
        *(struct kafka_view *)to = (struct kafka_view){NULL, -1};
        if (!null) make_array(k, f, version, (struct kafka_view *)to);
        break;
    case KAFKA_STRUCT: make_struct(k, f->of, version, to); break;
    case KAFKA_POINTER: {
        void *made = null ? NULL : arena_take(k->arena, f->of->size);
        memcpy(to, &made, sizeof(made));
        if (made) make_struct(k, f->of, version, made);
        break;
    }
    }
}

static void make_struct(struct kafka_kit *k, const struct kafka_struct *s, int16_t version,
                        uint8_t *out)
{
    kafka_struct_init(s, out);
    for (int i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        bool left_out = f->tagged && below(k, 2);
        if (kafka_field_in(f, version) && !left_out) make_field(k, f, version, out + f->offset);
    }
}

void *kafka_kit_make(struct kafka_kit *k, const struct kafka_message *m, int16_t version)
{
    void *out = arena_take(k->arena, m->root->size);
    make_struct(k, m->root, version, out);
    return out;
}

static bool equal_bytes(struct slice a, struct slice b)
{
    if (!a.at || !b.at) return a.at == b.at;
    return slice_equal(a, b);
}

static bool equal_one(const struct kafka_field *f, uint8_t type, const uint8_t *a, const uint8_t *b)
{
    const struct kafka_records *r = (const struct kafka_records *)a;
    const struct kafka_records *q = (const struct kafka_records *)b;
    switch ((enum kafka_type)type) {
    case KAFKA_STRING:
    case KAFKA_BYTES: return equal_bytes(*(const struct slice *)a, *(const struct slice *)b);
    case KAFKA_RECORDS: return r->null == q->null && (r->null || equal_bytes(r->bytes, q->bytes));
    case KAFKA_STRUCT: return kafka_kit_equal(f->of, a, b);
    case KAFKA_POINTER:
        if (!kafka_pointer(a) || !kafka_pointer(b)) return kafka_pointer(a) == kafka_pointer(b);
        return kafka_kit_equal(f->of, kafka_pointer(a), kafka_pointer(b));
    default: return memcmp(a, b, kafka_element_size(type)) == 0;
    }
}

static bool equal_field(const struct kafka_field *f, const uint8_t *a, const uint8_t *b)
{
    bool list = f->type == KAFKA_LIST;
    if (!list && f->type != KAFKA_ARRAY) return equal_one(f, f->type, a, b);
    const struct kafka_view *v = (const struct kafka_view *)a, *w = (const struct kafka_view *)b;
    size_t size = list ? kafka_element_size(f->element) : f->of->size;
    bool same = v->count == w->count;
    for (int32_t i = 0; same && i < v->count; i++)
        same = equal_one(f, list ? f->element : (uint8_t)KAFKA_STRUCT,
                         (const uint8_t *)v->at + (size_t)i * size,
                         (const uint8_t *)w->at + (size_t)i * size);
    return same;
}

bool kafka_kit_equal(const struct kafka_struct *s, const void *a, const void *b)
{
    bool same = true;
    for (int i = 0; same && i < s->count; i++)
        same = equal_field(&s->fields[i], (const uint8_t *)a + s->fields[i].offset,
                           (const uint8_t *)b + s->fields[i].offset);
    return same;
}
