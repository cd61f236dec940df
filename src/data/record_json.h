/* data/record_json: a record as a line of JSON, as `sluice consume --json` writes it, `sluice
 * produce --json` takes it and the console's downloads hold it. Bytes that are no UTF-8 stand as
 * {"base64": "…"}. Loop: any. Memory and limit: the buf's. */
#pragma once
#include "data/record_batch.h"

void record_put_json_bytes(struct buf *out, struct slice bytes, bool null);
/* With the line's end. */
void record_put_json(struct buf *out, struct slice topic, int32_t partition,
                     const struct record *r);
