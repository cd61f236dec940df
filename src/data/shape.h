/* data/shape: the schema that sampled JSON records have: path -> kinds seen, nulls, share.
 *
 * A path is its names parted by '.', an array's elements are "[]". Keeps no value, but where
 * examples are asked for the first different ones of each field, cut to SHAPE_EXAMPLE_MAX bytes.
 * Loop: the caller's thread. Memory: the arena given. Limit: SHAPE_FIELDS_MAX paths (`cut` tells),
 * JSON_DEPTH_MAX levels.
 */
#pragma once
#include "base/vec.h"
#include "data/json.h"

enum { SHAPE_FIELDS_MAX = 2000, SHAPE_PATH_MAX = 512, SHAPE_EXAMPLES = 3, SHAPE_EXAMPLE_MAX = 80 };
enum shape_kind {
    SHAPE_NULL,
    SHAPE_TEXT,
    SHAPE_INTEGER,
    SHAPE_NUMBER, /* with a point or an exponent */
    SHAPE_BOOLEAN,
    SHAPE_OBJECT,
    SHAPE_ARRAY,
    SHAPE_KINDS
};
extern const char *const shape_kind_names[SHAPE_KINDS];

struct shape_field {
    const char *path;
    uint64_t kinds[SHAPE_KINDS];
    uint64_t values;                       /* of all kinds; an element counts each time */
    uint64_t records, last;                /* that have it; the last one, from 1 */
    uint64_t emails, phones, cards;        /* texts that look like one */
    struct slice examples[SHAPE_EXAMPLES]; /* as they stand in the document */
    uint32_t example_count;
};
struct shape {
    struct vec fields; /* of struct shape_field, in the order they came */
    struct map *by_path;
    struct arena *arena;
    uint64_t records, broken; /* broken: no JSON */
    bool cut;
    bool examples; /* set after shape_init: keep some of leaves' values */
};
MUST_CHECK err_t shape_init(struct shape *s, struct arena *a);
void shape_done(struct shape *s);
/* One record; its text is padded by JSON_PADDING. */
MUST_CHECK err_t shape_add(struct shape *s, struct json_decoder *j, struct slice record);
struct shape_field *shape_find(const struct shape *s,
                               const char *path); /* NULL: no record has it */
bool shape_is_leaf(const struct shape_field *f);  /* it holds a value of its own somewhere */
/* Steps as shape's path; false: it does not fit. */
bool shape_path(const struct json_step *steps, uint32_t count, char out[SHAPE_PATH_MAX]);
