#include "door/console/record_js.h"

#include "base/hash.h"
#include "data/json_parts.h"

enum { REGISTRY_HEAD = 5 /* Confluent's: a zero byte, a schema's number */ };

const char *const bytes_kind_names[BYTES_KINDS] = {"null", "json", "text", "binary"};

err_t record_js_init(struct record_js *j, uint32_t value_max, struct diag *d)
{
    *j = (struct record_js){.json = json_decoder_new(), .value_max = value_max};
    return j->json ? ERR_OK : diag_fail(d, ERR_NO_MEMORY, "no memory for a JSON decoder");
}

void record_js_done(struct record_js *j)
{
    json_decoder_free(j->json);
}

/* Text may hold line ends and tabs; other control characters make it binary. */
static bool is_text(struct slice s)
{
    uint32_t bad;
    for (uint32_t i = 0; i < s.len; i++)
        if ((s.at[i] < ' ' && s.at[i] != '\n' && s.at[i] != '\r' && s.at[i] != '\t') ||
            s.at[i] == 0x7f)
            return false;
    return utf8_valid(s, &bad);
}

enum bytes_kind bytes_kind_of(struct json_decoder *json, struct slice bytes, bool null)
{
    struct diag d;
    if (null) return BYTES_NULL;
    uint32_t at = bytes.len ? json_skip_space(bytes, 0) : 0;
    bool open = at < bytes.len && (bytes.at[at] == '{' || bytes.at[at] == '[');
    if (open && json_validate(json, bytes, &d) == ERR_OK) return BYTES_JSON;
    return is_text(bytes) ? BYTES_TEXT : BYTES_BINARY;
}

/* Cut between two characters. */
static struct slice cut_text(struct slice s, uint32_t most)
{
    uint32_t len = MIN(s.len, most);
    while (len < s.len && len > 0 && (s.at[len] & 0xC0) == 0x80) len--;
    return slice_make(s.at, len);
}

static void put_hex_text(struct buf *out, struct slice s)
{
    js_name(out, "text");
    buf_char(out, '"');
    put_hex(out, s.at, s.len);
    buf_char(out, '"');
}

static void put_bytes(struct record_js *j, struct buf *out, const char *name, struct slice bytes,
                      bool null, bool padded)
{
    enum bytes_kind kind = padded ? bytes_kind_of(j->json, bytes, null)
                           : null ? BYTES_NULL
                                  : (is_text(bytes) ? BYTES_TEXT : BYTES_BINARY);
    struct slice shown = kind == BYTES_BINARY ? slice_make(bytes.at, MIN(bytes.len, j->value_max))
                                              : cut_text(bytes, j->value_max);
    js_put_open(out, name, '{');
    js_put_cstr(out, "type", bytes_kind_names[kind]);
    if (kind == BYTES_BINARY)
        put_hex_text(out, shown);
    else if (kind == BYTES_NULL)
        js_name(out, "text"), js_null(out);
    else
        js_put_text(out, "text", shown.at ? shown : SLICE(""));
    js_put_uint(out, "size", null ? 0 : bytes.len);
    js_put_bool(out, "cut", !null && shown.len < bytes.len);
    if (kind == BYTES_BINARY && bytes.len > REGISTRY_HEAD && bytes.at[0] == 0) {
        struct cursor c = cursor_of(slice_make(bytes.at + 1, REGISTRY_HEAD - 1));
        js_put_int(out, "schema_id", cursor_i32(&c));
    }
    js_close(out, '}');
}

static void put_headers(struct record_js *j, struct buf *out, const struct record *r)
{
    struct cursor c = cursor_of(r->headers);
    struct record_header h;
    js_put_open(out, "headers", '[');
    for (int32_t i = 0; i < r->header_count && record_header_next(&c, &h) == ERR_OK; i++) {
        js_open(out, '{');
        js_put_text(out, "name", h.key.at ? h.key : SLICE(""));
        put_bytes(j, out, "value", h.value, h.value_null, false);
        js_close(out, '}');
    }
    js_close(out, ']');
}

void record_js_put(struct record_js *j, struct buf *out, const struct browse_record *r)
{
    bool mark = r->kind == BROWSE_COMMIT_MARK || r->kind == BROWSE_ABORT_MARK;
    bool none = mark || r->kind == BROWSE_UNREADABLE;
    js_open(out, '{');
    js_put_int(out, "partition", r->partition);
    js_put_int(out, "offset", r->record.offset);
    js_put_int(out, "last_offset", r->last_offset);
    js_put_time(out, "time", r->record.timestamp);
    js_put_int(out, "time_ms", r->record.timestamp);
    js_put_cstr(out, "time_of", r->append_time ? "log" : "producer");
    js_put_cstr(out, "kind", browse_kind_name(r->kind));
    put_bytes(j, out, "key", r->record.key, none || r->record.key_null, true);
    put_bytes(j, out, "value", r->record.value, none || r->record.value_null, true);
    put_headers(j, out, &r->record);
    js_put_cstr(out, "codec", codec_name(r->codec));
    js_name(out, "producer_id");
    if (r->producer_id < 0)
        js_null(out);
    else
        js_int(out, r->producer_id);
    js_close(out, '}');
}
