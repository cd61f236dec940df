/* console/record_js: a record as the console's API tells it (schema "record"): key, value and
 * headers as what they are: JSON, text, or bytes as hex; cut where they are long.
 * Loop: any, one record_js a thread. Memory: a JSON decoder's. */
#pragma once
#include "data/json.h"
#include "door/console/js.h"
#include "log/browse.h"

struct record_js {
    struct json_decoder *json;
    uint32_t
        value_max; /* bytes told of a key, value or header; hex counts its bytes, not letters */
};
MUST_CHECK err_t record_js_init(struct record_js *j, uint32_t value_max, struct diag *d);
void record_js_done(struct record_js *j);
void record_js_put(struct record_js *j, struct buf *out, const struct browse_record *r);
enum bytes_kind { BYTES_NULL, BYTES_JSON, BYTES_TEXT, BYTES_BINARY, BYTES_KINDS };
extern const char *const bytes_kind_names[BYTES_KINDS];
/* JSON: an object or a list; the bytes are padded by JSON_PADDING. */
enum bytes_kind bytes_kind_of(struct json_decoder *json, struct slice bytes, bool null);
