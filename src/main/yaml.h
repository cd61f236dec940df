/* yaml: one document as a tree of nodes with their places. Thin over libyaml: bounded, read only.
 */
#pragma once
#include "base/bytes.h"

#include <yaml.h>

struct yaml {
    yaml_document_t document;
    const char *file; /* for errors: the name alone */
    bool loaded;
};

enum { YAML_BYTES_MAX = 16 << 20 };
/* Reads and parses; an error has file:line:column. A missing or empty file has no root. */
MUST_CHECK err_t yaml_open(const char *path, size_t limit, struct yaml *out, struct diag *d);
void yaml_close(struct yaml *y);
yaml_node_t *yaml_root(struct yaml *y); /* NULL: empty */
yaml_node_t *yaml_node(struct yaml *y, int id);
struct slice yaml_text(const yaml_node_t *n); /* a scalar's; {0} otherwise */
/* The value of a mapping's key, NULL when absent. */
yaml_node_t *yaml_get(struct yaml *y, const yaml_node_t *map, const char *key);
err_t yaml_where(const struct yaml *y, const yaml_node_t *n, struct diag *d);
