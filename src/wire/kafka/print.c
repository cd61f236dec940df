/* A message as text, for logs and tests. */
#include "data/json.h"
#include "wire/kafka/kafka_int.h"

static void print_struct(const struct kafka_struct *s, int16_t version, const uint8_t *in,
                         struct buf *out);

/* As Kafka prints them: base64 for URLs, without padding. */
static void print_uuid(const uint8_t *from, struct buf *out)
{
    size_t begun = out->len;
    put_base64(out, slice_make(from, 16));
    if (out->err) return;
    out->len -= 2; /* "==" */
    for (size_t i = begun; i < out->len; i++) {
        if (out->at[i] == '+') out->at[i] = '-';
        if (out->at[i] == '/') out->at[i] = '_';
    }
}

static void print_one(const struct kafka_field *f, uint8_t type, int16_t version,
                      const uint8_t *from, struct buf *out)
{
    const struct slice *s = (const struct slice *)from;
    const struct kafka_records *r = (const struct kafka_records *)from;
    switch ((enum kafka_type)type) {
    case KAFKA_BOOL: buf_text(out, *(const bool *)from ? "true" : "false"); break;
    case KAFKA_INT8: buf_printf(out, "%d", *(const int8_t *)from); break;
    case KAFKA_INT16: buf_printf(out, "%d", *(const int16_t *)from); break;
    case KAFKA_UINT16: buf_printf(out, "%u", *(const uint16_t *)from); break;
    case KAFKA_INT32: buf_printf(out, "%d", *(const int32_t *)from); break;
    case KAFKA_UINT32: buf_printf(out, "%u", *(const uint32_t *)from); break;
    case KAFKA_INT64: buf_printf(out, "%lld", (long long)*(const int64_t *)from); break;
    case KAFKA_FLOAT64: json_put_f64(out, *(const double *)from); break;
    case KAFKA_UUID:
        buf_char(out, '"');
        print_uuid(from, out);
        buf_char(out, '"');
        break;
    case KAFKA_STRING:
        if (s->at)
            json_put_text(out, *s);
        else
            buf_text(out, "null");
        break;
    case KAFKA_BYTES:
        if (s->at)
            buf_printf(out, "\"<%u bytes>\"", s->len);
        else
            buf_text(out, "null");
        break;
    case KAFKA_RECORDS:
        if (r->null)
            buf_text(out, "null");
        else if (r->size && r->fd >= 0)
            buf_printf(out, "\"<%u bytes of a file>\"", r->size);
        else
            buf_printf(out, "\"<%u bytes>\"", r->bytes.len);
        break;
    case KAFKA_STRUCT: print_struct(f->of, version, from, out); break;
    case KAFKA_POINTER:
        if (kafka_pointer(from))
            print_struct(f->of, version, kafka_pointer(from), out);
        else
            buf_text(out, "null");
        break;
    case KAFKA_LIST:
    case KAFKA_ARRAY: break; /* print_field has them */
    }
}

static void print_field(const struct kafka_field *f, int16_t version, const uint8_t *from,
                        struct buf *out)
{
    const struct kafka_view *v = (const struct kafka_view *)from;
    bool list = f->type == KAFKA_LIST;
    if (!list && f->type != KAFKA_ARRAY) {
        print_one(f, f->type, version, from, out);
        return;
    }
    if (v->count < 0) {
        buf_text(out, "null");
        return;
    }
    size_t size = list ? kafka_element_size(f->element) : f->of->size;
    buf_char(out, '[');
    for (int32_t i = 0; i < v->count && !out->err; i++) {
        if (i) buf_text(out, ", ");
        print_one(f, list ? f->element : (uint8_t)KAFKA_STRUCT, version,
                  (const uint8_t *)v->at + (size_t)i * size, out);
    }
    buf_char(out, ']');
}

static void print_struct(const struct kafka_struct *s, int16_t version, const uint8_t *in,
                         struct buf *out)
{
    bool first = true;
    buf_char(out, '{');
    for (int i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        if (!kafka_field_in(f, version)) continue;
        buf_printf(out, "%s\"%s\": ", first ? "" : ", ", f->name);
        print_field(f, version, in + f->offset, out);
        first = false;
    }
    buf_char(out, '}');
}

void kafka_print(const struct kafka_message *m, int16_t version, const void *in, struct buf *out)
{
    print_struct(m->root, version, in, out);
}
