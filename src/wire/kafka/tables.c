#include "wire/kafka/kafka_int.h"

/* --- the rows become tables ------------------------------------------------------------------- */
#define ALWAYS            .first = 0, .last = KAFKA_NEVER
#define SINCE(a)          .first = (a), .last = KAFKA_NEVER
#define UNTIL(b)          .first = 0, .last = (b)
#define BETWEEN(a, b)     .first = (a), .last = (b)
#define NULLABLE          .nullable = true
#define NULLABLE_SINCE(a) .nullable = true, .nullable_first = (a)
#define TAG(n)            .tagged = true, .tag = (n)
#define DEFAULT(n)        .preset = (n)
#define DEFAULT_NULL      .null_preset = true
#define IGNORABLE         .ignorable = true
#define NEVER_COMPACT     .never_compact = true
#define OFFSET(field)     .offset = offsetof(struct KAFKA_JOIN(kafka_, HERE, ), field)
#define NAMED(field)      .name = #field, OFFSET(field)
#define BEGIN             static const struct kafka_field KAFKA_JOIN(kafka_, HERE, _fields)[] = {
#define END                                                                                        \
    }                                                                                              \
    ;
#define FIELD(kind, to, ...) {NAMED(to), .type = KAFKA_##kind, __VA_ARGS__},
#define LIST(kind, to, ...)  {NAMED(to), .type = KAFKA_LIST, .element = KAFKA_##kind, __VA_ARGS__},
#define ARRAY(nested, to, ...)                                                                     \
    {NAMED(to), .type = KAFKA_ARRAY, .of = &kafka_##nested##_struct, __VA_ARGS__},
#define STRUCT(nested, to, ...)                                                                    \
    {NAMED(to), .type = KAFKA_STRUCT, .of = &kafka_##nested##_struct, __VA_ARGS__},
#define POINTER(nested, to, ...)                                                                   \
    {NAMED(to), .type = KAFKA_POINTER, .of = &kafka_##nested##_struct, __VA_ARGS__},
#include "wire/kafka/messages/all.def"
#undef BEGIN
#undef END
#undef FIELD
#undef LIST
#undef ARRAY
#undef STRUCT
#undef POINTER

#define TEXT_(a) #a
#define TEXT(a)  TEXT_(a)
#define FIELDS   KAFKA_JOIN(kafka_, HERE, _fields)
#define SIZE     sizeof(struct KAFKA_JOIN(kafka_, HERE, ))
#define BEGIN    const struct kafka_struct KAFKA_JOIN(kafka_, HERE, _struct) = {
#define END                                                                                        \
    .name = TEXT(HERE), .fields = FIELDS, .count = COUNT_OF(FIELDS), .size = SIZE                  \
    }                                                                                              \
    ;
#define FIELD(kind, to, ...)
#define LIST(kind, to, ...)
#define ARRAY(nested, to, ...)
#define STRUCT(nested, to, ...)
#define POINTER(nested, to, ...)
#include "wire/kafka/messages/all.def"

#define NEVER KAFKA_NEVER
#define MESSAGE_(name, text, key, a, b, flexible)                                                  \
    const struct kafka_message kafka_##name##_message = {                                          \
        text, &kafka_##name##_struct, key, a, b, flexible};
#define MESSAGE(name, text, a, b, flexible) MESSAGE_(name, text, -1, a, b, flexible)
#define API(key, name, text, a, b, said, flexible)                                                 \
    MESSAGE_(name##_request, text "Request", key, a, b, flexible)                                  \
    MESSAGE_(name##_response, text "Response", key, a, b, flexible)
#include "wire/kafka/apis.def"
#undef MESSAGE
#undef API

#define MESSAGE(name, text, a, b, flexible) &kafka_##name##_message,
#define API(key, name, text, a, b, said, flexible)                                                 \
    &kafka_##name##_request_message, &kafka_##name##_response_message,
const struct kafka_message *const kafka_messages[] = {
#include "wire/kafka/apis.def"
};
const size_t kafka_message_count = COUNT_OF(kafka_messages);
#undef MESSAGE
#undef API

#define MESSAGE(name, text, a, b, flexible)
#define API(key, name, text, a, b, said, flexible)                                                 \
    {key,                                                                                          \
     text,                                                                                         \
     a,                                                                                            \
     b,                                                                                            \
     said,                                                                                         \
     flexible,                                                                                     \
     &kafka_##name##_request_message,                                                              \
     &kafka_##name##_response_message},
const struct kafka_api kafka_apis[] = {
#include "wire/kafka/apis.def"
};
const size_t kafka_api_count = COUNT_OF(kafka_apis);

static const struct kafka_error errors[] = {
#define KAFKA_ERROR(code, name, again, text) {code, again, #name, text},
#include "wire/kafka/errors.def"
};

const struct kafka_api *kafka_api_of(int16_t key)
{
    size_t low = 0, high = kafka_api_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (kafka_apis[middle].key == key) return &kafka_apis[middle];
        if (kafka_apis[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const struct kafka_error *kafka_error_of(int16_t code)
{
    int at = code - errors[0].code; /* the codes have no gaps; a test holds them to it */
    return at >= 0 && (size_t)at < COUNT_OF(errors) ? &errors[at] : &errors[0];
}

/* --- defaults --------------------------------------------------------------------------------- */
size_t kafka_element_size(uint8_t type)
{
    static const size_t sizes[] = {
        [KAFKA_BOOL] = sizeof(bool),
        [KAFKA_INT8] = 1,
        [KAFKA_INT16] = 2,
        [KAFKA_UINT16] = 2,
        [KAFKA_INT32] = 4,
        [KAFKA_UINT32] = 4,
        [KAFKA_INT64] = 8,
        [KAFKA_FLOAT64] = sizeof(double),
        [KAFKA_UUID] = sizeof(struct uuid),
        [KAFKA_STRING] = sizeof(struct slice),
        [KAFKA_BYTES] = sizeof(struct slice),
        [KAFKA_RECORDS] = sizeof(struct kafka_records),
    };
    return sizes[type];
}

void kafka_field_init(const struct kafka_field *f, void *to)
{
    switch ((enum kafka_type)f->type) {
    case KAFKA_BOOL: *(bool *)to = f->preset != 0; break;
    case KAFKA_INT8: *(int8_t *)to = (int8_t)f->preset; break;
    case KAFKA_INT16: *(int16_t *)to = (int16_t)f->preset; break;
    case KAFKA_UINT16: *(uint16_t *)to = (uint16_t)f->preset; break;
    case KAFKA_INT32: *(int32_t *)to = (int32_t)f->preset; break;
    case KAFKA_UINT32: *(uint32_t *)to = (uint32_t)f->preset; break;
    case KAFKA_INT64: *(int64_t *)to = f->preset; break;
    case KAFKA_FLOAT64: *(double *)to = (double)f->preset; break;
    case KAFKA_UUID: *(struct uuid *)to = (struct uuid){{0}}; break;
    case KAFKA_STRING:
    case KAFKA_BYTES: *(struct slice *)to = f->null_preset ? (struct slice){0} : SLICE(""); break;
    case KAFKA_RECORDS:
        *(struct kafka_records *)to = (struct kafka_records){.null = true, .fd = -1};
        break;
    case KAFKA_LIST:
    case KAFKA_ARRAY:
        *(struct kafka_view *)to = (struct kafka_view){NULL, f->null_preset ? -1 : 0};
        break;
    case KAFKA_STRUCT: kafka_struct_init(f->of, to); break;
    case KAFKA_POINTER: memset(to, 0, sizeof(void *)); break;
    }
}

void kafka_struct_init(const struct kafka_struct *s, void *out)
{
    for (int i = 0; i < s->count; i++)
        kafka_field_init(&s->fields[i], (uint8_t *)out + s->fields[i].offset);
}

void kafka_init(const struct kafka_message *m, void *out)
{
    kafka_struct_init(m->root, out);
}

void *kafka_new(struct arena *a, const struct kafka_struct *s, int32_t count)
{
    uint8_t *all = count < 0 ? NULL : arena_take(a, MAX((size_t)count, 1) * s->size);
    for (int32_t i = 0; all && i < count; i++) kafka_struct_init(s, all + (size_t)i * s->size);
    return all;
}

/* --- where it went wrong ---------------------------------------------------------------------- */
void kafka_path_add(struct kafka_path *p, const struct kafka_field *f)
{
    INVARIANT(p->depth < KAFKA_DEPTH_MAX);
    p->at[p->depth].field = f;
    p->at[p->depth++].index = p->index;
    p->index = -1;
}

err_t kafka_path_fail(const struct kafka_path *p, const struct kafka_message *m, int16_t version,
                      err_t e, const char *why, struct diag *d)
{
    uint8_t room[200];
    struct buf text = buf_over(room, sizeof(room));
    for (int i = p->depth - 1; i >= 0; i--) {
        buf_text(&text, p->at[i].field->name);
        if (p->at[i].index >= 0) buf_printf(&text, "[%d]", p->at[i].index);
        if (i) buf_char(&text, '.');
    }
    return diag_fail(d, e, "%s v%d: %.*s %s", m->name, version, (int)text.len, (char *)text.at,
                     why);
}

err_t kafka_version_check(const struct kafka_message *m, int16_t version, struct diag *d)
{
    if (version >= m->first && version <= m->last) return ERR_OK;
    return diag_fail(d, ERR_VERSION, "%s has no version %d, only %d to %d", m->name, version,
                     m->first, m->last);
}
