/* The lists of docs/kafka-wire.md: what the tables say, for people. */
#include "wire/kafka/kafka_int.h"

static void put_versions(int first, int last, struct buf *out)
{
    if (last == KAFKA_NEVER)
        buf_printf(out, "%d+", first);
    else if (first == last)
        buf_printf(out, "%d", first);
    else
        buf_printf(out, "%d-%d", first, last);
}

static void put_type(const struct kafka_field *f, struct buf *out)
{
    static const char *const names[] = {
        [KAFKA_BOOL] = "bool",     [KAFKA_INT8] = "int8",       [KAFKA_INT16] = "int16",
        [KAFKA_UINT16] = "uint16", [KAFKA_INT32] = "int32",     [KAFKA_UINT32] = "uint32",
        [KAFKA_INT64] = "int64",   [KAFKA_FLOAT64] = "float64", [KAFKA_UUID] = "uuid",
        [KAFKA_STRING] = "string", [KAFKA_BYTES] = "bytes",     [KAFKA_RECORDS] = "records",
        [KAFKA_ARRAY] = "array",   [KAFKA_STRUCT] = "struct",   [KAFKA_POINTER] = "struct",
    };
    if (f->type == KAFKA_LIST)
        buf_printf(out, "array of %s", names[f->element]);
    else
        buf_text(out, names[f->type]);
}

static void put_struct(const struct kafka_struct *s, int depth, struct buf *out)
{
    for (int i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        buf_printf(out, "%*s%s ", depth * 2, "", f->name);
        put_type(f, out);
        if (f->first || f->last != KAFKA_NEVER) {
            buf_text(out, f->first ? ", in " : ", up to ");
            if (f->first)
                put_versions(f->first, f->last, out);
            else
                buf_printf(out, "%d", f->last);
        }
        if (f->nullable) buf_text(out, ", or null");
        if (f->nullable_first) buf_printf(out, " from %d on", f->nullable_first);
        if (f->tagged) buf_printf(out, ", tag %d", f->tag);
        if (f->preset) buf_printf(out, ", default %lld", (long long)f->preset);
        if (f->null_preset) buf_text(out, ", default null");
        buf_char(out, '\n');
        if (f->of) put_struct(f->of, depth + 1, out);
    }
}

static void put_message(const struct kafka_message *m, struct buf *out)
{
    buf_printf(out, "%s {\n", m->name);
    put_struct(m->root, 1, out);
    buf_text(out, "}\n");
}

void kafka_wire_help(struct buf *out)
{
    buf_text(out, "| key | API | versions | flexible from |\n|---|---|---|---|\n");
    for (size_t i = 0; i < kafka_api_count; i++) {
        const struct kafka_api *a = &kafka_apis[i];
        buf_printf(out, "| %d | %s | ", a->key, a->name);
        put_versions(a->first, a->last, out);
        if (a->flexible_first == KAFKA_NEVER)
            buf_text(out, " | |\n");
        else
            buf_printf(out, " | %d |\n", a->flexible_first);
    }
    for (size_t i = 0; i < kafka_api_count; i++) {
        const struct kafka_api *a = &kafka_apis[i];
        buf_printf(out, "\n## %s (%d)\n```\n", a->name, a->key);
        put_message(a->request, out);
        put_message(a->response, out);
        buf_text(out, "```\n");
    }
    buf_text(out, "\n## Headers, consumers' metadata, records of internal topics\n```\n");
    for (size_t i = 0; i < kafka_message_count; i++)
        if (kafka_messages[i]->api_key < 0) put_message(kafka_messages[i], out);
    buf_text(out, "```\n");
}
