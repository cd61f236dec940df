/* json_pick: a few named values out of one JSON document a time, for the commands that read JSON.
 */
#pragma once
#include "data/json.h"

enum { PICKS_MAX = 16 };
struct json_pick;
/* Paths as '$.key'; picks come in their order. */
MUST_CHECK err_t json_pick_new(const char *const *paths, uint32_t count, struct json_pick **out,
                               struct diag *d);
void json_pick_free(struct json_pick *p);
/* Each value's own text, at == NULL where it is missing or null; copies the document into `a`. */
MUST_CHECK err_t json_pick_from(struct json_pick *p, struct slice document, struct arena *a,
                                struct slice *picks, struct diag *d);
/* What a value means as bytes: a string without its quotes and escapes, {"base64": "…"} decoded,
 * anything else as it stands. */
MUST_CHECK err_t json_pick_bytes(struct json_pick *p, struct slice value, struct arena *a,
                                 struct slice *out, struct diag *d);
/* The elements of an array inside a picked document. */
MUST_CHECK err_t json_pick_each(struct json_pick *p, struct slice document, const char *path,
                                struct arena *a, err_t (*each)(void *ctx, struct slice item),
                                void *ctx, struct diag *d);
