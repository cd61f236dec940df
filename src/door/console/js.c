#include "door/console/js.h"

#include "base/hash.h"
#include "data/json.h"

#include <inttypes.h>
#include <math.h>
#include <time.h>

static void comma(struct buf *b)
{
    if (!b->len || b->err) return;
    uint8_t last = b->at[b->len - 1];
    if (last != '{' && last != '[' && last != ':' && last > ' ') buf_char(b, ',');
}

void js_name(struct buf *b, const char *name)
{
    comma(b);
    json_put_text(b, slice_of(name));
    buf_char(b, ':');
}

void js_open(struct buf *b, char bracket)
{
    comma(b);
    buf_char(b, bracket);
}

void js_text(struct buf *b, struct slice s)
{
    if (!s.at) {
        js_null(b);
        return;
    }
    comma(b);
    json_put_text(b, s);
}

void js_int(struct buf *b, int64_t v)
{
    comma(b);
    buf_printf(b, "%" PRId64, v);
}

void js_uint(struct buf *b, uint64_t v)
{
    comma(b);
    buf_printf(b, "%" PRIu64, v);
}

void js_real(struct buf *b, double v)
{
    if (!isfinite(v)) {
        js_null(b);
        return;
    }
    comma(b);
    json_put_f64(b, v);
}

void js_bool(struct buf *b, bool v)
{
    comma(b);
    buf_text(b, v ? "true" : "false");
}

void js_null(struct buf *b)
{
    comma(b);
    buf_text(b, "null");
}

void js_raw(struct buf *b, struct slice json)
{
    if (!json.len) {
        js_null(b);
        return;
    }
    comma(b);
    buf_slice(b, json);
}

void js_time(struct buf *b, int64_t unix_ms)
{
    struct tm t;
    int64_t ms = unix_ms % 1000;
    time_t s = (time_t)(unix_ms / 1000);
    if (ms < 0) ms += 1000, s--;
    if (unix_ms == INT64_MIN || !gmtime_r(&s, &t)) {
        js_null(b);
        return;
    }
    comma(b);
    buf_printf(b, "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", t.tm_year + 1900, t.tm_mon + 1,
               t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)ms);
}

void js_bytes(struct buf *b, struct slice raw)
{
    comma(b);
    buf_char(b, '"');
    put_base64(b, raw);
    buf_char(b, '"');
}

void js_put_text(struct buf *b, const char *name, struct slice s)
{
    js_name(b, name);
    js_text(b, s);
}

void js_put_cstr(struct buf *b, const char *name, const char *text)
{
    js_put_text(b, name, text ? slice_of(text) : (struct slice){0});
}

void js_put_int(struct buf *b, const char *name, int64_t v)
{
    js_name(b, name);
    js_int(b, v);
}

void js_put_uint(struct buf *b, const char *name, uint64_t v)
{
    js_name(b, name);
    js_uint(b, v);
}

void js_put_real(struct buf *b, const char *name, double v)
{
    js_name(b, name);
    js_real(b, v);
}

void js_put_bool(struct buf *b, const char *name, bool v)
{
    js_name(b, name);
    js_bool(b, v);
}

void js_put_time(struct buf *b, const char *name, int64_t unix_ms)
{
    js_name(b, name);
    js_time(b, unix_ms);
}

void js_put_open(struct buf *b, const char *name, char bracket)
{
    js_name(b, name);
    js_open(b, bracket);
}
