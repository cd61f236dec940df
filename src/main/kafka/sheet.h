/* sheet: rows for people as an aligned table, for scripts as a JSON object a line.
 *
 *     struct sheet s = sheet_make("topic* partitions# bytes#");   // # a number, right-aligned
 *     sheet_text(&s, name); sheet_number(&s, 3); sheet_number(&s, 120);
 *     sheet_print(&s, json); sheet_done(&s);
 */
#pragma once
#include "base/bytes.h"

enum { SHEET_COLUMNS = 16 };
struct sheet {
    const char *names[SHEET_COLUMNS];
    size_t name_lens[SHEET_COLUMNS];
    bool numeric[SHEET_COLUMNS];
    int columns, at;  /* the next cell's column */
    struct buf cells; /* each: length (4 bytes), text */
};
struct sheet sheet_make(const char *columns);
void sheet_text(struct sheet *s, struct slice text);
void sheet_number(struct sheet *s, int64_t number);
void sheet_none(struct sheet *s);                    /* "-", null */
err_t sheet_print(const struct sheet *s, bool json); /* to standard output */
err_t sheet_print_list(const struct sheet *s);       /* as one JSON list */
err_t sheet_print_tabs(
    const struct sheet *s); /* as Kafka's Java tools: padded, a tab behind each */
void sheet_done(struct sheet *s);
