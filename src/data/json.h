/* data/json: JSON documents straight into the columns that were asked for, and out again.
 *
 * Reading goes by a plan: a trie of the wanted paths, compiled once; a document's other parts are
 * skipped. Duplicate keys: the last one counts. Numbers keep their exact text until a type is
 * known. Limit: json_depth_max levels; documents up to json_size_max; never recursion beyond that.
 */
#pragma once
#include "data/column.h"

enum { JSON_DEPTH_MAX = 128, JSON_PADDING = 64 };

struct json_step { /* one step of a path: a field's name, or an array element */
    struct slice name;
    int64_t index; /* name.at == NULL: this element, from 0; negative counts from the end */
};

struct json_want {
    const struct json_step *steps; /* none: the whole document */
    uint32_t step_count;
    const struct type *type; /* json: the value's own text, whatever it is */
    bool cast; /* CAST(path AS type): convert scalars; otherwise a wrong kind is a fault */
};

struct json_plan;
MUST_CHECK err_t json_plan_new(const struct json_want *wants, uint32_t count,
                               struct json_plan **out, struct diag *d); /* copies the wants */
void json_plan_free(struct json_plan *p);

/* Decodes documents into b's columns (one a want, b initialised with the wants' types and `rows`).
 * Every document must be readable for JSON_PADDING bytes past its end (record batches and buffers
 * of ours are padded). A document that is no JSON gets a fault at its row and null columns; its
 * neighbours are not touched. A missing field and a null are both null. One decoder a thread. */
struct json_decoder;
struct json_decoder *json_decoder_new(void);
void json_decoder_free(struct json_decoder *j);
MUST_CHECK err_t json_decode(struct json_decoder *j, const struct json_plan *p,
                             const struct slice *documents, uint32_t rows, struct column_batch *b);

/* The items of a body: '$.results[*]', '$.data.items[*]', '$[*]' or '$' (the body is the item).
 * Validates the whole body; `each` gets every item's own text in order. */
MUST_CHECK err_t json_items(struct json_decoder *j, struct slice padded_body, struct slice path,
                            err_t (*each)(void *ctx, struct slice item), void *ctx, struct diag *d);
/* '$.a.b[0]' or 'a.b[0]' into steps in the arena; ERR_SYNTAX says where. */
MUST_CHECK err_t json_path_parse(struct slice text, struct arena *a, struct json_step **steps,
                                 uint32_t *count, struct diag *d);
MUST_CHECK err_t json_validate(struct json_decoder *j, struct slice padded,
                               struct diag *d); /* strict, whole */

void json_put_text(struct buf *out,
                   struct slice utf8); /* with quotes and escapes; bad UTF-8 becomes U+FFFD */
void json_put_f64(struct buf *out, double v); /* shortest that reads back the same */
void json_put_row(struct buf *out, const struct column_batch *b, const struct slice *names,
                  uint32_t row);
