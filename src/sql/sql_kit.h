/* sql/sql_kit: a small catalog for the room's tests, made from SQL itself. */
#pragma once
#include "sql/bind.h"
#include "test.h"

struct kit {
    struct arena *arena;
    struct sql_relation relations[32];
    uint32_t count;
    struct sql_function functions[16];
    uint32_t function_count;
    struct diag d;
};
/* Declares what the statements create: CREATE TABLE and CREATE TOPIC. */
void kit_open(struct kit *k, const char *declarations);
void kit_close(struct kit *k);
struct sql_catalog kit_catalog(struct kit *k);
/* The text's only statement; NULL (told as failure) when it does not parse. */
struct statement *kit_parse(struct kit *k, const char *text);
err_t kit_select(struct kit *k, const char *text, enum sql_dialect dialect,
                 struct plan_select *out);
err_t kit_stream(struct kit *k, const char *text, struct plan_stream *out);
void kit_add(struct kit *k, const struct sql_relation *r);
void kit_view_print(const struct sql_relation *r, struct buf *out);
/* The first ROWS from the root down; the leaf it all comes from (of the first inputs). */
const struct plan_rows *kit_rows(const struct plan_node *root);
const struct plan_node *kit_leaf(const struct plan_node *root);
/* The plan as plan_node_print shows it. */
const char *kit_plan(struct kit *k, const struct plan_node *root);
/* A batch of the leaf's inputs: `rows` of JSON objects; a table's columns are read by name. */
struct column_batch *kit_batch(struct kit *k, const struct plan_node *leaf, const char *const *rows,
                               uint32_t row_count);
/* The values of a column as text: "1|null|error: why". */
const char *kit_show(struct kit *k, const struct column_batch *b, const struct column *c);
