/* The tables of wire/kafka and their codec, for tests/peers/test_kafka_wire.py:
 *     kafka_tables tables          everything the tables say, as JSON
 *     kafka_tables make SEED       every message at every version with random content: a line each
 *     kafka_tables again           reads such lines, answers what decoding and encoding makes of
 * them A line: NAME VERSION HEX. */
#include "data/json.h"
#include "wire/kafka/kafka_int.h"
#include "wire/kafka/kafka_kit.h"

#include <stdio.h>
#include <stdlib.h>

static void put_flag(struct buf *out, const char *name, bool set)
{
    buf_printf(out, ", \"%s\": %s", name, set ? "true" : "false");
}

static const char *type_name(uint8_t type)
{
    static const char *const names[] = {"bool",  "int8",    "int16",  "uint16", "int32", "uint32",
                                        "int64", "float64", "uuid",   "string", "bytes", "records",
                                        "list",  "array",   "struct", "pointer"};
    return names[type];
}

static void put_struct(struct buf *out, const struct kafka_struct *s)
{
    buf_char(out, '[');
    for (int i = 0; i < s->count; i++) {
        const struct kafka_field *f = &s->fields[i];
        buf_printf(out, "%s{\"name\": \"%s\", \"type\": \"%s\", \"first\": %d, \"last\": %d",
                   i ? ", " : "", f->name, type_name(f->type), f->first, f->last);
        if (f->type == KAFKA_LIST) buf_printf(out, ", \"element\": \"%s\"", type_name(f->element));
        buf_printf(out, ", \"nullable\": %d", f->nullable ? f->nullable_first : -1);
        buf_printf(out, ", \"tag\": %d, \"preset\": %lld", f->tagged ? f->tag : -1,
                   (long long)f->preset);
        put_flag(out, "null_preset", f->null_preset);
        put_flag(out, "ignorable", f->ignorable);
        put_flag(out, "never_compact", f->never_compact);
        if (f->of) buf_text(out, ", \"fields\": ");
        if (f->of) put_struct(out, f->of);
        buf_char(out, '}');
    }
    buf_char(out, ']');
}

static void put_tables(struct buf *out)
{
    buf_text(out, "{\"messages\": [");
    for (size_t i = 0; i < kafka_message_count; i++) {
        const struct kafka_message *m = kafka_messages[i];
        buf_printf(out,
                   "%s{\"name\": \"%s\", \"key\": %d, \"first\": %d, \"last\": %d, \"flexible\": "
                   "%d, \"fields\": ",
                   i ? ",\n" : "", m->name, m->api_key, m->first, m->last, m->flexible_first);
        put_struct(out, m->root);
        buf_char(out, '}');
    }
    buf_text(out, "], \"apis\": [");
    for (size_t i = 0; i < kafka_api_count; i++) {
        const struct kafka_api *a = &kafka_apis[i];
        buf_printf(out,
                   "%s{\"key\": %d, \"name\": \"%s\", \"first\": %d, \"last\": %d, \"said_first\": "
                   "%d, \"flexible\": %d}",
                   i ? ",\n" : "", a->key, a->name, a->first, a->last, a->said_first,
                   a->flexible_first);
    }
    buf_text(out, "], \"errors\": [");
    for (int16_t code = -1; code == -1 || kafka_error_of(code)->code == code; code++) {
        const struct kafka_error *e = kafka_error_of(code);
        buf_printf(out, "%s{\"code\": %d, \"name\": \"%s\", \"text\": ", code < 0 ? "" : ",\n",
                   e->code, e->name);
        json_put_text(out, slice_of(e->text));
        put_flag(out, "retriable", e->retriable);
        buf_char(out, '}');
    }
    buf_text(out, "]}\n");
}

static void put_line(const char *name, int version, const struct buf *bytes)
{
    struct buf hex = buf_make(MIB(8));
    put_hex(&hex, bytes->at, bytes->len);
    printf("%s %d %s\n", name, version, buf_cstr(&hex));
    buf_done(&hex);
}

static int make(uint64_t seed)
{
    struct arena *a = arena_new(MIB(64));
    for (size_t i = 0; i < kafka_message_count; i++) {
        const struct kafka_message *m = kafka_messages[i];
        for (int16_t version = m->first; version <= m->last; version++) {
            struct kafka_kit kit = {seed + i * 1000003 + (uint64_t)version, a};
            struct buf out = buf_make(MIB(4));
            struct diag d;
            if (kafka_encode(m, version, kafka_kit_make(&kit, m, version), &out, NULL, &d)) {
                fprintf(stderr, "%s\n", d.what);
                return 1;
            }
            put_line(m->name, version, &out);
            buf_done(&out);
            arena_reset(a);
        }
    }
    arena_free(a);
    return 0;
}

static const struct kafka_message *named(const char *name)
{
    for (size_t i = 0; i < kafka_message_count; i++)
        if (strcmp(kafka_messages[i]->name, name) == 0) return kafka_messages[i];
    return NULL;
}

static int again_one(const char *name, int version, const char *hex, struct arena *a)
{
    const struct kafka_message *m = named(name);
    struct diag d = {0};
    struct buf out = buf_make(MIB(4));
    size_t len = strlen(hex) / 2;
    uint8_t *bytes = arena_take(a, len + 1);
    if (!m || !bytes || !parse_hex(slice_of(hex), bytes, len)) {
        fprintf(stderr, "%s: no such message, or no hex\n", name);
        return 1;
    }
    struct cursor in = cursor_of(slice_make(bytes, len));
    void *message = arena_take(a, m->root->size);
    err_t e = kafka_decode(m, (int16_t)version, &in, a, message, &d);
    if (!e) e = kafka_encode(m, (int16_t)version, message, &out, NULL, &d);
    if (e)
        printf("%s %d refused: %s\n", name, version, d.what);
    else if (cursor_left(&in))
        printf("%s %d refused: %zu bytes are left\n", name, version, cursor_left(&in));
    else
        put_line(name, version, &out);
    buf_done(&out);
    return 0;
}

static int again(void)
{
    static char line[4 << 20], name[100];
    struct arena *a = arena_new(MIB(64));
    int bad = 0;
    while (!bad && fgets(line, sizeof(line), stdin)) {
        int version = 0, at = 0;
        line[strcspn(line, "\n")] = 0;
        bad = sscanf(line, "%99s %d %n", name, &version, &at) != 2;
        if (!bad) bad = again_one(name, version, line + at, a);
        arena_reset(a);
    }
    arena_free(a);
    return bad;
}

int main(int count, char **words)
{
    if (count == 2 && strcmp(words[1], "tables") == 0) {
        struct buf out = buf_make(MIB(8));
        put_tables(&out);
        fputs(buf_cstr(&out), stdout);
        buf_done(&out);
        return 0;
    }
    if (count == 3 && strcmp(words[1], "make") == 0) return make(strtoull(words[2], NULL, 10));
    if (count == 2 && strcmp(words[1], "again") == 0) return again();
    fprintf(stderr, "usage: kafka_tables tables | make SEED | again\n");
    return 2;
}
