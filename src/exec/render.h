/* render: a statement's rows as text: a table for people, JSON lines or CSV for scripts.
 *
 * Memory: one page of text, RENDER_PAGE_MAX bytes. Calls `put` with finished text as it comes.
 */
#pragma once
#include "exec/exec.h"

enum render_format { RENDER_TABLE, RENDER_JSON, RENDER_CSV, RENDER_EXPAND };
enum { RENDER_PAGE_MAX = 64 << 20, RENDER_COLUMNS_MAX = 1024 };
bool render_format_parse(struct slice text, enum render_format *out);

struct render {
    enum render_format format;
    err_t (*put)(void *ctx, struct slice text); /* an error ends the query */
    void *ctx;
    /* inside */
    struct slice *names;
    uint32_t columns, *widths;
    const struct type **types;
    uint64_t rows;
    bool has_rows; /* the statement now running has a head */
    struct arena *arena;
    struct buf page;
};
MUST_CHECK err_t render_init(struct render *r, enum render_format format,
                             err_t (*put)(void *, struct slice), void *ctx);
void render_done(struct render *r);
struct exec_sink render_sink(struct render *r);
/* The line under a table: "(12 rows)". Call after exec_run answered OK. */
MUST_CHECK err_t render_end(struct render *r);
