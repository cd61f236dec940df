/* sql/cql/json_tree: one JSON text as a tree, as Jackson reads it for the original. Private.
 *
 * Memory: the arena; strings are unescaped into it. Limit: CQL_JSON_DEPTH levels.
 */
#pragma once
#include "base/bytes.h"

enum { CQL_JSON_DEPTH = 64, JSON_FIELDS_MAX = 4096 };
enum json_kind {
    JSON_NULL,
    JSON_BOOLEAN,
    JSON_INTEGER,
    JSON_FLOAT,
    JSON_STRING,
    JSON_LIST,
    JSON_MAP
};
struct json_node {
    enum json_kind kind;
    struct slice text;        /* as it stands in the source */
    struct slice value;       /* STRING: unescaped; else as text */
    struct json_node **items; /* LIST; MAP: values, with names[i]; of equal names the last */
    struct slice *names;
    uint32_t count;
};
/* What follows the value is not looked at: Jackson's way. ERR_BAD_JSON says what is wrong. */
MUST_CHECK err_t json_tree(struct slice json, struct arena *a, struct json_node **out,
                           struct diag *d);
const char *json_class(const struct json_node *n);              /* "Integer", "LinkedHashMap" … */
void json_java_put(const struct json_node *n, struct buf *out); /* Object.toString */
/* "Name" in quotes keeps its case, others are made lower case; which then are equal: the changed
 * one counts. */
MUST_CHECK err_t json_fold_names(struct json_node *map, struct arena *a, struct diag *d);
