/* data/json/json_plan: a compiled set of wants. Private to the files of json.h. */
#pragma once
#include "data/json/json_int.h"

/* One value on its way into its column. */
struct json_cell {
    bool escapes;      /* may there be a backslash in it? */
    struct slice text; /* the value as it stands in the document; never null */
    struct column *column;
    uint32_t row;
    struct arena *arena;
};

/* The quick way for the usual forms of a type; false: take the general one, which also tells what
 * is wrong. */
typedef bool (*json_put_fn)(struct json_cell *c);

struct plan_want {
    uint32_t node;
    uint32_t note; /* which one is its own, from 1; 0: it does not wait */
    bool cast;
    const struct type *type;
    json_put_fn put; /* NULL: there is only the general way */
    const char *path;
};

struct json_plan {
    struct arena *arena;
    struct json_node *nodes;
    struct plan_want *wants;
    uint32_t node_count, want_count;
    uint32_t note_count; /* late wants: so many notes a row */
};

struct json_note { /* where a late want's value stands in its document; len 0: it is not there */
    uint32_t at, len;
};

json_put_fn json_put_for(const struct type *t, bool cast);
bool json_put_is_dear(const struct type *t); /* much more than to note where the value stands */
