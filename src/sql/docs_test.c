/* What stands beside the code is true: docs/sql.md's tables, and the examples' pipelines. */
#include "sql/sql_kit.h"
#include "sql/sql_root.h"
#include <dirent.h>
#include <stdlib.h>

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "rb");
    char piece[4096];
    for (size_t n = 1; f && n > 0;) {
        n = fread(piece, 1, sizeof(piece), f);
        buf_put(out, piece, n);
    }
    if (f) fclose(f);
    return f != NULL;
}

#define MARK "<!-- from here on made from functions.def and words.def -->\n"

TEST(the_page_of_functions_is_fresh)
{
    const char *path = SQL_SOURCE_ROOT "/docs/sql.md";
    struct buf page = buf_make(MIB(1)), made = buf_make(MIB(1));
    CHECK(read_file(path, &page));
    char *mark = strstr(buf_cstr(&page), MARK);
    CHECK(mark != NULL);
    sql_docs(&made);
    bool fresh = mark && strcmp(mark + strlen(MARK), buf_cstr(&made)) == 0;
    if (mark && !fresh && getenv("SQL_DOCS_WRITE")) {
        mark[strlen(MARK)] = 0;
        FILE *f = fopen(path, "wb");
        CHECK(f != NULL);
        if (f) {
            fprintf(f, "%s%s", (const char *)page.at, buf_cstr(&made));
            fclose(f);
        }
    } else if (!fresh) {
        test_failed(__FILE__, __LINE__, "docs/sql.md is stale: SQL_DOCS_WRITE=1 unit_sql fresh");
    }
    buf_done(&page);
    buf_done(&made);
}

/* Parses one pipeline and binds each of its streams; the answer: how many. */
static uint32_t bind_pipeline(const char *path)
{
    struct buf text = buf_make(MIB(1));
    struct kit k;
    uint32_t streams = 0;
    CHECK(read_file(path, &text));
    kit_open(&k, buf_cstr(&text));
    struct script s;
    struct sql_catalog c = kit_catalog(&k);
    CHECK_OK(sql_parse(buf_view(&text), path, DIALECT_SLUICE, k.arena, &s, &k.d), &k.d);
    for (uint32_t i = 0; i < s.count; i++) {
        if (s.statements[i].kind != STATEMENT_CREATE_STREAM) continue;
        struct plan_stream p;
        struct buf shown = buf_make(MIB(1));
        streams++;
        err_t e = sql_bind_stream(&s.statements[i], &c, path, k.arena, &p, &k.d);
        if (e)
            test_not_ok(__FILE__, __LINE__, path, e, &k.d);
        else
            plan_stream_print(&p, &shown);
        if (getenv("SQL_SHOW")) printf("%s\n", buf_cstr(&shown));
        buf_done(&shown);
    }
    kit_close(&k);
    buf_done(&text);
    return streams;
}

TEST(every_example_binds)
{
    DIR *d = opendir(SQL_SOURCE_ROOT "/examples");
    uint32_t pipelines = 0, streams = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        char path[1024];
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), SQL_SOURCE_ROOT "/examples/%s/pipeline.sql", e->d_name);
        streams += bind_pipeline(path);
        pipelines++;
    }
    if (d) closedir(d);
    CHECK(pipelines >= 5);
    CHECK(streams >= 5);
}
