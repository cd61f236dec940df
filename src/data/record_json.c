#include "data/record_json.h"

#include "base/hash.h"
#include "data/json.h"

void record_put_json_bytes(struct buf *out, struct slice bytes, bool null)
{
    uint32_t bad;
    if (null) {
        buf_text(out, "null");
    } else if (utf8_valid(bytes, &bad)) {
        json_put_text(out, bytes);
    } else {
        buf_text(out, "{\"base64\": \"");
        put_base64(out, bytes);
        buf_text(out, "\"}");
    }
}

void record_put_json(struct buf *out, struct slice topic, int32_t partition, const struct record *r)
{
    struct cursor c = cursor_of(r->headers);
    struct record_header h;
    buf_text(out, "{\"topic\": ");
    json_put_text(out, topic);
    buf_printf(out,
               ", \"partition\": %d, \"offset\": %lld, \"timestamp\": %lld, \"key\": ", partition,
               (long long)r->offset, (long long)r->timestamp);
    record_put_json_bytes(out, r->key, r->key_null);
    buf_text(out, ", \"value\": ");
    record_put_json_bytes(out, r->value, r->value_null);
    buf_text(out, ", \"headers\": [");
    for (int32_t i = 0; i < r->header_count && record_header_next(&c, &h) == ERR_OK; i++) {
        buf_text(out, i ? ", {\"key\": " : "{\"key\": ");
        record_put_json_bytes(out, h.key, false);
        buf_text(out, ", \"value\": ");
        record_put_json_bytes(out, h.value, h.value_null);
        buf_char(out, '}');
    }
    buf_text(out, "]}\n");
}
