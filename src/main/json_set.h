/* json_set: a JSON document with one value put elsewhere; everything else stays byte for byte. */
#pragma once
#include "data/json.h"

/* `document` is valid JSON. Objects that the path needs are made; an array's element must be there:
 * ERR_RANGE, and ERR_TYPE where a step meets something it can not go into. A name that stands
 * twice is set at both places. */
MUST_CHECK err_t json_set(struct slice document, const struct json_step *steps, uint32_t count,
                          struct slice value, struct buf *out, struct diag *d);
