/* Golden plans: statements of golden_plans.txt become these trees, or these refusals.
 *
 * A block is a statement, a line "=>", what comes of it, an empty line. What a block's statement
 * creates (CREATE TABLE, TOPIC, FUNCTION) stands in the block "declarations". SQL_GOLDEN_WRITE=1
 * writes the file anew: read the difference.
 */
#include "sql/sql_kit.h"
#include "sql/sql_root.h"
#include <stdio.h>
#include <stdlib.h>

static const char *const path = SQL_SOURCE_ROOT "/src/sql/golden_plans.txt";

static bool read_all(struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char piece[4096];
    size_t n;
    if (!f) return false;
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0) buf_put(out, piece, n);
    fclose(f);
    return !out->err;
}

static err_t bind_one(struct kit *k, const struct statement *s, struct buf *out)
{
    struct sql_catalog c = kit_catalog(k);
    struct plan_select select;
    struct plan_stream stream;
    k->d = (struct diag){0};
    if (s->kind == STATEMENT_SELECT) {
        err_t e = sql_bind_select(s, &c, DIALECT_SLUICE, k->arena, &select, &k->d);
        if (!e) plan_node_print(select.root, out);
        return e;
    }
    struct sql_relation view;
    err_t e = ERR_OK;
    if (s->kind == STATEMENT_CREATE_VIEW) {
        e = sql_bind_view(s, &c, "x.sql", k->arena, &view, &k->d);
        if (e) return e;
        kit_view_print(&view, out);
        kit_add(k, &view);
    }
    e = sql_bind_stream(s, &c, "x.sql", k->arena, &stream, &k->d);
    if (!e) plan_stream_print(&stream, out);
    return e;
}

/* What comes of one statement. */
static void run(struct kit *k, struct slice text, struct buf *out)
{
    struct script s;
    uint32_t relations = k->count;
    err_t e = sql_parse(text, "x.sql", DIALECT_SLUICE, k->arena, &s, &k->d);
    if (!e && s.count != 1) e = ERR_SYNTAX;
    if (!e) e = bind_one(k, &s.statements[0], out);
    k->count = relations;
    if (!e) return;
    buf_printf(out, "%s %s: %s\n", err_name(e), k->d.where, k->d.what);
    if (k->d.hint[0]) buf_printf(out, "hint: %s\n", k->d.hint);
}

static struct slice take_until(struct slice *rest, const char *mark)
{
    const uint8_t *at = memmem(rest->at, rest->len, mark, strlen(mark));
    uint32_t len = at ? (uint32_t)(at - rest->at) : rest->len;
    struct slice taken = slice_make(rest->at, len);
    uint32_t skip = at ? len + (uint32_t)strlen(mark) : len;
    *rest = slice_make(rest->at + skip, rest->len - skip);
    return taken;
}

TEST(statements_become_these_plans)
{
    struct buf page = buf_make(MIB(4)), made = buf_make(MIB(4));
    struct kit k;
    uint32_t blocks = 0;
    CHECK(read_all(&page));
    struct slice rest = buf_view(&page), declarations = take_until(&rest, "\n\n");
    struct arena *texts = arena_new(MIB(1));
    kit_open(&k, arena_text(texts, declarations));
    arena_free(texts);
    buf_slice(&made, declarations);
    buf_text(&made, "\n");
    while (rest.len) {
        struct slice block = take_until(&rest, "\n\n"), text = take_until(&block, "\n=>");
        if (block.len && block.at[0] == '\n') block = slice_make(block.at + 1, block.len - 1);
        if (getenv("SQL_SHOW")) printf("%.*s\n", SLICE_ARG(text));
        struct buf is = buf_make(MIB(1));
        run(&k, text, &is);
        if (is.len && is.at[is.len - 1] == '\n') is.len--;
        if (block.len && block.at[block.len - 1] == '\n') block.len--;
        if (!slice_equal(buf_view(&is), block) && !getenv("SQL_GOLDEN_WRITE"))
            test_failed(__FILE__, __LINE__, "%.*s\n--- is\n%.*s\n--- not\n%.*s\n", SLICE_ARG(text),
                        SLICE_ARG(buf_view(&is)), SLICE_ARG(block));
        buf_printf(&made, "\n%.*s\n=>\n%.*s\n", SLICE_ARG(text), SLICE_ARG(buf_view(&is)));
        buf_done(&is);
        blocks++;
    }
    CHECK(blocks > 5);
    if (getenv("SQL_GOLDEN_WRITE")) {
        FILE *f = fopen(path, "wb");
        CHECK(f != NULL);
        if (f) fwrite(made.at, 1, made.len, f);
        if (f) fclose(f);
    }
    kit_close(&k);
    buf_done(&page);
    buf_done(&made);
}
