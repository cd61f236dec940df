/* docs: Markdown taken apart far enough to be found in: sections by their headings, and in them
 * paragraphs, items and rows of tables, each a piece of the text.
 *
 * Never renders: the page does. Loop: any thread. Memory: none, pieces point into the text. Limit:
 * DOCS_WORDS_MAX words are looked for.
 */
#pragma once
#include "base/bytes.h"

enum { DOCS_WORDS_MAX = 8, DOCS_ASKED_MAX = 200, DOCS_TEXT_MAX = 400 };

struct docs_piece {
    struct slice section; /* the heading above it, without its signs; a page's title: before any */
    struct slice text;    /* in the source's own bytes; a heading's: itself */
};
struct docs_reader {
    struct slice rest, section;
    bool fenced;
};
struct docs_reader docs_read(struct slice text);
bool docs_next(struct docs_reader *r, struct docs_piece *out); /* false: the end */

struct docs_asked { /* what is looked for */
    char text[DOCS_ASKED_MAX];
    char words[DOCS_WORDS_MAX][DOCS_ASKED_MAX]; /* of it, in small letters */
    uint32_t count;
};
struct docs_asked docs_ask(struct slice text);
/* How well a piece fits below its page's title: every word is in it, its section or the title, and
 * one of them in the piece. 0: it does not. */
int docs_score(const struct docs_asked *asked, struct slice title, const struct docs_piece *p);
/* The piece's words near the first that fits, in plain letters. */
void docs_excerpt(const struct docs_asked *asked, struct slice text, char out[DOCS_TEXT_MAX]);
void docs_lower(struct slice s, char *out, size_t size); /* in small letters, on one line */
/* Without Markdown's signs. */
void docs_plain(struct slice text, char *out, size_t size);
