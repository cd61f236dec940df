#include "main/kafka/show_record.h"

#include "base/hash.h"
#include "data/record_json.h"
#include "data/value.h"

#include <stdio.h>

struct record_format record_format_usual(void)
{
    return (struct record_format){.value = true,
                                  .key_separator = SLICE("\t"),
                                  .line_separator = SLICE("\n"),
                                  .headers_separator = SLICE(","),
                                  .null_literal = SLICE("null")};
}

bool record_format_set(struct record_format *f, struct slice name, struct slice value)
{
    const struct {
        const char *name;
        bool *flag;
    } flags[] = {{"print.timestamp", &f->timestamp}, {"print.key", &f->key},
                 {"print.offset", &f->offset},       {"print.partition", &f->partition},
                 {"print.headers", &f->headers},     {"print.value", &f->value},
                 {"print.epoch", &f->epoch}};
    const struct {
        const char *name;
        struct slice *text;
    } texts[] = {{"key.separator", &f->key_separator},
                 {"line.separator", &f->line_separator},
                 {"headers.separator", &f->headers_separator},
                 {"null.literal", &f->null_literal}};
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        if (slice_is(name, flags[i].name)) {
            *flags[i].flag = slice_equal_nocase(slice_trim(value), SLICE("true"));
            return true;
        }
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (slice_is(name, texts[i].name)) {
            *texts[i].text = value;
            return true;
        }
    return false;
}

static void put_headers(struct buf *out, const struct record_format *f, const struct record *r)
{
    struct cursor c = cursor_of(r->headers);
    struct record_header h;
    if (r->header_count == 0) buf_text(out, "NO_HEADERS");
    for (int32_t i = 0; i < r->header_count && record_header_next(&c, &h) == ERR_OK; i++) {
        if (i) buf_slice(out, f->headers_separator);
        buf_slice(out, h.key);
        buf_char(out, ':');
        buf_slice(out, h.value_null ? f->null_literal : h.value);
    }
}

void put_record(struct buf *out, const struct record_format *f, const struct kafka_taken *t)
{
    const struct record *r = &t->record;
    /* each field, and whether another comes: then a separator stands between, else the line ends */
    if (f->timestamp) {
        buf_printf(out, "%s:%lld", t->append_time ? "LogAppendTime" : "CreateTime",
                   (long long)r->timestamp);
        bool more = f->partition || f->offset || f->epoch || f->headers || f->key || f->value;
        buf_slice(out, more ? f->key_separator : f->line_separator);
    }
    if (f->partition) {
        buf_printf(out, "Partition:%d", t->spot->partition);
        bool more = f->offset || f->epoch || f->headers || f->key || f->value;
        buf_slice(out, more ? f->key_separator : f->line_separator);
    }
    if (f->offset) {
        buf_printf(out, "Offset:%lld", (long long)r->offset);
        bool more = f->epoch || f->headers || f->key || f->value;
        buf_slice(out, more ? f->key_separator : f->line_separator);
    }
    if (f->epoch) {
        buf_printf(out, "Epoch:%d", t->leader_epoch);
        buf_slice(out, f->headers || f->key || f->value ? f->key_separator : f->line_separator);
    }
    if (f->headers) {
        put_headers(out, f, r);
        buf_slice(out, f->key || f->value ? f->key_separator : f->line_separator);
    }
    if (f->key) {
        buf_slice(out, r->key_null ? f->null_literal : r->key);
        buf_slice(out, f->value ? f->key_separator : f->line_separator);
    }
    if (f->value) {
        buf_slice(out, r->value_null ? f->null_literal : r->value);
        buf_slice(out, f->line_separator);
    }
}

/* --- ours ------------------------------------------------------------------------------------- */

static bool is_shown(struct slice s)
{
    for (uint32_t i = 0; i < s.len; i++)
        if ((s.at[i] < 0x20 && s.at[i] != '\t' && s.at[i] != '\n' && s.at[i] != '\r') ||
            s.at[i] == 0x7F)
            return false;
    uint32_t bad;
    return utf8_valid(s, &bad);
}

void put_shown(struct buf *out, struct slice bytes, bool null)
{
    if (null) {
        buf_text(out, "<null>");
    } else if (is_shown(bytes)) {
        buf_slice(out, bytes);
    } else {
        buf_text(out, "<base64 ");
        put_base64(out, bytes);
        buf_char(out, '>');
    }
}

void put_record_json(struct buf *out, const struct kafka_taken *t)
{
    record_put_json(out, t->spot->topic, t->spot->partition, &t->record);
}

err_t put_out(struct buf *out)
{
    if (out->err) return out->err;
    bool fine =
        out->len == 0 || (fwrite(out->at, 1, out->len, stdout) == out->len && fflush(stdout) == 0);
    buf_reset(out);
    return fine ? ERR_OK : ERR_STOPPED;
}
