/* main/cql/line: one line from a person, with editing, history and completion.
 *
 * Arrows, Home, End, Ctrl-A E B F P N K U W D L, Ctrl-R (search back), Tab; UTF-8. A terminal that
 * can not be set raw is read plainly. Loop: none. Memory: LINE_HISTORY_MAX lines. Writes only the
 * history file, readable by its owner alone.
 */
#pragma once
#include "base/bytes.h"

enum { LINE_HISTORY_MAX = 1000, LINE_BYTES_MAX = 1 << 20 };

struct line_editor;
struct line_words { /* what Tab offers: full words that go on from `from` */
    const struct slice *at;
    uint32_t count, from;
};
/* `history`: a path, or NULL for none. */
struct line_editor *line_open(const char *history);
void line_close(struct line_editor *l); /* NULL is fine; the history is written */
/* before: the line up to the cursor. Words live until the next call. */
void line_complete_by(struct line_editor *l,
                      void (*words)(void *ctx, struct slice before, struct line_words *out),
                      void *ctx);
enum line_end { LINE_READ, LINE_CANCELLED /* Ctrl-C */, LINE_END /* Ctrl-D on an empty line */ };
/* `out` holds the line without its end. */
enum line_end line_read(struct line_editor *l, const char *prompt, struct buf *out);
void line_remember(struct line_editor *l, struct slice line);
/* A password: nothing is shown. False: no terminal. */
bool line_secret(const char *prompt, char *out, size_t size);
