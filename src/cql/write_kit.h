/* For this room's tests of writes: an engine on a store of its own; statements as text in, what
 * they answer and what then stands in a table as text out. */
#pragma once
#include "cql/write_int.h"
#include "test.h"

enum { WT_VALUES_MAX = 16 };

struct wt {
    struct store *store;
    struct cql *cql;
    struct cql_session session;
    struct arena *arena;      /* of a call and what it answered */
    struct arena *kept;       /* of the tables */
    struct cql_params params; /* of the calls to come; wt_run sets values */
    struct cql_call call;
    char text[8192];
};
void wt_open(struct wt *w);
void wt_close(struct wt *w);
/* "k int P; c int CD; s text S; v list<int>": keys in order; P, C, CD (descending), S. In keyspace
 * ks. */
const struct store_table *wt_table(struct wt *w, const char *name, const char *columns);
const struct store_table *wt_table_with(struct wt *w, const char *name, const char *columns,
                                        uint32_t default_ttl, uint32_t gc_grace);
/* "ok", "[applied]=true", "[applied]=false k=1 v=null; …", or "code: message"; warnings behind "
 * !". */
const char *wt_run(struct wt *w, const char *text);
/* The same with bound values, as literals of their types: "int:1", "text:null", "list<int>:unset".
 */
const char *wt_bind(struct wt *w, const char *text, const char *const *values, uint32_t count);
/* All rows: "k=1 c=2 v=x; …", null columns left out, "static" before a partition's own. */
const char *wt_rows(struct wt *w, const char *table);
/* The cell's write time and TTL: "100", "100 ttl 5", "-". */
const char *wt_cell(struct wt *w, const char *table, const char *column);
/* A BATCH message of these texts, or, of "=text", of the text prepared before. */
const char *wt_batch(struct wt *w, int kind, const char *const *texts, uint32_t count);
struct cql_value wt_value(struct wt *w, const char *text);
#define WT_BIND(w, text, ...)                                                                      \
    wt_bind((w), (text), (const char *const[]){__VA_ARGS__},                                       \
            sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
#define WT_BATCH(w, kind, ...)                                                                     \
    wt_batch((w), (kind), (const char *const[]){__VA_ARGS__},                                      \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

/* Of a test's own `struct wt w`. */
#define SAYS(statement, answer) CHECK_TEXT(wt_run(&w, statement), answer)
#define ROWS(table, rows)       CHECK_TEXT(wt_rows(&w, table), rows)
#define YES                     "[applied]=true"
#define NO                      "[applied]=false"
