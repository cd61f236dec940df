/* tables: `sluice tables`, and the program called as nodetool. Both ask by tables/ask. */
#pragma once
#include "main/cli.h"
#include "main/tables/ask.h"

int verb_tables(const struct verb *v, const struct args *a);
int tool_nodetool(const struct verb *v, const struct args *a); /* a's words: all, as they came */

int tables_failed(struct tables_session *s); /* prints the story; 1 */
struct rows_file {                           /* rows to or from a file */
    const char *table, *file, *format;       /* file "-": standard output or input */
    bool json;
};
int tables_export(struct tables_session *s, const struct rows_file *f);
int tables_import(struct tables_session *s, const struct rows_file *f);
