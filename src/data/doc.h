/* data/doc: a document as a tree: what JSON and YAML can say. For what is small and read by name
 * (a dag's options, a request's body, a template's values); records go by data/json instead.
 *
 * Loop: any thread; a tree is not changed once it is shared. Memory: the caller's arena. Limit:
 * DOC_DEPTH_MAX levels, DOC_NODES_MAX nodes.
 */
#pragma once
#include "base/bytes.h"

enum { DOC_DEPTH_MAX = 64, DOC_NODES_MAX = 4 << 20 };
enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INT, DOC_FLOAT, DOC_TEXT, DOC_LIST, DOC_MAP };
struct doc {
    enum doc_kind kind;
    uint32_t count;        /* of a list's or map's parts */
    uint32_t line, column; /* where it stood in its file, from 1; 0: not known */
    struct slice written;  /* by YAML: a single value as it stands there, 007 or 1.50; else {0} */
    union {
        bool yes;
        int64_t number;
        double real;
        struct slice text;
        struct doc *items;         /* a list's */
        struct doc_entry *entries; /* a map's, in the order of the file */
    };
};
struct doc_entry {
    struct slice name;
    uint32_t line, column;
    struct doc value;
};

MUST_CHECK err_t doc_of_json(struct slice text, struct arena *a, struct doc *out, struct diag *d);
/* One document by YAML 1.2's core schema (yes and on are text); anchors and merges ("<<") resolved,
 * a name that stands twice refused. Nothing in it: null. Errors have file:line:column. All of the
 * tree is the arena's. */
MUST_CHECK err_t doc_of_yaml(struct slice text, const char *file, struct arena *a, struct doc *out,
                             struct diag *d);
void doc_put_json(struct buf *out, const struct doc *v);
const struct doc *doc_get(const struct doc *map, const char *name); /* NULL: no map, or none */
const struct doc *doc_find(const struct doc *map, struct slice name);
struct slice doc_text(const struct doc *v); /* a text's; {0} otherwise, and for NULL */
bool doc_equal(const struct doc *a, const struct doc *b); /* maps in any order */
MUST_CHECK err_t doc_copy(const struct doc *v, struct arena *a,
                          struct doc *out); /* texts and all, but what was written */
