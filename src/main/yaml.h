/* yaml: a file of YAML as a tree (data/doc). Never writes; knows no name in it.
 *
 * Loop: any thread. Memory: the tree is the arena's. Limit: the caller's bytes, data/doc's nodes.
 */
#pragma once
#include "data/doc.h"

enum { YAML_BYTES_MAX = 16 << 20 };
/* A missing or empty file is null; an error has file:line:column. */
MUST_CHECK err_t yaml_load(const char *path, size_t limit, struct arena *a, struct doc *out,
                           struct diag *d);
const char *yaml_name(const char *path); /* the file's alone, as errors show it */
err_t yaml_where(const char *path, uint32_t line, uint32_t column, struct diag *d);
