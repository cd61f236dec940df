/* docs_pages: the documentation, docs/NAME.md, as it was when this program was built: for `sluice
 * help docs/NAME`, the console's pages and what they find. Made by docs_embed.py.
 */
#pragma once
#include "base/bytes.h"

struct docs_page {
    const char *name;
    struct slice text; /* Markdown */
};
extern const struct docs_page docs_pages[]; /* by name */
extern const uint32_t docs_page_count;
