/* js: JSON on its way out, value by value; commas come by themselves. Compact: no spaces.
 *
 * Loop: any thread. Memory and limit: the caller's buf. Never checks that what is opened is closed:
 * a test of each answer against its schema does.
 */
#pragma once
#include "base/bytes.h"

void js_name(struct buf *b, const char *name); /* in an object, before its value */
void js_open(struct buf *b, char bracket);     /* '{' or '[' */
static inline void js_close(struct buf *b, char bracket)
{
    buf_char(b, bracket);
}
void js_text(struct buf *b, struct slice s); /* null for {0}; bad UTF-8 becomes U+FFFD */
void js_int(struct buf *b, int64_t v);
void js_uint(struct buf *b, uint64_t v);
void js_real(struct buf *b, double v); /* null for what JSON has no number for */
void js_bool(struct buf *b, bool v);
void js_null(struct buf *b);
void js_raw(struct buf *b, struct slice json);  /* a value that is JSON already */
void js_time(struct buf *b, int64_t unix_ms);   /* RFC 3339 in UTC; null for INT64_MIN */
void js_bytes(struct buf *b, struct slice raw); /* base64 */

/* "name": value */
void js_put_text(struct buf *b, const char *name, struct slice s);
void js_put_cstr(struct buf *b, const char *name, const char *text); /* null for NULL */
void js_put_int(struct buf *b, const char *name, int64_t v);
void js_put_uint(struct buf *b, const char *name, uint64_t v);
void js_put_real(struct buf *b, const char *name, double v);
void js_put_bool(struct buf *b, const char *name, bool v);
void js_put_time(struct buf *b, const char *name, int64_t unix_ms);
void js_put_open(struct buf *b, const char *name, char bracket);
