/* data/json: JSON documents straight into the columns that were asked for, and out again.
 *
 * Reading goes by a plan: a trie of the wanted paths, compiled once. The whole document is checked
 * (grammar, UTF-8, depth) before anything of it counts; only what is wanted is converted. Duplicate
 * keys: the last one counts, as for Spark and PostgreSQL. Numbers keep their exact text until a
 * type is known. A byte order mark at the start is passed over.
 * Never takes what is not JSON: comments, NaN, single quotes, trailing commas.
 *
 * Loop: any thread, one decoder a thread. Memory: values point into the documents or the batch's
 * arena; a decoder keeps about 80 KiB. Limit: JSON_DEPTH_MAX levels, JSON_SIZE_MAX a document,
 * JSON_NAME_MAX bytes a wanted name.
 */
#pragma once
#include "data/column.h"

enum { JSON_DEPTH_MAX = 128, JSON_SIZE_MAX = 64 << 20, JSON_NAME_MAX = 1024, JSON_PADDING = 64 };

struct json_step { /* one step of a path: a field's name, or an array element */
    struct slice name;
    int64_t index; /* name.at == NULL: this element, from 0; negative counts from the end */
};

struct json_want {
    const struct json_step *steps; /* none: the whole document */
    uint32_t step_count;
    const struct type *type; /* json: the value's own text, whatever it is */
    bool cast; /* CAST(path AS type): convert scalars; otherwise a wrong kind is a fault */
    bool late; /* json_decode_early may leave it to json_decode_late */
};

struct json_plan;
MUST_CHECK err_t json_plan_new(const struct json_want *wants, uint32_t count,
                               struct json_plan **out, struct diag *d); /* copies all but types */
void json_plan_free(struct json_plan *p);

/* Decodes documents into b's columns (one a want, b initialised with the wants' types and `rows`).
 * A document that is no JSON (or is not there: at == NULL) gets a fault at its row, without a
 * column, and null columns; its neighbours are not touched. A missing field and a null are both
 * null. A value that does not fit gets a fault at its row and column:
 *     "location.postcode: 18511 is a number, text was wanted; CAST(location.postcode AS text) takes
 *     both"
 * Text without escapes, and JSON's own text, point into the document. */
struct json_decoder;
struct json_decoder *json_decoder_new(void);
void json_decoder_free(struct json_decoder *j);
MUST_CHECK err_t json_decode(struct json_decoder *j, const struct json_plan *p,
                             const struct slice *documents, uint32_t rows, struct column_batch *b);
/* The same in two steps, for who drops most rows by a few of their values. In the first one, late
 * wants whose type is dear to convert stay null; where they stand is noted, in the batch's arena.
 * *notes == NULL: there are none, all is done. */
struct json_note;
MUST_CHECK err_t json_decode_early(struct json_decoder *j, const struct json_plan *p,
                                   const struct slice *documents, uint32_t rows,
                                   struct column_batch *b, struct json_note **notes);
/* Then these rows become what json_decode makes of them, in columns and in what is told first of
 * several faults; a fault that they have got between the steps stands behind the documents' own.
 * Rows that are no JSON must not be among them. */
MUST_CHECK err_t json_decode_late(struct json_decoder *j, const struct json_plan *p,
                                  const struct slice *documents, const struct json_note *notes,
                                  const uint32_t *selected, uint32_t count, struct column_batch *b);

/* The items of a body: '$.results[*]', '$.data.items[*]', '$[*]', or '$' and '$.data' (that value
 * is the one item). Checks the whole body first; `each` gets every item's own text in order, and
 * what it answers other than ERR_OK ends the walk and is answered. ERR_NOT_FOUND: the body has no
 * such path (the diag tells what it has), ERR_TYPE: something else than an array is there. */
MUST_CHECK err_t json_items(struct json_decoder *j, struct slice padded_body, struct slice path,
                            err_t (*each)(void *ctx, struct slice item), void *ctx, struct diag *d);
/* '$.a.b[0]' or 'a.b[0]' into steps in the arena; ERR_SYNTAX says where. */
MUST_CHECK err_t json_path_parse(struct slice text, struct arena *a, struct json_step **steps,
                                 uint32_t *count, struct diag *d);
void json_path_print(const struct json_step *steps, uint32_t count, struct buf *out);
MUST_CHECK err_t json_validate(struct json_decoder *j, struct slice padded,
                               struct diag *d); /* strict, whole */

void json_put_text(struct buf *out,
                   struct slice utf8); /* with quotes and escapes; bad UTF-8 becomes U+FFFD */
/* Shortest that reads back the same; JSON has no NaN and no infinity: "NaN" and so on in quotes. */
void json_put_f64(struct buf *out, double v);
void json_put_row(struct buf *out, const struct column_batch *b, const struct slice *names,
                  uint32_t row);
